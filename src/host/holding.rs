//! Which sockets a process holds, by the descriptors of all its threads: the main thread may have ended, and any thread
//! may have a table of its own (`unshare`(2), `CLONE_FILES`).

use std::collections::BTreeSet;
use std::io;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::source::linux::proc_dir::socket_inode;

/// The most threads whose tables are looked at.
const THREADS_MAX: usize = 4_096;

/// Whether `pid` holds one of the sockets `inodes`. The error says that this cannot be seen.
pub(super) fn holds_any(pid: u32, inodes: &[NonZeroU32]) -> io::Result<bool> {
    let wanted: BTreeSet<u32> = inodes.iter().map(|inode| inode.get()).collect();
    let seen =
        each_socket(
            pid,
            |inode| {
                if wanted.contains(&inode) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        )?;
    Ok(seen.is_break())
}

/// The inodes of the sockets that `pid` holds; none where that may not be seen.
pub(super) fn sockets_of(pid: u32) -> BTreeSet<u32> {
    let mut inodes = BTreeSet::new();
    let _ = each_socket(pid, |inode| {
        inodes.insert(inode);
        ControlFlow::Continue(())
    });
    inodes
}

/// Hands over each socket of `pid`, until `take` has had enough: of its main thread first, which shares its table with
/// the others as a rule.
fn each_socket(pid: u32, mut take: impl FnMut(u32) -> ControlFlow<()>) -> io::Result<ControlFlow<()>> {
    let process = format!("/proc/{pid}");
    let first = each_in(&Path::new(&process).join("fd"), &mut take)?;
    if first.is_break() {
        return Ok(first);
    }
    for thread in std::fs::read_dir(Path::new(&process).join("task"))?.take(THREADS_MAX) {
        // A thread that has ended meanwhile holds nothing.
        let Ok(thread) = thread else { continue };
        if thread.file_name().as_bytes() == pid.to_string().as_bytes() {
            continue;
        }
        match each_in(&thread.path().join("fd"), &mut take) {
            Ok(ControlFlow::Continue(())) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn each_in(table: &Path, take: &mut impl FnMut(u32) -> ControlFlow<()>) -> io::Result<ControlFlow<()>> {
    for entry in std::fs::read_dir(table)? {
        // Closed meanwhile, or no link that may be followed: not to be seen, so not to be told of.
        let Ok(target) = entry.and_then(|entry| std::fs::read_link(entry.path())) else { continue };
        if let Some(inode) = socket_inode(target.as_os_str().as_bytes())
            && take(inode).is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

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
