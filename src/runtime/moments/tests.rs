//! Going to a moment shows what playing up to it shows.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::app::msg::Msg;
use crate::app::tabs::TABS;
use crate::app::{App, Config};
use crate::model::recorded::{RecordedMark, RecordedMoment};
use crate::model::snapshot::{SourceInfo, SourceKind};
use crate::model::testing::source_info;
use crate::runtime::past::SharedPast;
use crate::source::synthetic::Synthetic;
use crate::ui::draw;
use crate::ui::theme::Theme;

const SIZE: (u16, u16) = (120, 40);

fn info() -> SourceInfo {
    SourceInfo { kind: SourceKind::Replay, ..source_info() }
}

/// What `samples` samples of the made-up life of `seed` change.
fn deltas(seed: u64, samples: usize) -> Vec<Delta> {
    let mut source = Synthetic::new(seed);
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    (0..samples).map(|_| *next_delta(&mut source, &mut tracker, &mut snapshot).expect("it never fails").0).collect()
}

/// A memory of all of `deltas`.
fn remembered(deltas: &[Delta]) -> SharedPast {
    let past = SharedPast::default();
    for delta in deltas {
        past.push(delta);
    }
    past
}

fn span(deltas: &[Delta]) -> RecordedSpan {
    let moment = |delta: &Delta| RecordedMoment { at: delta.at, wall: delta.wall };
    let (first, last) = (moment(&deltas[0]), moment(&deltas[deltas.len() - 1]));
    // With a mark of its own the recording needs none of what was found while it was watched.
    let marks = vec![RecordedMark { at: first.at, severity: None, sentence: "gap".into() }];
    RecordedSpan { first, last, samples: deltas.len() as u64, marks }
}

fn finish(app: &mut App) {
    while app.is_busy() {
        app.background(100_000);
    }
}

fn app(span: &RecordedSpan) -> App {
    let mut app = App::new(Config::new(info(), SIZE));
    app.turn(Msg::Span(span.clone()));
    // Lines that are sorted worst first keep their places for a while, which is a memory of the screen.
    for key in ['<', '2', '1'] {
        app.turn(Msg::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE)));
    }
    app
}

fn tell(app: &mut App, msg: Msg) {
    app.update(msg);
    finish(app);
}

/// Every tab, drawn.
fn frames(app: &mut App) -> Vec<String> {
    // Equal lines of the folded table stand in the order in which they came to the screen: they are folded anew.
    for code in [KeyCode::Char('t'), KeyCode::Down, KeyCode::Enter, KeyCode::Char('t'), KeyCode::Up, KeyCode::Enter] {
        tell(app, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
    let mut drawn = Vec::new();
    for row in TABS {
        let key = KeyCode::Char(row.number());
        tell(app, Msg::Key(KeyEvent::new(key, KeyModifiers::NONE)));
        // Columns are as wide as what was in them since.
        tell(app, Msg::Resize(SIZE.0, SIZE.1));
        let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("a terminal");
        terminal.draw(|frame| draw(frame, app, &Theme::default())).expect("it draws");
        drawn.push(terminal.backend().to_string());
    }
    drawn
}

/// The lines that differ: as seen, and as they are expected.
fn differing(seen: &str, expected: &str) -> String {
    let pairs = seen.lines().zip(expected.lines()).filter(|(seen, expected)| seen != expected);
    pairs.flat_map(|(seen, expected)| ["seen   ", seen, "\nplayed ", expected, "\n"]).collect()
}

/// An app that was shown each of `deltas`.
fn played(deltas: &[Delta], span: &RecordedSpan) -> App {
    let mut app = app(span);
    for delta in deltas {
        tell(&mut app, Msg::Delta(Box::new(Delta { is_overtaken: false, ..delta.clone() })));
    }
    app
}

/// Tells `app` that played something else to go to `at`; the sample ahead, and what follows in `past`.
fn gone(app: &mut App, past: &SharedPast, at: Timestamp, span: &RecordedSpan) {
    let wish = MomentWish { number: 1, at, sample: WishedSample::Before };
    let mut source = past.source(info());
    let mut reader = MomentReader {
        source: &mut source,
        snapshot: &mut Snapshot::default(),
        findings: &FindingSettings::default(),
        is_overtaken: &|| false,
    };
    let first = reader.first_picture(wish, at, span).expect("it can be read").expect("nothing else was wished for");
    let full = reader.full(wish, at, span).expect("it can be read").expect("nothing else was wished for");
    tell(app, Msg::Moment(Box::new(first.moment)));
    assert!(app.is_reading_moment());
    tell(app, Msg::Moment(Box::new(full.moment)));
    assert!(!app.is_reading_moment());
    if let Some((delta, _)) = full.ahead {
        assert!(delta.at > at);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn going_to_a_moment_shows_what_playing_to_it_shows(
        seed in 0..1_000u64, samples in 2..60usize, to in 0..60usize, from in 0..60usize, between in 0..900u64,
    ) {
        let deltas = deltas(seed, samples);
        let (to, from) = (to % samples, from % samples);
        let span = span(&deltas);
        let past = remembered(&deltas);
        // Between two samples the one before counts.
        let at = if to + 1 < samples { deltas[to].at.after(Duration::from_millis(between)) } else { deltas[to].at };
        prop_assert!(to + 1 == samples || at < deltas[to + 1].at);
        let mut app = played(&deltas[..=from], &span);
        gone(&mut app, &past, at, &span);
        let (seen, expected) = (frames(&mut app), frames(&mut played(&deltas[..=to], &span)));
        for (tab, (seen, expected)) in TABS.iter().zip(seen.iter().zip(&expected)) {
            prop_assert!(seen == expected, "{}:\n{}", tab.title, differing(seen, expected));
        }
    }
}

#[test]
fn what_follows_a_moment_goes_on_from_it() {
    let deltas = deltas(7, 30);
    let span = span(&deltas);
    let past = remembered(&deltas);
    let mut app = played(&deltas[..3], &span);
    gone(&mut app, &past, deltas[11].at, &span);
    for delta in &deltas[12..20] {
        tell(&mut app, Msg::Delta(Box::new(Delta { is_overtaken: false, ..delta.clone() })));
    }
    let (seen, expected) = (frames(&mut app), frames(&mut played(&deltas[..20], &span)));
    for (seen, expected) in seen.iter().zip(&expected) {
        assert!(seen == expected, "{}", differing(seen, expected));
    }
}

#[test]
fn a_newer_wish_ends_the_reading_of_an_older_one() {
    let deltas = deltas(7, 5);
    let past = remembered(&deltas);
    let mut reader = MomentReader {
        source: &mut past.source(info()),
        snapshot: &mut Snapshot::default(),
        findings: &FindingSettings::default(),
        is_overtaken: &|| true,
    };
    let wish = MomentWish { number: 1, at: deltas[4].at, sample: WishedSample::Before };
    assert!(reader.full(wish, deltas[4].at, &span(&deltas)).expect("no failure").is_none());
}

#[test]
fn the_first_sample_after_a_change_shows_it() {
    let deltas = deltas(7, 9);
    let past = remembered(&deltas);
    let at = deltas[4].at.after(Duration::from_millis(1));
    let mut reader = MomentReader {
        source: &mut past.source(info()),
        snapshot: &mut Snapshot::default(),
        findings: &FindingSettings::default(),
        is_overtaken: &|| false,
    };
    let wish = MomentWish { number: 1, at, sample: WishedSample::After };
    let built = reader.full(wish, at, &span(&deltas)).expect("no failure").expect("it is the newest");
    assert_eq!(built.moment.store.at(), deltas[5].at);
    assert!(built.ahead.is_none());
}

#[test]
fn only_what_takes_long_is_shown_without_its_past_first() {
    let moment =
        |seconds: u64| RecordedMoment { at: Timestamp::from_millis(seconds * 1_000), ..RecordedMoment::default() };
    let span = RecordedSpan { first: moment(0), last: moment(3_600), samples: 3_600, marks: Vec::new() };
    let wants = |seconds, sockets| MomentReader::wants_first_picture(&span, moment(seconds).at, sockets);
    assert!(!wants(60, 1_000));
    assert!(wants(3_000, 1_000) && wants(60, 200_000));
}
