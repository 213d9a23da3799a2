//! Limits and counters of the network namespace that the opening thread is in, from `/proc`.
//!
//! `/proc/thread-self/net` and `/proc/sys/net` show the namespace of the thread that opens the file, and go on showing
//! it whoever reads. Counters are read with every sample, through files that stay open; limits hardly ever change and
//! are read every `LIMITS_EVERY`. The text is the kernel's, yet whatever it says is survived.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, pread};

use crate::model::facts::{Counters, Facts, PortRange};
use crate::model::socket::NetnsId;
use crate::model::time::Timestamp;
use crate::source::linux::proc_tables::{self, words};

const PORT_RANGE: &CStr = c"/proc/sys/net/ipv4/ip_local_port_range";
/// How often the limits are read.
const LIMITS_EVERY: Duration = Duration::from_secs(10);
/// What all files but one fit into: `/proc/net/netstat` has some 4 KiB.
const TEXT_LEN: usize = 16 * 1024;
/// The longest list of reserved ports: every second of 65,536 ports, each up to six characters.
const PORTS_TEXT_LEN: usize = 256 * 1024;

/// `ip_local_port_range` of the network namespace of this thread.
pub fn client_ports() -> Option<PortRange> {
    content(open(PORT_RANGE).ok().as_ref(), &mut [0; 64]).and_then(parse_range)
}

/// Reads the facts.
#[derive(Debug)]
pub struct FactsReader {
    netns: NetnsId,
    /// `/proc/net/netstat`, `/proc/net/snmp` and `/proc/net/sockstat`; `None` where one cannot be opened.
    netstat: Option<OwnedFd>,
    snmp: Option<OwnedFd>,
    sockstat: Option<OwnedFd>,
    text: Vec<u8>,
    more_text: Vec<u8>,
    known: Arc<Facts>,
    limits_read: Option<Timestamp>,
}

impl FactsReader {
    /// Opens the files of the counters in the namespace of this thread, which is `netns`.
    pub fn open(netns: NetnsId) -> Self {
        Self {
            netns,
            netstat: open(c"/proc/thread-self/net/netstat").ok(),
            snmp: open(c"/proc/thread-self/net/snmp").ok(),
            sockstat: open(c"/proc/thread-self/net/sockstat").ok(),
            text: vec![0; TEXT_LEN],
            more_text: Vec::new(),
            known: Arc::default(),
            limits_read: None,
        }
    }

    /// The facts at `at`; the same value as before where nothing has changed.
    pub fn read(&mut self, at: Timestamp) -> Arc<Facts> {
        let is_due = self.limits_read.is_none_or(|read| at.since(read) >= LIMITS_EVERY);
        let mut facts = if is_due { self.limits() } else { Facts::clone(&self.known) };
        if is_due {
            self.limits_read = Some(at);
        }
        facts.orphans = content(self.sockstat.as_ref(), &mut self.text).and_then(parse_orphans);
        facts.counters = self.counters();
        if facts != *self.known {
            self.known = Arc::new(facts);
        }
        Arc::clone(&self.known)
    }

    fn counters(&mut self) -> Option<Counters> {
        let mut counters = Counters::default();
        let netstat = content(self.netstat.as_ref(), &mut self.text)?;
        take_group(netstat, b"TcpExt", |name, value| counters.take_extended(name, value)).then_some(())?;
        let snmp = content(self.snmp.as_ref(), &mut self.text)?;
        take_group(snmp, b"Tcp", |name, value| counters.take_plain(name, value)).then_some(counters)
    }

    fn limits(&mut self) -> Facts {
        let ephemeral_ports = self.sysctl(PORT_RANGE).and_then(parse_range);
        Facts {
            netns: Some(self.netns),
            ephemeral_ports,
            ephemeral_reserved: ephemeral_ports.map_or(0, |range| self.reserved(range)),
            time_wait_reuse: self.number(c"/proc/sys/net/ipv4/tcp_tw_reuse"),
            time_wait_max: self.number(c"/proc/sys/net/ipv4/tcp_max_tw_buckets"),
            fin_timeout_seconds: self.number(c"/proc/sys/net/ipv4/tcp_fin_timeout"),
            accept_queue_max: self.number(c"/proc/sys/net/core/somaxconn"),
            syn_backlog_max: self.number(c"/proc/sys/net/ipv4/tcp_max_syn_backlog"),
            syncookies: self.number(c"/proc/sys/net/ipv4/tcp_syncookies"),
            orphans: None,
            orphans_max: self.number(c"/proc/sys/net/ipv4/tcp_max_orphans"),
            counters: None,
        }
    }

    fn sysctl(&mut self, path: &CStr) -> Option<&[u8]> {
        content(open(path).ok().as_ref(), &mut self.text)
    }

    fn number<T: FromStr>(&mut self, path: &CStr) -> Option<T> {
        self.sysctl(path).and_then(parse_number)
    }

    /// How many ports of `range` are reserved. The kernel gives this list in one read or not at all, so one that fills
    /// the buffer is read again into a larger one (`proc_do_large_bitmap`, kernel/sysctl.c).
    fn reserved(&mut self, range: PortRange) -> u32 {
        const PATH: &CStr = c"/proc/sys/net/ipv4/ip_local_reserved_ports";
        const LONGEST_ENTRY: usize = "65535-65535,".len();
        let Ok(file) = open(PATH) else { return 0 };
        let text = content(Some(&file), &mut self.text).unwrap_or_default();
        if text.len() < TEXT_LEN.saturating_sub(LONGEST_ENTRY) {
            return count_within(text, range);
        }
        self.more_text.resize(PORTS_TEXT_LEN, 0);
        let count = count_within(content(Some(&file), &mut self.more_text).unwrap_or_default(), range);
        self.more_text = Vec::new();
        count
    }
}

/// Which counter a name in `/proc/net/netstat` or `/proc/net/snmp` is. One that this kernel does not have stays 0.
impl Counters {
    fn take_extended(&mut self, name: &[u8], value: u64) {
        let counter = match name {
            b"ListenOverflows" => &mut self.listen_overflows,
            b"ListenDrops" => &mut self.listen_drops,
            b"TCPReqQFullDrop" => &mut self.syn_queue_drops,
            b"TCPReqQFullDoCookies" => &mut self.syn_queue_cookies,
            b"SyncookiesSent" => &mut self.syncookies_sent,
            b"TCPTimeWaitOverflow" => &mut self.time_wait_overflows,
            b"TCPAbortOnMemory" => &mut self.memory_aborts,
            _ => return,
        };
        *counter = value;
    }

    fn take_plain(&mut self, name: &[u8], value: u64) {
        let counter = match name {
            b"OutSegs" => &mut self.segments_sent,
            b"RetransSegs" => &mut self.segments_retransmitted,
            b"ActiveOpens" => &mut self.active_opens,
            b"PassiveOpens" => &mut self.passive_opens,
            b"AttemptFails" => &mut self.attempt_fails,
            _ => return,
        };
        *counter = value;
    }
}

fn open(path: &CStr) -> Result<OwnedFd, Errno> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// What `file` says now, as far as `room` takes it; `None` where it cannot be read.
fn content<'a>(file: Option<&OwnedFd>, room: &'a mut [u8]) -> Option<&'a [u8]> {
    let (file, mut filled) = (file?, 0_usize);
    while let Some(rest) = room.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match pread(file, rest, u64::try_from(filled).ok()?) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    room.get(..filled)
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

fn parse_number<T: FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

/// Hands each name and number of `group` to `take`. Answers whether there was one. What is negative is no counter: one
/// is -1 where there is no limit (`MaxConn`).
fn take_group(table: &[u8], group: &[u8], mut take: impl FnMut(&[u8], u64)) -> bool {
    let mut is_there = false;
    proc_tables::pairs(table, |of, name, number| {
        if of == group {
            is_there = true;
            if let Ok(number) = u64::try_from(number) {
                take(name, number);
            }
        }
    });
    is_there
}

/// `TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 1` (`sockstat_seq_show`, net/ipv4/proc.c).
fn parse_orphans(sockstat: &[u8]) -> Option<u32> {
    let line = lines(sockstat).find_map(|line| line.strip_prefix(b"TCP:"))?;
    let mut words = words(line);
    words.find(|word| *word == b"orphan")?;
    parse_number(words.next()?)
}

/// Two numbers, `32768 60999`; the first not above the second.
fn parse_range(text: &[u8]) -> Option<PortRange> {
    let mut words = words(text);
    let (first, last) = (parse_number(words.next()?)?, parse_number(words.next()?)?);
    (first <= last && words.next().is_none()).then_some(PortRange { first, last })
}

/// How many ports of `range` are in a list as `8080,9148-9150` (ascending and without overlap, as the kernel writes it).
fn count_within(ports: &[u8], range: PortRange) -> u32 {
    let mut count = 0_u32;
    for entry in ports.trim_ascii().split(|byte| *byte == b',') {
        let mut ends = entry.split(|byte| *byte == b'-');
        let Some(first) = ends.next().and_then(parse_number::<u16>) else { continue };
        let last = ends.next().map_or(Some(first), parse_number::<u16>);
        let last = last.unwrap_or(first).min(range.last);
        let first = first.max(range.first);
        if first <= last {
            count = count.saturating_add(PortRange { first, last }.len());
        }
    }
    count.min(range.len())
}

#[cfg(test)]
mod tests;
