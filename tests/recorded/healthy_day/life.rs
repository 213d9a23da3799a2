//! One connection, from its beginning to its end, as the kernel shows it at any moment.

use std::sync::Arc;

use conntop::model::endpoint::Endpoint;
use conntop::model::event::{Caller, Ended, Events, TracedStateChange};
use conntop::model::process::Owner;
use conntop::model::socket::{Socket, TimerKind};
use conntop::model::tcp_info::ByteCounts;
use conntop::model::tcp_state::TcpState;
use conntop::model::testing::tcp;
use conntop::model::time::Timestamp;

use TcpState::{Close, CloseWait, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent, TimeWait};

/// How long `TIME_WAIT` lasts, in milliseconds.
const TIME_WAIT: u64 = 60_000;
/// The interval of idle clients' pings, in milliseconds.
const PING: u64 = 30_000;

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Our side closes first.
    Ours,
    /// The peer closes first, and our side so many milliseconds later.
    Theirs(u64),
    /// The peer resets it.
    Reset,
    /// It never began: the peer refused it a millisecond after the SYN.
    Refused,
    /// The peer is gone without a word this long before; what was sent to it is sent again until the kernel gives up.
    Silent(u64),
}

/// A connection; all moments in milliseconds since boot.
pub struct Life {
    /// Established, with its owner and its endpoints.
    pub socket: Socket,
    /// Whether our side began it.
    pub is_outgoing: bool,
    /// The SYN.
    pub opened: u64,
    /// How long the handshake took.
    pub handshake: u64,
    /// When it ends.
    pub ends: u64,
    /// How.
    pub end: End,
    /// Bytes sent a second; what is under way stands in the send queue.
    pub sends: u64,
}

impl Life {
    /// When nothing is left of it.
    pub fn gone(&self) -> u64 {
        match self.end {
            End::Ours => self.ends + TIME_WAIT,
            End::Theirs(late) => self.ends + late,
            End::Reset | End::Refused | End::Silent(_) => self.ends,
        }
    }

    /// What a sample at `now` shows of it.
    pub fn at(&self, now: u64) -> Option<Socket> {
        if now < self.opened || now >= self.gone() {
            return None;
        }
        if now >= self.ends {
            return Some(self.ending());
        }
        let mut socket = self.socket.clone();
        if self.is_outgoing && now < self.opened + self.handshake {
            socket.state = SynSent;
            let waits =
                tcp(0).queues(0, 1).timer(TimerKind::Retransmit, 1, self.opened + self.handshake + 1_000).build();
            (socket.queues, socket.timer) = (waits.queues, waits.timer);
            return Some(socket);
        }
        let open = self.opened + self.handshake;
        let ping = open + (now - open) / PING * PING;
        let info = socket.tcp.get_or_insert_default();
        let sent = (now - self.opened) / 1_000 * self.sends;
        let last = Timestamp::from_millis(if self.sends > 0 { now - 3 } else { ping }).into();
        (info.rtt_us, info.rto_us) = (20_000, 220_000);
        info.bytes = Some(ByteCounts::new(2_000 + (ping - self.opened) / 100, 5_000 + sent));
        (info.last_data_sent, info.last_data_received, info.last_ack_received) = (last, last, last);
        if self.sends > 0 {
            socket.queues = tcp(0).queues(0, u32::try_from(self.sends / 4).expect("small")).build().queues;
        }
        if let End::Silent(since) = self.end {
            self.be_silent(&mut socket, self.ends - since, now);
        }
        Some(socket)
    }

    /// Data was sent at `since`, and there was no answer; each time-out is twice as long as the last.
    fn be_silent(&self, socket: &mut Socket, since: u64, now: u64) {
        if now < since {
            return;
        }
        let waited = now - since;
        let backoff = (1..15).take_while(|backoff| 220 * ((1 << backoff) - 1) <= waited).count();
        let backoff = u8::try_from(backoff).expect("small");
        let fires = since + 220 * ((2 << backoff) - 1);
        let timer = tcp(0).queues(0, 120).timer(TimerKind::Retransmit, backoff, fires).build();
        (socket.queues, socket.timer) = (timer.queues, timer.timer);
        let info = socket.tcp.get_or_insert_default();
        (info.backoff, info.unacked, info.retransmits_total) = (backoff, 1, backoff.into());
        info.rto_us = 220_000 << backoff;
        let last_received = Timestamp::from_millis((since - 500).max(self.opened)).into();
        (info.last_data_received, info.last_ack_received) = (last_received, last_received);
        info.last_data_sent = Timestamp::from_millis(since).into();
    }

    fn ending(&self) -> Socket {
        let open = &self.socket;
        if let End::Theirs(_) = self.end {
            let mut socket = open.clone();
            let ends = Timestamp::from_millis(self.ends).into();
            let info = socket.tcp.get_or_insert_default();
            (info.last_data_sent, info.last_data_received, info.last_ack_received) = (ends, ends, ends);
            socket.state = CloseWait;
            return socket;
        }
        let mini = tcp(0).mini(TimeWait).timer(TimerKind::TimeWait, 0, self.ends + TIME_WAIT).build();
        Socket { id: open.id, local: open.local, remote: open.remote, family: open.family, ..mini }
    }

    /// What the kernel told of it after `from` and until `to`.
    pub fn tell(&self, from: u64, to: u64, events: &mut Events) {
        let is_new = |at: u64| from < at && at <= to;
        let open = self.opened + self.handshake;
        if is_new(self.opened) {
            self.begin(events);
        }
        if self.end == End::Refused {
            if is_new(self.ends) {
                self.step(self.ends, SynSent, Close, events);
                self.ended(events, true);
            }
            return;
        }
        if is_new(open) {
            self.step(open, if self.is_outgoing { SynSent } else { SynRecv }, Established, events);
        }
        match self.end {
            End::Ours if is_new(self.ends) => {
                let states = [Established, FinWait1, FinWait2, Close];
                states.windows(2).for_each(|two| self.step(self.ends, two[0], two[1], events));
                self.call(self.ends, events);
                self.ended(events, false);
            }
            End::Theirs(late) => {
                if is_new(self.ends) {
                    self.step(self.ends, Established, CloseWait, events);
                }
                if is_new(self.ends + late) {
                    self.step(self.ends + late, CloseWait, LastAck, events);
                    self.call(self.ends + late, events);
                    self.step(self.ends + late, LastAck, Close, events);
                    self.ended(events, false);
                }
            }
            End::Reset | End::Silent(_) if is_new(self.ends) => {
                self.step(self.ends, Established, Close, events);
                self.ended(events, false);
            }
            _ => (),
        }
    }

    fn begin(&self, events: &mut Events) {
        if self.is_outgoing {
            self.step(self.opened, Close, SynSent, events);
            self.call(self.opened, events);
        } else {
            self.step(self.opened, Listen, SynRecv, events);
        }
    }

    fn step(&self, at: u64, from: TcpState, to: TcpState, events: &mut Events) {
        let Socket { local, remote, .. } = self.socket;
        events.state_changes.push(TracedStateChange {
            at: Timestamp::from_millis(at),
            key: self.key(),
            local,
            remote,
            from,
            to,
        });
    }

    fn call(&self, at: u64, events: &mut Events) {
        let Owner::Live(holders) = &self.socket.owner else { return };
        let process = Arc::clone(holders);
        events.callers.push(Caller { at: Timestamp::from_millis(at), key: self.key(), process, netns: None });
    }

    fn key(&self) -> u64 {
        self.socket.id.cookie().unwrap_or_default()
    }

    fn ended(&self, events: &mut Events, is_emptied: bool) {
        let mut socket = self.socket.reference();
        if is_emptied {
            socket.local = Endpoint::new(std::net::Ipv4Addr::UNSPECIFIED.into(), socket.local.port);
            socket.remote.port = 0;
        }
        events.ended.push(Ended { at: Timestamp::from_millis(self.gone_at() + 1), socket, info: self.socket.tcp });
    }

    /// When the full socket is freed.
    fn gone_at(&self) -> u64 {
        if self.end == End::Ours { self.ends } else { self.gone() }
    }
}
