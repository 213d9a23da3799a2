//! The columns of the connection table: one row each, in the order in which they are shown and printed.

use crate::knowledge::ports;
use crate::model::address_text::AddressText;
use crate::model::delta::{Rates, Since};
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::query::{QueryFields, SocketEnd};
use crate::model::socket::{Queues, Socket};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::text::DisplayText;
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::column::{Column, Drift, PEER_NAME, PEER_NAME_WIDTH, SocketFact, ValueKind};
use crate::table::value::Value;

const OWNER: QueryFields = QueryFields { owner: true, ..QueryFields::NONE };
const TCP_INFO: QueryFields = QueryFields { tcp_info: true, ..QueryFields::NONE };
const UNITS: QueryFields = QueryFields { units: true, ..QueryFields::NONE };
const USERS: QueryFields = QueryFields { users: true, ..QueryFields::NONE };
const LISTENERS: QueryFields = QueryFields { listeners: true, ..QueryFields::NONE };

const PROTOCOLS: &[&str] = &["tcp", "udp", "mptcp"];
const FAMILIES: &[&str] = &["ipv4", "ipv6"];
const BASES: &[&str] = &["observed", "kernel", "at-least"];
const OWNERS: &[&str] = &["live", "remembered", "unaccepted", "hidden", "vanished", "none"];
const VERDICTS: &[&str] = &["missing-close", "not-reading", "stuck-reader", "not-accepted"];
const SUBFLOWS: &[&str] = &["yes", "no"];
const TIMERS: &[&str] = &["retransmit", "keepalive", "timewait", "zero-window probe"];

/// The column that says nothing while there is one network namespace: it is shown by itself if there are more.
pub const NAMESPACE: &str = "netns_name";

/// The column of the host, which says nothing while there is one: it is shown by itself if there are more.
pub const HOST: &str = "host";

/// Whether the sockets in `store` can be of more than one network namespace of one host.
pub fn has_namespaces(store: &Store) -> bool {
    let hosts = store.names().hosts.0.len();
    store.names().namespaces.len() > hosts.max(1)
}

/// The columns that say nothing of the sockets in `store`, as all have the same there.
pub fn hidden_columns(store: &Store) -> &'static [&'static str] {
    match (store.has_hosts(), has_namespaces(store)) {
        (false, false) => &[HOST, NAMESPACE],
        (true, false) => &[NAMESPACE],
        (false, true) => &[HOST],
        (true, true) => &[],
    }
}

/// Every column of the connection table.
#[rustfmt::skip]
pub static COLUMNS: &[Column<SocketRow>] = &[
    Column::new(HOST, "HOST", ValueKind::Text, |row, store| Value::Text(store.host_of(socket(row).id.netns()).as_str()))
        .width(6, 24).rank(0).not_in_json().drift(Drift::Names).about("The host that the socket is on. It is shown by itself where there are several; JSON and CSV always tell it."),
    Column::new("proto", "PROTO", ValueKind::Word(PROTOCOLS), |row, _| Value::word(socket(row).protocol.name()))
        .width(5, 5).rank(8).fact(SocketFact::Protocol).about("The protocol: tcp, udp or mptcp (one connection over one or more of TCP, its subflows)."),
    Column::new("family", "FAMILY", ValueKind::Word(FAMILIES), |row, _| Value::word(socket(row).family.name()))
        .width(6, 6).fact(SocketFact::Family).about("The family of the socket: ipv4 or ipv6 (an IPv6 socket may talk to IPv4 peers)."),
    Column::new("local", "LOCAL", ValueKind::Endpoint, |row, store| Value::or_missing(SocketRow::local(row), |local| Value::Endpoint(AddressText::local(socket(row), store.names()), local.port)))
        .width(14, 47).rank(0).not_in_json().fact(SocketFact::Endpoint(SocketEnd::Local)).about("Our address and port, with the interface the socket is bound to; *:80 takes IPv4 and IPv6, [::]:80 IPv6 only."),
    Column::new("laddr", "LADDR", ValueKind::Address, |row, store| Value::or_missing(SocketRow::local(row), |_| Value::Address(AddressText::local(socket(row), store.names()))))
        .width(9, 39).fact(SocketFact::Address(SocketEnd::Local)).about("Our address; 0.0.0.0 or :: is every address of the machine. laddr:0.0.0.0 finds what takes IPv4 by :: too."),
    Column::new("lport", "LPORT", ValueKind::Port, |row, _| port(socket(row).local))
        .width(5, 5).fact(SocketFact::Port(SocketEnd::Local)).about("Our port."),
    Column::new("remote", "REMOTE", ValueKind::Endpoint, |row, store| Value::or_missing(peer(row), |peer| Value::Endpoint(AddressText::remote(socket(row), store.names()), peer.port)))
        .width(14, 47).rank(0).not_in_json().fact(SocketFact::Endpoint(SocketEnd::Remote)).about("The peer's address and port; blank for listeners and sockets without a peer."),
    Column::new("raddr", "RADDR", ValueKind::Address, |row, store| Value::or_missing(peer(row), |_| Value::Address(AddressText::remote(socket(row), store.names()))))
        .width(9, 39).fact(SocketFact::Address(SocketEnd::Remote)).about("The peer's address; that of a link has its interface: fe80::1%eth0."),
    Column::new(PEER_NAME, "HOST?", ValueKind::Text, |row, store| Value::or_missing(peer(row).and_then(|peer| store.host_names().get(peer.addr)), |name| Value::Host(name.as_str())))
        .width(PEER_NAME_WIDTH.0, PEER_NAME_WIDTH.1).rank(2).hint().about("The reverse DNS name of the peer's address, with --dns. These names are not trusted, so nothing is filtered or sorted by them."),
    Column::new("rport", "RPORT", ValueKind::Port, |row, _| Value::or_missing(peer(row), port))
        .width(5, 5).fact(SocketFact::Port(SocketEnd::Remote)).about("The peer's port."),
    Column::new("state", "STATE", ValueKind::State, |row, _| Value::or_missing(SocketRow::state(row), Value::State))
        .width(11, 11).rank(0).fact(SocketFact::State).about("The TCP state; UDP sockets are UNCONN, or ESTABLISHED to one peer."),
    Column::new("age", "AGE", ValueKind::Span, age)
        .width(6, 7).rank(3).json("age_seconds").drift(Drift::Even).reads(TCP_INFO).about("How long it has been in this state, in seconds; '≥' means at least that long."),
    Column::new("age_basis", "BASIS", ValueKind::Word(BASES), |row, _| Value::or_missing(since(row), |since| Value::word(since.basis.label())))
        .width(8, 8).reads(TCP_INFO).about("How the age is known: observed by conntop, told by the kernel, or at-least."),
    Column::new("process", "PROCESS", ValueKind::Text, |row, _| Value::Process(&socket(row).owner))
        .width(9, 24).rank(1).fact(SocketFact::ProcessName).reads(OWNER).about("The process that holds it, or held it last ('was …'); +N more share it."),
    Column::new("program", "PROGRAM", ValueKind::Text, |row, _| Value::or_missing(socket(row).owner.process(), |process| Value::Text(process.name.as_str())))
        .width(9, 24).not_in_json().reads(OWNER).about("The name of the process with the lowest pid among those that hold it, or held it last: folded lines count it there."),
    Column::new("pid", "PID", ValueKind::Number, |row, _| Value::or_missing(socket(row).owner.holders(), |holders| Value::Pids(holders)))
        .width(7, 7).rank(4).fact(SocketFact::Pid).reads(OWNER).about("The process id; the lowest if several processes share the socket."),
    Column::new("user", "USER", ValueKind::Text, |row, store| Value::or_missing(uid(row), |uid| Value::user(uid, store.names())))
        .width(8, 16).rank(9).drift(Drift::Names).reads(OWNER.and(USERS)).about("The user the socket belongs to: the name, or the number where there is none."),
    Column::new("uid", "UID", ValueKind::Number, |row, store| Value::or_missing(uid(row), |uid| Value::Number(u64::from(store.names().hosts.uid_number(uid)))))
        .width(6, 10).reads(OWNER).about("The user the socket belongs to, by number."),
    Column::new("owner", "OWNER", ValueKind::Word(OWNERS), |row, _| Value::word(socket(row).owner.label()))
        .width(10, 10).reads(OWNER).about("How the process is known: live, remembered, unaccepted (in the accept queue), hidden (not permitted, or not in /proc), vanished (not found in time), or none."),
    Column::new("recvq", "RECVQ", ValueKind::Bytes, |row, _| queue(row, |queues| Some(queues.receive)))
        .width(5, 7).rank(5).json("recvq_bytes").about("Received and not read, in bytes; for a listener the connections that wait to be accepted."),
    Column::new("sendq", "SENDQ", ValueKind::Bytes, |row, _| queue(row, |queues| queues.send))
        .width(5, 7).rank(7).json("sendq_bytes").about("Sent and not acknowledged, in bytes; for a listener the limit of its accept queue."),
    Column::new("backlog", "BACKLOG", ValueKind::Count, |row, _| backlog(row, |queues| Some(queues.receive)))
        .width(7, 7).about("Connections that wait to be accepted; listeners only."),
    Column::new("backlog_limit", "LIMIT", ValueKind::Count, |row, _| backlog(row, |queues| queues.send))
        .width(5, 7).about("How many connections may wait to be accepted; listeners only."),
    Column::new("listener", "LISTENER", ValueKind::Number, |row, store| Value::or_missing(store.listeners().inode_of(socket(row)), |inode| Value::Number(u64::from(inode.get()))))
        .width(8, 10).drift(Drift::Free).reads(OWNER.and(LISTENERS).and(UNITS)).about("The listener that it is or came in by, as the inode of that socket; blank where several share the port and nothing tells which."),
    Column::new("rtt", "RTT", ValueKind::Span, |row, _| Value::or_missing(tcp(row).filter(|tcp| tcp.rtt_us > 0), |tcp| Value::Span(micros(tcp.rtt_us))))
        .width(5, 6).rank(12).json("rtt_seconds").reads(TCP_INFO).about("The smoothed round-trip time, in seconds."),
    Column::new("retransmits", "RETR", ValueKind::Count, |row, _| Value::or_missing(tcp(row), |tcp| Value::Count(u64::from(tcp.retransmits_total))))
        .width(5, 7).rank(14).reads(TCP_INFO).about("Segments retransmitted since the connection opened."),
    Column::new("rx", "RX", ValueKind::Bytes, |row, _| Value::or_missing(bytes(row), |bytes| Value::Bytes(bytes.received())))
        .width(5, 6).rank(16).json("rx_bytes").reads(TCP_INFO).about("Payload received since the connection opened, in bytes."),
    Column::new("tx", "TX", ValueKind::Bytes, |row, _| Value::or_missing(bytes(row), |bytes| Value::Bytes(bytes.sent())))
        .width(5, 6).rank(17).json("tx_bytes").reads(TCP_INFO).about("Payload sent and acknowledged since the connection opened, in bytes."),
    Column::new("rxrate", "RX/s", ValueKind::Rate, |row, _| Value::or_missing(rates(row), |rates| Value::BytesPerSecond(f64::from(rates.received))))
        .width(5, 6).rank(10).json("rx_bytes_per_second").reads(TCP_INFO).about("Payload received per second over the last interval, in bytes per second."),
    Column::new("txrate", "TX/s", ValueKind::Rate, |row, _| Value::or_missing(rates(row), |rates| Value::BytesPerSecond(f64::from(rates.sent))))
        .width(5, 6).rank(11).json("tx_bytes_per_second").reads(TCP_INFO).about("Payload sent per second over the last interval, in bytes per second."),
    Column::new("inode", "INODE", ValueKind::Number, |row, _| Value::or_missing(socket(row).inode, |inode| Value::Number(u64::from(inode.get()))))
        .width(8, 10).about("The socket's inode, as in /proc/PID/fd."),
    Column::new("cookie", "COOKIE", ValueKind::Number, |row, _| Value::or_missing(socket(row).id.cookie(), Value::Number))
        .width(8, 20).about("The kernel's number of the socket, the same for its whole life."),
    Column::new("netns", "NETNS", ValueKind::Number, |row, store| Value::or_missing(namespace_number(row, store), |inode| Value::Number(u64::from(inode))))
        .width(10, 10).about("The network namespace, as the inode of /proc/PID/ns/net."),
    Column::new(NAMESPACE, "NAMESPACE", ValueKind::Text, |row, store| Value::or_missing(store.names().namespaces.get(&socket(row).id.netns()), |name| Value::Text(name.as_str())))
        .width(9, 24).rank(6).drift(Drift::Names).about("The network namespace by name: own, the name that ip netns shows, or pid: and a process in it."),
    Column::new("interface", "IFACE", ValueKind::Text, |row, store| Value::or_missing(interface(row, store), |name| Value::Text(name.as_str())))
        .width(6, 15).drift(Drift::Names).about("The network interface the socket is bound to."),
    Column::new("v6only", "V6ONLY", ValueKind::Flag, |row, _| Value::or_missing(socket(row).v6only, Value::Flag))
        .width(6, 6).about("Whether an IPv6 socket without a peer takes IPv6 only (IPV6_V6ONLY), or IPv4 as well."),
    Column::new("cgroup", "CGROUP", ValueKind::Number, |row, _| Value::or_missing(socket(row).cgroup_id(), Value::Number))
        .width(8, 20).fact(SocketFact::Cgroup).reads(UNITS).about("The control group of the socket, as the inode of its directory."),
    Column::new("unit", "UNIT", ValueKind::Text, |row, store| Value::or_missing(socket(row).cgroup.and_then(|id| store.names().units.get(&id.get())), |name| Value::Text(name.as_str())))
        .width(12, 32).rank(15).drift(Drift::Names).reads(UNITS).about("The service unit, container or pod the socket belongs to: nginx.service, docker:1a2b3c4d5e6f."),
    Column::new("service", "SERVICE", ValueKind::Text, |row, _| Value::or_missing(service(row), Value::Text))
        .width(8, 16).rank(13).fact(SocketFact::Service).about("What is usually served on its port."),
    Column::new("verdict", "VERDICT", ValueKind::Word(VERDICTS), |row, _| Value::or_missing(socket(row).verdict(), |verdict| Value::Word { text: verdict.words(), label: verdict.label() }))
        .width(11, 14).rank(2).cause().reads(OWNER).about("Why a CLOSE_WAIT socket is not closed: never closed, not reading, stuck reader, or never accepted."),
    Column::new("drops", "DROPS", ValueKind::Count, |row, _| Value::or_missing(socket(row).drops, |drops| Value::Count(u64::from(drops.count()))))
        .width(5, 7).about("Packets that the kernel dropped because the socket could not take them: UDP, datagrams; a listener, attempts to connect."),
    Column::new("subflow", "SUBFLOW", ValueKind::Word(SUBFLOWS), |row, _| Value::or_missing(is_subflow(row), |is| Value::word(if is { "yes" } else { "no" })))
        .width(7, 7).about("Whether it is a TCP socket that carries an MPTCP connection, which has a row of its own: yes or no; TCP only."),
    Column::new("timer", "TIMER", ValueKind::Word(TIMERS), |row, _| Value::or_missing(socket(row).timer, |timer| Value::word(timer.kind.name())))
        .width(10, 17).about("The timer that runs: retransmit, keepalive, timewait, or zero-window probe."),
    Column::new("expires", "EXPIRES", ValueKind::Span, |row, store| Value::or_missing(socket(row).timer, |timer| Value::Span(timer.expires.timestamp().since(store.at()))))
        .width(7, 7).json("timer_seconds").drift(Drift::Free).about("When the timer fires, in seconds from now."),
    Column::new("retries", "RETRIES", ValueKind::Count, |row, _| Value::or_missing(socket(row).timer, |timer| Value::Count(u64::from(timer.retries))))
        .width(7, 7).json("timer_retries").about("How often the timer has fired without an answer."),
    Column::new("command", "COMMAND", ValueKind::Text, |row, _| Value::or_missing(command(row), Value::Text))
        .width(16, 200).fills().not_in_json().fact(SocketFact::Command).reads(OWNER).about("The command line of the process; may hold secrets, so it is only printed when asked for."),
];

/// The number that the host has for the namespace; 0 stands for none.
fn namespace_number(row: &SocketRow, store: &Store) -> Option<u32> {
    Some(store.names().namespace_number(socket(row).id.netns())).filter(|inode| *inode > 0)
}

fn socket(row: &SocketRow) -> &Socket {
    &row.connection.socket
}

/// Only `sock_diag` tells.
fn is_subflow(row: &SocketRow) -> Option<bool> {
    let socket = socket(row);
    (socket.protocol == Protocol::Tcp && socket.id.cookie().is_some()).then_some(socket.is_subflow)
}

fn since(row: &SocketRow) -> Option<Since> {
    row.connection.state_since
}

const fn rates(row: &SocketRow) -> Option<Rates> {
    row.connection.rates()
}

/// The remote endpoint, if there is a peer.
fn peer(row: &SocketRow) -> Option<Endpoint> {
    Some(socket(row).remote).filter(|remote| !remote.is_unset())
}

fn port(endpoint: Endpoint) -> Value<'static> {
    if endpoint.port == 0 { Value::Missing } else { Value::Port(endpoint.port) }
}

fn age<'a>(row: &'a SocketRow, store: &'a Store) -> Value<'a> {
    Value::or_missing(since(row), |since| Value::Age(since.age(store.at()), since.basis))
}

/// The uid of the socket; where the kernel keeps none (mini-sockets), that of the process that held it.
fn uid(row: &SocketRow) -> Option<u32> {
    socket(row).uid.or_else(|| socket(row).owner.process()?.uid)
}

fn interface<'a>(row: &SocketRow, store: &'a Store) -> Option<&'a DisplayText> {
    let socket = socket(row);
    store.names().interfaces.get(&(socket.id.netns(), socket.interface?.get()))
}

/// A queue in bytes, or in connections for a listener.
fn queue(row: &SocketRow, pick: fn(Queues) -> Option<u32>) -> Value<'static> {
    let make = if socket(row).is_listener() { Value::Count } else { Value::Bytes };
    Value::or_missing(socket(row).queues.and_then(pick), |waiting| make(u64::from(waiting)))
}

fn backlog(row: &SocketRow, pick: fn(Queues) -> Option<u32>) -> Value<'static> {
    let queues = socket(row).queues.filter(|_| socket(row).is_listener());
    Value::or_missing(queues.and_then(pick), |waiting| Value::Count(u64::from(waiting)))
}

/// What the kernel measured; nothing of it means anything for a listener.
fn tcp(row: &SocketRow) -> Option<&TcpInfo> {
    socket(row).tcp.as_ref().filter(|_| !socket(row).is_listener())
}

fn bytes(row: &SocketRow) -> Option<ByteCounts> {
    tcp(row)?.bytes
}

fn micros(us: u32) -> std::time::Duration {
    std::time::Duration::from_micros(u64::from(us))
}

fn command(row: &SocketRow) -> Option<&str> {
    Some(socket(row).owner.process()?.command.as_str()).filter(|command| !command.is_empty())
}

/// The lower of the two ports of a socket that has a usual service: clients take high ports.
pub fn service_port(socket: &Socket) -> Option<u16> {
    let Socket { protocol, local, remote, .. } = *socket;
    let both = [local.port.min(remote.port), local.port.max(remote.port)];
    both.into_iter().find(|port| *port != 0 && ports::service(protocol, *port).is_some())
}

fn service(row: &SocketRow) -> Option<&'static str> {
    ports::service(socket(row).protocol, service_port(socket(row))?)
}

const _: () = assert!(Protocol::ALL.len() == PROTOCOLS.len(), "a filter must know every protocol");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::model::delta::{AgeBasis, Delta};
    use crate::model::process::{Holders, Names, Owner};
    use crate::model::socket::{NetnsId, TimerKind};
    use crate::model::tcp_state::TcpState;
    use crate::model::testing::{connection, listener, process, source_info, tcp, udp};
    use crate::model::time::Timestamp;
    use crate::table::column::{Align, find};

    /// The names of DESIGN.md, section 7, which scripts rely on.
    const CONTRACT: &[&str] = &[
        "proto",
        "family",
        "laddr",
        "lport",
        "raddr",
        "rport",
        "state",
        "age_seconds",
        "age_basis",
        "pid",
        "process",
        "user",
        "uid",
        "owner",
        "recvq_bytes",
        "sendq_bytes",
        "backlog",
        "backlog_limit",
        "rtt_seconds",
        "retransmits",
        "rx_bytes",
        "tx_bytes",
        "rx_bytes_per_second",
        "tx_bytes_per_second",
        "inode",
        "cookie",
        "netns",
        "unit",
        "service",
        "verdict",
    ];

    fn store() -> Store {
        let mut store = Store::new(source_info());
        let names = Names {
            users: [(1000, "alice".into())].into(),
            interfaces: [((NetnsId(5), 2), "eth0".into())].into(),
            namespaces: [(NetnsId(5), "blue".into())].into(),
            own: None,
            reachable: std::collections::BTreeMap::new(),
            units: [(7, "nginx.service".into())].into(),
            ..Names::default()
        };
        store.apply(Delta { at: Timestamp::from_millis(90_000), names: Arc::new(names), ..Delta::default() });
        store
    }

    fn row(socket: impl Into<Socket>) -> SocketRow {
        SocketRow { connection: connection(socket, 0), mark: None }
    }

    fn cell(row: &SocketRow, key: &str) -> (String, String) {
        let (store, column) = (store(), &COLUMNS[find(COLUMNS, key).expect(key)]);
        let value = (column.value)(row, &store);
        (value.text().into_owned(), serde_json::to_string(&value).expect("a value is plain JSON"))
    }

    fn is(text: &str, json: &str) -> (String, String) {
        (text.to_owned(), json.to_owned())
    }

    #[test]
    fn every_name_of_the_contract_is_there_and_no_name_is_there_twice() {
        let json: BTreeSet<_> = COLUMNS.iter().filter(|column| column.in_json).map(|column| column.json).collect();
        for name in CONTRACT {
            assert!(json.contains(name), "{name}");
        }
        for name in [
            |column: &Column<SocketRow>| column.key,
            |column: &Column<SocketRow>| column.title,
            |column: &Column<SocketRow>| column.json,
        ] {
            assert_eq!(COLUMNS.iter().map(name).collect::<BTreeSet<_>>().len(), COLUMNS.len());
        }
    }

    #[test]
    fn every_column_is_described_and_its_title_fits() {
        for column in COLUMNS {
            assert!(column.about.ends_with('.') && column.about.len() > 8, "{}", column.key);
            assert!(column.title.len() <= usize::from(column.width.0), "{}", column.key);
            assert!(column.width.0 <= column.width.1, "{}", column.key);
            assert!(
                column.key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{}",
                column.key
            );
        }
        // A hint, shown only when asked for, goes after the column whose rank it shares.
        let ranks = COLUMNS.iter().filter(|column| !column.is_hint).filter_map(|column| column.rank);
        let ranks: Vec<_> = ranks.filter(|rank| *rank > 0).collect();
        assert_eq!(ranks.iter().collect::<BTreeSet<_>>().len(), ranks.len(), "no two columns go at the same time");
    }

    #[test]
    fn numbers_stand_right_and_words_left() {
        for (key, align) in
            [("pid", Align::Right), ("age", Align::Right), ("process", Align::Left), ("local", Align::Left)]
        {
            assert_eq!(COLUMNS[find(COLUMNS, key).expect(key)].align, align, "{key}");
        }
    }

    #[test]
    fn the_kind_of_a_column_is_the_kind_of_its_values() {
        let held = tcp(1).held_by(&[process(7, "nginx")]).bytes(1, 2).timer(TimerKind::KeepAlive, 0, 99_000);
        let held =
            held.state(TcpState::CloseWait).with(|socket| socket.interface = std::num::NonZeroU32::new(2)).netns(5);
        let rows = [row(held.info(|info| info.rtt_us = 5)), row(listener(2, 80)), row(udp(3, 53))];
        let store = store();
        for column in COLUMNS {
            for row in &rows {
                let value = (column.value)(row, &store);
                let fits = match column.kind {
                    ValueKind::Text => {
                        matches!(value, Value::Text(_) | Value::Owned(_) | Value::User { .. } | Value::Process(_))
                    }
                    ValueKind::Word(labels) => matches!(value, Value::Word { label, .. } if labels.contains(&label)),
                    ValueKind::Address => matches!(value, Value::Address(_)),
                    ValueKind::Endpoint => matches!(value, Value::Endpoint(..)),
                    ValueKind::Flag => matches!(value, Value::Flag(_)),
                    ValueKind::State => matches!(value, Value::State(_)),
                    ValueKind::Port
                    | ValueKind::Count
                    | ValueKind::Number
                    | ValueKind::Bytes
                    | ValueKind::Rate
                    | ValueKind::Span
                    | ValueKind::Share => value.scalar().is_some(),
                };
                assert!(fits || value == Value::Missing, "{}: {value:?}", column.key);
            }
        }
    }

    #[test]
    fn an_owner_reads_well_and_is_null_where_nobody_is_known() {
        let (nginx, worker) = (process(812, "nginx"), process(813, "nginx"));
        let remembered = Owner::Remembered(Arc::new(Holders::new(vec![nginx.clone()]).expect("one process")));
        let of = |owner: Owner| cell(&row(tcp(1).owner(owner)), "process");
        assert_eq!(cell(&row(tcp(1).held_by(&[worker, nginx])), "process"), is("nginx +1", "\"nginx\""));
        assert_eq!(of(remembered.clone()), is("was nginx", "\"nginx\""));
        assert_eq!(of(Owner::Unaccepted), is("in accept queue", "null"));
        assert_eq!(of(Owner::Hidden), is("hidden (no permission)", "null"));
        assert_eq!(of(Owner::None), is("", "null"));
        let mini = row(tcp(1).mini(TcpState::TimeWait).owner(remembered));
        assert_eq!(cell(&mini, "pid"), is("812", "812"));
        assert_eq!(cell(&mini, "owner"), is("remembered", "\"remembered\""));
        assert_eq!(cell(&mini, "user"), is("alice", "\"alice\""));
        assert_eq!(cell(&mini, "inode"), is("", "null"));
    }

    #[test]
    fn a_listener_shows_its_accept_queue_and_has_no_peer() {
        let listener = row(listener(1, 8080).queues(3, 4096));
        assert_eq!(cell(&listener, "recvq"), is("3", "3"));
        assert_eq!(cell(&listener, "sendq"), is("4,096", "4096"));
        assert_eq!(cell(&listener, "backlog"), is("3", "3"));
        assert_eq!(cell(&listener, "backlog_limit"), is("4,096", "4096"));
        assert_eq!(cell(&listener, "local"), is("0.0.0.0:8080", "\"0.0.0.0:8080\""));
        for key in ["remote", "raddr", "rport", "rtt", "verdict"] {
            assert_eq!(cell(&listener, key), is("", "null"), "{key}");
        }
        assert_eq!(cell(&row(tcp(1)), "backlog"), is("", "null"));
    }

    #[test]
    fn zero_and_not_known_are_different() {
        assert_eq!(cell(&row(tcp(1).queues(0, 0)), "recvq"), is("0", "0"));
        assert_eq!(cell(&row(tcp(1).with(|socket| socket.queues = None)), "recvq"), is("", "null"));
        assert_eq!(cell(&row(tcp(1).uid(0)), "uid"), is("0", "0"));
        assert_eq!(cell(&row(tcp(1).with(|socket| socket.uid = None)), "uid"), is("", "null"));
        assert_eq!(
            cell(&row(tcp(1).uid(4_242)), "user"),
            is("4242", "\"4242\""),
            "a user without a name is still a user"
        );
    }

    #[test]
    fn ages_and_timers_count_from_the_last_sample() {
        let mut row = row(tcp(1).timer(TimerKind::Retransmit, 2, 91_500));
        assert_eq!(cell(&row, "age"), is("", "null"));
        row.connection.state_since = Some(Since { at: Timestamp::from_millis(30_000), basis: AgeBasis::AtLeast });
        assert_eq!(cell(&row, "age"), is("≥1m", "60.0"));
        assert_eq!(cell(&row, "age_basis"), is("at-least", "\"at-least\""));
        assert_eq!(cell(&row, "expires"), is("1.5s", "1.5"));
    }

    #[test]
    fn the_service_is_that_of_the_lower_port_that_has_one() {
        let service = |local: &str, remote: &str| cell(&row(tcp(1).local(local).remote(remote)), "service").0;
        assert_eq!(service("10.0.0.1:51000", "10.0.0.2:443"), "https");
        assert_eq!(service("10.0.0.1:443", "10.0.0.2:51000"), "https");
        assert_eq!(service("10.0.0.1:59999", "10.0.0.2:6379"), "redis");
        assert_eq!(service("10.0.0.1:59999", "10.0.0.2:59998"), "");
    }

    #[test]
    fn the_verdict_is_in_words_for_people_and_a_label_for_machines() {
        let stuck = row(tcp(1).state(TcpState::CloseWait).queues(0, 0).held_by(&[process(1, "app")]));
        assert_eq!(cell(&stuck, "verdict"), is("never closed", "\"missing-close\""));
    }
}
