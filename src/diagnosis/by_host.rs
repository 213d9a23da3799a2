//! Findings of several hosts: each has a store and a diagnosis of its own, so that a rule judges one machine, as if it were alone.
//!
//! The rows are those of the store of all hosts, shared; what a host costs beside is its own index of them (some 60 bytes a socket)
//! and its own history.

use std::collections::BTreeMap;

use crate::diagnosis::Diagnosis;
use crate::diagnosis::finding::Finding;
use crate::diagnosis::ignore::Ignore;
use crate::diagnosis::settle::sorted;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::delta::HostDelta;
use crate::model::hosts::HostNumber;
use crate::model::netns::NetnsId;
use crate::model::process::Names;
use crate::model::quoting::filter_word;
use crate::model::snapshot::{Abilities, SourceInfo, SourceKind};
use crate::store::Store;

/// What is wrong with several hosts.
#[derive(Clone, Debug, Default)]
pub struct FoundByHost {
    /// What is wrong, the worst first, whichever host has it.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub left_out: usize,
    /// How many the user has acknowledged.
    pub ignored: usize,
}

/// One store and one diagnosis a host.
#[derive(Debug, Default)]
pub struct HostDiagnoses {
    thresholds: Thresholds,
    ignores: Vec<Ignore>,
    hosts: BTreeMap<HostNumber, JudgedHost>,
}

#[derive(Debug)]
struct JudgedHost {
    store: Store,
    diagnosis: Diagnosis,
}

impl HostDiagnoses {
    /// With these limits, silent about what the user has acknowledged.
    pub fn new(thresholds: Thresholds, ignores: Vec<Ignore>) -> Self {
        Self { thresholds, ignores, hosts: BTreeMap::new() }
    }

    /// Takes in what each host had alone, and looks at those that had something.
    pub fn observe(&mut self, parts: Vec<HostDelta>) {
        let Self { thresholds, ignores, hosts } = self;
        for HostDelta { host, delta } in parts {
            let judged = hosts.entry(host).or_insert_with(|| JudgedHost {
                store: Store::new(SourceInfo {
                    kind: SourceKind::Replay,
                    host: delta.names.hosts.0.get(host.place()).map(|host| host.name.clone()).unwrap_or_default(),
                    abilities: Abilities::default(),
                }),
                diagnosis: Diagnosis::new(thresholds.clone()).ignoring(ignores.clone()),
            });
            judged.store.apply(delta);
            judged.diagnosis.observe(&judged.store);
        }
    }

    /// What is wrong now, each with its host; `names` are those of all hosts.
    pub fn found(&self, names: &Names) -> FoundByHost {
        let of = |(number, judged): (&HostNumber, &JudgedHost)| {
            let host = names.hosts.0.get(number.place()).map(|host| host.name.to_string()).unwrap_or_default();
            let number = *number;
            let with_host = move |finding: &Finding| named(finding.clone(), number, &host);
            judged.diagnosis.findings().iter().map(with_host).collect::<Vec<_>>()
        };
        let (findings, cut) = sorted(self.hosts.iter().flat_map(of).collect());
        let sum =
            |count: fn(&Diagnosis) -> usize| self.hosts.values().map(|judged| count(&judged.diagnosis)).sum::<usize>();
        FoundByHost { findings, left_out: cut + sum(Diagnosis::left_out), ignored: sum(Diagnosis::ignored) }
    }
}

/// `finding` with its host: in its sentence, its filters and its key.
fn named(mut finding: Finding, number: HostNumber, host: &str) -> Finding {
    let filter_of_host = |filter: &mut String| {
        if !filter.is_empty() {
            *filter = format!("host={} ({filter})", filter_word(host).unwrap_or_default());
        }
    };
    finding.sentence = format!("{host}: {}", finding.sentence);
    filter_of_host(&mut finding.filter);
    for caused in &mut finding.caused.listed {
        filter_of_host(&mut caused.filter);
    }
    // What is about the machine as a whole has no namespace, and is of this one.
    if finding.key.netns == NetnsId::default() {
        finding.key.netns = number.whole();
    }
    finding
}
