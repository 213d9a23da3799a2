//! How many bytes of payload a TCP connection has moved: `tcp_info` counts sequence numbers, of which SYN and FIN take one
//! each, in the direction in which they were sent.
//!
//! Measured on Linux 6.18, in every state and for both sides (`tests/live/rows.rs`): `tcpi_bytes_acked` has the SYN of who
//! opened the connection (an accepted one begins behind it) and our FIN once it is acknowledged; `tcpi_bytes_received` has
//! the peer's FIN, and never its SYN.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use crate::model::socket::Socket;
use crate::model::tcp_info::ByteCounts;
use crate::model::tcp_state::TcpState;
use crate::source::linux::fields::{ne32, ne64};

// Where each field of `struct tcp_info` stands, in bytes.
const UNACKED: usize = 24;
const BYTES_ACKED: usize = 120;
const BYTES_RECEIVED: usize = 128;
const NOTSENT_BYTES: usize = 144;
const DATA_SEGS_IN: usize = 152;
const BYTES_SENT: usize = 200;
const BYTES_RETRANS: usize = 208;

/// The payload received in order and the payload sent and acknowledged, of `socket`, which `info` belongs to; `None` where
/// the kernel does not count it.
pub fn of(socket: &Socket, info: &[u8]) -> Option<ByteCounts> {
    let (acked, received) = (ne64(info, BYTES_ACKED)?, ne64(info, BYTES_RECEIVED)?);
    let unique = payload_sent(info);
    let fin = u64::from(has_peers_fin(socket, info, (acked, received), unique));
    Some(ByteCounts::new(received.saturating_sub(fin), sent(socket, info, acked, unique)))
}

/// Payload handed to the network at least once (since Linux 4.19; both counts leave SYN and FIN out).
fn payload_sent(info: &[u8]) -> Option<u64> {
    Some(ne64(info, BYTES_SENT)?.saturating_sub(ne64(info, BYTES_RETRANS)?))
}

fn sent(socket: &Socket, info: &[u8], acked: u64, unique: Option<u64>) -> u64 {
    let Some(unique) = unique else {
        // An older kernel: who opened the connection is not told, and taken to be the end with the higher port.
        let fin = u64::from(socket.state == TcpState::FinWait2);
        return acked.saturating_sub(fin).saturating_sub(syn_by_ports(socket));
    };
    if ne32(info, UNACKED) == Some(0) && acked >= unique {
        // Everything that was sent is acknowledged.
        return unique;
    }
    acked.saturating_sub(syn(socket, info, acked, unique))
}

/// 1 if `acked` has our SYN. Of the sequence numbers sent so far, what is no payload is SYN or FIN. The queue is read a
/// moment before the rest: where the sum cannot be, the ports decide.
fn syn(socket: &Socket, info: &[u8], acked: u64, unique: u64) -> u64 {
    let queue = socket.queues.and_then(|queues| queues.send).unwrap_or(0);
    let not_sent = ne32(info, NOTSENT_BYTES).unwrap_or(0);
    let in_flight = u64::from(queue.saturating_sub(not_sent));
    let closes = matches!(socket.state, TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck);
    // The FIN is the last in the queue.
    let fin = u64::from(closes && not_sent == 0);
    match acked.saturating_add(in_flight).checked_sub(unique.saturating_add(fin)) {
        Some(syn @ 0..=1) => syn,
        // Of a freed socket the state does not say whether it has sent a FIN.
        Some(2) if socket.state == TcpState::Close => 1,
        _ => syn_by_ports(socket),
    }
}

/// Clients take high ports.
fn syn_by_ports(socket: &Socket) -> u64 {
    u64::from(socket.local.port >= socket.remote.port)
}

/// Whether the peer's FIN has arrived in order.
///
/// The state says it, but not that of a socket that was freed (`CLOSE`, in a destroy event). There it is taken to have come
/// if nothing else can have been received, or if our own FIN was acknowledged: then both sides have closed in order.
fn has_peers_fin(socket: &Socket, info: &[u8], (acked, received): (u64, u64), unique: Option<u64>) -> bool {
    match socket.state {
        TcpState::CloseWait | TcpState::LastAck | TcpState::Closing => true,
        TcpState::Close => {
            let no_data = received == 1 && ne32(info, DATA_SEGS_IN) == Some(0);
            let ours = unique.and_then(|unique| acked.checked_sub(unique.saturating_add(syn_by_ports(socket))));
            no_data || ours.is_some_and(|fin| fin > 0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::tcp;

    #[derive(Clone, Copy, Default)]
    struct Counts {
        acked: u64,
        received: u64,
        sent: u64,
        retrans: u64,
        unacked: u32,
        not_sent: u32,
    }

    fn info(counts: Counts) -> Vec<u8> {
        let mut info = vec![0; 232];
        for (at, value) in [
            (BYTES_ACKED, counts.acked),
            (BYTES_RECEIVED, counts.received),
            (BYTES_SENT, counts.sent),
            (BYTES_RETRANS, counts.retrans),
        ] {
            info[at..][..8].copy_from_slice(&value.to_ne_bytes());
        }
        info[UNACKED..][..4].copy_from_slice(&counts.unacked.to_ne_bytes());
        info[NOTSENT_BYTES..][..4].copy_from_slice(&counts.not_sent.to_ne_bytes());
        info
    }

    fn counted(state: TcpState, send_queue: u32, counts: Counts) -> (u64, u64) {
        let socket = tcp(1).state(state).queues(0, send_queue).build();
        let bytes = of(&socket, &info(counts)).expect("counted");
        (bytes.received(), bytes.sent())
    }

    #[test]
    fn where_all_is_acknowledged_syn_and_fin_are_told_by_what_was_sent() {
        use TcpState::{CloseWait, Established, FinWait2};
        let of =
            |state, acked, received, sent| counted(state, 0, Counts { acked, received, sent, ..Counts::default() });
        assert_eq!(of(Established, 1, 0, 0), (0, 0), "opened, idle");
        assert_eq!(of(Established, 0, 0, 0), (0, 0), "accepted, idle");
        assert_eq!(of(Established, 4, 5, 3), (5, 3), "opened");
        assert_eq!(of(Established, 5, 3, 5), (3, 5), "accepted");
        assert_eq!(of(FinWait2, 5, 5, 3), (5, 3), "opened, with FIN");
        assert_eq!(of(FinWait2, 6, 0, 5), (0, 5), "accepted, with FIN");
        assert_eq!(of(CloseWait, 5, 4, 5), (3, 5), "accepted");
        assert_eq!(of(CloseWait, 1, 6, 0), (5, 0), "opened");
    }

    #[test]
    fn what_is_under_way_is_not_acknowledged() {
        use TcpState::{Closing, Established, FinWait1, LastAck, SynSent};
        // Opened and accepted: 3 acknowledged of 10, 4 of those not yet sent, 3 under way.
        for syn in [0, 1] {
            let counts = Counts { acked: 3 + syn, sent: 6, unacked: 1, not_sent: 4, ..Counts::default() };
            assert_eq!(counted(Established, 7, counts), (0, 3), "{syn}");
            let again = Counts { sent: 9, retrans: 3, ..counts };
            assert_eq!(counted(Established, 7, again), (0, 3), "sent again, {syn}");
            for state in [FinWait1, Closing, LastAck] {
                let counts = Counts { acked: 3 + syn, received: 1, sent: 6, unacked: 2, ..Counts::default() };
                assert_eq!(counted(state, 4, counts).1, 3, "{state} {syn}");
                let waits = Counts { not_sent: 2, unacked: 1, ..counts };
                assert_eq!(counted(state, 5, waits).1, 3, "the FIN is not sent yet: {state} {syn}");
            }
        }
        assert_eq!(counted(SynSent, 1, Counts { unacked: 1, ..Counts::default() }), (0, 0));
        let with_data = Counts { sent: 5, unacked: 1, ..Counts::default() };
        assert_eq!(counted(SynSent, 6, with_data), (0, 0), "Fast Open");
    }

    #[test]
    fn a_queue_that_was_read_too_early_leaves_the_ports() {
        let counts = Counts { acked: 1_001, sent: 2_000, unacked: 1, ..Counts::default() };
        assert_eq!(counted(TcpState::Established, 2_000, counts).1, 1_000, "the higher port opens");
    }

    #[test]
    fn a_freed_socket_has_had_the_peers_fin_if_its_own_was_acknowledged() {
        let close =
            |acked, received, sent| counted(TcpState::Close, 0, Counts { acked, received, sent, ..Counts::default() });
        assert_eq!(close(5, 6, 3), (5, 3), "both have closed");
        assert_eq!(close(4, 5, 3), (5, 3), "reset");
        assert_eq!(close(1, 1, 0), (0, 0), "nothing but the FIN");
    }

    #[test]
    fn an_older_kernel_leaves_who_opened_it_to_the_ports() {
        let socket = |local: &str, remote: &str| tcp(1).local(local).remote(remote).build();
        let counts = info(Counts { acked: 4, ..Counts::default() });
        let sent = |socket: Socket| of(&socket, &counts[..BYTES_SENT]).map(ByteCounts::sent);
        assert_eq!(sent(socket("10.0.0.1:40000", "10.0.0.2:80")), Some(3));
        assert_eq!(sent(socket("10.0.0.1:80", "10.0.0.2:40000")), Some(4));
        assert_eq!(of(&tcp(1).build(), &counts[..BYTES_RECEIVED]), None);
    }
}
