//! Describes a process from `/proc/PID/{stat,status,cmdline,limits}`. The parsers are total and know no files.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::time::Duration;

use rustix::io::Errno;

use crate::model::process::{Process, ProcessId, Thread};
use crate::model::text::{COMMAND_LEN_MAX, DisplayText};
use crate::model::time::{CLOCK_TICK, Timestamp, WallTime};
use crate::source::linux::decimal::{natural, number};
use crate::source::linux::proc_dir::ProcessDir;
use crate::source::linux::proc_stat::{ProcessStat, name_in};

/// The real uid in `/proc/PID/status`: the first number of the line `Uid:`.
pub fn parse_uid(content: &[u8]) -> Option<u32> {
    field(content, b"Uid:").and_then(|mut words| number(words.next()?))
}

/// How many descriptors fit into the table of a process, in `/proc/PID/status`: the line `FDSize:`.
pub fn parse_table_size(content: &[u8]) -> Option<u64> {
    field(content, b"FDSize:").and_then(|mut words| natural(words.next()?))
}

/// Whether `/proc/PID/status` is of pid 1 of a pid namespace below the one of this `/proc`: the line `NSpid:` has the
/// numbers of the process from that namespace down to its own.
pub fn is_container_init(content: &[u8]) -> bool {
    let Some(numbers) = field(content, b"NSpid:") else { return false };
    let (count, last) = numbers.fold((0u32, None), |(count, _), number| (count.saturating_add(1), Some(number)));
    count > 1 && last == Some(b"1")
}

/// The soft limit of open descriptors in `/proc/PID/limits`; `u64::MAX` for "unlimited".
pub fn parse_descriptors_max(content: &[u8]) -> Option<u64> {
    let soft = field(content, b"Max open files")?.next()?;
    if soft == b"unlimited" {
        return Some(u64::MAX);
    }
    natural(soft)
}

/// The words behind `label` at the start of a line.
fn field<'a>(content: &'a [u8], label: &[u8]) -> Option<impl Iterator<Item = &'a [u8]>> {
    let rest = content.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(label))?;
    Some(rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()))
}

/// The command line: arguments are separated by NUL, and by spaces where a process has rewritten its own.
fn command(content: &mut Vec<u8>) -> DisplayText {
    while content.last() == Some(&0) {
        content.pop();
    }
    content.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
    DisplayText::from_bytes(content, COMMAND_LEN_MAX)
}

/// Describes processes; keeps its buffer.
#[derive(Debug, Default)]
pub struct Describer {
    content: Vec<u8>,
}

impl Describer {
    /// The process behind `directory` with this `pid`, as it is now. Only its `stat` must be readable.
    pub fn describe(&mut self, directory: &ProcessDir, pid: u32, now: ClockReading) -> Result<Process, Errno> {
        let content = &mut self.content;
        directory.read(c"stat", content)?;
        let (name, stat) = name_in(content).zip(ProcessStat::parse(content)).ok_or(Errno::INVAL)?;
        let id = ProcessId { pid, start_ticks: stat.start_ticks };
        let started = Some(now.started(stat.start_ticks));
        let (parent_pid, name) = (stat.parent_pid, DisplayText::name(name));
        let status = directory.read(c"status", content).ok();
        let uid = status.and_then(|()| parse_uid(content));
        let is_container_init = status.is_some_and(|()| is_container_init(content));
        if directory.read(c"cmdline", content).is_err() {
            content.clear();
        }
        Ok(Process { id, parent_pid, name, command: command(content), uid, started, is_container_init, thread: None })
    }

    /// What its `stat` says. `ENOENT` or `ESRCH` if it vanished.
    pub fn stat(&mut self, directory: &ProcessDir) -> Result<ProcessStat, Errno> {
        directory.read(c"stat", &mut self.content)?;
        ProcessStat::parse(&self.content).ok_or(Errno::INVAL)
    }

    /// The start time of a process, in ticks since boot; `None` where it cannot be read.
    pub fn start_ticks(&mut self, directory: &ProcessDir) -> Option<u64> {
        Some(self.stat(directory).ok()?.start_ticks)
    }

    /// The thread `tid` of a process, whose directory this is.
    pub fn thread(&mut self, directory: &ProcessDir, tid: u32) -> Result<Thread, Errno> {
        directory.read(c"stat", &mut self.content)?;
        let name = name_in(&self.content).ok_or(Errno::INVAL)?;
        Ok(Thread { tid, name: DisplayText::name(name) })
    }

    /// The command line of a process or thread; empty where it cannot be read.
    pub fn command(&mut self, directory: &ProcessDir) -> DisplayText {
        if directory.read(c"cmdline", &mut self.content).is_err() {
            self.content.clear();
        }
        command(&mut self.content)
    }

    /// How many descriptors fit into the table of a process, which are at least as many as it has.
    pub fn table_size(&mut self, directory: &ProcessDir) -> Option<u64> {
        directory.read(c"status", &mut self.content).ok()?;
        parse_table_size(&self.content)
    }

    /// The soft limit of open descriptors; `None` where it may not be read.
    pub fn descriptors_max(&mut self, directory: &ProcessDir) -> Option<u64> {
        directory.read(c"limits", &mut self.content).ok()?;
        parse_descriptors_max(&self.content)
    }
}

/// One moment on both clocks: what turns ticks since boot into a time of day.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockReading {
    /// Since boot.
    pub at: Timestamp,
    /// The time of day.
    pub wall: WallTime,
}

impl ClockReading {
    fn started(self, start_ticks: u64) -> WallTime {
        let after_boot =
            Duration::from_millis(start_ticks.saturating_mul(CLOCK_TICK.as_millis().try_into().unwrap_or(10)));
        self.wall.before(Timestamp(self.at.0).since(Timestamp(0).after(after_boot)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::clock;
    use crate::source::linux::proc_dir::ProcDir;

    #[test]
    fn uid_and_limit_are_found_in_their_lines() {
        assert_eq!(parse_uid(b"Name:\tUid:\nUid:\t33\t0\t0\t0\nGid:\t1\n"), Some(33));
        assert_eq!(parse_uid(b"Name:\tx\n"), None);
        assert_eq!(parse_table_size(b"Name:\tFDSize:\nFDSize:\t256\nGroups:\t1\n"), Some(256));
        let limits = b"Limit   Soft Limit  Hard Limit  Units\nMax open files            1024     4096    files\n";
        assert_eq!(parse_descriptors_max(limits), Some(1024));
        assert_eq!(parse_descriptors_max(b"Max open files   unlimited  unlimited files"), Some(u64::MAX));
    }

    #[test]
    fn the_init_of_a_container_is_pid_1_in_its_own_namespace_only() {
        for (line, expected) in [
            ("NSpid:\t4711\t1", true),
            ("NSpid:\t4711\t12\t1", true),
            ("NSpid:\t1", false),
            ("NSpid:\t4711\t1\t7", false),
            ("NSpid:\t1\t11", false),
            ("NSpid:", false),
            ("", false),
        ] {
            let content = format!("Name:\tNSpid: 5 1\nNStgid:\t4711\t1\n{line}\nNSpgid:\t9\t1\n");
            assert_eq!(is_container_init(content.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn arguments_are_separated_by_spaces_and_harmless() {
        assert_eq!(command(&mut b"nginx:\0master\0\0".to_vec()).as_str(), "nginx: master");
        assert_eq!(command(&mut b"a\0\x1b]52;c;\0".to_vec()).as_str(), "a ␛]52;c;");
        assert_eq!(command(&mut Vec::new()).as_str(), "");
    }

    #[test]
    fn this_process_is_described() {
        let (at, wall) = clock::now();
        let me = std::process::id();
        let directory = ProcDir::open().and_then(|proc| proc.process(me)).expect("own");
        let process = Describer::default().describe(&directory, me, ClockReading { at, wall }).expect("own");
        assert_eq!(process.id.pid, me);
        assert_eq!(process.parent_pid, std::os::unix::process::parent_id());
        assert_eq!(process.uid, Some(rustix::process::getuid().as_raw()));
        let program = std::env::args().next().expect("a name");
        assert!(process.command.as_str().starts_with(&program), "{:?}", process.command);
        let started = process.started.expect("known");
        assert!(started <= wall && started > wall.before(Duration::from_secs(3_600)), "{started:?} {wall:?}");
        assert!(Describer::default().descriptors_max(&directory).is_some_and(|max| max > 10));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(content in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse_uid(&content), parse_descriptors_max(&content));
        }
    }
}
