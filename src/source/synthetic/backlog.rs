//! `report-api`: it accepts a connection every few seconds, and more than that come. The full accept queue of the demo.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::model::endpoint::{Endpoint, Family};
use crate::model::process::Owner;
use crate::model::socket::{Queues, Socket};
use crate::model::tcp_info::ByteCounts;
use crate::model::tcp_state::TcpState::{self, Established, SynRecv, TimeWait};
use crate::model::time::Timestamp;
use crate::source::synthetic::addresses::LOCAL_V4;
use crate::source::synthetic::cast::CastProcess;
use crate::source::synthetic::life::{
    PlannedConnection, PlannedState, PlannedTraffic, fresh_info, receive_fin, retransmit,
};
use crate::source::synthetic::world::{World, any};
use crate::source::synthetic::{Actor, DemoScale};

/// The peers whose handshake the full queue does not let finish.
const HANDSHAKES_LEN_MAX: usize = 9;
/// A SYN is answered so often (`tcp_synack_retries` is 5; the demo is more impatient).
const SYNACK_RETRIES_MAX: u8 = 3;
/// So many peers at most have given up while they waited.
const GIVEN_UP_MAX: usize = 3;

#[rustfmt::skip]
const REPORT: &[PlannedState] = &[
    PlannedState { state: Established, seconds: (3, 8),   percent: 100 },
    PlannedState { state: TimeWait,    seconds: (60, 60), percent: 100 },
];
const ROWS: PlannedTraffic =
    PlannedTraffic { received: 0, sent: 88_000, busy_percent: 90, rtt_us: 900, lost_percent: 0 };

/// The listener, its queue, and what was taken from it.
#[derive(Debug)]
pub struct ReportApi {
    listener: Socket,
    queue: VecDeque<Socket>,
    handshakes: VecDeque<Socket>,
    served: Vec<PlannedConnection>,
    limit: usize,
    arrived: u32,
    next_accept: u32,
}

impl ReportApi {
    /// A listener whose queue is full.
    pub fn new(world: &mut World, scale: &DemoScale) -> Self {
        let holder = world.cast.one(CastProcess::ReportApi).clone();
        let listener = world.listener(&holder, any(Family::Ipv4, 9_090), scale.backlog_limit);
        let mut api = Self {
            listener,
            queue: VecDeque::new(),
            handshakes: VecDeque::new(),
            served: Vec::new(),
            limit: scale.backlog_limit as usize,
            arrived: 0,
            next_accept: 4,
        };
        // The kernel refuses when there are more than the limit: a full queue holds one more.
        for index in (0..=scale.backlog_limit).rev() {
            let since = world.ago(2 * index + 1);
            let socket = api.queued(world, since);
            api.queue.push_back(socket);
        }
        for _ in 0..GIVEN_UP_MAX {
            api.give_up(world);
        }
        api.refresh(world);
        api
    }

    fn remote(&mut self, world: &mut World) -> Endpoint {
        self.arrived = self.arrived.wrapping_add(1);
        let host = u8::try_from(20 + world.random.between(0, 11)).expect("at most 31");
        let port = u16::try_from(40_000 + self.arrived % 20_000).expect("below 60,000");
        Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 5, host)), port)
    }

    fn socket(&mut self, world: &mut World, state: TcpState) -> Socket {
        let remote = self.remote(world);
        world.tcp(state, Endpoint::new(LOCAL_V4, 9_090), remote)
    }

    /// A connection whose request has waited in the queue since `since`.
    fn queued(&mut self, world: &mut World, since: Timestamp) -> Socket {
        let mut socket = self.socket(world, Established);
        fill(&mut socket, world, since);
        socket
    }

    fn accept(&mut self, world: &mut World) {
        let Some(mut socket) = self.queue.pop_front() else { return };
        // What gave up while it waited is taken, read to its end, and closed within the second.
        if socket.state == Established {
            let holder = world.cast.one(CastProcess::ReportApi).clone();
            world.give(&mut socket, &holder);
            self.served.push(PlannedConnection::new(world, socket, holder, (REPORT, ROWS)));
        }
    }

    /// One peer's ACK finds room in the queue.
    fn admit(&mut self, world: &mut World) {
        let mut socket = match self.handshakes.pop_front() {
            Some(socket) => socket,
            None => self.socket(world, SynRecv),
        };
        socket.state = Established;
        socket.timer = None;
        let now = world.now;
        fill(&mut socket, world, now);
        self.queue.push_back(socket);
    }

    /// The peer that has waited longest and still does closes its end.
    fn give_up(&mut self, world: &World) {
        let given_up = self.queue.iter().filter(|socket| socket.state != Established).count();
        let longest = self.queue.iter_mut().find(|socket| socket.state == Established);
        let Some(socket) = longest.filter(|_| given_up < GIVEN_UP_MAX) else { return };
        let unread = socket.queues.map_or(0, |queues| queues.receive);
        receive_fin(socket, world.now);
        socket.queues = Some(Queues { receive: unread + 1, send: Some(0) });
    }

    /// With the queue full, the kernel drops the last step of each handshake that is repeated, and first steps too. Both
    /// counters know of it (`tcp_v4_syn_recv_sock` and `tcp_conn_request`, net/ipv4).
    fn turn_away(&self, world: &mut World) {
        if self.queue.len() > self.limit {
            let dropped = u64::try_from(self.handshakes.len()).unwrap_or(0) / 3 + u64::from(world.second % 3);
            world.counters.listen_overflows += dropped;
            world.counters.listen_drops += dropped;
        }
    }

    /// The listener's counters, and handshakes that wait or give up.
    fn refresh(&mut self, world: &mut World) {
        let waiting = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        if let Some(queues) = &mut self.listener.queues {
            queues.receive = waiting;
        }
        while self.handshakes.len() < HANDSHAKES_LEN_MAX {
            let mut socket = self.socket(world, SynRecv);
            socket.timer = Some(retransmit(world.now, 1_000));
            self.handshakes.push_back(socket);
        }
        for socket in &mut self.handshakes {
            let Some(timer) = &mut socket.timer else { continue };
            if timer.expires <= world.now.into() {
                timer.retries += 1;
                timer.expires = world.now.after(Duration::from_secs(1 << timer.retries)).into();
            }
        }
        self.handshakes.retain(|socket| socket.timer.is_some_and(|timer| timer.retries <= SYNACK_RETRIES_MAX));
    }
}

impl Actor for ReportApi {
    fn tick(&mut self, world: &mut World) {
        // Without a listener the kernel refuses, and drops nothing at a queue.
        if world.has_ended(world.cast.one(CastProcess::ReportApi)) {
            return;
        }
        self.served.retain_mut(|life| life.tick(world));
        if world.second >= self.next_accept {
            self.next_accept = world.second + world.random.between(3, 7);
            self.accept(world);
        } else if self.queue.len() <= self.limit {
            self.admit(world);
        }
        if world.random.chance(10) {
            self.give_up(world);
        }
        self.refresh(world);
        self.turn_away(world);
    }

    fn show(&self, sockets: &mut Vec<Socket>) {
        sockets.push(self.listener.clone());
        sockets.extend(self.queue.iter().cloned());
        sockets.extend(self.handshakes.iter().cloned());
        sockets.extend(self.served.iter().map(|life| life.socket.clone()));
    }
}

/// Makes `socket` one that waits to be accepted: connected, no inode, its request unread since `since`.
fn fill(socket: &mut Socket, world: &mut World, since: Timestamp) {
    let request = world.random.between(180, 900);
    let mut tcp = fresh_info(world, 900);
    (tcp.last_data_received, tcp.last_ack_received, tcp.last_data_sent) = (since.into(), since.into(), since.into());
    tcp.bytes = Some(ByteCounts::new(u64::from(request), 1));
    socket.tcp = Some(tcp);
    socket.owner = Owner::Unaccepted;
    socket.queues = Some(Queues { receive: request, send: Some(0) });
}
