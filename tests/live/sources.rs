//! The Linux sources against the running kernel: states, queues, owners and verdicts of sockets that the tests make
//! on loopback. Each test looks only at its own ports; what takes the kernel a moment is polled with a deadline.
//!
//! So is who holds a socket: a child that another test starts has a copy of every descriptor until its exec.

#![cfg(target_os = "linux")]

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use conntop::model::endpoint::Protocol;
use conntop::model::process::Owner;
use conntop::model::snapshot::Needs;
use conntop::model::socket::{CloseWaitVerdict, Queues, Socket, TimerKind};
use conntop::model::tcp_state::TcpState;
use conntop::source::Choice;

use crate::sampled_source::{SampledSource, TIMEOUT};
use crate::skip::skip;

/// Both ways to read the kernel's tables.
const CHOICES: [Choice; 2] = [Choice::Linux, Choice::Procfs];

/// Opens the source with nothing asked for beyond the sockets.
fn open(choice: &Choice) -> SampledSource {
    SampledSource::open(choice, Needs::default())
}

impl SampledSource {
    /// The TCP socket with these ports (0 for no remote), if there is one.
    fn find(&self, ports: (u16, u16)) -> Option<&Socket> {
        self.find_of(Protocol::Tcp, ports)
    }

    fn find_of(&self, protocol: Protocol, ports: (u16, u16)) -> Option<&Socket> {
        let is_it = |socket: &&Socket| socket.protocol == protocol && (socket.local.port, socket.remote.port) == ports;
        self.snapshot.sockets.iter().find(is_it)
    }

    /// Looks until the TCP socket with these ports is as wanted.
    fn wait(&mut self, ports: (u16, u16), wanted: impl Fn(&Socket) -> bool) -> Socket {
        self.wait_of(Protocol::Tcp, ports, wanted)
    }

    fn wait_of(&mut self, protocol: Protocol, ports: (u16, u16), wanted: impl Fn(&Socket) -> bool) -> Socket {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            self.sample();
            match self.find_of(protocol, ports) {
                Some(socket) if wanted(socket) => return socket.clone(),
                other => assert!(Instant::now() < deadline, "not as wanted: {other:#?}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_state(&mut self, ports: (u16, u16), state: TcpState) -> Socket {
        self.wait(ports, |socket| socket.state == state)
    }

    /// Looks until this process alone holds the socket.
    fn wait_mine(&mut self, ports: (u16, u16)) -> Socket {
        self.wait(ports, |socket| pids(socket) == [me()])
    }

    fn wait_gone(&mut self, ports: (u16, u16)) {
        let deadline = Instant::now() + TIMEOUT;
        while self.sample().sockets.iter().any(|socket| (socket.local.port, socket.remote.port) == ports) {
            assert!(Instant::now() < deadline, "still there: {:#?}", self.find(ports));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A listener and one accepted connection to it.
struct Pair {
    listener: TcpListener,
    client: TcpStream,
    server: TcpStream,
}

impl Pair {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
        let (server, _) = listener.accept().expect("a connection");
        Self { listener, client, server }
    }

    /// Local and remote port of the client's end.
    fn client(&self) -> (u16, u16) {
        (port(self.client.local_addr()), port(self.listener.local_addr()))
    }

    /// Local and remote port of the server's end.
    fn server(&self) -> (u16, u16) {
        let (client, server) = self.client();
        (server, client)
    }
}

fn port(addr: std::io::Result<SocketAddr>) -> u16 {
    addr.expect("bound").port()
}

fn pids(socket: &Socket) -> Vec<u32> {
    let Owner::Live(holders) = &socket.owner else {
        return Vec::new();
    };
    holders.all().iter().map(|process| process.id.pid).collect()
}

/// A child process that ends with the test.
struct Running(Child);

impl Running {
    /// Runs `program` with `socket` as its standard input.
    fn with_socket(program: &str, args: &[&str], socket: OwnedFd) -> Self {
        Self(Command::new(program).args(args).stdin(Stdio::from(socket)).spawn().expect("the program exists"))
    }

    fn kill(&mut self) {
        // Nothing to kill where it has ended by itself.
        let _ = self.0.kill();
        self.0.wait().expect("our child");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

fn me() -> u32 {
    std::process::id()
}

#[test]
fn both_ends_of_a_connection_and_its_listener_are_seen_with_their_owner() {
    for choice in &CHOICES {
        let mut pair = Pair::new();
        let mut sampled = open(choice);
        let [server, client, listener] =
            [pair.server(), pair.client(), (pair.server().0, 0)].map(|ports| sampled.wait_mine(ports));
        for socket in [&server, &client, &listener] {
            assert_eq!(socket.uid, Some(rustix::process::getuid().as_raw()));
            assert_eq!(socket.local.addr, IpAddr::from([127, 0, 0, 1]));
        }
        assert_eq!((server.state, client.state), (TcpState::Established, TcpState::Established));
        assert_eq!(listener.state, TcpState::Listen);

        pair.client.write_all(b"hello").expect("connected");
        let server = sampled.wait(pair.server(), |socket| socket.queues.is_some_and(|queues| queues.receive == 5));
        assert_eq!(server.queues.map(|queues| queues.send), Some(Some(0)));
        let again = sampled.find(pair.client()).expect("listed");
        assert_eq!(again.id, client.id, "identity stays");
    }
}

#[test]
fn tcp_info_tells_bytes_and_when_data_last_came() {
    let mut pair = Pair::new();
    let before = Instant::now();
    pair.client.write_all(b"hello").expect("connected");
    pair.server.read_exact(&mut [0; 5]).expect("connected");
    let mut sampled = open(&Choice::Linux);
    let info = sampled.wait(pair.server(), |_| true).tcp.expect("established");
    assert_eq!(info.bytes.map(conntop::model::tcp_info::ByteCounts::received), Some(5));
    // Jiffies are short of a second.
    let longest = before.elapsed() + Duration::from_secs(1);
    assert!(sampled.snapshot.at.since(info.last_data_received.into()) < longest, "{info:?}");
    assert!(info.rto_us > 0);
    let client = sampled.wait(pair.client(), |socket| socket.tcp.is_some_and(|tcp| tcp.rtt_us > 0));
    assert_eq!(sampled.find((pair.server().0, 0)).expect("listed").tcp, None, "a listener has none");

    sampled.needs.details = vec![client.reference()];
    let (id, detail) = sampled.sample().details.first().cloned().expect("looked up");
    assert_eq!(id, client.id);
    assert!(detail.congestion.is_some_and(|name| !name.as_str().is_empty()));
    assert!(detail.congestion_window.is_some_and(|segments| segments > 0));
    assert!(detail.send_mss_bytes.is_some_and(|bytes| bytes > 500));
    drop(pair);
    sampled.needs.details = vec![conntop::model::socket::SocketRef {
        id: conntop::model::socket::SocketId::from_cookie(u64::MAX - 1, client.id.netns()),
        ..client.reference()
    }];
    assert_eq!(sampled.sample().details, [], "another cookie is another socket");
}

#[test]
fn every_cause_of_close_wait_is_told_apart() {
    for choice in &CHOICES {
        let (mut missing, not_reading, stuck) = (Pair::new(), Pair::new(), Pair::new());
        (&stuck.client).write_all(b"unread").expect("connected");
        for pair in [&missing, &not_reading, &stuck] {
            pair.client.shutdown(std::net::Shutdown::Write).expect("connected");
        }
        assert_eq!(missing.server.read(&mut [0; 8]).expect("end of stream"), 0);
        let never_accepted = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let gave_up = TcpStream::connect(never_accepted.local_addr().expect("bound")).expect("loopback");
        let unaccepted = (port(never_accepted.local_addr()), port(gave_up.local_addr()));
        drop(gave_up);

        let mut sampled = open(choice);
        let mut verdict = |ports| sampled.wait_state(ports, TcpState::CloseWait).verdict();
        assert_eq!(verdict(missing.server()), Some(CloseWaitVerdict::MissingClose));
        assert_eq!(verdict(not_reading.server()), Some(CloseWaitVerdict::NotReading));
        assert_eq!(verdict(stuck.server()), Some(CloseWaitVerdict::StuckReader));
        assert_eq!(verdict(unaccepted), Some(CloseWaitVerdict::NotAccepted));
        let stuck = sampled.find(stuck.server()).expect("listed");
        assert_eq!(stuck.queues.map(|queues| queues.receive), Some(7), "six bytes and the end of the stream");
    }
}

#[test]
fn connections_wait_in_the_accept_queue_without_an_owner() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).expect("loopback")).collect();
    let waiting = (address.port(), port(clients[0].local_addr()));
    for choice in &CHOICES {
        let socket = open(choice).wait_state(waiting, TcpState::Established);
        assert_eq!((socket.owner, socket.inode), (Owner::Unaccepted, None));
    }
    let mut sampled = open(&Choice::Linux);
    let length = |socket: &Socket| socket.queues.map(|queues| queues.receive);
    let queues = sampled.wait((address.port(), 0), |socket| length(socket) == Some(3)).queues.expect("known");
    assert!(queues.send >= Some(128), "the limit: {queues:?}");
    let (_accepted, _) = listener.accept().expect("a connection");
    sampled.wait_mine(waiting);
    let queues = open(&Choice::Procfs).wait((address.port(), 0), |_| true).queues.expect("known");
    assert_eq!((queues.receive, queues.send), (2, None), "the limit is not known");
}

#[test]
fn a_full_accept_queue_leaves_others_in_syn_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    rustix::net::listen(&listener, 0).expect("a smaller backlog");
    let address = listener.local_addr().expect("bound");
    let _first = TcpStream::connect(address).expect("room for one");
    let is_full = |socket: &Socket| socket.queues.is_some_and(|queues| queues.receive == 1);
    open(&Choice::Linux).wait((address.port(), 0), is_full);
    let second = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        rustix::net::SocketFlags::NONBLOCK | rustix::net::SocketFlags::CLOEXEC,
        None,
    );
    let second = second.expect("a socket");
    assert!(rustix::net::connect(&second, &address).is_err(), "would block");
    let second = TcpStream::from(second);
    for choice in &CHOICES {
        let mut sampled = open(choice);
        let socket = sampled.wait_mine((port(second.local_addr()), address.port()));
        assert_eq!(socket.state, TcpState::SynSent);
        assert_eq!(socket.timer.map(|timer| timer.kind), Some(TimerKind::Retransmit));
    }
}

#[test]
fn the_closing_states_keep_their_identity_and_lose_their_owner() {
    for choice in &CHOICES {
        let pair = Pair::new();
        let (client, server) = (pair.client(), pair.server());
        let mut sampled = open(choice);
        let established = sampled.wait_state(client, TcpState::Established);

        pair.client.shutdown(std::net::Shutdown::Write).expect("connected");
        let is_open = |socket: &Socket| socket.state == TcpState::FinWait2 && pids(socket) == [me()];
        let half_closed = sampled.wait(client, is_open);
        assert_eq!(half_closed.id, established.id, "still open");
        drop(pair.client);
        let orphan = sampled.wait(client, |socket| socket.inode.is_none());
        assert_eq!((orphan.id, orphan.state, orphan.owner), (established.id, TcpState::FinWait2, Owner::None));

        let before = Instant::now();
        drop(pair.server);
        let waiting = sampled.wait_state(client, TcpState::TimeWait);
        assert_eq!((waiting.id, waiting.owner, waiting.uid), (established.id, Owner::None, None));
        assert_eq!((waiting.tcp, waiting.queues), (None, Some(Queues::EMPTY)));
        let timer = waiting.timer.expect("counting down");
        assert_eq!(timer.kind, TimerKind::TimeWait);
        let left = timer.expires.timestamp().since(sampled.snapshot.at);
        // Of a minute, give or take a second.
        let most = Duration::from_secs(61);
        assert!(left <= most && left + before.elapsed() >= Duration::from_secs(59), "{left:?}");
        sampled.wait_gone(server);
    }
}

#[test]
fn udp_sockets_are_unconn_or_established() {
    for choice in &CHOICES {
        let unconnected = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let connected = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        connected.connect(unconnected.local_addr().expect("bound")).expect("loopback");
        connected.send(b"datagram").expect("loopback");
        let mut sampled = open(choice);
        let socket = sampled.wait_of(Protocol::Udp, (port(unconnected.local_addr()), 0), |socket| {
            pids(socket) == [me()] && socket.queues.is_some_and(|queues| queues.receive > 0)
        });
        assert_eq!((socket.state, socket.tcp), (TcpState::Unconn, None));
        let ports = (port(connected.local_addr()), port(unconnected.local_addr()));
        let socket = sampled.wait_of(Protocol::Udp, ports, |_| true);
        assert_eq!(socket.state, TcpState::Established);
    }
}

#[test]
fn ipv6_sockets_keep_their_family() {
    let Ok(listener) = TcpListener::bind("[::]:0") else {
        skip("there is no IPv6 here");
        return;
    };
    let address = SocketAddr::from(([127, 0, 0, 1], port(listener.local_addr())));
    let client = TcpStream::connect(address).expect("mapped");
    for choice in &CHOICES {
        let mut sampled = open(choice);
        let ports = (address.port(), port(client.local_addr()));
        let server = sampled.wait(ports, |_| true);
        assert_eq!(server.local.as_told(), format!("[::ffff:127.0.0.1]:{}", ports.0));
        let client = sampled.wait((ports.1, ports.0), |_| true);
        assert_eq!(client.local.as_told(), format!("127.0.0.1:{}", ports.1));
        sampled.needs.details = vec![server.reference(), client.reference()];
        let found = sampled.sample().details.len();
        assert_eq!(found, if *choice == Choice::Linux { 2 } else { 0 });
    }
}

#[test]
fn all_processes_that_share_a_socket_are_listed_and_the_dead_are_not() {
    for choice in &CHOICES {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let ports = (port(listener.local_addr()), 0);
        let mut sampled = open(choice);
        sampled.wait_mine(ports);

        let share = || OwnedFd::from(listener.try_clone().expect("a descriptor"));
        let mut workers: Vec<_> = (0..3).map(|_| Running::with_socket("sleep", &["600"], share())).collect();
        let mut everyone: Vec<_> = workers.iter().map(|worker| worker.0.id()).chain([me()]).collect();
        everyone.sort_unstable();
        sampled.wait(ports, |socket| pids(socket) == everyone);

        workers[0].kill();
        let dead = workers[0].0.id();
        sampled.sample();
        assert!(!pids(sampled.find(ports).expect("listed")).contains(&dead), "at once");
        everyone.retain(|pid| *pid != dead);
        sampled.wait(ports, |socket| pids(socket) == everyone);

        drop(listener);
        everyone.retain(|pid| *pid != me());
        sampled.wait(ports, |socket| pids(socket) == everyone);
    }
}

#[test]
fn a_socket_handed_to_another_process_changes_its_owner() {
    let pair = Pair::new();
    let mut sampled = open(&Choice::Linux);
    let ports = pair.server();
    sampled.wait_mine(ports);
    let worker = Running::with_socket("sleep", &["600"], OwnedFd::from(pair.server));
    let socket = sampled.wait(ports, |socket| pids(socket) == [worker.0.id()]);
    let process = socket.owner.process().expect("live").clone();
    assert_eq!((process.name.as_str(), process.command.as_str()), ("sleep", "sleep 600"));
    assert_eq!(process.parent_pid, me());
}

#[test]
fn exec_gives_an_owner_its_new_name() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let ports = (port(listener.local_addr()), 0);
    let directory = tempfile::tempdir().expect("a directory");
    let fifo = directory.path().join("fifo");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).expect("a new name");
    // The shell waits, without another process, until it is told to go on.
    let script = ["-c", "read line <\"$0\"; exec sleep 600", fifo.to_str().expect("text")];
    let worker = Running::with_socket("sh", &script, OwnedFd::from(listener));
    let mut sampled = open(&Choice::Linux);
    let name = |socket: &Socket| socket.owner.process().map(|process| process.name.to_string());
    sampled.wait(ports, |socket| name(socket).as_deref() == Some("sh"));
    std::fs::write(&fifo, "go on\n").expect("the shell reads");
    let socket = sampled.wait(ports, |socket| name(socket).as_deref() == Some("sleep"));
    assert!(pids(&socket).contains(&worker.0.id()));
}

#[test]
fn a_hostile_process_name_is_read_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    for name in ["a) R 1 (", "x\x1b]0;PWN"] {
        let program = directory.path().join(name);
        std::os::unix::fs::symlink("/bin/sleep", &program).expect("a new name");
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let ports = (port(listener.local_addr()), 0);
        let worker = Running::with_socket(program.to_str().expect("text"), &["600"], OwnedFd::from(listener));
        let socket = open(&Choice::Linux).wait(ports, |socket| pids(socket) == [worker.0.id()]);
        let process = socket.owner.process().expect("live");
        assert_eq!(process.name.as_str(), name.replace('\x1b', "␛"));
        assert_eq!(process.parent_pid, me());
        assert!(!process.command.as_str().contains('\x1b'));
    }
}

#[test]
fn usage_is_that_of_the_process_asked_for_and_not_of_its_successor() {
    let worker_socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    let worker_port = port(worker_socket.local_addr());
    let worker = Running::with_socket("sh", &["-c", "while :; do :; done"], worker_socket.into());
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let mut sampled = open(&Choice::Linux);
    let socket = sampled.wait_mine((port(listener.local_addr()), 0));
    let mine = socket.owner.process().expect("live").id;
    let worker_udp = sampled.wait_of(Protocol::Udp, (worker_port, 0), |socket| pids(socket) == [worker.0.id()]);
    let busy = worker_udp.owner.process().expect("live").id;
    let impostor = conntop::model::process::ProcessId { start_ticks: busy.start_ticks + 1, ..busy };
    sampled.needs.usage = vec![mine, busy, impostor];

    let first = sampled.sample().usage.clone();
    assert_eq!(first.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [mine, busy]);
    let usage = first[0].1;
    assert!(usage.memory_bytes > 100_000, "{usage:?}");
    // sysinfo compares with a second measurement that must not be zero: the third one tells. On a busy machine the loop
    // gets a small part of a core.
    let deadline = Instant::now() + TIMEOUT;
    while !sampled.sample().usage[1].1.cpu.is_some_and(|cpu| cpu > 0.01 && cpu <= 2.0) {
        assert!(Instant::now() < deadline, "a loop uses a core: {:?}", &sampled.snapshot.usage);
        std::thread::sleep(Duration::from_millis(250));
    }
}

#[test]
fn names_of_users_and_the_host_are_known_and_shared() {
    let mut sampled = open(&Choice::Linux);
    assert_eq!(sampled.snapshot.names.users.get(&0).map(AsRef::as_ref), Some("root"));
    // Others on this machine may start a unit between two looks.
    let deadline = Instant::now() + TIMEOUT;
    let mut is_kept = || {
        let before = std::sync::Arc::clone(&sampled.snapshot.names);
        sampled.sample();
        std::sync::Arc::ptr_eq(&before, &sampled.snapshot.names)
    };
    while !is_kept() {
        assert!(Instant::now() < deadline, "replaced only when changed");
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a host name");
    assert_eq!(sampled.source.info().host.as_str(), host.trim());
    assert!(sampled.source.info().abilities.kill);
}

#[test]
fn a_socket_in_flight_to_another_process_has_no_owner_until_it_is_received() {
    use rustix::net::{RecvAncillaryBuffer, SendAncillaryBuffer, SendAncillaryMessage};
    // Children that other tests start have a copy of every descriptor until their exec.
    if !crate::namespace::alone_in_process() {
        return;
    }
    let pair = Pair::new();
    let ports = pair.server();
    let mut sampled = open(&Choice::Linux);
    sampled.wait_mine(ports);

    let (sender, receiver) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    let server = [std::os::fd::AsFd::as_fd(&pair.server)];
    assert!(rights.push(SendAncillaryMessage::ScmRights(&server)));
    let payload = [std::io::IoSlice::new(b"x")];
    rustix::net::sendmsg(&sender, &payload, &mut rights, rustix::net::SendFlags::empty()).expect("sent");
    drop(pair.server);
    let in_flight = sampled.wait(ports, |socket| pids(socket).is_empty());
    assert!(in_flight.inode.is_some() && matches!(in_flight.owner, Owner::None | Owner::Hidden), "{in_flight:?}");

    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let (mut byte, flags) = ([0], rustix::net::RecvFlags::CMSG_CLOEXEC);
    let mut payload = [std::io::IoSliceMut::new(&mut byte)];
    rustix::net::recvmsg(&receiver, &mut payload, &mut rights, flags).expect("received");
    let descriptors: Vec<_> = rights.drain().collect();
    sampled.wait_mine(ports);
    drop(descriptors);
}

#[test]
fn other_network_namespaces_are_counted_and_their_sockets_left_out() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let child = Command::new("unshare")
        .args(["--net", "sleep", "600"])
        .stdin(listener.try_clone().map(OwnedFd::from).expect("a descriptor"))
        .spawn();
    let mut child = Running(child.expect("unshare(1) is there, as .ci/test sees to"));
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    let own = namespace("self");
    let deadline = Instant::now() + TIMEOUT;
    while namespace(&child.0.id().to_string()).is_none_or(|its| Some(its) == own) {
        if child.0.try_wait().expect("our child").is_some() {
            skip("this user may make no network namespace");
            return;
        }
        assert!(Instant::now() < deadline, "unshare(1) neither enters a namespace nor ends");
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut sampled = open(&Choice::Linux);
    assert!(sampled.snapshot.coverage.other_namespaces >= 1, "{:?}", sampled.snapshot.coverage);
    let socket = sampled.wait((port(listener.local_addr()), 0), |socket| pids(socket).len() == 2);
    assert!(pids(&socket).contains(&child.0.id()), "a holder in another namespace is a holder all the same");
}
