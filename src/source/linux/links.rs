//! Interfaces, by `RTM_GETLINK` (`rtnetlink`(7)): state, largest packet and counters. And how fast their lines are, by ethtool's
//! netlink (`ETHTOOL_MSG_LINKMODES_GET`, Linux 5.6).

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use rustc_hash::FxHashMap;
use rustix::io::Errno;

use crate::model::interface::{Interface, Received, Sent};
use crate::model::network::{LinkState, NetworkInterface};
use crate::model::text::{DisplayText, NAME_LEN_MAX};
use crate::source::linux::netlink::{Attributes, NetlinkFamily, NetlinkSocket, Reader};
use crate::source::linux::offload::{self, GENERIC_LEN, NESTED};

/// `RTM_GETLINK` (`include/uapi/linux/rtnetlink.h`).
const GET_LINK: u16 = 18;
/// The length of `struct ifinfomsg`.
const LINK_LEN: usize = 16;
/// `IFLA_IFNAME`, `IFLA_MTU`, `IFLA_OPERSTATE`, `IFLA_STATS64` (`include/uapi/linux/if_link.h`).
const NAME: u16 = 3;
const MTU: u16 = 4;
const STATE: u16 = 16;
const COUNTERS: u16 = 23;
/// `ETHTOOL_MSG_LINKMODES_GET` and its attributes `ETHTOOL_A_LINKMODES_HEADER` and `_SPEED`.
const GET_LINK_MODES: u8 = 4;
const MODES_HEADER: u16 = 1;
const MODES_SPEED: u16 = 5;
/// `ETHTOOL_A_HEADER_DEV_INDEX`.
const HEADER_INDEX: u16 = 1;
/// `SPEED_UNKNOWN` (`include/uapi/linux/ethtool.h`).
const SPEED_UNKNOWN: u32 = u32::MAX;
/// The most interfaces that are kept.
pub const INTERFACES_MAX: usize = 1_024;

/// The interfaces of the network namespace of this thread, in the kernel's order, and whether some are left out, being too many.
pub fn read() -> Result<(Vec<NetworkInterface>, bool), Errno> {
    let mut connection = NetlinkSocket::open_to(NetlinkFamily::Route)?;
    let mut found = Vec::new();
    let exchange = connection.dump(GET_LINK, &[0; LINK_LEN], |payload, _| match parse(payload) {
        Some(interface) if found.len() < INTERFACES_MAX => {
            found.push(interface);
            true
        }
        _ => false,
    });
    exchange.error.map_or(Ok((found, exchange.skipped > 0)), Err)
}

/// Reads `struct ifinfomsg` and its attributes.
pub fn parse(payload: &[u8]) -> Option<NetworkInterface> {
    let mut reader = Reader(payload);
    reader.take::<4>()?;
    let index = reader.ne32()?;
    reader.take::<8>()?;
    let name = DisplayText::from("");
    let counted = Interface { name, received: Received::default(), sent: Sent::default() };
    let mut interface =
        NetworkInterface { index, counted, mtu_bytes: None, state: LinkState::Unknown, speed_megabits: None };
    for attribute in Attributes::new(reader.0) {
        let (name, value) = attribute.ok()?;
        match name {
            NAME => {
                interface.counted.name = DisplayText::from_bytes(value.split(|byte| *byte == 0).next()?, NAME_LEN_MAX);
            }
            MTU => interface.mtu_bytes = Reader(value).ne32(),
            STATE => interface.state = value.first().map_or(LinkState::Unknown, |state| LinkState::from_kernel(*state)),
            COUNTERS => (interface.counted.received, interface.counted.sent) = counters(value)?,
            _ => {}
        }
    }
    (!interface.counted.name.as_str().is_empty()).then_some(interface)
}

/// Reads `struct rtnl_link_stats64`, added up as `/proc/net/dev` has it (`dev_seq_printf_stats`, `net/core/net-procfs.c`).
fn counters(value: &[u8]) -> Option<(Received, Sent)> {
    let mut reader = Reader(value);
    let mut next = || reader.ne64();
    let (received_packets, sent_packets) = (next()?, next()?);
    let (received_bytes, sent_bytes) = (next()?, next()?);
    let (received_errors, sent_errors) = (next()?, next()?);
    let (received_dropped, sent_dropped) = (next()?, next()?);
    let (multicast, collisions) = (next()?, next()?);
    let (length, over, crc, frame, fifo, missed) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let (aborted, carrier, sent_fifo, heartbeat, window) = (next()?, next()?, next()?, next()?, next()?);
    let (received_compressed, sent_compressed) = (next()?, next()?);
    let sum = |numbers: &[u64]| numbers.iter().fold(0_u64, |sum, number| sum.saturating_add(*number));
    let received = Received {
        bytes: received_bytes,
        packets: received_packets,
        errors: received_errors,
        dropped: sum(&[received_dropped, missed]),
        overruns: fifo,
        frame: sum(&[length, over, crc, frame]),
        compressed: received_compressed,
        multicast,
    };
    let sent = Sent {
        bytes: sent_bytes,
        packets: sent_packets,
        errors: sent_errors,
        dropped: sent_dropped,
        overruns: sent_fifo,
        collisions,
        carrier: sum(&[carrier, aborted, window, heartbeat]),
        compressed: sent_compressed,
    };
    Some((received, sent))
}

/// How fast the lines of the interfaces are, in Mbit/s by the number of the interface; those without a line are left out.
pub fn speeds() -> Result<FxHashMap<u32, u32>, Errno> {
    let mut connection = NetlinkSocket::open_to(NetlinkFamily::Generic)?;
    let family = offload::family(&mut connection)?;
    let header = offload::attribute(MODES_HEADER | NESTED, &[]);
    let request = [&[GET_LINK_MODES, 1, 0, 0][..], &header].concat();
    let mut found = FxHashMap::default();
    let exchange = connection.dump(family, &request, |payload, _| {
        if let Some((index, speed)) = parse_speed(payload).filter(|_| found.len() < INTERFACES_MAX) {
            found.insert(index, speed);
        }
        true
    });
    exchange.error.map_or(Ok(found), Err)
}

/// Reads the number of an interface and the speed of its line; `None` where that is not known.
fn parse_speed(payload: &[u8]) -> Option<(u32, u32)> {
    let attributes = payload.get(GENERIC_LEN..)?;
    let index = Reader(offload::find(offload::find(attributes, MODES_HEADER)?, HEADER_INDEX)?).ne32()?;
    let speed = Reader(offload::find(attributes, MODES_SPEED)?).ne32()?;
    (speed != SPEED_UNKNOWN).then_some((index, speed))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message() -> Vec<u8> {
        let numbers: Vec<u8> = (1..=24_u64).flat_map(u64::to_ne_bytes).collect();
        let mut bytes = vec![0; 4];
        bytes.extend(7_u32.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(offload::attribute(NAME, b"eth0\0"));
        bytes.extend(offload::attribute(MTU, &1_500_u32.to_ne_bytes()));
        bytes.extend(offload::attribute(STATE, &[6]));
        bytes.extend(offload::attribute(COUNTERS, &numbers));
        bytes
    }

    #[test]
    fn an_interface_is_read_with_what_it_counted_as_proc_net_dev_has_it() {
        let interface = parse(&message()).expect("it is whole");
        assert_eq!((interface.index, interface.mtu_bytes, interface.state), (7, Some(1_500), LinkState::Up));
        let Interface { name, received, sent } = interface.counted;
        assert_eq!(name.as_str(), "eth0");
        assert_eq!((received.packets, received.bytes, received.errors, received.multicast), (1, 3, 5, 9));
        assert_eq!((received.dropped, received.overruns, received.frame), (7 + 16, 15, 11 + 12 + 13 + 14));
        assert_eq!((sent.packets, sent.bytes, sent.errors, sent.dropped, sent.collisions), (2, 4, 6, 8, 10));
        assert_eq!((sent.carrier, sent.overruns), (17 + 18 + 20 + 21, 19));
        assert_eq!((received.compressed, sent.compressed), (22, 23));
    }

    #[test]
    fn a_line_without_a_speed_has_none() {
        let answer = |speed: u32| {
            let header = offload::attribute(HEADER_INDEX, &3_u32.to_ne_bytes());
            let parts = [
                offload::attribute(MODES_HEADER | NESTED, &header),
                offload::attribute(MODES_SPEED, &speed.to_ne_bytes()),
            ];
            [&[0; GENERIC_LEN][..], &parts.concat()].concat()
        };
        assert_eq!(parse_speed(&answer(10_000)), Some((3, 10_000)));
        assert_eq!(parse_speed(&answer(SPEED_UNKNOWN)), None);
    }

    #[test]
    fn loopback_is_an_interface_of_this_machine() {
        let (interfaces, is_cut) = read().expect("rtnetlink");
        assert!(interfaces.iter().any(|interface| interface.counted.name.as_str() == "lo"));
        assert_eq!(is_cut, interfaces.len() == INTERFACES_MAX);
    }

    proptest! {
        #[test]
        fn a_flipped_or_cut_message_is_survived(at in 0..200_usize, byte: u8, cut in 0..300_usize) {
            let mut bytes = message();
            let len = bytes.len();
            bytes[at % len] = byte;
            bytes.truncate(cut);
            parse(&bytes);
            parse_speed(&bytes);
        }
    }
}
