//! How the values of facts, descriptors and the like are written relative to what was known.

use crate::model::counters::{COUNTERS, Counters};
use crate::model::delta::Traffic;
use crate::model::descriptors::SocketKinds;
use crate::model::event::EventSourceStatus;
use crate::model::facts::{PortRange, ResolverOptions};
use crate::model::text::DisplayText;
use crate::source::record::bytes::Relative;
use crate::source::record::bytes::{BytesIn, BytesOut};
use crate::source::record::format::RecordingFault;

impl Relative for SocketKinds {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        out.structure(|fields| {
            fields.put(0, &self.tcp, &base.tcp);
            fields.put(1, &self.closed, &base.closed);
            fields.put(2, &self.udp, &base.udp);
            fields.put(3, &self.unix, &base.unix);
            fields.put(4, &self.other, &base.other);
            fields.put(5, &self.unknown, &base.unknown);
        });
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let mut fields = bytes.structure()?;
        Ok(Self {
            tcp: fields.take(0, &base.tcp)?,
            closed: fields.take(1, &base.closed)?,
            udp: fields.take(2, &base.udp)?,
            unix: fields.take(3, &base.unix)?,
            other: fields.take(4, &base.other)?,
            unknown: fields.take(5, &base.unknown)?,
        })
    }
}

impl Relative for Traffic {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        (self.received, self.sent).put(&(base.received, base.sent), out);
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let (received, sent) = Relative::take(&(base.received, base.sent), bytes)?;
        Ok(Self { received, sent })
    }
}

/// Those that have another value than before, by their place in the list to which new ones are added at the end.
impl Relative for Counters {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        let changed = || COUNTERS.iter().enumerate().filter(|(_, row)| (row.get)(self) != (row.get)(base));
        out.count(changed().count());
        for (place, row) in changed() {
            out.count(place);
            (row.get)(self).put(&(row.get)(base), out);
        }
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let mut counters = *base;
        for _ in 0..bytes.count((u32::MAX, "counters"))? {
            let place = bytes.index()? as usize;
            let change = bytes.signed()?;
            if let Some(row) = COUNTERS.get(place) {
                let value = (row.get_mut)(&mut counters);
                *value = value.wrapping_add(change.cast_unsigned());
            }
        }
        Ok(counters)
    }
}

impl Relative for Option<PortRange> {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        let plain = |range: &Self| range.map(|range| (range.first, range.last));
        plain(self).put(&plain(base), out);
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let base = base.map(|range| (range.first, range.last));
        Ok(<Option<(u16, u16)> as Relative>::take(&base, bytes)?.map(|(first, last)| PortRange { first, last }))
    }
}

impl Relative for ResolverOptions {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        (self.timeout_seconds, self.attempts).put(&(base.timeout_seconds, base.attempts), out);
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let (timeout_seconds, attempts) = Relative::take(&(base.timeout_seconds, base.attempts), bytes)?;
        Ok(Self { timeout_seconds, attempts })
    }
}

impl Relative for EventSourceStatus {
    fn put(&self, _base: &Self, out: &mut BytesOut) {
        match self {
            Self::Off => out.byte(0),
            Self::On => out.byte(1),
            Self::Refused(why) => {
                out.byte(2);
                why.put(why, out);
            }
        }
    }

    fn take(_base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        Ok(match bytes.byte()? {
            0 => Self::Off,
            1 => Self::On,
            2 => Self::Refused(Relative::take(&DisplayText::default(), bytes)?),
            _ => return Err(RecordingFault::Nonsense("a case is not known")),
        })
    }
}
