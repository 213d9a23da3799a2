//! The tables: headings, rows, marks, the selection. Only the rows on the screen are looked at.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::findings::mark;
use crate::app::fresh::is_fresh;
use crate::app::layout::Layout;
use crate::app::tables::Columns;
use crate::app::title::arrow;
use crate::app::{App, Supply};
use crate::store::Store;
use crate::store::rows::{Mark, Row};
use crate::table::column::{Align, Column};
use crate::table::fit::{Place, cells};
use crate::table::sort::SortKey;
use crate::table::value::Value;
use crate::ui::bars::bar;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Draws the table of the tab on the screen.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App) {
    let (body, width) = (layout.body, layout.body.width);
    let Some(sort) = app.tables.sort(app.tab) else { return };
    let height = usize::from(body.height);
    match app.tables.group(app.tab) {
        Some(table) => {
            let shown = table.columns.shown(width);
            draw_headings(painter, layout.columns, &table.columns, &shown, sort);
            for ((line, group), y) in table.window(height).zip(body.y..) {
                draw_cells(painter, y, (&table.columns, &shown), group, &app.store, None);
                if table.cursor.line() == Some(line) {
                    painter.cursor(Rect { y, height: 1, ..body }, 1, table.cursor.is_picked());
                }
            }
            if table.view.is_empty() {
                draw_empty(painter, body, app);
            }
        }
        None => draw_connections(painter, layout, app, sort),
    }
}

fn draw_connections(painter: &mut Painter<'_>, layout: &Layout, app: &App, sort: SortKey) {
    let (body, table) = (layout.body, &app.tables.connections);
    let shown = table.columns.shown(body.width);
    draw_headings(painter, layout.columns, &table.columns, &shown, sort);
    for ((line, row), y) in table.window(&app.store, usize::from(body.height)).zip(body.y..) {
        draw_mark(painter, y, row, app);
        draw_cells(painter, y, (&table.columns, &shown), row, &app.store, row_style(painter, row));
        if table.cursor.line() == Some(line) {
            painter.cursor(Rect { y, height: 1, ..body }, 1, table.cursor.is_picked());
        }
    }
    if table.view.order().is_empty() {
        draw_empty(painter, body, app);
    }
}

fn draw_headings<R>(painter: &mut Painter<'_>, area: Rect, columns: &Columns<R>, shown: &[Place], sort: SortKey) {
    for &Place { index, x, width } in shown {
        let column = &columns.all[index];
        let sorted = index == sort.column;
        let role = if sorted { Role::Accent } else { Role::Heading };
        let title_width = u16::try_from(cells(column.title)).unwrap_or(width).min(width);
        let start = match column.align {
            Align::Left => x,
            Align::Right => x + width - title_width,
        };
        painter.put(start, area.y, column.title, title_width, role);
        if sorted {
            // The mark stands where there is room for it, at the worst in the gap after the column: no title is cut.
            let at = if start > x { start - 1 } else { start + title_width };
            painter.put(at, area.y, &arrow(sort.order).to_string(), 1, role);
        }
    }
}

/// What just happened to the row; else how bad the finding that it is part of is.
fn draw_mark(painter: &mut Painter<'_>, y: u16, row: &Row, app: &App) {
    let (mark, role) = match row.mark {
        Some(Mark::New(_)) => ("+", Role::New),
        Some(Mark::Changed(_)) => ("~", Role::Changed),
        Some(Mark::Closed(_) | Mark::Untold { .. }) => ("-", Role::Closed),
        None => match app.findings.about(row, &app.store) {
            Some(finding) => (mark(finding.severity), Role::of(finding.severity)),
            None => return,
        },
    };
    painter.put(0, y, mark, 1, role);
}

/// The style of the cells of a row that something just happened to.
fn row_style(painter: &Painter<'_>, row: &Row) -> Option<Style> {
    let role = match row.mark? {
        Mark::New(_) => Role::New,
        Mark::Changed(_) => Role::Changed,
        Mark::Closed(_) | Mark::Untold { .. } => Role::Closed,
    };
    Some(role.style(painter.theme()))
}

fn draw_cells<R: Look>(
    painter: &mut Painter<'_>,
    y: u16,
    (columns, shown): (&Columns<R>, &[Place]),
    row: &R,
    store: &Store,
    marked: Option<Style>,
) {
    let fresh = row.is_fresh(store);
    for &Place { index, x, width } in shown {
        let column = &columns.all[index];
        let value = (column.value)(row, store);
        // A state keeps the colour of its phase; that of a closed row is no state any more.
        let marked = marked.filter(|_| row.is_closed() || !matches!(value, Value::State(_)));
        let style = marked.unwrap_or_else(|| cell_role(column, &value, fresh).style(painter.theme()));
        draw_cell(painter, (x, y), (column, width), (&value, row.is_closed()), style);
    }
}

fn draw_cell<R>(
    painter: &mut Painter<'_>,
    (x, y): (u16, u16),
    (column, width): (&Column<R>, u16),
    (value, closed): (&Value<'_>, bool),
    style: Style,
) {
    if let Value::Gauge(share) = value {
        draw_gauge(painter, (x, y), width, *share);
        return;
    }
    let text = match value {
        Value::State(_) if closed => "closed".into(),
        value => value.text_within(width),
    };
    let indent = match column.align {
        Align::Left => 0,
        Align::Right => width.saturating_sub(u16::try_from(cells(&text)).unwrap_or(width)),
    };
    painter.text(x + indent, y, &text, width, style);
}

/// From this share on a bar has the colour of the alarm; the share in numbers stands beside it.
const GAUGE_ALARM: f64 = 0.8;

/// A share as a bar; what is above all is all.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped, and `as` saturates")]
fn draw_gauge(painter: &mut Painter<'_>, (x, y): (u16, u16), width: u16, share: f64) {
    const WHOLE: u32 = 10_000;
    let part = (share.clamp(0.0, 1.0) * f64::from(WHOLE)).ceil() as u32;
    let role = if share >= GAUGE_ALARM { Role::Alarm } else { Role::Text };
    painter.put(x, y, &bar(part, WHOLE, width), width, role);
}

/// States have the colour of their phase, verdicts that of the alarm once they have stood for a moment (every close takes
/// one), what is zero steps back.
fn cell_role<R>(column: &Column<R>, value: &Value<'_>, fresh: bool) -> Role {
    match value {
        Value::State(state) => Role::Phase(state.phase()),
        Value::Word { .. } if column.key == "verdict" && !fresh => Role::Verdict,
        // Names of hosts are hints.
        Value::Word { .. } | Value::Host(_) => Role::Dim,
        value if value.is_missing() || value.scalar() == Some(0) => Role::Dim,
        _ => Role::Text,
    }
}

/// What stands where no row does.
fn draw_empty(painter: &mut Painter<'_>, body: Rect, app: &App) {
    let filter = app.tables.connections.view.filter();
    let text = match &app.supply {
        Supply::Starting => "taking the first sample…".to_owned(),
        Supply::Failed(why) => why.to_string(),
        _ if is_being_made(app) => "counting…".to_owned(),
        _ if !filter.is_empty() && app.store.rows().counts().total() > 0 => {
            format!("nothing matches {} · Esc clears the filter", filter.text().trim())
        }
        _ => "no sockets".to_owned(),
    };
    let width = u16::try_from(cells(&text)).unwrap_or(u16::MAX).min(body.width);
    painter.put(body.x + (body.width - width) / 2, body.y + body.height / 3, &text, width, Role::Dim);
}

/// Whether rows may be about to come.
fn is_being_made(app: &App) -> bool {
    match app.tables.group(app.tab) {
        Some(table) => table.view.is_busy(),
        None => app.store.deltas() == 0 || app.tables.connections.view.is_arranging(),
    }
}

/// What of a row says how it looks, beside its cells.
trait Look {
    fn is_closed(&self) -> bool;
    fn is_fresh(&self, store: &Store) -> bool;
}

impl Look for Row {
    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }

    fn is_fresh(&self, store: &Store) -> bool {
        is_fresh(self, store)
    }
}

impl Look for crate::store::groups::Group {
    fn is_closed(&self) -> bool {
        false
    }

    fn is_fresh(&self, _store: &Store) -> bool {
        false
    }
}
