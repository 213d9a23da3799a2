//! `cron-sync`: a client that opens a new connection to a cache for every question. The `TIME_WAIT` storm of the demo.

use std::time::Duration;

use crate::model::endpoint::Endpoint;
use crate::model::socket::{Socket, TimerKind};
use crate::model::tcp_state::TIME_WAIT_LEN;
use crate::model::tcp_state::TcpState::{Established, TimeWait};
use crate::source::synthetic::addresses::LOCAL_V4;
use crate::source::synthetic::cast::CastProcess;
use crate::source::synthetic::life::{PlannedConnection, PlannedState, PlannedTraffic};
use crate::source::synthetic::world::{EphemeralPorts, World, endpoint};
use crate::source::synthetic::{Actor, DemoScale};

#[rustfmt::skip]
const ONE_QUESTION: &[PlannedState] = &[
    PlannedState { state: Established, seconds: (1, 1),   percent: 100 },
    PlannedState { state: TimeWait,    seconds: (60, 60), percent: 100 },
];
/// Over already, before conntop came.
const OVER: &[PlannedState] = &[PlannedState { state: TimeWait, seconds: (60, 60), percent: 100 }];
const QUESTION: PlannedTraffic =
    PlannedTraffic { received: 480, sent: 110, busy_percent: 100, rtt_us: 290, lost_percent: 0 };

/// The short connections.
#[derive(Debug)]
pub struct CacheClient {
    lives: Vec<PlannedConnection>,
    ports: EphemeralPorts,
    per_second: u32,
}

impl CacheClient {
    /// A client that has been at it for more than a minute.
    pub fn new(world: &mut World, scale: &DemoScale) -> Self {
        let mut client =
            Self { lives: Vec::new(), ports: EphemeralPorts::from(33_410), per_second: scale.storm_per_second };
        for second in (1..TIME_WAIT_LEN.as_secs()).rev() {
            for _ in 0..client.per_second {
                let mut life = client.connect(world, OVER);
                life.begun_earlier(Duration::from_secs(second));
                client.lives.push(life);
            }
        }
        client.questions(world);
        client
    }

    fn connect(&mut self, world: &mut World, plan: &'static [PlannedState]) -> PlannedConnection {
        let local = Endpoint::new(LOCAL_V4, self.ports.take());
        let socket = world.tcp(Established, local, endpoint("10.0.0.31:6379"));
        let holder = world.cast.one(CastProcess::CronSync).clone();
        PlannedConnection::new(world, socket, holder, (plan, QUESTION))
    }

    fn questions(&mut self, world: &mut World) {
        let spread = self.per_second / 10;
        for _ in 0..world.random.between(self.per_second - spread, self.per_second + spread) {
            let life = self.connect(world, ONE_QUESTION);
            world.counters.active_opens += 1;
            self.lives.push(life);
        }
    }
}

impl Actor for CacheClient {
    fn tick(&mut self, world: &mut World) {
        self.lives.retain_mut(|life| life.tick(world));
        if !world.has_ended(world.cast.one(CastProcess::CronSync)) {
            self.questions(world);
        }
    }

    fn show(&self, sockets: &mut Vec<Socket>) {
        debug_assert!(self.lives.iter().all(|life| {
            life.socket.state != TimeWait || life.socket.timer.is_some_and(|timer| timer.kind == TimerKind::TimeWait)
        }));
        sockets.extend(self.lives.iter().map(|life| life.socket.clone()));
    }
}
