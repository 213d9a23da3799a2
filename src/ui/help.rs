//! The help: every binding of the key table, under the heading of where it works.

use ratatui::layout::Rect;

use crate::app::keymap::{Binding, SECTIONS, section};
use crate::app::layout::Layout;
use crate::ui::painter::Painter;
use crate::ui::theme::Role;

const KEYS_WIDTH: u16 = 14;

/// Draws it over the whole screen but the footer.
pub fn draw(painter: &mut Painter<'_>, layout: &Layout, scroll: usize) {
    let area = painter.area();
    let area = Rect { height: layout.footer.y.min(layout.filter.y), ..area };
    painter.clear(area);
    painter.rule(Rect { height: 1, ..area }, "conntop: keys · ? or Esc goes back");
    let lines = lines();
    for (line, y) in lines.iter().skip(scroll).zip(area.y + 1..area.bottom()) {
        match line {
            Line::Blank => {}
            Line::Title(title) => drop(painter.put(1, y, title, area.width, Role::Accent)),
            Line::Binding(binding) => {
                let keys: Vec<String> = binding.keys.iter().map(ToString::to_string).collect();
                painter.put(2, y, &keys.join(" "), KEYS_WIDTH, Role::Strong);
                painter.put(2 + KEYS_WIDTH, y, binding.help, area.width.saturating_sub(3 + KEYS_WIDTH), Role::Text);
            }
        }
    }
}

enum Line {
    Blank,
    Title(&'static str),
    Binding(&'static Binding),
}

fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for (index, (title, _)) in SECTIONS.iter().enumerate() {
        lines.push(Line::Title(title));
        lines.extend(section(index).map(Line::Binding));
        lines.push(Line::Blank);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::keymap::help_len;

    #[test]
    fn the_help_has_as_many_lines_as_the_key_table_says() {
        assert_eq!(lines().len(), help_len());
    }
}
