//! Which connections are shown and in what order. Knows nothing of the screen; the cursor is the app's.
//!
//! A sample costs time in proportion to what it touched: touched rows are taken out and put back by binary search.
//! Whatever has to look at every row (another filter, another sort, values that change by themselves, very many rows at
//! once) is done in slices, while the old order stands.

use crate::model::process::Names;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::row::RowIndex;
use crate::store::row_set::RowSet;
use crate::store::rows::Touched;
use crate::table::column::Drift;
use crate::table::connections::COLUMNS;
use crate::table::filter::Filter;
use crate::table::reinsertion::Reinsertion;
use crate::table::row_order::{OrderedRow, RowOrder};
use crate::table::sliced_sort::SlicedSort;
use crate::table::sort::SortKey;

/// So many touched rows are put into order at once; more are, in slices. (Tests come with few rows.)
const AT_ONCE_MAX: usize = if cfg!(test) { 2 } else { 256 };
/// So many touched rows are merged into the others however few those are. More are sorted together with all of them,
/// which is faster, unless they are few beside those that are shown.
const MERGED_MAX: usize = 4 * AT_ONCE_MAX;
/// Beside [`MERGED_MAX`], one touched row is merged for each of so many rows that are shown.
const MERGED_DIVISOR: usize = 8;

/// The filtered, sorted order of the connection table.
#[derive(Debug, Default)]
pub struct View {
    by: RowOrder,
    /// The rows that are shown, first to last.
    order: Vec<RowIndex>,
    /// The rows of `order`.
    shown: RowSet,
    names: Names,
    rearrangement: Option<Rearrangement>,
    /// Touched rows that are being put into the order; never while all of it is made anew.
    reinsertion: Option<Reinsertion>,
}

/// Filter and order being made anew.
#[derive(Debug)]
struct Rearrangement {
    /// The rows that pass the filter, where that is known.
    passing: Option<RowSet>,
    /// The next row to look at; `None` once all are placed.
    next: Option<RowIndex>,
    placing: SlicedSort<(Timestamp, RowIndex)>,
    asked: bool,
}

impl View {
    /// Takes in what a delta touched, or starts to: then [`advance`](Self::advance) has work to do.
    pub fn apply(&mut self, touched: &Touched, store: &Store) {
        let names_changed = self.names != *store.names();
        if names_changed {
            self.names.clone_from(store.names());
        }
        self.forget(&touched.purged);
        let count = touched.added.len() + touched.renewed.len();
        let many = count > self.order.len() / MERGED_DIVISOR + MERGED_MAX;
        if many || self.changes_by_itself(names_changed) || self.is_busy() {
            let asked = self.is_arranging();
            self.arrange(None, asked, touched.added.len());
            return;
        }
        let moved: Vec<_> = touched.added.iter().chain(&touched.renewed).copied().collect();
        if count > AT_ONCE_MAX {
            self.reinsertion = Some(Reinsertion::new(self.by.sort.order, moved));
            return;
        }
        self.forget(&moved);
        self.insert(&moved, store);
    }

    /// Whether rows that no delta touched may come, go or move.
    fn changes_by_itself(&self, names_changed: bool) -> bool {
        let drift = COLUMNS[self.by.sort.column].drift;
        self.by.filter.depends_on_time()
            || drift == Drift::Free
            || (names_changed && (drift == Drift::Names || self.by.filter.depends_on_names()))
    }

    /// Starts to show only what `filter` passes.
    pub fn start_filter(&mut self, filter: Filter) {
        self.by.filter = filter;
        self.arrange(None, true, 0);
    }

    /// Starts to sort by `sort`.
    pub fn start_sort(&mut self, sort: SortKey) {
        self.by.sort = sort;
        // A filter that is being looked at has not decided on every row yet.
        let filtering = self.rearrangement.as_ref().is_some_and(|rearrangement| rearrangement.passing.is_none());
        let filtering = filtering || self.reinsertion.is_some();
        let passing = (!filtering).then(|| self.shown.clone());
        self.arrange(passing, true, 0);
    }

    /// Shows only what `filter` passes.
    pub fn set_filter(&mut self, filter: Filter, store: &Store) {
        self.start_filter(filter);
        self.settle(store);
    }

    /// Sorts by `sort`.
    pub fn set_sort(&mut self, sort: SortKey, store: &Store) {
        self.start_sort(sort);
        self.settle(store);
    }

    /// Goes on with what was started, as far as `steps` allows (a row looked at or moved is one); answers whether that
    /// made a new order. The store must not change in between, except by a delta that [`apply`](Self::apply) is told of.
    pub fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        if let Some(mut reinsertion) = self.reinsertion.take() {
            match reinsertion.advance(&self.by, &self.order, store, steps) {
                Some(order) => self.show(order),
                None => self.reinsertion = Some(reinsertion),
            }
            return self.reinsertion.is_none();
        }
        let Some(mut rearrangement) = self.rearrangement.take() else { return false };
        if !(rearrangement.collect(self, store, steps) && rearrangement.placing.advance(steps)) {
            self.rearrangement = Some(rearrangement);
            return false;
        }
        self.show(rearrangement.placing.into_order().map(|(_, index)| index).collect());
        true
    }

    fn show(&mut self, order: Vec<RowIndex>) {
        self.order = order;
        self.shown = RowSet::of(&self.order);
    }

    /// Does all that was started.
    pub fn settle(&mut self, store: &Store) {
        while self.is_busy() {
            self.advance(store, &mut usize::MAX.clone());
        }
    }

    /// Whether [`advance`](Self::advance) has work to do.
    pub const fn is_busy(&self) -> bool {
        self.rearrangement.is_some() || self.reinsertion.is_some()
    }

    /// Whether another filter or order was asked for that is not shown yet.
    pub fn is_arranging(&self) -> bool {
        self.rearrangement.as_ref().is_some_and(|rearrangement| rearrangement.asked)
    }

    /// Whether another filter was asked for that is not in force yet.
    pub fn is_filtering(&self) -> bool {
        self.rearrangement.as_ref().is_some_and(|rearrangement| rearrangement.asked && rearrangement.passing.is_none())
    }

    /// The filter.
    pub const fn filter(&self) -> &Filter {
        &self.by.filter
    }

    /// What it is sorted by.
    pub const fn sort(&self) -> SortKey {
        self.by.sort
    }

    /// The rows that are shown, first to last.
    pub fn order(&self) -> &[RowIndex] {
        &self.order
    }

    /// Where the row at `index` is shown; `None` if it is not.
    pub fn position(&self, index: RowIndex) -> Option<usize> {
        let is_shown = self.shown.contains(index);
        if is_shown { self.order.iter().position(|shown| *shown == index) } else { None }
    }

    /// How many of the rows that are shown are live.
    pub fn live(&self, store: &Store) -> usize {
        let closed = store.rows().closed().iter().filter(|index| self.shown.contains(*index));
        self.order.len() - closed.count()
    }

    /// Starts to make the order anew, in which about so many `added` rows come to those that are shown.
    fn arrange(&mut self, passing: Option<RowSet>, asked: bool, added: usize) {
        let placing = SlicedSort::new(self.by.sort.order, self.order.len() + added);
        self.reinsertion = None;
        self.rearrangement = Some(Rearrangement { passing, next: Some(RowIndex(0)), placing, asked });
    }

    /// Takes `rows` out of the order.
    fn forget(&mut self, rows: &[RowIndex]) {
        let mut any = false;
        for row in rows {
            any |= self.shown.remove(*row);
        }
        if any {
            let Self { order, shown, .. } = self;
            order.retain(|row| shown.contains(*row));
        }
    }

    /// Merges those of `moved`, none of which is shown, that pass the filter into the order.
    fn insert(&mut self, moved: &[RowIndex], store: &Store) {
        // A row that came and changed within the same delta is named twice.
        let mut placed = Vec::with_capacity(moved.len());
        for index in moved {
            let passes = store.rows().get(*index).is_some_and(|row| self.by.filter.matches(row, store));
            if passes && self.shown.insert(*index) {
                placed.extend(self.by.of(*index, store));
            }
        }
        if placed.is_empty() {
            return;
        }
        placed.sort_by(|a, b| self.by.compare(a, b));
        let mut merged = Vec::with_capacity(self.order.len() + placed.len());
        self.merge(&placed, &self.order, store, &mut merged);
        self.order = merged;
    }

    /// Puts `new` and `old`, both in order, into `merged`: the middle one of `new` first, which halves both, so that
    /// only few of the old rows are looked at.
    fn merge(&self, new: &[OrderedRow<'_>], old: &[RowIndex], store: &Store, merged: &mut Vec<RowIndex>) {
        let Some(middle) = new.get(new.len() / 2) else { return merged.extend_from_slice(old) };
        let is_before = |index: &RowIndex| self.by.is_before(*index, middle, store);
        let (before, after) = old.split_at(old.partition_point(is_before));
        self.merge(&new[..new.len() / 2], before, store, merged);
        merged.push(middle.index);
        self.merge(&new[new.len() / 2 + 1..], after, store, merged);
    }
}

impl Rearrangement {
    /// Places the rows that pass, as far as `steps` allows; answers whether all are placed.
    fn collect(&mut self, view: &View, store: &Store, steps: &mut usize) -> bool {
        let value = COLUMNS[view.by.sort.column].value;
        while let Some(next) = self.next {
            if *steps == 0 {
                return false;
            }
            *steps -= 1;
            let candidate = match &self.passing {
                Some(passing) => passing.first_from(next).map(|index| (index, store.rows().get(index))),
                None => store.rows().first_from(next).map(|(index, row)| (index, Some(row))),
            };
            let Some((index, row)) = candidate else {
                self.next = None;
                break;
            };
            self.next = Some(RowIndex(index.0 + 1));
            if let Some(row) = row.filter(|row| self.passing.is_some() || view.by.filter.matches(row, store)) {
                self.placing.push(&value(row, store), (row.connection.first_seen, index));
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::delta::{AgeBasis, Connection, Delta, Rates, Removed, Since};
    use crate::model::socket::TimerKind;
    use crate::model::tcp_state::TcpState;
    use crate::model::testing::{connection, process, source_info, tcp};
    use crate::table::column::find;
    use crate::table::order::Order;

    /// Takes in `touched`, in slices of a few rows.
    fn apply(view: &mut View, touched: &Touched, store: &Store) {
        view.apply(touched, store);
        while view.is_busy() {
            view.advance(store, &mut 7);
        }
    }

    fn sort(text: &str) -> SortKey {
        SortKey::parse(COLUMNS, text).expect(text)
    }

    fn cookies(view: &View, store: &Store) -> Vec<u64> {
        let cookie = |index: &RowIndex| store.rows().get(*index)?.connection.socket.id.cookie();
        view.order().iter().filter_map(cookie).collect()
    }

    fn delta(at_ms: u64, added: Vec<Connection>, changed: Vec<Connection>) -> Delta {
        Delta { at: Timestamp::from_millis(at_ms), added, changed, ..Delta::default() }
    }

    #[test]
    fn equal_rows_stay_in_the_order_in_which_they_came() {
        let (mut store, mut view) = (Store::new(source_info()), View::default());
        view.set_sort(sort("-recvq"), &store);
        let touched =
            store.apply(delta(1, vec![connection(tcp(1), 3), connection(tcp(2), 1), connection(tcp(3), 2)], vec![]));
        apply(&mut view, &touched, &store);
        assert_eq!(cookies(&view, &store), [2, 3, 1]);
        let touched = store.apply(delta(2, vec![], vec![connection(tcp(3).queues(9, 0), 2)]));
        apply(&mut view, &touched, &store);
        assert_eq!(cookies(&view, &store), [3, 2, 1]);
    }

    #[test]
    fn rows_come_and_go_with_the_filter_as_time_passes() {
        let (mut store, mut view) = (Store::new(source_info()), View::default());
        view.set_filter(Filter::parse("age>60s").expect("valid"), &store);
        let mut young = connection(tcp(1), 0);
        young.state_since = Some(Since { at: Timestamp::from_millis(0), basis: AgeBasis::Observed });
        let touched = store.apply(delta(30_000, vec![young], vec![]));
        apply(&mut view, &touched, &store);
        assert_eq!(cookies(&view, &store), [] as [u64; 0]);
        let touched = store.apply(delta(61_000, vec![], vec![]));
        apply(&mut view, &touched, &store);
        assert_eq!(cookies(&view, &store), [1]);
        assert_eq!(view.position(view.order()[0]), Some(0));
    }

    #[test]
    fn a_row_that_is_not_shown_has_no_position() {
        let (mut store, mut view) = (Store::new(source_info()), View::default());
        let touched = store.apply(delta(1, vec![connection(tcp(1), 0)], vec![]));
        apply(&mut view, &touched, &store);
        let index = view.order()[0];
        view.set_filter(Filter::parse("udp").expect("valid"), &store);
        assert_eq!(view.position(index), None);
    }

    /// What one made-up sample does to sockets 0 to 29.
    #[derive(Clone, Debug)]
    struct Step {
        touched: Vec<(u64, u32, u8)>,
        removed: Vec<u64>,
        after_ms: u64,
        new_user: bool,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let touched = proptest::collection::vec((0u64..30, 0u32..4, 0u8..12), 0..12);
        let removed = proptest::collection::vec(0u64..30, 0..6);
        let step = (touched, removed, 0u64..3_000, any::<bool>())
            .prop_map(|(touched, removed, after_ms, new_user)| Step { touched, removed, after_ms, new_user });
        proptest::collection::vec(step, 1..12)
    }

    fn made_up(cookie: u64, queue: u32, kind: u8, at_ms: u64) -> Connection {
        let states = [TcpState::Established, TcpState::CloseWait, TcpState::TimeWait];
        let names = ["nginx", "Xorg", "app"];
        let socket = tcp(cookie)
            .state(states[usize::from(kind % 3)])
            .queues(queue, 0)
            .uid(u32::from(kind))
            .timer(TimerKind::KeepAlive, 0, at_ms + u64::from(kind) * 400)
            .held_by(&[process(u32::from(kind) + 1, names[usize::from(kind % 3)])]);
        let mut connection = connection(socket, cookie / 4);
        connection.set_rates((kind > 3).then(|| Rates { received: f32::from(kind), sent: 0.0 }));
        let at = Timestamp::from_millis(at_ms.saturating_sub(u64::from(queue) * 900));
        connection.state_since = (kind > 1).then_some(Since { at, basis: AgeBasis::Observed });
        connection
    }

    fn delta_of(step: &Step, live: &mut std::collections::BTreeSet<u64>, at_ms: u64, names: &mut Names) -> Delta {
        if step.new_user {
            let next = u32::try_from(names.users.len()).expect("few users");
            names.users.insert(11 - next.min(11), format!("user{next}").as_str().into());
        }
        let mut delta = Delta { names: Arc::new(names.clone()), ..delta(at_ms, vec![], vec![]) };
        let id = |cookie| tcp(cookie).build().id;
        for &cookie in &step.removed {
            if live.remove(&cookie) {
                delta.removed.push(Removed { id: id(cookie), at: delta.at });
            }
        }
        let mut seen: Vec<u64> = step.removed.clone();
        for &(cookie, queue, kind) in &step.touched {
            if seen.contains(&cookie) {
                continue;
            }
            seen.push(cookie);
            let into = if live.insert(cookie) { &mut delta.added } else { &mut delta.changed };
            into.push(made_up(cookie, queue, kind, at_ms));
        }
        delta
    }

    proptest! {
        #[test]
        fn the_order_kept_is_the_order_made_anew(
            steps in steps(),
            column in proptest::sample::select(vec!["local", "state", "age", "process", "user", "recvq", "rxrate", "expires", "pid"]),
            descending: bool,
            filter in proptest::sample::select(vec!["", "age>1s", "user:user1", "!state:time-wait", "nginx or recvq>1", "expires<1s"]),
        ) {
            let (mut store, mut view, mut live, mut names) = (Store::new(source_info()), View::default(), [].into(), Names::default());
            let order = if descending { Order::Descending } else { Order::Ascending };
            let sort = SortKey { column: find(COLUMNS, column).expect(column), order };
            let filter = Filter::parse(filter).expect("valid");
            view.set_filter(filter.clone(), &store);
            view.set_sort(sort, &store);
            let mut at_ms = 10_000;
            for step in &steps {
                at_ms += step.after_ms;
                let touched = store.apply(delta_of(step, &mut live, at_ms, &mut names));
                apply(&mut view, &touched, &store);
                let mut anew = View::default();
                anew.set_sort(sort, &store);
                anew.set_filter(filter.clone(), &store);
                prop_assert_eq!(view.order(), anew.order());
            }
        }
    }
}
