//! `conntop check`: what is wrong, as a monitoring plugin says it: a first line with performance data, then a block for
//! each finding; or one JSON object.

use std::io::{self, Write};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::diagnosis::finding::record::FindingRecord;
use crate::diagnosis::finding::{Finding, Severity};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::tcp_state::{STATES, TcpState};
use crate::model::units;
use crate::report::findings::{self, MatchingSockets};
use crate::report::format::DocumentFormat;
use crate::report::format::json::{self, DocumentHead};
use crate::report::format::label::{Label, Labelled};
use crate::report::format::socket::SocketObject;
use crate::report::hosts;
use crate::store::Store;
use crate::table::filter::Filter;
use crate::table::suggest;

/// What the first line begins with.
pub const PLUGIN_NAME: &str = "CONNTOP";

/// Which findings make the check fail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckFailOn {
    rules: Vec<Rule>,
    /// That bad or worse.
    least: Option<Severity>,
}

impl CheckFailOn {
    /// The rules and severities called `names`; none of them means every finding. An unknown name is answered by a
    /// sentence.
    pub fn parse<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut parsed = Self::default();
        for name in names.map(str::trim) {
            let severity = [Severity::Warning, Severity::Critical].into_iter().find(|one| one.label() == name);
            match (severity, Rule::named(name)) {
                (Some(severity), _) => parsed.least = Some(parsed.least.map_or(severity, |least| least.min(severity))),
                (None, Some(rule)) => parsed.rules.push(rule),
                (None, None) => {
                    let known = Rule::ALL.iter().map(|rule| rule.id()).chain(["warning", "critical"]);
                    let hint = suggest::hint(name, known, "see conntop explain for the rules; or warning, critical");
                    return Err(format!("unknown rule or severity '{name}'; {hint}"));
                }
            }
        }
        Ok(parsed)
    }

    fn counts(&self, finding: &Finding) -> bool {
        let is_all = self.rules.is_empty() && self.least.is_none();
        is_all
            || self.rules.iter().any(|rule| finding.is_of(*rule))
            || self.least.is_some_and(|least| finding.severity >= least)
    }
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Check {
    /// Only findings about these sockets.
    pub filter: Filter,
    /// Which of them make it fail.
    pub fail_on: CheckFailOn,
    /// Text or JSON.
    pub format: DocumentFormat,
}

/// What was found in a look.
#[derive(Clone, Copy, Debug)]
pub struct CheckInput<'a> {
    /// The findings, the worst first.
    pub findings: &'a [Finding],
    /// How many more there are.
    pub left_out: usize,
    /// How many more there are that the user has acknowledged.
    pub ignored: usize,
    /// What they were compared with.
    pub thresholds: &'a Thresholds,
    /// How long was watched.
    pub watched: Duration,
}

/// How it stands, as monitoring plugins say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckStatus {
    /// Nothing that counts.
    Ok,
    /// A warning.
    Warning,
    /// Something critical.
    Critical,
}

impl CheckStatus {
    /// The name in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The exit code.
    pub const fn exit_code(self) -> u8 {
        self as u8
    }
}

impl From<Severity> for CheckStatus {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }
}

impl Labelled for CheckStatus {
    fn labels() -> Vec<&'static str> {
        [Self::Ok, Self::Warning, Self::Critical].map(Self::label).to_vec()
    }

    fn label(&self) -> &'static str {
        Self::label(*self)
    }
}

/// What `conntop check --format json` prints.
#[derive(Serialize, JsonSchema)]
pub(in crate::report) struct CheckDocument<'a> {
    #[serde(flatten)]
    head: DocumentHead<'a>,
    /// As the exit code: 0, 1, 2.
    status: Label<CheckStatus>,
    /// How long was watched.
    #[schemars(range(min = 0))]
    watched_seconds: f64,
    /// The worst first.
    findings: Vec<FindingRecord<'a, Vec<SocketObject<'a>>>>,
    /// How many more there are.
    findings_left_out: usize,
    /// How many the user has acknowledged, by [[ignore]] in the config file or --ignore; they are not listed and do not
    /// count for the status.
    ignored: usize,
}

impl Check {
    /// Writes what was found in `store`, and says how it stands.
    pub fn write(&self, store: &Store, found: CheckInput<'_>, out: &mut impl Write) -> io::Result<CheckStatus> {
        let matching = MatchingSockets::new(&self.filter, store);
        let shown: Vec<&Finding> = found.findings.iter().filter(|finding| matching.concerns(finding)).collect();
        let counting = shown.iter().filter(|finding| self.fail_on.counts(finding));
        let status = counting.map(|finding| CheckStatus::from(finding.severity)).max().unwrap_or(CheckStatus::Ok);
        match self.format {
            DocumentFormat::Json => write_json(out, store, found, &shown, status)?,
            DocumentFormat::Text => self.write_text(out, store, found, &shown, status)?,
        }
        Ok(status)
    }

    fn write_text(
        &self,
        out: &mut impl Write,
        store: &Store,
        found: CheckInput<'_>,
        shown: &[&Finding],
        status: CheckStatus,
    ) -> io::Result<()> {
        let summary = self.summary(store, shown, found.left_out);
        let ignored = match found.ignored {
            0 => String::new(),
            ignored => format!("; {} ignored by config or --ignore", units::count(ignored as u64)),
        };
        let label = status.label().to_uppercase();
        writeln!(
            out,
            "{PLUGIN_NAME} {label} - {}{ignored} | {}",
            harmless(&summary),
            performance(store, found.thresholds, shown)
        )?;
        for (at, finding) in shown.iter().enumerate() {
            let is_told = shown
                .iter()
                .take(at)
                .any(|before| before.rule() == finding.rule() && before.remedy() == finding.remedy());
            write_block(out, finding, store, is_told)?;
        }
        for sentence in unseen(store) {
            writeln!(out, "not seen: {}", harmless(&sentence))?;
        }
        Ok(())
    }

    /// `2 problems: …`, with the sentence of the first one that counts: they are ordered.
    fn summary(&self, store: &Store, shown: &[&Finding], left_out: usize) -> String {
        let all = shown.len() + if self.filter.is_empty() { left_out } else { 0 };
        let problems = units::counted(all as u64, "problem");
        let counts = shown.iter().find(|finding| self.fail_on.counts(finding));
        match (counts, shown.first()) {
            (Some(first), _) => format!("{problems}: {}", first.sentence),
            (None, Some(first)) => format!("{problems}, none that --fail-on names: {}", first.sentence),
            (None, None) => {
                let sockets = u64::from(store.rows().counts().total());
                format!("no problems in {} sockets", units::count(sockets))
            }
        }
    }
}

/// A finding and what belongs to it. What to do is only said once for each rule.
fn write_block(out: &mut impl Write, finding: &Finding, store: &Store, is_told: bool) -> io::Result<()> {
    const LABEL_LEN: usize = 13;
    writeln!(out, "[{}] {}: {}", finding.severity.label(), finding.rule().id(), harmless(&finding.sentence))?;
    let mut before = "";
    for (label, text) in findings::lines(finding, store.at(), !is_told) {
        let shown = if label == before { "" } else { label };
        before = label;
        writeln!(out, "  {shown:<LABEL_LEN$}  {}", harmless(&text))?;
    }
    Ok(())
}

/// Everything behind a `|` is performance data to a monitoring system.
fn harmless(text: &str) -> String {
    text.replace('|', "/")
}

/// What could not be seen, in sentences.
fn unseen(store: &Store) -> Vec<String> {
    let coverage = store.coverage();
    let of_hosts = hosts::sentences(store);
    let mut sentences: Vec<String> = coverage.degraded.iter().chain(&of_hosts).map(ToString::to_string).collect();
    if coverage.owners_hidden > 0 {
        sentences.push(format!(
            "the owners of {} of {} sockets are hidden: need root (CAP_SYS_PTRACE)",
            units::count(u64::from(coverage.owners_hidden)),
            units::count(u64::from(store.rows().counts().total())),
        ));
    }
    sentences
}

/// Performance data (Monitoring Plugins Development Guidelines, section 2.6): how many sockets there are, by state.
fn performance(store: &Store, thresholds: &Thresholds, shown: &[&Finding]) -> String {
    let counts = store.rows().counts();
    let of = |severity| shown.iter().filter(|finding| finding.severity == severity).count();
    let mut data = vec![
        format!("sockets={}", counts.total()),
        format!("warnings={}", of(Severity::Warning)),
        format!("criticals={}", of(Severity::Critical)),
    ];
    for row in STATES.iter().filter(|row| !matches!(row.state, TcpState::Close | TcpState::Unconn)) {
        data.push(format!("{}={}{}", row.label, counts.of(row.state), limits(row.state, thresholds)));
    }
    data.push(format!("udp={}", counts.udp));
    data.push(format!("subflows={}", counts.subflows));
    data.join(" ")
}

/// The thresholds of the number of sockets in `state`, as `;warning;critical`.
///
/// They are those of one process and place, not of the machine: below the first there is surely no finding by number.
fn limits(state: TcpState, thresholds: &Thresholds) -> String {
    match state {
        TcpState::CloseWait => format!(";{};{}", thresholds.close_wait_many, thresholds.close_wait_critical),
        _ => String::new(),
    }
}

fn write_json(
    out: &mut impl Write,
    store: &Store,
    found: CheckInput<'_>,
    shown: &[&Finding],
    status: CheckStatus,
) -> io::Result<()> {
    let document = CheckDocument {
        head: DocumentHead::of(store),
        status: Label(status),
        watched_seconds: units::seconds(found.watched),
        findings: shown.iter().map(|finding| findings::record(finding, store)).collect(),
        findings_left_out: found.left_out,
        ignored: found.ignored,
    };
    json::write_listing(out, &document)
}

#[cfg(test)]
mod tests;
