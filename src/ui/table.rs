//! What the panels with columns share: headings, cells, and what stands where there are no rows.

use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::app::panels::table::TableColumns;
use crate::app::panels::table::arrow;
use crate::app::{App, SourceStatus};
use crate::store::Store;
use crate::table::column::{Align, Column};
use crate::table::cut::cells;
use crate::table::fit::ColumnSpan;
use crate::table::sort::SortKey;
use crate::table::value::Value;
use crate::ui::bars::bar;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// The columns of a table, and which of them stand where on the screen.
pub struct ShownColumns<'a, R: 'static> {
    /// Every column.
    pub columns: &'a TableColumns<R>,
    /// Those that are shown, from left to right.
    pub places: &'a [ColumnSpan],
}

/// Draws the headings of the columns; that of the sorted one is marked.
pub fn draw_headings<R>(painter: &mut Painter<'_>, area: Rect, shown: &ShownColumns<'_, R>, sort: SortKey) {
    for &ColumnSpan { index, x, width } in shown.places {
        let column = &shown.columns.all[index];
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

/// Draws the cells of `row` in line `y`; `marked` is their style where something just happened to it.
pub fn draw_cells<R: TableRow>(
    painter: &mut Painter<'_>,
    y: u16,
    shown: &ShownColumns<'_, R>,
    row: &R,
    store: &Store,
    marked: Option<Style>,
) {
    let too_young = row.is_too_young(store);
    for &ColumnSpan { index, x, width } in shown.places {
        let column = &shown.columns.all[index];
        let value = (column.value)(row, store);
        // A state keeps the colour of its phase; that of a closed row is no state any more.
        let marked = marked.filter(|_| row.is_closed() || !matches!(value, Value::State(_)));
        let style = marked.unwrap_or_else(|| cell_role(column, &value, too_young).style(painter.theme()));
        let area = Rect { x, y, width, height: 1 };
        draw_cell(painter, &TableCell { area, align: column.align, value: &value, is_closed: row.is_closed() }, style);
    }
}

/// One cell of a table.
struct TableCell<'a> {
    area: Rect,
    align: Align,
    value: &'a Value<'a>,
    /// Whether its row stands for something that is gone.
    is_closed: bool,
}

fn draw_cell(painter: &mut Painter<'_>, cell: &TableCell<'_>, style: Style) {
    let &TableCell { area: Rect { x, y, width, .. }, align, value, is_closed } = cell;
    if let Value::Gauge(share) = value {
        draw_gauge(painter, (x, y), width, *share);
        return;
    }
    let text = match value {
        Value::State(_) if is_closed => "closed".into(),
        value => value.text_within(width),
    };
    let indent = match align {
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
fn cell_role<R>(column: &Column<R>, value: &Value<'_>, too_young: bool) -> Role {
    match value {
        Value::State(state) => Role::Phase(state.phase()),
        Value::Word { .. } if column.key == "verdict" && !too_young => Role::Verdict,
        // Names of hosts are hints.
        Value::Word { .. } | Value::Host(_) => Role::Dim,
        value if value.is_missing() || value.scalar() == Some(0) => Role::Dim,
        _ => Role::Text,
    }
}

/// What stands where no row does; `is_being_made`: rows may be about to come.
pub fn draw_empty(painter: &mut Painter<'_>, body: Rect, app: &App, is_being_made: bool) {
    let filter = app.panels.connections.view.filter();
    let text = match &app.source_status {
        SourceStatus::Starting => "taking the first sample…".to_owned(),
        SourceStatus::Failed(why) => why.to_string(),
        _ if is_being_made => "counting…".to_owned(),
        _ if !filter.is_empty() && app.store.rows().counts().total() > 0 => {
            format!("nothing matches {} · Esc clears the filter", filter.text().trim())
        }
        _ => "no sockets".to_owned(),
    };
    let width = u16::try_from(cells(&text)).unwrap_or(u16::MAX).min(body.width);
    painter.put(body.x + (body.width - width) / 2, body.y + body.height / 3, &text, width, Role::Dim);
}

/// What a row says about its style, beside its cells.
pub trait TableRow {
    /// Whether it stands for something that is gone.
    fn is_closed(&self) -> bool;

    /// Whether it is in its state for too short a time to be judged.
    fn is_too_young(&self, store: &Store) -> bool;
}
