//! The sums that are kept are those that a first look at the same sockets comes to.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::delta::{AgeBasis, Delta, Rates, Removed};
use crate::model::process::{Holders, Owner};
use crate::model::tcp_state::TcpState;
use crate::model::testing::{SocketBuilder, connection, listener, process, source_info, tcp, udp};
use crate::store::Store;
use crate::store::alike::key::{AlikeOwner, PortRole};

fn delta(second: u64) -> Delta {
    Delta { at: Timestamp::from_millis(second * 1_000), ..Delta::default() }
}

fn store_of(sockets: Vec<SocketBuilder>) -> Store {
    let mut store = Store::new(source_info());
    let added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
    store.apply(Delta { added, ..delta(100) });
    store
}

/// Owner, peer, state and number of sockets of each set, in words.
fn told(store: &Store) -> Vec<String> {
    let alike = store.rows().alike();
    let words = |set: &AlikeSockets| {
        let process = set.process.as_ref().map_or("-", |process| process.name.as_str());
        let was = if matches!(set.key.owner, AlikeOwner::Remembered(_)) { "was " } else { "" };
        let peer = match set.key.peer {
            AlikePeer::Remote { address, port, .. } => format!("{}:{port}", address.ip()),
            AlikePeer::Here { port, role } => format!(":{port} {role:?}"),
            AlikePeer::Nowhere => "nowhere".to_owned(),
            AlikePeer::Others => "others".to_owned(),
        };
        format!("{was}{process} {peer} {} {}", set.key.state.name(), set.sums.sockets)
    };
    let mut told: Vec<_> = alike.iter().map(|(_, set)| words(set)).collect();
    told.sort_unstable();
    told
}

fn left_by(pid: u32, name: &str) -> Owner {
    Owner::Remembered(Arc::new(Holders::new(vec![process(pid, name)]).expect("one process")))
}

#[test]
fn sockets_are_alike_by_process_peer_and_state() {
    let (nginx, api, pool) = (process(812, "nginx"), process(6002, "report-api"), process(4121, "jdbc-pool"));
    let at = |cookie: u64, port: u16| tcp(cookie).local(&format!("10.0.0.7:{port}")).remote("10.9.0.1:40000");
    let leaked =
        |cookie| tcp(cookie).remote("10.0.0.20:5432").state(TcpState::CloseWait).held_by(std::slice::from_ref(&pool));
    let store = store_of(vec![
        listener(1, 443).held_by(&[nginx.clone(), process(813, "nginx")]),
        listener(2, 9090).held_by(&[api]),
        at(3, 443).held_by(std::slice::from_ref(&nginx)),
        at(4, 443).held_by(&[nginx]),
        at(5, 9090).owner(Owner::Unaccepted),
        at(6, 9090).mini(TcpState::SynRecv),
        leaked(7),
        leaked(8),
        tcp(9).mini(TcpState::TimeWait).owner(left_by(77, "curl")),
        tcp(10).mini(TcpState::TimeWait).owner(left_by(78, "curl")),
        udp(11, 53).held_by(&[process(611, "resolve")]),
    ]);
    assert_eq!(
        told(&store),
        [
            "jdbc-pool 10.0.0.20:5432 CLOSE_WAIT 2",
            "nginx :443 Clients ESTABLISHED 2",
            "nginx :443 Listening LISTEN 1",
            "report-api :9090 Clients SYN_RECV 1",
            "report-api :9090 Listening LISTEN 1",
            "report-api :9090 Queue ESTABLISHED 1",
            "resolve :53 Listening UNCONN 1",
            "was curl 10.0.0.2:80 TIME_WAIT 2",
        ]
    );
}

#[test]
fn a_listener_that_comes_or_goes_moves_the_connections_at_its_port() {
    let web = process(1, "web");
    let client = |cookie| tcp(cookie).local("10.0.0.7:80").remote("10.0.0.9:50000").held_by(&[process(1, "web")]);
    let mut store = store_of(vec![client(1), client(2)]);
    assert_eq!(told(&store), ["web 10.0.0.9:50000 ESTABLISHED 2"]);
    let added = vec![connection(listener(3, 80).held_by(&[web]), 0)];
    store.apply(Delta { added, ..delta(101) });
    assert_eq!(told(&store), ["web :80 Clients ESTABLISHED 2", "web :80 Listening LISTEN 1"]);
    let gone = Removed { id: listener(3, 80).build().id, at: Timestamp::from_millis(102_000) };
    store.apply(Delta { removed: vec![gone], ..delta(102) });
    assert_eq!(told(&store), ["web 10.0.0.9:50000 ESTABLISHED 2"]);
}

#[test]
fn what_waits_at_the_listeners_of_several_programs_is_nobodys() {
    let waits = tcp(9).local("10.0.0.7:80").remote("10.0.0.9:50000").owner(Owner::Unaccepted);
    let at = |cookie, pid, name| listener(cookie, 80).held_by(&[process(pid, name)]);
    let one = store_of(vec![at(1, 1, "web"), at(2, 2, "web"), waits.clone()]);
    assert!(told(&one).contains(&"web :80 Queue ESTABLISHED 1".to_owned()), "{:?}", told(&one));
    let two = store_of(vec![at(1, 1, "web"), at(2, 2, "other"), waits]);
    assert!(told(&two).contains(&"- :80 Queue ESTABLISHED 1".to_owned()), "{:?}", told(&two));
}

#[test]
fn past_the_limit_remote_ends_share_a_set_and_no_socket_is_lost() {
    let many = u32::try_from(ALIKE_MAX).expect("small") + 500;
    let far = |number: u32| {
        let [_, b, c, d] = number.to_be_bytes();
        tcp(u64::from(number) + 1).remote(&format!("11.{b}.{c}.{d}:443")).held_by(&[process(1, "crawler")])
    };
    let mut store = store_of((0..many).map(far).collect());
    let alike = store.rows().alike();
    assert_eq!(alike.iter().map(|(_, set)| set.sums.sockets).sum::<u32>(), many);
    assert_eq!(alike.iter().count(), ALIKE_MAX + 1);
    assert_eq!(alike.iter().filter(|(_, set)| set.history.is_some()).count(), HISTORIES_MAX);
    let gone = (0..many).map(|number| Removed { id: far(number).build().id, at: Timestamp::from_millis(101_000) });
    store.apply(Delta { removed: gone.collect(), ..delta(101) });
    store.apply(delta(101 + EMPTY_KEPT.as_secs() + 1));
    let alike = store.rows().alike();
    assert_eq!((alike.iter().count(), alike.places.len(), alike.names.len(), alike.histories), (0, 0, 0, 0));
    assert_eq!((alike.at_port.len(), alike.empty.len()), (0, 0));
}

#[test]
fn a_process_that_takes_another_name_has_its_sockets_under_that() {
    let named = |name| tcp(1).held_by(&[process(7, name)]);
    let mut store = store_of(vec![named("sh")]);
    store.apply(Delta { changed: vec![connection(named("app"), 0)], ..delta(101) });
    assert_eq!(told(&store), ["app 10.0.0.2:80 ESTABLISHED 1"]);
    assert_eq!(store.rows().alike().names.len(), 1);
}

/// What is made of one number: a socket of thirty, in one of its forms.
fn made_up(cookie: u64, form: u8, second: u64) -> Connection {
    let states = [TcpState::Established, TcpState::CloseWait, TcpState::FinWait2];
    let holders = [process(1, "web"), process(2, "web"), process(3, "pool")];
    let holder = std::slice::from_ref(&holders[usize::from(form % 3)]);
    let port = 80 + u16::from(form % 2);
    let socket = match cookie % 5 {
        0 => listener(cookie, port).queues(u32::from(form), 8).held_by(holder),
        1 => tcp(cookie).local(&format!("10.0.0.7:{port}")).owner(Owner::Unaccepted),
        2 => tcp(cookie).local(&format!("10.0.0.7:{port}")).held_by(holder),
        3 => tcp(cookie).mini(TcpState::TimeWait).owner(left_by(u32::from(form) + 50, "curl")),
        _ => tcp(cookie).state(states[usize::from(form % 3)]).held_by(holder).queues(u32::from(form / 4), 3),
    };
    let mut made = connection(socket, 0);
    made.set_rates((form > 5).then(|| Rates { received: f32::from(form) * 0.7, sent: 1.0 }));
    let at = Timestamp::from_millis((second * 1_000).saturating_sub(u64::from(form) * 700));
    made.state_since = (!form.is_multiple_of(4)).then_some(Since { at, basis: AgeBasis::Observed });
    made
}

/// What a set says, numbers of names and rows aside.
type SetTold = (AlikeSums, Option<Since>);

fn sets(store: &mut Store) -> BTreeMap<String, SetTold> {
    while !store.renew_oldest(&mut 3) {}
    let alike = store.rows().alike();
    let key = |set: &AlikeSockets| {
        let owner = match set.key.owner {
            AlikeOwner::Remembered(_) => format!("was {}", set.process.as_ref().map_or("", |one| one.name.as_str())),
            other => format!("{other:?}"),
        };
        format!("{owner} {:?} {:?} {:?}", set.key.peer, set.key.protocol, set.key.state)
    };
    let told: BTreeMap<_, _> = alike.iter().map(|(_, set)| (key(set), (set.sums, set.oldest()))).collect();
    assert_eq!(told.len(), alike.iter().count(), "each key once");
    told
}

proptest! {
    #[test]
    fn the_sums_that_are_kept_are_those_made_anew(
        steps in proptest::collection::vec((proptest::collection::vec((0u64..30, 0u8..12, any::<bool>()), 0..12), 1u64..40), 1..12),
    ) {
        let (mut store, mut live) = (Store::new(source_info()), BTreeMap::new());
        let mut second = 100;
        for (touched, after) in steps {
            second += after;
            let mut next = delta(second);
            let mut seen = Vec::new();
            for (cookie, form, goes) in touched {
                if seen.contains(&cookie) {
                    continue;
                }
                seen.push(cookie);
                let made = made_up(cookie, form, second);
                if goes {
                    if live.remove(&cookie).is_some() {
                        next.removed.push(Removed { id: made.socket.id, at: next.at });
                    }
                } else if live.insert(cookie, made.clone()).is_some() {
                    next.changed.push(made);
                } else {
                    next.added.push(made);
                }
            }
            // In slices of a few rows, as the event loop does it.
            let mut intake = store.begin(next);
            while !store.advance(&mut intake, &mut 5) {}
            store.finish(intake);
            let mut anew = Store::new(source_info());
            anew.apply(Delta { added: live.values().cloned().collect(), ..delta(second) });
            prop_assert_eq!(sets(&mut store), sets(&mut anew));
            let rows = store.rows();
            for (index, row) in rows.iter() {
                let set = rows.alike().set_of(index).and_then(|set| rows.alike().get(set));
                prop_assert_eq!(set.is_some(), !row.is_closed());
                prop_assert!(set.is_none_or(|set| set.key.state == row.connection.socket.state));
            }
        }
    }
}

#[test]
fn what_listens_is_told_from_what_came_in() {
    let store = store_of(vec![listener(1, 80).held_by(&[process(1, "web")])]);
    let roles: Vec<_> = store.rows().alike().iter().map(|(_, set)| set.key.peer).collect();
    assert_eq!(roles, [AlikePeer::Here { port: 80, role: PortRole::Listening }]);
}
