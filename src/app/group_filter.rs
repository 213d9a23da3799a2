//! The filter that shows what a group row adds up: exactly its sockets.

use std::fmt::Write;

use crate::model::process::NoProcess;
use crate::store::Store;
use crate::store::groups::GroupKey;
use crate::store::listeners::ListenPlace;

/// The filter that shows the connections of a group.
pub(super) fn of(key: GroupKey, store: &Store) -> String {
    match key {
        GroupKey::Process(id) => format!("pid:{}", id.pid),
        GroupKey::NoProcess(why) => match why {
            NoProcess::Unaccepted => "owner:unaccepted".to_owned(),
            NoProcess::Hidden => "owner:hidden".to_owned(),
            NoProcess::Vanished => "owner:vanished".to_owned(),
            NoProcess::None => "owner:none".to_owned(),
        },
        GroupKey::Remote { protocol, addr, port } => match port {
            Some(port) => format!("proto:{} raddr:{addr} rport:{port}", protocol.name()),
            None => format!("proto:{} raddr:{addr}", protocol.name()),
        },
        GroupKey::Route(route) => {
            format!("proto:tcp laddr:{} raddr:{} rport:{}", route.source, route.remote.addr, route.remote.port)
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
fn filter_of_place(place: ListenPlace, store: &Store) -> String {
    let ListenPlace { protocol, local, netns, .. } = place;
    let mut filter = format!("proto:{} lport:{}", protocol.name(), local.port);
    // Writing to a string does not fail.
    if !local.addr.is_unspecified() {
        let _ = write!(filter, " laddr:{}", local.addr);
        return filter;
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
