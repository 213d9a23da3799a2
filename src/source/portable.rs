//! Sockets by netstat2 and processes by sysinfo: the source of macOS and Windows, and on Linux a second opinion.
//!
//! netstat2 knows protocol, addresses, state and pids, on Linux also inode and uid; the rest of a socket stays `None`,
//! and the coverage says so.

mod processes;
mod table;

#[cfg_attr(target_os = "linux", path = "portable/on_linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "portable/elsewhere.rs")]
mod system;

/// Built into tests on Linux too, so that it cannot rot there.
#[cfg(all(test, target_os = "linux"))]
#[path = "portable/elsewhere.rs"]
#[expect(dead_code, reason = "Linux has a file of its own")]
mod elsewhere;

use std::error::Error;

use netstat2::{AddressFamilyFlags, ProtocolFlags, iterate_sockets_info};

use crate::model::coverage::Coverage;
use crate::model::process::{Owner, ProcessId, Usage};
use crate::model::sink::SampleSink;
use crate::model::snapshot::{Abilities, Needs, SourceInfo, SourceKind};
use crate::model::socket::Socket;
use crate::model::text::{DisplayText, HOST_LEN_MAX};
use crate::source::portable::processes::{ProcessBook, UserNames};
use crate::source::portable::system::{Visible, entry};
use crate::source::portable::table::NetstatRow;
use crate::source::usage::Meter;
use crate::source::{Pace, Source, SourceError, clock, descriptors};

/// After so many errors a sample takes what it has: netstat2 repeats a failing read for ever.
const ERRORS_MAX: u32 = 64;
/// So many descriptors it has open at a time, and some.
const ROOM: usize = 6;

/// The live sockets of this machine, as far as netstat2 sees them.
pub struct PortableSource {
    info: SourceInfo,
    entries: Vec<NetstatRow>,
    book: ProcessBook,
    users: UserNames,
    meter: Meter,
}

impl PortableSource {
    /// Opens the source; fails where netstat2 cannot read the tables at all.
    pub fn open() -> Result<Self, SourceError> {
        let host = sysinfo::System::host_name().unwrap_or_default();
        let mut source = Self {
            info: SourceInfo {
                kind: SourceKind::Portable,
                host: DisplayText::from_bytes(host.as_bytes(), HOST_LEN_MAX),
                abilities: Abilities { kill: cfg!(unix), close: false },
            },
            entries: Vec::new(),
            book: ProcessBook::new(),
            users: UserNames::default(),
            meter: Meter::new(),
        };
        source.read()?;
        Ok(source)
    }

    /// Reads the tables into `entries`; how many were left out, and the first reason.
    fn read(&mut self) -> Result<(u32, Option<DisplayText>), SourceError> {
        self.entries.clear();
        // netstat2 panics where it cannot open its socket and a directory of /proc within that of another.
        descriptors::check_room(ROOM).map_err(|error| no_room(&error))?;
        let infos =
            iterate_sockets_info(AddressFamilyFlags::all(), ProtocolFlags::all()).map_err(|error| refused(&error))?;
        let (mut skipped, mut reason) = (0, None);
        for info in infos {
            match info {
                Ok(info) => match entry(info) {
                    Some(entry) => self.entries.push(entry),
                    None => skipped += 1,
                },
                Err(error) => {
                    skipped += 1;
                    reason.get_or_insert_with(|| described(&error));
                }
            }
            if skipped >= ERRORS_MAX {
                break;
            }
        }
        table::merge(&mut self.entries);
        Ok((skipped, reason))
    }

    fn usage(&mut self, wanted: &[ProcessId]) -> Vec<(ProcessId, Usage)> {
        let mut usage = Vec::with_capacity(wanted.len());
        for measured in self.meter.measure(wanted.iter().map(|id| id.pid)) {
            let same = wanted.iter().find(|id| id.pid == measured.pid);
            // A reused pid has started at another time.
            let known = same.filter(|id| self.book.started_seconds(**id) == Some(measured.started_seconds));
            usage.extend(known.map(|id| (*id, measured.usage)));
        }
        usage
    }
}

impl Source for PortableSource {
    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn sample(&mut self, needs: &Needs, sink: &mut dyn SampleSink) -> Result<Pace, SourceError> {
        let (at, wall) = clock::now();
        let mut snapshot = sink.begin(at, wall);
        let (skipped, reason) = self.read()?;
        self.book.look_up(self.entries.iter().flat_map(|entry| &entry.pids).copied());
        let visible = Visible::look(&self.entries);
        for (entry, nth) in table::numbered(&self.entries) {
            let owner = self.book.holders(&entry.pids).map_or_else(|| visible.owner(entry), Owner::Live);
            snapshot.sockets.push(entry.socket(nth, owner));
        }
        self.book.forget_unused();
        snapshot.coverage = coverage(&snapshot.sockets, visible);
        snapshot.coverage.records_skipped = skipped;
        let left_out = reason.map(|why| DisplayText::new(&format!("netstat2 left out {skipped} entries: {why}")));
        snapshot.coverage.degraded.extend(left_out);

        snapshot.names = self.users.read(&snapshot.sockets, needs.wait_for_names);
        snapshot.coverage.degraded.extend(self.users.trouble());
        snapshot.usage = self.usage(&needs.usage);
        snapshot.descriptors = self.book.descriptors(snapshot.at);
        snapshot.took = clock::now().0.since(snapshot.at);
        sink.finish(snapshot);
        Ok(Pace::Interval)
    }
}

/// What this source never sees, and what it could not see of `sockets`.
fn coverage(sockets: &[Socket], visible: Visible) -> Coverage {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let hidden = sockets.iter().filter(|socket| socket.owner.is_hidden()).count();
    let mut degraded = vec![DisplayText::from(system::NOT_SEEN)];
    if hidden > 0 {
        degraded.extend(visible.reasons().iter().map(|reason| DisplayText::new(reason)));
    }
    Coverage {
        sockets: count(sockets.len()),
        owners_hidden: count(hidden),
        processes_unreadable: visible.unreadable,
        degraded,
        ..Coverage::default()
    }
}

fn no_room(error: &std::io::Error) -> SourceError {
    let sentence = format!("netstat2 cannot open what it reads ({error}); raise the limit with ulimit -n");
    SourceError::Failed(DisplayText::new(&sentence))
}

fn refused(error: &netstat2::error::Error) -> SourceError {
    let sentence =
        format!("netstat2 cannot read the sockets of this machine ({}); {}", described(error), system::INSTEAD);
    SourceError::Failed(DisplayText::new(&sentence))
}

/// netstat2 says only "Failed to call ffi" of a system error; what the system said is behind it.
fn described(error: &netstat2::error::Error) -> DisplayText {
    DisplayText::new(&error.source().map_or_else(|| error.to_string(), ToString::to_string))
}

#[cfg(test)]
mod tests;
