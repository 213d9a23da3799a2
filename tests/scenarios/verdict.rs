//! What conntop says about the scene, and what is expected of it.

use std::process::Command;

use serde_json::Value;

use crate::setup::{ScriptedProcess, run};

/// What `conntop check --format json` said.
pub struct Checked {
    /// The exit code.
    pub code: i32,
    /// The one JSON object.
    pub json: Value,
    /// The messages.
    pub stderr: String,
}

/// A finding that is expected.
pub struct Expected<'a> {
    /// The id of the rule.
    pub rule: &'a str,
    /// `warning` or `critical`.
    pub severity: &'a str,
    /// Whose it is; `None` where it is nobody's.
    pub process: Option<&'a ScriptedProcess>,
    /// `to 127.0.0.1:7101`, `on 127.0.0.1:7101`, `process` or `machine`.
    pub place: &'a str,
}

/// The times that rules wait, shortened, so that no test waits for minutes. Everything else is as it comes.
pub const SOON: &str = "settled = 1\nfin-wait2-age = 3\nzero-window-age = 2\nlocal-reader-age = 2\ndead-peer-age = 4\n";

/// Runs `conntop check --format json` with more arguments and [`SOON`].
pub fn check_soon(arguments: &[&str]) -> Checked {
    check_with(SOON, arguments)
}

/// Runs `conntop check --format json` with more arguments and these thresholds in its configuration.
pub fn check_with(thresholds: &str, arguments: &[&str]) -> Checked {
    let config = config(thresholds);
    let path = config.path().to_str().expect("a plain name");
    check(&[&["--config", path], arguments].concat())
}

/// A configuration with these thresholds; gone with the value.
pub fn config(thresholds: &str) -> tempfile::NamedTempFile {
    let config = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
    std::fs::write(config.path(), format!("[thresholds]\n{thresholds}")).expect("ours");
    config
}

/// Runs `conntop check --format json` with more arguments and everything as it comes.
pub fn check(arguments: &[&str]) -> Checked {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conntop"));
    command.args(["check", "--format", "json"]).args(arguments);
    check_by(command)
}

/// The same by a prepared command.
pub fn check_by(command: Command) -> Checked {
    let output = run(command);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let json: Value = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout} {stderr}"));
    let checked = Checked { code: output.status.code().expect("no signal"), json, stderr };
    checked.assert_consistent();
    checked
}

impl Checked {
    /// What was found, worst first.
    pub fn findings(&self) -> &[Value] {
        self.json["findings"].as_array().expect("an array")
    }

    /// Asserts that there is exactly this finding, and gives it.
    pub fn only(&self, expected: &Expected) -> &Value {
        let [finding] = self.all([expected]);
        finding
    }

    /// Asserts that there are exactly these findings, in any order, and gives them in the order expected.
    pub fn all<const N: usize>(&self, expected: [&Expected; N]) -> [&Value; N] {
        assert_eq!(self.findings().len(), N, "{self}");
        let worst = if expected.iter().any(|finding| finding.severity == "critical") { 2 } else { 1 };
        assert_eq!(self.code, worst, "{self}");
        expected.map(|expected| {
            let found = self.findings().iter().find(|finding| expected.is(finding));
            found.unwrap_or_else(|| {
                panic!("{} {} {} is missing: {self}", expected.rule, expected.severity, expected.place)
            })
        })
    }

    /// Asserts that nothing is wrong.
    pub fn none(&self) {
        assert_eq!((self.findings().len(), self.code), (0, 0), "{self}");
        assert_eq!(self.json["status"], "ok", "{self}");
    }

    /// What each finding is about, without its numbers: it must stay the same while the cause does.
    pub fn causes(&self) -> Vec<String> {
        let cause = |finding: &Value| {
            let part = |key: &str| finding[key].to_string();
            ["rule", "severity", "pid", "place", "addr", "port", "state", "why"].map(part).join(" ")
        };
        self.findings().iter().map(cause).collect()
    }

    /// What the exit code, the status and each finding must always say.
    fn assert_consistent(&self) {
        let severities: Vec<_> = self.findings().iter().map(|finding| finding["severity"].as_str()).collect();
        let worst = if severities.contains(&Some("critical")) {
            (2, "critical")
        } else if severities.contains(&Some("warning")) {
            (1, "warning")
        } else {
            (0, "ok")
        };
        assert_eq!((self.code, self.json["status"].as_str()), (worst.0, Some(worst.1)), "{self}");
        for finding in self.findings() {
            let sentence = finding["sentence"].as_str().expect("a sentence");
            assert!(sentence.len() > 20 && !sentence.contains('\n'), "{sentence:?}");
            for list in ["remedy", "does_not_help"] {
                assert!(finding[list].is_array(), "{list}: {finding}");
            }
            assert!(finding["remedy"][0].is_string(), "something can be done: {finding}");
            if let Some(process) = finding["process"].as_str() {
                assert!(sentence.contains(process), "{sentence:?} names {process}");
            }
            if finding["place"] == "to" {
                let port = finding["port"].to_string();
                assert!(sentence.contains(&port), "{sentence:?} names the peer");
            }
        }
    }
}

impl std::fmt::Display for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        writeln!(f, "exit code {}, {} findings; {}", self.code, self.findings().len(), self.stderr)?;
        for finding in self.findings() {
            let mut finding = finding.clone();
            for long in ["remedy", "does_not_help"] {
                finding.as_object_mut().map(|object| object.remove(long));
            }
            if let Some(examples) = finding["examples"].as_array_mut() {
                examples.truncate(1);
            }
            writeln!(f, "{finding:#}")?;
        }
        Ok(())
    }
}

impl Expected<'_> {
    /// Whether a finding is the one expected.
    pub fn is(&self, finding: &Value) -> bool {
        let place = match finding["place"].as_str() {
            Some(place @ ("to" | "on")) => {
                let addr = finding["addr"].as_str().expect("an address");
                let addr = if addr.contains(':') { format!("[{addr}]") } else { addr.to_owned() };
                format!("{place} {addr}:{}", finding["port"])
            }
            place => place.expect("a place").to_owned(),
        };
        let whose = (finding["process"].as_str(), finding["pid"].as_u64());
        let wanted = self.process.map_or((None, None), |process| (Some(process.name), Some(process.pid)));
        (finding["rule"].as_str(), finding["severity"].as_str()) == (Some(self.rule), Some(self.severity))
            && place == self.place
            && whose == wanted
    }
}
