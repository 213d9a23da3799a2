//! The mouse: a click does what a key does, by the same row of the key table; the wheel scrolls. Nothing needs it.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use crate::app::App;
use crate::app::action::Motion;
use crate::app::click::ClickTarget;
use crate::app::effect::Effect;
use crate::app::keymap::{self, OPEN};
use crate::app::layout::{Layout, tab_places};
use crate::app::mode::{Mode, Page};
use crate::app::panels::{PanelContext, log};
use crate::app::tabs::Tab;
use crate::diagnosis::finding::FindingKey;

/// Lines that one notch of the wheel moves.
const WHEEL_LINES: isize = 3;

impl App {
    pub(super) fn on_mouse(&mut self, event: MouseEvent) -> Vec<Effect> {
        let at = Position::new(event.column, event.row);
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => return self.click(at),
            MouseEventKind::Drag(MouseButton::Left) if self.timeline.is_dragging => return self.drag_time(at.x),
            MouseEventKind::Up(_) => self.timeline.is_dragging = false,
            MouseEventKind::ScrollDown => self.wheel(at, WHEEL_LINES),
            MouseEventKind::ScrollUp => self.wheel(at, -WHEEL_LINES),
            _ => {}
        }
        Vec::new()
    }

    fn click(&mut self, at: Position) -> Vec<Effect> {
        let Some(layout) = self.layout() else { return Vec::new() };
        self.timeline.is_dragging = matches!(self.mode, Mode::Normal) && layout.time_bar.contains(at);
        if self.timeline.is_dragging {
            return self.drag_time(at.x);
        }
        if let Some(binding) = self.footer_binding_at(at) {
            return self.on_click(ClickTarget::Action(binding.action));
        }
        match self.mode {
            Mode::Normal => self.click_page(at, &layout),
            Mode::Menu(_) => {
                self.dirty = true;
                if self.click_menu(at) { self.choose() } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    }

    fn click_page(&mut self, at: Position, layout: &Layout) -> Vec<Effect> {
        if layout.tabs.contains(at) {
            let places = tab_places(layout.tabs.width, self.title_width(), self.tab);
            let hit = places.iter().find(|place| (place.x..place.x + place.width).contains(&at.x));
            return hit.map_or_else(Vec::new, |place| self.run(&place.tab.row().binding, None));
        }
        if layout.headline.contains(at) {
            self.click_headline(usize::from(at.y - layout.headline.y), usize::from(layout.headline.height));
            return Vec::new();
        }
        if matches!(self.page, Page::Detail(_)) {
            // The details have nothing to click.
            return Vec::new();
        }
        if layout.columns.contains(at) {
            self.click_heading(at.x);
        } else if layout.body.contains(at) {
            return self.click_row(at);
        } else if layout.log.contains(at) {
            self.click_log(at.y - layout.log.y);
        }
        Vec::new()
    }

    /// A click on a line about what is wrong shows the finding.
    fn click_headline(&mut self, line: usize, lines: usize) {
        self.dirty = true;
        match self.panels.findings.by_culprit(lines).get(line).map(|finding| finding.key) {
            Some(key) => self.show_finding(key),
            None => self.show(Tab::PROBLEMS),
        }
    }

    /// Shows the finding `key` in the tab of all of them.
    pub(super) fn show_finding(&mut self, key: FindingKey) {
        self.show(Tab::PROBLEMS);
        let body = self.layout().map(|layout| layout.body);
        let context = PanelContext { store: &self.store, config: &self.config, body };
        self.panels.findings.select(key, &context);
    }

    /// A click on the title of the log below a table shows all of it, one on an entry the connection.
    fn click_log(&mut self, line: u16) {
        let count = usize::from(line);
        self.dirty = true;
        match count.checked_sub(1) {
            None => self.show(Tab::CHANGES),
            Some(nth) => {
                let entry = log::below_table(&self.store, count).nth(nth);
                if let Some(id) = entry.map(|entry| entry.id) {
                    self.open_detail(id);
                }
            }
        }
    }

    /// A click on a heading does what the menu of columns does.
    fn click_heading(&mut self, x: u16) {
        let Some(table) = self.panel().table() else { return };
        let shown = table.columns().shown(self.table_width());
        // The gap after a column is its own.
        if let Some(place) = shown.iter().rev().find(|place| place.x <= x) {
            self.dirty = true;
            self.sort_by_or_invert(place.index);
        }
    }

    /// A click selects a row and the cell in it; a click on the selected cell of the selected row opens the row, and so does a
    /// double click.
    fn click_row(&mut self, at: Position) -> Vec<Effect> {
        self.dirty = true;
        let width = self.table_width();
        let is_to_open = self.change_panel(|panel, context| {
            let is_again = panel.click(at, context);
            let is_other_cell = panel.table_mut().is_some_and(|table| table.columns_mut().choose_cell_at(width, at.x));
            is_again && !is_other_cell
        });
        keymap::named(OPEN).filter(|_| is_to_open).map_or_else(Vec::new, |binding| self.run(binding, None))
    }

    /// Moves what is under the pointer; in a dialog about several targets their list.
    fn wheel(&mut self, at: Position, by: isize) {
        if self.mode.is_dialog() && !matches!(self.mode, Mode::ConfirmAll(_) | Mode::SaveConfig(_)) {
            return;
        }
        self.dirty = true;
        match (&self.mode, &self.page) {
            (Mode::Normal | Mode::Filter(_), Page::Tab) => {
                self.change_panel(|panel, context| panel.wheel_at(at, by, context));
            }
            _ => (0..by.abs()).for_each(|_| self.go(if by > 0 { Motion::Down } else { Motion::Up })),
        }
    }
}
