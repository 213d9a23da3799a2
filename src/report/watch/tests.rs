//! Tests with hand-made transitions and findings.

use std::time::Duration;

use super::*;
use crate::model::delta::FinalCounters;
use crate::model::hosts::HostNumber;
use crate::model::outcome::{EndReport, SocketError};
use crate::model::socket::SocketId;
use crate::model::tcp_info::ByteCounts;
use crate::model::tcp_state::TcpState;
use crate::model::testing::{self, tcp};
use crate::model::time::Timestamp;
use crate::report::findings::testing::{NOW, descriptors, leak, store};

fn transition(cookie: u64, from: Option<TcpState>, to: Option<TcpState>) -> Transition {
    let (local, remote) = match cookie {
        1 => ("10.0.0.7:51234", "10.1.0.1:5432"),
        2 => ("10.0.0.7:80", "192.0.2.4:50001"),
        _ => ("10.0.0.7:80", "192.0.2.9:50002"),
    };
    Transition {
        at: NOW.before(Duration::from_millis(500)),
        lasted: from.map(|_| (Duration::from_secs(12), AgeBasis::Observed)),
        ..testing::transition(tcp(cookie).local(local).remote(remote), 0, from, to)
    }
}

fn into_close_wait() -> Transition {
    transition(1, Some(TcpState::Established), Some(TcpState::CloseWait))
}

/// The end of a connection that no sample has shown.
fn last_words() -> Transition {
    let bytes = Some(ByteCounts::new(42, 1_000_000));
    Transition {
        source: EventSource::DestroyEvent,
        final_counters: Some(FinalCounters { bytes, rtt_us: 1_234, retransmits_total: 3 }),
        skipped: true,
        ..transition(99, Some(TcpState::Established), None)
    }
}

fn gap() -> (Option<HostNumber>, Gap) {
    (None, Gap { from: Timestamp::from_millis(89_000), to: NOW, lost: Some(1_204), of: EventSource::DestroyEvent })
}

fn watch(filter: &str, format: EventFormat) -> WatchOptions {
    WatchOptions { filter: Filter::parse(filter).expect("valid"), format, count: None }
}

fn news<'a>(
    transitions: &'a [Transition],
    gaps: &'a [(Option<HostNumber>, Gap)],
    findings: &'a [Finding],
) -> SampleEvents<'a> {
    SampleEvents { transitions, gaps, findings, left_out: 0 }
}

/// Takes in samples one after the other and gives back what each printed.
fn printed(watch: &WatchOptions, samples: &[SampleEvents<'_>]) -> Vec<String> {
    let (mut stream, store) = (EventStream::new(watch), store());
    let mut print = |news: &SampleEvents<'_>| {
        let mut out = Vec::new();
        stream.write(&store, *news, &mut out).expect("a vector takes all");
        String::from_utf8(out).expect("text")
    };
    samples.iter().map(&mut print).collect()
}

fn all() -> [Transition; 4] {
    [
        into_close_wait(),
        transition(2, None, Some(TcpState::Established)),
        transition(2, Some(TcpState::Established), None),
        last_words(),
    ]
}

#[test]
fn text_is_a_line_for_each_event() {
    let findings = [leak(), descriptors()];
    insta::assert_snapshot!(printed(&watch("", EventFormat::Text), &[news(&all(), &[gap()], &findings)])[0]);
}

#[test]
fn plain_is_a_sentence_without_signs_for_each_event() {
    let findings = [leak(), descriptors()];
    let text = printed(&watch("", EventFormat::Plain), &[news(&all(), &[gap()], &findings)]).concat();
    for sign in ["->", "→", "≥", "  ", "["] {
        assert!(!text.contains(sign), "{sign:?} is read aloud as noise: {text}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn ndjson_is_an_object_for_each_event() {
    let findings = [descriptors()];
    let text = printed(&watch("", EventFormat::Ndjson), &[news(&all(), &[gap()], &findings)]).concat();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().expect("a name")).collect();
    assert_eq!(events, ["gap", "transition", "opened", "closed", "closed", "finding"]);
    let last = &lines[4];
    assert_eq!((&last["rx_bytes"], &last["tx_bytes"]), (&42.into(), &1_000_000.into()));
    assert_eq!((&last["rtt_seconds"], &last["retransmits"]), (&0.001_234.into(), &3.into()));
    assert_eq!((&last["told_by"], &last["state"]), (&"destroy-event".into(), &"ESTABLISHED".into()));
    assert_eq!(lines[1]["at"], "2026-01-01T00:01:29.500Z");
    insta::assert_snapshot!(text);
}

#[test]
fn a_transition_passes_if_its_socket_matches_before_or_after() {
    let leaves = transition(1, Some(TcpState::CloseWait), Some(TcpState::LastAck));
    let other = transition(2, Some(TcpState::Established), Some(TcpState::FinWait1));
    let transitions = [into_close_wait(), leaves, other, last_words()];
    for (filter, lines) in [
        ("state:close-wait", 2),
        ("state:established", 3),
        ("!state:close-wait", 4),
        ("process:jdbc", 2),
        ("lport:80", 2),
        ("state:listen", 0),
    ] {
        let printed = printed(&watch(filter, EventFormat::Text), &[news(&transitions, &[gap()], &[])]);
        assert_eq!(printed[0].lines().count(), lines + 1, "{filter}, and the gap: {printed:?}");
    }
}

#[test]
fn a_finding_is_told_when_it_comes_changes_its_severity_and_goes() {
    let (found, worse) = ([descriptors()], [Finding { severity: Severity::Critical, ..descriptors() }]);
    let samples = [
        news(&[], &[], &found),
        news(&[], &[], &found),
        news(&[], &[], &worse),
        SampleEvents { left_out: 1, ..news(&[], &[], &[]) },
        news(&[], &[], &[]),
        news(&[], &[], &[]),
    ];
    let told = printed(&watch("", EventFormat::Text), &samples);
    let words: Vec<_> = told.iter().map(|line| line.split_whitespace().nth(2).unwrap_or("-")).collect();
    assert_eq!(words, ["found", "-", "changed", "-", "ended", "-"], "{told:?}");
    let told = printed(&watch("process:jdbc", EventFormat::Text), &samples);
    assert_eq!(told.concat(), "", "not about its sockets");
}

#[test]
fn no_more_lines_come_than_were_asked_for() {
    let watch = WatchOptions { count: Some(3), ..watch("", EventFormat::Text) };
    let printed = printed(&watch, &[news(&all(), &[], &[]), news(&all(), &[], &[])]);
    assert_eq!(printed.concat().lines().count(), 3);
    assert_eq!(printed[1], "");
}

#[test]
fn the_end_of_a_connection_or_an_attempt_has_its_outcome_where_that_is_known() {
    use TcpState::{Established, Listen, SynSent, TimeWait};
    let refused = EndReport::Error(SocketError::Refused);
    for (from, to, report, expected) in [
        (Some(SynSent), None, refused, Some("refused")),
        (Some(SynSent), None, EndReport::Error(SocketError::TimedOut), Some("timed-out")),
        (Some(SynSent), None, EndReport::NoError, Some("given-up")),
        (Some(SynSent), None, EndReport::NotReported, None),
        (Some(Established), None, EndReport::Error(SocketError::Reset), Some("reset")),
        (Some(Established), None, EndReport::NoError, Some("reset-here")),
        (Some(Established), None, EndReport::NotReported, None),
        (Some(TimeWait), None, EndReport::NotReported, Some("closed")),
        (Some(Established), Some(TimeWait), EndReport::NotReported, None),
        (Some(Listen), None, EndReport::NoError, None),
        (None, Some(SynSent), EndReport::NotReported, None),
    ] {
        let told = [Transition { report, ..transition(1, from, to) }];
        let json = printed(&watch("", EventFormat::Ndjson), &[news(&told, &[], &[])]).concat();
        let value: serde_json::Value = serde_json::from_str(&json).expect("one line");
        assert_eq!(value["outcome"].as_str(), expected, "{from:?} {to:?} {report:?}");
        let text = printed(&watch("", EventFormat::Text), &[news(&told, &[], &[])]).concat();
        let at_end = text.trim_end().rsplit_once("  outcome ").map(|(_, word)| word);
        assert_eq!(at_end, expected, "{text}");
    }
}

#[test]
fn an_unknown_socket_is_told_as_far_as_it_is_known() {
    let text = printed(&watch("", EventFormat::Ndjson), &[news(&[last_words()], &[], &[])]).concat();
    let value: serde_json::Value = serde_json::from_str(&text).expect("one line");
    for key in ["pid", "process", "user", "inode", "recvq_bytes", "verdict"] {
        assert!(value[key].is_null(), "{key} is not known: {value}");
    }
    assert_eq!(value["cookie"], SocketId::from_cookie(99, tcp(1).build().id.netns()).cookie().expect("given"));
}
