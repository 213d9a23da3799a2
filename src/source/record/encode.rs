//! Turns snapshots into payloads, and remembers what the file has said already: processes, holders, names.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::model::descriptors::Descriptors;
use crate::model::event::{Caller, Events};
use crate::model::facts::Facts;
use crate::model::process::{Holders, Names, Owner, Process, ProcessId};
use crate::model::snapshot::Snapshot;
use crate::model::time::Timestamp;
use crate::source::record::format::{
    DETAILS_MAX, ENDED_MAX, FRAME_BYTES_MAX, GONE_MAX, HOLDERS_MAX, LOSSES_MAX, MEMBERS_MAX, NAMES_MAX, NOTES_MAX,
    PROCESS_TEXT_BYTES_MAX, PROCESSES_MAX, RecordingFault, SOCKETS_MAX, STATE_CHANGES_MAX, SampleHead, USAGE_MAX,
};
use crate::source::record::wire::{WireCaller, WireMore, WireNewest, WireOwner, WireSocket};

/// Encodes one snapshot after the other.
#[derive(Debug, Default)]
pub struct Encoder {
    payload: Vec<u8>,
    tables: WrittenTables,
    names: Option<Arc<Names>>,
    facts: Arc<Facts>,
    descriptors: Arc<Vec<(ProcessId, Descriptors)>>,
    before: Timestamp,
}

impl Encoder {
    /// The payload of `snapshot`'s frame.
    pub fn encode(&mut self, snapshot: &Snapshot) -> Result<&[u8], RecordingFault> {
        if snapshot.at < self.before {
            return Err(RecordingFault::Nonsense("a sample is older than the one before"));
        }
        if self.tables.are_large() {
            self.start_anew();
        }
        let result = self.fill(snapshot);
        if let Err(fault) = result {
            self.start_anew();
            return Err(fault);
        }
        self.before = snapshot.at;
        Ok(&self.payload)
    }

    /// Forgets what the file has said: the next frame says everything again.
    pub fn start_anew(&mut self) {
        self.tables = WrittenTables::default();
        self.names = None;
        self.facts = Arc::default();
        self.descriptors = Arc::default();
    }

    fn fill(&mut self, snapshot: &Snapshot) -> Result<(), RecordingFault> {
        let coverage = &snapshot.coverage;
        let names = self.names.as_ref().is_none_or(|known| **known != *snapshot.names);
        let head = SampleHead {
            fresh: self.names.is_none(),
            names,
            at: snapshot.at,
            wall: snapshot.wall,
            took: snapshot.took,
            coverage: [
                coverage.sockets,
                coverage.owners_hidden,
                coverage.processes_unreadable,
                coverage.records_skipped,
                coverage.other_namespaces,
            ],
        };
        self.payload.clear();
        put(&mut self.payload, &head)?;
        put_all(&mut self.payload, coverage.degraded.iter(), (NOTES_MAX, "notes"))?;
        if names {
            put_all(&mut self.payload, snapshot.names.users.iter(), (NAMES_MAX, "users"))?;
            put_all(&mut self.payload, snapshot.names.interfaces.iter(), (NAMES_MAX, "interfaces"))?;
            put_all(&mut self.payload, snapshot.names.namespaces.iter(), (NAMES_MAX, "network namespaces"))?;
            put_all(&mut self.payload, snapshot.names.units.iter(), (NAMES_MAX, "units"))?;
            put_all(&mut self.payload, snapshot.names.reachable.iter(), (NAMES_MAX, "interfaces"))?;
        }
        self.names = Some(Arc::clone(&snapshot.names));
        let owners = self.tables.owners(snapshot)?;
        let callers = self.tables.callers(&snapshot.events)?;
        self.tables.put_new(&mut self.payload)?;
        let sockets = snapshot.sockets.iter().zip(&owners);
        let sockets = sockets.map(|(socket, owner)| {
            (WireSocket::new(socket, snapshot.at, *owner), WireMore::new(socket), WireNewest::new(socket))
        });
        put_all(&mut self.payload, sockets, (SOCKETS_MAX, "sockets"))?;
        put_all(&mut self.payload, snapshot.usage.iter(), (USAGE_MAX, "processes"))?;
        put_all(&mut self.payload, snapshot.details.iter(), (DETAILS_MAX, "details"))?;
        self.put_descriptors(snapshot)?;
        self.put_end(snapshot, &callers)?;
        if self.payload.len() > FRAME_BYTES_MAX as usize {
            return Err(RecordingFault::TooLong(u64::try_from(self.payload.len()).unwrap_or(u64::MAX)));
        }
        Ok(())
    }

    /// The descriptors of all holders, if they are others than before.
    fn put_descriptors(&mut self, snapshot: &Snapshot) -> Result<(), RecordingFault> {
        let are_others = *self.descriptors != *snapshot.descriptors;
        put(&mut self.payload, &are_others)?;
        if are_others {
            self.descriptors = Arc::clone(&snapshot.descriptors);
            put_all(&mut self.payload, snapshot.descriptors.iter(), (USAGE_MAX, "processes"))?;
        }
        Ok(())
    }

    /// What may be missing from the end of a payload: it ends with the last of these that says something.
    fn put_end(&mut self, snapshot: &Snapshot, callers: &[WireCaller]) -> Result<(), RecordingFault> {
        let mut end = self.payload.len();
        put(&mut self.payload, &snapshot.scope)?;
        put_all(&mut self.payload, snapshot.gone.iter(), (GONE_MAX, "ends"))?;
        if !(snapshot.scope.is_all() && snapshot.gone.is_empty()) {
            end = self.payload.len();
        }
        let facts = (*self.facts != *snapshot.facts).then_some(&*snapshot.facts);
        put(&mut self.payload, &facts)?;
        if facts.is_some() {
            self.facts = Arc::clone(&snapshot.facts);
            end = self.payload.len();
        }
        let events = &snapshot.events;
        if *events != Events::default() {
            put(&mut self.payload, &events.event_status)?;
            put_all(&mut self.payload, events.ended.iter(), (ENDED_MAX, "ended sockets"))?;
            put_all(&mut self.payload, events.state_changes.iter(), (STATE_CHANGES_MAX, "steps"))?;
            put_all(&mut self.payload, events.lost.iter(), (LOSSES_MAX, "losses"))?;
            put_all(&mut self.payload, callers.iter(), (STATE_CHANGES_MAX, "callers"))?;
            put(&mut self.payload, &events.errors_are_told)?;
            put_all(&mut self.payload, events.errors.iter(), (STATE_CHANGES_MAX, "errors"))?;
            end = self.payload.len();
        }
        self.payload.truncate(end);
        Ok(())
    }
}

fn put(payload: &mut Vec<u8>, item: &impl Serialize) -> Result<(), RecordingFault> {
    let room = std::mem::take(payload);
    *payload = postcard::to_extend(item, room)?;
    Ok(())
}

fn put_all<T: Serialize>(
    payload: &mut Vec<u8>,
    items: impl ExactSizeIterator<Item = T>,
    (max, what): (u32, &'static str),
) -> Result<(), RecordingFault> {
    let count = u32::try_from(items.len()).ok().filter(|count| *count <= max).ok_or(RecordingFault::TooMany(what))?;
    put(payload, &count)?;
    for item in items {
        put(payload, &item)?;
    }
    Ok(())
}

/// What the file has said of processes, and what the frame at hand has to add.
#[derive(Debug, Default)]
struct WrittenTables {
    processes: FxHashMap<ProcessId, (u32, Arc<Process>)>,
    processes_len: u32,
    text_bytes: usize,
    holders: FxHashMap<Vec<u32>, u32>,
    members_len: usize,
    new_processes: Vec<Arc<Process>>,
    new_holders: Vec<Vec<u32>>,
}

impl WrittenTables {
    /// Half full: one more frame is sure to fit.
    fn are_large(&self) -> bool {
        self.processes_len > PROCESSES_MAX / 2
            || self.text_bytes > PROCESS_TEXT_BYTES_MAX / 2
            || self.holders.len() > HOLDERS_MAX as usize / 2
            || self.members_len > MEMBERS_MAX as usize / 2
    }

    /// The owner of every socket, in the order of the sockets.
    fn owners(&mut self, snapshot: &Snapshot) -> Result<Vec<WireOwner>, RecordingFault> {
        // Thousands of sockets point to one value: each value is looked at once.
        let mut seen: FxHashMap<usize, u32> = FxHashMap::default();
        let mut index = |holders: &Arc<Holders>| -> Result<u32, RecordingFault> {
            let address = Arc::as_ptr(holders).addr();
            if let Some(index) = seen.get(&address) {
                return Ok(*index);
            }
            let index = self.holders_index(holders)?;
            seen.insert(address, index);
            Ok(index)
        };
        let owner = |owner: &Owner| {
            Ok(match owner {
                Owner::Live(holders) => WireOwner::Live(index(holders)?),
                Owner::Remembered(holders) => WireOwner::Remembered(index(holders)?),
                Owner::Unaccepted => WireOwner::Unaccepted,
                Owner::Hidden => WireOwner::Hidden,
                Owner::Unseen => WireOwner::Unseen,
                Owner::Vanished => WireOwner::Vanished,
                Owner::None => WireOwner::None,
            })
        };
        snapshot.sockets.iter().map(|socket| &socket.owner).map(owner).collect()
    }

    /// Who made the steps of the trace, in their order.
    fn callers(&mut self, events: &Events) -> Result<Vec<WireCaller>, RecordingFault> {
        let mut wire = Vec::with_capacity(events.callers.len());
        for Caller { at, key, process, netns } in &events.callers {
            // The same process, described at another moment, is no change: its start may be a millisecond apart.
            let is_known = |known: &Process| {
                let first = process.first();
                (known.id, &known.name, &known.command) == (first.id, &first.name, &first.command)
            };
            let known = self.processes.get(&process.first().id).filter(|(_, known)| is_known(known));
            let known = known.and_then(|(_, known)| Holders::new(vec![Arc::clone(known)]));
            let holders = self.holders_index(known.as_ref().unwrap_or(process))?;
            wire.push(WireCaller { at: *at, key: *key, holders, netns: *netns });
        }
        Ok(wire)
    }

    fn holders_index(&mut self, holders: &Holders) -> Result<u32, RecordingFault> {
        let members: Vec<u32> =
            holders.all().iter().map(|process| self.process_index(process)).collect::<Result<_, _>>()?;
        if let Some(index) = self.holders.get(&members) {
            return Ok(*index);
        }
        let index = u32::try_from(self.holders.len()).ok().filter(|index| *index < HOLDERS_MAX);
        let index = index.ok_or(RecordingFault::TooMany("holders"))?;
        self.members_len += members.len();
        self.new_holders.push(members.clone());
        self.holders.insert(members, index);
        Ok(index)
    }

    fn process_index(&mut self, process: &Arc<Process>) -> Result<u32, RecordingFault> {
        if let Some((index, known)) = self.processes.get(&process.id)
            && (Arc::ptr_eq(known, process) || known == process)
        {
            return Ok(*index);
        }
        let index = self.processes_len;
        if index >= PROCESSES_MAX {
            return Err(RecordingFault::TooMany("processes"));
        }
        self.processes_len += 1;
        self.text_bytes += process.name.as_str().len() + process.command.as_str().len();
        // After execve(2) the identity is the same and the rest is not: the newer row counts from here on.
        self.processes.insert(process.id, (index, Arc::clone(process)));
        self.new_processes.push(Arc::clone(process));
        Ok(index)
    }

    fn put_new(&mut self, payload: &mut Vec<u8>) -> Result<(), RecordingFault> {
        put_all(payload, self.new_processes.iter(), (PROCESSES_MAX, "processes"))?;
        put_all(payload, self.new_holders.iter(), (HOLDERS_MAX, "holders"))?;
        self.new_processes.clear();
        self.new_holders.clear();
        Ok(())
    }
}
