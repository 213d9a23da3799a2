//! Differences as text, JSON, NDJSON and CSV.

use std::borrow::Cow;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::endpoint::Protocol;
use crate::model::process::NoProcess;
use crate::model::snapshot::SourceKind;
use crate::model::tcp_state::TcpState;
use crate::model::units;
use crate::report::diff::groups::GroupDifference;
use crate::report::diff::{Difference, SocketDifference};
use crate::report::format::csv::{self, Csv};
use crate::report::format::json::{self, LineHead, SCHEMA, rfc3339};
use crate::report::format::label::Label;
use crate::report::format::socket::SocketObject;
use crate::report::format::text::{self, TextHeading};
use crate::store::Store;
use crate::table::column::Align;
use crate::table::connections::COLUMNS;
use crate::table::value::{Value, short_reason};

/// The columns of a socket in text.
const SOCKET_COLUMNS: [&str; 3] = ["local", "remote", "process"];

/// What `conntop diff --format json` prints.
#[derive(Serialize, JsonSchema)]
pub(in crate::report) struct DiffDocument<'a> {
    /// Changes when a name or a meaning does.
    #[schemars(extend("const" = SCHEMA))]
    schema: u32,
    /// The first moment.
    before: MomentObject<'a>,
    /// The second moment.
    after: MomentObject<'a>,
    /// The groups that differ, those that changed most first.
    groups: Vec<GroupChange<'a>>,
    /// The sockets that differ: new ones, those in another state, those gone. Null where the moments are of two hosts.
    sockets: Option<Vec<DifferentSocket<'a>>>,
    /// How many more sockets differ, which --limit left out.
    left_out: usize,
}

/// A moment that is compared.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "moment")]
struct MomentObject<'a> {
    /// The host that it shows.
    host: &'a str,
    /// The time of its sample, RFC 3339, UTC.
    at: String,
    /// Where it is from: linux, procfs, portable, replay or synthetic.
    source: Label<SourceKind>,
}

/// Sockets of one process with one peer in one state, of which there are more or fewer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "group")]
struct GroupChange<'a> {
    /// What became of it: new, gone, grew or shrank.
    #[schemars(extend("enum" = GroupDifference::CHANGES))]
    change: &'static str,
    /// The program that holds or held the sockets; null where none is known.
    process: Option<&'a str>,
    /// Why no process is known; null where one is.
    #[schemars(extend("enum" = ["unaccepted", "hidden", "vanished", "none", null]))]
    owner: Option<&'static str>,
    /// Who is at the other end: address and port of what was opened here, ':443 clients' of what came in by a listener; null where there is nobody.
    peer: Option<&'a str>,
    /// The protocol.
    proto: Label<Protocol>,
    /// The state.
    state: Label<TcpState>,
    /// How many sockets there were at the first moment.
    before: u64,
    /// How many there are at the second.
    after: u64,
    /// By how many that is more; negative for fewer.
    difference: i64,
}

/// A socket that is at one of the moments only, or in another state.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "different_socket")]
struct DifferentSocket<'a> {
    /// What became of it: new, gone, or changed, which is its state.
    #[schemars(extend("enum" = ["new", "gone", "changed"]))]
    change: &'static str,
    /// The state at the first moment; null where it was not there.
    from: Option<Label<TcpState>>,
    /// The state at the second moment; null where it is not there.
    to: Option<Label<TcpState>>,
    /// The socket at the second moment; where it is gone, at the first.
    #[serde(flatten)]
    socket: SocketObject<'a>,
}

/// A line of `conntop diff --format ndjson`.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "line")]
pub(in crate::report) enum DifferenceLine<'a> {
    /// Sockets of one process with one peer in one state.
    Group(Box<GroupLineObject<'a>>),
    /// A socket.
    Socket(Box<SocketLineObject<'a>>),
}

/// A group that stands alone in its line.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "group_line")]
pub(in crate::report) struct GroupLineObject<'a> {
    #[serde(flatten)]
    head: LineHead<'a>,
    /// group: sockets of one process with one peer in one state.
    #[schemars(extend("const" = "group"))]
    differs: &'static str,
    #[serde(flatten)]
    group: GroupChange<'a>,
}

/// A socket that stands alone in its line.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "socket_line")]
pub(in crate::report) struct SocketLineObject<'a> {
    #[serde(flatten)]
    head: LineHead<'a>,
    /// socket: a single one.
    #[schemars(extend("const" = "socket"))]
    differs: &'static str,
    #[serde(flatten)]
    socket: DifferentSocket<'a>,
}

impl<'a> MomentObject<'a> {
    fn of(store: &'a Store) -> Self {
        let source = store.source();
        Self { host: source.host.as_str(), at: rfc3339(store.wall()), source: Label(source.kind) }
    }

    fn text(&self, total: usize) -> String {
        let sockets = units::counted(total as u64, "socket");
        format!("{}  {}  {sockets}", self.at, self.host)
    }
}

impl<'a> GroupChange<'a> {
    fn of(group: &'a GroupDifference) -> Self {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let name = &group.name;
        Self {
            change: group.change(),
            process: name.process.as_deref().ok(),
            owner: name.process.as_ref().err().map(|why| why.label()),
            peer: Some(name.peer.as_str()).filter(|peer| !peer.is_empty()),
            proto: Label(name.protocol),
            state: Label(name.state),
            before: group.before,
            after: group.after,
            difference: signed(group.after) - signed(group.before),
        }
    }

    /// The values of JSON, in the order of [`Self::NAMES`].
    fn values(&self) -> [Value<'_>; 9] {
        let text = |text: Option<&'a str>| Value::or_missing(text, Value::Text);
        [
            Value::word(self.change),
            text(self.process),
            text(self.owner),
            text(self.peer),
            Value::word(self.proto.0.name()),
            Value::word(self.state.0.name()),
            Value::Count(self.before),
            Value::Count(self.after),
            Value::Owned(self.difference.to_string()),
        ]
    }

    const NAMES: [&'static str; 9] =
        ["change", "process", "owner", "peer", "proto", "state", "before", "after", "difference"];
}

/// The program, or why none is known.
fn process_text(process: &Result<String, NoProcess>) -> &str {
    process.as_deref().unwrap_or_else(|why| short_reason(*why))
}

impl Difference<'_> {
    fn store_of(&self, is_after: bool) -> &Store {
        if is_after { self.after } else { self.before }
    }

    fn socket<'a>(&'a self, difference: &'a SocketDifference<'_>) -> Option<DifferentSocket<'a>> {
        let (row, is_after) = difference.last()?;
        let [from, to] = difference.states().map(|state| state.map(Label));
        let socket = SocketObject::of(row, self.store_of(is_after));
        Some(DifferentSocket { change: difference.change(), from, to, socket })
    }

    pub(super) fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        for (name, store) in [("before", self.before), ("after", self.after)] {
            let total = store.rows().iter().filter(|(_, row)| !row.is_closed()).count();
            writeln!(out, "{name:<6}  {}", MomentObject::of(store).text(total))?;
        }
        writeln!(out)?;
        if self.groups.is_empty() {
            writeln!(out, "no process has more or fewer sockets with a peer in a state")?;
        } else {
            self.write_groups(out)?;
        }
        match self.sockets.as_deref() {
            None | Some([]) => Ok(()),
            Some(sockets) => self.write_sockets(sockets, out),
        }
    }

    fn write_groups(&self, out: &mut impl Write) -> io::Result<()> {
        let left = |title| TextHeading { title, align: Align::Left };
        let right = |title| TextHeading { title, align: Align::Right };
        let headings = [
            left("CHANGE"),
            left("PROCESS"),
            left("PEER"),
            left("PROTO"),
            left("STATE"),
            right("BEFORE"),
            right("AFTER"),
            right("DIFFERENCE"),
        ];
        let cells = |group: &GroupDifference| -> Vec<Cow<'_, str>> {
            let sign = if group.after > group.before { '+' } else { '-' };
            vec![
                group.change().into(),
                process_text(&group.name.process).to_owned().into(),
                group.name.peer.clone().into(),
                group.name.protocol.name().into(),
                group.name.state.name().into(),
                units::count(group.before).into(),
                units::count(group.after).into(),
                format!("{sign}{}", units::count(group.size())).into(),
            ]
        };
        text::write(out, &headings, &self.groups.iter().map(cells).collect::<Vec<_>>())
    }

    fn write_sockets(&self, sockets: &[SocketDifference<'_>], out: &mut impl Write) -> io::Result<()> {
        let left = |title| TextHeading { title, align: Align::Left };
        let columns = SOCKET_COLUMNS.map(|key| COLUMNS.iter().find(|column| column.key == key));
        let mut headings = vec![left("CHANGE"), left("PROTO"), left("FROM"), left("TO")];
        headings.extend(columns.iter().flatten().map(|column| left(column.title)));
        let cells = |difference: &SocketDifference<'_>| -> Vec<Cow<'_, str>> {
            let Some((row, is_after)) = difference.last() else { return Vec::new() };
            let store = self.store_of(is_after);
            let name = |state: Option<TcpState>| Cow::from(state.map_or("", TcpState::name));
            let [from, to] = difference.states().map(name);
            let proto = row.connection.socket.protocol.name();
            let mut cells = vec![difference.change().into(), proto.into(), from, to];
            cells.extend(columns.iter().flatten().map(|column| (column.value)(row, store).text().into_owned().into()));
            cells
        };
        writeln!(out)?;
        text::write(out, &headings, &sockets.iter().map(cells).collect::<Vec<_>>())?;
        if self.left_out > 0 {
            writeln!(out, "{} more; --limit lists them", units::counted(self.left_out as u64, "socket"))?;
        }
        Ok(())
    }

    pub(super) fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let sockets = self.sockets.as_ref();
        let document = DiffDocument {
            schema: SCHEMA,
            before: MomentObject::of(self.before),
            after: MomentObject::of(self.after),
            groups: self.groups.iter().map(GroupChange::of).collect(),
            sockets: sockets.map(|sockets| sockets.iter().filter_map(|socket| self.socket(socket)).collect()),
            left_out: self.left_out,
        };
        json::write_listing(out, &document)
    }

    pub(super) fn write_lines(&self, out: &mut impl Write) -> io::Result<()> {
        for group in &self.groups {
            let group = GroupChange::of(group);
            let line = GroupLineObject { head: LineHead::of(self.after), differs: "group", group };
            json::write_document(out, &DifferenceLine::Group(Box::new(line)))?;
        }
        for socket in self.sockets.iter().flatten().filter_map(|socket| self.socket(socket)) {
            let line = SocketLineObject { head: LineHead::of(self.after), differs: "socket", socket };
            json::write_document(out, &DifferenceLine::Socket(Box::new(line)))?;
        }
        Ok(())
    }

    pub(super) fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        let head = LineHead::of(self.after);
        let names = LineHead::NAMES.into_iter().chain(GroupChange::NAMES);
        csv::write_heading::<Csv>(out, names.map(Value::Text))?;
        let mut lines = Vec::new();
        for group in &self.groups {
            let group = GroupChange::of(group);
            csv::append_record::<Csv>(&mut lines, head.values(head.host()).into_iter().chain(group.values()));
        }
        out.write_all(&lines)
    }
}
