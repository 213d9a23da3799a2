//! `conntop list --wait-for` and `--until-none`: looks until it is time, and says so by the exit code.
//!
//! No signal is caught: one that comes ends the program in the system's own way, so that a shell sees 130 or 143 and
//! knows that what was waited for did not come.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::commands::list::arguments::WaitCondition;
use crate::cli::commands::list::sampler::{ListSample, ListSampler};
use crate::cli::{Failure, say};
use crate::report::list::List;
use crate::runtime;
use crate::store::Store;
use crate::table::units;

/// The time between two looks unless said otherwise: what waits for a server to listen wants to go on soon.
pub(super) const INTERVAL: Duration = Duration::from_millis(200);
/// No sleep is longer, so that a reader that went is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Prints `list` as soon as there is something in it, or nothing as soon as there is nothing.
pub(super) fn run(sampler: ListSampler, wait: &WaitCondition, list: &List) -> Result<ExitCode, Failure> {
    let mut sampler = sampler.for_time(wait.timeout);
    loop {
        let ListSample { is_fresh, next } = sampler.look()?;
        let found = list.sockets(sampler.store());
        if is_fresh && (found == 0) == wait.until_none {
            if wait.until_none {
                say_hidden(list, sampler.store());
                return Ok(ExitCode::SUCCESS);
            }
            sampler.learn(list);
            return super::write(&list.select(sampler.store()));
        }
        // What was not looked at is not what is not there.
        let is_over = is_fresh && wait.timeout.is_some_and(|timeout| sampler.has_passed(timeout));
        let Some(next) = next.filter(|_| !is_over) else {
            say(&timeout_sentence(wait, is_over, found));
            if !wait.until_none {
                say_hidden(list, sampler.store());
            }
            return Ok(ExitCode::FAILURE);
        };
        let deadline = wait.timeout.filter(|_| is_fresh).and_then(|timeout| sampler.deadline(timeout));
        if !sleep_until(deadline.map_or(next, |deadline| next.min(deadline))) {
            return Ok(ExitCode::FAILURE);
        }
    }
}

/// "None" is only so far as it can be seen.
fn say_hidden(list: &List, store: &Store) {
    let hidden = store.coverage().owners_hidden;
    if hidden > 0 && list.filter.depends_on_processes() {
        let (sockets, verb) = (units::count(u64::from(hidden)), if hidden == 1 { " has" } else { "s have" });
        say(&format!("{sockets} socket{verb} an owner that is hidden, who matches no process"));
    }
}

/// What did not happen, and what to look at. `found` is how many sockets matched last.
fn timeout_sentence(wait: &WaitCondition, is_over: bool, found: usize) -> String {
    let quoted = wait.text.replace('\'', r"'\''");
    let end = match wait.timeout.filter(|_| is_over) {
        Some(timeout) if timeout.is_zero() => String::new(),
        Some(timeout) => format!(" after {} s", timeout.as_secs_f64()),
        None => " at the end of the recording".to_owned(),
    };
    if found > 0 {
        let sockets =
            if found == 1 { "1 socket still matches".to_owned() } else { format!("{found} sockets still match") };
        return format!("{sockets} '{quoted}'{end}; see conntop list '{quoted}'");
    }
    format!("no socket matches '{quoted}'{end}; conntop list shows what there is")
}

/// Whether somebody still reads by then.
pub(super) fn sleep_until(due: Instant) -> bool {
    loop {
        if runtime::reader_is_gone() {
            return false;
        }
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(SLEEP_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_come_is_said_with_what_to_do() {
        let wait = |until_none, seconds: Option<u64>| WaitCondition {
            text: "lport:80".to_owned(),
            until_none,
            timeout: seconds.map(Duration::from_secs),
        };
        for (wait, is_over, found, sentence) in [
            (
                wait(false, Some(30)),
                true,
                0,
                "no socket matches 'lport:80' after 30 s; conntop list shows what there is",
            ),
            (wait(false, Some(0)), true, 0, "no socket matches 'lport:80'; conntop list shows what there is"),
            (
                wait(false, Some(30)),
                false,
                0,
                "no socket matches 'lport:80' at the end of the recording; conntop list shows what there is",
            ),
            (wait(true, Some(5)), true, 1, "1 socket still matches 'lport:80' after 5 s; see conntop list 'lport:80'"),
            (wait(true, Some(0)), true, 7, "7 sockets still match 'lport:80'; see conntop list 'lport:80'"),
        ] {
            assert_eq!(timeout_sentence(&wait, is_over, found), sentence);
        }
    }
}
