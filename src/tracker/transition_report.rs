//! Turns what the kernel reported into transitions.

use crate::model::delta::{AgeBasis, Delta, EventSource, FinalCounters, Gap, Since, Transition};
use crate::model::endpoint::{Endpoint, EndpointPair, Protocol};
use crate::model::event::{Ended, Events, Loss};
use crate::model::socket::{Socket, SocketRef};
use crate::model::tcp_info::ByteCounts;
use crate::model::tcp_state::TcpState;
use crate::model::time::{CompactTimestamp, Timestamp};
use crate::tracker::ends::{self, LastReport, UnreportedEnd};
use crate::tracker::traced_connections::TracedPath;
use crate::tracker::{SampleContext, clocks};

/// What was lost, as stretches of time.
pub(super) fn gaps(events: &Events, overflown: &[Loss], round: &SampleContext) -> Vec<Gap> {
    let lost = events.lost.iter().chain(overflown);
    lost.map(|&Loss { of, count }| Gap { from: round.seen.at, to: round.at, lost: count, of }).collect()
}

/// The opening and the end of a connection that no sample listed and of which nothing but the end was reported.
pub(super) fn short_connection(UnreportedEnd { ended, not_before }: &UnreportedEnd, delta: &mut Delta) {
    if ended.is_emptied() || ended.is_unconnected() {
        delta.transitions.push(end_of_unknown(ended));
        return;
    }
    let attempt = ends::is_attempt(ended, *not_before);
    let state = match ended.socket.protocol {
        Protocol::Udp if ended.socket.remote.is_unset() => TcpState::Unconn,
        Protocol::Tcp if attempt => TcpState::SynSent,
        Protocol::Tcp | Protocol::Udp | Protocol::Mptcp => TcpState::Established,
    };
    let begin = if attempt { ended.at } else { first_sign(ended, *not_before) };
    let lasted = clocks::lasted(
        Since { at: begin, basis: AgeBasis::AtLeast },
        Since { at: ended.at, basis: AgeBasis::Observed },
    );
    let opened = transition(&ended.socket, begin, None, Some(state));
    let closed = transition(&ended.socket, ended.at, Some(state), None);
    delta.transitions.push(opened);
    delta.transitions.push(Transition { lasted: Some(lasted), final_counters: ended.final_counters(), ..closed });
}

/// The end of a socket whose last state nothing tells: not even whether it ever was in another one since the last sample.
pub(super) fn end_of_unknown(ended: &Ended) -> Transition {
    let end = transition(&ended.socket, ended.at, None, None);
    if !ended.is_emptied() {
        return end;
    }
    let remote = Endpoint::new(ended.socket.remote.family().unspecified(), 0);
    Transition { remote, is_emptied: true, ..end }
}

/// The opening, the steps and the end of a connection of an emptied socket, at the `place` that the trace tells.
pub(super) fn traced_connection_at(place: EndpointPair, ended: &Ended, way: &TracedPath, delta: &mut Delta) {
    let (local, remote) = place;
    let socket = SocketRef { local, remote, ..ended.socket };
    traced_connection(&Ended { socket, info: None, ..ended.clone() }, way, delta);
}

/// The steps of `way` as transitions like `base`, from a state held `since`; and since when the last one holds.
pub(super) fn along(base: &Transition, way: &TracedPath, mut since: Option<Since>) -> (Vec<Transition>, Option<Since>) {
    let mut reported = Vec::with_capacity(way.hops.len());
    for hop in &way.hops {
        let end = Since { at: hop.at, basis: AgeBasis::Kernel };
        let opens = base.from.is_none() && reported.is_empty();
        reported.push(Transition {
            at: hop.at,
            from: Some(hop.from).filter(|_| !opens),
            to: Some(hop.to),
            lasted: since.map(|since| clocks::lasted(since, end)),
            skipped: !opens && !hop.from.leads_to(hop.to),
            source: EventSource::Tracepoint,
            ..base.clone()
        });
        since = Some(end);
    }
    (reported, since)
}

/// Whether the steps that were `reported` lead to `state`.
pub(super) fn reaches(reported: &[Transition], state: TcpState) -> bool {
    reported.last().is_some_and(|last| last.to == Some(state))
}

/// Since when `socket` is in its state, which the trace does not tell, where the samples say `observed`. The trace never says
/// `TIME_WAIT`, but it tells when the full socket came to its end, and then the wait begins: where the timer agrees, that is
/// the moment.
pub(super) fn in_mini_socket(observed: Since, socket: &Socket, way: &TracedPath) -> Since {
    let closed = way.closed.filter(|_| socket.state == TcpState::TimeWait);
    match closed {
        Some(at) if observed.at.since(at).max(at.since(observed.at)) <= clocks::PINNED => {
            Since { at, basis: AgeBasis::Kernel }
        }
        _ => observed,
    }
}

/// The steps that were `reported`, and where they do not lead to the end of `step`, which the samples show, the rest of it
/// from the state `held` since then to the one since when the socket is in its own.
pub(super) fn completed(
    reported: Vec<Transition>,
    step: Transition,
    held: Option<Since>,
    since: Option<Since>,
) -> impl Iterator<Item = Transition> {
    let last = reported.last();
    let (from, at) = last.map_or((step.from, step.at), |last| (last.to, step.at.max(last.at)));
    let misses = |from: TcpState, to: TcpState| step.protocol == Protocol::Tcp && !from.leads_to(to);
    let skipped = from.zip(step.to).map_or(step.skipped, |(from, to)| misses(from, to));
    let lasted = from.and(held).zip(since).map(|(held, since)| clocks::lasted(held, since));
    let rest = (last.is_none() || from != step.to).then_some(Transition { at, from, lasted, skipped, ..step });
    reported.into_iter().chain(rest)
}

/// The opening, the steps and the end of a connection that no sample listed and that was traced.
pub(super) fn traced_connection(ended: &Ended, way: &TracedPath, delta: &mut Delta) {
    let base = Transition { owner: way.owner.clone(), ..transition(&ended.socket, ended.at, None, None) };
    let (reported, since) = along(&base, way, None);
    let (Some(last), Some(since)) = (reported.last(), since) else { return };
    // Where the trace has a hole before the end, the destroy event tells that.
    let (end, source) = match way.closed {
        Some(at) => (Since { at, basis: AgeBasis::Kernel }, EventSource::Tracepoint),
        None => (Since { at: ended.at.max(since.at), basis: AgeBasis::Observed }, EventSource::DestroyEvent),
    };
    let closed = Transition {
        at: end.at,
        from: last.to,
        lasted: Some(clocks::lasted(since, end)),
        source,
        report: way.report_of_end(),
        final_counters: ended.final_counters(),
        ..base
    };
    delta.transitions.extend(reported);
    delta.transitions.push(closed);
}

/// The end of a tracked connection along `way`, with the steps before it; and since when its last state held.
pub(super) fn traced_end(
    mut closed: Transition,
    way: &TracedPath,
    begin: Since,
    delta: &mut Delta,
) -> (Transition, Since) {
    if closed.owner.holders().is_none() && way.owner.holders().is_some() {
        closed.owner = way.owner.clone();
    }
    let (reported, since) = along(&closed, way, Some(begin));
    let since = since.unwrap_or(begin);
    closed.from = reported.last().map_or(closed.from, |last| last.to);
    let end = match way.closed {
        Some(at) => {
            closed.source = EventSource::Tracepoint;
            closed.report = way.report_of_end();
            Since { at, basis: AgeBasis::Kernel }
        }
        None => Since { at: closed.at.max(since.at), basis: AgeBasis::Observed },
    };
    closed.at = end.at;
    closed.lasted = Some(clocks::lasted(since, end));
    delta.transitions.extend(reported);
    (closed, since)
}

/// The end of a tracked connection, completed by its final counters. If its full socket was freed after the last look, that
/// was the end itself.
pub(super) fn with_last_words(
    mut closed: Transition,
    seen_at: Timestamp,
    begin: Since,
    word: Option<LastReport>,
) -> Transition {
    let Some(word) = word else { return closed };
    closed.final_counters = word.last;
    if closed.from == Some(TcpState::CloseWait) && !word.is_settled {
        // The peer's FIN was counted, and our own, by which that is recognised else, was never sent.
        let without_fin = |bytes: ByteCounts| ByteCounts::new(bytes.received().saturating_sub(1), bytes.sent());
        closed.final_counters =
            closed.final_counters.map(|last| FinalCounters { bytes: last.bytes.map(without_fin), ..last });
    }
    if closed.source == EventSource::Samples && word.at > seen_at && closed.from != Some(TcpState::TimeWait) {
        let end = Since { at: word.at, basis: AgeBasis::Observed };
        closed = Transition {
            at: word.at,
            lasted: Some(clocks::lasted(begin, end)),
            source: EventSource::DestroyEvent,
            ..closed
        };
    }
    closed
}

/// The first moment at which it is known to have been there.
fn first_sign(ended: &Ended, not_before: Timestamp) -> Timestamp {
    let Some(info) = &ended.info else { return ended.at };
    let moments = [info.last_data_sent, info.last_data_received, info.last_ack_received];
    // What was never set lies near boot.
    let lately = moments.into_iter().map(CompactTimestamp::timestamp).filter(|moment| *moment >= not_before);
    lately.min().unwrap_or(ended.at).min(ended.at)
}

/// Told by the end of `socket`; nobody can be asked any more whose it was.
fn transition(socket: &SocketRef, at: Timestamp, from: Option<TcpState>, to: Option<TcpState>) -> Transition {
    Transition { source: EventSource::DestroyEvent, ..Transition::new(socket, at, from, to) }
}
