//! Sorting: by which column, in which direction.

use crate::app::App;
use crate::app::menu::MenuChoice;
use crate::app::notice::NoticeLevel;
use crate::app::panels::table::SortedTable;
use crate::table::fit::ColumnSpan;
use crate::table::sort::SortKey;

impl App {
    pub(super) fn open_sort_menu(&mut self) {
        if let Some(sort) = self.panel().table().map(SortedTable::sort) {
            self.open_menu(MenuChoice::Column, sort.column);
        }
    }

    /// Sorts by the column `by` places to the right of the present one among those on the screen.
    pub(super) fn step_sort(&mut self, by: isize) {
        let Some(table) = self.panel().table() else { return };
        let (sort, heads, shown) = (table.sort(), table.columns().heads(), table.columns().shown(self.table_width()));
        let at = shown.iter().position(|place| place.index == sort.column);
        let is_hint = |place: &ColumnSpan| heads.get(place.index).is_some_and(|head| head.is_hint);
        let mut next = at.map_or(Some(0), |at| at.checked_add_signed(by));
        // Steps over what nothing is sorted by.
        while let Some(at) = next.filter(|at| shown.get(*at).is_some_and(is_hint)) {
            next = at.checked_add_signed(by);
        }
        if let Some(place) = next.and_then(|at| shown.get(at)) {
            self.sort_by(place.index);
        }
    }

    pub(super) fn invert_sort(&mut self) {
        if let Some(SortKey { column, order }) = self.panel().table().map(SortedTable::sort) {
            self.set_sort(SortKey { column, order: order.reversed() });
        }
    }

    /// Sorts by `column`; the second time in a row in the other direction.
    pub(super) fn sort_by_or_invert(&mut self, column: usize) {
        match self.panel().table().map(SortedTable::sort) {
            Some(sort) if sort.column == column => self.invert_sort(),
            _ => self.sort_by(column),
        }
    }

    fn sort_by(&mut self, column: usize) {
        let head = self.panel().table().and_then(|table| table.columns().heads().get(column).copied());
        if head.is_some_and(|head| head.is_hint) {
            self.say(NoticeLevel::Plain, "reverse DNS names are not trusted, so they cannot be sorted by");
        } else if let Some(head) = head {
            self.set_sort(SortKey { column, order: head.first_order });
        }
    }

    fn set_sort(&mut self, sort: SortKey) {
        self.change_panel(|panel, _| {
            if let Some(table) = panel.table_mut() {
                table.start_sort(sort);
            }
        });
    }
}
