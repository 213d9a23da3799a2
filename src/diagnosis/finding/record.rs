//! A finding as JSON prints it: [`FindingRecord`] is the one list of its fields, in their order.

use std::num::NonZeroU32;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::diagnosis::finding::{CausedFinding, Evidence, Finding, FindingScope, Measure, Severity};
use crate::diagnosis::rule::Rule;
use crate::model::address::Destination;
use crate::model::address_text::AddressText;
use crate::model::delta::AgeBasis;
use crate::model::tcp_state::{STATES, TcpState};
use crate::model::text::DisplayText;
use crate::model::units;
use crate::store::Store;

/// The fields of a finding. `Examples` is a list of sockets, each with the fields of `conntop list`. A field that is not
/// known, or does not apply, is `null`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "finding")]
pub struct FindingRecord<'a, Examples> {
    /// The host that has it.
    pub host: &'a str,
    /// Which; conntop explain says what it means.
    #[schemars(with = "String", extend("enum" = rule_ids()))]
    pub rule: Rule,
    /// Another rule that found the same cause.
    #[schemars(with = "Option<String>", extend("enum" = or_null(rule_ids())))]
    pub other_rule: Option<Rule>,
    /// warning or critical.
    #[schemars(with = "String", extend("enum" = [Severity::Warning, Severity::Critical].map(Severity::label)))]
    pub severity: Severity,
    /// What is wrong, as text.
    #[schemars(length(min = 1))]
    pub sentence: &'a str,
    /// Why, in a few words.
    #[schemars(length(min = 1))]
    pub why: Option<&'static str>,
    /// The process, or the program of all of them, by name.
    #[schemars(length(min = 1))]
    pub process: Option<&'a str>,
    /// The process by number; null where several share it.
    pub pid: Option<u32>,
    /// How many known processes share it; at least so many from 1,024 on.
    pub processes: u32,
    /// The first 16 of them by number, those with most of the sockets first.
    pub pids: Vec<u32>,
    /// Where: to (a remote endpoint), on (a local one), process or machine.
    pub place: FindingPlace,
    /// The address of the place.
    #[schemars(length(min = 1))]
    pub addr: Option<String>,
    /// The port of the place.
    pub port: Option<u16>,
    /// The interface that the place is bound to, or that its address belongs to.
    #[schemars(length(min = 1))]
    pub interface: Option<String>,
    /// The network namespace, as the inode of /proc/PID/ns/net.
    pub netns: Option<u32>,
    /// The listening socket that it is about, as its inode.
    pub listener: Option<u32>,
    /// The state of its sockets, if it is one.
    #[schemars(extend("enum" = or_null(STATES.map(|row| row.name).to_vec())))]
    pub state: Option<&'static str>,
    /// How many sockets it is about.
    pub sockets: u32,
    /// How long it has lasted.
    #[schemars(extend("unit" = "seconds"))]
    pub since_seconds: Option<f64>,
    /// How that is known: observed, kernel or at-least.
    #[schemars(extend("enum" = or_null([AgeBasis::Observed, AgeBasis::Kernel, AgeBasis::AtLeast].map(AgeBasis::label).to_vec())))]
    pub since_basis: Option<&'static str>,
    /// How fast it grows.
    #[schemars(extend("unit" = "per minute"))]
    pub slope_per_minute: Option<f64>,
    /// How well a straight line explains that.
    #[schemars(extend("unit" = "1 is all"))]
    pub slope_confidence: Option<f64>,
    /// What runs out.
    #[schemars(length(min = 1))]
    pub runs_out: Option<&'static str>,
    /// In how long: what is left, by what is used up in that time.
    #[schemars(extend("unit" = "seconds"))]
    pub runs_out_seconds: Option<f64>,
    /// How many are left.
    pub runs_out_left: Option<u64>,
    /// How many more are used up.
    #[schemars(extend("unit" = "per minute"))]
    pub runs_out_per_minute: Option<f64>,
    /// Numbers behind it; their names end in the unit, and in _max for a limit.
    #[schemars(schema_with = "evidence_schema")]
    pub evidence: Map<String, Value>,
    /// What else was found and is explained by this: rule, sentence, sockets, processes, filter.
    pub caused: Vec<CausedRecord<'a>>,
    /// How many more findings it explains than are listed.
    pub caused_left_out: u32,
    /// The sockets of those.
    pub caused_left_out_sockets: u64,
    /// Sockets that it is about, with the fields of a list.
    pub examples: Examples,
    /// A filter that shows its sockets.
    #[schemars(length(min = 1))]
    pub filter: Option<&'a str>,
    /// The command that says what it means.
    #[schemars(length(min = 1))]
    pub explain: String,
    /// What to do, first thing first.
    pub remedy: Vec<&'static str>,
    /// What does not help.
    pub does_not_help: &'static [String],
}

/// The fields of a finding that another one explains.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct CausedRecord<'a> {
    /// Which rule found it.
    #[schemars(with = "String", extend("enum" = rule_ids()))]
    pub rule: Rule,
    /// What is wrong, as text.
    #[schemars(length(min = 1))]
    pub sentence: &'a str,
    /// How many sockets it is about.
    pub sockets: u32,
    /// How many processes have it.
    pub processes: u32,
    /// A filter that shows its sockets.
    #[schemars(length(min = 1))]
    pub filter: Option<&'a str>,
}

/// Where a finding is: to a remote endpoint, on a local one, in a process or on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(with = "String", inline, extend("enum" = ["to", "on", "process", "machine"]))]
pub enum FindingPlace {
    /// Connections to a remote endpoint.
    To,
    /// A listener, or connections that came in on a local endpoint.
    On,
    /// A process as a whole.
    Process,
    /// The machine or the network namespace as a whole.
    Machine,
}

impl<'a> CausedRecord<'a> {
    fn of(caused: &'a CausedFinding) -> Self {
        let CausedFinding { rule, sentence, sockets, processes, filter } = caused;
        Self { rule: *rule, sentence, sockets: *sockets, processes: *processes, filter: not_empty(filter) }
    }
}

impl<'a, Examples> FindingRecord<'a, Examples> {
    /// The fields of `finding`, whose examples are written as `examples`. `store` is what it was found in.
    pub fn of(finding: &'a Finding, store: &'a Store, examples: Examples) -> Self {
        let (place, endpoint) = match finding.key.scope {
            FindingScope::Machine => (FindingPlace::Machine, None),
            FindingScope::Process => (FindingPlace::Process, None),
            FindingScope::To(endpoint) => (FindingPlace::To, Some(endpoint)),
            FindingScope::On(endpoint) => (FindingPlace::On, Some(endpoint)),
        };
        let text = |end: Destination| AddressText::of(end.address, finding.key.netns, store.names());
        let addr = endpoint.map(text);
        let listener = finding.key.listener.and_then(|id| store.rows().live(id)?.connection.socket.inode);
        Self {
            host: store.host_of(finding.key.netns).as_str(),
            rule: finding.rule(),
            other_rule: finding.also,
            severity: finding.severity,
            sentence: &finding.sentence,
            why: not_empty(finding.why),
            process: finding.program.as_ref().map(DisplayText::as_str),
            pid: finding.process.as_ref().map(|process| process.id.pid),
            processes: finding.processes,
            pids: finding.process_shares.iter().map(|share| share.process.id.pid).collect(),
            place,
            addr: addr.map(|addr| addr.alone().to_string()),
            port: endpoint.map(|endpoint| endpoint.port).filter(|port| *port > 0),
            interface: addr.and_then(AddressText::link).map(|link| link.to_string()),
            netns: Some(store.names().namespace_number(finding.key.netns)).filter(|inode| *inode > 0),
            listener: listener.map(NonZeroU32::get),
            state: finding.state.map(TcpState::name),
            sockets: finding.sockets,
            since_seconds: finding.since.map(|since| units::seconds(since.age(store.at()))),
            since_basis: finding.since.map(|since| since.basis.label()),
            slope_per_minute: finding.slope.map(|slope| units::thousandths(slope.per_minute)),
            slope_confidence: finding.slope.map(|slope| units::thousandths(slope.confidence)),
            runs_out: finding.runs_out.map(|limit| limit.what),
            runs_out_seconds: finding.runs_out.map(|limit| units::seconds(limit.within)),
            runs_out_left: finding.runs_out.map(|limit| limit.left),
            runs_out_per_minute: finding.runs_out.map(|limit| units::thousandths(limit.per_minute)),
            evidence: evidence(&finding.evidence),
            caused: finding.caused.listed.iter().map(CausedRecord::of).collect(),
            caused_left_out: finding.caused.more,
            caused_left_out_sockets: finding.caused.more_sockets,
            examples,
            filter: not_empty(&finding.filter),
            explain: finding.explain_command(),
            remedy: finding.remedy(),
            does_not_help: finding.does_not_help(),
        }
    }
}

fn rule_ids() -> Vec<&'static str> {
    Rule::ALL.iter().map(|rule| rule.id()).collect()
}

fn or_null(words: Vec<&'static str>) -> Vec<Option<&'static str>> {
    words.into_iter().map(Some).chain([None]).collect()
}

fn evidence_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "properties": {}, "additionalProperties": { "type": ["number", "string"] } })
}

fn not_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn evidence(all: &[Evidence]) -> Map<String, Value> {
    let mut map = Map::new();
    for one in all {
        let key = one.key;
        match &one.value {
            Measure::Count(number) | Measure::Id(number) => map.insert(key.to_owned(), (*number).into()),
            Measure::Of(part, whole) => {
                map.insert(key.to_owned(), (*part).into());
                map.insert(format!("{key}_max"), (*whole).into())
            }
            Measure::Span(span) => map.insert(format!("{key}_seconds"), units::seconds(*span).into()),
            Measure::PerSecond(rate) => map.insert(format!("{key}_per_second"), units::thousandths(*rate).into()),
            Measure::PerMinute(rate) => map.insert(format!("{key}_per_minute"), units::thousandths(*rate).into()),
            Measure::Bytes(bytes) => map.insert(format!("{key}_bytes"), (*bytes).into()),
            Measure::Words(words) => map.insert(key.to_owned(), words.as_str().into()),
        };
    }
    map
}
