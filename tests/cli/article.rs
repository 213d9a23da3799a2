//! Every option, state, range and port that the article teaches is served (`tests/fixtures/article.toml`).

use std::process::Command;

use conntop::knowledge::ports;
use conntop::knowledge::ranges::PortClass;
use conntop::model::endpoint::Protocol;
use conntop::model::tcp_state::TcpState;
use conntop::table::filter::Filter;
use serde::Deserialize;

#[cfg(target_os = "linux")]
use crate::namespace;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Article {
    option: Vec<NetstatOption>,
    state: Vec<State>,
    fact: Vec<Fact>,
    range: Vec<Range>,
    port: Vec<Port>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NetstatOption {
    name: String,
    runs: String,
    shows: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact {
    about: String,
    runs: String,
    shows: Vec<String>,
    #[serde(default)]
    hides: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    class: String,
    first: u16,
    last: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Port {
    #[serde(default)]
    tcp: Vec<u16>,
    #[serde(default)]
    udp: Vec<u16>,
    says: Vec<String>,
}

fn article() -> Article {
    let article: Article = toml::from_str(include_str!("../fixtures/article.toml")).expect("the fixture is TOML");
    let lens = [article.option.len(), article.state.len(), article.fact.len(), article.range.len(), article.port.len()];
    assert!(lens.iter().all(|len| *len > 2), "every part of the article has rows: {lens:?}");
    article
}

fn conntop<'a>(words: impl IntoIterator<Item = &'a str>) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_conntop")).args(words).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[cfg(target_os = "linux")]
#[test]
fn every_option_of_netstat_works() {
    if !namespace::inside_namespace() {
        return;
    }
    for option in article().option {
        let (is_done, stdout, stderr) = conntop(option.runs.split(' '));
        assert!(is_done, "{}: {stderr}", option.name);
        assert!(stdout.contains(&option.shows), "{}: {stdout}{stderr}", option.name);
    }
}

#[test]
fn every_state_is_a_filter_under_each_of_its_names() {
    for state in article().state {
        let parsed: Vec<_> = state.names.iter().map(|name| TcpState::parse(name).expect("a state")).collect();
        assert!(parsed.iter().all(|states| states.len() == 1 && *states == parsed[0]), "{:?}", state.names);
        assert!(state.names.iter().all(|name| Filter::parse(&format!("state:{name}")).is_ok()), "{:?}", state.names);
        for name in &state.names {
            let (is_done, text, stderr) = conntop(["netstat", "--demo", "-an", name]);
            let shown: Vec<_> = text.lines().filter(|line| line.starts_with("  TCP")).collect();
            assert!(is_done && !shown.is_empty(), "{name}: {stderr}");
            // SYN_RECEIVED is printed as SYN_RECV: one name a state.
            let known = TcpState::parse(name).expect("a state")[0].name();
            assert!(shown.iter().all(|line| line.contains(known)), "{name}: {text}");
        }
    }
}

#[test]
fn every_fact_is_to_be_seen() {
    for fact in article().fact {
        let (is_done, text, stderr) = conntop(fact.runs.split('|'));
        assert!(is_done, "{}: {stderr}", fact.about);
        for part in &fact.shows {
            assert!(text.contains(part), "{} '{part}' is not in\n{text}{stderr}", fact.about);
        }
        for part in &fact.hides {
            assert!(!text.contains(part), "{} '{part}' is in\n{text}", fact.about);
        }
    }
}

/// A listener on each port of the article that is not taken, in a network of its own: `conntop ports` tells what it is.
#[cfg(target_os = "linux")]
#[test]
fn whoever_listens_on_a_port_of_the_article_is_told_what_it_invites() {
    use std::net::{Ipv4Addr, TcpListener, UdpSocket};

    if !namespace::inside_namespace() {
        return;
    }
    namespace::lead_to_others();
    let (mut places, mut listeners, mut sockets) = (Vec::new(), Vec::new(), Vec::new());
    for row in article().port {
        for port in row.tcp {
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)) {
                listeners.push(listener);
                places.push(("tcp", port));
            }
        }
        for port in row.udp {
            if let Ok(socket) = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)) {
                sockets.push(socket);
                places.push(("udp", port));
            }
        }
    }
    assert!(places.len() > 70, "{places:?}");
    let (_, text, stderr) = conntop(["ports", "--exposed", "--format", "json"]);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    let told = value["listeners"].as_array().expect("a list");
    for (protocol, port) in places {
        let one = told.iter().find(|one| one["proto"] == protocol && one["lport"] == port);
        let one = one.unwrap_or_else(|| panic!("{port}/{protocol} is not in {text}"));
        assert!(one["risk"].is_string() && one["danger"].is_string() && one["usual_uses"][0].is_string(), "{one}");
        assert_eq!(one["danger_basis"], "port", "this test is none of those services: {one}");
        assert!(one["exposure"] == "all" && one["class"].is_string() && one["pid"].is_u64(), "{one}");
    }
    let rank = |one: &serde_json::Value| ["high", "medium", "low"].iter().position(|name| one["danger"] == *name);
    assert!(told.iter().map(rank).is_sorted_by_key(|rank| rank.unwrap_or(3)), "the worst comes first: {text}");
    let output = Command::new(env!("CARGO_BIN_EXE_conntop")).args(["ports", "--fail-on", "risk"]).output();
    assert_eq!(output.expect("it runs").status.code(), Some(1));
}

#[test]
fn every_range_is_a_class_of_ports() {
    for range in article().range {
        let class = PortClass::of(range.first);
        assert_eq!((class.name(), class.range()), (range.class.as_str(), (range.first, range.last)));
    }
}

#[test]
fn every_port_is_in_the_catalogue_with_what_the_article_says_of_it() {
    for row in article().port {
        let places = row.tcp.iter().map(|port| (Protocol::Tcp, *port));
        for (protocol, port) in places.chain(row.udp.iter().map(|port| (Protocol::Udp, *port))) {
            let mut said = String::new();
            for known in ports::catalogue(protocol, port) {
                for text in [known.service.as_deref(), Some(known.usually.as_str()), known.risk.as_deref()] {
                    said.push_str(&text.unwrap_or_default().to_lowercase());
                    said.push('\n');
                }
            }
            for word in &row.says {
                assert!(said.contains(&word.to_lowercase()), "{} {port}: '{word}' is not in\n{said}", protocol.name());
            }
            assert!(ports::worst(protocol, port).is_some(), "{} {port} has no risk", protocol.name());
        }
    }
}
