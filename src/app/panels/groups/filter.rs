//! The filter that shows what a group row adds up: exactly its sockets.

use std::fmt::Write;

use crate::store::Store;
use crate::store::groups::GroupKey;
use crate::store::listeners::ListenAddress;
use crate::store::port_pool::PortPool;
use crate::table::connections::has_namespaces;
use crate::table::filter::Filter;

/// The filter that shows the connections of a group which pass `before`, the filter in force.
pub(super) fn within(key: GroupKey, before: &Filter, store: &Store) -> String {
    let mut filter = of(key, store);
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
        filter = format!("{filter} netns:{}", netns.0);
    }
    filter
}

/// The filter that shows the connections of a group.
fn of(key: GroupKey, store: &Store) -> String {
    match key {
        GroupKey::Process(id) => format!("pid:{}", id.pid),
        GroupKey::NoProcess(why) => format!("owner:{}", why.label()),
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
