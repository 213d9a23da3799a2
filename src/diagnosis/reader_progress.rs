//! How the process of a connection reads what is received for it.

use std::time::Duration;

use crate::diagnosis::case::{Case, Context};
use crate::diagnosis::kernel_timers;
use crate::diagnosis::queue_progress::{Queue, QueueProgress};
use crate::model::delta::{AgeBasis, Since};
use crate::model::process::Owner;
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;

/// What is known of how a process reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ReaderProgress {
    /// Too little waits, it was not watched for long enough, or the source does not say.
    Unknown,
    /// It has read nothing since then, though much waits.
    Stuck(Since),
    /// It reads so many bytes a second, less than [`Thresholds::slow_reader_rate`](crate::diagnosis::thresholds::Thresholds::slow_reader_rate), though much waits.
    Slow(f64),
    /// It reads.
    Steady,
}

/// How the process that holds `socket` reads from it. What waits to be accepted has no reader yet, and what was
/// closed has none any more.
pub(super) fn of(context: &Context, socket: &Socket) -> ReaderProgress {
    let limits = context.thresholds;
    let receives = matches!(socket.state, TcpState::Established | TcpState::FinWait1 | TcpState::FinWait2);
    let queue = socket.queues.map_or(0, |queues| queues.receive);
    if !receives || matches!(socket.owner, Owner::Unaccepted | Owner::Remembered(_)) {
        return ReaderProgress::Unknown;
    }
    let closed = closed_to_peer(context, socket);
    if queue < limits.local_reader_bytes && closed.is_none() {
        return ReaderProgress::Unknown;
    }
    let known_at = context.store.known_at(socket);
    let is_limited = limits_its_rate(socket);
    let calm = if is_limited { LIMITED_PAUSE.max(limits.local_reader_age) } else { limits.local_reader_age };
    match context.memory.flows.of(socket.id, Queue::Receive, calm) {
        QueueProgress::Unknown => ReaderProgress::Unknown,
        QueueProgress::Still(since) => {
            let since = earliest(since, closed, last_data(context, socket, known_at));
            if since.age(known_at) >= calm { ReaderProgress::Stuck(since) } else { ReaderProgress::Unknown }
        }
        QueueProgress::Moving(Some(rate), over) if !is_limited && rate < f64::from(limits.slow_reader_rate) => {
            if over >= limits.local_reader_age { ReaderProgress::Slow(rate) } else { ReaderProgress::Unknown }
        }
        QueueProgress::Moving(..) => ReaderProgress::Steady,
    }
}

/// Options that limit how fast a program reads (curl, wget; rsync). It reads much at once and then pauses until the average
/// is right: curl 7.88 with 100k pauses for more than a minute. The socket shows no difference from a
/// reader that is stuck.
const RATE_LIMITS: [&str; 2] = ["--limit-rate", "--bwlimit"];
/// How long a program with such an option may pause.
const LIMITED_PAUSE: Duration = Duration::from_secs(2 * 60);

/// Whether the process that holds `socket` has an option that limits its rate.
fn limits_its_rate(socket: &Socket) -> bool {
    let Some(holders) = socket.owner.holders() else { return false };
    let is_limit = |word: &str| RATE_LIMITS.contains(&word.split('=').next().unwrap_or_default());
    holders.all().iter().any(|process| process.command.as_str().split(' ').any(is_limit))
}

/// Whether the queue of `socket` is watched, so that [`of`] knows more at the next evaluation.
pub(super) fn is_watched(context: &Context, socket: &Socket) -> bool {
    context.memory.flows.watched_since(socket.id, Queue::Receive).is_some()
}

/// Since when the other end, on this machine, has seen the window closed: a queue of any size is full then.
fn closed_to_peer(context: &Context, socket: &Socket) -> Option<Since> {
    let peer = &context.store.peer(socket)?.connection.socket;
    kernel_timers::window_closed(peer, context.now())
}

/// When data last came, if that is long ago. It may have been read in part since then; what is left of it is old.
fn last_data(context: &Context, socket: &Socket, now: Timestamp) -> Option<Since> {
    let at = socket.tcp.map(|tcp| tcp.last_data_received.timestamp()).filter(|at| *at != Timestamp::default())?;
    let is_long_ago = now.since(at) >= context.thresholds.stalled_age;
    is_long_ago.then_some(Since { at, basis: AgeBasis::AtLeast })
}

/// Of what has not moved since conntop first saw it, the kernel's clocks know more.
fn earliest(watched: Since, closed: Option<Since>, data: Option<Since>) -> Since {
    if watched.basis != AgeBasis::AtLeast {
        return watched;
    }
    [closed, data].into_iter().flatten().fold(watched, |first, other| if other.at < first.at { other } else { first })
}

/// The part of a filter that finds connections of which at least so much is not read as of those of the group.
pub(super) fn filter_queue(case: &Case) -> String {
    let floor = u64::from(case.context.thresholds.local_reader_bytes).min(case.group.least);
    format!("recvq>{}", floor.saturating_sub(1))
}

/// `4 kB/s`, `310 bytes/s`, `less than a byte/s`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate below a limit, and not negative")]
pub(super) fn rate(bytes_per_second: f64) -> String {
    match bytes_per_second.round() as u64 {
        0 => "less than 1 byte/s".to_owned(),
        1 => "1 byte/s".to_owned(),
        rate @ ..1_000 => format!("{rate} bytes/s"),
        rate => format!("{} kB/s", (rate + 500) / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_said_in_words() {
        for (number, words) in [
            (0.2, "less than 1 byte/s"),
            (1.0, "1 byte/s"),
            (999.4, "999 bytes/s"),
            (999.6, "1 kB/s"),
            (4_096.0, "4 kB/s"),
            (7_600.0, "8 kB/s"),
        ] {
            assert_eq!(rate(number), words);
        }
    }
}
