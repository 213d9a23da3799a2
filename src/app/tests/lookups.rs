//! Names of hosts: who is asked about, when the screen changes, and what names must not do.

use std::net::IpAddr;

use super::*;
use crate::model::host_name::{HostName, Lookups, Named};
use crate::table::column::PEER_NAME;

fn peer(number: usize) -> IpAddr {
    format!("8.8.{}.{}", number / 250, number % 250 + 1).parse().expect("an address")
}

fn named(number: usize, name: &str) -> Named {
    (peer(number), HostName::new(name.as_bytes()))
}

/// An app of 120x40 with `count` connections, each to another peer; their names are asked for.
fn app_of(count: usize) -> App {
    let sockets = (0..count).map(|number| {
        let remote = format!("{}:443", peer(number));
        tcp(number as u64 + 1).remote(&remote).held_by(&[nginx()])
    });
    app_with(|config| config.size = (120, 40), sockets.collect())
}

/// What was asked for last.
fn asked(effects: &[Effect]) -> Option<Vec<IpAddr>> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::LookUp(addresses) => Some(addresses.clone()),
        _ => None,
    })
}

fn peers(numbers: std::ops::Range<usize>) -> Vec<IpAddr> {
    numbers.map(peer).collect()
}

#[test]
fn nothing_is_asked_before_the_key_and_after_the_second_time() {
    let mut app = app_of(5);
    assert_eq!(asked(&send(&mut app, delta(101))), None);
    assert_eq!(asked(&press(&mut app, "n")), Some(peers(0..5)));
    assert!(notice(&app).contains("public addresses"));
    assert_eq!(asked(&send(&mut app, delta(102))), None, "the same is not asked for twice");
    app.turn(Msg::HostNames(vec![named(0, "a.example")]));
    assert!(app.store.host_names().get(peer(0)).is_some());
    assert_eq!(asked(&press(&mut app, "n")), Some(Vec::new()));
    app.turn(Msg::HostNames(vec![named(0, "late.example")]));
    assert!(app.store.host_names().is_empty());
}

#[test]
fn only_what_is_on_the_screen_is_asked_about() {
    let mut app = app_of(5_000);
    app.background(usize::MAX);
    let press = |app: &mut App, keys: &str| {
        let mut effects = press(app, keys);
        effects.extend(app.background(usize::MAX));
        effects
    };
    let first = asked(&press(&mut app, "n")).expect("a request");
    assert_eq!(first, peers(0..first.len()));
    assert!(first.len() <= 40, "{}", first.len());
    let last = asked(&press(&mut app, "G")).expect("another page");
    assert_eq!(last, peers(5_000 - last.len()..5_000));
    app.open_detail(id(7));
    assert_eq!(asked(&send(&mut app, delta(101))), Some(vec![peer(6)]));
    assert_eq!(asked(&code(&mut app, KeyCode::Esc)), Some(last));
    assert_eq!(asked(&press(&mut app, "5")), Some(Vec::new()), "the states name no peers");
    assert!(asked(&press(&mut app, "3")).is_some_and(|remotes| !remotes.is_empty() && remotes.len() <= 40));
    assert_eq!(asked(&press(&mut app, "4")), Some(Vec::new()), "listeners have none");
}

#[test]
fn where_there_is_no_room_for_names_nobody_is_asked() {
    let mut app = app_of(5);
    app.turn(Msg::Resize(50, 20));
    assert_eq!(asked(&press(&mut app, "n")), None);
    assert_eq!(asked(&app.turn(Msg::Resize(80, 24))), Some(peers(0..5)));
}

#[test]
fn only_a_name_that_is_new_and_can_be_seen_is_worth_a_frame() {
    let mut app = app_of(500);
    press(&mut app, "n");
    let mut is_drawn = |names: Vec<Named>| {
        app.take_dirty();
        app.turn(Msg::HostNames(names));
        app.take_dirty()
    };
    assert!(is_drawn(vec![named(0, "a.example")]));
    assert!(!is_drawn(vec![named(0, "a.example")]), "the same again");
    assert!(!is_drawn(vec![named(400, "far.example")]), "not on the screen");
    assert!(!is_drawn(vec![(peer(1), None)]), "no name before, none now");
    assert!(is_drawn(vec![(peer(0), None)]), "it is gone");
}

#[test]
fn a_name_moves_neither_rows_nor_columns_and_decides_nothing() {
    let mut app = app_of(60);
    press(&mut app, "nj");
    let look = |app: &App| {
        let shown = app.panels.connections.columns.shown(120);
        (shown, app.panels.connections.view.order().to_vec(), selected(app))
    };
    let before = look(&app);
    assert!(before.0.iter().any(|place| COLUMNS[place.index].key == PEER_NAME));
    let long = "a.very-long-name-of-a-host.in-some-data-center.of-somebody.example.com";
    for (number, name) in ["a.example", "zzz.example", long, "x"].into_iter().enumerate() {
        app.turn(Msg::HostNames(vec![named(number, name)]));
        app.turn(Msg::Resize(120, 40));
        assert_eq!(look(&app), before, "{name}");
    }
    send(&mut app, delta(101));
    assert_eq!(look(&app), before);
    // A word that is only in a name finds nothing, and a filter or a sort by names is refused.
    app.apply_filter("zzz");
    app.background(usize::MAX);
    assert!(app.panels.connections.view.order().is_empty());
    for text in ["rname:zzz", "rname:*", "!rname:/z/"] {
        let error = Filter::parse(text).expect_err(text);
        assert!(error.to_string().contains("nothing is filtered or sorted by them"), "{error}");
    }
    assert!(SortKey::parse(COLUMNS, "-rname").is_err_and(|error| error.contains("raddr")));
}

#[test]
fn the_sort_steps_over_names_and_the_menu_says_why() {
    let mut app = app_of(5);
    press(&mut app, "n");
    for _ in 0..COLUMNS.len() {
        press(&mut app, "<");
    }
    let mut keys = Vec::new();
    for _ in 0..COLUMNS.len() {
        let sort = app.panels.connections.view.sort();
        keys.push(COLUMNS[sort.column].key);
        press(&mut app, ">");
    }
    assert!(keys.contains(&"remote") && keys.contains(&"state") && !keys.contains(&PEER_NAME), "{keys:?}");
    let line = COLUMNS.iter().position(|column| column.key == PEER_NAME).expect("a column");
    let before = app.panels.connections.view.sort();
    app.open_menu(MenuChoice::Column, line);
    enter(&mut app);
    assert_eq!(app.panels.connections.view.sort(), before);
    assert!(notice(&app).contains("reverse DNS names are not trusted"));
}

#[test]
fn what_is_forbidden_stays_so_and_says_why() {
    let mut app = app_of(5);
    app.config.settings.lookups = Lookups::Forbidden;
    assert_eq!(asked(&press(&mut app, "n")), None);
    assert!(notice(&app).contains("--no-dns"));
    assert_eq!(app.config.settings.lookups, Lookups::Forbidden);
    app.turn(Msg::HostNames(vec![named(0, "a.example")]));
    assert!(app.store.host_names().is_empty());
}

#[test]
fn names_wanted_from_the_start_are_asked_for_with_the_first_sample() {
    let mut app = app_with(
        |config| {
            config.size = (120, 40);
            config.settings.lookups = Lookups::On;
        },
        Vec::new(),
    );
    let added = vec![connection(tcp(1).remote("8.8.0.1:443"), 0)];
    assert_eq!(asked(&send(&mut app, Delta { added, ..delta(101) })), Some(vec![peer(0)]));
}
