//! `conntop metrics`: what is known as numbers for a monitoring system, in a number of series that is bounded.
//!
//! [`catalog`] is the table of metrics, `collect` makes their values of a store, `openmetrics` and `otlp` write them.

pub mod catalog;
mod changes;
mod collect;
mod openmetrics;
mod otlp;
mod port_use;
pub mod series;
mod slots;

use clap::ValueEnum;

pub use crate::report::metrics::collect::MetricsCollector;
use crate::report::metrics::series::MetricsSample;

/// How metrics are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MetricsFormat {
    /// Text that Prometheus, its node exporter and most other monitoring systems read
    #[default]
    #[value(name = "openmetrics")]
    OpenMetrics,
    /// A line of OTLP JSON, for the otlpjsonfile receiver of an OpenTelemetry collector
    #[value(name = "otlp-json")]
    OtlpJson,
}

impl MetricsFormat {
    /// `sample` in this format. UTF-8, which both formats ask for whatever the locale is.
    pub fn text(self, sample: &MetricsSample) -> String {
        match self {
            Self::OpenMetrics => openmetrics::text(sample),
            Self::OtlpJson => otlp::text(sample),
        }
    }
}

#[cfg(test)]
mod tests;
