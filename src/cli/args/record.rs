//! The arguments of `conntop record`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::args::values::{amount, seconds};

#[derive(Args, Debug)]
pub(in crate::cli) struct RecordArguments {
    /// The file to write; it must not exist yet
    pub(in crate::cli) file: PathBuf,
    /// Stop after this time
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds, allow_hyphen_values = true)]
    pub(in crate::cli) time: Option<Duration>,
    /// Stop after this many samples
    #[arg(long, value_name = "N", value_parser = amount::<u32>, allow_hyphen_values = true)]
    pub(in crate::cli) count: Option<u32>,
}
