//! `conntop kill`: sends a signal to the processes that a filter means.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::cli::act::{ActArguments, TargetCount};
use crate::cli::global::GlobalOptions;
use crate::cli::values;
use crate::cli::{Failure, print, say};
use crate::host::{self, ExitWatch, Host};
use crate::model::action::{KillOutcome, SIGNALS, Signal};
use crate::report::act::kill::{KillPlan, KillScope, is_done};
use crate::table::suggest;

/// The most processes that are signalled unless --max says otherwise.
const MAX: usize = 10;
/// How long one process is looked at before the next one, while all are waited for.
const TURN: Duration = Duration::from_millis(10);

const EXAMPLES: &str = "\
Examples:
  conntop kill --dry-run lport:8080        see who listens on port 8080
  conntop kill lport:8080                  show it, ask, send TERM
  conntop kill lport:8080 --yes --wait 5   unasked, and wait until it is gone
  conntop kill process:leaky --signal HUP  by name, with another signal
  conntop kill rport:5432 --any-socket     clients of a database

A filter on a port means who listens there (for UDP: who takes what comes from
anybody), not a client that holds a connection to that port; a state in the
filter, or --any-socket, lifts that. Where processes share a socket, the parent
is signalled and its workers are not, unless --all-holders is given. Never hit
are pid 1, conntop, the shell or session it runs in, and kernel threads; ssh
servers (sshd, dropbear, mosh-server) only with --including-ssh. The signal
goes through a pidfd, so that a reused pid is never hit, and only to a process
that still holds one of the sockets. pid 1 of a container is pointed out: the
whole container ends with it.

Exit code: 0 all got the signal or were gone, 1 some did not (or, with --wait,
are still there), nothing matched, or the answer was no, 2 refused.";

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct KillArguments {
    #[command(flatten)]
    act: ActArguments,
    /// The signal, by name or number: TERM, INT, HUP, KILL, STOP, CONT, USR1, USR2, QUIT
    #[arg(long, short = 's', value_name = "SIGNAL", default_value = "TERM")]
    signal: String,
    /// The same as --signal KILL
    #[arg(short = '9', conflicts_with = "signal")]
    kill: bool,
    /// Wait at most this long until the processes are gone, and say so
    #[arg(long, value_name = "SECONDS", value_parser = values::span, allow_hyphen_values = true)]
    wait: Option<Duration>,
    /// A filter on a port also means those that only hold a connection to it
    #[arg(long)]
    any_socket: bool,
    /// Signal all that share a socket, not only their parent
    #[arg(long)]
    all_holders: bool,
    /// Refuse if more processes than this would get the signal
    #[arg(long, value_name = "N", value_parser = values::amount::<usize>, allow_hyphen_values = true, default_value_t = MAX)]
    max: usize,
}

/// Signals whom is meant, if that is wanted.
pub(super) fn run(arguments: &KillArguments, global: &GlobalOptions) -> Result<ExitCode, Failure> {
    let signal = if arguments.kill { Signal::Kill } else { signal(&arguments.signal)? };
    let request = arguments.act.parse("kill", "lport:8080")?;
    let host = host::this_machine();
    let store = request.store(global, &*host, |abilities| abilities.kill)?;
    let meaning = KillScope {
        any_socket: arguments.any_socket,
        all_holders: arguments.all_holders,
        including_ssh: arguments.act.including_ssh,
    };
    let plan = KillPlan::of(&store, &request.filter, meaning, &host.protected());
    let (total, count) = (plan.targets.len(), plan.count());
    let target_count = TargetCount { noun: "process", total, count, most: arguments.max };
    let mut show = |mut out: &mut dyn std::io::Write| plan.write(signal, None, &store, request.look, &mut out);
    if let Some(code) = request.check_count(&plan.notes(), target_count, &mut show)? {
        return Ok(code);
    }
    let question = request.look_of_question();
    let mut show = |mut out: &mut dyn std::io::Write| plan.write(signal, None, &store, question, &mut out);
    if !request.is_wanted(&plan.question(signal), &mut show)? {
        return Ok(ExitCode::FAILURE);
    }
    let outcomes = plan.outcomes(carry_out(&plan, signal, arguments.wait, &*host));
    print(request.look.format, |out| plan.write(signal, Some(&outcomes), &store, request.look, out))?;
    if outcomes.iter().any(|outcome| matches!(outcome, KillOutcome::Ended { .. })) {
        // Those who are gone may have shared their sockets, and the kernel keeps some for a while.
        match request.store(global, &*host, |abilities| abilities.kill) {
            Ok(store) => plan.left(&store).iter().for_each(|sentence| say(sentence)),
            Err(_) => say("whether their sockets are gone could not be looked at; conntop list shows it"),
        }
    }
    Ok(if outcomes.iter().all(is_done) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn signal(name: &str) -> Result<Signal, Failure> {
    Signal::parse(name).ok_or_else(|| {
        let names: Vec<_> = SIGNALS.iter().map(|row| row.name).collect();
        let bare = name.to_uppercase();
        let bare = bare.strip_prefix("SIG").unwrap_or(&bare);
        let hint = suggest::hint(bare, names.iter().copied(), &format!("there are {}", names.join(", ")));
        Failure::Usage(format!("unknown signal '{name}'; {hint}"))
    })
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
    fn the_examples_fit_a_narrow_screen_and_all_signals_are_named() {
        assert!(EXAMPLES.lines().all(|line| line.len() <= 80));
        let command = KillArguments::augment_args(clap::Command::new("kill"));
        let about = command.get_arguments().find(|arg| arg.get_id() == "signal").and_then(clap::Arg::get_help);
        let about = about.expect("it has one").to_string();
        assert!(SIGNALS.iter().all(|row| about.contains(row.name)), "{about}");
    }

    #[test]
    fn signals_are_known_by_name_and_number_and_others_are_answered() {
        for name in ["TERM", "term", "SIGTERM", "15"] {
            assert_eq!(signal(name).ok(), Some(Signal::Term), "{name}");
        }
        for (name, part) in
            [("TREM", "'TERM'"), ("SIGKIL", "'KILL'"), ("64", "there are TERM"), ("-9", "there are"), ("", "there are")]
        {
            let Err(Failure::Usage(sentence)) = signal(name) else { panic!("{name}") };
            assert!(sentence.contains(part), "{sentence}");
        }
    }
}
