//! `conntop netstat` and `conntop ports` in a shell: wrong use, pipes, signals, exit codes, closed stdout.

#![cfg(unix)]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Output, Stdio};

use crate::program::complaints;

const CONNTOP: &str = env!("CARGO_BIN_EXE_conntop");

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("conntop prints UTF-8")
}

fn run(arguments: &[&str]) -> Output {
    Command::new(CONNTOP).args(arguments).output().expect("it runs")
}

fn shell(script: &str) -> Output {
    Command::new("sh").args(["-c", script]).env("conntop", CONNTOP).output().expect("sh runs")
}

/// Runs it, expects exit code 2 and exactly one sentence, and returns the sentence.
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    let stderr = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{arguments:?}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

#[test]
fn wrong_use_is_one_sentence_that_says_the_right_one() {
    for (arguments, part) in [
        (&["netstat", "-ano", "8080"][..], "conntop netstat -ano port:8080"),
        (&["netstat", "-ano", "0"], "no interval"),
        (&["netstat", "-ano", "-5"], "no interval"),
        (&["netstat", "-ano", "5", "80"], "port:80"),
        (&["netstat", "-p", "sctp"], "TCP, TCPv6, UDP and UDPv6"),
        (&["netstat", "-s", "-p", "sctp"], "IP, IPv6, ICMP, ICMPv6, TCP, TCPv6, UDP and UDPv6"),
        (&["netstat", "-p", "icmp"], "conntop netstat -s -p ICMP"),
        (&["netstat", "-r", "-p", "tcp"], "IP and IPv6"),
        (&["netstat", "-e", "-p", "tcp"], "leave out -p"),
        (&["netstat", "-antp"], "write -b"),
        (&["netstat", "-plnt"], "write -b"),
        (&["netstat", "-tulpn"], "state:LISTENING"),
        (&["netstat", "-i"], "write -e"),
        (&["netstat", "-anc"], "conntop netstat -ano 1"),
        (&["netstat", "-x"], "ss -x"),
        (&["netstat", "/ano"], "conntop netstat -ano"),
        (&["netstat", "/A", "/N"], "conntop netstat -a"),
        (&["netstat", "-ano", "findstr", "80"], "port:80"),
        (&["netstat", "-ano", "grep", "LISTEN"], "through a pipe"),
        (&["netstat", "-an6"], "-p TCPv6"),
        (&["netstat", "-e", "state:listen"], "leave out -e"),
        (&["netstat", "-ano", "stat:listen"], "did you mean 'state'?"),
        (&["netstat", "--format", "csv"], "text and json"),
        (&["netstat", "-z"], "-z"),
        (&["netstat", "--count", "0", "-ano", "1"], "--count"),
        (&["netstat", "--demo", "-r"], "synthetic"),
        (&["netstat", "--demo", "-ase"], "synthetic"),
        (&["ports", "--fail-on", "riks"], "did you mean 'risk'?"),
        (&["ports", "--format", "csv"], "text and json"),
        (&["ports", "stat:listen"], "did you mean 'state'?"),
    ] {
        let sentence = refused(arguments);
        assert!(sentence.contains(part), "{arguments:?}: {sentence}");
    }
    for arguments in [&[&b"netstat"[..], b"-p", b"\xff"], &[b"ports", b"--exposed", b"process:\xff"]] {
        let arguments = arguments.iter().map(|bytes| OsStr::from_bytes(bytes));
        let output = Command::new(CONNTOP).args(arguments).output().expect("it runs");
        assert_eq!((output.status.code(), text(&output.stderr).lines().count()), (Some(2), 1));
    }
}

#[test]
fn a_port_that_was_taken_for_an_interval_gets_a_hint() {
    let output = run(&["netstat", "--demo", "-ano", "80", "--count", "1"]);
    let hint = text(&output.stderr);
    assert!(output.status.success() && hint.contains("port 80 (http)") && hint.contains("port:80"), "{hint}");
    assert_eq!(text(&run(&["netstat", "--demo", "-ano", "2", "--count", "1"]).stderr), "");
}

#[test]
fn options_without_their_dash_get_a_hint() {
    let output = run(&["netstat", "--demo", "ano"]);
    assert!(output.status.success() && text(&output.stderr).contains("conntop netstat -ano"), "{output:?}");
    assert_eq!(text(&run(&["netstat", "--demo", "-ano", "nginx"]).stderr), "");
}

#[test]
fn what_is_not_there_is_said_once_and_beside_the_data() {
    let output = run(&["netstat", "--demo", "-anf", "--no-dns", "0.1", "--count", "3"]);
    let stderr = text(&output.stderr);
    assert_eq!(stderr.matches("--no-dns forbids").count(), 1, "{stderr}");
    assert_eq!(text(&output.stdout).matches("Active Connections").count(), 3);
}

/// Those of a made-up server are made up, too: nobody is asked.
#[test]
fn names_of_hosts_stand_in_the_place_of_addresses_with_f_alone() {
    let printed = |arguments: &[&str]| text(&run(&[&["netstat", "--demo", "-n"], arguments].concat()).stdout);
    let (with, without) = (printed(&["-f"]), printed(&["--dns"]));
    assert!(with.contains(" node-0-20.internal:5432 ") && !with.contains(" 10.0.0.20:5432 "), "{with}");
    assert!(without.contains(" 10.0.0.20:5432 ") && !without.contains("node-"), "{without}");
    assert_eq!(printed(&["-f", "--no-dns"]), without);
    let json = printed(&["-f", "--format", "json", "raddr:10.0.0.20"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let first = &json["connections"][0];
    assert_eq!((&first["raddr"], &first["rname"]), (&"10.0.0.20".into(), &"node-0-20.internal".into()));
}

#[test]
fn grep_findstr_and_awk_habits_work() {
    for (script, expected) in [
        (
            "a=$(\"$conntop\" netstat --demo -ano | grep -c LISTENING)
             b=$(\"$conntop\" list --demo state:listen --format ndjson | wc -l); [ $a -gt 5 ] && echo $((a - b))",
            "0",
        ),
        ("\"$conntop\" netstat --demo -ano | grep LISTEN | grep -c ':22 '", "2"),
        ("\"$conntop\" netstat --demo -ano | grep ' 0.0.0.0:22 ' | awk '{print $4}'", "LISTENING"),
        ("\"$conntop\" netstat --demo -ano | awk 'NR > 4 && NF != 5' | wc -l", "0"),
        ("\"$conntop\" netstat --demo -ano lport:22 | grep -c 0.0.0.0:22", "1"),
        ("\"$conntop\" ports --demo | awk '$2 == 22 {print $1, $3}' | head -n 1", "tcp 0.0.0.0"),
    ] {
        let output = shell(script);
        assert_eq!(text(&output.stdout).trim(), expected, "{script}: {}", text(&output.stderr));
    }
}

#[test]
fn the_same_demo_gives_the_same_text_and_json() {
    let printed = |arguments: &[&str]| text(&run(arguments).stdout);
    let arguments = ["netstat", "--source", "synthetic:3", "-ano"];
    assert_eq!(printed(&arguments), printed(&arguments));
    let value: serde_json::Value =
        serde_json::from_str(&printed(&["netstat", "--source", "synthetic:3", "-ano", "--format", "json"]))
            .expect("JSON");
    let lines = printed(&arguments).lines().count() - 4;
    assert_eq!(value["connections"].as_array().map(Vec::len), Some(lines));
    let rounds = printed(&["netstat", "--demo", "-ano", "0.1", "--count", "2", "--format", "json", "LISTENING"]);
    assert_eq!(rounds.lines().count(), 2);
    assert!(rounds.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

/// One that shows rounds until it is told to stop; its output from the second round on.
fn rounds(arguments: &[&str]) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(CONNTOP)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let (mut line, mut titles) = (String::new(), 0);
    while titles < 2 {
        line.clear();
        assert!(out.read_line(&mut line).expect("text") > 0, "it ended by itself");
        titles += usize::from(line.starts_with("Active Connections"));
    }
    (child, out)
}

#[test]
fn ctrl_c_ends_the_interval_cleanly() {
    let (child, mut out) = rounds(&["netstat", "--demo", "-ano", "0.1"]);
    let pid = rustix::process::Pid::from_raw(child.id().try_into().expect("a pid")).expect("not 0");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is ours");
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("text");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), complaints(&output.stderr)), (Some(0), vec![]));
    assert!(rest.ends_with('\n'), "the last round is whole");
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_interval_quietly() {
    let (child, out) = rounds(&["netstat", "--demo", "-ano", "0.1"]);
    drop(out);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), complaints(&output.stderr)), (Some(0), vec![]));
    let output = shell("\"$conntop\" netstat --demo -ano 0.1 | head -n 6 | wc -l");
    assert_eq!((text(&output.stdout).trim(), text(&output.stderr).as_str()), ("6", ""));
}

#[test]
fn stdout_that_cannot_be_written_is_no_panic() {
    for command in ["netstat --demo -ano", "netstat --demo -ano 0.1 --count 3", "ports --demo"] {
        let output = shell(&format!("exec \"$conntop\" {command} >&-"));
        assert_eq!((output.status.code(), complaints(&output.stderr)), (Some(0), vec![]), "{command}");
        if cfg!(target_os = "linux") {
            let output = shell(&format!("exec \"$conntop\" {command} >/dev/full"));
            assert_eq!((output.status.code(), text(&output.stderr).lines().count()), (Some(1), 1), "{command}");
        }
    }
}

#[test]
fn an_empty_environment_is_enough() {
    for arguments in [&["netstat", "--demo", "-abno"][..], &["ports", "--demo"]] {
        let output = Command::new(CONNTOP).args(arguments).env_clear().output().expect("it runs");
        assert!(output.status.success() && !output.stdout.is_empty());
    }
}
