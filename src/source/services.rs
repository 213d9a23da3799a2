//! The system's own names of services, `/etc/services` (`services`(5)): they name what the catalogue does not.

use std::path::Path;

use crate::model::endpoint::Protocol;
use crate::model::text::{DisplayText, NAME_LEN_MAX};
use crate::source::guarded::{self, Unusable};

/// Where they are.
const PATH: &str = "/etc/services";
/// The longest file that is read; Debian's has 13 KiB, IANA's whole registry less than 1 MiB.
const FILE_LEN_MAX: u64 = 1 << 20;

/// One name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// What it is called.
    pub name: DisplayText,
}

/// The names that this system has, in the order of the file; none where it has no such file. Else a sentence.
pub fn read() -> Result<Vec<Service>, DisplayText> {
    match guarded::read(Path::new(PATH), FILE_LEN_MAX) {
        Ok(content) => Ok(parse(&content)),
        Err(Unusable::Missing) => Ok(Vec::new()),
        Err(why) => {
            let sentence = format!("{PATH} {why}, so services are named by conntop's own list only; mend that file");
            Err(DisplayText::new(&sentence))
        }
    }
}

/// The names in a file. A line that is none is left out: the file is written by hand.
pub fn parse(content: &[u8]) -> Vec<Service> {
    content.split(|byte| *byte == b'\n').filter_map(parse_line).collect()
}

/// Reads `name port/protocol aliases # comment`.
fn parse_line(line: &[u8]) -> Option<Service> {
    let line = line.split(|byte| *byte == b'#').next()?;
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let (name, place) = (words.next()?, std::str::from_utf8(words.next()?).ok()?);
    let (port, protocol) = place.split_once('/')?;
    let protocol = Protocol::ALL.into_iter().find(|known| known.name() == protocol)?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    Some(Service { protocol, port, name: DisplayText::from_bytes(name, NAME_LEN_MAX) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_read_and_the_rest_is_passed_over() {
        let found = parse(b"# comment\nssh\t\t22/tcp\t\t\t# SSH\n\nsnmp 161/udp x y\nbad\nsctp 9/sctp\nzero 0/tcp\nbig 65536/tcp\nesc\x1b[2J 99/tcp");
        let found: Vec<_> = found.iter().map(|row| (row.protocol.name(), row.port, row.name.as_str())).collect();
        assert_eq!(found, [("tcp", 22, "ssh"), ("udp", 161, "snmp"), ("tcp", 99, "esc␛[2J")]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(content in proptest::collection::vec(any::<u8>(), 0..300)) {
            parse(&content);
        }
    }
}
