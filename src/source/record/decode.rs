//! Turns the content of frames into deltas. Total over untrusted bytes: every count is checked before memory is taken, every
//! number of a row, a process or a case before it is followed, and text is sanitised as it comes in.

use std::collections::HashMap;
use std::hash::RandomState;
use std::time::Duration;

use crate::model::delta::{Delta, Removed};
use crate::model::socket::SocketId;
use crate::model::time::{Timestamp, WallTime};
use crate::source::record::bytes::BytesIn;
use crate::source::record::bytes::Relative;
use crate::source::record::context::SaidBefore;
use crate::source::record::format::{LOSSES_MAX, RecordingFault, SOCKETS_MAX, TRANSITIONS_MAX, section};
use crate::source::record::holders::ReadHolders;
use crate::source::record::row::{self, OwnedRow};
use crate::source::record::rows::RowTable;
use crate::source::record::transition::{self, StateBefore, TransitionBase};

/// Decodes one frame after the other, from a key frame on.
#[derive(Debug, Default)]
pub struct DeltaDecoder {
    rows: RowTable<RandomState>,
    holders: ReadHolders,
    context: SaidBefore,
    at: Timestamp,
    /// A frame was decoded.
    has_begun: bool,
    /// What the rows were that the frame at hand adds or changes, by slot.
    before_sample: HashMap<u32, StateBefore>,
}

impl DeltaDecoder {
    /// When the sample was begun that was decoded last, and whether there was one.
    pub fn last(&self) -> Option<Timestamp> {
        self.has_begun.then_some(self.at)
    }

    /// What the sample of `content` changes, which was begun `at`: of a key frame if `is_key`. After a fault the decoder is of no
    /// use.
    ///
    /// The first frame, a key frame, adds every row. A later key frame tells what is new, others and gone beside the rows before it.
    pub fn decode(
        &mut self,
        content: &[u8],
        (at, wall): (Timestamp, WallTime),
        is_key: bool,
    ) -> Result<Delta, RecordingFault> {
        if !is_key && !self.has_begun {
            return Err(RecordingFault::Nonsense("a group begins without its rows"));
        }
        if self.has_begun && at < self.at {
            return Err(RecordingFault::Nonsense("it is older than the one before"));
        }
        let over = at.since(self.at);
        let mut delta = Delta { at, wall, ..Delta::default() };
        let earlier = if is_key { Some(self.begin_group()) } else { None };
        let mut removed = Vec::new();
        self.before_sample.clear();
        let mut bytes = BytesIn::new(content, at);
        while let Some((kind, mut section)) = bytes.section()? {
            match kind {
                section::PROCESSES => self.holders.take_processes(&mut section)?,
                section::HOLDERS => self.holders.take_holders(&mut section)?,
                section::ROWS => self.take_rows(&mut section, over, &mut delta, is_key)?,
                section::CHANGED if !is_key => self.take_changed(&mut section, over, &mut delta)?,
                section::REMOVED if !is_key => self.take_removed(&mut section, &mut delta, &mut removed)?,
                section::REMOVED_IDS if is_key => take_removed_ids(&mut section, &mut delta)?,
                section::UNLISTED => self.take_unlisted(&mut section, &mut delta)?,
                section::TRANSITIONS => self.take_transitions(&mut section, &mut delta)?,
                section::GAPS => take_gaps(&mut section, &mut delta)?,
                kind => self.context.take(kind, &mut section)?,
            }
        }
        for slot in removed {
            self.rows.remove(slot);
        }
        self.context.fill(&mut delta);
        match earlier {
            Some(earlier) if self.has_begun => self.compare(&earlier, &mut delta),
            Some(_) => delta.removed.clear(),
            None => {}
        }
        (self.at, self.has_begun) = (at, true);
        Ok(delta)
    }

    fn begin_group(&mut self) -> RowTable<RandomState> {
        self.holders.start_anew();
        self.context = SaidBefore::default();
        std::mem::take(&mut self.rows)
    }

    fn take_rows(
        &mut self,
        bytes: &mut BytesIn<'_>,
        over: Duration,
        delta: &mut Delta,
        is_key: bool,
    ) -> Result<(), RecordingFault> {
        let mut before = row::blank(bytes.at);
        while !bytes.is_empty() {
            let row = row::take(&before, over, bytes, |code| self.holders.owner(code))?;
            if self.rows.slot(row.row.socket.id).is_some() {
                return Err(RecordingFault::Nonsense("a socket stands twice"));
            }
            if self.rows.len() >= SOCKETS_MAX as usize {
                return Err(RecordingFault::TooMany("sockets"));
            }
            delta.added.push(row.row.clone());
            before = row.clone();
            let slot = self.rows.add(row);
            if !is_key {
                self.before_sample.insert(slot, StateBefore::NEW);
            }
        }
        Ok(())
    }

    fn take_changed(
        &mut self,
        bytes: &mut BytesIn<'_>,
        over: Duration,
        delta: &mut Delta,
    ) -> Result<(), RecordingFault> {
        let mut slot = 0;
        while !bytes.is_empty() {
            slot = u32::take(&slot, bytes)?;
            let base = self.rows.get(slot).ok_or(NO_ROW)?;
            let row = row::take(base, over, bytes, |code| self.holders.owner(code))?;
            let is_first = self.before_sample.insert(slot, StateBefore::of(base)).is_none();
            if row.row.socket.id != base.row.socket.id || !is_first {
                return Err(RecordingFault::Nonsense("a socket stands twice"));
            }
            delta.changed.push(row.row.clone());
            self.rows.replace(slot, row);
        }
        Ok(())
    }

    fn take_removed(
        &self,
        bytes: &mut BytesIn<'_>,
        delta: &mut Delta,
        slots: &mut Vec<u32>,
    ) -> Result<(), RecordingFault> {
        let mut slot = 0;
        while !bytes.is_empty() {
            slot = u32::take(&slot, bytes)?;
            let id = self.rows.get(slot).ok_or(NO_ROW)?.row.socket.id;
            let at = bytes.structure()?.take(0, &delta.at)?;
            delta.removed.push(Removed { id, at });
            slots.push(slot);
        }
        let mut sorted = slots.clone();
        sorted.sort_unstable();
        let is_twice = sorted.windows(2).any(|pair| pair[0] == pair[1]);
        if is_twice { Err(RecordingFault::Nonsense("a socket is removed twice")) } else { Ok(()) }
    }

    fn take_unlisted(&self, bytes: &mut BytesIn<'_>, delta: &mut Delta) -> Result<(), RecordingFault> {
        let mut slot = 0;
        while !bytes.is_empty() {
            slot = u32::take(&slot, bytes)?;
            delta.unlisted.push(self.rows.get(slot).ok_or(NO_ROW)?.row.socket.id);
            if delta.unlisted.len() > SOCKETS_MAX as usize {
                return Err(RecordingFault::TooMany("sockets"));
            }
        }
        Ok(())
    }

    fn take_transitions(&self, bytes: &mut BytesIn<'_>, delta: &mut Delta) -> Result<(), RecordingFault> {
        let mut before = transition::blank(delta.at);
        while !bytes.is_empty() {
            let base = |slot: Option<u32>| match slot {
                Some(slot) => {
                    let row = self.rows.get(slot).ok_or(NO_ROW)?;
                    Ok(TransitionBase::of_row(row, self.before_sample.get(&slot).copied(), delta.at))
                }
                None => Ok(before.clone()),
            };
            let (transition, owner) = transition::take(bytes, base, |code| self.holders.owner(code))?;
            before = TransitionBase::of(&transition, owner, delta.at);
            delta.transitions.push(transition);
            if delta.transitions.len() > TRANSITIONS_MAX as usize {
                return Err(RecordingFault::TooMany("transitions"));
            }
        }
        Ok(())
    }

    /// What the rows of a key frame, all of which `delta` has as added, change beside the rows before it.
    fn compare(&mut self, earlier: &RowTable<RandomState>, delta: &mut Delta) {
        let told = std::mem::take(&mut delta.removed);
        delta.added.clear();
        for slot in 0..self.rows.len() {
            let slot = u32::try_from(slot).unwrap_or(u32::MAX);
            let Some(new) = self.rows.get_mut(slot) else { continue };
            let before = earlier.slot(new.row.socket.id).and_then(|slot| earlier.get(slot));
            match before {
                None => delta.added.push(new.row.clone()),
                // One value for both: the store has it already.
                Some(before) if before.row == new.row => new.row.clone_from(&before.row),
                Some(_) => delta.changed.push(new.row.clone()),
            }
        }
        let gone = earlier.all().map(|row: &OwnedRow| row.row.socket.id);
        let gone = gone.filter(|id| self.rows.slot(*id).is_none());
        let at = delta.at;
        let mut told: Vec<(SocketId, Timestamp)> = told.into_iter().map(|removed| (removed.id, removed.at)).collect();
        told.sort_unstable();
        let removed_at = |id| match told.binary_search_by_key(&id, |(its, _)| *its) {
            Ok(place) => told[place].1,
            Err(_) => at,
        };
        delta.removed.extend(gone.map(|id| Removed { id, at: removed_at(id) }));
    }
}

const NO_ROW: RecordingFault = RecordingFault::Nonsense("a socket is not there");

fn take_removed_ids(bytes: &mut BytesIn<'_>, delta: &mut Delta) -> Result<(), RecordingFault> {
    let mut before = SocketId::default();
    while !bytes.is_empty() {
        let mut fields = bytes.structure()?;
        before = fields.take(0, &before)?;
        delta.removed.push(Removed { id: before, at: fields.take(1, &delta.at)? });
        if delta.removed.len() > SOCKETS_MAX as usize {
            return Err(RecordingFault::TooMany("sockets"));
        }
    }
    Ok(())
}

fn take_gaps(bytes: &mut BytesIn<'_>, delta: &mut Delta) -> Result<(), RecordingFault> {
    while !bytes.is_empty() {
        delta.gaps.push(transition::take_gap(bytes)?);
        if delta.gaps.len() > LOSSES_MAX as usize {
            return Err(RecordingFault::TooMany("gaps"));
        }
    }
    Ok(())
}
