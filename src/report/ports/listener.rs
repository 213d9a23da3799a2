//! One socket that listens, and all that is known of it and of its port.

use std::borrow::Cow;

use rustc_hash::FxHashMap;
use schemars::JsonSchema;
use serde::Serialize;

use crate::knowledge::owners::{self, Basis, Invites};
use crate::knowledge::ports::{self, Danger};
use crate::knowledge::ranges::PortClass;
use crate::model::address_text::AddressText;
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::exposure::Exposure;
use crate::model::process::Owner;
use crate::model::query::QueryFields;
use crate::model::reach::{Reach, exposure};
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::report::format::label::Label;
use crate::report::format::socket::HolderObject;
use crate::store::Store;
use crate::store::listeners::{AcceptQueue, ListenAddress};
use crate::store::row::SocketRow;
use crate::table::connections::COLUMNS;
use crate::table::filter::Filter;
use crate::table::value::Value;
use crate::table::view::View;

/// The names of services that this system has beyond the catalogue, from `/etc/services`.
pub type Services = FxHashMap<(Protocol, u16), DisplayText>;

/// What a report reads beyond what a source tells of every socket.
pub const READS: QueryFields =
    QueryFields { owner: true, units: true, users: true, facts: true, reach: true, ..QueryFields::NONE };

/// One socket that listens.
pub struct ListenerReport<'s> {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Where.
    pub local: Endpoint,
    /// Where, with the interface it is bound to.
    pub address: AddressText<'s>,
    /// How far its address reaches.
    pub exposure: Exposure,
    /// From where it can be reached, by the interfaces there are; `None` where they are not known.
    pub reach: Option<Reach>,
    /// The usual service there.
    pub service: Option<&'s str>,
    /// What it invites, by the processes that hold it.
    pub invites: Option<Invites>,
    /// The class of the port.
    pub class: PortClass,
    /// Whether the kernel gives this port to clients; `None` where it does not say.
    pub is_ephemeral: Option<bool>,
    /// Whether the process is not one that usually listens there; `None` where the process or the usual one is not known.
    pub is_unexpected: Option<bool>,
    /// How many sockets share the port of this address and interface (`SO_REUSEPORT`), this one among them.
    pub listeners_at_address: usize,
    row: &'s SocketRow,
    store: &'s Store,
}

/// Every listener of `store` that passes `filter`, by port, address and protocol.
pub fn all<'s>(store: &'s Store, filter: &Filter, services: &'s Services) -> Vec<ListenerReport<'s>> {
    let mut view = View::default();
    view.set_filter(filter.clone(), store);
    let mut rows: Vec<&SocketRow> = view
        .order()
        .iter()
        .filter_map(|index| store.rows().get(*index))
        .filter(|row| !row.is_closed() && listens(&row.connection.socket))
        .collect();
    rows.sort_by_key(|row| {
        (place(row), row.connection.socket.owner.process().map(|process| process.id), row.connection.socket.id)
    });
    rows.into_iter().map(|row| listener(row, store, services)).collect()
}

/// A UDP socket without a peer takes what comes from anyone, as a listener does.
fn listens(socket: &Socket) -> bool {
    let takes_any = socket.is_listener() || (socket.state == TcpState::Unconn && socket.remote.is_unset());
    // A listening subflow is its MPTCP listener.
    takes_any && socket.local.port != 0 && !socket.is_subflow
}

fn place(row: &SocketRow) -> impl Ord + use<> {
    let socket = &row.connection.socket;
    (socket.local.port, socket.protocol, socket.place().address, socket.family, socket.v6only, socket.id.netns())
}

fn listener<'s>(row: &'s SocketRow, store: &'s Store, services: &'s Services) -> ListenerReport<'s> {
    let socket = &row.connection.socket;
    let (protocol, local) = (socket.protocol, socket.local);
    let of_system = || services.get(&(protocol.of_ports(), local.port)).map(AsRef::as_ref);
    let has_usual = !ports::usual_owners(protocol, local.port).is_empty();
    ListenerReport {
        protocol,
        local,
        address: AddressText::local(socket, store.names()),
        exposure: exposure(socket),
        reach: Reach::of(socket, store.names()),
        service: ports::service(protocol, local.port).or_else(of_system),
        invites: owners::invites(protocol, local.port, &socket.owner.names()),
        class: PortClass::of(local.port),
        is_ephemeral: store.facts().ephemeral_ports.map(|range| range.contains(local.port)),
        is_unexpected: socket.owner.holders().filter(|_| has_usual).map(|holders| {
            holders.all().iter().all(|process| !owners::is_usual(protocol, local.port, process.name.as_str()))
        }),
        listeners_at_address: store.listeners().count_at(ListenAddress::of(socket)),
        row,
        store,
    }
}

impl ListenerReport<'_> {
    /// Whether others than this machine can reach it, as far as that is known.
    pub fn is_reached_by_others(&self) -> bool {
        self.reach.map_or(self.exposure.is_beyond_loopback(), |reach| reach > Reach::Machine)
    }

    /// How bad it is if others reach it.
    pub fn danger(&self) -> Option<Danger> {
        self.invites.and_then(|invites| invites.row.danger)
    }

    /// The danger, if others than this machine can reach it.
    pub fn exposed_danger(&self) -> Option<Danger> {
        self.danger().filter(|_| self.is_reached_by_others())
    }

    /// Who can reach it, in words: `the local network`, `the internet, eth1 only`; where the interfaces are not known, what
    /// its address says: `all addresses`.
    pub fn reach_text(&self) -> String {
        let from = self.reach.map_or(self.exposure.words(), Reach::words);
        match self.address.link().filter(|_| self.is_reached_by_others()) {
            Some(link) => format!("{from}, {link} only"),
            None => from.to_owned(),
        }
    }

    /// The cell of a column of the connection table.
    pub fn column(&self, key: &str) -> Cow<'_, str> {
        let column = COLUMNS.iter().find(|column| column.key == key);
        column.map_or(Cow::Borrowed(""), |column| (column.value)(self.row, self.store).text())
    }

    /// The processes that hold it: a listener that was inherited has several.
    fn holders(&self) -> Vec<HolderObject<'_>> {
        let Owner::Live(holders) = &self.row.connection.socket.owner else { return Vec::new() };
        holders.all().iter().map(|process| HolderObject::process(process)).collect()
    }

    /// `9 of 8`: how many connections wait to be accepted, and how many may; blank for UDP.
    pub fn queue_text(&self) -> String {
        let queue = AcceptQueue::of(&self.row.connection.socket);
        queue.map_or_else(String::new, |queue| match queue.limit {
            Some(limit) => format!("{} of {limit}", queue.waiting),
            None => queue.waiting.to_string(),
        })
    }

    /// The class of the port; where the kernel gives it to clients, that is what counts.
    pub fn class_text(&self) -> &'static str {
        if self.is_ephemeral == Some(true) { "ephemeral" } else { self.class.name() }
    }

    /// The usual service, or that there is none.
    pub fn service_text(&self) -> &str {
        self.service.unwrap_or("no usual service")
    }

    /// What stands out: an unusual owner, and what the port invites where it can be reached.
    pub fn note(&self) -> String {
        let unexpected = self.unexpected_text().map(|text| format!("{text}."));
        let risk = self.invites.filter(|_| self.is_reached_by_others()).and_then(|invites| invites.text());
        let notes: Vec<String> = unexpected.into_iter().chain(risk).collect();
        notes.join(" ")
    }

    /// `6379 is usually redis-server; here it is python3`. Where a runtime is usual, the service says more than java does.
    fn unexpected_text(&self) -> Option<String> {
        let process = self.row.connection.socket.owner.process().filter(|_| self.is_unexpected == Some(true))?;
        let usual = owners::usual_program(self.protocol, self.local.port).or(self.service)?;
        Some(format!("{} is usually {usual}; here it is {}", self.local.port, process.name))
    }

    /// All of it as one object; what is not known is `null`.
    pub fn object(&self) -> ListenerObject<'_> {
        let column = |key: &str| {
            let column = COLUMNS.iter().find(|column| column.key == key);
            column.map_or(Value::Missing, |column| (column.value)(self.row, self.store))
        };
        let socket = &self.row.connection.socket;
        ListenerObject {
            host: self.store.has_hosts().then(|| self.store.host_of(socket.id.netns()).as_str()),
            proto: self.protocol.name(),
            laddr: self.address.alone().to_string(),
            lport: self.local.port,
            interface: self.address.link().map(|link| link.to_string()),
            v6only: socket.v6only,
            exposure: Label(self.exposure),
            reached_from: self.reach.map(Label),
            class: Label(self.class),
            ephemeral: self.is_ephemeral,
            service: self.service,
            usual_uses: ports::catalogue(self.protocol, self.local.port).map(|row| row.usually.as_str()).collect(),
            process: column("process"),
            pid: column("pid"),
            user: column("user"),
            owner: column("owner"),
            unit: column("unit"),
            netns: column("netns"),
            usual_processes: ports::usual_owners(self.protocol, self.local.port),
            unexpected: self.is_unexpected,
            danger: self.danger().map(Label),
            danger_basis: self.invites.map(|invites| Label(invites.basis)),
            risk: self.invites.and_then(|invites| invites.text()),
            sockets: self.listeners_at_address,
            inode: column("inode"),
            cookie: column("cookie"),
            processes: self.holders(),
            backlog: column("backlog"),
            backlog_limit: column("backlog_limit"),
            drops: column("drops"),
            overflows_per_second: self.store.pressure().overflows_of(socket.id),
        }
    }
}

/// A listener as an object of `conntop ports --format json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "listener")]
pub struct ListenerObject<'a> {
    /// The host that it is on; only where several are shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    #[schemars(schema_with = "columns::proto")]
    proto: &'static str,
    #[schemars(schema_with = "columns::laddr")]
    laddr: String,
    #[schemars(schema_with = "columns::lport")]
    lport: u16,
    /// The interface that it is bound to: packets of others do not reach it.
    interface: Option<String>,
    /// Whether it takes IPv6 only, or IPv4 as well; null where the kernel does not say.
    v6only: Option<bool>,
    /// Who can reach the address, as far as the address says.
    exposure: Label<Exposure>,
    /// Who can reach it, by the interfaces that there are; null where they are not known.
    reached_from: Option<Label<Reach>>,
    /// By RFC 6335.
    class: Label<PortClass>,
    /// Whether this kernel gives the port to clients; null where it does not say.
    ephemeral: Option<bool>,
    #[schemars(schema_with = "columns::service")]
    service: Option<&'a str>,
    /// What is usually on the port; it may have several uses.
    usual_uses: Vec<&'a str>,
    #[schemars(schema_with = "columns::process")]
    process: Value<'a>,
    #[schemars(schema_with = "columns::pid")]
    pid: Value<'a>,
    #[schemars(schema_with = "columns::user")]
    user: Value<'a>,
    #[schemars(schema_with = "columns::owner")]
    owner: Value<'a>,
    #[schemars(schema_with = "columns::unit")]
    unit: Value<'a>,
    #[schemars(schema_with = "columns::netns")]
    netns: Value<'a>,
    /// Which processes usually listen there.
    usual_processes: &'a [String],
    /// Whether the process is none of them; null where one side is not known.
    unexpected: Option<bool>,
    /// How bad it is if others reach the port.
    danger: Option<Label<Danger>>,
    /// Whether the process is known to be that service, or only the number of the port says so.
    danger_basis: Option<Label<Basis>>,
    /// What it invites; by its port, what it may be.
    #[schemars(length(min = 1))]
    risk: Option<String>,
    /// How many sockets share the port, this one counted.
    #[schemars(range(min = 1))]
    sockets: usize,
    #[schemars(schema_with = "columns::inode")]
    inode: Value<'a>,
    #[schemars(schema_with = "columns::cookie")]
    cookie: Value<'a>,
    /// All that hold this socket, where they are known.
    processes: Vec<HolderObject<'a>>,
    #[schemars(schema_with = "columns::backlog")]
    backlog: Value<'a>,
    #[schemars(schema_with = "columns::backlog_limit")]
    backlog_limit: Value<'a>,
    #[schemars(schema_with = "columns::drops")]
    drops: Value<'a>,
    /// Connections lost at its full queue; null unless a recording tells that it alone was full.
    overflows_per_second: Option<f64>,
}

/// The schemas of the fields that are columns of the connection table, too.
mod columns {
    use schemars::{Schema, SchemaGenerator};

    use crate::report::format::socket::schema_of;

    macro_rules! schemas {
        ($($name:ident)*) => {$(
            pub(super) fn $name(_: &mut SchemaGenerator) -> Schema {
                schema_of(stringify!($name))
            }
        )*};
    }

    schemas! { proto laddr lport service process pid user owner unit netns inode cookie backlog backlog_limit drops }
}
