//! The key table from all sides: the palette, the footer and its clicks, and what `--read-only` takes away.

use super::*;
use crate::app::keymap::bindings;
use crate::app::panels::table::ColumnSet;
use crate::table::order::Order;

/// Where the key of `action` stands in the footer.
fn hint(app: &App, action: &str) -> Option<(u16, u16)> {
    let hints = app.footer_hints();
    let hint = hints.iter().find(|hint| hint.binding.action == action)?;
    Some((hint.x, app.layout().expect("large enough").footer.y))
}

fn click(app: &mut App, (column, row): (u16, u16)) -> Vec<Effect> {
    let kind = MouseEventKind::Down(MouseButton::Left);
    app.turn(Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
}

/// The texts of the open menu.
fn lines(app: &App) -> Vec<String> {
    let Mode::Menu(menu) = &app.mode else { panic!("{:?}", app.mode) };
    app.menu_view(menu).lines.into_iter().map(|line| line.about).collect()
}

fn help_of(action: &str) -> String {
    bindings().find(|binding| binding.action == action).expect("an action").help.to_owned()
}

#[test]
fn the_palette_lists_what_works_here_and_runs_what_is_chosen() {
    let mut app = three();
    press(&mut app, "j:");
    assert!(lines(&app).contains(&help_of("kill")) && lines(&app).contains(&help_of("sort")));
    let span = format!("{} · there are no charts here; 5 shows the tab that has them", help_of("span"));
    assert!(lines(&app).contains(&span), "what cannot be done is listed with the reason");
    press(&mut app, "send a sig");
    assert_eq!(lines(&app), [help_of("kill")]);
    enter(&mut app);
    assert!(matches!(&app.mode, Mode::Menu(Menu { choice: MenuChoice::Signal { .. }, .. })), "{:?}", app.mode);
}

#[test]
fn letters_find_an_action_and_never_run_one() {
    let mut app = three();
    press(&mut app, "j:q");
    assert!(matches!(app.mode, Mode::Menu(_)));
    let found = lines(&app);
    code(&mut app, KeyCode::Backspace);
    assert!(lines(&app).len() > found.len());
    press(&mut app, "no such action");
    assert!(lines(&app).is_empty());
    assert!(enter(&mut app).is_empty());
    assert!(matches!(app.mode, Mode::Normal));
    press(&mut app, ":");
    code(&mut app, KeyCode::Esc);
    assert!(matches!(app.mode, Mode::Normal));
}

#[test]
fn the_palette_sorts_shows_columns_changes_the_theme_and_filters() {
    let mut app = app_with(
        |config| {
            let theme = |name: &str| crate::app::themes::ThemeName { name: name.into(), about: "".into() };
            config.themes = crate::app::themes::ThemeList { themes: vec![theme("default"), theme("dark")], first: 0 };
            config.settings.filters.save("web", "lport:80").expect("valid");
        },
        vec![tcp(1), listener(2, 80)],
    );
    let run = |app: &mut App, typed: &str| {
        press(app, ":");
        press(app, typed);
        enter(app);
    };
    let shown = |app: &App| -> Vec<&str> {
        let columns = &app.panels.connections.columns;
        columns.shown(80).iter().map(|span| columns.all[span.index].key).collect()
    };
    run(&mut app, "sort by cookie");
    let sort = app.panels.connections.view.sort();
    assert_eq!(COLUMNS[sort.column].key, "cookie");
    assert!(shown(&app).contains(&"cookie"), "a hidden column is shown while sorted by: {:?}", shown(&app));
    run(&mut app, "sort by cookie");
    assert_ne!(app.panels.connections.view.sort().order, sort.order, "the second time the other way round");
    run(&mut app, "sort by state");
    assert!(!shown(&app).contains(&"cookie"));
    run(&mut app, "show column inode");
    assert!(shown(&app).contains(&"inode"));
    run(&mut app, "theme dark");
    assert_eq!(app.theme(), 1);
    press(&mut app, ":");
    assert_eq!(
        lines(&app)[..3],
        ["theme dark", "show column inode", "sort by state the other way round"]
            .map(|line| { if line.contains("inode") { "hide column inode".to_owned() } else { line.to_owned() } }),
        "what was run last stands first"
    );
    code(&mut app, KeyCode::Esc);
    run(&mut app, "filter @web");
    assert_eq!(app.panels.connections.view.filter().text(), "lport:80");
}

#[test]
fn the_column_chooser_shows_hides_moves_and_widens_and_resets() {
    let mut app = app_with(|config| config.size = (200, 50), vec![tcp(1), tcp(2)]);
    let shown = |app: &App| -> Vec<(&str, u16)> {
        let columns = &app.panels.connections.columns;
        columns.shown(200).iter().map(|span| (columns.all[span.index].key, span.width)).collect()
    };
    let keys = |app: &App| shown(app).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    let before = shown(&app);
    press(&mut app, "C");
    assert_eq!(keys(&app)[0], "proto");
    press(&mut app, " ");
    assert_eq!(keys(&app)[0], "local", "proto is hidden");
    press(&mut app, ">");
    assert_eq!(keys(&app)[..2], ["remote", "local"]);
    press(&mut app, "++");
    let width = |app: &App, key: &str| shown(app).iter().find(|(shown, _)| *shown == key).map(|(_, width)| *width);
    let wide = width(&app, "local");
    press(&mut app, "-");
    assert_eq!(width(&app, "local").map(|width| width + 1), wide);
    press(&mut app, "a");
    assert!(app.panels.connections.columns.is_chosen());
    code(&mut app, KeyCode::Esc);
    assert!(matches!(app.mode, Mode::Normal));
    press(&mut app, "Cr");
    assert_eq!(shown(&app), before);
    assert!(!app.panels.connections.columns.is_chosen());
}

#[test]
fn the_column_that_is_sorted_by_is_shown_at_every_width() {
    for tab in ["1", "2", "3", "4", "7"] {
        let mut app = three();
        press(&mut app, tab);
        let count = app.panel().table().expect("a table").columns().heads().len();
        for index in 0..count {
            if app.panel().table().expect("a table").columns().heads()[index].is_hint {
                continue;
            }
            app.panels
                .of_mut(app.tab)
                .table_mut()
                .expect("a table")
                .start_sort(SortKey { column: index, order: Order::Ascending });
            for width in 40..200 {
                let shown = app.panel().table().expect("a table").columns().shown(width);
                assert!(shown.iter().any(|span| span.index == index), "{tab} {index} {width}");
                assert!(shown.windows(2).all(|pair| pair[0].x + pair[0].width < pair[1].x));
                assert!(shown.last().is_some_and(|last| last.x + last.width <= width));
            }
        }
    }
}

#[test]
fn read_only_offers_nothing_that_changes_the_machine_and_says_why_it_does_nothing() {
    let changing = ["kill", "close", "escalate"].map(help_of);
    for read_only in [true, false] {
        let mut app = app_with(
            |config| (config.settings.read_only, config.size) = (read_only, (200, 50)),
            vec![tcp(1).held_by(&[nginx()])],
        );
        assert_eq!([hint(&app, "kill"), hint(&app, "close")].map(|hint| hint.is_none()), [read_only; 2]);
        press(&mut app, "j:");
        let refused = |help: &String| format!("{help} · {}", crate::app::binding::READ_ONLY);
        let expected = |help: &String| if read_only { refused(help) } else { help.clone() };
        assert!(changing.iter().all(|help| lines(&app).contains(&expected(help))), "{:?}", lines(&app));
        code(&mut app, KeyCode::Esc);
        enter(&mut app);
        assert_eq!(hint(&app, "kill").is_none(), read_only, "in the details");
    }
    for key in ["K", "X", "E"] {
        let mut app = app_with(|config| config.settings.read_only = true, vec![tcp(1).held_by(&[nginx()])]);
        press(&mut app, "j");
        press(&mut app, key);
        assert!(notice(&app).contains("--read-only"), "{key}: {}", notice(&app));
        assert!(matches!(app.mode, Mode::Normal));
    }
}

#[test]
fn a_click_on_a_key_in_the_footer_does_what_the_key_does() {
    let mut app = three();
    let at = hint(&app, "help").expect("in the footer");
    click(&mut app, at);
    assert!(matches!(app.mode, Mode::Help(_)));
    let at = hint(&app, "back").expect("in the footer");
    click(&mut app, at);
    assert!(matches!(app.mode, Mode::Normal));
    let at = hint(&app, "quit").expect("in the footer");
    assert_eq!(click(&mut app, at), [Effect::Quit]);
    press(&mut app, "5");
    let (before, at) = (app.panels.states.span, hint(&app, "span").expect("in the footer"));
    click(&mut app, at);
    assert_ne!(app.panels.states.span, before);
}

#[test]
fn a_click_never_says_yes_to_a_dialog() {
    let mut app = three();
    press(&mut app, "jK");
    enter(&mut app);
    let at = hint(&app, "confirm-signal").expect("in the footer");
    assert!(click(&mut app, at).is_empty());
    assert!(matches!(app.mode, Mode::Confirm(_)) && notice(&app).contains("too easily made"), "{}", notice(&app));
    app.notices.dismiss();
    let at = hint(&app, "back").expect("in the footer");
    click(&mut app, at);
    assert!(matches!(app.mode, Mode::Normal));
}

#[test]
fn a_click_in_a_menu_selects_a_line_and_the_next_one_takes_it() {
    let mut app = three();
    press(&mut app, "s");
    let Mode::Menu(menu) = &app.mode else { panic!("{:?}", app.mode) };
    let view = app.menu_view(menu);
    let top = layout::popup(ratatui::layout::Rect::new(0, 0, 80, 24), view.size.0, view.size.1).inside;
    let line = view.first + 1;
    click(&mut app, (top.x, top.y + 1));
    assert!(matches!(&app.mode, Mode::Menu(menu) if menu.line == line), "{:?}", app.mode);
    click(&mut app, (top.x, top.y + 1));
    assert!(matches!(app.mode, Mode::Normal));
    assert_eq!(app.panels.connections.view.sort().column, line);
}

#[test]
fn a_menu_that_is_longer_than_the_screen_scrolls_as_little_as_it_must() {
    let mut app = three();
    press(&mut app, ":");
    let view = |app: &App| {
        let Mode::Menu(menu) = &app.mode else { panic!("{:?}", app.mode) };
        let view = app.menu_view(menu);
        (view.first, view.selected, usize::from(view.size.1), view.lines.len())
    };
    code(&mut app, KeyCode::Up);
    let (first, selected, height, len) = view(&app);
    assert!(len > height && (first, selected) == (len - height, len - 1), "the last line is at the bottom");
    code(&mut app, KeyCode::Up);
    assert_eq!(view(&app).0, first, "the window stays");
    code(&mut app, KeyCode::Down);
    code(&mut app, KeyCode::Down);
    assert_eq!((view(&app).0, view(&app).1), (0, 0));
}
