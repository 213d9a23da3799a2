//! A made-up server, web-7, for `conntop --demo`, tests and benchmarks: an nginx with its clients, a pool that leaks
//! `CLOSE_WAIT`, a `TIME_WAIT` storm, a full accept queue, and single connections in trouble.
//!
//! The same seed gives the same snapshots for the same calls. Its time is its own: every sample is one second after the
//! one before, whatever the clock says; on the screen a past of a quarter of an hour comes first, in steps of some seconds. Each actor is a file of its own.

pub mod actions;
mod addresses;
mod answers;
mod backlog;
mod cast;
mod kernel;
mod life;
mod network;
mod oddities;
mod pool;
mod quiet;
mod random;
mod services;
mod storm;
mod web;
mod world;

use std::sync::Arc;
use std::time::Duration;

use crate::model::coverage::Coverage;
use crate::model::process::Names;
use crate::model::sink::SampleSink;
use crate::model::snapshot::{Abilities, Needs, SourceInfo, SourceKind};
use crate::model::socket::Socket;
use crate::model::text::DisplayText;
use crate::source::synthetic::actions::{MadeUpAction, MadeUpEnds, MadeUpMachine};
use crate::source::synthetic::world::World;
use crate::source::{Pace, Source, SourceError};

/// One part of the scenario: it owns some sockets and lets them live.
trait Actor: Send {
    /// A second goes by.
    fn tick(&mut self, world: &mut World);

    /// Appends its sockets as a sample sees them now.
    fn show(&self, sockets: &mut Vec<Socket>);
}

/// How much of everything there is.
struct DemoScale {
    /// Open connections to nginx, on average.
    web_clients: u32,
    /// Leaked connections when the demo begins.
    leaked: u32,
    /// Short connections a second.
    storm_per_second: u32,
    /// The limit of the full accept queue.
    backlog_limit: u32,
}

const BUSY: DemoScale = DemoScale { web_clients: 300, leaked: 300, storm_per_second: 20, backlog_limit: 128 };
const SMALL: DemoScale = DemoScale { web_clients: 24, leaked: 36, storm_per_second: 1, backlog_limit: 8 };

/// The made-up server.
pub struct Synthetic {
    info: SourceInfo,
    names: Arc<Names>,
    world: World,
    actors: Vec<Box<dyn Actor>>,
    begun: bool,
    /// How many samples of the past are still to come.
    past: u32,
    machine: MadeUpMachine,
    ends: MadeUpEnds,
}

/// Samples of the past and the seconds between them, oldest first: a quarter of an hour, of which the last two minutes are finer.
const PAST: [(u32, u32); 2] = [(52, 15), (24, 5)];
const PAST_SAMPLES: u32 = PAST[0].0 + PAST[1].0;

impl Synthetic {
    /// A busy server of some 2,400 sockets.
    pub fn new(seed: u64) -> Self {
        Self::scaled(seed, &BUSY)
    }

    /// The same server with little of everything, some 200 sockets: for recordings and pictures.
    pub fn small(seed: u64) -> Self {
        Self::scaled(seed, &SMALL)
    }

    /// The busy server and `connections` quiet ones on top.
    pub fn with_size(seed: u64, connections: u32) -> Self {
        let mut source = Self::new(seed);
        let crowd = quiet::Quiet::new(&mut source.world, connections);
        source.actors.push(Box::new(crowd));
        source
    }

    fn scaled(seed: u64, scale: &DemoScale) -> Self {
        let mut world = World::new(seed);
        let actors: Vec<Box<dyn Actor>> = vec![
            Box::new(services::LongLived::new(&mut world)),
            Box::new(pool::JdbcPool::new(&mut world, scale)),
            Box::new(backlog::ReportApi::new(&mut world, scale)),
            Box::new(oddities::Oddities::new(&mut world)),
            Box::new(web::WebClients::new(&mut world, scale)),
            Box::new(storm::CacheClient::new(&mut world, scale)),
        ];
        let info = SourceInfo {
            kind: SourceKind::Synthetic,
            host: DisplayText::from("web-7"),
            abilities: Abilities::default(),
        };
        Self {
            info,
            names: Arc::new(cast::names()),
            world,
            actors,
            begun: false,
            past: 0,
            machine: MadeUpMachine::default(),
            ends: MadeUpEnds::default(),
        }
    }
}

impl Source for Synthetic {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn sample(&mut self, needs: &Needs, sink: &mut dyn SampleSink) -> Result<Pace, SourceError> {
        let actions = self.machine.take();
        self.world.ended.extend(actions.iter().filter_map(|action| match action {
            MadeUpAction::End(process) => Some(*process),
            MadeUpAction::Close(_) => None,
        }));
        self.ends.take_in(actions);
        let seconds = match self.past {
            0 => 1,
            left if left > PAST[1].0 => PAST[0].1,
            _ => PAST[1].1,
        };
        (0..if self.begun { seconds } else { 0 }).for_each(|_| self.tick());
        self.begun = true;
        let mut snapshot = sink.begin(self.world.now, self.world.wall);
        for actor in &self.actors {
            actor.show(&mut snapshot.sockets);
        }
        self.ends.leave_out(&mut snapshot.sockets);
        snapshot.took = took(snapshot.sockets.len());
        snapshot.names = Arc::clone(&self.names);
        snapshot.coverage = coverage(&snapshot.sockets);
        snapshot.facts = kernel::facts(&self.world.counters);
        answers::answer(needs, self.world.second, &mut snapshot);
        snapshot.network = needs.network.then(|| Arc::new(network::network(self.world.second)));
        sink.finish(snapshot);
        let is_past = self.past > 0;
        self.past = self.past.saturating_sub(1);
        Ok(if is_past { Pace::After(Duration::ZERO) } else { Pace::Interval })
    }

    fn show_on_screen(&mut self) -> Option<MadeUpMachine> {
        self.past = PAST_SAMPLES;
        self.world.swings = true;
        self.info.abilities = Abilities { kill: true, close: true };
        Some(self.machine.clone())
    }
}

impl Synthetic {
    fn tick(&mut self) {
        self.world.tick();
        for actor in &mut self.actors {
            actor.tick(&mut self.world);
        }
    }
}

/// What a real dump of so many sockets takes: about 1 us each (kernel-facts, `sock_diag`).
fn took(sockets: usize) -> Duration {
    Duration::from_micros(700) + Duration::from_micros(u64::try_from(sockets).unwrap_or(u64::MAX))
}

fn coverage(sockets: &[Socket]) -> Coverage {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Coverage {
        sockets: count(sockets.len()),
        owners_hidden: count(sockets.iter().filter(|socket| socket.owner.is_hidden()).count()),
        processes_unreadable: 2,
        other_namespaces: 4,
        ..Coverage::default()
    }
}

#[cfg(test)]
mod tests;
