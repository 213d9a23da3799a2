//! Which sockets the kernel has, by cookie: read once a table, when it is first asked for.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use rustix::io::Errno;

use crate::model::endpoint::{Family, Protocol};
use crate::model::socket::{NetnsId, SocketRef};
use crate::source::linux::netlink::Connection;
use crate::source::linux::sock_diag::{self, DumpRequest, STATES_ALL};

/// `1 << TCP_LISTEN` (`include/net/tcp_states.h`).
const LISTENING: u32 = 1 << 10;
/// `1 << TCP_BOUND_INACTIVE`, since Linux 6.8; an older kernel lists none.
const BOUND: u32 = 1 << 13;

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
pub(super) struct Tables(BTreeMap<Key, Result<FxHashSet<(u64, u16)>, Errno>>);

impl Tables {
    /// Whether `table` has the socket with the cookie and the local port of `reference`, whatever its peer is.
    pub(super) fn has(
        &mut self,
        connection: &mut Connection,
        table: Table,
        reference: &SocketRef,
    ) -> Result<bool, Errno> {
        let (protocol, family) = (reference.protocol, reference.local.family());
        let states = match table {
            Table::Listening => LISTENING,
            Table::Bound => BOUND,
            Table::All => STATES_ALL,
        };
        let request = DumpRequest { states, ..DumpRequest::of((protocol, family)) };
        let key = (reference.id.netns(), protocol, family, table);
        let cookies = self.0.entry(key).or_insert_with(|| sock_diag::cookies(connection, request));
        let wanted = reference.id.cookie().map(|cookie| (cookie, reference.local.port));
        cookies.as_ref().map(|cookies| wanted.is_some_and(|wanted| cookies.contains(&wanted))).map_err(|errno| *errno)
    }
}
