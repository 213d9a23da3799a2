//! Who is at the other end of the connections of a finding, where that is a process of this machine.

use crate::diagnosis::case::{Case, Context};
use crate::model::exposure::Exposure;
use crate::model::socket::{NetnsId, Socket};
use crate::model::units;
use crate::store::row::SocketRow;

/// So many processes are named; of more it is said how many there are.
const NAMED_MAX: usize = 3;

/// What is known of the other end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OtherEnd {
    /// `redis-cli[412]`; `redis-cli[412] or worker[7]` where the connections have several.
    pub(super) name: Option<String>,
    /// Its network namespace, where that is another one.
    namespace: Option<String>,
    /// The state of its sockets, where they share one that is not `ESTABLISHED`.
    state: Option<&'static str>,
    /// Where to look, if nobody is found and somebody may be in a namespace that is not shown.
    hint: Option<String>,
}

impl OtherEnd {
    /// Of the examples of a group.
    pub(super) fn of(case: &Case) -> Self {
        let store = case.context.store;
        let own = case.group.examples.iter().filter_map(|(_, id)| store.rows().live(*id));
        let mut found: Vec<&SocketRow> = own.filter_map(|row| store.peer(&row.connection.socket)).collect();
        found.dedup_by_key(|row| row.connection.socket.id);
        let Some(first) = found.first().map(|row| &row.connection.socket) else {
            return Self { hint: hint(case), ..Self::default() };
        };
        let is_state = found.iter().all(|row| row.connection.socket.state == first.state);
        let state = Some(first.state.name()).filter(|name| is_state && *name != "ESTABLISHED");
        Self { name: named(&found), namespace: namespace(case, first.id.netns()), state, hint: None }
    }

    /// All of it, for the evidence: `redis-cli[412], in CLOSE_WAIT, in the network namespace blue`.
    pub(super) fn words(&self) -> Option<String> {
        let Some(name) = &self.name else { return self.hint.clone() };
        let state = self.state.map_or_else(String::new, |state| format!(", in {state}"));
        let namespace =
            self.namespace.as_ref().map_or_else(String::new, |name| format!(", in the network namespace {name}"));
        Some(format!("{name}{state}{namespace}"))
    }
}

/// What waits at the other end of `socket` to be sent, in bytes, where that is on this machine.
pub(super) fn waits_there(context: &Context, socket: &Socket) -> u64 {
    let peer = context.store.peer(socket).and_then(|row| row.connection.socket.queues);
    peer.and_then(|queues| queues.send).map_or(0, u64::from)
}

fn named(rows: &[&SocketRow]) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    for row in rows {
        let owner = &row.connection.socket.owner;
        let process = owner.holders().map(|holders| holders.first());
        let name = process.map_or_else(|| "an unidentified local process".to_owned(), ToString::to_string);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    match names.len() {
        0 => None,
        1..=NAMED_MAX => Some(names.join(" and ")),
        several => Some(format!("{} and {} more processes", names[0], units::count(several as u64 - 1))),
    }
}

fn namespace(case: &Case, netns: NetnsId) -> Option<String> {
    let names = case.context.store.names();
    let is_other = netns != case.group.key.netns;
    is_other.then(|| names.namespace_text(netns))
}

/// A peer with an address that only a private network has may be a container of this machine.
fn hint(case: &Case) -> Option<String> {
    let store = case.context.store;
    let (_, id) = case.group.examples.first()?;
    let remote = store.rows().live(*id)?.connection.socket.destination().address.ip();
    let may_be = store.coverage().other_namespaces > 0 && Exposure::of(remote) == Exposure::Private;
    may_be.then(|| "not known here; --all-netns shows whether it is a container of this machine".to_owned())
}
