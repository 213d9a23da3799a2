//! What several hosts tell, as one: a pure function of what came. The rows of a host are nobody else's, so that what one has to
//! say takes nothing from another.

use std::sync::Arc;
use std::time::Duration;

use crate::model::coverage::Coverage;
use crate::model::delta::{AsOf, Delta, HostDelta, Traffic};
use crate::model::descriptors::Descriptors;
use crate::model::event::{EventSourceStatus, EventStatus};
use crate::model::hosts::{HostNumber, HostNumbers, HostStatus, NamedHost, NamedHosts};
use crate::model::process::{Names, ProcessId, Usage};
use crate::model::socket::SocketId;
use crate::model::tcp_info::TcpDetail;
use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};

/// A sample of one host, in the numbers and the time of all.
#[derive(Debug)]
pub struct HostSample {
    /// What changed there.
    pub delta: Delta,
    /// What the host itself calls its namespaces and users.
    pub numbers: Arc<HostNumbers>,
}

/// What was told last by each host: it holds until the host says otherwise.
#[derive(Debug, Default)]
pub struct Merger {
    hosts: Vec<ToldByHost>,
    at: Timestamp,
    names: Arc<Names>,
    descriptors: Arc<Vec<(ProcessId, Descriptors)>>,
}

#[derive(Debug, Default)]
struct ToldByHost {
    name: DisplayText,
    numbers: Arc<HostNumbers>,
    coverage: Arc<Coverage>,
    names: Arc<Names>,
    event_status: Option<EventStatus>,
    usage: Vec<(ProcessId, Usage)>,
    descriptors: Arc<Vec<(ProcessId, Descriptors)>>,
    details: Vec<(SocketId, TcpDetail)>,
    unlisted: Vec<SocketId>,
    traffic: Option<Traffic>,
    as_of: AsOf,
}

/// Which of the tables that all hosts share are to be made anew.
#[derive(Clone, Copy, Debug, Default)]
struct StaleTables {
    names: bool,
    descriptors: bool,
}

impl Merger {
    /// Of `hosts`, none of which has told anything yet.
    pub fn new(hosts: usize) -> Self {
        Self { hosts: (0..hosts).map(|_| ToldByHost::default()).collect(), ..Self::default() }
    }

    /// What `samples` tell together, at most one of each host. It is of `now` or of the latest of them, and of `wall_of` that moment.
    pub fn merge(
        &mut self,
        samples: Vec<(HostNumber, HostSample)>,
        statuses: &[HostStatus],
        now: Option<Timestamp>,
        wall_of: impl Fn(Timestamp) -> WallTime,
    ) -> Delta {
        let mut stale = self.take_names(statuses);
        let latest = samples.iter().map(|(_, sample)| sample.delta.at).chain(now).max().unwrap_or(self.at);
        // Samples of one source ascend.
        self.at = latest.max(self.at.after(Duration::from_millis(1)));
        let mut merged = Delta { at: self.at, wall: wall_of(self.at), ..Delta::default() };
        for (host, sample) in samples {
            stale = self.take(host, sample, &mut merged, stale);
        }
        if stale.names {
            self.names = Arc::new(self.all_names());
        }
        if stale.descriptors {
            self.descriptors = Arc::new(self.all_descriptors());
        }
        for part in &mut merged.by_host {
            part.delta.names = Arc::clone(&self.names);
        }
        self.tell_what_holds(&mut merged);
        merged.host_statuses = Arc::new(statuses.to_vec());
        merged
    }

    fn take_names(&mut self, statuses: &[HostStatus]) -> StaleTables {
        let mut stale = StaleTables::default();
        for (told, status) in self.hosts.iter_mut().zip(statuses) {
            if told.name != status.name {
                told.name = status.name.clone();
                stale.names = true;
            }
        }
        stale
    }

    fn take(
        &mut self,
        host: HostNumber,
        sample: HostSample,
        merged: &mut Delta,
        mut stale: StaleTables,
    ) -> StaleTables {
        let Some(told) = self.hosts.get_mut(host.place()) else { return stale };
        let HostSample { delta, numbers } = sample;
        stale.names |= !Arc::ptr_eq(&told.names, &delta.names) || !Arc::ptr_eq(&told.numbers, &numbers);
        stale.descriptors |= !Arc::ptr_eq(&told.descriptors, &delta.descriptors);
        told.numbers = numbers;
        told.names = Arc::clone(&delta.names);
        told.coverage = Arc::clone(&delta.coverage);
        told.event_status = Some(delta.event_status.clone());
        told.descriptors = Arc::clone(&delta.descriptors);
        told.usage.clone_from(&delta.usage);
        told.details.clone_from(&delta.details);
        told.unlisted.clone_from(&delta.unlisted);
        (told.traffic, told.as_of) = (delta.traffic, delta.as_of);
        merged.took = merged.took.max(delta.took);
        merged.added.extend_from_slice(&delta.added);
        merged.changed.extend_from_slice(&delta.changed);
        merged.removed.extend_from_slice(&delta.removed);
        merged.transitions.extend_from_slice(&delta.transitions);
        merged.gaps.extend_from_slice(&delta.gaps);
        merged.by_host.push(HostDelta { host, delta });
        stale
    }

    /// What holds of each host since its last sample.
    fn tell_what_holds(&self, merged: &mut Delta) {
        merged.names = Arc::clone(&self.names);
        merged.descriptors = Arc::clone(&self.descriptors);
        merged.coverage = Arc::new(self.all_coverage());
        merged.event_status = self.all_event_status();
        for told in &self.hosts {
            merged.unlisted.extend_from_slice(&told.unlisted);
            merged.usage.extend_from_slice(&told.usage);
            merged.details.extend_from_slice(&told.details);
            merged.as_of = earlier(merged.as_of, told.as_of);
            if let Some(Traffic { received, sent }) = told.traffic {
                let sum = merged.traffic.get_or_insert_default();
                sum.received = sum.received.saturating_add(received);
                sum.sent = sum.sent.saturating_add(sent);
            }
        }
    }

    fn all_names(&self) -> Names {
        let mut all = Names::default();
        for told in &self.hosts {
            let names = &*told.names;
            all.users.extend(names.users.clone());
            all.interfaces.extend(names.interfaces.clone());
            all.namespaces.extend(names.namespaces.clone());
            all.reachable.extend(names.reachable.clone());
            all.units.extend(names.units.clone());
        }
        let named = |told: &ToldByHost| NamedHost {
            name: told.name.clone(),
            own: told.names.own,
            numbers: Arc::clone(&told.numbers),
        };
        all.hosts = NamedHosts(self.hosts.iter().map(named).collect());
        all
    }

    fn all_descriptors(&self) -> Vec<(ProcessId, Descriptors)> {
        let mut all: Vec<_> = self.hosts.iter().flat_map(|told| told.descriptors.iter().copied()).collect();
        all.sort_unstable_by_key(|(process, _)| *process);
        all
    }

    fn all_coverage(&self) -> Coverage {
        let mut all = Coverage::default();
        for told in &self.hosts {
            let of = &*told.coverage;
            all.sockets = all.sockets.saturating_add(of.sockets);
            all.owners_hidden = all.owners_hidden.saturating_add(of.owners_hidden);
            all.processes_unreadable = all.processes_unreadable.saturating_add(of.processes_unreadable);
            all.records_skipped = all.records_skipped.saturating_add(of.records_skipped);
            all.other_namespaces = all.other_namespaces.saturating_add(of.other_namespaces);
            let by_host = |sentence: &DisplayText| DisplayText::new(&format!("{}: {sentence}", told.name));
            all.degraded.extend(of.degraded.iter().map(by_host));
        }
        all
    }

    /// What is reported of every host; a refusal of one is said with its name.
    fn all_event_status(&self) -> EventStatus {
        let all = |of: fn(&EventStatus) -> &EventSourceStatus| {
            let mut known =
                self.hosts.iter().filter_map(|told| Some((told, of(told.event_status.as_ref()?)))).peekable();
            if known.peek().is_none() {
                return EventSourceStatus::Off;
            }
            let worst = known.find(|(_, status)| **status != EventSourceStatus::On);
            match worst {
                None => EventSourceStatus::On,
                Some((told, EventSourceStatus::Refused(why))) => {
                    EventSourceStatus::Refused(DisplayText::new(&format!("{}: {why}", told.name)))
                }
                Some(_) => EventSourceStatus::Off,
            }
        };
        EventStatus { ends: all(|status| &status.ends), trace: all(|status| &status.trace) }
    }
}

/// Of the earlier of two moments.
fn earlier(a: AsOf, b: AsOf) -> AsOf {
    let of = |a: Option<Timestamp>, b: Option<Timestamp>| a.into_iter().chain(b).min();
    AsOf { rest: of(a.rest, b.rest), udp: of(a.udp, b.udp), others: of(a.others, b.others) }
}

#[cfg(test)]
mod tests;
