//! The store against what a reader of deltas expects: marks, purges, counts, history, log.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::delta::{Connection, Removed, Transition};
use crate::model::tcp_state::TcpState::{self, CloseWait, Established, TimeWait};
use crate::model::testing::{self, connection, process, source_info, tcp, udp};
use crate::store::history::HISTORY_TIME;
use crate::store::log::LOG_LEN_MAX;
use crate::store::row::{Mark, RowIndex, SocketRow};
use crate::store::rows::MARK_TIME;
use crate::store::socket_counts::SocketCounts;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn delta(ms: u64) -> Delta {
    Delta { at: at(ms), ..Delta::default() }
}

fn removed(cookie: u64, ms: u64) -> Removed {
    Removed { id: tcp(cookie).build().id, at: at(ms) }
}

fn mark_of(store: &Store, cookie: u64) -> Option<Mark> {
    let index = store.rows().find(tcp(cookie).build().id).expect("the row is there");
    store.rows().get(index).expect("found rows exist").mark
}

#[test]
fn a_slice_takes_in_no_more_rows_than_its_steps_allow() {
    const ROWS: usize = 1_000;
    let mut store = Store::new(source_info());
    let added = (0..ROWS as u64).map(|cookie| connection(tcp(cookie), 1_000)).collect();
    let mut intake = store.begin(Delta { added, ..delta(1_000) });
    let mut before = 0;
    while !store.advance(&mut intake, &mut 40) {
        let now = store.rows().iter().count();
        assert!((before..=before + 10).contains(&now), "{} rows in 40 steps", now - before);
        before = now;
    }
    assert_eq!(store.finish(intake).added.len(), ROWS);
}

/// A store that has one connection, cookie 1, since second 1.
fn store() -> Store {
    let mut store = Store::new(source_info());
    let touched = store.apply(Delta { added: vec![connection(tcp(1), 1_000)], ..delta(1_000) });
    assert_eq!((touched.added.len(), touched.changed.len()), (1, 0));
    store
}

#[test]
fn rows_of_the_first_sample_are_not_new_and_later_ones_are_for_a_while() {
    let mut store = store();
    assert_eq!(mark_of(&store, 1), None);
    store.apply(Delta { added: vec![connection(tcp(2), 2_000)], ..delta(2_000) });
    assert_eq!(mark_of(&store, 2), Some(Mark::New(at(2_000).into())));
    assert_eq!(store.apply(delta(5_999)), Touched::default());
    let touched = store.apply(delta(6_000));
    assert_eq!((touched.changed, touched.renewed), (vec![RowIndex(1)], vec![]), "only its mark differs");
    assert_eq!(mark_of(&store, 2), None);
}

#[test]
fn only_another_state_marks_a_row_as_changed() {
    let mut store = store();
    let touched = store.apply(Delta { changed: vec![connection(tcp(1).queues(9, 0), 1_000)], ..delta(2_000) });
    assert_eq!(touched.changed, [RowIndex(0)]);
    assert_eq!(mark_of(&store, 1), None);
    store.apply(Delta { changed: vec![connection(tcp(1).state(CloseWait), 1_000)], ..delta(3_000) });
    assert_eq!(mark_of(&store, 1), Some(Mark::Changed(at(3_000).into())));
    assert_eq!(store.rows().counts().of(CloseWait), 1);
    assert_eq!(store.rows().counts().total(), 1);
}

#[test]
fn a_closed_row_stays_to_be_seen_then_its_index_is_free_for_the_next_delta() {
    let mut store = store();
    // Ten seconds between samples: it was missing for longer than a mark lasts, and is shown all the same.
    let touched = store.apply(Delta { removed: vec![removed(1, 11_000)], ..delta(21_000) });
    assert_eq!(touched.changed, [RowIndex(0)]);
    assert_eq!(mark_of(&store, 1), Some(Mark::Closed(at(11_000).into())));
    assert_eq!(store.rows().counts().total(), 0, "closed rows do not count");
    let touched = store.apply(Delta { added: vec![connection(tcp(2), 31_000)], ..delta(31_000) });
    assert_eq!((touched.added, touched.purged), (vec![RowIndex(1)], vec![RowIndex(0)]));
    assert_eq!(store.rows().find(tcp(1).build().id), None);
    let touched = store.apply(Delta { added: vec![connection(tcp(3), 32_000)], ..delta(32_000) });
    assert_eq!(touched.added, [RowIndex(0)]);
}

#[test]
fn a_closed_row_is_gone_with_the_next_sample_and_stays_to_be_seen_where_samples_come_faster() {
    let mut store = store();
    store.apply(Delta { removed: vec![removed(1, 3_000)], ..delta(3_000) });
    for ms in [3_100, 3_500, 3_899] {
        assert_eq!(store.apply(delta(ms)).purged, []);
    }
    assert_eq!(store.apply(delta(3_900)).purged, [RowIndex(0)]);
}

#[test]
fn a_socket_that_comes_back_takes_over_its_closed_row() {
    let mut store = store();
    store.apply(Delta { removed: vec![removed(1, 2_000)], ..delta(2_000) });
    let touched = store.apply(Delta { added: vec![connection(tcp(1), 3_000)], ..delta(3_000) });
    assert_eq!((touched.added, touched.changed), (vec![], vec![RowIndex(0)]));
    assert_eq!(mark_of(&store, 1), Some(Mark::New(at(3_000).into())));
    assert_eq!(store.rows().counts().total(), 1);
    assert_eq!(store.apply(delta(6_500)).purged, [], "the old mark no longer counts");
}

#[test]
fn another_connection_on_the_same_tuple_is_new() {
    let mut store = store();
    store.apply(Delta { changed: vec![connection(tcp(1), 2_000)], ..delta(2_000) });
    assert_eq!(mark_of(&store, 1), Some(Mark::New(at(2_000).into())));
}

fn transition(from: Option<TcpState>, to: Option<TcpState>) -> Transition {
    testing::transition(tcp(1), 0, from, to)
}

#[test]
fn rates_are_per_second_of_the_time_that_passed() {
    let mut store = store();
    assert_eq!(store.history().rates(Duration::from_secs(10)), None, "one sample is no span of time");
    let opened = transition(None, Some(Established));
    let left = transition(Some(Established), Some(TimeWait));
    let gone = transition(Some(TimeWait), None);
    store.apply(Delta { transitions: vec![opened.clone(), opened, left.clone(), gone], ..delta(2_000) });
    // The machine slept for 100 s.
    store.apply(Delta { transitions: vec![left; 10], ..delta(102_000) });
    let rates = store.history().rates(Duration::from_secs(5)).expect("there are samples");
    assert_eq!(rates.over, Duration::from_secs(100));
    assert!((rates.into[TimeWait as usize] - 0.1).abs() < 1e-6);
    let all = store.history().rates(Duration::from_secs(1_000)).expect("there are samples");
    assert_eq!(all.over, Duration::from_secs(101));
    assert!((all.opened * 101.0 - 2.0).abs() < 1e-3);
    assert!((all.closed * 101.0 - 1.0).abs() < 1e-3);
    assert!((all.out_of[Established as usize] * 101.0 - 11.0).abs() < 1e-3);
}

#[test]
fn history_and_log_keep_the_newest_and_no_more() {
    let mut store = store();
    let seconds = HISTORY_TIME.as_secs();
    for second in 2..2 + seconds {
        store.apply(Delta { transitions: vec![transition(None, Some(Established)); 12], ..delta(second * 1_000) });
    }
    assert_eq!(store.history().samples().len() as u64, seconds);
    assert_eq!(store.history().samples().front().map(|sample| sample.at), Some(at(2_000)));
    assert_eq!(store.log().entries().len(), LOG_LEN_MAX);
    assert_eq!(store.log().total(), 12 * seconds);
    let flood: Vec<_> =
        (0..LOG_LEN_MAX + 5).map(|nth| Transition { at: at(nth as u64), ..transition(None, None) }).collect();
    store.apply(Delta { transitions: flood, ..delta(2_000_000) });
    assert_eq!(store.log().entries().front().map(|entry| entry.at), Some(at(5)));
    assert_eq!(store.log().entries().len(), LOG_LEN_MAX);
}

#[derive(Clone, Debug)]
enum Event {
    Put { cookie: u64, state: TcpState, datagram: bool },
    Remove { cookie: u64 },
    Sample { after_ms: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    let state = prop::sample::select(&[Established, CloseWait, TimeWait][..]);
    prop_oneof![
        4 => (0..12u64, state, any::<bool>()).prop_map(|(cookie, state, datagram)| Event::Put { cookie, state, datagram }),
        3 => (0..12u64).prop_map(|cookie| Event::Remove { cookie }),
        3 => (1..6_000u64).prop_map(|after_ms| Event::Sample { after_ms }),
    ]
}

proptest! {
    /// A view that copies only the touched rows has the same rows as the store; the counts are those of the live ones.
    #[test]
    fn touched_rows_are_all_that_changed(events in prop::collection::vec(event(), 1..120)) {
        let mut store = Store::new(source_info());
        let mut live: BTreeMap<SocketId, Connection> = BTreeMap::new();
        let mut copy: BTreeMap<RowIndex, SocketRow> = BTreeMap::new();
        let mut now = 0;
        let mut next = delta(0);
        let mut busy = BTreeSet::new();
        for event in events {
            match event {
                Event::Put { cookie, state, datagram } => {
                    let socket = if datagram && cookie % 2 == 0 { udp(cookie, 53) } else { tcp(cookie).state(state) };
                    let row = connection(socket, now);
                    let id = row.socket.id;
                    if busy.insert(id) {
                        let list = if live.contains_key(&id) { &mut next.changed } else { &mut next.added };
                        list.push(row.clone());
                        live.insert(id, row);
                    }
                }
                Event::Remove { cookie } => {
                    let id = tcp(cookie).build().id;
                    if !busy.contains(&id) && live.remove(&id).is_some() {
                        busy.insert(id);
                        next.removed.push(Removed { id, at: at(now) });
                    }
                }
                Event::Sample { after_ms } => {
                    now += after_ms;
                    next.at = at(now);
                    let touched = store.apply(std::mem::take(&mut next));
                    busy.clear();
                    follow(&mut copy, &touched, &store);
                    check(&store, &live, &copy);
                }
            }
        }
    }
}

fn follow(copy: &mut BTreeMap<RowIndex, SocketRow>, touched: &Touched, store: &Store) {
    let row = |index| store.rows().get(index).cloned().expect("touched rows exist");
    for &index in &touched.added {
        assert!(copy.insert(index, row(index)).is_none(), "added, but it was there");
    }
    for &index in &touched.changed {
        assert!(copy.insert(index, row(index)).is_some(), "changed, but it was not there");
    }
    for index in &touched.purged {
        assert!(copy.remove(index).is_some(), "purged, but it was not there");
        assert_eq!(store.rows().get(*index), None);
    }
}

fn check(store: &Store, live: &BTreeMap<SocketId, Connection>, copy: &BTreeMap<RowIndex, SocketRow>) {
    let rows: BTreeMap<_, _> = store.rows().iter().map(|(index, row)| (index, row.clone())).collect();
    assert_eq!(&rows, copy);
    let mut counts = SocketCounts::default();
    for (index, row) in store.rows().iter() {
        let id = row.connection.socket.id;
        assert_eq!(store.rows().find(id), Some(index));
        assert_eq!(live.get(&id), (!row.is_closed()).then_some(&row.connection));
        if !row.is_closed() {
            counts.add(&row.connection.socket);
        }
        let since = match row.mark {
            Some(Mark::New(since) | Mark::Changed(since)) => since.timestamp(),
            _ => store.at(),
        };
        assert!(store.at().since(since) < MARK_TIME, "a mark outlived its time");
    }
    assert_eq!(store.rows().counts(), &counts);
    assert_eq!(counts.total() as usize, live.len());
}

#[test]
fn a_delta_that_comes_in_slices_is_told_of_when_it_is_whole() {
    let mut store = store();
    let added = (2..=9).map(|cookie| connection(tcp(cookie), 2_000)).collect();
    let mut intake = store.begin(Delta { added, removed: vec![removed(1, 2_000)], ..delta(2_000) });
    let mut slices = 0;
    // Two rows; at last all of them are put into the sets of those that are alike.
    while !store.advance(&mut intake, &mut 8) {
        slices += 1;
        assert_eq!((store.at(), store.rows().counts().total()), (at(1_000), 1));
    }
    let touched = store.finish(intake);
    assert_eq!((touched.added.len(), touched.changed.len(), slices), (8, 1, 6));
    assert_eq!((store.at(), store.rows().counts().total(), store.deltas()), (at(2_000), 8, 2));
}

proptest! {
    #[test]
    fn what_is_kept_up_to_date_is_what_a_look_at_every_row_finds(
        steps in proptest::collection::vec((0u64..12, 0u8..5, any::<bool>()), 1..60),
    ) {
        let holders = [process(1, "a"), process(2, "b"), process(3, "c")];
        let mut store = Store::new(source_info());
        let mut live = BTreeSet::new();
        for (second, (cookie, kind, removes)) in (1u64..).zip(steps) {
            let mut delta = delta(second * 1_500);
            if removes && live.remove(&cookie) {
                delta.removed.push(removed(cookie, second * 1_500));
            } else if !removes {
                let state = [Established, CloseWait, TcpState::Listen, TimeWait, Established][usize::from(kind)];
                let held = &holders[..usize::from(kind % 4)];
                let row = connection(tcp(cookie).state(state).held_by(held), 0);
                if live.insert(cookie) { delta.added.push(row) } else { delta.changed.push(row) }
            }
            store.apply(delta);
            let rows: Vec<_> = store.rows().iter().filter(|(_, row)| !row.is_closed()).collect();
            let in_state = |state| rows.iter().filter(move |(_, row)| row.connection.socket.state == state);
            prop_assert!(store.rows().close_wait().iter().eq(in_state(CloseWait).map(|(index, _)| *index)));
            prop_assert!(store.rows().listening().iter().eq(in_state(TcpState::Listen).map(|(index, _)| *index)));
            let closed = store.rows().iter().filter(|(_, row)| row.is_closed()).map(|(index, _)| index);
            prop_assert!(store.rows().closed().iter().eq(closed));
            let owners = rows.iter().filter_map(|(_, row)| row.connection.socket.owner.holders());
            let processes: BTreeSet<_> = owners.flat_map(|holders| holders.all()).map(|process| process.id).collect();
            prop_assert_eq!(store.rows().processes(), processes.len());
            prop_assert!(processes.iter().all(|id| store.rows().process(*id).is_some()));
        }
    }
}
