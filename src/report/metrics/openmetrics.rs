//! Text that is valid `OpenMetrics` 1.0 and valid Prometheus text format 0.0.4 at once, because the textfile collector of
//! `node_exporter` and `promtool check metrics` read the older one and everybody else asks for the newer one. Where their rules differ,
//! this is what both accept:
//!
//! | | `OpenMetrics` | Prometheus text 0.0.4 | written here |
//! |---|---|---|---|
//! | counter | `# TYPE x counter` before samples `x_total` | `# TYPE x_total counter`; with the other form `x_total` has neither type nor help | `# HELP x_total` and no type: `unknown` there, `untyped` here; the suffix says what it is |
//! | ages of what is there now | `gaugehistogram` | no such type; `histogram` would promise that buckets only grow | series `_bucket`, `_count`, `_sum` without a type, as above |
//! | `conntop_build_info` | `# TYPE conntop_build info` | no such type | a gauge of 1 |
//! | `# UNIT` | the name must end in the unit | a comment | after the type |
//! | `# EOF` | the last line | a comment | the last line |
//! | a blank line, any other comment, a time stamp | forbidden, or refused by `node_exporter` | allowed | never |
//! | values of labels | `\\`, `\"` and `\n` are escaped | the same | the same |
//!
//! `_created` is left out: in the older format it would be one more series for each counter, and a counter that begins again at 0
//! tells Prometheus by itself that the program was started again.

use std::fmt::Write;

use crate::report::metrics::catalog::MetricKind;
use crate::report::metrics::series::{MetricFamily, MetricLabelValue, MetricPoint, MetricValue, MetricsSample};

/// The text of `sample`.
pub(super) fn text(sample: &MetricsSample) -> String {
    let mut out = String::new();
    for family in &sample.families {
        write_family(&mut out, family);
    }
    out.push_str("# EOF\n");
    out
}

fn write_family(out: &mut String, family: &MetricFamily) {
    let row = family.row;
    let name = row.prometheus;
    line(out, format_args!("# HELP {name} {}", row.help));
    if let Some(kind) = row.prometheus_type() {
        line(out, format_args!("# TYPE {name} {kind}"));
    }
    // The name of a part of a distribution ends in what part it is.
    if let Some(unit) = row.unit.prometheus().filter(|_| row.kind != MetricKind::Distribution) {
        line(out, format_args!("# UNIT {name} {unit}"));
    }
    for point in &family.points {
        write_point(out, family, point);
    }
}

fn write_point(out: &mut String, family: &MetricFamily, point: &MetricPoint) {
    out.push_str(family.row.prometheus);
    let mut before = '{';
    for (label, value) in family.row.labels.iter().zip(&point.labels) {
        out.push(before);
        out.push_str(label.prometheus);
        out.push_str("=\"");
        push_escaped(out, value.prometheus());
        out.push('"');
        before = ',';
    }
    if before == ',' {
        out.push('}');
    }
    match point.value {
        MetricValue::Integer(number) => line(out, format_args!(" {number}")),
        MetricValue::Float(number) => line(out, format_args!(" {number}")),
    }
}

/// A string takes all.
fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "{text}");
}

fn push_escaped(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
}

impl MetricLabelValue {
    fn prometheus(&self) -> &str {
        match self {
            // As node_exporter spells them: close_wait, fin_wait1.
            Self::State(state) => state.row().label,
            Self::Word(word) => word,
            Self::Text(text) => text.as_str(),
        }
    }
}
