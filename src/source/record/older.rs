//! What older versions of the format hold in another shape.

pub mod decode;
pub mod wire;

use serde::Deserialize;

use crate::model::counters::Counters;
use crate::model::event::Ended;
use crate::model::facts::{Facts, PortRange};
use crate::model::socket::{NetnsId, SocketRef};
use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::time::{CompactTimestamp, Timestamp};

/// The [`Facts`] of versions 3 and 4.
#[derive(Debug, Deserialize)]
pub struct Facts4 {
    netns: Option<NetnsId>,
    ephemeral_ports: Option<PortRange>,
    ephemeral_reserved: u32,
    time_wait_reuse: Option<u8>,
    time_wait_max: Option<u32>,
    fin_timeout_seconds: Option<u32>,
    accept_queue_max: Option<u32>,
    syn_backlog_max: Option<u32>,
    syncookies: Option<u8>,
    orphans: Option<u32>,
    orphans_max: Option<u32>,
    counters: Option<Counters4>,
}

/// The [`Counters`] of versions 3 and 4.
#[derive(Debug, Deserialize)]
struct Counters4 {
    listen_overflows: u64,
    listen_drops: u64,
    syn_queue_drops: u64,
    syn_queue_cookies: u64,
    syncookies_sent: u64,
    time_wait_overflows: u64,
    memory_aborts: u64,
    segments_sent: u64,
    segments_retransmitted: u64,
    active_opens: u64,
    passive_opens: u64,
    attempt_fails: u64,
}

/// The [`Ended`] of versions 3 and 4.
#[derive(Debug, Deserialize)]
pub struct Ended4 {
    at: Timestamp,
    socket: SocketRef,
    info: Option<TcpInfo4>,
}

/// The [`TcpInfo`] of versions 3 and 4.
#[derive(Debug, Deserialize)]
struct TcpInfo4 {
    rtt_us: u32,
    rto_us: u32,
    retransmits_total: u32,
    unacked: u32,
    backoff: u8,
    probes: u8,
    last_data_sent: CompactTimestamp,
    last_data_received: CompactTimestamp,
    last_ack_received: CompactTimestamp,
    bytes: Option<ByteCounts>,
}

impl From<Ended4> for Ended {
    fn from(ended: Ended4) -> Self {
        Self { at: ended.at, socket: ended.socket, info: ended.info.map(TcpInfo::from) }
    }
}

impl From<TcpInfo4> for TcpInfo {
    fn from(info: TcpInfo4) -> Self {
        Self {
            rtt_us: info.rtt_us,
            rto_us: info.rto_us,
            retransmits_total: info.retransmits_total,
            retransmits_spurious: 0,
            unacked: info.unacked,
            backoff: info.backoff,
            probes: info.probes,
            last_data_sent: info.last_data_sent,
            last_data_received: info.last_data_received,
            last_ack_received: info.last_ack_received,
            bytes: info.bytes,
        }
    }
}

impl From<Facts4> for Facts {
    fn from(facts: Facts4) -> Self {
        Self {
            netns: facts.netns,
            ephemeral_ports: facts.ephemeral_ports,
            ephemeral_reserved: facts.ephemeral_reserved,
            time_wait_reuse: facts.time_wait_reuse,
            time_wait_max: facts.time_wait_max,
            fin_timeout_seconds: facts.fin_timeout_seconds,
            accept_queue_max: facts.accept_queue_max,
            syn_backlog_max: facts.syn_backlog_max,
            syncookies: facts.syncookies,
            orphans: facts.orphans,
            orphans_max: facts.orphans_max,
            counters: facts.counters.map(Counters::from),
            ..Self::default()
        }
    }
}

impl From<Counters4> for Counters {
    fn from(counters: Counters4) -> Self {
        Self {
            listen_overflows: counters.listen_overflows,
            listen_drops: counters.listen_drops,
            syn_queue_drops: counters.syn_queue_drops,
            syn_queue_cookies: counters.syn_queue_cookies,
            syncookies_sent: counters.syncookies_sent,
            time_wait_overflows: counters.time_wait_overflows,
            memory_aborts: counters.memory_aborts,
            segments_sent: counters.segments_sent,
            segments_retransmitted: counters.segments_retransmitted,
            active_opens: counters.active_opens,
            passive_opens: counters.passive_opens,
            attempt_fails: counters.attempt_fails,
            ..Self::ZERO
        }
    }
}
