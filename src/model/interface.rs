//! Network interfaces: what they counted, and which work they take off the processor.

use crate::model::text::DisplayText;

/// What an interface counted since it was made, a line of `/proc/net/dev` (`dev_seq_printf_stats`,
/// `net/core/net-procfs.c`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: DisplayText,
    /// Received.
    pub received: Received,
    /// Sent.
    pub sent: Sent,
}

/// The receiving half of a line, in its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Bytes, headers of the link included.
    pub bytes: u64,
    /// Packets of every kind.
    pub packets: u64,
    /// Bad packets.
    pub errors: u64,
    /// Good packets that were thrown away, also those that the card missed.
    pub dropped: u64,
    /// Overruns of the card's queue.
    pub overruns: u64,
    /// Bad lengths, checksums and frames; they count as errors, too.
    pub frame: u64,
    /// Compressed packets (PPP).
    pub compressed: u64,
    /// Multicast packets, among `packets`.
    pub multicast: u64,
}

/// The sending half of a line, in its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes, headers of the link included.
    pub bytes: u64,
    /// Packets of every kind.
    pub packets: u64,
    /// Packets that could not be sent.
    pub errors: u64,
    /// Packets that were thrown away.
    pub dropped: u64,
    /// Overruns of the card's queue.
    pub overruns: u64,
    /// Collisions on the wire.
    pub collisions: u64,
    /// Lost carriers, aborts and heartbeat errors.
    pub carrier: u64,
    /// Compressed packets (PPP).
    pub compressed: u64,
}

/// One row of the table of an interface's counters: its name, and how it is read in each direction.
pub struct InterfaceCounter {
    /// The name in JSON, behind `rx_` and `tx_`.
    pub key: &'static str,
    /// The name in text.
    pub label: &'static str,
    /// How much came in; `None` where Linux does not count it.
    pub received: Option<fn(&Received) -> u64>,
    /// How much went out; `None` where Linux does not count it.
    pub sent: Option<fn(&Sent) -> u64>,
}

/// Every counter, in the order in which it is shown: first those that netstat -e has.
#[rustfmt::skip]
pub static COUNTERS: [InterfaceCounter; 11] = [
    InterfaceCounter { key: "bytes",      label: "Bytes",             received: Some(|r| r.bytes),      sent: Some(|s| s.bytes) },
    InterfaceCounter { key: "packets",    label: "Packets",           received: Some(|r| r.packets),    sent: Some(|s| s.packets) },
    // Linux does not tell how many of the packets that it sent were unicast.
    InterfaceCounter { key: "unicast",    label: "Unicast packets",   received: Some(unicast),          sent: None },
    InterfaceCounter { key: "multicast",  label: "Multicast packets", received: Some(|r| r.multicast),  sent: None },
    InterfaceCounter { key: "discards",   label: "Discards",          received: Some(|r| r.dropped),    sent: Some(|s| s.dropped) },
    InterfaceCounter { key: "errors",     label: "Errors",            received: Some(|r| r.errors),     sent: Some(|s| s.errors) },
    InterfaceCounter { key: "overruns",   label: "Overruns",          received: Some(|r| r.overruns),   sent: Some(|s| s.overruns) },
    InterfaceCounter { key: "frame",      label: "Frame errors",      received: Some(|r| r.frame),      sent: None },
    InterfaceCounter { key: "carrier",    label: "Carrier errors",    received: None,                   sent: Some(|s| s.carrier) },
    InterfaceCounter { key: "collisions", label: "Collisions",        received: None,                   sent: Some(|s| s.collisions) },
    InterfaceCounter { key: "compressed", label: "Compressed",        received: Some(|r| r.compressed), sent: Some(|s| s.compressed) },
];

const fn unicast(received: &Received) -> u64 {
    received.packets.saturating_sub(received.multicast)
}

/// What an interface does instead of the processor (`ethtool -k`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offload {
    /// The interface.
    pub interface: DisplayText,
    /// All features that the kernel knows, in its order.
    pub features: Vec<Feature>,
}

/// One offload feature of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// The kernel's name (`netdev_features_strings`, `net/ethtool/common.c`).
    pub name: DisplayText,
    /// Whether it is on.
    pub is_on: bool,
    /// Whether the device lets nobody change it.
    pub is_fixed: bool,
}

/// A protocol's counter (`/proc/net/snmp`, `/proc/net/snmp6`, `/proc/net/netstat`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolCounter {
    /// The group, as the kernel calls it: `Tcp`, `TcpExt`, `Icmp6`.
    pub group: DisplayText,
    /// The counter, as the kernel calls it: `RetransSegs`.
    pub name: DisplayText,
    /// Its value. Most only grow; some are settings (`RtoMin`, in ms; `MaxConn`, -1) or levels (`CurrEstab`).
    pub value: i64,
}
