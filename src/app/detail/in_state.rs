//! The state of a connection in words: since when, within which bounds, why, and when it ends.

use crate::app::App;
use crate::app::detail::byte_words;
use crate::app::detail::is_gone;
use crate::app::prose::{ProseLine, Section};
use crate::app::young::{TOO_YOUNG, is_too_young};
use crate::model::delta::{AgeBasis, Since};
use crate::model::process::Owner;
use crate::model::socket::{CloseWaitVerdict, Socket};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::store::row::SocketRow;
use crate::table::units;

/// Why it is not closed, if that is wrong; the state and all that is known of it.
pub(super) fn lines(app: &App, row: &SocketRow) -> Vec<ProseLine> {
    let socket = &row.connection.socket;
    let mut section = Section::new("");
    if let Some(verdict) = socket.verdict() {
        section.lines.push(why(app, row, verdict));
        section.known("known by", verdict_evidence(socket));
    }
    section.lines.push(ProseLine::State("state", socket.state));
    if !is_gone(app, row) {
        section.fact("since", age_words(app, row));
        section.known("bounds", close_wait_bounds(app, row));
        section.known("ends in", time_wait_end(app, socket));
    }
    section.lines
}

/// Why it is not closed: in the colour of the finding that it is part of, if it is part of one.
fn why(app: &App, row: &SocketRow, verdict: CloseWaitVerdict) -> ProseLine {
    let words = verdict_words(verdict);
    match app.panels.findings.about(row, &app.store) {
        _ if is_too_young(row, &app.store) => ProseLine::Fact("why", format!("{TOO_YOUNG}; so far: {words}")),
        Some(finding) => ProseLine::Alarm(finding.severity, "why", words.to_owned()),
        None => ProseLine::Strong("why", words.to_owned()),
    }
}

fn age_words(app: &App, row: &SocketRow) -> String {
    let Some(since) = row.connection.state_since else { return "before conntop started".to_owned() };
    let Since { at, basis } = since;
    let age = units::lasted(since.age(app.store.at()));
    match basis {
        AgeBasis::Observed => format!("{age}, from {} on: conntop saw it change", app.time_of_day(at)),
        AgeBasis::Kernel => format!("{age}, by the kernel's clocks"),
        AgeBasis::AtLeast => format!("at least {age}; it may be longer"),
    }
}

/// No data can follow a FIN, and the FIN carries an ACK: it came between the last data and the last ACK.
fn close_wait_bounds(app: &App, row: &SocketRow) -> Option<String> {
    let socket = &row.connection.socket;
    let tcp = socket.tcp.as_ref().filter(|_| socket.state == TcpState::CloseWait)?;
    let now = app.store.at();
    let (ack, data) = (tcp.last_ack_received.timestamp(), tcp.last_data_received.timestamp());
    if ack == Timestamp::default() || data == Timestamp::default() {
        return None;
    }
    let since = row.connection.state_since;
    // Who saw it change needs no bounds; how long it was watched in this state is one more.
    if since.is_some_and(|since| since.basis == AgeBasis::Observed) {
        return None;
    }
    let watched =
        since.filter(|since| since.basis == AgeBasis::AtLeast && since.at < ack).map(|since| since.at.max(data));
    let lasted = |at: Timestamp| units::lasted(now.since(at));
    let (least, most) = (lasted(watched.unwrap_or(ack)), lasted(data));
    Some(if least == most {
        format!("about {least}: its last data and its last ACK lie around the peer's end")
    } else if watched.is_some() {
        format!("{least} to {most}: the peer's end came after its last data ({most} ago), and was seen {least} ago")
    } else {
        format!(
            "{least} to {most}: the peer's end came after its last data ({most} ago), not after its last ACK ({least} ago)"
        )
    })
}

/// The timer of a `TIME_WAIT` counts down to its end; who closed first has it.
fn time_wait_end(app: &App, socket: &Socket) -> Option<String> {
    let timer = socket.timer.filter(|_| socket.state == TcpState::TimeWait)?;
    let left = timer.expires.timestamp().since(app.store.at());
    let maker = match socket.owner.process() {
        Some(process) => format!("made by {process}, which closed first"),
        None => "made by this side, which closed first; by which process was not seen".to_owned(),
    };
    Some(format!("{} of 60 s; {maker}", units::lasted(left)))
}

/// The inode and the queue behind a verdict.
fn verdict_evidence(socket: &Socket) -> Option<String> {
    let queue = socket.queues?.receive;
    let inode = match socket.inode {
        Some(inode) => format!("a process holds it (inode {inode})"),
        None if matches!(socket.owner, Owner::Unaccepted) => "no process has it yet (no inode)".to_owned(),
        None => "the inode is not known here".to_owned(),
    };
    let unread = match queue {
        0 => "nothing is unread".to_owned(),
        1 => "only the end of the stream is unread".to_owned(),
        more => format!("{} and the end of the stream are unread", byte_words(u64::from(more) - 1)),
    };
    Some(format!("{inode}, {unread}"))
}

/// Why a socket in `CLOSE_WAIT` is not closed, in a sentence.
pub(in crate::app) const fn verdict_words(verdict: CloseWaitVerdict) -> &'static str {
    match verdict {
        CloseWaitVerdict::MissingClose => {
            "never closed: the application read the end of the stream and did not call close()"
        }
        CloseWaitVerdict::NotReading => {
            "not reading: the end of the stream waits unread (an idle pool entry, a blocked thread)"
        }
        CloseWaitVerdict::StuckReader => "stuck reader: data and the end of the stream wait unread",
        CloseWaitVerdict::NotAccepted => {
            "never accepted: the peer gave up while the connection waited in the accept queue; look at the listener"
        }
    }
}
