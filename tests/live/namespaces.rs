//! Sockets of other network namespaces, in namespaces that the tests make (as root; else they say that they did not
//! run).

#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

use conntop::model::process::Owner;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::{NetnsId, Socket};
use conntop::model::tcp_state::TcpState;
use conntop::source::Choice;

use crate::netns::Netns;
use crate::program_copy::ProgramCopy;
use crate::sampled_source::SampledSource;
use crate::skip::this_test;

fn open(choice: &Choice, all_namespaces: bool) -> SampledSource {
    SampledSource::open(choice, Needs { all_namespaces, ..Needs::default() })
}

/// The sockets of `netns`.
fn of<'a>(snapshot: &'a Snapshot, netns: &Netns) -> Vec<&'a Socket> {
    snapshot.sockets.iter().filter(|socket| socket.id.netns() == NetnsId(netns.inode)).collect()
}

fn established(sockets: &[&Socket]) -> Vec<(String, String)> {
    let connected = sockets.iter().filter(|socket| socket.state == TcpState::Established);
    let mut ends: Vec<_> = connected.map(|socket| (socket.local.as_told(), socket.remote.as_told())).collect();
    ends.sort();
    ends
}

/// Whether a socket is of those of [`Netns::pair`].
fn is_made(socket: &Socket) -> bool {
    socket.local.port == 7_001 || socket.local.port == 41_001
}

fn holders(socket: &Socket) -> Vec<u32> {
    let Owner::Live(holders) = &socket.owner else { return Vec::new() };
    holders.all().iter().map(|process| process.id.pid).collect()
}

#[test]
fn the_same_endpoints_in_two_namespaces_are_different_sockets_with_their_owners() {
    let (Some(red), Some(blue)) = (Netns::new(), Netns::new()) else { return };
    let sockets = [red.pair(7_001, 41_001), blue.pair(7_001, 41_001)];
    let mut sampled = open(&Choice::Linux, true);
    // The children of other tests have copies of all descriptors until their exec.
    let is_ours = |socket: &&Socket| holders(socket) == [std::process::id()];
    sampled.wait_until("owners are found across namespaces", |snapshot| {
        [&red, &blue].iter().all(|netns| of(snapshot, netns).iter().filter(|socket| is_made(socket)).all(is_ours))
    });
    for netns in [&red, &blue] {
        let seen = of(&sampled.snapshot, netns);
        let (client, server) = ("127.0.0.1:41001".to_owned(), "127.0.0.1:7001".to_owned());
        assert_eq!(established(&seen), [(client.clone(), server.clone()), (server, client)]);
        let mut made = seen.iter().filter(|socket| is_made(socket));
        assert!(made.all(|socket| socket.id.cookie().is_some() && (socket.tcp.is_some() || socket.is_listener())));
        assert_eq!(sampled.snapshot.names.namespaces[&NetnsId(netns.inode)].as_str(), netns.name);
    }
    assert!(sampled.snapshot.names.namespaces.values().any(|name| name.as_str() == "own"));

    // Details are looked up in the namespace of the socket.
    let reference =
        of(&sampled.snapshot, &blue).iter().find(|socket| socket.tcp.is_some()).expect("connected").reference();
    sampled.needs.details = vec![reference];
    sampled.sample();
    assert_eq!(sampled.snapshot.details.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [reference.id]);

    // A socket keeps its namespace alive, but without name and process conntop lets go of it.
    red.delete();
    sampled.wait_until("the deleted namespace is gone", |snapshot| of(snapshot, &red).is_empty());
    assert!(!of(&sampled.snapshot, &blue).is_empty());
    assert!(!sampled.snapshot.names.namespaces.contains_key(&NetnsId(red.inode)));
    drop(sockets);
}

#[test]
fn other_namespaces_are_counted_until_they_are_wanted() {
    let Some(other) = Netns::new() else { return };
    let sockets = other.pair(7_002, 41_002);
    let mut sampled = open(&Choice::Linux, false);
    let own = |snapshot: &Snapshot| snapshot.sockets.iter().all(|socket| Some(socket.id.netns()) == own_netns());
    assert!(
        own(&sampled.snapshot) && sampled.snapshot.coverage.other_namespaces >= 1,
        "{:?}",
        sampled.snapshot.coverage
    );
    let without = sampled.snapshot.coverage.other_namespaces;
    sampled.needs.all_namespaces = true;
    // Others on this machine make and delete namespaces as well.
    sampled.wait_until("it is shown when wanted, and what is shown is not counted as missing", |snapshot| {
        !of(snapshot, &other).is_empty() && snapshot.coverage.other_namespaces < without
    });
    sampled.needs.all_namespaces = false;
    sampled.sample();
    assert!(
        own(&sampled.snapshot) && sampled.snapshot.coverage.other_namespaces >= 1,
        "{:?}",
        sampled.snapshot.coverage
    );
    drop(sockets);
}

fn own_netns() -> Option<NetnsId> {
    let stat = rustix::fs::stat("/proc/thread-self/ns/net").ok()?;
    u32::try_from(stat.st_ino).ok().map(NetnsId)
}

#[test]
fn the_proc_source_looks_through_the_processes_of_other_namespaces() {
    let (Some(lived_in), Some(empty)) = (Netns::new(), Netns::new()) else { return };
    let sockets = lived_in.pair(7_003, 41_003);
    let mut child = Command::new("ip")
        .args(["netns", "exec", &lived_in.name, "sleep", "600"])
        .stdout(Stdio::null())
        .spawn()
        .expect("ip is there");
    let mut sampled = open(&Choice::Procfs, true);
    sampled.wait_until("the namespace of the child is shown, with owners", |snapshot| {
        let seen = of(snapshot, &lived_in);
        seen.len() >= 3 && seen.iter().any(|socket| matches!(socket.owner, Owner::Live(_)))
    });
    assert!(of(&sampled.snapshot, &empty).is_empty());
    let mut said = sampled.snapshot.coverage.degraded.iter();
    assert!(said.any(|sentence| sentence.as_str().contains("only sock_diag shows")), "{:?}", sampled.snapshot.coverage);
    child.kill().and_then(|()| child.wait()).expect("it is ours");
    sampled.wait_until("without a process there is no way in", |snapshot| of(snapshot, &lived_in).is_empty());
    drop(sockets);
}

/// Set in the run as nobody: the inode of root's namespace.
const INODE: &str = "CONNTOP_TEST_NETNS";

#[test]
fn a_namespace_that_may_not_be_entered_is_counted_and_said() {
    let test = this_test();
    if let Ok(inode) = std::env::var(INODE) {
        let sampled = open(&Choice::Auto, true);
        let inode = NetnsId(inode.parse().expect("a number"));
        assert!(sampled.snapshot.sockets.iter().all(|socket| socket.id.netns() != inode));
        let coverage = &sampled.snapshot.coverage;
        assert!(coverage.other_namespaces >= 1, "{coverage:?}");
        for part in ["may not be entered; run conntop as root", "may not be known; run conntop as root"] {
            assert!(coverage.degraded.iter().any(|sentence| sentence.as_str().contains(part)), "{part}: {coverage:?}");
        }
        return;
    }
    let Some(forbidden) = Netns::new() else { return };
    let program = ProgramCopy::of(std::env::current_exe().expect("this test"), "test");
    let status = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program.path)
        .args(["--exact", &test, "--nocapture"])
        .env(INODE, forbidden.inode.to_string())
        .status();
    assert!(status.expect("setpriv(1) exists").success());
}
