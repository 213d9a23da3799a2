//! How fast connections to each destination are opened and end: what uses up ephemeral ports, and how soon.
//!
//! A port that the kernel chose is taken per source address, destination address and destination port: different
//! destinations do not compete. Counted transition by transition, in slots of five seconds; connections that lived and
//! died between two samples count where an event told of them.

use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::delta::Transition;
use crate::model::endpoint::Protocol;
use crate::model::facts::Facts;
use crate::model::memory::{TableSize, close_gaps};
use crate::model::socket::{NetnsId, Socket};
use crate::model::time::Timestamp;
use crate::store::port_pool::{PortPool, is_ephemeral};
use crate::store::rows::Rows;

/// How many routes are counted at once; those of more are told of as unknown.
pub const ROUTES_LEN_MAX: usize = 4_096;
/// The length of a slot, and how many are looked at: the last minute, and what has begun since.
const SLOT: Duration = Duration::from_secs(5);
const SLOTS: usize = 13;
/// Less time than this says nothing about a rate.
const OVER_MIN: Duration = Duration::from_secs(3);
/// Less time than this says nothing about where it leads.
const TREND_MIN: Duration = Duration::from_secs(10);

/// What the last minute of a route was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Churn {
    /// The time that was watched, at most some 65 seconds.
    pub over: Duration,
    /// Connections opened.
    pub opened: u32,
    /// Connections of which no trace is left, so that their ports are free.
    pub gone: u32,
}

impl Churn {
    /// Connections opened per second.
    pub fn per_second(&self) -> f64 {
        if self.over.is_zero() { 0.0 } else { f64::from(self.opened) / self.over.as_secs_f64() }
    }

    /// How soon `left` more ports are used up if it goes on like that; `None` where nothing points to it.
    ///
    /// A steady stream of connections grows and shrinks by chance: only a growth of three times that chance
    /// (the square root of all that opened and ended) is taken for one.
    pub fn runs_out(&self, left: u32) -> Option<Duration> {
        let (growth, moves) = (self.opened.checked_sub(self.gone)?, u64::from(self.opened) + u64::from(self.gone));
        let is_chance = u64::from(growth).pow(2) <= 9 * moves;
        if self.over < TREND_MIN || is_chance {
            return None;
        }
        Duration::try_from_secs_f64(f64::from(left) * self.over.as_secs_f64() / f64::from(growth)).ok()
    }
}

/// What was opened and what ended, route by route.
#[derive(Clone, Debug, Default)]
pub struct PortChurn {
    found: FxHashMap<PortPool, Slots>,
    /// When the first sample was taken; `None` before it.
    begun: Option<Timestamp>,
    at: Timestamp,
    /// A route was left out for want of room, so that one that is not found may not be idle.
    is_full: bool,
}

/// Counts of the last slots; slot `n` since boot has the place `n % SLOTS`.
#[derive(Clone, Copy, Debug, Default)]
struct Slots {
    newest: u64,
    opened: [u32; SLOTS],
    gone: [u32; SLOTS],
}

impl PortChurn {
    /// What the last minute of `route` was like; `None` while too little time was watched, or where there was no room
    /// to count it.
    pub fn churn(&self, route: PortPool) -> Option<Churn> {
        let slot = slot_of(self.at);
        let first = Timestamp(slot.saturating_sub(SLOTS as u64 - 1) * slot_len());
        let over = self.at.since(first.max(self.begun?));
        let (opened, gone) = match self.found.get(&route) {
            Some(slots) => slots.sums(slot),
            None if self.is_full => return None,
            None => (0, 0),
        };
        (over >= OVER_MIN).then_some(Churn { over, opened, gone })
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> TableSize {
        TableSize::by("routes", &self.found)
    }

    /// Counts what a sample at `at` told. Connections that came to a listener of `rows` take none of the ports.
    pub(super) fn push(&mut self, at: Timestamp, transitions: &[Transition], facts: &Facts, rows: &Rows) {
        if self.begun.is_none() {
            self.begun = Some(at);
        }
        let slot = slot_of(at);
        if slot != slot_of(self.at) {
            self.found.retain(|_, slots| slots.newest + SLOTS as u64 > slot);
            self.is_full = false;
        }
        self.at = at;
        let mut listening: Option<FxHashSet<(u16, NetnsId)>> = None;
        for transition in transitions.iter().filter(|it| it.is_opening() || it.to.is_none()) {
            if transition.protocol != Protocol::Tcp || transition.remote.is_unset() {
                continue;
            }
            let (netns, port) = (transition.id.netns(), transition.local.port);
            if !is_ephemeral(port, netns, facts) {
                continue;
            }
            if listening.get_or_insert_with(|| listening_ports(rows)).contains(&(port, netns)) {
                continue;
            }
            self.count(PortPool::of(&transition.socket()), slot, transition);
        }
    }

    fn count(&mut self, route: PortPool, slot: u64, transition: &Transition) {
        if self.found.len() >= ROUTES_LEN_MAX && !self.found.contains_key(&route) {
            self.is_full = true;
            return;
        }
        close_gaps(&mut self.found);
        let slots = self.found.entry(route).or_default();
        slots.move_to(slot);
        let place = place_of(slot);
        slots.opened[place] += u32::from(transition.is_opening());
        slots.gone[place] += u32::from(transition.to.is_none());
    }
}

fn listening_ports(rows: &Rows) -> FxHashSet<(u16, NetnsId)> {
    let sockets = rows.listening().iter().filter_map(|index| rows.get(index)).map(|row| &row.connection.socket);
    let listeners = sockets.filter(|socket| Socket::is_listener(socket));
    listeners.map(|socket| (socket.local.port, socket.id.netns())).collect()
}

fn slot_len() -> u64 {
    u64::try_from(SLOT.as_nanos()).unwrap_or(u64::MAX)
}

fn slot_of(at: Timestamp) -> u64 {
    at.0 / slot_len()
}

fn place_of(slot: u64) -> usize {
    usize::try_from(slot % SLOTS as u64).unwrap_or(0)
}

impl Slots {
    /// Makes `slot` the newest; those that were skipped are empty.
    fn move_to(&mut self, slot: u64) {
        for skipped in (self.newest + 1..=slot).rev().take(SLOTS) {
            self.opened[place_of(skipped)] = 0;
            self.gone[place_of(skipped)] = 0;
        }
        self.newest = self.newest.max(slot);
    }

    fn sums(mut self, slot: u64) -> (u32, u32) {
        self.move_to(slot);
        (self.opened.iter().sum(), self.gone.iter().sum())
    }
}

#[cfg(test)]
mod tests;
