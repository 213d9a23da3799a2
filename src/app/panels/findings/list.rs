//! The list of findings: one line each.

use crate::app::panels::findings::FindingsPanel;
use crate::app::panels::findings::text::{since_text, slope_text, title};
use crate::diagnosis::finding::Severity;
use crate::model::time::Timestamp;

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingLine<'a> {
    /// How bad the finding is.
    pub severity: Severity,
    /// The name of the rule.
    pub title: &'static str,
    /// The sentence.
    pub sentence: &'a str,
    /// For how long the cause lasts.
    pub since: String,
    /// How fast the number of sockets grows.
    pub slope: String,
    /// Whether the cursor is on it, and if so, whether the user picked it.
    pub cursor: Option<bool>,
}

/// The lines on a screen with `height` lines for them.
pub fn lines(findings: &FindingsPanel, now: Timestamp, height: usize) -> impl Iterator<Item = FindingLine<'_>> {
    let cursor = &findings.cursor;
    let lines = findings.iter().enumerate().skip(cursor.offset()).take(height);
    lines.map(move |(line, finding)| FindingLine {
        severity: finding.severity,
        title: title(finding.rule()),
        sentence: &finding.sentence,
        since: since_text(finding, now),
        slope: finding.slope.map_or_else(String::new, slope_text),
        cursor: (cursor.line() == Some(line)).then_some(cursor.is_picked()),
    })
}
