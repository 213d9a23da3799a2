//! Explanations: what a state or a finding means, what to do, and what does not help. A page over the screen.

use crate::app::App;
use crate::app::diagram::{EDGES, Node, TIMEOUT};
use crate::app::findings;
use crate::app::mode::{Mode, Page};
use crate::app::notice::Tone;
use crate::app::prose::{Column, Line, Section, longest, side_by_side};
use crate::app::tab::Tab;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::Rule;
use crate::knowledge::topics::{self, Topic};
use crate::knowledge::{rules, states};
use crate::model::tcp_state::TcpState;
use crate::store::rows::Row;

/// From this width on there are two columns.
const TWO_COLUMNS_WIDTH_MIN: u16 = 120;

/// What is explained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// A rule that found something.
    pub rule: Option<Rule>,
    /// A state.
    pub state: Option<TcpState>,
}

impl Explained {
    /// What stands at the top of the page.
    pub fn title(&self) -> String {
        let rule = self.rule.map(|rule| findings::title(rule).to_owned());
        let names = rule.into_iter().chain(self.state.map(|state| state.name().to_owned()));
        names.collect::<Vec<_>>().join(" · ")
    }
}

/// The page on a screen of `width`.
pub fn columns(explained: &Explained, width: u16) -> Vec<Column> {
    let parts: Vec<Vec<Section>> =
        [explained.rule.map(of_rule), explained.state.map(|state| of_state(state, explained.rule))]
            .into_iter()
            .flatten()
            .collect();
    if width < TWO_COLUMNS_WIDTH_MIN {
        return side_by_side(width, vec![parts.into_iter().flatten().collect()]);
    }
    side_by_side(width, parts)
}

/// How many lines the page has.
pub(super) fn len(explained: &Explained, width: u16) -> usize {
    longest(&columns(explained, width))
}

fn of_rule(rule: Rule) -> Vec<Section> {
    let Some(text) = rules::text(rule.id()) else { return Vec::new() };
    let mut about = Section::new(&text.title);
    about.lines.push(Line::Text(text.about.clone()));
    let (mut first, mut vain) = (Section::new("Do this first"), Section::new("What does not help"));
    first.numbered(&text.remedy);
    vain.listed(&text.no_help);
    let mut sections = vec![about, first, vain];
    sections.extend(more_sections(rule));
    sections
}

/// What more there is to read about a finding.
pub(super) fn more_sections(rule: Rule) -> Vec<Section> {
    more_of(rule).into_iter().map(of_topic).collect()
}

/// The topics that say more of a finding, each once: a topic has several names.
fn more_of(rule: Rule) -> Vec<&'static Topic> {
    let mut topics: Vec<&Topic> = Vec::new();
    for topic in rules::text(rule.id()).into_iter().flat_map(|text| &text.see).filter_map(|name| topics::find(name)) {
        if !topics.iter().any(|known| known.id == topic.id) {
            topics.push(topic);
        }
    }
    topics
}

/// A topic that says more.
fn of_topic(topic: &'static Topic) -> Section {
    let mut section = Section::new(&topic.title);
    section.lines.extend(topic.text.iter().cloned().map(Line::Text));
    section.numbered(&topic.r#do);
    section.listed(&topic.dont);
    section
}

/// The topics that say more of a state.
const fn topics_of(state: TcpState) -> &'static [&'static str] {
    match state {
        TcpState::Listen => &["accept-queue", "handshake"],
        TcpState::SynSent | TcpState::SynRecv => &["handshake"],
        TcpState::Established => &["half-open", "keepalive"],
        TcpState::CloseWait => &["verdicts", "close", "half-close"],
        TcpState::FinWait1 | TcpState::FinWait2 | TcpState::Closing | TcpState::LastAck => &["close"],
        TcpState::TimeWait => &["2msl", "ephemeral-ports"],
        TcpState::Close => &["reset"],
        TcpState::Unconn => &["udp"],
    }
}

fn of_state(state: TcpState, rule: Option<Rule>) -> Vec<Section> {
    let text = states::text(state);
    let mut about = Section::new(state.name());
    about.lines.push(Line::Text(text.meaning.to_owned()));
    let (mut advice, mut vain) = (Section::new("What to do"), Section::new("What does not help"));
    advice.lines.push(Line::Text(text.advice.to_owned()));
    vain.lines.push(Line::Text(text.vain.to_owned()));
    let mut next = Section::new("What can follow");
    for edge in EDGES.iter().chain([&TIMEOUT]) {
        if edge.from == Node::In(state) {
            let action = if edge.action.is_empty() { String::new() } else { format!(", {}", edge.action) };
            next.lines.push(Line::Item("→".to_owned(), format!("{}: {}{action}", edge.to.name(), edge.event)));
        }
    }
    let mut sections = vec![about, advice, vain, next];
    // What the finding beside it says already is not said twice.
    let said: Vec<&Topic> = rule.map(more_of).unwrap_or_default();
    let more = topics_of(state).iter().filter_map(|name| topics::find(name));
    sections.extend(more.filter(|topic| !said.iter().any(|known| known.id == topic.id)).map(of_topic));
    sections
}

impl App {
    /// Explains what is selected: the finding, or the state of the connection and the finding about it.
    pub(super) fn explain(&mut self) {
        match self.explained() {
            Some(explained) => self.mode = Mode::Explain { explained, scroll: 0 },
            None => {
                self.say(
                    Tone::Plain,
                    "there is nothing to explain here; e explains the selected connection or finding",
                );
            }
        }
    }

    fn explained(&self) -> Option<Explained> {
        let of_row = |row: &Row| Explained {
            rule: self.findings.about(row, &self.store).map(Finding::rule),
            state: Some(row.connection.socket.state),
        };
        match (&self.page, self.tab) {
            (Page::Detail(detail), _) => detail.row.as_ref().map(of_row),
            (Page::Tab, Tab::Connections) => {
                let index = self.store.rows().find(self.tables.connections.cursor.key()?)?;
                self.store.rows().get(index).map(of_row)
            }
            (Page::Tab, Tab::Findings) => {
                let finding = self.findings.selected()?;
                Some(Explained { rule: Some(finding.rule()), state: finding.state })
            }
            (Page::Tab, Tab::Log) => {
                let entry = self.log_selected()?;
                Some(Explained { rule: None, state: entry.to.or(entry.from) })
            }
            (Page::Tab, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::rule::RULES;
    use crate::model::tcp_state::STATES;

    #[test]
    fn every_state_and_finding_has_its_page_and_every_topic_named_here_exists() {
        for row in &STATES {
            assert!(topics_of(row.state).iter().all(|name| topics::find(name).is_some()), "{}", row.name);
            let explained = Explained { rule: None, state: Some(row.state) };
            assert!(len(&explained, 80) > 8 && explained.title() == row.name, "{}", row.name);
        }
        for row in &RULES {
            assert!(len(&Explained { rule: Some(row.rule), state: None }, 80) > 8, "{}", row.id);
        }
    }
}
