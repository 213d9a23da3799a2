//! Connections that an upstream has closed, and an application never does.

use std::time::Duration;

use super::clients::get;
use super::programs::{gunicorn, nginx, redis};
use super::verdicts::{BegunWithin, Cause, counts, look};
use crate::namespace::alone_in_namespace;
use crate::setup::{sockets, wait_for_sockets};

/// An application opens a connection to nginx with each request and keeps it; nginx closes it after a second.
#[test]
fn connections_to_nginx_are_never_closed() {
    if !alone_in_namespace() {
        return;
    }
    let _upstream = nginx(8101, "keepalive_timeout 1s; server { listen 127.0.0.1:8101; }");
    let app = gunicorn(8102, &[]);
    let (begun, _) = BegunWithin::during(|| get(8102, "/leak/8101").expect("it answers"));
    (1..120).for_each(|_| assert_eq!(get(8102, "/leak/8101").expect("it answers"), 200));
    leaks(&app, "8101", 120, &begun.later(Duration::from_secs(1)));
}

/// The same with a redis that closes what has been idle for a second.
#[test]
fn connections_to_redis_are_never_closed() {
    if !alone_in_namespace() {
        return;
    }
    let _upstream = redis(6379, &["--timeout", "1"]);
    let app = gunicorn(8102, &[]);
    let (begun, _) = BegunWithin::during(|| get(8102, "/leak-redis/6379").expect("it answers"));
    (1..110).for_each(|_| assert_eq!(get(8102, "/leak-redis/6379").expect("it answers"), 200));
    // Redis looks at a part of its clients a second.
    let begun = BegunWithin { latest: begun.latest + Duration::from_secs(5), ..begun.later(Duration::from_secs(1)) };
    leaks(&app, "6379", 110, &begun);
}

fn leaks(app: &super::programs::Program, port: &str, number: usize, begun: &BegunWithin) {
    let filter = format!("state close-wait dport = :{port}");
    wait_for_sockets(&filter, number);
    let look = look(7);
    let place = format!("to 127.0.0.1:{port}");
    let finding = Cause { rule: "close-wait-leak", of: &[app], place: &place }.only(&look);
    counts(finding, number, &filter);
    assert_eq!((sockets(&filter), finding["sockets"].as_u64()), (number, Some(number as u64)), "{}", look.checked);
    begun.holds(finding, &look);
    look.line_names(&[app.name, &number.to_string(), port]);
}
