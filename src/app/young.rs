//! What is too young to be held against anybody.

use std::time::Duration;

use crate::store::Store;
use crate::store::rows::Row;

/// A verdict on a state as young as this is no news yet: every close takes a moment.
const VERDICT_AFTER: Duration = Duration::from_secs(5);

/// Whether a connection is in its state for so short a time that nothing can be said against it.
pub fn is_too_young(row: &Row, store: &Store) -> bool {
    row.connection.state_since.is_some_and(|since| since.age(store.at()) < VERDICT_AFTER)
}
