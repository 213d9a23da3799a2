//! Looks through the descriptors of processes, of many of them on two threads.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::io::Errno;

use crate::model::time::Timestamp;
use crate::source::clock;
use crate::source::linux::proc_dir::{FdHint, ProcDir, ProcessDir};
use crate::source::linux::threads;

/// A thread takes this many descriptors of one process at a time, so that two can share a giant.
const PIECE_LEN: u32 = 16_384;

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
pub struct Found {
    /// The inodes of its sockets, in no order.
    pub inodes: Vec<u32>,
    /// How many descriptors it has.
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
        let hint = proc.fd_hint(pid).ok();
        Ok(Self { pid, directory: proc.process(pid)?, hint, begun })
    }

    /// Looks through it.
    pub fn walk(&self, proc: &mut ProcDir) -> Found {
        self.walk_piece(proc, 0..u32::MAX)
    }

    fn walk_piece(&self, proc: &mut ProcDir, piece: Range<u32>) -> Found {
        let begun = clock::now().0;
        let mut inodes = Vec::new();
        let (count, error) = match proc.socket_inodes_in(&self.directory, piece, &mut inodes) {
            Ok(count) => (count, None),
            Err(error) => (0, Some(error)),
        };
        Found { inodes, count, took: clock::now().0.since(begun), error }
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
pub fn walk_all(visits: &[Visit], proc: &mut ProcDir, second: &mut ProcDir) -> Vec<Found> {
    let pieces: Vec<_> =
        visits.iter().enumerate().flat_map(|(at, visit)| visit.pieces().map(move |piece| (at, visit, piece))).collect();
    let next = AtomicUsize::new(0);
    let walk = |proc: &mut ProcDir| {
        let mut done = Vec::new();
        while let Some((at, visit, piece)) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*at, visit.walk_piece(proc, piece.clone())));
        }
        done
    };
    let (mine, theirs) = threads::both(|| walk(proc), || walk(second));
    let mut found: Vec<Found> = visits.iter().map(|_| Found::default()).collect();
    for (at, piece) in mine.into_iter().chain(theirs) {
        if let Some(whole) = found.get_mut(at) {
            whole.add(piece);
        }
    }
    found
}

impl Found {
    fn add(&mut self, mut piece: Self) {
        if self.inodes.is_empty() {
            self.inodes = piece.inodes;
        } else {
            self.inodes.append(&mut piece.inodes);
        }
        self.count = self.count.saturating_add(piece.count);
        self.took = self.took.saturating_add(piece.took);
        self.error = self.error.or(piece.error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visit(count: u64) -> Visit {
        let proc = ProcDir::open().expect("/proc");
        let visit = Visit::begin(&proc, std::process::id()).expect("this process");
        Visit { hint: Some(FdHint { inode: 1, count }), ..visit }
    }

    #[test]
    fn pieces_have_every_descriptor_once() {
        for count in [0, 1, 16_384, 16_385, 200_000] {
            let pieces: Vec<_> = visit(count).pieces().collect();
            assert_eq!((pieces[0].start, pieces[pieces.len() - 1].end), (0, u32::MAX));
            assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert_eq!(pieces.len(), usize::try_from(count.div_ceil(16_384).max(1)).expect("few"));
        }
    }

    #[test]
    fn two_threads_find_what_one_finds() {
        let sockets: Vec<_> = (0..50).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback")).collect();
        let [mut proc, mut second] = [(); 2].map(|()| ProcDir::open().expect("/proc"));
        // The hint of a giant makes many pieces, most of them empty.
        let visits = [visit(4), visit(200_000), visit(16_385)];
        let found = walk_all(&visits, &mut proc, &mut second);
        assert_eq!(found.len(), 3);
        for found in found {
            let inodes: std::collections::BTreeSet<_> = found.inodes.iter().collect();
            assert_eq!((inodes.len(), found.error), (found.inodes.len(), None), "each once");
            assert!(found.inodes.len() >= sockets.len() && found.count as usize > sockets.len());
        }
    }
}
