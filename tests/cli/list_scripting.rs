//! `conntop list` in scripts: it waits for sockets that this test makes, prints a list anew when they change, and ends
//! as shells expect. Every test has an address of its own on the loopback network, so that no other socket matches.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::program;
use crate::program::{conntop, run};
use crate::skip::skip;

/// Far longer than anything takes: only what would never come ends by it.
const NEVER: &str = "600";

/// Another one for each test and each run: this file may run several times at once on a machine.
fn address(test: u8) -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | high << 4 | middle >> 4, middle << 4 | low >> 4, low << 4 | test)
}

fn listener(test: u8) -> TcpListener {
    TcpListener::bind((address(test), 0)).expect("every address of 127/8 is ours")
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("bound").port()
}

fn started(arguments: &[&str]) -> Child {
    // Where a shell without job control started the tests in the background, SIGINT is ignored, also by what they start.
    Command::new("env")
        .arg("--default-signal")
        .arg(assert_cmd::cargo::cargo_bin("conntop"))
        .args(arguments)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

/// The number of sockets in the next list.
fn next_list(stdout: &mut BufReader<ChildStdout>) -> usize {
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    let list: Value = serde_json::from_str(&line).expect("one list a line");
    list["sockets"].as_array().expect("a list").len()
}

#[test]
fn a_wait_ends_when_the_socket_is_there_and_prints_it() {
    let filter = format!("laddr:{} state:listen", address(1));
    let now = run(&["list", "--wait-for", &filter, "--timeout", "0"]);
    assert_eq!((now.code, now.stdout.as_str()), (1, ""));
    assert!(now.stderr.contains("no socket matches"), "{}", now.stderr);
    let child = started(&["list", "--wait-for", &filter, "--timeout", NEVER, "--format", "ndjson"]);
    let listener = listener(1);
    let output = child.wait_with_output().expect("it ends");
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let socket: Value = serde_json::from_str(&stdout).expect("one line");
    assert_eq!((&socket["lport"], &socket["state"]), (&port(&listener).into(), &"LISTEN".into()));
}

#[test]
fn a_wait_prints_in_every_shape_and_looks_only_at_what_the_filter_passes() {
    let listener = listener(2);
    let wait = ["list", "--wait-for", "state:listen", "--timeout", NEVER];
    let here = format!("laddr:{}", address(2));
    for (arguments, part) in [
        (&["--count-only"][..], "1\n"),
        (&["--columns", "lport,state", "--format", "csv"], ",LISTEN\r\n"),
        (&["--group-by", "state", "--columns", "state,count"], "LISTEN      1\n"),
    ] {
        let ended = run(&[&wait[..], arguments, &[&here]].concat());
        assert!(ended.code == 0 && ended.stdout.ends_with(part), "{}{}", ended.stdout, ended.stderr);
    }
    let other = run(&["list", "--wait-for", "state:listen", "--timeout", "0", &here, "lport:1"]);
    assert_eq!((other.code, other.stdout.as_str()), (1, ""), "the listener is on another port");
    assert!(other.stderr.contains(&format!("'({here} lport:1) (state:listen)'")), "{}", other.stderr);
    drop(listener);
}

#[test]
fn until_none_ends_when_the_last_socket_is_gone() {
    let listener = listener(3);
    let filter = format!("laddr:{} state:listen", address(3));
    let now = run(&["list", "--until-none", &filter, "--timeout", "0"]);
    assert_eq!((now.code, now.stdout.as_str()), (1, ""));
    assert!(now.stderr.contains("1 socket still matches"), "{}", now.stderr);
    let child = started(&["list", "--until-none", &filter, "--timeout", NEVER]);
    drop(listener);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), texts(&output).0.as_str()), (Some(0), ""));
    assert_eq!(run(&["list", "--until-none", &filter, "--timeout", "0"]).code, 0);
}

#[test]
fn a_wait_that_times_out_says_so_once() {
    let filter = format!("laddr:{} state:listen", address(4));
    for (time, said) in [("0.3", "after 0.3 s"), ("1", "after 1 s")] {
        let ended = run(&["list", "--wait-for", &filter, "--timeout", time]);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""));
        let sentences: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("no socket matches")).collect();
        assert!(sentences.len() == 1 && sentences[0].contains(said), "{}", ended.stderr);
    }
}

#[test]
fn a_recording_is_waited_for_in_its_own_time() {
    let wait = |arguments: &[&str]| {
        run(&[&["list", "--source", "replay:assets/recordings/demo.conntop", "--count-only"], arguments].concat())
    };
    assert_eq!(wait(&["--wait-for", "state:close-wait"]).code, 0);
    let never = wait(&["--wait-for", "lport:1"]);
    assert!(never.code == 1 && never.stderr.contains("at the end of the recording"), "{}", never.stderr);
    let late = wait(&["--wait-for", "lport:1", "--timeout", "3"]);
    assert!(late.code == 1 && late.stderr.contains("after 3 s"), "{}", late.stderr);
}

#[test]
fn a_signal_ends_a_wait_in_the_systems_own_way() {
    let filter = format!("laddr:{} state:listen", address(5));
    for signal in [Signal::INT, Signal::TERM] {
        let child = started(&["list", "--wait-for", &filter, "--timeout", NEVER]);
        kill_process(Pid::from_child(&child), signal).expect("it is ours");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.signal(), Some(signal.as_raw()), "a shell makes 130 or 143 of it");
        assert_eq!(texts(&output).0, "");
    }
}

#[test]
fn a_wait_ends_when_its_reader_goes() {
    let filter = format!("laddr:{} state:listen", address(6));
    let mut child = started(&["list", "--wait-for", &filter, "--timeout", NEVER]);
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1), "what it waited for did not come");
    assert!(!texts(&output).1.contains("rror"), "{}", texts(&output).1);
}

#[test]
fn a_list_is_printed_anew_when_a_socket_comes_or_goes() {
    let filter = format!("laddr:{} state:listen", address(7));
    let mut child = started(&["list", "--on-change", "--format", "json", "--interval", "0.1", &filter]);
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    assert_eq!(next_list(&mut stdout), 0, "the first list comes at once");
    let first = listener(7);
    assert_eq!(next_list(&mut stdout), 1);
    let second = listener(7);
    assert_eq!(next_list(&mut stdout), 2);
    drop(first);
    assert_eq!(next_list(&mut stdout), 1);
    kill_process(Pid::from_child(&child), Signal::INT).expect("it is ours");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("the rest");
    assert_eq!((child.wait().expect("it ends").code(), rest.as_str()), (Some(0), ""));
    drop(second);
}

#[test]
fn a_list_that_is_printed_anew_shows_its_time_and_ends_by_count() {
    let filter = format!("laddr:{} state:listen", address(8));
    let shape = ["--interval", "0.1", "--columns", "lport,state"];
    let mut child = started(&[&["list", "--on-change", "--count", "2"], &shape[..], &[&filter]].concat());
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut head = String::new();
    for _ in 0..2 {
        stdout.read_line(&mut head).expect("a line");
    }
    let listener = listener(8);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("the second list");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let lines: Vec<&str> = head.lines().chain(rest.lines()).collect();
    assert_eq!((lines[1], lines[2], lines[4]), ("LPORT  STATE", "", "LPORT  STATE"), "{lines:?}");
    assert!(lines[0].ends_with('Z') && lines[3].ends_with('Z'), "{lines:?}");
    assert_eq!(lines[5].split_whitespace().collect::<Vec<_>>(), [&port(&listener).to_string(), "LISTEN"]);
}

#[test]
fn a_number_is_printed_anew_and_a_reader_that_goes_ends_it() {
    let filter = format!("laddr:{} state:listen", address(9));
    let mut child = started(&["list", "--on-change", "--count-only", "--interval", "0.1", &filter]);
    let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut lines = String::new();
    stdout.read_line(&mut lines).expect("a line");
    let listener = listener(9);
    stdout.read_line(&mut lines).expect("a line");
    assert_eq!(lines, "0\n1\n");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", texts(&output).1);
    drop(listener);
}

#[test]
fn time_ends_a_list_that_does_not_change() {
    let filter = format!("laddr:{}", address(10));
    let ended = run(&["list", "--on-change", "--count-only", "--for", "0.5", "--interval", "0.1", &filter]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "0\n"), "{}", ended.stderr);
}

#[test]
fn groups_and_counts_are_those_of_the_sockets_that_are_there() {
    let listener = listener(11);
    let pair = || {
        let client = TcpStream::connect((address(11), port(&listener))).expect("it listens");
        (client, listener.accept().expect("a client").0)
    };
    let pairs: Vec<_> = (0..5).map(|_| pair()).collect();
    let filter = format!("addr:{}", address(11));
    let ended = run(&["list", "--group-by", "state", "--format", "csv", "--columns", "state,count", &filter]);
    assert_eq!(ended.stdout, "state,count\r\nESTABLISHED,10\r\nLISTEN,1\r\n");
    assert_eq!(run(&["list", "--count-only", &filter]).stdout, "11\n");
    let ended = run(&["list", "--group-by", "lport", "--format", "ndjson", "--top", "1", &filter]);
    let group: Value = serde_json::from_str(&ended.stdout).expect("one line");
    // The kernel may give a client, on another address, the number of the listener's port.
    let ports = pairs.iter().map(|(client, _)| client.local_addr().expect("connected").port());
    let others = ports.filter(|client| *client != port(&listener)).count();
    assert_eq!((&group["lport"], &group["count"]), (&port(&listener).into(), &(11 - others).into()));
    let sentence = format!("{others} more groups with {others} sockets left out");
    assert!(ended.stderr.contains(&sentence), "{sentence}: {}", ended.stderr);
    drop(pairs);
}

#[test]
fn output_that_nobody_takes_is_quiet_and_output_that_fails_is_one_sentence() {
    for arguments in [&["--group-by", "state"][..], &["--count-only"], &["--fields"]] {
        let mut child = started(&[&["list", "--demo"], arguments].concat());
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{arguments:?}");
        let full = std::fs::File::options().write(true).open("/dev/full").expect("this is Linux");
        let output = Command::new(assert_cmd::cargo::cargo_bin("conntop"))
            .args(["list", "--demo"])
            .args(arguments)
            .stdout(full)
            .output()
            .expect("it runs");
        let stderr = texts(&output).1;
        assert_eq!((output.status.code(), stderr.lines().count()), (Some(1), 1), "{stderr}");
        assert!(stderr.contains("cannot write the output"), "{stderr}");
    }
}

#[test]
fn arguments_that_are_not_utf_8_are_wrong_use() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    for option in ["--group-by", "--wait-for", "--until-none", "--top"] {
        let ended = program::ended(conntop().args(["list", option]).arg(OsStr::from_bytes(b"\xff")));
        assert_eq!((ended.code, ended.stderr.lines().count()), (2, 1), "{}", ended.stderr);
    }
}

#[test]
fn attempts_of_which_no_socket_is_left_are_counted_while_a_list_watches() {
    let refusing = (address(15), port(&listener(15)));
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let list = ["list", "--group-by", "raddr,rport", "--format", "ndjson", "--interval", "0.2"];
    let filter = format!("raddr:{} rport:{}", refusing.0, refusing.1);
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(TcpStream::connect(refusing).is_err(), "nobody listens");
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        });
        let ended = run(&[&list[..], &["--for", "1.5", &filter]].concat());
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        ended
    });
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    if ended.stderr.contains("attempts to connect are not known") {
        skip(&ended.stderr);
        assert_eq!(ended.stdout, "", "what is not known is no group");
        return;
    }
    let group: Value = serde_json::from_str(&ended.stdout).expect("one group");
    let count = |key: &str| group[key].as_u64().unwrap_or_else(|| panic!("{key} of {group}"));
    assert_eq!((count("rport"), count("count")), (u64::from(refusing.1), 0));
    let (made, failed) = (count("attempts"), count("attempts_failed"));
    // The kernel may drop events where others make very many.
    assert!(made >= 10 && failed <= made && failed * 10 >= made * 8, "{made} attempts, {failed} failed");
}
