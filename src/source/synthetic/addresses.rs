//! Where the made-up machine is in the network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::socket::NetnsId;

/// The network namespace of the made-up machine (the first one after boot has this number or one near it).
pub const NETNS: NetnsId = NetnsId(4_026_531_840);
/// The machine's own address.
pub const LOCAL_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));
/// The machine's own IPv6 address.
pub const LOCAL_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 7, 0, 0, 0, 7));
