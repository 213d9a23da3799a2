//! The handshake of a connection, step by step, and the step that it waits at (RFC 9293, section 3.5).

use std::sync::Arc;

use crate::app::App;
use crate::app::detail::is_gone;
use crate::app::path::Opening;
use crate::app::prose::{ProseLine, Section};
use crate::app::related::RelatedSockets;
use crate::model::process::{Owner, Process};
use crate::model::socket::{Socket, Timer, TimerKind};
use crate::model::tcp_state::TcpState;
use crate::store::listeners::AcceptQueue;
use crate::store::row::SocketRow;
use crate::table::units;

/// The steps of who calls, and of who is called.
const ACTIVE: [&str; 3] = ["we sent SYN", "the peer answers SYN,ACK", "we answer ACK: ESTABLISHED"];
const PASSIVE: [&str; 4] =
    ["the peer sent SYN", "we answered SYN,ACK", "the peer answers ACK: ESTABLISHED", "a process takes it by accept()"];

/// So many processes are named that may be at fault.
const NAMED_MAX: usize = 3;

/// The steps, while the handshake is under way or nobody has accepted the connection.
pub(super) fn section(app: &App, row: &SocketRow, related: &RelatedSockets, opening: Opening) -> Option<Section> {
    let socket = &row.connection.socket;
    let (steps, waits_at, why): (&[&str], usize, String) = match (socket.state, opening) {
        _ if is_gone(app, row) => return None,
        (TcpState::SynSent, _) => (&ACTIVE, 1, no_answer(app, socket.timer, related)),
        (TcpState::SynRecv, Opening::Active) => (&ACTIVE, 1, "both sides opened it at the same time".to_owned()),
        (TcpState::SynRecv, Opening::Passive) => (&PASSIVE, 2, no_ack(app, socket.timer)),
        (_, _) if matches!(socket.owner, Owner::Unaccepted) => (&PASSIVE, 3, not_accepted(app, socket)),
        _ => return None,
    };
    let mut section = Section::new("Handshake");
    for (at, text) in steps.iter().enumerate() {
        section.lines.push(match at.cmp(&waits_at) {
            std::cmp::Ordering::Less => ProseLine::Item("✓".to_owned(), (*text).to_owned()),
            std::cmp::Ordering::Equal => ProseLine::Here("▸".to_owned(), format!("waits: {text} ({why})")),
            std::cmp::Ordering::Greater => ProseLine::Item("·".to_owned(), (*text).to_owned()),
        });
    }
    Some(section)
}

/// What a call waits for: a full accept queue, if the listener is on this machine.
fn no_answer(app: &App, timer: Option<Timer>, related: &RelatedSockets) -> String {
    let full = related.called.as_ref().and_then(|called| full_queue(called, related.called_of));
    let suspects = full.unwrap_or_else(|| "the address, the route or a firewall".to_owned());
    match timer.filter(|timer| timer.kind == TimerKind::Retransmit) {
        Some(timer) => format!(
            "sent {}, again in {}: {suspects}",
            times(u32::from(timer.retries) + 1),
            units::lasted(timer.expires.timestamp().since(app.store.at()))
        ),
        None => format!("no answer yet: {suspects}"),
    }
}

/// Whose `accept()` it waits for.
fn not_accepted(app: &App, socket: &Socket) -> String {
    let Some(came_by) = app.store.listeners().of_connection(socket) else {
        return "its listener is gone".to_owned();
    };
    let name =
        |process: Option<&Arc<Process>>| process.map_or_else(|| "a hidden process".to_owned(), ToString::to_string);
    match came_by.listener {
        Some(listener) if listener.process().is_some() => format!("{} is slow", name(listener.process())),
        Some(_) => "the listener's process is slow".to_owned(),
        None => {
            let mut names: Vec<_> = came_by.possible(socket).map(|listener| name(listener.process())).collect();
            names.dedup();
            match names.len() {
                1..=NAMED_MAX => format!("{} is slow", names.join(" or ")),
                _ => format!("it waits at one of {} listeners", came_by.count()),
            }
        }
    }
}

fn full_queue(listener: &SocketRow, listeners: u32) -> Option<String> {
    let socket = &listener.connection.socket;
    let queue = AcceptQueue::of(socket).filter(|queue| queue.is_full())?;
    let who = socket.owner.process().map_or_else(|| "the listener".to_owned(), ToString::to_string);
    let (waiting, limit) = (units::count(queue.waiting.into()), units::count(queue.limit.unwrap_or(0).into()));
    let among = if listeners > 1 { format!(", 1 of {listeners} listeners there") } else { String::new() };
    Some(format!("the accept queue of {who}{among} is full, {waiting} of {limit}"))
}

fn no_ack(app: &App, timer: Option<Timer>) -> String {
    match timer {
        Some(timer) => format!(
            "SYN-ACK sent {}, again in {}: lost on its way, or a SYN flood",
            times(u32::from(timer.retries) + 1),
            units::lasted(timer.expires.timestamp().since(app.store.at()))
        ),
        None => "no ACK yet: lost on its way, or a SYN flood".to_owned(),
    }
}

fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        count => format!("{count} times"),
    }
}
