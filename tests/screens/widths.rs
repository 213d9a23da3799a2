//! Room by worth, at every width from 40 to 300: a wider window never shows less, the cause is there from 40 on, both ends of
//! different connections differ, and no port or group of an address is broken.

use std::collections::{BTreeMap, BTreeSet};

use conntop::app::msg::Msg;
use conntop::app::tabs::{TABS, Tab};
use conntop::app::{App, Config};
use conntop::model::delta::Delta;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::synthetic::Synthetic;
use conntop::source::{Pace, Source};
use conntop::table::fit::ColumnSpan;
use conntop::tracker::Tracker;

use crate::typing::{picture, press};

const WIDTHS: std::ops::RangeInclusive<u16> = 40..=300;
/// From this width on the single sockets say why as well; the folded ones do at every width.
const VERDICT_WIDTH_MIN: u16 = 74;
const HEIGHTS: [u16; 4] = [10, 24, 40, 60];

/// The app after a minute of the small server, whose clients come by IPv4 and IPv6.
fn app() -> App {
    let mut source = Synthetic::small(1);
    let mut app = App::new(Config::new(source.info().clone(), (200, 40)));
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    for _ in 0..60 {
        source.sample(&Needs::default(), &mut snapshot).expect("it never fails");
        app.turn(Msg::Delta(Box::new(tracker.update(&snapshot))));
    }
    app
}

fn resize(app: &mut App, width: u16, height: u16) {
    app.turn(Msg::Resize(width, height));
}

/// The names of the columns on the screen, and how many rows it has.
fn shown(app: &App) -> (BTreeSet<&'static str>, u16) {
    let layout = app.layout().expect("large enough");
    let Some(table) = app.panel().table() else { return (BTreeSet::new(), layout.body.height) };
    let heads = table.columns().heads();
    (table.columns().shown(layout.body.width).iter().map(|place| heads[place.index].key).collect(), layout.body.height)
}

/// The keys that lead to each tab; the connections folded and single.
fn scenes() -> Vec<String> {
    let tabs = TABS.iter().map(|row| row.number().to_string());
    tabs.chain(["1tjjj⏎".to_owned(), "1tG⏎".to_owned()]).collect()
}

#[test]
fn a_wider_window_never_shows_fewer_columns_or_rows_of_any_tab() {
    for keys in scenes() {
        let mut app = app();
        press(&mut app, &keys);
        for height in HEIGHTS {
            let mut before = (BTreeSet::new(), 0);
            for width in WIDTHS {
                resize(&mut app, width, height);
                let now = shown(&app);
                assert!(now.0.is_superset(&before.0), "{keys} {width}x{height}: {:?}, before {:?}", now.0, before.0);
                assert!(now.1 >= before.1, "{keys} {width}x{height}: {} rows, before {}", now.1, before.1);
                before = now;
            }
        }
    }
}

#[test]
fn the_cause_is_there_at_every_width_and_whole_where_there_is_room() {
    let mut app = app();
    for (width, height) in WIDTHS.flat_map(|width| HEIGHTS.map(|height| (width, height))) {
        resize(&mut app, width, height);
        assert!(shown(&app).0.contains("why"), "{width}x{height}");
        if width % 5 == 0 {
            let text = picture(&app);
            let queue = text.lines().find(|line| line.contains("▲▸") && line.contains(":9090")).expect("the queue");
            let is_said = ["queue full", "accept() too slow"].iter().any(|cause| queue.contains(cause));
            assert!(is_said, "{width}x{height}: {queue}");
        }
    }
    // Single sockets are sorted by age, and what they are sorted by is always shown: with both ends, state and process it leaves
    // room for the verdict from here on.
    press(&mut app, "1tG⏎");
    for width in VERDICT_WIDTH_MIN..=300 {
        resize(&mut app, width, 40);
        assert!(shown(&app).0.contains("verdict"), "{width}");
    }
}

/// Whether `text` is `whole`, or its end in whole groups behind a mark, with its port.
fn is_end_of(text: &str, whole: &str) -> bool {
    let Some(tail) = text.strip_prefix('…') else { return text == whole };
    let Some(before) = whole.strip_suffix(tail) else { return false };
    let port = whole.rfind(':').expect("it has a port");
    tail.len() >= whole.len() - port && (tail.starts_with([':', '.']) || before.ends_with([':', '.']))
}

#[test]
fn both_ends_of_different_connections_differ_and_nothing_of_an_address_is_broken() {
    let mut app = app();
    press(&mut app, "1tG⏎");
    let panel = |app: &App| {
        assert_eq!(app.tab, Tab::Connections);
        assert!(!app.panels.connections.is_folded());
    };
    for (width, height) in WIDTHS.flat_map(|width| [40, 60].map(|height| (width, height))) {
        resize(&mut app, width, height);
        panel(&app);
        let layout = app.layout().expect("large enough");
        let table = &app.panels.connections;
        let places = table.columns.shown(layout.body.width);
        let mut ends: BTreeMap<(String, String), u64> = BTreeMap::new();
        for (_, row) in table.window(&app.store, usize::from(layout.body.height)) {
            let cell = |key: &str| {
                let is_it = |place: &&ColumnSpan| table.columns.all[place.index].key == key;
                let place = places.iter().find(is_it).unwrap_or_else(|| panic!("{key} at {width}"));
                let value = (table.columns.all[place.index].value)(row, &app.store);
                let (text, whole) = (value.text_within(place.width).into_owned(), value.text().into_owned());
                assert!(value.is_missing() || is_end_of(&text, &whole), "{width}: {text} of {whole}");
                text
            };
            let both = (cell("local"), cell("remote"));
            let is_connection = !row.connection.socket.remote.is_unset();
            let cookie = row.connection.socket.id.cookie().expect("it has one");
            if is_connection && let Some(other) = ends.insert(both.clone(), cookie) {
                assert_eq!(other, cookie, "{width}: {both:?}");
            }
        }
        assert!(ends.len() > 10, "{width}: there are connections to compare");
    }
}

#[test]
fn the_inspector_is_there_from_160_columns_on_in_the_demo_as_it_starts() {
    let mut source = Synthetic::new(1);
    source.show_on_screen().expect("it is made up");
    let mut app = App::new(Config::new(source.info().clone(), (160, 40)));
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    while source.sample(&Needs::default(), &mut snapshot).expect("it never fails") != Pace::Interval {
        let delta = tracker.update(&snapshot);
        app.turn(Msg::Delta(Box::new(Delta { is_overtaken: true, ..delta })));
        press(&mut app, "j");
    }
    app.turn(Msg::Delta(Box::new(tracker.update(&snapshot))));
    // What is found later has longer causes.
    for _ in 0..10 {
        source.sample(&Needs::default(), &mut snapshot).expect("it never fails");
        app.turn(Msg::Delta(Box::new(tracker.update(&snapshot))));
    }
    assert!(!app.panel().is_picked(), "no row was on the screen that could have been picked");
    for width in 160..=300 {
        resize(&mut app, width, 40);
        assert!(picture(&app).contains("│ WHY "), "{width}\n{}", picture(&app));
    }
}

#[test]
fn the_inspector_stands_beside_all_columns_and_says_why_and_what_to_do() {
    let mut app = app();
    for width in [160, 200, 300] {
        resize(&mut app, width, 40);
        let text = picture(&app);
        assert!(text.contains("│ WHY ") && text.contains("│ DO "), "{width}\n{text}");
        press(&mut app, "i");
        assert!(!picture(&app).contains("│ WHY "), "it can be hidden");
        press(&mut app, "i");
    }
    resize(&mut app, 159, 40);
    assert!(!picture(&app).contains("│ WHY "));
    // The row under the cursor, whatever that is.
    resize(&mut app, 200, 50);
    press(&mut app, "gl");
    let line = picture(&app);
    press(&mut app, "jj");
    assert_ne!(line, picture(&app));
    for keys in scenes() {
        press(&mut app, &keys);
        for width in [160, 240, 300] {
            resize(&mut app, width, 24);
            assert!(!picture(&app).is_empty());
        }
    }
}
