//! The resolvers that are asked for the names of addresses: the system's, and one for made-up addresses.

use std::net::IpAddr;

use dns_lookup::LookupErrorKind;

use crate::model::snapshot::SourceKind;

/// The answer to one question, as it came: what it says has yet to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsReply {
    /// The name of the address.
    Name(Vec<u8>),
    /// The address has no name.
    NoName,
    /// No server answered, or none could be asked.
    Failed,
}

/// Looks up the names of addresses.
pub trait Resolver: Send + Sync {
    /// What `addr` is called. May take long: it is called on a thread that nobody waits for.
    fn ask(&self, addr: IpAddr) -> DnsReply;

    /// Whether the question may leave this machine.
    fn asks_others(&self) -> bool {
        true
    }
}

/// The resolver for the addresses of a source: made-up ones are asked about nowhere. `may_ask` says before each question
/// whether the files that the C library reads for an answer are such as it can read.
pub fn for_source(kind: SourceKind, may_ask: fn() -> bool) -> Box<dyn Resolver> {
    match kind {
        SourceKind::Synthetic => Box::new(Invented),
        _ => Box::new(System { may_ask }),
    }
}

/// The system's resolver, by getnameinfo(3): what nsswitch.conf(5) says, usually `/etc/hosts` and then name servers.
#[derive(Clone, Copy, Debug)]
pub struct System {
    may_ask: fn() -> bool,
}

impl Resolver for System {
    fn ask(&self, addr: IpAddr) -> DnsReply {
        if !(self.may_ask)() {
            return DnsReply::Failed;
        }
        match dns_lookup::lookup_addr(&addr).map_err(|error| error.kind()) {
            Ok(name) => DnsReply::Name(name.into_bytes()),
            Err(LookupErrorKind::NoName | LookupErrorKind::NoData) => DnsReply::NoName,
            Err(_) => DnsReply::Failed,
        }
    }
}

/// Makes names up, for made-up servers: nobody shall be asked about addresses that are not real.
#[derive(Clone, Copy, Debug)]
pub struct Invented;

impl Resolver for Invented {
    fn ask(&self, addr: IpAddr) -> DnsReply {
        // Every fourth client has no name, as in life.
        let (text, is_inner) = match addr.to_canonical() {
            IpAddr::V4(addr) => {
                let [a, b, c, d] = addr.octets();
                let is_inner = addr.is_private() || addr.is_loopback();
                (if is_inner { format!("{c}-{d}") } else { format!("{a}-{b}-{c}-{d}") }, is_inner)
            }
            IpAddr::V6(addr) => (
                addr.segments().map(|segment| format!("{segment:x}")).join("-"),
                addr.is_unique_local() || addr.is_loopback(),
            ),
        };
        match text.bytes().fold(0u8, u8::wrapping_add) % 4 {
            _ if is_inner => DnsReply::Name(format!("node-{text}.internal").into_bytes()),
            0 => DnsReply::NoName,
            _ => DnsReply::Name(format!("client-{text}.dyn.example.net").into_bytes()),
        }
    }

    fn asks_others(&self) -> bool {
        false
    }
}
