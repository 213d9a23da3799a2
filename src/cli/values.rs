//! Values of options: numbers, times and names, and what to write instead of a wrong one.

use std::ffi::OsStr;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::cli::themes::{self, ThemeChoice, ThemeNameError};
use crate::diagnosis::ignore::Ignore;
use crate::diagnosis::rule::Rule;
use crate::report::list::can_group;
use crate::table::connections::COLUMNS;
use crate::table::sums::SUMS;
use crate::table::{column, suggest, units};

/// The shortest and the longest time between samples.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(60);

/// A whole number.
pub(in crate::cli) fn amount<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| "write a whole number, such as 100".to_owned())
}

/// A whole number that is not 0.
pub(in crate::cli) fn at_least_one(text: &str) -> Result<NonZeroU64, String> {
    text.parse().map_err(|_| "write a whole number from 1 on, such as 100".to_owned())
}

/// A time span as filters read it: a number of seconds, or one with units.
pub(in crate::cli) fn span(text: &str) -> Result<Duration, String> {
    let nanos = units::parse_span(text).ok_or_else(|| units::SPAN_HINT.to_owned())?;
    Ok(Duration::from_nanos(nanos))
}

/// A size in bytes.
pub(in crate::cli) fn size(text: &str) -> Result<u64, String> {
    units::parse_size(text).ok_or_else(|| units::SIZE_HINT.to_owned())
}

/// A time between samples.
pub(in crate::cli) fn interval(text: &str) -> Result<Duration, String> {
    let asked = span(text).ok().filter(|asked| is_interval(*asked));
    asked.ok_or_else(|| INTERVAL_HINT.to_owned())
}

/// What a time between samples looks like.
pub(in crate::cli) const INTERVAL_HINT: &str = "write a time from 0.1 to 60 seconds, such as 2, 0.5 or 500ms";

/// Whether samples may be so far apart.
pub(in crate::cli) fn is_interval(asked: Duration) -> bool {
    (INTERVAL_MIN..=INTERVAL_MAX).contains(&asked)
}

/// Reads a value that is, or begins with, a name from a table of the program. Help and completions offer the names; a
/// wrong one is answered with the nearest.
#[derive(Clone, Copy)]
pub(in crate::cli) struct NameParser<T> {
    /// All names.
    pub(in crate::cli) names: fn() -> Vec<String>,
    /// The value that a text writes.
    pub(in crate::cli) parse: fn(&str) -> Result<T, NameError>,
    /// Where all names are listed, as a clause; `None` to list them in the error.
    pub(in crate::cli) listed: Option<&'static str>,
}

/// Why a text is no value.
pub(in crate::cli) enum NameError {
    /// There is no such name.
    Unknown,
    /// The name is known, but something else is wrong: what to write.
    Wrong(String),
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for NameParser<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let text = value.to_str().ok_or_else(|| clap::Error::new(ErrorKind::InvalidUtf8).with_cmd(command))?.trim();
        (self.parse)(text).map_err(|why| {
            let (kind, hint) = match why {
                NameError::Unknown => (ErrorKind::InvalidValue, self.hint(text)),
                NameError::Wrong(sentence) => {
                    (ErrorKind::ValueValidation, (ContextKind::Custom, ContextValue::String(sentence)))
                }
            };
            let mut error = clap::Error::new(kind).with_cmd(command);
            let arg = arg.map(ToString::to_string).unwrap_or_default();
            error.insert(ContextKind::InvalidArg, ContextValue::String(arg));
            error.insert(ContextKind::InvalidValue, ContextValue::String(text.to_owned()));
            error.insert(hint.0, hint.1);
            error
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.names)().into_iter().map(PossibleValue::new)))
    }
}

impl<T> NameParser<T> {
    /// What to write instead of `text`: the nearest name, else all of them or where they are listed.
    fn hint(&self, text: &str) -> (ContextKind, ContextValue) {
        // What follows a colon belongs to the name before it: a seed, a file, a port. A dash before a column is its order.
        let head = |text: &str| text.trim_start_matches('-').split(':').next().unwrap_or_default().to_owned();
        let names = (self.names)();
        let heads: Vec<String> = names.iter().map(|name| head(name)).collect();
        match (suggest::closest(&head(text), heads.iter().map(String::as_str)), self.listed) {
            (Some(near), _) => (ContextKind::SuggestedValue, ContextValue::String(near.to_owned())),
            (None, Some(listed)) => (ContextKind::Custom, ContextValue::String(listed.to_owned())),
            (None, None) => (ContextKind::ValidValue, ContextValue::Strings(names)),
        }
    }
}

/// A rule of the diagnosis and, after a colon, what else a finding must be to be ignored.
pub(in crate::cli) const IGNORE: NameParser<Ignore> = NameParser {
    names: || Rule::ALL.iter().map(|rule| rule.id().to_owned()).collect(),
    parse: |text| {
        let name = text.split(':').next().unwrap_or_default().trim();
        let is_slip = suggest::closest(name, Rule::ALL.iter().map(|rule| rule.id())).is_some_and(|near| near != name);
        Ignore::parse(text).map_err(|why| if is_slip { NameError::Unknown } else { NameError::Wrong(why) })
    },
    listed: Some("conntop explain lists the rules"),
};

/// The names of columns in `--columns` and `--sort`: those of sockets and those of groups.
fn column_names() -> Vec<String> {
    let of_sockets = || COLUMNS.iter().map(|column| column.key);
    let of_groups = SUMS.iter().map(|column| column.key).filter(|key| of_sockets().all(|known| known != *key));
    of_sockets().chain(of_groups).map(str::to_owned).collect()
}

fn is_column(name: &str) -> bool {
    column::find(COLUMNS, name).is_ok() || column::find(SUMS, name).is_ok()
}

/// Where the names of columns are listed.
const COLUMNS_LISTED: Option<&str> = Some("see conntop columns");

/// A column of sockets or of groups, by its name.
pub(in crate::cli) const COLUMN: NameParser<String> = NameParser {
    names: column_names,
    parse: |name| is_column(name).then(|| name.to_owned()).ok_or(NameError::Unknown),
    listed: COLUMNS_LISTED,
};

/// A column to sort by; a `-` before its name reverses the order.
pub(in crate::cli) const SORT: NameParser<String> = NameParser {
    names: column_names,
    parse: |text| {
        let name = text.strip_prefix('-').unwrap_or(text);
        is_column(name).then(|| text.to_owned()).ok_or(NameError::Unknown)
    },
    listed: COLUMNS_LISTED,
};

/// A theme of the screen.
pub(in crate::cli) const THEME: NameParser<ThemeChoice> = NameParser {
    names: themes::names,
    parse: |name| {
        themes::named(name).map_err(|why| match why {
            ThemeNameError::Unknown => NameError::Unknown,
            ThemeNameError::Unusable(sentence) => NameError::Wrong(sentence),
        })
    },
    listed: None,
};

/// A column that sockets can be grouped by.
pub(in crate::cli) const GROUP_BY: NameParser<String> = NameParser {
    names: || COLUMNS.iter().filter(|column| can_group(column)).map(|column| column.key.to_owned()).collect(),
    // A column that cannot group has a sentence of its own, which says why.
    parse: |name| column::find(COLUMNS, name).map(|_| name.to_owned()).map_err(|_| NameError::Unknown),
    listed: COLUMNS_LISTED,
};
