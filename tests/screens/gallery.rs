//! The pictures of README.md and docs and the page that shows all of them, made from recordings and the made-up server.
//! `.ci/gallery` makes them anew; the tests fail where one is not what the program draws.

mod svg;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use conntop::app::msg::Msg;
use conntop::app::{App, Config};
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::replay::Replay;
use conntop::source::synthetic::Synthetic;
use conntop::source::{Pace, Source};
use conntop::tracker::Tracker;
use conntop::ui::theme::Theme;

use crate::typing::{drawn, press};

/// What a picture shows.
enum Scene {
    /// The made-up server after so many seconds.
    Demo(u32),
    /// The end of a recording of `tests/recordings`.
    Recording(&'static str),
}

/// A picture: the name of its file, what it shows in words, the scene, the keys, the size, the theme.
struct Picture {
    name: &'static str,
    about: &'static str,
    scene: Scene,
    keys: &'static str,
    size: (u16, u16),
    theme: &'static str,
}

use Scene::{Demo, Recording};

#[rustfmt::skip]
const PICTURES: [Picture; 12] = [
    Picture { name: "first-look", about: "conntop --demo: the accept queue of report-api is full, jdbc-pool leaks CLOSE_WAIT",
              scene: Demo(90), keys: "", size: (120, 36), theme: "dark" },
    Picture { name: "first-look-80x24", about: "The same at 80 columns and 24 lines",
              scene: Demo(90), keys: "", size: (80, 24), theme: "dark" },
    Picture { name: "first-look-light", about: "The same in the light theme",
              scene: Demo(90), keys: "", size: (120, 36), theme: "light" },
    Picture { name: "findings", about: "Tab Findings: why the accept queue is full, and what to do about it",
              scene: Demo(90), keys: "6", size: (120, 36), theme: "dark" },
    Picture { name: "states", about: "Tab States: how sockets come from state to state, and how often",
              scene: Demo(90), keys: "5jj", size: (120, 36), theme: "dark" },
    Picture { name: "listeners", about: "Tab Listeners: each accept queue beside its limit",
              scene: Demo(90), keys: "4", size: (120, 36), theme: "dark" },
    Picture { name: "close-wait-leak", about: "A recorded leak of CLOSE_WAIT, folded by cause",
              scene: Recording("close-wait-leak"), keys: "", size: (120, 36), theme: "dark" },
    Picture { name: "ports-run-out", about: "Tab Ports on a recording: TIME_WAIT has used the ephemeral ports to one server",
              scene: Recording("ephemeral-ports"), keys: "7", size: (120, 36), theme: "dark" },
    Picture { name: "full-accept-queue", about: "A recorded full accept queue: what is wrong and what it costs",
              scene: Recording("accept-queue-full"), keys: "6", size: (120, 36), theme: "dark" },
    Picture { name: "healthy", about: "A recorded busy server that is well: nothing is red",
              scene: Recording("healthy-busy"), keys: "", size: (120, 36), theme: "dark" },
    Picture { name: "colour-blind", about: "The theme for readers who do not tell red from green",
              scene: Demo(90), keys: "", size: (120, 36), theme: "colour-blind" },
    Picture { name: "large", about: "A terminal of 200 columns and 60 lines",
              scene: Demo(90), keys: "j", size: (200, 60), theme: "dark" },
];

/// The seed of `conntop --demo`.
const SEED: u64 = 1;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/pictures")
}

fn file(picture: &Picture) -> PathBuf {
    folder().join(format!("{}.svg", picture.name))
}

/// The colours that `theme` gives text and ground.
fn plain(theme: &str) -> (&'static str, &'static str) {
    match theme {
        "light" => ("#1f2328", "#ffffff"),
        _ => ("#d4d8de", "#14171c"),
    }
}

fn draw(picture: &Picture) -> String {
    let mut app = match picture.scene {
        Demo(seconds) => seen(Box::new(Synthetic::new(SEED)), seconds, picture.size),
        Recording(name) => {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recordings/{name}.conntop"));
            seen(Box::new(Replay::open(&path).expect("the recording is sound")), u32::MAX, picture.size)
        }
    };
    press(&mut app, picture.keys);
    let theme = Theme::built_in(picture.theme).expect("a theme of conntop");
    svg::picture(&drawn(&app, &theme), picture.about, plain(picture.theme))
}

/// The app after `seconds` of `source`, or at its end.
fn seen(mut source: Box<dyn Source>, seconds: u32, size: (u16, u16)) -> App {
    let mut app = App::new(Config::new(source.info().clone(), size));
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    for _ in 0..=seconds {
        let pace = source.sample(&Needs::default(), &mut snapshot).expect("a recording or a made-up server");
        app.turn(Msg::Delta(Box::new(tracker.update(&snapshot))));
        if pace == Pace::Last {
            app.turn(Msg::SourceEnded);
            break;
        }
    }
    app
}

#[test]
fn the_pictures_are_what_the_program_draws() {
    let is_blessed = std::env::var_os("CONNTOP_BLESS").is_some();
    let mut stale = Vec::new();
    for picture in &PICTURES {
        let drawn = draw(picture);
        if is_blessed {
            fs::create_dir_all(folder()).expect("assets can be written");
            fs::write(file(picture), &drawn).expect("assets can be written");
        }
        if fs::read_to_string(file(picture)).unwrap_or_default() != drawn {
            stale.push(picture.name);
        }
    }
    assert!(stale.is_empty(), "'.ci/gallery' makes them anew: {stale:?}");
}

/// The page of all pictures.
fn page() -> String {
    let mut page = String::from(
        "# What it looks like\n\nEach picture is drawn by the program itself, from a recording or the made-up server of \
         `conntop --demo`; `.ci/gallery` makes\nthem and this page anew.\n",
    );
    for Picture { name, about, .. } in &PICTURES {
        _ = write!(page, "\n{about}.\n\n![{about}](../assets/pictures/{name}.svg)\n");
    }
    page
}

#[test]
fn the_page_shows_every_picture() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gallery.md");
    if std::env::var_os("CONNTOP_BLESS").is_some() {
        fs::write(&path, page()).expect("docs can be written");
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), page(), "'.ci/gallery' makes it anew");
}

#[test]
fn no_picture_lies_there_that_nothing_makes() {
    let files = fs::read_dir(folder()).expect("the folder of pictures").map(|entry| entry.expect("readable").path());
    let made: BTreeSet<PathBuf> = PICTURES.iter().map(file).collect();
    assert_eq!(files.collect::<BTreeSet<_>>(), made);
}
