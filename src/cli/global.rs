//! The options that every command has.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::settings::{self, SettingOptions, Settings};
use crate::cli::{Failure, config, output};
use crate::source::Choice;
use crate::table::suggest;

/// The names of the sources; `synthetic` may have a seed behind a colon, `replay` has a file there.
pub(super) const SOURCES: [&str; 6] = ["auto", "linux", "procfs", "portable", "synthetic", "replay:"];

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
pub(super) struct GlobalOptions {
    /// Where to look: auto, linux, procfs, portable, synthetic[:SEED], or replay:FILE
    #[arg(long, global = true, value_name = "SOURCE", default_value = "auto")]
    source: String,
    /// Show a made-up server; the same as --source synthetic
    #[arg(long, global = true)]
    demo: bool,
    #[command(flatten)]
    options: SettingOptions,
    #[arg(long, global = true, value_name = "FILE", help = CONFIG_HELP, long_help = CONFIG_LONG_HELP)]
    config: Option<PathBuf>,
}

impl GlobalOptions {
    /// The settings of the config file under those of the command line.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        let (file, remark) = config::read(self.config.as_deref())?;
        let settings = Settings::merged(&self.options, file, remark);
        output::set_only_ascii(settings.ascii);
        Ok(settings)
    }

    /// Whether only ASCII may be written as far as the command line and the locale say.
    pub(super) fn only_ascii(&self) -> bool {
        settings::only_ascii(self.options.ascii, None)
    }

    /// The source that was asked for.
    pub(super) fn choice(&self) -> Result<Choice, Failure> {
        match (self.demo, self.source.as_str()) {
            (true, "auto") => Ok(Choice::parse("synthetic")?),
            (true, source) if !source.starts_with("synthetic") => {
                Err(Failure::Usage(format!("--demo is a source of its own; leave out --source {source}")))
            }
            (_, source) => Choice::parse(source).map_err(|error| with_hint(source, error.into())),
        }
    }

    /// The time between samples, if the command line says one.
    pub(super) const fn asked_interval(&self) -> Option<Duration> {
        self.options.interval
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
