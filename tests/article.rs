//! Every option, state, range and port that the article teaches is served (`tests/fixtures/article.toml`).

use std::process::Command;

use conntop::knowledge::ports;
use conntop::knowledge::ranges::PortClass;
use conntop::model::endpoint::Protocol;
use conntop::model::tcp_state::TcpState;
use conntop::table::filter::Filter;
use serde::Deserialize;

#[cfg(target_os = "linux")]
#[path = "common/namespace.rs"]
mod namespace;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Article {
    option: Vec<Option_>,
    state: Vec<State>,
    range: Vec<Range>,
    port: Vec<Port>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Option_ {
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
    toml::from_str(include_str!("fixtures/article.toml")).expect("the fixture is TOML")
}

fn conntop(words: &str) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_conntop")).args(words.split(' ')).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[cfg(target_os = "linux")]
#[test]
fn every_option_of_netstat_works() {
    if !namespace::inside_namespace("every_option_of_netstat_works") {
        return;
    }
    for option in article().option {
        let (is_done, stdout, stderr) = conntop(&option.runs);
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
        let (is_done, ..) = conntop(&format!("netstat --demo -an {}", state.names[0]));
        assert!(is_done, "{:?}", state.names);
    }
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
