//! The states as the histogram and the states tab list them: eleven of TCP, and UDP.

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

/// Lines that a state takes in the states tab: numbers, meaning, two of advice, and a blank one.
pub const LINES_PER_STATE: usize = 5;

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

/// How many lines the states tab has.
pub const fn len() -> usize {
    STATE_LINES.len() * LINES_PER_STATE
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
    fn every_state_a_tcp_socket_can_have_is_listed_once() {
        for row in STATES.iter().filter(|row| row.state != TcpState::Unconn) {
            for lines in [STATE_LINES, BY_INTEREST] {
                assert_eq!(lines.iter().filter(|line| **line == StateLine::Tcp(row.state)).count(), 1, "{}", row.name);
            }
        }
        assert_eq!(STATE_LINES.len(), usize::from(crate::app::layout::STATE_LINES));
    }
}
