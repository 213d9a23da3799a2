//! `conntop check` as a monitoring system runs it: again and again, from cron, with nothing in the environment.

use conntop::diagnosis::rule::Rule;

use crate::program::{conntop, ended, run};

/// Thresholds for small recordings.
const SMALL: &str = "tests/fixtures/small.toml";
const DEMO: [&str; 3] = ["check", "--source", "synthetic:1"];
const RECORDING: [&str; 3] = ["check", "--source", "replay:assets/recordings/demo.conntop"];

fn first_line(text: &str) -> &str {
    text.lines().next().expect("a first line")
}

#[test]
fn the_exit_code_is_that_of_the_first_line() {
    for arguments in [&DEMO[..], &RECORDING, &[&DEMO[..], &["--for", "60"]].concat()] {
        let ended = run(arguments);
        let line = first_line(&ended.stdout);
        let status = line.split_whitespace().nth(1).expect("a status");
        let code = ["OK", "WARNING", "CRITICAL"].iter().position(|known| *known == status).expect("a known status");
        assert_eq!(ended.code, i32::try_from(code).expect("small"), "{line}");
        assert!(line.starts_with("CONNTOP ") && line.contains(" | sockets="), "{line}");
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn performance_data_is_numbers_with_plain_labels() {
    let ended = run(&DEMO);
    let (_, data) = first_line(&ended.stdout).split_once(" | ").expect("performance data");
    for item in data.split(' ') {
        let (label, values) = item.split_once('=').expect("label=value");
        assert!(label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'), "{item}");
        assert!(values.split(';').all(|value| value.parse::<f64>().is_ok()), "{item}");
    }
    assert_eq!(ended.stdout.matches('|').count(), 1, "what stands behind a bar is read as data: {}", ended.stdout);
}

#[test]
fn the_same_state_gives_the_same_answer_every_time() {
    for arguments in [&DEMO[..], &RECORDING] {
        for format in ["text", "json"] {
            let arguments = [arguments, &["--format", format]].concat();
            let first = run(&arguments);
            for _ in 0..3 {
                let again = run(&arguments);
                assert_eq!((again.code, &again.stdout), (first.code, &first.stdout));
            }
        }
    }
}

/// The blocks below each finding are tested where they are made; here is what a reader sees at a glance.
#[test]
fn the_findings_of_the_demo_and_of_the_recording_stay_as_they_are() {
    let glance = |arguments: &[&str]| {
        let text = run(arguments).stdout;
        text.lines().filter(|line| !line.starts_with(' ')).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!("demo", glance(&DEMO));
    insta::assert_snapshot!("demo_for_a_minute", glance(&[&DEMO[..], &["--for", "60"]].concat()));
    insta::assert_snapshot!("recording", glance(&RECORDING));
    insta::assert_snapshot!("filtered", glance(&[&DEMO[..], &["process:jdbc"]].concat()));
}

#[test]
fn a_filter_and_fail_on_choose_what_fails() {
    let code = |more: &[&str]| run(&[&DEMO[..], more].concat()).code;
    assert_eq!(code(&[]), 2, "the demo is in trouble");
    assert_eq!(code(&["process:jdbc"]), 1, "its leak is not critical yet");
    assert_eq!(code(&["process:postgres"]), 0);
    assert_eq!(code(&["--fail-on", "close-wait-leak"]), 1);
    assert_eq!(code(&["--fail-on", "orphans,dead-peer"]), 0);
    assert_eq!(code(&["--fail-on", "orphans", "--fail-on", "critical"]), 2);
}

#[test]
fn each_rule_fails_the_check_by_its_name_and_a_healthy_machine_does_not() {
    for &rule in Rule::ALL {
        let source = format!("replay:tests/recordings/{}.conntop", rule.id());
        let ended = run(&["check", "--source", &source, "--fail-on", rule.id(), "--config", SMALL]);
        assert!((1..=2).contains(&ended.code), "{}: {}", rule.id(), ended.stdout);
        assert!(ended.stdout.contains(&format!("] {}: ", rule.id())), "{}", ended.stdout);
    }
    let churn = ["check", "--source", "replay:tests/recordings/churn.conntop"];
    assert_eq!(run(&churn).code, 0, "it is only too fast under the thresholds of that file");
    let healthy = run(&["check", "--source", "replay:tests/recordings/healthy-busy.conntop"]);
    assert_eq!(healthy.code, 0, "{}", healthy.stdout);
}

#[test]
fn json_and_text_agree() {
    let (text, json) = (run(&DEMO), run(&[&DEMO[..], &["--format", "json"]].concat()));
    assert_eq!(text.code, json.code);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).expect("valid JSON");
    let status = document["status"].as_str().expect("a word").to_uppercase();
    assert!(first_line(&text.stdout).starts_with(&format!("CONNTOP {status} - ")));
    for finding in document["findings"].as_array().expect("a list") {
        let (severity, rule) =
            (finding["severity"].as_str().expect("a word"), finding["rule"].as_str().expect("a word"));
        assert!(text.stdout.contains(&format!("[{severity}] {rule}: ")), "{rule}");
    }
}

#[test]
fn what_could_not_be_seen_is_said_and_is_no_failure() {
    let ended = run(&DEMO);
    assert_ne!(ended.code, 3);
    let line = ended.stdout.lines().find(|line| line.starts_with("not seen: ")).expect("the demo hides owners");
    assert!(line.contains("owner") && line.contains("CAP_SYS_PTRACE"), "{line}");
}

#[test]
fn who_could_not_look_ends_with_3_and_says_unknown() {
    for (arguments, part) in [
        (&["check", "--fail-on", "close-wait-leek"][..], "did you mean 'close-wait-leak'?"),
        (&["check", "--fail-on", "elephant"], "conntop explain"),
        (&["check", "--for", "soon"], "write a time, such as 30"),
        (&["check", "--format", "csv"], "there are text and json"),
        (&["check", "stat:listen"], "did you mean 'state'?"),
        (&["check", "--source", "replay:/nonexistent"], "/nonexistent"),
        (&["--source", "netlink", "check"], "replay:FILE"),
        (&["check", "--config", "/nonexistent"], "no config file"),
        (&["check", "--no-such-option"], "--help"),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, 3, "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(ended.stderr.contains(part), "{arguments:?}: {}", ended.stderr);
        let sentence = ended.stderr.strip_prefix("conntop: ").expect("who speaks");
        assert_eq!(ended.stdout, format!("CONNTOP UNKNOWN - {sentence}"));
    }
    let ended = run(&["check", "--format", "json", "--fail-on", "elephant"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (3, ""), "no half of a JSON document");
    assert_eq!(run(&["list", "--format", "check"]).code, 2, "only check speaks so");
    assert_eq!(run(&["--", "check"]).code, 0, "a word to look for");
}

#[test]
fn it_runs_from_cron() {
    let cron = ended(conntop().env_clear().args(DEMO));
    let here = run(&DEMO);
    assert_eq!((cron.code, cron.stdout), (here.code, here.stdout));
}

#[cfg(unix)]
#[test]
fn a_closed_or_full_stdout_is_no_panic() {
    use std::process::Command;
    for (redirection, code) in [(">&-", 2), (">/dev/full", 3), ("| head -c 1", 0)] {
        let script = format!("\"$0\" check --demo {redirection}");
        let binary = assert_cmd::cargo::cargo_bin("conntop");
        let output = Command::new("sh").arg("-c").arg(script).arg(binary).output().expect("sh starts");
        assert_eq!(output.status.code(), Some(code), "{redirection}: {output:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn this_machine_is_looked_at_in_two_samples() {
    let ended = run(&["check", "--interval", "0.1", "--format", "json"]);
    assert!((0..=2).contains(&ended.code), "{}", ended.stderr);
    let document: serde_json::Value = serde_json::from_str(&ended.stdout).expect("valid JSON");
    assert!(document["watched_seconds"].as_f64().is_some_and(|seconds| seconds >= 0.1));
}
