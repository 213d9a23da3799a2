//! The states as the histogram and the states tab list them: eleven of TCP, and UDP; and where the parts of that tab are.

use ratatui::layout::Rect;

use crate::app::prose::wrap;
use crate::knowledge::states::text;
use crate::model::tcp_state::TcpState;
use crate::store::history::transition_rates::TransitionRates;
use crate::store::socket_counts::SocketCounts;

/// One line of the histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateLine {
    /// A TCP state.
    Tcp(TcpState),
    /// UDP sockets of either state.
    Udp,
}

/// Every line: what is open on the left, what is closing on the right when there are two columns.
pub const STATE_LINES: [StateLine; 12] = [
    StateLine::Tcp(TcpState::Listen),
    StateLine::Tcp(TcpState::SynSent),
    StateLine::Tcp(TcpState::SynRecv),
    StateLine::Tcp(TcpState::Established),
    StateLine::Tcp(TcpState::Close),
    StateLine::Udp,
    StateLine::Tcp(TcpState::FinWait1),
    StateLine::Tcp(TcpState::FinWait2),
    StateLine::Tcp(TcpState::CloseWait),
    StateLine::Tcp(TcpState::Closing),
    StateLine::Tcp(TcpState::LastAck),
    StateLine::Tcp(TcpState::TimeWait),
];

/// The order in the states tab: what matters most first.
pub const BY_INTEREST: [StateLine; 12] = [
    StateLine::Tcp(TcpState::Established),
    StateLine::Tcp(TcpState::CloseWait),
    StateLine::Tcp(TcpState::TimeWait),
    StateLine::Tcp(TcpState::Listen),
    StateLine::Tcp(TcpState::FinWait2),
    StateLine::Tcp(TcpState::SynRecv),
    StateLine::Tcp(TcpState::SynSent),
    StateLine::Tcp(TcpState::FinWait1),
    StateLine::Tcp(TcpState::LastAck),
    StateLine::Tcp(TcpState::Closing),
    StateLine::Tcp(TcpState::Close),
    StateLine::Udp,
];

/// Lines of the list.
const LIST_HEIGHT: u16 = 12;
/// From this width on there is a chart beside the list.
const CHART_WIDTH_MIN: u16 = 56;
/// Cells of name, count and mark.
pub const NUMBERS_WIDTH: u16 = 23;
/// Cells of the two flows.
pub const FLOWS_WIDTH: u16 = 18;
/// The highest that chart and list get.
const TOP_HEIGHT_MAX: u16 = 30;
/// The matrix as a table: a title, a heading, and a row for each state and for what is opened.
const MATRIX: (u16, u16) = (90, 14);
/// The matrix as a list: a title and the busiest lines of it.
const EDGES_HEIGHT: u16 = 5;

/// Where the parts of the states tab are. What is not shown has no height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatesLayout {
    /// The states.
    pub list: Rect,
    /// Cells of the trend in each line of the list; the flows follow it. 0: neither is shown.
    pub trend_width: u16,
    /// The chart of the selected state.
    pub chart: Rect,
    /// The busiest transitions, where the matrix has no room.
    pub edges: Rect,
    /// What the selected state means.
    pub text: Rect,
    /// The transition matrix.
    pub matrix: Rect,
}

/// The parts of the states tab in `body`. They stay where they are whichever state is selected.
pub fn states_layout(body: Rect) -> StatesLayout {
    let text_height = BY_INTEREST.iter().map(|line| text_lines(*line, body.width).len()).max().unwrap_or(0);
    let text_height = u16::try_from(text_height).unwrap_or(u16::MAX);
    let has_matrix = body.width >= MATRIX.0 && body.height > LIST_HEIGHT + text_height + MATRIX.1;
    let below = text_height + 1 + if has_matrix { MATRIX.1 } else { 0 };
    let top_height = body.height.saturating_sub(below).clamp(LIST_HEIGHT, TOP_HEIGHT_MAX).min(body.height);
    let trend_width = match body.width {
        ..110 => 0,
        110..150 => 12,
        _ => 24,
    };
    let list_width = if trend_width == 0 { NUMBERS_WIDTH } else { NUMBERS_WIDTH + trend_width + FLOWS_WIDTH + 2 };
    let list_width = if body.width >= CHART_WIDTH_MIN { list_width + 1 } else { body.width };
    let list = Rect { height: top_height.min(LIST_HEIGHT), width: list_width, ..body };
    let right = Rect { x: list.right() + 1, width: body.width.saturating_sub(list_width + 2), ..body };
    let has_edges = !has_matrix && top_height >= LIST_HEIGHT;
    let chart_height = top_height - if has_edges { EDGES_HEIGHT } else { 0 };
    let beside = |y, height| if body.width >= CHART_WIDTH_MIN { Rect { y, height, ..right } } else { Rect::ZERO };
    let text_y = body.y + top_height + 1;
    let text_room = (body.height - top_height).saturating_sub(1);
    let matrix_y = text_y + text_height;
    StatesLayout {
        list,
        trend_width,
        chart: beside(body.y, chart_height),
        edges: if has_edges { beside(body.y + chart_height, EDGES_HEIGHT) } else { Rect::ZERO },
        text: Rect { y: text_y, height: text_room.min(text_height), ..body },
        matrix: if has_matrix { Rect { y: matrix_y, height: MATRIX.1, ..body } } else { Rect::ZERO },
    }
}

/// A line of what is said about a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateTextLine {
    /// What the state means.
    Meaning(String),
    /// What to do about it.
    Advice(String),
}

/// All that is said about a state, in lines for a screen of `width`.
pub fn text_lines(line: StateLine, width: u16) -> Vec<StateTextLine> {
    let room = usize::from(width.saturating_sub(2).max(8));
    let (meaning, advice) = words(line);
    let lines = |text: &str| if text.is_empty() { Vec::new() } else { wrap(text, room) };
    let meaning = lines(meaning).into_iter().map(StateTextLine::Meaning);
    meaning.chain(lines(advice).into_iter().map(StateTextLine::Advice)).collect()
}

fn words(line: StateLine) -> (&'static str, &'static str) {
    match line {
        StateLine::Tcp(state) => {
            let text = text(state);
            (text.meaning, text.advice)
        }
        StateLine::Udp => ("Datagram sockets; they have no connection and no states.", ""),
    }
}

/// The states of TCP in the order of a connection's life, as the transition matrix has them.
pub const BY_LIFE: [TcpState; 11] = [
    TcpState::Listen,
    TcpState::SynSent,
    TcpState::SynRecv,
    TcpState::Established,
    TcpState::FinWait1,
    TcpState::FinWait2,
    TcpState::CloseWait,
    TcpState::Closing,
    TcpState::LastAck,
    TcpState::TimeWait,
    TcpState::Close,
];

/// Whether a socket can go from `from` (`None`: it is opened) to `to` (`None`: it is gone) with no state between. What
/// is opened is as if it came from `CLOSE`, and what is gone as if it went there; a passive open shows in `SYN_RECV`.
pub fn is_possible(change: StateChange) -> bool {
    match (change.from, change.to) {
        (None, None) => false,
        (None, Some(to)) => to == TcpState::SynRecv || TcpState::Close.leads_to(to) || to == TcpState::Close,
        (Some(from), None) => from == TcpState::Close || from.leads_to(TcpState::Close),
        (Some(from), Some(to)) => from.leads_to(to),
    }
}

/// From which state to which: `None` is before a socket is opened, and after it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The state before.
    pub from: Option<TcpState>,
    /// The state after.
    pub to: Option<TcpState>,
}

/// The transitions of the last minute, the most frequent first.
pub fn busiest(edges: &TransitionRates) -> Vec<StateChange> {
    let places = || BY_LIFE.iter().map(|state| Some(*state)).chain([None]);
    let changes = places().flat_map(|from| places().map(move |to| StateChange { from, to }));
    let count = |change: &StateChange| edges.count(change.from, change.to);
    let mut found: Vec<_> = changes.filter(|change| count(change) > 0).collect();
    found.sort_by_key(|change| std::cmp::Reverse(count(change)));
    found
}

impl StateLine {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp(state) => state.name(),
            Self::Udp => "UDP",
        }
    }

    /// How many sockets it counts.
    pub const fn count(self, counts: &SocketCounts) -> u32 {
        match self {
            Self::Tcp(state) => counts.of(state),
            Self::Udp => counts.udp,
        }
    }
}

/// The largest count of all lines: the scale of every bar.
pub fn largest(counts: &SocketCounts) -> u32 {
    STATE_LINES.iter().map(|line| line.count(counts)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tcp_state::STATES;

    #[test]
    fn all_that_is_known_of_a_state_has_room_from_80x24_on() {
        for (width, height) in [(80, 20), (100, 25), (120, 35), (200, 55)] {
            let room = states_layout(Rect::new(0, 3, width, height)).text;
            for line in BY_INTEREST {
                let lines = text_lines(line, width);
                assert!(lines.len() <= usize::from(room.height), "{width}x{height} {line:?}");
                let said: Vec<&str> = lines
                    .iter()
                    .map(|line| match line {
                        StateTextLine::Meaning(text) | StateTextLine::Advice(text) => text.as_str(),
                    })
                    .collect();
                assert!(said.iter().all(|text| crate::table::cut::cells(text) <= usize::from(width)), "{said:?}");
                let (meaning, advice) = words(line);
                assert_eq!(said.join(" "), format!("{meaning} {advice}").trim_end());
            }
        }
    }

    #[test]
    fn parts_lie_within_the_body_and_not_on_each_other_at_every_size() {
        for (width, height) in (40..220).step_by(3).flat_map(|width| (4..80).map(move |height| (width, height))) {
            let body = Rect::new(0, 3, width, height);
            let StatesLayout { list, chart, edges, text, matrix, .. } = states_layout(body);
            assert!(list.height > 0 && list.height == height.min(12));
            let parts = [list, chart, edges, text, matrix].map(|part| part.intersection(Rect::new(0, 0, 500, 500)));
            for (index, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
                assert_eq!(part.intersection(body), *part, "{width}x{height} part {index}");
                let others = parts.iter().enumerate().filter(|(other, _)| *other != index);
                assert!(others.into_iter().all(|(_, other)| !part.intersects(*other)), "{width}x{height} part {index}");
            }
        }
    }

    #[test]
    fn every_state_of_a_connection_is_listed_once() {
        for row in STATES.iter().filter(|row| !matches!(row.state, TcpState::Unconn | TcpState::Bound)) {
            for lines in [STATE_LINES, BY_INTEREST] {
                assert_eq!(lines.iter().filter(|line| **line == StateLine::Tcp(row.state)).count(), 1, "{}", row.name);
            }
        }
        assert_eq!(STATE_LINES.len(), usize::from(crate::app::layout::STATE_LINES));
    }
}
