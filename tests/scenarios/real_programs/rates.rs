//! Connections that are made and closed for every request.

use std::time::Duration;

use super::clients::HttpClients;
use super::programs::nginx;
use super::verdicts::{Cause, look};
use crate::namespace::alone_in_namespace;

/// nginx without `keepalive` to its upstream: the upstream closes, and `TIME_WAIT` is at its end.
#[test]
fn nginx_connects_for_every_request() {
    if !alone_in_namespace() {
        return;
    }
    let _upstream = nginx(8602, "keepalive_timeout 0; server { listen 127.0.0.1:8602; }");
    let http = "keepalive_requests 1000000; server { listen 127.0.0.1:8601; location / { proxy_pass http://127.0.0.1:8602; } }";
    let proxy = nginx(8601, http);
    let clients = HttpClients::new(10, Duration::from_millis(5), 8601, "/small", true);
    let look = look(12);
    assert_eq!(clients.counts().1, 0, "every request succeeds");
    assert!(clients.counts().0 > 15_000, "{:?}: this machine is too slow for the test", clients.counts());
    let finding = Cause { rule: "churn", of: &[&proxy], place: "to 127.0.0.1:8602" }.only(&look);
    assert!(finding["sentence"].as_str().is_some_and(|words| words.contains("/s")), "{}", look.checked);
    look.line_names(&["nginx", "8602"]);
}
