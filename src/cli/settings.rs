//! The settings of every command: one struct says which there are, on the command line and in the config file alike, and
//! one place merges them. The command line counts more than the config file, which counts more than the defaults.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Deserializer};

use crate::app::keymap::remap::Keymap;
use crate::cli::{Failure, terminal, values};
use crate::diagnosis::ignore::{IGNORES_MAX, Ignore};
use crate::diagnosis::thresholds::Thresholds;
use crate::model::host_name::Lookups;
use crate::model::snapshot::{AskedByName, Needs};
use crate::model::units::parse::deserialize_span;
use crate::source::{self, Choice, Source, users};

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
    /// Leave the mouse to the terminal
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    #[serde(rename = "mouse", deserialize_with = "inverted")]
    no_mouse: Option<bool>,
    /// Draw with ASCII characters only; this is the default where the locale is not UTF-8
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    pub(super) ascii: Option<bool>,
    /// When to use colours: auto unless said otherwise
    #[arg(long, global = true, value_name = "WHEN")]
    color: Option<Color>,
    /// Ring the terminal's bell when something critical is found
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    bell: Option<bool>,
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
            bell: self.bell.or(file.bell),
            dns: self.dns.or(file.dns),
            dns_private: self.dns_private.or(file.dns_private),
            no_dns: self.no_dns.or(file.no_dns),
            no_trace: self.no_trace.or(file.no_trace),
            ignore: file.ignore.into_iter().chain(self.ignore).collect(),
            keys: self.keys.or(file.keys),
            thresholds: self.thresholds.or(file.thresholds),
        }
    }
}

/// What holds for every command.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(super) struct Settings {
    /// The time between samples.
    pub(super) interval: Duration,
    /// Whether all network namespaces are shown.
    pub(super) all_netns: bool,
    /// Whether signals are never sent.
    pub(super) read_only: bool,
    /// Whether to draw with ASCII only.
    pub(super) ascii: bool,
    /// Whether the screen uses the mouse.
    pub(super) mouse: bool,
    /// When to use colours.
    pub(super) color: Color,
    /// Whether the bell rings when something critical is found.
    pub(super) bell: bool,
    /// Whether names of hosts are asked for.
    pub(super) dns: bool,
    /// Whether also those of private addresses.
    pub(super) dns_private: bool,
    /// Whether names are never asked for.
    pub(super) no_dns: bool,
    /// Whether the kernel is asked for exact transitions.
    pub(super) trace: bool,
    /// The keys of the screen.
    pub(super) keys: Keymap,
    /// The numbers that the rules compare with.
    pub(super) thresholds: Thresholds,
    /// The findings that are counted but not shown.
    pub(super) ignore: Vec<Ignore>,
    /// Why the default config file is not used, where it is not. It was said on stderr; a screen shows it as well.
    pub(super) remark: Option<String>,
    /// What the command asks for by name, beside what every sample has.
    pub(super) by_name: AskedByName,
}

impl Settings {
    /// The defaults, changed by the options of the config file, changed by those of the command line.
    pub(super) fn merged(command_line: &SettingOptions, file: SettingOptions, remark: Option<String>) -> Self {
        let given = command_line.clone().over(file);
        Self {
            interval: given.interval.unwrap_or(Duration::from_secs(1)),
            all_netns: given.all_netns.unwrap_or(false),
            read_only: given.read_only.unwrap_or(false),
            ascii: only_ascii(command_line.ascii, given.ascii),
            mouse: !given.no_mouse.unwrap_or(false),
            color: given.color.unwrap_or_default(),
            bell: given.bell.unwrap_or(false),
            dns: given.dns.unwrap_or(false),
            dns_private: given.dns_private.unwrap_or(false),
            no_dns: given.no_dns.unwrap_or(false),
            trace: !given.no_trace.unwrap_or(false),
            keys: given.keys.unwrap_or_default(),
            thresholds: given.thresholds.unwrap_or_default(),
            ignore: given.ignore,
            remark,
            by_name: AskedByName::default(),
        }
    }

    /// What a sample is to hold beside the sockets of this namespace.
    pub(super) fn needs(&self) -> Needs {
        Needs {
            all_namespaces: self.all_netns,
            wait_for_names: users::WAIT_ONCE,
            by_name: self.by_name,
            ..Needs::default()
        }
    }

    /// Whether names of hosts are asked for: a no beats every yes.
    pub(super) const fn lookups(&self) -> Lookups {
        match (self.no_dns, self.dns) {
            (true, _) => Lookups::Forbidden,
            (false, true) => Lookups::On,
            (false, false) => Lookups::Off,
        }
    }

    /// The same for a command that asks for this by name.
    pub(super) fn asking(&self, by_name: AskedByName) -> Self {
        Self { by_name, ..self.clone() }
    }

    /// The same with names asked for, or not.
    pub(super) fn with_dns(&self, dns: bool) -> Self {
        Self { dns, ..self.clone() }
    }

    /// Opens the source of `choice`, if it can do what is asked for.
    pub(super) fn open(&self, choice: &Choice) -> Result<Box<dyn Source>, Failure> {
        let source = source::open(choice)?;
        let kind = source.info().kind;
        if self.all_netns && !kind.sees_namespaces() {
            let sentence = format!(
                "--all-netns needs --source linux or procfs; the source {} has no other network namespaces",
                kind.name()
            );
            return Err(Failure::Usage(sentence));
        }
        Ok(source)
    }
}

/// Whether only ASCII may be written. A no on the command line counts more than the locale, a no in the file does not.
pub(super) fn only_ascii(command_line: Option<bool>, given: Option<bool>) -> bool {
    command_line.unwrap_or_else(|| given == Some(true) || !terminal::takes_utf8())
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
