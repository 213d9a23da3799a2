//! What is wrong, as the screen shows it: the findings of the last finished look, which of them is selected, and which
//! rows they are about.

mod keys;
mod list;
mod panes;
mod text;

use crate::app::cursor::{Cursor, Lines};
use crate::app::scroll::Scroll;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::finding::{Finding, FindingKey, Severity};
use crate::diagnosis::ignore::Ignore;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::store::rows::Row;
use crate::table::filter::Filter;

pub use crate::app::findings::list::{Entry, entries};
pub use crate::app::findings::panes::{Panes, panes};
pub use crate::app::findings::text::{columns, evidence_text, since_text, slope_text, title};

/// The findings on the screen, and the look for those of the next sample.
#[derive(Debug, Default)]
pub struct Findings {
    diagnosis: Diagnosis,
    is_looking: bool,
    has_looked: bool,
    shown: Vec<Shown>,
    untold: usize,
    ignored: usize,
    /// How many sockets the last finished look covered.
    sockets: u32,
    /// The selection.
    pub cursor: Cursor<FindingKey>,
    /// Which part of the text below the list is on the screen.
    pub scroll: Scroll,
}

#[derive(Debug)]
struct Shown {
    finding: Finding,
    /// Which rows it and what it explains are about; none where it is not about sockets.
    filters: Vec<Filter>,
}

/// What a finished look changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Anything that is drawn.
    pub(crate) changed: bool,
    /// Something is critical that was not at the look before.
    pub(crate) newly_critical: bool,
}

impl Findings {
    /// None yet.
    pub(super) fn new(thresholds: Thresholds, ignore: Vec<Ignore>) -> Self {
        Self { diagnosis: Diagnosis::new(thresholds).ignoring(ignore), ..Self::default() }
    }

    /// What is wrong, the worst first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Finding> {
        self.shown.iter().map(|shown| &shown.finding)
    }

    /// How many findings there are to look at.
    pub fn len(&self) -> usize {
        self.shown.len()
    }

    /// Whether nothing wrong was found.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// How many there are, those that are not listed too.
    pub fn total(&self) -> usize {
        self.shown.len() + self.untold
    }

    /// How many more there are than are listed, each smaller than those.
    pub const fn untold(&self) -> usize {
        self.untold
    }

    /// How many there are that the user has acknowledged, which are not listed.
    pub const fn ignored(&self) -> usize {
        self.ignored
    }

    /// Whether a look was ever finished: before that, nothing can be said.
    pub const fn has_looked(&self) -> bool {
        self.has_looked
    }

    /// How many sockets the last finished look covered.
    pub const fn sockets(&self) -> u32 {
        self.sockets
    }

    /// The finding `key`.
    pub fn get(&self, key: FindingKey) -> Option<&Finding> {
        self.iter().find(|finding| finding.key == key)
    }

    /// The selected finding.
    pub fn selected(&self) -> Option<&Finding> {
        self.get(self.cursor.key()?)
    }

    /// The worst `count` findings, one for each program: what is wrong with one more of them says more than what else is
    /// wrong with the same.
    pub fn by_culprit(&self, count: usize) -> Vec<&Finding> {
        let mut chosen: Vec<&Finding> = Vec::with_capacity(count);
        for finding in self.iter() {
            let told = chosen.iter().any(|other| other.program.is_some() && other.program == finding.program);
            if chosen.len() < count && !told {
                chosen.push(finding);
            }
        }
        chosen
    }

    /// How bad the worst finding about `state` is.
    pub fn concerns(&self, state: TcpState) -> Option<Severity> {
        self.iter().filter(|finding| finding.state == Some(state)).map(|finding| finding.severity).max()
    }

    /// The worst finding about `row`. Asked for the rows on the screen only.
    pub fn about(&self, row: &Row, store: &Store) -> Option<&Finding> {
        let is_about = |shown: &&Shown| shown.filters.iter().any(|filter| filter.matches(row, store));
        self.shown.iter().find(is_about).map(|shown| &shown.finding)
    }

    pub(super) const fn is_looking(&self) -> bool {
        self.is_looking
    }

    /// Starts a look at what the store has now.
    pub(super) fn begin(&mut self, store: &Store) {
        self.is_looking = true;
        self.diagnosis.begin(store);
    }

    /// Goes on with the look; what it found once it is finished.
    pub(super) fn advance(&mut self, store: &Store, steps: &mut usize) -> Option<News> {
        if !self.diagnosis.advance(store, steps) {
            return None;
        }
        self.is_looking = false;
        let was_ignored = std::mem::replace(&mut self.ignored, self.diagnosis.ignored());
        let (found, untold) = (self.diagnosis.findings().to_vec(), self.diagnosis.left_out());
        let mut news = self.show(found, untold, store.rows().counts().total());
        news.changed |= self.ignored != was_ignored;
        Some(news)
    }

    /// Puts `found` on the screen.
    pub(super) fn show(&mut self, found: Vec<Finding>, untold: usize, sockets: u32) -> News {
        let same = self.iter().eq(found.iter()) && self.untold == untold;
        let was_critical = |key| self.get(key).is_some_and(|old| old.severity == Severity::Critical);
        let critical = |finding: &&Finding| finding.severity == Severity::Critical;
        let newly_critical = found.iter().filter(critical).any(|finding| !was_critical(finding.key));
        // What is there when conntop starts is no news: the user looks at it.
        let news = News {
            changed: !same || !self.has_looked || self.sockets != sockets,
            newly_critical: newly_critical && self.has_looked,
        };
        (self.has_looked, self.untold, self.sockets) = (true, untold, sockets);
        if !same {
            self.replace(found);
        }
        news
    }

    /// Filters are read again only if their texts are others.
    fn replace(&mut self, found: Vec<Finding>) {
        let old = std::mem::take(&mut self.shown);
        let shown = found.into_iter().map(|finding| {
            let known = old.iter().find(|shown| shown.finding.filters().eq(finding.filters()));
            let filters = match known {
                Some(shown) => shown.filters.clone(),
                None => finding.filters().filter_map(|text| Filter::parse(text).ok()).collect(),
            };
            Shown { finding, filters }
        });
        self.shown = shown.collect();
    }

    /// The list as the cursor sees it.
    pub(super) fn with_lines<T>(
        &mut self,
        height: usize,
        change: impl FnOnce(&mut Cursor<FindingKey>, &Lines<'_, FindingKey>) -> T,
    ) -> T {
        let shown = &self.shown;
        let key_at = |line: usize| shown.get(line).map(|shown| shown.finding.key);
        let before = self.cursor.key();
        let answer = change(&mut self.cursor, &Lines { len: shown.len(), height, key_at: &key_at });
        if self.cursor.key() != before {
            self.scroll = Scroll::default();
        }
        answer
    }

    /// Brings the selection up to date with the list.
    pub(super) fn refresh(&mut self, height: usize) {
        let found = self.cursor.sought().and_then(|key| self.iter().position(|finding| finding.key == key));
        self.with_lines(height, |cursor, lines| cursor.refresh(found, lines));
    }
}

/// The mark of a severity: it is enough without its colour.
pub const fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "△",
        Severity::Critical => "▲",
    }
}
