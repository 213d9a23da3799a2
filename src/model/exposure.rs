//! Who can reach an address, as far as the address says. (What interfaces add: `reach`.)

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::model::endpoint::Family;

/// How far a bound address reaches, from the smallest to the widest.
///
/// Says what the address allows, not what a firewall or a NAT forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exposure {
    /// 127.0.0.0/8, `::1`, or (of a socket) any address tied to the interface lo: this machine only.
    Loopback,
    /// An address that is not routed on the internet: RFC 1918, RFC 6598 (100.64.0.0/10), RFC 4193 (`fc00::/7`), link-local
    /// (169.254.0.0/16, `fe80::/10`), and multicast.
    Private,
    /// One public address.
    Public,
    /// 0.0.0.0 or `::`: every address that the machine has or will get.
    All,
}

impl Exposure {
    /// Every exposure, the smallest first.
    pub const ALL: [Self; 4] = [Self::Loopback, Self::Private, Self::Public, Self::All];

    /// How far `addr` reaches. An IPv4 address written as an IPv6 one (`::ffff:192.0.2.1`) counts as the IPv4 one.
    pub fn of(addr: IpAddr) -> Self {
        match addr.to_canonical() {
            addr if addr.is_unspecified() => Self::All,
            addr if addr.is_loopback() => Self::Loopback,
            IpAddr::V4(addr) if is_private_v4(addr) => Self::Private,
            IpAddr::V6(addr) if is_private_v6(addr) => Self::Private,
            _ => Self::Public,
        }
    }

    /// The name in JSON and filters.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Public => "public",
            Self::All => "all",
        }
    }

    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Public => "public",
            Self::All => "all addresses",
        }
    }

    /// Whether others than this machine can reach it.
    pub const fn is_beyond_loopback(self) -> bool {
        !matches!(self, Self::Loopback)
    }
}

/// Which kinds of address an interface has: private or public ones, of each family. Loopback addresses are no kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressKinds(u8);

impl AddressKinds {
    /// The kind of this address; none for a loopback address.
    pub fn of(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        Self::bit(if ip.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }, Exposure::of(ip))
    }

    const fn bit(family: Family, exposure: Exposure) -> Self {
        let bit = match exposure {
            Exposure::Private => 1,
            Exposure::Public => 2,
            Exposure::Loopback | Exposure::All => 0,
        };
        Self(match family {
            Family::Ipv4 => bit,
            Family::Ipv6 => bit << 2,
        })
    }

    /// Those of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that both have.
    #[must_use]
    pub const fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// A bit each, as recordings hold them.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Those with these [`Self::bits`]; what no kind has is left out.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 0b1111)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The private and the public ones of a family.
    pub const fn family(family: Family) -> Self {
        Self::bit(family, Exposure::Private).with(Self::bit(family, Exposure::Public))
    }

    /// Whether one of them is public.
    pub const fn has_public(self) -> bool {
        let public = Self::bit(Family::Ipv4, Exposure::Public).with(Self::bit(Family::Ipv6, Exposure::Public));
        !self.common(public).is_empty()
    }
}

fn is_private_v4(addr: Ipv4Addr) -> bool {
    // RFC 6598, shared by a provider's customers: 100.64.0.0/10.
    let is_shared = u32::from(addr) >> 22 == 0b01_1001_0001;
    addr.is_private() || addr.is_link_local() || addr.is_multicast() || addr.is_broadcast() || is_shared
}

const fn is_private_v6(addr: Ipv6Addr) -> bool {
    addr.is_unique_local() || addr.is_unicast_link_local() || addr.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_the_reach_that_its_rfc_gives_it() {
        for (exposure, addresses) in [
            (Exposure::Loopback, &["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.53"][..]),
            (
                Exposure::Private,
                &[
                    "10.0.0.1",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "169.254.0.1",
                    "100.64.0.1",
                    "100.127.255.255",
                    "224.0.0.251",
                    "255.255.255.255",
                    "fd00::1",
                    "fe80::1",
                    "ff02::fb",
                    "::ffff:10.0.0.1",
                ],
            ),
            (
                Exposure::Public,
                &["8.8.8.8", "100.63.255.255", "100.128.0.0", "172.32.0.1", "2001:db8::1", "::ffff:8.8.8.8"],
            ),
            (Exposure::All, &["0.0.0.0", "::", "::ffff:0.0.0.0"]),
        ] {
            for address in addresses {
                assert_eq!(Exposure::of(address.parse().expect("an address")), exposure, "{address}");
            }
        }
    }

    #[test]
    fn wider_is_greater() {
        assert!(Exposure::ALL.is_sorted());
        assert!(Exposure::ALL.iter().skip(1).all(|exposure| exposure.is_beyond_loopback()));
    }
}
