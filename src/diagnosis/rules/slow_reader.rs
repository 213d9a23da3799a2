//! Somebody reads, and so slowly that what waits does not get less: a process of this machine, or the peer.

use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement};
use crate::diagnosis::definition::{RuleDefinition, WatchedRows};
use crate::diagnosis::finding::{Measure, Severity};
use crate::diagnosis::group::{GroupMember, SocketGroup};
use crate::diagnosis::kernel_timers;
use crate::diagnosis::other_end::{self, OtherEnd};
use crate::diagnosis::queue_progress::{Queue, QueueProgress};
use crate::diagnosis::reader_progress::{self, ReaderProgress};
use crate::diagnosis::stalled;
use crate::diagnosis::wording::{filter, in_bytes, many, peers, place, that, who};
use crate::model::delta::{AgeBasis, Since};
use crate::model::socket::Socket;
use crate::store::row::SocketRow;
use crate::store::tally::UNTAKEN_MIN;

/// The kinds of a group: who reads slowly.
const HERE: usize = 0;
const THERE: usize = 1;
/// A peer whose window was closed within this time is what holds us up, not the network between.
const CLOSED_WITHIN: Duration = Duration::from_secs(60);

pub(super) const DEFINITION: RuleDefinition =
    RuleDefinition::of_rows(&[WatchedRows::Queued], member, judge).rolling_up();

fn member<'a>(context: &Context<'a>, row: &'a SocketRow) -> Option<GroupMember<'a>> {
    let socket = &row.connection.socket;
    let queues = socket.queues?;
    let since = |queue| {
        let at = context.memory.flows.watched_since(socket.id, queue)?;
        Some(Since { at, basis: AgeBasis::AtLeast })
    };
    let (kind, rate, amount, since) = match reader_progress::of(context, socket) {
        ReaderProgress::Slow(rate) => (HERE, rate, queues.receive, since(Queue::Receive)),
        _ => (THERE, taken_slowly(context, socket)?, queues.send?, since(Queue::Send)),
    };
    let beyond = if kind == HERE { other_end::waits_there(context, socket) } else { 0 };
    let member = GroupMember::new(context.sides.place(socket), row);
    Some(GroupMember { kind, rate, since, amount: amount.into(), beyond, ..member })
}

/// How fast the peer takes what we send, if that is slow and the peer is the reason. Where its process is here, what is
/// known of that counts.
fn taken_slowly(context: &Context, socket: &Socket) -> Option<f64> {
    let limits = context.thresholds;
    if !kernel_timers::is_connected(socket.state) || stalled::is_told_of_reader(context, socket) {
        return None;
    }
    let closed = context.memory.flows.closed_at(socket.id)?;
    let QueueProgress::Moving(Some(rate), over) = stalled::taken(context, socket) else { return None };
    let is_slow = rate < f64::from(limits.slow_reader_rate) && over >= limits.local_reader_age;
    (is_slow && context.now().since(closed) <= CLOSED_WITHIN).then_some(rate)
}

fn judge(case: &Case) -> Option<Judgement> {
    let group = case.group;
    let is_here = group.main_kind() == HERE;
    if group.sockets == 0 || (!is_here && !case.is_trouble()) {
        return None;
    }
    let (peer, rate) = (OtherEnd::of(case), rate(group));
    let waiting = in_bytes(group.amount + group.beyond);
    let connections = many(group.sockets, "connection");
    let (sentence, queue, why) = if is_here {
        let reads = who(group).does("reads too slowly", "are read from too slowly");
        let sentence = format!("{reads}: {rate}, {waiting} waiting, {connections} {}", place(case));
        (sentence, reader_progress::filter_queue(case), "the process reads slowly")
    } else {
        let sends = who(group).does("sends", "send");
        let slow = that(group, ", which reads too slowly", " that read too slowly");
        let sentence = format!("{sends} to {}{slow}: {rate}, {waiting} waiting, {connections}", peers(case));
        (sentence, format!("sendq>{}", UNTAKEN_MIN - 1), "the peer reads slowly")
    };
    Some(
        Judgement { why, filter: filter(case, &queue), ..Judgement::new(case, Severity::Warning, sentence) }
            .metric("slow", "connections read from slowly", Measure::Count(group.sockets.into()))
            .metric("waiting", "waiting", Measure::Bytes(group.amount + group.beyond))
            .evidence("rate", "rate per connection", Measure::Words(rate))
            .evidence_if("peer", "other end", peer.words().map(Measure::Words))
            .evidence("watched", "observed for", Measure::Span(case.oldest())),
    )
}

/// How fast each of the connections is read from, on average.
fn rate(group: &SocketGroup) -> String {
    reader_progress::rate(group.rate / f64::from(group.sockets.max(1)))
}
