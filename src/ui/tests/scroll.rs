//! Nothing is hidden without a hint: what goes on has a scrollbar, at every size and wherever something can be open.

use ratatui::layout::Rect;

use super::*;
use crate::app::layout::popup;
use crate::app::panels::findings::findings_layout;
use crate::app::states::{states_layout, text_lines};
use crate::app::tabs::Tab;
use crate::ui::scrollbar::THUMB;

const SIZES: [(u16, u16); 6] = [(40, 10), (60, 12), (60, 16), (80, 24), (120, 14), (200, 60)];
/// So high that everything is on the screen.
const HIGH: u16 = 400;

/// The part of the screen that is scrolled, with its scrollbar in the last column.
fn scrolled(app: &App) -> Rect {
    let screen = Rect::new(0, 0, app.config.size.0, app.config.size.1);
    let body = app.layout().expect("large enough").body;
    match (&app.mode, &app.page) {
        (Mode::Menu(menu), _) => {
            let view = app.menu_view(menu);
            let inside = popup(screen, view.size.0, view.size.1).inside;
            Rect { width: inside.width + 2, ..inside }
        }
        (Mode::Help { .. } | Mode::Explain { .. }, _) => Rect { y: 1, height: screen.height - 2, ..screen },
        (_, Page::Tab) if app.tab == Tab::Findings => findings_layout(body, app.panels.findings.len()).list,
        (_, Page::Tab) if app.tab == Tab::States => states_layout(body).list,
        _ => body,
    }
}

/// The first line on the screen, how many there are and how many are on the screen.
fn position(app: &App) -> (usize, usize, usize) {
    if let Mode::Menu(menu) = &app.mode {
        let view = app.menu_view(menu);
        return (view.first, view.lines.len(), usize::from(view.size.1));
    }
    let position = app.position();
    (position.first, position.extent.len, position.extent.height)
}

/// How many lines of the scrolled part have something in them, to the last one that has.
fn lines_on(app: &App) -> usize {
    let (terminal, area) = (drawn(app, &Theme::default()), scrolled(app));
    let buffer = terminal.backend().buffer();
    let is_blank = |y: u16| (area.x..area.right()).all(|x| buffer[(x, y)].symbol().trim().is_empty());
    (area.y..area.bottom()).rfind(|y| !is_blank(*y)).map_or(0, |last| usize::from(last - area.y) + 1)
}

fn is_dialog(app: &App) -> bool {
    app.mode.is_dialog()
}

#[test]
fn wherever_something_goes_on_there_is_a_scrollbar_and_nowhere_else() {
    let (mut cut, mut whole) = (0, 0);
    for (name, keys) in scenes() {
        for size in SIZES {
            let mut app = app(size);
            press(&mut app, &keys);
            app.background(usize::MAX);
            if is_dialog(&app) {
                continue;
            }
            let (terminal, area) = (drawn(&app, &Theme::default()), scrolled(&app));
            let buffer = terminal.backend().buffer();
            let thumb = (area.y..area.bottom()).filter(|y| buffer[(area.right() - 1, *y)].symbol() == THUMB).count();
            let (first, len, height) = position(&app);
            assert_eq!(height, usize::from(area.height), "{name} at {size:?}");
            assert_eq!(thumb > 0, len > height, "{name} at {size:?}: {len} lines, {height} shown\n{}", screen(&app));
            assert!(first == 0 || first + height <= len, "{name} at {size:?}: a gap below the last line");
            if len > height {
                cut += 1;
            } else {
                whole += 1;
            }
        }
    }
    assert!(cut > 40 && whole > 40, "{cut} cut, {whole} whole: this proves little");
}

#[test]
fn as_many_lines_are_told_as_a_high_screen_shows() {
    for (name, keys) in scenes() {
        for width in [40, 80, 120, 200] {
            let mut app = app((width, 24));
            press(&mut app, &keys);
            app.turn(Msg::Resize(width, HIGH));
            app.background(usize::MAX);
            let (told, lines) = (position(&app).1, lines_on(&app));
            // In place of an empty list stands a sentence.
            if is_dialog(&app) || told == 0 {
                continue;
            }
            // A blank line at the end of a section is no line that anybody misses.
            assert!(lines <= told && told <= lines + 1, "{name} at {width}: {told} told, {lines} drawn");
        }
    }
}

#[test]
fn what_a_state_means_says_where_it_is_cut() {
    for size in SIZES {
        let mut app = app(size);
        type_keys(&mut app, "5");
        for _ in 0..12 {
            let area = states_layout(app.layout().expect("large enough").body).text;
            let is_cut = text_lines(app.panels.states.state(), area.width).len() > usize::from(area.height);
            let text = screen(&app);
            assert_eq!(text.contains("e says all of it"), is_cut && area.height > 0, "{size:?}\n{text}");
            type_keys(&mut app, "j");
        }
    }
}

#[test]
fn the_position_stands_in_the_last_line_where_there_is_room() {
    let mut app = app((80, 24));
    type_keys(&mut app, "tk");
    press(&mut app, &[KeyCode::Enter]);
    let last = |app: &App| screen(app).lines().last().unwrap_or_default().to_owned();
    assert!(last(&app).contains("1-17 of 151"), "{}", last(&app));
    press(&mut app, &[KeyCode::End]);
    assert!(last(&app).contains("135-151 of 151"), "{}", last(&app));
    type_keys(&mut app, "?");
    assert!(last(&app).contains("1-22 of "), "{}", last(&app));
}

#[test]
fn a_finding_tells_how_much_of_its_text_is_below() {
    let mut app = app((80, 16));
    type_keys(&mut app, "6");
    let text = screen(&app);
    assert!(text.contains("more lines: PgDn"), "{text}");
    let area = findings_layout(app.layout().expect("large enough").body, app.panels.findings.len()).text;
    let terminal = drawn(&app, &Theme::default());
    let thumb = |y: u16| terminal.backend().buffer()[(79, y)].symbol() == THUMB;
    assert!((area.y..area.bottom()).any(thumb), "{text}");
}

#[test]
fn where_nothing_is_wrong_every_rule_is_listed_or_counted() {
    for size in SIZES {
        let mut app = app(size);
        app.show_findings(Vec::new());
        type_keys(&mut app, "6");
        let text = screen(&app);
        let (listed, is_counted) = (text.matches('✓').count(), text.contains(" more rules"));
        assert_eq!(is_counted, listed < Rule::ALL.len(), "{size:?}\n{text}");
    }
}
