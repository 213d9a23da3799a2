//! The fields of `/proc/PID/stat` that decide who may be signalled, and who has ended (`proc_pid_stat(5)`).

/// `PF_KTHREAD` of `include/linux/sched.h`: the process is a kernel thread.
const PF_KTHREAD: u64 = 0x0020_0000;

/// What a process is, as far as a signal is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// From fields 3 and 20: its main thread is dead, and so are all others, or there are none.
    pub(super) has_ended: bool,
    /// Field 4.
    pub(super) parent_pid: u32,
    /// Field 6: the session; 0 where its leader is in a pid namespace outside.
    pub(super) session: i64,
    /// Field 7: the controlling terminal; 0 without one.
    pub(super) terminal: i64,
    /// Field 22, in clock ticks since boot.
    pub(super) start_ticks: u64,
    /// From field 9.
    pub(super) is_kernel_thread: bool,
}

/// Reads the process `pid`; `None` if there is none or `/proc` hides it.
pub(super) fn read(pid: u32) -> Option<Stat> {
    parse(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The name (field 2) is up to 15 arbitrary bytes in parentheses: only what follows the last `)` can be counted.
fn parse(bytes: &[u8]) -> Option<Stat> {
    let name_end = bytes.iter().rposition(|byte| *byte == b')')?;
    // fields[0] is field 3, the state.
    let fields: Vec<_> = std::str::from_utf8(bytes.get(name_end + 1..)?).ok()?.split_ascii_whitespace().collect();
    // Dead threads that were not the main one leave at once; the main thread stays, as a zombie, until all have ended.
    let threads = fields.get(17)?.parse::<u64>().ok()?;
    Some(Stat {
        has_ended: matches!(*fields.first()?, "Z" | "X" | "x") && threads <= 1,
        parent_pid: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        terminal: fields.get(4)?.parse().ok()?,
        is_kernel_thread: fields.get(6)?.parse::<u64>().ok()? & PF_KTHREAD != 0,
        start_ticks: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_shifts_nothing() {
        let line =
            b"812 (a) R 1 () S 7 812 812 0 -1 4194560 9 0 0 0 1 2 0 0 20 0 3 0 123456 99 5 18446744073709551615\n";
        let stat = parse(line).expect("a whole line");
        let expected = Stat {
            has_ended: false,
            parent_pid: 7,
            session: 812,
            terminal: 0,
            start_ticks: 123_456,
            is_kernel_thread: false,
        };
        assert_eq!(stat, expected);
    }

    #[test]
    fn a_kernel_thread_is_told_by_its_flag() {
        let line = b"9 (kworker/0:1) I 2 0 0 0 -1 69238880 0 0 0 0 0 0 0 0 20 0 1 0 30 0 0\n";
        assert!(parse(line).expect("a whole line").is_kernel_thread);
    }

    #[test]
    fn who_has_a_living_thread_has_not_ended() {
        for (state, threads, has_ended) in
            [("Z", 1, true), ("Z", 0, true), ("X", 0, true), ("Z", 2, false), ("S", 1, false), ("T", 1, false)]
        {
            let line = format!("9 (x) {state} 2 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 {threads} 0 30 0 0\n");
            assert_eq!(parse(line.as_bytes()).expect("a whole line").has_ended, has_ended, "{state} {threads}");
        }
    }

    #[test]
    fn this_process_can_be_read() {
        let stat = read(std::process::id()).expect("/proc is mounted");
        assert_eq!(stat.parent_pid, std::os::unix::process::parent_id());
        assert!(!stat.is_kernel_thread);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }
    }
}
