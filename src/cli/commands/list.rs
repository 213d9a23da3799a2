//! `conntop list`: takes what the source has and prints it: now, when it is time, or each time it changes.

mod after;
mod arguments;
mod change;
mod sampler;
mod wait;

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use crate::cli::command::{CliCommand, CommandNotes, example, exit};
use crate::cli::commands::list::arguments::{ListArguments, ListRequest};
use crate::cli::commands::list::sampler::ListSampler;
use crate::cli::global::GlobalOptions;
use crate::cli::names::{HostNameLookup, PATIENCE};
use crate::cli::output::print;
use crate::cli::settings::Settings;
use crate::cli::taker::SampleTaker;
use crate::cli::{Failure, say};
use crate::model::host_name::Lookups;
use crate::model::snapshot::Snapshot;
use crate::report::list::{LeftOut, List, Selection};
use crate::report::{fields, hosts};
use crate::source::retries::RetryLimit;
use crate::source::{Pace, Source};
use crate::store::Store;
use crate::table::query::SampleSeries;
use crate::tracker::{self, Tracker};

/// The command with its arguments.
#[derive(Args, Debug)]
pub(in crate::cli) struct ListCommand {
    #[command(flatten)]
    arguments: ListArguments,
}

impl CliCommand for ListCommand {
    const NAME: &'static str = "list";
    const ABOUT: &'static str = "Print the sockets of this moment";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop list state:close-wait", ""),
            example("conntop list --format json rport:443 'age>60s'", ""),
            example("conntop list --columns process,lport --sort -age --limit 10", ""),
            example("conntop list --top 5 --sort recvq", "the fullest receive queues"),
            example("conntop list --group-by state", "how many in each state"),
            example("conntop list --group-by process,state --top 10", ""),
            example("conntop list --group-by process,remote --for 10", "attempts to connect"),
            example("conntop list --count-only state:time-wait", "a number"),
            example("kill $(conntop list --format plain --columns pid lport:8080 state:listen)", ""),
            example("conntop list --wait-for 'lport:8080 state:listen' --timeout 30 && deploy", ""),
            example("conntop list --until-none 'lport:8080 state:established' --timeout 60", ""),
            example("conntop list --on-change state:listen", "again whenever it changes"),
            example("conntop list --source replay:leak.conntop", "the end of a recording"),
            example("conntop list --source replay:leak.conntop --at 14:05", "a moment of it"),
            example("conntop list --fields", "what the JSON means"),
        ],
        paragraphs: &[
            "\
--group-by counts a socket once; one that several processes share counts for the
first of them. Sums leave out listeners, whose queues are connections, and what
is not known. The largest group comes first. With --group-by, --columns and
--sort take the columns grouped by and the sums. What --limit or --top leave out
is said: in the last line of text, in left_out of JSON, else on stderr. --top
always means the largest first.",
            "\
The kernel itself decides state, proto, family, ports and addresses of FILTER,
and tells no other sockets. Conditions and columns of bytes, ages and round-trip
times need tcp_info: see NEEDS in conntop columns. Those of processes and users,
and bare words, need a look at the open files of processes. So do sockets in
CLOSE, which no list of the kernel has; !state:close leaves them out.",
            "\
With --for, attempts to connect are counted for groups by process, remote,
raddr, rport, proto and netns. Groups that have no socket any more are printed,
too. The counts come from the kernel's trace (root or CAP_PERFMON); without it
they are null.",
            "\
--wait-for and --until-none look every 0.2 s, or as --interval says, and only at
what FILTER passes. --on-change has text and json, one list a line. CSV is that
of RFC 4180 with the values of JSON. A spreadsheet takes a value that begins
with =, +, - or @ for a formula: csv-safe puts a ' before it and all words in
quotes. plain prints values alone, with tabs between and no heading.",
            "\
Ctrl-C ends --on-change with exit code 0. It ends a wait as the signal does.",
        ],
        exits: &[
            exit(0, "done, or what was waited for happened"),
            exit(1, "failed, or what was waited for did not happen"),
            exit(2, "wrong use; a sentence on stderr says what to write instead"),
        ],
    };

    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        let settings = |list: &List, series| {
            Ok::<_, Failure>(global.settings()?.asking(list.asked_by_name()).querying(list.query(series)))
        };
        match &self.arguments.parse()? {
            ListRequest::Fields(fields, format) => print(*format, |out| fields::write(fields, *format, out)),
            ListRequest::Now(list) => {
                now(self.arguments.moment.open(global)?, &settings(list, SampleSeries::One)?, list)
            }
            ListRequest::When(wait, list) => {
                // Of what is to be gone nothing is printed.
                let looked_for = List { count_only: list.count_only || wait.until_none, ..list.clone() };
                let (source, settings) =
                    (self.arguments.moment.open(global)?, &settings(&looked_for, SampleSeries::UntilFound)?);
                let interval = global.asked_interval().unwrap_or(wait::INTERVAL);
                wait::run(ListSampler::new(source, settings, interval), wait, &named(list, settings))
            }
            ListRequest::After(time, list) => {
                // Attempts to connect are told from the samples of all sockets.
                let source = self.arguments.moment.open_with_lead_in(global)?;
                let settings = &global.settings()?.asking(list.asked_by_name());
                after::run(ListSampler::listening(source, settings), *time, &named(list, settings))
            }
            ListRequest::OnChange(changes, list) => {
                let (source, settings) =
                    (self.arguments.moment.open(global)?, &settings(list, SampleSeries::Compared)?);
                let sampler = ListSampler::new(source, settings, settings.shared.interval);
                change::run(sampler, *changes, &named(list, settings))
            }
        }
    }
}

/// Prints one sample of a live source, or the end of a recording.
pub(in crate::cli) fn now(source: Box<dyn Source>, settings: &Settings, list: &List) -> Result<ExitCode, Failure> {
    let list = named(list, settings);
    match take(source, settings)? {
        (mut store, Some(only)) if list.counts_one_by_one() => {
            let (rest, sockets) = tracker::apart(only);
            store.apply(rest);
            print_now(&list.select_among(sockets, &store), &store)
        }
        taken => {
            let mut store = whole(taken);
            let peers = list.peers(&store);
            HostNameLookup::new(settings, store.source().kind, PATIENCE).learn(&mut store, &peers);
            print_now(&list.select(&store), &store)
        }
    }
}

/// Prints `selection`, behind what is to be said of its sample.
fn print_now(selection: &Selection<'_>, store: &Store) -> Result<ExitCode, Failure> {
    for sentence in store.coverage().degraded.iter().chain(&hosts::sentences(store)) {
        say(sentence.as_str());
    }
    if let Some(sentence) = selection.counted_twice() {
        say(&sentence);
    }
    write(selection)
}

/// `list` with names of hosts, if they are asked for.
fn named(list: &List, settings: &Settings) -> List {
    List { names: settings.shared.lookups == Lookups::On, ..list.clone() }
}

fn write(selection: &Selection<'_>) -> Result<ExitCode, Failure> {
    let mut left_out = None;
    let printed = print(selection.format(), |out| {
        left_out = selection.write(out)?;
        out.flush()
    })?;
    if let Some(sentence) = left_out.and_then(LeftOut::sentence) {
        say(&format!("{sentence} left out"));
    }
    Ok(printed)
}

/// A recording is read to its end, so that ages and owners are those that were known then; it takes no time.
pub(in crate::cli) fn look(source: Box<dyn Source>, settings: &Settings) -> Result<Store, Failure> {
    take(source, settings).map(whole)
}

/// The store at the end of a recording; of a live source an empty one, and its only sample.
fn take(source: Box<dyn Source>, settings: &Settings) -> Result<(Store, Option<Snapshot>), Failure> {
    let (mut store, mut tracker) = (Store::new(source.info().clone()), Tracker::new());
    let needs = settings.needs();
    let mut taker = SampleTaker::new(source, RetryLimit::Look, settings.shared.interval);
    loop {
        let Some(pace) = taker.take(|source, snapshot| source.sample(&needs, snapshot))? else {
            if store.deltas() > 0 {
                // A stream of which nothing more comes at once: this is its present.
                return Ok((store, None));
            }
            taker.wait();
            continue;
        };
        if pace == Pace::Interval {
            // A live source: one sample is enough, and there will be none to compare it with.
            return Ok((store, Some(taker.snapshot)));
        }
        store.apply(tracker.finish(&mut taker.snapshot));
        if !matches!(pace, Pace::After(_) | Pace::AsItComes) {
            return Ok((store, None));
        }
    }
}

/// The store with what was taken.
fn whole((mut store, only): (Store, Option<Snapshot>)) -> Store {
    if let Some(only) = only {
        store.apply(tracker::once(only));
    }
    store
}
