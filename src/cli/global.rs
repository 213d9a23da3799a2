//! The options that every command has.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::settings::{self, SettingOptions, Settings};
use crate::cli::values::{NameError, NameParser};
use crate::cli::{Failure, config, output};
use crate::source::{Choice, Source};

/// The names of the sources; `synthetic` may have a seed behind a colon, `replay` has a file there.
const SOURCES: [&str; 6] = ["auto", "linux", "procfs", "portable", "synthetic", "replay:FILE"];

/// The value of `--source`.
const SOURCE: NameParser<Choice> = NameParser {
    names: || SOURCES.map(str::to_owned).into(),
    parse: |text| {
        let name = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
        if SOURCES.iter().any(|known| name(known) == name(text)) {
            Choice::parse(text).map_err(|error| NameError::Wrong(error.to_string()))
        } else {
            Err(NameError::Unknown)
        }
    },
    listed: None,
};

const CONFIG_HELP: &str = "Read settings from this file; see conntop explain config";
const CONFIG_LONG_HELP: &str = "\
Read settings from this file; /dev/null for none. Otherwise $XDG_CONFIG_HOME/conntop/config.toml is read, or \
~/.config/conntop/config.toml, if it exists.

Settings: interval, all-netns, read-only, ascii, mouse, color, theme, bell, low-bandwidth, dns, dns-private, trace, [keys], [thresholds] and \
[[ignore]]; conntop explain config shows them all. The command line counts more than the file; --ascii=false and the \
like undo a setting of it. Root reads only a file that nobody else can write: under sudo, name yours with this option.

Keys can be changed in the configuration: `[keys]`, then `kill = [\"D\", \"f8\"]`. The list replaces all keys of the \
action, and `[]` takes them away. `conntop keys --format json` lists the names of the actions. A key is a character, \
`ctrl-x`, `f1` to `f12`, or a name such as `enter`, `pgup`, `s-tab`.";

/// What holds for every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct GlobalOptions {
    /// Where to look: auto, linux, procfs, portable, synthetic[:SEED], or replay:FILE; replay:- reads standard input, and several
    /// recordings are shown together
    #[arg(long, global = true, value_name = "SOURCE", value_parser = SOURCE, default_value = "auto", hide_possible_values = true)]
    source: Vec<Choice>,
    /// Show a made-up server; the same as --source synthetic
    #[arg(long, global = true)]
    demo: bool,
    #[command(flatten)]
    options: SettingOptions,
    #[arg(long, global = true, value_name = "FILE", help = CONFIG_HELP, long_help = CONFIG_LONG_HELP)]
    config: Option<PathBuf>,
    /// The settings, once they were asked for.
    #[arg(skip)]
    settings: OnceCell<Settings>,
}

impl GlobalOptions {
    /// The settings of the config file under those of the command line. The file is read once.
    pub(super) fn settings(&self) -> Result<&Settings, Failure> {
        if let Some(settings) = self.settings.get() {
            return Ok(settings);
        }
        let (file, remark) = config::read(self.config.as_deref())?;
        let path = config::path(self.config.as_deref());
        let settings = Settings { config_path: path, ..Settings::merged(&self.options, file, remark) };
        output::set_only_ascii(settings.ascii);
        Ok(self.settings.get_or_init(|| settings))
    }

    /// Opens the source that was asked for.
    pub(super) fn open(&self) -> Result<Box<dyn Source>, Failure> {
        self.settings()?.open(&self.choice()?)
    }

    /// The same for a command that is about one host.
    pub(super) fn open_one_host(&self) -> Result<Box<dyn Source>, Failure> {
        self.expect_one_host()?;
        self.open()
    }

    /// Refuses several sources, for a command that is about one host.
    pub(super) fn expect_one_host(&self) -> Result<(), Failure> {
        match self.choice()? {
            Choice::Replays { .. } => {
                Err(Failure::Usage("this command is about one host; run it once for each --source".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Whether only ASCII may be written as far as the command line and the locale say.
    pub(super) fn only_ascii(&self) -> bool {
        settings::only_ascii(self.options.ascii, None)
    }

    /// The source that was asked for.
    pub(super) fn choice(&self) -> Result<Choice, Failure> {
        match (self.demo, &self.source[..]) {
            (true, [Choice::Auto]) => Ok(Choice::parse("synthetic")?),
            (false, [source]) | (true, [source @ Choice::Synthetic { .. }]) => Ok(source.clone()),
            (false, several) => several_hosts(several),
            (true, _) => Err(Failure::Usage("--demo is a source of its own; leave out --source".to_owned())),
        }
    }

    /// The time between samples, if the command line says one.
    pub(super) const fn asked_interval(&self) -> Option<Duration> {
        self.options.interval
    }
}

/// Recordings of several hosts.
fn several_hosts(sources: &[Choice]) -> Result<Choice, Failure> {
    let path = |source: &Choice| if let Choice::Replay { path } = source { Some(path.clone()) } else { None };
    let paths: Option<Vec<PathBuf>> = sources.iter().map(path).collect();
    paths.map(|paths| Choice::Replays { paths }).ok_or_else(|| {
        let sentence =
            "several sources are recordings of several hosts; write --source replay:FILE for each, or one source";
        Failure::Usage(sentence.to_owned())
    })
}
