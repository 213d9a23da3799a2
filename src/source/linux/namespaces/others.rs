//! The sockets of other network namespaces: one descriptor for each, opened once and kept as long as the namespace is
//! in use.
//!
//! A socket keeps its namespace alive. So a namespace that the last round of [`Namespaces`] did not find, because its
//! last process has ended and nothing mounts it, is let go of; else conntop would be what keeps it.

use std::collections::BTreeMap;
use std::time::Duration;

use rustix::io::Errno;

use crate::model::coverage::Coverage;
use crate::model::query::SocketQuery;
use crate::model::socket::{NetnsId, Socket, SocketId, SocketRef};
use crate::model::tcp_info::TcpDetail;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::source::linux::dumper::DumpThreads;
use crate::source::linux::intake::DumpIntake;
use crate::source::linux::namespaces::{NamespaceLocation, Namespaces, enter};
use crate::source::linux::netlink::Buffer;
use crate::source::linux::tables::SocketTables;
use crate::source::linux::unhashed::Unhashed;

/// More namespaces are not shown: each costs a descriptor and four walks over the kernel's tables in every sample.
pub const SHOWN_MAX: usize = 256;
/// A namespace that could not be entered is tried again after this time.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// What is said of namespaces that are looked at through a process.
const THROUGH_PROCESS: &str = "network namespaces that may not be entered are read from /proc/PID/net, without \
                               round-trip times and exact identities; run conntop as root for those";

/// The tables of other namespaces.
#[derive(Debug)]
pub struct OtherNamespaces {
    open: BTreeMap<NetnsId, NamespaceTables>,
    refused: BTreeMap<NetnsId, Refused>,
    /// Not even our own namespace has `sock_diag`.
    without_diag: bool,
    /// The sockets of one namespace; kept for its memory.
    sockets: Vec<Socket>,
    /// One for all namespaces: they are read one after the other.
    buffer: Option<Buffer>,
}

/// A way to look into a namespace.
#[derive(Debug)]
struct NamespaceTables {
    tables: SocketTables,
    /// Through the files of this process, where the namespace may not be entered.
    process: Option<u32>,
}

/// Why a namespace is not looked into, and when that was tried.
#[derive(Clone, Copy, Debug)]
struct Refused {
    error: Errno,
    at: Timestamp,
}

impl OtherNamespaces {
    /// Looks nowhere yet; `without_diag` says that there is only `/proc/net`.
    pub const fn new(without_diag: bool) -> Self {
        Self { open: BTreeMap::new(), refused: BTreeMap::new(), without_diag, sockets: Vec::new(), buffer: None }
    }

    /// Lets go of every namespace.
    pub fn close(&mut self) {
        self.open.clear();
        self.refused.clear();
        self.buffer = None;
    }

    /// Whether a namespace is looked into.
    pub fn is_shown(&self, netns: NetnsId) -> bool {
        self.open.contains_key(&netns)
    }

    /// How many namespaces are looked into.
    pub fn shown(&self) -> u32 {
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }

    /// Appends the sockets that `query` asks for of every namespace in `namespaces` that the user may look into; what is missing is said in
    /// `coverage`.
    pub fn read(
        &mut self,
        namespaces: &Namespaces,
        now: Timestamp,
        (query, unhashed): (&SocketQuery, Unhashed),
        sockets: &mut Vec<Socket>,
        coverage: &mut Coverage,
    ) {
        self.open.retain(|netns, window| window.is_there(*netns, namespaces));
        self.refused
            .retain(|netns, refused| namespaces.locations().contains_key(netns) && now.since(refused.at) < RETRY_AFTER);
        self.open_new(namespaces.locations(), now);
        let mut broken = Vec::new();
        for (netns, window) in &mut self.open {
            // Apart from the others: what comes twice is sought only among those of one namespace.
            self.sockets.clear();
            let mut seen = Coverage::default();
            let plan = window.tables.plan(query, unhashed);
            let intake = &mut DumpIntake::all(&mut self.sockets).of_plan(Some(&plan));
            match window.tables.read_plan(&plan, DumpThreads::One, intake, &mut seen) {
                Ok(()) => sockets.append(&mut self.sockets),
                Err(_) => broken.push(*netns),
            }
            coverage.records_skipped = coverage.records_skipped.saturating_add(seen.records_skipped);
            for sentence in seen.degraded {
                say(coverage, sentence);
            }
        }
        // Opened anew for the next sample.
        for netns in &broken {
            self.open.remove(netns);
        }
        self.say_what_is_missing(namespaces, broken.len(), coverage);
    }

    fn open_new(&mut self, locations: &BTreeMap<NetnsId, NamespaceLocation>, now: Timestamp) {
        let room = SHOWN_MAX.saturating_sub(self.open.len());
        let is_new = |netns: &NetnsId| !self.open.contains_key(netns) && !self.refused.contains_key(netns);
        let new: Vec<_> = locations.iter().filter(|(netns, _)| is_new(netns)).take(room).collect();
        if new.is_empty() {
            return;
        }
        let new: Vec<_> = new.into_iter().map(|(netns, location)| (*netns, location.clone())).collect();
        let entered = if self.without_diag {
            new.into_iter().map(|(netns, _)| (netns, Err(Errno::OPNOTSUPP))).collect()
        } else {
            enter::open_in(new, self.buffer.get_or_insert_default().clone())
        };
        for (netns, entered) in entered {
            let process = locations.get(&netns).and_then(|location| location.process);
            let opened = match entered {
                Ok(connection) => {
                    Ok(NamespaceTables { tables: SocketTables::others(netns, connection), process: None })
                }
                Err(error) => look_through(netns, process).ok_or(error),
            };
            match opened {
                Ok(window) => drop(self.open.insert(netns, window)),
                // It ended meanwhile; the next round of the search will not find it.
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(error) => drop(self.refused.insert(netns, Refused { error, at: now })),
            }
        }
    }

    fn say_what_is_missing(&self, namespaces: &Namespaces, broken: usize, coverage: &mut Coverage) {
        let is_forbidden = |refused: &&Refused| [Errno::PERM, Errno::ACCESS].contains(&refused.error);
        let forbidden = self.refused.values().filter(is_forbidden).count();
        let unreadable = namespaces.unreadable();
        if !self.without_diag && self.open.values().any(|window| window.process.is_some()) {
            say(coverage, DisplayText::new(THROUGH_PROCESS));
        }
        if forbidden > 0 {
            let sentence =
                format!("{} may not be entered; run conntop as root to see {}", counted(forbidden), its(forbidden));
            say(coverage, DisplayText::new(&sentence));
        }
        if unreadable > 0 {
            let processes = if unreadable == 1 { "process" } else { "processes" };
            let sentence = format!(
                "the network namespaces of {unreadable} {processes} may not be known; run conntop as root on the host"
            );
            say(coverage, DisplayText::new(&sentence));
        }
        if let Some(Refused { error, .. }) = self.refused.values().find(|refused| !is_forbidden(refused)) {
            let others = self.refused.len().saturating_sub(forbidden);
            let why = if self.without_diag { "only sock_diag shows them".to_owned() } else { error.to_string() };
            say(coverage, DisplayText::new(&format!("{} could not be looked into ({why})", counted(others))));
        }
        if broken > 0 {
            let sentence = format!("{} could not be read in this sample; trying again", counted(broken));
            say(coverage, DisplayText::new(&sentence));
        }
        let left_out = namespaces.locations().len().saturating_sub(SHOWN_MAX);
        if left_out > 0 {
            let sentence = format!("conntop shows {SHOWN_MAX} network namespaces at most; {left_out} are left out");
            say(coverage, DisplayText::new(&sentence));
        }
    }

    /// The details of those of `wanted` that are in other namespaces and still there.
    pub fn details(&mut self, wanted: &[SocketRef]) -> Vec<(SocketId, TcpDetail)> {
        let mut details = Vec::new();
        for socket in wanted {
            if let Some(window) = self.open.get_mut(&socket.id.netns()) {
                details.extend(window.tables.details(std::slice::from_ref(socket)));
            }
        }
        details
    }

    /// Whether each of these sockets of one other namespace still has an inode; `None` where that cannot be said.
    pub fn held(&mut self, netns: NetnsId, sockets: &[&Socket]) -> Vec<Option<bool>> {
        match self.open.get_mut(&netns) {
            Some(window) => window.tables.held(sockets),
            None => vec![None; sockets.len()],
        }
    }

    /// The name of an interface of another namespace.
    pub fn interface_name(&self, netns: NetnsId, index: u32) -> Option<DisplayText> {
        self.open.get(&netns)?.tables.interface_name(index)
    }
}

impl NamespaceTables {
    /// Whether the namespace is in use, as of the last round, and its process is still in it.
    fn is_there(&self, netns: NetnsId, namespaces: &Namespaces) -> bool {
        let process_is_there = self.process.is_none_or(|pid| namespaces.namespace_of(pid) == Ok(netns));
        namespaces.locations().contains_key(&netns) && process_is_there
    }
}

/// A view of the namespace through the `/proc/PID/net` of its process, which asks for fewer rights than entering it.
fn look_through(netns: NetnsId, process: Option<u32>) -> Option<NamespaceTables> {
    let tables = SocketTables::procfs_of(netns, process?).ok()?;
    Some(NamespaceTables { tables, process })
}

/// Sentences are said once, however many namespaces they are about.
fn say(coverage: &mut Coverage, sentence: DisplayText) {
    if !coverage.degraded.contains(&sentence) {
        coverage.degraded.push(sentence);
    }
}

fn counted(count: usize) -> String {
    format!("{count} network {}", if count == 1 { "namespace" } else { "namespaces" })
}

const fn its(count: usize) -> &'static str {
    if count == 1 { "its sockets" } else { "their sockets" }
}
