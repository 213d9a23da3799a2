//! A process with very many descriptors, of which single ones are read to find few sockets.
//!
//! Sockets get their inodes in ascending order (`get_next_ino`, fs/inode.c; a processor takes 1,024 numbers at a time), and
//! a process that only opens gives ascending descriptors to them. So between two sockets that were read, the descriptor of a
//! third follows from its inode. Where a process closes and opens in between, that misleads, and costs some reads.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use rustix::io::Errno;

use super::walk::Visit;
use crate::source::linux::proc_dir::{DescriptorDir, SocketFd};

/// So many of the lowest descriptors are read: servers open their listeners before anything else.
const LOWEST: u32 = 128;
/// So many descriptors on both sides of the place are read where the newest one is, if there are no gaps.
const NEWEST: u32 = 64;
/// So many descriptors are read that are spread over all of them, and one more for every [`SPREAD_DIVISOR`].
const SPREAD: u32 = 64;
/// How many descriptors take one more of the spread ones.
const SPREAD_DIVISOR: u32 = 512;
/// For one socket so many descriptors of one process are read.
const PROBES_MAX: usize = 8;

/// Which sockets are sought, and which of them are not found yet.
#[derive(Debug)]
pub struct SoughtSockets {
    /// The inodes of all of them.
    pub all: FxHashSet<u32>,
    /// The inodes of those that are left.
    pub left: FxHashSet<u32>,
}

/// A process with very many descriptors.
#[derive(Debug)]
pub struct Giant {
    /// The process.
    pub visit: Visit,
    /// Its sockets among those sought, as far as they were found.
    pub found: Vec<SocketFd>,
    /// How many descriptors were read.
    pub reads: u32,
    directory: DescriptorDir,
    has_sample: bool,
    /// How many descriptors it has, or can have without a larger table.
    count: u32,
    /// The descriptors of all sockets that were read, by inode.
    by_inode: BTreeMap<u32, u32>,
}

impl Giant {
    /// The process of `visit`, which has about `count` descriptors.
    pub fn open(visit: Visit, count: u64) -> Result<Self, Errno> {
        let directory = visit.directory.descriptors()?;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(Self { visit, found: Vec::new(), reads: 0, directory, has_sample: false, count, by_inode: BTreeMap::new() })
    }

    /// How many descriptors it has, or can have without a larger table.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Reads one descriptor; the inode of its socket, if it is one.
    pub fn read(&mut self, descriptor: u32, sought: &mut SoughtSockets) -> Result<Option<u32>, Errno> {
        self.reads = self.reads.saturating_add(1);
        let Some(socket) = self.directory.socket(descriptor)? else { return Ok(None) };
        if self.by_inode.insert(socket.inode, descriptor) != Some(descriptor) && sought.all.contains(&socket.inode) {
            sought.left.remove(&socket.inode);
            self.found.push(socket);
        }
        Ok(Some(socket.inode))
    }

    /// Reads the lowest descriptors.
    pub fn read_lowest(&mut self, sought: &mut SoughtSockets) -> Result<(), Errno> {
        (0..LOWEST.min(self.count)).try_for_each(|descriptor| self.read(descriptor, sought).map(drop))
    }

    /// Reads the newest descriptors, and some that are spread over all of them, if that was not done.
    pub fn read_sample(&mut self, sought: &mut SoughtSockets) -> Result<(), Errno> {
        if std::mem::replace(&mut self.has_sample, true) {
            return Ok(());
        }
        let newest = self.count.saturating_sub(NEWEST)..self.count.saturating_add(NEWEST);
        let step = self.count / SPREAD.saturating_add(self.count / SPREAD_DIVISOR);
        let spread = (LOWEST..newest.start).step_by(step.max(1) as usize);
        newest.clone().chain(spread).try_for_each(|descriptor| self.read(descriptor, sought).map(drop))
    }

    /// Where the socket `inode` is, if descriptors ascend with inodes: between these two descriptors, and how likely it is.
    /// `None` where nothing is left to read between them.
    pub fn place_of(&self, inode: u32) -> Option<Place> {
        let (low_inode, low) = self.by_inode.range(..inode).next_back()?;
        let (high_inode, high) = self.by_inode.range(inode..).next()?;
        let between = high.checked_sub(*low).filter(|between| *between > 1)?;
        let inodes = high_inode.checked_sub(*low_inode).filter(|inodes| *inodes > 0)?;
        let from_low = u64::from(inode.saturating_sub(*low_inode)) * u64::from(between) / u64::from(inodes);
        let from_low = u32::try_from(from_low).unwrap_or(u32::MAX).clamp(1, between - 1);
        Some(Place { descriptor: low + from_low, density: f64::from(between) / f64::from(inodes) })
    }

    /// Reads descriptors nearer and nearer to where the socket `inode` should be; whether it was found.
    pub fn seek(&mut self, inode: u32, sought: &mut SoughtSockets) -> Result<bool, Errno> {
        for _ in 0..PROBES_MAX {
            let Some(place) = self.place_of(inode) else { return Ok(false) };
            match self.read(place.descriptor, sought)? {
                Some(found) if found == inode => return Ok(true),
                Some(_) => {}
                None => return Ok(false),
            }
        }
        Ok(false)
    }

    /// The part of the descriptors read so far that were sought.
    pub fn hit_rate(&self) -> f64 {
        f64::from(u32::try_from(self.found.len()).unwrap_or(u32::MAX)) / f64::from(self.reads.max(1))
    }
}

/// Where a socket may be in a process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The descriptor to read.
    pub descriptor: u32,
    /// How many of the inodes around it belong to the process: 1 where all do.
    pub density: f64,
}
