//! Which accept queues are full, and how many connections that costs: the kernel counts them for the whole network
//! namespace, so a listener is only named for it while it is the only one that was full.

use std::time::Duration;

use crate::model::endpoint::Endpoint;
use crate::model::facts::Facts;
use crate::model::socket::{NetnsId, Socket};
use crate::model::time::Timestamp;
use crate::store::counters::Growth;
use crate::store::rows::Rows;

/// What the counters are told over, and how long a listener that was full may be the one at fault.
pub const PRESSURE_WINDOW: Duration = Duration::from_secs(10);
/// A queue that is used to so much of its limit, in percent, is full: it may well be so between two samples.
pub const FULL_PERCENT: u64 = 90;
/// So many full listeners are remembered at most; none of them is named for it anyway.
const SUSPECTS_LEN_MAX: usize = 64;

/// Full listeners, and the counters of what was dropped.
#[derive(Debug, Default)]
pub struct Pressure {
    growth: Option<Growth>,
    /// Where listeners were full in the last [`PRESSURE_WINDOW`], and when that was seen last.
    suspects: Vec<((Endpoint, NetnsId), Timestamp)>,
}

impl Pressure {
    /// How the counters of the kernel grew in the last [`PRESSURE_WINDOW`]; `None` where there are none.
    pub const fn growth(&self) -> Option<&Growth> {
        self.growth.as_ref()
    }

    /// How many addresses have a listener that was full.
    pub const fn suspects(&self) -> usize {
        self.suspects.len()
    }

    /// Connections per second that found an accept queue full.
    pub fn overflows(&self) -> f64 {
        self.growth.map_or(0.0, |growth| growth.per_second(growth.by.listen_overflows))
    }

    /// The listener that the overflows are tied to: the only one that was full while they rose.
    pub fn at_fault(&self) -> Option<(Endpoint, NetnsId)> {
        match self.suspects.as_slice() {
            [(listener, _)] if self.overflows() > 0.0 => Some(*listener),
            _ => None,
        }
    }

    /// The overflows per second of the listener at `local`; `None` unless they are tied to it.
    pub fn overflows_of(&self, local: Endpoint, netns: NetnsId) -> Option<f64> {
        (self.at_fault() == Some((local, netns))).then(|| self.overflows())
    }

    /// Takes in what a sample at `at` showed.
    pub(super) fn update(&mut self, at: Timestamp, growth: Option<Growth>, facts: &Facts, rows: &Rows) {
        self.growth = growth;
        self.suspects.retain(|(_, seen)| at.since(*seen) < PRESSURE_WINDOW);
        let sockets = rows.listening().iter().filter_map(|index| rows.get(index)).map(|row| &row.connection.socket);
        for socket in sockets.filter(|socket| is_full(socket) && facts.are_about(socket.id.netns())) {
            let listener = (socket.local, socket.id.netns());
            match self.suspects.iter().position(|(known, _)| *known == listener) {
                Some(known) => self.suspects[known].1 = at,
                None if self.suspects.len() < SUSPECTS_LEN_MAX => self.suspects.push((listener, at)),
                None => break,
            }
        }
    }
}

/// Whether the accept queue of a listener is used to [`FULL_PERCENT`] and more.
fn is_full(socket: &Socket) -> bool {
    let Some(queues) = socket.queues.filter(|_| socket.is_listener()) else { return false };
    let limit = queues.send.filter(|limit| *limit > 0);
    limit.is_some_and(|limit| u64::from(queues.receive) * 100 >= u64::from(limit) * FULL_PERCENT)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::delta::Delta;
    use crate::model::facts::Counters;
    use crate::model::testing::{SocketBuilder, connection, endpoint, listener, source_info};
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

    fn at(port: u16) -> (Endpoint, NetnsId) {
        (endpoint(&format!("0.0.0.0:{port}")), NetnsId(0))
    }

    fn tied(store: &Store) -> Option<(Endpoint, NetnsId)> {
        store.pressure().at_fault()
    }

    #[test]
    fn overflows_are_tied_to_the_one_listener_that_is_full() {
        let full = || listener(2, 81).queues(116, 128);
        let found = store(vec![listener(1, 80).queues(115, 128), full()], 12);
        assert_eq!(tied(&found), Some(at(81)), "115 of 128 are less than 90 %");
        let (local, netns) = at(81);
        assert_eq!(found.pressure().overflows_of(local, netns), Some(12.0));
        assert_eq!(found.pressure().overflows_of(at(80).0, netns), None);
        assert_eq!(tied(&store(vec![full()], 0)), None, "nothing overflows");
        let two = store(vec![listener(1, 80).queues(129, 128), full()], 12);
        assert_eq!((tied(&two), two.pressure().suspects()), (None, 2), "one of two: nobody knows which");
        assert_eq!(tied(&store(vec![full().netns(9)], 12)), None, "counted in another namespace");
        assert_eq!(tied(&store(vec![listener(1, 80).queues(0, 0)], 12)), None, "a limit of 0 is legal");
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
        assert_eq!(sample(4, vec![connection(listener(2, 81).queues(3, 128), 0)]), Some(at(81)));
        assert_eq!(sample(13, vec![]), None, "long enough ago");
    }

    #[test]
    fn many_full_listeners_take_little_room() {
        let many = (0..200).map(|nth| listener(nth, 1_000 + u16::try_from(nth).expect("small")).queues(9, 9)).collect();
        assert_eq!(store(many, 12).pressure().suspects(), SUSPECTS_LEN_MAX);
    }
}
