//! Explanations: what a state or a finding means, what to do, and what does not help. A page over the screen.

use crate::app::App;
use crate::app::diagram::{DiagramNode, EDGES, TIMEOUT};
use crate::app::panels::findings;
use crate::app::prose::{ProseColumn, ProseLine, Section, longest, side_by_side};
use crate::app::selection::Selected;
use crate::app::states::StateLine;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::rule::Rule;
use crate::knowledge::topics::{self, Topic};
use crate::knowledge::{port_text, rules, states};
use crate::model::endpoint::Protocol;
use crate::model::facts::PortRange;
use crate::model::tcp_state::TcpState;
use crate::store::folding::{FoldKey, FoldKeys};
use crate::store::groups::GroupKey;
use crate::store::row::SocketRow;
use crate::table::connections::service_port;

/// From this width on there are two columns.
const TWO_COLUMNS_WIDTH_MIN: u16 = 120;

/// What is explained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explained {
    /// A rule that found something.
    pub rule: Option<Rule>,
    /// A state.
    pub state: Option<TcpState>,
    /// A port that has a usual service, or that somebody listens on.
    pub port: Option<PortExplained>,
}

/// A port, and the range that this kernel takes the ports of clients from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortExplained {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// The range of ephemeral ports; `None` where the source does not say.
    pub of_kernel: Option<PortRange>,
}

impl Explained {
    /// What stands at the top of the page.
    pub fn title(&self) -> String {
        let rule = self.rule.map(|rule| findings::title(rule).to_owned());
        let names = rule.into_iter().chain(self.state.map(|state| state.name().to_owned()));
        names.chain(self.port.map(|port| format!("port {}", port.port))).collect::<Vec<_>>().join(" · ")
    }
}

/// The page on a screen of `width`.
pub fn columns(explained: &Explained, width: u16) -> Vec<ProseColumn> {
    let mut state = explained.state.map(|state| of_state(state, explained.rule)).unwrap_or_default();
    state.extend(explained.port.map(of_port));
    let parts: Vec<Vec<Section>> =
        [explained.rule.map(of_rule).unwrap_or_default(), state].into_iter().filter(|part| !part.is_empty()).collect();
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
    about.lines.push(ProseLine::Text(text.about.clone()));
    let (mut first, mut useless) = (Section::new("Do this first"), Section::new("What does not help"));
    first.numbered(&text.remedy);
    useless.listed(&text.does_not_help);
    let mut sections = vec![about, first, useless];
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
    section.lines.extend(topic.text.iter().cloned().map(ProseLine::Text));
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
        TcpState::Bound => &["reuseaddr"],
    }
}

/// The same that `conntop explain PORT` says.
fn of_port(explained: PortExplained) -> Section {
    let PortExplained { protocol, port, of_kernel } = explained;
    let mut section = Section::new("The port");
    let name = port_text::usual_service(Some(protocol), port);
    let name = name.map_or_else(|| "no usual service".to_owned(), |service| format!("usually {service}"));
    section.lines.push(ProseLine::Lead(format!("{port}/{}: {name}", protocol.name())));
    section.lines.extend(port_text::paragraphs(Some(protocol), port, of_kernel).into_iter().map(ProseLine::Text));
    section
}

fn of_state(state: TcpState, rule: Option<Rule>) -> Vec<Section> {
    let text = states::text(state);
    let mut about = Section::new(state.name());
    about.lines.push(ProseLine::Text(text.meaning.to_owned()));
    let (mut advice, mut useless) = (Section::new("What to do"), Section::new("What does not help"));
    advice.lines.push(ProseLine::Text(text.advice.to_owned()));
    useless.lines.push(ProseLine::Text(text.does_not_help.to_owned()));
    let mut next = Section::new("What can follow");
    for edge in EDGES.iter().chain([&TIMEOUT]) {
        if edge.from == DiagramNode::In(state) {
            let action = if edge.action.is_empty() { String::new() } else { format!(", {}", edge.action) };
            next.lines.push(ProseLine::Item("→".to_owned(), format!("{}: {}{action}", edge.to.name(), edge.event)));
        }
    }
    let mut sections = vec![about, advice, useless, next];
    // What the finding beside it says already is not said twice.
    let said: Vec<&Topic> = rule.map(more_of).unwrap_or_default();
    let more = topics_of(state).iter().filter_map(|name| topics::find(name));
    sections.extend(more.filter(|topic| !said.iter().any(|known| known.id == topic.id)).map(of_topic));
    sections
}

impl App {
    /// What explains `selected`: a finding by its rule, a connection by its state and the finding about it, a group by its
    /// port.
    pub(super) fn explained(&self, selected: Selected) -> Option<Explained> {
        let of_state = |state| Explained { state, ..Explained::default() };
        match selected {
            Selected::Socket(id) => self.seen_row(id).map(|row| self.of_row(row)),
            Selected::Group(key) => self.of_group(key),
            Selected::Fold(key) => self.of_fold(key),
            Selected::State(StateLine::Tcp(state)) => Some(of_state(Some(state))),
            Selected::State(StateLine::Udp) => Some(of_state(Some(TcpState::Unconn))),
            Selected::Finding(key) => {
                let finding = self.panels.findings.get(key)?;
                Some(Explained { rule: Some(finding.rule()), ..of_state(finding.state) })
            }
            Selected::None | Selected::Network(_) => None,
            Selected::LogLine(number) => self
                .panels
                .log
                .line(&self.store, number)
                .map(|line| of_state(line.transition().to.or(line.transition().from))),
        }
    }

    fn of_row(&self, row: &SocketRow) -> Explained {
        let socket = &row.connection.socket;
        let port = service_port(socket).or_else(|| socket.is_listener().then_some(socket.local.port));
        Explained {
            rule: self.panels.findings.about(row, &self.store).map(Finding::rule),
            state: Some(socket.state),
            port: port.map(|port| self.port(socket.protocol, port)),
        }
    }

    /// One of the sockets that the folded line `key` stands for.
    pub(super) fn example_of(&self, key: FoldKey) -> Option<&SocketRow> {
        let (keys, alike) = (FoldKeys::new(key.folding, &self.store), self.store.rows().alike());
        let mut sets = alike.iter().filter(|(_, set)| keys.of(set) == key);
        sets.find_map(|(number, _)| self.store.rows().get(alike.example(number)?))
    }

    /// Sockets of one cause are explained by one of them.
    fn of_fold(&self, key: FoldKey) -> Option<Explained> {
        let explained = self.of_row(self.example_of(key)?);
        let row = self.panels.connections.folded.view.row(key)?;
        Some(Explained { state: row.states.only(), ..explained })
    }

    /// A listener, a remote or a route is explained by its port; a process has none.
    fn of_group(&self, key: GroupKey) -> Option<Explained> {
        let (rule, protocol, port) = match key {
            GroupKey::Listener { place, .. } | GroupKey::OneOfListeners(place) => {
                (None, place.protocol, place.local.port)
            }
            GroupKey::Remote { protocol, port, .. } => (None, protocol, port?),
            GroupKey::PortPool(route) => (Some(Rule::EphemeralPorts), Protocol::Tcp, route.to.port),
            GroupKey::Process(_) | GroupKey::NoProcess(..) => return None,
        };
        Some(Explained { rule, state: None, port: Some(self.port(protocol, port)) })
    }

    fn port(&self, protocol: Protocol, port: u16) -> PortExplained {
        PortExplained { protocol, port, of_kernel: self.store.facts().ephemeral_ports }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::rule::Rule;
    use crate::model::tcp_state::STATES;

    #[test]
    fn every_state_and_finding_has_its_page_and_every_topic_named_here_exists() {
        for row in &STATES {
            assert!(topics_of(row.state).iter().all(|name| topics::find(name).is_some()), "{}", row.name);
            let explained = Explained { state: Some(row.state), ..Explained::default() };
            assert!(len(&explained, 80) > 8 && explained.title() == row.name, "{}", row.name);
        }
        for &rule in Rule::ALL {
            assert!(len(&Explained { rule: Some(rule), ..Explained::default() }, 80) > 8, "{}", rule.id());
        }
    }
}
