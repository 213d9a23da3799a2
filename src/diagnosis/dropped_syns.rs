//! SYNs that a listener drops though its accept queue is not full.

use std::time::Duration;

use crate::diagnosis::case::Context;
use crate::model::socket::{Socket, SocketId};
use crate::store::listeners::AcceptQueue;
use crate::store::pressure::PRESSURE_WINDOW;

/// Drops are counted over this time, so that a finding ends soon after they do.
pub(super) const DROPS_OVER: Duration = PRESSURE_WINDOW;
/// Fewer drops than this in that time are chance.
pub(super) const DROPS_FEW: u64 = 5;

/// Whether SYNs to the listener `id` are dropped, so often that it is no chance.
pub(super) fn is_dropping(look: &Context, id: SocketId) -> bool {
    look.store.rows().live(id).is_some_and(|row| dropped(look, &row.connection.socket) >= DROPS_FEW)
}

/// How many SYNs a listener dropped of late without a full accept queue.
pub(super) fn dropped(look: &Context, socket: &Socket) -> u64 {
    let own = look.store.rows().losses().drops(socket.id, DROPS_OVER, look.now());
    if own == 0 || !socket.is_listener() || is_accept_queue_full(look, socket) {
        return 0;
    }
    match excess(look) {
        Some((excess, _)) if look.is_own_namespace(socket.id.netns()) => own.min(excess),
        _ => own,
    }
}

fn is_accept_queue_full(look: &Context, socket: &Socket) -> bool {
    let is_full = AcceptQueue::of(socket).is_some_and(|queue| queue.reaches(look.thresholds.accept_queue_at_fault));
    is_full || look.store.pressure().overflows_of(socket.id).is_some()
}

/// Drops of listeners beyond those at full accept queues, of our own network namespace, and in what time; `None` where
/// nothing tells.
pub(super) fn excess(look: &Context) -> Option<(u64, Duration)> {
    let (drops, over) = look.rise(DROPS_OVER, |counters| counters.listen_drops)?;
    let (overflows, _) = look.rise(DROPS_OVER, |counters| counters.listen_overflows)?;
    Some((drops.saturating_sub(overflows), over))
}
