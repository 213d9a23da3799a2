//! How a connection ends, on the real kernel: each way, on IPv4 and IPv6, shorter and longer than a sample, with the trace and
//! without, from `sock_diag` and from `/proc/net`. Each end is told once, with its true endpoints and states, or with what is
//! not known left out; nothing is made up.

#![cfg(target_os = "linux")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use conntop::model::delta::Transition;
use conntop::model::endpoint::Endpoint;
use conntop::model::event::EventSourceStatus;
use conntop::model::tcp_state::TcpState::{
    self, CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, SynRecv, SynSent, TimeWait,
};
use conntop::source::Choice;
use rustix::net::{AddressFamily, SocketType, connect, connect_unspec, sockopt};

use crate::namespace;
use crate::skip::skip;
use crate::tracked_source::TrackedSource;

/// How one connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
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

/// In how many cases the steps must be exact, of two sources, two families and six endings: the others may have lost some.
const EXACT_CASES_MIN: u32 = 12;

const ENDINGS: [Ending; 6] = [
    Ending::ClientReset,
    Ending::ServerReset,
    Ending::Refused,
    Ending::Unspec,
    Ending::ClientFirst,
    Ending::ServerFirst,
];

/// The addresses of both ends of a connection that was made and has ended.
struct MadeConnection {
    client: SocketAddr,
    server: SocketAddr,
}

/// Makes one connection that ends like this; `meanwhile` runs while it is there.
fn act(ending: Ending, addr: IpAddr, mut meanwhile: impl FnMut()) -> MadeConnection {
    let listener = TcpListener::bind((addr, 0)).expect("loopback");
    let server = listener.local_addr().expect("bound");
    if ending == Ending::Refused {
        drop(listener);
        let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = rustix::net::socket(family, SocketType::STREAM, None).expect("a socket");
        // A port of its own, which is known afterwards.
        rustix::net::bind(&socket, &SocketAddr::new(addr, 0)).expect("a port is free");
        let local = rustix::net::getsockname(&socket).expect("bound");
        let client = SocketAddr::try_from(local).expect("an address");
        connect(&socket, &server).expect_err("nobody listens");
        meanwhile();
        return MadeConnection { client, server };
    }
    let near = TcpStream::connect(server).expect("it listens");
    let (far, _) = listener.accept().expect("a connection");
    let client = near.local_addr().expect("bound");
    meanwhile();
    let reset = |end: &TcpStream| sockopt::set_socket_linger(end, Some(Duration::ZERO)).expect("an option");
    match ending {
        Ending::ClientReset => {
            reset(&near);
            drop(near);
            drop(far);
        }
        Ending::ServerReset => {
            reset(&far);
            drop(far);
            drop(near);
        }
        Ending::Unspec => {
            connect_unspec(&near).expect("it is disconnected");
            drop((near, far));
        }
        Ending::ClientFirst => {
            drop(near);
            sleep(Duration::from_millis(5));
            drop(far);
        }
        Ending::ServerFirst => {
            drop(far);
            sleep(Duration::from_millis(5));
            drop(near);
        }
        Ending::Refused => {}
    }
    MadeConnection { client, server }
}

fn endpoint(addr: SocketAddr) -> Endpoint {
    Endpoint::new(addr.ip(), addr.port())
}

/// The states that the end can have been in.
fn visited(ending: Ending, is_client: bool) -> &'static [TcpState] {
    match (ending, is_client) {
        (Ending::Refused, _) => &[SynSent],
        (Ending::ClientFirst, true) => &[SynSent, Established, FinWait1, FinWait2, Closing, TimeWait],
        (Ending::ServerFirst, false) => &[SynRecv, Established, FinWait1, FinWait2, Closing, TimeWait],
        (Ending::ClientFirst, false) => &[SynRecv, Established, CloseWait, LastAck],
        (Ending::ServerFirst, true) => &[SynSent, Established, CloseWait, LastAck],
        (_, true) => &[SynSent, Established],
        (_, false) => &[SynRecv, Established],
    }
}

/// Whether the connection leaves this end in `TIME_WAIT`, or never had it.
fn waits(ending: Ending, is_client: bool) -> bool {
    matches!((ending, is_client), (Ending::ClientFirst, true) | (Ending::ServerFirst, false))
}

/// What is told of one end agrees with what happened.
fn check(
    case: &str,
    told: &[&Transition],
    ending: Ending,
    (local, remote, is_client): (Endpoint, Endpoint, bool),
    exact: bool,
) {
    let visited = visited(ending, is_client);
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
    assert_eq!(ends, usize::from(!waits(ending, is_client)), "{case}: ended {ends} times: {told:?}");
    if exact {
        assert_eq!(openings, 1, "{case}: {told:?}");
        let first = told.iter().find_map(|step| step.to);
        assert_eq!(first, Some(if is_client { SynSent } else { SynRecv }), "{case}: {told:?}");
        assert!(ending == Ending::Refused || told.iter().any(|step| step.to == Some(Established)), "{case}: {told:?}");
    }
}

#[test]
fn however_a_connection_ends_it_is_told_once_and_truly() {
    if !namespace::inside_namespace() {
        return;
    }
    let (mut exact_cases, mut is_traced) = (0, false);
    for choice in [Choice::Linux, Choice::Procfs] {
        for trace in [true, false] {
            for addr in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
                for ending in ENDINGS {
                    for is_long in [false, true] {
                        let case =
                            format!("{choice:?}, trace {trace}, {addr}, {ending:?}, longer than a sample {is_long}");
                        let mut tracked = TrackedSource::open_with_events(&choice, trace);
                        let made = act(ending, addr, || {
                            if is_long {
                                tracked.sample();
                            }
                        });
                        for _ in 0..4 {
                            sleep(Duration::from_millis(30));
                            tracked.sample();
                        }
                        let (client, server) = (endpoint(made.client), endpoint(made.server));
                        let of = |local: Endpoint, remote: Endpoint| -> Vec<&Transition> {
                            let is_its = |step: &&Transition| {
                                step.local.port == local.port && (step.remote.port == remote.port || step.is_emptied)
                            };
                            tracked.transitions.iter().filter(is_its).collect()
                        };
                        let exact = trace
                            && !is_long
                            && (tracked.snapshot.events.event_status.trace == EventSourceStatus::On)
                            && tracked.lost == 0;
                        is_traced |= tracked.snapshot.events.event_status.trace == EventSourceStatus::On;
                        exact_cases += u32::from(exact);
                        check(&case, &of(client, server), ending, (client, server, true), exact);
                        if ending != Ending::Refused {
                            check(&case, &of(server, client), ending, (server, client, false), exact);
                        }
                        if exact && ending != Ending::Refused {
                            let opener = of(client, server).into_iter().find_map(|step| step.owner.process());
                            assert_eq!(opener.map(|it| it.id.pid), Some(std::process::id()), "{case}");
                        }
                    }
                }
            }
        }
    }
    if is_traced {
        assert!(exact_cases >= EXACT_CASES_MIN, "{exact_cases} cases were traced without a loss");
    } else {
        skip("the part with exact steps: there is no trace of states");
    }
}
