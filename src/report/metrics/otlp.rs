//! OTLP JSON: an `ExportMetricsServiceRequest` in one line, as the otlpjsonfile receiver of an OpenTelemetry collector reads it.
//!
//! The JSON mapping of protobuf writes 64-bit integers as strings and names in lowerCamelCase; OTLP adds that enums are numbers
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>).

use serde::{Serialize, Serializer};

use crate::model::tcp_state::TcpState;
use crate::model::time::WallTime;
use crate::report::metrics::catalog::{MetricKind, MetricRow};
use crate::report::metrics::series::{MetricFamily, MetricLabelValue, MetricPoint, MetricValue, MetricsSample};

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u8 = 2;
const SERVICE: &str = "conntop";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The line of `sample`.
pub(super) fn text(sample: &MetricsSample) -> String {
    let mut text = serde_json::to_string(&request(sample)).expect("names are text, and no number is NaN or infinite");
    text.push('\n');
    text
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtlpRequest<'a> {
    resource_metrics: [OtlpResourceMetrics<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtlpResourceMetrics<'a> {
    resource: OtlpResource<'a>,
    scope_metrics: [OtlpScopeMetrics<'a>; 1],
}

#[derive(Serialize)]
struct OtlpResource<'a> {
    attributes: [OtlpAttribute<'a>; 3],
}

#[derive(Serialize)]
struct OtlpScopeMetrics<'a> {
    scope: OtlpScope,
    metrics: Vec<OtlpMetric<'a>>,
}

#[derive(Serialize)]
struct OtlpScope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtlpMetric<'a> {
    name: &'static str,
    description: &'static str,
    unit: &'static str,
    #[serde(flatten)]
    data: OtlpData<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum OtlpData<'a> {
    #[serde(rename_all = "camelCase")]
    Gauge { data_points: Vec<OtlpPoint<'a>> },
    #[serde(rename_all = "camelCase")]
    Sum { data_points: Vec<OtlpPoint<'a>>, aggregation_temporality: u8, is_monotonic: bool },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtlpPoint<'a> {
    attributes: Vec<OtlpAttribute<'a>>,
    /// Only of what is counted from a moment on.
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time_unix_nano: Option<OtlpNanos>,
    time_unix_nano: OtlpNanos,
    #[serde(flatten)]
    value: OtlpNumber,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum OtlpNumber {
    /// `sfixed64`, as a string.
    AsInt(String),
    AsDouble(f64),
}

#[derive(Serialize)]
struct OtlpAttribute<'a> {
    key: &'static str,
    value: OtlpText<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtlpText<'a> {
    string_value: &'a str,
}

/// Nanoseconds since 1970: `fixed64`, as a string.
#[derive(Clone, Copy)]
struct OtlpNanos(WallTime);

impl Serialize for OtlpNanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let nanos = u64::try_from(self.0.0).unwrap_or_default().saturating_mul(1_000_000);
        serializer.collect_str(&nanos)
    }
}

const fn attribute<'a>(key: &'static str, value: &'a str) -> OtlpAttribute<'a> {
    OtlpAttribute { key, value: OtlpText { string_value: value } }
}

fn request(sample: &MetricsSample) -> OtlpRequest<'_> {
    let resource = [
        attribute("host.name", sample.host.as_str()),
        attribute("service.name", SERVICE),
        attribute("service.version", VERSION),
    ];
    // Families that share a name are one metric.
    let metrics = sample.families.chunk_by(|a, b| a.row.otel == b.row.otel).map(|families| metric(sample, families));
    let scope = OtlpScope { name: SERVICE, version: VERSION };
    let scope_metrics = OtlpScopeMetrics { scope, metrics: metrics.collect() };
    OtlpRequest {
        resource_metrics: [OtlpResourceMetrics {
            resource: OtlpResource { attributes: resource },
            scope_metrics: [scope_metrics],
        }],
    }
}

fn metric<'a>(sample: &MetricsSample, families: &'a [MetricFamily]) -> OtlpMetric<'a> {
    let row = families[0].row;
    let points = families.iter().flat_map(|family| family.points.iter().map(|one| point(sample, family.row, one)));
    let data_points = points.collect();
    let sum =
        |data_points, is_monotonic| OtlpData::Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic };
    let data = match row.kind {
        // OTLP has no histogram of what is there now either.
        MetricKind::Gauge | MetricKind::Distribution => OtlpData::Gauge { data_points },
        MetricKind::UpDownCounter => sum(data_points, false),
        MetricKind::Counter => sum(data_points, true),
    };
    OtlpMetric { name: row.otel, description: row.help, unit: row.unit.otel(), data }
}

fn point<'a>(sample: &MetricsSample, row: &'static MetricRow, point: &'a MetricPoint) -> OtlpPoint<'a> {
    let labels = row.labels.iter().zip(&point.labels).map(|(label, value)| attribute(label.otel, value.otel()));
    let constant = row.otel_constant.map(|(key, value)| attribute(key, value));
    let value = match point.value {
        MetricValue::Integer(number) => match i64::try_from(number) {
            Ok(number) => OtlpNumber::AsInt(number.to_string()),
            #[expect(clippy::cast_precision_loss, reason = "no limit is known to the last digit there")]
            Err(_) => OtlpNumber::AsDouble(number as f64),
        },
        MetricValue::Float(number) => OtlpNumber::AsDouble(number),
    };
    OtlpPoint {
        attributes: labels.chain(constant).collect(),
        start_time_unix_nano: (row.kind == MetricKind::Counter).then_some(OtlpNanos(sample.counted_from)),
        time_unix_nano: OtlpNanos(sample.at),
        value,
    }
}

impl MetricLabelValue {
    fn otel(&self) -> &str {
        match self {
            Self::State(state) => state_name(*state),
            Self::Word(word) => word,
            Self::Text(text) => text.as_str(),
        }
    }
}

/// The value of `network.connection.state` (semantic conventions 1.27 and later); where they have no word for a state, ours.
const fn state_name(state: TcpState) -> &'static str {
    match state {
        TcpState::SynRecv => "syn_received",
        TcpState::FinWait1 => "fin_wait_1",
        TcpState::FinWait2 => "fin_wait_2",
        TcpState::Close => "closed",
        TcpState::Listen
        | TcpState::SynSent
        | TcpState::Established
        | TcpState::CloseWait
        | TcpState::Closing
        | TcpState::LastAck
        | TcpState::TimeWait
        | TcpState::Unconn
        | TcpState::Bound => state.row().label,
    }
}
