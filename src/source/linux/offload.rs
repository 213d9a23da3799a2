//! What the interfaces do instead of the processor: the features that `ethtool -k` shows, by ethtool's netlink
//! (Linux 5.7, `CONFIG_ETHTOOL_NETLINK`). The older ioctl takes a pointer and so `unsafe`, which this program has none of.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use rustix::io::Errno;

use crate::model::interface::{Feature, Offload};
use crate::model::text::{DisplayText, NAME_LEN_MAX};
use crate::source::linux::netlink::{Attributes, NetlinkFamily, NetlinkSocket, Reader};

/// `GENL_ID_CTRL`, `CTRL_CMD_GETFAMILY`, `CTRL_ATTR_FAMILY_ID`, `CTRL_ATTR_FAMILY_NAME` of
/// `include/uapi/linux/genetlink.h`.
const CONTROLLER: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// `ETHTOOL_MSG_FEATURES_GET` and its attributes (`include/uapi/linux/ethtool_netlink_generated.h`).
const GET_FEATURES: u8 = 11;
const FEATURES_HEADER: u16 = 1;
const FEATURES_HARDWARE: u16 = 2;
const FEATURES_ACTIVE: u16 = 4;
const FEATURES_NO_CHANGE: u16 = 5;
/// `ETHTOOL_A_HEADER_DEV_NAME`.
const HEADER_NAME: u16 = 2;
/// `ETHTOOL_A_BITSET_BITS`, `_BITS_BIT`, `_BIT_INDEX`, `_BIT_NAME`, `_BIT_VALUE`.
const BITSET_BITS: u16 = 3;
const BITS_BIT: u16 = 1;
const BIT_INDEX: u16 = 1;
const BIT_NAME: u16 = 2;
const BIT_VALUE: u16 = 3;
/// `NLA_F_NESTED`.
pub const NESTED: u16 = 0x8000;
/// The length of `struct genlmsghdr`.
pub const GENERIC_LEN: usize = 4;
/// Linux 6.18 has 64 features, numbered from 0.
const FEATURES_MAX: usize = 1024;
/// The most interfaces that are kept.
const INTERFACES_MAX: usize = 4096;

/// The features of every interface of the network namespace of this thread. `ENOENT`: the kernel has no ethtool netlink.
pub fn read() -> Result<Vec<Offload>, Errno> {
    let mut connection = NetlinkSocket::open_to(NetlinkFamily::Generic)?;
    let family = family(&mut connection)?;
    let header = attribute(FEATURES_HEADER | NESTED, &[]);
    let request = [&[GET_FEATURES, 1, 0, 0][..], &header].concat();
    let mut found = Vec::new();
    let exchange = connection.dump(family, &request, |payload, _| match parse(payload) {
        Some(offload) if found.len() < INTERFACES_MAX => {
            found.push(offload);
            true
        }
        _ => false,
    });
    exchange.error.map_or(Ok(found), Err)
}

/// The number that the family `ethtool` has since this boot.
pub fn family(connection: &mut NetlinkSocket) -> Result<u16, Errno> {
    let request = [&[GET_FAMILY, 1, 0, 0][..], &attribute(FAMILY_NAME, b"ethtool\0")].concat();
    let mut id = None;
    connection.ask(CONTROLLER, &request, |payload| {
        id = find(payload.get(GENERIC_LEN..).unwrap_or_default(), FAMILY_ID).and_then(|value| Reader(value).ne16());
    })?;
    id.ok_or(Errno::NOENT)
}

/// An attribute as bytes, with its padding.
pub fn attribute(name: u16, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len().saturating_add(4)).unwrap_or(u16::MAX);
    let mut bytes = [&len.to_ne_bytes()[..], &name.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The first attribute called `name`.
pub fn find(attributes: &[u8], name: u16) -> Option<&[u8]> {
    Attributes::new(attributes).filter_map(Result::ok).find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Reads one interface: its name, all features, which are on, and which cannot be changed.
fn parse(payload: &[u8]) -> Option<Offload> {
    let attributes = payload.get(GENERIC_LEN..)?;
    let name = find(find(attributes, FEATURES_HEADER)?, HEADER_NAME)?;
    let interface = DisplayText::from_bytes(name.split(|byte| *byte == 0).next()?, NAME_LEN_MAX);
    let mut features: Vec<(u32, Feature)> = Vec::new();
    for bit in bits(find(attributes, FEATURES_HARDWARE)?) {
        let name = DisplayText::from_bytes(bit.name, NAME_LEN_MAX);
        features.push((bit.index, Feature { name, is_on: false, is_fixed: !bit.value }));
        if features.len() >= FEATURES_MAX {
            break;
        }
    }
    features.sort_by_key(|(index, _)| *index);
    mark(&mut features, find(attributes, FEATURES_ACTIVE)?, |feature| feature.is_on = true);
    mark(&mut features, find(attributes, FEATURES_NO_CHANGE)?, |feature| feature.is_fixed = true);
    Some(Offload { interface, features: features.into_iter().map(|(_, feature)| feature).collect() })
}

/// Lets `change` happen to every feature that the list `bitset` names; without a mask, being there means being set.
fn mark(features: &mut [(u32, Feature)], bitset: &[u8], change: impl Fn(&mut Feature)) {
    for bit in bits(bitset) {
        if let Ok(at) = features.binary_search_by_key(&bit.index, |(index, _)| *index)
            && let Some((_, feature)) = features.get_mut(at)
        {
            change(feature);
        }
    }
}

/// A bit of a set that is written in full.
struct Bit<'a> {
    index: u32,
    name: &'a [u8],
    value: bool,
}

fn bits(bitset: &[u8]) -> impl Iterator<Item = Bit<'_>> {
    let list = Attributes::new(find(bitset, BITSET_BITS).unwrap_or_default());
    list.filter_map(Result::ok).filter(|(name, _)| *name == BITS_BIT).filter_map(|(_, bit)| {
        let index = Reader(find(bit, BIT_INDEX)?).ne32()?;
        let name = find(bit, BIT_NAME)?.split(|byte| *byte == 0).next()?;
        Some(Bit { index, name, value: find(bit, BIT_VALUE).is_some() })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bit(index: u32, name: &str, value: bool) -> Vec<u8> {
        let mut inner = attribute(BIT_INDEX, &index.to_ne_bytes());
        inner.extend(attribute(BIT_NAME, format!("{name}\0").as_bytes()));
        if value {
            inner.extend(attribute(BIT_VALUE, &[]));
        }
        attribute(BITS_BIT | NESTED, &inner)
    }

    fn set(name: u16, bits: &[Vec<u8>]) -> Vec<u8> {
        attribute(name | NESTED, &attribute(BITSET_BITS | NESTED, &bits.concat()))
    }

    fn message() -> Vec<u8> {
        let header = attribute(FEATURES_HEADER | NESTED, &attribute(HEADER_NAME, b"eth0\0"));
        let hardware = [bit(0, "tx-scatter-gather", true), bit(3, "rx-lro", false), bit(5, "rx-gro", true)];
        let on = [bit(0, "tx-scatter-gather", false), bit(5, "rx-gro", false)];
        let sets = [
            set(FEATURES_HARDWARE, &hardware),
            set(FEATURES_ACTIVE, &on),
            set(FEATURES_NO_CHANGE, &[bit(5, "rx-gro", false)]),
        ];
        [&[GET_FEATURES, 1, 0, 0][..], &header, &sets.concat()].concat()
    }

    #[test]
    fn each_feature_is_on_or_off_and_fixed_or_not() {
        let offload = parse(&message()).expect("well-formed");
        assert_eq!(offload.interface.as_str(), "eth0");
        let found: Vec<_> =
            offload.features.iter().map(|feature| (feature.name.as_str(), feature.is_on, feature.is_fixed)).collect();
        assert_eq!(found, [("tx-scatter-gather", true, false), ("rx-lro", false, true), ("rx-gro", true, true)]);
    }

    #[test]
    fn this_kernel_tells_of_its_loopback_if_it_tells_at_all() {
        match read() {
            Ok(found) => {
                let lo = found.iter().find(|offload| offload.interface.as_str() == "lo").expect("lo");
                assert!(lo.features.len() > 30, "{lo:?}");
                assert!(lo.features.iter().any(|feature| feature.is_on));
            }
            Err(error) => assert_eq!(error, Errno::NOENT),
        }
    }

    proptest! {
        #[test]
        fn a_flipped_or_cut_message_is_survived(at in 0usize..400, byte: u8, cut in 0usize..400) {
            let mut message = message();
            if let Some(place) = message.get_mut(at) { *place = byte; }
            message.truncate(cut);
            let _ = parse(&message);
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }
    }
}
