//! How many colours the terminal has, and the nearest of them.

use ratatui::style::{Color, Style};

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColorDepth {
    /// The sixteen that the user chose for the terminal.
    #[default]
    Sixteen,
    /// Those of xterm: a cube of 6 x 6 x 6 and 24 greys behind the sixteen.
    Indexed,
    /// Red, green and blue with 256 steps each.
    Rgb,
}

/// The steps of red, green and blue in the cube of xterm (256colres.h of xterm).
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];
/// The first colour of the cube, and the first grey.
const CUBE_FIRST: u8 = 16;
const GREY_FIRST: u8 = 232;
/// The greys are 8, 18, ... 238.
const GREYS: u8 = 24;

/// Red, green and blue.
pub type Rgb = [u8; 3];

/// The luminance at which black and white have the same contrast to it: the square root of 1.05 times 0.05, less 0.05.
const MIDDLE_LUMINANCE: f64 = 0.179;

/// Whether dark text is read better than light text on `background`.
pub fn is_light(background: Rgb) -> bool {
    luminance(background) > MIDDLE_LUMINANCE
}

/// The colour of xterm that is nearest to `wanted`.
fn nearest(wanted: Rgb) -> u8 {
    let step = |part: u8| (0..6_u8).min_by_key(|step| CUBE[usize::from(*step)].abs_diff(part)).unwrap_or(0);
    let [red, green, blue] = wanted.map(step);
    let cube = CUBE_FIRST + 36 * red + 6 * green + blue;
    let greys = (0..GREYS).map(|grey| GREY_FIRST + grey);
    std::iter::once(cube).chain(greys).min_by_key(|index| distance(indexed(*index), wanted)).unwrap_or(cube)
}

/// What the colour `index` of xterm is; the first sixteen are the user's, and count as black.
fn indexed(index: u8) -> Rgb {
    match index {
        GREY_FIRST.. => [8 + 10 * (index - GREY_FIRST); 3],
        CUBE_FIRST.. => {
            let place = index - CUBE_FIRST;
            [place / 36, place / 6 % 6, place % 6].map(|step| CUBE[usize::from(step)])
        }
        _ => [0; 3],
    }
}

fn distance(a: Rgb, b: Rgb) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

/// `style` with colours of xterm in place of red, green and blue.
pub(super) fn to_indexed(style: Style) -> Style {
    let indexed = |color: Color| match color {
        Color::Rgb(red, green, blue) => Color::Indexed(nearest([red, green, blue])),
        other => other,
    };
    Style { fg: style.fg.map(indexed), bg: style.bg.map(indexed), ..style }
}

/// What the colour is, where the program and not the terminal says so.
pub(super) fn rgb(color: Color) -> Option<Rgb> {
    match color {
        Color::Rgb(red, green, blue) => Some([red, green, blue]),
        Color::Indexed(index @ CUBE_FIRST..) => Some(indexed(index)),
        _ => None,
    }
}

/// The relative luminance of a colour, from 0 (black) to 1 (white) (WCAG 2.2, definition of relative luminance).
fn luminance(color: Rgb) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    let [red, green, blue] = color.map(linear);
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// The contrast of two colours, from 1 to 21 (WCAG 2.2, definition of contrast ratio).
#[cfg(test)]
pub(super) fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_colour_of_xterm_is_taken() {
        for (wanted, index) in [
            ([0, 0, 0], 16),
            ([255, 255, 255], 231),
            ([255, 0, 0], 196),
            ([95, 135, 175], 67),
            ([18, 18, 18], 233),
            ([19, 22, 27], 233),
            ([238, 238, 238], 255),
        ] {
            assert_eq!(nearest(wanted), index, "{wanted:?}");
        }
        for index in CUBE_FIRST..=255 {
            let color = indexed(index);
            assert_eq!(distance(indexed(nearest(color)), color), 0, "{index}");
        }
    }

    #[test]
    fn contrasts_are_those_of_the_definition() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        assert!((contrast([119; 3], [255; 3]) - 4.478).abs() < 1e-3, "{}", contrast([119; 3], [255; 3]));
        assert!((contrast([255, 0, 0], [255, 0, 0]) - 1.0).abs() < 1e-9);
    }
}
