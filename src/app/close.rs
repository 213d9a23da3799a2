//! Closing one socket: which one, what is asked before, what is said after. Closing is the host's.

use crate::app::App;
use crate::app::effect::Effect;
use crate::app::mode::{ConfirmClose, Mode, Page};
use crate::app::notice::Tone;
use crate::app::tab::Tab;
use crate::model::action::Protection;
use crate::model::closing::{CLOSE_NEEDS, Close, CloseOutcome, CloseReport, Spared};
use crate::model::process::{Holders, Owner};
use crate::model::socket::{Socket, SocketId};
use crate::model::tcp_state::TcpState;
use crate::store::rows::Row;
use crate::table::connections::COLUMNS;
use crate::table::{column, units};

impl App {
    /// Opens the dialog for the selected socket, or says why not.
    pub(super) fn ask_to_close(&mut self) {
        match self.may_close().and_then(|()| self.row_to_close()).and_then(|row| self.question(&row)) {
            Ok(confirm) => self.mode = Mode::ConfirmClose(confirm),
            Err(why) => drop(self.say(Tone::Bad, why.as_str())),
        }
    }

    /// Says what came of it, and asks for a sample that shows it.
    pub(super) fn on_close_report(&mut self, report: &CloseReport) -> Vec<Effect> {
        let (tone, text) = match (&report.outcome, report.outcome.sentence()) {
            (CloseOutcome::Closed, _) => (Tone::Good, format!("{} is closed", report.close)),
            (CloseOutcome::PortKept, why) => {
                (Tone::Good, format!("{} is closed; {}", report.close, why.unwrap_or_default()))
            }
            (CloseOutcome::Disconnected { .. }, why) => {
                (Tone::Bad, format!("not closed: {} is {}", report.close, why.unwrap_or("disconnected")))
            }
            (CloseOutcome::Gone, _) => (Tone::Plain, format!("{} had closed already; nothing was done", report.close)),
            (_, why) => (Tone::Bad, format!("not closed: {}", why.unwrap_or("the kernel does not say why"))),
        };
        self.say(tone, text.as_str());
        vec![Effect::Sample]
    }

    /// Whether sockets can be closed at all.
    fn may_close(&self) -> Result<(), String> {
        self.may_act()?;
        if !self.config.source.abilities.close {
            let name = self.config.source.kind.name();
            return Err(format!("the source {name} cannot tell a socket from a later one; use --source linux"));
        }
        if self.config.may_close { Ok(()) } else { Err(CLOSE_NEEDS.to_owned()) }
    }

    /// The row of the one socket that is selected.
    fn row_to_close(&mut self) -> Result<Row, String> {
        const GONE: &str = "this connection is gone; there is nothing to close";
        let id = match (&self.page, self.tab) {
            (Page::Detail(detail), _) => detail.id,
            (Page::Tab, Tab::Connections) => {
                self.choose_selected();
                self.tables.connections.cursor.key().ok_or("there is no connection to close")?
            }
            (Page::Tab, Tab::Log) => {
                self.choose_selected();
                self.log_selected().map(|entry| entry.id).ok_or("there is no connection to close")?
            }
            _ => return Err("choose one socket first: Enter shows those of this row".to_owned()),
        };
        let row = self.row(id).ok_or(GONE)?;
        if row.is_closed() { Err(GONE.to_owned()) } else { Ok(row.clone()) }
    }

    fn row(&self, id: SocketId) -> Option<&Row> {
        self.store.rows().find(id).and_then(|index| self.store.rows().get(index))
    }

    /// The dialog that holds the very effect that will run.
    fn question(&self, row: &Row) -> Result<ConfirmClose, String> {
        let socket = &row.connection.socket;
        if let Some(spared) = self.spared(socket) {
            return Err(spared.sentence().to_owned());
        }
        let close = Close::of(socket)
            .ok_or("the kernel does not say which socket this is, so a later one could be hit; kill its process")?;
        let effects = close.effect();
        let mut lines = vec![
            ("socket", close.to_string()),
            ("state", self.state_text(row)),
            ("held by", holders_text(&socket.owner)),
        ];
        lines.extend(lost_text(socket).map(|text| ("lost", text)));
        lines.extend([("here", effects.here.to_owned()), ("peer", effects.there.to_owned())]);
        Ok(ConfirmClose { effect: Effect::Close(close), lines })
    }

    /// Why it is never closed, as far as its owners tell; the host looks again.
    fn spared(&self, socket: &Socket) -> Option<Spared> {
        let holders = socket.owner.holders().map_or(&[][..], |holders| holders.all());
        let why = |pid: u32| self.config.protected.iter().find(|(other, _)| *other == pid).map(|(_, why)| *why);
        holders.iter().find_map(|process| match why(process.id.pid)? {
            Protection::Itself => Some(Spared::Itself),
            Protection::Ancestor | Protection::Terminal => Some(Spared::Session),
            Protection::Init | Protection::KernelThread | Protection::Ssh => None,
        })
    }

    /// `CLOSE_WAIT for 52m (never closed)`.
    fn state_text(&self, row: &Row) -> String {
        let socket = &row.connection.socket;
        let mut text = socket.state.row().name.to_owned();
        let age = column::find(COLUMNS, "age").map(|age| (COLUMNS[age].value)(row, &self.store).text());
        if let Some(age) = age.ok().filter(|age| !age.is_empty()) {
            text = format!("{text} for {age}");
        }
        match socket.verdict() {
            Some(verdict) => format!("{text} ({})", verdict.words()),
            None => text,
        }
    }
}

/// `nginx[812] and 3 more, which go on`.
fn holders_text(owner: &Owner) -> String {
    let first = |holders: &Holders| format!("{}[{}]", holders.first().name, holders.first().id.pid);
    match owner {
        Owner::Live(holders) => match holders.all().len() - 1 {
            0 => format!("{}, which goes on", first(holders)),
            more => format!("{} and {more} more, which go on", first(holders)),
        },
        Owner::Remembered(holders) => format!("the kernel alone; it was {}", first(holders)),
        Owner::Unaccepted => "nobody yet: it waits to be accepted".to_owned(),
        Owner::Hidden | Owner::Unseen => "a process that is hidden from you".to_owned(),
        Owner::Vanished => "a process that was not found in time".to_owned(),
        Owner::None => "the kernel alone".to_owned(),
    }
}

/// What waits in the queues and is lost.
fn lost_text(socket: &Socket) -> Option<String> {
    let queues = socket.queues?;
    let sent = queues.send.unwrap_or(0);
    if socket.state == TcpState::Listen {
        let noun = if queues.receive == 1 { "connection" } else { "connections" };
        return (queues.receive > 0).then(|| format!("{} {noun} that wait to be accepted", queues.receive));
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
