//! What follows of the counts, whatever the files say and whatever happens while they are read.

use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// The files of a network namespace.
struct FakeNamespace(TempDir);

impl FakeNamespace {
    fn new(hashed: u64, hashed_6: Option<u64>, allocated: u64) -> Self {
        let namespace = Self(tempfile::tempdir().expect("a directory"));
        let sockstat = format!(
            "sockets: used 16\nTCP: inuse {hashed} orphan 0 tw 3 alloc {allocated} mem 388\nUDP: inuse 7 mem 0\n"
        );
        namespace.write("sockstat", &sockstat);
        if let Some(hashed) = hashed_6 {
            namespace.write("sockstat6", &format!("TCP6: inuse {hashed}\nUDP6: inuse 9\nFRAG6: inuse 0 memory 0\n"));
        }
        namespace.write("snmp", "Ip: Forwarding\nIp: 1\nTcp: RtoMin ActiveOpens PassiveOpens\nTcp: 200 5 6\n");
        namespace
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.0.path().join(name), content).expect("a file in it");
    }

    fn path(&self) -> &str {
        self.0.path().to_str().expect("ASCII")
    }
}

/// A proof over these namespaces and no other; the first one is our own.
fn proof(namespaces: &[&FakeNamespace]) -> UnhashedProof {
    let (open, opened) = (Vec::new(), FxHashSet::default());
    let mut proof = UnhashedProof { namespaces: open, opened, has_others: true, text: vec![0; TEXT_LEN] };
    for namespace in namespaces {
        proof.add(namespace.path());
    }
    proof
}

#[test]
fn as_many_sockets_as_are_hashed_leave_none() {
    for (name, hashed, hashed_6, allocated, expected) in [
        ("all-hashed", 4, Some(3), 7, Unhashed::None),
        ("one-unhashed", 4, Some(3), 8, Unhashed::Possible),
        ("too-few", 4, Some(3), 6, Unhashed::Possible),
        ("no-ipv6", 4, None, 4, Unhashed::None),
        ("no-ipv6-and-one", 4, None, 5, Unhashed::Possible),
        ("nothing", 0, Some(0), 0, Unhashed::None),
        ("overflow", u64::MAX, Some(1), 0, Unhashed::Possible),
    ] {
        let namespace = FakeNamespace::new(hashed, hashed_6, allocated);
        assert_eq!(proof(&[&namespace]).look(), expected, "{name}");
    }
}

#[test]
fn a_namespace_is_counted_once_and_one_that_is_not_read_proves_nothing() {
    let own = FakeNamespace::new(4, Some(3), 9);
    let other = FakeNamespace::new(2, Some(0), 0);
    assert_eq!(proof(&[&own]).look(), Unhashed::Possible);
    assert_eq!(proof(&[&own, &other]).look(), Unhashed::None);
    assert_eq!(proof(&[&own, &other, &other, &own]).look(), Unhashed::None);
    let alone = FakeNamespace::new(2, Some(1), 6);
    assert_eq!(proof(&[&alone, &alone]).look(), Unhashed::Possible, "twice three would be six");
    // What a process shows that changes its namespace between two files: its own, and those of one that is open.
    let changed = FakeNamespace::new(0, None, 0);
    std::os::unix::fs::symlink(alone.0.path().join("sockstat6"), changed.0.path().join("sockstat6")).expect("a link");
    alone.write("sockstat", "TCP: inuse 2 alloc 4\n");
    assert_eq!(proof(&[&alone, &changed]).look(), Unhashed::Possible);
    alone.write("sockstat", "TCP: inuse 2 alloc 3\n");
    assert_eq!(proof(&[&alone, &changed]).look(), Unhashed::None);
}

#[test]
fn files_that_are_missing_or_make_no_sense_prove_nothing() {
    let whole = "TCP: inuse 4 orphan 0 tw 3 alloc 7 mem 388\n";
    for sockstat in ["", "TCP:", "TCP: inuse", "TCP: inuse 4 orphan 0 tw 3 alloc", "TCP: inuse -4 alloc 7\n"]
        .into_iter()
        .chain(["TCP: inuse 4 alloc 99999999999999999999\n", "TCP6: inuse 4 alloc 7\n", "UDP: inuse 4 alloc 7\n"])
    {
        let namespace = FakeNamespace::new(4, Some(3), 7);
        assert_eq!(proof(&[&namespace]).look(), Unhashed::None);
        namespace.write("sockstat", sockstat);
        assert_eq!(proof(&[&namespace]).look(), Unhashed::Possible, "{sockstat:?}");
        namespace.write("sockstat", whole);
        assert_eq!(proof(&[&namespace]).look(), Unhashed::None);
    }
    for (name, content) in
        [("sockstat6", "TCP6: inuse"), ("sockstat6", ""), ("snmp", ""), ("snmp", "Tcp: ActiveOpens\nTcp: 5\n")]
    {
        let namespace = FakeNamespace::new(4, Some(3), 7);
        namespace.write(name, content);
        assert_eq!(proof(&[&namespace]).look(), Unhashed::Possible, "{name} {content:?}");
    }
    let namespace = FakeNamespace::new(4, Some(3), 7);
    fs::remove_file(namespace.0.path().join("snmp")).expect("it is there");
    assert_eq!(proof(&[&namespace]).look(), Unhashed::Possible);
    assert_eq!(proof(&[]).look(), Unhashed::Possible, "no file at all");
}

/// What happens to a TCP socket.
#[derive(Clone, Copy, Debug)]
enum SocketStep {
    /// `socket()`.
    Make,
    /// `connect()` of a socket in `CLOSE`, in this namespace.
    Connect(usize),
    /// A connection comes in.
    Accept(usize),
    /// A hashed socket is gone.
    End(usize),
    /// A hashed socket is reset and stays with its process.
    Reset(usize),
    /// One in `CLOSE` is closed.
    Close,
}

/// The kernel's TCP sockets in two namespaces.
#[derive(Clone, Copy, Debug)]
struct KernelSockets {
    counts: [NamespaceCounts; 2],
    unhashed: u64,
}

impl KernelSockets {
    fn take(&mut self, step: SocketStep) {
        let open = |counts: &mut NamespaceCounts, active| {
            counts.hashed += 1;
            let opened = &mut counts.connections_opened;
            *(if active { &mut opened.0 } else { &mut opened.1 }) += 1;
        };
        match step {
            SocketStep::Make => self.unhashed += 1,
            SocketStep::Connect(at) if self.unhashed > 0 => {
                self.unhashed -= 1;
                open(&mut self.counts[at], true);
            }
            SocketStep::Accept(at) => open(&mut self.counts[at], false),
            SocketStep::End(at) => self.counts[at].hashed = self.counts[at].hashed.saturating_sub(1),
            SocketStep::Reset(at) if self.counts[at].hashed > 0 => {
                self.counts[at].hashed -= 1;
                self.unhashed += 1;
            }
            SocketStep::Close => self.unhashed = self.unhashed.saturating_sub(1),
            SocketStep::Connect(_) | SocketStep::Reset(_) => {}
        }
    }

    fn allocated(&self) -> u64 {
        self.counts.iter().map(|counts| counts.hashed).sum::<u64>() + self.unhashed
    }
}

fn step() -> impl Strategy<Value = SocketStep> {
    let one_of = 0..2usize;
    prop_oneof![
        Just(SocketStep::Make),
        one_of.clone().prop_map(SocketStep::Connect),
        one_of.clone().prop_map(SocketStep::Accept),
        one_of.clone().prop_map(SocketStep::End),
        one_of.prop_map(SocketStep::Reset),
        Just(SocketStep::Close),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    /// Where every opening is counted at once. Steps are taken between any two of the five readings.
    #[test]
    fn what_is_proved_is_so_at_the_moment_of_the_count(
        hashed in [0..3u64, 0..3u64],
        unhashed in 0..2u64,
        steps in proptest::collection::vec(proptest::collection::vec(step(), 0..3), 4),
    ) {
        let counts = hashed.map(|hashed| NamespaceCounts { hashed, connections_opened: (0, 0) });
        let mut sockets = KernelSockets { counts, unhashed };
        let mut happens = steps.into_iter();
        let mut read = |sockets: &mut KernelSockets, at: usize| {
            let read = sockets.counts[at];
            happens.next().into_iter().flatten().for_each(|step| sockets.take(step));
            read
        };
        let before = [read(&mut sockets, 0), read(&mut sockets, 1)];
        let (allocated, unhashed) = (sockets.allocated(), sockets.unhashed);
        let after = [read(&mut sockets, 0), read(&mut sockets, 1)];
        match compare(&before, allocated, &after) {
            CountResult::None => prop_assert_eq!(unhashed, 0),
            CountResult::Others => prop_assert!(unhashed > 0),
            CountResult::Unclear => prop_assert!(before != after),
        }
    }

    #[test]
    fn any_text_is_survived(text in proptest::collection::vec(any::<u8>(), 0..300), words in "(TCP:|TCP6:|Tcp:| inuse| alloc| ActiveOpens| -?[0-9]{0,22}|\n){0,30}") {
        for text in [&text[..], words.as_bytes()] {
            let _ = (opened(text), value_in_line::<u64>(text, b"TCP:", b"alloc"));
        }
    }
}
