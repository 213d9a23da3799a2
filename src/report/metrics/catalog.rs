//! Every metric of `conntop metrics`, once: what it is called for people, by Prometheus and by OpenTelemetry, its labels and how many
//! series it can have. Both formats and the tables of `docs/metrics.md` are made from it.

/// A metric; indexes [`METRICS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the table below says what each metric is")]
pub enum MetricName {
    SnapshotTimestamp,
    SnapshotDuration,
    BuildInfo,
    EventSourceActive,
    UnattributedSockets,
    TcpConnections,
    UdpSockets,
    StateAgeBucket,
    StateAgeCount,
    StateAgeSum,
    ProcessTcpConnections,
    ProcessDescriptors,
    ProcessDescriptorsLimit,
    BacklogConnections,
    BacklogLimit,
    EphemeralPortsUsed,
    Findings,
    EventsLost,
    TcpTransitions,
    TcpOpened,
    TcpClosed,
}

/// How its values follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// A value of now.
    Gauge,
    /// A value of now that is a sum of things: OpenTelemetry tells that apart (`UpDownCounter`), Prometheus does not.
    UpDownCounter,
    /// What only grows while the program runs.
    Counter,
    /// A part of the distribution of a value over what is there now. Neither a counter nor a histogram of either format, whose
    /// buckets only grow.
    Distribution,
}

/// What its values are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricUnit {
    /// Seconds.
    Seconds,
    /// A part of a whole, from 0 to 1.
    Ratio,
    /// Nothing: a marker, or yes (1) and no (0).
    None,
    /// Things, as UCUM annotates them: `{connection}`.
    Things(&'static str),
}

/// A label of its series.
#[derive(Clone, Copy, Debug)]
pub struct MetricLabel {
    /// The name of the label in Prometheus.
    pub prometheus: &'static str,
    /// The name of the attribute in OpenTelemetry.
    pub otel: &'static str,
}

/// One row of the table of metrics.
#[derive(Debug)]
pub struct MetricRow {
    /// Which metric; rows stand in the order of the enum.
    pub metric: MetricName,
    /// What people call it.
    pub title: &'static str,
    /// The name of its series in Prometheus, with `_total` for a counter.
    pub prometheus: &'static str,
    /// The name in OpenTelemetry. Rows that follow one another may share it: they are one metric there.
    pub otel: &'static str,
    /// How its values follow one another.
    pub kind: MetricKind,
    /// The unit.
    pub unit: MetricUnit,
    /// Its labels, in the order of the values of a point.
    pub labels: &'static [MetricLabel],
    /// An attribute that all of its points have in OpenTelemetry, where rows that share a name differ in it.
    pub otel_constant: Option<(&'static str, &'static str)>,
    /// The most series that it has.
    pub series_max: usize,
    /// What it is, in one sentence without a quote, a backslash or a line break.
    pub help: &'static str,
}

/// So many processes are named, those with most TCP sockets; the rest is `other`.
pub const PROCESSES_MAX: usize = 20;
/// So many listen addresses are named, those whose accept queue is fullest; the fullest of the rest is `other`.
pub const LISTENERS_MAX: usize = 50;
/// So many destinations are named.
pub const DESTINATIONS_MAX: usize = 5;
/// The upper bounds of the buckets of ages, in seconds.
pub const AGE_BOUNDS: [u32; 8] = [1, 10, 60, 300, 900, 3_600, 14_400, 86_400];

/// The states of a TCP socket; `UNCONN` is one of UDP sockets.
const STATES: usize = 12;
/// The states of which ages are told.
const AGE_STATES: usize = 3;
const FAMILIES: usize = 2;
const RULES: usize = 31;
const SEVERITIES: usize = 2;
/// What is not among the largest.
const OTHER: usize = 1;

const fn label(prometheus: &'static str, otel: &'static str) -> MetricLabel {
    MetricLabel { prometheus, otel }
}

const STATE: MetricLabel = label("state", "network.connection.state");
const FAMILY: MetricLabel = label("family", "network.type");
const PROCESS: MetricLabel = label("process", "process.executable.name");
const LISTEN_ADDRESS: &[MetricLabel] =
    &[label("address", "network.local.address"), label("port", "network.local.port")];

/// Every metric, indexed by `MetricName as usize`. The time stands first: a reader that knows a file by its first bytes sees a new one.
#[rustfmt::skip]
pub const METRICS: [MetricRow; 21] = [
    MetricRow {
        metric: MetricName::SnapshotTimestamp, title: "time of the sample",
        prometheus: "conntop_snapshot_timestamp_seconds", otel: "conntop.snapshot.timestamp",
        kind: MetricKind::Gauge, unit: MetricUnit::Seconds, labels: &[], otel_constant: None, series_max: 1,
        help: "When the sample was taken, in seconds since 1970-01-01. Old where conntop no longer runs.",
    },
    MetricRow {
        metric: MetricName::SnapshotDuration, title: "cost of the sample",
        prometheus: "conntop_snapshot_duration_seconds", otel: "conntop.snapshot.duration",
        kind: MetricKind::Gauge, unit: MetricUnit::Seconds, labels: &[], otel_constant: None, series_max: 1,
        help: "How long taking the sample took.",
    },
    MetricRow {
        metric: MetricName::BuildInfo, title: "version",
        prometheus: "conntop_build_info", otel: "conntop.build.info",
        kind: MetricKind::Gauge, unit: MetricUnit::None, labels: &[label("version", "service.version")], otel_constant: None, series_max: 1,
        help: "The version of conntop; the value is always 1.",
    },
    MetricRow {
        metric: MetricName::EventSourceActive, title: "who reports changes",
        prometheus: "conntop_event_source_active", otel: "conntop.event_source.active",
        kind: MetricKind::Gauge, unit: MetricUnit::None, labels: &[label("source", "conntop.event_source")], otel_constant: None, series_max: 2,
        help: "1 where the kernel reports changes of state (tracepoint) or ends of sockets (destroy_event) as they happen; 0 where the counters hold only what two samples show.",
    },
    MetricRow {
        metric: MetricName::UnattributedSockets, title: "sockets without a known process",
        prometheus: "conntop_unattributed_sockets", otel: "conntop.unattributed_sockets",
        kind: MetricKind::UpDownCounter, unit: MetricUnit::Things("{socket}"), labels: &[], otel_constant: None, series_max: 1,
        help: "Sockets that a process holds of which conntop could not find out which, as a rule for lack of permission.",
    },
    MetricRow {
        metric: MetricName::TcpConnections, title: "TCP sockets by state",
        prometheus: "conntop_tcp_connections", otel: "system.network.connection.count",
        kind: MetricKind::UpDownCounter, unit: MetricUnit::Things("{connection}"), labels: &[STATE, FAMILY],
        otel_constant: Some(("network.transport", "tcp")), series_max: STATES * FAMILIES,
        help: "TCP sockets by state and address family; an MPTCP connection counts once.",
    },
    MetricRow {
        metric: MetricName::UdpSockets, title: "UDP sockets",
        prometheus: "conntop_udp_sockets", otel: "system.network.connection.count",
        kind: MetricKind::UpDownCounter, unit: MetricUnit::Things("{connection}"), labels: &[FAMILY],
        otel_constant: Some(("network.transport", "udp")), series_max: FAMILIES,
        help: "UDP sockets by address family.",
    },
    MetricRow {
        metric: MetricName::StateAgeBucket, title: "TCP sockets by age",
        prometheus: "conntop_tcp_state_age_seconds_bucket", otel: "conntop.tcp.state_age.bucket",
        kind: MetricKind::Distribution, unit: MetricUnit::Things("{connection}"), labels: &[STATE, label("le", "conntop.age.le")],
        otel_constant: None, series_max: AGE_STATES * (AGE_BOUNDS.len() + 1),
        help: "TCP sockets of now that have been in their state for at most le seconds, as far as that is known; no counter, so histogram_quantile takes it without rate.",
    },
    MetricRow {
        metric: MetricName::StateAgeCount, title: "TCP sockets of known age",
        prometheus: "conntop_tcp_state_age_seconds_count", otel: "conntop.tcp.state_age.count",
        kind: MetricKind::Distribution, unit: MetricUnit::Things("{connection}"), labels: &[STATE],
        otel_constant: None, series_max: AGE_STATES,
        help: "TCP sockets of now of which it is known how long they have been in their state, at least.",
    },
    MetricRow {
        metric: MetricName::StateAgeSum, title: "sum of their ages",
        prometheus: "conntop_tcp_state_age_seconds_sum", otel: "conntop.tcp.state_age.sum",
        kind: MetricKind::Distribution, unit: MetricUnit::Seconds, labels: &[STATE],
        otel_constant: None, series_max: AGE_STATES,
        help: "How long the TCP sockets of now have been in their state, all together, in seconds.",
    },
    MetricRow {
        metric: MetricName::ProcessTcpConnections, title: "TCP sockets by process",
        prometheus: "conntop_process_tcp_connections", otel: "conntop.process.tcp.connections",
        kind: MetricKind::UpDownCounter, unit: MetricUnit::Things("{connection}"), labels: &[PROCESS, STATE],
        otel_constant: None, series_max: (PROCESSES_MAX + OTHER) * STATES,
        help: "TCP sockets by name of the process and state, of the 20 names with most, the rest as other; what programs of several names hold counts for each.",
    },
    MetricRow {
        metric: MetricName::ProcessDescriptors, title: "open descriptors by process",
        prometheus: "conntop_process_open_descriptors", otel: "conntop.process.open_descriptors",
        kind: MetricKind::Gauge, unit: MetricUnit::Things("{file_descriptor}"), labels: &[PROCESS],
        otel_constant: None, series_max: PROCESSES_MAX + OTHER,
        help: "Open descriptors of the process that is nearest its limit among those of one name, for the 20 names nearest; other is the nearest of the rest.",
    },
    MetricRow {
        metric: MetricName::ProcessDescriptorsLimit, title: "limit of descriptors",
        prometheus: "conntop_process_open_descriptors_limit", otel: "conntop.process.open_descriptors.limit",
        kind: MetricKind::Gauge, unit: MetricUnit::Things("{file_descriptor}"), labels: &[PROCESS],
        otel_constant: None, series_max: PROCESSES_MAX + OTHER,
        help: "How many descriptors that process may open (soft RLIMIT_NOFILE); missing where it may not be read.",
    },
    MetricRow {
        metric: MetricName::BacklogConnections, title: "accept queue",
        prometheus: "conntop_listen_backlog_connections", otel: "conntop.listen.backlog.connections",
        kind: MetricKind::Gauge, unit: MetricUnit::Things("{connection}"), labels: LISTEN_ADDRESS,
        otel_constant: None, series_max: LISTENERS_MAX + OTHER,
        help: "Connections that wait to be accepted, in the fullest accept queue of each listen address, for the 50 fullest; other is the fullest of the rest.",
    },
    MetricRow {
        metric: MetricName::BacklogLimit, title: "limit of the accept queue",
        prometheus: "conntop_listen_backlog_limit", otel: "conntop.listen.backlog.limit",
        kind: MetricKind::Gauge, unit: MetricUnit::Things("{connection}"), labels: LISTEN_ADDRESS,
        otel_constant: None, series_max: LISTENERS_MAX + OTHER,
        help: "How many connections may wait in that queue; missing where the source does not say.",
    },
    MetricRow {
        metric: MetricName::EphemeralPortsUsed, title: "ephemeral ports used",
        prometheus: "conntop_ephemeral_ports_used_ratio", otel: "conntop.ephemeral_ports.utilization",
        kind: MetricKind::Gauge, unit: MetricUnit::Ratio, labels: &[label("destination", "conntop.destination")],
        otel_constant: None, series_max: DESTINATIONS_MAX,
        help: "The part of the ephemeral ports that connections to one destination use, for the 5 destinations that use most.",
    },
    MetricRow {
        metric: MetricName::Findings, title: "findings",
        prometheus: "conntop_findings", otel: "conntop.findings",
        kind: MetricKind::UpDownCounter, unit: MetricUnit::Things("{finding}"),
        labels: &[label("rule", "conntop.rule"), label("severity", "conntop.severity")],
        otel_constant: None, series_max: RULES * SEVERITIES,
        help: "What conntop check finds wrong now, by rule and severity; a rule that finds nothing has no series.",
    },
    MetricRow {
        metric: MetricName::EventsLost, title: "events lost",
        prometheus: "conntop_events_lost_total", otel: "conntop.events_lost",
        kind: MetricKind::Counter, unit: MetricUnit::Things("{event}"), labels: &[], otel_constant: None, series_max: 1,
        help: "Events of the kernel that were lost since conntop started; each may be a transition that is not counted.",
    },
    MetricRow {
        metric: MetricName::TcpTransitions, title: "changes of state",
        prometheus: "conntop_tcp_transitions_total", otel: "conntop.tcp.transitions",
        kind: MetricKind::Counter, unit: MetricUnit::Things("{transition}"),
        labels: &[label("from", "conntop.tcp.from"), label("to", "conntop.tcp.to")],
        otel_constant: None, series_max: STATES * (STATES - 1),
        help: "Changes of state of TCP sockets since conntop started; without the tracepoint those that two samples show.",
    },
    MetricRow {
        metric: MetricName::TcpOpened, title: "connections opened",
        prometheus: "conntop_tcp_opened_total", otel: "conntop.tcp.opened",
        kind: MetricKind::Counter, unit: MetricUnit::Things("{connection}"), labels: &[], otel_constant: None, series_max: 1,
        help: "TCP connections, and attempts at one, that began since conntop started.",
    },
    MetricRow {
        metric: MetricName::TcpClosed, title: "connections ended",
        prometheus: "conntop_tcp_closed_total", otel: "conntop.tcp.closed",
        kind: MetricKind::Counter, unit: MetricUnit::Things("{connection}"), labels: &[label("reason", "conntop.tcp.close_reason")],
        otel_constant: None, series_max: 4,
        help: "TCP connections, and attempts at one, that ended since conntop started: by both sides (fin), by a reset or a refusal (reset), without an answer (timeout), or nothing tells how (unknown).",
    },
];

impl MetricName {
    /// Its row.
    pub const fn row(self) -> &'static MetricRow {
        &METRICS[self as usize]
    }
}

impl MetricRow {
    /// The type in Prometheus, where it has one that is true in both of its text formats: see `openmetrics.rs`.
    pub const fn prometheus_type(&self) -> Option<&'static str> {
        match self.kind {
            MetricKind::Gauge | MetricKind::UpDownCounter => Some("gauge"),
            MetricKind::Counter | MetricKind::Distribution => None,
        }
    }
}

impl MetricKind {
    /// What the docs call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::UpDownCounter => "gauge (OpenTelemetry: UpDownCounter)",
            Self::Counter => "counter",
            Self::Distribution => "distribution of now",
        }
    }
}

impl MetricUnit {
    /// The unit in Prometheus, which ends the name; `None` where names have none.
    pub const fn prometheus(self) -> Option<&'static str> {
        match self {
            Self::Seconds => Some("seconds"),
            Self::Ratio => Some("ratio"),
            Self::None | Self::Things(_) => None,
        }
    }

    /// The unit in OpenTelemetry (UCUM).
    pub const fn otel(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Ratio | Self::None => "1",
            Self::Things(annotation) => annotation,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::diagnosis::rule::Rule;

    #[test]
    fn rows_stand_in_the_order_of_the_enum_and_names_are_unique() {
        for (index, row) in METRICS.iter().enumerate() {
            assert_eq!(row.metric as usize, index, "{}", row.prometheus);
        }
        let names: BTreeSet<_> = METRICS.iter().map(|row| row.prometheus).collect();
        assert_eq!(names.len(), METRICS.len());
        assert_eq!(RULES, Rule::ALL.len());
    }

    #[test]
    fn names_are_as_both_formats_want_them() {
        for row in &METRICS {
            let name = row.prometheus;
            assert!(name.starts_with("conntop_"), "{name}: a name of node_exporter would break its scrape");
            assert_eq!(name.ends_with("_total"), row.kind == MetricKind::Counter, "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert!(!row.help.contains(['\\', '"', '\n']) && row.help.ends_with('.'), "{name}");
            if let Some(unit) = row.unit.prometheus().filter(|_| row.kind != MetricKind::Distribution) {
                assert!(name.ends_with(unit), "{name}");
            }
        }
    }

    #[test]
    fn rows_that_share_a_name_follow_one_another_and_are_alike() {
        let otel: BTreeSet<_> = METRICS.iter().map(|row| row.otel).collect();
        let groups = || METRICS.chunk_by(|a, b| a.otel == b.otel);
        assert_eq!(groups().count(), otel.len());
        for group in groups().filter(|group| group.len() > 1) {
            assert!(group.iter().all(|row| row.kind == group[0].kind && row.unit == group[0].unit));
            assert!(group.iter().all(|row| row.otel_constant.is_some()));
        }
    }
}
