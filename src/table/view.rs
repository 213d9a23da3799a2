//! Which connections are shown and in what order. Knows nothing of the screen; the cursor is the app's.
//!
//! A sample costs time in proportion to what it touched: touched rows are taken out and put back by binary search. Only
//! where values change by themselves (a filter on ages, a sort by timers) every row is looked at, and even then the
//! order is mended, not made anew.

use std::cmp::Ordering;

use crate::model::process::Names;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::rows::{Row, RowIndex, Touched};
use crate::table::column::{Drift, Order};
use crate::table::connections::COLUMNS;
use crate::table::filter::Filter;
use crate::table::sort::SortKey;
use crate::table::value::Value;

/// The filtered, sorted order of the connection table.
#[derive(Debug)]
pub struct View {
    filter: Filter,
    sort: SortKey,
    order: Vec<RowIndex>,
    names: Names,
}

impl Default for View {
    fn default() -> Self {
        let sort = SortKey { column: 0, order: Order::Ascending };
        Self { filter: Filter::default(), sort, order: Vec::new(), names: Names::default() }
    }
}

/// A row with all that decides its place; a total order, so that a row never moves without a reason.
struct Placed<'s> {
    value: Value<'s>,
    first_seen: Timestamp,
    index: RowIndex,
}

impl Placed<'_> {
    fn compare(&self, other: &Self, order: Order) -> Ordering {
        self.value
            .compare(&other.value, order)
            .then(self.first_seen.cmp(&other.first_seen))
            .then(self.index.cmp(&other.index))
    }
}

/// A set of rows, as bits: rows have small indices, and a view asks about every one of them.
#[derive(Default)]
struct RowSet {
    bits: Vec<u64>,
}

impl RowSet {
    fn of<'i>(rows: impl IntoIterator<Item = &'i RowIndex>) -> Self {
        let mut set = Self::default();
        rows.into_iter().for_each(|row| {
            set.insert(*row);
        });
        set
    }

    /// Whether it was not there before.
    fn insert(&mut self, row: RowIndex) -> bool {
        let (word, bit) = (row.0 as usize / 64, 1 << (row.0 % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        let is_new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        is_new
    }

    fn contains(&self, row: RowIndex) -> bool {
        self.bits.get(row.0 as usize / 64).is_some_and(|word| word & (1 << (row.0 % 64)) != 0)
    }
}

impl View {
    /// Takes in what a delta touched.
    pub fn apply(&mut self, touched: &Touched, store: &Store) {
        // Many at once are sorted faster than merged; the first sample touches every row.
        if touched.added.len() + touched.changed.len() > self.order.len() / 4 {
            return self.rebuild(store);
        }
        let names_changed = self.names != *store.names();
        if names_changed {
            self.names.clone_from(store.names());
        }
        let mut moved: Vec<_> = touched.added.iter().chain(&touched.changed).chain(&touched.purged).copied().collect();
        if self.filter.depends_on_time() || (names_changed && self.filter.depends_on_names()) {
            moved.extend(self.strangers(store));
        }
        if !moved.is_empty() {
            let mut set = RowSet::default();
            moved.retain(|row| set.insert(*row));
            self.order.retain(|row| !set.contains(*row));
        }
        match COLUMNS[self.sort.column].drift {
            Drift::Free => self.mend(store),
            Drift::Names if names_changed => self.mend(store),
            _ => {}
        }
        self.insert(&moved, store);
    }

    /// Shows only what `filter` passes.
    pub fn set_filter(&mut self, filter: Filter, store: &Store) {
        self.filter = filter;
        self.rebuild(store);
    }

    /// Sorts by `sort`.
    pub fn set_sort(&mut self, sort: SortKey, store: &Store) {
        self.sort = sort;
        self.mend(store);
    }

    /// The filter.
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// What it is sorted by.
    pub const fn sort(&self) -> SortKey {
        self.sort
    }

    /// The rows that are shown, first to last.
    pub fn order(&self) -> &[RowIndex] {
        &self.order
    }

    /// Where the row at `index` is shown; `None` if it is not.
    pub fn position(&self, index: RowIndex) -> Option<usize> {
        self.order.iter().position(|shown| *shown == index)
    }

    /// Makes filter and order anew from every row.
    pub fn rebuild(&mut self, store: &Store) {
        self.names.clone_from(store.names());
        self.order =
            store.rows().iter().filter(|(_, row)| self.filter.matches(row, store)).map(|(index, _)| index).collect();
        self.mend(store);
    }

    /// Rows about which the filter has changed its mind.
    fn strangers(&self, store: &Store) -> Vec<RowIndex> {
        let shown = RowSet::of(&self.order);
        let is_stranger = |index: RowIndex, row: &Row| self.filter.matches(row, store) != shown.contains(index);
        store.rows().iter().filter(|(index, row)| is_stranger(*index, row)).map(|(index, _)| index).collect()
    }

    /// Sorts the rows that are shown; nearly sorted ones cost little more than a look at each.
    fn mend(&mut self, store: &Store) {
        let mut placed: Vec<_> = self.order.iter().filter_map(|index| self.place(*index, store)).collect();
        placed.sort_by(|a, b| a.compare(b, self.sort.order));
        let order = placed.iter().map(|placed| placed.index).collect();
        self.order = order;
    }

    /// Merges those of `moved` that pass the filter into the order.
    fn insert(&mut self, moved: &[RowIndex], store: &Store) {
        let passes = |index: &&RowIndex| store.rows().get(**index).is_some_and(|row| self.filter.matches(row, store));
        let mut placed: Vec<_> = moved.iter().filter(passes).filter_map(|index| self.place(*index, store)).collect();
        if placed.is_empty() {
            return;
        }
        placed.sort_by(|a, b| a.compare(b, self.sort.order));
        let mut merged = Vec::with_capacity(self.order.len() + placed.len());
        let mut rest = &self.order[..];
        for new in &placed {
            let is_before = |index: &RowIndex| {
                self.place(*index, store).is_some_and(|old| old.compare(new, self.sort.order) == Ordering::Less)
            };
            let (before, after) = rest.split_at(rest.partition_point(is_before));
            merged.extend_from_slice(before);
            merged.push(new.index);
            rest = after;
        }
        merged.extend_from_slice(rest);
        self.order = merged;
    }

    fn place<'s>(&self, index: RowIndex, store: &'s Store) -> Option<Placed<'s>> {
        let row = store.rows().get(index)?;
        let value = (COLUMNS[self.sort.column].value)(row, store);
        Some(Placed { value, first_seen: row.connection.first_seen, index })
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
        view.apply(&touched, &store);
        assert_eq!(cookies(&view, &store), [2, 3, 1]);
        let touched = store.apply(delta(2, vec![], vec![connection(tcp(3).queues(9, 0), 2)]));
        view.apply(&touched, &store);
        assert_eq!(cookies(&view, &store), [3, 2, 1]);
    }

    #[test]
    fn rows_come_and_go_with_the_filter_as_time_passes() {
        let (mut store, mut view) = (Store::new(source_info()), View::default());
        view.set_filter(Filter::parse("age>60s").expect("valid"), &store);
        let mut young = connection(tcp(1), 0);
        young.state_since = Some(Since { at: Timestamp::from_millis(0), basis: AgeBasis::Observed });
        let touched = store.apply(delta(30_000, vec![young], vec![]));
        view.apply(&touched, &store);
        assert_eq!(cookies(&view, &store), [] as [u64; 0]);
        let touched = store.apply(delta(61_000, vec![], vec![]));
        view.apply(&touched, &store);
        assert_eq!(cookies(&view, &store), [1]);
        assert_eq!(view.position(view.order()[0]), Some(0));
    }

    #[test]
    fn a_row_that_is_not_shown_has_no_position() {
        let (mut store, mut view) = (Store::new(source_info()), View::default());
        let touched = store.apply(delta(1, vec![connection(tcp(1), 0)], vec![]));
        view.apply(&touched, &store);
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
        connection.rates = (kind > 3).then(|| Rates { received: f32::from(kind), sent: 0.0 });
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
                view.apply(&touched, &store);
                let mut anew = View::default();
                anew.set_sort(sort, &store);
                anew.set_filter(filter.clone(), &store);
                prop_assert_eq!(view.order(), anew.order());
            }
        }
    }
}
