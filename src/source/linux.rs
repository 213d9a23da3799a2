//! The source of Linux: sockets from `sock_diag` or, where that is refused, from `/proc/net`; processes, users and interfaces.

pub mod backoff;
pub mod byte_code;
pub mod callers;
pub mod counters;
pub mod decimal;
pub mod destroy_events;
pub mod dumper;
pub mod event_listener;
pub mod executables;
pub mod facts;
mod fields;
pub mod halves;
mod held;
pub mod intake;
pub mod interfaces;
pub mod kernel_features;
pub mod kernel_test;
pub mod latest_changes;
pub mod links;
mod mptcp_info;
pub mod names;
pub mod namespaces;
pub mod netlink;
pub mod network;
pub mod offload;
pub mod owners;
pub mod parts;
mod payload;
pub mod proc_dir;
pub mod proc_net;
pub mod proc_stat;
pub mod proc_tables;
pub mod processes;
pub mod query;
pub mod reach;
pub mod routes;
mod sample;
pub mod sock_diag;
pub mod state_dumps;
pub mod state_trace;
mod subflows;
pub mod tables;
pub mod tcp_info;
pub mod threads;
pub mod tuple_ids;
pub mod unhashed;
pub mod units;
pub mod visibility;

use std::cell::{Cell, OnceCell};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;

use self::event_listener::EventListener;
use self::facts::FactsReader;
use self::kernel_features::KernelFeatures;
use self::names::NameReader;
use self::namespaces::Namespaces;
use self::namespaces::others::OtherNamespaces;
use self::network::NetworkReader;
use self::owners::{OwnerGaps, Owners};
use self::parts::PartialSamples;
use self::processes::Describer;
use self::reach::ReachReader;
use self::sample::moment;
use self::tables::{SocketTables, refusal};
use self::units::Units;
use self::visibility::Visibility;
use crate::model::coverage::Coverage;
use crate::model::network::Network;
use crate::model::process::{ProcessId, Usage};
use crate::model::sink::SampleSink;
use crate::model::snapshot::{Abilities, AskedByName, Needs, Snapshot, SourceInfo, SourceKind};
use crate::model::text::{DisplayText, HOST_LEN_MAX};
use crate::model::time::Timestamp;
use crate::source::retries;
use crate::source::usage::Meter;
use crate::source::{Pace, Source, SourceError, clock};

/// The live sockets of the network namespace that the opening thread is in, and of all others if they are wanted. Threads
/// that take samples of it have to be in that namespace, too: some files and connections are opened when they are first
/// needed.
#[derive(Debug)]
pub struct LinuxSource {
    info: SourceInfo,
    tables: SocketTables,
    owners: Owners,
    names: NameReader,
    reach: ReachReader,
    /// `None` until somebody wants facts.
    facts: Option<FactsReader>,
    /// Any socket will do to ask for the name of an interface; it decides the network namespace. Opened when a name is
    /// wanted; `None` in it if it cannot be.
    inquirer: OnceCell<Option<OwnedFd>>,
    namespaces: Namespaces,
    other_namespaces: OtherNamespaces,
    /// `None` until somebody wants units.
    units: Option<Units>,
    /// `None` until it is asked why somebody may be invisible.
    visibility: Cell<Option<Visibility>>,
    /// `None` while nobody looks at interfaces and routes.
    network: Option<NetworkReader>,
    /// `None` until processes are to be measured.
    meter: Option<Meter>,
    describer: Describer,
    features: KernelFeatures,
    /// Somebody waits for the first sample.
    is_first: bool,
    parts: PartialSamples,
    /// `None` until somebody wants to know what happens between samples.
    listening: Option<EventListener>,
    /// How many full samples come before the next partial one.
    full_due: u8,
    /// Not to look for sockets in namespaces that are not shown before this moment.
    other_search_after: Timestamp,
    /// Not all of those may be looked into.
    others_are_hidden: bool,
}

impl LinuxSource {
    /// `sock_diag` if the kernel grants it, else `/proc/net`, which the coverage then says.
    pub fn open() -> Result<Self, SourceError> {
        let namespaces = Namespaces::open();
        match open_diag(&namespaces) {
            Ok(tables) => Ok(Self::with(SourceKind::Linux, namespaces, tables)),
            Err(error) => {
                let tables = SocketTables::procfs(namespaces.own(), Some(error))?;
                Ok(Self::with(SourceKind::Procfs, namespaces, tables))
            }
        }
    }

    /// `sock_diag`, or an error.
    pub fn sock_diag() -> Result<Self, SourceError> {
        let namespaces = Namespaces::open();
        let tables = open_diag(&namespaces).map_err(|error| {
            let refused = refusal("the kernel", error);
            failed(&format!("{refused}; use --source procfs, or --source auto to fall back by itself"))
        })?;
        Ok(Self::with(SourceKind::Linux, namespaces, tables))
    }

    /// `/proc/net`, or an error.
    pub fn procfs() -> Result<Self, SourceError> {
        let namespaces = Namespaces::open();
        let tables = SocketTables::procfs(namespaces.own(), None)?;
        Ok(Self::with(SourceKind::Procfs, namespaces, tables))
    }

    fn with(kind: SourceKind, namespaces: Namespaces, tables: SocketTables) -> Self {
        Self {
            info: SourceInfo {
                kind,
                host: host(),
                abilities: Abilities { kill: true, close: kind == SourceKind::Linux },
            },
            tables,
            owners: Owners::open(),
            names: NameReader::default(),
            reach: ReachReader::default(),
            facts: None,
            inquirer: OnceCell::new(),
            namespaces,
            other_namespaces: OtherNamespaces::new(kind == SourceKind::Procfs),
            units: None,
            visibility: Cell::new(None),
            network: None,
            meter: None,
            describer: Describer::default(),
            features: KernelFeatures::default(),
            is_first: true,
            parts: PartialSamples::default(),
            listening: None,
            full_due: 0,
            other_search_after: Timestamp(0),
            others_are_hidden: false,
        }
    }

    /// The same on a kernel that tells only this: for tests, which run on a new one.
    #[must_use]
    pub fn with_features(self, features: KernelFeatures) -> Self {
        Self { features, ..self }
    }

    /// What the processes `wanted` use; those that are gone, or whose pid is another's now, are left out.
    fn measure(&mut self, wanted: &[ProcessId]) -> Vec<(ProcessId, Usage)> {
        if wanted.is_empty() {
            return Vec::new();
        }
        // The directories are opened first: as long as they answer, the pids are not reused.
        let open = |id: &ProcessId| Some((*id, self.owners.process_dir(id.pid).ok()?));
        let directories: Vec<_> = wanted.iter().filter_map(open).collect();
        let measured = self.meter.get_or_insert_with(Meter::new).measure(wanted.iter().map(|id| id.pid));
        let mut usage = Vec::with_capacity(directories.len());
        for (id, directory) in directories {
            let Some(measured) = measured.iter().find(|measured| measured.pid == id.pid) else {
                continue;
            };
            if self.describer.start_ticks(&directory) == Some(id.start_ticks) {
                usage.push((id, measured.usage));
            }
        }
        usage
    }

    /// What the user asked for by name and this kernel does not tell. Where only `/proc/net` is read, it says so itself.
    fn note_missing(&self, asked: AskedByName, coverage: &mut Coverage) {
        if self.info.kind == SourceKind::Linux {
            coverage.degraded.extend(self.features.missing(asked).map(DisplayText::new));
            let unlisted = self.tables.unlisted_mptcp().filter(|_| asked.mptcp);
            coverage.degraded.extend(unlisted.filter(|sentence| !coverage.degraded.contains(sentence)));
        }
        if let Some(listener) = &self.listening
            && let Some(sentence) = listener.unreported_errors()
        {
            coverage.degraded.push(DisplayText::new(sentence));
        }
    }

    /// Where only sockets of some processes are listed (`of_processes`), one that may not be looked into may hold more of them.
    fn note_gaps(&self, gaps: OwnerGaps, of_processes: bool, coverage: &mut Coverage) {
        coverage.owners_hidden = gaps.owners_hidden;
        coverage.processes_unreadable = gaps.processes_unreadable;
        let has_proc = !gaps.error.is_some_and(visibility::is_no_proc);
        let is_hidden = gaps.owners_hidden > 0 || (of_processes && gaps.processes_unreadable > 0);
        if is_hidden && has_proc {
            let reasons = sure(&self.visibility).reasons(gaps.processes_unreadable);
            coverage.degraded.extend(reasons.iter().map(|reason| DisplayText::new(reason)));
        }
        coverage.degraded.extend(gaps.walked_before.map(|_| DisplayText::new(visibility::COUNTS_NOT_REPORTED)));
        coverage.degraded.extend(gaps.error.map(|error| DisplayText::new(&visibility::failure(error))));
    }
}

impl Source for LinuxSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn sample(&mut self, needs: &Needs, sink: &mut dyn SampleSink) -> Result<Pace, SourceError> {
        let (at, wall) = clock::now();
        let mut snapshot = sink.begin(at, wall);
        if needs.partial {
            self.parts.engage();
            // Partial samples rest on being told of ends.
            self.start_listening(false);
        }
        // Before all else: what moves later is noticed by the next sample.
        self.read_facts(needs, &mut snapshot);
        self.take_events(&mut snapshot);
        let possible = needs.partial && self.has_parts(needs) && self.full_due == 0 && !self.parts.needs_full();
        let read = self.read_sockets(possible, needs, sink, &mut snapshot);
        // What was told until now was to be looked up by this sample.
        read.inspect_err(|_| self.parts.note_failure(at))?;
        self.parts.note_sample(&snapshot, snapshot.facts.counters);
        if needs.partial {
            snapshot.coverage.degraded.extend(self.parts.flood().map(DisplayText::new));
        }
        self.add_rest(needs, &mut snapshot);
        sink.finish(snapshot);
        Ok(Pace::Interval)
    }

    fn has_parts(&self, needs: &Needs) -> bool {
        self.tables.has_parts() && !needs.all_namespaces
    }

    fn listen(&mut self, trace: bool) {
        self.start_listening(trace);
    }
}

impl LinuxSource {
    fn start_listening(&mut self, traces: bool) {
        let own = self.namespaces.own();
        self.listening.get_or_insert_with(|| EventListener::start(own, traces));
    }

    /// What ended before this moment, into a snapshot that was begun, and which sockets have changed their state.
    fn take_events(&mut self, snapshot: &mut Snapshot) {
        let mut changes = None;
        if let Some(listening) = &self.listening {
            listening.take_ended(&mut snapshot.events);
            changes = listening.take_changes();
        }
        self.parts.note_events(snapshot.at, &snapshot.events, changes);
    }

    /// Limits and counters of our own namespace, if they are wanted.
    fn read_facts(&mut self, needs: &Needs, snapshot: &mut Snapshot) {
        let (own, fields) = (self.namespaces.own(), needs.query.fields);
        let facts = fields.facts.then(|| self.facts.get_or_insert_with(|| FactsReader::open(own)));
        snapshot.facts = facts.map_or_else(Arc::default, |facts| facts.read(snapshot.at, fields.counters));
    }

    /// Interfaces and routes, if they are `wanted`.
    fn read_network(&mut self, wanted: bool, at: Timestamp) -> Option<Arc<Network>> {
        if !wanted {
            self.network = None;
            return None;
        }
        Some(Arc::new(self.network.get_or_insert_default().read(at)))
    }

    /// What every sample has beside its sockets.
    fn add_rest(&mut self, needs: &Needs, snapshot: &mut Snapshot) {
        snapshot.coverage.degraded.extend(self.names.trouble());
        self.note_missing(needs.by_name, &mut snapshot.coverage);
        snapshot.details = self.tables.details(&needs.details);
        snapshot.details.extend(self.other_namespaces.details(&needs.details));
        snapshot.usage = self.measure(&needs.usage);
        snapshot.network = self.read_network(needs.network, snapshot.at);
        let fields = needs.query.fields;
        if fields.descriptors {
            snapshot.descriptors = self.owners.descriptors(moment(snapshot));
        }
        if let Some(listening) = &self.listening {
            listening.take_steps(&mut snapshot.events);
        }
        snapshot.took = clock::now().0.since(snapshot.at);
    }
}

/// `sock_diag`, asked again where the kernel is short of something for a moment: a fall-back would be for good. That conntop
/// itself may have no more descriptors does not pass.
fn open_diag(namespaces: &Namespaces) -> Result<SocketTables, Errno> {
    const SHORT: [Errno; 7] =
        [Errno::NOBUFS, Errno::NOMEM, Errno::AGAIN, Errno::INTR, Errno::NFILE, Errno::BUSY, Errno::IO];
    retries::at_last(|| SocketTables::sock_diag(namespaces.own()), |error| SHORT.contains(error))
}

/// What is known of who may be invisible; looked at when it is first asked for, and again as long as it could not be read.
fn sure(visibility: &Cell<Option<Visibility>>) -> Visibility {
    let known = visibility.get().map_or_else(Visibility::look, Visibility::made_sure);
    visibility.set(Some(known));
    known
}

fn host() -> DisplayText {
    DisplayText::from_bytes(rustix::system::uname().nodename().to_bytes(), HOST_LEN_MAX)
}

fn failed(sentence: &str) -> SourceError {
    SourceError::Failed(DisplayText::new(sentence))
}

#[cfg(test)]
mod tests;
