//! `conntop ports`: takes one sample and prints who listens.

use std::process::ExitCode;

use clap::Args;

use crate::cli::Failure;
use crate::cli::command::{CliCommand, CommandNotes, example, exit};
use crate::cli::commands::list::look;
use crate::cli::global::GlobalOptions;
use crate::cli::options::{FilterArguments, FormatOption};
use crate::cli::output::print;
use crate::cli::recorded_moment::MomentOption;
use crate::cli::say;
use crate::cli::values::{NameError, NameParser};
use crate::model::snapshot::AskedByName;
use crate::report::format::DocumentFormat;
use crate::report::hosts;
use crate::report::ports::listener::Services;
use crate::report::ports::{FAIL_ON, Ports, PortsFailOn};
use crate::source::services;

/// What makes the command fail, by its name in any case.
const FAIL_ON_WHAT: NameParser<PortsFailOn> = NameParser {
    names: || FAIL_ON.iter().map(|(name, _)| (*name).to_owned()).collect(),
    parse: |name| PortsFailOn::parse(name).ok_or(NameError::Unknown),
    listed: None,
};

/// The command with its arguments.
#[derive(Args, Debug)]
pub(super) struct PortsCommand {
    #[command(flatten)]
    filter: FilterArguments,
    /// Print only what others than this machine can reach, the worst first
    #[arg(long)]
    exposed: bool,
    #[command(flatten)]
    output: FormatOption<DocumentFormat>,
    /// Exit with 1 if there is a listener of this danger that others can reach, or an unexpected one; risk means medium or high
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = FAIL_ON_WHAT)]
    fail_on: Vec<PortsFailOn>,
    #[command(flatten)]
    moment: MomentOption,
}

impl CliCommand for PortsCommand {
    const NAME: &'static str = "ports";
    const ABOUT: &'static str = "Print who listens, who can reach it, and what that invites";
    const NOTES: CommandNotes = CommandNotes {
        examples: &[
            example("conntop ports", "every listener, by port"),
            example("conntop ports --exposed", "only what others can reach, the worst first"),
            example("conntop ports process:python3", "those of one program"),
            example("conntop ports --fail-on risk", "exit code 1 if a risk can be reached"),
        ],
        paragraphs: &[
            "\
Each listening socket has a line. Workers that share a port (SO_REUSEPORT) have
one each, with its own owner. QUEUE is the accept queue: connections that wait
for accept(), and its limit. Workers that inherited one socket have one line;
+N says how many more processes hold it.",
            "\
UDP sockets without a peer receive from anyone, so they count as listeners.
DANGER is how bad it is that others reach the listener: high (can be taken over
or read by anyone, without a password), medium (a password or a flaw away), low
(meant to be reached). It follows from the name of the program. Where that says
nothing, it follows from the port, and the note begins with \"By its port it may
be\". conntop does not know what a firewall blocks.",
        ],
        exits: &[
            exit(0, "done"),
            exit(1, "failed, as a sentence on stderr says, or there is what --fail-on names"),
            exit(2, "wrong use; a sentence on stderr says what to write instead"),
        ],
    };

    /// Prints the listeners of this moment, or of the end of a recording.
    fn run(&self, global: &GlobalOptions) -> Result<ExitCode, Failure> {
        let ports = Ports {
            filter: self.filter.parse()?,
            exposed: self.exposed,
            format: self.output.format,
            fail_on: self.fail_on.clone(),
        };
        let units = AskedByName { units: true, ..AskedByName::default() };
        let store =
            look(self.moment.open_with_lead_in(global)?, &global.settings()?.asking(units).querying(ports.query()))?;
        store.coverage().degraded.iter().chain(&hosts::sentences(&store)).for_each(|sentence| say(sentence.as_str()));
        let names = service_names();
        let listeners = ports.listeners(&store, &names);
        print(ports.format, |out| ports.write(&listeners, &store, out))?;
        Ok(ports.failure(&listeners).map_or(ExitCode::SUCCESS, |sentence| {
            say(&sentence);
            ExitCode::FAILURE
        }))
    }
}

/// The names of services as this machine has them; the first name of a port counts.
fn service_names() -> Services {
    let mut names = Services::default();
    let services = services::read().unwrap_or_else(|sentence| {
        say(sentence.as_str());
        Vec::new()
    });
    for service in services {
        names.entry((service.protocol, service.port)).or_insert(service.name);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_fail_on_is_taken_in_any_case() {
        for (name, what) in FAIL_ON {
            assert_eq!((FAIL_ON_WHAT.parse)(&name.to_uppercase()).ok(), Some(what));
        }
        assert!((FAIL_ON_WHAT.parse)("danger").is_err());
    }
}
