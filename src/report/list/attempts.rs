//! Attempts to connect in a list of groups: what the ledger tells, as rows that can be grouped like sockets.

use std::sync::Arc;

use crate::model::address::Destination;
use crate::model::delta::ObservedSocket;
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::process::{Holders, Owner};
use crate::model::socket::{NetnsId, Socket, SocketId, SocketRef};
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::store::attempt_history::{AttemptKey, AttemptRecord, AttemptWindow, Program};
use crate::store::groups::attempts::GroupAttempts;
use crate::store::row::SocketRow;
use crate::table::connections::COLUMNS;
use crate::table::filter::Filter;

/// What is known of an attempt of which no socket is left: only groups by these columns, and of a filter by these, have
/// attempts.
const KNOWN: &[&str] = &["process", "proto", "raddr", "rport", "remote", "netns"];
/// Of these at least one: attempts are those of somebody, or at somebody.
const WHOSE: &[&str] = &["process", "raddr", "rport", "remote"];

/// Attempts of one program at one destination in the time watched, at most the last quarter of an hour.
pub(super) struct AttemptRow {
    /// As it would stand in the table of sockets.
    pub(super) row: SocketRow,
    /// How many began; or how many were decided, where that is more.
    pub(super) made: u64,
    /// How many of them failed.
    pub(super) failed: u64,
}

/// The attempts that pass `filter`, for groups by the columns `by`; `None` where they are not known: nothing was watched, the
/// trace does not tell, more destinations were tried than are told apart, or groups are made by what is not known of them.
pub(super) fn tried(store: &Store, by: &[usize], filter: &Filter) -> Option<Vec<AttemptRow>> {
    let ledger = store.attempt_history();
    let is_known = by.iter().all(|&index| KNOWN.contains(&COLUMNS[index].key)) && filter.names_only(KNOWN);
    let is_whose = by.iter().any(|&index| WHOSE.contains(&COLUMNS[index].key));
    let is_watched =
        GroupAttempts::are_told(store) && !ledger.over(AttemptWindow::Quarter).is_zero() && !ledger.is_full();
    if !is_known || !is_whose || !is_watched {
        return None;
    }
    let entries = ledger.entries().filter_map(|(key, entry)| {
        let counts = ledger.counts(entry, AttemptWindow::Quarter);
        let (made, failed) = (u64::from(counts.begun().max(counts.decided())), u64::from(counts.failed()));
        let tried = AttemptRow { row: row(key, entry, store)?, made, failed };
        (made > 0 && filter.matches(&tried.row, store)).then_some(tried)
    });
    Some(entries.collect())
}

/// The row of an attempt; `None` for what came in.
fn row(key: &AttemptKey, entry: &AttemptRecord, store: &Store) -> Option<SocketRow> {
    let AttemptKey::To { program, to, netns } = key else { return None };
    let process = entry.process().filter(|_| matches!(program, Program::Named(_)));
    let holders = process.and_then(|process| Holders::new(vec![Arc::clone(process)]));
    let owner = holders.map_or(Owner::None, |holders| Owner::Remembered(Arc::new(holders)));
    let known = ObservedSocket { socket: socket(*to, *netns, owner), state_since: None, first_seen: store.at() };
    Some(SocketRow { connection: known.into(), mark: None })
}

fn socket(to: Destination, netns: NetnsId, owner: Owner) -> Socket {
    let remote = Endpoint::new(to.address.ip(), to.port);
    let reference = SocketRef {
        id: SocketId::from_cookie(0, netns),
        protocol: Protocol::Tcp,
        local: Endpoint::new(remote.family().unspecified(), 0),
        remote,
        interface: to.address.zone(),
    };
    Socket::known_by(&reference, TcpState::Close, owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delta::{Delta, Transition};
    use crate::model::event::{EventSourceStatus, EventStatus};
    use crate::model::outcome::{EndReport, SocketError};
    use crate::model::tcp_state::TcpState::{Established, SynSent};
    use crate::model::testing::{connection, process, source_info, tcp, transition};
    use crate::model::time::Timestamp;
    use crate::report::format::Format;
    use crate::report::list::{GroupBy, List};

    /// app tries the database three times and fails, the cache once and succeeds; other tries the cache.
    fn store(trace: EventSourceStatus, looks: u64) -> Store {
        let attempt = |nth: u64, to: &str, name| tcp(nth).remote(to).held_by(&[process(7, name)]);
        let refused = |nth| {
            let socket = || attempt(nth, "10.0.0.9:5432", "app");
            let report = EndReport::Error(SocketError::Refused);
            let end = Transition { report, ..transition(socket(), 10_500, Some(SynSent), None) };
            [transition(socket(), 10_400, None, Some(SynSent)), end]
        };
        let made = |nth, name| transition(attempt(nth, "10.0.0.31:6379", name), 10_500, None, Some(Established));
        let mut store = Store::new(source_info());
        let event_status = EventStatus { trace, ..EventStatus::default() };
        let added = vec![connection(attempt(4, "10.0.0.31:6379", "app").build(), 0)];
        let at = Timestamp::from_millis(10_000);
        store.apply(Delta { added, at, event_status: event_status.clone(), ..Delta::default() });
        for look in 1..looks {
            let transitions = [refused(1), refused(2), refused(3), [made(4, "app"), made(5, "other")]].concat();
            let at = Timestamp::from_millis(10_000 + look * 1_000);
            store.apply(Delta { transitions, at, event_status: event_status.clone(), ..Delta::default() });
        }
        store
    }

    /// What CSV has of groups by `keys`: those, the sockets, attempts and failures; sorted.
    fn listed(store: &Store, keys: &[&str], filter: &str) -> Vec<String> {
        let columns = keys.iter().copied().chain(["count", "attempts", "attempts_failed"]);
        let groups = GroupBy::by(keys.iter().copied()).and_then(|groups| groups.with_columns(columns)).expect("valid");
        let filter = Filter::parse(filter).expect("valid");
        let list = List { filter, format: Format::Csv, groups: Some(groups), ..List::default() };
        let mut out = Vec::new();
        list.write(store, &mut out).expect("a vector takes all");
        let mut lines: Vec<_> = String::from_utf8(out).expect("text").lines().skip(1).map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn what_was_tried_counts_for_its_group_also_without_a_socket() {
        let store = store(EventSourceStatus::On, 2);
        assert_eq!(listed(&store, &["process"], ""), ["app,1,4,3", "other,0,1,0"]);
        let expected = ["10.0.0.31,6379,1,2,0", "10.0.0.9,5432,0,3,3"];
        assert_eq!(listed(&store, &["raddr", "rport"], ""), expected);
        assert_eq!(listed(&store, &["process", "rport"], "rport:6379"), ["app,6379,1,1,0", "other,6379,0,1,0"]);
    }

    #[test]
    fn what_nobody_watched_or_nothing_tells_is_not_none() {
        for (trace, looks) in
            [(EventSourceStatus::On, 1), (EventSourceStatus::Off, 2), (EventSourceStatus::Refused("no".into()), 2)]
        {
            assert_eq!(listed(&store(trace, looks), &["process"], ""), ["app,1,,"]);
        }
        let store = store(EventSourceStatus::On, 2);
        assert_eq!(listed(&store, &["state"], ""), ["ESTABLISHED,1,,"], "attempts have no state");
        assert_eq!(listed(&store, &["proto"], ""), ["tcp,1,,"], "nobody's");
        assert_eq!(listed(&store, &["process"], "state:established"), ["app,1,,"], "which of them had it?");
        assert_eq!(listed(&store, &["process"], "app"), ["app,1,,"], "a bare word may mean anything");
    }
}
