//! How findings are worded: who, where, how fast, since when; and the filter that shows the sockets.
//!
//! Sentences are cut at the right on narrow screens, so the most important words come first.

use std::fmt::Write;
use std::time::Duration;

use crate::diagnosis::case::Case;
use crate::diagnosis::finding::{FindingScope, RunsOut, Slope};
use crate::diagnosis::group::SocketGroup;
use crate::model::address::{Address, Destination};
use crate::model::address_text::AddressText;
use crate::model::delta::Since;
use crate::model::quoting::filter_word;
use crate::model::units;
use crate::store::listeners::ListenAddress;

pub(super) use crate::diagnosis::subject::who;

/// How many sockets it is about: in the words `of_one` for a single process, `40 processes, 312 connections` for several.
pub(super) fn total(group: &SocketGroup, of_one: impl FnOnce() -> String) -> String {
    match group.processes.len() {
        0 | 1 => of_one(),
        processes => format!("{} processes, {}", count(processes), many(group.sockets, "connection")),
    }
}

/// A condition is said to be older than its rows if it is so by this much.
const OLDER_BY: Duration = Duration::from_secs(2);

/// `to 10.0.0.5:5432`, `on :8080`, `to 37 peers`.
pub(super) fn place(case: &Case) -> String {
    let group = case.group;
    match group.key.scope {
        FindingScope::To(remote) => format!("to {}", end(case, remote)),
        FindingScope::On(local) => format!("on {}", listens(case, local)),
        FindingScope::Process => format!("to {}", many_peers(group)),
        FindingScope::Machine => String::new(),
    }
}

/// Who is at the other end: `10.0.0.5:5432`, `clients of :8080`, `37 peers`.
pub(super) fn peers(case: &Case) -> String {
    let group = case.group;
    match group.key.scope {
        FindingScope::To(remote) => end(case, remote),
        FindingScope::On(local) => format!("clients of {}", listens(case, local)),
        FindingScope::Process | FindingScope::Machine => many_peers(group),
    }
}

/// `37 peers`. (Where there were too many groups, one of them stands for an unknown number.)
fn many_peers(group: &SocketGroup) -> String {
    if group.places > 1 { format!("{} peers", count(group.places)) } else { "several peers".to_owned() }
}

/// `that is` or `that are`, for one peer or several.
pub(super) fn that<'a>(group: &SocketGroup, one: &'a str, several: &'a str) -> &'a str {
    if matches!(group.key.scope, FindingScope::To(_)) { one } else { several }
}

/// `:8080`; `10.0.0.1:8080` or `0.0.0.0%eth1:8080` where one address or one interface is listened on.
pub(super) fn listens(case: &Case, local: Destination) -> String {
    let is_anywhere = is_any(local) && local.address.zone().is_none();
    if is_anywhere { format!(":{}", local.port) } else { end(case, local) }
}

fn end(case: &Case, end: Destination) -> String {
    text(case, end.address).with_port(end.port).to_string()
}

/// `address` with the name of its interface.
pub(super) fn text<'a>(case: &Case<'a>, address: Address) -> AddressText<'a> {
    AddressText::of(address, case.group.key.netns, case.context.store.names())
}

/// ` of eth1`, where only one interface is listened on.
pub(super) fn of_interface(case: &Case, local: Destination) -> String {
    text(case, local.address).link().map_or_else(String::new, |link| format!(" of {link}"))
}

/// `312`, `1,204`.
pub(super) fn count(count: u32) -> String {
    units::count(u64::from(count))
}

/// `312 bytes`, `14.2MB`.
pub(super) fn in_bytes(number: u64) -> String {
    match number {
        1 => "1 byte".to_owned(),
        ..10_000 => format!("{} bytes", units::count(number)),
        _ => format!("{}B", units::bytes(number)),
    }
}

/// `1 connection`, `12 connections`.
pub(super) fn many(number: u32, one: &str) -> String {
    units::counted(number.into(), one)
}

/// `, +4/min for 31m`, `, perhaps +4/min`; nothing for what does not rise.
pub(super) fn growth(slope: Option<Slope>) -> String {
    match slope {
        Some(slope) if slope.rises() => format!(", {} for {}", per_time(slope.per_minute), units::age(slope.over)),
        Some(slope) if slope.per_minute > 0.5 && !slope.is_sure() && slope.confidence > 0.3 => {
            format!(", perhaps {}", per_time(slope.per_minute))
        }
        _ => String::new(),
    }
}

/// `+4/min`, `+12/h`, `+20/s`: the unit in which the number is easy to read.
fn per_time(per_minute: f32) -> String {
    let number = |rate: f32| if rate >= 9.95 { format!("{rate:.0}") } else { trimmed(rate) };
    match per_minute {
        rate if rate < 0.95 => format!("+{}/h", number(rate * 60.0)),
        rate if rate < 599.5 => format!("+{}/min", number(rate)),
        rate => format!("+{}/s", number(rate / 60.0)),
    }
}

/// One digit behind the point, unless it is 0.
pub(super) fn trimmed(rate: f32) -> String {
    let text = format!("{rate:.1}");
    text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned)
}

/// `, oldest 52m`, `, oldest >52m`; where the condition is older than all rows of now, `, oldest 4s, for 10m`.
pub(super) fn oldest(case: &Case) -> String {
    let oldest = case.group.oldest.map_or(String::new(), |since| format!(", oldest {}", age(case, since)));
    let is_older = |began: &Since| case.group.oldest.is_some_and(|oldest| began.at.after(OLDER_BY) < oldest.at);
    let began = case.past.and_then(|past| past.began).filter(is_older);
    let lasts = began.map_or(String::new(), |began| format!(", for {}", age(case, began)));
    oldest + &lasts
}

/// How long the oldest has lasted: `52m`, `≥52m`.
pub(super) fn lasted(case: &Case) -> String {
    case.group.oldest.map_or(String::new(), |since| age(case, since))
}

/// `52m`, or `≥52m` where it can be more.
pub(super) fn age(case: &Case, since: Since) -> String {
    format!("{}{}", since.basis.mark(), units::age(since.age(case.context.now())))
}

/// `; out of descriptors in 3h10m (420 left)`, `... (420 left, +2.2/min)`: what is left and how fast it is used up, where
/// that is not the growth that was `stated` before.
pub(super) fn ahead(runs_out: Option<RunsOut>, stated: Option<Slope>) -> String {
    let Some(limit) = runs_out else { return String::new() };
    let rate = per_time(limit.per_minute);
    let is_stated = limit.left == 0 || stated.is_some_and(|slope| slope.rises() && per_time(slope.per_minute) == rate);
    let rate = if is_stated { String::new() } else { format!(", {rate}") };
    let left = units::count(limit.left);
    format!("; out of {} in {} ({left} left{rate})", limit.what, within(limit.within))
}

fn within(time: Duration) -> String {
    if time < Duration::from_secs(1) { "no time".to_owned() } else { units::age(time) }
}

/// The expression of the filter language that selects the sockets of `group`: its process or program (`pid:?` where none
/// is known), its place, and `also` (`state:close-wait`).
pub(super) fn filter(case: &Case, also: &str) -> String {
    let group = case.group;
    let mut text = also.to_owned();
    push_owners(&mut text, group);
    push_place(&mut text, case);
    push_netns(&mut text, case);
    text
}

/// Nothing where several programs have to do with it: then the place selects.
fn push_owners(text: &mut String, group: &SocketGroup) {
    match (group.process(), group.processes.program()) {
        (Some(process), _) => push(text, format_args!("pid:{}", process.id.pid)),
        (None, Some(program)) => push_program(text, group, program),
        (None, None) if group.processes.len() == 0 => push(text, format_args!("pid:?")),
        (None, None) => {}
    }
}

/// By name, which stays right while pids come and go; by pids where the name cannot be written in quotes.
fn push_program(text: &mut String, group: &SocketGroup, program: &str) {
    let is_plain = program.chars().all(|each| each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.'));
    match filter_word(program) {
        _ if is_plain => push(text, format_args!("process={program}")),
        Some(quoted) => push(text, format_args!("process={quoted}")),
        None => {
            let pids: Vec<String> = group.processes.all().map(|one| one.process.id.pid.to_string()).collect();
            push(text, format_args!("pid:{}", pids.join(",")));
        }
    }
}

/// As [`filter`], whoever holds the sockets.
pub(super) fn filter_by_place(case: &Case, also: &str) -> String {
    let mut text = also.to_owned();
    push_place(&mut text, case);
    push_listener(&mut text, case);
    push_netns(&mut text, case);
    text
}

fn push_place(text: &mut String, case: &Case) {
    match case.group.key.scope {
        FindingScope::To(remote) => {
            push(text, format_args!("raddr={} rport={}", self::text(case, remote.address).alone(), remote.port));
        }
        FindingScope::On(local) => {
            if !is_any(local) {
                push(text, format_args!("{}", from(local.address)));
            } else if let Some(index) = local.address.zone() {
                push(text, format_args!("laddr=0.0.0.0%{index},::%{index}"));
            }
            push(text, format_args!("lport={}", local.port));
        }
        FindingScope::Machine | FindingScope::Process => {}
    }
}

/// Only where several listeners share the place.
fn push_listener(text: &mut String, case: &Case) {
    let store = case.context.store;
    let Some(row) = case.group.key.listener.and_then(|id| store.rows().live(id)) else { return };
    let socket = &row.connection.socket;
    if let Some(inode) = socket.inode.filter(|_| store.listeners().count_at(ListenAddress::of(socket)) > 1) {
        push(text, format_args!("listener={inode}"));
    }
}

/// The filter on our address `from`, and on the interface that the sockets are bound to.
pub(super) fn from(from: Address) -> String {
    let zone = from.zone().map_or_else(String::new, |index| format!("%{index}"));
    format!("laddr={}{zone}", from.ip())
}

fn is_any(local: Destination) -> bool {
    local.address.ip().is_unspecified()
}

/// Only where there is more than one.
fn push_netns(text: &mut String, case: &Case) {
    let names = case.context.store.names();
    let netns = names.namespace_number(case.group.key.netns);
    if netns != 0 && names.namespaces.len() > 1 {
        push(text, format_args!("netns={netns}"));
    }
}

fn push(text: &mut String, part: std::fmt::Arguments) {
    let blank = if text.is_empty() { "" } else { " " };
    // Writing to a string does not fail.
    let _ = write!(text, "{blank}{part}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slope(per_minute: f32, confidence: f32) -> Slope {
        Slope { per_minute, over: Duration::from_secs(31 * 60), confidence }
    }

    #[test]
    fn growth_is_said_in_the_unit_that_reads_well() {
        for (per_minute, confidence, words) in [
            (4.0, 0.95, ", +4/min for 31m"),
            (4.24, 0.95, ", +4.2/min for 31m"),
            (0.2, 0.95, ", +12/h for 31m"),
            (1_200.0, 0.95, ", +20/s for 31m"),
            (4.0, 0.6, ", perhaps +4/min"),
            (4.0, 0.1, ""),
            (-4.0, 0.95, ""),
            (0.0, 1.0, ""),
        ] {
            assert_eq!(growth(Some(slope(per_minute, confidence))), words);
        }
        assert_eq!(growth(None), "");
    }
}
