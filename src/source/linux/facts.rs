//! Limits and counters of the network namespace that the opening thread is in, from `/proc`.
//!
//! `/proc/thread-self/net` and `/proc/sys/net` show the namespace of the thread that opens the file, and go on showing
//! it whoever reads. Counters are read with every sample that wants them, through files that stay open; limits hardly ever
//! change and are read every `LIMITS_EVERY`. The text is the kernel's, yet whatever it says is survived.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, pread};

use crate::model::facts::{Counters, Facts, PortRange, ResolverOptions};
use crate::model::socket::NetnsId;
use crate::model::time::Timestamp;
use crate::source::guarded;
use crate::source::linux::proc_tables::{self, content, value_in_line, words};

const PORT_RANGE: &CStr = c"/proc/sys/net/ipv4/ip_local_port_range";
/// How often the limits are read.
const LIMITS_EVERY: Duration = Duration::from_secs(10);
/// The settings of the C library's resolver, and up to which length they are read.
const RESOLVER_FILE: &str = "/etc/resolv.conf";
const RESOLVER_LEN_MAX: u64 = 64 * 1024;
/// What all files but one fit into: `/proc/net/netstat` has some 4 KiB, `/proc/net/stat/nf_conntrack` 160 bytes a processor.
const TEXT_LEN: usize = 64 * 1024;
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
    gauges: GaugeFiles,
    /// `None` until somebody wants counters.
    counters: Option<CounterFiles>,
    text: Vec<u8>,
    more_text: Vec<u8>,
    known: Arc<Facts>,
    limits_read: Option<Timestamp>,
}

/// Files of what goes up and down. They stay open; `None` where one cannot be opened.
#[derive(Debug)]
struct GaugeFiles {
    sockstat: Option<OwnedFd>,
    /// Is there once a firewall tracks connections, which can begin at any time.
    conntrack: Option<OwnedFd>,
}

/// Files of what only grows. They stay open; `None` where one cannot be opened: IPv6 or the tracking of connections is not there.
#[derive(Debug)]
struct CounterFiles {
    netstat: Option<OwnedFd>,
    snmp: Option<OwnedFd>,
    snmp6: Option<OwnedFd>,
    /// Is there once a firewall tracks connections.
    conntrack: Option<OwnedFd>,
}

impl GaugeFiles {
    fn open() -> Self {
        Self { sockstat: open(c"/proc/thread-self/net/sockstat").ok(), conntrack: None }
    }

    fn look_for_conntrack(&mut self) {
        if self.conntrack.is_none() {
            self.conntrack = open(c"/proc/sys/net/netfilter/nf_conntrack_count").ok();
        }
    }
}

impl CounterFiles {
    fn open() -> Self {
        Self {
            netstat: open(c"/proc/thread-self/net/netstat").ok(),
            snmp: open(c"/proc/thread-self/net/snmp").ok(),
            snmp6: open(c"/proc/thread-self/net/snmp6").ok(),
            conntrack: None,
        }
    }

    fn look_for_conntrack(&mut self) {
        if self.conntrack.is_none() {
            self.conntrack = open(c"/proc/thread-self/net/stat/nf_conntrack").ok();
        }
    }
}

impl FactsReader {
    /// A reader for the namespace of this thread, which is `netns`.
    pub fn open(netns: NetnsId) -> Self {
        Self {
            netns,
            gauges: GaugeFiles::open(),
            counters: None,
            text: vec![0; TEXT_LEN],
            more_text: Vec::new(),
            known: Arc::default(),
            limits_read: None,
        }
    }

    /// The facts at `at`, with counters only if `counters`; the same value as before where nothing has changed.
    pub fn read(&mut self, at: Timestamp, counters: bool) -> Arc<Facts> {
        let is_due = self.limits_read.is_none_or(|read| at.since(read) >= LIMITS_EVERY);
        let mut facts = if is_due { self.limits() } else { Facts::clone(&self.known) };
        if is_due {
            self.limits_read = Some(at);
        }
        let sockstat = content(self.gauges.sockstat.as_ref(), &mut self.text);
        facts.orphans = sockstat.and_then(|text| value_in_line(text, b"TCP:", b"orphan"));
        facts.tcp_memory_pages = sockstat.and_then(|text| value_in_line(text, b"TCP:", b"mem"));
        facts.conntrack = content(self.gauges.conntrack.as_ref(), &mut self.text).and_then(parse_number);
        facts.counters = if counters { self.counters(is_due) } else { None };
        if facts != *self.known {
            self.known = Arc::new(facts);
        }
        Arc::clone(&self.known)
    }

    /// `None` where the kernel's tables of TCP cannot be read; what else is missing stays 0.
    fn counters(&mut self, is_due: bool) -> Option<Counters> {
        let is_first = self.counters.is_none();
        let (files, text) = (self.counters.get_or_insert_with(CounterFiles::open), &mut self.text);
        if is_due || is_first {
            files.look_for_conntrack();
        }
        let mut counters = Counters::default();
        take_pairs(content(files.netstat.as_ref(), text)?, b"TcpExt", &mut counters).then_some(())?;
        take_pairs(content(files.snmp.as_ref(), text)?, b"Tcp", &mut counters).then_some(())?;
        let mut take = |group: &[u8], name: &[u8], number: i64| take(&mut counters, group, name, number);
        if let Some(snmp6) = content(files.snmp6.as_ref(), text) {
            proc_tables::lines(snmp6, &mut take);
        }
        if let Some(conntrack) = lines_of(files.conntrack.as_ref(), text) {
            proc_tables::hexadecimal_columns(conntrack, |name, number| take(CONNTRACK, name, number));
        }
        Some(counters)
    }

    fn limits(&mut self) -> Facts {
        self.gauges.look_for_conntrack();
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
            tcp_memory_pages: None,
            tcp_memory_limits_pages: self.sysctl(c"/proc/sys/net/ipv4/tcp_mem").and_then(parse_three),
            conntrack: None,
            conntrack_max: self.number(c"/proc/sys/net/netfilter/nf_conntrack_max"),
            counters: None,
            resolver: resolver(),
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

/// The group that stands for `/proc/net/stat/nf_conntrack`, as [`COUNTERS`](crate::model::counters::COUNTERS) has it.
const CONNTRACK: &[u8] = b"NfConntrack";

/// Takes in what a table tells. Answers whether `group` is in it.
fn take_pairs(table: &[u8], group: &[u8], counters: &mut Counters) -> bool {
    let mut is_there = false;
    proc_tables::pairs(table, |of, name, number| {
        is_there |= of == group;
        take(counters, of, name, number);
    });
    is_there
}

/// What is negative is no counter: one is -1 where there is no limit (`MaxConn`).
fn take(counters: &mut Counters, group: &[u8], name: &[u8], number: i64) {
    if let Ok(number) = u64::try_from(number) {
        counters.take(group, name, number);
    }
}

/// What `/etc/resolv.conf` says; `None` where it cannot be read. An administrator or a container writes it.
fn resolver() -> Option<ResolverOptions> {
    let text = guarded::read(Path::new(RESOLVER_FILE), RESOLVER_LEN_MAX).ok()?;
    Some(ResolverOptions::parse(&text))
}

fn open(path: &CStr) -> Result<OwnedFd, Errno> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// What a file says now that the kernel hands over line by line, up to a page at once, as far as `room` takes it.
fn lines_of<'a>(file: Option<&OwnedFd>, room: &'a mut [u8]) -> Option<&'a [u8]> {
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

fn parse_number<T: FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}

/// Three numbers, `287901 383868 575802`.
fn parse_three(text: &[u8]) -> Option<[u64; 3]> {
    let mut words = words(text).map(parse_number);
    let three = [words.next()??, words.next()??, words.next()??];
    words.next().is_none().then_some(three)
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
