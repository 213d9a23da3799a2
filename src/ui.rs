//! Draws the app into a frame. Reads, never changes; builds only the visible rows.

use ratatui::Frame;

use crate::app::App;

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, app: &App) {
    let _ = (frame, app);
}
