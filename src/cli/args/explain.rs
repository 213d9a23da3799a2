//! The arguments of `conntop explain`.

use std::ffi::OsString;

use clap::Args;

use crate::report::format::DocumentFormat;

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  conntop explain close-wait                a state, in any way of writing it
  conntop explain time-wait handshake       several
  conntop explain 5432                      a port; also :443, 53/udp, redis
  conntop explain 49152-65535               a range
  conntop explain close-wait-leak           a finding
  conntop explain -o                        an option of netstat or of conntop
  conntop explain                           the list of topics";

/// `arguments` of `conntop explain` with the options that are asked about (`-ano`, `--exposed`, `--interval` without a
/// value) behind all others, where they are topics. `takes_value` says whether an option of every command takes one.
pub(in crate::cli::args) fn with_options_as_topics(
    arguments: &[OsString],
    takes_value: impl Fn(&str) -> bool,
) -> Vec<OsString> {
    const OURS: [&str; 5] = ["-h", "-V", "--help", "--version", "--format"];
    if arguments.is_empty() || arguments.iter().any(|word| word == "--") {
        return arguments.to_vec();
    }
    let (mut topics, mut others) = (Vec::new(), Vec::new());
    // What stands before the command is for conntop.
    let command = arguments.iter().position(|word| word == "explain").unwrap_or(0);
    others.extend_from_slice(&arguments[..=command.min(arguments.len() - 1)]);
    for (at, argument) in arguments.iter().enumerate().skip(command + 1) {
        let word = argument.to_str().unwrap_or_default();
        let is_option = word.len() > 1 && word.starts_with('-') && !word.contains('=') && !OURS.contains(&word);
        let value = arguments.get(at + 1).filter(|next| !next.to_str().unwrap_or_default().starts_with('-'));
        let has_value = word.starts_with("--") && value.is_some() && takes_value(&word[2..]);
        let list = if is_option && !has_value { &mut topics } else { &mut others };
        list.push(argument.clone());
    }
    if topics.is_empty() { others } else { others.into_iter().chain([OsString::from("--")]).chain(topics).collect() }
}

#[derive(Args, Debug)]
pub(in crate::cli) struct ExplainArguments {
    /// What to explain; several words are first taken as one topic, then one by one
    #[arg(value_name = "TOPIC")]
    pub(in crate::cli) topics: Vec<String>,
    /// How to print
    #[arg(long, value_name = "FORMAT", value_enum, ignore_case = true, default_value_t)]
    pub(in crate::cli) format: DocumentFormat,
}
