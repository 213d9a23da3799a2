//! Whether there is room for descriptors: for libraries that panic where they cannot open one (`RLIMIT_NOFILE`).

use std::io;

/// Whether `count` more descriptors can be opened at this moment; else the system's error.
#[cfg(unix)]
pub fn check_room(count: usize) -> io::Result<()> {
    let stderr = rustix::stdio::stderr();
    let opened: Result<Vec<_>, _> = (0..count).map(|_| rustix::io::fcntl_dupfd_cloexec(stderr, 0)).collect();
    match opened {
        // Nothing to count with: it is closed.
        Ok(_) | Err(rustix::io::Errno::BADF) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub fn check_room(_: usize) -> io::Result<()> {
    Ok(())
}
