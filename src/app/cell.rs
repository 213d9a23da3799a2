//! Filters from the cell under the cursor: only this, not this.

use crate::app::App;
use crate::app::notice::NoticeLevel;
use crate::table::filter::Filter;

impl App {
    /// Chooses the cell `by` places to the right in the row under the cursor, which is picked by that.
    pub(super) fn step_cell(&mut self, by: isize) {
        let width = self.table_width();
        self.change_panel(|panel, _| {
            panel.pick();
            if let Some(table) = panel.table_mut() {
                table.columns_mut().step_cell(width, by);
            }
        });
    }

    /// Leaves the rows that have the value of the chosen cell: its term is added to the filter in force.
    pub(super) fn only_this(&mut self) {
        self.narrow(str::to_owned);
    }

    /// Leaves the rows that have another value in the chosen column.
    pub(super) fn not_this(&mut self) {
        self.narrow(Filter::negated);
    }

    fn narrow(&mut self, write: impl Fn(&str) -> String) {
        let term = self.change_panel(|panel, context| {
            panel.pick();
            panel.cell_term(context)
        });
        match term {
            Ok(term) => self.narrow_by(&write(&term)),
            Err(why) => drop(self.say(NoticeLevel::Plain, why.as_str())),
        }
    }

    /// Leaves the rows that pass `term` as well as the filter in force.
    pub(super) fn narrow_by(&mut self, term: &str) {
        match self.narrowed(term) {
            Err(why) => drop(self.say(NoticeLevel::Plain, why.as_str())),
            Ok(text) => {
                self.filters.push(&text);
                self.apply_filter(&text);
            }
        }
    }

    /// The filter in force with `term` added; an error is a sentence that says why it cannot be.
    fn narrowed(&self, term: &str) -> Result<String, String> {
        let before = self.panels.connections.view.filter();
        let text = before.text().trim();
        if text == term || text.ends_with(&format!(" {term}")) {
            return Err(format!("the filter says {term} already; Esc removes the filter"));
        }
        let text = before.narrowed_by(term);
        Filter::parse(&text).map(|_| text).map_err(|error| error.message)
    }
}
