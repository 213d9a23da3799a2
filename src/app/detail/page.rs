//! The details that are open: of which socket, what was last seen of it, and which part is on the screen.

use crate::app::related::{RelatedSearch, RelatedSockets};
use crate::app::scroll::Scroll;
use crate::model::socket::SocketId;
use crate::store::Store;
use crate::store::closed::ClosedConnection;
use crate::store::row::SocketRow;

/// The detail view.
#[derive(Debug)]
pub struct DetailPage {
    /// The socket that is shown.
    pub id: SocketId,
    /// The row as last seen; it stays when the store forgets it. `None`: only the log remembers the socket.
    pub row: Option<SocketRow>,
    /// Which part of it is on the screen.
    pub scroll: Scroll,
    /// What is known of other sockets.
    pub related: RelatedSockets,
    /// The search for related sockets, while it is under way.
    search: Option<RelatedSearch>,
}

impl DetailPage {
    /// The details of `id`, as far as `store` knows it.
    pub(in crate::app) fn new(id: SocketId, store: &Store) -> Self {
        let mut page =
            Self { id, row: None, scroll: Scroll::default(), related: RelatedSockets::default(), search: None };
        page.renew(store);
        page
    }

    /// The store has changed: takes the row again and starts to search anew. What was found before stands until then.
    pub(in crate::app) fn renew(&mut self, store: &Store) {
        if let Some(index) = store.rows().find(self.id) {
            self.row = store.rows().get(index).cloned();
        } else if self.row.is_none() {
            let closed = store.closed().find(self.id).filter(|closed| closed.last.is_some());
            self.row = closed.map(ClosedConnection::row);
        }
        let search = self.row.as_ref().map(|row| RelatedSearch::new(row, store));
        self.search = search.filter(RelatedSearch::has_work);
    }

    /// Whether [`advance`](Self::advance) has work to do.
    pub(in crate::app) const fn is_searching(&self) -> bool {
        self.search.is_some()
    }

    /// Goes on with the search, as far as `steps` allows; answers whether it is finished.
    pub(in crate::app) fn advance(&mut self, store: &Store, steps: &mut usize) -> bool {
        let (Some(row), Some(search)) = (&self.row, &mut self.search) else { return false };
        let Some(found) = search.advance(&row.connection.socket, store, steps) else { return false };
        self.related = found;
        self.search = None;
        true
    }
}
