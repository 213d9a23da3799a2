//! Whether a pid in `/proc` is the process that a signal would hit, and what `/proc` says of it.
//!
//! A number means a process in one pid namespace: `/proc` counts in the one it was mounted for
//! (`pid_namespaces`(7)), `pidfd_open`(2) in that of the caller. With `nsenter -m`, or `unshare -p` without a new `/proc`,
//! these are two.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{FsWord, fstat, statfs};

use crate::model::action::ProcMismatch;

/// `PROC_SUPER_MAGIC` (`include/uapi/linux/magic.h`).
const PROC_SUPER_MAGIC: FsWord = 0x9fa0;

/// Why pids in `/proc` do not mean the processes that our signals hit; `None` if they do.
pub(super) fn doubt() -> Option<ProcMismatch> {
    if !statfs("/proc").is_ok_and(|proc| proc.f_type == PROC_SUPER_MAGIC) {
        return Some(ProcMismatch::NoProc);
    }
    // Our own entry: there is none where the namespace of this /proc is not ours nor one above it.
    match fs::read("/proc/self/status") {
        Ok(status) => doubt_of(&status, std::process::id()),
        Err(_) => Some(ProcMismatch::ForeignProc),
    }
}

/// The same from our own `/proc/self/status`: `NSpid` has our pids from the namespace of this `/proc` down to our own.
fn doubt_of(status: &[u8], own_pid: u32) -> Option<ProcMismatch> {
    let here = Some(i64::from(own_pid));
    match numbers(status, b"NSpid:").as_deref() {
        Some([own]) => (Some(*own) != here).then_some(ProcMismatch::ForeignProc),
        Some([_, .., own]) if Some(*own) == here => Some(ProcMismatch::OuterProc),
        Some(_) => Some(ProcMismatch::ForeignProc),
        // A kernel without pid namespaces has no such line.
        None => (first(status, b"Pid:") != here).then_some(ProcMismatch::ForeignProc),
    }
}

/// Whom a pidfd holds, by the numbers of `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PidfdTarget {
    /// The process with this pid in `/proc`.
    Process(u32),
    /// One that has ended and was reaped.
    Ended,
    /// One that has no pid in the namespace of `/proc`.
    Elsewhere,
}

/// Asks the pidfd itself (`pidfd_show_fdinfo`, `fs/pidfs.c`; `proc_pid_fdinfo`(5)).
pub(super) fn target_of(pidfd: &OwnedFd) -> io::Result<PidfdTarget> {
    let told = fs::read(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    // Makes sure that what was read is about this very descriptor; before Linux 5.14 there is no such line.
    let inode = i64::try_from(fstat(pidfd)?.st_ino).ok();
    if first(&told, b"ino:").is_some_and(|told| Some(told) != inode) {
        return Ok(PidfdTarget::Elsewhere);
    }
    held(&told).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

fn held(fdinfo: &[u8]) -> Option<PidfdTarget> {
    Some(match first(fdinfo, b"Pid:")? {
        -1 => PidfdTarget::Ended,
        0 => PidfdTarget::Elsewhere,
        pid => PidfdTarget::Process(u32::try_from(pid).ok()?),
    })
}

fn first(content: &[u8], label: &[u8]) -> Option<i64> {
    numbers(content, label)?.first().copied()
}

/// The numbers behind `label` at the start of a line; `None` if there is no such line, or something else in it.
fn numbers(content: &[u8], label: &[u8]) -> Option<Vec<i64>> {
    let line = content.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(label))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    use super::*;

    #[test]
    fn our_own_pids_say_whose_proc_it_is() {
        for (lines, expected) in [
            ("Pid:\t812\nNSpid:\t812", None),
            ("Pid:\t4711\nNSpid:\t4711\t812", Some(ProcMismatch::OuterProc)),
            ("Pid:\t812\nNSpid:\t812\t812", Some(ProcMismatch::OuterProc)),
            ("Pid:\t99\nNSpid:\t99\t40\t812", Some(ProcMismatch::OuterProc)),
            ("Pid:\t7\nNSpid:\t7", Some(ProcMismatch::ForeignProc)),
            ("Pid:\t812\nNSpid:\t812\t7", Some(ProcMismatch::ForeignProc)),
            ("Pid:\t812\nNSpid:", Some(ProcMismatch::ForeignProc)),
            ("Pid:\t812", None),
            ("Pid:\t7", Some(ProcMismatch::ForeignProc)),
            ("", Some(ProcMismatch::ForeignProc)),
        ] {
            let status = format!("Name:\tPid:\nTgid:\t812\n{lines}\nPPid:\t1\n");
            assert_eq!(doubt_of(status.as_bytes(), 812), expected, "{lines}");
        }
    }

    #[test]
    fn a_pidfd_says_whom_it_holds() {
        for (fdinfo, expected) in [
            ("pos:\t0\nino:\t9\nPid:\t812\nNSpid:\t812\t1\n", Some(PidfdTarget::Process(812))),
            ("Pid:\t-1\nNSpid:\t-1\n", Some(PidfdTarget::Ended)),
            ("Pid:\t0\nNSpid:\t0\n", Some(PidfdTarget::Elsewhere)),
            ("Pid:\tx\n", None),
            ("pos:\t0\n", None),
            ("", None),
        ] {
            assert_eq!(held(fdinfo.as_bytes()), expected, "{fdinfo}");
        }
    }

    #[test]
    fn here_both_mean_the_same() {
        assert_eq!(doubt(), None);
        let own = Pid::from_raw(std::process::id().cast_signed()).expect("a pid");
        let pidfd = pidfd_open(own, PidfdFlags::empty()).expect("Linux 5.3");
        assert_eq!(target_of(&pidfd).expect("it is told"), PidfdTarget::Process(std::process::id()));
        let mut child = std::process::Command::new("true").spawn().expect("it is there");
        let pid = Pid::from_raw(child.id().cast_signed()).expect("a pid");
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).expect("it is not reaped");
        child.wait().expect("it is our child");
        assert_eq!(target_of(&pidfd).expect("it is told"), PidfdTarget::Ended);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = (doubt_of(&bytes, 1), held(&bytes));
        }
    }
}
