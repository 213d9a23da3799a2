//! The arguments of `conntop explain`.

use clap::Args;

use crate::cli::Failure;
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

#[derive(Args, Debug)]
pub(in crate::cli) struct ExplainArguments {
    /// What to explain; several words are first taken as one topic, then one by one
    #[arg(value_name = "TOPIC", allow_hyphen_values = true)]
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
