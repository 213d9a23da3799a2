//! What every actor shares: the made-up clock, the random numbers, the cast, and new sockets with cookies of their own.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use rustc_hash::FxHashSet;

use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::facts::Counters;
use crate::model::process::{Owner, ProcessId};
use crate::model::socket::{Queues, Socket, SocketId};
use crate::model::tcp_state::TcpState;
use crate::model::time::{Timestamp, WallTime};
use crate::source::synthetic::addresses::NETNS;
use crate::source::synthetic::cast::{Cast, SocketHolder, boot};
use crate::source::synthetic::kernel;
use crate::source::synthetic::random::Random;

/// Nine days, four hours and some.
const UPTIME_START: Timestamp = Timestamp::from_millis(793_247_312);
/// 2026-06-01T12:00:00Z.
const WALL_START: WallTime = WallTime(1_780_315_200_000);

/// The state that the actors share.
#[derive(Debug)]
pub struct World {
    /// Now, in the machine's own time.
    pub now: Timestamp,
    /// The same moment as a time of day.
    pub wall: WallTime,
    /// Seconds since the first sample.
    pub second: u32,
    /// The random numbers.
    pub random: Random,
    /// The processes.
    pub cast: Cast,
    /// What the kernel has counted.
    pub counters: Counters,
    /// Whether traffic rises and falls over minutes, for the graphs of the screen.
    pub swings: bool,
    /// Processes that the user has ended.
    pub ended: FxHashSet<ProcessId>,
    next_cookie: u64,
    next_inode: NonZeroU32,
}

impl World {
    /// The world of this seed, at its first second.
    pub fn new(seed: u64) -> Self {
        Self {
            now: UPTIME_START,
            wall: WALL_START,
            second: 0,
            random: Random::new(seed),
            cast: Cast::new(boot(UPTIME_START, WALL_START)),
            counters: kernel::COUNTERS_START,
            swings: false,
            ended: FxHashSet::default(),
            next_cookie: 1,
            next_inode: NonZeroU32::new(21_000).expect("the constant is not zero"),
        }
    }

    /// A second goes by.
    pub fn tick(&mut self) {
        self.now = self.now.after(Duration::from_secs(1));
        self.wall = WallTime(self.wall.0 + 1_000);
        self.second = self.second.saturating_add(1);
        kernel::tick(&mut self.counters, self.second);
    }

    /// How busy this second is beside the usual one, in percent: a slow rise and fall, with a short burst now and then. Takes no
    /// random number from the actors.
    pub fn swing_percent(&self) -> u32 {
        const PERIOD: u32 = 280;
        const BURST: (u32, u32) = (97, 9);
        if !self.swings {
            return 100;
        }
        let from_top = (self.second % PERIOD).abs_diff(PERIOD / 2);
        let burst = if self.second % BURST.0 < BURST.1 { 60 } else { 0 };
        40 + from_top + burst
    }

    /// Whether the user has ended all of the processes of `holder`.
    pub fn has_ended(&self, holder: &SocketHolder) -> bool {
        holder.holders.all().iter().all(|process| self.ended.contains(&process.id))
    }

    /// The instant `seconds` ago.
    pub fn ago(&self, seconds: u32) -> Timestamp {
        self.now.before(Duration::from_secs(u64::from(seconds)))
    }

    /// An inode number that no other socket has.
    pub fn inode(&mut self) -> NonZeroU32 {
        // Real inode numbers have gaps too: pipes and files take theirs from the same row.
        let step = self.random.between(1, 9);
        self.next_inode = self.next_inode.saturating_add(step);
        self.next_inode
    }

    /// A TCP socket that no process holds, in `state`, with empty queues, without timer or `tcp_info`.
    pub fn tcp(&mut self, state: TcpState, local: Endpoint, remote: Endpoint) -> Socket {
        self.next_cookie += 1;
        Socket {
            id: SocketId::from_cookie(self.next_cookie, NETNS),
            protocol: Protocol::Tcp,
            state,
            family: local.family(),
            local,
            remote,
            interface: None,
            v6only: None,
            inode: None,
            uid: None,
            cgroup: None,
            queues: Some(Queues::EMPTY),
            timer: None,
            tcp: None,
            drops: None,
            is_subflow: false,
            owner: Owner::None,
        }
    }

    /// A listener of `holder` with an empty accept queue of at most `limit`.
    pub fn listener(&mut self, holder: &SocketHolder, local: Endpoint, limit: u32) -> Socket {
        let mut socket = self.tcp(TcpState::Listen, local, unset(local));
        socket.queues = Some(Queues { receive: 0, send: Some(limit) });
        self.give(&mut socket, holder);
        socket
    }

    /// A UDP socket of `holder`, without a peer.
    pub fn udp(&mut self, holder: &SocketHolder, local: Endpoint) -> Socket {
        let mut socket = self.tcp(TcpState::Unconn, local, unset(local));
        socket.protocol = Protocol::Udp;
        self.give(&mut socket, holder);
        socket
    }

    /// Lets `holder` have `socket`, as accept(2) or socket(2) does.
    pub fn give(&mut self, socket: &mut Socket, holder: &SocketHolder) {
        socket.inode = Some(self.inode());
        socket.uid = Some(holder.uid);
        socket.cgroup = NonZeroU64::new(holder.cgroup);
        socket.owner = holder.owner();
    }
}

fn unset(local: Endpoint) -> Endpoint {
    Endpoint::new(local.family().unspecified(), 0)
}

/// The endpoint written as in a URL, `10.0.0.7:80` or `[::]:80`; only for this room's constants.
pub fn endpoint(text: &'static str) -> Endpoint {
    let address: std::net::SocketAddr = text.parse().expect("the constants of this room are endpoints");
    Endpoint::new(address.ip(), address.port())
}

/// Every address of `family`, at `port`.
pub const fn any(family: Family, port: u16) -> Endpoint {
    Endpoint::new(family.unspecified(), port)
}

/// The ports of one client to one destination, in the order in which Linux prefers them for connect(2): even ones
/// of `ip_local_port_range`, from somewhere in the middle.
#[derive(Clone, Debug)]
pub struct EphemeralPorts(u16);

impl EphemeralPorts {
    /// Starts at `first`.
    pub const fn from(first: u16) -> Self {
        Self(first)
    }

    /// The next port.
    pub const fn take(&mut self) -> u16 {
        let port = self.0;
        self.0 = if port >= 60_998 { 32_768 } else { port + 2 };
        port
    }
}
