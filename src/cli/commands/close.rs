//! `conntop close`: closes the sockets that a filter means.

use std::process::ExitCode;

use clap::Args;

use crate::cli::act::{self, ActArguments, TargetCount};
use crate::cli::command::{CliCommand, CommandNotes, example, exit};
use crate::cli::global::GlobalOptions;
use crate::cli::{Failure, output::print};
use crate::host;
use crate::model::closing::{CLOSE_NEEDS, CloseOutcome};
use crate::report::act::close::{ClosePlan, CloseScope};

/// The most sockets that are closed unless --max says otherwise.
const MAX: usize = 100;

/// The command with its arguments.
#[derive(Args, Debug)]
#[command(mut_arg("filter", |arg| arg.help(act::FILTER_HELP)), mut_arg("max", |arg| arg.help(MAX_HELP)))]
pub(super) struct CloseCommand {
    #[command(flatten)]
    act: ActArguments,
    /// Close listeners too, and UDP sockets without a peer
    #[arg(long)]
    listeners: bool,
}

const MAX_HELP: &str = "Refuse if more sockets than this would be closed; 100 without it";

impl CliCommand for CloseCommand {
    const NAME: &'static str = "close";
    const ABOUT: &'static str = "Close the sockets that match; their processes go on";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop close --dry-run state:close-wait pid:4121", "see what would be closed"),
            example("conntop close state:close-wait pid:4121", "show it, ask, close"),
            example("conntop close raddr:192.0.2.7 --yes", "cut off one peer"),
            example("conntop close state:time-wait rport:5432 --max 5000", "free the ports"),
            example("conntop close lport:8080 --listeners", "the listener too"),
        ],
        paragraphs: &[
            "\
Each socket is closed by itself (SOCK_DESTROY, as ss -K does). Its process goes
on and gets the error ECONNABORTED; the peer gets a RST. The kernel compares the
socket's cookie, so a new connection with the same ports is never closed. It
takes root (CAP_NET_ADMIN). conntop looks again before it says what happened. A
UDP socket cannot be closed from outside: it is disconnected, and its process
keeps it.",
            "\
Listeners, and UDP sockets without a peer, are left out unless --listeners is
given or the filter names their state. Never closed are the sockets of conntop
and of the session it runs in. Sockets of ssh servers, and connections to their
ports, are closed only with --including-ssh.",
        ],
        exits: &[
            exit(0, "every socket is closed or was gone"),
            exit(
                1,
                "some are not closed (UDP among them); or nothing matched; or the answer was no; or nothing can be closed here",
            ),
            exit(2, "wrong use, --read-only, or more sockets than --max"),
        ],
    };

    fn changes_machine(&self) -> bool {
        !self.act.dry_run
    }

    /// Closes the sockets that the filter means, if that is wanted.
    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        let request = self.act.parse(Self::NAME, "state:close-wait pid:4121", MAX)?;
        let host = host::this_machine();
        let store = request.store(global, &*host, |abilities| abilities.close)?;
        let meaning = CloseScope { listeners: self.listeners, including_ssh: self.act.including_ssh };
        let mut plan = ClosePlan::of(&store, &request.filter, meaning);
        plan.spare(host.spared(&plan.closes));
        let target_count = TargetCount { noun: "socket", total: plan.closes.len(), count: plan.count() };
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
}
