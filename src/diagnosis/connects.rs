//! Attempts to connect that fail, from the ledger: what the rules of failing and of refused connects have in common.
//!
//! The trouble is that of the destination, whoever of this machine has it: all programs whose attempts fail there are one
//! group. A program that reaches the same port by its other address family is well: it tries both (RFC 8305), and `localhost`
//! is `::1` and 127.0.0.1.

use std::collections::HashMap;
use std::time::Duration;

use crate::diagnosis::case::{Case, Context};
use crate::diagnosis::connect_attempts::ConnectAttempts;
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, Severity};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::many;
use crate::model::address::Destination;
use crate::model::process::NoProcess;
use crate::model::socket::NetnsId;
use crate::model::tcp_state::TcpState;
use crate::model::units;
use crate::store::attempt_history::{AttemptCounts, AttemptKey, AttemptWindow, Program};

/// Attempts that all failed within less time than this are one try of somebody.
const SPAN_MIN: Duration = Duration::from_millis(500);
/// So many attempts are enough where they waited long.
const WAITED_MIN: u32 = 2;
/// A part of the attempts that fails is a finding from so many times the failures of [`connect_failures`] on.
///
/// [`connect_failures`]: crate::diagnosis::thresholds::Thresholds::connect_failures
const PART_TIMES: u32 = 2;
/// Where all fail it is critical after a while, if they are at least so many times as many.
const CRITICAL_TIMES: u32 = 2;

/// The groups of `rule`, which is about refused attempts or about all others.
pub(super) fn groups(context: &Context, rule: Rule) -> Vec<SocketGroup> {
    let mut found: HashMap<(Destination, NetnsId), SocketGroup> = HashMap::new();
    let mut families = None;
    for (key, entry) in context.store.attempt_history().entries() {
        let AttemptKey::To { program, to, netns } = key else { continue };
        let Some(attempts) = ConnectAttempts::of(context.store, key, entry) else { continue };
        if families.get_or_insert_with(|| AddressFamilies::of(context)).is_served(
            program,
            *to,
            *netns,
            &attempts.counts,
        ) {
            continue;
        }
        let place = FindingKey { rule, program: None, scope: FindingScope::To(*to), netns: *netns, listener: None };
        let group = found.entry((*to, *netns)).or_insert_with(|| SocketGroup::new(place, None));
        group.no_process = match program {
            Program::Named(_) => group.no_process,
            Program::Unknown(NoProcess::Hidden) => Some(NoProcess::Hidden),
            // Somebody tried: there was a process.
            Program::Unknown(_) => Some(NoProcess::Vanished),
        };
        entry.processes_since(attempts.since.at).for_each(|process| group.processes.note(Some(process), 0));
        match &mut group.attempts {
            Some(sum) => sum.join(&attempts),
            None => group.attempts = Some(attempts),
        }
    }
    if !found.is_empty() {
        note_waiting(context, &mut found);
    }
    let is_of_rule = |group: &SocketGroup| {
        group.attempts.is_some_and(|attempts| attempts.are_refused() == (rule == Rule::RefusedConnects))
    };
    let group = |group: SocketGroup| {
        let attempts = group.attempts.as_ref()?;
        let (since, failed) = (Some(attempts.since), attempts.counts.failed());
        Some(SocketGroup { sockets: attempts.under_way, oldest: since, amount: failed.into(), ..group })
    };
    found.into_values().filter(is_of_rule).filter_map(group).collect()
}

/// Names those whose attempts are under way: they may have begun before anything was watched.
fn note_waiting(context: &Context, found: &mut HashMap<(Destination, NetnsId), SocketGroup>) {
    let rows = context.store.rows();
    for socket in rows.suspects().iter().filter_map(|index| rows.get(index)).map(|row| &row.connection.socket) {
        if socket.state == TcpState::SynSent
            && let Some(group) = found.get_mut(&(socket.destination(), socket.id.netns()))
        {
            let process = socket.owner.holders().and_then(|holders| holders.all().first());
            group.processes.note(process, 1);
        }
    }
}

/// Which programs reach which ports by IPv4 and by IPv6, in the last minute.
struct AddressFamilies<'a>(HashMap<(&'a Program, u16, NetnsId), [u32; 2]>);

impl<'a> AddressFamilies<'a> {
    fn of(context: &Context<'a>) -> Self {
        let (ledger, mut found) = (context.store.attempt_history(), HashMap::new());
        for (key, entry) in ledger.entries() {
            let AttemptKey::To { program, to, netns } = key else { continue };
            let succeeded = ledger.counts(entry, AttemptWindow::Minute).succeeded();
            if succeeded > 0 {
                let counts: &mut [u32; 2] = found.entry((program, to.port, *netns)).or_default();
                counts[usize::from(to.address.ip().is_ipv6())] += succeeded;
            }
        }
        Self(found)
    }

    /// Whether `program` reaches the port by the other family, at least as often as it fails by this one.
    fn is_served(&self, program: &'a Program, to: Destination, netns: NetnsId, counts: &AttemptCounts) -> bool {
        let other = usize::from(!to.address.ip().is_ipv6());
        self.0.get(&(program, to.port, netns)).is_some_and(|by| by[other] > 0 && by[other] >= counts.failed())
    }
}

/// How bad it is; `None` where it is nothing.
pub(super) fn severity(case: &Case) -> Option<Severity> {
    let (attempts, limits) = (case.group.attempts?, case.context.thresholds);
    let Some(row) = attempts.all_failed else {
        let (failed, decided) = (attempts.counts.failed(), attempts.counts.decided());
        let is_enough = case.reaches(failed, limits.connect_failures.saturating_mul(PART_TIMES));
        let is_part = case.reaches_percent(failed.into(), decided.into(), limits.connect_failures_share);
        return (is_enough && is_part).then_some(Severity::Warning);
    };
    let is_long = row.last.since(attempts.since.at) >= SPAN_MIN;
    let is_patient = row.failures >= WAITED_MIN && row.waited >= limits.connect_waited;
    if !(is_long && (case.reaches(row.failures, limits.connect_failures) || is_patient)) {
        return None;
    }
    let lasts = attempts.since.age(case.context.now()) >= limits.connect_failing_critical;
    let are_many = row.failures >= limits.connect_failures.saturating_mul(CRITICAL_TIMES);
    Some(if lasts && are_many { Severity::Critical } else { Severity::Warning })
}

/// `0 of 96 attempts in 12s succeeded`, `30 of 96 attempts in 60s failed`.
pub(super) fn counts_text(case: &Case, attempts: &ConnectAttempts) -> String {
    let now = case.context.now();
    if let Some(row) = attempts.all_failed {
        return format!("0 of {} in {} succeeded", tries(row.failures), units::age(attempts.since.age(now)));
    }
    let over = units::age(case.context.store.attempt_history().over(AttemptWindow::Minute));
    let (failed, decided) = (attempts.counts.failed(), attempts.counts.decided());
    format!("{} of {} in {over} failed", units::count(failed.into()), tries(decided))
}

fn tries(number: u32) -> String {
    many(number, "attempt")
}

/// How many processes it is about at least, where there are more than are listed.
pub(super) fn more_processes(group: &SocketGroup) -> Option<Measure> {
    let is_more = group.attempts.is_some_and(|attempts| attempts.more_processes);
    is_more.then(|| Measure::Count(group.processes.len().into()))
}
