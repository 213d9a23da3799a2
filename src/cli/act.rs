//! What `conntop kill` and `conntop close` have in common: when they refuse, how they ask, and how they end.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;

use clap::Args;

use crate::cli::commands::list::look;
use crate::cli::global::GlobalOptions;
use crate::cli::options::{FilterArguments, FormatOption};
use crate::cli::output::{self, print};
use crate::cli::{Failure, say, values};
use crate::host::Host;
use crate::model::action::ProcMismatch;
use crate::model::snapshot::{Abilities, SourceKind};
use crate::model::units;
use crate::report::act::PlanStyle;
use crate::report::format::TargetFormat;
use crate::source::Choice;
use crate::store::Store;
use crate::table::filter::Filter;

/// The longest answer that is read.
const ANSWER_LEN_MAX: u64 = 1_024;

/// The arguments of both.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(super) struct ActArguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask; without a terminal to ask on nothing is done unless this is given
    #[arg(long, short = 'y', conflicts_with = "dry_run")]
    yes: bool,
    /// Include ssh servers and their connections, which are left out otherwise
    #[arg(long)]
    pub(super) including_ssh: bool,
    /// Show command lines as well; they may hold secrets
    #[arg(long)]
    command: bool,
    /// Refuse if there would be more targets than this
    #[arg(long, value_name = "N", value_parser = values::amount::<usize>, allow_hyphen_values = true)]
    max: Option<usize>,
    #[command(flatten)]
    output: FormatOption<TargetFormat>,
}

/// What stands instead of the help of FILTER: a filter must be given.
pub(super) const FILTER_HELP: &str = "Which sockets, e.g. pid:4121 state:close-wait; required";

/// What was asked for, understood.
pub(super) struct ActRequest {
    /// What it does, as the name of the command.
    pub(super) verb: &'static str,
    /// Which sockets.
    pub(super) filter: Filter,
    /// How to print.
    pub(super) look: PlanStyle,
    /// How many targets it may have.
    max: usize,
    dry_run: bool,
    asks: bool,
}

/// How many targets a command has, and how many it may have.
#[derive(Clone, Copy)]
pub(super) struct TargetCount {
    /// What a target is, as a noun: `socket`.
    pub(super) noun: &'static str,
    /// How many targets match.
    pub(super) total: usize,
    /// How many of the targets are not left out.
    pub(super) count: usize,
}

impl ActArguments {
    /// Understands the arguments of the command `verb`; `such_as` is an example of a filter. `max` is how many targets it
    /// may have without --max.
    pub(super) fn parse(&self, verb: &'static str, such_as: &str, max: usize) -> Result<ActRequest, Failure> {
        let filter = self.filter.parse()?;
        if filter.is_empty() {
            return Err(Failure::Usage(format!(
                "conntop {verb} needs a filter that says which sockets, as in conntop {verb} {such_as}"
            )));
        }
        let look = PlanStyle { format: self.output.format, commands: self.command };
        let max = self.max.unwrap_or(max);
        Ok(ActRequest { verb, filter, look, max, dry_run: self.dry_run, asks: !self.yes })
    }
}

impl ActRequest {
    /// Refuses what could not be carried out anyway, and takes one sample of what there is.
    pub(super) fn store(
        &self,
        global: &GlobalOptions,
        host: &dyn Host,
        can: fn(Abilities) -> bool,
    ) -> Result<Store, Failure> {
        self.refuse_to_ask()?;
        // Also where nothing would be done: what a plan would show is somebody else.
        let doubt = host.doubt();
        let refused =
            |doubt: ProcMismatch| Failure::Failed(format!("{} can do nothing here: {}", self.verb, doubt.sentence()));
        let source = global.open().map_err(|failure| doubt.map_or(failure, refused))?;
        let info = source.info();
        if !can(info.abilities) {
            return Err(self.cannot_act(info.kind, global.choice()? == Choice::Auto));
        }
        if let Some(doubt) = doubt {
            return Err(refused(doubt));
        }
        let store = look(source, &global.settings()?.asking(self.filter.asked_by_name()))?;
        store.coverage().degraded.iter().for_each(|sentence| say(sentence.as_str()));
        Ok(store)
    }

    /// Why sockets of this kind of source cannot be acted on. If the user chose the source, the command was used wrongly;
    /// if conntop fell back to it (`is_automatic`), the command failed.
    fn cannot_act(&self, kind: SourceKind, is_automatic: bool) -> Failure {
        let verb = self.verb;
        if is_automatic {
            return Failure::Failed(format!(
                "the source {} cannot tell a socket from a later one, so conntop {verb} does nothing; it needs --source \
                 linux, which does not work here: conntop list --source linux says why",
                kind.name()
            ));
        }
        let why = match kind {
            SourceKind::Replay => "a recording cannot be acted on".to_owned(),
            SourceKind::Synthetic => "the demo's sockets are made up".to_owned(),
            SourceKind::Linux | SourceKind::Procfs | SourceKind::Portable => {
                format!("the source {} cannot tell a socket from a later one", kind.name())
            }
        };
        Failure::Usage(format!("{why}; conntop {verb} needs --source linux"))
    }

    /// Refuses to do what nobody can be asked about.
    fn refuse_to_ask(&self) -> Result<(), Failure> {
        if self.dry_run || !self.asks || (io::stdin().is_terminal() && io::stderr().is_terminal()) {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "conntop {} asks first, and there is no terminal to ask on; see what would be done with --dry-run, then add --yes",
            self.verb
        )))
    }

    /// How the question shows what it asks about.
    pub(super) const fn look_of_question(&self) -> PlanStyle {
        PlanStyle { format: TargetFormat::Text, ..self.look }
    }

    /// Says what was left out, and whether there is something to do: else the exit code.
    pub(super) fn check_count(
        &self,
        notes: &[String],
        target_count: TargetCount,
        plan: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Option<ExitCode>, Failure> {
        let (TargetCount { noun, total, count }, max) = (target_count, self.max);
        for note in notes {
            say(note);
        }
        if count == 0 {
            // A heading with nothing below it tells nothing.
            let is_bare = self.look.format == TargetFormat::Text && total == 0;
            print(self.look.format, |out| if is_bare { Ok(()) } else { plan(out) })?;
            say(&format!("there is nothing to {}; conntop list shows what a filter matches", self.verb));
            return Ok(Some(ExitCode::FAILURE));
        }
        let too_many = (count > max).then(|| {
            format!(
                "these are {}, and --max is {max}; narrow the filter, or write --max {count}",
                units::counted(count as u64, noun)
            )
        });
        if self.dry_run {
            print(self.look.format, |out| plan(out))?;
            if let Some(sentence) = too_many {
                say(&sentence);
            }
            return Ok(Some(ExitCode::SUCCESS));
        }
        too_many.map_or(Ok(None), |sentence| Err(Failure::Usage(sentence)))
    }

    /// Shows the plan and asks `question`, unless the answer was given. Anything but a yes is a no.
    pub(super) fn is_wanted(
        &self,
        question: &str,
        plan: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<bool, Failure> {
        if !self.asks {
            return Ok(true);
        }
        // Before the question stands there: what is typed after it is the answer.
        forget_typed_ahead();
        let mut err = output::stderr();
        let asked = plan(&mut err).and_then(|()| write!(err, "{question} [y/N] ")).and_then(|()| err.flush());
        asked.map_err(|error| Failure::Failed(format!("cannot ask: {error}; add --yes")))?;
        let mut answer = String::new();
        // The end of the input, and what is no text, is a no.
        let _ = io::stdin().lock().take(ANSWER_LEN_MAX).read_line(&mut answer);
        let is_yes = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
        if !is_yes {
            if !answer.ends_with('\n') {
                let _ = writeln!(err);
            }
            drop(err);
            say("nothing was done");
        }
        Ok(is_yes)
    }
}

/// What was typed before the question was read does not answer it.
fn forget_typed_ahead() {
    #[cfg(unix)]
    let _ = rustix::termios::tcflush(io::stdin(), rustix::termios::QueueSelector::IFlush);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_conntop_fell_back_to_is_a_failure_and_one_that_was_chosen_is_wrong_use() {
        let look = PlanStyle { format: TargetFormat::Text, commands: false };
        let request =
            ActRequest { verb: "close", filter: Filter::default(), look, max: 10, dry_run: true, asks: false };
        for (kind, is_automatic, is_failure, part) in [
            (SourceKind::Procfs, true, true, "which does not work here"),
            (SourceKind::Portable, true, true, "which does not work here"),
            (SourceKind::Procfs, false, false, "needs --source linux"),
            (SourceKind::Replay, false, false, "a recording"),
            (SourceKind::Synthetic, false, false, "made up"),
        ] {
            let failure = request.cannot_act(kind, is_automatic);
            assert_eq!(matches!(failure, Failure::Failed(_)), is_failure, "{kind:?}");
            assert!(failure.to_string().contains(part), "{failure}");
        }
    }
}
