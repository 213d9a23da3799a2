//! The one line about what is wrong, by two plain rules. `diagnosis` will take its place.

use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::model::delta::AgeBasis;
use crate::model::endpoint::Endpoint;
use crate::model::process::{Process, ProcessId};
use crate::model::socket::{CloseWaitVerdict, Socket};
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::store::rows::Row;
use crate::table::units;

/// A group of `CLOSE_WAIT` sockets this large is a problem at any age, and the first to be told.
const CLOSE_WAIT_MANY: u32 = 100;
/// A group of some size and this old is a problem.
const CLOSE_WAIT_SOME: (u32, Duration) = (5, Duration::from_mins(1));
/// A group of any size and this old is a problem.
const CLOSE_WAIT_OLD: Duration = Duration::from_mins(10);
/// An accept queue filled to this share (in percent) is a problem.
const ACCEPT_QUEUE_PERCENT: u64 = 80;

/// A verdict on a state as young as this is no news yet: every close takes a moment.
const FRESH_MAX: Duration = Duration::from_secs(5);

/// Whether a connection is in its state for so short a time that nothing can be said against it.
pub fn is_fresh(row: &Row, store: &Store) -> bool {
    row.connection.state_since.is_some_and(|since| since.age(store.at()) < FRESH_MAX)
}

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Look at it.
    Warning,
    /// Something is failing now.
    Critical,
}

/// One problem, as a sentence that names process and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad.
    pub severity: Severity,
    /// The sentence.
    pub text: String,
    /// The state that it is about, marked in the histogram.
    pub state: TcpState,
    /// How many sockets it is about.
    pub sockets: u32,
}

/// What is wrong, the worst first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headline {
    /// The problems; none on a healthy machine.
    pub problems: Vec<Problem>,
}

impl Headline {
    /// What is wrong in `store`: one pass over the rows.
    pub fn of(store: &Store) -> Self {
        let mut problems = Vec::new();
        let mut leaks: FxHashMap<LeakKey, Leak<'_>> = FxHashMap::default();
        for (_, row) in store.rows().iter().filter(|(_, row)| !row.is_closed()) {
            match row.connection.socket.state {
                TcpState::CloseWait => note_leak(&mut leaks, row, store),
                TcpState::Listen => problems.extend(full_queue(&row.connection.socket)),
                _ => {}
            }
        }
        problems.extend(leaks.into_values().filter_map(|leak| leak.problem()));
        problems.sort_by(|a, b| {
            let leak = |problem: &Problem| problem.state == TcpState::CloseWait;
            (b.severity, leak(b), b.sockets).cmp(&(a.severity, leak(a), a.sockets)).then_with(|| a.text.cmp(&b.text))
        });
        Self { problems }
    }

    /// Whether a problem is about `state`.
    pub fn concerns(&self, state: TcpState) -> bool {
        self.problems.iter().any(|problem| problem.state == state)
    }
}

/// On the client side a leak is one process and one remote; each leaked socket has its own local port. On the server
/// side it is one process and one local port; the remotes differ.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct LeakKey {
    process: Option<ProcessId>,
    place: Endpoint,
    to: bool,
}

struct Leak<'a> {
    key: LeakKey,
    process: Option<&'a Process>,
    owner: &'static str,
    sockets: u32,
    oldest: Option<(Duration, AgeBasis)>,
    verdicts: [u32; 4],
}

fn note_leak<'a>(leaks: &mut FxHashMap<LeakKey, Leak<'a>>, row: &'a Row, store: &Store) {
    let socket = &row.connection.socket;
    let process = socket.owner.process();
    // The side with the lower port is the service: ephemeral ports are high.
    let to = socket.remote.port < socket.local.port;
    let key = LeakKey {
        process: process.map(|process| process.id),
        place: if to { socket.remote } else { socket.local },
        to,
    };
    let empty = || Leak { key, process, owner: socket.owner.label(), sockets: 0, oldest: None, verdicts: [0; 4] };
    let leak = leaks.entry(key).or_insert_with(empty);
    leak.sockets += 1;
    if let Some(verdict) = socket.verdict() {
        leak.verdicts[verdict as usize] += 1;
    }
    let age = row.connection.state_since.map(|since| (since.age(store.at()), since.basis));
    leak.oldest = leak.oldest.max(age);
}

impl Leak<'_> {
    fn problem(&self) -> Option<Problem> {
        let age = self.oldest.map_or(Duration::ZERO, |(age, _)| age);
        let some = self.sockets >= CLOSE_WAIT_SOME.0 && age >= CLOSE_WAIT_SOME.1;
        if !(some || self.sockets >= CLOSE_WAIT_MANY || age >= CLOSE_WAIT_OLD) {
            return None;
        }
        let severity = if self.sockets >= CLOSE_WAIT_MANY { Severity::Critical } else { Severity::Warning };
        Some(Problem { severity, text: self.sentence(), state: TcpState::CloseWait, sockets: self.sockets })
    }

    fn sentence(&self) -> String {
        let who = match self.process {
            Some(process) => format!("{}[{}]", process.name, process.id.pid),
            None if self.owner == "hidden" => "a hidden process".to_owned(),
            None if self.owner == "unaccepted" => "an accept queue".to_owned(),
            None => "no known process".to_owned(),
        };
        let place = if self.key.to { format!("to {}", self.key.place) } else { format!("on :{}", self.key.place.port) };
        let oldest = match self.oldest {
            Some((age, AgeBasis::AtLeast)) => format!(", oldest >{}", units::age(age)),
            Some((age, _)) => format!(", oldest {}", units::age(age)),
            None => String::new(),
        };
        let verdict = self.verdict().map_or(String::new(), |verdict| format!(", {}", verdict.words()));
        format!("{who} holds {} CLOSE_WAIT {place}{verdict}{oldest}", units::count(u64::from(self.sockets)))
    }

    /// The verdict of most of its sockets.
    fn verdict(&self) -> Option<CloseWaitVerdict> {
        use CloseWaitVerdict::{MissingClose, NotAccepted, NotReading, StuckReader};
        let all = [MissingClose, NotReading, StuckReader, NotAccepted];
        all.into_iter().filter(|v| self.verdicts[*v as usize] > 0).max_by_key(|v| self.verdicts[*v as usize])
    }
}

fn full_queue(socket: &Socket) -> Option<Problem> {
    let queues = socket.queues?;
    let (waiting, limit) = (u64::from(queues.receive), u64::from(queues.send?));
    if limit == 0 || waiting * 100 < limit * ACCEPT_QUEUE_PERCENT {
        return None;
    }
    let who =
        socket.owner.process().map_or_else(String::new, |process| format!("{}[{}] ", process.name, process.id.pid));
    let full = if waiting >= limit { "full" } else { "nearly full" };
    let text =
        format!("{who}:{} accept queue {full} {}/{}", socket.local.port, units::count(waiting), units::count(limit));
    let severity = if waiting >= limit { Severity::Critical } else { Severity::Warning };
    Some(Problem { severity, text, state: TcpState::Listen, sockets: queues.receive })
}
