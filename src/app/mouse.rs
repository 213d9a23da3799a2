//! The mouse: a click selects, sorts or shows a tab; the wheel scrolls. Nothing needs it.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use crate::app::App;
use crate::app::action::Motion;
use crate::app::effect::Effect;
use crate::app::layout::tab_places;
use crate::app::mode::{Mode, Page};
use crate::app::states::areas;
use crate::app::tab::Tab;

/// Lines that one notch of the wheel moves.
const WHEEL_LINES: isize = 3;

impl App {
    pub(super) fn on_mouse(&mut self, event: MouseEvent) -> Vec<Effect> {
        let at = Position::new(event.column, event.row);
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => self.click(at),
            MouseEventKind::ScrollDown => self.wheel(WHEEL_LINES),
            MouseEventKind::ScrollUp => self.wheel(-WHEEL_LINES),
            _ => {}
        }
        Vec::new()
    }

    fn click(&mut self, at: Position) {
        let (Mode::Normal, Some(layout)) = (&self.mode, self.layout()) else { return };
        if layout.tabs.contains(at) {
            let places = tab_places(layout.tabs.width, self.title_width(), self.tab);
            let hit = places.iter().find(|place| (place.x..place.x + place.width).contains(&at.x));
            if let Some(place) = hit {
                self.dirty = true;
                self.show(place.tab);
            }
        } else if !matches!(self.page, Page::Tab) {
            // The detail view has nothing to click.
        } else if layout.columns.contains(at) {
            if let Some(column) = self.column_at(at.x) {
                self.dirty = true;
                self.sort_by_or_invert(column);
            }
        } else if layout.body.contains(at) {
            let body = self.list_area(layout.body);
            if body.contains(at) {
                self.click_row(body, at);
            }
        }
    }

    /// The column whose heading is at `x`.
    fn column_at(&self, x: u16) -> Option<usize> {
        let shown = self.tables.shown(self.tab, self.config.size.0);
        // The gap after a column is its own.
        shown.iter().rev().find(|place| place.x <= x).map(|place| place.index)
    }

    /// A click selects a row, a click on the selected row opens it.
    fn click_row(&mut self, body: Rect, at: Position) {
        let (height, row) = (usize::from(body.height), usize::from(at.y - body.y));
        self.dirty = true;
        let reopened = match self.tables.group_mut(self.tab) {
            Some(table) => table.with_lines(height, |cursor, lines| cursor.click(row, lines)),
            None if self.tab == Tab::Connections => {
                self.tables.connections.with_lines(&self.store, height, |cursor, lines| cursor.click(row, lines))
            }
            None if self.tab == Tab::Findings => {
                self.findings.with_lines(height, |cursor, lines| cursor.click(row, lines))
            }
            None if self.tab == Tab::States => self.click_state(body, at),
            None => false,
        };
        if reopened {
            self.open();
        }
    }

    fn click_state(&mut self, body: Rect, at: Position) -> bool {
        let list = areas(body).list;
        if !list.contains(at) {
            return false;
        }
        let line = self.states.offset(usize::from(list.height)) + usize::from(at.y - list.y);
        std::mem::replace(&mut self.states.line, line) == line
    }

    fn wheel(&mut self, by: isize) {
        let height = self.body_height();
        if matches!(self.mode, Mode::Confirm(_) | Mode::ConfirmClose(_)) {
            return;
        }
        self.dirty = true;
        if !matches!((&self.mode, &self.page), (Mode::Normal | Mode::Filter(_), Page::Tab))
            || matches!(self.tab, Tab::States | Tab::Findings)
        {
            (0..by.abs()).for_each(|_| self.go(if by > 0 { Motion::Down } else { Motion::Up }));
            return;
        }
        match self.tables.group_mut(self.tab) {
            Some(table) => table.with_lines(height, |cursor, lines| cursor.scroll(by, lines)),
            None if self.tab == Tab::Log => self.with_log_lines(|cursor, lines| cursor.scroll(by, lines)),
            None => {
                self.tables.connections.with_lines(&self.store, height, |cursor, lines| cursor.scroll(by, lines));
            }
        }
    }
}
