//! Explanations of ports and ranges of ports, by number or name.

use crate::knowledge::ports::{self, PortRow};
use crate::knowledge::ranges::PortClass;
use crate::knowledge::topics;
use crate::model::endpoint::Protocol;
use crate::report::explain::Explanation;

/// The most services of a range that are told.
const SERVICES_MAX: usize = 40;
/// Linux's default of `net.ipv4.ip_local_port_range` (`Documentation/networking/ip-sysctl.rst`).
const CLIENT_PORTS: (u16, u16) = (32_768, 60_999);
/// What the classes are called; the first name is that of [`PortClass::name`].
const CLASSES: [(PortClass, &[&str]); 3] = [
    (PortClass::WellKnown, &["well-known", "wellknown", "reserved", "system-ports", "privileged"]),
    (PortClass::Registered, &["registered", "user-ports"]),
    (PortClass::Dynamic, &["dynamic", "private-ports"]),
];

pub(super) fn look_up(name: &str) -> Vec<Explanation> {
    let name = topics::normal(name);
    let class = CLASSES
        .iter()
        .find(|(_, names)| names.contains(&name.trim_end_matches("-ports")) || names.contains(&name.as_str()));
    if let Some((class, _)) = class {
        let (first, last) = class.range();
        return vec![range(first, last)];
    }
    let (protocol, number) = split(&name);
    if let Some((first, last)) = number.split_once('-').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?))) {
        return if first <= last { vec![range(first, last)] } else { Vec::new() };
    }
    let named = number.parse().ok().or_else(|| ports::port_of(number));
    named.map(|number| port(protocol, number)).into_iter().collect()
}

/// `53/udp`, `udp/53`, `:53` or `53`: the protocol, if one is said, and the rest.
fn split(name: &str) -> (Option<Protocol>, &str) {
    let protocol = |text: &str| Protocol::ALL.into_iter().find(|known| known.name() == text);
    let name = name.strip_prefix(':').unwrap_or(name);
    match name.split_once(['/', ':']) {
        Some((number, word)) if protocol(word).is_some() => (protocol(word), number),
        Some((word, number)) if protocol(word).is_some() => (protocol(word), number),
        _ => (None, name),
    }
}

fn port(protocol: Option<Protocol>, number: u16) -> Explanation {
    let protocols: Vec<Protocol> = protocol.map_or_else(|| Protocol::ALL.to_vec(), |one| vec![one]);
    let services: Vec<&str> = protocols.iter().filter_map(|one| ports::service(*one, number)).collect();
    let is_told = |row: &&PortRow| protocols.iter().any(|one| row.covers(*one, number));
    let mut text: Vec<String> = ports::rows().iter().filter(is_told).map(|row| usual(row, number)).collect();
    let name = match services.first() {
        Some(first) => format!("usually {first}"),
        None => "no usual service".to_owned(),
    };
    if text.is_empty() {
        text.extend(services.first().map(|service| format!("The name {service} is registered for it.")));
    }
    let class = PortClass::of(number);
    text.push(format!("It is a {} port. {}", class.name(), class.about()));
    if (CLIENT_PORTS.0..=CLIENT_PORTS.1).contains(&number) {
        text.push(format!(
            "Linux gives {} to {} to clients unless told otherwise: a connection can have it by chance.",
            CLIENT_PORTS.0, CLIENT_PORTS.1
        ));
    }
    let written = protocol.map_or_else(|| number.to_string(), |one| format!("{number}/{}", one.name()));
    Explanation {
        title: format!("port {written}: {name}"),
        topic: written,
        kind: "port",
        text,
        r#do: vec![format!("conntop list port:{number} shows who listens there and who talks to it.")],
        dont: vec!["A number is no proof: any program can listen on any port it may bind.".to_owned()],
        see: vec!["port".to_owned(), class.name().to_owned()],
        ..Explanation::default()
    }
}

/// `tcp postgresql: A PostgreSQL database. Risk: …`.
fn usual(row: &PortRow, number: u16) -> String {
    let risk = row.risk.as_ref().map_or_else(String::new, |risk| format!(" Risk: {risk}"));
    let (first, last) = row.range();
    let place = if first == last { number.to_string() } else { format!("{first}-{last}") };
    let service = row.service.as_ref().map_or_else(String::new, |service| format!(" {service}"));
    format!("{place}/{}{service}: {}{risk}", row.protocols(), row.usually)
}

fn range(first: u16, last: u16) -> Explanation {
    let overlaps = |(from, to): (u16, u16)| from <= last && first <= to;
    let mut text: Vec<String> = Vec::new();
    for (class, _) in CLASSES.into_iter().filter(|(class, _)| overlaps(class.range())) {
        let (from, to) = class.range();
        text.push(format!("{from} to {to} are {} ports. {}", class.name(), class.about()));
    }
    if overlaps(CLIENT_PORTS) {
        text.push(format!(
            "Linux takes the ports of clients from {} to {} unless told otherwise; cat /proc/sys/net/ipv4/ip_local_port_range shows what this machine does.",
            CLIENT_PORTS.0, CLIENT_PORTS.1
        ));
    }
    let within: Vec<&PortRow> = ports::rows().iter().filter(|row| overlaps(row.range())).collect();
    text.extend(within.iter().take(SERVICES_MAX).map(|row| usual(row, row.range().0)));
    if within.len() > SERVICES_MAX {
        text.push(format!("{} more are known; ask for a smaller range.", within.len() - SERVICES_MAX));
    }
    Explanation {
        topic: format!("{first}-{last}"),
        kind: "range",
        title: format!("ports {first} to {last}"),
        text,
        r#do: vec![format!("conntop list port:{first}-{last} shows what uses them.")],
        see: vec!["port".to_owned(), "ephemeral-ports".to_owned()],
        ..Explanation::default()
    }
}
