//! A line of an event as a sentence: for screen readers, which read signs and aligned blanks aloud as noise.
//!
//! What comes first is what one waits for: the time of day (UTC), what happened, the process, both ends, the state.

use std::borrow::Cow;

use crate::diagnosis::finding::Finding;
use crate::model::delta::{AgeBasis, Gap, Transition};
use crate::model::hosts::HostNumber;
use crate::model::process::Owner;
use crate::model::time::Timestamp;
use crate::report::format::json::rfc3339;
use crate::report::watch::{ChangeKind, FindingChange, LostLines, of_host};
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::units;
use crate::table::value::Value;

/// `12:00:09 changed, java 812, 10.0.0.7 port 51234 to 10.1.0.1 port 5432, ESTABLISHED to CLOSE_WAIT after 12s`.
pub(super) fn change(store: &Store, transition: &Transition, row: &SocketRow) -> String {
    let event = match ChangeKind::of(transition) {
        ChangeKind::Transition => "changed",
        kind => kind.name(),
    };
    let socket = &row.connection.socket;
    let local = end(&transition.local_text(store.names()));
    let ends = match transition.remote_text(store.names()) {
        Some(remote) => format!("{local} to {}", end(&remote)),
        None => local,
    };
    let states = match (transition.from, transition.to) {
        (Some(from), Some(to)) => format!("{} to {}", from.name(), to.name()),
        (None, Some(state)) => state.name().to_owned(),
        (Some(state), None) => format!("was {}", state.name()),
        (None, None) => "last state unknown".to_owned(),
    };
    let lasted = transition.lasted.map_or_else(String::new, |(span, basis)| {
        let least = if basis == AgeBasis::AtLeast { "at least " } else { "" };
        format!(" after {least}{}", units::lasted(span))
    });
    let (time, owner) = (time_of_day(store, transition.at), owner(&socket.owner));
    let protocol = socket.protocol.name();
    let host = of_host(store, store.host_of(socket.id.netns()).as_str());
    format!("{time} {host}{event}, {owner}, {protocol} {ends}, {states}{lasted}")
}

/// `12:00:09 gap, 5 events lost since 12:00:01, lines may be missing`.
pub(super) fn gap(store: &Store, host: Option<HostNumber>, gap: &Gap) -> String {
    let host = of_host(store, store.host_numbered(host).as_str());
    let lost = gap.lost.map_or_else(|| "some".to_owned(), units::count);
    let (to, from) = (time_of_day(store, gap.to), time_of_day(store, gap.from));
    format!("{to} {host}gap, {lost} events lost since {from}, lines may be missing")
}

/// `12:00:09 gap, 5 lines dropped since 12:00:01, because their reader was too slow`.
pub(super) fn lost_lines(store: &Store, lost: LostLines) -> String {
    let (to, from) = (time_of_day(store, lost.to), time_of_day(store, lost.from));
    format!("{to} gap, {} lines dropped since {from}, because their reader was too slow", units::count(lost.count))
}

/// `12:00:09 found, critical, report-api accept queue full on :9090`.
pub(super) fn finding(store: &Store, change: FindingChange, finding: &Finding) -> String {
    let sentence = without_signs(&finding.sentence);
    format!("{} {}, {}, {sentence}", time_of_day(store, store.at()), change.name(), finding.severity.label())
}

/// `nginx 812` for `nginx[812]`, and words for the sign of at least. Addresses keep their brackets.
fn without_signs(sentence: &str) -> String {
    let mut text = String::with_capacity(sentence.len());
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('[') {
        text.push_str(before);
        match after.split_once(']') {
            Some((pid, after)) if pid.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.push(' ');
                text.push_str(pid);
                rest = after;
            }
            _ => {
                text.push('[');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text.replace('≥', "at least ")
}

/// The time of day in UTC, as `12:00:09`.
fn time_of_day(store: &Store, at: Timestamp) -> String {
    rfc3339(store.wall_of(at)).chars().skip("2026-01-01T".len()).take("12:00:09".len()).collect()
}

/// `10.0.0.7 port 443` of `10.0.0.7:443`.
fn end(text: &str) -> String {
    match text.rsplit_once(':') {
        Some((addr, port)) => {
            let addr = match addr.trim_start_matches('[').trim_end_matches(']') {
                "*" => "any address",
                addr => addr,
            };
            format!("{addr} port {port}")
        }
        None => text.to_owned(),
    }
}

fn owner(owner: &Owner) -> Cow<'static, str> {
    let text = Value::Process(owner).text();
    match owner.process() {
        Some(process) => format!("{text} {}", process.id.pid).into(),
        None if text.is_empty() => "no process known".into(),
        None => text.into_owned().into(),
    }
}
