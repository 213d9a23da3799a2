//! What the kernel counts while connections come and go.

use std::sync::Arc;

use conntop::model::facts::{Counters, Facts, PortRange};

use super::chance::Chance;
use super::life::{End, Life};

/// Counts a connection that begins, all that it will do at once.
pub fn count(counters: &mut Counters, life: &Life) {
    *if life.is_outgoing { &mut counters.active_opens } else { &mut counters.passive_opens } += 1;
    match life.end {
        End::Refused => counters.attempt_fails += 1,
        End::Reset => counters.established_resets += 1,
        End::Silent(_) => {
            counters.time_outs += 11;
            counters.segments_retransmitted += 11;
        }
        End::Ours | End::Theirs(_) => (),
    }
}

/// Counts a SYN that was lost, and sent again a second later.
pub fn count_lost_syn(counters: &mut Counters) {
    counters.syn_retransmits += 1;
    counters.segments_retransmitted += 1;
    counters.time_outs += 1;
}

/// Counts the segments of a second, of which a few in a thousand are sent again, every third of those for nothing.
pub fn count_second(counters: &mut Counters, chance: &mut Chance, segments: u64) {
    let again = segments * chance.between(0, 12) / 1_000;
    counters.segments_sent += segments;
    counters.segments_received += segments;
    counters.segments_retransmitted += again;
    counters.fast_retransmits += again / 3;
    counters.loss_probes += again / 3;
    counters.dsacks_received += again / 3;
    counters.dsack_segments_received += again / 3;
    counters.udp_sent += segments / 50;
    counters.udp_received += segments / 50;
}

/// The limits of a machine as it is installed.
pub fn facts(counters: &Counters) -> Arc<Facts> {
    Arc::new(Facts {
        ephemeral_ports: Some(PortRange { first: 32_768, last: 60_999 }),
        time_wait_reuse: Some(2),
        time_wait_max: Some(65_536),
        fin_timeout_seconds: Some(60),
        accept_queue_max: Some(4_096),
        syn_backlog_max: Some(1_024),
        syncookies: Some(1),
        orphans: Some(3),
        orphans_max: Some(65_536),
        tcp_memory_pages: Some(900),
        tcp_memory_limits_pages: Some([90_000, 120_000, 180_000]),
        counters: Some(*counters),
        ..Facts::default()
    })
}
