//! Which connections are in their state for too short a time to be judged.

use std::time::Duration;

use crate::store::Store;
use crate::store::row::SocketRow;

/// Before this time nothing is concluded from a state: every close takes a moment.
const VERDICT_AFTER: Duration = Duration::from_secs(5);

/// What stands in place of a verdict on it.
pub const TOO_YOUNG: &str = "too young to judge";

/// Whether a connection is in its state for so short a time that nothing is concluded from it.
pub fn is_too_young(row: &SocketRow, store: &Store) -> bool {
    row.connection.state_since.is_some_and(|since| since.age(store.at()) < VERDICT_AFTER)
}
