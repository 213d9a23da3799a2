//! The key table: which key does what, where. Handling, help, footer and README follow from it.

use std::fmt;
use std::ops::Range;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::app::action::{Action, Edit, Motion};
use crate::app::tab::Tab;

/// Where a key is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A table, the states or the log.
    Table,
    /// The detail view.
    Detail,
    /// The filter line.
    Filter,
    /// A menu.
    Menu,
    /// The dialog that asks before a signal is sent.
    Confirm,
    /// A dialog in which a word has to be typed.
    ConfirmWord,
    /// The second dialog, before KILL is sent.
    ConfirmKill,
    /// The dialog that asks before a socket is closed.
    ConfirmClose,
    /// An explanation.
    Explain,
    /// The help screen.
    Help,
}

/// A key as it stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    control: bool,
}

impl Key {
    const fn char(character: char) -> Self {
        Self { code: KeyCode::Char(character), control: false }
    }

    const fn control(character: char) -> Self {
        Self { code: KeyCode::Char(character), control: true }
    }

    const fn code(code: KeyCode) -> Self {
        Self { code, control: false }
    }

    /// The key that was pressed; `None` with Alt or Super held, which nothing is bound to.
    pub fn pressed(event: KeyEvent) -> Option<Self> {
        let modifiers = event.modifiers - KeyModifiers::SHIFT;
        let control = modifiers.contains(KeyModifiers::CONTROL);
        (modifiers - KeyModifiers::CONTROL).is_empty().then_some(Self { code: event.code, control })
    }
}

/// The key as the help writes it: `q`, `^C`, `F9`, `Enter`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(character) if self.control => write!(f, "^{}", character.to_ascii_uppercase()),
            KeyCode::Char(character) => write!(f, "{character}"),
            KeyCode::F(number) => write!(f, "F{number}"),
            KeyCode::Up => f.write_str("↑"),
            KeyCode::Down => f.write_str("↓"),
            KeyCode::Left => f.write_str("←"),
            KeyCode::Right => f.write_str("→"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            KeyCode::BackTab => f.write_str("S-Tab"),
            KeyCode::Backspace => f.write_str("Bksp"),
            KeyCode::Delete => f.write_str("Del"),
            code => write!(f, "{code:?}"),
        }
    }
}

/// One row of the key table.
pub struct Binding {
    /// Where it works.
    pub scopes: &'static [Scope],
    /// The keys that do the same; the footer shows the first.
    pub keys: &'static [Key],
    pub(crate) action: Action,
    /// One or two words, for the footer.
    pub name: &'static str,
    /// What it does, for the help.
    pub help: &'static str,
    /// Its place in the footer of its scopes: the lowest first; 0 is not in the footer.
    pub footer: u8,
}

impl Binding {
    /// Whether it changes nothing and leads out of what is open.
    pub fn leads_back(&self) -> bool {
        self.action == Action::Back
    }
}

const fn char(character: char) -> Key {
    Key::char(character)
}

const fn ctrl(character: char) -> Key {
    Key::control(character)
}

const fn code(code: KeyCode) -> Key {
    Key::code(code)
}

use Scope::{Confirm, ConfirmClose, ConfirmKill, ConfirmWord, Detail, Explain, Filter, Help, Menu, Table};

const LISTS: &[Scope] = &[Table, Detail, Menu, Help, Explain];
const MAIN: &[Scope] = &[Table, Detail];
const EVERYWHERE: &[Scope] =
    &[Table, Detail, Filter, Menu, Confirm, ConfirmWord, ConfirmKill, ConfirmClose, Help, Explain];

/// Every key.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    // Moving
    Binding { scopes: LISTS,        keys: &[code(KeyCode::Down), char('j')],                   action: Action::Move(Motion::Down),      name: "down",     help: "down one line",                                     footer: 0 },
    Binding { scopes: LISTS,        keys: &[code(KeyCode::Up), char('k')],                     action: Action::Move(Motion::Up),        name: "up",       help: "up one line",                                       footer: 0 },
    Binding { scopes: LISTS,        keys: &[code(KeyCode::PageDown), ctrl('d'), ctrl('f')],    action: Action::Move(Motion::PageDown),  name: "page down", help: "down one page",                                    footer: 0 },
    Binding { scopes: LISTS,        keys: &[code(KeyCode::PageUp), ctrl('u'), ctrl('b')],      action: Action::Move(Motion::PageUp),    name: "page up",  help: "up one page",                                       footer: 0 },
    Binding { scopes: LISTS,        keys: &[code(KeyCode::Home), char('g')],                   action: Action::Move(Motion::First),     name: "first",    help: "to the first line",                                 footer: 0 },
    Binding { scopes: LISTS,        keys: &[code(KeyCode::End), char('G')],                    action: Action::Move(Motion::Last),      name: "last",     help: "to the last line",                                  footer: 0 },
    Binding { scopes: &[Table],     keys: &[code(KeyCode::Enter)],                             action: Action::Open,                    name: "open",     help: "details; of a group its connections", footer: 5 },
    Binding { scopes: EVERYWHERE,   keys: &[code(KeyCode::Esc)], action: Action::Back,   name: "back",     help: "back: close this, clear the filter",       footer: 11 },
    Binding { scopes: &[Table],     keys: &[char('F')],                                        action: Action::Follow,                  name: "follow",   help: "keep the selected row on its line, or not", footer: 0 },
    // Looking
    Binding { scopes: &[Table],     keys: &[code(KeyCode::Tab)],                               action: Action::NextTab,                 name: "next tab", help: "the next tab",                                      footer: 0 },
    Binding { scopes: &[Table],     keys: &[code(KeyCode::BackTab)],                           action: Action::PreviousTab,             name: "previous", help: "the previous tab",                                  footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('1')],                                        action: Action::Show(Tab::Connections),  name: "sockets",  help: "tab Connections: one line a socket",                footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('2')],                                        action: Action::Show(Tab::Processes),    name: "processes", help: "tab Processes: who holds how many", footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('3')],                                        action: Action::Show(Tab::Remotes),      name: "remotes",  help: "tab Remotes: the other ends",                       footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('4')],                                        action: Action::Show(Tab::Listeners),    name: "listeners", help: "tab Listeners: accept queues", footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('5')],                                        action: Action::Show(Tab::States),       name: "states",   help: "tab States: history and meaning", footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('6')],                                        action: Action::Show(Tab::Findings),     name: "findings", help: "tab Findings: what is wrong, and why",   footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('7')],                                        action: Action::Show(Tab::Ports),        name: "ports",    help: "tab Ports: ephemeral ports in use",                 footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('8'), char('H')],                             action: Action::Show(Tab::Log),          name: "log",      help: "tab Log: what happened, newest first",              footer: 0 },
    Binding { scopes: &[Table],     keys: &[char('/'), code(KeyCode::F(4))],                   action: Action::EditFilter,              name: "filter",   help: "filter connections, as in state:close-wait", footer: 2 },
    Binding { scopes: &[Table],     keys: &[char('s'), code(KeyCode::F(6))],                   action: Action::SortMenu,                name: "sort",     help: "choose the column to sort by",                      footer: 3 },
    Binding { scopes: &[Table],     keys: &[char('<'), code(KeyCode::Left)],                   action: Action::SortLeft,                name: "sort left", help: "sort by the column to the left",                   footer: 0 },
    Binding { scopes: &[Table],     keys: &[char('>'), code(KeyCode::Right)],                  action: Action::SortRight,               name: "sort right", help: "sort by the column to the right",                 footer: 0 },
    Binding { scopes: &[Table],     keys: &[char('I'), char('r')],                             action: Action::InvertSort,              name: "invert",   help: "turn the sort round",                               footer: 0 },
    Binding { scopes: &[Table],     keys: &[char('w')],                                        action: Action::Span,                    name: "span",     help: "States: charts of 2 min, 15 min or 24 h",           footer: 3 },
    Binding { scopes: &[Table],     keys: &[char('t'), code(KeyCode::F(5))],                   action: Action::Group,                   name: "group",    help: "by process, remote, listener, and back",      footer: 4 },
    Binding { scopes: MAIN,         keys: &[char('z'), char('Z')],                             action: Action::Freeze,                  name: "freeze",   help: "hold the screen still; nothing is lost",            footer: 10 },
    Binding { scopes: MAIN,         keys: &[char('+'), char('=')],                             action: Action::Slower,                  name: "slower",   help: "more time between samples",                         footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('-')],                                        action: Action::Faster,                  name: "faster",   help: "less time between samples",                         footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('n')],                                        action: Action::Names,                   name: "names",    help: "names of the hosts on the screen, or none",         footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('N')],                                        action: Action::Namespaces,              name: "namespaces", help: "all network namespaces, or only this one",         footer: 0 },
    Binding { scopes: &[Table, Detail, Explain], keys: &[char('e')],                           action: Action::Explain,                 name: "explain",  help: "what it means, what to do about it",            footer: 6 },
    // Acting
    Binding { scopes: MAIN,         keys: &[char('K'), code(KeyCode::F(9))],                   action: Action::Kill,                    name: "kill",     help: "send a signal to the owner; asks first",            footer: 7 },
    Binding { scopes: MAIN,         keys: &[char('!')],                                        action: Action::Escalate,                name: "KILL",     help: "KILL what did not end on TERM; asks first", footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('y')],                                        action: Action::Copy,                    name: "copy",     help: "copy the selected line to the clipboard",           footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('X')],                                        action: Action::Close,                   name: "close",    help: "close just this socket; asks first",                footer: 9 },
    // Menus and dialogs
    Binding { scopes: &[Menu],      keys: &[code(KeyCode::Enter)],                             action: Action::Choose,                  name: "choose",   help: "take the selected line",                            footer: 1 },
    Binding { scopes: &[Confirm],   keys: &[char('y')],                                        action: Action::Confirm,                 name: "send",     help: "do exactly what the dialog shows",                  footer: 1 },
    Binding { scopes: &[ConfirmWord], keys: &[code(KeyCode::Enter)],                           action: Action::Confirm,                 name: "do it",    help: "do it, once the word is typed",                     footer: 1 },
    Binding { scopes: &[ConfirmWord], keys: &[code(KeyCode::Backspace), ctrl('h')],            action: Action::EraseWord,               name: "delete",   help: "delete the last letter of the word",                footer: 0 },
    Binding { scopes: &[ConfirmKill], keys: &[char('K')],                                      action: Action::ConfirmKill,             name: "send KILL", help: "the second yes, which KILL needs",                 footer: 1 },
    Binding { scopes: &[ConfirmClose], keys: &[char('y')],                                     action: Action::Confirm,                 name: "close it", help: "close exactly that socket",                         footer: 1 },
    // The filter line
    Binding { scopes: &[Filter],    keys: &[code(KeyCode::Enter)],                             action: Action::AcceptFilter,            name: "apply",    help: "keep the filter",                                   footer: 1 },
    Binding { scopes: &[Filter],    keys: &[code(KeyCode::Left), ctrl('b')],                   action: Action::Edit(Edit::Left),        name: "left",     help: "cursor to the left",                                footer: 0 },
    Binding { scopes: &[Filter],    keys: &[code(KeyCode::Right), ctrl('f')],                  action: Action::Edit(Edit::Right),       name: "right",    help: "cursor to the right",                               footer: 0 },
    Binding { scopes: &[Filter],    keys: &[code(KeyCode::Home), ctrl('a')],                   action: Action::Edit(Edit::Start),       name: "start",    help: "cursor to the start",                               footer: 0 },
    Binding { scopes: &[Filter],    keys: &[code(KeyCode::End), ctrl('e')],                    action: Action::Edit(Edit::End),         name: "end",      help: "cursor to the end",                                 footer: 0 },
    Binding { scopes: &[Filter],    keys: &[code(KeyCode::Backspace), ctrl('h')],              action: Action::Edit(Edit::Backspace),   name: "delete back", help: "delete before the cursor",                       footer: 0 },
    Binding { scopes: &[Filter],    keys: &[code(KeyCode::Delete), ctrl('d')],                 action: Action::Edit(Edit::Delete),      name: "delete",   help: "delete under the cursor",                           footer: 0 },
    Binding { scopes: &[Filter],    keys: &[ctrl('w')],                                        action: Action::Edit(Edit::DeleteWord),  name: "delete word", help: "delete the word before the cursor",              footer: 3 },
    Binding { scopes: &[Filter],    keys: &[ctrl('u')],                                        action: Action::Edit(Edit::DeleteToStart), name: "clear",  help: "delete to the start",                               footer: 4 },
    Binding { scopes: &[Filter],    keys: &[code(KeyCode::Up), ctrl('p')],                     action: Action::Edit(Edit::Older),       name: "older",    help: "the filter before this one",                        footer: 5 },
    Binding { scopes: &[Filter],    keys: &[code(KeyCode::Down), ctrl('n')],                   action: Action::Edit(Edit::Newer),       name: "newer",    help: "the filter after this one",                         footer: 0 },
    // The program
    Binding { scopes: &[Table, Detail, Help], keys: &[char('?'), code(KeyCode::F(1)), char('h')], action: Action::Help,                 name: "help",     help: "these keys; again to go back",                      footer: 1 },
    Binding { scopes: EVERYWHERE,   keys: &[ctrl('l')],                                        action: Action::Redraw,                  name: "redraw",   help: "draw everything again",                             footer: 0 },
    Binding { scopes: EVERYWHERE,   keys: &[ctrl('z')],                                        action: Action::Suspend,                 name: "suspend",  help: "stop conntop; fg brings it back",                   footer: 0 },
    Binding { scopes: &[Menu, Help, Explain, Confirm, ConfirmKill, ConfirmClose], keys: &[char('q'), char('n')],       action: Action::Back,                    name: "close",    help: "no; close this and change nothing",                 footer: 0 },
    Binding { scopes: MAIN,         keys: &[char('q'), code(KeyCode::F(10))],                  action: Action::Quit,                    name: "quit",     help: "leave conntop",                                     footer: 8 },
    Binding { scopes: EVERYWHERE,   keys: &[ctrl('c')],                                        action: Action::Quit,                    name: "quit",     help: "leave conntop, from anywhere",                      footer: 0 },
];

/// What `key` does in `scope`.
pub(crate) fn action(scope: Scope, key: Key) -> Option<Action> {
    BINDINGS.iter().find(|row| row.scopes.contains(&scope) && row.keys.contains(&key)).map(|row| row.action)
}

/// The bindings that the footer of `scope` shows, in its order.
pub fn footer(scope: Scope) -> Vec<&'static Binding> {
    let mut rows: Vec<_> = BINDINGS.iter().filter(|row| row.footer > 0 && row.scopes.contains(&scope)).collect();
    rows.sort_by_key(|row| row.footer);
    rows
}

/// The headings of the help screen and the scopes they stand for; a binding stands under the first that it works in.
pub const SECTIONS: [(&str, Scope); 7] = [
    ("Tables and the log", Table),
    ("Menus", Menu),
    ("Before a signal is sent", Confirm),
    ("Where a word is asked for", ConfirmWord),
    ("Before KILL is sent", ConfirmKill),
    ("Before a socket is closed", ConfirmClose),
    ("The filter line", Filter),
];

/// The bindings under the heading of `SECTIONS[section]`.
pub fn section(section: usize) -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(move |row| {
        let first = SECTIONS.iter().position(|(_, scope)| row.scopes.contains(scope));
        first == Some(section)
    })
}

/// From this width on the help has two columns.
const HELP_COLUMNS_WIDTH_MIN: u16 = 116;

/// The sections of each column of the help on a screen of `width`.
pub fn help_columns(width: u16) -> impl Iterator<Item = Range<usize>> {
    let split = if width < HELP_COLUMNS_WIDTH_MIN { SECTIONS.len() } else { 1 };
    [0..split, split..SECTIONS.len()].into_iter().filter(|sections| !sections.is_empty())
}

/// How many lines the longest column of the help has: every binding, and a heading and a blank line for each section.
pub fn help_len(width: u16) -> usize {
    let lines = |columns: Range<usize>| columns.map(|index| section(index).count() + 2).sum();
    help_columns(width).map(lines).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPES: [Scope; 10] =
        [Table, Detail, Filter, Menu, Confirm, ConfirmWord, ConfirmKill, ConfirmClose, Explain, Help];

    #[test]
    fn no_key_means_two_things_in_one_place() {
        for scope in SCOPES {
            let mut seen = Vec::new();
            for key in BINDINGS.iter().filter(|row| row.scopes.contains(&scope)).flat_map(|row| row.keys) {
                assert!(!seen.contains(key), "{key} is bound twice in {scope:?}");
                seen.push(*key);
            }
        }
    }

    #[test]
    fn every_binding_is_reached_by_each_of_its_keys() {
        for row in BINDINGS {
            for (scope, key) in row.scopes.iter().flat_map(|scope| row.keys.iter().map(move |key| (*scope, *key))) {
                assert_eq!(action(scope, key), Some(row.action), "{key} in {scope:?}");
            }
        }
    }

    #[test]
    fn the_help_lists_every_binding_once() {
        let listed: usize = (0..SECTIONS.len()).map(|index| section(index).count()).sum();
        assert_eq!(listed, BINDINGS.len());
    }

    #[test]
    fn every_place_can_be_left_and_no_bare_k_kills() {
        for scope in SCOPES {
            assert_eq!(action(scope, ctrl('c')), Some(Action::Quit));
            assert_eq!(action(scope, code(KeyCode::Esc)), Some(Action::Back));
            assert!(!matches!(action(scope, char('k')), Some(Action::Kill | Action::Confirm | Action::ConfirmKill)));
        }
    }

    #[test]
    fn footers_are_short_and_names_fit() {
        for scope in SCOPES {
            // Of the twelve of the tables some are left out on each tab.
            assert!(footer(scope).len() <= 12, "{scope:?}");
        }
        assert!(BINDINGS.iter().all(|row| !row.help.is_empty() && row.name.len() <= 12));
        // Two columns of help fit 116 cells.
        assert!(BINDINGS.iter().all(|row| row.help.len() <= 42));
    }

    #[test]
    fn a_shifted_letter_is_its_capital() {
        let event = KeyEvent::new(KeyCode::Char('K'), KeyModifiers::SHIFT);
        assert_eq!(Key::pressed(event), Some(char('K')));
        assert_eq!(Key::pressed(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::ALT)), None);
        assert_eq!(ctrl('c').to_string(), "^C");
    }
}
