//! The kernel's tables of named numbers: `/proc/net/{snmp,netstat}` (a row of names, then a row of values),
//! `/proc/net/snmp6` (a name and a value a line) and `/proc/net/sockstat` (names and values in turn). Nothing is allocated;
//! any bytes are survived.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::os::fd::OwnedFd;
use std::str::FromStr;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, pread};

use crate::source::linux::decimal::integer;
use crate::source::linux::proc_dir::read_to_end;

/// The longest table read; today's have 5 KiB.
const TABLE_LEN_MAX: usize = 256 * 1024;

/// Reads `/proc/net/NAME` of the network namespace of this thread into `content` (cleared first).
pub fn read(name: &str, content: &mut Vec<u8>) -> Result<(), Errno> {
    // Not /proc/net, which is the main thread's namespace.
    let path = format!("/proc/thread-self/net/{name}");
    let file = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    read_to_end(&file, TABLE_LEN_MAX, content)
}

/// What `file`, which stays open, says now, as far as `room` takes it; `None` where it cannot be read. For files that the
/// kernel hands over in one piece (`single_open_net`, `proc_dointvec`), so that one read brings all.
pub fn content<'a>(file: Option<&OwnedFd>, room: &'a mut [u8]) -> Option<&'a [u8]> {
    let read = loop {
        match pread(file?, &mut *room, 0) {
            Err(Errno::INTR) => {}
            read => break read.ok()?,
        }
    };
    room.get(..read)
}

/// The number behind `name` in the line that begins with `group`, as in `TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 1`
/// (`sockstat_seq_show`, net/ipv4/proc.c).
pub fn value_in_line<T: FromStr>(content: &[u8], group: &[u8], name: &[u8]) -> Option<T> {
    let line = content.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(group))?;
    let mut words = words(line);
    words.find(|word| *word == name)?;
    std::str::from_utf8(words.next()?).ok()?.parse().ok()
}

/// Hands group, name and value of every number in a table of `Group: name name` and `Group: value value` lines to
/// `visit`. Returns how many lines made no sense.
pub fn pairs<'c>(content: &'c [u8], mut visit: impl FnMut(&'c [u8], &'c [u8], i64)) -> u32 {
    let mut lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut skipped = 0u32;
    while let Some(names) = lines.next() {
        let values = lines.next().unwrap_or_default();
        if visit_pair(names, values, &mut visit).is_none() {
            skipped = skipped.saturating_add(2);
        }
    }
    skipped
}

/// One row of names with its row of values; what is there in only one of them is left out (`IcmpMsg` may have none).
fn visit_pair<'c>(names: &'c [u8], values: &'c [u8], visit: &mut impl FnMut(&'c [u8], &'c [u8], i64)) -> Option<()> {
    let (group, names) = split_group(names)?;
    let (group_again, values) = split_group(values)?;
    if group != group_again {
        return None;
    }
    for (name, value) in words(names).zip(words(values)) {
        if let Some(value) = integer(value) {
            visit(group, name, value);
        }
    }
    Some(())
}

fn split_group(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (group, rest) = line.split_at_checked(line.iter().position(|byte| *byte == b':')?)?;
    Some((group, rest.strip_prefix(b":")?)).filter(|(group, _)| !group.is_empty())
}

/// Hands group, name and value of every line `GroupName value` of `/proc/net/snmp6` to `visit`; the group ends at the
/// first 6 (`Ip6InReceives` is `InReceives` of `Ip6`). Returns how many lines made no sense.
pub fn lines<'c>(content: &'c [u8], mut visit: impl FnMut(&'c [u8], &'c [u8], i64)) -> u32 {
    let mut skipped = 0u32;
    for line in content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let mut parts = words(line);
        let name = parts.next().and_then(|name| {
            let end = name.iter().position(|byte| *byte == b'6')?.checked_add(1)?;
            name.split_at_checked(end).filter(|(_, name)| !name.is_empty())
        });
        match (name, parts.next().and_then(integer)) {
            (Some((group, name)), Some(value)) => visit(group, name, value),
            _ => skipped = skipped.saturating_add(1),
        }
    }
    skipped
}

/// Hands name and number of every cell of a table to `visit` that has one row of names and then a row of hexadecimal
/// numbers for each processor (`/proc/net/stat/nf_conntrack`: `ct_cpu_seq_show`, `net/netfilter/nf_conntrack_standalone.c`).
/// A last row that is cut off is left out.
pub fn hexadecimal_columns<'c>(content: &'c [u8], mut visit: impl FnMut(&'c [u8], i64)) {
    let whole = content.iter().rposition(|byte| *byte == b'\n').and_then(|end| content.get(..end)).unwrap_or_default();
    let mut lines = whole.split(|byte| *byte == b'\n');
    let names = lines.next().unwrap_or_default();
    for values in lines {
        for (name, value) in words(names).zip(words(values)) {
            let value = std::str::from_utf8(value).ok().and_then(|value| i64::from_str_radix(value, 16).ok());
            if let Some(value) = value {
                visit(name, value);
            }
        }
    }
}

/// The words of a line.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type PairRows = Vec<(String, String, i64)>;

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn pairs_of(content: &[u8]) -> (PairRows, u32) {
        let mut found = PairRows::new();
        let skipped = pairs(content, |group, name, value| found.push((text(group), text(name), value)));
        (found, skipped)
    }

    #[test]
    fn columns_of_hexadecimal_numbers_are_told_a_row_a_processor() {
        let mut found = Vec::new();
        let table =
            b"entries  found drop early_drop\n0000000a  00000001 000000ff 00000000\n0000000a  00000000 00000010 x\n\
            0000000a  00000";
        hexadecimal_columns(table, |name, value| found.push((text(name), value)));
        let drops: Vec<_> = found.iter().filter(|(name, _)| name == "drop").map(|(_, value)| *value).collect();
        assert_eq!((drops, found.len()), (vec![255, 16], 7), "{found:?}");
        hexadecimal_columns(b"", |_, _| panic!("nothing is there"));
    }

    fn lines_of(content: &[u8]) -> (PairRows, u32) {
        let mut found = PairRows::new();
        let skipped = lines(content, |group, name, value| found.push((text(group), text(name), value)));
        (found, skipped)
    }

    fn row(group: &str, name: &str, value: i64) -> (String, String, i64) {
        (group.to_owned(), name.to_owned(), value)
    }

    #[test]
    fn names_meet_their_values() {
        let content =
            b"Tcp: RtoMin MaxConn InSegs\nTcp: 200 -1 12\nIcmpMsg: \nIcmpMsg: \nIp: A\nIp: 18446744073709551615\n";
        let expected = vec![
            row("Tcp", "RtoMin", 200),
            row("Tcp", "MaxConn", -1),
            row("Tcp", "InSegs", 12),
            row("Ip", "A", i64::MAX),
        ];
        assert_eq!(pairs_of(content), (expected, 0));
    }

    #[test]
    fn rows_that_do_not_belong_together_are_counted() {
        assert_eq!(pairs_of(b"Tcp: A\nUdp: 1\nIp: B\nIp: 2\n"), (vec![row("Ip", "B", 2)], 2));
        assert_eq!(pairs_of(b"Tcp: A B\nTcp: 1\n"), (vec![row("Tcp", "A", 1)], 0));
        assert_eq!(pairs_of(b"Tcp: A"), (vec![], 2));
        assert_eq!(pairs_of(b"Tcp: A B\nTcp: x 7"), (vec![row("Tcp", "B", 7)], 0));
    }

    #[test]
    fn snmp6_is_cut_behind_the_six() {
        let content =
            b"Ip6InReceives                   \t344\nUdpLite6InErrors 0\nIcmp6OutType135 5\nIp6\t7\nInErrors 3\n";
        let expected =
            vec![row("Ip6", "InReceives", 344), row("UdpLite6", "InErrors", 0), row("Icmp6", "OutType135", 5)];
        assert_eq!(lines_of(content), (expected, 2));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (found, skipped) = pairs_of(&content);
            prop_assert!(found.len() + skipped as usize <= content.len() + 2);
            let (found, skipped) = lines_of(&content);
            prop_assert!(found.len() + skipped as usize <= content.len() + 1);
        }

        #[test]
        fn anything_that_looks_like_a_table_is_survived(content in "([A-Za-z6]{0,6}:?( -?[0-9a-z]{0,22}){0,4}\n?){0,6}") {
            pairs_of(content.as_bytes());
            lines_of(content.as_bytes());
        }

        #[test]
        fn every_number_is_read_as_it_is_written(value: i64) {
            prop_assert_eq!(integer(value.to_string().as_bytes()), Some(value));
        }
    }
}
