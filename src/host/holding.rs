//! Which sockets a process holds, by the descriptors of all its threads: the main thread may have ended, and any thread
//! may have a table of its own (`unshare`(2), `CLONE_FILES`).

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use rustix::io::Errno;

use crate::source::linux::proc_dir::{ProcDir, ProcessDir, SocketFd};

/// The most threads whose tables are looked at.
const THREADS_MAX: usize = 4_096;

/// Whether `pid` holds one of the sockets `inodes`. The error says that this cannot be seen.
pub(super) fn holds_any(pid: u32, inodes: &[NonZeroU32]) -> Result<bool, Errno> {
    let holds = |table: &[SocketFd]| table.iter().any(|held| inodes.iter().any(|wanted| wanted.get() == held.inode));
    let mut found = false;
    each_table(pid, |table| {
        found = holds(table);
        !found
    })?;
    Ok(found)
}

/// The inodes of the sockets that `pid` holds; none where that may not be seen.
pub(super) fn sockets_of(pid: u32) -> BTreeSet<u32> {
    let mut inodes = BTreeSet::new();
    let _ = each_table(pid, |table| {
        inodes.extend(table.iter().map(|held| held.inode));
        true
    });
    inodes
}

/// Hands over the sockets of each descriptor table of `pid` as long as `take` wants more: of the main thread first, which
/// shares its table with the others as a rule.
fn each_table(pid: u32, mut take: impl FnMut(&[SocketFd]) -> bool) -> Result<(), Errno> {
    let mut proc = ProcDir::open()?;
    let process = proc.process(pid)?;
    if !take(&sockets_in(&mut proc, &process)?) {
        return Ok(());
    }
    for tid in process.threads(THREADS_MAX)?.into_iter().filter(|tid| *tid != pid) {
        match process.thread(tid).and_then(|thread| sockets_in(&mut proc, &thread)) {
            Ok(table) if take(&table) => {}
            // A thread that has ended meanwhile holds nothing.
            Err(Errno::NOENT | Errno::SRCH) => {}
            other => return other.map(drop),
        }
    }
    Ok(())
}

/// The sockets in one descriptor table. Of a descriptor that cannot be read nothing is told.
fn sockets_in(proc: &mut ProcDir, table: &ProcessDir) -> Result<Vec<SocketFd>, Errno> {
    let mut sockets = Vec::new();
    match proc.sockets(table, 0..u32::MAX, &mut sockets) {
        Err(error @ (Errno::ACCESS | Errno::PERM | Errno::NOENT | Errno::SRCH)) => Err(error),
        Ok(_) | Err(_) => Ok(sockets),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use crate::source::linux::proc_dir::socket_inode;

    fn inode_of(socket: &impl AsRawFd) -> NonZeroU32 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).expect("own descriptor");
        socket_inode(link.as_os_str().as_bytes()).and_then(NonZeroU32::new).expect("a socket")
    }

    #[test]
    fn what_a_process_holds_is_seen_until_it_lets_go() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (own, inode) = (std::process::id(), inode_of(&listener));
        assert!(holds_any(own, &[NonZeroU32::MAX, inode]).expect("our own"));
        assert!(sockets_of(own).contains(&inode.get()));
        drop(listener);
        assert!(!holds_any(own, &[inode]).expect("our own"));
        assert!(holds_any(u32::MAX, &[inode]).is_err() && sockets_of(u32::MAX).is_empty());
    }
}
