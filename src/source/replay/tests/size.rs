//! What a sample costs: it follows what changes, not what there is.

use std::net::Ipv4Addr;
use std::num::NonZeroU32;

use super::*;
use crate::model::endpoint::{Endpoint, Family};
use crate::model::facts::{Counters, Facts};
use crate::model::process::Owner;
use crate::model::snapshot::Snapshot;
use crate::model::socket::{SocketId, Timer, TimerKind};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::tcp_state::TcpState;
use crate::model::testing::{process, tcp};

/// Numbers that look like chance (`SplitMix64`, Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn small(&mut self, end: u32) -> u32 {
        u32::try_from(self.below(end.into())).expect("smaller than a u32")
    }
}

/// A made-up machine, of which a sample is taken each second.
struct Machine {
    chance: Chance,
    seconds: u64,
    sockets: Vec<Socket>,
    /// Short connections, and when each is over.
    short: Vec<(Socket, u64)>,
    owners: Vec<Owner>,
    cookie: u64,
    counters: Counters,
}

impl Machine {
    /// One with so many established connections, of forty programs.
    fn new(connections: usize) -> Self {
        let owner = |pid| Owner::Live(Arc::new(Holders::new(vec![process(pid, "worker")]).expect("one")));
        let owners = (0..40).map(|nth| owner(1_000 + nth)).collect();
        let (chance, counters) = (Chance(7), Counters::default());
        let mut machine =
            Self { chance, seconds: 100_000, sockets: Vec::new(), short: Vec::new(), owners, cookie: 0, counters };
        for _ in 0..connections {
            let socket = machine.connection(machine.seconds * 1_000 - 90_000_000);
            machine.sockets.push(socket);
        }
        machine
    }

    /// A connection that was last used `at`, in milliseconds.
    fn connection(&mut self, at: u64) -> Socket {
        let chance = &mut self.chance;
        self.cookie += 1 + chance.below(3);
        let v4 = |a, b, c| std::net::IpAddr::V4(Ipv4Addr::new(10, a, b, c));
        let peer = chance.next().to_le_bytes();
        let moment = |chance: &mut Chance| Timestamp::from_millis(at + chance.below(900)).into();
        let ephemeral = u16::try_from(32_768 + chance.below(28_000)).expect("a port");
        let tcp_info = TcpInfo {
            rtt_us: 200 + chance.small(5_000),
            rto_us: 201_000,
            last_data_sent: moment(chance),
            last_data_received: moment(chance),
            last_ack_received: moment(chance),
            bytes: Some(ByteCounts::new(chance.below(40_000), chance.below(400_000))),
            ..TcpInfo::default()
        };
        let owner = &self.owners[usize::try_from(self.chance.below(40)).expect("small")];
        Socket {
            id: SocketId::from_cookie(self.cookie, tcp(1).build().id.netns()),
            state: TcpState::Established,
            family: Family::Ipv4,
            local: Endpoint::new(v4(0, 0, 7), 443),
            remote: Endpoint::new(v4(1, peer[0], peer[1]), ephemeral),
            inode: NonZeroU32::new(100_000 + u32::try_from(self.cookie * 3).expect("small")),
            uid: Some(33),
            tcp: Some(tcp_info),
            owner: owner.clone(),
            ..tcp(1).build()
        }
    }

    /// A second later, in which so many connections were opened, used, and closed by us.
    fn sample(&mut self, opened: usize) -> Snapshot {
        self.seconds += 1;
        let now = self.seconds * 1_000;
        for (socket, until) in &mut self.short {
            if socket.state == TcpState::Established {
                let expires = Timestamp::from_millis(now + 59_000 + self.chance.below(1_000)).into();
                (socket.state, socket.inode, socket.tcp) = (TcpState::TimeWait, None, None);
                (socket.uid, socket.owner) = (None, Owner::None);
                socket.timer = Some(Timer { kind: TimerKind::TimeWait, retries: 0, expires });
                *until = self.seconds + 60;
            }
        }
        self.short.retain(|(_, until)| *until > self.seconds);
        for _ in 0..opened {
            let socket = self.connection(now - 900);
            self.short.push((socket, u64::MAX));
        }
        self.counters.segments_sent += 20 + self.chance.below(30) + 8 * opened as u64;
        self.counters.passive_opens += opened as u64;
        let sockets: Vec<Socket> =
            self.sockets.iter().chain(self.short.iter().map(|(socket, _)| socket)).cloned().collect();
        let at = Timestamp(now * 1_000_000 + self.chance.below(400_000));
        Snapshot {
            at,
            wall: WallTime(1_780_000_000_000 + i64::try_from(now).expect("small")),
            took: Duration::from_micros(900 + self.chance.below(200)),
            coverage: crate::model::coverage::Coverage {
                sockets: u32::try_from(sockets.len()).expect("small"),
                ..<_>::default()
            },
            sockets,
            facts: Arc::new(Facts { counters: Some(self.counters), orphans: Some(0), ..Facts::default() }),
            ..Snapshot::default()
        }
    }
}

/// Bytes of the first frame, of a sample after it, and of a sample with key frames shared out, of so many samples.
fn sizes(machine: &mut Machine, opened: usize, samples: usize) -> (usize, usize, usize) {
    let (mut tracker, mut bytes) = (Tracker::new(), Vec::new());
    // A minute before, so that there are as many in TIME_WAIT as there will be.
    for _ in 0..70 {
        machine.sample(opened);
    }
    let mut writer = SampleWriter::new(header(1)).expect("a writer");
    let (mut keys, mut key_count, mut changes) = (0, 0, 0);
    let mut first = 0;
    for nth in 0..samples {
        bytes.clear();
        writer.sample(&tracker.update(&machine.sample(opened)), &[], &mut bytes).expect("it can be recorded");
        if nth == 0 {
            first = bytes.len();
        }
        if writer.has_begun_group() {
            (keys, key_count) = (keys + bytes.len(), key_count + 1);
        } else {
            changes += bytes.len();
        }
    }
    let sizes = (first, changes / (samples - key_count), (keys + changes) / samples);
    println!("{opened} opened/s: key {first}, change {}, shared out {}", sizes.1, sizes.2);
    sizes
}

#[test]
fn a_sample_of_an_idle_machine_costs_next_to_nothing() {
    let (key, change, _) = sizes(&mut Machine::new(2_000), 0, 120);
    assert!(key < 80_000, "{key} bytes");
    assert!(change <= 100, "{change} bytes");
}

#[test]
fn a_sample_costs_what_changes_not_what_is_there() {
    let (key, change, shared_out) = sizes(&mut Machine::new(20_000), 200, 100);
    assert!(key < 1_200_000, "{key} bytes");
    assert!(change <= 12_000, "{change} bytes");
    assert!(shared_out < key / 100 + change, "there was one group; it lasts five minutes, or as long as it is small");
    assert!(change + key / 300 <= 12_000, "{change} and {key} bytes");
}
