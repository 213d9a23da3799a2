//! The pictures of README.md and docs and the page that shows all of them, made from recordings and the made-up server.
//! `.ci/gallery` makes them anew; the tests fail where one is not what the program draws.

mod svg;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use conntop::app::msg::Msg;
use conntop::app::testing::TURN_STEPS;
use conntop::app::{App, Config};
use conntop::model::delta::Delta;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::replay::Replay;
use conntop::source::synthetic::Synthetic;
use conntop::source::{Pace, Source};
use conntop::tracker::Tracker;
use conntop::ui::theme::Theme;

use crate::typing::{drawn, press};

/// What a picture shows.
enum Scene {
    /// The demo so many seconds after its first frame.
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
const PICTURES: [Picture; 20] = [
    Picture { name: "first-look", about: "conntop --demo: the accept queue of report-api is full, jdbc-pool leaks CLOSE_WAIT",
              scene: Demo(5), keys: "", size: (120, 36), theme: "dark" },
    Picture { name: "first-look-80x24", about: "The same at 80 columns and 24 lines",
              scene: Demo(5), keys: "", size: (80, 24), theme: "dark" },
    Picture { name: "first-look-40x10", about: "The same at 40 columns and 10 lines",
              scene: Demo(5), keys: "", size: (40, 10), theme: "dark" },
    Picture { name: "large", about: "A terminal of 200 columns and 60 lines: beside the table stands all that is known of the row under the cursor",
              scene: Demo(5), keys: "jjj", size: (200, 60), theme: "dark" },
    Picture { name: "unfolded", about: "Sockets below the line of their cause, and rows that are tagged",
              scene: Demo(5), keys: "jjjl  ", size: (120, 36), theme: "dark" },
    Picture { name: "findings", about: "Tab Findings: why the accept queue is full, and what to do about it",
              scene: Demo(5), keys: "6", size: (120, 36), theme: "dark" },
    Picture { name: "detail", about: "The details of a connection in CLOSE_WAIT: its path through the states, why, what to do",
              scene: Demo(5), keys: "jjjlj⏎", size: (120, 50), theme: "dark" },
    Picture { name: "states", about: "Tab States: how sockets come from state to state, and how often",
              scene: Demo(5), keys: "5jj", size: (120, 36), theme: "dark" },
    Picture { name: "listeners", about: "Tab Listeners: each accept queue beside its limit",
              scene: Demo(5), keys: "4", size: (120, 36), theme: "dark" },
    Picture { name: "network", about: "Tab Network: interfaces, the kernel's counters as rates with their meaning, routes",
              scene: Demo(5), keys: "9", size: (120, 36), theme: "dark" },
    Picture { name: "log", about: "Tab Log: what happened, and how connections ended",
              scene: Demo(5), keys: "8", size: (120, 36), theme: "dark" },
    Picture { name: "filter", about: "The filter line completes keys and values",
              scene: Demo(5), keys: "/state:cl", size: (120, 36), theme: "dark" },
    Picture { name: "palette", about: "Everything that can be done here, found by typing",
              scene: Demo(5), keys: ":sort", size: (120, 36), theme: "dark" },
    Picture { name: "kill", about: "Before a signal is sent, the dialog shows what will be lost",
              scene: Demo(5), keys: "2jK⏎", size: (120, 36), theme: "dark" },
    Picture { name: "close-wait-leak", about: "A recorded leak of CLOSE_WAIT, folded by cause",
              scene: Recording("close-wait-leak"), keys: "", size: (120, 36), theme: "dark" },
    Picture { name: "ports-run-out", about: "Tab Ports on a recording: TIME_WAIT has used the ephemeral ports to one server",
              scene: Recording("ephemeral-ports"), keys: "7", size: (120, 36), theme: "dark" },
    Picture { name: "full-accept-queue", about: "A recorded full accept queue: what is wrong and what it costs",
              scene: Recording("accept-queue-full"), keys: "6", size: (120, 36), theme: "dark" },
    Picture { name: "healthy", about: "A recorded busy server that is well: nothing is red",
              scene: Recording("healthy-busy"), keys: "", size: (120, 36), theme: "dark" },
    Picture { name: "first-look-light", about: "The light theme",
              scene: Demo(5), keys: "", size: (120, 36), theme: "light" },
    Picture { name: "colour-blind", about: "The theme for readers who do not tell red from green",
              scene: Demo(5), keys: "", size: (120, 36), theme: "colour-blind" },
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
        Demo(seconds) => {
            let mut demo = Synthetic::new(SEED);
            demo.show_on_screen().expect("it is made up");
            seen(&mut demo, picture, Some(seconds))
        }
        Recording(name) => {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recordings/{name}.conntop"));
            seen(&mut Replay::open(&path).expect("the recording is sound"), picture, None)
        }
    };
    app.turn(Msg::Resize(picture.size.0, picture.size.1));
    let theme = Theme::built_in(picture.theme).expect("a theme of conntop");
    svg::picture(&drawn(&app, &theme), picture.about, plain(picture.theme))
}

/// The app so many seconds after the first frame, or at the end of the source; the keys are pressed two samples before.
fn seen(source: &mut dyn Source, picture: &Picture, seconds: Option<u32>) -> App {
    let mut app = App::new(Config::new(source.info().clone(), picture.size));
    let (mut tracker, mut snapshot) = (Tracker::new(), Snapshot::default());
    let needs = Needs { network: true, ..Needs::default() };
    let mut left = seconds.unwrap_or(u32::MAX);
    while left > 0 {
        if left == 2 {
            type_keys(&mut app, picture.keys);
        }
        let pace = source.sample(&needs, &mut snapshot).expect("a recording or the demo");
        let is_overtaken = pace == Pace::After(Duration::ZERO);
        app.turn(Msg::Delta(Box::new(Delta { is_overtaken, ..tracker.finish(&mut snapshot) })));
        work_off(&mut app);
        if pace == Pace::Last {
            app.turn(Msg::SourceEnded);
            type_keys(&mut app, picture.keys);
            break;
        }
        if !is_overtaken {
            left -= 1;
        }
    }
    app
}

/// Types as slowly as a person.
fn type_keys(app: &mut App, keys: &str) {
    for key in keys.chars() {
        press(app, &key.to_string());
        work_off(app);
    }
}

fn work_off(app: &mut App) {
    while app.is_busy() {
        app.background(TURN_STEPS);
    }
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
    let files = fs::read_dir(folder()).expect("the folder of pictures").map(|entry| entry.expect("readable").path());
    let made: BTreeSet<PathBuf> = PICTURES.iter().map(file).collect();
    assert_eq!(files.collect::<BTreeSet<_>>(), made, "nothing else lies there");
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
