//! What things look like: one table of roles, and the characters that replace others in ASCII mode.
//!
//! The sixteen colours are those of the user's terminal. No colour carries meaning alone: beside each stands a word, a
//! mark or a place.

use ratatui::style::{Color, Modifier, Style};

use crate::diagnosis::finding::Severity;
use crate::model::tcp_state::Phase;

/// How the screen is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    /// Whether colours may be used; without them bold and reverse are.
    pub color: bool,
    /// Whether only ASCII may be drawn.
    pub ascii: bool,
}

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
    /// Why a row is wrong: the colour of the alarm, without its weight.
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

struct RoleRow {
    role: Role,
    color: Color,
    modifier: Modifier,
    /// What stands in without colours.
    plain: Modifier,
}

const NONE: Modifier = Modifier::empty();
const BOLD: Modifier = Modifier::BOLD;
const REVERSED: Modifier = Modifier::REVERSED;

#[rustfmt::skip]
const ROLES: [RoleRow; 19] = [
    RoleRow { role: Role::Text,                    color: Color::Reset,    modifier: NONE,     plain: NONE },
    RoleRow { role: Role::Dim,                     color: Color::DarkGray, modifier: NONE,     plain: NONE },
    RoleRow { role: Role::Strong,                  color: Color::Reset,    modifier: BOLD,     plain: BOLD },
    RoleRow { role: Role::Accent,                  color: Color::Cyan,     modifier: BOLD,     plain: BOLD },
    RoleRow { role: Role::Alarm,                   color: Color::LightRed, modifier: BOLD,     plain: BOLD },
    RoleRow { role: Role::Warning,                 color: Color::Yellow,   modifier: BOLD,     plain: BOLD },
    RoleRow { role: Role::Verdict,                 color: Color::LightRed, modifier: NONE,     plain: BOLD },
    RoleRow { role: Role::Good,                    color: Color::Green,    modifier: NONE,     plain: NONE },
    RoleRow { role: Role::New,                     color: Color::Green,    modifier: NONE,     plain: NONE },
    RoleRow { role: Role::Changed,                 color: Color::Yellow,   modifier: NONE,     plain: NONE },
    RoleRow { role: Role::Closed,                  color: Color::Red,      modifier: NONE,     plain: NONE },
    RoleRow { role: Role::Selected,                color: Color::Reset,    modifier: REVERSED, plain: REVERSED },
    RoleRow { role: Role::Heading,                 color: Color::DarkGray, modifier: NONE,     plain: NONE },
    RoleRow { role: Role::Phase(Phase::Listening), color: Color::Cyan,     modifier: NONE,     plain: NONE },
    RoleRow { role: Role::Phase(Phase::Opening),   color: Color::Yellow,   modifier: NONE,     plain: NONE },
    RoleRow { role: Role::Phase(Phase::Open),      color: Color::Green,    modifier: NONE,     plain: NONE },
    RoleRow { role: Role::Phase(Phase::Closing),   color: Color::Magenta,  modifier: NONE,     plain: NONE },
    RoleRow { role: Role::Phase(Phase::Waiting),   color: Color::Blue,     modifier: NONE,     plain: NONE },
    RoleRow { role: Role::Phase(Phase::Idle),      color: Color::DarkGray, modifier: NONE,     plain: NONE },
];

impl Role {
    /// What a finding of this severity looks like; its mark says the same without colours.
    pub const fn of(severity: Severity) -> Self {
        match severity {
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Alarm,
        }
    }

    /// The style of the role in `theme`.
    pub fn style(self, theme: Theme) -> Style {
        let Some(row) = ROLES.iter().find(|row| row.role == self) else { return Style::new() };
        if theme.color {
            Style::new().fg(row.color).add_modifier(row.modifier)
        } else {
            Style::new().add_modifier(row.plain)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_one_row_and_no_colours_means_none() {
        for row in &ROLES {
            assert_eq!(ROLES.iter().filter(|other| other.role == row.role).count(), 1);
            let plain = row.role.style(Theme { color: false, ascii: false });
            assert_eq!((plain.fg, plain.bg), (None, None));
        }
    }

    #[test]
    fn what_matters_stands_out_without_colours() {
        let plain = Theme { color: false, ascii: false };
        for role in [Role::Alarm, Role::Selected, Role::Accent] {
            assert_ne!(role.style(plain), Role::Text.style(plain), "{role:?}");
        }
    }
}
