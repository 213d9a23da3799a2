//! Who does not read, who reads too slowly, and who is held up by it.

use super::*;
use crate::model::snapshot::{Scope, Snapshot};
use crate::model::text::DisplayText;

const READER: u64 = 1_000;
const WRITER: u64 = 2_000;

fn reader() -> [Arc<Process>; 1] {
    [process(412, "slow-reader")]
}

fn writer() -> [Arc<Process>; 1] {
    [process(413, "fast-writer")]
}

/// A connection that came in on :9001, of which `read` bytes were read and `unread` wait.
fn read_from(nth: u64, read: u64, unread: u32) -> SocketBuilder {
    let socket = tcp(READER + nth).local("10.0.0.1:9001").remote(&format!("10.0.0.2:{}", 50_000 + nth));
    socket.held_by(&reader()).queues(unread, 0).bytes(read + u64::from(unread), 0)
}

/// Its other end, whose window has been closed since `closed_ms`.
fn written_to(nth: u64, taken: u64, waits: u32, now_ms: u64, closed_ms: u64) -> SocketBuilder {
    let socket = tcp(WRITER + nth).local(&format!("10.0.0.2:{}", 50_000 + nth)).remote("10.0.0.1:9001");
    blocked(socket.held_by(&writer()).queues(0, waits).bytes(0, taken), now_ms, closed_ms)
}

/// With a window that has been closed for so long, by the timer of its probes.
fn blocked(socket: SocketBuilder, now_ms: u64, closed_ms: u64) -> SocketBuilder {
    // The probe that comes next was set when the time-outs before it had passed: 0.2 s, doubled each time.
    let (mut passed, mut backoff) = (0, 0);
    while now_ms - closed_ms >= passed + (200 << backoff) {
        passed += 200 << backoff;
        backoff += 1;
    }
    let expires = closed_ms + passed + (200 << backoff);
    socket.timer(TimerKind::ZeroWindow, 0, expires).info(|info| (info.backoff, info.rto_us) = (backoff, 200_000))
}

fn rules(machine: &Machine) -> Vec<&'static str> {
    machine.diagnosis.findings().iter().map(|finding| finding.rule().id()).collect()
}

/// After how many samples, a second apart, `make` of their number and moment is a finding of `rule`; `None` if after none.
fn told_after(rule: Rule, samples: u64, make: impl Fn(u64, u64) -> Vec<Socket>) -> Option<u64> {
    let mut machine = Machine::new();
    (0..samples).find(|nth| {
        let now = machine.now_ms + 1_000;
        machine.sample(make(*nth, now)).iter().any(|finding| finding.rule() == rule)
    })
}

#[test]
fn a_process_that_was_told_to_limit_its_rate_may_pause() {
    for (command, told) in [
        ("curl -s --limit-rate 100k http://127.0.0.1/large", Some(120)),
        ("wget --limit-rate=100k http://127.0.0.1/large", Some(120)),
        ("rsync --bwlimit=100 host:large .", Some(120)),
        ("curl -s http://127.0.0.1/large?--limit-rate", Some(10)),
    ] {
        let limited = Process { command: DisplayText::new(command), ..(*process(412, "curl")).clone() };
        let holders = [Arc::new(limited)];
        let made = |_, _| vec![read_from(1, 70_000, 100_000).held_by(&holders).build()];
        assert_eq!(told_after(Rule::LocalReaderStuck, 180, made), told, "{command}");
    }
}

#[test]
fn a_local_process_that_reads_nothing_for_long_does_not_read() {
    let stuck = |unread| move |_, _| vec![read_from(1, 70_000, unread).build()];
    assert_eq!(told_after(Rule::LocalReaderStuck, 60, stuck(100_000)), Some(10));
    assert_eq!(told_after(Rule::LocalReaderStuck, 60, stuck(16_384)), Some(10));
    assert_eq!(told_after(Rule::LocalReaderStuck, 60, stuck(16_383)), None);
    let without_counts = |_, _| vec![read_from(1, 0, 100_000).with(|socket| socket.tcp = None).build()];
    assert_eq!(told_after(Rule::LocalReaderStuck, 60, without_counts), Some(10), "the queue alone tells it");
    let unaccepted = |_, _| vec![read_from(1, 0, 100_000).owner(Owner::Unaccepted).build()];
    assert_eq!(told_after(Rule::LocalReaderStuck, 60, unaccepted), None, "it has no reader yet");
    let closing = |_, _| vec![read_from(1, 0, 100_000).state(CloseWait).build()];
    assert_eq!(told_after(Rule::LocalReaderStuck, 60, closing), None, "another rule tells of it");
}

#[test]
fn at_the_second_look_the_kernels_clocks_tell_it() {
    let since = |ago: u64| move |_, now: u64| vec![read_from(1, 0, 100_000).last(0, now - ago, 0).build()];
    assert_eq!(told_after(Rule::LocalReaderStuck, 5, since(60_000)), Some(1));
    assert_eq!(told_after(Rule::LocalReaderStuck, 5, since(59_000)), None);
    let begin = Machine::new().now_ms;
    let both = |closed_for: u64| {
        move |_, now| {
            let written = written_to(1, 100_000, 4_000_000, now, begin - closed_for);
            vec![read_from(1, 0, 100_000).build(), written.build()]
        }
    };
    assert_eq!(told_after(Rule::LocalReaderStuck, 5, both(10_000)), Some(1));
    assert_eq!(told_after(Rule::LocalReaderStuck, 5, both(2_000)), None);
}

#[test]
fn both_ends_here_are_one_finding_that_names_the_reader_and_the_writer() {
    let mut machine = Machine::new();
    let begin = machine.now_ms - 15_000;
    for _ in 0..30 {
        let now = machine.now_ms + 1_000;
        let mut sockets = vec![listener(1, 9001).held_by(&reader()).build()];
        sockets.extend((1..=12).map(|nth| read_from(nth, 0, 120_000).build()));
        sockets.extend((1..=12).map(|nth| written_to(nth, 120_000, 4_000_000, now, begin).build()));
        machine.sample(sockets);
        // The first evaluation alone cannot tell; it must not blame the writer meanwhile.
        assert!(rules(&machine).iter().all(|rule| *rule == "local-reader-stuck"), "{:?}", machine.sentences());
    }
    let found = machine.found(Rule::LocalReaderStuck);
    assert_eq!(
        found.sentence,
        "slow-reader[412] does not read: 12 connections on :9001, 1.4MB unread, for ≥45s; 48.0MB more in the send queue of fast-writer[413]"
    );
    assert_eq!(found.process.as_ref().map(|process| process.id.pid), Some(412));
    assert_eq!(found.filter, "recvq>16383 pid:412 lport=9001");
    assert_eq!(machine.diagnosis.findings().len(), 1);
}

#[test]
fn the_other_end_is_named_in_another_namespace_too() {
    let mut machine = Machine::new();
    let begin = machine.now_ms - 15_000;
    for _ in 0..3 {
        let now = machine.now_ms + 1_000;
        let written = written_to(1, 120_000, 4_000_000, now, begin).netns(7);
        machine.sample(vec![read_from(1, 0, 120_000).netns(5).build(), written.build()]);
    }
    let found = machine.found(Rule::LocalReaderStuck);
    let words = found.evidence.iter().find(|one| one.key == "peer").map(|one| one.value.clone());
    assert_eq!(
        words,
        Some(crate::diagnosis::finding::Measure::Words("fast-writer[413], in the network namespace 7".to_owned()))
    );
    assert_eq!(rules(&machine), ["local-reader-stuck"]);
}

#[test]
fn who_reads_in_batches_is_healthy_and_who_stops_is_found() {
    let mut machine = Machine::new();
    let (mut read, mut unread) = (0u64, 0u32);
    for second in 0..240u64 {
        unread += 20_000;
        if second % 6 == 5 {
            (read, unread) = (read + u64::from(unread), 0);
        }
        machine.sample(vec![read_from(1, read, unread).build()]);
        assert!(machine.diagnosis.findings().is_empty(), "{second}: {:?}", machine.sentences());
    }
    // Now it takes a part only, every 4 s: still healthy. Then nothing.
    let begin = machine.now_ms;
    for second in 0..120u64 {
        read += if second % 4 == 3 && second < 100 { 60_000 } else { 0 };
        machine.sample(vec![read_from(1, read, 100_000).build()]);
        if second < 99 + 12 {
            assert!(machine.diagnosis.findings().is_empty(), "{second}: {:?}", machine.sentences());
        }
    }
    let found = machine.found(Rule::LocalReaderStuck);
    let since = found.since.expect("known");
    let stopped = since.at.as_millis() - begin;
    assert!((99_000..=101_000).contains(&stopped), "it stopped after 100 s, not after {stopped} ms");
    assert_eq!(since.basis, crate::model::delta::AgeBasis::Observed);
}

#[test]
fn who_reads_too_slowly_is_not_said_to_read_nothing() {
    let slowly = |rate: u64| move |nth: u64, _| vec![read_from(1, nth * rate, 100_000).build()];
    assert_eq!(told_after(Rule::SlowReader, 60, slowly(8_191)), Some(10));
    assert_eq!(told_after(Rule::SlowReader, 60, slowly(8_192)), None);
    assert_eq!(told_after(Rule::LocalReaderStuck, 60, slowly(1)), None);
    let mut machine = Machine::new();
    for nth in 0..20 {
        machine.sample(vec![read_from(1, nth * 4_096, 123_000).build()]);
    }
    assert_eq!(
        machine.found(Rule::SlowReader).sentence,
        "slow-reader[412] reads too slowly: 4 kB/s, 123kB waiting, 1 connection on 10.0.0.1:9001"
    );
    assert_eq!(rules(&machine), ["slow-reader"]);
}

/// As measured on loopback with a reader of 4 kB/s: the window opens for 65 kB every 16 s.
#[test]
fn a_peer_that_takes_a_little_now_and_then_reads_slowly() {
    let mut machine = Machine::new();
    let (mut told, begin) = (Vec::new(), machine.now_ms);
    for second in 0..300u64 {
        let now = machine.now_ms + 1_000;
        let steps = (second + 9) / 16;
        let opened = begin + (steps * 16).saturating_sub(9) * 1_000;
        let socket = tcp(5).local("10.0.0.1:45000").remote("192.0.2.7:9001").held_by(&writer()).queues(0, 3_780_000);
        machine.sample(vec![blocked(socket.bytes(0, 128_000 + steps * 65_536), now, opened.min(now)).build()]);
        told.extend(rules(&machine));
        if second == 299 {
            assert_eq!(
                machine.found(Rule::SlowReader).sentence,
                "fast-writer[413] sends to 192.0.2.7:9001, which reads too slowly: 4 kB/s, 3.8MB waiting, 1 connection"
            );
        }
    }
    told.dedup();
    assert_eq!(told, ["slow-reader"]);
}

#[test]
fn a_peer_that_takes_nothing_does_not_read() {
    let mut machine = Machine::new();
    let begin = machine.now_ms;
    for _ in 0..90 {
        let now = machine.now_ms + 1_000;
        let socket = tcp(5)
            .local("10.0.0.1:45000")
            .remote("192.0.2.7:9001")
            .held_by(&writer())
            .queues(0, 3_780_000)
            .bytes(0, 128_000);
        machine.sample(vec![blocked(socket, now, begin).build()]);
    }
    assert_eq!(rules(&machine), ["zero-window"]);
}

/// A thousand healthy clients, and one that has stopped (`redis-cli monitor`, and Ctrl-Z).
#[test]
fn one_laden_connection_is_told_among_a_thousand() {
    let at_last = |waits: u32, seconds: u64| {
        let mut machine = Machine::new();
        let begin = machine.now_ms;
        for _ in 0..seconds {
            let now = machine.now_ms + 1_000;
            let server = [process(6_379, "redis-server")];
            let client = |nth: u64| {
                tcp(nth).local("10.0.0.1:6379").remote(&format!("203.0.113.9:{}", 40_000 + nth)).held_by(&server)
            };
            let mut sockets: Vec<Socket> = (1..=1_000).map(|nth| client(nth).build()).collect();
            sockets.push(blocked(client(2_000).queues(0, waits).bytes(0, 9_000_000), now, begin).build());
            machine.sample(sockets);
        }
        rules(&machine)
    };
    assert_eq!(at_last(1_048_576, 62), ["zero-window"]);
    assert!(at_last(1_048_575, 62).is_empty(), "it is its own trouble");
    assert!(at_last(1_048_576, 58).is_empty(), "it may go on in a moment");
}

/// Above 20,000 sockets most samples leave the established ones out: what they do not list has not stood still.
#[test]
fn what_a_partial_sample_does_not_list_is_not_accused() {
    let mut machine = Machine::new();
    let partial = Scope::tcp(&[TcpState::Listen, CloseWait]);
    machine.sample(vec![read_from(1, 0, 100_000).build()]);
    for _ in 0..60 {
        machine.now_ms += 1_000;
        let snapshot = Snapshot { scope: partial, ..snapshot(machine.now_ms, Vec::<Socket>::new()) };
        machine.store.apply(machine.tracker.update(&snapshot));
        machine.diagnosis.observe(&machine.store);
        assert!(machine.diagnosis.findings().is_empty(), "{:?}", machine.sentences());
    }
    machine.sample(vec![read_from(1, 90_000, 100_000).build()]);
    assert!(machine.diagnosis.findings().is_empty(), "{:?}", machine.sentences());
    let mut machine = Machine::new();
    machine.sample(vec![read_from(1, 0, 100_000).build()]);
    machine.now_ms += 20_000;
    machine.sample(vec![read_from(1, 0, 100_000).build()]);
    assert_eq!(rules(&machine), ["local-reader-stuck"], "two full samples tell it");
}

#[test]
fn a_peer_in_fin_wait2_is_held_by_a_leak_that_is_named() {
    let mut machine = Machine::new();
    for _ in 0..3 {
        let since = machine.now_ms - 100_000;
        let ends = (0..12u64).flat_map(|nth| {
            let (ours, theirs) = (format!("10.0.0.1:{}", 40_000 + nth), "10.0.0.1:7033");
            let waits = tcp(100 + nth).local(&ours).remote(theirs).state(TcpState::FinWait2).held_by(&writer());
            let leaks = tcp(200 + nth).local(theirs).remote(&ours).state(CloseWait).queues(0, 0).held_by(&reader());
            [waits, leaks].map(|socket| socket.last(since - 5, since - 5, since).build())
        });
        machine.sample(ends.collect());
    }
    // Before the leak is one of that rule, and once it explains this.
    let found = machine.found(Rule::CloseWaitLeak);
    let caused: Vec<_> = found.caused.listed.iter().map(|caused| (caused.rule, caused.sentence.as_str())).collect();
    let [(Rule::FinWait2Stuck, sentence)] = caused[..] else { panic!("{caused:?}") };
    assert!(sentence.starts_with("fast-writer[413] waits for slow-reader[412] to close"), "{sentence}");
}

#[test]
fn watched_queues_are_bounded_and_forgotten() {
    let mut machine = Machine::new();
    let many = |count: u64| {
        (0..count)
            .map(|nth| {
                read_from(nth % 9_000, nth, 50_000)
                    .with(|socket| {
                        socket.id = crate::model::socket::SocketId::from_cookie(10_000 + nth, socket.id.netns());
                    })
                    .build()
            })
            .collect::<Vec<Socket>>()
    };
    machine.sample(many(20_000));
    let held = |machine: &Machine| {
        machine.diagnosis.table_sizes().into_iter().find(|held| held.what == "watched queues").expect("told").len
    };
    assert_eq!(held(&machine), crate::diagnosis::queue_progress::WATCHED_QUEUES_MAX);
    for _ in 0..8 {
        machine.sample(Vec::new());
    }
    assert_eq!(held(&machine), 0);
}
