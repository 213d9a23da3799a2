//! Which processes `conntop kill` signals, and what came of it.
//!
//! A filter matches sockets, a signal goes to processes. Where a filter names a port and no state, only the sockets that
//! listen there count: a client that holds a connection to that port is left out. Where processes share a socket,
//! those are signalled whose parent does not share it (the master of a server with workers).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::action::{Caution, Kill, KillOutcome, Protection, SIGNALS, Signal};
use crate::model::address_text::local_end;
use crate::model::process::{Holders, Names, Owner, Process, ProcessId};
use crate::model::socket::{NetnsId, Socket, SocketId};
use crate::model::tcp_state::TcpState;
use crate::report::act::{PLANNED, PlanStyle, PlanTable, matching};
use crate::report::format::label::Label;
use crate::report::format::text::TextHeading;
use crate::store::Store;
use crate::table::column::Align;
use crate::table::connections::has_namespaces;
use crate::table::filter::Filter;
use crate::table::units;
use crate::table::value::Value;

/// What ends within this time ends at once.
const AT_ONCE_MAX: Duration = Duration::from_millis(100);

/// The most kinds of sockets that are left which one sentence names.
const LEFT_MAX: usize = 5;

/// What a filter is taken to mean.
#[derive(Clone, Copy, Debug, Default)]
pub struct KillScope {
    /// Also clients that only hold a connection to a port that the filter names.
    pub any_socket: bool,
    /// All that share a socket, not only the master.
    pub all_holders: bool,
    /// Also ssh servers.
    pub including_ssh: bool,
}

/// The processes that a filter means, and what it matches and does not mean.
#[derive(Debug, Default)]
pub struct KillPlan {
    /// Who is signalled, by pid.
    pub targets: Vec<KillTarget>,
    /// Connections left out because the filter names a port.
    pub connections: usize,
    /// Sockets whose process is hidden.
    pub hidden: usize,
    /// Sockets that match whose process was not found in time.
    pub vanished: usize,
    /// Sockets that no process holds (any more, or yet).
    pub without_process: usize,
    /// Processes left out because their parent, which shares the socket, is a target.
    pub sharing_with_parent: usize,
    /// The sockets that match and that a target holds.
    matched: BTreeSet<SocketId>,
}

/// A process that is signalled.
#[derive(Clone, Debug)]
pub struct KillTarget {
    /// Which.
    pub process: Arc<Process>,
    /// Why it is not, after all.
    pub refused: Option<Protection>,
    /// What one should know before.
    pub cautions: Vec<Caution>,
    /// The inodes of its sockets that match; empty where one of them has none.
    holding: Vec<NonZeroU32>,
    /// The network namespaces of its sockets that match.
    namespaces: BTreeSet<NetnsId>,
    /// How many sockets of it match.
    sockets: usize,
    /// How many it holds in all.
    holds: u32,
    /// One that matches: `LISTEN tcp 0.0.0.0:8080`.
    example: String,
}

impl KillPlan {
    /// Whom `filter` means; those in `protected` are marked.
    pub fn of(store: &Store, filter: &Filter, meaning: KillScope, protected: &[(u32, Protection)]) -> Self {
        let only_listeners = filter.names_a_port() && !filter.names_a_state() && !meaning.any_socket;
        let all: BTreeMap<ProcessId, u32> = store.rows().holders().collect();
        let mut plan = Self::default();
        let mut targets: BTreeMap<ProcessId, KillTarget> = BTreeMap::new();
        let mut sharing_with_parent: BTreeSet<ProcessId> = BTreeSet::new();
        for (_, row) in matching(store, filter) {
            let socket = &row.connection.socket;
            if only_listeners && !matches!(socket.state, TcpState::Listen | TcpState::Unconn) {
                plan.connections += 1;
                continue;
            }
            let holders = match &socket.owner {
                Owner::Live(holders) => holders,
                Owner::Hidden | Owner::Unseen => {
                    plan.hidden += 1;
                    continue;
                }
                Owner::Vanished => {
                    plan.vanished += 1;
                    continue;
                }
                Owner::Remembered(_) | Owner::Unaccepted | Owner::None => {
                    plan.without_process += 1;
                    continue;
                }
            };
            for process in holders.all() {
                if !meaning.all_holders && is_below_another(process, holders, protected) {
                    sharing_with_parent.insert(process.id);
                    continue;
                }
                let target = targets.entry(process.id).or_insert_with(|| {
                    let holds = all.get(&process.id).copied().unwrap_or(0);
                    let example = example(socket, store.names());
                    KillTarget::new(process, (holds, example), meaning, protected)
                });
                target.add(socket);
                plan.matched.insert(socket.id);
            }
        }
        for target in targets.values_mut().filter(|target| target.holding.len() < target.sockets) {
            target.holding.clear();
        }
        plan.sharing_with_parent = sharing_with_parent.iter().filter(|id| !targets.contains_key(id)).count();
        plan.targets = targets.into_values().collect();
        plan
    }

    /// How many would be signalled: those that are refused do not count.
    pub fn count(&self) -> usize {
        self.targets.iter().filter(|target| target.refused.is_none()).count()
    }

    /// How many ssh servers match and were not asked for.
    fn ssh(&self) -> usize {
        self.targets.iter().filter(|target| target.refused == Some(Protection::Ssh)).count()
    }

    /// What came of each target, if `done` came of those that are not refused, in their order.
    pub fn outcomes(&self, done: Vec<KillOutcome>) -> Vec<KillOutcome> {
        let mut done = done.into_iter();
        let missing = || KillOutcome::Failed("there was no answer; look again".into());
        let of = |target: &KillTarget| match target.refused {
            Some(why) => KillOutcome::Refused(why),
            None => done.next().unwrap_or_else(missing),
        };
        self.targets.iter().map(of).collect()
    }

    /// Which of the sockets that matched `store` still has, in a sentence: others may hold them (`1 LISTEN (nginx[814])`),
    /// or the kernel keeps them (`2 TIME_WAIT`).
    pub fn left(&self, store: &Store) -> Option<String> {
        let mut left: BTreeMap<(TcpState, Option<String>), usize> = BTreeMap::new();
        let rows = self.matched.iter().filter_map(|id| store.rows().get(store.rows().find(*id)?));
        for socket in rows.filter(|row| !row.is_closed()).map(|row| &row.connection.socket) {
            let holder = match &socket.owner {
                Owner::Live(holders) => Some(format!(" ({})", holders.first())),
                _ => None,
            };
            *left.entry((socket.state, holder)).or_default() += 1;
        }
        let one = |((state, holder), count): (&(TcpState, Option<String>), &usize)| {
            format!("{count} {}{}", state.row().name, holder.as_deref().unwrap_or_default())
        };
        let more = left.len().saturating_sub(LEFT_MAX);
        let mut words: Vec<String> = left.iter().take(LEFT_MAX).map(one).collect();
        words.extend((more > 0).then(|| format!("and {more} more of other kinds")));
        (!words.is_empty()).then(|| format!("of the sockets that matched there are still {}", words.join(", ")))
    }

    /// What is left out or should be known, and why, each a sentence.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let ssh = self.ssh();
        if ssh > 0 {
            notes.push(format!(
                "{} left out: it would end the sessions logged in over it, maybe yours; --including-ssh includes it",
                units::counted(ssh as u64, "ssh server")
            ));
        }
        for target in self.targets.iter().filter(|target| target.refused.is_none()) {
            let (name, pid) = (&target.process.name, target.process.id.pid);
            notes.extend(target.cautions.iter().map(|caution| format!("{name}[{pid}]: {}", caution.sentence())));
        }
        if self.connections > 0 {
            notes.push(format!(
                "{} left out: a filter on a port means its listeners; --any-socket or a state includes them",
                units::counted(self.connections as u64, "connection")
            ));
        }
        if self.sharing_with_parent > 0 {
            notes.push(format!(
                "{} left out that share a socket with their parent; --all-holders includes them",
                units::counted(self.sharing_with_parent as u64, "process")
            ));
        }
        if self.hidden > 0 {
            notes.push(format!(
                "{} left out: the owner is hidden, for the reason said here",
                units::counted(self.hidden as u64, "socket")
            ));
        }
        if self.vanished > 0 {
            notes.push(format!(
                "{} left out whose process was not found in time; a filter on its listener finds it",
                units::counted(self.vanished as u64, "socket")
            ));
        }
        if self.without_process > 0 {
            notes.push(format!(
                "{} left out that no process holds; conntop close ends them",
                units::counted(self.without_process as u64, "socket")
            ));
        }
        notes
    }

    /// The question before it is carried out.
    pub fn question(&self, signal: Signal) -> String {
        let targets = || self.targets.iter().filter(|target| target.refused.is_none());
        let namespaces: BTreeSet<NetnsId> = targets().flat_map(|target| target.namespaces.iter().copied()).collect();
        let places = match namespaces.len() {
            0 | 1 => String::new(),
            count => format!(" in {}", units::counted(count as u64, "network namespace")),
        };
        format!("Send {signal} ({}) to {}{places}?", signal.row().about, units::counted(self.count() as u64, "process"))
    }

    /// Writes the plan or, with `outcomes` (one for each target), what came of it.
    pub fn write(
        &self,
        signal: Signal,
        outcomes: Option<&[KillOutcome]>,
        store: &Store,
        style: PlanStyle,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let planned = self.targets.iter().map(|target| target.refused.map(KillOutcome::Refused));
        let results: Vec<Option<KillOutcome>> = match outcomes {
            Some(outcomes) => outcomes.iter().cloned().map(Some).collect(),
            None => planned.collect(),
        };
        self.written(signal, &results, outcomes.is_none(), store, style).write(store, style.format, out)
    }

    fn written(
        &self,
        signal: Signal,
        results: &[Option<KillOutcome>],
        is_plan: bool,
        store: &Store,
        style: PlanStyle,
    ) -> PlanTable<'_, KillTargetObject<'_>, KillLeftOut> {
        let left = |title| TextHeading { title, align: Align::Left };
        let right = |title| TextHeading { title, align: Align::Right };
        let has_namespaces = has_namespaces(store);
        let mut written = PlanTable {
            headings: vec![
                left("RESULT"),
                right("PID"),
                left("PROCESS"),
                left("USER"),
                right("SOCKETS"),
                left("SUCH AS"),
                left("NOTE"),
            ],
            cells: Vec::new(),
            dry_run: is_plan,
            left_out: KillLeftOut {
                connections: self.connections,
                sharing_with_parent: self.sharing_with_parent,
                hidden: self.hidden,
                vanished: self.vanished,
                without_process: self.without_process,
                ssh: self.ssh(),
            },
            targets: Vec::new(),
        };
        if has_namespaces {
            written.headings.insert(4, left("NAMESPACE"));
        }
        if style.commands {
            written.headings.push(left("COMMAND"));
        }
        for (target, result) in self.targets.iter().zip(results) {
            let process = &target.process;
            let user = process.uid.map(|uid| Value::user(uid, store.names()).text().into_owned());
            let label = result.as_ref().map_or(PLANNED, label);
            let note = match result {
                Some(outcome) => note(outcome, signal),
                None => target.cautions.first().map(|caution| caution.sentence().to_owned()),
            };
            let namespaces = target.namespace_names(store);
            let mut cells: Vec<Cow<'_, str>> = vec![
                label.into(),
                process.id.pid.to_string().into(),
                process.name.as_str().into(),
                user.clone().unwrap_or_default().into(),
                format!("{} of {}", target.sockets, target.holds).into(),
                target.example.as_str().into(),
                note.clone().unwrap_or_default().into(),
            ];
            if has_namespaces {
                cells.insert(4, namespaces.join(",").into());
            }
            if style.commands {
                cells.push(Cow::from(process.command.as_str()));
            }
            written.cells.push(cells);
            written.targets.push(KillTargetObject {
                outcome: label,
                note,
                after_seconds: result.as_ref().and_then(after_seconds),
                signal: signal.row().name,
                pid: process.id.pid,
                process: process.name.as_str(),
                command: Some(process.command.as_str()).filter(|command| style.commands && !command.is_empty()),
                user,
                uid: process.uid,
                sockets: target.sockets,
                sockets_held: target.holds,
                example: &target.example,
                cautions: target.cautions.iter().copied().map(Label).collect(),
                netns: target.namespaces.iter().map(|netns| netns.0).collect(),
                netns_names: namespaces,
            });
        }
        written
    }
}

/// A process that is signalled, and what came of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "target")]
pub(in crate::report) struct KillTargetObject<'a> {
    /// What came of it; planned where nothing was done.
    #[schemars(extend("enum" = [
        PLANNED, "sent", "ended", "still-running", "gone", "pid-reused", "let-go", "refused", "not-permitted", "failed"
    ]))]
    outcome: &'static str,
    /// What there is to say beyond that.
    #[schemars(length(min = 1))]
    note: Option<String>,
    /// How long it was waited for.
    #[schemars(range(min = 0), extend("unit" = "seconds"))]
    after_seconds: Option<f64>,
    /// Which signal.
    #[schemars(extend("enum" = SIGNALS.map(|row| row.name)))]
    signal: &'static str,
    /// The process id.
    pid: u32,
    /// Its name.
    process: &'a str,
    /// The command line, with --command only.
    #[schemars(length(min = 1))]
    command: Option<&'a str>,
    /// The name of its user.
    #[schemars(length(min = 1))]
    user: Option<String>,
    /// The number of its user.
    uid: Option<u32>,
    /// How many of its sockets match.
    sockets: usize,
    /// How many it holds in all.
    sockets_held: u32,
    /// One of those that match.
    #[schemars(length(min = 1))]
    example: &'a str,
    /// What one should know before it is signalled.
    cautions: Vec<Label<Caution>>,
    /// The network namespaces of those that match, as inodes.
    netns: Vec<u32>,
    /// The same by name, or number where there is none.
    #[schemars(inner(length(min = 1)))]
    netns_names: Vec<String>,
}

/// How many matching sockets and processes are left out.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(in crate::report) struct KillLeftOut {
    /// Connections left out because the filter names a port.
    connections: usize,
    /// Processes whose parent shares the socket and is signalled.
    sharing_with_parent: usize,
    /// Sockets whose process is hidden.
    hidden: usize,
    /// Sockets whose process was not found in time.
    vanished: usize,
    /// Sockets that no process holds.
    without_process: usize,
    /// Targets, refused, that are ssh servers and were not asked for.
    ssh: usize,
}

/// `LISTEN tcp 0.0.0.0%eth1:80`.
fn example(socket: &Socket, names: &Names) -> String {
    format!("{} {} {}", socket.state.row().name, socket.protocol.name(), local_end(socket, names))
}

impl KillTarget {
    fn new(
        process: &Arc<Process>,
        (holds, example): (u32, String),
        meaning: KillScope,
        protected: &[(u32, Protection)],
    ) -> Self {
        let cautions: Vec<Caution> = Caution::of(process).collect();
        let is_spared = cautions.contains(&Caution::Ssh) && !meaning.including_ssh;
        let protection = protected.iter().find(|(pid, _)| *pid == process.id.pid).map(|(_, why)| *why);
        Self {
            process: Arc::clone(process),
            refused: protection.or(is_spared.then_some(Protection::Ssh)),
            cautions,
            holding: Vec::new(),
            namespaces: BTreeSet::new(),
            sockets: 0,
            holds,
            example,
        }
    }

    fn add(&mut self, socket: &Socket) {
        self.sockets += 1;
        self.holding.extend(socket.inode);
        self.namespaces.insert(socket.id.netns());
    }

    /// The names of its namespaces; the number of one that has none.
    fn namespace_names(&self, store: &Store) -> Vec<String> {
        self.namespaces.iter().map(|netns| store.names().namespace_text(*netns)).collect()
    }

    /// The signal to it.
    pub fn kill(&self, signal: Signal) -> Kill {
        Kill { process: self.process.id, name: self.process.name.clone(), signal, holding: self.holding.clone() }
    }
}

/// Whether the parent of `process` shares the socket and may be signalled: pid 1 shares the sockets of the services
/// that it starts on demand, and is no master of theirs.
fn is_below_another(process: &Process, holders: &Holders, protected: &[(u32, Protection)]) -> bool {
    let is_protected = |pid: u32| protected.iter().any(|(protected, _)| *protected == pid);
    holders.all().iter().any(|other| other.id.pid == process.parent_pid) && !is_protected(process.parent_pid)
}

/// The name of an outcome in JSON and text.
pub const fn label(outcome: &KillOutcome) -> &'static str {
    match outcome {
        KillOutcome::Sent => "sent",
        KillOutcome::Ended { .. } => "ended",
        KillOutcome::StillRunning { .. } => "still-running",
        KillOutcome::AlreadyGone => "gone",
        KillOutcome::PidReused => "pid-reused",
        KillOutcome::LetGo => "let-go",
        KillOutcome::Refused(_) | KillOutcome::Unsure(_) => "refused",
        KillOutcome::NotPermitted => "not-permitted",
        KillOutcome::Failed(_) => "failed",
    }
}

/// Whether the process was signalled or has ended.
pub const fn is_done(outcome: &KillOutcome) -> bool {
    matches!(outcome, KillOutcome::Sent | KillOutcome::Ended { .. } | KillOutcome::AlreadyGone | KillOutcome::PidReused)
}

fn note(outcome: &KillOutcome, signal: Signal) -> Option<String> {
    Some(match outcome {
        KillOutcome::Sent => return None,
        KillOutcome::Ended { after } if *after < AT_ONCE_MAX => "at once".to_owned(),
        KillOutcome::Ended { after } => format!("after {}", units::lasted(*after)),
        KillOutcome::StillRunning { .. } if signal == Signal::Kill => {
            "it hangs in the kernel (disk or network)".to_owned()
        }
        KillOutcome::StillRunning { after } => {
            format!("still there after {}; --signal KILL forces it", units::lasted(*after))
        }
        KillOutcome::AlreadyGone => "it had ended already; nothing was done".to_owned(),
        KillOutcome::PidReused => "it has ended, its pid is another process now; nothing was done".to_owned(),
        KillOutcome::LetGo => "it holds none of those sockets any more; nothing was done".to_owned(),
        KillOutcome::Unsure(doubt) => doubt.sentence().to_owned(),
        KillOutcome::Refused(why) => why.sentence().to_owned(),
        KillOutcome::NotPermitted => "you may not signal it; run conntop as its user or as root".to_owned(),
        KillOutcome::Failed(why) => why.to_string(),
    })
}

fn after_seconds(outcome: &KillOutcome) -> Option<f64> {
    match outcome {
        KillOutcome::Ended { after } | KillOutcome::StillRunning { after } => Some(after.as_secs_f64()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delta::Delta;
    use crate::model::testing::{SocketBuilder, connection, listener, process, source_info, tcp};

    fn store(sockets: Vec<SocketBuilder>) -> Store {
        let mut store = Store::new(source_info());
        let added = sockets.into_iter().map(|socket| connection(socket, 1_000)).collect();
        store.apply(Delta { added, ..Delta::default() });
        store
    }

    fn plan(store: &Store, filter: &str, meaning: KillScope, protected: &[(u32, Protection)]) -> KillPlan {
        KillPlan::of(store, &Filter::parse(filter).expect(filter), meaning, protected)
    }

    fn inodes(numbers: &[u32]) -> Vec<NonZeroU32> {
        numbers.iter().filter_map(|number| NonZeroU32::new(*number)).collect()
    }

    #[test]
    fn a_target_must_still_hold_one_of_the_sockets_that_matched() {
        let nginx = [process(7, "nginx")];
        let sockets =
            vec![listener(1, 80).held_by(&nginx), listener(2, 81).held_by(&nginx), listener(3, 82).held_by(&nginx)];
        let holding = |filter: &str| {
            plan(&store(sockets.clone()), filter, KillScope::default(), &[]).targets[0].kill(Signal::Term).holding
        };
        // The builder gives inode cookie + 1.
        assert_eq!(holding("lport:80"), inodes(&[2]));
        assert_eq!(holding("lport:80,82"), inodes(&[2, 4]));
        let without_inode = vec![listener(1, 80).held_by(&nginx).with(|socket| socket.inode = None)];
        let without_inode = plan(&store(without_inode), "lport:80", KillScope::default(), &[]);
        assert_eq!(without_inode.targets[0].kill(Signal::Term).holding, inodes(&[]), "there is nothing to look for");
    }

    #[test]
    fn outcomes_stand_beside_their_targets_whoever_is_refused() {
        let of = |cookie, port, pid, name| listener(cookie, port).held_by(&[process(pid, name)]);
        let store =
            store(vec![of(1, 22, 5, "sshd"), of(2, 80, 6, "nginx"), of(3, 81, 7, "bash"), of(4, 82, 8, "redis")]);
        let plan = |meaning| plan(&store, "state:listen", meaning, &[(7, Protection::Ancestor)]);
        let spared = plan(KillScope::default());
        assert_eq!(spared.count(), 2);
        let outcomes = spared.outcomes(vec![KillOutcome::Sent, KillOutcome::LetGo]);
        let refused = KillOutcome::Refused;
        let expected = [refused(Protection::Ssh), KillOutcome::Sent, refused(Protection::Ancestor), KillOutcome::LetGo];
        assert_eq!(outcomes, expected);
        assert!(spared.notes()[0].contains("--including-ssh"), "{:?}", spared.notes());
        assert_eq!(plan(KillScope { including_ssh: true, ..KillScope::default() }).count(), 3);
        assert!(
            matches!(spared.outcomes(Vec::new())[1], KillOutcome::Failed(_)),
            "an answer that is missing is no success"
        );
    }

    #[test]
    fn what_is_left_of_the_sockets_is_told_by_state_and_holder() {
        let master = [process(7, "nginx")];
        let before = store(vec![listener(1, 80).held_by(&master), tcp(2).held_by(&master), tcp(3).held_by(&master)]);
        let plan = plan(&before, "process:nginx", KillScope::default(), &[]);
        let worker = [process(8, "worker")];
        let after =
            store(vec![listener(1, 80).held_by(&worker), tcp(2).mini(TcpState::TimeWait), tcp(9).held_by(&worker)]);
        let expected = "of the sockets that matched there are still 1 LISTEN (worker[8]), 1 TIME_WAIT";
        assert_eq!(plan.left(&after).as_deref(), Some(expected));
        assert_eq!(plan.left(&store(vec![tcp(9)])), None);
    }
}
