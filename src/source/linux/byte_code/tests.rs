//! Programs run as the kernel runs them, and checked as it checks them; conditions and sockets that often meet.

use std::num::{NonZeroU32, NonZeroU64};

use proptest::prelude::*;

use super::*;
use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::query::{Condition, StateSet};
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::model::testing::tcp;
use crate::source::linux::kernel_test::KnownFacts;

fn half(code: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([code[at], code[at + 1]])
}

/// `bitstring_match`.
fn bits_match(one: &[u8], other: &[u8], bits: usize) -> bool {
    let bit = |bytes: &[u8], nth: usize| bytes[nth / 8] >> (7 - nth % 8) & 1;
    (0..bits).all(|nth| bit(one, nth) == bit(other, nth))
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}

/// The comparison of `INET_DIAG_BC_S_COND` and `INET_DIAG_BC_D_COND`.
fn host_is(socket: &Socket, end: Endpoint, cond: &[u8]) -> bool {
    let (family, prefix) = (cond[0], usize::from(cond[1]));
    let port = i32::from_ne_bytes([cond[4], cond[5], cond[6], cond[7]]);
    if port != -1 && port != i32::from(end.port) {
        return false;
    }
    let (addr, wanted) = (octets(end.addr), &cond[8..]);
    let entry = if socket.family == Family::Ipv4 { AF_INET } else { AF_INET6 };
    if family != AF_UNSPEC && family != entry {
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
        return entry == AF_INET6
            && family == AF_INET
            && addr[..12] == mapped
            && bits_match(&addr[12..], wanted, prefix);
    }
    prefix == 0 || bits_match(&addr, wanted, prefix)
}

/// What the kernel does (`inet_diag_bc_run`).
fn passes(code: &[u8], socket: &Socket) -> bool {
    let (mut rest, mut at) = (i64::try_from(code.len()).expect("short"), 0);
    while rest > 0 {
        let (local, remote) = (socket.local, socket.remote);
        let yes = match code[at] {
            INET_DIAG_BC_JMP => false,
            INET_DIAG_BC_S_GE => local.port >= half(code, at + 6),
            INET_DIAG_BC_S_LE => local.port <= half(code, at + 6),
            INET_DIAG_BC_D_GE => remote.port >= half(code, at + 6),
            INET_DIAG_BC_D_LE => remote.port <= half(code, at + 6),
            INET_DIAG_BC_S_COND => host_is(socket, local, &code[at + 4..]),
            INET_DIAG_BC_D_COND => host_is(socket, remote, &code[at + 4..]),
            INET_DIAG_BC_DEV_COND => socket.interface.map_or(0, NonZeroU32::get).to_ne_bytes() == code[at + 4..at + 8],
            INET_DIAG_BC_CGROUP_COND => socket.cgroup.map_or(0, NonZeroU64::get).to_ne_bytes() == code[at + 4..at + 12],
            other => panic!("operation {other}"),
        };
        let jump = if yes { u16::from(code[at + 1]) } else { half(code, at + 2) };
        (rest, at) = (rest - i64::from(jump), at + usize::from(jump));
    }
    rest == 0
}

/// What the kernel accepts (`inet_diag_bc_audit`, `valid_cc`).
fn is_accepted(code: &[u8]) -> bool {
    let starts =
        || std::iter::successors(Some(0), |at| Some(at + usize::from(code[*at + 1])).filter(|at| *at < code.len()));
    let mut end = 0;
    for at in starts() {
        let rest = code.len() - at;
        let operands = match code[at] {
            INET_DIAG_BC_JMP => 0,
            INET_DIAG_BC_S_GE | INET_DIAG_BC_S_LE | INET_DIAG_BC_D_GE | INET_DIAG_BC_D_LE | INET_DIAG_BC_DEV_COND => 4,
            INET_DIAG_BC_CGROUP_COND => 8,
            INET_DIAG_BC_S_COND | INET_DIAG_BC_D_COND => {
                let addr = match code[at + 4] {
                    AF_UNSPEC => 0,
                    AF_INET => 4,
                    AF_INET6 => 16,
                    _ => return false,
                };
                if usize::from(code[at + 5]) > 8 * addr {
                    return false;
                }
                8 + addr
            }
            _ => return false,
        };
        let least = 4 + operands;
        let (yes, no) = (usize::from(code[at + 1]), usize::from(half(code, at + 2)));
        let is_fine = |jump: usize| jump >= least && jump <= rest + 4 && jump.is_multiple_of(4);
        if !is_fine(yes) || !is_fine(no) || (no < rest && !starts().any(|start| start == at + no)) {
            return false;
        }
        end = at + yes;
    }
    code.len() >= 4 && end == code.len()
}

/// Whether the kernel passes `socket`.
pub fn is_passed(test: &KernelTest, socket: &Socket) -> bool {
    program(test).is_none_or(|code| passes(&code, socket))
}

fn program(test: &KernelTest) -> Option<Vec<u8>> {
    ByteCode::of(test, FilterSupport::All).map(|code| {
        let attribute = code.attribute();
        assert_eq!(usize::from(half(attribute, 0)), attribute.len());
        assert_eq!(half(attribute, 2), INET_DIAG_REQ_BYTECODE);
        assert!(is_accepted(&attribute[4..]), "{test:?}: {attribute:?}");
        attribute[4..].to_vec()
    })
}

fn ends() -> impl Strategy<Value = SocketEnd> {
    prop_oneof![Just(SocketEnd::Local), Just(SocketEnd::Remote)]
}

/// Few different ones, so that conditions and sockets often meet.
fn addresses() -> impl Strategy<Value = IpAddr> {
    let some = [
        "0.0.0.0",
        "10.0.0.1",
        "10.0.1.1",
        "192.0.2.9",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::ffff:192.0.2.9",
        "2001:db8::1",
        "fe80::1",
    ];
    prop::sample::select(some.map(|text| text.parse::<IpAddr>().expect(text)).to_vec())
}

fn networks() -> impl Strategy<Value = IpNetwork> {
    let prefix = prop_oneof![
        Just(0u8),
        Just(8),
        Just(24),
        Just(31),
        Just(32),
        Just(64),
        Just(95),
        Just(96),
        Just(97),
        Just(104),
        0u8..=128
    ];
    (addresses(), prefix)
        .prop_map(|(addr, prefix)| IpNetwork { addr, prefix: prefix.min(if addr.is_ipv4() { 32 } else { 128 }) })
}

fn ports() -> impl Strategy<Value = u16> {
    prop_oneof![Just(0u16), Just(1), Just(80), Just(443), Just(u16::MAX)]
}

/// Conditions of every kind, up to four deep.
pub fn conditions() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![
        Just(Condition::Everything),
        (0u16..1 << 13).prop_map(|bits| Condition::States(StateSet::from_bits(bits))),
        prop::sample::select(Protocol::ALL.to_vec()).prop_map(Condition::Protocol),
        prop::sample::select(Family::ALL.to_vec()).prop_map(Condition::Family),
        (ends(), ports(), ports()).prop_map(|(end, first, last)| Condition::Port(end, first, last)),
        (ends(), networks()).prop_map(|(end, network)| Condition::Network(end, network)),
        (1u32..4).prop_map(|index| NonZeroU32::new(index).map_or(Condition::Everything, Condition::Interface)),
        (1u64..4).prop_map(|id| NonZeroU64::new(id).map_or(Condition::Everything, Condition::Cgroup)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Condition::Any),
            inner.prop_map(|condition| Condition::Not(Box::new(condition))),
        ]
    })
}

/// Sockets as the kernel may have them.
pub fn sockets() -> impl Strategy<Value = Socket> {
    let end = || (addresses(), ports());
    let state =
        prop::sample::select(vec![TcpState::Listen, TcpState::Established, TcpState::TimeWait, TcpState::Bound]);
    let protocol = prop::sample::select(Protocol::ALL.to_vec());
    (end(), end(), state, protocol, 0u32..4, 0u64..4).prop_map(|(local, remote, state, protocol, interface, cgroup)| {
        let family = if local.0.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        let state = if protocol == Protocol::Udp {
            if state == TcpState::Established { state } else { TcpState::Unconn }
        } else {
            state
        };
        let suits = remote.0.is_ipv4() == local.0.is_ipv4();
        let peer = if suits && state != TcpState::Bound {
            Endpoint::new(remote.0, remote.1)
        } else {
            Endpoint::new(family.unspecified(), 0)
        };
        Socket {
            protocol,
            state,
            family,
            local: Endpoint::new(local.0, local.1),
            remote: peer,
            interface: NonZeroU32::new(interface),
            cgroup: NonZeroU64::new(cgroup),
            ..tcp(1).build()
        }
    })
}

fn known(socket: &Socket) -> KnownFacts {
    KnownFacts { protocol: socket.protocol, family: socket.family, state: socket.state }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_kernel_accepts_each_program_and_lets_pass_what_the_condition_admits(condition in conditions(), socket in sockets()) {
        let test = KernelTest::of(&condition, known(&socket));
        prop_assert_eq!(is_passed(&test, &socket), condition.admits(&socket), "{:?}", test);
    }

    #[test]
    fn a_kernel_that_understands_less_lets_more_pass(condition in conditions(), socket in sockets()) {
        let test = KernelTest::of(&condition, known(&socket));
        for support in [FilterSupport::PortsAndNetworks, FilterSupport::None] {
            let code = ByteCode::of(&test, support);
            let let_through = code.as_ref().is_none_or(|code| passes(&code.attribute()[4..], &socket));
            prop_assert!(let_through || !condition.admits(&socket));
            prop_assert!(support != FilterSupport::None || code.is_none());
        }
    }
}

#[test]
fn a_program_that_would_be_too_long_lets_more_pass() {
    let some = |end, step: u16| {
        KernelTest::Any((0..1_000).map(|nth| KernelTest::port(end, nth * step + 1, nth * step + 1)).collect())
    };
    let exact = KernelTest::port(SocketEnd::Remote, 443, 443);
    assert_eq!(program(&some(SocketEnd::Local, 50)), None);
    let kept = program(&KernelTest::All(vec![some(SocketEnd::Local, 50), exact.clone()]));
    assert_eq!(kept, program(&exact));
    let short = KernelTest::Any((1..400).map(|port| KernelTest::port(SocketEnd::Local, port * 2, port * 2)).collect());
    assert!(program(&short).is_some_and(|code| code.len() <= PROGRAM_LEN_MAX));
}

#[test]
fn the_program_of_nothing_lets_nothing_pass() {
    let code = program(&KernelTest::NOTHING).expect("a program");
    assert!(!passes(&code, &tcp(1).build()));
    assert_eq!(program(&KernelTest::EVERYTHING), None);
}

#[test]
fn what_was_refused_is_asked_for_no_more() {
    assert_eq!(FilterSupport::All.less(), FilterSupport::PortsAndNetworks);
    assert_eq!(FilterSupport::PortsAndNetworks.less(), FilterSupport::None);
}
