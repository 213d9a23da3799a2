//! The options that every command has. The command line beats the config file, which beats the defaults.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use crate::cli::Failure;
use crate::cli::args::values;
use crate::cli::config::{self, Settings};
use crate::cli::{output, terminal};
use crate::diagnosis::ignore::Ignore;
use crate::source::Choice;
use crate::table::suggest;

/// The names of the sources; `synthetic` may have a seed behind a colon, `replay` has a file there.
pub(in crate::cli) const SOURCES: [&str; 6] = ["auto", "linux", "procfs", "portable", "synthetic", "replay:"];

const CONFIG_HELP: &str = "Read settings from this file; see conntop explain config";
const CONFIG_LONG_HELP: &str = "\
Read settings from this file; /dev/null for none. Otherwise $XDG_CONFIG_HOME/conntop/config.toml is read, or \
~/.config/conntop/config.toml, if it exists.

Keys: interval, all-netns, read-only, ascii, mouse, color, bell, dns, dns-private, trace, those of [thresholds], and [[ignore]]; conntop explain \
config shows them all. What the command line says counts more; --ascii=false and the like undo a setting. Root reads \
its own file only: under sudo name yours with --config.";

/// What holds for every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(in crate::cli) struct Global {
    /// Where to look: auto, linux, procfs, portable, synthetic[:SEED], or replay:FILE
    #[arg(long, global = true, value_name = "SOURCE", default_value = "auto")]
    source: String,
    /// Show a made-up server; the same as --source synthetic
    #[arg(long, global = true)]
    demo: bool,
    /// The time between samples, from 0.1 to 60 (500ms, 2s, 1m work too, as in every time); 1 unless said otherwise
    #[arg(long, global = true, value_name = "SECONDS", value_parser = values::interval, allow_hyphen_values = true)]
    interval: Option<Duration>,
    /// Show the sockets of every network namespace you may enter, not only of this one
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    all_netns: Option<bool>,
    /// Never send a signal, never close a socket
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    read_only: Option<bool>,
    /// Leave the mouse to the terminal
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    no_mouse: Option<bool>,
    /// Draw with ASCII characters only; so it does where the locale is not UTF-8
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    ascii: Option<bool>,
    /// When to use colours: auto unless said otherwise
    #[arg(long, global = true, value_name = "WHEN")]
    color: Option<Color>,
    /// Ring the terminal's bell when something critical is found
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    bell: Option<bool>,
    /// Ask name servers what the public addresses that are shown are called; key n in the screen
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    dns: Option<bool>,
    /// With --dns or key n, ask about private addresses too
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    dns_private: Option<bool>,
    /// Never ask a name server, whatever the config file, --dns, -f or key n say
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    no_dns: Option<bool>,
    /// Do without the kernel's trace of state changes, which takes root: transitions are then seen between samples
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true)]
    no_trace: Option<bool>,
    /// Count a finding and do not tell it: RULE, RULE:PORT, or 'RULE:process:nginx port:80'; may be repeated
    #[arg(long, global = true, value_name = "RULE[:WHERE]", value_parser = Ignore::parse)]
    ignore: Vec<Ignore>,
    #[arg(long, global = true, value_name = "FILE", help = CONFIG_HELP, long_help = CONFIG_LONG_HELP)]
    config: Option<PathBuf>,
}

impl Global {
    /// The settings of the config file under those of the command line.
    pub(in crate::cli) fn settings(&self) -> Result<Settings, Failure> {
        let file = config::read(self.config.as_deref())?;
        let no = |option: Option<bool>| option.map(|is_off| !is_off);
        let ascii = self.only_ascii(file.ascii);
        output::set_only_ascii(ascii);
        Ok(Settings {
            interval: self.interval.unwrap_or(file.interval),
            all_netns: self.all_netns.unwrap_or(file.all_netns),
            read_only: self.read_only.unwrap_or(file.read_only),
            mouse: no(self.no_mouse).unwrap_or(file.mouse),
            ascii,
            color: self.color.unwrap_or(file.color),
            bell: self.bell.unwrap_or(file.bell),
            dns: self.dns.unwrap_or(file.dns),
            dns_private: self.dns_private.unwrap_or(file.dns_private),
            no_dns: self.no_dns.unwrap_or(false),
            trace: no(self.no_trace).unwrap_or(file.trace),
            keys: file.keys,
            thresholds: file.thresholds,
            ignore: file.ignore.into_iter().chain(self.ignore.iter().cloned()).collect(),
            remark: file.remark,
        })
    }

    /// Whether only ASCII may be written, where the config file says `file`. What somebody says outright counts more than
    /// what the locale only hints at.
    pub(in crate::cli) fn only_ascii(&self, file: bool) -> bool {
        self.ascii.unwrap_or(file || !terminal::takes_utf8())
    }

    /// The source that was asked for.
    pub(in crate::cli) fn choice(&self) -> Result<Choice, Failure> {
        match (self.demo, self.source.as_str()) {
            (true, "auto") => Ok(Choice::parse("synthetic")?),
            (true, source) if !source.starts_with("synthetic") => {
                Err(Failure::Usage(format!("--demo is a source of its own; leave out --source {source}")))
            }
            (_, source) => Choice::parse(source).map_err(|error| with_hint(source, error.into())),
        }
    }

    /// The time between samples, if the command line says one.
    pub(in crate::cli) const fn asked_interval(&self) -> Option<Duration> {
        self.interval
    }
}

/// `failure` with the name that was most likely meant.
fn with_hint(source: &str, failure: Failure) -> Failure {
    let name = source.split(':').next().unwrap_or_default();
    let names = SOURCES.map(|known| known.trim_end_matches(':'));
    match (failure, suggest::closest(name, names)) {
        (Failure::Usage(_), Some(near)) if !names.contains(&name) => {
            Failure::Usage(format!("unknown source '{source}'; did you mean '{near}'?"))
        }
        (failure, _) => failure,
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum Color {
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
    pub(in crate::cli) fn is_on(self, is_terminal: bool) -> bool {
        let is_unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self {
            Self::Auto => is_terminal && !is_unwanted() && !terminal::is_dumb(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}
