//! SYNs that a listener drops though its accept queue is not full.

use std::time::Duration;

use crate::diagnosis::case::Context;
use crate::model::socket::{Socket, SocketId};
use crate::store::counters::Rise;
use crate::store::listeners::AcceptQueue;
use crate::store::pressure::PRESSURE_WINDOW;

/// Drops are counted over this time, so that a finding ends soon after they do.
pub(super) const DROPS_OVER: Duration = PRESSURE_WINDOW;
/// Fewer drops than this in that time are chance.
pub(super) const DROPS_FEW: u64 = 5;

/// Whether SYNs to the listener `id` are dropped, so often that it is no chance.
pub(super) fn is_dropping(context: &Context, id: SocketId) -> bool {
    context.store.rows().live(id).is_some_and(|row| dropped(context, &row.connection.socket) >= DROPS_FEW)
}

/// How many SYNs a listener dropped of late without a full accept queue.
pub(super) fn dropped(context: &Context, socket: &Socket) -> u64 {
    let own = context.store.rows().losses().drops(socket.id, DROPS_OVER, context.now());
    if own == 0 || !socket.is_listener() || is_accept_queue_full(context, socket) {
        return 0;
    }
    match excess(context) {
        Some(excess) if context.is_own_namespace(socket.id.netns()) => own.min(excess.by),
        _ => own,
    }
}

fn is_accept_queue_full(context: &Context, socket: &Socket) -> bool {
    let is_full = AcceptQueue::of(socket).is_some_and(|queue| context.is_full(queue));
    is_full || context.store.pressure().overflows_of(socket.id).is_some()
}

/// Drops of listeners beyond those at full accept queues, of our own network namespace; `None` where the source does not say.
pub(super) fn excess(context: &Context) -> Option<Rise> {
    let drops = context.rise(DROPS_OVER, |counters| counters.listen_drops)?;
    let overflows = context.rise(DROPS_OVER, |counters| counters.listen_overflows)?;
    Some(Rise { by: drops.by.saturating_sub(overflows.by), over: drops.over })
}
