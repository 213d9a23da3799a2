//! Where the fields of the tracepoint `sock:inet_sock_set_state` stand in a record, as its `format` file says, and the
//! step that a record tells of. Total over untrusted bytes.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::endpoint::Endpoint;
use crate::model::event::TracedStateChange;
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;

const AF_INET: u64 = 2;
const AF_INET6: u64 = 10;
pub(super) const IPPROTO_TCP: u64 = 6;

/// Where a field stands, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldPlace {
    offset: usize,
    size: usize,
}

/// The fields that conntop reads (`include/trace/events/sock.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracepointFormat {
    socket: FieldPlace,
    old_state: FieldPlace,
    new_state: FieldPlace,
    protocol: FieldPlace,
    ends: EndpointFields,
}

/// Where both ends of a connection stand: all tracepoints of sockets call them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EndpointFields {
    local_port: FieldPlace,
    remote_port: FieldPlace,
    family: FieldPlace,
    local: FieldPlace,
    remote: FieldPlace,
    local_v6: FieldPlace,
    remote_v6: FieldPlace,
}

impl TracepointFormat {
    /// Reads a `format` file; `None` if a field is missing.
    pub fn parse(text: &str) -> Option<Self> {
        let place = |name: &str| place_in(text, name);
        Some(Self {
            socket: place("skaddr")?,
            old_state: place("oldstate")?,
            new_state: place("newstate")?,
            protocol: place("protocol")?,
            ends: EndpointFields::parse(text)?,
        })
    }

    /// What the record `bytes` tells of a TCP socket; `keys` hides the kernel's addresses.
    pub fn step(&self, bytes: &[u8], at: Timestamp, keys: &impl BuildHasher) -> Option<TracedStateChange> {
        if self.protocol.number(bytes)? != IPPROTO_TCP {
            return None;
        }
        let state = |place: FieldPlace| TcpState::from_kernel(u8::try_from(place.number(bytes)?).ok()?);
        let (local, remote) = self.ends.read(bytes)?;
        Some(TracedStateChange {
            at,
            key: keys.hash_one(self.socket.number(bytes)?),
            local,
            remote,
            from: state(self.old_state)?,
            to: state(self.new_state)?,
        })
    }
}

impl EndpointFields {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let place = |name: &str| place_in(text, name);
        Some(Self {
            local_port: place("sport")?,
            remote_port: place("dport")?,
            family: place("family")?,
            local: place("saddr")?,
            remote: place("daddr")?,
            local_v6: place("saddr_v6")?,
            remote_v6: place("daddr_v6")?,
        })
    }

    /// Our end and the other one.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<(Endpoint, Endpoint)> {
        let (local, remote) = match self.family.number(bytes)? {
            AF_INET => (self.local.ipv4(bytes)?, self.remote.ipv4(bytes)?),
            AF_INET6 => (self.local_v6.ipv6(bytes)?, self.remote_v6.ipv6(bytes)?),
            _ => return None,
        };
        let port = |place: FieldPlace| u16::try_from(place.number(bytes)?).ok();
        Some((Endpoint::new(local, port(self.local_port)?), Endpoint::new(remote, port(self.remote_port)?)))
    }
}

impl FieldPlace {
    fn bytes(self, record: &[u8]) -> Option<&[u8]> {
        record.get(self.offset..)?.get(..self.size)
    }

    /// A number in the machine's byte order, of whatever length.
    pub(super) fn number(self, record: &[u8]) -> Option<u64> {
        let bytes = self.bytes(record)?;
        let one = || bytes.try_into().ok().map(|[byte]: [u8; 1]| u64::from(byte));
        let two = || bytes.try_into().ok().map(|bytes| u64::from(u16::from_ne_bytes(bytes)));
        let four = || bytes.try_into().ok().map(|bytes| u64::from(u32::from_ne_bytes(bytes)));
        let eight = || bytes.try_into().ok().map(u64::from_ne_bytes);
        one().or_else(two).or_else(four).or_else(eight)
    }

    fn ipv4(self, record: &[u8]) -> Option<IpAddr> {
        let octets: [u8; 4] = self.bytes(record)?.try_into().ok()?;
        Some(IpAddr::V4(Ipv4Addr::from(octets)))
    }

    fn ipv6(self, record: &[u8]) -> Option<IpAddr> {
        let octets: [u8; 16] = self.bytes(record)?.try_into().ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(octets)))
    }
}

/// The place of the field `name` in the `format` file `text`.
pub(super) fn place_in(text: &str, name: &str) -> Option<FieldPlace> {
    text.lines().find_map(|line| field(line, name))
}

/// The place of the field `name`, if `line` is about it: its declaration, offset and size, each with a semicolon.
fn field(line: &str, name: &str) -> Option<FieldPlace> {
    let mut parts = line.trim().split(';').map(str::trim);
    let declared = parts.next()?.strip_prefix("field:")?.rsplit([' ', '*']).next()?;
    if declared.split('[').next() != Some(name) {
        return None;
    }
    let mut number = |key: &str| parts.next()?.strip_prefix(key)?.parse().ok();
    Some(FieldPlace { offset: number("offset:")?, size: number("size:")? })
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use proptest::prelude::*;

    use super::*;

    /// As Linux 6.18 has it.
    const FORMAT: &str = "name: inet_sock_set_state
ID: 1428
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:const void * skaddr;	offset:8;	size:8;	signed:0;
	field:int oldstate;	offset:16;	size:4;	signed:1;
	field:int newstate;	offset:20;	size:4;	signed:1;
	field:__u16 sport;	offset:24;	size:2;	signed:0;
	field:__u16 dport;	offset:26;	size:2;	signed:0;
	field:__u16 family;	offset:28;	size:2;	signed:0;
	field:__u16 protocol;	offset:30;	size:2;	signed:0;
	field:__u8 saddr[4];	offset:32;	size:4;	signed:0;
	field:__u8 daddr[4];	offset:36;	size:4;	signed:0;
	field:__u8 saddr_v6[16];	offset:40;	size:16;	signed:0;
	field:__u8 daddr_v6[16];	offset:56;	size:16;	signed:0;

print fmt: \"family=%s\"
";

    fn record(family: u16, protocol: u16, (old, new): (u32, u32)) -> Vec<u8> {
        let mut record = vec![0; 8];
        record.extend(0xffff_8880_1234_5678_u64.to_ne_bytes());
        record.extend(old.to_ne_bytes());
        record.extend(new.to_ne_bytes());
        for number in [443, 50_000, family, protocol] {
            record.extend(number.to_ne_bytes());
        }
        record.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        record.extend(Ipv6Addr::LOCALHOST.octets());
        record.extend(Ipv6Addr::UNSPECIFIED.octets());
        record
    }

    #[test]
    fn a_record_is_read_by_the_places_that_the_format_file_names() {
        let (format, keys) = (TracepointFormat::parse(FORMAT).expect("all fields are there"), RandomState::new());
        let step = format.step(&record(2, 6, (1, 8)), Timestamp(5), &keys).expect("a step");
        assert_eq!((step.from, step.to, step.at), (TcpState::Established, TcpState::CloseWait, Timestamp(5)));
        assert_eq!((step.local.as_told(), step.remote.as_told()), ("10.0.0.1:443".into(), "10.0.0.2:50000".into()));
        let other = format.step(&record(10, 6, (10, 3)), Timestamp(5), &keys).expect("a step");
        assert_eq!(other.local.as_told(), "[::1]:443");
        assert_eq!(other.key, step.key, "the same socket");
        assert_ne!(step.key, 0xffff_8880_1234_5678, "an address of the kernel stays hidden");
        assert_eq!(format.step(&record(2, 132, (1, 8)), Timestamp(5), &keys), None, "SCTP");
        assert_eq!(format.step(&record(2, 6, (1, 99)), Timestamp(5), &keys), None, "a state of the future");
    }

    #[test]
    fn a_format_without_a_field_is_refused() {
        assert_eq!(TracepointFormat::parse(&FORMAT.replace("daddr_v6", "elsewhere")), None);
        assert_eq!(TracepointFormat::parse(""), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100), text in ".{0,200}",
                                  (at, byte) in (0..FORMAT.len(), 32..127_u8)) {
            let mut format = FORMAT.as_bytes().to_vec();
            format[at] = byte;
            let format = String::from_utf8(format).expect("ASCII");
            for format in [FORMAT, &format, &text].into_iter().filter_map(TracepointFormat::parse) {
                let _ = format.step(&bytes, Timestamp(0), &RandomState::new());
            }
        }
    }
}
