//! The scrollbar: at the right edge of whatever goes on above or below what is on the screen, and nowhere else.

use ratatui::layout::Rect;

use crate::app::scroll::ScrollPosition;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// The part of a scrollbar that stands for what is on the screen.
pub const THUMB: &str = "█";
/// The rest of a scrollbar.
const TRACK: &str = "│";

/// Draws the scrollbar of `position` into the last column of `area`; nothing where all is on the screen.
pub fn draw(painter: &mut Painter<'_>, area: Rect, position: ScrollPosition) {
    if position.is_whole() || area.is_empty() {
        return;
    }
    let (x, thumb) = (area.right() - 1, position.thumb(area.height));
    for (at, y) in (0..).zip(area.y..area.bottom()) {
        painter.put(x, y, if thumb.contains(&at) { THUMB } else { TRACK }, 1, Role::Dim);
    }
}
