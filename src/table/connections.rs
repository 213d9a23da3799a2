//! The columns of the connection table: one row each, in the order in which they are shown and printed.

use crate::knowledge::ports;
use crate::model::delta::{Rates, Since};
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::socket::{Queues, Socket};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::store::Store;
use crate::store::rows::Row;
use crate::table::column::{Column, Drift, Kind};
use crate::table::value::Value;

const PROTOCOLS: &[&str] = &["tcp", "udp"];
const FAMILIES: &[&str] = &["ipv4", "ipv6"];
const BASES: &[&str] = &["observed", "kernel", "at-least"];
const OWNERS: &[&str] = &["live", "remembered", "unaccepted", "hidden", "none"];
const VERDICTS: &[&str] = &["missing-close", "not-reading", "stuck-reader", "not-accepted"];
const TIMERS: &[&str] = &["retransmit", "keepalive", "timewait", "zero-window probe"];

/// Every column of the connection table.
#[rustfmt::skip]
pub static COLUMNS: &[Column<Row>] = &[
    Column::new("proto", "PROTO", Kind::Word(PROTOCOLS), |row, _| Value::word(socket(row).protocol.name()))
        .width(5, 5).rank(6).about("The protocol: tcp or udp."),
    Column::new("family", "FAMILY", Kind::Word(FAMILIES), |row, _| Value::word(socket(row).family.name()))
        .width(6, 6).about("The family of the socket: ipv4 or ipv6 (an IPv6 socket may talk to IPv4 peers)."),
    Column::new("local", "LOCAL", Kind::Endpoint, |row, _| Value::Endpoint(socket(row).local))
        .width(14, 47).rank(0).not_in_json().about("Our address and port."),
    Column::new("laddr", "LADDR", Kind::Address, |row, _| Value::Address(socket(row).local.addr))
        .width(9, 39).about("Our address; 0.0.0.0 or :: is every address of the machine."),
    Column::new("lport", "LPORT", Kind::Port, |row, _| port(socket(row).local))
        .width(5, 5).about("Our port."),
    Column::new("remote", "REMOTE", Kind::Endpoint, |row, _| Value::or_missing(peer(row), Value::Endpoint))
        .width(14, 47).rank(0).not_in_json().about("The peer's address and port; blank for listeners and sockets without a peer."),
    Column::new("raddr", "RADDR", Kind::Address, |row, _| Value::or_missing(peer(row), |peer| Value::Address(peer.addr)))
        .width(9, 39).about("The peer's address."),
    Column::new("rport", "RPORT", Kind::Port, |row, _| Value::or_missing(peer(row), port))
        .width(5, 5).about("The peer's port."),
    Column::new("state", "STATE", Kind::State, |row, _| Value::State(socket(row).state))
        .width(11, 11).rank(0).about("The TCP state; UDP sockets are UNCONN, or ESTABLISHED to one peer."),
    Column::new("age", "AGE", Kind::Span, age)
        .width(6, 7).rank(2).json("age_seconds").drift(Drift::Even).about("How long it has been in this state, in seconds; '>' means at least that long."),
    Column::new("age_basis", "BASIS", Kind::Word(BASES), |row, _| Value::or_missing(since(row), |since| Value::word(since.basis.label())))
        .width(8, 8).about("How the age is known: observed by conntop, told by the kernel, or at-least."),
    Column::new("process", "PROCESS", Kind::Text, |row, _| Value::Process(&socket(row).owner))
        .width(9, 24).rank(1).about("The process that holds it, or held it last ('was …'); +N more share it."),
    Column::new("pid", "PID", Kind::Number, |row, _| Value::or_missing(socket(row).owner.holders(), |holders| Value::Pids(holders)))
        .width(7, 7).rank(3).about("The process id; the lowest if several processes share the socket."),
    Column::new("user", "USER", Kind::Text, |row, store| Value::or_missing(uid(row).and_then(|uid| store.names().users.get(&uid)), |name| Value::Text(name.as_str())))
        .width(8, 16).rank(7).drift(Drift::Names).about("The user the socket belongs to, by name."),
    Column::new("uid", "UID", Kind::Number, |row, _| Value::or_missing(uid(row), |uid| Value::Number(u64::from(uid))))
        .width(6, 10).about("The user the socket belongs to, by number."),
    Column::new("owner", "OWNER", Kind::Word(OWNERS), |row, _| Value::word(socket(row).owner.label()))
        .width(10, 10).about("How the process is known: live, remembered, unaccepted (in the accept queue), hidden, or none."),
    Column::new("recvq", "RECVQ", Kind::Bytes, |row, _| queue(row, |queues| queues.receive))
        .width(5, 7).rank(4).json("recvq_bytes").about("Received and not read, in bytes; for a listener the connections that wait to be accepted."),
    Column::new("sendq", "SENDQ", Kind::Bytes, |row, _| queue(row, |queues| queues.send))
        .width(5, 7).rank(5).json("sendq_bytes").about("Sent and not acknowledged, in bytes; for a listener the limit of its accept queue."),
    Column::new("backlog", "BACKLOG", Kind::Count, |row, _| backlog(row, |queues| queues.receive))
        .width(7, 7).about("Connections that wait to be accepted; listeners only."),
    Column::new("backlog_limit", "LIMIT", Kind::Count, |row, _| backlog(row, |queues| queues.send))
        .width(5, 7).about("How many connections may wait to be accepted; listeners only."),
    Column::new("rtt", "RTT", Kind::Span, |row, _| Value::or_missing(tcp(row).filter(|tcp| tcp.rtt_us > 0), |tcp| Value::Span(micros(tcp.rtt_us))))
        .width(5, 6).rank(11).json("rtt_seconds").about("The smoothed round-trip time, in seconds."),
    Column::new("retransmits", "RETR", Kind::Count, |row, _| Value::or_missing(tcp(row), |tcp| Value::Count(u64::from(tcp.retransmits_total))))
        .width(5, 7).rank(13).about("Segments sent again since the connection opened."),
    Column::new("rx", "RX", Kind::Bytes, |row, _| Value::or_missing(bytes(row), |bytes| Value::Bytes(bytes.received)))
        .width(5, 6).rank(14).json("rx_bytes").about("Payload received since the connection opened, in bytes."),
    Column::new("tx", "TX", Kind::Bytes, |row, _| Value::or_missing(bytes(row), |bytes| Value::Bytes(bytes.sent)))
        .width(5, 6).rank(15).json("tx_bytes").about("Payload sent and acknowledged since the connection opened, in bytes."),
    Column::new("rxrate", "RX/s", Kind::Rate, |row, _| Value::or_missing(rates(row), |rates| Value::BytesPerSecond(f64::from(rates.received))))
        .width(5, 6).rank(9).json("rx_bytes_per_second").about("Payload received per second over the last interval, in bytes per second."),
    Column::new("txrate", "TX/s", Kind::Rate, |row, _| Value::or_missing(rates(row), |rates| Value::BytesPerSecond(f64::from(rates.sent))))
        .width(5, 6).rank(10).json("tx_bytes_per_second").about("Payload sent per second over the last interval, in bytes per second."),
    Column::new("inode", "INODE", Kind::Number, |row, _| Value::or_missing(socket(row).inode, |inode| Value::Number(u64::from(inode.get()))))
        .width(8, 10).about("The socket's inode, as in /proc/PID/fd."),
    Column::new("cookie", "COOKIE", Kind::Number, |row, _| Value::or_missing(socket(row).id.cookie(), Value::Number))
        .width(8, 20).about("The kernel's number of the socket, the same for its whole life."),
    Column::new("netns", "NETNS", Kind::Number, |row, _| Value::or_missing(Some(socket(row).id.netns().0).filter(|&inode| inode > 0), |inode| Value::Number(u64::from(inode))))
        .width(10, 10).about("The network namespace, as the inode of /proc/PID/ns/net."),
    Column::new("interface", "IFACE", Kind::Text, |row, store| Value::or_missing(socket(row).interface.and_then(|index| store.names().interfaces.get(&index.get())), |name| Value::Text(name.as_str())))
        .width(6, 15).drift(Drift::Names).about("The network interface the socket is bound to."),
    Column::new("cgroup", "CGROUP", Kind::Number, |row, _| Value::or_missing(socket(row).cgroup, Value::Number))
        .width(8, 20).about("The control group of the socket, as the inode of its directory."),
    Column::new("unit", "UNIT", Kind::Text, |_, _| Value::Missing)
        .width(8, 32).about("The service unit, container or pod the socket belongs to."),
    Column::new("service", "SERVICE", Kind::Text, |row, _| Value::or_missing(service(row), Value::Text))
        .width(8, 16).rank(12).about("What is usually served on its port."),
    Column::new("verdict", "VERDICT", Kind::Word(VERDICTS), |row, _| Value::or_missing(socket(row).verdict(), |verdict| Value::Word { text: verdict.words(), label: verdict.label() }))
        .width(14, 14).rank(8).about("Why a CLOSE_WAIT socket is not closed: never closed, not reading, stuck reader, or never accepted."),
    Column::new("timer", "TIMER", Kind::Word(TIMERS), |row, _| Value::or_missing(socket(row).timer, |timer| Value::word(timer.kind.name())))
        .width(10, 17).about("The timer that runs: retransmit, keepalive, timewait, or zero-window probe."),
    Column::new("expires", "EXPIRES", Kind::Span, |row, store| Value::or_missing(socket(row).timer, |timer| Value::Span(timer.expires.since(store.at()))))
        .width(7, 7).json("timer_seconds").drift(Drift::Free).about("When the timer fires, in seconds from now."),
    Column::new("retries", "RETRIES", Kind::Count, |row, _| Value::or_missing(socket(row).timer, |timer| Value::Count(u64::from(timer.retries))))
        .width(7, 7).json("timer_retries").about("How often the timer has fired in vain."),
    Column::new("command", "COMMAND", Kind::Text, |row, _| Value::or_missing(command(row), Value::Text))
        .width(16, 200).not_in_json().about("The command line of the process; may hold secrets, so it is only printed when asked for."),
];

const fn socket(row: &Row) -> &Socket {
    &row.connection.socket
}

const fn since(row: &Row) -> Option<Since> {
    row.connection.state_since
}

const fn rates(row: &Row) -> Option<Rates> {
    row.connection.rates
}

/// The remote endpoint, if there is a peer.
fn peer(row: &Row) -> Option<Endpoint> {
    Some(socket(row).remote).filter(|remote| !remote.is_unset())
}

fn port(endpoint: Endpoint) -> Value<'static> {
    if endpoint.port == 0 { Value::Missing } else { Value::Port(endpoint.port) }
}

fn age<'a>(row: &'a Row, store: &'a Store) -> Value<'a> {
    Value::or_missing(since(row), |since| Value::Age(since.age(store.at()), since.basis))
}

/// The uid of the socket; where the kernel keeps none (mini-sockets), that of the process that held it.
fn uid(row: &Row) -> Option<u32> {
    socket(row).uid.or_else(|| socket(row).owner.process()?.uid)
}

/// A queue in bytes, or in connections for a listener.
fn queue(row: &Row, pick: fn(Queues) -> u32) -> Value<'static> {
    let make = if socket(row).is_listener() { Value::Count } else { Value::Bytes };
    Value::or_missing(socket(row).queues, |queues| make(u64::from(pick(queues))))
}

fn backlog(row: &Row, pick: fn(Queues) -> u32) -> Value<'static> {
    let queues = socket(row).queues.filter(|_| socket(row).is_listener());
    Value::or_missing(queues, |queues| Value::Count(u64::from(pick(queues))))
}

/// What the kernel measured; nothing of it means anything for a listener.
fn tcp(row: &Row) -> Option<&TcpInfo> {
    socket(row).tcp.as_ref().filter(|_| !socket(row).is_listener())
}

fn bytes(row: &Row) -> Option<ByteCounts> {
    tcp(row)?.bytes
}

fn micros(us: u32) -> std::time::Duration {
    std::time::Duration::from_micros(u64::from(us))
}

fn command(row: &Row) -> Option<&str> {
    Some(socket(row).owner.process()?.command.as_str()).filter(|command| !command.is_empty())
}

/// The service of the lower of the two ports that has one: clients take high ports.
fn service(row: &Row) -> Option<&'static str> {
    let Socket { protocol, local, remote, .. } = *socket(row);
    let named = |port: u16| if port == 0 { None } else { ports::service(protocol, port) };
    named(local.port.min(remote.port)).or_else(|| named(local.port.max(remote.port)))
}

const _: () = assert!(Protocol::ALL.len() == PROTOCOLS.len(), "a filter must know every protocol");
