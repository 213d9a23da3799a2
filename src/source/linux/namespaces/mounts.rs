//! Network namespaces that are kept by a mount: `ip netns`, container engines and CNI plugins mount the file of a
//! namespace (nsfs) under a name, with or without processes in it.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::source::linux::decimal::natural;
use crate::source::linux::proc_dir::read_to_end;

/// A machine with thousands of mounts has a long table of them.
const MOUNTS_LEN_MAX: usize = 4 << 20;

/// The path of a mounted namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount(pub Vec<u8>);

impl Mount {
    /// The last part of the path: the name that `ip netns` shows.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|byte| *byte == b'/').next().unwrap_or(&self.0)
    }
}

/// The mounted network namespaces, by inode.
pub fn read() -> Vec<(u64, Mount)> {
    let mut content = Vec::new();
    let file = openat(CWD, c"/proc/thread-self/mountinfo", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    // Without the table, namespaces are found by their processes alone.
    if file.is_ok_and(|file| read_to_end(&file, MOUNTS_LEN_MAX, &mut content).is_ok()) {
        parse(&content)
    } else {
        Vec::new()
    }
}

/// The lines of `mountinfo` (`proc_pid_mountinfo`(5)) whose root is `net:[INODE]`.
fn parse(mountinfo: &[u8]) -> Vec<(u64, Mount)> {
    let line = |line: &[u8]| {
        let mut words = line.split(|byte| *byte == b' ');
        let inode = words.nth(3)?.strip_prefix(b"net:[")?.strip_suffix(b"]")?;
        Some((natural(inode)?, Mount(unescape(words.next()?))))
    };
    mountinfo.split(|byte| *byte == b'\n').filter_map(line).collect()
}

/// Blank, tab, newline and backslash stand in the table as `\` and three octal digits.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((byte, after)) = rest.split_first() {
        let octal = after.split_first_chunk::<3>().filter(|_| *byte == b'\\').and_then(|(digits, after)| {
            let digits = std::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 8).ok()?, after))
        });
        let (byte, after) = octal.unwrap_or((*byte, after));
        plain.push(byte);
        rest = after;
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn namespaces_are_the_lines_with_a_net_root() {
        let table = b"28 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            200 26 0:4 net:[4026532281] /run/netns/blue rw shared:9 - nsfs nsfs rw\n\
            201 26 0:4 net:[4026532290] /run/docker/netns/a\\040b rw - nsfs nsfs rw\n\
            202 26 0:4 mnt:[4026532300] /run/snapd/ns/x.mnt rw - nsfs nsfs rw\n";
        let found = parse(table);
        assert_eq!(found.iter().map(|(inode, _)| *inode).collect::<Vec<_>>(), [4_026_532_281, 4_026_532_290]);
        assert_eq!(found.iter().map(|(_, mount)| mount.name()).collect::<Vec<_>>(), [&b"blue"[..], b"a b"]);
    }

    #[test]
    fn only_three_octal_digits_are_an_escape() {
        assert_eq!(unescape(b"a\\134b\\09\\999\\4"), b"a\\b\\09\\999\\4");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(table: Vec<u8>, word: Vec<u8>) {
            let _ = parse(&table);
            prop_assert!(unescape(&word).len() <= word.len());
        }
    }
}
