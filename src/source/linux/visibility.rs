//! Whether `/proc` shows every process: `hidepid` mounts and pid namespaces keep some out of the listing, so that a
//! socket without a holder is not nobody's.

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};

use crate::source::linux::proc_dir::{number, read_to_end};

/// `PROC_PID_INIT_INO` (`include/linux/proc_ns.h`): the inode of the first pid namespace.
const PID_NAMESPACE_INIT: u64 = 0xEFFF_FFFC;
/// `CAP_SYS_PTRACE` (`include/uapi/linux/capability.h`): who has it sees through hidepid.
const CAP_SYS_PTRACE: u32 = 19;
/// A machine with thousands of mounts has a long table of them.
const MOUNTS_LEN_MAX: usize = 1 << 20;

/// What keeps processes out of `/proc`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visibility {
    /// `/proc` is mounted with `hidepid`, and this user is subject to it.
    pub hidepid: bool,
    /// conntop runs in a pid namespace: processes outside it have no pid here.
    pub pid_namespace: bool,
}

impl Visibility {
    /// Looks at the mount of `/proc` and at what this process may do.
    pub fn look() -> Self {
        let mounts = read(c"/proc/self/mountinfo").unwrap_or_default();
        let status = read(c"/proc/self/status").unwrap_or_default();
        let hidden_from_all_but = hidepid(&mounts);
        let exempt = has_capability(&status, CAP_SYS_PTRACE);
        let hidepid = hidden_from_all_but.is_some_and(|group| !exempt && !is_member(group));
        let namespace = statat(CWD, c"/proc/self/ns/pid", AtFlags::empty());
        let pid_namespace = namespace.is_ok_and(|stat| stat.st_ino != PID_NAMESPACE_INIT);
        Self { hidepid, pid_namespace }
    }

    /// Whether processes may exist that `/proc` does not list.
    pub const fn is_limited(self) -> bool {
        self.hidepid || self.pid_namespace
    }

    /// Why owners are missing, and what to do: one sentence each.
    pub fn reasons(self) -> impl Iterator<Item = &'static str> {
        let hidepid = "/proc is mounted with hidepid, so processes of other users are invisible; run conntop as root \
                       or in the group that the mount option gid= names";
        let namespace = "conntop runs in a pid namespace (a container) and cannot see processes outside it; run it on \
                         the host to see whose their sockets are";
        [self.hidepid.then_some(hidepid), self.pid_namespace.then_some(namespace)].into_iter().flatten()
    }
}

/// The group that `/proc`'s `hidepid` does not bind (0 unless `gid=` says otherwise); `None` without `hidepid`.
fn hidepid(mountinfo: &[u8]) -> Option<u32> {
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
    let hides =
        options.any(|option| option.strip_prefix(b"hidepid=").is_some_and(|value| value != b"0" && value != b"off"));
    hides.then_some(group)
}

fn has_capability(status: &[u8], capability: u32) -> bool {
    let effective = status.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"CapEff:"));
    let mask = effective.and_then(|mask| u64::from_str_radix(std::str::from_utf8(mask).ok()?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> capability & 1 == 1)
}

fn is_member(group: u32) -> bool {
    let groups = rustix::process::getgroups().unwrap_or_default();
    rustix::process::getgid().as_raw() == group || groups.iter().any(|member| member.as_raw() == group)
}

fn read(path: &std::ffi::CStr) -> Option<Vec<u8>> {
    let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut content = Vec::new();
    read_to_end(&file, MOUNTS_LEN_MAX, &mut content).ok()?;
    Some(content)
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
        assert_eq!(hidepid(&[plain, hiding].concat()), Some(27));
        assert_eq!(hidepid(&[hiding, plain].concat()), None);
        assert_eq!(hidepid(b"22 28 0:21 / /proc rw - proc proc rw,hidepid=0"), None);
        assert_eq!(hidepid(b"22 28 0:21 / /proc rw - proc proc rw,hidepid=2"), Some(0));
        assert_eq!(hidepid(b"nonsense\n\n- -"), None);
    }

    #[test]
    fn capabilities_are_bits_of_a_hexadecimal_mask() {
        assert!(has_capability(b"CapPrm:\t0\nCapEff:\t0000000000080000\n", CAP_SYS_PTRACE));
        assert!(!has_capability(b"CapEff:\t0000000000040000\n", CAP_SYS_PTRACE));
        assert!(!has_capability(b"CapEff:\tzzz\n", CAP_SYS_PTRACE));
    }
}
