//! The whole way of an alert, with the real Prometheus and `node_exporter`: a program leaks, conntop writes, the textfile collector
//! reads, Prometheus scrapes and fires the shipped alert with the program in its label; the program closes, and the alert ends.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::namespace::alone_in_namespace;
use crate::setup::{TIMEOUT, server_and_client, wait_for_sockets};

/// More than `ConntopCloseWaitLeak` of the shipped rules takes.
const LEAKED: usize = 60;

/// A program that ends with the value.
struct Running(Child);

impl Running {
    fn new(program: &str, arguments: &[&str]) -> Self {
        let child = Command::new(program)
            .args(arguments)
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap_or_else(|error| panic!("{program}: {error}; .ci/test installs it")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What `url` answers; `None` while nobody does.
fn get(url: &str) -> Option<String> {
    let output = Command::new("curl").args(["-sf", "--max-time", "5", url]).output().expect("curl is there");
    output.status.success().then(|| String::from_utf8(output.stdout).expect("UTF-8"))
}

/// What `ask` finds in the end; `what` says what that is.
fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + 2 * TIMEOUT;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "it never happened that {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The labels of the leak alerts that fire; `None` while Prometheus does not answer.
fn leaks() -> Option<Vec<Value>> {
    let answer: Value = serde_json::from_str(&get("http://127.0.0.1:9090/api/v1/alerts")?).expect("JSON");
    let alerts = answer["data"]["alerts"].as_array().expect("a list");
    let firing = alerts
        .iter()
        .filter(|alert| alert["state"] == "firing" && alert["labels"]["alertname"] == "ConntopCloseWaitLeak");
    Some(firing.map(|alert| alert["labels"].clone()).collect())
}

/// The shipped rules, that need not last so long as on a real host.
fn hasty_rules(folder: &Path) {
    let rules =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/prometheus/alerts.yml")).expect("rules");
    let hasty: Vec<&str> =
        rules.lines().map(|line| if line.trim().starts_with("for: ") { "        for: 2s" } else { line }).collect();
    fs::write(folder.join("alerts.yml"), hasty.join("\n")).expect("written");
}

/// Prometheus, scraping `node_exporter` each second, which reads the text files of `folder`.
fn monitoring(folder: &Path) -> [Running; 2] {
    let config = "\
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [alerts.yml]
scrape_configs: [{job_name: node, static_configs: [{targets: ['127.0.0.1:9100']}]}]
";
    hasty_rules(folder);
    fs::write(folder.join("prometheus.yml"), config).expect("written");
    let path = |name: &str| folder.join(name).display().to_string();
    let exporter = Running::new(
        "prometheus-node-exporter",
        &[
            "--web.listen-address=127.0.0.1:9100",
            "--collector.disable-defaults",
            "--collector.textfile",
            &format!("--collector.textfile.directory={}", folder.display()),
        ],
    );
    let prometheus = Running::new(
        "prometheus",
        &[
            &format!("--config.file={}", path("prometheus.yml")),
            &format!("--storage.tsdb.path={}", path("data")),
            "--web.listen-address=127.0.0.1:9090",
        ],
    );
    [exporter, prometheus]
}

#[test]
fn an_alert_fires_for_the_program_that_leaks_and_ends_when_it_closes() {
    if !alone_in_namespace() {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("conntop.prom");
    let (mut leaky, mut client) = server_and_client("leaky", "127.0.0.1 7101 128 leak", "client");
    let conntop = env!("CARGO_BIN_EXE_conntop");
    let _conntop = Running::new(conntop, &["metrics", "--every", "1", "--output", &file.display().to_string()]);
    let _monitoring = monitoring(folder.path());
    eventually("Prometheus answers and no alert fires", || leaks().filter(Vec::is_empty));

    client.tell(&format!("connect 127.0.0.1 7101 {LEAKED}"));
    client.tell("close");
    wait_for_sockets("state close-wait sport = :7101", LEAKED);
    let labels = eventually("the alert fires", || leaks().filter(|alerts| !alerts.is_empty()));
    assert_eq!(labels.len(), 1, "{labels:?}");
    assert_eq!((&labels[0]["process"], &labels[0]["state"]), (&"leaky".into(), &"close_wait".into()), "{labels:?}");
    assert_eq!(labels[0]["instance"], "127.0.0.1:9100");

    // What node_exporter makes of the file: all of it, with our help, and no error.
    let scraped = get("http://127.0.0.1:9100/metrics").expect("it answers");
    assert!(scraped.contains("\nnode_textfile_scrape_error 0\n"), "{scraped}");
    assert!(scraped.contains("# HELP conntop_tcp_transitions_total Changes of state"), "{scraped}");
    assert!(scraped.contains("# TYPE conntop_tcp_connections gauge"), "{scraped}");
    let families = |text: &str| text.matches("# HELP conntop_").count();
    let written = fs::read_to_string(&file).expect("there");
    assert_eq!(families(&scraped), families(&written), "{scraped}");

    // The counter has grown by as many sockets as came into CLOSE_WAIT.
    let query = "http://127.0.0.1:9090/api/v1/query?query=\
        conntop_tcp_transitions_total%7Bfrom%3D%22established%22%2Cto%3D%22close_wait%22%7D";
    let counted = |answer: &Value| -> Option<usize> {
        answer["data"]["result"][0]["value"][1].as_str().and_then(|value| value.parse().ok())
    };
    let ask = || Some(serde_json::from_str::<Value>(&get(query)?).expect("JSON"));
    eventually("all are counted", || ask().as_ref().and_then(counted).filter(|count| *count >= LEAKED));

    leaky.tell("close");
    wait_for_sockets("state close-wait sport = :7101", 0);
    eventually("the alert ends", || leaks().filter(Vec::is_empty));
}
