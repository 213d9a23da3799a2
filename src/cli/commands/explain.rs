//! `conntop explain`: what a word means, from the tables of the program.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

use crate::cli::Failure;
use crate::cli::args;
use crate::cli::command::{ArgumentRewriter, CliCommand, CommandNotes, EXITS, example};
use crate::cli::global::GlobalOptions;
use crate::cli::options::FormatOption;
use crate::cli::output::{self, print};
use crate::cli::values::NameParser;
use crate::diagnosis::rule::Rule;
use crate::knowledge::topics;
use crate::model::tcp_state::STATES;
use crate::report::explain::{self, Explain, ExplainContext};
use crate::report::format::DocumentFormat;
use crate::source::machine;

/// The narrowest and the widest lines on a terminal; in a file they are as long as [`WIDTH`].
const WIDTHS: (u16, u16) = (40, 100);
const WIDTH: u16 = 80;

/// A topic: any word, for several words may be one. The names are those to offer.
const TOPIC: NameParser<String> = NameParser {
    names: || {
        let states = STATES.iter().map(|row| topics::normal(row.label));
        let rules = Rule::ALL.iter().map(|rule| rule.id().to_owned());
        states.chain(rules).chain(topics::all().iter().map(|topic| topic.id.clone())).collect()
    },
    parse: |text| Ok(text.to_owned()),
    listed: None,
};

/// The command with its arguments.
#[derive(Args, Debug)]
pub(super) struct ExplainCommand {
    /// What to explain; several words are first taken as one topic, then one by one
    #[arg(value_name = "TOPIC", value_parser = TOPIC, hide_possible_values = true)]
    topics: Vec<String>,
    #[command(flatten)]
    output: FormatOption<DocumentFormat>,
}

impl CliCommand for ExplainCommand {
    const NAME: &'static str = "explain";
    const ABOUT: &'static str = "Explain a state, port, range, finding, column, option, topic";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop explain close-wait", "a state, in any way of writing it"),
            example("conntop explain time-wait handshake", "several"),
            example("conntop explain 5432", "a port; also :443, 53/udp, redis"),
            example("conntop explain 49152-65535", "a range"),
            example("conntop explain close-wait-leak", "a finding"),
            example("conntop explain -o", "an option of netstat or of conntop"),
            example("conntop explain", "the list of topics"),
        ],
        paragraphs: &[],
        exits: EXITS,
    };
    const REWRITE: Option<ArgumentRewriter> = Some(with_options_as_topics);

    fn run(&self, _: &GlobalOptions) -> Result<ExitCode, Failure> {
        let around = ExplainContext { options: args::options(), client_ports: machine::client_ports() };
        let explain = Explain { format: self.output.format, width: width(), around };
        if self.topics.is_empty() {
            return print(explain.format, |out| explain.write_topics(out));
        }
        let words: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        let found = explain::find(&words, &explain.around).map_err(Failure::Usage)?;
        print(explain.format, |out| explain.write(&found, out))
    }
}

/// `arguments` of `conntop explain` with the options that are asked about (`-ano`, `--exposed`, `--interval` without a
/// value) behind all others, where they are topics. `takes_value` says whether an option of every command takes one.
fn with_options_as_topics(arguments: &[OsString], takes_value: &dyn Fn(&str) -> bool) -> Vec<OsString> {
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

fn width() -> usize {
    let terminal = || crossterm::terminal::size().map_or(WIDTH, |(columns, _)| columns.clamp(WIDTHS.0, WIDTHS.1));
    usize::from(if output::is_terminal() { terminal() } else { WIDTH })
}
