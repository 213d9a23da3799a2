//! The findings: told, chosen, followed to their sockets and their process.

use super::*;
use std::sync::Arc;

use crate::diagnosis::finding::{
    CausedFindings, Finding, FindingKey, FindingScope, ProcessShare, ProgramName, Severity,
};
use crate::diagnosis::rule::Rule;
use crate::model::testing::destination;

fn leak(pid: u32, severity: Severity) -> Finding {
    let process = process(pid, &format!("pool-{pid}"));
    Finding {
        key: FindingKey {
            rule: Rule::CloseWaitLeak,
            program: Some(ProgramName::of(&process)),
            scope: FindingScope::To(destination("10.0.0.20:443")),
            netns: NetnsId(0),
            listener: None,
        },
        severity,
        sentence: format!("pool[{pid}] leaks CLOSE_WAIT"),
        why: "never closed",
        program: Some(process.name.clone()),
        processes: 1,
        process_shares: vec![ProcessShare { process: Arc::clone(&process), sockets: 1 }],
        process: Some(process),
        state: Some(TcpState::CloseWait),
        sockets: 1,
        examples: vec![id(u64::from(pid))],
        evidence: Vec::new(),
        slope: None,
        since: None,
        first_found: Timestamp::default(),
        oldest: None,
        runs_out: None,
        filter: format!("pid:{pid} state:close-wait"),
        also: None,
        caused: CausedFindings::default(),
    }
}

/// Three processes with one leaked connection each, and one that is well.
fn leaking() -> App {
    let leaked = |pid: u32| {
        tcp(pid.into()).state(TcpState::CloseWait).queues(0, 0).held_by(&[process(pid, &format!("pool-{pid}"))])
    };
    let mut app = app_on(vec![leaked(11), leaked(12), leaked(13), tcp(14).held_by(&[nginx()])]);
    app.show_findings(vec![leak(11, Severity::Critical), leak(12, Severity::Warning), leak(13, Severity::Warning)]);
    app
}

fn chosen(app: &App) -> Option<u32> {
    app.panels.findings.selected_finding()?.process.as_ref().map(|process| process.id.pid)
}

#[test]
fn a_row_knows_the_finding_that_it_is_part_of() {
    let app = leaking();
    let worst = |cookie| {
        let index = app.store.rows().find(id(cookie))?;
        app.panels.findings.about(app.store.rows().get(index)?, &app.store).map(|finding| finding.severity)
    };
    assert_eq!(worst(11), Some(Severity::Critical));
    assert_eq!(worst(13), Some(Severity::Warning));
    assert_eq!(worst(14), None);
    assert_eq!(app.panels.findings.concerns(TcpState::CloseWait), Some(Severity::Critical));
    assert_eq!(app.panels.findings.concerns(TcpState::TimeWait), None);
}

#[test]
fn the_selection_stays_with_its_finding_whatever_its_place() {
    let mut app = leaking();
    press(&mut app, "6j");
    assert_eq!(chosen(&app), Some(12));
    app.show_findings(vec![leak(13, Severity::Critical), leak(11, Severity::Critical), leak(12, Severity::Warning)]);
    assert_eq!(chosen(&app), Some(12));
    app.show_findings(vec![leak(13, Severity::Critical)]);
    assert_eq!(chosen(&app), Some(13), "the one that took its place");
    app.show_findings(Vec::new());
    assert_eq!(chosen(&app), None);
    press(&mut app, "jk^GeKy");
    assert!(app.notices.latest().is_some());
}

#[test]
fn one_key_shows_the_sockets_of_a_finding_and_one_leads_back() {
    let mut app = leaking();
    press(&mut app, "/established");
    code(&mut app, KeyCode::Enter);
    press(&mut app, "6j");
    code(&mut app, KeyCode::Enter);
    assert_eq!((app.tab, app.panels.connections.live), (Tab::Connections, 1));
    assert_eq!(app.panels.connections.cursor.key(), Some(id(12)));
    code(&mut app, KeyCode::Esc);
    assert_eq!((app.tab, chosen(&app)), (Tab::Findings, Some(12)));
    assert_eq!(app.panels.connections.view.filter().text(), "established");
}

#[test]
fn a_signal_goes_to_the_process_of_the_finding() {
    let mut app = leaking();
    press(&mut app, "6jjK");
    assert!(
        matches!(&app.mode, Mode::Menu(Menu { choice: MenuChoice::Signal { process, .. }, .. }) if process.id.pid == 13),
        "{:?}",
        app.mode
    );
    code(&mut app, KeyCode::Esc);
    let shares = [11, 12, 99].map(|pid| ProcessShare { process: process(pid, "pool"), sockets: 1 }).to_vec();
    app.show_findings(vec![Finding {
        process: None,
        processes: 3,
        process_shares: shares,
        ..leak(11, Severity::Warning)
    }]);
    press(&mut app, "^K");
    let Mode::Menu(Menu { choice: MenuChoice::Owner { owners, .. }, .. }) = &app.mode else { panic!("{:?}", app.mode) };
    assert_eq!(owners.iter().map(|one| one.id.pid).collect::<Vec<_>>(), [11, 12], "of those that are still there");
    code(&mut app, KeyCode::Esc);
    app.show_findings(vec![Finding { process: None, process_shares: Vec::new(), ..leak(11, Severity::Warning) }]);
    press(&mut app, "K");
    assert!(matches!(app.mode, Mode::Normal));
}

#[test]
fn the_bell_rings_only_if_asked_for_and_only_for_what_became_critical() {
    let rings = |bell| {
        let mut app = app_with(|config| config.settings.bell = bell, vec![tcp(1)]);
        app.show_findings(vec![leak(11, Severity::Warning)]);
        let quiet = app.background(1);
        app.show_findings(vec![leak(11, Severity::Critical)]);
        let loud = app.background(1);
        app.show_findings(vec![leak(11, Severity::Critical)]);
        [quiet, loud, app.background(1)].map(|effects| effects.contains(&Effect::Bell))
    };
    assert_eq!(rings(true), [false, true, false]);
    assert_eq!(rings(false), [false; 3]);
}

#[test]
fn what_is_selected_is_explained_and_the_same_key_leads_back() {
    let mut app = leaking();
    press(&mut app, "je");
    let Mode::Explain { explained, .. } = &app.mode else { panic!("{:?}", app.mode) };
    assert_eq!((explained.state, explained.rule), (Some(TcpState::CloseWait), Some(Rule::CloseWaitLeak)));
    press(&mut app, "e");
    assert!(matches!(app.mode, Mode::Normal));
    press(&mut app, "2e");
    assert!(matches!(app.mode, Mode::Normal), "a process is not explained");
}

#[test]
fn a_listener_and_a_state_are_explained_too() {
    let explained = |keys: &str, socket: crate::model::testing::SocketBuilder| {
        let mut app = app_on(vec![socket]);
        press(&mut app, keys);
        match &app.mode {
            Mode::Explain { explained, .. } => explained.clone(),
            other => panic!("{other:?}"),
        }
    };
    let redis = explained("4e", listener(1, 6379));
    assert_eq!((redis.title().as_str(), redis.state), ("port 6379", None));
    let text = format!("{:?}", crate::app::explain::columns(&redis, 80));
    assert!(text.contains("usually redis") && text.contains("Without a password"), "{text}");
    let remote = explained("3e", tcp(1).remote("10.0.0.5:5432"));
    assert_eq!(remote.port.map(|port| port.port), Some(5432));
    let connection = explained("1je", tcp(1).local("10.0.0.1:40000").remote("10.0.0.5:5432"));
    assert_eq!(connection.title(), "ESTABLISHED · port 5432");
    assert!(explained("5e", tcp(1)).state.is_some());
}
