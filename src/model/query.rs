//! Which sockets a sample is asked for, and which facts of them, so that a source need not read what nobody wants.
//!
//! A query never decides what is shown: who asks it applies the whole filter to what comes. A source may list more sockets
//! and tell more of them than it is asked for, and never fewer. Filters and columns are turned into queries by
//! `table::query`; how much of one the kernel of Linux decides is said in `source::linux::query`.

use std::fmt;
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::process::Process;
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;

/// What a sample is to bring of the sockets. The default is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketQuery {
    /// Which sockets have to be listed.
    pub condition: Condition,
    /// What has to be told of them.
    pub fields: QueryFields,
    /// Each wanted socket is held by a process that passes this test. `None`: by any, or by nobody.
    pub process: Option<ProcessTest>,
}

impl SocketQuery {
    /// Whether it asks for every fact of every socket.
    pub fn is_everything(&self) -> bool {
        self.condition == Condition::Everything && self.fields == QueryFields::ALL && self.process.is_none()
    }

    /// Whether TCP sockets in `CLOSE` are wanted that a process holds and no table of the kernel lists: only a look at the
    /// descriptors of all processes finds them ([`Socket::unhashed`]), whether owners are asked for or not. They have no ports
    /// and no addresses.
    pub fn wants_unhashed(&self) -> bool {
        let of = |family: Family, leaf: &Condition| match leaf {
            Condition::States(states) => Some(states.contains(TcpState::Close)),
            Condition::Protocol(protocol) => Some(*protocol == Protocol::Tcp),
            Condition::Family(wanted) => Some(*wanted == family),
            Condition::Port(_, first, _) => Some(*first == 0),
            Condition::Network(_, network) => Some(network.contains(family.unspecified())),
            Condition::Interface(_) => Some(false),
            // That of the process that holds it.
            _ => None,
        };
        Family::ALL.into_iter().any(|family| self.condition.decide(&|leaf| of(family, leaf)) != Some(false))
    }
}

/// What is told of sockets beyond what stands in every message of the kernel: a field that is `false` is read by nobody, so
/// that a source may leave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with a price of its own")]
pub struct QueryFields {
    /// [`Socket::owner`]: a walk over descriptors.
    pub owner: bool,
    /// [`Socket::tcp`]: `tcp_info` makes messages of the kernel three times as long. Ages and verdicts come from it, too.
    pub tcp_info: bool,
    /// Names of units and containers, and control groups where the kernel does not tell them.
    pub units: bool,
    /// Names of users.
    pub users: bool,
    /// The TCP listeners as well, whatever the condition says: which listener a connection came in by follows from them.
    pub listeners: bool,
    /// Limits and gauges of the kernel ([`Facts`](crate::model::facts::Facts) but its counters): some 20 files.
    pub facts: bool,
    /// Counters of the kernel ([`Facts::counters`](crate::model::facts::Facts::counters)).
    pub counters: bool,
    /// How many descriptors each holder of sockets has, and may have
    /// ([`Snapshot::descriptors`](crate::model::snapshot::Snapshot::descriptors)).
    pub descriptors: bool,
    /// Which interfaces lead to others ([`Names::reachable`](crate::model::process::Names::reachable)).
    pub reach: bool,
    /// How many other network namespaces there are
    /// ([`Coverage::other_namespaces`](crate::model::coverage::Coverage::other_namespaces)): a look at every process.
    pub namespaces: bool,
}

impl QueryFields {
    /// Everything.
    #[rustfmt::skip]
    pub const ALL: Self = Self {
        owner: true, tcp_info: true, units: true, users: true, listeners: true,
        facts: true, counters: true, descriptors: true, reach: true, namespaces: true,
    };

    /// Only what stands in every message: protocol, family, state, endpoints, interface, inode, uid, queues, timer, cookie.
    #[rustfmt::skip]
    pub const NONE: Self = Self {
        owner: false, tcp_info: false, units: false, users: false, listeners: false,
        facts: false, counters: false, descriptors: false, reach: false, namespaces: false,
    };

    /// What of it costs most, by name: `processes` is a look at their open files, `tcp_info` makes messages longer.
    pub fn costly(self) -> impl Iterator<Item = &'static str> {
        let costly = [(self.owner, "processes"), (self.tcp_info, "tcp_info")];
        costly.into_iter().filter(|(is_read, _)| *is_read).map(|(_, name)| name)
    }

    /// What either asks for.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            owner: self.owner || other.owner,
            tcp_info: self.tcp_info || other.tcp_info,
            units: self.units || other.units,
            users: self.users || other.users,
            listeners: self.listeners || other.listeners,
            facts: self.facts || other.facts,
            counters: self.counters || other.counters,
            descriptors: self.descriptors || other.descriptors,
            reach: self.reach || other.reach,
            namespaces: self.namespaces || other.namespaces,
        }
    }
}

impl Default for QueryFields {
    fn default() -> Self {
        Self::ALL
    }
}

/// Says of a process whether the sockets that it holds are wanted.
#[derive(Clone)]
pub struct ProcessTest(Arc<dyn Fn(&Process) -> bool + Send + Sync>);

impl ProcessTest {
    /// The test that `passes` makes.
    pub fn new(passes: impl Fn(&Process) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(passes))
    }

    /// Whether `process` passes.
    pub fn passes(&self, process: &Process) -> bool {
        (self.0)(process)
    }
}

impl fmt::Debug for ProcessTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessTest(..)")
    }
}

impl PartialEq for ProcessTest {
    /// Whether it is the same test, not one that passes the same processes.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ProcessTest {}

/// One end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketEnd {
    /// Ours.
    Local,
    /// The other one. Listeners and sockets without a peer have the unspecified address and port 0 there.
    Remote,
}

impl SocketEnd {
    /// That end of `socket`.
    pub const fn of(self, socket: &Socket) -> Endpoint {
        match self {
            Self::Local => socket.local,
            Self::Remote => socket.remote,
        }
    }
}

/// Some of the TCP states, and those of UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSet(u16);

impl StateSet {
    /// Those of which bit `1 << (state as u16)` is set.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// These.
    pub fn of(states: &[TcpState]) -> Self {
        Self(states.iter().fold(0, |bits, state| bits | 1 << *state as u16))
    }

    /// Whether `state` is one of them.
    pub const fn contains(self, state: TcpState) -> bool {
        self.0 & 1 << state as u16 != 0
    }
}

/// An address of a network, and how many leading bits of it count: at most 32 of IPv4, at most 128 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpNetwork {
    /// The address.
    pub addr: IpAddr,
    /// How many bits count.
    pub prefix: u8,
}

impl IpNetwork {
    /// Whether `ip` lies in it; `::ffff:192.0.2.1` counts as the IPv4 address that it is.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.addr, ip.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32u32.saturating_sub(self.prefix.into())).unwrap_or(0);
                (network.to_bits() ^ ip.to_bits()) & mask == 0
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128u32.saturating_sub(self.prefix.into())).unwrap_or(0);
                (network.to_bits() ^ ip.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

/// A condition that a socket meets by itself, without its owner, its `tcp_info` or other sockets: what a kernel can decide
/// while it walks its tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Every socket meets it.
    #[default]
    Everything,
    /// All of these. An empty list is met by every socket.
    All(Vec<Condition>),
    /// Any of these. An empty list is met by none.
    Any(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// The state is one of these.
    States(StateSet),
    /// The protocol.
    Protocol(Protocol),
    /// The family of the socket.
    Family(Family),
    /// The port of one end, the first and the last included.
    Port(SocketEnd, u16, u16),
    /// The address of one end lies in this network.
    Network(SocketEnd, IpNetwork),
    /// The socket is bound to this interface, by its index.
    Interface(NonZeroU32),
    /// The control group of the socket, as the kernel tells it.
    Cgroup(NonZeroU64),
}

impl Condition {
    /// What no socket meets.
    pub const NOTHING: Self = Self::Any(Vec::new());

    /// All of `conditions`, without those that say nothing.
    pub fn all(conditions: impl IntoIterator<Item = Self>) -> Self {
        let mut kept = Vec::new();
        for condition in conditions {
            match condition {
                Self::Everything => {}
                Self::All(inner) => kept.extend(inner),
                Self::Any(inner) if inner.is_empty() => return Self::NOTHING,
                other => kept.push(other),
            }
        }
        single_or(kept, Self::Everything, Self::All)
    }

    /// Any of `conditions`, without those that no socket meets.
    pub fn any(conditions: impl IntoIterator<Item = Self>) -> Self {
        let mut kept = Vec::new();
        for condition in conditions {
            match condition {
                Self::Everything => return Self::Everything,
                Self::Any(inner) => kept.extend(inner),
                other => kept.push(other),
            }
        }
        single_or(kept, Self::NOTHING, Self::Any)
    }

    /// Neither port nor address of `end` is set, as the other end of a listener ([`Endpoint::is_unset`]).
    pub fn unset(end: SocketEnd) -> Self {
        let network = |addr: IpAddr| IpNetwork { addr, prefix: if addr.is_ipv4() { 32 } else { 128 } };
        let any = Family::ALL.map(|family| Self::Network(end, network(family.unspecified())));
        Self::all([Self::Port(end, 0, 0), Self::any(any)])
    }

    /// Not `condition`.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Everything => Self::NOTHING,
            Self::Any(inner) if inner.is_empty() => Self::Everything,
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// Whether a socket meets it of which `tell` says what single conditions it meets; `None` where it does not know of one
    /// that decides. `tell` is asked neither for lists nor for negations.
    pub fn decide(&self, tell: &impl Fn(&Self) -> Option<bool>) -> Option<bool> {
        let among = |conditions: &[Self], decisive: bool| {
            let mut found = Some(!decisive);
            for condition in conditions {
                match condition.decide(tell) {
                    Some(answer) if answer == decisive => return Some(decisive),
                    Some(_) => {}
                    None => found = None,
                }
            }
            found
        };
        match self {
            Self::Everything => Some(true),
            Self::All(conditions) => among(conditions, false),
            Self::Any(conditions) => among(conditions, true),
            Self::Not(condition) => condition.decide(tell).map(|is_met| !is_met),
            leaf => tell(leaf),
        }
    }

    /// Whether `socket` meets it.
    pub fn admits(&self, socket: &Socket) -> bool {
        match self {
            Self::Everything => true,
            Self::All(conditions) => conditions.iter().all(|condition| condition.admits(socket)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.admits(socket)),
            Self::Not(condition) => !condition.admits(socket),
            Self::States(states) => states.contains(socket.state),
            Self::Protocol(protocol) => socket.protocol == *protocol,
            Self::Family(family) => socket.family == *family,
            Self::Port(end, first, last) => (*first..=*last).contains(&end.of(socket).port),
            Self::Network(end, network) => network.contains(end.of(socket).addr),
            Self::Interface(index) => socket.interface == Some(*index),
            Self::Cgroup(id) => socket.cgroup == Some(*id),
        }
    }
}

fn single_or(mut conditions: Vec<Condition>, empty: Condition, list: fn(Vec<Condition>) -> Condition) -> Condition {
    match conditions.len() {
        0 => empty,
        1 => conditions.remove(0),
        _ => list(conditions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{listener, tcp, udp};

    fn network(text: &str, prefix: u8) -> IpNetwork {
        IpNetwork { addr: text.parse().expect(text), prefix }
    }

    #[test]
    fn a_condition_is_met_by_what_it_says() {
        use Condition::{All, Any, Everything, Family as OfFamily, Network, Not, Port, Protocol as OfProtocol, States};
        let socket = tcp(1).local("10.0.0.7:443").remote("[::ffff:192.0.2.9]:5000").state(TcpState::CloseWait).build();
        let is = |condition: Condition| condition.admits(&socket);
        assert!(is(Everything) && is(All(vec![])) && !is(Any(vec![])) && !is(Not(Box::new(Everything))));
        assert!(is(States(StateSet::of(&[TcpState::CloseWait, TcpState::Listen]))));
        assert!(!is(States(StateSet::of(&[TcpState::Listen]))));
        assert!(is(OfProtocol(Protocol::Tcp)) && is(OfFamily(socket.family)));
        assert!(is(Port(SocketEnd::Local, 443, 443)) && !is(Port(SocketEnd::Remote, 443, 443)));
        assert!(is(Network(SocketEnd::Remote, network("192.0.2.0", 24))), "a mapped address is IPv4");
        assert!(!is(Network(SocketEnd::Local, network("192.0.2.0", 24))));
        assert!(is(Any(vec![OfProtocol(Protocol::Udp), Port(SocketEnd::Remote, 4_000, 5_000)])));
        assert!(
            !OfProtocol(Protocol::Tcp).admits(&udp(2, 53).build())
                && is(Network(SocketEnd::Local, network("0.0.0.0", 0)))
        );
        assert!(
            Condition::unset(SocketEnd::Remote).admits(&listener(3, 80).build())
                && !is(Condition::unset(SocketEnd::Remote))
        );
        assert!(!Condition::Interface(NonZeroU32::MIN).admits(&listener(3, 80).build()));
    }

    #[test]
    fn a_network_has_the_bits_that_its_prefix_says() {
        for (addr, prefix, ip, is_in) in [
            ("10.0.0.0", 8, "10.255.0.1", true),
            ("10.0.0.0", 8, "11.0.0.1", false),
            ("10.0.0.1", 32, "10.0.0.2", false),
            ("0.0.0.0", 0, "255.0.0.1", true),
            ("::", 0, "2001:db8::1", true),
            ("::", 0, "10.0.0.1", false),
            ("2001:db8::", 32, "2001:db8:ffff::1", true),
            ("2001:db8::1", 128, "2001:db8::2", false),
        ] {
            assert_eq!(network(addr, prefix).contains(ip.parse().expect(ip)), is_in, "{ip} in {addr}/{prefix}");
        }
    }

    #[test]
    fn lists_are_made_without_what_says_nothing() {
        use Condition::{All, Any, Everything, Not, Protocol as OfProtocol};
        const NOTHING: Condition = Condition::NOTHING;
        let (tcp, udp) = (OfProtocol(Protocol::Tcp), OfProtocol(Protocol::Udp));
        assert_eq!(Condition::all([]), Everything);
        assert_eq!(Condition::any([]), NOTHING);
        assert_eq!(Condition::all([Everything, tcp.clone()]), tcp);
        assert_eq!(Condition::any([NOTHING, tcp.clone()]), tcp);
        assert_eq!(Condition::all([tcp.clone(), NOTHING]), NOTHING);
        assert_eq!(Condition::any([tcp.clone(), Everything]), Everything);
        let both = vec![tcp.clone(), udp.clone()];
        assert_eq!(Condition::any([Any(both.clone())]), Any(both.clone()));
        assert_eq!(
            Condition::all([tcp.clone(), All(vec![udp, tcp.clone()])]),
            All([&both[..], std::slice::from_ref(&tcp)].concat())
        );
        assert_eq!(Everything.negated(), NOTHING);
        assert_eq!(tcp.clone().negated(), Not(Box::new(tcp.clone())));
        assert_eq!(tcp.clone().negated().negated(), tcp);
    }

    #[test]
    fn what_is_not_known_decides_nothing_by_itself() {
        use Condition::{All, Any, Everything, Not, Protocol as OfProtocol};
        const NOTHING: Condition = Condition::NOTHING;
        let (tcp, udp, unknown) =
            (OfProtocol(Protocol::Tcp), OfProtocol(Protocol::Udp), Condition::Cgroup(NonZeroU64::MIN));
        let tell = |leaf: &Condition| match leaf {
            OfProtocol(protocol) => Some(*protocol == Protocol::Tcp),
            _ => None,
        };
        for (condition, answer) in [
            (Everything, Some(true)),
            (NOTHING, Some(false)),
            (unknown.clone(), None),
            (Not(Box::new(unknown.clone())), None),
            (All(vec![unknown.clone(), tcp.clone()]), None),
            (All(vec![unknown.clone(), udp.clone()]), Some(false)),
            (Any(vec![unknown.clone(), tcp.clone()]), Some(true)),
            (Any(vec![udp.clone(), unknown]), None),
            (All(vec![tcp.clone(), tcp]), Some(true)),
            (Not(Box::new(udp)), Some(true)),
        ] {
            assert_eq!(condition.decide(&tell), answer, "{condition:?}");
        }
    }

    #[test]
    fn sockets_outside_of_the_tables_are_sought_where_they_can_be_meant() {
        use Condition::{Cgroup, Everything, Network, Not, Port, Protocol as OfProtocol, States};
        let wants = |condition: Condition| SocketQuery { condition, ..SocketQuery::default() }.wants_unhashed();
        let listen = || States(StateSet::of(&[TcpState::Listen]));
        assert!(wants(Everything) && wants(OfProtocol(Protocol::Tcp)) && wants(Condition::Family(Family::Ipv6)));
        assert!(wants(States(StateSet::of(&[TcpState::Close]))) && wants(Not(Box::new(listen()))));
        assert!(wants(Cgroup(NonZeroU64::MIN)) && wants(Network(SocketEnd::Local, network("0.0.0.0", 0))));
        assert!(!wants(listen()) && !wants(OfProtocol(Protocol::Udp)) && !wants(Condition::Interface(NonZeroU32::MIN)));
        assert!(!wants(Port(SocketEnd::Local, 80, 80)) && !wants(Network(SocketEnd::Remote, network("10.0.0.0", 8))));
        assert!(wants(Port(SocketEnd::Remote, 0, 0)) && !wants(Condition::NOTHING));
    }

    #[test]
    fn the_default_asks_for_everything() {
        assert!(SocketQuery::default().is_everything());
        let narrow = SocketQuery { fields: QueryFields::NONE, ..SocketQuery::default() };
        assert!(!narrow.is_everything() && QueryFields::NONE.and(QueryFields::ALL) == QueryFields::ALL);
    }
}
