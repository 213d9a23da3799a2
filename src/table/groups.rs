//! Rows that stand for many sockets: the tables of processes, remotes and listeners.

use crate::knowledge::ports;
use crate::model::delta::Rates;
use crate::model::endpoint::Protocol;
use crate::model::process::Usage;
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::store::groups::{self, AcceptQueue, Group, GroupKey, Grouping, NoProcess};
use crate::table::column::{Column, Drift, Kind, Order, find};
use crate::table::sort::SortKey;
use crate::table::value::Value;

/// The table of processes.
#[rustfmt::skip]
pub static PROCESSES: &[Column<Group>] = &[
    Column::new("process", "PROCESS", Kind::Text, process)
        .width(9, 24).rank(0).about("The process; or why none is known."),
    Column::new("pid", "PID", Kind::Number, pid)
        .width(7, 7).rank(1).about("The process id."),
    Column::new("user", "USER", Kind::Text, user)
        .width(8, 16).rank(8).drift(Drift::Names).about("The user the process runs as."),
    CLOSE_WAIT, OLDEST, ESTABLISHED, TIME_WAIT, LISTENING, OTHER, TOTAL, PEERS, RECEIVE_QUEUE, RECEIVE_RATE, SEND_RATE,
    Column::new("cpu", "CPU", Kind::Share, cpu)
        .width(5, 5).rank(10).drift(Drift::Free).about("Processor use; 100% is one core."),
    Column::new("memory", "MEM", Kind::Bytes, |group, store| Value::or_missing(usage(group, store), |usage| Value::Bytes(usage.memory_bytes)))
        .width(5, 6).rank(11).json("memory_bytes").drift(Drift::Free).about("Resident memory, in bytes."),
    Column::new("fds", "FDS", Kind::Count, |group, store| Value::or_missing(usage(group, store).and_then(|usage| usage.descriptors), |fds| Value::Count(u64::from(fds))))
        .width(6, 9).rank(7).drift(Drift::Free).about("Open descriptors."),
    Column::new("fds_limit", "FDMAX", Kind::Count, |group, store| Value::or_missing(usage(group, store).and_then(|usage| usage.descriptors_max), Value::Count))
        .width(6, 11).rank(12).drift(Drift::Free).about("The limit of open descriptors."),
];

/// The table of remotes.
#[rustfmt::skip]
pub static REMOTES: &[Column<Group>] = &[
    Column::new("raddr", "REMOTE", Kind::Address, remote_addr)
        .width(15, 39).rank(0).about("The peer's address."),
    Column::new("rport", "PORT", Kind::Port, remote_port)
        .width(5, 5).rank(0).about("The peer's port, for connections that we opened."),
    Column::new("proto", "PROTO", Kind::Text, protocol)
        .width(5, 5).rank(9).about("The protocol."),
    Column::new("service", "SERVICE", Kind::Text, service)
        .width(8, 16).rank(7).about("What is usually served on the peer's port."),
    CLOSE_WAIT, OLDEST, ESTABLISHED, TIME_WAIT, OTHER, TOTAL, RECEIVE_QUEUE, RECEIVE_RATE, SEND_RATE,
    Column::new("retransmits", "RETR", Kind::Count, retransmits)
        .width(5, 9).rank(11).about("Segments sent again."),
    Column::new("process", "PROCESS", Kind::Text, process)
        .width(9, 24).rank(1).about("The first process that talks to it."),
];

/// The table of listeners.
#[rustfmt::skip]
pub static LISTENERS: &[Column<Group>] = &[
    Column::new("local", "LISTENER", Kind::Endpoint, local)
        .width(14, 47).rank(0).about("Where it listens."),
    Column::new("proto", "PROTO", Kind::Text, protocol)
        .width(5, 5).rank(6).about("The protocol."),
    Column::new("service", "SERVICE", Kind::Text, service)
        .width(8, 16).rank(3).about("What is usually served on the port."),
    Column::new("process", "PROCESS", Kind::Text, process)
        .width(9, 24).rank(1).about("The process that listens."),
    Column::new("pid", "PID", Kind::Number, pid)
        .width(7, 7).rank(8).about("The process id."),
    Column::new("backlog", "QUEUE", Kind::Count, |group, _| backlog(group, |queue| Some(queue.waiting)))
        .width(6, 7).rank(0).about("Connections that wait to be accepted; the fullest queue if several share the address."),
    Column::new("backlog_limit", "LIMIT", Kind::Count, |group, _| backlog(group, |queue| queue.limit))
        .width(6, 7).rank(2).about("How many connections may wait to be accepted."),
    Column::new("fill", "FILL", Kind::Share, fill)
        .width(5, 5).rank(4).about("How full the accept queue is."),
    CLOSE_WAIT, OLDEST, ESTABLISHED, TIME_WAIT, OTHER,
    Column::new("total", "CONNS", Kind::Count, connections)
        .width(6, 9).rank(7).about("Connections that it has accepted or has waiting."),
    PEERS, RECEIVE_QUEUE, RECEIVE_RATE, SEND_RATE,
];

// Columns that several of the tables share. Ranks: what shows a leak goes last.
#[rustfmt::skip]
const CLOSE_WAIT: Column<Group> = Column::new("close_wait", "C_WAIT", Kind::Count, |group, _| count(group, TcpState::CloseWait))
    .width(6, 9).rank(0).about("Sockets in CLOSE_WAIT: the peer closed, the process did not.");
#[rustfmt::skip]
const OLDEST: Column<Group> = Column::new("oldest", "OLDEST", Kind::Span, oldest)
    .width(7, 7).rank(5).json("oldest_close_wait_seconds").drift(Drift::Even).about("How long the oldest CLOSE_WAIT socket has been in that state, in seconds.");
#[rustfmt::skip]
const ESTABLISHED: Column<Group> = Column::new("established", "ESTAB", Kind::Count, |group, _| count(group, TcpState::Established))
    .width(6, 9).rank(0).about("TCP sockets in ESTABLISHED.");
#[rustfmt::skip]
const TIME_WAIT: Column<Group> = Column::new("time_wait", "T_WAIT", Kind::Count, |group, _| count(group, TcpState::TimeWait))
    .width(6, 9).rank(0).about("Sockets in TIME_WAIT.");
#[rustfmt::skip]
const LISTENING: Column<Group> = Column::new("listen", "LISTEN", Kind::Count, |group, _| count(group, TcpState::Listen))
    .width(6, 9).rank(4).about("Listeners.");
#[rustfmt::skip]
const OTHER: Column<Group> = Column::new("other", "OTHER", Kind::Count, others)
    .width(6, 9).rank(9).about("Sockets in any other state, UDP sockets among them.");
#[rustfmt::skip]
const TOTAL: Column<Group> = Column::new("total", "TOTAL", Kind::Count, |group, _| Value::Count(sockets(group)))
    .width(6, 9).rank(3).about("All sockets.");
#[rustfmt::skip]
const PEERS: Column<Group> = Column::new("peers", "PEERS", Kind::Count, peers)
    .width(6, 9).rank(13).about("Distinct remote addresses.");
#[rustfmt::skip]
const RECEIVE_QUEUE: Column<Group> = Column::new("recvq", "RECVQ", Kind::Bytes, receive_queue)
    .width(5, 6).rank(14).json("recvq_bytes").about("Received and not read, in bytes, listeners aside.");
#[rustfmt::skip]
const RECEIVE_RATE: Column<Group> = Column::new("rxrate", "RX/s", Kind::Rate, |group, _| rate(group, |rates| rates.received))
    .width(5, 6).rank(15).json("rx_bytes_per_second").about("Payload received per second, in bytes per second.");
#[rustfmt::skip]
const SEND_RATE: Column<Group> = Column::new("txrate", "TX/s", Kind::Rate, |group, _| rate(group, |rates| rates.sent))
    .width(5, 6).rank(16).json("tx_bytes_per_second").about("Payload sent per second, in bytes per second.");

fn process<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    match (&group.process, group.key) {
        (Some(process), _) => Value::Text(process.name.as_str()),
        (None, GroupKey::NoProcess(NoProcess::Unaccepted)) => {
            Value::Word { text: "in accept queue", label: "unaccepted" }
        }
        (None, GroupKey::NoProcess(NoProcess::Hidden)) => {
            Value::Word { text: "hidden (no permission)", label: "hidden" }
        }
        (None, GroupKey::NoProcess(NoProcess::None)) => Value::Word { text: "no process", label: "none" },
        (None, _) => Value::Missing,
    }
}

fn user<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    let uid = group.process.as_ref().and_then(|process| process.uid);
    Value::or_missing(uid.and_then(|uid| store.names().users.get(&uid)), |name| Value::Text(name.as_str()))
}

fn pid<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    Value::or_missing(group.process.as_ref(), |process| Value::Number(u64::from(process.id.pid)))
}

fn usage<'s>(group: &Group, store: &'s Store) -> Option<&'s Usage> {
    store.usage(group.process.as_ref()?.id)
}

fn cpu<'a>(group: &'a Group, store: &'a Store) -> Value<'a> {
    Value::or_missing(usage(group, store).and_then(|usage| usage.cpu), |cpu| Value::Share(f64::from(cpu)))
}

fn remote_addr<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    match group.key {
        GroupKey::Remote { addr, .. } => Value::Address(addr),
        _ => Value::Missing,
    }
}

fn local<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    match group.key {
        GroupKey::Listener { local, .. } => Value::Endpoint(local),
        _ => Value::Missing,
    }
}

/// The protocol of the group, and the port whose service it is about.
const fn served(group: &Group) -> Option<(Protocol, Option<u16>)> {
    match group.key {
        GroupKey::Remote { protocol, port, .. } => Some((protocol, port)),
        GroupKey::Listener { protocol, local, .. } => Some((protocol, Some(local.port))),
        GroupKey::Process(_) | GroupKey::NoProcess(_) => None,
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
    Value::Count(sockets(group).saturating_sub(u64::from(group.listeners())))
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

fn fill<'a>(group: &'a Group, _: &'a Store) -> Value<'a> {
    let used = |queue: AcceptQueue| Some((queue.waiting, queue.limit.filter(|limit| *limit > 0)?));
    Value::or_missing(group.accept_queue.and_then(used), |(waiting, limit)| {
        Value::Share(f64::from(waiting) / f64::from(limit))
    })
}

/// The columns of the table of `grouping`.
pub const fn columns(grouping: Grouping) -> &'static [Column<Group>] {
    match grouping {
        Grouping::Process => PROCESSES,
        Grouping::Remote => REMOTES,
        Grouping::Listener => LISTENERS,
    }
}

/// A table of groups: its rows in order. There are few, so that they are made anew when the store has changed.
#[derive(Debug)]
pub struct GroupView {
    grouping: Grouping,
    sort: SortKey,
    groups: Vec<Group>,
}

impl GroupView {
    /// The view of `grouping`, empty until it is refreshed: leakers first, and the fullest accept queue for listeners.
    pub fn new(grouping: Grouping) -> Self {
        let column = find(
            columns(grouping),
            match grouping {
                Grouping::Process | Grouping::Remote => "close_wait",
                Grouping::Listener => "fill",
            },
        );
        Self {
            grouping,
            sort: SortKey { column: column.unwrap_or_default(), order: Order::Descending },
            groups: Vec::new(),
        }
    }

    /// The columns of this table.
    pub const fn columns(&self) -> &'static [Column<Group>] {
        columns(self.grouping)
    }

    /// What the groups have in common.
    pub const fn grouping(&self) -> Grouping {
        self.grouping
    }

    /// What it is sorted by.
    pub const fn sort(&self) -> SortKey {
        self.sort
    }

    /// The groups, first to last.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Where the group of `key` is; `None` if it is gone.
    pub fn position(&self, key: GroupKey) -> Option<usize> {
        self.groups.iter().position(|group| group.key == key)
    }

    /// Adds the sockets up again and sorts the groups.
    pub fn refresh(&mut self, store: &Store) {
        self.groups = groups::by(store, self.grouping);
        self.arrange(store);
    }

    /// Sorts by `sort`.
    pub fn set_sort(&mut self, sort: SortKey, store: &Store) {
        self.sort = sort;
        self.arrange(store);
    }

    /// Ties go to the group with more sockets, then by key, so that rows stay where they are.
    fn arrange(&mut self, store: &Store) {
        let (value, order) = (columns(self.grouping)[self.sort.column].value, self.sort.order);
        self.groups.sort_by(|a, b| {
            let by_value = value(a, store).compare(&value(b, store), order);
            by_value.then(b.sockets().cmp(&a.sockets())).then(a.key.cmp(&b.key))
        });
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
        view.groups().iter().map(|group| keys.iter().map(|key| cell(group, key)).collect()).collect()
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
        for grouping in [Grouping::Process, Grouping::Remote, Grouping::Listener] {
            let columns = columns(grouping);
            for column in columns {
                assert!(column.about.ends_with('.'), "{}", column.key);
                assert!(column.title.len() <= usize::from(column.width.0), "{}", column.key);
            }
            assert_eq!(columns.iter().map(|column| column.key).collect::<BTreeSet<_>>().len(), columns.len());
        }
    }
}
