//! (skeleton) What a port usually is.

use crate::model::endpoint::Protocol;

/// The usual service on `port`, from the catalogue, else from the common names of IANA; `None` if unnamed.
pub fn service(protocol: Protocol, port: u16) -> Option<&'static str> {
    let _ = (protocol, port);
    None
}
/// The port that the service called `name` usually has.
pub fn port_of(name: &str) -> Option<u16> {
    let _ = name;
    None
}
/// Every name of a service.
pub fn service_names() -> impl Iterator<Item = &'static str> {
    std::iter::empty()
}
