//! What a recording marks, so that it can be found again: findings that began or became critical, and gaps.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnosis::Diagnosis;
use crate::diagnosis::finding::{FindingKey, Severity};
use crate::model::delta::{Delta, EventSource, Gap};
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::model::units;
use crate::source::{MarkSeverity, RecordedMark};

/// The most findings whose end is awaited.
const KNOWN_MAX: usize = 1_024;
/// The most marks of one sample.
const MARKS_MAX: usize = 64;
/// A pause that is longer than so many times the one before, and than [`PAUSE_MIN`], is a gap: the machine was suspended.
const PAUSES: u32 = 4;
const PAUSE_MIN: Duration = Duration::from_secs(10);

/// Remembers what was marked.
#[derive(Debug)]
pub(super) struct Marks {
    known: BTreeMap<FindingKey, Severity>,
    last: Option<Timestamp>,
    /// From one sample to the next, gaps aside.
    pause: Duration,
}

impl Marks {
    /// Nothing is marked yet; samples are to come `interval` apart.
    pub(super) const fn new(interval: Duration) -> Self {
        Self { known: BTreeMap::new(), last: None, pause: interval }
    }

    /// The marks of a sample: of the gaps of `delta`, which gets one more where the machine was suspended, and of what is found
    /// wrong for the first time.
    pub(super) fn of(&mut self, delta: &mut Delta, diagnosis: &Diagnosis) -> Vec<RecordedMark> {
        delta.gaps.extend(self.suspension(delta.at));
        let gaps = delta.gaps.iter().map(|gap| RecordedMark {
            at: gap.to,
            severity: None,
            sentence: DisplayText::from(gap_text(gap).as_str()),
        });
        let mut marks: Vec<RecordedMark> = gaps.collect();
        marks.extend(self.findings(delta.at, diagnosis));
        marks.truncate(MARKS_MAX);
        marks
    }

    fn suspension(&mut self, at: Timestamp) -> Option<Gap> {
        let from = self.last.replace(at)?;
        let pause = at.since(from);
        if pause <= PAUSE_MIN.max(self.pause.saturating_mul(PAUSES)) {
            self.pause = pause;
            return None;
        }
        Some(Gap { from, to: at, lost: None, of: EventSource::Samples })
    }

    fn findings(&mut self, at: Timestamp, diagnosis: &Diagnosis) -> Vec<RecordedMark> {
        let findings = diagnosis.findings();
        let mut marks = Vec::new();
        for finding in findings {
            let known = self.known.get(&finding.key).copied();
            if known.is_none_or(|known| known < finding.severity) {
                let severity = Some(match finding.severity {
                    Severity::Warning => MarkSeverity::Warning,
                    Severity::Critical => MarkSeverity::Critical,
                });
                marks.push(RecordedMark { at, severity, sentence: DisplayText::from(finding.sentence.as_str()) });
            }
            if known.is_some() || self.known.len() < KNOWN_MAX {
                self.known.insert(finding.key, finding.severity);
            }
        }
        // What is not among the worst ones may still be there.
        if diagnosis.left_out() == 0 {
            self.known.retain(|key, _| findings.iter().any(|finding| finding.key == *key));
        }
        marks
    }
}

fn gap_text(gap: &Gap) -> String {
    let lasted = units::age(gap.to.since(gap.from));
    match (gap.of, gap.lost) {
        (EventSource::Samples, _) => format!("nothing was recorded for {lasted} before"),
        (of, Some(lost)) => {
            format!("{} of the kernel were lost within {lasted} ({})", units::counted(lost, "event"), of.label())
        }
        (of, None) => format!("events of the kernel were lost within {lasted} ({})", of.label()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::thresholds::Thresholds;

    fn marked(marks: &mut Marks, seconds: u64, gaps: &[Gap]) -> Vec<String> {
        let mut delta = Delta { at: Timestamp::from_millis(seconds * 1_000), gaps: gaps.to_vec(), ..Delta::default() };
        let made = marks.of(&mut delta, &Diagnosis::new(Thresholds::default()));
        assert_eq!(delta.gaps.len(), made.len(), "without findings there is a mark for each gap");
        made.iter().map(|mark| mark.sentence.to_string()).collect()
    }

    #[test]
    fn a_suspended_machine_is_a_gap_and_a_slow_one_is_none() {
        let mut marks = Marks::new(Duration::from_secs(1));
        for seconds in [1, 2, 3, 12] {
            assert_eq!(marked(&mut marks, seconds, &[]), <[String; 0]>::default());
        }
        assert_eq!(marked(&mut marks, 40, &[]), <[String; 0]>::default(), "four times what it took before is none");
        assert_eq!(marked(&mut marks, 40 + 8 * 3_600, &[]), ["nothing was recorded for 8h00m before"]);
        assert_eq!(marked(&mut marks, 41 + 8 * 3_600, &[]), <[String; 0]>::default());
    }

    #[test]
    fn what_was_lost_is_marked() {
        let mut marks = Marks::new(Duration::from_secs(1));
        let gap = |of, lost| Gap { from: Timestamp(0), to: Timestamp::from_millis(2_000), lost, of };
        let gaps = [
            gap(EventSource::Tracepoint, Some(7)),
            gap(EventSource::DestroyEvent, None),
            gap(EventSource::Samples, None),
        ];
        assert_eq!(
            marked(&mut marks, 2, &gaps),
            [
                "7 events of the kernel were lost within 2s (tracepoint)",
                "events of the kernel were lost within 2s (destroy-event)",
                "nothing was recorded for 2s before",
            ]
        );
    }
}
