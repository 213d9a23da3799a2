//! Processes and sets of them: each stands once in a group, and rows name them by number. Both tables grow from sample to sample,
//! and start anew with each key frame.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::process::{Holders, Owner, Process, ProcessId, Thread};
use crate::source::record::bytes::{BytesIn, BytesOut};
use crate::source::record::format::{HOLDERS_MAX, MEMBERS_MAX, PROCESS_TEXT_BYTES_MAX, PROCESSES_MAX, RecordingFault};

/// The numbers of owners without a process; then come two for each set of holders: of a live owner and of a remembered one.
const NO_PROCESS: [Owner; 5] = [Owner::None, Owner::Unaccepted, Owner::Hidden, Owner::Unseen, Owner::Vanished];

/// What a group has said of processes, and what the sample at hand has to add.
#[derive(Debug, Default)]
pub struct WrittenHolders {
    processes: FxHashMap<ProcessId, (u32, Arc<Process>)>,
    processes_len: u32,
    text_bytes: usize,
    holders: FxHashMap<Vec<u32>, u32>,
    /// The same by the address of the value, which is kept so that no other one gets this address.
    addresses: FxHashMap<usize, (u32, Arc<Holders>)>,
    members_len: usize,
    new_processes: Vec<Arc<Process>>,
    new_holders: Vec<Vec<u32>>,
}

impl WrittenHolders {
    /// Half full: one more sample is sure to fit.
    pub fn are_large(&self) -> bool {
        self.processes_len > PROCESSES_MAX / 2
            || self.text_bytes > PROCESS_TEXT_BYTES_MAX / 2
            || self.holders.len() > HOLDERS_MAX as usize / 2
            || self.addresses.len() > HOLDERS_MAX as usize / 2
            || self.members_len > MEMBERS_MAX as usize / 2
    }

    /// The number that stands for `owner` in this group.
    pub fn code(&mut self, owner: &Owner) -> Result<u64, RecordingFault> {
        let (holders, is_remembered) = match owner {
            Owner::Live(holders) => (holders, 0),
            Owner::Remembered(holders) => (holders, 1),
            _ => return Ok(NO_PROCESS.iter().position(|case| case == owner).unwrap_or_default() as u64),
        };
        Ok(NO_PROCESS.len() as u64 + 2 * u64::from(self.index(holders)?) + is_remembered)
    }

    fn index(&mut self, holders: &Arc<Holders>) -> Result<u32, RecordingFault> {
        let address = Arc::as_ptr(holders).addr();
        if let Some((index, _)) = self.addresses.get(&address) {
            return Ok(*index);
        }
        let index = self.holders_index(holders)?;
        self.addresses.insert(address, (index, Arc::clone(holders)));
        Ok(index)
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

    /// Writes the processes that are new, each relative to the one before.
    pub fn put_processes(&mut self, out: &mut BytesOut) {
        let mut before = blank();
        for process in std::mem::take(&mut self.new_processes) {
            put_process(&process, &before, out);
            before = process;
        }
    }

    /// Writes the sets of holders that are new.
    pub fn put_holders(&mut self, out: &mut BytesOut) {
        for members in self.new_holders.drain(..) {
            out.structure(|fields| {
                fields.always(0, |out| {
                    out.count(members.len());
                    for index in &members {
                        out.number((*index).into());
                    }
                });
            });
        }
    }
}

fn blank() -> Arc<Process> {
    let id = ProcessId { pid: 0, start_ticks: 0 };
    let (name, command) = <_>::default();
    let (is_container_init, thread) = (false, None);
    Arc::new(Process { id, parent_pid: 0, name, command, uid: None, started: None, is_container_init, thread })
}

fn put_process(process: &Process, base: &Process, out: &mut BytesOut) {
    out.structure(|fields| {
        fields.put(0, &process.id, &base.id);
        fields.put(1, &process.parent_pid, &base.parent_pid);
        fields.put(2, &process.name, &base.name);
        fields.put(3, &process.command, &base.command);
        fields.put(4, &process.uid, &base.uid);
        fields.put(5, &process.started, &base.started);
        fields.put(6, &process.is_container_init, &base.is_container_init);
        let thread = |process: &Process| process.thread.as_ref().map(|thread| (thread.tid, thread.name.clone()));
        fields.put(7, &thread(process), &thread(base));
    });
}

fn take_process(base: &Process, bytes: &mut BytesIn<'_>) -> Result<Process, RecordingFault> {
    let mut fields = bytes.structure()?;
    let thread = base.thread.as_ref().map(|thread| (thread.tid, thread.name.clone()));
    Ok(Process {
        id: fields.take(0, &base.id)?,
        parent_pid: fields.take(1, &base.parent_pid)?,
        name: crate::model::text::DisplayText::name(fields.take(2, &base.name)?.as_str().as_bytes()),
        command: fields.take(3, &base.command)?,
        uid: fields.take(4, &base.uid)?,
        started: fields.take(5, &base.started)?,
        is_container_init: fields.take(6, &base.is_container_init)?,
        thread: fields.take(7, &thread)?.map(|(tid, name)| Thread { tid, name }),
    })
}

/// What a group has said of processes, as far as it was read.
#[derive(Debug, Default)]
pub struct ReadHolders {
    processes: Vec<Arc<Process>>,
    text_bytes: usize,
    holders: Vec<Arc<Holders>>,
    members_len: usize,
    /// Those of the group before, so that one value stands for a process over all groups.
    earlier_processes: HashMap<ProcessId, Arc<Process>>,
    earlier_holders: HashMap<Vec<ProcessId>, Arc<Holders>>,
}

impl ReadHolders {
    /// A new group begins.
    pub fn start_anew(&mut self) {
        let earlier = std::mem::take(self);
        self.earlier_processes = earlier.processes.into_iter().map(|process| (process.id, process)).collect();
        self.earlier_holders = earlier.holders.into_iter().map(|holders| (ids(&holders), holders)).collect();
    }

    /// Reads the processes that are new.
    pub fn take_processes(&mut self, bytes: &mut BytesIn<'_>) -> Result<(), RecordingFault> {
        let mut before = blank();
        while !bytes.is_empty() {
            let process = take_process(&before, bytes)?;
            self.text_bytes += process.name.as_str().len() + process.command.as_str().len();
            if self.processes.len() >= PROCESSES_MAX as usize || self.text_bytes > PROCESS_TEXT_BYTES_MAX {
                return Err(RecordingFault::TooMany("processes"));
            }
            let earlier = self.earlier_processes.get(&process.id).filter(|earlier| ***earlier == process);
            before = earlier.map_or_else(|| Arc::new(process), Arc::clone);
            self.processes.push(Arc::clone(&before));
        }
        Ok(())
    }

    /// Reads the sets of holders that are new.
    pub fn take_holders(&mut self, bytes: &mut BytesIn<'_>) -> Result<(), RecordingFault> {
        while !bytes.is_empty() {
            let mut fields = bytes.structure()?;
            let bytes = fields.bytes();
            let count = bytes.count((MEMBERS_MAX, "holders"))?;
            let mut members = Vec::with_capacity(count.min(16));
            for _ in 0..count {
                let process = self.processes.get(bytes.index()? as usize);
                members.push(Arc::clone(process.ok_or(RecordingFault::Nonsense("a process is not there"))?));
            }
            self.members_len += count;
            if self.holders.len() >= HOLDERS_MAX as usize || self.members_len > MEMBERS_MAX as usize {
                return Err(RecordingFault::TooMany("holders"));
            }
            let holders = Holders::new(members).ok_or(RecordingFault::Nonsense("a socket is held by nobody"))?;
            let earlier = self.earlier_holders.get(&ids(&holders)).filter(|earlier| ***earlier == holders);
            self.holders.push(earlier.map_or_else(|| Arc::new(holders), Arc::clone));
        }
        Ok(())
    }

    /// The owner that `code` stands for.
    pub fn owner(&self, code: u64) -> Result<Owner, RecordingFault> {
        let without = NO_PROCESS.len() as u64;
        let Some(code) = code.checked_sub(without) else {
            let case = usize::try_from(code).ok().and_then(|code| NO_PROCESS.into_iter().nth(code));
            return Ok(case.unwrap_or_default());
        };
        let holders = usize::try_from(code / 2).ok().and_then(|index| self.holders.get(index));
        let holders = Arc::clone(holders.ok_or(RecordingFault::Nonsense("a holder is not there"))?);
        Ok(if code % 2 == 0 { Owner::Live(holders) } else { Owner::Remembered(holders) })
    }
}

fn ids(holders: &Holders) -> Vec<ProcessId> {
    holders.all().iter().map(|process| process.id).collect()
}
