//! Which sockets the kernel has, by what they are known again: read once a table, when it is first asked for.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use rustix::io::Errno;

use crate::model::endpoint::{Family, Protocol};
use crate::model::socket::{NetnsId, SocketRef};
use crate::source::linux::netlink::NetlinkSocket;
use crate::source::linux::sock_diag::{self, BOUND, DumpRequest, Identity, LISTENERS, STATES_ALL};

/// A part of the sockets of one protocol and family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    /// Those that listen.
    Listening,
    /// Those that are bound to a port and neither listen nor are connected.
    Bound,
    /// All of them.
    All,
}

type Key = (NetnsId, Protocol, Family, Table);

/// The tables that were read.
#[derive(Default)]
pub(super) struct Tables(BTreeMap<Key, Result<Sockets, Errno>>);

/// What one table has.
struct Sockets {
    /// Cookies and local ports.
    cookies: FxHashSet<(u64, u16)>,
    inodes: FxHashSet<u32>,
}

impl Sockets {
    fn of(listed: &[Identity]) -> Self {
        Self {
            cookies: listed.iter().map(|socket| (socket.cookie, socket.local_port)).collect(),
            inodes: listed.iter().map(|socket| socket.inode).collect(),
        }
    }
}

impl Tables {
    /// Whether `table` has the socket with the cookie and the local port of `reference`, whatever its peer is.
    pub(super) fn has(
        &mut self,
        connection: &mut NetlinkSocket,
        table: Table,
        reference: &SocketRef,
    ) -> Result<bool, Errno> {
        let sockets = self.read(connection, reference.protocol, table, reference)?;
        let wanted = reference.id.cookie().map(|cookie| (cookie, reference.local.port));
        Ok(wanted.is_some_and(|wanted| sockets.cookies.contains(&wanted)))
    }

    /// Whether there is an MPTCP socket with this inode where `reference` is; not if that cannot be read.
    pub(super) fn has_mptcp(&mut self, connection: &mut NetlinkSocket, reference: &SocketRef, inode: u32) -> bool {
        let sockets = self.read(connection, Protocol::Mptcp, Table::All, reference);
        sockets.is_ok_and(|sockets| sockets.inodes.contains(&inode))
    }

    fn read(
        &mut self,
        connection: &mut NetlinkSocket,
        protocol: Protocol,
        table: Table,
        place: &SocketRef,
    ) -> Result<&Sockets, Errno> {
        let family = place.local.family();
        let states = match table {
            Table::Listening => LISTENERS,
            Table::Bound => BOUND,
            Table::All => STATES_ALL,
        };
        let request = DumpRequest { states, ..DumpRequest::of((protocol, family)) };
        let key = (place.id.netns(), protocol, family, table);
        let read = || sock_diag::identities(connection, request).map(|listed| Sockets::of(&listed));
        let sockets = self.0.entry(key).or_insert_with(read);
        sockets.as_ref().map_err(|errno| *errno)
    }
}
