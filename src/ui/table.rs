//! What the panels with columns share: headings, cells, and what stands where there are no rows.

use ratatui::layout::Rect;

use crate::app::panels::table::TableColumns;
use crate::app::panels::table::arrow;
use crate::app::young::TOO_YOUNG;
use crate::app::{App, SourceStatus};
use crate::diagnosis::finding::Severity;
use crate::store::Store;
use crate::table::column::{Align, Column};
use crate::table::cut::cells;
use crate::table::fit::ColumnSpan;
use crate::table::folded::causes;
use crate::table::sort::SortKey;
use crate::table::value::Value;
use crate::ui::bars::bar;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// The mark of a tagged row.
const TAG_MARK: &str = "✓";

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

/// Draws the cells of `row` in line `y`; `severity` is that of the finding that it is part of.
pub fn draw_cells<R: TableRow>(
    painter: &mut Painter<'_>,
    y: u16,
    shown: &ShownColumns<'_, R>,
    row: &R,
    store: &Store,
    severity: Option<Severity>,
) {
    let look = RowLook { is_closed: row.is_closed(), is_too_young: row.is_too_young(store), severity };
    for &ColumnSpan { index, x, width } in shown.places {
        let column = &shown.columns.all[index];
        let value = (column.value)(row, store);
        let role = cell_role(column, &value, look);
        let area = Rect { x, y, width, height: 1 };
        match value {
            Value::Gauge(share) => draw_gauge(painter, (x, y), width, share, role),
            Value::State(_) if look.is_closed => draw_text(painter, area, column.align, "closed", role),
            Value::Word { .. } if column.is_cause && look.is_too_young => {
                draw_text(painter, area, column.align, too_young(width), role);
            }
            value if column.is_cause => {
                draw_text(painter, area, column.align, &causes::within(&value.text(), width), role);
            }
            value => draw_text(painter, area, column.align, &value.text_within(width), role),
        }
    }
}

/// Marks a tagged row in one cell.
pub fn draw_tag(painter: &mut Painter<'_>, (x, y): (u16, u16), is_tagged: bool) {
    if is_tagged {
        painter.put(x, y, TAG_MARK, 1, Role::Tagged);
    }
}

/// Marks the chosen cell of the picked row in line `y`.
pub fn draw_chosen_cell<R>(painter: &mut Painter<'_>, y: u16, shown: &ShownColumns<'_, R>) {
    if let Some(ColumnSpan { x, width, .. }) = shown.columns.cell(shown.places) {
        painter.cell(Rect { x, y, width, height: 1 });
    }
}

/// What the look of the cells of a row depends on.
#[derive(Clone, Copy)]
struct RowLook {
    is_closed: bool,
    is_too_young: bool,
    severity: Option<Severity>,
}

fn draw_text(painter: &mut Painter<'_>, area: Rect, align: Align, text: &str, role: Role) {
    match align {
        Align::Left => drop(painter.put(area.x, area.y, text, area.width, role)),
        Align::Right => painter.right(area.x, area.y, text, area.width, role),
    }
}

/// What stands in place of a verdict, in as many words as there is room for.
const fn too_young(width: u16) -> &'static str {
    if width < 18 { "too young" } else { TOO_YOUNG }
}

/// A share as a bar; what is above all is all.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped, and `as` saturates")]
fn draw_gauge(painter: &mut Painter<'_>, (x, y): (u16, u16), width: u16, share: f64, role: Role) {
    const WHOLE: u32 = 10_000;
    let part = (share.clamp(0.0, 1.0) * f64::from(WHOLE)).ceil() as u32;
    painter.put(x, y, &bar(part, WHOLE, width), width, role);
}

/// States have the colour of their phase. The reason of a finding, and the bar of what runs out by one, have the colour of
/// the finding; without a finding nothing has. What is zero steps back, and so does all of a closed row.
fn cell_role<R>(column: &Column<R>, value: &Value<'_>, look: RowLook) -> Role {
    let of_finding = || look.severity.map_or(Role::Text, Role::of);
    match value {
        _ if look.is_closed => Role::Closed,
        Value::State(state) => Role::of_phase(state.phase()),
        Value::Word { .. } if column.is_cause && !look.is_too_young => of_finding(),
        Value::Gauge(_) => of_finding(),
        value if column.is_cause && !value.is_missing() => of_finding(),
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
            format!("nothing matches {}", filter.text().trim())
                + &app.config.settings.keymap.fill(" · ‹back› clears the filter")
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
