//! The path of a connection: the states it was in, one after the other, what conntop saw of that and what must have been.

use std::time::Duration;

use crate::app::App;
use crate::app::related::{RelatedSockets, is_client};
use crate::model::delta::{AgeBasis, Transition};
use crate::model::endpoint::Protocol;
use crate::model::socket::SocketId;
use crate::model::tcp_state::TcpState;
use crate::store::paths::Stay;
use crate::store::row::SocketRow;
use crate::table::units;

/// One state of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathStep {
    /// The state.
    pub state: TcpState,
    /// How long it was in it, or is by now; `None` where nothing says.
    pub lasted: Option<(Duration, AgeBasis)>,
    /// Whether conntop saw it in that state; otherwise it is the usual way there.
    pub seen: bool,
}

/// A path; the last step is the state now, or the last one before the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatePath {
    /// The states, oldest first.
    pub steps: Vec<PathStep>,
    /// Whether the connection is gone.
    pub ended: bool,
}

/// Which side opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// This end opened it: `SYN_SENT`.
    Active,
    /// The peer opened it: `LISTEN`, `SYN_RECV`.
    Passive,
}

impl Opening {
    /// The side in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Active => "we opened it",
            Self::Passive => "the peer opened it",
        }
    }
}

impl StatePath {
    /// The step in `state`.
    pub fn step(&self, state: TcpState) -> Option<&PathStep> {
        self.steps.iter().find(|step| step.state == state)
    }

    /// The state now; `None` once the connection is gone.
    pub fn now(&self) -> Option<TcpState> {
        self.steps.last().filter(|_| !self.ended).map(|step| step.state)
    }

    /// The path in one line: `SYN_SENT → ESTABLISHED 4m12s → CLOSE_WAIT 52m`.
    pub fn words(&self) -> String {
        let step = |step: &PathStep| match step.lasted {
            Some(_) => format!("{} {}", step.state, lasted_words(step)),
            None if step.seen => step.state.to_string(),
            None => format!("({})", step.state),
        };
        let mut words: Vec<String> = self.steps.iter().map(step).collect();
        words.extend(self.ended.then(|| "closed".to_owned()));
        words.join(" → ")
    }
}

/// The time in a state, short: `4m12s`, `≥52m`; blank where nothing says.
pub fn lasted_words(step: &PathStep) -> String {
    match step.lasted {
        Some((lasted, basis)) => format!("{}{}", basis.mark(), brief(lasted)),
        None => String::new(),
    }
}

/// From ten minutes on, seconds say nothing.
fn brief(lasted: Duration) -> String {
    if lasted < Duration::from_secs(10 * 60) { units::lasted(lasted) } else { units::age(lasted) }
}

/// The path of the connection `row`, as far as the log and the kernel's clocks tell; `None` for what has no path: UDP
/// sockets, listeners and sockets that are only bound.
pub fn path(app: &App, row: &SocketRow, related: &RelatedSockets) -> Option<StatePath> {
    let socket = &row.connection.socket;
    if socket.protocol == Protocol::Udp || socket.is_listener() || socket.state == TcpState::Bound {
        return None;
    }
    let mut steps = seen_steps(app, socket.id);
    if steps.last().is_none_or(|step| step.state != socket.state) {
        steps.push(PathStep { state: socket.state, lasted: None, seen: true });
    }
    let ended = row.is_closed() || app.store.rows().find(socket.id).is_none();
    if let Some(last) = steps.last_mut().filter(|step| !ended && step.lasted.is_none()) {
        last.lasted = row.connection.state_since.map(|since| (since.age(app.store.at()), since.basis));
    }
    let opening = opening(&steps, row, related);
    Some(StatePath { steps: without_gaps(&steps, opening), ended })
}

/// Which side opened it: told by a state of the handshake, by a listener on its port, or by the lower port, which is that
/// of the service.
pub fn opening(steps: &[PathStep], row: &SocketRow, related: &RelatedSockets) -> Opening {
    let seen = |state| steps.iter().any(|step| step.state == state);
    if seen(TcpState::SynSent) {
        return Opening::Active;
    }
    if seen(TcpState::SynRecv) || related.has_listener || !is_client(&row.connection.socket) {
        return Opening::Passive;
    }
    Opening::Active
}

/// What was seen of `id`, oldest first: its path or, where it lost that, what the log still has.
fn seen_steps(app: &App, id: SocketId) -> Vec<PathStep> {
    if let Some(path) = app.store.path(id) {
        let step = |stay: &Stay| PathStep { state: stay.state, lasted: stay.lasted, seen: true };
        return path.stays().iter().map(step).collect();
    }
    let mut steps = Vec::new();
    for entry in app.store.log().entries().iter().filter(|entry| entry.id == id) {
        push_seen(&mut steps, entry);
    }
    steps
}

fn push_seen(steps: &mut Vec<PathStep>, entry: &Transition) {
    if let Some(from) = entry.from {
        match steps.last_mut().filter(|step| step.state == from) {
            Some(step) => step.lasted = entry.lasted,
            None => steps.push(PathStep { state: from, lasted: entry.lasted, seen: true }),
        }
    }
    if let Some(to) = entry.to {
        steps.push(PathStep { state: to, lasted: None, seen: true });
    }
}

/// The steps with what must lie before and between them.
fn without_gaps(seen: &[PathStep], opening: Opening) -> Vec<PathStep> {
    let mut steps: Vec<PathStep> = Vec::new();
    for step in seen {
        let mut way = usual_way(step.state, opening);
        if let Some(before) = steps.last() {
            match way.iter().position(|state| *state == before.state) {
                Some(at) => drop(way.drain(..=at)),
                // No usual path leads on from there: nothing is invented.
                None => way.clear(),
            }
        }
        steps.extend(way.into_iter().map(|state| PathStep { state, lasted: None, seen: false }));
        steps.push(*step);
    }
    steps
}

/// The states that usually lie before `state`, oldest first.
fn usual_way(state: TcpState, opening: Opening) -> Vec<TcpState> {
    let mut way: Vec<_> = std::iter::successors(before(state, opening), |state| before(*state, opening)).collect();
    way.reverse();
    way
}

const fn before(state: TcpState, opening: Opening) -> Option<TcpState> {
    match (state, opening) {
        (TcpState::TimeWait, _) => Some(TcpState::FinWait2),
        (TcpState::FinWait2 | TcpState::Closing, _) => Some(TcpState::FinWait1),
        (TcpState::LastAck, _) => Some(TcpState::CloseWait),
        (TcpState::FinWait1 | TcpState::CloseWait, _) => Some(TcpState::Established),
        (TcpState::Established, Opening::Active) => Some(TcpState::SynSent),
        (TcpState::Established, Opening::Passive) => Some(TcpState::SynRecv),
        (TcpState::SynRecv, _) => Some(TcpState::Listen),
        (TcpState::Listen | TcpState::SynSent | TcpState::Close | TcpState::Unconn | TcpState::Bound, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seen(state: TcpState) -> PathStep {
        PathStep { state, lasted: None, seen: true }
    }

    fn states(steps: &[PathStep]) -> Vec<(TcpState, bool)> {
        steps.iter().map(|step| (step.state, step.seen)).collect()
    }

    #[test]
    fn what_was_not_seen_is_the_usual_way() {
        use TcpState::{CloseWait, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent, TimeWait};
        let way = without_gaps(&[seen(CloseWait)], Opening::Active);
        assert_eq!(states(&way), [(SynSent, false), (Established, false), (CloseWait, true)]);
        let way = without_gaps(&[seen(Established), seen(TimeWait)], Opening::Passive);
        let expected = [(Listen, false), (SynRecv, false), (Established, true), (FinWait1, false), (FinWait2, false)];
        assert_eq!(states(&way)[..5], expected);
        let way = without_gaps(&[seen(TimeWait), seen(LastAck)], Opening::Active);
        assert_eq!(way.len(), 6, "there is no way from one to the other: {way:?}");
    }

    #[test]
    fn a_path_reads_in_one_line() {
        let lasted = |seconds, basis| Some((Duration::from_secs(seconds), basis));
        let steps = vec![
            PathStep { state: TcpState::SynSent, lasted: None, seen: false },
            PathStep { state: TcpState::Established, lasted: lasted(252, AgeBasis::Observed), seen: true },
            PathStep { state: TcpState::CloseWait, lasted: lasted(3_150, AgeBasis::AtLeast), seen: true },
        ];
        let path = StatePath { steps, ended: false };
        assert_eq!(path.words(), "(SYN_SENT) → ESTABLISHED 4m12s → CLOSE_WAIT ≥52m");
        assert_eq!(path.now(), Some(TcpState::CloseWait));
    }
}
