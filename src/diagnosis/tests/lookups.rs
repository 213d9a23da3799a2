//! DNS servers that do not answer, by how long the sockets of lookups live.

use super::*;
use crate::model::facts::ResolverOptions;
use crate::model::testing::udp;

/// The socket of a lookup, connected to a server.
fn lookup(cookie: u64, process: &Arc<Process>) -> Socket {
    let socket = udp(cookie, 0).local(&format!("10.0.0.1:{}", 40_000 + cookie % 20_000)).remote("10.0.0.53:53");
    socket.state(TcpState::Established).held_by(std::slice::from_ref(process)).build()
}

/// A machine on which a program looks up something again and again; each socket lives for `lives` samples, a second each,
/// and the next one comes `pause` later. Answers after how many seconds that is a finding.
fn told_after(lives: u64, pause: u64, resolver: Option<ResolverOptions>, others: &[Socket]) -> Option<u64> {
    let mut machine = Machine::new();
    machine.facts.resolver = resolver;
    (0..90).find(|second| {
        let (nth, phase) = (second / (lives + pause), second % (lives + pause));
        let is_there = *second > 2 && phase < lives;
        let mut sockets = others.to_vec();
        sockets.extend(is_there.then(|| lookup(100 + nth, &process(9, "app"))));
        machine.sample(sockets).iter().any(|finding| finding.rule() == Rule::UnansweredDns)
    })
}

#[test]
fn sockets_that_live_as_long_as_the_time_out_one_after_the_other_are_unanswered() {
    assert!(told_after(5, 0, None, &[]).is_some());
    assert!(told_after(5, 10, None, &[]).is_some(), "also with a pause between them");
    assert!(told_after(5, 40, None, &[]).is_none(), "one a minute is no more than a lost packet");
    // By samples of a second, 3 s may be anything up to 4.999 s.
    assert!(told_after(3, 0, None, &[]).is_none(), "an answer came before the time-out");
    assert!(told_after(1, 0, None, &[]).is_none());
}

#[test]
fn the_time_out_is_that_of_the_resolver() {
    let configured = |timeout_seconds| Some(ResolverOptions { timeout_seconds, attempts: 3 });
    assert!(told_after(2, 1, configured(2), &[]).is_some());
    assert!(told_after(2, 1, configured(10), &[]).is_none());
    assert!(told_after(5, 1, configured(10), &[]).is_none(), "slow, and answered");
    assert!(told_after(10, 1, configured(10), &[]).is_some());
}

#[test]
fn it_says_who_asks_whom_how_often_and_with_which_settings() {
    let mut machine = Machine::new();
    machine.facts.resolver = Some(ResolverOptions::default());
    for second in 0..64u64 {
        let sockets = if second < 2 { Vec::new() } else { vec![lookup(100 + second / 5, &process(9, "app"))] };
        machine.sample(sockets);
    }
    let found = machine.found(Rule::UnansweredDns);
    assert_eq!(
        found.sentence,
        "app[9] gets no answer from the DNS server 10.0.0.53:53: 11 lookups timed out after 5s in the last minute (timeout 5s, 2 attempts in /etc/resolv.conf)"
    );
    assert_eq!((found.sockets, found.filter.as_str()), (1, "proto:udp pid:9 raddr=10.0.0.53 rport=53"));
    for _ in 0..70 {
        machine.sample(Vec::new());
    }
    assert!(machine.diagnosis.findings().is_empty(), "it ends: {:?}", machine.sentences());
}

#[test]
fn processes_of_one_program_are_told_together() {
    let mut machine = Machine::new();
    for second in 0..40u64 {
        let nth = u32::try_from(second / 5).expect("small");
        machine.sample(vec![lookup(u64::from(nth) + 100, &process(1_000 + nth, "curl"))]);
    }
    let found = machine.found(Rule::UnansweredDns);
    assert!(found.sentence.starts_with("curl") && found.processes > 1, "{}", found.sentence);
}

#[test]
fn sockets_that_are_kept_are_healthy_and_so_are_programs_that_answer_dns_themselves() {
    // Two sockets are kept for good, and are there from the start or come later; two are kept for half a minute.
    let mut machine = Machine::new();
    for second in 0..120u64 {
        let proxy = process(7, "envoy");
        let mut sockets = vec![lookup(1, &proxy)];
        sockets.extend((second > 10).then(|| lookup(2, &proxy)));
        sockets.extend((10..40).contains(&second).then(|| lookup(3, &proxy)));
        sockets.extend((50..80).contains(&second).then(|| lookup(4, &proxy)));
        machine.sample(sockets);
        assert!(machine.diagnosis.findings().is_empty(), "{second}: {:?}", machine.sentences());
    }
    // Those that were there at the first evaluation end: nobody knows how long they lived.
    let mut machine = Machine::new();
    for second in 0..20u64 {
        let left = (0..4).filter(|nth| second < 5 + nth * 2).map(|nth| lookup(200 + nth, &process(7, "envoy")));
        machine.sample(left.collect());
        assert!(machine.diagnosis.findings().is_empty(), "{second}: {:?}", machine.sentences());
    }
    let server = process(9, "app");
    let listens = udp(50, 53).held_by(std::slice::from_ref(&server)).build();
    assert!(told_after(5, 0, None, &[listens]).is_none(), "it forwards");
    let other = udp(50, 53).held_by(&[process(611, "systemd-resolve")]).build();
    assert!(told_after(5, 0, None, &[other]).is_some(), "another process does");
}

#[test]
fn what_partial_samples_leave_out_has_not_lived_on() {
    use crate::model::snapshot::{Scope, Snapshot};
    let mut machine = Machine::new();
    for nth in 0..20u64 {
        machine.sample(vec![lookup(100 + nth, &process(9, "app"))]);
        // Six samples without UDP: the socket is still in the table, and nobody has looked at it.
        for _ in 0..6 {
            machine.now_ms += 1_000;
            let partial = Scope::tcp(&[TcpState::Listen]);
            let snapshot = Snapshot { scope: partial, ..snapshot(machine.now_ms, Vec::<Socket>::new()) };
            machine.store.apply(machine.tracker.update(&snapshot));
            machine.diagnosis.observe(&machine.store);
        }
        assert!(machine.diagnosis.findings().is_empty(), "{:?}", machine.sentences());
    }
}

#[test]
fn resolv_conf_is_read_as_the_c_library_does() {
    for (text, timeout_seconds, attempts) in [
        ("nameserver 10.0.0.53\n", 5, 2),
        ("options timeout:1 attempts:3\n", 1, 3),
        ("options rotate timeout:1\noptions timeout:7 ndots:5", 7, 2),
        ("options timeout:0 attempts:99", 1, 5),
        ("options timeout:900", 30, 2),
        ("# options timeout:1\n; options timeout:1\noptions timeout:x timeout:", 5, 2),
        ("\u{0}\u{1}options timeout:1", 5, 2),
    ] {
        assert_eq!(ResolverOptions::parse(text.as_bytes()), ResolverOptions { timeout_seconds, attempts }, "{text:?}");
    }
}
