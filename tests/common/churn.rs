//! A made-up machine on which connections come and go at a steady rate, second by second, as fast as one likes: what an
//! hour of it leaves in memory need not be waited for.

#![allow(dead_code, reason = "the test and the bench that use this file need different parts of it")]

use std::net::Ipv4Addr;
use std::ops::Range;

use conntop::diagnosis::Diagnosis;
use conntop::diagnosis::thresholds::Thresholds;
use conntop::model::delta::Delta;
use conntop::model::endpoint::{Endpoint, Family};
use conntop::model::event::{Ended, EventSourceStatus, TracedStateChange};
use conntop::model::memory::TableSize;
use conntop::model::process::Owner;
use conntop::model::snapshot::Snapshot;
use conntop::model::socket::{Socket, TimerKind};
use conntop::model::tcp_state::TcpState;
use conntop::model::testing::{listener, process, snapshot, source_info, tcp};
use conntop::model::time::Timestamp;
use conntop::store::Store;
use conntop::store::merged_deltas::MergedDeltas;
use conntop::tracker::Tracker;

/// The moment of the first sample, in seconds since boot.
const FIRST: u64 = 100_000;
/// How long `TIME_WAIT` lasts, in seconds.
const TIME_WAIT: u64 = 60;
/// The first cookies, of what does not come and go.
const LISTENER: u64 = 1;
const IDLE: u64 = 2;
/// The port that is served.
const SERVED: u16 = 7_000;
/// Services elsewhere that are called in turn.
const SERVICES: u64 = 50;

/// The machine and all of conntop that remembers.
pub struct SimulatedMachine {
    idle: u64,
    /// New connections a second: half of them come in, half go out.
    rate: u64,
    owners: [Owner; 2],
    seconds: u64,
    tracker: Tracker,
    store: Store,
    diagnosis: Diagnosis,
    /// What waits while the screen is held still.
    merged: Option<MergedDeltas>,
}

impl SimulatedMachine {
    /// A machine with so many connections that do nothing, and so many new ones a second.
    pub fn new(idle: u64, rate: u64) -> Self {
        let owner = |pid, name| tcp(0).held_by(&[process(pid, name)]).build().owner;
        Self {
            idle,
            rate,
            owners: [owner(1_001, "server"), owner(1_002, "client")],
            seconds: 0,
            tracker: Tracker::new(),
            store: Store::new(source_info()),
            diagnosis: Diagnosis::new(Thresholds::default()),
            merged: None,
        }
    }

    /// A second passes.
    pub fn tick(&mut self) {
        let sample = self.sample();
        let mut delta = self.tracker.update(&sample);
        self.seconds += 1;
        if let Some(merged) = &mut self.merged {
            while !merged.take(&mut delta, &self.store, &mut 1_000) {}
            return;
        }
        self.store.apply(delta);
        self.diagnosis.observe(&self.store);
    }

    /// A second passes; what it changed.
    pub fn tick_with_delta(&mut self) -> Delta {
        let delta = self.tracker.update(&self.sample());
        self.seconds += 1;
        self.store.apply(delta.clone());
        delta
    }

    /// The screen is held still, as while it is frozen or a dialog is open.
    pub fn hold(&mut self) {
        self.merged = Some(MergedDeltas::new(&self.store));
    }

    /// What waits while it is held, in bytes.
    pub fn waiting_bytes(&self) -> usize {
        self.merged.as_ref().map_or(0, MergedDeltas::bytes)
    }

    /// The screen goes on.
    pub fn go_on(&mut self) {
        let Some(merged) = self.merged.take() else { return };
        let mut intake = self.store.begin_merged(merged);
        while !self.store.advance(&mut intake, &mut 1_000) {}
        self.store.finish(intake);
        self.diagnosis.observe(&self.store);
    }

    /// Rows that are live.
    pub fn sockets(&self) -> u32 {
        self.store.rows().counts().total()
    }

    /// What every table holds.
    pub fn table_sizes(&self) -> Vec<TableSize> {
        let tables = self.tracker.table_sizes().into_iter().chain(self.store.table_sizes());
        tables.chain(self.diagnosis.table_sizes()).collect()
    }

    fn now(&self) -> u64 {
        (FIRST + self.seconds) * 1_000
    }

    /// The connections that were opened in second `second`.
    fn opened_in(&self, second: u64) -> Range<u64> {
        let first = IDLE + self.idle + second * self.rate;
        first..first + self.rate
    }

    fn sample(&self) -> Snapshot {
        let idle = (IDLE..IDLE + self.idle).map(|cookie| self.open(cookie, 0));
        let mut sockets: Vec<Socket> = vec![listener(LISTENER, SERVED).owner(self.owners[0].clone()).build()];
        sockets.extend(idle);
        sockets.extend(self.opened_in(self.seconds).map(|cookie| self.open(cookie, self.seconds)));
        for second in self.seconds.saturating_sub(TIME_WAIT)..self.seconds {
            let outgoing = self.opened_in(second).filter(|cookie| is_outgoing(*cookie));
            sockets.extend(outgoing.map(|cookie| self.waiting(cookie, second)));
        }
        let mut sample = snapshot(self.now(), sockets);
        sample.events.event_status.ends = EventSourceStatus::On;
        sample.events.event_status.trace = EventSourceStatus::On;
        if let Some(last) = self.seconds.checked_sub(1) {
            self.opened_in(last).for_each(|cookie| self.end(cookie, last, &mut sample));
        }
        self.opened_in(self.seconds).for_each(|cookie| begin(&self.open(cookie, self.seconds), &mut sample));
        sample.events.state_changes.sort_by_key(|step| step.at);
        sample
    }

    fn open(&self, cookie: u64, second: u64) -> Socket {
        let opened = (FIRST + second) * 1_000 - 500;
        let [.., b, c, d] = cookie.to_be_bytes();
        let far = Ipv4Addr::new(10, b, c, d);
        let port = 32_768 + u16::try_from(cookie % 28_000).unwrap_or(0);
        let (owner, local, remote) = if is_outgoing(cookie) {
            let service = 1 + u8::try_from(cookie / 2 % SERVICES).unwrap_or(0);
            (&self.owners[1], port, Endpoint::new([10, 200, 0, service].into(), 80))
        } else {
            (&self.owners[0], SERVED, Endpoint::new(far.into(), port))
        };
        let socket = tcp(cookie).bytes(100, 100).last(opened, opened, opened).owner(owner.clone());
        socket
            .with(|socket| {
                (socket.family, socket.remote) = (Family::Ipv4, remote);
                socket.local.port = local;
            })
            .build()
    }

    fn waiting(&self, cookie: u64, second: u64) -> Socket {
        let expires = (FIRST + second + TIME_WAIT) * 1_000 + 500;
        let open = self.open(cookie, second);
        tcp(cookie)
            .with(|socket| (socket.local, socket.remote) = (open.local, open.remote))
            .mini(TcpState::TimeWait)
            .timer(TimerKind::TimeWait, 0, expires)
            .build()
    }

    /// Half a second after it was opened the client closes. Of most that came in the end is not told.
    fn end(&self, cookie: u64, second: u64, sample: &mut Snapshot) {
        use TcpState::{Close, CloseWait, Established, FinWait1, FinWait2, LastAck};
        let socket = self.open(cookie, second);
        let at = (FIRST + second) * 1_000 + 500;
        if is_outgoing(cookie) || cookie % 12 == 1 {
            let at = Timestamp::from_millis(at + 2);
            sample.events.ended.push(Ended { at, socket: socket.reference(), info: socket.tcp });
        }
        let steps = if is_outgoing(cookie) {
            [(Established, FinWait1), (FinWait1, FinWait2), (FinWait2, Close)]
        } else {
            [(Established, CloseWait), (CloseWait, LastAck), (LastAck, Close)]
        };
        tell(&socket, at, &steps, sample);
    }
}

fn is_outgoing(cookie: u64) -> bool {
    cookie.is_multiple_of(2)
}

fn begin(socket: &Socket, sample: &mut Snapshot) {
    use TcpState::{Close, Established, Listen, SynRecv, SynSent};
    let at = sample.at.as_millis() - 500;
    let cookie = socket.id.cookie().unwrap_or_default();
    let through = if is_outgoing(cookie) { (Close, SynSent) } else { (Listen, SynRecv) };
    tell(socket, at, &[through, (through.1, Established)], sample);
}

fn tell(socket: &Socket, at_ms: u64, steps: &[(TcpState, TcpState)], sample: &mut Snapshot) {
    let (local, remote) = (socket.local, socket.remote);
    let key = socket.id.cookie().unwrap_or_default();
    let step = |(nth, (from, to)): (u64, &(TcpState, TcpState))| TracedStateChange {
        at: Timestamp(Timestamp::from_millis(at_ms).0 + nth * 1_000),
        key,
        local,
        remote,
        from: *from,
        to: *to,
    };
    sample.events.state_changes.extend((0..).zip(steps).map(step));
}

/// What tables hold, as lines, the largest first.
#[allow(dead_code, reason = "only who prints it")]
pub fn lines(held: &[TableSize]) -> String {
    let mut held = held.to_vec();
    held.sort_by_key(|held| std::cmp::Reverse(held.bytes));
    let all: usize = held.iter().map(|held| held.bytes).sum();
    let line = |held: &TableSize| format!("  {:<24} {:>8} {:>8} KiB\n", held.what, held.len, held.bytes / 1_024);
    held.iter().filter(|held| held.bytes >= 16 * 1_024).map(line).collect::<String>()
        + &format!("  {:<24} {:>8} {:>8} KiB", "all tables", "", all / 1_024)
}
