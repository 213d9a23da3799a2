//! Signals: which process may get one, what is asked before, what is said after. The runtime sends them.

use std::fmt::Write;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::app::acted::ReportUse;
use crate::app::binding::READ_ONLY;
use crate::app::candidates::{Candidates, Purpose, nobody_sentence};
use crate::app::effect::Effect;
use crate::app::menu::MenuChoice;
use crate::app::mode::{Confirm, Mode, Stage, TypedWord};
use crate::app::notice::NoticeLevel;
use crate::app::selection::{NOTHING, Selected};
use crate::diagnosis::finding::{Finding, FindingKey};
use crate::model::action::{Caution, Kill, KillOutcome, KillReport, Signal};
use crate::model::process::{NoProcess, Owner, Process, ProcessId};
use crate::model::snapshot::SourceKind;
use crate::model::tcp_state::{STATES, TcpState};
use crate::store::alike::key::{AlikePeer, PortRole};
use crate::store::folding::{FoldKey, FoldOwner};
use crate::store::groups::members::MembersOf;
use crate::store::groups::{GroupKey, ProcessSockets};
use crate::store::row::SocketRow;
use crate::table::units;
use crate::table::value::Value;

/// The longest word that may be typed into a dialog, in bytes.
const WORD_LEN_MAX: usize = 16;
/// What ends within this time ends at once.
const AT_ONCE_MAX: Duration = Duration::from_millis(100);

/// The signals that are remembered until their process has ended.
const SIGNALLED_MAX: usize = 256;

impl App {
    /// Opens the first dialog on the way to a signal, or says why not.
    pub(super) fn ask_for_signal(&mut self) {
        if self.has_tags_here() {
            return match self.may_act() {
                Ok(()) => self.gather_tagged(Purpose::Kill),
                Err(why) => drop(self.say(NoticeLevel::Bad, why.as_str())),
            };
        }
        let candidates = self.may_act().and_then(|()| self.picked()).and_then(|selection| self.candidates(selection));
        self.ask_which_owner(candidates);
    }

    /// Asks which of several owners is meant.
    pub(super) fn ask_which_owner(&mut self, candidates: Result<Candidates, String>) {
        match candidates {
            Err(why) => drop(self.say(NoticeLevel::Bad, why.as_str())),
            // They are being gathered.
            Ok(Candidates { owners, .. }) if owners.is_empty() => {}
            Ok(Candidates { mut owners, holding }) if owners.len() == 1 => {
                self.open_signal_menu(owners.swap_remove(0), holding);
            }
            Ok(Candidates { owners, holding }) => self.open_menu(MenuChoice::Owner { owners, holding }, 0),
        }
    }

    /// Asks whether to send the KILL that is offered.
    pub(super) fn escalate(&mut self) {
        let Some(kill) = self.offer.clone() else {
            self.say(
                NoticeLevel::Plain,
                "nothing to escalate: ‹escalate› offers KILL after a signal that did nothing for 5 s",
            );
            return;
        };
        match self.process(&kill) {
            Some(process) => self.ask_to_confirm(process, Signal::Kill, kill.holding),
            None => {
                drop(self.say(NoticeLevel::Plain, format!("{kill} holds no sockets any more").as_str()));
            }
        }
    }

    pub(super) fn open_signal_menu(&mut self, process: Arc<Process>, holding: Vec<NonZeroU32>) {
        match self.protection(&process) {
            Some(sentence) => drop(self.say(NoticeLevel::Bad, sentence)),
            None => self.open_menu(MenuChoice::Signal { process, holding }, 0),
        }
    }

    /// Opens the dialog that holds the very effect that will run.
    pub(super) fn ask_to_confirm(&mut self, process: Arc<Process>, signal: Signal, holding: Vec<NonZeroU32>) {
        let user = match process.uid {
            Some(uid) => Value::user(uid, self.store.names()).text().into_owned(),
            None => "unknown".to_owned(),
        };
        // Counted in slices; with many sockets the dialog opens before that is done.
        self.work.count_holdings(process.id);
        let holds = "counting…".to_owned();
        let effect = Effect::Kill(Kill { process: process.id, name: process.name.clone(), signal, holding });
        let cautions: Vec<Caution> = Caution::of(&process).collect();
        let word = TypedWord::of(&cautions);
        self.questions += 1;
        let stage = Stage::Ask;
        self.mode = Mode::Confirm(Confirm { effect, process, user, holds, cautions, word, stage, again: false });
    }

    /// The first yes: enough for every signal but KILL.
    pub(super) fn confirm(&mut self) -> Vec<Effect> {
        if !self.may_confirm() {
            return Vec::new();
        }
        match &mut self.mode {
            Mode::Confirm(confirm) if confirm.needs_second() => {
                confirm.stage = Stage::AskAgain;
                self.questions += 1;
                Vec::new()
            }
            Mode::ConfirmAll(confirm) if confirm.needs_second() => {
                confirm.stage = Stage::AskAgain;
                confirm.begin(self.config.size);
                self.questions += 1;
                Vec::new()
            }
            _ => self.confirm_kill(),
        }
    }

    /// Whether all of what will be done is on the screen, and the word typed that is asked for.
    fn may_confirm(&mut self) -> bool {
        let is_whole = self.dialog_view().is_some_and(|view| view.is_whole);
        is_whole && self.mode.word_mut().is_none_or(|word| word.is_typed())
    }

    pub(super) fn type_word(&mut self, character: char) {
        let is_whole = self.dialog_view().is_some_and(|view| view.is_whole);
        if let Some(word) = self.mode.word_mut().filter(|word| is_whole && word.typed.len() < WORD_LEN_MAX) {
            word.typed.push(character);
            self.dirty = true;
        }
    }

    pub(super) fn erase_word(&mut self) {
        if let Some(word) = self.mode.word_mut() {
            word.typed.pop();
        }
    }

    /// The last yes: exactly what the dialog shows is done.
    pub(super) fn confirm_kill(&mut self) -> Vec<Effect> {
        if !self.may_confirm() {
            return Vec::new();
        }
        match std::mem::take(&mut self.mode) {
            Mode::Confirm(confirm) => {
                self.offer = None;
                vec![confirm.effect]
            }
            Mode::ConfirmClose(confirm) => vec![confirm.effect],
            Mode::ConfirmAll(confirm) => self.act_on_all(confirm),
            other => {
                self.mode = other;
                Vec::new()
            }
        }
    }

    pub(super) fn on_kill_report(&mut self, report: &KillReport) -> Vec<Effect> {
        let kill = &report.kill;
        match report.outcome {
            KillOutcome::Sent => {
                self.signalled.truncate(SIGNALLED_MAX - 1);
                self.signalled.push_front((kill.process, self.store.at()));
            }
            KillOutcome::Ended { .. } => {
                let sent = self.signalled.iter().find(|(process, _)| *process == kill.process).map(|(_, at)| *at);
                self.store.note_kill(kill.process, sent.unwrap_or(self.store.at()));
            }
            _ => {}
        }
        if matches!(report.outcome, KillOutcome::StillRunning { .. }) && kill.signal != Signal::Kill {
            self.offer = Some(Kill { signal: Signal::Kill, ..kill.clone() });
        } else if self.offer.as_ref().is_some_and(|offer| offer.process == kill.process) {
            self.offer = None;
        }
        let (level, text) = report_text(report);
        match self.acted.take_kill(report, &text) {
            ReportUse::Counted => Vec::new(),
            ReportUse::Last(level, text) => self.say(level, self.marked_made_up(text).as_str()),
            ReportUse::Single => self.say(level, self.marked_made_up(text).as_str()),
        }
    }

    /// `text` on what was done, marked where it was done to a made-up machine.
    pub(super) fn marked_made_up(&self, text: String) -> String {
        if self.config.source.kind == SourceKind::Synthetic { format!("{text} (made up)") } else { text }
    }

    /// Whether anything may be done at all.
    pub(super) fn may_act(&self) -> Result<(), String> {
        if self.config.settings.read_only {
            return Err(READ_ONLY.to_owned());
        }
        match (self.config.source.abilities.kill, self.config.source.kind) {
            (true, _) => self.config.doubt.map_or(Ok(()), |doubt| Err(doubt.sentence().to_owned())),
            (false, SourceKind::Replay) => Err("a recording cannot be acted on".to_owned()),
            (false, SourceKind::Synthetic) => {
                Err("the demo's processes are made up; there is nothing to send a signal to".to_owned())
            }
            (false, kind) => Err(format!("the source {} cannot send signals", kind.name())),
        }
    }

    /// The processes behind `selection`; none while they are being gathered.
    fn candidates(&mut self, selection: Selected) -> Result<Candidates, String> {
        match selection {
            Selected::None | Selected::State(_) | Selected::LogLine(_) | Selected::Network(_) => {
                Err(NOTHING.to_owned())
            }
            Selected::Socket(id) => {
                candidates_of(self.seen_row(id).ok_or("this connection is gone; there is nothing to act on")?)
            }
            Selected::Group(key) => self.candidates_of_group(key),
            Selected::Fold(key) => self.candidates_of_fold(key),
            Selected::Finding(key) => self.candidates_of_finding(key),
        }
    }

    fn candidates_of_finding(&self, key: FindingKey) -> Result<Candidates, String> {
        let finding = self.panels.findings.get(key).ok_or("there is no finding to act on")?;
        if let Some(listener) = finding.key.listener.and_then(|id| self.store.rows().live(id)) {
            return candidates_of(listener);
        }
        self.candidates_of_shares(finding)
    }

    /// The processes that a finding is about.
    fn candidates_of_shares(&self, finding: &Finding) -> Result<Candidates, String> {
        if finding.process_shares.is_empty() {
            return Err("this finding is about no process that is known: ‹explain› says what to do".to_owned());
        }
        let all = finding.process_shares.iter().map(|sharer| &sharer.process);
        let owners: Vec<_> = all.filter(|one| self.store.rows().process(one.id).is_some()).cloned().collect();
        if owners.is_empty() {
            return Err("that process holds no sockets any more; the kernel keeps what is left of them".to_owned());
        }
        Ok(Candidates { owners, holding: Vec::new() })
    }

    fn candidates_of_group(&mut self, key: GroupKey) -> Result<Candidates, String> {
        match key {
            GroupKey::NoProcess(NoProcess::Hidden, _) => Err(hidden_sentence()),
            GroupKey::NoProcess(NoProcess::Unaccepted, _) => Err(unaccepted_sentence()),
            GroupKey::NoProcess(NoProcess::Vanished, _) => Err(vanished_sentence()),
            GroupKey::NoProcess(NoProcess::None, _) => Err(nobody_sentence()),
            GroupKey::Process(id) => match self.store.rows().process(id) {
                Some(process) => Ok(Candidates::one(Arc::clone(process))),
                None => Err("that process holds no sockets any more; the kernel keeps what is left of them".to_owned()),
            },
            // The owner of that one socket, never of another on the same port.
            GroupKey::Listener { id, .. } => {
                candidates_of(self.store.rows().live(id).ok_or("this listener is gone; there is nothing to act on")?)
            }
            GroupKey::OneOfListeners(_) => Err(
                "these came in by one of several listeners, and nothing tells by which: choose the row of a listener"
                    .to_owned(),
            ),
            // It stands for several sockets, and may stand for several processes.
            key @ (GroupKey::Remote { .. } | GroupKey::PortPool(_)) => {
                self.gather(MembersOf::Group(key), Purpose::Kill);
                Ok(Candidates::default())
            }
        }
    }

    /// Who holds the sockets of a line of the folded table: never who held them once, nor whose listener they wait at.
    fn candidates_of_fold(&mut self, key: FoldKey) -> Result<Candidates, String> {
        let row =
            self.panels.connections.folded.view.row(key).ok_or("these sockets are gone; there is nothing to act on")?;
        let is_queue = matches!(row.peers.only(), Some(AlikePeer::Here { role: PortRole::Queue, .. }));
        match (key.owner, row.only_process()) {
            _ if is_queue => Err(unaccepted_sentence()),
            (Some(FoldOwner::Nobody(why)), _) => self.candidates_of_group(GroupKey::NoProcess(why, None)),
            (Some(FoldOwner::Remembered(_)), _) => Err(nobody_sentence()),
            (_, Some(process)) => self.candidates_of_group(GroupKey::Process(process)),
            (_, None) => {
                self.gather(MembersOf::Fold(key), Purpose::Kill);
                Ok(Candidates::default())
            }
        }
    }

    pub(super) fn protection(&self, process: &Process) -> Option<&'static str> {
        let found = self.config.protected.iter().find(|(pid, _)| *pid == process.id.pid);
        found.map(|(_, protection)| protection.sentence())
    }

    /// Shows what `process` holds in the dialog that asks about it.
    pub(super) fn show_holdings(&mut self, process: ProcessId, holdings: &ProcessSockets) {
        if let Mode::Confirm(confirm) = &mut self.mode
            && confirm.process.id == process
        {
            confirm.holds = holdings_text(holdings);
            self.dirty = true;
        }
    }

    /// The process that `kill` is for, if it still holds a socket.
    fn process(&self, kill: &Kill) -> Option<Arc<Process>> {
        self.store.rows().process(kill.process).cloned()
    }
}

fn candidates_of(row: &SocketRow) -> Result<Candidates, String> {
    if row.is_closed() {
        return Err("this connection is closed; there is nothing to act on".to_owned());
    }
    match &row.connection.socket.owner {
        Owner::Live(holders) => Ok(Candidates {
            owners: holders.all().to_vec(),
            holding: row.connection.socket.inode.into_iter().collect(),
        }),
        Owner::Remembered(holders) => Err(format!(
            "{} has closed this socket; the kernel keeps it, and a signal would not end it",
            holders.first()
        )),
        Owner::Unaccepted => Err(unaccepted_sentence()),
        Owner::Hidden | Owner::Unseen => Err(hidden_sentence()),
        Owner::Vanished => Err(vanished_sentence()),
        Owner::None => Err(nobody_sentence()),
    }
}

fn unaccepted_sentence() -> String {
    "no process has accepted this connection yet; look at its listener (4)".to_owned()
}

fn hidden_sentence() -> String {
    "its process is hidden and cannot be signalled; the header says why".to_owned()
}

fn vanished_sentence() -> String {
    "its process was not found in time: it closes sockets as fast as conntop looks; choose its listener (4)".to_owned()
}

/// What came of a signal, as a sentence.
fn report_text(report: &KillReport) -> (NoticeLevel, String) {
    let (who, signal) = (report.kill.to_string(), report.kill.signal);
    match &report.outcome {
        KillOutcome::Sent => (NoticeLevel::Plain, format!("{signal} sent to {who}; watching it")),
        KillOutcome::Ended { after } if *after < AT_ONCE_MAX => {
            (NoticeLevel::Good, format!("{who} ended at once on {signal}"))
        }
        KillOutcome::Ended { after } => {
            (NoticeLevel::Good, format!("{who} ended {} after {signal}", units::lasted(*after)))
        }
        KillOutcome::StillRunning { after } if signal == Signal::Kill => (
            NoticeLevel::Bad,
            format!(
                "{who} is still there {} after KILL; it hangs in the kernel (disk or network)",
                units::lasted(*after)
            ),
        ),
        KillOutcome::StillRunning { after } => (
            NoticeLevel::Bad,
            format!("{who} is still running {} after {signal}; ‹escalate› offers KILL", units::lasted(*after)),
        ),
        KillOutcome::AlreadyGone => (NoticeLevel::Plain, format!("{who} had ended already; nothing was done")),
        KillOutcome::PidReused => {
            (NoticeLevel::Plain, format!("{who} has ended and its pid is another process now; nothing was done"))
        }
        KillOutcome::LetGo => {
            (NoticeLevel::Plain, format!("{who} does not hold that socket any more; nothing was done"))
        }
        KillOutcome::Unsure(doubt) => (NoticeLevel::Bad, doubt.sentence().to_owned()),
        KillOutcome::Refused(why) => (NoticeLevel::Bad, why.sentence().to_owned()),
        KillOutcome::NotPermitted => {
            (NoticeLevel::Bad, format!("you may not signal {who}; run conntop as its user or as root"))
        }
        KillOutcome::Failed(why) => (NoticeLevel::Bad, format!("{signal} could not be sent to {who}: {why}")),
    }
}

/// `41 ESTABLISHED from 12 peers, 3 listeners`.
pub(super) fn holdings_text(holdings: &ProcessSockets) -> String {
    let mut text = String::new();
    for row in STATES.iter().filter(|row| row.state != TcpState::Listen) {
        let count = holdings.counts.of(row.state);
        if count > 0 {
            let _ = write!(text, ", {} {}", units::count(u64::from(count)), row.name);
        }
    }
    if holdings.peers > 0 {
        let _ = write!(text, " with {}", units::counted(holdings.peers.into(), "peer"));
    }
    let listeners = holdings.counts.of(TcpState::Listen);
    if listeners > 0 {
        let _ = write!(text, ", {}", units::counted(listeners.into(), "listener"));
    }
    if holdings.counts.udp > 0 {
        let _ = write!(text, ", {} UDP", units::count(u64::from(holdings.counts.udp)));
    }
    let text = text.trim_start_matches(", ");
    if text.is_empty() { "no sockets".to_owned() } else { text.to_owned() }
}
