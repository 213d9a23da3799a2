//! Lookups that no DNS server answered, as far as samples show: how long sockets lived that were connected to one.
//!
//! A resolver opens a UDP socket for each attempt, connects it to the server and closes it once the answer is there, or its
//! time-out has passed (glibc `send_dg` in `resolv/res_send.c`; Go's `dnsclient_unix.go` does the same). Answers take
//! milliseconds, so sockets that several samples see are attempts that waited. What is not connected (musl, dnsmasq) shows no
//! server. Bounded.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::model::address::Destination;
use crate::model::memory::TableSize;
use crate::model::process::{NoProcess, Process};
use crate::model::socket::{NetnsId, SocketId};
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::row::SocketRow;

/// Ends are remembered for so long.
pub(super) const LOOKUPS_OVER: Duration = Duration::from_secs(60);
/// The most sockets, and the most ends, that are remembered.
const LOOKUPS_MAX: usize = 4_096;

/// A socket that was connected to a DNS server.
#[derive(Clone, Debug)]
pub(super) struct DnsLookup {
    pub(super) server: Destination,
    pub(super) netns: NetnsId,
    pub(super) process: Option<Arc<Process>>,
    pub(super) no_process: Option<NoProcess>,
    /// When it was first and last seen.
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// The last evaluation that did not see it yet; `None` for one that was there when conntop started.
    before: Option<Timestamp>,
    /// The first evaluation that did not see it any more.
    after: Option<Timestamp>,
}

impl DnsLookup {
    /// How long it lived at least.
    pub(super) fn at_least(&self) -> Duration {
        self.last.since(self.first)
    }

    /// How long it lived at most; `None` where nothing says so.
    pub(super) fn at_most(&self) -> Option<Duration> {
        Some(self.after?.since(self.before?))
    }
}

/// The sockets.
#[derive(Debug, Default)]
pub(super) struct DnsLookups {
    open: FxHashMap<SocketId, DnsLookup>,
    ended: VecDeque<DnsLookup>,
    /// When the last evaluation was that listed them.
    looked: Option<Timestamp>,
}

impl DnsLookups {
    /// `row` is connected to a DNS server now.
    pub(super) fn note(&mut self, store: &Store, row: &SocketRow) {
        let socket = &row.connection.socket;
        if store.known_at(socket) < store.at() {
            return;
        }
        let now = store.at();
        if let Some(known) = self.open.get_mut(&socket.id) {
            known.last = now;
            return;
        }
        if self.open.len() >= LOOKUPS_MAX {
            return;
        }
        let process = socket.owner.holders().and_then(|holders| holders.all().first());
        let lookup = DnsLookup {
            server: socket.destination(),
            netns: socket.id.netns(),
            process: process.cloned(),
            no_process: socket.owner.no_process(),
            first: now,
            last: now,
            before: self.looked,
            after: None,
        };
        self.open.insert(socket.id, lookup);
    }

    /// All that are there now were noted: the others have ended.
    pub(super) fn close(&mut self, store: &Store) {
        let now = store.at();
        while self.ended.front().is_some_and(|ended| now.since(ended.last) > LOOKUPS_OVER) {
            self.ended.pop_front();
        }
        if !store.lists_udp() {
            return;
        }
        let ended = self.open.extract_if(|_, lookup| lookup.last < now);
        for (_, lookup) in ended {
            if self.ended.len() == LOOKUPS_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back(DnsLookup { after: Some(now), ..lookup });
        }
        self.looked = Some(now);
    }

    /// Those that ended within [`LOOKUPS_OVER`].
    pub(super) fn ended(&self) -> impl Iterator<Item = &DnsLookup> {
        self.ended.iter()
    }

    /// Those that are there, with the identity of their sockets.
    pub(super) fn open(&self) -> impl Iterator<Item = (SocketId, &DnsLookup)> {
        self.open.iter().map(|(id, lookup)| (*id, lookup))
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 2] {
        [TableSize::by("open lookups", &self.open), TableSize::by("ended lookups", &self.ended)]
    }
}
