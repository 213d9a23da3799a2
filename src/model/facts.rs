//! What the kernel tells of a network namespace beside its sockets: limits, gauges and counters.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::model::counters::Counters;
use crate::model::socket::NetnsId;

/// A range of ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
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
    /// Memory of all TCP sockets of the machine, of every namespace, in pages (`/proc/net/sockstat`, `TCP: mem`).
    pub tcp_memory_pages: Option<u64>,
    /// `net.ipv4.tcp_mem` in pages: from which on all is well again, memory is scarce, and nothing more is taken. Only the
    /// first network namespace of the machine has it.
    pub tcp_memory_limits_pages: Option<[u64; 3]>,
    /// Connections that the firewall tracks (`net.netfilter.nf_conntrack_count`); `None` where it tracks none.
    pub conntrack: Option<u32>,
    /// `net.netfilter.nf_conntrack_max`.
    pub conntrack_max: Option<u32>,
    /// What only grows, since the namespace was made.
    pub counters: Option<Counters>,
    /// How long resolvers wait for DNS servers; `None` where no file says so.
    pub resolver: Option<ResolverOptions>,
}

/// How long the resolver of the C library waits (`options timeout:N attempts:N`, resolv.conf(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolverOptions {
    /// For the answer of one server, in seconds.
    pub timeout_seconds: u32,
    /// How often it asks each server.
    pub attempts: u32,
}

impl Default for ResolverOptions {
    /// `RES_TIMEOUT` and `RES_DFLRETRY` (resolv.h).
    fn default() -> Self {
        Self { timeout_seconds: 5, attempts: 2 }
    }
}

impl ResolverOptions {
    /// `RES_MAXRETRANS` and `RES_MAXRETRY`: more is cut to this without a word (resolv.conf(5)).
    const TIMEOUT_MAX: u32 = 30;
    const ATTEMPTS_MAX: u32 = 5;

    fn makes_sense(self) -> bool {
        (1..=Self::TIMEOUT_MAX).contains(&self.timeout_seconds) && (1..=Self::ATTEMPTS_MAX).contains(&self.attempts)
    }

    /// What a resolv.conf says; the last word counts.
    pub fn parse(text: &[u8]) -> Self {
        let mut resolver = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            if words.next() != Some(b"options") {
                continue;
            }
            for word in words {
                resolver.take(word);
            }
        }
        resolver
    }

    fn take(&mut self, option: &[u8]) {
        let number = |prefix: &[u8]| {
            let digits = option.strip_prefix(prefix)?;
            std::str::from_utf8(digits).ok()?.parse::<u32>().ok()
        };
        if let Some(seconds) = number(b"timeout:") {
            self.timeout_seconds = seconds.clamp(1, Self::TIMEOUT_MAX);
        } else if let Some(attempts) = number(b"attempts:") {
            self.attempts = attempts.clamp(1, Self::ATTEMPTS_MAX);
        }
    }

    /// For the answer of one server.
    pub const fn timeout(self) -> Duration {
        Duration::from_secs(self.timeout_seconds as u64)
    }
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
            && self.resolver.is_none_or(ResolverOptions::makes_sense)
    }
}
