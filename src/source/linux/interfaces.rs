//! What the network interfaces counted: `/proc/net/dev`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use rustix::io::Errno;

use crate::model::interface::{Interface, Received, Sent};
use crate::model::text::{DisplayText, NAME_LEN_MAX};
use crate::source::linux::decimal::natural;
use crate::source::linux::proc_tables::{self, words};

/// The lines above the first interface.
const HEADING_LINES: usize = 2;
/// The most interfaces that are kept.
const INTERFACES_MAX: usize = 16_384;

/// The interfaces of the network namespace of this thread, in the kernel's order, and how many lines made no sense.
pub fn read() -> Result<(Vec<Interface>, u32), Errno> {
    let mut content = Vec::new();
    proc_tables::read("dev", &mut content)?;
    Ok(parse(&content))
}

/// The interfaces in a table, and how many of its lines made no sense.
pub fn parse(content: &[u8]) -> (Vec<Interface>, u32) {
    let (mut interfaces, mut skipped) = (Vec::new(), 0u32);
    let lines = content.split(|byte| *byte == b'\n').skip(HEADING_LINES).filter(|line| !line.is_empty());
    for line in lines.take(INTERFACES_MAX) {
        match parse_line(line) {
            Some(interface) => interfaces.push(interface),
            None => skipped = skipped.saturating_add(1),
        }
    }
    (interfaces, skipped)
}

/// Reads one line (`dev_seq_printf_stats`, `net/core/net-procfs.c`): `  eth0:  bytes packets errs drop fifo frame
/// compressed multicast  bytes packets errs drop fifo colls carrier compressed`.
pub fn parse_line(line: &[u8]) -> Option<Interface> {
    let (name, numbers) = line.split_at_checked(line.iter().rposition(|byte| *byte == b':')?)?;
    let name = name.trim_ascii();
    let mut numbers = words(numbers.strip_prefix(b":")?).map(natural);
    let mut next = || numbers.next().flatten();
    let received = Received {
        bytes: next()?,
        packets: next()?,
        errors: next()?,
        dropped: next()?,
        overruns: next()?,
        frame: next()?,
        compressed: next()?,
        multicast: next()?,
    };
    let sent = Sent {
        bytes: next()?,
        packets: next()?,
        errors: next()?,
        dropped: next()?,
        overruns: next()?,
        collisions: next()?,
        carrier: next()?,
        compressed: next()?,
    };
    (!name.is_empty()).then(|| Interface { name: DisplayText::from_bytes(name, NAME_LEN_MAX), received, sent })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &[u8] = b"Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 107725069 1970527    0    0    0     0          0         0 107725069 1970527    0    0    0     0       0          0
  eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
";

    #[test]
    fn both_halves_of_a_line_are_read() {
        let (interfaces, skipped) = parse(TABLE);
        assert_eq!((interfaces.len(), skipped), (2, 0));
        assert_eq!((interfaces[0].name.as_str(), interfaces[0].received.bytes), ("lo", 107_725_069));
        let Received { bytes, packets, errors, dropped, overruns, frame, compressed, multicast } =
            interfaces[1].received;
        assert_eq!([bytes, packets, errors, dropped, overruns, frame, compressed, multicast], [1, 2, 3, 4, 5, 6, 7, 8]);
        let Sent { bytes, packets, errors, dropped, overruns, collisions, carrier, compressed } = interfaces[1].sent;
        assert_eq!(
            [bytes, packets, errors, dropped, overruns, collisions, carrier, compressed],
            [9, 10, 11, 12, 13, 14, 15, 16]
        );
    }

    #[test]
    fn a_line_that_is_cut_is_counted() {
        let (interfaces, skipped) = parse(&TABLE[..TABLE.len() - 4]);
        assert_eq!((interfaces.len(), skipped), (1, 1));
    }

    #[test]
    fn loopback_is_an_interface_of_this_machine() {
        let (interfaces, skipped) = read().expect("/proc/net/dev");
        assert!(interfaces.iter().any(|interface| interface.name.as_str() == "lo"));
        assert_eq!(skipped, 0);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            let lines = content.split(|byte| *byte == b'\n').count();
            let (interfaces, skipped) = parse(&content);
            prop_assert!(interfaces.len() + skipped as usize <= lines);
        }

        #[test]
        fn a_flipped_or_cut_line_is_survived(at in 0..TABLE.len(), byte: u8, cut in 0..TABLE.len()) {
            let mut table = TABLE.to_vec();
            table[at] = byte;
            table.truncate(cut);
            parse(&table);
        }
    }
}
