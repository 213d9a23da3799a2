//! What to do fits the program that was found, and the place: the program's own settings come first, and nothing is said of
//! the network where the peer is on this machine.

use std::sync::Arc;

use conntop::diagnosis::Diagnosis;
use conntop::diagnosis::rule::Rule;
use conntop::diagnosis::thresholds::Thresholds;
use conntop::knowledge::rules;
use conntop::model::process::Process;
use conntop::model::snapshot::Snapshot;
use conntop::model::tcp_state::TcpState;
use conntop::model::testing::{listener, process, snapshot, source_info, tcp};
use conntop::model::text::DisplayText;
use conntop::store::Store;
use conntop::tracker::Tracker;

/// What is advised about the finding of `rule` after two of these samples.
fn advised(rule: Rule, sample: impl Fn(u64) -> Snapshot) -> Vec<&'static str> {
    let (mut tracker, mut store) = (Tracker::new(), Store::new(source_info()));
    let mut diagnosis = Diagnosis::new(Thresholds::default());
    for at in [100_000, 108_000] {
        store.apply(tracker.update(&sample(at)));
        diagnosis.observe(&store);
    }
    let finding = diagnosis.findings().iter().find(|finding| finding.is_of(rule));
    finding.unwrap_or_else(|| panic!("{rule:?} is not among {:?}", diagnosis.findings())).remedy()
}

fn full_queue_of(process: Arc<Process>) -> Vec<&'static str> {
    advised(Rule::AcceptQueueFull, move |at| {
        snapshot(at, [listener(1, 80).queues(129, 128).held_by(&[Arc::clone(&process)])])
    })
}

#[test]
fn the_settings_of_the_program_come_first_and_then_what_holds_for_all() {
    let general = &rules::text("accept-queue-full").expect("a rule").remedy;
    for (name, begins) in [
        ("nginx", "nginx: raise backlog= of the listen directive (511"),
        ("redis-server", "redis: one slow command"),
        ("php-fpm8.2", "php-fpm: all children are busy"),
        ("java", "Java: in Tomcat, acceptCount"),
    ] {
        let advice = full_queue_of(process(7, name));
        assert!(advice[0].starts_with(begins), "{name}: {advice:?}");
        assert!(advice.ends_with(&general.iter().map(String::as_str).collect::<Vec<_>>()), "{name}: {advice:?}");
    }
    assert_eq!(full_queue_of(process(7, "my-server")), *general);
    let command = DisplayText::new("/usr/bin/python3 /usr/local/bin/gunicorn app:app");
    let gunicorn = Arc::new(Process { command, ..Process::clone(&process(7, "python3")) });
    assert!(full_queue_of(gunicorn)[0].starts_with("gunicorn: raise --workers"));
}

#[test]
fn nothing_is_said_of_the_network_where_the_peer_is_on_this_machine() {
    let stuck = |remote: &'static str| {
        advised(Rule::SynSentStuck, move |at| {
            snapshot(at, [tcp(1).remote(remote).state(TcpState::SynSent).held_by(&[process(7, "client")])])
        })
    };
    let network = |advice: &[&str]| advice.iter().any(|text| text.contains("ping") || text.contains("firewall"));
    assert!(network(&stuck("10.0.0.9:80")));
    for loopback in ["127.0.0.1:80", "127.0.0.9:80"] {
        let advice = stuck(loopback);
        assert!(!advice.is_empty() && !network(&advice), "{advice:?}");
    }
    for &rule in Rule::ALL {
        let text = rules::text(rule.id()).expect("every rule has a text");
        for remedy in text.remedies(true) {
            let of_network = ["ping ", "ping,", "traceroute", "MTU"].iter().any(|word| remedy.contains(word));
            assert!(!of_network, "{}: {remedy}", rule.id());
        }
    }
}
