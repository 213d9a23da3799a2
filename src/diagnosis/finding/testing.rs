//! Findings made by hand.

use std::sync::Arc;

use crate::diagnosis::finding::{
    CausedFindings, Finding, FindingKey, FindingScope, ProcessShare, ProgramName, Severity,
};
use crate::diagnosis::rule::Rule;
use crate::model::socket::NetnsId;
use crate::model::testing::process;
use crate::model::time::Timestamp;

/// A warning about one process, one of ten programs by its pid, with nothing else to say.
pub(crate) fn finding(rule: Rule, pid: u32, scope: FindingScope, sockets: u32) -> Finding {
    let process = process(pid, &format!("program-{}", pid % 10));
    Finding {
        key: FindingKey { rule, program: Some(ProgramName::of(&process)), scope, netns: NetnsId(0), listener: None },
        severity: Severity::Warning,
        sentence: format!("{} {pid} {scope:?}", rule.id()),
        why: "",
        program: Some(process.name.clone()),
        processes: 1,
        process_shares: vec![ProcessShare { process: Arc::clone(&process), sockets }],
        process: Some(process),
        state: None,
        sockets,
        examples: Vec::new(),
        evidence: Vec::new(),
        slope: None,
        since: None,
        first_found: Timestamp::default(),
        oldest: None,
        runs_out: None,
        filter: String::new(),
        also: None,
        caused: CausedFindings::default(),
    }
}
