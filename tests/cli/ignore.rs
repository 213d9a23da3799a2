//! What the user has acknowledged: `--ignore` and `[[ignore]]`. It is counted, and hides no other finding.

use crate::program::run;

/// The recording has two findings: redis on 6379 and docker on 2375.
fn ignoring(ignores: &[&str], format: &str) -> (i32, String) {
    let mut words = vec!["check", "--source", "replay:tests/recordings/exposed-risky-port.conntop", "--format", format];
    words.extend(ignores.iter().flat_map(|ignore| ["--ignore", ignore]));
    let ended = run(&words);
    (ended.code, ended.stdout)
}

#[test]
fn an_ignored_finding_is_counted_and_hides_no_other() {
    let one = "exposed-risky-port:process:redis-server port:6379";
    for (ignores, code, told, ignored) in [
        (&[][..], 1, 2, 0),
        (&[one], 1, 1, 1),
        (&["exposed-risky-port:6379"], 1, 1, 1),
        (&["exposed-risky-port:6380"], 1, 2, 0),
        (&["exposed-risky-port:process:nginx port:6379"], 1, 2, 0),
        (&["unexpected-listener:6379"], 1, 2, 0),
        (&[one, "exposed-risky-port:2375"], 0, 0, 2),
        (&["exposed-risky-port"], 0, 0, 2),
    ] {
        let (exit, text) = ignoring(ignores, "text");
        assert_eq!((exit, text.matches("[warning] exposed-risky-port").count()), (code, told), "{ignores:?}: {text}");
        let first = text.lines().next().expect("a line");
        let said = format!("; {ignored} ignored by config or --ignore");
        assert_eq!(first.contains("ignored"), ignored > 0, "{first}");
        assert!(ignored == 0 || first.contains(&said), "{first}");
        let json: serde_json::Value = serde_json::from_str(&ignoring(ignores, "json").1).expect("JSON");
        assert_eq!((json["ignored"].as_u64(), json["findings"].as_array().map(Vec::len)), (Some(ignored), Some(told)));
        assert_eq!(json["status"], if code == 0 { "ok" } else { "warning" });
    }
}

#[test]
fn the_config_file_acknowledges_as_the_command_line_does() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let text = "[[ignore]]\nrule = \"exposed-risky-port\"\nprocess = \"redis-server\"\nport = 6379\n";
    std::fs::write(file.path(), text).expect("written");
    let path = file.path().to_str().expect("a path");
    let source = "replay:tests/recordings/exposed-risky-port.conntop";
    let both = ["check", "--config", path, "--source", source, "--ignore", "exposed-risky-port:2375"];
    let ended = run(&both);
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert!(ended.stdout.contains("; 2 ignored by config or --ignore"), "{}", ended.stdout);
}

#[test]
fn what_cannot_be_ignored_is_said_in_a_sentence() {
    for (ignore, said) in
        [("exposed", "there is no rule 'exposed' to ignore"), ("orphans:pid:7", "'pid' cannot be ignored by")]
    {
        let ended = run(&["check", "--demo", "--ignore", ignore]);
        assert!(ended.code == 3 && ended.stderr.contains(said), "{}", ended.stderr);
    }
}
