//! Metrics of hand-made stores, read back as a strict reader of `OpenMetrics` reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::catalog::{METRICS, MetricKind};
use super::*;
use crate::diagnosis::finding::Finding;
use crate::model::delta::{Delta, EventSource, Gap, Transition};
use crate::model::descriptors::Descriptors;
use crate::model::facts::{Facts, PortRange};
use crate::model::outcome::{EndReport, SocketError};
use crate::model::process::{Process, ProcessId};
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::model::testing::{BOOT, connection, listener, process, source_info, tcp, transition, udp};
use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};
use crate::report::findings::testing::{NOW, leak, store};
use crate::store::Store;

/// A store whose only sample, taken 90 s after boot, has these sockets.
fn store_of(sockets: impl IntoIterator<Item = Socket>) -> Store {
    let mut store = Store::new(source_info());
    store.apply(delta_of(sockets));
    store
}

fn delta_of(sockets: impl IntoIterator<Item = Socket>) -> Delta {
    let added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
    Delta { at: NOW, wall: WallTime(BOOT.0 + 90_000), added, ..Delta::default() }
}

fn text_of(store: &Store, findings: &[Finding]) -> String {
    let mut collector = MetricsCollector::new(true);
    collector.note(store, &[], &[]);
    MetricsFormat::OpenMetrics.text(&collector.sample(store, findings))
}

/// The series and their values, read as `OpenMetrics` and as the older format say; panics where one of them forbids the text.
fn parsed(text: &str) -> BTreeMap<String, f64> {
    let body = text.strip_suffix("# EOF\n").expect("the last line");
    assert!(!body.contains("# EOF"));
    let (mut series, mut families, mut family) = (BTreeMap::new(), BTreeSet::new(), "");
    let mut metadata = Vec::new();
    for line in body.lines() {
        if let Some(about) = line.strip_prefix("# ") {
            let mut words = about.splitn(3, ' ');
            let (keyword, name, value) = (words.next(), words.next().expect("a name"), words.next().expect("a value"));
            if name != family {
                assert!(families.insert(name), "{name} is interleaved");
                (family, metadata) = (name, Vec::new());
            }
            let keyword = keyword.expect("a keyword");
            assert!(["HELP", "TYPE", "UNIT"].contains(&keyword) && !metadata.contains(&keyword), "{line}");
            assert!(keyword != "TYPE" || value == "gauge", "{line}");
            assert!(keyword != "UNIT" || name.ends_with(&format!("_{value}")), "{line}");
            metadata.push(keyword);
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect("a value");
        assert_eq!(name.split('{').next(), Some(family), "{line}");
        assert_labels(name);
        let value = value.parse().expect("a number");
        assert!(series.insert(name.to_owned(), value).is_none(), "{name} stands twice");
    }
    series
}

fn assert_labels(series: &str) {
    let Some((_, labels)) = series.split_once('{') else { return };
    let mut rest = labels.strip_suffix('}').expect("closed");
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").expect("a value");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{series}");
        let mut end = None;
        let mut characters = value.char_indices();
        while let Some((at, character)) = characters.next() {
            assert!(!character.is_control(), "{series}");
            match character {
                '\\' => assert!(matches!(characters.next(), Some((_, '\\' | '"' | 'n'))), "{series}"),
                '"' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        rest = value[end.expect("closed") + 1..].trim_start_matches(',');
    }
}

fn named(pid: u32, name: &[u8]) -> Arc<Process> {
    Arc::new(Process { name: DisplayText::name(name), ..(*process(pid, "x")).clone() })
}

#[test]
fn states_processes_queues_and_findings_are_told() {
    let text = text_of(&store(), &[leak()]);
    let series = parsed(&text);
    for (name, value) in [
        ("conntop_snapshot_timestamp_seconds", 1_767_225_690.0),
        ("conntop_tcp_connections{state=\"close_wait\",family=\"ipv4\"}", 1.0),
        ("conntop_tcp_connections{state=\"listen\",family=\"ipv6\"}", 0.0),
        ("conntop_process_tcp_connections{process=\"jdbc|pool\",state=\"close_wait\"}", 1.0),
        ("conntop_process_tcp_connections{process=\"nginx\",state=\"listen\"}", 1.0),
        ("conntop_listen_backlog_connections{address=\"0.0.0.0\",port=\"80\"}", 0.0),
        ("conntop_listen_backlog_limit{address=\"0.0.0.0\",port=\"80\"}", 128.0),
        ("conntop_findings{rule=\"close-wait-leak\",severity=\"critical\"}", 1.0),
        ("conntop_event_source_active{source=\"tracepoint\"}", 0.0),
        ("conntop_tcp_transitions_total{from=\"established\",to=\"close_wait\"}", 0.0),
    ] {
        assert_eq!(series.get(name), Some(&value), "{name}\n{text}");
    }
    assert!(text.contains("# HELP conntop_findings What conntop check"), "{text}");
    assert!(text.contains("# TYPE conntop_findings gauge\n"), "{text}");
}

#[test]
fn without_a_second_sample_there_are_no_counters() {
    let text = MetricsFormat::OpenMetrics.text(&MetricsCollector::new(false).sample(&store(), &[]));
    assert!(!text.contains("_total") && !text.contains("event_source"), "{text}");
    parsed(&text);
}

#[test]
fn whatever_a_process_calls_itself_the_text_stays_valid_and_short() {
    let long = vec![b'x'; 10_000];
    let names: [&[u8]; 8] =
        [b"a\"b", b"back\\slash", b"line\nbreak", b"\xff\xfe", b"", b"\x1b[2J", &long, "caf\u{e9} \u{202e}".as_bytes()];
    let sockets = names.iter().zip(1..).map(|(name, at)| tcp(at).held_by(&[named(100, name)]).build());
    let store = store_of(sockets);
    let text = text_of(&store, &[]);
    let series = parsed(&text);
    let of_processes: Vec<_> =
        series.keys().filter(|name| name.starts_with("conntop_process_tcp_connections")).collect();
    assert_eq!(of_processes.len(), names.len(), "{of_processes:?}");
    assert!(text.contains("process=\"a\\\"b\"") && text.contains("process=\"back\\\\slash\""), "{text}");
    assert!(text.lines().all(|line| line.len() < 400), "{text}");
}

/// Names that are cut to the same text are one series, which holds all of them: a series that stands twice would break the scrape.
#[test]
fn long_names_that_begin_alike_are_one_series() {
    let name = |end: u8| DisplayText::from_bytes(&[vec![b'x'; 10_000], vec![end]].concat(), 20_000);
    let holder = |pid, end| Arc::new(Process { name: name(end), ..(*process(pid, "x")).clone() });
    let sockets = [(1, b'a'), (2, b'b')].map(|(pid, end)| tcp(u64::from(pid)).held_by(&[holder(pid, end)]).build());
    let series = parsed(&text_of(&store_of(sockets), &[]));
    let of_processes: Vec<_> =
        series.iter().filter(|(name, _)| name.starts_with("conntop_process_tcp_connections")).collect();
    assert_eq!(of_processes.len(), 1, "{of_processes:?}");
    assert_eq!(of_processes[0].1.to_string(), "2");
}

proptest! {
    #[test]
    fn no_names_make_the_text_invalid(names: Vec<Vec<u8>>) {
        let sockets = names.iter().zip(1..).map(|(name, at)| tcp(at).held_by(&[named(100, name)]).build());
        let series = parsed(&text_of(&store_of(sockets), &[]));
        let all = series["conntop_tcp_connections{state=\"established\",family=\"ipv4\"}"].to_string();
        prop_assert_eq!(all, names.len().to_string());
    }
}

#[test]
fn ten_thousand_names_ports_and_destinations_have_a_bounded_number_of_series() {
    let states = [TcpState::Established, TcpState::CloseWait, TcpState::FinWait2, TcpState::SynSent];
    let mut sockets: Vec<Socket> = (0..10_000_u32)
        .flat_map(|nth| {
            // Names and paths that are as long and as dear to write as can be.
            let owner = named(1_000 + nth, format!("{nth:05}{}", "\\".repeat(80)).as_bytes());
            let of_state = move |at: u32| {
                tcp(u64::from(nth * 4 + at))
                    .local(&format!("10.0.0.1:{}", 32_768 + nth % 20_000))
                    .remote(&format!("[2001:db8:1234:5678:9abc:def0:1234:{:x}]:44300", nth % 100))
                    .state(states[at as usize])
                    .held_by(std::slice::from_ref(&owner))
                    .build()
            };
            (0..4).map(of_state)
        })
        .collect();
    sockets.extend((0..2_000_u16).map(|port| listener(100_000 + u64::from(port), 1 + port).queues(1, 128).build()));
    let mut delta = delta_of(sockets);
    let used = |pid| Descriptors { used: 500, max: Some(1_024), ..Descriptors { used: pid, ..Descriptors::default() } };
    let holders = (1_000..11_000).map(|pid| (ProcessId { pid, start_ticks: u64::from(pid) * 100 }, used(pid)));
    delta.descriptors = Arc::new(holders.collect());
    let range = PortRange { first: 32_768, last: 60_999 };
    delta.facts = Arc::new(Facts { ephemeral_ports: Some(range), ..Facts::default() });
    let mut store = Store::new(source_info());
    store.apply(delta);
    let text = text_of(&store, &[leak()]);
    let series = parsed(&text);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in series.keys() {
        *counts.entry(name.split('{').next().expect("a name")).or_default() += 1;
    }
    for row in &METRICS {
        let count = counts.get(row.prometheus).copied().unwrap_or_default();
        assert!((1..=row.series_max).contains(&count), "{}: {count}", row.prometheus);
    }
    assert_eq!(counts["conntop_process_tcp_connections"], 21 * 4, "20 names and the rest, in four states");
    assert_eq!(counts["conntop_process_open_descriptors"], 21);
    assert_eq!(counts["conntop_listen_backlog_connections"], 51);
    assert_eq!(counts["conntop_ephemeral_ports_used_ratio"], 5);
    let sum: f64 = series
        .iter()
        .filter(|(name, _)| name.starts_with("conntop_process_tcp_connections"))
        .map(|(_, value)| value)
        .sum();
    assert!((sum - 40_000.0).abs() < f64::EPSILON, "nothing is lost in the rest: {sum}");
    assert!(text.len() < 64 * 1024, "{} bytes", text.len());
    assert!(series.len() < 500, "{} series", series.len());
}

#[test]
fn no_pid_and_no_address_is_in_a_series_of_processes() {
    let text = text_of(&store(), &[]);
    for line in text.lines().filter(|line| line.starts_with("conntop_process")) {
        assert!(!line.contains("812") && !line.contains("4121") && !line.contains("10."), "{line}");
    }
}

#[test]
fn a_process_called_other_is_summed_with_the_rest() {
    let sockets = (0..30_u32).map(|nth| {
        let name = if nth == 0 { "other".to_owned() } else { format!("p{nth}") };
        tcp(u64::from(nth)).held_by(&[named(100 + nth, name.as_bytes())]).build()
    });
    let series = parsed(&text_of(&store_of(sockets), &[]));
    let other = "conntop_process_tcp_connections{process=\"other\",state=\"established\"}";
    assert_eq!(series.get(other), Some(&10.0), "nine that found no place, and the one of that name");
}

fn ended(from: TcpState, report: EndReport) -> Transition {
    Transition { report, ..transition(tcp(1), 80_000, Some(from), None) }
}

#[test]
fn counters_add_up_what_every_sample_told_and_an_output_that_was_missed_loses_nothing() {
    use TcpState::{CloseWait, Established, LastAck, Listen, SynSent};
    let store = store();
    let mut collector = MetricsCollector::new(true);
    let gap = |lost, of| Gap { from: Timestamp(0), to: NOW, lost, of };
    collector.note(&store, &[transition(tcp(1), 1, None, Some(Established))], &[]);
    collector.note(
        &store,
        &[
            transition(tcp(1), 2, Some(Established), Some(CloseWait)),
            transition(tcp(2), 2, Some(Established), Some(CloseWait)),
            transition(listener(3, 80), 2, None, Some(Listen)),
            transition(udp(4, 53), 2, None, Some(Established)),
            ended(LastAck, EndReport::NotReported),
            ended(Established, EndReport::Error(SocketError::Reset)),
            ended(SynSent, EndReport::Error(SocketError::TimedOut)),
            ended(SynSent, EndReport::Error(SocketError::Refused)),
            ended(Established, EndReport::NotReported),
            ended(Listen, EndReport::NotReported),
        ],
        &[gap(Some(7), EventSource::Tracepoint), gap(None, EventSource::DestroyEvent), gap(None, EventSource::Samples)],
    );
    let series = parsed(&MetricsFormat::OpenMetrics.text(&collector.sample(&store, &[])));
    for (name, value) in [
        ("conntop_tcp_transitions_total{from=\"established\",to=\"close_wait\"}", 2.0),
        ("conntop_tcp_opened_total", 1.0),
        ("conntop_tcp_closed_total{reason=\"fin\"}", 1.0),
        ("conntop_tcp_closed_total{reason=\"reset\"}", 2.0),
        ("conntop_tcp_closed_total{reason=\"timeout\"}", 1.0),
        ("conntop_tcp_closed_total{reason=\"unknown\"}", 1.0),
        ("conntop_events_lost_total", 8.0),
    ] {
        assert_eq!(series.get(name), Some(&value), "{name}");
    }
}

#[test]
fn buckets_hold_the_sockets_before_them_and_what_is_not_known_is_in_none() {
    use crate::model::delta::{AgeBasis, Since};
    let mut delta = delta_of((1..=4).map(|cookie| tcp(cookie).build()));
    for (row, at) in delta.added.iter_mut().zip([89_500, 80_000, 0]) {
        row.state_since = Some(Since { at: Timestamp::from_millis(at), basis: AgeBasis::Kernel });
    }
    let mut store = Store::new(source_info());
    store.apply(delta);
    let series = parsed(&text_of(&store, &[]));
    let bucket = |le: &str| {
        series[&format!("conntop_tcp_state_age_seconds_bucket{{state=\"established\",le=\"{le}\"}}")].to_string()
    };
    assert_eq!(["1.0", "10.0", "60.0", "300.0", "+Inf"].map(bucket), ["1", "2", "2", "3", "3"]);
    assert_eq!(series["conntop_tcp_state_age_seconds_count{state=\"established\"}"].to_string(), "3");
    assert_eq!(series["conntop_tcp_state_age_seconds_sum{state=\"established\"}"].to_string(), "100.5");
}

#[test]
fn ports_in_time_wait_count_unless_they_may_be_reused() {
    let used = |reuse: u8| {
        let sockets = (0..4_u64).map(|at| {
            let socket = tcp(at).local(&format!("10.0.0.1:{}", 40_000 + at)).remote("10.0.0.9:443");
            if at == 0 { socket.mini(TcpState::TimeWait).build() } else { socket.build() }
        });
        let mut delta = delta_of(sockets);
        let range = PortRange { first: 40_000, last: 40_007 };
        let facts = Facts { ephemeral_ports: Some(range), time_wait_reuse: Some(reuse), ..Facts::default() };
        delta.facts = Arc::new(facts);
        let mut store = Store::new(source_info());
        store.apply(delta);
        parsed(&text_of(&store, &[]))["conntop_ephemeral_ports_used_ratio{destination=\"10.0.0.9:443\"}"]
    };
    assert_eq!((used(0), used(1)), (0.5, 0.375));
}

#[test]
fn otlp_follows_the_json_mapping_and_the_semantic_conventions() {
    let (store, mut collector) = (store(), MetricsCollector::new(true));
    collector.note(&store, &[], &[]);
    let line = MetricsFormat::OtlpJson.text(&collector.sample(&store, &[leak()]));
    assert_eq!(line.matches('\n').count(), 1);
    let request: Value = serde_json::from_str(&line).expect("JSON");
    let resource = &request["resourceMetrics"][0];
    assert_eq!(resource["resource"]["attributes"][0]["key"], "host.name");
    assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "test-host");
    let scope = &resource["scopeMetrics"][0];
    assert_eq!((&scope["scope"]["name"], scope["scope"]["version"].is_string()), (&Value::from("conntop"), true));
    let metrics = scope["metrics"].as_array().expect("a list");
    let names: BTreeSet<_> = metrics.iter().map(|metric| metric["name"].as_str().expect("text")).collect();
    assert_eq!(names.len(), metrics.len(), "a name is one metric");
    let find = |name: &str| metrics.iter().find(|metric| metric["name"] == name).expect(name);
    let count = &find("system.network.connection.count")["sum"];
    assert_eq!((&count["aggregationTemporality"], &count["isMonotonic"]), (&Value::from(2), &Value::from(false)));
    let states: BTreeSet<_> = count["dataPoints"]
        .as_array()
        .expect("points")
        .iter()
        .flat_map(|point| point["attributes"].as_array().expect("attributes"))
        .filter(|attribute| attribute["key"] == "network.connection.state")
        .map(|attribute| attribute["value"]["stringValue"].as_str().expect("text"))
        .collect();
    for state in ["close_wait", "fin_wait_1", "fin_wait_2", "syn_received", "closed", "time_wait"] {
        assert!(states.contains(state), "{state}: {states:?}");
    }
    let point = &find("conntop.tcp.opened")["sum"]["dataPoints"][0];
    assert_eq!(point["asInt"], "0", "64-bit integers are strings");
    assert_eq!(point["timeUnixNano"], "1767225690000000000");
    assert_eq!(point["startTimeUnixNano"], "1767225690000000000");
    assert_eq!(find("conntop.tcp.opened")["sum"]["isMonotonic"], true);
    assert!(find("conntop.findings")["sum"]["dataPoints"][0]["startTimeUnixNano"].is_null());
}

#[test]
fn every_kind_is_written_as_what_it_is() {
    let text = text_of(&store(), &[leak()]);
    for row in &METRICS {
        let has_type = text.contains(&format!("# TYPE {} ", row.prometheus));
        let is_gauge = matches!(row.kind, MetricKind::Gauge | MetricKind::UpDownCounter);
        let is_there = text.contains(&format!("# HELP {} ", row.prometheus));
        assert_eq!(has_type, is_gauge && is_there, "{}", row.prometheus);
    }
}
