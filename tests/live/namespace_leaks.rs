//! Network namespaces that come and go leave nothing behind: no descriptor, and no namespace that only conntop keeps.
//! In a process of its own, because it counts the descriptors of its process.

#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::NetnsId;
use conntop::source::{Choice, Source, open};

use crate::namespace::alone_in_process;
use crate::netns::Netns;

/// One after the other, and each time so many at once: a hundred.
const ROUNDS: usize = 5;
const AT_ONCE: usize = 20;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("own").count()
}

/// Waits until `done`; how many namespaces are known then.
fn wait(source: &mut dyn Source, what: &str, done: impl Fn(&Snapshot) -> bool) -> usize {
    let needs = Needs { all_namespaces: true, ..Needs::default() };
    let (mut snapshot, deadline) = (Snapshot::default(), Instant::now() + Duration::from_secs(60));
    loop {
        source.sample(&needs, &mut snapshot).expect("a sample");
        if done(&snapshot) {
            return snapshot.names.namespaces.len();
        }
        assert!(Instant::now() < deadline, "it never happened that {what}: {:?}", snapshot.coverage);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_hundred_namespaces_come_and_go_and_nothing_is_left() {
    if !alone_in_process() {
        return;
    }
    let before = descriptors();
    let mut source = open(&Choice::Linux).expect("a live source");
    wait(&mut *source, "a sample is taken", |_| true);
    let mut open_beside = Vec::new();
    for _ in 0..ROUNDS {
        let made: Vec<_> = (0..AT_ONCE).map_while(|_| Netns::new()).collect();
        if made.len() < AT_ONCE {
            return;
        }
        let ids: Vec<_> = made.iter().map(|netns| NetnsId(netns.inode)).collect();
        let sockets: Vec<_> = made.iter().map(|netns| netns.pair(7_100, 41_100)).collect();
        let is_seen = |snapshot: &Snapshot, id: &NetnsId| snapshot.sockets.iter().any(|s| s.id.netns() == *id);
        wait(&mut *source, "all are seen", |snapshot| ids.iter().all(|id| is_seen(snapshot, id)));
        drop((sockets, made));
        let left = wait(&mut *source, "none is seen", |snapshot| !ids.iter().any(|id| is_seen(snapshot, id)));
        // Others on this machine may make namespaces, too; each may have one descriptor.
        open_beside.push(descriptors().saturating_sub(left));
    }
    assert!(open_beside.iter().all(|open| *open < before + 20), "{before}, then {open_beside:?}");
    drop(source);
    assert_eq!(descriptors(), before);
}
