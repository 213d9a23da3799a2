//! Whose a socket is where that is not written under `/proc/PID/fd`, or nowhere: what is not found is never "none".
//! Scenes in namespaces of their own (as root; else each test says that it did not run).

#![cfg(target_os = "linux")]

use std::process::Command;

use serde_json::Value;

use crate::skip::skip;

/// Runs `scene` (shell, with `$CONNTOP`) in network and mount namespaces of its own; what it prints, as JSON lines.
fn rows(scene: &str) -> Option<Vec<Value>> {
    if !rustix::process::geteuid().is_root() {
        skip("it makes namespaces, which takes root");
        return None;
    }
    let output = Command::new("unshare")
        .args(["--net", "--mount", "--propagation", "private", "sh", "-c"])
        .arg(format!("ip link set lo up || exit 1\n{scene}"))
        .env("CONNTOP", env!("CARGO_BIN_EXE_conntop"))
        .output()
        .expect("unshare(1)");
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let errors = String::from_utf8_lossy(&output.stderr);
    let row = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{printed}{errors}"));
    let rows: Vec<Value> = printed.lines().map(row).collect();
    assert!(!rows.is_empty(), "{errors}");
    Some(rows)
}

fn at(rows: &[Value], port: u64) -> &Value {
    rows.iter().find(|row| row["lport"] == port).expect("the socket is listed")
}

/// A program that prints a line when its sockets are open, and is ended with the scene.
fn with(program: &str, then: &str) -> String {
    format!(
        "mkfifo /tmp/owners-$$ && trap 'pkill -P $child; kill $child; rm -f /tmp/owners-$$' EXIT\n\
         python3 -u -c '{program}' > /tmp/owners-$$ & child=$!\nread ready < /tmp/owners-$$\n{then}"
    )
}

const LIST: &str = "$CONNTOP list --format ndjson";
const HOLD: &str = "import socket, time
s = socket.create_server((\"127.0.0.1\", 7000)); u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind((\"127.0.0.1\", 7001)); print(); time.sleep(60)";

#[test]
fn a_process_whose_main_thread_has_ended_is_named_with_its_thread() {
    let program = "import ctypes, socket, threading, time
s = socket.create_server((\"127.0.0.1\", 7000))
def work():
    ctypes.CDLL(None).prctl(15, b\"worker\", 0, 0, 0); time.sleep(.3); print(); time.sleep(60)
threading.Thread(target=work, daemon=True).start(); time.sleep(.1)
ctypes.CDLL(None).syscall(60, 0)";
    let Some(rows) = rows(&with(program, LIST)) else { return };
    let listener = at(&rows, 7000);
    assert_eq!((&listener["owner"], &listener["owners"][0]["thread"]), (&"live".into(), &"worker".into()));
}

#[test]
fn sockets_in_private_descriptor_tables_are_found() {
    // The second table has as many descriptors as that of the main thread.
    let program = "import ctypes, os, socket, threading, time
a, b = socket.create_server((\"127.0.0.1\", 7000)), socket.create_server((\"127.0.0.1\", 7001))
def work(port, spare):
    assert ctypes.CDLL(None).unshare(0x400) == 0
    if spare: os.close(spare)
    s = socket.create_server((\"127.0.0.1\", port)); time.sleep(60)
for port, spare in ((7002, 0), (7003, b.fileno())):
    threading.Thread(target=work, args=(port, spare), daemon=True).start(); time.sleep(.2)
print(); time.sleep(60)";
    let Some(rows) = rows(&with(program, LIST)) else { return };
    for port in 7000..=7003 {
        let socket = at(&rows, port);
        assert_eq!(
            (&socket["owner"], socket["owners"][0]["thread"].is_string()),
            (&"live".into(), port > 7001),
            "{port}"
        );
    }
}

#[test]
fn without_proc_nothing_is_none() {
    let scene = with(HOLD, &format!("mount -t tmpfs none /proc\n{LIST}"));
    let Some(rows) = rows(&scene) else { return };
    for port in [7000, 7001] {
        assert_eq!(at(&rows, port)["owner"], "hidden");
    }
}

#[test]
fn where_reading_fails_nothing_is_none() {
    if Command::new("strace").arg("-V").output().is_err() {
        skip("strace(1) is not installed");
        return;
    }
    for (call, error) in [
        ("getdents64", "EIO"),
        ("readlinkat", "ENOMEM"),
        ("readlinkat", "EIO"),
        ("openat", "EMFILE"),
        ("openat", "ENFILE"),
        ("openat", "EACCES"),
    ] {
        // What fails is the reading of the holder's own folders; the last line counts how often it did.
        let inject = format!(
            "log=/tmp/owners-$$.log; env -u LD_LIBRARY_PATH strace -f -qq -o $log -P /proc/$child -P /proc/$child/fd \
             -e trace={call} -e inject={call}:error={error} {LIST}\n\
             printf '{{\"injected\":%s}}\\n' $(grep -c INJECTED $log); rm $log"
        );
        let Some(mut rows) = rows(&with(HOLD, &inject)) else { return };
        let injected = rows.pop().and_then(|last| last["injected"].as_u64());
        assert!(injected > Some(0), "{call} {error}: {injected:?} calls failed");
        let owners = [7000, 7001].map(|port| at(&rows, port)["owner"].clone());
        assert_eq!(owners, ["hidden", "hidden"], "{call} {error}");
    }
}

#[test]
fn what_ends_before_its_holder_is_seen_is_neither_hidden_nor_none() {
    let program = "import os, signal, socket
signal.alarm(20)
s = socket.create_server((\"127.0.0.1\", 7000), backlog=99)
if os.fork():
    print()
    while True:
        c, _ = s.accept(); c.recv(9); c.close()
signal.alarm(20)
while True:
    for c in [socket.create_connection((\"127.0.0.1\", 7000)) for _ in range(20)]: c.send(b\"x\"); c.recv(9); c.close()";
    let list = format!("for i in 1 2 3; do {LIST} state:established; done");
    let Some(rows) = rows(&with(program, &list)) else { return };
    for row in rows {
        let owner = row["owner"].as_str().expect("a word");
        assert!(["live", "unaccepted", "vanished"].contains(&owner), "{row}");
    }
}
