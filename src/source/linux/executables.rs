//! Which program a process runs: `/proc/PID/exe`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use rustix::io::Errno;

use crate::model::process::{Executable, ProcessId};
use crate::model::text::{COMMAND_LEN_MAX, DisplayText};
use crate::source::linux::proc_dir::{ProcDir, ProcessDir};
use crate::source::linux::processes::Describer;

/// The program of the process `id`; [`Executable::Gone`] where it has ended, also if its pid is another's now.
pub fn of(id: ProcessId) -> Executable {
    let directory = match ProcDir::open().and_then(|proc| proc.process(id.pid)) {
        Ok(directory) => directory,
        Err(error) => return unread(error),
    };
    let path = directory.link(c"exe").or_else(|error| link_of_a_thread(&directory, id.pid).ok_or(error));
    // Asked after the link was read: it was of this process, then.
    let mut describer = Describer::default();
    let is_kernel_thread = match describer.stat(&directory) {
        Ok(stat) if stat.start_ticks == id.start_ticks => stat.is_kernel_thread(),
        Ok(_) => return Executable::Gone,
        Err(error) => return unread(error),
    };
    match path {
        Ok(path) => Executable::Path(DisplayText::from_bytes(&path, COMMAND_LEN_MAX)),
        Err(_) if is_kernel_thread => Executable::None,
        Err(error) => unread(error),
    }
}

/// The main thread of a process may have ended, and with it the link; the other threads have it still.
fn link_of_a_thread(directory: &ProcessDir, pid: u32) -> Option<Vec<u8>> {
    let tid = directory.threads(2).ok()?.into_iter().find(|tid| *tid != pid)?;
    directory.thread(tid).and_then(|thread| thread.link(c"exe")).ok()
}

/// What the error says of the program that could not be read.
const fn unread(error: Errno) -> Executable {
    match error {
        Errno::NOENT | Errno::SRCH => Executable::Gone,
        Errno::ACCESS | Errno::PERM => Executable::Hidden,
        _ => Executable::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn myself() -> ProcessId {
        let pid = std::process::id();
        let directory = ProcDir::open().and_then(|proc| proc.process(pid)).expect("alive");
        ProcessId { pid, start_ticks: Describer::default().start_ticks(&directory).expect("alive") }
    }

    #[test]
    fn this_test_runs_the_program_that_it_is() {
        let path = std::env::current_exe().expect("a test knows its program");
        assert_eq!(of(myself()), Executable::Path(DisplayText::new(path.to_str().expect("UTF-8"))));
    }

    #[test]
    fn another_process_under_the_same_pid_is_not_taken_for_it() {
        let me = myself();
        assert_eq!(of(ProcessId { start_ticks: me.start_ticks + 1, ..me }), Executable::Gone);
        assert_eq!(of(ProcessId { pid: u32::MAX >> 1, start_ticks: 1 }), Executable::Gone);
    }
}
