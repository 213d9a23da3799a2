//! The tracepoint `sock:inet_sock_set_state`, through perf rings: every change of state of every TCP socket of the
//! machine, at the moment it happens. Neither eBPF nor a compiler; needs root, or `CAP_PERFMON` and a readable tracefs.
//!
//! The kernel writes into a ring a CPU and wakes nobody. A record names no network namespace, and the address of its
//! socket only as long as that lives: the tracker finds the connection by its endpoints.

mod clock_offset;
mod errors;
mod format;
mod tracefs;

use std::fmt;
use std::fs;
use std::hash::RandomState;
use std::io;

use perf_event::events::Tracepoint;
use perf_event::{Builder, Clock, SampleFlag, Sampler};

use self::clock_offset::{ForeignClock, RecordClock};
use self::errors::{ErrorFormat, TRACEPOINTS};
pub use self::errors::{ErrorRecord, assign};
use self::format::TracepointFormat;
use self::tracefs::Tracefs;
use crate::model::event::TracedStateChange;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::source::clock;
use crate::source::linux::netlink::Reader;

/// The longest ring, in bytes: some 9,000 records.
const RING_LEN_MAX: usize = 1 << 20;
/// The shortest one.
const RING_LEN_MIN: usize = 64 << 10;
/// Without `CAP_IPC_LOCK` all rings of a user share `kernel.perf_event_mlock_kb` (516 as a rule) for each CPU, and what
/// `RLIMIT_MEMLOCK` leaves (`perf_mmap`, kernel/events/core.c): where they do not fit, a quarter of the length is tried.
const RING_SHRINKS_BY: usize = 4;
/// All rings together, where there are many CPUs.
const RINGS_LEN_MAX: usize = 32 << 20;
/// Errors are fewer than steps: their rings are so many times shorter.
const ERRORS_SHARE: usize = 4;
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

/// What a user is told who has the right to it and may not lock the memory.
const NO_MEMORY: &str = "exact transitions need more locked memory than this user may have: raise kernel.perf_event_mlock_kb \
    (sysctl) or the limit of locked memory (ulimit -l), or grant CAP_IPC_LOCK";

/// What is said where the records bear another time than that of the samples.
const OTHER_CLOCK: &str = "no exact transitions: the kernel stamps them by another clock than the one that conntop is given, \
    as in a time namespace; samples and destroy events tell";

/// An open tracepoint.
pub struct StateTrace {
    rings: Vec<Sampler>,
    format: TracepointFormat,
    /// Why sockets came to their ends; `None` where this kernel does not tell.
    errors: Option<(Vec<Sampler>, ErrorFormat)>,
    clock: RecordClock,
    /// When it was opened: no record is older.
    opened: Timestamp,
    /// When the last ring was open: every step after that is recorded.
    complete_since: Timestamp,
    /// Addresses of the kernel leave this room only as hashes with a key of this run.
    keys: RandomState,
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
        let format = TracepointFormat::parse(&read(FORMAT_FILE)?).ok_or_else(strange)?;
        let cpus = fs::read_to_string(ONLINE_CPUS).map_err(|error| refusal("CPUs cannot be listed", &error))?;
        let cpus = cpu_list(&cpus);
        let len = (RINGS_LEN_MAX / cpus.len().max(1)).clamp(RING_LEN_MIN, RING_LEN_MAX);
        let opened = clock::now().0;
        let open = |clock| PerfRings::open(id, &cpus, len, clock);
        let opening = open(Clock::BOOTTIME).map(|rings| (rings, Clock::BOOTTIME, RecordClock::boottime()));
        let (PerfRings { rings, len }, clockid, clock) = opening
            .or_else(|_| open(Clock::MONOTONIC).map(|rings| (rings, Clock::MONOTONIC, RecordClock::monotonic())))
            .map_err(RingError::refusal)?;
        let complete_since = clock::now().0;
        let errors = open_errors(&tracefs, &cpus, len / ERRORS_SHARE, clockid);
        Ok(Self { rings, format, errors, clock, opened, complete_since, keys: RandomState::new() })
    }

    /// Every step after this moment is recorded.
    pub const fn complete_since(&self) -> Timestamp {
        self.complete_since
    }

    /// Whether the error of every step to `CLOSE` is told, so that a step without one had none.
    pub fn tells_all_errors(&self) -> bool {
        self.errors.as_ref().is_some_and(|(_, format)| format.tells_all())
    }

    /// What is said where this kernel does not tell every error.
    pub fn unreported_errors(&self) -> Option<&'static str> {
        errors::unreported(self.errors.as_ref().map(|(_, format)| format))
    }

    /// Hands every error since the last call to `tell`, and says how many were lost. To be called after [`Self::drain`]: an
    /// error is told after its step.
    pub fn drain_errors(&mut self, mut tell: impl FnMut(ErrorRecord)) -> u64 {
        let (ahead, mut lost) = (self.clock.ahead(), 0u64);
        let Some((rings, format)) = &mut self.errors else { return 0 };
        for ring in rings {
            while let Some(record) = ring.next_record() {
                let bytes = record.to_contiguous();
                match record.ty() {
                    RECORD_SAMPLE => {
                        if let Some(PerfRecord { time, raw, .. }) = PerfRecord::read(&bytes) {
                            format.read(raw, ahead.apply(time)).into_iter().for_each(&mut tell);
                        }
                    }
                    RECORD_LOST => lost = lost.saturating_add(lost_in(&bytes).unwrap_or(1)),
                    _ => {}
                }
            }
        }
        lost
    }

    /// Hands every step since the last call to `tell`, CPU by CPU, with the pid of who ran then (0 for a process outside of
    /// conntop's pid namespace); says how many were lost because they came faster than they were read. Where the records
    /// are stamped by another clock than that of all samples, nothing of the trace can be used.
    pub fn drain(&mut self, mut tell: impl FnMut(TracedStateChange, u32)) -> Result<u64, Refusal> {
        let (ahead, mut lost, mut fault) = (self.clock.ahead(), 0u64, None);
        let mut newest = Timestamp(0);
        for ring in &mut self.rings {
            while let Some(record) = ring.next_record() {
                let bytes = record.to_contiguous();
                match record.ty() {
                    RECORD_SAMPLE => {
                        if let Some(PerfRecord { pid, time, raw }) = PerfRecord::read(&bytes) {
                            let at = ahead.apply(time);
                            fault = fault.or(clock_offset::too_early(at, self.opened));
                            newest = newest.max(at);
                            self.format.step(raw, at, &self.keys).into_iter().for_each(|step| tell(step, pid));
                        }
                    }
                    RECORD_LOST => lost = lost.saturating_add(lost_in(&bytes).unwrap_or(1)),
                    _ => {}
                }
            }
        }
        match fault.or_else(|| clock_offset::too_late(newest, clock::now().0)) {
            Some(ForeignClock) => Err(Refusal(DisplayText::new(OTHER_CLOCK))),
            None => Ok(lost),
        }
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

/// The rings of the better tracepoint of errors that can be opened.
fn open_errors(tracefs: &Tracefs, cpus: &[usize], len: usize, clock: Clock) -> Option<(Vec<Sampler>, ErrorFormat)> {
    TRACEPOINTS.iter().find_map(|directory| {
        let read = |file: &str| tracefs.read(&format!("{directory}/{file}")).ok();
        let (id, format) = (read("id")?.trim().parse().ok()?, ErrorFormat::parse(&read("format")?)?);
        let rings = PerfRings::open(id, cpus, len.max(RING_LEN_MIN), clock).ok()?;
        Some((rings.rings, format))
    })
}

/// The rings of one tracepoint: one a CPU.
struct PerfRings {
    rings: Vec<Sampler>,
    /// The length of each, in bytes.
    len: usize,
}

/// Why a ring could not be opened.
#[derive(Debug)]
enum RingError {
    /// The tracepoint may not be opened, or cannot be.
    Tracepoint(io::Error),
    /// The memory of the ring may not be locked, or there is none.
    Memory(io::Error),
}

impl PerfRings {
    /// Rings of `len` bytes on each of `cpus`, or shorter ones where the memory may not be locked.
    fn open(id: u64, cpus: &[usize], len: usize, clock: Clock) -> Result<Self, RingError> {
        let with_len = |len| cpus.iter().map(|cpu| ring(id, *cpu, len, clock)).collect();
        shrinking(len, with_len).map(|(rings, len)| Self { rings, len })
    }
}

/// What `open` gives for the longest length that can be had, and that length.
fn shrinking<T>(len: usize, open: impl Fn(usize) -> Result<T, RingError>) -> Result<(T, usize), RingError> {
    match open(len) {
        Err(RingError::Memory(_)) if len > RING_LEN_MIN => shrinking((len / RING_SHRINKS_BY).max(RING_LEN_MIN), open),
        opened => opened.map(|opened| (opened, len)),
    }
}

impl RingError {
    fn refusal(self) -> Refusal {
        match self {
            Self::Tracepoint(error) => refusal("the tracepoint cannot be opened", &error),
            Self::Memory(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Refusal(DisplayText::new(NO_MEMORY))
            }
            Self::Memory(error) => Refusal(DisplayText::new(&format!(
                "no exact transitions: the kernel has no memory for them ({}); try again later",
                error.kind()
            ))),
        }
    }
}

fn ring(id: u64, cpu: usize, len: usize, clock: Clock) -> Result<Sampler, RingError> {
    let mut builder = Builder::new(Tracepoint::with_id(id));
    // Without the kernel the counter is silent: that is where sockets change their state.
    builder.any_pid().one_cpu(cpu).include_kernel().sample_period(1);
    builder.sample(SampleFlag::TID | SampleFlag::TIME | SampleFlag::RAW);
    // Nobody waits at a ring.
    builder.wakeup_watermark(RING_LEN_MAX);
    builder.clockid(clock);
    let counter = builder.build().map_err(RingError::Tracepoint)?;
    let mut ring = counter.sampled(len).map_err(RingError::Memory)?;
    ring.enable().map_err(RingError::Tracepoint)?;
    Ok(ring)
}

/// What a sample holds.
struct PerfRecord<'r> {
    /// The process that ran, in our pid namespace.
    pid: u32,
    time: u64,
    raw: &'r [u8],
}

impl<'r> PerfRecord<'r> {
    /// The fields stand in the order of `perf_event_open`(2): pid and tid, time, raw data.
    fn read(bytes: &'r [u8]) -> Option<Self> {
        let mut fields = Reader(bytes);
        let (pid, _tid, time) = (fields.ne32()?, fields.ne32()?, fields.ne64()?);
        let len = usize::try_from(fields.ne32()?).ok()?;
        Some(Self { pid, time, raw: fields.0.get(..len)? })
    }
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
                crate::skip::skip(&format!("there is no trace of states: {sentence}"));
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
            let lost = trace.drain(|step, _| steps.push(step)).expect("its clock is ours");
            let ours = |step: &&TracedStateChange| (step.local.port, step.remote.port) == (near.port(), far.port());
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
    fn rings_are_shorter_where_the_memory_may_not_be_locked() {
        let refused = || RingError::Memory(io::ErrorKind::PermissionDenied.into());
        let up_to = |most: usize| move |len: usize| if len <= most { Ok(len) } else { Err(refused()) };
        for (most, len) in [(2 << 20, 1 << 20), (512 << 10, 256 << 10), (100 << 10, 64 << 10)] {
            assert_eq!(shrinking(RING_LEN_MAX, up_to(most)).ok(), Some((len, len)));
        }
        let too_little = shrinking(RING_LEN_MAX, up_to(1 << 10)).expect_err("not even the shortest");
        assert!(too_little.refusal().0.as_str().contains("perf_event_mlock_kb"));
        let forbidden = |_| Err::<(), _>(RingError::Tracepoint(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(shrinking(RING_LEN_MAX, forbidden).expect_err("no right").refusal().0.as_str(), NOT_ALLOWED);
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
            let _ = (PerfRecord::read(&bytes).map(|sample| sample.raw.len()), lost_in(&bytes));
        }
    }
}
