//! The portable source on the machine at hand: sockets that the test makes itself, over loopback.
//!
//! A child that another test starts holds all of them until its exec, so that who holds one is waited for.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::snapshot::Snapshot;
use crate::model::socket::{CloseWaitVerdict, Socket};
use crate::model::tcp_state::TcpState;

/// How long anything may take; long, because the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

fn sample(source: &mut PortableSource, needs: &Needs) -> Snapshot {
    let mut snapshot = Snapshot::default();
    assert_eq!(source.sample(needs, &mut snapshot).expect("netstat2 works here"), Pace::Interval);
    snapshot
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::new(address.ip(), address.port())
}

/// Those at an address; a connection of another test may linger at a port that is free again.
fn at(snapshot: &Snapshot, protocol: Protocol, local: SocketAddr) -> Vec<&Socket> {
    let is_it = |it: &&Socket| it.protocol == protocol && it.local == endpoint(local) && it.state != TcpState::TimeWait;
    snapshot.sockets.iter().filter(is_it).collect()
}

fn is_mine(socket: &Socket) -> bool {
    let holders = socket.owner.holders().map(|holders| holders.all());
    matches!(holders, Some([holder]) if holder.id.pid == std::process::id())
}

/// A sample that is as wanted.
fn sample_until(source: &mut PortableSource, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let snapshot = sample(source, &Needs::default());
        if wanted(&snapshot) {
            return snapshot;
        }
        assert!(Instant::now() < deadline, "{:?}", snapshot.sockets);
    }
}

/// The connection from `local` to `remote` once it is in `state`: the kernel takes a moment.
fn wait_for(source: &mut PortableSource, (local, remote): (SocketAddr, SocketAddr), state: TcpState) -> Socket {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let snapshot = sample(source, &Needs::default());
        let found = snapshot.sockets.iter().find(|it| (it.local, it.remote) == (endpoint(local), endpoint(remote)));
        match found {
            Some(socket) if socket.state == state => return socket.clone(),
            found => assert!(Instant::now() < deadline, "{found:?}"),
        }
    }
}

#[test]
fn listeners_connections_and_datagrams_of_both_families_are_there_with_their_process() {
    let mut source = PortableSource::open().expect("netstat2 works here");
    for address in [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))] {
        let listener = TcpListener::bind(address).expect("a port");
        let datagrams = UdpSocket::bind(address).expect("a port");
        let here = listener.local_addr().expect("bound");
        let client = TcpStream::connect(here).expect("it listens");
        let (server, there) = listener.accept().expect("it connected");
        let at_udp = datagrams.local_addr().expect("bound");
        let snapshot = sample_until(&mut source, |snapshot| {
            let tcp = [here, there].into_iter().flat_map(|end| at(snapshot, Protocol::Tcp, end));
            tcp.chain(at(snapshot, Protocol::Udp, at_udp)).filter(|socket| is_mine(socket)).count() == 4
        });

        let family = if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        let mut states: Vec<_> = at(&snapshot, Protocol::Tcp, here).iter().map(|it| it.state).collect();
        states.sort_unstable();
        assert_eq!(states, [TcpState::Listen, TcpState::Established], "{family:?}");
        let theirs = at(&snapshot, Protocol::Tcp, there);
        assert_eq!((theirs.len(), theirs[0].remote, theirs[0].family), (1, endpoint(here), family));
        let udp = at(&snapshot, Protocol::Udp, at_udp);
        assert_eq!((udp.len(), udp[0].state), (1, TcpState::Unconn));
        drop((client, server));
    }
}

#[test]
fn what_netstat2_does_not_tell_is_unknown_and_said() {
    let mut source = PortableSource::open().expect("netstat2 works here");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let snapshot = sample(&mut source, &Needs::default());
    let sockets = at(&snapshot, Protocol::Tcp, listener.local_addr().expect("bound"));
    assert_eq!((sockets[0].queues, sockets[0].timer, sockets[0].tcp), (None, None, None));
    assert_eq!(sockets[0].id.cookie(), None);
    assert_eq!(snapshot.coverage.sockets as usize, snapshot.sockets.len());
    assert!(snapshot.coverage.degraded[0].as_str().contains("no queues"));
    let mut ids: Vec<_> = snapshot.sockets.iter().map(|it| it.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), snapshot.sockets.len(), "every socket has an identity of its own");
}

#[test]
fn its_process_is_described_measured_and_shared() {
    let mut source = PortableSource::open().expect("netstat2 works here");
    let listeners = [0; 2].map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a port"));
    let held = |snapshot: &Snapshot| {
        let local = |listener: &TcpListener| listener.local_addr().expect("bound");
        let found = listeners.iter().flat_map(|it| at(snapshot, Protocol::Tcp, local(it)));
        found.filter_map(|it| it.owner.holders().cloned()).collect::<Vec<_>>()
    };
    let are_mine = |snapshot: &Snapshot| held(snapshot).iter().all(|holders| holders.all().len() == 1);
    let first = sample_until(&mut source, are_mine);
    let process = held(&first)[0].first().clone();
    let program = std::env::args().next().expect("a name");
    assert!(process.command.as_str().starts_with(&program), "{:?}", process.command);
    assert!(process.started.is_some_and(|started| started <= first.wall));
    let needs =
        Needs { usage: vec![process.id, ProcessId { pid: process.id.pid, start_ticks: 1 }], ..Needs::default() };
    let second = sample(&mut source, &needs);
    let third = sample_until(&mut source, are_mine);
    let usage: Vec<_> = second.usage.iter().map(|(id, _)| *id).collect();
    assert_eq!(usage, [process.id], "a pid with another start is another process");
    assert!(second.usage[0].1.memory_bytes > 100_000);
    let (before, after) = (held(&first), held(&third));
    assert!(Arc::ptr_eq(&before[0], &before[1]) && Arc::ptr_eq(&before[0], &after[1]));
}

#[cfg(target_os = "linux")]
#[test]
fn on_linux_the_start_is_in_ticks_and_names_of_users_are_there() {
    let mut source = PortableSource::open().expect("netstat2 works here");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let here = listener.local_addr().expect("bound");
    let is_there = |snapshot: &Snapshot| at(snapshot, Protocol::Tcp, here).iter().any(|socket| is_mine(socket));
    let snapshot = sample_until(&mut source, is_there);
    let socket = at(&snapshot, Protocol::Tcp, here)[0];
    let process = socket.owner.process().expect("it is mine");
    assert_eq!(Some(process.id.start_ticks), system::start_ticks(std::process::id()));
    assert!(socket.inode.is_some());
    assert_eq!(socket.uid, process.uid);
    assert_eq!(socket.uid, Some(rustix::process::getuid().as_raw()));
    assert_eq!(snapshot.names.users.get(&0).map(DisplayText::as_str), Some("root"));
}

#[cfg(target_os = "linux")]
#[test]
fn on_linux_a_connection_in_the_accept_queue_says_so_and_a_finished_one_waits_without_owner() {
    let mut source = PortableSource::open().expect("netstat2 works here");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let here = listener.local_addr().expect("bound");
    let client = TcpStream::connect(here).expect("it listens");
    let there = client.local_addr().expect("connected");
    let waiting = wait_for(&mut source, (here, there), TcpState::Established);
    assert_eq!(waiting.owner, Owner::Unaccepted);

    drop(client);
    let given_up = wait_for(&mut source, (here, there), TcpState::CloseWait);
    assert_eq!(given_up.verdict(), Some(CloseWaitVerdict::NotAccepted));
    let half_closed = wait_for(&mut source, (there, here), TcpState::FinWait2);
    assert_eq!((half_closed.owner, half_closed.inode, half_closed.uid), (Owner::None, None, None));

    drop(listener.accept().expect("it is still in the queue"));
    let over = wait_for(&mut source, (there, here), TcpState::TimeWait);
    assert_eq!(over.owner, Owner::None);
}
