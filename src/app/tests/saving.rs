//! Saving what was changed on the screen to the config file.

use super::*;
use crate::app::config_diff::LineChange;
use crate::app::effect::ConfigWrite;

fn with_file() -> App {
    let path = Some("/home/u/.config/conntop/config.toml".into());
    app_with(|config| config.config_path = path, (1..=3).map(|cookie| tcp(cookie).held_by(&[nginx()])).collect())
}

/// Opens the question, the file saying `text`.
fn ask(app: &mut App, text: Option<&str>) {
    assert_eq!(press(app, "W"), [Effect::ReadConfig]);
    app.turn(Msg::ConfigRead(Ok(text.map(str::to_owned))));
}

#[test]
fn what_was_changed_is_shown_and_only_a_yes_writes_it() {
    let mut app = with_file();
    app.mark_saved();
    assert!(press(&mut app, "W").is_empty());
    assert_eq!(notice(&app), "nothing was changed on the screen, so there is nothing to save");
    press(&mut app, "I+");
    let file = "# mine\ninterval = 1\ntheme = \"dark\"\n";
    ask(&mut app, Some(file));
    let Mode::SaveConfig(save) = &app.mode else { panic!("{:?} {}", app.mode, notice(&app)) };
    let changed: Vec<_> = save.diff.iter().filter(|line| line.change != LineChange::Stays).collect();
    let texts: Vec<_> = changed.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["interval = 1", "interval = 2", "", "[sort]", "connections = \"age\""]);
    let expected = ConfigWrite {
        text: "# mine\ninterval = 2\ntheme = \"dark\"\n\n[sort]\nconnections = \"age\"\n".to_owned(),
        before: Some(file.to_owned()),
    };
    assert_eq!(save.write, expected);
    assert!(press(&mut app, "W").is_empty() && matches!(app.mode, Mode::SaveConfig(_)), "its own key is no yes");
    assert_eq!(press(&mut app, "y"), [Effect::WriteConfig(expected)]);
    app.turn(Msg::ConfigWritten(Ok(())));
    assert_eq!(notice(&app), "saved to /home/u/.config/conntop/config.toml; the next start has it");
    assert!(press(&mut app, "W").is_empty(), "nothing was changed since");
}

#[test]
fn what_cannot_be_saved_is_said_in_one_sentence() {
    let mut app = three();
    press(&mut app, "IW");
    assert_eq!(notice(&app), "there is no config file to save to; name one with --config FILE");
    let mut app = with_file();
    press(&mut app, "I");
    assert_eq!(press(&mut app, "W"), [Effect::ReadConfig]);
    app.turn(Msg::ConfigRead(Err("the file is a directory".into())));
    assert_eq!((notice(&app).as_str(), app.mode.is_dialog()), ("the file is a directory", false));
    ask(&mut app, Some("a = "));
    assert!(notice(&app).ends_with("the file is no TOML; mend that first"), "{}", notice(&app));
    ask(&mut app, None);
    code(&mut app, KeyCode::Esc);
    assert!(matches!(app.mode, Mode::Normal), "Esc writes nothing");
    ask(&mut app, None);
    press(&mut app, "y");
    app.turn(Msg::ConfigWritten(Err("there is no room".into())));
    assert_eq!(notice(&app), "there is no room");
    assert_eq!(press(&mut app, "W"), [Effect::ReadConfig], "it is still to be saved");
    press(&mut app, "?");
    app.turn(Msg::ConfigRead(Ok(None)));
    assert!(matches!(app.mode, Mode::Help(_)), "what was opened since stays");
    let mut app = app_with(|config| config.settings.read_only = true, vec![tcp(1)]);
    press(&mut app, "IW");
    assert!(notice(&app).contains("--read-only"), "{}", notice(&app));
}
