//! Colour means trouble: on a machine that is well no tab has a red or a yellow cell.

use std::path::Path;

use conntop::app::msg::Msg;
use conntop::app::tabs::TABS;
use conntop::app::{App, Config};
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::testing::source_info;
use conntop::source::replay::Replay;
use conntop::source::{Pace, Source};
use conntop::tracker::Tracker;
use conntop::ui::theme::Theme;
use ratatui::style::Color;

use crate::healthy_day::machine::{DEPLOY_EVERY, Machine};
use crate::typing::{drawn, press};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];
/// What only findings have, in the theme of the terminal's own colours.
const TROUBLE: [Color; 4] = [Color::Red, Color::LightRed, Color::Yellow, Color::LightYellow];

/// Every tab at every size has no cell in a colour of trouble; answers how many cells have some other colour.
fn assert_calm(app: &mut App, when: &str) -> usize {
    let mut colored = 0;
    for size in SIZES {
        app.turn(Msg::Resize(size.0, size.1));
        for row in TABS {
            press(app, &row.number().to_string());
            let buffer = drawn(app, &Theme::default());
            for (cell, at) in buffer.content().iter().zip(0..) {
                let place = (at % size.0, at / size.0);
                assert!(
                    !TROUBLE.contains(&cell.fg) && !TROUBLE.contains(&cell.bg),
                    "{when}, tab {}, {size:?}: {:?} at {place:?} is {:?}\n{}",
                    row.title,
                    cell.symbol(),
                    cell.fg,
                    crate::typing::picture(app)
                );
                colored += usize::from(cell.fg != Color::Reset);
            }
        }
    }
    press(app, "1");
    colored
}

#[test]
fn a_replayed_healthy_server_has_no_red_and_no_yellow_cell_on_any_tab() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/healthy-busy.conntop");
    let mut replay = Replay::open(&path).expect("the recording is sound");
    let mut app = App::new(Config::new(replay.info().clone(), SIZES[0]));
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    let (mut samples, mut colored) = (0, 0);
    loop {
        let pace = replay.sample(&Needs::default(), &mut snapshot).expect("the recording is sound");
        app.turn(Msg::Delta(Box::new(tracker.finish(&mut snapshot))));
        samples += 1;
        if samples % 4 == 0 || pace == Pace::Last {
            colored += assert_calm(&mut app, &format!("sample {samples}"));
        }
        if pace == Pace::Last {
            break;
        }
    }
    assert!(samples > 30 && colored > 10_000, "{samples} samples, {colored} cells: this proves nothing");
}

/// Users come and go, clients vanish, the program is replaced: the day of `tests/recorded/healthy_day.rs`, until after the
/// first of its deploys.
#[test]
fn half_a_healthy_day_has_no_red_and_no_yellow_cell_on_any_tab() {
    let mut machine = Machine::new(2_026);
    let mut app = App::new(Config::new(source_info(), SIZES[0]));
    let mut tracker = Tracker::new();
    let (mut looks, mut colored) = (0, 0);
    while machine.second() < DEPLOY_EVERY + 60 {
        let is_close = machine.second() < 60 || machine.second() + 10 >= DEPLOY_EVERY;
        let snapshot = machine.pass(if is_close { 1 } else { 20 });
        app.turn(Msg::Delta(Box::new(tracker.update(&snapshot))));
        let every = if is_close { 12 } else { 400 };
        if machine.second().is_multiple_of(every) {
            looks += 1;
            colored += assert_calm(&mut app, &format!("second {}", machine.second()));
        }
    }
    let told = machine.told();
    assert!(looks > 30 && colored > 100_000 && told.deploys > 0, "{looks} looks, {colored} cells, {told:?}");
}

/// The same test of a machine in trouble would fail: the made-up server has both colours.
#[test]
fn trouble_is_red_and_yellow() {
    let mut source = conntop::source::synthetic::Synthetic::small(1);
    let mut app = App::new(Config::new(source.info().clone(), (120, 40)));
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    for _ in 0..60 {
        source.sample(&Needs::default(), &mut snapshot).expect("it never fails");
        app.turn(Msg::Delta(Box::new(tracker.update(&snapshot))));
    }
    let buffer = drawn(&app, &Theme::default());
    for color in [Color::LightRed, Color::Yellow] {
        assert!(buffer.content().iter().any(|cell| cell.fg == color), "{color} is missing");
    }
}
