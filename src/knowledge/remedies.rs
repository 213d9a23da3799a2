//! What to do in the program that has a trouble: the table `assets/remedies.toml`.
//!
//! A program is known by the name of its process, or, where an interpreter runs it, by its command line.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// A program, and what to do in it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramRemedies {
    /// What people call it.
    pub name: String,
    process: Vec<String>,
    #[serde(default)]
    command: Vec<String>,
    /// On which version, and how, its settings were tried.
    pub checked: String,
    rules: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RemediesFile {
    program: Vec<ProgramRemedies>,
}

static PROGRAMS: LazyLock<Vec<ProgramRemedies>> = LazyLock::new(|| {
    let file: RemediesFile =
        toml::from_str(include_str!("../../assets/remedies.toml")).expect("assets/remedies.toml is tested");
    file.program
});

/// So many words of a command line may stand before the program that an interpreter runs (`python3 -u -m gunicorn`).
const WORDS_BEFORE: usize = 4;
/// Interpreters, by the names of their processes.
const INTERPRETERS: [&str; 2] = ["python", "python3"];

impl ProgramRemedies {
    fn is(&self, process: &str, command: &str) -> bool {
        self.process.iter().any(|name| is_called(process, name))
            || INTERPRETERS.iter().any(|name| is_called(process, name))
                && command.split_whitespace().take(WORDS_BEFORE).any(|word| {
                    let file = word.rsplit('/').next().unwrap_or(word);
                    self.command.iter().any(|known| known == file)
                })
    }
}

/// Whether `process` is `name`, perhaps with a version or a title behind it: `php-fpm8.2`, `postgres: walwriter`.
fn is_called(process: &str, name: &str) -> bool {
    let rest = process.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c == ':' || c == '.' || c.is_ascii_digit()))
}

/// What to do about what the rule `id` finds in a process called `process`, started by `command`; nothing where the program
/// is not known.
pub fn of(id: &str, process: &str, command: &str) -> &'static [String] {
    let program = PROGRAMS.iter().find(|program| program.is(process, command));
    program.and_then(|program| program.rules.get(id)).map_or(&[], Vec::as_slice)
}

/// What to do about what the rule `id` finds, in every program that is known.
pub fn of_rule(id: &str) -> impl Iterator<Item = &'static String> {
    PROGRAMS.iter().filter_map(move |program| program.rules.get(id)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::rule::Rule;

    /// Rules of other rows of the issue, which may land later than their words.
    const COMING: [&str; 4] = ["churn", "failing-connects", "refused-connects", "held-dead-sockets"];

    #[test]
    fn every_line_is_a_sentence_that_names_its_program_and_its_rule_exists() {
        for program in PROGRAMS.iter() {
            assert!(program.checked.chars().any(|c| c.is_ascii_digit()), "{} has a version", program.name);
            for (rule, lines) in &program.rules {
                assert!(Rule::named(rule).is_some() || COMING.contains(&rule.as_str()), "{rule}");
                for line in lines {
                    let start = format!("{}: ", program.name);
                    assert!(line.starts_with(&start) && line.ends_with('.') && line.len() <= 240, "{line}");
                }
            }
        }
    }

    #[test]
    fn a_program_is_known_by_its_process_or_by_what_its_interpreter_runs() {
        let first = |process, command| of("accept-queue-full", process, command).first().map_or("", |line| &line[..5]);
        assert_eq!(first("nginx", "nginx: worker process"), "nginx");
        assert_eq!(first("gunicorn: maste", ""), "gunic");
        assert_eq!(first("python3.11", "/usr/bin/python3.11 /usr/bin/gunicorn app:app"), "gunic");
        assert_eq!(first("python3", "python3 -m uvicorn app:app"), "uvico");
        assert_eq!(first("python3", "python3 server.py"), "");
        assert_eq!(first("node_exporter", "/usr/bin/node_exporter"), "", "it is no Node.js");
        assert_eq!(first("redis-cli", ""), "");
        assert!(of("dead-peer", "postgres: alice", "").len() == 1 && of("orphans", "nginx", "").is_empty());
    }
}
