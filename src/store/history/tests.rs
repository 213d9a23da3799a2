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
        history.push(at(tenth * 100), counts(5), &[transition(None, Some(Established))], None);
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
        history.push(at(second * 1_000), counts(1), &[], None);
    }
    assert_eq!(history.samples().len(), 900);
    assert_eq!(history.minutes().len(), MINUTES_LEN_MAX);
    assert_eq!(history.transition_rates().expect("there are samples").over, Duration::from_secs(60));
}

#[test]
fn what_followed_what_is_counted_over_the_minute_that_was_watched() {
    let mut history = History::default();
    history.push(at(0), counts(0), &[transition(None, Some(Established))], None);
    assert_eq!(history.transition_rates(), None, "one sample is no span of time");
    let close = transition(Some(Established), Some(TimeWait));
    history.push(at(10_000), counts(0), &[close.clone(), close, transition(Some(TimeWait), None)], None);
    let edges = history.transition_rates().expect("two samples");
    assert_eq!(edges.over, Duration::from_secs(10));
    assert_eq!(edges.count(Some(Established), Some(TimeWait)), 2);
    assert!((edges.of(Some(TimeWait), None) - 0.1).abs() < 1e-6);
    assert_eq!(edges.count(None, Some(Established)), 0, "what came before the span is not in it");
    for second in 11..=200 {
        history.push(at(second * 1_000), counts(0), &[], None);
    }
    assert_eq!(history.transition_rates().expect("samples").count(Some(Established), Some(TimeWait)), 0, "long ago");
    let mut datagram = transition(Some(Established), Some(CloseWait));
    datagram.protocol = Protocol::Udp;
    history.push(at(201_000), counts(0), &[datagram], None);
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
        history.push(at(second * 1_000), counts(if second == 7 { 90 } else { 4 }), &[], None);
    }
    // Half a minute without samples.
    for second in 90..120 {
        history.push(at(second * 1_000), counts(6), &[], None);
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
        history.push(at(second * 1_000), counts(u32::try_from(second * 7 % 50).expect("small")), &[], None);
    }
    // Parts of 9 s: 891 to 899 are one part, so the next sample begins another.
    let before = history.trend(ChartSpan::Middle, 100, established);
    history.push(at(900_000), counts(3), &[], None);
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
            history.push(at((minute * 60 + second) * 1_000), counts(established), &[], None);
        }
    }
    let minute = history.minutes().iter().find(|minute| minute.begun == at(60_000_000)).expect("within the day");
    assert_eq!((established(&minute.lowest), established(&minute.highest)), (10, 5_000));
    let trend = history.trend(ChartSpan::Long, 96, established);
    assert_eq!(trend.iter().filter(|part| **part == Some(5_000)).count(), 1);
    assert_eq!(trend.iter().filter(|part| **part == Some(10)).count(), 95);
}

const fn traffic(received: u64) -> Traffic {
    Traffic { received, sent: 2 * received }
}

#[test]
fn a_sample_that_could_not_count_traffic_is_a_gap_and_no_zero() {
    let mut history = History::default();
    for second in 0..120 {
        let known = if (60..80).contains(&second) { None } else { Some(traffic(if second == 30 { 900 } else { 0 })) };
        history.push(at(second * 1_000), counts(1), &[], known);
    }
    let received = history.flow(ChartSpan::Short, 12, FlowMeasure::Received);
    let zero = Some(0);
    let expected = [zero, zero, zero, Some(900), zero, zero, None, None, zero, zero, zero, zero];
    assert_eq!(received, expected, "the peak is kept, and what is not known is not known");
    let opened = history.flow(ChartSpan::Short, 12, FlowMeasure::Opened);
    assert_eq!(opened, [zero; 12], "what is counted by events is known all the same");
    assert_eq!(history.latest_flow(FlowMeasure::Sent), Some((0, Duration::ZERO)));
    history.push(at(120_000), counts(1), &[], None);
    assert_eq!(history.latest_flow(FlowMeasure::Sent), Some((0, Duration::from_secs(1))));
}

#[test]
fn the_graphs_go_back_as_far_as_there_is_a_history() {
    let mut history = History::default();
    assert_eq!(history.best_span(), ChartSpan::Short);
    for second in 0..=600 {
        history.push(at(second * 1_000), counts(1), &[], None);
        let expected = if second < 450 { ChartSpan::Short } else { ChartSpan::Middle };
        assert_eq!(history.best_span(), expected, "{second}");
    }
}

proptest! {
    #[test]
    fn a_graph_of_any_width_has_the_highest_of_all_samples(rates in proptest::collection::vec(0..9_000_u64, 2..700), width in 1..300_usize) {
        let mut history = History::default();
        for (second, rate) in (0_u64..).zip(&rates) {
            history.push(at((5_000 + second) * 1_000), counts(1), &[], Some(traffic(*rate)));
        }
        let flow = history.flow(ChartSpan::Middle, width, FlowMeasure::Received);
        // The parts begin at multiples of their length: the oldest samples may be before the first of them.
        let length = ChartSpan::Middle.length().as_nanos() / width as u128;
        let part = |second: u64| u128::from(second) * 1_000_000_000 / length;
        let first = (part(5_000 + rates.len() as u64 - 1) + 1).saturating_sub(width as u128);
        let shown = (5_000_u64..).zip(&rates).filter(|(second, _)| part(*second) >= first).map(|(_, rate)| rate);
        prop_assert_eq!(flow.iter().flatten().max(), shown.max());
        prop_assert_eq!(flow[width - 1].is_some(), true);
        let longest = history.flow(ChartSpan::Long, 96, FlowMeasure::Sent);
        prop_assert_eq!(longest.iter().flatten().max().copied(), rates.iter().max().map(|rate| 2 * rate));
    }

    #[test]
    fn any_rhythm_is_survived_and_bounded(steps in proptest::collection::vec((0..200_000u64, 0..9u32), 1..200)) {
        let mut history = History::default();
        let mut now = 0;
        for (step, count) in steps {
            now += step;
            history.push(at(now), counts(count), &[transition(None, Some(Established))], None);
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
