//! What the panels with columns share: which columns are shown, how wide, and by which the rows are sorted.

use crate::store::Store;
use crate::table::column::{Column, HOST, default_columns};
use crate::table::connections::NAMESPACE;
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
const HIDDEN_AT_FIRST: &[&str] = &[NAMESPACE, TRACED[0], TRACED[1], TRACED[2]];
/// Cells right of the last column: the scrollbar.
pub const MARGIN_RIGHT: u16 = 1;

/// The columns of a table of `R` and how wide their content has been.
pub struct TableColumns<R: 'static> {
    /// All columns there are.
    pub all: &'static [Column<R>],
    /// The widest content seen since the widths were forgotten. It only grows, so that columns do not move to and fro.
    wanted: Vec<u16>,
    /// Columns that are not shown now.
    hidden: &'static [&'static str],
    /// Whether names of hosts are shown.
    has_hosts: bool,
    /// Cells left of the first column.
    margin_left: u16,
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
        Self { all, wanted: vec![0; all.len()], hidden: HIDDEN_AT_FIRST, has_hosts: false, margin_left }
    }

    /// Columns that are not shown now.
    pub(super) fn hide(&mut self, hidden: &'static [&'static str]) {
        self.hidden = hidden;
    }

    /// The columns that fit into a screen of `width`, and where they stand.
    ///
    /// Names and addresses are worth more than one more column: while one that always stays is cut, the column that is
    /// missed least goes.
    pub fn shown(&self, width: u16) -> Vec<ColumnSpan> {
        let room = width.saturating_sub(self.margin_left + MARGIN_RIGHT);
        let mut chosen = default_columns(self.all);
        chosen.retain(|&index| !self.hidden.contains(&self.all[index].key));
        if self.has_hosts {
            chosen.extend(self.all.iter().position(|column| column.key == HOST));
            chosen.sort_unstable();
        }
        loop {
            let shown = fit(self.all, &chosen, room, &self.wanted);
            // Of equal ranks the one to the right goes first, as `fit` has it.
            let worth = |index: usize| (self.all[index].rank, index);
            let least = shown.iter().map(|(index, _)| *index).max_by_key(|index| worth(*index));
            let spare = if self.has_hosts { SPARE_RANK_MIN_WITH_HOSTS } else { SPARE_RANK_MIN };
            match least.filter(|&index| self.all[index].rank >= Some(spare)) {
                Some(least) if shown.iter().any(|&(index, width)| self.is_cut(index, width)) => {
                    chosen.retain(|&index| worth(index) < worth(least));
                }
                _ => return place(self.all, &shown, self.margin_left, room),
            }
        }
    }

    fn is_cut(&self, index: usize, width: u16) -> bool {
        let column = &self.all[index];
        if column.is_hint {
            return width < HOST_COMFORT_WIDTH;
        }
        let comfort = self.wanted[index].min(column.width.1).min(COMFORT_WIDTH);
        column.rank <= Some(NAMES_RANK_MAX) && width < comfort
    }

    /// Takes note of how wide the cells of `rows`, those on the screen, are.
    pub(super) fn measure<'a>(&mut self, rows: impl Iterator<Item = &'a R>, store: &'a Store)
    where
        R: 'a,
    {
        for row in rows {
            // Names come one by one, and shall not move what stands beside them.
            let measured = |column: &Column<R>| column.rank.is_some() && !column.is_hint;
            for (column, wanted) in self.all.iter().zip(&mut self.wanted).filter(|(column, _)| measured(column)) {
                let width = (column.value)(row, store).cells_needed();
                *wanted = (*wanted).max(u16::try_from(width).unwrap_or(u16::MAX));
            }
        }
    }
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

    /// Whether the columns with names of hosts are among those that are shown.
    fn show_hosts(&mut self, has_hosts: bool);

    /// Lets columns find their widths anew.
    fn forget_widths(&mut self);
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

    fn show_hosts(&mut self, has_hosts: bool) {
        self.has_hosts = has_hosts;
    }

    fn forget_widths(&mut self) {
        self.wanted.fill(0);
    }
}

impl dyn ColumnSet + '_ {
    /// Whether names of hosts have room on a screen of `width`.
    pub(in crate::app) fn shows_hosts(&self, width: u16) -> bool {
        let heads = self.heads();
        self.shown(width).iter().any(|place| heads[place.index].key == HOST)
    }
}

/// A table whose rows are sorted by a column, whatever they are.
pub trait SortedTable {
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
            columns.hide(&[]);
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
