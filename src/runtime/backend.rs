//! Writes frames to a terminal in few bytes, each frame with one write, and nothing for a frame that changes nothing.
//!
//! Why not ratatui's own backend: it writes some 25 bytes for an unchanged frame, flushes a frame in three writes and
//! spells the 16 colours as indices of 256. Over ssh each of these is felt.

use std::io;

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// Where the bytes go and how large the terminal is.
pub trait TerminalWriter {
    /// Writes all of `bytes`.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Columns and rows.
    fn size(&self) -> io::Result<(u16, u16)>;
}

/// Bold, dim, underlined and reversed: what every terminal and multiplexer can do. Others are not written.
#[rustfmt::skip]
const MODIFIERS: [(Modifier, &str); 5] = [
    (Modifier::BOLD,        "1"),
    (Modifier::DIM,         "2"),
    (Modifier::UNDERLINED,  "4"),
    (Modifier::REVERSED,    "7"),
    (Modifier::CROSSED_OUT, "9"),
];

/// Colours and attributes of the cells that are written next.
#[derive(Clone, Copy, PartialEq, Eq)]
struct CellStyle {
    foreground: Color,
    background: Color,
    modifier: Modifier,
}

const PLAIN_STYLE: CellStyle =
    CellStyle { foreground: Color::Reset, background: Color::Reset, modifier: Modifier::empty() };

/// A ratatui backend for terminals that understand ECMA-48.
pub struct FrameWriter<S> {
    out: S,
    bytes: Vec<u8>,
    style: CellStyle,
    /// Where the terminal's cursor is, as far as that is sure.
    at: Option<Position>,
    shown: Option<bool>,
    /// Where the hidden cursor goes at the end of a frame.
    rest: Option<Position>,
    /// The width of the terminal at the last frame.
    columns: u16,
}

impl<S: TerminalWriter> FrameWriter<S> {
    /// A writer to `out`; nothing is known about its cursor.
    pub fn new(out: S) -> Self {
        Self { out, bytes: Vec::new(), style: PLAIN_STYLE, at: None, shown: None, rest: None, columns: 0 }
    }

    /// Forgets what is known about the terminal: another program has written to it.
    pub fn forget(&mut self) {
        self.bytes.clear();
        (self.at, self.shown) = (None, None);
        self.style = PLAIN_STYLE;
        self.push("\x1b[m");
    }

    /// From now on the cursor, while it is hidden, rests at `rest` between two frames: braille displays and screen readers follow it.
    pub const fn rest_at(&mut self, rest: Position) {
        self.rest = Some(rest);
    }

    fn push(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn go_to(&mut self, to: Position) {
        match self.at {
            Some(at) if at == to => return,
            Some(at) if at.y == to.y && to.x == at.x + 1 => self.push("\x1b[C"),
            Some(at) if at.y == to.y && to.x > at.x => self.push(&format!("\x1b[{}C", to.x - at.x)),
            Some(at) if at.y + 1 == to.y && to.x == 0 => self.push("\r\n"),
            _ if to.x == 0 => self.push(&format!("\x1b[{}H", u32::from(to.y) + 1)),
            _ => self.push(&format!("\x1b[{};{}H", u32::from(to.y) + 1, u32::from(to.x) + 1)),
        }
        self.at = Some(to);
    }

    /// Changes the style with one sequence of as few parameters as are needed.
    fn set_style(&mut self, style: CellStyle) {
        if style == self.style {
            return;
        }
        let mut parameters: Vec<String> = Vec::new();
        let mut from = self.style;
        // Single attributes can be switched off too, but not all terminals agree on the codes.
        if !style.modifier.contains(from.modifier) || style == PLAIN_STYLE {
            parameters.push(if style == PLAIN_STYLE { String::new() } else { "0".to_owned() });
            from = PLAIN_STYLE;
        }
        let added = style.modifier.difference(from.modifier);
        let codes = MODIFIERS.iter().filter(|(modifier, _)| added.contains(*modifier)).map(|(_, code)| *code);
        parameters.extend(codes.map(str::to_owned));
        if style.foreground != from.foreground {
            parameters.push(color_code(style.foreground, 30));
        }
        if style.background != from.background {
            parameters.push(color_code(style.background, 40));
        }
        self.style = style;
        if !parameters.is_empty() {
            self.push(&format!("\x1b[{}m", parameters.join(";")));
        }
    }

    fn put(&mut self, at: Position, symbol: &str) {
        // Text is sanitised where it enters; this check makes sure once more and costs nothing.
        if symbol.chars().any(char::is_control) {
            return self.put(at, "?");
        }
        self.push(symbol);
        // Terminals disagree on the width of clusters, and of what stands in the last column: then the next cell is
        // addressed anew.
        let sure = symbol.width() == 1 && symbol.chars().nth(1).is_none() && at.x + 1 < self.columns;
        self.at = sure.then_some(Position { x: at.x + 1, y: at.y });
    }
}

/// The parameters for `color`; `base` is 30 for the foreground, 40 for the background.
fn color_code(color: Color, base: u8) -> String {
    let basic = |index: u8| (base + index).to_string();
    let bright = |index: u8| (base + 60 + index).to_string();
    match color {
        Color::Reset => basic(9),
        Color::Black => basic(0),
        Color::Red => basic(1),
        Color::Green => basic(2),
        Color::Yellow => basic(3),
        Color::Blue => basic(4),
        Color::Magenta => basic(5),
        Color::Cyan => basic(6),
        Color::Gray => basic(7),
        Color::DarkGray => bright(0),
        Color::LightRed => bright(1),
        Color::LightGreen => bright(2),
        Color::LightYellow => bright(3),
        Color::LightBlue => bright(4),
        Color::LightMagenta => bright(5),
        Color::LightCyan => bright(6),
        Color::White => bright(7),
        Color::Indexed(index) => format!("{};5;{index}", base + 8),
        Color::Rgb(red, green, blue) => format!("{};2;{red};{green};{blue}", base + 8),
    }
}

impl<S: TerminalWriter> Backend for FrameWriter<S> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        self.columns = self.out.size()?.0;
        for (x, y, cell) in content {
            let at = Position { x, y };
            self.go_to(at);
            let known = MODIFIERS.iter().fold(Modifier::empty(), |all, (modifier, _)| all | *modifier);
            self.set_style(CellStyle { foreground: cell.fg, background: cell.bg, modifier: cell.modifier & known });
            self.put(at, cell.symbol());
        }
        // What others write in between (a message of wall(1)) shall look plain.
        self.set_style(PLAIN_STYLE);
        Ok(())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.shown.replace(false) != Some(false) {
            self.push("\x1b[?25l");
        }
        Ok(())
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        if self.shown.replace(true) != Some(true) {
            self.push("\x1b[?25h");
        }
        Ok(())
    }

    /// Never asks the terminal: the answer would come in between the keys.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.at.unwrap_or_default())
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.go_to(position.into());
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.clear_region(ClearType::All)
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.set_style(PLAIN_STYLE);
        self.push(match clear_type {
            ClearType::All => "\x1b[2J",
            ClearType::AfterCursor => "\x1b[J",
            ClearType::BeforeCursor => "\x1b[1J",
            ClearType::CurrentLine => "\x1b[2K",
            ClearType::UntilNewLine => "\x1b[K",
        });
        Ok(())
    }

    fn size(&self) -> io::Result<Size> {
        self.out.size().map(|(width, height)| Size { width, height })
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: self.size()?, pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(rest) = self.rest.filter(|_| self.shown == Some(false)) {
            self.go_to(rest);
        }
        if self.bytes.is_empty() {
            return Ok(());
        }
        let written = self.out.write_all(&self.bytes);
        self.bytes.clear();
        written
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::Terminal;
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    /// A terminal emulator of a fixed size that counts what it gets.
    struct Emulator {
        parser: vt100::Parser,
        writes: Vec<Vec<u8>>,
        size: (u16, u16),
    }

    impl Emulator {
        fn new(columns: u16, rows: u16) -> Self {
            Self { parser: vt100::Parser::new(rows, columns, 0), writes: Vec::new(), size: (columns, rows) }
        }
    }

    impl TerminalWriter for Emulator {
        fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.parser.process(bytes);
            self.writes.push(bytes.to_vec());
            Ok(())
        }

        fn size(&self) -> io::Result<(u16, u16)> {
            Ok(self.size)
        }
    }

    type Screen = Terminal<FrameWriter<Emulator>>;

    fn screen(columns: u16, rows: u16) -> Screen {
        let mut screen =
            Terminal::new(FrameWriter::new(Emulator::new(columns, rows))).expect("the emulator has a size");
        draw(&mut screen, &[]);
        screen
    }

    fn draw(screen: &mut Screen, texts: &[(u16, u16, &str, Style)]) {
        let drawn = screen.draw(|frame| {
            for (x, y, text, style) in texts {
                frame.buffer_mut().set_string(*x, *y, text, *style);
            }
        });
        drawn.expect("the emulator takes everything");
    }

    fn out(screen: &mut Screen) -> &mut Emulator {
        &mut screen.backend_mut().out
    }

    #[test]
    fn a_frame_without_a_change_writes_nothing() {
        let mut screen = screen(20, 3);
        draw(&mut screen, &[(0, 0, "same", Style::new())]);
        out(&mut screen).writes.clear();
        draw(&mut screen, &[(0, 0, "same", Style::new())]);
        assert_eq!(out(&mut screen).writes, Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_frame_is_one_write_of_few_bytes() {
        let mut screen = screen(80, 24);
        draw(&mut screen, &[(40, 3, "1s", Style::new())]);
        out(&mut screen).writes.clear();
        draw(&mut screen, &[(40, 3, "2s", Style::new().fg(Color::Green))]);
        let writes = &out(&mut screen).writes;
        assert_eq!(writes.len(), 1);
        assert_eq!(String::from_utf8_lossy(&writes[0]), "\u{1b}[4;41H\u{1b}[32m2s\u{1b}[m");
    }

    #[test]
    fn colours_are_the_sixteen_of_the_users_theme() {
        for (color, code) in [
            (Color::Red, "31"),
            (Color::Gray, "37"),
            (Color::DarkGray, "90"),
            (Color::White, "97"),
            (Color::Indexed(200), "38;5;200"),
            (Color::Rgb(1, 2, 3), "38;2;1;2;3"),
        ] {
            assert_eq!(color_code(color, 30), code);
        }
        assert_eq!(color_code(Color::LightBlue, 40), "104");
    }

    #[test]
    fn the_cursor_is_shown_where_it_belongs_and_hidden_once() {
        let mut screen = screen(20, 3);
        let with_cursor = |screen: &mut Screen| {
            screen.draw(|frame| frame.set_cursor_position((5, 1))).expect("the emulator takes everything");
        };
        with_cursor(&mut screen);
        assert_eq!(out(&mut screen).parser.screen().cursor_position(), (1, 5));
        assert!(!out(&mut screen).parser.screen().hide_cursor());
        out(&mut screen).writes.clear();
        with_cursor(&mut screen);
        assert_eq!(out(&mut screen).writes.len(), 0);
        draw(&mut screen, &[]);
        assert!(out(&mut screen).parser.screen().hide_cursor());
    }

    #[test]
    fn the_hidden_cursor_rests_where_it_is_told_and_is_sent_there_once() {
        let mut screen = screen(20, 3);
        screen.backend_mut().rest_at(Position::new(0, 2));
        draw(&mut screen, &[(3, 0, "x", Style::new())]);
        assert_eq!(out(&mut screen).parser.screen().cursor_position(), (2, 0));
        assert!(out(&mut screen).parser.screen().hide_cursor());
        out(&mut screen).writes.clear();
        draw(&mut screen, &[(3, 0, "x", Style::new())]);
        assert_eq!(out(&mut screen).writes.len(), 0, "it is there already");
        screen.backend_mut().rest_at(Position::new(0, 1));
        draw(&mut screen, &[(3, 0, "x", Style::new())]);
        assert_eq!(out(&mut screen).parser.screen().cursor_position(), (1, 0));
    }

    #[test]
    fn a_control_character_never_gets_through() {
        let mut frames = FrameWriter::new(Emulator::new(10, 1));
        let mut cell = Cell::default();
        for symbol in ["\u{1b}", "\u{9b}", "a\u{7}"] {
            cell.set_symbol(symbol);
            frames.draw(std::iter::once((0, 0, &cell))).expect("bytes are only gathered");
        }
        assert!(!frames.bytes.windows(2).any(|pair| pair == b"\x1b\x1b" || pair == [0xc2, 0x9b]));
        assert!(!frames.bytes.contains(&7));
    }

    #[test]
    fn after_a_character_of_uncertain_width_the_next_cell_is_addressed() {
        let mut screen = screen(20, 2);
        draw(&mut screen, &[(0, 0, "漢a👩\u{200d}🚀b", Style::new()), (0, 1, "é", Style::new())]);
        let bytes = String::from_utf8_lossy(out(&mut screen).writes.last().expect("one frame")).into_owned();
        assert_eq!(bytes, "\u{1b}[1H漢\u{1b}[1;3Ha👩\u{200d}🚀\u{1b}[1;6Hb\r\né");
    }

    fn frames() -> impl Strategy<Value = Vec<Vec<(u16, u16, String, Style)>>> {
        let color = prop_oneof![Just(Color::Reset), Just(Color::Red), Just(Color::Indexed(9)), Just(Color::White)];
        let modifier = prop_oneof![Just(Modifier::empty()), Just(Modifier::BOLD), Just(Modifier::REVERSED)];
        let style =
            (color.clone(), color, modifier).prop_map(|(fg, bg, add)| Style::new().fg(fg).bg(bg).add_modifier(add));
        let text = prop_oneof!["[ -~]{0,14}", "[é─▇x]{0,6}"];
        let line = (0u16..12, text, style);
        let frame = proptest::collection::vec(line, 0..4)
            .prop_map(|lines| (0..).zip(lines).map(|(y, (x, text, style))| (x, y, text, style)).collect());
        proptest::collection::vec(frame, 1..6)
    }

    fn emulated(color: Color) -> vt100::Color {
        match color {
            Color::Red => vt100::Color::Idx(1),
            Color::White => vt100::Color::Idx(15),
            Color::Indexed(index) => vt100::Color::Idx(index),
            _ => vt100::Color::Default,
        }
    }

    proptest! {
        /// Whatever was on the screen before, after a frame the terminal shows exactly what was drawn.
        #[test]
        fn the_terminal_shows_what_was_drawn(frames in frames()) {
            let mut screen = screen(12, 4);
            for frame in &frames {
                let texts: Vec<_> = frame.iter().map(|(x, y, text, style)| (*x, *y, text.as_str(), *style)).collect();
                draw(&mut screen, &texts);
                let mut expected = Buffer::empty(Rect::new(0, 0, 12, 4));
                for (x, y, text, style) in &texts {
                    expected.set_string(*x, *y, text, *style);
                }
                for (x, y) in (0..12).flat_map(|x| (0..4).map(move |y| (x, y))) {
                    let shown = out(&mut screen).parser.screen().cell(y, x).expect("inside");
                    if shown.is_wide_continuation() {
                        continue;
                    }
                    let cell = &expected[(x, y)];
                    let text = if shown.has_contents() { shown.contents() } else { " " };
                    prop_assert_eq!(text, cell.symbol(), "at {}, {}", x, y);
                    prop_assert_eq!(shown.inverse(), cell.modifier.contains(Modifier::REVERSED));
                    prop_assert_eq!(shown.bold(), cell.modifier.contains(Modifier::BOLD));
                    prop_assert_eq!(shown.fgcolor(), emulated(cell.fg));
                    prop_assert_eq!(shown.bgcolor(), emulated(cell.bg));
                }
            }
        }
    }
}
