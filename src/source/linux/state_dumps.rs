//! When a partial sample dumps the states in which something happens. That is a walk over the kernel's whole table, so
//! it is done where it can find something that nothing else tells: each time where much happens, seldom where the
//! trace tells every change of state, hardly ever where no segment was sent or received.
//!
//! What the trace does not tell: connections that are half open (`NEW_SYN_RECV` is a request socket, whose state is set
//! without `inet_sk_set_state`), sockets that its records do not lead to (their device is not in it, and a `SYN_SENT`
//! has no port yet), and steps while perf writes nothing, of which nobody is told (see `tracker/traced_connections.rs`).

use std::hash::Hasher;
use std::time::Duration;

use rustc_hash::FxHasher;

use crate::model::facts::Counters;
use crate::model::snapshot::Scope;
use crate::model::socket::Socket;
use crate::model::time::Timestamp;

/// Without the trace, the wait for the next dump doubles up to this while segments move and dumps find nothing new.
const WAIT_MAX: Duration = Duration::from_secs(4);
/// It begins with this.
const WAIT_MIN: Duration = Duration::from_millis(900);
/// With the trace, a dump comes after this time if segments move: for steps of which no record was written.
const TOLD_WAIT_MIN: Duration = Duration::from_secs(15);
/// That wait doubles up to this while dumps find nothing new; full samples, which are dumps too, are no further apart then.
const TOLD_WAIT_MAX: Duration = Duration::from_secs(60);
/// With the trace, a socket that was not found is dumped for at most this often, if it is sought for the first time.
const UNFOUND_WAIT: Duration = Duration::from_secs(4);
/// While no segment moves, only what a process does by itself or a timer ends can be new.
const SILENT_WAIT: Duration = Duration::from_secs(60);

/// What is known before a partial sample of what has happened since the last one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Activity {
    /// Every change of state is told, and what was told is looked up.
    pub is_told: bool,
    /// Sockets have ended.
    pub has_ended: bool,
    /// What became of the search for sockets that changed their state.
    pub search: Search,
    /// The counters of the namespace, now.
    pub counters: Option<Counters>,
}

/// What became of the search for sockets whose changes of state were told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Search {
    /// Each was found, or is known to be of no interest.
    #[default]
    Complete,
    /// Some were not found.
    Lacking,
    /// Some were not found a second time.
    LackingAgain,
}

/// Remembers the last dump.
#[derive(Debug, Default)]
pub struct StateDumps {
    last: Option<LastDump>,
    /// How many dumps in a row have found nothing new although segments moved.
    idle_dumps: u32,
}

#[derive(Clone, Copy, Debug)]
struct LastDump {
    at: Timestamp,
    counters: Option<Counters>,
    /// A sum over the sockets and their states.
    found: u64,
}

impl LastDump {
    /// How the counters have grown since then; `None` where the kernel has none.
    fn growth(&self, now: Option<&Counters>) -> Option<Counters> {
        now.zip(self.counters.as_ref()).map(|(now, then)| now.since(then))
    }
}

impl StateDumps {
    /// Whether the sample that is begun at `now` is to dump the states.
    pub fn is_due(&self, now: Timestamp, activity: &Activity) -> bool {
        let Some(last) = self.last else { return true };
        // Where the kernel has no counters, nothing says that nothing happens.
        let Some(grown) = last.growth(activity.counters.as_ref()) else {
            return true;
        };
        let since = now.since(last.at);
        let is_told = activity.is_told;
        let wait = match (has_moved(&grown), is_told) {
            (false, _) => SILENT_WAIT,
            (true, true) => doubled(TOLD_WAIT_MIN, self.idle_dumps, TOLD_WAIT_MAX),
            (true, false) => {
                self.idle_dumps.checked_sub(1).map_or(Duration::ZERO, |times| doubled(WAIT_MIN, times, WAIT_MAX))
            }
        };
        let is_prompted = if is_told {
            let lacks = match activity.search {
                Search::Complete => false,
                Search::Lacking => since >= UNFOUND_WAIT,
                Search::LackingAgain => true,
            };
            lacks || may_be_half_open(&grown)
        } else {
            activity.has_ended || has_opened_or_failed(&grown)
        };
        is_prompted || since >= wait
    }

    /// The states were dumped, or everything: these are the sockets.
    pub fn note(&mut self, at: Timestamp, counters: Option<Counters>, sockets: &[Socket], scope: Scope) {
        let covered = sockets.iter().filter(|socket| scope.covers(socket.protocol, socket.state));
        let found = covered.map(sum_of).fold(0, u64::wrapping_add);
        // Segments moved, and yet nothing is new. What moves after a silence is looked at once.
        let was_idle = self.last.is_some_and(|last| {
            last.found == found && last.growth(counters.as_ref()).is_some_and(|grown| has_moved(&grown))
        });
        self.idle_dumps = if was_idle { self.idle_dumps.saturating_add(1) } else { 0 };
        self.last = Some(LastDump { at, counters, found });
    }
}

/// `wait`, doubled so many `times`, but not above `max`.
fn doubled(wait: Duration, times: u32, max: Duration) -> Duration {
    wait.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX)).min(max)
}

fn sum_of(socket: &Socket) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(socket.id.hash_code());
    hasher.write_u64(socket.state as u64);
    hasher.finish()
}

/// Whether any segment was sent or received.
const fn has_moved(grown: &Counters) -> bool {
    grown.segments_sent > 0 || grown.segments_received > 0 || grown.segments_retransmitted > 0 || grown.resets_sent > 0
}

/// Whether there may be connections that are half open: a handshake that is not completed within a second sends its
/// SYN-ACK again, and a queue that is full is counted.
const fn may_be_half_open(grown: &Counters) -> bool {
    grown.syn_retransmits > 0
        || grown.syncookies_sent > 0
        || grown.syn_queue_drops > 0
        || grown.syn_queue_cookies > 0
        || grown.listen_drops > 0
}

/// Whether a connection was opened, came in, failed or was reset.
const fn has_opened_or_failed(grown: &Counters) -> bool {
    grown.active_opens > 0
        || grown.passive_opens > 0
        || grown.attempt_fails > 0
        || grown.established_resets > 0
        || grown.resets_sent > 0
        || may_be_half_open(grown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tcp_state::TcpState;
    use crate::model::testing::tcp;

    const SCOPE: Scope = Scope::tcp(&[TcpState::CloseWait, TcpState::LastAck]);

    fn counters(segments: u64) -> Counters {
        Counters { segments_received: segments, ..Counters::ZERO }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// After which second of waiting a dump comes, one segment moving each second.
    fn next(dumps: &StateDumps, from: u64, activity: &Activity) -> u64 {
        let is_due = |after: &u64| {
            let moved = activity.counters.map(|told| Counters { segments_received: from + after, ..told });
            dumps.is_due(at(from + after), &Activity { counters: moved, ..*activity })
        };
        (1..100).find(is_due).expect("one comes")
    }

    #[test]
    fn without_the_trace_the_wait_doubles_while_dumps_find_nothing_new() {
        let mut dumps = StateDumps::default();
        let activity = Activity { counters: Some(counters(0)), ..Activity::default() };
        assert!(dumps.is_due(at(0), &activity), "nothing is known yet");
        let (mut now, mut waits) = (0, Vec::new());
        for _ in 0..5 {
            dumps.note(at(now), Some(counters(now)), &[tcp(1).state(TcpState::CloseWait).build()], SCOPE);
            let wait = next(&dumps, now, &activity);
            waits.push(wait);
            now += wait;
        }
        assert_eq!(waits, [1, 1, 2, 4, 4]);
        dumps.note(at(now), Some(counters(now)), &[tcp(1).state(TcpState::LastAck).build()], SCOPE);
        assert_eq!(next(&dumps, now, &activity), 1, "another state is new");
        dumps.note(at(now + 1), Some(counters(now)), &[tcp(1).state(TcpState::LastAck).build()], SCOPE);
        assert_eq!(next(&dumps, now + 1, &activity), 1, "nothing has moved before");
    }

    #[test]
    fn with_the_trace_the_wait_doubles_up_to_a_minute() {
        let (mut dumps, mut now, mut waits) = (StateDumps::default(), 0, Vec::new());
        let told = Activity { is_told: true, counters: Some(counters(0)), ..Activity::default() };
        let mut dump = |state| {
            dumps.note(at(now), Some(counters(now)), &[tcp(1).state(state).build()], SCOPE);
            let wait = next(&dumps, now, &told);
            now += wait;
            waits.push(wait);
        };
        (0..4).for_each(|_| dump(TcpState::CloseWait));
        (0..2).for_each(|_| dump(TcpState::LastAck));
        assert_eq!(waits, [15, 30, 60, 60, 15, 30]);
    }

    #[test]
    fn what_is_opened_or_ends_is_looked_for_at_once_where_it_is_not_told() {
        let mut dumps = StateDumps::default();
        dumps.note(at(1), Some(counters(0)), &[], SCOPE);
        let quiet = Activity { counters: Some(counters(0)), ..Activity::default() };
        assert!(!dumps.is_due(at(2), &quiet));
        assert!(dumps.is_due(at(2), &Activity { has_ended: true, ..quiet }));
        let opened = Counters { passive_opens: 1, segments_received: 3, ..Counters::ZERO };
        assert!(dumps.is_due(at(2), &Activity { counters: Some(opened), ..quiet }));
        let told = Activity { is_told: true, has_ended: true, counters: Some(opened), ..quiet };
        assert!(!dumps.is_due(at(2), &told), "where that is told it is looked up");
        assert!(dumps.is_due(at(2), &Activity { counters: None, ..told }), "nothing says that nothing happens");
    }

    #[test]
    fn while_no_segment_moves_a_minute_may_pass() {
        let mut dumps = StateDumps::default();
        dumps.note(at(0), Some(counters(7)), &[], SCOPE);
        for is_told in [false, true] {
            let silent = Activity { is_told, counters: Some(counters(7)), ..Activity::default() };
            assert!(!dumps.is_due(at(59), &silent) && dumps.is_due(at(60), &silent));
        }
    }

    #[test]
    fn with_the_trace_what_it_does_not_tell_is_dumped_for() {
        let mut dumps = StateDumps::default();
        dumps.note(at(0), Some(counters(0)), &[], SCOPE);
        let told = Activity { is_told: true, counters: Some(counters(0)), ..Activity::default() };
        assert_eq!(next(&dumps, 0, &told), TOLD_WAIT_MIN.as_secs(), "records may be missing");
        assert_eq!(next(&dumps, 0, &Activity { search: Search::Lacking, ..told }), UNFOUND_WAIT.as_secs());
        assert_eq!(next(&dumps, 0, &Activity { search: Search::LackingAgain, ..told }), 1);
        let half_open = Counters { syn_retransmits: 1, ..Counters::ZERO };
        assert_eq!(next(&dumps, 0, &Activity { counters: Some(half_open), ..told }), 1);
    }
}
