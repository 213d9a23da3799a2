//! The arguments of `conntop record`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::values::{amount, span};

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  conntop record leak.conntop                   until Ctrl-C
  conntop record --for 3600 leak.conntop        for an hour
  conntop record --count 10 --interval 5 leak.conntop

Every sample is whole in the file before the next is taken: whatever ends it leaves a recording
that can be played. The file must not exist, and only you may read it: it holds addresses and
names of processes.";

pub(in crate::cli::args) const REPLAY_EXAMPLES: &str = "\
Examples:
  conntop replay leak.conntop                       on the screen, as it was
  conntop replay leak.conntop state:close-wait      only what matches
  conntop list --source replay:leak.conntop         its end, printed
  conntop watch --source replay:leak.conntop        all changes in it
  conntop check --source replay:leak.conntop        what was wrong at its end

Where stdout is no terminal, the end of the recording is printed, as conntop list does.";

#[derive(Args, Debug)]
pub(in crate::cli) struct RecordArguments {
    /// The file to write; it must not exist yet
    pub(in crate::cli) file: PathBuf,
    /// Stop after this time
    #[arg(long = "for", value_name = "SECONDS", value_parser = span, allow_hyphen_values = true)]
    pub(in crate::cli) time: Option<Duration>,
    /// Stop after this many samples
    #[arg(long, value_name = "N", value_parser = amount::<u32>, allow_hyphen_values = true)]
    pub(in crate::cli) count: Option<u32>,
}
