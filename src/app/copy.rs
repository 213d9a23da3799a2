//! What `y` puts on the clipboard: the selected line, as text.

use crate::app::App;
use crate::app::effect::Effect;
use crate::app::mode::Page;
use crate::app::notice::Tone;
use crate::app::tab::Tab;
use crate::model::text::DisplayText;
use crate::store::Store;
use crate::table::column::{Column, default_columns};
use crate::table::connections::COLUMNS;

impl App {
    pub(super) fn copy(&mut self) -> Vec<Effect> {
        let Some(text) = self.selected_text() else {
            return self.say(Tone::Plain, "there is no row to copy");
        };
        self.say(Tone::Good, "copied");
        vec![Effect::Copy(DisplayText::new(&text))]
    }

    fn selected_text(&self) -> Option<String> {
        match (&self.page, self.tab) {
            (Page::Detail(detail), _) => Some(line(COLUMNS, detail.row.as_ref()?, &self.store)),
            (Page::Tab, Tab::Connections) => {
                let index = self.store.rows().find(self.tables.connections.cursor.key()?)?;
                Some(line(COLUMNS, self.store.rows().get(index)?, &self.store))
            }
            (Page::Tab, Tab::Findings) => Some(self.findings.selected()?.sentence.clone()),
            (Page::Tab, Tab::Log) => self.log_selected().map(|entry| self.log_text(entry)),
            (Page::Tab, tab) => {
                let table = self.tables.group(tab)?;
                Some(line(table.columns.all, table.selected()?, &self.store))
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
