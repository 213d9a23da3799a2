//! What happened to a connection, and the others like it.

use std::fmt::Write;
use std::time::Duration;

use crate::app::App;
use crate::app::detail::byte_words;
use crate::app::detail::page::DetailPage;
use crate::app::panels::log::{change_text, lasted_text};
use crate::app::prose::{ProseLine, Section};
use crate::app::related::{RelatedSockets, is_client};
use crate::model::address_text::{local_end, remote_end};
use crate::model::delta::{FinalCounters, Transition};
use crate::model::tcp_state::STATES;
use crate::store::row::SocketRow;
use crate::table::units;

/// How many lines of its history are shown.
const HISTORY_SHOWN_MAX: usize = 12;

/// Those that belong with a connection, by state, and the first of them with a line each.
pub(super) fn neighbours(app: &App, row: &SocketRow, related: &RelatedSockets) -> Section {
    let socket = &row.connection.socket;
    let mut section = Section::new(if socket.is_listener() { "Its connections" } else { "Others like it" });
    if related.first.is_empty() {
        return section;
    }
    let names = app.store.names();
    let (label, what) = match socket.owner.process() {
        _ if socket.is_listener() => ("came in by", format!("port {}", socket.local.port)),
        Some(process) if is_client(socket) => ("process", format!("{process} to {}", remote_end(socket, names))),
        Some(process) => ("process", format!("{process} on {}", local_end(socket, names))),
        None => return section,
    };
    section.fact(label, what);
    for (state, count) in STATES.iter().zip(related.alike).filter(|(_, count)| *count > 0) {
        section.fact(state.name, units::count(u64::from(count)));
    }
    for (at, other) in related.first.iter().enumerate() {
        section.fact(if at == 0 { "among them" } else { "" }, neighbour_words(app, other));
    }
    section
}

fn neighbour_words(app: &App, row: &SocketRow) -> String {
    let socket = &row.connection.socket;
    let age = row.connection.state_since.map(|since| format!("  {}", since.age_text(app.store.at())));
    // The end with the higher port tells it from the others: that of the client.
    let names = app.store.names();
    let client =
        if socket.remote.port < socket.local.port { local_end(socket, names) } else { remote_end(socket, names) };
    format!("{client}  {}{}", socket.state, age.unwrap_or_default())
}

/// Its transitions, newest first, as far as the log goes back.
pub(super) fn history(app: &App, detail: &DetailPage) -> Section {
    let mut section = Section::new("What happened to it");
    let entries = app.store.log().entries().iter().rev().filter(|entry| entry.id == detail.id);
    for entry in entries.take(HISTORY_SHOWN_MAX) {
        section.lines.push(ProseLine::Event(app.time_of_day(entry.at), happened(entry)));
    }
    if section.lines.is_empty() {
        let watched = detail.row.as_ref().map_or(Duration::ZERO, |row| app.store.at().since(row.connection.first_seen));
        section.lines.push(ProseLine::Event(
            String::new(),
            format!("Nothing in the {} that conntop has watched it.", units::lasted(watched)),
        ));
    }
    section
}

/// What changed, after how long, what was missed, and what the connection had come to at its end.
fn happened(entry: &Transition) -> String {
    let mut text = change_text(entry);
    let lasted = lasted_text(entry);
    if !lasted.is_empty() {
        let _ = write!(text, " after {lasted}");
    }
    if entry.skipped {
        text.push_str(" (states in between were not seen)");
    }
    if let Some(last) = &entry.final_counters {
        let _ = write!(text, ": {}", last_words(last));
    }
    text
}

/// The final counters, as the kernel told them.
fn last_words(last: &FinalCounters) -> String {
    let moved = last
        .bytes
        .map(|bytes| format!("{} received, {} sent in all", byte_words(bytes.received()), byte_words(bytes.sent())));
    let round_trip =
        (last.rtt_us > 0).then(|| format!("round trip {}", units::span(Duration::from_micros(last.rtt_us.into()))));
    let again = match last.retransmits_total {
        0 => "nothing sent again".to_owned(),
        count => format!("{} segments sent again", units::count(count.into())),
    };
    let parts: Vec<String> = [moved, round_trip, Some(again)].into_iter().flatten().collect();
    parts.join(", ")
}
