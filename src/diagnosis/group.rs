//! Sockets that have one cause in common, added up: what a rule judges.

use std::cmp::Reverse;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::diagnosis::connect_attempts::ConnectAttempts;
use crate::diagnosis::finding::{FindingKey, FindingScope, ProgramName};
use crate::diagnosis::group_processes::GroupProcesses;
use crate::model::address::{Address, Destination};
use crate::model::delta::{AgeBasis, Since};
use crate::model::process::{NoProcess, Owner, Process};
use crate::model::socket::SocketId;
use crate::model::time::Timestamp;
use crate::store::row::SocketRow;

/// The most groups of one evaluation. Sockets that would make another one count for their process as a whole.
pub(super) const GROUPS_MAX: usize = 4_096;
/// The most examples of one finding.
pub const EXAMPLES_MAX: usize = 5;
/// Arrivals are counted by the minute, for so many minutes.
pub(super) const ARRIVAL_MINUTES: usize = 30;

/// What a rule says of one socket.
#[derive(Debug)]
pub(super) struct GroupMember<'a> {
    /// Where it belongs.
    pub(super) scope: FindingScope,
    /// The listening socket that the rule is about, where it is about single ones and this one is known.
    pub(super) listener: Option<SocketId>,
    /// Whose it is.
    pub(super) process: Option<&'a Arc<Process>>,
    /// Since when something is wrong with it.
    pub(super) since: Option<Since>,
    /// Whether that is long enough ago to mean something.
    pub(super) settled: bool,
    /// Whether that is long ago.
    pub(super) aged: bool,
    /// One of the kinds that the rule distinguishes.
    pub(super) kind: usize,
    /// Something that the rule adds up; or, with a limit, what is used of it.
    pub(super) amount: u64,
    /// The limit of the amount.
    pub(super) limit: u64,
    /// What waits at the other end, in bytes, if the rule looks there.
    pub(super) beyond: u64,
    /// Bytes per second, if the rule states how fast it is.
    pub(super) rate: f64,
}

impl<'a> GroupMember<'a> {
    /// A socket of which nothing but its place is known to the rule; in its state since its row says so, or at least
    /// since it was first seen.
    pub(super) fn new(scope: FindingScope, row: &'a SocketRow) -> Self {
        let connection = &row.connection;
        let first_seen = Since { at: connection.first_seen, basis: AgeBasis::AtLeast };
        let process = connection.socket.owner.holders().and_then(|holders| holders.all().first());
        let since = Some(connection.state_since.unwrap_or(first_seen));
        Self {
            scope,
            listener: None,
            process,
            since,
            settled: true,
            aged: false,
            kind: 0,
            amount: 0,
            limit: 0,
            beyond: 0,
            rate: 0.0,
        }
    }
}

/// Sockets of one rule and one place, of one program; where a peer is to blame, of all who have to do with it.
#[derive(Clone, Debug)]
pub(super) struct SocketGroup {
    pub(super) key: FindingKey,
    /// Whose they are.
    pub(super) processes: GroupProcesses,
    /// Why no process is named; `None` where one is, or nothing is known yet.
    pub(super) no_process: Option<NoProcess>,
    pub(super) sockets: u32,
    /// Those that no process holds any more: the process is the one that has closed them.
    pub(super) remembered: u32,
    pub(super) settled: u32,
    pub(super) aged: u32,
    pub(super) kinds: [u32; 5],
    pub(super) oldest: Option<Since>,
    /// The oldest, oldest first.
    pub(super) examples: Vec<(Timestamp, SocketId)>,
    /// The amounts added up, or that of the member that has used most of its limit.
    pub(super) amount: u64,
    pub(super) limit: u64,
    /// The smallest amount of one of them.
    pub(super) least: u64,
    /// What waits at the other end, in bytes.
    pub(super) beyond: u64,
    /// Bytes per second, added up.
    pub(super) rate: f64,
    /// Our address, where the rule distinguishes our addresses.
    pub(super) from: Option<Address>,
    /// What became of attempts to connect, for the rules that are about those.
    pub(super) attempts: Option<ConnectAttempts>,
    /// How many places it is about, more than one for a process as a whole.
    pub(super) places: u32,
    /// How many came within each of the last minutes, the latest first.
    pub(super) arrivals: [u32; ARRIVAL_MINUTES],
}

impl SocketGroup {
    pub(super) fn new(key: FindingKey, process: Option<Arc<Process>>) -> Self {
        Self {
            key,
            processes: GroupProcesses::of(process, 0),
            no_process: None,
            sockets: 0,
            remembered: 0,
            settled: 0,
            aged: 0,
            kinds: [0; 5],
            oldest: None,
            examples: Vec::new(),
            amount: 0,
            limit: 0,
            least: u64::MAX,
            beyond: 0,
            rate: 0.0,
            from: None,
            attempts: None,
            places: 1,
            arrivals: [0; ARRIVAL_MINUTES],
        }
    }

    /// The process, if all of it is that of a single one.
    pub(super) fn process(&self) -> Option<&Arc<Process>> {
        self.processes.only()
    }

    /// What the groups of one rule and program have in common: they may be judged together.
    pub(super) fn family(&self) -> impl Ord + use<> {
        (self.key.rule, self.processes.program().map(ProgramName::named), self.key.netns)
    }

    fn add(&mut self, member: &GroupMember, id: SocketId, now: Timestamp) {
        self.sockets += 1;
        self.processes.note(member.process, 1);
        self.settled += u32::from(member.settled);
        self.aged += u32::from(member.aged);
        self.kinds[member.kind] += 1;
        self.add_amount(member.amount, member.limit);
        self.least = self.least.min(member.amount);
        self.beyond += member.beyond;
        self.rate += member.rate;
        let Some(since) = member.since else { return };
        self.is_as_old_as(since);
        self.add_example(since.at, id);
        let minute = now.since(since.at).as_secs() / 60;
        if let Some(arrived) = self.arrivals.get_mut(usize::try_from(minute).unwrap_or(usize::MAX)) {
            *arrived += 1;
        }
    }

    pub(super) fn add_amount(&mut self, amount: u64, limit: u64) {
        if limit == 0 && self.limit == 0 {
            self.amount += amount;
        } else if u128::from(self.amount) * u128::from(limit) <= u128::from(amount) * u128::from(self.limit.max(1)) {
            (self.amount, self.limit) = (amount, limit);
        }
    }

    fn is_as_old_as(&mut self, since: Since) {
        if self.oldest.is_none_or(|oldest| since.at < oldest.at) {
            self.oldest = Some(since);
        }
    }

    /// Kept sorted; among equals the lower id, so that the order of rows does not matter.
    pub(super) fn add_example(&mut self, at: Timestamp, id: SocketId) {
        let is_full = self.examples.len() == EXAMPLES_MAX;
        if is_full && self.examples.last().is_some_and(|last| *last <= (at, id)) {
            return;
        }
        let place = self.examples.partition_point(|other| *other < (at, id));
        self.examples.insert(place, (at, id));
        self.examples.truncate(EXAMPLES_MAX);
    }

    /// Adds a group of another place of the same program.
    pub(super) fn merge(&mut self, other: &Self) {
        self.sockets += other.sockets;
        self.remembered += other.remembered;
        self.settled += other.settled;
        self.aged += other.aged;
        self.places += other.places;
        self.no_process = self.no_process.filter(|why| other.no_process == Some(*why));
        self.kinds.iter_mut().zip(other.kinds).for_each(|(kind, count)| *kind += count);
        self.arrivals.iter_mut().zip(other.arrivals).for_each(|(arrived, count)| *arrived += count);
        self.add_amount(other.amount, other.limit);
        self.least = self.least.min(other.least);
        self.beyond += other.beyond;
        self.rate += other.rate;
        if let Some(since) = other.oldest {
            self.is_as_old_as(since);
        }
        other.examples.iter().for_each(|(at, id)| self.add_example(*at, *id));
        self.processes.merge(&other.processes);
    }

    /// The oldest of its sockets, oldest first.
    pub(super) fn example_ids(&self) -> Vec<SocketId> {
        self.examples.iter().map(|(_, id)| *id).collect()
    }

    /// Takes an example in, for rules that look at no rows.
    pub(super) fn with_examples(mut self, examples: impl IntoIterator<Item = (Timestamp, SocketId)>) -> Self {
        examples.into_iter().for_each(|(at, id)| self.add_example(at, id));
        self
    }

    /// The endpoint it is about, if it is about one.
    pub(super) const fn endpoint(&self) -> Option<Destination> {
        match self.key.scope {
            FindingScope::To(endpoint) | FindingScope::On(endpoint) => Some(endpoint),
            FindingScope::Machine | FindingScope::Process => None,
        }
    }

    /// The kind that most of its sockets are of; the first among equals.
    pub(super) fn main_kind(&self) -> usize {
        (0..self.kinds.len()).max_by_key(|kind| (self.kinds[*kind], Reverse(*kind))).unwrap_or(0)
    }
}

/// The groups of one evaluation.
#[derive(Debug, Default)]
pub(super) struct SocketGroups {
    found: FxHashMap<FindingKey, SocketGroup>,
}

impl SocketGroups {
    /// Adds a socket to the group of `key`.
    pub(super) fn add(&mut self, key: FindingKey, member: &GroupMember, row: &SocketRow, now: Timestamp) {
        let socket = &row.connection.socket;
        let mut key = key;
        if self.found.len() >= GROUPS_MAX && !self.found.contains_key(&key) {
            let program = member.process.map(|process| ProgramName::of(process));
            (key.program, key.scope, key.listener) = (program, FindingScope::Process, None);
        }
        let group = self.found.entry(key).or_insert_with(|| {
            let no_process = socket.owner.no_process();
            SocketGroup { no_process, ..SocketGroup::new(key, None) }
        });
        // Those whose owners are unknown for different reasons are called by none of them.
        group.no_process = group.no_process.filter(|why| socket.owner.no_process() == Some(*why));
        group.remembered += u32::from(matches!(socket.owner, Owner::Remembered(_)));
        group.add(member, socket.id, now);
    }

    /// Adds a group that no rows make up.
    pub(super) fn put(&mut self, group: SocketGroup) {
        if self.found.len() < GROUPS_MAX {
            self.found.insert(group.key, group);
        }
    }

    /// All of them, in an order that does not depend on that of the rows: those of one rule and program together.
    pub(super) fn into_sorted(self) -> Vec<SocketGroup> {
        // A group is large: its place is found before it is moved.
        let mut groups: Vec<Option<SocketGroup>> = self.found.into_values().map(Some).collect();
        let key = |group: &Option<SocketGroup>| group.as_ref().map(|group| (group.family(), group.key));
        let mut order: Vec<usize> = (0..groups.len()).collect();
        order.sort_unstable_by_key(|nth| key(&groups[*nth]));
        order.into_iter().filter_map(|nth| groups[nth].take()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::rule::Rule;
    use crate::model::socket::NetnsId;
    use crate::model::testing::{connection, destination, process, tcp};

    fn key(member: &GroupMember) -> FindingKey {
        let program = member.process.map(|process| ProgramName::of(process));
        FindingKey { rule: Rule::CloseWaitLeak, program, scope: member.scope, netns: NetnsId(0), listener: None }
    }

    fn row(cookie: u64, since_ms: u64) -> SocketRow {
        let mut connection = connection(tcp(cookie).held_by(&[process(7, "app")]), since_ms);
        connection.state_since = Some(Since { at: Timestamp::from_millis(since_ms), basis: AgeBasis::Kernel });
        SocketRow { connection, mark: None }
    }

    #[test]
    fn a_group_keeps_the_oldest_and_counts_arrivals_by_the_minute() {
        let (mut groups, now) = (SocketGroups::default(), Timestamp::from_millis(600_000));
        for cookie in 1..=9 {
            let row = row(cookie, 600_000 - cookie * 30_000);
            let member = GroupMember::new(FindingScope::To(destination("10.0.0.2:80")), &row);
            groups.add(key(&member), &member, &row, now);
        }
        let [group] = &groups.into_sorted()[..] else { panic!("one place is one group") };
        assert_eq!((group.sockets, group.examples.len()), (9, EXAMPLES_MAX));
        assert_eq!(group.oldest.map(|since| since.at), Some(Timestamp::from_millis(330_000)));
        assert_eq!(group.example_ids()[0], tcp(9).build().id);
        assert_eq!(group.arrivals[..5], [1, 2, 2, 2, 2]);
    }

    #[test]
    fn too_many_groups_are_counted_for_their_process() {
        let (mut groups, now) = (SocketGroups::default(), Timestamp::from_millis(600_000));
        for cookie in 0..=GROUPS_MAX as u64 + 10 {
            let row = row(cookie, 1);
            let [_, b, c, d] = u32::try_from(cookie).expect("small").to_be_bytes();
            let member = GroupMember::new(
                FindingScope::To(Destination { address: Address::new([10, b, c, d].into(), None), port: 80 }),
                &row,
            );
            groups.add(key(&member), &member, &row, now);
        }
        let groups = groups.into_sorted();
        assert_eq!(groups.len(), GROUPS_MAX + 1);
        assert_eq!(groups.iter().map(|group| group.sockets as usize).sum::<usize>(), GROUPS_MAX + 11);
    }
}
