//! Which sockets the kernel lists, by cookie and inode. Each subset is dumped once, when it is first asked for.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use rustix::io::Errno;

use crate::model::endpoint::{Family, Protocol};
use crate::model::socket::{NetnsId, SocketRef};
use crate::source::linux::netlink::NetlinkSocket;
use crate::source::linux::sock_diag::{self, BOUND, DumpRequest, Identity, LISTENERS, STATES_ALL};

/// A part of the sockets of one protocol and family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SocketSubset {
    /// Those that listen.
    Listening,
    /// Those that are bound to a port and neither listen nor are connected.
    Bound,
    /// All of them.
    All,
}

/// What one dump of the kernel lists: a subset of the sockets of one protocol and family in one network namespace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct SubsetKey {
    netns: NetnsId,
    protocol: Protocol,
    family: Family,
    subset: SocketSubset,
}

impl SubsetKey {
    /// The subset that would list the socket `reference`.
    fn of(reference: &SocketRef, protocol: Protocol, subset: SocketSubset) -> Self {
        Self { netns: reference.id.netns(), protocol, family: reference.local.family(), subset }
    }
}

/// The subsets that were read, and why some could not be.
#[derive(Default)]
pub(super) struct SubsetsRead(BTreeMap<SubsetKey, Result<SubsetContents, Errno>>);

/// What tells the sockets of one subset apart.
struct SubsetContents {
    /// Cookie and local port of each.
    cookies: FxHashSet<(u64, u16)>,
    inodes: FxHashSet<u32>,
}

impl SubsetContents {
    fn of(listed: &[Identity]) -> Self {
        Self {
            cookies: listed.iter().map(|socket| (socket.cookie, socket.local_port)).collect(),
            inodes: listed.iter().map(|socket| socket.inode).collect(),
        }
    }
}

impl SubsetsRead {
    /// Whether `subset` has the socket with the cookie and the local port of `reference`, whatever its peer is.
    pub(super) fn has(
        &mut self,
        connection: &mut NetlinkSocket,
        subset: SocketSubset,
        reference: &SocketRef,
    ) -> Result<bool, Errno> {
        let sockets = self.read(connection, SubsetKey::of(reference, reference.protocol, subset))?;
        let wanted = reference.id.cookie().map(|cookie| (cookie, reference.local.port));
        Ok(wanted.is_some_and(|wanted| sockets.cookies.contains(&wanted)))
    }

    /// Whether an MPTCP socket in the namespace of `reference` has this inode; not if that cannot be read.
    pub(super) fn has_mptcp(&mut self, connection: &mut NetlinkSocket, reference: &SocketRef, inode: u32) -> bool {
        let sockets = self.read(connection, SubsetKey::of(reference, Protocol::Mptcp, SocketSubset::All));
        sockets.is_ok_and(|sockets| sockets.inodes.contains(&inode))
    }

    fn read(&mut self, connection: &mut NetlinkSocket, key: SubsetKey) -> Result<&SubsetContents, Errno> {
        let states = match key.subset {
            SocketSubset::Listening => LISTENERS,
            SocketSubset::Bound => BOUND,
            SocketSubset::All => STATES_ALL,
        };
        let request = DumpRequest { states, ..DumpRequest::of((key.protocol, key.family)) };
        let read = || sock_diag::identities(connection, request).map(|listed| SubsetContents::of(&listed));
        self.0.entry(key).or_insert_with(read).as_ref().map_err(|errno| *errno)
    }
}
