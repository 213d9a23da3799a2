//! The made-up interfaces and routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::endpoint::Family;
use crate::model::interface::{Interface, Received, Sent};
use crate::model::network::{LinkState, Network, NetworkInterface};
use crate::model::route::{Hop, Route, TABLE_MAIN};
use crate::model::text::DisplayText;

/// `RTN_UNICAST`, `RTPROT_KERNEL`, `RTPROT_DHCP`, `RTPROT_RA`, `RT_SCOPE_LINK`, `RT_SCOPE_UNIVERSE`.
const UNICAST: u8 = 1;
const BY_KERNEL: u8 = 2;
const BY_DHCP: u8 = 16;
const BY_ROUTER: u8 = 9;
const ON_LINK: u8 = 253;
const ANYWHERE: u8 = 0;

/// One interface: its name and number, its state and speed, and how busy it is.
struct Made {
    index: u32,
    name: &'static str,
    state: LinkState,
    mtu_bytes: u32,
    speed_megabits: Option<u32>,
    /// Bytes a second in and out, on average.
    flow: (u64, u64),
}

const INTERFACES: [Made; 3] = [
    Made {
        index: 1,
        name: "lo",
        state: LinkState::Unknown,
        mtu_bytes: 65_536,
        speed_megabits: None,
        flow: (9_200, 9_200),
    },
    Made {
        index: 2,
        name: "eth0",
        state: LinkState::Up,
        mtu_bytes: 1_500,
        speed_megabits: Some(10_000),
        flow: (4_300_000, 23_000_000),
    },
    Made { index: 3, name: "docker0", state: LinkState::Down, mtu_bytes: 1_500, speed_megabits: None, flow: (0, 0) },
];

/// Bytes of a packet, on average.
const PACKET_BYTES: u64 = 870;
/// A day of traffic went by before the demo began.
const SECONDS_BEFORE: u64 = 86_400;
/// One packet in this many seconds is dropped because the program did not read in time.
const SECONDS_A_DROP: u64 = 40;

/// What is so after `second` samples, which are a second apart.
pub fn network(second: u32) -> Network {
    let passed = SECONDS_BEFORE + u64::from(second);
    Network {
        interfaces: INTERFACES.iter().map(|made| interface(made, passed, second)).collect(),
        routes: routes(),
        is_cut: false,
        degraded: Vec::new(),
    }
}

/// The traffic rises and falls in a rhythm of its own: what has flown by is the sum of it.
fn flown(per_second: u64, passed: u64) -> u64 {
    const WAVE: [u64; 12] = [100, 118, 132, 140, 128, 110, 96, 84, 76, 70, 66, 80];
    let sum: u64 = WAVE.iter().sum();
    let (rounds, rest) = (passed / 12, usize::try_from(passed % 12).unwrap_or(0));
    (rounds * sum + WAVE[..rest].iter().sum::<u64>()) * per_second / 100
}

fn interface(made: &Made, passed: u64, second: u32) -> NetworkInterface {
    let (received, sent) = (flown(made.flow.0, passed), flown(made.flow.1, passed + 5));
    let dropped = if made.name == "eth0" { u64::from(second) / SECONDS_A_DROP } else { 0 };
    let counted = Interface {
        name: DisplayText::from(made.name),
        received: Received { bytes: received, packets: received / PACKET_BYTES, dropped, ..Received::default() },
        sent: Sent { bytes: sent, packets: sent / PACKET_BYTES, ..Sent::default() },
    };
    NetworkInterface {
        index: made.index,
        counted,
        mtu_bytes: Some(made.mtu_bytes),
        state: made.state,
        speed_megabits: made.speed_megabits,
    }
}

fn routes() -> Vec<Route> {
    let v4 = |a, b, c, d| IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    let link_local = |last: u16| IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last));
    let own = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 0, 0));
    let any6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    vec![
        Route {
            metric: Some(100),
            source: Some(v4(10, 0, 0, 7)),
            ..route((v4(0, 0, 0, 0), 0), Some(v4(10, 0, 0, 1)), (2, "eth0"), BY_DHCP)
        },
        Route { source: Some(v4(10, 0, 0, 7)), ..route((v4(10, 0, 0, 0), 24), None, (2, "eth0"), BY_KERNEL) },
        Route { source: Some(v4(172, 17, 0, 1)), ..route((v4(172, 17, 0, 0), 16), None, (3, "docker0"), BY_KERNEL) },
        Route { metric: Some(1_024), ..route((any6, 0), Some(link_local(1)), (2, "eth0"), BY_ROUTER) },
        Route { metric: Some(256), ..route((own, 64), None, (2, "eth0"), BY_KERNEL) },
        Route { metric: Some(256), ..route((link_local(0), 64), None, (2, "eth0"), BY_KERNEL) },
    ]
}

fn route((destination, prefix_len): (IpAddr, u8), gateway: Option<IpAddr>, link: (u32, &str), protocol: u8) -> Route {
    let hop = Hop { gateway, index: Some(link.0), interface: Some(DisplayText::from(link.1)), ..Hop::default() };
    Route {
        family: if destination.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 },
        table: TABLE_MAIN,
        kind: UNICAST,
        destination,
        prefix_len,
        from: None,
        hops: vec![hop],
        protocol,
        scope: if gateway.is_some() { ANYWHERE } else { ON_LINK },
        source: None,
        metric: None,
        preference: None,
        metrics: Vec::new(),
        congestion: None,
        tos: 0,
        realms: None,
        nexthop_id: None,
        expires: None,
    }
}
