//! The subcommands, in the order of the help.

mod check;
mod close;
mod columns;
mod completions;
mod diff;
mod explain;
mod keys;
mod kill;
pub(in crate::cli) mod list;
mod man;
mod metrics;
mod netstat;
mod ports;
mod record;
mod replay;
mod watch;

use std::ffi::OsString;

use crate::cli::command::CommandRow;

/// Every subcommand. A new one is a file of this folder and a row here.
pub(in crate::cli) const COMMANDS: &[CommandRow] = &[
    CommandRow::of::<list::ListCommand>(),
    CommandRow::of::<watch::WatchCommand>(),
    CommandRow::of::<check::CheckCommand>(),
    CommandRow::of::<explain::ExplainCommand>(),
    CommandRow::of::<netstat::NetstatCommand>(),
    CommandRow::of::<ports::PortsCommand>(),
    CommandRow::of::<kill::KillCommand>(),
    CommandRow::of::<close::CloseCommand>(),
    CommandRow::of::<record::RecordCommand>(),
    CommandRow::of::<replay::ReplayCommand>(),
    CommandRow::of::<diff::DiffCommand>(),
    CommandRow::of::<metrics::MetricsCommand>(),
    CommandRow::of::<columns::ColumnsCommand>(),
    CommandRow::of::<keys::KeysCommand>(),
    CommandRow::of::<man::ManCommand>(),
    CommandRow::of::<completions::CompletionsCommand>(),
];

/// The command called `name`.
pub(in crate::cli) fn named(name: &str) -> Option<&'static CommandRow> {
    COMMANDS.iter().find(|row| row.name == name)
}

/// The command that the arguments of the process name, even where the rest of them is wrong.
pub(in crate::cli) fn named_in(arguments: &[OsString]) -> Option<&'static CommandRow> {
    let words = arguments.iter().skip(1).take_while(|word| *word != "--").filter_map(|word| word.to_str());
    words.into_iter().find_map(named)
}
