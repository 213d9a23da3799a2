//! The counters of the protocols, all of them, for `netstat -s`: `/proc/net/{snmp,netstat,snmp6}`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use rustix::io::Errno;

use crate::model::interface::ProtocolCounter;
use crate::model::text::{DisplayText, NAME_LEN_MAX};
use crate::source::linux::proc_tables;

/// The most counters that are kept; Linux 6.18 has about 450.
const COUNTERS_MAX: usize = 4096;

/// The counters of the network namespace of this thread, in the kernel's order, IPv4 first. A system without IPv6 has no
/// `snmp6`.
pub fn read() -> Result<Vec<ProtocolCounter>, Errno> {
    let (mut counters, mut content) = (Vec::new(), Vec::new());
    for name in ["snmp", "netstat"] {
        proc_tables::read(name, &mut content)?;
        proc_tables::pairs(&content, |group, name, value| add(&mut counters, group, name, value));
    }
    match proc_tables::read("snmp6", &mut content) {
        Ok(()) => drop(proc_tables::lines(&content, |group, name, value| add(&mut counters, group, name, value))),
        Err(Errno::NOENT) => {}
        Err(error) => return Err(error),
    }
    Ok(counters)
}

fn add(counters: &mut Vec<ProtocolCounter>, group: &[u8], name: &[u8], value: i64) {
    if counters.len() >= COUNTERS_MAX {
        return;
    }
    // A group's name is shared by its counters.
    let group = match counters.last() {
        Some(last) if last.group.as_str().as_bytes() == group => last.group.clone(),
        _ => DisplayText::from_bytes(group, NAME_LEN_MAX),
    };
    counters.push(ProtocolCounter { group, name: DisplayText::from_bytes(name, NAME_LEN_MAX), value });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_has_the_counters_that_every_linux_has() {
        let counters = read().expect("/proc/net");
        for (group, name) in
            [("Ip", "InReceives"), ("Tcp", "RetransSegs"), ("TcpExt", "ListenDrops"), ("Udp", "NoPorts")]
        {
            let found =
                counters.iter().find(|counter| counter.group.as_str() == group && counter.name.as_str() == name);
            assert!(found.is_some_and(|counter| counter.value >= 0), "{group} {name}");
        }
    }

    #[test]
    fn a_flood_of_counters_ends() {
        let mut counters = Vec::new();
        (0..10_000).for_each(|value| add(&mut counters, b"Tcp", b"\x1b[2J", value));
        assert_eq!(counters.len(), COUNTERS_MAX);
        assert!(!counters[0].name.as_str().contains('\u{1b}'));
    }
}
