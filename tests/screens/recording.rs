//! The whole program on a recording: replay, tracker, store, keys and drawing, as text pictures of the screen.
//! `INSTA_UPDATE=always cargo test --test screens` rewrites them; they are reviewed like code.

use std::path::Path;

use conntop::app::msg::Msg;
use conntop::app::{App, Config};
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::replay::Replay;
use conntop::source::{Pace, Source};
use conntop::tracker::Tracker;

use crate::typing::{self, press};

/// The app after the whole of `assets/recordings/demo.conntop`, on a terminal of `size`.
pub fn after_the_recording(size: (u16, u16)) -> App {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/recordings/demo.conntop");
    let mut replay = Replay::open(&path).expect("the recording is sound");
    let mut app = App::new(Config::new(replay.info().clone(), size));
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    loop {
        let pace = replay.sample(&Needs::default(), &mut snapshot).expect("the recording is sound");
        app.turn(Msg::Delta(Box::new(tracker.finish(&mut snapshot))));
        if pace == Pace::Last {
            app.turn(Msg::SourceEnded);
            return app;
        }
    }
}

fn picture((width, height): (u16, u16), keys: &str) -> String {
    let mut app = after_the_recording((width, height));
    press(&mut app, keys);
    typing::picture(&app)
}

#[test]
fn what_is_wrong_is_the_first_thing_one_reads_at_every_size() {
    for (size, lines) in [((80, 24), 1), ((120, 40), 2), ((200, 60), 2)] {
        let picture = picture(size, "");
        let wrong: Vec<&str> = picture.lines().skip(1).take(lines).collect();
        assert!(wrong[0].contains("report-api[6002]") && wrong[0].contains(":9090"), "{picture}");
        assert!(lines == 1 || wrong[1].contains("jdbc-pool[4121]"), "{picture}");
        insta::assert_snapshot!(format!("recording_{}x{}", size.0, size.1), picture);
    }
}

#[test]
fn processes_have_the_leaking_one_on_top() {
    let picture = picture((120, 40), "2");
    let mut rows = picture.lines().skip_while(|line| !line.contains("C_WAIT▾"));
    assert!(rows.nth(1).is_some_and(|row| row.contains("jdbc-pool")), "{picture}");
    insta::assert_snapshot!("recording_processes", picture);
}

#[test]
fn a_filter_shows_only_what_it_says() {
    let picture = picture((120, 40), "tk⏎/state:time-wait process:cron-sync⏎");
    assert!(picture.contains("state:time-wait process:cron-sync"), "{picture}");
    assert!(picture.contains("was cron-sync"), "the owner is remembered: {picture}");
    let rows: Vec<&str> = picture.lines().filter(|line| line.contains(" tcp ") || line.contains("▸tcp ")).collect();
    assert!(rows.len() == 11 && rows.iter().all(|row| row.contains("TIME_WAIT")), "{picture}");
    insta::assert_snapshot!("recording_filtered", picture);
}

#[test]
fn details_tell_the_story_of_a_connection() {
    let picture = picture((140, 40), "tk⏎/verdict:missing-close⏎j⏎");
    assert!(picture.contains("did not call close()"), "{picture}");
    insta::assert_snapshot!("recording_detail", picture);
}

#[test]
fn a_recording_cannot_be_acted_on() {
    let picture = picture((120, 40), "/state:close-wait⏎jK");
    assert!(picture.contains("a recording cannot be acted on"), "{picture}");
}
