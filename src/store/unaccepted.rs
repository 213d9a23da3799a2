//! Connections that wait to be accepted, and at which of several listeners of one place each can be.
//!
//! One sample tells that only where a single queue is not empty. But a connection that waits stays in its queue: a listener
//! whose queue was empty in any sample since the connection was first seen is not the one. So a few samples tell a listener
//! that hangs from busy ones beside it.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::memory::TableSize;
use crate::model::socket::SocketId;

/// The most connections that are remembered; of others one sample tells.
pub const WAITING_LEN_MAX: usize = 16_384;

/// What the samples told.
#[derive(Clone, Debug, Default)]
pub struct UnacceptedConnections {
    /// The listeners that each can wait at, ascending. Those of one place share one value.
    possible: FxHashMap<SocketId, Arc<[SocketId]>>,
    /// The same of the sample before, while one is taken in.
    before: FxHashMap<SocketId, Arc<[SocketId]>>,
    /// The last answer: most connections have that of the one before them.
    last: Option<Arc<[SocketId]>>,
}

impl UnacceptedConnections {
    /// The listeners that the connection `id` can wait at; `None` where nothing is remembered.
    pub fn possible(&self, id: SocketId) -> Option<&[SocketId]> {
        self.possible.get(&id).map(AsRef::as_ref)
    }

    /// What it holds.
    pub(super) fn table_sizes(&self) -> TableSize {
        TableSize::by("waiting connections", &self.possible)
    }

    /// A sample begins.
    pub(super) fn begin(&mut self) {
        self.before = std::mem::take(&mut self.possible);
        self.last = None;
    }

    /// The connection `id` waits, by this sample alone at one of the listeners `now`.
    pub(super) fn note(&mut self, id: SocketId, mut now: Vec<SocketId>) {
        if self.possible.len() == WAITING_LEN_MAX {
            return;
        }
        now.sort_unstable();
        if let Some(before) = self.before.get(&id) {
            let both = |id: &SocketId| before.binary_search(id).is_ok();
            // None is left where the table changed while it was read.
            if now.iter().any(both) {
                now.retain(both);
            }
        }
        let shared = self.last.take().filter(|last| **last == *now).unwrap_or_else(|| now.into());
        self.possible.insert(id, Arc::clone(&shared));
        self.last = Some(shared);
    }

    /// The sample is complete.
    pub(super) fn finish(&mut self) {
        (self.before, self.last) = (FxHashMap::default(), None);
    }
}
