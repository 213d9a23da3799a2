//! Filters that the kernel runs while it dumps: only sockets whose local or remote port lies in a range.
//!
//! The byte code of `INET_DIAG_REQ_BYTECODE` (`include/uapi/linux/inet_diag.h`, run by `inet_diag_bc_run`) is a list
//! of `struct inet_diag_bc_op { u8 code, u8 yes, u16 no }`, where `yes` and `no` are bytes to jump. A socket passes
//! that ends exactly behind the last one. A comparison takes two: the second holds the port in `no`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

/// `INET_DIAG_REQ_BYTECODE`.
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_BC_S_GE: u8 = 2;
const INET_DIAG_BC_S_LE: u8 = 3;
const INET_DIAG_BC_D_GE: u8 = 4;
const INET_DIAG_BC_D_LE: u8 = 5;

/// The length of one comparison: two operations.
const COMPARISON_LEN: u8 = 8;
/// The length of the whole attribute.
pub const ATTRIBUTE_LEN: usize = 20;

/// One end of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortEnd {
    /// Ours.
    Local,
    /// The other one; a listener's and an unconnected socket's port is 0 there.
    Remote,
}

/// Ports of one end, the first and the last included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DumpedPorts {
    /// Whose ports.
    pub end: PortEnd,
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl DumpedPorts {
    /// The ports up to `last`, and those above if there are any: each port is in one of the two.
    pub fn halves(end: PortEnd, last: u16) -> (Self, Option<Self>) {
        let above = last.checked_add(1).map(|first| Self { end, first, last: u16::MAX });
        (Self { end, first: 0, last }, above)
    }

    /// Whether `port` of that end is one of them.
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// The request attribute: `struct nlattr` and two comparisons.
    pub fn encode(self) -> [u8; ATTRIBUTE_LEN] {
        let (at_least, at_most) = match self.end {
            PortEnd::Local => (INET_DIAG_BC_S_GE, INET_DIAG_BC_S_LE),
            PortEnd::Remote => (INET_DIAG_BC_D_GE, INET_DIAG_BC_D_LE),
        };
        // One operation beyond the end of the code: the socket does not pass.
        let reject_from = |rest: u16| rest.saturating_add(4);
        let words = [
            word16(20, INET_DIAG_REQ_BYTECODE),
            operation(at_least, COMPARISON_LEN, reject_from(16)),
            operation(0, 0, self.first),
            operation(at_most, COMPARISON_LEN, reject_from(8)),
            operation(0, 0, self.last),
        ];
        let mut bytes = [0; ATTRIBUTE_LEN];
        for (place, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *place = word;
        }
        bytes
    }
}

fn word16(low: u16, high: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (low.to_ne_bytes(), high.to_ne_bytes());
    [a, b, c, d]
}

fn operation(code: u8, yes: u8, no: u16) -> [u8; 4] {
    let [c, d] = no.to_ne_bytes();
    [code, yes, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel does (`inet_diag_bc_run`, `net/ipv4/inet_diag.c`).
    fn passes(code: &[u8], local: u16, remote: u16) -> bool {
        let mut rest = i64::try_from(code.len()).expect("short");
        let mut at = 0usize;
        while rest > 0 {
            let operand = u16::from_ne_bytes([code[at + 6], code[at + 7]]);
            let yes = match code[at] {
                INET_DIAG_BC_S_GE => local >= operand,
                INET_DIAG_BC_S_LE => local <= operand,
                INET_DIAG_BC_D_GE => remote >= operand,
                INET_DIAG_BC_D_LE => remote <= operand,
                other => panic!("operation {other}"),
            };
            let no = u16::from_ne_bytes([code[at + 2], code[at + 3]]);
            let jump = if yes { u16::from(code[at + 1]) } else { no };
            (rest, at) = (rest - i64::from(jump), at + usize::from(jump));
        }
        rest == 0
    }

    #[test]
    fn a_socket_passes_if_its_port_is_in_the_range() {
        for end in [PortEnd::Local, PortEnd::Remote] {
            for (first, last) in [(0, 0), (0, u16::MAX), (80, 80), (1000, 2000), (u16::MAX, u16::MAX)] {
                let range = DumpedPorts { end, first, last };
                let attribute = range.encode();
                for port in [0, 79, 80, 81, 999, 1000, 1500, 2000, 2001, u16::MAX] {
                    let (local, remote) = if end == PortEnd::Local { (port, 7) } else { (7, port) };
                    assert_eq!(passes(&attribute[4..], local, remote), range.contains(port), "{range:?} {port}");
                }
            }
        }
    }

    #[test]
    fn halves_have_every_port_once() {
        for last in [0, 1, 80, 32_767, u16::MAX - 1, u16::MAX] {
            let (below, above) = DumpedPorts::halves(PortEnd::Local, last);
            for port in 0..=u16::MAX {
                let times = u8::from(below.contains(port)) + u8::from(above.is_some_and(|above| above.contains(port)));
                assert_eq!(times, 1, "{port} with {last}");
            }
        }
    }

    #[test]
    fn the_attribute_says_its_length_and_kind() {
        let attribute = DumpedPorts { end: PortEnd::Local, first: 1, last: 2 }.encode();
        assert_eq!(attribute[..4], word16(20, 1));
        assert_eq!(usize::from(u16::from_ne_bytes([attribute[0], attribute[1]])), attribute.len());
    }
}
