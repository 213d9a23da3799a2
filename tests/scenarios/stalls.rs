//! Who does not read, who reads too slowly, and DNS servers that do not answer.

use crate::namespace::alone_in_namespace;
use crate::setup::{ScriptedProcess, server_and_client, silent_host, wait_until};
use crate::verdict::{Expected, check, check_with};

/// The times that the rules wait, shortened.
const SOON: &str = "local-reader-age = 3\nzero-window-age = 3\n";

/// A reader and a writer that sends as much as goes in, over `connections`.
fn poured(address: &str, port: u16, connections: u64) -> (ScriptedProcess, ScriptedProcess) {
    let (mut reader, mut writer) =
        server_and_client("slow-reader", &format!("{address} {port} 16 ignore"), "fast-writer");
    writer.tell(&format!("connect {address} {port} {connections}"));
    reader.wait_for_count("accepted", connections);
    writer.tell("flood");
    (reader, writer)
}

/// Both ends are here: the reader is named, and the writer beside it.
#[test]
fn a_stopped_reader_with_its_writer_beside_it() {
    if !alone_in_namespace() {
        return;
    }
    let (reader, _writer) = poured("127.0.0.1", 7060, 12);
    let expected = Expected {
        rule: "local-reader-stuck",
        severity: "warning",
        process: Some(&reader),
        place: "on 127.0.0.1:7060",
    };
    let checked = check_with(SOON, &["--for", "6"]);
    let finding = checked.only(&expected);
    assert_eq!(finding["sockets"], 12, "{checked}");
    let sentence = finding["sentence"].as_str().expect("words");
    assert!(
        sentence.contains("slow-reader") && sentence.contains("more in the send queue of fast-writer["),
        "{checked}"
    );
}

/// The clients of a server stop: they are the readers.
#[test]
fn a_stopped_client() {
    if !alone_in_namespace() {
        return;
    }
    let (mut server, mut client) = server_and_client("feed", "127.0.0.1 7061 16 ignore", "monitor");
    client.tell("connect 127.0.0.1 7061 1");
    server.wait_for_count("accepted", 1);
    server.tell("flood");
    let expected = Expected {
        rule: "local-reader-stuck",
        severity: "warning",
        process: Some(&client),
        place: "to 127.0.0.1:7061",
    };
    let checked = check_with(SOON, &["--for", "6"]);
    assert!(
        checked.only(&expected)["sentence"].as_str().expect("words").contains("more in the send queue of feed["),
        "{checked}"
    );
}

/// 4 kB a second of a stream that comes as fast as it can.
#[test]
fn a_slow_reader() {
    if !alone_in_namespace() {
        return;
    }
    let (mut reader, _writer) = poured("127.0.0.1", 7062, 1);
    reader.tell("read-slowly 1024 0.25");
    let expected =
        Expected { rule: "slow-reader", severity: "warning", process: Some(&reader), place: "on 127.0.0.1:7062" };
    let checked = check_with(SOON, &["--for", "9"]);
    let sentence = checked.only(&expected)["sentence"].as_str().expect("words").to_owned();
    assert!(sentence.contains("reads too slowly: 4 kB/s") && sentence.contains("waiting"), "{checked}");
}

/// curl --limit-rate, a consumer that takes all there is every few seconds, and one that takes a part.
#[test]
fn readers_that_take_their_time_are_healthy() {
    if !alone_in_namespace() {
        return;
    }
    let (mut limited, _one) = poured("127.0.0.1", 7063, 1);
    limited.tell("read-slowly 25000 0.25");
    let (mut batches, _two) = poured("127.0.0.1", 7064, 1);
    batches.tell("read-slowly 0 4");
    let (mut parts, _three) = poured("127.0.0.1", 7065, 1);
    parts.tell("read-slowly 60000 4");
    check(&["--for", "24"]).none();
    check(&[]).none();
}

/// A server whose address nobody answers at, and one that answers.
#[test]
fn a_dns_server_that_does_not_answer() {
    if !alone_in_namespace() || !silent_host() {
        return;
    }
    let (mut server, mut healthy) = (ScriptedProcess::new("dnsmasq"), ScriptedProcess::new("healthy"));
    server.tell("nameserver 127.0.0.1");
    healthy.tell("resolve 127.0.0.1 4 5");
    wait_until("lookups are answered", || healthy.tell("count")["made"].as_u64() > Some(20));
    check(&["--for", "12"]).none();
    let mut app = ScriptedProcess::new("app");
    app.tell("resolve 10.66.0.2 1 5");
    let expected =
        Expected { rule: "unanswered-dns", severity: "warning", process: Some(&app), place: "to 10.66.0.2:53" };
    let checked = check(&["--for", "18"]);
    let finding = checked.only(&expected);
    assert!(finding["evidence"]["lookups"].as_u64() >= Some(2), "{checked}");
    healthy.tell("stop");
}
