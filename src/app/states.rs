//! The states as the histogram and the states tab list them: eleven of TCP, and UDP.

use crate::app::detail::wrap;
use crate::knowledge::states::text;
use crate::model::tcp_state::TcpState;
use crate::store::rows::Counts;

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

/// Below this width the chart stands beside the numbers only.
const WIDE: u16 = 100;
/// Cells of the chart beside the numbers.
const CHART_WIDTH_NARROW: u16 = 16;
/// Lines of the chart where there is room.
pub const CHART_HEIGHT: usize = 3;

/// What stands in a line of the states tab, beside the chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Name, count, bar and flows.
    Numbers,
    /// What the state means.
    Meaning(String),
    /// What to do about it.
    Advice(String),
    /// Nothing.
    Blank,
}

/// How wide chart and text of the states tab are on a screen of `width`, and whether the chart has lines of its own.
pub const fn widths(width: u16) -> (u16, u16, bool) {
    let is_wide = width >= WIDE;
    let chart = if is_wide { width / 5 } else { CHART_WIDTH_NARROW };
    let text = if is_wide { width.saturating_sub(chart + 5) } else { width.saturating_sub(4) };
    (chart, text, is_wide)
}

/// The lines of a state in the states tab on a screen of `width`: all of its text.
pub fn parts(line: StateLine, width: u16) -> Vec<Part> {
    let (_, room, is_wide) = widths(width);
    let (meaning, advice) = words(line);
    let lines = |text: &str| if text.is_empty() { Vec::new() } else { wrap(text, usize::from(room.max(8))) };
    let mut parts = vec![Part::Numbers];
    parts.extend(lines(meaning).into_iter().map(Part::Meaning));
    parts.extend(lines(advice).into_iter().map(Part::Advice));
    let least = if is_wide { CHART_HEIGHT } else { 1 };
    parts.resize(parts.len().max(least) + 1, Part::Blank);
    parts
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

impl StateLine {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp(state) => state.name(),
            Self::Udp => "UDP",
        }
    }

    /// How many sockets it counts.
    pub const fn count(self, counts: &Counts) -> u32 {
        match self {
            Self::Tcp(state) => counts.of(state),
            Self::Udp => counts.udp,
        }
    }
}

/// How many lines the states tab has on a screen of `width`.
pub fn len(width: u16) -> usize {
    BY_INTEREST.iter().map(|line| parts(*line, width).len()).sum()
}

/// The largest count of all lines: the scale of every bar.
pub fn largest(counts: &Counts) -> u32 {
    STATE_LINES.iter().map(|line| line.count(counts)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tcp_state::STATES;

    #[test]
    fn all_that_is_known_of_a_state_is_shown_at_every_width() {
        for width in [40, 80, 99, 100, 120, 200] {
            let (_, room, _) = widths(width);
            for line in BY_INTEREST {
                let parts = parts(line, width);
                let said: Vec<&str> = parts
                    .iter()
                    .filter_map(|part| match part {
                        Part::Meaning(text) | Part::Advice(text) => Some(text.as_str()),
                        Part::Numbers | Part::Blank => None,
                    })
                    .collect();
                assert!(said.iter().all(|text| crate::table::fit::cells(text) <= usize::from(room)), "{said:?}");
                let (meaning, advice) = words(line);
                assert_eq!(said.join(" "), format!("{meaning} {advice}").trim_end());
                assert_eq!(parts.last(), Some(&Part::Blank));
            }
        }
    }

    #[test]
    fn every_state_a_tcp_socket_can_have_is_listed_once() {
        for row in STATES.iter().filter(|row| row.state != TcpState::Unconn) {
            for lines in [STATE_LINES, BY_INTEREST] {
                assert_eq!(lines.iter().filter(|line| **line == StateLine::Tcp(row.state)).count(), 1, "{}", row.name);
            }
        }
        assert_eq!(STATE_LINES.len(), usize::from(crate::app::layout::STATE_LINES));
    }
}
