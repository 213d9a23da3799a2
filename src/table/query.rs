//! What a table asks a source for: the sockets that can pass its filter, and what its filter, columns, order and sums read of
//! them. The filter decides what is shown; a query only spares what no row of it needs.

use crate::model::endpoint::Protocol;
use crate::model::query::{Condition, QueryFields, SocketQuery, StateSet};
use crate::model::tcp_state::TcpState;
use crate::table::filter::Filter;

/// How samples follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleSeries {
    /// There is one.
    One,
    /// They are taken until one has what is waited for. A socket that a sample lists no more may be taken for there once more.
    UntilFound,
    /// Each is shown, and compared with the one before.
    Compared,
}

/// What is to be shown.
#[derive(Clone, Debug)]
pub struct Question<'f> {
    /// Rows that pass this.
    pub filter: &'f Filter,
    /// Of those, the rows of sockets that meet this.
    pub shown: Condition,
    /// What is read of them beside what the filter reads.
    pub fields: QueryFields,
    /// How samples follow one another.
    pub series: SampleSeries,
}

impl Question<'_> {
    /// What to ask a source for.
    ///
    /// Samples that are compared are asked for sockets of any state where the past of a socket is read: since when it is in
    /// its state, how much it sent since, and who held it before `TIME_WAIT`. They are not asked for the sockets of one
    /// process, since a socket that has left it is still remembered as its.
    ///
    /// Where samples are compared, no port or address is asked of TCP sockets in `CLOSE` that no table lists: only samples
    /// before tell those.
    pub fn query(self) -> SocketQuery {
        let Self { filter, shown, fields, series } = self;
        let fields = fields.and(filter.reads());
        let is_one = series == SampleSeries::One;
        let reads_past = fields.owner || fields.tcp_info || fields.listeners;
        let of_any_state = series == SampleSeries::Compared || !is_one && reads_past;
        let condition = if of_any_state { filter.condition_of_any_state() } else { filter.condition() };
        let is_unhashed = || may_be_unhashed(&Condition::all([shown.clone(), filter.condition()]));
        let unhashed = (!is_one && is_unhashed()).then(unhashed);
        let listening = fields.listeners.then(|| Condition::States(StateSet::of(&LISTENING)));
        let asked = Condition::all([shown, condition]);
        let condition = Condition::any([asked].into_iter().chain(unhashed).chain(listening));
        let process = filter.process_test().filter(|_| is_one && !fields.listeners);
        SocketQuery { condition, fields, process }
    }
}

/// The states of sockets that peers can reach without having been asked, UDP sockets among them.
pub const LISTENING: [TcpState; 2] = [TcpState::Listen, TcpState::Unconn];

/// The TCP sockets in `CLOSE`.
fn unhashed() -> Condition {
    Condition::all([Condition::Protocol(Protocol::Tcp), Condition::States(StateSet::of(&[TcpState::Close]))])
}

/// Whether `condition` can be met by a TCP socket in `CLOSE`, wherever that was.
fn may_be_unhashed(condition: &Condition) -> bool {
    let tell = |leaf: &Condition| match leaf {
        Condition::States(states) => Some(states.contains(TcpState::Close)),
        Condition::Protocol(protocol) => Some(*protocol == Protocol::Tcp),
        _ => None,
    };
    condition.decide(&tell) != Some(false)
}

#[cfg(test)]
mod tests;
