//! `conntop netstat`: one round, or rounds until Ctrl-C.

mod arguments;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use rustc_hash::FxHashMap;

use crate::cli::command::{CliCommand, CommandNotes, EXITS, example};
use crate::cli::commands::netstat::arguments::{NetstatArguments, NetstatRequest};
use crate::cli::global::GlobalOptions;
use crate::cli::names::{HostNameLookup, PATIENCE};
use crate::cli::output::{self, cannot_write};
use crate::cli::recorded_moment::MomentOption;
use crate::cli::samples::{Interrupt, Warnings};
use crate::cli::taker::SampleTaker;
use crate::cli::{Failure, say};
use crate::model::host_name::Lookups;
use crate::model::process::{Executable, ProcessId};
use crate::model::snapshot::{Needs, SourceKind};
use crate::model::text::DisplayText;
use crate::report::format::DocumentFormat;
use crate::report::netstat::connections::Connections;
use crate::report::netstat::{Netstat, NetstatOptions, NetstatSample};
use crate::runtime::load::Pacer;
use crate::source::retries::RetryLimit;
use crate::source::{Pace, clock, machine};
use crate::store::Store;
use crate::table::query::SampleSeries;
use crate::tracker::{self, Tracker};

/// The command with its arguments.
#[derive(Args, Debug)]
pub(super) struct NetstatCommand {
    #[command(flatten)]
    arguments: NetstatArguments,
    #[command(flatten)]
    moment: MomentOption,
}

impl CliCommand for NetstatCommand {
    const NAME: &'static str = "netstat";
    const ABOUT: &'static str = "What netstat users type: -ano, -e, -s, -r, and an interval";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop netstat -ano", "all sockets, in digits, with their pid"),
            example("conntop netstat -ano | grep :80", "each connection is one line"),
            example("conntop netstat -ano port:80", "only those on port 80, at either end"),
            example("conntop netstat -bno LISTENING", "listeners with program and executable"),
            example("conntop netstat -e 5", "interfaces every 5 s, with rates"),
            example("conntop netstat -s -p TCP", "the counters of TCP, and what they mean"),
            example("conntop netstat -rn", "routes of IPv4 and IPv6"),
        ],
        paragraphs: &["\
A listener on [::] accepts IPv4 as well, and is shown for TCP and for TCPv6. A
pid in parentheses held the connection when conntop last saw its owner. With an
interval, sockets in TIME_WAIT have one, too. Linux's own netstat calls programs
-p, TCP -t and listeners -l: here they are -b, -p TCP and LISTENING."],
        exits: EXITS,
    };

    /// Shows what was asked for, once or again and again.
    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        let NetstatRequest { wanted, interval, hints } = self.arguments.plan()?;
        let names_wanted = wanted.connections.as_ref().is_some_and(|connections| connections.names);
        // Here -f alone says whether names are wanted: digits are what netstat prints.
        let settings = global.settings()?.with_names(names_wanted);
        let source = self.moment.open(global)?;
        let kind = source.info().kind;
        refuse_without_machine(&wanted, kind)?;
        for hint in &hints {
            say(hint);
        }
        if names_wanted && settings.shared.lookups == Lookups::Forbidden {
            say("-f: --no-dns forbids to ask for names; addresses are shown");
        }
        let series = if wanted.repeats { SampleSeries::Compared } else { SampleSeries::One };
        let query = wanted.connections.as_ref().map(|shown| shown.query(wanted.format == DocumentFormat::Json, series));
        let settings = settings.querying(query.unwrap_or_default());
        let patience = if interval.is_some() { RetryLimit::Check } else { RetryLimit::Look };
        let sampler = NetstatSampler {
            store: Store::new(source.info().clone()),
            taker: SampleTaker::new(source, patience, settings.shared.interval),
            tracker: Tracker::new(),
            needs: settings.needs(),
            names: HostNameLookup::new(&settings, kind, PATIENCE),
            said: Warnings::default(),
        };
        let count = self.arguments.rounds();
        Interrupt::run(async |interrupt| rounds(Netstat::new(wanted), sampler, interval, count, interrupt).await)
    }
}

/// Interfaces, counters and routes are those of this machine: what is no live source of it has none.
fn refuse_without_machine(wanted: &NetstatOptions, kind: SourceKind) -> Result<(), Failure> {
    let needs_machine = wanted.interfaces || wanted.statistics || wanted.routes || wanted.offload;
    if needs_machine && matches!(kind, SourceKind::Synthetic | SourceKind::Replay) {
        return Err(Failure::Usage(format!(
            "the source {} has sockets only; leave it out to see the interfaces, counters and routes of this machine",
            kind.name()
        )));
    }
    Ok(())
}

async fn rounds(
    mut netstat: Netstat,
    mut sampler: NetstatSampler,
    interval: Option<Duration>,
    count: Option<u64>,
    mut interrupt: Interrupt,
) -> Result<ExitCode, Failure> {
    let (mut before, mut shown) = (None, 0u64);
    let mut pacer = Pacer::new(interval.unwrap_or_default());
    // One listener for all rounds: what comes while a round is printed is noticed after it.
    if interval.is_some() && interrupt.comes_before(Instant::now()).await {
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        let begun = Instant::now();
        let (round, pace) = sampler.look(netstat.wanted())?;
        let mut out = output::stdout(netstat.wanted().format);
        match netstat.write(&sampler.store, &round, before.as_ref(), &mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(cannot_write(&error)),
            Ok(()) => {}
        }
        drop(out);
        shown += 1;
        let took = begun.elapsed();
        let due = begun + pacer.next(took);
        if let Some(sentence) = pacer.remark(took) {
            say(&sentence);
        }
        let is_last = interval.is_none() || pace == Pace::Last || count.is_some_and(|count| shown >= count);
        if is_last || interrupt.comes_before(due).await {
            return Ok(ExitCode::SUCCESS);
        }
        before = Some(round);
    }
}

/// Looks at what is wanted.
struct NetstatSampler {
    taker: SampleTaker,
    store: Store,
    tracker: Tracker,
    needs: Needs,
    names: HostNameLookup,
    /// What was said already, so that it is not said every round.
    said: Warnings,
}

impl NetstatSampler {
    fn look(&mut self, wanted: &NetstatOptions) -> Result<(NetstatSample, Pace), Failure> {
        let (at, wall) = clock::now();
        let mut round = NetstatSample { at, wall, ..NetstatSample::default() };
        let mut pace = Pace::Interval;
        if let Some(connections) = &wanted.connections {
            pace = self.sample(wanted.repeats)?;
            (round.at, round.wall) = (self.store.at(), self.store.wall());
            if connections.executable {
                round.executables = self.executables(connections);
            }
            if self.names.is_on() {
                let peers: Vec<_> =
                    connections.rows(&self.store).iter().map(|row| row.connection.socket.remote.addr).collect();
                self.names.learn(&mut self.store, &peers);
            }
        }
        let mut degraded = self.store.coverage().degraded.clone();
        if wanted.interfaces {
            take(machine::interfaces()?, &mut round.interfaces, &mut degraded);
        }
        if wanted.statistics {
            take(machine::counters()?, &mut round.counters, &mut degraded);
        }
        if wanted.routes {
            take(machine::routes()?, &mut round.routes, &mut degraded);
        }
        if wanted.offload {
            take(machine::offload(), &mut round.offload, &mut degraded);
        }
        self.said.say(&degraded);
        Ok((round, pace))
    }

    /// Takes one sample of a live source; of a recording the last one, or with an interval the next one.
    fn sample(&mut self, repeats: bool) -> Result<Pace, Failure> {
        loop {
            let needs = &self.needs;
            let pace = self.taker.take_at_last(|source, snapshot| source.sample(needs, snapshot))?;
            if pace == Pace::Interval && !repeats {
                self.store.apply(tracker::once(std::mem::take(&mut self.taker.snapshot)));
                return Ok(pace);
            }
            self.store.apply(self.tracker.finish(&mut self.taker.snapshot));
            if repeats || !matches!(pace, Pace::After(_) | Pace::AsItComes) {
                return Ok(pace);
            }
        }
    }

    /// What the processes that are shown run; a recording has no live processes.
    fn executables(&self, connections: &Connections) -> FxHashMap<ProcessId, Executable> {
        let mut found = FxHashMap::default();
        if self.store.source().abilities.kill {
            for row in connections.rows(&self.store) {
                if let Some(process) = row.connection.socket.owner.process() {
                    found.entry(process.id).or_insert_with(|| machine::executable(process.id));
                }
            }
        }
        found
    }
}

fn take<T>(table: machine::MachineTable<T>, rows: &mut Vec<T>, degraded: &mut Vec<DisplayText>) {
    *rows = table.rows;
    degraded.extend(table.degraded);
}
