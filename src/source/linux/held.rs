//! Dumps the sockets that some processes hold, whose inodes are known.
//!
//! No kernel can be asked for inodes. But of a large table most of the time goes into telling sockets, and a quarter into the
//! walk by them. So the first sockets of a dump are looked at: what those that are held have in common, a control group or a
//! port, and most others have not, the kernel is asked for first. Nothing rests on that guess. Each socket that is held and was
//! not told is asked by its descriptor what it is, and where one of them may be in the table, the whole table is dumped.

use std::num::{NonZeroU32, NonZeroU64};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::model::coverage::Coverage;
use crate::model::endpoint::Protocol;
use crate::model::query::SocketEnd;
use crate::model::socket::Socket;
use crate::source::SourceError;
use crate::source::linux::dumper::DumpThreads;
use crate::source::linux::intake::DumpIntake;
use crate::source::linux::kernel_test::{KernelTest, TestedFact};
use crate::source::linux::owners::Owners;
use crate::source::linux::query::{DumpPlan, PlannedDump};
use crate::source::linux::sock_diag;
use crate::source::linux::tables::SocketTables;

/// To look for one socket takes as long as to have the `tcp_info` of so many told in a dump.
const LOOK_UP_PRICE: usize = 16;
/// Of a table with fewer sockets nothing is guessed: all of them are told in some 15 ms.
pub const GUESS_MIN: usize = 10_000;
/// So many sockets are looked at to guess: some 5 ms.
const FIRST_LEN: u32 = 4_000;
/// A guess takes so many of them that are held.
const HELD_MIN: usize = 8;
/// A guess has at most so many marks.
const MARKS_MAX: usize = 16;

/// What is wanted, and where to have it from.
pub struct HeldDump<'a> {
    /// The tables.
    pub tables: &'a mut SocketTables,
    /// Those who found what is held.
    pub owners: &'a Owners,
    /// The inodes of the sockets that are held.
    pub held: &'a FxHashSet<u32>,
    /// By how many threads a whole table is read.
    pub threads: DumpThreads,
    /// About how many sockets there are.
    pub expected: usize,
    /// From how many on a guess is made: [`GUESS_MIN`].
    pub guess_min: usize,
}

/// What a held socket has in common with others, and the kernel can test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum CommonMark {
    Cgroup(NonZeroU64),
    LocalPort(u16),
    RemotePort(u16),
}

impl HeldDump<'_> {
    /// Takes in the held sockets that `plan` asks for.
    pub fn read(
        &mut self,
        plan: &mut DumpPlan,
        sockets: &mut Vec<Socket>,
        coverage: &mut Coverage,
    ) -> Result<(), SourceError> {
        let wants_tcp_info = plan.dumps.iter().any(|dump| dump.tcp_info && is_of_connections(dump));
        let Some(guess) = self.guess(plan) else {
            return self.read_whole(plan, self.held, wants_tcp_info, sockets, coverage);
        };
        let (mut connections, mut rest) = (plan.clone(), plan.clone());
        connections.dumps.retain(is_of_connections);
        connections.mptcp = 0;
        rest.dumps.retain(|dump| !is_of_connections(dump));
        let mut guessed = connections.clone();
        for dump in &mut guessed.dumps {
            // Sockets that are only bound take a walk of their own.
            dump.states &= !(sock_diag::BOUND | sock_diag::WITHOUT_INODE);
            dump.test = KernelTest::all([dump.test.clone(), guess.clone()]);
        }
        for part in [&rest, &guessed] {
            let mut intake = DumpIntake::all(sockets).of_plan(Some(part)).of_held(Some(self.held));
            self.tables.read_plan(part, DumpThreads::One, &mut intake, coverage)?;
        }
        let mut left = self.held.clone();
        for inode in sockets.iter().filter_map(inode) {
            left.remove(&inode);
        }
        if self.owners.may_be_tcp(&left) {
            self.read_whole(&mut connections, &left, wants_tcp_info, sockets, coverage)?;
        }
        Ok(())
    }

    /// Takes in the sockets with the inodes `held`. Where the kernel tells many more sockets than are wanted, it tells no
    /// `tcp_info` of them: each of those that are wanted is looked for.
    fn read_whole(
        &mut self,
        plan: &mut DumpPlan,
        held: &FxHashSet<u32>,
        wants_tcp_info: bool,
        sockets: &mut Vec<Socket>,
        coverage: &mut Coverage,
    ) -> Result<(), SourceError> {
        let completes = wants_tcp_info && held.len().saturating_mul(LOOK_UP_PRICE) < self.expected;
        if completes {
            plan.ask_for_tcp_info(false);
        }
        let mut intake = DumpIntake::all(sockets).of_plan(Some(plan)).of_held(Some(held));
        self.tables.read_plan(plan, self.threads, &mut intake, coverage)?;
        if completes {
            self.tables.complete(sockets);
        }
        Ok(())
    }

    /// What the kernel is to test of connections first; `None` where a walk of the whole table costs hardly more.
    fn guess(&mut self, plan: &DumpPlan) -> Option<KernelTest> {
        if !plan.is_whole() || self.expected < self.guess_min || self.held.len() > self.expected / 2 {
            return None;
        }
        let mut of_connections = plan.dumps.iter().filter(|dump| is_of_connections(dump));
        let (Some(planned), None) = (of_connections.next(), of_connections.next()) else { return None };
        let states = planned.states & !(sock_diag::BOUND | sock_diag::WITHOUT_INODE);
        let planned = PlannedDump { states, tcp_info: false, ..planned.clone() };
        let first = self.tables.first_of(&planned, FIRST_LEN);
        Some(KernelTest::any(common_marks(&first, self.held)?.into_iter().map(CommonMark::test)))
    }
}

impl CommonMark {
    fn of(socket: &Socket) -> impl Iterator<Item = Self> {
        let ports = [Self::LocalPort(socket.local.port), Self::RemotePort(socket.remote.port)];
        socket.cgroup.map(Self::Cgroup).into_iter().chain(ports)
    }

    fn test(self) -> KernelTest {
        match self {
            Self::Cgroup(id) => KernelTest::Is(TestedFact::Cgroup(id)),
            Self::LocalPort(port) => KernelTest::port(SocketEnd::Local, port, port),
            Self::RemotePort(port) => KernelTest::port(SocketEnd::Remote, port, port),
        }
    }
}

/// Marks of which each of the `held` ones among `first` has one, and at most half of the others; `None` where there are none.
fn common_marks(first: &[Socket], held: &FxHashSet<u32>) -> Option<Vec<CommonMark>> {
    let is_held = |socket: &&Socket| inode(socket).is_some_and(|inode| held.contains(&inode));
    let (mut left, others): (Vec<&Socket>, Vec<&Socket>) = first.iter().partition(is_held);
    if left.len() < HELD_MIN {
        return None;
    }
    let (of_others, mut marks) = (tally(&others), Vec::new());
    while !left.is_empty() && marks.len() < MARKS_MAX {
        let of_left = tally(&left);
        let others_with = |mark: &CommonMark| of_others.get(mark).copied().unwrap_or(0);
        // By how much it is more frequent among them than among the others.
        let gain =
            |(mark, count): (&CommonMark, &i64)| (count * length(&others) - others_with(mark) * length(&left), *mark);
        let (_, mark) = of_left.iter().map(gain).max().filter(|(gain, _)| *gain > 0)?;
        left.retain(|socket| !CommonMark::of(socket).any(|of_socket| of_socket == mark));
        marks.push(mark);
    }
    let has_one = |socket: &&&Socket| CommonMark::of(socket).any(|mark| marks.contains(&mark));
    let is_selective = others.iter().filter(has_one).count() <= others.len() / 2;
    (left.is_empty() && is_selective).then_some(marks)
}

fn tally(sockets: &[&Socket]) -> FxHashMap<CommonMark, i64> {
    let mut tally = FxHashMap::default();
    for mark in sockets.iter().flat_map(|socket| CommonMark::of(socket)) {
        *tally.entry(mark).or_default() += 1;
    }
    tally
}

fn length(sockets: &[&Socket]) -> i64 {
    i64::try_from(sockets.len()).unwrap_or(i64::MAX)
}

fn is_of_connections(dump: &PlannedDump) -> bool {
    dump.protocol == Protocol::Tcp && !dump.is_of_listeners()
}

fn inode(socket: &Socket) -> Option<u32> {
    socket.inode.map(NonZeroU32::get)
}

#[cfg(test)]
mod tests;
