//! Themes by name: those of conntop, and those of the user, which are files `themes/NAME.toml` beside the config file.

use std::fs;
use std::path::PathBuf;

use crate::cli::user_files::{self, UserFileError};
use crate::table::suggest;
use crate::ui::theme::{DEFAULT, Theme, built_in};

/// The name that chooses a theme by the background of the terminal.
pub(super) const AUTO: &str = "auto";
/// More themes of the user than these are not offered on the screen.
const THEMES_MAX: usize = 64;
/// The longest name of a theme, in bytes.
const NAME_LEN_MAX: usize = 32;
const EXTENSION: &str = ".toml";

/// Which theme is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum ThemeChoice {
    /// `default`, which no command without a screen reads.
    #[default]
    Default,
    /// `dark` or `light`, whichever fits the background of the terminal.
    Auto,
    /// This one.
    Theme(Theme),
}

/// Why there is no theme of a name.
pub(super) enum ThemeNameError {
    /// Nobody has one of that name.
    Unknown,
    /// The user's file cannot be used: a sentence.
    Unusable(String),
}

/// The theme that the user means by `name`.
pub(super) fn named(name: &str) -> Result<ThemeChoice, ThemeNameError> {
    match name {
        DEFAULT => Ok(ThemeChoice::Default),
        AUTO => Ok(ThemeChoice::Auto),
        _ => Theme::built_in(name).map_or_else(|| of_user(name), Ok).map(ThemeChoice::Theme),
    }
}

/// What to write instead of a name that nobody has.
pub(super) fn unknown(name: &str) -> String {
    let all = format!("there are {}, and those that you make: conntop explain themes", names().join(", "));
    let hint = suggest::hint(name, names().iter().map(String::as_str), &all);
    format!("unknown value '{}' of theme; {hint}", name.escape_debug())
}

/// The names that are always there.
pub(super) fn names() -> Vec<String> {
    std::iter::once(AUTO).chain(built_in::names()).map(str::to_owned).collect()
}

/// Every theme, those of the user last, and what is wrong with those that cannot be used.
pub(super) fn all() -> (Vec<Theme>, Vec<String>) {
    let (mut themes, mut wrong) = (built_in::themes().to_vec(), Vec::new());
    for name in names_of_user() {
        match of_user(&name) {
            Ok(theme) => themes.push(theme),
            Err(ThemeNameError::Unusable(sentence)) => wrong.push(sentence),
            // It was deleted just now.
            Err(ThemeNameError::Unknown) => {}
        }
    }
    (themes, wrong)
}

fn folder() -> Option<PathBuf> {
    user_files::folder().map(|folder| folder.join("themes"))
}

/// The names of the files in the user's folder, sorted; those that a theme of conntop has do not count.
fn names_of_user() -> Vec<String> {
    let Some(entries) = folder().and_then(|folder| fs::read_dir(folder).ok()) else { return Vec::new() };
    let name = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?.strip_suffix(EXTENSION)?.to_owned();
        (is_name(&name) && names().iter().all(|known| *known != name)).then_some(name)
    };
    let mut found: Vec<String> = entries.filter_map(|entry| name(entry.ok()?)).take(THEMES_MAX).collect();
    found.sort();
    found
}

/// The theme in the user's file of this name.
fn of_user(name: &str) -> Result<Theme, ThemeNameError> {
    // Nothing else is a name, so that none leads out of the folder.
    let folder = folder().filter(|_| is_name(name)).ok_or(ThemeNameError::Unknown)?;
    let path = folder.join(format!("{name}{EXTENSION}"));
    let file = path.display();
    let unusable = |what: String| ThemeNameError::Unusable(what);
    let text = user_files::load(&path, user_files::may_be_trusted).map_err(|error| match error {
        UserFileError::Missing => ThemeNameError::Unknown,
        UserFileError::Untrusted => {
            unusable(format!("{file} is not used: root reads no theme that others can write; chown and chmod it"))
        }
        UserFileError::Unusable(what) => unusable(format!("the theme {file} {what}")),
    })?;
    Theme::read(name, &text).map_err(|error| unusable(format!("{file}, {error}")))
}

fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(is_part)
}
