//! What the kernel tells of a socket only to those who ask for it, and what it tells in numbers of its own: MPTCP, ports
//! that are only bound, drops, payload, clocks, Fast Open. Each test has the kernel make the situation and asks conntop.

#![cfg(target_os = "linux")]

use serde_json::Value;

use crate::acting::{PythonProcess, document, listed, outcomes, wait};
use crate::namespace::alone_in_namespace;
use crate::program::run;
use crate::skip::skip;

/// `key` of each socket that passes `filter`, in order.
fn told(filter: &str, key: &str) -> Vec<String> {
    let mut values: Vec<_> = listed(filter).iter().map(|socket| word(&socket[key])).collect();
    values.sort_unstable();
    values
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// A listener at 7100 that accepts ten MPTCP connections; five of their clients close, the last two are not accepted.
const MPTCP: &str = "
open('/proc/sys/net/mptcp/enabled', 'w').write('1')
s = socket.socket(2, 1, 262); s.bind(('127.0.0.1', 7100)); s.listen(99); keep = [s]
for i in range(12):
    c = socket.socket(2, 1, 262); c.connect(('127.0.0.1', 7100)); keep.append(c)
    if i < 10: keep.append(s.accept()[0])
    if i < 5: c.send(b'x' * 100 * i)
    if i < 5: c.close()
print('ready', flush=True)";

#[test]
fn an_mptcp_connection_has_its_own_state_queue_and_owner_and_counts_once() {
    if !std::path::Path::new("/proc/sys/net/mptcp/enabled").exists() {
        skip("this kernel has no MPTCP");
        return;
    }
    if !alone_in_namespace() {
        return;
    }
    let python = PythonProcess::new(MPTCP);
    wait("the ends to arrive", || told("proto:mptcp state:close-wait", "state").len() == 5);
    assert_eq!(told("proto:mptcp lport:7100 state:established owner:live", "state").len(), 5);
    assert_eq!(told("proto:mptcp lport:7100 state:established owner:unaccepted", "state").len(), 2);
    let close_wait = listed("proto:mptcp state:close-wait");
    assert!(close_wait.iter().all(|socket| socket["pid"] == python.pid() && socket["age_seconds"].is_number()));
    let mut received: Vec<_> = close_wait.iter().map(|socket| socket["rx_bytes"].as_u64().expect("counted")).collect();
    received.sort_unstable();
    assert_eq!(received, [0, 100, 200, 300, 400], "payload, without the end");
    // What is unread is told, but not whether the end of an empty queue is.
    let verdicts: Vec<_> = close_wait.iter().map(|socket| word(&socket["verdict"])).collect();
    let stuck = verdicts.iter().filter(|verdict| **verdict == "stuck-reader").count();
    assert_eq!((stuck, verdicts.iter().filter(|verdict| **verdict == "null").count()), (4, 1), "{verdicts:?}");
    // The subflows: ESTABLISHED, and never told to wait for accept() or to be nobody's where their connection is not.
    assert_eq!(told("subflow:yes lport:7100 owner:unaccepted", "state").len(), 2);
    assert_eq!(told("subflow:yes lport:7100 state:established owner:live", "state").len(), 10);
    let once = run(&["list", "--count-only", "!subflow:yes", "lport:7100", "not", "state:listen"]);
    assert_eq!(once.stdout.trim(), "12");
    let ports = run(&["ports", "--format", "json"]);
    assert_eq!(ports.stdout.matches("\"lport\":7100").count(), 1, "{}", ports.stdout);
    let closed = run(&["close", "--yes", "--format", "json", "lport:7100", "state:close-wait"]);
    assert_eq!(outcomes(&document(&closed, "close")), ["unsupported"; 5]);
    assert_ne!(closed.code, 0);
    assert_eq!(told("proto:mptcp state:close-wait", "state").len(), 5, "nothing was done");
    let carriers = run(&["close", "--yes", "--format", "json", "subflow:yes", "lport:7100", "state:established"]);
    assert_eq!(outcomes(&document(&carriers, "close")), ["refused"; 12], "their process would not be told");
}

#[test]
fn a_port_that_is_only_bound_has_a_row_with_its_owner() {
    if !alone_in_namespace() {
        return;
    }
    let python = PythonProcess::new(
        "a = socket.socket(); a.bind(('127.0.0.1', 7900)); b = socket.socket(10, 1); b.bind(('::1', 7901))
print('ready', flush=True)",
    );
    let bound = listed("state:bound");
    if bound.is_empty() {
        skip("this kernel does not list sockets that are only bound (Linux 6.8)");
        return;
    }
    assert_eq!(told("state:bound", "lport"), ["7900", "7901"]);
    for socket in &bound {
        assert_eq!((word(&socket["state"]), word(&socket["proto"])), ("BOUND".to_owned(), "tcp".to_owned()));
        assert!(socket["pid"] == python.pid() && socket["raddr"].is_null() && socket["verdict"].is_null(), "{socket}");
    }
    assert_eq!(told("lport:7900", "owner"), ["live"], "who has my port");
    assert_eq!(told("state:connected", "state").len() + told("state:listen", "state").len(), 0);
    let ports = run(&["ports"]);
    assert!(!ports.stdout.contains("7900"), "it cannot be reached: {}", ports.stdout);
    let netstat = run(&["netstat", "-a", "-n"]);
    assert!(netstat.stdout.contains("127.0.0.1:7900") && netstat.stdout.contains("BOUND"), "{}", netstat.stdout);
    assert!(!run(&["netstat", "-n"]).stdout.contains("7900"), "it is no connection");
    let closed = run(&["close", "--yes", "--format", "json", "state:bound"]);
    assert_eq!(outcomes(&document(&closed, "close")), ["still-there"; 2]);
    assert_ne!(closed.code, 0);
    assert_eq!(told("state:bound", "lport"), ["7900", "7901"], "nothing was done");
}

#[test]
fn drops_of_udp_and_of_listeners_are_on_the_row() {
    if !alone_in_namespace() {
        return;
    }
    let _python = PythonProcess::new(
        "
u = socket.socket(2, 2); u.setsockopt(1, 8, 4096); u.bind(('127.0.0.1', 7300)); c = socket.socket(2, 2)
for i in range(50): c.sendto(b'x' * 1000, ('127.0.0.1', 7300))
s = socket.create_server(('127.0.0.1', 7301), backlog=1); keep = []
for i in range(5):
    k = socket.socket(); k.setblocking(False); k.connect_ex(('127.0.0.1', 7301)); keep.append(k)
time.sleep(0.3)
print('ready', flush=True)",
    );
    let table = std::fs::read_to_string("/proc/thread-self/net/udp").expect("/proc/net");
    let line = table.lines().find(|line| line.contains(":1C84")).expect("port 7300");
    let drops = line.split_whitespace().last().expect("the column drops");
    assert!(drops.parse::<u32>().is_ok_and(|drops| drops > 0), "{table}");
    assert_eq!(told("proto:udp lport:7300 drops>0", "drops"), [drops]);
    let procfs = run(&["list", "--source", "procfs", "--format", "ndjson", "lport:7300"]);
    assert!(procfs.stdout.contains(&format!("\"drops\":{drops},")), "{}", procfs.stdout);
    let listener: u32 = told("state:listen lport:7301", "drops")[0].parse().expect("a number");
    assert!(listener > 0, "the kernel dropped what the queue could not take");
}

/// Payload of both ends in several states: each pair is `(client's tx = server's rx, server's tx = client's rx)`.
const PAYLOAD: &str = "
s = socket.create_server(('127.0.0.1', 7400)); keep = [s]
def pair(up, down):
    c = socket.create_connection(('127.0.0.1', 7400)); a = s.accept()[0]; keep.extend([c, a])
    c.sendall(b'u' * up); a.sendall(b'd' * down); return c, a
pair(0, 0); pair(3, 0); pair(0, 7); pair(100000, 50)
for up, down in [(0, 0), (3, 5), (1, 0)]:
    c, a = pair(up, down); c.shutdown(1)
for up, down in [(0, 0), (3, 5), (0, 1)]:
    c, a = pair(up, down); a.shutdown(1)
c, a = pair(2, 2); c.shutdown(1); a.sendall(b'later')
time.sleep(0.3)
print('ready', flush=True)";

#[test]
fn payload_has_neither_syn_nor_fin_in_any_state_at_either_end() {
    if !alone_in_namespace() {
        return;
    }
    let _python = PythonProcess::new(PAYLOAD);
    let counts = |filter: &str| {
        let number = |value: &Value| value.as_u64().expect("counted");
        let of = |socket: &Value| (number(&socket["rx_bytes"]), number(&socket["tx_bytes"]));
        let mut counts: Vec<_> = listed(filter).iter().map(of).collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(counts("state:established rport:7400"), [(0, 0), (0, 3), (7, 0), (50, 100_000)]);
    assert_eq!(counts("state:established lport:7400"), [(0, 0), (0, 7), (3, 0), (100_000, 50)]);
    assert_eq!(counts("state:fin-wait-2 rport:7400"), [(0, 0), (0, 1), (5, 3), (7, 2)]);
    assert_eq!(counts("state:close-wait lport:7400"), [(0, 0), (1, 0), (2, 7), (3, 5)]);
    assert_eq!(counts("state:fin-wait-2 lport:7400"), [(0, 0), (0, 1), (3, 5)]);
    assert_eq!(counts("state:close-wait rport:7400"), [(0, 0), (1, 0), (5, 3)]);
}

#[test]
fn a_clock_that_was_never_set_makes_no_socket_old() {
    if !alone_in_namespace() {
        return;
    }
    let _python = PythonProcess::new(
        "s = socket.socket(); s.bind(('127.0.0.1', 7501)); s.connect(('127.0.0.1', 7501))
print('ready', flush=True)",
    );
    let connected = listed("lport:7501 state:established");
    let age = connected[0]["age_seconds"].as_f64().expect("at least so old");
    assert!(age < 30.0, "{age}");
}

#[test]
fn a_fast_open_connection_waits_to_be_accepted() {
    if !alone_in_namespace() {
        return;
    }
    // Without an answer to the client, those with a cookie are queued in SYN_RECV.
    let python = PythonProcess::new(
        "
import subprocess
open('/proc/sys/net/ipv4/tcp_fastopen', 'w').write('3')
t = socket.socket(); t.bind(('127.0.0.1', 7002)); t.setsockopt(6, 23, 16); t.listen(16); keep = [t]
def fast(data):
    c = socket.socket(); c.setblocking(False); keep.append(c)
    try: c.sendto(data, 0x20000000, ('127.0.0.1', 7002))
    except BlockingIOError: pass
fast(b'cookie'); time.sleep(0.2); keep.append(t.accept()[0]); fast(b'early'); time.sleep(0.2)
rule = 'table ip t { chain i { type filter hook input priority 0; tcp sport 7002 drop;\\n }\\n }\\n'
try: works = subprocess.run(['nft', '-f', '-'], input=rule, text=True).returncode == 0
except FileNotFoundError: works = False
fast(b'queued'); fast(b'queued'); time.sleep(0.2)
print(works, flush=True)",
    );
    assert!(told("lport:7002 owner:unaccepted state:established", "rx_bytes").contains(&"5".to_owned()));
    if python.said != "True" {
        skip("the part with a firewall: nft does not work here");
        return;
    }
    assert_eq!(told("lport:7002 owner:unaccepted", "state"), ["ESTABLISHED", "SYN_RECV", "SYN_RECV"]);
    assert_eq!(told("lport:7002 state:listen", "backlog"), ["3"]);
}
