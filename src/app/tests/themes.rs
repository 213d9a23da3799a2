//! The menu of the themes: each is shown while the cursor is on it, and only Enter keeps it.

use super::*;
use crate::app::themes::{ThemeList, ThemeName};

fn with_themes() -> App {
    let theme = |name: &str| ThemeName { name: name.into(), about: "what it is for".into() };
    let config = three().config;
    let themes = ThemeList { themes: ["default", "mono", "dark"].map(theme).into(), first: 1 };
    App::new(Config { themes, ..config })
}

#[test]
fn the_theme_under_the_cursor_is_shown_and_enter_keeps_it() {
    let mut app = with_themes();
    assert_eq!((app.theme(), app.changed_theme()), (1, None));
    press(&mut app, "T");
    assert_eq!(app.theme(), 1, "the cursor begins on the theme in force");
    press(&mut app, "j");
    assert_eq!(app.theme(), 2);
    assert_eq!(app.changed_theme(), None, "nothing is chosen yet");
    code(&mut app, KeyCode::Esc);
    assert_eq!(app.theme(), 1, "Esc takes the preview back");
    press(&mut app, "Tj");
    enter(&mut app);
    assert!(matches!(app.mode, Mode::Normal));
    assert_eq!((app.theme(), app.changed_theme().map(|theme| theme.name.as_str())), (2, Some("dark")));
    press(&mut app, "Tk");
    enter(&mut app);
    assert_eq!((app.theme(), app.changed_theme()), (1, None), "as it was at first is no change");
}

#[test]
fn the_palette_leads_to_the_themes() {
    let mut app = with_themes();
    press(&mut app, ":theme");
    enter(&mut app);
    assert!(matches!(&app.mode, Mode::Menu(Menu { choice: MenuChoice::Theme, .. })), "{:?}", app.mode);
}

#[test]
fn a_list_without_themes_can_be_opened_and_left() {
    let mut app = three();
    press(&mut app, "Tj");
    enter(&mut app);
    assert_eq!((app.theme(), app.changed_theme()), (0, None));
}
