//! `/proc/PID/stat` (`proc_pid_stat`(5)), for whoever needs a field of it. The parser is total.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::source::linux::decimal::{integer, natural, number};

/// `PF_KTHREAD` (`include/linux/sched.h`): a kernel thread.
const PF_KTHREAD: u32 = 0x0020_0000;

/// What conntop takes from `/proc/PID/stat`, but for the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessStat {
    /// Field 3: `R`, `S`, `Z` and so on.
    pub state: u8,
    /// Field 4.
    pub parent_pid: u32,
    /// Field 6, as `getsid`(2): 0 where the leader of the session is in a pid namespace outside.
    pub session: i64,
    /// Field 7: the number of the controlling terminal; 0 without one.
    pub terminal: i64,
    /// Field 9, `PF_*`.
    pub flags: u32,
    /// Field 20: threads, those that have ended and were not waited for included.
    pub threads: u32,
    /// Field 22: when it started, in clock ticks since boot.
    pub start_ticks: u64,
}

impl ProcessStat {
    /// Reads the content of the file.
    pub fn parse(content: &[u8]) -> Option<Self> {
        let (_, rest) = split(content)?;
        // Field 3, the state, is the first behind the name.
        let mut fields = rest.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let state = *fields.next()?.first()?;
        let parent_pid = number(fields.next()?)?;
        let session = integer(fields.nth(1)?)?;
        let terminal = integer(fields.next()?)?;
        let flags = number(fields.nth(1)?)?;
        let threads = number(fields.nth(10)?)?;
        let start_ticks = natural(fields.nth(1)?)?;
        Some(Self { state, parent_pid, session, terminal, flags, threads, start_ticks })
    }

    /// Whether this is a thread of the kernel, which holds no descriptors.
    pub const fn is_kernel_thread(&self) -> bool {
        self.flags & PF_KTHREAD != 0
    }

    /// Whether its main thread has ended and others go on (`pthread_exit`(3) in `main`): then `/proc/PID/fd` is empty, and
    /// `/proc/PID/task/TID/fd` has the descriptors.
    pub const fn has_lost_its_main_thread(&self) -> bool {
        self.state == b'Z' && self.threads > 1
    }

    /// Whether all its threads have ended. Dead threads that were not the main one leave at once; the main thread stays, as
    /// a zombie, until all have ended.
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1
    }
}

/// What `/proc` says of process `pid` now; `None` if there is none or `/proc` hides it.
pub fn read(pid: u32) -> Option<ProcessStat> {
    ProcessStat::parse(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in a `stat` file, `comm`: up to 15 arbitrary bytes, `)` and newline among them.
pub fn name_in(content: &[u8]) -> Option<&[u8]> {
    split(content).map(|(name, _)| name)
}

/// The name, and what follows it. The name ends at the *last* parenthesis: it may hold others.
fn split(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = content.iter().position(|byte| *byte == b'(')?;
    let close = content.iter().rposition(|byte| *byte == b')')?;
    Some((content.get(open.checked_add(1)?..close)?, content.get(close.checked_add(1)?..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stat_of(name: &[u8]) -> Vec<u8> {
        // pid (comm) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime
        // priority nice threads itrealvalue starttime …
        [b"812 (", name, b") S 1 812 811 34816 -1 4194560 100 0 0 0 1 2 0 0 20 0 3 0 4711 1000 10\n"].concat()
    }

    #[test]
    fn the_name_ends_at_the_last_parenthesis() {
        let expected = ProcessStat {
            state: b'S',
            parent_pid: 1,
            session: 811,
            terminal: 34_816,
            flags: 4_194_560,
            threads: 3,
            start_ticks: 4_711,
        };
        for name in [&b"nginx"[..], b"a) R 1 (", b")", b"", b"x\ny", b"\xff\x1b[2J"] {
            let content = stat_of(name);
            assert_eq!((name_in(&content), ProcessStat::parse(&content)), (Some(name), Some(expected)));
            assert!(!expected.is_kernel_thread());
        }
        assert_eq!(ProcessStat::parse(b"1 (x) S 1 2"), None);
        assert_eq!(ProcessStat::parse(b"1 )x( S 1 2"), None);
    }

    #[test]
    fn a_kernel_thread_is_known_by_its_flag() {
        let line = b"9 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 0 0 0 0 20 0 1 0 30 0 0\n";
        assert!(ProcessStat::parse(line).expect("a whole line").is_kernel_thread());
    }

    #[test]
    fn who_has_a_living_thread_has_not_ended() {
        for (state, threads, has_ended) in
            [("Z", 1, true), ("Z", 0, true), ("X", 0, true), ("Z", 2, false), ("S", 1, false), ("T", 1, false)]
        {
            let line = format!("9 (x) {state} 2 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 30 0 0\n");
            let stat = ProcessStat::parse(line.as_bytes()).expect("a whole line");
            assert_eq!(stat.has_ended(), has_ended, "{state} {threads}");
            assert_eq!(stat.has_lost_its_main_thread(), (state, threads) == ("Z", 2));
        }
    }

    #[test]
    fn this_process_can_be_read() {
        let stat = read(std::process::id()).expect("/proc is mounted");
        assert_eq!(stat.parent_pid, std::os::unix::process::parent_id());
        assert!(!stat.is_kernel_thread() && !stat.has_ended());
        assert_eq!(read(u32::MAX), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (ProcessStat::parse(&content), name_in(&content));
        }

        #[test]
        fn a_cut_stat_is_refused_or_the_same(cut in 0usize..100) {
            let content = stat_of(b"a) R 1 (");
            let whole = ProcessStat::parse(&content).expect("well-formed");
            let cut = ProcessStat::parse(&content[..cut.min(content.len())]);
            prop_assert!(cut.is_none_or(|stat| stat.parent_pid == whole.parent_pid));
        }
    }
}
