//! How sockets that are alike are folded into lines: by cause, process, unit, remote or port.

use std::num::NonZeroU64;

use rustc_hash::FxHashMap;

use crate::model::endpoint::Protocol;
use crate::model::hosts::{HostNumber, number_of_host};
use crate::model::process::{NoProcess, ProcessId};
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::store::Store;
use crate::store::alike::AlikeSockets;
use crate::store::alike::key::{AlikeOwner, AlikePeer, NameId, PortRole};

/// What the sockets of one line have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Folding {
    /// Program, peer and state: where something is wrong, all of one cause.
    #[default]
    Cause,
    /// The process.
    Process,
    /// The service unit or container.
    Unit,
    /// The peer: a remote end, or all that came in by one port of ours.
    Remote,
    /// The port: of the peer where we opened the connection, else ours.
    Port,
}

/// Whose the sockets of a line are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FoldOwner {
    /// Processes of this name hold them.
    Program(NameId),
    /// Processes of this name held them last.
    Remembered(NameId),
    /// This process holds them.
    Process(ProcessId),
    /// No process is known.
    Nobody(NoProcess),
}

/// The other ends of the sockets of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FoldPeer {
    /// This one.
    Of(AlikePeer),
    /// Any, at this port of theirs.
    ToPort(u16),
    /// Any, at this port of ours.
    AtPort(u16),
}

/// What the sockets of one line have in common; identifies the line over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FoldKey {
    /// Which kind of line it is.
    pub folding: Folding,
    /// Whose they are, where that is the same.
    pub owner: Option<FoldOwner>,
    /// Who is at the other end, where that is the same.
    pub peer: Option<FoldPeer>,
    /// The protocol, where it is the same.
    pub protocol: Option<Protocol>,
    /// The state, where it is the same.
    pub state: Option<TcpState>,
    /// The control group; of several with one name on one host, the one with the lowest number.
    pub unit: Option<NonZeroU64>,
    /// The host; `None` where there is only one.
    pub host: Option<HostNumber>,
}

impl FoldKey {
    /// Whether it means the same in every store: the numbers of names are those of one.
    pub const fn is_of_any_store(&self) -> bool {
        !matches!(self.owner, Some(FoldOwner::Program(_) | FoldOwner::Remembered(_)))
    }
}

/// Finds the lines of sockets.
#[derive(Debug)]
pub struct FoldKeys {
    folding: Folding,
    /// The control group that stands for those of the same name.
    units: FxHashMap<NonZeroU64, NonZeroU64>,
}

impl FoldKeys {
    /// The lines of `folding`.
    pub fn new(folding: Folding, store: &Store) -> Self {
        let mut units = FxHashMap::default();
        if folding == Folding::Unit {
            let mut first: FxHashMap<(u64, &DisplayText), NonZeroU64> = FxHashMap::default();
            for (number, name) in &store.names().units {
                if let Some(number) = NonZeroU64::new(*number) {
                    let host = number.get() ^ number_of_host(number.get());
                    units.insert(number, *first.entry((host, name)).or_insert(number));
                }
            }
        }
        Self { folding, units }
    }

    /// The line of `set`.
    pub fn of(&self, set: &AlikeSockets) -> FoldKey {
        let key = FoldKey {
            folding: self.folding,
            owner: None,
            peer: None,
            protocol: None,
            state: None,
            unit: None,
            host: set.key.host,
        };
        let protocol = Some(set.key.protocol);
        match self.folding {
            Folding::Cause => FoldKey {
                owner: Some(program(set)),
                peer: Some(FoldPeer::Of(set.key.peer)),
                protocol,
                state: Some(set.key.state),
                ..key
            },
            Folding::Process => FoldKey { owner: Some(holder(set)), ..key },
            Folding::Unit => {
                let unit = set.key.cgroup;
                FoldKey { unit: unit.map(|number| self.units.get(&number).copied().unwrap_or(number)), ..key }
            }
            Folding::Remote => FoldKey { peer: Some(FoldPeer::Of(set.key.peer)), protocol, ..key },
            Folding::Port => FoldKey { peer: Some(port(set.key.peer)), protocol, ..key },
        }
    }
}

fn program(set: &AlikeSockets) -> FoldOwner {
    match (set.key.owner, set.name) {
        (AlikeOwner::Process(_), Some(name)) => FoldOwner::Program(name),
        _ => process(set),
    }
}

/// The process that holds the sockets now or held them: not the one whose listener they wait at.
const fn holder(set: &AlikeSockets) -> FoldOwner {
    match (set.key.peer, set.key.state) {
        (AlikePeer::Here { role: PortRole::Queue, .. }, _) => FoldOwner::Nobody(NoProcess::Unaccepted),
        (_, TcpState::SynRecv) => FoldOwner::Nobody(NoProcess::None),
        _ => process(set),
    }
}

const fn process(set: &AlikeSockets) -> FoldOwner {
    match set.key.owner {
        AlikeOwner::Process(id) => FoldOwner::Process(id),
        AlikeOwner::Remembered(name) => FoldOwner::Remembered(name),
        AlikeOwner::Nobody(why) => FoldOwner::Nobody(why),
    }
}

const fn port(peer: AlikePeer) -> FoldPeer {
    match peer {
        AlikePeer::Remote { port, .. } => FoldPeer::ToPort(port),
        AlikePeer::Here { port, .. } => FoldPeer::AtPort(port),
        AlikePeer::Nowhere | AlikePeer::Others => FoldPeer::Of(peer),
    }
}
