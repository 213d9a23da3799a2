//! Many sockets for benchmarks: processes that hold a given number of connections over 127.x addresses, inside a
//! network namespace that the benchmark makes for itself.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

/// Set in the environment of the run inside the namespace.
const INSIDE: &str = "CONNTOP_BENCH_NAMESPACE";
/// The first argument of a process that only holds sockets.
const HOLD: &str = "--hold-sockets";
/// Set in the environment of a holder: the directory of a control group that it makes and goes into.
const CGROUP: &str = "CONNTOP_BENCH_CGROUP";

/// Returns inside a network namespace of its own; outside of one, runs the program again inside and exits like it. There,
/// `/proc` lists only its own processes where that can be had, so that nobody else's descriptors are walked.
pub fn enter_namespace() {
    if std::env::var_os(INSIDE).is_some() {
        return;
    }
    let user = if geteuid().is_root() { "" } else { "-Ur " };
    let candidates = [format!("{user}-n -p -f --mount-proc --kill-child"), format!("{user}-n")];
    let works = |flags: &&String| {
        let tried = Command::new("unshare").args(flags.split(' ')).args(["ip", "link", "set", "lo", "up"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let Some(flags) = candidates.iter().find(works) else {
        println!("SKIPPED: `unshare` or `ip` does not work here; benchmarks need a network namespace of their own");
        std::process::exit(0);
    };
    let this = std::env::current_exe().expect("a program knows its file");
    let status = Command::new("unshare")
        .args(flags.split(' '))
        .args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
        .arg(this)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .status()
        .expect("unshare ran a moment ago");
    std::process::exit(status.code().unwrap_or(1));
}

/// Processes that share the sockets, unless there are more than these may hold.
const HOLDERS_MIN: u32 = 20;
/// What a holder has open beside its sockets, at the most.
const DESCRIPTORS_BESIDE: u64 = 64;
/// By what part of its sockets (a divisor) a load may grow.
const GROWTH_DIVISOR: u32 = 5;

/// How many processes `sockets` are to be shared by: as few as are believable, as many as the limit of descriptors asks.
pub fn holders_for(sockets: u32) -> u32 {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX).saturating_sub(DESCRIPTORS_BESIDE).max(1);
    let needed = u64::from(sockets + sockets / GROWTH_DIVISOR).div_ceil(limit);
    u32::try_from(needed).unwrap_or(u32::MAX).max(HOLDERS_MIN)
}

/// In a process started by [`SocketLoad::gather`]: holds sockets until its input ends, and never returns. Each line of
/// its input is one of [`HolderCommand`]. In other processes: does nothing.
pub fn hold_if_asked() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some(HOLD) {
        return;
    }
    let number = args.next().and_then(|arg| arg.parse().ok()).expect("an argument of ours");
    if let Some(cgroup) = std::env::var_os(CGROUP).map(PathBuf::from) {
        std::fs::create_dir(&cgroup).expect("a mount of ours");
        // "0" is the process that writes it.
        std::fs::write(cgroup.join("cgroup.procs"), "0").expect("a control group of ours");
    }
    let mut holder = Holder::open(number);
    let mut lines = std::io::stdin().lines();
    while let Some(Ok(line)) = lines.next() {
        holder.obey(&line);
        println!("ready");
    }
    std::process::exit(0);
}

/// What a holder is told, with the number behind it on the line.
#[derive(Clone, Copy)]
enum HolderCommand {
    /// Open so many connections and keep both ends.
    Open,
    /// The same over IPv6.
    OpenIpv6,
    /// Of so many connections, evenly chosen, shut down the client's end: its server's is in `CLOSE_WAIT` from then on.
    HalfClose,
    /// Give the listener the lowest free descriptor: after connections over IPv6, the one among theirs that their listener had.
    PutListenerInGap,
    /// Give the listener the highest descriptor.
    RaiseListener,
}

impl HolderCommand {
    const ALL: [(&str, Self); 5] = [
        ("open", Self::Open),
        ("open-ipv6", Self::OpenIpv6),
        ("half-close", Self::HalfClose),
        ("put-listener-in-gap", Self::PutListenerInGap),
        ("raise-listener", Self::RaiseListener),
    ];

    fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

/// The sockets of one process.
struct Holder {
    listener: TcpListener,
    /// Its IPv4 connections: the client's end and the server's.
    pairs: Vec<(TcpStream, TcpStream)>,
    pairs_ipv6: Vec<(TcpStream, TcpStream)>,
}

impl Holder {
    fn open(number: u32) -> Self {
        raise_descriptor_limit();
        std::fs::write("/proc/self/comm", holder_name(number)).expect("a thread may name itself");
        let listener = TcpListener::bind((address_of(number), port_of(number))).expect("an address of the namespace");
        Self { listener, pairs: Vec::new(), pairs_ipv6: Vec::new() }
    }

    fn obey(&mut self, line: &str) {
        let (name, count) = line.split_once(' ').expect("a command and a number");
        let count: usize = count.trim().parse().expect("a number");
        let (_, command) = HolderCommand::ALL.into_iter().find(|(known, _)| *known == name).expect("a command of ours");
        match command {
            HolderCommand::Open => open_pairs(&self.listener, count, &mut self.pairs),
            HolderCommand::OpenIpv6 => {
                let port = self.listener.local_addr().expect("it is bound").port();
                // It does not stay: a holder has one listener.
                let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).expect("a free port");
                open_pairs(&listener, count, &mut self.pairs_ipv6);
            }
            HolderCommand::HalfClose => self.half_close(count),
            HolderCommand::PutListenerInGap => self.move_listener(0),
            HolderCommand::RaiseListener => {
                let ends = self.pairs.iter().chain(&self.pairs_ipv6).flat_map(|(client, server)| [client, server]);
                self.move_listener(ends.map(AsRawFd::as_raw_fd).max().unwrap_or(0));
            }
        }
    }

    /// Gives the listener the lowest free descriptor from `least` on.
    fn move_listener(&mut self, least: i32) {
        let moved = rustix::io::fcntl_dupfd_cloexec(&self.listener, least).expect("a descriptor more");
        self.listener = TcpListener::from(moved);
    }

    fn half_close(&mut self, count: usize) {
        let pairs = self.pairs.len();
        for nth in 0..count.min(pairs) {
            let (client, _) = &self.pairs[nth * pairs / count];
            client.shutdown(Shutdown::Write).expect("it is connected");
        }
    }
}

fn open_pairs(listener: &TcpListener, count: usize, pairs: &mut Vec<(TcpStream, TcpStream)>) {
    let address = listener.local_addr().expect("it is bound");
    pairs.extend((0..count).map(|_| {
        let client = TcpStream::connect(address).expect("room for one more connection");
        (client, listener.accept().expect("the connection just made").0)
    }));
}

/// What holder `number` is called in `/proc/PID/comm`.
pub fn holder_name(number: u32) -> String {
    format!("holder-{number:03}")
}

/// Where holder `number` listens over IPv4.
pub fn address_of(number: u32) -> Ipv4Addr {
    Ipv4Addr::new(127, 1, 0, u8::try_from(number + 1).expect("at most 254 holders"))
}

/// The port that holder `number` listens on.
pub fn port_of(number: u32) -> u16 {
    20_000 + u16::try_from(number).expect("at most 254 holders")
}

/// Leaves `count` sockets in `TIME_WAIT`, which lasts for 60 s; each is the client's end of a connection that nobody holds.
pub fn leave_in_time_wait(count: u32) {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 2, 0, 1), 7_000)).expect("an address of the namespace");
    for _ in 0..count {
        let client = TcpStream::connect(listener.local_addr().expect("it is bound")).expect("a free port");
        let mut server = listener.accept().expect("the connection just made").0;
        client.shutdown(Shutdown::Write).expect("it is connected");
        drop(client);
        // The server's end closes second, so that it is the client's that waits.
        assert_eq!(server.read(&mut [0]).expect("the end of the stream"), 0);
    }
}

fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Processes that hold sockets; they end with it, and so do their control groups.
pub struct SocketLoad {
    holders: Vec<Child>,
    cgroups: Vec<PathBuf>,
}

/// A mount of cgroup v2 in the mount namespace of the benchmark, which ends with that.
pub struct CgroupMount(tempfile::TempDir);

impl CgroupMount {
    /// `None` where that is not allowed.
    pub fn new() -> Option<Self> {
        let directory = tempfile::tempdir().ok()?;
        let mount = Command::new("mount").args(["-t", "cgroup2", "none"]).arg(directory.path()).status();
        mount.is_ok_and(|status| status.success()).then_some(Self(directory))
    }
}

impl Drop for CgroupMount {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).status());
    }
}

impl SocketLoad {
    /// `sockets` TCP sockets (both ends of connections), spread over `holders` processes (see [`holders_for`]).
    pub fn gather(sockets: u32, holders: u32) -> Self {
        Self::start(sockets, vec![None; holders as usize])
    }

    /// The same, each holder in a control group of its own.
    pub fn gather_in_cgroups(sockets: u32, holders: u32, mount: &CgroupMount) -> Self {
        let name = |holder: u32| format!("conntop-bench-{}-{holder}", std::process::id());
        Self::start(sockets, (0..holders).map(|holder| Some(mount.0.path().join(name(holder)))).collect())
    }

    /// A holder for each of `cgroups`, in that control group.
    fn start(sockets: u32, cgroups: Vec<Option<PathBuf>>) -> Self {
        let this = std::env::current_exe().expect("a program knows its file");
        let start = |(holder, cgroup): (usize, &Option<PathBuf>)| {
            Command::new(&this)
                .args([HOLD, &holder.to_string()])
                .envs(cgroup.iter().map(|cgroup| (CGROUP, cgroup)))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("the program starts again")
        };
        let holders = cgroups.iter().enumerate().map(start).collect();
        let mut socket_load = Self { holders, cgroups: cgroups.into_iter().flatten().collect() };
        socket_load.grow(sockets);
        socket_load
    }

    /// Opens `sockets` more, spread over the holders.
    pub fn grow(&mut self, sockets: u32) {
        self.tell_each(HolderCommand::Open, sockets / 2);
    }

    /// Opens `sockets` more over IPv6, spread over the holders.
    pub fn grow_ipv6(&mut self, sockets: u32) {
        self.tell_each(HolderCommand::OpenIpv6, sockets / 2);
    }

    /// Brings `count` sockets into `CLOSE_WAIT`, and as many, their other ends, into `FIN_WAIT2`: all of holder `only`, or
    /// spread over all holders.
    pub fn half_close(&mut self, count: u32, only: Option<u32>) {
        let Some(only) = only else { return self.tell_each(HolderCommand::HalfClose, count) };
        let shares = (0..self.count()).map(|holder| if holder == only { count } else { 0 }).collect();
        self.tell(HolderCommand::HalfClose, shares);
    }

    /// Gives the listener of each holder a descriptor among those of its connections over IPv6; before, it has one of the lowest.
    pub fn put_listeners_in_gaps(&mut self) {
        self.tell(HolderCommand::PutListenerInGap, vec![1; self.holders.len()]);
    }

    /// Gives the listener of each holder the highest of its descriptors.
    pub fn raise_listeners(&mut self) {
        self.tell(HolderCommand::RaiseListener, vec![1; self.holders.len()]);
    }

    /// The process of holder `number`.
    pub fn pid(&self, number: usize) -> u32 {
        self.holders[number].id()
    }

    fn count(&self) -> u32 {
        u32::try_from(self.holders.len()).expect("at most 254 holders")
    }

    /// Tells the holders `command` so that together they do it `total` times; where there are too few for all, the first
    /// ones do it once more.
    fn tell_each(&mut self, command: HolderCommand, total: u32) {
        let holders = self.count();
        let shares = (0..holders).map(|holder| total / holders + u32::from(holder < total % holders)).collect();
        self.tell(command, shares);
    }

    fn tell(&mut self, command: HolderCommand, shares: Vec<u32>) {
        for (holder, share) in self.holders.iter_mut().zip(shares) {
            writeln!(holder.stdin.as_mut().expect("piped"), "{} {share}", command.name()).expect("it listens");
        }
        self.wait();
    }

    fn wait(&mut self) {
        for holder in &mut self.holders {
            let mut byte = [0; 6];
            holder.stdout.as_mut().expect("piped").read_exact(&mut byte).expect("it says ready");
        }
    }
}

impl Drop for SocketLoad {
    fn drop(&mut self) {
        for holder in &mut self.holders {
            drop(holder.kill());
            drop(holder.wait());
        }
        for cgroup in &self.cgroups {
            drop(std::fs::remove_dir(cgroup));
        }
    }
}
