//! The subject of a finding's sentence: a process, or the connections where none is known. It can be read in one way only:
//! no subject is a negation ("no known process cannot send").

use std::fmt;

use crate::diagnosis::group::SocketGroup;
use crate::model::process::NoProcess;
use crate::model::units;

/// So many programs are named of those that share a trouble.
const PROGRAMS_NAMED_MAX: usize = 3;

/// Whom a sentence is about, and in which number its verb stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    text: String,
    is_plural: bool,
    /// Whether it is a process by its name.
    is_named: bool,
}

impl Subject {
    /// Several things.
    fn several(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_plural: true, is_named: false }
    }

    /// One thing.
    pub(super) fn one(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_plural: false, is_named: false }
    }

    /// One thing or several, by their number.
    fn of(sockets: u32, one: String, several: String) -> Self {
        if sockets == 1 { Self::one(one) } else { Self::several(several) }
    }

    /// `jdbc-pool[4121]`; `worker` for several processes of one program; `worker, api and cron`, `worker, api, cron and 2
    /// more programs` for several programs; `None` where no process is known.
    fn named(group: &SocketGroup) -> Option<Self> {
        if let Some(process) = group.process() {
            return Some(Self { text: process.to_string(), is_plural: false, is_named: true });
        }
        let text = Some(programs(group)).filter(|text| !text.is_empty())?;
        Some(Self { text, is_plural: group.processes.program().is_none(), is_named: true })
    }

    /// With its verb: `jdbc-pool[4121] leaks`, `connections without a process leak`.
    pub(super) fn does(&self, one: &str, several: &str) -> String {
        format!("{self} {}", if self.is_plural { several } else { one })
    }

    /// Something that it has: `nginx[812] accept queue`, `accept queue of a hidden process`.
    pub(super) fn owns(&self, thing: &str) -> String {
        if self.is_named { format!("{self} {thing}") } else { format!("{thing} of {self}") }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The names of its programs, those with most sockets first.
fn programs(group: &SocketGroup) -> String {
    let programs = group.processes.programs();
    let mut names: Vec<String> = programs.iter().take(PROGRAMS_NAMED_MAX).map(|(name, _)| (*name).to_owned()).collect();
    match programs.len().saturating_sub(PROGRAMS_NAMED_MAX) {
        0 => {}
        1 => names.push("1 more program".to_owned()),
        more => names.push(format!("{} more programs", units::count(more as u64))),
    }
    if group.processes.ownerless > 0 && !names.is_empty() {
        names.push("unidentified processes".to_owned());
    }
    match names.as_slice() {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => names.concat(),
    }
}

/// Whose the connections of `group` are: `jdbc-pool[4121]`, or what stands in for a process that is not known.
///
/// `this machine` where the reasons differ, or where nothing is known.
pub(super) fn who(group: &SocketGroup) -> Subject {
    if let Some(process) = Subject::named(group) {
        // It has closed them, or has ended: what becomes of them is the kernel's work.
        let is_closed = group.remembered > 0 && group.remembered == group.sockets;
        return if is_closed { connections(group, &format!("closed by {process}")) } else { process };
    }
    match group.no_process {
        Some(NoProcess::Hidden) => Subject::one("a hidden process"),
        Some(NoProcess::Vanished) => Subject::one("an unidentified process"),
        Some(NoProcess::Unaccepted) => connections(group, "waiting for accept()"),
        Some(NoProcess::None) => connections(group, "without a process"),
        None => Subject::one("this machine"),
    }
}

/// The process that listens, or what stands in for it.
pub(super) fn listening(group: &SocketGroup) -> Subject {
    Subject::named(group).unwrap_or_else(|| stands_for_listener(group.no_process))
}

/// What stands in for a process that listens and is not named, for that reason.
pub(super) fn stands_for_listener(why: Option<NoProcess>) -> Subject {
    Subject::one(match why {
        Some(NoProcess::Hidden) => "a hidden process",
        Some(NoProcess::None) => "a listener without a process",
        // Connections that wait to be accepted do not say who listens.
        Some(NoProcess::Vanished | NoProcess::Unaccepted) | None => "an unidentified process",
    })
}

fn connections(group: &SocketGroup, which: &str) -> Subject {
    Subject::of(group.sockets, format!("a connection {which}"), format!("connections {which}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::finding::{FindingKey, FindingScope};
    use crate::diagnosis::rule::Rule;
    use crate::model::socket::NetnsId;
    use crate::model::testing::process;

    fn group(named: bool, no_process: Option<NoProcess>, sockets: u32, remembered: u32) -> SocketGroup {
        let key = FindingKey {
            rule: Rule::ZeroWindow,
            program: None,
            scope: FindingScope::Machine,
            netns: NetnsId::default(),
            listener: None,
        };
        SocketGroup { no_process, sockets, remembered, ..SocketGroup::new(key, named.then(|| process(812, "nginx"))) }
    }

    #[test]
    fn a_subject_agrees_with_its_verb_and_is_no_negation() {
        for (named, no_process, sockets, remembered, said) in [
            (true, None, 3, 0, "nginx[812] sends"),
            (true, None, 3, 1, "nginx[812] sends"),
            (true, None, 3, 3, "connections closed by nginx[812] send"),
            (true, None, 1, 1, "a connection closed by nginx[812] sends"),
            (false, Some(NoProcess::Hidden), 3, 0, "a hidden process sends"),
            (false, Some(NoProcess::Vanished), 3, 0, "an unidentified process sends"),
            (false, Some(NoProcess::Unaccepted), 3, 0, "connections waiting for accept() send"),
            (false, Some(NoProcess::None), 1, 0, "a connection without a process sends"),
            (false, Some(NoProcess::None), 2, 0, "connections without a process send"),
            (false, None, 2, 0, "this machine sends"),
        ] {
            assert_eq!(who(&group(named, no_process, sockets, remembered)).does("sends", "send"), said);
        }
    }

    #[test]
    fn what_somebody_has_is_said_with_a_name_before_it_or_with_of() {
        assert_eq!(listening(&group(true, None, 1, 0)).owns("accept queue"), "nginx[812] accept queue");
        for (why, said) in [
            (Some(NoProcess::Hidden), "accept queue of a hidden process"),
            (Some(NoProcess::None), "accept queue of a listener without a process"),
            (None, "accept queue of an unidentified process"),
        ] {
            assert_eq!(listening(&group(false, why, 1, 0)).owns("accept queue"), said);
        }
    }
}
