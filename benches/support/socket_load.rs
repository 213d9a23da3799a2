//! Many sockets for benchmarks: processes that hold a given number of connections over 127.x addresses, inside a
//! network namespace that the benchmark makes for itself.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

/// Set in the environment of the run inside the namespace.
const INSIDE: &str = "CONNTOP_BENCH_NAMESPACE";
/// The first argument of a process that only holds sockets.
const HOLD: &str = "--hold-sockets";

/// Whether the caller runs inside its own namespace; if not, runs the program again inside one and exits like it.
pub fn enter_namespace() {
    if std::env::var_os(INSIDE).is_some() {
        return;
    }
    let flags = if geteuid().is_root() { "-n" } else { "-Urn" };
    let works = Command::new("unshare").args([flags, "ip", "link", "set", "lo", "up"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: `unshare {flags}` or `ip` does not work here; benchmarks need a namespace of their own");
        std::process::exit(0);
    }
    let this = std::env::current_exe().expect("a program knows its file");
    let status = Command::new("unshare")
        .args([flags, "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
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

/// In a process started by [`SocketLoad::gather`]: holds its sockets until its input ends, and never returns.
/// On `more N` it opens `N` connections more. In other processes: does nothing.
pub fn hold_if_asked() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some(HOLD) {
        return;
    }
    let mut number = || args.next().and_then(|arg| arg.parse::<u32>().ok()).expect("an argument of ours");
    let (holder, pairs) = (number(), number());
    raise_descriptor_limit();
    let last = u8::try_from(holder + 1).expect("at most 254 holders");
    let address = SocketAddrV4::new(Ipv4Addr::new(127, 1, 0, last), 7000);
    let listener = TcpListener::bind(address).expect("an address of the namespace");
    let mut kept = Vec::new();
    open_pairs(&listener, pairs, &mut kept);
    println!("ready");
    let mut lines = std::io::stdin().lines();
    while let Some(Ok(line)) = lines.next() {
        open_pairs(&listener, line.trim().parse().expect("a number"), &mut kept);
        println!("ready");
    }
    std::process::exit(0);
}

fn open_pairs(listener: &TcpListener, pairs: u32, kept: &mut Vec<TcpStream>) {
    let address = listener.local_addr().expect("it is bound");
    for _ in 0..pairs {
        kept.push(TcpStream::connect(address).expect("room for one more connection"));
        kept.push(listener.accept().expect("the connection just made").0);
    }
}

fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// Processes that hold sockets; they end with it.
pub struct SocketLoad {
    holders: Vec<Child>,
}

impl SocketLoad {
    /// `sockets` TCP sockets (both ends of connections), spread over `holders` processes (see [`holders_for`]).
    pub fn gather(sockets: u32, holders: u32) -> Self {
        let this = std::env::current_exe().expect("a program knows its file");
        let pairs = (sockets / holders / 2).to_string();
        let start = |holder: u32| {
            Command::new(&this)
                .args([HOLD, &holder.to_string(), &pairs])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("the program starts again")
        };
        let mut socket_load = Self { holders: (0..holders).map(start).collect() };
        socket_load.wait();
        socket_load
    }

    /// Opens `sockets` more, spread over the holders.
    pub fn grow(&mut self, sockets: u32) {
        let (pairs, holders) = (sockets as usize / 2, self.holders.len());
        for (nth, holder) in self.holders.iter_mut().enumerate() {
            // Where there are fewer pairs than holders, the first ones get one each.
            let pairs = pairs / holders + usize::from(nth < pairs % holders);
            writeln!(holder.stdin.as_mut().expect("piped"), "{pairs}").expect("it listens");
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
    }
}
