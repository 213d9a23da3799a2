//! A search among processes of our own that hold thousands of sockets: what it finds is compared with what a walk over
//! everything finds, and how many descriptors it reads is counted.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::num::NonZeroU32;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;
use crate::model::endpoint::Protocol;
use crate::model::process::Owner;
use crate::model::socket::NetnsId;
use crate::model::testing::tcp;
use crate::source::linux::proc_dir::ProcDir;

/// What each program begins with: it ends with its input, and its children with it.
const PROGRAM: &str = "import array, ctypes, os, random, resource, socket, sys, threading
resource.setrlimit(resource.RLIMIT_NOFILE, (9000, 9000))
# Each CPU hands out inode numbers from a run of its own (get_next_ino, fs/inode.c): on one, they ascend.
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
def opened(count): return [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
def fork():
    child = os.fork()
    if child == 0: sys.stdin.read(); os._exit(0)
    return child
def ready(*pids): print(os.getpid(), *pids, flush=True); sys.stdin.read()
";
/// Opens 2,000 sockets.
const GIANT: &str = "kept = opened(2000); ready()";
/// How many descriptors a search reads in a process where nothing is, or once: low ones, newest and spread ones.
const SAMPLE: u64 = 128 + 128 + 80;

/// Held while programs open their sockets.
static OPENING: Mutex<()> = Mutex::new(());

/// Processes that hold sockets.
struct World {
    programs: Vec<Child>,
    pids: Vec<u32>,
}

impl World {
    fn start(programs: &[&str]) -> Self {
        let start = |program: &&str| {
            Command::new("python3")
                .args(["-c", &format!("{PROGRAM}{program}")])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("python3 is here, as for the scenarios")
        };
        // One after the other, those of other tests too: what opens sockets at the same time makes gaps in the inode numbers.
        let _alone = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut world = Self { programs: Vec::new(), pids: Vec::new() };
        for mut program in programs.iter().map(start) {
            let mut line = String::new();
            BufReader::new(program.stdout.take().expect("piped")).read_line(&mut line).expect("it is ready");
            world.pids.extend(line.split_whitespace().map(|pid| pid.parse::<u32>().expect("a pid")));
            world.programs.push(program);
        }
        world
    }

    fn owners(&self) -> Owners {
        Owners { proc: ProcDir::open().expect("/proc").with_only(self.pids.clone()), ..Owners::open() }
    }

    /// The inodes of the sockets of the process that was started as number `nth`, ascending by descriptor.
    fn inodes(&self, nth: usize) -> Vec<u32> {
        let mut proc = ProcDir::open().expect("/proc");
        let process = proc.process(self.programs[nth].id()).expect("alive");
        let mut sockets = Vec::new();
        proc.sockets(&process, 0..u32::MAX, &mut sockets).expect("ours");
        sockets.iter().map(|socket| socket.inode).collect()
    }

    /// How many descriptors all of them have.
    fn descriptors(&self) -> u64 {
        let proc = ProcDir::open().expect("/proc");
        self.pids.iter().map(|pid| proc.fd_hint(*pid).expect("alive").count).sum()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for program in &mut self.programs {
            drop(program.stdin.take());
            drop(program.kill());
            drop(program.wait());
        }
    }
}

fn sockets(inodes: &[u32]) -> Vec<Socket> {
    let socket = |inode: &u32| Socket { inode: NonZeroU32::new(*inode), protocol: Protocol::Udp, ..tcp(1).build() };
    inodes.iter().map(socket).collect()
}

fn attributed(
    inodes: &[u32],
    is_held: bool,
    attribute: impl FnOnce(&mut [Socket], AttributionContext<'_>) -> OwnerGaps,
) -> Vec<Owner> {
    let mut sockets = sockets(inodes);
    let asked = AttributionContext {
        now: now(),
        own: NetnsId(1),
        some_invisible: &|| false,
        held: &mut |sockets| vec![Some(is_held); sockets.len()],
    };
    let gaps = attribute(&mut sockets, asked);
    assert_eq!(gaps.error, None);
    sockets.into_iter().map(|socket| socket.owner).collect()
}

fn now() -> ClockReading {
    ClockReading { at: clock::now().0, ..ClockReading::default() }
}

fn narrow(owners: &mut Owners, inodes: &[u32], is_held: bool) -> Vec<Owner> {
    attributed(inodes, is_held, |sockets, asked| owners.attribute_query(sockets, &SocketQuery::default(), asked))
}

fn pids_of(owner: &Owner) -> BTreeSet<u32> {
    owner.holders().into_iter().flat_map(|holders| holders.all()).map(|process| process.id.pid).collect()
}

/// Searches for `inodes`, and has the answer compared with that of a walk over everything; how many descriptors were read.
fn reads_for(world: &World, inodes: &[u32]) -> u64 {
    let mut owners = world.owners();
    let found = narrow(&mut owners, inodes, true);
    let whole = attributed(inodes, true, |sockets, asked| world.owners().attribute(sockets, None, asked));
    for (at, (found, whole)) in found.iter().zip(&whole).enumerate() {
        assert!(found.holders().is_some(), "{at} of {}: {found:?}", inodes.len());
        assert_eq!(pids_of(found), pids_of(whole), "{at} of {}", inodes.len());
    }
    owners.descriptors_read()
}

#[test]
fn sockets_of_one_process_cost_its_descriptors_twice_at_most_and_a_sample_of_the_others() {
    let world = World::start(&[GIANT; 5]);
    let all = world.inodes(2);
    let run: Vec<u32> = all[500..1500].to_vec();
    let scattered: Vec<u32> = all.iter().copied().step_by(2).collect();
    for inodes in [run, scattered] {
        let reads = reads_for(&world, &inodes);
        // Seeking by inodes costs as much as a walk over it at the most; then it is looked through.
        assert!(reads <= 2 * 2_100 + 5 * SAMPLE, "{reads} for {}", inodes.len());
    }
}

#[test]
fn where_descriptors_do_not_ascend_the_process_with_most_hits_is_looked_through() {
    let shuffled = "kept = opened(2000)
for at in random.sample(range(2000), 1800): kept[at].close(); kept[at] = None
gaps = [at for at in range(2000) if kept[at] is None]
pool = opened(len(gaps)); order = random.sample(pool, len(pool)); spare = os.dup(0)
for at in range(0, len(order) - 1, 2):
    a, b = order[at].fileno(), order[at + 1].fileno()
    os.dup2(a, spare); os.dup2(b, a); os.dup2(spare, b)
os.close(spare); ready()";
    let world = World::start(&[GIANT, shuffled, shuffled, GIANT]);
    let inodes: Vec<u32> = world.inodes(1).into_iter().step_by(2).collect();
    let reads = reads_for(&world, &inodes);
    let by_inode = u64::from(READS_FREE) + u64::from(READS_PER_HIT) * inodes.len() as u64;
    assert!(reads <= 2_100 + 4 * SAMPLE + by_inode, "{reads}");
}

#[test]
fn sockets_spread_over_all_are_found_also_where_no_counts_are_told() {
    let world = World::start(&[GIANT; 3]);
    let inodes: Vec<u32> = (0..3).flat_map(|nth| world.inodes(nth).into_iter().step_by(7)).collect();
    reads_for(&world, &inodes);
    let mut owners = world.owners();
    owners.proc = ProcDir::open().expect("/proc").with_only(world.pids.clone()).without_counts();
    assert!(narrow(&mut owners, &inodes, true).iter().all(|owner| owner.holders().is_some()));
}

#[test]
fn few_listeners_cost_few_reads() {
    let raised = "listener = opened(1)[0]; kept = opened(2000); listener = listener.dup(); ready()";
    let world = World::start(&[GIANT, raised, GIANT]);
    let lowest: Vec<u32> = (0..3).map(|nth| world.inodes(nth)[0]).collect();
    let highest: Vec<u32> = (0..3).map(|nth| *world.inodes(nth).last().expect("many")).collect();
    let middle: Vec<u32> = (0..3).map(|nth| world.inodes(nth)[1_001]).collect();
    for (inodes, reads_max) in [(lowest, 3 * 140), (highest, 3 * (SAMPLE + 10)), (middle, 3 * (SAMPLE + 50))] {
        let reads = reads_for(&world, &inodes);
        assert!(reads <= reads_max, "{reads}, not {reads_max}");
    }
}

#[test]
fn all_who_share_by_fork_are_found() {
    let forking = "kept = opened(1500); child = fork(); more = opened(100); ready(child)";
    let world = World::start(&[forking, GIANT]);
    let all = world.inodes(0);
    reads_for(&world, &all[700..705]);
    reads_for(&world, &all[200..900]);
}

#[test]
fn a_small_process_that_was_handed_a_socket_is_found() {
    let handing = "kept = opened(1500); a, b = socket.socketpair(socket.AF_UNIX); child = os.fork()
if child == 0:
    os.closerange(3, b.fileno()); os.closerange(b.fileno() + 1, 9000)
    got = socket.recv_fds(b, 1, 1); b.send(b'x'); sys.stdin.read(); os._exit(0)
socket.send_fds(a, [b'x'], [kept[900].fileno()]); a.recv(1); ready(child)";
    let world = World::start(&[handing, GIANT]);
    let inode = world.inodes(0)[900];
    let found = narrow(&mut world.owners(), &[inode], true);
    assert_eq!(pids_of(&found[0]).len(), 2, "{found:?}");
    reads_for(&world, &[inode]);
}

#[test]
fn what_is_closed_meanwhile_is_vanished_and_costs_no_walk() {
    let world = World::start(&[GIANT; 3]);
    let mut owners = world.owners();
    let found = narrow(&mut owners, &[u32::MAX - 7], false);
    assert!(matches!(found[..], [Owner::Vanished]), "{found:?}");
    assert!(owners.descriptors_read() <= 3 * SAMPLE + u64::from(READS_FREE), "{}", owners.descriptors_read());
}

#[test]
fn nobody_has_a_socket_only_after_everything_was_looked_through() {
    let world = World::start(&[GIANT; 3]);
    let mut owners = world.owners();
    let found = narrow(&mut owners, &[u32::MAX - 7], true);
    assert!(matches!(found[..], [Owner::None]), "{found:?}");
    assert!(owners.descriptors_read() >= world.descriptors(), "{}", owners.descriptors_read());
}

#[test]
fn a_process_that_ends_meanwhile_is_no_error() {
    let mut world = World::start(&[GIANT; 2]);
    let inodes = world.inodes(1);
    let mut owners = world.owners();
    // It is listed, and gone when it is looked into.
    let at = now();
    owners.list(at).expect("listed");
    world.programs[1].kill().expect("ours");
    world.programs[1].wait().expect("ours");
    let mut sockets = sockets(&inodes[..5]);
    let held = &mut |sockets: &[&Socket]| vec![Some(false); sockets.len()];
    let asked = AttributionContext { now: at, own: NetnsId(1), some_invisible: &|| false, held };
    let gaps = owners.attribute_query(&mut sockets, &SocketQuery::default(), asked);
    assert_eq!(gaps.error, None);
    assert!(sockets.iter().all(|socket| matches!(socket.owner, Owner::Vanished)), "{:?}", sockets[0].owner);
}

#[test]
fn private_descriptor_tables_are_searched() {
    let private = "kept = opened(1500); started = threading.Event()
def work():
    assert ctypes.CDLL(None).unshare(0x400) == 0
    own = opened(1)[0]; print(os.getpid(), os.fstat(own.fileno()).st_ino, flush=True); sys.stdin.read()
threading.Thread(target=work).start()";
    let mut world = World::start(&[private]);
    let inode = world.pids.pop().expect("printed");
    let found = narrow(&mut world.owners(), &[inode], true);
    let thread = found[0].process().and_then(|process| process.thread.clone());
    assert!(thread.is_some(), "{found:?}");
}

#[test]
fn only_processes_that_pass_a_test_are_looked_through() {
    let world = World::start(&[GIANT; 3]);
    let mut owners = world.owners();
    let (pid, inodes) = (world.programs[1].id(), world.inodes(1));
    let test = ProcessTest::new(move |process| process.id.pid == pid);
    let at = now();
    let held = owners.held_by(&test, at).expect("readable");
    assert_eq!(held, inodes.iter().copied().collect());
    assert!(owners.descriptors_read() <= 2_100, "{}", owners.descriptors_read());
    // Who asks next for what these sockets are finds them known.
    let found = attributed(&inodes, true, |sockets, asked| {
        owners.attribute_query(sockets, &SocketQuery::default(), AttributionContext { now: at, ..asked })
    });
    assert!(found.iter().all(|owner| pids_of(owner) == BTreeSet::from([pid])));
    assert!(owners.descriptors_read() <= 2_100 + 3 * SAMPLE, "{}", owners.descriptors_read());
}

#[test]
fn whatever_is_asked_for_the_owners_are_those_of_a_walk_over_everything() {
    let forking = "kept = opened(700); child = fork(); more = opened(300); ready(child)";
    let reused = "kept = opened(1200)
for at in random.sample(range(1200), 600): kept[at].close(); kept[at] = None
again = opened(650); ready()";
    let small = "kept = opened(40); child = fork(); ready(child)";
    let world = World::start(&[forking, reused, small, GIANT]);
    let all: Vec<u32> = (0..4).flat_map(|nth| world.inodes(nth)).collect();
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() });
    let strategy = (0..all.len(), 1..60usize, 1..200usize);
    let outcome = runner.run(&strategy, |(first, step, count)| {
        let inodes: Vec<u32> = all.iter().copied().skip(first).step_by(step).take(count).collect();
        reads_for(&world, &inodes);
        Ok(())
    });
    outcome.expect("the same owners");
}
