//! The help: every binding of the key table, under the heading of where it works.

use std::ops::Range;

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::binding::Binding;
use crate::app::keymap::remap::Keymap;
use crate::app::keymap::{SECTIONS, help_columns, help_len, section};
use crate::app::layout::Layout;
use crate::app::scroll::{Scroll, ScrollPosition};
use crate::ui::painter::Painter;
use crate::ui::scrollbar;
use crate::ui::theme::Role;

const KEYS_WIDTH: u16 = 14;

/// Draws it over the whole screen but the footer; with `--read-only` without the keys that change the machine.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, app: &App, scroll: Scroll) {
    let area = painter.area();
    let area = Rect { height: layout.footer.y.min(layout.filter.y), ..area };
    painter.clear(area);
    painter.rule(Rect { height: 1, ..area }, "conntop: keys · ? or Esc goes back");
    let (page, len) = (
        Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area },
        help_len(area.width, app.config.settings.read_only),
    );
    scrollbar::draw(painter, page, ScrollPosition::new(scroll, len, usize::from(page.height)));
    let count = help_columns(area.width).count();
    let width = area.width / u16::try_from(count).unwrap_or(1);
    for (sections, x) in help_columns(area.width).zip((0..).step_by(usize::from(width))) {
        for (line, y) in
            lines(sections, app.config.settings.read_only).iter().skip(scroll.first()).zip(area.y + 1..area.bottom())
        {
            draw_line(painter, Rect { x, y, width, height: 1 }, &app.config.settings.keymap, line);
        }
    }
}

fn draw_line(painter: &mut Painter<'_>, area: Rect, keymap: &Keymap, line: &HelpLine) {
    match line {
        HelpLine::Blank => {}
        HelpLine::Title(title) => drop(painter.put(area.x + 1, area.y, title, area.width, Role::Accent)),
        HelpLine::Binding(binding) => {
            let keys: Vec<String> = keymap.keys(binding).iter().map(ToString::to_string).collect();
            painter.put(area.x + 2, area.y, &keys.join(" "), KEYS_WIDTH, Role::Strong);
            let room = area.width.saturating_sub(3 + KEYS_WIDTH);
            painter.put(area.x + 2 + KEYS_WIDTH, area.y, binding.help, room, Role::Text);
        }
    }
}

enum HelpLine {
    Blank,
    Title(&'static str),
    Binding(&'static Binding),
}

fn lines(sections: Range<usize>, is_read_only: bool) -> Vec<HelpLine> {
    let mut lines = Vec::new();
    for index in sections {
        lines.push(HelpLine::Title(SECTIONS[index].0));
        let allowed = section(index).filter(|binding| binding.on.is_allowed(is_read_only));
        lines.extend(allowed.map(HelpLine::Binding));
        lines.push(HelpLine::Blank);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_has_as_many_lines_as_the_key_table_says() {
        for is_read_only in [false, true] {
            assert_eq!(lines(0..SECTIONS.len(), is_read_only).len(), help_len(80, is_read_only));
        }
    }
}
