//! The sockets of the tagged rows, or of the row under the cursor, to a new file: its name is typed, its ending says the format.

use crate::app::App;
use crate::app::action::Edit;
use crate::app::candidates::Purpose;
use crate::app::clock::file_time;
use crate::app::effect::{Effect, Export, ExportFile, ExportFormat};
use crate::app::input::InputLine;
use crate::app::mode::{ExportEdit, Mode};
use crate::app::msg::ExportReport;
use crate::app::notice::NoticeLevel;
use crate::store::groups::tagged::{SOCKETS_MAX, TaggedMembers};
use crate::table::units;

/// The endings of file names, and what they mean.
const ENDINGS: [(&str, ExportFormat); 4] = [
    (".ndjson", ExportFormat::Ndjson),
    (".jsonl", ExportFormat::Ndjson),
    (".csv", ExportFormat::Csv),
    (".tsv", ExportFormat::Plain),
];

impl App {
    /// Asks for the name of the file; what is offered is the time of the last sample, so that it is a new one.
    pub(super) fn ask_for_export_path(&mut self) {
        match self.tags_or_row() {
            Err(why) => drop(self.say(NoticeLevel::Plain, why)),
            Ok(tags) => {
                let time = file_time(self.store.wall(), self.config.utc_offset_seconds);
                let line = InputLine::new(&format!("conntop-{time}.ndjson"));
                self.mode = Mode::Export(ExportEdit { line, tags, error: None });
                self.refresh_panel();
            }
        }
    }

    pub(super) fn type_into_path(&mut self, text: &str) {
        if let Mode::Export(edit) = &mut self.mode {
            edit.line.insert(text);
            edit.error = None;
            self.dirty = true;
        }
    }

    pub(super) fn change_path_line(&mut self, change: Edit) {
        let names = self.filters.clone();
        if let Mode::Export(edit) = &mut self.mode
            && !matches!(change, Edit::Older | Edit::Newer)
        {
            edit.line.edit(change, &names);
            edit.error = None;
        }
    }

    /// Gathers what is to be written, or says what is wrong with the name.
    pub(super) fn accept_path(&mut self) {
        let Mode::Export(edit) = &mut self.mode else { return };
        match file(edit.line.text().trim()) {
            Err(why) => edit.error = Some(why),
            Ok(file) => {
                let tags = std::mem::take(&mut edit.tags);
                self.mode = Mode::Normal;
                self.refresh_panel();
                let members = self.members_of(&tags);
                self.work.gather_tagged(members, Purpose::Export(file));
            }
        }
    }

    /// The sockets are gathered: has them written.
    pub(super) fn export(&mut self, file: ExportFile, members: &TaggedMembers) -> Vec<Effect> {
        match members.count {
            0 => self.say(NoticeLevel::Bad, "these rows stand for no socket any more; nothing was written"),
            count if count > SOCKETS_MAX => {
                let (count, most) = (units::count(count as u64), units::count(SOCKETS_MAX as u64));
                let text =
                    format!("{count} sockets are more than the {most} that a file takes; conntop list writes all");
                self.say(NoticeLevel::Bad, text.as_str())
            }
            _ => vec![Effect::Export(Export { file, sockets: members.sockets.clone() })],
        }
    }

    /// Says what came of it.
    pub(super) fn on_export_report(&mut self, report: &ExportReport) -> Vec<Effect> {
        let path = &report.path;
        match &report.outcome {
            Ok(count) => {
                let text = format!("{} written to {path}", units::counted(*count as u64, "socket"));
                self.say(NoticeLevel::Good, text.as_str())
            }
            Err(why) => self.say(NoticeLevel::Bad, format!("nothing was written to {path}: {why}").as_str()),
        }
    }
}

/// The file that `path` names; an error is a sentence.
fn file(path: &str) -> Result<ExportFile, &'static str> {
    if path.is_empty() {
        return Err("write the name of a file that is not there yet, such as sockets.csv");
    }
    if path.starts_with('~') {
        return Err("~ stands for nothing here: write the path as it is, such as /tmp/sockets.csv");
    }
    let lower = path.to_ascii_lowercase();
    let ending = ENDINGS.iter().find(|(ending, _)| lower.ends_with(ending) && lower.len() > ending.len());
    let format = ending.map(|(_, format)| *format).ok_or("the name has to end in .ndjson, .csv or .tsv")?;
    Ok(ExportFile { path: path.to_owned(), format })
}
