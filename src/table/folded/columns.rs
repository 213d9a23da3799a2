//! The columns of the folded table.

use std::time::Duration;

use crate::model::address_text::AddressText;
use crate::model::delta::Since;
use crate::model::process::NoProcess;
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::store::alike::history::{TREND_SLOTS, Trend};
use crate::store::alike::key::AlikePeer;
use crate::store::folding::{FoldOwner, FoldPeer, Folding};
use crate::store::row::SocketRow;
use crate::table::braille;
use crate::table::column::{Column, Drift, PEER_NAME, PEER_NAME_WIDTH, ValueKind};
use crate::table::connections::HOST;
use crate::table::folded::{FoldedLine, FoldedRow, peer_text};
use crate::table::order::Order;
use crate::table::units;
use crate::table::value::{Value, short_reason};

/// The column by which the table is sorted at first: worst first.
pub const WHY: &str = "why";
/// The column that is shown only where lines stand for units.
pub const UNIT: &str = "unit";
/// The column of how many there were, as a trend.
pub const TREND: &str = "trend";
/// From this rate on it is worth a word that sockets come.
const OPENED_NOTABLE: f64 = 1.0;
/// Cells of a trend.
pub const TREND_WIDTH: u16 = 8;
const _: () = assert!(TREND_SLOTS == TREND_WIDTH as usize * 2, "two parts of time a cell");
/// A change by fewer sockets is none.
const FLAT_BELOW: u32 = 2;
/// Before this time nothing is concluded from a state: every close takes a moment.
const VERDICT_AFTER: Duration = Duration::from_secs(5);

/// The columns of the folded table. Queues and rates are as old as the last sample that listed the sockets.
#[rustfmt::skip]
pub static FOLDED: &[Column<FoldedLine>] = &[
    Column::new(HOST, "HOST", ValueKind::Text, of_host)
        .width(6, 24).rank(0).drift(Drift::Names).about("The host that the sockets are on, where there are several."),
    Column::new(UNIT, "UNIT", ValueKind::Text, unit)
        .width(12, 32).rank(1).about("The service unit, container or pod."),
    Column::new("process", "PROCESS", ValueKind::Text, process)
        .width(9, 24).rank(0).about("The program that holds the sockets, or held them last ('was …'); or why none is known. Of a single socket, its local end."),
    Column::new("pid", "PID", ValueKind::Number, pid)
        .width(7, 7).rank(10).about("The process id; of several, how many."),
    Column::new("peer", "PEER", ValueKind::Endpoint, peer)
        .width(13, 47).rank(0).about("The remote end of what we opened; :443 clients came in by a listener of ours, :443 queue waits to be accepted."),
    Column::new(PEER_NAME, "HOST?", ValueKind::Text, host)
        .width(PEER_NAME_WIDTH.0, PEER_NAME_WIDTH.1).rank(3).hint().about("The reverse DNS name of the peer's address. These names are not trusted, so nothing is filtered or sorted by them."),
    Column::new("state", "STATE", ValueKind::State, state)
        .width(11, 11).rank(2).about("The TCP state."),
    Column::new("count", "COUNT", ValueKind::Count, |line, _| Value::or_missing(row(line), |row| Value::Count(u64::from(row.sums.sockets))))
        .width(5, 9).rank(0).about("How many sockets."),
    Column::new(TREND, "TREND", ValueKind::Count, trend)
        .width(TREND_WIDTH, TREND_WIDTH).rank(11).left().drift(Drift::Free).about("How many there were over a quarter of an hour, of two minutes at first; sorted by the growth."),
    Column::new("oldest", "OLDEST", ValueKind::Span, oldest)
        .width(7, 7).rank(4).drift(Drift::Even).about("How long the oldest of them has been in its state."),
    Column::new("queues", "QUEUES", ValueKind::Bytes, queues)
        .width(9, 13).rank(12).about("Bytes received and not read, and sent and not acknowledged; of listeners, what waits to be accepted, and how many may."),
    Column::new("rxrate", "RX/s", ValueKind::Rate, |line, _| rate(line, |row| row.sums.received_per_second, |row| Some(row.connection.rates()?.received)))
        .width(5, 6).rank(13).about("Payload received per second, in bytes per second."),
    Column::new("txrate", "TX/s", ValueKind::Rate, |line, _| rate(line, |row| row.sums.sent_per_second, |row| Some(row.connection.rates()?.sent)))
        .width(5, 6).rank(14).about("Payload sent per second, in bytes per second."),
    Column { first_order: Order::Descending, ..Column::new(WHY, "WHY", ValueKind::Text, why)
        .width(12, 48).rank(0).cause().about("Why it is here: what is wrong, else what is notable; sorted by it, the worst stand first.") },
];

const fn row(line: &FoldedLine) -> Option<&FoldedRow> {
    match line {
        FoldedLine::Row(row) => Some(row),
        FoldedLine::Socket(_) | FoldedLine::More(..) => None,
    }
}

fn of_host<'a>(line: &'a FoldedLine, store: &'a Store) -> Value<'a> {
    match line {
        FoldedLine::Row(row) => {
            Value::or_missing(row.key.host, |host| Value::Text(store.host_numbered(Some(host)).as_str()))
        }
        FoldedLine::Socket(row) => Value::Text(store.host_of(socket(row).id.netns()).as_str()),
        FoldedLine::More(..) => Value::Missing,
    }
}

fn unit<'a>(line: &'a FoldedLine, store: &'a Store) -> Value<'a> {
    let Some(row) = row(line).filter(|row| row.key.folding == Folding::Unit) else { return Value::Missing };
    match row.key.unit.and_then(|unit| store.names().units.get(&unit.get())) {
        Some(name) => Value::Text(name.as_str()),
        None => Value::Word { text: "no unit", label: "none" },
    }
}

fn process<'a>(line: &'a FoldedLine, store: &'a Store) -> Value<'a> {
    match line {
        FoldedLine::Row(row) => Value::Owned(format!("{}{}", "  ".repeat(usize::from(row.depth)), program(row))),
        FoldedLine::Socket(row) => Value::or_missing(row.local(), |local| {
            Value::Endpoint(AddressText::local(&row.connection.socket, store.names()), local.port)
        }),
        FoldedLine::More(_, more) => Value::Owned(format!("{} more", units::count(*more))),
    }
}

/// The program, or why none is known.
fn program(row: &FoldedRow) -> String {
    if row.programs > 1 {
        return format!("{} programs", units::count(u64::from(row.programs)));
    }
    match (&row.process, row.key.owner) {
        (_, Some(FoldOwner::Nobody(why))) => short_reason(why).to_owned(),
        (Some(process), _) if row.is_remembered => format!("was {}", process.name),
        (Some(process), _) => process.name.to_string(),
        (None, _) => short_reason(row.nobody.unwrap_or(NoProcess::None)).to_owned(),
    }
}

fn pid<'a>(line: &'a FoldedLine, _: &'a Store) -> Value<'a> {
    match line {
        FoldedLine::Row(row) if row.processes > 1 => Value::Owned(format!("{} pids", row.processes)),
        FoldedLine::Row(row) => Value::or_missing(row.process.as_ref().filter(|_| row.processes == 1), |process| {
            Value::Number(u64::from(process.id.pid))
        }),
        FoldedLine::Socket(row) => Value::or_missing(socket(row).owner.holders(), |holders| Value::Pids(holders)),
        FoldedLine::More(..) => Value::Missing,
    }
}

fn socket(row: &SocketRow) -> &Socket {
    &row.connection.socket
}

fn peer<'a>(line: &'a FoldedLine, store: &'a Store) -> Value<'a> {
    match line {
        FoldedLine::Row(row) => match (row.key.peer, row.peers.only()) {
            (Some(peer), _) => peer_value(peer, store),
            (None, Some(peer)) => peer_value(FoldPeer::Of(peer), store),
            (None, None) => Value::Owned(format!("{} peers", units::count(u64::from(row.peers.count)))),
        },
        FoldedLine::Socket(row) => {
            let remote = Some(socket(row).remote).filter(|remote| !remote.is_unset());
            Value::or_missing(remote, |remote| {
                Value::Endpoint(AddressText::remote(socket(row), store.names()), remote.port)
            })
        }
        FoldedLine::More(..) => Value::Missing,
    }
}

/// A remote end by its address, so that a cell that is too narrow keeps its end and that addresses sort as such.
fn peer_value(peer: FoldPeer, store: &Store) -> Value<'_> {
    match peer {
        FoldPeer::Of(AlikePeer::Remote { address, netns, port }) => {
            Value::Endpoint(AddressText::of(address, netns, store.names()), port)
        }
        peer => Value::Owned(peer_text(peer, store)),
    }
}

fn host<'a>(line: &'a FoldedLine, store: &'a Store) -> Value<'a> {
    let name = line.remote_address().and_then(|address| store.host_names().get(address));
    Value::or_missing(name, |name| Value::Host(name.as_str()))
}

fn state<'a>(line: &'a FoldedLine, _: &'a Store) -> Value<'a> {
    match line {
        FoldedLine::Row(row) => match row.states.only() {
            Some(state) => Value::State(state),
            None => Value::Owned(format!("{} states", row.states.count)),
        },
        FoldedLine::Socket(row) => Value::or_missing(row.state(), Value::State),
        FoldedLine::More(..) => Value::Missing,
    }
}

fn trend<'a>(line: &'a FoldedLine, _: &'a Store) -> Value<'a> {
    let trend = row(line).and_then(|row| row.trend.as_ref());
    Value::or_missing(trend, |trend| {
        let counts = trend.counts();
        let ends = counts.first().zip(counts.last());
        let growth = ends.map_or(0, |(first, last)| i64::from(*last) - i64::from(*first));
        Value::Trend { text: trend_text(trend), growth }
    })
}

/// A trend in braille, two parts of time a cell, from the lowest number to the highest. What changes by less than a twentieth of
/// the highest, or by one socket, is a line of one dot; none at all is blank.
pub fn trend_text(trend: &Trend) -> String {
    const STEPS: u64 = braille::DOTS as u64 - 1;
    let counts = trend.counts();
    let (low, high) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    let is_flat = high - low < (high / 20).max(FLAT_BELOW);
    let range = if is_flat { u64::MAX } else { u64::from(high - low) };
    let dots = |count: u32| if count == 0 { 0 } else { 1 + u64::from(count - low) * STEPS / range };
    let dots = counts.iter().map(|count| usize::try_from(dots(*count)).unwrap_or(0));
    let blank = TREND_SLOTS.saturating_sub(counts.len());
    let columns: Vec<usize> = std::iter::repeat_n(0, blank).chain(dots).collect();
    braille::rows(&columns, 1).pop().unwrap_or_default()
}

fn oldest<'a>(line: &'a FoldedLine, store: &'a Store) -> Value<'a> {
    let since: Option<Since> = match line {
        FoldedLine::Row(row) => row.oldest,
        FoldedLine::Socket(row) => row.connection.state_since,
        FoldedLine::More(..) => None,
    };
    Value::or_missing(since, |since| Value::Age(since.age(store.at()), since.basis))
}

fn queues<'a>(line: &'a FoldedLine, _: &'a Store) -> Value<'a> {
    match line {
        FoldedLine::Row(row) if row.states.only() == Some(TcpState::Listen) => {
            Value::Queues { receive: row.sums.backlog, send: row.sums.backlog_limit, are_bytes: false }
        }
        FoldedLine::Row(row) => {
            let sums = &row.sums;
            Value::Queues { receive: sums.receive_queue_bytes, send: sums.send_queue_bytes, are_bytes: true }
        }
        FoldedLine::Socket(row) => Value::or_missing(socket(row).queues, |queues| Value::Queues {
            receive: u64::from(queues.receive),
            send: queues.send.map_or(0, u64::from),
            are_bytes: !socket(row).is_listener(),
        }),
        FoldedLine::More(..) => Value::Missing,
    }
}

#[expect(clippy::cast_precision_loss, reason = "no rate needs 53 bits")]
fn rate(line: &FoldedLine, of_row: fn(&FoldedRow) -> u64, of_socket: fn(&SocketRow) -> Option<f32>) -> Value<'static> {
    match line {
        FoldedLine::Row(row) if row.sums.has_rates() => Value::BytesPerSecond(of_row(row) as f64),
        FoldedLine::Socket(row) => Value::or_missing(of_socket(row), |rate| Value::BytesPerSecond(f64::from(rate))),
        FoldedLine::Row(_) | FoldedLine::More(..) => Value::Missing,
    }
}

/// The verdict, else what is wrong, else what is notable.
fn why<'a>(line: &'a FoldedLine, store: &'a Store) -> Value<'a> {
    match line {
        FoldedLine::Row(row) => {
            if let Some((verdict, count)) = row.verdict().filter(|_| has_standing_verdict(row, store)) {
                if count < row.sums.sockets {
                    return Value::Owned(format!("{} {}", units::count(u64::from(count)), verdict.words()));
                }
                return Value::Word { text: verdict.words(), label: verdict.label() };
            }
            if let Some(mark) = &row.mark {
                return Value::Text(&mark.why);
            }
            let opened = row.opened_per_second.filter(|opened| *opened >= OPENED_NOTABLE);
            Value::or_missing(opened, |opened| Value::Owned(format!("{}/s opened", units::per_second(opened))))
        }
        FoldedLine::Socket(row) => Value::or_missing(socket(row).verdict(), |verdict| Value::Word {
            text: verdict.words(),
            label: verdict.label(),
        }),
        FoldedLine::More(..) => Value::Missing,
    }
}

/// Whether the line has a verdict that is no passing one: some of its sockets have been in their state for a moment.
pub fn has_standing_verdict(row: &FoldedRow, store: &Store) -> bool {
    let is_old = row.oldest.is_none_or(|since| since.age(store.at()) >= VERDICT_AFTER);
    row.verdict().is_some() && is_old
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_shows_what_grows_and_small_changes_small() {
        let text = |counts: &[u32]| trend_text(&Trend::of(counts.iter().copied()));
        assert_eq!(text(&[301; 16]), "⣀⣀⣀⣀⣀⣀⣀⣀", "nothing changes");
        assert_eq!(text(&[7; 3]), "      ⢀⣀", "what is not known is blank");
        assert_eq!(text(&[460, 461, 462, 460]), "      ⣀⣀");
        assert_eq!(text(&[301, 310, 320, 330, 340, 360]), "     ⣀⣠⣼", "a leak is seen to rise");
        let leak: Vec<u32> = (0..16).map(|at| 100 + at * 10).collect();
        assert_eq!(text(&leak), "⣀⣀⣠⣤⣤⣶⣶⣾");
        assert_eq!(text(&[0, 0, 0, 5, 5, 0]), "      ⢸⡇");
    }
}
