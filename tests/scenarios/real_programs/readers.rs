//! Programs that do not read what is sent to them.

use std::io::Write;
use std::time::Duration;

use rustix::process::Signal;

use super::clients::dial;
use super::programs::{Program, nginx, redis};
use super::verdicts::{BegunWithin, Cause, look};
use crate::namespace::alone_in_namespace;
use crate::setup::{sockets, wait_until};

/// How much is unread by the clients of this port of 127.0.0.1, in bytes.
fn unread(port: u16) -> u64 {
    let output = std::process::Command::new("ss").args(["-Htn", &format!("dport = :{port}")]).output();
    let text = String::from_utf8(output.expect("ss is there").stdout).expect("text");
    text.lines().filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
}

/// A stopped `redis-cli monitor`, while megabytes are written.
#[test]
fn a_stopped_redis_cli_monitor() {
    if !alone_in_namespace() {
        return;
    }
    let _server = redis(6379, &[]);
    let monitor = Program::start("redis-cli", |_| ["-p", "6379", "monitor"].map(str::to_owned).to_vec());
    wait_until("it is connected", || sockets("state established dport = :6379") == 1 && !monitor.log().is_empty());
    monitor.signal(Signal::STOP);
    let (begun, _writer) = BegunWithin::during(|| {
        let mut writer = dial(6379).expect("it listens");
        let value = "x".repeat(100_000);
        for _ in 0..150 {
            write!(writer, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n{value}\r\n").expect("it reads");
            let mut answer = [0; 5];
            std::io::Read::read_exact(&mut writer, &mut answer).expect("it answers");
        }
        wait_until("a full queue", || unread(6379) > 30_000);
        writer
    });
    stuck(&monitor, "to 127.0.0.1:6379", &begun);
}

/// A curl that was stopped in the middle of a large file.
#[test]
fn a_stopped_curl_of_nginx() {
    if !alone_in_namespace() {
        return;
    }
    let server = nginx(8501, "server { listen 127.0.0.1:8501; }");
    let file = std::fs::File::create(format!("/proc/{}/cwd/large", server.pid())).expect("ours");
    file.set_len(1 << 38).expect("it is sparse");
    let (begun, curl) = BegunWithin::during(|| {
        let arguments = ["-s", "-o", "/dev/null", "http://127.0.0.1:8501/large"];
        let curl = Program::start("curl", |_| arguments.map(str::to_owned).to_vec());
        wait_until("it is reading", || sockets("state established dport = :8501") == 1);
        std::thread::sleep(Duration::from_secs(1));
        curl.signal(Signal::STOP);
        wait_until("a full queue", || unread(8501) > 500_000);
        curl
    });
    stuck(&curl, "to 127.0.0.1:8501", &begun);
}

fn stuck(reader: &Program, place: &str, begun: &BegunWithin) {
    let look = look(15);
    let finding = Cause { rule: "local-reader-stuck", of: &[reader], place }.only(&look);
    begun.holds(finding, &look);
    look.line_names(&[reader.name]);
}
