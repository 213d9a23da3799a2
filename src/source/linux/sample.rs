//! How a sample is read: the tables of the kernel first, then what completes their sockets.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashSet;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice};

use crate::model::coverage::Coverage;
use crate::model::process::Names;
use crate::model::query::{QueryFields, SocketQuery};
use crate::model::sink::SampleSink;
use crate::model::snapshot::{Needs, Snapshot, SourceKind};
use crate::model::socket::{NetnsId, Socket};
use crate::model::text::{DisplayText, NAME_LEN_MAX};
use crate::model::time::Timestamp;
use crate::source::linux::LinuxSource;
use crate::source::linux::dumper::DumpThreads;
use crate::source::linux::held::{self, HeldDump};
use crate::source::linux::intake::DumpIntake;
use crate::source::linux::names::NameInputs;
use crate::source::linux::namespaces::others::OtherNamespaces;
use crate::source::linux::owners::unlisted::UnlistedContext;
use crate::source::linux::owners::{AttributionContext, DumpComparison, OwnerGaps, Owners};
use crate::source::linux::parts;
use crate::source::linux::proc_net::expected_sockets;
use crate::source::linux::processes::ClockReading;
use crate::source::linux::query::{self, DumpPlan};
use crate::source::linux::state_dumps::Search;
use crate::source::linux::subflows;
use crate::source::linux::sure;
use crate::source::linux::unhashed::{Unhashed, UnhashedProof};
use crate::source::linux::units::Units;
use crate::source::{SourceError, clock};

/// A partial sample is of our own namespace and says nothing of others. So when those are wanted no more, so many full
/// samples come first: the tracker takes a socket for gone when a second one does not list it.
const FULL_AFTER_OTHERS: u8 = 2;

/// The first sample takes memory for at most so many sockets before it knows that there are that many.
const EXPECTED_MAX: usize = 1_000_000;
/// For so many sockets, it is read on two threads, and bound sockets are asked for only if there may be any: for fewer, one
/// walk of the kernel's table counts more.
const LARGE_MIN: usize = 10_000;

/// The tables of namespaces that are not shown are read for sockets of ours at most this often.
const OTHER_SEARCH_AFTER: Duration = Duration::from_secs(10);
/// Reading the tables of namespaces that are not shown takes at most this part of the time: a fiftieth.
const OTHER_SEARCH_DUTY: u32 = 50;

impl LinuxSource {
    /// A part of the sockets if that is `possible`, else all of them.
    pub(super) fn read_sockets(
        &mut self,
        possible: bool,
        needs: &Needs,
        sink: &mut dyn SampleSink,
        snapshot: &mut Snapshot,
    ) -> Result<(), SourceError> {
        if possible && self.read_part(needs, sink, snapshot)? { Ok(()) } else { self.read_all(needs, sink, snapshot) }
    }

    /// Every socket that the query of `needs` asks for, but for those that `sink` knows: dumped first, then completed by their
    /// owners, units and names.
    fn read_all(
        &mut self,
        needs: &Needs,
        sink: &mut dyn SampleSink,
        snapshot: &mut Snapshot,
    ) -> Result<(), SourceError> {
        let first = std::mem::take(&mut self.is_first).then(|| FirstSample { expected: expected_sockets() });
        let is_less = query::is_less_without_unhashed(&needs.query);
        let mut proof = (is_less || walks_large_table(&needs.query, first)).then(UnhashedProof::open);
        let mut unhashed = proof.as_mut().map_or(Unhashed::Possible, UnhashedProof::look);
        let coverage = snapshot.coverage.clone();
        let mut read = self.read_tables(unhashed, first, needs, sink, snapshot)?;
        if is_less && unhashed == Unhashed::None && proof.as_mut().map(UnhashedProof::look) != Some(Unhashed::None) {
            // One that was hashed may have come to `CLOSE` before its turn in the dump.
            unhashed = Unhashed::Possible;
            snapshot.coverage = coverage;
            snapshot.sockets.clear();
            read = self.read_tables(unhashed, first, needs, sink, snapshot)?;
        }
        // The files of other namespaces that it has open would keep those.
        drop(proof);
        self.full_due = if needs.all_namespaces { FULL_AFTER_OTHERS } else { self.full_due.saturating_sub(1) };
        let query = query::with_search(&needs.query, unhashed);
        let ReadTables { compared, lists_all, held } = read;
        if query.fields.owner {
            self.find_owners(&query, lists_all, compared.as_ref(), snapshot);
        }
        if query::finds_unhashed(&query, unhashed) {
            self.look_for_unlisted(needs, first.is_some(), (compared.as_ref(), held.as_ref()), snapshot);
        }
        let known = compared.map_or(0, |compared| compared.known.len());
        snapshot.coverage.sockets = u32::try_from(snapshot.sockets.len().saturating_add(known)).unwrap_or(u32::MAX);
        self.complete_units(needs, snapshot);
        snapshot.names = self.read_names(needs, snapshot);
        let units = self.units.as_ref().filter(|_| needs.query.fields.units);
        snapshot.coverage.degraded.extend(units.and_then(Units::lost).map(DisplayText::new));
        if self.parts.is_engaged() {
            let ended = self.parts.ended();
            self.tables.look_up_ended(ended, &mut Vec::new(), &mut snapshot.gone);
        }
        Ok(())
    }

    /// Dumps what the query of `needs` asks for, of our own namespace and, if they are wanted, of others.
    fn read_tables(
        &mut self,
        unhashed: Unhashed,
        first: Option<FirstSample>,
        needs: &Needs,
        sink: &mut dyn SampleSink,
        snapshot: &mut Snapshot,
    ) -> Result<ReadTables, SourceError> {
        let query = &query::with_search(&needs.query, unhashed);
        let mut plan = self.tables.plan(query, unhashed);
        let held = self.held_by_wanted(query, &plan, snapshot);
        let compared = match &held {
            Some(held) => self.dump_held(&mut plan, held, first, snapshot).map(|()| None)?,
            None => self.dump_all(&plan, query.fields.owner, first, sink, snapshot)?,
        };
        if query.fields.users {
            self.names.ask_for_users(&snapshot.sockets);
        }
        self.read_other_namespaces(needs, unhashed, snapshot);
        Ok(ReadTables { compared, lists_all: plan.is_whole() && held.is_none(), held })
    }

    /// Dumps our own tables; the first time as fast as it goes. Where `sink` remembers a sample of all sockets and their owners
    /// (`compares`), each socket is compared while it is dumped.
    fn dump_all(
        &mut self,
        plan: &DumpPlan,
        compares: bool,
        first: Option<FirstSample>,
        sink: &mut dyn SampleSink,
        snapshot: &mut Snapshot,
    ) -> Result<Option<DumpComparison>, SourceError> {
        let now = moment(snapshot);
        let (sockets, coverage) = (&mut snapshot.sockets, &mut snapshot.coverage);
        let compares = compares && plan.is_whole() && first.is_none() && sink.remembers();
        if !compares {
            let expected = first.map_or(0, |first| first.expected);
            // In one piece: a list that grows leaves holes behind that the allocator keeps.
            sockets.reserve(expected.min(EXPECTED_MAX));
            let intake = &mut DumpIntake::all(sockets).of_plan(Some(plan));
            return self.tables.read_plan(plan, threads_for(first), intake, coverage).map(|()| None);
        }
        let rechecked = self.owners.recheck(now);
        let mut intake = DumpIntake::compared(sockets, sink, &self.owners);
        self.tables.read_plan(plan, DumpThreads::One, &mut intake, coverage)?;
        Ok(Some(DumpComparison { rechecked, known: intake.into_known() }))
    }

    /// The inodes of the sockets that the processes hold which `query` wants; `None` where that does not tell which sockets
    /// are wanted. The holder of an MPTCP socket need not hold the TCP sockets that carry it.
    fn held_by_wanted(&mut self, query: &SocketQuery, plan: &DumpPlan, snapshot: &Snapshot) -> Option<FxHashSet<u32>> {
        let test = query.process.as_ref().filter(|_| query.fields.owner && !plan.may_have_subflows)?;
        self.owners.held_by(test, moment(snapshot)).ok()
    }

    /// Dumps the sockets with the inodes `held`.
    fn dump_held(
        &mut self,
        plan: &mut DumpPlan,
        held: &FxHashSet<u32>,
        first: Option<FirstSample>,
        snapshot: &mut Snapshot,
    ) -> Result<(), SourceError> {
        let (tables, owners, threads) = (&mut self.tables, &self.owners, threads_for(first));
        let expected = first.map_or_else(expected_sockets, |first| first.expected);
        let mut dump = HeldDump { tables, owners, held, threads, expected, guess_min: held::GUESS_MIN };
        dump.read(plan, &mut snapshot.sockets, &mut snapshot.coverage)
    }

    /// Fills in whose the sockets are. Where the sample does not list all of them, what is known of others stays known.
    fn find_owners(
        &mut self,
        query: &SocketQuery,
        lists_all: bool,
        compared: Option<&DumpComparison>,
        snapshot: &mut Snapshot,
    ) {
        let now = moment(snapshot);
        subflows::detach(&mut snapshot.sockets);
        let attribute = |owners: &mut Owners, asked: AttributionContext<'_>| {
            if lists_all {
                owners.attribute(&mut snapshot.sockets, compared, asked)
            } else {
                owners.attribute_query(&mut snapshot.sockets, query, asked)
            }
        };
        let gaps = self.attribute(now, attribute);
        subflows::adopt(&mut snapshot.sockets);
        self.note_gaps(gaps, query.process.is_some(), &mut snapshot.coverage);
    }

    /// The sockets of which a change was told, those of the scope that this leaves to be dumped, those on the screen, those
    /// that ended, and those that `sink` misses. `false` where a full sample has to come first.
    fn read_part(
        &mut self,
        needs: &Needs,
        sink: &dyn SampleSink,
        snapshot: &mut Snapshot,
    ) -> Result<bool, SourceError> {
        let search = self.look_for_changed(sink, snapshot);
        let Some((scope, coverage)) = self.parts.begin(snapshot.at, search, snapshot.facts.counters) else {
            return Ok(false);
        };
        (snapshot.scope, snapshot.coverage) = (scope, coverage);
        self.tables.read_part(scope, &mut DumpIntake::all(&mut snapshot.sockets), &mut snapshot.coverage)?;
        let (wanted, listed) = (parts::worth_a_look(snapshot, &needs.visible), snapshot.sockets.len());
        self.tables.look_up(&wanted, &mut snapshot.sockets, &mut snapshot.gone);
        let ended = self.parts.ended();
        self.tables.look_up_ended(ended, &mut snapshot.sockets, &mut snapshot.gone);
        parts::drop_repeated(&mut snapshot.sockets, listed);
        let missing = sink.missing(snapshot);
        self.tables.look_up(&missing, &mut snapshot.sockets, &mut snapshot.gone);
        self.read_other_namespaces(needs, Unhashed::Possible, snapshot);
        subflows::detach(&mut snapshot.sockets);
        let attribute =
            |owners: &mut Owners, asked: AttributionContext<'_>| owners.attribute_part(&mut snapshot.sockets, asked);
        self.attribute(ClockReading { at: snapshot.at, wall: snapshot.wall }, attribute);
        subflows::adopt(&mut snapshot.sockets);
        self.owners.add_closed(&mut snapshot.sockets);
        self.complete_units(needs, snapshot);
        snapshot.names = self.read_names(needs, snapshot);
        Ok(true)
    }

    /// Looks up the sockets of which a change of state was told. What is not found by its endpoints may be one that `sink` knows,
    /// and that is gone, or bound to a device.
    fn look_for_changed(&mut self, sink: &dyn SampleSink, snapshot: &mut Snapshot) -> Search {
        let changed = self.parts.changed();
        let Some(mut unfound) = self.tables.look_up_changed(&changed.sought, &mut snapshot.sockets) else {
            self.parts.note_failure(snapshot.at);
            return Search::default();
        };
        let mut places = changed.over.clone();
        places.extend(unfound.iter().map(parts::endpoints));
        if !places.is_empty() {
            let known = sink.at_endpoints(&places);
            self.tables.look_up(&known, &mut snapshot.sockets, &mut snapshot.gone);
            let known: FxHashSet<_> = known.iter().map(|socket| (socket.local, socket.remote)).collect();
            unfound.retain(|change| !known.contains(&parts::endpoints(change)));
        }
        self.parts.note_unfound(&changed, unfound)
    }

    /// Gives sockets the control group that the kernel does not tell of them, if units are wanted.
    fn complete_units(&mut self, needs: &Needs, snapshot: &mut Snapshot) {
        if !needs.query.fields.units {
            return;
        }
        self.features.learn(&snapshot.sockets);
        let units = self.units.get_or_insert_with(Units::open);
        units.complete(&mut snapshot.sockets, &self.owners, snapshot.at);
    }

    /// Has owners sought in the way `attribute` says, with what the tables tell of sockets that nobody was found for.
    fn attribute(
        &mut self,
        now: ClockReading,
        attribute: impl FnOnce(&mut Owners, AttributionContext<'_>) -> OwnerGaps,
    ) -> OwnerGaps {
        let (own, tables, other_namespaces) = (self.namespaces.own(), &mut self.tables, &mut self.other_namespaces);
        let held = &mut |asked: &[&Socket]| {
            let mut held = vec![None; asked.len()];
            let namespaces: BTreeSet<NetnsId> = asked.iter().map(|socket| socket.id.netns()).collect();
            for netns in namespaces {
                let positions: Vec<usize> = (0..asked.len()).filter(|at| asked[*at].id.netns() == netns).collect();
                let some: Vec<&Socket> = positions.iter().map(|at| asked[*at]).collect();
                let answers = if netns == own { tables.held(&some) } else { other_namespaces.held(netns, &some) };
                positions.iter().zip(answers).for_each(|(at, answer)| held[*at] = answer);
            }
            held
        };
        let visibility = &self.visibility;
        let some_invisible = &|| sure(visibility).is_limited();
        attribute(&mut self.owners, AttributionContext { now, own, some_invisible, held })
    }

    /// Adds the sockets that processes hold and no table lists. `held` are the inodes of those that are looked at, if not all.
    fn look_for_unlisted(
        &mut self,
        needs: &Needs,
        is_first: bool,
        (compared, held): (Option<&DumpComparison>, Option<&FxHashSet<u32>>),
        snapshot: &mut Snapshot,
    ) {
        let (namespaces, other_namespaces) = (&self.namespaces, &self.other_namespaces);
        let own = namespaces.own();
        let shown = |pid: u32| {
            let netns = namespaces.namespace_of(pid).ok()?;
            (netns == own || (needs.all_namespaces && other_namespaces.is_shown(netns))).then_some(netns)
        };
        // What is not known may be.
        let may_be_others = snapshot.coverage.other_namespaces > 0 || !needs.query.fields.namespaces;
        let context = UnlistedContext { now: snapshot.at, shown: &shown, others: may_be_others, held };
        self.owners.look_for_unlisted(&snapshot.sockets, compared, &context);
        if !needs.query.fields.namespaces && (self.owners.is_undecided() || self.owners.unplaced() > 0) {
            self.count_other_namespaces(needs, snapshot);
        }
        let others = snapshot.coverage.other_namespaces > 0;
        if is_first && self.owners.is_undecided() {
            // Whoever asks once is answered at once.
            let (plan, mut again) = (DumpPlan::of(&every_inode(), Unhashed::Possible), Vec::new());
            let intake = &mut DumpIntake::all(&mut again);
            if self.tables.read_plan(&plan, DumpThreads::One, intake, &mut Coverage::default()).is_ok() {
                self.owners.decide(&inodes(&again), others);
            }
        }
        if self.owners.unplaced() > 0 {
            self.search_other_namespaces(snapshot.at);
        }
        let left = self.owners.add_closed(&mut snapshot.sockets);
        let unplaced = if self.others_are_hidden { self.owners.unplaced() } else { 0 };
        let said = unlisted_sentences(self.owners.not_asked(), unplaced, left);
        snapshot.coverage.degraded.extend(said.iter().map(|sentence| DisplayText::new(sentence)));
    }

    /// Looks for sockets that no table here lists in the other namespaces, from which a process can have them: seldom, as
    /// all of those are read for it.
    fn search_other_namespaces(&mut self, now: Timestamp) {
        if now < self.other_search_after {
            return;
        }
        let begun = clock::now().0;
        let (mut other_namespaces, mut sockets) =
            (OtherNamespaces::new(self.info.kind == SourceKind::Procfs), Vec::new());
        let query = (&every_inode(), Unhashed::Possible);
        other_namespaces.read(&self.namespaces, now, query, &mut sockets, &mut Coverage::default());
        let is_whole = other_namespaces.shown() as usize == self.namespaces.locations().len();
        self.others_are_hidden = !is_whole;
        self.owners.place(&inodes(&sockets), is_whole);
        let took = clock::now().0.since(begun);
        self.other_search_after = now.after(OTHER_SEARCH_AFTER.max(took.saturating_mul(OTHER_SEARCH_DUTY)));
    }

    /// The sockets of other namespaces, if they are wanted; how many namespaces there are, if that is.
    fn read_other_namespaces(&mut self, needs: &Needs, unhashed: Unhashed, snapshot: &mut Snapshot) {
        if needs.all_namespaces {
            self.namespaces.refresh(snapshot.at, true);
            let (sockets, coverage) = (&mut snapshot.sockets, &mut snapshot.coverage);
            let query = &query::with_search(&needs.query, unhashed);
            self.other_namespaces.read(&self.namespaces, snapshot.at, (query, unhashed), sockets, coverage);
        } else {
            self.other_namespaces.close();
        }
        if needs.all_namespaces || needs.query.fields.namespaces {
            self.count_other_namespaces(needs, snapshot);
        }
    }

    /// Counts the namespaces that this sample does not list.
    fn count_other_namespaces(&mut self, needs: &Needs, snapshot: &mut Snapshot) {
        if !needs.all_namespaces {
            self.namespaces.refresh(snapshot.at, false);
        }
        let others = u32::try_from(self.namespaces.locations().len()).unwrap_or(u32::MAX);
        snapshot.coverage.other_namespaces = others.saturating_sub(self.other_namespaces.shown());
    }

    /// All names for a full sample; for a partial one, those of before and what is new.
    fn read_names(&mut self, needs: &Needs, snapshot: &Snapshot) -> Arc<Names> {
        let fields = needs.query.fields;
        let (own, other_namespaces, inquirer) = (self.namespaces.own(), &self.other_namespaces, &self.inquirer);
        let interface = |netns: NetnsId, index: u32| {
            if netns != own {
                return other_namespaces.interface_name(netns, index);
            }
            let inquirer = inquirer.get_or_init(|| open_inquirer().ok()).as_ref()?;
            let name = netdevice::index_to_name_inlined(inquirer, index).ok()?;
            Some(DisplayText::from_bytes(name.as_bytes(), NAME_LEN_MAX))
        };
        let (reach, namespaces, all) = (&mut self.reach, &self.namespaces, needs.all_namespaces);
        let reachable = fields.reach.then(|| reach.update(snapshot.at, namespaces, all)).flatten();
        let units = self.units.as_mut().filter(|_| fields.units);
        let units = units.and_then(|units| units.update(&snapshot.sockets, snapshot.at).then(|| units.names()));
        let namespaces = self.namespaces.names(needs.all_namespaces);
        let others = NameInputs {
            namespaces,
            own: Some(own).filter(|own| own.0 != 0),
            reachable,
            units,
            interface: &interface,
            wait: fields.users.then_some(needs.wait_for_names),
        };
        if snapshot.scope.is_all() {
            self.names.read(&snapshot.sockets, snapshot.at, others)
        } else {
            self.names.read_part(&snapshot.sockets, others)
        }
    }
}

/// What tells which inodes the tables have.
fn every_inode() -> SocketQuery {
    SocketQuery { fields: QueryFields::NONE, ..SocketQuery::default() }
}

/// The first sample, for which somebody waits.
#[derive(Clone, Copy, Debug)]
struct FirstSample {
    /// About how many TCP sockets there are.
    expected: usize,
}

/// What a dump brought, beside the sockets.
struct ReadTables {
    compared: Option<DumpComparison>,
    /// Every socket that there is is listed, or known.
    lists_all: bool,
    /// The inodes of the sockets that the processes hold which are asked for: only those are listed. `None` where all are.
    held: Option<FxHashSet<u32>>,
}

/// By how many threads a sample is read.
fn threads_for(first: Option<FirstSample>) -> DumpThreads {
    if first.is_some_and(|first| first.expected >= LARGE_MIN) { DumpThreads::Two } else { DumpThreads::One }
}

/// Whether somebody waits for a large table of ports to be walked for bound sockets.
fn walks_large_table(query: &SocketQuery, first: Option<FirstSample>) -> bool {
    first.is_some_and(|first| first.expected >= LARGE_MIN) && DumpPlan::of(query, Unhashed::Possible).asks_for_bound()
}

fn open_inquirer() -> Result<OwnedFd, Errno> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
}

fn inodes(sockets: &[Socket]) -> FxHashSet<u32> {
    sockets.iter().filter_map(|socket| socket.inode.map(NonZeroU32::get)).collect()
}

/// What is not known of sockets outside of the tables, in sentences.
fn unlisted_sentences(not_asked: u32, unplaced: u32, left_out: u32) -> Vec<String> {
    let mut said = Vec::new();
    if not_asked > 0 {
        let sockets = if not_asked == 1 { "1 more socket" } else { &format!("{not_asked} more sockets") };
        said.push(format!("processes hold {sockets} that no table lists, not looked at yet"));
    }
    if unplaced > 0 {
        said.push(format!(
            "TCP sockets that processes hold and no table here lists: {unplaced}; they are in CLOSE, or of another network \
             namespace; --all-netns as root tells"
        ));
    }
    if left_out > 0 {
        said.push(format!("sockets in CLOSE that are counted and not listed: {left_out}"));
    }
    said
}

/// When `snapshot` was begun.
pub(super) fn moment(snapshot: &Snapshot) -> ClockReading {
    ClockReading { at: snapshot.at, wall: snapshot.wall }
}
