//! The tab States: counts per state over time, and what each state means.

use ratatui::layout::Position;

use crate::app::action::Motion;
use crate::app::panels::{Opened, Panel, PanelContext, PanelFace, PanelParts};
use crate::app::selection::Selected;
use crate::app::states::{BY_INTEREST, StateLine, areas};
use crate::store::history::trend::Span;

/// What the tab has around its panel.
pub const PARTS: PanelParts = PanelParts { columns: false, summary: false, states: false, log: false };

/// The states as a list, and the chart of the selected one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatesPanel {
    /// The selected line of [`BY_INTEREST`]: the state whose chart and meaning are shown.
    pub line: usize,
    /// How far back the charts go.
    pub span: Span,
}

impl StatesPanel {
    /// The selected state.
    pub fn state(&self) -> StateLine {
        BY_INTEREST[self.line.min(BY_INTEREST.len() - 1)]
    }

    /// The first line on the screen of a list that is `height` lines high.
    pub fn offset(&self, height: usize) -> usize {
        (self.line + 1).saturating_sub(height.max(1))
    }

    fn move_by(&mut self, motion: Motion) {
        let last = BY_INTEREST.len() - 1;
        self.line = match motion {
            Motion::Up => self.line.saturating_sub(1),
            Motion::Down => (self.line + 1).min(last),
            Motion::PageUp | Motion::First => 0,
            Motion::PageDown | Motion::Last => last,
        };
    }
}

impl Panel for StatesPanel {
    fn face(&self) -> PanelFace<'_> {
        PanelFace::States(self)
    }

    fn title(&self, _context: &PanelContext<'_>) -> String {
        self.span.label().to_owned()
    }

    fn selected(&self) -> Selected {
        Selected::State(self.state())
    }

    /// The list never changes, so that the cursor is where the user put it.
    fn is_picked(&self) -> bool {
        true
    }

    fn pick(&mut self) {}

    fn go(&mut self, motion: Motion, _context: &PanelContext<'_>) {
        self.move_by(motion);
    }

    fn click(&mut self, at: Position, context: &PanelContext<'_>) -> bool {
        let Some(list) = context.body.map(|body| areas(body).list).filter(|list| list.contains(at)) else {
            return false;
        };
        let line = self.offset(usize::from(list.height)) + usize::from(at.y - list.y);
        std::mem::replace(&mut self.line, line) == line
    }

    fn open(&self, _context: &PanelContext<'_>) -> Opened {
        Opened::Filtered(match self.state() {
            StateLine::Tcp(state) => format!("proto:tcp state:{}", state.row().label),
            StateLine::Udp => "proto:udp".to_owned(),
        })
    }

    fn refresh(&mut self, _context: &PanelContext<'_>) {}

    fn next_span(&mut self) {
        self.span = self.span.next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_state_is_in_sight() {
        let mut panel = StatesPanel::default();
        panel.move_by(Motion::Up);
        assert_eq!((panel.line, panel.offset(7)), (0, 0));
        panel.move_by(Motion::Last);
        panel.move_by(Motion::Down);
        assert_eq!((panel.line, panel.offset(7), panel.offset(12)), (11, 5, 0));
        assert_eq!(panel.state(), StateLine::Udp);
    }
}
