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

/// Joins the findings of one cause.
pub(super) fn join(findings: &mut Vec<Finding>, now: Timestamp) {
    let (waiting, mut others): (Vec<_>, Vec<_>) =
        std::mem::take(findings).into_iter().partition(|finding| finding.rule() == Rule::NotAccepted);
    for waiting in waiting {
        match others.iter_mut().find(|full| is_same_listener(full, &waiting)) {
            Some(full) => take_in(full, waiting, now),
            None => findings.push(waiting),
        }
    }
    findings.append(&mut others);
}

fn is_same_listener(full: &Finding, waiting: &Finding) -> bool {
    let (full_key, key) = (full.key, waiting.key);
    let is_same_process = full_key.process == key.process || full_key.process.is_none() || key.process.is_none();
    full_key.rule == Rule::AcceptQueueFull
        && (full_key.place, full_key.netns) == (key.place, key.netns)
        && is_same_process
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
