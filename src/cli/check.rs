//! `conntop check`: looks long enough to tell, prints what is wrong, and ends as monitoring plugins do.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::Failure;
use crate::cli::args::{CheckArguments, command_name};
use crate::cli::output::{self, print};
use crate::cli::samples::Samples;
use crate::cli::settings::Settings;
use crate::model::text::DisplayText;
use crate::report::check::{Check, CheckInput, CheckStatus, PLUGIN_NAME};
use crate::report::format::Format;
use crate::source::retries::RetryLimit;
use crate::source::{Pace, Source};

/// The exit code of a check that could not look: UNKNOWN.
pub(super) const UNKNOWN: u8 = 3;
/// Samples without --for: counters and descriptors take two.
const SAMPLES: u32 = 2;

/// Looks and says what was found.
pub(super) fn run(
    source: Box<dyn Source>,
    settings: &Settings,
    options: &CheckArguments,
    check: &Check,
) -> Result<ExitCode, Failure> {
    let samples = look(source, settings, options.time)?;
    let mut status = CheckStatus::Ok;
    print(check.format, |out| {
        let (store, diagnosis) = (samples.store(), samples.diagnosis());
        let found = CheckInput {
            findings: diagnosis.findings(),
            untold: diagnosis.left_out(),
            ignored: diagnosis.ignored(),
            thresholds: diagnosis.thresholds(),
            watched: samples.watched(),
        };
        status = check.write(store, found, out)?;
        Ok(())
    })?;
    Ok(ExitCode::from(status.exit_code()))
}

/// A live source is watched for `time`, a recording to that point or to its end.
fn look(source: Box<dyn Source>, settings: &Settings, time: Option<Duration>) -> Result<Samples, Failure> {
    let mut samples = Samples::new(source, settings, RetryLimit::Check, true).for_time(time);
    let mut taken = 0;
    loop {
        let pace = samples.take()?.map(|taken| taken.pace);
        taken += u32::from(pace.is_some());
        let is_enough = match (pace, time) {
            (None, _) | (Some(Pace::After(_)), None) => false,
            (Some(Pace::Last), _) => true,
            (Some(Pace::Interval), None) => taken >= SAMPLES && !samples.is_undecided(),
            (Some(_), Some(time)) => samples.watched() >= time,
        };
        if is_enough {
            return Ok(samples);
        }
        let due = samples.due().filter(|_| samples.is_live()).unwrap_or_else(Instant::now);
        // The last sample is taken when the time is over.
        let left = time.filter(|_| pace.is_some()).map(|time| Instant::now() + time.saturating_sub(samples.watched()));
        let due = left.map_or(due, |left| due.min(left));
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// Whether `arguments` ask for a check: then every failure has the exit code of one that could not look.
pub(super) fn is_asked_for(arguments: &[OsString]) -> bool {
    command_name(arguments).is_some_and(|name| name == "check")
}

/// Says `sentence` where a monitoring system reads it, too: the first line of stdout.
pub(super) fn say_unknown(sentence: &str, arguments: &[OsString]) {
    let wants_json = arguments.iter().any(|word| word == "json" || word == "--format=json");
    if !wants_json && !output::is_terminal() {
        let text = DisplayText::new(sentence).to_string().replace('|', "/");
        let _ = print(Format::Text, |out| writeln!(out, "{PLUGIN_NAME} UNKNOWN - {text}"));
    }
}
