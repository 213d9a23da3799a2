//! The config file: where it is, how it is read, and what is wrong with it in one sentence.
//!
//! A file that the user named and that cannot be used ends the program. The default one does not, whatever is wrong with
//! it: one sentence says that it is not used, and the defaults hold.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::app::keymap::remap::Keymap;
use crate::cli::args::{Color, values};
use crate::cli::{Failure, say};
use crate::diagnosis::ignore::{IGNORES_MAX, Ignore};
use crate::diagnosis::thresholds::Thresholds;
use crate::model::host_name::Lookups;
use crate::model::snapshot::Needs;
use crate::model::units::parse::deserialize_span;
use crate::source::guarded::{self, Unusable};
use crate::source::{self, Choice, Source, users};
use crate::table::suggest;

/// The longest config file, in bytes.
const LEN_MAX: u64 = 64 * 1024;
/// The name of a file that says nothing.
const NOTHING: &str = "/dev/null";

/// What holds for every command: defaults, changed by the config file, changed by the command line.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(super) struct Settings {
    /// The time between samples.
    #[serde(deserialize_with = "interval")]
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
    /// Whether names are never asked for; said on the command line only.
    #[serde(skip)]
    pub(super) no_dns: bool,
    /// Whether the kernel is asked for exact transitions.
    pub(super) trace: bool,
    /// The keys of the screen.
    pub(super) keys: Keymap,
    /// The numbers that the rules compare with.
    pub(super) thresholds: Thresholds,
    /// The findings that are counted and not told.
    #[serde(deserialize_with = "ignores")]
    pub(super) ignore: Vec<Ignore>,
    /// Why the default file is not used, where it is not. Was said; a screen shows it as well.
    #[serde(skip)]
    pub(super) remark: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(1),
            all_netns: false,
            read_only: false,
            ascii: false,
            mouse: true,
            color: Color::Auto,
            bell: false,
            dns: false,
            dns_private: false,
            no_dns: false,
            trace: true,
            keys: Keymap::default(),
            thresholds: Thresholds::default(),
            ignore: Vec::new(),
            remark: None,
        }
    }
}

impl Settings {
    /// What a sample is to hold beside the sockets of this namespace.
    pub(super) fn needs(&self) -> Needs {
        Needs { all_namespaces: self.all_netns, wait_for_names: users::WAIT_ONCE, ..Needs::default() }
    }

    /// Whether names of hosts are asked for: a no beats every yes.
    pub(super) const fn lookups(&self) -> Lookups {
        match (self.no_dns, self.dns) {
            (true, _) => Lookups::Forbidden,
            (false, true) => Lookups::On,
            (false, false) => Lookups::Off,
        }
    }

    /// The same with names asked for, or not.
    pub(super) fn with_dns(self, dns: bool) -> Self {
        Self { dns, ..self }
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

fn interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let asked = deserialize_span(deserializer)?;
    Some(asked)
        .filter(|asked| values::is_interval(*asked))
        .ok_or_else(|| serde::de::Error::custom(values::INTERVAL_HINT))
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

/// The settings of the file that the user `named`, or of the default file if there is one that can be used.
pub(super) fn read(named: Option<&Path>) -> Result<Settings, Failure> {
    let Some(path) = named else {
        return Ok(default_path().map_or_else(Settings::default, |path| read_default(&path)));
    };
    if path == Path::new(NOTHING) {
        return Ok(Settings::default());
    }
    let file = path.display();
    match load(path, |_| true) {
        Ok(text) => parse(&text).map_err(|what| Failure::Usage(format!("{file}, {what}"))),
        Err(Unread::Missing) => Err(Failure::Usage(format!(
            "there is no config file {file}; write one (conntop explain config shows what goes in) or leave out --config"
        ))),
        Err(Unread::Ignored) => Ok(Settings::default()),
        Err(Unread::Wrong(what)) => Err(Failure::Failed(format!(
            "the config file {file} {what}; mend that, or go without by --config {NOTHING}"
        ))),
    }
}

/// The settings of the default file. Nobody asked for it, so whatever is wrong with it stops nothing: it is said that it
/// is not used, and what holds instead.
fn read_default(path: &Path) -> Settings {
    let file = path.display();
    let why = match load(path, may_be_trusted).map(|text| parse(&text)) {
        Ok(Ok(settings)) => return settings,
        // Most people have none.
        Err(Unread::Missing) => return Settings::default(),
        Ok(Err(what)) => format!("{file}, {what}"),
        Err(Unread::Ignored) => format!(
            "{file} is not used: root reads no settings that others can write; chown and chmod it, or name it with --config"
        ),
        Err(Unread::Wrong(what)) => format!("the config file {file} {what}"),
    };
    let remark = format!("{why}; the defaults hold");
    say(&remark);
    Settings { remark: Some(remark), ..Settings::default() }
}

/// `$XDG_CONFIG_HOME/conntop/config.toml`, else `~/.config/conntop/config.toml`. Never below the working directory: a
/// relative path in the environment counts as none (XDG Base Directory Specification).
fn default_path() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(folder.join("conntop").join("config.toml"))
}

/// Why there is no text.
enum Unread {
    Missing,
    /// It could be another user's words.
    Ignored,
    /// What is wrong: follows "the config file FILE".
    Wrong(String),
}

/// The text of the file, if `is_trusted` says so of what it is.
fn load(path: &Path, is_trusted: impl FnOnce(&std::fs::Metadata) -> bool) -> Result<String, Unread> {
    let (file, about) = guarded::open(path)?;
    if !is_trusted(&about) {
        return Err(Unread::Ignored);
    }
    let bytes = guarded::read_opened(file, &about, LEN_MAX)?;
    String::from_utf8(bytes).map_err(|_| Unread::Wrong("is not UTF-8 text".to_owned()))
}

impl From<Unusable> for Unread {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            // A file in the way of a folder is as good as none.
            Unusable::Missing => Self::Missing,
            unusable => Self::Wrong(unusable.to_string()),
        }
    }
}

/// Whether nobody but root can have written it, for root; others may read what they like.
#[cfg(unix)]
fn may_be_trusted(about: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    !rustix::process::geteuid().is_root() || about.uid() == 0 && about.mode() & WRITABLE_BY_OTHERS == 0
}

#[cfg(not(unix))]
fn may_be_trusted(_: &std::fs::Metadata) -> bool {
    true
}

/// The settings that `text` writes, or what is wrong with it: `line 3: ...`.
fn parse(text: &str) -> Result<Settings, String> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        format!("line {line}: {}", in_words(error.message()))
    })
}

/// More keys than these nobody reads in a sentence, which has a limit and a next step after them.
const KNOWN_TOLD_MAX: usize = 24;

/// serde's message with a next step. It quotes names in backticks: the unknown one first, then those there are.
fn in_words(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    if let Some(unknown) = quoted.next().filter(|_| message.starts_with("unknown field")) {
        let known: Vec<&str> = quoted.collect();
        let all = match known.len() {
            ..=KNOWN_TOLD_MAX => format!("there are {}", known.join(", ")),
            many => format!("conntop explain config lists the {many} there are"),
        };
        return format!("unknown key '{unknown}'; {}", suggest::hint(unknown, known.iter().copied(), &all));
    }
    let first = message.lines().next().unwrap_or_default();
    format!("{first}; see conntop explain config, or go without by --config {NOTHING}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../assets/config.toml");

    #[test]
    fn the_example_holds_every_key_with_its_default() {
        assert_eq!(parse(EXAMPLE), Ok(Settings::default()));
        for section in ["", "[thresholds]\n"] {
            let error = toml::from_str::<Settings>(&format!("{section}no-such-key = 1")).expect_err("unknown");
            let names: Vec<_> = error.message().split('`').skip(1).step_by(2).skip(1).collect();
            assert!(!names.is_empty(), "{error}");
            // Older names are still read, and stand in no example.
            for name in names.into_iter().filter(|name| *name != "time-wait-churn") {
                let is_there = |line: &str| {
                    line.starts_with(&format!("{name} = "))
                        || line == format!("[{name}]")
                        || line == format!("# [[{name}]]")
                };
                assert!(EXAMPLE.lines().any(is_there), "assets/config.toml lacks {name}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line_and_a_next_step() {
        for (text, sentence) in [
            ("\n\nintervall = 2", "line 3: unknown key 'intervall'; did you mean 'interval'?"),
            ("interval = 0", "line 1: write a time from 0.1 to 60 seconds, such as 2, 0.5 or 500ms; see conntop"),
            ("bell = true\ninterval = \"soon\"", "line 2: write a time, such as 30, 0.5, 500ms or 2m; see conntop"),
            (
                "[thresholds]\nclose-wait-aeg = 2",
                "line 2: unknown key 'close-wait-aeg'; did you mean 'close-wait-age'?",
            ),
            (
                "color = \"red\"",
                "line 1: unknown variant `red`, expected one of `auto`, `always`, `never`; see conntop",
            ),
            (
                "\n[[ignore]]\nrule = \"exposed\"",
                "line 3: there is no rule 'exposed' to ignore; the rules are close-wait-leak,",
            ),
            (
                "[[ignore]]\nrule = \"orphans\"\npid = 7",
                "line 3: unknown key 'pid'; there are rule, process, port, addr, netns",
            ),
            ("[[ignore]]\nport = 7", "line 1: missing field `rule`; see conntop"),
            ("elephant = 1", "line 1: unknown key 'elephant'; there are interval, all-netns, read-only"),
            ("[thresholds]\nelephant = 1", "line 2: unknown key 'elephant'; conntop explain config lists the "),
            ("bell = true\n[keys]\nkil = [\"K\"]", "line 2: [keys]: unknown action 'kil'; conntop keys --format json"),
            ("[keys]\nkill = [\"f99\"]", "line 1: [keys] kill: unknown key 'f99'; write a character"),
            ("[keys]\nkill = [\"j\"]", "line 1: [keys]: key 'j' is given to both down and kill; give each its own"),
            ("[thresholds]\nchurm = 1", "line 2: unknown key 'churm'; did you mean 'churn'?"),
            ("interval", "line 1: "),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(sentence) && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn settings_of_the_file_take_the_place_of_defaults() {
        let settings =
            parse("interval = \"2000ms\"\nall-netns = true\nmouse = false\n[thresholds]\nclose-wait-age = 0.5\n");
        let settings = settings.expect("valid");
        assert_eq!((settings.interval, settings.all_netns, settings.mouse), (Duration::from_secs(2), true, false));
        assert_eq!(settings.thresholds.close_wait_age, Duration::from_millis(500));
        assert!(settings.trace && !settings.bell);
        let settings = parse("[[ignore]]\nrule = \"exposed-risky-port\"\nprocess = \"redis-server\"\nport = 6379\n");
        let named = Ignore::parse("exposed-risky-port:process:redis-server port:6379");
        assert_eq!(settings.expect("valid").ignore, [named.expect("valid")]);
    }
}
