//! Sorting and menus: which column, which direction, which line of a menu.

use crate::app::App;
use crate::app::action::Motion;
use crate::app::mode::Mode;
use crate::app::notice::Tone;
use crate::app::panels::table::SortedTable;
use crate::model::action::SIGNALS;
use crate::table::fit::Place;
use crate::table::sort::SortKey;

impl App {
    pub(super) fn open_sort_menu(&mut self) {
        if let Some(sort) = self.panel().table().map(SortedTable::sort) {
            self.mode = Mode::SortMenu { line: sort.column };
        }
    }

    /// Sorts by the column `by` places to the right of the present one among those on the screen.
    pub(super) fn step_sort(&mut self, by: isize) {
        let Some(table) = self.panel().table() else { return };
        let (sort, heads, shown) = (table.sort(), table.columns().heads(), table.columns().shown(self.config.size.0));
        let at = shown.iter().position(|place| place.index == sort.column);
        let is_hint = |place: &Place| heads.get(place.index).is_some_and(|head| head.is_hint);
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
            self.say(Tone::Plain, "reverse DNS names are not trusted, so they cannot be sorted by");
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

    pub(super) fn move_in_menu(&mut self, motion: Motion) {
        let columns = self.panel().table().map_or(0, |table| table.columns().heads().len());
        let (line, len) = match &mut self.mode {
            Mode::SortMenu { line } => (line, columns),
            Mode::OwnerMenu { owners, line, .. } => (line, owners.len()),
            Mode::SocketMenu { sockets, line } => (line, sockets.len()),
            Mode::SignalMenu { line, .. } => (line, SIGNALS.len()),
            _ => return,
        };
        let last = len.saturating_sub(1);
        *line = match motion {
            Motion::Up => line.checked_sub(1).unwrap_or(last),
            Motion::Down if *line == last => 0,
            Motion::Down => *line + 1,
            Motion::First | Motion::PageUp => 0,
            Motion::Last | Motion::PageDown => last,
        };
    }

    /// Takes the line under the cursor of the menu that is open.
    pub(super) fn choose(&mut self) {
        match std::mem::take(&mut self.mode) {
            Mode::SortMenu { line } => self.sort_by_or_invert(line),
            Mode::OwnerMenu { owners, holding, line } => {
                if let Some(process) = owners.into_iter().nth(line) {
                    self.open_signal_menu(process, holding);
                }
            }
            Mode::SocketMenu { sockets, line } => {
                if let Some((id, _)) = sockets.get(line) {
                    self.ask_to_close_socket(*id);
                }
            }
            Mode::SignalMenu { process, holding, line } => {
                if let Some(row) = SIGNALS.get(line) {
                    self.ask_to_confirm(process, row.signal, holding);
                }
            }
            other => self.mode = other,
        }
    }
}
