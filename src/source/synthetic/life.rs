//! The life of one connection: the states it goes through, how long it stays in each, and what the kernel would say
//! of it there.

use std::time::Duration;

use crate::model::process::Owner;
use crate::model::socket::{Queues, Socket, Timer, TimerKind};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::tcp_state::{TIME_WAIT_LEN, TcpState};
use crate::model::time::Timestamp;
use crate::source::synthetic::cast::SocketHolder;
use crate::source::synthetic::world::World;

/// The oldest that a connection in its usual state is when the demo begins, in seconds.
const AGE_START_MAX: u32 = 7_200;

/// One state of a plan.
#[derive(Clone, Copy, Debug)]
pub struct PlannedState {
    /// The state.
    pub state: TcpState,
    /// The shortest and the longest stay in seconds.
    pub seconds: (u32, u32),
    /// How many of 100 connections are caught in it by a sample; the rest pass in between.
    pub percent: u32,
}

/// How a connection uses the time in which data can flow.
#[derive(Clone, Copy, Debug)]
pub struct PlannedTraffic {
    /// Bytes received in a busy second.
    pub received: u32,
    /// Bytes sent in a busy second.
    pub sent: u32,
    /// How many of 100 seconds are busy.
    pub busy_percent: u32,
    /// The usual round-trip time in microseconds.
    pub rtt_us: u32,
    /// How many of 100 busy seconds see a segment lost.
    pub lost_percent: u32,
}

impl PlannedTraffic {
    /// No data after the first.
    pub const QUIET: Self = Self { received: 0, sent: 0, busy_percent: 0, rtt_us: 400, lost_percent: 0 };
}

/// A connection under way.
#[derive(Debug)]
pub struct PlannedConnection {
    /// The connection as a sample sees it now.
    pub socket: Socket,
    holder: SocketHolder,
    plan: &'static [PlannedState],
    traffic: PlannedTraffic,
    /// The next stage of the plan.
    next: usize,
    /// When the state of now ends.
    ends: Timestamp,
}

impl PlannedConnection {
    /// A connection that begins now: `socket` (its endpoints count), held by `holder` once there is something to hold.
    pub fn new(
        world: &mut World,
        socket: Socket,
        holder: SocketHolder,
        (plan, traffic): (&'static [PlannedState], PlannedTraffic),
    ) -> Self {
        let mut life = Self { socket, holder, plan, traffic, next: 0, ends: world.now };
        life.move_on(world);
        life
    }

    /// A second goes by; false if nothing is left of the connection.
    pub fn tick(&mut self, world: &mut World) -> bool {
        if world.now >= self.ends {
            return self.move_on(world);
        }
        if self.socket.state == TcpState::Established {
            self.flow(world);
        }
        true
    }

    /// Ends the state of now at once.
    pub fn skip(&mut self, world: &mut World) {
        self.move_on(world);
    }

    /// Moves the connection to somewhere in the middle of its state, with the bytes it has moved until then.
    pub fn age(&mut self, world: &mut World) {
        let left = u32::try_from(self.ends.since(world.now).as_secs()).unwrap_or(u32::MAX);
        let age = world.random.between(0, left.min(AGE_START_MAX));
        self.begun_earlier(Duration::from_secs(u64::from(age)));
        let busy = u64::from(age) * u64::from(self.traffic.busy_percent) / 100;
        if let Some(bytes) = self.socket.tcp.as_mut().and_then(|tcp| tcp.bytes.as_mut()) {
            bytes.add(busy * u64::from(self.traffic.received), busy * u64::from(self.traffic.sent));
        }
    }

    /// Lets the state of now have begun `earlier`.
    pub fn begun_earlier(&mut self, earlier: Duration) {
        self.ends = self.ends.before(earlier);
        if let Some(timer) = &mut self.socket.timer {
            timer.expires = timer.expires.timestamp().before(earlier).into();
        }
    }

    /// Enters the next stage of the plan that a sample is to see.
    fn move_on(&mut self, world: &mut World) -> bool {
        while let Some(stage) = self.plan.get(self.next) {
            self.next += 1;
            if world.random.chance(stage.percent) {
                self.enter(world, stage.state);
                let stay = world.random.between(stage.seconds.0, stage.seconds.1);
                self.ends = world.now.after(Duration::from_secs(u64::from(stay)));
                return true;
            }
        }
        false
    }

    /// Changes the state, and with it what the kernel keeps of the connection.
    pub fn enter(&mut self, world: &mut World, state: TcpState) {
        self.socket.state = state;
        self.socket.timer = None;
        match state {
            TcpState::SynRecv | TcpState::SynSent => self.socket.timer = Some(retransmit(world.now, 1_000)),
            TcpState::Established => self.open(world),
            TcpState::CloseWait => {
                self.open(world);
                receive_fin(&mut self.socket, world.now);
            }
            TcpState::FinWait1 | TcpState::LastAck => {
                self.open(world);
                orphan(&mut self.socket);
                self.socket.queues = Some(Queues { receive: 0, send: Some(1) });
                self.socket.timer = Some(retransmit(world.now, 240));
            }
            _ => {
                orphan(&mut self.socket);
                self.socket.tcp = None;
                self.socket.cgroup = None;
                self.socket.queues = Some(Queues::EMPTY);
                let expires = world.now.after(TIME_WAIT_LEN).into();
                self.socket.timer = Some(Timer { kind: TimerKind::TimeWait, retries: 0, expires });
            }
        }
    }

    fn open(&mut self, world: &mut World) {
        if self.socket.tcp.is_some() {
            return;
        }
        let holder = self.holder.clone();
        world.give(&mut self.socket, &holder);
        self.socket.queues = Some(Queues::EMPTY);
        self.socket.tcp = Some(fresh_info(world, self.traffic.rtt_us));
    }

    /// One second of data.
    fn flow(&mut self, world: &mut World) {
        let swing = world.swing_percent();
        let Some(tcp) = &mut self.socket.tcp else { return };
        let random = &mut world.random;
        if !random.chance(self.traffic.busy_percent) {
            self.socket.queues = Some(Queues::EMPTY);
            self.socket.timer = None;
            return;
        }
        let swing = u64::from(swing);
        let mut share = |mean: u32| u64::from(mean) * u64::from(random.between(40, 160)) * swing / 10_000;
        tcp.bytes.get_or_insert_default().add(share(self.traffic.received), share(self.traffic.sent));
        let heard = world.now.before(Duration::from_millis(u64::from(random.between(2, 700))));
        (tcp.last_data_received, tcp.last_ack_received) = (heard.into(), heard.into());
        tcp.last_data_sent = heard.after(Duration::from_millis(1)).into();
        tcp.rtt_us = self.traffic.rtt_us * random.between(85, 130) / 100;
        tcp.rto_us = 200_000 + tcp.rtt_us;
        if random.chance(self.traffic.lost_percent) {
            tcp.retransmits_total += random.between(1, 3);
        }
        let in_flight = if random.chance(12) { random.between(1, 10) * 1_448 } else { 0 };
        tcp.unacked = in_flight / 1_448;
        self.socket.queues = Some(Queues { receive: 0, send: Some(in_flight) });
        self.socket.timer = (in_flight > 0).then(|| retransmit(world.now, 210));
    }
}

/// The socket loses its process: inode and uid are 0 from here on, the cookie stays (kernel-facts, `sock_diag`).
fn orphan(socket: &mut Socket) {
    socket.owner = Owner::None;
    socket.inode = None;
    socket.uid = None;
}

/// The peer's FIN arrives at `at`: it carries an ACK and counts as one byte received (`tcpi_bytes_received`).
pub fn receive_fin(socket: &mut Socket, at: Timestamp) {
    socket.state = TcpState::CloseWait;
    socket.timer = None;
    socket.queues = Some(Queues::EMPTY);
    if let Some(tcp) = &mut socket.tcp {
        tcp.last_ack_received = at.into();
        tcp.unacked = 0;
        tcp.bytes.get_or_insert_default().add(1, 0);
    }
}

/// The `tcp_info` of a connection that was opened just now.
pub fn fresh_info(world: &mut World, rtt_us: u32) -> TcpInfo {
    let heard = world.now.before(Duration::from_millis(u64::from(world.random.between(5, 600)))).into();
    TcpInfo {
        rtt_us,
        rto_us: 200_000 + rtt_us,
        last_data_sent: heard,
        last_data_received: heard,
        last_ack_received: heard,
        // Our own SYN counts as one byte acknowledged.
        bytes: Some(ByteCounts::new(0, 1)),
        ..TcpInfo::default()
    }
}

/// A retransmission timer that fires in `millis`.
pub fn retransmit(now: Timestamp, millis: u64) -> Timer {
    Timer { kind: TimerKind::Retransmit, retries: 0, expires: now.after(Duration::from_millis(millis)).into() }
}
