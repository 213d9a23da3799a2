//! What holds of every theme of conntop.

use std::fmt::Write;

use ratatui::style::{Color, Modifier, Style};

use super::*;
use crate::ui::theme::depth::{contrast, rgb};
use crate::ui::theme::role::RoleKind;

/// The colours of Okabe and Ito, which people with any colour vision tell apart (<https://jfly.uni-koeln.de/color/>).
const OKABE_ITO: [[u8; 3]; 7] = [
    [0xe6, 0x9f, 0x00],
    [0x56, 0xb4, 0xe9],
    [0x00, 0x9e, 0x73],
    [0xf0, 0xe4, 0x42],
    [0x00, 0x72, 0xb2],
    [0xd5, 0x5e, 0x00],
    [0xcc, 0x79, 0xa7],
];

fn of_name(name: &str) -> Theme {
    Theme::built_in(name).unwrap_or_else(|| panic!("no theme {name}"))
}

/// The colour of the text of `role`, and the one behind it; `None` where the terminal chooses one of them.
fn colors(theme: &Theme, role: Role) -> Option<([u8; 3], [u8; 3])> {
    let (text, style) = (theme.style(Role::Text), theme.style(role));
    let (front, behind) = (rgb(style.fg.or(text.fg)?)?, rgb(style.bg.or(text.bg)?)?);
    let is_reversed = style.add_modifier.contains(Modifier::REVERSED);
    Some(if is_reversed { (behind, front) } else { (front, behind) })
}

/// The themes that say what their colours are, as they are with 16 million colours and with 256.
fn with_known_colors() -> Vec<(Theme, ColorDepth)> {
    let known = built_in::themes().iter().filter(|theme| theme.chooses_colors());
    known.flat_map(|theme| [ColorDepth::Rgb, ColorDepth::Indexed].map(|depth| (theme.at(depth), depth))).collect()
}

#[test]
fn every_role_is_seen_on_what_it_stands_on() {
    assert_eq!(with_known_colors().len(), 8);
    for (theme, depth) in with_known_colors() {
        for row in ROLES {
            let (front, behind) = colors(&theme, row.role).expect("a theme chooses all of its colours or none");
            let wanted = match (row.kind, theme.name()) {
                (_, "high-contrast") => 7.0,
                (RoleKind::Text, _) => 4.5,
                (RoleKind::Mark, _) => 3.0,
            };
            let contrast = contrast(front, behind);
            assert!(contrast >= wanted, "{} of {} ({depth:?}) has {contrast:.2}", row.key, theme.name());
        }
    }
}

#[test]
fn what_matters_less_is_dim_where_the_terminal_chooses_and_never_bright_black() {
    let theme = Theme::default();
    assert!(theme.style(Role::Dim).add_modifier.contains(Modifier::DIM));
    for (theme, row) in built_in::themes().iter().flat_map(|theme| ROLES.iter().map(move |row| (theme, row))) {
        let style = theme.style(row.role);
        let colors = [style.fg, style.bg];
        assert!(!colors.contains(&Some(Color::DarkGray)), "{} of {}", row.key, theme.name());
        // How dim it gets is the terminal's choice: where colours are known, theirs is measured.
        let is_dim = style.add_modifier.contains(Modifier::DIM);
        assert!(!(is_dim && theme.chooses_colors()), "{} of {}", row.key, theme.name());
    }
}

#[test]
fn only_findings_are_red_or_yellow() {
    let reserved = [Color::Red, Color::LightRed, Color::Yellow, Color::LightYellow];
    for theme in built_in::themes() {
        let of = |role| theme.style(role).fg;
        for row in ROLES.iter().filter(|row| !matches!(row.role, Role::Alarm | Role::Warning)) {
            assert!(of(row.role).is_none_or(|color| !reserved.contains(&color)), "{} of {}", row.key, theme.name());
            if theme.chooses_colors() {
                assert!(
                    of(row.role) != of(Role::Alarm) && of(row.role) != of(Role::Warning),
                    "{} of {}",
                    row.key,
                    theme.name()
                );
            }
        }
    }
}

#[test]
fn mono_has_no_colours() {
    for row in ROLES {
        let Style { fg, bg, .. } = Theme::mono().style(row.role);
        assert_eq!((fg, bg), (Some(Color::Reset), None), "{}", row.key);
    }
}

#[test]
fn what_matters_stands_out_in_every_theme_without_its_colours() {
    for theme in built_in::themes() {
        let modifiers = |role: Role| theme.style(role).add_modifier;
        for role in [Role::Alarm, Role::Warning, Role::Error, Role::Accent] {
            assert_ne!(modifiers(role), modifiers(Role::Text), "{role:?} in {}", theme.name());
        }
    }
}

#[test]
fn the_selected_row_has_a_background_of_its_own() {
    for theme in built_in::themes() {
        let (selected, text) = (theme.style(Role::Selected), theme.style(Role::Text));
        let is_reversed = selected.add_modifier.contains(Modifier::REVERSED);
        assert!(is_reversed || selected.bg.is_some_and(|behind| Some(behind) != text.bg), "{}", theme.name());
    }
}

#[test]
fn the_theme_for_the_colour_blind_has_the_colours_of_okabe_and_ito_and_greys() {
    let theme = of_name("colour-blind");
    for row in ROLES {
        let Style { fg, bg, .. } = theme.style(row.role);
        for color in [fg, bg].into_iter().flatten() {
            let [red, green, blue] = rgb(color).expect("known");
            let is_grey = red == green && green == blue;
            assert!(is_grey || OKABE_ITO.contains(&[red, green, blue]), "{}: {color:?}", row.key);
        }
    }
}

#[test]
fn a_terminal_of_few_colours_gets_no_others() {
    for theme in built_in::themes() {
        for row in ROLES {
            let Style { fg, bg, .. } = theme.at(ColorDepth::Sixteen).style(row.role);
            let is_of_the_terminal = |color: Color| !matches!(color, Color::Rgb(..) | Color::Indexed(_));
            assert!([fg, bg].into_iter().flatten().all(is_of_the_terminal), "{} of {}", row.key, theme.name());
            let Style { fg, bg, .. } = theme.at(ColorDepth::Indexed).style(row.role);
            assert!([fg, bg].into_iter().flatten().all(|color| !matches!(color, Color::Rgb(..))));
        }
        assert_eq!(theme.at(ColorDepth::Sixteen).name(), theme.name());
        assert_eq!(theme.at(ColorDepth::Rgb), *theme);
    }
    assert_eq!(of_name("dark").at(ColorDepth::Sixteen).style(Role::Alarm), Theme::default().style(Role::Alarm));
    assert_eq!(of_name("high-contrast").at(ColorDepth::Sixteen).style(Role::Alarm), Theme::mono().style(Role::Alarm));
}

/// What every role looks like in every theme, so that a change of a file is seen in review.
#[test]
fn the_looks_of_every_theme() {
    let mut text = String::new();
    for theme in built_in::themes() {
        writeln!(text, "{} · {}", theme.name(), theme.about()).expect("a string takes all");
        for row in ROLES {
            let style = theme.style(row.role);
            let color = |color: Option<Color>| color.map_or_else(|| "-".to_owned(), |color| color.to_string());
            let looks = format!("{} on {} {:?}", color(style.fg), color(style.bg), style.add_modifier);
            writeln!(text, "  {:10} {looks}", row.key).expect("a string takes all");
        }
    }
    insta::assert_snapshot!(text);
}
