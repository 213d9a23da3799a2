//! How the values of a recording are written: relative to a base that the reader has, too. Times are written relative to the
//! moment of the sample instead, so that a reader can put a recording at another place on its timeline.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::exposure::AddressKinds;
use crate::model::netns::NetnsId;
use crate::model::process::ProcessId;
use crate::model::socket::SocketId;
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::model::time::{CompactTimestamp, Timestamp, WallTime};
use crate::source::record::bytes::{BytesIn, BytesOut, Relative};
use crate::source::record::format::{NAMES_MAX, NOTES_MAX, RecordingFault};

const TOO_LARGE: RecordingFault = RecordingFault::Nonsense("a number is too large");

/// Numbers as their distance from the base; it wraps around.
impl Relative for u64 {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        out.signed(self.wrapping_sub(*base).cast_signed());
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        Ok(base.wrapping_add(bytes.signed()?.cast_unsigned()))
    }
}

macro_rules! small_numbers {
    ($($number:ty),*) => {$(
        impl Relative for $number {
            fn put(&self, base: &Self, out: &mut BytesOut) {
                u64::from(*self).put(&u64::from(*base), out);
            }

            fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
                u64::take(&u64::from(*base), bytes)?.try_into().map_err(|_| TOO_LARGE)
            }
        }
    )*};
}
small_numbers!(u8, u16, u32);

macro_rules! as_another {
    ($($type:ty: |$value:ident| $to:expr, |$number:ident| $from:expr;)*) => {$(
        impl Relative for $type {
            fn put(&self, base: &Self, out: &mut BytesOut) {
                let to = |$value: &Self| $to;
                to(self).put(&to(base), out);
            }

            fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
                let to = |$value: &Self| $to;
                let $number = Relative::take(&to(base), bytes)?;
                $from
            }
        }
    )*};
}
as_another! {
    NetnsId: |value| value.0, |number| Ok(Self(number));
    WallTime: |value| value.0.cast_unsigned(), |number| Ok(Self(u64::cast_signed(number)));
    AddressKinds: |value| value.bits(), |number| Ok(Self::from_bits(number));
    ProcessId: |value| (value.pid, value.start_ticks), |parts| Ok(Self { pid: parts.0, start_ticks: parts.1 });
    Duration: |value| u64::try_from(value.as_nanos()).unwrap_or(u64::MAX), |number| Ok(Self::from_nanos(number));
    SocketId: |value| (value.number(), value.netns()), |parts| Ok(Self::from_number(parts.0, parts.1));
    Endpoint: |value| (value.addr, value.port), |parts| Ok(Self::new(parts.0, parts.1));
}

/// As the distance from the sample: in nanoseconds and, in the lowest bit, 1; or in milliseconds from the millisecond of the sample and
/// 0, as most clocks of the kernel tell whole ones.
impl Relative for Timestamp {
    fn put(&self, _base: &Self, out: &mut BytesOut) {
        // 146 years are enough.
        let nanos = self.0.wrapping_sub(out.at.0).cast_signed().clamp(i64::MIN / 2, i64::MAX / 2);
        if self.0.is_multiple_of(MILLI) && nanos != 0 {
            let millis = self.as_millis().wrapping_sub(out.at.as_millis()).cast_signed();
            out.signed(millis << 1);
        } else {
            out.signed(nanos << 1 | 1);
        }
    }

    fn take(_base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let (at, number) = (bytes.at, bytes.signed()?);
        let distance = number >> 1;
        // What lies before the begin of the timeline is at its begin.
        Ok(match number & 1 {
            0 => Self::from_millis(at.as_millis().saturating_add_signed(distance)),
            _ => Self(at.0.saturating_add_signed(distance)),
        })
    }
}

/// Nanoseconds of a millisecond.
const MILLI: u64 = 1_000_000;

/// As the distance from the sample in milliseconds, and one; 0 is never.
impl Relative for CompactTimestamp {
    fn put(&self, _base: &Self, out: &mut BytesOut) {
        let distance = self.timestamp().as_millis().wrapping_sub(out.at.as_millis()).cast_signed();
        let is_never = *self == Self::default();
        out.number(if is_never { 0 } else { (distance << 1 ^ distance >> 63).cast_unsigned() + 1 });
    }

    fn take(_base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let Some(number) = bytes.number()?.checked_sub(1) else { return Ok(Self::default()) };
        let distance = (number >> 1).cast_signed() ^ -((number & 1).cast_signed());
        Ok(Timestamp::from_millis(bytes.at.as_millis().saturating_add_signed(distance)).into())
    }
}

impl Relative for bool {
    fn put(&self, _base: &Self, out: &mut BytesOut) {
        out.byte(u8::from(*self));
    }

    fn take(_base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        match bytes.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(RecordingFault::Nonsense("a yes or no is neither")),
        }
    }
}

/// By its bits, of a finite number.
impl Relative for f32 {
    fn put(&self, _base: &Self, out: &mut BytesOut) {
        out.bytes.extend_from_slice(&self.to_bits().to_le_bytes());
    }

    fn take(_base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let bits = bytes.take(4)?.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        let number = Self::from_bits(bits);
        if number.is_finite() { Ok(number) } else { Err(RecordingFault::Nonsense("a share or a rate is no number")) }
    }
}

impl Relative for DisplayText {
    fn put(&self, _base: &Self, out: &mut BytesOut) {
        out.slice(self.as_str().as_bytes());
    }

    /// Sanitised again: a recording is untrusted.
    fn take(_base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        Ok(Self::from_bytes(bytes.slice()?, crate::model::text::COMMAND_LEN_MAX))
    }
}

impl Relative for IpAddr {
    fn put(&self, _base: &Self, out: &mut BytesOut) {
        match self {
            Self::V4(addr) => out.slice(&addr.octets()),
            Self::V6(addr) => out.slice(&addr.octets()),
        }
    }

    fn take(_base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let slice = bytes.slice()?;
        let (v4, v6) = (<[u8; 4]>::try_from(slice), <[u8; 16]>::try_from(slice));
        match (v4, v6) {
            (Ok(octets), _) => Ok(Self::V4(Ipv4Addr::from(octets))),
            (_, Ok(octets)) => Ok(Self::V6(Ipv6Addr::from(octets))),
            _ => Err(RecordingFault::Nonsense("an address is neither of IPv4 nor of IPv6")),
        }
    }
}

impl<T: Relative + Default> Relative for Option<T> {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        out.byte(u8::from(self.is_some()));
        if let Some(value) = self {
            value.put(base.as_ref().unwrap_or(&T::default()), out);
        }
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let is_there = bool::take(&false, bytes)?;
        is_there.then(|| T::take(base.as_ref().unwrap_or(&T::default()), bytes)).transpose()
    }
}

impl<A: Relative, B: Relative> Relative for (A, B) {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        self.0.put(&base.0, out);
        self.1.put(&base.1, out);
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        Ok((A::take(&base.0, bytes)?, B::take(&base.1, bytes)?))
    }
}

impl Relative for [u64; 3] {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        self.iter().zip(base).for_each(|(value, base)| value.put(base, out));
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let mut all = *base;
        for value in &mut all {
            *value = u64::take(value, bytes)?;
        }
        Ok(all)
    }
}

/// Notes: whole where one is another.
impl Relative for Vec<DisplayText> {
    fn put(&self, _base: &Self, out: &mut BytesOut) {
        let notes = &self[..self.len().min(NOTES_MAX as usize)];
        out.count(notes.len());
        for note in notes {
            out.slice(note.as_str().as_bytes());
        }
    }

    fn take(_base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        let count = bytes.count((NOTES_MAX, "notes"))?;
        (0..count).map(|_| DisplayText::take(&DisplayText::default(), bytes)).collect()
    }
}

/// Names: those that went, and those that are new or others.
impl<K: Relative + Ord + Clone + Default, V: Relative + Clone + Default> Relative for BTreeMap<K, V> {
    fn put(&self, base: &Self, out: &mut BytesOut) {
        let gone: Vec<&K> = base.keys().filter(|key| !self.contains_key(key)).collect();
        let new: Vec<(&K, &V)> = self.iter().filter(|(key, value)| base.get(key) != Some(value)).collect();
        out.count(gone.len());
        let mut before = K::default();
        for key in gone {
            key.put(&before, out);
            before = key.clone();
        }
        out.count(new.len());
        for (key, value) in new {
            key.put(&before, out);
            value.put(&V::default(), out);
            before = key.clone();
        }
    }

    fn take(base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
        const LIMIT: (u32, &str) = (NAMES_MAX, "names");
        let (mut map, mut before) = (base.clone(), K::default());
        for _ in 0..bytes.count(LIMIT)? {
            before = K::take(&before, bytes)?;
            map.remove(&before);
        }
        for _ in 0..bytes.count(LIMIT)? {
            before = K::take(&before, bytes)?;
            map.insert(before.clone(), V::take(&V::default(), bytes)?);
        }
        if map.len() > NAMES_MAX as usize { Err(RecordingFault::TooMany("names")) } else { Ok(map) }
    }
}

/// Cases by their place in a list to which new ones are added at the end.
macro_rules! cases {
    ($($type:ty: [$($case:path),* $(,)?];)*) => {$(
        impl Relative for $type {
            fn put(&self, _base: &Self, out: &mut BytesOut) {
                const CASES: &[$type] = &[$($case),*];
                let place = CASES.iter().position(|case| case == self).unwrap_or_default();
                out.count(place);
            }

            fn take(_base: &Self, bytes: &mut BytesIn<'_>) -> Result<Self, RecordingFault> {
                const CASES: &[$type] = &[$($case),*];
                let place = bytes.index()? as usize;
                CASES.get(place).copied().ok_or(RecordingFault::Nonsense("a case is not known"))
            }
        }
    )*};
}
pub(super) use cases;

cases! {
    Protocol: [Protocol::Tcp, Protocol::Udp, Protocol::Mptcp];
    Family: [Family::Ipv4, Family::Ipv6];
    TcpState: [
        TcpState::Listen, TcpState::SynSent, TcpState::SynRecv, TcpState::Established, TcpState::FinWait1,
        TcpState::FinWait2, TcpState::CloseWait, TcpState::Closing, TcpState::LastAck, TcpState::TimeWait,
        TcpState::Close, TcpState::Unconn, TcpState::Bound,
    ];
}
