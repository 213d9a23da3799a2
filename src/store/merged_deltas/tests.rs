//! Merged deltas against the same ones, one after the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::delta::{AgeBasis, Since};
use crate::model::facts::{Counters, Facts};
use crate::model::tcp_state::TcpState;
use crate::model::testing::{self, connection, process, source_info, tcp, udp};
use crate::store::row::SocketRow;

/// What one made-up sample does to sockets 0 to 19: which it touches (how), which it removes, and after how long.
#[derive(Clone, Debug)]
struct Step {
    touched: Vec<(u64, u8)>,
    removed: Vec<u64>,
    after_ms: u64,
    lost: Option<u64>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let touched = proptest::collection::vec((0u64..20, 0u8..12), 0..10);
    let removed = proptest::collection::vec(0u64..20, 0..6);
    let step = (touched, removed, 100u64..3_000, proptest::option::of(0u64..5));
    let step = step.prop_map(|(touched, removed, after_ms, lost)| Step { touched, removed, after_ms, lost });
    proptest::collection::vec(step, 1..14)
}

fn made_up(cookie: u64, kind: u8, at_ms: u64) -> Connection {
    let states = [TcpState::Established, TcpState::CloseWait, TcpState::TimeWait, TcpState::Listen];
    let socket =
        if cookie.is_multiple_of(5) { udp(cookie, 53) } else { tcp(cookie).state(states[usize::from(kind % 4)]) };
    let socket = socket.queues(u32::from(kind), 0).held_by(&[process(u32::from(kind) + 1, "app")]);
    let mut connection = connection(socket, cookie / 4);
    let at = Timestamp::from_millis(at_ms);
    connection.state_since = (kind > 1).then_some(Since { at, basis: AgeBasis::Observed });
    connection
}

fn deltas(steps: &[Step]) -> Vec<Delta> {
    let (mut live, mut at_ms) = (BTreeSet::new(), 100_000);
    let one = |(nth, step): (usize, &Step)| {
        at_ms += step.after_ms;
        let at = Timestamp::from_millis(at_ms);
        let counters = Counters { listen_overflows: nth as u64 * 3, ..Counters::default() };
        let facts = Arc::new(Facts { counters: Some(counters), ..Facts::default() });
        let gaps = step.lost.map(|lost| Gap {
            from: at,
            to: at,
            lost: (lost > 0).then_some(lost),
            of: EventSource::Tracepoint,
        });
        let mut delta = Delta { at, facts, gaps: gaps.into_iter().collect(), ..Delta::default() };
        let mut seen: Vec<u64> = Vec::new();
        for &cookie in &step.removed {
            if live.remove(&cookie) {
                seen.push(cookie);
                let state = Some(TcpState::Established);
                delta.removed.push(Removed { id: tcp(cookie).build().id, at });
                delta.transitions.push(testing::transition(tcp(cookie), at_ms, state, None));
            }
        }
        for &(cookie, kind) in &step.touched {
            if !seen.contains(&cookie) {
                seen.push(cookie);
                let connection = made_up(cookie, kind, at_ms);
                delta.unlisted.extend((kind == 3).then_some(connection.socket.id));
                if live.insert(cookie) {
                    let state = Some(TcpState::Established);
                    delta.transitions.push(testing::transition(tcp(cookie), at_ms, None, state));
                    delta.added.push(connection);
                } else {
                    delta.changed.push(connection);
                }
            }
        }
        delta
    };
    steps.iter().enumerate().map(one).collect()
}

/// All rows, by identity: live ones whole, and of those that are gone that they are.
fn rows(store: &Store) -> Vec<(SocketId, bool, Option<Connection>)> {
    let row = |row: &SocketRow| {
        let connection = (!row.is_closed()).then(|| row.connection.clone());
        (row.connection.socket.id, row.is_closed(), connection)
    };
    let mut rows: Vec<_> = store.rows().iter().map(|(_, found)| row(found)).collect();
    rows.sort_by_key(|(id, ..)| *id);
    rows
}

fn merged(deltas: Vec<Delta>, store: &Store, steps: usize) -> MergedDeltas {
    let mut merged = MergedDeltas::new(store);
    for mut delta in deltas {
        while !merged.take(&mut delta, store, &mut steps.clone()) {}
    }
    merged
}

fn take_in(store: &mut Store, merged: MergedDeltas, steps: usize) {
    let mut intake = store.begin_merged(merged);
    while !store.advance(&mut intake, &mut steps.clone()) {}
    store.finish(intake);
}

proptest! {
    #[test]
    fn what_is_merged_leaves_what_each_delta_would_have_left(steps in steps(), before in 0usize..5, slice in 1usize..40) {
        let all = deltas(&steps);
        let before = before.min(all.len() - 1);
        let (mut each, mut at_once) = (Store::new(source_info()), Store::new(source_info()));
        for delta in &all {
            each.apply(delta.clone());
        }
        for delta in &all[..before] {
            at_once.apply(delta.clone());
        }
        let held = merged(all[before..].to_vec(), &at_once, slice);
        prop_assert_eq!(held.deltas(), (all.len() - before) as u64);
        take_in(&mut at_once, held, slice);

        prop_assert_eq!(rows(&at_once), rows(&each));
        prop_assert_eq!(at_once.rows().counts(), each.rows().counts());
        prop_assert_eq!(at_once.rows().processes(), each.rows().processes());
        prop_assert_eq!(at_once.rows().close_wait().iter().count(), each.rows().close_wait().iter().count());
        prop_assert_eq!((at_once.at(), at_once.deltas()), (each.at(), each.deltas()));
        prop_assert_eq!(at_once.log().entries(), each.log().entries());
        prop_assert_eq!(at_once.log().total(), each.log().total());
        prop_assert_eq!(at_once.log().gaps(), each.log().gaps());
        prop_assert_eq!(at_once.log().lost(EventSource::Tracepoint), each.log().lost(EventSource::Tracepoint));
        prop_assert_eq!(at_once.history().samples(), each.history().samples());
        prop_assert_eq!(at_once.history().minutes(), each.history().minutes());
        prop_assert_eq!(at_once.history().transition_rates(), each.history().transition_rates());
        prop_assert!(at_once.attempt_history() == each.attempt_history(), "{:?} {:?}", at_once.attempt_history(), each.attempt_history());
        let minute = std::time::Duration::from_secs(60);
        prop_assert_eq!(at_once.counters().growth(minute), each.counters().growth(minute));
        for cookie in 0..20 {
            let id = tcp(cookie).build().id;
            prop_assert_eq!(at_once.is_unlisted(id), each.is_unlisted(id));
            let is_live = |store: &Store| store.rows().find(id).and_then(|index| store.rows().get(index)).is_some_and(|row| !row.is_closed());
            if is_live(&each) {
                prop_assert_eq!(at_once.path(id), each.path(id));
            }
        }
    }
}

#[test]
fn the_log_keeps_as_many_and_counts_all_that_came_while_the_screen_was_held() {
    let of_one = |second: u64| {
        let transition = |nth| testing::transition(tcp(nth), second * 1_000, None, Some(TcpState::Established));
        Delta {
            at: Timestamp::from_millis(second * 1_000),
            transitions: (0..1_000).map(transition).collect(),
            ..Delta::default()
        }
    };
    let all: Vec<_> = (1..=30).map(of_one).collect();
    let (mut each, mut at_once) = (Store::new(source_info()), Store::new(source_info()));
    for delta in &all {
        each.apply(delta.clone());
    }
    let held = merged(all, &at_once, 1_000);
    assert_eq!((held.transitions.len(), held.transitions_total()), (LOG_LEN_MAX, 30_000));
    take_in(&mut at_once, held, 1_000);
    assert_eq!(at_once.log().total(), 30_000);
    assert_eq!(at_once.log().entries(), each.log().entries());
    assert_eq!(at_once.history().samples(), each.history().samples());
}

#[test]
fn gaps_are_joined_where_there_are_too_many_and_none_of_the_loss_is_forgotten() {
    let gap = |nth: u64, of| Gap { from: Timestamp(nth), to: Timestamp(nth + 1), lost: Some(2), of };
    let of = |nth: u64| if nth.is_multiple_of(2) { EventSource::Tracepoint } else { EventSource::DestroyEvent };
    let mut gaps: Vec<_> = (0..3 * GAPS_MAX as u64).map(|nth| gap(nth, of(nth))).collect();
    join_gaps(&mut gaps);
    assert_eq!(gaps.len(), GAPS_MAX);
    for of in [EventSource::Tracepoint, EventSource::DestroyEvent] {
        let lost: u64 = gaps.iter().filter(|gap| gap.of == of).filter_map(|gap| gap.lost).sum();
        assert_eq!(lost, 3 * GAPS_MAX as u64);
    }
}
