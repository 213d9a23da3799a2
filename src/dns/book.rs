//! What is wanted, what is known for how long, and when the next question may be asked. Knows no clock and no thread.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::dns::resolver::DnsReply;
use crate::model::host_name::{HostName, Named, may_be_asked};
use crate::model::recent::Recent;

/// The most threads that ask at the same time.
pub const WORKERS_MAX: usize = 4;
/// The most addresses that are wanted at a time: more than the rows of any screen.
pub(super) const WANTED_MAX: usize = 256;
/// The most questions in any second.
pub(super) const QUESTIONS_PER_SECOND_MAX: usize = 20;
/// The most addresses of which something is remembered: a name of 253 bytes at most each.
const KNOWN_MAX: usize = 4_096;
/// How long a name is believed. getnameinfo(3) does not tell how long its owner wants it believed.
pub(super) const NAME_LIFETIME: Duration = Duration::from_secs(3_600);
/// How long it is believed that there is no name.
pub(super) const NO_NAME_LIFETIME: Duration = Duration::from_secs(5 * 60);
/// How long nobody is asked again after no answer.
pub(super) const FAILURE_LIFETIME: Duration = Duration::from_secs(60);
/// When a question counts as unanswered: what comes later is dropped.
pub(super) const DEADLINE: Duration = Duration::from_secs(5);

/// What a worker is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Ask about this address now.
    Ask(IpAddr),
    /// Look again after this time, or when something changes.
    Wait(Duration),
    /// Look again when something changes.
    Idle,
}

#[derive(Clone, Debug)]
struct DnsCacheEntry {
    name: Option<HostName>,
    until: Instant,
}

/// What is owed to others.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueryLimits {
    /// Whether private addresses are asked about, too.
    pub(super) with_private: bool,
    /// Whether questions are limited to so many a second.
    pub(super) is_slow: bool,
}

/// The state of all lookups.
#[derive(Debug)]
pub(super) struct LookupQueue {
    limits: QueryLimits,
    /// What is wanted, the most wanted first.
    wanted: Vec<IpAddr>,
    known: Recent<IpAddr, DnsCacheEntry>,
    /// Questions that are not answered yet, and when they were asked: one a worker.
    open: Vec<(IpAddr, Instant)>,
    /// When the last questions were asked, the oldest first.
    asked: VecDeque<Instant>,
}

impl LookupQueue {
    pub(super) fn new(limits: QueryLimits) -> Self {
        Self {
            limits,
            wanted: Vec::new(),
            known: Recent::new(KNOWN_MAX),
            open: Vec::with_capacity(WORKERS_MAX),
            asked: VecDeque::with_capacity(QUESTIONS_PER_SECOND_MAX),
        }
    }

    /// Wants the names of `addresses`, the first ones first, and of nothing else any more; answers which are known.
    ///
    /// What is not wanted any longer is not asked: nobody would see the answer. Of more than [`WANTED_MAX`] the last
    /// ones are left out, as are addresses that must not be asked about.
    pub(super) fn want(&mut self, addresses: &[IpAddr]) -> Vec<Named> {
        self.wanted.clear();
        for addr in addresses.iter().map(IpAddr::to_canonical) {
            if self.wanted.len() < WANTED_MAX
                && may_be_asked(addr, self.limits.with_private)
                && !self.wanted.contains(&addr)
            {
                self.wanted.push(addr);
                self.known.touch(&addr);
            }
        }
        self.names()
    }

    /// The wanted addresses whose names are known.
    pub(super) fn names(&self) -> Vec<Named> {
        let name = |addr: &IpAddr| Some((*addr, Some(self.known.get(addr)?.name.clone()?)));
        self.wanted.iter().filter_map(name).collect()
    }

    /// How many of the wanted addresses are still to be asked about, or asked about and not answered.
    pub(super) fn unanswered(&self, now: Instant) -> usize {
        self.wanted.iter().filter(|addr| !self.is_answered(addr, now)).count()
    }

    fn is_answered(&self, addr: &IpAddr, now: Instant) -> bool {
        self.known.get(addr).is_some_and(|entry| entry.until > now)
    }

    fn is_open(&self, addr: &IpAddr) -> bool {
        self.open.iter().any(|(open, _)| open == addr)
    }

    /// What to do now; a question that it hands out counts as asked.
    pub(super) fn next(&mut self, now: Instant) -> NextStep {
        let due = self.wanted.iter().find(|addr| !self.is_answered(addr, now) && !self.is_open(addr)).copied();
        let Some(addr) = due else {
            // What is known grows old.
            let ends = self.wanted.iter().filter_map(|addr| self.known.get(addr)).map(|entry| entry.until);
            let soonest = ends.filter(|end| *end > now).min();
            return soonest.map_or(NextStep::Idle, |end| NextStep::Wait(end.saturating_duration_since(now)));
        };
        if self.limits.is_slow
            && self.asked.len() >= QUESTIONS_PER_SECOND_MAX
            && let Some(first) = self.asked.front()
        {
            let free = *first + Duration::from_secs(1);
            if free > now {
                return NextStep::Wait(free.saturating_duration_since(now));
            }
            self.asked.pop_front();
        }
        if self.limits.is_slow {
            self.asked.push_back(now);
        }
        self.open.push((addr, now));
        NextStep::Ask(addr)
    }

    /// Takes in the answer to the question about `addr`; what is new of its name, if anything is.
    pub(super) fn answered(&mut self, addr: IpAddr, reply: DnsReply, now: Instant) -> Option<Named> {
        let at = self.open.iter().position(|(open, _)| *open == addr)?;
        let (_, asked) = self.open.swap_remove(at);
        let before = self.known.get(&addr).and_then(|entry| entry.name.clone());
        let reply = if now.saturating_duration_since(asked) > DEADLINE { DnsReply::Failed } else { reply };
        let (name, life) = match reply {
            DnsReply::Name(bytes) => match HostName::new(&bytes) {
                Some(name) => (Some(name), NAME_LIFETIME),
                None => (None, NO_NAME_LIFETIME),
            },
            DnsReply::NoName => (None, NO_NAME_LIFETIME),
            // What was known is the best there is.
            DnsReply::Failed => (before.clone(), FAILURE_LIFETIME),
        };
        self.known.insert(addr, DnsCacheEntry { name: name.clone(), until: now + life });
        (name != before).then_some((addr, name))
    }
}

#[cfg(test)]
mod tests;
