//! Filters made up from the columns, against sockets made up of all that a source can tell.

use std::num::NonZeroU32;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::model::delta::Delta;
use crate::model::endpoint::Endpoint;
use crate::model::process::{Holders, Names, Owner, Thread};
use crate::model::socket::{NetnsId, Socket};
use crate::model::testing::{connection, process, source_info, tcp};
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::column::ValueKind;
use crate::table::filter::EITHER_END;

const ADDRESSES: [&str; 9] =
    ["0.0.0.0", "::", "::ffff:0.0.0.0", "10.0.0.1", "10.9.0.1", "::ffff:10.0.0.1", "fe80::1", "2001:db8::1", "::1"];
const NETWORKS: [&str; 12] = [
    "0.0.0.0",
    "0.0.0.0/0",
    "::",
    "::/0",
    "10.0.0.0/8",
    "10.0.0.1",
    "::ffff:10.0.0.0/104",
    "::ffff:0:0/90",
    "fe80::1%v0",
    "fe80::/10",
    "0.0.0.0%3",
    "2001:db8::/32",
];
const PORTS: [u16; 6] = [0, 22, 80, 443, 8_080, 65_535];
const STATE_WORDS: [&str; 7] = ["close", "listen", "close-wait,time-wait", "connected", "/wait/", "bound", "unconn"];

fn store() -> Store {
    let names = Names {
        users: [(1_000, "alice".into()), (33, "80".into())].into(),
        interfaces: [((NetnsId(0), 3), "v0".into()), ((NetnsId(0), 4), "3".into())].into(),
        units: [(7, "nginx.service".into())].into(),
        ..Names::default()
    };
    let mut store = Store::new(source_info());
    store.apply(Delta { at: Timestamp::from_millis(90_000), names: Arc::new(names), ..Delta::default() });
    store
}

fn owner() -> impl Strategy<Value = Owner> {
    let threaded = || {
        let mut process = (*process(812, "java")).clone();
        process.thread = Some(Thread { tid: 813, name: "nginx".into() });
        Arc::new(process)
    };
    let holders = |all: Vec<_>| Arc::new(Holders::new(all).expect("some process"));
    select(vec![
        Owner::None,
        Owner::Hidden,
        Owner::Unaccepted,
        Owner::Live(holders(vec![process(80, "nginx")])),
        Owner::Live(holders(vec![process(80, "nginx"), process(443, "app")])),
        Owner::Live(holders(vec![threaded()])),
        Owner::Remembered(holders(vec![process(443, "app")])),
    ])
}

prop_compose! {
    fn endpoint()(addr in select(&ADDRESSES[..]), port in select(&PORTS[..])) -> Endpoint {
        Endpoint::new(addr.parse().expect(addr), port)
    }
}

prop_compose! {
    /// A socket of any kind, also such as no kernel has.
    fn socket()(
        (protocol, family) in (select(&Protocol::ALL[..]), select(&Family::ALL[..])),
        state in select(STATES.iter().map(|row| row.state).collect::<Vec<_>>()),
        (local, remote) in (endpoint(), endpoint()),
        is_unset in any::<bool>(),
        (v6only, interface) in (any::<Option<bool>>(), 0..5u32),
        cgroup in select(&[0, 7, 8, NO_CGROUP + 1][..]),
        owner in owner(),
        (uid, inode) in (select(&[None, Some(33), Some(1_000)][..]), 0..3u32),
    ) -> Socket {
        let remote = if is_unset { Endpoint::new(family.unspecified(), 0) } else { remote };
        tcp(1).owner(owner).with(|socket| {
            (socket.protocol, socket.family, socket.state) = (protocol, family, state);
            (socket.local, socket.remote, socket.v6only) = (local, remote, v6only);
            (socket.interface, socket.cgroup) = (NonZeroU32::new(interface), NonZeroU64::new(cgroup));
            (socket.uid, socket.inode) = (uid, NonZeroU32::new(inode));
        }).build()
    }
}

/// A value for a column of `kind`, as people write it.
fn value(kind: ValueKind) -> BoxedStrategy<String> {
    let port =
        || select(&["0", "80", "443", "22-80", "443,8080", "https", "0-65535", "/8/"][..]).prop_map(str::to_owned);
    let net = || select(&NETWORKS[..]).prop_map(str::to_owned);
    let known = select(&["null", "*", "?"][..]).prop_map(str::to_owned);
    let special = match kind {
        ValueKind::State => select(&STATE_WORDS[..]).prop_map(str::to_owned).boxed(),
        ValueKind::Port => port().boxed(),
        ValueKind::Address => prop_oneof![net(), Just("10.*".to_owned())].boxed(),
        ValueKind::Endpoint => {
            let both =
                (select(&["10.0.0.1", "[::]", "0.0.0.0", "[::ffff:10.0.0.1]", "10.0.0.0/8"][..]), select(&PORTS[..]));
            prop_oneof![net(), port(), both.prop_map(|(addr, port)| format!("{addr}:{port}"))].boxed()
        }
        ValueKind::Word(labels) => select(labels.to_vec()).prop_map(str::to_owned).boxed(),
        ValueKind::Flag => select(&["true", "false"][..]).prop_map(str::to_owned).boxed(),
        ValueKind::Text => {
            select(&["nginx", "a", "http", "https", "/^n/", "alice", "v0", "*"][..]).prop_map(str::to_owned).boxed()
        }
        ValueKind::Span => select(&["1s", "5s-60s"][..]).prop_map(str::to_owned).boxed(),
        _ => select(&["0", "1", "7", "80", "443", "80-443"][..]).prop_map(str::to_owned).boxed(),
    };
    prop_oneof![6 => special, 1 => known].boxed()
}

/// The keys with the kinds of their values.
fn keys() -> Vec<(&'static str, ValueKind)> {
    let of = |key: &str| COLUMNS.iter().find(|column| column.key == key).map(|column| column.kind).expect("a column");
    let columns = COLUMNS.iter().filter(|column| !column.is_hint).map(|column| (column.key, column.kind));
    columns.chain(EITHER_END.iter().map(|(key, [one, _])| (*key, of(one)))).collect()
}

fn term() -> impl Strategy<Value = String> {
    // What the bounds know of, more often.
    let asked: Vec<_> = keys()
        .into_iter()
        .filter(|(key, _)| {
            COLUMNS.iter().any(|column| column.key == *key && column.fact.is_some())
                || EITHER_END.iter().any(|(either, _)| either == key)
        })
        .collect();
    let key = prop_oneof![3 => select(asked), 1 => select(keys())];
    let operator = select(&[":", ":", "=", "!=", ">", "<", ">=", "<="][..]);
    let term = (key, operator)
        .prop_flat_map(|((key, kind), operator)| value(kind).prop_map(move |value| format!("{key}{operator}{value}")));
    let word = select(&["80", "443", "nginx", "close-wait", "10.0.0.1", "/n/", "tcp"][..]).prop_map(str::to_owned);
    prop_oneof![9 => term, 1 => word]
}

fn filter() -> impl Strategy<Value = Filter> {
    let text = term().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(|all| format!("({})", all.join(" "))),
            vec(inner.clone(), 1..4).prop_map(|any| format!("({})", any.join(" or "))),
            inner.prop_map(|not| format!("!({not})")),
        ]
    });
    // Not each operator suits each value.
    text.prop_filter_map("no filter", |text| Filter::parse(&text).ok())
}

fn row(socket: Socket) -> SocketRow {
    SocketRow { connection: connection(socket, 0), mark: None }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_passes_meets_the_condition_and_what_meets_the_lower_bound_passes(filter in filter(), sockets in vec(socket(), 1..40)) {
        let (all, any_state) = (filter.bounds(&|_| true), filter.condition_of_any_state());
        let (test, store) = (filter.process_test(), store());
        for socket in sockets {
            let row = row(socket);
            let (passes, socket) = (filter.matches(&row, &store), &row.connection.socket);
            prop_assert!(!passes || all.upper.admits(socket), "{}: {socket:?} and {:?}", filter.text(), all.upper);
            prop_assert!(!passes || any_state.admits(socket), "{}: {socket:?} and {any_state:?}", filter.text());
            prop_assert!(passes || !all.lower.admits(socket), "{}: {socket:?} and {:?}", filter.text(), all.lower);
            if let Some(test) = test.as_ref().filter(|_| passes) {
                let holders = socket.owner.holders().map_or(&[][..], |holders| holders.all());
                prop_assert!(holders.iter().any(|process| test.passes(process)), "{}: {socket:?}", filter.text());
            }
        }
    }
}

#[test]
fn what_the_kernel_can_decide_is_decided_exactly() {
    for text in [
        "",
        "state:close-wait",
        "!state:listen",
        "state:*",
        "state:/wait/",
        "proto:tcp",
        "proto!=udp",
        "family:ipv6",
        "lport:443",
        "rport:8000-9000",
        "port:443",
        "rport!=443",
        "lport>1024",
        "rport:null",
        "raddr:10.0.0.0/8",
        "raddr:0.0.0.0/0",
        "laddr:10.0.0.1",
        "local:10.0.0.1:443",
        "remote:[::1]:80",
        "remote:null",
        "cgroup:7",
        "state:established (rport:443 or raddr:fe80::/10) !lport:22",
        "proto:udp,mptcp family:ipv4",
    ] {
        let bounds = Filter::parse(text).expect(text).bounds(&|_| true);
        assert_eq!(bounds.upper, bounds.lower, "{text}");
    }
    for text in ["process:nginx", "443", "inode:1", "!user:alice", "cookie:5", "age>60s", "laddr:10.*", "interface:v0"]
    {
        let bounds = Filter::parse(text).expect(text).bounds(&|_| true);
        assert_eq!((bounds.upper, bounds.lower), (Condition::Everything, Condition::NOTHING), "{text}");
    }
}

#[test]
fn conditions_are_as_short_as_the_filter() {
    let states = |states: &[TcpState]| Condition::States(StateSet::of(states));
    let condition = |text: &str| Filter::parse(text).expect(text).condition();
    assert_eq!(condition("state:close-wait"), states(&[TcpState::CloseWait]));
    assert_eq!(condition("state:close-wait process:nginx"), states(&[TcpState::CloseWait]));
    assert_eq!(condition("state:close-wait or process:nginx"), Condition::Everything);
    assert_eq!(condition("lport:8080"), Condition::Port(SocketEnd::Local, 8_080, 8_080));
    let network = IpNetwork { addr: "10.0.0.0".parse().expect("an address"), prefix: 8 };
    assert_eq!(condition("raddr:10.0.0.0/8"), Condition::Network(SocketEnd::Remote, network));
    let https = [SocketEnd::Local, SocketEnd::Remote].map(|end| Condition::Port(end, 443, 443)).to_vec();
    assert_eq!(condition("service=https"), Condition::Any(https.clone()));
    assert_eq!(condition("port:443 x"), Condition::Any(https));
    assert_eq!(Filter::parse("state:listen lport:80").expect("valid").condition_of_any_state(), condition("lport:80"));
}

#[test]
fn of_several_tests_of_a_process_the_narrowest_is_asked_for() {
    let passes = |text: &str, process: &Process| Some(Filter::parse(text).expect(text).process_test()?.passes(process));
    let (nginx, app) = (process(80, "nginx"), process(443, "app"));
    assert_eq!(passes("process:nginx state:listen", &nginx), Some(true));
    assert_eq!(passes("process:nginx pid:443", &nginx), Some(false), "the pid is asked for");
    assert_eq!(passes("process:nginx pid:443", &app), Some(true), "the name may be another holder's");
    assert_eq!(passes("(process:nginx or pid:443) lport:80", &app), Some(true));
    assert_eq!(passes("command:serve", &app), Some(true));
    for text in
        ["process:nginx or lport:80", "!process:nginx", "process:*", "pid!=80", "pid:null", "nginx", "state:listen"]
    {
        assert_eq!(passes(text, &nginx), None, "{text}");
    }
}
