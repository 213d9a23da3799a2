//! The last question before a signal is sent or a socket is closed, as [`DialogView`] says it.

use ratatui::layout::Rect;

use crate::app::binding::Binding;
use crate::app::click::ClickTarget;
use crate::app::dialog::DialogView;
use crate::app::dialog::part::DialogEmphasis;
use crate::app::keymap::remap::Keymap;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

/// Draws it, with the keys of `bindings` below.
pub fn draw(painter: &mut Painter<'_>, view: &DialogView, keymap: &Keymap, bindings: &[&Binding]) {
    let height = u16::try_from(view.lines.len()).unwrap_or(u16::MAX).saturating_add(1);
    let inside = painter.popup(view.width, height, &view.title);
    let bottom = inside.bottom().saturating_sub(1);
    for (line, y) in view.lines.iter().zip(inside.y..bottom) {
        let role = match line.emphasis {
            DialogEmphasis::Plain => Role::Text,
            DialogEmphasis::Target => Role::Strong,
            DialogEmphasis::Alarm => Role::Error,
        };
        painter.put(inside.x, y, line.label, view.label_width, Role::Dim);
        let room = inside.width.saturating_sub(view.label_width);
        painter.put(inside.x + view.label_width, y, &line.text, room, role);
    }
    let mut x = inside.x;
    if let Some(hint) = view.hint {
        painter.put(x, bottom, hint, inside.width, Role::Error);
        return;
    }
    for binding in bindings.iter().filter(|binding| view.is_whole || binding.leads_back()) {
        let start = x;
        let keys: Vec<String> = keymap.keys(binding).iter().map(ToString::to_string).collect();
        x = painter.put(x, bottom, &keys.join(" "), inside.right().saturating_sub(x), Role::Accent) + 1;
        let end = painter.put(x, bottom, binding.name, inside.right().saturating_sub(x), Role::Text);
        painter.clickable(Rect::new(start, bottom, end - start, 1), ClickTarget::Action(binding.action));
        x = end + 3;
    }
}
