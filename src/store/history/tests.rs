//! The rings are bounded, honest about gaps, and lose no peak.

use proptest::prelude::*;

use super::*;
use crate::model::endpoint::Protocol;
use crate::model::tcp_state::TcpState::{self, CloseWait, Established, TimeWait};
use crate::model::testing::{self, tcp};
use crate::store::history::minutes::MINUTES_LEN_MAX;
use crate::store::history::trend::ChartSpan;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn counts(established: u32) -> SocketCounts {
    let mut counts = SocketCounts::default();
    counts.tcp[Established as usize] = established;
    counts
}

fn established(counts: &SocketCounts) -> u32 {
    counts.of(Established)
}

fn transition(from: Option<TcpState>, to: Option<TcpState>) -> Transition {
    testing::transition(tcp(1), 0, from, to)
}

#[test]
fn ten_samples_a_second_count_as_one_and_lose_no_event() {
    let mut history = History::default();
    for tenth in 0..600 {
        history.push(at(tenth * 100), counts(5), &[transition(None, Some(Established))]);
    }
    assert!((60..=68).contains(&history.samples().len()), "{}", history.samples().len());
    let rates = history.rates(Duration::from_secs(30)).expect("there are samples");
    assert!((rates.opened - 10.0).abs() < 0.1, "{rates:?}");
    let edges = history.transition_rates().expect("there are samples");
    assert!((edges.of(None, Some(Established)) - 10.0).abs() < 0.1, "{}", edges.of(None, Some(Established)));
}

#[test]
fn seconds_and_minutes_end_where_they_are_said_to() {
    let mut history = History::default();
    for second in 0..100_000 {
        history.push(at(second * 1_000), counts(1), &[]);
    }
    assert_eq!(history.samples().len(), 900);
    assert_eq!(history.minutes().len(), MINUTES_LEN_MAX);
    assert_eq!(history.transition_rates().expect("there are samples").over, Duration::from_secs(60));
}

#[test]
fn what_followed_what_is_counted_over_the_minute_that_was_watched() {
    let mut history = History::default();
    history.push(at(0), counts(0), &[transition(None, Some(Established))]);
    assert_eq!(history.transition_rates(), None, "one sample is no span of time");
    let close = transition(Some(Established), Some(TimeWait));
    history.push(at(10_000), counts(0), &[close.clone(), close, transition(Some(TimeWait), None)]);
    let edges = history.transition_rates().expect("two samples");
    assert_eq!(edges.over, Duration::from_secs(10));
    assert_eq!(edges.count(Some(Established), Some(TimeWait)), 2);
    assert!((edges.of(Some(TimeWait), None) - 0.1).abs() < 1e-6);
    assert_eq!(edges.count(None, Some(Established)), 0, "what came before the span is not in it");
    for second in 11..=200 {
        history.push(at(second * 1_000), counts(0), &[]);
    }
    assert_eq!(history.transition_rates().expect("samples").count(Some(Established), Some(TimeWait)), 0, "long ago");
    let mut datagram = transition(Some(Established), Some(CloseWait));
    datagram.protocol = Protocol::Udp;
    history.push(at(201_000), counts(0), &[datagram]);
    assert_eq!(
        history.transition_rates().expect("samples").count(Some(Established), Some(CloseWait)),
        0,
        "UDP has no states"
    );
}

#[test]
fn a_chart_shows_each_peak_and_a_pause_as_a_gap() {
    let mut history = History::default();
    assert_eq!(history.trend(ChartSpan::Short, 3, established), [None; 3]);
    for second in 0..60 {
        history.push(at(second * 1_000), counts(if second == 7 { 90 } else { 4 }), &[]);
    }
    // Half a minute without samples.
    for second in 90..120 {
        history.push(at(second * 1_000), counts(6), &[]);
    }
    let trend = history.trend(ChartSpan::Short, 12, established);
    let (low, high) = (Some(4), Some(6));
    assert_eq!(trend, [Some(90), low, low, low, low, low, None, None, None, high, high, high]);
    // A chart that is finer than the samples has no holes.
    let fine = history.trend(ChartSpan::Short, 400, established);
    assert!(fine[320..395].iter().all(|part| *part == high), "{fine:?}");
    assert!(fine[210..290].iter().all(Option::is_none));
}

#[test]
fn a_chart_stands_still_while_a_part_of_it_lasts() {
    let mut history = History::default();
    for second in 0..900 {
        history.push(at(second * 1_000), counts(u32::try_from(second * 7 % 50).expect("small")), &[]);
    }
    // Parts of 9 s: 891 to 899 are one part, so the next sample begins another.
    let before = history.trend(ChartSpan::Middle, 100, established);
    history.push(at(900_000), counts(3), &[]);
    let after = history.trend(ChartSpan::Middle, 100, established);
    assert_eq!(before[1..], after[..99]);
    assert_eq!(after[99], Some(3));
}

#[test]
fn a_day_is_told_by_the_minutes_lowest_and_highest() {
    let mut history = History::default();
    for minute in 0..1_500_u64 {
        for second in [0, 30] {
            let established = if minute == 1_000 && second == 30 { 5_000 } else { 10 };
            history.push(at((minute * 60 + second) * 1_000), counts(established), &[]);
        }
    }
    let minute = history.minutes().iter().find(|minute| minute.begun == at(60_000_000)).expect("within the day");
    assert_eq!((established(&minute.lowest), established(&minute.highest)), (10, 5_000));
    let trend = history.trend(ChartSpan::Long, 96, established);
    assert_eq!(trend.iter().filter(|part| **part == Some(5_000)).count(), 1);
    assert_eq!(trend.iter().filter(|part| **part == Some(10)).count(), 95);
}

proptest! {
    #[test]
    fn any_rhythm_is_survived_and_bounded(steps in proptest::collection::vec((0..200_000u64, 0..9u32), 1..200)) {
        let mut history = History::default();
        let mut now = 0;
        for (step, count) in steps {
            now += step;
            history.push(at(now), counts(count), &[transition(None, Some(Established))]);
        }
        for span in [ChartSpan::Short, ChartSpan::Middle, ChartSpan::Long] {
            for width in [0, 1, 57, 200] {
                let trend = history.trend(span, width, established);
                prop_assert_eq!(trend.len(), width);
                prop_assert!(trend.iter().flatten().all(|count| *count < 9));
                prop_assert!(width == 0 || trend[width - 1].is_some(), "the last sample is now");
            }
        }
        prop_assert!(history.samples().len() <= HISTORY_LEN_MAX && history.minutes().len() <= MINUTES_LEN_MAX);
        prop_assert!(history.transition_rates().is_none_or(|edges| !edges.over.is_zero()));
    }
}
