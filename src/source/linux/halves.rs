//! The two parts in which two threads dump a large table at the same time.
//!
//! The kernel can neither begin a dump in the middle of its table nor say how its sockets are spread, and the first ones of a
//! dump are no fair sample: on Linux 6.18 a connection's place follows its local port (`inet_ehashfn`). So the parts are
//! stripes of ports, whatever the table holds. Each thread walks the whole table, and is told its own part.

use crate::model::endpoint::Protocol;
use crate::model::query::SocketEnd;
use crate::source::linux::kernel_test::{KernelTest, TableShare, TestedFact};
use crate::source::linux::query::PlannedDump;
use crate::source::linux::sock_diag::BOUND;

/// `TCPF_ESTABLISHED` (`include/net/tcp_states.h`).
const ESTABLISHED: u32 = 1 << 1;

/// Whether two threads dump `planned` faster than one: where most sockets of a table are told. Of a few sockets of a large table
/// they do not: the walk is not halved, only what is told. One family may be few.
pub fn are_worth_it(planned: &PlannedDump) -> bool {
    let is_most =
        planned.states & ESTABLISHED != 0 && planned.family.is_none() && planned.test == KernelTest::EVERYTHING;
    planned.protocol == Protocol::Tcp && is_most
}

/// Two dumps that tell each socket of `planned` once.
///
/// What is only bound is told by the first: the kernel walks its table of ports for it, which takes as long as half a walk of all
/// sockets, so that the first part is the smaller one then. It has no remote port. Nor has, strictly, a connection to port 0: both
/// are of the first part, so that each socket is of one part only.
pub fn of(planned: &PlannedDump) -> [PlannedDump; 2] {
    let share = if planned.states & BOUND == 0 { TableShare::HALF } else { TableShare::TWO_FIFTHS };
    let share = TestedFact::Share(share);
    let has_peer = TestedFact::Port(SocketEnd::Remote, 1, u16::MAX);
    let first = KernelTest::any([KernelTest::IsNot(has_peer), KernelTest::Is(share)]);
    let second = KernelTest::all([KernelTest::Is(has_peer), KernelTest::IsNot(share)]);
    // First, as what a program has no room for is left out from the end.
    let part =
        |states, test| PlannedDump { states, test: KernelTest::all([test, planned.test.clone()]), ..planned.clone() };
    [part(planned.states, first), part(planned.states & !BOUND, second)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::endpoint::{Endpoint, Family};
    use crate::model::socket::Socket;
    use crate::model::tcp_state::TcpState;
    use crate::model::testing::tcp;
    use crate::source::linux::byte_code::tests::is_passed;
    use crate::source::linux::query::DumpPlan;
    use crate::source::linux::sock_diag::LISTENERS;

    fn connections() -> PlannedDump {
        let of_tcp = |dump: &PlannedDump| dump.protocol == Protocol::Tcp && !dump.is_of_listeners();
        DumpPlan::everything().dumps.into_iter().find(of_tcp).expect("there is one")
    }

    fn without_bound() -> PlannedDump {
        PlannedDump { states: connections().states & !BOUND, ..connections() }
    }

    fn socket(local: u16, remote: u16) -> Socket {
        let end = |port| Endpoint::new(Family::Ipv4.unspecified(), port);
        Socket { local: end(local), remote: end(remote), state: TcpState::Established, ..tcp(1).build() }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

        #[test]
        fn each_connection_is_told_by_one_part(local: u16, remote: u16, bound: bool) {
            let planned = if bound { connections() } else { without_bound() };
            let share = if bound { TableShare::TWO_FIFTHS } else { TableShare::HALF };
            let told = of(&planned).map(|part| is_passed(&part.test, &socket(local, remote)));
            let is_first = remote == 0 || share.has(local, remote);
            prop_assert_eq!(told, [is_first, !is_first]);
        }
    }

    #[test]
    fn stripes_meet_without_a_gap_or_an_overlap() {
        let edges = || [0, 1, 2_047, 2_048, 2_049, 32_767, 32_768, 63_487, 63_488, u16::MAX];
        for planned in [connections(), without_bound()] {
            let parts = of(&planned);
            for (local, remote) in edges().into_iter().flat_map(|local| edges().map(|remote| (local, remote))) {
                let told = parts.iter().filter(|part| is_passed(&part.test, &socket(local, remote)));
                assert_eq!(told.count(), 1, "{local} {remote}");
            }
        }
    }

    #[test]
    fn bound_sockets_are_told_by_the_first_part_whatever_their_port_is() {
        let [first, second] = of(&connections());
        assert_eq!((first.states & BOUND, second.states & BOUND), (BOUND, 0));
        assert_eq!(first.states & !BOUND, second.states);
        assert!((0..=u16::MAX).step_by(1_024).all(|port| is_passed(&first.test, &socket(port, 0))));
    }

    /// Shapes of load, as ports; the ephemeral ports are those of Linux, of the BSDs and Windows, and all.
    #[test]
    fn the_parts_are_as_large_as_is_meant_whichever_end_has_many_ports() {
        for ephemeral in [32_768..61_000, 49_152..65_535, 1_024..65_535] {
            let ports: Vec<u16> = ephemeral.step_by(7).collect();
            let client: Vec<_> = ports.iter().map(|port| (*port, 443)).collect();
            let server: Vec<_> = ports.iter().map(|port| (443, *port)).collect();
            let both = [&client[..], &server[..]].concat();
            // Which port is at the other end has nothing to do with the port at this one.
            let other = |nth: usize| ports[nth * 7_919 % ports.len()];
            let proxy: Vec<_> = ports.iter().enumerate().map(|(nth, port)| (*port, other(nth))).collect();
            for (name, sockets) in [("client", client), ("server", server), ("both", both), ("proxy", proxy)] {
                let of_share =
                    |share: TableShare| sockets.iter().filter(move |(local, remote)| share.has(*local, *remote));
                let percent = |share: TableShare| 100 * of_share(share).count() / sockets.len();
                assert!((44..=56).contains(&percent(TableShare::HALF)), "{name}: {}", percent(TableShare::HALF));
                let fewer = percent(TableShare::TWO_FIFTHS);
                assert!((32..=50).contains(&fewer), "{name}: {fewer}");
            }
        }
    }

    #[test]
    fn only_the_mass_of_connections_is_read_in_two_parts() {
        assert!(are_worth_it(&connections()) && are_worth_it(&without_bound()));
        let few = PlannedDump { test: KernelTest::port(SocketEnd::Local, 80, 80), ..connections() };
        let listeners = PlannedDump { states: LISTENERS, ..connections() };
        let close_wait = PlannedDump { states: 1 << 8, ..connections() };
        let udp = PlannedDump { protocol: Protocol::Udp, ..connections() };
        let of_ipv6 = PlannedDump { family: Some(Family::Ipv6), ..connections() };
        assert!([few, listeners, close_wait, udp, of_ipv6].iter().all(|planned| !are_worth_it(planned)));
    }
}
