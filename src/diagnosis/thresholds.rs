//! The numbers that the rules compare with, each with its default; the config file may set them.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::model::units::parse::{SPAN_HINT, deserialize_span};
use crate::store::pressure::FULL_PERCENT;

/// A number of events per second: finite and not negative.
type PerSecond = f64;
/// A share in percent, 0 to 100.
type Percent = f64;

/// Makes [`Thresholds`], its defaults and the table [`THRESHOLDS`] from one row each:
/// `name as "older-name": type = default, reader, "unit", "what it is"`; most have no older name.
macro_rules! thresholds {
    ($($name:ident $(as $older:literal)?: $kind:ty = $default:expr, $reader:literal, $unit:literal, $about:literal;)*) => {
        /// Limits of all rules. Names are those of the config file, section `[thresholds]`; times are in seconds there, or text with units (`"2m"`).
        #[expect(clippy::doc_markdown, reason = "the same words are shown to users")]
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
        pub struct Thresholds {
            $(#[doc = $about] #[serde(deserialize_with = $reader $(, alias = $older)?)] pub $name: $kind,)*
        }

        impl Default for Thresholds {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// What there is to say about each threshold, in the order of the fields.
        pub const THRESHOLDS: &[ThresholdRow] = &[
            $(ThresholdRow { field: stringify!($name), unit: $unit, about: $about, value: |all| all.$name.number() },)*
        ];
    };
}

/// One threshold, for help and documentation.
#[derive(Debug)]
pub struct ThresholdRow {
    /// The name of the field.
    field: &'static str,
    /// The unit of the number in the config file.
    pub unit: &'static str,
    /// What it is: a sentence.
    pub about: &'static str,
    value: fn(&Thresholds) -> f64,
}

impl ThresholdRow {
    /// The name in the config file.
    pub fn name(&self) -> String {
        self.field.replace('_', "-")
    }

    /// Its value in `thresholds`, as the config file writes it.
    pub fn value(&self, thresholds: &Thresholds) -> f64 {
        (self.value)(thresholds)
    }
}

/// A threshold as the plain number of the config file.
trait Number {
    fn number(self) -> f64;
}

impl Number for f64 {
    fn number(self) -> f64 {
        self
    }
}

impl Number for u32 {
    fn number(self) -> f64 {
        f64::from(self)
    }
}

impl Number for Duration {
    fn number(self) -> f64 {
        self.as_secs_f64()
    }
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[rustfmt::skip]
thresholds! {
    settled: Duration = s(5), "seconds", "seconds", "A socket counts only once it has been in its state for so long: every close takes a moment.";
    close_wait_age: Duration = s(60), "seconds", "seconds", "A group of CLOSE_WAIT sockets of any size is a finding from this age on, if it grows.";
    close_wait_some: u32 = 5, "count", "sockets", "So many CLOSE_WAIT sockets of that age are a finding even if they do not grow.";
    close_wait_old: Duration = s(600), "seconds", "seconds", "One CLOSE_WAIT socket as old as this is a finding.";
    close_wait_many: u32 = 100, "count", "sockets", "So many settled CLOSE_WAIT sockets are a finding at any age.";
    close_wait_critical: u32 = 1_000, "count", "sockets", "From so many CLOSE_WAIT sockets on it is critical.";
    held_dead_age: Duration = s(60), "seconds", "seconds", "A group of sockets held in CLOSE (reset, or never connected) of any size is a finding from this age on, if it grows.";
    held_dead_some: u32 = 20, "count", "sockets", "So many sockets held in CLOSE for that long are a finding even if they do not grow.";
    held_dead_many: u32 = 100, "count", "sockets", "So many settled sockets held in CLOSE are a finding at any age.";
    held_dead_critical: u32 = 1_000, "count", "sockets", "From so many sockets held in CLOSE on it is critical.";
    runs_out_critical: Duration = s(3_600), "seconds", "seconds", "It is critical if descriptors or ports run out sooner than this.";
    not_accepted: u32 = 1, "count", "connections", "So many settled connections that accept() has not taken are a finding.";
    not_accepted_critical: Duration = s(60), "seconds", "seconds", "It is critical if one has waited so long for accept().";
    accept_queue_warning: Percent = 80.0, "percent", "percent", "An accept queue filled to this share of its limit is a finding.";
    accept_queue_at_fault: Percent = FULL_PERCENT, "percent", "percent", "Overflows that the kernel counts are put down to listeners filled to this share.";
    accept_queue_small: u32 = 128, "count", "connections", "A limit of an accept queue up to this is called small.";
    ephemeral_ports_warning: Percent = 70.0, "percent", "percent", "So large a share of the ports to one destination in use is a finding.";
    ephemeral_ports_critical: Percent = 90.0, "percent", "percent", "So large a share of the ports to one destination in use is critical.";
    connect_failures: u32 = 5, "count", "attempts", "So many attempts to connect to one destination in a row that all failed are a finding; twice as many within a minute where only a part fails.";
    connect_failures_share: Percent = 20.0, "percent", "percent", "So large a part of the attempts to connect to one destination within a minute that fails is a finding.";
    connect_waited: Duration = s(8), "seconds", "seconds", "Two attempts or more in a row that all failed are a finding if they waited for an answer so long in all.";
    connect_failing_critical: Duration = s(60), "seconds", "seconds", "It is critical if no attempt to connect to one destination has succeeded for so long, and many were made.";
    reset_early: u32 = 10, "count", "connections", "So many connections within a minute that were reset within a second of being established are a finding, if reset-early-share is reached as well.";
    reset_early_share: Percent = 20.0, "percent", "percent", "The share of all connections that must be reset within a second of being established for a finding.";
    churn as "time-wait-churn": PerSecond = 200.0, "per_second", "per second", "More connections than this made and closed per second to one destination are a finding.";
    churn_elsewhere: PerSecond = 1_000.0, "per_second", "per second", "As churn, where the other end closes first, so that no local port is held.";
    fin_wait2_age: Duration = s(60), "seconds", "seconds", "A connection that a process holds in FIN_WAIT2 for so long is stuck.";
    fin_wait2_stuck: u32 = 10, "count", "sockets", "So many stuck FIN_WAIT2 sockets are a finding.";
    syn_sent_age: Duration = s(3), "seconds", "seconds", "A peer that has not answered a SYN for so long does not answer.";
    syn_sent_critical: u32 = 100, "count", "sockets", "So many unanswered SYNs of one process to one place are critical.";
    dns_wait: Duration = s(1), "seconds", "seconds", "A lookup that has waited for less than this is not counted as unanswered.";
    dns_unanswered: u32 = 2, "count", "lookups", "So many lookups of one program that time out within a minute are a finding.";
    syn_backlog_warning: Percent = 80.0, "percent", "percent", "A SYN queue filled to this share of its limit is a finding.";
    syn_drops: PerSecond = 1.0, "per_second", "per second", "So many new connections a second that a listener drops, without a full accept queue, are a finding.";
    loss_rate: PerSecond = 1.0, "per_second", "per second", "So many packets a second that the kernel drops are a finding, if loss-percent is reached as well.";
    loss_percent: Percent = 0.1, "percent", "percent", "A smaller share of dropped packets is no finding, unless a hundred times loss-rate is dropped.";
    conntrack_warning: Percent = 90.0, "percent", "percent", "So large a share of the connections that the firewall can track is a finding.";
    retransmit_backoff: u32 = 3, "count", "time-outs", "A connection with so many retransmission time-outs in a row is a finding.";
    retransmit_percent: Percent = 5.0, "percent", "percent", "A larger share of all segments sent again, over the last minute, is a finding.";
    retransmit_segments: u32 = 1_000, "count", "segments", "The share of retransmitted segments is taken only if at least so many were sent in the last minute.";
    zero_window_age: Duration = s(10), "seconds", "seconds", "A peer that has offered no window for so long does not read.";
    local_reader_age: Duration = s(10), "seconds", "seconds", "A process of this machine that has read nothing for so long, though data waits for it, does not read.";
    local_reader_bytes: u32 = 16_384, "count", "bytes", "A receive queue with fewer unread bytes than this is not judged, unless its window is zero; at least 4096.";
    slow_reader_rate: u32 = 8_192, "count", "bytes per second", "Who reads fewer bytes than this a second, while more and more waits, reads too slowly.";
    stalled_age: Duration = s(60), "seconds", "seconds", "A connection on which nothing moves for so long is stalled; see stalled-bytes.";
    stalled_bytes: u32 = 1_048_576, "count", "bytes", "A stalled connection with so much data to send is a finding, however many healthy connections its listener has.";
    dead_peer_age: Duration = s(60), "seconds", "seconds", "A peer that has acknowledged nothing for so long, with data on its way to it, is taken for dead.";
    troubled_clients: Percent = 2.0, "percent", "percent", "Silent or slow clients of a listener are a finding from this share of all established connections on; fewer have a problem of their own.";
    troubled_clients_many: u32 = 100, "count", "connections", "So many silent or slow clients of a listener are a finding, whatever share of its connections they are.";
    descriptors_warning: Percent = 80.0, "percent", "percent", "So large a share of a process's descriptors in use is a finding.";
    descriptors_critical: Percent = 95.0, "percent", "percent", "So large a share of a process's descriptors in use is critical.";
    orphans_warning: Percent = 50.0, "percent", "percent", "So large a share of the orphans the kernel allows is a finding: it begins to reset some.";
    orphans_critical: Percent = 90.0, "percent", "percent", "So large a share of the orphans the kernel allows is critical.";
}

/// The longest time that a threshold may be: a hundred years.
const SECONDS_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let asked = deserialize_span(deserializer)?;
    Some(asked).filter(|asked| *asked <= SECONDS_MAX).ok_or_else(|| D::Error::custom(SPAN_HINT))
}

fn percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Percent, D::Error> {
    between(deserializer, 100.0, "a percentage from 0 to 100")
}

fn per_second<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PerSecond, D::Error> {
    between(deserializer, 1e9, "a number per second, 0 or more")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let count = between(deserializer, f64::from(u32::MAX), "a whole number, 0 or more")?;
    if count.fract() == 0.0 {
        Ok(count as u32)
    } else {
        Err(D::Error::custom(says(count, "a whole number, 0 or more")))
    }
}

/// A number that is neither NaN nor negative nor above `max`.
fn between<'de, D: Deserializer<'de>>(deserializer: D, max: f64, wanted: &str) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if (0.0..=max).contains(&number) { Ok(number) } else { Err(D::Error::custom(says(number, wanted))) }
}

fn says(number: f64, wanted: &str) -> String {
    format!("{number} is no threshold; write {wanted}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_threshold_is_described_and_named_as_in_the_file() {
        let names: BTreeSet<_> = THRESHOLDS.iter().map(ThresholdRow::name).collect();
        assert_eq!(names.len(), THRESHOLDS.len());
        for row in THRESHOLDS {
            assert!(row.about.ends_with('.') && !row.unit.is_empty(), "{}", row.name());
            let value = row.value(&Thresholds::default());
            let read: Thresholds = toml::from_str(&format!("{} = {value}", row.name())).expect("a default is valid");
            assert_eq!(read, Thresholds::default(), "{}", row.name());
        }
    }

    #[test]
    fn what_is_no_threshold_is_refused_in_a_sentence() {
        for (text, words) in [
            ("close-wait-age = -1", SPAN_HINT),
            ("close-wait-age = nan", SPAN_HINT),
            ("close-wait-age = inf", SPAN_HINT),
            ("close-wait-many = -1", "a whole number, 0 or more"),
            ("close-wait-many = 1.5", "a whole number, 0 or more"),
            ("descriptors-warning = 101", "a percentage from 0 to 100"),
            ("churn = -0.5", "a number per second, 0 or more"),
            ("close_wait_age = 1", "unknown field"),
        ] {
            let error = toml::from_str::<Thresholds>(text).expect_err(text).to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        let read: Thresholds = toml::from_str("close-wait-age = 1.5\ntime-wait-churn = 20").expect("valid");
        assert_eq!((read.close_wait_age, read.churn), (Duration::from_millis(1_500), 20.0), "an older name");
    }
}
