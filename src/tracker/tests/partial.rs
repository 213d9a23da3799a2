//! What the tracker promises where most samples are partial: nothing is lost, reported twice or ended by mistake.

use super::*;
use crate::model::snapshot::Scope;

/// All but the silent mass.
const FEW: Scope = Scope::tcp(&[Listen, SynSent, SynRecv, FinWait1, FinWait2, CloseWait, LastAck]);

fn part(at_ms: u64, sockets: impl IntoIterator<Item = SocketBuilder>) -> Snapshot {
    Snapshot { scope: FEW, ..snapshot(at_ms, sockets) }
}

fn cookies(references: &[SocketRef]) -> Vec<u64> {
    references.iter().filter_map(|reference| reference.id.cookie()).collect()
}

#[test]
fn what_is_out_of_scope_neither_changes_nor_ends() {
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [tcp(1), tcp(2).state(CloseWait)]));
    for second in 2..9 {
        let delta = tracker.update(&part(second * 1_000, [tcp(2).state(CloseWait)]));
        assert_eq!((delta.added, delta.changed, delta.removed), (vec![], vec![], vec![]));
        assert_eq!(delta.transitions, []);
    }
}

#[test]
fn a_half_close_is_seen_by_a_partial_sample() {
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [tcp(1), tcp(2)]));
    let delta = tracker.update(&part(2_000, [tcp(2).state(CloseWait)]));
    assert_eq!(story(&delta), "2000 10.0.0.1:1026 ESTABLISHED -> CLOSE_WAIT after 1000ms at-least, none\n");
}

#[test]
fn a_socket_that_left_the_scope_is_asked_for_and_stays_until_the_answer() {
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [tcp(1).state(SynSent), tcp(2).state(LastAck), listener(3, 80)]));
    let sample = part(2_000, []);
    assert_eq!(cookies(&tracker.missing(&sample, 9)), [1, 2], "a listener's address leads to others too");
    assert_eq!(tracker.missing(&sample, 1).len(), 1);
    assert_eq!(story(&tracker.update(&sample)), "", "without an answer nothing is known");

    let mut answered = part(3_000, [tcp(1), listener(3, 80)]);
    answered.gone.push(tcp(2).build().id);
    assert_eq!(tracker.missing(&answered, 9), []);
    assert_eq!(
        story(&tracker.update(&answered)),
        "\
3000 10.0.0.1:1025 SYN_SENT -> ESTABLISHED after 2000ms at-least, none
3000 10.0.0.1:1026 LAST_ACK -> - after 2000ms at-least, none
"
    );
}

#[test]
fn a_listener_that_two_partial_samples_miss_is_gone() {
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [listener(3, 80)]));
    assert_eq!(tracker.update(&part(2_000, [])).removed, []);
    let removed = tracker.update(&part(3_000, [])).removed;
    assert_eq!(removed, [Removed { id: listener(3, 80).build().id, at: Timestamp::from_millis(2_000) }]);
}

#[test]
fn an_end_that_is_certain_needs_no_second_sample() {
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [tcp(1), tcp(2)]));
    let mut sample = snapshot(2_000, [tcp(1), tcp(2)]);
    sample.gone.push(tcp(1).build().id);
    let delta = tracker.update(&sample);
    assert_eq!(delta.removed.len(), 1);
    assert_eq!(delta.changed, [], "it is listed, but older than the report of its end");
}

#[test]
fn what_a_full_sample_missed_is_asked_for_by_the_next_partial_one() {
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [tcp(1), tcp(2)]));
    tracker.update(&snapshot(2_000, [tcp(2)]));
    let mut sample = part(3_000, []);
    assert_eq!(cookies(&tracker.missing(&sample, 9)), [1]);
    sample.gone.push(tcp(1).build().id);
    assert_eq!(tracker.update(&sample).removed[0].at, Timestamp::from_millis(2_000), "when it was first missed");
}

#[test]
fn rates_are_over_the_time_between_two_sightings() {
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [tcp(1).bytes(0, 0)]));
    tracker.update(&part(2_000, []));
    tracker.update(&part(3_000, []));
    let delta = tracker.update(&snapshot(5_000, [tcp(1).bytes(8_000, 400)]));
    assert_eq!(delta.changed[0].rates(), Some(Rates { received: 2_000.0, sent: 100.0 }));
}

#[test]
fn a_full_sample_counts_what_the_partial_ones_could_not_show() {
    let mut tracker = Tracker::new();
    tracker.update(&snapshot(1_000, [tcp(1), tcp(2), tcp(3)]));
    tracker.update(&part(2_000, [tcp(3).state(CloseWait)]));
    let delta = tracker.update(&snapshot(3_000, [tcp(1), tcp(3).state(LastAck), tcp(4)]));
    assert_eq!(delta.sample_intervals.late, 2, "4 was opened and 2 is missing; what became of 3 was in scope");
    assert_eq!(tracker.update(&part(4_000, [])).sample_intervals.late, 2, "said until the next full sample");
    assert_eq!(tracker.update(&snapshot(5_000, [tcp(1), tcp(4)])).sample_intervals.late, 0, "counted before");
}

#[derive(Clone, Debug)]
enum Step {
    Happens(Event),
    /// A partial sample with at most so many look-ups, whose dump steps over some sockets, after the kernel reported
    /// those that ended or not.
    Part {
        after_ms: u64,
        look_ups: usize,
        overlooks: usize,
        events: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let happens = event().prop_filter("samples miss nothing here", |event| !matches!(event, Event::Miss { .. }));
    let part = (0..3_000u64, 0..4usize, 0..SLOTS * 3, any::<bool>());
    prop_oneof![
        2 => happens.prop_map(|event| Step::Happens(match event {
            Event::Open { slot, state, .. } => Event::Open { slot, state, weak: false },
            event => event,
        })),
        1 => part.prop_map(|(after_ms, look_ups, overlooks, events)| {
            Step::Part { after_ms, look_ups, overlooks, events }
        }),
    ]
}

/// A partial sample of `world` as a source takes it, and the look-ups that follow it.
fn look(world: &mut World, tracker: &Tracker, reader: &Reader, step: &Step) -> Snapshot {
    let &Step::Part { after_ms, look_ups, overlooks, events } = step else { unreachable!("only parts are looked at") };
    let mut sample = world.sample(after_ms, 0);
    sample.scope = FEW;
    let overlooked = world.slots.get(overlooks).and_then(|slot| slot.as_ref()).filter(|socket| !socket.is_listener());
    let overlooked = overlooked.map(|socket| socket.id);
    sample.sockets.retain(|socket| FEW.covers(socket.protocol, socket.state) && Some(socket.id) != overlooked);
    sample.sockets.dedup_by_key(|socket| socket.id);
    let find = |id: SocketId| world.slots.iter().flatten().find(|socket| socket.id == id).cloned();
    let mut answer = |id: SocketId| match find(id) {
        Some(socket) => sample.sockets.push(socket),
        None => sample.gone.push(id),
    };
    if events {
        reader.table.keys().filter(|id| find(**id).is_none()).for_each(|id| answer(*id));
    }
    for reference in tracker.missing(&sample, look_ups) {
        match find(reference.id) {
            Some(socket) => sample.sockets.push(socket),
            None => sample.gone.push(reference.id),
        }
    }
    sample
}

impl World {
    fn listens(&self, slot: usize) -> bool {
        self.slots[slot].as_ref().is_some_and(Socket::is_listener)
    }
}

proptest! {
    #[test]
    fn partial_samples_lead_to_the_same_table(steps in prop::collection::vec(step(), 1..80)) {
        let (mut world, mut tracker, mut reader) = (World::new(), Tracker::new(), Reader::default());
        tracker.update(&world.sample(1_000, 0));
        let exists = |world: &World, id| world.slots.iter().flatten().any(|socket| socket.id == id);
        for step in &steps {
            let sample = match step {
                // A listener never becomes anything else, nor anything else a listener.
                Step::Happens(Event::Become { slot, state }) if *state == Listen || world.listens(*slot) => None,
                Step::Happens(event) => world.happen(event),
                Step::Part { .. } => Some(look(&mut world, &tracker, &reader, step)),
            };
            let Some(sample) = sample else { continue };
            let delta = tracker.update(&sample);
            for removed in &delta.removed {
                prop_assert!(!exists(&world, removed.id), "ended by mistake: {removed:?}");
            }
            reader.read(&delta);
            if sample.scope.is_all() {
                reader.compare(&sample);
            } else {
                reader.missing.retain(|id, _| !sample.sockets.iter().any(|socket| socket.id == *id));
            }
        }
        // Two full samples later the table is what there is.
        for _ in 0..2 {
            reader.read(&tracker.update(&world.sample(1_000, 0)));
        }
        let table: BTreeMap<_, _> = reader.table.iter().map(|(id, row)| (*id, row.socket.state)).collect();
        let truth: BTreeMap<_, _> = world.slots.iter().flatten().map(|socket| (socket.id, socket.state)).collect();
        prop_assert_eq!(table, truth);
        tracker.update(&world.sample(1_000, 0));
        let mut few = world.sample(1_000, 0);
        few.scope = FEW;
        few.sockets.retain(|socket| FEW.covers(socket.protocol, socket.state));
        let still = tracker.update(&few);
        prop_assert!(still.added.is_empty() && still.changed.is_empty(), "{:?}", still);
        prop_assert!(still.removed.iter().all(|removed| !exists(&world, removed.id)), "{:?}", still);
    }
}

/// A sample for which every change since `before` was told, as a source takes it: listeners are dumped, and what was told is
/// looked up. Of sockets that are gone half are told by their ends alone, whose socket the tracker has to know.
fn look_at_told(
    world: &mut World,
    tracker: &mut Tracker,
    before: &BTreeMap<SocketId, TcpState>,
    after_ms: u64,
) -> Snapshot {
    let mut sample = world.sample(after_ms, 0);
    sample.scope = Scope::LISTENERS.with_told_changes();
    let all = std::mem::take(&mut sample.sockets);
    let find = |id: SocketId| all.iter().find(|socket| socket.id == id);
    let is_told = |socket: &&Socket| socket.is_listener() || before.get(&socket.id) != Some(&socket.state);
    sample.sockets = all.iter().filter(is_told).cloned().collect();
    let over = before.keys().filter(|id| find(**id).is_none());
    let (by_cookie, by_ends): (Vec<_>, Vec<_>) = over.partition(|id| id.cookie().is_some_and(|cookie| cookie % 2 == 0));
    sample.gone.extend(by_cookie);
    let ends = |id: &&SocketId| {
        let socket = tcp(id.cookie().expect("it has one")).build();
        (socket.local, socket.remote)
    };
    let places: Vec<_> = by_ends.iter().map(ends).collect();
    let mut unused = Snapshot::default();
    let sink = Tracking { tracker, snapshot: &mut unused };
    for reference in sink.at_endpoints(&places).into_iter().chain(sink.missing(&sample)) {
        match find(reference.id) {
            Some(socket) if !sample.sockets.contains(socket) => sample.sockets.push(socket.clone()),
            Some(_) => {}
            None => sample.gone.push(reference.id),
        }
    }
    sample
}

proptest! {
    #[test]
    fn samples_of_what_was_told_have_the_states_of_full_ones(
        steps in prop::collection::vec((event(), any::<bool>()), 1..120)
    ) {
        let (mut world, mut tracker, mut reader) = (World::new(), Tracker::new(), Reader::default());
        tracker.update(&world.sample(1_000, 0));
        let states = |world: &World| -> BTreeMap<SocketId, TcpState> {
            world.slots.iter().flatten().map(|socket| (socket.id, socket.state)).collect()
        };
        let mut before = states(&world);
        for (event, full) in &steps {
            let after_ms = match event {
                Event::Sample { after_ms, .. } => *after_ms,
                Event::Become { slot, state } if *state == Listen || world.listens(*slot) => continue,
                Event::Miss { .. } => continue,
                Event::Open { slot, state, .. } => {
                    world.happen(&Event::Open { slot: *slot, state: *state, weak: false });
                    continue;
                }
                event => {
                    world.happen(event);
                    continue;
                }
            };
            let sample = if *full {
                world.sample(after_ms, 0)
            } else {
                look_at_told(&mut world, &mut tracker, &before, after_ms)
            };
            let delta = tracker.update(&sample);
            reader.read(&delta);
            before = states(&world);
            let table: BTreeMap<_, _> = reader.table.iter().map(|(id, row)| (*id, row.socket.state)).collect();
            let truth = before.clone();
            // A full sample misses what is gone once; the next one asks for it.
            let lost: Vec<_> = table.keys().filter(|id| !truth.contains_key(id)).collect();
            prop_assert!(*full || lost.iter().all(|id| table[id] == Listen), "still there: {lost:?}");
            for (id, state) in &truth {
                prop_assert_eq!(table.get(id), Some(state));
            }
            prop_assert!(delta.as_of.others.is_none(), "each of the few was looked at");
        }
    }
}

#[test]
fn what_is_not_looked_at_is_as_old_as_it_is_said_to_be() {
    let mut tracker = Tracker::new();
    let many = STALE_MAX as u64 + 1;
    tracker.update(&snapshot(1_000, (1..=many).map(|cookie| tcp(cookie).state(CloseWait))));
    let mut asked = BTreeSet::new();
    for second in [2, 3] {
        let mut sample = snapshot::<Socket>(second * 1_000, []);
        sample.scope = Scope::LISTENERS.with_told_changes();
        let mut unused = Snapshot::default();
        let wanted = Tracking { tracker: &mut tracker, snapshot: &mut unused }.missing(&sample);
        assert_eq!(wanted.len(), STALE_MAX);
        asked.extend(cookies(&wanted));
        sample.sockets.extend(cookies(&wanted).into_iter().map(|cookie| tcp(cookie).state(CloseWait).build()));
        let delta = tracker.update(&sample);
        assert_eq!(delta.as_of.others, Some(Timestamp::from_millis(second * 1_000 - 1_000)), "the oldest one");
        assert_eq!(delta.as_of.of(&tcp(1).state(CloseWait).build()), delta.as_of.others);
    }
    assert_eq!(asked.len(), STALE_MAX + 1, "the longest not looked at come first");
}

#[test]
fn a_full_sample_counts_what_should_have_been_told() {
    let mut tracker = Tracker::new();
    let told = || Snapshot { scope: Scope::LISTENERS.with_told_changes(), ..snapshot::<Socket>(2_000, []) };
    tracker.update(&snapshot(1_000, [tcp(1), tcp(2)]));
    tracker.update(&told());
    let delta = tracker.update(&snapshot(3_000, [tcp(1).state(CloseWait), tcp(2), tcp(3), tcp(4).mini(SynRecv)]));
    assert_eq!(delta.sample_intervals.late, 2, "1 and 3; of request sockets nothing is told");
}

#[test]
fn a_tracked_socket_is_found_by_its_ends_whatever_it_is_bound_to() {
    let mut tracker = Tracker::new();
    let device = |socket: &mut Socket| socket.interface = NonZeroU32::new(3);
    tracker.update(&snapshot(1_000, [tcp(1).with(device), tcp(2), udp(3, 53)]));
    let ends = |socket: Socket| (socket.local, socket.remote);
    let mut unused = Snapshot::default();
    let sink = Tracking { tracker: &mut tracker, snapshot: &mut unused };
    let found = sink.at_endpoints(&[ends(tcp(1).build()), ends(tcp(9).build()), ends(udp(3, 53).build())]);
    assert_eq!(found, [tcp(1).with(device).build().reference()]);
}
