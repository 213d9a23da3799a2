//! Which listener of this machine a client's connection is meant for, whether or not it got there.

use std::net::{IpAddr, Ipv4Addr};

use crate::model::endpoint::{Endpoint, Family};
use crate::model::process::Owner;
use crate::model::socket::Socket;
use crate::store::listeners::{ListenerMatch, Listeners};

impl Listeners {
    /// The listener that `socket`, a client's connection, is meant for; `None` where its other end is not known to be in
    /// the same network namespace.
    ///
    /// It is there if it is a loopback address, if it is our own address (the kernel takes the address of the other end
    /// for ours where that is local, `ip_route_output_key_hash_rcu`, `net/ipv4/route.c`), or if something listens on the
    /// very address.
    pub fn target_of(&self, socket: &Socket) -> Option<ListenerMatch<'_>> {
        let (near, far) = (socket.local.addr.to_canonical(), socket.remote.addr.to_canonical());
        let is_here = far.is_loopback() || far == near;
        // An IPv4 connection is taken by an IPv4 listener, else by an IPv6 one that takes both.
        let forms = match far {
            IpAddr::V4(ip) => [(far, Family::Ipv4), (IpAddr::V6(ip.to_ipv6_mapped()), Family::Ipv6)],
            IpAddr::V6(_) => [(far, Family::Ipv6); 2],
        };
        forms.into_iter().find_map(|(addr, family)| {
            let came_by = self.of_connection(&far_end(socket, addr, family))?;
            (is_here || !is_any(came_by.place.local.addr)).then_some(came_by)
        })
    }
}

fn is_any(addr: IpAddr) -> bool {
    addr.is_unspecified() || addr == IpAddr::V6(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped())
}

/// What the other end of `socket` would be here: nothing is known of its owner.
fn far_end(socket: &Socket, addr: IpAddr, family: Family) -> Socket {
    let local = Endpoint { addr, ..socket.remote };
    let (owner, interface) = (Owner::None, socket.interface.filter(|_| !addr.to_canonical().is_loopback()));
    Socket { local, remote: socket.local, family, owner, interface, cgroup: None, inode: None, ..socket.clone() }
}

#[cfg(test)]
mod tests {
    use crate::model::delta::Delta;
    use crate::model::testing::{SocketBuilder, connection, listener, source_info, tcp};
    use crate::store::Store;

    fn called(listeners: Vec<SocketBuilder>, client: SocketBuilder) -> Option<u64> {
        let mut store = Store::new(source_info());
        let added = listeners.into_iter().map(|socket| connection(socket, 0)).collect();
        store.apply(Delta { added, ..Delta::default() });
        store.listeners().target_of(&client.build())?.listener?.id.cookie()
    }

    fn client(local: &str, remote: &str) -> SocketBuilder {
        tcp(9).local(local).remote(remote)
    }

    #[test]
    fn a_listener_is_called_where_the_other_end_is_here() {
        let any = || listener(1, 8000).local("0.0.0.0:8000");
        let dual = || listener(2, 8000).local("[::]:8000").with(|socket| socket.v6only = Some(false));
        let only_v6 = || listener(3, 8000).local("[::]:8000").with(|socket| socket.v6only = Some(true));
        let one = || listener(4, 8000).local("10.0.0.7:8000");
        let mapped = || client("[::ffff:127.0.0.1]:40000", "[::ffff:127.0.0.1]:8000");
        for (listeners, client, wanted) in [
            (vec![any()], client("127.0.0.1:40000", "127.0.0.1:8000"), Some(1)),
            (vec![any()], client("127.0.0.1:40000", "127.0.0.1:8001"), None),
            (vec![any()], mapped(), Some(1)),
            (vec![dual()], mapped(), Some(2)),
            (vec![dual()], client("127.0.0.1:40000", "127.0.0.1:8000"), Some(2)),
            (vec![only_v6()], client("127.0.0.1:40000", "127.0.0.1:8000"), None),
            (vec![any(), only_v6()], client("[::1]:40000", "[::1]:8000"), Some(3)),
            (vec![any(), only_v6()], client("127.0.0.1:40000", "127.0.0.1:8000"), Some(1)),
            (vec![any()], client("10.0.0.7:40000", "10.0.0.7:8000"), Some(1)),
            (vec![any()], client("10.0.0.7:40000", "10.0.0.8:8000"), None),
            (vec![any(), one()], client("10.0.0.9:40000", "10.0.0.7:8000"), Some(4)),
            (vec![one()], client("127.0.0.1:40000", "127.0.0.1:8000"), None),
            (vec![any().netns(5)], client("127.0.0.1:40000", "127.0.0.1:8000").netns(6), None),
        ] {
            let asked = format!("{:?}", client.clone().build().remote);
            assert_eq!(called(listeners, client), wanted, "{asked}");
        }
    }
}
