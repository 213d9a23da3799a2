//! The sockets that carry the session conntop runs in: closing one could cut off who asks.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::host::ancestry::Ancestry;
use crate::host::holding::sockets_of;
use crate::model::closing::{Close, CloseRefusal};
use crate::model::endpoint::Endpoint;

/// The sockets that carry conntop: its own and those of the processes it runs inside.
pub(super) struct OwnSession {
    own: BTreeSet<u32>,
    ancestors: BTreeSet<u32>,
    ssh: Option<SshConnection>,
}

/// The ends of the ssh connection of this session; IPv4 addresses are never written as IPv6 ones (`::ffff:`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SshConnection {
    client: Endpoint,
    server: Endpoint,
}

impl OwnSession {
    /// Looks at what conntop and its parents hold now.
    pub(super) fn of(ancestry: &Ancestry) -> Self {
        Self {
            own: sockets_of(std::process::id()),
            ancestors: ancestry.ancestors().iter().flat_map(|pid| sockets_of(*pid)).collect(),
            ssh: std::env::var("SSH_CONNECTION").ok().and_then(|text| parse_ssh(&text)),
        }
    }

    /// Whether, and why, this socket is never closed.
    pub(super) fn spares(&self, close: &Close) -> Option<CloseRefusal> {
        let held_by = |sockets: &BTreeSet<u32>| close.inode.is_some_and(|inode| sockets.contains(&inode.get()));
        let plain = |endpoint: Endpoint| Endpoint::new(endpoint.addr.to_canonical(), endpoint.port);
        let ends = SshConnection { client: plain(close.socket.remote), server: plain(close.socket.local) };
        let is_ssh = self.ssh == Some(ends);
        if held_by(&self.own) {
            Some(CloseRefusal::Itself)
        } else {
            (held_by(&self.ancestors) || is_ssh).then_some(CloseRefusal::Session)
        }
    }
}

/// `SSH_CONNECTION` (ssh(1)): the client's address and port, the server's address and port.
fn parse_ssh(text: &str) -> Option<SshConnection> {
    let mut words = text.split(' ');
    // An address of a link has its interface behind a %.
    let addr = |word: Option<&str>| word?.split('%').next()?.parse().ok().map(|addr: IpAddr| addr.to_canonical());
    let mut endpoint = || Some(Endpoint::new(addr(words.next())?, words.next()?.parse().ok()?));
    Some(SshConnection { client: endpoint()?, server: endpoint()? })
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
        let session = OwnSession {
            own: [1].into_iter().collect(),
            ancestors: [2].into_iter().collect(),
            ssh: parse_ssh("10.0.0.9 50122 10.0.0.7 22"),
        };
        let with = |inode, close: Close| session.spares(&Close { inode: std::num::NonZeroU32::new(inode), ..close });
        assert_eq!(with(9, close("10.0.0.7:22", "10.0.0.9:50122")), Some(CloseRefusal::Session));
        assert_eq!(with(9, close("[::ffff:10.0.0.7]:22", "[::ffff:10.0.0.9]:50122")), Some(CloseRefusal::Session));
        assert_eq!(with(9, close("10.0.0.7:22", "10.0.0.9:50123")), None);
        assert_eq!(with(0, close("10.0.0.7:22", "10.0.0.8:50122")), None);
        assert_eq!(with(1, close("10.0.0.7:1", "10.0.0.8:2")), Some(CloseRefusal::Itself));
        assert_eq!(with(2, close("10.0.0.7:1", "10.0.0.8:2")), Some(CloseRefusal::Session));
        assert_eq!(parse_ssh("fe80::1%eth0 5 fe80::2%eth0 22").map(|ssh| ssh.client.port), Some(5));
        for text in ["", "10.0.0.9", "a b c d", "10.0.0.9 99999 10.0.0.7 22"] {
            assert_eq!(parse_ssh(text), None, "{text}");
        }
    }
}
