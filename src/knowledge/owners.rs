//! Which processes usually hold a port: those of the catalogue (`assets/ports.toml`), and those that hold any port.

use crate::knowledge::ports;
use crate::model::endpoint::Protocol;

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
    let is_name = |known: &str| name == &known[..known.floor_char_boundary(COMM_LEN_MAX)];
    let usual = ports::usual_owners(protocol, port);
    usual.iter().any(|known| is_name(known)) || HOLD_ANY_PORT.iter().any(|known| is_name(known))
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

    #[test]
    fn a_runtime_is_no_program() {
        assert_eq!(usual_program(Protocol::Tcp, 6379), Some("redis-server"));
        assert_eq!((usual_program(Protocol::Tcp, 7001), usual_program(Protocol::Tcp, 8080)), (None, None));
        assert!(is_usual(Protocol::Tcp, 7001, "java") && !is_usual(Protocol::Tcp, 7001, "node"));
    }
}
