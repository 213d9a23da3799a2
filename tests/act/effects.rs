//! `conntop close` and `conntop kill` on real sockets, in network namespaces of their own: exactly what is meant is hit.

#![cfg(target_os = "linux")]

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::acting::{Holder, connect, document, is_reset, listed, outcomes, wait};
use crate::namespace::{alone_in_namespace, inside_namespace};
use crate::program;
use crate::program::run;
use crate::skip::skip;

#[test]
fn of_many_connections_with_the_same_ports_exactly_one_is_closed() {
    if !inside_namespace() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:7001").expect("nobody else is here");
    let mut ends: Vec<(TcpStream, Holder)> = (1..=40)
        .map(|host| {
            let (client, server) = connect(&listener, &format!("127.0.0.{host}:41001"));
            (client, Holder::of(server))
        })
        .collect();
    let before = listed("lport:7001 state:established");
    assert_eq!(before.len(), 40);

    let planned = run(&["close", "--dry-run", "--format", "json", "lport:7001", "raddr:127.0.0.17"]);
    assert_eq!((planned.code, outcomes(&document(&planned, "close"))), (0, vec!["planned"]));
    assert!(ends.iter().all(|(client, _)| !is_reset(client)), "a dry run changes nothing");

    let closed = run(&["close", "--yes", "--format", "json", "lport:7001", "raddr:127.0.0.17"]);
    let document = document(&closed, "close");
    assert_eq!((closed.code, outcomes(&document)), (0, vec!["closed"]), "{}", closed.stderr);
    let target = &document["targets"][0]["socket"];
    assert_eq!((&target["raddr"], &target["rport"]), (&"127.0.0.17".into(), &41001.into()));
    for (host, (client, holder)) in (1..).zip(&mut ends) {
        assert_eq!(is_reset(client), host == 17, "127.0.0.{host}");
        assert!(holder.lives(), "its process goes on");
    }
    assert_eq!(listed("lport:7001 state:established").len(), 39);
    // What is gone matches nothing any more.
    let again = run(&["close", "--yes", "lport:7001", "raddr:127.0.0.17"]);
    assert_eq!((again.code, again.stdout.as_str()), (1, ""));
    assert!(again.stderr.contains("nothing to close"), "{}", again.stderr);
}

#[test]
fn a_cookie_that_is_not_that_of_the_socket_hits_nothing() {
    use conntop::host::this_machine;
    use conntop::model::closing::{Close, CloseOutcome};
    use conntop::model::snapshot::{Needs, Snapshot};
    use conntop::model::socket::{SocketId, SocketRef};
    if !inside_namespace() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:7001").expect("nobody else is here");
    let (client, server) = connect(&listener, "127.0.0.1:41001");
    let _holder = Holder::of(server);
    let mut snapshot = Snapshot::default();
    let mut source = conntop::source::open(&conntop::source::Choice::Linux).expect("a live source");
    source.sample(&Needs::default(), &mut snapshot).expect("a sample");
    let server = snapshot.sockets.iter().find(|socket| socket.local.port == 7001 && socket.remote.port == 41001);
    let right = Close::of(server.expect("it is listed")).expect("it has a cookie");
    let cookie = right.socket.id.cookie().expect("it has one");
    let stale = SocketId::from_cookie(cookie + 1, right.socket.id.netns());
    let wrong = Close { socket: SocketRef { id: stale, ..right.socket }, ..right.clone() };
    let host = this_machine();
    assert_eq!(host.close(std::slice::from_ref(&wrong)), [CloseOutcome::Gone]);
    assert!(!is_reset(&client));
    assert_eq!(
        host.close(&[wrong, right.clone(), right]),
        [CloseOutcome::Gone, CloseOutcome::Closed, CloseOutcome::Gone]
    );
    assert!(is_reset(&client));
}

#[test]
fn every_kind_of_socket_is_closed_and_listeners_only_when_asked_for() {
    if !inside_namespace() {
        return;
    }
    let close = |arguments: &[&str]| run(&[&["close", "--yes"][..], arguments].concat());
    let listener = TcpListener::bind("127.0.0.1:7001").expect("nobody else is here");

    // TIME_WAIT is nobody's: what closed first waits.
    let (client, server) = connect(&listener, "127.0.0.1:41001");
    drop(client);
    drop(server);
    wait("the client waits", || !listed("state:time-wait lport:41001").is_empty());
    assert_eq!(close(&["state:time-wait", "lport:41001"]).code, 0);
    assert!(listed("lport:41001").is_empty());

    // CLOSE_WAIT is somebody's who goes on.
    let (client, server) = connect(&listener, "127.0.0.1:41002");
    let mut leaky = Holder::of(server);
    drop(client);
    wait("the leak is there", || !listed("state:close-wait rport:41002").is_empty());
    assert_eq!(close(&["state:close-wait"]).code, 0);
    assert!(listed("rport:41002").is_empty() && leaky.lives());
    // The other end, FIN_WAIT2 without a process, has got the RST.
    wait("the peer is reset", || listed("lport:41002").is_empty());

    // A connected UDP socket loses its peer, its process keeps it.
    let udp = UdpSocket::bind("127.0.0.1:7053").expect("nobody else is here");
    udp.connect("127.0.0.1:7054").expect("UDP connects to anything");
    let mut udp = Holder::of(udp);
    let disconnected = close(&["proto:udp", "rport:7054"]);
    assert_eq!(disconnected.code, 1, "the process keeps its socket");
    assert!(disconnected.stdout.contains("disconnected"), "{}", disconnected.stdout);
    assert!(listed("proto:udp rport:7054").is_empty() && udp.lives());

    // A listener is left out, which is said; then it is closed.
    drop(listener);
    let mut server = Holder::of(TcpListener::bind("127.0.0.1:7002").expect("nobody else is here"));
    let left = close(&["lport:7002"]);
    assert_eq!(left.code, 1);
    assert!(left.stderr.contains("1 listener left out; --listeners"), "{}", left.stderr);
    assert_eq!(listed("lport:7002").len(), 1);
    assert_eq!(close(&["lport:7002", "--listeners"]).code, 0);
    assert!(listed("lport:7002 state:listen").is_empty() && server.lives());
    let mut server = Holder::of(TcpListener::bind("127.0.0.1:7003").expect("nobody else is here"));
    assert_eq!(close(&["lport:7003", "state:listen"]).code, 0, "its state was named");
    assert!(listed("lport:7003 state:listen").is_empty() && server.lives());
}

#[test]
fn the_sockets_of_the_session_are_spared() {
    if !inside_namespace() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:7001").expect("nobody else is here");
    let (client, server) = connect(&listener, "127.0.0.1:41001");
    // The test is the parent of conntop and holds the client's end.
    let ended = run(&["close", "--yes", "lport:41001"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("refused") && ended.stdout.contains("close it from elsewhere"), "{}", ended.stdout);
    // The other end is somebody else's, but the environment says that it carries the session.
    let _holder = Holder::of(server);
    let mut command = program::conntop();
    command.args(["close", "--yes", "lport:7001", "rport:41001"]);
    let ended = program::ended(command.env("SSH_CONNECTION", "127.0.0.1 41001 127.0.0.1 7001"));
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("close it from elsewhere"), "{}", ended.stdout);
    assert!(!is_reset(&client));
}

#[test]
fn without_the_right_it_says_what_it_takes_and_closes_nothing() {
    if !inside_namespace() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:7001").expect("nobody else is here");
    let (client, server) = connect(&listener, "127.0.0.1:41001");
    let _holder = Holder::of(server);
    let binary = env!("CARGO_BIN_EXE_conntop");
    let close = [binary, "close", "--yes", "--config", "/dev/null", "lport:7001", "rport:41001"];
    // Without the capability it does not even try; with that of another user namespace the kernel refuses.
    let bounded = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];
    let elsewhere = ["unshare", "-U", "-r"];
    for (way, code, on_stderr) in [(&bounded[..], 1, true), (&elsewhere[..], 1, false)] {
        let output = Command::new(way[0]).args(&way[1..]).args(close).output().expect("util-linux is there");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if way[0] == "unshare" && stderr.starts_with("unshare:") {
            skip(&format!("the part in a user namespace: {stderr}"));
            continue;
        }
        assert_eq!(output.status.code(), Some(code), "{way:?}: {stdout}{stderr}");
        let said = if on_stderr { &stderr } else { &stdout };
        assert!(said.contains("CAP_NET_ADMIN"), "{way:?}: {stdout}{stderr}");
        assert!(!is_reset(&client), "{way:?}");
    }
}

#[test]
fn a_port_means_who_listens_there_and_not_its_clients() {
    if !inside_namespace() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:7001").expect("nobody else is here");
    let (client, accepted) = connect(&listener, "127.0.0.1:41001");
    let mut client = Holder::of(client);
    let mut worker = Holder::of(accepted);
    let mut server = Holder::of(listener);

    for filter in ["lport:7001", "port:7001", "7001"] {
        let planned = run(&["kill", "--dry-run", "--format", "json", filter]);
        let document = document(&planned, "kill");
        assert_eq!((planned.code, outcomes(&document)), (0, vec!["planned"]), "{filter}");
        assert_eq!(document["targets"][0]["pid"], server.pid(), "{filter}");
        assert!(planned.stderr.contains("--any-socket"), "{filter}: {}", planned.stderr);
    }
    let all = run(&["kill", "--dry-run", "--format", "ndjson", "--any-socket", "port:7001"]);
    assert_eq!(all.stdout.lines().count(), 3, "{}", all.stdout);
    let none = run(&["kill", "--dry-run", "rport:7001"]);
    assert_eq!(none.code, 1);
    assert!(server.lives() && client.lives() && worker.lives(), "a dry run changes nothing");

    let killed = run(&["kill", "--yes", "--wait", "30", "--format", "json", "port:7001"]);
    let document = document(&killed, "kill");
    assert_eq!((killed.code, outcomes(&document)), (0, vec!["ended"]), "{}", killed.stderr);
    assert!(document["targets"][0]["after_seconds"].is_number());
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&server.end()), Some(15));
    assert!(client.lives() && worker.lives());

    // A named state lifts it, and so does anything that is no port.
    assert_eq!(run(&["kill", "--yes", "-9", "rport:7001", "state:established"]).code, 0);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&client.end()), Some(9));
}

#[test]
fn of_those_that_share_a_socket_the_parent_is_signalled() {
    if !alone_in_namespace() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:7001").expect("nobody else is here");
    let mut shell = Command::new("sh");
    // Two workers inherit the socket (their standard input is /dev/null); the shell waits for them and ends on TERM.
    shell.args(["-c", "exec 3<&0; sleep 601 & sleep 602 & wait"]);
    let mut master = Holder::running(shell, listener);
    let owners = || listed("lport:7001").first().and_then(|row| row["owners"].as_array().map(Vec::len)).unwrap_or(0);
    wait("both workers are there", || owners() == 3);
    let planned = run(&["kill", "--dry-run", "--format", "ndjson", "lport:7001"]);
    let targets: Vec<Value> = planned.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(targets.iter().map(|target| &target["pid"]).collect::<Vec<_>>(), [&Value::from(master.pid())]);
    assert!(planned.stderr.contains("2 processes left out"), "{}", planned.stderr);
    let refused = run(&["kill", "--yes", "--all-holders", "--max", "2", "lport:7001"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--max 3") && master.lives(), "{}", refused.stderr);
    assert_eq!(run(&["kill", "--yes", "--all-holders", "--wait", "30", "lport:7001"]).code, 0);
    master.end();
    assert!(listed("lport:7001").is_empty());
}

#[test]
fn who_ignores_the_signal_is_said_to_be_there_still() {
    if !inside_namespace() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:7001").expect("nobody else is here");
    let mut stubborn = Command::new("sh");
    stubborn.args(["-c", "trap '' TERM; exec sleep 600"]);
    let mut child = stubborn.stdin(Stdio::from(OwnedFd::from(listener))).spawn().expect("there is a shell");
    drop(stubborn);
    wait("it ignores TERM", || {
        std::fs::read_to_string(format!("/proc/{}/comm", child.id())).is_ok_and(|name| name.trim() == "sleep")
    });
    let ended = run(&["kill", "--yes", "--wait", "0.2", "lport:7001"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("still-running") && ended.stdout.contains("--signal KILL"), "{}", ended.stdout);
    let ended = run(&["kill", "--yes", "--wait", "30", "--signal", "sigkill", "lport:7001"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    child.wait().expect("it is our child");
}

#[test]
fn what_must_not_be_signalled_is_refused_and_the_rest_is_hit() {
    if !inside_namespace() {
        return;
    }
    // The test is the parent of conntop.
    let _own = TcpListener::bind("127.0.0.1:7001").expect("nobody else is here");
    let ended = run(&["kill", "--yes", "lport:7001"]);
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("refused") && ended.stdout.contains("conntop runs inside"), "{}", ended.stdout);
    let mut other = Holder::of(TcpListener::bind("127.0.0.1:7002").expect("nobody else is here"));
    let ended = run(&["kill", "--yes", "--format", "json", "state:listen"]);
    let document = document(&ended, "kill");
    let mut seen = outcomes(&document);
    seen.sort_unstable();
    assert_eq!((ended.code, seen), (1, vec!["refused", "sent"]));
    other.end();
}

#[test]
fn wrong_or_dangerous_use_is_refused_in_one_sentence() {
    for (arguments, part) in [
        (&["close"][..], "needs a filter"),
        (&["kill", "--yes"], "needs a filter"),
        (&["kill", " "], "needs a filter"),
        (&["close", "state:close-wait"], "no terminal to ask on"),
        (&["kill", "process:nginx"], "no terminal to ask on"),
        (&["close", "--read-only", "--yes", "state:close-wait"], "--read-only"),
        (&["kill", "--read-only", "--yes", "process:nginx"], "--read-only"),
        (&["close", "--demo", "--yes", "state:close-wait"], "made up"),
        (&["kill", "--source", "replay:assets/recordings/demo.conntop", "--yes", "process:x"], "recording"),
        (&["close", "--source", "procfs", "--yes", "state:close-wait"], "--source linux"),
        (&["kill", "--signal", "TREM", "--yes", "process:nginx"], "did you mean 'TERM'?"),
        (&["kill", "--signal", "33", "--yes", "process:nginx"], "there are TERM"),
        (&["close", "--format", "csv", "--dry-run", "state:listen"], "there are text, json and ndjson"),
        (&["close", "stat:listen", "--dry-run"], "did you mean 'state'?"),
        (&["close", "--dry-run", "--yes", "state:listen"], "cannot be used with"),
    ] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(part), "{arguments:?}: {}", ended.stderr);
    }
}
