//! The tracepoint `sock:inet_sock_set_state`, through perf rings: every change of state of every TCP socket of the
//! machine, at the moment it happens. Neither eBPF nor a compiler; needs root, or `CAP_PERFMON` and a readable tracefs.
//!
//! The kernel writes into a ring a CPU and wakes nobody. A record names no network namespace, and the address of its
//! socket only as long as that lives: the tracker finds the connection by its endpoints.

mod format;
mod tracefs;

use std::fmt;
use std::fs;
use std::hash::RandomState;
use std::io;

use perf_event::events::Tracepoint;
use perf_event::{Builder, Clock, SampleFlag, Sampler};
use rustix::time::{ClockId, clock_gettime};

use self::format::Format;
use self::tracefs::Tracefs;
use crate::model::event::Step;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::source::linux::netlink::Reader;

/// The longest ring, in bytes: some 9,000 records.
const RING_LEN_MAX: usize = 1 << 20;
/// The shortest one.
const RING_LEN_MIN: usize = 64 << 10;
/// All rings together, where there are many CPUs.
const RINGS_LEN_MAX: usize = 32 << 20;
/// More CPUs are not listened to.
const CPUS_MAX: usize = 1024;
/// `PERF_RECORD_LOST` and `PERF_RECORD_SAMPLE` (`include/uapi/linux/perf_event.h`).
const RECORD_LOST: u32 = 2;
const RECORD_SAMPLE: u32 = 9;

const ID_FILE: &str = "events/sock/inet_sock_set_state/id";
const FORMAT_FILE: &str = "events/sock/inet_sock_set_state/format";
const ONLINE_CPUS: &str = "/sys/devices/system/cpu/online";

/// What a user without the right to it is told.
const NOT_ALLOWED: &str = "exact transitions need root, or CAP_PERFMON and a readable tracefs";

/// An open tracepoint.
pub struct StateTrace {
    rings: Vec<Sampler>,
    format: Format,
    clock: RecordClock,
    /// Addresses of the kernel leave this room only as hashes with a key of this run.
    keys: RandomState,
}

/// Which clock the records are stamped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RecordClock {
    /// That of [`Timestamp`].
    Boottime,
    /// The same without the time in suspend.
    Monotonic,
}

/// Why there is no trace, in a sentence.
#[derive(Debug)]
pub struct Refusal(pub DisplayText);

impl StateTrace {
    /// Begins to listen on every CPU that is online.
    pub fn open() -> Result<Self, Refusal> {
        let tracefs = Tracefs::open(ID_FILE).map_err(|error| refusal("tracefs cannot be read", &error))?;
        let read = |file| tracefs.read(file).map_err(|error| refusal("tracefs cannot be read", &error));
        let id = read(ID_FILE)?.trim().parse().map_err(|_| strange())?;
        let format = Format::parse(&read(FORMAT_FILE)?).ok_or_else(strange)?;
        let cpus = fs::read_to_string(ONLINE_CPUS).map_err(|error| refusal("CPUs cannot be listed", &error))?;
        let cpus = cpu_list(&cpus);
        let len = (RINGS_LEN_MAX / cpus.len().max(1)).clamp(RING_LEN_MIN, RING_LEN_MAX);
        let open = |clock| cpus.iter().map(|cpu| ring(id, *cpu, len, clock)).collect::<io::Result<Vec<_>>>();
        let opened = open(RecordClock::Boottime).map(|rings| (rings, RecordClock::Boottime));
        let (rings, clock) = opened
            .or_else(|_| open(RecordClock::Monotonic).map(|rings| (rings, RecordClock::Monotonic)))
            .map_err(|error| refusal("the tracepoint cannot be opened", &error))?;
        Ok(Self { rings, format, clock, keys: RandomState::new() })
    }

    /// Hands every step since the last call to `tell`, CPU by CPU; says how many were lost because they came faster than
    /// they were read.
    pub fn drain(&mut self, mut tell: impl FnMut(Step)) -> u64 {
        let (ahead, mut lost) = (self.clock.behind_boottime(), 0u64);
        for ring in &mut self.rings {
            while let Some(record) = ring.next_record() {
                let bytes = record.to_contiguous();
                match record.ty() {
                    RECORD_SAMPLE => {
                        if let Some((time, raw)) = sample(&bytes) {
                            let at = Timestamp(time.saturating_add(ahead));
                            self.format.step(raw, at, &self.keys).into_iter().for_each(&mut tell);
                        }
                    }
                    RECORD_LOST => lost = lost.saturating_add(lost_in(&bytes).unwrap_or(1)),
                    _ => {}
                }
            }
        }
        lost
    }
}

impl fmt::Debug for StateTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateTrace")
            .field("rings", &self.rings.len())
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

impl RecordClock {
    /// How far it is behind `CLOCK_BOOTTIME` now, in nanoseconds: the time in suspend so far.
    fn behind_boottime(self) -> u64 {
        match self {
            Self::Boottime => 0,
            Self::Monotonic => nanos(ClockId::Boottime).saturating_sub(nanos(ClockId::Monotonic)),
        }
    }
}

fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let (seconds, nanos) = (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

fn ring(id: u64, cpu: usize, len: usize, clock: RecordClock) -> io::Result<Sampler> {
    let mut builder = Builder::new(Tracepoint::with_id(id));
    // Without the kernel the counter is silent: that is where sockets change their state.
    builder.any_pid().one_cpu(cpu).include_kernel().sample_period(1);
    builder.sample(SampleFlag::TIME | SampleFlag::RAW);
    // Nobody waits at a ring.
    builder.wakeup_watermark(RING_LEN_MAX);
    builder.clockid(match clock {
        RecordClock::Boottime => Clock::BOOTTIME,
        RecordClock::Monotonic => Clock::MONOTONIC,
    });
    let mut ring = builder.build()?.sampled(len)?;
    ring.enable()?;
    Ok(ring)
}

/// Time and raw data of a sample, whose fields stand in the order of `perf_event_open`(2).
fn sample(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut fields = Reader(bytes);
    let time = fields.ne64()?;
    let len = usize::try_from(fields.ne32()?).ok()?;
    Some((time, fields.0.get(..len)?))
}

/// `struct { u64 id; u64 lost; }`
fn lost_in(bytes: &[u8]) -> Option<u64> {
    let mut fields = Reader(bytes);
    fields.ne64()?;
    fields.ne64()
}

/// The CPUs of a list as the kernel writes it: `0-3,8`.
fn cpu_list(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().take(CPUS_MAX).collect()
}

fn refusal(what: &str, error: &io::Error) -> Refusal {
    Refusal(match error.kind() {
        io::ErrorKind::PermissionDenied => DisplayText::new(NOT_ALLOWED),
        kind => DisplayText::new(&format!(
            "no exact transitions: {what} ({kind}); mount it with 'mount -t tracefs tracefs /sys/kernel/tracing'"
        )),
    })
}

fn strange() -> Refusal {
    Refusal(DisplayText::new("no exact transitions: this kernel's tracepoint has a format that conntop does not know"))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use proptest::prelude::*;

    use super::*;
    use crate::model::tcp_state::TcpState;
    use crate::source::clock;

    #[test]
    fn steps_are_stamped_by_the_clock_of_all_samples() {
        let mut trace = match StateTrace::open() {
            Ok(trace) => trace,
            Err(Refusal(sentence)) => {
                eprintln!("SKIPPED steps_are_stamped_by_the_clock_of_all_samples: {sentence}");
                return;
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut tries = 0..100;
        let (before, opened, after) = loop {
            tries.next().expect("what is not traced is lost each time");
            let before = clock::now().0;
            let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
            let after = clock::now().0;
            let (near, far) = (client.local_addr().expect("bound"), client.peer_addr().expect("connected"));
            let mut steps = Vec::new();
            let lost = trace.drain(|step| steps.push(step));
            let ours = |step: &&Step| (step.local.port, step.remote.port) == (near.port(), far.port());
            match steps.iter().find(ours) {
                Some(step) => break (before, *step, after),
                // The trace is of the whole machine, whose other programs can fill the ring.
                None => assert!(lost > 0, "it was neither traced nor lost"),
            }
        };
        assert_eq!((opened.from, opened.to), (TcpState::SynSent, TcpState::Established));
        assert!(before <= opened.at && opened.at <= after, "{before:?} {opened:?} {after:?}");
    }

    #[test]
    fn lists_of_cpus_are_read() {
        assert_eq!(cpu_list("0-2,5,7-8\n"), [0, 1, 2, 5, 7, 8]);
        assert_eq!(cpu_list("0\n"), [0]);
        assert_eq!(cpu_list("x,3-"), [0; 0]);
        assert_eq!(cpu_list("0-4000000000").len(), CPUS_MAX);
    }

    proptest! {
        #[test]
        fn any_record_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = (sample(&bytes), lost_in(&bytes));
        }
    }
}
