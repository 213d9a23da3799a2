//! What differs between two made-up moments, in every format.

use super::*;
use crate::model::delta::Delta;
use crate::model::socket::Socket;
use crate::model::testing::{BOOT, connection, listener, process, source_info, tcp};
use crate::model::time::{Timestamp, WallTime};

fn store(seconds: u64, host: &str, sockets: Vec<Socket>) -> Store {
    let millis = seconds * 1_000;
    let wall = WallTime(BOOT.0 + i64::try_from(millis).expect("small"));
    let mut delta = Delta { at: Timestamp::from_millis(millis), wall, ..Delta::default() };
    delta.added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
    let mut store = Store::new(crate::model::snapshot::SourceInfo { host: host.into(), ..source_info() });
    store.apply(delta);
    store
}

fn to_database(cookie: u64, state: TcpState, pid: u32) -> Socket {
    tcp(cookie).remote("10.1.0.1:5432").state(state).held_by(&[process(pid, "java")]).build()
}

fn client(cookie: u64) -> Socket {
    let port = 40_000 + cookie;
    tcp(cookie).local("10.0.0.1:443").remote(&format!("10.9.0.{cookie}:{port}")).held_by(&[process(7, "nginx")]).build()
}

/// A server that begins to leak, was started again, and lost its clients but for one.
fn moments() -> [Store; 2] {
    let web = || listener(100, 443).held_by(&[process(7, "nginx")]).build();
    let before = [1, 2, 3].map(|cookie| to_database(cookie, TcpState::Established, 50));
    let after = [1, 2, 4, 5, 6].map(|cookie| to_database(cookie, TcpState::CloseWait, 50));
    let restarted = to_database(9, TcpState::Established, 51);
    let before = before.into_iter().chain([web(), client(10), client(11)]).collect();
    let after = after.into_iter().chain([restarted, web(), client(12)]).collect();
    [store(60, "web-7", before), store(90, "web-7", after)]
}

fn printed(options: &DiffOptions, [before, after]: &[Store; 2]) -> String {
    let mut out = Vec::new();
    options.compare(before, after).write(options.format, &mut out).expect("a vector takes all");
    String::from_utf8(out).expect("text")
}

#[test]
fn groups_come_first_by_the_size_of_the_change_and_then_sockets() {
    insta::assert_snapshot!(printed(&DiffOptions::default(), &moments()));
}

#[test]
fn a_limit_says_how_many_more_there_are() {
    let text = printed(&DiffOptions { limit: Some(2), ..DiffOptions::default() }, &moments());
    assert!(text.ends_with("8 sockets more; --limit lists them\n"), "{text}");
}

#[test]
fn json_lines_and_csv_have_the_same_groups() {
    let print = |format| printed(&DiffOptions { format, ..DiffOptions::default() }, &moments());
    let document: serde_json::Value = serde_json::from_str(&print(DiffFormat::Json)).expect("JSON");
    let groups = document["groups"].as_array().expect("a list");
    assert_eq!((&groups[0]["change"], &groups[0]["difference"]), (&"new".into(), &5.into()), "{document:#}");
    assert_eq!(document["sockets"].as_array().map(Vec::len), Some(10));
    let lines = print(DiffFormat::Ndjson);
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.iter().all(|line| line["host"] == "web-7" && line["at"] == "2026-01-01T00:01:30.000Z"));
    let of = |kind: &str| lines.iter().filter(|line| line["differs"] == kind).count();
    assert_eq!((of("group"), of("socket")), (groups.len(), 10));
    insta::assert_snapshot!(print(DiffFormat::Csv).replace('\r', ""));
}

#[test]
fn nothing_that_differs_is_said() {
    let ([one, _], [other, _]) = (moments(), moments());
    let text = printed(&DiffOptions::default(), &[one, other]);
    assert!(text.contains("no process has more or fewer sockets"), "{text}");
}

#[test]
fn a_filter_is_of_each_moment() {
    let filter = Filter::parse("state:close-wait").expect("valid");
    let text = printed(&DiffOptions { filter, ..DiffOptions::default() }, &moments());
    assert!(text.contains("CLOSE_WAIT") && !text.contains("nginx") && !text.contains("changed"), "{text}");
}

#[test]
fn two_hosts_are_compared_by_names_only_and_that_is_said() {
    let [before, _] = moments();
    let other = store(90, "web-8", vec![to_database(1, TcpState::Established, 99)]);
    let options = DiffOptions::default();
    let difference = options.compare(&before, &other);
    assert!(difference.sockets.is_none());
    assert!(difference.remarks()[0].starts_with("web-7 and web-8 are two hosts"), "{:?}", difference.remarks());
    let java = difference.groups.iter().find(|group| group.name.process.as_deref() == Ok("java")).expect("a group");
    assert_eq!((java.before, java.after), (3, 1));
}

#[test]
fn the_second_moment_may_be_the_earlier_one() {
    let [before, after] = moments();
    let remarks = DiffOptions::default().compare(&after, &before).remarks();
    assert!(remarks[0].contains("the second moment is before the first"), "{remarks:?}");
}
