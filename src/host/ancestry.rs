//! What conntop runs inside: its parents, and what is known of them where `/proc` hides some.

use crate::model::action::Protection;
use crate::source::linux::proc_stat::{self, ProcessStat};

/// The longest chain of parents that is followed; a real one has about ten.
const ANCESTORS_MAX: usize = 64;
/// How often the chain is read anew where a parent ended meanwhile.
const LOOKS: usize = 3;
/// The most processes that are looked at for terminals.
const PROCESSES_MAX: usize = 65_536;

/// The processes that conntop runs inside. Read anew each time: a parent that ends is replaced.
#[derive(Debug, Default)]
pub(super) struct Ancestry {
    /// The parents, nearest first, without pid 1.
    ancestors: Vec<u32>,
    /// Whether `/proc` hides the parent of the last one, so that there are others.
    is_cut: bool,
    /// The session (`getsid`(2)) of conntop; 0 if it is not known.
    session: i64,
}

impl Ancestry {
    /// Looks now.
    pub(super) fn look() -> Self {
        let own = proc_stat::read(std::process::id());
        let session = own.map_or(0, |own| own.session);
        let mut ancestry = Self { ancestors: Vec::new(), is_cut: true, session };
        for _ in 0..LOOKS {
            let (ancestors, is_cut) = chain(std::process::id(), proc_stat::read);
            ancestry = Self { ancestors, is_cut, session };
            if !is_cut {
                break;
            }
        }
        ancestry
    }

    /// The parents that are known, nearest first.
    pub(super) fn ancestors(&self) -> &[u32] {
        &self.ancestors
    }

    /// Whether, and why, this process is never sent a signal.
    pub(super) fn protection(&self, pid: u32, stat: ProcessStat) -> Option<Protection> {
        if pid == 1 {
            Some(Protection::Init)
        } else if pid == std::process::id() {
            Some(Protection::Itself)
        } else if stat.is_kernel_thread() {
            Some(Protection::KernelThread)
        } else if self.ancestors.contains(&pid) {
            Some(Protection::Ancestor)
        } else {
            self.may_be_above(stat).then_some(Protection::Terminal)
        }
    }

    /// Whether conntop may run inside it, which cannot be seen. People sit at terminals: what has none is no shell.
    fn may_be_above(&self, stat: ProcessStat) -> bool {
        self.is_cut && (stat.terminal != 0 || stat.session != 0 && stat.session == self.session)
    }

    /// All processes that are protected, as far as they can be told in advance.
    pub(super) fn protected(&self) -> Vec<(u32, Protection)> {
        let mut protected = vec![(1, Protection::Init), (std::process::id(), Protection::Itself)];
        protected.extend(self.ancestors.iter().map(|pid| (*pid, Protection::Ancestor)));
        if self.is_cut {
            let pids = std::fs::read_dir("/proc").into_iter().flatten().take(PROCESSES_MAX);
            let pids = pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
            let others = pids.filter(|pid| !protected.iter().any(|(known, _)| known == pid));
            let others: Vec<u32> =
                others.filter(|pid| proc_stat::read(*pid).is_some_and(|it| self.may_be_above(it))).collect();
            protected.extend(others.into_iter().map(|pid| (pid, Protection::Terminal)));
        }
        protected
    }
}

/// The parents of `pid`, nearest first, without pid 1, and whether more could not be read. Parent 0 is none, or one
/// outside of the pid namespace, which no signal of ours reaches.
fn chain(pid: u32, read: impl Fn(u32) -> Option<ProcessStat>) -> (Vec<u32>, bool) {
    let mut ancestors = Vec::new();
    let mut pid = pid;
    loop {
        let Some(stat) = read(pid) else { return (ancestors, true) };
        let parent = stat.parent_pid;
        if parent <= 1 {
            return (ancestors, false);
        }
        // Parents cannot form a ring, but pids can be reused between two reads.
        if ancestors.contains(&parent) || ancestors.len() == ANCESTORS_MAX {
            return (ancestors, true);
        }
        ancestors.push(parent);
        pid = parent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: ProcessStat =
        ProcessStat { state: b'S', parent_pid: 1, session: 5, terminal: 0, flags: 0, threads: 1, start_ticks: 9 };
    /// `PF_KTHREAD`.
    const KERNEL_THREAD: ProcessStat = ProcessStat { flags: 0x0020_0000, ..PLAIN };

    /// Processes whose parent is the one that stands behind them.
    fn parents(pairs: &'static [(u32, u32)]) -> impl Fn(u32) -> Option<ProcessStat> {
        |pid| {
            pairs
                .iter()
                .find(|(child, _)| *child == pid)
                .map(|(_, parent_pid)| ProcessStat { parent_pid: *parent_pid, ..PLAIN })
        }
    }

    #[test]
    fn the_chain_says_whether_it_is_whole() {
        assert_eq!(chain(9, parents(&[(9, 8), (8, 7), (7, 1)])), (vec![8, 7], false));
        assert_eq!(chain(9, parents(&[(9, 8), (8, 0)])), (vec![8], false));
        assert_eq!(chain(9, parents(&[(9, 8)])), (vec![8], true), "8 is hidden");
        assert_eq!(chain(9, parents(&[])), (vec![], true));
        assert_eq!(chain(9, parents(&[(9, 8), (8, 9)])), (vec![8, 9], true), "reused between two reads");
    }

    #[test]
    fn where_a_parent_is_hidden_whoever_has_a_terminal_may_be_the_session() {
        let own = Ancestry { ancestors: vec![8], is_cut: true, session: 5 };
        assert_eq!(own.protection(8, PLAIN), Some(Protection::Ancestor));
        assert_eq!(own.protection(20, PLAIN), Some(Protection::Terminal), "the same session");
        assert_eq!(own.protection(20, ProcessStat { session: 6, ..PLAIN }), None);
        assert_eq!(
            own.protection(20, ProcessStat { session: 6, terminal: 34816, ..PLAIN }),
            Some(Protection::Terminal)
        );
        let whole = Ancestry { is_cut: false, ..own };
        assert_eq!(whole.protection(20, PLAIN), None);
        assert_eq!(whole.protection(8, PLAIN), Some(Protection::Ancestor));
        assert_eq!(whole.protection(20, KERNEL_THREAD), Some(Protection::KernelThread));
        assert_eq!(whole.protection(1, PLAIN), Some(Protection::Init));
    }

    #[test]
    fn the_parent_of_this_test_is_known() {
        let ancestry = Ancestry::look();
        let parent = std::os::unix::process::parent_id();
        assert!(parent == 1 || ancestry.ancestors().contains(&parent));
        assert!(ancestry.protected().contains(&(std::process::id(), Protection::Itself)));
    }
}
