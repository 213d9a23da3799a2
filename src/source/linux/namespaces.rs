//! Network namespaces: which one conntop looks at, and how many others there are.
//!
//! Counting them means looking at every process, so it is done in rounds, a part of one in every sample.

use std::mem::MaybeUninit;
use std::time::Duration;

use rustc_hash::FxHashSet;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, openat, statat};

use crate::model::socket::NetnsId;
use crate::model::time::Timestamp;
use crate::source::linux::owners::Owners;

/// A round is begun this long after the last one ended.
const ROUND_AFTER: Duration = Duration::from_secs(10);
/// Processes looked at in one sample: about a millisecond.
const STEP: usize = 256;
/// More namespaces are not counted.
const NAMESPACES_MAX: usize = 10_000;

/// Counts network namespaces.
#[derive(Debug)]
pub struct Namespaces {
    own: u64,
    others: u32,
    /// The round under way: processes still to look at, namespaces found.
    queue: Vec<u32>,
    found: FxHashSet<u64>,
    next_round: Timestamp,
}

impl Namespaces {
    /// Notes the namespace of this thread.
    pub fn open() -> Self {
        // Not /proc/self, which is the main thread's.
        let own = statat(CWD, c"/proc/thread-self/ns/net", AtFlags::empty()).map_or(0, |stat| stat.st_ino);
        Self { own, others: 0, queue: Vec::new(), found: FxHashSet::default(), next_round: Timestamp(0) }
    }

    /// The namespace of the thread that called [`Self::open`].
    pub fn own(&self) -> NetnsId {
        NetnsId(u32::try_from(self.own).unwrap_or(0))
    }

    /// How many other network namespaces this user can see, at the end of the last round.
    pub fn others(&mut self, owners: &Owners, now: Timestamp) -> u32 {
        if self.queue.is_empty() {
            if now < self.next_round {
                return self.others;
            }
            self.begin(owners);
        }
        let rest = self.queue.len().saturating_sub(STEP);
        for pid in self.queue.split_off(rest) {
            let inode = owners.process_dir(pid).and_then(|directory| directory.inode_of(c"ns/net"));
            self.note(inode.ok());
        }
        if self.queue.is_empty() {
            self.others = u32::try_from(self.found.len()).unwrap_or(u32::MAX);
            self.next_round = now.after(ROUND_AFTER);
        }
        self.others
    }

    fn begin(&mut self, owners: &Owners) {
        self.found.clear();
        self.queue.extend(owners.pids());
        self.note_named();
    }

    /// Namespaces that `ip netns` keeps by a mount, with or without processes.
    fn note_named(&mut self) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(directory) = openat(CWD, c"/run/netns", flags, Mode::empty()) else {
            return;
        };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut names = RawDir::new(&directory, &mut buffer);
        while let Some(Ok(name)) = names.next() {
            if !name.file_name().to_bytes().starts_with(b".") {
                let stat = statat(&directory, name.file_name(), AtFlags::empty());
                self.note(stat.ok().map(|stat| stat.st_ino));
            }
        }
    }

    fn note(&mut self, inode: Option<u64>) {
        let other = inode.filter(|inode| *inode != self.own && self.found.len() < NAMESPACES_MAX);
        self.found.extend(other);
    }
}
