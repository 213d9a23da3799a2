//! What an address means, however it is written: the key by which peers, destinations and routes are told apart.

use std::net::IpAddr;
use std::num::NonZeroU32;

/// One address: an IPv4 address written as IPv6 (`::ffff:192.0.2.1`) is the IPv4 one, and an address of a link is another
/// one on every link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    ip: IpAddr,
    zone: Option<NonZeroU32>,
}

/// An address and a port: what connections to one service have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// The address.
    pub address: Address,
    /// The port.
    pub port: u16,
}

impl Address {
    /// The address `ip` of a socket that is bound to `interface`, which is the zone of an address that needs one.
    ///
    /// Linux binds every socket with such an address to its link (`inet6_bind`, `tcp_v6_connect`, `tcp_v6_syn_recv_sock`).
    pub const fn new(ip: IpAddr, interface: Option<NonZeroU32>) -> Self {
        let ip = ip.to_canonical();
        Self { ip, zone: if needs_zone(ip) { interface } else { None } }
    }

    /// The address `ip` as a socket sees it that is bound to `interface`: the same number is another address in another
    /// VRF, and on another device it has other ports.
    pub const fn bound(ip: IpAddr, interface: Option<NonZeroU32>) -> Self {
        Self { ip: ip.to_canonical(), zone: interface }
    }

    /// The address itself; never an IPv4 one written as IPv6.
    pub const fn ip(self) -> IpAddr {
        self.ip
    }

    /// The interface, as its index in the network namespace; `None` where there is none or the source does not say.
    pub const fn zone(self) -> Option<NonZeroU32> {
        self.zone
    }

    /// As a filter takes it: with the number of its interface, which is always known and needs no quotes.
    pub fn filter_text(self) -> String {
        self.zone.map_or_else(|| self.ip.to_string(), |index| format!("{}%{index}", self.ip))
    }
}

/// Whether `ip` belongs to one link, so that it takes an interface to mean one place (RFC 4007): `fe80::/10`, and the
/// multicast groups of a link or an interface, `ff02::/16` and `ff01::/16` (`__ipv6_addr_needs_scope_id`,
/// include/net/ipv6.h).
pub const fn needs_zone(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V6(ip) => ip.is_unicast_link_local() || matches!(ip.segments()[0] & 0xff0f, 0xff01 | 0xff02),
        IpAddr::V4(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(text: &str, interface: u32) -> Address {
        Address::new(text.parse().expect("an address"), NonZeroU32::new(interface))
    }

    #[test]
    fn an_ipv4_address_is_the_same_however_it_is_written() {
        for (mapped, plain) in [("::ffff:127.0.0.1", "127.0.0.1"), ("::ffff:0.0.0.0", "0.0.0.0")] {
            assert_eq!(on(mapped, 0), on(plain, 0));
            assert_eq!(on(mapped, 2), on(plain, 0), "an interface makes no other address of it");
        }
    }

    #[test]
    fn an_address_of_a_link_is_another_one_on_another_link() {
        for text in ["fe80::1", "febf::1", "ff02::fb", "ff01::1", "ff12::1"] {
            assert_ne!(on(text, 2), on(text, 3), "{text}");
            assert_eq!(on(text, 2).zone(), NonZeroU32::new(2), "{text}");
        }
        for text in ["::", "::1", "fec0::1", "fd00::1", "ff05::2", "2001:db8::1", "169.254.0.1", "0.0.0.0"] {
            assert_eq!(on(text, 2), on(text, 3), "{text}");
            assert_ne!(Address::bound(on(text, 0).ip(), NonZeroU32::new(2)), on(text, 0), "unless it is asked for");
        }
    }
}
