//! Runs programs, and counts the sockets that they print.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a program printed, and how long it took.
pub struct Answer {
    /// From its start to its end.
    pub took: Duration,
    text: String,
}

/// How the sockets are found in what is printed.
#[derive(Clone, Copy)]
pub enum Printed {
    /// A number.
    Number,
    /// A line each, behind one line of headings.
    Table,
    /// A line each.
    Lines,
    /// A line for each group, behind one line of headings: its name, its number of sockets, and maybe more.
    Groups,
}

impl Answer {
    /// Runs a program to its end. It writes into a file in memory, so that nothing slows it that reads along.
    pub fn of(program: &str, args: &[String]) -> Self {
        let mut file: File = tempfile::tempfile_in("/dev/shm").expect("room in memory");
        let begun = Instant::now();
        let output = file.try_clone().expect("a descriptor more");
        let status = Command::new(program).args(args).stdout(output).stderr(Stdio::null()).status();
        let took = begun.elapsed();
        assert!(status.expect("the program is there").success(), "{program} {args:?} failed");
        let mut text = String::new();
        file.seek(SeekFrom::Start(0)).expect("a file");
        file.read_to_string(&mut text).expect("text");
        Self { took, text }
    }

    /// How many sockets it printed.
    pub fn count(&self, printed: Printed) -> usize {
        let lines = self.text.lines().count();
        match printed {
            Printed::Number => self.text.trim().parse().expect("a number"),
            Printed::Table => lines.saturating_sub(1),
            Printed::Lines => lines,
            Printed::Groups => self.numbers().sum(),
        }
    }

    fn numbers(&self) -> impl Iterator<Item = usize> {
        self.text.lines().filter_map(|line| line.split_whitespace().nth(1)?.replace(',', "").parse().ok())
    }
}

/// How many sockets conntop is to print.
pub enum Expected {
    /// As many as `ss` with these arguments prints lines, but not more than the limit.
    LinesOfSs(Vec<String>, usize),
    /// As many as this process has descriptors of sockets.
    SocketsOf(u32),
}

impl Expected {
    /// As many as there are now.
    pub fn now(&self) -> usize {
        match self {
            Self::LinesOfSs(args, most) => Answer::of("ss", args).count(Printed::Lines).min(*most),
            Self::SocketsOf(pid) => sockets_of(*pid),
        }
    }
}

fn sockets_of(pid: u32) -> usize {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a process of ours");
    let target = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.ok()?.path()).ok();
    entries.filter_map(target).filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}
