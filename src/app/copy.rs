//! What `y` offers for the clipboard: the selected row as text and JSON, its addresses, a filter, and ready-made commands.

mod commands;

use serde_json::{Map, Value as Json};

use crate::app::App;
use crate::app::copy::commands::CommandPlace;
use crate::app::effect::Effect;
use crate::app::menu::{MenuChoice, MenuLine, MenuLines};
use crate::app::notice::NoticeLevel;
use crate::app::panels::network::NetworkPanel;
use crate::app::panels::{OpenTarget, log};
use crate::app::selection::Selected;
use crate::app::tabs::Tab;
use crate::app::tags::Tag;
use crate::model::address_text::{local_end, remote_end};
use crate::model::quoting::shell_word;
use crate::model::text::DisplayText;
use crate::store::Store;
use crate::store::groups::{Group, GroupKey};
use crate::store::row::SocketRow;
use crate::table::column::{Column, default_columns};
use crate::table::connections::COLUMNS;
use crate::table::folded::FoldedLine;
use crate::table::folded::columns::FOLDED;
use crate::table::units;

/// What the command is called that lists what a row stands for.
const LIST_COMMAND: &str = "conntop";

impl App {
    /// Opens the menu of what can be copied of the selected row. The texts are those of this moment.
    pub(super) fn open_copy_menu(&mut self) {
        if self.has_tags_here() {
            return self.open_copy_menu_of_tagged();
        }
        let texts = self.copies_of(self.selected());
        if texts.is_empty() {
            self.say(NoticeLevel::Plain, "there is no row to copy");
        } else {
            self.open_menu(MenuChoice::Text(texts), 0);
        }
    }

    /// Opens the menu of what can be copied of all tagged rows: of each kind the texts of all of them, one a line.
    fn open_copy_menu_of_tagged(&mut self) {
        let mut tags: Vec<Tag> = self.tags_here().collect();
        tags.sort_unstable();
        let mut kinds: Vec<MenuLines> = Vec::new();
        for copy in tags.into_iter().flat_map(|tag| self.copies_of(Selected::from(tag))) {
            match kinds.iter_mut().find(|kind| kind.label == copy.label) {
                // That command is about the row under the cursor.
                _ if copy.label == LIST_COMMAND => {}
                Some(kind) if kind.lines.contains(&copy.about) => {}
                Some(kind) => kind.lines.push(copy.about),
                None => kinds.push(MenuLines { label: copy.label, lines: vec![copy.about] }),
            }
        }
        self.open_menu(MenuChoice::Lines(kinds), 0);
    }

    /// Puts the lines of `text` on the clipboard.
    pub(super) fn copy_lines(&mut self, text: &MenuLines) -> Vec<Effect> {
        let count = units::counted(text.lines.len() as u64, "line");
        self.say(NoticeLevel::Good, format!("copied: {} of the tagged rows, {count}", text.label).as_str());
        vec![Effect::CopyLines(text.lines.iter().map(|line| DisplayText::new(line)).collect())]
    }

    /// Puts `text` on the clipboard.
    pub(super) fn copy(&mut self, text: &MenuLine) -> Vec<Effect> {
        self.say(NoticeLevel::Good, format!("copied: {}", text.label).as_str());
        vec![Effect::Copy(DisplayText::new(&text.about))]
    }

    /// What can be copied of `selection`, each with what it is; none where it is gone or is no row.
    fn copies_of(&self, selection: Selected) -> Vec<MenuLine> {
        match selection {
            Selected::None | Selected::State(_) => Vec::new(),
            Selected::Network(shown) => NetworkPanel::copies(shown, &self.store).into_iter().collect(),
            Selected::Socket(id) => self.seen_row(id).map_or_else(Vec::new, |row| self.copies_of_socket(row)),
            Selected::Group(key) => {
                let table = self.panels.of_group(key);
                table.get(key).map_or_else(Vec::new, |group| self.copies_of_group(table.columns.all, group))
            }
            Selected::Finding(key) => {
                let sentence = self.panels.findings.get(key).map(|finding| line("sentence", finding.sentence.clone()));
                sentence.into_iter().chain(self.list_command()).collect()
            }
            Selected::Fold(key) => {
                let row = self.panels.connections.folded.view.row(key);
                row.map_or_else(Vec::new, |row| self.copies_of_fold(&FoldedLine::Row(Box::new(row.clone()))))
            }
            Selected::LogLine(number) => {
                let Some(shown) = self.panels.log.line(&self.store, number) else { return Vec::new() };
                let (entry, text) = (shown.transition(), log::line_text(shown, &self.panel_context()));
                let row = self.seen_row(entry.id);
                let others = row.map_or_else(Vec::new, |row| self.copies_of_socket(row));
                [line("log line", text)].into_iter().chain(others).collect()
            }
        }
    }

    fn copies_of_socket(&self, row: &SocketRow) -> Vec<MenuLine> {
        let socket = &row.connection.socket;
        let names = self.store.names();
        let mut texts =
            vec![line("row", row_text(COLUMNS, row, &self.store)), line("json", json(COLUMNS, row, &self.store))];
        let table = &self.panels.connections;
        if self.tab == Tab::SOCKETS && !table.is_folded() {
            texts.extend(self.cell(table.columns.cell_column(self.panel_context().width()), row));
        }
        texts.push(line("local end", local_end(socket, names)));
        if !socket.remote.is_unset() {
            texts.push(line("remote end", remote_end(socket, names)));
        }
        let holder = socket.owner.holders().and_then(|holders| holders.all().first());
        texts.extend(holder.map(|process| line("pid", process.id.pid.to_string())));
        let place = CommandPlace {
            holder: holder.map(|process| process.id),
            is_elsewhere: !self.store.facts().are_about(socket.id.netns()),
            unit: socket.cgroup.and_then(|id| names.units.get(&id.get())).map(DisplayText::as_str),
        };
        texts.extend(commands::for_socket(socket, place));
        texts
    }

    fn copies_of_group(&self, columns: &'static [Column<Group>], group: &Group) -> Vec<MenuLine> {
        let mut texts =
            vec![line("row", row_text(columns, group, &self.store)), line("json", json(columns, group, &self.store))];
        let chosen = self.panels.of_group(group.key).columns.cell_column(self.panel_context().width());
        texts.extend(self.cell(chosen, group));
        texts.extend(group.key.remote_address().map(|address| line("address", address.ip().to_string())));
        texts.extend(self.list_command());
        if let GroupKey::Process(process) = group.key {
            texts.push(line("pid", process.pid.to_string()));
            texts.extend(commands::for_process(process, false).map(|(name, command)| line(name, command)));
        }
        texts
    }

    fn copies_of_fold(&self, fold: &FoldedLine) -> Vec<MenuLine> {
        let mut texts = vec![line("row", row_text(FOLDED, fold, &self.store))];
        texts.extend(self.cell(self.panels.connections.folded.columns.cell_column(self.panel_context().width()), fold));
        texts.extend(fold.remote_address().map(|address| line("address", address.to_string())));
        texts.extend(self.list_command());
        let process = match fold {
            FoldedLine::Row(row) => row.only_process(),
            FoldedLine::Socket(_) | FoldedLine::More(..) => None,
        };
        if let Some(process) = process {
            texts.push(line("pid", process.pid.to_string()));
            texts.extend(commands::for_process(process, false).map(|(name, command)| line(name, command)));
        }
        texts
    }

    /// The text of the chosen cell of `row`, unless it is blank.
    fn cell<R>(&self, column: Option<&Column<R>>, row: &R) -> Option<MenuLine> {
        let text = (column?.value)(row, &self.store).text().into_owned();
        (!text.is_empty()).then(|| line("cell", text))
    }

    /// The command that lists what Enter shows of the selected row.
    fn list_command(&self) -> Option<MenuLine> {
        match self.panel().open(&self.panel_context()) {
            OpenTarget::Filtered(filter) => Some(line(LIST_COMMAND, format!("conntop list {}", shell_word(&filter)))),
            OpenTarget::Nothing | OpenTarget::Details(_) | OpenTarget::Refused(_) => None,
        }
    }
}

fn line(label: &str, about: String) -> MenuLine {
    MenuLine { label: label.to_owned(), about, ..MenuLine::default() }
}

/// The cells of the columns that are shown by default, blank ones left out.
fn row_text<R>(columns: &'static [Column<R>], row: &R, store: &Store) -> String {
    let shown = default_columns(columns).into_iter();
    let cells = shown.map(|column| (columns[column].value)(row, store).text().into_owned());
    cells.filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("  ")
}

/// The columns that JSON has, under their names there; what is not known is null.
fn json<R>(columns: &'static [Column<R>], row: &R, store: &Store) -> String {
    let value = |column: &Column<R>| serde_json::to_value((column.value)(row, store)).unwrap_or(Json::Null);
    let fields = columns.iter().filter(|column| column.in_json);
    Json::Object(fields.map(|column| (column.json.to_owned(), value(column))).collect::<Map<_, _>>()).to_string()
}
