//! The arguments of `conntop explain`.

use std::ffi::OsString;

use clap::{Args, CommandFactory};

use crate::cli::Failure;
use crate::cli::args::Arguments;
use crate::report::format::Format;

pub(in crate::cli::args) const EXAMPLES: &str = "\
Examples:
  conntop explain close-wait                a state, in any way of writing it
  conntop explain time-wait handshake       several
  conntop explain 5432                      a port; also :443, 53/udp, redis
  conntop explain 49152-65535               a range
  conntop explain close-wait-leak           a finding
  conntop explain -o                        an option of netstat or of conntop
  conntop explain                           the list of topics";

/// `arguments` of `conntop explain` with the short options of netstat (`-ano`), and the long ones of other commands
/// (`--group-by`), behind all others, where they are topics.
pub(in crate::cli::args) fn with_options_as_topics(arguments: &[OsString]) -> Vec<OsString> {
    const OURS: [&str; 2] = ["-h", "-V"];
    let definition = Arguments::command();
    let own = definition.find_subcommand("explain").map(clap::Command::get_arguments).into_iter().flatten();
    let ours: Vec<&str> =
        definition.get_arguments().chain(own).filter_map(clap::Arg::get_long).chain(["help", "version"]).collect();
    let is_topic = |word: &&OsString| {
        let word = word.to_str().unwrap_or_default();
        match word.strip_prefix("--") {
            Some(long) => !long.is_empty() && !ours.contains(&long.split('=').next().unwrap_or(long)),
            None => word.len() > 1 && word.starts_with('-') && !OURS.contains(&word),
        }
    };
    let (topics, others): (Vec<&OsString>, Vec<&OsString>) = arguments.iter().partition(is_topic);
    if topics.is_empty() || arguments.iter().any(|word| word == "--") {
        return arguments.to_vec();
    }
    others.into_iter().cloned().chain([OsString::from("--")]).chain(topics.into_iter().cloned()).collect()
}

#[derive(Args, Debug)]
pub(in crate::cli) struct ExplainArguments {
    /// What to explain; several words are first taken as one topic, then one by one
    #[arg(value_name = "TOPIC")]
    pub(in crate::cli) topics: Vec<String>,
    /// text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: String,
}

impl ExplainArguments {
    /// The format that was asked for.
    pub(in crate::cli) fn format(&self) -> Result<Format, Failure> {
        Format::parse_among(&self.format, &[Format::Text, Format::Json]).map_err(Failure::Usage)
    }
}
