//! The filter line: typed with a live preview, kept by Enter, undone by Esc.

use crate::app::App;
use crate::app::action::Edit;
use crate::app::filter_edit::{FilterEdit, FilterPreview, LinePurpose, WordLeftOut};
use crate::app::input::InputLine;
use crate::app::mode::Mode;
use crate::app::notice::NoticeLevel;
use crate::app::tabs::Tab;
use crate::store::Store;
use crate::store::row::RowIndex;
use crate::table::filter::Filter;
use crate::table::filter::complete::FilterCompletion;

/// A pass over the rows that asks whether anything passes a filter that is being typed.
#[derive(Debug)]
pub(super) struct FilterTrial {
    filter: Filter,
    /// What is shown if nothing passes.
    rest: Option<Filter>,
    /// The next row to look at.
    next: RowIndex,
}

impl FilterTrial {
    /// Whether anything passes, once that is known; a row looked at is a step.
    fn advance(&mut self, store: &Store, steps: &mut usize) -> Option<bool> {
        while *steps > 0 {
            *steps -= 1;
            let Some((index, row)) = store.rows().first_from(self.next) else { return Some(false) };
            if self.filter.matches(row, store) {
                return Some(true);
            }
            self.next = RowIndex(index.0 + 1);
        }
        None
    }
}

impl App {
    /// Opens the filter line. Filters speak of connections, alone or in groups, or of what happened to them: on a tab with neither,
    /// the connections are shown.
    pub(super) fn edit_filter(&mut self) {
        if self.panel().filter().is_none() && self.panel().own_filter().is_none() {
            self.show(Tab::SOCKETS);
        }
        let before = self.edited_filter().text().to_owned();
        self.mode = Mode::Filter(FilterEdit::new(&before));
        self.refresh_panel();
    }

    pub(super) fn type_into_filter(&mut self, text: &str) {
        if let Mode::Filter(edit) = &mut self.mode {
            edit.insert(text, &self.store, &self.config.settings.filters);
            self.preview_filter();
        }
    }

    pub(super) fn change_filter_line(&mut self, change: Edit) {
        if let Mode::Filter(edit) = &mut self.mode {
            edit.edit(change, &self.filters, &self.store, &self.config.settings.filters);
            self.preview_filter();
        }
    }

    /// Puts what fits at the cursor into the line, the next (`by` 1) or the one before (`by` -1).
    pub(super) fn complete_filter(&mut self, by: isize) {
        if let Mode::Filter(edit) = &mut self.mode {
            edit.complete(by, &self.store, &self.config.settings.filters);
            self.preview_filter();
        }
    }

    /// Shows what the line writes, as far as it is finished.
    fn preview_filter(&mut self) {
        let Mode::Filter(edit) = &mut self.mode else { return };
        self.dirty = true;
        self.work.filter_trial = None;
        match edit.preview(&self.config.settings.filters) {
            FilterPreview::Nothing => {}
            FilterPreview::Show(filter) => self.put_in_force(filter),
            // What a tab filters by itself are no connections, which the trial looks at.
            FilterPreview::Try(filter, _) if self.panel().own_filter().is_some() => self.put_in_force(filter),
            FilterPreview::Try(filter, rest) => {
                if filter.text() != self.edited_filter().text() {
                    self.work.filter_trial = Some(FilterTrial { filter, rest, next: RowIndex(0) });
                }
            }
        }
    }

    /// Goes on with the trial of what is typed.
    pub(super) fn try_filter(&mut self, steps: &mut usize) {
        let Some(mut trial) = self.work.filter_trial.take() else { return };
        let Mode::Filter(edit) = &mut self.mode else { return };
        match trial.advance(&self.store, steps) {
            None => self.work.filter_trial = Some(trial),
            Some(true) => self.put_in_force(trial.filter),
            Some(false) => {
                edit.left_out = Some(WordLeftOut::NothingPasses);
                self.dirty = true;
                if let Some(rest) = trial.rest {
                    self.put_in_force(rest);
                }
            }
        }
    }

    fn put_in_force(&mut self, filter: Filter) {
        self.dirty = true;
        self.start_edited_filter(filter);
    }

    /// Keeps what is typed; what cannot be understood stays open with its error.
    pub(super) fn accept_filter(&mut self) {
        self.work.filter_trial = None;
        let Mode::Filter(mut edit) = std::mem::take(&mut self.mode) else { return };
        if let LinePurpose::Name { filter } = &edit.purpose {
            return self.keep_filter(edit.line.text().trim(), &filter.clone());
        }
        match self.config.settings.filters.parse(edit.line.text().trim()) {
            Ok(filter) => {
                self.entered_from = None;
                self.filters.push(edit.line.text().trim());
                self.put_in_force(filter);
                self.refresh_panel();
            }
            Err(error) => {
                (edit.error, edit.left_out) = (Some(error), None);
                edit.completion = FilterCompletion::default();
                self.mode = Mode::Filter(edit);
            }
        }
    }

    /// Asks under which name the filter in the line, or else the one in force, is to be saved.
    pub(super) fn ask_for_filter_name(&mut self) {
        let text = match &self.mode {
            Mode::Filter(edit) if edit.is_filter() => edit.line.text().trim().to_owned(),
            Mode::Filter(_) => return,
            _ => self.edited_filter().text().trim().to_owned(),
        };
        let before = self.edited_filter().text().to_owned();
        match self.config.settings.filters.parse(&text) {
            Ok(filter) if filter.is_empty() => {
                self.say(NoticeLevel::Plain, "there is no filter to save; write one first");
            }
            Ok(filter) => {
                let purpose = LinePurpose::Name { filter: filter.text().to_owned() };
                self.mode =
                    Mode::Filter(FilterEdit { line: InputLine::default(), purpose, ..FilterEdit::new(&before) });
                self.put_in_force(filter);
            }
            Err(error) => {
                if let Mode::Filter(edit) = &mut self.mode {
                    (edit.error, edit.left_out) = (Some(error), None);
                }
            }
        }
    }

    /// Keeps the filter `text` as `name`, until conntop ends or the configuration is saved.
    fn keep_filter(&mut self, name: &str, text: &str) {
        match self.config.settings.filters.save(name, text) {
            Ok(()) => {
                let keys = self.key_of("save-config");
                let how = keys.map_or_else(String::new, |key| format!("; {key} saves it to the configuration"));
                self.say(NoticeLevel::Good, format!("@{name} is this filter from now on{how}").as_str());
            }
            Err(why) => {
                self.say(NoticeLevel::Bad, why.as_str());
            }
        }
        self.refresh_panel();
    }

    pub(super) fn cancel_filter(&mut self, edit: &FilterEdit) {
        self.work.filter_trial = None;
        // A name that is not given changes no filter.
        self.put_edited_filter(&edit.before);
    }

    /// Shows the connections that pass the filter `text`, which must parse, as if it had been typed.
    pub(super) fn filter_by(&mut self, text: &str) {
        if self.panel().filter().is_none() {
            self.show(Tab::SOCKETS);
        }
        self.entered_from = None;
        self.filters.push(text);
        self.apply_filter(text);
    }

    /// Puts the filter `text`, which must parse, in force.
    pub(super) fn apply_filter(&mut self, text: &str) {
        match Filter::parse(text) {
            Ok(filter) if filter.text() == self.panels.connections.view.filter().text() => {}
            Ok(filter) => self.panels.connections.view.start_filter(filter),
            Err(error) => drop(self.say(NoticeLevel::Bad, error.message.as_str())),
        }
        self.refresh_panel();
    }
}
