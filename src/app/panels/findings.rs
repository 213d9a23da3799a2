//! What is wrong, as the screen shows it: the findings of the last finished look, which of them is selected, and which
//! rows they are about.

mod layout;
mod list;
mod subjects;
mod text;

use ratatui::layout::{Position, Rect};

use crate::app::action::Motion;
use crate::app::cursor::{Cursor, Lines};
use crate::app::panels::{OpenTarget, Panel, PanelContext, PanelParts};
use crate::app::prose::longest;
use crate::app::scroll::{Scroll, ScrollExtent, ScrollPosition, page_lines};
use crate::app::selection::Selected;
use crate::diagnosis::Diagnosis;
use crate::diagnosis::by_host::FoundByHost;
use crate::diagnosis::finding::{Finding, FindingKey, FindingScope, Severity};
use crate::diagnosis::ignore::Ignore;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::hosts::HostNumber;
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::store::Store;
use crate::store::groups::GroupKey;
use crate::store::row::SocketRow;
use crate::table::filter::Filter;
use crate::table::units;

pub use crate::app::panels::findings::layout::{FindingsLayout, findings_layout};
pub use crate::app::panels::findings::list::{FindingLine, lines};
pub use crate::app::panels::findings::text::{columns, evidence_text, since_text, slope_text, title};

/// What the tab has around its panel.
pub const PARTS: PanelParts = PanelParts { columns: true, summary: false, states: false, log: false };

/// The findings on the screen, and the look for those of the next sample.
#[derive(Debug, Default)]
pub struct FindingsPanel {
    diagnosis: Diagnosis,
    /// What is wrong with each of several hosts, as it was found elsewhere; shown with the next look.
    by_host: Option<FoundByHost>,
    is_looking: bool,
    has_looked: bool,
    shown: Vec<ListedFinding>,
    left_out: usize,
    ignored: usize,
    /// How many sockets the last finished look covered.
    sockets: u32,
    /// Another number after every change of what is listed.
    number: u64,
    /// What was found since [`take_begun`](Self::take_begun) that was not there before.
    begun: Vec<(Severity, DisplayText)>,
    /// The selection.
    pub cursor: Cursor<FindingKey>,
    /// Which part of the text below the list is on the screen.
    pub scroll: Scroll,
}

#[derive(Debug)]
struct ListedFinding {
    finding: Finding,
    /// Which rows it and what it explains are about; none where it is not about sockets.
    filters: Vec<Filter>,
}

/// What a finished look changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FindingsChange {
    /// Anything that is drawn.
    pub(crate) changed: bool,
    /// Something is critical that was not at the look before.
    pub(crate) newly_critical: bool,
}

impl FindingsPanel {
    /// None yet.
    pub(in crate::app) fn new(thresholds: Thresholds, ignore: Vec<Ignore>) -> Self {
        Self { diagnosis: Diagnosis::new(thresholds).ignoring(ignore), ..Self::default() }
    }

    /// What is wrong, the worst first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Finding> {
        self.shown.iter().map(|shown| &shown.finding)
    }

    /// The same, each with the filters of what it is about: its own, and those of what it explains.
    pub(in crate::app) fn with_filters(&self) -> impl Iterator<Item = (&Finding, &[Filter])> {
        self.shown.iter().map(|shown| (&shown.finding, shown.filters.as_slice()))
    }

    /// Another number after every change of what is listed.
    pub(in crate::app) const fn number(&self) -> u64 {
        self.number
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
        self.shown.len() + self.left_out
    }

    /// How many more there are than are listed, each smaller than those.
    pub const fn left_out(&self) -> usize {
        self.left_out
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
    pub fn selected_finding(&self) -> Option<&Finding> {
        self.get(self.cursor.key()?)
    }

    /// The worst `count` findings, one for each program: what is wrong with one more of them says more than what else is
    /// wrong with the same.
    pub fn by_culprit(&self, count: usize) -> Vec<&Finding> {
        let mut chosen: Vec<&Finding> = Vec::with_capacity(count);
        for finding in self.iter() {
            let is_same = |other: &&Finding| {
                other.program.is_some() && other.program == finding.program && host_of(other) == host_of(finding)
            };
            let told = chosen.iter().any(is_same);
            if chosen.len() < count && !told {
                chosen.push(finding);
            }
        }
        chosen
    }

    /// How many programs something is wrong with, `most` at most; what is about no single program counts for itself.
    pub fn culprits(&self, most: usize) -> usize {
        self.by_culprit(most).len()
    }

    /// How bad the worst finding about `state` is.
    pub fn concerns(&self, state: TcpState) -> Option<Severity> {
        self.iter().filter(|finding| finding.state == Some(state)).map(|finding| finding.severity).max()
    }

    /// The worst finding about `row`. Asked for the rows on the screen only.
    pub fn about(&self, row: &SocketRow, store: &Store) -> Option<&Finding> {
        let is_about = |shown: &&ListedFinding| shown.filters.iter().any(|filter| filter.matches(row, store));
        self.shown.iter().find(is_about).map(|shown| &shown.finding)
    }

    /// How bad it is that what the group `key` shares runs out: the accept queue of a listener, the ports to a destination.
    pub fn about_group(&self, key: GroupKey) -> Option<Severity> {
        let (rule, scope) = match key {
            GroupKey::Listener { place, .. } => (Rule::AcceptQueueFull, FindingScope::On(place.destination())),
            GroupKey::PortPool(route) => (Rule::EphemeralPorts, FindingScope::To(route.to)),
            _ => return None,
        };
        let is_about = |finding: &&Finding| {
            finding.key.rule == rule && finding.key.scope == scope && host_of(finding) == key.host()
        };
        self.iter().filter(is_about).map(|finding| finding.severity).max()
    }

    /// The worst finding by one of `rules`.
    pub fn by_rule(&self, rules: &[Rule]) -> Option<Severity> {
        self.iter().filter(|finding| rules.contains(&finding.key.rule)).map(|finding| finding.severity).max()
    }

    /// The worst finding of one of `rules`.
    pub(in crate::app) fn key_by_rule(&self, rules: &[Rule]) -> Option<FindingKey> {
        // The worst come first.
        self.iter().find(|finding| rules.contains(&finding.key.rule)).map(|finding| finding.key)
    }

    pub(in crate::app) const fn is_looking(&self) -> bool {
        self.is_looking
    }

    /// Starts a look at what the store has now.
    pub(in crate::app) fn begin(&mut self, store: &Store) {
        self.is_looking = true;
        if !store.has_hosts() {
            self.diagnosis.begin(store);
        }
    }

    /// Takes note of what is wrong with each of several hosts, to be shown with the next look.
    pub(in crate::app) fn note_by_host(&mut self, found: FoundByHost) {
        self.by_host = Some(found);
    }

    /// What was found, once the look is finished; of several hosts what was found elsewhere, if that is new.
    fn found(&mut self, store: &Store) -> Option<FoundByHost> {
        if store.has_hosts() {
            return self.by_host.take();
        }
        let diagnosis = &self.diagnosis;
        let findings = diagnosis.findings().to_vec();
        Some(FoundByHost { findings, left_out: diagnosis.left_out(), ignored: diagnosis.ignored() })
    }

    /// Goes on with the look; what it found once it is finished.
    pub(in crate::app) fn advance(&mut self, store: &Store, steps: &mut usize) -> Option<FindingsChange> {
        if !store.has_hosts() && !self.diagnosis.advance(store, steps) {
            return None;
        }
        self.is_looking = false;
        let Some(FoundByHost { findings, left_out, ignored }) = self.found(store) else {
            return Some(FindingsChange::default());
        };
        let was_ignored = std::mem::replace(&mut self.ignored, ignored);
        let mut change = self.show(findings, left_out, store.rows().counts().total());
        change.changed |= self.ignored != was_ignored;
        Some(change)
    }

    /// Puts `found` on the screen.
    pub(in crate::app) fn show(&mut self, found: Vec<Finding>, left_out: usize, sockets: u32) -> FindingsChange {
        let same = self.iter().eq(found.iter()) && self.left_out == left_out;
        let was_critical = |key| self.get(key).is_some_and(|old| old.severity == Severity::Critical);
        let critical = |finding: &&Finding| finding.severity == Severity::Critical;
        let newly_critical = found.iter().filter(critical).any(|finding| !was_critical(finding.key));
        // What is there when conntop starts is nothing new: the user looks at it.
        let change = FindingsChange {
            changed: !same || !self.has_looked || self.sockets != sockets,
            newly_critical: newly_critical && self.has_looked,
        };
        let had_looked = self.has_looked;
        (self.has_looked, self.left_out, self.sockets) = (true, left_out, sockets);
        if !same {
            let is_new = |new: &&Finding| self.get(new.key).is_none();
            let begun = found.iter().filter(is_new).map(|new| (new.severity, DisplayText::new(&new.sentence)));
            self.begun = if had_looked { begun.collect() } else { Vec::new() };
            self.replace(found);
        }
        change
    }

    /// What was found since the last call that was not there before.
    pub(in crate::app) fn take_begun(&mut self) -> Vec<(Severity, DisplayText)> {
        std::mem::take(&mut self.begun)
    }

    /// Looks at another store from now on, with what `diagnosis` knows of it; `None`: nothing was found out yet. What was known of
    /// the store before is returned.
    pub(in crate::app) fn exchange(&mut self, diagnosis: Option<Diagnosis>, store: &Store) -> Diagnosis {
        self.is_looking = false;
        let is_known = diagnosis.is_some();
        let other = diagnosis.unwrap_or_else(|| self.diagnosis.forgetful());
        let old = std::mem::replace(&mut self.diagnosis, other);
        self.ignored = self.diagnosis.ignored();
        let (found, left_out) = (self.diagnosis.findings().to_vec(), self.diagnosis.left_out());
        self.has_looked = false;
        self.show(found, left_out, store.rows().counts().total());
        self.has_looked = is_known;
        old
    }

    /// Filters are read again only if their texts are others.
    fn replace(&mut self, found: Vec<Finding>) {
        let old = std::mem::take(&mut self.shown);
        self.number += 1;
        let shown = found.into_iter().map(|finding| {
            let known = old.iter().find(|shown| shown.finding.filters().eq(finding.filters()));
            let filters = match known {
                Some(shown) => shown.filters.clone(),
                None => finding.filters().filter_map(|text| Filter::parse(text).ok()).collect(),
            };
            ListedFinding { finding, filters }
        });
        self.shown = shown.collect();
    }

    /// The list as the cursor sees it.
    fn with_lines<T>(
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

    /// Lines of the list on the screen.
    fn list_height(&self, context: &PanelContext<'_>) -> usize {
        context.body.map_or(1, |body| usize::from(findings_layout(body, self.len()).list.height))
    }

    /// How long the text of the selected finding is, and its window.
    fn text_extent(&self, context: &PanelContext<'_>) -> Option<ScrollExtent> {
        let (body, finding) = (context.body?, self.selected_finding()?);
        let height = usize::from(findings_layout(body, self.len()).text.height);
        Some(ScrollExtent { len: longest(&columns(finding, context, body.width)), height })
    }

    /// Scrolls the text of the selected finding.
    fn scroll_text(&mut self, motion: Motion, context: &PanelContext<'_>) {
        if let Some(extent) = self.text_extent(context) {
            self.scroll.go(motion, page_lines(extent.height), extent);
        }
    }

    /// Picks the finding `key`, if it is listed.
    pub(in crate::app) fn select(&mut self, key: FindingKey, context: &PanelContext<'_>) {
        let line = self.iter().position(|finding| finding.key == key);
        if let Some(line) = line {
            self.with_lines(self.list_height(context), |cursor, lines| cursor.select(line, lines));
        }
    }
}

/// The host of `finding`; `None` where there is only one.
fn host_of(finding: &Finding) -> Option<HostNumber> {
    HostNumber::of_namespace(finding.key.netns)
}

impl Panel for FindingsPanel {
    fn title(&self, _context: &PanelContext<'_>) -> String {
        let critical = self.iter().filter(|finding| finding.severity == Severity::Critical).count();
        let (listed, total) = (self.len() as u64, self.total() as u64);
        let of = if listed < total { format!(" of {}", units::count(total)) } else { String::new() };
        let critical = if critical > 0 { format!(" · {critical} critical") } else { String::new() };
        let ignored = match self.ignored() {
            0 => String::new(),
            ignored => format!(" · {} ignored", units::count(ignored as u64)),
        };
        format!("{}{of}{critical}{ignored}", units::count(listed))
    }

    fn position(&self, context: &PanelContext<'_>) -> ScrollPosition {
        self.cursor.position(self.len(), self.list_height(context))
    }

    fn list_area(&self, context: &PanelContext<'_>) -> Option<Rect> {
        context.body.map(|body| findings_layout(body, self.len()).list)
    }

    fn cursor_line(&self) -> Option<usize> {
        self.cursor.line()
    }

    fn selected(&self) -> Selected {
        self.cursor.key().map_or(Selected::None, Selected::Finding)
    }

    fn is_picked(&self) -> bool {
        self.cursor.is_picked()
    }

    fn pick(&mut self) {
        self.cursor.pick();
    }

    /// The list moves by lines, the text of the selected finding by pages.
    fn go(&mut self, motion: Motion, context: &PanelContext<'_>) {
        match motion {
            Motion::PageUp | Motion::PageDown => self.scroll_text(motion, context),
            Motion::Up | Motion::Down | Motion::First | Motion::Last => {
                self.with_lines(self.list_height(context), |cursor, lines| cursor.go(motion, lines));
            }
        }
    }

    fn wheel(&mut self, lines: isize, context: &PanelContext<'_>) {
        self.with_lines(self.list_height(context), |cursor, list| cursor.scroll(lines, list));
    }

    /// Over the text it moves the text.
    fn wheel_at(&mut self, at: Position, lines: isize, context: &PanelContext<'_>) {
        let text = context.body.map(|body| findings_layout(body, self.len()).text);
        if text.is_none_or(|text| !text.contains(at)) {
            return self.wheel(lines, context);
        }
        let motion = if lines > 0 { Motion::Down } else { Motion::Up };
        (0..lines.abs()).for_each(|_| self.scroll_text(motion, context));
    }

    fn click(&mut self, at: Position, context: &PanelContext<'_>) -> bool {
        let list = context.body.map(|body| findings_layout(body, self.len()).list);
        let Some(list) = list.filter(|list| list.contains(at)) else { return false };
        let row = usize::from(at.y - list.y);
        self.with_lines(usize::from(list.height), |cursor, lines| cursor.click(row, lines))
    }

    /// The sockets that the selected finding is about.
    fn open(&self, _context: &PanelContext<'_>) -> OpenTarget {
        match self.selected_finding() {
            None => OpenTarget::Nothing,
            Some(finding) if finding.filter.is_empty() => {
                OpenTarget::Refused("this finding is not about single sockets; e says what it means")
            }
            Some(finding) => OpenTarget::Filtered(finding.filter.clone()),
        }
    }

    fn refresh(&mut self, context: &PanelContext<'_>) {
        let found = self.cursor.sought().and_then(|key| self.iter().position(|finding| finding.key == key));
        self.with_lines(self.list_height(context), |cursor, lines| cursor.refresh(found, lines));
        if let Some(extent) = self.text_extent(context) {
            self.scroll.clamp(extent);
        }
    }

    fn severity(&self) -> Option<Severity> {
        self.iter().next().map(|worst| worst.severity)
    }
}

/// The mark of a severity: it is enough without its colour.
pub const fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "△",
        Severity::Critical => "▲",
    }
}
