//! What a connection is, whose, how it got to its state, and what that means.

use std::sync::Arc;

use crate::app::App;
use crate::app::clock::date_and_time;
use crate::app::detail::{byte_words, in_state, is_gone};
use crate::app::kill::holdings_text;
use crate::app::panels::findings;
use crate::app::path::StatePath;
use crate::app::prose::{ProseLine, Section};
use crate::app::related::RelatedSockets;
use crate::knowledge::{ports, states};
use crate::model::address_text::{Link, local_end, remote_end};
use crate::model::descriptors::Descriptors;
use crate::model::process::{Names, Owner, Process, Usage};
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::store::row::{Mark, SocketRow};
use crate::table::units;

/// How many owners of a shared socket are told of.
const OWNERS_SHOWN_MAX: usize = 12;

/// For a socket that only the log remembers.
pub(super) fn forgotten() -> Section {
    let mut section = Section::new("Connection");
    section.fact("", "This connection is gone; only the log remembers it.");
    section
}

pub(super) fn connection(app: &App, row: &SocketRow, path: Option<&StatePath>) -> Section {
    let socket = &row.connection.socket;
    let mut section = Section::new("Connection");
    section.lines.extend(gone(app, row));
    section.lines.extend(in_state::lines(app, row));
    section.known("path", path.map(StatePath::words));
    let named = |port: u16| ports::service(socket.protocol, port).map_or(String::new(), |name| format!("  ({name})"));
    section.fact("local", format!("{}{}", local_end(socket, app.store.names()), named(socket.local.port)));
    if !socket.remote.is_unset() {
        section.fact("remote", format!("{}{}", remote_end(socket, app.store.names()), named(socket.remote.port)));
        let name = app.store.host_names().get(socket.remote.addr);
        section.known("reverse DNS", name.map(|name| name.as_str().to_owned()));
    }
    section.fact("protocol", format!("{} over {}", socket.protocol.name().to_uppercase(), family_words(socket)));
    section.known("interface", interface(app, socket));
    let table = app.store.names();
    section.known("unit", socket.cgroup.and_then(|id| table.units.get(&id.get())).map(ToString::to_string));
    // Our own says nothing new.
    let is_own = table.own_beside(socket.id.netns()) == Some(socket.id.netns());
    let namespace = table.namespaces.get(&socket.id.netns()).filter(|_| !is_own);
    section.known("namespace", namespace.map(ToString::to_string));
    let first_seen = units::lasted(app.store.at().since(row.connection.first_seen));
    section.fact("first seen", format!("{first_seen} ago, at {}", app.time_of_day(row.connection.first_seen)));
    section.fact("identity", identity(socket, table));
    section
}

fn gone(app: &App, row: &SocketRow) -> Option<ProseLine> {
    let when = match row.mark {
        Some(Mark::Closed(at)) => format!(" since {}", app.time_of_day(at.timestamp())),
        _ => String::new(),
    };
    let reason = app.store.closed().find(row.connection.socket.id).map_or("", |closed| closed.reason().words());
    let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let text = format!("This connection is gone{when}{reason}; below is how it was last seen.");
    is_gone(app, row).then_some(ProseLine::Strong("closed", text))
}

/// The finding that the connection is part of.
pub(super) fn finding(app: &App, row: &SocketRow) -> Option<Section> {
    let finding = app.panels.findings.about(row, &app.store)?;
    let mut section = Section::new("It is part of a finding");
    let mark = findings::mark(finding.severity).to_owned();
    section.lines.push(ProseLine::Finding(
        finding.severity,
        mark,
        format!("{}: {}", finding.severity.label(), finding.sentence),
    ));
    Some(section)
}

fn family_words(socket: &Socket) -> String {
    let name = if socket.family.name() == "ipv6" { "IPv6" } else { "IPv4" };
    match socket.remote.addr {
        std::net::IpAddr::V6(addr) if addr.to_ipv4_mapped().is_some() => format!("{name}, to an IPv4 peer"),
        _ => name.to_owned(),
    }
}

fn interface(app: &App, socket: &Socket) -> Option<String> {
    let link = Link::of(socket.interface?, socket.id.netns(), app.store.names());
    Some(if link.name.is_some() { link.to_string() } else { format!("number {link}") })
}

fn identity(socket: &Socket, names: &Names) -> String {
    let mut parts = vec![match socket.id.cookie() {
        Some(cookie) => format!("cookie {cookie}"),
        None => "by its endpoints (this source has no cookies)".to_owned(),
    }];
    parts.extend(socket.inode.map(|inode| format!("inode {inode}")));
    let netns = names.namespace_number(socket.id.netns());
    parts.extend(Some(netns).filter(|&netns| netns > 0).map(|netns| format!("namespace {netns}")));
    parts.join(", ")
}

pub(super) fn owner(app: &App, row: &SocketRow, related: &RelatedSockets) -> Section {
    let socket = &row.connection.socket;
    let mut section = Section::new("Owner");
    match &socket.owner {
        Owner::Live(holders) => {
            push_process(app, &mut section, holders.first(), related);
            push_others(app, &mut section, &holders.all()[1..]);
        }
        Owner::Remembered(holders) => {
            section.fact("was", holders.first().to_string());
            section.fact("", "The process has closed it; the kernel keeps it and no longer says whose it was.");
        }
        Owner::Unaccepted => section.fact("", "In the accept queue: no process has taken it by accept() yet."),
        Owner::Hidden => {
            section.fact("", "Hidden: you may not look into its process; the header says why.");
        }
        Owner::Unseen => {
            section.fact("", "Hidden: a process holds it that /proc does not show; the header says why.");
        }
        Owner::Vanished => {
            section.fact("", "Not found in time: it was closed or passed on before conntop read its process.");
        }
        Owner::None if socket.state == TcpState::SynRecv => {
            section.fact("", "No process yet: the handshake is not finished.");
        }
        Owner::None => section.fact("", "No process: the kernel keeps it, or it is on its way between two processes."),
    }
    section
}

/// Those that share the socket with the first, a line each.
fn push_others(app: &App, section: &mut Section, others: &[Arc<Process>]) {
    for (at, process) in others.iter().take(OWNERS_SHOWN_MAX).enumerate() {
        let user = process.uid.map_or_else(String::new, |uid| format!("  {}", user(app, uid)));
        section.fact(if at == 0 { "shared with" } else { "" }, format!("{process}{user}"));
    }
    if others.len() > OWNERS_SHOWN_MAX {
        section.fact("", format!("and {} more", others.len() - OWNERS_SHOWN_MAX));
    }
}

fn push_process(app: &App, section: &mut Section, process: &Process, related: &RelatedSockets) {
    section.fact("process", process.to_string());
    if let Some(thread) = &process.thread {
        section.fact("thread", format!("{}[{}], which has descriptors of its own", thread.name, thread.tid));
    }
    if !process.command.as_str().is_empty() {
        section.fact("command", process.command.as_str());
    }
    section.known("user", process.uid.map(|uid| user(app, uid)));
    let offset = app.config.utc_offset_seconds;
    section.known("started", process.started.map(|at| date_and_time(at, offset)));
    // Counted over all rows, so not while a frame is drawn.
    let counted = related.holdings.as_ref().filter(|(counted, _)| *counted == process.id);
    section.fact("holds", counted.map_or_else(|| "…".to_owned(), |(_, holdings)| holdings_text(holdings)));
    section.known("uses", app.store.usage(process.id).map(usage_words));
    section.known("descriptors", app.store.descriptors_of(process.id).map(descriptor_words));
}

fn user(app: &App, uid: u32) -> String {
    let names = app.store.names();
    let number = names.hosts.uid_number(uid);
    names.users.get(&uid).map_or_else(|| format!("uid {number}"), |name| format!("{name} (uid {number})"))
}

fn usage_words(usage: &Usage) -> String {
    let cpu = usage.cpu.map_or(String::new(), |cpu| format!("{} of one core, ", units::share(f64::from(cpu))));
    format!("{cpu}{} of memory", byte_words(usage.memory_bytes))
}

fn descriptor_words(descriptors: &Descriptors) -> String {
    let of = descriptors.max.map_or(String::new(), |max| format!(" of {} allowed", units::count(max)));
    let open = units::count(descriptors.used.into());
    let sockets = descriptors.sockets.filter(|kinds| kinds.total() > 0);
    let sockets = sockets.map_or(String::new(), |kinds| {
        format!("; {} of them sockets: {}", units::count(kinds.total().into()), kinds.words())
    });
    format!("{open} open{of}{sockets}")
}

pub(super) fn meaning(row: &SocketRow) -> Section {
    let text = states::text(row.connection.socket.state);
    let mut section = Section::new("What the state means");
    if !text.meaning.is_empty() {
        section.fact("meaning", text.meaning);
    }
    if !text.advice.is_empty() {
        section.fact("advice", text.advice);
    }
    if !text.does_not_help.is_empty() {
        section.fact("does not help", text.does_not_help);
    }
    section
}
