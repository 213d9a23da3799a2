//! `/proc`: directories of processes and what their descriptors point to. No path is built, nothing is allocated
//! per descriptor, and a process that vanishes meanwhile is an ordinary error.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, PROC_SUPER_MAGIC, RawDir, fstatfs, openat, readlinkat_raw, statat};
use rustix::io::Errno;
use rustix::path::{Arg, DecInt};

use crate::source::linux::decimal::number;

/// One `getdents64` call brings some 1,300 names.
const NAMES_LEN: usize = 32 * 1024;
/// Nothing that is read whole is longer (a command line is cut anyway).
const FILE_LEN_MAX: usize = 64 * 1024;

/// `/proc`, opened once.
#[derive(Debug)]
pub struct ProcDir {
    /// Why there is none, where that is so: then all that is asked fails with this error.
    root: Result<OwnedFd, Errno>,
    names: Box<[MaybeUninit<u8>]>,
    /// Whether the size of `/proc/PID/fd` is the number of descriptors.
    tells_counts: bool,
    /// Lists only these, for tests, which are not alone on a machine.
    #[cfg(test)]
    only: Option<Vec<u32>>,
}

/// An entry of `/proc` that is a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessEntry {
    /// The pid.
    pub pid: u32,
    /// The inode of the directory. Another process under the same pid has another one; the same process may get
    /// another one too, when the kernel is short of memory.
    pub inode: u64,
}

/// What `stat("/proc/PID/fd")` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdHint {
    /// The inode of that directory; it tells processes under one pid apart, as [`ProcessEntry::inode`] does.
    pub inode: u64,
    /// How many descriptors are open (`st_size`, since Linux 6.2; 0 before).
    pub count: u64,
    /// The user whose process it is, for one that may be looked into by its own user (`task_dump_owner`, fs/proc/base.c).
    pub uid: u32,
}

/// A descriptor that is a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketFd {
    /// The number of the descriptor in its process.
    pub descriptor: u32,
    /// The inode of the socket.
    pub inode: u32,
}

/// Which descriptors of a process are read.
#[derive(Clone, Debug)]
pub struct DescriptorSpan {
    /// Their numbers.
    pub range: Range<u32>,
    /// How many there are in that range; 0 where that is not known.
    pub expected: u64,
}

impl From<Range<u32>> for DescriptorSpan {
    fn from(range: Range<u32>) -> Self {
        Self { range, expected: 0 }
    }
}

impl ProcDir {
    /// Opens `/proc`.
    pub fn open() -> Result<Self, Errno> {
        Ok(Self::with(Ok(root()?)))
    }

    /// Opens `/proc`; where that fails, each listing tries again.
    pub fn open_or_wait() -> Self {
        Self::with(root())
    }

    fn with(root: Result<OwnedFd, Errno>) -> Self {
        // This process has at least the descriptor of that directory. In a `/proc` that does not show this process nothing
        // is known, and the kernel is taken for a newer one.
        let own = |root| statat(root, c"self/fd", AtFlags::empty()).is_ok_and(|stat| stat.st_size == 0);
        let tells_counts = !root.as_ref().is_ok_and(own);
        Self {
            root,
            names: vec![MaybeUninit::uninit(); NAMES_LEN].into(),
            tells_counts,
            #[cfg(test)]
            only: None,
        }
    }

    /// Whether the size of `/proc/PID/fd` is the number of descriptors of a process, so that its change shows that they
    /// have changed: since Linux 6.2 (`proc_fd_getattr`, `fs/proc/fd.c`).
    pub const fn tells_counts(&self) -> bool {
        self.tells_counts
    }

    /// Reads like a kernel before Linux 6.2, which does not tell the number of descriptors.
    #[cfg(test)]
    #[must_use]
    pub fn without_counts(self) -> Self {
        Self { tells_counts: false, ..self }
    }

    /// Lists only the processes `pids`.
    #[cfg(test)]
    #[must_use]
    pub fn with_only(self, pids: Vec<u32>) -> Self {
        Self { only: Some(pids), ..self }
    }

    fn root(&self) -> Result<&OwnedFd, Errno> {
        self.root.as_ref().map_err(|error| *error)
    }

    /// Lists the processes into `entries` (cleared first), ascending by pid. There is always one, ourselves, except in a
    /// `/proc` of another pid namespace: `ENODEV` says that what is there is no `/proc`, or an empty one.
    pub fn list(&mut self, entries: &mut Vec<ProcessEntry>) -> Result<(), Errno> {
        entries.clear();
        if self.root.is_err() {
            self.root = root();
        }
        let root = self.root.as_ref().map_err(|error| *error)?;
        rustix::fs::seek(root, rustix::fs::SeekFrom::Start(0))?;
        let mut names = RawDir::new(root, &mut self.names);
        while let Some(name) = names.next() {
            let name = name?;
            entries.extend(number(name.file_name().to_bytes()).map(|pid| ProcessEntry { pid, inode: name.ino() }));
        }
        #[cfg(test)]
        entries.retain(|entry| self.only.as_ref().is_none_or(|only| only.contains(&entry.pid)));
        entries.sort_unstable_by_key(|entry| entry.pid);
        if entries.is_empty() { Err(Errno::NODEV) } else { Ok(()) }
    }

    /// Opens the directory of process `pid`. Whatever is read through it is of this process or fails, also when
    /// the pid has been reused.
    pub fn process(&self, pid: u32) -> Result<ProcessDir, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(self.root()?, DecInt::new(pid), flags, Mode::empty()).map(ProcessDir)
    }

    /// What `stat("/proc/PID/fd")` says: whether the process is there, is the same, has other descriptors.
    pub fn fd_hint(&self, pid: u32) -> Result<FdHint, Errno> {
        let mut path = PathBuffer::default();
        let stat = statat(self.root()?, path.join(pid, b"/fd\0").ok_or(Errno::NAMETOOLONG)?, AtFlags::empty())?;
        let count = if self.tells_counts { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 };
        Ok(FdHint { inode: stat.st_ino, count, uid: stat.st_uid })
    }

    /// How many threads process `pid` has: its `task` directory has a link for each and two of its own.
    pub fn thread_count(&self, pid: u32) -> Result<u32, Errno> {
        let mut path = PathBuffer::default();
        let stat = statat(self.root()?, path.join(pid, b"/task\0").ok_or(Errno::NAMETOOLONG)?, AtFlags::empty())?;
        Ok(u32::try_from(stat.st_nlink).unwrap_or(u32::MAX).saturating_sub(2))
    }

    /// The inode of the network namespace of process `pid`.
    pub fn network_namespace(&self, pid: u32) -> Result<u64, Errno> {
        let mut path = PathBuffer::default();
        Ok(statat(self.root()?, path.join(pid, b"/ns/net\0").ok_or(Errno::NAMETOOLONG)?, AtFlags::empty())?.st_ino)
    }

    /// The inode of `/proc/PID/net/sockstat`, which is another one in each network namespace. Unlike the namespace itself it
    /// is to be seen of every process.
    pub fn sockstat_inode(&self, pid: u32) -> Result<u64, Errno> {
        let mut path = PathBuffer::default();
        let path = path.join(pid, b"/net/sockstat\0").ok_or(Errno::NAMETOOLONG)?;
        Ok(statat(self.root()?, path, AtFlags::empty())?.st_ino)
    }

    /// What `system.sockprotoname` says of a descriptor: the name of the protocol that its socket was made for, which ends
    /// in NUL (`sockfs_xattr_get`, `net/socket.c`). `EAGAIN` if the descriptor is another socket by now.
    pub fn socket_kind(&self, pid: u32, socket: SocketFd) -> Result<Vec<u8>, Errno> {
        let (pid, descriptor) = (DecInt::new(pid), DecInt::new(socket.descriptor));
        let path = [pid.as_bytes(), b"/fd/", descriptor.as_bytes()].concat();
        let mut name = [0; 32];
        let len = rustix::fs::getxattr([b"/proc/", &path[..]].concat(), c"system.sockprotoname", &mut name)?;
        let still = read_descriptor(self.root()?, path, socket.descriptor)?;
        if still != Some(socket) {
            return Err(Errno::AGAIN);
        }
        Ok(name.get(..len).unwrap_or_default().to_vec())
    }

    /// Whether a process is surely in another network namespace than the calling thread. Unlike the namespace itself this is
    /// to be seen of every process: the files in `net` are those of the namespace, and have inodes of their own in each.
    pub fn is_elsewhere(&self, process: &ProcessDir) -> bool {
        let ours = self.root().and_then(|root| statat(root, c"thread-self/net/dev", AtFlags::empty()));
        let theirs = process.inode_of(c"net/dev");
        ours.is_ok_and(|ours| theirs.is_ok_and(|theirs| theirs != ours.st_ino))
    }

    /// Appends the sockets among the descriptors whose numbers are in `range`, ascending; returns how many descriptors
    /// there are. `EACCES` says that this user may not look. After any other error `sockets` has what could be read.
    pub fn sockets(
        &mut self,
        process: &ProcessDir,
        span: impl Into<DescriptorSpan>,
        sockets: &mut Vec<SocketFd>,
    ) -> Result<u32, Errno> {
        let DescriptorSpan { range, expected } = span.into();
        let directory = process.descriptor_dir()?;
        if range.start > 0 {
            // Descriptor n stands at position n + 2, behind "." and ".." (proc_readfd_common, fs/proc/fd.c).
            rustix::fs::seek(&directory, rustix::fs::SeekFrom::Start(u64::from(range.start).saturating_add(2)))?;
        }
        let mut names = RawDir::new(&directory, &mut self.names);
        let (mut count, mut failed) = (0u32, Ok(()));
        // When all that are expected were seen, nobody asks for the end of the list.
        let is_whole = |count: u32| expected > 0 && u64::from(count) >= expected;
        while !(names.is_buffer_empty() && is_whole(count))
            && let Some(name) = names.next()
        {
            let name = name?;
            let name = name.file_name();
            let Some(descriptor) = number(name.to_bytes()).filter(|descriptor| *descriptor >= range.start) else {
                continue;
            };
            if descriptor >= range.end {
                break;
            }
            count = count.saturating_add(1);
            take(read_descriptor(&directory, name, descriptor), sockets, &mut failed)?;
        }
        failed.map(|()| count)
    }

    /// Appends those of `descriptors` that are sockets.
    pub fn sockets_of(
        &self,
        process: &ProcessDir,
        descriptors: impl Iterator<Item = u32>,
        sockets: &mut Vec<SocketFd>,
    ) -> Result<(), Errno> {
        let directory = process.descriptor_dir()?;
        let mut failed = Ok(());
        for descriptor in descriptors {
            take(read_descriptor(&directory, DecInt::new(descriptor), descriptor), sockets, &mut failed)?;
        }
        failed
    }
}

/// Opens `/proc` if it is one: a directory of that name that holds something else says nothing of processes.
fn root() -> Result<OwnedFd, Errno> {
    let root = openat(CWD, c"/proc", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    if fstatfs(&root)?.f_type == PROC_SUPER_MAGIC { Ok(root) } else { Err(Errno::NODEV) }
}

/// Takes in what one descriptor was. A refusal holds for all of them and ends the reading; another error (`EIO`,
/// `ENOMEM`) is kept in `failed`, and the rest is read all the same.
fn take(
    read: Result<Option<SocketFd>, Errno>,
    sockets: &mut Vec<SocketFd>,
    failed: &mut Result<(), Errno>,
) -> Result<(), Errno> {
    match read {
        Ok(socket) => sockets.extend(socket),
        Err(error @ (Errno::ACCESS | Errno::PERM)) => return Err(error),
        Err(error) => *failed = failed.and(Err(error)),
    }
    Ok(())
}

/// The socket that a descriptor is; `None` if it is something else or closed.
fn read_descriptor(directory: &OwnedFd, name: impl Arg, descriptor: u32) -> Result<Option<SocketFd>, Errno> {
    let mut target = [MaybeUninit::uninit(); 32];
    match readlinkat_raw(directory.as_fd(), name, &mut target) {
        Ok((target, _)) => Ok(socket_inode(target).map(|inode| SocketFd { descriptor, inode })),
        // Closed meanwhile, or a file with a longer path than a link can say.
        Err(Errno::NOENT | Errno::SRCH | Errno::NAMETOOLONG) => Ok(None),
        // Listing asks for the owner's rights, following a link for those of ptrace(2): the second can be refused
        // after the first was granted. And what could not be read (EIO, ENOMEM) may be the socket that is sought.
        Err(error) => Err(error),
    }
}

/// The directory of one process, or of one of its threads: they have the same files.
#[derive(Debug)]
pub struct ProcessDir(OwnedFd);

/// The descriptors of one process, to be read one by one.
#[derive(Debug)]
pub struct DescriptorDir(OwnedFd);

impl DescriptorDir {
    /// The socket that `descriptor` is; `None` if it is something else or closed.
    pub fn socket(&self, descriptor: u32) -> Result<Option<SocketFd>, Errno> {
        read_descriptor(&self.0, DecInt::new(descriptor), descriptor)
    }
}

impl ProcessDir {
    /// Its descriptors, to be read one by one.
    pub fn descriptors(&self) -> Result<DescriptorDir, Errno> {
        self.descriptor_dir().map(DescriptorDir)
    }

    fn descriptor_dir(&self) -> Result<OwnedFd, Errno> {
        openat(&self.0, c"fd", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    }

    /// The ids of its threads, ascending, at most `len_max` of them; the main thread's is the pid.
    pub fn threads(&self, len_max: usize) -> Result<Vec<u32>, Errno> {
        let directory = openat(&self.0, c"task", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut names = RawDir::new(&directory, &mut buffer);
        let mut threads = Vec::new();
        while threads.len() < len_max
            && let Some(name) = names.next()
        {
            threads.extend(number(name?.file_name().to_bytes()));
        }
        threads.sort_unstable();
        Ok(threads)
    }

    /// The directory of its thread `tid`.
    pub fn thread(&self, tid: u32) -> Result<Self, Errno> {
        let path = [b"task/", DecInt::new(tid).as_bytes()].concat();
        openat(&self.0, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map(Self)
    }

    /// How many descriptors its table has, without counting them: 0 before Linux 6.2.
    pub fn descriptors_hint(&self) -> Result<u64, Errno> {
        Ok(u64::try_from(statat(&self.0, c"fd", AtFlags::empty())?.st_size).unwrap_or(0))
    }

    /// Reads the file `name` into `content` (cleared first), at most 64 KiB of it. The kernel hands such files over in one
    /// piece (`proc_single_show`, `get_mm_cmdline`, fs/proc/base.c).
    pub fn read(&self, name: impl Arg, content: &mut Vec<u8>) -> Result<(), Errno> {
        let file = openat(&self.0, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        read_in_one_piece(&file, FILE_LEN_MAX, content)
    }

    /// What the link `name` in it says.
    pub fn link(&self, name: impl Arg) -> Result<Vec<u8>, Errno> {
        Ok(rustix::fs::readlinkat(&self.0, name, Vec::new())?.into_bytes())
    }

    /// The inode of a file in it.
    pub fn inode_of(&self, name: impl Arg) -> Result<u64, Errno> {
        Ok(statat(&self.0, name, AtFlags::empty())?.st_ino)
    }
}

/// Reads what is left of `file` into `content` (cleared first), at most `len_max` bytes.
pub fn read_to_end(file: &OwnedFd, len_max: usize, content: &mut Vec<u8>) -> Result<(), Errno> {
    content.clear();
    while content.len() < len_max {
        content.reserve(4096);
        match rustix::io::read(file, rustix::buffer::spare_capacity(content)) {
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The same of a file that the kernel hands over in one piece: a read that leaves room has brought all of it, so that no
/// second one asks for the end.
pub fn read_in_one_piece(file: &OwnedFd, len_max: usize, content: &mut Vec<u8>) -> Result<(), Errno> {
    content.clear();
    while content.len() < len_max {
        content.reserve(4096);
        let room = content.spare_capacity_mut().len();
        match rustix::io::read(file, rustix::buffer::spare_capacity(content)) {
            Ok(read) if read < room => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The inode in `socket:[123]`, what the link of a socket's descriptor says.
pub fn socket_inode(target: &[u8]) -> Option<u32> {
    number(target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?).filter(|inode| *inode != 0)
}

/// Room for `4294967295/net/sockstat` and its NUL.
#[derive(Default)]
struct PathBuffer([u8; 24]);

impl PathBuffer {
    /// `PID` followed by `tail`, which ends in NUL.
    fn join(&mut self, pid: u32, tail: &[u8]) -> Option<&CStr> {
        let pid = DecInt::new(pid);
        let (head, rest) = self.0.split_at_mut_checked(pid.as_bytes().len())?;
        head.copy_from_slice(pid.as_bytes());
        rest.get_mut(..tail.len())?.copy_from_slice(tail);
        CStr::from_bytes_until_nul(&self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn links_of_sockets_are_told_from_others() {
        assert_eq!(socket_inode(b"socket:[123]"), Some(123));
        for other in [&b"pipe:[123]"[..], b"socket:[]", b"socket:[0]", b"socket:[12", b"socket:[99999999999]", b"/x"] {
            assert_eq!(socket_inode(other), None);
        }
    }

    #[test]
    fn the_longest_pid_fits_its_path() {
        assert_eq!(PathBuffer::default().join(u32::MAX, b"/net/sockstat\0"), Some(c"4294967295/net/sockstat"));
    }

    #[test]
    fn who_expects_fewer_descriptors_than_there_are_is_told_of_all() {
        let kept: Vec<_> = (0..40).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback")).collect();
        let mut proc = ProcDir::open().expect("/proc");
        let me = proc.process(std::process::id()).expect("alive");
        for expected in [0, 1, 20, u64::MAX] {
            let mut sockets = Vec::new();
            proc.sockets(&me, DescriptorSpan { range: 0..u32::MAX, expected }, &mut sockets).expect("own");
            let found = |socket: &std::net::UdpSocket| {
                sockets.iter().any(|found| found.descriptor == u32::try_from(socket.as_raw_fd()).expect("open"))
            };
            assert!(kept.iter().all(found), "{expected}");
        }
    }

    #[test]
    fn ranges_of_descriptors_together_are_all_of_them() {
        let sockets: Vec<_> = (0..40).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback")).collect();
        let mut descriptors: Vec<_> =
            sockets.iter().map(|socket| u32::try_from(socket.as_raw_fd()).expect("open")).collect();
        // Where other tests close theirs, a later one takes a lower number.
        descriptors.sort_unstable();
        let mut proc = ProcDir::open().expect("/proc");
        let me = proc.process(std::process::id()).expect("alive");
        let (first, last) = (descriptors[0], descriptors[39] + 1);
        let mut read = |range| {
            let mut sockets = Vec::new();
            proc.sockets(&me, range, &mut sockets).expect("own");
            // Other tests open and close theirs at the same time.
            sockets.retain(|socket| descriptors.contains(&socket.descriptor));
            sockets
        };
        let whole = read(first..last);
        assert_eq!(whole.len(), 40);
        for middle in [first, first + 1, first + 17, last - 1, last] {
            assert_eq!([read(first..middle), read(middle..last)].concat(), whole, "{middle}");
        }
        let fourth = read(descriptors[3]..descriptors[3] + 1);
        assert_eq!(fourth.len(), 1);
        let mut some = Vec::new();
        proc.sockets_of(&me, [descriptors[3], u32::MAX].into_iter(), &mut some).expect("own");
        assert_eq!(some, fourth, "what is not open is left out");
    }

    #[test]
    fn this_process_is_listed_and_its_socket_found() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).expect("own descriptor");
        let inode = socket_inode(link.as_os_str().as_encoded_bytes()).expect("a socket");

        let mut proc = ProcDir::open().expect("/proc");
        let mut entries = Vec::new();
        proc.list(&mut entries).expect("readable");
        let me = std::process::id();
        assert!(entries.iter().any(|entry| entry.pid == me));

        let mut sockets = Vec::new();
        let count = proc.sockets(&proc.process(me).expect("alive"), 0..u32::MAX, &mut sockets).expect("own");
        let descriptor = socket.as_raw_fd().try_into().expect("open");
        assert!(sockets.contains(&SocketFd { descriptor, inode }));
        assert!(count >= 4, "{count}");
        assert!(proc.fd_hint(me).is_ok());
        assert_eq!(proc.process(u32::MAX >> 1).err(), Some(Errno::NOENT));
    }
}
