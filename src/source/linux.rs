//! Linux: sockets from `sock_diag` or, where that is refused, from `/proc/net`; processes, users and interfaces.

pub mod destroy_events;
pub mod dumper;
pub mod names;
pub mod namespaces;
pub mod netlink;
pub mod owners;
pub mod parts;
pub mod port_filter;
pub mod proc_dir;
pub mod proc_net;
pub mod processes;
pub mod sock_diag;
pub mod tables;
pub mod tcp_info;
pub mod threads;
pub mod tuple_ids;
pub mod visibility;

use rustix::io::Errno;

use self::dumper::Haste;
use self::names::NameReader;
use self::namespaces::Namespaces;
use self::owners::{Blind, Owners};
use self::parts::Parts;
use self::processes::{Describer, Now};
use self::tables::{Tables, refusal};
use self::visibility::Visibility;
use crate::model::coverage::Coverage;
use crate::model::process::{ProcessId, Usage};
use crate::model::snapshot::{Abilities, Needs, Snapshot, SourceInfo, SourceKind};
use crate::model::socket::SocketRef;
use crate::model::text::{DisplayText, HOST_LEN_MAX};
use crate::source::usage::Meter;
use crate::source::{Pace, Source, SourceError, clock};

/// The live sockets of the network namespace that the opening thread is in.
#[derive(Debug)]
pub struct Linux {
    info: SourceInfo,
    tables: Tables,
    owners: Owners,
    names: NameReader,
    namespaces: Namespaces,
    visibility: Visibility,
    meter: Meter,
    describer: Describer,
    /// Somebody waits for the first sample.
    haste: Haste,
    parts: Parts,
}

impl Linux {
    /// `sock_diag` if the kernel grants it, else `/proc/net`, which the coverage then says.
    pub fn open() -> Result<Self, SourceError> {
        let namespaces = Namespaces::open();
        match Tables::sock_diag(namespaces.own()) {
            Ok(tables) => Self::with(SourceKind::Linux, namespaces, tables),
            Err(error) => {
                let tables = Tables::procfs(namespaces.own(), Some(error))?;
                Self::with(SourceKind::Procfs, namespaces, tables)
            }
        }
    }

    /// `sock_diag`, or an error.
    pub fn sock_diag() -> Result<Self, SourceError> {
        let namespaces = Namespaces::open();
        let tables = Tables::sock_diag(namespaces.own()).map_err(|error| {
            let refused = refusal("the kernel", error);
            failed(&format!("{refused}; use --source procfs, or --source auto to fall back by itself"))
        })?;
        Self::with(SourceKind::Linux, namespaces, tables)
    }

    /// `/proc/net`, or an error.
    pub fn procfs() -> Result<Self, SourceError> {
        let namespaces = Namespaces::open();
        let tables = Tables::procfs(namespaces.own(), None)?;
        Self::with(SourceKind::Procfs, namespaces, tables)
    }

    fn with(kind: SourceKind, namespaces: Namespaces, tables: Tables) -> Result<Self, SourceError> {
        let no_proc =
            |error: Errno| failed(&format!("cannot open /proc ({error}); mount it with 'mount -t proc proc /proc'"));
        Ok(Self {
            info: SourceInfo { kind, host: host(), abilities: Abilities { kill: true } },
            tables,
            owners: Owners::open().map_err(no_proc)?,
            names: NameReader::open(),
            namespaces,
            visibility: Visibility::look(),
            meter: Meter::new(),
            describer: Describer::default(),
            haste: Haste::Urgent,
            parts: Parts::default(),
        })
    }

    /// What the processes `wanted` use; those that are gone, or whose pid is another's now, are left out.
    fn measure(&mut self, wanted: &[ProcessId]) -> Vec<(ProcessId, Usage)> {
        // The directories are opened first: as long as they answer, the pids are not reused.
        let open = |id: &ProcessId| Some((*id, self.owners.process_dir(id.pid).ok()?));
        let directories: Vec<_> = wanted.iter().filter_map(open).collect();
        let measured = self.meter.measure(wanted.iter().map(|id| id.pid));
        let mut usage = Vec::with_capacity(directories.len());
        for (id, directory) in directories {
            let Some(measured) = measured.iter().find(|measured| measured.pid == id.pid) else {
                continue;
            };
            let descriptors = directory.descriptors().ok();
            let descriptors_max = self.describer.descriptors_max(&directory);
            if self.describer.identify(&directory).is_some_and(|(ticks, _)| ticks == id.start_ticks) {
                usage.push((id, Usage { descriptors, descriptors_max, ..measured.usage }));
            }
        }
        usage
    }

    fn note_blind(&self, blind: Blind, coverage: &mut Coverage) {
        coverage.owners_hidden = blind.owners_hidden;
        coverage.processes_unreadable = blind.processes_unreadable;
        if blind.owners_hidden > 0 {
            coverage.degraded.extend(self.visibility.reasons().map(DisplayText::new));
        }
        if let Some(error) = blind.error {
            let sentence =
                format!("processes could not be looked through ({error}); owners may be missing until the next sample");
            coverage.degraded.push(DisplayText::new(&sentence));
        }
    }
}

impl Source for Linux {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn sample(&mut self, needs: &Needs, snapshot: &mut Snapshot) -> Result<Pace, SourceError> {
        snapshot.clear();
        (snapshot.at, snapshot.wall) = clock::now();
        self.parts.listen();
        self.sample_all(needs, snapshot)
    }

    fn has_parts(&self) -> bool {
        self.tables.has_parts()
    }

    fn sample_part(&mut self, needs: &Needs, snapshot: &mut Snapshot) -> Result<Pace, SourceError> {
        snapshot.clear();
        (snapshot.at, snapshot.wall) = clock::now();
        self.parts.engage(self.namespaces.own());
        self.parts.listen();
        match self.parts.begin() {
            Some((scope, coverage)) if self.tables.has_parts() && !self.parts.needs_full() => {
                (snapshot.scope, snapshot.coverage) = (scope, coverage);
                self.tables.read_part(scope, &mut snapshot.sockets, &mut snapshot.coverage)?;
            }
            _ => {
                let pace = self.sample_all(needs, snapshot)?;
                snapshot.coverage.degraded.extend(self.parts.flood().map(DisplayText::new));
                return Ok(pace);
            }
        }
        snapshot.coverage.degraded.extend(self.parts.flood().map(DisplayText::new));
        let wanted = parts::worth_a_look(snapshot, self.parts.ended(), &needs.visible);
        self.tables.look_up(&wanted, &mut snapshot.sockets, &mut snapshot.gone);
        let now = Now { at: snapshot.at, wall: snapshot.wall };
        self.owners.attribute_part(&mut snapshot.sockets, now, self.visibility.is_limited());
        snapshot.names = self.names.read_part(&snapshot.sockets);
        self.add_rest(needs, snapshot);
        Ok(Pace::Interval)
    }

    fn look_up(&mut self, wanted: &[SocketRef], snapshot: &mut Snapshot) {
        let listed = snapshot.sockets.len();
        self.tables.look_up(wanted, &mut snapshot.sockets, &mut snapshot.gone);
        let now = Now { at: snapshot.at, wall: snapshot.wall };
        let found = snapshot.sockets.get_mut(listed..).unwrap_or_default();
        self.owners.attribute_more(found, now, self.visibility.is_limited());
        snapshot.took = clock::now().0.since(snapshot.at);
    }
}

impl Linux {
    /// Every socket, into an empty snapshot that was begun.
    fn sample_all(&mut self, needs: &Needs, snapshot: &mut Snapshot) -> Result<Pace, SourceError> {
        let haste = std::mem::replace(&mut self.haste, Haste::Calm);
        self.tables.read(haste, &mut snapshot.sockets, &mut snapshot.coverage)?;
        let now = Now { at: snapshot.at, wall: snapshot.wall };
        let blind = self.owners.attribute(&mut snapshot.sockets, now, self.visibility.is_limited());
        self.note_blind(blind, &mut snapshot.coverage);
        snapshot.coverage.sockets = u32::try_from(snapshot.sockets.len()).unwrap_or(u32::MAX);
        snapshot.names = self.names.read(&snapshot.sockets, snapshot.at);
        self.tables.look_up(self.parts.ended(), &mut Vec::new(), &mut snapshot.gone);
        self.parts.note_full(snapshot);
        self.add_rest(needs, snapshot);
        Ok(Pace::Interval)
    }

    /// What every sample has beside its sockets.
    fn add_rest(&mut self, needs: &Needs, snapshot: &mut Snapshot) {
        snapshot.coverage.other_namespaces = self.namespaces.others(&self.owners, snapshot.at);
        snapshot.details = self.tables.details(&needs.details);
        snapshot.usage = self.measure(&needs.usage);
        snapshot.took = clock::now().0.since(snapshot.at);
    }
}

fn host() -> DisplayText {
    DisplayText::from_bytes(rustix::system::uname().nodename().to_bytes(), HOST_LEN_MAX)
}

fn failed(sentence: &str) -> SourceError {
    SourceError::Failed(DisplayText::new(sentence))
}
