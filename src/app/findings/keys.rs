//! Keys in the findings tab: the list moves by lines, the text of the selected finding by pages.

use ratatui::layout::Rect;

use crate::app::App;
use crate::app::action::Motion;
use crate::app::findings::{columns, panes};
use crate::app::notice::Tone;
use crate::app::prose::longest;
use crate::app::scroll::{ScrollExtent, page_lines};
use crate::app::tab::Tab;

impl App {
    /// The part of `body` in which a click selects a line.
    pub(in crate::app) fn list_area(&self, body: Rect) -> Rect {
        if self.tab == Tab::Findings { panes(body, self.findings.len()).list } else { body }
    }

    /// Brings the selection among the findings up to date.
    pub(in crate::app) fn refresh_findings(&mut self) {
        if self.tab == Tab::Findings {
            let height = self.findings_height();
            self.findings.refresh(height);
        }
    }

    /// Lines of the list on the screen.
    fn findings_height(&self) -> usize {
        self.layout().map_or(1, |layout| usize::from(panes(layout.body, self.findings.len()).list.height))
    }

    pub(in crate::app) fn go_in_findings(&mut self, motion: Motion) {
        let height = self.findings_height();
        if !matches!(motion, Motion::PageUp | Motion::PageDown) {
            return self.findings.with_lines(height, |cursor, lines| cursor.go(motion, lines));
        }
        let Some(layout) = self.layout() else { return };
        let room = usize::from(panes(layout.body, self.findings.len()).text.height);
        let len = longest(&columns(self, layout.body.width));
        self.findings.scroll.go(motion, page_lines(room), ScrollExtent { len, height: room });
    }

    /// Shows the sockets that the selected finding is about.
    pub(in crate::app) fn open_finding(&mut self) {
        self.choose_selected();
        let Some(finding) = self.findings.selected() else { return };
        let filter = finding.filter.clone();
        if filter.is_empty() {
            self.say(Tone::Plain, "this finding is not about single sockets; e says what it means");
            return;
        }
        self.enter(&filter, self.way_back());
    }
}
