//! The line above the tables of remotes, listeners and ports: what is true of all of them together.

use std::time::Duration;

use crate::diagnosis::rule::Rule;
use crate::model::address_text::AddressText;
use crate::model::event::EventSourceStatus;
use crate::model::facts::Facts;
use crate::model::socket::SocketId;
use crate::store::Store;
use crate::store::attempt_history::AttemptWindow;
use crate::store::groups::attempts::GroupAttempts;
use crate::store::groups::{GroupKey, Grouping};
use crate::store::pressure::{FullListener, PRESSURE_WINDOW};
use crate::table::groups::GroupView;
use crate::table::units;

/// One thing that the line says. Parts stand in the order of their worth: the last ones go where there is no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryPart {
    /// What it is.
    pub text: String,
    /// The rules of which a finding tells the same; none where it is only a fact.
    pub rules: &'static [Rule],
}

/// What overflows of accept queues, and drops before them, are findings of.
const OVERFLOWS: &[Rule] = &[Rule::AcceptQueueFull];
const DROPS: &[Rule] = &[Rule::SynDrops, Rule::SynBacklog];

impl SummaryPart {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), rules: &[] }
    }

    const fn trouble(text: String, rules: &'static [Rule]) -> Self {
        Self { text, rules }
    }
}

/// The parts of the line above the table `view` of groups; none where there is no such line.
pub(super) fn parts(grouping: Grouping, view: &GroupView, store: &Store) -> Vec<SummaryPart> {
    match grouping {
        Grouping::Process => Vec::new(),
        Grouping::Remote => attempts(view, store),
        Grouping::Listener => queues(store),
        Grouping::PortPool => ports(view, store),
    }
}

fn ports(view: &GroupView, store: &Store) -> Vec<SummaryPart> {
    let facts = store.facts();
    let mut parts = vec![SummaryPart::plain(format!("{} in use", units::count(view.sockets())))];
    let Some(range) = facts.ephemeral_ports else {
        parts.push(SummaryPart::plain("this source does not know the kernel's range of ports"));
        return parts;
    };
    let in_range = units::count(u64::from(range.len()));
    parts.push(SummaryPart::plain(format!("range {}-{} ({in_range})", range.first, range.last)));
    if let Some(group) = view.largest()
        && let GroupKey::PortPool(route) = group.key
    {
        let to = AddressText::of(route.to.address, route.netns, store.names());
        let used = units::count(u64::from(group.sockets()));
        parts.push(SummaryPart::plain(format!("most {used} to {}", to.with_port(route.to.port))));
    }
    parts.push(SummaryPart::plain(format!("{} reserved", units::count(u64::from(facts.ephemeral_reserved)))));
    parts.extend(reuse(facts).map(SummaryPart::plain));
    if !GroupAttempts::are_told(store) {
        parts.extend(attempts_the_kernel_counts(store));
    }
    parts
}

fn attempts(view: &GroupView, store: &Store) -> Vec<SummaryPart> {
    if !GroupAttempts::are_told(store) {
        return attempts_the_kernel_counts(store);
    }
    let ledger = store.attempt_history();
    let over = seconds(ledger.over(AttemptWindow::Minute).min(MINUTE));
    let (made, failed) = view.attempts();
    let mut parts = vec![SummaryPart::plain(match made {
        0 => format!("no attempt to connect in the last {over}"),
        made => format!("{} to connect in the last {over}", units::counted(made, "attempt")),
    })];
    if made > 0 {
        parts.push(SummaryPart::plain(format!("{} failed", units::count(failed))));
    }
    if GroupAttempts::are_at_least(store, AttemptWindow::Minute) {
        parts.push(SummaryPart::plain("at least: the kernel dropped events"));
    }
    if ledger.is_full() {
        parts.push(SummaryPart::plain("more destinations than can be told apart"));
    }
    parts
}

/// The length of the window that attempts are counted over.
const MINUTE: Duration = Duration::from_secs(60);

/// Without the trace nothing tells what becomes of short attempts; the kernel counts those of its namespace together.
fn attempts_the_kernel_counts(store: &Store) -> Vec<SummaryPart> {
    let is_refused = matches!(store.event_status().trace, EventSourceStatus::Refused(_));
    let Some(growth) = store.pressure().growth() else {
        let help = if is_refused { "run as root or with CAP_PERFMON" } else { "this source has none" };
        return vec![SummaryPart::plain(format!("only the trace tells attempts to connect: {help}"))];
    };
    let rate = |count: u64| units::per_second(growth.per_second(count));
    let (begun, failed) = (rate(growth.by.active_opens), rate(growth.by.attempt_fails));
    let help = if is_refused { "by destination: root or CAP_PERFMON" } else { "by destination: not known here" };
    let parts =
        [format!("kernel: {begun} attempts/s, {failed}/s failed"), help.into(), "only the trace tells more".into()];
    parts.map(SummaryPart::plain).into()
}

/// `tcp_tw_reuse` in words (Documentation/networking/ip-sysctl.rst).
fn reuse(facts: &Facts) -> Option<&'static str> {
    Some(match facts.time_wait_reuse? {
        0 => "TIME_WAIT reuse off",
        1 => "TIME_WAIT reuse on",
        _ => "TIME_WAIT reuse on loopback only",
    })
}

fn queues(store: &Store) -> Vec<SummaryPart> {
    let pressure = store.pressure();
    let Some(growth) = pressure.growth() else {
        let waits = store.facts().counters.is_some();
        let text = if waits { "counting…" } else { "this source does not know what the kernel dropped" };
        return vec![SummaryPart::plain(text)];
    };
    let rate = |count: u64| format!("{}/s", units::per_second(growth.per_second(count)));
    let mut parts = match pressure.at_fault() {
        Some(FullListener { id, place, .. }) => {
            let who = listening(store, id);
            let local = place.text(store.names()).with_port(place.local.port);
            let text = format!("overflows {}, tied to {local}{who}", rate(growth.by.listen_overflows));
            vec![SummaryPart::trouble(text, OVERFLOWS)]
        }
        None if growth.by.listen_overflows > 0 && pressure.suspects() > 1 => {
            let text =
                format!("overflows {}, {} queues are full", rate(growth.by.listen_overflows), pressure.suspects());
            vec![SummaryPart::trouble(text, OVERFLOWS)]
        }
        None if growth.by.listen_overflows > 0 => {
            let text = format!("overflows {}, no full queue was seen", rate(growth.by.listen_overflows));
            vec![SummaryPart::trouble(text, OVERFLOWS)]
        }
        None => vec![SummaryPart::plain("overflows 0/s")],
    };
    let counted = [
        ("dropped", growth.by.listen_drops),
        ("SYN queue full", growth.by.syn_queue_drops),
        ("SYN cookies", growth.by.syncookies_sent),
    ];
    // What is dropped at a full accept queue is told already.
    let is_news = |name: &str, count: u64| match name {
        "dropped" => count > growth.by.listen_overflows,
        _ => count > 0,
    };
    parts.extend(counted.map(|(name, count)| {
        let text = format!("{name} {}", rate(count));
        if is_news(name, count) { SummaryPart::trouble(text, DROPS) } else { SummaryPart::plain(text) }
    }));
    if let Some(most) = store.facts().accept_queue_max {
        parts.push(SummaryPart::plain(format!("somaxconn {}", units::count(u64::from(most)))));
    }
    parts.push(SummaryPart::plain(format!("over {}", seconds(growth.over.min(PRESSURE_WINDOW)))));
    parts
}

/// Who holds the listener `id`: ` nginx[812] +3`.
fn listening(store: &Store, id: SocketId) -> String {
    let Some(row) = store.rows().live(id) else { return " (closed since)".to_owned() };
    let Some(holders) = row.connection.socket.owner.holders() else { return String::new() };
    let more = match holders.all().len() - 1 {
        0 => String::new(),
        more => format!(" +{more}"),
    };
    format!(" {}{more}", holders.first())
}

fn seconds(span: Duration) -> String {
    format!("{} s", span.as_secs())
}
