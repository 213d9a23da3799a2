//! Holds sockets of a full dump back that are as the last sample had them, so that a large table is never in memory as a
//! whole a second time.
//!
//! Only the silent mass goes through it, connections in `ESTABLISHED` whose holders are known: all others are few, and
//! those who look at a snapshot as a whole look for them.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::model::process::Owner;
use crate::model::snapshot::Sifted;
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::source::Sift;
use crate::source::linux::owners::Owners;

/// Between a dump and its list of sockets.
pub struct Sieve<'a> {
    at: Timestamp,
    /// What is believed of the holders, brought up to date before the dump.
    owners: &'a Owners,
    sift: Sift<'a>,
    /// Control groups and interfaces that the list has a socket of: whoever needs their names finds them there.
    shown: FxHashSet<(NonZeroU64, Option<NonZeroU32>)>,
    held_back: HeldBack,
}

/// The sockets that the list of a sample does not have.
#[derive(Debug, Default)]
pub struct HeldBack {
    /// How many.
    pub count: u32,
    /// Their inodes.
    pub inodes: Vec<u32>,
}

impl<'a> Sieve<'a> {
    /// A sieve for the sample begun `at`.
    pub fn new(at: Timestamp, owners: &'a Owners, sift: Sift<'a>) -> Self {
        Self { at, owners, sift, shown: FxHashSet::default(), held_back: HeldBack::default() }
    }

    /// A dump begins: what an earlier one has listed may have been thrown away.
    pub fn begin(&mut self) {
        self.shown.clear();
    }

    /// Whether the list need not have `socket`.
    pub fn holds_back(&mut self, socket: &mut Socket) -> bool {
        if socket.state != TcpState::Established {
            return false;
        }
        // Without a control group, that of the holder stands in; that is looked for later.
        let (Some(inode), Some(cgroup)) = (socket.inode, socket.cgroup) else { return false };
        let Some(holders) = self.owners.believed(inode) else { return false };
        socket.owner = Owner::Live(Arc::clone(holders));
        if self.shown.insert((cgroup, socket.interface)) {
            return false;
        }
        match (self.sift)(self.at, socket) {
            Sifted::News => false,
            Sifted::Repeated => true,
            Sifted::Same => {
                self.held_back.count = self.held_back.count.saturating_add(1);
                self.held_back.inodes.push(inode.get());
                true
            }
        }
    }

    /// What it has held back.
    pub fn into_held_back(self) -> HeldBack {
        self.held_back
    }
}
