//! Which line stands above which, worst first, so that lines do not dance: a line goes to another place only once it has been
//! worse, or better, for ten seconds.

use std::cmp::Reverse;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::model::time::Timestamp;
use crate::store::folding::FoldKey;

/// How long a line has to be worse or better before it goes to another place; so long a line that is gone keeps its own.
pub const HOLD: Duration = Duration::from_secs(10);

/// How bad a line is; the greatest stands first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FoldRank {
    /// 2 with a critical finding, 1 with a warning.
    pub badness: u8,
    /// Whether it has a verdict that stands.
    pub has_verdict: bool,
    /// Its size in powers of ten.
    pub size: u8,
}

/// Where a line stands: compares as the lines stand, first to last.
pub type FoldPlace = (Reverse<FoldRank>, u64);

/// The places of all lines.
#[derive(Debug, Default)]
pub struct Standings {
    lines: FxHashMap<FoldKey, Standing>,
    last: u64,
    /// Whether a line may be given another place only because time passes.
    is_waiting: bool,
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    /// By which it stands where it is.
    rank: FoldRank,
    /// Among equals, those that came first stand first.
    number: u64,
    differs: Option<Differing>,
    seen: Timestamp,
}

/// A line is worse, or better, than its place says.
#[derive(Clone, Copy, Debug)]
struct Differing {
    since: Timestamp,
    is_worse: bool,
    /// The rank that it has had at least (at most) all that time.
    rank: FoldRank,
}

impl Standing {
    /// At `now` it ranks as `rank`; it gets the place of that at once if nothing `is_settled` yet.
    fn note(&mut self, now: Timestamp, rank: FoldRank, is_settled: bool) {
        self.seen = now;
        if rank == self.rank || !is_settled {
            (self.rank, self.differs) = (rank, None);
            return;
        }
        let is_worse = rank > self.rank;
        let begun = Differing { since: now, is_worse, rank };
        let mut differs = self.differs.filter(|differs| differs.is_worse == is_worse).unwrap_or(begun);
        differs.rank = if is_worse { differs.rank.min(rank) } else { differs.rank.max(rank) };
        self.differs = Some(differs);
        if now.since(differs.since) >= HOLD {
            (self.rank, self.differs) = (differs.rank, None);
        }
    }
}

impl Standings {
    /// Takes note of how bad the lines of `now` are. Lines that are new get their place by that at once; of several, those
    /// with the most sockets first, which each of `lines` tells too. Of samples that began at `begun`: in the first ten seconds what is wrong is only
    /// being found out, and lines get their places at once.
    pub fn update(&mut self, now: Timestamp, begun: Timestamp, lines: impl Iterator<Item = (FoldKey, FoldRank, u32)>) {
        let is_settled = now.since(begun) >= HOLD;
        let mut new = Vec::new();
        for (key, rank, sockets) in lines {
            match self.lines.get_mut(&key) {
                Some(known) => known.note(now, rank, is_settled),
                None => new.push((Reverse(sockets), key, rank)),
            }
        }
        new.sort_unstable();
        for (_, key, rank) in new {
            self.last += 1;
            self.lines.insert(key, Standing { rank, number: self.last, differs: None, seen: now });
        }
        self.lines.retain(|_, standing| now.since(standing.seen) < HOLD);
        self.is_waiting = self.lines.values().any(|standing| standing.differs.is_some() || standing.seen != now);
    }

    /// Whether a line may be given another place though nothing changes.
    pub const fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Where the line of `key` stands.
    pub fn place(&self, key: FoldKey) -> FoldPlace {
        self.lines.get(&key).map_or((Reverse(FoldRank::default()), u64::MAX), |line| (Reverse(line.rank), line.number))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::folding::{FoldPeer, Folding};

    fn key(number: u16) -> FoldKey {
        let peer = Some(FoldPeer::ToPort(number));
        FoldKey { folding: Folding::Port, owner: None, peer, protocol: None, state: None, unit: None, host: None }
    }

    fn rank(badness: u8, size: u8) -> FoldRank {
        FoldRank { badness, has_verdict: false, size }
    }

    fn order(standings: &Standings, lines: &[FoldKey]) -> Vec<FoldKey> {
        let mut lines = lines.to_vec();
        lines.sort_by_key(|key| standings.place(*key));
        lines
    }

    #[test]
    fn a_line_that_is_worse_for_a_moment_stays_and_one_that_stays_worse_goes_up() {
        let mut standings = Standings::default();
        let at = |second: u64| Timestamp::from_millis(second * 1_000);
        let lines = [key(1), key(2)];
        let mut is = |second, rank_of_2| {
            standings.update(at(second), at(0), [(key(1), rank(0, 3), 0), (key(2), rank_of_2, 0)].into_iter());
            order(&standings, &lines)
        };
        assert_eq!(is(100, rank(0, 1)), [key(1), key(2)]);
        assert_eq!(is(101, rank(2, 1)), [key(1), key(2)]);
        assert_eq!(is(105, rank(0, 1)), [key(1), key(2)], "it was worse for four seconds");
        assert_eq!(is(106, rank(2, 1)), [key(1), key(2)]);
        assert_eq!(is(116, rank(2, 2)), [key(2), key(1)]);
        assert_eq!(is(117, rank(0, 1)), [key(2), key(1)]);
        assert_eq!(is(127, rank(0, 1)), [key(1), key(2)]);
    }

    #[test]
    fn a_line_that_is_gone_for_a_moment_comes_back_to_its_place() {
        let mut standings = Standings::default();
        let at = |second: u64| Timestamp::from_millis(second * 1_000);
        let lines = [key(1), key(2)];
        standings.update(at(1), at(0), lines.map(|key| (key, rank(0, 0), 0)).into_iter());
        standings.update(at(2), at(0), [(key(2), rank(0, 0), 0)].into_iter());
        assert!(standings.is_waiting());
        standings.update(at(5), at(0), lines.map(|key| (key, rank(0, 0), 0)).into_iter());
        assert_eq!(order(&standings, &lines), [key(1), key(2)]);
        standings.update(at(6), at(0), [(key(2), rank(0, 0), 0)].into_iter());
        standings.update(at(16), at(0), [(key(2), rank(0, 0), 0)].into_iter());
        standings.update(at(20), at(0), lines.map(|key| (key, rank(0, 0), 0)).into_iter());
        assert_eq!(order(&standings, &lines), [key(2), key(1)]);
        assert_eq!(standings.lines.len(), 2);
    }

    proptest! {
        /// Whatever happens: if two lines change places, one of them was worse, or better, than its place for ten seconds.
        #[test]
        fn no_line_moves_unless_its_rank_was_another_one_for_long(
            samples in proptest::collection::vec((proptest::collection::vec((0u8..3, 0u8..4), 8), 1u64..5), 1..60),
        ) {
            let (mut standings, lines) = (Standings::default(), (0..8).map(key).collect::<Vec<_>>());
            // The ranks of the past, and when each sample was.
            let mut past: Vec<(Timestamp, Vec<FoldRank>)> = Vec::new();
            let begun = Timestamp::default();
            let (mut second, mut before) = (HOLD.as_secs(), Vec::new());
            for (ranks, after) in samples {
                second += after;
                let now = Timestamp::from_millis(second * 1_000);
                let ranks: Vec<_> = ranks.into_iter().map(|(badness, size)| rank(badness, size)).collect();
                let places: Vec<_> = lines.iter().map(|key| standings.place(*key)).collect();
                standings.update(now, begun, lines.iter().zip(&ranks).map(|(key, rank)| (*key, *rank, 0)));
                past.push((now, ranks));
                let after = order(&standings, &lines);
                let has_moved = |line: usize| {
                    let (Reverse(rank), _) = places[line];
                    let held = past.iter().rev().take_while(|(_, ranks)| ranks[line] > rank).last();
                    let better = past.iter().rev().take_while(|(_, ranks)| ranks[line] < rank).last();
                    held.or(better).is_some_and(|(since, _)| now.since(*since) >= HOLD)
                };
                let place_in = |order: &[FoldKey], line: usize| order.iter().position(|key| *key == lines[line]);
                for one in 0..lines.len() {
                    for other in 0..one {
                        let is_above = |order: &[FoldKey]| place_in(order, one) < place_in(order, other);
                        if !before.is_empty() && is_above(&before) != is_above(&after) {
                            prop_assert!(has_moved(one) || has_moved(other));
                        }
                    }
                }
                before = after;
            }
        }
    }
}
