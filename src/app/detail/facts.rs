//! What a connection is, whose, how it got to its state, and what that means.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::app::around::{Around, is_client};
use crate::app::clock::date_and_time;
use crate::app::detail::{Line, Section, byte_words};
use crate::app::headline::is_fresh;
use crate::app::kill::holdings_text;
use crate::app::log::{change_text, lasted_text};
use crate::app::mode::Detail;
use crate::knowledge::{ports, states};
use crate::model::delta::{AgeBasis, Since};
use crate::model::process::{Owner, Process, Usage};
use crate::model::socket::{CloseWaitVerdict, Socket};
use crate::model::tcp_state::{STATES, TcpState};
use crate::store::rows::{Mark, Row};
use crate::table::units;

/// How many owners of a shared socket are told of.
const OWNERS_SHOWN_MAX: usize = 12;
/// How many lines of its history are shown.
const HISTORY_SHOWN_MAX: usize = 12;

/// For a socket that only the log remembers.
pub(super) fn forgotten() -> Section {
    let mut section = Section::new("Connection");
    section.fact("", "This connection is gone; only the log remembers it.");
    section
}

pub(super) fn connection(app: &App, row: &Row) -> Section {
    let socket = &row.connection.socket;
    let mut section = Section::new("Connection");
    section.lines.extend(gone(app, row));
    section.lines.push(Line::State("state", socket.state));
    if !is_gone(app, row) {
        section.fact("since", age_words(app, row));
    }
    if let Some(verdict) = socket.verdict() {
        let line = if is_fresh(row, &app.store) { Line::Fact } else { Line::Alarm };
        section.lines.push(line("why", verdict_words(verdict).to_owned()));
    }
    let named = |port: u16| ports::service(socket.protocol, port).map_or(String::new(), |name| format!("  ({name})"));
    section.fact("local", format!("{}{}", socket.local, named(socket.local.port)));
    if !socket.remote.is_unset() {
        section.fact("remote", format!("{}{}", socket.remote, named(socket.remote.port)));
    }
    section.fact("protocol", format!("{} over {}", socket.protocol.name().to_uppercase(), family_words(socket)));
    section.known("interface", interface(app, socket));
    let table = app.store.names();
    section.known("unit", socket.cgroup.and_then(|id| table.units.get(&id.get())).map(ToString::to_string));
    // Our own says nothing new.
    let namespace = table.namespaces.get(&socket.id.netns()).filter(|name| name.as_str() != "own");
    section.known("namespace", namespace.map(ToString::to_string));
    let first_seen = units::lasted(app.store.at().since(row.connection.first_seen));
    section.fact("first seen", format!("{first_seen} ago, at {}", app.time_of_day(row.connection.first_seen)));
    section.fact("identity", identity(socket));
    section
}

/// Whether the socket is no more: what counts up or down stands still.
pub(super) fn is_gone(app: &App, row: &Row) -> bool {
    row.is_closed() || app.store.rows().find(row.connection.socket.id).is_none()
}

fn gone(app: &App, row: &Row) -> Option<Line> {
    let when = match row.mark {
        Some(Mark::Closed(at)) => format!(" since {}", app.time_of_day(at)),
        _ => String::new(),
    };
    let text = format!("This connection is gone{when}; below is how it was last seen.");
    is_gone(app, row).then_some(Line::Strong("closed", text))
}

fn age_words(app: &App, row: &Row) -> String {
    let Some(since) = row.connection.state_since else { return "before conntop looked".to_owned() };
    let Since { at, basis } = since;
    let age = units::lasted(since.age(app.store.at()));
    match basis {
        AgeBasis::Observed => format!("{age}, from {} on: conntop saw it change", app.time_of_day(at)),
        AgeBasis::Kernel => format!("{age}, by the kernel's clocks"),
        AgeBasis::AtLeast => format!("at least {age}; it may be longer"),
    }
}

const fn verdict_words(verdict: CloseWaitVerdict) -> &'static str {
    match verdict {
        CloseWaitVerdict::MissingClose => {
            "never closed: the application read the end of the stream and did not call close()"
        }
        CloseWaitVerdict::NotReading => {
            "not reading: the end of the stream waits unread (an idle pool entry, a blocked thread)"
        }
        CloseWaitVerdict::StuckReader => "stuck reader: data and the end of the stream wait unread",
        CloseWaitVerdict::NotAccepted => {
            "never accepted: the peer gave up while the connection waited in the accept queue; look at the listener"
        }
    }
}

fn family_words(socket: &Socket) -> String {
    let name = if socket.family.name() == "ipv6" { "IPv6" } else { "IPv4" };
    match socket.remote.addr {
        std::net::IpAddr::V6(addr) if addr.to_ipv4_mapped().is_some() => format!("{name}, to an IPv4 peer"),
        _ => name.to_owned(),
    }
}

fn interface(app: &App, socket: &Socket) -> Option<String> {
    let index = socket.interface?.get();
    let name = app.store.names().interfaces.get(&(socket.id.netns(), index));
    Some(name.map_or_else(|| format!("number {index}"), ToString::to_string))
}

fn identity(socket: &Socket) -> String {
    let mut parts = vec![match socket.id.cookie() {
        Some(cookie) => format!("cookie {cookie}"),
        None => "by its endpoints (this source has no cookies)".to_owned(),
    }];
    parts.extend(socket.inode.map(|inode| format!("inode {inode}")));
    parts.extend(Some(socket.id.netns().0).filter(|&netns| netns > 0).map(|netns| format!("namespace {netns}")));
    parts.join(", ")
}

pub(super) fn owner(app: &App, row: &Row) -> Section {
    let socket = &row.connection.socket;
    let mut section = Section::new("Owner");
    match &socket.owner {
        Owner::Live(holders) => {
            push_process(app, &mut section, holders.first());
            push_others(app, &mut section, &holders.all()[1..]);
        }
        Owner::Remembered(holders) => {
            section.fact("was", name_and_pid(holders.first()));
            section.fact("", "The process has closed it; the kernel keeps it and no longer says whose it was.");
        }
        Owner::Unaccepted => section.fact("", "In the accept queue: no process has taken it by accept() yet."),
        Owner::Hidden => {
            section.fact("", "Hidden: you may not look into its process. That takes root with CAP_SYS_PTRACE.");
        }
        Owner::None if socket.state == TcpState::SynRecv => {
            section.fact("", "No process yet: the handshake is not finished.");
        }
        Owner::None => section.fact("", "No process: the kernel keeps it, or it was closed before conntop looked."),
    }
    section
}

/// Those that share the socket with the first, a line each.
fn push_others(app: &App, section: &mut Section, others: &[Arc<Process>]) {
    for (at, process) in others.iter().take(OWNERS_SHOWN_MAX).enumerate() {
        let user = process.uid.map_or_else(String::new, |uid| format!("  {}", user(app, uid)));
        section.fact(if at == 0 { "shared with" } else { "" }, format!("{}{user}", name_and_pid(process)));
    }
    if others.len() > OWNERS_SHOWN_MAX {
        section.fact("", format!("and {} more", others.len() - OWNERS_SHOWN_MAX));
    }
}

fn name_and_pid(process: &Process) -> String {
    format!("{}[{}]", process.name, process.id.pid)
}

fn push_process(app: &App, section: &mut Section, process: &Process) {
    section.fact("process", name_and_pid(process));
    if !process.command.as_str().is_empty() {
        section.fact("command", process.command.as_str());
    }
    section.known("user", process.uid.map(|uid| user(app, uid)));
    let offset = app.config.utc_offset_seconds;
    section.known("started", process.started.map(|at| date_and_time(at, offset)));
    section.fact("holds", holdings_text(&app.store.holdings(process.id)));
    section.known("uses", app.store.usage(process.id).map(usage_words));
    section.known("descriptors", app.store.usage(process.id).and_then(descriptor_words));
}

fn user(app: &App, uid: u32) -> String {
    app.store.names().users.get(&uid).map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}

fn usage_words(usage: &Usage) -> String {
    let cpu = usage.cpu.map_or(String::new(), |cpu| format!("{} of one core, ", units::share(f64::from(cpu))));
    format!("{cpu}{} of memory", byte_words(usage.memory_bytes))
}

fn descriptor_words(usage: &Usage) -> Option<String> {
    let open = u64::from(usage.descriptors?);
    let of = usage.descriptors_max.map_or(String::new(), |max| format!(" of {} allowed", units::count(max)));
    Some(format!("{} open{of}", units::count(open)))
}

/// The same connection seen from the other side, if that is on this machine too.
pub(super) fn other_end(app: &App, row: &Row, around: &Around) -> Section {
    let mut section = Section::new("Other end, on this machine");
    let has_peer = !row.connection.socket.remote.is_unset();
    if let Some(other) = around.other_end.as_ref().filter(|_| has_peer) {
        let other_socket = &other.connection.socket;
        section.lines.push(Line::State("state", other_socket.state));
        section.fact("since", age_words(app, other));
        section.known("process", other_socket.owner.process().map(name_and_pid));
        section.known(
            "queues",
            other_socket.queues.map(|queues| {
                format!(
                    "{} unread, {} not acknowledged",
                    byte_words(queues.receive.into()),
                    byte_words(queues.send.unwrap_or_default().into())
                )
            }),
        );
    }
    section
}

/// Those that belong with a connection, by state, and the first of them with a line each.
pub(super) fn neighbours(app: &App, row: &Row, around: &Around) -> Section {
    let socket = &row.connection.socket;
    let mut section = Section::new(if socket.is_listener() { "Its connections" } else { "Others like it" });
    if around.first.is_empty() {
        return section;
    }
    let (label, what) = match socket.owner.process() {
        _ if socket.is_listener() => ("came in by", format!("port {}", socket.local.port)),
        Some(process) if is_client(socket) => ("process", format!("{} to {}", name_and_pid(process), socket.remote)),
        Some(process) => ("process", format!("{} on {}", name_and_pid(process), socket.local)),
        None => return section,
    };
    section.fact(label, what);
    for (state, count) in STATES.iter().zip(around.alike).filter(|(_, count)| *count > 0) {
        section.fact(state.name, units::count(u64::from(count)));
    }
    for (at, other) in around.first.iter().enumerate() {
        section.fact(if at == 0 { "among them" } else { "" }, neighbour_words(app, other));
    }
    section
}

fn neighbour_words(app: &App, row: &Row) -> String {
    let socket = &row.connection.socket;
    let age = match row.connection.state_since {
        Some(since) => {
            let at_least = if since.basis == AgeBasis::AtLeast { ">" } else { "" };
            format!("  {at_least}{}", units::age(since.age(app.store.at())))
        }
        None => String::new(),
    };
    // The end with the higher port tells it from the others: that of the client.
    let client = if socket.remote.port < socket.local.port { socket.local } else { socket.remote };
    format!("{client}  {}{age}", socket.state)
}

pub(super) fn meaning(row: &Row) -> Section {
    let text = states::text(row.connection.socket.state);
    let mut section = Section::new("What the state means");
    if !text.meaning.is_empty() {
        section.fact("meaning", text.meaning);
    }
    if !text.advice.is_empty() {
        section.fact("advice", text.advice);
    }
    if !text.vain.is_empty() {
        section.fact("no help", text.vain);
    }
    section
}

/// Its transitions, newest first, as far as the log goes back.
pub(super) fn history(app: &App, detail: &Detail) -> Section {
    let mut section = Section::new("What happened to it");
    let entries = app.store.log().entries().iter().rev().filter(|entry| entry.id == detail.id);
    for entry in entries.take(HISTORY_SHOWN_MAX) {
        let lasted = match lasted_text(entry) {
            lasted if lasted.is_empty() => lasted,
            lasted => format!(" after {lasted}"),
        };
        let missed = if entry.skipped { " (states in between were not seen)" } else { "" };
        section.lines.push(Line::Event(app.log_time(entry), format!("{}{lasted}{missed}", change_text(entry))));
    }
    if section.lines.is_empty() {
        let watched = detail.row.as_ref().map_or(Duration::ZERO, |row| app.store.at().since(row.connection.first_seen));
        section.lines.push(Line::Event(
            String::new(),
            format!("Nothing in the {} that conntop has watched it.", units::lasted(watched)),
        ));
    }
    section
}
