//! What was opened and what ended is counted per route, for a minute, within bounds.

use super::*;
use crate::model::delta::{Connection, Delta};
use crate::model::facts::PortRange;
use crate::model::tcp_state::TcpState;
use crate::model::testing::{self, SocketBuilder, connection, listener, source_info, tcp};
use crate::store::Store;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn facts() -> std::sync::Arc<Facts> {
    let range = PortRange { first: 32_768, last: 60_999 };
    std::sync::Arc::new(Facts { ephemeral_ports: Some(range), ..Facts::default() })
}

fn transition(socket: SocketBuilder, from: Option<TcpState>, to: Option<TcpState>) -> Transition {
    testing::transition(socket, 0, from, to)
}

fn client(port: u64, remote: &str) -> SocketBuilder {
    tcp(port).local(&format!("10.0.0.7:{port}")).remote(remote)
}

fn opened(port: u64, remote: &str) -> Transition {
    transition(client(port, remote), None, Some(TcpState::Established))
}

fn gone(port: u64, remote: &str) -> Transition {
    transition(client(port, remote), Some(TcpState::TimeWait), None)
}

fn route(remote: &str) -> PortPool {
    let socket = client(40_000, remote).build();
    PortPool::of(&socket.reference())
}

/// A store that has been watching since second 0, with a listener on 40,080.
fn store() -> Store {
    let mut store = Store::new(source_info());
    let added: Vec<Connection> = vec![connection(listener(1, 40_080), 0)];
    store.apply(Delta { added, facts: facts(), at: at(0), ..Delta::default() });
    store
}

fn sample(store: &mut Store, second: u64, transitions: Vec<Transition>) {
    store.apply(Delta { transitions, facts: facts(), at: at(second), ..Delta::default() });
}

const CACHE: &str = "10.0.0.31:6379";

#[test]
fn a_minute_of_each_route_is_counted_and_then_forgotten() {
    let mut store = store();
    assert_eq!(store.port_churn().churn(route(CACHE)), None, "nothing was watched yet");
    for second in 1..=120 {
        sample(&mut store, second, vec![opened(41_000 + second, CACHE), opened(50_000, "10.0.0.20:5432")]);
    }
    let churn = store.port_churn().churn(route(CACHE)).expect("watched for long enough");
    assert_eq!((churn.over, churn.opened, churn.gone), (Duration::from_secs(60), 61, 0));
    assert!((churn.per_second() - 1.0).abs() < 0.05);
    sample(&mut store, 300, vec![]);
    assert_eq!(store.port_churn().churn(route(CACHE)).map(|churn| churn.opened), Some(0));
    assert!(store.port_churn().found.is_empty(), "idle routes take no room");
}

#[test]
fn only_ports_that_the_kernel_chose_count() {
    let mut store = store();
    sample(
        &mut store,
        10,
        vec![
            opened(40_000, CACHE),
            opened(1_000, CACHE),
            // Came to our listener, whose port is in the range.
            opened(40_080, "10.0.0.99:50000"),
            transition(client(40_001, CACHE), Some(TcpState::Established), Some(TcpState::TimeWait)),
            opened(40_002, "[::ffff:10.0.0.31]:6379"),
        ],
    );
    assert_eq!(store.port_churn().churn(route(CACHE)).map(|churn| (churn.opened, churn.gone)), Some((2, 0)));
    assert_eq!(store.port_churn().found.len(), 1);
}

#[test]
fn more_routes_than_there_is_room_for_are_unknown_not_idle() {
    let mut store = store();
    let many = (0..ROUTES_LEN_MAX + 9).map(|nth| opened(40_000, &format!("10.1.{}.{}:80", nth / 250, nth % 250 + 1)));
    sample(&mut store, 10, many.collect());
    assert_eq!(store.port_churn().found.len(), ROUTES_LEN_MAX);
    assert_eq!(store.port_churn().churn(route(CACHE)), None);
    assert!(store.port_churn().churn(route("10.1.0.1:80")).is_some());
    sample(&mut store, 100, vec![]);
    assert_eq!(store.port_churn().churn(route(CACHE)).map(|churn| churn.opened), Some(0));
}

#[test]
fn what_grows_runs_out_and_what_is_steady_does_not() {
    let churn = |opened, gone, seconds| Churn { over: Duration::from_secs(seconds), opened, gone };
    assert_eq!(churn(6_000, 0, 60).runs_out(20_000), Some(Duration::from_secs(200)));
    assert_eq!(churn(6_000, 5_900, 60).runs_out(20_000), None, "as much came as went, but for chance");
    assert_eq!(churn(100, 200, 60).runs_out(5), None, "it shrinks");
    assert_eq!(churn(600, 0, 6).runs_out(100), None, "too short to tell");
    assert_eq!(churn(600, 0, 60).runs_out(0), Some(Duration::ZERO));
    assert_eq!(churn(0, 0, 60).runs_out(0), None);
}

#[test]
fn an_end_gives_the_port_back() {
    let mut store = store();
    for second in 1..=30 {
        let both = vec![opened(40_000 + second, CACHE), gone(41_000 + second, CACHE)];
        sample(&mut store, second, both);
    }
    let churn = store.port_churn().churn(route(CACHE)).expect("watched for long enough");
    assert_eq!((churn.opened, churn.gone), (30, 30));
}

#[test]
fn an_ipv4_client_and_a_mapped_one_share_their_ports_and_those_of_another_interface_do_not() {
    let on = |local: &str, remote: &str, interface| {
        let socket = crate::model::testing::tcp(1).local(local).remote(remote);
        PortPool::of(&socket.with(|socket| socket.interface = std::num::NonZeroU32::new(interface)).build().reference())
    };
    let plain = on("10.0.0.1:40000", "10.0.0.2:80", 0);
    assert_eq!(on("[::ffff:10.0.0.1]:40001", "[::ffff:10.0.0.2]:80", 0), plain);
    assert_ne!(on("10.0.0.1:40000", "10.0.0.2:81", 0), plain);
    assert_ne!(on("10.0.0.1:40000", "10.0.0.2:80", 3), plain, "another VRF");
    assert_ne!(on("[fe80::1]:40000", "[fe80::2]:80", 3), on("[fe80::1]:40000", "[fe80::2]:80", 4), "another link");
}
