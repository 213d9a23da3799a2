//! A bare word or expression: looked for in everything a person would look for it in.

use std::fmt::{self, Write};
use std::net::IpAddr;

use rustc_hash::FxHashSet;

use crate::knowledge::ports;
use crate::model::address_text::AddressText;
use crate::model::endpoint::{Endpoint, Protocol};
use crate::model::process::{Names, Owner};
use crate::model::query::QueryFields;
use crate::model::socket::Socket;
use crate::model::tcp_state::{STATES, TcpState};
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::filter::pattern::Pattern;
use crate::table::filter::test::{self, Test};
use crate::table::value::Value;

/// A word, compiled. What does not depend on the row is decided once: states, protocols and services that match.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pattern: Pattern,
    /// The number it is: then ports and pids must be it, and addresses and commands do not count.
    number: Option<u32>,
    /// The states that match, as bits; an alias (`listening`, `cw`) names one.
    states: u16,
    protocols: Vec<Protocol>,
    services: FxHashSet<(Protocol, u16)>,
    /// Whether it can be part of an address at all.
    may_be_address: bool,
    /// The address or endpoint that it is as a whole, however it is written.
    whole: Option<Test>,
}

impl Word {
    /// What it reads beyond what a source tells of every socket.
    pub(super) const READS: QueryFields = QueryFields { owner: true, users: true, ..QueryFields::NONE };

    /// A literal word.
    pub(super) fn literal(text: &str) -> Self {
        let address_like = |character: char| character.is_ascii_hexdigit() || ".:[]*%".contains(character);
        // Behind a % stands the name of an interface, and behind that a port.
        let before_link = text.split('%').next().unwrap_or(text);
        let mut word = Self::expression(Pattern::contains(text));
        if let Some(&[state]) = TcpState::parse(text) {
            word.states |= 1 << state as u16;
        }
        word.number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        word.may_be_address = before_link.chars().all(address_like);
        word.whole = test::whole_endpoint(text);
        word
    }

    /// A pattern of any kind.
    pub(super) fn expression(pattern: Pattern) -> Self {
        let states =
            STATES.iter().filter(|row| pattern.matches(row.name)).fold(0, |bits, row| bits | 1 << row.state as u16);
        let protocols = Protocol::ALL.into_iter().filter(|protocol| pattern.matches(protocol.name())).collect();
        let services = ports::services().filter(|(_, _, name)| pattern.matches(name));
        let services = services.map(|(protocol, port, _)| (protocol, port)).collect();
        Self { number: None, states, protocols, services, may_be_address: true, whole: None, pattern }
    }

    /// Whether it is a number: a port or a pid.
    pub(super) const fn is_number(&self) -> bool {
        self.number.is_some()
    }

    /// Whether anything of `row` matches.
    pub(super) fn matches(&self, row: &SocketRow, store: &Store) -> bool {
        let socket = &row.connection.socket;
        if let Some(number) = self.number {
            return is_numbered(socket, number) || self.in_names(socket, store);
        }
        self.states & (1 << socket.state as u16) != 0
            || self.protocols.contains(&socket.protocol)
            || self.in_services(socket)
            || self.in_names(socket, store)
            || self.in_command(&socket.owner)
            || (self.may_be_address && self.in_addresses(socket, store.names()))
    }

    fn in_names(&self, socket: &Socket, store: &Store) -> bool {
        let holders = socket.owner.holders().map_or(&[][..], |holders| holders.all());
        let uid = socket.uid.or_else(|| socket.owner.process()?.uid);
        holders.iter().any(|process| self.pattern.matches(process.name.as_str()))
            || uid.is_some_and(|uid| match store.names().users.get(&uid) {
                Some(name) => self.pattern.matches(name.as_str()),
                None => self.number == Some(uid),
            })
    }

    fn in_command(&self, owner: &Owner) -> bool {
        let holders = owner.holders().map_or(&[][..], |holders| holders.all());
        holders.iter().any(|process| self.pattern.matches(process.command.as_str()))
    }

    fn in_services(&self, socket: &Socket) -> bool {
        let has = |port: u16| self.services.contains(&(socket.protocol, port));
        !self.services.is_empty() && (has(socket.local.port) || has(socket.remote.port))
    }

    fn in_addresses(&self, socket: &Socket, names: &Names) -> bool {
        self.in_endpoint(AddressText::local(socket, names), socket.local.port)
            || self.in_endpoint(AddressText::remote(socket, names), socket.remote.port)
    }

    fn in_endpoint(&self, addr: AddressText<'_>, port: u16) -> bool {
        let is_in = |text: Option<EndpointText>| text.is_some_and(|text| self.pattern.matches(text.as_str()));
        self.whole.as_ref().is_some_and(|whole| whole.passes(&Value::Endpoint(addr, port)))
            || is_in(EndpointText::of(addr, port))
            || addr.as_told().is_some_and(|ip| is_in(EndpointText::write(Endpoint::new(ip, port).as_told())))
    }
}

fn is_numbered(socket: &Socket, number: u32) -> bool {
    let holders = socket.owner.holders().map_or(&[][..], |holders| holders.all());
    [socket.local.port, socket.remote.port].into_iter().any(|port| port > 0 && u32::from(port) == number)
        || holders.iter().any(|process| process.id.pid == number)
}

/// The room for the text of an endpoint: `[` 39 `%` 64 `]:` 65535 is 112 bytes.
const TEXT_LEN_MAX: usize = 112;

/// An endpoint's text on the stack.
struct EndpointText {
    bytes: [u8; TEXT_LEN_MAX],
    len: usize,
}

impl Default for EndpointText {
    fn default() -> Self {
        Self { bytes: [0; TEXT_LEN_MAX], len: 0 }
    }
}

impl EndpointText {
    /// As people read it; IPv4 by hand, because the formatter takes ten times as long.
    fn of(addr: AddressText<'_>, port: u16) -> Option<Self> {
        let (IpAddr::V4(ip), None) = (addr.ip(), addr.link_before_port()) else {
            return Self::write(addr.with_port(port));
        };
        let mut text = Self::default();
        for (octet, end) in ip.octets().into_iter().zip(*b"...:") {
            text.push_number(u16::from(octet));
            text.push(end);
        }
        match port {
            0 => text.push(b'*'),
            port => text.push_number(port),
        }
        Some(text)
    }

    fn write(displayed: impl fmt::Display) -> Option<Self> {
        let mut text = Self::default();
        write!(text, "{displayed}").is_ok().then_some(text)
    }

    /// An IPv4 endpoint takes 21 of the bytes.
    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    fn push_number(&mut self, number: u16) {
        if number >= 10 {
            self.push_number(number / 10);
        }
        self.push(b'0' + u8::try_from(number % 10).unwrap_or_default());
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl Write for EndpointText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn endpoints_are_searched_as_they_are_displayed(addr: IpAddr, port: u16) {
            let addr = AddressText::plain(addr);
            let text = EndpointText::of(addr, port).expect("an endpoint fits");
            prop_assert_eq!(text.as_str(), addr.with_port(port).to_string());
        }
    }
}
