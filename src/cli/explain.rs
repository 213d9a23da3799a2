//! `conntop explain`: what a word means, from the tables of the program.

use std::process::ExitCode;

use crate::cli::Failure;
use crate::cli::args::{self, ExplainArguments};
use crate::cli::output::{self, print};
use crate::report::explain::{self, Explain, ExplainContext};
use crate::source::machine;

/// The narrowest and the widest lines on a terminal; in a file they are as long as [`WIDTH`].
const WIDTHS: (u16, u16) = (40, 100);
const WIDTH: u16 = 80;

/// Explains the topics, or lists them.
pub(super) fn run(options: &ExplainArguments) -> Result<ExitCode, Failure> {
    let around = ExplainContext { options: args::options(), client_ports: machine::client_ports() };
    let explain = Explain { format: options.format, width: width(), around };
    if options.topics.is_empty() {
        return print(explain.format, |out| explain.write_topics(out));
    }
    let words: Vec<&str> = options.topics.iter().map(String::as_str).collect();
    let found = explain::find(&words, &explain.around).map_err(Failure::Usage)?;
    print(explain.format, |out| explain.write(&found, out))
}

fn width() -> usize {
    let terminal = || crossterm::terminal::size().map_or(WIDTH, |(columns, _)| columns.clamp(WIDTHS.0, WIDTHS.1));
    usize::from(if output::is_terminal() { terminal() } else { WIDTH })
}
