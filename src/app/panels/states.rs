//! The tab States: counts per state over time, and what each state means.

use ratatui::layout::{Position, Rect};

use crate::app::action::Motion;
use crate::app::panels::{OpenTarget, Panel, PanelContext, PanelParts};
use crate::app::scroll::{Scroll, ScrollExtent, ScrollPosition};
use crate::app::selection::Selected;
use crate::app::states::{BY_INTEREST, StateLine, states_layout};
use crate::store::history::trend::ChartSpan;

/// What the tab has around its panel.
pub const PARTS: PanelParts = PanelParts { columns: false, summary: false, states: false, log: false };

/// The states as a list, and the chart of the selected one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatesPanel {
    /// The selected line of [`BY_INTEREST`]: the state whose chart and meaning are shown.
    pub line: usize,
    /// How far back the charts go.
    pub span: ChartSpan,
    /// Which lines are on the screen.
    pub scroll: Scroll,
}

impl StatesPanel {
    /// The selected state.
    pub fn state(&self) -> StateLine {
        BY_INTEREST[self.line.min(BY_INTEREST.len() - 1)]
    }

    fn move_by(&mut self, motion: Motion, height: usize) {
        let last = BY_INTEREST.len() - 1;
        self.line = match motion {
            Motion::Up => self.line.saturating_sub(1),
            Motion::Down => (self.line + 1).min(last),
            Motion::PageUp | Motion::First => 0,
            Motion::PageDown | Motion::Last => last,
        };
        self.reveal(height);
    }

    /// Keeps the selected line among the `height` lines on the screen.
    fn reveal(&mut self, height: usize) {
        let extent = ScrollExtent { len: BY_INTEREST.len(), height };
        self.scroll.clamp(extent);
        self.scroll.reveal(self.line, extent);
    }
}

impl Panel for StatesPanel {
    fn title(&self, _context: &PanelContext<'_>) -> String {
        self.span.label().to_owned()
    }

    fn position(&self, context: &PanelContext<'_>) -> ScrollPosition {
        ScrollPosition::new(self.scroll, BY_INTEREST.len(), list_height(context))
    }

    fn list_area(&self, context: &PanelContext<'_>) -> Option<Rect> {
        context.body.map(|body| states_layout(body).list)
    }

    fn cursor_line(&self) -> Option<usize> {
        Some(self.line)
    }

    fn selected(&self) -> Selected {
        Selected::State(self.state())
    }

    /// The list never changes, so that the cursor is where the user put it.
    fn is_picked(&self) -> bool {
        true
    }

    fn pick(&mut self) {}

    fn go(&mut self, motion: Motion, context: &PanelContext<'_>) {
        self.move_by(motion, list_height(context));
    }

    fn click(&mut self, at: Position, context: &PanelContext<'_>) -> bool {
        let Some(list) = context.body.map(|body| states_layout(body).list).filter(|list| list.contains(at)) else {
            return false;
        };
        let line = (self.scroll.first() + usize::from(at.y - list.y)).min(BY_INTEREST.len() - 1);
        std::mem::replace(&mut self.line, line) == line
    }

    fn open(&self, _context: &PanelContext<'_>) -> OpenTarget {
        OpenTarget::Filtered(match self.state() {
            StateLine::Tcp(state) => format!("proto:tcp state:{}", state.row().label),
            StateLine::Udp => "proto:udp".to_owned(),
        })
    }

    fn refresh(&mut self, context: &PanelContext<'_>) {
        self.reveal(list_height(context));
    }

    fn next_span(&mut self) {
        self.span = self.span.next();
    }
}

/// Lines of the list on the screen.
fn list_height(context: &PanelContext<'_>) -> usize {
    context.body.map_or(1, |body| usize::from(states_layout(body).list.height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_state_is_in_sight() {
        let mut panel = StatesPanel::default();
        panel.move_by(Motion::Up, 7);
        assert_eq!((panel.line, panel.scroll.first()), (0, 0));
        panel.move_by(Motion::Last, 7);
        panel.move_by(Motion::Down, 7);
        assert_eq!((panel.line, panel.scroll.first()), (11, 5));
        panel.reveal(12);
        assert_eq!(panel.scroll.first(), 0);
        assert_eq!(panel.state(), StateLine::Udp);
    }
}
