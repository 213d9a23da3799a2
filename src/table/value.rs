//! What a cell holds: a typed value, from which text, alignment, order, filter and JSON follow.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::delta::AgeBasis;
use crate::model::endpoint::Endpoint;
use crate::model::tcp_state::TcpState;

/// A typed cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Not known: blank, `null`, last in both sort directions.
    Missing,
    /// Words that were sanitised or are constants.
    Text(&'a str),
    /// Words made for this cell (several owners).
    Owned(String),
    /// An address.
    Address(IpAddr),
    /// An address and a port, and the name of its interface.
    Endpoint(Endpoint),
    /// A port.
    Port(u16),
    /// A state.
    State(TcpState),
    /// How many.
    Count(u64),
    /// A number that names something (pid, inode, cookie): not grouped by thousands.
    Number(u64),
    /// Bytes.
    Bytes(u64),
    /// Bytes per second.
    BytesPerSecond(f64),
    /// A time span.
    Span(Duration),
    /// A time span known in a certain way.
    Age(Duration, AgeBasis),
    /// A share, 1.0 is all.
    Share(f64),
}
