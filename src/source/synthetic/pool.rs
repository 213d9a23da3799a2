//! `jdbc-pool`: database connections that the server side closes and the pool never does. The leak of the demo.

use std::collections::VecDeque;

use crate::model::endpoint::Endpoint;
use crate::model::socket::Socket;
use crate::model::tcp_info::ByteCounts;
use crate::model::tcp_state::TcpState::{CloseWait, Established};
use crate::source::synthetic::addresses::LOCAL_V4;
use crate::source::synthetic::cast::{CastProcess, SocketHolder};
use crate::source::synthetic::life::{PlannedConnection, PlannedState, PlannedTraffic, fresh_info, receive_fin};
use crate::source::synthetic::world::{EphemeralPorts, World, endpoint};
use crate::source::synthetic::{Actor, DemoScale};

/// Connections that the pool still uses.
const HEALTHY: u32 = 12;
/// The pool ends at its limit of open descriptors (4,096), some of which are files.
const LEAKED_LEN_MAX: usize = 3_900;
/// Seconds between two leaks: about four a minute.
const LEAK_EVERY: (u32, u32) = (11, 19);

/// Longer than any demo: the leak below ends it.
const OPEN: &[PlannedState] = &[PlannedState { state: Established, seconds: (100_000_000, 100_000_000), percent: 100 }];
const QUERIES: PlannedTraffic =
    PlannedTraffic { received: 21_000, sent: 2_600, busy_percent: 70, rtt_us: 380, lost_percent: 0 };

/// The pool's connections to the database.
#[derive(Debug)]
pub struct JdbcPool {
    healthy: VecDeque<PlannedConnection>,
    leaked: Vec<Socket>,
    ports: EphemeralPorts,
    next_leak: u32,
}

impl JdbcPool {
    /// A pool that has been leaking for a while.
    pub fn new(world: &mut World, scale: &DemoScale) -> Self {
        let mut pool =
            Self { healthy: VecDeque::new(), leaked: Vec::new(), ports: EphemeralPorts::from(51_234), next_leak: 0 };
        let holder = world.cast.one(CastProcess::JdbcPool).clone();
        for index in (0..scale.leaked).rev() {
            let socket = pool.leaked_before(world, &holder, index);
            pool.leaked.push(socket);
        }
        for _ in 0..HEALTHY {
            let mut life = pool.connect(world);
            life.age(world);
            pool.healthy.push_back(life);
        }
        pool.next_leak = world.random.between(2, 5);
        pool
    }

    fn remotes(&mut self) -> (Endpoint, Endpoint) {
        (Endpoint::new(LOCAL_V4, self.ports.take()), endpoint("10.0.0.20:5432"))
    }

    /// The leak that `index` others have followed.
    fn leaked_before(&mut self, world: &mut World, holder: &SocketHolder, index: u32) -> Socket {
        let (local, remote) = self.remotes();
        let mut socket = world.tcp(Established, local, remote);
        world.give(&mut socket, holder);
        let mut tcp = fresh_info(world, 350 + index % 90);
        let age = index * LEAK_EVERY.0.midpoint(LEAK_EVERY.1) + world.random.between(1, 9);
        let closed = world.ago(age);
        let idle = std::time::Duration::from_secs(u64::from(world.random.between(2, 40)));
        tcp.last_data_received = closed.before(idle).into();
        tcp.last_data_sent = tcp.last_data_received;
        let received = u64::from(world.random.between(4_000, 3_000_000));
        tcp.bytes = Some(ByteCounts::new(received, received / 7));
        socket.tcp = Some(tcp);
        receive_fin(&mut socket, closed);
        socket
    }

    fn connect(&mut self, world: &mut World) -> PlannedConnection {
        let (local, remote) = self.remotes();
        let socket = world.tcp(Established, local, remote);
        let holder = world.cast.one(CastProcess::JdbcPool).clone();
        PlannedConnection::new(world, socket, holder, (OPEN, QUERIES))
    }
}

impl Actor for JdbcPool {
    fn tick(&mut self, world: &mut World) {
        for life in &mut self.healthy {
            life.tick(world);
        }
        if world.second < self.next_leak || self.leaked.len() >= LEAKED_LEN_MAX {
            return;
        }
        self.next_leak = world.second + world.random.between(LEAK_EVERY.0, LEAK_EVERY.1);
        if let Some(mut life) = self.healthy.pop_front() {
            life.enter(world, CloseWait);
            self.leaked.push(life.socket);
            let fresh = self.connect(world);
            self.healthy.push_back(fresh);
        }
    }

    fn show(&self, sockets: &mut Vec<Socket>) {
        sockets.extend_from_slice(&self.leaked);
        sockets.extend(self.healthy.iter().map(|life| life.socket.clone()));
    }
}
