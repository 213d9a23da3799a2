//! The scenario as a whole keeps its promises.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::*;
use crate::model::process::Owner;
use crate::model::snapshot::Snapshot;
use crate::model::socket::{CloseWaitVerdict, Queues, TimerKind};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;

fn sample(source: &mut Synthetic) -> Snapshot {
    let mut snapshot = Snapshot::default();
    assert_eq!(source.sample(&Needs::default(), &mut snapshot).expect("it never fails"), Pace::Interval);
    snapshot
}

fn states(snapshot: &Snapshot) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for socket in &snapshot.sockets {
        *counts.entry(socket.state.name()).or_default() += 1;
    }
    counts
}

fn held_by<'a>(snapshot: &'a Snapshot, name: &'a str) -> impl Iterator<Item = &'a Socket> {
    snapshot.sockets.iter().filter(move |socket| socket.owner.process().is_some_and(|it| it.name.as_str() == name))
}

#[test]
fn the_same_seed_gives_the_same_life_and_another_seed_another() {
    let (mut one, mut same, mut other) = (Synthetic::new(7), Synthetic::new(7), Synthetic::new(8));
    for _ in 0..20 {
        let snapshot = sample(&mut one);
        assert_eq!(snapshot, sample(&mut same));
        assert_ne!(snapshot.sockets, sample(&mut other).sockets);
    }
}

#[test]
fn what_the_screen_asks_for_does_not_change_the_sockets() {
    let (mut asked, mut left_alone) = (Synthetic::new(7), Synthetic::new(7));
    let mut needs = Needs::default();
    let mut snapshot = Snapshot::default();
    for _ in 0..5 {
        asked.sample(&needs, &mut snapshot).expect("it never fails");
        assert_eq!(snapshot.sockets, sample(&mut left_alone).sockets);
        needs.usage = snapshot.sockets.iter().filter_map(|it| it.owner.process()).map(|it| it.id).take(3).collect();
        needs.details = snapshot.sockets.iter().map(Socket::reference).collect();
    }
    assert!(!snapshot.usage.is_empty() && !snapshot.details.is_empty());
}

#[test]
fn every_second_is_one_second() {
    let mut source = Synthetic::new(1);
    let (first, second) = (sample(&mut source), sample(&mut source));
    assert_eq!(second.at.since(first.at), Duration::from_secs(1));
    assert_eq!(second.wall.0 - first.wall.0, 1_000);
}

#[test]
fn the_machine_shows_what_is_wrong_with_it() {
    let mut source = Synthetic::new(1);
    let first = sample(&mut source);
    let leaked = held_by(&first, "jdbc-pool").filter(|it| it.verdict() == Some(CloseWaitVerdict::MissingClose)).count();
    assert_eq!(leaked, 300);
    let waiting = states(&first)["TIME_WAIT"];
    assert!((1_100..1_400).contains(&waiting), "{waiting}");
    for verdict in [CloseWaitVerdict::NotReading, CloseWaitVerdict::StuckReader, CloseWaitVerdict::NotAccepted] {
        assert!(first.sockets.iter().any(|socket| socket.verdict() == Some(verdict)), "{verdict:?}");
    }
    let accept_queue = held_by(&first, "report-api").find_map(|it| it.is_listener().then_some(it.queues)).flatten();
    assert_eq!(accept_queue.map(|queues| (queues.receive, queues.send)), Some((129, Some(128))));
    for state in ["SYN_SENT", "SYN_RECV", "FIN_WAIT1", "LISTEN", "UNCONN"] {
        assert!(states(&first).contains_key(state), "{state}");
    }
}

#[test]
fn the_leak_grows_by_a_few_a_minute_and_the_storm_goes_on() {
    let mut source = Synthetic::new(1);
    let before = held_by(&sample(&mut source), "jdbc-pool").filter(|it| it.state == TcpState::CloseWait).count();
    let mut last = Snapshot::default();
    for _ in 0..180 {
        last = sample(&mut source);
    }
    let grown = held_by(&last, "jdbc-pool").filter(|it| it.state == TcpState::CloseWait).count() - before;
    assert!((9..=18).contains(&grown), "{grown} in three minutes");
    let to_cache = last.sockets.iter().filter(|it| it.remote.port == 6_379 && it.state == TcpState::TimeWait).count();
    assert!((1_080..=1_320).contains(&to_cache), "{to_cache}");
    let clients = last.sockets.iter().filter(|it| it.local.port == 443 && it.state == TcpState::Established).count();
    assert!((150..=400).contains(&clients), "{clients}");
}

#[test]
fn the_accept_queue_is_what_waits_in_it() {
    let mut source = Synthetic::new(3);
    for _ in 0..60 {
        let snapshot = sample(&mut source);
        let waiting = snapshot.sockets.iter().filter(|it| matches!(it.owner, Owner::Unaccepted)).count();
        let listener = held_by(&snapshot, "report-api").find(|it| it.is_listener()).and_then(|it| it.queues);
        assert_eq!(listener.map(|queues| queues.receive as usize), Some(waiting));
        assert!((127..=129).contains(&waiting), "{waiting}");
    }
}

/// States that a sample can see one after the other, those in between missed.
fn can_follow(before: TcpState, after: TcpState) -> bool {
    let mut reached = BTreeSet::from([before]);
    while !reached.contains(&after) {
        let more: BTreeSet<_> = reached.iter().flat_map(|state| state.row().successors).copied().collect();
        if more.is_subset(&reached) {
            return false;
        }
        reached.extend(more);
    }
    true
}

#[test]
fn connections_live_as_tcp_allows_and_leave_time_wait_after_a_minute() {
    let mut source = Synthetic::new(5);
    let mut known: HashMap<_, (TcpState, Timestamp)> = HashMap::new();
    let mut waited = 0;
    for second in 0..150 {
        let snapshot = sample(&mut source);
        let ids: BTreeSet<_> = snapshot.sockets.iter().map(|socket| socket.id).collect();
        assert_eq!(ids.len(), snapshot.sockets.len(), "every cookie stands once");
        for socket in &snapshot.sockets {
            let (state, since) = known.entry(socket.id).or_insert((socket.state, snapshot.at));
            assert!(can_follow(*state, socket.state), "{state} to {}", socket.state);
            if *state != socket.state {
                (*state, *since) = (socket.state, snapshot.at);
            }
        }
        known.retain(|id, (state, since)| {
            let gone = !ids.contains(id);
            if gone && *state == TcpState::TimeWait && second > 70 {
                assert_eq!(snapshot.at.since(*since), Duration::from_secs(60));
                waited += 1;
            }
            !gone
        });
    }
    assert!(waited > 1_000, "{waited}");
}

#[test]
fn mini_sockets_carry_what_the_kernel_gives_and_no_more() {
    let mut source = Synthetic::new(5);
    for _ in 0..70 {
        let snapshot = sample(&mut source);
        for socket in &snapshot.sockets {
            match socket.state {
                TcpState::TimeWait | TcpState::FinWait2 => {
                    assert_eq!((socket.inode, socket.uid, socket.tcp), (None, None, None));
                    assert_eq!(socket.queues, Some(Queues::EMPTY));
                    assert_eq!(socket.owner, Owner::None);
                    let timer = socket.timer.expect("it ends at some time");
                    assert_eq!(timer.kind, TimerKind::TimeWait);
                    assert!(
                        timer.expires > snapshot.at.into()
                            && timer.expires.timestamp().since(snapshot.at) <= Duration::from_secs(60)
                    );
                }
                TcpState::SynRecv => {
                    assert_eq!((socket.inode, socket.tcp, socket.queues), (None, None, Some(Queues::EMPTY)));
                }
                TcpState::Established if matches!(socket.owner, Owner::Live(_)) => {
                    assert!(socket.inode.is_some() && socket.uid.is_some());
                }
                _ => {}
            }
        }
        assert_eq!(snapshot.coverage.sockets as usize, snapshot.sockets.len());
        assert_eq!(snapshot.coverage.owners_hidden, 6);
    }
}

#[test]
fn endpoints_of_tcp_connections_are_unique() {
    let mut source = Synthetic::new(11);
    for _ in 0..100 {
        let snapshot = sample(&mut source);
        let mut seen = BTreeSet::new();
        for socket in &snapshot.sockets {
            assert!(seen.insert((socket.protocol, socket.local, socket.remote)), "{socket:?}");
        }
    }
}

#[test]
fn bytes_never_shrink_and_holders_are_shared() {
    let mut source = Synthetic::new(2);
    let (before, after) = (sample(&mut source), sample(&mut source));
    let bytes: HashMap<_, _> = before.sockets.iter().filter_map(|it| Some((it.id, it.tcp?.bytes?))).collect();
    let mut grew = 0;
    for socket in &after.sockets {
        let Some((old, new)) = bytes.get(&socket.id).zip(socket.tcp.and_then(|tcp| tcp.bytes)) else { continue };
        assert!(new.received() >= old.received() && new.sent() >= old.sent());
        grew += usize::from(new.received() > old.received());
    }
    assert!(grew > 50, "{grew} connections move data");
    let pools: BTreeSet<_> = held_by(&after, "jdbc-pool")
        .filter_map(|it| it.owner.holders().map(Arc::as_ptr))
        .map(<*const _>::addr)
        .collect();
    assert_eq!(pools.len(), 1, "one value for all sockets of a process");
}

#[test]
fn a_crowd_is_on_top_and_a_small_server_is_small() {
    let busy = sample(&mut Synthetic::new(1)).sockets.len();
    assert_eq!(sample(&mut Synthetic::with_size(1, 5_000)).sockets.len(), busy + 5_000);
    let small = sample(&mut Synthetic::small(1)).sockets.len();
    assert!((150..=330).contains(&small), "{small}");
}

#[test]
fn the_counters_tell_of_the_full_queue_and_of_nothing_else() {
    let mut source = Synthetic::new(1);
    let counters = |snapshot: &Snapshot| snapshot.facts.counters.expect("the demo has counters");
    let first = counters(&sample(&mut source));
    let mut last = first;
    for _ in 0..30 {
        let next = counters(&sample(&mut source));
        assert!(next.listen_overflows >= last.listen_overflows && next.segments_sent > last.segments_sent);
        last = next;
    }
    assert!(last.listen_overflows > first.listen_overflows + 30, "{last:?}");
    assert!(last.active_opens > first.active_opens && last.passive_opens > first.passive_opens);
    let share = (last.segments_retransmitted - first.segments_retransmitted) * 100;
    assert!(share < last.segments_sent - first.segments_sent, "less than one in a hundred is sent again");
    assert_eq!((last.time_wait_overflows, last.memory_aborts), (first.time_wait_overflows, first.memory_aborts));
}

/// The sockets of the next sample.
fn next(source: &mut Synthetic) -> (Vec<Socket>, Pace) {
    let mut snapshot = Snapshot::default();
    let pace = source.sample(&Needs::default(), &mut snapshot).expect("it never fails");
    (snapshot.sockets, pace)
}

#[test]
fn on_the_screen_a_quarter_of_an_hour_comes_before_now() {
    let mut source = Synthetic::small(1);
    assert!(!source.info().abilities.kill, "no command may act on it");
    source.show_on_screen().expect("it is made up");
    let mut snapshot = Snapshot::default();
    let (mut first, mut samples) = (None, 0);
    while source.sample(&Needs::default(), &mut snapshot).expect("it never fails") == Pace::After(Duration::ZERO) {
        first.get_or_insert(snapshot.at);
        samples += 1;
    }
    let past = snapshot.at.since(first.expect("there is a past"));
    assert!(past >= Duration::from_secs(14 * 60) && past <= Duration::from_secs(15 * 60), "{past:?}");
    assert_eq!(samples, PAST_SAMPLES);
}

#[test]
fn a_process_that_is_ended_takes_its_sockets_with_it_and_so_does_a_close() {
    let mut source = Synthetic::new(1);
    let machine = source.show_on_screen().expect("it is made up");
    let (sockets, _) = next(&mut source);
    let holder = |sockets: &[Socket], name: &str| {
        let live = sockets.iter().filter_map(|socket| match &socket.owner {
            Owner::Live(holders) => Some(holders.all()),
            _ => None,
        });
        live.flatten().find(|process| process.name.as_str() == name).map(|process| process.id)
    };
    let (api, cron) =
        (holder(&sockets, "report-api").expect("it runs"), holder(&sockets, "cron-sync").expect("it runs"));
    let leaked = sockets.iter().find(|socket| socket.state == TcpState::CloseWait).expect("there is a leak").id;
    assert!(
        [MadeUpAction::End(api), MadeUpAction::End(cron), MadeUpAction::Close(leaked)]
            .iter()
            .all(|act| machine.act(*act))
    );
    for _ in 0..90 {
        let (sockets, _) = next(&mut source);
        assert_eq!((holder(&sockets, "report-api"), holder(&sockets, "cron-sync")), (None, None));
        assert!(sockets.iter().all(|socket| socket.id != leaked));
        assert!(sockets.iter().all(|socket| socket.local.port != 9_090 || socket.state == TcpState::TimeWait));
        assert!(holder(&sockets, "jdbc-pool").is_some(), "others live on");
    }
    let storm = |sockets: &[Socket]| sockets.iter().filter(|socket| socket.remote.port == 6_379).count();
    assert!(storm(&next(&mut source).0) < 100, "what it left behind has ended");
    assert!((0..1_000).any(|_| !machine.act(MadeUpAction::Close(leaked))), "what waits is bounded");
}
