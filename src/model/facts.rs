//! What the kernel tells of a network namespace beside its sockets: limits, gauges and counters.

use serde::{Deserialize, Serialize};

use crate::model::socket::NetnsId;

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest; not below the lowest.
    pub last: u16,
}

impl PortRange {
    /// How many ports that are.
    pub const fn len(self) -> u32 {
        (self.last as u32).saturating_sub(self.first as u32) + 1
    }

    /// Never: a range has at least one port.
    pub const fn is_empty(self) -> bool {
        false
    }

    /// Whether `port` is one of them.
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

/// Limits, gauges and counters of the network namespace that conntop runs in, at the moment of a sample. What could
/// not be read is `None`, never 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Which namespace that is; `None` where the source does not tell namespaces apart.
    pub netns: Option<NetnsId>,
    /// `net.ipv4.ip_local_port_range`: where the kernel takes the local ports of connections from.
    pub ephemeral_ports: Option<PortRange>,
    /// How many of them `net.ipv4.ip_local_reserved_ports` keeps out.
    pub ephemeral_reserved: u32,
    /// `net.ipv4.tcp_tw_reuse`: 0 off, 1 on, 2 on for loopback.
    pub time_wait_reuse: Option<u8>,
    /// `net.ipv4.tcp_max_tw_buckets`: the most `TIME_WAIT` sockets the kernel keeps.
    pub time_wait_max: Option<u32>,
    /// `net.ipv4.tcp_fin_timeout` in seconds: how long an orphan stays in `FIN_WAIT2`.
    pub fin_timeout_seconds: Option<u32>,
    /// `net.core.somaxconn`: no accept queue is longer.
    pub accept_queue_max: Option<u32>,
    /// `net.ipv4.tcp_max_syn_backlog`.
    pub syn_backlog_max: Option<u32>,
    /// `net.ipv4.tcp_syncookies`: 0 off, 1 when a queue is full, 2 always.
    pub syncookies: Option<u8>,
    /// Sockets that no process holds and that still have data or a FIN to send (`/proc/net/sockstat`, `orphan`).
    pub orphans: Option<u32>,
    /// `net.ipv4.tcp_max_orphans`.
    pub orphans_max: Option<u32>,
    /// What only grows, since the namespace was made.
    pub counters: Option<Counters>,
}

impl Facts {
    /// How many ports the kernel can take for connections to one destination: the range without what is reserved.
    pub fn ephemeral_usable(&self) -> Option<u32> {
        Some(self.ephemeral_ports?.len().saturating_sub(self.ephemeral_reserved))
    }

    /// Whether they are about the network namespace `netns`.
    pub fn are_about(&self, netns: NetnsId) -> bool {
        self.netns.is_none_or(|own| own == netns)
    }

    /// Whether they say what can be: what comes from outside is to be asked.
    pub fn make_sense(&self) -> bool {
        self.ephemeral_ports.is_none_or(|range| range.first <= range.last)
    }
}

/// Counters since the network namespace was made (`/proc/net/netstat`, `/proc/net/snmp`). One that the kernel does not
/// have, being older, stays 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// `ListenOverflows`: connections that found their accept queue full.
    pub listen_overflows: u64,
    /// `ListenDrops`: connection attempts that a listener dropped for any reason.
    pub listen_drops: u64,
    /// `TCPReqQFullDrop`: SYNs dropped because a listener's SYN queue was full and cookies were off.
    pub syn_queue_drops: u64,
    /// `TCPReqQFullDoCookies`: SYNs answered by a cookie because a listener's SYN queue was full.
    pub syn_queue_cookies: u64,
    /// `SyncookiesSent`.
    pub syncookies_sent: u64,
    /// `TCPTimeWaitOverflow`: connections that got no `TIME_WAIT` because there were too many.
    pub time_wait_overflows: u64,
    /// `TCPAbortOnMemory`: connections reset for want of memory or because there were too many orphans.
    pub memory_aborts: u64,
    /// `Tcp: OutSegs`.
    pub segments_sent: u64,
    /// `Tcp: RetransSegs`.
    pub segments_retransmitted: u64,
    /// `Tcp: ActiveOpens`.
    pub active_opens: u64,
    /// `Tcp: PassiveOpens`.
    pub passive_opens: u64,
    /// `Tcp: AttemptFails`.
    pub attempt_fails: u64,
}

impl Counters {
    /// By how much each grew since `older`; one that is smaller now has not grown.
    #[must_use]
    pub fn since(&self, older: &Self) -> Self {
        Self {
            listen_overflows: self.listen_overflows.saturating_sub(older.listen_overflows),
            listen_drops: self.listen_drops.saturating_sub(older.listen_drops),
            syn_queue_drops: self.syn_queue_drops.saturating_sub(older.syn_queue_drops),
            syn_queue_cookies: self.syn_queue_cookies.saturating_sub(older.syn_queue_cookies),
            syncookies_sent: self.syncookies_sent.saturating_sub(older.syncookies_sent),
            time_wait_overflows: self.time_wait_overflows.saturating_sub(older.time_wait_overflows),
            memory_aborts: self.memory_aborts.saturating_sub(older.memory_aborts),
            segments_sent: self.segments_sent.saturating_sub(older.segments_sent),
            segments_retransmitted: self.segments_retransmitted.saturating_sub(older.segments_retransmitted),
            active_opens: self.active_opens.saturating_sub(older.active_opens),
            passive_opens: self.passive_opens.saturating_sub(older.passive_opens),
            attempt_fails: self.attempt_fails.saturating_sub(older.attempt_fails),
        }
    }
}
