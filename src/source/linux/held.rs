//! Dumps the sockets that some processes hold, whose inodes are known.
//!
//! No kernel can be asked for inodes. But of a large table most of the time goes into telling sockets, and a quarter into the
//! walk by them. So where processes have control groups that most other sockets are not in, the kernel is asked for the sockets
//! of these first. Nothing rests on that: a socket keeps the control group that it was made in. Each socket that is held and was
//! not told is asked by its descriptor what it is, and where one of them may be in the table, the whole table is dumped.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroU64};

use rustc_hash::FxHashSet;

use crate::model::coverage::Coverage;
use crate::model::endpoint::Protocol;
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
/// Of more control groups nothing is guessed.
const CGROUPS_MAX: usize = 16;

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

impl HeldDump<'_> {
    /// Takes in the held sockets that `plan` asks for.
    pub fn read(
        &mut self,
        plan: &mut DumpPlan,
        sockets: &mut Vec<Socket>,
        coverage: &mut Coverage,
    ) -> Result<(), SourceError> {
        let wants_tcp_info = plan.dumps.iter().any(|dump| dump.tcp_info && is_of_connections(dump));
        if !plan.is_whole() || self.expected < self.guess_min || !self.tables.has_parts() {
            return self.read_whole(plan, self.held, wants_tcp_info, sockets, coverage);
        }
        let (connections, rest) = split(plan);
        self.read_part(&rest, sockets, coverage)?;
        let guess = self.guess(&connections, sockets);
        self.read_connections(connections, guess.as_ref(), wants_tcp_info, sockets, coverage).map(drop)
    }

    /// Takes in the held sockets that `connections` ask for, those first that pass `guess`; whether those were all.
    fn read_connections(
        &mut self,
        mut connections: DumpPlan,
        guess: Option<&KernelTest>,
        wants_tcp_info: bool,
        sockets: &mut Vec<Socket>,
        coverage: &mut Coverage,
    ) -> Result<bool, SourceError> {
        let is_all = match guess {
            Some(guess) => self.read_guessed(&connections, guess, sockets, coverage)?,
            None => false,
        };
        if !is_all {
            let left = self.not_among(sockets);
            self.read_whole(&mut connections, &left, wants_tcp_info, sockets, coverage)?;
        }
        Ok(is_all)
    }

    /// Takes in those of the held sockets that pass `guess`; whether those are all that the plan for `connections` can bring.
    fn read_guessed(
        &mut self,
        connections: &DumpPlan,
        guess: &KernelTest,
        sockets: &mut Vec<Socket>,
        coverage: &mut Coverage,
    ) -> Result<bool, SourceError> {
        let mut guessed = connections.clone();
        for dump in &mut guessed.dumps {
            // Sockets that are only bound take a walk of their own.
            dump.states &= !(sock_diag::BOUND | sock_diag::WITHOUT_INODE);
            dump.test = KernelTest::all([dump.test.clone(), guess.clone()]);
        }
        self.read_part(&guessed, sockets, coverage)?;
        Ok(!self.owners.may_be_tcp(&self.not_among(sockets)))
    }

    /// The inodes of the held sockets that are not among `sockets`.
    fn not_among(&self, sockets: &[Socket]) -> FxHashSet<u32> {
        let mut left = self.held.clone();
        for inode in sockets.iter().filter_map(inode) {
            left.remove(&inode);
        }
        left
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

    fn read_part(
        &mut self,
        plan: &DumpPlan,
        sockets: &mut Vec<Socket>,
        coverage: &mut Coverage,
    ) -> Result<(), SourceError> {
        let mut intake = DumpIntake::all(sockets).of_plan(Some(plan)).of_held(Some(self.held));
        self.tables.read_plan(plan, DumpThreads::One, &mut intake, coverage)
    }

    /// What the kernel is to test first of the sockets of `connections`, where some that are held were `found`; `None` where a
    /// walk of the whole table costs hardly more.
    fn guess(&mut self, connections: &DumpPlan, found: &[Socket]) -> Option<KernelTest> {
        let [planned] = &connections.dumps[..] else { return None };
        let states = planned.states & !(sock_diag::BOUND | sock_diag::WITHOUT_INODE);
        let planned = PlannedDump { states, tcp_info: false, ..planned.clone() };
        let first = self.tables.first_of(&planned, FIRST_LEN);
        let cgroups = selective_cgroups(&first, found, self.held)?;
        Some(KernelTest::any(cgroups.into_iter().map(|id| KernelTest::Is(TestedFact::Cgroup(id)))))
    }
}

/// The control groups of the sockets that are held, those `found` and those among the `first` ones of a dump. `None` where there
/// are none, too many, or ones that more than half of the others are in.
fn selective_cgroups(first: &[Socket], found: &[Socket], held: &FxHashSet<u32>) -> Option<BTreeSet<NonZeroU64>> {
    let is_held = |socket: &&Socket| inode(socket).is_some_and(|inode| held.contains(&inode));
    let (ours, others): (Vec<&Socket>, Vec<&Socket>) = first.iter().partition(is_held);
    let cgroups =
        ours.into_iter().chain(found).map(|socket| socket.cgroup).collect::<Option<BTreeSet<NonZeroU64>>>()?;
    let is_in_one = |socket: &&&Socket| socket.cgroup.is_some_and(|id| cgroups.contains(&id));
    let is_selective = others.iter().filter(is_in_one).count() <= others.len() / 2;
    (is_selective && (1..=CGROUPS_MAX).contains(&cgroups.len())).then_some(cgroups)
}

/// The part of `plan` that is of TCP connections, and the rest.
fn split(plan: &DumpPlan) -> (DumpPlan, DumpPlan) {
    let (mut connections, mut rest) = (plan.clone(), plan.clone());
    connections.dumps.retain(is_of_connections);
    connections.mptcp = 0;
    rest.dumps.retain(|dump| !is_of_connections(dump));
    (connections, rest)
}

fn is_of_connections(dump: &PlannedDump) -> bool {
    dump.protocol == Protocol::Tcp && !dump.is_of_listeners()
}

fn inode(socket: &Socket) -> Option<u32> {
    socket.inode.map(NonZeroU32::get)
}

#[cfg(test)]
mod tests;
