//! The rules, one file each: which sockets belong together (`member` or `groups`) and when they are trouble (`judge`).

pub(super) mod accept_queue;
pub(super) mod close_wait;
pub(super) mod dead_peer;
pub(super) mod descriptors;
pub(super) mod ephemeral_ports;
pub(super) mod exposed;
pub(super) mod fin_wait2;
pub(super) mod not_accepted;
pub(super) mod orphans;
pub(super) mod retransmits;
mod stalled;
pub(super) mod syn_backlog;
pub(super) mod syn_sent;
pub(super) mod time_wait;
pub(super) mod unexpected;
pub(super) mod zero_window;

use crate::diagnosis::case::Case;
use crate::diagnosis::finding::Place;
use crate::diagnosis::group::Group;
use crate::diagnosis::wording::who;
use crate::model::process::NoProcess;

/// The process that listens, or what stands in for it.
fn listening_process(group: &Group) -> String {
    match (&group.process, group.no_process) {
        (None, Some(NoProcess::Hidden | NoProcess::Unaccepted)) => "a hidden process".to_owned(),
        _ => who(group),
    }
}

/// Whether the kernel's limits and counters are those of the group's network namespace.
fn is_own_namespace(case: &Case) -> bool {
    let name = case.look.store.names().namespaces.get(&case.group.key.netns);
    name.is_none_or(|name| name.as_str() == "own")
}

/// Whether so many peers of a group are silent or slow that it is not their own trouble: a single one that we chose to
/// connect to; of those that came to us, a share of all.
fn is_trouble(case: &Case) -> bool {
    let limits = case.look.thresholds;
    if !matches!(case.group.key.place, Place::On(_)) {
        return case.group.sockets > 0;
    }
    let established = f64::from(case.look.store.rows().counts().of(crate::model::tcp_state::TcpState::Established));
    let many = f64::from(limits.troubled_clients_many);
    case.reaches(case.group.sockets, (established * limits.troubled_clients / 100.0).clamp(1.0_f64.min(many), many))
}
