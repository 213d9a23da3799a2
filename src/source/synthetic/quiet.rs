//! A crowd of open connections without traffic: what a push gateway looks like. For tests and benchmarks of size.

use std::net::{IpAddr, Ipv4Addr};

use crate::model::endpoint::Endpoint;
use crate::model::socket::Socket;
use crate::model::tcp_info::ByteCounts;
use crate::model::tcp_state::TcpState;
use crate::source::synthetic::Actor;
use crate::source::synthetic::addresses::LOCAL_V4;
use crate::source::synthetic::cast::CastProcess;
use crate::source::synthetic::life::{PlannedTraffic, fresh_info};
use crate::source::synthetic::world::World;

/// The first client's address; each client machine has `PER_HOST` connections.
const FIRST_HOST: Ipv4Addr = Ipv4Addr::new(10, 128, 0, 1);
const PER_HOST: u32 = 40;

/// The crowd.
#[derive(Debug)]
pub struct Quiet {
    sockets: Vec<Socket>,
}

impl Quiet {
    /// `count` connections.
    pub fn new(world: &mut World, count: u32) -> Self {
        Self { sockets: (0..count).map(|number| quiet(world, number)).collect() }
    }
}

impl Actor for Quiet {
    fn tick(&mut self, _world: &mut World) {}

    fn show(&self, sockets: &mut Vec<Socket>) {
        sockets.extend_from_slice(&self.sockets);
    }
}

fn quiet(world: &mut World, number: u32) -> Socket {
    let host = Ipv4Addr::from(u32::from(FIRST_HOST).wrapping_add(number / PER_HOST));
    let port = u16::try_from(30_000 + number % PER_HOST).expect("below 30,040");
    let remote = Endpoint::new(IpAddr::V4(host), port);
    let mut socket = world.tcp(TcpState::Established, Endpoint::new(LOCAL_V4, 8_443), remote);
    let holder = world.cast.one(CastProcess::Gateway).clone();
    world.give(&mut socket, &holder);
    let mut tcp = fresh_info(world, PlannedTraffic::QUIET.rtt_us);
    let idle = world.random.between(30, 86_400);
    let heard = world.ago(idle).into();
    (tcp.last_data_received, tcp.last_ack_received, tcp.last_data_sent) = (heard, heard, heard);
    tcp.bytes = Some(ByteCounts::new(1_204, 3_377));
    socket.tcp = Some(tcp);
    socket
}
