//! Names of hosts, with a name server that counts: who is asked about, how often, and what is made of the answers.
//! Everything happens inside a namespace; no question leaves it.
#![cfg(target_os = "linux")]

#[allow(dead_code, reason = "the tests of the terminal take the rest")]
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::name_server::{NameServer, name, peers, question};
use crate::namespace::inside_namespace_of_mounts;
use crate::program::run;
use crate::session::Session;

/// How long anything may take; longer than a question that failed is left alone (a minute).
const TIMEOUT: Duration = Duration::from_secs(150);

/// A socket whose peer is `addr`; nothing is sent.
fn connected(addr: impl Into<Ipv4Addr>) -> UdpSocket {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).expect("a port is free");
    socket.connect((addr.into(), 443)).expect("the address is on this machine");
    socket
}

fn peer(text: &str) -> UdpSocket {
    connected(text.parse::<Ipv4Addr>().expect("an address"))
}

/// Looks again and again until `done`.
fn eventually<T>(what: &str, mut look: impl FnMut() -> T, done: impl Fn(&T) -> bool) -> T
where
    T: std::fmt::Debug,
{
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let seen = look();
        if done(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "it never happened that {what}: {seen:?}");
    }
}

/// Waits until the screen is as wanted.
fn wait(session: &mut Session, what: &str, done: impl Fn(&str) -> bool) {
    eventually(
        what,
        || {
            session.watch(Duration::from_millis(20));
            session.text()
        },
        |text| done(text),
    );
}

#[test]
fn nobody_is_asked_who_was_not_to_be_asked() {
    if !inside_namespace_of_mounts() {
        return;
    }
    let Some(server) = NameServer::start() else { return };
    let _sockets = (peer("8.8.0.1"), peer("8.8.0.2"), peer("127.0.0.9"));
    for arguments in [
        &["list"][..],
        &["list", "--dns", "--no-dns"],
        &["list", "--dns-private"],
        &["list", "--dns", "--columns", "remote,state"],
        &["list", "--dns", "raddr:127.0.0.9"],
        &["list", "--demo", "--dns"],
        &["netstat", "-ano"],
        &["netstat", "-anof", "--no-dns"],
        &["netstat", "--dns", "-an"],
        &["ports", "--dns"],
        &["watch", "--count", "1", "--for", "1"],
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.stderr);
        assert_eq!(server.asked(), Vec::<String>::new(), "{arguments:?}");
    }
    for arguments in [&["udp", "--no-dns"][..], &["udp"]] {
        let mut session = Session::conntop(arguments, 120, 40);
        session.wait_for_text("8.8.0.1:443");
        if arguments.len() > 1 {
            session.wait_for_text("no DNS");
            session.keys("n");
            session.wait_for_text("--no-dns");
        }
        session.keys("12345678");
        session.wait_for_text("CHANGE");
        session.keys("q");
        assert_eq!(session.wait().code(), Some(0));
        assert_eq!(server.asked(), Vec::<String>::new(), "{arguments:?}");
    }
}

#[test]
fn names_are_printed_beside_addresses_and_evil_ones_are_not() {
    if !inside_namespace_of_mounts() {
        return;
    }
    let Some(server) = NameServer::start() else { return };
    let evil = [peers::WITHOUT_NAME, peers::ESCAPE, peers::ADDRESS, peers::LINES, peers::BIDI];
    let _sockets: Vec<_> = evil.iter().chain(&["8.8.1.2", "127.0.0.9"]).map(|addr| peer(addr)).collect();
    let wanted = name(1, 2);

    let list = || run(&["list", "--dns", "rport:443"]).stdout;
    let text = eventually("list prints the name", list, |text| text.contains(&wanted));
    let row = text.lines().find(|line| line.contains("8.8.1.2:443")).expect("the address stays");
    assert!(row.contains(&wanted), "{row}");
    assert!(!text.contains("PWN") && !text.contains("lines") && !text.contains("live"), "{text}");
    assert!(text.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)), "{text:?}");

    let json = || -> Vec<serde_json::Value> {
        let text = run(&["list", "--dns", "--format", "ndjson", "rport:443"]).stdout;
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let of = |rows: &[serde_json::Value], addr: &str| {
        rows.iter().find(|row| row["raddr"] == addr).map(|row| row["rname"].clone()).expect("a row")
    };
    let rows = eventually("JSON has the name", json, |rows| of(rows, "8.8.1.2") == wanted.as_str());
    for addr in evil.iter().chain(&["127.0.0.9"]) {
        assert!(of(&rows, addr).is_null(), "{addr}: {}", of(&rows, addr));
    }

    let netstat = || run(&["netstat", "-anf", "rport:443"]).stdout;
    let text = eventually("netstat -f prints the name", netstat, |text| text.contains(&format!(" {wanted}:443 ")));
    assert!(evil.iter().all(|addr| text.contains(&format!(" {addr}:443 "))), "{text}");

    let loopback = question([127, 0, 0, 9].into());
    assert!(!server.asked().contains(&loopback), "loopback is not asked about");
    assert!(!server.asked().iter().any(|asked| !asked.ends_with(".8.8.in-addr.arpa")), "{:?}", server.asked());
    let private = || run(&["list", "--dns", "--dns-private", "raddr:127.0.0.9"]).stdout;
    eventually("the private one has its name", private, |text| text.contains(&name(0, 9)));
    assert!(server.asked().contains(&loopback));
}

/// The peer in the first row of the table: `8.8.16.167:443`.
fn first_peer(text: &str) -> String {
    // The chosen cell stands in brackets.
    let words = || text.split_whitespace().map(|word| word.trim_start_matches('['));
    // Until the sample after a jump the column is as wide as the addresses before needed.
    let found = words().find(|word| word.starts_with(['8', '…']) && word.ends_with(":443"));
    found.unwrap_or_else(|| panic!("no row:\n{text}")).to_owned()
}

/// As many descriptors as `wanted`, if they may be had.
fn descriptors(wanted: u64) -> u64 {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum }).expect("it is below the maximum");
    current
}

/// 5,000 peers, a few of them on the screen: those alone are asked about, slowly.
#[test]
fn only_what_is_on_the_screen_is_asked_about_and_slowly() {
    if !inside_namespace_of_mounts() {
        return;
    }
    let Some(server) = NameServer::start() else { return };
    let count = (descriptors(5_200) - 200).min(5_000);
    let octets = |number: u64| {
        [8, 8, u8::try_from(number / 250 + 1).expect("small"), u8::try_from(number % 250 + 1).expect("small")]
    };
    let sockets: Vec<_> = (0..count).map(|number| connected(octets(number))).collect();
    let _private = [peer("127.1.2.3"), peer("127.1.2.4")];

    let mut session = Session::conntop(&["rport:443"], 120, 40);
    wait(&mut session, "all sockets are there", |text| text.contains("8.8.") && text.contains("of "));
    assert!(server.asked().is_empty());
    let begun = Instant::now();
    session.keys("n");
    // Every line with an address on it has its name.
    let has_names = |text: &str| {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(":443")).collect();
        let is_named = |line: &&str| !line.contains(" 8.8.") || line.contains(".example");
        text.contains("HOST?") && lines.len() > 10 && lines.iter().all(is_named)
    };
    wait(&mut session, "the first page has names", has_names);
    assert!(session.text().contains("DNS (n)"));
    let first = first_peer(&session.text());
    session.keys("G");
    wait(&mut session, "the last page has names", |text| !text.contains(&first) && has_names(text));
    let last = first_peer(&session.text());
    // Only what was seen, and no loopback address among it.
    let asked = server.asked();
    let distinct: BTreeSet<&String> = asked.iter().collect();
    assert!((20..=120).contains(&distinct.len()), "{} of {count} peers were asked about", distinct.len());
    assert!(asked.iter().all(|asked| asked.ends_with(".8.8.in-addr.arpa")), "{asked:?}");
    let seconds = usize::try_from(begun.elapsed().as_secs()).expect("not that long") + 1;
    assert!(asked.len() <= 20 * (seconds + 1), "{} questions in {seconds} s", asked.len());

    // Nothing is open, so nothing comes any more once it is switched off.
    session.keys("n");
    wait(&mut session, "names are gone", |text| !text.contains("HOST?"));
    session.keys("^");
    wait(&mut session, "another page is there", |text| !text.contains(&last));
    assert_eq!(server.asked().len(), asked.len());
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    drop(sockets);
}

#[test]
fn a_server_that_never_answers_holds_up_neither_the_screen_nor_its_end() {
    if !inside_namespace_of_mounts() {
        return;
    }
    let Some(server) = NameServer::start() else { return };
    let _silent = peer(peers::SILENT);
    let mut session = Session::conntop(&["--dns", "rport:443"], 120, 40);
    eventually(
        "it is asked",
        || {
            session.watch(Duration::from_millis(20));
            server.asked().len()
        },
        |asked| *asked > 0,
    );
    // The resolver waits for half a minute; keys are answered and the program ends meanwhile.
    let _other = peer("8.8.3.4");
    wait(&mut session, "another name is there", |text| text.contains(&name(3, 4)));
    session.keys("/\x15raddr:8.8.3.4\r");
    wait(&mut session, "only that row is there", |text| !text.contains(peers::SILENT) && text.contains("8.8.3.4:443"));
    session.keys("\r\r");
    session.wait_for_text("reverse DNS");
    session.keys("qqq");
    assert_eq!(session.wait().code(), Some(0));
    session.assert_restored();
    let list = run(&["list", "--dns", &format!("raddr:{}", peers::SILENT)]);
    assert!(
        list.code == 0 && list.stdout.contains(peers::SILENT) && list.stderr.contains("explain dns"),
        "{}",
        list.stderr
    );
}

#[test]
fn watch_names_the_peers_of_what_happens() {
    if !inside_namespace_of_mounts() {
        return;
    }
    let Some(_server) = NameServer::start() else { return };
    // Each run starts with what is there: the first sample opens nothing, so sockets are made while it looks.
    let look = || {
        std::thread::scope(|scope| {
            let making = scope.spawn(|| {
                let mut kept = Vec::new();
                for _ in 0..40 {
                    std::thread::sleep(Duration::from_millis(50));
                    kept.push(peer("8.8.4.5"));
                }
            });
            let text = run(&["watch", "--dns", "--interval", "0.2", "--for", "1.5", "rport:443"]).stdout;
            making.join().expect("it makes sockets");
            text
        })
    };
    eventually("watch tells the name", look, |text| text.contains(&format!("8.8.4.5:443 ({}?)", name(4, 5))));
}
