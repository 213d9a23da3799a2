//! Closes sockets by `SOCK_DESTROY`, each over a connection to `sock_diag` in the network namespace of the socket.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;

use rustc_hash::FxHashSet;
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities};

use crate::model::closing::{Close, CloseOutcome, Spared};
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::socket::NetnsId;
use crate::model::text::DisplayText;
use crate::source::clock;
use crate::source::linux::namespaces::{Namespaces, enter};
use crate::source::linux::netlink::Connection;
use crate::source::linux::proc_dir::socket_inode;
use crate::source::linux::sock_diag::{self, Decoder, Found};

/// The most steps that looking for a network namespace takes: each looks at 4,096 processes.
const STEPS_MAX: usize = 64;
/// The most descriptors of one process that are looked at for the sockets of our session.
const DESCRIPTORS_MAX: usize = 65_536;

/// Whether this thread has `CAP_NET_ADMIN`. In a user namespace it may have it and still be refused by the kernel.
pub(super) fn is_permitted() -> bool {
    // Where the kernel does not say, it shall decide itself.
    capabilities(None).map_or(true, |sets| sets.effective.contains(CapabilitySet::NET_ADMIN))
}

/// Connections to `sock_diag` by network namespace, opened when they are needed.
#[derive(Default)]
pub(super) struct Doors(BTreeMap<NetnsId, Result<Connection, CloseOutcome>>);

impl Doors {
    /// Closes exactly this socket.
    pub(super) fn close(&mut self, close: &Close) -> CloseOutcome {
        let netns = close.socket.id.netns();
        let door = match self.0.entry(netns) {
            Entry::Occupied(door) => door.into_mut(),
            Entry::Vacant(place) => place.insert(open(netns)),
        };
        match door {
            Ok(connection) => close_over(connection, close),
            Err(outcome) => outcome.clone(),
        }
    }
}

fn close_over(connection: &mut Connection, close: &Close) -> CloseOutcome {
    match sock_diag::destroy(connection, &close.socket) {
        Ok(()) => after(connection, close),
        Err(errno) => outcome(errno),
    }
}

/// What the kernel has of it after it was closed. A UDP socket stays with its process, only its peer is unset.
fn after(connection: &mut Connection, close: &Close) -> CloseOutcome {
    if close.socket.protocol == Protocol::Udp {
        return CloseOutcome::Disconnected;
    }
    let decoder = Decoder { netns: close.socket.id.netns() };
    match decoder.look_up(connection, &close.socket) {
        Found::Here(socket) => CloseOutcome::StillThere(socket.state),
        _ => CloseOutcome::Closed,
    }
}

fn outcome(errno: Errno) -> CloseOutcome {
    match errno {
        Errno::NOENT => CloseOutcome::Gone,
        Errno::PERM | Errno::ACCESS => CloseOutcome::NotPermitted,
        Errno::OPNOTSUPP => CloseOutcome::Unsupported,
        Errno::INVAL => failed("this source does not say which socket it is; use --source linux"),
        errno => failed(&format!("the kernel refused: {errno}; try ss -K, or kill its process")),
    }
}

fn failed(sentence: &str) -> CloseOutcome {
    CloseOutcome::Failed(DisplayText::new(sentence))
}

/// A connection in the network namespace `netns`.
fn open(netns: NetnsId) -> Result<Connection, CloseOutcome> {
    let mut namespaces = Namespaces::open();
    if netns == namespaces.own() || netns == NetnsId(0) {
        return Connection::open()
            .map_err(|errno| failed(&format!("the kernel refuses sock_diag: {errno}; kill its process instead")));
    }
    let now = clock::now().0;
    for _ in 0..STEPS_MAX {
        if namespaces.places().contains_key(&netns) {
            break;
        }
        namespaces.refresh(now, true);
    }
    let place = namespaces.places().get(&netns).cloned();
    let place = place.ok_or_else(|| failed("its network namespace is not to be found any more; look again"))?;
    match enter::open_in(vec![(netns, place)]).pop() {
        Some((_, Ok(connection))) => Ok(connection),
        Some((_, Err(Errno::PERM | Errno::ACCESS))) => {
            Err(failed("its network namespace may not be entered; run conntop as root, or inside of it"))
        }
        Some((_, Err(errno))) => Err(failed(&format!("its network namespace cannot be entered: {errno}; look again"))),
        None => Err(failed("its network namespace cannot be entered; look again")),
    }
}

/// The sockets that carry conntop: its own and those of the processes it runs inside.
pub(super) struct Session {
    own: FxHashSet<u32>,
    ancestors: FxHashSet<u32>,
    /// Both ends of the ssh connection, as addresses without the marks of IPv6: the client's first.
    ssh: Option<(IpAddr, u16, IpAddr, u16)>,
}

impl Session {
    /// Looks at what conntop and its `ancestors` hold now.
    pub(super) fn of(ancestors: &[u32]) -> Self {
        Self {
            own: sockets_of(std::process::id()).collect(),
            ancestors: ancestors.iter().flat_map(|pid| sockets_of(*pid)).collect(),
            ssh: std::env::var("SSH_CONNECTION").ok().and_then(|text| parse_ssh(&text)),
        }
    }

    /// Whether, and why, this socket is never closed.
    pub(super) fn spares(&self, close: &Close) -> Option<Spared> {
        let held_by = |sockets: &FxHashSet<u32>| close.inode.is_some_and(|inode| sockets.contains(&inode.get()));
        let plain = |endpoint: Endpoint| (endpoint.addr.to_canonical(), endpoint.port);
        let is_ssh = self.ssh.is_some_and(|(client, client_port, server, server_port)| {
            plain(close.socket.remote) == (client, client_port) && plain(close.socket.local) == (server, server_port)
        });
        if held_by(&self.own) {
            Some(Spared::Itself)
        } else {
            (held_by(&self.ancestors) || is_ssh).then_some(Spared::Session)
        }
    }
}

/// The inodes of the sockets that a process holds; none where that may not be seen.
fn sockets_of(pid: u32) -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().take(DESCRIPTORS_MAX);
    entries.filter_map(|entry| {
        let target = std::fs::read_link(entry.ok()?.path()).ok()?;
        socket_inode(target.as_os_str().as_bytes())
    })
}

/// `SSH_CONNECTION` (ssh(1)): the client's address and port, the server's address and port.
fn parse_ssh(text: &str) -> Option<(IpAddr, u16, IpAddr, u16)> {
    let mut words = text.split(' ');
    // An address of a link has its interface behind a %.
    let addr = |word: Option<&str>| word?.split('%').next()?.parse().ok().map(|addr: IpAddr| addr.to_canonical());
    let (client, client_port) = (addr(words.next())?, words.next()?.parse().ok()?);
    Some((client, client_port, addr(words.next())?, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::tcp;

    fn close(local: &str, remote: &str) -> Close {
        Close::of(&tcp(1).local(local).remote(remote).build()).expect("it has a cookie")
    }

    #[test]
    fn the_ssh_connection_of_this_session_is_spared_and_no_other() {
        let session = Session {
            own: [1].into_iter().collect(),
            ancestors: [2].into_iter().collect(),
            ssh: parse_ssh("10.0.0.9 50122 10.0.0.7 22"),
        };
        let with = |inode, close: Close| session.spares(&Close { inode: std::num::NonZeroU32::new(inode), ..close });
        assert_eq!(with(9, close("10.0.0.7:22", "10.0.0.9:50122")), Some(Spared::Session));
        assert_eq!(with(9, close("[::ffff:10.0.0.7]:22", "[::ffff:10.0.0.9]:50122")), Some(Spared::Session));
        assert_eq!(with(9, close("10.0.0.7:22", "10.0.0.9:50123")), None);
        assert_eq!(with(0, close("10.0.0.7:22", "10.0.0.8:50122")), None);
        assert_eq!(with(1, close("10.0.0.7:1", "10.0.0.8:2")), Some(Spared::Itself));
        assert_eq!(with(2, close("10.0.0.7:1", "10.0.0.8:2")), Some(Spared::Session));
        assert_eq!(parse_ssh("fe80::1%eth0 5 fe80::2%eth0 22").map(|ssh| ssh.1), Some(5));
        for text in ["", "10.0.0.9", "a b c d", "10.0.0.9 99999 10.0.0.7 22"] {
            assert_eq!(parse_ssh(text), None, "{text}");
        }
    }

    #[test]
    fn the_sockets_of_this_process_are_its_own() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let before = sockets_of(std::process::id()).count();
        assert!(before > 0);
        drop(listener);
        assert_eq!(sockets_of(u32::MAX).count(), 0);
    }

    #[test]
    fn every_error_of_the_kernel_is_understood() {
        assert_eq!(outcome(Errno::NOENT), CloseOutcome::Gone);
        assert_eq!(outcome(Errno::PERM), CloseOutcome::NotPermitted);
        assert_eq!(outcome(Errno::OPNOTSUPP), CloseOutcome::Unsupported);
        assert!(matches!(outcome(Errno::BUSY), CloseOutcome::Failed(_)));
    }
}
