//! Puts many rows that were touched back into a kept order, in slices: they are sorted by themselves and then merged in,
//! so that of the others only few are looked at. The old order stands meanwhile.

use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::row::RowIndex;
use crate::store::row_set::RowSet;
use crate::table::connections::COLUMNS;
use crate::table::order::Order;
use crate::table::row_order::RowOrder;
use crate::table::sliced_sort::SlicedSort;

/// Taking this many rows over from one list to another is one step, as looking at one row is.
const ROWS_A_STEP: usize = 64;

/// Touched rows that are being put back.
#[derive(Debug)]
pub(super) struct Reinsertion {
    touched: std::vec::IntoIter<RowIndex>,
    /// The touched rows that were looked at.
    looked_at: RowSet,
    placing: Option<SlicedSort<(Timestamp, RowIndex)>>,
    merge: OrderMerge,
}

/// Two lists in order becoming one.
#[derive(Debug, Default)]
struct OrderMerge {
    new: Vec<RowIndex>,
    next_new: usize,
    old: Vec<RowIndex>,
    next_old: usize,
    merged: Vec<RowIndex>,
}

impl Reinsertion {
    /// Starts to put `touched` into an order in this direction.
    pub(super) fn new(order: Order, touched: Vec<RowIndex>) -> Self {
        let placing = SlicedSort::new(order, touched.len());
        Self {
            touched: touched.into_iter(),
            looked_at: RowSet::default(),
            placing: Some(placing),
            merge: OrderMerge::default(),
        }
    }

    /// Goes on as far as `steps` allows; the new order once it is made. `shown` is the old one, which must stay the same.
    pub(super) fn advance(
        &mut self,
        by: &RowOrder,
        shown: &[RowIndex],
        store: &Store,
        steps: &mut usize,
    ) -> Option<Vec<RowIndex>> {
        if let Some(mut placing) = self.placing.take() {
            if !(self.collect(&mut placing, by, store, steps) && placing.advance(steps)) {
                self.placing = Some(placing);
                return None;
            }
            let others = shown.iter().filter(|index| !self.looked_at.contains(**index));
            self.merge.old = others.copied().collect();
            self.merge.new = placing.into_order().map(|(_, index)| index).collect();
            self.merge.merged = Vec::with_capacity(self.merge.old.len() + self.merge.new.len());
            *steps = steps.saturating_sub(shown.len() / ROWS_A_STEP);
        }
        self.merge.advance(by, store, steps).then(|| std::mem::take(&mut self.merge.merged))
    }

    /// Looks at the touched rows; answers whether it has looked at all.
    fn collect(
        &mut self,
        placing: &mut SlicedSort<(Timestamp, RowIndex)>,
        by: &RowOrder,
        store: &Store,
        steps: &mut usize,
    ) -> bool {
        let value = COLUMNS[by.sort.column].value;
        while *steps > 0 {
            let Some(index) = self.touched.next() else { return true };
            *steps -= 1;
            // A row that came and changed within the same delta is named twice.
            let row = store.rows().get(index).filter(|_| self.looked_at.insert(index));
            if let Some(row) = row.filter(|row| by.filter.matches(row, store)) {
                placing.push(&value(row, store), (row.connection.first_seen, index));
            }
        }
        false
    }
}

impl OrderMerge {
    /// Answers whether all is merged.
    fn advance(&mut self, by: &RowOrder, store: &Store, steps: &mut usize) -> bool {
        while let Some(new) = self.new.get(self.next_new) {
            if *steps == 0 {
                return false;
            }
            let Some(placed) = by.of(*new, store) else {
                self.next_new += 1;
                continue;
            };
            let mut looked_at = 0;
            let mut is_before = |index: &RowIndex| {
                looked_at += 1;
                by.is_before(*index, &placed, store)
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
