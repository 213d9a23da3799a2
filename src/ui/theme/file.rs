//! The file of a theme: TOML with a sentence about the theme and one row for each role. What is wrong is said with its line.

use std::fmt;

use ratatui::style::Style;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::table::suggest;
use crate::ui::theme::Theme;
use crate::ui::theme::role::{ROLES, Role};
use crate::ui::theme::style;

/// The keys of the file.
const KEYS: [&str; 4] = ["about", "base", "sixteen", "roles"];
/// The longest sentence about a theme, in bytes.
const ABOUT_LEN_MAX: usize = 120;

/// Why a text is no theme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThemeError {
    /// The line of the file, from 1 on.
    line: usize,
    sentence: String,
}

impl fmt::Display for ThemeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.sentence)
    }
}

/// What is wrong, and at which byte.
struct Mistake {
    at: usize,
    sentence: String,
}

impl Mistake {
    fn new(at: usize, sentence: impl Into<String>) -> Self {
        Self { at, sentence: sentence.into() }
    }

    fn with_line(self, text: &str) -> ThemeError {
        let before = text.get(..self.at).unwrap_or_default();
        ThemeError { line: before.matches('\n').count() + 1, sentence: self.sentence }
    }
}

/// What the file says.
#[derive(Default)]
struct ThemeFile {
    about: Option<String>,
    base: Option<Theme>,
    sixteen: Option<String>,
    /// The looks that it gives, in the order of [`ROLES`].
    looks: Vec<Option<Style>>,
    /// Where the roles begin.
    roles_at: usize,
}

/// The theme `name` that `text` is the file of; themes that it can build upon are `bases`.
pub(super) fn read(name: &str, text: &str, bases: &[Theme]) -> Result<Theme, ThemeError> {
    parse(text, bases).and_then(|file| theme(name, file)).map_err(|mistake| mistake.with_line(text))
}

fn parse(text: &str, bases: &[Theme]) -> Result<ThemeFile, Mistake> {
    let root = DeTable::parse(text).map_err(|error| {
        let sentence = error.message().lines().collect::<Vec<_>>().join(", ");
        Mistake::new(error.span().map_or(0, |span| span.start), sentence)
    })?;
    let mut file = ThemeFile { looks: vec![None; ROLES.len()], ..ThemeFile::default() };
    for (key, value) in root.get_ref() {
        match key.get_ref().as_ref() {
            "about" => file.about = Some(sentence(value)?),
            "base" => file.base = Some(base(value, bases)?),
            "sixteen" => file.sixteen = Some(base(value, bases)?.name().to_owned()),
            "roles" => {
                file.roles_at = key.span().start;
                read_roles(value, &mut file.looks)?;
            }
            other => return Err(unknown("key", other, key.span().start, &KEYS)),
        }
    }
    Ok(file)
}

fn read_roles(value: &Spanned<DeValue<'_>>, looks: &mut [Option<Style>]) -> Result<(), Mistake> {
    let at = value.span().start;
    let Some(rows) = value.get_ref().as_table() else {
        return Err(Mistake::new(at, "roles is a section: write [roles] and one line for each role below"));
    };
    let known: Vec<&str> = ROLES.iter().map(|row| row.key).collect();
    for (key, value) in rows {
        let name = key.get_ref().as_ref();
        let role = Role::named(name).ok_or_else(|| unknown("role", name, key.span().start, &known))?;
        let style = style::parse(text_of(value)?);
        let style = style.map_err(|error| Mistake::new(value.span().start, format!("{name}: {error}")))?;
        looks[role as usize] = Some(style);
    }
    Ok(())
}

fn unknown(what: &str, name: &str, at: usize, known: &[&str]) -> Mistake {
    let all = format!("there are {}", known.join(", "));
    let hint = suggest::hint(name, known.iter().copied(), &all);
    Mistake::new(at, format!("unknown {what} '{}'; {hint}", name.escape_debug()))
}

fn text_of<'v>(value: &'v Spanned<DeValue<'_>>) -> Result<&'v str, Mistake> {
    let text = value.get_ref().as_str();
    text.ok_or_else(|| Mistake::new(value.span().start, "write text in quotes, such as \"bold #ff7b72\""))
}

/// A sentence about the theme: one line without control characters, so that a menu can show it.
fn sentence(value: &Spanned<DeValue<'_>>) -> Result<String, Mistake> {
    let text = text_of(value)?;
    let is_plain = text.len() <= ABOUT_LEN_MAX && !text.chars().any(char::is_control);
    let refuse = || Mistake::new(value.span().start, format!("about takes one line of {ABOUT_LEN_MAX} bytes at most"));
    is_plain.then(|| text.to_owned()).ok_or_else(refuse)
}

fn base(value: &Spanned<DeValue<'_>>, bases: &[Theme]) -> Result<Theme, Mistake> {
    let name = text_of(value)?;
    let known: Vec<&str> = bases.iter().map(Theme::name).collect();
    let found = bases.iter().find(|theme| theme.name() == name);
    found.cloned().ok_or_else(|| unknown("theme", name, value.span().start, &known))
}

/// What a role looks like: as the file says, else as the base has it, else like the role that its row names.
fn theme(name: &str, file: ThemeFile) -> Result<Theme, Mistake> {
    let ThemeFile { about, base, sixteen, looks, roles_at } = file;
    let mut styles: Vec<Style> = Vec::with_capacity(ROLES.len());
    for (row, look) in ROLES.iter().zip(looks) {
        let like = |role: Role| styles.get(role as usize).copied();
        let inherited = || base.as_ref().map(|base| base.style(row.role)).or_else(|| row.like.and_then(like));
        let Some(style) = look.or_else(inherited) else {
            let sentence = format!(
                "the role '{}' is missing; write it, or base = \"default\" to take it from another theme",
                row.key
            );
            return Err(Mistake::new(roles_at, sentence));
        };
        // A look without a colour has that of plain text, whatever was drawn below it.
        let plain = styles.first().map_or(style, |text| *text);
        let fg = style.fg.or(plain.fg).unwrap_or_default();
        styles.push(style.fg(fg));
    }
    let sixteen = sixteen.or_else(|| base.as_ref().map(|base| base.sixteen().to_owned()));
    let about = about.or_else(|| base.as_ref().map(|base| format!("a variant of {}", base.name())));
    Ok(Theme::new(name, about.unwrap_or_default(), sixteen, styles))
}

#[cfg(test)]
mod tests {
    use ratatui::style::Color;

    use super::*;
    use crate::ui::theme::built_in;

    fn read_user(text: &str) -> Result<Theme, String> {
        read("mine", text, built_in::themes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_theme_may_build_upon_another_and_say_only_what_is_different() {
        let theme = read_user("base = \"dark\"\n[roles]\nalarm = \"#ff00ff on #000000\"\n").expect("valid");
        let dark = Theme::built_in("dark").expect("a theme of conntop");
        for row in ROLES.iter().filter(|row| row.role != Role::Alarm) {
            assert_eq!(theme.style(row.role), dark.style(row.role), "{}", row.key);
        }
        assert_eq!(theme.style(Role::Alarm).fg, Some(Color::Rgb(255, 0, 255)));
        assert_eq!((theme.name(), theme.about(), theme.sixteen()), ("mine", "a variant of dark", dark.sixteen()));
        assert_eq!(read_user("base = \"mono\"").expect("valid").style(Role::Text), Theme::mono().style(Role::Text));
    }

    #[test]
    fn a_theme_without_a_base_names_every_role_that_has_no_likeness() {
        let needed: Vec<String> =
            ROLES.iter().filter(|row| row.like.is_none()).map(|row| format!("{} = \"green\"", row.key)).collect();
        let theme = read_user(&format!("[roles]\n{}", needed.join("\n"))).expect("complete");
        assert!(ROLES.iter().all(|row| theme.style(row.role).fg == Some(Color::Green)));
        for left_out in &needed {
            let rest: Vec<&str> = needed.iter().filter(|row| *row != left_out).map(String::as_str).collect();
            let (key, _) = left_out.split_once(' ').expect("a row");
            let error = read_user(&format!("about = \"x\"\n[roles]\n{}", rest.join("\n"))).expect_err(left_out);
            assert!(error.starts_with(&format!("line 2: the role '{key}' is missing; write it, or base")), "{error}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, sentence) in [
            ("\nabuot = \"x\"", "line 2: unknown key 'abuot'; did you mean 'about'?"),
            ("base = \"drak\"", "line 1: unknown theme 'drak'; did you mean 'dark'?"),
            ("base = \"dark\"\n[roles]\n\nalram = \"red\"", "line 4: unknown role 'alram'; did you mean 'alarm'?"),
            (
                "base = \"dark\"\n[roles]\nalarm = \"gren\"",
                "line 3: alarm: unknown colour 'gren'; did you mean 'green'?",
            ),
            ("base = \"dark\"\n[roles]\nalarm = 7", "line 3: write text in quotes, such as"),
            ("base = \"dark\"\nroles = \"red\"", "line 2: roles is a section"),
            ("base = \"dark\"\nsixteen = \"x\"", "line 2: unknown theme 'x'; there are default, "),
            ("about = \"a\\nb\"", "line 1: about takes one line"),
            ("[roles\n", "line 1: "),
            ("", "line 1: the role 'text' is missing"),
        ] {
            let error = read_user(text).expect_err(text);
            assert!(error.starts_with(sentence) && !error.contains('\n'), "{error}");
        }
    }
}
