//! Who listens where the connections of a finding came in, or where they go, in words.

use crate::diagnosis::case::Case;
use crate::diagnosis::subject::{Subject, listening, stands_for_listener};
use crate::model::socket::Socket;
use crate::store::listeners::{ListenAddress, ListenerMatch};

/// So many listeners are named that something may be put down to.
const NAMED_MAX: usize = 3;

/// The process that listens for connections that came in: where several listeners share the place and nothing distinguishes them
/// apart, all that it can be, or how many.
pub(super) fn accepting(case: &Case) -> Subject {
    let Some((socket, came_by)) = came_by(case) else { return listening(case.group) };
    if case.group.processes.len() > 0 {
        return listening(case.group);
    }
    if let Some(listener) = came_by.listener {
        let row = case.context.store.rows().live(listener.id);
        return stands_for_listener(row.and_then(|row| row.connection.socket.owner.no_process()));
    }
    let mut names: Vec<Option<String>> = Vec::new();
    for listener in came_by.possible(socket) {
        let name = listener.process().map(ToString::to_string);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.into_iter().collect::<Option<Vec<String>>>() {
        Some(names) if names.len() <= NAMED_MAX => Subject::one(names.join(" or ")),
        _ => Subject::one(format!("one of {} listeners", came_by.count())),
    }
}

/// One of the connections that came in, and what is known of its listener.
pub(super) fn came_by<'a>(case: &Case<'a>) -> Option<(&'a Socket, ListenerMatch<'a>)> {
    let (_, id) = case.group.examples.first()?;
    let socket = &case.context.store.rows().live(*id)?.connection.socket;
    Some((socket, case.context.sides.came_by(socket)?))
}

/// Who listens on this machine where the connections of a group go; `None` where that is not known to be here.
pub(super) fn called_here(case: &Case) -> Option<String> {
    let store = case.context.store;
    let sockets = case.group.examples.iter().filter_map(|(_, id)| store.rows().live(*id));
    let called = sockets.map(|row| &row.connection.socket).find_map(|socket| store.listeners().target_of(socket))?;
    match called.all() {
        [only] => only.process().map(ToString::to_string),
        several => Some(format!("one of {} listeners", several.len())),
    }
}

/// ` (1 of 3 listeners)` for a listener that shares its place with others; nothing else.
pub(super) fn among_listeners(case: &Case) -> String {
    match listeners_of_place(case) {
        0 | 1 => String::new(),
        count => format!(" (1 of {count} listeners)"),
    }
}

/// How many listeners share the place of the listener that a finding is about.
fn listeners_of_place(case: &Case) -> usize {
    let store = case.context.store;
    let row = case.group.key.listener.and_then(|id| store.rows().live(id));
    row.map_or(0, |row| store.listeners().count_at(ListenAddress::of(&row.connection.socket)))
}
