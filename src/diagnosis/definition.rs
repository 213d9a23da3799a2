//! What a rule consists of: the rows that it looks at, how it groups them, how it judges a group, and how long its findings
//! last. One constant in the file of each rule.

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::finding::{FindingKey, FindingScope, ProgramName};
use crate::diagnosis::group::{GroupMember, SocketGroup};
use crate::diagnosis::group_history::STAYS_FOR;
use crate::diagnosis::rule::Rule;
use crate::model::socket::NetnsId;
use crate::store::row::SocketRow;

/// A rule beside its name and its text in `assets/rules.toml` (see `knowledge::rules`).
#[derive(Debug)]
pub(super) struct RuleDefinition {
    /// The rows that it looks at, and to which group each belongs; `None` for a row that is no member.
    pub(super) sets: &'static [WatchedRows],
    pub(super) member: MemberOf,
    /// The groups that no rows make up.
    pub(super) groups: GroupsOf,
    /// What of a group grows.
    pub(super) size: fn(&SocketGroup) -> u64,
    /// Whether something is wrong with a group, how bad it is, and how to say so.
    pub(super) judge: JudgeGroup,
    /// Whether a peer that we chose to connect to is to blame, whoever of this machine has to do with it: then all of
    /// those are one finding.
    blames_peer: bool,
    /// Whether the places of one program are judged together too.
    pub(super) rolls_up: bool,
    /// Whether it happens or stands.
    pub(super) kind: RuleKind,
    /// How long the condition must hold to be a finding.
    pub(super) enters_after: Duration,
    /// How long a finding stays after its condition has gone: what is back before that has never ended.
    pub(super) holds: Duration,
    /// Whether a finding outlasts its group for a moment: the group is seen by chance.
    lingers: bool,
}

/// What a rule finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RuleKind {
    /// Something that happens; it is listed first.
    Event,
    /// A standing fact, which nobody saw begin; it is listed after everything that happens.
    Fact,
}

/// Rows that the store indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WatchedRows {
    /// TCP listeners and bound UDP sockets.
    Listening,
    /// Connections in `CLOSE_WAIT`.
    CloseWait,
    /// TCP sockets in `CLOSE` that a process holds.
    HeldClosed,
    /// Connections that hang, stall or wait to be accepted.
    Suspects,
    /// Connections with much in a queue.
    Queued,
    /// UDP sockets that are connected to a DNS server.
    Lookups,
}

type MemberOf = for<'a> fn(&Context<'a>, &'a SocketRow) -> Option<GroupMember<'a>>;
type GroupsOf = fn(&Context) -> Vec<SocketGroup>;
type JudgeGroup = fn(&Case) -> Option<Judgement>;

impl RuleDefinition {
    /// A rule that looks at rows.
    pub(super) const fn of_rows(sets: &'static [WatchedRows], member: MemberOf, judge: JudgeGroup) -> Self {
        Self {
            sets,
            member,
            groups: |_| Vec::new(),
            size: |group| group.sockets.into(),
            judge,
            blames_peer: false,
            kind: RuleKind::Event,
            rolls_up: false,
            enters_after: Duration::ZERO,
            holds: STAYS_FOR,
            lingers: false,
        }
    }

    /// A rule that looks at no rows.
    pub(super) const fn of_machine(groups: GroupsOf, judge: JudgeGroup) -> Self {
        Self::of_rows(&[], |_, _| None, judge).with_groups(groups).growing_by(|group| group.amount)
    }

    /// With groups that no rows make up.
    pub(super) const fn with_groups(self, groups: GroupsOf) -> Self {
        Self { groups, ..self }
    }

    /// Another size of a group than its number of sockets.
    pub(super) const fn growing_by(self, size: fn(&SocketGroup) -> u64) -> Self {
        Self { size, ..self }
    }

    /// See [`Self::blames_peer`].
    pub(super) const fn blaming_peer(self) -> Self {
        Self { blames_peer: true, ..self }
    }

    /// It finds a standing fact.
    pub(super) const fn standing(self) -> Self {
        Self { kind: RuleKind::Fact, ..self }
    }

    /// See [`Self::rolls_up`].
    pub(super) const fn rolling_up(self) -> Self {
        Self { rolls_up: true, ..self }
    }

    /// See [`Self::lingers`].
    pub(super) const fn lingering(self) -> Self {
        Self { lingers: true, ..self }
    }

    /// See [`Self::holds`].
    pub(super) const fn holding_for(self, seconds: u64) -> Self {
        Self { holds: Duration::from_secs(seconds), ..self }
    }

    /// See [`Self::enters_after`].
    pub(super) const fn entering_after(self, seconds: u64) -> Self {
        Self { enters_after: Duration::from_secs(seconds), ..self }
    }

    /// The group that `member`, a socket of the namespace `netns`, belongs to as this definition of `rule` says.
    pub(super) fn key(&self, rule: Rule, member: &GroupMember, netns: NetnsId) -> FindingKey {
        let is_peers = self.blames_peer && matches!(member.scope, FindingScope::To(_));
        let program = member.process.filter(|_| !is_peers).map(|process| ProgramName::of(process));
        FindingKey { rule, program, scope: member.scope, netns, listener: member.listener }
    }

    /// How long a finding outlasts a group that is not there any more; `None` where it ends with its group.
    pub(super) fn outlasts_group(&self) -> Option<Duration> {
        self.lingers.then_some(self.holds)
    }
}
