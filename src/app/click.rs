//! What can be clicked beside rows, headings, tabs and keys: who draws a thing says what a click on it does, so that a click hits
//! what was on the screen. No click says yes to a dialog.

use ratatui::layout::{Position, Rect};

use crate::app::App;
use crate::app::effect::Effect;
use crate::app::keymap;
use crate::app::mode::{Mode, Page};
use crate::app::notice::NoticeLevel;
use crate::app::states::StateLine;
use crate::app::tabs::Tab;
use crate::diagnosis::rule::Rule;
use crate::table::cell_term::state_term;
use crate::table::filter::Filter;

/// What a click does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClickTarget {
    /// Leaves the sockets in this state.
    State(StateLine),
    /// Shows this tab.
    Tab(Tab),
    /// Does what the key of this action does.
    Action(&'static str),
    /// Shows the worst finding of these rules.
    Rules(&'static [Rule]),
    /// Lets the filter of the table on the screen be edited; where there is none, asks how the table is folded.
    Title,
    /// Takes the notice off.
    Notice,
    /// Says this.
    Says(&'static str),
}

/// Cells that can be clicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClickRegion {
    /// Where.
    pub area: Rect,
    /// What a click on one of them does.
    pub target: ClickTarget,
}

/// What is said where a yes to a dialog is clicked.
pub const NO_YES_BY_CLICK: &str = "a click is too easily made to say yes: press the key";

/// What is said where something of the page is clicked while something else is open.
const CLOSE_FIRST: &str = "close what is open first, with Esc";

/// What a click on `at` does; what was drawn last lies on top.
pub fn target_at(regions: &[ClickRegion], at: Position) -> Option<ClickTarget> {
    regions.iter().rev().find(|region| region.area.contains(at)).map(|region| region.target)
}

impl App {
    pub(super) fn on_click(&mut self, target: ClickTarget) -> Vec<Effect> {
        self.dirty = true;
        if let ClickTarget::Says(text) = target {
            return self.say(NoticeLevel::Plain, text);
        }
        if target == ClickTarget::Notice {
            self.notices.dismiss();
            return Vec::new();
        }
        if let ClickTarget::Action(action) = target {
            let scope = self.mode.scope(&self.page);
            let binding = keymap::named(action).filter(|binding| binding.on.scopes.contains(&scope));
            return match binding {
                Some(binding) if binding.confirms() => self.say(NoticeLevel::Plain, NO_YES_BY_CLICK),
                Some(binding) => self.run(binding, None),
                None => self.say(NoticeLevel::Plain, CLOSE_FIRST),
            };
        }
        // The others are of the page, over which nothing may lie.
        if !matches!(self.mode, Mode::Normal) {
            return self.say(NoticeLevel::Plain, CLOSE_FIRST);
        }
        self.click_page_target(target);
        Vec::new()
    }

    fn click_page_target(&mut self, target: ClickTarget) {
        match target {
            ClickTarget::State(line) => self.leave_state(line),
            ClickTarget::Tab(tab) => self.show(tab),
            ClickTarget::Rules(rules) => self.show_finding_of(rules),
            ClickTarget::Title => self.click_title(),
            ClickTarget::Action(_) | ClickTarget::Notice | ClickTarget::Says(_) => {}
        }
    }

    /// Leaves the sockets in the state of `line` among those that pass the filter.
    fn leave_state(&mut self, line: StateLine) {
        let term = match line {
            StateLine::Tcp(state) => format!("proto:tcp {}", state_term(state)),
            StateLine::Udp => "proto:udp".to_owned(),
        };
        if matches!(self.page, Page::Detail(_)) || self.panel().filter().is_none() {
            self.show(Tab::SOCKETS);
        }
        self.narrow_by(&term);
    }

    fn show_finding_of(&mut self, rules: &[Rule]) {
        let Some(key) = self.panels.findings.key_by_rule(rules) else {
            return drop(self.say(NoticeLevel::Plain, "nothing is wrong with this now; tab 6 lists what is"));
        };
        self.show_finding(key);
    }

    fn click_title(&mut self) {
        let has_filter = self.panel().filter().is_some_and(|filter: &Filter| !filter.is_empty());
        if matches!(self.page, Page::Detail(_)) {
            return drop(self.say(NoticeLevel::Plain, "these are the two ends of the connection; Esc leads back"));
        }
        if has_filter {
            self.edit_filter();
        } else if self.tab == Tab::SOCKETS {
            self.open_folding_menu();
        } else {
            self.say(NoticeLevel::Plain, "so many rows there are; / filters them");
        }
    }
}
