//! The screen, and what stands for it where there is none.

use std::process::ExitCode;
use std::{fs, io};

use crate::app::moment::PlaySpeed;
use crate::cli::commands::list;
use crate::cli::export;
use crate::cli::options::FilterArguments;
use crate::cli::settings::Settings;
use crate::cli::themes::{self, ThemeChoice};
use crate::cli::{Failure, output, say, terminal};
use crate::report::list::List;
use crate::runtime::themes::{AutoTheme, ScreenThemes};
use crate::runtime::{self, ScreenOptions};
use crate::source::Choice;
use crate::ui::theme::{ColorDepth, Theme};

/// What the menu says of the theme that follows the background.
const AUTO_ABOUT: &str = "dark or light, as the background of the terminal is";

/// Where the clock of a recording begins, and how fast it runs.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct ClockChoice {
    /// The moment, as it was written.
    pub(in crate::cli) at: Option<String>,
    /// How fast.
    pub(in crate::cli) speed: PlaySpeed,
}

/// Shows the source on the screen. Where stdout is no terminal, or one without a cursor, the same as `conntop list`.
pub(in crate::cli) fn show(
    settings: &Settings,
    choice: &Choice,
    filter: &FilterArguments,
    clock: &ClockChoice,
) -> Result<ExitCode, Failure> {
    let (text, filter) = (filter.text(), filter.parse()?);
    let is_terminal = output::is_terminal();
    let is_dumb = is_terminal && terminal::is_dumb();
    if is_dumb {
        say("this terminal is dumb, so this is the list; for the screen set TERM, as in TERM=xterm-256color conntop");
    }
    let mut source = settings.open(choice)?;
    if !is_terminal || is_dumb {
        return list::now(source, settings, &List { filter, ..List::default() });
    }
    source.listen(settings.trace);
    let (themes, wrong) = themes(settings);
    let options = ScreenOptions {
        filter: text,
        settings: settings.shared.clone(),
        mouse: settings.mouse.unwrap_or_else(|| !terminal::is_gnu_screen()),
        config_path: settings.config_path.clone(),
        themes,
        remarks: settings.remark.iter().cloned().chain(wrong).chain(first_start(settings)).collect(),
        at: clock.at.clone(),
        speed: clock.speed,
        export: export::text,
    };
    Ok(runtime::run_screen(source, &options)?)
}

/// A hint for who has no config file, and so may never have seen the screen: on it until the first key.
fn first_start(settings: &Settings) -> Option<String> {
    let path = settings.config_path.as_ref()?;
    let is_first = fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    is_first.then(|| "new here: ‹help› shows the keys, ‹palette› finds all that can be done".to_owned())
}

/// How the screen can be drawn, and what is wrong with themes of the user that are left out.
fn themes(settings: &Settings) -> (ScreenThemes, Option<String>) {
    let (mut themes, wrong) = themes::all();
    let is_colored = settings.color.is_on(true);
    let first = match &settings.theme {
        _ if !is_colored => Theme::mono(),
        ThemeChoice::Default => Theme::default(),
        ThemeChoice::Auto => Theme::default().called(themes::AUTO, AUTO_ABOUT),
        ThemeChoice::Theme(theme) => theme.clone(),
    };
    let place = themes.iter().position(|theme| theme.name() == first.name()).unwrap_or_else(|| {
        themes.push(first);
        themes.len() - 1
    });
    let is_slow = settings.shared.low_bandwidth;
    // A colour of sixteen takes two bytes, one of 16 million up to seventeen.
    let depth = if is_slow { ColorDepth::Sixteen } else { terminal::color_depth() };
    let shown = |theme: &Theme| theme.at(depth).with_ascii(settings.ascii).with_still(is_slow);
    let is_auto = is_colored && settings.theme == ThemeChoice::Auto;
    // With sixteen colours both look the same.
    let auto = (is_auto && depth > ColorDepth::Sixteen).then(|| {
        let fitting = |name| shown(&Theme::built_in(name).unwrap_or_default()).called(themes::AUTO, AUTO_ABOUT);
        AutoTheme { place, dark: fitting("dark"), light: fitting("light") }
    });
    let wrong = match wrong.as_slice() {
        [] => None,
        [one] => Some(format!("{one}; it is left out")),
        [one, others @ ..] => Some(format!("{one}; it is left out, and so are {} more", others.len())),
    };
    (ScreenThemes { themes: themes.iter().map(shown).collect(), first: place, auto }, wrong)
}
