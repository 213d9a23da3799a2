//! The protocols that `-p` knows: one table for connections, statistics and routes.

use crate::model::endpoint::{Family, Protocol};
use crate::model::socket::Socket;

/// One protocol.
#[derive(Debug)]
pub struct ProtocolRow {
    /// What `-p` calls it, in any case.
    pub name: &'static str,
    /// The heading of its statistics.
    pub title: &'static str,
    /// The kernel's groups of counters.
    pub groups: &'static [&'static str],
    /// Its sockets; `None` for protocols that conntop lists no sockets of.
    pub sockets: Option<(Protocol, Family)>,
    /// The family of its routes; `None` where the family is not all there is to it.
    pub routes: Option<Family>,
}

/// Every protocol, in the order in which statistics are shown.
#[rustfmt::skip]
pub static PROTOCOLS: [ProtocolRow; 8] = [
    ProtocolRow { name: "IP",     title: "IPv4 Statistics",                     groups: &["Ip", "IpExt"],                sockets: None,                                  routes: Some(Family::Ipv4) },
    ProtocolRow { name: "IPv6",   title: "IPv6 Statistics",                     groups: &["Ip6"],                        sockets: None,                                  routes: Some(Family::Ipv6) },
    ProtocolRow { name: "ICMP",   title: "ICMPv4 Statistics",                   groups: &["Icmp", "IcmpMsg"],            sockets: None,                                  routes: None },
    ProtocolRow { name: "ICMPv6", title: "ICMPv6 Statistics",                   groups: &["Icmp6"],                      sockets: None,                                  routes: None },
    ProtocolRow { name: "TCP",    title: "TCP Statistics for IPv4 and IPv6",    groups: &["Tcp", "TcpExt", "MPTcpExt"],  sockets: Some((Protocol::Tcp, Family::Ipv4)),   routes: None },
    ProtocolRow { name: "TCPv6",  title: "TCP Statistics for IPv4 and IPv6",    groups: &["Tcp", "TcpExt", "MPTcpExt"],  sockets: Some((Protocol::Tcp, Family::Ipv6)),   routes: None },
    ProtocolRow { name: "UDP",    title: "UDP Statistics for IPv4",             groups: &["Udp", "UdpLite"],             sockets: Some((Protocol::Udp, Family::Ipv4)),   routes: None },
    ProtocolRow { name: "UDPv6",  title: "UDP Statistics for IPv6",             groups: &["Udp6", "UdpLite6"],           sockets: Some((Protocol::Udp, Family::Ipv6)),   routes: None },
];

/// The protocol called `name`, in any case.
pub fn find(name: &str) -> Option<&'static ProtocolRow> {
    PROTOCOLS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

/// The names of those protocols that `is_fit` takes, as words of a sentence: `TCP, TCPv6, UDP and UDPv6`.
pub fn names(is_fit: impl Fn(&ProtocolRow) -> bool) -> String {
    let names: Vec<_> = PROTOCOLS.iter().filter(|row| is_fit(row)).map(|row| row.name).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

impl ProtocolRow {
    /// Whether `socket` speaks this protocol.
    ///
    /// A socket of the family IPv6 can speak IPv4: to peers like `::ffff:192.0.2.1`, and, if it is bound to `::` and not to
    /// IPv6 only (`IPV6_V6ONLY`), to any. Such a one is shown for both, for whoever looks for what holds a port must find
    /// it; so is one of which the source does not say. A connection is of the family that is on the wire.
    pub fn has(&self, socket: &Socket) -> bool {
        let Some((protocol, family)) = self.sockets else { return false };
        let is_fit = match family {
            Family::Ipv4 if socket.remote.is_unset() => socket.may_serve_ipv4(),
            Family::Ipv4 => socket.local.addr.to_canonical().is_ipv4(),
            Family::Ipv6 => socket.local.addr.to_canonical().is_ipv6(),
        };
        socket.protocol == protocol && is_fit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{listener, tcp, udp};

    #[test]
    fn names_are_taken_in_any_case() {
        for name in ["tcp", "TCPv6", "udpV6", "UDP", "ip", "IPV6", "icmp", "ICMPv6"] {
            assert!(find(name).is_some_and(|row| row.name.eq_ignore_ascii_case(name)), "{name}");
        }
        assert!(find("sctp").is_none());
        assert_eq!(names(|row| row.sockets.is_some()), "TCP, TCPv6, UDP and UDPv6");
    }

    #[test]
    fn a_socket_is_of_the_family_on_the_wire_and_one_for_any_is_of_both() {
        let has = |name: &str, socket: &Socket| find(name).expect("known").has(socket);
        let plain = tcp(1).build();
        assert!(has("tcp", &plain) && !has("tcpv6", &plain) && !has("udp", &plain));
        let both = listener(2, 80).local("[::]:80").remote("[::]:0").build();
        assert!(has("tcp", &both) && has("tcpv6", &both));
        for (v6only, is_ipv4) in [(None, true), (Some(false), true), (Some(true), false)] {
            for socket in [both.clone(), udp(2, 53).local("[::]:53").build()] {
                let (socket, name) = (Socket { v6only, ..socket }, both.protocol.name());
                let name = if socket.protocol == both.protocol { name } else { "udp" };
                assert_eq!(has(name, &socket), is_ipv4, "{socket:?}");
                assert!(has(&format!("{name}v6"), &socket), "{socket:?}");
            }
        }
        let one = listener(2, 80).local("[fd00::1]:80").with(|socket| socket.v6only = Some(false)).build();
        assert!(!has("tcp", &one) && has("tcpv6", &one), "it has no IPv4 address");
        let every_ipv4 = listener(2, 80).local("[::ffff:0.0.0.0]:80").build();
        assert!(has("tcp", &every_ipv4) && !has("tcpv6", &every_ipv4));
        let mapped = tcp(3).local("[::ffff:10.0.0.1]:80").remote("[::ffff:10.0.0.2]:5000").build();
        assert!(has("tcp", &mapped) && !has("tcpv6", &mapped));
        let six = tcp(4).local("[fd00::1]:80").remote("[fd00::2]:5000").build();
        assert!(!has("tcp", &six) && has("tcpv6", &six));
        assert!(has("udp", &udp(5, 53).build()) && !has("icmp", &udp(5, 53).build()));
    }
}
