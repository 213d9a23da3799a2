//! The last question before a signal is sent or a socket is closed, as [`Sheet`] says it.

use crate::app::binding::Binding;
use crate::app::dialog::Sheet;
use crate::app::dialog::part::Weight;
use crate::app::keymap::remap::Keymap;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Draws it, with the keys of `bindings` below.
pub fn draw(painter: &mut Painter<'_>, sheet: &Sheet, keymap: &Keymap, bindings: &[&Binding]) {
    let height = u16::try_from(sheet.lines.len()).unwrap_or(u16::MAX).saturating_add(1);
    let inside = painter.popup(sheet.width, height, &sheet.title);
    let bottom = inside.bottom().saturating_sub(1);
    for (line, y) in sheet.lines.iter().zip(inside.y..bottom) {
        let role = match line.weight {
            Weight::Plain => Role::Text,
            Weight::Target => Role::Strong,
            Weight::Alarm => Role::Alarm,
        };
        painter.put(inside.x, y, line.label, sheet.label_width, Role::Dim);
        let room = inside.width.saturating_sub(sheet.label_width);
        painter.put(inside.x + sheet.label_width, y, &line.text, room, role);
    }
    let mut x = inside.x;
    if let Some(hint) = sheet.hint {
        painter.put(x, bottom, hint, inside.width, Role::Alarm);
        return;
    }
    for binding in bindings.iter().filter(|binding| sheet.is_whole || binding.leads_back()) {
        let keys: Vec<String> = keymap.keys(binding).iter().map(ToString::to_string).collect();
        x = painter.put(x, bottom, &keys.join(" "), inside.right().saturating_sub(x), Role::Accent) + 1;
        x = painter.put(x, bottom, binding.name, inside.right().saturating_sub(x), Role::Text) + 3;
    }
}
