//! What comes with the sockets of a sample and mostly stays as it is: coverage, names, facts, descriptors and the like. Only what
//! is another than in the sample before is written.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use crate::model::coverage::Coverage;
use crate::model::delta::{AsOf, Delta, SampleIntervals, Traffic};
use crate::model::descriptors::Descriptors;
use crate::model::event::EventStatus;
use crate::model::facts::Facts;
use crate::model::process::{Names, ProcessId, Usage};
use crate::model::socket::SocketId;
use crate::model::tcp_info::TcpDetail;
use crate::source::record::bytes::Relative;
use crate::source::record::bytes::{BytesIn, BytesOut};
use crate::source::record::format::{DETAILS_MAX, RecordingFault, USAGE_MAX, section};

/// What was said last.
#[derive(Debug, Default)]
pub struct SaidBefore {
    took: Duration,
    traffic: Option<Traffic>,
    is_overtaken: bool,
    sample_intervals: SampleIntervals,
    as_of: AsOf,
    coverage: Arc<Coverage>,
    names: Arc<Names>,
    facts: Arc<Facts>,
    event_status: EventStatus,
    usage: Vec<(ProcessId, Usage)>,
    descriptors: Arc<Vec<(ProcessId, Descriptors)>>,
    details: Vec<(SocketId, TcpDetail)>,
}

impl SaidBefore {
    /// Writes the sections of what `delta` says anew, and takes note of it.
    pub fn put(&mut self, delta: &Delta, out: &mut BytesOut) -> Result<(), RecordingFault> {
        out.section(section::SAMPLE, |out| self.put_sample(delta, out))?;
        if self.coverage != delta.coverage {
            out.section(section::COVERAGE, |out| put_coverage(&delta.coverage, &self.coverage, out))?;
        }
        if !Arc::ptr_eq(&self.names, &delta.names) && self.names != delta.names {
            out.section(section::NAMES, |out| put_names(&delta.names, &self.names, out))?;
        }
        if self.facts != delta.facts {
            out.section(section::FACTS, |out| put_facts(&delta.facts, &self.facts, out))?;
        }
        if self.event_status != delta.event_status {
            out.section(section::EVENT_STATUS, |out| put_status(&delta.event_status, &self.event_status, out))?;
        }
        put_list(section::USAGE, &delta.usage, &self.usage, out, put_usage)?;
        if !Arc::ptr_eq(&self.descriptors, &delta.descriptors) {
            put_list(section::DESCRIPTORS, &delta.descriptors, &self.descriptors, out, put_descriptors)?;
        }
        put_list(section::DETAILS, &delta.details, &self.details, out, put_detail)?;
        *self = Self::of(delta);
        Ok(())
    }

    fn of(delta: &Delta) -> Self {
        Self {
            took: delta.took,
            traffic: delta.traffic,
            is_overtaken: delta.is_overtaken,
            sample_intervals: delta.sample_intervals,
            as_of: delta.as_of,
            coverage: Arc::clone(&delta.coverage),
            names: Arc::clone(&delta.names),
            facts: Arc::clone(&delta.facts),
            event_status: delta.event_status.clone(),
            usage: delta.usage.clone(),
            descriptors: Arc::clone(&delta.descriptors),
            details: delta.details.clone(),
        }
    }

    fn put_sample(&self, delta: &Delta, out: &mut BytesOut) {
        out.structure(|fields| {
            fields.put(0, &delta.took, &self.took);
            fields.put(1, &delta.traffic, &self.traffic);
            fields.put(2, &delta.is_overtaken, &self.is_overtaken);
            fields.put(3, &delta.sample_intervals.every, &self.sample_intervals.every);
            fields.put(4, &delta.sample_intervals.full_every, &self.sample_intervals.full_every);
            fields.put(5, &delta.sample_intervals.late, &self.sample_intervals.late);
            // Whole each time: relative to the sample, a moment that stays where it is moves.
            fields.put(6, &delta.as_of.rest, &None);
            fields.put(7, &delta.as_of.udp, &None);
            fields.put(8, &delta.as_of.others, &None);
        });
    }

    fn take_sample(&mut self, bytes: &mut BytesIn<'_>) -> Result<(), RecordingFault> {
        let mut fields = bytes.structure()?;
        self.took = fields.take(0, &self.took)?;
        self.traffic = fields.take(1, &self.traffic)?;
        self.is_overtaken = fields.take(2, &self.is_overtaken)?;
        let intervals = &mut self.sample_intervals;
        intervals.every = fields.take(3, &intervals.every)?;
        intervals.full_every = fields.take(4, &intervals.full_every)?;
        intervals.late = fields.take(5, &intervals.late)?;
        self.as_of = AsOf { rest: fields.take(6, &None)?, udp: fields.take(7, &None)?, others: fields.take(8, &None)? };
        Ok(())
    }

    /// Reads section `kind`, if it is one of these.
    pub fn take(&mut self, kind: u64, bytes: &mut BytesIn<'_>) -> Result<(), RecordingFault> {
        match kind {
            section::SAMPLE => self.take_sample(bytes)?,
            section::COVERAGE => self.coverage = Arc::new(take_coverage(&self.coverage, bytes)?),
            section::NAMES => self.names = Arc::new(take_names(&self.names, bytes)?),
            section::FACTS => self.facts = Arc::new(take_facts(&self.facts, bytes)?),
            section::EVENT_STATUS => self.event_status = take_status(&self.event_status, bytes)?,
            section::USAGE => self.usage = take_list(&self.usage, (USAGE_MAX, "processes"), bytes, take_usage)?,
            section::DESCRIPTORS => {
                let descriptors = take_list(&self.descriptors, (USAGE_MAX, "processes"), bytes, take_descriptors)?;
                if !descriptors.is_sorted_by_key(|(process, _)| *process) {
                    return Err(RecordingFault::Nonsense("processes are out of order"));
                }
                self.descriptors = Arc::new(descriptors);
            }
            section::DETAILS => self.details = take_list(&self.details, (DETAILS_MAX, "details"), bytes, take_detail)?,
            _ => {}
        }
        Ok(())
    }

    /// What holds now.
    pub fn fill(&self, delta: &mut Delta) {
        delta.took = self.took;
        delta.traffic = self.traffic;
        delta.is_overtaken = self.is_overtaken;
        delta.sample_intervals = self.sample_intervals;
        delta.as_of = self.as_of;
        delta.coverage = Arc::clone(&self.coverage);
        delta.names = Arc::clone(&self.names);
        delta.facts = Arc::clone(&self.facts);
        delta.event_status = self.event_status.clone();
        delta.usage.clone_from(&self.usage);
        delta.descriptors = Arc::clone(&self.descriptors);
        delta.details.clone_from(&self.details);
    }
}

fn put_coverage(new: &Coverage, old: &Coverage, out: &mut BytesOut) {
    out.structure(|fields| {
        fields.put(0, &new.sockets, &old.sockets);
        fields.put(1, &new.owners_hidden, &old.owners_hidden);
        fields.put(2, &new.processes_unreadable, &old.processes_unreadable);
        fields.put(3, &new.records_skipped, &old.records_skipped);
        fields.put(4, &new.other_namespaces, &old.other_namespaces);
        fields.put(5, &new.degraded, &old.degraded);
    });
}

fn take_coverage(old: &Coverage, bytes: &mut BytesIn<'_>) -> Result<Coverage, RecordingFault> {
    let mut fields = bytes.structure()?;
    Ok(Coverage {
        sockets: fields.take(0, &old.sockets)?,
        owners_hidden: fields.take(1, &old.owners_hidden)?,
        processes_unreadable: fields.take(2, &old.processes_unreadable)?,
        records_skipped: fields.take(3, &old.records_skipped)?,
        other_namespaces: fields.take(4, &old.other_namespaces)?,
        degraded: fields.take(5, &old.degraded)?,
    })
}

fn put_names(new: &Names, old: &Names, out: &mut BytesOut) {
    out.structure(|fields| {
        fields.put(0, &new.users, &old.users);
        fields.put(1, &new.interfaces, &old.interfaces);
        fields.put(2, &new.namespaces, &old.namespaces);
        fields.put(3, &new.own, &old.own);
        fields.put(4, &new.reachable, &old.reachable);
        fields.put(5, &new.units, &old.units);
    });
}

fn take_names(old: &Names, bytes: &mut BytesIn<'_>) -> Result<Names, RecordingFault> {
    let mut fields = bytes.structure()?;
    Ok(Names {
        users: fields.take(0, &old.users)?,
        interfaces: fields.take(1, &old.interfaces)?,
        namespaces: fields.take(2, &old.namespaces)?,
        own: fields.take(3, &old.own)?,
        reachable: fields.take(4, &old.reachable)?,
        units: fields.take(5, &old.units)?,
        ..Names::default()
    })
}

fn put_facts(new: &Facts, old: &Facts, out: &mut BytesOut) {
    out.structure(|fields| {
        fields.put(0, &new.counters, &old.counters);
        fields.put(1, &new.orphans, &old.orphans);
        fields.put(2, &new.tcp_memory_pages, &old.tcp_memory_pages);
        fields.put(3, &new.conntrack, &old.conntrack);
        fields.put(4, &new.netns, &old.netns);
        fields.put(5, &new.ephemeral_ports, &old.ephemeral_ports);
        fields.put(6, &new.ephemeral_reserved, &old.ephemeral_reserved);
        fields.put(7, &new.time_wait_reuse, &old.time_wait_reuse);
        fields.put(8, &new.time_wait_max, &old.time_wait_max);
        fields.put(9, &new.fin_timeout_seconds, &old.fin_timeout_seconds);
        fields.put(10, &new.accept_queue_max, &old.accept_queue_max);
        fields.put(11, &new.syn_backlog_max, &old.syn_backlog_max);
        fields.put(12, &new.syncookies, &old.syncookies);
        fields.put(13, &new.orphans_max, &old.orphans_max);
        fields.put(14, &new.tcp_memory_limits_pages, &old.tcp_memory_limits_pages);
        fields.put(15, &new.conntrack_max, &old.conntrack_max);
        fields.put(16, &new.resolver, &old.resolver);
    });
}

fn take_facts(old: &Facts, bytes: &mut BytesIn<'_>) -> Result<Facts, RecordingFault> {
    let mut fields = bytes.structure()?;
    let facts = Facts {
        counters: fields.take(0, &old.counters)?,
        orphans: fields.take(1, &old.orphans)?,
        tcp_memory_pages: fields.take(2, &old.tcp_memory_pages)?,
        conntrack: fields.take(3, &old.conntrack)?,
        netns: fields.take(4, &old.netns)?,
        ephemeral_ports: fields.take(5, &old.ephemeral_ports)?,
        ephemeral_reserved: fields.take(6, &old.ephemeral_reserved)?,
        time_wait_reuse: fields.take(7, &old.time_wait_reuse)?,
        time_wait_max: fields.take(8, &old.time_wait_max)?,
        fin_timeout_seconds: fields.take(9, &old.fin_timeout_seconds)?,
        accept_queue_max: fields.take(10, &old.accept_queue_max)?,
        syn_backlog_max: fields.take(11, &old.syn_backlog_max)?,
        syncookies: fields.take(12, &old.syncookies)?,
        orphans_max: fields.take(13, &old.orphans_max)?,
        tcp_memory_limits_pages: fields.take(14, &old.tcp_memory_limits_pages)?,
        conntrack_max: fields.take(15, &old.conntrack_max)?,
        resolver: fields.take(16, &old.resolver)?,
    };
    if facts.make_sense() { Ok(facts) } else { Err(RecordingFault::Nonsense("a range of ports ends before it begins")) }
}

fn put_status(new: &EventStatus, old: &EventStatus, out: &mut BytesOut) {
    out.structure(|fields| {
        fields.put(0, &new.ends, &old.ends);
        fields.put(1, &new.trace, &old.trace);
    });
}

fn take_status(old: &EventStatus, bytes: &mut BytesIn<'_>) -> Result<EventStatus, RecordingFault> {
    let mut fields = bytes.structure()?;
    Ok(EventStatus { ends: fields.take(0, &old.ends)?, trace: fields.take(1, &old.trace)? })
}

/// Writes a list of what is known of each of several things, if it is another than before: each relative to what was known of it.
fn put_list<K: Relative + Copy + Eq + Hash + Default, V: PartialEq + Default>(
    kind: u64,
    new: &[(K, V)],
    old: &[(K, V)],
    out: &mut BytesOut,
    put: fn((&K, &K), (&V, &V), &mut BytesOut),
) -> Result<(), RecordingFault> {
    if new == old {
        return Ok(());
    }
    out.section(kind, |out| {
        out.count(new.len());
        let (known, nothing) = (Known::new(old), V::default());
        let mut before = K::default();
        for (nth, (key, value)) in new.iter().enumerate() {
            let base = known.of(nth, key).unwrap_or(&nothing);
            put((key, &before), (value, base), out);
            before = *key;
        }
    })
}

/// Reads an entry: its key relative to the one before, its value relative to what is known of it.
type TakeEntry<K, V> = fn(&K, &mut dyn FnMut(&K) -> V, &mut BytesIn<'_>) -> Result<(K, V), RecordingFault>;

fn take_list<K: Relative + Copy + Eq + Hash + Default, V: Clone + Default>(
    old: &[(K, V)],
    limit: (u32, &'static str),
    bytes: &mut BytesIn<'_>,
    take: TakeEntry<K, V>,
) -> Result<Vec<(K, V)>, RecordingFault> {
    let count = bytes.count(limit)?;
    let known = Known::new(old);
    let (mut before, mut list) = (K::default(), Vec::new());
    for nth in 0..count {
        let mut base = |key: &K| known.of(nth, key).cloned().unwrap_or_default();
        let entry = take(&before, &mut base, bytes)?;
        before = entry.0;
        list.push(entry);
    }
    Ok(list)
}

/// What was known of each thing. Most stand at the same place as before.
struct Known<'a, K, V> {
    list: &'a [(K, V)],
    places: HashMap<K, usize>,
}

impl<'a, K: Copy + Eq + Hash, V> Known<'a, K, V> {
    fn new(list: &'a [(K, V)]) -> Self {
        Self { list, places: list.iter().enumerate().map(|(nth, (key, _))| (*key, nth)).collect() }
    }

    fn of(&self, nth: usize, key: &K) -> Option<&'a V> {
        let at_its_place = self.list.get(nth).filter(|(its, _)| its == key);
        let entry = at_its_place.or_else(|| self.list.get(*self.places.get(key)?));
        entry.map(|(_, value)| value)
    }
}

fn put_usage((key, before): (&ProcessId, &ProcessId), (new, old): (&Usage, &Usage), out: &mut BytesOut) {
    out.structure(|fields| {
        fields.put(0, key, before);
        fields.put(1, &new.cpu, &old.cpu);
        fields.put(2, &new.memory_bytes, &old.memory_bytes);
    });
}

fn take_usage(
    before: &ProcessId,
    base: &mut dyn FnMut(&ProcessId) -> Usage,
    bytes: &mut BytesIn<'_>,
) -> Result<(ProcessId, Usage), RecordingFault> {
    let mut fields = bytes.structure()?;
    let key = fields.take(0, before)?;
    let old = base(&key);
    Ok((key, Usage { cpu: fields.take(1, &old.cpu)?, memory_bytes: fields.take(2, &old.memory_bytes)? }))
}

fn put_descriptors(
    (key, before): (&ProcessId, &ProcessId),
    (new, old): (&Descriptors, &Descriptors),
    out: &mut BytesOut,
) {
    out.structure(|fields| {
        fields.put(0, key, before);
        fields.put(1, &new.used, &old.used);
        fields.put(2, &new.max, &old.max);
        fields.put(3, &new.counted_at, &old.counted_at);
        fields.put(4, &new.sockets, &old.sockets);
    });
}

fn take_descriptors(
    before: &ProcessId,
    base: &mut dyn FnMut(&ProcessId) -> Descriptors,
    bytes: &mut BytesIn<'_>,
) -> Result<(ProcessId, Descriptors), RecordingFault> {
    let mut fields = bytes.structure()?;
    let key = fields.take(0, before)?;
    let old = base(&key);
    let descriptors = Descriptors {
        used: fields.take(1, &old.used)?,
        max: fields.take(2, &old.max)?,
        counted_at: fields.take(3, &old.counted_at)?,
        sockets: fields.take(4, &old.sockets)?,
    };
    Ok((key, descriptors))
}

macro_rules! detail_fields {
    ($($number:literal $field:ident),* $(,)?) => {
        fn put_detail((key, before): (&SocketId, &SocketId), (new, old): (&TcpDetail, &TcpDetail), out: &mut BytesOut) {
            out.structure(|fields| {
                fields.put(0, key, before);
                $(fields.put($number, &new.$field, &old.$field);)*
            });
        }

        fn take_detail(
            before: &SocketId,
            base: &mut dyn FnMut(&SocketId) -> TcpDetail,
            bytes: &mut BytesIn<'_>,
        ) -> Result<(SocketId, TcpDetail), RecordingFault> {
            let mut fields = bytes.structure()?;
            let key = fields.take(0, before)?;
            let old = base(&key);
            Ok((key, TcpDetail { $($field: fields.take($number, &old.$field)?),* }))
        }
    };
}
detail_fields! {
    1 congestion, 2 congestion_window, 3 slow_start_threshold, 4 rtt_variance_us, 5 rtt_min_us, 6 send_mss_bytes,
    7 path_mtu_bytes, 8 send_window_bytes, 9 receive_space_bytes, 10 lost, 11 segments_out, 12 segments_in,
    13 bytes_retransmitted, 14 not_sent_bytes, 15 delivery_rate, 16 busy_us, 17 receive_window_limited_us,
    18 send_buffer_limited_us,
}
