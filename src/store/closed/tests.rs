//! What is kept of connections that have ended, and what is said of how they did.

use std::sync::Arc;

use super::*;
use crate::model::delta::{Delta, FinalCounters, Removed};
use crate::model::outcome::{EndReport, SocketError};
use crate::model::process::{Holders, Process};
use crate::model::tcp_state::TcpState::{CloseWait, Established, FinWait2, Listen, SynSent, TimeWait};
use crate::model::testing::{SocketBuilder, connection, process, source_info, tcp, transition, udp};
use crate::store::Store;

const NAMES: [&str; 4] = ["nginx", "jdbc-pool", "curl", "cron"];

/// A store that has seen `sockets` at its first sample, one second after boot.
fn store(sockets: Vec<SocketBuilder>) -> Store {
    let mut store = Store::new(source_info());
    let added = sockets.into_iter().map(|socket| connection(socket, 1_000)).collect();
    store.apply(Delta { at: Timestamp::from_millis(1_000), added, ..Delta::default() });
    store
}

fn send(store: &mut Store, second: u64, delta: Delta) {
    store.apply(Delta { at: Timestamp::from_millis(second * 1_000), ..delta });
}

fn gone(cookie: u64, second: u64) -> Removed {
    Removed { id: tcp(cookie).build().id, at: Timestamp::from_millis(second * 1_000) }
}

/// The end of `socket` from `from` with this report, at `second`.
fn end(socket: SocketBuilder, second: u64, from: TcpState, report: EndReport) -> Transition {
    Transition { report, ..transition(socket, second * 1_000, Some(from), None) }
}

fn reasons(store: &Store) -> Vec<&'static str> {
    store.closed().entries().iter().map(|closed| closed.reason().words()).collect()
}

#[test]
fn the_reason_is_what_the_kernel_told_and_else_it_is_not_known() {
    let mut store = store((1..=7).map(tcp).collect());
    let transitions = vec![
        end(tcp(1), 5, Established, EndReport::Error(SocketError::Reset)),
        end(tcp(2), 5, Established, EndReport::NotReported),
        end(tcp(3), 5, Established, EndReport::NoError),
        end(tcp(4), 5, SynSent, EndReport::Error(SocketError::TimedOut)),
        end(tcp(5), 5, TcpState::LastAck, EndReport::NotReported),
        end(tcp(6), 5, Established, EndReport::Error(SocketError::Aborted)),
        // A listener and a datagram socket are no connections.
        end(tcp(7), 5, Listen, EndReport::NoError),
        transition(udp(8, 53), 5_000, Some(TcpState::Unconn), None),
        transition(tcp(9), 5_000, Some(Established), Some(CloseWait)),
    ];
    send(
        &mut store,
        5,
        Delta { transitions, removed: (1..=7).map(|cookie| gone(cookie, 5)).collect(), ..Delta::default() },
    );
    let told = ["reset by peer", "reason not known", "reset here", "timed out", "closed (FIN)", "closed from outside"];
    assert_eq!(reasons(&store), told);
}

#[test]
fn a_connection_in_time_wait_has_ended_as_it_was_seen_before_and_ends_once() {
    let open = || tcp(1).bytes(378_000, 54_000).info(|info| info.retransmits_total = 3);
    let mut store = store(vec![open()]);
    let wait = || tcp(1).mini(TimeWait);
    let changed = vec![connection(wait(), 1_000)];
    send(
        &mut store,
        61,
        Delta {
            changed,
            transitions: vec![transition(wait(), 61_000, Some(FinWait2), Some(TimeWait))],
            ..Delta::default()
        },
    );
    assert_eq!(reasons(&store), ["closed (FIN)"]);
    let closed = store.closed().find(tcp(1).build().id).expect("it is kept");
    let LastCounters { bytes, retransmits, is_final } = closed.counters();
    assert_eq!(
        (bytes.map(|bytes| (bytes.received(), bytes.sent())), retransmits, is_final),
        (Some((378_000, 54_000)), Some(3), false)
    );
    assert_eq!(closed.lifetime, Some((Duration::from_secs(60), AgeBasis::AtLeast)));
    send(
        &mut store,
        121,
        Delta {
            removed: vec![gone(1, 121)],
            transitions: vec![transition(wait(), 121_000, Some(TimeWait), None)],
            ..Delta::default()
        },
    );
    assert_eq!((store.closed().total(), store.log().total()), (1, 2));
}

#[test]
fn final_counters_of_the_kernel_count_more_than_the_last_sample() {
    let mut store = store(vec![tcp(1).bytes(10, 10)]);
    let opened = vec![connection(tcp(2).bytes(1, 1), 4_000)];
    send(&mut store, 4, Delta { added: opened, ..Delta::default() });
    let last = FinalCounters { bytes: Some(ByteCounts::new(99, 100)), rtt_us: 0, retransmits_total: 7 };
    let ends = [1, 2].map(|cookie| Transition {
        final_counters: Some(last),
        ..end(tcp(cookie), 9, Established, EndReport::NoError)
    });
    send(
        &mut store,
        9,
        Delta { transitions: ends.to_vec(), removed: vec![gone(1, 9), gone(2, 9)], ..Delta::default() },
    );
    let of = |cookie: u64| store.closed().find(tcp(cookie).build().id).expect("kept");
    assert_eq!(of(1).counters(), LastCounters { bytes: last.bytes, retransmits: Some(7), is_final: true });
    assert_eq!(of(1).lifetime, Some((Duration::from_secs(8), AgeBasis::AtLeast)), "it was there at the first sample");
    assert_eq!(of(2).lifetime, Some((Duration::from_secs(5), AgeBasis::Observed)));
    assert_eq!(
        of(2).row().connection.socket.tcp.and_then(|info| info.bytes),
        Some(ByteCounts::new(1, 1)),
        "as last seen"
    );
}

#[test]
fn what_the_user_did_is_the_reason_whichever_is_told_first() {
    let nginx = process(812, "nginx");
    let held = |cookie| tcp(cookie).held_by(std::slice::from_ref(&nginx));
    let mut store = store((1..=4).map(held).chain([tcp(5)]).collect());
    let id = |cookie: u64| tcp(cookie).build().id;
    // A close whose end comes later, and one whose end was told before.
    store.note_close(id(5));
    let ends = |cookies: &[u64], second| Delta {
        transitions: cookies
            .iter()
            .map(|cookie| end(held(*cookie), second, Established, EndReport::NotReported))
            .collect(),
        removed: cookies.iter().map(|cookie| gone(*cookie, second)).collect(),
        ..Delta::default()
    };
    send(&mut store, 2, ends(&[5, 1], 2));
    store.note_close(id(1));
    assert_eq!(reasons(&store), ["closed by conntop", "closed by conntop"]);
    send(&mut store, 3, ends(&[2], 3));
    // Sent after the third second; an end before it is not by the signal, those after it are.
    store.note_kill(nginx.id, Timestamp::from_millis(3_500));
    send(&mut store, 4, ends(&[3], 4));
    send(&mut store, 90, ends(&[4], 90));
    let told = ["closed by conntop", "closed by conntop", "reason not known", "killed by conntop", "reason not known"];
    assert_eq!(reasons(&store), told, "a pid that ended a minute ago ends nothing");
}

#[test]
fn rows_and_bytes_are_bounded() {
    let mut history = ClosedHistory::default();
    let rows = Rows::default();
    let long = |nth: u64| {
        let name = NAMES[usize::try_from(nth % 4).expect("small")];
        let command = "x".repeat(4_000).as_str().into();
        let process = Process { command, ..Process::clone(&process(1, name)) };
        Owner::Remembered(Arc::new(Holders::new(vec![Arc::new(process)]).expect("one")))
    };
    for nth in 0..12_000 {
        let owner = if nth < 6_000 { Owner::None } else { long(nth) };
        let end = Transition { owner, ..end(tcp(nth), nth, Established, EndReport::NoError) };
        history.take(&[end], &rows, &[], Timestamp::default());
        assert!(history.entries().len() <= CLOSED_LEN_MAX && history.bytes <= CLOSED_BYTES_MAX);
        assert_eq!(history.entries().len(), history.numbers.len());
        if nth == 5_999 {
            assert_eq!(history.entries().len(), CLOSED_LEN_MAX);
        }
    }
    assert!(history.entries().len() < CLOSED_LEN_MAX, "long command lines leave room for fewer");
    assert_eq!(history.total(), 12_000);
    let summed: usize = history.entries().iter().map(ClosedConnection::bytes).sum();
    assert_eq!(history.bytes, summed);
    let newest = history.entries().back().expect("kept").end.id;
    assert_eq!(history.find(newest).map(|closed| closed.end.id), Some(newest));
    (0..3_000).for_each(|cookie| history.note_close(tcp(20_000 + cookie).build().id));
    assert!(history.closes.len() <= ACTS_MAX);
}
