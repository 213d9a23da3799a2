//! Puts many rows that were touched back into a kept order, in slices: they are sorted by themselves and then merged in,
//! so that of the others only few are looked at. The old order stands meanwhile.

use std::cmp::Ordering;

use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::row_set::RowSet;
use crate::store::rows::RowIndex;
use crate::table::connections::COLUMNS;
use crate::table::placing::Placing;
use crate::table::view::View;

/// Taking this many rows over from one list to another is one step, as looking at one row is.
const ROWS_A_STEP: usize = 64;

/// Rows on their way.
#[derive(Debug)]
pub(super) struct Moving {
    touched: std::vec::IntoIter<RowIndex>,
    /// The touched rows that were looked at.
    looked_at: RowSet,
    placing: Option<Placing<(Timestamp, RowIndex)>>,
    merge: Merge,
}

/// Two lists in order becoming one.
#[derive(Debug, Default)]
struct Merge {
    new: Vec<RowIndex>,
    next_new: usize,
    old: Vec<RowIndex>,
    next_old: usize,
    merged: Vec<RowIndex>,
}

impl Moving {
    /// Starts to put `touched` into the order of `view`.
    pub(super) fn new(view: &View, touched: Vec<RowIndex>) -> Self {
        let placing = Placing::new(view.sort().order, touched.len());
        Self {
            touched: touched.into_iter(),
            looked_at: RowSet::default(),
            placing: Some(placing),
            merge: Merge::default(),
        }
    }

    /// Goes on as far as `steps` allows; the new order once it is made.
    pub(super) fn advance(&mut self, view: &View, store: &Store, steps: &mut usize) -> Option<Vec<RowIndex>> {
        if let Some(mut placing) = self.placing.take() {
            if !(self.collect(&mut placing, view, store, steps) && placing.advance(steps)) {
                self.placing = Some(placing);
                return None;
            }
            let others = view.order().iter().filter(|index| !self.looked_at.contains(**index));
            self.merge.old = others.copied().collect();
            self.merge.new = placing.into_order().into_iter().map(|(_, index)| index).collect();
            self.merge.merged = Vec::with_capacity(self.merge.old.len() + self.merge.new.len());
            *steps = steps.saturating_sub(view.order().len() / ROWS_A_STEP);
        }
        self.merge.advance(view, store, steps).then(|| std::mem::take(&mut self.merge.merged))
    }

    /// Looks at the touched rows; answers whether it has looked at all.
    fn collect(
        &mut self,
        placing: &mut Placing<(Timestamp, RowIndex)>,
        view: &View,
        store: &Store,
        steps: &mut usize,
    ) -> bool {
        let value = COLUMNS[view.sort().column].value;
        while *steps > 0 {
            let Some(index) = self.touched.next() else { return true };
            *steps -= 1;
            // A row that came and changed within the same delta is named twice.
            let row = store.rows().get(index).filter(|_| self.looked_at.insert(index));
            if let Some(row) = row.filter(|row| view.filter().matches(row, store)) {
                placing.push(&value(row, store), (row.connection.first_seen, index));
            }
        }
        false
    }
}

impl Merge {
    /// Answers whether all is merged.
    fn advance(&mut self, view: &View, store: &Store, steps: &mut usize) -> bool {
        while let Some(new) = self.new.get(self.next_new) {
            if *steps == 0 {
                return false;
            }
            let Some(placed) = view.place(*new, store) else {
                self.next_new += 1;
                continue;
            };
            let order = view.sort().order;
            let mut looked_at = 0;
            let mut is_before = |index: &RowIndex| {
                looked_at += 1;
                view.place(*index, store).is_some_and(|old| old.compare(&placed, order) == Ordering::Less)
            };
            let rest = self.old.get(self.next_old..).unwrap_or_default();
            // The next place is near as a rule: from here on, in strides that double.
            let mut stride = 1;
            while rest.get(stride - 1).is_some_and(&mut is_before) {
                stride *= 2;
            }
            let (from, to) = (stride / 2, stride.min(rest.len()));
            let place = from + rest[from..to].partition_point(is_before);
            self.merged.extend_from_slice(&rest[..place]);
            self.merged.push(*new);
            self.next_old += place;
            self.next_new += 1;
            *steps = steps.saturating_sub(looked_at + place / ROWS_A_STEP);
        }
        self.merged.extend_from_slice(self.old.get(self.next_old..).unwrap_or_default());
        self.next_old = self.old.len();
        true
    }
}
