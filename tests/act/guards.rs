//! Whom `conntop kill` and `conntop close` refuse: where a pid may mean somebody else, and what logins depend on.

#![cfg(target_os = "linux")]

use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;

use serde_json::Value;

use crate::acting::{Holder, PythonProcess, connect, document, is_reset, outcomes, wait};
use crate::namespace::{alone_in_namespace, inside_namespace};
use crate::netns::Netns;
use crate::program::run;
use crate::program_copy::ProgramCopy;
use crate::skip::skip;

const BINARY: &str = env!("CARGO_BIN_EXE_conntop");

/// Exit code, standard output and standard error of `conntop ARGUMENTS`, run by the program and arguments of `way`.
fn by(way: &[&str], arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(way[0])
        .args(&way[1..])
        .arg(BINARY)
        .args(arguments)
        .args(["--config", "/dev/null"])
        .output()
        .expect("util-linux is there");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Every way to act on what `filter` means, asked for with all consent there is.
fn assert_all_refuse(way: &[&str], filter: &str, part: &str) {
    for arguments in [
        &["kill", "--dry-run", "--all-holders", "--any-socket", filter][..],
        &["kill", "--yes", "--including-ssh", "--all-holders", "--any-socket", "--format", "json", filter],
        &["close", "--dry-run", "--listeners", filter],
        &["close", "--yes", "--including-ssh", "--listeners", filter],
    ] {
        let (code, stdout, stderr) = by(way, arguments);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(part) && stderr.lines().count() == 1, "{arguments:?}: {stderr}");
    }
}

#[test]
fn a_proc_of_another_pid_namespace_proves_nobody() {
    if !alone_in_namespace() {
        return;
    }
    let mut bystander = Command::new("sleep").arg("600").spawn().expect("sleep is there");
    // In the container the listener gets the number that the bystander has here.
    let container = |number: u32| {
        let mut launcher = Command::new("unshare");
        launcher.args(["-pmf", "--mount-proc", "--kill-child", "python3"]);
        let code = format!(
            "s = socket.create_server(('127.0.0.1', {}))
open('/proc/sys/kernel/ns_last_pid', 'w').write('{}')
pid = os.fork()
if pid:
    s.close(); print(pid, flush=True)
",
            7000 + number,
            number - 1
        );
        PythonProcess::by(launcher, &code)
    };
    for number in [bystander.id(), bystander.id() + 1_000] {
        let container = container(number);
        assert_eq!(container.said, number.to_string(), "the listener has this number in there");
        let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", container.pid()));
        let init = children.expect("it is our child").trim().to_owned();
        let filter = format!("lport:{}", 7000 + number);
        assert_all_refuse(
            &["nsenter", "-t", &init, "-m"],
            &filter,
            "/proc belongs to another pid namespace; enter it with nsenter -p as well",
        );
        let half = ["nsenter", "-t", &init, "-p"];
        assert_all_refuse(&half, &filter, "/proc belongs to another pid namespace, the one outside");
        assert!(TcpStream::connect(("127.0.0.1", u16::try_from(7000 + number).expect("small"))).is_ok());
        assert!(bystander.try_wait().expect("our child").is_none(), "who has the same number here lives");
        // With -p as well it is one namespace again, and the way out that was told works.
        let (code, stdout, stderr) =
            by(&["nsenter", "-t", &init, "-m", "-p"], &["kill", "--yes", "--wait", "30", &filter]);
        assert_eq!(code, Some(0), "{stdout}{stderr}");
    }
    assert!(bystander.try_wait().expect("our child").is_none());
    bystander.kill().expect("it lives");
    bystander.wait().expect("our child");
}

#[test]
fn a_proc_of_the_namespace_outside_proves_nobody_either() {
    if !alone_in_namespace() {
        return;
    }
    let mut holder = Holder::of(TcpListener::bind("127.0.0.1:7001").expect("nobody else is here"));
    assert_all_refuse(&["unshare", "-p", "-f"], "lport:7001", "/proc belongs to another pid namespace");
    // With a /proc of its own it cannot see the holder, and hits nobody.
    let way = ["unshare", "-p", "-f", "--mount-proc"];
    let (code, stdout, stderr) = by(&way, &["kill", "--yes", "lport:7001"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(holder.lives());
}

#[test]
fn without_a_proc_nobody_is_proved() {
    if !inside_namespace() {
        return;
    }
    let mut holder = Holder::of(TcpListener::bind("127.0.0.1:7001").expect("nobody else is here"));
    for cover in ["mount -t tmpfs none /proc", "umount -l /proc", "mount --bind /proc/1 /proc"] {
        let script = format!("{cover} && exec \"$0\" \"$@\"");
        let way = ["unshare", "-m", "sh", "-c", &script];
        let part = if cover.contains("--bind") {
            "/proc belongs to another pid namespace"
        } else {
            "mount -t proc proc /proc"
        };
        assert_all_refuse(&way, "lport:7001", part);
    }
    assert!(holder.lives());
}

#[test]
fn where_hidepid_hides_the_parents_whoever_may_be_the_session_is_spared() {
    if !alone_in_namespace() {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        skip("only root can become another user");
        return;
    }
    let copy = ProgramCopy::of(BINARY, "conntop");
    // The shell is root's, and so hidden from who asks; 1B59 is port 7001. Another session is nobody's parent.
    let script = "mount -t proc -o hidepid=2 proc /proc
as='setpriv --reuid=65534 --regid=65534 --clear-groups'
$as $1 /usr/bin/python3 -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", 7001)); time.sleep(600)' &
until grep -q :1B59 /proc/net/tcp; do sleep 0.05; done
$as \"$0\" kill --yes --wait 30 --config /dev/null lport:7001
code=$?
kill $! 2>&- && echo it lived
exit $code";
    let asked = |launcher: &str| {
        let mut command = Command::new("setsid");
        command.args(["-w", "unshare", "-m", "sh", "-c", script]).arg(&copy.path).arg(launcher);
        let output = command.output().expect("util-linux is there");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, said) = asked("");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("hides who started conntop") && said.contains("it lived"), "{said}");
    let (code, said) = asked("setsid");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ended"), "{said}");
}

/// A process of this name that holds `socket`.
fn called(name: &str, socket: impl Into<OwnedFd>) -> (Holder, ProgramCopy) {
    let which = ["/usr/bin/sleep", "/bin/sleep"].into_iter().find(|path| std::path::Path::new(path).exists());
    let copied = ProgramCopy::of(which.expect("sleep is there"), name);
    let child = Command::new(&copied.path)
        .arg("600")
        .stdin(std::process::Stdio::from(socket.into()))
        .spawn()
        .expect("it can be run");
    let holder = Holder(child);
    wait("it runs", || {
        std::fs::read_to_string(format!("/proc/{}/comm", holder.pid())).is_ok_and(|comm| comm.trim() == name)
    });
    (holder, copied)
}

#[test]
fn connections_of_ssh_take_a_flag_and_the_rest_is_closed() {
    if !inside_namespace() {
        return;
    }
    let bind = |port: u16| TcpListener::bind(("127.0.0.1", port)).expect("nobody else is here");
    let (ssh, web) = (bind(2222), bind(8080));
    // One that sshd holds, one that has come to its port and was passed on, its other end, one that is forwarded.
    let (client, server) = connect(&ssh, "127.0.0.1:41001");
    let (passed_client, passed) = connect(&ssh, "127.0.0.1:41002");
    let (web_client, forwarded) = connect(&web, "127.0.0.1:41003");
    let (plain_client, plain) = connect(&web, "127.0.0.1:41004");
    let (_listens, _a) = called("sshd", ssh);
    let (_session, _b) = called("sshd-session", server);
    let (_forwards, _c) = called("sshd-session", forwarded);
    let (_shell, _d) = (Holder::of(passed), Holder::of(web));
    let _plain = Holder::of(plain);
    let all = [&client, &passed_client, &web_client, &plain_client];

    for filter in ["lport:2222", "rport:41001", "rport:41003", "lport:2222 state:listen"] {
        let closed = run(&["close", "--yes", "--listeners", "--format", "json", filter]);
        let document = document(&closed, "close");
        assert_eq!(closed.code, 1, "{filter}: {}", closed.stdout);
        let outcomes = outcomes(&document);
        assert!(!outcomes.is_empty() && outcomes.iter().all(|outcome| *outcome == "refused"), "{filter}: {document}");
        assert_eq!(document["left_out"]["ssh"], document["targets"].as_array().expect("a list").len(), "{filter}");
        assert!(closed.stderr.contains("--including-ssh"), "{filter}: {}", closed.stderr);
        assert!(!all.iter().any(|client| is_reset(client)), "{filter}");
    }
    // The other end of such a connection is of it; this one is the test's own and refused for that already.
    let planned = run(&["close", "--dry-run", "--format", "json", "lport:41002"]);
    assert_eq!(document(&planned, "close")["targets"][0]["cautions"], serde_json::json!(["ssh"]));
    // Among others they are left out and the others are closed; the exit code says that not all are.
    let closed = run(&["close", "--yes", "lport:8080,2222", "state:established"]);
    assert_eq!(closed.code, 1);
    assert!(closed.stdout.contains("--including-ssh closes it too"), "{}", closed.stdout);
    assert!(is_reset(&plain_client) && !is_reset(&client) && !is_reset(&passed_client) && !is_reset(&web_client));
    let planned = run(&["close", "--dry-run", "--including-ssh", "--format", "json", "rport:41001"]);
    let planned = document(&planned, "close");
    assert_eq!((outcomes(&planned), &planned["targets"][0]["cautions"][0]), (vec!["planned"], &"ssh".into()));
    let closed = run(&["close", "--yes", "--including-ssh", "rport:41001"]);
    assert_eq!(closed.code, 0, "{}{}", closed.stdout, closed.stderr);
    assert!(is_reset(&client) && !is_reset(&passed_client));
}

#[test]
fn ssh_servers_take_a_flag_whoever_started_them() {
    if !inside_namespace() {
        return;
    }
    for (index, name) in ["sshd", "sshd-session", "dropbear", "mosh-server"].into_iter().enumerate() {
        let port = 7100 + u16::try_from(index).expect("small");
        let (mut server, _copied) = called(name, TcpListener::bind(("127.0.0.1", port)).expect("nobody else is here"));
        let mut other = Holder::of(TcpListener::bind(("127.0.0.1", port + 100)).expect("nobody else is here"));
        let filter = format!("lport:{port},{}", port + 100);
        let killed = run(&["kill", "--yes", "--wait", "30", "--format", "json", &filter]);
        let document = document(&killed, "kill");
        let mut seen = outcomes(&document);
        seen.sort_unstable();
        assert_eq!((killed.code, seen), (1, vec!["ended", "refused"]), "{name}: {}", killed.stderr);
        assert!(killed.stderr.contains("1 ssh server left out") && killed.stderr.contains("--including-ssh"), "{name}");
        assert!(server.lives(), "{name}");
        other.end();
        let killed = run(&["kill", "--yes", "--wait", "30", "--including-ssh", &format!("lport:{port}")]);
        assert_eq!(killed.code, 0, "{name}: {}{}", killed.stdout, killed.stderr);
        server.end();
    }
}

#[test]
fn the_init_of_a_container_is_pointed_out() {
    if !alone_in_namespace() {
        return;
    }
    let mut launcher = Command::new("unshare");
    launcher.args(["-pmf", "--mount-proc", "--kill-child", "python3"]);
    let code = "s = socket.create_server(('127.0.0.1', 7001))
if os.fork() == 0:
    s.close(); t = socket.create_server(('127.0.0.1', 7002)); print('ready', flush=True)";
    let _container = PythonProcess::by(launcher, code);
    let document_of = |filter: &str| {
        let planned = run(&["kill", "--dry-run", "--format", "json", filter]);
        (document(&planned, "kill"), planned.stderr)
    };
    let (init, stderr) = document_of("lport:7001");
    assert_eq!(init["targets"][0]["cautions"], serde_json::json!(["container-init"]));
    assert!(stderr.contains("the kernel ends the whole container"), "{stderr}");
    let text = run(&["kill", "--dry-run", "lport:7001"]);
    assert!(text.stdout.contains("pid 1 of a container"), "{}", text.stdout);
    let (other, stderr) = document_of("lport:7002");
    assert_eq!(other["targets"][0]["cautions"], serde_json::json!([]));
    assert!(!stderr.contains("container"), "{stderr}");
}

#[test]
fn command_lines_are_shown_only_when_asked_for() {
    if !inside_namespace() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:7001").expect("nobody else is here");
    let (_client, server) = connect(&listener, "127.0.0.1:41001");
    let secret = |socket: OwnedFd| {
        let mut sleep = Command::new("sleep");
        sleep.args(["600", "0.271828"]);
        Holder::running(sleep, socket)
    };
    let _holders = (secret(listener.into()), secret(server.into()));
    for verb in ["kill", "close"] {
        for format in ["text", "json", "ndjson"] {
            let plan = |more: &[&str]| {
                let fixed = [verb, "--dry-run", "--format", format, "lport:7001 state:listen,established"];
                let planned = run(&[&fixed[..], more].concat());
                assert_eq!(planned.code, 0, "{}", planned.stderr);
                planned.stdout + &planned.stderr
            };
            assert!(!plan(&[]).contains("0.271828"), "{verb} {format}");
            assert!(plan(&["--command"]).contains("sleep 600 0.271828"), "{verb} {format}");
        }
    }
}

#[test]
fn a_plan_over_network_namespaces_shows_them() {
    let Some(netns) = Netns::new() else { return };
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a free port");
    let (here, there) = (Holder::of(listen()), Holder::of(netns.inside(listen)));
    let filter = format!("pid:{},{}", here.pid(), there.pid());
    for verb in ["kill", "close"] {
        let plan = |format: &str, all: &[&str]| {
            let fixed = [verb, "--dry-run", "--format", format, &filter, "state:listen"];
            let planned = run(&[&fixed[..], all].concat());
            assert_eq!(planned.code, 0, "{}", planned.stderr);
            planned
        };
        let text = plan("text", &["--all-netns"]).stdout;
        assert!(text.contains("NAMESPACE") && text.contains(&netns.name), "{verb}: {text}");
        assert!(!plan("text", &[]).stdout.contains("NAMESPACE"), "{verb}: one is not told apart");
        let json = document(&plan("json", &["--all-netns"]), verb);
        let of = |target: &Value| {
            if verb == "kill" { target["netns"][0].clone() } else { target["socket"]["netns"].clone() }
        };
        let seen: Vec<Value> = json["targets"].as_array().expect("a list").iter().map(of).collect();
        assert!(seen.len() == 2 && seen.contains(&netns.inode.into()), "{verb}: {seen:?}");
    }
}
