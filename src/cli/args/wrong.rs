//! How wrong use is answered: in one sentence with a way out.

use clap::CommandFactory;

use crate::cli::args::Arguments;
use crate::table::suggest;

/// A command after a filter, or a lone word one edit away from a command, was most likely meant to be it.
pub(super) fn refuse_misplaced(parsed: &Arguments) -> Option<String> {
    let definition = Arguments::command();
    let mut commands = definition.get_subcommands().map(clap::Command::get_name);
    let words = &parsed.filter;
    let (first, rest) = words.split_first().filter(|_| parsed.command.is_none())?;
    if rest.is_empty() {
        let near = commands.find(|name| suggest::distance(first, name) == 1)?;
        return Some(format!(
            "there is no command '{first}'; did you mean '{near}'? To look for that word, write conntop -- {first}"
        ));
    }
    let command = commands.find(|name| rest.iter().any(|word| word == name))?;
    let all = words.join(" ");
    Some(format!(
        "write '{command}' first, as in conntop {command} {first}; to look for that word, write conntop -- {all}"
    ))
}

/// What clap says over several lines, as one sentence with its hint.
pub(super) fn sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut what = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    if what.ends_with(':') {
        what = format!("{what} {}", lines.next().unwrap_or_default());
    }
    let what = what.replace("a value is required for", "a value is missing for");
    let rest: Vec<&str> = lines.collect();
    let hint = rest.iter().find_map(|line| tip(line)).or_else(|| rest.iter().find_map(|line| values(line)));
    let hint = hint.unwrap_or_else(|| "see conntop --help".to_owned());
    format!("{what}; {hint}")
}

/// What clap thinks was meant; "to pass '--x' as a value" is no help to somebody who meant an option.
fn tip(line: &str) -> Option<String> {
    let tip = line.strip_prefix("tip: ").filter(|tip| !tip.starts_with("to pass"))?;
    let meant = tip.strip_prefix("a similar ").and_then(|tip| tip.split_once(" exists: "));
    Some(meant.map_or_else(|| tip.to_owned(), |(_, meant)| format!("did you mean {meant}?")))
}

fn values(line: &str) -> Option<String> {
    let values = line.strip_prefix("[possible values: ")?.strip_suffix(']')?;
    Some(format!("there are {values}"))
}
