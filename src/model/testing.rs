//! Sockets and snapshots for tests, in few words. For tests of every room; the program itself never uses it.
//!
//! Everything has a plain default, so that a test names only what it is about:
//! `tcp(7).local("10.0.0.1:80").remote("10.0.0.9:50000").state(TcpState::CloseWait).queues(1, 0)`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::model::address::{Address, Destination};
use crate::model::delta::{Connection, ObservedSocket, Transition};
use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::process::{Holders, Owner, Process, ProcessId};
use crate::model::snapshot::{Abilities, Snapshot, SourceInfo, SourceKind};
use crate::model::socket::{NetnsId, Queues, Socket, SocketId, Timer, TimerKind};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};

/// The time of day of `Timestamp(0)` in tests: 2026-01-01T00:00:00Z.
pub const BOOT: WallTime = WallTime(1_767_225_600_000);

/// A socket under construction; turns into a [`Socket`] by `.build()` or `.into()`.
#[derive(Clone, Debug)]
pub struct SocketBuilder(Socket);

/// An established TCP connection `10.0.0.1:<1024 + cookie> -> 10.0.0.2:80` with this cookie.
pub fn tcp(cookie: u64) -> SocketBuilder {
    let port = u16::try_from(1024 + cookie % 60_000).unwrap_or(u16::MAX);
    SocketBuilder(Socket {
        id: SocketId::from_cookie(cookie, NetnsId(0)),
        protocol: Protocol::Tcp,
        state: TcpState::Established,
        family: Family::Ipv4,
        local: Endpoint::new([10, 0, 0, 1].into(), port),
        remote: Endpoint::new([10, 0, 0, 2].into(), 80),
        interface: None,
        v6only: None,
        inode: NonZeroU32::new(u32::try_from(cookie % 1_000_000).unwrap_or(0) + 1),
        uid: Some(1000),
        cgroup: None,
        queues: Some(Queues::EMPTY),
        timer: None,
        tcp: None,
        drops: None,
        is_subflow: false,
        owner: Owner::None,
    })
}

/// A TCP listener on `0.0.0.0:<port>` with an accept queue of 0 of 128.
pub fn listener(cookie: u64, port: u16) -> SocketBuilder {
    let any = Endpoint::new(Family::Ipv4.unspecified(), 0);
    let mut builder = tcp(cookie).state(TcpState::Listen).queues(0, 128);
    builder.0.local = Endpoint { port, ..any };
    builder.0.remote = any;
    builder
}

/// An unconnected UDP socket on `0.0.0.0:<port>`.
pub fn udp(cookie: u64, port: u16) -> SocketBuilder {
    let mut builder = listener(cookie, port).state(TcpState::Unconn).queues(0, 0);
    builder.0.protocol = Protocol::Udp;
    builder
}

impl SocketBuilder {
    /// Our end, as `10.0.0.1:80` or `[::1]:80`; sets the family too.
    #[must_use]
    pub fn local(mut self, endpoint: &str) -> Self {
        self.0.local = self::endpoint(endpoint);
        self.0.family = self.0.local.family();
        self
    }

    /// The other end.
    #[must_use]
    pub fn remote(mut self, endpoint: &str) -> Self {
        self.0.remote = self::endpoint(endpoint);
        self
    }

    /// The state.
    #[must_use]
    pub fn state(mut self, state: TcpState) -> Self {
        self.0.state = state;
        self
    }

    /// Receive and send queue; for a listener the accept queue and its limit.
    #[must_use]
    pub fn queues(mut self, receive: u32, send: u32) -> Self {
        self.0.queues = Some(Queues { receive, send: Some(send) });
        self
    }

    /// Held by these processes now.
    #[must_use]
    pub fn held_by(mut self, processes: &[Arc<Process>]) -> Self {
        self.0.owner = Holders::new(processes.to_vec()).map_or(Owner::None, |holders| Owner::Live(Arc::new(holders)));
        self
    }

    /// Any owner.
    #[must_use]
    pub fn owner(mut self, owner: Owner) -> Self {
        self.0.owner = owner;
        self
    }

    /// The uid.
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Self {
        self.0.uid = Some(uid);
        self
    }

    /// The network namespace.
    #[must_use]
    pub fn netns(mut self, inode: u32) -> Self {
        self.0.id = match self.0.id.cookie() {
            Some(cookie) => SocketId::from_cookie(cookie, NetnsId(inode)),
            None => SocketId::from_tuple(self.0.protocol, self.0.local, self.0.remote, 0, NetnsId(inode)),
        };
        self
    }

    /// No cookie: the tuple stands in. Call it after the endpoints are set.
    #[must_use]
    pub fn without_cookie(mut self) -> Self {
        self.0.id = SocketId::from_tuple(self.0.protocol, self.0.local, self.0.remote, 0, self.0.id.netns());
        self
    }

    /// A running timer that fires at this millisecond since boot.
    #[must_use]
    pub fn timer(mut self, kind: TimerKind, retries: u8, expires_ms: u64) -> Self {
        self.0.timer = Some(Timer { kind, retries, expires: Timestamp::from_millis(expires_ms).into() });
        self
    }

    /// `tcp_info` changed by `change`; starts from zeros.
    #[must_use]
    pub fn info(mut self, change: impl FnOnce(&mut TcpInfo)) -> Self {
        change(self.0.tcp.get_or_insert_default());
        self
    }

    /// Bytes received and sent so far.
    #[must_use]
    pub fn bytes(self, received: u64, sent: u64) -> Self {
        self.info(|info| info.bytes = Some(ByteCounts::new(received, sent)))
    }

    /// When data was last sent, data last received and an ACK last received, in milliseconds since boot.
    #[must_use]
    pub fn last(self, sent_ms: u64, received_ms: u64, ack_ms: u64) -> Self {
        self.info(|info| {
            info.last_data_sent = Timestamp::from_millis(sent_ms).into();
            info.last_data_received = Timestamp::from_millis(received_ms).into();
            info.last_ack_received = Timestamp::from_millis(ack_ms).into();
        })
    }

    /// What the kernel says of a mini-socket (`TIME_WAIT`, orphaned `FIN_WAIT2`): no inode, uid, owner, `tcp_info`.
    #[must_use]
    pub fn mini(mut self, state: TcpState) -> Self {
        self.0.state = state;
        self.0.inode = None;
        self.0.uid = None;
        self.0.cgroup = None;
        self.0.owner = Owner::None;
        self.0.tcp = None;
        self
    }

    /// Anything else.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Socket)) -> Self {
        change(&mut self.0);
        self
    }

    /// The socket.
    pub fn build(self) -> Socket {
        self.0
    }
}

impl From<SocketBuilder> for Socket {
    fn from(builder: SocketBuilder) -> Self {
        builder.0
    }
}

/// The endpoint written as `10.0.0.1:80` or `[::1]:80`.
pub fn endpoint(text: &str) -> Endpoint {
    let address: SocketAddr = text.parse().expect("tests write endpoints as address:port");
    Endpoint::new(address.ip(), address.port())
}

/// The place written like that, on no interface.
pub fn destination(text: &str) -> Destination {
    let endpoint = endpoint(text);
    Destination { address: Address::new(endpoint.addr, None), port: endpoint.port }
}

/// A process of user 1000, started by pid 1.
pub fn process(pid: u32, name: &str) -> Arc<Process> {
    Arc::new(Process {
        id: ProcessId { pid, start_ticks: u64::from(pid) * 100 },
        parent_pid: 1,
        name: name.into(),
        command: DisplayText::new(&format!("/usr/bin/{name} --serve")),
        uid: Some(1000),
        started: Some(BOOT),
        is_container_init: false,
        thread: None,
    })
}

/// A snapshot taken `at_ms` after boot.
pub fn snapshot<S: Into<Socket>>(at_ms: u64, sockets: impl IntoIterator<Item = S>) -> Snapshot {
    let at = Timestamp::from_millis(at_ms);
    let wall = WallTime(BOOT.0.saturating_add_unsigned(at_ms));
    let sockets: Vec<Socket> = sockets.into_iter().map(Into::into).collect();
    let mut snapshot = Snapshot { at, wall, took: Duration::from_millis(1), sockets, ..Snapshot::default() };
    snapshot.coverage.sockets = u32::try_from(snapshot.sockets.len()).unwrap_or(u32::MAX);
    snapshot
}

/// A connection first seen `first_seen_ms` after boot of which nothing else is known.
pub fn connection(socket: impl Into<Socket>, first_seen_ms: u64) -> Connection {
    let first_seen = Timestamp::from_millis(first_seen_ms);
    ObservedSocket { socket: socket.into(), state_since: None, first_seen }.into()
}

/// A step of `socket` at `at_ms` after boot, told by samples.
pub fn transition(socket: impl Into<Socket>, at_ms: u64, from: Option<TcpState>, to: Option<TcpState>) -> Transition {
    let socket = socket.into();
    Transition {
        owner: socket.owner.clone(),
        ..Transition::new(&socket.reference(), Timestamp::from_millis(at_ms), from, to)
    }
}

/// A source that can kill, as a live one can.
pub fn source_info() -> SourceInfo {
    SourceInfo { kind: SourceKind::Linux, host: "test-host".into(), abilities: Abilities { kill: true, close: true } }
}
