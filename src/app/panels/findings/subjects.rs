//! Whose trouble a finding tells of, on the tabs whose rows are no sockets: the rows of its process, its peer, its listener and its
//! port have its mark.

use crate::app::panels::findings::FindingsPanel;
use crate::diagnosis::finding::{Finding, FindingScope, ProgramName, Severity};
use crate::model::address::{Address, Destination};
use crate::model::delta::Transition;
use crate::model::process::{NoProcess, ProcessId};
use crate::model::socket::SocketId;
use crate::store::Store;
use crate::store::groups::GroupKey;

impl FindingsPanel {
    /// How bad the worst finding is of which `key` is the process, the peer, the listener or the port. Asked for the rows on the
    /// screen only.
    pub fn of_group(&self, key: GroupKey, store: &Store) -> Option<Severity> {
        self.worst(|finding| match key {
            GroupKey::Process(process) => is_of_process(finding, process, store),
            GroupKey::NoProcess(why, _) => is_of_nobody(finding, why, store),
            GroupKey::Remote { address, port, .. } => {
                port.is_some_and(|port| is_to(finding, Destination { address, port }))
            }
            GroupKey::Listener { place, id } => is_on(finding, place.destination(), Some(id)),
            GroupKey::OneOfListeners(place) => is_on(finding, place.destination(), None),
            GroupKey::PortPool(route) => is_to(finding, route.to),
        })
    }

    /// How bad the worst finding is that `entry` of the log belongs to: its socket is part of it now, or what happened is between
    /// the program and the peer, or at the listener, of the finding. Asked for the lines on the screen only.
    pub fn of_entry(&self, entry: &Transition, store: &Store) -> Option<Severity> {
        let row = store.rows().live(entry.id);
        let of_row = row.and_then(|row| self.about(row, store)).map(|finding| finding.severity);
        of_row.max(self.worst(|finding| is_between(finding, entry)))
    }

    fn worst(&self, is_it: impl Fn(&Finding) -> bool) -> Option<Severity> {
        self.iter().filter(|finding| is_it(finding)).map(|finding| finding.severity).max()
    }
}

/// Whether `process` is one of those that have the trouble. Of many only the first are listed; the others are known by their program.
fn is_of_process(finding: &Finding, process: ProcessId, store: &Store) -> bool {
    let shares = &finding.process_shares;
    let is_listed = shares.iter().map(|share| &share.process).chain(&finding.process).any(|of| of.id == process);
    let are_more = usize::try_from(finding.processes).is_ok_and(|processes| processes > shares.len());
    let program = || store.rows().process(process).map(|process| ProgramName::of(process));
    is_listed || (are_more && finding.key.program.is_some() && program() == finding.key.program)
}

/// Whether the trouble is that of sockets of which no process is known, for the reason `why`.
fn is_of_nobody(finding: &Finding, why: NoProcess, store: &Store) -> bool {
    let owner = |id: &SocketId| store.rows().live(*id)?.connection.socket.owner.no_process();
    finding.processes == 0 && finding.examples.iter().any(|id| owner(id) == Some(why))
}

fn is_to(finding: &Finding, to: Destination) -> bool {
    finding.key.scope == FindingScope::To(to)
}

/// Whether it is about the listening socket `id`, or about whatever listens at `place`.
fn is_on(finding: &Finding, place: Destination, id: Option<SocketId>) -> bool {
    match (finding.key.scope, finding.key.listener) {
        (FindingScope::On(_), Some(listener)) => id == Some(listener),
        (FindingScope::On(on), None) => is_same_place(on, place),
        _ => false,
    }
}

/// Every address is one place, in IPv4 and IPv6, because it is one service.
fn is_same_place(one: Destination, other: Destination) -> bool {
    let is_any = |place: Destination| place.address.ip().is_unspecified();
    one.port == other.port && (one.address == other.address || (is_any(one) && is_any(other)))
}

/// Whether what happened is between the program and the peer of the finding, or at its listener.
fn is_between(finding: &Finding, entry: &Transition) -> bool {
    let Transition { local, remote, interface, .. } = *entry;
    let program = entry.owner.process().map(ProgramName::of);
    match finding.key.scope {
        FindingScope::To(to) => {
            let end = Destination { address: Address::new(remote.addr, interface), port: remote.port };
            !remote.is_unset() && end == to && (finding.key.program.is_none() || program == finding.key.program)
        }
        FindingScope::On(on) => {
            let is_at = on.address.ip().is_unspecified() || on.address == Address::bound(local.addr, interface);
            // What waits to be accepted has no process yet.
            let is_of_program = finding.key.program.is_none() || program.is_none() || program == finding.key.program;
            on.port == local.port && is_at && is_of_program
        }
        FindingScope::Machine | FindingScope::Process => false,
    }
}
