//! `conntop ports`: takes one sample and prints who listens.

use std::process::ExitCode;

use clap::Args;

use crate::cli::global::GlobalOptions;
use crate::cli::list::look;
use crate::cli::{Failure, parse_filter, print, say};
use crate::model::snapshot::AskedByName;
use crate::report::format::DocumentFormat;
use crate::report::ports::listener::Services;
use crate::report::ports::{FAIL_ON, Ports, PortsFailOn};
use crate::source::services;
use crate::table::suggest;

const EXAMPLES: &str = "\
Examples:
  conntop ports                     every listener, by port
  conntop ports --exposed           only what others can reach, the worst first
  conntop ports process:python3     those of one program
  conntop ports --fail-on risk      exit code 1 if a risk can be reached

Each listening socket has a line: workers that share a port (SO_REUSEPORT)
have one each, with its own owner and QUEUE (connections that wait to be
accepted, of how many may). Workers that inherited one socket have one line;
+N says how many more hold it.

UDP sockets without a peer take what comes from anyone, so they count as
listeners. DANGER is how bad it is that others reach it: high (taken over, or
read by anyone, without a password), medium (a password or a flaw away), low
(meant to be reached). It is told by the name of the program; where that says
nothing, by the port, and the note begins with \"By its port it may be\". What a
firewall keeps out is not known here.";

/// The arguments.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct PortsArguments {
    /// Print only what matches, e.g. lport:8000-9000
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// Print only what others than this machine can reach, the worst first
    #[arg(long)]
    exposed: bool,
    /// How to print
    #[arg(long, value_name = "FORMAT", value_enum, ignore_case = true, default_value_t)]
    format: DocumentFormat,
    /// Exit with 1 if there is one: risk (the same as medium), high, medium, low, or unexpected
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    fail_on: Vec<String>,
}

impl PortsArguments {
    fn parse(&self) -> Result<Ports, Failure> {
        let fail_on: Result<Vec<_>, _> = self.fail_on.iter().map(|name| fail_on(name)).collect();
        Ok(Ports {
            filter: parse_filter(&self.filter.join(" "))?,
            exposed: self.exposed,
            format: self.format,
            fail_on: fail_on?,
        })
    }
}

fn fail_on(name: &str) -> Result<PortsFailOn, Failure> {
    PortsFailOn::parse(name).ok_or_else(|| {
        let names = FAIL_ON.iter().map(|(name, _)| *name);
        let hint = suggest::hint(name, names, "there are risk, high, medium, low and unexpected");
        Failure::Usage(format!("unknown word '{name}' for --fail-on; {hint}"))
    })
}

/// Prints the listeners of this moment, or of the end of a recording.
pub(super) fn run(arguments: &PortsArguments, global: &GlobalOptions) -> Result<ExitCode, Failure> {
    let ports = arguments.parse()?;
    let settings = global.settings()?;
    let source = settings.open(&global.choice()?)?;
    let units = AskedByName { units: true, ..AskedByName::default() };
    let store = look(source, &settings.asking(units))?;
    store.coverage().degraded.iter().for_each(|sentence| say(sentence.as_str()));
    let mut names = Services::default();
    let services = services::read().unwrap_or_else(|sentence| {
        say(sentence.as_str());
        Vec::new()
    });
    for service in services {
        names.entry((service.protocol, service.port)).or_insert(service.name);
    }
    let listeners = ports.listeners(&store, &names);
    print(ports.format, |out| ports.write(&listeners, &store, out))?;
    Ok(ports.failure(&listeners).map_or(ExitCode::SUCCESS, |sentence| {
        say(&sentence);
        ExitCode::from(1)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_option_and_its_examples_fit() {
        let mut command = PortsArguments::augment_args(clap::Command::new("ports")).term_width(100);
        insta::assert_snapshot!(command.render_help());
        assert!(EXAMPLES.lines().all(|line| line.len() <= 80));
    }

    #[test]
    fn every_word_of_fail_on_is_taken_in_any_case() {
        for (name, what) in FAIL_ON {
            assert_eq!(fail_on(&name.to_uppercase()).ok(), Some(what));
        }
        assert!(fail_on("danger").is_err());
    }
}
