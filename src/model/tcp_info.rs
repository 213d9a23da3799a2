//! What the kernel says of one TCP connection (`struct tcp_info`, include/uapi/linux/tcp.h), cut to what conntop uses.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::text::DisplayText;
use crate::model::time::CompactTimestamp;

/// The part of `tcp_info` kept for every connection. "Milliseconds ago" is stored as an instant, so that an idle
/// connection does not change from sample to sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TcpInfo {
    /// Smoothed round-trip time in microseconds; 0 before the first measurement.
    pub rtt_us: u32,
    /// Retransmission time-out in microseconds.
    pub rto_us: u32,
    /// Segments retransmitted over the life of the connection.
    pub retransmits_total: u32,
    /// Segments sent and not yet acknowledged (for a listener the kernel puts the accept queue here).
    pub unacked: u32,
    /// Consecutive time-outs without an answer.
    pub backoff: u8,
    /// Zero-window or keep-alive probes sent without an answer.
    pub probes: u8,
    /// So many times the peer said that it got a segment twice: sending it again was not needed (`tcpi_dsack_dups`, Linux
    /// 4.19; 0 before). 65,535 stands for that many or more.
    pub retransmits_spurious: u16,
    /// When we last sent data, or the handshake was done; 0 before. 0 stands for "never" in all three moments.
    pub last_data_sent: CompactTimestamp,
    /// When data last arrived; 0 if none did. No data can come after a FIN: an upper bound for the time in `CLOSE_WAIT`.
    pub last_data_received: CompactTimestamp,
    /// When a segment with ACK last arrived. A FIN carries one: a lower bound for the time in `CLOSE_WAIT`.
    pub last_ack_received: CompactTimestamp,
    /// Payload moved, where the kernel counts it (4.1 and later).
    pub bytes: Option<ByteCounts>,
}

/// Payload of one connection in bytes since it opened.
///
/// Kept as bytes, because numbers that must be aligned take up to ten bytes more in every socket.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct ByteCounts {
    received: [u8; 8],
    sent: [u8; 8],
}

impl ByteCounts {
    /// Payload `received` in order, and `sent` and acknowledged: without SYN and FIN, which the kernel counts as a byte
    /// each (see `source/linux/payload`).
    pub const fn new(received: u64, sent: u64) -> Self {
        Self { received: received.to_ne_bytes(), sent: sent.to_ne_bytes() }
    }

    /// Counts so many more.
    pub const fn add(&mut self, received: u64, sent: u64) {
        *self = Self::new(self.received().saturating_add(received), self.sent().saturating_add(sent));
    }

    /// Received in order.
    pub const fn received(self) -> u64 {
        u64::from_ne_bytes(self.received)
    }

    /// Sent and acknowledged.
    pub const fn sent(self) -> u64 {
        u64::from_ne_bytes(self.sent)
    }
}

impl From<(u64, u64)> for ByteCounts {
    fn from((received, sent): (u64, u64)) -> Self {
        Self::new(received, sent)
    }
}

impl From<ByteCounts> for (u64, u64) {
    fn from(counts: ByteCounts) -> Self {
        (counts.received(), counts.sent())
    }
}

impl fmt::Debug for ByteCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteCounts").field("received", &self.received()).field("sent", &self.sent()).finish()
    }
}

/// The rest of `tcp_info`, asked for one connection at a time: for the detail view.
/// Every field the running kernel does not have is `None`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TcpDetail {
    /// The congestion control algorithm.
    pub congestion: Option<DisplayText>,
    /// Congestion window in segments.
    pub congestion_window: Option<u32>,
    /// Slow-start threshold in segments; `None` while it is "infinite".
    pub slow_start_threshold: Option<u32>,
    /// Round-trip time variance in microseconds.
    pub rtt_variance_us: Option<u32>,
    /// The lowest round-trip time seen lately, in microseconds.
    pub rtt_min_us: Option<u32>,
    /// Maximum segment size we send, in bytes.
    pub send_mss_bytes: Option<u32>,
    /// Path MTU in bytes.
    pub path_mtu_bytes: Option<u32>,
    /// The window the peer offers us, in bytes.
    pub send_window_bytes: Option<u32>,
    /// The receive window we aim for, in bytes (`tcpi_rcv_space`).
    pub receive_space_bytes: Option<u32>,
    /// Segments thought lost now.
    pub lost: Option<u32>,
    /// Segments sent, of any kind.
    pub segments_out: Option<u32>,
    /// Segments received, of any kind.
    pub segments_in: Option<u32>,
    /// Payload sent again, in bytes.
    pub bytes_retransmitted: Option<u64>,
    /// Payload waiting in the send queue, never sent yet, in bytes.
    pub not_sent_bytes: Option<u32>,
    /// The latest measured goodput, in bytes per second.
    pub delivery_rate: Option<u64>,
    /// Time with data in flight, in microseconds.
    pub busy_us: Option<u64>,
    /// Time held up by the peer's window, in microseconds.
    pub receive_window_limited_us: Option<u64>,
    /// Time held up by our send buffer, in microseconds.
    pub send_buffer_limited_us: Option<u64>,
}
