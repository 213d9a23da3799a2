//! Which processes usually hold a port: those of the catalogue (`assets/ports.toml`), and those that hold any port. What a
//! port invites by the process that holds it: a number alone does not identify a program.

use crate::knowledge::ports::{self, PortRow};
use crate::model::endpoint::Protocol;
use crate::model::text::floor_char_boundary;

/// What forwards any port for others, or holds it for them: super-servers, proxies, container runtimes, tunnels.
const HOLD_ANY_PORT: &[&str] = &[
    "systemd",
    "init",
    "inetd",
    "xinetd",
    "docker-proxy",
    "dockerd",
    "containerd-shim",
    "conmon",
    "rootlessport",
    "rootlesskit",
    "slirp4netns",
    "pasta",
    "passt",
    "gvproxy",
    "haproxy",
    "envoy",
    "linkerd2-proxy",
    "nginx",
    "caddy",
    "traefik",
    "nutcracker",
    "toxiproxy-server",
    "stunnel",
    "stunnel4",
    "sslh",
    "socat",
    "ssh",
    "sshd",
    "kubectl",
    "kube-proxy",
    "kubelet",
    "k3s-server",
    "cilium-agent",
    "tailscaled",
    "cloudflared",
    "cloud-sql-proxy",
    "cloud_sql_proxy",
    "session-manager-plugin",
    "teleport",
    "tsh",
];

/// What runs any program: that it holds a port does not say which service that is, nor that another one is odd.
const RUNTIMES: &[&str] = &["java", "node", "python3", "dotnet", "beam.smp", "busybox"];

/// `comm` holds so many bytes (`TASK_COMM_LEN`, include/linux/sched.h).
const COMM_LEN_MAX: usize = 15;

/// Whether a process called `name` is one that usually serves `port`, or may hold any port.
pub fn is_usual(protocol: Protocol, port: u16, name: &str) -> bool {
    let usual = ports::usual_owners(protocol, port);
    usual.iter().any(|known| is_called(name, known)) || HOLD_ANY_PORT.iter().any(|known| is_called(name, known))
}

/// Whether a process called `name` (`comm`, which the kernel cuts) is the program `known`.
fn is_called(name: &str, known: &str) -> bool {
    name == &known[..floor_char_boundary(known, COMM_LEN_MAX)]
}

/// How it is known what a port invites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// A process that holds it is known to be that service.
    Program,
    /// Only by the number of the port: it may be something else.
    Port,
}

impl Basis {
    /// Every basis.
    pub const ALL: [Self; 2] = [Self::Program, Self::Port];

    /// The name in JSON.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Port => "port",
        }
    }
}

/// What a listener invites where it can be reached.
#[derive(Clone, Copy, Debug)]
pub struct Invites {
    /// The row of the catalogue.
    pub row: &'static PortRow,
    /// How it is known that it is this one.
    pub basis: Basis,
}

impl Invites {
    /// The risk in words; where only the port is known, it says that this is only what may be.
    pub fn text(&self) -> Option<String> {
        let risk = self.row.risk.as_deref()?;
        Some(match self.basis {
            Basis::Program => risk.to_owned(),
            Basis::Port => format!("By its port it may be {}. {risk}", self.row.usually_within()),
        })
    }
}

/// What a listener on `port` invites that is held by processes called `names`, none where they are not known: the worst of
/// what one of them is, else the worst of what may be there. A runtime narrows it down and is no proof.
pub fn invites<'n>(protocol: Protocol, port: u16, names: &(impl Iterator<Item = &'n str> + Clone)) -> Option<Invites> {
    let serves = |row: &&PortRow, is_counted: fn(&str) -> bool| {
        row.servers().filter(|known| is_counted(known)).any(|known| names.clone().any(|name| is_called(name, known)))
    };
    let worst_for =
        |is_counted| ports::worst_of(ports::catalogue(protocol, port).filter(|row| serves(row, is_counted)));
    if let Some(row) = worst_for(|known| !RUNTIMES.contains(&known)) {
        return Some(Invites { row, basis: Basis::Program });
    }
    let row = worst_for(|_| true).or_else(|| ports::worst(protocol, port))?;
    Some(Invites { row, basis: Basis::Port })
}

/// The program that usually serves `port`; `None` where none does, or only a runtime that serves anything.
pub fn usual_program(protocol: Protocol, port: u16) -> Option<&'static str> {
    let usual = ports::usual_owners(protocol, port).first()?;
    (!RUNTIMES.contains(&usual.as_str())).then_some(usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_owners_are_known_by_their_cut_names_too() {
        assert!(is_usual(Protocol::Tcp, 22, "sshd") && is_usual(Protocol::Udp, 53, "systemd-resolve"));
        assert!(is_usual(Protocol::Tcp, 3306, "docker-proxy") && is_usual(Protocol::Tcp, 5432, "session-manager"));
        assert!(!is_usual(Protocol::Tcp, 22, "python3"));
        assert!(ports::usual_owners(Protocol::Tcp, 80).is_empty(), "anything may serve the web");
    }

    fn risk_of(port: u16, names: &[&str]) -> (&'static str, Basis) {
        let invites = invites(Protocol::Tcp, port, &names.iter().copied()).expect("it has a row");
        (invites.row.service.as_deref().unwrap_or("a range"), invites.basis)
    }

    #[test]
    fn what_a_port_invites_is_told_by_the_program_that_holds_it() {
        for (port, name, service) in [
            (8080, "tinyproxy", "http-alt"),
            (8080, "nginx", "a range"),
            (8888, "apache2", "a range"),
            (8888, "jupyter-lab", "jupyter"),
            (9090, "prometheus", "prometheus"),
            (3128, "squid", "squid"),
            (1080, "danted", "socks"),
            (2222, "sshd", "ssh-alt"),
            (514, "rsyslogd", "syslog"),
            (514, "in.rshd", "shell"),
            (80, "nginx", "http"),
            (80, "squid", "http-proxy"),
            (6379, "redis-server", "redis"),
            (50_000, "db2sysc", "db2"),
        ] {
            assert_eq!(risk_of(port, &[name]), (service, Basis::Program), "{name} on {port}");
        }
        assert_eq!(
            risk_of(6379, &["systemd", "redis-server"]),
            ("redis", Basis::Program),
            "one of its holders is enough"
        );
    }

    #[test]
    fn of_a_program_that_no_row_names_is_said_only_what_may_be() {
        for (port, name) in [(8080, "my-api"), (3128, "node"), (1080, "ssh"), (6379, "python3"), (8888, "docker-proxy")]
        {
            assert_eq!(risk_of(port, &[name]).1, Basis::Port, "{name} on {port}");
        }
        assert_eq!(risk_of(50_000, &["my-api"]), ("sap", Basis::Port), "the worst of what may be");
        assert_eq!((risk_of(8080, &[]).1, risk_of(1080, &[]).1), (Basis::Port, Basis::Port), "a hidden process");
    }

    #[test]
    fn a_runtime_narrows_down_what_may_be_and_proves_nothing() {
        assert_eq!(risk_of(8080, &["java"]), ("tomcat", Basis::Port));
        assert_eq!(risk_of(7001, &["java"]), ("weblogic", Basis::Port));
        assert_eq!(risk_of(9200, &["java"]), ("elasticsearch", Basis::Port));
    }

    #[test]
    fn every_row_with_a_risk_is_stated_of_its_own_programs_only() {
        for row in ports::rows().iter().filter(|row| row.danger.is_some()) {
            let (port, _) = row.range();
            let protocol = Protocol::ALL.into_iter().find(|one| row.covers(*one, port)).expect("a protocol");
            let stranger = invites(protocol, port, &std::iter::once("my-own-program")).expect("a row");
            let text = stranger.text().expect("a risk");
            assert!(stranger.basis == Basis::Port && text.starts_with("By its port it may be "), "{text}");
            assert!(!text.contains("be A ") && !text.contains("be The "), "{text}");
            for name in row.servers().filter(|name| !RUNTIMES.contains(name)) {
                let own = invites(protocol, port, &std::iter::once(name)).expect("a row");
                assert!(own.basis == Basis::Program && own.row.servers().any(|known| known == name), "{name} {own:?}");
            }
        }
    }

    #[test]
    fn a_runtime_is_no_program() {
        assert_eq!(usual_program(Protocol::Tcp, 6379), Some("redis-server"));
        assert_eq!((usual_program(Protocol::Tcp, 7001), usual_program(Protocol::Tcp, 8080)), (None, None));
        assert!(is_usual(Protocol::Tcp, 7001, "java") && !is_usual(Protocol::Tcp, 7001, "node"));
    }
}
