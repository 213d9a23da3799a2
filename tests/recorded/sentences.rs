//! The sentences of all rules, for every kind of owner and for one place and many: each reads as a sentence, and its
//! subject is no negation.
//!
//! The scripts of `tests/recordings` are told with other owners and other peers than they were made with, so a new rule
//! is covered as soon as it has its script. `INSTA_UPDATE=always cargo test --test recorded sentences` writes the list of all
//! sentences anew; it is reviewed by reading it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use conntop::diagnosis::Diagnosis;
use conntop::diagnosis::finding::{Finding, Measure};
use conntop::diagnosis::rule::Rule;
use conntop::diagnosis::thresholds::Thresholds;
use conntop::model::endpoint::Endpoint;
use conntop::model::process::{Holders, Owner};
use conntop::model::socket::Socket;
use conntop::model::testing::process;
use conntop::store::Store;
use conntop::tracker::Tracker;

use crate::scripts;

/// What is put in the place of the owner of every socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum OwnerVariant {
    AsRecorded,
    Remembered,
    Shared,
    Several,
    Hidden,
    Unseen,
    Vanished,
    Unaccepted,
    None,
    /// Every other one is hidden, the rest is nobody's.
    Mixed,
}

const OWNER_VARIANTS: [OwnerVariant; 10] = [
    OwnerVariant::AsRecorded,
    OwnerVariant::Remembered,
    OwnerVariant::Shared,
    OwnerVariant::Several,
    OwnerVariant::Hidden,
    OwnerVariant::Unseen,
    OwnerVariant::Vanished,
    OwnerVariant::Unaccepted,
    OwnerVariant::None,
    OwnerVariant::Mixed,
];

impl OwnerVariant {
    fn owner(self, socket: &Socket) -> Owner {
        let one = |pid| Holders::new(vec![process(pid, "worker")]).map(Arc::new);
        let nth = u32::from(socket.local.port ^ socket.remote.port);
        let holders = match self {
            Self::Shared => Holders::new(vec![process(71, "master"), process(72, "worker")]).map(Arc::new),
            Self::Several => one(100 + nth % 3),
            _ => socket.owner.holders().cloned().or_else(|| one(77)),
        };
        match self {
            Self::AsRecorded => socket.owner.clone(),
            Self::Remembered => holders.map_or(Owner::None, Owner::Remembered),
            Self::Shared | Self::Several => holders.map_or(Owner::None, Owner::Live),
            Self::Hidden => Owner::Hidden,
            Self::Unseen => Owner::Unseen,
            Self::Vanished => Owner::Vanished,
            Self::Unaccepted if !socket.is_listener() => Owner::Unaccepted,
            Self::Mixed if nth.is_multiple_of(2) => Owner::Hidden,
            Self::Unaccepted | Self::None | Self::Mixed => Owner::None,
        }
    }
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PeerVariant {
    AsRecorded,
    /// Each connection has a peer of its own.
    Each,
    /// There is one connection of each state and port only.
    One,
}

const PEER_VARIANTS: [PeerVariant; 3] = [PeerVariant::AsRecorded, PeerVariant::Each, PeerVariant::One];

impl PeerVariant {
    fn change(self, sockets: &mut Vec<Socket>) {
        match self {
            Self::AsRecorded => {}
            Self::Each => {
                for socket in sockets.iter_mut().filter(|socket| socket.remote.port != 0) {
                    let [high, low] = socket.local.port.max(socket.remote.port).to_be_bytes();
                    socket.remote = Endpoint::new([10, 77, high, low].into(), socket.remote.port);
                    socket.family = socket.remote.family();
                    if socket.local.family() != socket.family {
                        socket.local = Endpoint::new([10, 0, 0, 1].into(), socket.local.port);
                    }
                }
            }
            Self::One => {
                let mut seen = BTreeSet::new();
                sockets.retain(|socket| {
                    let service = socket.local.port.min(socket.remote.port);
                    seen.insert((socket.state as usize, service, socket.is_listener()))
                });
            }
        }
    }
}

/// Tells the script `name` with other owners and peers, and hands over every finding of every look.
fn play(name: &str, thresholds: &str, kind: OwnerVariant, peers: PeerVariant, mut each: impl FnMut(&Finding)) {
    let script = scripts::SCRIPTS.iter().find(|script| script.name == name).expect("a script of that name");
    let thresholds: Thresholds = toml::from_str(thresholds).expect("thresholds");
    let mut store = Store::new(conntop::model::testing::source_info());
    let (mut tracker, mut diagnosis) = (Tracker::new(), Diagnosis::new(thresholds));
    for mut changed in (script.tell)() {
        peers.change(&mut changed.sockets);
        for socket in &mut changed.sockets {
            socket.owner = kind.owner(socket);
        }
        store.apply(tracker.update(&changed));
        diagnosis.observe(&store);
        diagnosis.findings().iter().for_each(&mut each);
    }
}

/// What does not read as a sentence with one meaning; `None` if it does.
fn fault(sentence: &str) -> Option<&'static str> {
    let words: Vec<&str> = sentence.split(' ').collect();
    let number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b',');
    let grouped_port = |word: &str| {
        let port = word.trim_end_matches([',', ';', ':', '.', ')']).rsplit_once(':').map_or("", |(_, port)| port);
        port.contains(',') && number(port)
    };
    let after_port = words.windows(2).any(|two| two[0] == "port" && two[1].trim_end_matches([',', ':']).contains(','));
    // "1 connections", "1 wait"; "1 of 3 listeners" is right.
    let plural_of_one = words.windows(2).any(|two| {
        let noun = two[1].trim_end_matches([',', ';', ':', '.']);
        two[0] == "1"
            && noun.len() > 3
            && noun.ends_with('s')
            && !noun.ends_with("ss")
            && !matches!(noun, "waits" | "is")
    });
    let singular_of_many = words.windows(2).any(|two| {
        let noun = two[1].trim_end_matches([',', ';', ':', '.']);
        number(two[0])
            && two[0] != "1"
            && matches!(noun, "connection" | "peer" | "socket" | "listener" | "process" | "waits")
    });
    let subject = sentence.split(':').next().unwrap_or_default();
    let first = words.first().copied().unwrap_or_default();
    // The verb of several must not be that of one: "connections without a process leaks".
    let of_many = ["connections without a process ", "connections waiting for accept() "];
    let verb = of_many.iter().find_map(|start| sentence.strip_prefix(start)).and_then(|rest| rest.split(' ').next());
    match () {
        () if sentence.trim() != sentence || sentence.contains("  ") => Some("blanks"),
        () if sentence.contains(" ,") || sentence.contains(" ;") || sentence.contains(" :\u{20}") => {
            Some("a blank before a mark")
        }
        () if sentence.contains(",,") || sentence.contains(", :") || sentence.ends_with([',', ';', ':', '.']) => {
            Some("marks")
        }
        () if matches!(first, "no" | "nobody" | "none" | "nothing" | "not" | "never" | "neither") => {
            Some("its subject is a negation")
        }
        () if subject.contains("no known") || sentence.contains("no known process") => Some("nobody does something"),
        () if sentence.contains("accept queue can") || sentence.contains("an accept queue leak") => {
            Some("a queue does nothing")
        }
        () if plural_of_one => Some("one of several"),
        () if singular_of_many => Some("several of one"),
        () if words.iter().any(|word| grouped_port(word)) || after_port => Some("a port with separators"),
        () if verb.is_some_and(|verb| verb.ends_with('s') && verb != "cannot") => Some("the verb of one with several"),
        () => None,
    }
}

#[test]
fn the_test_itself_sees_what_is_wrong() {
    for wrong in [
        "no known process cannot send to clients of :80: 3 connections",
        "an accept queue cannot send to clients of :80: 3 connections",
        "nginx[9] holds 1 connections",
        "nginx[9] holds 12 connection, oldest 4s",
        "nginx[9] offers redis on every address, port 6,379: it is",
        "nginx[9] listens on :6,379, the port of redis",
        "connections without a process leaks CLOSE_WAIT to 10.0.0.1:80",
        "nginx[9] leaks  CLOSE_WAIT",
        "nginx[9] leaks CLOSE_WAIT to 1 peers: 3",
        "nginx[9] leaks CLOSE_WAIT:",
    ] {
        assert!(fault(wrong).is_some(), "{wrong}");
    }
    for right in [
        "jdbc-pool[4121] leaks CLOSE_WAIT to 10.0.0.5:5432: 1,204, +4/min for 31m, oldest 10m, never closed",
        "w[9] does not accept on :80 (1 of 3 listeners): 1 waits, oldest 8s",
        "connections without a process cannot send to clients of [2001:db8::1]:80 that do not read: 3 connections",
    ] {
        assert_eq!(fault(right), None, "{right}");
    }
}

/// `sentence` without its numbers, which change from sample to sample.
fn shape(sentence: &str) -> String {
    let digits = |c: char| c.is_ascii_digit() || c == ',' || c == '.';
    let mut text = String::new();
    for part in sentence.split(' ') {
        let bare = part.trim_end_matches([',', ';', ':', ')']).trim_start_matches(['(', '+', '>']);
        let is_number = bare.starts_with(|c: char| c.is_ascii_digit()) && !bare.contains(':') && !bare.contains('[');
        let part = if is_number { part.replace(digits, "") + "#" } else { part.to_owned() };
        text.push_str(if text.is_empty() { "" } else { " " });
        text.push_str(&part);
    }
    text
}

#[test]
fn every_rule_says_a_sentence_that_can_be_read_in_one_way_whoever_the_owner_is() {
    let (mut told, mut seen) = (BTreeMap::<(&str, OwnerVariant), String>::new(), BTreeSet::<Rule>::new());
    let mut faults = BTreeSet::new();
    for script in scripts::SCRIPTS {
        for (kind, peers) in OWNER_VARIANTS.into_iter().flat_map(|kind| PEER_VARIANTS.map(|peers| (kind, peers))) {
            play(script.name, script.thresholds, kind, peers, |finding| {
                let (rule, sentence) = (finding.rule(), &finding.sentence);
                seen.insert(rule);
                if let Some(fault) = fault(sentence) {
                    faults.insert(format!("{}, {kind:?}, {peers:?}: {fault}: {}", rule.id(), shape(sentence)));
                }
                for evidence in finding.evidence.iter().filter(|one| matches!(one.key, "port" | "pid" | "inode")) {
                    assert!(matches!(evidence.value, Measure::Id(_)), "{}: {evidence:?}", rule.id());
                }
                // The last one of each kind is kept: by then most is known.
                if rule.id() == script.name && peers == PeerVariant::AsRecorded {
                    told.insert((rule.id(), kind), sentence.clone());
                } else if rule.id() == script.name {
                    told.entry((rule.id(), kind)).or_insert_with(|| sentence.clone());
                }
            });
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    for &rule in Rule::ALL {
        assert!(seen.contains(&rule), "{} is told in no recording", rule.id());
        let of_rule = told.iter().filter(|((told_rule, _), _)| *told_rule == rule.id());
        let list: Vec<String> = of_rule.map(|((_, kind), sentence)| format!("{kind:?}: {sentence}")).collect();
        insta::assert_snapshot!(rule.id(), list.join("\n"));
    }
}
