//! The config file: where it is, how it is read, and what is wrong with it in one sentence.
//!
//! A file that the user named and that cannot be used ends the program. The default one does not, whatever is wrong with
//! it: one sentence says that it is not used, and the defaults hold.

mod document;

use std::path::{Path, PathBuf};

use crate::cli::config::document::{DocumentError, DocumentMistake};
use crate::cli::settings::SettingOptions;
use crate::cli::user_files::{UserFileError, folder, load, may_be_trusted};
use crate::cli::{Failure, say};
use crate::table::suggest;

/// The name of a file that says nothing.
const NOTHING: &str = "/dev/null";

/// The options of the file that the user `named`, or of the default file if there is one that can be used; and why the
/// default file is not used, where it is not.
pub(super) fn read(named: Option<&Path>) -> Result<(SettingOptions, Option<String>), Failure> {
    let nothing = || (SettingOptions::default(), None);
    let Some(path) = named else {
        return Ok(default_path().map_or_else(nothing, |path| read_default(&path)));
    };
    if path == Path::new(NOTHING) {
        return Ok(nothing());
    }
    let file = path.display();
    match load(path, |_| true) {
        Ok(text) => match parse(&text) {
            Ok(options) => Ok((options, None)),
            Err(what) => Err(Failure::Usage(format!("{file}, {what}"))),
        },
        Err(UserFileError::Missing) => Err(Failure::Usage(format!(
            "there is no config file {file}; write one (conntop explain config shows what goes in) or leave out --config"
        ))),
        Err(UserFileError::Untrusted) => Ok(nothing()),
        Err(UserFileError::Unusable(what)) => Err(Failure::Failed(format!(
            "the config file {file} {what}; mend that, or go without by --config {NOTHING}"
        ))),
    }
}

/// The options of the default file. Nobody asked for it, so whatever is wrong with it stops nothing: it is said that it
/// is not used.
fn read_default(path: &Path) -> (SettingOptions, Option<String>) {
    let file = path.display();
    let why = match load(path, may_be_trusted).map(|text| parse(&text)) {
        Ok(Ok(options)) => return (options, None),
        // Most people have none.
        Err(UserFileError::Missing) => return (SettingOptions::default(), None),
        Ok(Err(what)) => format!("{file}, {what}"),
        Err(UserFileError::Untrusted) => format!(
            "{file} is not used: root reads no settings that others can write; chown and chmod it, or name it with --config"
        ),
        Err(UserFileError::Unusable(what)) => format!("the config file {file} {what}"),
    };
    let remark = format!("{why}; the defaults hold");
    say(&remark);
    (SettingOptions::default(), Some(remark))
}

/// Where the config file is that the user `named`, or else the default one; `None` where there can be none.
pub(super) fn path(named: Option<&Path>) -> Option<PathBuf> {
    named.map_or_else(default_path, |path| (path != Path::new(NOTHING)).then(|| path.to_owned()))
}

fn default_path() -> Option<PathBuf> {
    folder().map(|folder| folder.join("config.toml"))
}

/// The options that `text` gives, or what is wrong with it: `line 3: ...`.
fn parse(text: &str) -> Result<SettingOptions, String> {
    document::read(text).map_err(|error| {
        let at = error.at.unwrap_or(0).min(text.len());
        let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        format!("line {line}: {}", sentence(&error))
    })
}

/// More keys than these nobody reads in a sentence, which has a limit and a next step after them.
const LISTED_MAX: usize = 24;

/// What is wrong, with a next step.
fn sentence(error: &DocumentError) -> String {
    let what = match &error.mistake {
        DocumentMistake::UnknownKey { key, known } => {
            let all = match known.len() {
                ..=LISTED_MAX => format!("there are {}", known.join(", ")),
                many => format!("conntop explain config lists the {many} there are"),
            };
            return format!("unknown key '{key}'; {}", suggest::hint(key, known.iter().copied(), &all));
        }
        DocumentMistake::UnknownWord { word, known } => {
            let all = format!("there are {}", known.join(", "));
            let key = error.key.as_deref().unwrap_or_default();
            return format!("unknown value '{word}' of {key}; {}", suggest::hint(word, known.iter().copied(), &all));
        }
        DocumentMistake::MissingKey(key) => format!("the key '{key}' is missing"),
        DocumentMistake::WrongValue { given, wanted } => match &error.key {
            Some(key) => format!("{key} takes {wanted}, not {given}"),
            None => format!("there must be {wanted}, not {given}"),
        },
        DocumentMistake::NotToml(sentence) | DocumentMistake::Refused(sentence) => sentence.clone(),
    };
    format!("{what}; see conntop explain config, or go without by --config {NOTHING}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::settings::Settings;
    use crate::diagnosis::ignore::Ignore;

    fn settings_of(text: &str) -> Result<Settings, String> {
        Ok(Settings::merged(&SettingOptions::default(), parse(text)?, None))
    }

    const EXAMPLE: &str = include_str!("../../assets/config.toml");

    #[test]
    fn the_example_holds_every_key_with_its_default() {
        assert_eq!(settings_of(EXAMPLE), settings_of(""));
        for section in ["", "[thresholds]\n"] {
            let read = document::read::<SettingOptions>(&format!("{section}no-such-key = 1"));
            let Err(DocumentError { mistake: DocumentMistake::UnknownKey { known: names, .. }, .. }) = read else {
                panic!("{section}: unknown keys are refused")
            };
            // Older names are still read, and stand in no example.
            for name in names.iter().filter(|name| **name != "time-wait-churn") {
                let is_there = |line: &str| {
                    line.starts_with(&format!("{name} = "))
                        || line == format!("[{name}]")
                        || line == format!("# [[{name}]]")
                };
                assert!(EXAMPLE.lines().any(is_there), "assets/config.toml lacks {name}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_a_next_step() {
        for (text, sentence) in [
            ("\n\nintervall = 2", "line 3: unknown key 'intervall'; did you mean 'interval'?"),
            ("interval = 0", "line 1: write a time from 0.1 to 60 seconds, such as 2, 0.5 or 500ms; see conntop"),
            ("bell = true\ninterval = \"soon\"", "line 2: write a time, such as 30, 0.5, 500ms or 2m; see conntop"),
            (
                "[thresholds]\nclose-wait-aeg = 2",
                "line 2: unknown key 'close-wait-aeg'; did you mean 'close-wait-age'?",
            ),
            ("color = \"red\"", "line 1: unknown value 'red' of color; there are auto, always, never"),
            (
                "\n[[ignore]]\nrule = \"exposed\"",
                "line 3: there is no rule 'exposed' to ignore; the rules are close-wait-leak,",
            ),
            (
                "[[ignore]]\nrule = \"orphans\"\npid = 7",
                "line 3: unknown key 'pid'; there are rule, process, port, addr, netns",
            ),
            ("[[ignore]]\nport = 7", "line 1: the key 'rule' is missing; see conntop"),
            ("elephant = 1", "line 1: unknown key 'elephant'; there are interval, all-netns, read-only"),
            ("[thresholds]\nelephant = 1", "line 2: unknown key 'elephant'; conntop explain config lists the "),
            ("bell = true\n[keys]\nkil = [\"K\"]", "line 2: [keys]: unknown action 'kil'; conntop keys --format json"),
            ("[keys]\nkill = [\"f99\"]", "line 1: [keys] kill: unknown key 'f99'; write a character"),
            ("[keys]\nkill = [\"j\"]", "line 1: [keys]: key 'j' is given to both down and kill; give each its own"),
            ("[thresholds]\nchurm = 1", "line 2: unknown key 'churm'; did you mean 'churn'?"),
            ("color = 7", "line 1: color takes text in quotes, not 7; see conntop"),
            ("\nbell = \"yes\"", "line 2: bell takes true or false, not \"yes\"; see conntop"),
            ("keys = 1", "line 1: keys takes a section, not 1; see conntop"),
            (
                "[[ignore]]\nrule = \"orphans\"\nport = 70000",
                "line 3: port takes a whole number from 0 to 65535, not 70000; see conntop",
            ),
            ("interval", "line 1: "),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(sentence) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn what_the_screen_saves_gives_the_same_screen_at_the_next_start() {
        use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

        use crate::app::mode::Mode;
        use crate::app::msg::Msg;
        use crate::app::{App, Config};
        use crate::model::testing::source_info;

        let start = |settings: Settings| {
            let config_path = Some("config.toml".into());
            App::new(Config { settings: settings.shared, config_path, ..Config::new(source_info(), (200, 50)) })
        };
        let mine = "# mine\n[filters]\nold = 'pid:1'\n\n[keys]\nkill = ['D']\n";
        let mut app = start(settings_of(mine).expect("valid"));
        let mut press = |code| app.turn(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        // Another fold, order and columns, a process table sorted and chosen, a span, a filter with a name.
        for key in "tjjjj\nIC ++q2C>q>t\nt\n5w+/state:close-wait ".chars() {
            press(if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) });
        }
        app.turn(Msg::Key(KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL)));
        for key in "leaks\nW".chars() {
            app.turn(Msg::Key(KeyEvent::new(
                if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) },
                KeyModifiers::NONE,
            )));
        }
        app.turn(Msg::ConfigRead(Ok(Some(mine.to_owned()))));
        let Mode::SaveConfig(save) = &app.mode else { panic!("{:?} {:?}", app.mode, app.notices) };
        let text = save.write.text.clone();
        assert!(text.starts_with("# mine\n") && text.contains("leaks = \"state:close-wait\""), "{text}");
        let again = start(settings_of(&text).expect(&text));
        let look = |app: &App| {
            let panels = &app.panels;
            let shown = (panels.connections.columns.shown(200), panels.connections.folded.columns.shown(200));
            let sorted =
                (panels.connections.view.sort(), panels.connections.folded.view.sort(), panels.processes.view.sort());
            let settings = (app.config.settings.interval, app.config.settings.filters.clone());
            (
                shown,
                sorted,
                panels.processes.columns.shown(200),
                panels.connections.folding(),
                panels.states.span,
                settings,
            )
        };
        assert_eq!(look(&again), look(&app), "{text}");
        assert_ne!(look(&again), look(&start(settings_of(mine).expect("valid"))), "something was changed");
    }

    #[test]
    fn settings_of_the_file_take_the_place_of_defaults() {
        let settings =
            settings_of("interval = \"2000ms\"\nall-netns = true\nmouse = false\n[thresholds]\nclose-wait-age = 0.5\n");
        let settings = settings.expect("valid");
        assert_eq!(
            (settings.shared.interval, settings.shared.all_namespaces, settings.mouse),
            (Duration::from_secs(2), true, Some(false))
        );
        assert_eq!(settings.shared.thresholds.close_wait_age, Duration::from_millis(500));
        assert!(settings.trace && !settings.shared.bell);
        let settings =
            settings_of("[[ignore]]\nrule = \"exposed-risky-port\"\nprocess = \"redis-server\"\nport = 6379\n");
        let named = Ignore::parse("exposed-risky-port:process:redis-server port:6379");
        assert_eq!(settings.expect("valid").shared.ignore, [named.expect("valid")]);
    }
}
