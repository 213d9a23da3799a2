//! How a connection ends, on the real kernel: each way, on IPv4 and IPv6, shorter and longer than a sample, with the trace and
//! without, from `sock_diag` and from `/proc/net`. Each end is told once, with its true endpoints and states, or with what is
//! not known left out; nothing is made up.

#![cfg(target_os = "linux")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use conntop::model::delta::Transition;
use conntop::model::endpoint::Endpoint;
use conntop::model::event::Teller;
use conntop::model::tcp_state::TcpState::{
    self, CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, SynRecv, SynSent, TimeWait,
};
use conntop::source::Choice;
use rustix::net::{AddressFamily, SocketType, connect, connect_unspec, sockopt};

use crate::namespace;
use crate::watch::Watch;

/// How one connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The client resets it (`SO_LINGER` of 0).
    ClientReset,
    /// The server does.
    ServerReset,
    /// Nobody listens.
    Refused,
    /// The client disconnects its socket by a connect(2) to `AF_UNSPEC`.
    Unspec,
    /// In order, the client first.
    ClientFirst,
    /// In order, the server first.
    ServerFirst,
}

const WAYS: [Way; 6] =
    [Way::ClientReset, Way::ServerReset, Way::Refused, Way::Unspec, Way::ClientFirst, Way::ServerFirst];

/// What one run did: the ends of the connection, ours first, and who ended it.
struct Scene {
    client: SocketAddr,
    server: SocketAddr,
}

/// Makes one connection that ends in this way; `meanwhile` runs while it is there.
fn act(way: Way, addr: IpAddr, mut meanwhile: impl FnMut()) -> Scene {
    let listener = TcpListener::bind((addr, 0)).expect("loopback");
    let server = listener.local_addr().expect("bound");
    if way == Way::Refused {
        drop(listener);
        let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = rustix::net::socket(family, SocketType::STREAM, None).expect("a socket");
        // A port of its own, which is known afterwards.
        rustix::net::bind(&socket, &SocketAddr::new(addr, 0)).expect("a port is free");
        let local = rustix::net::getsockname(&socket).expect("bound");
        let client = SocketAddr::try_from(local).expect("an address");
        connect(&socket, &server).expect_err("nobody listens");
        meanwhile();
        return Scene { client, server };
    }
    let near = TcpStream::connect(server).expect("it listens");
    let (far, _) = listener.accept().expect("a connection");
    let client = near.local_addr().expect("bound");
    meanwhile();
    let reset = |end: &TcpStream| sockopt::set_socket_linger(end, Some(Duration::ZERO)).expect("an option");
    match way {
        Way::ClientReset => {
            reset(&near);
            drop(near);
            drop(far);
        }
        Way::ServerReset => {
            reset(&far);
            drop(far);
            drop(near);
        }
        Way::Unspec => {
            connect_unspec(&near).expect("it is disconnected");
            drop((near, far));
        }
        Way::ClientFirst => {
            drop(near);
            sleep(Duration::from_millis(5));
            drop(far);
        }
        Way::ServerFirst => {
            drop(far);
            sleep(Duration::from_millis(5));
            drop(near);
        }
        Way::Refused => {}
    }
    Scene { client, server }
}

fn endpoint(addr: SocketAddr) -> Endpoint {
    Endpoint::new(addr.ip(), addr.port())
}

/// The states that the end can have been in.
fn visited(way: Way, is_client: bool) -> &'static [TcpState] {
    match (way, is_client) {
        (Way::Refused, _) => &[SynSent],
        (Way::ClientFirst, true) => &[SynSent, Established, FinWait1, FinWait2, Closing, TimeWait],
        (Way::ServerFirst, false) => &[SynRecv, Established, FinWait1, FinWait2, Closing, TimeWait],
        (Way::ClientFirst, false) => &[SynRecv, Established, CloseWait, LastAck],
        (Way::ServerFirst, true) => &[SynSent, Established, CloseWait, LastAck],
        (_, true) => &[SynSent, Established],
        (_, false) => &[SynRecv, Established],
    }
}

/// Whether the connection leaves this end in `TIME_WAIT`, or never had it.
fn waits(way: Way, is_client: bool) -> bool {
    matches!((way, is_client), (Way::ClientFirst, true) | (Way::ServerFirst, false))
}

/// What is told of one end agrees with what happened.
fn check(
    case: &str,
    told: &[&Transition],
    way: Way,
    (local, remote, is_client): (Endpoint, Endpoint, bool),
    exact: bool,
) {
    let visited = visited(way, is_client);
    for step in told {
        let is_known = step.local == local && step.remote == remote;
        let is_unknown = step.is_emptied && step.remote.is_unset() && (step.from, step.to) == (None, None);
        assert!(is_known || (is_unknown && !exact), "{case}: an end that was not: {step:?}");
        for state in step.from.iter().chain(&step.to) {
            assert!(visited.contains(state), "{case}: a state that was not: {step:?}");
        }
    }
    let openings = told.iter().filter(|step| step.is_opening()).count();
    let ends = told.iter().filter(|step| step.to.is_none()).count();
    assert!(openings <= 1, "{case}: opened {openings} times: {told:?}");
    assert_eq!(ends, usize::from(!waits(way, is_client)), "{case}: ended {ends} times: {told:?}");
    if exact {
        assert_eq!(openings, 1, "{case}: {told:?}");
        let first = told.iter().find_map(|step| step.to);
        assert_eq!(first, Some(if is_client { SynSent } else { SynRecv }), "{case}: {told:?}");
        assert!(way == Way::Refused || told.iter().any(|step| step.to == Some(Established)), "{case}: {told:?}");
    }
}

#[test]
fn however_a_connection_ends_it_is_told_once_and_truly() {
    if !namespace::inside_namespace() {
        return;
    }
    for choice in [Choice::Linux, Choice::Procfs] {
        for trace in [true, false] {
            for addr in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
                for way in WAYS {
                    for is_long in [false, true] {
                        let case =
                            format!("{choice:?}, trace {trace}, {addr}, {way:?}, longer than a sample {is_long}");
                        let mut watch = Watch::begin(&choice, trace);
                        let scene = act(way, addr, || {
                            if is_long {
                                watch.sample();
                            }
                        });
                        for _ in 0..4 {
                            sleep(Duration::from_millis(30));
                            watch.sample();
                        }
                        let (client, server) = (endpoint(scene.client), endpoint(scene.server));
                        let of = |local: Endpoint, remote: Endpoint| -> Vec<&Transition> {
                            let is_its = |step: &&Transition| {
                                step.local.port == local.port && (step.remote.port == remote.port || step.is_emptied)
                            };
                            watch.told.iter().filter(is_its).collect()
                        };
                        let exact =
                            trace && !is_long && (watch.snapshot.events.tellers.trace == Teller::On) && watch.lost == 0;
                        check(&case, &of(client, server), way, (client, server, true), exact);
                        if way != Way::Refused {
                            check(&case, &of(server, client), way, (server, client, false), exact);
                        }
                        if exact && way != Way::Refused {
                            let opener = of(client, server).into_iter().find_map(|step| step.owner.process());
                            assert_eq!(opener.map(|it| it.id.pid), Some(std::process::id()), "{case}");
                        }
                    }
                }
            }
        }
    }
}
