//! What destroy events add to the samples: the final counters of connections, and those that no sample ever listed.
//!
//! An event names a socket, not a connection. At the end that closed first the connection goes on as a mini-socket, so
//! that words are kept until no trace of it is left; and where the socket never was in a sample, its mini-socket has
//! another cookie and is recognised by its endpoints.

mod unnamed;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::delta::FinalCounters;
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::event::{ENDED_MAX, Ended, Events};
use crate::model::memory::{TableSize, close_gaps, close_gaps_of, give_back};
use crate::model::socket::{Socket, SocketId, SocketRef};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::tracker::SampleContext;
use crate::tracker::ends::unnamed::EndsWithoutCookie;
use crate::tracker::entry::TrackedSocket;
use crate::tracker::identity::Directory;

/// The most ends of unknown sockets that wait for the next sample; more count as lost.
pub const HELD_MAX: usize = ENDED_MAX as usize;
/// The most sockets that are remembered because their connection was over before they were freed: a process may hold a
/// dead one for long. Past that the oldest is forgotten, and ends that may be its change nothing.
pub const OVER_EARLY_MAX: usize = 16_384;
/// How much earlier than it was the kernel may say that something happened: it counts in jiffies, the longest of which
/// have 10 ms (`CONFIG_HZ=100`).
const JIFFY: Duration = Duration::from_millis(10);
/// How late an end may be reported: by a work queue, which a machine without a free core holds up.
const LATE_MAX: Duration = Duration::from_secs(5);

/// The most mini-sockets whose words are expected with the next sample.
pub const UNREPORTED_MAX: usize = 16_384;
/// The most half-open connections whose full socket may get another cookie.
pub const REQUESTS_MAX: usize = 16_384;
/// How often the same endpoints are used within one sample, at most, for their final counters to be distinguished.
pub const REUSES_MAX: usize = 8;

/// What was reported of ends and is not used up yet.
#[derive(Debug, Default)]
pub(super) struct EndEvents {
    /// Of tracked connections whose full socket was freed; each goes when its connection does.
    reports: FxHashMap<SocketId, LastReport>,
    /// Of sockets that are not tracked, ascending by endpoints and then by time.
    held: Vec<UnmatchedEnd>,
    /// Connections that were over before their sockets were freed.
    over_early: FxHashSet<SocketId>,
    over_early_order: VecDeque<(SocketId, Timestamp)>,
    /// Everything that was over after this moment is reported or noted as over: ends are heard since then, and none that was
    /// noted later is forgotten.
    known_since: Timestamp,
    /// The same without cookies.
    unnamed: EndsWithoutCookie,
    /// Mini-sockets that came without the words of their full socket, and when they were first listed.
    unreported: BTreeMap<(Endpoint, Endpoint), (SocketId, Timestamp)>,
    /// Half-open connections that a sample listed as request sockets. The kernel makes cookies when they are first asked for:
    /// where that was after the full socket was cloned from it, the two have different ones (`inet_csk_clone_lock`,
    /// `net/ipv4/inet_connection_sock.c`).
    requests: BTreeMap<(Endpoint, Endpoint), SocketId>,
    /// Ends that were dropped because too many were held.
    overflown: u64,
}

/// When a tracked connection's full socket was freed, and its final counters.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastReport {
    pub(super) at: Timestamp,
    pub(super) last: Option<FinalCounters>,
    /// Nothing of a connection is left where its socket was disconnected.
    is_emptied: bool,
    /// What was received is known without the peer's FIN.
    pub(super) is_settled: bool,
}

/// The end of a connection that was in no sample.
#[derive(Debug)]
pub(super) struct UnreportedEnd {
    pub(super) ended: Ended,
    /// It opened after this moment.
    pub(super) not_before: Timestamp,
}

/// An end that waits for the next sample.
#[derive(Debug)]
struct UnmatchedEnd {
    ended: Ended,
    /// The sample of every socket before it, which did not list it.
    not_before: Timestamp,
    /// A full sample was taken since and did not show its mini-socket.
    waited: bool,
    used: bool,
}

impl EndEvents {
    /// Takes in what was reported since the last sample.
    pub(super) fn take_in(&mut self, events: &Events, directory: &mut Directory, round: &SampleContext) {
        if round.first || !round.ends_are_reported {
            self.known_since = round.at;
        }
        let mut new = 0;
        for ended in &events.ended {
            close_gaps(&mut self.reports);
            let id = ended.socket.id;
            let tracked = directory.slot(id).map(|_| id).or_else(|| directory.without_cookie(&ended.socket));
            let tracked = tracked.or_else(|| self.request_of(ended, directory));
            if let Some(id) = tracked {
                self.reports.insert(id, LastReport::of(ended));
            } else if let Some(id) = self.unreported_at(ended, directory) {
                self.reports.insert(id, LastReport::of(ended));
            } else if round.first || self.unbury(id) {
                // The end of its connection is reported already.
            } else if let Some(id) = self.unnamed.unbury(ended) {
                // That is reported as well, or it is only missing so far.
                if directory.slot(id).is_some() {
                    self.reports.insert(id, LastReport::of(ended));
                }
            } else if !self.is_to_tell(ended, round.seen.all_at) {
                // It was over before conntop looked.
            } else if self.held.len() < HELD_MAX {
                let not_before = round.seen.all_at.min(self.known_since);
                self.held.push(UnmatchedEnd { ended: ended.clone(), not_before, waited: false, used: false });
                new += 1;
            } else {
                self.overflown += 1;
            }
        }
        if new > 0 {
            self.held.sort_by_key(|held| (held.place(), held.ended.socket.id));
            self.held.dedup_by_key(|held| held.ended.socket.id);
            self.held.sort_by_key(|held| (held.place(), held.ended.at));
        }
    }

    /// If `socket`, which is new, is what is left of a connection whose end was reported under another cookie, gives it its
    /// words; they may also come with the next sample.
    pub(super) fn recognise(&mut self, socket: &Socket, round: &SampleContext) {
        let is_request = socket.state == TcpState::SynRecv && socket.tcp.is_none();
        if is_request && self.requests.len() < REQUESTS_MAX {
            self.requests.insert((socket.local, socket.remote), socket.id);
        }
        let is_mini = matches!(socket.state, TcpState::TimeWait | TcpState::FinWait2) && socket.tcp.is_none();
        if !is_mini || !round.ends_are_reported || round.first {
            return;
        }
        let place = (socket.local, socket.remote);
        let end = self.held.partition_point(|held| held.place() <= place);
        // Of several that had these endpoints one after the other, the last one left it.
        let last = end.checked_sub(1).and_then(|last| self.held.get_mut(last));
        if let Some(held) = last.filter(|held| held.is_free_at(place)) {
            held.used = true;
            close_gaps(&mut self.reports);
            self.reports.insert(socket.id, LastReport::of(&held.ended));
        } else if self.unreported.len() < UNREPORTED_MAX {
            self.unreported.insert(place, (socket.id, round.at));
        }
    }

    /// Whether `entry`, which the sample does not list, is gone for certain: its socket was freed, and in its state
    /// nothing of a connection is left behind then.
    pub(super) fn is_over(&self, entry: &TrackedSocket, round: &SampleContext) -> bool {
        use TcpState::{CloseWait, LastAck, Listen};
        let leaves_nothing = entry.protocol == Protocol::Udp || matches!(entry.state, CloseWait | LastAck | Listen);
        let is_emptied = || self.reports.get(&entry.id).is_some_and(|word| word.is_emptied);
        self.has_ended(entry, round) && (leaves_nothing || is_emptied())
    }

    /// Notes that a sample of a source without cookies does not list `entry`, whose end was not reported. If it is reported later,
    /// under a cookie that no row has, it changes nothing.
    pub(super) fn missing(&mut self, entry: &TrackedSocket, round: &SampleContext) {
        if entry.id.cookie().is_none() && round.ends_are_reported && !self.reports.contains_key(&entry.id) {
            self.unnamed.bury(entry, round.at);
        }
    }

    /// Whether the full socket of `entry` was freed after it was last seen.
    pub(super) fn has_ended(&self, entry: &TrackedSocket, round: &SampleContext) -> bool {
        self.reports.get(&entry.id).is_some_and(|word| word.at > entry.seen_at(round))
    }

    /// The final counters of `entry`, which is removed. Without any its socket may be freed later: that changes nothing then.
    pub(super) fn take(&mut self, entry: &TrackedSocket, round: &SampleContext) -> Option<LastReport> {
        let place = (entry.socket().local, entry.socket().remote);
        if self.requests.get(&place) == Some(&entry.id) {
            self.requests.remove(&place);
        }
        let word = self.reports.remove(&entry.id).or_else(|| self.late_word(entry));
        if word.is_none() && round.ends_are_reported && entry.state != TcpState::TimeWait {
            if entry.id.cookie().is_some() {
                self.bury(entry.id, round.at);
            } else {
                self.unnamed.bury(entry, round.at);
            }
        }
        word
    }

    /// Those of untracked sockets whose connection is over for certain: there is no mini-socket of theirs.
    pub(super) fn take_unreported(
        &mut self,
        (round, directory): (&SampleContext, &Directory),
        is_certain: impl Fn(&Ended) -> bool,
    ) -> Vec<UnreportedEnd> {
        let (is_full, before) = (round.scope.is_all(), round.seen.at);
        let mut unreported = Vec::new();
        if is_full {
            // Events are milliseconds late, never a whole sample.
            self.unreported.retain(|_, (_, listed)| *listed >= before);
        }
        let (words, unnamed, used) = (&mut self.reports, &mut self.unnamed, self.held.len());
        self.held.retain_mut(|held| {
            if held.used {
                return false;
            }
            // A source without cookies may just have missed it for the first time.
            if let Some(id) = unnamed.unbury(&held.ended) {
                if directory.slot(id).is_some() {
                    words.insert(id, LastReport::of(&held.ended));
                }
                return false;
            }
            if directory.slot(held.ended.socket.id).is_some() {
                // A sample lists it after all.
                words.insert(held.ended.socket.id, LastReport::of(&held.ended));
                return false;
            }
            let leaves_nothing = held.ended.socket.remote.port == 0 || held.ended.socket.protocol == Protocol::Udp;
            if leaves_nothing || (held.waited && is_full) || is_certain(&held.ended) {
                unreported.push(UnreportedEnd { ended: held.ended.clone(), not_before: held.not_before });
                return false;
            }
            held.waited |= is_full;
            true
        });
        unreported.sort_by_key(|unreported| unreported.ended.at);
        give_back(&mut self.held, used);
        unreported
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 5] {
        [
            TableSize::by("final counters", &self.reports),
            TableSize::by("unreported ends", &self.held),
            TableSize::by("sockets over before their end was reported", &self.over_early),
            TableSize::by("order of sockets over before their end was reported", &self.over_early_order),
            self.unnamed.table_sizes(),
        ]
    }

    /// How many ends were dropped since the last call.
    pub(super) fn take_overflown(&mut self) -> u64 {
        std::mem::take(&mut self.overflown)
    }

    /// The words of a mini-socket that came after it was first listed, where another connection has taken its endpoints
    /// since.
    fn late_word(&mut self, entry: &TrackedSocket) -> Option<LastReport> {
        let place = (entry.socket().local, entry.socket().remote);
        let begin = self.held.partition_point(|held| held.place() < place);
        let held = self.held.get_mut(begin..)?.iter_mut().take_while(|held| held.place() == place);
        let held = held.take(REUSES_MAX).find(|held| held.is_free_at(place))?;
        if entry.state != TcpState::TimeWait {
            return None;
        }
        held.used = true;
        Some(LastReport::of(&held.ended))
    }

    /// The half-open connection of `ended` that a sample listed before the kernel reported the full socket, which has another
    /// cookie.
    fn request_of(&self, ended: &Ended, directory: &Directory) -> Option<SocketId> {
        let id = *self.requests.get(&(ended.socket.local, ended.socket.remote))?;
        let entry = directory.get(directory.slot(id)?)?;
        let is_its = entry.state == TcpState::SynRecv && id.netns() == ended.socket.id.netns();
        (is_its && !self.reports.contains_key(&id)).then_some(id)
    }

    /// The mini-socket of `ended` that a sample listed before the kernel reported the full socket.
    fn unreported_at(&mut self, ended: &Ended, directory: &Directory) -> Option<SocketId> {
        let SocketRef { protocol, local, remote, .. } = ended.socket;
        let (id, _) = *self.unreported.get(&(local, remote)).filter(|_| protocol == Protocol::Tcp)?;
        self.unreported.remove(&(local, remote));
        directory.slot(id).map(|_| id)
    }

    /// Whether the socket, which no sample listed, took part in anything after the sample of every socket taken at
    /// `all_at`. If not, its connection was over by then, and only the descriptor was left; or it never was a
    /// connection; or it is reported late.
    fn is_to_tell(&self, ended: &Ended, all_at: Timestamp) -> bool {
        if ended.socket.remote.is_unset() {
            // Every sample of every socket lists listeners and UDP sockets: it has come since.
            return true;
        }
        let Some(info) = &ended.info else { return true };
        let latest = latest(info).after(JIFFY);
        let is_late = || latest >= self.known_since && latest.after(LATE_MAX) >= ended.at;
        never_measured(info) || latest >= all_at || is_late()
    }

    fn bury(&mut self, id: SocketId, at: Timestamp) {
        if self.over_early_order.len() >= OVER_EARLY_MAX
            && let Some((oldest, over_at)) = self.over_early_order.pop_front()
            && self.over_early.remove(&oldest)
        {
            self.known_since = self.known_since.max(over_at.after(JIFFY));
        }
        close_gaps_of(&mut self.over_early);
        if self.over_early.insert(id) {
            self.over_early_order.push_back((id, at));
        }
    }

    fn unbury(&mut self, id: SocketId) -> bool {
        // Its place in the order stays and is given up when it comes to the front.
        self.over_early.remove(&id)
    }
}

impl LastReport {
    fn of(ended: &Ended) -> Self {
        Self { at: ended.at, last: ended.final_counters(), is_emptied: ended.is_emptied(), is_settled: false }
    }

    /// The words of the connection whose last row is `socket`. Once the peer's FIN has come nothing is received any more;
    /// a socket that was freed does not say whether its count has the FIN.
    pub(super) fn after(self, socket: &Socket) -> Self {
        use TcpState::{CloseWait, Closing, LastAck};
        let has_fin = matches!(socket.state, CloseWait | Closing | LastAck);
        let known = socket.tcp.and_then(|tcp| tcp.bytes).filter(|_| has_fin);
        let last = self.last.map(|last| {
            let bytes =
                last.bytes.map(|bytes| known.map_or(bytes, |row| ByteCounts::new(row.received(), bytes.sent())));
            FinalCounters { bytes, ..last }
        });
        Self { last, is_settled: known.is_some(), ..self }
    }
}

impl UnmatchedEnd {
    fn is_free_at(&self, place: (Endpoint, Endpoint)) -> bool {
        !self.used && self.place() == place && self.ended.socket.protocol == Protocol::Tcp
    }

    fn place(&self) -> (Endpoint, Endpoint) {
        (self.ended.socket.local, self.ended.socket.remote)
    }
}

/// Nothing was acknowledged or measured: an attempt that nobody answered, a connection by a SYN cookie on which nothing
/// moved, or a socket that was emptied.
fn never_measured(info: &TcpInfo) -> bool {
    info.rtt_us == 0 && info.bytes.is_none_or(|bytes| bytes.sent() == 0 && bytes.received() == 0)
}

/// Whether the connection of `ended`, which opened after `not_before`, was an attempt that nobody answered. The handshake sets
/// the kernel's clocks; those of an attempt read as a moment near boot.
pub(super) fn is_attempt(ended: &Ended, not_before: Timestamp) -> bool {
    let is_silent = |info: &TcpInfo| never_measured(info) && latest(info).after(JIFFY) < not_before;
    !ended.is_emptied() && ended.info.as_ref().is_some_and(is_silent)
}

fn latest(info: &TcpInfo) -> Timestamp {
    info.last_data_sent.max(info.last_data_received).max(info.last_ack_received).timestamp()
}
