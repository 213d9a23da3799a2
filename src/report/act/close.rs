//! Which sockets `conntop close` closes, and what came of it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::action::Caution;
use crate::model::closing::{Close, CloseOutcome, CloseRefusal};
use crate::model::endpoint::Protocol;
use crate::model::socket::NetnsId;
use crate::model::tcp_state::TcpState;
use crate::model::units;
use crate::report::act::{PLANNED, PlanStyle, PlanTable, matching};
use crate::report::format::label::Label;
use crate::report::format::socket::SocketObject;
use crate::report::format::text::TextHeading;
use crate::store::Store;
use crate::store::logins::Logins;
use crate::store::row::RowIndex;
use crate::table::column::{self, Align};
use crate::table::connections::{COLUMNS, NAMESPACE, has_namespaces};
use crate::table::filter::Filter;

/// What text shows of a socket.
const TEXT_COLUMNS: [&str; 8] = ["proto", "state", "local", "remote", "age", "pid", "process", "user"];
/// The column of command lines, shown if asked for.
const COMMAND: &str = "command";

/// What a filter is taken to mean.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloseScope {
    /// Also listeners, and UDP sockets without a peer, whose state the filter does not name.
    pub listeners: bool,
    /// Also connections and listeners of ssh servers.
    pub including_ssh: bool,
}

/// The sockets that a filter means, and those that it matches and does not mean.
#[derive(Debug, Default)]
pub struct ClosePlan {
    /// What is closed, in the order of the source.
    pub closes: Vec<Close>,
    rows: Vec<RowIndex>,
    /// For each what came of it without a try: it is spared, or no kernel closes it.
    known: Vec<Option<CloseOutcome>>,
    /// For each whether people may be logged in over it.
    cautions: Vec<Option<Caution>>,
    /// The network namespaces of those that are closed.
    namespaces: BTreeSet<NetnsId>,
    /// Listeners that match and were not asked for.
    pub listeners: usize,
    /// Sockets that match and have no identity.
    pub without_identity: usize,
}

/// Whether both ends are connected, so that the process gets an error and the peer a RST.
fn is_reset(close: &Close) -> bool {
    use TcpState::{CloseWait, Established, FinWait1, FinWait2};
    close.socket.protocol == Protocol::Tcp && matches!(close.state, Established | CloseWait | FinWait1 | FinWait2)
}

impl ClosePlan {
    /// What `filter` means, as `meaning` says.
    pub fn of(store: &Store, filter: &Filter, meaning: CloseScope) -> Self {
        let mut plan = Self::default();
        let logins = Logins::of(store);
        for (index, row) in matching(store, filter) {
            let socket = &row.connection.socket;
            let Some(close) = Close::of(socket) else {
                plan.without_identity += 1;
                continue;
            };
            if close.is_listening() && !meaning.listeners && !filter.names_state(close.state) {
                plan.listeners += 1;
                continue;
            }
            let caution = logins.caution(socket);
            plan.rows.push(index);
            let spared = caution.filter(|_| !meaning.including_ssh).map(|_| CloseOutcome::Refused(CloseRefusal::Ssh));
            plan.known.push(spared.or_else(|| close.in_advance()));
            plan.cautions.push(caution);
            plan.namespaces.insert(socket.id.netns());
            plan.closes.push(close);
        }
        plan
    }

    /// Notes which of [`Self::closes`] the host will not close.
    pub fn spare(&mut self, spared: Vec<Option<CloseRefusal>>) {
        for (known, spared) in self.known.iter_mut().zip(spared) {
            *known = spared.map(CloseOutcome::Refused).or(known.take());
        }
    }

    /// Those that are closed.
    pub fn wanted(&self) -> Vec<Close> {
        let pairs = self.closes.iter().zip(&self.known);
        pairs.filter(|(_, known)| known.is_none()).map(|(close, _)| close.clone()).collect()
    }

    /// What came of each of [`Self::closes`], if `done` came of [`Self::wanted`].
    pub fn outcomes(&self, done: Vec<CloseOutcome>) -> Vec<CloseOutcome> {
        let mut done = done.into_iter();
        let missing = || CloseOutcome::Failed("there was no answer; look again".into());
        let of = |known: &Option<CloseOutcome>| known.clone().or_else(|| done.next()).unwrap_or_else(missing);
        self.known.iter().map(of).collect()
    }

    /// How many connections of ssh servers match and were not asked for.
    fn ssh(&self) -> usize {
        self.known.iter().filter(|known| **known == Some(CloseOutcome::Refused(CloseRefusal::Ssh))).count()
    }

    /// How many would be closed: those of which more is known do not count.
    pub fn count(&self) -> usize {
        self.known.iter().filter(|known| known.is_none()).count()
    }

    /// What matches and is left out, and why, each a sentence.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let ssh = self.ssh();
        if ssh > 0 {
            notes.push(format!(
                "{} of ssh left out: it would end the sessions logged in over it, maybe yours; --including-ssh includes it",
                units::counted(ssh as u64, "socket")
            ));
        }
        if self.listeners > 0 {
            let which = units::counted(self.listeners as u64, "listener");
            notes.push(format!("{which} left out; --listeners or state:listen includes them (UDP: state:unconn)"));
        }
        if self.without_identity > 0 {
            let which = units::counted(self.without_identity as u64, "socket");
            notes.push(format!("{which} left out, which this source cannot tell from others; use --source linux"));
        }
        notes
    }

    /// The question before it is carried out.
    pub fn question(&self) -> String {
        let reset = self.closes.iter().zip(&self.known).filter(|(close, known)| known.is_none() && is_reset(close));
        let effect = if reset.count() > 0 { " Processes get an error, peers a RST." } else { "" };
        let places = match self.namespaces.len() {
            0 | 1 => String::new(),
            count => format!(" in {}", units::counted(count as u64, "network namespace")),
        };
        format!("Close {}{places} now?{effect}", units::counted(self.count() as u64, "socket"))
    }

    /// Writes the plan or, with `outcomes`, what came of it.
    pub fn write(
        &self,
        outcomes: Option<&[CloseOutcome]>,
        store: &Store,
        style: PlanStyle,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let results: Vec<Option<CloseOutcome>> = match outcomes {
            Some(outcomes) => outcomes.iter().cloned().map(Some).collect(),
            None => self.known.clone(),
        };
        self.written(&results, outcomes.is_none(), store, style).write(store, style.format, out)
    }

    fn written<'s>(
        &self,
        results: &[Option<CloseOutcome>],
        is_plan: bool,
        store: &'s Store,
        style: PlanStyle,
    ) -> PlanTable<'s, CloseTarget<'s>, CloseLeftOut> {
        let more = [(has_namespaces(store), NAMESPACE), (style.commands, COMMAND)];
        let more = more.into_iter().filter_map(|(is_shown, column)| is_shown.then_some(column));
        let columns: Vec<usize> =
            TEXT_COLUMNS.into_iter().chain(more).filter_map(|key| column::find(COLUMNS, key).ok()).collect();
        let left = |title| TextHeading { title, align: Align::Left };
        let sockets =
            columns.iter().map(|&index| TextHeading { title: COLUMNS[index].title, align: COLUMNS[index].align });
        let mut written = PlanTable {
            headings: [left("RESULT")].into_iter().chain(sockets).chain([left("NOTE")]).collect(),
            cells: Vec::new(),
            dry_run: is_plan,
            left_out: CloseLeftOut {
                listeners: self.listeners,
                without_identity: self.without_identity,
                ssh: self.ssh(),
            },
            targets: Vec::new(),
        };
        let command = column::find(COLUMNS, COMMAND).ok().filter(|_| style.commands);
        let targets = self.rows.iter().zip(&self.closes).zip(&self.cautions);
        for (((index, close), caution), result) in targets.zip(results) {
            let Some(row) = store.rows().get(*index) else { continue };
            let label = result.as_ref().map_or(PLANNED, CloseOutcome::label);
            let sentence = result.as_ref().and_then(CloseOutcome::sentence);
            let note: Cow<'s, str> = match (sentence, result) {
                (Some(sentence), _) => sentence.to_owned().into(),
                (None, Some(_)) => "".into(),
                (None, None) if caution.is_some() => caution.map_or("", Caution::sentence).into(),
                // What the question says of all is not said of each.
                (None, None) if is_reset(close) => "".into(),
                (None, None) => close.effect().here.into(),
            };
            let cells = columns.iter().map(|&index| (COLUMNS[index].value)(row, store).text());
            written.cells.push([label.into()].into_iter().chain(cells).chain([note]).collect());
            let command = command.map(|index| (COLUMNS[index].value)(row, store).text());
            written.targets.push(CloseTarget {
                outcome: label,
                note: sentence.map(str::to_owned),
                cautions: caution.iter().copied().map(Label).collect(),
                command: command.filter(|command| !command.is_empty()),
                socket: SocketObject::of(row, store),
            });
        }
        written
    }
}

/// A socket that is closed, and what came of it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "target")]
pub(in crate::report) struct CloseTarget<'a> {
    /// What came of it; planned where nothing was done.
    #[schemars(extend("enum" = [
        PLANNED, "closed", "disconnected", "gone", "refused", "not-permitted", "unsupported", "still-there", "failed"
    ]))]
    outcome: &'static str,
    /// What there is to say beyond that.
    #[schemars(length(min = 1))]
    note: Option<String>,
    /// What one should know before it is closed.
    #[schemars(extend("items" = { "enum": [Caution::Ssh.label()] }))]
    cautions: Vec<Label<Caution>>,
    /// The command line, with --command only.
    #[schemars(length(min = 1))]
    command: Option<Cow<'a, str>>,
    /// The socket, with the fields of a list.
    socket: SocketObject<'a>,
}

/// How many matching sockets are left out.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub(in crate::report) struct CloseLeftOut {
    /// Listeners that match and were not asked for.
    listeners: usize,
    /// Sockets that match and that the source cannot tell from others.
    without_identity: usize,
    /// Targets, refused, that are of ssh servers and were not asked for.
    ssh: usize,
}
