//! `conntop kill`: sends a signal to the processes that a filter means.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::cli::act::{self, ActArguments, TargetCount};
use crate::cli::command::{CliCommand, CommandNotes, example, exit};
use crate::cli::global::GlobalOptions;
use crate::cli::values::{self, NameError, NameParser};
use crate::cli::{Failure, output::print, say};
use crate::host::{self, ExitWatch, Host};
use crate::model::action::{KillOutcome, SIGNALS, Signal};
use crate::report::act::kill::{KillPlan, KillScope, is_done};

/// The most processes that are signalled unless --max says otherwise.
const MAX: usize = 10;
/// How long one process is looked at before the next one, while all are waited for.
const TURN: Duration = Duration::from_millis(10);

/// A signal by its name, with or without SIG, or by its number.
const SIGNAL: NameParser<Signal> = NameParser {
    names: || SIGNALS.iter().map(|row| row.name.to_owned()).collect(),
    parse: |text| Signal::parse(text).ok_or(NameError::Unknown),
    listed: None,
};

/// The command with its arguments.
#[derive(Args, Debug)]
#[command(mut_arg("filter", |arg| arg.help(act::FILTER_HELP)), mut_arg("max", |arg| arg.help(MAX_HELP)))]
pub(super) struct KillCommand {
    #[command(flatten)]
    act: ActArguments,
    /// The signal, by name or number
    #[arg(long, short = 's', value_name = "SIGNAL", value_parser = SIGNAL, default_value = "TERM")]
    signal: Signal,
    /// The same as --signal KILL
    #[arg(short = '9', conflicts_with = "signal")]
    kill: bool,
    /// Wait at most this long until the processes are gone, and say so
    #[arg(long, value_name = "SECONDS", value_parser = values::span, allow_hyphen_values = true)]
    wait: Option<Duration>,
    /// With a port in the filter, include processes that only hold a connection to it
    #[arg(long)]
    any_socket: bool,
    /// Signal all processes that share a socket, not only the parent
    #[arg(long)]
    all_holders: bool,
}

const MAX_HELP: &str = "Refuse if more processes than this would get the signal; 10 without it";

impl CliCommand for KillCommand {
    const NAME: &'static str = "kill";
    const ABOUT: &'static str = "Signal the processes behind the sockets that match";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop kill --dry-run lport:8080", "see who listens on port 8080"),
            example("conntop kill lport:8080", "show it, ask, send TERM"),
            example("conntop kill lport:8080 --yes --wait 5", "do not ask; wait until it is gone"),
            example("conntop kill process:leaky --signal HUP", "by name, with another signal"),
            example("conntop kill rport:5432 --any-socket", "clients of a database"),
        ],
        paragraphs: &[
            "\
A port in the filter means the process that listens there (for UDP: that
receives from anyone), and not clients that are connected to it. With a state in
the filter, or with --any-socket, it means both. Where processes share a socket,
only the parent gets the signal, unless --all-holders is given.",
            "\
Never signalled are pid 1, conntop, the shell or session it runs in, and kernel
threads. With --including-ssh the signal goes to ssh servers, too (sshd,
dropbear, mosh-server). It goes through a pidfd, so it never reaches a process
that took over the pid, and only to a process that still holds one of the
sockets. For pid 1 of a container a note says that the whole container ends.",
        ],
        exits: &[
            exit(0, "every process got the signal or was gone"),
            exit(
                1,
                "some did not get it, or are still there after --wait; or nothing matched; or the answer was no; or nothing can be signalled here",
            ),
            exit(2, "wrong use, --read-only, or more processes than --max"),
        ],
    };

    fn changes_machine(&self) -> bool {
        !self.act.dry_run
    }

    /// Signals the processes that the filter means, if that is wanted.
    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        let signal = if self.kill { Signal::Kill } else { self.signal };
        let request = self.act.parse(Self::NAME, "lport:8080", MAX)?;
        let host = host::this_machine();
        let store = request.store(global, &*host, |abilities| abilities.kill)?;
        let meaning = KillScope {
            any_socket: self.any_socket,
            all_holders: self.all_holders,
            including_ssh: self.act.including_ssh,
        };
        let plan = KillPlan::of(&store, &request.filter, meaning, &host.protected());
        let target_count = TargetCount { noun: "process", total: plan.targets.len(), count: plan.count() };
        let mut show = |mut out: &mut dyn std::io::Write| plan.write(signal, None, &store, request.look, &mut out);
        if let Some(code) = request.check_count(&plan.notes(), target_count, &mut show)? {
            return Ok(code);
        }
        let question = request.look_of_question();
        let mut show = |mut out: &mut dyn std::io::Write| plan.write(signal, None, &store, question, &mut out);
        if !request.is_wanted(&plan.question(signal), &mut show)? {
            return Ok(ExitCode::FAILURE);
        }
        let outcomes = plan.outcomes(carry_out(&plan, signal, self.wait, &*host));
        print(request.look.format, |out| plan.write(signal, Some(&outcomes), &store, request.look, out))?;
        if outcomes.iter().any(|outcome| matches!(outcome, KillOutcome::Ended { .. })) {
            // Processes that ended may have shared their sockets, and the kernel keeps some for a while.
            match request.store(global, &*host, |abilities| abilities.kill) {
                Ok(store) => plan.left(&store).iter().for_each(|sentence| say(sentence)),
                Err(_) => say("whether their sockets are gone could not be looked at; conntop list shows it"),
            }
        }
        Ok(if outcomes.iter().all(is_done) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Sends all signals, then waits for all ends until the same moment. The answers stand in the order of the targets that
/// are not refused.
fn carry_out(plan: &KillPlan, signal: Signal, wait: Option<Duration>, host: &dyn Host) -> Vec<KillOutcome> {
    let begun = Instant::now();
    let mut outcomes = Vec::new();
    let mut watched: Vec<(usize, Instant, Box<dyn ExitWatch>)> = Vec::new();
    for (index, target) in plan.targets.iter().filter(|target| target.refused.is_none()).enumerate() {
        let sent = Instant::now();
        let outcome = match host.kill(&target.kill(signal)) {
            Ok(watch) => {
                watch.note().iter().for_each(|note| say(note.as_str()));
                watched.push((index, sent, watch));
                KillOutcome::Sent
            }
            Err(outcome) => outcome,
        };
        outcomes.push(outcome);
    }
    let Some(wait) = wait else { return outcomes };
    loop {
        let is_over = begun.elapsed() >= wait;
        watched.retain_mut(|(index, sent, watch)| {
            let has_ended = watch.ended_within(if is_over { Duration::ZERO } else { TURN });
            let after = sent.elapsed();
            outcomes[*index] =
                if has_ended { KillOutcome::Ended { after } } else { KillOutcome::StillRunning { after } };
            !has_ended
        });
        if watched.is_empty() || is_over {
            return outcomes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_known_by_name_and_number() {
        for name in ["TERM", "term", "SIGTERM", "15"] {
            assert_eq!((SIGNAL.parse)(name).ok(), Some(Signal::Term), "{name}");
        }
        for name in ["TREM", "64", "-9", ""] {
            assert!((SIGNAL.parse)(name).is_err(), "{name}");
        }
    }
}
