//! Findings as JSON and text, the same in `check` and `watch`, and which of them a filter lets through.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::diagnosis::finding::{CausedFinding, Evidence, Finding, FindingScope, Measure};
use crate::diagnosis::rule::Rule;
use crate::knowledge::{remedies, rules};
use crate::model::address::Destination;
use crate::model::address_text::AddressText;
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::report::format::json::SocketWriter;
use crate::store::Store;
use crate::store::rows::Row;
use crate::table::connections::COLUMNS;
use crate::table::filter::Filter;
use crate::table::units;

/// The columns of a socket in JSON.
pub fn socket_columns() -> Vec<usize> {
    (0..COLUMNS.len()).filter(|&index| COLUMNS[index].in_json).collect()
}

/// The sockets that a user's filter shows, for the question which findings are about one of them.
#[derive(Debug)]
pub struct MatchingSockets<'a> {
    store: &'a Store,
    /// `None`: everything matches.
    rows: Option<Vec<&'a Row>>,
}

impl<'a> MatchingSockets<'a> {
    /// One pass over the rows of `store`.
    pub fn new(filter: &Filter, store: &'a Store) -> Self {
        let live = || store.rows().iter().map(|(_, row)| row).filter(|row| !row.is_closed());
        let rows = (!filter.is_empty()).then(|| live().filter(|row| filter.matches(row, store)).collect());
        Self { store, rows }
    }

    /// Whether `finding` is about one of these sockets: one that its own filter or that of something it explains shows,
    /// or one of its examples. A finding about whole processes, which has neither, is about every socket of those.
    pub fn concerns(&self, finding: &Finding) -> bool {
        let Some(rows) = &self.rows else { return true };
        let filters: Vec<Filter> = finding.filters().filter_map(|text| Filter::parse(text).ok()).collect();
        if filters.is_empty() && finding.examples.is_empty() {
            return rows.iter().any(|row| is_of_process(row, finding));
        }
        rows.iter().any(|row| {
            finding.examples.contains(&row.connection.socket.id)
                || filters.iter().any(|filter| filter.matches(row, self.store))
        })
    }
}

fn is_of_process(row: &Row, finding: &Finding) -> bool {
    let holders = row.connection.socket.owner.holders().map_or(&[][..], |holders| holders.all());
    finding.process_shares.iter().any(|sharer| holders.iter().any(|one| one.id == sharer.process.id))
}

#[derive(Serialize)]
struct FindingRow<'a> {
    rule: &'static str,
    other_rule: Option<&'static str>,
    severity: &'static str,
    sentence: &'a str,
    why: Option<&'static str>,
    process: Option<&'a str>,
    pid: Option<u32>,
    processes: u32,
    pids: Vec<u32>,
    place: &'static str,
    addr: Option<String>,
    port: Option<u16>,
    interface: Option<String>,
    netns: Option<u32>,
    listener: Option<u32>,
    state: Option<&'static str>,
    sockets: u32,
    since_seconds: Option<f64>,
    since_basis: Option<&'static str>,
    slope_per_minute: Option<f64>,
    slope_confidence: Option<f64>,
    runs_out: Option<&'static str>,
    runs_out_seconds: Option<f64>,
    runs_out_left: Option<u64>,
    runs_out_per_minute: Option<f64>,
    evidence: Map<String, Json>,
    caused: Vec<CausedObject<'a>>,
    caused_left_out: u32,
    caused_left_out_sockets: u64,
}

#[derive(Serialize)]
struct CausedObject<'a> {
    rule: &'static str,
    sentence: &'a str,
    sockets: u32,
    processes: u32,
    filter: Option<&'a str>,
}

impl<'a> CausedObject<'a> {
    fn of(caused: &'a CausedFinding) -> Self {
        let CausedFinding { rule, sentence, sockets, processes, filter } = caused;
        let filter = Some(filter.as_str()).filter(|text| !text.is_empty());
        Self { rule: rule.id(), sentence, sockets: *sockets, processes: *processes, filter }
    }
}

#[derive(Serialize)]
struct Tail<'a> {
    filter: Option<&'a str>,
    explain: String,
    remedy: Vec<&'a str>,
    does_not_help: &'a [String],
}

/// Appends `finding` as one object. `objects` writes its examples.
pub fn append_json(out: &mut Vec<u8>, finding: &Finding, store: &Store, objects: &SocketWriter<'_>) {
    let (place, endpoint) = match finding.key.scope {
        FindingScope::Machine => ("machine", None),
        FindingScope::Process => ("process", None),
        FindingScope::To(endpoint) => ("to", Some(endpoint)),
        FindingScope::On(endpoint) => ("on", Some(endpoint)),
    };
    let text = |to: Destination| AddressText::of(to.address, finding.key.netns, store.names());
    let addr = endpoint.map(text);
    let head = FindingRow {
        rule: finding.rule().id(),
        other_rule: finding.also.map(Rule::id),
        severity: finding.severity.label(),
        sentence: &finding.sentence,
        why: Some(finding.why).filter(|why| !why.is_empty()),
        process: finding.program.as_ref().map(DisplayText::as_str),
        pid: finding.process.as_ref().map(|process| process.id.pid),
        processes: finding.processes,
        pids: finding.process_shares.iter().map(|sharer| sharer.process.id.pid).collect(),
        place,
        addr: addr.map(|addr| addr.alone().to_string()),
        interface: addr.and_then(AddressText::link).map(|link| link.to_string()),
        port: endpoint.map(|endpoint| endpoint.port).filter(|port| *port > 0),
        netns: Some(finding.key.netns.0).filter(|inode| *inode > 0),
        listener: finding
            .key
            .listener
            .and_then(|id| store.rows().live(id)?.connection.socket.inode)
            .map(NonZeroU32::get),
        state: finding.state.map(TcpState::name),
        sockets: finding.sockets,
        since_seconds: finding.since.map(|since| seconds(since.age(store.at()))),
        since_basis: finding.since.map(|since| since.basis.label()),
        slope_per_minute: finding.slope.map(|slope| thousandths(slope.per_minute)),
        slope_confidence: finding.slope.map(|slope| thousandths(slope.confidence)),
        runs_out: finding.runs_out.map(|limit| limit.what),
        runs_out_seconds: finding.runs_out.map(|limit| seconds(limit.within)),
        runs_out_left: finding.runs_out.map(|limit| limit.left),
        runs_out_per_minute: finding.runs_out.map(|limit| thousandths(limit.per_minute)),
        evidence: evidence(&finding.evidence),
        caused: finding.caused.listed.iter().map(CausedObject::of).collect(),
        caused_left_out: finding.caused.more,
        caused_left_out_sockets: finding.caused.more_sockets,
    };
    let (remedy, does_not_help) = (advice(finding), does_not_help(finding.rule()));
    let filter = Some(finding.filter.as_str()).filter(|text| !text.is_empty());
    let tail = Tail { filter, explain: explain(finding), remedy, does_not_help };
    let (head, tail) = (plain(&head), plain(&tail));
    out.extend_from_slice(head.strip_suffix(b"}").unwrap_or(&head));
    out.extend_from_slice(b",\"examples\":[");
    let examples = finding.examples.iter().filter_map(|id| store.rows().get(store.rows().find(*id)?));
    for (at, row) in examples.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        objects.append(out, row, store);
    }
    out.extend_from_slice(b"],");
    out.extend_from_slice(tail.strip_prefix(b"{").unwrap_or(&tail));
}

fn plain(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("names are text, and no number is NaN or infinite")
}

/// What to do about `finding`: in the program that has the trouble, then in general; what fits the place of its peers.
pub fn advice(finding: &Finding) -> Vec<&'static str> {
    let general = rules::text(finding.rule().id()).into_iter();
    let general = general.flat_map(|text| text.remedies(finding.key.scope.is_loopback()));
    in_program(finding).iter().chain(general).map(String::as_str).collect()
}

/// What to do in the program that has the trouble; nothing where that is not known.
fn in_program(finding: &Finding) -> &'static [String] {
    let (name, command) = finding.program_and_command();
    remedies::of(finding.rule().id(), name, command)
}

/// What does not help.
fn does_not_help(rule: Rule) -> &'static [String] {
    rules::text(rule.id()).map_or(&[], |text| &text.does_not_help)
}

/// The command that says what `finding` means.
fn explain(finding: &Finding) -> String {
    format!("conntop explain {}", finding.rule().id())
}

fn evidence(all: &[Evidence]) -> Map<String, Json> {
    let mut map = Map::new();
    for one in all {
        let key = one.key;
        match &one.value {
            Measure::Count(number) | Measure::Id(number) => map.insert(key.to_owned(), (*number).into()),
            Measure::Of(part, whole) => {
                map.insert(key.to_owned(), (*part).into());
                map.insert(format!("{key}_max"), (*whole).into())
            }
            Measure::Span(span) => map.insert(format!("{key}_seconds"), seconds(*span).into()),
            Measure::PerSecond(rate) => map.insert(format!("{key}_per_second"), thousandths(*rate).into()),
            Measure::PerMinute(rate) => map.insert(format!("{key}_per_minute"), thousandths(*rate).into()),
            Measure::Bytes(bytes) => map.insert(format!("{key}_bytes"), (*bytes).into()),
            Measure::Words(words) => map.insert(key.to_owned(), words.as_str().into()),
        };
    }
    map
}

/// Seconds to the microsecond.
#[expect(clippy::cast_precision_loss, reason = "microseconds of 285 years fit an f64 exactly")]
pub fn seconds(span: Duration) -> f64 {
    span.as_micros() as f64 / 1e6
}

/// As many digits as mean something; what is no number is 0.
fn thousandths(number: f32) -> f64 {
    let rounded = (f64::from(number) * 1e3).round() / 1e3;
    if rounded.is_finite() { rounded } else { 0.0 }
}

/// What there is to read about `finding` beside its sentence, line by line, each with its label; what to do only
/// `with_advice`.
pub fn lines(finding: &Finding, now: Timestamp, with_advice: bool) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if !finding.why.is_empty() {
        lines.push(("why", finding.why.to_owned()));
    }
    if let Some(since) = finding.since {
        lines.push(("since", format!("{} ago ({})", units::age(since.age(now)), since.basis.label())));
    }
    let evidence: Vec<_> = finding.evidence.iter().map(in_words).collect();
    if !evidence.is_empty() {
        lines.push(("evidence", evidence.join(", ")));
    }
    lines.extend(finding.processes_in_words().map(|words| ("who", words)));
    lines.extend(finding.caused.lines().map(|line| ("explains", line)));
    if with_advice {
        lines.extend(advice(finding).into_iter().map(|text| ("do", text.to_owned())));
        lines.extend(does_not_help(finding.rule()).iter().map(|text| ("does not help", text.clone())));
    } else {
        lines.push(("do", "as above".to_owned()));
    }
    if !finding.filter.is_empty() {
        lines.push(("see them", format!("conntop list {}", quoted(&finding.filter))));
    }
    lines.push(("explain", explain(finding)));
    lines
}

fn in_words(one: &Evidence) -> String {
    let label = one.label;
    match &one.value {
        Measure::Count(number) => format!("{label} {}", units::count(*number)),
        Measure::Id(id) => format!("{label} {id}"),
        Measure::Of(part, whole) => format!("{label} {} of {}", units::count(*part), units::count(*whole)),
        Measure::Span(span) => format!("{label} {}", units::lasted(*span)),
        Measure::PerSecond(rate) => format!("{label} {}/s", thousandths(*rate)),
        Measure::PerMinute(rate) => format!("{label} {}/min", thousandths(*rate)),
        Measure::Bytes(bytes) => format!("{label} {}", units::bytes(*bytes)),
        Measure::Words(words) => format!("{label} {words}"),
    }
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
pub(crate) mod testing;
