//! A store with three sockets and findings about them, for the tests of `check` and `watch`.

use std::sync::Arc;
use std::time::Duration;

use crate::diagnosis::finding::{
    CausedFindings, Evidence, Finding, FindingKey, FindingScope, Measure, ProcessShare, ProgramName, RunsOut, Severity,
    Slope,
};
use crate::diagnosis::rule::Rule;
use crate::model::delta::{AgeBasis, Delta, Since};
use crate::model::process::Process;
use crate::model::socket::NetnsId;
use crate::model::tcp_state::TcpState;
use crate::model::testing::{BOOT, connection, destination, listener, process, source_info, tcp};
use crate::model::time::{Timestamp, WallTime};
use crate::store::Store;

/// When the store's sample was taken.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(90_000);

pub(crate) fn pool() -> Arc<Process> {
    process(4121, "jdbc|pool")
}

/// A leaked socket of the pool, a healthy one of nginx, a listener of nginx.
pub(crate) fn store() -> Store {
    let nginx = process(812, "nginx");
    let sockets = [
        tcp(1).local("10.0.0.7:51234").remote("10.1.0.1:5432").state(TcpState::CloseWait).held_by(&[pool()]).build(),
        tcp(2).local("10.0.0.7:80").remote("192.0.2.4:50001").held_by(std::slice::from_ref(&nginx)).build(),
        listener(3, 80).held_by(&[nginx]).build(),
    ];
    let mut delta = Delta { at: NOW, wall: WallTime(BOOT.0 + 90_000), ..Delta::default() };
    delta.added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
    let mut store = Store::new(source_info());
    store.apply(delta);
    store
}

/// The leak of the pool: critical, with everything that a finding can say.
pub(crate) fn leak() -> Finding {
    let process = pool();
    let place = FindingScope::To(destination("10.1.0.1:5432"));
    Finding {
        key: FindingKey {
            rule: Rule::CloseWaitLeak,
            program: Some(ProgramName::of(&process)),
            scope: place,
            netns: NetnsId(0),
            listener: None,
        },
        severity: Severity::Critical,
        sentence: "jdbc|pool[4121] leaks 312 CLOSE_WAIT to 10.1.0.1:5432".to_owned(),
        why: "never closed",
        program: Some(process.name.clone()),
        processes: 1,
        process_shares: vec![ProcessShare { process: Arc::clone(&process), sockets: 312 }],
        process: Some(process),
        state: Some(TcpState::CloseWait),
        sockets: 312,
        examples: vec![tcp(1).build().id],
        evidence: vec![
            evidence("oldest", "oldest", Measure::Span(Duration::from_secs(75))),
            evidence("descriptors", "descriptors", Measure::Of(812, 1_024)),
            evidence("opened", "opened", Measure::PerSecond(0.1)),
            evidence("growth", "growing by", Measure::PerMinute(4.0)),
            evidence("unread", "unread", Measure::Bytes(20_480)),
            evidence("workers", "workers", Measure::Count(7)),
            evidence("usual", "usually", Measure::Words("postgresql".to_owned())),
        ],
        slope: Some(Slope { per_minute: 4.2, over: Duration::from_secs(60), confidence: 0.9 }),
        since: Some(Since { at: Timestamp::from_millis(15_000), basis: AgeBasis::Kernel }),
        first_found: NOW,
        oldest: None,
        runs_out: Some(RunsOut { what: "descriptors", within: Duration::from_secs(3_600), left: 240, per_minute: 4.0 }),
        filter: "pid:4121 state:close-wait".to_owned(),
        also: None,
        caused: CausedFindings::default(),
    }
}

/// A warning about the whole process nginx, of which nothing else is known.
pub(crate) fn descriptors() -> Finding {
    let nginx = process(812, "nginx");
    let key = FindingKey {
        rule: Rule::DescriptorLimit,
        program: Some(ProgramName::of(&nginx)),
        scope: FindingScope::Process,
        netns: NetnsId(7),
        listener: None,
    };
    Finding {
        key,
        severity: Severity::Warning,
        sentence: "nginx[812] uses 840 of 1,024 descriptors".to_owned(),
        program: Some(nginx.name.clone()),
        processes: 1,
        process_shares: vec![ProcessShare { process: Arc::clone(&nginx), sockets: 2 }],
        process: Some(nginx),
        why: "",
        state: None,
        sockets: 2,
        examples: Vec::new(),
        evidence: Vec::new(),
        slope: None,
        since: None,
        first_found: NOW,
        oldest: None,
        runs_out: None,
        filter: String::new(),
        also: None,
        caused: CausedFindings::default(),
    }
}

fn evidence(key: &'static str, label: &'static str, value: Measure) -> Evidence {
    Evidence { key, label, value, is_metric: false }
}
