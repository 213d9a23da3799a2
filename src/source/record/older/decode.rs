//! Turns payloads into snapshots. Total over untrusted bytes: every length is checked before memory is taken, every
//! index before it is followed, and text is sanitised as it comes in.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::model::descriptors::Descriptors;
use crate::model::event::{Caller, Events};
use crate::model::facts::Facts;
use crate::model::process::{Holders, Names, OWN_NAMESPACE, Owner, Process, ProcessId, Usage};
use crate::model::snapshot::Snapshot;
use crate::model::socket::{NetnsId, SocketId};
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::source::record::format::{
    DETAILS_MAX, ENDED_MAX, GONE_MAX, HOLDERS_MAX, LOSSES_MAX, MEMBERS_MAX, NAMES_MAX, NOTES_MAX,
    PROCESS_TEXT_BYTES_MAX, PROCESSES_MAX, RecordingFault, SOCKETS_MAX, STATE_CHANGES_MAX, SampleHead, USAGE_MAX,
};
use crate::source::record::older::wire::{WireCaller, WireMore, WireNewest, WireOwner, WireSocket};
use crate::source::record::older::{Ended4, Facts4};

/// Decodes one payload after the other, in the order in which they were written.
#[derive(Debug, Default)]
pub struct SampleDecoder {
    version: u16,
    processes: Vec<Arc<Process>>,
    text_bytes: usize,
    holders: Vec<Arc<Holders>>,
    members_len: usize,
    names: Arc<Names>,
    facts: Arc<Facts>,
    descriptors: Arc<Vec<(ProcessId, Descriptors)>>,
    before: Timestamp,
    ids: Vec<SocketId>,
}

impl SampleDecoder {
    /// A decoder of what was written in `version` of the format.
    pub fn of(version: u16) -> Self {
        Self { version, ..Self::default() }
    }

    /// Fills `snapshot` from `payload`. After a fault the snapshot and the decoder are of no use.
    pub fn decode(&mut self, payload: &[u8], snapshot: &mut Snapshot) -> Result<(), RecordingFault> {
        snapshot.clear();
        let mut rest = payload;
        let head: SampleHead = take(&mut rest)?;
        self.take_head(&head, &mut rest, snapshot)?;
        self.take_processes(&mut rest)?;
        self.take_holders(&mut rest)?;
        self.take_sockets(&mut rest, snapshot)?;
        self.take_usage(&mut rest, snapshot)?;
        take_all(&mut rest, (DETAILS_MAX, "details"), |entry| {
            snapshot.details.push(entry);
            Ok(())
        })?;
        self.take_descriptors(&mut rest, snapshot)?;
        self.take_end(&mut rest, snapshot)?;
        if rest.is_empty() { Ok(()) } else { Err(RecordingFault::Nonsense("something is left over")) }
    }

    fn take_usage(&self, rest: &mut &[u8], snapshot: &mut Snapshot) -> Result<(), RecordingFault> {
        let mut older = Vec::new();
        for _ in 0..take_count(rest, (USAGE_MAX, "processes"))? {
            let (process, usage): (ProcessId, Usage) = take(rest)?;
            if usage.cpu.is_some_and(|share| !share.is_finite()) {
                return Err(RecordingFault::Nonsense("a share of a core is no number"));
            }
            snapshot.usage.push((process, usage));
            if self.version < 5 {
                let (used, max): (Option<u32>, Option<u64>) = (take(rest)?, take(rest)?);
                older.extend(used.map(|used| (process, Descriptors { used, max, ..Descriptors::default() })));
            }
        }
        older.sort_unstable_by_key(|(process, _)| *process);
        snapshot.descriptors = Arc::new(older);
        Ok(())
    }

    /// Those of version 5, or those of before where they have not changed.
    fn take_descriptors(&mut self, rest: &mut &[u8], snapshot: &mut Snapshot) -> Result<(), RecordingFault> {
        if self.version < 5 {
            return Ok(());
        }
        if take(rest)? {
            let mut descriptors: Vec<(ProcessId, Descriptors)> = Vec::new();
            take_into(rest, (USAGE_MAX, "processes"), &mut descriptors)?;
            if !descriptors.is_sorted_by_key(|(process, _)| *process) {
                return Err(RecordingFault::Nonsense("processes are out of order"));
            }
            self.descriptors = Arc::new(descriptors);
        }
        snapshot.descriptors = Arc::clone(&self.descriptors);
        Ok(())
    }

    fn take_head(
        &mut self,
        head: &SampleHead,
        rest: &mut &[u8],
        snapshot: &mut Snapshot,
    ) -> Result<(), RecordingFault> {
        if head.at < self.before {
            return Err(RecordingFault::Nonsense("it is older than the one before"));
        }
        if head.fresh {
            *self = Self { ids: std::mem::take(&mut self.ids), ..Self::of(self.version) };
        }
        self.before = head.at;
        (snapshot.at, snapshot.wall, snapshot.took) = (head.at, head.wall, head.took);
        let coverage = &mut snapshot.coverage;
        [
            coverage.sockets,
            coverage.owners_hidden,
            coverage.processes_unreadable,
            coverage.records_skipped,
            coverage.other_namespaces,
        ] = head.coverage;
        take_all(rest, (NOTES_MAX, "notes"), |note: DisplayText| {
            coverage.degraded.push(note);
            Ok(())
        })?;
        if head.names {
            self.names = Arc::new(take_names(self.version, rest)?);
        }
        snapshot.names = Arc::clone(&self.names);
        Ok(())
    }

    fn take_processes(&mut self, rest: &mut &[u8]) -> Result<(), RecordingFault> {
        take_all(rest, (PROCESSES_MAX, "processes"), |process: Process| {
            self.text_bytes += process.name.as_str().len() + process.command.as_str().len();
            if self.processes.len() >= PROCESSES_MAX as usize || self.text_bytes > PROCESS_TEXT_BYTES_MAX {
                return Err(RecordingFault::TooMany("processes"));
            }
            self.processes.push(Arc::new(process));
            Ok(())
        })
    }

    fn take_holders(&mut self, rest: &mut &[u8]) -> Result<(), RecordingFault> {
        let count = take_count(rest, (HOLDERS_MAX, "holders"))?;
        for _ in 0..count {
            let mut members = Vec::new();
            take_all(rest, (MEMBERS_MAX, "holders"), |index: u32| {
                let process =
                    self.processes.get(index as usize).ok_or(RecordingFault::Nonsense("a process is not there"))?;
                members.push(Arc::clone(process));
                Ok(())
            })?;
            self.members_len += members.len();
            if self.holders.len() >= HOLDERS_MAX as usize || self.members_len > MEMBERS_MAX as usize {
                return Err(RecordingFault::TooMany("holders"));
            }
            let holders = Holders::new(members).ok_or(RecordingFault::Nonsense("a socket is held by nobody"))?;
            self.holders.push(Arc::new(holders));
        }
        Ok(())
    }

    fn take_sockets(&mut self, rest: &mut &[u8], snapshot: &mut Snapshot) -> Result<(), RecordingFault> {
        self.ids.clear();
        for _ in 0..take_count(rest, (SOCKETS_MAX, "sockets"))? {
            let socket: WireSocket = take(rest)?;
            let more = if self.version < 4 { WireMore::default() } else { take(rest)? };
            let newest = if self.version < 5 { WireNewest::default() } else { take(rest)? };
            self.ids.push(socket.id);
            let owner = owner(&self.holders, socket.owner)?;
            snapshot.sockets.push(socket.into_socket(&more, &newest, snapshot.at, owner));
        }
        // Sorted rather than hashed: a file can be made so that all its ids fall into one bucket.
        self.ids.sort_unstable();
        let twice = self.ids.windows(2).any(|pair| pair[0] == pair[1]);
        if twice { Err(RecordingFault::Nonsense("a socket stands twice")) } else { Ok(()) }
    }

    /// What a payload may end before, as those of older versions do: then it is a full sample, and facts are as before.
    fn take_end(&mut self, rest: &mut &[u8], snapshot: &mut Snapshot) -> Result<(), RecordingFault> {
        if !rest.is_empty() {
            snapshot.scope = take(rest)?;
            take_all(rest, (GONE_MAX, "ends"), |id| {
                snapshot.gone.push(id);
                Ok(())
            })?;
        }
        if !rest.is_empty()
            && let Some(facts) = self.take_facts(rest)?
        {
            if !facts.make_sense() {
                return Err(RecordingFault::Nonsense("a range of ports ends before it begins"));
            }
            self.facts = Arc::new(facts);
        }
        snapshot.facts = Arc::clone(&self.facts);
        if !rest.is_empty() {
            self.take_events(rest, &mut snapshot.events)?;
        }
        if self.version >= 4 && !rest.is_empty() {
            take_all(rest, (STATE_CHANGES_MAX, "callers"), |WireCaller { at, key, holders, netns }| {
                let holders =
                    self.holders.get(holders as usize).ok_or(RecordingFault::Nonsense("a holder is not there"))?;
                snapshot.events.callers.push(Caller { at, key, process: Arc::clone(holders), netns });
                Ok(())
            })?;
        }
        if self.version >= 5 && !rest.is_empty() {
            snapshot.events.errors_are_told = take(rest)?;
            take_into(rest, (STATE_CHANGES_MAX, "errors"), &mut snapshot.events.errors)?;
        }
        Ok(())
    }
}

impl SampleDecoder {
    fn take_facts(&self, rest: &mut &[u8]) -> Result<Option<Facts>, RecordingFault> {
        if self.version >= 5 { take(rest) } else { Ok(take::<Option<Facts4>>(rest)?.map(Facts::from)) }
    }

    fn take_events(&self, rest: &mut &[u8], events: &mut Events) -> Result<(), RecordingFault> {
        const LIMIT: (u32, &str) = (ENDED_MAX, "ended sockets");
        events.event_status = take(rest)?;
        if self.version >= 5 {
            take_into(rest, LIMIT, &mut events.ended)?;
        } else {
            take_all(rest, LIMIT, |ended: Ended4| {
                events.ended.push(ended.into());
                Ok(())
            })?;
        }
        take_into(rest, (STATE_CHANGES_MAX, "steps"), &mut events.state_changes)?;
        take_into(rest, (LOSSES_MAX, "losses"), &mut events.lost)
    }
}

fn owner(table: &[Arc<Holders>], owner: WireOwner) -> Result<Owner, RecordingFault> {
    let holders =
        |index: u32| table.get(index as usize).cloned().ok_or(RecordingFault::Nonsense("a holder is not there"));
    Ok(match owner {
        WireOwner::Live(index) => Owner::Live(holders(index)?),
        WireOwner::Remembered(index) => Owner::Remembered(holders(index)?),
        WireOwner::Unaccepted => Owner::Unaccepted,
        WireOwner::Hidden => Owner::Hidden,
        WireOwner::Unseen => Owner::Unseen,
        WireOwner::Vanished => Owner::Vanished,
        WireOwner::None => Owner::None,
    })
}

fn take_names(version: u16, rest: &mut &[u8]) -> Result<Names, RecordingFault> {
    let (users, interfaces) = (take_table(rest, "users")?, take_table(rest, "interfaces")?);
    let namespaces: BTreeMap<NetnsId, DisplayText> = take_table(rest, "network namespaces")?;
    // A recording has no other word on it; nothing but our own is given this name.
    let own = namespaces.iter().find(|(_, name)| name.as_str() == OWN_NAMESPACE).map(|(netns, _)| *netns);
    let units = take_table(rest, "units")?;
    let reachable = if version < 5 { BTreeMap::new() } else { take_table(rest, "interfaces")? };
    Ok(Names { users, interfaces, namespaces, own, reachable, units, ..Names::default() })
}

fn take_table<'a, K: Deserialize<'a> + Ord, V: Deserialize<'a>>(
    rest: &mut &'a [u8],
    what: &'static str,
) -> Result<BTreeMap<K, V>, RecordingFault> {
    let mut table = BTreeMap::new();
    take_all(rest, (NAMES_MAX, what), |(key, name)| {
        table.insert(key, name);
        Ok(())
    })?;
    Ok(table)
}

/// The next item of `rest`.
fn take<'a, T: Deserialize<'a>>(rest: &mut &'a [u8]) -> Result<T, RecordingFault> {
    let (item, left) = postcard::take_from_bytes(rest)?;
    *rest = left;
    Ok(item)
}

fn take_count(rest: &mut &[u8], (max, what): (u32, &'static str)) -> Result<u32, RecordingFault> {
    let count = take(rest)?;
    if count > max { Err(RecordingFault::TooMany(what)) } else { Ok(count) }
}

/// Hands every item of the next section to `keep`. No item is empty, so the payload's length bounds the work.
fn take_all<'a, T: Deserialize<'a>>(
    rest: &mut &'a [u8],
    limit: (u32, &'static str),
    mut keep: impl FnMut(T) -> Result<(), RecordingFault>,
) -> Result<(), RecordingFault> {
    for _ in 0..take_count(rest, limit)? {
        keep(take(rest)?)?;
    }
    Ok(())
}

fn take_into<'a, T: Deserialize<'a>>(
    rest: &mut &'a [u8],
    limit: (u32, &'static str),
    items: &mut Vec<T>,
) -> Result<(), RecordingFault> {
    take_all(rest, limit, |item| {
        items.push(item);
        Ok(())
    })
}
