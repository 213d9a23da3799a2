//! `conntop watch`: transitions, opens, closes, gaps and findings, one line each as they come.

mod plain;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::diagnosis::finding::record::FindingRecord;
use crate::diagnosis::finding::{Finding, FindingKey, Severity};
use crate::model::delta::{AgeBasis, EventSource, Gap, Transition};
use crate::model::hosts::HostNumber;
use crate::model::outcome::Outcome;
use crate::model::process::Owner;
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::model::units;
use crate::report::findings::{self, MatchingSockets};
use crate::report::format::EventFormat;
use crate::report::format::json::rfc3339;
use crate::report::format::label::{Label, Labelled};
use crate::report::format::socket::{SocketFields, SocketObject};
use crate::store::Store;
use crate::store::past_rows;
use crate::store::row::SocketRow;
use crate::table::filter::Filter;
use crate::table::value::Value;

/// The most findings whose end is awaited.
const KNOWN_MAX: usize = 1_024;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct WatchOptions {
    /// Which sockets.
    pub filter: Filter,
    /// Text, sentences or NDJSON.
    pub format: EventFormat,
    /// At most this many lines.
    pub count: Option<u64>,
}

/// What one sample brought, beside what the store holds.
#[derive(Clone, Copy, Debug)]
pub struct SampleEvents<'a> {
    /// The transitions of the delta that the store has just taken in.
    pub transitions: &'a [Transition],
    /// Where events were lost, each with its host where there are several.
    pub gaps: &'a [(Option<HostNumber>, Gap)],
    /// What is wrong now.
    pub findings: &'a [Finding],
    /// How many more findings there are.
    pub left_out: usize,
}

/// Lines that were dropped because the reader was too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostLines {
    /// How many.
    pub count: u64,
    /// The sample of the first of them.
    pub from: Timestamp,
    /// The sample of the last.
    pub to: Timestamp,
}

/// Where what a gap tells of was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum GapOrigin {
    /// Events, on their way from the kernel.
    Events(EventSource),
    /// Lines, on their way to the reader.
    Output,
}

impl GapOrigin {
    const fn label(self) -> &'static str {
        match self {
            Self::Events(source) => source.label(),
            Self::Output => "output",
        }
    }
}

impl Labelled for GapOrigin {
    fn labels() -> Vec<&'static str> {
        EventSource::labels().into_iter().chain([Self::Output.label()]).collect()
    }

    fn label(&self) -> &'static str {
        (*self).label()
    }
}

/// Writes the lines, and remembers what it has said.
pub struct EventStream<'w> {
    watch: &'w WatchOptions,
    lines: u64,
    known: BTreeMap<FindingKey, ReportedFinding>,
}

/// A finding that was reported.
#[derive(Debug)]
struct ReportedFinding {
    severity: Severity,
    /// As last seen, for its end.
    last: Finding,
}

/// One event: a line of NDJSON or of text.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::report) enum EventRow<'a> {
    /// A socket changed.
    Change(Box<ChangeEvent<'a>>),
    /// Events were lost.
    Gap(GapEvent<'a>),
    /// Something is found wrong, or no longer.
    Finding(Box<FindingEvent<'a>>),
}

/// A socket was opened, changed its state, or is gone.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "change")]
pub(in crate::report) struct ChangeEvent<'a> {
    #[serde(flatten)]
    change: SocketChange<'a>,
    #[serde(flatten)]
    socket: SocketFields<'a>,
}

/// What an event about a socket says before the fields of that.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::report) struct SocketChange<'a> {
    /// What happened: opened, transition, or closed, when the last trace is gone.
    event: ChangeKind,
    /// When it happened, as well as that is known and never later than it was seen: exact by tracepoint, within some 10 ms by a destroy event or a clock of the kernel, else when the sample that showed it was taken. RFC 3339, UTC.
    at: String,
    /// The host that it shows.
    host: &'a str,
    /// The state before; null for one that was opened, and for the end of one whose last state is not known.
    from: Option<Label<TcpState>>,
    /// The state after; null for one that is closed.
    to: Option<Label<TcpState>>,
    /// How the connection, or the attempt at one, came to its end: closed (by both sides), refused, timed-out, given-up (by the process, before an answer), unreachable, reset, reset-here (by the process) or aborted (from outside); null for what is no end, and where nothing tells how. Without the trace (conntop explain told-by) only closed is told.
    outcome: Option<Label<Outcome>>,
    /// The time spent in from.
    #[schemars(range(min = 0), extend("unit" = "seconds"))]
    lasted_seconds: Option<f64>,
    /// How that time is known: observed, kernel or at-least.
    lasted_basis: Option<Label<AgeBasis>>,
    /// Whether states between were not seen.
    states_skipped: bool,
    /// What observed it: samples, destroy-event or tracepoint; see conntop explain told-by.
    told_by: Label<EventSource>,
}

/// What happened to a socket.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum ChangeKind {
    Opened,
    Transition,
    Closed,
}

/// Events were lost.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "gap")]
pub(in crate::report) struct GapEvent<'a> {
    /// gap: events were lost, lines may be missing.
    #[schemars(extend("const" = GapEvent::NAME))]
    event: &'static str,
    /// When it was noticed, RFC 3339, UTC.
    at: String,
    /// The host that it shows.
    host: &'a str,
    /// How many events, or lines where these were dropped; null where the kernel does not say.
    lost: Option<u64>,
    /// From when on, RFC 3339, UTC.
    lost_from: String,
    /// Until when, RFC 3339, UTC.
    lost_to: String,
    /// Whose events: destroy-event or tracepoint; samples where none could be taken; output where lines were dropped because their reader was too slow.
    told_by: Label<GapOrigin>,
}

/// A finding came, changed its severity, or is over.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "finding")]
pub(in crate::report) struct FindingEvent<'a> {
    /// finding: something is wrong, or no longer.
    #[schemars(extend("const" = FindingEvent::NAME))]
    event: &'static str,
    /// When that was known, RFC 3339, UTC.
    at: String,
    /// found, changed (its severity) or ended.
    change: FindingChange,
    #[serde(flatten)]
    finding: FindingRecord<'a, Vec<SocketObject<'a>>>,
}

/// What is new about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum FindingChange {
    Found,
    Changed,
    Ended,
}

impl<'w> EventStream<'w> {
    /// A stream that has said nothing yet.
    pub fn new(watch: &'w WatchOptions) -> Self {
        Self { watch, lines: 0, known: BTreeMap::new() }
    }

    /// Whether as many lines are written as were asked for.
    pub fn is_full(&self) -> bool {
        self.watch.count.is_some_and(|count| self.lines >= count)
    }

    /// Writes what a sample brought: gaps, then transitions in their order, then findings. Every line goes out whole
    /// and at once.
    pub fn write(&mut self, store: &Store, events: SampleEvents<'_>, out: &mut impl Write) -> io::Result<()> {
        for (host, gap) in events.gaps {
            let line = self.gap(store, *host, gap);
            self.put(out, line)?;
        }
        for transition in events.transitions {
            if let Some(line) = self.transition(store, transition) {
                self.put(out, line)?;
            }
        }
        for line in self.findings(store, events) {
            self.put(out, line)?;
        }
        Ok(())
    }

    /// The peers of the transitions that will be written.
    pub fn peers(&self, store: &Store, transitions: &[Transition]) -> Vec<IpAddr> {
        let reported = transitions.iter().filter(|transition| self.reported_row(store, transition).is_some());
        reported.map(|transition| transition.remote.addr).collect()
    }

    fn put(&mut self, out: &mut impl Write, mut line: Vec<u8>) -> io::Result<()> {
        if self.is_full() {
            return Ok(());
        }
        self.lines += 1;
        line.push(b'\n');
        out.write_all(&line)?;
        out.flush()
    }

    fn gap(&self, store: &Store, host: Option<HostNumber>, gap: &Gap) -> Vec<u8> {
        let event = GapEvent::of(store, host, gap);
        match self.watch.format {
            EventFormat::Text => event.text(store).into_bytes(),
            EventFormat::Plain => plain::gap(store, host, gap).into_bytes(),
            EventFormat::Ndjson => json(&EventRow::Gap(event)),
        }
    }

    /// The socket of a transition, if it matches before or after it.
    fn reported_row(&self, store: &Store, transition: &Transition) -> Option<SocketRow> {
        let (before, after) = (past_rows::before(store, transition), past_rows::after(store, transition));
        let passes = |row: &Option<SocketRow>| row.as_ref().is_some_and(|row| self.watch.filter.matches(row, store));
        if !passes(&before) && !passes(&after) {
            return None;
        }
        after.or(before)
    }

    fn transition(&self, store: &Store, transition: &Transition) -> Option<Vec<u8>> {
        let row = self.reported_row(store, transition)?;
        let change = SocketChange::of(store, transition);
        Some(match self.watch.format {
            EventFormat::Text => text(&change, store, transition, &row).into_bytes(),
            EventFormat::Plain => plain::change(store, transition, &row).into_bytes(),
            EventFormat::Ndjson => {
                let socket = SocketFields::of(&row, store);
                json(&EventRow::Change(Box::new(ChangeEvent { change, socket })))
            }
        })
    }

    fn findings(&mut self, store: &Store, events: SampleEvents<'_>) -> Vec<Vec<u8>> {
        let matching = std::cell::OnceCell::new();
        let concerns =
            |finding| matching.get_or_init(|| MatchingSockets::new(&self.watch.filter, store)).concerns(finding);
        let mut reported: Vec<(FindingChange, &Finding)> = Vec::new();
        for finding in events.findings {
            match self.known.get(&finding.key) {
                Some(known) if known.severity == finding.severity => {}
                Some(_) => reported.push((FindingChange::Changed, finding)),
                None if concerns(finding) => reported.push((FindingChange::Found, finding)),
                None => {}
            }
        }
        // What is not among the worst ones may still be there.
        let is_over =
            |key: &FindingKey| events.left_out == 0 && !events.findings.iter().any(|finding| finding.key == *key);
        let over: Vec<FindingKey> = self.known.keys().filter(|key| is_over(key)).copied().collect();
        let ended: Vec<ReportedFinding> = over.iter().filter_map(|key| self.known.remove(key)).collect();
        reported.extend(ended.iter().map(|known| (FindingChange::Ended, &known.last)));
        let lines = reported.iter().map(|(change, finding)| self.finding(store, *change, finding)).collect();
        for (change, finding) in reported {
            if change != FindingChange::Ended && (self.known.len() < KNOWN_MAX || self.known.contains_key(&finding.key))
            {
                let known = ReportedFinding { severity: finding.severity, last: finding.clone() };
                self.known.insert(finding.key, known);
            }
        }
        lines
    }

    fn finding(&self, store: &Store, change: FindingChange, finding: &Finding) -> Vec<u8> {
        let event = FindingEvent::of(store, change, finding);
        match self.watch.format {
            EventFormat::Text => event.text().into_bytes(),
            EventFormat::Plain => plain::finding(store, change, finding).into_bytes(),
            EventFormat::Ndjson => json(&EventRow::Finding(Box::new(event))),
        }
    }
}

impl LostLines {
    /// The line, with its end, that stands for them in `format`.
    pub fn line(self, store: &Store, format: EventFormat) -> Vec<u8> {
        let event = GapEvent::of_lines(store, self);
        let mut line = match format {
            EventFormat::Text => event.text(store).into_bytes(),
            EventFormat::Plain => plain::lost_lines(store, self).into_bytes(),
            EventFormat::Ndjson => json(&EventRow::Gap(event)),
        };
        line.push(b'\n');
        line
    }
}

impl<'a> GapEvent<'a> {
    const NAME: &'static str = "gap";

    fn of(store: &'a Store, host: Option<HostNumber>, gap: &Gap) -> Self {
        let at = |moment| rfc3339(store.wall_of(moment));
        Self {
            event: Self::NAME,
            at: at(gap.to),
            host: store.host_numbered(host).as_str(),
            lost: gap.lost,
            lost_from: at(gap.from),
            lost_to: at(gap.to),
            told_by: Label(GapOrigin::Events(gap.of)),
        }
    }

    fn of_lines(store: &'a Store, lost: LostLines) -> Self {
        let at = |moment| rfc3339(store.wall_of(moment));
        Self {
            event: Self::NAME,
            at: at(lost.to),
            // Lines of all hosts are dropped.
            host: store.source().host.as_str(),
            lost: Some(lost.count),
            lost_from: at(lost.from),
            lost_to: at(lost.to),
            told_by: Label(GapOrigin::Output),
        }
    }

    fn text(&self, store: &Store) -> String {
        let host = of_host(store, self.host);
        let Self { event, at, lost_from, told_by: Label(told_by), .. } = self;
        let lost = self.lost.map_or_else(|| "some".to_owned(), units::count);
        match told_by {
            GapOrigin::Output => {
                format!("{at}  {event:<10}  {lost} lines dropped since {lost_from}, because their reader was too slow")
            }
            GapOrigin::Events(EventSource::Samples) => {
                format!("{at}  {event:<10}  {host}no sample could be taken since {lost_from}; lines may be missing")
            }
            GapOrigin::Events(EventSource::DestroyEvent | EventSource::Tracepoint) => {
                let of = told_by.label();
                format!("{at}  {event:<10}  {host}{lost} events lost ({of}) since {lost_from}; lines may be missing")
            }
        }
    }
}

impl<'a> SocketChange<'a> {
    fn of(store: &'a Store, transition: &Transition) -> Self {
        Self {
            event: ChangeKind::of(transition),
            at: rfc3339(store.wall_of(transition.at)),
            host: store.host_of(transition.id.netns()).as_str(),
            from: transition.from.map(Label),
            to: transition.to.map(Label),
            outcome: transition.outcome().and_then(Outcome::known).map(Label),
            lasted_seconds: transition.lasted.map(|(span, _)| units::seconds(span)),
            lasted_basis: transition.lasted.map(|(_, basis)| Label(basis)),
            states_skipped: transition.skipped,
            told_by: Label(transition.source),
        }
    }
}

impl ChangeKind {
    const fn of(transition: &Transition) -> Self {
        match (transition.from, transition.to) {
            (_, None) => Self::Closed,
            (None, _) => Self::Opened,
            _ => Self::Transition,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Transition => "transition",
            Self::Closed => "closed",
        }
    }
}

impl<'a> FindingEvent<'a> {
    const NAME: &'static str = "finding";

    fn of(store: &'a Store, change: FindingChange, finding: &'a Finding) -> Self {
        let at = rfc3339(store.wall());
        Self { event: Self::NAME, at, change, finding: findings::record(finding, store) }
    }

    fn text(&self) -> String {
        let Self { event, at, change, finding } = self;
        let FindingRecord { severity, rule, sentence, .. } = finding;
        format!("{at}  {event:<10}  {} {} {}: {sentence}", change.name(), severity.label(), rule.id())
    }
}

impl FindingChange {
    const fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Changed => "changed",
            Self::Ended => "ended",
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("names are text, and no number is NaN or infinite")
}

/// `2026-01-01T00:00:09.000Z  transition  tcp 10.0.0.7:51234 -> 10.1.0.1:5432  ESTABLISHED -> CLOSE_WAIT  after 12s  java[812]`.
fn text(change: &SocketChange<'_>, store: &Store, transition: &Transition, row: &SocketRow) -> String {
    let socket = &row.connection.socket;
    let mut line = format!(
        "{}  {:<10}  {}{} {}",
        change.at,
        change.event.name(),
        of_host(store, change.host),
        socket.protocol.name(),
        transition.local_text(store.names())
    );
    let mut add = |part: &str| {
        line.push_str(part);
    };
    if let Some(remote) = transition.remote_text(store.names()) {
        add(&format!(" -> {remote}"));
        if let Some(name) = store.host_names().get(socket.remote.addr) {
            add(&format!(" ({}?)", name.as_str()));
        }
    }
    match (change.from, change.to) {
        (Some(Label(from)), Some(Label(to))) => add(&format!("  {} -> {}", from.name(), to.name())),
        (None, Some(Label(state))) | (Some(Label(state)), None) => add(&format!("  {}", state.name())),
        (None, None) => add("  last state unknown"),
    }
    if let Some((span, basis)) = transition.lasted {
        add(&format!("  after {}{}", basis.mark(), units::lasted(span)));
    }
    add(&format!("  {}", owner(&socket.owner)));
    if let Some(last) = transition.final_counters {
        if let Some(bytes) = last.bytes {
            add(&format!("  rx {} tx {}", units::bytes(bytes.received()), units::bytes(bytes.sent())));
        }
        if last.rtt_us > 0 {
            add(&format!("  rtt {}", units::span(Duration::from_micros(u64::from(last.rtt_us)))));
        }
        add(&format!("  retr {}", units::count(u64::from(last.retransmits_total))));
    }
    if change.states_skipped {
        add("  (states between were not seen)");
    }
    if change.told_by != Label(EventSource::Samples) {
        let _ = write!(line, "  by {}", change.told_by.0.label());
    }
    if let Some(Label(outcome)) = change.outcome {
        let _ = write!(line, "  outcome {}", outcome.label());
    }
    line
}

/// What a line about `host` says before all else, where there are several hosts.
pub(super) fn of_host(store: &Store, host: &str) -> String {
    if store.has_hosts() { format!("{host}: ") } else { String::new() }
}

/// The process as the table shows it, with its pid.
fn owner(owner: &Owner) -> Cow<'static, str> {
    let text = Value::Process(owner).text();
    match owner.process() {
        Some(process) => format!("{text}[{}]", process.id.pid).into(),
        None if text.is_empty() => "-".into(),
        None => text.into_owned().into(),
    }
}

#[cfg(test)]
mod tests;
