//! Closes sockets by `SOCK_DESTROY`, each over a connection to `sock_diag` in the network namespace of the socket, and
//! looks again at each before it says what came of it.
//!
//! The kernel finds a socket by its endpoints and then compares the cookie. Where several sockets share an address
//! (`SO_REUSEPORT`), it chooses one of them by a hash of both ends, so that `ENOENT` may mean "another one": whether a
//! socket is gone is read from the kernel's tables, by its cookie.

mod netns_connections;
mod subsets;

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities};

use crate::host::closing::netns_connections::NetnsConnections;
use crate::host::closing::subsets::{SocketSubset, SubsetsRead};
use crate::model::closing::{Close, CloseOutcome, CloseRefusal};
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::socket::SocketRef;
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::source::linux::netlink::NetlinkSocket;
use crate::source::linux::sock_diag::{self, DiagDecoder, SocketLookup};

/// How many made-up peers are tried to make the kernel choose one of those that share an address: of 256 sockets one is
/// missed in one of ten million cases.
const PEERS_MAX: u16 = 4_096;

/// Whether this thread has `CAP_NET_ADMIN`. In a user namespace it may have it and still be refused by the kernel.
pub(super) fn is_permitted() -> bool {
    // Where the kernel does not say, it shall decide itself.
    capabilities(None).map_or(true, |sets| sets.effective.contains(CapabilitySet::NET_ADMIN))
}

/// Closes each of `closes` but for those that are spared; the answers stand in the same order.
pub(super) fn close(closes: &[Close], spared: &[Option<CloseRefusal>]) -> Vec<CloseOutcome> {
    let mut connections = NetnsConnections::default();
    let first = |(close, spared): (&Close, &Option<CloseRefusal>)| match spared {
        Some(spared) => CloseOutcome::Refused(*spared),
        None => connections.with(close.socket.id.netns(), |connection| order(connection, close)),
    };
    let mut outcomes: Vec<CloseOutcome> = closes.iter().zip(spared).map(first).collect();
    // Once what was told is told of all, each table is read once for all of them.
    let mut subsets = SubsetsRead::default();
    for (close, outcome) in closes.iter().zip(&mut outcomes) {
        if *outcome == CloseOutcome::Gone {
            *outcome =
                connections.with(close.socket.id.netns(), |connection| really_gone(connection, &mut subsets, close));
        }
    }
    let mut subsets = SubsetsRead::default();
    for (close, outcome) in closes.iter().zip(&mut outcomes) {
        if matches!(outcome, CloseOutcome::Closed | CloseOutcome::Disconnected { .. }) {
            *outcome =
                connections.with(close.socket.id.netns(), |connection| look_again(connection, &mut subsets, close));
        }
    }
    outcomes
}

/// Orders the close. For TCP it says what the kernel finds at these endpoints afterwards, about 3 microseconds later.
fn order(connection: &mut NetlinkSocket, close: &Close) -> CloseOutcome {
    if let Some(outcome) = close.in_advance() {
        return outcome;
    }
    match sock_diag::destroy(connection, &close.socket) {
        Ok(()) if close.socket.protocol == Protocol::Udp => CloseOutcome::Disconnected { keeps_port: true },
        Ok(()) => {
            let decoder = DiagDecoder { netns: close.socket.id.netns() };
            match decoder.look_up(connection, &close.socket) {
                SocketLookup::Here(socket) => CloseOutcome::StillThere(socket.state),
                SocketLookup::Gone => CloseOutcome::Closed,
                SocketLookup::Failed(errno) => unseen(errno),
                SocketLookup::Unknown => unseen(Errno::INVAL),
            }
        }
        // Every close has a cookie, so that it is not the question that is wrong.
        Err(Errno::INVAL) if close.state == TcpState::Listen => CloseOutcome::Mptcp,
        Err(errno) => outcome(errno),
    }
}

/// What the kernel did not find at its endpoints may be behind another socket there.
fn really_gone(connection: &mut NetlinkSocket, subsets: &mut SubsetsRead, close: &Close) -> CloseOutcome {
    let subset = match (close.socket.protocol, close.state) {
        (Protocol::Udp, _) => SocketSubset::All,
        (_, TcpState::Listen) => SocketSubset::Listening,
        _ if close.inode.is_some() => SocketSubset::Bound,
        // Nobody held it.
        _ => return CloseOutcome::Gone,
    };
    match (subsets.has(connection, subset, &close.socket), subset) {
        (Ok(false), _) => CloseOutcome::Gone,
        (Ok(true), SocketSubset::Bound) => CloseOutcome::OnlyBound,
        // UDP: connect(2) to another peer gives it other endpoints.
        (Ok(true), _) if close.socket.remote.port > 0 => CloseOutcome::StillThere(close.state),
        (Ok(true), _) => close_among_equals(connection, close),
        (Err(errno), _) => unseen(errno),
    }
}

/// Closes one of several sockets that share an address. Which one the kernel takes depends on the peer, so peers are
/// made up until it is the right one; the cookie keeps all others safe.
fn close_among_equals(connection: &mut NetlinkSocket, close: &Close) -> CloseOutcome {
    let nowhere = close.socket.local.family().unspecified();
    for port in 1..=PEERS_MAX {
        let reference = SocketRef { remote: Endpoint::new(nowhere, port), ..close.socket };
        match sock_diag::destroy(connection, &reference) {
            Ok(()) if close.socket.protocol == Protocol::Udp => return CloseOutcome::Disconnected { keeps_port: true },
            Ok(()) => return CloseOutcome::Closed,
            Err(Errno::NOENT) => {}
            Err(errno) => return outcome(errno),
        }
    }
    CloseOutcome::Shadowed
}

/// What is left of what was closed, by the tables of the kernel.
fn look_again(connection: &mut NetlinkSocket, subsets: &mut SubsetsRead, close: &Close) -> CloseOutcome {
    let mut has = |subset| subsets.has(connection, subset, &close.socket);
    let seen = match (close.socket.protocol, close.state) {
        // A socket whose port the kernel chose at connect(2) loses it, and with it its place in the table.
        (Protocol::Udp, _) => has(SocketSubset::All).map(|keeps_port| CloseOutcome::Disconnected { keeps_port }),
        (_, TcpState::Listen) if has(SocketSubset::Listening) == Ok(true) => {
            Ok(CloseOutcome::StillThere(TcpState::Listen))
        }
        // Without a process nobody keeps the port.
        _ if close.inode.is_none() => Ok(CloseOutcome::Closed),
        _ => match (has(SocketSubset::Bound), is_subflow(connection, subsets, close)) {
            (Ok(true), _) => Ok(CloseOutcome::PortKept),
            (Ok(false), true) => Ok(CloseOutcome::Subflow),
            (Ok(false), false) => Ok(CloseOutcome::Closed),
            (Err(errno), _) => Err(errno),
        },
    };
    seen.unwrap_or_else(unseen)
}

/// Whether an MPTCP socket is behind it: the two share their inode. A kernel without MPTCP has none.
fn is_subflow(connection: &mut NetlinkSocket, subsets: &mut SubsetsRead, close: &Close) -> bool {
    close.inode.is_some_and(|inode| subsets.has_mptcp(connection, &close.socket, inode.get()))
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

fn unseen(errno: Errno) -> CloseOutcome {
    failed(&format!("what became of it cannot be seen ({errno}); conntop list shows whether it is there"))
}

fn failed(sentence: &str) -> CloseOutcome {
    CloseOutcome::Failed(DisplayText::new(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_the_kernel_is_understood() {
        assert_eq!(outcome(Errno::NOENT), CloseOutcome::Gone);
        assert_eq!(outcome(Errno::PERM), CloseOutcome::NotPermitted);
        assert_eq!(outcome(Errno::OPNOTSUPP), CloseOutcome::Unsupported);
        assert!(matches!(outcome(Errno::BUSY), CloseOutcome::Failed(_)));
    }
}
