//! Datagrams are thrown away because the receive buffer of their socket is full: its process reads too slowly.
//!
//! The kernel counts them by socket (`sk_drops`, reported by `sock_diag`) and in all (`RcvbufErrors`; `MemErrors` where all of
//! UDP's memory is used up: `__udp_enqueue_schedule_skb`, `net/ipv4/udp.c`).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnosis::case::{Case, Context, Judgement, per_second};
use crate::diagnosis::definition::RuleDefinition;
use crate::diagnosis::finding::{FindingKey, FindingScope, Measure, ProgramName, Severity};
use crate::diagnosis::group::SocketGroup;
use crate::diagnosis::rule::Rule;
use crate::diagnosis::subject::{listening, who};
use crate::diagnosis::wording::{filter, place, trimmed};
use crate::model::endpoint::Protocol;
use crate::model::socket::Socket;
use crate::model::time::Timestamp;
use crate::store::counters::Rise;

/// Drops are counted over this time.
const DROPS_OVER: Duration = Duration::from_secs(30);

pub(super) const DEFINITION: RuleDefinition = RuleDefinition::of_machine(groups, judge);

/// The sockets that lost datagrams of late, by process and place; and those that the kernel counts beside them.
fn groups(context: &Context) -> Vec<SocketGroup> {
    let rows = context.store.rows();
    let (mut groups, mut own) = (BTreeMap::new(), 0);
    for (id, dropped) in rows.losses().dropping(DROPS_OVER, context.now()) {
        let Some(row) = rows.live(id).filter(|row| row.connection.socket.protocol == Protocol::Udp) else { continue };
        own += if context.is_own_namespace(id.netns()) { dropped } else { 0 };
        let socket = &row.connection.socket;
        let process = socket.owner.holders().and_then(|holders| holders.all().first());
        let key = FindingKey {
            rule: Rule::UdpReceiveDrops,
            program: process.map(|process| ProgramName::of(process)),
            scope: scope_of(socket),
            netns: id.netns(),
            listener: None,
        };
        let no_process = socket.owner.no_process();
        let group = groups.entry(key).or_insert_with(|| SocketGroup { no_process, ..SocketGroup::new(key, None) });
        group.no_process = group.no_process.filter(|why| no_process == Some(*why));
        group.processes.note(process, 1);
        add(group, socket, row.connection.first_seen, dropped);
    }
    let counted = context
        .rise(DROPS_OVER, |counters| counters.udp_receive_buffer_errors.saturating_add(counters.udp_memory_errors));
    // The drops of sockets and the counters are read one after the other.
    if let Some(counted) = counted.map(|rise| rise.by).filter(|counted| own < *counted / 2) {
        let key = FindingKey::machine(Rule::UdpReceiveDrops);
        groups.insert(key, SocketGroup { amount: counted - own, ..SocketGroup::new(key, None) });
    }
    groups.into_values().collect()
}

fn scope_of(socket: &Socket) -> FindingScope {
    if socket.remote.is_unset() { FindingScope::on(socket) } else { FindingScope::To(socket.destination()) }
}

fn add(group: &mut SocketGroup, socket: &Socket, seen: Timestamp, dropped: u64) {
    group.sockets += 1;
    group.amount += dropped;
    group.limit += u64::from(socket.queues.map_or(0, |queues| queues.receive));
    group.add_example(seen, socket.id);
}

fn judge(case: &Case) -> Option<Judgement> {
    let (context, group) = (case.context, case.group);
    let received = context.rise(DROPS_OVER, |counters| counters.udp_received);
    let over = received.map_or(DROPS_OVER, |rise| rise.over.min(DROPS_OVER));
    let rate = per_second(Rise { by: group.amount, over });
    let received = received.filter(|_| case.is_own_namespace()).map(|rise| rise.by);
    if !case.is_loss(group.amount, rate, received) {
        return None;
    }
    let memory = context.rise(DROPS_OVER, |counters| counters.udp_memory_errors).map_or(0, |rise| rise.by);
    let is_memory = case.is_own_namespace() && memory > group.amount / 2;
    let why = if is_memory { "UDP memory is used up (net.ipv4.udp_mem)" } else { "receive buffer full" };
    let sentence = if group.key.scope == FindingScope::Machine {
        format!(
            "incoming UDP datagrams are dropped, {}/s: {why}; the kernel does not say for which socket",
            trimmed(rate)
        )
    } else {
        let subject = if matches!(group.key.scope, FindingScope::On(_)) { listening(group) } else { who(group) };
        let loses = subject.does("loses", "lose");
        format!("{loses} incoming UDP datagrams {}: {}/s dropped, {why}", place(case), trimmed(rate))
    };
    let is_machine = group.key.scope == FindingScope::Machine;
    let judgement = Judgement {
        why,
        since: None,
        filter: if is_machine { "proto:udp".to_owned() } else { filter(case, "proto:udp") },
        ..Judgement::new(case, Severity::Warning, sentence)
    };
    let waiting = (!is_machine).then_some(Measure::Bytes(group.limit));
    Some(
        judgement
            .metric("dropped", "dropped", Measure::PerSecond(rate))
            .evidence_if("recv_queue", "unread", waiting)
            .evidence_if("received", "delivered", received.map(|by| Measure::PerSecond(per_second(Rise { by, over })))),
    )
}
