//! The folded table: its lines in order, which of them are unfolded, and the sockets below those.
//!
//! Lines are added up from the sets of sockets that are alike, of which there is a bounded number; the sockets themselves are
//! looked at, in slices, only where a filter is in force or a line is unfolded.

use std::borrow::Cow;
use std::collections::BinaryHeap;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::delta::Since;
use crate::model::process::ProcessId;
use crate::model::socket::SocketId;
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::alike::history::TrendSlot;
use crate::store::alike::key::{AlikeOwner, AlikePeer, NameId};
use crate::store::alike::{AlikeSockets, AlikeSums};
use crate::store::folding::{FoldKey, FoldKeys, FoldOwner, Folding};
use crate::store::row::{RowIndex, SocketRow};
use crate::table::column::find;
use crate::table::filter::Filter;
use crate::table::folded::columns::{FOLDED, WHY, has_standing_verdict};
use crate::table::folded::standing::{FoldPlace, FoldRank, Standings};
use crate::table::folded::tree::in_tree;
use crate::table::folded::{FoldMark, FoldedLine, FoldedRow, LineKey, Several};
use crate::table::order::Order;
use crate::table::sort::SortKey;

/// So many lines can be unfolded at once.
const UNFOLDED_MAX: usize = 64;
/// How many sockets of a line are shown at first, and each time that more are asked for so many times as many.
const SOCKETS_SHOWN: usize = 10;
const MORE_TIMES: usize = 5;
/// So many sockets of a line are shown below it at most; the table of single sockets shows all.
pub const SOCKETS_SHOWN_MAX: usize = 500;

/// The folded table.
#[derive(Debug)]
pub struct FoldedView {
    folding: Folding,
    filter: Filter,
    sort: SortKey,
    /// How bad what is found about sets of sockets is, by the number of the set.
    marks: FxHashMap<u32, FoldMark>,
    rows: Vec<FoldedRow>,
    /// Indices into the rows, first to last.
    order: Vec<u32>,
    standings: Standings,
    /// Lines that are unfolded, and how many of their sockets are shown.
    unfolded: FxHashMap<FoldKey, usize>,
    /// The sockets below those, the oldest first.
    sockets: FxHashMap<FoldKey, Vec<SocketId>>,
    /// What is on the lines, first to last.
    lines: Vec<LinePlace>,
    /// What passes the filter, where there is one.
    passing: FxHashMap<u32, PassingSet>,
    pass: Option<FoldPass>,
    made_of: Option<MadeOf>,
    /// It is to be sorted anew.
    is_unsorted: bool,
    /// The marks are others than those that the lines have.
    is_marked_anew: bool,
}

/// What is on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinePlace {
    /// A row, by its index.
    Row(u32),
    /// A socket of the row with this index.
    Socket(u32, SocketId),
    /// The end of what is unfolded of the row with this index, and how many more sockets there are.
    More(u32, u64),
}

/// What the lines were made of: as long as it is the same, they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MadeOf {
    version: u64,
    slot: TrendSlot,
    /// How many deltas there were, if the filter may change its mind without a change of the sockets.
    deltas: Option<u64>,
}

/// Those of a set of sockets that pass the filter.
#[derive(Clone, Copy, Debug, Default)]
struct PassingSet {
    sums: AlikeSums,
    oldest: Option<(Since, RowIndex)>,
}

/// A pass over the rows: for the filter, and for the sockets of lines that are unfolded.
#[derive(Debug)]
struct FoldPass {
    next: RowIndex,
    keys: FoldKeys,
    passing: FxHashMap<u32, PassingSet>,
    /// The oldest sockets of each line that is unfolded: the youngest of them on top.
    found: FxHashMap<FoldKey, BinaryHeap<(Timestamp, RowIndex)>>,
}

impl FoldedView {
    /// An empty table, worst first.
    pub fn new() -> Self {
        let column = find(FOLDED, WHY).unwrap_or_default();
        Self {
            folding: Folding::default(),
            filter: Filter::default(),
            sort: SortKey { column, order: Order::Descending },
            marks: FxHashMap::default(),
            rows: Vec::new(),
            order: Vec::new(),
            standings: Standings::default(),
            unfolded: FxHashMap::default(),
            sockets: FxHashMap::default(),
            lines: Vec::new(),
            passing: FxHashMap::default(),
            pass: None,
            made_of: None,
            is_unsorted: false,
            is_marked_anew: false,
        }
    }

    /// What the sockets of a line have in common.
    pub const fn folding(&self) -> Folding {
        self.folding
    }

    /// Folds otherwise, from the next [`refresh`](Self::refresh) on.
    pub fn fold_by(&mut self, folding: Folding) {
        if self.folding != folding {
            let (filter, marks) = (self.filter.clone(), std::mem::take(&mut self.marks));
            *self = Self { folding, filter, sort: self.sort, marks, ..Self::new() };
        }
    }

    /// The store is another one: lines are made anew, and stand where they belong at once. Those that are unfolded stay so.
    pub fn forget_store(&mut self) {
        self.unfolded.retain(|key, _| key.is_of_any_store());
        self.marks = FxHashMap::default();
        self.standings = Standings::default();
        (self.sockets, self.passing) = (FxHashMap::default(), FxHashMap::default());
        (self.pass, self.made_of) = (None, None);
    }

    /// What it is sorted by; by [`WHY`], the worst stand first, and keep their places.
    pub const fn sort(&self) -> SortKey {
        self.sort
    }

    /// Starts to sort by `sort`.
    pub const fn start_sort(&mut self, sort: SortKey) {
        (self.sort, self.is_unsorted) = (sort, true);
    }

    /// Which sockets are added up.
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Another filter is in force.
    pub fn set_filter(&mut self, filter: &Filter) {
        if self.filter.text() != filter.text() {
            self.filter = filter.clone();
            self.made_of = None;
        }
    }

    /// What was found about sets of sockets, by the number of the set.
    pub fn set_marks(&mut self, marks: FxHashMap<u32, FoldMark>) {
        if self.marks != marks {
            self.marks = marks;
            self.is_marked_anew = true;
        }
    }

    /// How many lines there are.
    pub const fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How many rows there are, whether they are unfolded or not.
    pub const fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How many sockets all of them have.
    pub fn sockets(&self) -> u64 {
        self.rows.iter().map(|row| u64::from(row.sums.sockets)).sum()
    }

    /// What identifies each row, in their order.
    pub fn keys(&self) -> impl Iterator<Item = FoldKey> {
        self.rows.iter().map(|row| row.key)
    }

    /// What identifies line `line`.
    pub fn key(&self, line: usize) -> Option<LineKey> {
        Some(match *self.lines.get(line)? {
            LinePlace::Row(index) => LineKey::Row(self.row_at(index)?.key),
            LinePlace::Socket(_, id) => LineKey::Socket(id),
            LinePlace::More(index, _) => LineKey::More(self.row_at(index)?.key),
        })
    }

    /// What is on line `line`.
    pub fn line(&self, line: usize, store: &Store) -> Option<FoldedLine> {
        Some(match *self.lines.get(line)? {
            LinePlace::Row(index) => FoldedLine::Row(Box::new(self.row_at(index)?.clone())),
            LinePlace::Socket(_, id) => {
                let row: &SocketRow = store.rows().get(store.rows().find(id)?)?;
                FoldedLine::Socket(row.clone())
            }
            LinePlace::More(index, more) => FoldedLine::More(self.row_at(index)?.key, more),
        })
    }

    /// Where the line of `key` is; `None` if it is not shown.
    pub fn position(&self, key: LineKey) -> Option<usize> {
        (0..self.lines.len()).find(|line| self.key(*line) == Some(key))
    }

    /// The row of `key`.
    pub fn row(&self, key: FoldKey) -> Option<&FoldedRow> {
        self.rows.iter().find(|row| row.key == key)
    }

    fn row_at(&self, index: u32) -> Option<&FoldedRow> {
        self.rows.get(index as usize)
    }

    /// The row that line `line` belongs to.
    pub fn row_of_line(&self, line: usize) -> Option<&FoldedRow> {
        let (LinePlace::Row(index) | LinePlace::Socket(index, _) | LinePlace::More(index, _)) =
            *self.lines.get(line)?;
        self.row_at(index)
    }

    /// Shows sockets of the line of `key` below it, or more of them; answers whether it does: not if as many as may be are
    /// shown already.
    pub fn unfold(&mut self, key: FoldKey) -> bool {
        let is_full = self.unfolded.len() >= UNFOLDED_MAX && !self.unfolded.contains_key(&key);
        let before = self.unfolded.get(&key).copied();
        let shown = before.map_or(SOCKETS_SHOWN, |shown| (shown * MORE_TIMES).min(SOCKETS_SHOWN_MAX));
        if is_full || before == Some(shown) {
            return false;
        }
        self.unfolded.insert(key, shown);
        self.made_of = None;
        true
    }

    /// Shows no sockets of the line of `key` any more; answers whether it did.
    pub fn fold(&mut self, key: FoldKey, store: &Store) -> bool {
        let was_unfolded = self.unfolded.remove(&key).is_some();
        self.sockets.remove(&key);
        self.list_lines(store);
        was_unfolded
    }

    /// Makes the lines anew, or starts to, if anything has changed since they were made; once that is done it is to be called
    /// again. The store must not change in between.
    pub fn refresh(&mut self, store: &Store) {
        let alike = store.rows().alike();
        let is_free = self.filter.depends_on_time() || self.filter.depends_on_names();
        let deltas = is_free.then(|| store.deltas());
        let made_of = Some(MadeOf { version: alike.version(), slot: alike.slot(), deltas });
        let is_same = self.made_of == made_of;
        if is_same && !self.is_marked_anew && !self.standings.is_waiting() {
            return;
        }
        if !is_same && (!self.filter.is_empty() || !self.unfolded.is_empty()) {
            if self.pass.is_none() {
                self.pass = Some(FoldPass::new(self.folding, store, self.unfolded.keys()));
            }
            self.made_of = made_of;
            return;
        }
        self.made_of = made_of;
        if self.pass.is_none() {
            self.fold_sets(store);
        }
    }

    /// Whether [`advance`](Self::advance) has work to do.
    pub const fn is_busy(&self) -> bool {
        self.pass.is_some() || self.is_unsorted
    }

    /// Whether what passes another filter is still to be found.
    pub fn is_filtering(&self) -> bool {
        self.pass.is_some() && self.rows.is_empty()
    }

    /// Goes on with the pass over the rows, as far as `steps` allows; answers whether that made new lines.
    pub fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        let was_unsorted = self.is_unsorted;
        if was_unsorted {
            self.arrange(store);
            *steps = steps.saturating_sub(self.rows.len());
        }
        let Some(mut pass) = self.pass.take() else { return was_unsorted };
        if !pass.advance(store, &self.filter, &self.unfolded, steps) {
            self.pass = Some(pass);
            return was_unsorted;
        }
        let id_of = |row: RowIndex| Some(store.rows().get(row)?.connection.socket.id);
        let in_order = |heap: BinaryHeap<(Timestamp, RowIndex)>| {
            heap.into_sorted_vec().into_iter().filter_map(|(_, row)| id_of(row)).collect()
        };
        self.sockets = pass.found.into_iter().map(|(key, heap)| (key, in_order(heap))).collect();
        self.passing = pass.passing;
        self.fold_sets(store);
        true
    }

    /// Adds the sets of sockets up to rows, and puts those in order.
    fn fold_sets(&mut self, store: &Store) {
        self.is_marked_anew = false;
        let mut folds = Folds::default();
        let keys = FoldKeys::new(self.folding, store);
        for (number, set) in store.rows().alike().iter() {
            if self.filter.is_empty() {
                folds.add(keys.of(set), number, set, (&set.sums, set.oldest()), &self.marks, store);
            } else if let Some(passing) = self.passing.get(&number) {
                let oldest = passing.oldest.map(|(since, _)| since);
                folds.add(keys.of(set), number, set, (&passing.sums, oldest), &self.marks, store);
            }
        }
        self.rows = folds.rows;
        // Of what comes before now all at once nobody has seen a line: it has no place to keep.
        let begun = store.rows().alike().begun().max(store.overtaken_at());
        self.standings.update(
            store.at(),
            begun,
            self.rows.iter().map(|row| (row.key, rank(row, store), row.sums.sockets)),
        );
        self.arrange(store);
    }

    /// Puts the rows in order, and those that are unfolded with what is below them.
    fn arrange(&mut self, store: &Store) {
        self.is_unsorted = false;
        let places: Vec<FoldPlace> = self.rows.iter().map(|row| self.standings.place(row.key)).collect();
        let mut order: Vec<u32> = (0..u32::try_from(self.rows.len()).unwrap_or(u32::MAX)).collect();
        order.sort_unstable_by_key(|at| places[*at as usize]);
        let SortKey { column, order: direction } = self.sort;
        let is_worst_first = FOLDED[column].key == WHY;
        if is_worst_first && direction == Order::Ascending {
            order.reverse();
        }
        if !is_worst_first {
            let lines: Vec<_> = self.rows.iter().map(|row| FoldedLine::Row(Box::new(row.clone()))).collect();
            // A value may be made of several others: each is made once, not at every comparison.
            let values: Vec<_> = lines.iter().map(|line| (FOLDED[column].value)(line, store)).collect();
            // Equal ones stay worst first.
            order.sort_by(|a, b| values[*a as usize].compare(&values[*b as usize], direction));
        }
        if self.folding == Folding::Process && is_worst_first {
            order = in_tree(&mut self.rows, &order);
        }
        self.order = order;
        self.list_lines(store);
    }

    fn list_lines(&mut self, store: &Store) {
        self.lines.clear();
        for &index in &self.order {
            let Some(row) = self.rows.get_mut(index as usize) else { continue };
            row.is_unfolded = self.unfolded.contains_key(&row.key);
            self.lines.push(LinePlace::Row(index));
            let Some(sockets) = self.sockets.get(&row.key).filter(|_| row.is_unfolded) else { continue };
            // Of those that were found some may be gone by now.
            let there = sockets.iter().filter(|id| store.rows().find(**id).is_some());
            self.lines.extend(there.map(|id| LinePlace::Socket(index, *id)));
            let more = u64::from(row.sums.sockets).saturating_sub(sockets.len() as u64);
            if more > 0 {
                self.lines.push(LinePlace::More(index, more));
            }
        }
    }
}

impl Default for FoldedView {
    fn default() -> Self {
        Self::new()
    }
}

/// How bad a row is: what was found about it, whether it has a verdict, how many sockets it has.
fn rank(row: &FoldedRow, store: &Store) -> FoldRank {
    let badness = row.mark.as_ref().map_or(0, |mark| mark.badness);
    FoldRank {
        badness,
        // What is found says more.
        has_verdict: badness == 0 && has_standing_verdict(row, store),
        size: u8::try_from(row.sums.sockets.max(1).ilog10()).unwrap_or(u8::MAX),
    }
}

impl FoldPass {
    fn new<'a>(folding: Folding, store: &Store, unfolded: impl Iterator<Item = &'a FoldKey>) -> Self {
        let found = unfolded.map(|key| (*key, BinaryHeap::new())).collect();
        Self { next: RowIndex(0), keys: FoldKeys::new(folding, store), passing: FxHashMap::default(), found }
    }

    /// Looks at as many rows as `steps` allows; answers whether those were all.
    fn advance(
        &mut self,
        store: &Store,
        filter: &Filter,
        shown: &FxHashMap<FoldKey, usize>,
        steps: &mut usize,
    ) -> bool {
        while *steps > 0 {
            *steps -= 1;
            let Some((index, row)) = store.rows().first_from(self.next) else { return true };
            self.next = RowIndex(index.0 + 1);
            let alike = store.rows().alike();
            let Some(number) = alike.set_of(index).filter(|_| filter.matches(row, store)) else { continue };
            let Some(set) = alike.get(number) else { continue };
            let since = row.connection.state_since;
            if !filter.is_empty() {
                let passing = self.passing.entry(number).or_default();
                passing.sums.add(&AlikeSums::of(&row.connection));
                if let Some(since) = since.filter(|since| passing.oldest.is_none_or(|(oldest, _)| since.at < oldest.at))
                {
                    passing.oldest = Some((since, index));
                }
            }
            if self.found.is_empty() {
                continue;
            }
            let key = self.keys.of(set);
            if let (Some(heap), Some(shown)) = (self.found.get_mut(&key), shown.get(&key)) {
                // What nothing tells the age of comes last.
                heap.push((since.map_or(Timestamp::from_millis(u64::MAX / 2_000_000), |since| since.at), index));
                if heap.len() > *shown {
                    heap.pop();
                }
            }
        }
        false
    }
}

/// Rows that are being added up.
#[derive(Debug, Default)]
struct Folds {
    rows: Vec<FoldedRow>,
    places: FxHashMap<FoldKey, usize>,
    /// The first of each kind that each row has met.
    first: Vec<[Facet; 4]>,
    /// What else it has met.
    met: FxHashSet<(usize, Facet)>,
}

/// Something of which a row may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Facet {
    Owner(AlikeOwner),
    Program(Option<NameId>),
    Peer(AlikePeer),
    State(TcpState),
}

impl Folds {
    /// Adds those of `set` that are to be shown: `sums` and since when the oldest of them is in its state.
    fn add(
        &mut self,
        key: FoldKey,
        number: u32,
        set: &AlikeSockets,
        (sums, oldest): (&AlikeSums, Option<Since>),
        marks: &FxHashMap<u32, FoldMark>,
        store: &Store,
    ) {
        let facets = [
            Facet::Owner(set.key.owner),
            Facet::Program(set.name),
            Facet::Peer(set.key.peer),
            Facet::State(set.key.state),
        ];
        let count_before = self.rows.len();
        let at = *self.places.entry(key).or_insert(count_before);
        if at == count_before {
            self.rows.push(FoldedRow::empty(key));
            self.first.push(facets);
        }
        let is_new_row = at == count_before;
        let [is_new_owner, is_new_program, is_new_peer, is_new_state] =
            std::array::from_fn(|nth| is_new_row || self.meets(at, nth, facets[nth]));
        let (alike, is_whole) = (store.rows().alike(), sums.sockets == set.sums.sockets);
        let row = &mut self.rows[at];
        let is_nobodys = matches!(key.owner, Some(FoldOwner::Nobody(_)));
        row.processes += u32::from(is_new_owner && !is_nobodys && matches!(set.key.owner, AlikeOwner::Process(_)));
        row.programs += u32::from(is_new_program && !is_nobodys && set.name.is_some());
        count(&mut row.peers, set.key.peer, is_new_peer);
        count(&mut row.states, set.key.state, is_new_state);
        let is_remembered = matches!(set.key.owner, AlikeOwner::Remembered(_));
        if let AlikeOwner::Nobody(why) = set.key.owner {
            row.nobody.get_or_insert(why);
        }
        let is_better = row.process.is_none() || (row.is_remembered && !is_remembered && set.process.is_some());
        if is_better && !is_nobodys {
            (row.process, row.is_remembered) = (set.process.clone(), is_remembered);
        }
        let is_first = row.sums.sockets == 0;
        row.sums.add(sums);
        if oldest.is_some_and(|since| row.oldest.is_none_or(|oldest| since.at < oldest.at)) {
            row.oldest = oldest;
        }
        let trend = alike.trend(number).filter(|_| is_whole);
        match (&mut row.trend, trend) {
            (sum @ None, Some(trend)) if is_first => *sum = Some(trend),
            (Some(sum), Some(trend)) => sum.add(&trend),
            (sum, _) => *sum = None,
        }
        let opened = alike.opened_per_second(number).filter(|_| is_whole);
        row.opened_per_second =
            opened.map(|opened| opened + row.opened_per_second.unwrap_or(0.0)).or(row.opened_per_second);
        let mark = marks.get(&number);
        if mark.is_some_and(|mark| row.mark.as_ref().is_none_or(|worst| mark.badness > worst.badness)) {
            row.mark = mark.cloned();
        }
    }

    /// Whether the row at `at` has not met `facet`, the `nth` of a set, before.
    fn meets(&mut self, at: usize, nth: usize, facet: Facet) -> bool {
        self.first[at][nth] != facet && self.met.insert((at, facet))
    }
}

fn count<T: Copy>(several: &mut Several<T>, one: T, is_new: bool) {
    several.first.get_or_insert(one);
    several.count += u32::from(is_new);
}

impl FoldedRow {
    fn empty(key: FoldKey) -> Self {
        Self {
            key,
            process: None,
            is_remembered: false,
            nobody: None,
            programs: 0,
            processes: 0,
            peers: Several::default(),
            states: Several::default(),
            sums: AlikeSums::default(),
            oldest: None,
            trend: None,
            opened_per_second: None,
            mark: None,
            depth: 0,
            is_unfolded: false,
        }
    }

    /// The process that it stands for, if that is one that holds its sockets now.
    pub fn only_process(&self) -> Option<ProcessId> {
        match self.key.owner {
            Some(FoldOwner::Process(id)) => Some(id),
            _ if self.processes == 1 && !self.is_remembered => self.process.as_ref().map(|process| process.id),
            _ => None,
        }
    }
}

/// What is said of a finding that has no words of its own for why.
pub fn short_cause(why: &'static str, title: &'static str) -> Cow<'static, str> {
    if !why.is_empty() {
        return Cow::Borrowed(why);
    }
    let mut letters = title.chars();
    match (letters.next(), letters.clone().next()) {
        // CLOSE_WAIT stays as it is.
        (Some(first), Some(second)) if second.is_lowercase() => {
            Cow::Owned(first.to_lowercase().chain(letters).collect())
        }
        _ => Cow::Borrowed(title),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_written_as_in_a_sentence() {
        assert_eq!(short_cause("never closed", "CLOSE_WAIT leak"), "never closed");
        assert_eq!(short_cause("", "CLOSE_WAIT leak"), "CLOSE_WAIT leak");
        assert_eq!(short_cause("", "Accept queue full"), "accept queue full");
    }
}
