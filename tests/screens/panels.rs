//! The tabs States, Ports and Listeners on the made-up server: what a person sees after a minute and a half, and where
//! the keys lead. `INSTA_UPDATE=always cargo test --test screens` rewrites the pictures; they are reviewed like code.

use std::sync::Arc;

use conntop::app::msg::Msg;
use conntop::app::{App, Config};
use conntop::model::delta::{Connection, Delta, Transition};
use conntop::model::facts::{Facts, PortRange};
use conntop::model::snapshot::{Needs, Snapshot, SourceInfo};
use conntop::model::tcp_state::TcpState;
use conntop::model::testing::{connection, source_info, tcp};
use conntop::model::time::Timestamp;
use conntop::source::Source;
use conntop::source::synthetic::Synthetic;
use conntop::tracker::Tracker;

use crate::typing::{picture, press};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn app(source: SourceInfo, size: (u16, u16)) -> App {
    App::new(Config::new(source, size))
}

/// The app after `seconds` of the small server.
fn after(seconds: u32, size: (u16, u16)) -> App {
    let mut source = Synthetic::small(1);
    let mut app = app(source.info().clone(), size);
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    for _ in 0..=seconds {
        source.sample(&Needs::default(), &mut snapshot).expect("it never fails");
        app.turn(Msg::Delta(Box::new(tracker.update(&snapshot))));
    }
    app
}

fn resize(app: &mut App, (width, height): (u16, u16)) {
    app.turn(Msg::Resize(width, height));
}

/// The only line with `word` in it.
fn line_with<'p>(picture: &'p str, word: &str) -> &'p str {
    let mut lines = picture.lines().filter(|line| line.contains(word));
    let line = lines.next().unwrap_or_else(|| panic!("'{word}' is missing\n{picture}"));
    assert_eq!(lines.next(), None, "'{word}' stands twice\n{picture}");
    line
}

#[test]
fn the_panels_at_every_size() {
    let mut app = after(90, SIZES[0]);
    for (keys, name) in [("5jj", "states"), ("7", "ports"), ("4", "listeners")] {
        press(&mut app, keys);
        for size in SIZES {
            resize(&mut app, size);
            insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), picture(&app));
        }
    }
}

#[test]
fn the_full_queue_is_named_with_what_it_costs() {
    let mut app = after(30, (120, 40));
    press(&mut app, "4");
    let picture = picture(&app);
    let line = line_with(&picture, "overflows");
    assert!(line.contains("tied to 0.0.0.0:9090 report-api[6002]"), "{line}");
    let row = picture.lines().find(|line| line.starts_with("\"▲▸0.0.0.0:9090 ")).expect("the listener");
    assert!(row.contains("███████"), "{row}");
}

#[test]
fn enter_on_a_route_shows_exactly_its_connections_and_escape_comes_back() {
    let mut app = after(20, (120, 40));
    press(&mut app, "7");
    let expected: Vec<u64> = {
        let table = &app.panels.ports;
        table.view.from(0).map(|group| u64::from(group.sockets())).collect()
    };
    assert!(expected.len() > 5, "{expected:?}");
    for (line, sockets) in expected.into_iter().enumerate() {
        press(&mut app, &format!("^{}⏎", "j".repeat(line)));
        assert_eq!(app.panels.connections.live as u64, sockets, "{}", app.panels.connections.view.filter().text());
        press(&mut app, "⎋");
        assert_eq!(app.tab, conntop::app::tabs::Tab::Ports);
    }
}

#[test]
fn the_demo_lets_itself_be_acted_on_and_says_that_all_of_it_is_made_up() {
    let mut source = Synthetic::small(1);
    source.show_on_screen().expect("it is made up");
    let mut app = app(source.info().clone(), (80, 24));
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    for _ in 0..20 {
        source.sample(&Needs::default(), &mut snapshot).expect("it never fails");
        app.turn(Msg::Delta(Box::new(tracker.update(&snapshot))));
    }
    let made_up = "nothing of this machine is touched";
    press(&mut app, "2jK⏎");
    let asked = picture(&app);
    assert!(asked.contains("made-up process") && asked.contains(made_up), "{asked}");
    resize(&mut app, (40, 10));
    assert!(picture(&app).contains("made-up process"), "{}", picture(&app));
    press(&mut app, "⎋");
    resize(&mut app, (80, 24));
    press(&mut app, "1^lljX");
    let asked = picture(&app);
    assert!(asked.contains("made-up socket") && asked.contains(made_up), "{asked}");
}

#[test]
fn enter_on_a_state_shows_its_connections() {
    let mut app = after(5, (120, 40));
    press(&mut app, "5j⏎");
    assert_eq!(app.panels.connections.view.filter().text(), "proto:tcp state:close_wait");
    assert_eq!(app.panels.connections.live as u64, u64::from(app.store.rows().counts().of(TcpState::CloseWait)));
    press(&mut app, "⎋");
    assert_eq!(app.tab, conntop::app::tabs::Tab::States);
    press(&mut app, "G⏎");
    assert_eq!(app.panels.connections.live as u64, u64::from(app.store.rows().counts().udp));
}

#[test]
fn the_span_of_the_charts_goes_round() {
    let mut app = after(5, (120, 40));
    press(&mut app, "5");
    for ago in ["15 min ago", "24 h ago", "2 min ago"] {
        press(&mut app, "w");
        line_with(&picture(&app), ago);
    }
    press(&mut app, "1w5");
    line_with(&picture(&app), "2 min ago");
}

/// A client that opens a connection a second on a machine with a hundred ephemeral ports, and closes none.
fn hungry_client(seconds: u64) -> App {
    let facts = Arc::new(Facts {
        ephemeral_ports: Some(PortRange { first: 40_000, last: 40_099 }),
        ephemeral_reserved: 10,
        time_wait_reuse: Some(0),
        ..Facts::default()
    });
    let mut app = app(source_info(), (120, 40));
    for second in 0..=seconds {
        let socket = |nth: u64| tcp(nth).local(&format!("10.0.0.7:{}", 40_000 + nth)).remote("10.0.0.31:6379");
        let opened: Vec<Connection> =
            (second > 0).then(|| connection(socket(second), second * 1_000)).into_iter().collect();
        let at = Timestamp::from_millis(second * 1_000);
        let transitions = opened
            .iter()
            .map(|connection| Transition::new(&connection.socket.reference(), at, None, Some(TcpState::Established)));
        let delta = Delta {
            at: Timestamp::from_millis(second * 1_000),
            transitions: transitions.collect(),
            added: opened,
            facts: Arc::clone(&facts),
            ..Delta::default()
        };
        app.turn(Msg::Delta(Box::new(delta)));
    }
    press(&mut app, "7");
    app
}

#[test]
fn ports_that_run_out_say_when() {
    let app = hungry_client(45);
    let picture = picture(&app);
    let summary = line_with(&picture, "in use");
    assert!(summary.contains("45 in use · range 40000-40099 (100) · most 45 to 10.0.0.31:6379"), "{summary}");
    assert!(summary.contains("10 reserved · TIME_WAIT reuse off"), "{summary}");
    let row = picture.lines().find(|line| line.starts_with("\" ▸10.0.0.31:6379")).expect("the route");
    let cells: Vec<&str> = row.trim_matches(['"', ' ']).split_whitespace().collect();
    assert!(cells.contains(&"50%") && cells.contains(&"1.0"), "45 of 90 that are not reserved: {cells:?}");
    assert_eq!(cells.last(), Some(&"45s"), "{cells:?}");
}
