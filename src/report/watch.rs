//! `conntop watch`: transitions, opens, closes, gaps and findings, one line each as they come.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::diagnosis::finding::{Finding, FindingKey, Severity};
use crate::model::delta::{AgeBasis, Gap, Known, Since, ToldBy, Transition};
use crate::model::outcome::Outcome;
use crate::model::process::{NoProcess, Owner};
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::model::units;
use crate::report::findings::{self, MatchingSockets};
use crate::report::format::EventFormat;
use crate::report::format::json::{SocketWriter, rfc3339};
use crate::store::Store;
use crate::store::row::{Mark, SocketRow};
use crate::table::filter::Filter;
use crate::table::value::Value;

/// The most findings whose end is awaited.
const KNOWN_MAX: usize = 1_024;

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct WatchOptions {
    /// Which sockets.
    pub filter: Filter,
    /// Text or NDJSON.
    pub format: EventFormat,
    /// At most this many lines.
    pub count: Option<u64>,
}

/// What one sample brought, beside what the store holds.
#[derive(Clone, Copy, Debug)]
pub struct SampleEvents<'a> {
    /// The transitions of the delta that the store has just taken in.
    pub transitions: &'a [Transition],
    /// Where events were lost.
    pub gaps: &'a [Gap],
    /// What is wrong now.
    pub findings: &'a [Finding],
    /// How many more findings there are.
    pub untold: usize,
}

/// Writes the lines, and remembers what it has said.
pub struct EventStream<'w> {
    watch: &'w WatchOptions,
    columns: Vec<usize>,
    lines: u64,
    known: BTreeMap<FindingKey, ReportedFinding>,
}

/// A finding that was told.
#[derive(Debug)]
struct ReportedFinding {
    severity: Severity,
    /// As last seen, for its end.
    last: Finding,
}

#[derive(Serialize)]
struct TransitionRecord<'a> {
    event: &'static str,
    at: String,
    host: &'a str,
    from: Option<&'a str>,
    to: Option<&'a str>,
    outcome: Option<&'static str>,
    lasted_seconds: Option<f64>,
    lasted_basis: Option<&'static str>,
    states_skipped: bool,
    told_by: &'static str,
}

#[derive(Serialize)]
struct GapLine<'a> {
    event: &'static str,
    at: String,
    host: &'a str,
    lost: Option<u64>,
    lost_from: String,
    lost_to: String,
    told_by: &'static str,
}

#[derive(Serialize)]
struct FindingHead<'a> {
    event: &'static str,
    at: String,
    host: &'a str,
    change: &'static str,
}

impl<'w> EventStream<'w> {
    /// A stream that has said nothing yet.
    pub fn new(watch: &'w WatchOptions) -> Self {
        Self { watch, columns: findings::socket_columns(), lines: 0, known: BTreeMap::new() }
    }

    /// Whether as many lines are written as were asked for.
    pub fn is_full(&self) -> bool {
        self.watch.count.is_some_and(|count| self.lines >= count)
    }

    /// Writes what a sample brought: gaps, then transitions in their order, then findings. Every line goes out whole
    /// and at once.
    pub fn write(&mut self, store: &Store, news: SampleEvents<'_>, out: &mut impl Write) -> io::Result<()> {
        for gap in news.gaps {
            let line = self.gap(store, gap);
            self.put(out, line)?;
        }
        for transition in news.transitions {
            if let Some(line) = self.transition(store, transition) {
                self.put(out, line)?;
            }
        }
        for line in self.findings(store, news) {
            self.put(out, line)?;
        }
        Ok(())
    }

    /// The peers of the transitions that will be written.
    pub fn peers(&self, store: &Store, transitions: &[Transition]) -> Vec<IpAddr> {
        let told = transitions.iter().filter(|transition| self.told(store, transition).is_some());
        told.map(|transition| transition.remote.addr).collect()
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

    const fn is_text(&self) -> bool {
        match self.watch.format {
            EventFormat::Text => true,
            EventFormat::Ndjson => false,
        }
    }

    fn gap(&self, store: &Store, gap: &Gap) -> Vec<u8> {
        let at = |moment| rfc3339(store.wall_of(moment));
        if self.is_text() {
            let lost = gap.lost.map_or_else(|| "some".to_owned(), units::count);
            let (to, from, of) = (at(gap.to), at(gap.from), gap.of.label());
            if gap.of == ToldBy::Samples {
                return format!("{to}  gap         no sample could be taken since {from}; lines may be missing")
                    .into_bytes();
            }
            return format!("{to}  gap         {lost} events lost ({of}) since {from}; lines may be missing")
                .into_bytes();
        }
        json(&GapLine {
            event: "gap",
            at: at(gap.to),
            host: host(store),
            lost: gap.lost,
            lost_from: at(gap.from),
            lost_to: at(gap.to),
            told_by: gap.of.label(),
        })
    }

    /// The socket of a transition, if it matches before or after it.
    fn told(&self, store: &Store, transition: &Transition) -> Option<SocketRow> {
        let before = before(store, transition);
        let after = after(store, transition);
        let passes = |row: &Option<SocketRow>| row.as_ref().is_some_and(|row| self.watch.filter.matches(row, store));
        if !passes(&before) && !passes(&after) {
            return None;
        }
        after.or(before)
    }

    fn transition(&self, store: &Store, transition: &Transition) -> Option<Vec<u8>> {
        let row = self.told(store, transition)?;
        let line = if self.is_text() {
            text(store, transition, &row).into_bytes()
        } else {
            self.object(store, transition, &row)
        };
        Some(line)
    }

    fn object(&self, store: &Store, transition: &Transition, row: &SocketRow) -> Vec<u8> {
        let mut line = json(&TransitionRecord {
            event: event(transition),
            at: rfc3339(store.wall_of(transition.at)),
            host: host(store),
            from: transition.from.map(TcpState::name),
            to: transition.to.map(TcpState::name),
            outcome: outcome(transition),
            lasted_seconds: transition.lasted.map(|(span, _)| units::seconds(span)),
            lasted_basis: transition.lasted.map(|(_, basis)| basis.label()),
            states_skipped: transition.skipped,
            told_by: transition.told_by.label(),
        });
        // One object: the socket's fields follow.
        line.pop();
        let socket_at = line.len();
        SocketWriter::new(&self.columns, true).append(&mut line, row, store);
        if let Some(brace) = line.get_mut(socket_at) {
            *brace = b',';
        }
        line
    }

    fn findings(&mut self, store: &Store, news: SampleEvents<'_>) -> Vec<Vec<u8>> {
        let matching = std::cell::OnceCell::new();
        let concerns =
            |finding| matching.get_or_init(|| MatchingSockets::new(&self.watch.filter, store)).concerns(finding);
        let mut told: Vec<(&'static str, &Finding)> = Vec::new();
        for finding in news.findings {
            match self.known.get(&finding.key) {
                Some(known) if known.severity == finding.severity => {}
                Some(_) => told.push(("changed", finding)),
                None if concerns(finding) => told.push(("found", finding)),
                None => {}
            }
        }
        // What is not among the worst ones may still be there.
        let is_over = |key: &FindingKey| news.untold == 0 && !news.findings.iter().any(|finding| finding.key == *key);
        let over: Vec<FindingKey> = self.known.keys().filter(|key| is_over(key)).copied().collect();
        let ended: Vec<ReportedFinding> = over.iter().filter_map(|key| self.known.remove(key)).collect();
        told.extend(ended.iter().map(|known| ("ended", &known.last)));
        let lines = told.iter().map(|(change, finding)| self.finding(store, change, finding)).collect();
        for (change, finding) in told {
            if change != "ended" && (self.known.len() < KNOWN_MAX || self.known.contains_key(&finding.key)) {
                let known = ReportedFinding { severity: finding.severity, last: finding.clone() };
                self.known.insert(finding.key, known);
            }
        }
        lines
    }

    fn finding(&self, store: &Store, change: &'static str, finding: &Finding) -> Vec<u8> {
        let at = rfc3339(store.wall());
        if self.is_text() {
            let (severity, rule) = (finding.severity.label(), finding.rule().id());
            return format!("{at}  finding     {change} {severity} {rule}: {}", finding.sentence).into_bytes();
        }
        let mut line = json(&FindingHead { event: "finding", at, host: host(store), change });
        line.pop();
        let rest_at = line.len();
        findings::append_json(&mut line, finding, store, &SocketWriter::new(&self.columns, true));
        if let Some(brace) = line.get_mut(rest_at) {
            *brace = b',';
        }
        line
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("names are text, and no number is NaN or infinite")
}

fn host(store: &Store) -> &str {
    store.source().host.as_str()
}

const fn event(transition: &Transition) -> &'static str {
    match (transition.from, transition.to) {
        (_, None) => "closed",
        (None, _) => "opened",
        _ => "transition",
    }
}

/// How the connection, or the attempt at one, came to its end; `None` for what is no end, or where nothing tells how.
fn outcome(transition: &Transition) -> Option<&'static str> {
    transition.outcome().and_then(Outcome::known).map(Outcome::label)
}

/// The socket as it was before: in the old state, as old as that had become. `None` for one that was opened.
fn before(store: &Store, transition: &Transition) -> Option<SocketRow> {
    let mut row = known_row(store, transition);
    match transition.from {
        Some(from) => row.connection.socket.state = from,
        None if transition.to.is_none() => row.mark = Some(Mark::StateUnknown { is_emptied: transition.is_emptied }),
        None => return None,
    }
    row.connection.state_since = transition.lasted.map(|(span, basis)| Since { at: store.at().before(span), basis });
    if transition.to.is_none() {
        row.connection.rates = None;
        let socket = &mut row.connection.socket;
        socket.timer = None;
        if let Some(last) = transition.last {
            let info = socket.tcp.get_or_insert_default();
            info.bytes = last.bytes.or(info.bytes);
            (info.rtt_us, info.retransmits_total) = (last.rtt_us, last.retransmits_total);
        }
    }
    Some(row)
}

/// The socket in its new state. `None` for one that is gone.
fn after(store: &Store, transition: &Transition) -> Option<SocketRow> {
    let mut row = known_row(store, transition);
    let to = transition.to?;
    if row.connection.socket.state != to {
        row.connection.socket.state = to;
        let basis = if transition.told_by == ToldBy::Tracepoint { AgeBasis::Kernel } else { AgeBasis::Observed };
        row.connection.state_since = Some(Since { at: transition.at, basis });
    }
    Some(row)
}

/// The socket as last seen; what the transition says, if no sample has shown it.
fn known_row(store: &Store, transition: &Transition) -> SocketRow {
    let mut row = store.rows().find(transition.id).and_then(|index| store.rows().get(index)).cloned();
    // A socket that was disconnected and connected anew shows its last connection, which may be another one.
    let is_its = |row: &SocketRow| {
        let socket = &row.connection.socket;
        (socket.local, socket.remote) == (transition.local, transition.remote)
    };
    let row = row.take().filter(is_its).unwrap_or_else(|| unseen_row(transition));
    let mut row = SocketRow { mark: None, ..row };
    if transition.owner.holders().is_some() || row.connection.socket.owner.no_process() == Some(NoProcess::None) {
        row.connection.socket.owner = transition.owner.clone();
    }
    row
}

fn unseen_row(transition: &Transition) -> SocketRow {
    let state = transition.to.or(transition.from).unwrap_or(TcpState::Close);
    let socket = Socket::known_by(&transition.socket(), state, transition.owner.clone());
    let known = Known { socket, state_since: None, first_seen: transition.at };
    SocketRow { connection: known.into(), mark: None }
}

/// `2026-01-01T00:00:09.000Z  transition  tcp 10.0.0.7:51234 -> 10.1.0.1:5432  ESTABLISHED -> CLOSE_WAIT  after 12s  java[812]`.
fn text(store: &Store, transition: &Transition, row: &SocketRow) -> String {
    let (event, socket) = (event(transition), &row.connection.socket);
    let mut line = format!(
        "{}  {event:<10}  {} {}",
        rfc3339(store.wall_of(transition.at)),
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
    match (transition.from, transition.to) {
        (Some(from), Some(to)) => add(&format!("  {} -> {}", from.name(), to.name())),
        (None, Some(state)) | (Some(state), None) => add(&format!("  {}", state.name())),
        (None, None) => add("  last state unknown"),
    }
    if let Some((span, basis)) = transition.lasted {
        add(&format!("  after {}{}", basis.mark(), units::lasted(span)));
    }
    add(&format!("  {}", owner(&socket.owner)));
    if let Some(last) = transition.last {
        if let Some(bytes) = last.bytes {
            add(&format!("  rx {} tx {}", units::bytes(bytes.received()), units::bytes(bytes.sent())));
        }
        if last.rtt_us > 0 {
            add(&format!("  rtt {}", units::span(Duration::from_micros(u64::from(last.rtt_us)))));
        }
        add(&format!("  retr {}", units::count(u64::from(last.retransmits_total))));
    }
    if transition.skipped {
        add("  (states between were not seen)");
    }
    if transition.told_by != ToldBy::Samples {
        let _ = write!(line, "  by {}", transition.told_by.label());
    }
    if let Some(outcome) = outcome(transition) {
        let _ = write!(line, "  outcome {outcome}");
    }
    line
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
