//! Every tab at every size that is promised, with its colours in the default theme and what stands out in the theme without
//! colours. `INSTA_UPDATE=always cargo test --test screens` rewrites the pictures; they are reviewed like code.

use std::fmt::Write;

use conntop::app::App;
use conntop::app::msg::Msg;
use conntop::app::tabs::TABS;
use conntop::ui::theme::Theme;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use crate::recording::after_the_recording;
use crate::typing::{drawn, press};

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 40), (200, 60)];

/// One letter a cell: capitals are the bright colours.
fn color(cell: &Cell) -> char {
    let color = if cell.fg == Color::Reset { cell.bg } else { cell.fg };
    match color {
        Color::Reset => ' ',
        Color::Black => 'k',
        Color::Red => 'r',
        Color::Green => 'g',
        Color::Yellow => 'y',
        Color::Blue => 'b',
        Color::Magenta => 'm',
        Color::Cyan => 'c',
        Color::Gray => 'w',
        Color::DarkGray => 'K',
        Color::LightRed => 'R',
        Color::LightGreen => 'G',
        Color::LightYellow => 'Y',
        Color::LightBlue => 'B',
        Color::LightMagenta => 'M',
        Color::LightCyan => 'C',
        Color::White => 'W',
        other => panic!("{other:?} is none of the terminal's sixteen colours"),
    }
}

/// One letter a cell: reversed, bold, underlined or dim, what stands out most first.
fn stress(cell: &Cell) -> char {
    let letters = [(Modifier::REVERSED, 'r'), (Modifier::BOLD, 'b'), (Modifier::UNDERLINED, 'u'), (Modifier::DIM, 'd')];
    letters.iter().find(|(modifier, _)| cell.modifier.contains(*modifier)).map_or(' ', |(_, letter)| *letter)
}

/// The lines of a screen, each cell as `character` says, without the blanks at the end of a line.
fn lines(screen: &Buffer, character: impl Fn(&Cell) -> String) -> String {
    let mut lines = String::new();
    for y in 0..screen.area.height {
        let line: String = (0..screen.area.width).map(|x| character(&screen[(x, y)])).collect();
        _ = writeln!(lines, "|{}", line.trim_end());
    }
    lines
}

fn text(screen: &Buffer) -> String {
    lines(screen, |cell| cell.symbol().to_owned())
}

/// The text of the screen, its colours, and what stands out without colours.
fn whole_picture(app: &App) -> String {
    let (colored, mono) = (drawn(app, &Theme::default()), drawn(app, &Theme::mono()));
    let (words, words_without_colors) = (text(&colored), text(&mono));
    assert_eq!(words, words_without_colors, "a theme changes no word");
    assert!(mono.content().iter().all(|cell| (cell.fg, cell.bg) == (Color::Reset, Color::Reset)), "mono has no colour");
    let colors = lines(&colored, |cell| color(cell).to_string());
    let stressed = lines(&mono, |cell| stress(cell).to_string());
    format!("{words}\ncolours of the default theme\n{colors}\nreversed, bold, underlined, dim in mono\n{stressed}")
}

#[test]
fn every_tab_at_every_size() {
    let mut app = after_the_recording(SIZES[0]);
    for row in TABS {
        press(&mut app, &row.number().to_string());
        for size in SIZES {
            app.turn(Msg::Resize(size.0, size.1));
            insta::assert_snapshot!(format!("{}_{}x{}", row.title.to_lowercase(), size.0, size.1), whole_picture(&app));
        }
    }
}
