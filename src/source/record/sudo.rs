//! A recording made with sudo in a user's own directory is the user's: otherwise it could not be read, moved or removed
//! without sudo again.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

/// The user and group who called sudo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SudoCaller {
    uid: u32,
    gid: u32,
}

impl SudoCaller {
    /// The caller if conntop runs as root. `SUDO_UID` and `SUDO_GID` (sudo(8)) are text that anybody can set: it must
    /// be two numbers, and it decides about nothing but files that conntop has just made.
    pub fn look() -> Option<Self> {
        let is_root = rustix::process::geteuid().is_root();
        is_root.then(|| Self::parse(env::var_os("SUDO_UID"), env::var_os("SUDO_GID"))).flatten()
    }

    fn parse(uid: Option<OsString>, gid: Option<OsString>) -> Option<Self> {
        let number = |text: Option<OsString>| {
            let text = text?.into_string().ok()?;
            // `parse` alone would take "+5" as well.
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
        };
        Some(Self { uid: number(uid)?, gid: number(gid)? })
    }

    /// Makes `file`, just made at `path`, the caller's if its directory is the caller's. A refusal changes nothing
    /// that matters: the recording is there, and root's.
    pub fn own(self, file: &File, path: &Path) {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if fs::metadata(directory).is_ok_and(|metadata| metadata.uid() == self.uid) {
            let _ = fchown(file, Some(self.uid), Some(self.gid));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uid: &str, gid: &str) -> Option<SudoCaller> {
        SudoCaller::parse(Some(uid.into()), Some(gid.into()))
    }

    #[test]
    fn only_two_numbers_are_a_caller() {
        assert_eq!(parse("1000", "100"), Some(SudoCaller { uid: 1000, gid: 100 }));
        for (uid, gid) in
            [("abc", "1"), ("1", ""), ("", "1"), ("+1", "1"), ("-1", "1"), ("4294967296", "1"), ("1 ", "1")]
        {
            assert_eq!(parse(uid, gid), None, "{uid:?} {gid:?}");
        }
        assert_eq!(SudoCaller::parse(None, Some("1".into())), None);
    }

    #[test]
    fn a_file_changes_hands_only_in_a_directory_of_the_caller() {
        if !rustix::process::geteuid().is_root() {
            crate::skip::skip("this takes root");
            return;
        }
        let caller = SudoCaller { uid: 4_711, gid: 4_712 };
        let owner_in = |directory: &Path| {
            let path = directory.join("new");
            caller.own(&File::create(&path).expect("a file"), &path);
            let metadata = fs::metadata(&path).expect("a file");
            (metadata.uid(), metadata.gid())
        };
        let (theirs, ours) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        std::os::unix::fs::chown(theirs.path(), Some(4_711), Some(4_712)).expect("root may");
        assert_eq!(owner_in(theirs.path()), (4_711, 4_712));
        assert_eq!(owner_in(ours.path()).0, 0);
    }
}
