//! Connections on which what is sent does not move: what the rules about silent and slow peers have in common.

use std::time::Duration;

use crate::diagnosis::case::Context;
use crate::diagnosis::group::GroupMember;
use crate::diagnosis::queue_progress::{Queue, QueueProgress};
use crate::diagnosis::reader_progress::{self, ReaderProgress};
use crate::model::delta::Since;
use crate::model::socket::Socket;
use crate::model::time::Timestamp;
use crate::store::row::SocketRow;

/// How long something has lasted as far as it was seen: once the timer that showed it has fired, nothing newer is known of
/// a connection that is not in every sample.
pub(super) fn lasted(socket: &Socket, since: Since, now: Timestamp) -> Duration {
    let seen = socket.timer.map_or(now, |timer| timer.expires.timestamp().min(now));
    since.age(seen)
}

/// `row` as one that has been stalled since then, with what it has to send; `None` while that is shorter than `age`. It
/// is `aged` where so much has waited for so long that it is reported however few do.
pub(super) fn member<'a>(
    context: &Context<'a>,
    row: &'a SocketRow,
    since: Since,
    age: Duration,
) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    if lasted(socket, since, context.now()) < age {
        return None;
    }
    let waiting = socket.queues.and_then(|queues| queues.send).unwrap_or(0);
    let limits = context.thresholds;
    let aged = waiting >= limits.stalled_bytes && lasted(socket, since, context.now()) >= limits.stalled_age;
    let member = GroupMember::new(context.sides.place(socket), row);
    Some(GroupMember { since: Some(since), amount: waiting.into(), aged, ..member })
}

/// How the peer takes what is sent. Where its window is small it does so in steps, so some patience is needed before what
/// has moved counts as still.
pub(super) fn taken(context: &Context, socket: &Socket) -> QueueProgress {
    context.memory.flows.of(socket.id, Queue::Send, context.thresholds.zero_window_age.saturating_mul(2))
}

/// Whether the process at the other end is one of this machine, and the rules about how it reads report it: now, or, if
/// they have seen it once only, at the next evaluation.
pub(super) fn is_told_of_reader(context: &Context, socket: &Socket) -> bool {
    let Some(peer) = context.store.peer(socket) else { return false };
    let peer = &peer.connection.socket;
    match reader_progress::of(context, peer) {
        ReaderProgress::Stuck(_) | ReaderProgress::Slow(_) | ReaderProgress::Steady => true,
        ReaderProgress::Unknown => reader_progress::is_watched(context, peer),
    }
}
