//! The tab Network.

use super::*;
use crate::app::effect::Effect;

/// The line of the screen with `word` in it.
fn line_with(app: &App, word: &str) -> String {
    let text = screen(app);
    text.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("no {word}\n{text}")).to_owned()
}

fn at(size: (u16, u16)) -> App {
    let mut app = app(size);
    type_keys(&mut app, "9");
    app
}

#[test]
fn interfaces_counters_and_routes_are_told_at_every_size() {
    for size in [(40, 10), (80, 24), (120, 40), (200, 60)] {
        let mut app = at(size);
        insta::assert_snapshot!(format!("network_{}x{}", size.0, size.1), screen(&app));
        let eth0 = line_with(&app, "eth0");
        assert!(eth0.contains("1.3M") && eth0.contains("5.0M"), "{eth0}");
        assert!(line_with(&app, "TcpRetransSegs").contains(" 7.0"), "seven a second");
        press(&mut app, &[KeyCode::End]);
        assert!(screen(&app).contains("192.0.2.0/24"), "{}", screen(&app));
    }
}

#[test]
fn what_does_not_grow_is_one_line_and_every_next_hop_has_its_own() {
    let app = at((120, 60));
    let text = screen(&app);
    // Twelve datagrams were lost before conntop looked.
    assert!(!text.contains("UdpRcvbufErrors"), "{text}");
    assert!(text.contains("counters that did not grow in the last minute"), "{text}");
    let defaults: Vec<&str> = text.lines().filter(|line| line.contains(" default ")).collect();
    assert!(defaults.len() == 3 && defaults[0].contains("10.0.0.1") && defaults[1].contains("10.0.0.2"), "{text}");
    assert!(line_with(&app, "192.0.2.0/24").contains("blackhole"), "{text}");
    let heading = text.lines().position(|line| line.contains("DESTINATION")).expect("a heading");
    assert!(
        text.lines().nth(heading + 1).is_some_and(|line| line.contains("default")),
        "the default routes come first"
    );
}

#[test]
fn the_cursor_passes_headings_over_and_enter_leads_to_the_connections_of_a_route() {
    let mut app = at((120, 60));
    let mut seen = Vec::new();
    for _ in 0..30 {
        let line = app.panels.network.cursor.key().expect("a line");
        assert!(!line.is_title(), "{line:?}");
        seen.push(line);
        press(&mut app, &[KeyCode::Down]);
    }
    seen.dedup();
    let mut back = Vec::new();
    for _ in 0..30 {
        let line = app.panels.network.cursor.key().expect("a line");
        assert!(!line.is_title(), "{line:?}");
        back.push(line);
        press(&mut app, &[KeyCode::Up]);
    }
    back.dedup();
    back.reverse();
    assert_eq!(seen, back);
    press(&mut app, &[KeyCode::End, KeyCode::Up]);
    let routes = ["192.0.2.0/24", "10.0.0.0/24"];
    press(&mut app, &[KeyCode::Enter]);
    let filter = app.panels.connections.view.filter().text();
    assert!(routes.iter().any(|route| filter == format!("raddr:{route}")), "{filter}");
    press(&mut app, &[KeyCode::Esc]);
    assert!(screen(&app).contains("DESTINATION"), "back to the routes");
}

#[test]
fn it_is_sampled_while_it_is_shown_and_says_so_where_nobody_tells() {
    let mut app = app((80, 24));
    let mut collected = |keys: &str| {
        let effects: Vec<Effect> = keys
            .chars()
            .flat_map(|key| app.turn(Msg::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE))))
            .collect();
        effects.iter().rev().find_map(|effect| match effect {
            Effect::Collect(needs) => Some(needs.network),
            _ => None,
        })
    };
    assert_eq!((collected("9"), collected("1")), (Some(true), Some(false)));
    type_keys(&mut app, "9");
    for (kind, words) in [
        (crate::model::snapshot::SourceKind::Replay, "a recording has no interfaces"),
        (crate::model::snapshot::SourceKind::Portable, "--source linux does"),
    ] {
        let mut source = source_info();
        source.kind = kind;
        let mut without = App::new(Config::new(source, (80, 24)));
        without.turn(Msg::Delta(Box::new(first_sample())));
        type_keys(&mut without, "9");
        assert!(screen(&without).contains(words), "{}", screen(&without));
    }
}
