//! What is shipped for monitoring: alert rules, the dashboard and the units name only what there is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use conntop::report::metrics::catalog::METRICS;
use regex::Regex;
use serde_json::Value;

use crate::program::conntop;
use crate::skip::skip;

static SERIES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bconntop_[a-z0-9_]+").expect("a pattern"));
static LABEL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"([a-z_]+)=~?""#).expect("a pattern"));

fn asset(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(asset(name)).expect(name)
}

/// Panics where `expression` names a series or a label that conntop does not write.
fn assert_exists(expression: &str) {
    let series: BTreeSet<&str> = METRICS.iter().map(|row| row.prometheus).collect();
    let of_metrics = METRICS.iter().flat_map(|row| row.labels).map(|label| label.prometheus);
    let labels: BTreeSet<&str> = of_metrics.chain(["instance", "job"]).collect();
    for name in SERIES.find_iter(expression) {
        assert!(series.contains(name.as_str()), "{}: {expression}", name.as_str());
    }
    for label in LABEL.captures_iter(expression) {
        assert!(labels.contains(&label[1]), "{}: {expression}", &label[1]);
    }
}

/// Runs promtool, of the Debian package prometheus.
fn promtool(arguments: &[&str], folder: &Path) {
    let output = Command::new("promtool").args(arguments).current_dir(folder).output();
    let output = output.expect("the package prometheus is installed, as .ci/test does");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {said}");
}

#[test]
fn the_rules_are_right_and_their_tests_pass() {
    let folder = asset("prometheus");
    promtool(&["check", "rules", "alerts.yml"], &folder);
    promtool(&["test", "rules", "alerts_test.yml"], &folder);
    let (rules, tests) = (text("prometheus/alerts.yml"), text("prometheus/alerts_test.yml"));
    rules.lines().filter(|line| line.trim().starts_with("expr: ")).for_each(assert_exists);
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 8, "{alerts:?}");
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert} has no test");
    }
}

#[test]
fn every_expression_of_the_dashboard_is_one_of_series_that_there_are() {
    let dashboard: Value = serde_json::from_str(&text("grafana/conntop.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    let expressions: Vec<&str> = targets.map(|target| target["expr"].as_str().expect("an expression")).collect();
    assert!(expressions.len() > panels.len() && panels.len() >= 10, "{expressions:?}");
    for expression in &expressions {
        assert_exists(expression);
    }
    for row in &METRICS {
        let is_shown = expressions.iter().any(|expression| expression.contains(row.prometheus));
        let is_part = row.prometheus.contains("_state_age_") || row.prometheus == "conntop_build_info";
        assert!(is_shown || is_part, "{} is on no panel", row.prometheus);
    }
    // Prometheus itself says whether they are expressions, once Grafana's variables have a value.
    let folder = tempfile::tempdir().expect("a directory");
    let rule = |(nth, expression): (usize, &&str)| {
        let expression = expression.replace("$__rate_interval", "5m").replace("$instance", ".*");
        format!("  - record: a{nth}\n    expr: '{expression}'\n")
    };
    let rules: String = expressions.iter().enumerate().map(rule).collect();
    fs::write(folder.path().join("a.yml"), format!("groups:\n- name: a\n  rules:\n{rules}")).expect("written");
    promtool(&["check", "rules", "a.yml"], folder.path());
    let ids: BTreeSet<u64> = panels.iter().filter_map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len());
}

/// The command line of a unit must be understood, and what it writes must be what it may write.
#[test]
fn the_units_start_what_there_is_and_are_hardened_alike() {
    let units = ["systemd/conntop-metrics.service", "systemd/conntop-metrics-once.service"];
    let hardening = |unit: &str| -> Vec<String> {
        let keys = ["Protect", "Private", "Restrict", "Capability", "NoNew", "SystemCall", "Memory", "ReadWritePaths"];
        let of_unit = text(unit);
        let lines = of_unit.lines().filter(|line| keys.iter().any(|key| line.starts_with(key)));
        lines.filter(|line| !line.starts_with("RestartSec")).map(str::to_owned).collect()
    };
    assert!(hardening(units[0]).len() > 15, "{:?}", hardening(units[0]));
    assert_eq!(hardening(units[0]), hardening(units[1]));
    for unit in units {
        let text = text(unit);
        let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a command");
        let (program, arguments) = line.split_once(' ').expect("arguments");
        assert!(Path::new(program).is_absolute() && program.ends_with("/conntop"), "{line}");
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let output = arguments.iter().position(|word| *word == "--output").map(|at| arguments[at + 1]).expect("a file");
        let folder = Path::new(output).parent().expect("a directory").display().to_string();
        assert!(text.contains(&format!("ReadWritePaths={folder}\n")), "{unit}: {output}");
        conntop().args(&arguments).arg("--help").assert().success();
    }
    let timer = text("systemd/conntop-metrics-once.timer");
    assert!(timer.contains("WantedBy=timers.target") && timer.contains("OnUnitActiveSec="), "{timer}");
}

/// systemd itself says whether they are units: it knows every key, and whether the program is there.
#[test]
fn systemd_takes_the_units() {
    let folder = tempfile::tempdir().expect("a directory");
    let names = ["conntop-metrics.service", "conntop-metrics-once.service", "conntop-metrics-once.timer"];
    for name in names {
        let unit = text(&format!("systemd/{name}")).replace("/usr/local/bin/conntop", env!("CARGO_BIN_EXE_conntop"));
        fs::write(folder.path().join(name), unit).expect("written");
    }
    let verified =
        Command::new("systemd-analyze").args(["verify", "--man=no"]).args(names).current_dir(folder.path()).output();
    let Ok(verified) = verified else { return skip("systemd-analyze cannot be started") };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
}
