//! A made-up machine as a stream of deltas: any number of sockets of which 1 % are replaced and 1 % change a second.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use conntop::app::msg::Msg;
use conntop::model::delta::{AgeBasis, Connection, Delta, Rates, Removed, Since};
use conntop::model::endpoint::Endpoint;
use conntop::model::process::{Holders, Owner};
use conntop::model::socket::Socket;
use conntop::model::tcp_state::TcpState;
use conntop::model::testing::{BOOT, connection, listener, process, tcp};
use conntop::model::time::{Timestamp, WallTime};

/// Processes that share the sockets.
const HOLDERS: u64 = 20;
const LISTENERS: u64 = 20;
/// The moment of the first sample, in seconds since boot.
const FIRST: u64 = 100_000;

/// The machine.
pub struct Machine {
    owners: Vec<Owner>,
    size: u64,
    /// Sockets from here up to `next` are open, and the listeners below [`LISTENERS`].
    oldest: u64,
    next: u64,
    second: u64,
}

impl Machine {
    /// A machine with `size` sockets.
    pub fn new(size: u32) -> Self {
        let names = ["nginx", "jdbc-pool", "envoy", "postgres", "Xorg"];
        let owner = |number: u64| {
            let name = names[usize::try_from(number).expect("small") % names.len()];
            let holder = process(1_000 + u32::try_from(number).expect("small"), name);
            Owner::Live(Arc::new(Holders::new(vec![holder]).expect("one process")))
        };
        let owners = (0..HOLDERS).map(owner).collect();
        Self { owners, size: size.into(), oldest: LISTENERS, next: LISTENERS, second: FIRST }
    }

    /// The first sample: every socket is new.
    pub fn first(&mut self) -> Msg {
        let mut delta = self.delta();
        delta.added = Vec::with_capacity(usize::try_from(self.size).expect("32 bits"));
        delta.added.extend((0..LISTENERS).map(|number| self.listener(number)));
        delta.added.extend((LISTENERS..self.size).map(|number| self.socket(number, 0)));
        self.next = self.size.max(LISTENERS);
        Msg::Delta(Box::new(delta))
    }

    /// A second later.
    pub fn next(&mut self) -> Msg {
        self.second += 1;
        let mut delta = self.delta();
        let churn = (self.size / 100).max(1);
        for number in self.oldest..self.oldest + churn {
            delta.removed.push(Removed { id: tcp(number).build().id, at: delta.at });
        }
        self.oldest += churn;
        // Spread over what is open: what the traffic of a second touches.
        let step = (self.next - self.oldest) / churn;
        delta.changed =
            (0..churn).map(|at| self.socket(self.oldest + at * step + self.second % step, self.second)).collect();
        delta.added = (self.next..self.next + churn).map(|number| self.socket(number, 0)).collect();
        self.next += churn;
        Msg::Delta(Box::new(delta))
    }

    fn delta(&self) -> Delta {
        let millis = self.second * 1_000;
        let wall = WallTime(BOOT.0.saturating_add_unsigned(millis));
        Delta { at: Timestamp::from_millis(millis), wall, ..Delta::default() }
    }

    fn owner(&self, number: u64) -> Owner {
        self.owners[usize::try_from(scatter(number) % HOLDERS).expect("small")].clone()
    }

    fn listener(&self, number: u64) -> Connection {
        let port = 7_000 + u16::try_from(number).expect("few listeners");
        let mut socket = listener(number, port).build();
        socket.owner = self.owner(number);
        connection(socket, 0)
    }

    /// Socket `number` with `traffic` bytes so far.
    fn socket(&self, number: u64, traffic: u64) -> Connection {
        let noise = scatter(number);
        let states = [TcpState::CloseWait, TcpState::TimeWait, TcpState::FinWait2];
        let state = states.get(usize::try_from(noise % 60).expect("small")).copied().unwrap_or(TcpState::Established);
        let host = Ipv4Addr::from(0x0a80_0000 + u32::try_from(noise >> 8 & 0xffff).expect("16 bits"));
        let port = |bits: u64| 1_024 + u16::try_from(bits & 0x7fff).expect("15 bits");
        let mut socket: Socket = tcp(number)
            .state(state)
            .bytes(noise % 100_000 + traffic, number)
            .info(|info| info.rtt_us = u32::try_from(noise % 100_000).expect("small"))
            .build();
        let served = noise.is_multiple_of(3);
        socket.local.port =
            if served { 7_000 + u16::try_from(noise % LISTENERS).expect("small") } else { port(noise >> 24) };
        socket.remote = Endpoint::new(IpAddr::V4(host), if served { port(noise >> 40) } else { 5_432 });
        socket.owner = self.owner(number);
        let mut connection = connection(socket, FIRST * 1_000 - noise % 90_000_000);
        let at = Timestamp::from_millis(FIRST * 1_000 - noise % 80_000_000);
        connection.state_since = Some(Since { at, basis: AgeBasis::AtLeast });
        connection.set_rates((traffic > 0).then_some(Rates { received: 1_000.0, sent: 10.0 }));
        connection
    }
}

/// A number that looks random and is the same every time (the finalizer of `SplitMix64`).
fn scatter(number: u64) -> u64 {
    let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
