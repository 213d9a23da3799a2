//! Everything that looks like a thing can be clicked: each cell of a region does something or says why not.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::*;
use crate::app::click::{ClickRegion, ClickTarget, target_at};
use crate::model::snapshot::Abilities;

/// What was drawn and can be clicked.
fn regions(app: &App) -> Vec<ClickRegion> {
    let (width, height) = app.config.size;
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("in memory");
    let mut regions = Vec::new();
    terminal.draw(|frame| regions = draw_to_click(frame, app, &Theme::default())).expect("in memory");
    regions
}

/// Clicks `at` as the event loop does.
fn click(app: &mut App, at: Position) {
    if let Some(target) = target_at(&regions(app), at) {
        app.turn(Msg::Click(target));
        return;
    }
    let kind = MouseEventKind::Down(MouseButton::Left);
    app.turn(Msg::Mouse(MouseEvent { kind, column: at.x, row: at.y, modifiers: KeyModifiers::NONE }));
}

/// What the screen shows, and what the app would say of it: another value after something was done.
fn seen(app: &App) -> String {
    let notice = app.notices.latest().map(|(notice, _)| notice.text.to_string());
    format!("{} {:?} {:?} {:?}", screen(app), notice, app.mode, app.page)
}

#[test]
fn each_cell_of_a_region_does_something_or_says_why_not() {
    for size in [(40, 10), (80, 24), (120, 40)] {
        for keys in ["", "2", "3", "4", "5", "6", "7", "8", "/x\n", "3jX"] {
            let make = || {
                let mut app = app(size);
                app.config.source.abilities = Abilities { kill: true, close: true };
                for key in keys.chars() {
                    let code = if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) };
                    app.turn(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
                }
                app.background(usize::MAX);
                app
            };
            let start = make();
            let before = seen(&start);
            for ClickRegion { area, target } in regions(&start) {
                // A tab that is shown already stays.
                if target == ClickTarget::Tab(start.tab) {
                    continue;
                }
                let ends = [(area.x, area.y), (area.right() - 1, area.bottom() - 1)];
                for (x, y) in ends {
                    let mut app = make();
                    click(&mut app, Position::new(x, y));
                    app.background(usize::MAX);
                    assert_ne!(seen(&app), before, "{size:?} {keys:?} {target:?} at {x},{y}");
                }
            }
        }
    }
}

#[test]
fn every_key_of_the_footer_and_every_tab_word_does_what_it_says() {
    for size in [(40, 10), (80, 24), (120, 40)] {
        let start = app(size);
        for hint in start.footer_hints() {
            let mut app = app(size);
            let before = seen(&app);
            click(&mut app, Position::new(hint.x, size.1 - 1));
            let is_back_or_quit = ["back", "quit"].contains(&hint.binding.action);
            assert!(seen(&app) != before || is_back_or_quit, "{size:?} {}", hint.binding.action);
        }
        let Some(layout) = start.layout().filter(|layout| layout.tabs.height > 0) else { continue };
        let title_width = u16::try_from(crate::table::cut::cells(&start.title())).expect("short");
        for place in crate::app::layout::tab_places(size.0, title_width, start.tab) {
            let mut app = app(size);
            click(&mut app, Position::new(place.x, layout.tabs.y));
            assert_eq!(app.tab, place.tab, "{size:?}");
        }
    }
}

#[test]
fn a_click_never_confirms_and_says_so() {
    let mut app = app((120, 40));
    app.config.source.abilities = Abilities { kill: true, close: true };
    type_keys(&mut app, "3jX");
    app.background(usize::MAX);
    if matches!(app.mode, crate::app::mode::Mode::Menu(_)) {
        app.turn(Msg::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)));
    }
    assert!(app.question().is_some(), "{:?}", app.mode);
    let yes = ClickTarget::Action("confirm-close");
    let region = regions(&app).into_iter().find(|region| region.target == yes).expect("the key is in the dialog");
    click(&mut app, region.area.as_position());
    assert!(app.question().is_some());
    let text = app.notices.latest().expect("said").0.text.to_string();
    assert!(text.contains("too easily made"), "{text}");
}

#[test]
fn every_word_and_every_bar_of_a_state_leaves_the_sockets_in_it() {
    for size in [(40, 10), (60, 18), (80, 24), (120, 40), (200, 60)] {
        let start = app(size);
        let area = start.layout().expect("large enough").states;
        let found: Vec<_> = regions(&start)
            .into_iter()
            .filter_map(|region| match region.target {
                ClickTarget::State(line) => Some((region.area, line)),
                _ => None,
            })
            .collect();
        let text = screen(&start);
        let lines: Vec<&str> = text.lines().skip(usize::from(area.y)).take(usize::from(area.height)).collect();
        for line in crate::app::states::STATE_LINES {
            let is_said = lines.iter().any(|text| text.contains(&format!("{} ", line.name())));
            let is_covered = found.iter().any(|(_, other)| *other == line);
            assert!(is_covered || !is_said, "{size:?} {}", line.name());
        }
        assert!(!found.is_empty() || area.height == 0, "{size:?}");
        for (area, line) in found {
            let mut app = app(size);
            click(&mut app, Position::new(area.x + area.width / 2, area.y));
            app.background(usize::MAX);
            let filter = app.panels.connections.view.filter();
            assert!(!filter.is_empty(), "{size:?}");
            let wanted = u64::from(line.count(app.store.rows().counts()));
            assert_eq!(app.panels.connections.folded.view.sockets(), wanted, "{} is {}", line.name(), filter.text());
        }
    }
}

#[test]
fn words_of_the_header_lead_to_what_they_say_or_explain_it() {
    let mut app = app((120, 40));
    let text = screen(&app);
    let first = text.lines().next().expect("a line").to_owned();
    let at = |word: &str| {
        let byte = first.find(word).unwrap_or_else(|| panic!("{word} in {first}"));
        Position::new(u16::try_from(first[..byte].chars().count()).expect("short") - 1, 0)
    };
    click(&mut app, at("process"));
    assert_eq!(app.tab, crate::app::tabs::Tab::Processes);
    click(&mut app, at("hidden"));
    let said = app.notices.latest().expect("said").0.text.to_string();
    assert!(said.contains("run conntop as root"), "{said}");
}

#[test]
fn the_wheel_moves_what_is_under_the_pointer_and_picks_nothing() {
    let mut app = app((80, 24));
    type_keys(&mut app, "6");
    let body = app.layout().expect("large enough").body;
    let parts = crate::app::panels::findings::findings_layout(body, app.panels.findings.len());
    let wheel = |app: &mut App, at: Position| {
        let event =
            MouseEvent { kind: MouseEventKind::ScrollDown, column: at.x, row: at.y, modifiers: KeyModifiers::NONE };
        app.turn(Msg::Mouse(event));
    };
    let selected = app.panels.findings.cursor.key();
    wheel(&mut app, parts.text.as_position());
    assert!(app.panels.findings.scroll.first() > 0, "the text");
    let first = app.panels.findings.scroll.first();
    wheel(&mut app, parts.list.as_position());
    assert_eq!((app.panels.findings.scroll.first(), app.panels.findings.cursor.key()), (first, selected));
    assert!(!app.panels.findings.cursor.is_picked());
}
