//! What the panels with columns share: which columns are shown, how wide, and by which the rows are sorted.

use crate::app::panels::cell::CellCursor;
use crate::store::Store;
use crate::table::column::{Column, PEER_NAME, default_columns};
use crate::table::connections::{HOST, NAMESPACE};
use crate::table::fit::{COMFORT_WIDTH, ColumnSpan, fit, place};
use crate::table::groups::TRACED;
use crate::table::order::Order;
use crate::table::sort::SortKey;

/// Cells left of the first column: the mark of the row and a gap.
pub const MARGIN_LEFT: u16 = 2;
/// Columns up to this rank hold names and addresses, which are to be read in full.
const NAMES_RANK_MAX: u8 = 1;
/// Columns from this rank on may give their room to names and addresses.
const SPARE_RANK_MIN: u8 = 7;
/// The same rank while names of hosts are shown too.
const SPARE_RANK_MIN_WITH_HOSTS: u8 = 6;
/// A name of a host that has less room is mostly cut.
const HOST_COMFORT_WIDTH: u16 = 24;
/// What is hidden until it is known whether it is needed.
const HIDDEN_AT_FIRST: &[&str] = &[HOST, NAMESPACE, TRACED[0], TRACED[1], TRACED[2]];
/// Cells right of the last column: the scrollbar.
pub const MARGIN_RIGHT: u16 = 1;

/// The columns of a table of `R` and how wide their content has been.
pub struct TableColumns<R: 'static> {
    /// All columns there are.
    pub all: &'static [Column<R>],
    /// The widest content seen since the widths were forgotten. It only grows, so that columns do not move to and fro.
    wanted: Vec<u16>,
    /// Columns that are not shown now, unless the user chose them.
    hidden: Vec<&'static str>,
    /// The columns that the user chose; `None` where they are those that the table has by itself.
    chosen: Option<Vec<ChosenColumn>>,
    /// The column that the rows are sorted by, which is always shown.
    sorted: Option<usize>,
    /// Whether names of hosts are shown.
    has_peer_names: bool,
    /// Cells left of the first column.
    margin_left: u16,
    /// Which cell of the selected row is chosen.
    cell: CellCursor,
}

impl<R> std::fmt::Debug for TableColumns<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableColumns").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl<R> TableColumns<R> {
    pub(super) fn new(all: &'static [Column<R>]) -> Self {
        Self::with_margin(all, MARGIN_LEFT)
    }

    /// The same with so many cells left of the first column.
    pub(super) fn with_margin(all: &'static [Column<R>], margin_left: u16) -> Self {
        Self {
            all,
            wanted: vec![0; all.len()],
            hidden: HIDDEN_AT_FIRST.to_vec(),
            chosen: None,
            sorted: None,
            has_peer_names: false,
            margin_left,
            cell: CellCursor::default(),
        }
    }

    /// Columns that are not shown now.
    pub(super) fn hide(&mut self, hidden: &[&'static str]) {
        if self.hidden != hidden {
            self.hidden = hidden.to_vec();
        }
    }

    /// The columns that fit into a screen of `width`, and where they stand. The one that the rows are sorted by is among them:
    /// others give way to it.
    pub fn shown(&self, width: u16) -> Vec<ColumnSpan> {
        let room = width.saturating_sub(self.margin_left + MARGIN_RIGHT);
        let columns = self.wanted_columns();
        let own_width = |column: &ChosenColumn| Some((column.index, column.width?));
        let mut fixed: Vec<_> = self.chosen.iter().flatten().filter_map(own_width).collect();
        let mut widths = self.widths(room, &columns, &fixed);
        if let Some(sorted) = self.sorted.filter(|sorted| widths.iter().all(|(index, _)| index != sorted)) {
            fixed.retain(|(index, _)| *index != sorted);
            fixed.insert(0, (sorted, self.all[sorted].width.0.min(room / 2)));
            widths = self.widths(room, &columns, &fixed);
        }
        let mut placed = place(self.all, &widths, self.margin_left, room);
        // What takes the room that is left over can be hidden like any other, and stands there once.
        let is_extra = |span: &ColumnSpan| {
            let is_hidden = self.chosen.is_some() && !columns.contains(&span.index);
            is_hidden || widths.iter().any(|(index, _)| *index == span.index)
        };
        if placed.len() > widths.len() && placed.last().is_some_and(is_extra) {
            placed.pop();
        }
        placed
    }

    /// Which of `columns` fit into `room`, with their widths: those of `fixed` are as wide as they say.
    fn widths(&self, room: u16, columns: &[usize], fixed: &[(usize, u16)]) -> Vec<(usize, u16)> {
        let taken = |fixed: &[(usize, u16)]| fixed.iter().map(|(_, width)| u32::from(*width) + 1).sum::<u32>();
        let mut fixed = fixed.to_vec();
        while taken(&fixed) > u32::from(room) {
            fixed.pop();
        }
        let room = room - u16::try_from(taken(&fixed)).unwrap_or(room);
        let is_fixed = |index: usize| fixed.iter().any(|(fixed, _)| *fixed == index);
        // A filler has what is left over, unless the rows are sorted by it.
        let is_filler = |index: usize| self.all[index].fills && self.sorted != Some(index);
        let others = columns.iter().copied().filter(|&index| !is_fixed(index) && !is_filler(index)).collect::<Vec<_>>();
        let mut widths =
            if self.chosen.is_some() { fit(self.all, &others, room, &self.wanted) } else { self.fitting(room, others) };
        widths.extend(fixed);
        widths.sort_by_key(|(index, _)| columns.iter().position(|column| column == index));
        widths
    }

    /// The columns that the table has by itself, those with names of hosts and those that are not needed now aside.
    fn own_columns(&self) -> Vec<usize> {
        let mut columns = default_columns(self.all);
        columns.retain(|&index| !self.hidden.contains(&self.all[index].key));
        columns
    }

    /// The columns that are to be shown where there is room, from left to right.
    fn wanted_columns(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = match &self.chosen {
            Some(chosen) => chosen.iter().map(|column| column.index).collect(),
            None => self.own_columns(),
        };
        if self.has_peer_names
            && let Some(host) = self.all.iter().position(|column| column.key == PEER_NAME)
        {
            let place = columns.iter().position(|index| *index > host).unwrap_or(columns.len());
            columns.insert(place, host);
        }
        if let Some(sorted) = self.sorted.filter(|sorted| !columns.contains(sorted)) {
            columns.push(sorted);
        }
        columns
    }

    /// The columns of `chosen` that fit into `room`, with their widths.
    ///
    /// Names and addresses are worth more than one more column: while one that always stays is cut, the column that is
    /// missed least goes.
    fn fitting(&self, room: u16, mut chosen: Vec<usize>) -> Vec<(usize, u16)> {
        loop {
            let shown = fit(self.all, &chosen, room, &self.wanted);
            // Of equal ranks the one to the right goes first, as `fit` has it.
            let worth = |index: usize| (self.all[index].rank, index);
            let least = shown.iter().map(|(index, _)| *index).max_by_key(|index| worth(*index));
            let spare = if self.has_peer_names { SPARE_RANK_MIN_WITH_HOSTS } else { SPARE_RANK_MIN };
            match least.filter(|&index| self.all[index].rank >= Some(spare) && Some(index) != self.sorted) {
                Some(least) if shown.iter().any(|&(index, width)| self.is_cut(index, width)) => {
                    chosen.retain(|&index| worth(index) < worth(least) || Some(index) == self.sorted);
                }
                _ => return shown,
            }
        }
    }

    /// The place of the chosen cell of the selected row among `shown`.
    pub fn cell(&self, shown: &[ColumnSpan]) -> Option<ColumnSpan> {
        self.cell.place(self.all, shown).map(|place| shown[place])
    }

    /// The column of the chosen cell on a screen of `width`.
    pub(in crate::app) fn cell_column(&self, width: u16) -> Option<&'static Column<R>> {
        self.cell(&self.shown(width)).and_then(|span| self.all.get(span.index))
    }

    fn is_cut(&self, index: usize, width: u16) -> bool {
        let column = &self.all[index];
        if column.is_hint {
            return width < HOST_COMFORT_WIDTH;
        }
        // It is said in fewer words.
        if column.is_cause {
            return false;
        }
        let comfort = self.wanted[index].min(column.width.1).min(COMFORT_WIDTH);
        column.rank <= Some(NAMES_RANK_MAX) && width < comfort
    }

    /// Takes note of how wide the cells of `rows`, those on the screen, are.
    pub(super) fn measure<'a>(&mut self, rows: impl Iterator<Item = &'a R>, store: &'a Store)
    where
        R: 'a,
    {
        let asked = self.wanted_columns();
        for row in rows {
            // Names come one by one, and shall not move what stands beside them.
            let measured =
                |index: usize, column: &Column<R>| (column.rank.is_some() || asked.contains(&index)) && !column.is_hint;
            let columns = self.all.iter().zip(&mut self.wanted).enumerate();
            for (_, (column, wanted)) in columns.filter(|(index, (column, _))| measured(*index, column)) {
                let width = (column.value)(row, store).cells_needed();
                *wanted = (*wanted).max(u16::try_from(width).unwrap_or(u16::MAX));
            }
        }
    }
}

/// The least and the greatest width that can be given to a column, in cells.
pub const WIDTH_RANGE: (u16, u16) = (3, 200);

/// A column that is shown, and its width in cells; `None`: as wide as its content needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChosenColumn {
    /// Which column, by its index.
    pub index: usize,
    /// Its width.
    pub width: Option<u16>,
}

/// Where a column stands, whatever its table holds: for headings, menus and clicks.
#[derive(Clone, Copy, Debug)]
pub struct ColumnHead {
    /// Its keyword.
    pub key: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// The direction of the first sort by it.
    pub first_order: Order,
    /// Whether it is a hint only, by which nothing can be sorted.
    pub is_hint: bool,
}

/// The direction of a sort as one character.
pub const fn arrow(order: Order) -> char {
    match order {
        Order::Ascending => '▴',
        Order::Descending => '▾',
    }
}

/// The columns of a table, whatever its rows are.
pub trait ColumnSet {
    /// Every column there is.
    fn heads(&self) -> Vec<ColumnHead>;

    /// The columns that fit into a screen of `width`, and where they stand.
    fn shown(&self, width: u16) -> Vec<ColumnSpan>;

    /// The columns that are shown where there is room, from left to right: those that the user chose, else those that the table
    /// has by itself. Names of hosts are not among them.
    fn chosen(&self) -> Vec<ChosenColumn>;

    /// Whether the user chose them.
    fn is_chosen(&self) -> bool;

    /// Shows these columns from now on; `None`: those that the table has by itself.
    fn choose(&mut self, chosen: Option<Vec<ChosenColumn>>);

    /// The rows are sorted by this column.
    fn set_sorted(&mut self, column: usize);

    /// Whether the columns with names of hosts are among those that are shown.
    fn show_peer_names(&mut self, has_peer_names: bool);

    /// Lets columns find their widths anew.
    fn forget_widths(&mut self);

    /// Chooses the cell `by` places to the right on a screen of `width`.
    fn step_cell(&mut self, width: u16, by: isize);

    /// Chooses the cell that stands at column `x` of a screen of `width`; answers whether that is another one than before.
    fn choose_cell_at(&mut self, width: u16, x: u16) -> bool;
}

impl<R> ColumnSet for TableColumns<R> {
    fn heads(&self) -> Vec<ColumnHead> {
        let head = |column: &Column<R>| ColumnHead {
            key: column.key,
            title: column.title,
            about: column.about,
            first_order: column.first_order,
            is_hint: column.is_hint,
        };
        self.all.iter().map(head).collect()
    }

    fn shown(&self, width: u16) -> Vec<ColumnSpan> {
        Self::shown(self, width)
    }

    fn chosen(&self) -> Vec<ChosenColumn> {
        let by_itself = || {
            let filler = (0..self.all.len()).filter(|index| self.all[*index].fills);
            self.own_columns().into_iter().chain(filler).map(|index| ChosenColumn { index, width: None }).collect()
        };
        self.chosen.clone().unwrap_or_else(by_itself)
    }

    fn is_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    fn choose(&mut self, chosen: Option<Vec<ChosenColumn>>) {
        self.chosen = chosen;
    }

    fn set_sorted(&mut self, column: usize) {
        self.sorted = Some(column);
    }

    fn show_peer_names(&mut self, has_peer_names: bool) {
        self.has_peer_names = has_peer_names;
    }

    fn forget_widths(&mut self) {
        self.wanted.fill(0);
    }

    fn step_cell(&mut self, width: u16, by: isize) {
        let shown = Self::shown(self, width);
        self.cell.step(self.all, &shown, by);
    }

    fn choose_cell_at(&mut self, width: u16, x: u16) -> bool {
        let shown = Self::shown(self, width);
        let before = self.cell(&shown);
        if let Some(span) = shown.iter().rev().find(|span| span.x <= x) {
            self.cell.choose(self.all, span.index);
        }
        before.is_some_and(|before| self.cell(&shown).is_some_and(|now| now.index != before.index))
    }
}

impl dyn ColumnSet + '_ {
    /// Whether names of hosts have room on a screen of `width`.
    pub(in crate::app) fn shows_peer_names(&self, width: u16) -> bool {
        let heads = self.heads();
        self.shown(width).iter().any(|place| heads[place.index].key == PEER_NAME)
    }
}

/// A table whose rows are sorted by a column, whatever they are.
pub trait SortedTable {
    /// Its name in the configuration; empty where that does not know it.
    fn name(&self) -> &'static str {
        ""
    }

    /// Its columns.
    fn columns(&self) -> &dyn ColumnSet;

    /// The same, to change how they are shown.
    fn columns_mut(&mut self) -> &mut dyn ColumnSet;

    /// What it is sorted by.
    fn sort(&self) -> SortKey;

    /// Starts to sort it.
    fn start_sort(&mut self, sort: SortKey);

    /// Whether [`advance`](Self::advance) has work to do.
    fn is_busy(&self) -> bool;

    /// Goes on with what was started, as far as `steps` allows; answers whether the rows are new.
    fn advance(&mut self, store: &Store, steps: &mut usize) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::groups::{LISTENERS, PORTS, REMOTES};

    #[test]
    fn names_are_whole_before_what_only_the_trace_tells_has_room() {
        for all in [LISTENERS, PORTS, REMOTES] {
            let mut columns = TableColumns::new(all);
            // All columns that there are, with addresses and programs as long as usual.
            columns.hide(&[HOST]);
            for (column, wanted) in all.iter().zip(&mut columns.wanted).filter(|(column, _)| column.rank <= Some(1)) {
                *wanted = column.width.1.min(COMFORT_WIDTH);
            }
            for width in 120..=300 {
                for place in columns.shown(width) {
                    let column = &all[place.index];
                    let is_name = matches!(column.key, "local" | "remote" | "raddr" | "process");
                    assert!(!is_name || place.width >= COMFORT_WIDTH, "{} at {width}: {place:?}", column.key);
                }
            }
        }
    }
}
