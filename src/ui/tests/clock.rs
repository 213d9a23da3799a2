//! A recording and the past of a live machine: header, bar and prompt at every size.

use super::*;
use crate::app::moment::Moment;
use crate::diagnosis::Diagnosis;
use crate::model::recorded::{MarkSeverity, RecordedMark, RecordedMoment, RecordedSpan};
use crate::model::snapshot::{SourceInfo, SourceKind};
use crate::store::Store;

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 40), (200, 60)];

/// An hour and two minutes, of which the last sample of the fixed data is in the first quarter.
fn span() -> RecordedSpan {
    let moment = |at: u64| RecordedMoment {
        at: Timestamp::from_millis(at * 1_000),
        wall: WallTime(BOOT.0.saturating_add_unsigned(at * 1_000)),
    };
    let mark = |after: u64, severity| RecordedMark { at: moment(NOW + after).at, severity, sentence: "a mark".into() };
    let marks = vec![
        mark(300, Some(MarkSeverity::Warning)),
        mark(1_200, None),
        mark(1_260, None),
        mark(2_000, Some(MarkSeverity::Critical)),
    ];
    RecordedSpan { first: moment(NOW - 751), last: moment(NOW + 2_979), samples: 3_731, marks }
}

fn replay(size: (u16, u16)) -> App {
    let source = SourceInfo { kind: SourceKind::Replay, ..source_info() };
    let mut app = App::new(Config::new(source, size));
    app.turn(Msg::Span(span()));
    app.turn(Msg::Delta(Box::new(first_sample())));
    app.turn(Msg::Delta(Box::new(second_sample())));
    app.show_findings(found());
    app
}

/// A live machine that is looked at as it was a second ago.
fn past(size: (u16, u16)) -> App {
    let mut app = app(size);
    type_keys(&mut app, "[");
    let mut store = Store::new(source_info());
    store.apply(with_network(first_sample(), NOW - 1));
    let at = |at: u64| RecordedMoment {
        at: Timestamp::from_millis(at * 1_000),
        wall: WallTime(BOOT.0.saturating_add_unsigned(at * 1_000)),
    };
    let span = RecordedSpan { first: at(NOW - 1), last: at(NOW), samples: 2, marks: Vec::new() };
    app.turn(Msg::Moment(Box::new(Moment { number: 1, store, diagnosis: Some(Diagnosis::default()), span })));
    app.background(usize::MAX);
    app
}

#[test]
fn a_recording_has_a_clock_and_a_bar_at_every_size() {
    for size in SIZES {
        let mut app = replay(size);
        type_keys(&mut app, "))z");
        insta::assert_snapshot!(format!("replay_{}x{}", size.0, size.1), screen(&app));
    }
}

#[test]
fn the_past_of_a_live_machine_says_that_it_is_the_past() {
    for size in SIZES {
        let app = past(size);
        let text = screen(&app);
        assert!(text.contains("PAST "), "{text}");
        insta::assert_snapshot!(format!("past_{}x{}", size.0, size.1), text);
    }
}

#[test]
fn a_time_is_asked_for_in_the_last_lines() {
    let mut app = replay((80, 24));
    type_keys(&mut app, "g");
    insta::assert_snapshot!("go_to_time", screen(&app));
    type_keys(&mut app, "25:00");
    press(&mut app, &[KeyCode::Enter]);
    insta::assert_snapshot!("go_to_no_time", screen(&app));
}

#[test]
fn in_ascii_the_bar_tells_behind_from_ahead_and_every_mark_apart() {
    let app = replay((80, 24));
    let text = drawn(&app, &Theme::default().with_ascii(true)).backend().to_string();
    let bar = text.lines().nth(1).expect("a second line");
    assert!(bar.is_ascii(), "{bar}");
    assert!(["===#---", "*", "|", "!"].iter().all(|part| bar.contains(part)), "{bar}");
}

#[test]
fn a_sample_of_a_recording_in_which_little_happens_changes_few_cells() {
    for size in SIZES {
        let mut app = replay(size);
        // The first one takes the findings of the fixed data off.
        let (mut before, mut worst) = (None, 0);
        for second in 1..20 {
            let at = Timestamp::from_millis((NOW + second) * 1_000);
            let wall = WallTime(BOOT.0.saturating_add_unsigned((NOW + second) * 1_000));
            app.turn(Msg::Delta(Box::new(Delta { at, wall, ..Delta::default() })));
            app.background(usize::MAX);
            let lines = screen(&app).lines().take(2).collect::<String>();
            if let Some(before) = before.replace(lines.clone()) {
                let old: Vec<char> = before.chars().collect();
                worst = worst.max(lines.chars().zip(old).filter(|(new, old)| new != old).count());
            }
        }
        assert!(worst <= 16, "{worst} cells of the clock and the bar at {size:?}");
    }
}
