//! What netstat2 lists, made into sockets: repeated entries become one, equal addresses are told apart.

use std::net::IpAddr;
use std::num::NonZeroU32;

use netstat2::TcpState as Listed;

use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::process::Owner;
use crate::model::socket::{NetnsId, Socket, SocketId};
use crate::model::tcp_state::TcpState;

/// One line of netstat2's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetstatRow {
    /// Protocol.
    pub protocol: Protocol,
    /// The state; `Unconn` for every UDP socket, netstat2 does not tell.
    pub state: TcpState,
    /// Our end.
    pub local: Endpoint,
    /// The other end; unset for listeners and every UDP socket.
    pub remote: Endpoint,
    /// The inode, where the system has one.
    pub inode: Option<NonZeroU32>,
    /// The uid, where netstat2 tells it.
    pub uid: Option<u32>,
    /// The processes that hold it, ascending.
    pub pids: Vec<u32>,
}

impl NetstatRow {
    /// A TCP entry; `None` for a state that netstat2 does not know.
    pub fn tcp(info: &netstat2::TcpSocketInfo) -> Option<Self> {
        let state = state(info.state)?;
        let local = Endpoint::new(info.local_addr, info.local_port);
        // Windows leaves anything at all in the remote port of a listener (MIB_TCPROW_OWNER_PID, dwRemotePort).
        let listed = (state != TcpState::Listen).then(|| Endpoint::new(info.remote_addr, info.remote_port));
        let remote = listed.unwrap_or_else(|| unset(info.local_addr));
        Some(Self { protocol: Protocol::Tcp, state, local, remote, inode: None, uid: None, pids: Vec::new() })
    }

    /// A UDP entry.
    pub fn udp(info: &netstat2::UdpSocketInfo) -> Self {
        Self {
            protocol: Protocol::Udp,
            state: TcpState::Unconn,
            local: Endpoint::new(info.local_addr, info.local_port),
            remote: unset(info.local_addr),
            inode: None,
            uid: None,
            pids: Vec::new(),
        }
    }

    /// The `nth` socket with these addresses.
    pub fn socket(&self, nth: u32, owner: Owner) -> Socket {
        Socket {
            id: SocketId::from_tuple(self.protocol, self.local, self.remote, nth, NetnsId(0)),
            protocol: self.protocol,
            state: self.state,
            family: self.local.family(),
            local: self.local,
            remote: self.remote,
            interface: None,
            v6only: None,
            inode: self.inode,
            uid: self.uid,
            cgroup: None,
            queues: None,
            timer: None,
            tcp: None,
            drops: None,
            is_subflow: false,
            owner,
        }
    }

    fn addresses(&self) -> (Protocol, Endpoint, Endpoint) {
        (self.protocol, self.local, self.remote)
    }

    fn is_connected(&self) -> bool {
        !self.remote.is_unset()
    }
}

fn unset(local: IpAddr) -> Endpoint {
    Endpoint::new(Endpoint::new(local, 0).family().unspecified(), 0)
}

fn state(listed: Listed) -> Option<TcpState> {
    Some(match listed {
        Listed::Closed | Listed::DeleteTcb => TcpState::Close,
        Listed::Listen => TcpState::Listen,
        Listed::SynSent => TcpState::SynSent,
        Listed::SynReceived => TcpState::SynRecv,
        Listed::Established => TcpState::Established,
        Listed::FinWait1 => TcpState::FinWait1,
        Listed::FinWait2 => TcpState::FinWait2,
        Listed::CloseWait => TcpState::CloseWait,
        Listed::Closing => TcpState::Closing,
        Listed::LastAck => TcpState::LastAck,
        Listed::TimeWait => TcpState::TimeWait,
        Listed::Unknown => return None,
    })
}

/// Makes one entry of those that mean one socket, and puts all in the order of their addresses.
///
/// A socket can be listed more than once: a list that takes a while meets a connection in two states, and systems
/// without inodes list a shared socket once for each process that holds it.
pub fn merge(entries: &mut Vec<NetstatRow>) {
    // Stable: of two entries of one connection the later one is the newer one. Inodes in between only without a peer.
    entries.sort_by_key(|entry| (entry.addresses(), if entry.is_connected() { None } else { entry.inode }));
    entries.dedup_by(|later, kept| {
        if later.addresses() != kept.addresses() {
            return false;
        }
        if later.inode == kept.inode {
            kept.state = later.state;
            kept.pids.append(&mut later.pids);
            kept.pids.sort_unstable();
            kept.pids.dedup();
            return true;
        }
        if later.is_connected() {
            std::mem::swap(later, kept);
        }
        later.is_connected()
    });
}

/// Every entry of a merged list, with its number among those of the same addresses.
pub fn numbered(entries: &[NetstatRow]) -> impl Iterator<Item = (&NetstatRow, u32)> {
    let mut nth = 0;
    entries.iter().enumerate().map(move |(index, entry)| {
        let before = index.checked_sub(1).and_then(|before| entries.get(before));
        nth = if before.is_some_and(|before| before.addresses() == entry.addresses()) { nth + 1 } else { 0 };
        (entry, nth)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(remote_port: u16, inode: u32, pids: &[u32]) -> NetstatRow {
        let remote_addr = if remote_port == 0 { "0.0.0.0" } else { "192.0.2.1" };
        NetstatRow {
            protocol: Protocol::Tcp,
            state: if remote_port == 0 { TcpState::Listen } else { TcpState::Established },
            local: Endpoint::new("10.0.0.7".parse().expect("an address"), 443),
            remote: Endpoint::new(remote_addr.parse().expect("an address"), remote_port),
            inode: NonZeroU32::new(inode),
            uid: None,
            pids: pids.to_vec(),
        }
    }

    fn merged(mut entries: Vec<NetstatRow>) -> Vec<(Option<u32>, Vec<u32>, u32)> {
        merge(&mut entries);
        numbered(&entries).map(|(entry, nth)| (entry.inode.map(NonZeroU32::get), entry.pids.clone(), nth)).collect()
    }

    #[test]
    fn a_shared_socket_listed_for_each_process_is_one() {
        assert_eq!(merged(vec![entry(9, 0, &[7]), entry(9, 0, &[3]), entry(9, 0, &[7])]), [(None, vec![3, 7], 0)]);
        assert_eq!(merged(vec![entry(0, 0, &[7]), entry(0, 0, &[3])]), [(None, vec![3, 7], 0)]);
    }

    #[test]
    fn listeners_that_share_an_address_are_several() {
        let listed = vec![entry(0, 12, &[2]), entry(0, 11, &[1]), entry(0, 12, &[])];
        assert_eq!(merged(listed), [(Some(11), vec![1], 0), (Some(12), vec![2], 1)]);
    }

    #[test]
    fn a_connection_met_in_two_states_is_in_the_later_one() {
        let mut later = entry(9, 0, &[]);
        later.state = TcpState::TimeWait;
        let mut entries = vec![entry(9, 5, &[1]), later.clone()];
        merge(&mut entries);
        assert_eq!(entries, [later]);
    }

    #[test]
    fn a_listener_has_no_peer_whatever_the_system_leaves_in_the_field() {
        let listed = netstat2::TcpSocketInfo {
            local_addr: "::".parse().expect("an address"),
            local_port: 80,
            remote_addr: "::".parse().expect("an address"),
            remote_port: 31_337,
            state: Listed::Listen,
        };
        assert!(NetstatRow::tcp(&listed).expect("a known state").remote.is_unset());
        assert!(NetstatRow::tcp(&netstat2::TcpSocketInfo { state: Listed::Unknown, ..listed }).is_none());
    }
}
