//! Which program a process runs: `/proc/PID/exe`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use rustix::io::Errno;

use crate::model::process::{Executable, ProcessId};
use crate::model::text::{COMMAND_LEN_MAX, DisplayText};
use crate::source::linux::proc_dir::ProcDir;
use crate::source::linux::processes::Describer;

/// The program of the process `id`; [`Executable::Gone`] where it has ended, also if its pid is another's now.
pub fn of(id: ProcessId) -> Executable {
    let Ok(directory) = ProcDir::open().and_then(|proc| proc.process(id.pid)) else {
        return Executable::Gone;
    };
    let path = directory.link(c"exe");
    // Asked after the link was read: it was of this process, then.
    if Describer::default().identify(&directory).is_none_or(|(ticks, _)| ticks != id.start_ticks) {
        return Executable::Gone;
    }
    match path {
        Ok(path) => Executable::Path(DisplayText::from_bytes(&path, COMMAND_LEN_MAX)),
        Err(Errno::ACCESS | Errno::PERM) => Executable::Hidden,
        // A kernel thread has none.
        Err(_) => Executable::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn myself() -> ProcessId {
        let pid = std::process::id();
        let directory = ProcDir::open().and_then(|proc| proc.process(pid)).expect("alive");
        ProcessId { pid, start_ticks: Describer::default().identify(&directory).expect("alive").0 }
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
