//! The tab Connections: one line for all sockets with a cause in common (see [`folded`](crate::app::panels::folded)), or one line a
//! socket.

use std::net::IpAddr;

use ratatui::layout::Position;

use crate::app::action::Motion;
use crate::app::cursor::{Cursor, Lines};
use crate::app::panels::folded::FoldedPanel;
use crate::app::panels::table::{ColumnSet, SortedTable, TableColumns, arrow};
use crate::app::panels::{NO_CELL, OpenTarget, Panel, PanelContext};
use crate::app::screen_setup::CONNECTIONS_TABLE;
use crate::app::scroll::ScrollPosition;
use crate::app::selection::Selected;
use crate::app::tags::{Tag, Tags};
use crate::model::snapshot::Needs;
use crate::model::socket::SocketId;
use crate::store::Store;
use crate::store::folding::Folding;
use crate::store::row::{RowIndex, SocketRow};
use crate::table::cell_term;
use crate::table::connections::{COLUMNS, hidden_columns};
use crate::table::filter::Filter;
use crate::table::sort::SortKey;
use crate::table::units;
use crate::table::view::View;

/// The column that connections are sorted by at first: what has been in its state longest.
const FIRST_SORT: &str = "age";
/// The most rows of a screen that are looked up between full samples: 3 ms.
const VISIBLE_MAX: usize = 1_000;

/// The table of connections: folded, or one line a socket.
#[derive(Debug)]
pub struct ConnectionsPanel {
    /// The folded table.
    pub folded: FoldedPanel,
    /// What the lines of the folded table have in common; `None` where each socket has a line of its own.
    folding: Option<Folding>,
    /// The sockets of one line or finding were opened, and are shown one by one until that is left.
    is_opened: bool,
    /// Which rows, in what order.
    pub view: View,
    /// The selection.
    pub cursor: Cursor<SocketId>,
    /// The columns.
    pub columns: TableColumns<SocketRow>,
    /// How many of the rows that pass the filter are live.
    pub live: usize,
}

impl ConnectionsPanel {
    /// An empty table; `filter` must parse.
    pub(in crate::app) fn new(filter: &str, store: &Store) -> Self {
        let mut view = View::default();
        let column = COLUMNS.iter().position(|column| column.key == FIRST_SORT).unwrap_or(0);
        view.set_sort(SortKey::first(COLUMNS, column), store);
        if let Ok(filter) = Filter::parse(filter) {
            view.set_filter(filter, store);
        }
        let mut columns = TableColumns::new(COLUMNS);
        columns.set_sorted(column);
        Self {
            folded: FoldedPanel::new(),
            folding: Some(Folding::default()),
            is_opened: false,
            view,
            cursor: Cursor::default(),
            columns,
            live: 0,
        }
    }

    /// Whether the folded table is shown.
    pub const fn is_folded(&self) -> bool {
        self.folding.is_some() && !self.is_opened
    }

    /// What the lines have in common; `None` where each socket has a line of its own.
    pub fn folding(&self) -> Option<Folding> {
        self.folding.filter(|_| !self.is_opened)
    }

    /// What the user wants the lines to have in common, whether or not they are folded for the time being.
    pub(in crate::app) const fn chosen_folding(&self) -> Option<Folding> {
        self.folding
    }

    /// Folds otherwise, or not at all. That stays until it is changed again.
    pub(in crate::app) fn fold_by(&mut self, folding: Option<Folding>) {
        (self.folding, self.is_opened) = (folding, false);
        if let Some(folding) = folding {
            self.folded.view.fold_by(folding);
            self.folded.cursor.release();
        }
    }

    /// Shows each socket by itself for the time being, or no longer.
    pub(in crate::app) const fn set_opened(&mut self, is_opened: bool) {
        self.is_opened = is_opened;
    }

    /// Does `change` to both tables, whichever is shown.
    pub(in crate::app) fn change_tables(&mut self, change: &mut impl FnMut(&mut dyn SortedTable)) {
        change(&mut self.folded);
        change(self);
    }

    /// Whether either table has work to do.
    pub(in crate::app) fn is_busy(&self) -> bool {
        self.view.is_busy() || (self.is_folded() && self.folded.is_busy())
    }

    /// The rows on a screen with `height` lines for them, and the line of the first.
    pub fn window<'a>(&'a self, store: &'a Store, height: usize) -> impl Iterator<Item = (usize, &'a SocketRow)> {
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

    /// What the table is sorted by, if no heading on a screen of `width` says so.
    fn hidden_order(&self, width: u16) -> String {
        let sort = self.view.sort();
        let shown = self.columns.shown(width);
        let heads = self.columns.heads();
        match heads.get(sort.column).filter(|_| shown.iter().all(|place| place.index != sort.column)) {
            Some(head) => format!(" · by {} {}", head.key, arrow(sort.order)),
            None => String::new(),
        }
    }
}

fn id_of(store: &Store, index: RowIndex) -> Option<SocketId> {
    Some(store.rows().get(index)?.connection.socket.id)
}

impl Panel for ConnectionsPanel {
    fn title(&self, context: &PanelContext<'_>) -> String {
        let all = units::count(u64::from(context.store.rows().counts().total()));
        if self.is_folded() {
            return self.folded.title(&all, context.config.size.0);
        }
        let filter = self.view.filter();
        let sorting = if self.view.is_arranging() { " · sorting…" } else { "" };
        let order = format!("{}{sorting}", self.hidden_order(context.config.size.0));
        if filter.is_empty() {
            return format!("{all}{order}");
        }
        let shown = if self.view.is_filtering() { "…".to_owned() } else { units::count(self.live as u64) };
        format!("{shown} of {all} · {}{order}", filter.text().trim())
    }

    fn position(&self, context: &PanelContext<'_>) -> ScrollPosition {
        if self.is_folded() {
            return self.folded.position(context);
        }
        self.cursor.position(self.view.order().len(), context.height())
    }

    fn cursor_line(&self) -> Option<usize> {
        if self.is_folded() { self.folded.cursor.line() } else { self.cursor.line() }
    }

    fn selected(&self) -> Selected {
        if self.is_folded() {
            return self.folded.selected();
        }
        self.cursor.key().map_or(Selected::None, Selected::Socket)
    }

    fn is_picked(&self) -> bool {
        if self.is_folded() { self.folded.cursor.is_picked() } else { self.cursor.is_picked() }
    }

    fn pick(&mut self) {
        if self.is_folded() { self.folded.cursor.pick() } else { self.cursor.pick() }
    }

    fn go(&mut self, motion: Motion, context: &PanelContext<'_>) {
        if self.is_folded() {
            return self.folded.go(motion, context);
        }
        self.with_lines(context.store, context.height(), |cursor, lines| cursor.go(motion, lines));
    }

    fn wheel(&mut self, lines: isize, context: &PanelContext<'_>) {
        if self.is_folded() {
            return self.folded.wheel(lines, context);
        }
        self.with_lines(context.store, context.height(), |cursor, list| cursor.scroll(lines, list));
    }

    fn click(&mut self, at: Position, context: &PanelContext<'_>) -> bool {
        let Some(row) = context.row_of(at) else { return false };
        if self.is_folded() {
            return self.folded.click(row, at.x, context);
        }
        self.with_lines(context.store, context.height(), |cursor, lines| cursor.click(row, lines))
    }

    fn open(&self, context: &PanelContext<'_>) -> OpenTarget {
        if self.is_folded() {
            return self.folded.open(context);
        }
        self.cursor.key().map_or(OpenTarget::Nothing, OpenTarget::Details)
    }

    fn refresh(&mut self, context: &PanelContext<'_>) {
        let (store, height) = (context.store, context.height());
        if self.is_folded() {
            self.folded.set_filter(self.view.filter());
            return self.folded.refresh(context);
        }
        let index = self.cursor.sought().and_then(|id| store.rows().find(id));
        let found = index.and_then(|index| self.view.position(index));
        self.with_lines(store, height, |cursor, lines| cursor.refresh(found, lines));
        self.live = self.view.live(store);
        self.columns.hide(hidden_columns(store));
        let shown = self.view.order().iter().skip(self.cursor.offset()).take(height);
        self.columns.measure(shown.filter_map(|index| store.rows().get(*index)), store);
    }

    fn toggle_follow(&mut self) -> Option<bool> {
        Some(if self.is_folded() { self.folded.cursor.toggle_follow() } else { self.cursor.toggle_follow() })
    }

    fn filter(&self) -> Option<&Filter> {
        Some(self.view.filter())
    }

    fn table(&self) -> Option<&dyn SortedTable> {
        Some(if self.is_folded() { &self.folded } else { self })
    }

    fn table_mut(&mut self) -> Option<&mut dyn SortedTable> {
        Some(if self.is_folded() { &mut self.folded } else { self })
    }

    fn cell_term(&self, context: &PanelContext<'_>) -> Result<String, String> {
        if self.is_folded() {
            return self.folded.cell_term(context);
        }
        let index = self.cursor.key().and_then(|id| context.store.rows().find(id));
        let row = index.and_then(|index| context.store.rows().get(index)).ok_or(NO_CELL)?;
        let column = self.columns.cell_column(context.width()).ok_or(NO_CELL)?;
        cell_term::term(column, row, context.store)
    }

    fn tag_under_cursor(&self) -> Option<Tag> {
        if self.is_folded() { self.folded.tag_under_cursor() } else { self.cursor.key().map(Tag::Socket) }
    }

    fn can_have(&self, tag: Tag) -> bool {
        match tag {
            Tag::Socket(_) => true,
            Tag::Fold(key) => self.folding() == Some(key.folding),
            Tag::Group(_) => false,
        }
    }

    fn tags_of_all(&self, store: &Store, most: usize) -> Result<Vec<Tag>, usize> {
        if self.is_folded() {
            return self.folded.tags_of_all(most);
        }
        if self.live > most {
            return Err(self.live);
        }
        let rows = self.view.order().iter().filter_map(|index| store.rows().get(*index));
        Ok(rows.filter(|row| !row.is_closed()).map(|row| Tag::Socket(row.connection.socket.id)).collect())
    }

    fn gone(&self, tags: &Tags) -> Vec<Tag> {
        if self.is_folded() { self.folded.gone(tags) } else { Vec::new() }
    }

    fn unfold(&mut self, context: &PanelContext<'_>) -> Option<OpenTarget> {
        if self.is_folded() { Some(self.folded.unfold(context).unwrap_or(OpenTarget::Nothing)) } else { None }
    }

    fn fold(&mut self, context: &PanelContext<'_>) -> bool {
        if self.is_folded() {
            self.folded.fold(context);
        }
        self.is_folded()
    }

    /// The connections on the screen; none where every sample shows all of them anyway.
    fn add_needs(&self, needs: &mut Needs, context: &PanelContext<'_>) {
        if self.is_folded() {
            return self.folded.add_needs(needs, context);
        }
        if context.store.sample_intervals().full_every.is_some() {
            let live = self.window(context.store, context.height()).filter(|(_, row)| !row.is_closed());
            needs.visible.extend(live.map(|(_, row)| row.connection.socket.reference()).take(VISIBLE_MAX));
        }
    }

    fn peers(&self, context: &PanelContext<'_>) -> Vec<IpAddr> {
        if self.is_folded() {
            return self.folded.peers(context);
        }
        self.window(context.store, context.height()).map(|(_, row)| row.connection.socket.remote.addr).collect()
    }
}

impl SortedTable for ConnectionsPanel {
    fn name(&self) -> &'static str {
        CONNECTIONS_TABLE
    }

    fn columns(&self) -> &dyn ColumnSet {
        &self.columns
    }

    fn columns_mut(&mut self) -> &mut dyn ColumnSet {
        &mut self.columns
    }

    fn sort(&self) -> SortKey {
        self.view.sort()
    }

    fn start_sort(&mut self, sort: SortKey) {
        self.columns.set_sorted(sort.column);
        self.view.start_sort(sort);
    }

    fn is_busy(&self) -> bool {
        self.view.is_busy()
    }

    fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        self.view.advance(store, steps)
    }
}
