//! Routes, as `ip route` shows them.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use crate::model::endpoint::Family;
use crate::model::text::DisplayText;

/// `RT_TABLE_MAIN` (`include/uapi/linux/rtnetlink.h`): the table that `ip route` shows.
pub const TABLE_MAIN: u32 = 254;

/// One route of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// IPv4 or IPv6.
    pub family: Family,
    /// Which table it stands in.
    pub table: u32,
    /// What happens to a packet (`rtm_type`).
    pub kind: u8,
    /// Where packets go; the unspecified address with `prefix_len` 0 is the default route.
    pub destination: IpAddr,
    /// How many bits of `destination` count.
    pub prefix_len: u8,
    /// Only packets from here, with how many bits count (IPv6 source routes).
    pub from: Option<(IpAddr, u8)>,
    /// The next hops: one, or several that share the load; none where packets go nowhere.
    pub hops: Vec<Hop>,
    /// Who made it (`rtm_protocol`).
    pub protocol: u8,
    /// How far the destination is (`rtm_scope`).
    pub scope: u8,
    /// The source address that the machine takes for packets of its own.
    pub source: Option<IpAddr>,
    /// The smaller one wins.
    pub metric: Option<u32>,
    /// The preference of a router (RFC 4191).
    pub preference: Option<u8>,
    /// What it sets for the connections over it, in the kernel's order.
    pub metrics: Vec<Metric>,
    /// The congestion control that it sets (`RTAX_CC_ALGO`).
    pub congestion: Option<DisplayText>,
    /// Only packets with this type of service; 0 for all.
    pub tos: u8,
    /// Its realms, the source's in the upper half (`ip-route`(8)).
    pub realms: Option<u32>,
    /// The nexthop object that it goes over (`ip-nexthop`(8)).
    pub nexthop_id: Option<u32>,
    /// When it ends by itself.
    pub expires: Option<Duration>,
}

/// A number that a route sets for the connections over it (`RTAX_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Which (`RTAX_*`).
    pub kind: u16,
    /// The number, as the kernel has it.
    pub value: u32,
    /// Whether the kernel may not change it: `mtu lock 1400`.
    pub is_locked: bool,
}

/// Where a packet goes next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// The router; `None` if the destination is on the link. It can be an IPv6 one for an IPv4 route (RFC 8950).
    pub gateway: Option<IpAddr>,
    /// The interface, by its index.
    pub index: Option<u32>,
    /// The interface, by name.
    pub interface: Option<DisplayText>,
    /// `RTNH_F_*`.
    pub flags: u8,
    /// Its share, where several hops share the load.
    pub weight: Option<u16>,
    /// What packets are wrapped into on the way (`LWTUNNEL_ENCAP_*`).
    pub encapsulation: Option<u16>,
}

/// `RTPROT_*` of `include/uapi/linux/rtnetlink.h`, named as iproute2 names them (`lib/rt_names.c`, `etc/iproute2/rt_protos`).
const PROTOCOLS: [(u8, &str); 23] = [
    (0, "unspec"),
    (1, "redirect"),
    (2, "kernel"),
    (3, "boot"),
    (4, "static"),
    (8, "gated"),
    (9, "ra"),
    (10, "mrt"),
    (11, "zebra"),
    (12, "bird"),
    (13, "dnrouted"),
    (14, "xorp"),
    (15, "ntk"),
    (16, "dhcp"),
    (17, "mrouted"),
    (18, "keepalived"),
    (42, "babel"),
    (99, "openr"),
    (186, "bgp"),
    (187, "isis"),
    (188, "ospf"),
    (189, "rip"),
    (192, "eigrp"),
];

/// `RT_SCOPE_*`.
const SCOPES: [(u8, &str); 5] = [(0, "global"), (200, "site"), (253, "link"), (254, "host"), (255, "nowhere")];

/// `RTN_*`.
const KINDS: [(u8, &str); 12] = [
    (0, "none"),
    (1, "unicast"),
    (2, "local"),
    (3, "broadcast"),
    (4, "anycast"),
    (5, "multicast"),
    (6, "blackhole"),
    (7, "unreachable"),
    (8, "prohibit"),
    (9, "throw"),
    (10, "nat"),
    (11, "xresolve"),
];

/// `ICMPV6_ROUTER_PREF_*`.
const PREFERENCES: [(u8, &str); 3] = [(0, "medium"), (1, "high"), (3, "low")];

/// `RTNH_F_*`, as `ip route` writes them.
const FLAGS: [(u8, &str); 7] =
    [(1, "dead"), (2, "pervasive"), (4, "onlink"), (8, "offload"), (16, "linkdown"), (32, "unresolved"), (64, "trap")];

/// `RTAX_*` that hold a number, as `ip route` writes them.
const METRICS: [(u16, &str); 15] = [
    (2, "mtu"),
    (3, "window"),
    (4, "rtt"),
    (5, "rttvar"),
    (6, "ssthresh"),
    (7, "cwnd"),
    (8, "advmss"),
    (9, "reordering"),
    (10, "hoplimit"),
    (11, "initcwnd"),
    (12, "features"),
    (13, "rto_min"),
    (14, "initrwnd"),
    (15, "quickack"),
    (17, "fastopen_no_cookie"),
];
/// `RTAX_MTU`, `RTAX_RTT`, `RTAX_RTTVAR`, `RTAX_FEATURES` and `RTAX_RTO_MIN`.
const MTU: u16 = 2;
const RTT: u16 = 4;
const RTT_VARIANCE: u16 = 5;
const FEATURES: u16 = 12;
const RTO_MIN: u16 = 13;
/// `RTAX_FEATURE_ECN`, the only feature that `ip route` names.
const FEATURE_ECN: u32 = 1;

/// `LWTUNNEL_ENCAP_*` (`include/uapi/linux/lwtunnel.h`).
const ENCAPSULATIONS: [(u16, &str); 9] = [
    (1, "mpls"),
    (2, "ip"),
    (3, "ila"),
    (4, "ip6"),
    (5, "seg6"),
    (6, "bpf"),
    (7, "seg6local"),
    (8, "rpl"),
    (9, "ioam6"),
];

/// The name of a number; the number itself where it has none.
fn named<N: Copy + PartialEq + ToString>(names: &[(N, &'static str)], number: N) -> Cow<'static, str> {
    let found = names.iter().find(|(known, _)| *known == number);
    found.map_or_else(|| Cow::Owned(number.to_string()), |(_, name)| Cow::Borrowed(*name))
}

impl Route {
    /// Who made it: `kernel`, `boot`, `static`, `dhcp`.
    pub fn protocol_name(&self) -> Cow<'static, str> {
        named(&PROTOCOLS, self.protocol)
    }

    /// How far the destination is: `global`, `link`, `host`.
    pub fn scope_name(&self) -> Cow<'static, str> {
        named(&SCOPES, self.scope)
    }

    /// What happens to a packet: `unicast`, `blackhole`, `unreachable`.
    pub fn kind_name(&self) -> Cow<'static, str> {
        named(&KINDS, self.kind)
    }

    /// The preference of a router: `medium`, `high`, `low`.
    pub fn preference_name(&self) -> Option<Cow<'static, str>> {
        self.preference.map(|preference| named(&PREFERENCES, preference))
    }

    /// The table: `main`, `local`, `default`, or its number.
    pub fn table_name(&self) -> Cow<'static, str> {
        match self.table {
            TABLE_MAIN => Cow::Borrowed("main"),
            253 => Cow::Borrowed("default"),
            255 => Cow::Borrowed("local"),
            number => Cow::Owned(number.to_string()),
        }
    }

    /// The destination: `default`, `10.0.0.0/8`, or an address alone where all bits count.
    pub fn destination_text(&self) -> String {
        match self.prefix_len {
            0 => "default".to_owned(),
            len => prefix_text(self.destination, len),
        }
    }

    /// The largest packet, in bytes, if the route says so.
    pub fn mtu(&self) -> Option<u32> {
        self.metrics.iter().find(|metric| metric.kind == MTU).map(|metric| metric.value)
    }

    /// The realms as `ip route` writes them: `7`, or `3/7` where the source has one.
    pub fn realms_text(&self) -> Option<String> {
        let realms = self.realms?;
        let (source, own) = (realms >> 16, realms & 0xffff);
        Some(if source == 0 { own.to_string() } else { format!("{source}/{own}") })
    }

    /// Where packets must come from, in the same way.
    pub fn from_text(&self) -> Option<String> {
        self.from.map(|(addr, len)| prefix_text(addr, len))
    }
}

impl Metric {
    /// Its name: `mtu`, `advmss`, `initcwnd`.
    pub fn name(self) -> Cow<'static, str> {
        named(&METRICS, self.kind)
    }

    /// The number in the unit of its text: times are in milliseconds, which the kernel counts in eighths or quarters.
    pub const fn number(self) -> u32 {
        match self.kind {
            RTT => self.value / 8,
            RTT_VARIANCE => self.value / 4,
            _ => self.value,
        }
    }

    /// The number as `ip route` writes it: `1400`, `300ms`, `ecn`.
    pub fn text(self) -> String {
        match self.kind {
            RTT | RTT_VARIANCE | RTO_MIN => format!("{}ms", self.number()),
            FEATURES if self.value == FEATURE_ECN => "ecn".to_owned(),
            FEATURES => format!("{:#x}", self.value),
            _ => self.value.to_string(),
        }
    }
}

impl Hop {
    /// What packets are wrapped into: `mpls`, `ip`, `seg6`.
    pub fn encapsulation_name(&self) -> Option<Cow<'static, str>> {
        self.encapsulation.map(|number| named(&ENCAPSULATIONS, number))
    }

    /// The flags that are set, as `ip route` writes them.
    pub fn flag_names(&self) -> impl Iterator<Item = &'static str> {
        FLAGS.iter().filter(|(bit, _)| self.flags & bit != 0).map(|(_, name)| *name)
    }
}

fn prefix_text(addr: IpAddr, len: u8) -> String {
    let full = if addr.is_ipv4() { 32 } else { 128 };
    if len == full { addr.to_string() } else { format!("{addr}/{len}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_name_are_shown_as_numbers() {
        assert_eq!(named(&PROTOCOLS, 16), "dhcp");
        assert_eq!(named(&PROTOCOLS, 77), "77");
        for names in [&METRICS[..], &ENCAPSULATIONS] {
            assert!(names.is_sorted_by(|a, b| a.0 < b.0), "{names:?}");
        }
        for names in [&PROTOCOLS[..], &SCOPES, &KINDS, &PREFERENCES, &FLAGS] {
            assert!(names.is_sorted_by(|a, b| a.0 < b.0), "{names:?}");
        }
    }

    #[test]
    fn metrics_read_as_ip_writes_them() {
        let text = |kind, value| Metric { kind, value, is_locked: false }.text();
        assert_eq!(
            (text(MTU, 1400), text(RTT, 2400), text(RTT_VARIANCE, 2400)),
            ("1400".into(), "300ms".into(), "600ms".into())
        );
        assert_eq!(
            (text(FEATURES, 1), text(FEATURES, 3), text(RTO_MIN, 5)),
            ("ecn".into(), "0x3".into(), "5ms".into())
        );
    }

    #[test]
    fn prefixes_read_as_ip_writes_them() {
        let text = |addr: &str, len| prefix_text(addr.parse().expect("an address"), len);
        assert_eq!(text("10.0.0.0", 8), "10.0.0.0/8");
        assert_eq!(text("10.0.0.7", 32), "10.0.0.7");
        assert_eq!(text("fd00::", 64), "fd00::/64");
        assert_eq!(text("fd00::7", 128), "fd00::7");
    }
}
