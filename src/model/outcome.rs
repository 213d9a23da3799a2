//! How connections, and attempts at one, come to their end.

use serde::{Deserialize, Serialize};

/// An error that the kernel reports to the process that holds a TCP socket when that comes to its end (`sk_error_report`,
/// `net/core/sock.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SocketError {
    /// `ECONNREFUSED`: the peer answered the SYN by a reset, or a host by an ICMP message that there is no such port.
    Refused,
    /// `ECONNRESET`, or `EPIPE` where the peer had closed its side before: a reset came.
    Reset,
    /// `ETIMEDOUT`: no answer, however often it was sent again.
    TimedOut,
    /// `EHOSTUNREACH`, `ENETUNREACH` and the like: a router, or this host, knows no way.
    Unreachable,
    /// `ECONNABORTED`: somebody closed the socket from outside (`SOCK_DESTROY`).
    Aborted,
    /// Any other.
    Other,
}

/// What the kernel reported of the end of a TCP socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndReport {
    /// Nobody listened, or the report was lost.
    #[default]
    NotReported,
    /// No error: the process that held the socket ended it by a call of its own, or had let go of it.
    NoError,
    /// This error.
    Error(SocketError),
}

/// How a connection, or an attempt at one, came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Both sides closed it.
    Closed,
    /// The attempt was refused.
    Refused,
    /// The kernel gave up, because nobody answered any more.
    TimedOut,
    /// The process closed the socket before anybody had answered.
    GivenUp,
    /// There is no way to the peer.
    Unreachable,
    /// The peer reset it.
    Reset,
    /// The process reset it: it closed the socket while data was unread, or with an `SO_LINGER` of 0.
    ResetHere,
    /// Somebody closed the socket from outside (`SOCK_DESTROY`).
    Aborted,
    /// It ended, and nothing tells how.
    Unknown,
}

impl Outcome {
    /// The name in JSON and text.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Refused => "refused",
            Self::TimedOut => "timed-out",
            Self::GivenUp => "given-up",
            Self::Unreachable => "unreachable",
            Self::Reset => "reset",
            Self::ResetHere => "reset-here",
            Self::Aborted => "aborted",
            Self::Unknown => "unknown",
        }
    }

    /// Itself, unless nothing tells how it ended.
    pub fn known(self) -> Option<Self> {
        (self != Self::Unknown).then_some(self)
    }

    /// All of them, in the order of the enum.
    pub const ALL: [Self; 9] = [
        Self::Closed,
        Self::Refused,
        Self::TimedOut,
        Self::GivenUp,
        Self::Unreachable,
        Self::Reset,
        Self::ResetHere,
        Self::Aborted,
        Self::Unknown,
    ];

    /// The one that `error` tells of.
    pub const fn of_error(error: SocketError) -> Self {
        match error {
            SocketError::Refused => Self::Refused,
            SocketError::Reset => Self::Reset,
            SocketError::TimedOut => Self::TimedOut,
            SocketError::Unreachable => Self::Unreachable,
            SocketError::Aborted => Self::Aborted,
            SocketError::Other => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delta::Transition;
    use crate::model::tcp_state::TcpState;
    use crate::model::testing::{tcp, transition, udp};

    fn outcome(from: TcpState, report: EndReport) -> Option<Outcome> {
        Transition { report, ..transition(tcp(1), 1, Some(from), None) }.outcome()
    }

    #[test]
    fn the_report_tells_how_it_ended_and_without_one_nothing_is_guessed() {
        use TcpState::{CloseWait, Established, FinWait1, LastAck, Listen, SynSent, TimeWait};
        for (from, report, expected) in [
            (SynSent, EndReport::Error(SocketError::Refused), Some(Outcome::Refused)),
            (SynSent, EndReport::Error(SocketError::TimedOut), Some(Outcome::TimedOut)),
            (SynSent, EndReport::Error(SocketError::Unreachable), Some(Outcome::Unreachable)),
            (SynSent, EndReport::NoError, Some(Outcome::GivenUp)),
            (SynSent, EndReport::NotReported, Some(Outcome::Unknown)),
            (Established, EndReport::Error(SocketError::Reset), Some(Outcome::Reset)),
            (Established, EndReport::NoError, Some(Outcome::ResetHere)),
            (Established, EndReport::NotReported, Some(Outcome::Unknown)),
            (CloseWait, EndReport::Error(SocketError::Reset), Some(Outcome::Reset)),
            (FinWait1, EndReport::NotReported, Some(Outcome::Unknown)),
            (LastAck, EndReport::NotReported, Some(Outcome::Closed)),
            (TimeWait, EndReport::NoError, Some(Outcome::Closed)),
            (Listen, EndReport::NoError, None),
        ] {
            assert_eq!(outcome(from, report), expected, "{from:?} {report:?}");
        }
        assert_eq!(transition(tcp(1), 1, Some(SynSent), Some(Established)).outcome(), None, "no end");
        assert_eq!(transition(udp(1, 53), 1, Some(TcpState::Unconn), None).outcome(), None);
        let emptied = Transition { is_emptied: true, ..transition(tcp(1), 1, None, None) };
        assert_eq!(emptied.outcome(), Some(Outcome::Unknown));
    }

    #[test]
    fn every_outcome_has_a_name_of_its_own() {
        for (nth, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, nth);
            assert!(Outcome::ALL[..nth].iter().all(|other| other.label() != outcome.label()));
        }
    }
}
