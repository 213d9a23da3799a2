//! The question whether the config file is to be written, with what changes in it.

use crate::app::App;
use crate::app::config_diff::{LineChange, SaveConfig};
use crate::app::scroll::ScrollExtent;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Cells of the screen that stay free beside it.
const CELLS_BESIDE: u16 = 6;

/// Draws it, with the keys below.
pub fn draw(painter: &mut Painter<'_>, app: &App, save: &SaveConfig) {
    let area = painter.area();
    let extent = app.save_config_extent(save);
    let height = u16::try_from(extent.height).unwrap_or(u16::MAX).saturating_add(1);
    let title = format!("Save to {}", save.path);
    let inside = painter.popup(area.width.saturating_sub(CELLS_BESIDE), height, &title);
    let bottom = inside.bottom().saturating_sub(1);
    for (line, y) in save.diff.iter().skip(save.scroll.first()).zip(inside.y..bottom) {
        let (sign, role) = match line.change {
            LineChange::Stays | LineChange::WordLeftOut => (" ", Role::Dim),
            LineChange::Goes => ("-", Role::Error),
            LineChange::Comes => ("+", Role::Good),
        };
        let x = painter.put(inside.x, y, sign, 1, role) + 1;
        painter.put(x, y, line.text.as_str(), inside.right().saturating_sub(x), role);
    }
    let mut x = inside.x;
    let keymap = &app.config.settings.keymap;
    for binding in app.footer() {
        let keys: Vec<String> = keymap.keys(binding).iter().map(ToString::to_string).collect();
        x = painter.put(x, bottom, &keys.join(" "), inside.right().saturating_sub(x), Role::Accent) + 1;
        x = painter.put(x, bottom, binding.name, inside.right().saturating_sub(x), Role::Text) + 3;
    }
    let ScrollExtent { len, height } = extent;
    let below = len.saturating_sub(save.scroll.first() + height);
    if below > 0 {
        painter.right(inside.x, bottom, &format!("{below} more ▾"), inside.width, Role::Dim);
    }
}
