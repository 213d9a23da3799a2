//! `conntop list --group-by ... --for SECONDS`: watches for that long, then prints once, with what was tried meanwhile.

use std::process::ExitCode;
use std::time::Duration;

use crate::cli::commands::list::sampler::{ListSample, ListSampler};
use crate::cli::commands::list::wait::sleep_until;
use crate::cli::{Failure, say};
use crate::model::event::EventSourceStatus;
use crate::report::list::List;
use crate::store::attempt_history::AttemptWindow;
use crate::store::groups::attempts::GroupAttempts;

/// Prints `list` when `time` has passed, or the recording is at its end.
pub(super) fn run(sampler: ListSampler, time: Duration, list: &List) -> Result<ExitCode, Failure> {
    let mut sampler = sampler.for_time(Some(time));
    loop {
        let ListSample { is_fresh, next } = sampler.look()?;
        let is_over = is_fresh && sampler.has_passed(time);
        let Some(next) = next.filter(|_| !is_over) else {
            match &sampler.store().event_status().trace {
                EventSourceStatus::On if GroupAttempts::are_at_least(sampler.store(), AttemptWindow::Quarter) => {
                    say("the kernel dropped events: there were at least so many attempts to connect");
                }
                EventSourceStatus::On => {}
                EventSourceStatus::Refused(sentence) => say(&format!("attempts to connect are not known: {sentence}")),
                EventSourceStatus::Off => {
                    say("attempts to connect are not known: the trace is off, or this source has none");
                }
            }
            sampler.learn(list);
            return super::write(&list.select(sampler.store()));
        };
        let deadline = sampler.deadline(time).filter(|_| is_fresh);
        if !sleep_until(deadline.map_or(next, |deadline| next.min(deadline))) {
            return Ok(ExitCode::FAILURE);
        }
    }
}
