//! The column chooser: which columns a table has, in which order and how wide. What is chosen holds until it is changed again,
//! and the saved configuration has it.

use crate::app::App;
use crate::app::menu::{Menu, MenuChoice, MenuLine};
use crate::app::mode::Mode;
use crate::app::notice::NoticeLevel;
use crate::app::panels::table::{ChosenColumn, ColumnHead, ColumnSet, WIDTH_RANGE};

/// What can be done to a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnChange {
    /// Shows it as the last one, or hides it.
    ShowOrHide,
    /// Puts it so many places to the right.
    Move(isize),
    /// Makes it so many cells wider.
    Widen(i16),
    /// Lets it have the width that its content needs.
    FindWidth,
}

/// The columns of the chooser, from top to bottom: those that are chosen, in their order, then the others.
fn listed(columns: &dyn ColumnSet) -> Vec<ChosenColumn> {
    let (heads, mut listed) = (columns.heads(), columns.chosen());
    let is_other = |index: &usize| listed.iter().all(|column| column.index != *index) && !heads[*index].is_hint;
    let others: Vec<_> = (0..heads.len()).filter(is_other).collect();
    listed.extend(others.into_iter().map(|index| ChosenColumn { index, width: None }));
    listed
}

/// `chosen` after `change` of the column `index`.
fn changed(mut chosen: Vec<ChosenColumn>, index: usize, width_now: u16, change: ColumnChange) -> Vec<ChosenColumn> {
    let at = chosen.iter().position(|column| column.index == index);
    match (change, at) {
        (ColumnChange::ShowOrHide, None) => chosen.push(ChosenColumn { index, width: None }),
        // A table without a column would be empty.
        (ColumnChange::ShowOrHide, Some(at)) if chosen.len() > 1 => drop(chosen.remove(at)),
        (ColumnChange::Move(by), Some(at)) => {
            if let Some(to) = at.checked_add_signed(by).filter(|to| *to < chosen.len()) {
                chosen.swap(at, to);
            }
        }
        (ColumnChange::Widen(by), Some(at)) => {
            let width = chosen[at].width.unwrap_or(width_now).saturating_add_signed(by);
            chosen[at].width = Some(width.clamp(WIDTH_RANGE.0, WIDTH_RANGE.1));
        }
        (ColumnChange::FindWidth, Some(at)) => chosen[at].width = None,
        _ => {}
    }
    chosen
}

impl App {
    /// Opens the column chooser of the table on the screen.
    pub(super) fn open_column_chooser(&mut self) {
        if self.panel().table().is_some() {
            self.open_menu(MenuChoice::Columns, 0);
        }
    }

    /// The lines of the column chooser.
    pub(super) fn column_chooser_lines(&self) -> Vec<MenuLine> {
        let Some(table) = self.panel().table() else { return Vec::new() };
        let (heads, chosen) = (table.columns().heads(), table.columns().chosen().len());
        let sorted = table.sort().column;
        let line = |(place, column): (usize, ChosenColumn)| {
            let head: &ColumnHead = &heads[column.index];
            let mark = if place < chosen { '✓' } else { ' ' };
            let width = column.width.map_or_else(String::new, |width| format!(" {width}"));
            let is_only_sorted = place >= chosen && column.index == sorted;
            let about =
                if is_only_sorted { format!("shown while sorted by · {}", head.about) } else { head.about.to_owned() };
            MenuLine { label: format!("{mark} {}{width}", head.key), about, ..MenuLine::default() }
        };
        listed(table.columns()).into_iter().enumerate().map(line).collect()
    }

    /// Changes the column under the cursor of the chooser.
    pub(super) fn change_chosen_column(&mut self, change: ColumnChange) {
        let Mode::Menu(Menu { choice: MenuChoice::Columns, line, .. }) = self.mode else { return };
        let column = self.panel().table().and_then(|table| listed(table.columns()).get(line).copied());
        let Some(ChosenColumn { index, .. }) = column else { return };
        self.change_columns(index, change);
        // The cursor goes with a column that moves, and stays on its line where one is shown or hidden.
        if let ColumnChange::Move(_) = change {
            let place = self
                .panel()
                .table()
                .and_then(|table| listed(table.columns()).iter().position(|column| column.index == index));
            if let Mode::Menu(Menu { line, .. }) = &mut self.mode {
                *line = place.unwrap_or(*line);
            }
        }
    }

    /// Changes the column `index` of the table on the screen.
    pub(super) fn change_columns(&mut self, index: usize, change: ColumnChange) {
        let width = self.config.size.0;
        self.change_panel(|panel, _| {
            let Some(table) = panel.table_mut() else { return };
            let columns = table.columns_mut();
            let shown = columns.shown(width).into_iter().find(|span| span.index == index);
            let chosen = changed(columns.chosen(), index, shown.map_or(0, |span| span.width), change);
            columns.choose(Some(chosen));
        });
        self.refresh_panel();
    }

    /// Gives the table on the screen the columns that it has by itself.
    pub(super) fn reset_columns(&mut self) {
        self.change_panel(|panel, _| {
            if let Some(table) = panel.table_mut() {
                table.columns_mut().choose(None);
            }
        });
        self.refresh_panel();
        self.open_column_chooser();
        self.say(NoticeLevel::Plain, "this table has the columns again that it has by itself");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_shown_hidden_moved_and_widened() {
        let chosen = |list: &[(usize, Option<u16>)]| -> Vec<ChosenColumn> {
            list.iter().map(|&(index, width)| ChosenColumn { index, width }).collect()
        };
        let two = || chosen(&[(0, None), (3, None)]);
        assert_eq!(changed(two(), 5, 0, ColumnChange::ShowOrHide), chosen(&[(0, None), (3, None), (5, None)]));
        assert_eq!(changed(two(), 0, 9, ColumnChange::ShowOrHide), chosen(&[(3, None)]));
        assert_eq!(changed(chosen(&[(3, None)]), 3, 9, ColumnChange::ShowOrHide), chosen(&[(3, None)]), "one stays");
        assert_eq!(changed(two(), 3, 9, ColumnChange::Move(-1)), chosen(&[(3, None), (0, None)]));
        assert_eq!(changed(two(), 3, 9, ColumnChange::Move(1)), two());
        assert_eq!(changed(two(), 3, 9, ColumnChange::Widen(1)), chosen(&[(0, None), (3, Some(10))]));
        assert_eq!(changed(chosen(&[(3, Some(3))]), 3, 9, ColumnChange::Widen(-1)), chosen(&[(3, Some(3))]));
        assert_eq!(changed(chosen(&[(3, Some(7))]), 3, 9, ColumnChange::FindWidth), chosen(&[(3, None)]));
    }
}
