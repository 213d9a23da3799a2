//! Reads the kernel's `struct mptcp_info` (`include/uapi/linux/mptcp.h`), which stands where a TCP socket has its
//! `tcp_info` and shares nothing with it. It has grown at its end: counts of bytes since Linux 6.5, clocks since 6.10.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::time::Duration;

use crate::model::tcp_info::{ByteCounts, TcpInfo};
use crate::model::time::{CompactTimestamp, Timestamp};
use crate::source::linux::fields::{ne32, ne64};

// Where each field stands, in bytes. `last_*` are milliseconds ago.
const RETRANSMITS: usize = 44;
const BYTES_SENT: usize = 56;
const BYTES_RECEIVED: usize = 64;
const BYTES_ACKED: usize = 72;
const LAST_DATA_SENT: usize = 84;
const LAST_DATA_RECV: usize = 88;
const LAST_ACK_RECV: usize = 92;

/// What it says of the connection as a whole, as of `moment`: payload, clocks, and how often data was sent again on
/// another subflow. Round-trip time and timers are those of subflows, and 0 here. `None` before Linux 5.19, which
/// has none of these. The clocks are set when the connection begins (`mptcp_init_sock`, `mptcp_sk_clone_init`).
pub fn brief(info: &[u8], moment: Timestamp) -> Option<TcpInfo> {
    let ago = |offset| {
        let millis = ne32(info, offset)?;
        Some(CompactTimestamp::from(moment.before(Duration::from_millis(u64::from(millis)))))
    };
    Some(TcpInfo {
        retransmits_total: ne32(info, RETRANSMITS)?,
        last_data_sent: ago(LAST_DATA_SENT).unwrap_or_default(),
        last_data_received: ago(LAST_DATA_RECV).unwrap_or_default(),
        last_ack_received: ago(LAST_ACK_RECV).unwrap_or_default(),
        bytes: byte_counts(info),
        ..TcpInfo::default()
    })
}

/// `mptcpi_bytes_acked` counts the end of our data (`DATA_FIN`) as one byte; what was sent does not have it.
fn byte_counts(info: &[u8]) -> Option<ByteCounts> {
    let acked = ne64(info, BYTES_ACKED)?.min(ne64(info, BYTES_SENT)?);
    Some(ByteCounts::new(ne64(info, BYTES_RECEIVED)?, acked))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An `mptcp_info` whose 32-bit word at offset `4 * n` has the value `n`.
    fn numbered(len: usize) -> Vec<u8> {
        (0u32..24).flat_map(u32::to_ne_bytes).take(len).collect()
    }

    #[test]
    fn fields_are_read_where_mptcp_h_has_them() {
        let now = Timestamp::from_millis(1_000);
        let info = brief(&numbered(96), now).expect("long enough");
        assert_eq!((info.retransmits_total, info.rtt_us, info.backoff), (11, 0, 0));
        assert_eq!(info.last_data_sent, Timestamp::from_millis(1_000 - 21).into());
        assert_eq!(info.last_data_received, Timestamp::from_millis(1_000 - 22).into());
        assert_eq!(info.last_ack_received, Timestamp::from_millis(1_000 - 23).into());
        let word =
            |low: u64| if cfg!(target_endian = "little") { low | (low + 1) << 32 } else { low << 32 | (low + 1) };
        assert_eq!(info.bytes, Some(ByteCounts::new(word(16), word(14))));
    }

    #[test]
    fn an_older_kernel_has_less() {
        let now = Timestamp::from_millis(1_000);
        assert_eq!(brief(&numbered(40), now), None);
        let info = brief(&numbered(48), now).expect("long enough");
        assert_eq!((info.bytes, info.last_ack_received), (None, CompactTimestamp::default()));
    }

    #[test]
    fn the_end_of_our_data_is_no_payload() {
        let mut info = vec![0; 96];
        info[BYTES_SENT..][..8].copy_from_slice(&100u64.to_ne_bytes());
        info[BYTES_ACKED..][..8].copy_from_slice(&101u64.to_ne_bytes());
        let sent = |info: &[u8]| brief(info, Timestamp(0)).and_then(|info| info.bytes).map(ByteCounts::sent);
        assert_eq!(sent(&info), Some(100));
        info[BYTES_ACKED..][..8].copy_from_slice(&60u64.to_ne_bytes());
        assert_eq!(sent(&info), Some(60), "40 are under way");
    }
}
