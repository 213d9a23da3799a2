//! Which service unit, container or pod a socket belongs to: finds the directory of its cgroup by the directory's
//! inode, which is what the kernel calls the cgroup (`INET_DIAG_CGROUP_ID`, Linux 5.8 and later), and reads the path (`name`).
//!
//! There is no way from the number to the path but to look through the directories (`open_by_handle_at`(2) needs a
//! capability). So that is done only when a number appears that is not known, and seldom while it stays unknown.
//!
//! Where cgroups are not mounted (`ip netns exec` mounts a new `/sys` without them), they are mounted where nobody else
//! sees it; where that is not allowed, `/proc/PID/cgroup` of the holder says the path. A socket keeps the cgroup that it
//! was made in when its process moves to another, so holders that disagree on a number say nothing.

pub mod name;

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};
use rustix::fs::{CWD, FileType, FsWord, Mode, OFlags, RawDir, fstat, fstatfs, openat, statat};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use crate::model::process::{Owner, ProcessId};
use crate::model::socket::{NO_CGROUP, Socket};
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::source::clock;
use crate::source::linux::backoff::Backoff;
use crate::source::linux::owners::Owners;

/// Where cgroup v2 is mounted: alone, or beside v1.
const ROOTS: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
/// `CGROUP2_SUPER_MAGIC` (`include/uapi/linux/magic.h`).
const CGROUP2: FsWord = 0x6367_7270;
/// The longest name of a unit, in bytes.
const UNIT_LEN_MAX: usize = 128;
/// One walk looks into so many directories: some 100 ms.
const DIRECTORIES_MAX: usize = 16_384;
/// So many cgroups are remembered.
const KNOWN_MAX: usize = 16_384;
/// A cgroup without sockets is remembered for so long: its sockets in `TIME_WAIT` are still shown with its unit.
const UNUSED_MAX: Duration = Duration::from_secs(5 * 60);
/// A cgroup that was not found is sought again after this time, then after twice that, and so on up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest time until a cgroup that was not found is sought again.
const RETRY_MAX: Duration = Duration::from_secs(5 * 60);
/// The next walk waits for this many times what the last one took: at most a twentieth of a core.
const WALK_DUTY: u32 = 20;
/// The cgroup of a process is read again after this time.
const VALID_FOR: Duration = Duration::from_secs(30);

/// Finds and remembers units.
#[derive(Debug)]
pub struct Units {
    /// The root of cgroup v2; `None` where there is none.
    root: Option<OwnedFd>,
    known: FxHashMap<u64, CgroupUnit>,
    unresolved: Backoff<u64>,
    processes: FxHashMap<ProcessId, (Option<NonZeroU64>, Timestamp)>,
    /// What `/proc/PID/cgroup` of holders says, where directories do not.
    holders: FxHashMap<ProcessId, (Option<ProcessCgroup>, Timestamp)>,
    walk_after: Timestamp,
    tidied_at: Timestamp,
    /// Cgroups that are not known; kept for its memory.
    wanted: Vec<u64>,
    /// A holder has told a unit since the last update.
    learned: bool,
}

/// Where a process is: the unit of its path, `None` at the root; the path itself tells paths apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ProcessCgroup {
    path: Vec<u8>,
    unit: Option<DisplayText>,
}

/// What is said where units are missing because of that.
const NOT_MOUNTED: &str = "cgroups are not mounted here (see /sys/fs/cgroup): units come from /proc/PID/cgroup of who \
                           holds a socket, and are missing where nobody does or holders disagree";

/// What is known of a cgroup.
#[derive(Debug)]
struct CgroupUnit {
    /// `None` for the root, and where holders disagree.
    unit: Option<DisplayText>,
    used_at: Timestamp,
    /// A holder said so, not a directory with that number.
    from_holder: bool,
}

impl Units {
    /// Uses cgroup v2 where it is usually mounted; without it no unit is known.
    pub fn open() -> Self {
        let is_cgroup2 = |root: &OwnedFd| fstatfs(root).is_ok_and(|system| system.f_type == CGROUP2);
        Self::over(ROOTS.iter().filter_map(|path| directory(path).ok()).find(is_cgroup2).or_else(mount))
    }

    fn over(root: Option<OwnedFd>) -> Self {
        let mut known = FxHashMap::default();
        if let Some(stat) = root.as_ref().and_then(|root| fstat(root).ok()) {
            known.insert(stat.st_ino, CgroupUnit { unit: None, used_at: Timestamp(u64::MAX), from_holder: false });
        }
        Self {
            root,
            known,
            unresolved: Backoff::new(RETRY_FIRST, RETRY_MAX),
            processes: FxHashMap::default(),
            holders: FxHashMap::default(),
            walk_after: Timestamp(0),
            tidied_at: Timestamp(0),
            wanted: Vec::new(),
            learned: false,
        }
    }

    /// Learns the units of `sockets`; whether [`Self::names`] differ from before.
    pub fn update(&mut self, sockets: &[Socket], now: Timestamp) -> bool {
        self.note_used(sockets, now);
        let forgotten = now.since(self.tidied_at) > UNUSED_MAX / 5 && self.tidy(now);
        let forgotten = forgotten | std::mem::take(&mut self.learned);
        if self.root.is_none() {
            return forgotten;
        }
        self.wanted.retain(|id| self.unresolved.is_due(*id, now));
        let begun = clock::now().0;
        if self.wanted.is_empty() || begun < self.walk_after || self.known.len() >= KNOWN_MAX {
            return forgotten;
        }
        let wanted: FxHashSet<u64> = self.wanted.drain(..).collect();
        let found = self.walk(&wanted);
        for id in wanted.iter().filter(|id| !found.iter().any(|(found, _)| found == *id)) {
            self.unresolved.put_off(*id, now);
        }
        let learned = !found.is_empty();
        for (id, unit) in found {
            self.unresolved.forget(id);
            self.known.insert(id, CgroupUnit { unit, used_at: now, from_holder: false });
        }
        let ended = clock::now().0;
        self.walk_after = ended.after(ended.since(begun) * WALK_DUTY);
        forgotten || learned
    }

    /// The units by cgroup, as a table for [`Names`](crate::model::process::Names).
    pub fn names(&self) -> BTreeMap<u64, DisplayText> {
        self.known.iter().filter_map(|(id, known)| Some((*id, known.unit.clone()?))).collect()
    }

    /// What is missing, where something is: cgroups are not mounted, and sockets have one that no holder told.
    pub fn lost(&self) -> Option<&'static str> {
        (self.root.is_none() && !self.wanted.is_empty()).then_some(NOT_MOUNTED)
    }

    /// Gives `sockets` without a cgroup that of the process that holds them: for `/proc/net`, and for kernels before Linux
    /// 5.8, which tell none. Learns the
    /// units of those whose cgroup has no directory here from who holds them.
    pub fn complete(&mut self, sockets: &mut [Socket], owners: &Owners, now: Timestamp) {
        if self.root.is_none() {
            return self.learn_from_holders(sockets, owners, now);
        }
        for socket in sockets.iter_mut().filter(|socket| socket.cgroup.is_none()) {
            let Owner::Live(holders) = &socket.owner else { continue };
            let id = holders.first().id;
            let cached = self.processes.get(&id).filter(|(_, read_at)| now.since(*read_at) < VALID_FOR);
            let cgroup = cached.map(|(cgroup, _)| *cgroup);
            socket.cgroup = cgroup.unwrap_or_else(|| {
                let cgroup = self.cgroup_of(id.pid, owners).and_then(NonZeroU64::new);
                self.processes.insert(id, (cgroup, now));
                cgroup
            });
        }
    }

    fn learn_from_holders(&mut self, sockets: &mut [Socket], owners: &Owners, now: Timestamp) {
        for socket in sockets {
            let Owner::Live(holders) = &socket.owner else { continue };
            let process = holders.first();
            let is_valid = |(_, read_at): &&(Option<ProcessCgroup>, Timestamp)| now.since(*read_at) < VALID_FOR;
            if !self.holders.get(&process.id).is_some_and(|known| is_valid(&known)) {
                self.holders.insert(process.id, (place_of(process.id.pid, owners), now));
            }
            let Some((Some(place), _)) = self.holders.get(&process.id) else { continue };
            let id = *socket.cgroup.get_or_insert_with(|| stand_in(&place.path));
            let known = CgroupUnit { unit: place.unit.clone(), used_at: now, from_holder: true };
            let is_new = !self.known.contains_key(&id.get());
            if is_new && self.known.len() >= KNOWN_MAX {
                continue;
            }
            self.learned |= is_new;
            let known = self.known.entry(id.get()).or_insert(known);
            known.used_at = known.used_at.max(now);
            if known.from_holder && known.unit != place.unit && known.unit.is_some() {
                known.unit = None;
                self.learned = true;
            }
        }
    }

    fn cgroup_of(&self, pid: u32, owners: &Owners) -> Option<u64> {
        let mut content = Vec::new();
        owners.process_dir(pid).and_then(|directory| directory.read(c"cgroup", &mut content)).ok()?;
        let path = path_in_v2(&content)?;
        let stat = statat(self.root.as_ref()?, path, rustix::fs::AtFlags::empty());
        stat.ok().map(|stat| stat.st_ino)
    }

    /// Collects the cgroups that are not known.
    fn note_used(&mut self, sockets: &[Socket], now: Timestamp) {
        self.wanted.clear();
        let mut before = None;
        for id in sockets.iter().filter_map(|socket| socket.cgroup.map(NonZeroU64::get)) {
            // Neighbours in the kernel's tables often have the same.
            if before.replace(id) == Some(id) {
                continue;
            }
            match self.known.get_mut(&id) {
                Some(known) => known.used_at = known.used_at.max(now),
                None => self.wanted.push(id),
            }
        }
        self.wanted.sort_unstable();
        self.wanted.dedup();
    }

    /// Forgets what has not been used for long; whether that was anything.
    fn tidy(&mut self, now: Timestamp) -> bool {
        self.tidied_at = now;
        let before = self.known.len();
        self.known.retain(|_, known| now.since(known.used_at) < UNUSED_MAX);
        self.unresolved.forget_unwanted(now.before(UNUSED_MAX));
        self.processes.retain(|_, (_, read_at)| now.since(*read_at) < VALID_FOR);
        self.holders.retain(|_, (_, read_at)| now.since(*read_at) < VALID_FOR);
        self.known.len() < before
    }

    /// Looks through the directories until all of `wanted` are found; a directory that vanishes meanwhile is none.
    fn walk(&self, wanted: &FxHashSet<u64>) -> Vec<(u64, Option<DisplayText>)> {
        let mut found = Vec::new();
        let Some(root) = &self.root else { return found };
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut queue = std::collections::VecDeque::from([b".".to_vec()]);
        let mut looked_at = 0;
        while let Some(path) = queue.pop_front() {
            looked_at += 1;
            if found.len() == wanted.len() || looked_at > DIRECTORIES_MAX {
                break;
            }
            let Ok(directory) = openat(root, path.as_slice(), DIRECTORY, Mode::empty()) else { continue };
            let mut entries = RawDir::new(&directory, &mut buffer);
            while let Some(Ok(entry)) = entries.next() {
                let name = entry.file_name().to_bytes();
                if entry.file_type() != FileType::Directory || name == b"." || name == b".." {
                    continue;
                }
                let inner = [path.as_slice(), b"/", name].concat();
                if wanted.contains(&entry.ino()) {
                    found.push((entry.ino(), unit_text(&inner)));
                }
                queue.push_back(inner);
            }
        }
        found
    }
}

/// Mounts cgroup v2 in no place: the mount is gone with the descriptor. That takes Linux 5.2 and `CAP_SYS_ADMIN`. Not where
/// the kernel shows no cgroup v2: the mount would make it visible to everybody.
fn mount() -> Option<OwnedFd> {
    let own = std::fs::read("/proc/self/cgroup").ok()?;
    path_in_v2(&own)?;
    let context = fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC).ok()?;
    fsconfig_create(&context).ok()?;
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY).ok()?;
    openat(&mount, c".", DIRECTORY, Mode::empty()).ok()
}

/// Where process `pid` is, by its `/proc/PID/cgroup`; `None` if that cannot be read.
fn place_of(pid: u32, owners: &Owners) -> Option<ProcessCgroup> {
    let mut content = Vec::new();
    owners.process_dir(pid).and_then(|directory| directory.read(c"cgroup", &mut content)).ok()?;
    let path = path_of(&content)?.to_vec();
    let unit = unit_text(&path);
    Some(ProcessCgroup { path, unit })
}

/// The path in `/proc/PID/cgroup` (cgroups(7)) that says the unit: that of v2, else that of systemd's own hierarchy of v1,
/// else that of a controller; one that is at the root only if all are.
fn path_of(content: &[u8]) -> Option<&[u8]> {
    let mut paths: Vec<(bool, bool, &[u8])> = Vec::new();
    for line in content.split(|byte| *byte == b'\n') {
        let mut fields = line.splitn(3, |byte| *byte == b':');
        let (Some(hierarchy), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        paths.push((hierarchy != b"0", controllers != b"name=systemd", path));
    }
    paths.sort_by_key(|(is_v1, is_not_systemd, _)| (*is_v1, *is_not_systemd));
    let in_one = paths.iter().find(|(_, _, path)| *path != b"/");
    in_one.or(paths.first()).map(|(_, _, path)| *path)
}

/// A number for a path of which no number is known, the same each time.
fn stand_in(path: &[u8]) -> NonZeroU64 {
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(path);
    NonZeroU64::MIN | NO_CGROUP | hasher.finish()
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn directory(path: &str) -> Result<OwnedFd, Errno> {
    openat(CWD, path, DIRECTORY, Mode::empty())
}

/// The unit of the cgroup at `path`, written `./…` from the root.
fn unit_text(path: &[u8]) -> Option<DisplayText> {
    let path = path.strip_prefix(b".").unwrap_or(path);
    let unit = name::unit_of(&String::from_utf8_lossy(path))?;
    Some(DisplayText::from_bytes(unit.as_bytes(), UNIT_LEN_MAX))
}

/// The path in `/proc/PID/cgroup`'s line of cgroup v2, `0::/…` (cgroups(7)), from the root on.
fn path_in_v2(content: &[u8]) -> Option<&[u8]> {
    let path = content.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"0::/"))?;
    Some(if path.is_empty() { b"." } else { path })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::model::testing::{process, tcp};

    /// A tree of directories in the place of cgroups: what counts is names and inodes.
    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a directory"))
        }

        fn make(&self, path: &str) -> u64 {
            let path = self.0.path().join(path);
            fs::create_dir_all(&path).expect("ours");
            rustix::fs::stat(&path).expect("just made").st_ino
        }

        fn units(&self) -> Units {
            Units::over(Some(directory(self.0.path().to_str().expect("plain")).expect("ours")))
        }
    }

    fn socket(cgroup: u64) -> Socket {
        tcp(cgroup).with(|socket| socket.cgroup = NonZeroU64::new(cgroup)).build()
    }

    fn at(seconds: u64) -> Timestamp {
        clock::now().0.after(Duration::from_secs(seconds))
    }

    #[test]
    fn a_cgroup_is_found_by_its_inode_and_kept_while_its_sockets_linger() {
        let tree = Tree::new();
        let nginx = tree.make("system.slice/nginx.service");
        let odd = tree.make("system.slice/a\u{1b}[2Jb.service");
        let mut units = tree.units();
        assert!(units.update(&[socket(nginx), socket(odd)], at(0)));
        assert_eq!(units.names()[&nginx].as_str(), "nginx.service");
        assert_eq!(units.names()[&odd].as_str(), "a␛[2Jb.service");
        fs::remove_dir(tree.0.path().join("system.slice/nginx.service")).expect("empty");
        assert!(!units.update(&[], at(200)));
        assert!(units.names().contains_key(&nginx));
        assert!(units.update(&[socket(odd)], at(400)), "forgotten after five minutes");
        assert!(!units.names().contains_key(&nginx) && units.names().contains_key(&odd));
    }

    #[test]
    fn what_is_not_found_is_sought_ever_less_often_until_it_is_there() {
        let tree = Tree::new();
        let mut units = tree.units();
        let now = at(0);
        assert!(!units.update(&[socket(u64::MAX)], now));
        let walked = units.walk_after;
        units.walk_after = Timestamp(0);
        assert!(!units.update(&[socket(u64::MAX)], now) && units.walk_after == Timestamp(0), "backing off: not sought");
        assert!(!units.update(&[socket(u64::MAX)], now.after(RETRY_FIRST)));
        assert!(walked > Timestamp(0) && units.walk_after > Timestamp(0), "sought again");

        units.walk_after = Timestamp(0);
        let late = tree.make("late.service");
        assert!(units.update(&[socket(late)], now.after(RETRY_FIRST)), "another one is sought at once");
        assert_eq!(units.names()[&late].as_str(), "late.service");
    }

    #[test]
    fn the_root_is_no_unit_and_no_reason_to_walk() {
        let tree = Tree::new();
        let root = rustix::fs::stat(tree.0.path()).expect("there").st_ino;
        let mut units = tree.units();
        assert!(!units.update(&[socket(root)], at(0)));
        assert!(units.names().is_empty() && units.unresolved.is_empty() && units.walk_after == Timestamp(0));
        assert!(!units.update(&[], at(100_000)));
        assert!(!units.update(&[socket(root)], at(100_000)) && units.unresolved.is_empty());
    }

    #[test]
    fn without_cgroup_v2_nothing_is_known_but_what_holders_say() {
        let mut units = Units::over(None);
        assert!(!units.update(&[socket(5)], at(0)) && units.names().is_empty());
        assert_eq!(units.lost(), Some(NOT_MOUNTED));

        let owners = Owners::open();
        let me = process(std::process::id(), "me");
        let held = |cookie: u64, cgroup: u64| {
            let socket = tcp(cookie).held_by(std::slice::from_ref(&me));
            socket.with(|socket| socket.cgroup = NonZeroU64::new(cgroup)).build()
        };
        let mut sockets = [held(1, 5), held(2, 0)];
        units.complete(&mut sockets, &owners, at(0));
        units.update(&sockets, at(0));
        let place = place_of(std::process::id(), &owners).expect("own");
        assert_eq!(units.names().get(&5), place.unit.as_ref());
        assert_eq!(sockets[0].cgroup, NonZeroU64::new(5));
        let stands_in = sockets[1].cgroup.expect("a number stands in");
        assert!(stands_in.get() >= NO_CGROUP && units.names().get(&stands_in.get()) == place.unit.as_ref());
        assert_eq!(units.lost(), None);

        // A process that has moved since it made the socket.
        let other = ProcessCgroup { path: b"/other.service".to_vec(), unit: Some("other.service".into()) };
        for (id, unit) in [(6, "a.service"), (7, "other.service")] {
            units.known.insert(id, CgroupUnit { unit: Some(unit.into()), used_at: at(0), from_holder: true });
        }
        units.holders.insert(me.id, (Some(other), at(0)));
        units.complete(&mut [held(3, 6), held(4, 7)], &owners, at(0));
        assert!(units.update(&[], at(0)) && !units.names().contains_key(&6), "holders disagree");
        assert_eq!(units.names()[&7].as_str(), "other.service");
    }

    #[test]
    fn the_path_of_a_process_is_that_of_v2_else_of_v1() {
        let path =
            |content: &'static str| path_of(content.as_bytes()).map(|path| std::str::from_utf8(path).expect("text"));
        assert_eq!(path("0::/system.slice/a.service\n"), Some("/system.slice/a.service"));
        assert_eq!(path("5:memory:/docker/x\n1:name=systemd:/b.service\n0::/\n"), Some("/b.service"));
        assert_eq!(path("5:memory:/docker/x\n1:name=systemd:/\n0::/\n"), Some("/docker/x"));
        assert_eq!(path("5:cpu,cpuacct:/a:b\n"), Some("/a:b"), "paths have colons");
        assert_eq!(path("0::/\n"), Some("/"));
        assert_eq!(path("0::/../../c.scope\n"), Some("/../../c.scope"), "seen from a cgroup namespace");
        assert_eq!((path(""), path("nonsense")), (None, None));
    }

    #[test]
    fn cgroups_can_be_read_where_they_are_not_mounted() {
        // Not allowed to everybody; where it is, it is the same tree.
        let (Some(root), Some(mounted)) = (mount(), Units::open().root) else {
            crate::skip::skip("this user may not mount cgroup v2, or it is mounted nowhere else");
            return;
        };
        assert!(fstatfs(&root).is_ok_and(|system| system.f_type == CGROUP2));
        assert_eq!(fstat(&root).expect("open").st_ino, fstat(&mounted).expect("open").st_ino);
    }

    #[test]
    fn the_line_of_v2_is_taken_from_a_processs_cgroups() {
        assert_eq!(
            path_in_v2(b"9:name=systemd:/x\n0::/system.slice/a.service\n"),
            Some(&b"system.slice/a.service"[..])
        );
        assert_eq!(path_in_v2(b"0::/\n"), Some(&b"."[..]));
        assert_eq!(path_in_v2(b"9:cpu:/0::/\n"), None);
    }

    #[test]
    fn a_socket_without_a_cgroup_takes_that_of_its_process() {
        let mut units = Units::open();
        let owners = Owners::open();
        let me = process(std::process::id(), "me");
        let own = units.cgroup_of(me.id.pid, &owners);
        let mut sockets = [tcp(1).held_by(&[me]).build(), tcp(2).build()];
        units.complete(&mut sockets, &owners, at(0));
        assert_eq!(sockets.map(|socket| socket.cgroup), [own.and_then(NonZeroU64::new), None]);
        assert_eq!(own.is_some(), units.root.is_some());
    }
}
