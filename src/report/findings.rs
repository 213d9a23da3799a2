//! Findings as JSON and text, the same in `check` and `watch`, and which of them a filter lets through.

use crate::diagnosis::finding::record::FindingRecord;
use crate::diagnosis::finding::{Evidence, Finding, Measure};
use crate::model::quoting::shell_word;
use crate::model::time::Timestamp;
use crate::model::units;
use crate::report::format::socket::SocketObject;
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::filter::Filter;

/// The sockets that a user's filter shows, for the question which findings are about one of them.
#[derive(Debug)]
pub struct MatchingSockets<'a> {
    store: &'a Store,
    /// `None`: everything matches.
    rows: Option<Vec<&'a SocketRow>>,
}

impl<'a> MatchingSockets<'a> {
    /// One pass over the rows of `store`.
    pub fn new(filter: &Filter, store: &'a Store) -> Self {
        let live = || store.rows().iter().map(|(_, row)| row).filter(|row| !row.is_closed());
        let rows = (!filter.is_empty()).then(|| live().filter(|row| filter.matches(row, store)).collect());
        Self { store, rows }
    }

    /// Whether `finding` is about one of these sockets: one that its own filter or that of something it explains shows,
    /// or one of its examples. A finding about whole processes, which has neither, is about every socket of those.
    pub fn concerns(&self, finding: &Finding) -> bool {
        let Some(rows) = &self.rows else { return true };
        let filters: Vec<Filter> = finding.filters().filter_map(|text| Filter::parse(text).ok()).collect();
        if filters.is_empty() && finding.examples.is_empty() {
            return rows.iter().any(|row| is_of_process(row, finding));
        }
        rows.iter().any(|row| {
            finding.examples.contains(&row.connection.socket.id)
                || filters.iter().any(|filter| filter.matches(row, self.store))
        })
    }
}

fn is_of_process(row: &SocketRow, finding: &Finding) -> bool {
    let holders = row.connection.socket.owner.holders().map_or(&[][..], |holders| holders.all());
    finding.process_shares.iter().any(|sharer| holders.iter().any(|one| one.id == sharer.process.id))
}

/// `finding` as one object of JSON, the same in `check` and `watch`.
pub fn record<'a>(finding: &'a Finding, store: &'a Store) -> FindingRecord<'a, Vec<SocketObject<'a>>> {
    let rows = finding.examples.iter().filter_map(|id| store.rows().get(store.rows().find(*id)?));
    FindingRecord::of(finding, store, rows.map(|row| SocketObject::of(row, store)).collect())
}

/// What there is to read about `finding` beside its sentence, line by line, each with its label; what to do only
/// `with_advice`.
pub fn lines(finding: &Finding, now: Timestamp, with_advice: bool) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if !finding.why.is_empty() {
        lines.push(("why", finding.why.to_owned()));
    }
    if let Some(since) = finding.since {
        lines.push(("since", format!("{} ago ({})", units::age(since.age(now)), since.basis.label())));
    }
    let evidence: Vec<_> = finding.evidence.iter().map(in_words).collect();
    if !evidence.is_empty() {
        lines.push(("evidence", evidence.join(", ")));
    }
    lines.extend(finding.processes_in_words().map(|words| ("who", words)));
    lines.extend(finding.caused.lines().map(|line| ("explains", line)));
    if with_advice {
        lines.extend(finding.remedy().into_iter().map(|text| ("do", text.to_owned())));
        lines.extend(finding.does_not_help().iter().map(|text| ("does not help", text.clone())));
    } else {
        lines.push(("do", "as above".to_owned()));
    }
    if !finding.filter.is_empty() {
        lines.push(("see them", format!("conntop list {}", shell_word(&finding.filter))));
    }
    lines.push(("explain", finding.explain_command()));
    lines
}

fn in_words(one: &Evidence) -> String {
    let label = one.label;
    match &one.value {
        Measure::Count(number) => format!("{label} {}", units::count(*number)),
        Measure::Id(id) => format!("{label} {id}"),
        Measure::Of(part, whole) => format!("{label} {} of {}", units::count(*part), units::count(*whole)),
        Measure::Span(span) => format!("{label} {}", units::lasted(*span)),
        Measure::PerSecond(rate) => format!("{label} {}/s", units::thousandths(*rate)),
        Measure::PerMinute(rate) => format!("{label} {}/min", units::thousandths(*rate)),
        Measure::Bytes(bytes) => format!("{label} {}", units::bytes(*bytes)),
        Measure::Words(words) => format!("{label} {words}"),
    }
}

#[cfg(test)]
pub(crate) mod testing;
