//! nginx and its clients: a few hundred connections that come and go all the time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::endpoint::{Endpoint, Family};
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState::{CloseWait, Established, FinWait1, FinWait2, LastAck, SynRecv, TimeWait};
use crate::source::synthetic::addresses::{LOCAL_V4, LOCAL_V6};
use crate::source::synthetic::cast::NGINX_WORKERS;
use crate::source::synthetic::life::{PlannedConnection, PlannedState, PlannedTraffic};
use crate::source::synthetic::world::{World, any};
use crate::source::synthetic::{Actor, DemoScale};

/// The mean stay in `ESTABLISHED`, in seconds, of the plans below.
const STAY_MEAN: u32 = 62;

/// nginx closes first: its keep-alive time is over.
#[rustfmt::skip]
const CLOSED_BY_US: &[PlannedState] = &[
    PlannedState { state: SynRecv,     seconds: (1, 1),   percent: 15 },
    PlannedState { state: Established, seconds: (4, 120), percent: 100 },
    PlannedState { state: FinWait1,    seconds: (1, 1),   percent: 8 },
    PlannedState { state: FinWait2,    seconds: (1, 4),   percent: 45 },
    PlannedState { state: TimeWait,    seconds: (60, 60), percent: 100 },
];
/// The client closes first.
#[rustfmt::skip]
const CLOSED_BY_CLIENT: &[PlannedState] = &[
    PlannedState { state: SynRecv,     seconds: (1, 1),   percent: 15 },
    PlannedState { state: Established, seconds: (4, 120), percent: 100 },
    PlannedState { state: CloseWait,   seconds: (1, 1),   percent: 25 },
    PlannedState { state: LastAck,     seconds: (1, 2),   percent: 25 },
];

/// Pages, a download, an idle keep-alive, a far and lossy mobile client.
#[rustfmt::skip]
const TRAFFIC: [PlannedTraffic; 4] = [
    PlannedTraffic { received: 1_900,  sent: 48_000,    busy_percent: 35, rtt_us: 18_000,  lost_percent: 1 },
    PlannedTraffic { received: 2_400,  sent: 1_900_000, busy_percent: 95, rtt_us: 31_000,  lost_percent: 4 },
    PlannedTraffic { received: 700,    sent: 9_000,     busy_percent: 4,  rtt_us: 24_000,  lost_percent: 0 },
    PlannedTraffic { received: 1_200,  sent: 21_000,    busy_percent: 30, rtt_us: 212_000, lost_percent: 14 },
];

/// Networks that clients come from: the documentation ranges of RFC 5737, and the office.
const NETWORKS: [[u8; 3]; 5] = [[198, 51, 100], [203, 0, 113], [192, 0, 2], [10, 0, 3], [10, 0, 4]];

/// The clients of nginx.
#[derive(Debug)]
pub struct WebClients {
    lives: Vec<PlannedConnection>,
    target: u32,
    arrived: u32,
}

impl WebClients {
    /// As many clients as `scale` says, in the middle of their lives.
    pub fn new(world: &mut World, scale: &DemoScale) -> Self {
        let mut clients = Self { lives: Vec::new(), target: scale.web_clients, arrived: 0 };
        for _ in 0..scale.web_clients {
            let mut life = clients.arrive(world);
            // Past the handshake: what was there before conntop came is not all new.
            while life.socket.state == SynRecv {
                life.skip(world);
            }
            life.age(world);
            clients.lives.push(life);
        }
        clients
    }

    fn arrive(&mut self, world: &mut World) -> PlannedConnection {
        let number = self.arrived;
        self.arrived = self.arrived.wrapping_add(1);
        let port = if world.random.chance(82) { 443 } else { 80 };
        let (local, remote) = addresses(world, number, port);
        let socket = world.tcp(SynRecv, local, remote);
        let worker = world.random.pick(&NGINX_WORKERS);
        let holder = world.cast.one(worker).clone();
        let plan = if world.random.chance(55) { CLOSED_BY_US } else { CLOSED_BY_CLIENT };
        let traffic = match world.random.between(1, 100) {
            1..=55 => TRAFFIC[0],
            56..=60 => TRAFFIC[1],
            61..=88 => TRAFFIC[2],
            _ => TRAFFIC[3],
        };
        PlannedConnection::new(world, socket, holder, (plan, traffic))
    }
}

impl Actor for WebClients {
    fn tick(&mut self, world: &mut World) {
        self.lives.retain_mut(|life| life.tick(world));
        let open = self.lives.iter().filter(|life| matches!(life.socket.state, SynRecv | Established)).count();
        // As many come as leave, on average: the more are missing, the more come; never more than twice the usual.
        let usual = self.target.div_ceil(STAY_MEAN).max(1);
        let missing = self.target.saturating_sub(u32::try_from(open).unwrap_or(u32::MAX));
        for _ in 0..world.random.between(0, (usual + missing / 4).min(usual * 2)) {
            let life = self.arrive(world);
            world.counters.passive_opens += 1;
            self.lives.push(life);
        }
    }

    fn show(&self, sockets: &mut Vec<Socket>) {
        sockets.extend(self.lives.iter().map(|life| life.socket.clone()));
    }
}

fn addresses(world: &mut World, number: u32, port: u16) -> (Endpoint, Endpoint) {
    // 7,919 is prime: the next 60,000 clients all have ports of their own, in an order that looks like none.
    let remote_port = u16::try_from(1_024 + number.wrapping_mul(7_919) % 60_000).expect("below 61,024");
    let last = u8::try_from(world.random.between(2, 250)).expect("at most 250");
    if world.random.chance(18) {
        let network = u16::try_from(world.random.between(0x10, 0x4f)).expect("at most 0x4f");
        let remote = Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, u16::from(last));
        return (Endpoint::new(LOCAL_V6, port), Endpoint::new(IpAddr::V6(remote), remote_port));
    }
    let [a, b, c] = world.random.pick(&NETWORKS);
    let remote = IpAddr::V4(Ipv4Addr::new(a, b, c, last));
    (Endpoint::new(LOCAL_V4, port), Endpoint::new(remote, remote_port))
}

/// The listeners of nginx, each shared by all its processes.
pub fn listeners(world: &mut World) -> Vec<Socket> {
    let holder = world.cast.nginx().clone();
    let ports = [80, 443].into_iter();
    let endpoints = ports.flat_map(|port| Family::ALL.map(|family| any(family, port)));
    endpoints.map(|endpoint| world.listener(&holder, endpoint, 511)).collect()
}
