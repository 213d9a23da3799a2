//! The menu that is open: its lines as they are drawn, the cursor on them, and what choosing one does.

use ratatui::layout::{Position, Rect};

use crate::app::App;
use crate::app::action::Motion;
use crate::app::effect::Effect;
use crate::app::layout::popup;
use crate::app::menu::{FOLDINGS, FoldingRow, Menu, MenuChoice, MenuLine, MenuLines};
use crate::app::mode::Mode;
use crate::app::panels::table::{ColumnHead, arrow};
use crate::app::scroll::{Scroll, ScrollExtent};
use crate::model::action::SIGNALS;
use crate::table::cut::cells;
use crate::table::units;

/// The longest text that may be typed to find an action, in bytes.
const TYPED_LEN_MAX: usize = 32;
/// Lines of the column chooser, at least.
const CHOOSER_HEIGHT_MIN: u16 = 3;
/// Lines of the screen that stay free above and below a menu, with its border.
const LINES_AROUND: u16 = 6;
/// Cells of the screen that stay free beside a menu, with its border.
const CELLS_BESIDE: u16 = 8;
/// Cells between the two parts of a line.
const GAP: u16 = 2;

/// A menu as it is drawn.
#[derive(Debug)]
pub struct MenuView {
    /// What stands at its top.
    pub title: String,
    /// Every line.
    pub lines: Vec<MenuLine>,
    /// The first line on the screen.
    pub first: usize,
    /// The line of the cursor.
    pub selected: usize,
    /// Cells of the widest label.
    pub label_width: u16,
    /// Cells of its inside: columns, rows.
    pub size: (u16, u16),
    /// Whether the second part of a line is what it is known by.
    pub is_palette: bool,
}

impl MenuView {
    /// The first cell of the line of the cursor on a screen of `screen`.
    pub(in crate::app) fn cursor_cell(&self, screen: (u16, u16)) -> Position {
        let inside = self.inside(screen);
        Position::new(inside.x, inside.y + u16::try_from(self.selected - self.first).unwrap_or(0))
    }

    /// Where its inside is on a screen of `screen`.
    fn inside(&self, screen: (u16, u16)) -> Rect {
        popup(Rect::new(0, 0, screen.0, screen.1), self.size.0, self.size.1).inside
    }
}

impl App {
    /// Opens a menu with the cursor on `line`.
    pub(in crate::app) fn open_menu(&mut self, choice: MenuChoice, line: usize) {
        let menu = Menu { choice, line, scroll: Scroll::default() };
        let len = self.menu_lines(&menu).len();
        self.mode = Mode::Menu(menu);
        self.reveal_menu_line(line, len);
    }

    /// Opens the list of the actions that work here.
    pub(in crate::app) fn open_palette(&mut self) {
        self.open_menu(MenuChoice::Action { typed: String::new() }, 0);
    }

    /// The menu that is open, as it is drawn.
    pub fn menu_view(&self, menu: &Menu) -> MenuView {
        let title = self.config.settings.keymap.fill(&title(menu));
        let lines = self.menu_lines(menu);
        // What is typed makes the list shorter, not the window smaller.
        let widest =
            if let MenuChoice::Action { .. } = menu.choice { self.palette_menu_lines("") } else { lines.clone() };
        let most = |part: fn(&MenuLine) -> &str| widest.iter().map(|line| cells(part(line))).max().unwrap_or(0);
        let width = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
        let label_width = width(most(|line| &line.label));
        let wanted = label_width.saturating_add(GAP).saturating_add(width(most(|line| &line.about)));
        let wanted = wanted.max(width(cells(&title)).saturating_add(GAP));
        let height = match menu.choice {
            // What is chosen is seen above and below.
            MenuChoice::Columns => self.menu_height(widest.len()).min((self.config.size.1 / 3).max(CHOOSER_HEIGHT_MIN)),
            _ => self.menu_height(widest.len()),
        };
        let size = (wanted.min(self.config.size.0.saturating_sub(CELLS_BESIDE)), height);
        let extent = ScrollExtent { len: lines.len(), height: usize::from(size.1) };
        let mut scroll = menu.scroll;
        scroll.clamp(extent);
        scroll.reveal(menu.line, extent);
        let is_palette = matches!(menu.choice, MenuChoice::Action { .. });
        MenuView { title, lines, first: scroll.first(), selected: menu.line, label_width, size, is_palette }
    }

    fn menu_height(&self, len: usize) -> u16 {
        u16::try_from(len).unwrap_or(u16::MAX).min(self.config.size.1.saturating_sub(LINES_AROUND))
    }

    fn menu_lines(&self, menu: &Menu) -> Vec<MenuLine> {
        match &menu.choice {
            MenuChoice::Column => self.column_lines(),
            MenuChoice::Folding => {
                let line = |row: &FoldingRow| MenuLine {
                    label: row.name.to_owned(),
                    about: row.about.to_owned(),
                    ..MenuLine::default()
                };
                FOLDINGS.iter().map(line).collect()
            }
            MenuChoice::Owner { owners, .. } => owners
                .iter()
                .map(|process| MenuLine {
                    label: format!("{:>7}  {}", process.id.pid, process.name),
                    about: process.command.to_string(),
                    ..MenuLine::default()
                })
                .collect(),
            MenuChoice::Socket(sockets) => sockets.iter().map(|socket| socket.line.clone()).collect(),
            MenuChoice::Signal { .. } | MenuChoice::SignalToAll(_) => SIGNALS
                .iter()
                .map(|row| MenuLine { label: row.name.to_owned(), about: row.about.to_owned(), ..MenuLine::default() })
                .collect(),
            MenuChoice::Text(texts) => texts.clone(),
            MenuChoice::Lines(texts) => texts.iter().map(several_lines).collect(),
            MenuChoice::Theme => self.theme_lines(),
            MenuChoice::Action { typed } => self.palette_menu_lines(typed),
            MenuChoice::Columns => self.column_chooser_lines(),
        }
    }

    fn column_lines(&self) -> Vec<MenuLine> {
        let Some(table) = self.panel().table() else { return Vec::new() };
        let sort = table.sort();
        let line = |(index, head): (usize, &ColumnHead)| {
            let mark = if sort.column == index { arrow(sort.order) } else { ' ' };
            MenuLine { label: format!("{mark} {}", head.key), about: head.about.to_owned(), ..MenuLine::default() }
        };
        table.columns().heads().iter().enumerate().map(line).collect()
    }

    /// Adds to what is typed to find an action.
    pub(in crate::app) fn type_into_palette(&mut self, text: &str) {
        self.change_palette(|typed| {
            for character in text.chars().filter(|character| !character.is_control()) {
                if typed.len() + character.len_utf8() <= TYPED_LEN_MAX {
                    typed.push(character);
                }
            }
        });
    }

    /// Takes the last letter away from what is typed to find an action.
    pub(in crate::app) fn erase_palette(&mut self) {
        self.change_palette(|typed| {
            typed.pop();
        });
    }

    fn change_palette(&mut self, change: impl FnOnce(&mut String)) {
        if let Mode::Menu(Menu { choice: MenuChoice::Action { typed }, line, scroll }) = &mut self.mode {
            change(typed);
            (*line, *scroll) = (0, Scroll::default());
            self.dirty = true;
        }
    }

    /// Moves the cursor of the menu; past one end comes the other.
    pub(in crate::app) fn move_in_menu(&mut self, motion: Motion) {
        let Mode::Menu(menu) = &self.mode else { return };
        let len = self.menu_lines(menu).len();
        let (line, last) = (menu.line, len.saturating_sub(1));
        let line = match motion {
            Motion::Up => line.checked_sub(1).unwrap_or(last),
            Motion::Down if line >= last => 0,
            Motion::Down => line + 1,
            Motion::First | Motion::PageUp => 0,
            Motion::Last | Motion::PageDown => last,
        };
        self.reveal_menu_line(line, len);
    }

    fn reveal_menu_line(&mut self, to: usize, len: usize) {
        let extent = ScrollExtent { len, height: usize::from(self.menu_height(len)) };
        if let Mode::Menu(Menu { line, scroll, .. }) = &mut self.mode {
            *line = to;
            scroll.clamp(extent);
            scroll.reveal(to, extent);
        }
    }

    /// `at` was clicked: puts the cursor on that line; answers whether it was there before, so that it is to be chosen.
    pub(in crate::app) fn click_menu(&mut self, at: Position) -> bool {
        let Mode::Menu(menu) = &self.mode else { return false };
        let view = self.menu_view(menu);
        let inside = view.inside(self.config.size);
        let line = view.first + usize::from(at.y.saturating_sub(inside.y));
        if !inside.contains(at) || line >= view.lines.len() {
            return false;
        }
        self.reveal_menu_line(line, view.lines.len());
        line == view.selected
    }

    /// Takes the line under the cursor of the menu that is open.
    pub(in crate::app) fn choose(&mut self) -> Vec<Effect> {
        let Mode::Menu(Menu { choice, line, .. }) = std::mem::take(&mut self.mode) else { return Vec::new() };
        match choice {
            MenuChoice::Column => self.sort_by_or_invert(line),
            // Its lines are changed, not chosen.
            MenuChoice::Columns => {}
            MenuChoice::Folding => {
                if let Some(row) = FOLDINGS.get(line) {
                    self.fold_by(row.folding);
                }
            }
            MenuChoice::Owner { owners, holding } => {
                if let Some(process) = owners.into_iter().nth(line) {
                    self.open_signal_menu(process, holding);
                }
            }
            MenuChoice::Socket(sockets) => {
                if let Some(socket) = sockets.get(line) {
                    self.ask_to_close_socket(socket.id);
                }
            }
            MenuChoice::Signal { process, holding } => {
                if let Some(row) = SIGNALS.get(line) {
                    self.ask_to_confirm(process, row.signal, holding);
                }
            }
            MenuChoice::SignalToAll(processes) => {
                if let Some(row) = SIGNALS.get(line) {
                    self.ask_to_signal_all(processes, row.signal);
                }
            }
            MenuChoice::Lines(texts) => {
                return texts.get(line).map_or_else(Vec::new, |text| self.copy_lines(text));
            }
            MenuChoice::Text(texts) => return texts.get(line).map_or_else(Vec::new, |text| self.copy(text)),
            MenuChoice::Theme => self.choose_theme(line),
            MenuChoice::Action { typed } => {
                return self.run_palette_line(&typed, line);
            }
        }
        Vec::new()
    }
}

/// The first of several lines, and how many there are.
fn several_lines(text: &MenuLines) -> MenuLine {
    let first = text.lines.first().map_or("", String::as_str);
    let more = text.lines.len().saturating_sub(1);
    let about = if more > 0 { format!("{} more, and {first}", units::count(more as u64)) } else { first.to_owned() };
    MenuLine { label: text.label.clone(), about, ..MenuLine::default() }
}

fn title(menu: &Menu) -> String {
    match &menu.choice {
        MenuChoice::Folding => "Fold the connections by".to_owned(),
        MenuChoice::Columns => "Columns · what is changed is seen at once".to_owned(),
        MenuChoice::Column => "Sort by · ‹choose› again reverses the sort".to_owned(),
        MenuChoice::Owner { .. } => "Several processes: which one?".to_owned(),
        MenuChoice::Socket(_) => "Several sockets: which one?".to_owned(),
        MenuChoice::Signal { process, .. } => format!("Signal to {process}"),
        MenuChoice::SignalToAll(processes) => {
            format!("Signal to {}", units::counted(processes.len() as u64, "process"))
        }
        MenuChoice::Text(_) => "Copy to the clipboard".to_owned(),
        MenuChoice::Lines(_) => "Copy of all tagged rows".to_owned(),
        MenuChoice::Theme => "Theme · the screen shows the one under the cursor".to_owned(),
        MenuChoice::Action { typed } if typed.is_empty() => {
            "Everything that can be done here · type to find it".to_owned()
        }
        MenuChoice::Action { typed } => format!("Everything that can be done here · {typed}"),
    }
}
