//! A web server, the program behind it, their clients, a database elsewhere, a batch in the night.

use std::ops::Range;
use std::sync::Arc;

use conntop::model::descriptors::Descriptors;
use conntop::model::endpoint::{Endpoint, Family};
use conntop::model::event::EventSourceStatus;
use conntop::model::facts::Counters;
use conntop::model::process::Process;
use conntop::model::snapshot::Snapshot;
use conntop::model::socket::Socket;
use conntop::model::testing::{endpoint, listener, process, snapshot, tcp};

use super::chance::Chance;
use super::kernel::{count, count_lost_syn, count_second, facts};
use super::life::{End, Life};

/// A new version of the program comes so often, in seconds.
pub const DEPLOY_EVERY: u64 = 14_400;
/// How long nobody listens then.
const DEPLOY_GAP: u64 = 2;
/// When the batch runs, in seconds of the day.
pub const BATCH: Range<u64> = 7_200..8_400;

const HOUR: u64 = 3_600_000;
/// The first sample, in seconds since boot.
const FIRST: u64 = 1_000_000;
/// Clients with a connection each that is idle but for its pings.
const IDLE: usize = 60;
const POOL: usize = 8;

const NGINX: &str = "10.0.0.1:443";
const APP: &str = "127.0.0.1:8000";
const DATABASE: &str = "10.0.0.5:5432";

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Told {
    pub served: u32,
    pub refused: u32,
    pub reset: u32,
    pub vanished: u32,
    pub batch: u32,
    pub deploys: u32,
}

/// The machine.
pub struct Machine {
    chance: Chance,
    second: u64,
    cookie: u64,
    nginx: Arc<Process>,
    app: Arc<Process>,
    batch: Arc<Process>,
    lives: Vec<Life>,
    counters: Counters,
    told: Told,
}

impl Machine {
    pub fn new(seed: u64) -> Self {
        let [nginx, app, batch] =
            [(812, "nginx"), (2_000, "app"), (7_001, "report")].map(|(pid, name)| process(pid, name));
        let (counters, told, lives) = (Counters::default(), Told::default(), Vec::new());
        Self { chance: Chance(seed), second: 0, cookie: 1_000, nginx, app, batch, lives, counters, told }
    }

    /// The second of the day.
    pub fn second(&self) -> u64 {
        self.second
    }

    pub fn told(&self) -> &Told {
        &self.told
    }

    /// So many seconds pass, and then a sample is taken.
    pub fn pass(&mut self, seconds: u64) -> Snapshot {
        let from = self.now();
        for _ in 0..seconds {
            self.second += 1;
            self.happen();
        }
        self.sample(from)
    }

    fn now(&self) -> u64 {
        (FIRST + self.second) * 1_000
    }

    /// What begins in this second.
    fn happen(&mut self) {
        let is_night = self.second < 21_600;
        let rate = if is_night { 100 } else { 200 + self.second % 30_000 / 120 };
        let into_deploy = self.second % DEPLOY_EVERY;
        let is_replaced = self.second >= DEPLOY_EVERY / 2 && (1..=DEPLOY_GAP).contains(&into_deploy);
        if is_replaced && into_deploy == 1 {
            self.deploy();
        }
        for _ in 0..self.chance.times(rate) {
            self.serve(is_replaced);
        }
        self.connect_idle_clients();
        self.connect_pool(is_replaced);
        for _ in 0..self.chance.times(60) {
            self.call_elsewhere();
        }
        if BATCH.contains(&self.second) {
            self.run_batch();
        }
        let segments = 200 + rate * 5 + if BATCH.contains(&self.second) { 4_000 } else { 0 };
        count_second(&mut self.counters, &mut self.chance, segments);
    }

    /// A user, who has one request or stays a while; nginx asks the program, and after a minute closes what is idle.
    fn serve(&mut self, is_replaced: bool) {
        self.told.served += 1;
        let (opened, stays) = (self.moment(), self.chance.between(50, 25_000));
        let client = format!("203.0.113.{}:{}", self.chance.between(1, 250), self.chance.between(20_000, 60_000));
        let end = match self.chance.between(0, 99) {
            0 => End::Reset,
            1..=49 => End::Theirs(self.chance.between(0, 40)),
            _ => End::Ours,
        };
        self.told.reset += u32::from(end == End::Reset);
        let nginx = Arc::clone(&self.nginx);
        self.live(&nginx, NGINX, &client, false, (opened, opened + stays), end);
        // Both ends of what nginx asks are here.
        let port = format!("127.0.0.1:{}", self.ephemeral());
        let asked = opened + 2;
        if is_replaced {
            self.told.refused += 1;
            self.live(&nginx, &port, APP, true, (asked, asked + 1), End::Refused);
            return;
        }
        let app = Arc::clone(&self.app);
        let takes = self.chance.between(5, 900);
        self.live(&nginx, &port, APP, true, (asked, asked + takes + 1), End::Theirs(1));
        self.live(&app, APP, &port, false, (asked, asked + takes), End::Ours);
    }

    /// Those that have gone come back within some seconds.
    fn connect_idle_clients(&mut self) {
        let opened = self.now();
        let connected = self.lives.iter().filter(|life| life.ends > opened && is_idle_client(life)).count();
        let new = (IDLE - connected.min(IDLE)).min(12);
        for nth in 0..new as u64 {
            let stays = self.chance.between(HOUR / 2, 3 * HOUR);
            // Now and then one falls asleep or leaves its network, which is its own trouble. One at a time, as few are.
            let is_alone = !self.lives.iter().any(|life| matches!(life.end, End::Silent(_)));
            let end = if is_alone { End::Silent(900_000) } else { End::Theirs(self.chance.between(1, 30)) };
            self.told.vanished += u32::from(is_alone);
            let client = format!("198.51.100.{}:{}", 1 + nth, self.chance.between(20_000, 60_000));
            let nginx = Arc::clone(&self.nginx);
            self.live(&nginx, NGINX, &client, false, (opened, opened + stays), end);
        }
    }

    /// The program keeps connections to its database, and replaces each after half an hour or so.
    fn connect_pool(&mut self, is_replaced: bool) {
        let opened = self.now();
        let pooled = self.lives.iter().filter(|life| life.ends > opened && life.socket.remote == endpoint(DATABASE));
        let missing = POOL.saturating_sub(pooled.count());
        for _ in 0..if is_replaced { 0 } else { missing } {
            let stays = self.chance.between(HOUR / 3, HOUR / 2);
            let app = Arc::clone(&self.app);
            let own = format!("10.0.0.1:{}", self.ephemeral());
            self.live(&app, &own, DATABASE, true, (opened, opened + stays), End::Ours);
        }
    }

    /// A call to another service: short, now and then with a lost SYN, now and then refused.
    fn call_elsewhere(&mut self) {
        let opened = self.moment();
        let own = format!("10.0.0.1:{}", self.ephemeral());
        let app = Arc::clone(&self.app);
        if self.chance.is(20_000) {
            self.told.refused += 1;
            self.live(&app, &own, "10.0.0.9:8080", true, (opened, opened + 1), End::Refused);
            return;
        }
        let lasts = self.chance.between(40, 1_500);
        let handshake = if self.chance.is(10_000) { 1_020 } else { 20 };
        if handshake > 1_000 {
            count_lost_syn(&mut self.counters);
        }
        self.live(&app, &own, "10.0.0.9:8080", true, (opened, opened + handshake + lasts), End::Ours);
        self.lives.last_mut().expect("it was just made").handshake = handshake;
    }

    /// In the night: a few connections a second to the database, and one that is full of data.
    fn run_batch(&mut self) {
        let batch = Arc::clone(&self.batch);
        let opened = self.moment();
        if self.second == BATCH.start {
            let own = format!("10.0.0.1:{}", self.ephemeral());
            let ends = opened + (BATCH.end - BATCH.start) * 1_000;
            self.live(&batch, &own, "10.0.0.7:873", true, (opened, ends), End::Ours);
            self.lives.last_mut().expect("it was just made").sends = 6_000_000;
        }
        for _ in 0..5 {
            self.told.batch += 1;
            let lasts = self.chance.between(20, 600);
            let own = format!("10.0.0.1:{}", self.ephemeral());
            self.live(&batch, &own, "10.0.0.6:5432", true, (opened, opened + lasts), End::Ours);
        }
    }

    /// The program ends: its connections are closed, those of its users with them; a new one takes its place.
    fn deploy(&mut self) {
        self.told.deploys += 1;
        let now = self.now();
        let old = self.app.id;
        for life in &mut self.lives {
            let is_its_own = matches!(&life.socket.owner, conntop::model::process::Owner::Live(holders) if holders.first().id == old);
            if now < life.ends && (is_its_own || is_idle_client(life)) {
                life.ends = now.max(life.opened + life.handshake + 1);
                // What it had not read yet makes the close a reset.
                life.end = if self.chance.is(200_000) { End::Reset } else { End::Ours };
                self.told.reset += u32::from(life.end == End::Reset);
            }
        }
        self.app = process(2_000 + self.told.deploys, "app");
    }

    fn moment(&mut self) -> u64 {
        self.now() - self.chance.between(1, 990)
    }

    fn ephemeral(&mut self) -> u64 {
        32_768 + self.cookie % 28_000
    }

    fn live(&mut self, of: &Arc<Process>, local: &str, remote: &str, is_outgoing: bool, times: (u64, u64), end: End) {
        self.cookie += 1;
        let socket = tcp(self.cookie).local(local).remote(remote).held_by(std::slice::from_ref(of)).build();
        let life = Life { socket, is_outgoing, opened: times.0, handshake: 0, ends: times.1, end, sends: 0 };
        count(&mut self.counters, &life);
        self.lives.push(life);
    }

    fn sample(&mut self, from: u64) -> Snapshot {
        let now = self.now();
        let mut sockets: Vec<Socket> = self.lives.iter().filter_map(|life| life.at(now)).collect();
        sockets.push(self.listener(1, 443, Family::Ipv4.unspecified(), &self.nginx));
        let into_deploy = self.second % DEPLOY_EVERY;
        if self.told.deploys == 0 || !(1..=DEPLOY_GAP).contains(&into_deploy) {
            let deploys = u64::from(self.told.deploys);
            sockets.push(self.listener(2 + deploys, 8_000, endpoint(APP).addr, &self.app));
        }
        let mut sample = snapshot(now, sockets);
        sample.events.event_status.ends = EventSourceStatus::On;
        sample.events.event_status.trace = EventSourceStatus::On;
        self.lives.iter().for_each(|life| life.tell(from, now, &mut sample.events));
        sample.events.state_changes.sort_by_key(|step| step.at);
        sample.events.ended.sort_by_key(|ended| ended.at);
        sample.events.callers.sort_by_key(|caller| caller.at);
        sample.facts = facts(&self.counters);
        let mut told = [&self.nginx, &self.app].map(|process| (process.id, descriptors(120))).to_vec();
        told.sort_unstable_by_key(|(process, _)| *process);
        sample.descriptors = Arc::new(told);
        self.lives.retain(|life| life.gone() > now);
        sample
    }

    fn listener(&self, cookie: u64, port: u16, addr: std::net::IpAddr, process: &Arc<Process>) -> Socket {
        let waiting = u32::try_from(self.second * 7 % 11).expect("small");
        let listener = listener(cookie, port).queues(waiting, 511).held_by(std::slice::from_ref(process));
        listener.with(|socket| socket.local = Endpoint::new(addr, port)).build()
    }
}

fn is_idle_client(life: &Life) -> bool {
    life.ends - life.opened > HOUR / 4 && life.socket.local.port == 443
}

fn descriptors(used: u32) -> Descriptors {
    Descriptors { used, max: Some(1_024), ..Descriptors::default() }
}
