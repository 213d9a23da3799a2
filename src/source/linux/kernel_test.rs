//! What the kernel can test of one socket while it walks its tables: a [`Condition`] of which protocol, family and state are
//! known already, as these are chosen by the request itself.

use std::num::{NonZeroU32, NonZeroU64};

use crate::model::endpoint::{Family, Protocol};
use crate::model::query::{Condition, IpNetwork, SocketEnd};
use crate::model::tcp_state::TcpState;

/// A test of one socket. Negations stand only before facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelTest {
    /// All of these are met. An empty list is met by every socket.
    All(Vec<KernelTest>),
    /// Any of these is met. An empty list is met by none.
    Any(Vec<KernelTest>),
    /// This is so.
    Is(TestedFact),
    /// This is not so.
    IsNot(TestedFact),
}

/// What is asked of one field of a socket, with the meaning that [`Condition`] gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestedFact {
    /// The port of one end lies between these, both included.
    Port(SocketEnd, u16, u16),
    /// The address of one end lies in this network.
    Network(SocketEnd, IpNetwork),
    /// It is bound to this interface.
    Interface(NonZeroU32),
    /// It is of this control group.
    Cgroup(NonZeroU64),
    /// It is of this share of the table.
    Share(TableShare),
}

/// A share of a table, by both ports of a socket. Ports lie in stripes of [`STRIPE_LEN`]; the numbers of the two stripes are
/// added and divided by `divisor`, and the socket is of the share if the remainder is less than `below`.
///
/// Stripes are wide enough for a short program, and there are enough of them in the range of ephemeral ports of any system
/// that the shares come out even. Both ports count, so that it does not matter which end of a connection has one port for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableShare {
    /// At least 1.
    pub divisor: u16,
    /// Between 0 and the divisor.
    pub below: u16,
}

/// How many ports a stripe has.
pub const STRIPE_LEN: u16 = 2_048;
/// How many stripes there are.
pub const STRIPES: u16 = 32;

impl TableShare {
    /// Every second stripe.
    pub const HALF: Self = Self { divisor: 2, below: 1 };
    /// Two of five stripes.
    pub const TWO_FIFTHS: Self = Self { divisor: 5, below: 2 };

    /// Whether a socket with these ports is of the share.
    pub fn has(self, local: u16, remote: u16) -> bool {
        (local / STRIPE_LEN + remote / STRIPE_LEN) % self.divisor < self.below
    }
}

/// What is known of every socket that a test is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownFacts {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its family.
    pub family: Family,
    /// Its state.
    pub state: TcpState,
}

impl KernelTest {
    /// The test that every socket passes.
    pub const EVERYTHING: Self = Self::All(Vec::new());
    /// The test that no socket passes.
    pub const NOTHING: Self = Self::Any(Vec::new());

    /// What is left to test of `condition` where this much is known of a socket.
    pub fn of(condition: &Condition, known: KnownFacts) -> Self {
        Self::whether(condition, true, known)
    }

    /// The test whether `condition` is met (`is_met`), or whether it is not.
    fn whether(condition: &Condition, is_met: bool, known: KnownFacts) -> Self {
        let every = |conditions: &[Condition]| -> Vec<Self> {
            conditions.iter().map(|condition| Self::whether(condition, is_met, known)).collect()
        };
        let fact = |fact: TestedFact| match fact.outcome(known) {
            Some(outcome) => Self::always(outcome == is_met),
            None if is_met => Self::Is(fact),
            None => Self::IsNot(fact),
        };
        match condition {
            Condition::Everything => Self::always(is_met),
            Condition::All(conditions) if is_met => Self::all(every(conditions)),
            Condition::Any(conditions) if !is_met => Self::all(every(conditions)),
            Condition::All(conditions) | Condition::Any(conditions) => Self::any(every(conditions)),
            Condition::Not(condition) => Self::whether(condition, !is_met, known),
            Condition::States(states) => Self::always(states.contains(known.state) == is_met),
            Condition::Protocol(protocol) => Self::always((*protocol == known.protocol) == is_met),
            Condition::Family(family) => Self::always((*family == known.family) == is_met),
            Condition::Port(end, first, last) => fact(TestedFact::Port(*end, *first, *last)),
            Condition::Network(end, network) => fact(TestedFact::Network(*end, *network)),
            Condition::Interface(index) => fact(TestedFact::Interface(*index)),
            Condition::Cgroup(id) => fact(TestedFact::Cgroup(*id)),
        }
    }

    /// The test that is passed by all sockets or by none.
    const fn always(is_passed: bool) -> Self {
        if is_passed { Self::EVERYTHING } else { Self::NOTHING }
    }

    /// The test that is passed if all of `tests` are.
    pub fn all(tests: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Vec::new();
        for test in tests {
            match test {
                Self::All(tests) => tests.into_iter().for_each(|test| add(&mut all, test)),
                test if test == Self::NOTHING => return test,
                test => add(&mut all, test),
            }
        }
        if all.len() == 1 { all.remove(0) } else { Self::All(all) }
    }

    /// The test that is passed if any of `tests` is.
    pub fn any(tests: impl IntoIterator<Item = Self>) -> Self {
        let mut any = Vec::new();
        for test in tests {
            match test {
                Self::Any(tests) => tests.into_iter().for_each(|test| add(&mut any, test)),
                test if test == Self::EVERYTHING => return test,
                test => add(&mut any, test),
            }
        }
        if any.len() == 1 { any.remove(0) } else { Self::Any(any) }
    }

    /// The test whether a port of `end` lies between `first` and `last`, both included.
    pub fn port(end: SocketEnd, first: u16, last: u16) -> Self {
        let port = TestedFact::Port(end, first, last);
        port.outcome_of_port().map_or(Self::Is(port), Self::always)
    }

    /// The only port of `end` with which a socket can pass; 0 where there are several or it has to be 0.
    pub fn only_port(&self, end: SocketEnd) -> u16 {
        let tests = if let Self::All(tests) = self { tests } else { std::slice::from_ref(self) };
        let port = tests.iter().find_map(|test| match test {
            Self::Is(TestedFact::Port(of, first, last)) if *of == end && first == last => Some(*first),
            _ => None,
        });
        port.unwrap_or(0)
    }

    /// A test that is passed by the same sockets and by some more: each fact that `knows` refuses may be so or not.
    #[must_use]
    pub fn without(&self, knows: &impl Fn(&TestedFact) -> bool) -> Self {
        match self {
            Self::All(tests) => Self::all(tests.iter().map(|test| test.without(knows))),
            Self::Any(tests) => Self::any(tests.iter().map(|test| test.without(knows))),
            Self::Is(fact) | Self::IsNot(fact) if !knows(fact) => Self::EVERYTHING,
            test => test.clone(),
        }
    }
}

fn add(tests: &mut Vec<KernelTest>, test: KernelTest) {
    if !tests.contains(&test) {
        tests.push(test);
    }
}

impl TestedFact {
    /// Whether it is so, if that is the same for all sockets of which this much is known.
    fn outcome(&self, known: KnownFacts) -> Option<bool> {
        match self {
            // A socket is called bound only if it has no peer (`DiagDecoder::decode`).
            Self::Port(SocketEnd::Remote, first, _) if known.state == TcpState::Bound => Some(*first == 0),
            Self::Port(..) => self.outcome_of_port(),
            // An IPv6 socket may have an IPv4 address, the reverse is not so.
            Self::Network(_, network) if network.addr.is_ipv6() && known.family == Family::Ipv4 => Some(false),
            Self::Network(..) | Self::Interface(_) | Self::Cgroup(_) | Self::Share(_) => None,
        }
    }

    const fn outcome_of_port(&self) -> Option<bool> {
        match self {
            Self::Port(_, first, last) if *first > *last => Some(false),
            Self::Port(_, 0, u16::MAX) => Some(true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::query::StateSet;

    const KNOWN: KnownFacts =
        KnownFacts { protocol: Protocol::Tcp, family: Family::Ipv6, state: TcpState::Established };

    fn of(condition: &Condition) -> KernelTest {
        KernelTest::of(condition, KNOWN)
    }

    fn port(number: u16) -> Condition {
        Condition::Port(SocketEnd::Local, number, number)
    }

    fn network(text: &str, prefix: u8) -> Condition {
        Condition::Network(SocketEnd::Remote, IpNetwork { addr: text.parse().expect(text), prefix })
    }

    #[test]
    fn what_is_known_is_not_tested() {
        let established = Condition::States(StateSet::of(&[TcpState::Established]));
        assert_eq!(of(&Condition::Everything), KernelTest::EVERYTHING);
        assert_eq!(
            of(&Condition::All(vec![established.clone(), port(80)])),
            KernelTest::port(SocketEnd::Local, 80, 80)
        );
        assert_eq!(of(&Condition::Any(vec![established.clone(), port(80)])), KernelTest::EVERYTHING);
        assert_eq!(of(&Condition::Not(Box::new(established))), KernelTest::NOTHING);
        assert_eq!(of(&Condition::Protocol(Protocol::Udp)), KernelTest::NOTHING);
        assert_eq!(of(&Condition::Family(Family::Ipv6)), KernelTest::EVERYTHING);
        assert_eq!(of(&Condition::Port(SocketEnd::Local, 0, u16::MAX)), KernelTest::EVERYTHING);
        assert_eq!(of(&Condition::Port(SocketEnd::Local, 2, 1)), KernelTest::NOTHING);
    }

    #[test]
    fn an_ipv4_network_can_hold_an_ipv6_socket_and_not_the_reverse() {
        let ipv4 = KnownFacts { family: Family::Ipv4, ..KNOWN };
        assert!(matches!(of(&network("10.0.0.0", 8)), KernelTest::Is(_)));
        assert!(matches!(KernelTest::of(&network("10.0.0.0", 8), ipv4), KernelTest::Is(_)));
        assert_eq!(KernelTest::of(&network("2001:db8::", 32), ipv4), KernelTest::NOTHING);
    }

    #[test]
    fn a_bound_socket_has_no_peer() {
        let bound = KnownFacts { state: TcpState::Bound, ..KNOWN };
        let peer = |first| KernelTest::of(&Condition::Port(SocketEnd::Remote, first, 9), bound);
        assert_eq!((peer(0), peer(1)), (KernelTest::EVERYTHING, KernelTest::NOTHING));
    }

    #[test]
    fn negations_stand_before_facts() {
        let neither = of(&Condition::Not(Box::new(Condition::Any(vec![port(1), Condition::Not(Box::new(port(2)))]))));
        let fact = |number| TestedFact::Port(SocketEnd::Local, number, number);
        assert_eq!(neither, KernelTest::All(vec![KernelTest::IsNot(fact(1)), KernelTest::Is(fact(2))]));
        assert_eq!(neither.only_port(SocketEnd::Local), 2);
        assert_eq!(neither.only_port(SocketEnd::Remote), 0);
        assert_eq!(neither.without(&|known| *known == fact(2)), KernelTest::Is(fact(2)));
    }

    #[test]
    fn the_same_is_tested_once() {
        assert_eq!(of(&Condition::Any(vec![port(1), port(1)])), KernelTest::port(SocketEnd::Local, 1, 1));
        assert_eq!(of(&Condition::All(vec![])), KernelTest::EVERYTHING);
        assert_eq!(of(&Condition::Any(vec![])), KernelTest::NOTHING);
    }
}
