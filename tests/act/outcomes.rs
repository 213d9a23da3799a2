//! `conntop close` and `conntop kill` say what is true afterwards, by what the kernel shows then.

#![cfg(target_os = "linux")]

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::num::NonZeroU32;
use std::time::Duration;

use conntop::host::this_machine;
use conntop::model::action::{Kill, KillOutcome, Signal};
use conntop::model::process::ProcessId;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::acting::{Holder, PythonProcess, connect, document, listed, outcomes, wait};
use crate::namespace::{alone_in_namespace, inside_namespace};
use crate::program::run;
use crate::skip::skip;

/// A socket that shares 127.0.0.1 and `port` with others.
fn sharing(kind: SocketType, port: u16) -> std::os::fd::OwnedFd {
    let socket = rustix::net::socket_with(AddressFamily::INET, kind, SocketFlags::CLOEXEC, None).expect("a descriptor");
    sockopt::set_socket_reuseport(&socket, true).expect("Linux knows it");
    rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], port))).expect("they share it");
    if kind == SocketType::STREAM {
        rustix::net::listen(&socket, 8).expect("it is bound");
    }
    socket
}

#[test]
fn of_listeners_that_share_an_address_exactly_the_one_that_is_meant_is_closed() {
    if !inside_namespace() {
        return;
    }
    let holders: Vec<Holder> = (0..12).map(|_| Holder::of(sharing(SocketType::STREAM, 7001))).collect();
    for (closed, holder) in holders.iter().enumerate() {
        assert_eq!(listed("lport:7001 state:listen").len(), 12 - closed);
        let ended = run(&["close", "--yes", "--listeners", "--format", "json", &format!("pid:{}", holder.pid())]);
        assert_eq!((ended.code, outcomes(&document(&ended, "close"))), (0, vec!["closed"]), "{}", ended.stderr);
        assert!(listed(&format!("pid:{} state:listen", holder.pid())).is_empty(), "it was this one");
    }
    // All at once, as a filter on the port means them.
    let _more: Vec<Holder> = (0..12).map(|_| Holder::of(sharing(SocketType::STREAM, 7002))).collect();
    let ended = run(&["close", "--yes", "--listeners", "lport:7002"]);
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert!(listed("lport:7002 state:listen").is_empty());
}

#[test]
fn udp_is_disconnected_and_never_closed() {
    if !inside_namespace() {
        return;
    }
    let bound = UdpSocket::bind("127.0.0.1:7053").expect("nobody else is here");
    let connected = UdpSocket::bind("127.0.0.1:7054").expect("nobody else is here");
    connected.connect("127.0.0.1:7053").expect("UDP connects to anything");
    let client = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
    let chosen = socket.expect("a descriptor");
    rustix::net::connect(&chosen, &SocketAddr::from(([127, 0, 0, 1], 7055))).expect("UDP connects to anything");
    let twins = [sharing(SocketType::DGRAM, 7060), sharing(SocketType::DGRAM, 7060)];
    let mut holders: Vec<Holder> = [bound.into(), connected.into(), chosen].map(Holder::of).into_iter().collect();
    holders.extend(twins.map(Holder::of));
    for (filter, count, keeps_port) in
        [("lport:7053", 1, true), ("lport:7054", 1, true), ("rport:7055", 1, false), ("lport:7060", 2, true)]
    {
        let ended = run(&["close", "--yes", "--listeners", "--format", "json", "proto:udp", filter]);
        let document = document(&ended, "close");
        assert_eq!((ended.code, outcomes(&document)), (1, vec!["disconnected"; count]), "{filter}: {}", ended.stderr);
        let note = document["targets"][0]["note"].as_str().expect("a note");
        let expected = if keeps_port { "keeps the socket and its port" } else { "keeps the socket, without a port" };
        assert!(note.contains(expected), "{filter}: {note}");
        assert_eq!(listed(&format!("proto:udp {filter}")).len(), if keeps_port { count } else { 0 }, "{filter}");
    }
    drop(client);
    assert!(holders.iter_mut().all(Holder::lives));
}

#[test]
fn a_port_that_the_process_keeps_is_said_to_be_kept() {
    if !inside_namespace() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:7001").expect("nobody else is here");
    let (client, server) = connect(&listener, "127.0.0.1:41001");
    let _holders = (Holder::of(listener), Holder::of(client));
    let note = |filter: &str| {
        let ended = run(&["close", "--yes", "--listeners", "--format", "json", filter]);
        let document = document(&ended, "close");
        assert_eq!((ended.code, outcomes(&document)), (0, vec!["closed"]), "{filter}: {}", ended.stderr);
        document["targets"][0]["note"].as_str().map(str::to_owned)
    };
    drop(server);
    assert!(note("lport:7001 state:listen").is_some_and(|note| note.contains("keeps the port")));
    // TcpListener::bind says SO_REUSEADDR, which shares what does not listen.
    let plain = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a descriptor");
    let taken = rustix::net::bind(&plain, &SocketAddr::from(([127, 0, 0, 1], 7001)));
    assert_eq!(taken, Err(rustix::io::Errno::ADDRINUSE), "and so it is");
    assert!(note("lport:41001").is_some_and(|note| note.contains("keeps the port")), "bound by hand");
    // What the kernel chose the port for has none any more; nor has a TIME_WAIT.
    let other = TcpListener::bind("127.0.0.1:7002").expect("nobody else is here");
    let client = std::net::TcpStream::connect("127.0.0.1:7002").expect("it listens");
    let _server = other.accept().expect("it has connected");
    let _client = Holder::of(client);
    assert_eq!(note("rport:7002 state:established"), None);
}

/// A process whose main thread has ended while another one holds a listener on 7001; `private` says that the
/// descriptors are that thread's alone.
fn without_main_thread(private: bool) -> PythonProcess {
    let unshare = if private { "libc.unshare(0x400)" } else { "None" };
    PythonProcess::new(&format!(
        "libc = ctypes.CDLL(None)
def work():
    {unshare}
    s = socket.create_server(('127.0.0.1', 7001))
    time.sleep(.2); print('ready', flush=True); time.sleep(600)
threading.Thread(target=work, daemon=True).start()
time.sleep(.1)
libc.syscall({}, 0)",
        if cfg!(target_arch = "aarch64") { 93 } else { 60 }
    ))
}

/// Everything by which a socket of `pid` on `port` is chosen: the process and the inode.
fn chosen(pid: u32, port: u16) -> (ProcessId, NonZeroU32) {
    let inode = listed(&format!("lport:{port} state:listen"))[0]["inode"].as_u64().expect("it has one");
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
    let start_ticks = stat.rsplit(") ").next().expect("fields").split(' ').nth(19).expect("22").parse().expect("ticks");
    let inode = u32::try_from(inode).ok().and_then(NonZeroU32::new).expect("it is held");
    (ProcessId { pid, start_ticks }, inode)
}

fn kill(process: ProcessId, holding: Vec<NonZeroU32>) -> Kill {
    Kill { process, name: "holder".into(), signal: Signal::Term, holding }
}

#[test]
fn a_process_without_its_main_thread_is_reached_and_ends_with_its_last_thread() {
    if !alone_in_namespace() {
        return;
    }
    for private in [false, true] {
        let mut python = without_main_thread(private);
        let status = std::fs::read_to_string(format!("/proc/{}/status", python.pid())).expect("it is there");
        assert!(status.contains("State:\tZ"), "{status}");
        let (process, inode) = chosen(python.pid(), 7001);
        let other = NonZeroU32::new(inode.get() + 1).expect("positive");
        assert_eq!(this_machine().kill(&kill(process, vec![other])).err(), Some(KillOutcome::LetGo), "{private}");
        let reached = this_machine().kill(&Kill { signal: Signal::Cont, ..kill(process, vec![inode]) });
        let mut watch = reached.map_err(|why| panic!("{private}: {why:?}")).expect("it panics");
        assert!(!watch.ended_within(Duration::from_millis(50)) && python.lives(), "a dead main thread is no end");
        let mut watch = this_machine().kill(&kill(process, vec![inode])).map_err(drop).expect("as before");
        assert!(watch.ended_within(Duration::from_secs(30)));
        wait("it ends", || !python.lives());
        assert!(listed("lport:7001").is_empty());
    }
}

#[test]
fn who_has_let_go_of_the_socket_is_not_signalled() {
    if !inside_namespace() {
        return;
    }
    let mut holder = Holder::of(TcpListener::bind("127.0.0.1:7001").expect("nobody else is here"));
    let mut other = Holder::of(TcpListener::bind("127.0.0.1:7002").expect("nobody else is here"));
    let (process, own) = chosen(holder.pid(), 7001);
    let (_, foreign) = chosen(other.pid(), 7002);
    assert_eq!(this_machine().kill(&kill(process, vec![foreign])).err(), Some(KillOutcome::LetGo));
    assert!(holder.lives() && other.lives());
    assert!(this_machine().kill(&kill(process, vec![foreign, own])).is_ok());
    holder.end();
    assert!(other.lives());
}

#[test]
fn what_no_kernel_closes_is_said_to_be_there_in_the_plan_too() {
    if !inside_namespace() {
        return;
    }
    // A port that is bound and nothing else.
    let bound = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let bound = bound.expect("a descriptor");
    rustix::net::bind(&bound, &SocketAddr::from(([127, 0, 0, 1], 7005))).expect("nobody else is here");
    let _bound = Holder::of(bound);
    let seen = |arguments: &[&str]| {
        let ended = run(&[&["close", "--format", "json"][..], arguments].concat());
        let document = document(&ended, "close");
        let outcomes: Vec<String> = outcomes(&document).into_iter().map(str::to_owned).collect();
        (ended.code, outcomes, document["targets"][0]["note"].as_str().unwrap_or_default().to_owned())
    };
    for mode in ["--dry-run", "--yes"] {
        if listed("state:bound").is_empty() {
            skip("the part with bound sockets: this kernel lists no sockets that are only bound (Linux 6.8)");
            break;
        }
        let (code, outcomes, note) = seen(&[mode, "lport:7005"]);
        assert_eq!((code, outcomes.as_slice()), (1, &["still-there".to_owned()][..]), "{mode}");
        assert!(note.contains("only bound"), "{note}");
    }

    let python = "try:
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
    s.bind(('127.0.0.1', 7001)); s.listen()
    c = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); c.connect(('127.0.0.1', 7001)); a, _ = s.accept()
    print('ready', flush=True)
except OSError: print('none', flush=True)";
    let python = PythonProcess::new(python);
    if python.said == "none" {
        skip("the part with MPTCP: this kernel has no MPTCP");
        return;
    }
    for mode in ["--dry-run", "--yes"] {
        let (code, outcomes, note) = seen(&[mode, "proto:mptcp rport:7001"]);
        assert_eq!((code, outcomes.as_slice()), (1, &["unsupported".to_owned()][..]), "{mode}");
        assert!(note.contains("subflows"), "{note}");
    }
    let (code, outcomes, note) = seen(&["--yes", "--listeners", "proto:tcp lport:7001 state:listen"]);
    assert_eq!((code, outcomes.as_slice()), (1, &["refused".to_owned()][..]), "it is a part of an MPTCP listener");
    assert!(note.contains("MPTCP"), "{note}");
    let (code, outcomes, note) = seen(&["--yes", "proto:tcp rport:7001"]);
    assert_eq!((code, outcomes.as_slice()), (1, &["refused".to_owned()][..]), "it is a part of an MPTCP connection");
    assert!(note.contains("MPTCP"), "{note}");
    assert_eq!(listed("proto:mptcp rport:7001").len(), 1, "and so it does");
}
