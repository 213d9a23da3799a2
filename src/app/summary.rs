//! The line above the tables of remotes, listeners and ports: what is true of all of them together.

use std::time::Duration;

use crate::model::address_text::AddressText;
use crate::model::event::Teller;
use crate::model::facts::Facts;
use crate::model::socket::SocketId;
use crate::store::Store;
use crate::store::groups::attempts::Attempts;
use crate::store::groups::{GroupKey, Grouping};
use crate::store::ledger::Window;
use crate::store::pressure::{PRESSURE_WINDOW, Suspect};
use crate::table::groups::GroupView;
use crate::table::units;

/// One thing that the line says. Pieces stand in the order of their worth: the last ones go where there is no room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// What it is.
    pub text: String,
    /// Whether it tells of something wrong.
    pub is_alarm: bool,
}

impl Piece {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_alarm: false }
    }

    fn alarm(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_alarm: true }
    }
}

/// The pieces of the line above the table `view` of groups; none where there is no such line.
pub(super) fn pieces(grouping: Grouping, view: &GroupView, store: &Store) -> Vec<Piece> {
    match grouping {
        Grouping::Process => Vec::new(),
        Grouping::Remote => attempts(view, store),
        Grouping::Listener => queues(store),
        Grouping::Route => ports(view, store),
    }
}

fn ports(view: &GroupView, store: &Store) -> Vec<Piece> {
    let facts = store.facts();
    let mut pieces = vec![Piece::plain(format!("{} in use", units::count(view.sockets())))];
    let Some(range) = facts.ephemeral_ports else {
        pieces.push(Piece::plain("this source does not know the kernel's range of ports"));
        return pieces;
    };
    let ports = units::count(u64::from(range.len()));
    pieces.push(Piece::plain(format!("range {}-{} ({ports})", range.first, range.last)));
    if let Some(group) = view.largest()
        && let GroupKey::Route(route) = group.key
    {
        let to = AddressText::of(route.to.address, route.netns, store.names());
        let used = units::count(u64::from(group.sockets()));
        pieces.push(Piece::plain(format!("most {used} to {}", to.with_port(route.to.port))));
    }
    pieces.push(Piece::plain(format!("{} reserved", units::count(u64::from(facts.ephemeral_reserved)))));
    pieces.extend(reuse(facts).map(Piece::plain));
    if !Attempts::are_told(store) {
        pieces.extend(attempts_the_kernel_counts(store));
    }
    pieces
}

fn attempts(view: &GroupView, store: &Store) -> Vec<Piece> {
    if !Attempts::are_told(store) {
        return attempts_the_kernel_counts(store);
    }
    let ledger = store.ledger();
    let over = seconds(ledger.over(Window::Minute).min(MINUTE));
    let (made, failed) = view.attempts();
    let mut pieces = vec![Piece::plain(match made {
        0 => format!("no attempt to connect in the last {over}"),
        1 => format!("1 attempt to connect in the last {over}"),
        made => format!("{} attempts to connect in the last {over}", units::count(made)),
    })];
    if made > 0 {
        pieces.push(Piece::plain(format!("{} failed", units::count(failed))));
    }
    if Attempts::are_at_least(store, Window::Minute) {
        pieces.push(Piece::plain("at least: the kernel dropped events"));
    }
    if ledger.is_full() {
        pieces.push(Piece::plain("more destinations than can be told apart"));
    }
    pieces
}

/// The length of the window that attempts are counted over.
const MINUTE: Duration = Duration::from_secs(60);

/// Without the trace nothing tells what becomes of short attempts; the kernel counts those of its namespace together.
fn attempts_the_kernel_counts(store: &Store) -> Vec<Piece> {
    let is_refused = matches!(store.tellers().trace, Teller::Refused(_));
    let Some(growth) = store.pressure().growth() else {
        let help = if is_refused { "run as root or with CAP_PERFMON" } else { "this source has none" };
        return vec![Piece::plain(format!("attempts to connect are told by the trace only: {help}"))];
    };
    let rate = |count: u64| units::per_second(growth.per_second(count));
    let (begun, failed) = (rate(growth.by.active_opens), rate(growth.by.attempt_fails));
    let help = if is_refused { "by destination: root or CAP_PERFMON" } else { "by destination: not known here" };
    let pieces =
        [format!("kernel: {begun} attempts/s, {failed}/s failed"), help.into(), "told by the trace only".into()];
    pieces.map(Piece::plain).into()
}

/// `tcp_tw_reuse` in words (Documentation/networking/ip-sysctl.rst).
fn reuse(facts: &Facts) -> Option<&'static str> {
    Some(match facts.time_wait_reuse? {
        0 => "TIME_WAIT reuse off",
        1 => "TIME_WAIT reuse on",
        _ => "TIME_WAIT reuse on loopback only",
    })
}

fn queues(store: &Store) -> Vec<Piece> {
    let pressure = store.pressure();
    let Some(growth) = pressure.growth() else {
        let waits = store.facts().counters.is_some();
        let text = if waits { "counting…" } else { "this source does not know what the kernel dropped" };
        return vec![Piece::plain(text)];
    };
    let rate = |count: u64| format!("{}/s", units::per_second(growth.per_second(count)));
    let mut pieces = match pressure.at_fault() {
        Some(Suspect { id, place, .. }) => {
            let who = listening(store, id);
            let local = place.text(store.names()).with_port(place.local.port);
            vec![Piece::alarm(format!("overflows {}, tied to {local}{who}", rate(growth.by.listen_overflows)))]
        }
        None if growth.by.listen_overflows > 0 && pressure.suspects() > 1 => {
            let text =
                format!("overflows {}, {} queues are full", rate(growth.by.listen_overflows), pressure.suspects());
            vec![Piece::alarm(text)]
        }
        None if growth.by.listen_overflows > 0 => {
            vec![Piece::alarm(format!("overflows {}, no full queue was seen", rate(growth.by.listen_overflows)))]
        }
        None => vec![Piece::plain("overflows 0/s")],
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
    pieces.extend(counted.map(|(name, count)| {
        let text = format!("{name} {}", rate(count));
        if is_news(name, count) { Piece::alarm(text) } else { Piece::plain(text) }
    }));
    if let Some(most) = store.facts().accept_queue_max {
        pieces.push(Piece::plain(format!("somaxconn {}", units::count(u64::from(most)))));
    }
    pieces.push(Piece::plain(format!("over {}", seconds(growth.over.min(PRESSURE_WINDOW)))));
    pieces
}

/// Who holds the listener `id`: ` nginx[812] +3`.
fn listening(store: &Store, id: SocketId) -> String {
    let Some(row) = store.rows().live(id) else { return " (closed since)".to_owned() };
    let Some(holders) = row.connection.socket.owner.holders() else { return String::new() };
    let more = match holders.all().len() - 1 {
        0 => String::new(),
        more => format!(" +{more}"),
    };
    format!(" {}[{}]{more}", holders.first().name, holders.first().id.pid)
}

fn seconds(span: Duration) -> String {
    format!("{} s", span.as_secs())
}
