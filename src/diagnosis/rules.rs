//! The rules, one file each: which sockets belong together (`member` or `groups`) and when they are trouble (`judge`).

pub(super) mod accept_queue;
pub(super) mod churn;
pub(super) mod close_wait;
pub(super) mod connects;
pub(super) mod conntrack_full;
pub(super) mod dead_peer;
pub(super) mod descriptors;
pub(super) mod ephemeral_ports;
pub(super) mod exposed;
pub(super) mod failing_connects;
pub(super) mod fin_wait2;
pub(super) mod held_dead;
pub(super) mod local_reader;
pub(super) mod loss;
pub(super) mod memory_pressure;
pub(super) mod not_accepted;
pub(super) mod orphans;
mod reading;
pub(super) mod refused_connects;
pub(super) mod reset_after_accept;
pub(super) mod retransmits;
pub(super) mod slow_reader;
mod stalled;
pub(super) mod syn_backlog;
pub(super) mod syn_drops;
pub(super) mod syn_sent;
pub(super) mod udp_receive_drops;
pub(super) mod unanswered_dns;
pub(super) mod unexpected;
pub(super) mod zero_window;

use std::time::Duration;

use crate::diagnosis::case::{Case, Context};
use crate::diagnosis::finding::Place;
use crate::diagnosis::subject::{Subject, listening, stands_for_listener};
use crate::model::socket::{NetnsId, Socket};
use crate::store::listeners::{CameBy, ListenPlace};

/// So many listeners are named that something may be put down to.
const NAMED_MAX: usize = 3;

/// The process that listens for connections that came in: where several listeners share the place and nothing tells them
/// apart, all that it can be, or how many.
fn accepting(case: &Case) -> Subject {
    let Some((socket, came_by)) = came_by(case) else { return listening(case.group) };
    if case.group.sharers.len() > 0 {
        return listening(case.group);
    }
    if let Some(listener) = came_by.listener {
        let row = case.look.store.rows().live(listener.id);
        return stands_for_listener(row.and_then(|row| row.connection.socket.owner.no_process()));
    }
    let mut names: Vec<Option<String>> = Vec::new();
    for listener in came_by.possible(socket) {
        let name = listener.process().map(|process| format!("{}[{}]", process.name, process.id.pid));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.into_iter().collect::<Option<Vec<String>>>() {
        Some(names) if names.len() <= NAMED_MAX => Subject::one(names.join(" or ")),
        _ => Subject::one(format!("one of {} listeners", came_by.sharers())),
    }
}

/// One of the connections that came in, and what is known of its listener.
fn came_by<'a>(case: &Case<'a>) -> Option<(&'a Socket, CameBy<'a>)> {
    let (_, id) = case.group.examples.first()?;
    let socket = &case.look.store.rows().live(*id)?.connection.socket;
    Some((socket, case.look.sides.came_by(socket)?))
}

/// Who listens on this machine where the connections of a group go; `None` where that is not known to be here.
fn called_here(case: &Case) -> Option<String> {
    let store = case.look.store;
    let sockets = case.group.examples.iter().filter_map(|(_, id)| store.rows().live(*id));
    let called = sockets.map(|row| &row.connection.socket).find_map(|socket| store.listeners().called_by(socket))?;
    match called.all() {
        [only] => only.process().map(|process| format!("{}[{}]", process.name, process.id.pid)),
        several => Some(format!("one of {} listeners", several.len())),
    }
}

/// ` (1 of 3 listeners)` for a listener that shares its place with others; nothing else.
fn among_sharers(case: &Case) -> String {
    match sharers(case) {
        0 | 1 => String::new(),
        sharers => format!(" (1 of {sharers} listeners)"),
    }
}

/// How many listeners share the place of the listener that a finding is about.
fn sharers(case: &Case) -> usize {
    let store = case.look.store;
    let row = case.group.key.listener.and_then(|id| store.rows().live(id));
    row.map_or(0, |row| store.listeners().sharers(ListenPlace::of(&row.connection.socket)))
}

/// Whether the kernel's limits and counters are those of the group's network namespace.
fn is_own_namespace(case: &Case) -> bool {
    case.group.key.place == Place::Machine || is_own(case.look, case.group.key.netns)
}

/// Whether `netns` is the network namespace of which the kernel's limits and counters are known.
fn is_own(look: &Context, netns: NetnsId) -> bool {
    look.store.names().own.is_none_or(|own| own == netns)
}

/// So many in that time, per second.
#[expect(clippy::cast_precision_loss, reason = "a rate on the screen has three digits")]
fn per_second(rise: u64, over: Duration) -> f32 {
    if over.is_zero() { 0.0 } else { rise as f32 / over.as_secs_f32() }
}

/// Whether so many peers of a group are silent or slow that it is not their own trouble: a single one that we chose to
/// connect to; of those that came to us, a share of all.
fn is_trouble(case: &Case) -> bool {
    let limits = case.look.thresholds;
    if !matches!(case.group.key.place, Place::On(_)) {
        return case.group.sockets > 0;
    }
    let established = f64::from(case.look.store.rows().counts().of(crate::model::tcp_state::TcpState::Established));
    // However few they are: so much has waited for so long.
    if case.reaches(case.group.aged, 1) {
        return true;
    }
    let many = f64::from(limits.troubled_clients_many);
    case.reaches(case.group.sockets, (established * limits.troubled_clients / 100.0).clamp(1.0_f64.min(many), many))
}
