//! The path of each connection: the states it went through, how long it stayed in each, and how that is known.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::delta::{AgeBasis, EventSource, FinalCounters, Transition};
use crate::model::memory::TableSize;
use crate::model::slot_index::SlotIndex;
use crate::model::socket::SocketId;
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;

/// How many connections have a path. Past that, those that ended longest ago lose theirs, then the oldest.
pub const PATHS_MAX: usize = 20_000;
/// How many states of one connection are kept: the last ones. One that opens and closes takes at most eight.
pub const STAYS_MAX: usize = 16;

/// The states that one connection went through, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConnectionPath {
    stays: Vec<Stay>,
    omitted: u32,
    end: Option<PathEnd>,
}

/// A stay in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The state.
    pub state: TcpState,
    /// When it was entered; exact if `source` is the tracepoint.
    pub entered: Timestamp,
    /// Who told of the entering.
    pub source: EventSource,
    /// How long it lasted and how that is known; `None` while it lasts, or where nothing says.
    pub lasted: Option<(Duration, AgeBasis)>,
    /// States between the one before and this one were missed.
    pub skipped: bool,
}

/// The end of a connection: no trace of it is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathEnd {
    /// When.
    pub at: Timestamp,
    /// Who told.
    pub source: EventSource,
    /// States between the last one and the end were missed.
    pub skipped: bool,
    /// What it had come to, if the kernel told.
    pub last: Option<FinalCounters>,
}

impl ConnectionPath {
    /// The stays, oldest first.
    pub fn stays(&self) -> &[Stay] {
        &self.stays
    }

    /// How many stays before those were dropped.
    pub const fn omitted(&self) -> u32 {
        self.omitted
    }

    /// Its end; `None` while the connection is there.
    pub const fn end(&self) -> Option<PathEnd> {
        self.end
    }

    fn take(&mut self, transition: &Transition) {
        let Transition { at, source, skipped, lasted, .. } = *transition;
        if let Some(state) = transition.from {
            match self.stays.last_mut() {
                Some(stay) if stay.state == state => stay.lasted = lasted,
                last => {
                    let skipped = last.is_some();
                    let entered = at.before(lasted.map_or(Duration::ZERO, |(time, _)| time));
                    self.push(Stay { state, entered, source: EventSource::Samples, lasted, skipped });
                }
            }
        } else if transition.is_opening() {
            // Without a cookie another connection can come under the same identity.
            *self = Self::default();
        }
        match transition.to {
            Some(state) => self.push(Stay { state, entered: at, source, lasted: None, skipped }),
            None => self.end = Some(PathEnd { at, source, skipped, last: transition.final_counters }),
        }
    }

    fn push(&mut self, stay: Stay) {
        if self.stays.len() >= STAYS_MAX {
            self.stays.remove(0);
            self.omitted = self.omitted.saturating_add(1);
        }
        self.stays.push(stay);
    }
}

/// The paths of the connections that have, or lately had, a row.
#[derive(Debug, Default)]
pub(super) struct ConnectionPaths {
    slots: Vec<(SocketId, ConnectionPath)>,
    /// Slots that wait to be reused.
    free: Vec<u32>,
    places: SlotIndex,
    /// In the order of their first transition; ones that are gone may still stand here.
    order: VecDeque<SocketId>,
    /// In the order of their ends.
    ended: VecDeque<SocketId>,
}

impl ConnectionPaths {
    pub(super) fn get(&self, id: SocketId) -> Option<&ConnectionPath> {
        self.slots.get(self.slot(id)? as usize).map(|(_, path)| path)
    }

    fn slot(&self, id: SocketId) -> Option<u32> {
        self.places.find(id, |slot| self.slots.get(slot as usize).is_some_and(|(other, _)| *other == id))
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 4] {
        [
            TableSize::by("paths", &self.slots),
            TableSize::by("places of paths", &self.places),
            TableSize::by("order of paths", &self.order),
            TableSize::by("ended paths", &self.ended),
        ]
    }

    /// Takes in those of `transitions` that are of connections with a row. Of one that opened and ended between two
    /// samples the log has all there is.
    pub(super) fn extend(&mut self, transitions: &[Transition], has_row: impl Fn(SocketId) -> bool) {
        for transition in transitions {
            let id = transition.id;
            let slot = match self.slot(id) {
                Some(slot) => slot,
                None if has_row(id) => self.insert(id),
                None => continue,
            };
            let Some((_, path)) = self.slots.get_mut(slot as usize) else { continue };
            path.take(transition);
            if path.end.is_some() {
                self.ended.push_back(id);
            }
        }
    }

    /// Gives `id` an empty path.
    fn insert(&mut self, id: SocketId) -> u32 {
        self.make_room();
        self.order.push_back(id);
        let end = || u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        let slot = self.free.pop().unwrap_or_else(end);
        match self.slots.get_mut(slot as usize) {
            Some(free) => free.0 = id,
            None => self.slots.push((id, ConnectionPath::default())),
        }
        self.places.insert(id, slot);
        slot
    }

    fn make_room(&mut self) {
        while self.places.len() >= PATHS_MAX {
            let Some(id) = self.ended.pop_front().or_else(|| self.order.pop_front()) else { return };
            let Some(slot) = self.slot(id) else { continue };
            self.places.remove(id, slot);
            self.slots[slot as usize].1 = ConnectionPath::default();
            self.free.push(slot);
        }
        if self.order.len() >= 2 * PATHS_MAX {
            let Self { slots, places, order, .. } = self;
            let is_its = |slot: u32, id| slots.get(slot as usize).is_some_and(|(other, _)| *other == id);
            order.retain(|id| places.find(*id, |slot| is_its(slot, *id)).is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::tcp_state::TcpState::{CloseWait, Established, LastAck};
    use crate::model::testing::{tcp, transition};

    fn step(cookie: u64, at_ms: u64, from: Option<TcpState>, to: Option<TcpState>) -> Transition {
        Transition {
            lasted: from.map(|_| (Duration::from_millis(10), AgeBasis::Kernel)),
            source: EventSource::Tracepoint,
            ..transition(tcp(cookie), at_ms, from, to)
        }
    }

    fn id(cookie: u64) -> SocketId {
        tcp(cookie).build().id
    }

    #[test]
    fn a_path_is_the_stays_of_a_connection_in_order() {
        let mut paths = ConnectionPaths::default();
        let steps = [
            step(1, 100, Some(Established), Some(CloseWait)),
            step(1, 110, Some(CloseWait), Some(LastAck)),
            step(1, 120, Some(LastAck), None),
        ];
        paths.extend(&steps, |_| true);
        let path = paths.get(id(1)).expect("it has one");
        let stays: Vec<_> = path.stays().iter().map(|stay| (stay.state, stay.entered.as_millis())).collect();
        assert_eq!(stays, [(Established, 90), (CloseWait, 100), (LastAck, 110)]);
        assert!(path.stays().iter().all(|stay| stay.lasted == Some((Duration::from_millis(10), AgeBasis::Kernel))));
        assert_eq!(path.end().map(|end| end.at.as_millis()), Some(120));
    }

    #[test]
    fn another_connection_under_the_same_identity_begins_anew() {
        let mut paths = ConnectionPaths::default();
        paths.extend(&[step(1, 1, None, Some(Established)), step(1, 2, Some(Established), None)], |_| true);
        paths.extend(&[step(1, 3, None, Some(Established))], |_| true);
        let path = paths.get(id(1)).expect("it has one");
        assert_eq!((path.stays().len(), path.end()), (1, None));
    }

    #[test]
    fn a_long_path_keeps_its_last_stays_and_says_so() {
        let mut paths = ConnectionPaths::default();
        for at in 0..50 {
            paths.extend(&[step(1, at, Some(Established), Some(CloseWait))], |_| true);
        }
        let path = paths.get(id(1)).expect("it has one");
        assert_eq!((path.stays().len(), path.omitted()), (STAYS_MAX, 100 - 16));
    }

    #[test]
    fn those_that_ended_longest_ago_make_room() {
        let mut paths = ConnectionPaths::default();
        paths.extend(&[step(0, 1, None, Some(Established)), step(1, 1, None, Some(Established))], |_| true);
        paths.extend(&[step(1, 2, Some(Established), None)], |_| true);
        paths.extend(&[step(2, 2, None, Some(Established))], |_| false);
        assert_eq!(paths.get(id(2)), None, "nobody can look at it");
        for cookie in 3..=PATHS_MAX as u64 + 1 {
            paths.extend(&[step(cookie, 3, None, Some(Established))], |_| true);
        }
        assert!(paths.get(id(1)).is_none() && paths.get(id(0)).is_some());
        paths.extend(&[step(90_000, 4, None, Some(Established))], |_| true);
        assert!(paths.get(id(0)).is_none() && paths.places.len() == PATHS_MAX);
    }
}
