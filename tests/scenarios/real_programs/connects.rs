//! Backends that do not answer, or refuse.

use std::process::Command;
use std::time::Duration;

use super::clients::HttpClients;
use super::programs::{Program, haproxy, nginx};
use super::verdicts::{BegunWithin, Cause, look};
use crate::namespace::alone_in_namespace;
use crate::setup::{ip, wait_until};

/// Proxies on port 8300 of a backend; `trouble` is what the backend does.
struct FailingBackend {
    rule: &'static str,
    place: &'static str,
    /// The longest that one attempt lasts.
    attempt: Duration,
}

impl FailingBackend {
    /// Every request fails, for as long as one looks.
    fn fails(&self, proxy: &Program) {
        let (begun, clients) = BegunWithin::during(|| {
            let clients = HttpClients::new(8, Duration::from_millis(200), 8300, "/", false);
            wait_until("requests fail", || clients.counts().1 > 8);
            clients
        });
        let look = look(6 + u32::try_from(self.attempt.as_secs()).expect("small"));
        let finding = Cause { rule: self.rule, of: &[proxy], place: self.place }.only(&look);
        assert_eq!(clients.counts().0, 0, "no request succeeds");
        // What was before the first look can only be told where the kernel kept it.
        let since = Duration::from_secs_f64(finding["since_seconds"].as_f64().expect("it has lasted"));
        let watched = (look.ended - look.began).saturating_sub(self.attempt + Duration::from_secs(3));
        assert!(since >= watched, "{since:?} of {watched:?}: {}", look.checked);
        assert!(since <= look.ended - begun.earliest + Duration::from_secs(2), "{since:?}: {}", look.checked);
        look.line_names(&[proxy.name, self.place.trim_start_matches("to ")]);
    }
}

/// A network on which nobody else is: what goes to 10.77.0.2 is lost.
fn dead_host() -> bool {
    let lines = [
        "link add name void type veth peer name nobody",
        "address add 10.77.0.1/24 dev void",
        "link set void up",
        "link set nobody up",
        "neighbour add 10.77.0.2 lladdr 02:00:00:00:00:02 dev void nud permanent",
    ];
    if !alone_in_namespace() {
        return false;
    }
    assert!(ip(&lines), "a new namespace is ours");
    true
}

/// Packets to this port of 127.0.0.1 are dropped, as by a firewall.
fn firewall(port: u16) -> bool {
    if !alone_in_namespace() {
        return false;
    }
    let rules = format!(
        "add table inet wall; add chain inet wall input {{ type filter hook input priority 0; }}; \
         add rule inet wall input tcp dport {port} drop"
    );
    let nft = Command::new("nft").arg(rules).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").output();
    let nft = nft.expect("nft is there (package nftables)");
    assert!(nft.status.success(), "{}", String::from_utf8_lossy(&nft.stderr));
    true
}

fn haproxy_to(server: &str, timeout: &str) -> Program {
    haproxy(
        8300,
        &format!(" timeout connect {timeout}\n retries 0"),
        &format!("frontend shop\n bind 127.0.0.1:8300\n default_backend app\nbackend app\n server app1 {server}"),
    )
}

fn nginx_to(server: &str) -> Program {
    let http = format!(
        "proxy_connect_timeout 1s; server {{ listen 127.0.0.1:8300; location / {{ proxy_pass http://{server}; }} }}"
    );
    nginx(8300, &http)
}

const SILENT: FailingBackend =
    FailingBackend { rule: "failing-connects", place: "to 10.77.0.2:8301", attempt: Duration::from_secs(1) };
const REFUSED: FailingBackend =
    FailingBackend { rule: "refused-connects", place: "to 127.0.0.1:8301", attempt: Duration::ZERO };

/// No attempt lasts long enough to look stuck, and none succeeds.
#[test]
fn haproxy_and_a_dead_host_for_one_second() {
    if dead_host() {
        SILENT.fails(&haproxy_to("10.77.0.2:8301", "1s"));
    }
}

/// Each attempt is seen to hang, but the trouble is older than any of them.
#[test]
fn haproxy_and_a_firewall_for_five_seconds() {
    if firewall(8301) {
        let silent = FailingBackend { place: "to 127.0.0.1:8301", attempt: Duration::from_secs(5), ..SILENT };
        silent.fails(&haproxy_to("127.0.0.1:8301", "5s"));
    }
}

/// The same from nginx.
#[test]
fn nginx_and_a_dead_host_for_one_second() {
    if dead_host() {
        SILENT.fails(&nginx_to("10.77.0.2:8301"));
    }
}

/// The backend is down: its host answers with a reset.
#[test]
fn haproxy_is_refused() {
    if alone_in_namespace() {
        REFUSED.fails(&haproxy_to("127.0.0.1:8301", "5s"));
    }
}

/// The same from nginx.
#[test]
fn nginx_is_refused() {
    if alone_in_namespace() {
        REFUSED.fails(&nginx_to("127.0.0.1:8301"));
    }
}
