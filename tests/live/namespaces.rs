//! Sockets of other network namespaces, in namespaces that the tests make (as root; else they say that they did not
//! run).

#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use conntop::model::process::Owner;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::{NetnsId, Socket};
use conntop::model::tcp_state::TcpState;
use conntop::source::{Choice, Source, open};

use crate::netns::Netns;
use crate::skip::this_test;

/// Rounds of the search for namespaces are two seconds apart; the machine may be busy.
const DEADLINE: Duration = Duration::from_secs(60);

/// A source and its latest sample.
struct Eyes {
    source: Box<dyn Source>,
    needs: Needs,
    seen: Snapshot,
}

impl Eyes {
    fn new(choice: &Choice, all_namespaces: bool) -> Self {
        let source = open(choice).expect("a live source");
        let mut eyes = Self { source, needs: Needs { all_namespaces, ..Needs::default() }, seen: Snapshot::default() };
        eyes.look();
        eyes
    }

    fn look(&mut self) {
        self.source.sample(&self.needs, &mut self.seen).expect("a sample");
    }

    fn of(&self, netns: &Netns) -> Vec<&Socket> {
        self.seen.sockets.iter().filter(|socket| socket.id.netns() == NetnsId(netns.inode)).collect()
    }

    fn wait(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !done(self) {
            assert!(Instant::now() < deadline, "it never happened that {what}: {:?}", self.seen.coverage);
            std::thread::sleep(Duration::from_millis(100));
            self.look();
        }
    }
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
    let mut eyes = Eyes::new(&Choice::Linux, true);
    // The children of other tests have copies of all descriptors until their exec.
    let is_ours = |socket: &&Socket| holders(socket) == [std::process::id()];
    eyes.wait("owners are found across namespaces", |eyes| {
        [&red, &blue].iter().all(|netns| eyes.of(netns).iter().filter(|socket| is_made(socket)).all(is_ours))
    });
    for netns in [&red, &blue] {
        let seen = eyes.of(netns);
        let (client, server) = ("127.0.0.1:41001".to_owned(), "127.0.0.1:7001".to_owned());
        assert_eq!(established(&seen), [(client.clone(), server.clone()), (server, client)]);
        let mut made = seen.iter().filter(|socket| is_made(socket));
        assert!(made.all(|socket| socket.id.cookie().is_some() && (socket.tcp.is_some() || socket.is_listener())));
        assert_eq!(eyes.seen.names.namespaces[&NetnsId(netns.inode)].as_str(), netns.name);
    }
    assert!(eyes.seen.names.namespaces.values().any(|name| name.as_str() == "own"));

    // Details are looked up in the namespace of the socket.
    let reference = eyes.of(&blue).iter().find(|socket| socket.tcp.is_some()).expect("connected").reference();
    eyes.needs.details = vec![reference];
    eyes.look();
    assert_eq!(eyes.seen.details.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [reference.id]);

    // A socket keeps its namespace alive, but without name and process conntop lets go of it.
    red.delete();
    eyes.wait("the deleted namespace is gone", |eyes| eyes.of(&red).is_empty());
    assert!(!eyes.of(&blue).is_empty());
    assert!(!eyes.seen.names.namespaces.contains_key(&NetnsId(red.inode)));
    drop(sockets);
}

#[test]
fn other_namespaces_are_counted_until_they_are_wanted() {
    let Some(other) = Netns::new() else { return };
    let sockets = other.pair(7_002, 41_002);
    let mut eyes = Eyes::new(&Choice::Linux, false);
    let own = |eyes: &Eyes| eyes.seen.sockets.iter().all(|socket| Some(socket.id.netns()) == own_netns());
    assert!(own(&eyes) && eyes.seen.coverage.other_namespaces >= 1, "{:?}", eyes.seen.coverage);
    let without = eyes.seen.coverage.other_namespaces;
    eyes.needs.all_namespaces = true;
    // Others on this machine make and delete namespaces as well.
    eyes.wait("it is shown when wanted, and what is shown is not counted as missing", |eyes| {
        !eyes.of(&other).is_empty() && eyes.seen.coverage.other_namespaces < without
    });
    eyes.needs.all_namespaces = false;
    eyes.look();
    assert!(own(&eyes) && eyes.seen.coverage.other_namespaces >= 1, "{:?}", eyes.seen.coverage);
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
    let mut eyes = Eyes::new(&Choice::Procfs, true);
    eyes.wait("the namespace of the child is shown, with owners", |eyes| {
        let seen = eyes.of(&lived_in);
        seen.len() >= 3 && seen.iter().any(|socket| matches!(socket.owner, Owner::Live(_)))
    });
    assert!(eyes.of(&empty).is_empty());
    let mut said = eyes.seen.coverage.degraded.iter();
    assert!(said.any(|sentence| sentence.as_str().contains("only sock_diag shows")), "{:?}", eyes.seen.coverage);
    child.kill().and_then(|()| child.wait()).expect("it is ours");
    eyes.wait("without a process there is no way in", |eyes| eyes.of(&lived_in).is_empty());
    drop(sockets);
}

/// Set in the run as nobody: the inode of root's namespace.
const INODE: &str = "CONNTOP_TEST_NETNS";

#[test]
fn a_namespace_that_may_not_be_entered_is_counted_and_said() {
    let test = this_test();
    if let Ok(inode) = std::env::var(INODE) {
        let eyes = Eyes::new(&Choice::Auto, true);
        let inode = NetnsId(inode.parse().expect("a number"));
        assert!(eyes.seen.sockets.iter().all(|socket| socket.id.netns() != inode));
        let coverage = &eyes.seen.coverage;
        assert!(coverage.other_namespaces >= 1, "{coverage:?}");
        for part in ["may not be entered; run conntop as root", "may not be known; run conntop as root"] {
            assert!(coverage.degraded.iter().any(|sentence| sentence.as_str().contains(part)), "{part}: {coverage:?}");
        }
        return;
    }
    let Some(forbidden) = Netns::new() else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("test");
    // By another process: a file that a thread of ours wrote could be "busy" when it is run.
    let copied =
        Command::new("cp").arg(std::env::current_exe().expect("this test")).arg(&program).status().expect("cp");
    assert!(copied.success());
    let open_to_all = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open_to_all).expect("ours");
    let status = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .args(["--exact", &test, "--nocapture"])
        .env(INODE, forbidden.inode.to_string())
        .status();
    assert!(status.expect("setpriv(1) exists").success());
}
