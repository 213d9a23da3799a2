//! A bare word or expression: looked for in everything a person would look for it in.

use std::fmt::{self, Write};

use crate::knowledge::ports;
use crate::model::endpoint::Endpoint;
use crate::model::process::Owner;
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::store::rows::Row;
use crate::table::filter::pattern::Pattern;

/// A word, compiled.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pattern: Pattern,
    /// The number it is: then ports and pids must be it, and addresses and commands do not count.
    number: Option<u32>,
    /// The state it names by an alias (`listening`, `cw`).
    state: Option<TcpState>,
    /// Whether it can be part of an address at all.
    may_be_address: bool,
}

impl Word {
    /// A literal word; `*` in it stands for anything if `has_glob`.
    pub(super) fn literal(text: &str) -> Self {
        let state = match TcpState::parse(text) {
            Some(&[state]) => Some(state),
            _ => None,
        };
        let address_like = |character: char| character.is_ascii_hexdigit() || ".:[]*%".contains(character);
        Self {
            pattern: Pattern::contains(text),
            number: text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())),
            state,
            may_be_address: text.chars().all(address_like),
        }
    }

    /// A regular expression.
    pub(super) const fn expression(pattern: Pattern) -> Self {
        Self { pattern, number: None, state: None, may_be_address: true }
    }

    /// Whether anything of `row` matches.
    pub(super) fn matches(&self, row: &Row, store: &Store) -> bool {
        let socket = &row.connection.socket;
        if let Some(number) = self.number {
            return is_numbered(socket, number) || self.in_names(socket, store);
        }
        self.state == Some(socket.state)
            || self.pattern.matches(socket.state.name())
            || self.pattern.matches(socket.protocol.name())
            || self.in_names(socket, store)
            || self.in_command(&socket.owner)
            || self.in_service(socket)
            || (self.may_be_address && (self.in_endpoint(socket.local) || self.in_endpoint(socket.remote)))
    }

    fn in_names(&self, socket: &Socket, store: &Store) -> bool {
        let holders = socket.owner.holders().map_or(&[][..], |holders| holders.all());
        let uid = socket.uid.or_else(|| socket.owner.process()?.uid);
        holders.iter().any(|process| self.pattern.matches(process.name.as_str()))
            || uid.and_then(|uid| store.names().users.get(&uid)).is_some_and(|user| self.pattern.matches(user.as_str()))
    }

    fn in_command(&self, owner: &Owner) -> bool {
        let holders = owner.holders().map_or(&[][..], |holders| holders.all());
        holders.iter().any(|process| self.pattern.matches(process.command.as_str()))
    }

    fn in_service(&self, socket: &Socket) -> bool {
        [socket.local.port, socket.remote.port]
            .into_iter()
            .filter_map(|port| ports::service(socket.protocol, port))
            .any(|service| self.pattern.matches(service))
    }

    fn in_endpoint(&self, endpoint: Endpoint) -> bool {
        let mut text = EndpointText::default();
        write!(text, "{endpoint}").is_ok() && self.pattern.matches(text.as_str())
    }
}

fn is_numbered(socket: &Socket, number: u32) -> bool {
    let holders = socket.owner.holders().map_or(&[][..], |holders| holders.all());
    [socket.local.port, socket.remote.port].into_iter().any(|port| port > 0 && u32::from(port) == number)
        || holders.iter().any(|process| process.id.pid == number)
}

/// An endpoint's text on the stack: `[` 39 `]:` 65535 is 47 bytes.
struct EndpointText {
    bytes: [u8; 48],
    len: usize,
}

impl Default for EndpointText {
    fn default() -> Self {
        Self { bytes: [0; 48], len: 0 }
    }
}

impl EndpointText {
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
