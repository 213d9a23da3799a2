//! Which sockets people may be logged in over: those of ssh servers, by who holds them and by the ports they listen on.

use rustc_hash::FxHashMap;

use crate::model::action::Caution;
use crate::model::endpoint::Protocol;
use crate::model::process::{Holders, Owner};
use crate::model::socket::{NetnsId, Socket};
use crate::model::tcp_state::TcpState;
use crate::store::Store;

/// The port of ssh (RFC 4253, section 4.1): what counts where the owners of sockets may not be seen.
const SSH_PORT: u16 = 22;

/// The ports on which people may log in, by what is known of their listeners.
#[derive(Debug, Default)]
pub struct Logins {
    /// Whether an ssh server listens on a port of a network namespace; ports on which nobody listens are not in it.
    ports: FxHashMap<(NetnsId, u16), bool>,
}

impl Logins {
    /// Looks at the listeners of the machine, not at all of its sockets.
    pub fn of(store: &Store) -> Self {
        let mut ports = FxHashMap::default();
        let rows = store.rows().listening().iter().filter_map(|index| store.rows().get(index));
        for listener in rows.map(|row| &row.connection.socket).filter(|socket| socket.protocol != Protocol::Udp) {
            let port = listener.local.port;
            let is_ssh = held_by_ssh(listener).unwrap_or(port == SSH_PORT && !matches!(listener.owner, Owner::None));
            *ports.entry((listener.id.netns(), port)).or_default() |= is_ssh;
        }
        Self { ports }
    }

    /// What one should know before `socket` is closed.
    ///
    /// An ssh connection is one that an ssh server holds, or that came to a port on which one listens, or whose other
    /// end is that on this very machine. In `TIME_WAIT` a connection carries nobody any more.
    pub fn caution(&self, socket: &Socket) -> Option<Caution> {
        if socket.state == TcpState::TimeWait {
            return None;
        }
        let held = held_by_ssh(socket);
        let serves = |port: u16| {
            let is_udp = socket.protocol == Protocol::Udp;
            if is_udp { Some(false) } else { self.ports.get(&(socket.id.netns(), port)).copied() }
        };
        let came_to_ssh = || serves(socket.local.port).unwrap_or(held.is_none() && socket.local.port == SSH_PORT);
        let leads_to_ssh = || is_from_here(socket) && serves(socket.remote.port) == Some(true);
        (held == Some(true) || came_to_ssh() || leads_to_ssh()).then_some(Caution::Ssh)
    }
}

/// [`Logins::caution`] of one socket.
pub fn caution(store: &Store, socket: &Socket) -> Option<Caution> {
    Logins::of(store).caution(socket)
}

/// Whether an ssh server holds it; `None` if it is not known who does.
fn held_by_ssh(socket: &Socket) -> Option<bool> {
    let is_ssh = |holders: &Holders| holders.all().iter().any(|process| process.is_ssh_server());
    socket.owner.holders().map(|holders| is_ssh(holders))
}

/// Whether the other end of `socket` is on this machine, as far as its addresses tell.
fn is_from_here(socket: &Socket) -> bool {
    let (local, remote) = (socket.local.addr.to_canonical(), socket.remote.addr.to_canonical());
    remote.is_loopback() || remote == local
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::delta::Delta;
    use crate::model::testing::{SocketBuilder, connection, listener, process, source_info, tcp, udp};

    fn store(sockets: Vec<SocketBuilder>) -> Store {
        let mut store = Store::new(source_info());
        let added = sockets.into_iter().map(|socket| connection(socket, 1_000)).collect();
        store.apply(Delta { added, ..Delta::default() });
        store
    }

    fn held_by(name: &str) -> impl Fn(SocketBuilder) -> SocketBuilder {
        let holder = process(7, name);
        move |socket| socket.held_by(&[Arc::clone(&holder)])
    }

    fn is_ssh(store: &Store, socket: SocketBuilder) -> bool {
        caution(store, &socket.build()) == Some(Caution::Ssh)
    }

    #[test]
    fn what_an_ssh_server_holds_or_listens_for_is_of_ssh() {
        let (sshd, session, nginx) = (held_by("sshd"), held_by("sshd-session"), held_by("nginx"));
        let store = store(vec![sshd(listener(1, 2222)), nginx(listener(2, 80)), sshd(listener(3, 4444).netns(9))]);
        let of = |local: &str, remote: &str| tcp(9).local(local).remote(remote);
        let here = "10.0.0.1:2222";
        assert!(is_ssh(&store, session(of("10.0.0.1:41000", "10.0.0.2:5432"))), "a forwarded port");
        assert!(is_ssh(&store, of(here, "10.0.0.9:5")), "held by nobody yet");
        assert!(is_ssh(&store, nginx(of(here, "10.0.0.9:5"))), "passed on");
        assert!(is_ssh(&store, nginx(of("[::ffff:10.0.0.1]:2222", "[::ffff:10.0.0.9]:5"))));
        assert!(is_ssh(&store, of(here, "10.0.0.9:5").state(TcpState::SynRecv)));
        assert!(is_ssh(&store, sshd(listener(4, 2222))));
        assert!(is_ssh(&store, of("127.0.0.9:5", "127.0.0.1:2222")), "its other end is here");
        assert!(is_ssh(&store, nginx(of("10.0.0.1:5", here))));
        for other in [
            nginx(of("10.0.0.1:80", "10.0.0.9:5")),
            of("10.0.0.1:5", "10.0.0.9:2222"),
            of(here, "10.0.0.9:5").mini(TcpState::TimeWait),
            of("10.0.0.1:4444", "10.0.0.9:5"),
            nginx(udp(5, 2222)),
        ] {
            assert!(!is_ssh(&store, other.clone()), "{other:?}");
        }
        assert!(is_ssh(&store, of("10.0.0.1:4444", "10.0.0.9:5").netns(9)));
    }

    #[test]
    fn where_owners_are_hidden_the_port_of_ssh_counts() {
        let hidden = |socket: SocketBuilder| socket.owner(Owner::Hidden);
        let on_22 = || hidden(tcp(9).local("10.0.0.1:22"));
        assert!(is_ssh(&store(vec![hidden(listener(1, 22))]), on_22()));
        assert!(is_ssh(&store(Vec::new()), on_22()), "even without a listener");
        assert!(!is_ssh(&store(vec![hidden(listener(1, 23))]), hidden(tcp(9).local("10.0.0.1:23"))));
        assert!(!is_ssh(&store(vec![held_by("nginx")(listener(1, 22))]), on_22()));
    }
}
