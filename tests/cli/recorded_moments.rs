//! `--at TIME`: a command shows a moment of a recording as if the recording ended there.

use std::path::{Path, PathBuf};

use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::text::DisplayText;
use conntop::model::time::WallTime;
use conntop::source::record::Writer;
use conntop::source::record::header::{Header, RecorderRun};
use conntop::source::replay::Replay;
use conntop::source::synthetic::Synthetic;
use conntop::source::{Pace, Source};
use conntop::tracker::{Tracker, Tracking};

use crate::program::{Ended, run};

/// A recording of the made-up server: so many seconds of it.
fn record(path: &Path, seconds: usize) {
    let mut source = Synthetic::new(3);
    let run = RecorderRun { begun: WallTime(0), number: 1 };
    let header = Header::new(source.info(), DisplayText::default(), run);
    let mut writer = Writer::new(std::fs::File::create(path).expect("a file"), header).expect("a header");
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    for _ in 0..seconds {
        let mut sink = Tracking { tracker: &mut tracker, snapshot: &mut snapshot };
        source.sample(&Needs::default(), &mut sink).expect("it never fails");
        writer.write(&tracker.finish(&mut snapshot), &[]).expect("it can be recorded");
    }
    writer.finish().expect("an end");
}

fn text(ended: Ended) -> (i32, String, String) {
    (ended.code, ended.stdout, ended.stderr)
}

/// The lines in one order, without what divides them.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches(',')).collect();
    lines.sort_unstable();
    lines
}

fn source(path: &Path) -> String {
    format!("replay:{}", path.display())
}

fn recorded(directory: &Path, seconds: usize) -> PathBuf {
    let path = directory.join(format!("{seconds}.conntop"));
    record(&path, seconds);
    path
}

#[test]
fn a_moment_is_shown_as_the_end_of_a_recording_that_ends_there() {
    let directory = tempfile::tempdir().expect("a directory");
    let whole = source(&recorded(directory.path(), 150));
    for seconds in [0, 1, 59, 60, 61, 100, 149] {
        let until = source(&recorded(directory.path(), seconds + 1));
        let at = format!("+{seconds}s");
        for command in [
            &["list", "--format", "json"][..],
            &["list", "--group-by", "process,state", "--format", "json"],
            &["check", "--format", "json"],
            &["ports", "--format", "json"],
            &["netstat", "-ano"],
        ] {
            let with = |rest: &[&str]| text(run(&[command, rest].concat()));
            let shown = with(&["--source", &whole, "--at", &at]);
            let expected = with(&["--source", &until]);
            // Rows that sort alike stand in the order in which they were learnt.
            assert_eq!(lines(&shown.1), lines(&expected.1), "{command:?} at {at}");
            assert_eq!((shown.0, &shown.2), (expected.0, &expected.2), "{command:?} at {at}");
            assert!(!shown.1.is_empty(), "{command:?}: {}", shown.2);
        }
    }
}

#[test]
fn what_follows_a_moment_is_watched_from_there_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = recorded(directory.path(), 100);
    let events = |rest: &[&str]| {
        let source = source(&path);
        let words = [&["watch", "--format", "ndjson", "--source", &source], rest].concat();
        let (code, out, said) = text(run(&words));
        assert_eq!(code, 0, "{said}");
        out.lines().filter(|line| !line.contains("\"finding\"")).map(str::to_owned).collect::<Vec<_>>()
    };
    let (all, later) = (events(&[]), events(&["--at", "+50s"]));
    assert!(!later.is_empty() && later.len() < all.len());
    assert!(all.ends_with(&later), "the same events, without those before");
}

#[test]
fn a_time_that_is_none_is_wrong_use_and_one_outside_is_answered_with_what_there_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let recording = source(&recorded(directory.path(), 3));
    for (words, code, sentence) in [
        (
            &["list", "--at", "14:05"][..],
            2,
            "--at names a moment of a recording; name the recording with --source replay:FILE",
        ),
        (&["check", "--demo", "--at", "-5s"], 3, "--at names a moment of a recording"),
        (&["list", "--source", &recording, "--at", "noon"], 2, "'noon' is no time; write 14:05"),
        (&["list", "--source", &recording, "--at", "+9s"], 1, "+9s is outside of what is recorded: "),
        (&["ports", "--source", &recording, "--at", "2020-01-31 14:05"], 1, "is outside of what is recorded: "),
    ] {
        let (exit, out, said) = text(run(words));
        assert_eq!(exit, code, "{words:?}: {said}");
        assert!(said.contains(sentence), "{words:?}: {said}");
        assert!(out.is_empty() || words[0] == "check", "{out}");
    }
}

#[test]
fn a_recording_of_an_older_format_is_read_up_to_the_moment() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/recording_v5.conntop");
    let mut replay = Replay::open(&path).expect("a recording");
    let mut snapshot = Snapshot::default();
    let mut count = 0;
    while replay.sample(&Needs::default(), &mut snapshot).expect("a sample") != Pace::Last && count < 5 {
        count += 1;
    }
    let sockets = |at: &str| {
        let (code, out, said) = text(run(&["list", "--count-only", "--source", &source(&path), "--at", at]));
        assert_eq!(code, 0, "{said}");
        out.trim().parse::<usize>().expect("a number")
    };
    assert_eq!(sockets("+5s"), snapshot.sockets.len());
    assert!(sockets("+0s") > 0);
}
