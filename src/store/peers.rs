//! Who is at the other end of a connection, where that end is on this machine too: the socket with the same two ends the
//! other way round.
//!
//! Only connections of which somebody may ask are in the table: those with which something may be wrong, those with much in
//! a queue, and those in `CLOSE_WAIT`. It is kept as rows come and go, so the silent mass costs nothing.

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::model::address::Destination;
use crate::model::endpoint::Protocol;
use crate::model::hosts::whole_host;
use crate::model::memory::TableSize;
use crate::model::socket::Socket;
use crate::store::row::{RowIndex, SocketRow};

/// A table with room for so many times what is in it is made smaller.
const SLACK: usize = 4;
/// A table of this size is not worth making smaller.
const SMALL: usize = 64;

/// Rows by their ends.
#[derive(Clone, Debug, Default)]
pub struct PeerTable {
    table: HashTable<EndpointsSlot>,
}

#[derive(Clone, Copy, Debug)]
struct EndpointsSlot {
    hash: u64,
    index: RowIndex,
}

impl PeerTable {
    /// `socket` lives in the row at `index`.
    pub(super) fn enter(&mut self, index: RowIndex, socket: &Socket) {
        let place = EndpointsSlot { hash: hash(near(socket), far(socket)), index };
        self.table.insert_unique(place.hash, place, |place| place.hash);
    }

    /// `socket` no longer lives in the row at `index`.
    pub(super) fn leave(&mut self, index: RowIndex, socket: &Socket) {
        if let Ok(place) = self.table.find_entry(hash(near(socket), far(socket)), |place| place.index == index) {
            place.remove();
        }
        if self.table.capacity() > SMALL.max(self.table.len().saturating_mul(SLACK)) {
            self.table.shrink_to(self.table.len(), |place| place.hash);
        }
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> TableSize {
        let bytes = self.table.capacity() * size_of::<EndpointsSlot>();
        TableSize { what: "peers on this machine", len: self.table.len(), bytes }
    }

    /// The other end of `socket`: in its own network namespace, else in another one that is shown, if there is just one
    /// (containers of two networks may use the same addresses). Of several hosts only its own counts: two may have the same
    /// private addresses. A loopback address is another one in each namespace.
    /// `row_at` gives the row at an index.
    pub(super) fn of<'a>(
        &self,
        socket: &Socket,
        row_at: impl Fn(RowIndex) -> Option<&'a SocketRow>,
    ) -> Option<&'a SocketRow> {
        let (near, far) = (near(socket), far(socket));
        let is_mirrored = |row: &&SocketRow| {
            let other = &row.connection.socket;
            let are_beside = whole_host(other.id.netns()) == whole_host(socket.id.netns());
            are_beside
                && !row.is_closed()
                && other.id != socket.id
                && (self::near(other), self::far(other)) == (far, near)
        };
        let mirrored = || {
            let places = self.table.iter_hash(hash(far, near));
            places.filter_map(|place| row_at(place.index)).filter(is_mirrored)
        };
        let is_near = |row: &&SocketRow| row.connection.socket.id.netns() == socket.id.netns();
        if let Some(row) = mirrored().find(is_near) {
            return Some(row);
        }
        let mut elsewhere = mirrored().filter(|_| !far.address.ip().is_loopback());
        elsewhere.next().filter(|_| elsewhere.next().is_none())
    }
}

/// Whether a connection can have its other end in the table. What carries an MPTCP connection is told of by that.
pub(super) fn is_connected(socket: &Socket) -> bool {
    socket.protocol != Protocol::Udp && !socket.remote.is_unset() && !socket.is_subflow
}

/// Our end. (An interface is a number of one namespace: the other end may have another one.)
fn near(socket: &Socket) -> Destination {
    end(socket.place())
}

fn far(socket: &Socket) -> Destination {
    end(socket.destination())
}

fn end(end: Destination) -> Destination {
    Destination { address: crate::model::address::Address::new(end.address.ip(), None), ..end }
}

fn hash(near: Destination, far: Destination) -> u64 {
    use std::hash::BuildHasher;
    FxBuildHasher.hash_one((near, far))
}

#[cfg(test)]
mod tests {
    use crate::model::delta::{Delta, Removed};
    use crate::model::socket::NetnsId;
    use crate::model::testing::{SocketBuilder, connection, source_info, tcp};
    use crate::model::time::Timestamp;
    use crate::store::Store;

    fn reader(cookie: u64) -> SocketBuilder {
        tcp(cookie).local("10.0.0.1:9001").remote("10.0.0.2:50000").queues(100_000, 0)
    }

    fn writer(cookie: u64) -> SocketBuilder {
        tcp(cookie).local("10.0.0.2:50000").remote("10.0.0.1:9001").queues(0, 3_000_000)
    }

    fn peer(sockets: Vec<SocketBuilder>) -> Option<u64> {
        let mut store = Store::new(source_info());
        let asked = sockets[0].clone().build();
        let added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
        store.apply(Delta { added, ..Delta::default() });
        store.peer(&asked).and_then(|row| row.connection.socket.id.cookie())
    }

    #[test]
    fn the_other_end_is_the_one_with_the_ends_the_other_way_round() {
        assert_eq!(peer(vec![reader(1), writer(2)]), Some(2));
        assert_eq!(peer(vec![writer(1), reader(2)]), Some(2));
        let mapped = writer(2).local("[::ffff:10.0.0.2]:50000").remote("[::ffff:10.0.0.1]:9001");
        assert_eq!(peer(vec![reader(1), mapped]), Some(2), "however its address is written");
        assert_eq!(peer(vec![reader(1), writer(2).local("10.0.0.2:50001")]), None);
        assert_eq!(peer(vec![reader(1)]), None);
        let to_itself = reader(1).local("10.0.0.1:50000").remote("10.0.0.1:50000");
        assert_eq!(peer(vec![to_itself]), None, "a socket that is connected to itself is no one else");
    }

    #[test]
    fn of_several_namespaces_the_own_one_counts_and_else_the_only_one() {
        assert_eq!(peer(vec![reader(1).netns(5), writer(2).netns(6)]), Some(2));
        assert_eq!(peer(vec![reader(1).netns(5), writer(2).netns(6), writer(3).netns(5)]), Some(3));
        assert_eq!(peer(vec![reader(1).netns(5), writer(2).netns(6), writer(3).netns(7)]), None, "it may be either");
        let local = |socket: SocketBuilder| {
            let here = |port| format!("127.0.0.1:{port}");
            socket.with(|socket| {
                socket.local.addr = [127, 0, 0, 1].into();
                socket.remote.addr = [127, 0, 0, 1].into();
                assert_ne!(here(socket.local.port), here(socket.remote.port));
            })
        };
        assert_eq!(peer(vec![local(reader(1)).netns(5), local(writer(2)).netns(6)]), None);
        assert_eq!(peer(vec![local(reader(1)).netns(5), local(writer(2)).netns(5)]), Some(2));
    }

    #[test]
    fn only_what_may_be_asked_for_is_kept_and_what_goes_is_forgotten() {
        let mut store = Store::new(source_info());
        let idle = (1..=1_000).map(|cookie| connection(tcp(cookie), 0)).collect();
        store.apply(Delta { added: idle, ..Delta::default() });
        let held = |store: &Store| store.table_sizes().into_iter().find(|held| held.what == "peers on this machine");
        assert_eq!(held(&store).expect("told").len, 0);
        let busy = (2_000..3_000).map(|cookie| connection(tcp(cookie).queues(50_000, 0), 0)).collect();
        store.apply(Delta { added: busy, ..Delta::default() });
        assert_eq!(held(&store).expect("told").len, 1_000);
        let at = Timestamp::from_millis(5_000);
        let gone = |cookie| Removed { id: tcp(cookie).netns(NetnsId(0).0).build().id, at };
        store.apply(Delta { at, removed: (2_000..3_000).map(gone).collect(), ..Delta::default() });
        let held = held(&store).expect("told");
        assert!(held.len == 0 && held.bytes < 10_000, "{held:?}");
    }
}
