//! `netstat -t`: which work the interfaces do instead of the processor. Linux keeps no such state for a connection.

use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::interface::{Feature, Offload};
use crate::report::netstat::NetstatSample;
use crate::report::netstat::layout::{self, ColumnWidths, left};

/// What the features that matter to TCP and UDP are, in words.
const ABOUT: [(&str, &str); 16] = [
    ("tx-checksum-ipv4", "Computes checksums of IPv4."),
    ("tx-checksum-ip-generic", "Computes checksums of what is sent."),
    ("tx-checksum-ipv6", "Computes checksums over IPv6."),
    ("rx-checksum", "Checks checksums of what comes in."),
    ("tx-scatter-gather", "Gathers a packet from several pieces of memory."),
    ("tx-tcp-segmentation", "Cuts TCP data into segments (TSO)."),
    ("tx-tcp6-segmentation", "Cuts TCP data into segments over IPv6 (TSO)."),
    ("tx-tcp-ecn-segmentation", "Cuts TCP data into segments with ECN (TSO)."),
    ("tx-udp-segmentation", "Cuts UDP data into datagrams (USO)."),
    ("tx-generic-segmentation", "Cuts late, in software, where the card cannot (GSO)."),
    ("rx-gro", "Joins segments that came in, in software (GRO)."),
    ("rx-gro-hw", "Joins segments that came in, in the card (GRO)."),
    ("rx-lro", "Joins segments that came in, in the card (LRO); not for routers."),
    ("rx-hashing", "Spreads connections over queues by a hash."),
    ("tls-hw-tx-offload", "Encrypts kernel TLS in the card."),
    ("tls-hw-rx-offload", "Decrypts kernel TLS in the card."),
];

/// Writes one line a feature that is on or could be turned on; with `all` every one.
pub fn write(all: bool, now: &NetstatSample, widths: &mut ColumnWidths, out: &mut impl Write) -> io::Result<()> {
    let headings = [left("Interface", 9), left("Feature", 28), left("State", 12), left("Meaning", 7)];
    let mut rows: Vec<Vec<String>> = Vec::new();
    for offload in &now.offload {
        let features = offload.features.iter().filter(|feature| all || feature.is_on || !feature.is_fixed);
        rows.extend(features.map(|feature| {
            let about = ABOUT.iter().find(|(name, _)| *name == feature.name.as_str()).map_or("", |(_, about)| about);
            vec![offload.interface.to_string(), feature.name.to_string(), state(feature).to_owned(), about.to_owned()]
        }));
    }
    layout::title(out, "Offload Features of Interfaces")?;
    layout::table(out, &headings, &rows, widths)
}

/// One word, so that a line keeps its fields.
const fn state(feature: &Feature) -> &'static str {
    match (feature.is_on, feature.is_fixed) {
        (true, true) => "on[fixed]",
        (true, false) => "on",
        (false, true) => "off[fixed]",
        (false, false) => "off",
    }
}

/// One object for each interface, with every feature.
pub fn objects(now: &NetstatSample) -> Vec<OffloadObject<'_>> {
    let feature = |feature: &'_ Feature| {
        let Feature { name, is_on, is_fixed } = feature;
        FeatureObject { name: name.to_string(), on: *is_on, fixed: *is_fixed }
    };
    let object = |offload: &'_ Offload| offload.features.iter().map(feature).collect();
    now.offload.iter().map(|one| OffloadObject { interface: one.interface.as_str(), features: object(one) }).collect()
}

/// The offload features of an interface.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "offload")]
pub struct OffloadObject<'a> {
    /// Its name.
    interface: &'a str,
    /// Each of its features.
    features: Vec<FeatureObject>,
}

/// An offload feature.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct FeatureObject {
    /// Its name, as ethtool -k has it.
    name: String,
    /// Whether it is on.
    on: bool,
    /// Whether it cannot be changed.
    fixed: bool,
}
