//! Partial samples: which sockets they cover, and which others are worth a look-up because the kernel told of their end
//! or of a change of their state.

use std::time::Duration;

use rustc_hash::FxHashSet;

use crate::model::coverage::Coverage;
use crate::model::delta::EventSource;
use crate::model::endpoint::{EndpointPair, Protocol};
use crate::model::event::{EventSourceStatus, Events, TracedStateChange};
use crate::model::facts::Counters;
use crate::model::snapshot::{Scope, Snapshot};
use crate::model::socket::{Socket, SocketId, SocketRef};
use crate::model::tcp_state::TcpState::{
    Close, CloseWait, Closing, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent, TimeWait,
};
use crate::model::time::Timestamp;
use crate::source::linux::latest_changes::{LatestChanges, leaves_a_socket};
use crate::source::linux::state_dumps::{Activity, Search, StateDumps};

/// The states in which something happens or is wrong; the silent mass is in `ESTABLISHED` and `TIME_WAIT`.
const TELLING: Scope = Scope::tcp(&[Listen, SynSent, SynRecv, FinWait1, FinWait2, CloseWait, Closing, LastAck, Close]);
/// Up to so many sockets, `TIME_WAIT` is covered too: 2 ms.
const TIME_WAIT_MAX: usize = 2_000;
/// UDP is covered each time that so long has passed for each of its sockets: a dump takes some microsecond a socket.
const UDP_WAIT: Duration = Duration::from_millis(1);
/// The most look-ups of one kind in one sample: some 25 ms.
const LOOK_UPS_MIN: usize = 4_096;
/// In a large table there may be one for each so many sockets: beyond, a full dump is cheaper.
const LOOK_UPS_DIVISOR: usize = 8;

/// Both ends of the socket that a change was told of.
pub const fn endpoints(change: &TracedStateChange) -> EndpointPair {
    (change.local, change.remote)
}

/// What is remembered from sample to sample.
#[derive(Debug, Default)]
pub struct PartialSamples {
    last_full: Option<LastFull>,
    engaged: bool,
    /// Events were lost before this sample, and before the one before it.
    flooded: (bool, bool),
    ended: Vec<SocketRef>,
    /// Sockets have ended since the last sample, looked up or not.
    has_ended: bool,
    /// The last changes of the sockets that changed their state since the last sample; `None` where not all are told.
    changes: Option<Vec<TracedStateChange>>,
    /// Of those of the sample before, the ones whose socket was not found.
    unfound: Vec<TracedStateChange>,
    /// When it was last found that changes are missing: until everything is listed after that, not all are told.
    missing_at: Timestamp,
    dumps: StateDumps,
    /// When UDP was last listed, and how many sockets it had.
    udp: (Timestamp, usize),
}

/// What the last full sample has shown.
#[derive(Debug)]
struct LastFull {
    at: Timestamp,
    /// What it could not see.
    coverage: Coverage,
    waiting: usize,
}

/// The sockets to look for because a change of their state was told.
#[derive(Debug, Default)]
pub struct ChangedSockets {
    /// By their endpoints.
    pub sought: Vec<TracedStateChange>,
    /// The endpoints of those that are over and whose end was not reported: a process may hold what is left.
    pub over: Vec<EndpointPair>,
    /// Those that have no port yet, so that nothing leads to them.
    unnamed: Vec<TracedStateChange>,
}

impl PartialSamples {
    /// Partial samples will be asked for.
    pub const fn engage(&mut self) {
        self.engaged = true;
    }

    /// Whether partial samples were ever asked for.
    pub const fn is_engaged(&self) -> bool {
        self.engaged
    }

    /// Takes in what the kernel told until `at`, when a sample was begun: ends, and the changes of state since the moment from
    /// which on the trace tells them.
    pub fn note_events(&mut self, at: Timestamp, events: &Events, changes: Option<(Timestamp, LatestChanges)>) {
        let max = self.look_ups_max();
        let connections = events.ended.iter().map(|ended| ended.socket);
        let connections = connections.filter(|socket| socket.protocol == Protocol::Tcp && !socket.remote.is_unset());
        self.ended.clear();
        self.ended.extend(connections.take(max + 1));
        self.has_ended = !self.ended.is_empty();
        let lost = events.lost.iter().any(|loss| loss.of == EventSource::DestroyEvent);
        let flood = lost || self.ended.len() > max;
        self.ended.truncate(max);
        self.flooded = (flood, self.flooded.0);
        let Some((since, changes)) = changes else { return self.forget_changes() };
        if flood || changes.is_incomplete() || changes.count() > max {
            self.missing_at = at;
        }
        let full_at = self.last_full.as_ref().map(|full| full.at);
        let is_told = full_at.is_some_and(|full_at| full_at >= since.max(self.missing_at));
        if !is_told || events.event_status.ends != EventSourceStatus::On {
            return self.forget_changes();
        }
        self.unfound.retain(|change| !changes.has(change.key));
        self.changes = Some(changes.iter().copied().collect());
    }

    /// A sample that was begun `at` this moment did not come to its end: what was told before was not looked up.
    pub fn note_failure(&mut self, at: Timestamp) {
        self.missing_at = at;
        self.forget_changes();
    }

    fn forget_changes(&mut self) {
        self.changes = None;
        self.unfound.clear();
    }

    fn look_ups_max(&self) -> usize {
        let sockets = self.last_full.as_ref().map_or(0, |full| full.coverage.sockets as usize);
        LOOK_UPS_MIN.max(sockets / LOOK_UPS_DIVISOR)
    }

    /// Whether ends were lost that only a full sample can make up for, now. Where they are lost again and again, the
    /// full samples that come anyway must do.
    pub const fn needs_full(&self) -> bool {
        self.flooded.0 && !self.flooded.1
    }

    /// What is worth saying about lost events.
    pub const fn flood(&self) -> Option<&'static str> {
        match self.flooded {
            (true, false) => Some("sockets ended faster than the kernel could tell; everything was read anew"),
            (true, true) => Some("sockets end faster than the kernel can tell; some ends show late"),
            (false, _) => None,
        }
    }

    /// Sockets that ended since the last sample, or became mini-sockets.
    pub fn ended(&self) -> &[SocketRef] {
        &self.ended
    }

    /// The sockets whose changes of state were told since the last sample, and those that were not found then; nothing
    /// where not all changes are told.
    pub fn changed(&self) -> ChangedSockets {
        let mut changed = ChangedSockets::default();
        let Some(told) = &self.changes else { return changed };
        let ended: FxHashSet<EndpointPair> = self.ended.iter().map(|socket| (socket.local, socket.remote)).collect();
        for change in told.iter().chain(&self.unfound) {
            let place = endpoints(change);
            if change.to == Close && ended.contains(&place) {
                // It is among those that ended.
            } else if !leaves_a_socket(change) {
                changed.over.push(place);
            } else if change.local.port == 0 {
                changed.unnamed.push(*change);
            } else {
                changed.sought.push(*change);
            }
        }
        changed
    }

    /// What came of the search for what has [`changed`](Self::changed): of these changes no socket was found.
    pub fn note_unfound(&mut self, changed: &ChangedSockets, unfound: Vec<TracedStateChange>) -> Search {
        // What is over may have left nothing. An established socket is not in a dump of the other states.
        let unfound = unfound.into_iter().chain(changed.unnamed.iter().copied());
        let unfound: Vec<_> =
            unfound.filter(|change| TELLING.covers(Protocol::Tcp, change.to) && change.to != Close).collect();
        let before: FxHashSet<u64> = self.unfound.iter().map(|change| change.key).collect();
        let (again, new): (Vec<_>, Vec<_>) = unfound.into_iter().partition(|change| before.contains(&change.key));
        self.unfound = new;
        match (again.is_empty(), self.unfound.is_empty()) {
            (false, _) => Search::LackingAgain,
            (true, false) => Search::Lacking,
            (true, true) => Search::Complete,
        }
    }

    /// What the partial sample that is begun at `at` lists, with what the last full one could not see; `None` before there
    /// was one.
    pub fn begin(&self, at: Timestamp, search: Search, counters: Option<Counters>) -> Option<(Scope, Coverage)> {
        let full = self.last_full.as_ref()?;
        let activity = Activity { is_told: self.changes.is_some(), has_ended: self.has_ended, search, counters };
        let scope = match self.dumps.is_due(at, &activity) {
            true if full.waiting <= TIME_WAIT_MAX => TELLING.and(TimeWait),
            true => TELLING,
            false => Scope::LISTENERS,
        };
        let scope = if self.is_udp_due(at) { scope.and_udp() } else { scope };
        let scope = if self.changes.is_some() { scope.with_told_changes() } else { scope };
        Some((scope, full.coverage.clone()))
    }

    fn is_udp_due(&self, at: Timestamp) -> bool {
        let (listed_at, count) = self.udp;
        at.since(listed_at) >= UDP_WAIT.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Remembers what a sample has listed.
    pub fn note_sample(&mut self, snapshot: &Snapshot, counters: Option<Counters>) {
        if !self.engaged {
            return;
        }
        let Snapshot { at, scope, sockets, .. } = snapshot;
        if scope.covers(Protocol::Tcp, CloseWait) {
            self.dumps.note(*at, counters, sockets, TELLING);
        }
        if scope.covers(Protocol::Udp, Close) {
            self.udp = (*at, sockets.iter().filter(|socket| socket.protocol == Protocol::Udp).count());
        }
        if scope.is_all() {
            let waiting = sockets.iter().filter(|socket| socket.state == TimeWait).count();
            self.last_full = Some(LastFull { at: *at, coverage: snapshot.coverage.clone(), waiting });
            self.unfound.clear();
        }
    }
}

/// What to look up beside the sockets that `snapshot` lists: those on the screen, each once.
pub fn worth_a_look(snapshot: &Snapshot, visible: &[SocketRef]) -> Vec<SocketRef> {
    let mut known: Vec<SocketId> = snapshot.sockets.iter().map(|socket| socket.id).collect();
    known.sort_unstable();
    let mut wanted: Vec<SocketRef> = visible.to_vec();
    wanted.sort_unstable_by_key(|reference| reference.id);
    wanted.dedup_by_key(|reference| reference.id);
    wanted.retain(|reference| known.binary_search(&reference.id).is_err());
    wanted
}

/// Of the sockets after the first `listed`, which were looked up, drops those that are listed, or were found twice.
pub fn drop_repeated(sockets: &mut Vec<Socket>, listed: usize) {
    if sockets.len() <= listed {
        return;
    }
    let mut found = sockets.split_off(listed);
    let mut known: Vec<SocketId> = sockets.iter().map(|socket| socket.id).collect();
    known.sort_unstable();
    found.sort_by_key(|socket| socket.id);
    found.dedup_by_key(|socket| socket.id);
    sockets.extend(found.into_iter().filter(|socket| known.binary_search(&socket.id).is_err()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;
    use crate::model::event::Ended;
    use crate::model::tcp_state::TcpState;
    use crate::model::testing::{snapshot, tcp, udp};

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn counters(segments: u64) -> Counters {
        Counters { segments_received: segments, ..Counters::ZERO }
    }

    /// Engaged, after a full sample of `sockets` in second 1.
    fn parts(sockets: impl IntoIterator<Item = impl Into<Socket>>) -> PartialSamples {
        let mut parts = PartialSamples { engaged: true, ..PartialSamples::default() };
        parts.note_sample(&snapshot(1_000, sockets), Some(counters(0)));
        parts
    }

    /// Ends are told, and that nothing is lost.
    fn heard() -> Events {
        let mut events = Events::default();
        events.event_status.ends = EventSourceStatus::On;
        events
    }

    fn change(key: u64, port: u16, from: TcpState, to: TcpState) -> TracedStateChange {
        let local = Endpoint::new([10, 0, 0, 1].into(), port);
        let remote = Endpoint::new([10, 0, 0, 2].into(), 80);
        TracedStateChange { at: Timestamp::from_millis(1_500), key, local, remote, from, to }
    }

    /// What the trace, which is complete since second 1, has told.
    fn told(changes: &[TracedStateChange]) -> (Timestamp, LatestChanges) {
        let mut latest = LatestChanges::default();
        for change in changes {
            latest.note(change);
        }
        (at(1), latest)
    }

    fn scope(parts: &PartialSamples, seconds: u64, search: Search, segments: u64) -> Scope {
        parts.begin(at(seconds), search, Some(counters(segments))).expect("there was a full one").0
    }

    #[test]
    fn a_crowd_of_waiting_sockets_is_not_asked_for_each_time() {
        let waiting = |count: usize| (0..count as u64).map(|cookie| tcp(cookie).mini(TimeWait));
        let mut idle = PartialSamples::default();
        idle.note_sample(&snapshot(1_000, waiting(1)), None);
        assert!(idle.begin(at(2), Search::Complete, None).is_none(), "nobody has asked for a part");
        let covers = |parts: &PartialSamples, state| scope(parts, 9, Search::Complete, 9).covers(Protocol::Tcp, state);
        let few = parts(waiting(TIME_WAIT_MAX));
        assert!(covers(&few, TimeWait) && covers(&few, CloseWait) && !covers(&few, TcpState::Established));
        let many = parts(waiting(TIME_WAIT_MAX + 1));
        assert!(!covers(&many, TimeWait) && covers(&many, Listen));
    }

    #[test]
    fn with_the_trace_listeners_are_dumped_and_what_was_told_is_looked_up() {
        use TcpState::Established;
        let mut parts = parts([tcp(1)]);
        parts.note_events(
            at(2),
            &heard(),
            Some(told(&[change(1, 1_000, Established, CloseWait), change(2, 1_001, LastAck, Close)])),
        );
        let changed = parts.changed();
        assert_eq!(changed.sought, [change(1, 1_000, Established, CloseWait)]);
        assert_eq!(changed.over, [endpoints(&change(2, 1_001, LastAck, Close))], "a process may hold what is left");
        let search = parts.note_unfound(&changed, Vec::new());
        assert_eq!(scope(&parts, 2, search, 5), Scope::LISTENERS.and_udp().with_told_changes());
        let without = parts_without_trace();
        assert!(scope(&without, 3, Search::Complete, 5).covers(Protocol::Tcp, CloseWait));
    }

    fn parts_without_trace() -> PartialSamples {
        let mut parts = parts([tcp(1)]);
        parts.note_events(at(3), &heard(), None);
        assert!(parts.changed().sought.is_empty());
        parts
    }

    #[test]
    fn what_ended_is_looked_up_once() {
        let mut parts = parts([tcp(1)]);
        let mut events = heard();
        let over = change(1, 1_025, FinWait2, Close);
        let socket = SocketRef { local: over.local, remote: over.remote, ..tcp(1).build().reference() };
        events.ended.push(Ended { at: at(2), socket, info: None });
        parts.note_events(at(2), &events, Some(told(&[over])));
        assert!(parts.changed().sought.is_empty() && parts.changed().over.is_empty());
        assert_eq!(parts.ended().len(), 1);
    }

    #[test]
    fn what_is_not_found_is_dumped_for() {
        let mut parts = parts([tcp(1)]);
        let dumps =
            |parts: &PartialSamples, seconds, search| scope(parts, seconds, search, 5).covers(Protocol::Tcp, SynSent);
        let mut search = |seconds, changes: &[TracedStateChange]| {
            parts.note_events(at(seconds), &heard(), Some(told(changes)));
            let changed = parts.changed();
            let unfound = changed.sought.clone();
            let search = parts.note_unfound(&changed, unfound);
            (search, dumps(&parts, seconds, search))
        };
        assert_eq!(search(2, &[change(1, 1_000, SynSent, TcpState::Established)]), (Search::Complete, false));
        // connect(2) says so before it has chosen a port.
        assert_eq!(search(3, &[change(2, 0, Close, SynSent)]), (Search::Lacking, false));
        assert_eq!(search(4, &[]), (Search::LackingAgain, true));
        assert_eq!(search(5, &[]), (Search::Complete, false), "once is enough");
        assert_eq!(search(6, &[change(3, 0, Close, SynSent)]), (Search::Lacking, true), "the last dump is long ago");
        assert_eq!(search(7, &[change(3, 1_003, SynSent, TcpState::Established)]), (Search::Complete, false));
    }

    #[test]
    fn until_everything_is_listed_after_a_loss_not_all_changes_are_told() {
        let mut parts = parts([tcp(1)]);
        let is_told = |parts: &PartialSamples| scope(parts, 9, Search::Complete, 5).has_told_changes();
        parts.note_events(at(2), &heard(), Some((at(2), LatestChanges::default())));
        assert!(!is_told(&parts), "the trace has begun after the full sample");
        parts.note_events(at(3), &heard(), Some(told(&[])));
        assert!(is_told(&parts));
        let mut lossy = LatestChanges::default();
        lossy.note_loss();
        parts.note_events(at(4), &heard(), Some((at(1), lossy)));
        assert!(!is_told(&parts));
        parts.note_events(at(5), &heard(), Some(told(&[])));
        assert!(!is_told(&parts), "what was lost is not told by the next sample");
        parts.note_sample(&snapshot(6_000, [tcp(1)]), Some(counters(0)));
        parts.note_events(at(7), &heard(), Some(told(&[])));
        assert!(is_told(&parts));
        parts.note_failure(at(8));
        parts.note_events(at(9), &heard(), Some(told(&[])));
        assert!(!is_told(&parts), "what a sample that failed was to look up was not looked up");
        parts.note_sample(&snapshot(10_000, [tcp(1)]), Some(counters(0)));
        parts.note_events(at(11), &Events::default(), Some(told(&[])));
        assert!(!is_told(&parts), "ends are not told");
    }

    #[test]
    fn more_changes_than_look_ups_are_worth_are_left_to_dumps() {
        let mut parts = parts([tcp(1)]);
        let changes: Vec<_> =
            (0..=LOOK_UPS_MIN as u64).map(|key| change(key, 9, SynSent, TcpState::Established)).collect();
        parts.note_events(at(2), &heard(), Some(told(&changes)));
        assert!(parts.changed().sought.is_empty());
        assert!(scope(&parts, 2, Search::Complete, 5).covers(Protocol::Tcp, CloseWait));
    }

    #[test]
    fn udp_is_listed_as_often_as_its_dump_is_cheap() {
        let udp_sockets = (0..5_000u64).map(|cookie| udp(cookie, 53));
        let mut parts = parts(udp_sockets);
        let has_udp =
            |parts: &PartialSamples, seconds| scope(parts, seconds, Search::Complete, 0).covers(Protocol::Udp, Close);
        assert!(!has_udp(&parts, 2) && !has_udp(&parts, 5) && has_udp(&parts, 6));
        let mut sample = snapshot(6_000, [udp(1, 53)]);
        sample.scope = Scope::LISTENERS.and_udp();
        parts.note_sample(&sample, Some(counters(0)));
        assert!(has_udp(&parts, 7), "they are few now");
        assert_eq!(UDP_WAIT * 1_000, SECOND);
    }

    #[test]
    fn each_socket_that_is_not_listed_is_looked_up_once() {
        let sample = snapshot(1, [tcp(1), tcp(2)]);
        let reference = |cookie| tcp(cookie).build().reference();
        let wanted = worth_a_look(&sample, &[reference(4), reference(2), reference(3), reference(1), reference(4)]);
        assert_eq!(wanted, [reference(3), reference(4)]);
    }

    #[test]
    fn what_a_look_up_finds_again_stands_once() {
        let mut sockets: Vec<Socket> = [tcp(1), tcp(2), tcp(4), tcp(2), tcp(3), tcp(4)].map(Into::into).into();
        drop_repeated(&mut sockets, 2);
        let cookies: Vec<_> = sockets.iter().filter_map(|socket| socket.id.cookie()).collect();
        assert_eq!(cookies, [1, 2, 3, 4]);
    }

    #[test]
    fn only_a_loss_after_a_calm_sample_is_made_up_for_at_once() {
        let parts = |flooded| PartialSamples { flooded, ..PartialSamples::default() };
        assert!(parts((true, false)).needs_full());
        assert!(!parts((true, true)).needs_full() && !parts((false, true)).needs_full());
    }
}
