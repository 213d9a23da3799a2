//! What was found about sockets that are alike: by the examples of a finding, and by its filters on one socket of each set.

use rustc_hash::FxHashMap;

use crate::app::panels::findings::FindingsPanel;
use crate::diagnosis::finding::{Finding, FindingScope, ProgramName, Severity};
use crate::knowledge::rules;
use crate::store::Store;
use crate::store::alike::AlikeSockets;
use crate::store::alike::key::AlikePeer;
use crate::table::folded::FoldMark;
use crate::table::folded::view::short_cause;

/// So many times at most filters of what findings explain are asked: there may be many sets and many filters.
const ASKED_MAX: usize = 20_000;

/// The worst finding about each set of sockets, by the number of the set.
pub(in crate::app) fn marks(findings: &FindingsPanel, store: &Store) -> FxHashMap<u32, FoldMark> {
    let mut marks = FxHashMap::default();
    if findings.is_empty() {
        return marks;
    }
    let alike = store.rows().alike();
    let mut asked = 0;
    // The worst come first.
    for (finding, filters) in findings.with_filters() {
        let mark = FoldMark {
            badness: if finding.severity == Severity::Critical { 2 } else { 1 },
            why: short_cause(finding.why, rules::text(finding.rule().id()).map_or("", |text| text.title.as_str())),
        };
        let examples = finding.examples.iter().chain(&finding.key.listener);
        let rows = examples.filter_map(|id| store.rows().find(*id));
        for number in rows.filter_map(|row| alike.set_of(row)) {
            marks.entry(number).or_insert_with(|| mark.clone());
        }
        // The first filter is its own, the others are of what it explains.
        for (nth, filter) in filters.iter().enumerate() {
            for (number, set) in alike.iter() {
                if marks.contains_key(&number) || (nth == 0 && !may_be_about(finding, set)) || asked > ASKED_MAX {
                    continue;
                }
                asked += usize::from(nth > 0);
                let example = alike.example(number).and_then(|row| store.rows().get(row));
                if example.is_some_and(|row| filter.matches(row, store)) {
                    marks.insert(number, mark.clone());
                }
            }
        }
    }
    marks
}

/// How bad a finding is whose mark says `badness`.
pub const fn severity_of(badness: u8) -> Severity {
    if badness > 1 { Severity::Critical } else { Severity::Warning }
}

/// Whether `finding` may be about `set`, by program and place: that is asked faster than its filter.
fn may_be_about(finding: &Finding, set: &AlikeSockets) -> bool {
    let program = set.process.as_ref().map(|process| ProgramName::of(process));
    let is_of_program = finding.key.program.is_none_or(|name| program == Some(name));
    let is_at_place = match (finding.key.scope, set.key.peer) {
        (FindingScope::To(to), AlikePeer::Remote { address, port, .. }) => (to.address, to.port) == (address, port),
        (FindingScope::To(_), AlikePeer::Others) | (FindingScope::Machine | FindingScope::Process, _) => true,
        (FindingScope::On(on), AlikePeer::Here { port, .. }) => on.port == port,
        (FindingScope::To(_) | FindingScope::On(_), _) => false,
    };
    is_of_program && is_at_place
}
