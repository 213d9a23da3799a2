//! The tab Log: what happened, newest first, or the connections that have ended. A line is known by its number since the start.
//!
//! It has a filter of its own, in the language of the other tabs, asked of the socket as it was before and after what happened. The
//! filter of the other tabs does not apply here: that says which sockets are looked at now, and most of these are gone.

pub mod list;

use ratatui::layout::Position;

use crate::app::action::Motion;
use crate::app::cursor::{Cursor, Lines};
use crate::app::panels::log::list::{LogLine, LogList, LogView};
use crate::app::panels::{OpenTarget, Panel, PanelContext, PanelParts};
use crate::app::scroll::ScrollPosition;
use crate::app::selection::Selected;
use crate::model::delta::{AgeBasis, Transition};
use crate::model::endpoint::Protocol;
use crate::model::tcp_info::ByteCounts;
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::store::closed::{ClosedConnection, LastCounters};
use crate::table::filter::Filter;
use crate::table::units;

/// What the tab has around its panel.
pub const PARTS: PanelParts = PanelParts { columns: true, summary: false, states: true, log: false };

/// The log as a list; its newest line is line 0.
#[derive(Debug, Default)]
pub struct LogPanel {
    /// The selection.
    pub cursor: Cursor<u64>,
    list: LogList,
}

impl LogPanel {
    /// What its lines are.
    pub const fn view(&self) -> LogView {
        self.list.view()
    }

    /// The line with this number, while it is kept.
    pub fn line<'a>(&self, store: &'a Store, number: u64) -> Option<LogLine<'a>> {
        self.view().get(store, number)
    }

    /// The lines on a screen with `height` of them, newest first, each with its place in the list.
    pub fn window<'a>(&'a self, store: &'a Store, height: usize) -> impl Iterator<Item = (usize, LogLine<'a>)> {
        let lines = (self.cursor.offset()..self.list.len(store)).take(height);
        lines.filter_map(|line| Some((line, self.line(store, self.list.number(store, line)?)?)))
    }

    /// Shows other lines, from the newest on.
    pub(in crate::app) fn set_view(&mut self, view: LogView) {
        self.list.set(view, self.list.filter().clone());
        self.cursor.release();
    }

    /// The store is another one, whose lines have other numbers.
    pub(in crate::app) fn forget_store(&mut self) {
        self.set_view(self.view());
    }

    /// So many lines came at the top of the log.
    pub(in crate::app) fn grow_above(&mut self, changes: usize, closed: usize) {
        if self.list.filter().is_empty() {
            self.cursor.grow_above(if self.view() == LogView::Changes { changes } else { closed });
        }
    }

    /// Whether [`advance`](Self::advance) has work to do.
    pub(in crate::app) fn is_busy(&self) -> bool {
        self.list.is_busy()
    }

    /// Goes on asking which lines pass the filter, as far as `steps` allows; answers whether the list is another one.
    pub(in crate::app) fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        let passed = self.list.advance(store, steps);
        self.cursor.grow_above(passed);
        passed > 0
    }

    fn with_lines<T>(
        &mut self,
        context: &PanelContext<'_>,
        change: impl FnOnce(&mut Cursor<u64>, &Lines<'_, u64>) -> T,
    ) -> T {
        let (list, store) = (&self.list, context.store);
        let key_at = |line: usize| list.number(store, line);
        change(&mut self.cursor, &Lines { len: list.len(store), height: context.height(), key_at: &key_at })
    }
}

impl Panel for LogPanel {
    fn title(&self, context: &PanelContext<'_>) -> String {
        let (store, view) = (context.store, self.view());
        let (kept, total) = (view.len(store) as u64, view.total(store));
        let of = if kept < total {
            format!("{} of {}", units::count(kept), units::count(total))
        } else {
            units::count(kept)
        };
        let what = if view == LogView::Closed { "closed " } else { "" };
        match self.list.filter().text().trim() {
            "" => format!("{what}{of}"),
            filter => {
                format!("{what}{} of {} · {filter}", units::count(self.list.len(store) as u64), units::count(kept))
            }
        }
    }

    fn position(&self, context: &PanelContext<'_>) -> ScrollPosition {
        self.cursor.position(self.list.len(context.store), context.height())
    }

    fn cursor_line(&self) -> Option<usize> {
        self.cursor.line()
    }

    fn selected(&self) -> Selected {
        self.cursor.key().map_or(Selected::None, Selected::LogLine)
    }

    fn is_picked(&self) -> bool {
        self.cursor.is_picked()
    }

    fn pick(&mut self) {
        self.cursor.pick();
    }

    fn go(&mut self, motion: Motion, context: &PanelContext<'_>) {
        self.with_lines(context, |cursor, lines| cursor.go(motion, lines));
    }

    fn wheel(&mut self, lines: isize, context: &PanelContext<'_>) {
        self.with_lines(context, |cursor, list| cursor.scroll(lines, list));
    }

    fn click(&mut self, at: Position, context: &PanelContext<'_>) -> bool {
        let Some(row) = context.row_of(at) else { return false };
        self.with_lines(context, |cursor, lines| cursor.click(row, lines))
    }

    fn open(&self, context: &PanelContext<'_>) -> OpenTarget {
        let line = self.cursor.key().and_then(|number| self.line(context.store, number));
        line.map_or(OpenTarget::Nothing, |line| OpenTarget::Details(line.transition().id))
    }

    fn refresh(&mut self, context: &PanelContext<'_>) {
        self.list.refresh(context.store);
        let found = self.cursor.sought().and_then(|number| self.list.position(context.store, number));
        self.with_lines(context, |cursor, lines| cursor.refresh(found, lines));
    }

    fn own_filter(&self) -> Option<&Filter> {
        Some(self.list.filter())
    }

    fn set_own_filter(&mut self, filter: Filter) {
        self.list.set(self.view(), filter);
    }
}

/// The newest `count` entries for the panel below a table: without the ends of `TIME_WAIT`, where nothing happened but that the
/// kernel forgot a connection, as it does with every one that was closed from here.
pub fn below_table(store: &Store, count: usize) -> impl Iterator<Item = &Transition> {
    let is_end = |entry: &&Transition| entry.from == Some(TcpState::TimeWait) && entry.to.is_none();
    store.log().entries().iter().rev().filter(move |entry| !is_end(entry)).take(count)
}

/// `line` as one line of plain text.
pub fn line_text(line: LogLine<'_>, context: &PanelContext<'_>) -> String {
    let entry = line.transition();
    let names = context.store.names();
    let (local, remote) = (entry.local_text(names), entry.remote_text(names));
    let ends = remote.map_or_else(|| local.clone(), |remote| format!("{local} → {remote}"));
    let happened = match line {
        LogLine::Change(entry) => vec![change_text(entry), after_text(lasted_text(entry))],
        LogLine::Closed(closed) => {
            let [received, sent, again] = counter_texts(closed);
            let counted = format!("{received} received, {sent} sent, {again} sent again");
            vec![closed.reason().words().to_owned(), after_text(lifetime_text(closed)), counted]
        }
    };
    let host =
        if context.store.has_hosts() { context.store.host_of(entry.id.netns()).to_string() } else { String::new() };
    let parts = [vec![context.time_of_day(entry.at), host, ends], happened, vec![owner_text(entry)]].concat();
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

fn after_text(span: String) -> String {
    if span.is_empty() { span } else { format!("after {span}") }
}

/// How long a connection was there: `4m12s`, `≥52m`; empty where nothing is known.
pub fn lifetime_text(closed: &ClosedConnection) -> String {
    closed.lifetime.map_or_else(String::new, |(lasted, basis)| format!("{}{}", basis.mark(), units::lasted(lasted)))
}

/// Payload received and sent, and segments sent again: `-` where nobody counted, with `≥` where the numbers are of before the end.
pub fn counter_texts(closed: &ClosedConnection) -> [String; 3] {
    let LastCounters { bytes, retransmits, is_final } = closed.counters();
    let mark = if is_final { "" } else { AgeBasis::AtLeast.mark() };
    let bytes_text =
        |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| format!("{mark}{}", units::bytes(count)));
    let again = retransmits.map_or_else(|| "-".to_owned(), |count| format!("{mark}{}", units::count(count.into())));
    [bytes_text(bytes.map(ByteCounts::received)), bytes_text(bytes.map(ByteCounts::sent)), again]
}

/// `ESTABLISHED → CLOSE_WAIT`, `opened ESTABLISHED`, `TIME_WAIT → closed`; `⇢` where states in between were missed.
pub fn change_text(entry: &Transition) -> String {
    change_in_names(entry, TcpState::name)
}

/// The same in the short names of the states: `EST → CW`.
pub fn short_change_text(entry: &Transition) -> String {
    change_in_names(entry, |state| state.row().short)
}

fn change_in_names(entry: &Transition, name: impl Fn(TcpState) -> &'static str) -> String {
    let arrow = if entry.skipped { "⇢" } else { "→" };
    match (entry.protocol, entry.from, entry.to) {
        (Protocol::Udp, _, None) => "UDP closed".to_owned(),
        (Protocol::Udp, None, _) => "opened UDP".to_owned(),
        (_, None, Some(to)) => format!("opened {}", name(to)),
        (_, Some(from), Some(to)) => format!("{} {arrow} {}", name(from), name(to)),
        (_, Some(from), None) => format!("{} {arrow} closed", name(from)),
        (_, None, None) => format!("? {arrow} closed"),
    }
}

/// `4m12s`, `≥52m`; empty where nothing is known.
pub fn lasted_text(entry: &Transition) -> String {
    match entry.lasted {
        Some((lasted, basis)) => format!("{}{}", basis.mark(), units::lasted(lasted)),
        None => String::new(),
    }
}

/// `jdbc-pool[4121]`; empty where no process is known.
pub fn owner_text(entry: &Transition) -> String {
    entry.owner.process().map_or_else(String::new, ToString::to_string)
}
