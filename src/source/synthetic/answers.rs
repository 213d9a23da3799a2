//! What the screen asks for beyond the sockets: what processes use, and the details of single connections.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::descriptors::{Descriptors, SocketKinds};
use crate::model::endpoint::Protocol;
use crate::model::process::{Owner, ProcessId, Usage};
use crate::model::snapshot::{Needs, Snapshot};
use crate::model::socket::Socket;
use crate::model::tcp_info::TcpDetail;
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::source::synthetic::random::Random;

/// Descriptors of a process that are no sockets of this machine's table: files, pipes, epoll.
const OTHER_DESCRIPTORS: u32 = 23;
/// The soft limit that systemd gives a service which asks for more than the default.
const DESCRIPTORS_MAX: u64 = 4_096;
const MEBIBYTE: u64 = 1 << 20;
const MSS_BYTES: u32 = 1_448;

/// Answers `needs` from the sockets that are in `snapshot` already; `second` counts samples.
pub fn answer(needs: &Needs, second: u32, snapshot: &mut Snapshot) {
    for &id in &needs.usage {
        if let Some(usage) = usage(id, second, &snapshot.sockets) {
            snapshot.usage.push((id, usage));
        }
    }
    snapshot.descriptors = Arc::new(descriptors(&snapshot.sockets));
    for wanted in &needs.details {
        let found = snapshot.sockets.iter().find(|socket| socket.id == wanted.id);
        if let Some(detail) = found.and_then(detail) {
            snapshot.details.push((wanted.id, detail));
        }
    }
}

/// Of every process that holds a socket.
fn descriptors(sockets: &[Socket]) -> Vec<(ProcessId, Descriptors)> {
    let mut kinds: BTreeMap<ProcessId, SocketKinds> = BTreeMap::new();
    for socket in sockets {
        let Owner::Live(holders) = &socket.owner else { continue };
        for process in holders.all() {
            let kinds = kinds.entry(process.id).or_default();
            match socket.protocol {
                Protocol::Udp => kinds.udp += 1,
                Protocol::Tcp | Protocol::Mptcp => kinds.tcp += 1,
            }
        }
    }
    let described = |(id, kinds): (ProcessId, SocketKinds)| {
        let used = kinds.total().saturating_add(OTHER_DESCRIPTORS);
        (id, Descriptors { used, max: Some(DESCRIPTORS_MAX), counted_at: None, sockets: Some(kinds) })
    };
    kinds.into_iter().map(described).collect()
}

/// `None` for a process that holds no socket: nothing else is known of it.
fn usage(id: ProcessId, second: u32, sockets: &[Socket]) -> Option<Usage> {
    let holds = |socket: &&Socket| {
        socket.owner.holders().is_some_and(|holders| holders.all().iter().any(|process| process.id == id))
    };
    let held = u32::try_from(sockets.iter().filter(holds).count()).unwrap_or(u32::MAX);
    if held == 0 {
        return None;
    }
    // A stream of its own for every process and second: what one asks for changes nothing else.
    let mut steady = Random::new(u64::from(id.pid));
    let mut wobble = Random::new((u64::from(id.pid) << 32) | u64::from(second));
    let load = steady.between(1, 30);
    let percent = load * wobble.between(70, 130) / 100;
    Some(Usage {
        cpu: (second > 0).then(|| f32::from(u16::try_from(percent).unwrap_or(u16::MAX)) / 100.0),
        memory_bytes: u64::from(steady.between(6, 480)) * MEBIBYTE + u64::from(wobble.between(0, 200)) * 4_096,
    })
}

/// `None` where the kernel has no `tcp_info` to give.
fn detail(socket: &Socket) -> Option<TcpDetail> {
    let tcp = socket.tcp.filter(|_| socket.state != TcpState::Listen)?;
    let mut steady = Random::new(socket.id.cookie().unwrap_or_default());
    let bytes = tcp.bytes.unwrap_or_default();
    let segments = |bytes: u64| u32::try_from(bytes / u64::from(MSS_BYTES) + 3).unwrap_or(u32::MAX);
    let waiting = socket.queues.and_then(|queues| queues.send).unwrap_or_default();
    let window = steady.between(60, 500) * 1_024;
    Some(TcpDetail {
        congestion: Some(DisplayText::from("cubic")),
        congestion_window: Some(steady.between(10, 44)),
        slow_start_threshold: (tcp.retransmits_total > 0).then(|| steady.between(6, 30)),
        rtt_variance_us: Some(tcp.rtt_us / 4 + 1),
        rtt_min_us: Some(tcp.rtt_us * 8 / 10),
        send_mss_bytes: Some(MSS_BYTES),
        path_mtu_bytes: Some(1_500),
        send_window_bytes: Some(if tcp.probes > 0 { 0 } else { window }),
        receive_space_bytes: Some(14_480),
        lost: Some(u32::from(tcp.backoff > 0)),
        segments_out: Some(segments(bytes.sent())),
        segments_in: Some(segments(bytes.received())),
        bytes_retransmitted: Some(u64::from(tcp.retransmits_total) * u64::from(MSS_BYTES)),
        not_sent_bytes: Some(waiting.saturating_sub(tcp.unacked * MSS_BYTES)),
        delivery_rate: (bytes.sent() > 1).then(|| u64::from(steady.between(40_000, 9_000_000))),
        busy_us: Some(bytes.sent() / 4),
        receive_window_limited_us: Some(if tcp.probes > 0 { 318_000_000 } else { 0 }),
        send_buffer_limited_us: Some(0),
    })
}
