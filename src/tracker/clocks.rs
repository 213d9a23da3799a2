//! Since when a socket is in its state: what the kernel's clocks tell of the past, and what was seen to happen.

use std::time::Duration;

use crate::model::delta::{AgeBasis, Since};
use crate::model::socket::{Socket, Timer, TimerKind};
use crate::model::tcp_info::TcpInfo;
use crate::model::tcp_state::{TIME_WAIT_LEN, TcpState};
use crate::model::time::{CompactTimestamp, Timestamp};

/// Two bounds this close pin the moment between them: the kernel says exactly when it was.
pub const PINNED: Duration = Duration::from_millis(50);

/// Since when a socket that was never seen before is in its state, by the kernel's clocks alone; `None` where they
/// do not say. Never later than `at`, the time of the sample.
pub(super) fn at_first_sight(socket: &Socket, at: Timestamp) -> Option<Since> {
    let since = match socket.state {
        TcpState::TimeWait => time_wait(socket.timer?),
        TcpState::CloseWait => close_wait(socket),
        TcpState::FinWait2 => fin_wait2(socket),
        TcpState::Established => established(socket),
        TcpState::SynSent => syn_sent(socket),
        // A listener, a UDP socket and the other closing states leave no trace of when they began.
        _ => None,
    }?;
    // A row is read a little after its sample was begun.
    Some(Since { at: since.at.min(at), ..since })
}

/// Since when a socket is in its state, which was another one in the sample taken `after`.
///
/// The kernel's moment is taken if it lies between the two samples. It stays `Kernel` if it is exact; a bound becomes
/// `Observed`, because the sample before bounds it from the other side.
pub(super) fn seen_entering(socket: &Socket, after: Timestamp, at: Timestamp) -> Since {
    match at_first_sight(socket, at) {
        Some(since) if since.at > after => match since.basis {
            AgeBasis::Kernel => since,
            AgeBasis::Observed | AgeBasis::AtLeast => Since { basis: AgeBasis::Observed, ..since },
        },
        _ => Since { at, basis: AgeBasis::Observed },
    }
}

/// Since when a socket is in its state that no sample before showed. Where the kernel says that it was there before the
/// last sample, taken `after`, that one missed it.
pub(super) fn seen_opened(socket: &Socket, after: Timestamp, at: Timestamp) -> Since {
    let missed = at_first_sight(socket, at).filter(|since| since.at <= after);
    missed.unwrap_or_else(|| seen_entering(socket, after, at))
}

/// How long a state lasted that began `since` and ended at `end`, and how that is known.
pub(super) fn lasted(since: Since, end: Since) -> (Duration, AgeBasis) {
    let basis = match (since.basis, end.basis) {
        (AgeBasis::AtLeast, _) => AgeBasis::AtLeast,
        (AgeBasis::Kernel, AgeBasis::Kernel) => AgeBasis::Kernel,
        _ => AgeBasis::Observed,
    };
    (end.at.since(since.at), basis)
}

/// The timer counts down from 60 s. A late segment, as a FIN that comes again, starts it anew
/// (`tcp_timewait_state_process`), and the kernel forgets the first start: it is a bound. The timer wheel lets it fire up
/// to 2 s late: from then on it only says that the time is over.
fn time_wait(timer: Timer) -> Option<Since> {
    let at = timer.expires.timestamp().before(TIME_WAIT_LEN);
    (timer.kind == TimerKind::TimeWait).then_some(Since { at, basis: AgeBasis::AtLeast })
}

/// The FIN carries an ACK and no data can come after it, so it came between the last data (or, if there was none, the
/// handshake) and the last ACK.
/// Answers to what we still send move the last ACK on: it is a lower bound of the age.
fn close_wait(socket: &Socket) -> Option<Since> {
    let tcp = socket.tcp?;
    let handshake = nothing_sent(&tcp).then_some(tcp.last_data_sent);
    let not_before = Some(tcp.last_data_received).filter(|moment| *moment != CompactTimestamp::default()).or(handshake);
    bracket(not_before.unwrap_or_default().into(), tcp.last_ack_received.into())
}

/// An ACK of our FIN began it, and no data of ours can follow a FIN: it began between the last data sent and the last
/// ACK. An orphan's mini-socket has no `tcp_info`, and its timer depends on `tcp_fin_timeout`: nothing is guessed.
fn fin_wait2(socket: &Socket) -> Option<Since> {
    let tcp = socket.tcp?;
    bracket(tcp.last_data_sent.into(), tcp.last_ack_received.into())
}

/// Whether the clock of data sent is still as the handshake set it: nothing was sent since.
fn nothing_sent(tcp: &TcpInfo) -> bool {
    tcp.unacked == 0 && tcp.bytes.is_some_and(|bytes| bytes.sent() == 0)
}

fn bracket(not_before: Timestamp, not_after: Timestamp) -> Option<Since> {
    let at = known(not_after)?;
    let pinned = known(not_before).is_some_and(|not_before| at.since(not_before) <= PINNED);
    Some(Since { at, basis: if pinned { AgeBasis::Kernel } else { AgeBasis::AtLeast } })
}

/// The handshake sets all three clocks (`tcp_finish_connect`, `tcp_create_openreq_child`), traffic moves them on: the
/// connection is at least as old as the oldest.
fn established(socket: &Socket) -> Option<Since> {
    let tcp = socket.tcp?;
    let moments = [tcp.last_data_sent, tcp.last_data_received, tcp.last_ack_received];
    let at = moments.into_iter().map(Timestamp::from).filter_map(known).min()?;
    Some(Since { at, basis: AgeBasis::AtLeast })
}

/// The retransmit timer was set one time-out before it fires, when the SYN was sent: for the first SYN that is the
/// moment itself. Each time-out before the n-th was at least half as long as the next (Linux doubles them, since 6.5
/// after some equal ones, `tcp_syn_linear_timeouts`), so all of them took at least `rto * (1 - 2^-n)`.
fn syn_sent(socket: &Socket) -> Option<Since> {
    let (timer, tcp) = (socket.timer?, socket.tcp?);
    if timer.kind != TimerKind::Retransmit || tcp.rto_us == 0 {
        return None;
    }
    let rto_us = u64::from(tcp.rto_us);
    let taken_us = 2 * rto_us - rto_us.checked_shr(timer.retries.into()).unwrap_or(0);
    let basis = if timer.retries == 0 { AgeBasis::Kernel } else { AgeBasis::AtLeast };
    Some(Since { at: timer.expires.timestamp().before(Duration::from_micros(taken_us)), basis })
}

/// A moment that was never set is 0, or so long ago that it lies before boot.
fn known(moment: Timestamp) -> Option<Timestamp> {
    (moment != Timestamp::default()).then_some(moment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::tcp;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn since(ms: u64, basis: AgeBasis) -> Since {
        Since { at: at(ms), basis }
    }

    #[test]
    fn the_moment_between_two_samples_is_taken_from_the_kernel_where_it_is_exact() {
        let pinned = tcp(1).state(TcpState::CloseWait).last(0, 9_300, 9_340).build();
        assert_eq!(seen_entering(&pinned, at(9_000), at(10_000)), since(9_340, AgeBasis::Kernel));
        let bound = tcp(1).state(TcpState::CloseWait).last(0, 2_000, 9_340).build();
        assert_eq!(seen_entering(&bound, at(9_000), at(10_000)), since(9_340, AgeBasis::Observed));
        let waiting = tcp(1).mini(TcpState::TimeWait).timer(TimerKind::TimeWait, 0, 69_500).build();
        assert_eq!(seen_entering(&waiting, at(9_000), at(10_000)), since(9_500, AgeBasis::Observed));
    }

    #[test]
    fn a_moment_outside_the_two_samples_is_not_believed() {
        let early = tcp(1).state(TcpState::CloseWait).last(0, 100, 120).build();
        assert_eq!(seen_entering(&early, at(9_000), at(10_000)), since(10_000, AgeBasis::Observed));
        let late = tcp(1).mini(TcpState::TimeWait).timer(TimerKind::TimeWait, 0, 71_000).build();
        assert_eq!(
            seen_entering(&late, at(9_000), at(10_000)),
            since(10_000, AgeBasis::Observed),
            "never in the future"
        );
        assert_eq!(seen_entering(&tcp(1).build(), at(9_000), at(10_000)), since(10_000, AgeBasis::Observed));
    }

    #[test]
    fn a_socket_that_the_last_sample_missed_is_as_old_as_the_kernel_says() {
        let old = tcp(1).last(4_000, 5_000, 6_000).build();
        assert_eq!(seen_opened(&old, at(9_000), at(10_000)), since(4_000, AgeBasis::AtLeast));
        let new = tcp(1).last(9_700, 9_200, 9_900).build();
        assert_eq!(seen_opened(&new, at(9_000), at(10_000)), since(9_200, AgeBasis::Observed));
    }

    #[test]
    fn a_timer_that_was_started_anew_does_not_say_when_the_wait_began() {
        let waiting = tcp(1).mini(TcpState::TimeWait).timer(TimerKind::TimeWait, 0, 69_500).build();
        assert_eq!(at_first_sight(&waiting, at(10_000)), Some(since(9_500, AgeBasis::AtLeast)));
    }

    #[test]
    fn without_data_the_handshake_bounds_the_end_of_the_other_side() {
        let closed = |sent| tcp(1).state(TcpState::CloseWait).bytes(0, sent).last(9_300, 0, 9_340).build();
        assert_eq!(at_first_sight(&closed(0), at(10_000)), Some(since(9_340, AgeBasis::Kernel)));
        assert_eq!(at_first_sight(&closed(5), at(10_000)), Some(since(9_340, AgeBasis::AtLeast)), "it may be later");
    }

    #[test]
    fn clocks_that_were_never_set_say_nothing() {
        let silent = tcp(1).info(|_| ()).build();
        assert_eq!(at_first_sight(&silent, at(10_000)), None);
        let foreign = tcp(1).mini(TcpState::TimeWait).timer(TimerKind::KeepAlive, 0, 20_000).build();
        assert_eq!(at_first_sight(&foreign, at(10_000)), None);
    }

    #[test]
    fn a_duration_is_no_better_known_than_its_ends() {
        use AgeBasis::{AtLeast, Kernel, Observed};
        for (begin, end, basis) in [
            (Kernel, Kernel, Kernel),
            (Kernel, Observed, Observed),
            (Observed, Kernel, Observed),
            (AtLeast, Kernel, AtLeast),
        ] {
            assert_eq!(lasted(since(10, begin), since(30, end)), (Duration::from_millis(20), basis));
        }
        assert_eq!(lasted(since(30, Kernel), since(10, Kernel)).0, Duration::ZERO);
    }
}
