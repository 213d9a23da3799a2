//! Whose the TCP sockets are that carry MPTCP connections: an MPTCP socket's process holds it, not them.
//!
//! The first subflow has the endpoints of its MPTCP socket (`net/mptcp/protocol.c`), by which the two are put together.
//! What the kernel says of a subflow alone misleads: before Linux 6.17 it has no inode as soon as its MPTCP socket is
//! closed, as if it waited to be accepted; since then it keeps the number of a descriptor that is gone (`sk_ino`).

use std::collections::BTreeMap;

use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::process::Owner;
use crate::model::socket::{NetnsId, Socket};
use crate::model::tcp_state::TcpState;

type ConnectionTuple = (NetnsId, Endpoint, Endpoint);

fn place(socket: &Socket) -> ConnectionTuple {
    (socket.id.netns(), socket.local, socket.remote)
}

/// What `tell` says of every MPTCP socket, by its place; nothing where no subflow is listed.
fn of_mptcp<T>(sockets: &[Socket], tell: impl Fn(&Socket) -> T) -> BTreeMap<ConnectionTuple, T> {
    if !sockets.iter().any(|socket| socket.is_subflow) {
        return BTreeMap::new();
    }
    let connections = sockets.iter().filter(|socket| socket.protocol == Protocol::Mptcp);
    connections.map(|socket| (place(socket), tell(socket))).collect()
}

/// Before owners are sought: takes from subflows the inode that their MPTCP socket has no more, so that nobody looks for it.
pub fn detach(sockets: &mut [Socket]) {
    let is_held = of_mptcp(sockets, |connection| connection.inode.is_some());
    for subflow in sockets.iter_mut().filter(|socket| socket.is_subflow) {
        if is_held.get(&place(subflow)) == Some(&false) {
            subflow.inode = None;
        }
    }
}

/// After owners were sought: a subflow that nobody was found for has the owner of its MPTCP socket. One that was added to
/// a connection later has endpoints of its own; without an inode it is nobody's, not in an accept queue.
pub fn adopt(sockets: &mut [Socket]) {
    let owners = of_mptcp(sockets, |connection| connection.owner.clone());
    for subflow in sockets.iter_mut().filter(|socket| socket.is_subflow && socket.owner.holders().is_none()) {
        match owners.get(&place(subflow)) {
            Some(owner) => subflow.owner = owner.clone(),
            None if subflow.inode.is_none() && subflow.state != TcpState::Listen => subflow.owner = Owner::None,
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{process, tcp};

    fn mptcp(socket: &Socket, state: TcpState, owner: Owner) -> Socket {
        let inode = if owner.holders().is_some() { socket.inode } else { None };
        Socket { protocol: Protocol::Mptcp, is_subflow: false, state, owner, inode, ..socket.clone() }
    }

    fn subflow(cookie: u64, owner: Owner) -> Socket {
        tcp(cookie).owner(owner).with(|socket| socket.is_subflow = true).build()
    }

    #[test]
    fn a_subflow_is_whose_its_connection_is() {
        let held = tcp(9).held_by(&[process(1, "app")]).build().owner;
        for owner in [held, Owner::Unaccepted, Owner::None, Owner::Hidden] {
            let carries = subflow(1, Owner::Unaccepted);
            let mut sockets = vec![mptcp(&carries, TcpState::CloseWait, owner.clone()), carries];
            adopt(&mut sockets);
            assert_eq!(sockets[1].owner, owner);
        }
    }

    #[test]
    fn an_added_subflow_without_an_inode_is_not_in_an_accept_queue() {
        let mut sockets = vec![Socket { inode: None, ..subflow(1, Owner::Unaccepted) }, subflow(2, Owner::Hidden)];
        adopt(&mut sockets);
        assert_eq!((&sockets[0].owner, &sockets[1].owner), (&Owner::None, &Owner::Hidden));
    }

    #[test]
    fn the_inode_of_a_closed_connection_is_not_looked_for() {
        let (open, closed) = (subflow(1, Owner::None), subflow(2, Owner::None));
        let held = tcp(9).held_by(&[process(1, "app")]).build().owner;
        let mut sockets = vec![
            mptcp(&open, TcpState::Established, held),
            mptcp(&closed, TcpState::FinWait2, Owner::None),
            open,
            closed,
            tcp(3).build(),
        ];
        detach(&mut sockets);
        let has_inode: Vec<_> = sockets[2..].iter().map(|socket| socket.inode.is_some()).collect();
        assert_eq!(has_inode, [true, false, true]);
    }
}
