//! Looks through the descriptors of processes, of many of them on two threads.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::io::Errno;

use crate::model::time::Timestamp;
use crate::source::clock;
use crate::source::linux::proc_dir::{DescriptorSpan, FdHint, ProcDir, ProcessDir, SocketFd};
use crate::source::linux::threads;

/// A thread takes this many descriptors of one process at a time, so that two can share a giant.
const PIECE_LEN: u32 = 2_048;
/// A partial walk looks at this many single descriptors, and at one more for every [`PARTIAL_WALK_DIVISOR`] sockets that are known.
const PARTIAL_WALK_MIN: usize = 256;
/// A partial walk looks at one more descriptor for every so many known sockets: with more to look at, a whole walk costs hardly
/// more.
const PARTIAL_WALK_DIVISOR: usize = 4;

/// A process about to be looked through. It is open: whatever is found is this one's, also if the pid is reused.
#[derive(Debug)]
pub struct Visit {
    /// Its pid.
    pub pid: u32,
    /// Its directory.
    pub directory: ProcessDir,
    /// What was known of its descriptors before; `None` where it could not be read.
    pub hint: Option<FdHint>,
    /// When it was opened.
    pub begun: Timestamp,
}

/// What the descriptors of a process are.
#[derive(Debug, Default)]
pub struct DescriptorWalk {
    /// Its sockets, ascending by descriptor.
    pub sockets: Vec<SocketFd>,
    /// How many descriptors were looked at.
    pub count: u32,
    /// How long it took.
    pub took: Duration,
    /// Why it is not all.
    pub error: Option<Errno>,
}

impl Visit {
    /// Opens process `pid`.
    pub fn begin(proc: &ProcDir, pid: u32) -> Result<Self, Errno> {
        let begun = clock::now().0;
        Self::with_hint(proc, pid, proc.fd_hint(pid).ok(), begun)
    }

    /// The same where its `hint` was read, after `begun`.
    pub fn with_hint(proc: &ProcDir, pid: u32, hint: Option<FdHint>, begun: Timestamp) -> Result<Self, Errno> {
        Ok(Self { pid, directory: proc.process(pid)?, hint, begun })
    }

    /// Looks through it.
    pub fn walk(&self, proc: &mut ProcDir) -> DescriptorWalk {
        let expected = self.hint.map_or(0, |hint| hint.count);
        self.walk_piece(proc, DescriptorSpan { range: 0..u32::MAX, expected })
    }

    fn walk_piece(&self, proc: &mut ProcDir, piece: DescriptorSpan) -> DescriptorWalk {
        let begun = clock::now().0;
        let mut sockets = Vec::new();
        let (count, error) = match proc.sockets(&self.directory, piece, &mut sockets) {
            Ok(count) => (count, None),
            Err(error) => (0, Some(error)),
        };
        DescriptorWalk { sockets, count, took: clock::now().0.since(begun), error }
    }

    /// Looks only where something can be new: at descriptors that were no socket when it was looked through, at those
    /// whose socket `is_gone`, and above the highest one. Only a descriptor that was closed and is another socket
    /// now, while some process still holds the old one, can be overlooked, until the next walk. `None` if a walk
    /// costs hardly more.
    pub fn partial_walk(
        &self,
        proc: &mut ProcDir,
        known: &[SocketFd],
        is_gone: impl Fn(u32) -> bool,
    ) -> Option<DescriptorWalk> {
        let begun = clock::now().0;
        let end = known.last().map_or(0, |last| last.descriptor.saturating_add(1));
        let kept: Vec<_> = known.iter().filter(|socket| !is_gone(socket.inode)).copied().collect();
        let unknown = (end as usize).saturating_sub(kept.len());
        if unknown > PARTIAL_WALK_MIN + known.len() / PARTIAL_WALK_DIVISOR {
            return None;
        }
        let mut next = kept.iter().peekable();
        let unknown = (0..end).filter(|descriptor| next.next_if(|kept| kept.descriptor == *descriptor).is_none());
        let mut sockets = Vec::with_capacity(known.len());
        let looked = proc
            .sockets_of(&self.directory, unknown, &mut sockets)
            .and_then(|()| proc.sockets(&self.directory, end..u32::MAX, &mut sockets));
        sockets.extend(kept);
        sockets.sort_unstable();
        let count = u32::try_from(sockets.len()).unwrap_or(u32::MAX);
        Some(DescriptorWalk { sockets, count, took: clock::now().0.since(begun), error: looked.err() })
    }

    /// Ranges of descriptors that have all of them; the last one is open, because the hint counts descriptors and
    /// does not say how they are numbered.
    fn pieces(&self) -> impl Iterator<Item = Range<u32>> + use<> {
        let count = self.hint.map_or(0, |hint| u32::try_from(hint.count).unwrap_or(u32::MAX));
        let last = count.saturating_sub(1) / PIECE_LEN;
        (0..=last).map(move |piece| {
            let start = piece.saturating_mul(PIECE_LEN);
            start..if piece == last { u32::MAX } else { start.saturating_add(PIECE_LEN) }
        })
    }
}

/// Looks through all of `visits` on two threads, each with a `/proc` of its own; the answers are in the same order.
pub fn walk_all(visits: &[Visit], proc: &mut ProcDir, second: &mut ProcDir) -> Vec<DescriptorWalk> {
    let pieces: Vec<_> =
        visits.iter().enumerate().flat_map(|(at, visit)| visit.pieces().map(move |piece| (at, visit, piece))).collect();
    let next = AtomicUsize::new(0);
    let walk = |proc: &mut ProcDir| {
        let mut done = Vec::new();
        while let Some((at, visit, piece)) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*at, visit.walk_piece(proc, piece.clone().into())));
        }
        done
    };
    let (mine, theirs) = threads::both(|| walk(proc), || walk(second));
    let mut found: Vec<DescriptorWalk> = visits.iter().map(|_| DescriptorWalk::default()).collect();
    for (at, piece) in mine.into_iter().chain(theirs) {
        if let Some(whole) = found.get_mut(at) {
            whole.add(piece);
        }
    }
    for found in &mut found {
        found.sockets.sort_unstable();
    }
    found
}

impl DescriptorWalk {
    fn add(&mut self, mut piece: Self) {
        if self.sockets.is_empty() {
            self.sockets = piece.sockets;
        } else {
            self.sockets.append(&mut piece.sockets);
        }
        self.count = self.count.saturating_add(piece.count);
        self.took = self.took.saturating_add(piece.took);
        self.error = self.error.or(piece.error);
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;

    use super::*;

    fn visit(count: u64) -> Visit {
        let proc = ProcDir::open().expect("/proc");
        let visit = Visit::begin(&proc, std::process::id()).expect("this process");
        Visit { hint: Some(FdHint { inode: 1, count, uid: 0 }), ..visit }
    }

    #[test]
    fn pieces_have_every_descriptor_once() {
        for count in [0, 1, 2_048, 2_049, 200_000] {
            let pieces: Vec<_> = visit(count).pieces().collect();
            assert_eq!((pieces[0].start, pieces[pieces.len() - 1].end), (0, u32::MAX));
            assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert_eq!(pieces.len(), usize::try_from(count.div_ceil(2_048).max(1)).expect("few"));
        }
    }

    #[test]
    fn two_threads_find_what_one_finds() {
        let sockets: Vec<_> = (0..50).map(|_| UdpSocket::bind("127.0.0.1:0").expect("loopback")).collect();
        let [mut proc, mut second] = [(); 2].map(|()| ProcDir::open().expect("/proc"));
        // The hint of a giant makes many pieces, most of them empty.
        let visits = [visit(4), visit(200_000), visit(2_049)];
        let found = walk_all(&visits, &mut proc, &mut second);
        assert_eq!(found.len(), 3);
        for found in found {
            assert!(found.sockets.is_sorted_by_key(|socket| socket.descriptor), "each once");
            assert!(found.sockets.len() >= sockets.len() && found.count as usize > sockets.len());
            assert_eq!(found.error, None);
        }
    }

    #[test]
    fn a_partial_walk_finds_new_sockets_in_gaps_in_used_descriptors_and_at_the_end() {
        let mut proc = ProcDir::open().expect("/proc");
        let open = || UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let mut sockets: Vec<_> = (0..50).map(|_| open()).collect();
        let me = visit(60);
        let before = me.walk(&mut proc).sockets;
        // Their descriptors are taken by the next ones.
        drop([sockets.remove(10), sockets.remove(20)]);
        sockets.extend((0..5).map(|_| open()));
        // Also those that other tests have closed: their descriptors may be taken as well.
        let after = me.walk(&mut proc).sockets;
        let gone: Vec<_> = before.iter().filter(|socket| !after.contains(socket)).map(|socket| socket.inode).collect();
        assert!(gone.len() >= 2);
        let mine = |found: &[SocketFd]| -> Vec<SocketFd> {
            // Other tests of this process open sockets as well.
            let fds: Vec<_> = sockets.iter().map(|socket| u32::try_from(socket.as_raw_fd())).collect();
            found.iter().filter(|socket| fds.contains(&Ok(socket.descriptor))).copied().collect()
        };
        let partial_walk = me.partial_walk(&mut proc, &before, |inode| gone.contains(&inode)).expect("few descriptors");
        assert_eq!(mine(&partial_walk.sockets), mine(&me.walk(&mut proc).sockets));
        assert_eq!((mine(&partial_walk.sockets).len(), partial_walk.error), (sockets.len(), None));
        let sparse = [SocketFd { descriptor: 900_000, inode: 1 }];
        assert!(me.partial_walk(&mut proc, &sparse, |_| false).is_none(), "a walk is cheaper");
    }
}
