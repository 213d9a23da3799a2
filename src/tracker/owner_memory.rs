//! Whose a socket was, once the kernel no longer says: from `FIN_WAIT2` and `TIME_WAIT` on (and for orphans in
//! `FIN_WAIT1`, `LAST_ACK`, `CLOSING`) inode and uid are 0.
//!
//! The memory is the tracked socket itself, so it ends with it and needs no limit of its own.

use std::sync::Arc;

use crate::model::process::{Holders, Owner};

/// The owner to show: what the sample says, completed by who held the socket `before`.
pub(super) fn complete(before: &Owner, now: &Owner) -> Owner {
    match remembered(before, now) {
        Some(holders) => Owner::Remembered(holders.clone()),
        None => now.clone(),
    }
}

/// Whether completing `now` gives what is known already; costs no allocation.
pub(super) fn is_known(before: &Owner, now: &Owner) -> bool {
    match remembered(before, now) {
        Some(_) => matches!(before, Owner::Remembered(_)),
        None => before == now,
    }
}

/// A socket that a process held has been accepted for ever, so memory also beats `Unaccepted`: an orphan looks like
/// that, and what was not found in time had been held by them. It does not beat `Hidden` and `Unseen`: then somebody
/// holds the socket now, and it may be somebody else.
fn remembered<'a>(before: &'a Owner, now: &Owner) -> Option<&'a Arc<Holders>> {
    match now {
        Owner::None | Owner::Unaccepted | Owner::Vanished => before.holders(),
        Owner::Live(_) | Owner::Remembered(_) | Owner::Hidden | Owner::Unseen => None,
    }
}
