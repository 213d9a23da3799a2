//! The rules, one file each: which sockets belong together (`member` or `groups`), when they are trouble (`judge`), and how
//! (`DEFINITION`).

mod accept_queue;
mod churn;
mod close_wait;
mod conntrack_full;
mod dead_peer;
mod descriptors;
mod ephemeral_ports;
mod exposed;
mod failing_connects;
mod fin_wait2;
mod held_dead;
mod local_reader;
mod loss;
mod memory_pressure;
mod not_accepted;
mod orphans;
mod refused_connects;
mod reset_after_accept;
mod retransmits;
mod slow_reader;
mod syn_backlog;
mod syn_drops;
mod syn_sent;
mod udp_receive_drops;
mod unanswered_dns;
mod unexpected;
mod zero_window;

use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::rule::{Rule, table_of_rules};

macro_rules! definitions {
    ($($(#[$about:meta])* $rule:ident = $id:literal, $definition:path;)*) => {
        /// The definitions, in the order of [`Rule::ALL`].
        static DEFINITIONS: [RuleDefinition; Rule::ALL.len()] = [$($definition,)*];
    };
}

table_of_rules!(definitions);

/// What `rule` consists of.
pub(super) fn definition(rule: Rule) -> &'static RuleDefinition {
    &DEFINITIONS[rule as usize]
}

/// Every rule with its definition.
pub(super) fn all() -> impl Iterator<Item = (Rule, &'static RuleDefinition)> {
    Rule::ALL.iter().copied().zip(&DEFINITIONS)
}
