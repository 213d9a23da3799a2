//! What things look like: a theme is one row of [`THEMES`], with a style for each role.
//!
//! No colour carries meaning alone: beside each stands a word, a
//! mark or a place.

use ratatui::style::{Color, Modifier, Style};

use crate::diagnosis::finding::Severity;
use crate::model::tcp_state::Phase;

/// How the screen is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Theme {
    row: &'static ThemeRow,
    is_ascii: bool,
}

impl Theme {
    /// The theme that holds unless the user says otherwise.
    pub const DEFAULT: Self = Self { row: &THEMES[0], is_ascii: false };
    /// The theme without colours, for `NO_COLOR` and `--color never`.
    pub const MONO: Self = Self { row: &THEMES[1], is_ascii: false };

    /// The theme of this name; `None` where [`THEMES`] has no such row.
    pub fn named(name: &str) -> Option<Self> {
        THEMES.iter().find(|row| row.name == name).map(|row| Self { row, is_ascii: false })
    }

    /// The same, drawn with ASCII characters only or not.
    #[must_use]
    pub const fn with_ascii(self, is_ascii: bool) -> Self {
        Self { is_ascii, ..self }
    }

    /// Whether only ASCII may be drawn.
    pub const fn is_ascii(self) -> bool {
        self.is_ascii
    }
}

/// One theme: a style for each [`Role`].
#[derive(Debug, PartialEq)]
pub struct ThemeRow {
    /// Its name, as the user writes it.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    text: Style,
    dim: Style,
    strong: Style,
    accent: Style,
    alarm: Style,
    warning: Style,
    verdict: Style,
    good: Style,
    new: Style,
    changed: Style,
    closed: Style,
    selected: Style,
    heading: Style,
    listening: Style,
    opening: Style,
    open: Style,
    closing: Style,
    waiting: Style,
    idle: Style,
}

const PLAIN: Style = Style::new();
const BOLD: Style = PLAIN.add_modifier(Modifier::BOLD);
const REVERSED: Style = PLAIN.add_modifier(Modifier::REVERSED);

/// Every theme; the first is the default, the second has no colours.
#[rustfmt::skip]
pub const THEMES: &[ThemeRow] = &[
    ThemeRow {
        name: "default", about: "the sixteen colours of the terminal",
        text:      PLAIN.fg(Color::Reset),
        dim:       PLAIN.fg(Color::DarkGray),
        strong:    BOLD.fg(Color::Reset),
        accent:    BOLD.fg(Color::Cyan),
        alarm:     BOLD.fg(Color::LightRed),
        warning:   BOLD.fg(Color::Yellow),
        verdict:   PLAIN.fg(Color::LightRed),
        good:      PLAIN.fg(Color::Green),
        new:       PLAIN.fg(Color::Green),
        changed:   PLAIN.fg(Color::Yellow),
        closed:    PLAIN.fg(Color::Red),
        selected:  REVERSED.fg(Color::Reset),
        heading:   PLAIN.fg(Color::DarkGray),
        listening: PLAIN.fg(Color::Cyan),
        opening:   PLAIN.fg(Color::Yellow),
        open:      PLAIN.fg(Color::Green),
        closing:   PLAIN.fg(Color::Magenta),
        waiting:   PLAIN.fg(Color::Blue),
        idle:      PLAIN.fg(Color::DarkGray),
    },
    ThemeRow {
        name: "mono", about: "no colours: bold and reverse only",
        text: PLAIN, dim: PLAIN, strong: BOLD, accent: BOLD, alarm: BOLD, warning: BOLD, verdict: BOLD, good: PLAIN,
        new: PLAIN, changed: PLAIN, closed: PLAIN, selected: REVERSED, heading: PLAIN, listening: PLAIN, opening: PLAIN,
        open: PLAIN, closing: PLAIN, waiting: PLAIN, idle: PLAIN,
    },
];

/// What something is on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Plain text.
    Text,
    /// What matters less: rules, labels, units.
    Dim,
    /// What matters more.
    Strong,
    /// Titles, the active tab, keys.
    Accent,
    /// What is wrong.
    Alarm,
    /// What may go wrong.
    Warning,
    /// Why a row is wrong: the colour of the alarm, without its emphasis.
    Verdict,
    /// What worked.
    Good,
    /// A new row.
    New,
    /// A row that changed.
    Changed,
    /// A closed row.
    Closed,
    /// The selected row: one style over all of it.
    Selected,
    /// Headings of columns.
    Heading,
    /// A state of this phase.
    Phase(Phase),
}

impl Role {
    /// What a finding of this severity looks like; its mark says the same without colours.
    pub const fn of(severity: Severity) -> Self {
        match severity {
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Alarm,
        }
    }

    /// The style of the role in `theme`. The row is taken apart without `..`, so that no style of a theme is unused.
    #[rustfmt::skip]
    pub const fn style(self, theme: Theme) -> Style {
        let &ThemeRow {
            name: _, about: _, text, dim, strong, accent, alarm, warning, verdict, good, new, changed, closed, selected,
            heading, listening, opening, open, closing, waiting, idle,
        } = theme.row;
        match self {
            Self::Text     => text,
            Self::Dim      => dim,
            Self::Strong   => strong,
            Self::Accent   => accent,
            Self::Alarm    => alarm,
            Self::Warning  => warning,
            Self::Verdict  => verdict,
            Self::Good     => good,
            Self::New      => new,
            Self::Changed  => changed,
            Self::Closed   => closed,
            Self::Selected => selected,
            Self::Heading  => heading,
            Self::Phase(Phase::Listening) => listening,
            Self::Phase(Phase::Opening)   => opening,
            Self::Phase(Phase::Open)      => open,
            Self::Phase(Phase::Closing)   => closing,
            Self::Phase(Phase::Waiting)   => waiting,
            Self::Phase(Phase::Idle)      => idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 19] = [
        Role::Text,
        Role::Dim,
        Role::Strong,
        Role::Accent,
        Role::Alarm,
        Role::Warning,
        Role::Verdict,
        Role::Good,
        Role::New,
        Role::Changed,
        Role::Closed,
        Role::Selected,
        Role::Heading,
        Role::Phase(Phase::Listening),
        Role::Phase(Phase::Opening),
        Role::Phase(Phase::Open),
        Role::Phase(Phase::Closing),
        Role::Phase(Phase::Waiting),
        Role::Phase(Phase::Idle),
    ];

    #[test]
    fn a_theme_is_found_by_its_name_which_is_unique() {
        for row in THEMES {
            assert_eq!(Theme::named(row.name).map(|theme| theme.row.about), Some(row.about));
            assert_eq!(THEMES.iter().filter(|other| other.name == row.name).count(), 1);
        }
        assert!(Theme::named("no such theme").is_none());
        assert_eq!((Theme::DEFAULT.row.name, Theme::MONO.row.name), ("default", "mono"));
    }

    #[test]
    fn mono_has_no_colours() {
        for role in ROLES {
            let style = role.style(Theme::MONO);
            assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
        }
    }

    #[test]
    fn what_matters_stands_out_in_every_theme_without_its_colours() {
        for theme in THEMES.iter().map(|row| Theme { row, is_ascii: false }) {
            let modifiers = |role: Role| role.style(theme).add_modifier;
            for role in [Role::Alarm, Role::Selected, Role::Accent] {
                assert_ne!(modifiers(role), modifiers(Role::Text), "{role:?} in {}", theme.row.name);
            }
        }
    }
}
