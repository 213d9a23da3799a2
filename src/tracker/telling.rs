//! Turns what the kernel told into transitions.

use crate::model::delta::{AgeBasis, Delta, Gap, Since, ToldBy, Transition};
use crate::model::endpoint::Protocol;
use crate::model::event::{Ended, Events, Loss};
use crate::model::process::Owner;
use crate::model::socket::SocketRef;
use crate::model::tcp_state::TcpState;
use crate::model::time::{Moment, Timestamp};
use crate::tracker::ends::{self, Word};
use crate::tracker::{Round, clocks};

/// What was lost, as stretches of time.
pub(super) fn gaps(events: &Events, overflown: Option<Loss>, round: &Round) -> Vec<Gap> {
    let lost = events.lost.iter().copied().chain(overflown);
    lost.map(|Loss { of, count }| Gap { from: round.seen.at, to: round.at, lost: count, of }).collect()
}

/// The opening and the end of a connection that no sample listed and of which nothing but the end was told.
pub(super) fn short_life(ended: &Ended, round: &Round, delta: &mut Delta) {
    let attempt = ended.info.as_ref().is_some_and(ends::never_established);
    let state = if attempt { TcpState::SynSent } else { TcpState::Established };
    let begin = if attempt { ended.at } else { first_sign(ended, round) };
    let lasted = clocks::lasted(
        Since { at: begin, basis: AgeBasis::AtLeast },
        Since { at: ended.at, basis: AgeBasis::Observed },
    );
    let opened = transition(&ended.socket, begin, None, Some(state));
    let closed = transition(&ended.socket, ended.at, Some(state), None);
    delta.transitions.push(opened);
    delta.transitions.push(Transition {
        lasted: Some(lasted),
        // How it came to its end is not known.
        skipped: ended.socket.protocol == Protocol::Tcp && !attempt,
        last: ended.last_words(),
        ..closed
    });
}

/// The end of a tracked connection, completed by its last words. If its full socket was freed after the last look, that
/// was the end itself.
pub(super) fn with_last_words(
    mut closed: Transition,
    seen_at: Timestamp,
    begin: Since,
    word: Option<Word>,
) -> Transition {
    let Some(word) = word else { return closed };
    closed.last = word.last;
    if word.at > seen_at && closed.from != Some(TcpState::TimeWait) {
        let end = Since { at: word.at, basis: AgeBasis::Observed };
        closed = Transition {
            at: word.at,
            lasted: Some(clocks::lasted(begin, end)),
            told_by: ToldBy::DestroyEvent,
            ..closed
        };
    }
    closed
}

/// The first moment at which it is known to have been there.
fn first_sign(ended: &Ended, round: &Round) -> Timestamp {
    let Some(info) = &ended.info else { return ended.at };
    let moments = [info.last_data_sent, info.last_data_received, info.last_ack_received];
    // What was never set lies near boot.
    let lately = moments.into_iter().map(Moment::timestamp).filter(|moment| *moment >= round.seen.all_at);
    lately.min().unwrap_or(ended.at).min(ended.at)
}

/// Told by the end of `socket`; nobody can be asked any more whose it was.
fn transition(socket: &SocketRef, at: Timestamp, from: Option<TcpState>, to: Option<TcpState>) -> Transition {
    Transition {
        at,
        id: socket.id,
        protocol: socket.protocol,
        local: socket.local,
        remote: socket.remote,
        from,
        to,
        lasted: None,
        skipped: false,
        owner: Owner::None,
        told_by: ToldBy::DestroyEvent,
        last: None,
    }
}
