//! How an address is written, everywhere: an IPv4 address as one, and the interface by name where it tells two apart.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use crate::model::address::{Address, needs_zone};
use crate::model::process::Names;
use crate::model::socket::{NetnsId, Socket, SocketRef};
use crate::model::text;

/// An interface: its index in its network namespace, and its name where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// The index.
    pub index: NonZeroU32,
    /// The name; where a source looked for it and there is no such interface any more, its number.
    pub name: Option<&'a str>,
}

impl<'a> Link<'a> {
    /// The interface with this index in this namespace.
    pub fn of(index: NonZeroU32, netns: NetnsId, names: &'a Names) -> Self {
        Self { index, name: names.interfaces.get(&(netns, index.get())).map(AsRef::as_ref) }
    }

    /// Whether `text` is its name or its number.
    pub fn is_called(self, text: &str) -> bool {
        self.name == Some(text) || text.parse() == Ok(self.index)
    }
}

impl fmt::Display for Link<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.index),
        }
    }
}

/// An address of a socket, ready to be written and to be searched.
///
/// | written | is |
/// |---|---|
/// | `192.0.2.1:80`, `[2001:db8::1]:80` | an address; `::ffff:192.0.2.1` is written as the IPv4 address that it is |
/// | `0.0.0.0:80`, `[::]:80` | every IPv4 address, every IPv6 address (or both, where the source does not say) |
/// | `*:80` | every IPv6 and every IPv4 address: a socket on `::` without `IPV6_V6ONLY`, as ss writes it |
/// | `0.0.0.0%eth1:80`, `[::%eth1]:80` | only what comes in on this interface (`SO_BINDTODEVICE`) |
/// | `[fe80::1%eth0]:80` | an address of a link (RFC 4007, section 11) |
///
/// Alone, without a port, an address has an interface only if it belongs to a link: `0.0.0.0`, `fe80::1%eth0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressText<'a> {
    told: IpAddr,
    link: Option<Link<'a>>,
    /// The link is written though the address does not need it.
    is_bound: bool,
    takes_both_families: bool,
}

impl<'a> AddressText<'a> {
    /// `ip` alone, of which nothing more is known.
    pub const fn plain(ip: IpAddr) -> Self {
        Self { told: ip, link: None, is_bound: false, takes_both_families: false }
    }

    /// Our end of `socket`.
    pub fn local(socket: &Socket, names: &'a Names) -> Self {
        let takes_both_families = socket.takes_both_families();
        Self { takes_both_families, ..Self::local_of(&socket.reference(), names) }
    }

    /// Our end of what is only known as a reference.
    pub fn local_of(socket: &SocketRef, names: &'a Names) -> Self {
        Self { is_bound: true, ..Self::end(socket.local.addr, socket, names) }
    }

    /// The other end of `socket`.
    pub fn remote(socket: &Socket, names: &'a Names) -> Self {
        let takes_both_families = socket.remote.is_unset() && socket.takes_both_families();
        Self { takes_both_families, ..Self::end(socket.remote.addr, &socket.reference(), names) }
    }

    /// The other end of what is only known as a reference.
    pub fn remote_of(socket: &SocketRef, names: &'a Names) -> Self {
        Self::end(socket.remote.addr, socket, names)
    }

    fn end(ip: IpAddr, socket: &SocketRef, names: &'a Names) -> Self {
        let link = socket.interface.map(|index| Link::of(index, socket.id.netns(), names));
        Self { link, ..Self::plain(ip) }
    }

    /// `address` in `netns`, with all that tells it apart.
    pub fn of(address: Address, netns: NetnsId, names: &'a Names) -> Self {
        let link = address.zone().map(|index| Link::of(index, netns, names));
        Self { link, is_bound: true, ..Self::plain(address.ip()) }
    }

    /// The same, of what takes both families or not.
    #[must_use]
    pub const fn taking_both_families(self, takes_both_families: bool) -> Self {
        Self { takes_both_families, ..self }
    }

    /// The address; never an IPv4 one written as IPv6.
    pub const fn ip(self) -> IpAddr {
        self.told.to_canonical()
    }

    /// The interface that the socket is bound to, whether it is written or not.
    pub const fn link(self) -> Option<Link<'a>> {
        self.link
    }

    /// Whether it stands for every address of both families.
    pub const fn takes_both_families(self) -> bool {
        self.takes_both_families
    }

    /// The interface that is written where a port is.
    pub fn link_before_port(self) -> Option<Link<'a>> {
        self.written_link(self.is_bound)
    }

    /// The number by which equal addresses are ordered: that of the interface that is written, else 0.
    pub fn order(self) -> u32 {
        self.link_before_port().map_or(0, |link| link.index.get())
    }

    fn written_link(self, is_bound: bool) -> Option<Link<'a>> {
        self.link.filter(|_| is_bound || needs_zone(self.ip()))
    }

    /// Without a port.
    pub fn alone(self) -> impl fmt::Display {
        let link = self.written_link(false);
        text::from_fn(move |f| match link {
            Some(link) => write!(f, "{}%{link}", self.ip()),
            None => write!(f, "{}", self.ip()),
        })
    }

    /// With `port`, in which 0 stands for none (`*`).
    pub fn with_port(self, port: u16) -> impl fmt::Display {
        text::from_fn(move |f| {
            self.write_bracketed(f)?;
            match port {
                0 => f.write_str(":*"),
                port => write!(f, ":{port}"),
            }
        })
    }

    /// As it stands before a port, without one: `*%eth1`, `[::]`, `[fe80::1%eth0]`.
    pub fn bracketed(self) -> impl fmt::Display {
        text::from_fn(move |f| self.write_bracketed(f))
    }

    fn write_bracketed(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind = text::from_fn(|f| match self.link_before_port() {
            Some(link) => write!(f, "%{link}"),
            None => Ok(()),
        });
        match self.ip() {
            _ if self.takes_both_families => write!(f, "*{behind}"),
            IpAddr::V4(ip) => write!(f, "{ip}{behind}"),
            IpAddr::V6(ip) => write!(f, "[{ip}{behind}]"),
        }
    }

    /// The address as the kernel wrote it, where that is another way than ours: `::ffff:192.0.2.1`.
    pub fn as_told(self) -> Option<IpAddr> {
        (self.told != self.ip()).then_some(self.told)
    }
}

/// Our end of `socket`: `0.0.0.0%eth1:80`.
pub fn local_end(socket: &Socket, names: &Names) -> String {
    AddressText::local(socket, names).with_port(socket.local.port).to_string()
}

/// The other end of `socket`: `[fe80::1%eth0]:80`.
pub fn remote_end(socket: &Socket, names: &Names) -> String {
    AddressText::remote(socket, names).with_port(socket.remote.port).to_string()
}

/// `10.0.0.1:4000 → 10.0.0.2:80`; our end alone where there is no other.
pub fn both_ends(socket: &Socket, names: &Names) -> String {
    let local = local_end(socket, names);
    if socket.remote.is_unset() { local } else { format!("{local} → {}", remote_end(socket, names)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{SocketBuilder, listener, tcp};

    fn names() -> Names {
        let interfaces = [((NetnsId(0), 3), "eth1".into()), ((NetnsId(7), 3), "wan".into())];
        Names { interfaces: interfaces.into(), ..Names::default() }
    }

    fn texts(socket: SocketBuilder) -> (String, String) {
        let (socket, names) = (socket.build(), names());
        let text = AddressText::local(&socket, &names);
        (text.with_port(socket.local.port).to_string(), text.alone().to_string())
    }

    fn on(local: &str, interface: u32) -> SocketBuilder {
        listener(1, 80).local(local).with(|socket| socket.interface = NonZeroU32::new(interface))
    }

    #[test]
    fn what_tells_two_addresses_apart_is_written() {
        let only = |only| move |socket: &mut Socket| socket.v6only = only;
        for (socket, with_port, alone) in [
            (on("192.0.2.1:80", 0), "192.0.2.1:80", "192.0.2.1"),
            (on("[2001:db8::1]:80", 0), "[2001:db8::1]:80", "2001:db8::1"),
            (on("[::ffff:192.0.2.1]:80", 0), "192.0.2.1:80", "192.0.2.1"),
            (on("0.0.0.0:80", 3), "0.0.0.0%eth1:80", "0.0.0.0"),
            (on("0.0.0.0:80", 3).netns(7), "0.0.0.0%wan:80", "0.0.0.0"),
            (on("0.0.0.0:80", 4), "0.0.0.0%4:80", "0.0.0.0"),
            (on("[fe80::1]:80", 3), "[fe80::1%eth1]:80", "fe80::1%eth1"),
            (on("[fe80::1]:80", 4), "[fe80::1%4]:80", "fe80::1%4"),
            (on("[fe80::1]:80", 0), "[fe80::1]:80", "fe80::1"),
            (on("[::]:80", 0), "[::]:80", "::"),
            (on("[::]:80", 0).with(only(Some(true))), "[::]:80", "::"),
            (on("[::]:80", 0).with(only(Some(false))), "*:80", "::"),
            (on("[::]:80", 3).with(only(Some(false))), "*%eth1:80", "::"),
            (on("[::]:80", 3).with(only(Some(true))), "[::%eth1]:80", "::"),
            (on("[::1]:80", 0).with(only(Some(false))), "[::1]:80", "::1"),
            (on("[::ffff:0.0.0.0]:80", 0).with(only(Some(false))), "0.0.0.0:80", "0.0.0.0"),
            (on("0.0.0.0:0", 0), "0.0.0.0:*", "0.0.0.0"),
        ] {
            assert_eq!(texts(socket), (with_port.to_owned(), alone.to_owned()));
        }
    }

    #[test]
    fn a_peer_is_written_with_its_link_only_if_it_belongs_to_one() {
        let names = names();
        let remote = |remote: &str| {
            let socket = tcp(1).remote(remote).with(|socket| socket.interface = NonZeroU32::new(3)).build();
            AddressText::remote(&socket, &names).with_port(socket.remote.port).to_string()
        };
        assert_eq!(remote("192.0.2.1:80"), "192.0.2.1:80");
        assert_eq!(remote("[fe80::9]:80"), "[fe80::9%eth1]:80");
    }

    #[test]
    fn a_link_is_called_by_its_name_or_its_number() {
        let names = names();
        let link = Link::of(NonZeroU32::new(3).expect("not 0"), NetnsId(0), &names);
        assert!(link.is_called("eth1") && link.is_called("3"));
        assert!(!link.is_called("eth") && !link.is_called("4") && !link.is_called(""));
    }
}
