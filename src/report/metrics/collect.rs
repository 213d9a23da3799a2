//! Makes the values of all metrics of a store: one pass over its rows.

use std::collections::BTreeMap;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use crate::diagnosis::finding::{Finding, Severity};
use crate::diagnosis::rule::Rule;
use crate::model::delta::{Gap, Since, Transition};
use crate::model::descriptors::Descriptors;
use crate::model::endpoint::{Family, Protocol};
use crate::model::event::EventSourceStatus;
use crate::model::process::Owner;
use crate::model::socket::Socket;
use crate::model::tcp_state::{STATES, TcpState};
use crate::model::text::DisplayText;
use crate::model::time::WallTime;
use crate::report::metrics::catalog::{AGE_BOUNDS, DESTINATIONS_MAX, LISTENERS_MAX, MetricName, PROCESSES_MAX};
use crate::report::metrics::changes::ChangeCounters;
use crate::report::metrics::port_use::PortUseCount;
use crate::report::metrics::series::{MetricLabelValue, MetricPoint, MetricsSample, label_text};
use crate::report::metrics::slots::LabelSlots;
use crate::store::Store;
use crate::store::listeners::{AcceptQueue, ListenAddress};

/// What is not among the largest. A process that is called so is counted there, too.
const OTHER: &str = "other";
/// The states of which ages are told: those that last.
const AGE_STATES: [TcpState; 3] = [TcpState::Established, TcpState::CloseWait, TcpState::FinWait2];

/// TCP sockets by `TcpState as usize`.
type StateCounts = [u32; STATES.len()];

/// Makes metrics, and remembers what needs more than one sample: counters, and which names have series of their own.
#[derive(Debug)]
pub struct MetricsCollector {
    counts_changes: bool,
    changes: ChangeCounters,
    counted_from: Option<WallTime>,
    processes: LabelSlots<DisplayText>,
    descriptor_users: LabelSlots<DisplayText>,
    listeners: LabelSlots<(DisplayText, u16)>,
    destinations: LabelSlots<DisplayText>,
}

/// What one pass over the rows counts.
struct RowCounts<'s> {
    tcp: [StateCounts; Family::ALL.len()],
    udp: [u32; Family::ALL.len()],
    unattributed: u32,
    ages: [AgeCounts; AGE_STATES.len()],
    processes: FxHashMap<&'s str, StateCounts>,
    ports: PortUseCount,
}

/// How many sockets have been in one state for how long.
#[derive(Clone, Copy, Default)]
struct AgeCounts {
    /// For at most so long, by [`AGE_BOUNDS`]: each bucket holds those before it.
    at_most: [u32; AGE_BOUNDS.len()],
    count: u32,
    seconds: f64,
}

impl MetricsCollector {
    /// One that has seen nothing yet. Where only one sample will come, there are no changes to count, so `counts_changes` is false.
    pub const fn new(counts_changes: bool) -> Self {
        Self {
            counts_changes,
            changes: ChangeCounters::new(),
            counted_from: None,
            processes: LabelSlots::new(PROCESSES_MAX),
            descriptor_users: LabelSlots::new(PROCESSES_MAX),
            listeners: LabelSlots::new(LISTENERS_MAX),
            destinations: LabelSlots::new(DESTINATIONS_MAX),
        }
    }

    /// Counts what a delta told, which `store` has just taken in. To be called for each, whether it is printed or not.
    pub fn note(&mut self, store: &Store, transitions: &[Transition], gaps: &[Gap]) {
        self.counted_from.get_or_insert(store.wall());
        self.changes.note(transitions, gaps);
    }

    /// The metrics of `store`, with `findings` about it.
    pub fn sample(&mut self, store: &Store, findings: &[Finding]) -> MetricsSample {
        let counts = RowCounts::of(store);
        let at = store.wall();
        let counted_from = self.counted_from.unwrap_or(at);
        let mut sample = MetricsSample { host: store.source().host.clone(), at, counted_from, families: Vec::new() };
        push_about_sample(&mut sample, store);
        if self.counts_changes {
            push_event_sources(&mut sample, store);
        }
        push_states(&mut sample, &counts);
        push_ages(&mut sample, &counts.ages);
        self.push_processes(&mut sample, store, counts.processes);
        self.push_descriptors(&mut sample, store);
        self.push_listeners(&mut sample, store);
        self.push_destinations(&mut sample, store, counts.ports);
        push_findings(&mut sample, findings);
        if self.counts_changes {
            sample.push(MetricName::EventsLost, self.changes.lost());
            sample.push(MetricName::TcpTransitions, self.changes.transitions());
            sample.push(MetricName::TcpOpened, self.changes.opened());
            sample.push(MetricName::TcpClosed, self.changes.closed());
        }
        sample
    }

    fn push_processes(&mut self, sample: &mut MetricsSample, store: &Store, found: FxHashMap<&str, StateCounts>) {
        let mut by_name: FxHashMap<DisplayText, StateCounts> = FxHashMap::default();
        for (name, counts) in found {
            add(by_name.entry(label_text(&DisplayText::new(name))).or_default(), &counts);
        }
        let amounts = by_name.iter().filter(|(name, _)| name.as_str() != OTHER);
        let amounts = amounts.map(|(name, counts)| (name.clone(), f64::from(counts.iter().sum::<u32>())));
        self.processes.choose(store.at(), &amounts.collect());
        let mut rest = StateCounts::default();
        let mut named = BTreeMap::new();
        for (name, counts) in by_name {
            if self.processes.has(&name) {
                named.insert(name, counts);
            } else {
                add(&mut rest, &counts);
            }
        }
        let other = (DisplayText::from(OTHER), rest);
        let points = named.into_iter().chain([other]).flat_map(|(name, counts)| {
            let there = STATES.iter().filter(move |row| counts[row.state as usize] > 0);
            there.map(move |row| {
                let labels = [MetricLabelValue::Text(name.clone()), MetricLabelValue::State(row.state)];
                MetricPoint::integer(labels, counts[row.state as usize])
            })
        });
        sample.push(MetricName::ProcessTcpConnections, points.collect());
    }

    /// Of the processes of one name only the one that is nearest its limit: a sum of several has no limit.
    fn push_descriptors(&mut self, sample: &mut MetricsSample, store: &Store) {
        let mut worst: FxHashMap<DisplayText, Descriptors> = FxHashMap::default();
        for &(id, descriptors) in store.descriptors() {
            let Some(process) = store.rows().process(id) else { continue };
            let one = worst.entry(label_text(&process.name)).or_insert(descriptors);
            *one = nearer(*one, descriptors);
        }
        let kept = named_and_rest(&mut self.descriptor_users, store, &worst, share, |name| name.as_str() == OTHER);
        let rest = kept.rest.into_iter().copied().reduce(nearer);
        let mut found: Vec<(DisplayText, Descriptors)> =
            kept.named.into_iter().map(|(name, one)| (name.clone(), *one)).collect();
        found.extend(rest.map(|one| (DisplayText::from(OTHER), one)));
        let used =
            found.iter().map(|(name, one)| MetricPoint::integer([MetricLabelValue::Text(name.clone())], one.used));
        sample.push(MetricName::ProcessDescriptors, used.collect());
        let limits = found
            .iter()
            .filter_map(|(name, one)| Some(MetricPoint::integer([MetricLabelValue::Text(name.clone())], one.max?)));
        sample.push(MetricName::ProcessDescriptorsLimit, limits.collect());
    }

    /// Listeners that share an address (`SO_REUSEPORT`, several namespaces) are one series: the fullest of them.
    fn push_listeners(&mut self, sample: &mut MetricsSample, store: &Store) {
        let mut fullest: FxHashMap<(DisplayText, u16), AcceptQueue> = FxHashMap::default();
        for row in store.rows().listening().iter().filter_map(|index| store.rows().get(index)) {
            let socket = &row.connection.socket;
            let Some(queue) = AcceptQueue::of(socket) else { continue };
            let one = fullest.entry((address_text(socket, store), socket.local.port)).or_insert(queue);
            *one = one.fuller(queue);
        }
        let kept =
            named_and_rest(&mut self.listeners, store, &fullest, |queue| queue.share().unwrap_or_default(), |_| false);
        let rest = kept.rest.into_iter().copied().reduce(AcceptQueue::fuller);
        let text = |text: &str| MetricLabelValue::Text(DisplayText::new(text));
        let labels = |(address, port): &(DisplayText, u16)| {
            vec![MetricLabelValue::Text(address.clone()), text(&port.to_string())]
        };
        let mut found: Vec<(Vec<MetricLabelValue>, AcceptQueue)> =
            kept.named.into_iter().map(|(place, queue)| (labels(place), *queue)).collect();
        found.extend(rest.map(|queue| (vec![MetricLabelValue::Word(OTHER); 2], queue)));
        let waiting = found.iter().map(|(labels, queue)| MetricPoint::integer(labels.clone(), queue.waiting));
        sample.push(MetricName::BacklogConnections, waiting.collect());
        let limits =
            found.iter().filter_map(|(labels, queue)| Some(MetricPoint::integer(labels.clone(), queue.limit?)));
        sample.push(MetricName::BacklogLimit, limits.collect());
    }

    fn push_destinations(&mut self, sample: &mut MetricsSample, store: &Store, ports: PortUseCount) {
        let used = ports.by_destination(store);
        self.destinations.choose(store.at(), &used);
        let mut named: Vec<_> =
            used.into_iter().filter(|(destination, _)| self.destinations.has(destination)).collect();
        named.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let points = named
            .into_iter()
            .map(|(destination, used)| MetricPoint::float([MetricLabelValue::Text(destination)], used));
        sample.push(MetricName::EphemeralPortsUsed, points.collect());
    }
}

/// What has a place of its own, in the order of its names, and what has none.
struct NamedAndRest<'a, K, V> {
    named: BTreeMap<&'a K, &'a V>,
    rest: Vec<&'a V>,
}

/// Gives the largest of `found` a place each; what `is_rest` never has one.
fn named_and_rest<'a, K: Clone + Eq + Hash + Ord, V>(
    slots: &mut LabelSlots<K>,
    store: &Store,
    found: &'a FxHashMap<K, V>,
    amount: impl Fn(&V) -> f64,
    is_rest: impl Fn(&K) -> bool,
) -> NamedAndRest<'a, K, V> {
    let amounts = found.iter().filter(|(name, _)| !is_rest(name)).map(|(name, value)| (name.clone(), amount(value)));
    slots.choose(store.at(), &amounts.collect());
    let (named, rest): (Vec<_>, Vec<_>) = found.iter().partition(|(name, _)| slots.has(name));
    NamedAndRest { named: named.into_iter().collect(), rest: rest.into_iter().map(|(_, value)| value).collect() }
}

impl<'s> RowCounts<'s> {
    fn of(store: &'s Store) -> Self {
        let mut counts = Self {
            tcp: Default::default(),
            udp: Default::default(),
            unattributed: 0,
            ages: Default::default(),
            processes: FxHashMap::default(),
            ports: PortUseCount::new(store),
        };
        let live = store.rows().iter().map(|(_, row)| row).filter(|row| !row.is_closed());
        // The names of those that hold one socket, each once.
        let mut names = Vec::new();
        for row in live {
            let socket = &row.connection.socket;
            if socket.is_subflow {
                continue;
            }
            counts.unattributed += u32::from(socket.owner.is_hidden() || matches!(socket.owner, Owner::Vanished));
            if socket.protocol == Protocol::Udp {
                counts.udp[socket.family as usize] += 1;
                continue;
            }
            counts.tcp[socket.family as usize][socket.state as usize] += 1;
            counts.add_age(socket, row.connection.state_since, store);
            counts.ports.add(socket, store);
            names.clear();
            for name in socket.owner.names() {
                if !names.contains(&name) {
                    names.push(name);
                    counts.processes.entry(name).or_default()[socket.state as usize] += 1;
                }
            }
        }
        counts
    }

    fn add_age(&mut self, socket: &Socket, since: Option<Since>, store: &Store) {
        let (Some(nth), Some(since)) = (AGE_STATES.iter().position(|state| *state == socket.state), since) else {
            return;
        };
        let seconds = since.age(store.at()).as_secs_f64();
        let ages = &mut self.ages[nth];
        ages.count += 1;
        ages.seconds += seconds;
        let first = AGE_BOUNDS.iter().position(|bound| seconds <= f64::from(*bound)).unwrap_or(AGE_BOUNDS.len());
        ages.at_most[first..].iter_mut().for_each(|count| *count += 1);
    }
}

fn push_about_sample(sample: &mut MetricsSample, store: &Store) {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are whole in a double for 285,000 years")]
    let seconds = store.wall().0 as f64 / 1_000.0;
    sample.push(MetricName::SnapshotTimestamp, vec![MetricPoint::float([], seconds)]);
    sample.push(MetricName::SnapshotDuration, vec![MetricPoint::float([], store.took().as_secs_f64())]);
    let version = MetricLabelValue::Word(env!("CARGO_PKG_VERSION"));
    sample.push(MetricName::BuildInfo, vec![MetricPoint::integer([version], 1_u32)]);
}

fn push_event_sources(sample: &mut MetricsSample, store: &Store) {
    let status = store.event_status();
    let sources = [("tracepoint", &status.trace), ("destroy_event", &status.ends)];
    let active = sources.map(|(source, status)| {
        MetricPoint::integer([MetricLabelValue::Word(source)], u32::from(*status == EventSourceStatus::On))
    });
    sample.push(MetricName::EventSourceActive, active.into());
}

fn push_states(sample: &mut MetricsSample, counts: &RowCounts<'_>) {
    sample.push(MetricName::UnattributedSockets, vec![MetricPoint::integer([], counts.unattributed)]);
    let tcp = STATES.iter().filter(|row| row.state != TcpState::Unconn).flat_map(|row| {
        Family::ALL.map(|family| {
            let labels = [MetricLabelValue::State(row.state), MetricLabelValue::Word(family.name())];
            MetricPoint::integer(labels, counts.tcp[family as usize][row.state as usize])
        })
    });
    sample.push(MetricName::TcpConnections, tcp.collect());
    let udp = Family::ALL
        .map(|family| MetricPoint::integer([MetricLabelValue::Word(family.name())], counts.udp[family as usize]));
    sample.push(MetricName::UdpSockets, udp.into());
}

fn push_ages(sample: &mut MetricsSample, ages: &[AgeCounts; AGE_STATES.len()]) {
    let by_state = || AGE_STATES.into_iter().zip(ages);
    let buckets = by_state().flat_map(|(state, ages)| {
        let bounds = AGE_BOUNDS.iter().zip(ages.at_most).map(|(bound, count)| (format!("{bound}.0"), count));
        bounds.chain([("+Inf".to_owned(), ages.count)]).map(move |(bound, count)| {
            let bound = MetricLabelValue::Text(DisplayText::new(&bound));
            MetricPoint::integer([MetricLabelValue::State(state), bound], count)
        })
    });
    sample.push(MetricName::StateAgeBucket, buckets.collect());
    let counts = by_state().map(|(state, ages)| MetricPoint::integer([MetricLabelValue::State(state)], ages.count));
    sample.push(MetricName::StateAgeCount, counts.collect());
    let sums = by_state().map(|(state, ages)| MetricPoint::float([MetricLabelValue::State(state)], ages.seconds));
    sample.push(MetricName::StateAgeSum, sums.collect());
}

fn push_findings(sample: &mut MetricsSample, findings: &[Finding]) {
    let mut counts: BTreeMap<(Rule, Severity), u32> = BTreeMap::new();
    for finding in findings {
        *counts.entry((finding.key.rule, finding.severity)).or_default() += 1;
    }
    let points = counts.into_iter().map(|((rule, severity), count)| {
        MetricPoint::integer([MetricLabelValue::Word(rule.id()), MetricLabelValue::Word(severity.label())], count)
    });
    sample.push(MetricName::Findings, points.collect());
}

fn add(sum: &mut StateCounts, counts: &StateCounts) {
    sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
}

/// The part of its limit that a process uses; 0 where that is not known.
fn share(descriptors: &Descriptors) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
    descriptors.max.map_or(0.0, |max| f64::from(descriptors.used) / max.max(1) as f64)
}

/// The one of the two that is nearer its limit.
fn nearer(one: Descriptors, other: Descriptors) -> Descriptors {
    let order = |descriptors: &Descriptors| (share(descriptors), descriptors.used);
    if order(&other) > order(&one) { other } else { one }
}

/// Where `socket` listens, without the brackets that stand before a port.
fn address_text(socket: &Socket, store: &Store) -> DisplayText {
    let text = ListenAddress::of(socket).text(store.names()).bracketed().to_string();
    label_text(&DisplayText::new(text.trim_matches(['[', ']'])))
}
