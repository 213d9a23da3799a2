//! What the kernel is asked for a [`SocketQuery`]: which of its tables it dumps, which states, which test it makes of each
//! socket, and whether it tells the `tcp_info`.
//!
//! A plan never leaves out a socket that the condition admits; it may ask for more. A table of which nothing can match is not
//! dumped. States are chosen by a bitmap, which costs the kernel least. All else is a program (`byte_code`). Both families of
//! TCP stand in one table and come in one walk of it. One walk is all that is asked, as a walk costs more than what it tells:
//! where states are tested in different ways, each socket that passes any of these tests comes.

use std::borrow::Cow;

use crate::model::endpoint::{Family, Protocol};
use crate::model::query::{Condition, SocketEnd, SocketQuery};
use crate::model::snapshot::Scope;
use crate::model::socket::Socket;
use crate::model::tcp_state::{STATES, TcpState};
use crate::source::linux::byte_code::ByteCode;
use crate::source::linux::kernel_test::{KernelTest, KnownFacts};
use crate::source::linux::sock_diag::{BOUND, DumpRequest, LISTENERS, STATES_ALL};
use crate::source::linux::unhashed::Unhashed;

/// `TCPF_NEW_SYN_RECV` (`include/net/tcp_states.h`): how the kernel keeps most sockets in `SYN_RECV`.
const NEW_SYN_RECV: u32 = 1 << 12;

/// What the kernel is asked for one sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpPlan {
    /// The dumps of TCP and UDP. TCP listeners have one of their own, because only of them it is asked what they dropped.
    pub dumps: Vec<PlannedDump>,
    /// The states of the MPTCP sockets that are wanted for themselves; 0 for none.
    pub mptcp: u32,
    /// There may be TCP sockets that carry MPTCP connections: the `tcp_info` tells which, and the process that holds one may
    /// hold nothing but the MPTCP socket.
    pub may_have_subflows: bool,
    /// Which of the sockets that come are listed.
    listed: Listed,
}

/// Which sockets of a dump a sample lists.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Listed {
    All,
    /// Those that meet the condition, and with `listeners` the listeners of TCP.
    Of {
        condition: Condition,
        listeners: bool,
    },
}

/// One dump of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedDump {
    /// Which protocol; never MPTCP.
    pub protocol: Protocol,
    /// IPv4 or IPv6 sockets; `None` for both, of TCP only.
    pub family: Option<Family>,
    /// One bit a state, as in [`DumpRequest::states`].
    pub states: u32,
    /// What the kernel tests of each socket.
    pub test: KernelTest,
    /// Whether the `tcp_info` is asked for.
    pub tcp_info: bool,
}

impl DumpPlan {
    /// Every socket with all that is told of it.
    pub fn everything() -> Self {
        Self::of(&SocketQuery::default(), Unhashed::Possible)
    }

    /// Every socket that `query` asks for. Where it is known that no TCP socket is `unhashed`, none is asked for.
    pub fn of(query: &SocketQuery, unhashed: Unhashed) -> Self {
        let is_whole = finds_unhashed(query, unhashed) || query.condition == Condition::Everything;
        let condition = if is_whole { Condition::Everything } else { query.condition.clone() };
        let admits = |protocol, state, family| {
            let is_absent = unhashed == Unhashed::None && is_unhashed(protocol, state);
            let facts = KnownFacts { protocol, family, state };
            if is_absent { KernelTest::NOTHING } else { KernelTest::of(&condition, facts) }
        };
        let tables = Tables { tcp_info: query.fields.tcp_info, listeners: query.fields.listeners };
        let (dumps, mptcp) = (tables.dumps(&admits), states_passing(Protocol::Mptcp, &admits));
        let listed = if is_whole { Listed::All } else { Listed::Of { condition, listeners: query.fields.listeners } };
        Self { dumps, mptcp, may_have_subflows: true, listed }
    }

    /// The sockets of `scope` with all that is told of them.
    pub fn of_scope(scope: Scope) -> Self {
        let admits = |protocol, state, _| {
            // UDP is listed as a whole.
            let state = if protocol == Protocol::Udp { TcpState::Unconn } else { state };
            if scope.covers(protocol, state) { KernelTest::EVERYTHING } else { KernelTest::NOTHING }
        };
        let mut dumps = Tables { tcp_info: true, listeners: false }.dumps(&admits);
        if !scope.covers(Protocol::Tcp, TcpState::Bound) {
            // Those in `CLOSE` are looked up, which costs less than the walk of the table of ports.
            dumps.iter_mut().filter(|dump| dump.protocol == Protocol::Tcp).for_each(|dump| dump.states &= !BOUND);
        }
        Self { dumps, mptcp: STATES_ALL, may_have_subflows: true, listed: Listed::All }
    }

    /// Whether the sample lists `socket`, which a dump of this plan has told.
    pub fn lists(&self, socket: &Socket) -> bool {
        match &self.listed {
            Listed::All => true,
            Listed::Of { condition, listeners } => {
                // An MPTCP socket is few, and may be the owner of a subflow.
                condition.admits(socket)
                    || socket.protocol == Protocol::Mptcp
                    || (*listeners && socket.protocol == Protocol::Tcp && socket.state == TcpState::Listen)
            }
        }
    }

    /// Whether every socket that a dump tells is listed, and every socket there is comes.
    pub fn is_whole(&self) -> bool {
        self.listed == Listed::All
    }

    /// Whether the kernel has to walk its table of ports for bound sockets.
    pub fn asks_for_bound(&self) -> bool {
        self.dumps.iter().any(|dump| dump.protocol == Protocol::Tcp && dump.states & BOUND != 0)
    }

    /// Whether every TCP listener comes, those that carry MPTCP among them.
    pub fn has_all_listeners(&self) -> bool {
        self.dumps
            .iter()
            .any(|dump| dump.is_of_listeners() && dump.family.is_none() && dump.test == KernelTest::EVERYTHING)
    }

    /// Has the `tcp_info` of connections told, or not.
    pub fn ask_for_tcp_info(&mut self, is_asked: bool) {
        for dump in self.dumps.iter_mut().filter(|dump| dump.protocol == Protocol::Tcp) {
            dump.tcp_info = is_asked;
        }
    }
}

impl PlannedDump {
    /// Every socket of one of the kernel's tables.
    pub const fn of((protocol, family): (Protocol, Family)) -> Self {
        Self {
            protocol,
            family: Some(family),
            states: STATES_ALL,
            test: KernelTest::EVERYTHING,
            tcp_info: matches!(protocol, Protocol::Tcp),
        }
    }

    /// The request for it; `filter` is the program of [`Self::test`].
    pub fn request<'a>(&self, filter: Option<&'a ByteCode>) -> DumpRequest<'a> {
        // The kernel compares these before it prepares a run of the program, for which it reads more of the socket.
        let port = |end| if self.is_of_listeners() { 0 } else { self.test.only_port(end) };
        DumpRequest {
            protocol: self.protocol,
            family: self.family,
            states: self.states,
            tcp_info: self.tcp_info,
            ports: (port(SocketEnd::Local), port(SocketEnd::Remote)),
            filter,
        }
    }

    /// The same, each family by itself, and the table that it is of.
    pub fn apart(&self) -> impl Iterator<Item = (Self, (Protocol, Family))> {
        let families = Family::ALL.into_iter().filter(|family| self.family.is_none_or(|planned| planned == *family));
        families.map(|family| (Self { family: Some(family), ..self.clone() }, (self.protocol, family)))
    }

    /// Whether it is of listeners only.
    pub const fn is_of_listeners(&self) -> bool {
        self.states == LISTENERS
    }
}

/// Whether `query` is answered with less where no TCP socket is unhashed: without owners if it asks for none, and without the
/// sockets that do not match. Who asks for all sockets with their owners has all descriptors read in any case.
pub fn is_less_without_unhashed(query: &SocketQuery) -> bool {
    query.wants_unhashed() && !(query.fields.owner && query.condition == Condition::Everything)
}

/// What is asked for to answer `query`: owners too where unhashed sockets have to be sought.
pub fn with_search(query: &SocketQuery, unhashed: Unhashed) -> Cow<'_, SocketQuery> {
    let mut query = Cow::Borrowed(query);
    if unhashed == Unhashed::Possible && query.wants_unhashed() && !query.fields.owner {
        query.to_mut().fields.owner = true;
    }
    query
}

/// Whether sockets are sought that processes hold and no table lists. To know of an inode that no table lists it, each table
/// has to be read to its end, so that the plan for such a query is a whole one.
pub fn finds_unhashed(query: &SocketQuery, unhashed: Unhashed) -> bool {
    let may_be = unhashed == Unhashed::Possible || !is_less_without_unhashed(query);
    may_be && query.fields.owner && query.wants_unhashed()
}

/// Whether sockets in `state` are hashed nowhere, but for the table of ports.
fn is_unhashed(protocol: Protocol, state: TcpState) -> bool {
    protocol == Protocol::Tcp && matches!(state, TcpState::Close | TcpState::Bound)
}

/// What a plan asks of each table.
struct Tables {
    tcp_info: bool,
    /// Each listener of TCP, whatever it is tested for.
    listeners: bool,
}

/// The test that is left for the sockets of a protocol and a family that are in one state.
type TestOfState<'a> = &'a dyn Fn(Protocol, TcpState, Family) -> KernelTest;

impl Tables {
    fn dumps(&self, test: TestOfState<'_>) -> Vec<PlannedDump> {
        let is_listen = |state: TcpState| state == TcpState::Listen;
        let of_listeners = Family::ALL.map(|family| {
            if self.listeners {
                (LISTENERS, KernelTest::EVERYTHING)
            } else {
                part((Protocol::Tcp, family), is_listen, test)
            }
        });
        let of_others = Family::ALL.map(|family| part((Protocol::Tcp, family), |state| !is_listen(state), test));
        let tcp = [of_listeners, of_others].into_iter().filter_map(|parts| self.tcp(parts));
        let udp = Family::ALL.map(|family| {
            let (states, test) = part((Protocol::Udp, family), |_| true, test);
            // Of the other bits there are no UDP sockets that anybody knows of.
            let states = if states == bits(Protocol::Udp, |_| true) { STATES_ALL } else { states };
            PlannedDump { states, test, ..PlannedDump::of((Protocol::Udp, family)) }
        });
        tcp.chain(udp).filter(|dump| dump.states != 0).collect()
    }

    /// One dump of what is asked of either family.
    fn tcp(&self, [(of_4, test_4), (of_6, test_6)]: [(u32, KernelTest); 2]) -> Option<PlannedDump> {
        let family = match (of_4, of_6) {
            (0, 0) => return None,
            (_, 0) => Some(Family::Ipv4),
            (0, _) => Some(Family::Ipv6),
            (_, _) => None,
        };
        let (states, test) = (of_4 | of_6, KernelTest::any([test_4, test_6]));
        Some(PlannedDump { protocol: Protocol::Tcp, family, states, test, tcp_info: self.tcp_info })
    }
}

/// The states of a table in which a socket can pass, and what is left to test of it in any of them.
fn part(
    (protocol, family): (Protocol, Family),
    is_of: impl Fn(TcpState) -> bool,
    test: TestOfState<'_>,
) -> (u32, KernelTest) {
    let tests: Vec<_> = states_of(protocol)
        .filter(|state| is_of(*state))
        .map(|state| (state, test(protocol, state, family)))
        .filter(|(_, test)| *test != KernelTest::NOTHING)
        .collect();
    let states = bits(protocol, |state| tests.iter().any(|(passing, _)| *passing == state));
    (states, KernelTest::any(tests.into_iter().map(|(_, test)| test)))
}

/// The states of a protocol in which a socket can pass.
fn states_passing(protocol: Protocol, test: TestOfState<'_>) -> u32 {
    Family::ALL.into_iter().fold(0, |states, family| states | part((protocol, family), |_| true, test).0)
}

fn states_of(protocol: Protocol) -> impl Iterator<Item = TcpState> {
    let has = move |state: &TcpState| match protocol {
        Protocol::Udp => matches!(state, TcpState::Unconn | TcpState::Established),
        Protocol::Tcp | Protocol::Mptcp => *state != TcpState::Unconn,
    };
    STATES.iter().map(|row| row.state).filter(has)
}

/// The kernel's bits of the states that are `wanted`.
fn bits(protocol: Protocol, wanted: impl Fn(TcpState) -> bool) -> u32 {
    states_of(protocol).filter(|state| wanted(*state)).fold(0, |bits, state| bits | bits_of(state))
}

/// The bits under which sockets in `state` come. In the table of ports stand sockets that the kernel says `CLOSE` of; without
/// a peer they are `BOUND` (`DiagDecoder::decode`).
fn bits_of(state: TcpState) -> u32 {
    let own = 1u32.wrapping_shl(state.row().kernel_code.into());
    match state {
        TcpState::SynRecv => own | NEW_SYN_RECV,
        TcpState::Close | TcpState::Bound => 1 << 7 | BOUND,
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::query::{IpNetwork, QueryFields, StateSet};
    use crate::source::linux::byte_code::FilterSupport;
    use crate::source::linux::byte_code::tests::{conditions, is_passed, sockets};

    const NONE: QueryFields = QueryFields::NONE;

    fn asked(condition: Condition, fields: QueryFields) -> DumpPlan {
        DumpPlan::of(&SocketQuery { condition, fields, process: None }, Unhashed::Possible)
    }

    fn states(states: &[TcpState]) -> Condition {
        Condition::States(StateSet::of(states))
    }

    /// Protocol, family and states of each dump.
    fn tables(plan: &DumpPlan) -> Vec<(Protocol, Option<Family>, u32)> {
        plan.dumps.iter().map(|dump| (dump.protocol, dump.family, dump.states)).collect()
    }

    const UDP: [(Protocol, Option<Family>, u32); 2] =
        [(Protocol::Udp, Some(Family::Ipv4), STATES_ALL), (Protocol::Udp, Some(Family::Ipv6), STATES_ALL)];

    #[test]
    fn everything_takes_two_dumps_of_tcp_and_two_of_udp() {
        let plan = DumpPlan::everything();
        let tcp = [(Protocol::Tcp, None, LISTENERS), (Protocol::Tcp, None, STATES_ALL ^ LISTENERS)];
        assert_eq!(tables(&plan), [tcp, UDP].concat());
        assert!(plan.is_whole() && plan.has_all_listeners() && plan.mptcp == STATES_ALL);
        assert!(plan.dumps.iter().all(|dump| dump.test == KernelTest::EVERYTHING));
        assert!(plan.dumps[..2].iter().all(|dump| dump.tcp_info));
        let counted = asked(Condition::Everything, NONE);
        assert!(tables(&counted) == tables(&plan) && counted.dumps.iter().all(|dump| !dump.tcp_info));
    }

    #[test]
    fn a_state_is_one_walk_of_one_table() {
        let plan = asked(states(&[TcpState::CloseWait]), NONE);
        assert_eq!(tables(&plan), [(Protocol::Tcp, None, 1 << 8)]);
        assert!(!plan.is_whole() && plan.mptcp == 1 << 8 && plan.dumps[0].test == KernelTest::EVERYTHING);
        let with_listeners = asked(states(&[TcpState::CloseWait]), QueryFields { listeners: true, ..NONE });
        assert_eq!(tables(&with_listeners), [(Protocol::Tcp, None, LISTENERS), (Protocol::Tcp, None, 1 << 8)]);
        assert!(with_listeners.has_all_listeners());
        let half_open = asked(states(&[TcpState::SynRecv]), NONE);
        assert_eq!(tables(&half_open), [(Protocol::Tcp, None, 1 << 3 | NEW_SYN_RECV)]);
    }

    #[test]
    fn bound_sockets_come_under_two_bits_and_established_ones_of_udp_too() {
        assert_eq!(tables(&asked(states(&[TcpState::Bound]), NONE)), [(Protocol::Tcp, None, 1 << 7 | BOUND)]);
        let established = [
            (Protocol::Tcp, None, 1 << 1),
            (Protocol::Udp, Some(Family::Ipv4), 1 << 1),
            (Protocol::Udp, Some(Family::Ipv6), 1 << 1),
        ];
        assert_eq!(tables(&asked(states(&[TcpState::Established]), NONE)), established);
        let unconnected = asked(states(&[TcpState::Unconn]), NONE);
        assert_eq!(tables(&unconnected), UDP.map(|(protocol, family, _)| (protocol, family, 1 << 7)));
    }

    #[test]
    fn a_table_that_cannot_match_is_not_dumped() {
        assert_eq!(tables(&asked(Condition::Protocol(Protocol::Udp), NONE)), UDP);
        assert_eq!(tables(&asked(Condition::Protocol(Protocol::Mptcp), NONE)), []);
        assert_eq!(asked(Condition::Protocol(Protocol::Mptcp), NONE).mptcp, STATES_ALL);
        let ipv6 = asked(Condition::Family(Family::Ipv6), NONE);
        assert!(ipv6.dumps.iter().all(|dump| dump.family == Some(Family::Ipv6)), "{ipv6:?}");
        let network = |text: &str| {
            let network = IpNetwork { addr: text.parse().expect(text), prefix: 8 };
            asked(Condition::Network(SocketEnd::Remote, network), NONE)
        };
        assert!(network("2001:db8::").dumps.iter().all(|dump| dump.family == Some(Family::Ipv6)));
        assert!(network("10.0.0.0").dumps.iter().any(|dump| dump.family.is_none()), "IPv6 sockets have mapped ones");
    }

    #[test]
    fn a_port_that_has_to_be_stands_in_the_request() {
        let port = Condition::Port(SocketEnd::Local, 443, 443);
        let plan = asked(Condition::All(vec![port, states(&[TcpState::Listen, TcpState::CloseWait])]), NONE);
        let ports: Vec<_> = plan.dumps.iter().map(|dump| dump.request(None).ports).collect();
        assert_eq!(ports, [(0, 0), (443, 0)], "of listeners it is the program alone that says it");
        assert!(plan.dumps.iter().all(|dump| ByteCode::of(&dump.test, FilterSupport::All).is_some()));
    }

    #[test]
    fn only_who_asks_for_owners_of_what_may_be_in_close_has_all_tables_read() {
        let fields = QueryFields { owner: true, ..NONE };
        let closed = Condition::All(vec![Condition::Protocol(Protocol::Tcp), states(&[TcpState::Close])]);
        assert!(asked(closed.clone(), fields).is_whole());
        assert_eq!(tables(&asked(closed.clone(), fields)), tables(&DumpPlan::everything()));
        assert!(!asked(closed, NONE).is_whole());
        for no in [
            states(&[TcpState::CloseWait]),
            Condition::Port(SocketEnd::Local, 443, 443),
            Condition::Protocol(Protocol::Udp),
        ] {
            assert!(!asked(no, fields).is_whole());
        }
    }

    #[test]
    fn where_nothing_is_unhashed_less_is_asked_for() {
        let with_owners = QueryFields { owner: true, ..NONE };
        let port = Condition::Port(SocketEnd::Local, 443, 443);
        let closed = Condition::All(vec![Condition::Protocol(Protocol::Tcp), states(&[TcpState::Close])]);
        let hashed = STATES_ALL & !(1 << 7 | BOUND);
        let of_ipv6 = Some(Family::Ipv6);
        let tcp = |family| vec![(Protocol::Tcp, family, LISTENERS), (Protocol::Tcp, family, hashed ^ LISTENERS)];
        for (condition, tcp, udp, is_less) in [
            (Condition::Everything, tcp(None), &UDP[..], true),
            (Condition::Family(Family::Ipv6), tcp(of_ipv6), &UDP[1..], true),
            (closed, vec![], &[], true),
            (port, tcp(None), &UDP, false),
        ] {
            for fields in [NONE, with_owners] {
                let query = SocketQuery { condition: condition.clone(), fields, process: None };
                let is_everything = condition == Condition::Everything;
                let plan = DumpPlan::of(&query, Unhashed::None);
                assert_eq!(tables(&plan), [&tcp[..], udp].concat(), "{query:?}");
                assert!(!plan.asks_for_bound() && plan.is_whole() == is_everything, "{query:?}");
                assert_eq!(is_less_without_unhashed(&query), is_less && !(is_everything && fields.owner), "{query:?}");
                // A proof spares the search; without one, owners are asked for.
                let is_sought = is_less && !is_less_without_unhashed(&query);
                assert_eq!(finds_unhashed(&query, Unhashed::None), is_sought, "{query:?}");
                assert_eq!(*with_search(&query, Unhashed::None), query);
                let sought = with_search(&query, Unhashed::Possible);
                assert_eq!(finds_unhashed(&sought, Unhashed::Possible), is_less, "{query:?}");
                assert_eq!(sought.fields.owner, is_less || fields.owner);
            }
        }
    }

    #[test]
    fn a_scope_is_read_without_the_table_of_ports() {
        let scope = Scope::tcp(&[TcpState::Listen, TcpState::SynRecv, TcpState::Close]);
        let plan = DumpPlan::of_scope(scope);
        let others = 1 << 7 | 1 << 3 | NEW_SYN_RECV;
        assert_eq!(tables(&plan), [(Protocol::Tcp, None, LISTENERS), (Protocol::Tcp, None, others)]);
        assert_eq!(tables(&DumpPlan::of_scope(scope.and_udp()))[2..], UDP);
        assert!(plan.is_whole() && plan.mptcp == STATES_ALL && plan.dumps.iter().all(|dump| dump.tcp_info));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

        /// What the kernel passes is tried in `byte_code`; here, that the socket is asked for and passes the test of its dump.
        #[test]
        fn no_socket_that_is_admitted_is_left_out(
            condition in conditions(),
            socket in sockets(),
            listeners: bool,
            proved: bool,
        ) {
            let unhashed = if proved { Unhashed::None } else { Unhashed::Possible };
            let fields = QueryFields { listeners, ..NONE };
            let plan = DumpPlan::of(&SocketQuery { condition: condition.clone(), fields, process: None }, unhashed);
            if condition.admits(&socket) && !(proved && is_unhashed(socket.protocol, socket.state)) {
                prop_assert!(plan.lists(&socket));
                let own = bits_of(socket.state);
                if socket.protocol == Protocol::Mptcp {
                    prop_assert_eq!(plan.mptcp & own, own);
                } else {
                    let is_of = |dump: &&PlannedDump| {
                        dump.protocol == socket.protocol
                            && dump.family.is_none_or(|family| family == socket.family)
                            && (dump.states & own == own || dump.states == STATES_ALL)
                    };
                    let passes = |dump: &PlannedDump| is_passed(&dump.test, &socket);
                    prop_assert!(plan.dumps.iter().filter(is_of).any(passes), "{:?}", plan);
                }
            }
        }
    }
}
