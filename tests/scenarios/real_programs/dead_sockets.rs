//! Sockets that left the kernel's tables but not their process.

use super::clients::get;
use super::programs::{gunicorn, nginx, redis};
use super::verdicts::{BegunWithin, look};
use crate::namespace::alone_in_namespace;
use crate::setup::{set, sockets, wait_for_sockets, wait_until};

/// nginx resets what sends no whole request within a second, and the application never looks at it again.
#[test]
fn connections_that_nginx_has_reset_are_held() {
    if !alone_in_namespace() {
        return;
    }
    let http = "reset_timedout_connection on; client_header_timeout 1s; server { listen 127.0.0.1:8401; }";
    let _upstream = nginx(8401, http);
    let app = gunicorn(8402, &[]);
    (0..110).for_each(|_| assert_eq!(get(8402, "/hold/8401").expect("it answers"), 200));
    wait_until("all are reset", || sockets("state established dport = :8401") == 0);
    let look = look(7);
    let [finding] = look.checked.findings() else { panic!("{}", look.checked) };
    assert_eq!((&finding["rule"], &finding["sockets"]), (&"held-dead-sockets".into(), &110.into()), "{}", look.checked);
    assert!(finding["pid"].as_u64().is_some_and(|pid| app.pids().contains(&pid)), "{}", look.checked);
    look.line_names(&["gunicorn", "110"]);
}

/// Redis closes idle clients, its kernel forgets its ends after `tcp_fin_timeout`, and keep-alive, which the application
/// has on as Go has, is answered by a reset: `CLOSE_WAIT` becomes a socket in no table. It stays one finding.
#[test]
fn a_leak_that_changes_its_form_stays_one() {
    if !alone_in_namespace() || !set("ipv4/tcp_fin_timeout", "14") {
        return;
    }
    let _upstream = redis(6379, &["--timeout", "1"]);
    let app = gunicorn(8402, &[]);
    let (begun, ()) = BegunWithin::during(|| {
        (0..110).for_each(|_| assert_eq!(get(8402, "/leak-redis/6379").expect("it answers"), 200));
        wait_for_sockets("state close-wait dport = :6379", 110);
    });
    let is_one = |seconds| {
        let look = look(seconds);
        let [finding] = look.checked.findings() else { panic!("one finding: {}", look.checked) };
        assert_eq!(finding["sockets"], 110, "{}", look.checked);
        assert!(finding["pid"].as_u64().is_some_and(|pid| app.pids().contains(&pid)), "{}", look.checked);
        begun.holds(finding, &look);
        (finding["rule"].clone(), sockets("state close-wait dport = :6379"))
    };
    assert_eq!(is_one(6), ("close-wait-leak".into(), 110));
    // Its history is known to who has seen it begin.
    assert_eq!(is_one(16).1, 0, "all were reset");
    let look = look(7);
    let [finding] = look.checked.findings() else { panic!("one finding: {}", look.checked) };
    assert_eq!((&finding["rule"], &finding["sockets"]), (&"held-dead-sockets".into(), &110.into()), "{}", look.checked);
}
