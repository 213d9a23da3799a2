//! What is lost: SYNs, datagrams, segments; on both sides of each limit.

use super::*;
use crate::model::socket::{Drops, NetnsId};
use crate::model::testing::udp;

/// Samples for twelve seconds: `step` gets the second, counts, and gives the sockets.
fn watch(machine: &mut Machine, mut step: impl FnMut(u64, &mut Facts) -> Vec<Socket>) {
    for second in 0..12 {
        let mut facts = machine.facts.clone();
        facts.counters.get_or_insert_default();
        let sockets = step(second, &mut facts);
        machine.facts = facts;
        machine.sample(sockets);
    }
}

fn counting(facts: &mut Facts) -> &mut Counters {
    facts.counters.get_or_insert_default()
}

fn with_drops(socket: SocketBuilder, drops: u64) -> Socket {
    socket.with(|socket| socket.drops = Some(Drops::new(u32::try_from(drops).expect("small")))).build()
}

fn rules(machine: &Machine) -> Vec<Rule> {
    machine.diagnosis.findings().iter().map(Finding::rule).collect()
}

/// A listener on :8080 with a backlog of `backlog` that drops so many a second, beside half-open connections.
fn dropping(machine: &mut Machine, backlog: u32, a_second: u64, overflows: u64, half_open: u64) {
    let server = [process(14, "web-server")];
    watch(machine, |second, facts| {
        counting(facts).listen_drops = 9 + second * a_second;
        counting(facts).listen_overflows = second * overflows;
        let listening = listener(1, 8080).queues(0, backlog).held_by(&server);
        let mut sockets = vec![with_drops(listening, 5 + second * a_second)];
        sockets.extend((0..half_open).map(|nth| {
            let client = format!("203.0.113.9:{}", 20_000 + nth);
            tcp(100 + nth).local("10.0.0.1:8080").remote(&client).mini(TcpState::SynRecv).build()
        }));
        sockets
    });
}

fn without_cookies(max: u32) -> Machine {
    let mut machine = Machine::new();
    (machine.facts.syncookies, machine.facts.syn_backlog_max) = (Some(0), Some(max));
    machine
}

#[test]
fn dropped_syns_are_put_down_to_the_limit_that_is_hit() {
    for (backlog, max, half_open, words) in [
        (
            511,
            128,
            97,
            "web-server[14] SYN queue full at 97 (3/4 of net.ipv4.tcp_max_syn_backlog 128), SYN cookies are off",
        ),
        (64, 1_024, 64, "web-server[14] SYN queue full at 64 (backlog of the listener 64), SYN cookies are off"),
        (511, 1_024, 12, "web-server[14] SYN queue is not full (12 half open), and the kernel does not say why"),
    ] {
        let mut machine = without_cookies(max);
        dropping(&mut machine, backlog, 107, 0, half_open);
        let found = machine.found(Rule::SynDrops);
        assert_eq!(found.sentence, format!("new connections to :8080 are dropped, 107/s: {words}"));
        assert_eq!((found.severity, u64::from(found.sockets)), (Severity::Critical, half_open));
        assert_eq!(found.filter, "state:syn-recv lport=8080");
        assert_eq!(machine.diagnosis.findings().len(), 1, "one cause, one finding: {:?}", machine.sentences());
    }
}

#[test]
fn few_drops_and_those_of_a_full_accept_queue_are_no_dropped_syns() {
    let mut machine = without_cookies(128);
    dropping(&mut machine, 511, 0, 0, 97);
    assert_eq!(rules(&machine), []);
    // Each that overflows is a drop as well.
    let mut machine = without_cookies(128);
    dropping(&mut machine, 511, 30, 30, 4);
    assert_eq!(rules(&machine), [Rule::AcceptQueueFull], "{:?}", machine.sentences());
    // Of segments to a listener that open nothing only its own number tells.
    let mut machine = without_cookies(128);
    watch(&mut machine, |second, facts| {
        counting(facts).listen_drops = 9;
        vec![with_drops(listener(1, 8080), second * 50)]
    });
    assert_eq!(rules(&machine), []);
}

#[test]
fn drops_end_as_a_finding_soon_after_they_end() {
    let mut machine = without_cookies(128);
    dropping(&mut machine, 511, 107, 0, 97);
    let (facts, at_last) = (machine.facts.clone(), 5 + 11 * 107);
    for second in 0..20 {
        machine.facts = facts.clone();
        machine.sample(vec![with_drops(listener(1, 8080).queues(0, 511), at_last)]);
        assert_eq!(rules(&machine).contains(&Rule::SynDrops), second < 9, "{second} s after the last");
    }
}

#[test]
fn drops_of_which_no_listener_tells_are_told_without_one() {
    let mut machine = Machine::new();
    watch(&mut machine, |second, facts| {
        counting(facts).listen_drops = second * 20;
        vec![listener(1, 8080).build()]
    });
    let found = machine.found(Rule::SynDrops);
    assert_eq!(found.sentence, "new connections are dropped, 20/s: the kernel does not say for which listener or why");
    assert_eq!(found.severity, Severity::Warning);
}

/// The kernel's counters are those of our own namespace; what each socket lost is told in every one.
#[test]
fn a_listener_of_another_namespace_is_named_by_what_it_dropped_itself() {
    let mut machine = without_cookies(128);
    let dropping = |machine: &mut Machine, half_open: u64| {
        for second in 0..12 {
            machine.now_ms += 1_000;
            let listening = listener(1, 8080).queues(0, 511).netns(7);
            let mut sockets = vec![with_drops(listening, second * 40)];
            sockets.extend((0..half_open).map(|nth| {
                let client = format!("203.0.113.9:{}", 20_000 + nth);
                tcp(100 + nth).local("10.0.0.1:8080").remote(&client).mini(TcpState::SynRecv).netns(7).build()
            }));
            let mut snapshot = snapshot(machine.now_ms, sockets);
            let names = crate::model::process::Names { own: Some(NetnsId(1)), ..Default::default() };
            (snapshot.names, snapshot.facts) = (Arc::new(names), Arc::new(machine.facts.clone()));
            machine.store.apply(machine.tracker.update(&snapshot));
            machine.diagnosis.observe(&machine.store);
        }
    };
    machine.facts.counters = Some(Counters::default());
    dropping(&mut machine, 40);
    let found = machine.found(Rule::SynDrops);
    assert!(found.sentence.ends_with("40 half open"), "its limits are not read: {}", found.sentence);
    assert_eq!(found.key.netns, NetnsId(7));
    let mut machine = without_cookies(128);
    machine.facts.counters = Some(Counters::default());
    dropping(&mut machine, 3);
    assert_eq!(rules(&machine), [], "what was dropped need not have been a SYN");
}

#[test]
fn datagrams_that_a_socket_loses_are_put_down_to_its_process() {
    let lose = |a_second: u64, delivered: u64| {
        let mut machine = Machine::new();
        watch(&mut machine, |second, facts| {
            counting(facts).udp_received = second * delivered;
            counting(facts).udp_receive_buffer_errors = second * a_second;
            let syslog = udp(6, 514).queues(212_992, 0).held_by(&[process(300, "rsyslogd")]);
            vec![with_drops(syslog, 7 + second * a_second), with_drops(udp(7, 53), 9)]
        });
        machine
    };
    let machine = lose(120, 1_900);
    let found = machine.found(Rule::UdpReceiveDrops);
    assert_eq!(
        found.sentence,
        "rsyslogd[300] loses incoming UDP datagrams on :514: 120/s dropped, receive buffer full"
    );
    assert_eq!((found.sockets, found.filter.as_str()), (1, "proto:udp pid:300 lport=514"));
    assert_eq!(machine.diagnosis.findings().len(), 1, "{:?}", machine.sentences());
    assert_eq!(rules(&lose(2, 1_900)), [Rule::UdpReceiveDrops], "one in a thousand");
    assert_eq!(rules(&lose(2, 2_100)), [], "fewer");
    assert_eq!(rules(&lose(100, 10_000_000)), [Rule::UdpReceiveDrops], "many in any share");
    assert_eq!(rules(&lose(0, 10)), []);
}

#[test]
fn datagrams_lost_by_sockets_that_nobody_knows_are_told_without_one() {
    let mut machine = Machine::new();
    watch(&mut machine, |second, facts| {
        counting(facts).udp_received = second * 50;
        counting(facts).udp_memory_errors = second * 40;
        vec![udp(6, 514).build()]
    });
    let found = machine.found(Rule::UdpReceiveDrops);
    assert_eq!((found.why, found.key.scope), ("UDP memory is used up (net.ipv4.udp_mem)", FindingScope::Machine));
}

/// What a counter alone tells: `lost` of `of` a second.
fn told(lost: impl Fn(&mut Counters, u64), of: u64) -> Vec<Rule> {
    let mut machine = Machine::new();
    watch(&mut machine, |second, facts| {
        let counters = counting(facts);
        (counters.segments_sent, counters.segments_received) = (second * of, second * of);
        counters.udp_sent = second * of;
        lost(counters, second);
        Vec::new()
    });
    rules(&machine)
}

#[test]
fn losses_matter_by_rate_and_by_share() {
    let damaged = |rate: u64, of| told(move |counters, second| counters.checksum_errors = second * rate, of);
    assert_eq!(damaged(2, 1_900), [Rule::DamagedPackets]);
    assert_eq!(damaged(2, 2_100), [], "less than one in a thousand");
    assert_eq!(damaged(100, 50_000_000), [Rule::DamagedPackets], "a hundred a second in any share");
    assert_eq!(told(|counters, second| counters.checksum_errors = second / 2, 100), [], "one in two seconds");
    let late = |counters: &mut Counters, second: u64| counters.checksum_errors = second.saturating_sub(2).min(9);
    assert_eq!(told(late, 9), [], "nine in all are chance");
    assert_eq!(told(|counters, second| counters.time_wait_overflows = second * 2, 1_000_000), [Rule::TimeWaitOverflow]);
    assert_eq!(told(|counters, second| counters.time_stamp_rejects = second * 30, 9_000), [Rule::PawsDrops]);
    assert_eq!(told(|counters, second| counters.udp_send_buffer_errors = second * 30, 9_000), [Rule::UdpSendDrops]);
    let receive = |counters: &mut Counters, second: u64| {
        (counters.backlog_drops, counters.pruned) = (second * 5, second * 5);
        counters.out_of_order_drops = second;
    };
    assert_eq!(told(receive, 9_000), [Rule::TcpReceiveDrops], "they are added up");
    assert_eq!(told(receive, 12_000), []);
}

#[test]
fn memory_is_scarce_above_the_second_number_and_used_up_at_the_third() {
    let used = |pages: u64| {
        let mut machine = Machine::new();
        machine.facts.tcp_memory_limits_pages = Some([700, 900, 1_200]);
        watch(&mut machine, |_, facts| {
            facts.tcp_memory_pages = Some(pages);
            Vec::new()
        });
        machine.diagnosis.findings().first().map(|found| (found.rule(), found.severity, found.sentence.clone()))
    };
    assert_eq!(used(899), None);
    let scarce = "TCP memory is scarce: 900 of 1,200 pages used (net.ipv4.tcp_mem)".to_owned();
    assert_eq!(used(900), Some((Rule::MemoryPressure, Severity::Warning, scarce)));
    assert!(
        used(1_200).is_some_and(|(_, severity, words)| severity == Severity::Critical && words.contains("used up"))
    );
}

#[test]
fn where_the_limits_of_memory_are_not_seen_the_counters_tell_unless_orphans_explain_them() {
    let aborted = |orphans: u32| {
        let mut machine = Machine::new();
        (machine.facts.orphans, machine.facts.orphans_max) = (Some(orphans), Some(1_000));
        watch(&mut machine, |second, facts| {
            counting(facts).memory_aborts = second * 3;
            Vec::new()
        });
        rules(&machine)
    };
    assert_eq!(aborted(10), [Rule::MemoryPressure]);
    assert_eq!(aborted(600), [Rule::Orphans]);
}

#[test]
fn the_table_of_the_firewall_is_told_before_it_is_full() {
    let tracked = |tracked: u32, max: u32, drops: u64| {
        let mut machine = Machine::new();
        (machine.facts.conntrack, machine.facts.conntrack_max) = (Some(tracked), Some(max));
        watch(&mut machine, |second, facts| {
            counting(facts).conntrack_drops = second * drops;
            Vec::new()
        });
        machine.diagnosis.findings().first().map(|found| (found.severity, found.sentence.clone()))
    };
    assert_eq!(tracked(899, 1_000, 0), None);
    let nearly = "connection tracking is nearly full: 900 of 1,000 (nf_conntrack_max)".to_owned();
    assert_eq!(tracked(900, 1_000, 0), Some((Severity::Warning, nearly)));
    let full = "connection tracking is full: 1,000 of 1,000 (nf_conntrack_max), 40 packets/s dropped".to_owned();
    assert_eq!(tracked(1_000, 1_000, 40), Some((Severity::Critical, full)));
    let clash = "connection tracking drops packets, 40/s, though only 7 of 1,000 are tracked".to_owned();
    assert_eq!(tracked(7, 1_000, 40), Some((Severity::Warning, clash)));
    assert_eq!(tracked(9_000, 0, 0), None, "0 is no limit");
}

#[test]
fn the_peers_that_lose_most_are_named_and_loopback_is_no_bad_link() {
    let lossy = |peer: &'static str| {
        let mut machine = Machine::new();
        watch(&mut machine, |second, facts| {
            let counters = counting(facts);
            (counters.segments_sent, counters.segments_retransmitted) = (second * 1_000, second * 80);
            (counters.fast_retransmits, counters.dsacks_received) = (second * 80, second * 10);
            let again = |socket: SocketBuilder, total: u64, twice: u64| {
                let total = u32::try_from(total).expect("small");
                let twice = u16::try_from(twice).expect("small");
                socket.info(|info| (info.retransmits_total, info.retransmits_spurious) = (total, twice)).build()
            };
            let to = |cookie, peer: &str| tcp(cookie).remote(peer);
            vec![again(to(1, peer), second * 70, second * 5), again(to(2, "10.0.0.9:443"), second * 10, second * 8)]
        });
        let found = machine.found(Rule::Retransmitting);
        (found.sentence.clone(), found.why)
    };
    let (sentence, why) = lossy("192.0.2.50:873");
    assert_eq!(
        sentence,
        "this machine retransmits 7.0% of its segments because they were lost: 770 of 11,000 in 11s, 97% of it to 192.0.2.50"
    );
    assert_eq!(why, "segments or answers are lost");
    assert_eq!(lossy("127.0.0.1:5432").1, "a receiver on this machine has no room");
}

#[test]
fn probes_that_came_twice_are_no_loss() {
    let reconnecting = |losses: u64| {
        told(
            move |counters, second| {
                counters.segments_retransmitted = second * 600;
                (counters.loss_probes, counters.dsacks_received) = (second * 600, second * (598 - losses));
                counters.loss_probe_recoveries = second * losses;
            },
            10_000,
        )
    };
    assert_eq!(reconnecting(0), []);
    assert_eq!(reconnecting(510), [Rule::Retransmitting]);
}

#[test]
fn each_of_several_full_listeners_tells_what_it_lost_itself() {
    let mut machine = Machine::new();
    watch(&mut machine, |second, facts| {
        let counters = counting(facts);
        (counters.listen_drops, counters.listen_overflows) = (second * 40, second * 40);
        let full = |cookie, port, drops| {
            let server = [process(u32::from(port), "server")];
            with_drops(listener(cookie, port).queues(9, 8).held_by(&server), drops)
        };
        vec![full(1, 81, second * 30), full(2, 82, second * 10), full(3, 83, 0)]
    });
    let sentences = machine.sentences().join("\n");
    for words in ["on :81: 9 of 8, 30/s dropped,", "on :82: 9 of 8, 10/s dropped,"] {
        assert!(sentences.contains(words), "{sentences}");
    }
    assert_eq!(sentences.matches("dropped").count(), 2, "the third is full and lost nothing: {sentences}");
}

#[test]
fn clients_of_this_machine_whose_syns_are_dropped_are_a_part_of_it() {
    let mut machine = without_cookies(128);
    let (server, client) = ([process(14, "web-server")], [process(31, "curl")]);
    for second in 0..12 {
        let now = machine.now_ms + 1_000;
        let mut counters = Counters { listen_drops: 9 + second * 107, ..Counters::default() };
        counters.syn_retransmits = second * 3;
        machine.facts.counters = Some(counters);
        let listening = listener(1, 8080).local("127.0.0.1:8080").queues(0, 511).held_by(&server);
        let mut sockets = vec![with_drops(listening, second * 107)];
        sockets.extend((0..5).map(|nth| {
            let waiting = tcp(50 + nth).local(&format!("127.0.0.1:{}", 40_000 + nth)).remote("127.0.0.1:8080");
            let waiting = waiting.held_by(&client).state(TcpState::SynSent);
            waiting.timer(TimerKind::Retransmit, 3, now + 4_000).info(|info| info.rto_us = 8_000_000).build()
        }));
        machine.sample(sockets);
    }
    assert_eq!(rules(&machine), [Rule::SynDrops], "{:?}", machine.sentences());
    assert!(machine.found(Rule::SynDrops).sentence.contains("web-server[14]"));
}
