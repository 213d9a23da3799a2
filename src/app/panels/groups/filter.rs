//! The filter that shows what a group row adds up: exactly its sockets.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::knowledge::ports;
use crate::model::hosts::HostNumber;
use crate::store::Store;
use crate::store::groups::{Group, GroupKey};
use crate::store::listeners::ListenAddress;
use crate::store::port_pool::PortPool;
use crate::table::cell_term::words_term;
use crate::table::column::{Column, refuse_hint};
use crate::table::connections::{self, has_namespaces};
use crate::table::filter::Filter;
use crate::table::value::Value;

/// The filter that shows the connections of a group which pass `before`, the filter in force.
pub(super) fn within(key: GroupKey, before: &Filter, store: &Store) -> String {
    let mut filter = of(key, store);
    if let Some(term) = key.host().and_then(|host| host_term(host, store)) {
        filter = format!("{filter} {term}");
    }
    // What was added up: the sockets of the group that pass the filter.
    let before = before.text().trim();
    if !before.is_empty() {
        filter = format!("({before}) {filter}");
    }
    if let (GroupKey::PortPool(_), Some(range)) = (key, store.facts().ephemeral_ports) {
        filter = format!("{filter} lport:{}-{}", range.first, range.last);
    }
    if let GroupKey::Listener { place: ListenAddress { netns, .. }, .. }
    | GroupKey::OneOfListeners(ListenAddress { netns, .. })
    | GroupKey::PortPool(PortPool { netns, .. }) = key
        && has_namespaces(store)
    {
        filter = format!("{filter} netns:{}", store.names().namespace_number(netns));
    }
    filter
}

/// The term for the sockets of `host`.
fn host_term(host: HostNumber, store: &Store) -> Option<String> {
    let name = store.names().hosts.0.get(host.place())?;
    words_term(connections::HOST, name.name.as_str()).ok()
}

/// The filter that shows the connections of a group.
fn of(key: GroupKey, store: &Store) -> String {
    match key {
        GroupKey::Process(id) => format!("pid:{}", id.pid),
        GroupKey::NoProcess(why, _) => format!("owner:{}", why.label()),
        GroupKey::Remote { protocol, address, port, .. } => match port {
            Some(port) => format!("proto:{} raddr:{} rport:{port}", protocol.name(), address.filter_text()),
            None => format!("proto:{} raddr:{}", protocol.name(), address.filter_text()),
        },
        GroupKey::PortPool(PortPool { source, to, .. }) => {
            format!("proto:tcp laddr:{} raddr:{} rport:{}", source.filter_text(), to.address.filter_text(), to.port)
        }
        GroupKey::Listener { place, id } => {
            let row = store.rows().find(id).and_then(|index| store.rows().get(index));
            match row.and_then(|row| row.connection.socket.inode) {
                Some(inode) => format!("{} listener:{inode}", filter_of_place(place, store)),
                None => filter_of_place(place, store),
            }
        }
        GroupKey::OneOfListeners(place) => format!("{} listener:?", filter_of_place(place, store)),
    }
}

/// The term of a filter that leaves the rows which have the value of the cell of `group` in `column`. What a row adds up is no
/// value of a socket, and has none.
pub(super) fn cell_term(column: &Column<Group>, group: &Group, store: &Store) -> Result<String, String> {
    refuse_hint(column)?;
    let value = (column.value)(group, store);
    match (column.key, group.key) {
        ("local", GroupKey::Listener { place, .. } | GroupKey::OneOfListeners(place)) => {
            Ok(filter_of_place(place, store))
        }
        ("remote" | "raddr", _) => words_term(column.key, &value.text()),
        (connections::HOST, _) => words_term(connections::HOST, &value.text()),
        ("source", _) => words_term("laddr", &value.text()),
        ("rport", GroupKey::Remote { port: None, .. }) => {
            Err("these came in, each from a port of its own: no filter selects by that".to_owned())
        }
        ("process", GroupKey::NoProcess(why, _)) => Ok(format!("owner:{}", why.label())),
        ("process", GroupKey::OneOfListeners(_)) => Ok("listener:?".to_owned()),
        ("user", _) => Err(format!(
            "this is the user of the process, and a filter asks for that of each socket: write user:{} with /",
            value.text()
        )),
        ("service", key) => service_term(key, &value),
        ("process" | "pid" | "command" | "rport" | "proto", _) => socket_term(column, &value),
        _ => Err(format!(
            "{} is added up over the sockets of a row, so no filter selects by it; s sorts by it",
            column.title
        )),
    }
}

/// The term for the ports on which a service is usual: those of the other end, but of a listener its own.
fn service_term(key: GroupKey, value: &Value<'_>) -> Result<String, String> {
    let name = value.text();
    let ports: BTreeSet<u16> =
        ports::services().filter(|(_, _, known)| *known == name).map(|(_, port, _)| port).collect();
    if ports.is_empty() {
        return Err("no service is known for this port, so there is none to filter by".to_owned());
    }
    let ports: Vec<_> = ports.iter().map(u16::to_string).collect();
    let end = if matches!(key, GroupKey::Listener { .. } | GroupKey::OneOfListeners(_)) { "lport" } else { "rport" };
    Ok(format!("{end}:{}", ports.join(",")))
}

/// The term for a value that each socket of the row has.
fn socket_term(column: &Column<Group>, value: &Value<'_>) -> Result<String, String> {
    match (column.key, value) {
        ("process", Value::Process(owner)) => match owner.process() {
            Some(process) => words_term("program", process.name.as_str()),
            None => Ok(format!("owner:{}", owner.label())),
        },
        ("process", Value::Text(name)) => words_term("program", name),
        ("process", Value::Owned(name)) => words_term("program", name.strip_prefix("was ").unwrap_or(name)),
        ("pid" | "rport", value) if value.scalar().is_some() => {
            Ok(format!("{}:{}", column.key, value.scalar().unwrap_or_default()))
        }
        ("proto", value) => Ok(format!("proto:{}", value.text())),
        (key, Value::Missing) => Ok(format!("{key}:?")),
        (key, value) => words_term(key, &value.text()),
    }
}

/// What comes in at `place`, and not at another place with the same port.
fn filter_of_place(place: ListenAddress, store: &Store) -> String {
    let ListenAddress { protocol, local, netns, .. } = place;
    let mut filter = format!("proto:{} lport:{}", protocol.name(), local.port);
    // Writing to a string does not fail.
    if !local.addr.is_unspecified() {
        let _ = write!(filter, " laddr:{}", place.destination().address.filter_text());
        return filter;
    }
    // What a listener takes is bound to its interface, too.
    if let Some(index) = place.interface {
        let _ = write!(filter, " laddr:0.0.0.0/0%{index},::/0%{index}");
    }
    let mut others: Vec<_> =
        store.listeners().places_of(protocol, local.port, netns).map(|other| other.local.addr).collect();
    others.sort_unstable();
    others.dedup();
    for other in others.into_iter().filter(|other| *other != local.addr) {
        let _ = if other.is_unspecified() {
            write!(filter, " family:{}", local.family().name())
        } else {
            write!(filter, " !laddr:{other}")
        };
    }
    filter
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::model::delta::Delta;
    use crate::model::process::Owner;
    use crate::model::tcp_state::TcpState;
    use crate::model::testing::{connection, listener, process, source_info, tcp, udp};
    use crate::store::groups::{self, Grouping};

    /// Workers that share a port, one of which hangs; one on the very address, one on a device, one of IPv6; datagrams.
    fn store() -> Store {
        let worker = |nth: u32| process(100 + nth, "worker");
        let at = |cookie: u64, local: &str| tcp(cookie).local(local).remote(&format!("10.0.0.9:{}", 40_000 + cookie));
        let sockets = [
            listener(1, 80).queues(0, 8).held_by(&[worker(1)]),
            listener(2, 80).queues(9, 8).held_by(&[worker(2)]),
            listener(3, 80).local("10.0.0.7:80").held_by(&[worker(3)]),
            listener(4, 80).held_by(&[worker(4)]).with(|socket| socket.interface = NonZeroU32::new(3)),
            listener(5, 80).local("[::]:80").remote("[::]:0").held_by(&[worker(5)]),
            udp(6, 53).held_by(&[worker(6)]),
            udp(7, 53).held_by(&[worker(7)]),
            at(10, "10.0.0.1:80").held_by(&[worker(1)]),
            at(11, "10.0.0.1:80").owner(Owner::Unaccepted),
            at(12, "10.0.0.1:80").state(TcpState::SynRecv),
            at(13, "10.0.0.7:80").held_by(&[worker(3)]),
            at(14, "10.0.0.1:80").with(|socket| socket.interface = NonZeroU32::new(3)),
            at(15, "[2001:db8::1]:80").remote("[2001:db8::2]:40000"),
            at(16, "10.0.0.1:50000").remote("10.0.0.8:80"),
        ];
        let mut store = Store::new(source_info());
        let added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
        store.apply(Delta { added, ..Delta::default() });
        store
    }

    #[test]
    fn the_filter_of_a_listener_shows_what_its_row_adds_up_and_nothing_else() {
        let store = store();
        let found = groups::by(&store, Grouping::Listener);
        assert_eq!(found.len(), 8, "seven listeners, and the handshake that may be of either of two");
        for group in found {
            let text = of(group.key, &store);
            let filter = Filter::parse(&text).expect("valid");
            let mut expected = groups::rows_of(&store, group.key);
            let rows = store.rows().iter().filter(|(_, row)| filter.matches(row, &store));
            let mut shown: Vec<_> = rows.map(|(index, _)| index).collect();
            expected.sort_unstable();
            shown.sort_unstable();
            assert_eq!(shown, expected, "{text}");
        }
    }
}
