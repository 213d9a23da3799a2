//! A file that others read at any moment and that is written again and again: each time a new file takes the place of the old one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Such a file.
#[derive(Debug)]
pub(super) struct ReplacedFile {
    path: PathBuf,
    /// The new file until it is whole. Beside the other one, as a rename works within one file system only. Its name does not end as
    /// that of the other does, because `node_exporter` reads every `*.prom`.
    unfinished: PathBuf,
}

impl ReplacedFile {
    /// The file at `path`. An error is a sentence: `path` can name no such file.
    pub(super) fn at(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let Some(name) = path.file_name() else {
            return Err(format!("{shown} is no name of a file; write one, such as conntop.prom"));
        };
        // Root could put a file in the place of /dev/null.
        if path.parent() == Some(Path::new("/dev")) {
            return Err(format!(
                "{shown} is of /dev, where no file is replaced; leave --output out to print to stdout"
            ));
        }
        let mut unfinished = std::ffi::OsString::from(".");
        unfinished.push(name);
        unfinished.push(format!(".{}.tmp", std::process::id()));
        Ok(Self { unfinished: path.with_file_name(unfinished), path: path.to_owned() })
    }

    /// Puts a file that holds `text` in its place. A failure leaves the old file, and no unfinished one.
    ///
    /// A symbolic link is replaced, not followed. Nothing is synced: what is lost with the power is made anew within seconds, and a
    /// wait for the disk at each sample costs more than that.
    pub(super) fn write(&self, text: &[u8]) -> io::Result<()> {
        self.refuse_what_is_no_file()?;
        let written = self.create().and_then(|mut file| {
            make_readable(&file)?;
            file.write_all(text)
        });
        let replaced = written.and_then(|()| fs::rename(&self.unfinished, &self.path));
        if replaced.is_err() {
            let _ = fs::remove_file(&self.unfinished);
        }
        replaced
    }

    fn refuse_what_is_no_file(&self) -> io::Result<()> {
        match fs::symlink_metadata(&self.path) {
            Ok(about) if !about.is_file() && !about.is_symlink() => {
                Err(io::Error::new(ErrorKind::InvalidInput, "something other than a file is there"))
            }
            _ => Ok(()),
        }
    }

    fn create(&self) -> io::Result<File> {
        let create = || OpenOptions::new().write(true).create_new(true).open(&self.unfinished);
        match create() {
            // Left by a process that was killed and had our number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                fs::remove_file(&self.unfinished)?;
                create()
            }
            created => created,
        }
    }
}

/// Everybody may read it, whatever the umask is: `node_exporter` runs as a user of its own. What it tells, ss(8) tells every user, but
/// for names of processes.
#[cfg(unix)]
fn make_readable(file: &File) -> io::Result<()> {
    file.set_permissions(<Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("readable");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().display().to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_new_file_that_everybody_may_read_takes_the_place_of_the_old_one() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("conntop.prom");
        let file = ReplacedFile::at(&path).expect("a name");
        for text in ["first\n", "second\n"] {
            file.write(text.as_bytes()).expect("written");
            assert_eq!(fs::read_to_string(&path).expect("there"), text);
        }
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o644);
        assert_eq!(names(folder.path()), ["conntop.prom"]);
    }

    #[test]
    fn a_link_is_replaced_and_what_it_leads_to_stays() {
        let folder = tempfile::tempdir().expect("a directory");
        let (path, target) = (folder.path().join("conntop.prom"), folder.path().join("target"));
        fs::write(&target, "mine").expect("written");
        symlink(&target, &path).expect("a link");
        ReplacedFile::at(&path).expect("a name").write(b"new").expect("written");
        assert_eq!(fs::read_to_string(&target).expect("there"), "mine");
        assert!(fs::symlink_metadata(&path).expect("there").is_file());
    }

    #[test]
    fn what_a_killed_process_left_is_no_hindrance_and_a_failure_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("conntop.prom");
        let file = ReplacedFile::at(&path).expect("a name");
        let target = folder.path().join("target");
        symlink(&target, &file.unfinished).expect("a link in the way");
        file.write(b"whole").expect("written");
        assert!(!target.exists(), "no link is followed");
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("a directory of that name");
        assert!(file.write(b"again").is_err());
        assert_eq!(names(folder.path()), ["conntop.prom"]);
    }

    #[test]
    fn devices_are_not_replaced() {
        for path in ["/dev/null", "/dev/stdout", "/", "..", ""] {
            assert!(ReplacedFile::at(Path::new(path)).is_err(), "{path}");
        }
    }
}
