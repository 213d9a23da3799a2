//! An explanation, as a page over the screen.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::explain::{Explained, columns};
use crate::app::layout::Layout;
use crate::app::scroll::Scroll;
use crate::ui::painter::Painter;
use crate::ui::prose;

/// Draws it over the whole screen but the footer.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App, explained: &Explained, scroll: Scroll) {
    let area = Rect { height: layout.footer.y.min(layout.filter.y), ..painter.area() };
    painter.clear(area);
    painter.rule(
        Rect { height: 1, ..area },
        &(explained.title() + &app.config.settings.keymap.fill(" · ‹explain› or ‹back› goes back")),
    );
    let page = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    prose::draw(painter, page, &columns(explained, area.width), scroll, None);
}
