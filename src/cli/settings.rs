//! The settings of every command: one struct says which there are, on the command line and in the config file alike, and
//! one place merges them. The command line counts more than the config file, which counts more than the defaults.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Deserializer};

use crate::app::keymap::remap::Keymap;
use crate::app::screen_setup::{ColumnsSetup, GroupSetup, ScreenSetup, SortSetup, SpanSetup};
use crate::app::settings::SharedSettings;
use crate::cli::themes::{self, ThemeChoice, ThemeNameError};
use crate::cli::{Failure, output, say, terminal, values};
use crate::diagnosis::ignore::{IGNORES_MAX, Ignore};
use crate::diagnosis::thresholds::Thresholds;
use crate::model::host_name::Lookups;
use crate::model::query::SocketQuery;
use crate::model::snapshot::{AskedByName, Needs};
use crate::model::units::parse::deserialize_span;
use crate::source::{self, Choice, Source, users};
use crate::streams;
use crate::table::filter::saved::SavedFilters;

/// The settings as the command line or the config file give them; what is not given is `None` or empty.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SettingOptions {
    /// The time between samples, from 0.1 to 60 (500ms, 2s, 1m work too, as in every time); 1 unless said otherwise
    #[arg(long, global = true, value_name = "SECONDS", value_parser = values::interval, allow_hyphen_values = true)]
    #[serde(deserialize_with = "interval")]
    pub(super) interval: Option<Duration>,
    /// Show the sockets of every network namespace you may enter, not only of this one
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    all_netns: Option<bool>,
    /// Never send a signal, never close a socket
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    read_only: Option<bool>,
    /// Leave the mouse to the terminal; this is the default in GNU screen, which holds Esc back as long as a program has the mouse
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    #[serde(rename = "mouse", deserialize_with = "inverted")]
    no_mouse: Option<bool>,
    /// Draw with ASCII characters only; this is the default where the locale is not UTF-8, and on the Linux console, whose fonts have few characters
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub(super) ascii: Option<bool>,
    /// When to use colours: auto unless said otherwise
    #[arg(long, global = true, value_name = "WHEN")]
    color: Option<Color>,
    /// How the screen is coloured; NAME may be a theme of your own: see conntop explain themes
    #[arg(long, global = true, value_name = "NAME", value_parser = values::THEME)]
    #[serde(deserialize_with = "theme")]
    theme: Option<ThemeChoice>,
    /// Ring the terminal's bell when something critical is found
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    bell: Option<bool>,
    /// Send little to the terminal, as over a slow line: a sample every 5 s unless --interval says otherwise, sixteen colours, no trends and graphs
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    low_bandwidth: Option<bool>,
    /// Ask name servers for the names of the public addresses that are shown; key n on the screen
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    dns: Option<bool>,
    /// With --dns or key n, ask about private addresses too
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    dns_private: Option<bool>,
    /// Never ask a name server, whatever the config file, --dns, -f or key n say
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    #[serde(skip)]
    no_dns: Option<bool>,
    /// Do without the kernel's trace of state changes, which needs root: transitions are then seen between samples
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    #[serde(rename = "trace", deserialize_with = "inverted")]
    no_trace: Option<bool>,
    /// Count a finding but do not show it: RULE, RULE:PORT, or 'RULE:process:nginx port:80'; may be repeated
    #[arg(long, global = true, value_name = "RULE[:WHERE]", value_parser = values::IGNORE, hide_possible_values = true)]
    #[serde(deserialize_with = "ignores")]
    ignore: Vec<Ignore>,
    #[arg(skip)]
    keys: Option<Keymap>,
    #[arg(skip)]
    filters: Option<SavedFilters>,
    #[arg(skip)]
    group: Option<GroupSetup>,
    #[arg(skip)]
    span: Option<SpanSetup>,
    #[arg(skip)]
    columns: Option<ColumnsSetup>,
    #[arg(skip)]
    sort: Option<SortSetup>,
    #[arg(skip)]
    thresholds: Option<Thresholds>,
}

impl SettingOptions {
    /// These over `file`: what both give counts from here, and ignored findings are those of both.
    fn over(self, file: Self) -> Self {
        Self {
            interval: self.interval.or(file.interval),
            all_netns: self.all_netns.or(file.all_netns),
            read_only: self.read_only.or(file.read_only),
            no_mouse: self.no_mouse.or(file.no_mouse),
            ascii: self.ascii.or(file.ascii),
            color: self.color.or(file.color),
            theme: self.theme.or(file.theme),
            bell: self.bell.or(file.bell),
            low_bandwidth: self.low_bandwidth.or(file.low_bandwidth),
            dns: self.dns.or(file.dns),
            dns_private: self.dns_private.or(file.dns_private),
            no_dns: self.no_dns.or(file.no_dns),
            no_trace: self.no_trace.or(file.no_trace),
            ignore: file.ignore.into_iter().chain(self.ignore).collect(),
            keys: self.keys.or(file.keys),
            filters: self.filters.or(file.filters),
            group: self.group.or(file.group),
            span: self.span.or(file.span),
            columns: self.columns.or(file.columns),
            sort: self.sort.or(file.sort),
            thresholds: self.thresholds.or(file.thresholds),
        }
    }
}

/// The time between samples on a slow line, unless somebody says another.
const RARE_INTERVAL: Duration = Duration::from_secs(5);

/// What holds for every command.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    /// What the commands share with the screen.
    pub(super) shared: SharedSettings,
    /// Whether to draw with ASCII only.
    pub(super) ascii: bool,
    /// Whether the screen uses the mouse, where somebody has said it.
    pub(super) mouse: Option<bool>,
    /// When to use colours.
    pub(super) color: Color,
    /// How the screen is coloured, where it is.
    pub(super) theme: ThemeChoice,
    /// Whether the kernel is asked for exact transitions.
    pub(super) trace: bool,
    /// Why the default config file is not used, where it is not. It was said on stderr; a screen shows it as well.
    pub(super) remark: Option<String>,
    /// The config file, whether or not it is there; `None` where there can be none.
    pub(super) config_path: Option<PathBuf>,
    /// What the command asks for by name, beside what every sample has.
    pub(super) by_name: AskedByName,
    /// Which sockets the command asks for, and what of them.
    pub(super) query: SocketQuery,
}

/// Whether the screen uses the mouse, where somebody has said it. The file's `mouse = true` is the default and leaves the
/// choice to the terminal, as its `ascii = false` does.
fn uses_mouse(is_off_on_command_line: Option<bool>, is_off: Option<bool>) -> Option<bool> {
    is_off_on_command_line.or(is_off.filter(|is_off| *is_off)).map(|is_off| !is_off)
}

impl Settings {
    /// The defaults, changed by the options of the config file, changed by those of the command line.
    pub(super) fn merged(command_line: &SettingOptions, file: SettingOptions, remark: Option<String>) -> Self {
        let given = command_line.clone().over(file);
        let lookups = match (given.no_dns, given.dns) {
            // A no beats every yes.
            (Some(true), _) => Lookups::Forbidden,
            (_, Some(true)) => Lookups::On,
            _ => Lookups::Off,
        };
        let defaults = SharedSettings::default();
        let low_bandwidth = given.low_bandwidth.unwrap_or(defaults.low_bandwidth);
        Self {
            shared: SharedSettings {
                interval: given.interval.unwrap_or(if low_bandwidth { RARE_INTERVAL } else { defaults.interval }),
                read_only: given.read_only.unwrap_or(defaults.read_only),
                all_namespaces: given.all_netns.unwrap_or(defaults.all_namespaces),
                lookups,
                private_names: given.dns_private.unwrap_or(defaults.private_names),
                bell: given.bell.unwrap_or(defaults.bell),
                low_bandwidth,
                keymap: given.keys.unwrap_or(defaults.keymap),
                filters: given.filters.unwrap_or(defaults.filters),
                screen: ScreenSetup {
                    group: given.group.unwrap_or_default(),
                    span: given.span.unwrap_or_default(),
                    columns: given.columns.unwrap_or_default(),
                    sort: given.sort.unwrap_or_default(),
                },
                thresholds: given.thresholds.unwrap_or(defaults.thresholds),
                ignore: given.ignore,
            },
            ascii: only_ascii(command_line.ascii, given.ascii),
            mouse: uses_mouse(command_line.no_mouse, given.no_mouse),
            color: given.color.unwrap_or_default(),
            theme: given.theme.unwrap_or_default(),
            trace: !given.no_trace.unwrap_or(false),
            remark,
            config_path: None,
            by_name: AskedByName::default(),
            query: SocketQuery::default(),
        }
    }

    /// What a sample is to hold beside the sockets of this namespace.
    pub(super) fn needs(&self) -> Needs {
        Needs {
            all_namespaces: self.shared.all_namespaces,
            wait_for_names: users::WAIT_ONCE,
            by_name: self.by_name,
            query: self.query.clone(),
            ..Needs::default()
        }
    }

    /// The same for a command that asks for this by name.
    pub(super) fn asking(&self, by_name: AskedByName) -> Self {
        Self { by_name, ..self.clone() }
    }

    /// The same for a command that asks for these sockets.
    pub(super) fn querying(&self, query: SocketQuery) -> Self {
        Self { query, ..self.clone() }
    }

    /// The same with this time between samples.
    pub(super) fn with_interval(&self, interval: Duration) -> Self {
        Self { shared: SharedSettings { interval, ..self.shared.clone() }, ..self.clone() }
    }

    /// The same with names asked for, or not; where they are forbidden they stay so.
    pub(super) fn with_names(&self, wanted: bool) -> Self {
        let lookups = match (self.shared.lookups, wanted) {
            (Lookups::Forbidden, _) => Lookups::Forbidden,
            (_, true) => Lookups::On,
            (_, false) => Lookups::Off,
        };
        Self { shared: SharedSettings { lookups, ..self.shared.clone() }, ..self.clone() }
    }

    /// Opens the source of `choice`, if it can do what is asked for.
    pub(super) fn open(&self, choice: &Choice) -> Result<Box<dyn Source>, Failure> {
        let source = match choice {
            Choice::Replay { path } => streams::open(std::slice::from_ref(path), &mut |sentence| say(sentence))?,
            Choice::Replays { paths } => streams::open(paths, &mut |sentence| say(sentence))?,
            _ => source::open(choice)?,
        };
        let kind = source.info().kind;
        if self.shared.all_namespaces && !kind.sees_namespaces() {
            let sentence = format!(
                "--all-netns needs --source linux or procfs; the source {} has no other network namespaces",
                kind.name()
            );
            return Err(Failure::Usage(sentence));
        }
        Ok(source)
    }
}

/// Whether only ASCII may be written. A no on the command line counts more than the locale and the terminal, a no in the
/// file does not.
pub(super) fn only_ascii(command_line: Option<bool>, given: Option<bool>) -> bool {
    let is_poor = || !terminal::takes_utf8() || output::is_terminal() && terminal::is_linux_console();
    command_line.unwrap_or_else(|| given == Some(true) || is_poor())
}

fn interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let asked = deserialize_span(deserializer)?;
    let is_valid = values::is_interval(asked);
    is_valid.then_some(Some(asked)).ok_or_else(|| serde::de::Error::custom(values::INTERVAL_HINT))
}

/// A setting that the config file says as a yes, and the command line as a no.
fn inverted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    bool::deserialize(deserializer).map(|is_on| Some(!is_on))
}

fn theme<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ThemeChoice>, D::Error> {
    let name = String::deserialize(deserializer)?;
    themes::named(&name).map(Some).map_err(|why| {
        serde::de::Error::custom(match why {
            ThemeNameError::Unknown => themes::unknown(&name),
            ThemeNameError::Unusable(sentence) => sentence,
        })
    })
}

fn ignores<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Ignore>, D::Error> {
    let ignores = Vec::deserialize(deserializer)?;
    if ignores.len() <= IGNORES_MAX {
        return Ok(ignores);
    }
    Err(serde::de::Error::custom(format!(
        "more than {IGNORES_MAX} entries of [[ignore]]; leave out what names a place"
    )))
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Color {
    /// On a terminal that is not `dumb`, unless `NO_COLOR` is set and not empty.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to use them.
    pub(super) fn is_on(self, is_terminal: bool) -> bool {
        let is_unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self {
            Self::Auto => is_terminal && !is_unwanted() && !terminal::is_dumb(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_slow_line_samples_are_rarer_unless_somebody_says_how_often_they_come() {
        let seconds = |low_bandwidth: Option<bool>, interval: Option<u64>, file: Option<bool>| {
            let given = SettingOptions {
                low_bandwidth,
                interval: interval.map(Duration::from_secs),
                ..SettingOptions::default()
            };
            let file = SettingOptions { low_bandwidth: file, ..SettingOptions::default() };
            let shared = Settings::merged(&given, file, None).shared;
            (shared.interval.as_secs(), shared.low_bandwidth)
        };
        assert_eq!(seconds(None, None, None), (1, false));
        assert_eq!(seconds(Some(true), None, None), (5, true));
        assert_eq!(seconds(Some(true), Some(2), None), (2, true));
        assert_eq!(seconds(Some(false), None, Some(true)), (1, false), "the command line counts more");
        assert_eq!(seconds(None, None, Some(true)), (5, true));
    }
}
