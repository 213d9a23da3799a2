//! Why a socket came to `CLOSE`: the tracepoint `sock:inet_sk_error_report` (Linux 5.14) tells of every error that the kernel
//! reports to the process that holds a socket, a moment after the step. Where it is missing, `tcp:tcp_receive_reset`
//! (Linux 4.15) tells that a reset came, a moment before the step. Neither names the socket: endpoints and the moment do.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::time::Duration;

use rustix::io::Errno;

use super::format::{EndpointFields, FieldPlace, IPPROTO_TCP, place_in};
use crate::model::endpoint::Endpoint;
use crate::model::event::{CloseError, TracedStateChange};
use crate::model::outcome::SocketError;
use crate::model::tcp_state::TcpState;
use crate::model::time::Timestamp;

/// How far from the step to `CLOSE` the error may be told: they are microseconds apart, unless the processor is taken away
/// in between.
const APART_MAX: Duration = Duration::from_millis(20);

/// The tracepoints, the better one first, by their directories in tracefs.
pub const TRACEPOINTS: [&str; 2] = ["events/sock/inet_sk_error_report", "events/tcp/tcp_receive_reset"];

/// What is said where only resets are told.
const ONLY_RESETS: &str = "of how connections end only resets are told, other outcomes are unknown: this kernel has no tracepoint \
                           for all errors (Linux 5.14 and later have)";
/// What is said where no error is told.
const NO_ERRORS: &str = "how connections end with an error is unknown: this kernel has no tracepoint for errors that conntop can \
                         open (Linux 5.14 and later have)";

/// What is said of a trace whose errors have this format; `None` where every error is told.
pub fn unreported(format: Option<&ErrorFormat>) -> Option<&'static str> {
    match format {
        Some(format) if format.tells_all() => None,
        Some(_) => Some(ONLY_RESETS),
        None => Some(NO_ERRORS),
    }
}

/// Where the fields of one of them stand in a record (`include/trace/events/sock.h`, `include/trace/events/tcp.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorFormat {
    ends: EndpointFields,
    /// The error and the protocol; missing where only resets are told.
    error: Option<(FieldPlace, FieldPlace)>,
}

/// What one record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorRecord {
    at: Timestamp,
    ends: (Endpoint, Endpoint),
    /// `None`: a reset came.
    error: Option<SocketError>,
}

impl ErrorRecord {
    /// Whether it may belong to a step after `until`.
    pub fn may_be_of_later(&self, until: Timestamp) -> bool {
        self.at.after(APART_MAX) > until
    }
}

impl ErrorFormat {
    /// Reads a `format` file; `None` if a field is missing.
    pub fn parse(text: &str) -> Option<Self> {
        let error = place_in(text, "error").zip(place_in(text, "protocol"));
        Some(Self { ends: EndpointFields::parse(text)?, error })
    }

    /// Whether every error is told, so that a step without one had none.
    pub const fn tells_all(&self) -> bool {
        self.error.is_some()
    }

    /// What the record `bytes` tells of a TCP socket. A disconnect, which reports errors too, has emptied the socket before:
    /// that has no remote port any more.
    pub fn read(&self, bytes: &[u8], at: Timestamp) -> Option<ErrorRecord> {
        let error = match self.error {
            Some((_, protocol)) if protocol.number(bytes)? != IPPROTO_TCP => return None,
            Some((error, _)) => Some(socket_error(error.number(bytes)?)?),
            None => None,
        };
        let ends = self.ends.read(bytes)?;
        (ends.1.port != 0).then_some(ErrorRecord { at, ends, error })
    }
}

/// The errors that are told apart.
const ERRORS: [(Errno, SocketError); 9] = [
    (Errno::CONNREFUSED, SocketError::Refused),
    (Errno::CONNRESET, SocketError::Reset),
    (Errno::PIPE, SocketError::Reset),
    (Errno::TIMEDOUT, SocketError::TimedOut),
    (Errno::CONNABORTED, SocketError::Aborted),
    (Errno::HOSTUNREACH, SocketError::Unreachable),
    (Errno::NETUNREACH, SocketError::Unreachable),
    (Errno::HOSTDOWN, SocketError::Unreachable),
    (Errno::NETDOWN, SocketError::Unreachable),
];

/// The error of this number; `None` for 0, which is none.
fn socket_error(number: u64) -> Option<SocketError> {
    let is_its = |(errno, _): &&(Errno, _)| u64::try_from(errno.raw_os_error()) == Ok(number);
    let known = ERRORS.iter().find(is_its).map(|(_, error)| *error);
    (number != 0).then(|| known.unwrap_or(SocketError::Other))
}

/// The errors of those `steps` that lead to `CLOSE`.
pub fn assign(steps: &[TracedStateChange], told: &mut [ErrorRecord]) -> Vec<CloseError> {
    if told.is_empty() {
        return Vec::new();
    }
    told.sort_unstable_by_key(|told| (told.ends, told.at));
    let ends_in_close = |step: &&TracedStateChange| step.to == TcpState::Close && step.remote.port != 0;
    steps.iter().filter(ends_in_close).filter_map(|step| error_of(step, told)).collect()
}

fn error_of(step: &TracedStateChange, told: &[ErrorRecord]) -> Option<CloseError> {
    let ends = (step.local, step.remote);
    let begin = told.partition_point(|told| (told.ends, told.at) < (ends, step.at.before(APART_MAX)));
    let here = told.get(begin..)?.iter().take_while(|told| told.ends == ends);
    let apart = |told: &&ErrorRecord| told.at.since(step.at).max(step.at.since(told.at));
    let told = here.filter(|told| apart(told) <= APART_MAX).min_by_key(apart)?;
    let of_reset = if step.from == TcpState::SynSent { SocketError::Refused } else { SocketError::Reset };
    Some(CloseError { at: step.at, key: step.key, error: told.error.unwrap_or(of_reset) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::testing::endpoint;

    #[test]
    fn a_kernel_that_does_not_tell_every_error_is_named() {
        let new = ErrorFormat::parse(FORMAT).expect("Linux 6.18");
        // Linux 4.15 to 5.13: the record of tcp_receive_reset has no error.
        let old: String = FORMAT
            .lines()
            .filter(|line| !line.contains("int error"))
            .fold(String::new(), |text, line| text + line + "\n");
        let old = ErrorFormat::parse(&old).expect("endpoints are enough");
        assert_eq!(unreported(Some(&new)), None);
        assert_eq!(unreported(Some(&old)), Some(ONLY_RESETS));
        assert_eq!(unreported(None), Some(NO_ERRORS));
    }

    /// As Linux 6.18 has it.
    const FORMAT: &str = "name: inet_sk_error_report
ID: 2286
format:
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:int error;	offset:8;	size:4;	signed:1;
	field:__u16 sport;	offset:12;	size:2;	signed:0;
	field:__u16 dport;	offset:14;	size:2;	signed:0;
	field:__u16 family;	offset:16;	size:2;	signed:0;
	field:__u16 protocol;	offset:18;	size:2;	signed:0;
	field:__u8 saddr[4];	offset:20;	size:4;	signed:0;
	field:__u8 daddr[4];	offset:24;	size:4;	signed:0;
	field:__u8 saddr_v6[16];	offset:28;	size:16;	signed:0;
	field:__u8 daddr_v6[16];	offset:44;	size:16;	signed:0;
";
    /// The same of `tcp_receive_reset`.
    const RESETS: &str = "name: tcp_receive_reset
	field:const void * skaddr;	offset:8;	size:8;	signed:0;
	field:__u16 sport;	offset:16;	size:2;	signed:0;
	field:__u16 dport;	offset:18;	size:2;	signed:0;
	field:__u16 family;	offset:20;	size:2;	signed:0;
	field:__u8 saddr[4];	offset:22;	size:4;	signed:0;
	field:__u8 daddr[4];	offset:26;	size:4;	signed:0;
	field:__u8 saddr_v6[16];	offset:30;	size:16;	signed:0;
	field:__u8 daddr_v6[16];	offset:46;	size:16;	signed:0;
	field:__u64 sock_cookie;	offset:64;	size:8;	signed:0;
";

    fn record(error: i32, ports: (u16, u16), protocol: u16) -> Vec<u8> {
        let mut record = vec![0; 8];
        record.extend(error.to_ne_bytes());
        for number in [ports.0, ports.1, 2, protocol] {
            record.extend(number.to_ne_bytes());
        }
        record.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        record.resize(64, 0);
        record
    }

    fn ends() -> (Endpoint, Endpoint) {
        (endpoint("10.0.0.1:50000"), endpoint("10.0.0.2:80"))
    }

    fn told(at: u64, error: Option<SocketError>) -> ErrorRecord {
        ErrorRecord { at: Timestamp(at), ends: ends(), error }
    }

    fn closed(at: u64, from: TcpState) -> TracedStateChange {
        let (local, remote) = ends();
        TracedStateChange { at: Timestamp(at), key: 7, local, remote, from, to: TcpState::Close }
    }

    #[test]
    fn a_record_is_read_by_the_places_that_the_format_file_names() {
        let format = ErrorFormat::parse(FORMAT).expect("all fields are there");
        let read = |error, ports, protocol| format.read(&record(error, ports, protocol), Timestamp(5));
        let refused = Errno::CONNREFUSED.raw_os_error();
        assert_eq!(read(refused, (50_000, 80), 6), Some(told(5, Some(SocketError::Refused))));
        assert_eq!(read(0, (50_000, 80), 6), None, "no error");
        assert_eq!(read(refused, (50_000, 0), 6), None, "a disconnect");
        assert_eq!(read(refused, (50_000, 80), 17), None, "UDP");
        assert!(format.tells_all());
        let resets = ErrorFormat::parse(RESETS).expect("all fields are there");
        assert!(!resets.tells_all());
        assert_eq!(ErrorFormat::parse(&FORMAT.replace("dport", "elsewhere")), None);
    }

    #[test]
    fn an_error_is_that_of_the_step_at_its_endpoints_and_moment() {
        let step = closed(1_000_000, TcpState::SynSent);
        let error = |told: &mut [ErrorRecord]| assign(&[step], told).first().map(|error| error.error);
        assert_eq!(error(&mut [told(1_002_000, Some(SocketError::TimedOut))]), Some(SocketError::TimedOut));
        assert_eq!(error(&mut [told(998_000, None)]), Some(SocketError::Refused), "a reset in SYN_SENT");
        let later = told(1_000_000_000, Some(SocketError::Reset));
        assert_eq!(error(&mut [later]), None, "another connection's");
        assert_eq!(error(&mut [later, told(1_000_500, Some(SocketError::Refused))]), Some(SocketError::Refused));
        let elsewhere = ErrorRecord { ends: (ends().1, ends().0), ..told(1_000_000, None) };
        assert_eq!(error(&mut [elsewhere]), None);
        let established = closed(5, TcpState::Established);
        assert_eq!(assign(&[established], &mut [told(5, None)])[0].error, SocketError::Reset);
    }

    #[test]
    fn errors_are_known_by_their_numbers() {
        let number = |errno: Errno| u64::try_from(errno.raw_os_error()).expect("positive");
        for (errno, error) in ERRORS {
            assert_eq!(socket_error(number(errno)), Some(error));
        }
        assert_eq!(socket_error(number(Errno::NOMEM)), Some(SocketError::Other));
        assert_eq!(socket_error(u64::MAX), Some(SocketError::Other));
        assert_eq!(socket_error(0), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100), text in ".{0,200}") {
            for format in [FORMAT, RESETS, &text].into_iter().filter_map(ErrorFormat::parse) {
                let _ = format.read(&bytes, Timestamp(0));
            }
        }
    }
}
