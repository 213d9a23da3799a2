//! Which process or socket is meant where a row stands for several: they are gathered, in slices, and asked about.

use crate::app::App;
use crate::app::candidates::{Candidates, GONE, Purpose, nobody_sentence};
use crate::app::menu::{MenuChoice, MenuLine, SocketChoice};
use crate::app::mode::Mode;
use crate::app::notice::NoticeLevel;
use crate::app::selection::Selected;
use crate::model::address_text::{local_end, remote_end};
use crate::model::process::{Names, Owner};
use crate::model::socket::{Socket, SocketId};
use crate::store::groups::members::{MEMBERS_MAX, Members, MembersOf};
use crate::table::units;

impl App {
    /// Starts to gather who and what `of` stands for.
    pub(super) fn gather(&mut self, of: MembersOf, purpose: Purpose) {
        self.work.gather(Members::new(of, &self.store), purpose);
    }

    /// Asks which of `members` is meant, if the row that they are of is still the picked one.
    pub(super) fn ask_which(&mut self, members: Members, purpose: &Purpose) {
        if !matches!(self.mode, Mode::Normal) || self.selected() != Selected::from(members.of()) {
            return;
        }
        self.dirty = true;
        match purpose {
            Purpose::Kill => self.ask_which_owner(owners(members)),
            Purpose::Close => self.ask_which_socket(&members),
            // A file takes all of them: nothing is to be chosen.
            Purpose::Export(_) => {}
        }
    }

    fn ask_which_socket(&mut self, members: &Members) {
        match members.sockets.as_slice() {
            [] => drop(self.say(NoticeLevel::Bad, GONE)),
            [only] => self.ask_to_close_socket(*only),
            _ if members.count > MEMBERS_MAX => {
                let count = units::count(members.count as u64);
                let text = format!("this row stands for {count} sockets: ‹open› shows them, choose one there");
                self.say(NoticeLevel::Bad, text.as_str());
            }
            several => {
                let sockets = several.iter().map(|id| SocketChoice { id: *id, line: self.socket_line(*id) }).collect();
                self.open_menu(MenuChoice::Socket(sockets), 0);
            }
        }
    }

    fn socket_line(&self, id: SocketId) -> MenuLine {
        let row = self.store.rows().find(id).and_then(|index| self.store.rows().get(index));
        row.map_or_else(Default::default, |row| socket_line(&row.connection.socket, self.store.names()))
    }
}

fn owners(members: Members) -> Result<Candidates, String> {
    if members.processes.is_empty() {
        return Err(nobody_sentence());
    }
    if members.more_processes {
        return Err("this row stands for very many processes: ‹open› shows its sockets, choose one there".to_owned());
    }
    let mut owners = members.processes;
    owners.sort_unstable_by_key(|process| process.id.pid);
    Ok(Candidates { owners, holding: Vec::new() })
}

/// `127.0.0.1:80 -> 10.0.0.7:51234`, and `CLOSE_WAIT nginx[812]`.
fn socket_line(socket: &Socket, names: &Names) -> MenuLine {
    let remote = if socket.remote.is_unset() { String::new() } else { format!(" -> {}", remote_end(socket, names)) };
    let holder = match &socket.owner {
        Owner::Live(holders) => format!(" {}", holders.first()),
        _ => String::new(),
    };
    MenuLine {
        label: format!("{}{remote}", local_end(socket, names)),
        about: format!("{}{holder}", socket.state.row().name),
        ..MenuLine::default()
    }
}
