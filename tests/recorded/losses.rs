//! Every counter of the kernel that means loss has a rule that reads it, or a written reason why none does.

use std::sync::Arc;

use conntop::diagnosis::Diagnosis;
use conntop::diagnosis::rule::Rule;
use conntop::diagnosis::thresholds::Thresholds;
use conntop::knowledge::counters::{self, CounterLoss, CounterText};
use conntop::model::counters::{COUNTERS, Counters, KernelCounter};
use conntop::model::delta::Delta;
use conntop::model::facts::Facts;
use conntop::model::testing::source_info;
use conntop::model::time::Timestamp;
use conntop::store::Store;

/// Words, in a name or a meaning, of something that is lost.
const WORDS: [&str; 27] = [
    "drop",
    "fail",
    "err",
    "overflow",
    "lost",
    "prun",
    "discard",
    "refus",
    "reject",
    "thrown",
    "abort",
    "reset",
    "bad",
    "wrong",
    "not sent",
    "no route",
    "gave up",
    "could not",
    "want of",
    "nobody",
    "unreach",
    "again",
    "skipped",
    "noroute",
    "rsts",
    "scarce",
    "time-out",
];

fn says_loss(group: &str, name: &str, about: &str) -> bool {
    let text = format!("{name} {about}").to_lowercase();
    group != "IcmpMsg" && WORDS.iter().any(|word| text.contains(word))
}

/// Those whose words sound like a loss and are none: what they count is there.
const NO_LOSS: [(&str, &str); 8] = [
    ("Ip", "InReceives"),
    ("Ip", "ReasmOKs"),
    ("Tcp", "OutSegs"),
    ("TcpExt", "TCPOrigDataSent"),
    ("TcpExt", "TCPFromZeroWindowAdv"),
    ("TcpExt", "TWRecycled"),
    ("Tcp", "RtoAlgorithm"),
    ("Tcp", "RtoMin"),
];

#[test]
fn every_counter_that_means_loss_has_a_rule_or_a_reason() {
    for text in counters::all() {
        let (group, name) = text.told_as();
        let sounds_so = says_loss(group, name, &text.about) && !NO_LOSS.contains(&(group, name)) && name != "RtoMax";
        assert!(!sounds_so || text.loss().is_some(), "{group} {name} ({}) has neither rule nor reason", text.about);
        match text.loss() {
            Some(CounterLoss::Rule(id)) => assert!(Rule::named(id).is_some(), "{group} {name}: no rule is called {id}"),
            Some(CounterLoss::NoRule(why)) => assert!(why.ends_with('.') && why.len() > 15, "{group} {name}: {why:?}"),
            None => {}
        }
    }
}

/// What the running kernel has and what conntop's `netstat -s` shows therefore: none is passed over in silence.
#[cfg(target_os = "linux")]
#[test]
fn every_counter_of_this_kernel_whose_name_says_loss_is_known() {
    let rows = conntop::source::machine::counters().expect("/proc/net").rows;
    assert!(rows.len() > 100, "{} counters", rows.len());
    for row in rows {
        let (group, name) = (row.group.as_str(), row.name.as_str());
        let is_told = counters::text(group, name).is_some_and(|text| text.loss().is_some());
        assert!(!says_loss(group, name, "") || is_told, "{group} {name} has neither rule nor reason in counters.toml");
    }
}

/// Whether `rule` finds something on a machine whose counters grow by so much in each of twelve seconds.
fn is_found(rule: Rule, a_second: &Counters) -> bool {
    let (mut store, mut diagnosis) = (Store::new(source_info()), Diagnosis::new(Thresholds::default()));
    let mut counters = Counters::default();
    for second in 0..12 {
        let facts = Facts { counters: Some(counters), ..Facts::default() };
        store.apply(Delta { at: Timestamp::from_millis(second * 1_000), facts: Arc::new(facts), ..Delta::default() });
        diagnosis.observe(&store);
        for row in COUNTERS {
            *(row.get_mut)(&mut counters) += (row.get)(a_second);
        }
    }
    diagnosis.findings().iter().any(|finding| finding.rule() == rule)
}

/// A busy machine that loses nothing; one that sends again for a reason it does not tell, and one that has reasons and
/// sends nothing again.
fn without() -> [Counters; 3] {
    let well = Counters {
        segments_sent: 9_000,
        segments_received: 9_000,
        udp_received: 900,
        udp_sent: 900,
        ..Counters::default()
    };
    let probes = Counters { segments_retransmitted: 1_500, loss_probes: 1_500, dsacks_received: 0, ..well };
    [well, probes, Counters { time_outs: 1_500, ..well }]
}

fn row_of(text: &CounterText) -> &'static KernelCounter {
    let told = text.told_as();
    let row = COUNTERS.iter().find(|row| row.told_as.contains(&told));
    row.unwrap_or_else(|| panic!("{told:?} has a rule and is not read"))
}

#[test]
fn each_rule_reads_the_counters_that_are_put_down_to_it() {
    let mut read = 0;
    for text in counters::all() {
        let Some(CounterLoss::Rule(id)) = text.loss() else { continue };
        let (rule, row) = (Rule::named(id).expect("see above"), row_of(text));
        let decides = without().into_iter().any(|base| {
            let mut losing = base;
            *(row.get_mut)(&mut losing) += 1_200;
            !is_found(rule, &base) && is_found(rule, &losing)
        });
        assert!(decides, "{id} does not care for {:?}", text.told_as());
        read += 1;
    }
    assert!(read >= 20, "{read} counters are read");
}
