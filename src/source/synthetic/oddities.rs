//! Single connections in trouble, one of each kind: a peer that does not answer, an orphan that cannot finish, a closed
//! window, readers that do not read.

use std::time::Duration;

use crate::model::endpoint::Endpoint;
use crate::model::socket::{Queues, Socket, Timer, TimerKind};
use crate::model::tcp_info::ByteCounts;
use crate::model::tcp_state::TcpState;
use crate::source::synthetic::Actor;
use crate::source::synthetic::addresses::LOCAL_V4;
use crate::source::synthetic::cast::CastProcess;
use crate::source::synthetic::life::{fresh_info, receive_fin};
use crate::source::synthetic::world::{EphemeralPorts, World, endpoint};

/// A SYN is sent again so often (`tcp_syn_retries`, ip(7)) before connect(2) fails.
const SYN_RETRIES_MAX: u8 = 6;
/// Retransmission time-outs double up to this many milliseconds (`TCP_RTO_MAX`).
const RTO_MS_MAX: u64 = 120_000;

/// Connections that the peer closed and their process does not read: whose, to where, the unread bytes (the FIN
/// included), for how many seconds.
#[rustfmt::skip]
const UNREAD: [(CastProcess, &str, u32, u32); 7] = [
    (CastProcess::WebWorker,   "10.0.0.31:6379",     1,      912),
    (CastProcess::WebWorker,   "10.0.0.31:6379",     1,      908),
    (CastProcess::WebWorker,   "10.0.0.31:6379",     1,      655),
    (CastProcess::BackupAgent, "10.0.0.88:8125",     1,      5_402),
    (CastProcess::LogShipper,  "10.0.0.40:5044",     18_433, 2_640),
    (CastProcess::LogShipper,  "10.0.0.41:5044",     65_161, 71),
    (CastProcess::MailRelay,   "198.51.100.25:25",   221,    34),
];

/// The connections in trouble.
#[derive(Debug)]
pub struct Oddities {
    unread: Vec<Socket>,
    silent: Socket,
    orphan: Socket,
    blocked: Socket,
    ports: EphemeralPorts,
}

impl Oddities {
    /// One of each.
    pub fn new(world: &mut World) -> Self {
        let mut ports = EphemeralPorts::from(39_870);
        let unread = UNREAD.iter().map(|row| unread(world, &mut ports, row)).collect();
        Self {
            unread,
            silent: syn_sent(world, &mut ports),
            orphan: orphan(world),
            blocked: blocked(world, &mut ports),
            ports,
        }
    }
}

impl Actor for Oddities {
    fn tick(&mut self, world: &mut World) {
        fire(&mut self.silent, world, SYN_RETRIES_MAX);
        if self.silent.timer.is_none() {
            // connect(2) failed with ETIMEDOUT; the agent tries again.
            self.silent = syn_sent(world, &mut self.ports);
        }
        fire(&mut self.orphan, world, u8::MAX);
        fire(&mut self.blocked, world, u8::MAX);
    }

    fn show(&self, sockets: &mut Vec<Socket>) {
        sockets.extend_from_slice(&self.unread);
        sockets.extend([&self.silent, &self.orphan, &self.blocked].into_iter().cloned());
    }
}

/// Lets the timer of `socket` fire if it is time: one more try without an answer, the next after twice
/// as long. The last of `tries` ends the timer.
fn fire(socket: &mut Socket, world: &World, tries: u8) {
    let Some(timer) = socket.timer.as_mut().filter(|timer| timer.expires <= world.now.into()) else { return };
    if timer.retries >= tries {
        socket.timer = None;
        return;
    }
    timer.retries = timer.retries.saturating_add(1);
    let wait = 1_000_u64.checked_shl(timer.retries.into()).unwrap_or(RTO_MS_MAX).min(RTO_MS_MAX);
    timer.expires = world.now.after(Duration::from_millis(wait)).into();
    if let Some(tcp) = &mut socket.tcp {
        tcp.rto_us = u32::try_from(wait * 1_000).unwrap_or(u32::MAX);
        if timer.kind == TimerKind::ZeroWindow {
            tcp.probes = timer.retries;
        } else {
            tcp.backoff = timer.retries;
            tcp.retransmits_total += 1;
        }
    }
}

fn timer(world: &World, kind: TimerKind, retries: u8, seconds: u64) -> Timer {
    Timer { kind, retries, expires: world.now.after(Duration::from_secs(seconds)).into() }
}

fn outgoing(
    world: &mut World,
    ports: &mut EphemeralPorts,
    state: TcpState,
    (part, to): (CastProcess, &'static str),
) -> Socket {
    let mut socket = world.tcp(state, Endpoint::new(LOCAL_V4, ports.take()), endpoint(to));
    let holder = world.cast.one(part).clone();
    world.give(&mut socket, &holder);
    socket.tcp = Some(fresh_info(world, 21_000));
    socket
}

fn unread(world: &mut World, ports: &mut EphemeralPorts, row: &(CastProcess, &'static str, u32, u32)) -> Socket {
    let &(part, to, waiting, seconds) = row;
    let mut socket = outgoing(world, ports, TcpState::Established, (part, to));
    let closed = world.ago(seconds);
    if let Some(tcp) = &mut socket.tcp {
        tcp.last_data_received = world.ago(seconds + 3).into();
        tcp.last_data_sent = world.ago(seconds + 4).into();
        tcp.bytes = Some(ByteCounts::new(u64::from(waiting) + 5_120, 1_901));
    }
    receive_fin(&mut socket, closed);
    socket.queues = Some(Queues { receive: waiting, send: Some(0) });
    socket
}

/// A SYN to a machine that is switched off.
fn syn_sent(world: &mut World, ports: &mut EphemeralPorts) -> Socket {
    let mut socket = outgoing(world, ports, TcpState::SynSent, (CastProcess::BackupAgent, "10.0.9.99:873"));
    socket.timer = Some(timer(world, TimerKind::Retransmit, 0, 1));
    socket.queues = Some(Queues { receive: 0, send: Some(1) });
    if let Some(tcp) = &mut socket.tcp {
        (tcp.rtt_us, tcp.rto_us, tcp.unacked) = (0, 1_000_000, 1);
        // Nothing was ever sent or received.
        (tcp.last_data_sent, tcp.last_data_received, tcp.last_ack_received) = Default::default();
        tcp.bytes = Some(ByteCounts::default());
    }
    socket
}

/// Closed by its process with data left to send, to a client that lost its network.
fn orphan(world: &mut World) -> Socket {
    let mut socket = world.tcp(TcpState::FinWait1, endpoint("10.0.0.7:443"), endpoint("203.0.113.77:61402"));
    socket.queues = Some(Queues { receive: 0, send: Some(4_345) });
    socket.timer = Some(timer(world, TimerKind::Retransmit, 5, 19));
    let mut tcp = fresh_info(world, 188_000);
    (tcp.backoff, tcp.retransmits_total, tcp.unacked, tcp.rto_us) = (5, 6, 4, 12_032_000);
    (tcp.last_data_received, tcp.last_ack_received, tcp.last_data_sent) =
        (world.ago(29).into(), world.ago(27).into(), world.ago(13).into());
    tcp.bytes = Some(ByteCounts::new(2_044, 91_870));
    socket.tcp = Some(tcp);
    socket
}

/// The peer has closed its window: it does not read.
fn blocked(world: &mut World, ports: &mut EphemeralPorts) -> Socket {
    let mut socket = outgoing(world, ports, TcpState::Established, (CastProcess::LogShipper, "10.0.0.42:5044"));
    socket.queues = Some(Queues { receive: 0, send: Some(2_610_432) });
    socket.timer = Some(timer(world, TimerKind::ZeroWindow, 6, 41));
    if let Some(tcp) = &mut socket.tcp {
        tcp.probes = 6;
        tcp.rto_us = 204_000;
        (tcp.last_data_sent, tcp.last_data_received) = (world.ago(340).into(), world.ago(7_004).into());
        tcp.last_ack_received = world.ago(22).into();
        tcp.bytes = Some(ByteCounts::new(412, 881_204_113));
    }
    socket
}
