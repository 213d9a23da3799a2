//! How long a connection has waited for its peer, by the kernel's timers: a lower bound, known at first sight.

use std::time::Duration;

use crate::model::delta::{AgeBasis, Since};
use crate::model::socket::{Socket, TimerKind};
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;

/// `TCP_RTO_MIN`: the shortest time-out, for sources that do not report it.
const RTO_MIN_US: u64 = 200_000;
/// `TCP_RTO_MAX`: no time-out and no probe waits longer.
const RTO_MAX: Duration = Duration::from_secs(2 * 60);

/// Whether data or a FIN of ours can be on its way: not in the handshake, not after the end.
pub(super) const fn is_connected(state: TcpState) -> bool {
    use TcpState::{CloseWait, Closing, Established, FinWait1, LastAck};
    matches!(state, Established | CloseWait | FinWait1 | Closing | LastAck)
}

/// Consecutive time-outs without an answer. (A timer runs as long as anything is on its way.)
pub(super) fn timeouts(socket: &Socket) -> u8 {
    socket.timer.filter(|timer| timer.kind == TimerKind::Retransmit).map_or(0, |timer| timer.retries)
}

/// Since when data has been on its way without an answer; `None` if no time-out has passed. The time-out doubles each
/// time, so those that have passed took at least the last one (`tcp_retransmit_timer`, `net/ipv4/tcp_timer.c`).
pub(super) fn unanswered(socket: &Socket, now: Timestamp) -> Option<Since> {
    let timeouts = timeouts(socket);
    let timer = socket.timer.filter(|_| timeouts > 0 && is_connected(socket.state))?;
    let rto_us = socket.tcp.map_or(0, |tcp| u64::from(tcp.rto_us)).max(RTO_MIN_US);
    let passed = rto_us - rto_us.checked_shr(timeouts.into()).unwrap_or(0);
    // The timer was set one time-out before it fires.
    let set = timer.expires.timestamp().before(Duration::from_micros(rto_us)).min(now);
    Some(Since { at: set.before(Duration::from_micros(passed)), basis: AgeBasis::AtLeast })
}

/// Since when the peer of an idle connection has been silent, if at least two keep-alive probes were not answered.
pub(super) fn unanswered_keep_alive(socket: &Socket) -> Option<Since> {
    let timer = socket.timer.filter(|timer| timer.kind == TimerKind::KeepAlive && timer.retries >= 2)?;
    let acked = last_ack(socket).filter(|acked| is_connected(socket.state) && *acked < timer.expires.timestamp())?;
    Some(Since { at: acked, basis: AgeBasis::Kernel })
}

/// Since when the peer's window has been closed. Probes wait one time-out, then twice that and so on
/// (`tcp_probe0_when`, include/net/tcp.h).
pub(super) fn window_closed(socket: &Socket, now: Timestamp) -> Option<Since> {
    let timer = socket.timer.filter(|timer| timer.kind == TimerKind::ZeroWindow)?;
    let rto_us = socket.tcp.map_or(0, |tcp| u64::from(tcp.rto_us)).max(RTO_MIN_US);
    let rto = Duration::from_micros(rto_us).min(RTO_MAX);
    let probes = socket.tcp.map_or(timer.retries, |tcp| tcp.backoff.max(timer.retries));
    let wait =
        |nth: u8| rto.checked_mul(1u32.checked_shl(nth.into()).unwrap_or(u32::MAX)).unwrap_or(RTO_MAX).min(RTO_MAX);
    let passed: Duration = (0..probes).map(wait).sum();
    let set = timer.expires.timestamp().before(wait(probes)).min(now);
    Some(Since { at: set.before(passed), basis: AgeBasis::AtLeast })
}

/// When the peer last acknowledged anything, if that is known.
pub(super) fn last_ack(socket: &Socket) -> Option<Timestamp> {
    socket.tcp.map(|tcp| tcp.last_ack_received.timestamp()).filter(|at| *at != Timestamp::default())
}

/// How long the peer has left our data unanswered: the shorter of what the timers and the last ACK say. An old ACK
/// alone says nothing of data that was sent a moment ago.
pub(super) fn silence(socket: &Socket, now: Timestamp) -> Option<Since> {
    let since = unanswered(socket, now)?;
    let acked = last_ack(socket).filter(|acked| *acked > since.at);
    Some(acked.map_or(since, |at| Since { at, ..since }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::tcp;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn age(since: Option<Since>) -> Option<u64> {
        since.map(|since| since.age(NOW).as_millis().try_into().expect("short"))
    }

    #[test]
    fn the_timers_say_how_long_nothing_was_acknowledged() {
        let backed_off = |backoff: u8, rto_us: u32, fires_in: u64| {
            tcp(1).timer(TimerKind::Retransmit, backoff, 1_000_000 + fires_in).info(|info| {
                (info.backoff, info.rto_us, info.unacked) = (backoff, rto_us, 1);
                info.last_ack_received = Timestamp::from_millis(1_000).into();
            })
        };
        // 200 ms, 400 ms, 800 ms have passed; the next 1.6 s have begun 600 ms ago.
        assert_eq!(age(silence(&backed_off(3, 1_600_000, 1_000).build(), NOW)), Some(1_400 + 600));
        assert_eq!(age(silence(&backed_off(0, 200_000, 100).build(), NOW)), None);
        let answered = backed_off(3, 1_600_000, 1_000)
            .info(|info| info.last_ack_received = Timestamp::from_millis(999_500).into());
        assert_eq!(age(silence(&answered.build(), NOW)), Some(500));
    }

    #[test]
    fn the_probes_say_how_long_the_window_has_been_closed() {
        let probing =
            tcp(1).timer(TimerKind::ZeroWindow, 0, 1_003_200).info(|info| (info.backoff, info.rto_us) = (5, 200_000));
        // 0.2 + 0.4 + 0.8 + 1.6 + 3.2 s have passed; of the next 6.4 s, half.
        assert_eq!(age(window_closed(&probing.build(), NOW)), Some(6_200 + 3_200));
        assert_eq!(window_closed(&tcp(1).build(), NOW), None);
    }
}
