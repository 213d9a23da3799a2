//! Enters network namespaces: on a thread of its own, which opens a socket (or asks something) in each and ends. No other thread of conntop
//! ever changes its namespace; a netlink socket stays in the one it was opened in (setns(2), netlink(7)).

use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::model::socket::NetnsId;
use crate::source::linux::namespaces::NamespaceLocation;
use crate::source::linux::netlink::{Buffer, NetlinkSocket};

/// Opens a connection to `sock_diag` in each of `locations`, which all receive in `buffer`. `EPERM` and `EACCES` say that the user may not enter.
pub fn open_in(
    locations: Vec<(NetnsId, NamespaceLocation)>,
    buffer: Buffer,
) -> Vec<(NetnsId, Result<NetlinkSocket, Errno>)> {
    in_each(locations, move || NetlinkSocket::open_in_other_namespace(buffer.clone()))
}

/// Does `act` in each of `locations`, and hands back what it answers there.
pub fn in_each<T: Send + 'static>(
    locations: Vec<(NetnsId, NamespaceLocation)>,
    act: impl Fn() -> Result<T, Errno> + Send + 'static,
) -> Vec<(NetnsId, Result<T, Errno>)> {
    let asked: Vec<NetnsId> = locations.iter().map(|(netns, _)| *netns).collect();
    let open = move || {
        let each =
            |(netns, location): &(NetnsId, NamespaceLocation)| (*netns, enter(*netns, location).and_then(|()| act()));
        locations.iter().map(each).collect()
    };
    let opened = thread::Builder::new().name("netns".into()).spawn(open).map(thread::JoinHandle::join);
    match opened {
        Ok(Ok(opened)) => opened,
        _ => asked.into_iter().map(|netns| (netns, Err(Errno::AGAIN))).collect(),
    }
}

/// Moves this thread into a namespace.
fn enter(netns: NetnsId, location: &NamespaceLocation) -> Result<(), Errno> {
    let namespace_file = namespace_file(netns, location)?;
    move_into_link_name_space(namespace_file.as_fd(), Some(LinkNameSpaceType::Network))
}

/// The file of the namespace: of its mount or of its process, whichever still leads there.
fn namespace_file(netns: NetnsId, location: &NamespaceLocation) -> Result<OwnedFd, Errno> {
    let process = location.process.map(|pid| format!("/proc/{pid}/ns/net").into_bytes());
    let paths = [location.mount.as_ref().map(|mount| mount.0.clone()), process];
    let mut error = Errno::NOENT;
    for path in paths.into_iter().flatten() {
        match openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
            // A reused pid or a mount on top leads elsewhere.
            Ok(file) if fstat(&file)?.st_ino == u64::from(netns.0) => return Ok(file),
            Ok(_) => {}
            Err(refused) => error = refused,
        }
    }
    Err(error)
}
