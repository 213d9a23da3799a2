//! Which interfaces others can send to, and which kinds of address they have: `RTM_GETLINK` and `RTM_GETADDR`
//! (`rtnetlink`(7)), for our own network namespace and those that are looked into.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use rustix::io::Errno;

use crate::model::exposure::AddressKinds;
use crate::model::reach::ALL_INTERFACES;
use crate::model::socket::NetnsId;
use crate::model::time::Timestamp;
use crate::source::linux::namespaces::others::SHOWN_MAX;
use crate::source::linux::namespaces::{Namespaces, enter};
use crate::source::linux::netlink::{Attributes, NetlinkFamily, NetlinkSocket, Reader};

/// `RTM_GETLINK` and `RTM_GETADDR` (`include/uapi/linux/rtnetlink.h`).
const GET_LINK: u16 = 18;
const GET_ADDRESS: u16 = 22;
/// The length of `struct ifinfomsg` and of `struct ifaddrmsg`.
const LINK_LEN: usize = 16;
const ADDRESS_LEN: usize = 8;
/// `IFF_UP` and `IFF_LOOPBACK` (`include/uapi/linux/if.h`).
const IS_UP: u32 = 1;
const IS_LOOPBACK: u32 = 8;
/// `IFLA_LINKINFO`, and in it `IFLA_INFO_KIND` (`include/uapi/linux/if_link.h`).
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
/// `IFLA_EXT_MASK` and `RTEXT_FILTER_SKIP_STATS`: counters are most of an answer, and nobody needs them here.
const IFLA_EXT_MASK: u16 = 29;
const SKIP_STATS: u32 = 8;
/// `IFA_ADDRESS` (of a point-to-point link the peer's) and `IFA_LOCAL` (`include/uapi/linux/if_addr.h`).
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// Kinds of interface behind which there is nobody: they swallow or only carry addresses.
const DEAD_ENDS: [&[u8]; 3] = [b"dummy", b"ifb", b"nlmon"];

/// The interfaces of a namespace are read again after this time.
const VALID_FOR: Duration = Duration::from_secs(10);
/// A namespace with more interfaces than this counts as not known.
const INTERFACES_MAX: usize = 4_096;
/// So many are kept of all namespaces.
const KEPT_MAX: usize = 65_536;

/// The interfaces of one namespace that are up and lead somewhere, with the kinds of their addresses.
type Interfaces = BTreeMap<u32, AddressKinds>;
/// The same of several; [`ALL_INTERFACES`] stands for all of one.
type Reachable = BTreeMap<(NetnsId, u32), AddressKinds>;

/// Reads the interfaces of all namespaces now and then.
#[derive(Debug, Default)]
pub struct ReachReader {
    reachable: Reachable,
    /// Which namespaces were asked since `read_at`, whether they answered or not.
    asked: BTreeSet<NetnsId>,
    read_at: Option<Timestamp>,
}

impl ReachReader {
    /// The interfaces of our own namespace and, if `all`, of the others; `None` if they are those of the last call. A
    /// namespace that does not answer is left out.
    pub fn update(&mut self, now: Timestamp, namespaces: &Namespaces, all: bool) -> Option<Reachable> {
        if self.read_at.is_none_or(|read_at| now.since(read_at) >= VALID_FOR) {
            self.read_at = Some(now);
            self.asked.clear();
        }
        let own = namespaces.own();
        let others = namespaces.locations().iter().filter(|_| all).take(SHOWN_MAX);
        let new: Vec<_> = others.filter(|(netns, _)| !self.asked.contains(netns)).collect();
        let is_own_due = !self.asked.contains(&own);
        if !is_own_due && new.is_empty() {
            return None;
        }
        let new: Vec<_> = new.into_iter().map(|(netns, location)| (*netns, location.clone())).collect();
        let mut answers = if new.is_empty() { Vec::new() } else { enter::in_each(new, read) };
        if is_own_due {
            answers.push((own, read()));
        }
        let mut reachable = self.reachable.clone();
        let is_there = |netns: NetnsId| netns == own || all && namespaces.locations().contains_key(&netns);
        reachable.retain(|(netns, _), _| is_there(*netns));
        for (netns, answer) in answers {
            self.asked.insert(netns);
            reachable.retain(|(other, _), _| *other != netns);
            if let Ok(interfaces) = answer {
                put(&mut reachable, netns, interfaces);
            }
        }
        let is_other = reachable != self.reachable;
        self.reachable = reachable;
        is_other.then(|| self.reachable.clone())
    }
}

fn put(reachable: &mut Reachable, netns: NetnsId, interfaces: Interfaces) {
    if reachable.len().saturating_add(interfaces.len()) < KEPT_MAX {
        reachable.extend(interfaces.into_iter().map(|(index, kinds)| ((netns, index), kinds)));
    }
}

/// The interfaces of the namespace of this thread, [`ALL_INTERFACES`] among them.
pub fn read() -> Result<Interfaces, Errno> {
    let mut connection = NetlinkSocket::open_to(NetlinkFamily::Route)?;
    let mut interfaces = Interfaces::new();
    let mut request = [0; LINK_LEN].to_vec();
    request.extend([&8u16.to_ne_bytes()[..], &IFLA_EXT_MASK.to_ne_bytes(), &SKIP_STATS.to_ne_bytes()].concat());
    let exchange = connection.dump(GET_LINK, &request, |payload, _| {
        let link = link(payload);
        if let Some((index, true)) = link
            && interfaces.len() <= INTERFACES_MAX
        {
            interfaces.insert(index, AddressKinds::default());
        }
        link.is_some()
    });
    exchange.error.map_or(Ok(()), Err)?;
    if interfaces.len() > INTERFACES_MAX {
        return Err(Errno::OVERFLOW);
    }
    let mut all = AddressKinds::default();
    let exchange = connection.dump(GET_ADDRESS, &[0; ADDRESS_LEN], |payload, _| {
        let Some((index, ip)) = address(payload) else { return false };
        let kinds = AddressKinds::of(ip);
        all = all.with(kinds);
        interfaces.entry(index).and_modify(|known| *known = known.with(kinds));
        true
    });
    exchange.error.map_or(Ok(()), Err)?;
    // With no interface that leads somewhere, nobody can send to an address, whatever interface has it.
    let reached = if interfaces.is_empty() { AddressKinds::default() } else { all };
    interfaces.insert(ALL_INTERFACES, reached);
    Ok(interfaces)
}

/// The index of an interface, and whether it is up and leads somewhere. Reads `struct ifinfomsg` and its attributes.
fn link(payload: &[u8]) -> Option<(u32, bool)> {
    let mut reader = Reader(payload);
    reader.take::<4>()?;
    let (index, flags, _) = (reader.ne32()?, reader.ne32()?, reader.ne32()?);
    let mut is_dead_end = false;
    for attribute in Attributes::new(reader.0) {
        let (name, value) = attribute.ok()?;
        if name == IFLA_LINKINFO {
            let kind = Attributes::new(value).find_map(|inner| inner.ok().filter(|(name, _)| *name == IFLA_INFO_KIND));
            let kind = kind.map(|(_, kind)| kind.split(|byte| *byte == 0).next().unwrap_or_default());
            is_dead_end = kind.is_some_and(|kind| DEAD_ENDS.contains(&kind));
        }
    }
    Some((index, flags & IS_UP != 0 && flags & IS_LOOPBACK == 0 && !is_dead_end))
}

/// The index of an interface and an address that it has. Reads `struct ifaddrmsg` and its attributes.
fn address(payload: &[u8]) -> Option<(u32, IpAddr)> {
    let mut reader = Reader(payload);
    reader.take::<4>()?;
    let index = reader.ne32()?;
    let mut found = None;
    for attribute in Attributes::new(reader.0) {
        match attribute.ok()? {
            (IFA_LOCAL, value) => found = Some(ip(value)?),
            (IFA_ADDRESS, value) => found = found.or(Some(ip(value)?)),
            _ => {}
        }
    }
    Some((index, found?))
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Reader(value).take::<4>().map(IpAddr::from),
        16 => Reader(value).take::<16>().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(name: u16, value: &[u8]) -> Vec<u8> {
        let len = u16::try_from(4 + value.len()).expect("short");
        let mut bytes = [&len.to_ne_bytes()[..], &name.to_ne_bytes(), value].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link_message(index: u32, flags: u32, kind: &[u8]) -> Vec<u8> {
        let head = [&[0; 4][..], &index.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 4]].concat();
        [head, attribute(IFLA_LINKINFO, &attribute(IFLA_INFO_KIND, kind))].concat()
    }

    #[test]
    fn an_interface_that_is_up_and_has_somebody_behind_it_leads_somewhere() {
        for (flags, kind, leads) in [
            (IS_UP, &b"veth\0"[..], true),
            (IS_UP, b"", true),
            (0, b"veth\0", false),
            (IS_UP | IS_LOOPBACK, b"", false),
            (IS_UP, b"dummy\0", false),
            (IS_UP, b"ifb\0", false),
        ] {
            assert_eq!(link(&link_message(7, flags, kind)), Some((7, leads)), "{flags} {kind:?}");
        }
    }

    #[test]
    fn of_a_point_to_point_link_our_end_is_the_address() {
        let head = [&[2, 32, 0, 0][..], &9u32.to_ne_bytes()].concat();
        let (peer, own) = (attribute(IFA_ADDRESS, &[10, 0, 0, 2]), attribute(IFA_LOCAL, &[10, 0, 0, 1]));
        for message in [[&head[..], &peer, &own].concat(), [&head[..], &own, &peer].concat()] {
            assert_eq!(address(&message), Some((9, [10, 0, 0, 1].into())));
        }
        assert_eq!(
            address(&[head.clone(), attribute(IFA_ADDRESS, &[10, 0, 0, 2])].concat()),
            Some((9, [10, 0, 0, 2].into()))
        );
        assert_eq!(address(&head), None);
    }

    #[test]
    fn this_machine_answers_and_loopback_leads_nowhere() {
        let interfaces = read().expect("rtnetlink");
        assert!(interfaces.contains_key(&ALL_INTERFACES) && !interfaces.contains_key(&1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let (_, _) = (link(&bytes), address(&bytes));
        }
    }
}
