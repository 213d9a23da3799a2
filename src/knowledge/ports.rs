//! What a port usually is and what it invites: the catalogue `assets/ports.toml`, and the common names of
//! `assets/services.txt` beyond it.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::model::endpoint::Protocol;

/// One row of the catalogue. One port may have several.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortRow {
    ports: PortsField,
    protocol: ProtocolField,
    /// The short name; `None` for a range that holds many services.
    pub service: Option<String>,
    /// What is usually behind it.
    pub usually: String,
    /// What it invites when it is exposed; `None` where there is nothing special to say.
    pub risk: Option<String>,
    /// How bad that is; `None` without a risk.
    pub danger: Option<Danger>,
    /// Whether the service as it comes lets in whoever reaches it.
    #[serde(default)]
    pub private: bool,
    /// The processes (`comm`) that usually serve it; empty where that says nothing.
    #[serde(default)]
    pub owners: Vec<String>,
    /// More processes (`comm`) that are this service; that another one has the port is nothing odd.
    #[serde(default)]
    pub programs: Vec<String>,
}

/// How bad it is that a port can be reached from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Danger {
    /// Meant to be reached, with care.
    Low,
    /// A password or a flaw away from harm.
    Medium,
    /// Taken over, or read by anyone, without a password.
    High,
}

impl Danger {
    /// Every danger, the smallest first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The name in JSON and text.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum PortsField {
    One(u16),
    Range(u16, u16),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ProtocolField {
    Tcp,
    Udp,
    Both,
}

impl PortRow {
    /// The first and the last port of the row.
    pub const fn range(&self) -> (u16, u16) {
        match self.ports {
            PortsField::One(port) => (port, port),
            PortsField::Range(first, last) => (first, last),
        }
    }

    /// The protocols of the row, as people write them: `tcp`, `udp`, `tcp+udp`.
    pub const fn protocols(&self) -> &'static str {
        match self.protocol {
            ProtocolField::Tcp => "tcp",
            ProtocolField::Udp => "udp",
            ProtocolField::Both => "tcp+udp",
        }
    }

    /// The processes (`comm`) that are this service.
    pub fn servers(&self) -> impl Iterator<Item = &str> {
        self.owners.iter().chain(&self.programs).map(String::as_str)
    }

    /// What is usually behind it, as it goes on within a sentence: `a SOCKS proxy`, `Redis`.
    pub fn usually_within(&self) -> String {
        let text = self.usually.trim_end_matches('.');
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        if PLAIN_WORDS.contains(&first) { format!("{} {rest}", first.to_lowercase()) } else { text.to_owned() }
    }

    /// Whether the row is about this port.
    pub fn covers(&self, protocol: Protocol, port: u16) -> bool {
        let (first, last) = self.range();
        let fits = match self.protocol {
            ProtocolField::Tcp => protocol.of_ports() == Protocol::Tcp,
            ProtocolField::Udp => protocol.of_ports() == Protocol::Udp,
            ProtocolField::Both => true,
        };
        fits && (first..=last).contains(&port)
    }
}

/// First words of [`PortRow::usually`] that have a capital letter only because they come first.
const PLAIN_WORDS: [&str; 6] = ["A", "An", "The", "File", "Mail", "Remote"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PortsFile {
    port: Vec<PortRow>,
}

static CATALOGUE: LazyLock<Vec<PortRow>> = LazyLock::new(|| {
    let file: PortsFile = toml::from_str(include_str!("../../assets/ports.toml")).expect("assets/ports.toml is tested");
    file.port
});

/// Names by protocol and port, and the ports by name; the first of several counts.
struct ServiceNames {
    names: FxHashMap<(Protocol, u16), &'static str>,
    ports: FxHashMap<&'static str, u16>,
}

static SERVICES: LazyLock<ServiceNames> = LazyLock::new(|| {
    let mut services = ServiceNames { names: FxHashMap::default(), ports: FxHashMap::default() };
    for row in CATALOGUE.iter() {
        let (Some(name), (port, _)) = (row.service.as_deref(), row.range()) else { continue };
        for protocol in Protocol::ALL.into_iter().filter(|protocol| row.covers(*protocol, port)) {
            services.add(protocol, port, name);
        }
    }
    for (protocol, port, name) in common_names() {
        services.add(protocol, port, name);
    }
    services
});

impl ServiceNames {
    fn add(&mut self, protocol: Protocol, port: u16, name: &'static str) {
        self.names.entry((protocol, port)).or_insert(name);
        self.ports.entry(name).or_insert(port);
    }
}

/// The lines `port/protocol name` of the table of common names.
fn common_names() -> impl Iterator<Item = (Protocol, u16, &'static str)> {
    let lines = include_str!("../../assets/services.txt").lines();
    lines.filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (place, name) = line.split_once(' ')?;
        let (port, protocol) = place.split_once('/')?;
        let protocol = Protocol::ALL.into_iter().find(|known| known.name() == protocol)?;
        Some((protocol, port.parse().ok()?, name))
    })
}

/// The usual service on `port`, from the catalogue, else from the common names; `None` if unnamed.
pub fn service(protocol: Protocol, port: u16) -> Option<&'static str> {
    SERVICES.names.get(&(protocol.of_ports(), port)).copied()
}

/// The port that the service called `name` usually has; `None` if no service is called so.
pub fn port_of(name: &str) -> Option<u16> {
    SERVICES.ports.get(name.to_ascii_lowercase().as_str()).copied().or_else(|| also_called(name))
}

/// Names that people use and IANA does not.
fn also_called(name: &str) -> Option<u16> {
    let known = [("dns", 53), ("rdp", 3389), ("smb", 445), ("postgres", 5432), ("mssql", 1433), ("imap2", 143)];
    known.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, port)| *port)
}

/// Every name of a service, in no order that means anything.
pub fn service_names() -> impl Iterator<Item = &'static str> {
    SERVICES.ports.keys().copied()
}

/// Every port that has a service, with its name, in no order that means anything.
pub fn services() -> impl Iterator<Item = (Protocol, u16, &'static str)> {
    SERVICES.names.iter().map(|((protocol, port), name)| (*protocol, *port, *name))
}

/// Every row of the catalogue.
pub fn rows() -> &'static [PortRow] {
    &CATALOGUE
}

/// The rows of the catalogue about `port`, the one that names it first.
pub fn catalogue(protocol: Protocol, port: u16) -> impl Iterator<Item = &'static PortRow> {
    CATALOGUE.iter().filter(move |row| row.covers(protocol, port))
}

/// The row about `port` with the greatest danger, the first of several.
pub fn worst(protocol: Protocol, port: u16) -> Option<&'static PortRow> {
    worst_of(catalogue(protocol, port))
}

/// That of `rows` with the greatest danger, the first of several.
pub fn worst_of(rows: impl Iterator<Item = &'static PortRow>) -> Option<&'static PortRow> {
    let rows = rows.filter(|row| row.danger.is_some());
    rows.reduce(|worst, row| if row.danger > worst.danger { row } else { worst })
}

/// The rows of the catalogue that rules ask for, by protocol and port.
struct RowsForRules {
    private: FxHashMap<(Protocol, u16), &'static PortRow>,
    owned: FxHashMap<(Protocol, u16), &'static PortRow>,
}

static ROWS_FOR_RULES: LazyLock<RowsForRules> = LazyLock::new(|| {
    let mut watched = RowsForRules { private: FxHashMap::default(), owned: FxHashMap::default() };
    for row in CATALOGUE.iter() {
        let (port, _) = row.range();
        for protocol in Protocol::ALL.into_iter().filter(|protocol| row.covers(*protocol, port)) {
            if row.private {
                watched.private.entry((protocol, port)).or_insert(row);
            }
            if !row.owners.is_empty() {
                watched.owned.entry((protocol, port)).or_insert(row);
            }
        }
    }
    watched
});

/// The row of a service on `port` that lets in whoever reaches it.
pub fn danger(protocol: Protocol, port: u16) -> Option<&'static PortRow> {
    ROWS_FOR_RULES.private.get(&(protocol, port)).copied()
}

/// The processes that usually serve `port`; none where that says nothing.
pub fn usual_owners(protocol: Protocol, port: u16) -> &'static [String] {
    ROWS_FOR_RULES.owned.get(&(protocol, port)).map_or(&[], |row| &row.owners)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 6 of the article: every port it names must be in the catalogue.
    const ARTICLE_TCP: &[u16] = &[
        80, 81, 89, 8000, 8500, 9090, 443, 8080, 3128, 8081, 9098, 8089, 9080, 1158, 2100, 8649, 3306, 5432, 50000,
        1521, 1433, 1434, 445, 873, 2049, 4000, 5984, 6379, 7001, 7002, 9200, 9300, 11211, 27017, 27018, 28017, 50070,
        50030, 53, 20, 21, 22, 23, 2601, 2604, 3389, 25, 110, 1080, 389, 512, 513, 514, 111, 1025, 2082, 2083, 2222,
        3311, 3312, 4440, 5900, 6082, 7778, 8083, 8888, 10000,
    ];
    const ARTICLE_UDP: &[u16] = &[443, 1433, 1434, 53, 69, 161, 4000, 8000];

    #[test]
    fn the_catalogue_holds_every_port_of_the_article() {
        for port in ARTICLE_TCP {
            assert!(catalogue(Protocol::Tcp, *port).next().is_some(), "tcp {port}");
        }
        for port in ARTICLE_UDP {
            assert!(catalogue(Protocol::Udp, *port).next().is_some(), "udp {port}");
        }
    }

    #[test]
    fn rows_are_whole_sentences_and_ranges_the_right_way_round() {
        for row in CATALOGUE.iter() {
            let (first, last) = row.range();
            assert!(first <= last, "{row:?}");
            assert!(row.usually.ends_with('.'), "{row:?}");
            assert!(row.risk.as_ref().is_none_or(|risk| risk.ends_with('.')), "{row:?}");
            assert_eq!(row.risk.is_some(), row.danger.is_some(), "a risk has a danger: {row:?}");
            assert!(!row.private || row.danger == Some(Danger::High), "{row:?}");
            assert_eq!(row.service.is_none(), first < last, "a row has a service or a range: {row:?}");
        }
    }

    #[test]
    fn the_worst_of_several_rows_counts() {
        let danger = |protocol, port| worst(protocol, port).and_then(|row| row.danger);
        assert_eq!(danger(Protocol::Tcp, 6379), Some(Danger::High));
        assert_eq!(danger(Protocol::Tcp, 50_000), Some(Danger::High), "DB2 or SAP");
        assert_eq!(danger(Protocol::Tcp, 8080), Some(Danger::Medium), "above the range it stands in");
        assert_eq!(danger(Protocol::Tcp, 22), Some(Danger::Low));
        assert_eq!(danger(Protocol::Tcp, 64_999), None);
        assert_eq!(danger(Protocol::Udp, 6379), None);
        assert!(Danger::ALL.is_sorted());
    }

    #[test]
    fn a_service_that_lets_anyone_in_says_what_it_invites() {
        for row in CATALOGUE.iter().filter(|row| row.private) {
            assert!(row.risk.is_some() && row.service.is_some(), "{row:?}");
        }
        assert!(danger(Protocol::Tcp, 6379).is_some() && danger(Protocol::Tcp, 22).is_none());
    }

    #[test]
    fn services_are_found_by_port_and_by_name() {
        assert_eq!(service(Protocol::Tcp, 443), Some("https"));
        assert_eq!(service(Protocol::Udp, 443), Some("https"));
        assert_eq!(service(Protocol::Tcp, 6379), Some("redis"));
        assert_eq!(service(Protocol::Tcp, 5222), Some("xmpp-client"));
        assert_eq!(service(Protocol::Tcp, 64_999), None);
        assert_eq!(port_of("HTTPS"), Some(443));
        assert_eq!(port_of("dns"), Some(53));
        assert_eq!(port_of("no-such"), None);
    }

    #[test]
    fn every_line_of_the_common_names_is_read() {
        let lines = include_str!("../../assets/services.txt").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(common_names().count(), lines);
        assert!(lines > 150);
    }
}
