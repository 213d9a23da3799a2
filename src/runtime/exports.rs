//! Writes the sockets that the user chose to a new file. What is written is made at once, as the store may change; the file is
//! written by a thread of its own, as the disk may be slow.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc::Sender;

use crate::app::effect::Export;
use crate::app::msg::{ExportReport, Msg};
use crate::model::text::DisplayText;
use crate::source::record::file;
use crate::store::Store;

/// Files that are written at the same time.
const UNDER_WAY_MAX: usize = 4;

/// Makes the text of a file, and says how many sockets are in it: those that are still in the store.
pub type ExportText = fn(&Export, &Store) -> io::Result<(Vec<u8>, usize)>;

/// The files that are being written.
pub struct Exports {
    text: ExportText,
    messages: Sender<Msg>,
    /// Each thread holds a handle.
    under_way: Arc<()>,
}

impl Exports {
    /// Writes what `text` makes, and reports to `messages`.
    pub fn new(text: ExportText, messages: Sender<Msg>) -> Self {
        Self { text, messages, under_way: Arc::new(()) }
    }

    /// Writes those sockets of `export` that are still in `store`; what comes of it comes as a message. `Err` is what could not be
    /// begun.
    pub fn start(&mut self, export: &Export, store: &Store) -> Result<(), ExportReport> {
        let path = export.file.path.clone();
        let shown = file::shown(Path::new(&path));
        let failed = |why: &str| Err(ExportReport { path: shown.clone(), outcome: Err(why.into()) });
        if Arc::strong_count(&self.under_way) > UNDER_WAY_MAX {
            return failed("too many files are being written; wait for those");
        }
        let (text, count) = match (self.text)(export, store) {
            Ok(written) => written,
            Err(error) => return failed(&error.to_string()),
        };
        let (messages, under_way, path_shown) = (self.messages.clone(), Arc::clone(&self.under_way), shown.clone());
        let run = move || {
            let outcome = write(Path::new(&path), &text).map(|()| count).map_err(|error| reason(&error));
            // An error means that the program is ending.
            let _ = messages.blocking_send(Msg::Exported(ExportReport { path: path_shown, outcome }));
            drop(under_way);
        };
        let spawned = thread::Builder::new().name("export".into()).spawn(run);
        spawned.map(|_| ()).or_else(|_| failed("no thread could be started; try again"))
    }
}

/// Only a new file is written, which only its owner may read: never another one, and never through a symbolic link.
fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = file::create(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn reason(error: &io::Error) -> DisplayText {
    match error.kind() {
        ErrorKind::AlreadyExists => "there is something of that name already, and it is not overwritten".into(),
        ErrorKind::NotFound => "there is no such directory".into(),
        ErrorKind::PermissionDenied => "you may not write there".into(),
        _ => DisplayText::new(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::channel;

    use super::*;
    use crate::app::effect::{ExportFile, ExportFormat};
    use crate::model::testing::{source_info, tcp};

    fn export(path: &Path) -> ExportReport {
        let (sender, mut messages) = channel(1);
        let file = ExportFile { path: path.to_string_lossy().into_owned(), format: ExportFormat::Csv };
        let export = Export { file, sockets: vec![tcp(1).build().id] };
        let text: ExportText = |export, _| Ok((b"cookie\r\n1\r\n".to_vec(), export.sockets.len()));
        Exports::new(text, sender).start(&export, &Store::new(source_info())).expect("it begins");
        match messages.blocking_recv() {
            Some(Msg::Exported(report)) => report,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_file_is_new_and_private() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.csv");
        assert_eq!(export(&path).outcome, Ok(1));
        assert_eq!(std::fs::read(&path).expect("written"), b"cookie\r\n1\r\n");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).expect("there").permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn nothing_is_overwritten_and_no_link_is_followed() {
        let dir = tempfile::tempdir().expect("a directory");
        let (there, link, target) = (dir.path().join("a.csv"), dir.path().join("b.csv"), dir.path().join("c.csv"));
        std::fs::write(&there, "mine").expect("written");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&target, &link).expect("a link");
        for path in [&there, &link] {
            let why = export(path).outcome.expect_err("it is there");
            assert!(why.as_str().contains("already"), "{why}");
        }
        assert_eq!(std::fs::read_to_string(&there).expect("there"), "mine");
        assert!(!target.exists());
        let nowhere = dir.path().join("no/such/a.csv");
        assert!(export(&nowhere).outcome.expect_err("no directory").as_str().contains("no such directory"));
    }
}
