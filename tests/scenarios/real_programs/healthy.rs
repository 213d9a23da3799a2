//! Programs that are well and busy, of which nothing may be said.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;

use super::clients::{HttpClients, ask, dial};
use super::programs::{Program, gunicorn, haproxy, nginx, redis};
use crate::namespace::alone_in_namespace;
use crate::setup::{sockets, wait_until};
use crate::verdict::check;

/// Keep-alive clients of nginx and of haproxy before it, idle ones, and a reload under load.
#[test]
fn healthy_nginx_and_haproxy_with_a_reload() {
    if !alone_in_namespace() {
        return;
    }
    let server = nginx(8701, "server { listen 127.0.0.1:8701; }");
    let sections =
        "frontend shop\n bind 127.0.0.1:8700\n default_backend app\nbackend app\n server app1 127.0.0.1:8701";
    let _proxy = haproxy(8700, " timeout connect 5s", sections);
    let idle: Vec<_> = (0..50).map(|_| dial(8701).expect("it listens")).collect();
    let direct = HttpClients::new(4, Duration::from_millis(20), 8701, "/small", true);
    let proxied = HttpClients::new(4, Duration::from_millis(20), 8700, "/small", true);
    let reload = std::thread::spawn(move || {
        sleep(Duration::from_secs(3));
        server.signal(Signal::HUP);
        server
    });
    check(&["--for", "8"]).none();
    assert!(direct.counts().0 > 100 && proxied.counts().0 > 100, "{:?} {:?}", direct.counts(), proxied.counts());
    // The clients go before the server: they would be refused.
    let server = reload.join().expect("no panic");
    drop((idle, direct, proxied));
    check(&["--for", "2"]).none();
    drop(server);
}

/// redis-benchmark at full speed, with clients that listen to what is published, and some that do nothing.
#[test]
fn healthy_redis_benchmark() {
    if !alone_in_namespace() {
        return;
    }
    let _server = redis(6379, &["--timeout", "0"]);
    let _subscriber = Program::start("redis-cli", |_| ["subscribe", "news"].map(str::to_owned).to_vec());
    let idle: Vec<_> = (0..100).map(|_| dial(6379).expect("it listens")).collect();
    let words = ["-q", "-c", "20", "-n", "200000", "-t", "set,get"];
    let benchmark = Program::start("redis-benchmark", |_| words.map(str::to_owned).to_vec());
    check(&["--for", "8"]).none();
    wait_until("it has measured both commands", || benchmark.log().matches("requests per second").count() >= 2);
    drop(idle);
    check(&["--for", "2"]).none();
}

/// gunicorn behind nginx, whose workers are replaced while requests come in.
#[test]
fn healthy_gunicorn_with_a_graceful_reload() {
    if !alone_in_namespace() {
        return;
    }
    let app = gunicorn(8711, &["--workers", "2"]);
    let http = "server { listen 127.0.0.1:8710; location / { proxy_pass http://127.0.0.1:8711; } }";
    let _proxy = nginx(8710, http);
    let clients = HttpClients::new(4, Duration::from_millis(100), 8710, "/", true);
    let reload = std::thread::spawn(move || {
        sleep(Duration::from_secs(3));
        app.signal(Signal::HUP);
        app
    });
    check(&["--for", "8"]).none();
    assert!(clients.counts().0 > 50, "{:?}", clients.counts());
    drop(reload.join().expect("no panic"));
}

/// A download that is slow because it was asked to be.
#[test]
fn healthy_curl_with_a_limit() {
    if !alone_in_namespace() {
        return;
    }
    let server = nginx(8721, "server { listen 127.0.0.1:8721; }");
    let file = std::fs::File::create(format!("/proc/{}/cwd/large", server.pid())).expect("ours");
    file.set_len(1 << 30).expect("it is sparse");
    let arguments = ["-s", "--limit-rate", "2M", "-o", "/dev/null", "http://127.0.0.1:8721/large"];
    let _curl = Program::start("curl", |_| arguments.map(str::to_owned).to_vec());
    check(&["--for", "15"]).none();
    assert_eq!(sockets("state established dport = :8721"), 1, "the download goes on");
}

/// A scraper with new connections every few seconds, some of which are refused while its target is replaced.
#[test]
fn healthy_scrapes_of_a_server_that_is_replaced() {
    if !alone_in_namespace() {
        return;
    }
    let conf = "server { listen 127.0.0.1:8731; }";
    let server = nginx(8731, conf);
    let scraper = std::thread::spawn(|| {
        let mut answered = 0;
        for _ in 0..5 {
            let scrapes: Vec<_> = (0..50).map(|_| dial(8731)).collect();
            let answers = scrapes.into_iter().flatten().map(|mut scrape| ask(&mut scrape, "/small"));
            answered += answers.filter(|status| status.as_ref().is_ok_and(|status| *status == 200)).count();
            sleep(Duration::from_secs(2));
        }
        answered
    });
    let replaced = std::thread::spawn(move || {
        sleep(Duration::from_secs(3));
        drop(server);
        sleep(Duration::from_millis(300));
        nginx(8731, conf)
    });
    check(&["--for", "10"]).none();
    // At most one of the five rounds falls into the gap.
    assert!(scraper.join().expect("no panic") >= 4 * 50, "scrapes are answered");
    drop(replaced.join().expect("no panic"));
    let listens = Command::new("ss").args(["-Htln"]).output().expect("ss is there").stdout;
    assert!(listens.is_empty(), "{}", String::from_utf8_lossy(&listens));
}
