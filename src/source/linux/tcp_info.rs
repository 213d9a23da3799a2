//! Reads the kernel's `struct tcp_info` (`include/uapi/linux/tcp.h`). It has grown at its end with every few kernels:
//! what lies beyond the length that the running one sends is `None`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::time::Duration;

use crate::model::socket::Socket;
use crate::model::tcp_info::{TcpDetail, TcpInfo};
use crate::model::tcp_state::TcpState;
use crate::model::time::{CompactTimestamp, Timestamp};
use crate::source::linux::fields::{ne32, ne64};
use crate::source::linux::payload;

// Where each field stands, in bytes. `last_*` are milliseconds ago, times are microseconds.
const PROBES: usize = 3;
const BACKOFF: usize = 4;
const RTO: usize = 8;
const SND_MSS: usize = 16;
const UNACKED: usize = 24;
const LOST: usize = 32;
const LAST_DATA_SENT: usize = 44;
const LAST_DATA_RECV: usize = 52;
const LAST_ACK_RECV: usize = 56;
const PMTU: usize = 60;
const RTT: usize = 68;
const RTTVAR: usize = 72;
const SND_SSTHRESH: usize = 76;
const SND_CWND: usize = 80;
const RCV_SPACE: usize = 96;
const TOTAL_RETRANS: usize = 100;
const SEGS_OUT: usize = 136;
const SEGS_IN: usize = 140;
const NOTSENT_BYTES: usize = 144;
const MIN_RTT: usize = 148;
const DELIVERY_RATE: usize = 160;
const BUSY_TIME: usize = 168;
const RWND_LIMITED: usize = 176;
const SNDBUF_LIMITED: usize = 184;
const BYTES_RETRANS: usize = 208;
const DSACK_DUPS: usize = 216;
const SND_WND: usize = 228;

/// `TCP_INFINITE_SSTHRESH` (`include/net/tcp.h`): slow start has no end yet.
const SSTHRESH_INFINITE: u32 = 0x7fff_ffff;

/// The part kept for every connection, of `socket` as of `moment`; `None` if `info` is shorter than Linux 2.6 made it.
///
/// A clock that was never set reads as if it had been near boot, 300 s after it (`INITIAL_JIFFIES`): such moments are left
/// at 0, which is "never". Before the handshake none is set; that of data received is set by the usual handshake, but not
/// where both sides open at once, or a socket connects to itself: it counts only if payload was received. That of the last
/// ACK is not set while a Fast Open connection waits for its first one (`tcp_fastopen_create_child`). That of data sent is
/// set by every handshake (`tcp_finish_connect`, `tcp_create_openreq_child`, `tcp_rcv_state_process`).
#[inline]
pub fn brief(info: &[u8], socket: &Socket, moment: Timestamp) -> Option<TcpInfo> {
    let bytes = payload::of(socket, info);
    let has_opened = socket.state != TcpState::SynSent;
    let has_received = has_opened && bytes.is_some_and(|bytes| bytes.received() > 0);
    let ago = |offset, is_set: bool| {
        let millis = Duration::from_millis(u64::from(ne32(info, offset)?));
        Some(if is_set { CompactTimestamp::from(moment.before(millis)) } else { CompactTimestamp::default() })
    };
    Some(TcpInfo {
        rtt_us: ne32(info, RTT)?,
        rto_us: ne32(info, RTO)?,
        retransmits_total: ne32(info, TOTAL_RETRANS)?,
        retransmits_spurious: ne32(info, DSACK_DUPS).map_or(0, |times| u16::try_from(times).unwrap_or(u16::MAX)),
        unacked: ne32(info, UNACKED)?,
        backoff: *info.get(BACKOFF)?,
        probes: *info.get(PROBES)?,
        last_data_sent: ago(LAST_DATA_SENT, has_opened)?,
        last_data_received: ago(LAST_DATA_RECV, has_received)?,
        last_ack_received: ago(LAST_ACK_RECV, has_opened && socket.state != TcpState::SynRecv)?,
        bytes,
    })
}

/// The rest, for the detail view; the congestion control algorithm is an attribute of its own and left `None`.
pub fn detail(info: &[u8]) -> TcpDetail {
    TcpDetail {
        congestion: None,
        congestion_window: ne32(info, SND_CWND),
        slow_start_threshold: ne32(info, SND_SSTHRESH).filter(|segments| *segments < SSTHRESH_INFINITE),
        rtt_variance_us: ne32(info, RTTVAR),
        // The kernel says ~0 before the first measurement.
        rtt_min_us: ne32(info, MIN_RTT).filter(|micros| *micros != u32::MAX),
        send_mss_bytes: ne32(info, SND_MSS),
        path_mtu_bytes: ne32(info, PMTU),
        send_window_bytes: ne32(info, SND_WND),
        receive_space_bytes: ne32(info, RCV_SPACE),
        lost: ne32(info, LOST),
        segments_out: ne32(info, SEGS_OUT),
        segments_in: ne32(info, SEGS_IN),
        bytes_retransmitted: ne64(info, BYTES_RETRANS),
        not_sent_bytes: ne32(info, NOTSENT_BYTES),
        delivery_rate: ne64(info, DELIVERY_RATE),
        busy_us: ne64(info, BUSY_TIME),
        receive_window_limited_us: ne64(info, RWND_LIMITED),
        send_buffer_limited_us: ne64(info, SNDBUF_LIMITED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tcp_info::ByteCounts;
    use crate::model::testing::tcp;

    fn brief(info: &[u8], moment: Timestamp) -> Option<TcpInfo> {
        super::brief(info, &tcp(1).build(), moment)
    }

    /// A `tcp_info` whose 32-bit word at offset `4 * n` has the value `n`, so that a field tells where it was read.
    fn numbered(len: usize) -> Vec<u8> {
        (0u32..64).flat_map(u32::to_ne_bytes).take(len).collect()
    }

    #[test]
    fn fields_are_read_where_tcp_h_has_them() {
        let now = Timestamp::from_millis(1000);
        let info = brief(&numbered(232), now).expect("long enough");
        assert_eq!((info.rto_us, info.unacked, info.rtt_us, info.retransmits_total), (2, 6, 17, 25));
        assert_eq!(info.retransmits_spurious, 54);
        assert_eq!(info.last_data_sent, Timestamp::from_millis(1000 - 11).into());
        assert_eq!(info.last_data_received, Timestamp::from_millis(1000 - 13).into());
        assert_eq!(info.last_ack_received, Timestamp::from_millis(1000 - 14).into());
        let words =
            |low: u64, high: u64| if cfg!(target_endian = "little") { low | high << 32 } else { low << 32 | high };
        // One segment is under way; that our SYN is acknowledged is guessed by the ports.
        assert_eq!(info.bytes, Some(ByteCounts::new(words(32, 33), words(30, 31) - 1)));
        let detail = detail(&numbered(232));
        assert_eq!(detail.send_window_bytes, Some(57));
        assert_eq!(detail.rtt_min_us, Some(37));
        assert_eq!(detail.bytes_retransmitted, Some(words(52, 53)));
    }

    #[test]
    fn an_older_kernel_has_less() {
        let now = Timestamp::from_millis(1000);
        assert_eq!(brief(&numbered(103), now), None);
        assert_eq!(brief(&numbered(104), now).map(|info| (info.bytes, info.retransmits_spurious)), Some((None, 0)));
        assert_eq!(detail(&numbered(228)).send_window_bytes, None);
        assert_eq!(detail(&[]), TcpDetail::default());
    }

    #[test]
    fn what_the_kernel_does_not_know_yet_is_none() {
        let mut info = numbered(232);
        info[76..80].copy_from_slice(&SSTHRESH_INFINITE.to_ne_bytes());
        info[148..152].copy_from_slice(&u32::MAX.to_ne_bytes());
        let detail = detail(&info);
        assert_eq!((detail.slow_start_threshold, detail.rtt_min_us), (None, None));
    }

    #[test]
    fn longer_ago_than_boot_is_boot() {
        let mut info = numbered(136);
        info[52..56].copy_from_slice(&u32::MAX.to_ne_bytes());
        let info = brief(&info, Timestamp::from_millis(5)).expect("long enough");
        assert_eq!(info.last_data_received, CompactTimestamp::default());
    }

    #[test]
    fn a_clock_counts_only_where_something_has_set_it() {
        let clocks = |state, received: u64| {
            let mut info = numbered(232);
            info[128..136].copy_from_slice(&received.to_ne_bytes());
            let info = super::brief(&info, &tcp(1).state(state).build(), Timestamp::from_millis(1_000)).expect("whole");
            [info.last_data_sent, info.last_data_received, info.last_ack_received]
                .map(|at| at != CompactTimestamp::default())
        };
        assert_eq!(clocks(TcpState::Established, 1), [true, true, true]);
        assert_eq!(clocks(TcpState::Established, 0), [true, false, true], "a socket connected to itself");
        assert_eq!(clocks(TcpState::CloseWait, 1), [true, false, true], "that was the FIN");
        assert_eq!(clocks(TcpState::SynRecv, 5), [true, true, false], "Fast Open");
        assert_eq!(clocks(TcpState::SynSent, 0), [false; 3]);
    }
}
