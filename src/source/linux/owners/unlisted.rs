//! Sockets that processes hold and no table of the kernel lists: of which kind they are, and which are TCP in `CLOSE`.
//!
//! A TCP socket that was reset or timed out, and one that never connected, is in no table until it is closed; only its
//! descriptor is left. The walk has read the links of all descriptors anyway. What of them no dump lists is asked for its
//! kind once, by getxattr(2) of `system.sockprotoname` (`sockfs_xattr_get`, net/socket.c): some 2 us each, within a budget;
//! the answer is kept as long as the descriptor is there. Where neither the held sockets nor the listed ones have changed
//! since the last full sample, nothing is looked at.
//!
//! A socket that is opened after the dump is not listed either. So one is taken to be in `CLOSE` only after two full dumps
//! have left it out, and only if no other network namespace can have it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use rustix::io::Errno;

use super::{DumpComparison, Owners};
use crate::model::descriptors::SocketKinds;
use crate::model::endpoint::{Endpoint, Family, Protocol};
use crate::model::process::Owner;
use crate::model::socket::{NetnsId, Socket, SocketId};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;
use crate::source::clock;
use crate::source::linux::proc_dir::SocketFd;

/// The first sample spends up to this on asking for the kinds of sockets.
const FIRST_BUDGET: Duration = Duration::from_millis(30);
/// Each later sample spends up to this on asking for the kinds of sockets.
const BUDGET: Duration = Duration::from_millis(3);
/// Everything is compared again after this time, whatever has changed.
const LOOK_AFTER: Duration = Duration::from_secs(30);
/// Of at most so many sockets it is asked at once what they are: some 2 ms.
const KINDS_ASKED_MAX: usize = 512;
/// More sockets of one process are counted and not listed.
const ROWS_OF_PROCESS_MAX: u32 = 10_000;
/// More such sockets of all processes together are counted and not listed.
const ROWS_MAX: usize = 50_000;

/// What is known of the sockets outside of the tables.
#[derive(Debug, Default)]
pub(super) struct UnlistedRecords {
    known: FxHashMap<u32, Unlisted>,
    /// How many descriptors of each process are TCP and UDP sockets that are listed.
    listed: FxHashMap<u32, (u32, u32)>,
    /// All socket descriptors of each process that has any.
    pub(super) kinds: FxHashMap<u32, SocketKinds>,
    /// What the last look compared; `None` before the first one.
    compared: Option<ComparedState>,
    looked_at: Option<Timestamp>,
    round: u32,
    /// A look that is not repeated would leave something open.
    is_open: bool,
    /// Sockets that were not asked for their kind yet.
    left: u32,
}

/// What a look has compared: where it is the same again there is nothing to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ComparedState {
    /// [`HolderIndex::changes`](super::HolderIndex::changes).
    changes: u64,
    /// How many sockets with an inode were listed.
    listed: u64,
    /// A sum over their inodes that does not depend on their order.
    inodes: u64,
}

/// A socket that no table lists.
#[derive(Clone, Copy, Debug)]
struct Unlisted {
    kind: UnlistedKind,
    /// The network namespace of its process.
    netns: NetnsId,
    /// The last look that found it unlisted, and how many in a row did.
    round: u32,
    times: u8,
    /// No other namespace has it.
    is_placed: bool,
}

/// What `system.sockprotoname` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UnlistedKind {
    /// Not asked yet.
    Unknown,
    /// TCP or MPTCP, which what an MPTCP listener accepts is called too.
    Tcp(Family),
    Udp,
    Unix,
    Other,
    /// It is listed in a network namespace that is not shown, or belongs to a process there.
    Elsewhere,
}

impl UnlistedKind {
    fn named(name: &[u8]) -> Self {
        match name.split(|byte| *byte == 0).next().unwrap_or_default() {
            b"TCP" | b"MPTCP" => Self::Tcp(Family::Ipv4),
            b"TCPv6" | b"MPTCPv6" => Self::Tcp(Family::Ipv6),
            b"UDP" | b"UDPv6" | b"UDP-Lite" | b"UDPLITEv6" => Self::Udp,
            name if name.starts_with(b"UNIX") => Self::Unix,
            _ => Self::Other,
        }
    }
}

/// What a look goes by.
pub struct UnlistedContext<'a> {
    /// When the sample was begun.
    pub now: Timestamp,
    /// The network namespace of a process, if its sockets are shown.
    pub shown: &'a dyn Fn(u32) -> Option<NetnsId>,
    /// Other network namespaces exist that this sample does not list.
    pub others: bool,
    /// The inodes of the sockets that are looked at; `None` for all.
    pub held: Option<&'a FxHashSet<u32>>,
}

impl Owners {
    /// Compares what processes hold with what a full sample has: `sockets`, and those that are known. To be called after
    /// owners were sought.
    pub fn look_for_unlisted(
        &mut self,
        sockets: &[Socket],
        compared: Option<&DumpComparison>,
        context: &UnlistedContext<'_>,
    ) {
        let known = super::known_of(compared);
        let compared = self.compared(sockets, known);
        let unlisted = &self.unlisted;
        let is_due = unlisted.looked_at.is_none_or(|at| context.now.since(at) >= LOOK_AFTER);
        if unlisted.compared == Some(compared) && !unlisted.is_open && !is_due {
            return;
        }
        let listed: FxHashSet<u32> = sockets.iter().filter_map(inode).chain(known.iter().copied()).collect();
        let udp: FxHashSet<u32> =
            sockets.iter().filter(|socket| socket.protocol == Protocol::Udp).filter_map(inode).collect();
        let mut unlisted = std::mem::take(&mut self.unlisted);
        let budget = if unlisted.looked_at.is_none() { FIRST_BUDGET } else { BUDGET };
        (unlisted.compared, unlisted.looked_at) = (Some(compared), Some(context.now));
        unlisted.round = unlisted.round.wrapping_add(1);
        (unlisted.is_open, unlisted.left) = (false, 0);
        unlisted.listed.clear();
        let begun = clock::now().0;
        let mut pids: Vec<u32> = self.descriptors.keys().copied().collect();
        pids.sort_unstable();
        for pid in pids {
            let held = self.descriptors.get(&pid).map(|held| &held[..]).unwrap_or_default();
            let mut shown = None;
            let (mut tcp, mut of_udp) = (0, 0);
            for socket in held {
                if context.held.is_some_and(|held| !held.contains(&socket.inode)) {
                    continue;
                }
                if listed.contains(&socket.inode) {
                    *(if udp.contains(&socket.inode) { &mut of_udp } else { &mut tcp }) += 1;
                    continue;
                }
                let known = unlisted.known.entry(socket.inode).or_insert_with(|| {
                    let netns = *shown.get_or_insert_with(|| (context.shown)(pid));
                    Unlisted::new(netns)
                });
                if known.kind == UnlistedKind::Unknown {
                    // One that was asked and is not there any more is gone, not left over.
                    if clock::now().0.since(begun) <= budget {
                        known.kind = self.kind_of(pid, *socket);
                    } else {
                        unlisted.left += 1;
                    }
                }
                known.meet(unlisted.round, context.others);
                unlisted.is_open |= known.is_open();
            }
            unlisted.listed.insert(pid, (tcp, of_udp));
        }
        let round = unlisted.round;
        unlisted.known.retain(|_, known| known.round == round);
        self.unlisted = unlisted;
        self.count_kinds();
    }

    /// Whether one of the sockets `inodes` may be of TCP, and so in its table. What they are is asked by their descriptors in the
    /// processes that were looked through; it is not known of one that is in none of them, and of any of very many.
    pub fn may_be_tcp(&self, inodes: &FxHashSet<u32>) -> bool {
        if inodes.len() > KINDS_ASKED_MAX {
            return true;
        }
        let mut left = inodes.clone();
        for (pid, held) in &self.descriptors {
            for socket in held.iter().filter(|socket| inodes.contains(&socket.inode)) {
                let is_asked = left.remove(&socket.inode);
                if is_asked && matches!(self.kind_of(*pid, *socket), UnlistedKind::Tcp(_) | UnlistedKind::Unknown) {
                    return true;
                }
            }
        }
        !left.is_empty()
    }

    /// Whether one more look decides of some sockets whether they are in `CLOSE`.
    pub fn is_undecided(&self) -> bool {
        self.unlisted.known.values().any(|known| known.is_tcp() && known.times == 1)
    }

    /// That second look: `listed` are the inodes that the tables have by now.
    pub fn decide(&mut self, listed: &FxHashSet<u32>, others: bool) {
        for (inode, known) in self.unlisted.known.iter_mut().filter(|(_, known)| known.is_tcp() && known.times == 1) {
            if !listed.contains(inode) {
                known.times = 2;
                known.is_placed |= !others;
            }
        }
        self.count_kinds();
    }

    /// How many TCP sockets are in no table here and may be in that of another network namespace.
    pub fn unplaced(&self) -> u32 {
        super::count(self.unlisted.known.values().filter(|known| known.is_unplaced()))
    }

    /// How many sockets were not asked for their kind yet.
    pub const fn not_asked(&self) -> u32 {
        self.unlisted.left
    }

    /// `elsewhere` are the inodes that the tables of other namespaces list, of all of them if it `is_whole`: what is in none
    /// of those is in no table at all.
    pub fn place(&mut self, elsewhere: &FxHashSet<u32>, is_whole: bool) {
        for (inode, known) in self.unlisted.known.iter_mut().filter(|(_, known)| known.is_unplaced()) {
            if elsewhere.contains(inode) {
                known.kind = UnlistedKind::Elsewhere;
            } else {
                known.is_placed = is_whole;
            }
        }
        self.count_kinds();
    }

    fn count_kinds(&mut self) {
        let unlisted = &mut self.unlisted;
        unlisted.kinds.clear();
        for (pid, (tcp, udp)) in &unlisted.listed {
            let mut kinds = SocketKinds { tcp: *tcp, udp: *udp, ..SocketKinds::default() };
            let held = self.descriptors.get(pid).map(|held| &held[..]).unwrap_or_default();
            let known = held.iter().filter_map(|socket| unlisted.known.get(&socket.inode));
            known.for_each(|known| known.count(&mut kinds));
            if kinds.total() > 0 {
                unlisted.kinds.insert(*pid, kinds);
            }
        }
    }

    /// Appends a row for each TCP socket in `CLOSE`; of one that `sockets` lists again by now there is none. How many are
    /// left out, because there are too many.
    pub fn add_closed(&self, sockets: &mut Vec<Socket>) -> u32 {
        let is_closed = |known: &Unlisted| known.is_closed();
        let mut closed: Vec<(u32, &Unlisted)> = self
            .unlisted
            .known
            .iter()
            .filter(|(_, known)| is_closed(known))
            .map(|(inode, known)| (*inode, known))
            .collect();
        if closed.is_empty() {
            return 0;
        }
        closed.sort_unstable_by_key(|(inode, _)| *inode);
        let listed: FxHashSet<u32> = sockets.iter().filter_map(inode).collect();
        let (mut rows, mut of_process, mut left) = (0, FxHashMap::<u32, u32>::default(), 0);
        for (inode, known) in closed {
            let Some(holders) = self.holder_index.holders(inode).filter(|_| !listed.contains(&inode)) else { continue };
            let Some(socket) = known.row(inode, Owner::Live(Arc::clone(holders))) else { continue };
            let of_process = of_process.entry(holders.first().id.pid).or_default();
            if rows >= ROWS_MAX || *of_process >= ROWS_OF_PROCESS_MAX {
                left += 1;
                continue;
            }
            *of_process += 1;
            rows += 1;
            sockets.push(socket);
        }
        left
    }

    /// What decides whether there is anything to compare: the changes of the holdings, and the sockets that are listed.
    fn compared(&self, sockets: &[Socket], known: &[u32]) -> ComparedState {
        let inodes = sockets.iter().filter_map(inode).chain(known.iter().copied());
        let (listed, inodes) = inodes.fold((0, 0u64), |(count, sum): (u64, u64), inode| {
            (count + 1, sum.wrapping_add(u64::from(inode).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(inode % 61)))
        });
        ComparedState { changes: self.holder_index.changes(), listed, inodes }
    }

    fn kind_of(&self, pid: u32, socket: SocketFd) -> UnlistedKind {
        match self.proc.socket_kind(pid, socket) {
            Ok(name) => UnlistedKind::named(&name),
            // Closed or another one by now: the next look sees.
            Err(Errno::NOENT | Errno::SRCH | Errno::AGAIN | Errno::INTR) => UnlistedKind::Unknown,
            Err(_) => UnlistedKind::Other,
        }
    }
}

impl Unlisted {
    /// One that is new, of a process in `netns`, or in a namespace that is not shown.
    fn new(netns: Option<NetnsId>) -> Self {
        let kind = if netns.is_some() { UnlistedKind::Unknown } else { UnlistedKind::Elsewhere };
        Self { kind, netns: netns.unwrap_or_default(), round: 0, times: 0, is_placed: false }
    }

    /// One more look has not found it listed.
    fn meet(&mut self, round: u32, others: bool) {
        if self.round != round {
            (self.round, self.times) = (round, self.times.saturating_add(1));
        }
        self.is_placed |= !others && self.times > 1;
    }

    const fn is_tcp(&self) -> bool {
        matches!(self.kind, UnlistedKind::Tcp(_))
    }

    const fn is_unplaced(&self) -> bool {
        self.is_tcp() && self.times > 1 && !self.is_placed
    }

    const fn is_closed(&self) -> bool {
        self.is_tcp() && self.times > 1 && self.is_placed
    }

    const fn is_open(&self) -> bool {
        matches!(self.kind, UnlistedKind::Unknown) || (self.is_tcp() && !self.is_closed())
    }

    fn count(&self, kinds: &mut SocketKinds) {
        let count = match self.kind {
            UnlistedKind::Tcp(_) if self.is_closed() => &mut kinds.closed,
            UnlistedKind::Tcp(_) | UnlistedKind::Unknown => &mut kinds.unknown,
            UnlistedKind::Udp => &mut kinds.udp,
            UnlistedKind::Unix => &mut kinds.unix,
            UnlistedKind::Other | UnlistedKind::Elsewhere => &mut kinds.other,
        };
        *count += 1;
    }

    /// Its row. Whose endpoints they were the kernel does not tell any more.
    fn row(&self, inode: u32, owner: Owner) -> Option<Socket> {
        let UnlistedKind::Tcp(family) = self.kind else { return None };
        let inode = NonZeroU32::new(inode)?;
        let unset = Endpoint::new(family.unspecified(), 0);
        Some(Socket::unhashed(SocketId::from_inode(inode, self.netns), (family, unset), inode, owner))
    }
}

fn inode(socket: &Socket) -> Option<u32> {
    socket.inode.map(NonZeroU32::get).filter(|_| socket.state != TcpState::Close)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_protocols_say_what_a_socket_is() {
        for (name, kind) in [
            (&b"TCP\0"[..], UnlistedKind::Tcp(Family::Ipv4)),
            (b"TCPv6\0", UnlistedKind::Tcp(Family::Ipv6)),
            (b"MPTCP\0", UnlistedKind::Tcp(Family::Ipv4)),
            (b"UDP\0", UnlistedKind::Udp),
            (b"UDPv6", UnlistedKind::Udp),
            (b"UNIX\0", UnlistedKind::Unix),
            (b"UNIX-STREAM\0", UnlistedKind::Unix),
            (b"NETLINK\0", UnlistedKind::Other),
            (b"PACKET\0", UnlistedKind::Other),
            (b"", UnlistedKind::Other),
        ] {
            assert_eq!(UnlistedKind::named(name), kind);
        }
    }

    #[test]
    fn one_look_decides_nothing_and_another_namespace_may_have_it() {
        let mut one = Unlisted { kind: UnlistedKind::Tcp(Family::Ipv4), ..Unlisted::new(Some(NetnsId(1))) };
        one.meet(1, false);
        one.meet(1, false);
        assert!(!one.is_closed() && one.is_open(), "two descriptors of it are one look");
        one.meet(2, true);
        assert!(!one.is_closed() && one.is_unplaced());
        one.meet(3, false);
        assert!(one.is_closed() && !one.is_open());
        let in_others = Unlisted::new(None);
        assert!(in_others.kind == UnlistedKind::Elsewhere && !in_others.is_open() && !in_others.is_closed());
    }
}
