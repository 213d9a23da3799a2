//! The clock of the screen: keys and mouse to effects, moments to frames.

use super::*;
use crate::app::moment::{Moment, MomentWish, PlaySpeed, WishedSample};
use crate::diagnosis::Diagnosis;
use crate::model::recorded::{MarkSeverity, RecordedMark, RecordedMoment, RecordedSpan};
use crate::store::Store;

const fn seconds(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

fn moment_at(at: u64) -> RecordedMoment {
    RecordedMoment { at: seconds(at), wall: WallTime(BOOT.0.saturating_add_unsigned(at * 1_000)) }
}

/// From second 100 to second 3,700, with a finding at 1,000 and at 2,000.
fn span() -> RecordedSpan {
    let mark =
        |at, severity| RecordedMark { at: seconds(at), severity, sentence: format!("mark at {at}").as_str().into() };
    let marks = vec![mark(1_000, Some(MarkSeverity::Warning)), mark(2_000, Some(MarkSeverity::Critical))];
    RecordedSpan { first: moment_at(100), last: moment_at(3_700), samples: 3_601, marks }
}

/// A recording of an hour that stands at second 100.
fn replay() -> App {
    let mut app = app_with(|config| config.source.kind = SourceKind::Replay, vec![tcp(1), tcp(2)]);
    app.turn(Msg::Span(span()));
    app
}

/// What was known at second `at`: a socket for each of `cookies`.
fn moment(number: u64, at: u64, cookies: &[u64], is_full: bool) -> Msg {
    let mut store = Store::new(source_info());
    let added = cookies.iter().map(|cookie| connection(tcp(*cookie), 50)).collect();
    store.apply(Delta { added, ..delta(at) });
    Msg::Moment(Box::new(Moment { number, store, diagnosis: is_full.then(Diagnosis::default), span: span() }))
}

fn wish(effects: &[Effect]) -> Option<MomentWish> {
    effects.iter().find_map(|effect| if let Effect::GoTo(wish) = effect { Some(*wish) } else { None })
}

fn wished(effects: &[Effect]) -> Option<u64> {
    wish(effects).map(|wish| wish.at.as_millis() / 1_000)
}

fn rows(app: &App) -> Vec<u64> {
    let rows = app.panels.connections.view.order().iter().filter_map(|index| app.store.rows().get(*index));
    let mut cookies: Vec<_> = rows.filter_map(|row| row.connection.socket.id.cookie()).collect();
    cookies.sort_unstable();
    cookies
}

#[test]
fn keys_ask_for_moments_of_a_recording_and_the_header_says_where_it_is() {
    let mut app = replay();
    assert_eq!(app.clock_text(99).as_deref(), Some("REPLAY 2026-01-01 00:01:40     0:00 of 1:00:00"));
    assert_eq!(wished(&press(&mut app, "}")), Some(160));
    assert_eq!(wished(&press(&mut app, "}")), Some(220), "from the moment that was asked for");
    app.turn(moment(2, 220, &[1, 2], true));
    assert_eq!(app.clock_text(99).as_deref(), Some("REPLAY 2026-01-01 00:03:40     2:00 of 1:00:00"));
    assert_eq!(app.clock_text(40).as_deref(), Some("REPLAY 00:03:40     2:00 of 1:00:00"));
    assert_eq!(app.clock_text(20).as_deref(), Some("REPLAY 00:03:40"));
    assert_eq!(wished(&press(&mut app, "{")), Some(160));
    app.turn(moment(3, 160, &[1, 2], true));
    assert_eq!(press(&mut app, "z"), [Effect::Play(false)]);
    assert!(app.clock_text(99).expect("a clock").ends_with("paused"), "{:?}", app.clock_text(99));
    assert_eq!(press(&mut app, "]"), [Effect::Play(false), Effect::Step]);
    assert_eq!(
        press(&mut app, "))"),
        [1.0, 2.0].map(|times| { Effect::PlaySpeed(PlaySpeed::nearest(2.0 * times).expect("a speed")) })
    );
    assert!(app.clock_text(99).expect("a clock").ends_with("x4  paused"));
    assert_eq!(wished(&code(&mut app, KeyCode::End)), Some(3_700));
}

#[test]
fn marks_are_gone_to_in_both_directions() {
    let mut app = replay();
    assert_eq!(
        wish(&press(&mut app, "m")).map(|wish| (wish.at, wish.sample)),
        Some((seconds(1_000), WishedSample::After))
    );
    assert_eq!(notice(&app), "mark at 1000");
    assert_eq!(wished(&press(&mut app, "m")), Some(2_000));
    assert_eq!(press(&mut app, "m"), []);
    assert_eq!(notice(&app), "no finding begins after this moment");
    assert_eq!(wished(&press(&mut app, "M")), Some(1_000));
}

#[test]
fn a_time_is_typed_and_one_that_is_none_is_explained() {
    let mut app = replay();
    press(&mut app, "g00:30");
    assert_eq!(wished(&enter(&mut app)), Some(1_800));
    press(&mut app, "g-5m");
    assert_eq!(wished(&enter(&mut app)), Some(3_400));
    press(&mut app, "g15:00");
    assert_eq!(wished(&enter(&mut app)), None);
    let Mode::GoTo(edit) = &app.mode else { panic!("{:?}", app.mode) };
    let error = edit.error.as_deref().expect("it says why");
    assert_eq!(error, "15:00 is outside of what is recorded: 2026-01-01 00:01:40 to 2026-01-01 01:01:40");
    press(&mut app, "x");
    assert!(matches!(&app.mode, Mode::GoTo(edit) if edit.error.is_none()), "another letter, another try");
    code(&mut app, KeyCode::Esc);
    assert!(matches!(app.mode, Mode::Normal));
}

#[test]
fn a_first_picture_shows_the_table_and_says_that_the_rest_is_read() {
    let mut app = replay();
    press(&mut app, "}");
    app.turn(moment(1, 160, &[2, 3], false));
    assert_eq!((rows(&app), app.panels.findings.has_looked()), (vec![2, 3], false));
    assert!(app.clock_text(99).expect("a clock").ends_with("reading…"));
    app.turn(moment(1, 160, &[2, 3], true));
    assert!(app.panels.findings.has_looked() && !app.is_reading_moment());
}

#[test]
fn the_selection_stays_with_its_row() {
    let mut app = replay();
    press(&mut app, "j");
    assert_eq!(selected(&app), Some(2));
    press(&mut app, "}");
    app.turn(moment(1, 160, &[9, 8, 2, 7], true));
    assert_eq!(selected(&app), Some(2));
    assert_eq!(rows(&app), [2, 7, 8, 9]);
}

#[test]
fn a_stream_says_that_it_has_no_past() {
    let mut app = app_with(|config| config.source.kind = SourceKind::Replay, vec![tcp(1)]);
    for key in ["[", "{", "}", "]", "m", "g"] {
        assert_eq!(press(&mut app, key), [], "{key}");
        assert!(notice(&app).starts_with("no going back in a stream"), "{key}: {}", notice(&app));
    }
    press(&mut app, "z");
    assert!(app.frozen, "it can be held still");
}

/// A live screen with samples at 100, 101 and 102 s, in the past at 101 s.
fn in_past() -> App {
    let mut app = app_on(vec![tcp(1).held_by(&[nginx()]), tcp(2)]);
    send(&mut app, Delta { added: vec![connection(tcp(3), 101)], ..delta(101) });
    send(&mut app, Delta { added: vec![connection(tcp(4), 102)], ..delta(102) });
    let effects = press(&mut app, "[");
    assert_eq!(effects[0], Effect::Play(false));
    let last = MomentWish { number: 1, at: seconds(102).before(Duration::from_nanos(1)), sample: WishedSample::Before };
    assert_eq!(wish(&effects), Some(last), "the last sample before this one");
    app.turn(moment(1, 101, &[1, 2, 3], true));
    assert!(app.is_in_past());
    app
}

#[test]
fn a_live_screen_goes_back_and_end_is_now_with_all_that_came_meanwhile() {
    let mut app = in_past();
    assert_eq!(rows(&app), [1, 2, 3]);
    assert!(app.clock_text(99).expect("a clock").starts_with("PAST 2026-01-01 00:01:41"));
    send(&mut app, Delta { added: vec![connection(tcp(5), 103)], ..delta(103) });
    assert_eq!(rows(&app), [1, 2, 3], "what comes now waits");
    assert_eq!(code(&mut app, KeyCode::End), [Effect::Play(false)]);
    assert_eq!((rows(&app), app.is_in_past()), (vec![1, 2, 3, 4, 5], false));
    assert_eq!((app.clock_text(99), app.store.at()), (None, seconds(103)));
}

#[test]
fn nothing_is_sent_a_signal_or_closed_in_the_past() {
    let mut app = in_past();
    press(&mut app, "^");
    for key in ["K", "X", "E"] {
        assert_eq!(press(&mut app, key), []);
        assert_eq!(notice(&app), "this is the past: End goes back to now, where this can be done");
        assert!(matches!(app.mode, Mode::Normal));
    }
    code(&mut app, KeyCode::End);
    press(&mut app, "^K");
    assert!(!matches!(app.mode, Mode::Normal), "{}", notice(&app));
}

#[test]
fn a_dialog_that_was_opened_before_the_past_came_keeps_what_it_names_on_the_screen() {
    let mut app = app_on(vec![tcp(1).held_by(&[nginx()]), tcp(2)]);
    send(&mut app, delta(101));
    press(&mut app, "[^X");
    assert!(app.mode.is_dialog(), "{}", notice(&app));
    app.turn(moment(1, 100, &[7], true));
    assert_eq!((rows(&app), app.is_in_past()), (vec![1, 2], false));
    code(&mut app, KeyCode::Esc);
    assert_eq!((rows(&app), app.is_in_past()), (vec![7], true));
}

#[test]
fn the_past_plays_and_comes_to_now() {
    let mut app = in_past();
    assert_eq!(press(&mut app, "z"), [Effect::Play(true)]);
    app.turn(Msg::PastDelta(Box::new(Delta { added: vec![connection(tcp(4), 102)], ..delta(102) })));
    assert_eq!((rows(&app), app.is_in_past()), (vec![1, 2, 3, 4], true));
    app.turn(Msg::PastEnded);
    assert_eq!((rows(&app), app.is_in_past()), (vec![1, 2, 3, 4], false));
    app.turn(Msg::PastDelta(Box::new(Delta { added: vec![connection(tcp(9), 102)], ..delta(103) })));
    app.turn(moment(1, 101, &[8], true));
    assert_eq!(rows(&app), [1, 2, 3, 4], "what is left is not shown any more");
}

#[test]
fn a_frozen_screen_goes_back_and_end_lets_it_run() {
    let mut app = app_on(vec![tcp(1)]);
    press(&mut app, "z");
    send(&mut app, Delta { added: vec![connection(tcp(2), 101)], ..delta(101) });
    assert_eq!(rows(&app), [1]);
    code(&mut app, KeyCode::End);
    assert_eq!((rows(&app), app.frozen), (vec![1, 2], false));
    press(&mut app, "z[");
    app.turn(moment(1, 100, &[1], true));
    assert!(!app.frozen && app.is_in_past());
    code(&mut app, KeyCode::End);
    assert_eq!(rows(&app), [1, 2]);
}

#[test]
fn at_now_the_keys_say_what_they_are_for_and_end_is_the_last_line() {
    let mut app = three();
    for key in ["]", "}", "."] {
        press(&mut app, key);
        assert!(notice(&app).starts_with("this is now: [ and { go back"), "{key}: {}", notice(&app));
    }
    code(&mut app, KeyCode::End);
    assert_eq!(app.panels.connections.cursor.line(), Some(2));
}

#[test]
fn the_clock_runs_to_the_next_change_of_a_socket_and_stops() {
    let mut app = replay();
    press(&mut app, "j");
    assert_eq!(press(&mut app, "."), [Effect::PlayUntil(id(2)), Effect::Play(true)]);
    send(&mut app, delta(101));
    assert!(app.clock_text(99).expect("a clock").ends_with("searching…"));
    let socket = tcp(2).build().reference();
    let change = crate::model::delta::Transition::new(
        &socket,
        seconds(102),
        Some(TcpState::Established),
        Some(TcpState::CloseWait),
    );
    send(&mut app, Delta { transitions: vec![change], ..delta(102) });
    assert!(app.clock_text(99).expect("a clock").ends_with("paused"));
    send(&mut app, delta(103));
    assert_eq!(wished(&press(&mut app, ",")), Some(102));
}

#[test]
fn the_bar_is_clicked_and_dragged() {
    let mut app = replay();
    let bar = app.layout().expect("large enough").time_bar;
    assert_eq!(bar.height, 1);
    let mouse = |app: &mut App, kind, column| {
        app.turn(Msg::Mouse(MouseEvent { kind, column, row: bar.y, modifiers: KeyModifiers::NONE }))
    };
    let down = MouseEventKind::Down(MouseButton::Left);
    assert_eq!(wished(&mouse(&mut app, down, 0)), Some(100));
    let drag = MouseEventKind::Drag(MouseButton::Left);
    assert_eq!(wished(&mouse(&mut app, drag, 79)), Some(3_700));
    let middle = wished(&mouse(&mut app, drag, 40)).expect("a moment");
    assert!((1_800..2_000).contains(&middle), "{middle}");
    assert_eq!(mouse(&mut app, drag, 40), [], "nothing new was asked for");
    mouse(&mut app, MouseEventKind::Up(MouseButton::Left), 40);
    assert_eq!(mouse(&mut app, drag, 50), []);
    press(&mut app, "b");
    assert_eq!(app.layout().expect("large enough").time_bar.height, 0);
}
