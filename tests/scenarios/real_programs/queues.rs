//! Listeners that cannot take what comes.

use std::time::Duration;

use super::clients::HttpClients;
use super::programs::{gunicorn, nginx, redis};
use super::verdicts::{BegunWithin, Cause, look};
use crate::namespace::alone_in_namespace;
use crate::setup::{ScriptedProcess, set, sockets, wait_until};

/// The one worker of a gunicorn sleeps, and its queue of 8 is full; the clients are those of nginx before it.
#[test]
fn a_busy_gunicorn_behind_nginx() {
    if !alone_in_namespace() {
        return;
    }
    let app = gunicorn(8201, &["--backlog", "8"]);
    let proxy = "proxy_read_timeout 300s; proxy_connect_timeout 60s; \
                 server { listen 127.0.0.1:8200; location / { proxy_pass http://127.0.0.1:8201; } }";
    let _proxy = nginx(8200, proxy);
    let (begun, _clients) = BegunWithin::during(|| {
        let clients = HttpClients::new(30, Duration::from_secs(1), 8200, "/sleep/60", false);
        wait_until("the queue is full", || sockets("state syn-sent dport = :8201") > 5);
        clients
    });
    let look = look(6);
    let finding = Cause { rule: "accept-queue-full", of: &[&app], place: "on 127.0.0.1:8201" }.only(&look);
    assert!(finding["sentence"].as_str().is_some_and(|words| words.contains("9 of 8")), "{}", look.checked);
    begun.holds(finding, &look);
    look.line_names(&["gunicorn", "8201"]);
}

/// Clients that never finish the handshake, at a redis, with SYN cookies off: whoever means well gets no answer.
#[test]
fn syns_of_redis_are_dropped() {
    if !alone_in_namespace() || !set("ipv4/tcp_syncookies", "0") {
        return;
    }
    assert!(set("ipv4/tcp_max_syn_backlog", "64"));
    // A peer that the kernel remembers to have connected before is let in (tcp_peer_is_proven): it shall remember none.
    assert!(set("ipv4/tcp_no_metrics_save", "1"));
    let server = redis(6380, &[]);
    let mut ghosts = ScriptedProcess::new("ghosts");
    let (begun, ()) = BegunWithin::during(|| {
        ghosts.tell("syn-flood 127.0.0.1 6380 100");
        wait_until("the queue is full", || sockets("state syn-recv sport = :6380") >= 48);
    });
    let look = look(6);
    let finding = Cause { rule: "syn-drops", of: &[&server], place: "on 127.0.0.1:6380" }.first(&look);
    begun.holds(finding, &look);
    look.line_names(&["redis-server", "6380"]);
}
