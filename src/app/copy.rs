//! What `y` puts on the clipboard: the selected line, as text.

use crate::app::App;
use crate::app::effect::Effect;
use crate::app::notice::NoticeLevel;
use crate::app::panels::log;
use crate::app::selection::Selected;
use crate::model::text::DisplayText;
use crate::store::Store;
use crate::table::column::{Column, default_columns};
use crate::table::connections::COLUMNS;

impl App {
    pub(super) fn copy(&mut self) -> Vec<Effect> {
        let Some(text) = self.line_of(self.selected()) else {
            return self.say(NoticeLevel::Plain, "there is no row to copy");
        };
        self.say(NoticeLevel::Good, "copied");
        vec![Effect::Copy(DisplayText::new(&text))]
    }

    /// One line of text that says what `selection` is; `None` where it is gone or has no line.
    fn line_of(&self, selection: Selected) -> Option<String> {
        match selection {
            Selected::None | Selected::State(_) => None,
            Selected::Socket(id) => Some(line(COLUMNS, self.seen_row(id)?, &self.store)),
            Selected::Group(key) => {
                let table = self.panels.of_group(key);
                Some(line(table.columns.all, table.get(key)?, &self.store))
            }
            Selected::Finding(key) => Some(self.panels.findings.get(key)?.sentence.clone()),
            Selected::LogLine(number) => {
                log::entry(&self.store, number).map(|entry| log::entry_text(entry, &self.panel_context()))
            }
        }
    }
}

/// The cells of the columns that are shown by default, blank ones left out.
fn line<R>(columns: &'static [Column<R>], row: &R, store: &Store) -> String {
    let shown = default_columns(columns).into_iter();
    let cells = shown.map(|column| (columns[column].value)(row, store).text().into_owned());
    cells.filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("  ")
}
