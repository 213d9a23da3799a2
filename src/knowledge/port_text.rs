//! What there is to say about a port: its usual services and risks, its class, and whether clients get it.

use crate::knowledge::ports::{self, PortRow};
use crate::knowledge::ranges::PortClass;
use crate::model::endpoint::Protocol;
use crate::model::facts::PortRange;

/// Linux's default of `net.ipv4.ip_local_port_range` (`Documentation/networking/ip-sysctl.rst`).
pub const CLIENT_PORTS: PortRange = PortRange { first: 32_768, last: 60_999 };

/// The usual service of `port`; `protocol` `None` means whichever.
pub fn usual_service(protocol: Option<Protocol>, port: u16) -> Option<&'static str> {
    protocols(protocol).find_map(|one| ports::service(one, port))
}

/// Paragraphs on `port`. `of_kernel` is what this kernel takes the ports of clients from, if that is known.
pub fn paragraphs(protocol: Option<Protocol>, port: u16, of_kernel: Option<PortRange>) -> Vec<String> {
    let is_told = |row: &&PortRow| protocols(protocol).any(|one| row.covers(one, port));
    let mut text: Vec<String> = ports::rows().iter().filter(is_told).map(|row| usual(row, port)).collect();
    if text.is_empty() {
        text.extend(usual_service(protocol, port).map(|service| format!("The name {service} is registered for it.")));
    }
    let class = PortClass::of(port);
    text.push(format!("It is a {} port. {}", class.name(), class.about()));
    text.extend(client_text(class, port, of_kernel));
    text
}

/// `5432/tcp postgresql: PostgreSQL. Risk: …`.
pub fn usual(row: &PortRow, port: u16) -> String {
    let risk = row.risk.as_ref().map_or_else(String::new, |risk| format!(" Risk: {risk}"));
    let (first, last) = row.range();
    let place = if first == last { port.to_string() } else { format!("{first}-{last}") };
    let service = row.service.as_ref().map_or_else(String::new, |service| format!(" {service}"));
    format!("{place}/{}{service}: {}{risk}", row.protocols(), row.usually)
}

/// Where the ports of clients come from: this kernel's choice, or Linux's default.
pub fn client_ports(of_kernel: Option<PortRange>) -> String {
    let PortRange { first, last } = of_kernel.unwrap_or(CLIENT_PORTS);
    match of_kernel {
        Some(_) => format!("This kernel gives {first} to {last} to clients (net.ipv4.ip_local_port_range)"),
        None => format!("Linux gives {first} to {last} to clients by default"),
    }
}

fn client_text(class: PortClass, port: u16, of_kernel: Option<PortRange>) -> Option<String> {
    let range = client_ports(of_kernel);
    if of_kernel.unwrap_or(CLIENT_PORTS).contains(port) {
        return Some(format!("{range}: a connection can have it by chance."));
    }
    (class == PortClass::Dynamic).then(|| format!("{range}, so not this one."))
}

fn protocols(protocol: Option<Protocol>) -> impl Iterator<Item = Protocol> {
    Protocol::ALL.into_iter().filter(move |one| protocol.is_none_or(|wanted| wanted == *one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_says_which_range_makes_it_ephemeral() {
        let of = |port, kernel| paragraphs(None, port, kernel).pop().expect("something is said of any port");
        let narrow = Some(PortRange { first: 40_000, last: 50_000 });
        assert!(of(33_000, None).contains("by default: a connection"), "{}", of(33_000, None));
        assert!(of(33_000, narrow).contains("registered"), "{}", of(33_000, narrow));
        assert!(of(45_000, narrow).contains("This kernel gives 40000 to 50000"), "{}", of(45_000, narrow));
        assert!(of(61_000, None).ends_with("so not this one."), "{}", of(61_000, None));
    }

    #[test]
    fn both_protocols_are_told_unless_one_is_asked_for() {
        assert_eq!(usual_service(None, 69), Some("tftp"));
        assert_eq!(usual_service(Some(Protocol::Tcp), 69), None);
        assert!(paragraphs(None, 4000, None).join(" ").contains("QQ"));
    }
}
