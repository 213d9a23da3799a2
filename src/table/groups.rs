//! Rows that stand for many sockets: the tables of processes, remotes, listeners and ports.

use std::cmp::Reverse;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::knowledge::ports;
use crate::model::address_text::AddressText;
use crate::model::delta::{AgeBasis, Rates};
use crate::model::descriptors::Descriptors;
use crate::model::endpoint::Protocol;
use crate::model::process::{NoProcess, Owner, Usage};
use crate::model::socket::NetnsId;
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::store::groups::attempts::{GroupAttempts, LastSuccess};
use crate::store::groups::{Group, GroupKey, Grouping, Summing};
use crate::store::listeners::{AcceptQueue, ListenAddress};
use crate::store::port_pool::PortPool;
use crate::table::column::{Column, Drift, PEER_NAME, PEER_NAME_WIDTH, ValueKind, find};
use crate::table::connections::HOST;
use crate::table::filter::Filter;
use crate::table::order::Order;
use crate::table::sliced_sort::SlicedSort;
use crate::table::sort::SortKey;
use crate::table::value::Value;

/// The host of a group; shown only where there are several.
const HOST_OF_GROUP: Column<Group> = Column::new(HOST, "HOST", ValueKind::Text, host_of)
    .width(6, 24)
    .rank(0)
    .drift(Drift::Names)
    .about("The host that the sockets are on, where there are several.");

fn host_of<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    Value::or_missing(group.key.host(), |host| Value::Text(store.host_numbered(Some(host)).as_str()))
}

/// The table of processes.
#[rustfmt::skip]
pub static PROCESSES: &[Column<Group>] = &[
    HOST_OF_GROUP,
    Column::new("process", "PROCESS", ValueKind::Text, process)
        .width(9, 24).rank(0).about("The process; or why none is known."),
    Column::new("pid", "PID", ValueKind::Number, pid)
        .width(7, 7).rank(1).about("The process id."),
    Column::new("user", "USER", ValueKind::Text, user)
        .width(8, 16).rank(8).drift(Drift::Names).about("The user the process runs as: the name, or the number where there is none."),
    CLOSE_WAIT, OLDEST, ESTABLISHED, TIME_WAIT, LISTENING, OTHER, TOTAL, PEERS, RECEIVE_QUEUE, RECEIVE_RATE, SEND_RATE,
    Column::new("cpu", "CPU", ValueKind::Share, cpu)
        .width(5, 5).rank(10).drift(Drift::Free).about("Processor use; 100% is one core."),
    Column::new("memory", "MEM", ValueKind::Bytes, |group, store| Value::or_missing(usage(group, store), |usage| Value::Bytes(usage.memory_bytes)))
        .width(5, 6).rank(11).json("memory_bytes").drift(Drift::Free).about("Resident memory, in bytes."),
    Column::new("fds", "FDS", ValueKind::Count, |group, store| Value::or_missing(descriptors(group, store).map(|descriptors| descriptors.used), |fds| Value::Count(u64::from(fds))))
        .width(6, 9).rank(7).drift(Drift::Free).about("Open descriptors."),
    Column::new("fds_limit", "FDMAX", ValueKind::Count, |group, store| Value::or_missing(descriptors(group, store).and_then(|descriptors| descriptors.max), Value::Count))
        .width(6, 11).rank(12).drift(Drift::Free).about("The limit of open descriptors."),
    Column::new("command", "COMMAND", ValueKind::Text, command)
        .width(16, 200).fills().about("The command line of the process."),
];

/// The table of remotes.
#[rustfmt::skip]
pub static REMOTES: &[Column<Group>] = &[
    HOST_OF_GROUP,
    Column::new("raddr", "REMOTE", ValueKind::Address, remote_addr)
        .width(15, 39).rank(0).about("The peer's address."),
    HOST_NAME,
    Column::new("rport", "PORT", ValueKind::Port, remote_port)
        .width(5, 5).rank(0).about("The peer's port, for connections that we opened."),
    Column::new("proto", "PROTO", ValueKind::Text, protocol)
        .width(5, 5).rank(9).about("The protocol."),
    Column::new("service", "SERVICE", ValueKind::Text, service)
        .width(8, 16).rank(7).about("What is usually served on the peer's port."),
    CLOSE_WAIT, OLDEST, ESTABLISHED, TIME_WAIT, OTHER, TOTAL, ATTEMPTS.rank(4), ATTEMPTS_FAILED.rank(2), LAST_SUCCESS.rank(6),
    RECEIVE_QUEUE, RECEIVE_RATE, SEND_RATE,
    Column::new("retransmits", "RETR", ValueKind::Count, retransmits)
        .width(5, 9).rank(11).about("Segments retransmitted."),
    Column::new("process", "PROCESS", ValueKind::Text, process)
        .width(9, 24).rank(1).about("The first process that talks to it."),
];

/// The table of listeners.
#[rustfmt::skip]
pub static LISTENERS: &[Column<Group>] = &[
    HOST_OF_GROUP,
    Column::new("local", "LISTENER", ValueKind::Endpoint, local)
        .width(14, 47).rank(0).about("Where it listens."),
    Column::new("proto", "PROTO", ValueKind::Text, protocol)
        .width(5, 5).rank(10).about("The protocol."),
    Column::new("service", "SERVICE", ValueKind::Text, service)
        .width(8, 16).rank(8).about("What is usually served on the port."),
    Column::new("process", "PROCESS", ValueKind::Text, process)
        .width(9, 24).rank(1).about("The process that listens; +N more hold the same socket. Connections of which nothing tells the listener have a row of their own."),
    Column::new("pid", "PID", ValueKind::Number, pid)
        .width(7, 7).rank(8).about("The process id."),
    Column::new("backlog", "QUEUE", ValueKind::Count, |group, _| backlog(group, |queue| Some(queue.waiting)))
        .width(6, 7).rank(0).about("Connections that wait to be accepted by this listener."),
    Column::new("backlog_limit", "LIMIT", ValueKind::Count, |group, _| backlog(group, |queue| queue.limit))
        .width(6, 7).rank(2).about("How many connections may wait to be accepted."),
    Column::new("fill", "FILL", ValueKind::Share, |group, _| Value::or_missing(fill(group), Value::Share))
        .width(5, 5).rank(0).about("How full the accept queue is."),
    Column::new("gauge", "ACCEPT Q", ValueKind::Share, |group, _| Value::or_missing(fill(group), Value::Gauge))
        .width(8, 16).rank(2).left().about("How full the accept queue is, as a bar."),
    Column::new("limit_by", "LIMIT BY", ValueKind::Word(LIMITS), limit_by)
        .width(9, 9).rank(9).about("What limits the queue: the number that the program gave to listen(), or net.core.somaxconn."),
    Column::new("syn_recv", "SYN_R", ValueKind::Count, |group, _| count(group, TcpState::SynRecv))
        .width(5, 9).rank(5).about("Connections in SYN_RECV: their handshake is under way."),
    Column::new("overflows", "LOST/s", ValueKind::Count, overflows)
        .width(6, 6).rank(3).about("Connections that found this queue full, per second: while it alone is at 90 % or more."),
    Column::new("drops", "DROPS", ValueKind::Count, drops)
        .width(6, 9).rank(12).about("What the kernel dropped at this socket since it opened: attempts to connect, or datagrams."),
    CLOSE_WAIT.rank(4), OLDEST.rank(9), ESTABLISHED.rank(6), TIME_WAIT.rank(9), OTHER,
    Column::new("total", "CONNS", ValueKind::Count, connections)
        .width(6, 9).rank(7).about("Connections that it has accepted or has waiting."),
    ATTEMPTS.rank(11), ATTEMPTS_FAILED.rank(7), LAST_SUCCESS.rank(12), PEERS, RECEIVE_QUEUE, RECEIVE_RATE, SEND_RATE,
];

/// The table of routes: who uses up ephemeral ports.
#[rustfmt::skip]
pub static PORTS: &[Column<Group>] = &[
    HOST_OF_GROUP,
    Column::new("remote", "DESTINATION", ValueKind::Endpoint, destination)
        .width(14, 47).rank(0).about("The other end: for each one the kernel has its whole range of ports."),
    HOST_NAME,
    Column::new("service", "SERVICE", ValueKind::Text, service)
        .width(8, 16).rank(12).about("What is usually served on that port."),
    Column::new("source", "SOURCE", ValueKind::Address, source)
        .width(10, 39).rank(8).about("Our address: each one has ports of its own."),
    Column::new("process", "PROCESS", ValueKind::Text, holder)
        .width(9, 24).rank(1).about("The process that has most of them; after `was`, one of which only TIME_WAIT is left."),
    Column::new("pid", "PID", ValueKind::Number, pid)
        .width(7, 7).rank(13).about("The process id."),
    Column::new("used", "USED", ValueKind::Count, |group, _| Value::Count(sockets(group)))
        .width(6, 9).rank(0).about("Ephemeral ports that are taken, one a connection, TIME_WAIT included."),
    Column::new("share", "SHARE", ValueKind::Share, |group, store| Value::or_missing(used_share(group, store), Value::Share))
        .width(5, 5).rank(2).about("The share of the kernel's range that is taken."),
    Column::new("gauge", "OF RANGE", ValueKind::Share, |group, store| Value::or_missing(used_share(group, store), Value::Gauge))
        .width(8, 20).rank(7).left().about("The share of the kernel's range that is taken, as a bar."),
    ESTABLISHED.rank(6), TIME_WAIT, CLOSE_WAIT,
    Column::new("other", "OTHER", ValueKind::Count, others)
        .width(6, 9).rank(9).about("Connections in any other state."),
    Column::new("churn", "NEW/s", ValueKind::Count, churn)
        .width(5, 6).rank(3).drift(Drift::Free).about("Connections opened per second, over the last minute."),
    Column::new("runs_out", "RUNS OUT", ValueKind::Span, runs_out)
        .width(8, 8).rank(4).json("runs_out_seconds").drift(Drift::Free).about("When no port is left if it grows as in the last minute; blank if it does not."),
    ATTEMPTS.rank(9), ATTEMPTS_FAILED.rank(4), LAST_SUCCESS.rank(8),
];

// Columns that several of the tables share. Ranks: what shows a leak goes last.
#[rustfmt::skip]
const HOST_NAME: Column<Group> = Column::new(PEER_NAME, "HOST?", ValueKind::Text, host)
    .width(PEER_NAME_WIDTH.0, PEER_NAME_WIDTH.1).rank(2).hint().about("The reverse DNS name of the address. These names are not trusted, so nothing is filtered or sorted by them.");
#[rustfmt::skip]
const CLOSE_WAIT: Column<Group> = Column::new("close_wait", "C_WAIT", ValueKind::Count, |group, _| count(group, TcpState::CloseWait))
    .width(6, 9).rank(0).about("Sockets in CLOSE_WAIT: the peer closed, the process did not.");
#[rustfmt::skip]
const OLDEST: Column<Group> = Column::new("oldest", "OLDEST", ValueKind::Span, oldest)
    .width(7, 7).rank(5).json("oldest_close_wait_seconds").drift(Drift::Even).about("How long the oldest CLOSE_WAIT socket has been in that state, in seconds.");
#[rustfmt::skip]
const ESTABLISHED: Column<Group> = Column::new("established", "ESTAB", ValueKind::Count, |group, _| count(group, TcpState::Established))
    .width(6, 9).rank(0).about("TCP sockets in ESTABLISHED.");
#[rustfmt::skip]
const TIME_WAIT: Column<Group> = Column::new("time_wait", "T_WAIT", ValueKind::Count, |group, _| count(group, TcpState::TimeWait))
    .width(6, 9).rank(0).about("Sockets in TIME_WAIT.");
#[rustfmt::skip]
const LISTENING: Column<Group> = Column::new("listen", "LISTEN", ValueKind::Count, |group, _| count(group, TcpState::Listen))
    .width(6, 9).rank(4).about("Listeners.");
#[rustfmt::skip]
const OTHER: Column<Group> = Column::new("other", "OTHER", ValueKind::Count, others)
    .width(6, 9).rank(9).about("Sockets in any other state, UDP sockets among them.");
#[rustfmt::skip]
const TOTAL: Column<Group> = Column::new("total", "TOTAL", ValueKind::Count, |group, _| Value::Count(sockets(group)))
    .width(6, 9).rank(3).about("All sockets.");
#[rustfmt::skip]
const PEERS: Column<Group> = Column::new("peers", "PEERS", ValueKind::Count, peers)
    .width(6, 9).rank(13).about("Distinct remote addresses.");
#[rustfmt::skip]
const RECEIVE_QUEUE: Column<Group> = Column::new("recvq", "RECVQ", ValueKind::Bytes, receive_queue)
    .width(5, 6).rank(14).json("recvq_bytes").about("Received and not read, in bytes, listeners aside.");
#[rustfmt::skip]
const RECEIVE_RATE: Column<Group> = Column::new("rxrate", "RX/s", ValueKind::Rate, |group, _| rate(group, |rates| rates.received))
    .width(5, 6).rank(15).json("rx_bytes_per_second").about("Payload received per second, in bytes per second.");
#[rustfmt::skip]
const SEND_RATE: Column<Group> = Column::new("txrate", "TX/s", ValueKind::Rate, |group, _| rate(group, |rates| rates.sent))
    .width(5, 6).rank(16).json("tx_bytes_per_second").about("Payload sent per second, in bytes per second.");

// Told by the trace only: without it they are not shown.
#[rustfmt::skip]
const ATTEMPTS: Column<Group> = Column::new("attempts", "ATT/min", ValueKind::Count, |group, _| attempts(group, |attempts| attempts.made))
    .width(7, 9).drift(Drift::Free).about("Attempts to connect in the last minute, whoever made them; told by the trace only.");
#[rustfmt::skip]
const ATTEMPTS_FAILED: Column<Group> = Column::new("attempts_failed", "FAILED", ValueKind::Count, |group, _| attempts(group, |attempts| attempts.failed))
    .width(6, 9).drift(Drift::Free).about("Those of them that failed: refused, timed out, given up or unreachable; at a listener, reset within a second, too.");
#[rustfmt::skip]
const LAST_SUCCESS: Column<Group> = Column::new("last_success", "LAST OK", ValueKind::Span, last_success)
    .width(7, 8).json("last_success_seconds").drift(Drift::Even).about("How long ago an attempt last succeeded; after >, all of them have failed for that long.");

/// The columns that only the trace can fill.
pub const TRACED: &[&str] = &[ATTEMPTS.key, ATTEMPTS_FAILED.key, LAST_SUCCESS.key];

fn attempts(group: &Group, pick: fn(&GroupAttempts) -> u32) -> Value<'static> {
    Value::or_missing(group.attempts.as_ref(), |attempts| Value::Count(u64::from(pick(attempts))))
}

fn last_success<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    match group.attempts.map(|attempts| attempts.success) {
        None | Some(LastSuccess::Unknown) => Value::Missing,
        Some(LastSuccess::At(at)) => Value::Age(store.at().since(at), AgeBasis::Observed),
        Some(LastSuccess::NoneSince(since)) => Value::Age(store.at().since(since), AgeBasis::AtLeast),
    }
}

fn command<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    let command = group.process.as_ref().map(|process| process.command.as_str());
    Value::or_missing(command.filter(|command| !command.is_empty()), Value::Text)
}

/// Why a group has no process, in the words of a single socket.
static UNACCEPTED: Owner = Owner::Unaccepted;
static HIDDEN: Owner = Owner::Hidden;
static VANISHED: Owner = Owner::Vanished;

/// Who holds the listening socket of a group, whether it passes the filter or not.
fn listening_owner<'a>(group: &Group, store: &'a Store) -> Option<&'a Owner> {
    let GroupKey::Listener { id, .. } = group.key else { return None };
    Some(&store.rows().get(store.rows().find(id)?)?.connection.socket.owner)
}

fn process<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    match (&group.process, group.key) {
        (_, GroupKey::Listener { .. }) => Value::or_missing(listening_owner(group, store), Value::Process),
        (_, GroupKey::OneOfListeners(_)) => Value::Owned(format!("one of {} listeners", group.listeners_at_place)),
        (Some(process), _) => Value::Text(process.name.as_str()),
        (None, GroupKey::NoProcess(NoProcess::Unaccepted, _)) => Value::Process(&UNACCEPTED),
        (None, GroupKey::NoProcess(NoProcess::Hidden, _)) => Value::Process(&HIDDEN),
        (None, GroupKey::NoProcess(NoProcess::Vanished, _)) => Value::Process(&VANISHED),
        (None, GroupKey::NoProcess(NoProcess::None, _)) => Value::Word { text: "no process", label: "none" },
        (None, _) => Value::Missing,
    }
}

fn user<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    let uid = group.process.as_ref().and_then(|process| process.uid);
    Value::or_missing(uid, |uid| Value::user(uid, store.names()))
}

fn pid<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    if let Some(holders) = listening_owner(group, store).and_then(Owner::holders) {
        return Value::Pids(holders);
    }
    Value::or_missing(group.process.as_ref(), |process| Value::Number(u64::from(process.id.pid)))
}

fn usage<'s>(group: &Group, store: &'s Store) -> Option<&'s Usage> {
    store.usage(group.process.as_ref()?.id)
}

fn descriptors<'s>(group: &Group, store: &'s Store) -> Option<&'s Descriptors> {
    store.descriptors_of(group.process.as_ref()?.id)
}

fn cpu<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    Value::or_missing(usage(group, store).and_then(|usage| usage.cpu), |cpu| Value::Share(f64::from(cpu)))
}

fn remote_addr<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    match group.key {
        GroupKey::Remote { address, netns, .. } => Value::Address(AddressText::of(address, netns, store.names())),
        _ => Value::Missing,
    }
}

fn host<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    let name = group.key.remote_address().and_then(|address| store.host_names().get(address.ip()));
    Value::or_missing(name, |name| Value::Host(name.as_str()))
}

fn local<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    match group.key {
        GroupKey::Listener { place, .. } | GroupKey::OneOfListeners(place) => {
            Value::Endpoint(place.text(store.names()), place.local.port)
        }
        _ => Value::Missing,
    }
}

/// The protocol of the group, and the port whose service it is about.
const fn served(group: &Group) -> Option<(Protocol, Option<u16>)> {
    match group.key {
        GroupKey::Remote { protocol, port, .. } => Some((protocol, port)),
        GroupKey::Listener { place, .. } | GroupKey::OneOfListeners(place) => {
            Some((place.protocol, Some(place.local.port)))
        }
        GroupKey::PortPool(route) => Some((Protocol::Tcp, Some(route.to.port))),
        GroupKey::Process(_) | GroupKey::NoProcess(..) => None,
    }
}

fn protocol<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    Value::or_missing(served(group), |(protocol, _)| Value::word(protocol.name()))
}

fn remote_port<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    Value::or_missing(served(group).and_then(|(_, port)| port), Value::Port)
}

fn service<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    let name = served(group).and_then(|(protocol, port)| ports::service(protocol, port?));
    Value::or_missing(name, Value::Text)
}

fn oldest<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    Value::or_missing(group.close_wait_since, |since| Value::Age(since.age(store.at()), since.basis))
}

fn sockets(group: &Group) -> u64 {
    u64::from(group.sockets())
}

fn connections<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    Value::Count(sockets(group).saturating_sub(u64::from(group.listening)))
}

fn peers<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    Value::Count(u64::from(group.peers))
}

fn retransmits<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    Value::Count(group.retransmits)
}

fn receive_queue<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    Value::Bytes(group.receive_queue_bytes)
}

fn rate(group: &Group, pick: fn(Rates) -> f32) -> Value<'static> {
    Value::or_missing(group.rates, |rates| Value::BytesPerSecond(f64::from(pick(rates))))
}

fn backlog(group: &Group, pick: fn(AcceptQueue) -> Option<u32>) -> Value<'static> {
    Value::or_missing(group.accept_queue.and_then(pick), |waiting| Value::Count(u64::from(waiting)))
}

fn count(group: &Group, state: TcpState) -> Value<'static> {
    Value::Count(u64::from(group.counts.of(state)))
}

fn others<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    let named = [TcpState::Established, TcpState::CloseWait, TcpState::TimeWait, TcpState::Listen];
    let rest = named.into_iter().fold(group.sockets(), |rest, state| rest.saturating_sub(group.counts.of(state)));
    Value::Count(u64::from(rest))
}

fn fill(group: &Group) -> Option<f64> {
    group.accept_queue?.share()
}

/// What limits an accept queue, as machines read it.
const LIMITS: &[&str] = &["listen", "somaxconn"];

/// The kernel cuts the argument of listen(2) at `somaxconn` (`__sys_listen`, net/socket.c): a limit below it is the
/// argument.
fn limit_by<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    let limit = group.accept_queue.and_then(|queue| queue.limit);
    let most = store.facts().accept_queue_max.filter(|_| store.facts().are_about(netns(group).unwrap_or_default()));
    match (limit, most) {
        (Some(limit), Some(most)) if limit < most => Value::Word { text: "listen()", label: "listen" },
        (Some(_), Some(_)) => Value::word("somaxconn"),
        _ => Value::Missing,
    }
}

fn overflows<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    let GroupKey::Listener { place: ListenAddress { protocol: Protocol::Tcp, .. }, id } = group.key else {
        return Value::Missing;
    };
    Value::or_missing(store.pressure().overflows_of(id), Value::PerSecond)
}

/// The kernel counts drops by socket, those of a listener too (`sk_drops`).
fn drops<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    let GroupKey::Listener { id, .. } = group.key else { return Value::Missing };
    let drops = store.rows().live(id).and_then(|row| row.connection.socket.drops);
    Value::or_missing(drops, |drops| Value::Count(u64::from(drops.count())))
}

const fn netns(group: &Group) -> Option<NetnsId> {
    match group.key {
        GroupKey::Listener { place: ListenAddress { netns, .. }, .. }
        | GroupKey::OneOfListeners(ListenAddress { netns, .. })
        | GroupKey::PortPool(PortPool { netns, .. }) => Some(netns),
        _ => None,
    }
}

const fn route(group: &Group) -> Option<PortPool> {
    match group.key {
        GroupKey::PortPool(route) => Some(route),
        _ => None,
    }
}

fn destination<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    Value::or_missing(route(group), |route| {
        let address = AddressText::of(route.to.address, route.netns, store.names());
        Value::Endpoint(address, route.to.port)
    })
}

fn source<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    Value::or_missing(route(group), |route| Value::Address(AddressText::of(route.source, route.netns, store.names())))
}

fn holder<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    match &group.process {
        Some(process) if !group.is_held => Value::Owned(format!("was {}", process.name)),
        _ => self::process(group, store),
    }
}

/// How many ports a route has, where that is known.
fn usable(group: &Group, store: &Store) -> Option<u32> {
    store
        .facts()
        .ephemeral_usable()
        .filter(|ports| *ports > 0 && store.facts().are_about(netns(group).unwrap_or_default()))
}

fn used_share(group: &Group, store: &Store) -> Option<f64> {
    Some(f64::from(group.sockets()) / f64::from(usable(group, store)?))
}

fn churn<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    let churn = route(group).and_then(|route| store.port_churn().churn(route));
    Value::or_missing(churn, |churn| Value::PerSecond(churn.per_second()))
}

/// Beyond that nobody knows.
const RUNS_OUT_MAX: Duration = Duration::from_secs(24 * 3_600);

fn runs_out<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    let left = || Some(usable(group, store)?.saturating_sub(group.sockets()));
    let churn = route(group).and_then(|route| store.port_churn().churn(route));
    let within = left().and_then(|left| if left == 0 { Some(Duration::ZERO) } else { churn?.runs_out(left) });
    Value::or_missing(within.filter(|within| *within <= RUNS_OUT_MAX), |within| Value::Age(within, AgeBasis::Observed))
}

/// The columns of the table of `grouping`.
pub const fn columns(grouping: Grouping) -> &'static [Column<Group>] {
    match grouping {
        Grouping::Process => PROCESSES,
        Grouping::Remote => REMOTES,
        Grouping::Listener => LISTENERS,
        Grouping::PortPool => PORTS,
    }
}

/// A table of groups: its rows in order.
///
/// They are added up and sorted in slices, while the groups of the sample before stand.
#[derive(Debug)]
pub struct GroupView {
    grouping: Grouping,
    filter: Filter,
    sort: SortKey,
    found: GroupList,
    /// Indices into the groups that were found, first to last.
    order: Vec<u32>,
    work: Option<GroupViewTask>,
}

/// Groups, and where in the list each is.
#[derive(Debug, Default)]
struct GroupList {
    groups: Vec<Group>,
    places: FxHashMap<GroupKey, usize>,
    /// Sockets of all groups.
    sockets: u64,
    /// Attempts of the last minute of all groups, and how many of them failed.
    attempts: (u64, u64),
    /// Where the group with the most sockets is.
    largest: usize,
}

impl GroupList {
    fn new(groups: Vec<Group>, places: FxHashMap<GroupKey, usize>) -> Self {
        let sockets = groups.iter().map(sockets).sum();
        let largest = (0..groups.len()).max_by_key(|index| (groups[*index].sockets(), Reverse(groups[*index].key)));
        let told = groups.iter().filter_map(|group| group.attempts);
        let attempts =
            told.fold((0, 0), |(made, failed), more| (made + u64::from(more.made), failed + u64::from(more.failed)));
        Self { groups, places, sockets, attempts, largest: largest.unwrap_or(0) }
    }
}

/// What decides between groups of equal value: more sockets first, then by key, so that rows stay where they are.
type Tie = (Reverse<u32>, GroupKey, u32);

/// What is left to be done.
#[derive(Debug)]
enum GroupViewTask {
    /// The sockets are being added up.
    Sum(Box<Summing>),
    /// The groups are being sorted: new ones, or those that are shown.
    Sort { fresh: Option<Box<GroupList>>, next: usize, placing: SlicedSort<Tie> },
}

impl GroupView {
    /// The view of `grouping`, empty until it is refreshed: leakers first, the fullest accept queue for listeners,
    /// the most ports for routes.
    pub fn new(grouping: Grouping) -> Self {
        let column = find(
            columns(grouping),
            match grouping {
                Grouping::Process | Grouping::Remote => "close_wait",
                Grouping::Listener => "fill",
                Grouping::PortPool => "used",
            },
        );
        let sort = SortKey { column: column.unwrap_or_default(), order: Order::Descending };
        Self { grouping, filter: Filter::default(), sort, found: GroupList::default(), order: Vec::new(), work: None }
    }

    /// The columns of this table.
    pub const fn columns(&self) -> &'static [Column<Group>] {
        columns(self.grouping)
    }

    /// What the groups have in common.
    pub const fn grouping(&self) -> Grouping {
        self.grouping
    }

    /// How many sockets all groups have together; one that is of several groups counts for each.
    pub const fn sockets(&self) -> u64 {
        self.found.sockets
    }

    /// How many attempts to connect all groups had in the last minute, and how many of them failed.
    pub const fn attempts(&self) -> (u64, u64) {
        self.found.attempts
    }

    /// The group with the most sockets.
    pub fn largest(&self) -> Option<&Group> {
        self.found.groups.get(self.found.largest)
    }

    /// What it is sorted by.
    pub const fn sort(&self) -> SortKey {
        self.sort
    }

    /// How many groups there are.
    pub const fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The group on line `line`.
    pub fn get(&self, line: usize) -> Option<&Group> {
        self.found.groups.get(*self.order.get(line)? as usize)
    }

    /// The groups from line `line` on.
    pub fn from(&self, line: usize) -> impl Iterator<Item = &Group> {
        self.order.iter().skip(line).filter_map(|index| self.found.groups.get(*index as usize))
    }

    /// Where the group of `key` is; `None` if it is gone.
    pub fn position(&self, key: GroupKey) -> Option<usize> {
        let index = u32::try_from(*self.found.places.get(&key)?).ok()?;
        self.order.iter().position(|shown| *shown == index)
    }

    /// Whether the group of `key` is there.
    pub fn has(&self, key: GroupKey) -> bool {
        self.found.places.contains_key(&key)
    }

    /// Adds the sockets up again and sorts the groups, in one go.
    pub fn refresh(&mut self, store: &Store) {
        self.start();
        while self.is_busy() {
            self.advance(store, &mut usize::MAX.clone());
        }
    }

    /// Which sockets are added up.
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Has only the sockets added up that pass `filter`, from the next [`start`](Self::start) on.
    pub fn set_filter(&mut self, filter: Filter) {
        self.filter = filter;
    }

    /// Starts to add the sockets up again.
    pub fn start(&mut self) {
        self.work = Some(GroupViewTask::Sum(Box::new(Summing::new(self.grouping))));
    }

    /// Drops the groups, until it is refreshed again.
    pub fn clear(&mut self) {
        (self.found, self.order, self.work) = (GroupList::default(), Vec::new(), None);
    }

    /// Starts to sort by `sort`.
    pub fn start_sort(&mut self, sort: SortKey) {
        self.sort = sort;
        match self.work.take() {
            sum @ Some(GroupViewTask::Sum(_)) => self.work = sum,
            Some(GroupViewTask::Sort { fresh, .. }) => self.start_placing(fresh),
            None => self.start_placing(None),
        }
    }

    /// Whether [`advance`](Self::advance) has work to do.
    pub const fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    /// Goes on with what was started, as far as `steps` allows (a row or a group is one); answers whether that made a
    /// new table. The store must not change in between.
    pub fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        match self.work.take() {
            None => false,
            Some(GroupViewTask::Sum(mut summing)) => {
                let filter = &self.filter;
                if summing.advance(store, steps, |row| filter.is_empty() || filter.matches(row, store)) {
                    let (groups, places) = summing.into_groups(store, filter.is_empty());
                    self.start_placing(Some(Box::new(GroupList::new(groups, places))));
                    return self.advance(store, steps);
                }
                self.work = Some(GroupViewTask::Sum(summing));
                false
            }
            Some(GroupViewTask::Sort { fresh, next, placing }) => {
                self.advance_sort(store, steps, (fresh, next, placing))
            }
        }
    }

    fn advance_sort(
        &mut self,
        store: &Store,
        steps: &mut usize,
        (fresh, mut next, mut placing): (Option<Box<GroupList>>, usize, SlicedSort<Tie>),
    ) -> bool {
        let value = self.columns()[self.sort.column].value;
        let groups = &fresh.as_deref().unwrap_or(&self.found).groups;
        while let Some(group) = groups.get(next).filter(|_| *steps > 0) {
            *steps -= 1;
            let index = u32::try_from(next).unwrap_or(u32::MAX);
            placing.push(&value(group, store), (Reverse(group.sockets()), group.key, index));
            next += 1;
        }
        if next < groups.len() || !placing.advance(steps) {
            self.work = Some(GroupViewTask::Sort { fresh, next, placing });
            return false;
        }
        self.order = placing.into_order().map(|(_, _, index)| index).collect();
        if let Some(found) = fresh {
            self.found = *found;
        }
        true
    }

    fn start_placing(&mut self, fresh: Option<Box<GroupList>>) {
        let len = fresh.as_deref().unwrap_or(&self.found).groups.len();
        self.work = Some(GroupViewTask::Sort { fresh, next: 0, placing: SlicedSort::new(self.sort.order, len) });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::delta::Delta;
    use crate::model::testing::{connection, listener, process, source_info, tcp};

    fn store() -> Store {
        let (pool, nginx) = (process(4121, "jdbc-pool"), process(812, "nginx"));
        let leak = |cookie: u64| {
            tcp(cookie).remote("10.1.0.1:5432").state(TcpState::CloseWait).held_by(std::slice::from_ref(&pool))
        };
        let mut sockets = vec![leak(1), leak(2), leak(3)];
        sockets.push(listener(4, 80).queues(120, 128).held_by(std::slice::from_ref(&nginx)));
        sockets.push(listener(5, 443).queues(0, 4096).held_by(std::slice::from_ref(&nginx)));
        sockets.extend((6..20).map(|cookie| {
            tcp(cookie).local("10.0.0.1:80").remote("10.0.0.9:40000").held_by(std::slice::from_ref(&nginx))
        }));
        let mut store = Store::new(source_info());
        store.apply(Delta {
            added: sockets.into_iter().map(|socket| connection(socket, 0)).collect(),
            ..Delta::default()
        });
        store
    }

    fn shown(view: &GroupView, store: &Store, keys: &[&str]) -> Vec<Vec<String>> {
        let columns = view.columns();
        let cell =
            |group, key: &&str| (columns[find(columns, key).expect(key)].value)(group, store).text().into_owned();
        view.from(0).map(|group| keys.iter().map(|key| cell(group, key)).collect()).collect()
    }

    #[test]
    fn the_leaker_is_on_top_of_the_processes() {
        let (store, mut view) = (store(), GroupView::new(Grouping::Process));
        view.refresh(&store);
        let rows = shown(&view, &store, &["process", "pid", "close_wait", "established", "listen", "total"]);
        assert_eq!(rows, [["jdbc-pool", "4121", "3", "0", "0", "3"], ["nginx", "812", "0", "14", "2", "16"]]);
    }

    #[test]
    fn the_fullest_accept_queue_is_on_top_of_the_listeners() {
        let (store, mut view) = (store(), GroupView::new(Grouping::Listener));
        view.refresh(&store);
        let rows = shown(&view, &store, &["local", "service", "process", "backlog", "backlog_limit", "fill"]);
        assert_eq!(rows[0], ["0.0.0.0:80", "http", "nginx", "120", "128", "94%"]);
        assert_eq!(rows[1][5], "0.0%");
    }

    #[test]
    fn the_peer_that_is_leaked_to_is_on_top_of_the_remotes() {
        let (store, mut view) = (store(), GroupView::new(Grouping::Remote));
        view.refresh(&store);
        assert_eq!(shown(&view, &store, &["raddr", "rport", "close_wait"])[0], ["10.1.0.1", "5432", "3"]);
    }

    #[test]
    fn every_column_is_described_once_and_its_title_fits() {
        for grouping in [Grouping::Process, Grouping::Remote, Grouping::Listener, Grouping::PortPool] {
            let columns = columns(grouping);
            for column in columns {
                assert!(column.about.ends_with('.'), "{}", column.key);
                assert!(column.title.len() <= usize::from(column.width.0), "{}", column.key);
            }
            assert_eq!(columns.iter().map(|column| column.key).collect::<BTreeSet<_>>().len(), columns.len());
        }
    }
}
