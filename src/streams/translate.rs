//! What one host tells, in the numbers and the time of all hosts.

use std::sync::Arc;

use crate::model::delta::{AsOf, Connection, Delta, Gap, Removed, Since, Transition};
use crate::model::descriptors::Descriptors;
use crate::model::facts::Facts;
use crate::model::process::{Names, ProcessId};
use crate::model::socket::Socket;
use crate::streams::ids::HostIds;
use crate::streams::timeline::TimeShift;

/// Translates what one host tells.
#[derive(Debug)]
pub struct HostTranslator {
    ids: HostIds,
    shift: TimeShift,
    /// The descriptors and the facts translated last, from what.
    descriptors: Option<Translated<Vec<(ProcessId, Descriptors)>>>,
    facts: Option<Translated<Facts>>,
}

/// A shared value, and what became of it.
type Translated<T> = (Arc<T>, Arc<T>);

impl HostTranslator {
    /// With these numbers, and moments shifted by `shift`.
    pub const fn new(ids: HostIds, shift: TimeShift) -> Self {
        Self { ids, shift, descriptors: None, facts: None }
    }

    /// The numbers given so far.
    pub const fn ids(&self) -> &HostIds {
        &self.ids
    }

    /// How moments are shifted.
    pub const fn shift(&self) -> TimeShift {
        self.shift
    }

    /// What the host tells. Rows that nobody else has are changed in place.
    pub fn delta(&mut self, delta: Delta) -> Delta {
        let Self { ids, shift, .. } = self;
        let shift = *shift;
        let mut rows = |mut rows: Vec<Connection>| {
            for row in &mut rows {
                connection(row, ids, shift);
            }
            rows
        };
        let (added, changed) = (rows(delta.added), rows(delta.changed));
        let gone = |Removed { id, at }| Removed { id: ids.socket(id), at: shift.moment(at) };
        let removed = delta.removed.into_iter().map(gone).collect();
        let unlisted = delta.unlisted.iter().map(|id| ids.socket(*id)).collect();
        let transitions = delta.transitions.into_iter().map(|step| transition(&step, ids, shift)).collect();
        let usage = delta.usage.into_iter().map(|(process, usage)| (ids.process(process), usage)).collect();
        let details = delta.details.into_iter().map(|(id, detail)| (ids.socket(id), detail)).collect();
        let gap = |gap: Gap| Gap { from: shift.moment(gap.from), to: shift.moment(gap.to), ..gap };
        let moment = |at: Option<_>| at.map(|at| shift.moment(at));
        let AsOf { rest, udp, others } = delta.as_of;
        Delta {
            at: shift.moment(delta.at),
            added,
            changed,
            removed,
            unlisted,
            transitions,
            names: self.names(&delta.names),
            facts: self.facts(&delta.facts),
            gaps: delta.gaps.into_iter().map(gap).collect(),
            usage,
            descriptors: self.descriptors(&delta.descriptors),
            details,
            // Numbers of interfaces are those of one host, and recordings hold none of it.
            network: None,
            as_of: AsOf { rest: moment(rest), udp: moment(udp), others: moment(others) },
            wall: delta.wall,
            took: delta.took,
            coverage: delta.coverage,
            event_status: delta.event_status,
            traffic: delta.traffic,
            is_overtaken: delta.is_overtaken,
            sample_intervals: delta.sample_intervals,
            host_statuses: delta.host_statuses,
            by_host: delta.by_host,
        }
    }

    fn names(&mut self, names: &Arc<Names>) -> Arc<Names> {
        self.ids.names(names)
    }

    fn facts(&mut self, facts: &Arc<Facts>) -> Arc<Facts> {
        let ids = &mut self.ids;
        translated(&mut self.facts, facts, |facts| Facts {
            netns: facts.netns.map(|netns| ids.netns(netns)),
            ..facts.clone()
        })
    }

    fn descriptors(&mut self, of: &Arc<Vec<(ProcessId, Descriptors)>>) -> Arc<Vec<(ProcessId, Descriptors)>> {
        let (ids, shift) = (&self.ids, self.shift);
        let counted = |of: &Descriptors| Descriptors { counted_at: of.counted_at.map(|at| shift.moment(at)), ..*of };
        translated(&mut self.descriptors, of, |of| {
            of.iter().map(|(process, of)| (ids.process(*process), counted(of))).collect()
        })
    }
}

/// What `translate` makes of `value`; the same value as before for the same one.
fn translated<T>(last: &mut Option<Translated<T>>, value: &Arc<T>, translate: impl FnOnce(&T) -> T) -> Arc<T> {
    if let Some((from, made)) = last
        && Arc::ptr_eq(from, value)
    {
        return Arc::clone(made);
    }
    let made = Arc::new(translate(value));
    *last = Some((Arc::clone(value), Arc::clone(&made)));
    made
}

fn connection(row: &mut Connection, ids: &mut HostIds, shift: TimeShift) {
    socket(&mut row.socket, ids, shift);
    row.state_since = row.state_since.map(|since| Since { at: shift.moment(since.at), ..since });
    row.first_seen = shift.moment(row.first_seen);
}

fn socket(socket: &mut Socket, ids: &mut HostIds, shift: TimeShift) {
    socket.id = ids.socket(socket.id);
    socket.uid = socket.uid.map(|uid| ids.uid(uid));
    socket.cgroup = socket.cgroup.map(|cgroup| ids.cgroup(cgroup));
    socket.owner = ids.owner(&socket.owner);
    if let Some(timer) = &mut socket.timer {
        timer.expires = shift.compact(timer.expires);
    }
    if let Some(tcp) = &mut socket.tcp {
        for at in [&mut tcp.last_data_sent, &mut tcp.last_data_received, &mut tcp.last_ack_received] {
            *at = shift.compact_or_never(*at);
        }
    }
}

fn transition(step: &Transition, ids: &mut HostIds, shift: TimeShift) -> Transition {
    Transition { at: shift.moment(step.at), id: ids.socket(step.id), owner: ids.owner(&step.owner), ..step.clone() }
}
