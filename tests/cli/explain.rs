//! `conntop explain`: everything has an explanation, and everything the article teaches is in one.

use conntop::diagnosis::rule::Rule;
use conntop::knowledge::topics;
use conntop::model::tcp_state::STATES;
use conntop::report::explain::{Explain, ExplainContext, Explanation, find, look_up};
use conntop::report::format::DocumentFormat;
use conntop::table::connections::COLUMNS;

use crate::program::{conntop, ended, run};
use crate::readable::readable;

/// All that is said under `name`, in one text.
fn said(name: &str) -> String {
    let all = look_up(name, &ExplainContext::default());
    let found =
        if all.is_empty() { find(&name.split(' ').collect::<Vec<_>>(), &ExplainContext::default()) } else { Ok(all) };
    let texts = |one: Explanation| [vec![one.topic, one.title], one.text, one.r#do, one.dont].concat().join("\n");
    found.unwrap_or_else(|sentence| panic!("{sentence}")).into_iter().map(texts).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_the_article_teaches_is_explained() {
    let table = include_str!("../fixtures/article.txt");
    let rows = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut count = 0;
    for row in rows {
        let (name, words) = row.split_once(" | ").expect("name | words");
        let text = said(name).to_lowercase();
        // A comma within parentheses does not separate.
        for word in words.replace("(4000, 8000)", "(4000\u{1} 8000)").split(", ") {
            let word = word.replace('\u{1}', ",").to_lowercase();
            assert!(text.contains(&word), "{name} does not say '{word}': {text}");
        }
        count += 1;
    }
    assert!(count > 100, "{count}");
}

#[test]
fn every_state_rule_column_and_topic_is_found_by_every_name() {
    for row in &STATES {
        for name in [&[row.name, row.label][..], row.aliases].concat() {
            let states: Vec<_> =
                look_up(name, &ExplainContext::default()).into_iter().filter(|one| one.kind == "state").collect();
            assert!(states.iter().any(|one| one.topic == row.name), "{name}");
            assert!(states.iter().all(|one| !one.r#do.is_empty() && !one.dont.is_empty()), "{name}");
        }
    }
    for &rule in Rule::ALL {
        let found = look_up(rule.id(), &ExplainContext::default());
        let finding = found.iter().find(|one| one.kind == "finding").unwrap_or_else(|| panic!("{}", rule.id()));
        assert!(!finding.title.is_empty() && !finding.text.is_empty() && !finding.r#do.is_empty(), "{}", rule.id());
    }
    for column in COLUMNS {
        for name in [column.key, column.json] {
            assert!(
                look_up(name, &ExplainContext::default())
                    .iter()
                    .any(|one| one.kind == "column" && one.topic == column.key),
                "{name}"
            );
        }
    }
    for topic in topics::all() {
        for name in std::iter::once(&topic.id).chain(&topic.aliases) {
            assert!(look_up(name, &ExplainContext::default()).iter().any(|one| one.topic == topic.id), "{name}");
        }
    }
}

#[test]
fn whatever_is_referred_to_exists() {
    let names = topics::all().iter().map(|topic| topic.id.as_str());
    let names = names.chain(STATES.iter().map(|row| row.name)).chain(Rule::ALL.iter().map(|rule| rule.id()));
    for name in names.chain(["443", "0-65535", "age"]) {
        for one in look_up(name, &ExplainContext::default()) {
            for see in &one.see {
                assert!(!look_up(see, &ExplainContext::default()).is_empty(), "{name} refers to {see}");
            }
        }
    }
}

#[test]
fn every_port_and_range_has_an_answer() {
    for port in 0..=u16::MAX {
        let found = look_up(&port.to_string(), &ExplainContext::default());
        assert!(found.len() == 1 && !found[0].text.is_empty(), "{port}");
    }
    for (name, topic) in [
        (":443", "443"),
        ("443", "443"),
        ("udp/53", "53/udp"),
        ("53/udp", "53/udp"),
        ("tcp:22", "22/tcp"),
        ("redis", "6379"),
        ("PostgreSQL", "5432"),
        ("reserved", "0-1023"),
        ("registered ports", "1024-49151"),
        ("8000-8000", "8000-8000"),
    ] {
        let found = look_up(name, &ExplainContext::default());
        assert_eq!(found.iter().map(|one| one.topic.as_str()).collect::<Vec<_>>(), [topic], "{name}");
    }
    for name in ["65536", "9-8", "1-65536", "-1-5", "1-2-3", ":", "/", "443/sctp", "", " "] {
        assert!(look_up(name, &ExplainContext::default()).is_empty(), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_port_is_told_by_what_this_kernel_gives_to_clients() {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("/proc");
    let [first, last] = range.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{range}") };
    let text = run(&["explain", first]).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&format!("This kernel gives {first} to {last} to clients")), "{text}");
}

#[test]
fn several_words_are_one_topic_or_many() {
    let topics = |words: &[&str]| -> Vec<String> {
        find(words, &ExplainContext::default()).expect("known").into_iter().map(|one| one.topic).collect()
    };
    assert_eq!(topics(&["accept", "queue"]), ["accept-queue"]);
    assert_eq!(topics(&["SYN", "cookies"]), ["syn-cookies"]);
    assert_eq!(topics(&["443", "handshake", "443"]), ["443", "handshake"]);
    assert_eq!(topics(&["-ano"]), ["netstat-a", "netstat-n", "netstat-o"]);
    assert_eq!(topics(&["-p", "TCP"]), ["netstat-p", "tcp"]);
    let three = run(&["explain", "netstat-a", "netstat-n", "netstat-o"]);
    assert_eq!((three.code, three.stdout.is_empty()), (0, false), "{}", three.stderr);
    for words in [&["explain", "-ano"][..], &["explain", "-ano", "--format", "text"]] {
        let ended = run(words);
        assert_eq!((ended.code, &ended.stdout), (0, &three.stdout), "{words:?}: {}", ended.stderr);
    }
    let habits = run(&["explain", "netstat", "-ano"]);
    let netstat = run(&["explain", "netstat"]).stdout;
    assert_eq!((habits.code, habits.stdout), (0, format!("{netstat}\n{}", three.stdout)), "{}", habits.stderr);
    assert_eq!(topics(&["netstat", "-a"]), ["netstat-a"]);
    assert_eq!(
        topics(&["netstat", "-tulpn"]),
        ["netstat", "netstat-t", "netstat-u", "netstat-l", "netstat-p", "netstat-n"]
    );
    assert_eq!(topics(&["ss", "-tanp"]), ["ss", "ss-t", "ss-a", "ss-n", "ss-p"]);
    assert!(run(&["explain", "-h"]).stdout.contains("Usage:"));
}

#[test]
fn an_unknown_topic_is_answered_with_the_nearest() {
    for (words, part) in [
        (&["explain", "clsoe-wait"][..], "did you mean 'close-wait'?"),
        (&["explain", "handshak"], "did you mean 'handshake'?"),
        (&["explain", "443", "elephant"], "conntop explain lists the topics"),
        (&["explain", "--no-such"], "--no-such"),
        (&["explain", "--exposd"], "did you mean '--exposed'?"),
        (&["explain", "1-70000"], "ports end at 65535"),
        (&["explain", "70000"], "ports end at 65535"),
        (&["explain", "--format", "csv", "443"], "there are text and json"),
    ] {
        let ended = run(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{words:?}");
        assert!(ended.stderr.contains(part) && ended.stderr.lines().count() == 1, "{}", ended.stderr);
    }
    assert_eq!(run(&["explain", "\u{1b}[2J"]).stderr.matches('\u{1b}').count(), 0);
}

#[test]
fn options_are_explained_with_and_without_dashes() {
    for (option, part) in [("interval", "time between samples"), ("--fail-on", "Fail only"), ("all-netns", "namespace")]
    {
        let ended = run(&["explain", "--", option]);
        assert!(ended.code == 0 && ended.stdout.contains(part), "{option}: {}{}", ended.stdout, ended.stderr);
    }
    // As one types them, too: an option without its value is asked about, one with it is obeyed.
    for words in [&["explain", "--exposed"][..], &["explain", "--interval"], &["--read-only", "explain", "--all-netns"]]
    {
        let ended = run(words);
        assert!(ended.code == 0 && ended.stdout.contains("(option)"), "{words:?}: {}{}", ended.stdout, ended.stderr);
    }
    let ended = run(&["explain", "--color", "never", "443", "--format", "json"]);
    assert!(ended.stdout.contains("\"topic\":\"443\""), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn text_fits_a_narrow_screen_and_json_is_whole() {
    for topic in ["close-wait", "2msl", "443", "0-65535", "handshake", "state"] {
        let text = run(&["explain", topic]).stdout;
        assert!(text.lines().all(|line| line.chars().count() <= 80 && line == line.trim_end()), "{text}");
        let json: serde_json::Value =
            serde_json::from_str(&run(&["explain", topic, "--format", "json"]).stdout).expect("JSON");
        assert_eq!(json["schema"], 2);
        let first = &json["topics"][0];
        for key in ["topic", "kind", "title"] {
            assert!(first[key].as_str().is_some_and(|text| !text.is_empty()), "{topic}: {first}");
        }
        assert!(first["text"].as_array().is_some_and(|text| !text.is_empty()), "{topic}: {first}");
        assert!(first["remedy"].is_array() && first["does_not_help"].is_array(), "{first}");
    }
}

#[test]
fn texts_stay_as_they_are() {
    insta::assert_snapshot!("topics", run(&["explain"]).stdout);
    insta::assert_snapshot!("time_wait", run(&["explain", "time-wait"]).stdout);
    insta::assert_snapshot!("port_6379", run(&["explain", "6379"]).stdout);
    // Not from the program: this machine may give other ports to clients.
    let explain = Explain { format: DocumentFormat::Text, width: 80, around: ExplainContext::default() };
    let mut range = Vec::new();
    explain.write(&find(&["49152-65535"], &explain.around).expect("a range"), &mut range).expect("memory");
    insta::assert_snapshot!("range", String::from_utf8(range).expect("UTF-8"));
    insta::assert_snapshot!("json", readable(&run(&["explain", "half-open", "--format", "json"]).stdout));
}

#[test]
fn it_needs_neither_a_source_nor_an_environment_nor_a_config_file() {
    let bare = ended(conntop().env_clear().args(["explain", "close-wait"]));
    assert_eq!((bare.code, bare.stdout), (0, run(&["explain", "close-wait"]).stdout));
    assert_eq!(run(&["explain", "config", "--config", "/nonexistent"]).code, 0, "it says what goes in");
}
