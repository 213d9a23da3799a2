//! Every example that README, help and `conntop explain` show is run: a command must be understood, a filter must be one.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use conntop::table::connections::COLUMNS;
use conntop::table::filter::{EITHER_END, Filter};
use regex::Regex;

use crate::commands;
use crate::namespace;

/// Stands before conntop on the path: makes an example end by itself and hit nothing, and notes what came of it.
const WRAPPER: &str = r#"#!/bin/bash
words=() command=""
while (($#)); do
    case $1 in
        --for | --count | --timeout) shift ;;
        --yes | -y | --dry-run) ;;
        --source) words+=("$1" "$2"); shift ;;
        -*) words+=("$1") ;;
        *) [ -n "$command" ] || command=$1; words+=("$1") ;;
    esac
    shift
done
case $command in
    kill | close) words+=(--dry-run) ;;
    watch | check) words+=(--for 0.1) ;;
    record) words+=(--count 1) ;;
    metrics) [[ " ${words[*]} " == *" --every "* ]] && words+=(--count 1) ;;
    netstat) [[ ${words[-1]} =~ ^[0-9]+$ ]] && words+=(--count 1) ;;
    list)
        [[ " ${words[*]} " == *" --on-change "* ]] && words+=(--for 0.1)
        [[ " ${words[*]} " == *" --wait-for "* || " ${words[*]} " == *" --until-none "* ]] && words+=(--timeout 0.1) ;;
    replay)
        played=(list)
        for word in "${words[@]:1}"; do
            case $word in
                *.conntop | - | /dev/fd/* | recorder) played+=(--source "replay:$word") ;;
                *) played+=("$word") ;;
            esac
        done
        words=("${played[@]}") ;;
esac
"$CONNTOP" "${words[@]}" 2> stderr
code=$?
printf '%s\t%s\t%s\n' "$code" "${words[*]}" "$(head -n 1 stderr)" >> log
exit $code
"#;

/// What else an example may run: none of it has to.
const AROUND: &str = "kill() { :; }; sudo() { \"$@\"; }; deploy() { :; }; man() { cat > /dev/null; }; ";

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

fn output(words: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_conntop")).args(words).env("COLUMNS", "200").output().expect("it runs");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// README.md and the pages of docs, by their paths.
fn pages() -> Vec<String> {
    let docs = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).expect("docs");
    let docs = docs.map(|page| format!("docs/{}", page.expect("readable").file_name().display()));
    ["README.md".to_owned()].into_iter().chain(docs).collect()
}

/// The commands in README.md and docs: lines of shell blocks, and what stands between backticks.
fn commands_of_pages() -> BTreeSet<String> {
    let text: String = pages().iter().map(|page| file(page)).collect();
    let mut found = BTreeSet::new();
    let mut in_shell = false;
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            in_shell = language == "sh";
        } else if in_shell {
            found.extend(Some(line.trim()).filter(|line| is_command(line)).map(str::to_owned));
        } else {
            let spans = line.split('`').skip(1).step_by(2);
            found.extend(spans.filter(|span| is_command(span)).map(|span| span.replace("\\|", "|")));
        }
    }
    found
}

/// The lines below "Examples:" in the help of each command, without the words on what they do.
fn commands_of_help() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for command in std::iter::once(String::new()).chain(commands::commands()) {
        let words: Vec<&str> = [command.as_str(), "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let help = output(&words);
        let (_, examples) = help.split_once("Examples:\n").expect("each command has examples");
        for line in examples.lines().take_while(|line| line.starts_with("  ")) {
            found.extend(line.trim().split("   ").next().map(|line| line.trim().to_owned()));
        }
    }
    found
}

/// Whether `text` runs conntop as a whole line of a shell, with no word that only stands for another.
fn is_command(text: &str) -> bool {
    let stands_for = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase()) && !["LISTENING", "TCP", "UDP"].contains(&word)
    };
    // What begins with conntop_ or conntop. is a metric.
    let begins = text.split(' ').next() == Some("conntop");
    (begins || text.contains(" conntop "))
        && !text.starts_with("cargo")
        && !text.split_whitespace().any(|word| stands_for(word) && begins && word != "CLOSE_WAIT")
}

#[test]
fn every_command_is_understood() {
    if !namespace::inside_namespace() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("conntop"), WRAPPER).expect("writable");
    fs::set_permissions(path("conntop"), fs::Permissions::from_mode(0o755)).expect("ours");
    fs::create_dir_all(path(".zfunc")).expect("writable");
    fs::create_dir_all(path(".local/share/bash-completion/completions")).expect("writable");
    fs::create_dir_all(path(".config/fish/completions")).expect("writable");
    let examples: BTreeSet<String> = commands_of_pages().union(&commands_of_help()).cloned().collect();
    assert!(examples.len() > 90, "the examples are where this test looks for them: {examples:#?}");
    for example in &examples {
        let _ = fs::remove_file(path("leak.conntop"));
        if !example.contains("conntop record") {
            let recording = Command::new(env!("CARGO_BIN_EXE_conntop"))
                .args(["record", "--demo", "--count", "2", "--interval", "0.1", "leak.conntop"])
                .current_dir(folder.path())
                .status();
            assert!(recording.is_ok_and(|status| status.success()));
        }
        let _ = fs::remove_dir_all(path("recorder"));
        if example.contains("recorder") && !example.contains("conntop record ") {
            let recording = Command::new(env!("CARGO_BIN_EXE_conntop"))
                .args(["record", "--demo", "--count", "2", "--interval", "0.1", "--max-size", "4M", "recorder"])
                .current_dir(folder.path())
                .status();
            assert!(recording.is_ok_and(|status| status.success()));
        }
        fs::write(path("log"), "").expect("writable");
        let script = example.replace("/usr/local/share/man/man1", "man1");
        let ended = Command::new("bash")
            .args(["-c", &format!("{AROUND}{script}")])
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("PROFILE", "profile")
            .env("PATH", format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a path")))
            .env("CONNTOP", env!("CARGO_BIN_EXE_conntop"))
            .stdin(Stdio::null())
            .output()
            .expect("bash runs");
        let log = fs::read_to_string(path("log")).expect("the wrapper wrote it");
        assert!(!log.is_empty(), "{example} runs no conntop: {}", String::from_utf8_lossy(&ended.stderr));
        for line in log.lines() {
            // 0 done, 1 nothing there to wait for or to hit; 2 is wrong use, for a check 3, which counts what it finds with 1 and 2.
            let (code, words) = line.split_once('\t').expect("a code and a command");
            let most = if words.starts_with("check") { 2 } else { 1 };
            assert!(code.parse::<u32>().is_ok_and(|code| code <= most), "{example}: {line}");
            assert!(!line.contains("cannot"), "{example}: {line}");
        }
    }
}

/// A word that may be a condition on a column: `state:close-wait`, `!rport:443`, `age>60s`.
static CONDITION: LazyLock<Regex> = LazyLock::new(|| {
    let ends = EITHER_END.iter().map(|(name, _)| *name);
    let keys: Vec<&str> =
        COLUMNS.iter().filter(|column| !column.is_hint).map(|column| column.key).chain(ends).collect();
    Regex::new(&format!(r#"(?:^|[\s`'(|!/])((?:{})(?:!=|>=|<=|[:=<>])[^\s`'|"]+)"#, keys.join("|"))).expect("a pattern")
});

#[test]
fn every_filter_is_one() {
    let mut texts: Vec<(String, String)> = pages().into_iter().map(|page| (page.clone(), file(&page))).collect();
    for asset in ["topics", "rules", "states", "ports", "habits", "counters"] {
        texts.push((asset.to_owned(), file(&format!("assets/{asset}.toml"))));
    }
    for command in commands::commands() {
        texts.push((format!("{command} --help"), output(&[&command, "--help"])));
    }
    texts.extend(COLUMNS.iter().map(|column| (column.key.to_owned(), column.about.to_owned())));
    let mut filters = BTreeSet::new();
    for (place, text) in &texts {
        for found in CONDITION.captures_iter(text) {
            let filter = found[1].trim_end_matches(|c: char| ",;.)".contains(c));
            // What stands for something else (PORT, N), and what is a shape of text (state: or :443) is no example.
            let stands_for = filter.split([':', '=', '<', '>']).next_back().is_some_and(|value| {
                value.is_empty() || value.len() > 1 && value.chars().all(|c| c.is_ascii_uppercase() || "-_".contains(c))
            });
            // Nor is a path of the program (host::closing).
            let is_path = filter.split_once("::").is_some_and(|(before, after)| {
                !before.contains([':', '=', '<', '>']) && after.starts_with(|c: char| c.is_ascii_lowercase())
            });
            if (stands_for || is_path) && Filter::parse(filter).is_err() {
                continue;
            }
            let parsed = Filter::parse(filter).map(|_| ());
            assert_eq!(parsed, Ok(()), "{place}: {filter}");
            filters.insert(filter.to_owned());
        }
    }
    assert!(filters.len() > 40 && filters.contains("pid:null"), "the filters are where this test looks: {filters:#?}");
}

/// Commands that print what they know of a machine in which every kind of text may be beyond ASCII.
#[test]
fn ascii_holds_for_every_output() {
    if !namespace::inside_namespace() {
        return;
    }
    let server = Command::new("python3")
        .args(["-c", "import ctypes, socket, time; ctypes.CDLL(None).prctl(15, 'café→'.encode(), 0, 0, 0)
s = socket.create_server(('127.0.0.1', 8080)); c = socket.create_connection(('127.0.0.1', 8080)); print(flush=True); time.sleep(60)", "naïve"])
        .stdout(Stdio::piped())
        .spawn();
    let mut server = server.expect("python3 runs");
    std::io::Read::read_exact(server.stdout.as_mut().expect("piped"), &mut [0]).expect("it listens");
    let mut runs: Vec<Vec<String>> = Vec::new();
    let mut add = |text: &str| runs.push(text.split(' ').map(str::to_owned).collect());
    for format in ["text", "json", "ndjson", "csv", "csv-safe", "plain"] {
        add(&format!("list --format {format} --columns process,command,state"));
        add(&format!("list --format {format} --group-by process"));
        add(&format!("list --format {format} process:café"));
    }
    for format in ["text", "json"] {
        for command in ["check", "ports", "netstat -abno", "columns", "keys", "explain TIME_WAIT", "explain"] {
            add(&format!("{command} --format {format}"));
        }
    }
    add("kill --dry-run lport:8080");
    add("close --dry-run --format json port:8080");
    add("watch --demo --count 5");
    add("watch --demo --count 5 --format ndjson");
    add("list nö:x");
    add("list --source replay:nicht-dä");
    add("completions bash");
    add("man");
    for command in commands::commands() {
        add(&format!("{command} --help"));
    }
    for words in runs {
        for (variable, value, option) in [("LC_ALL", "C", None), ("LC_ALL", "en_US.UTF-8", Some("--ascii"))] {
            let output = Command::new(env!("CARGO_BIN_EXE_conntop"))
                .args(&words)
                .args(option)
                .env(variable, value)
                .output()
                .expect("it runs");
            for bytes in [&output.stdout, &output.stderr] {
                let text = String::from_utf8_lossy(bytes);
                let line = text.lines().find(|line| !line.is_ascii());
                assert_eq!(line, None, "{words:?} with {variable}={value} {option:?}");
            }
            if words.contains(&"process:café".to_owned()) && words.contains(&"ndjson".to_owned()) {
                let first = String::from_utf8_lossy(&output.stdout).lines().next().expect("it is found").to_owned();
                let object: serde_json::Value = serde_json::from_str(&first).expect("JSON");
                assert_eq!(object["process"], "café→");
            }
        }
    }
    server.kill().expect("ours");
    server.wait().expect("ours");
}
