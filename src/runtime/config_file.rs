//! The config file that the screen saves to: read and written on a thread of its own, as a home directory can be far away.
//!
//! It is read as all files of users are, by the guard. It is written as a new file beside it, which then takes its place, so that
//! no moment has half a file. Its mode stays. It is not written if it is no longer what was shown, if a link leads to it that
//! another user can change, or if its directory can be changed by others.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

use tokio::sync::mpsc::Sender;

use crate::app::effect::ConfigWrite;
use crate::app::msg::Msg;
use crate::model::text::DisplayText;
use crate::source::guarded::{self, Unusable};

/// The longest config file, in bytes.
const LEN_MAX: u64 = 64 * 1024;

/// The config file.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    messages: Sender<Msg>,
}

impl ConfigFile {
    /// The file at `path`; what comes of reading and writing goes to `messages`.
    pub fn new(path: PathBuf, messages: Sender<Msg>) -> Self {
        Self { path, messages }
    }

    /// Reads it; the text comes as a message. An error is what could not be begun.
    pub fn start_read(&self) -> Result<(), Msg> {
        self.start(|path| Msg::ConfigRead(read(path).map_err(|why| DisplayText::new(&why))))
            .map_err(|why| Msg::ConfigRead(Err(why)))
    }

    /// Writes it; what comes of that comes as a message. An error is what could not be begun.
    pub fn start_write(&self, asked: ConfigWrite) -> Result<(), Msg> {
        self.start(move |path| Msg::ConfigWritten(write(path, &asked).map_err(|why| DisplayText::new(&why))))
            .map_err(|why| Msg::ConfigWritten(Err(why)))
    }

    fn start(&self, run: impl FnOnce(&Path) -> Msg + Send + 'static) -> Result<(), DisplayText> {
        let (path, messages) = (self.path.clone(), self.messages.clone());
        // An error of the queue means that the program is ending.
        let run = move || drop(messages.blocking_send(run(&path)));
        let spawned = thread::Builder::new().name("config".into()).spawn(run);
        spawned.map(drop).map_err(|_| "no thread could be started; try again".into())
    }
}

/// The text of the file; `None` where there is none. An error is a sentence.
fn read(path: &Path) -> Result<Option<String>, String> {
    match guarded::read(path, LEN_MAX) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(format!("{} is not UTF-8 text; mend that first", path.display())),
        },
        Err(Unusable::Missing) => Ok(None),
        Err(why) => Err(format!("{} {why}, so nothing is saved", path.display())),
    }
}

/// Writes what was shown. An error is a sentence.
fn write(path: &Path, asked: &ConfigWrite) -> Result<(), String> {
    let place = path.display();
    if read(path)? != asked.before {
        return Err(format!(
            "{place} was changed in the meantime, so nothing is saved; save again to see what would change"
        ));
    }
    refuse_links(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if asked.before.is_none() {
        // The user asked for the file, so its directory may come with it.
        fs::create_dir_all(folder)
            .map_err(|error| format!("{} cannot be made ({error}), so nothing is saved", folder.display()))?;
    }
    refuse_shared_folder(folder)?;
    replace(path, folder, asked).map_err(|error| format!("{place} cannot be written ({error}), so nothing is saved"))
}

/// Writes the text beside the file, with its mode, and puts it in its place.
fn replace(path: &Path, folder: &Path, asked: &ConfigWrite) -> io::Result<()> {
    let new = folder.join(format!(".conntop-config-{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let write = || {
        let mut file: File = options.open(&new)?;
        if asked.before.is_some() {
            let about = fs::metadata(path)?;
            if about.permissions().readonly() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
            }
            keep_owner(&file, &about)?;
            file.set_permissions(about.permissions())?;
        }
        file.write_all(asked.text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    let written = write();
    if written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        let _ = fs::remove_file(&new);
    }
    written
}

/// Gives the new file the owner of the old one, where that is another: root may save the file of the user of sudo.
#[cfg(unix)]
fn keep_owner(file: &File, about: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let own = file.metadata()?;
    if (own.uid(), own.gid()) == (about.uid(), about.gid()) {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(about.uid()), Some(about.gid()))
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// A link is not written through: whoever made it says what is written.
fn refuse_links(path: &Path) -> Result<(), String> {
    let is_link = fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_symlink());
    if is_link {
        return Err(format!(
            "{} is a symbolic link, which is not written through; name its target with --config",
            path.display()
        ));
    }
    Ok(())
}

/// In a directory that others can write, another file can take the place of ours at any time.
#[cfg(unix)]
fn refuse_shared_folder(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    let about = fs::metadata(folder)
        .map_err(|error| format!("{} cannot be looked at ({error}), so nothing is saved", folder.display()))?;
    let own = rustix::process::geteuid().as_raw();
    if about.mode() & WRITABLE_BY_OTHERS != 0 || (about.uid() != own && own != 0) {
        return Err(format!("others can write to {}, so nothing is saved; chmod it", folder.display()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_shared_folder(_: &Path) -> Result<(), String> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary directory");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("ours");
        folder
    }

    fn asked(text: &str, before: Option<&str>) -> ConfigWrite {
        ConfigWrite { text: text.to_owned(), before: before.map(str::to_owned) }
    }

    #[test]
    fn the_file_is_written_whole_with_its_mode_and_the_directory_comes_with_it() {
        let folder = folder();
        let path = folder.path().join("conntop").join("config.toml");
        write(&path, &asked("a = 1\n", None)).expect("it is written");
        assert_eq!(read(&path), Ok(Some("a = 1\n".to_owned())));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
        write(&path, &asked("a = 2\n", Some("a = 1\n"))).expect("it is written");
        assert_eq!(read(&path), Ok(Some("a = 2\n".to_owned())));
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o640);
        assert_eq!(
            fs::read_dir(path.parent().expect("its folder")).expect("readable").count(),
            1,
            "nothing is left over"
        );
    }

    #[test]
    fn what_cannot_be_written_safely_is_one_sentence_and_changes_nothing() {
        let folder = folder();
        let path = folder.path().join("config.toml");
        fs::write(&path, "a = 1\n").expect("ours");
        let refused = |path: &Path, asked: &ConfigWrite, part: &str| {
            let why = write(path, asked).expect_err(part);
            assert!(why.contains(part) && !why.contains('\n'), "{why}");
        };
        refused(&path, &asked("a = 2\n", Some("a = 0\n")), "was changed in the meantime");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("ours");
        refused(&link, &asked("a = 2\n", Some("a = 1\n")), "is a symbolic link, which is not written through");
        refused(&folder.path().join("config.toml").join("x"), &asked("a = 2\n", None), "cannot be made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("ours");
        refused(&path, &asked("a = 2\n", Some("a = 1\n")), "cannot be written (it is read-only)");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("ours");
        refused(&path, &asked("a = 2\n", Some("a = 1\n")), "others can write to");
        refused(folder.path(), &asked("", None), "is a directory");
        assert_eq!(fs::read_to_string(&path).expect("there"), "a = 1\n");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 2, "nothing is left over");
    }
}
