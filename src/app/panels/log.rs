//! The tab Log: what happened, newest first. An entry is known by its number since the start.

use ratatui::layout::Position;

use crate::app::action::Motion;
use crate::app::cursor::{Cursor, Lines};
use crate::app::panels::{OpenTarget, Panel, PanelContext, PanelParts};
use crate::app::scroll::ScrollPosition;
use crate::app::selection::Selected;
use crate::model::delta::Transition;
use crate::model::endpoint::Protocol;
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::table::units;

/// What the tab has around its panel.
pub const PARTS: PanelParts = PanelParts { columns: true, summary: false, states: true, log: false };

/// The log as a list; its newest entry is line 0.
#[derive(Debug, Default)]
pub struct LogPanel {
    /// The selection.
    pub cursor: Cursor<u64>,
}

impl LogPanel {
    /// The entries on a screen with `height` lines for them, newest first, with the line of each.
    pub fn window<'a>(&self, store: &'a Store, height: usize) -> impl Iterator<Item = (usize, &'a Transition)> {
        store.log().entries().iter().rev().enumerate().skip(self.cursor.offset()).take(height)
    }

    fn with_lines<T>(
        &mut self,
        context: &PanelContext<'_>,
        change: impl FnOnce(&mut Cursor<u64>, &Lines<'_, u64>) -> T,
    ) -> T {
        let log = context.store.log();
        let (len, height, total) = (log.entries().len(), context.height(), log.total());
        let key_at = move |line: usize| if line < len { total.checked_sub(line as u64 + 1) } else { None };
        change(&mut self.cursor, &Lines { len, height, key_at: &key_at })
    }
}

impl Panel for LogPanel {
    fn title(&self, context: &PanelContext<'_>) -> String {
        let log = context.store.log();
        let (kept, total) = (log.entries().len() as u64, log.total());
        if kept < total { format!("{} of {}", units::count(kept), units::count(total)) } else { units::count(kept) }
    }

    fn position(&self, context: &PanelContext<'_>) -> ScrollPosition {
        self.cursor.position(context.store.log().entries().len(), context.height())
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
        let entry = self.cursor.key().and_then(|number| entry(context.store, number));
        entry.map_or(OpenTarget::Nothing, |entry| OpenTarget::Details(entry.id))
    }

    fn refresh(&mut self, context: &PanelContext<'_>) {
        let found = self.cursor.sought().and_then(|number| line(context.store, number));
        self.with_lines(context, |cursor, lines| cursor.refresh(found, lines));
    }
}

/// The newest `count` entries for the panel below a table: without the ends of `TIME_WAIT`, where nothing happened but that the
/// kernel forgot a connection, as it does with every one that was closed from here.
pub fn below_table(store: &Store, count: usize) -> impl Iterator<Item = &Transition> {
    let is_end = |entry: &&Transition| entry.from == Some(TcpState::TimeWait) && entry.to.is_none();
    store.log().entries().iter().rev().filter(move |entry| !is_end(entry)).take(count)
}

/// The entry with this number, while the log keeps it.
pub fn entry(store: &Store, number: u64) -> Option<&Transition> {
    store.log().entries().iter().rev().nth(line(store, number)?)
}

/// The line of the entry with this number, while the log keeps it.
fn line(store: &Store, number: u64) -> Option<usize> {
    let line = usize::try_from(store.log().total().checked_sub(number + 1)?).ok()?;
    (line < store.log().entries().len()).then_some(line)
}

/// `entry` as one line of plain text.
pub fn entry_text(entry: &Transition, context: &PanelContext<'_>) -> String {
    let lasted = match lasted_text(entry) {
        lasted if lasted.is_empty() => lasted,
        lasted => format!("after {lasted}"),
    };
    let names = context.store.names();
    let (local, remote) = (entry.local_text(names), entry.remote_text(names));
    let ends = remote.map_or_else(|| local.clone(), |remote| format!("{local} → {remote}"));
    let parts = [context.time_of_day(entry.at), ends, change_text(entry), lasted, owner_text(entry)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

/// `ESTABLISHED → CLOSE_WAIT`, `opened ESTABLISHED`, `TIME_WAIT → closed`; `⇢` where states in between were missed.
pub fn change_text(entry: &Transition) -> String {
    let arrow = if entry.skipped { "⇢" } else { "→" };
    match (entry.protocol, entry.from, entry.to) {
        (Protocol::Udp, _, None) => "UDP closed".to_owned(),
        (Protocol::Udp, None, _) => "opened UDP".to_owned(),
        (_, None, Some(to)) => format!("opened {to}"),
        (_, Some(from), Some(to)) => format!("{from} {arrow} {to}"),
        (_, Some(from), None) => format!("{from} {arrow} closed"),
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
