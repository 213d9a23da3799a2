//! Programs that the kernel runs on each socket while it dumps: only those that pass are told.
//!
//! The byte code of `INET_DIAG_REQ_BYTECODE` (`include/uapi/linux/inet_diag.h`, run by `inet_diag_bc_run` and checked by
//! `inet_diag_bc_audit`, `net/ipv4/inet_diag.c`) is a list of `struct inet_diag_bc_op { u8 code, u8 yes, u16 no }`, each with
//! its operands behind it; `yes` and `no` are bytes to jump, forwards only. A socket passes that ends exactly behind the
//! last one. Here `yes` always leads to the next operation: the kernel lets `no` lead only to where a chain of `yes` leads.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::query::{IpNetwork, SocketEnd};
use crate::source::linux::kernel_test::{KernelTest, STRIPE_LEN, STRIPES, TableShare, TestedFact};

/// `INET_DIAG_REQ_BYTECODE`.
const INET_DIAG_REQ_BYTECODE: u16 = 1;

const INET_DIAG_BC_JMP: u8 = 1;
const INET_DIAG_BC_S_GE: u8 = 2;
const INET_DIAG_BC_S_LE: u8 = 3;
const INET_DIAG_BC_D_GE: u8 = 4;
const INET_DIAG_BC_D_LE: u8 = 5;
const INET_DIAG_BC_S_COND: u8 = 7;
const INET_DIAG_BC_D_COND: u8 = 8;
/// Linux 4.8.
const INET_DIAG_BC_DEV_COND: u8 = 9;
/// Linux 5.8, with `CONFIG_SOCK_CGROUP_DATA`.
const INET_DIAG_BC_CGROUP_COND: u8 = 13;

const AF_UNSPEC: u8 = 0;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// The length of an operation without its operands, and so of a jump.
const OPERATION_LEN: usize = 4;
/// The length of the header of an attribute.
const HEADER_LEN: usize = 4;
/// A longer program is not sent, but one that lets more sockets pass: the kernel checks each jump by a walk from the
/// beginning, and runs the program on every socket while it holds a lock. An attribute could be eight times as long.
const PROGRAM_LEN_MAX: usize = 8 * 1024;

/// What a kernel was found to understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterSupport {
    /// As far as is known, everything.
    All,
    /// It refused interfaces or control groups.
    PortsAndNetworks,
    /// It refused those, too.
    None,
}

impl FilterSupport {
    /// What is left where a program was refused.
    #[must_use]
    pub const fn less(self) -> Self {
        match self {
            Self::All => Self::PortsAndNetworks,
            Self::PortsAndNetworks | Self::None => Self::None,
        }
    }

    const fn has(self, fact: &TestedFact) -> bool {
        match self {
            Self::All => true,
            Self::PortsAndNetworks | Self::None => {
                matches!(fact, TestedFact::Port(..) | TestedFact::Network(..) | TestedFact::Share(_))
            }
        }
    }
}

/// A program for the kernel, as the attribute of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteCode(Vec<u8>);

impl ByteCode {
    /// The program that every socket passes which passes `test`: exactly those, unless a part of it is not understood
    /// (`support`) or the program would be too long. `None`: every socket passes.
    pub fn of(test: &KernelTest, support: FilterSupport) -> Option<Self> {
        if support == FilterSupport::None {
            return None;
        }
        let test = test.without(&|fact| support.has(fact));
        let program = fitting(&test)?;
        let len = u16::try_from(program.len().saturating_add(HEADER_LEN)).ok()?;
        let header = [len.to_ne_bytes(), INET_DIAG_REQ_BYTECODE.to_ne_bytes()].concat();
        Some(Self([header, program].concat()))
    }

    /// `struct nlattr` and the program.
    pub fn attribute(&self) -> &[u8] {
        &self.0
    }
}

/// The program of `test`, or of as many parts of it as one program has room for; `None` if that is none.
fn fitting(test: &KernelTest) -> Option<Vec<u8>> {
    if *test == KernelTest::EVERYTHING {
        return None;
    }
    let program = Assembler::program(test);
    if program.len() <= PROGRAM_LEN_MAX {
        return Some(program);
    }
    let KernelTest::All(tests) = test else { return None };
    let (mut kept, mut len) = (Vec::new(), 0usize);
    for test in tests {
        let part = Assembler::program(test).len();
        if len.saturating_add(part) <= PROGRAM_LEN_MAX {
            len = len.saturating_add(part);
            kept.push(test.clone());
        }
    }
    (!kept.is_empty()).then(|| Assembler::program(&KernelTest::All(kept)))
}

/// A place in a program that is jumped to before it is known where it is.
#[derive(Clone, Copy, Debug)]
struct JumpLabel(usize);

/// Where a socket goes that does not pass: one operation beyond the end.
const REJECT: JumpLabel = JumpLabel(0);

/// Writes a program from its beginning to its end.
#[derive(Debug)]
struct Assembler {
    bytes: Vec<u8>,
    /// Operations whose `no` is not written yet, and where it leads.
    jumps: Vec<(usize, JumpLabel)>,
    /// The place of each label.
    places: Vec<usize>,
}

impl Assembler {
    fn program(test: &KernelTest) -> Vec<u8> {
        let mut assembler = Self { bytes: Vec::new(), jumps: Vec::new(), places: vec![0] };
        assembler.test(test, REJECT);
        assembler.finish()
    }

    /// Goes on behind what it writes if `test` is passed, else at `or_else`.
    fn test(&mut self, test: &KernelTest, or_else: JumpLabel) {
        match test {
            KernelTest::All(tests) => tests.iter().for_each(|test| self.test(test, or_else)),
            KernelTest::Any(tests) => self.any(tests, or_else),
            KernelTest::Is(fact) => self.fact(fact, or_else),
            KernelTest::IsNot(fact) => self.unless(or_else, |this, differs| this.fact(fact, differs)),
        }
    }

    fn any(&mut self, tests: &[KernelTest], or_else: JumpLabel) {
        let Some((last, others)) = tests.split_last() else { return self.jump(or_else) };
        let passed = self.label();
        for test in others {
            let next = self.label();
            self.test(test, next);
            self.jump(passed);
            self.place(next);
        }
        self.test(last, or_else);
        self.place(passed);
    }

    /// Goes on behind what it writes if what `write` writes leads to the label that it is given.
    fn unless(&mut self, or_else: JumpLabel, write: impl FnOnce(&mut Self, JumpLabel)) {
        let differs = self.label();
        write(self, differs);
        self.jump(or_else);
        self.place(differs);
    }

    fn fact(&mut self, fact: &TestedFact, or_else: JumpLabel) {
        match fact {
            TestedFact::Port(end, first, last) if first == last => {
                self.host(*end, AF_UNSPEC, 0, i32::from(*first), &[], or_else);
            }
            TestedFact::Port(end, first, last) => self.port_range(*end, *first, *last, or_else),
            TestedFact::Network(end, network) => self.network(*end, *network, or_else),
            TestedFact::Interface(index) => {
                self.operation(INET_DIAG_BC_DEV_COND, &index.get().to_ne_bytes(), or_else);
            }
            TestedFact::Cgroup(id) => self.operation(INET_DIAG_BC_CGROUP_COND, &id.get().to_ne_bytes(), or_else),
            TestedFact::Share(share) => self.share(*share, or_else),
        }
    }

    /// Looks for the stripe of the local port, and for each remainder that it leaves for that of the remote port.
    fn share(&mut self, share: TableShare, or_else: JumpLabel) {
        let passed = self.label();
        let remainders: Vec<JumpLabel> = (0..share.divisor).map(|_| self.label()).collect();
        self.stripes(SocketEnd::Local, (0, STRIPES), &remainders);
        for (local, label) in (0..share.divisor).zip(remainders) {
            self.place(label);
            let is_of_share = |remote: u16| local.saturating_add(remote).checked_rem(share.divisor) < Some(share.below);
            let outcome = |remote| if is_of_share(remote) { passed } else { or_else };
            self.stripes(SocketEnd::Remote, (0, STRIPES), &(0..share.divisor).map(outcome).collect::<Vec<_>>());
        }
        self.place(passed);
    }

    /// Goes to the one of `to` that the number of the stripe leads to in which the port of `end` lies: one of `len` stripes from
    /// `first` on, at least two. Each comparison halves them.
    fn stripes(&mut self, end: SocketEnd, (first, len): (u16, u16), to: &[JumpLabel]) {
        let half = len / 2;
        let middle = first.saturating_add(half);
        let target = |stripe: u16| to.iter().cycle().nth(stripe.into()).copied().unwrap_or(REJECT);
        let below = if half == 1 { target(first) } else { self.label() };
        self.port_range(end, middle.saturating_mul(STRIPE_LEN), u16::MAX, below);
        if half == 1 {
            return self.jump(target(middle));
        }
        self.stripes(end, (middle, half), to);
        self.place(below);
        self.stripes(end, (first, half), to);
    }

    fn port_range(&mut self, end: SocketEnd, first: u16, last: u16, or_else: JumpLabel) {
        let (at_least, at_most) = match end {
            SocketEnd::Local => (INET_DIAG_BC_S_GE, INET_DIAG_BC_S_LE),
            SocketEnd::Remote => (INET_DIAG_BC_D_GE, INET_DIAG_BC_D_LE),
        };
        // The port stands in the `no` of a second operation.
        let operand = |port: u16| [[0, 0], port.to_ne_bytes()].concat();
        if first > 0 {
            self.operation(at_least, &operand(first), or_else);
        }
        if last < u16::MAX {
            self.operation(at_most, &operand(last), or_else);
        }
    }

    /// The kernel takes `::ffff:192.0.2.1` for an address of the IPv4 network that it lies in, as [`IpNetwork::contains`] does,
    /// but for one of an IPv6 network as well.
    fn network(&mut self, end: SocketEnd, network: IpNetwork, or_else: JumpLabel) {
        const ANY_PORT: i32 = -1;
        match network.addr {
            IpAddr::V4(addr) => self.host(end, AF_INET, network.prefix.min(32), ANY_PORT, &addr.octets(), or_else),
            IpAddr::V6(addr) => {
                self.host(end, AF_INET6, network.prefix.min(128), ANY_PORT, &addr.octets(), or_else);
                if is_near_mapped(addr, network.prefix) {
                    let ipv4 = Ipv4Addr::UNSPECIFIED.octets();
                    self.unless(or_else, |this, differs| this.host(end, AF_INET, 0, ANY_PORT, &ipv4, differs));
                }
            }
        }
    }

    /// A comparison with `struct inet_diag_hostcond { u8 family, u8 prefix_len, int port, __be32 addr[] }`.
    fn host(&mut self, end: SocketEnd, family: u8, prefix: u8, port: i32, addr: &[u8], or_else: JumpLabel) {
        let code = match end {
            SocketEnd::Local => INET_DIAG_BC_S_COND,
            SocketEnd::Remote => INET_DIAG_BC_D_COND,
        };
        let operands = [&[family, prefix, 0, 0], &port.to_ne_bytes()[..], addr].concat();
        self.operation(code, &operands, or_else);
    }

    fn jump(&mut self, to: JumpLabel) {
        self.operation(INET_DIAG_BC_JMP, &[], to);
    }

    fn operation(&mut self, code: u8, operands: &[u8], or_else: JumpLabel) {
        self.jumps.push((self.bytes.len(), or_else));
        // The longest has 28 bytes.
        let len = u8::try_from(OPERATION_LEN.saturating_add(operands.len())).unwrap_or(u8::MAX);
        self.bytes.extend([code, len, 0, 0]);
        self.bytes.extend(operands);
    }

    fn label(&mut self) -> JumpLabel {
        self.places.push(0);
        JumpLabel(self.places.len().saturating_sub(1))
    }

    fn place(&mut self, label: JumpLabel) {
        if let Some(place) = self.places.get_mut(label.0) {
            *place = self.bytes.len();
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if let Some(reject) = self.places.get_mut(REJECT.0) {
            *reject = self.bytes.len().saturating_add(OPERATION_LEN);
        }
        for (operation, label) in self.jumps {
            let to = self.places.get(label.0).copied().unwrap_or_default();
            // A program so long that this does not fit is thrown away.
            let no = u16::try_from(to.saturating_sub(operation)).unwrap_or(u16::MAX);
            if let Some(place) = self.bytes.get_mut(operation..).and_then(|rest| rest.get_mut(2..OPERATION_LEN)) {
                place.copy_from_slice(&no.to_ne_bytes());
            }
        }
        self.bytes
    }
}

/// Whether a network of IPv6 has addresses that stand for IPv4 ones (`::ffff:0:0/96`).
fn is_near_mapped(addr: Ipv6Addr, prefix: u8) -> bool {
    const MAPPED: u128 = 0xffff_0000_0000;
    let common = u32::from(prefix.min(96));
    let mask = u128::MAX.checked_shl(128u32.saturating_sub(common)).unwrap_or(0);
    (addr.to_bits() ^ MAPPED) & mask == 0
}

#[cfg(test)]
pub mod tests;
