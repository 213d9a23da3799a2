//! Two rules that see the same cause from two sides: one finding, which knows what both know.
//!
//! A listener that does not accept fills its queue. While the queue is not full, `not-accepted` says so; once it is,
//! `accept-queue-full` says what that costs, and takes in who waits and since when.

use std::fmt::Write;

use crate::diagnosis::finding::{Finding, Measure};
use crate::diagnosis::rule::Rule;
use crate::diagnosis::wording::at_least;
use crate::model::time::Timestamp;
use crate::model::units;

/// More full listeners of one place than this are told as one finding.
const FULL_TOLD_MAX: usize = 3;

/// Joins the findings of one cause.
pub(super) fn join(findings: &mut Vec<Finding>, now: Timestamp) {
    let (waiting, mut others): (Vec<_>, Vec<_>) =
        std::mem::take(findings).into_iter().partition(|finding| finding.rule() == Rule::NotAccepted);
    for waiting in waiting {
        if waiting.key.listener.is_none() && are_told(&waiting, &mut others) {
            continue;
        }
        match others.iter_mut().find(|full| is_same_listener(full, &waiting)) {
            Some(full) => take_in(full, waiting, now),
            None => findings.push(waiting),
        }
    }
    fold_full(&mut others);
    findings.append(&mut others);
}

fn is_same_listener(full: &Finding, waiting: &Finding) -> bool {
    let (full_key, key) = (full.key, waiting.key);
    full_key.rule == Rule::AcceptQueueFull && full_key.netns == key.netns && full_key.listener == key.listener
}

/// Whether full listeners of the place have all those waiting in their queues, of which nobody can tell whose each is.
/// Then the findings of those listeners say it.
fn are_told(waiting: &Finding, others: &mut [Finding]) -> bool {
    let mut full: Vec<&mut Finding> = others
        .iter_mut()
        .filter(|full| full.rule() == Rule::AcceptQueueFull && full.key.listener.is_some())
        .filter(|full| (full.key.place, full.key.netns) == (waiting.key.place, waiting.key.netns))
        .collect();
    let queued: u32 = full.iter().map(|full| full.sockets).sum();
    if full.is_empty() || queued < waiting.sockets {
        return false;
    }
    for full in &mut full {
        full.also = Some(Rule::NotAccepted);
    }
    true
}

/// Many full listeners of one place are one finding: that of the fullest, which says how many more there are.
fn fold_full(findings: &mut Vec<Finding>) {
    let place = |finding: &Finding| (finding.key.place, finding.key.netns);
    let is_full = |finding: &Finding| finding.rule() == Rule::AcceptQueueFull && finding.key.listener.is_some();
    let mut places: Vec<_> = findings.iter().filter(|finding| is_full(finding)).map(place).collect();
    places.sort_unstable();
    for same in places.chunk_by(|a, b| a == b).filter(|same| same.len() > FULL_TOLD_MAX) {
        let here = |finding: &Finding| is_full(finding) && place(finding) == same[0];
        let worst = findings
            .iter()
            .filter(|finding| here(finding))
            .max_by_key(|finding| (finding.severity, finding.sockets, std::cmp::Reverse(finding.key)));
        let Some(worst) = worst.map(|worst| worst.key) else { continue };
        findings.retain(|finding| !here(finding) || finding.key == worst);
        if let Some(finding) = findings.iter_mut().find(|finding| finding.key == worst) {
            // Writing to a string does not fail.
            let _ = write!(finding.sentence, "; {} more listeners there are full, too", same.len() - 1);
        }
    }
}

/// `, 5 given up by their peers, oldest 42s`. Writing to a string does not fail.
fn take_in(full: &mut Finding, waiting: Finding, now: Timestamp) {
    let given_up = waiting.evidence.iter().find(|one| one.key == "given_up");
    if let Some(Measure::Count(number @ 1..)) = given_up.map(|one| &one.value) {
        let _ = write!(full.sentence, ", {} given up by their peers", units::count(*number));
    }
    if let Some(since) = waiting.since {
        let _ = write!(full.sentence, ", oldest {}{}", at_least(since), units::age(since.age(now)));
    }
    full.severity = full.severity.max(waiting.severity);
    full.evidence.extend(waiting.evidence);
    full.since = full.since.or(waiting.since);
    full.slope = full.slope.or(waiting.slope);
    full.first_found = full.first_found.min(waiting.first_found);
    full.process = full.process.take().or(waiting.process);
    full.also = Some(waiting.key.rule);
}
