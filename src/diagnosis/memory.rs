//! What is remembered from evaluation to evaluation: the past of groups and of descriptors. All bounded.

use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::diagnosis::dns_lookups::DnsLookups;
use crate::diagnosis::finding::{Finding, FindingKey, Slope};
use crate::diagnosis::group_history::GroupHistory;
use crate::diagnosis::queue_progress::WatchedQueues;
use crate::diagnosis::rule::Rule;
use crate::model::descriptors::Descriptors;
use crate::model::memory::{TableSize, close_gaps};
use crate::model::process::ProcessId;
use crate::model::time::Timestamp;
use crate::store::Store;

/// The most groups of which the past is kept.
pub(super) const TRACKS_MAX: usize = 512;
/// The past of a group that is not there is kept so long: it may be back.
const FORGET_AFTER: Duration = Duration::from_secs(30);
/// The past of the descriptors of a process is kept from this part of its limit on: a quarter.
const TRACKED_FROM: u64 = 4;

/// The past.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) at: Timestamp,
    /// When the first evaluation was.
    pub(super) begun: Option<Timestamp>,
    /// Whether an evaluation has ended before this one.
    has_looked: bool,
    tracks: FxHashMap<FindingKey, GroupHistory>,
    descriptors: FxHashMap<ProcessId, GroupHistory>,
    pub(super) flows: WatchedQueues,
    pub(super) lookups: DnsLookups,
}

impl Memory {
    /// An evaluation at `store` begins: takes in what the store says of the machine as a whole. Another past (a recording that
    /// was wound back) is forgotten.
    pub(super) fn begin(&mut self, store: &Store) {
        let now = store.at();
        if now < self.at {
            *self = Self::default();
        }
        self.at = now;
        self.begun.get_or_insert(now);
        for (process, descriptors) in store.descriptors() {
            let is_tracked = self.descriptors.contains_key(process);
            let is_new = may_run_out(descriptors) && self.descriptors.len() < TRACKS_MAX;
            if is_tracked || is_new {
                self.descriptors.entry(*process).or_default().push(now, u64::from(descriptors.used));
            }
        }
        self.descriptors.retain(|_, track| now.since(track.seen) <= FORGET_AFTER);
    }

    /// How fast the descriptors of `process` grow in number.
    pub(super) fn descriptor_slope(&self, process: ProcessId, now: Timestamp) -> Option<Slope> {
        self.descriptors.get(&process)?.slope(now)
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> [TableSize; 6] {
        let (rings, samples) =
            self.tracks.values().map(GroupHistory::memory).fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
        let [open, ended] = self.lookups.table_sizes();
        [
            TableSize::by("tracks", &self.tracks),
            TableSize { what: "samples of tracks", len: rings, bytes: samples },
            TableSize::by("descriptor tracks", &self.descriptors),
            self.flows.table_sizes(),
            open,
            ended,
        ]
    }

    /// The past of a group.
    pub(super) fn track(&self, key: &FindingKey) -> Option<&GroupHistory> {
        self.tracks.get(key)
    }

    /// The past of a group, to be added to. Once there are too many, only the past of findings is kept: `is_needed`.
    pub(super) fn track_mut(&mut self, key: FindingKey, is_needed: bool) -> Option<&mut GroupHistory> {
        if !self.tracks.contains_key(&key) && self.tracks.len() >= TRACKS_MAX {
            if !is_needed {
                return None;
            }
            let idle = self.tracks.iter().filter(|(_, track)| track.active.is_none());
            let idle = idle.min_by_key(|(key, track)| (track.seen, **key)).map(|(key, _)| *key)?;
            self.tracks.remove(&idle);
        }
        close_gaps(&mut self.tracks);
        Some(self.tracks.entry(key).or_default())
    }

    /// Whether a condition that is not remembered has just begun: at the first evaluation of all it may have held for long, and
    /// where there are too many groups to remember, too.
    pub(super) fn knows_beginnings(&self) -> bool {
        self.has_looked && self.tracks.len() < TRACKS_MAX
    }

    /// An evaluation has ended: what it has not seen for long is forgotten. What it has not seen at all is no finding any more;
    /// where only a moment is seen of something that comes and goes, it stays for a while: the answer. What is about a
    /// listener is over when that is gone. `outlasts` says for how long a finding of a rule outlasts what it is about.
    pub(super) fn finish(&mut self, store: &Store, outlasts: impl Fn(Rule) -> Option<Duration>) -> Vec<Finding> {
        let now = self.at;
        self.has_looked = true;
        self.flows.finish(now);
        self.tracks.retain(|_, track| now.since(track.seen) <= FORGET_AFTER);
        let mut held = Vec::new();
        for (key, track) in self.tracks.iter_mut().filter(|(_, track)| track.seen < now) {
            let is_there = key.listener.is_none_or(|id| store.rows().live(id).is_some());
            match outlasts(key.rule).filter(|_| is_there) {
                Some(time) => held.extend(track.held(now, time)),
                None => track.ends(),
            }
        }
        held
    }
}

/// How many descriptors `process` uses and may use, if that was asked for and may be known.
pub(super) fn descriptors(store: &Store, process: ProcessId) -> Option<(u64, u64)> {
    let descriptors = store.descriptors_of(process)?;
    Some((u64::from(descriptors.used), descriptors.max?))
}

/// Whether it is worth remembering how many descriptors a process had: not of the many that are far from their limit.
fn may_run_out(descriptors: &Descriptors) -> bool {
    descriptors.max.is_some_and(|max| u64::from(descriptors.used) >= max / TRACKED_FROM)
}
