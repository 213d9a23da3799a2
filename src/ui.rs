//! Draws the app into a frame. Reads, never changes; builds only the visible rows.

mod bars;
mod confirm;
mod detail;
mod explain;
mod filter_line;
mod flow;
mod footer;
mod header;
mod headline;
mod help;
mod histogram;
mod inspector;
mod menu;
mod painter;
mod panels;
mod prompt_line;
mod prose;
mod save_config;
mod scrollbar;
mod state_diagram;
mod summary;
mod table;
mod tabs;
pub mod theme;
mod time_bar;

use ratatui::Frame;

use crate::app::App;
use crate::app::click::ClickRegion;
use crate::app::keymap::remap::Keymap;
use crate::app::layout::Layout;
use crate::app::mode::{Mode, Page};
use crate::app::prose::wrap;
use crate::ui::painter::Painter;
use crate::ui::theme::{Role, Theme};

/// Draws everything in `theme`.
pub fn draw(frame: &mut Frame<'_>, app: &App, theme: &Theme) {
    drop(draw_to_click(frame, app, theme));
}

/// Draws everything in `theme`; answers what can be clicked beside rows, headings, tabs and keys.
pub fn draw_to_click(frame: &mut Frame<'_>, app: &App, theme: &Theme) -> Vec<ClickRegion> {
    let area = frame.area();
    let mut painter = Painter::new(frame.buffer_mut(), theme);
    if (area.width, area.height) != app.config.size {
        // The terminal has just changed its size; the message that tells the app is on its way.
        return Vec::new();
    }
    let Some(layout) = app.layout() else {
        draw_too_small(&mut painter, app.mode.is_dialog(), &app.config.settings.keymap);
        return Vec::new();
    };
    draw_screen(&mut painter, app, &layout);
    let regions = painter.into_regions();
    match &app.mode {
        Mode::Filter(edit) => frame.set_cursor_position(filter_line::cursor(&layout, edit)),
        Mode::Export(edit) => {
            frame.set_cursor_position(prompt_line::cursor(&layout, prompt_line::FILE_PROMPT, &edit.line));
        }
        Mode::GoTo(edit) => {
            frame.set_cursor_position(prompt_line::cursor(&layout, prompt_line::TIME_PROMPT, &edit.line));
        }
        _ => {}
    }
    regions
}

fn draw_screen(painter: &mut Painter<'_>, app: &App, layout: &Layout) {
    header::draw(painter, layout.header, app);
    time_bar::draw(painter, layout, app);
    headline::draw(painter, layout.headline, app);
    histogram::draw(painter, layout, app);
    flow::draw(painter, layout.flow, app);
    tabs::draw(painter, layout.tabs, app);
    match &app.page {
        Page::Detail(page) => detail::draw(painter, layout.body, app, page),
        Page::Tab => panels::draw(painter, layout, app),
    }
    panels::log::draw_below_table(painter, layout.log, app);
    inspector::draw(painter, layout.inspector, app);
    footer::draw(painter, layout, app);
    match &app.mode {
        Mode::Normal => {}
        Mode::Filter(edit) => filter_line::draw(painter, app, layout, edit),
        Mode::Export(edit) => prompt_line::draw(painter, layout, (prompt_line::FILE_PROMPT, ""), &edit.line),
        Mode::GoTo(edit) => {
            prompt_line::draw(painter, layout, (prompt_line::TIME_PROMPT, prompt_line::TIME_HINT), &edit.line);
        }
        Mode::Menu(menu) => menu::draw(painter, &app.menu_view(menu)),
        Mode::Confirm(_) | Mode::ConfirmClose(_) | Mode::ConfirmAll(_) => {
            if let Some(view) = app.dialog_view() {
                confirm::draw(painter, &view, &app.config.settings.keymap, &app.footer());
            }
        }
        Mode::SaveConfig(save) => save_config::draw(painter, app, save),
        Mode::Explain { explained, scroll } => explain::draw(painter, layout, app, explained, *scroll),
        Mode::Help(page) => help::draw(painter, layout, app, page),
    }
}

fn draw_too_small(painter: &mut Painter<'_>, asks: bool, keymap: &Keymap) {
    let area = painter.area();
    let text = if area.width < 18 { "too small" } else { "terminal too small" };
    painter.put(area.x, area.y, text, area.width, Role::Text);
    if asks {
        let text = keymap.fill("Nothing is done: make the window larger to see whom it hits, or press ‹back›.");
        for (line, y) in wrap(&text, usize::from(area.width.max(1))).iter().zip(area.y + 1..area.bottom()) {
            painter.put(area.x, y, line, area.width, Role::Error);
        }
    }
}

#[cfg(test)]
mod tests;
