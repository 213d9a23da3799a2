//! A menu, as `app::menu::view` lays it out.

use ratatui::layout::Rect;

use crate::app::menu::view::MenuView;
use crate::app::scroll::{ScrollExtent, ScrollPosition};
use crate::ui::painter::Painter;
use crate::ui::scrollbar;
use crate::ui::theme::Role;

/// Draws it.
pub fn draw(painter: &mut Painter<'_>, menu: &MenuView) {
    let inside = painter.popup(menu.size.0, menu.size.1, &menu.title);
    let about_x = menu.label_width + 2;
    for ((index, line), y) in menu.lines.iter().enumerate().skip(menu.first).zip(inside.y..inside.bottom()) {
        let (label, about) = match (menu.is_palette, line.is_refused) {
            (_, true) => (Role::Dim, Role::Dim),
            (true, false) => (Role::Accent, Role::Text),
            (false, false) => (Role::Text, Role::Dim),
        };
        painter.put(inside.x, y, &line.label, menu.label_width.min(inside.width), label);
        painter.put(inside.x + about_x, y, &line.about, inside.width.saturating_sub(about_x), about);
        if index == menu.selected {
            let style = painter.style(Role::Selected);
            painter.restyle(Rect { x: inside.x - 1, y, width: inside.width + 2, height: 1 }, style);
        }
    }
    let height = usize::from(inside.height);
    let position = ScrollPosition { first: menu.first, extent: ScrollExtent { len: menu.lines.len(), height } };
    scrollbar::draw(painter, Rect { width: inside.width + 2, ..inside }, position);
    if let Some(text) = position.text() {
        let width = inside.width;
        painter.right(inside.x, inside.bottom(), &format!(" {text} "), width, Role::Dim);
    }
}
