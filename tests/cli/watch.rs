//! `conntop watch` as scripts use it: line by line, until there is a reason to end.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::program::{complaints, conntop, ended, run};
use crate::readable::readable;

const RECORDING: &str = "replay:assets/recordings/demo.conntop";

fn events(arguments: &[&str]) -> Vec<Value> {
    let ended = run(&[&["watch", "--format", "ndjson"], arguments].concat());
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    ended.stdout.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
}

#[test]
fn a_recording_is_told_to_its_end_the_same_way_every_time() {
    let first = run(&["watch", "--source", RECORDING]);
    assert_eq!((first.code, first.stderr.as_str()), (0, ""));
    for event in ["  opened      ", "  closed      ", "  transition  "] {
        assert!(first.stdout.contains(event), "{event}: {}", first.stdout);
    }
    assert_eq!(run(&["watch", "--source", RECORDING]).stdout, first.stdout);
}

#[test]
fn the_first_lines_of_a_recording_stay_as_they_are() {
    // Findings speak for themselves where they are made.
    let changes = |text: String, count: usize| {
        text.lines().filter(|line| !line.contains("finding")).take(count).collect::<Vec<_>>().join("\n")
    };
    let text = run(&["watch", "--source", RECORDING, "lport:80 or lport:443 or state:close-wait"]);
    insta::assert_snapshot!("text", changes(text.stdout, 12));
    let json = run(&["watch", "--source", RECORDING, "--format", "ndjson", "state:close-wait"]);
    insta::assert_snapshot!("ndjson", readable(&changes(json.stdout, 2)));
}

#[test]
fn a_filter_passes_what_comes_in_and_what_goes_out() {
    let mut into = 0;
    for event in events(&["--source", RECORDING, "state:close-wait"]) {
        if event["event"] == "finding" {
            continue;
        }
        assert!(event["from"] == "CLOSE_WAIT" || event["to"] == "CLOSE_WAIT", "{event}");
        into += u32::from(event["to"] == "CLOSE_WAIT");
    }
    assert!(into > 0);
}

#[test]
fn events_come_in_the_order_of_their_samples() {
    let events = events(&["--demo", "--for", "4", "--interval", "0.1"]);
    let transitions = events.iter().filter(|event| event["event"] != "finding");
    // A socket is only known to be gone a sample later: it is dated back.
    let times: Vec<&str> =
        transitions.filter(|event| event["event"] != "closed").filter_map(|event| event["at"].as_str()).collect();
    assert!(times.len() > 10 && times.is_sorted(), "{times:?}");
}

#[test]
fn count_is_a_number_of_lines() {
    for count in ["1", "7"] {
        let ended = run(&["watch", "--demo", "--interval", "0.1", "--count", count]);
        assert_eq!((ended.code, ended.stdout.lines().count().to_string()), (0, count.to_owned()));
    }
}

#[test]
fn time_ends_it_as_the_samples_count_it() {
    let events = events(&["--source", RECORDING, "--for", "2"]);
    let all = self::events(&["--source", RECORDING]);
    assert!(!events.is_empty() && events.len() < all.len());
    assert_eq!(events[..], all[..events.len()]);
}

#[test]
fn wrong_use_is_one_sentence_and_exit_code_2() {
    for (arguments, part) in [
        (&["watch", "--format", "json"][..], "did you mean 'ndjson'?"),
        (&["watch", "--format", "xml"], "there are text and ndjson"),
        (&["watch", "--count", "-1"], "whole number"),
        (&["watch", "--for", "soon"], "write a time, such as 30"),
        (&["watch", "state:close-wiat"], "did you mean 'close-wait'?"),
        (&["wathc"], "did you mean 'watch'?"),
    ] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ended.stderr.contains(part) && ended.stderr.lines().count() == 1, "{}", ended.stderr);
    }
}

#[test]
fn an_empty_environment_is_enough() {
    let bare = ended(conntop().env_clear().args(["watch", "--source", RECORDING]));
    assert_eq!((bare.code, bare.stdout), (0, run(&["watch", "--source", RECORDING]).stdout));
}

fn started(arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("conntop"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    (child, stdout)
}

fn line(stdout: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    line
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let (child, mut stdout) = started(&["watch", "--demo", "--interval", "0.1"]);
    assert!(line(&mut stdout).ends_with('\n'));
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), complaints(&output.stderr)), (Some(0), vec![]));
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_is_noticed_while_nothing_happens() {
    let (child, stdout) = started(&["watch", "--demo", "--interval", "0.1", "pid:4000000000"]);
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), complaints(&output.stderr)), (Some(0), vec![]));
}

#[cfg(unix)]
#[test]
fn signals_end_it_between_two_lines() {
    use std::io::Read;
    use std::os::unix::process::ExitStatusExt;

    use rustix::process::{Pid, Signal, kill_process};
    for (signal, ending) in [(Signal::INT, (Some(0), None)), (Signal::TERM, (None, Some(Signal::TERM.as_raw())))] {
        let (mut child, mut stdout) = started(&["watch", "--demo", "--interval", "0.1", "--format", "ndjson"]);
        let _ = line(&mut stdout);
        kill_process(Pid::from_child(&child), signal).expect("it is ours");
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).expect("the rest");
        let status = child.wait().expect("it ends");
        assert_eq!((status.code(), status.signal()), ending);
        assert!(rest.is_empty() || rest.ends_with("}\n"), "no torn line: {rest:?}");
    }
}

/// A reader that stands still stops neither the samples nor Ctrl-C, and what it reads later is whole and in order.
#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_stands_still_stops_nothing() {
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use rustix::process::{Pid, Signal, kill_process};
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let filter = format!("port:{} !state:listen", address.port());
    let (mut child, mut stdout) = started(&["watch", "--format", "ndjson", "--interval", "0.1", &filter]);
    let deadline = Instant::now() + Duration::from_secs(60);
    let waiting = |stdout: &BufReader<ChildStdout>| rustix::io::ioctl_fionread(stdout.get_ref()).expect("a pipe");
    let mut held = Vec::new();
    // More than a pipe holds.
    let mut before = 0;
    while before == 0 || waiting(&stdout) > before {
        assert!(Instant::now() < deadline, "{before} bytes");
        before = waiting(&stdout);
        held.extend((0..100).map(|_| (TcpStream::connect(address), listener.accept())));
        std::thread::sleep(Duration::from_millis(400));
    }
    assert!(before > 40_000, "the pipe is full at {before} bytes");
    let first = line(&mut stdout);
    assert!(first.ends_with("}\n"), "{first}");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it is ours");
    while child.try_wait().expect("ours").is_none() {
        assert!(Instant::now() < deadline, "Ctrl-C is not heard");
        std::thread::sleep(Duration::from_millis(20));
    }
    let whole: Vec<String> = stdout.lines().map_while(Result::ok).collect();
    let events = whole.iter().map(|line| serde_json::from_str::<Value>(line).expect("a whole line"));
    assert!(events.filter(|event| event["event"] == "opened").count() > 10);
}

/// Until the first sample is taken there is no before, and on a busy machine it is told that something was lost: connections
/// are opened and closed until two events of them have been told.
#[cfg(target_os = "linux")]
#[test]
fn a_connection_of_this_test_is_seen_from_start_to_end() {
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let filter = format!("lport:{port} !state:listen");
    let (mut child, mut stdout) = started(&["watch", "--interval", "0.1", "--format", "ndjson", &filter]);
    let reader = std::thread::spawn(move || {
        let mut told: Vec<Value> = Vec::new();
        while told.len() < 2 {
            let event: Value = serde_json::from_str(&line(&mut stdout)).expect("JSON");
            if event["event"] != "gap" {
                told.push(event);
            }
        }
        told
    });
    let deadline = Instant::now() + Duration::from_secs(60);
    while !reader.is_finished() && Instant::now() < deadline {
        let client = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        let (server, _) = listener.accept().expect("a client");
        std::thread::sleep(Duration::from_millis(300));
        drop(client);
        std::thread::sleep(Duration::from_millis(300));
        drop(server);
    }
    if !reader.is_finished() {
        child.kill().expect("it is ours");
    }
    for event in reader.join().expect("two events within a minute") {
        assert_eq!((&event["lport"], &event["proto"]), (&port.into(), &"tcp".into()), "{event}");
    }
    assert!(child.wait().expect("it ends").success(), "its reader has seen enough");
}
