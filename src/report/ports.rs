//! `conntop ports`: who listens on which port, what that usually is, who can reach it, and what that invites.

pub mod listener;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::knowledge::ports::Danger;
use crate::model::facts::PortRange;
use crate::model::query::{Condition, QueryFields, SocketEnd, SocketQuery, StateSet};
use crate::report::format::DocumentFormat;
use crate::report::format::json::{self, DocumentHead};
use crate::report::format::text::{self, TextHeading};
use crate::report::ports::listener::{ListenerObject, ListenerReport, Services};
use crate::store::Store;
use crate::table::column::Align;
use crate::table::connections::has_namespaces;
use crate::table::filter::Filter;
use crate::table::query::LISTENING;

/// What is printed, and how.
#[derive(Debug, Default)]
pub struct Ports {
    /// Which.
    pub filter: Filter,
    /// Only those that others than this machine can reach, the worst first.
    pub exposed: bool,
    /// How they are printed.
    pub format: DocumentFormat,
    /// What makes the program fail.
    pub fail_on: Vec<PortsFailOn>,
}

/// What makes the program fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortsFailOn {
    /// A listener that others can reach, with at least this danger.
    Danger(Danger),
    /// A listener on a port whose usual program is another.
    Unexpected,
}

/// The names of [`PortsFailOn`]: `risk` is medium danger or more: everyday services are left out.
pub const FAIL_ON: [(&str, PortsFailOn); 5] = [
    ("risk", PortsFailOn::Danger(Danger::Medium)),
    ("high", PortsFailOn::Danger(Danger::High)),
    ("medium", PortsFailOn::Danger(Danger::Medium)),
    ("low", PortsFailOn::Danger(Danger::Low)),
    ("unexpected", PortsFailOn::Unexpected),
];

impl PortsFailOn {
    /// The one called `name`.
    pub fn parse(name: &str) -> Option<Self> {
        FAIL_ON.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, fail_on)| *fail_on)
    }

    fn applies(self, listener: &ListenerReport<'_>) -> bool {
        match self {
            Self::Danger(least) => listener.exposed_danger().is_some_and(|danger| danger >= least),
            Self::Unexpected => listener.is_unexpected == Some(true),
        }
    }
}

impl Ports {
    /// What a source is to bring for them: every socket that listens, as a line says how many share its place.
    pub fn query(&self) -> SocketQuery {
        let condition = Condition::all([
            Condition::States(StateSet::of(&LISTENING)),
            Condition::Port(SocketEnd::Local, 1, u16::MAX),
        ]);
        let head = QueryFields { namespaces: self.format == DocumentFormat::Json, ..QueryFields::NONE };
        let fields = listener::READS.and(head).and(self.filter.reads());
        SocketQuery { condition, fields, process: None }
    }

    /// The listeners of `store`, each socket by itself: by port or, with `exposed`, the worst first.
    pub fn listeners<'s>(&self, store: &'s Store, services: &'s Services) -> Vec<ListenerReport<'s>> {
        let mut listeners = listener::all(store, &self.filter, services);
        if self.exposed {
            listeners.retain(ListenerReport::is_reached_by_others);
            listeners.sort_by_key(|listener| {
                (
                    Reverse(listener.danger()),
                    Reverse(listener.is_unexpected),
                    Reverse((listener.reach, listener.exposure)),
                    listener.local.port,
                )
            });
        }
        listeners
    }

    /// Writes `listeners`.
    pub fn write(&self, listeners: &[ListenerReport<'_>], store: &Store, out: &mut impl Write) -> io::Result<()> {
        match self.format {
            DocumentFormat::Text => write_text(listeners, store, out),
            DocumentFormat::Json => write_json(listeners, store, out),
        }
    }

    /// One sentence on the listeners that make the program fail, if there are any.
    pub fn failure(&self, listeners: &[ListenerReport<'_>]) -> Option<String> {
        let failing: Vec<_> =
            listeners.iter().filter(|listener| self.fail_on.iter().any(|what| what.applies(listener))).collect();
        let worst = failing.iter().max_by_key(|listener| (listener.exposed_danger(), Reverse(listener.local.port)))?;
        let (count, name, local) = (failing.len(), worst.protocol.name(), worst.address.with_port(worst.local.port));
        let noun = if count == 1 { "listener is" } else { "listeners are" };
        Some(format!("{count} {noun} what --fail-on names, the worst {name} {local} ({})", worst.service_text()))
    }
}

fn write_text(listeners: &[ListenerReport<'_>], store: &Store, out: &mut impl Write) -> io::Result<()> {
    let left = |title| TextHeading { title, align: Align::Left };
    let right = |title| TextHeading { title, align: Align::Right };
    let mut headings = vec![
        left("PROTO"),
        right("PORT"),
        left("ADDRESS"),
        left("REACHED FROM"),
        left("SERVICE"),
        left("CLASS"),
        left("PROCESS"),
        right("PID"),
        right("QUEUE"),
        left("UNIT"),
        left("DANGER"),
    ];
    if store.has_hosts() {
        headings.insert(0, left("HOST"));
    }
    headings.extend(has_namespaces(store).then_some(left("NAMESPACE")));
    headings.push(left("NOTE"));
    let rows: Vec<Vec<Cow<'_, str>>> = listeners
        .iter()
        .map(|listener| {
            let mut cells: Vec<Cow<'_, str>> = vec![
                listener.protocol.name().into(),
                listener.local.port.to_string().into(),
                listener.address.bracketed().to_string().into(),
                listener.reach_text().into(),
                listener.service.unwrap_or_default().into(),
                listener.class_text().into(),
                listener.column("process"),
                listener.column("pid"),
                listener.queue_text().into(),
                listener.column("unit"),
                listener.exposed_danger().map_or("", Danger::label).into(),
            ];
            if store.has_hosts() {
                cells.insert(0, listener.column("host"));
            }
            cells.extend(has_namespaces(store).then(|| listener.column("netns_name")));
            cells.push(listener.note().into());
            cells
        })
        .collect();
    text::write(out, &headings, &rows)
}

/// What `conntop ports --format json` prints.
#[derive(Serialize, JsonSchema)]
pub(in crate::report) struct PortsDocument<'a> {
    #[serde(flatten)]
    head: DocumentHead<'a>,
    /// The ports that this kernel gives to clients, `ip_local_port_range`; null where it does not say.
    ephemeral_ports: Option<PortRange>,
    /// The listeners, each socket by itself.
    listeners: Vec<ListenerObject<'a>>,
}

fn write_json(listeners: &[ListenerReport<'_>], store: &Store, out: &mut impl Write) -> io::Result<()> {
    let document = PortsDocument {
        head: DocumentHead::of(store),
        ephemeral_ports: store.facts().ephemeral_ports,
        listeners: listeners.iter().map(ListenerReport::object).collect(),
    };
    json::write_listing(out, &document)
}

#[cfg(test)]
mod tests;
