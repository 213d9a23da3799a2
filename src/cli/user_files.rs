//! The files that a user keeps for conntop: where they are, and how they are read.

use std::env;
use std::path::{Path, PathBuf};

use crate::source::guarded::{self, Unusable};

/// The longest of them, in bytes.
const LEN_MAX: u64 = 64 * 1024;

/// Where the user's files are: `$XDG_CONFIG_HOME/conntop`, else `~/.config/conntop`. Never below the working directory: a
/// relative path in the environment counts as none (XDG Base Directory Specification).
pub(super) fn folder() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(folder.join("conntop"))
}

/// Why there is no text.
pub(super) enum UserFileError {
    /// There is no such file.
    Missing,
    /// Root does not read it: another user can have written it.
    Untrusted,
    /// What is wrong: follows the name of the file.
    Unusable(String),
}

/// The text of the file, if `is_trusted` says so of what it is.
pub(super) fn load(path: &Path, is_trusted: impl FnOnce(&std::fs::Metadata) -> bool) -> Result<String, UserFileError> {
    let (file, about) = guarded::open(path)?;
    if !is_trusted(&about) {
        return Err(UserFileError::Untrusted);
    }
    let bytes = guarded::read_opened(file, &about, LEN_MAX)?;
    String::from_utf8(bytes).map_err(|_| UserFileError::Unusable("is not UTF-8 text".to_owned()))
}

impl From<Unusable> for UserFileError {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            // A file in the way of a folder is as good as none.
            Unusable::Missing => Self::Missing,
            unusable => Self::Unusable(unusable.to_string()),
        }
    }
}

/// Whether nobody but root can have written it, for root; others may read what they like.
#[cfg(unix)]
pub(super) fn may_be_trusted(about: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    !rustix::process::geteuid().is_root() || about.uid() == 0 && about.mode() & WRITABLE_BY_OTHERS == 0
}

#[cfg(not(unix))]
pub(super) fn may_be_trusted(_: &std::fs::Metadata) -> bool {
    true
}
