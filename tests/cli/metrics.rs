//! `conntop metrics` as monitoring systems use it: formats, counters, and the file that is replaced.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::{complaints, conntop, ended, run};
use crate::skip::skip;

const RECORDING: &str = "replay:assets/recordings/demo.conntop";

/// Has promtool, of the Debian package prometheus, read `text` and complain; panics where it does.
fn assert_promtool_takes(text: &str) {
    let checked = assert_cmd::Command::new("promtool").args(["check", "metrics"]).write_stdin(text).output();
    let checked = checked.expect("the package prometheus is installed, as .ci/test does");
    let said = format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success() && said.is_empty(), "{said}\n{text}");
}

/// The value of a series; `None` where it is missing.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn promtool_has_nothing_to_complain_of() {
    for arguments in
        [&["--demo"][..], &["--source", RECORDING], &["--all-netns"], &["--every", "0.1", "--count", "1", "--no-trace"]]
    {
        let ended = run(&[&["metrics"], arguments].concat());
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stdout.ends_with("\n# EOF\n"), "{}", ended.stdout);
        assert_promtool_takes(&ended.stdout);
    }
}

#[test]
fn a_recording_is_counted_to_its_end_and_one_live_sample_has_no_counters() {
    let recorded = run(&["metrics", "--source", RECORDING]).stdout;
    assert!(value(&recorded, "conntop_tcp_opened_total").is_some_and(|count| count > 10.0), "{recorded}");
    let left = value(&recorded, "conntop_tcp_transitions_total{from=\"established\",to=\"close_wait\"}");
    assert!(left.is_some_and(|count| count > 0.0), "{recorded}");
    let live = run(&["metrics"]).stdout;
    assert!(!live.contains("_total"), "{live}");
}

#[test]
fn every_writes_by_the_time_of_a_recording_and_counters_only_grow() {
    let ended = run(&["metrics", "--source", RECORDING, "--every", "2"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let texts: Vec<&str> = ended.stdout.split_inclusive("# EOF\n").collect();
    assert!(texts.len() > 2, "{} outputs", texts.len());
    let column = |series: &str| -> Vec<f64> {
        texts.iter().map(|text| value(text, series).unwrap_or_else(|| panic!("{series}: {text}"))).collect()
    };
    let times = column("conntop_snapshot_timestamp_seconds");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 1.8), "{times:?}");
    let opened = column("conntop_tcp_opened_total");
    assert!(opened.is_sorted() && opened[0].abs() < f64::EPSILON && opened.last() > opened.first(), "{opened:?}");
    let seldom = run(&["metrics", "--source", RECORDING, "--every", "60"]).stdout;
    assert_eq!(seldom.matches("# EOF").count(), 1, "the first sample is written at once");
}

#[test]
fn otlp_is_a_line_for_each_sample() {
    let ended = run(&["metrics", "--source", RECORDING, "--every", "3", "--format", "otlp-json", "--count", "2"]);
    assert_eq!((ended.code, ended.stdout.lines().count()), (0, 2), "{}", ended.stderr);
    for line in ended.stdout.lines() {
        let request: Value = serde_json::from_str(line).expect("JSON");
        assert!(request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["name"].is_string());
    }
}

/// What `script` prints, a Python program that reads `input`; `None` where a package that it imports is not installed, which is said.
fn python(imports: &str, script: &str, input: &str) -> Option<String> {
    // .ci/test puts the packages into an environment of their own.
    let python = std::env::var("CONNTOP_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let is_there = Command::new(&python).args(["-c", &format!("import {imports}")]).output();
    if !is_there.is_ok_and(|output| output.status.success()) {
        skip(&format!("Python has no package {imports}"));
        return None;
    }
    let script = format!("import sys, {imports}\n{script}");
    let read = assert_cmd::Command::new(&python).args(["-c", &script]).write_stdin(input).output().expect("it runs");
    assert!(read.status.success(), "{}\n{input}", String::from_utf8_lossy(&read.stderr));
    Some(String::from_utf8(read.stdout).expect("UTF-8"))
}

/// The reference parser judges that the text is `OpenMetrics`, which `promtool` does not.
#[test]
fn the_reference_parser_reads_it() {
    const READ: &str = "
families = list(prometheus_client.openmetrics.parser.text_string_to_metric_families(sys.stdin.read()))
print(len(families), sum(len(family.samples) for family in families))
";
    for arguments in [&["--source", RECORDING][..], &["--demo", "--every", "0.1", "--count", "1"]] {
        let text = run(&[&["metrics"], arguments].concat()).stdout;
        let Some(printed) = python("prometheus_client.openmetrics.parser", READ, &text) else { return };
        let samples = text.lines().filter(|line| !line.starts_with('#')).count();
        let families = text.matches("# HELP ").count();
        assert_eq!(printed.trim(), format!("{families} {samples}"));
    }
}

/// The proto3 JSON mapping itself judges, by the published definitions (`opentelemetry-proto` of `PyPI`).
#[test]
fn otlp_is_read_by_the_published_definitions() {
    const READ: &str = "
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest as Request
request = json_format.Parse(sys.stdin.read(), Request())
metrics = request.resource_metrics[0].scope_metrics[0].metrics
points = [(metric.name, point) for metric in metrics for point in getattr(metric, metric.WhichOneof('data')).data_points]
assert len(metrics) > 10 and all(point.time_unix_nano > 10**18 and point.WhichOneof('value') for _, point in points)
opened = [metric for metric in metrics if metric.name == 'conntop.tcp.opened'][0].sum
assert opened.is_monotonic and opened.aggregation_temporality == 2 and opened.data_points[0].start_time_unix_nano > 10**18
count = [metric for metric in metrics if metric.name == 'system.network.connection.count'][0].sum
assert not count.is_monotonic and count.data_points[0].start_time_unix_nano == 0
print(len(points))
";
    let line = run(&["metrics", "--source", RECORDING, "--format", "otlp-json"]).stdout;
    let Some(printed) = python("opentelemetry.proto, google.protobuf", READ, &line) else { return };
    let points: usize = printed.trim().parse().expect("a number");
    assert!(points > 50, "{points}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("readable");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("an entry").file_name().display().to_string()).collect();
    names.sort();
    names
}

#[test]
fn the_file_is_replaced_as_a_whole_and_nothing_is_printed() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("conntop.prom");
    fs::write(&path, "old\n").expect("written");
    let output = path.to_str().expect("UTF-8");
    let ended = run(&["metrics", "--source", RECORDING, "--output", output]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
    assert!(fs::read_to_string(&path).expect("there").ends_with("# EOF\n"));
    assert_eq!(names(folder.path()), ["conntop.prom"]);
}

#[test]
fn a_file_that_cannot_be_written_is_one_sentence_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a directory");
    let in_the_way = folder.path().join("a.prom");
    fs::create_dir(&in_the_way).expect("a directory of that name");
    for path in [in_the_way, folder.path().join("no/such/a.prom")] {
        for every in [&[][..], &["--every", "1"]] {
            let output = ["--output", path.to_str().expect("UTF-8")];
            let ended = run(&[&["metrics", "--source", RECORDING], &output[..], every].concat());
            assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{}", ended.stderr);
            assert_eq!(ended.stderr.matches("cannot write").count(), 1, "said once: {}", ended.stderr);
        }
    }
    assert_eq!(names(folder.path()), ["a.prom"]);
}

#[test]
fn wrong_use_is_one_sentence_and_exit_code_2() {
    for (arguments, part) in [
        (&["--format", "prometheus"][..], "openmetrics and otlp-json"),
        (&["--every", "0"], "0.1 to 3600"),
        (&["--every", "soon"], "0.1 to 3600"),
        (&["--count", "3"], "--every"),
        (&["--for", "3"], "--every"),
        (&["--output", "/dev/null"], "/dev"),
        (&["--output", "/"], "no name of a file"),
    ] {
        let ended = run(&[&["metrics"], arguments].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(part) && ended.stderr.lines().count() == 1, "{arguments:?}: {}", ended.stderr);
    }
}

/// A service manager ends it by SIGTERM: that is no failure, and no unfinished file is left.
#[cfg(unix)]
#[test]
fn sigterm_ends_it_in_good_order() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("conntop.prom");
    let program = assert_cmd::cargo::cargo_bin("conntop");
    let mut child = Command::new(program)
        .args(["metrics", "--demo", "--every", "0.1", "--output", path.to_str().expect("UTF-8")])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !path.exists() {
        assert!(std::time::Instant::now() < deadline, "it writes nothing");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    let output = child.wait().expect("it ends");
    assert_eq!(output.code(), Some(0));
    assert_eq!(names(folder.path()), ["conntop.prom"]);
}

/// A directory that is not there yet is said once, and when it is there the file comes without a new start.
#[cfg(unix)]
#[test]
fn a_file_that_can_be_written_again_is_said_once_too() {
    let folder = tempfile::tempdir().expect("a directory");
    let path = folder.path().join("later/conntop.prom");
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("conntop"))
        .args(["metrics", "--demo", "--every", "0.1", "--output", path.to_str().expect("UTF-8")])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut said = std::io::BufReader::new(child.stderr.take().expect("piped"));
    let mut line = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut said, &mut line).expect("a line");
        line
    };
    let first = line();
    assert!(first.contains("cannot write") && first.ends_with("trying again\n"), "{first}");
    fs::create_dir(path.parent().expect("a directory")).expect("made");
    let second = line();
    assert!(second.ends_with("the file can be written again\n"), "{second}");
    assert!(fs::read_to_string(&path).expect("there").ends_with("# EOF\n"));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM)
        .expect("ours");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(line(), "", "nothing else was said");
}

/// In a locale without UTF-8 two names that differ must not become one series.
#[test]
fn the_locale_changes_nothing() {
    let of = |locale: &str| ended(conntop().env("LC_ALL", locale).args(["metrics", "--source", RECORDING]));
    let (plain, utf8) = (of("C"), of("C.UTF-8"));
    assert_eq!(plain.stdout, utf8.stdout);
    assert_eq!(complaints(plain.stderr.as_bytes()), Vec::<String>::new());
}
