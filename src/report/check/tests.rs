//! Tests with hand-made findings.

use super::*;
use crate::report::findings::testing::{descriptors, leak, store};

fn checked(check: &Check, findings: &[Finding]) -> (CheckStatus, String) {
    let thresholds = Thresholds::default();
    let found = CheckInput {
        findings,
        left_out: 0,
        ignored: 0,
        thresholds: &thresholds,
        watched: Duration::from_millis(1_500),
    };
    let mut out = Vec::new();
    let status = check.write(&store(), found, &mut out).expect("a vector takes all");
    (status, String::from_utf8(out).expect("text"))
}

fn fail_on(names: &[&str]) -> Check {
    Check { fail_on: CheckFailOn::parse(names.iter().copied()).expect("known names"), ..Check::default() }
}

fn filtered(text: &str) -> Check {
    Check { filter: Filter::parse(text).expect("valid"), ..Check::default() }
}

#[test]
fn text_is_what_a_monitoring_plugin_prints() {
    let (status, text) = checked(&Check::default(), &[leak(), descriptors()]);
    assert_eq!(status, CheckStatus::Critical);
    assert_eq!(text.matches('|').count(), 1, "only performance data stands behind the `|`: {text}");
    insta::assert_snapshot!(text);
}

#[test]
fn json_has_every_field_in_the_order_of_the_contract() {
    let (_, text) = checked(&Check { format: DocumentFormat::Json, ..Check::default() }, &[leak(), descriptors()]);
    let value: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
    let keys: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "schema",
            "at",
            "host",
            "source",
            "coverage",
            "status",
            "watched_seconds",
            "findings",
            "findings_left_out",
            "ignored"
        ]
    );
    assert_eq!(value["findings"][0]["examples"][0]["lport"], 51_234);
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).expect("JSON"));
}

#[test]
fn nothing_found_is_ok_in_both_formats() {
    let (status, text) = checked(&Check::default(), &[]);
    assert_eq!(status, CheckStatus::Ok);
    assert!(text.starts_with("CONNTOP OK - no problems in 3 sockets | sockets=3 "), "{text}");
    let (status, text) = checked(&Check { format: DocumentFormat::Json, ..Check::default() }, &[]);
    let value: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
    assert_eq!((status, &value["status"], &value["findings"]), (CheckStatus::Ok, &"ok".into(), &serde_json::json!([])));
}

#[test]
fn the_status_is_that_of_the_worst_finding_that_counts() {
    let both = [leak(), descriptors()];
    for (names, status) in [
        (&[][..], CheckStatus::Critical),
        (&["critical"], CheckStatus::Critical),
        (&["warning"], CheckStatus::Critical),
        (&["descriptor-limit"], CheckStatus::Warning),
        (&["descriptor-limit", "close-wait-leak"], CheckStatus::Critical),
        (&["orphans"], CheckStatus::Ok),
        (&["orphans", "warning", "critical"], CheckStatus::Critical),
    ] {
        let (found, text) = checked(&fail_on(names), &both);
        assert_eq!(found, status, "{names:?}");
        assert!(text.contains("[critical] close-wait-leak") && text.contains("[warning] descriptor-limit"), "{text}");
    }
    let (status, text) = checked(&fail_on(&["critical"]), &[descriptors()]);
    assert_eq!(status, CheckStatus::Ok);
    assert!(text.starts_with("CONNTOP OK - 1 problem, none that --fail-on names: nginx[812] uses"), "{text}");
}

#[test]
fn a_filter_keeps_findings_about_the_sockets_it_shows() {
    let both = [leak(), descriptors()];
    for (filter, status, rules) in [
        ("process:jdbc", CheckStatus::Critical, &["close-wait-leak"][..]),
        ("rport:5432", CheckStatus::Critical, &["close-wait-leak"]),
        ("process:nginx", CheckStatus::Warning, &["descriptor-limit"]),
        ("state:listen", CheckStatus::Warning, &["descriptor-limit"]),
        ("state:close-wait or lport:80", CheckStatus::Critical, &["close-wait-leak", "descriptor-limit"]),
        ("rport:1", CheckStatus::Ok, &[]),
    ] {
        let (found, text) = checked(&filtered(filter), &both);
        assert_eq!(found, status, "{filter}");
        let told = ["close-wait-leak", "descriptor-limit"].into_iter().filter(|rule| text.contains(rule));
        assert_eq!(told.collect::<Vec<_>>(), rules, "{filter}: {text}");
    }
}

#[test]
fn a_finding_without_a_filter_is_about_its_examples() {
    let finding = Finding { filter: String::new(), ..leak() };
    assert_eq!(checked(&filtered("lport:51234"), std::slice::from_ref(&finding)).0, CheckStatus::Critical);
    assert_eq!(checked(&filtered("lport:80"), &[finding]).0, CheckStatus::Ok);
}

#[test]
fn what_to_do_is_said_once_for_each_rule() {
    let mut other = leak();
    other.key.netns = crate::model::socket::NetnsId(9);
    let (_, text) = checked(&Check::default(), &[leak(), other, descriptors()]);
    assert_eq!(text.matches("as above").count(), 1, "{text}");
    assert_eq!(text.matches("No sysctl ends CLOSE_WAIT").count(), 1, "{text}");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let error = |name| CheckFailOn::parse([name].into_iter()).expect_err("unknown");
    assert_eq!(error("close-wait-leek"), "unknown rule or severity 'close-wait-leek'; did you mean 'close-wait-leak'?");
    assert!(error("elephant").contains("conntop explain"));
}
