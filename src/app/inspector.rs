//! The inspector: what there is to say of the row under the cursor, beside the table. For a line of the folded table it speaks of
//! the set, by one socket of it; for a socket, of that; for a group, of what is wrong with it.
//!
//! It looks at one row and at the newest entries of the log, whatever the size of the table.

use crate::app::App;
use crate::app::detail::verdict_words;
use crate::app::keymap;
use crate::app::mode::Page;
use crate::app::panels::findings::slope_text;
use crate::app::panels::log::{change_text, lasted_text};
use crate::app::path::path;
use crate::app::related::RelatedSockets;
use crate::app::selection::Selected;
use crate::diagnosis::finding::{Finding, FindingScope, Severity};
use crate::knowledge::states;
use crate::model::address_text::both_ends;
use crate::model::delta::Transition;
use crate::model::process::ProcessId;
use crate::store::folding::FoldKey;
use crate::store::groups::GroupKey;
use crate::store::row::SocketRow;
use crate::table::column::find;
use crate::table::connections::COLUMNS;
use crate::table::folded::columns::trend_text;
use crate::table::folded::{FoldedLine, FoldedRow};
use crate::table::units;
use crate::table::value::Value;

/// From this width on there is an inspector, where the table keeps all of its columns beside it.
const SCREEN_WIDTH_MIN: u16 = 160;
/// Its least and its greatest width.
const WIDTH: (u16, u16) = (38, 72);
/// So many things to do are told.
const ADVICE_MAX: usize = 2;
/// So many of the newest entries of the log are looked at.
const LOG_LOOKED_AT: usize = 1_000;
/// So many entries are told at most.
const LOG_SHOWN_MAX: usize = 32;
/// The actions whose keys stand below it.
const ACTIONS: [&str; 5] = ["kill", "close", "copy", "explain", keymap::OPEN];

/// How much a line stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InspectorEmphasis {
    /// As text does.
    Plain,
    /// It steps back.
    Dim,
    /// What is wrong.
    Finding(Severity),
}

/// One thing that is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectorLine {
    /// What it is about, in a word.
    pub label: &'static str,
    /// What it says.
    pub text: String,
    /// How much it stands out.
    pub emphasis: InspectorEmphasis,
}

/// All that is said of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspector {
    /// What it is.
    pub title: String,
    /// What is said, what matters most first.
    pub lines: Vec<InspectorLine>,
    /// What happened to it, newest first.
    pub log: Vec<String>,
}

impl Inspector {
    fn say(&mut self, label: &'static str, text: impl Into<String>) {
        self.lines.push(InspectorLine { label, text: text.into(), emphasis: InspectorEmphasis::Plain });
    }
}

impl App {
    pub(super) fn toggle_inspector(&mut self) {
        self.hides_inspector = !self.hides_inspector;
        self.refresh_panel();
    }

    /// Cells that the inspector takes beside the table: what the columns do not need, but enough to be read; 0 where a column of
    /// the table would have to go for it.
    pub(super) fn inspector_width(&self) -> u16 {
        let width = self.config.size.0;
        let is_wanted = !self.hides_inspector && width >= SCREEN_WIDTH_MIN && matches!(self.page, Page::Tab);
        let Some(table) = self.panel().table().filter(|_| is_wanted) else { return 0 };
        let columns = table.columns();
        let alone = columns.shown(width);
        let needed = alone.last().map_or(0, |last| last.x + last.width);
        let inspector = width.saturating_sub(needed + 1).clamp(WIDTH.0, WIDTH.1);
        let beside = columns.shown(width - inspector);
        let keeps_all = alone.iter().all(|place| beside.iter().any(|other| other.index == place.index));
        if keeps_all { inspector } else { 0 }
    }

    /// What there is to say of the row under the cursor.
    pub fn inspector(&self) -> Inspector {
        match self.panel().selected() {
            Selected::Socket(id) => self.seen_row(id).map(|row| self.inspect_socket(row)),
            Selected::Fold(key) => self.inspect_fold(key),
            Selected::Group(key) => Some(self.inspect_group(key)),
            Selected::LogLine(number) => self
                .panels
                .log
                .line(&self.store, number)
                .and_then(|line| self.seen_row(line.transition().id))
                .map(|row| self.inspect_socket(row)),
            Selected::None | Selected::State(_) | Selected::Finding(_) | Selected::Network(_) => None,
        }
        .unwrap_or_default()
    }

    /// The keys that do something with the row, as they are bound.
    pub fn inspector_keys(&self) -> Vec<(String, &'static str)> {
        let context = self.key_context();
        let bindings =
            ACTIONS.iter().filter_map(|action| keymap::named(action)).filter(|binding| binding.on.acts(&context));
        let key = |binding| self.config.settings.keymap.keys(binding).first().map(ToString::to_string);
        bindings.filter_map(|binding| Some((key(binding)?, binding.name))).collect()
    }

    fn inspect_socket(&self, row: &SocketRow) -> Inspector {
        let socket = &row.connection.socket;
        let title = format!("{} · {}", both_ends(socket, self.store.names()), socket.state);
        let mut inspector = Inspector { title, ..Inspector::default() };
        self.judge(&mut inspector, row);
        self.measure(&mut inspector, row);
        inspector.log = self.happened(|entry| entry.id == socket.id);
        inspector
    }

    fn inspect_fold(&self, key: FoldKey) -> Option<Inspector> {
        let folded = &self.panels.connections.folded;
        let row = folded.view.row(key)?;
        let cell = |name: &str| {
            let column = folded.columns.all.iter().find(|column| column.key == name)?;
            let line = FoldedLine::Row(Box::new(row.clone()));
            Some((column.value)(&line, &self.store).text().into_owned()).filter(|text| !text.is_empty())
        };
        let parts = [cell("process"), cell("peer"), cell("state")];
        let title = parts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
        let mut inspector = Inspector { title, ..Inspector::default() };
        let example = self.example_of(key)?;
        self.judge(&mut inspector, example);
        inspector.say("count", self.count_text(row, example));
        if let Some(fds) = row.only_process().and_then(|process| self.descriptors_text(process)) {
            inspector.say("fds", fds);
        }
        self.measure(&mut inspector, example);
        let (remote, owner) = (example.connection.socket.remote, row.only_process());
        let is_of_set = |entry: &Transition| {
            let holder = entry.owner.holders().map(|holders| holders.first().id);
            entry.remote == remote && !remote.is_unset() && (owner.is_none() || holder == owner)
                || entry.id == example.connection.socket.id
        };
        inspector.log = self.happened(is_of_set);
        Some(inspector)
    }

    fn inspect_group(&self, key: GroupKey) -> Inspector {
        let mut inspector = Inspector { title: self.panel().title(&self.panel_context()), ..Inspector::default() };
        let process = if let GroupKey::Process(id) = key { self.store.rows().process(id) } else { None };
        if let Some(process) = process {
            inspector.title = process.to_string();
        }
        let about = |finding: &&Finding| match (key, finding.key.scope) {
            (GroupKey::Process(id), _) => finding.process_shares.iter().any(|share| share.process.id == id),
            (GroupKey::Listener { place, .. } | GroupKey::OneOfListeners(place), FindingScope::On(on)) => {
                on == place.destination()
            }
            (GroupKey::Remote { address, port, .. }, FindingScope::To(to)) => {
                to.address == address && port.is_none_or(|port| port == to.port)
            }
            (GroupKey::PortPool(route), FindingScope::To(to)) => to == route.to,
            _ => false,
        };
        match self.panels.findings.iter().find(about) {
            Some(finding) => Self::advise(&mut inspector, finding),
            None => inspector.say("WHY", "nothing wrong was found with it"),
        }
        if let Some(process) = process {
            if !process.command.as_str().is_empty() {
                inspector.say("cmd", process.command.as_str());
            }
            if let Some(fds) = self.descriptors_text(process.id) {
                inspector.say("fds", fds);
            }
            let id = process.id;
            inspector.log =
                self.happened(|entry| entry.owner.holders().is_some_and(|holders| holders.first().id == id));
        }
        inspector
    }

    /// Why, what to do, and what does not help: by the finding that it is part of, else by its state.
    fn judge(&self, inspector: &mut Inspector, row: &SocketRow) {
        let socket = &row.connection.socket;
        if let Some(finding) = self.panels.findings.about(row, &self.store) {
            return Self::advise(inspector, finding);
        }
        let text = states::text(socket.state);
        let why = socket.verdict().map_or(text.meaning, verdict_words);
        for (label, text) in [("WHY", why), ("DO", text.advice), ("NOT", text.does_not_help)] {
            if !text.is_empty() {
                inspector.say(label, text);
            }
        }
    }

    fn advise(inspector: &mut Inspector, finding: &Finding) {
        let emphasis = InspectorEmphasis::Finding(finding.severity);
        inspector.lines.push(InspectorLine { label: "WHY", text: finding.sentence.clone(), emphasis });
        for (at, text) in finding.remedy().into_iter().take(ADVICE_MAX).enumerate() {
            inspector.say(if at == 0 { "DO" } else { "" }, format!("{} {text}", at + 1));
        }
        if let Some(text) = finding.does_not_help().first() {
            inspector.say("NOT", text.clone());
        }
    }

    fn count_text(&self, row: &FoldedRow, example: &SocketRow) -> String {
        let trend = row.trend.as_ref().filter(|_| !self.config.settings.low_bandwidth);
        let trend = trend.map_or_else(String::new, |trend| format!("{} ", trend_text(trend)));
        let slope = self.panels.findings.about(example, &self.store).and_then(|finding| finding.slope);
        let slope = slope.map_or_else(String::new, |slope| format!(", {}", slope_text(slope)));
        format!("{trend}{}{slope}", units::count(u64::from(row.sums.sockets)))
    }

    fn descriptors_text(&self, process: ProcessId) -> Option<String> {
        let descriptors = self.store.descriptors_of(process)?;
        let most = descriptors.max.map_or_else(String::new, |max| format!(" of {}", units::count(max)));
        Some(format!("{}{most}", units::count(descriptors.used.into())))
    }

    /// The states that it passed, and what the kernel measured, in the cells of the table of sockets.
    fn measure(&self, inspector: &mut Inspector, row: &SocketRow) {
        if let Some(path) = path(self, row, &RelatedSockets::default()) {
            inspector.say("path", path.words());
        }
        let cell = |key: &str| {
            let value = (COLUMNS[find(COLUMNS, key).ok()?].value)(row, &self.store);
            (!matches!(value, Value::Missing)).then(|| value.text().into_owned())
        };
        let said = |name: &str, key: &str| cell(key).map(|text| format!("{name} {text}"));
        let queues = cell("recvq").zip(cell("sendq")).map(|(receive, send)| format!("queues {receive}/{send}"));
        let bytes = cell("rx").zip(cell("tx")).map(|(received, sent)| format!("↓{received} ↑{sent}"));
        let timer = said("timer", "timer").map(|timer| format!("{timer} {}", cell("expires").unwrap_or_default()));
        let parts = [said("rtt", "rtt"), bytes, queues, said("sent again", "retransmits"), timer];
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" · ");
        if !text.is_empty() {
            inspector.say("now", text);
        }
    }

    /// The entries of the log that are `about` it, newest first.
    fn happened(&self, about: impl Fn(&Transition) -> bool) -> Vec<String> {
        let newest = self.store.log().entries().iter().rev().take(LOG_LOOKED_AT);
        newest.filter(|entry| about(entry)).take(LOG_SHOWN_MAX).map(|entry| self.entry_in_short(entry)).collect()
    }

    /// `12:01:03 51902 ESTABLISHED → CLOSE_WAIT after 4m12s`.
    fn entry_in_short(&self, entry: &Transition) -> String {
        let time = self.time_of_day(entry.at);
        let time = time.split('.').next().unwrap_or_default();
        let lasted = match lasted_text(entry) {
            lasted if lasted.is_empty() => lasted,
            lasted => format!(" after {lasted}"),
        };
        format!("{time} {} {}{lasted}", entry.local.port, change_text(entry))
    }
}
