//! The screen, and what stands for it where there is none.

use std::process::ExitCode;

use crate::cli::commands::list;
use crate::cli::options::FilterArguments;
use crate::cli::settings::Settings;
use crate::cli::{Failure, output, say, terminal};
use crate::report::list::List;
use crate::runtime::{self, ScreenOptions};
use crate::source::Choice;
use crate::ui::theme::Theme;

/// Shows the source on the screen. Where stdout is no terminal, or one without a cursor, the same as `conntop list`.
pub(in crate::cli) fn show(
    settings: &Settings,
    choice: &Choice,
    filter: &FilterArguments,
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
    let options = ScreenOptions {
        filter: text,
        settings: settings.shared.clone(),
        mouse: settings.mouse,
        theme: theme(settings, is_terminal),
        remark: settings.remark.clone(),
    };
    Ok(runtime::run_screen(source, &options)?)
}

/// How the screen is drawn.
fn theme(settings: &Settings, is_terminal: bool) -> Theme {
    let theme = if settings.color.is_on(is_terminal) { settings.theme } else { Theme::MONO };
    theme.with_ascii(settings.ascii)
}
