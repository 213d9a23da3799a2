//! What else runs on a server and does not change much: listeners, UDP sockets, sessions, and sockets of processes
//! that conntop may not look into.

use crate::model::endpoint::Endpoint;
use crate::model::process::Owner;
use crate::model::socket::{Queues, Socket};
use crate::model::tcp_info::ByteCounts;
use crate::model::tcp_state::TcpState;
use crate::source::synthetic::Actor;
use crate::source::synthetic::cast::CastProcess;
use crate::source::synthetic::life::{PlannedConnection, PlannedState, PlannedTraffic, fresh_info};
use crate::source::synthetic::web;
use crate::source::synthetic::world::{World, endpoint};

/// Listeners: whose, where, and how long the accept queue may get.
#[rustfmt::skip]
const LISTENERS: [(CastProcess, &str, u32); 13] = [
    (CastProcess::Sshd,         "0.0.0.0:22",        128),
    (CastProcess::Sshd,         "[::]:22",           128),
    (CastProcess::Resolved,     "127.0.0.53:53",    4096),
    (CastProcess::Resolved,     "127.0.0.54:53",    4096),
    (CastProcess::Postgres,     "127.0.0.1:5432",    244),
    (CastProcess::Postgres,     "[::1]:5432",        244),
    (CastProcess::Redis,        "127.0.0.1:6379",    511),
    (CastProcess::NodeExporter, "[::]:9100",        4096),
    (CastProcess::WebWorker,    "127.0.0.1:8082",    128),
    (CastProcess::JdbcPool,     "[::]:8081",         100),
    (CastProcess::MailRelay,    "127.0.0.1:25",      100),
    (CastProcess::MailRelay,    "[::1]:25",          100),
    (CastProcess::Gateway,      "0.0.0.0:8443",     1024),
];

/// UDP sockets without a peer.
#[rustfmt::skip]
const DATAGRAMS: [(CastProcess, &str); 7] = [
    (CastProcess::Resolved, "127.0.0.53:53"),
    (CastProcess::Resolved, "127.0.0.54:53"),
    (CastProcess::Chronyd,  "127.0.0.1:323"),
    (CastProcess::Chronyd,  "[::1]:323"),
    (CastProcess::Redis,    "0.0.0.0:26380"),
    (CastProcess::Resolved, "0.0.0.0:5355"),
    (CastProcess::Resolved, "[::]:5355"),
];

/// Connections that stay: whose, our end, the other end, and how busy. Loopback ones stand here once for each end.
#[rustfmt::skip]
const SESSIONS: [(CastProcess, &str, &str, PlannedTraffic); 11] = [
    (CastProcess::Session,         "10.0.0.7:22",                "10.0.3.9:52210",                TYPING),
    (CastProcess::Session,         "[2001:db8:0:7::7]:22",       "[2001:db8:20::9]:40112",        TYPING),
    (CastProcess::NodeExporter,    "[::ffff:10.0.0.7]:9100",     "[::ffff:10.0.8.4]:48822",       SCRAPE),
    (CastProcess::WebWorker,       "127.0.0.1:40310",            "127.0.0.1:5432",                QUERIES),
    (CastProcess::PostgresBackend, "127.0.0.1:5432",             "127.0.0.1:40310",               ANSWERS),
    (CastProcess::WebWorker,       "127.0.0.1:51882",            "127.0.0.1:6379",                QUERIES),
    (CastProcess::Redis,           "127.0.0.1:6379",             "127.0.0.1:51882",               ANSWERS),
    (CastProcess::NginxWorker1,    "127.0.0.1:60114",            "127.0.0.1:8082",                QUERIES),
    (CastProcess::WebWorker,       "127.0.0.1:8082",             "127.0.0.1:60114",               ANSWERS),
    (CastProcess::NginxWorker3,    "127.0.0.1:60118",            "127.0.0.1:8082",                QUERIES),
    (CastProcess::WebWorker,       "127.0.0.1:8082",             "127.0.0.1:60118",               ANSWERS),
];

#[rustfmt::skip]
const TYPING: PlannedTraffic  = PlannedTraffic { received: 90,     sent: 1_400,  busy_percent: 25, rtt_us: 1_900, lost_percent: 0 };
#[rustfmt::skip]
const SCRAPE: PlannedTraffic  = PlannedTraffic { received: 280,    sent: 71_000, busy_percent: 7,  rtt_us: 620,   lost_percent: 0 };
#[rustfmt::skip]
const QUERIES: PlannedTraffic = PlannedTraffic { received: 18_000, sent: 2_100,  busy_percent: 85, rtt_us: 45,    lost_percent: 0 };
#[rustfmt::skip]
const ANSWERS: PlannedTraffic = PlannedTraffic { received: 2_100,  sent: 18_000, busy_percent: 85, rtt_us: 45,    lost_percent: 0 };

const OPEN: &[PlannedState] =
    &[PlannedState { state: TcpState::Established, seconds: (100_000_000, 100_000_000), percent: 100 }];

/// Sockets of processes that this user may not look into: uid, state, our end, the other end.
#[rustfmt::skip]
const HIDDEN: [(u32, TcpState, &str, &str); 6] = [
    (997,  TcpState::Listen,      "127.0.0.1:8200",  "0.0.0.0:0"),
    (997,  TcpState::Listen,      "10.0.0.7:8201",   "0.0.0.0:0"),
    (997,  TcpState::Established, "10.0.0.7:8201",   "10.0.0.12:41870"),
    (997,  TcpState::Established, "10.0.0.7:8201",   "10.0.0.13:39022"),
    (1002, TcpState::Established, "10.0.0.7:47718",  "203.0.113.200:443"),
    (1002, TcpState::CloseWait,   "10.0.0.7:47650",  "203.0.113.200:443"),
];

/// Everything that stays.
#[derive(Debug)]
pub struct LongLived {
    fixed: Vec<Socket>,
    sessions: Vec<PlannedConnection>,
}

impl LongLived {
    /// All of them.
    pub fn new(world: &mut World) -> Self {
        let mut fixed = web::listeners(world);
        for (part, local, limit) in LISTENERS {
            let holder = world.cast.one(part).clone();
            fixed.push(world.listener(&holder, endpoint(local), limit));
        }
        for (part, local) in DATAGRAMS {
            let holder = world.cast.one(part).clone();
            fixed.push(world.udp(&holder, endpoint(local)));
        }
        fixed.push(query(world));
        for (uid, state, local, remote) in HIDDEN {
            fixed.push(hidden(world, (uid, state), endpoint(local), endpoint(remote)));
        }
        let sessions = SESSIONS.iter().map(|(part, local, remote, traffic)| {
            let holder = world.cast.one(*part).clone();
            let socket = world.tcp(TcpState::Established, endpoint(local), endpoint(remote));
            let mut life = PlannedConnection::new(world, socket, holder, (OPEN, *traffic));
            life.age(world);
            life
        });
        Self { sessions: sessions.collect(), fixed }
    }
}

impl Actor for LongLived {
    fn tick(&mut self, world: &mut World) {
        for life in &mut self.sessions {
            life.tick(world);
        }
    }

    fn show(&self, sockets: &mut Vec<Socket>) {
        sockets.extend_from_slice(&self.fixed);
        sockets.extend(self.sessions.iter().map(|life| life.socket.clone()));
    }
}

/// A connected UDP socket, bound to an interface: chronyd and its server.
fn query(world: &mut World) -> Socket {
    let holder = world.cast.one(CastProcess::Chronyd).clone();
    let mut socket = world.udp(&holder, endpoint("10.0.0.7:43811"));
    socket.state = TcpState::Established;
    socket.remote = endpoint("192.0.2.123:123");
    socket.interface = std::num::NonZeroU32::new(2);
    socket
}

fn hidden(world: &mut World, (uid, state): (u32, TcpState), local: Endpoint, remote: Endpoint) -> Socket {
    let mut socket = world.tcp(state, local, remote);
    socket.inode = Some(world.inode());
    socket.uid = Some(uid);
    socket.owner = Owner::Hidden;
    if state == TcpState::Listen {
        socket.queues = Some(Queues { receive: 0, send: Some(1_024) });
    } else {
        let mut tcp = fresh_info(world, 2_400);
        tcp.bytes = Some(ByteCounts::new(48_211, 9_004));
        (tcp.last_data_received, tcp.last_ack_received) = (world.ago(610).into(), world.ago(300).into());
        tcp.last_data_sent = world.ago(600).into();
        socket.tcp = Some(tcp);
    }
    socket
}
