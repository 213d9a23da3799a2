//! The folded table of the tab Connections: one line for all sockets that have a cause in common. Queues and rates of a line are as
//! old as the last sample that listed its sockets: while only changes are sampled, those of the silent ones are of the last full
//! sample.

mod filter;
pub mod marks;

use std::net::IpAddr;

use rustc_hash::FxHashSet;

use crate::app::action::Motion;
use crate::app::cursor::{Cursor, Lines};
use crate::app::panels::table::{ColumnSet, SortedTable, TableColumns};
use crate::app::panels::{NO_CELL, OpenTarget, PanelContext};
use crate::app::screen_setup::FOLDED_TABLE;
use crate::app::scroll::ScrollPosition;
use crate::app::selection::Selected;
use crate::app::tags::{Tag, Tags};
use crate::model::snapshot::Needs;
use crate::model::socket::SocketRef;
use crate::store::Store;
use crate::store::folding::{FoldKey, Folding};
use crate::table::connections::HOST;
use crate::table::filter::Filter;
use crate::table::folded::columns::{FOLDED, TREND, UNIT};
use crate::table::folded::view::FoldedView;
use crate::table::folded::{FoldedLine, LineKey};
use crate::table::sort::SortKey;
use crate::table::units;

/// Cells left of the first column: the mark of the line, the sign that it can be unfolded, and a gap.
const MARGIN_LEFT: u16 = 3;
/// On a narrower screen the names of the tabs need the room of the title's words.
const WORDED_TITLE_WIDTH_MIN: u16 = 100;
/// Cells that unfold a line when they are clicked.
const SIGN_WIDTH: u16 = 3;

/// The folded table, and the cursor on it.
#[derive(Debug)]
pub struct FoldedPanel {
    /// The lines.
    pub view: FoldedView,
    /// The selection.
    pub cursor: Cursor<LineKey>,
    /// The columns.
    pub columns: TableColumns<FoldedLine>,
    /// What the marks were made of: the findings, and what is known of sockets.
    marked: Option<(u64, u64)>,
}

impl FoldedPanel {
    pub(in crate::app) fn new() -> Self {
        let view = FoldedView::new();
        let mut columns = TableColumns::with_margin(FOLDED, MARGIN_LEFT);
        columns.set_sorted(view.sort().column);
        Self { view, cursor: Cursor::default(), columns, marked: None }
    }

    /// The store is another one. Names have other numbers there, so that lines of programs are others.
    pub(in crate::app) fn forget_store(&mut self) {
        self.marked = None;
        self.view.forget_store();
        let is_kept = |key: &LineKey| match key {
            LineKey::Row(key) | LineKey::More(key) => key.is_of_any_store(),
            LineKey::Socket(_) => true,
        };
        if !self.cursor.key().as_ref().is_some_and(is_kept) {
            self.cursor.release();
        }
    }

    /// The lines on a screen with `height` of them, each with its number.
    pub fn window<'a>(&'a self, store: &'a Store, height: usize) -> impl Iterator<Item = (usize, FoldedLine)> {
        let first = self.cursor.offset();
        (first..self.view.len()).take(height).filter_map(|line| Some((line, self.view.line(line, store)?)))
    }

    fn with_lines<T>(
        &mut self,
        height: usize,
        change: impl FnOnce(&mut Cursor<LineKey>, &Lines<'_, LineKey>) -> T,
    ) -> T {
        let view = &self.view;
        let key_at = |line: usize| view.key(line);
        change(&mut self.cursor, &Lines { len: view.len(), height, key_at: &key_at })
    }

    /// Which part of the lines is on the screen.
    pub fn position(&self, context: &PanelContext<'_>) -> ScrollPosition {
        self.cursor.position(self.view.len(), context.height())
    }

    /// The line that is selected.
    pub(super) fn selected(&self) -> Selected {
        match self.cursor.key() {
            None => Selected::None,
            Some(LineKey::Row(key) | LineKey::More(key)) => Selected::Fold(key),
            Some(LineKey::Socket(id)) => Selected::Socket(id),
        }
    }

    pub(super) fn go(&mut self, motion: Motion, context: &PanelContext<'_>) {
        self.with_lines(context.height(), |cursor, lines| cursor.go(motion, lines));
    }

    pub(super) fn wheel(&mut self, by: isize, context: &PanelContext<'_>) {
        self.with_lines(context.height(), |cursor, lines| cursor.scroll(by, lines));
    }

    /// Row `row` of the window was clicked, `x` cells from the left; answers whether it is to be opened.
    pub(super) fn click(&mut self, row: usize, x: u16, context: &PanelContext<'_>) -> bool {
        let again = self.with_lines(context.height(), |cursor, lines| cursor.click(row, lines));
        let line = self.cursor.offset() + row;
        if let Some(LineKey::Row(key)) = self.view.key(line).filter(|_| x < SIGN_WIDTH) {
            if !self.view.fold(key, context.store) {
                self.unfold_row(key, context);
            }
            return false;
        }
        again
    }

    /// Shows the sockets of the selected line below it; of its last line, more of them. What Enter would lead to, where no more
    /// can be shown.
    pub(super) fn unfold(&mut self, context: &PanelContext<'_>) -> Option<OpenTarget> {
        match self.cursor.key()? {
            LineKey::Socket(_) => None,
            // What is unfolded already is entered.
            LineKey::Row(key) if self.view.row(key).is_some_and(|row| row.is_unfolded) => {
                self.go(Motion::Down, context);
                None
            }
            LineKey::Row(key) => {
                self.cursor.pick();
                self.unfold_row(key, context);
                None
            }
            LineKey::More(key) => {
                let is_more = self.view.unfold(key);
                self.refresh(context);
                if is_more { None } else { Some(self.open_row(key, context)) }
            }
        }
    }

    fn unfold_row(&mut self, key: FoldKey, context: &PanelContext<'_>) {
        self.view.unfold(key);
        self.refresh(context);
    }

    /// Hides the sockets of the selected line, or of the line that the selected socket is below; that line is selected then.
    pub(super) fn fold(&mut self, context: &PanelContext<'_>) {
        let Some(line) = self.cursor.line() else { return };
        let Some(key) = self.view.row_of_line(line).map(|row| row.key) else { return };
        if !self.view.fold(key, context.store) {
            return;
        }
        if let Some(line) = self.view.position(LineKey::Row(key)) {
            self.with_lines(context.height(), |cursor, lines| cursor.select(line, lines));
        }
        self.refresh(context);
    }

    pub(super) fn open(&self, context: &PanelContext<'_>) -> OpenTarget {
        match self.cursor.key() {
            None => OpenTarget::Nothing,
            Some(LineKey::Socket(id)) => OpenTarget::Details(id),
            Some(LineKey::Row(key) | LineKey::More(key)) => self.open_row(key, context),
        }
    }

    fn open_row(&self, key: FoldKey, context: &PanelContext<'_>) -> OpenTarget {
        let Some(row) = self.view.row(key) else { return OpenTarget::Nothing };
        match filter::within(row, self.view.filter(), context.store) {
            Ok(filter) => OpenTarget::Filtered(filter),
            Err(why) => OpenTarget::Refused(why),
        }
    }

    /// What tags the selected line; the last line of what is unfolded is no row of its own.
    pub(super) fn tag_under_cursor(&self) -> Option<Tag> {
        match self.cursor.key()? {
            LineKey::Row(key) => Some(Tag::Fold(key)),
            LineKey::Socket(id) => Some(Tag::Socket(id)),
            LineKey::More(_) => None,
        }
    }

    /// The tags of all lines, `most` at the most; else how many there are.
    pub(super) fn tags_of_all(&self, most: usize) -> Result<Vec<Tag>, usize> {
        let count = self.view.rows();
        if count > most { Err(count) } else { Ok(self.view.keys().map(Tag::Fold).collect()) }
    }

    /// Which of `tags` are of lines that stand for no socket any more: not known while a filter hides lines.
    pub(super) fn gone(&self, tags: &Tags) -> Vec<Tag> {
        if self.view.is_busy() || !self.view.filter().is_empty() {
            return Vec::new();
        }
        let known: FxHashSet<FoldKey> = self.view.keys().collect();
        let folding = self.view.folding();
        let is_gone = |tag: &Tag| matches!(tag, Tag::Fold(key) if key.folding == folding && !known.contains(key));
        tags.iter().filter(is_gone).collect()
    }

    /// The term of a filter that passes what has the value of the chosen cell.
    pub(super) fn cell_term(&self, context: &PanelContext<'_>) -> Result<String, String> {
        let line = self.cursor.line().and_then(|line| self.view.line(line, context.store)).ok_or(NO_CELL)?;
        let column = self.columns.cell_column(context.width()).ok_or(NO_CELL)?;
        filter::cell_term(column, &line, context.store)
    }

    pub(super) fn refresh(&mut self, context: &PanelContext<'_>) {
        let (store, height) = (context.store, context.height());
        self.view.refresh(store);
        if self.view.is_busy() {
            return;
        }
        let found = self.cursor.sought().and_then(|key| self.view.position(key));
        self.with_lines(height, |cursor, lines| cursor.refresh(found, lines));
        let hidden = [
            (UNIT, self.view.folding() != Folding::Unit),
            (TREND, context.config.settings.low_bandwidth),
            (HOST, !store.has_hosts()),
        ];
        let hidden: Vec<_> = hidden.into_iter().filter_map(|(column, is_hidden)| is_hidden.then_some(column)).collect();
        self.columns.hide(&hidden);
        let shown: Vec<_> = self.window(store, height).map(|(_, line)| line).collect();
        self.columns.measure(shown.iter(), store);
    }

    /// Brings the marks of findings up to date, which `make` makes, if `of` (the number of the findings) or what is known of
    /// sockets is another one than before.
    pub(in crate::app) fn mark(
        &mut self,
        of: u64,
        store: &Store,
        make: impl FnOnce() -> rustc_hash::FxHashMap<u32, crate::table::folded::FoldMark>,
    ) {
        let of = Some((of, store.rows().alike().version()));
        if self.marked != of {
            self.marked = of;
            self.view.set_marks(make());
        }
    }

    /// Another filter is in force.
    pub(super) fn set_filter(&mut self, filter: &Filter) {
        self.view.set_filter(filter);
    }

    /// How many lines of how many sockets, which filter.
    pub(super) fn title(&self, all: &str, width: u16) -> String {
        let what = match self.view.folding() {
            Folding::Cause => "cause",
            Folding::Process => "process",
            Folding::Unit => "unit",
            Folding::Remote => "peer",
            Folding::Port => "port",
        };
        let rows = units::counted(self.view.rows() as u64, what);
        let filter = self.view.filter().text().trim();
        if filter.is_empty() && width < WORDED_TITLE_WIDTH_MIN {
            return format!("{} / {all}", units::count(self.view.rows() as u64));
        }
        if filter.is_empty() {
            return format!("{rows} · {all}");
        }
        let shown = if self.view.is_filtering() { "…".to_owned() } else { units::count(self.view.sockets()) };
        format!("{rows} · {shown} of {all} · {filter}")
    }

    /// The sockets on the screen that are shown below a line; none where every sample shows all of them anyway.
    pub(super) fn add_needs(&self, needs: &mut Needs, context: &PanelContext<'_>) {
        if context.store.sample_intervals().full_every.is_some() {
            let reference = |line: &FoldedLine| -> Option<SocketRef> {
                match line {
                    FoldedLine::Socket(row) if !row.is_closed() => Some(row.connection.socket.reference()),
                    _ => None,
                }
            };
            let lines = self.window(context.store, context.height());
            needs.visible.extend(lines.filter_map(|(_, line)| reference(&line)));
        }
    }

    /// The addresses on the screen that could have a name, from top to bottom.
    pub(super) fn peers(&self, context: &PanelContext<'_>) -> Vec<IpAddr> {
        self.window(context.store, context.height()).filter_map(|(_, line)| line.remote_address()).collect()
    }
}

impl SortedTable for FoldedPanel {
    fn name(&self) -> &'static str {
        FOLDED_TABLE
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
