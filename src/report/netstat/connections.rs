//! Connections and listeners: Proto, Local Address, Foreign Address, State, and with `-o` and `-b` whose they are.

use std::cmp::Ordering;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::knowledge::ports;
use crate::model::address_text::AddressText;
use crate::model::endpoint::Protocol;
use crate::model::facts::PortRange;
use crate::model::host_name::HostName;
use crate::model::process::{Executable, Owner};
use crate::model::query::{Condition, QueryFields, SocketEnd, SocketQuery};
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::report::format::socket::SocketObject;
use crate::report::netstat::NetstatSample;
use crate::report::netstat::layout::{self, ColumnWidths, NetstatHeading, left, right};
use crate::report::netstat::protocol::ProtocolRow;
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::connections::{COLUMNS, has_namespaces};
use crate::table::filter::Filter;
use crate::table::query::{Question, SampleSeries};
use crate::table::value::Value;
use crate::table::view::View;

/// Where clients take their ports from, if the kernel does not say otherwise (`ip_local_port_range`).
const EPHEMERAL: PortRange = PortRange { first: 32_768, last: 60_999 };
/// How netstat calls `LISTEN`; both words find it with grep and findstr.
const LISTENING: &str = "LISTENING";

/// Which connections, and what of them.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub struct Connections {
    /// Which.
    pub filter: Filter,
    /// Only of this protocol.
    pub protocol: Option<&'static ProtocolRow>,
    /// `-a`: listeners and sockets without a peer, too.
    pub all: bool,
    /// `-n`: ports in digits.
    pub numeric: bool,
    /// `-f`: names of foreign hosts, as far as they are known.
    pub names: bool,
    /// `-o`: the process id.
    pub pid: bool,
    /// `-b`: the process and its executable.
    pub executable: bool,
}

impl Connections {
    /// What a source is to bring for them, `as_document` or as text.
    pub fn query(&self, as_document: bool, series: SampleSeries) -> SocketQuery {
        let columns = COLUMNS.iter().filter(|column| as_document && column.in_json);
        let fields = columns.fold(QueryFields::NONE, |reads, column| reads.and(column.reads));
        let fields = QueryFields {
            owner: fields.owner || self.pid || self.executable,
            facts: !self.numeric,
            namespaces: as_document,
            ..fields
        };
        let protocol = self.protocol.and_then(|row| row.sockets).map(|(protocol, _)| Condition::Protocol(protocol));
        let has_peer = (!self.all).then(|| Condition::unset(SocketEnd::Remote).negated());
        let shown = Condition::all(protocol.into_iter().chain(has_peer));
        Question { filter: &self.filter, shown, fields, series }.query()
    }

    /// What is shown of `store`, in netstat's order: protocol, family, listeners first, by port.
    pub fn rows<'s>(&self, store: &'s Store) -> Vec<&'s SocketRow> {
        let mut view = View::default();
        view.set_filter(self.filter.clone(), store);
        let rows = view.order().iter().filter_map(|index| store.rows().get(*index));
        let mut rows: Vec<_> = rows.filter(|row| !row.is_closed() && self.shows(&row.connection.socket)).collect();
        rows.sort_by(|a, b| order(&a.connection.socket, &b.connection.socket));
        rows
    }

    fn shows(&self, socket: &Socket) -> bool {
        // A connected UDP socket has a peer, and so is a connection.
        let is_connection = !socket.remote.is_unset();
        (self.all || is_connection) && self.protocol.is_none_or(|protocol| protocol.has(socket))
    }

    /// Writes them as text.
    pub fn write(
        &self,
        store: &Store,
        round: &NetstatSample,
        widths: &mut ColumnWidths,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let with_namespace = has_namespaces(store);
        let mut headings: Vec<NetstatHeading> =
            vec![left("Proto", 5), left("Local Address", 21), left("Foreign Address", 21), left("State", 11)];
        headings.extend(self.pid.then_some(right("PID", 7)));
        headings.extend(self.executable.then_some([left("Process", 15), left("Executable", 12)]).into_iter().flatten());
        headings.extend(with_namespace.then_some(left("Namespace", 9)));
        let rows: Vec<Vec<String>> = self
            .rows(store)
            .into_iter()
            .map(|row| {
                let mut cells = self.cells(&row.connection.socket, store, round);
                cells.extend(with_namespace.then(|| namespace(row, store)));
                cells
            })
            .collect();
        layout::title(out, "Active Connections")?;
        layout::table(out, &headings, &rows, widths)
    }

    fn cells(&self, socket: &Socket, store: &Store, round: &NetstatSample) -> Vec<String> {
        let protocol = socket.protocol.name().to_uppercase();
        let names = store.names();
        let local = self.endpoint((AddressText::local(socket, names), socket.local.port), socket, store, None);
        let host = store.host_names().get(socket.remote.addr).filter(|_| self.names).map(HostName::as_str);
        let foreign = self.endpoint((AddressText::remote(socket, names), socket.remote.port), socket, store, host);
        let mut cells = vec![protocol, local, foreign, state(socket).to_owned()];
        if self.pid {
            cells.push(pid(&socket.owner));
        }
        if self.executable {
            cells.push(Value::Process(&socket.owner).text().into_owned());
            cells.push(executable_text(&socket.owner, round));
        }
        cells
    }

    /// The endpoint with its port in digits, or by the name of the service: not where clients have their ports, for
    /// there the number says nothing.
    fn endpoint(&self, end: (AddressText<'_>, u16), socket: &Socket, store: &Store, host: Option<&str>) -> String {
        let (addr, port) = end;
        let ephemeral = store.facts().ephemeral_ports.unwrap_or(EPHEMERAL);
        let service = ports::service(socket.protocol, port)
            .filter(|_| !self.numeric && (socket.is_listener() || !ephemeral.contains(port)));
        let text = addr.with_port(port).to_string();
        if host.is_none() && service.is_none() {
            return text;
        }
        let (addr, port) = text.rsplit_once(':').unwrap_or((&text, "*"));
        format!("{}:{}", host.unwrap_or(addr), service.unwrap_or(port))
    }

    /// Them as the objects that `conntop list` writes, with `executable` where it was asked for.
    pub fn objects<'s>(&self, store: &'s Store, sample: &'s NetstatSample) -> Vec<ConnectionObject<'s>> {
        let path = |row: &SocketRow| match executable(&row.connection.socket.owner, sample) {
            Some(Executable::Path(path)) => Some(path.as_str()),
            _ => None,
        };
        let object = |row| ConnectionObject {
            socket: SocketObject::of(row, store),
            executable: self.executable.then(|| ExecutablePath(path(row))),
        };
        self.rows(store).into_iter().map(object).collect()
    }
}

/// A connection or listener of `conntop netstat --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "connection")]
pub struct ConnectionObject<'a> {
    #[serde(flatten)]
    socket: SocketObject<'a>,
    /// The program's file, with -b; null where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<&'a str>", length(min = 1))]
    executable: Option<ExecutablePath<'a>>,
}

/// The path of a program's file; `null` where it is not known.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct ExecutablePath<'a>(Option<&'a str>);

fn order(a: &Socket, b: &Socket) -> Ordering {
    let key = |socket: &Socket| (socket.protocol, socket.family, !socket.remote.is_unset());
    key(a).cmp(&key(b)).then_with(|| {
        let place =
            |socket: &Socket| (socket.place().port, socket.place().address, socket.remote.port, socket.destination());
        place(a).cmp(&place(b))
    })
}

fn namespace(row: &SocketRow, store: &Store) -> String {
    let column = COLUMNS.iter().find(|column| column.key == crate::table::connections::NAMESPACE);
    column.map(|column| (column.value)(row, store).text().into_owned()).unwrap_or_default()
}

/// netstat's word for the state; UDP without a peer has none.
fn state(socket: &Socket) -> &'static str {
    match (socket.protocol, socket.state) {
        (_, TcpState::Listen) => LISTENING,
        (Protocol::Udp, TcpState::Unconn) => "",
        (_, state) => state.name(),
    }
}

/// The pid of the owner; in parentheses if it no longer holds the socket.
fn pid(owner: &Owner) -> String {
    match (owner, owner.process()) {
        (Owner::Remembered(_), Some(process)) => format!("({})", process.id.pid),
        (_, Some(process)) => process.id.pid.to_string(),
        (Owner::Hidden | Owner::Unseen, None) => "hidden".to_owned(),
        (_, None) => String::new(),
    }
}

fn executable<'r>(owner: &Owner, round: &'r NetstatSample) -> Option<&'r Executable> {
    round.executables.get(&owner.process()?.id)
}

fn executable_text(owner: &Owner, round: &NetstatSample) -> String {
    match (owner, executable(owner, round)) {
        (_, Some(Executable::Path(path))) => path.as_str().to_owned(),
        (Owner::Hidden, _) | (_, Some(Executable::Hidden)) => "no permission".to_owned(),
        (Owner::Unseen, _) => "not in /proc".to_owned(),
        (_, Some(Executable::Gone)) => "ended".to_owned(),
        (_, Some(Executable::Unknown)) => "unknown".to_owned(),
        _ => String::new(),
    }
}
