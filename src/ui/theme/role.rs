//! What something is on the screen: one row of the table of roles each. A theme gives every role its look.

use crate::diagnosis::finding::Severity;
use crate::model::tcp_state::Phase;

/// How well a role must be told from its background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    /// It is read: a contrast of 4.5 at least (WCAG 2.2, success criterion 1.4.3).
    Text,
    /// It is seen, such as a line of a graph: a contrast of 3 at least (WCAG 2.2, success criterion 1.4.11).
    Mark,
}

/// One row of the table of roles.
#[derive(Clone, Copy, Debug)]
pub struct RoleRow {
    /// The role.
    pub role: Role,
    /// Its name in the file of a theme.
    pub key: &'static str,
    /// How well it must be seen.
    pub kind: RoleKind,
    /// The role that it looks like where a theme does not say; one of the rows above. `None`: a theme has to say.
    pub like: Option<Role>,
    /// What it is.
    pub about: &'static str,
}

/// The rows make the variants of [`Role`] and the table [`ROLES`], so that neither can lack what the other has. Plain
/// Rust would need the variant, the row and a test that they have the same order.
macro_rules! roles {
    ($($role:ident $key:literal $kind:ident $(like $like:ident)?: $about:literal;)*) => {
        /// What something is on the screen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Role {
            $(#[doc = $about] $role,)*
        }

        /// Every role, in the order of [`Role`].
        pub const ROLES: &[RoleRow] = &[
            $(RoleRow {
                role: Role::$role,
                key: $key,
                kind: RoleKind::$kind,
                like: [$(Role::$like,)?].first().copied(),
                about: $about,
            },)*
        ];
    };
}

// To add a role, add a row. With `like` no theme has to name it; without, every theme in `assets/themes` does.
roles! {
    Text      "text"      Text:              "Plain text. Its background is what everything else stands on.";
    Dim       "dim"       Text:              "What matters less: rules, labels, units, what is zero.";
    Strong    "strong"    Text:              "What matters more: counts, names, the title of a tab.";
    Accent    "accent"    Text:              "Titles, the active tab, keys, borders.";
    Alarm     "alarm"     Text:              "A critical finding, and nothing else.";
    Warning   "warning"   Text:              "A finding that is a warning, and nothing else.";
    Error     "error"     Text:              "What conntop could not do, and what an action would hit.";
    Good      "good"      Text:              "What worked, and that nothing wrong was found.";
    New       "new"       Mark like Strong:  "The mark of a connection that has just been opened.";
    Changed   "changed"   Mark like Strong:  "The mark of a connection that has just changed its state.";
    Closed    "closed"    Text like Dim:     "A connection that has just ended: its row and its mark.";
    Selected  "selected"  Text:              "The selected row, from edge to edge.";
    Cell      "cell"      Text like Selected: "The chosen cell of the selected row; it stands in brackets, too.";
    Tagged    "tagged"    Mark like Accent: "The mark of a row that the user has tagged.";
    Heading   "heading"   Text like Dim:     "Headings of columns.";
    Listening "listening" Text:              "The state `LISTEN`.";
    Opening   "opening"   Text:              "The states of an opening connection: `SYN_SENT`, `SYN_RECV`.";
    Open      "open"      Text:              "The state `ESTABLISHED`.";
    Closing   "closing"   Text:              "The states of a closing connection: `FIN_WAIT1`, `FIN_WAIT2`, `CLOSE_WAIT`, `CLOSING`, `LAST_ACK`.";
    Waiting   "waiting"   Text:              "The state `TIME_WAIT`.";
    Idle      "idle"      Text like Dim:     "Sockets without a connection: `CLOSE`, `UNCONN`, bound ones, UDP.";
}

impl Role {
    /// Its row.
    pub const fn row(self) -> &'static RoleRow {
        &ROLES[self as usize]
    }

    /// The role of this name in the file of a theme.
    pub fn named(key: &str) -> Option<Self> {
        ROLES.iter().find(|row| row.key == key).map(|row| row.role)
    }

    /// What a finding of this severity looks like; its mark says the same without colours.
    pub const fn of(severity: Severity) -> Self {
        match severity {
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Alarm,
        }
    }

    /// What a state of this phase looks like.
    pub const fn of_phase(phase: Phase) -> Self {
        match phase {
            Phase::Listening => Self::Listening,
            Phase::Opening => Self::Opening,
            Phase::Open => Self::Open,
            Phase::Closing => Self::Closing,
            Phase::Waiting => Self::Waiting,
            Phase::Idle => Self::Idle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_found_by_its_name_and_looks_like_one_above_it() {
        for row in ROLES {
            assert_eq!((Role::named(row.key), row.role.row().key), (Some(row.role), row.key));
            assert_eq!(ROLES.iter().filter(|other| other.key == row.key).count(), 1, "{} stands twice", row.key);
            assert!(row.like.is_none_or(|like| (like as usize) < row.role as usize), "{}", row.key);
            assert!(row.about.ends_with('.') && !row.about.contains('|'), "{}", row.about);
        }
    }
}
