//! The tabs Processes, Remotes, Listeners and Ports: one line a group of sockets.

mod filter;

use std::net::IpAddr;

use ratatui::layout::Position;

use crate::app::action::Motion;
use crate::app::cursor::{Cursor, Lines};
use crate::app::panels::table::{ColumnSet, SortedTable, TableColumns};
use crate::app::panels::{NO_CELL, OpenTarget, Panel, PanelContext};
use crate::app::screen_setup::group_table;
use crate::app::scroll::ScrollPosition;
use crate::app::selection::Selected;
use crate::app::summary::{self, SummaryPart};
use crate::app::tags::{Tag, Tags};
use crate::model::address::Address;
use crate::model::snapshot::Needs;
use crate::store::Store;
use crate::store::groups::attempts::GroupAttempts;
use crate::store::groups::{Group, GroupKey, Grouping};
use crate::table::connections::HOST;
use crate::table::filter::Filter;
use crate::table::groups::{GroupView, TRACED};
use crate::table::sort::SortKey;
use crate::table::units;

/// A table with more groups than this is not kept while another one is shown: each takes some 200 bytes.
const HIDDEN_GROUPS_MAX: usize = 2_000;

/// A table of groups: one line for all sockets of a process, a remote, a listener or a route.
#[derive(Debug)]
pub struct GroupPanel {
    /// The groups, in order.
    pub view: GroupView,
    /// The selection.
    pub cursor: Cursor<GroupKey>,
    /// The columns.
    pub columns: TableColumns<Group>,
    /// What the rows stand for.
    grouping: Grouping,
    /// How many deltas the store had taken in when the sockets were added up last.
    summed: u64,
    /// The filter is another one than when they were.
    is_other_filter: bool,
}

impl GroupPanel {
    pub(in crate::app) fn new(grouping: Grouping) -> Self {
        let view = GroupView::new(grouping);
        let mut columns = TableColumns::new(view.columns());
        columns.set_sorted(view.sort().column);
        Self { view, cursor: Cursor::default(), columns, grouping, summed: 0, is_other_filter: false }
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

    /// The store is another one: the groups are added up again, and those of before stand until then.
    pub(in crate::app) fn forget_store(&mut self) {
        if self.view.is_busy() {
            self.view.clear();
        }
        self.is_other_filter = true;
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
}

impl Panel for GroupPanel {
    /// How many groups there are; with a filter, of which sockets.
    fn title(&self, _context: &PanelContext<'_>) -> String {
        let count = units::count(self.view.len() as u64);
        match self.view.filter().text().trim() {
            "" => count,
            filter => format!("{count} · {filter}"),
        }
    }

    fn position(&self, context: &PanelContext<'_>) -> ScrollPosition {
        self.cursor.position(self.view.len(), context.height())
    }

    fn cursor_line(&self) -> Option<usize> {
        self.cursor.line()
    }

    fn selected(&self) -> Selected {
        self.cursor.key().map_or(Selected::None, Selected::Group)
    }

    fn is_picked(&self) -> bool {
        self.cursor.is_picked()
    }

    fn pick(&mut self) {
        self.cursor.pick();
    }

    fn go(&mut self, motion: Motion, context: &PanelContext<'_>) {
        self.with_lines(context.height(), |cursor, lines| cursor.go(motion, lines));
    }

    fn wheel(&mut self, lines: isize, context: &PanelContext<'_>) {
        self.with_lines(context.height(), |cursor, list| cursor.scroll(lines, list));
    }

    fn click(&mut self, at: Position, context: &PanelContext<'_>) -> bool {
        let Some(row) = context.row_of(at) else { return false };
        self.with_lines(context.height(), |cursor, lines| cursor.click(row, lines))
    }

    fn open(&self, context: &PanelContext<'_>) -> OpenTarget {
        let Some(key) = self.cursor.key() else { return OpenTarget::Nothing };
        OpenTarget::Filtered(filter::within(key, self.view.filter(), context.store))
    }

    /// Starts to add up what passes the filter, if anything has come since the last time or the filter is another; once
    /// that is done it is to be called again.
    fn refresh(&mut self, context: &PanelContext<'_>) {
        let (store, height) = (context.store, context.height());
        if std::mem::take(&mut self.is_other_filter) || self.summed != store.deltas() {
            self.summed = store.deltas();
            self.view.start();
        }
        if self.view.is_busy() {
            return;
        }
        let found = self.cursor.sought().and_then(|key| self.view.position(key));
        self.with_lines(height, |cursor, lines| cursor.refresh(found, lines));
        let traced = if GroupAttempts::are_told(store) { &[] } else { TRACED };
        let host = if store.has_hosts() { None } else { Some(HOST) };
        self.columns.hide(&traced.iter().copied().chain(host).collect::<Vec<_>>());
        self.columns.measure(self.view.from(self.cursor.offset()).take(height), store);
    }

    fn toggle_follow(&mut self) -> Option<bool> {
        Some(self.cursor.toggle_follow())
    }

    fn filter(&self) -> Option<&Filter> {
        Some(self.view.filter())
    }

    fn set_filter(&mut self, filter: Filter) {
        self.view.set_filter(filter);
        self.is_other_filter = true;
    }

    fn cell_term(&self, context: &PanelContext<'_>) -> Result<String, String> {
        let group = self.cursor.key().and_then(|key| self.get(key)).ok_or(NO_CELL)?;
        let column = self.columns.cell_column(context.width()).ok_or(NO_CELL)?;
        filter::cell_term(column, group, context.store)
    }

    fn tag_under_cursor(&self) -> Option<Tag> {
        self.cursor.key().map(Tag::Group)
    }

    fn can_have(&self, tag: Tag) -> bool {
        matches!(tag, Tag::Group(key) if key.grouping() == self.grouping)
    }

    fn tags_of_all(&self, _store: &Store, most: usize) -> Result<Vec<Tag>, usize> {
        let count = self.view.len();
        if count > most { Err(count) } else { Ok(self.view.from(0).map(|group| Tag::Group(group.key)).collect()) }
    }

    fn gone(&self, tags: &Tags) -> Vec<Tag> {
        if self.view.is_busy() || self.view.is_empty() || !self.view.filter().is_empty() {
            return Vec::new();
        }
        let is_gone = |tag: &Tag| matches!(tag, Tag::Group(key) if self.can_have(*tag) && !self.view.has(*key));
        tags.iter().filter(is_gone).collect()
    }

    fn table(&self) -> Option<&dyn SortedTable> {
        Some(self)
    }

    fn table_mut(&mut self) -> Option<&mut dyn SortedTable> {
        Some(self)
    }

    /// What the processes on the screen use.
    fn add_needs(&self, needs: &mut Needs, context: &PanelContext<'_>) {
        if self.grouping == Grouping::Process {
            needs.usage.extend(self.window(context.height()).filter_map(|(_, group)| match group.key {
                GroupKey::Process(id) => Some(id),
                GroupKey::NoProcess(..)
                | GroupKey::Remote { .. }
                | GroupKey::Listener { .. }
                | GroupKey::OneOfListeners(_)
                | GroupKey::PortPool(_) => None,
            }));
        }
    }

    fn peers(&self, context: &PanelContext<'_>) -> Vec<IpAddr> {
        let addresses = self.window(context.height()).filter_map(|(_, group)| group.key.remote_address());
        addresses.map(Address::ip).collect()
    }

    fn summary(&self, store: &Store) -> Vec<SummaryPart> {
        summary::parts(self.grouping, &self.view, store)
    }

    fn leave(&mut self) {
        if self.view.len() > HIDDEN_GROUPS_MAX || self.view.is_busy() {
            self.view.clear();
            self.summed = 0;
        }
    }
}

impl SortedTable for GroupPanel {
    fn name(&self) -> &'static str {
        group_table(self.grouping)
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
