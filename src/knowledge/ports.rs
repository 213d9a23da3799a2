//! (skeleton) What a port usually is.

use crate::model::endpoint::Protocol;

/// The usual service on `port`, from the catalogue, else from /etc/services as it was at build time; `None` if unnamed.
pub fn service(protocol: Protocol, port: u16) -> Option<&'static str> {
    let _ = (protocol, port);
    None
}
