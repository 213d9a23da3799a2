//! The kernel's counters of a network namespace that conntop judges by: one row each.

use std::fmt;

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where the kernel tells a counter, and how conntop calls it.
#[derive(Debug)]
pub struct KernelCounter {
    /// The name of the field.
    pub field: &'static str,
    /// Group and name as in `/proc/net/{snmp,snmp6,netstat}`, or `NfConntrack` and the column of
    /// `/proc/net/stat/nf_conntrack`. Where the kernel counts IPv6 apart, the counter is the sum.
    pub told_as: &'static [(&'static str, &'static str)],
    /// Its value.
    pub get: fn(&Counters) -> u64,
    /// Its place.
    pub get_mut: fn(&mut Counters) -> &mut u64,
}

/// Makes [`Counters`] and the table [`COUNTERS`] from one row each: `name: ["Group" "Name", ...], "what it counts"`.
macro_rules! counters {
    ($($field:ident: [$($group:literal $name:literal),+], $about:literal;)*) => {
        /// Counters since the network namespace was made. One that the kernel does not have, being older, stays 0.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[expect(clippy::doc_markdown, reason = "names of the kernel and of settings")]
        pub struct Counters {
            $(#[doc = $about] pub $field: u64,)*
        }

        impl Counters {
            /// Nothing was counted.
            pub const ZERO: Self = Self { $($field: 0,)* };
        }

        /// Every counter, in the order in which recordings hold them: a new one goes to the end.
        pub const COUNTERS: &[KernelCounter] = &[
            $(KernelCounter {
                field: stringify!($field),
                told_as: &[$(($group, $name)),+],
                get: |counters| counters.$field,
                get_mut: |counters| &mut counters.$field,
            },)*
        ];
    };
}

#[rustfmt::skip]
counters! {
    listen_overflows: ["TcpExt" "ListenOverflows"], "Connections that found their accept queue full.";
    listen_drops: ["TcpExt" "ListenDrops"], "Connection attempts that a listener dropped for any reason.";
    syn_queue_drops: ["TcpExt" "TCPReqQFullDrop"], "SYNs dropped because the SYN queue was as long as the listener's backlog and cookies were off.";
    syn_queue_cookies: ["TcpExt" "TCPReqQFullDoCookies"], "SYNs answered by a cookie because a listener's SYN queue was full.";
    syncookies_sent: ["TcpExt" "SyncookiesSent"], "SYNs answered by a cookie.";
    time_wait_overflows: ["TcpExt" "TCPTimeWaitOverflow"], "Connections that got no TIME_WAIT because there were too many.";
    memory_aborts: ["TcpExt" "TCPAbortOnMemory"], "Connections reset for want of memory or because there were too many orphans.";
    segments_sent: ["Tcp" "OutSegs"], "Segments sent, those sent again left out.";
    segments_retransmitted: ["Tcp" "RetransSegs"], "Segments sent again, for whatever reason: SYN, SYN-ACK and tail-loss probes too.";
    active_opens: ["Tcp" "ActiveOpens"], "Connections that this namespace began to open.";
    passive_opens: ["Tcp" "PassiveOpens"], "Connections that came in.";
    attempt_fails: ["Tcp" "AttemptFails"], "Connections that failed in the handshake: refused, or reset in SYN_RECV.";
    established_resets: ["Tcp" "EstabResets"], "Connections that went from ESTABLISHED or CLOSE_WAIT to CLOSE at once: reset by either side.";
    resets_sent: ["Tcp" "OutRsts"], "Resets sent.";
    checksum_errors: ["Tcp" "InCsumErrors", "Udp" "InCsumErrors", "Udp6" "InCsumErrors", "IpExt" "InCsumErrors"], "Packets thrown away because their checksum was wrong.";
    segments_received: ["Tcp" "InSegs"], "Segments received, bad ones too.";
    time_outs: ["TcpExt" "TCPTimeouts"], "Retransmission time-outs, those of SYN too.";
    syn_retransmits: ["TcpExt" "TCPSynRetrans"], "SYN and SYN-ACK segments sent again.";
    fast_retransmits: ["TcpExt" "TCPFastRetrans"], "Segments sent again because duplicate ACKs said that they are missing.";
    slow_start_retransmits: ["TcpExt" "TCPSlowStartRetrans"], "Segments sent again after the first one of a time-out.";
    lost_retransmits: ["TcpExt" "TCPLostRetransmit"], "Segments sent again that were lost again.";
    loss_probes: ["TcpExt" "TCPLossProbes"], "Tail-loss probes: the last segment sent again, or a new one, before the time-out.";
    loss_probe_recoveries: ["TcpExt" "TCPLossProbeRecovery"], "Losses that a tail-loss probe repaired.";
    spurious_time_outs: ["TcpExt" "TCPSpuriousRTOs"], "Time-outs that turned out to be not needed.";
    dsacks_received: ["TcpExt" "TCPDSACKRecv", "TcpExt" "TCPDSACKOfoRecv"], "Times that a peer said it got a segment twice (RFC 2883).";
    dsack_segments_received: ["TcpExt" "TCPDSACKRecvSegs"], "Segments that peers said they got twice (Linux 5.11).";
    backlog_drops: ["TcpExt" "TCPBacklogDrop"], "Segments thrown away because the queue of a socket that was in use was full.";
    receive_queue_drops: ["TcpExt" "TCPRcvQDrop"], "Segments in order thrown away because the receive buffer was full.";
    out_of_order_drops: ["TcpExt" "TCPOFODrop"], "Segments out of order thrown away because the receive buffer was full.";
    pruned: ["TcpExt" "RcvPruned"], "Segments thrown away because a receive buffer could not be made smaller.";
    out_of_order_pruned: ["TcpExt" "OfoPruned"], "Times that all or part of an out-of-order queue was thrown away.";
    memory_pressures: ["TcpExt" "TCPMemoryPressures"], "Times that TCP's memory rose above the second number of tcp_mem.";
    time_stamp_rejects: ["TcpExt" "PAWSActive", "TcpExt" "PAWSEstab", "TcpExt" "TSEcrRejected", "TcpExt" "PAWSTimewait"], "Segments thrown away because of their time stamp.";
    udp_received: ["Udp" "InDatagrams", "Udp6" "InDatagrams"], "Datagrams delivered.";
    udp_sent: ["Udp" "OutDatagrams", "Udp6" "OutDatagrams"], "Datagrams sent.";
    udp_receive_buffer_errors: ["Udp" "RcvbufErrors", "Udp6" "RcvbufErrors"], "Datagrams thrown away because the receive buffer of their socket was full.";
    udp_send_buffer_errors: ["Udp" "SndbufErrors", "Udp6" "SndbufErrors"], "Datagrams not sent because a send buffer or the queue of the interface was full.";
    udp_memory_errors: ["Udp" "MemErrors", "Udp6" "MemErrors"], "Datagrams thrown away because UDP's memory (udp_mem) was used up.";
    conntrack_drops: ["NfConntrack" "drop"], "Packets dropped because the table of tracked connections took no more.";
    conntrack_early_drops: ["NfConntrack" "early_drop"], "Tracked connections thrown out of the full table for new ones.";
}

impl Counters {
    /// By how much each grew since `older`; one that is smaller now has not grown.
    #[must_use]
    pub fn since(&self, older: &Self) -> Self {
        let mut grown = *self;
        for row in COUNTERS {
            let value = (row.get_mut)(&mut grown);
            *value = value.saturating_sub((row.get)(older));
        }
        grown
    }

    /// Takes in what the kernel tells as `name` of `group`; what conntop does not judge by is passed over.
    pub fn take(&mut self, group: &[u8], name: &[u8], value: u64) {
        let is = |told: &(&str, &str)| told.1.as_bytes() == name && told.0.as_bytes() == group;
        for row in COUNTERS {
            if row.told_as.iter().any(is) {
                let sum = (row.get_mut)(self);
                *sum = sum.saturating_add(value);
            }
        }
    }

    /// Segments that peers said they got twice, so that sending them again was not needed. A `DSACK` may be about several.
    pub fn spurious(&self) -> u64 {
        self.dsacks_received.max(self.dsack_segments_received)
    }
}

/// As a list, so that a recording that holds fewer counters, or more, can be read.
impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(COUNTERS.len()))?;
        for row in COUNTERS {
            list.serialize_element(&(row.get)(self))?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Counters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Counters;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of counters")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Counters, A::Error> {
                let mut counters = Counters::default();
                let mut rows = COUNTERS.iter();
                while let Some(value) = list.next_element::<u64>()? {
                    if let Some(row) = rows.next() {
                        *(row.get_mut)(&mut counters) = value;
                    }
                }
                Ok(counters)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_counter_is_one_row_and_no_name_of_the_kernel_stands_twice() {
        let fields: BTreeSet<_> = COUNTERS.iter().map(|row| row.field).collect();
        assert_eq!(fields.len(), COUNTERS.len());
        let told: Vec<_> = COUNTERS.iter().flat_map(|row| row.told_as).collect();
        assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len());
        for (nth, row) in COUNTERS.iter().enumerate() {
            let mut counters = Counters::default();
            for (group, name) in row.told_as {
                counters.take(group.as_bytes(), name.as_bytes(), 7);
            }
            let set: Vec<_> = COUNTERS.iter().filter(|row| (row.get)(&counters) > 0).map(|row| row.field).collect();
            assert_eq!(set, [COUNTERS[nth].field], "a name sets its own counter");
            assert_eq!((row.get)(&counters), 7 * row.told_as.len() as u64, "{}", row.field);
        }
    }

    #[test]
    fn growth_is_told_of_each_and_what_fell_has_not_grown() {
        let older = Counters { listen_drops: 5, udp_received: 100, ..Counters::default() };
        let newer = Counters { listen_drops: 9, udp_received: 1, conntrack_drops: 3, ..Counters::default() };
        let grown = Counters { listen_drops: 4, conntrack_drops: 3, ..Counters::default() };
        assert_eq!(newer.since(&older), grown);
        let max = Counters { listen_drops: u64::MAX, ..older };
        let mut more = max;
        more.take(b"TcpExt", b"ListenDrops", 9);
        assert_eq!(more, max, "the largest number stays");
    }

    #[test]
    fn a_list_that_is_shorter_or_longer_is_read() {
        let counters =
            Counters { listen_overflows: 3, listen_drops: 4, conntrack_early_drops: 5, ..Counters::default() };
        let bytes = postcard::to_allocvec(&counters).expect("into memory");
        assert_eq!(postcard::from_bytes::<Counters>(&bytes).expect("the same"), counters);
        let short = postcard::to_allocvec(&[3_u64, 4][..]).expect("into memory");
        let known = Counters { listen_overflows: 3, listen_drops: 4, ..Counters::default() };
        assert_eq!(postcard::from_bytes::<Counters>(&short).expect("a recording of before"), known);
        let mut long: Vec<u64> = COUNTERS.iter().map(|row| (row.get)(&counters)).collect();
        long.extend([1, 2, 3]);
        let (read, rest) = postcard::take_from_bytes::<Counters>(&postcard::to_allocvec(&long).expect("into memory"))
            .map(|(read, rest)| (read, rest.len()))
            .expect("a recording of after");
        assert_eq!((read, rest), (counters, 0));
    }
}
