//! Opening recordings: made new and private, read without being held up by what is no file. `cfg` lines stand here so
//! that they stand nowhere else.

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
    if let Some(caller) = crate::source::record::sudo::Caller::look() {
        caller.own(&file, path);
    }
    Ok(file)
}

/// Opens a file for reading. `None` if it is no regular file: a directory, a FIFO (it does not wait for a writer), a device.
pub fn open(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        // The flags are few and low: they fit the sign.
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    let file = options.open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// `path` as a message shows it.
pub fn shown(path: &Path) -> DisplayText {
    DisplayText::from_bytes(path.as_os_str().as_encoded_bytes(), PATH_LEN_MAX)
}
