//! What keeps processes from being seen, and what to do about it, in words that fit who asks: `hidepid` mounts and pid
//! namespaces keep processes out of `/proc`, missing capabilities keep their descriptors from being read.
//!
//! Where processes are missing from `/proc`, a socket without a holder is not nobody's.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities};

use crate::source::linux::decimal::number;
use crate::source::linux::proc_dir::{read_in_one_piece, read_to_end};
use crate::source::linux::proc_stat::ProcessStat;

/// `PROC_PID_INIT_INO` and `PROC_USER_INIT_INO` (`include/linux/proc_ns.h`): the inodes of the first namespaces.
const PID_NAMESPACE_INIT: u64 = 0xEFFF_FFFC;
const USER_NAMESPACE_INIT: u64 = 0xEFFF_FFFD;
/// A machine with thousands of mounts has a long table of them.
const MOUNTS_LEN_MAX: usize = 1 << 20;
/// `/proc/PID/stat` has some 300 bytes.
const STAT_LEN_MAX: usize = 4_096;

/// What keeps processes out of `/proc`, and who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visibility {
    /// `/proc` is mounted with `hidepid`, and this user is subject to it.
    pub hidepid: bool,
    /// Which processes `/proc` is of.
    pub scope: ProcScope,
    /// Who asks.
    pub credentials: Credentials,
}

/// The processes that a `/proc` can show: those of the pid namespace that it was mounted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcScope {
    /// All of the machine.
    #[default]
    Machine,
    /// Those of the pid namespace that conntop runs in.
    Namespace,
    /// Those of another pid namespace, which conntop is not in.
    OtherNamespace,
    /// That could not be read just now.
    Unknown,
}

/// What this process may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Its effective uid is 0.
    pub is_root: bool,
    /// It has `CAP_SYS_PTRACE`, which reading the descriptors of other users' processes takes (`proc_pid_fd`(5)).
    pub may_ptrace: bool,
    /// It is in a user namespace below the first: its rights end there.
    pub in_user_namespace: bool,
}

impl Credentials {
    fn look() -> Self {
        let effective = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        let namespace = statat(CWD, c"/proc/self/ns/user", AtFlags::empty());
        Self {
            is_root: rustix::process::geteuid().is_root(),
            may_ptrace: effective.contains(CapabilitySet::SYS_PTRACE),
            in_user_namespace: namespace.is_ok_and(|stat| stat.st_ino != USER_NAMESPACE_INIT),
        }
    }

    /// Why `processes` do not let this user look into them, and what helps.
    fn refused(self, processes: u32) -> String {
        let who = if processes == 1 { "1 process".to_owned() } else { format!("{processes} processes") };
        let what = "may not be looked into, so that owners are hidden";
        match self {
            Self { in_user_namespace: true, is_root: true, .. } => format!(
                "{who} {what}: conntop is root of its user namespace only; run it as root outside of that namespace"
            ),
            Self { may_ptrace: true, .. } => format!(
                "{who} {what}, not even with CAP_SYS_PTRACE: a security module or another user namespace forbids it"
            ),
            Self { is_root: true, .. } => format!(
                "{who} {what}: conntop is root without CAP_SYS_PTRACE; give it that capability (docker run --cap-add \
                 SYS_PTRACE)"
            ),
            Self { .. } => format!("{who} of other users {what}; run conntop as root (with CAP_SYS_PTRACE)"),
        }
    }
}

impl Visibility {
    /// Looks at the mount of `/proc` and at what this process may do.
    pub fn look() -> Self {
        let credentials = Credentials::look();
        let (mounts, is_known) = match read_mounts() {
            Ok(mounts) => (mounts, true),
            // Not our /proc, or none.
            Err(error) => (Vec::new(), error == Errno::NOENT),
        };
        let hidepid =
            hidepid(&mounts).is_some_and(|hides| !credentials.may_ptrace && !hides.group.is_some_and(is_member));
        let scope = if is_known { ProcScope::look(hidepid).unwrap_or(ProcScope::Unknown) } else { ProcScope::Unknown };
        Self { hidepid, scope, credentials }
    }

    /// This, or what there is now if it could not be read before.
    #[must_use]
    pub fn made_sure(self) -> Self {
        if self.scope == ProcScope::Unknown { Self::look() } else { self }
    }

    /// Whether processes may exist that `/proc` does not list.
    pub const fn is_limited(self) -> bool {
        self.hidepid || !matches!(self.scope, ProcScope::Machine)
    }

    /// Why owners are hidden, and what to do: one sentence each. `unreadable` processes did not let themselves be looked
    /// into.
    pub fn reasons(self, unreadable: u32) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.hidepid {
            let advice = if self.credentials.is_root {
                "give conntop CAP_SYS_PTRACE (docker run --cap-add SYS_PTRACE)"
            } else {
                "run conntop as root or in the group that the mount option gid= names"
            };
            reasons.push(format!(
                "/proc is mounted with hidepid, so processes of other users are invisible and owners hidden; {advice}"
            ));
        }
        match self.scope {
            ProcScope::Machine => {}
            ProcScope::Unknown => reasons.push("it could not be read which processes /proc shows, so owners may be missing".into()),
            ProcScope::Namespace => reasons.push(
                "conntop runs in a pid namespace (a container) and cannot see processes outside it, which may be owners \
                 of sockets here; run it on the host to see whose their sockets are"
                    .to_owned(),
            ),
            ProcScope::OtherNamespace => reasons.push(
                "/proc is that of another pid namespace (a container's) and does not show the processes outside it, \
                 which may be owners of sockets here; run conntop where /proc is that of the host"
                    .to_owned(),
            ),
        }
        if unreadable > 0 && !self.hidepid {
            reasons.push(self.credentials.refused(unreadable));
        }
        reasons
    }
}

/// Whether this error of a search means that there is no `/proc`.
pub const fn is_no_proc(error: Errno) -> bool {
    matches!(error, Errno::NODEV | Errno::NOENT)
}

/// What is said where owners are looked at again in turn only.
pub const COUNTS_NOT_REPORTED: &str = "before Linux 6.2 the kernel does not tell which processes have opened or closed sockets: an \
                                 owner that changes is shown some 5 s late, later where very many sockets are open";

/// What it means for owners that processes could not be looked through, and what to do.
pub fn failure(error: Errno) -> String {
    match error {
        error if is_no_proc(error) => {
            "/proc is not mounted here, or shows no processes, so that no owner is known; mount \
                                        it with 'mount -t proc proc /proc'"
                .to_owned()
        }
        Errno::MFILE | Errno::NFILE => format!(
            "processes could not be looked through ({error}), so that owners are missing; raise the limit of open files \
             (ulimit -n)"
        ),
        error => {
            format!("processes could not be looked through ({error}), so that owners may be missing; trying again")
        }
    }
}

impl ProcScope {
    fn look(hidepid: bool) -> Result<Self, Errno> {
        let stat = stat_of(c"/proc/self/stat")?;
        let pid = number(stat.split(|byte| *byte == b' ').next().unwrap_or_default());
        let is_own = pid == Some(std::process::id());
        // Threads of the kernel are in the first pid namespace alone, where pid 2 is the parent of all others.
        let kthreadd = stat_of(c"/proc/2/stat")?;
        let has_kernel_threads = ProcessStat::parse(&kthreadd).is_some_and(|stat| stat.is_kernel_thread());
        let namespace = statat(CWD, c"/proc/self/ns/pid", AtFlags::empty());
        let in_first = is_own && namespace.is_ok_and(|stat| stat.st_ino == PID_NAMESPACE_INIT);
        Ok(match (has_kernel_threads, is_own) {
            (true, _) => Self::Machine,
            (false, true) if hidepid && in_first => Self::Machine,
            (false, true) => Self::Namespace,
            (false, false) => Self::OtherNamespace,
        })
    }
}

/// The content of a `stat` file; empty if there is no such process, or it may not be read.
fn stat_of(path: &std::ffi::CStr) -> Result<Vec<u8>, Errno> {
    let mut content = Vec::new();
    match open(path).and_then(|file| read_in_one_piece(&file, STAT_LEN_MAX, &mut content)) {
        Err(Errno::NOENT | Errno::SRCH | Errno::ACCESS | Errno::PERM) => Ok(Vec::new()),
        read => read.map(|()| content),
    }
}

/// What a `/proc` that is mounted with `hidepid` hides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct HidepidMount {
    /// The group that it does not bind (0 unless `gid=` says otherwise); none for `hidepid=ptraceable`, which asks for
    /// the rights of ptrace(2) alone (`has_pid_permissions`, fs/proc/base.c).
    group: Option<u32>,
}

/// What `/proc` hides; `None` without `hidepid`.
fn hidepid(mountinfo: &[u8]) -> Option<HidepidMount> {
    // Of several mounts on one place the last is on top (proc_pid_mountinfo(5)).
    let options = mountinfo.split(|byte| *byte == b'\n').rev().find_map(|line| {
        let mut words = line.split(|byte| *byte == b' ');
        let at_proc = words.nth(4) == Some(b"/proc");
        // Behind the separator "-": file system, source, options.
        words.find(|word| *word == b"-")?;
        let file_system = words.next();
        (at_proc && file_system == Some(b"proc")).then(|| words.nth(1)).flatten()
    })?;
    let mut options = options.split(|byte| *byte == b',');
    let option = |label: &'static [u8]| options.clone().find_map(move |option| option.strip_prefix(label));
    let group = option(b"gid=").and_then(number).unwrap_or(0);
    match options.find_map(|option| option.strip_prefix(b"hidepid="))? {
        b"0" | b"off" => None,
        b"4" | b"ptraceable" => Some(HidepidMount { group: None }),
        _ => Some(HidepidMount { group: Some(group) }),
    }
}

fn is_member(group: u32) -> bool {
    let groups = rustix::process::getgroups().unwrap_or_default();
    rustix::process::getgid().as_raw() == group || groups.iter().any(|member| member.as_raw() == group)
}

fn read_mounts() -> Result<Vec<u8>, Errno> {
    let mut content = Vec::new();
    read_to_end(&open(c"/proc/self/mountinfo")?, MOUNTS_LEN_MAX, &mut content)?;
    Ok(content)
}

fn open(path: &std::ffi::CStr) -> Result<OwnedFd, Errno> {
    openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidepid_is_read_from_the_topmost_mount_of_proc() {
        let plain = b"22 28 0:21 / /proc rw,relatime shared:5 - proc proc rw\n".as_slice();
        let other = b"23 28 0:22 / /jail/proc rw - proc proc rw,hidepid=2\n".as_slice();
        let hiding = b"90 22 0:60 / /proc rw,nosuid - proc proc rw,gid=27,hidepid=invisible\n".as_slice();
        assert_eq!(hidepid(plain), None);
        assert_eq!(hidepid(&[plain, other].concat()), None);
        assert_eq!(hidepid(&[plain, hiding].concat()), Some(HidepidMount { group: Some(27) }));
        assert_eq!(hidepid(&[hiding, plain].concat()), None);
        assert_eq!(hidepid(b"22 28 0:21 / /proc rw - proc proc rw,hidepid=0"), None);
        assert_eq!(hidepid(b"22 28 0:21 / /proc rw - proc proc rw,hidepid=2"), Some(HidepidMount { group: Some(0) }));
        let ptraceable = b"22 28 0:21 / /proc rw - proc proc rw,hidepid=ptraceable";
        assert_eq!(hidepid(ptraceable), Some(HidepidMount { group: None }), "no group is exempt");
        assert_eq!(hidepid(b"nonsense\n\n- -"), None);
    }

    #[test]
    fn advice_fits_who_asks() {
        let user = Credentials::default();
        let root = Credentials { is_root: true, ..user };
        let whole = Credentials { may_ptrace: true, ..root };
        assert!(user.refused(3).contains("3 processes of other users") && user.refused(3).contains("as root"));
        assert!(root.refused(1).starts_with("1 process may not") && root.refused(1).contains("--cap-add SYS_PTRACE"));
        for credentials in [root, whole] {
            assert!(!credentials.refused(2).contains("run conntop as root"), "root is not told to become root");
        }
        assert!(whole.refused(2).contains("security module"));
        let inside = Credentials { in_user_namespace: true, ..whole };
        assert!(inside.refused(2).contains("root of its user namespace only"));

        let hiding = Visibility { hidepid: true, credentials: user, ..Visibility::default() };
        assert!(hiding.is_limited() && hiding.reasons(0)[0].contains("run conntop as root or in the group"));
        let hiding = Visibility { credentials: root, ..hiding };
        assert!(hiding.reasons(9).len() == 1 && hiding.reasons(9)[0].contains("CAP_SYS_PTRACE"));
        assert!(!Visibility::default().is_limited() && Visibility::default().reasons(0).is_empty());
        for (scope, words) in
            [(ProcScope::Namespace, "run it on the host"), (ProcScope::OtherNamespace, "that of the host")]
        {
            let visibility = Visibility { scope, credentials: whole, ..Visibility::default() };
            assert!(visibility.is_limited() && visibility.reasons(0)[0].contains(words));
        }
    }

    #[test]
    fn a_failure_says_what_it_means_and_what_to_do() {
        for (error, words) in
            [(Errno::NODEV, "mount -t proc"), (Errno::MFILE, "ulimit -n"), (Errno::IO, "trying again")]
        {
            assert!(failure(error).contains("owner") && failure(error).contains(words), "{}", failure(error));
        }
    }
}
