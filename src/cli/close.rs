//! `conntop close`: closes the sockets that a filter means.

use std::process::ExitCode;

use clap::Args;

use crate::cli::act::{ActArguments, TargetCount};
use crate::cli::global::GlobalOptions;
use crate::cli::values;
use crate::cli::{Failure, print};
use crate::host;
use crate::model::closing::{CLOSE_NEEDS, CloseOutcome};
use crate::report::act::close::{ClosePlan, CloseScope};

/// The most sockets that are closed unless --max says otherwise.
const MAX: usize = 100;

const EXAMPLES: &str = "\
Examples:
  conntop close --dry-run state:close-wait pid:4121   see what would be closed
  conntop close state:close-wait pid:4121             show it, ask, close
  conntop close raddr:192.0.2.7 --yes                 cut one peer off, unasked
  conntop close state:time-wait rport:5432 --max 5000 free the ports now
  conntop close lport:8080 --listeners                the listener too

Each socket is closed by itself (SOCK_DESTROY, as ss -K does): its process goes
on and gets the error ECONNABORTED, the peer a RST. The kernel compares the
socket's own number, so a new connection with the same ports is never hit.
Listeners, and UDP sockets without a peer, are left out unless --listeners is
given or the filter names their state; never hit are the sockets of conntop and
of the session it runs in; those of ssh servers, and what comes to their ports,
only with --including-ssh. It takes root (CAP_NET_ADMIN). conntop looks again
before it says what came of it. A UDP socket cannot be closed from outside: it
is disconnected, and its process keeps it.

Exit code: 0 all are closed or were gone, 1 some are not (UDP among them),
nothing matched, or the answer was no, 2 refused.";

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct CloseArguments {
    #[command(flatten)]
    act: ActArguments,
    /// Close listeners too, and UDP sockets without a peer
    #[arg(long)]
    listeners: bool,
    /// Refuse if more sockets than this would be closed
    #[arg(long, value_name = "N", value_parser = values::amount::<usize>, allow_hyphen_values = true, default_value_t = MAX)]
    max: usize,
}

/// Closes what is meant, if that is wanted.
pub(super) fn run(arguments: &CloseArguments, global: &GlobalOptions) -> Result<ExitCode, Failure> {
    let request = arguments.act.parse("close", "state:close-wait pid:4121")?;
    let host = host::this_machine();
    let store = request.store(global, &*host, |abilities| abilities.close)?;
    let meaning = CloseScope { listeners: arguments.listeners, including_ssh: arguments.act.including_ssh };
    let mut plan = ClosePlan::of(&store, &request.filter, meaning);
    plan.spare(host.spared(&plan.closes));
    let (total, count) = (plan.closes.len(), plan.count());
    let target_count = TargetCount { noun: "socket", total, count, most: arguments.max };
    let mut show = |mut out: &mut dyn std::io::Write| plan.write(None, &store, request.look, &mut out);
    if let Some(code) = request.check_count(&plan.notes(), target_count, &mut show)? {
        return Ok(code);
    }
    if !host.may_close() {
        return Err(Failure::Failed(CLOSE_NEEDS.to_owned()));
    }
    let question = request.look_of_question();
    let mut show = |mut out: &mut dyn std::io::Write| plan.write(None, &store, question, &mut out);
    if !request.is_wanted(&plan.question(), &mut show)? {
        return Ok(ExitCode::FAILURE);
    }
    let outcomes = plan.outcomes(host.close(&plan.wanted()));
    print(request.look.format, |out| plan.write(Some(&outcomes), &store, request.look, out))?;
    Ok(if outcomes.iter().all(CloseOutcome::is_done) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_fit_a_narrow_screen() {
        assert!(EXAMPLES.lines().all(|line| line.len() <= 80));
    }
}
