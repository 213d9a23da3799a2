//! The filter line: typed with a live preview, kept by Enter, undone by Esc.

use crate::app::App;
use crate::app::action::Edit;
use crate::app::input::InputLine;
use crate::app::mode::{FilterEdit, Mode};
use crate::app::tabs::Tab;
use crate::table::filter::Filter;

impl App {
    /// Opens the filter line. Filters speak of connections, alone or in groups, or of what happened to them: on a tab with neither,
    /// the connections are shown.
    pub(super) fn edit_filter(&mut self) {
        if self.panel().filter().is_none() && self.panel().own_filter().is_none() {
            self.show(Tab::SOCKETS);
        }
        let before = self.edited_filter().text().to_owned();
        self.mode = Mode::Filter(FilterEdit { line: InputLine::new(&before), before, error: None });
        self.refresh_panel();
    }

    pub(super) fn type_into_filter(&mut self, text: &str) {
        if let Mode::Filter(edit) = &mut self.mode {
            edit.line.insert(text);
            self.preview_filter();
        }
    }

    pub(super) fn change_filter_line(&mut self, change: Edit) {
        if let Mode::Filter(edit) = &mut self.mode {
            edit.line.edit(change, &self.filters);
            self.preview_filter();
        }
    }

    /// What is typed is in force as far as it can be understood.
    fn preview_filter(&mut self) {
        let Mode::Filter(edit) = &mut self.mode else { return };
        self.dirty = true;
        match Filter::parse(edit.line.text()) {
            Ok(filter) => {
                edit.error = None;
                self.start_edited_filter(filter);
            }
            Err(error) => edit.error = Some(error),
        }
    }

    /// Keeps the filter; one that cannot be understood stays open with its error.
    pub(super) fn accept_filter(&mut self) {
        match std::mem::take(&mut self.mode) {
            Mode::Filter(edit) if edit.error.is_none() => {
                self.entered_from = None;
                self.filters.push(edit.line.text().trim());
                self.put_edited_filter(edit.line.text().trim());
            }
            other => self.mode = other,
        }
    }

    pub(super) fn cancel_filter(&mut self, before: &str) {
        self.put_edited_filter(before);
    }

    /// Puts the filter `text`, which must parse, in force.
    pub(super) fn apply_filter(&mut self, text: &str) {
        match Filter::parse(text) {
            Ok(filter) if filter.text() == self.panels.connections.view.filter().text() => {}
            Ok(filter) => self.panels.connections.view.start_filter(filter),
            Err(error) => drop(self.say(crate::app::notice::NoticeLevel::Bad, error.message.as_str())),
        }
        self.refresh_panel();
    }
}
