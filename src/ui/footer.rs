//! The last line: a notice, else the keys that matter here.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::click::ClickTarget;
use crate::app::filter_edit::FilterEdit;
use crate::app::layout::Layout;
use crate::app::mode::{ExportEdit, Mode, TimeEdit};
use crate::app::notice::NoticeLevel;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Draws the notice or the keys.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App) {
    let area = layout.footer;
    if let Some((notice, behind)) = app.notices.latest() {
        let role = match notice.level {
            NoticeLevel::Plain => Role::Strong,
            NoticeLevel::Good => Role::Good,
            NoticeLevel::Bad => Role::Error,
        };
        let more = if behind > 0 { format!("  (+{behind})") } else { String::new() };
        painter.put(1, area.y, &format!("{}{more}", notice.text), area.width.saturating_sub(2), role);
        painter.clickable(area, ClickTarget::Notice);
        return;
    }
    if let Mode::Export(ExportEdit { error: Some(error), .. }) = &app.mode {
        painter.put(1, area.y, error, area.width.saturating_sub(2), Role::Error);
        return;
    }
    if let Mode::GoTo(TimeEdit { error: Some(error), .. }) = &app.mode {
        painter.put(1, area.y, error, area.width.saturating_sub(2), Role::Error);
        return;
    }
    if let Mode::Filter(FilterEdit { error: Some(error), .. }) = &app.mode {
        // The line above has a mark below what is wrong.
        painter.put(1, area.y, &error.message, area.width.saturating_sub(2), Role::Error);
        return;
    }
    draw_title(painter, area, app);
    draw_keys(painter, area, app);
}

/// Where there is no line of tabs, the tab and its title stand at the right end.
fn draw_title(painter: &mut Painter<'_>, area: Rect, app: &App) {
    if let Some(title) = app.footer_title() {
        let width = app.footer_title_width();
        painter.put(area.width - width, area.y, &title, width, Role::Strong);
        painter.clickable(Rect { x: area.width - width, width, ..area }, ClickTarget::Title);
    }
}

fn draw_keys(painter: &mut Painter<'_>, area: Rect, app: &App) {
    for hint in app.footer_hints() {
        let x = painter.put(hint.x, area.y, &hint.key, hint.width, Role::Accent) + 1;
        painter.put(x, area.y, hint.binding.name, hint.width, Role::Dim);
    }
}
