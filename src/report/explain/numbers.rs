//! Explanations of ports and ranges of ports, by number or name.

use crate::knowledge::port_text;
use crate::knowledge::ports::{self, PortRow};
use crate::knowledge::ranges::PortClass;
use crate::knowledge::topics;
use crate::model::endpoint::Protocol;
use crate::model::facts::PortRange;
use crate::report::explain::Explanation;

/// The most services of a range that are listed.
const SERVICES_MAX: usize = 40;
/// What the classes are called; the first name is that of [`PortClass::name`].
const CLASSES: [(PortClass, &[&str]); 3] = [
    (PortClass::WellKnown, &["well-known", "wellknown", "reserved", "system-ports", "privileged"]),
    (PortClass::Registered, &["registered", "user-ports"]),
    (PortClass::Dynamic, &["dynamic", "private-ports"]),
];

pub(super) fn look_up(name: &str, of_kernel: Option<PortRange>) -> Vec<Explanation> {
    let name = topics::normal(name);
    let class = CLASSES
        .iter()
        .find(|(_, names)| names.contains(&name.trim_end_matches("-ports")) || names.contains(&name.as_str()));
    if let Some((class, _)) = class {
        let (first, last) = class.range();
        return vec![range(first, last, of_kernel)];
    }
    let (protocol, number) = split(&name);
    if let Some((first, last)) = number.split_once('-').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?))) {
        return if first <= last { vec![range(first, last, of_kernel)] } else { Vec::new() };
    }
    let named = number.parse().ok().or_else(|| ports::port_of(number));
    named.map(|number| port(protocol, number, of_kernel)).into_iter().collect()
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

fn port(protocol: Option<Protocol>, number: u16, of_kernel: Option<PortRange>) -> Explanation {
    let name = match port_text::usual_service(protocol, number) {
        Some(service) => format!("usually {service}"),
        None => "no usual service".to_owned(),
    };
    let written = protocol.map_or_else(|| number.to_string(), |one| format!("{number}/{}", one.name()));
    Explanation {
        title: format!("port {written}: {name}"),
        topic: written,
        kind: "port",
        text: port_text::paragraphs(protocol, number, of_kernel),
        r#do: vec![format!("conntop list port:{number} shows who listens there and who talks to it.")],
        dont: vec!["A number is no proof: any program can listen on any port it may bind.".to_owned()],
        see: vec!["port".to_owned(), PortClass::of(number).name().to_owned()],
        ..Explanation::default()
    }
}

fn range(first: u16, last: u16, of_kernel: Option<PortRange>) -> Explanation {
    let overlaps = |(from, to): (u16, u16)| from <= last && first <= to;
    let mut text: Vec<String> = Vec::new();
    for (class, _) in CLASSES.into_iter().filter(|(class, _)| overlaps(class.range())) {
        let (from, to) = class.range();
        text.push(format!("{from} to {to} are {} ports. {}", class.name(), class.about()));
    }
    let clients = of_kernel.unwrap_or(port_text::CLIENT_PORTS);
    if overlaps((clients.first, clients.last)) {
        text.push(format!("{}.", port_text::client_ports(of_kernel)));
    }
    let within: Vec<&PortRow> = ports::rows().iter().filter(|row| overlaps(row.range())).collect();
    text.extend(within.iter().take(SERVICES_MAX).map(|row| port_text::usual(row, row.range().0)));
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
