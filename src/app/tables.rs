//! The tables of the tabs: rows, order, selection and column widths. Shown by `ui`, filled by `samples`.

use crate::app::cursor::{Cursor, Lines};
use crate::app::tab::Tab;
use crate::model::socket::SocketId;
use crate::store::Store;
use crate::store::groups::attempts::Attempts;
use crate::store::groups::{Group, GroupKey, Grouping};
use crate::store::rows::{Row, RowIndex};
use crate::table::column::{Column, HOST, Order, default_columns};
use crate::table::connections::{COLUMNS, NAMESPACE, has_namespaces};
use crate::table::filter::Filter;
use crate::table::fit::{COMFORT_WIDTH, Place, fit, place};
use crate::table::groups::{GroupView, TRACED};
use crate::table::sort::SortKey;
use crate::table::view::View;

/// Cells left of the first column: the mark of the row and a gap.
pub const MARGIN_LEFT: u16 = 2;
/// The column that connections are sorted by at first: what has been in its state longest.
const FIRST_SORT: &str = "age";
/// Columns up to this rank hold names and addresses, which are to be read in full.
const NAMES_RANK_MAX: u8 = 1;
/// Columns from this rank on may go for that.
const SPARE_RANK_MIN: u8 = 10;
/// The same while names of hosts are shown, too.
const SPARE_RANK_MIN_WITH_HOSTS: u8 = 6;
/// A name of a host that has less room is mostly cut.
const HOST_COMFORT_WIDTH: u16 = 24;
/// A table with more groups than this is not kept while another one is shown: each takes some 200 bytes.
const HIDDEN_GROUPS_MAX: usize = 2_000;
/// What is hidden until it is known whether it is needed.
const HIDDEN_AT_FIRST: &[&str] = &[NAMESPACE, TRACED[0], TRACED[1], TRACED[2]];
/// Cells right of the last column.
pub const MARGIN_RIGHT: u16 = 0;

/// The columns of a table of `R` and how wide their content has been.
pub struct Columns<R: 'static> {
    /// All columns there are.
    pub all: &'static [Column<R>],
    /// The widest content seen since the widths were forgotten. It only grows, so that columns do not dance.
    wanted: Vec<u16>,
    /// Columns that are not shown now.
    hidden: &'static [&'static str],
    /// Whether names of hosts are shown.
    has_hosts: bool,
}

impl<R> std::fmt::Debug for Columns<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Columns").field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl<R> Columns<R> {
    fn new(all: &'static [Column<R>]) -> Self {
        Self { all, wanted: vec![0; all.len()], hidden: HIDDEN_AT_FIRST, has_hosts: false }
    }

    /// The columns that fit into a screen of `width`, and where they stand.
    ///
    /// Names and addresses are worth more than one more column: while one that always stays is cut, the column that is
    /// missed least goes.
    pub fn shown(&self, width: u16) -> Vec<Place> {
        let room = width.saturating_sub(MARGIN_LEFT + MARGIN_RIGHT);
        let mut chosen = default_columns(self.all);
        chosen.retain(|&index| !self.hidden.contains(&self.all[index].key));
        if self.has_hosts {
            chosen.extend(self.all.iter().position(|column| column.key == HOST));
            chosen.sort_unstable();
        }
        loop {
            let shown = fit(self.all, &chosen, room, &self.wanted);
            let least = shown.iter().max_by_key(|(index, _)| self.all[*index].rank).map(|(index, _)| *index);
            let spare = if self.has_hosts { SPARE_RANK_MIN_WITH_HOSTS } else { SPARE_RANK_MIN };
            match least.filter(|&index| self.all[index].rank >= Some(spare)) {
                Some(least) if shown.iter().any(|&(index, width)| self.is_cut(index, width)) => {
                    chosen.retain(|&index| self.all[index].rank < self.all[least].rank);
                }
                _ => return place(self.all, &shown, MARGIN_LEFT, room),
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
    fn measure<'a>(&mut self, rows: impl Iterator<Item = &'a R>, store: &'a Store)
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

/// The table of connections.
#[derive(Debug)]
pub struct Connections {
    /// Which rows, in what order.
    pub view: View,
    /// The selection.
    pub cursor: Cursor<SocketId>,
    /// The columns.
    pub columns: Columns<Row>,
    /// How many of the rows that pass the filter are live.
    pub live: usize,
}

impl Connections {
    /// The rows on a screen with `height` lines for them, and the line of the first.
    pub fn window<'a>(&'a self, store: &'a Store, height: usize) -> impl Iterator<Item = (usize, &'a Row)> {
        let lines = self.view.order().iter().enumerate().skip(self.cursor.offset()).take(height);
        lines.filter_map(|(line, index)| Some((line, store.rows().get(*index)?)))
    }

    /// The list as the cursor sees it.
    pub fn with_lines<T>(
        &mut self,
        store: &Store,
        height: usize,
        change: impl FnOnce(&mut Cursor<SocketId>, &Lines<'_, SocketId>) -> T,
    ) -> T {
        let order = self.view.order();
        let key_at = |line: usize| order.get(line).and_then(|index| id_of(store, *index));
        change(&mut self.cursor, &Lines { len: order.len(), height, key_at: &key_at })
    }

    fn refresh(&mut self, store: &Store, height: usize) {
        let index = self.cursor.sought().and_then(|id| store.rows().find(id));
        let found = index.and_then(|index| self.view.position(index));
        self.with_lines(store, height, |cursor, lines| cursor.refresh(found, lines));
        let (order, offset) = (self.view.order(), self.cursor.offset());
        self.live = self.view.live(store);
        let rows = order.iter().skip(offset).take(height).filter_map(|index| store.rows().get(*index));
        self.columns.hidden = if has_namespaces(store) { &[] } else { &[NAMESPACE] };
        self.columns.measure(rows, store);
    }
}

fn id_of(store: &Store, index: RowIndex) -> Option<SocketId> {
    Some(store.rows().get(index)?.connection.socket.id)
}

/// A table of groups.
#[derive(Debug)]
pub struct GroupTable {
    /// The groups, in order.
    pub view: GroupView,
    /// The selection.
    pub cursor: Cursor<GroupKey>,
    /// The columns.
    pub columns: Columns<Group>,
    /// How many deltas the store had taken in when the sockets were added up last.
    summed: u64,
}

impl GroupTable {
    fn new(grouping: Grouping) -> Self {
        let view = GroupView::new(grouping);
        let columns = Columns::new(view.columns());
        Self { view, cursor: Cursor::default(), columns, summed: 0 }
    }

    /// The rows on a screen with `height` lines for them, and the line of each.
    pub fn window(&self, height: usize) -> impl Iterator<Item = (usize, &Group)> {
        let first = self.cursor.offset();
        (first..).zip(self.view.from(first)).take(height)
    }

    /// The group `key`.
    pub fn get(&self, key: GroupKey) -> Option<&Group> {
        self.view.get(self.view.position(key)?)
    }

    /// The list as the cursor sees it.
    pub fn with_lines<T>(
        &mut self,
        height: usize,
        change: impl FnOnce(&mut Cursor<GroupKey>, &Lines<'_, GroupKey>) -> T,
    ) -> T {
        let view = &self.view;
        let key_at = |line: usize| view.get(line).map(|group| group.key);
        change(&mut self.cursor, &Lines { len: view.len(), height, key_at: &key_at })
    }

    /// Starts to add up what passes `filter`, if anything has come since the last time or the filter is another; once
    /// that is done it is to be called again.
    fn refresh(&mut self, store: &Store, filter: &Filter, height: usize) {
        let is_other = self.view.filter().text() != filter.text();
        if is_other {
            self.view.set_filter(filter.clone());
        }
        if is_other || self.summed != store.deltas() {
            self.summed = store.deltas();
            self.view.start();
        }
        if self.view.is_busy() {
            return;
        }
        let found = self.cursor.sought().and_then(|key| self.view.position(key));
        self.with_lines(height, |cursor, lines| cursor.refresh(found, lines));
        let rows = self.view.from(self.cursor.offset()).take(height);
        self.columns.hidden = if Attempts::are_told(store) { &[] } else { TRACED };
        self.columns.measure(rows, store);
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
    /// Whether it is a mere hint, by which nothing is sorted.
    pub is_hint: bool,
}

/// All tables.
#[derive(Debug)]
pub struct Tables {
    /// One line a socket.
    pub connections: Connections,
    groups: [GroupTable; 4],
}

impl Tables {
    /// Empty tables; `filter` must parse.
    pub fn new(filter: &str, store: &Store) -> Self {
        let mut view = View::default();
        let column = COLUMNS.iter().position(|column| column.key == FIRST_SORT).unwrap_or(0);
        view.set_sort(SortKey::first(COLUMNS, column), store);
        if let Ok(filter) = Filter::parse(filter) {
            view.set_filter(filter, store);
        }
        Self {
            connections: Connections { view, cursor: Cursor::default(), columns: Columns::new(COLUMNS), live: 0 },
            groups: [Grouping::Process, Grouping::Remote, Grouping::Listener, Grouping::Route].map(GroupTable::new),
        }
    }

    /// The group table of `tab`.
    pub fn group(&self, tab: Tab) -> Option<&GroupTable> {
        Some(&self.groups[group_index(tab)?])
    }

    /// The group table of `tab`, to change.
    pub fn group_mut(&mut self, tab: Tab) -> Option<&mut GroupTable> {
        Some(&mut self.groups[group_index(tab)?])
    }

    /// Brings the table of `tab`, the one on the screen, up to date.
    pub fn refresh(&mut self, tab: Tab, store: &Store, height: usize) {
        match group_index(tab) {
            Some(index) => self.groups[index].refresh(store, self.connections.view.filter(), height),
            None if tab == Tab::Connections => self.connections.refresh(store, height),
            None => {}
        }
    }

    /// Whether the columns with names of hosts are among those that are shown.
    pub fn show_hosts(&mut self, has_hosts: bool) {
        self.connections.columns.has_hosts = has_hosts;
        self.groups.iter_mut().for_each(|table| table.columns.has_hosts = has_hosts);
    }

    /// Lets columns find their widths anew.
    pub fn forget_widths(&mut self) {
        self.connections.columns.wanted.fill(0);
        self.groups.iter_mut().for_each(|table| table.columns.wanted.fill(0));
    }

    /// Drops what is large and not on the screen of `tab`; it is made anew when it is shown again.
    pub fn forget_hidden(&mut self, tab: Tab) {
        let shown = group_index(tab);
        for (index, table) in self.groups.iter_mut().enumerate() {
            if shown != Some(index) && (table.view.len() > HIDDEN_GROUPS_MAX || table.view.is_busy()) {
                table.view.clear();
                table.summed = 0;
            }
        }
    }

    /// What the table of `tab` is sorted by; `None` where there is no table.
    pub fn sort(&self, tab: Tab) -> Option<SortKey> {
        match self.group(tab) {
            Some(table) => Some(table.view.sort()),
            None => (tab == Tab::Connections).then(|| self.connections.view.sort()),
        }
    }

    /// Starts to sort the table of `tab`.
    pub fn start_sort(&mut self, tab: Tab, sort: SortKey) {
        match self.group_mut(tab) {
            Some(table) => table.view.start_sort(sort),
            None if tab == Tab::Connections => self.connections.view.start_sort(sort),
            None => {}
        }
    }

    /// Whether [`advance`](Self::advance) has work to do.
    pub fn is_busy(&self) -> bool {
        self.connections.view.is_busy() || self.groups.iter().any(|table| table.view.is_busy())
    }

    /// Goes on with what was started, as far as `steps` allows; answers whether a table is new and is to be refreshed.
    pub fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        let mut done = self.connections.view.advance(store, steps);
        for table in &mut self.groups {
            done |= table.view.advance(store, steps);
        }
        done
    }

    /// The columns on the screen, and where they stand.
    pub fn shown(&self, tab: Tab, width: u16) -> Vec<Place> {
        match self.group(tab) {
            Some(table) => table.columns.shown(width),
            None if tab == Tab::Connections => self.connections.columns.shown(width),
            None => Vec::new(),
        }
    }

    /// Every column of the table of `tab`.
    pub fn heads(&self, tab: Tab) -> Vec<ColumnHead> {
        match self.group(tab) {
            Some(table) => heads(table.columns.all),
            None if tab == Tab::Connections => heads(COLUMNS),
            None => Vec::new(),
        }
    }
}

fn heads<R>(columns: &[Column<R>]) -> Vec<ColumnHead> {
    let head = |column: &Column<R>| ColumnHead {
        key: column.key,
        title: column.title,
        about: column.about,
        first_order: column.first_order,
        is_hint: column.is_hint,
    };
    columns.iter().map(head).collect()
}

const fn group_index(tab: Tab) -> Option<usize> {
    match tab {
        Tab::Processes => Some(0),
        Tab::Remotes => Some(1),
        Tab::Listeners => Some(2),
        Tab::Ports => Some(3),
        Tab::Connections | Tab::States | Tab::Findings | Tab::Log => None,
    }
}
