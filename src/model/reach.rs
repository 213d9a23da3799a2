//! From where a socket that takes what comes can be reached: by its address, by the interface that it is bound to, and by
//! the interfaces that its network namespace has.

use std::num::NonZeroU32;

use crate::model::endpoint::Family;
use crate::model::exposure::{AddressKinds, Exposure};
use crate::model::process::Names;
use crate::model::socket::Socket;

/// The index of the loopback interface in every network namespace, whatever it is called (`LOOPBACK_IFINDEX`,
/// include/net/flow.h; drivers/net/loopback.c refuses to be anything else).
const LOOPBACK_INTERFACE: u32 = 1;

/// Stands for all interfaces of a namespace in [`Names::reachable`]: no interface has this index.
pub const ALL_INTERFACES: u32 = 0;

/// From where a socket can be reached as far as addresses and interfaces decide; a firewall or a NAT is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// From this machine (this network namespace) alone.
    Machine,
    /// By an address that is not routed on the internet (see [`Exposure::Private`]).
    LocalNetwork,
    /// By a public address.
    Internet,
}

impl Reach {
    /// Every reach, the smallest first.
    pub const ALL: [Self; 3] = [Self::Machine, Self::LocalNetwork, Self::Internet];

    /// From where `socket` can be reached; `None` where the interfaces of its namespace are not known.
    ///
    /// Linux takes packets for any address of the machine on any interface (the weak host model, RFC 1122, section
    /// 3.3.4.2), so the addresses of all interfaces count as soon as others can send to one of them.
    pub fn of(socket: &Socket, names: &Names) -> Option<Self> {
        let exposure = exposure(socket);
        if exposure == Exposure::Loopback {
            return Some(Self::Machine);
        }
        let netns = socket.id.netns();
        let of = |index| names.reachable.get(&(netns, index)).copied();
        let all = of(ALL_INTERFACES)?;
        let taken = taken(socket, exposure);
        let reached = match socket.interface.map(NonZeroU32::get) {
            None => all.common(taken),
            // Down, gone, or with nobody at its other end.
            Some(index) => of(index).map_or(AddressKinds::default(), |own| {
                let own = own.common(taken);
                if own.is_empty() { all.common(taken) } else { own }
            }),
        };
        Some(match reached {
            none if none.is_empty() => Self::Machine,
            reached if reached.has_public() => Self::Internet,
            _ => Self::LocalNetwork,
        })
    }

    /// The name in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Machine => "this-machine",
            Self::LocalNetwork => "local-network",
            Self::Internet => "internet",
        }
    }

    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Machine => "this machine",
            Self::LocalNetwork => "the local network",
            Self::Internet => "the internet",
        }
    }
}

/// How far the local end of `socket` reaches by its address alone and by what it is bound to by `SO_BINDTODEVICE`: packets
/// of other machines never come in on the loopback interface.
pub fn exposure(socket: &Socket) -> Exposure {
    let is_tied_to_loopback = socket.interface.is_some_and(|index| index.get() == LOOPBACK_INTERFACE);
    if is_tied_to_loopback { Exposure::Loopback } else { Exposure::of(socket.local.addr) }
}

/// The kinds of address for which a socket takes what comes.
fn taken(socket: &Socket, exposure: Exposure) -> AddressKinds {
    let ip = socket.local.addr;
    if exposure != Exposure::All {
        return AddressKinds::of(ip);
    }
    let own = AddressKinds::family(if ip.to_canonical().is_ipv4() { Family::Ipv4 } else { Family::Ipv6 });
    // A source that does not say whether it takes IPv4 as well: most do.
    let takes_v4 = ip == Family::Ipv6.unspecified() && socket.v6only != Some(true);
    if takes_v4 { own.with(AddressKinds::family(Family::Ipv4)) } else { own }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::socket::NetnsId;
    use crate::model::testing::listener;

    fn kinds(addresses: &[&str]) -> AddressKinds {
        let all = addresses.iter().map(|text| AddressKinds::of(text.parse().expect("an address")));
        all.fold(AddressKinds::default(), AddressKinds::with)
    }

    /// A namespace whose interface 2 has `addresses`.
    fn names(addresses: &[&str]) -> Names {
        let kinds = kinds(addresses);
        let reachable = [((NetnsId(0), ALL_INTERFACES), kinds), ((NetnsId(0), 2), kinds)];
        Names { reachable: reachable.into(), ..Names::default() }
    }

    fn lo_only() -> Names {
        Names { reachable: [((NetnsId(0), ALL_INTERFACES), AddressKinds::default())].into(), ..Names::default() }
    }

    fn reach(local: &str, names: &Names) -> Option<Reach> {
        Reach::of(&listener(1, 80).local(local).build(), names)
    }

    #[test]
    fn where_only_loopback_exists_nothing_is_reached_from_outside() {
        for local in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "8.8.8.8:80", "[2001:db8::1]:80"] {
            assert_eq!(reach(local, &lo_only()), Some(Reach::Machine), "{local}");
            assert_eq!(reach(local, &Names::default()), None, "{local}: unknown stays unknown");
        }
        assert_eq!(reach("127.0.0.1:80", &Names::default()), Some(Reach::Machine));
    }

    #[test]
    fn the_addresses_of_the_interfaces_say_which_network_it_is() {
        use Reach::{Internet, LocalNetwork, Machine};
        for (addresses, local, expected) in [
            (&["192.168.1.5"][..], "0.0.0.0:80", LocalNetwork),
            (&["192.168.1.5"], "[::]:80", LocalNetwork),
            (&["192.168.1.5", "198.51.100.7"], "0.0.0.0:80", Internet),
            (&["192.168.1.5", "2001:db8::5"], "0.0.0.0:80", LocalNetwork),
            (&["192.168.1.5", "2001:db8::5"], "[::]:80", Internet),
            (&["fe80::1"], "0.0.0.0:80", Machine),
            (&["fe80::1"], "[::]:80", LocalNetwork),
            (&["198.51.100.7"], "198.51.100.7:80", Internet),
            (&["198.51.100.7", "10.0.0.1"], "10.0.0.1:80", LocalNetwork),
            (&["198.51.100.7"], "127.0.0.1:80", Machine),
            (&["127.0.0.1"], "0.0.0.0:80", Machine),
        ] {
            assert_eq!(reach(local, &names(addresses)), Some(expected), "{local} {addresses:?}");
        }
    }

    #[test]
    fn a_socket_for_ipv6_only_is_not_reached_by_ipv4() {
        let only = |v6only| listener(1, 80).local("[::]:80").with(|socket| socket.v6only = v6only).build();
        let names = names(&["192.168.1.5"]);
        assert_eq!(Reach::of(&only(Some(true)), &names), Some(Reach::Machine));
        for v6only in [Some(false), None] {
            assert_eq!(Reach::of(&only(v6only), &names), Some(Reach::LocalNetwork));
        }
    }

    #[test]
    fn the_interface_that_it_is_bound_to_must_be_up_and_lead_somewhere() {
        let bound = |index| {
            listener(1, 80).local("0.0.0.0:80").with(|socket| socket.interface = NonZeroU32::new(index)).build()
        };
        let mut names = names(&["192.168.1.5"]);
        assert_eq!(Reach::of(&bound(2), &names), Some(Reach::LocalNetwork));
        assert_eq!(Reach::of(&bound(7), &names), Some(Reach::Machine), "it is down or gone");
        assert_eq!(Reach::of(&bound(1), &names), Some(Reach::Machine), "it is lo");
        // A VRF has no address itself; those of other interfaces can be reached through it.
        names.reachable.insert((NetnsId(0), 7), AddressKinds::default());
        assert_eq!(Reach::of(&bound(7), &names), Some(Reach::LocalNetwork));
    }

    #[test]
    fn what_is_tied_to_the_loopback_interface_is_reached_from_this_machine_alone() {
        for local in ["0.0.0.0:80", "[::]:80", "8.8.8.8:80", "[fe80::1]:80", "10.0.0.1:80", "[::ffff:0.0.0.0]:80"] {
            let tied = |interface| {
                let socket = listener(1, 80).local(local);
                socket.with(|socket| socket.interface = NonZeroU32::new(interface)).build()
            };
            assert_eq!(exposure(&tied(1)), Exposure::Loopback, "{local}");
            assert_eq!(exposure(&tied(2)), Exposure::of(tied(0).local.addr), "{local}");
            assert!(exposure(&tied(2)).is_beyond_loopback(), "{local}");
        }
    }

    #[test]
    fn wider_is_greater_and_names_differ() {
        assert!(Reach::ALL.is_sorted());
        assert!(Reach::ALL.iter().all(|reach| !reach.label().contains(' ') && !reach.words().is_empty()));
    }
}
