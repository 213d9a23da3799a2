//! The mouse: a click selects, sorts or shows a tab; the wheel scrolls. Nothing needs it.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use crate::app::App;
use crate::app::action::Motion;
use crate::app::effect::Effect;
use crate::app::layout::tab_places;
use crate::app::mode::{Mode, Page};

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
            self.click_row(at);
        }
    }

    /// The column whose heading is at `x`.
    fn column_at(&self, x: u16) -> Option<usize> {
        let shown = self.panel().table()?.columns().shown(self.config.size.0);
        // The gap after a column is its own.
        shown.iter().rev().find(|place| place.x <= x).map(|place| place.index)
    }

    /// A click selects a row, a click on the selected row opens it.
    fn click_row(&mut self, at: Position) {
        self.dirty = true;
        if self.change_panel(|panel, context| panel.click(at, context)) {
            self.open();
        }
    }

    fn wheel(&mut self, by: isize) {
        if self.mode.is_dialog() {
            return;
        }
        self.dirty = true;
        match (&self.mode, &self.page) {
            (Mode::Normal | Mode::Filter(_), Page::Tab) => self.change_panel(|panel, context| panel.wheel(by, context)),
            _ => (0..by.abs()).for_each(|_| self.go(if by > 0 { Motion::Down } else { Motion::Up })),
        }
    }
}
