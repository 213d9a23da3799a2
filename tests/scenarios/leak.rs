//! How a leak is told: who leaks to whom, since when, how fast, and what runs out.

use std::process::Command;

use serde_json::Value;

use crate::namespace::alone_in_namespace;
use crate::setup::{run, server_and_client, sockets, wait_for_sockets, wait_until};
use crate::verdict::{Expected, check, check_soon};

/// A client whose pool never closes what the server has: found on the client's side, by the server's address, with
/// its speed and with the time until the process has no descriptors left.
#[test]
fn a_pool_leaks_to_one_server() {
    if !alone_in_namespace() {
        return;
    }
    let (_postgres, mut pool) = server_and_client("postgres", "127.0.0.1 5432 256 close", "jdbc-pool");
    pool.tell("limit 1000");
    pool.tell("connect 127.0.0.1 5432 110");
    wait_for_sockets("state close-wait dport = :5432", 110);
    pool.tell("open-steadily 127.0.0.1 5432 10 800");
    let expected =
        Expected { rule: "close-wait-leak", severity: "critical", process: Some(&pool), place: "to 127.0.0.1:5432" };
    // A slope is sure once twelve seconds of settled sockets are a straight line.
    let checked = check_soon(&["--for", "16"]);
    let finding = checked.only(&expected);
    let number = |key: &str| finding[key].as_f64().unwrap_or_else(|| panic!("{key}: {finding:#}"));
    let slope = number("slope_per_minute");
    assert!((480.0..=720.0).contains(&slope), "600 a minute: {checked}");
    assert!(number("slope_confidence") >= 0.8, "{checked}");
    assert_eq!(finding["runs_out"], "descriptors", "{checked}");
    // Of the limit some 280 are in use, so that 720 are left at ten a second.
    assert!((50.0..=110.0).contains(&number("runs_out_seconds")), "{checked}");
    assert!(number("sockets") >= 150.0, "{checked}");
}

/// The same pool near its limit: the leak and the limit are two findings about one process.
#[test]
fn a_pool_near_its_limit_of_descriptors() {
    if !alone_in_namespace() {
        return;
    }
    let (_postgres, mut pool) = server_and_client("postgres", "127.0.0.1 5432 256 close", "jdbc-pool");
    pool.tell("limit 200");
    pool.tell("connect 127.0.0.1 5432 170");
    wait_for_sockets("state close-wait dport = :5432", 170);
    let leak =
        Expected { rule: "close-wait-leak", severity: "warning", process: Some(&pool), place: "to 127.0.0.1:5432" };
    let checked = check_soon(&["--for", "2"]);
    // The leak is what uses up the descriptors: one finding.
    let limit = &checked.only(&leak)["caused"][0];
    assert_eq!((limit["rule"].as_str(), limit["processes"].as_u64()), (Some("descriptor-limit"), Some(1)), "{checked}");
    // Some of its descriptors may come from whatever started the tests.
    let open = std::fs::read_dir(format!("/proc/{}/fd", pool.pid)).expect("it lives").count();
    assert!((173..=190).contains(&open), "{open}");
    assert!(limit["sentence"].as_str().expect("words").contains(&format!(" {open} of 200 ")), "{checked}");
}

/// A leak that is older than conntop: its age is known all the same, to 50 ms.
#[test]
fn a_leak_older_than_conntop() {
    if !alone_in_namespace() {
        return;
    }
    let (mut ledger, mut browser) = server_and_client("ledger-api", "127.0.0.1 7101 256 leak", "browser");
    browser.tell("connect 127.0.0.1 7101 120");
    browser.tell("send 100");
    ledger.wait_for_count("accepted", 120);
    let said = browser.tell("half-close");
    let (began, ended) = (said["began"]["wall"].as_f64(), said["ended"]["wall"].as_f64());
    let (began, ended) = (began.expect("a time"), ended.expect("a time"));
    wait_until("the rule takes it for a leak", || wall() > ended + 5.2);
    assert_eq!(sockets("state close-wait sport = :7101"), 120);

    let expected =
        Expected { rule: "close-wait-leak", severity: "warning", process: Some(&ledger), place: "on 127.0.0.1:7101" };
    // A sample that a busy machine held up tells more than the next one does.
    wait_until("every age is right to 50 ms", || {
        let mut list = Command::new(env!("CARGO_BIN_EXE_conntop"));
        list.args(["list", "--format", "json", "state:close-wait"]);
        let json: Value = serde_json::from_slice(&run(list).stdout).expect("JSON");
        let rows = json["sockets"].as_array().expect("rows");
        assert!(rows.len() == 120 && rows.iter().all(|row| row["age_basis"] != "observed"), "{}", rows[0]);
        rows.iter().all(|row| is_within(moment(&json["at"]) - seconds(&row["age_seconds"]), began, ended))
    });

    wait_until("the age of the finding is right to 50 ms", || {
        let checked = check(&[]);
        let finding = checked.only(&expected);
        assert_ne!(finding["since_basis"], "observed", "{checked}");
        is_within(moment(&checked.json["at"]) - seconds(&finding["since_seconds"]), began, ended)
    });
}

/// Whether a moment lies in a span, give or take 50 ms.
fn is_within(at: f64, began: f64, ended: f64) -> bool {
    began - 0.05 <= at && at <= ended + 0.05
}

fn seconds(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// Seconds since 1970.
fn wall() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_secs_f64()
}

/// Seconds since 1970 of a time in JSON.
fn moment(at: &Value) -> f64 {
    let at: jiff::Timestamp = at.as_str().expect("a time").parse().expect("RFC 3339");
    at.as_duration().as_secs_f64()
}
