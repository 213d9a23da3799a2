//! Writes text into the buffer: clipped, in ASCII where asked for. The only place that touches cells.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use crate::app::click::{ClickRegion, ClickTarget};
use crate::app::layout::{Popup, popup};
use crate::model::ascii;
use crate::table::cut::{cells, cut};
use crate::ui::theme::{Role, Theme};

/// A buffer and the looks of what is written into it.
pub struct Painter<'a> {
    buffer: &'a mut Buffer,
    theme: &'a Theme,
    regions: Vec<ClickRegion>,
}

impl<'a> Painter<'a> {
    /// A painter on `buffer`, all of which gets the look of plain text.
    pub fn new(buffer: &'a mut Buffer, theme: &'a Theme) -> Self {
        buffer.set_style(*buffer.area(), theme.style(Role::Text));
        Self { buffer, theme, regions: Vec::new() }
    }

    /// Says what a click on a cell of `area` does.
    pub fn clickable(&mut self, area: Rect, target: ClickTarget) {
        let area = area.intersection(self.area());
        if !area.is_empty() {
            self.regions.push(ClickRegion { area, target });
        }
    }

    /// What can be clicked of all that was drawn.
    pub fn into_regions(self) -> Vec<ClickRegion> {
        self.regions
    }

    /// The whole screen.
    pub fn area(&self) -> Rect {
        *self.buffer.area()
    }

    /// What `role` looks like.
    pub fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Writes `text` at most `width` cells wide; answers the column after it.
    pub fn text(&mut self, x: u16, y: u16, text: &str, width: u16, style: Style) -> u16 {
        let area = self.area();
        if x >= area.right() || y >= area.bottom() || width == 0 {
            return x;
        }
        let room = width.min(area.right() - x);
        let text = self.at_least(text, room);
        let text = cut(&text, room);
        let text = if self.theme.is_ascii() && !text.is_ascii() { Cow::Owned(ascii::text(&text)) } else { text };
        self.buffer.set_stringn(x, y, &text, usize::from(width), style).0
    }

    /// Writes `text` in `role`.
    pub fn put(&mut self, x: u16, y: u16, text: &str, width: u16, role: Role) -> u16 {
        self.text(x, y, text, width, self.style(role))
    }

    /// Whether trends and graphs are drawn.
    pub fn has_graphs(&self) -> bool {
        !self.theme.is_still()
    }

    /// Writes a line of a trend or of a graph; nothing where those are left out.
    pub fn graph(&mut self, x: u16, y: u16, text: &str, width: u16, role: Role) {
        if self.has_graphs() {
            self.put(x, y, text, width, role);
        }
    }

    /// Writes `text` so that it ends before column `x + width`.
    pub fn right(&mut self, x: u16, y: u16, text: &str, width: u16, role: Role) {
        let text = self.at_least(text, width);
        let text = cut(&text, width);
        let used = u16::try_from(cells(&text)).unwrap_or(width);
        self.put(x + width.saturating_sub(used), y, &text, used, role);
    }

    /// In ASCII `>=` stands for `≥`, where there is room for one cell more; else `>` does, as for any other character.
    fn at_least<'t>(&self, text: &'t str, width: u16) -> Cow<'t, str> {
        if !self.theme.is_ascii() || !text.contains('≥') {
            return Cow::Borrowed(text);
        }
        let plain = text.replace('≥', ">=");
        if cells(&plain) <= usize::from(width) { Cow::Owned(plain) } else { Cow::Borrowed(text) }
    }

    /// Sets the style of an area in place of whatever it has.
    pub fn restyle(&mut self, area: Rect, style: Style) {
        let style = Style::reset().patch(self.style(Role::Text)).patch(style);
        self.buffer.set_style(area, style);
    }

    /// The cursor on the row `line`: reverse over all of a row that the user picked, a mark in column `mark_x` of one
    /// that nobody did.
    pub fn cursor(&mut self, line: Rect, mark_x: u16, is_picked: bool) {
        if is_picked {
            self.restyle(line, self.style(Role::Selected));
        } else {
            self.put(mark_x, line.y, "▸", 1, Role::Accent);
        }
    }

    /// The chosen cell of a row that the user picked: in brackets, where the cells beside it are blank.
    pub fn cell(&mut self, cell: Rect) {
        self.restyle(cell, self.style(Role::Cell));
        for (x, bracket) in [(cell.x.checked_sub(1), "["), (Some(cell.right()), "]")] {
            let Some(position) = x.map(|x| Position::new(x, cell.y)).filter(|at| self.area().contains(*at)) else {
                continue;
            };
            if self.buffer[position].symbol() == " " {
                self.buffer[position].set_symbol(bracket);
            }
        }
    }

    /// Makes an area blank.
    pub fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.area());
        for position in area.positions() {
            self.buffer[position].reset();
        }
        // What is covered cannot be clicked.
        self.regions.retain(|region| !region.area.intersects(area));
        self.buffer.set_style(area, self.style(Role::Text));
    }

    /// A rule over the whole of line `y`, with `title` in it.
    pub fn rule(&mut self, area: Rect, title: &str) {
        self.line(area, "─");
        let title = format!(" {title} ");
        self.put(area.x + 1, area.y, &title, area.width.saturating_sub(2), Role::Dim);
    }

    /// A line of `mark` over the width of `area`.
    pub fn line(&mut self, area: Rect, mark: &str) {
        self.put(area.x, area.y, &mark.repeat(usize::from(area.width)), area.width, Role::Dim);
    }

    /// A blank box in the middle of the screen with a border and a title; answers its inside.
    pub fn popup(&mut self, width: u16, height: u16, title: &str) -> Rect {
        let Popup { frame, inside } = popup(self.area(), width, height);
        let width = frame.width;
        self.clear(Rect { x: frame.x.saturating_sub(1), width: frame.width + 2, ..frame });
        let (right, bottom) = (frame.right().saturating_sub(1), frame.bottom().saturating_sub(1));
        let bar = "─".repeat(usize::from(width.saturating_sub(2)));
        self.put(frame.x, frame.y, &format!("╭{bar}╮"), width, Role::Accent);
        for y in frame.y + 1..bottom {
            self.put(frame.x, y, "│", 1, Role::Accent);
            self.put(right, y, "│", 1, Role::Accent);
        }
        self.put(frame.x, bottom, &format!("╰{bar}╯"), width, Role::Accent);
        self.put(frame.x + 2, frame.y, &format!(" {title} "), width.saturating_sub(4), Role::Accent);
        inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_has_two_characters_in_ascii_where_there_is_room_for_them() {
        let (mut buffer, theme) = (Buffer::empty(Rect::new(0, 0, 6, 2)), Theme::mono().with_ascii(true));
        let mut painter = Painter::new(&mut buffer, &theme);
        painter.right(0, 0, "≥52m", 6, Role::Text);
        painter.put(0, 1, "≥1h14m", 6, Role::Text);
        let text: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(text, " >=52m>1h14m");
    }

    #[test]
    fn writing_outside_of_the_screen_is_nothing() {
        let (mut buffer, theme) = (Buffer::empty(Rect::new(0, 0, 4, 2)), Theme::default());
        let mut painter = Painter::new(&mut buffer, &theme);
        painter.put(9, 0, "x", 5, Role::Text);
        painter.put(0, 9, "x", 5, Role::Text);
        painter.put(2, 1, "abcdef", 9, Role::Text);
        painter.restyle(Rect::new(2, 1, 50, 50), Style::new());
        painter.popup(40, 40, "title");
        assert_eq!(buffer.area, Rect::new(0, 0, 4, 2));
        let mut inside = Buffer::empty(buffer.area);
        Painter::new(&mut inside, &theme).popup(4, 2, "title");
        assert_eq!(buffer, inside, "a popup that is too large is as large as the screen");
    }

    #[test]
    fn what_begins_inside_is_cut_at_the_edge() {
        let (mut buffer, theme) = (Buffer::empty(Rect::new(0, 0, 4, 2)), Theme::default());
        let mut painter = Painter::new(&mut buffer, &theme);
        painter.put(9, 0, "x", 5, Role::Text);
        painter.put(0, 9, "x", 5, Role::Text);
        painter.put(2, 1, "abcdef", 9, Role::Text);
        let text: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(text, "      a…");
    }
}
