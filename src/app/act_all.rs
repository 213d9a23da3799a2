//! Signals and closes over the tagged rows: whom and what they stand for is gathered in slices, looked at target by target as one
//! alone is, and asked about in one dialog.

use crate::app::App;
use crate::app::acted::ActedAll;
use crate::app::action::Motion;
use crate::app::candidates::{GONE, Purpose, nobody_sentence};
use crate::app::effect::Effect;
use crate::app::menu::MenuChoice;
use crate::app::mode::{ConfirmAll, Mode, Targets};
use crate::app::notice::NoticeLevel;
use crate::app::tags::Tag;
use crate::model::action::{Caution, KILLS_MAX, Kill, Signal};
use crate::model::snapshot::SourceKind;
use crate::model::socket::SocketId;
use crate::store::groups::tagged::{MeantProcess, SOCKETS_MAX, TaggedMembers};
use crate::table::units;
use crate::table::value::Value;

impl App {
    /// Whether rows of the table on the screen are tagged: then an action is about those.
    pub(super) fn has_tags_here(&self) -> bool {
        self.tags_here().next().is_some()
    }

    /// Starts to gather what the tagged rows of the table on the screen stand for.
    pub(super) fn gather_tagged(&mut self, purpose: Purpose) {
        let tags: Vec<Tag> = self.tags_here().collect();
        let members = self.members_of(&tags);
        self.work.gather_tagged(members, purpose);
    }

    /// What `tags` stand for, not gathered yet.
    pub(super) fn members_of(&self, tags: &[Tag]) -> TaggedMembers {
        let mut members = TaggedMembers::new();
        for tag in tags {
            match *tag {
                Tag::Socket(id) => members.add_socket(id),
                Tag::Fold(key) => members.add_fold(key, &self.store),
                Tag::Group(key) => members.add_group(key, &self.store),
            }
        }
        members
    }

    /// The members are gathered: asks about them.
    pub(super) fn on_tagged(&mut self, members: TaggedMembers, purpose: Purpose) -> Vec<Effect> {
        if !matches!(self.mode, Mode::Normal) {
            return Vec::new();
        }
        self.dirty = true;
        let asked = match purpose {
            Purpose::Kill => self.ask_for_signal_to_all(members),
            Purpose::Close => self.ask_to_close_all(&members),
            Purpose::Export(file) => return self.export(file, &members),
        };
        match asked {
            Ok(()) => Vec::new(),
            Err(why) => self.say(NoticeLevel::Bad, why.as_str()),
        }
    }

    /// Opens the menu of signals for all processes of `members`.
    fn ask_for_signal_to_all(&mut self, members: TaggedMembers) -> Result<(), String> {
        let count = members.processes.len();
        if count == 0 {
            return Err(nobody_sentence());
        }
        if count > KILLS_MAX {
            let more = if members.more_processes { "more than " } else { "" };
            return Err(format!(
                "the tagged rows stand for {more}{count} processes, and at most {KILLS_MAX} are signalled at once: tag fewer"
            ));
        }
        let mut processes = members.processes;
        processes.sort_unstable_by_key(|meant| meant.process.id.pid);
        self.open_menu(MenuChoice::SignalToAll(processes), 0);
        Ok(())
    }

    /// Opens the dialog that holds the very effects that will run.
    pub(super) fn ask_to_signal_all(&mut self, processes: Vec<MeantProcess>, signal: Signal) {
        let (mut kills, mut told, mut left_out, mut cautions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for MeantProcess { process, holding } in processes {
            if let Some(why) = self.protection(&process) {
                left_out.push(format!("{process}: {why}"));
                continue;
            }
            let user = process
                .uid
                .map_or_else(String::new, |uid| format!(" · user {}", Value::user(uid, self.store.names()).text()));
            told.push(format!("{} · pid {}{user}", process.name, process.id.pid));
            cautions.extend(Caution::of(&process));
            kills.push(Kill { process: process.id, name: process.name.clone(), signal, holding });
        }
        self.ask_about_all(ConfirmAll::new(Targets::Signal(signal, kills), told, left_out, cautions));
    }

    fn ask_to_close_all(&mut self, members: &TaggedMembers) -> Result<(), String> {
        if members.count == 0 {
            return Err(GONE.to_owned());
        }
        if members.count > SOCKETS_MAX {
            let (count, most) = (units::count(members.count as u64), units::count(SOCKETS_MAX as u64));
            return Err(format!(
                "the tagged rows stand for {count} sockets, and at most {most} are closed at once: tag fewer"
            ));
        }
        let (mut closes, mut told, mut left_out, mut cautions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for id in &members.sockets {
            match self.close_question(*id) {
                Ok(question) => {
                    if let Effect::Close(close) = question.effect {
                        told.push(self.socket_words(*id, &close.words(self.store.names())));
                        closes.push(close);
                        cautions.extend(question.cautions);
                    }
                }
                Err(why) => left_out.push(self.socket_words(*id, &why)),
            }
        }
        self.ask_about_all(ConfirmAll::new(Targets::Close(closes), told, left_out, cautions));
        Ok(())
    }

    /// `text`, with the state and the holder of the socket.
    fn socket_words(&self, id: SocketId, text: &str) -> String {
        let Some(row) = self.store.rows().live(id) else { return text.to_owned() };
        let socket = &row.connection.socket;
        let holder = socket.owner.process().map_or_else(String::new, |process| format!(" · {process}"));
        format!("{text} · {}{holder}", socket.state.name())
    }

    fn ask_about_all(&mut self, mut confirm: ConfirmAll) {
        if confirm.targets.is_empty() {
            let why = confirm.left_out.first().cloned().unwrap_or_else(nobody_sentence);
            return drop(self.say(NoticeLevel::Bad, format!("nothing is left to act on: {why}").as_str()));
        }
        confirm.is_made_up = self.config.source.kind == SourceKind::Synthetic;
        confirm.begin(self.config.size);
        self.questions += 1;
        self.mode = Mode::ConfirmAll(confirm);
    }

    /// Scrolls the list of targets. What was not on the screen before has to be read before it can be confirmed.
    pub(super) fn move_in_dialog(&mut self, motion: Motion) {
        let size = self.config.size;
        if let Mode::ConfirmAll(confirm) = &mut self.mode
            && confirm.go(motion, size)
        {
            self.questions += 1;
        }
    }

    /// All of what the dialog shows is done.
    pub(super) fn act_on_all(&mut self, confirm: ConfirmAll) -> Vec<Effect> {
        self.acted.begin(ActedAll::of(&confirm.targets));
        confirm.effects()
    }

    /// The tags of which something is done, or the row under the cursor where there are none; an error says why there is none.
    pub(super) fn tags_or_row(&self) -> Result<Vec<Tag>, &'static str> {
        let tags: Vec<Tag> = self.tags_here().collect();
        if !tags.is_empty() {
            return Ok(tags);
        }
        self.panel().tag_under_cursor().map(|tag| vec![tag]).ok_or("there is no row here that stands for sockets")
    }
}
