//! Whether there are TCP sockets that no hash table of connections and listeners has: those in `CLOSE`, bound or not. Of those
//! that are bound, the kernel can walk its table of ports, which is one more walk. The others show among the descriptors of
//! processes only.
//!
//! Two numbers can say that there are none. In `/proc/net/sockstat`, `alloc` of the line `TCP` is how many TCP sockets of either
//! family there are in all network namespaces: made and not destroyed (`tcp_init_sock`, `sk_clone_lock`,
//! `tcp_v4_destroy_sock`), orphans among them, sockets in `TIME_WAIT` and requests not. `inuse` in that line and of `TCP6` in
//! `sockstat6` is how many of one namespace are hashed (`__inet_hash`, `inet_ehash_nolisten`, `inet_unhash`, `inet_twsk_hashdance`).
//! Where `alloc` is the sum of these, no socket is unhashed. What is not read makes the sum smaller than it is and so proves
//! nothing: a namespace without processes, or, in a container, the others. A container cannot do without: `sockets: used`,
//! which is of one namespace, counts sockets of all kinds, and `inuse` those of the kernel as well, which `used` leaves out.
//!
//! Sockets come and go meanwhile. So all namespaces are read before and after `alloc`. That they say the same twice, and that
//! no connection was opened between (`ActiveOpens` and `PassiveOpens` of `/proc/net/snmp`), shows that as many were hashed at
//! the moment of `alloc`. To be wrong takes three things within the some 30 microseconds a namespace that this takes: a socket
//! that is unhashed, the end of another one, and in the same namespace a new listener, or a connection whose opening is
//! counted so much later.
//!
//! One kind is counted nowhere: an MPTCP socket before its first `bind`, `connect` or `listen`, which has no TCP socket yet.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::os::fd::OwnedFd;

use rustc_hash::FxHashSet;
use rustix::fs::{CWD, Mode, OFlags, fstat, openat};

use crate::source::linux::proc_dir::ProcDir;
use crate::source::linux::proc_tables::{content, pairs, value_in_line};

/// How often the files are read while sockets come and go: each time takes some 30 microseconds a namespace.
const TRIES: usize = 8;
/// Files of more namespaces are not opened.
const NAMESPACES_MAX: usize = 256;
/// The longest file, `snmp`, has some 2 KiB, and up to 10 more of kinds of ICMP messages.
const TEXT_LEN: usize = 32 * 1024;

/// Whether there may be TCP sockets in `CLOSE`, bound or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unhashed {
    /// As far as is known, there may be some.
    Possible,
    /// There is none in any network namespace.
    None,
}

/// Reads the counts of all network namespaces that it can.
#[derive(Debug)]
pub struct UnhashedProof {
    /// Our own namespace first. Empty where even its files cannot be read.
    namespaces: Vec<CountFiles>,
    /// The inodes of all files that are open, so that none is counted twice.
    opened: FxHashSet<u64>,
    /// The other namespaces are among them, as far as processes show them.
    has_others: bool,
    text: Vec<u8>,
}

/// What one namespace counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NamespaceCounts {
    /// TCP sockets that are hashed.
    hashed: u64,
    /// `ActiveOpens` and `PassiveOpens`.
    connections_opened: (i64, i64),
}

/// The files of one namespace; they stay open.
#[derive(Debug)]
struct CountFiles {
    sockstat: OwnedFd,
    /// `None` where the kernel has no IPv6.
    sockstat6: Option<OwnedFd>,
    snmp: OwnedFd,
}

/// What one try shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CountResult {
    /// No TCP socket is unhashed.
    None,
    /// There are more sockets than those that are known to be hashed.
    Others,
    /// Sockets came or went meanwhile, or the files make no sense.
    Unclear,
}

impl UnhashedProof {
    /// For the network namespace of the calling thread and all others.
    pub fn open() -> Self {
        let mut proof =
            Self { namespaces: Vec::new(), opened: FxHashSet::default(), has_others: false, text: vec![0; TEXT_LEN] };
        // Not /proc/self, which is the main thread's.
        proof.add("/proc/thread-self/net");
        proof
    }

    /// Looks whether there is an unhashed TCP socket at this moment. Other namespaces are looked for where our own does not
    /// have all the sockets that there are.
    pub fn look(&mut self) -> Unhashed {
        let mut found = self.look_repeatedly();
        if found == CountResult::Others && !self.has_others {
            self.has_others = true;
            self.add_others();
            found = self.look_repeatedly();
        }
        if found == CountResult::None { Unhashed::None } else { Unhashed::Possible }
    }

    /// A socket that was made a moment ago is not yet connected: so what is found is looked for again.
    fn look_repeatedly(&mut self) -> CountResult {
        let mut found = CountResult::Unclear;
        for _ in 0..TRIES {
            found = self.look_once().unwrap_or(CountResult::Unclear);
            if found == CountResult::None || found == CountResult::Others && !self.has_others {
                break;
            }
        }
        found
    }

    /// `None` where a file cannot be read or makes no sense.
    fn look_once(&mut self) -> Option<CountResult> {
        let (namespaces, text) = (&self.namespaces, &mut self.text[..]);
        let before: Option<Vec<_>> = namespaces.iter().map(|files| files.read_first(text)).collect();
        let before = before?;
        let allocated = value_in_line(content(Some(&namespaces.first()?.sockstat), text)?, b"TCP:", b"alloc")?;
        let after: Option<Vec<_>> = namespaces.iter().map(|files| files.read_last(text)).collect();
        Some(compare(&before, allocated, &after?))
    }

    /// The files of every other namespace in which a process is that can be seen.
    fn add_others(&mut self) {
        let (mut proc, mut processes) = (ProcDir::open_or_wait(), Vec::new());
        // What cannot be listed is not counted, and so nothing is proved.
        let _ = proc.list(&mut processes);
        for process in processes {
            let is_new = proc.sockstat_inode(process.pid).is_ok_and(|inode| !self.opened.contains(&inode));
            if is_new && self.namespaces.len() < NAMESPACES_MAX {
                self.add(&format!("/proc/{}/net", process.pid));
            }
        }
    }

    /// Opens the files in `directory`, if they are of a namespace that is not open yet. A process can change its namespace
    /// between them; a file that is open already is not opened again.
    fn add(&mut self, directory: &str) {
        let mut open = |name: &str| {
            let path = format!("{directory}/{name}");
            let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
            let inode = fstat(&file).ok()?.st_ino;
            self.opened.insert(inode).then_some(file)
        };
        if let (Some(sockstat), Some(snmp)) = (open("sockstat"), open("snmp")) {
            self.namespaces.push(CountFiles { sockstat, sockstat6: open("sockstat6"), snmp });
        }
    }
}

impl CountFiles {
    /// Openings are read farther from `alloc` than what is hashed, as the two are counted one after the other.
    fn read_first(&self, text: &mut [u8]) -> Option<NamespaceCounts> {
        let connections_opened = self.read_opened(text)?;
        Some(NamespaceCounts { connections_opened, hashed: self.read_hashed(text)? })
    }

    fn read_last(&self, text: &mut [u8]) -> Option<NamespaceCounts> {
        let hashed = self.read_hashed(text)?;
        Some(NamespaceCounts { connections_opened: self.read_opened(text)?, hashed })
    }

    fn read_opened(&self, text: &mut [u8]) -> Option<(i64, i64)> {
        opened(content(Some(&self.snmp), text)?)
    }

    fn read_hashed(&self, text: &mut [u8]) -> Option<u64> {
        let of_ipv4: u64 = value_in_line(content(Some(&self.sockstat), text)?, b"TCP:", b"inuse")?;
        // Where it is not told, the sum is too small, and nothing is proved.
        let of_ipv6 = content(self.sockstat6.as_ref(), text).and_then(|text| value_in_line(text, b"TCP6:", b"inuse"));
        of_ipv4.checked_add(of_ipv6.unwrap_or(0))
    }
}

/// `ActiveOpens` and `PassiveOpens` in `/proc/net/snmp`.
fn opened(snmp: &[u8]) -> Option<(i64, i64)> {
    let (mut active, mut passive) = (None, None);
    pairs(snmp, |group, name, value| match (group, name) {
        (b"Tcp", b"ActiveOpens") => active = Some(value),
        (b"Tcp", b"PassiveOpens") => passive = Some(value),
        _ => {}
    });
    active.zip(passive)
}

/// What follows of what the namespaces counted `before` and `after` so many TCP sockets were there in all of them.
fn compare(before: &[NamespaceCounts], allocated: u64, after: &[NamespaceCounts]) -> CountResult {
    let hashed = before.iter().try_fold(0u64, |sum, counts| sum.checked_add(counts.hashed));
    match hashed.filter(|_| before == after) {
        Some(hashed) if hashed == allocated => CountResult::None,
        Some(hashed) if hashed < allocated => CountResult::Others,
        _ => CountResult::Unclear,
    }
}

#[cfg(test)]
mod tests;
