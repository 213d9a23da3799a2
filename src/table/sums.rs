//! What the sockets of a group add up to: the columns of `conntop list --group-by` beside those it groups by.

use crate::model::query::QueryFields;
use crate::model::tcp_info::ByteCounts;
use crate::model::tcp_state::TcpState;
use crate::store::row::SocketRow;
use crate::store::socket_counts::SocketCounts;
use crate::table::column::{Column, ValueKind};
use crate::table::value::Value;

/// Sockets that were added up. What no socket of them has is `None`, not 0.
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// The first one, or something that was tried where there is no socket: it stands for what they have in common.
    pub first: Option<SocketRow>,
    /// How many, by state.
    pub counts: SocketCounts,
    received_unread: Option<u64>,
    sent_unacknowledged: Option<u64>,
    retransmits: Option<u64>,
    received: Option<u64>,
    sent: Option<u64>,
    receive_rate: Option<f64>,
    send_rate: Option<f64>,
    /// How many attempts to connect, and how many failed.
    attempts: Option<(u64, u64)>,
}

impl Sum {
    /// Nothing yet of the group that `first` stands for.
    pub fn starting_with(first: SocketRow) -> Self {
        Self { first: Some(first), ..Self::default() }
    }

    /// Adds attempts to connect, of which so many `failed`; 0 says that none were made.
    pub fn add_attempts(&mut self, made: u64, failed: u64) {
        let (all, lost) = self.attempts.unwrap_or_default();
        self.attempts = Some((all.saturating_add(made), lost.saturating_add(failed)));
    }

    /// Whether it is known how many attempts to connect there were.
    pub const fn has_attempts(&self) -> bool {
        self.attempts.is_some()
    }

    /// How many sockets.
    pub fn sockets(&self) -> u64 {
        u64::from(self.counts.total())
    }

    /// Whether a socket of the group has a rate.
    pub const fn has_rates(&self) -> bool {
        self.receive_rate.is_some() || self.send_rate.is_some()
    }

    /// Adds a socket.
    pub fn add(&mut self, row: &SocketRow) {
        let socket = &row.connection.socket;
        self.counts.add(socket);
        // The queues of a listener are connections, and the kernel measures nothing of it.
        if !socket.is_listener() {
            plus(&mut self.received_unread, socket.queues.map(|queues| u64::from(queues.receive)));
            plus(&mut self.sent_unacknowledged, socket.queues.and_then(|queues| queues.send).map(u64::from));
            plus(&mut self.retransmits, socket.tcp.map(|tcp| u64::from(tcp.retransmits_total)));
            let bytes = socket.tcp.and_then(|tcp| tcp.bytes);
            plus(&mut self.received, bytes.map(ByteCounts::received));
            plus(&mut self.sent, bytes.map(ByteCounts::sent));
        }
        if let Some(rates) = row.connection.rates() {
            *self.receive_rate.get_or_insert_default() += f64::from(rates.received);
            *self.send_rate.get_or_insert_default() += f64::from(rates.sent);
        }
    }
}

fn plus(sum: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0).saturating_add(more));
    }
}

const TCP_INFO: QueryFields = QueryFields { tcp_info: true, ..QueryFields::NONE };

/// Every column of a group beside those it is grouped by.
#[rustfmt::skip]
pub static SUMS: &[Column<Sum>] = &[
    Column::new("count", "COUNT", ValueKind::Count, |sum: &Sum, _| Value::Count(sum.sockets()))
        .width(5, 9).about("How many sockets."),
    Column::new("established", "ESTAB", ValueKind::Count, |sum: &Sum, _| in_state(sum, TcpState::Established))
        .width(5, 9).about("How many TCP sockets are in ESTABLISHED."),
    Column::new("close_wait", "C_WAIT", ValueKind::Count, |sum: &Sum, _| in_state(sum, TcpState::CloseWait))
        .width(6, 9).about("How many are in CLOSE_WAIT: the peer closed, the process did not."),
    Column::new("time_wait", "T_WAIT", ValueKind::Count, |sum: &Sum, _| in_state(sum, TcpState::TimeWait))
        .width(6, 9).about("How many are in TIME_WAIT."),
    Column::new("listen", "LISTEN", ValueKind::Count, |sum: &Sum, _| in_state(sum, TcpState::Listen))
        .width(6, 9).about("How many listen."),
    Column::new("other", "OTHER", ValueKind::Count, |sum: &Sum, _| others(sum))
        .width(5, 9).about("How many are in any other state, UDP sockets among them."),
    Column::new("recvq", "RECVQ", ValueKind::Bytes, |sum: &Sum, _| Value::or_missing(sum.received_unread, Value::Bytes))
        .width(5, 7).json("recvq_bytes").about("Received and not read, in bytes, listeners aside."),
    Column::new("sendq", "SENDQ", ValueKind::Bytes, |sum: &Sum, _| Value::or_missing(sum.sent_unacknowledged, Value::Bytes))
        .width(5, 7).json("sendq_bytes").about("Sent and not acknowledged, in bytes, listeners aside."),
    Column::new("retransmits", "RETR", ValueKind::Count, |sum: &Sum, _| Value::or_missing(sum.retransmits, Value::Count))
        .width(5, 7).reads(TCP_INFO).about("Segments retransmitted since the connections opened."),
    Column::new("rx", "RX", ValueKind::Bytes, |sum: &Sum, _| Value::or_missing(sum.received, Value::Bytes))
        .width(5, 6).json("rx_bytes").reads(TCP_INFO).about("Payload received since the connections opened, in bytes."),
    Column::new("tx", "TX", ValueKind::Bytes, |sum: &Sum, _| Value::or_missing(sum.sent, Value::Bytes))
        .width(5, 6).json("tx_bytes").reads(TCP_INFO).about("Payload sent and acknowledged since the connections opened, in bytes."),
    Column::new("rxrate", "RX/s", ValueKind::Rate, |sum: &Sum, _| Value::or_missing(sum.receive_rate, Value::BytesPerSecond))
        .width(5, 6).json("rx_bytes_per_second").reads(TCP_INFO).about("Payload received per second over the last interval, in bytes per second."),
    Column::new("txrate", "TX/s", ValueKind::Rate, |sum: &Sum, _| Value::or_missing(sum.send_rate, Value::BytesPerSecond))
        .width(5, 6).json("tx_bytes_per_second").reads(TCP_INFO).about("Payload sent per second over the last interval, in bytes per second."),
    Column::new("attempts", "ATTEMPTS", ValueKind::Count, |sum: &Sum, _| Value::or_missing(sum.attempts, |(made, _)| Value::Count(made)))
        .width(8, 9).about("Attempts to connect in the time watched with --for, told by the trace; at most of the last 15 minutes."),
    Column::new("attempts_failed", "FAILED", ValueKind::Count, |sum: &Sum, _| Value::or_missing(sum.attempts, |(_, failed)| Value::Count(failed)))
        .width(6, 9).about("Those of them that failed: refused, timed out, given up or unreachable."),
];

/// The states that have a column.
const STATES: [TcpState; 4] = [TcpState::Established, TcpState::CloseWait, TcpState::TimeWait, TcpState::Listen];

fn in_state(sum: &Sum, state: TcpState) -> Value<'static> {
    Value::Count(u64::from(sum.counts.of(state)))
}

fn others(sum: &Sum) -> Value<'static> {
    let named = STATES.iter().map(|state| u64::from(sum.counts.of(*state))).sum();
    Value::Count(sum.sockets().saturating_sub(named))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::testing::{connection, listener, source_info, tcp, udp};
    use crate::store::Store;
    use crate::table::column::find;
    use crate::table::connections::COLUMNS;

    fn summed(sockets: impl IntoIterator<Item = crate::model::socket::Socket>) -> Sum {
        let mut sum = Sum::default();
        for socket in sockets {
            sum.add(&SocketRow { connection: connection(socket, 0), mark: None });
        }
        sum
    }

    fn json(sum: &Sum, key: &str) -> String {
        let store = Store::new(source_info());
        let column = &SUMS[find(SUMS, key).expect(key)];
        serde_json::to_string(&(column.value)(sum, &store)).expect("a value is plain JSON")
    }

    #[test]
    fn what_nobody_knows_is_null_and_what_somebody_knows_is_added() {
        let mini = tcp(1).mini(TcpState::TimeWait).with(|socket| socket.queues = None);
        let unknown = summed([mini.build()]);
        for key in ["recvq", "sendq", "retransmits", "rx", "tx", "rxrate", "txrate"] {
            assert_eq!(json(&unknown, key), "null", "{key}");
        }
        let known = [tcp(2).queues(10, 20).bytes(100, 5).build(), tcp(3).queues(1, 0).bytes(11, 5).build()];
        let sum = summed(known.into_iter().chain([tcp(1).mini(TcpState::TimeWait).build()]));
        for (key, value) in
            [("count", "3"), ("established", "2"), ("time_wait", "1"), ("recvq", "11"), ("sendq", "20"), ("rx", "111")]
        {
            assert_eq!(json(&sum, key), value, "{key}");
        }
    }

    #[test]
    fn the_queue_of_a_listener_is_no_bytes_and_every_socket_is_in_one_state() {
        let sum = summed([listener(1, 80).queues(3, 128).build(), udp(2, 53).queues(7, 0).build()]);
        for (key, value) in [("listen", "1"), ("other", "1"), ("recvq", "7"), ("sendq", "0"), ("retransmits", "null")] {
            assert_eq!(json(&sum, key), value, "{key}");
        }
    }

    #[test]
    fn a_sum_of_a_column_is_called_as_that_column_and_no_name_is_taken_twice() {
        for sum in SUMS {
            assert!(sum.about.ends_with('.') && sum.title.len() <= usize::from(sum.width.0), "{}", sum.key);
            if let Some(column) = COLUMNS.iter().find(|column| column.key == sum.key || column.json == sum.json) {
                assert_eq!((column.key, column.json, column.title), (sum.key, sum.json, sum.title));
                assert_eq!(column.kind, sum.kind);
            }
        }
        assert_eq!(SUMS.iter().map(|column| column.json).collect::<BTreeSet<_>>().len(), SUMS.len());
    }
}
