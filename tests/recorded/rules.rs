//! A recording for every rule of `diagnosis`, and one of a healthy busy machine: what is found when each is played.
//!
//! `CONNTOP_BLESS=1 cargo test --test recorded rules` writes the recordings of `tests/recordings` anew from the scripts,
//! `INSTA_UPDATE=always` what is found in them; both are reviewed like code.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use conntop::diagnosis::Diagnosis;
use conntop::diagnosis::finding::{Evidence, Finding, Measure};
use conntop::diagnosis::rule::Rule;
use conntop::diagnosis::thresholds::Thresholds;
use conntop::model::snapshot::{Needs, Snapshot, SourceInfo};
use conntop::model::text::DisplayText;
use conntop::model::time::WallTime;
use conntop::model::units;
use conntop::report::explain::{self, ExplainContext};
use conntop::source::record::Writer;
use conntop::source::record::header::{Header, RecorderRun};
use conntop::source::replay::Replay;
use conntop::source::{Pace, Source};
use conntop::store::Store;
use conntop::table::filter::Filter;
use conntop::tracker::Tracker;

use crate::scripts::{RecordingScript, SCRIPTS};

/// A recording is no larger than this.
const BYTES_MAX: usize = 100_000;

/// The recording of the script `name`. Where that is asked for, all are written anew: once, and before any test reads one.
pub fn recording(name: &str) -> PathBuf {
    static BLESSED: Once = Once::new();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    let path = |name: &str| directory.join(format!("{name}.conntop"));
    BLESSED.call_once(|| {
        if std::env::var_os("CONNTOP_BLESS").is_some() {
            std::fs::create_dir_all(&directory).expect("it can be made");
            for script in SCRIPTS {
                std::fs::write(path(script.name), recorded(script)).expect("it can be written");
            }
        }
    });
    path(name)
}

fn recorded(script: &RecordingScript) -> Vec<u8> {
    let mut bytes = Vec::new();
    let run = RecorderRun { begun: WallTime(0), number: 1 };
    let header = Header::new(&conntop::model::testing::source_info(), DisplayText::default(), run);
    let mut writer = Writer::new(&mut bytes, header).expect("it writes into memory");
    let mut tracker = Tracker::new();
    for snapshot in (script.tell)() {
        writer.write(&tracker.update(&snapshot), &[]).expect("it writes into memory");
    }
    writer.finish().expect("it writes into memory");
    bytes
}

/// Plays a recording and calls `each` after every sample.
fn play(path: &Path, thresholds: &str, mut each: impl FnMut(&Store, &Diagnosis)) {
    let mut replay = Replay::open(path).expect("the recording is sound");
    let info: SourceInfo = replay.info().clone();
    let thresholds: Thresholds = toml::from_str(thresholds).expect("thresholds");
    let (mut tracker, mut store, mut diagnosis) = (Tracker::new(), Store::new(info), Diagnosis::new(thresholds));
    let mut snapshot = Snapshot::default();
    loop {
        let pace = replay.sample(&Needs::default(), &mut snapshot).expect("the recording is sound");
        store.apply(tracker.finish(&mut snapshot));
        diagnosis.observe(&store);
        each(&store, &diagnosis);
        if pace == Pace::Last {
            return;
        }
    }
}

fn told(store: &Store, finding: &Finding) -> String {
    let mut text = format!("{} {}: {}\n", finding.severity.label(), finding.rule().id(), finding.sentence);
    let line =
        |text: &mut String, label: &str, words: String| writeln!(text, "    {label}: {words}").expect("a string");
    line(&mut text, "why", finding.why.to_owned());
    for Evidence { label, value, is_metric, .. } in &finding.evidence {
        line(&mut text, label, format!("{}{}", measure(value), if *is_metric { " *" } else { "" }));
    }
    if let Some(since) = finding.since {
        line(&mut text, "since", format!("{} ({})", units::lasted(since.age(store.at())), since.basis.label()));
    }
    finding.processes_in_words().into_iter().for_each(|words| line(&mut text, "who", words));
    finding.caused.lines().for_each(|words| line(&mut text, "explains", words));
    line(&mut text, "found", format!("{} ago", units::age(store.at().since(finding.first_found))));
    line(&mut text, "shown by", finding.filter.clone());
    text
}

fn measure(value: &Measure) -> String {
    match value {
        Measure::Count(count) => units::count(*count),
        Measure::Id(id) => id.to_string(),
        Measure::Of(part, whole) => format!("{} of {}", units::count(*part), units::count(*whole)),
        Measure::Span(span) => units::lasted(*span),
        Measure::PerSecond(rate) => format!("{rate:.1}/s"),
        Measure::PerMinute(rate) => format!("{rate:.1}/min"),
        Measure::Bytes(bytes) => format!("{} bytes", units::count(*bytes)),
        Measure::Words(words) => words.clone(),
    }
}

/// How many live sockets a filter selects.
fn selected(store: &Store, filter: &str) -> usize {
    let filter = Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
    store.rows().iter().filter(|(_, row)| !row.is_closed() && filter.matches(row, store)).count()
}

#[test]
fn the_recordings_are_what_the_stories_tell() {
    for script in SCRIPTS {
        let (made, path) = (recorded(script), recording(script.name));
        assert!(made.len() < BYTES_MAX, "{}: {} bytes", script.name, made.len());
        let stored = std::fs::read(&path).unwrap_or_default();
        assert!(stored == made, "{} differs; look at why, then write it anew with CONNTOP_BLESS=1", script.name);
    }
}

#[test]
fn every_rule_has_a_recording_in_which_it_finds_its_cause() {
    for &rule in Rule::ALL {
        let script = SCRIPTS.iter().find(|script| script.name == rule.id());
        let script = script.unwrap_or_else(|| panic!("{} has no script", rule.id()));
        let (mut text, mut found) = (String::new(), false);
        play(&recording(script.name), script.thresholds, |store, diagnosis| {
            found = diagnosis.findings().iter().any(|finding| finding.rule() == rule);
            text = diagnosis.findings().iter().map(|finding| told(store, finding)).collect::<Vec<_>>().join("\n");
            for finding in diagnosis.findings() {
                let selected = selected(store, &finding.filter);
                assert!(selected > 0 || finding.sockets == 0, "{} selects nothing", finding.filter);
            }
        });
        assert!(found, "{} is not found at the end of its recording:\n{text}", rule.id());
        insta::assert_snapshot!(format!("finds_{}", rule.id()), text);
    }
}

/// What a finding, or one that it explains, counts, and what its filter selects.
fn counts(store: &Store, finding: &Finding) -> Vec<(Rule, String, usize, usize)> {
    let own = (finding.rule(), &finding.filter, finding.sockets);
    let explained = finding.caused.listed.iter().map(|caused| (caused.rule, &caused.filter, caused.sockets));
    let all = std::iter::once(own).chain(explained).filter(|(_, filter, sockets)| !filter.is_empty() || *sockets > 0);
    all.map(|(rule, filter, sockets)| (rule, filter.clone(), sockets as usize, selected(store, filter))).collect()
}

#[test]
fn each_filter_selects_the_sockets_that_its_finding_counts_or_it_is_written_why_not() {
    let reason = |rule: Rule| {
        let script = SCRIPTS.iter().find(|one| one.name == rule.id());
        script.expect("every rule has a script").shows_more
    };
    let (mut wrong, mut differing) = (BTreeSet::new(), BTreeSet::new());
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/recordings/demo.conntop");
    let scripts = SCRIPTS.iter().map(|script| (recording(script.name), script.thresholds));
    for (path, thresholds) in scripts.chain(std::iter::once((demo, ""))) {
        play(&path, thresholds, |store, diagnosis| {
            for (rule, filter, counted, selected) in diagnosis.findings().iter().flat_map(|one| counts(store, one)) {
                if counted != selected || counted == 0 {
                    differing.insert(rule);
                }
                if counted != selected && reason(rule).is_none() {
                    wrong.insert(format!(
                        "{rule:?}: '{filter}' selects {selected}, it counts {counted} in {}",
                        path.display()
                    ));
                }
            }
        });
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for &rule in Rule::ALL.iter().filter(|rule| reason(**rule).is_some()) {
        assert!(differing.contains(&rule), "{}: its filter is exact, it needs no reason", rule.id());
    }
}

#[test]
fn every_finding_says_where_its_sockets_and_its_explanation_are() {
    for script in SCRIPTS.iter().filter(|script| Rule::named(script.name).is_some()) {
        let source = format!("replay:{}", recording(script.name).display());
        let check = |format| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_conntop"));
            let output = command.args(["check", "--source", &source, "--format", format]).output().expect("it runs");
            String::from_utf8(output.stdout).expect("text")
        };
        let (text, json) = (check("text"), check("json"));
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let all = json["findings"].as_array().expect("a list").iter();
        let shown = all.filter(|one| one["filter"].as_str().is_some_and(|filter| !filter.is_empty())).count();
        let text: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let lines = |label: &str| text.iter().filter(|line| line.starts_with(label)).count();
        // A recording that needs other thresholds finds nothing with the usual ones.
        let findings = lines("[");
        assert!(findings > 0 || !script.thresholds.is_empty(), "{}: {text:#?}", script.name);
        let said = (lines("see them conntop list "), lines("explain conntop explain "));
        assert_eq!(said, (shown, findings), "{text:#?}");
        for line in text.iter().filter_map(|line| line.strip_prefix("explain conntop explain ")) {
            assert!(!explain::look_up(line, &ExplainContext::default()).is_empty(), "{line}");
        }
    }
}

#[test]
fn a_healthy_busy_machine_has_no_finding() {
    let script = SCRIPTS.iter().find(|script| script.name == "healthy-busy").expect("it is told");
    play(&recording(script.name), script.thresholds, |store, diagnosis| {
        let told: Vec<_> = diagnosis.findings().iter().map(|finding| told(store, finding)).collect();
        assert_eq!(told, [""; 0]);
    });
}

#[test]
fn the_demo_shows_what_it_is_made_to_show() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/recordings/demo.conntop");
    let mut text = String::new();
    play(&path, "", |store, diagnosis| {
        text = diagnosis.findings().iter().map(|finding| told(store, finding)).collect::<Vec<_>>().join("\n");
        diagnosis.findings().iter().for_each(|finding| {
            selected(store, &finding.filter);
        });
    });
    insta::assert_snapshot!("the_demo", text);
}
