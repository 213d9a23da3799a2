//! What came of an action over several targets: counted as the reports come, and said once all have come.

use std::collections::VecDeque;

use crate::app::mode::Targets;
use crate::app::notice::NoticeLevel;
use crate::model::action::{KillOutcome, KillReport, Signal};
use crate::model::closing::{CloseOutcome, CloseReport};
use crate::model::process::ProcessId;
use crate::model::socket::SocketId;
use crate::table::units;

/// So many actions are waited for at the same time; the oldest is given up first.
const ACTIONS_MAX: usize = 8;

/// The actions whose reports have not all come.
#[derive(Debug, Default)]
pub struct Acted {
    waiting: VecDeque<ActedAll>,
}

/// An action over several targets, and what has come of it so far.
#[derive(Debug)]
pub struct ActedAll {
    /// The signal that was sent; `None` where sockets were closed.
    signal: Option<Signal>,
    waiting: Vec<TargetId>,
    total: usize,
    done: usize,
    gone: usize,
    refused: usize,
    /// The first refusal, in words.
    why: Option<String>,
}

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TargetId {
    Process(ProcessId),
    Socket(SocketId),
}

/// What came of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
enum TargetOutcome {
    Done,
    Gone,
    Refused(String),
}

/// What a report is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportUse {
    /// It is of no action over several targets, or of one that was told of already: it is said by itself.
    Single,
    /// It is counted; others are waited for.
    Counted,
    /// It was the last: this is what came of all.
    Last(NoticeLevel, String),
}

impl ActedAll {
    /// Nothing has come yet of what is done to `targets`.
    pub fn of(targets: &Targets) -> Self {
        let (signal, waiting) = match targets {
            Targets::Signal(signal, kills) => {
                (Some(*signal), kills.iter().map(|kill| TargetId::Process(kill.process)).collect::<Vec<_>>())
            }
            Targets::Close(closes) => (None, closes.iter().map(|close| TargetId::Socket(close.socket.id)).collect()),
        };
        Self { signal, total: waiting.len(), waiting, done: 0, gone: 0, refused: 0, why: None }
    }

    fn take(&mut self, target: TargetId, outcome: TargetOutcome) {
        self.waiting.retain(|other| *other != target);
        match outcome {
            TargetOutcome::Done => self.done += 1,
            TargetOutcome::Gone => self.gone += 1,
            TargetOutcome::Refused(why) => {
                self.refused += 1;
                self.why.get_or_insert(why);
            }
        }
    }

    /// What came of all of it, as a sentence.
    fn sentence(&self) -> (NoticeLevel, String) {
        let of = |what| units::counted(self.total as u64, what);
        let mut text = match self.signal {
            Some(signal) => format!("{signal} sent to {} of {}", self.done, of("process")),
            None => format!("{} of {} closed", self.done, of("socket")),
        };
        if self.gone > 0 {
            text = format!("{text}, {} gone before", self.gone);
        }
        if self.refused > 0 {
            text = format!("{text}, {} refused: {}", self.refused, self.why.as_deref().unwrap_or_default());
        }
        (if self.refused > 0 { NoticeLevel::Bad } else { NoticeLevel::Good }, text)
    }
}

impl Acted {
    /// An action was begun.
    pub fn begin(&mut self, action: ActedAll) {
        if self.waiting.len() == ACTIONS_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back(action);
    }

    /// Counts what came of a signal, where it was one of several, and the first report of its process; `why` says a refusal.
    pub fn take_kill(&mut self, report: &KillReport, why: &str) -> ReportUse {
        let outcome = match report.outcome {
            KillOutcome::Sent | KillOutcome::Ended { .. } | KillOutcome::StillRunning { .. } => TargetOutcome::Done,
            KillOutcome::AlreadyGone | KillOutcome::PidReused | KillOutcome::LetGo => TargetOutcome::Gone,
            KillOutcome::Refused(_) | KillOutcome::Unsure(_) | KillOutcome::NotPermitted | KillOutcome::Failed(_) => {
                TargetOutcome::Refused(why.to_owned())
            }
        };
        self.take(TargetId::Process(report.kill.process), Some(report.kill.signal), outcome)
    }

    /// The same of a close.
    pub fn take_close(&mut self, report: &CloseReport, why: &str) -> ReportUse {
        let outcome = match report.outcome {
            CloseOutcome::Closed | CloseOutcome::PortKept | CloseOutcome::Subflow => TargetOutcome::Done,
            CloseOutcome::Gone => TargetOutcome::Gone,
            _ => TargetOutcome::Refused(why.to_owned()),
        };
        self.take(TargetId::Socket(report.close.socket.id), None, outcome)
    }

    fn take(&mut self, target: TargetId, signal: Option<Signal>, outcome: TargetOutcome) -> ReportUse {
        let is_of = |action: &ActedAll| action.signal == signal && action.waiting.contains(&target);
        let Some(at) = self.waiting.iter().position(is_of) else { return ReportUse::Single };
        self.waiting[at].take(target, outcome);
        if !self.waiting[at].waiting.is_empty() {
            return ReportUse::Counted;
        }
        self.waiting.remove(at).map_or(ReportUse::Counted, |action| {
            let (level, text) = action.sentence();
            ReportUse::Last(level, text)
        })
    }
}
