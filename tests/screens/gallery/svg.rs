//! A screen as an SVG picture: every character in its cell whatever the viewer's font is, lines, bars and braille as shapes.

use std::collections::BTreeMap;
use std::fmt::Write;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// The size of a cell in pixels.
const CELL: (u16, u16) = (8, 17);
/// Above the lower edge of a cell, in pixels, stands the text.
const DESCENT: u16 = 4;

/// What is left and above of a cell's middle, in the order left, right, up, down: which arms a line character has.
#[rustfmt::skip]
const LINES: [(char, [bool; 4]); 17] = [
    ('─', [true, true, false, false]), ('━', [true, true, false, false]), ('┄', [true, true, false, false]),
    ('│', [false, false, true, true]), ('┃', [false, false, true, true]),
    ('╭', [false, true, false, true]), ('╮', [true, false, false, true]),
    ('╰', [false, true, true, false]), ('╯', [true, false, true, false]),
    ('┌', [false, true, false, true]), ('┐', [true, false, false, true]),
    ('└', [false, true, true, false]), ('┘', [true, false, true, false]),
    ('├', [false, true, true, true]), ('┤', [true, false, true, true]),
    ('┬', [true, true, false, true]), ('┴', [true, true, true, false]),
];

/// The whole of `screen` as the text of an SVG file, `title` for those who cannot see it. `plain` is the colour of the
/// text and of the ground where the screen leaves both to the terminal.
pub fn picture(screen: &Buffer, title: &str, plain: (&str, &str)) -> String {
    let (columns, rows) = (screen.area.width, screen.area.height);
    let (width, height) = (columns * CELL.0, rows * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"DejaVu Sans Mono,Menlo,Consolas,monospace\" font-size=\"13.3\" xml:space=\"preserve\">\n\
         <title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
        escaped(title),
        plain.1
    );
    // The shapes of one colour are one path.
    let mut shapes: BTreeMap<String, String> = BTreeMap::new();
    let mut texts = String::new();
    for y in 0..rows {
        let cells: Vec<&Cell> = (0..columns).map(|x| &screen[(x, y)]).collect();
        grounds(&cells, y, plain, &mut svg);
        let mut x = 0;
        while x < columns {
            let cell = cells[usize::from(x)];
            let color = Look::of(cell, plain);
            if let Some(path) = shape(cell.symbol(), x * CELL.0, y * CELL.1) {
                shapes.entry(color.text).or_default().push_str(&path);
                x += 1;
                continue;
            }
            x += run(&cells[usize::from(x)..], (x, y), plain, &mut texts);
        }
    }
    for (color, path) in shapes {
        _ = writeln!(svg, "<path fill=\"{color}\" d=\"{path}\"/>");
    }
    svg.push_str(&texts);
    svg.push_str("</svg>\n");
    svg
}

/// How a cell looks.
#[derive(PartialEq)]
struct Look {
    text: String,
    ground: String,
    modifiers: Modifier,
}

impl Look {
    fn of(cell: &Cell, plain: (&str, &str)) -> Self {
        let (mut text, mut ground) = (color(cell.fg, plain.0), color(cell.bg, plain.1));
        if cell.modifier.contains(Modifier::REVERSED) {
            std::mem::swap(&mut text, &mut ground);
        }
        Self { text, ground, modifiers: cell.modifier - Modifier::REVERSED }
    }
}

fn color(color: Color, plain: &str) -> String {
    match color {
        Color::Reset => plain.to_owned(),
        Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        other => panic!("a picture is drawn in a theme of its own colours, and {other:?} is the terminal's"),
    }
}

/// The grounds of a line that are not that of the whole picture, one rectangle for neighbours that look the same.
fn grounds(cells: &[&Cell], y: u16, plain: (&str, &str), svg: &mut String) {
    let mut x = 0;
    for same in cells.chunk_by(|one, other| Look::of(one, plain).ground == Look::of(other, plain).ground) {
        let ground = Look::of(same[0], plain).ground;
        let columns = u16::try_from(same.len()).expect("a line of a screen");
        if ground != plain.1 {
            let (left, top, width) = (x * CELL.0, y * CELL.1, columns * CELL.0);
            _ = writeln!(
                svg,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{}\" fill=\"{ground}\"/>",
                CELL.1
            );
        }
        x += columns;
    }
}

/// Writes the text that begins with `cells`, as far as it looks the same; answers how many columns it takes.
fn run(cells: &[&Cell], (x, y): (u16, u16), plain: (&str, &str), texts: &mut String) -> u16 {
    let look = Look::of(cells[0], plain);
    let (mut columns, mut text, mut shown, mut blanks) = (0, String::new(), 0, 0);
    while let Some(cell) = cells.get(columns) {
        let symbol = cell.symbol();
        let is_blank = symbol.trim().is_empty();
        blanks = if is_blank { blanks + 1 } else { 0 };
        let is_other = Look::of(cell, plain) != look || shape(symbol, 0, 0).is_some();
        // A gap ends the text: what stands behind it is placed anew.
        if columns > 0 && (is_other || blanks > 2) {
            break;
        }
        text.push_str(symbol);
        columns += symbol.width().max(1);
        if !is_blank {
            shown = columns;
        }
    }
    let text = text.trim_end();
    if shown > 0 {
        let first = text.chars().take_while(|character| *character == ' ').count();
        let skipped = u16::try_from(first).expect("a line of a screen");
        let (left, base) = ((x + skipped) * CELL.0, (y + 1) * CELL.1 - DESCENT);
        let length = u16::try_from(shown).expect("a line of a screen") - skipped;
        _ = writeln!(
            texts,
            "<text x=\"{left}\" y=\"{base}\" textLength=\"{}\" fill=\"{}\"{}>{}</text>",
            length * CELL.0,
            look.text,
            attributes(look.modifiers),
            escaped(text.trim_start())
        );
    }
    u16::try_from(columns).expect("a line of a screen")
}

fn attributes(modifiers: Modifier) -> String {
    let all = [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::DIM, " opacity=\"0.6\""),
        (Modifier::ITALIC, " font-style=\"italic\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
    ];
    all.iter().filter(|(modifier, _)| modifiers.contains(*modifier)).map(|(_, text)| *text).collect()
}

/// The path of a character that is drawn and not written, in a cell whose upper left corner is `left`, `top`.
fn shape(symbol: &str, left: u16, top: u16) -> Option<String> {
    let mut characters = symbol.chars();
    let (character, None) = (characters.next()?, characters.next()) else { return None };
    let code = u32::from(character);
    match character {
        '\u{2801}'..='\u{28ff}' => Some(braille(code - 0x2800, left, top)),
        '▁'..='█' => {
            let height = u16::try_from(code - 0x2580).ok()? * CELL.1 / 8;
            Some(rectangle(left, top + CELL.1 - height, CELL.0, height))
        }
        '▉'..='▏' => Some(rectangle(left, top, u16::try_from(0x2590 - code).ok()? * CELL.0 / 8, CELL.1)),
        _ => LINES.iter().find(|(line, _)| *line == character).map(|(_, arms)| line(*arms, left, top)),
    }
}

/// The dots of a braille pattern (Unicode, chapter 21: bits 0 to 2 and 6 are the left column from above, 3 to 5 and 7 the right).
fn braille(bits: u32, left: u16, top: u16) -> String {
    const PLACES: [(u16, u16); 8] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
    PLACES
        .iter()
        .enumerate()
        .filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, (column, row))| rectangle(left + 1 + column * 4, top + 1 + row * 4, 2, 3))
        .collect()
}

fn line([to_left, to_right, up, down]: [bool; 4], left: u16, top: u16) -> String {
    let (middle, center) = (left + CELL.0 / 2, top + CELL.1 / 2);
    let mut path = String::new();
    if to_left || to_right {
        let (from, to) = (if to_left { left } else { middle }, if to_right { left + CELL.0 } else { middle + 1 });
        path.push_str(&rectangle(from, center, to - from, 1));
    }
    if up || down {
        let (from, to) = (if up { top } else { center }, if down { top + CELL.1 } else { center + 1 });
        path.push_str(&rectangle(middle, from, 1, to - from));
    }
    path
}

fn rectangle(left: u16, top: u16, width: u16, height: u16) -> String {
    format!("M{left} {top}h{width}v{height}h-{width}z")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
