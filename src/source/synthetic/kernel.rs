//! The made-up kernel: its limits, and counters that grow with what the actors do.

use std::sync::Arc;

use crate::model::facts::{Counters, Facts, PortRange};
use crate::source::synthetic::addresses::NETNS;

/// Segments that a second of this machine sends, and one in how many of them is sent again: a healthy network.
const SEGMENTS_PER_SECOND: u64 = 4_210;
const SEGMENTS_PER_RETRANSMIT: u64 = 460;

/// What the counters say when the demo begins: the machine has been up for nine days.
pub const COUNTERS_START: Counters = Counters {
    listen_overflows: 48_213,
    listen_drops: 48_377,
    syn_queue_drops: 0,
    syn_queue_cookies: 12,
    syncookies_sent: 12,
    time_wait_overflows: 0,
    memory_aborts: 0,
    segments_sent: 3_310_284_117,
    segments_retransmitted: 7_218_553,
    active_opens: 16_402_911,
    passive_opens: 5_830_062,
    attempt_fails: 21_874,
    segments_received: 3_288_161_904,
    fast_retransmits: 6_840_112,
    time_outs: 378_441,
    ..Counters::ZERO
};

/// A second goes by for what no actor counts.
pub fn tick(counters: &mut Counters, second: u32) {
    // Some seconds are busier than others, in a rhythm of their own that takes no random number from the actors.
    let segments = SEGMENTS_PER_SECOND + u64::from(second % 7) * 130;
    counters.segments_sent += segments;
    counters.segments_received += segments;
    counters.segments_retransmitted += segments / SEGMENTS_PER_RETRANSMIT;
    counters.fast_retransmits += segments / SEGMENTS_PER_RETRANSMIT;
}

/// The facts of the machine with these counters: the limits are those that Linux begins with.
pub fn facts(counters: &Counters) -> Arc<Facts> {
    Arc::new(Facts {
        resolver: None,
        netns: Some(NETNS),
        ephemeral_ports: Some(PortRange { first: 32_768, last: 60_999 }),
        ephemeral_reserved: 0,
        time_wait_reuse: Some(2),
        time_wait_max: Some(65_536),
        fin_timeout_seconds: Some(60),
        accept_queue_max: Some(4_096),
        syn_backlog_max: Some(1_024),
        syncookies: Some(1),
        orphans: Some(0),
        orphans_max: Some(32_768),
        tcp_memory_pages: Some(1_204),
        tcp_memory_limits_pages: Some([188_451, 251_270, 376_902]),
        conntrack: None,
        conntrack_max: None,
        counters: Some(*counters),
    })
}
