//! What conntop must say about a program in trouble.

use std::ops::RangeInclusive;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::programs::Program;
use crate::setup::{run, sockets};
use crate::verdict::{Checked, check};

/// The cause that must be found.
pub struct Cause<'a> {
    /// The id of the rule.
    pub rule: &'a str,
    /// The programs of which one process is at fault.
    pub of: &'a [&'a Program],
    /// `to 127.0.0.1:7101` or `on 127.0.0.1:7101`.
    pub place: &'a str,
}

/// How long a condition has lasted, as far as the test knows.
pub struct BegunWithin {
    /// It cannot have begun before this.
    pub earliest: Instant,
    /// It had begun by this.
    pub latest: Instant,
}

impl BegunWithin {
    /// Something that begins while `make` runs.
    pub fn during<T>(make: impl FnOnce() -> T) -> (Self, T) {
        let earliest = Instant::now();
        let result = make();
        (Self { earliest, latest: Instant::now() }, result)
    }

    /// The same, so much later.
    pub fn later(self, by: Duration) -> Self {
        Self { earliest: self.earliest + by, latest: self.latest + by }
    }

    /// Asserts that `finding` of this look has lasted as long as it must, to a second and a half.
    pub fn holds(&self, finding: &Value, look: &CheckRun) {
        let slack = Duration::from_millis(1_500);
        let since = Duration::from_secs_f64(finding["since_seconds"].as_f64().expect("it has lasted"));
        let least = look.began.saturating_duration_since(self.latest + slack);
        let most = look.ended.saturating_duration_since(self.earliest) + slack;
        assert!((least..=most).contains(&since), "since {since:?}, which is not in {least:?} to {most:?}: {finding:#}");
    }
}

/// What was seen by who looked for some seconds.
pub struct CheckRun {
    /// As JSON.
    pub checked: Checked,
    /// The first line of the text: that of a plugin.
    pub line: String,
    /// When it was begun and when it ended.
    pub began: Instant,
    pub ended: Instant,
}

/// Looks for so many seconds, as a monitoring system and an administrator do at once.
pub fn look(seconds: u32) -> CheckRun {
    let seconds = seconds.to_string();
    let began = Instant::now();
    let (checked, line) = std::thread::scope(|scope| {
        let line = scope.spawn(|| first_line(&seconds));
        (check(&["--for", &seconds]), line.join().expect("no panic"))
    });
    CheckRun { checked, line, began, ended: Instant::now() }
}

fn first_line(seconds: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conntop"));
    command.args(["check", "--for", seconds]);
    let output = run(command);
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
}

impl CheckRun {
    /// Asserts that the first line names all of these.
    pub fn line_names(&self, words: &[&str]) {
        assert!(words.iter().all(|word| self.line.contains(word)), "{words:?}: {}", self.line);
    }
}

impl Cause<'_> {
    /// Asserts that this was found, and nothing else, and gives it.
    pub fn only<'a>(&self, look: &'a CheckRun) -> &'a Value {
        let (finding, checked) = (self.first(look), &look.checked);
        assert_eq!(checked.findings().len(), 1, "{checked}");
        finding
    }

    /// Asserts that this was found first.
    pub fn first<'a>(&self, look: &'a CheckRun) -> &'a Value {
        let checked = &look.checked;
        let finding = checked.findings().first().unwrap_or_else(|| panic!("{} is not found: {checked}", self.rule));
        assert_eq!(finding["rule"], self.rule, "{checked}");
        let pid = finding["pid"].as_u64();
        assert!(self.of.iter().any(|program| program.pids().into_iter().any(|of| Some(of) == pid)), "{checked}");
        let place = format!("{} {}:{}", text(&finding["place"]), text(&finding["addr"]), finding["port"]);
        assert_eq!(place, self.place, "{checked}");
        assert_ne!(checked.code, 0, "{checked}");
        finding
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// Asserts that the finding counts as many sockets as ss(8) lists for its filter, or did a moment before.
pub fn counts(finding: &Value, before: usize, filter: &str) {
    let after = sockets(filter);
    let bounds: RangeInclusive<_> = before.min(after)..=before.max(after);
    let told = usize::try_from(finding["sockets"].as_u64().expect("a count")).expect("small");
    assert!(bounds.contains(&told), "{told} of {bounds:?} sockets: {finding:#}");
}
