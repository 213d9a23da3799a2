//! Closing one socket: which one, what is asked before, what is said after. The host closes it.

use crate::app::App;
use crate::app::acted::ReportUse;
use crate::app::candidates::{GONE, Purpose};
use crate::app::dialog::part::{DialogEmphasis, DialogPart};
use crate::app::effect::Effect;
use crate::app::mode::{ConfirmClose, Mode, TypedWord};
use crate::app::notice::NoticeLevel;
use crate::app::selection::{NOTHING, Selected};
use crate::model::action::{Caution, Protection};
use crate::model::closing::{CLOSE_NEEDS, Close, CloseOutcome, CloseRefusal, CloseReport};
use crate::model::process::{Holders, Owner};
use crate::model::socket::{Socket, SocketId};
use crate::model::tcp_state::TcpState;
use crate::store::groups::members::MembersOf;
use crate::store::logins::caution;
use crate::store::row::SocketRow;
use crate::table::connections::COLUMNS;
use crate::table::{column, units};

impl App {
    /// Opens the dialog for the selected socket, or says why not.
    pub(super) fn ask_to_close(&mut self) {
        if self.has_tags_here() {
            return match self.may_close() {
                Ok(()) => self.gather_tagged(Purpose::Close),
                Err(why) => drop(self.say(NoticeLevel::Bad, why.as_str())),
            };
        }
        let id = self.may_close().and_then(|()| self.picked()).and_then(|selection| self.socket_to_close(selection));
        match id {
            Ok(Some(id)) => self.ask_to_close_socket(id),
            // Those of a group are being gathered.
            Ok(None) => {}
            Err(why) => drop(self.say(NoticeLevel::Bad, why.as_str())),
        }
    }

    /// Opens the dialog for `id`, or says why not.
    pub(super) fn ask_to_close_socket(&mut self, id: SocketId) {
        match self.close_question(id) {
            Ok(confirm) => {
                self.questions += 1;
                self.mode = Mode::ConfirmClose(confirm);
            }
            Err(why) => drop(self.say(NoticeLevel::Bad, why.as_str())),
        }
    }

    /// Says what came of it, and asks for a sample that shows it.
    pub(super) fn on_close_report(&mut self, report: &CloseReport) -> Vec<Effect> {
        let socket = report.close.words(self.store.names());
        if matches!(report.outcome, CloseOutcome::Closed | CloseOutcome::PortKept | CloseOutcome::Subflow) {
            self.store.note_close(report.close.socket.id);
        }
        let (level, text) = match (&report.outcome, report.outcome.sentence()) {
            (CloseOutcome::Closed, _) => (NoticeLevel::Good, format!("{socket} is closed")),
            (CloseOutcome::PortKept | CloseOutcome::Subflow, why) => {
                (NoticeLevel::Good, format!("{socket} is closed; {}", why.unwrap_or_default()))
            }
            (CloseOutcome::Disconnected { .. }, why) => {
                (NoticeLevel::Bad, format!("not closed: {socket} is {}", why.unwrap_or("disconnected")))
            }
            (CloseOutcome::Gone, _) => (NoticeLevel::Plain, format!("{socket} had closed already; nothing was done")),
            (_, why) => (NoticeLevel::Bad, format!("not closed: {}", why.unwrap_or("the kernel does not say why"))),
        };
        match self.acted.take_close(report, &text) {
            ReportUse::Counted => return Vec::new(),
            ReportUse::Last(level, text) => drop(self.say(level, self.marked_made_up(text).as_str())),
            ReportUse::Single => drop(self.say(level, self.marked_made_up(text).as_str())),
        }
        vec![Effect::Sample]
    }

    /// Whether sockets can be closed at all.
    pub(super) fn may_close(&self) -> Result<(), String> {
        self.may_act()?;
        if !self.config.source.abilities.close {
            let name = self.config.source.kind.name();
            return Err(format!("the source {name} cannot tell a socket from a later one; use --source linux"));
        }
        if self.config.may_close { Ok(()) } else { Err(CLOSE_NEEDS.to_owned()) }
    }

    /// The one socket that `selection` means; `None` where it stands for several, which are being gathered.
    fn socket_to_close(&mut self, selection: Selected) -> Result<Option<SocketId>, String> {
        match selection {
            Selected::None | Selected::State(_) | Selected::Finding(_) | Selected::Network(_) => {
                Err(NOTHING.to_owned())
            }
            Selected::Socket(id) => Ok(Some(id)),
            Selected::LogLine(number) => match self.panels.log.line(&self.store, number) {
                Some(line) => Ok(Some(line.transition().id)),
                None => Err("there is no connection to close".to_owned()),
            },
            Selected::Group(key) => {
                self.gather(MembersOf::Group(key), Purpose::Close);
                Ok(None)
            }
            Selected::Fold(key) => {
                self.gather(MembersOf::Fold(key), Purpose::Close);
                Ok(None)
            }
        }
    }

    fn row(&self, id: SocketId) -> Option<&SocketRow> {
        self.store.rows().find(id).and_then(|index| self.store.rows().get(index))
    }

    /// The dialog that holds the very effect that will run.
    pub(super) fn close_question(&self, id: SocketId) -> Result<ConfirmClose, String> {
        let row = self.row(id).filter(|row| !row.is_closed()).ok_or(GONE)?;
        let socket = &row.connection.socket;
        if let Some(spared) = self.spared(socket) {
            return Err(spared.sentence().to_owned());
        }
        let close = Close::of(socket)
            .ok_or("the kernel does not say which socket this is, so a later one could be hit; kill its process")?;
        if let Some(why) = close.in_advance() {
            return Err(why.sentence().unwrap_or(GONE).to_owned());
        }
        let (effects, (state, long)) = (close.effect(), self.state_text(row));
        let mut parts = vec![
            DialogPart::always("socket", close.words(self.store.names()), DialogEmphasis::Target),
            DialogPart::always("state", format!("{state}{long}"), DialogEmphasis::Plain).or(state),
            DialogPart::always("held by", holders_text(&socket.owner), DialogEmphasis::Plain)
                .or(holders_short(&socket.owner)),
        ];
        parts.extend(
            lost_text(socket).map(|text| DialogPart::always("lost", text, DialogEmphasis::Plain).unless_full(1)),
        );
        let cautions: Vec<Caution> = caution(&self.store, socket).into_iter().collect();
        parts.extend(cautions.iter().map(|caution| {
            DialogPart::always("caution", caution.sentence(), DialogEmphasis::Alarm).or(caution.label())
        }));
        parts.extend([
            DialogPart::always("here", effects.here, DialogEmphasis::Alarm).unless_full(2),
            DialogPart::always("peer", effects.there, DialogEmphasis::Alarm).unless_full(3),
        ]);
        let ends = close.ends(self.store.names());
        Ok(ConfirmClose {
            effect: Effect::Close(close),
            ends,
            parts,
            word: TypedWord::of(&cautions),
            cautions,
            again: false,
        })
    }

    /// Why it is never closed, as far as its owners tell; the host looks again.
    fn spared(&self, socket: &Socket) -> Option<CloseRefusal> {
        let holders = socket.owner.holders().map_or(&[][..], |holders| holders.all());
        let why = |pid: u32| self.config.protected.iter().find(|(other, _)| *other == pid).map(|(_, why)| *why);
        holders.iter().find_map(|process| match why(process.id.pid)? {
            Protection::Itself => Some(CloseRefusal::Itself),
            Protection::Ancestor | Protection::Terminal => Some(CloseRefusal::Session),
            Protection::Init | Protection::KernelThread | Protection::Ssh => None,
        })
    }

    /// The state, and what there is to add: `CLOSE_WAIT`, ` for 52m (never closed)`.
    fn state_text(&self, row: &SocketRow) -> (&'static str, String) {
        let socket = &row.connection.socket;
        let mut text = String::new();
        let age = column::find(COLUMNS, "age").map(|age| (COLUMNS[age].value)(row, &self.store).text());
        if let Some(age) = age.ok().filter(|age| !age.is_empty()) {
            text = format!("{text} for {age}");
        }
        if let Some(verdict) = socket.verdict() {
            text = format!("{text} ({})", verdict.words());
        }
        (socket.state.row().name, text)
    }
}

/// `nginx[812] and 3 more, which go on`.
fn holders_text(owner: &Owner) -> String {
    let first = |holders: &Holders| holders.first().to_string();
    match owner {
        Owner::Live(holders) => match holders.all().len() - 1 {
            0 => format!("{}, which goes on", first(holders)),
            more => format!("{} and {more} more, which go on", first(holders)),
        },
        Owner::Remembered(holders) => format!("the kernel alone; it was {}", first(holders)),
        Owner::Unaccepted => "nobody yet: it waits to be accepted".to_owned(),
        Owner::Hidden | Owner::Unseen => "a process that is hidden".to_owned(),
        Owner::Vanished => "a process that was not found in time".to_owned(),
        Owner::None => "the kernel alone".to_owned(),
    }
}

/// `nginx[812] and 3 more`.
fn holders_short(owner: &Owner) -> String {
    let first = |holders: &Holders| holders.first().to_string();
    match owner {
        Owner::Live(holders) if holders.all().len() > 1 => {
            format!("{} and {} more", first(holders), holders.all().len() - 1)
        }
        Owner::Live(holders) => first(holders),
        Owner::Remembered(_) | Owner::None => "the kernel alone".to_owned(),
        Owner::Unaccepted => "nobody yet".to_owned(),
        Owner::Hidden | Owner::Unseen => "a hidden process".to_owned(),
        Owner::Vanished => "not found in time".to_owned(),
    }
}

/// What waits in the queues and is lost.
fn lost_text(socket: &Socket) -> Option<String> {
    let queues = socket.queues?;
    let sent = queues.send.unwrap_or(0);
    if socket.state == TcpState::Listen {
        let waiting = units::counted(queues.receive.into(), "connection");
        return (queues.receive > 0).then(|| format!("{waiting} waiting to be accepted"));
    }
    // The end of the stream counts as one byte, and nothing is lost with it.
    let unread = queues.receive.saturating_sub(u32::from(socket.state == TcpState::CloseWait));
    match (unread, sent) {
        (0, 0) => None,
        (unread, 0) => Some(format!("{} bytes unread", units::bytes(unread.into()))),
        (0, unsent) => Some(format!("{} bytes not acknowledged by the peer", units::bytes(unsent.into()))),
        (unread, unsent) => Some(format!(
            "{} bytes unread, {} not acknowledged",
            units::bytes(unread.into()),
            units::bytes(unsent.into())
        )),
    }
}
