//! The values of all metrics at one moment, before they are written in a format.

use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::model::time::WallTime;
use crate::report::metrics::catalog::{MetricName, MetricRow};

/// The longest value of a label, in bytes before it is escaped: an IPv6 address with an interface and a port fits.
const LABEL_LEN_MAX: usize = 96;

/// The value of a label.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricLabelValue {
    /// A state, which each format spells in its own way.
    State(TcpState),
    /// A word of the program.
    Word(&'static str),
    /// Text from outside.
    Text(DisplayText),
}

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricValue {
    /// A whole number.
    Integer(u64),
    /// Any other; never NaN or infinite.
    Float(f64),
}

/// One series and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricPoint {
    /// A value for each label of its row.
    pub labels: Vec<MetricLabelValue>,
    /// The value.
    pub value: MetricValue,
}

/// A metric and its series.
#[derive(Clone, Debug)]
pub struct MetricFamily {
    /// What it is.
    pub row: &'static MetricRow,
    /// Its series, each once.
    pub points: Vec<MetricPoint>,
}

/// All metrics at one moment, in the order of their table.
#[derive(Clone, Debug)]
pub struct MetricsSample {
    /// The host that they are of.
    pub host: DisplayText,
    /// When the sample was taken.
    pub at: WallTime,
    /// From when on counters count.
    pub counted_from: WallTime,
    /// The metrics that have a series.
    pub families: Vec<MetricFamily>,
}

impl MetricsSample {
    /// Adds the series of `metric`; the next one must stand behind it in the table.
    pub(super) fn push(&mut self, metric: MetricName, points: Vec<MetricPoint>) {
        if !points.is_empty() {
            self.families.push(MetricFamily { row: metric.row(), points });
        }
    }
}

impl MetricPoint {
    /// A whole number of the series with these labels.
    pub(super) fn integer(labels: impl Into<Vec<MetricLabelValue>>, value: impl Into<u64>) -> Self {
        Self { labels: labels.into(), value: MetricValue::Integer(value.into()) }
    }

    /// A fraction of the series with these labels.
    pub(super) fn float(labels: impl Into<Vec<MetricLabelValue>>, value: f64) -> Self {
        Self { labels: labels.into(), value: MetricValue::Float(value) }
    }
}

/// `text` as the value of a label: text that is the same here is one series, so it is cut before things are summed by it.
pub(super) fn label_text(text: &DisplayText) -> DisplayText {
    if text.as_str().len() <= LABEL_LEN_MAX {
        return text.clone();
    }
    DisplayText::from_bytes(text.as_str().as_bytes(), LABEL_LEN_MAX)
}
