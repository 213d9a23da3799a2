//! `conntop check`: looks long enough to tell, prints what is wrong, and ends as monitoring plugins do.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::cli::Failure;
use crate::cli::command::{CliCommand, CommandNotes, FailureExit, example, exit};
use crate::cli::global::GlobalOptions;
use crate::cli::options::{FilterArguments, FormatOption, TimeLimit};
use crate::cli::output::{self, print};
use crate::cli::recorded_moment::MomentOption;
use crate::cli::samples::Samples;
use crate::cli::settings::Settings;
use crate::cli::values::{NameError, NameParser};
use crate::diagnosis::rule::Rule;
use crate::model::text::DisplayText;
use crate::report::check::{Check, CheckFailOn, CheckInput, CheckStatus, PLUGIN_NAME};
use crate::report::format::{DocumentFormat, Format};
use crate::source::retries::RetryLimit;
use crate::source::{Pace, Source};

/// The exit code of a check that could not look: UNKNOWN.
const UNKNOWN: u8 = 3;
/// Samples without --for: counters and descriptors take two.
const SAMPLES: u32 = 2;

/// A rule or a severity.
const RULE_OR_SEVERITY: NameParser<String> = NameParser {
    names: || Rule::ALL.iter().map(|rule| rule.id()).chain(SEVERITIES).map(str::to_owned).collect(),
    parse: |name| {
        let is_known = SEVERITIES.contains(&name) || Rule::named(name).is_some();
        is_known.then(|| name.to_owned()).ok_or(NameError::Unknown)
    },
    listed: Some("conntop explain lists the rules; the severities are warning and critical"),
};
const SEVERITIES: [&str; 2] = ["warning", "critical"];

/// The command with its arguments.
#[derive(Args, Debug)]
#[command(mut_arg("filter", |arg| arg.help(FILTER_HELP)), mut_arg("time", |arg| arg.help(TIME_HELP)))]
pub(super) struct CheckCommand {
    #[command(flatten)]
    filter: FilterArguments,
    #[command(flatten)]
    time: TimeLimit,
    /// Fail only for these rules, or from this severity on: warning or critical. Other findings are still printed
    #[arg(long, value_name = "RULE", value_delimiter = ',', value_parser = RULE_OR_SEVERITY, hide_possible_values = true)]
    fail_on: Vec<String>,
    #[command(flatten)]
    output: FormatOption<DocumentFormat>,
    #[command(flatten)]
    moment: MomentOption,
}

const FILTER_HELP: &str = "Only findings about a socket that matches";
const TIME_HELP: &str = "Watch this long, to see what grows; without it two samples are taken";

impl CliCommand for CheckCommand {
    const NAME: &'static str = "check";
    const ABOUT: &'static str = "Say what is wrong, for monitoring: exit code 0, 1, 2 or 3";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop check", "two samples, about a second"),
            example("conntop check --for 60", "watch what grows"),
            example("conntop check process:java", "only its sockets"),
            example("conntop check --fail-on close-wait-leak,critical", "fail only for these"),
            example("conntop check --format json --source replay:leak.conntop", ""),
        ],
        paragraphs: &["\
The first line is that of a monitoring plugin, with performance data.
conntop explain RULE says what a finding means. With FILTER a finding is printed
if a socket that it is about matches. A finding about a whole process is printed
if any socket of that process matches. What may not be seen for lack of
permission is said, and is not a failure."],
        exits: &[
            exit(0, "nothing is wrong"),
            exit(1, "a warning"),
            exit(2, "something critical"),
            exit(3, "could not look, or wrong use"),
        ],
    };
    const ON_FAILURE: Option<FailureExit> = Some(unknown);

    /// Looks and says what was found.
    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        let fail_on = CheckFailOn::parse(self.fail_on.iter().map(String::as_str)).map_err(Failure::Usage)?;
        let check = Check { filter: self.filter.parse()?, fail_on, format: self.output.format };
        let samples = look(
            self.moment.open_with_lead_in(global)?,
            &global.settings()?.asking(check.filter.asked_by_name()),
            self.time.time,
        )?;
        let mut status = CheckStatus::Ok;
        print(check.format, |out| {
            let store = samples.store();
            let found = CheckInput {
                findings: samples.findings(),
                left_out: samples.left_out(),
                ignored: samples.ignored(),
                thresholds: samples.thresholds(),
                watched: samples.watched(),
            };
            status = check.write(store, found, out)?;
            Ok(())
        })?;
        Ok(ExitCode::from(status.exit_code()))
    }
}

/// A live source is watched for `time`, a recording to that point or to its end.
fn look(source: Box<dyn Source>, settings: &Settings, time: Option<Duration>) -> Result<Samples, Failure> {
    let mut samples = Samples::new(source, settings, RetryLimit::Check, true).for_time(time);
    let (mut taken, mut is_stream) = (0, false);
    loop {
        let pace = samples.take()?.map(|taken| taken.pace);
        is_stream |= pace == Some(Pace::AsItComes);
        taken += u32::from(pace.is_some());
        let is_enough = match (pace, time) {
            // A stream is at its present when nothing more comes at once.
            (None, None) => taken >= SAMPLES && is_stream,
            (None, Some(_)) | (Some(Pace::After(_) | Pace::AsItComes | Pace::NotYet), None) => false,
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

/// Says `sentence` where a monitoring system reads it, too: the first line of stdout.
fn unknown(sentence: &str, arguments: &[OsString]) -> ExitCode {
    let wants_json = arguments.iter().any(|word| word == "json" || word == "--format=json");
    if !wants_json && !output::is_terminal() {
        let text = DisplayText::new(sentence).to_string().replace('|', "/");
        let _ = print(Format::Text, |out| writeln!(out, "{PLUGIN_NAME} UNKNOWN - {text}"));
    }
    ExitCode::from(UNKNOWN)
}
