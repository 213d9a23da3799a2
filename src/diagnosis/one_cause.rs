//! Two rules that see the same cause from two sides: one finding, which knows what both know.
//!
//! A listener that does not accept fills its queue. While the queue is not full, `not-accepted` says so; once it is,
//! `accept-queue-full` says what that costs, and takes in who waits and since when.

use std::cmp::Reverse;
use std::fmt::Write;

use rustc_hash::FxHashMap;

use crate::diagnosis::causes::explain;
use crate::diagnosis::finding::{Finding, FindingKey, FindingScope, Measure};
use crate::diagnosis::rule::Rule;
use crate::model::socket::{NetnsId, SocketId};
use crate::model::time::Timestamp;
use crate::model::units;

/// More full listeners of one place than this are reported as one finding.
const FULL_LISTED_MAX: usize = 3;

/// A listener that is full: by itself, or as one of its place.
type FullListeners = FxHashMap<(NetnsId, Option<SocketId>), usize>;
type FullListenersByScope = FxHashMap<(NetnsId, FindingScope), Vec<usize>>;

/// Joins the findings of one cause.
pub(super) fn join(findings: &mut Vec<Finding>, now: Timestamp) {
    let (waiting, mut others): (Vec<_>, Vec<_>) =
        std::mem::take(findings).into_iter().partition(|finding| finding.rule() == Rule::NotAccepted);
    let (by_listener, by_place) = full(&others);
    for waiting in waiting {
        let key = waiting.key;
        let there = by_place.get(&(key.netns, key.scope)).map_or(&[][..], Vec::as_slice);
        if key.listener.is_none() && are_told(&waiting, there, &mut others) {
            continue;
        }
        match by_listener.get(&(key.netns, key.listener)).and_then(|nth| others.get_mut(*nth)) {
            Some(full) => take_in(full, waiting, now),
            None => findings.push(waiting),
        }
    }
    fold_full(&mut others);
    findings.append(&mut others);
}

/// Where the full listeners are among `findings`.
fn full(findings: &[Finding]) -> (FullListeners, FullListenersByScope) {
    let (mut by_listener, mut by_place) = (FullListeners::default(), FullListenersByScope::default());
    let all = findings.iter().enumerate().filter(|(_, finding)| finding.rule() == Rule::AcceptQueueFull);
    for (nth, FindingKey { netns, listener, scope, .. }) in all.map(|(nth, finding)| (nth, finding.key)) {
        by_listener.entry((netns, listener)).or_insert(nth);
        if listener.is_some() {
            by_place.entry((netns, scope)).or_default().push(nth);
        }
    }
    (by_listener, by_place)
}

/// Whether full listeners of the place have all those waiting in their queues, of which it is not known whose each is.
/// Then the findings of those listeners say it.
fn are_told(waiting: &Finding, full: &[usize], others: &mut [Finding]) -> bool {
    let queued: u32 = full.iter().filter_map(|nth| others.get(*nth)).map(|full| full.sockets).sum();
    if full.is_empty() || queued < waiting.sockets {
        return false;
    }
    for nth in full {
        if let Some(full) = others.get_mut(*nth) {
            full.also = Some(Rule::NotAccepted);
        }
    }
    true
}

/// Many full listeners of one place are one finding: that of the fullest, which says how many more there are.
fn fold_full(findings: &mut Vec<Finding>) {
    let (_, by_place) = full(findings);
    let mut shown_by: FxHashMap<usize, usize> = FxHashMap::default();
    for same in by_place.into_values().filter(|same| same.len() > FULL_LISTED_MAX) {
        let badness = |nth: &usize| findings.get(*nth).map(|one| (one.severity, one.sockets, Reverse(one.key)));
        let Some(worst) = same.iter().copied().max_by_key(badness) else { continue };
        shown_by.extend(same.into_iter().filter(|nth| *nth != worst).map(|nth| (nth, worst)));
    }
    if shown_by.is_empty() {
        return;
    }
    let mut folded: FxHashMap<usize, Vec<Finding>> = FxHashMap::default();
    let mut kept = Vec::with_capacity(findings.len());
    for (nth, finding) in std::mem::take(findings).into_iter().enumerate() {
        match shown_by.get(&nth) {
            Some(worst) => folded.entry(*worst).or_default().push(finding),
            None => kept.push((nth, finding)),
        }
    }
    findings.extend(kept.into_iter().map(|(nth, mut finding)| {
        if let Some(others) = folded.remove(&nth) {
            // Writing to a string does not fail.
            let _ = write!(finding.sentence, "; {} more there are full, too", others.len());
            explain(&mut finding, others);
        }
        finding
    }));
}

/// The sentence of a finding gets no addition once it is as long, in bytes: the number stands among the evidence, too.
const SENTENCE_LEN_FULL: usize = 150;

/// `, 5 given up by their peers, oldest 42s`. Writing to a string does not fail.
fn take_in(full: &mut Finding, waiting: Finding, now: Timestamp) {
    let given_up = waiting.evidence.iter().find(|one| one.key == "given_up");
    if let Some(Measure::Count(number @ 1..)) = given_up.map(|one| &one.value)
        && full.sentence.len() < SENTENCE_LEN_FULL
    {
        let _ = write!(full.sentence, ", {} given up by their peers", units::count(*number));
    }
    if let Some(oldest) = waiting.oldest {
        let _ = write!(full.sentence, ", oldest {}{}", oldest.basis.mark(), units::age(oldest.age(now)));
    }
    full.severity = full.severity.max(waiting.severity);
    full.evidence.extend(waiting.evidence);
    full.since = [full.since, waiting.since].into_iter().flatten().min_by_key(|since| since.at);
    full.slope = full.slope.or(waiting.slope);
    full.first_found = full.first_found.min(waiting.first_found);
    if full.process_shares.is_empty() {
        (full.process, full.program, full.processes, full.process_shares) =
            (waiting.process, waiting.program, waiting.processes, waiting.process_shares);
    }
    if full.examples.is_empty() {
        full.examples = waiting.examples;
    }
    full.also = Some(waiting.key.rule);
}
