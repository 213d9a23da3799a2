//! Which accept queues are full, and how many connections that costs: the kernel counts them for the whole network
//! namespace, so a listener is only named for it while it is the only one that was full.

use std::time::Duration;

use crate::model::facts::Facts;
use crate::model::socket::SocketId;
use crate::model::time::Timestamp;
use crate::store::counters::Growth;
use crate::store::listeners::{AcceptQueue, ListenAddress};
use crate::store::rows::Rows;

/// What the counters are told over, and how long a listener that was full may be the one at fault.
pub const PRESSURE_WINDOW: Duration = Duration::from_secs(10);
/// A queue that is used to so much of its limit, in percent, is full: it may well be so between two samples.
pub const FULL_PERCENT: f64 = 90.0;
/// So many full listeners are remembered at most; none of them is named for it anyway.
const SUSPECTS_LEN_MAX: usize = 64;

/// Full listeners, and the counters of what was dropped.
#[derive(Debug, Default)]
pub struct Pressure {
    growth: Option<Growth>,
    /// The listeners that were full in the last [`PRESSURE_WINDOW`].
    suspects: Vec<FullListener>,
}

/// A listener that was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FullListener {
    /// The listening socket, which may be gone by now.
    pub id: SocketId,
    /// Where it listens.
    pub place: ListenAddress,
    /// When it was seen full last.
    pub seen: Timestamp,
}

impl Pressure {
    /// How the counters of the kernel grew in the last [`PRESSURE_WINDOW`]; `None` where there are none.
    pub const fn growth(&self) -> Option<&Growth> {
        self.growth.as_ref()
    }

    /// How many listeners were full.
    pub const fn suspects(&self) -> usize {
        self.suspects.len()
    }

    /// Connections per second that found an accept queue full.
    pub fn overflows(&self) -> f64 {
        self.growth.map_or(0.0, |growth| growth.per_second(growth.by.listen_overflows))
    }

    /// The listener that the overflows are tied to: the only one that was full while they rose.
    pub fn at_fault(&self) -> Option<FullListener> {
        match self.suspects.as_slice() {
            [suspect] if self.overflows() > 0.0 => Some(*suspect),
            _ => None,
        }
    }

    /// The overflows per second of the listening socket `id`; `None` unless they are tied to it.
    pub fn overflows_of(&self, id: SocketId) -> Option<f64> {
        self.at_fault().filter(|suspect| suspect.id == id).map(|_| self.overflows())
    }

    /// Takes in what a sample at `at` showed.
    pub(super) fn update(&mut self, at: Timestamp, growth: Option<&Growth>, facts: &Facts, rows: &Rows) {
        self.growth = growth.copied();
        self.suspects.retain(|suspect| at.since(suspect.seen) < PRESSURE_WINDOW);
        let sockets = rows.listening().iter().filter_map(|index| rows.get(index)).map(|row| &row.connection.socket);
        let is_full = |queue: AcceptQueue| queue.reaches(FULL_PERCENT);
        for socket in sockets.filter(|socket| facts.are_about(socket.id.netns())) {
            if !AcceptQueue::of(socket).is_some_and(is_full) {
                continue;
            }
            match self.suspects.iter().position(|known| known.id == socket.id) {
                Some(known) => self.suspects[known].seen = at,
                None if self.suspects.len() < SUSPECTS_LEN_MAX => {
                    self.suspects.push(FullListener { id: socket.id, place: ListenAddress::of(socket), seen: at });
                }
                None => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::delta::Delta;
    use crate::model::facts::Counters;
    use crate::model::socket::NetnsId;
    use crate::model::testing::{SocketBuilder, connection, listener, source_info};
    use crate::store::Store;

    /// A store after three seconds with these listeners, in which this many connections a second overflowed.
    fn store(listeners: Vec<SocketBuilder>, overflows: u64) -> Store {
        let mut store = Store::new(source_info());
        let added = listeners.into_iter().map(|socket| connection(socket, 0)).collect();
        let facts = |second: u64| {
            let counters = Counters { listen_overflows: 7_000 + second * overflows, ..Counters::default() };
            Arc::new(Facts { netns: Some(NetnsId(0)), counters: Some(counters), ..Facts::default() })
        };
        store.apply(Delta { added, facts: facts(0), ..Delta::default() });
        for second in 1..=3 {
            store.apply(Delta { facts: facts(second), at: Timestamp::from_millis(second * 1_000), ..Delta::default() });
        }
        store
    }

    fn id(cookie: u64) -> SocketId {
        SocketId::from_cookie(cookie, NetnsId(0))
    }

    fn tied(store: &Store) -> Option<SocketId> {
        store.pressure().at_fault().map(|suspect| suspect.id)
    }

    #[test]
    fn overflows_are_tied_to_the_one_listener_that_is_full() {
        let full = || listener(2, 81).queues(116, 128);
        let found = store(vec![listener(1, 80).queues(115, 128), full()], 12);
        assert_eq!(tied(&found), Some(id(2)), "115 of 128 are less than 90 %");
        assert_eq!(found.pressure().overflows_of(id(2)), Some(12.0));
        assert_eq!(found.pressure().overflows_of(id(1)), None);
        assert_eq!(tied(&store(vec![full()], 0)), None, "nothing overflows");
        let two = store(vec![listener(1, 80).queues(129, 128), full()], 12);
        assert_eq!((tied(&two), two.pressure().suspects()), (None, 2), "one of two: nobody knows which");
        assert_eq!(tied(&store(vec![full().netns(9)], 12)), None, "counted in another namespace");
        assert_eq!(tied(&store(vec![listener(1, 80).queues(0, 0)], 12)), None, "a limit of 0 is legal");
    }

    #[test]
    fn of_listeners_that_share_a_port_only_the_full_one_loses() {
        let worker = |cookie, waiting| listener(cookie, 80).queues(waiting, 8);
        let found = store(vec![worker(1, 0), worker(2, 9), worker(3, 0)], 12);
        assert_eq!(tied(&found), Some(id(2)));
        let lost = [1, 2, 3].map(|cookie| found.pressure().overflows_of(id(cookie)));
        assert_eq!(lost, [None, Some(12.0), None]);
        let two = store(vec![worker(1, 9), worker(2, 9), worker(3, 0)], 12);
        assert_eq!((tied(&two), two.pressure().suspects()), (None, 2), "two sockets, not one port");
    }

    #[test]
    fn a_queue_that_was_emptied_is_suspected_for_as_long_as_the_counters_are_told() {
        let mut found = store(vec![listener(2, 81).queues(128, 128)], 12);
        let facts = Arc::clone(&found.facts);
        let mut sample = |second: u64, changed| {
            let at = Timestamp::from_millis(second * 1_000);
            found.apply(Delta { changed, facts: Arc::clone(&facts), at, ..Delta::default() });
            tied(&found)
        };
        assert_eq!(sample(4, vec![connection(listener(2, 81).queues(3, 128), 0)]), Some(id(2)));
        assert_eq!(sample(13, vec![]), None, "long enough ago");
    }

    #[test]
    fn many_full_listeners_take_little_room() {
        let many = (0..200).map(|nth| listener(nth, 1_000 + u16::try_from(nth).expect("small")).queues(9, 9)).collect();
        assert_eq!(store(many, 12).pressure().suspects(), SUSPECTS_LEN_MAX);
    }
}
