//! Making recordings: new and private. `cfg` lines stand here so that they stand nowhere else.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use crate::model::text::DisplayText;

/// The longest part of a file name in a message, in bytes.
const PATH_LEN_MAX: usize = 256;

/// Makes a new file that only its owner may read. Fails if anything is there already, a dangling symbolic link
/// included (open(2), `O_EXCL`).
pub fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    if let Some(caller) = crate::source::record::sudo::SudoCaller::look() {
        caller.own(&file, path);
    }
    Ok(file)
}

/// `path` as a message shows it.
pub fn shown(path: &Path) -> DisplayText {
    DisplayText::from_bytes(path.as_os_str().as_encoded_bytes(), PATH_LEN_MAX)
}
