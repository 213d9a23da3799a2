//! Where a socket is bound or connected: protocol, address family, address and port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// The transport protocol of a socket. TCP and UDP have separate port spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
    /// RFC 8684: one connection over several TCP ones, its subflows. It has TCP's states, of its own, and shares TCP's
    /// port space.
    Mptcp,
}

impl Protocol {
    /// Every protocol, in the order in which sources list them.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Mptcp];

    /// The protocols with a port space of their own.
    pub const WITH_PORTS: [Self; 2] = [Self::Tcp, Self::Udp];

    /// The lower-case name used in filters and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Mptcp => "mptcp",
        }
    }

    /// The protocol whose ports it uses: that of its subflows for MPTCP.
    #[must_use]
    pub const fn of_ports(self) -> Self {
        match self {
            Self::Tcp | Self::Mptcp => Self::Tcp,
            Self::Udp => Self::Udp,
        }
    }

    /// Whether its connections have the states of RFC 9293.
    pub const fn has_tcp_states(self) -> bool {
        matches!(self, Self::Tcp | Self::Mptcp)
    }
}

/// The address family of a socket (not of an address: an IPv6 socket may talk to `::ffff:192.0.2.1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// `AF_INET`.
    Ipv4,
    /// `AF_INET6`.
    Ipv6,
}

impl Family {
    /// Both families, in the order in which sources list them.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// The lower-case name used in filters and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }

    /// The address that stands for "any" in this family.
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Self::Ipv4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Self::Ipv6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }
}

/// An address and a port, as the kernel tells them: an IPv6 socket has `::ffff:192.0.2.1` for an IPv4 peer, and the
/// interface of a link-local address stands with the socket. So it is no key and not to be printed:
/// [`Address`](crate::model::address::Address) and [`AddressText`](crate::model::address_text::AddressText) are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// The address; unspecified (`0.0.0.0`, `::`) where there is none.
    pub addr: IpAddr,
    /// The port in host byte order; 0 where there is none.
    pub port: u16,
}

/// Both ends of a connection, ours first.
pub type EndpointPair = (Endpoint, Endpoint);

impl Endpoint {
    /// An endpoint of `addr` and `port`.
    pub const fn new(addr: IpAddr, port: u16) -> Self {
        Self { addr, port }
    }

    /// The family that the address is written in.
    pub const fn family(self) -> Family {
        match self.addr {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }

    /// Whether neither address nor port is set, as in the remote endpoint of a listener.
    pub fn is_unset(self) -> bool {
        self.port == 0 && self.addr.to_canonical().is_unspecified()
    }

    /// As the kernel tells it, `192.0.2.1:80` or `[2001:db8::1]:80`; port 0 (none) as `*`.
    pub fn as_told(self) -> String {
        let addr = match self.addr {
            IpAddr::V4(addr) => addr.to_string(),
            IpAddr::V6(addr) => format!("[{addr}]"),
        };
        if self.port == 0 { format!("{addr}:*") } else { format!("{addr}:{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_told_as_urls_write_them() {
        let v4 = Endpoint::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 80);
        assert_eq!(v4.as_told(), "192.0.2.1:80");
        let v6 = Endpoint::new("2001:db8::1".parse().expect("an address"), 443);
        assert_eq!(v6.as_told(), "[2001:db8::1]:443");
        let any = Endpoint::new(Family::Ipv6.unspecified(), 0);
        assert_eq!(any.as_told(), "[::]:*");
        assert!(any.is_unset());
    }
}
