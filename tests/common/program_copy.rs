//! A copy of a program that every user may run, under a name of its own, which becomes that of its processes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The copy; it is gone with the value.
pub struct ProgramCopy {
    pub path: PathBuf,
    _folder: tempfile::TempDir,
}

impl ProgramCopy {
    /// Copies `program` into a new folder that everybody may enter.
    pub fn of(program: impl AsRef<Path>, name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a new folder");
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("the folder is ours");
        let path = folder.path().join(name);
        // By another process: a test on another thread that forks while this one writes the file holds it open for writing
        // until its exec, and the kernel runs no such file (ETXTBSY).
        let copied = Command::new("cp").arg(program.as_ref()).arg(&path).status().expect("cp is there");
        assert!(copied.success(), "{} cannot be copied", program.as_ref().display());
        Self { path, _folder: folder }
    }
}
