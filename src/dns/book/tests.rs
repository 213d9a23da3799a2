//! Limits, lives and deadlines by a clock that the test turns.

use super::*;

const POLITE: QueryLimits = QueryLimits { with_private: false, is_slow: true };

fn address(number: usize) -> IpAddr {
    let [.., high, low] = number.to_be_bytes();
    IpAddr::from([8, 8, high, low])
}

fn addresses(count: usize) -> Vec<IpAddr> {
    (0..count).map(address).collect()
}

fn named(text: &str) -> DnsReply {
    DnsReply::Name(text.as_bytes().to_vec())
}

fn name(text: &str) -> Option<HostName> {
    HostName::new(text.as_bytes())
}

/// A book that wants `count` addresses, and a moment.
fn wanting(count: usize) -> (LookupQueue, Instant) {
    let mut book = LookupQueue::new(POLITE);
    assert!(book.want(&addresses(count)).is_empty());
    (book, Instant::now())
}

/// All that may be asked at `now`.
fn questions(book: &mut LookupQueue, now: Instant) -> Vec<IpAddr> {
    std::iter::from_fn(|| match book.next(now) {
        NextStep::Ask(addr) => Some(addr),
        NextStep::Wait(_) | NextStep::Idle => None,
    })
    .collect()
}

#[test]
fn no_second_has_more_than_twenty_questions() {
    let (mut book, start) = wanting(WANTED_MAX);
    let mut asked = Vec::new();
    for ms in 0..10_000 {
        let now = start + Duration::from_millis(ms);
        for addr in questions(&mut book, now) {
            asked.push(now);
            book.answered(addr, DnsReply::NoName, now);
        }
    }
    for first in &asked {
        let within = asked.iter().filter(|at| **at >= *first && at.duration_since(*first) < Duration::from_secs(1));
        assert!(within.count() <= QUESTIONS_PER_SECOND_MAX);
    }
    assert_eq!(asked.len(), 10 * QUESTIONS_PER_SECOND_MAX, "and none is wasted");
}

#[test]
fn a_worker_that_is_early_is_told_when_to_come_back() {
    let (mut book, start) = wanting(WANTED_MAX);
    assert_eq!(questions(&mut book, start), addresses(QUESTIONS_PER_SECOND_MAX));
    assert_eq!(book.next(start + Duration::from_millis(300)), NextStep::Wait(Duration::from_millis(700)));
    assert!(matches!(book.next(start + Duration::from_secs(1)), NextStep::Ask(_)));
}

#[test]
fn what_is_wanted_is_bounded_and_only_the_latest_wish_counts() {
    let (mut book, start) = wanting(5_000);
    assert_eq!(book.unanswered(start), WANTED_MAX);
    let later: Vec<IpAddr> = (6_000..6_010).map(address).collect();
    book.want(&later);
    assert_eq!(questions(&mut book, start), later, "what is not seen any more is not asked about");
    book.want(&[]);
    assert_eq!(book.next(start + Duration::from_secs(9)), NextStep::Idle);
}

#[test]
fn an_address_is_asked_about_once_however_it_is_written() {
    let mut book = LookupQueue::new(POLITE);
    let twice = ["8.8.8.8", "::ffff:8.8.8.8", "8.8.8.8"].map(|text| text.parse().expect("an address"));
    book.want(&twice);
    let now = Instant::now();
    assert_eq!(questions(&mut book, now), [twice[0]]);
    assert_eq!(book.next(now), NextStep::Idle, "an open question is not asked again");
    assert_eq!(book.answered(twice[0], named("dns.example"), now), Some((twice[0], name("dns.example"))));
    assert_eq!(book.want(&twice[1..]), [(twice[0], name("dns.example"))]);
}

#[test]
fn private_addresses_are_asked_about_only_when_told() {
    let private = ["10.0.0.1", "127.0.0.1", "fd00::1", "192.0.2.1"].map(|text| text.parse().expect("an address"));
    let now = Instant::now();
    for (with_private, asked) in [(false, 0), (true, private.len())] {
        let mut book = LookupQueue::new(QueryLimits { with_private, ..POLITE });
        book.want(&private);
        assert_eq!(questions(&mut book, now).len(), asked);
    }
}

#[test]
fn an_answer_is_believed_for_its_time_and_then_asked_for_again() {
    for (reply, life) in [
        (named("a.example"), NAME_LIFETIME),
        (DnsReply::NoName, NO_NAME_LIFETIME),
        (named("127.0.0.1"), NO_NAME_LIFETIME),
        (DnsReply::Failed, FAILURE_LIFETIME),
    ] {
        let (mut book, start) = wanting(1);
        assert_eq!(questions(&mut book, start).len(), 1);
        book.answered(address(0), reply.clone(), start);
        assert_eq!(book.next(start), NextStep::Wait(life), "{reply:?}");
        let nearly = start + life.saturating_sub(Duration::from_millis(1));
        assert!(questions(&mut book, nearly).is_empty(), "{reply:?}");
        assert_eq!(questions(&mut book, start + life), [address(0)], "{reply:?}");
    }
}

#[test]
fn a_name_stays_while_it_is_asked_for_again_and_goes_when_it_is_gone() {
    let (mut book, start) = wanting(1);
    let ask = |book: &mut LookupQueue, at: Instant, reply: DnsReply| {
        assert_eq!(questions(book, at), [address(0)]);
        book.answered(address(0), reply, at)
    };
    assert_eq!(ask(&mut book, start, named("a.example")), Some((address(0), name("a.example"))));
    let later = start + NAME_LIFETIME;
    assert_eq!(book.names(), [(address(0), name("a.example"))]);
    assert_eq!(ask(&mut book, later, DnsReply::Failed), None, "no answer is no news");
    assert_eq!(book.names().len(), 1);
    let later = later + FAILURE_LIFETIME;
    assert_eq!(ask(&mut book, later, named("A.example.")), None, "the same is no news");
    let later = later + NAME_LIFETIME;
    assert_eq!(ask(&mut book, later, DnsReply::NoName), Some((address(0), None)));
    assert!(book.names().is_empty());
}

#[test]
fn what_comes_after_the_deadline_is_dropped() {
    let (mut book, start) = wanting(1);
    questions(&mut book, start);
    let late = start + DEADLINE + Duration::from_millis(1);
    assert_eq!(book.unanswered(late), 1);
    assert_eq!(book.answered(address(0), named("late.example"), late), None);
    assert_eq!((book.names(), book.next(late)), (Vec::new(), NextStep::Wait(FAILURE_LIFETIME)));
    assert_eq!(book.answered(address(0), named("unasked.example"), late), None);
}

#[test]
fn evil_answers_are_no_names() {
    let long = "a.".repeat(150);
    let evil: [&[u8]; 9] = [
        b"\x1b]0;PWN\x07.example",
        b"127.0.0.1",
        b"::1",
        long.as_bytes(),
        b"",
        b"a\nb.example",
        "\u{202e}moc.knab".as_bytes(),
        b"\xff\xff.example",
        b"-rf.example",
    ];
    let (mut book, start) = wanting(evil.len() + 1);
    for (addr, bytes) in questions(&mut book, start).into_iter().zip(evil.into_iter().chain([&b"UPPER.Example"[..]])) {
        let told = book.answered(addr, DnsReply::Name(bytes.to_vec()), start);
        assert_eq!(told.is_some(), bytes == b"UPPER.Example", "{bytes:?}");
    }
    assert_eq!(book.names(), [(address(evil.len()), name("upper.example"))]);
}

#[test]
fn memory_is_bounded_and_what_is_seen_stays_known() {
    let mut book = LookupQueue::new(POLITE);
    let seen = address(0);
    let mut now = Instant::now();
    for page in 0..500 {
        let wanted: Vec<IpAddr> =
            std::iter::once(seen).chain((0..19).map(|row| address(1 + page * 19 + row))).collect();
        book.want(&wanted);
        for addr in questions(&mut book, now) {
            book.answered(addr, named("x.example"), now);
        }
        now += Duration::from_secs(1);
        assert!(book.known.len() <= KNOWN_MAX);
        assert!(book.names().iter().any(|(addr, _)| *addr == seen));
    }
    assert!(book.asked.len() <= QUESTIONS_PER_SECOND_MAX && book.open.is_empty());
}

#[test]
fn only_what_stays_on_this_machine_is_not_slowed_down() {
    let mut book = LookupQueue::new(QueryLimits { is_slow: false, ..POLITE });
    book.want(&addresses(100));
    assert_eq!(questions(&mut book, Instant::now()).len(), 100);
}
