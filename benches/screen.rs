//! The main thread at size: how long a key waits for its frame while samples come in, and what a row costs.
//!
//! `cargo bench --bench screen` plays a script of keys against made-up deltas with 1 % churn, at 1,000, 20,000, 200,000 and
//! 1,000,000 sockets, each in a process of its own, so that no size uses memory that another one has left behind.
//! `CONNTOP_BENCH_SOCKETS` chooses the sizes; under `cargo test` one small size runs as a smoke test. No time is asserted.

#[path = "support/machine.rs"]
mod machine;

use std::process::Command;
use std::time::Duration;

use conntop::app::msg::Msg;
use conntop::app::{App, Config};
use conntop::model::testing::source_info;
use conntop::ui;
use conntop::ui::theme::Theme;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use machine::Machine;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// The variable that names the sizes.
const SIZES: &str = "CONNTOP_BENCH_SOCKETS";

// As the event loop has them.
const STEPS: usize = 1_024;
const WORK_BEFORE_FRAME: Duration = Duration::from_millis(4);
/// A fast typist's thirty keys a second.
const BETWEEN_KEYS: Duration = Duration::from_millis(33);

/// What is pressed, and what that is called in the report. A delta comes in before each line.
const SCRIPT: &[(&str, &str)] = &[
    ("folded: move", "jjjjkkjdd"),
    ("folded: unfold and fold", "glljjhgljh"),
    ("folded: sort", "<<<>>"),
    ("folded: filter, typed", "/state:established rport>2000\n\u{1b}"),
    ("folded by process", "tgj\njj"),
    ("one line a socket", "tG\njj"),
    ("move", "jjjjkkjdd"),
    ("sort by the next column", ">>>>>>"),
    ("sort by the column before", "<<<<<<"),
    ("turn the sort round", "rr"),
    ("filter, typed", "/state:established rport>2000\n"),
    ("move in what is filtered", "jjdjk"),
    ("sort what is filtered", ">r<r"),
    ("filter, a word typed", "/\u{15}10.12\n"),
    ("filter, cleared", "\u{1b}"),
    ("details", "j\njjkjj\u{1b}"),
    ("tab Processes", "2jj>"),
    ("tab Remotes", "3jj>"),
    ("tab Listeners", "4jj"),
    ("tab States", "5jj"),
    ("tab Log", "8jj"),
    ("tab Connections", "1jj"),
    ("help", "?jd\u{1b}"),
    ("dialog", "K\n\u{1b}"),
    ("folded by cause", "tg\n"),
];

fn main() {
    let smoke = std::env::args().all(|arg| arg != "--bench");
    let sizes =
        std::env::var(SIZES).unwrap_or_else(|_| if smoke { "1000" } else { "1000,20000,200000,1000000" }.to_owned());
    let sizes: Vec<u32> =
        sizes.split(',').map(|size| size.trim().parse().expect("CONNTOP_BENCH_SOCKETS is a list of numbers")).collect();
    if let [size] = *sizes {
        return measure(size, if smoke { 1 } else { 4 });
    }
    let this = std::env::current_exe().expect("a program knows its file");
    for size in sizes {
        let mut one = Command::new(&this);
        let status = one.args(std::env::args_os().skip(1)).env(SIZES, size.to_string()).status();
        assert!(status.expect("the program starts again").success(), "measuring {size} sockets failed");
    }
}

fn measure(size: u32, rounds: usize) {
    println!("\n== {size} sockets, 1 % churn, 120x40; processor time of the main thread");
    let before = resident_kib();
    let mut machine = Machine::new(size);
    let mut screen = ScreenDriver::new();
    println!("first delta, until it is on the screen: {:.2?}", screen.take_in(machine.first()));
    println!("first delta, longest that a key waits: {:.2?} and a frame", screen.longest_step);
    let resident = resident_kib().saturating_sub(before);
    let (mut deltas, mut all) = (Vec::new(), Vec::new());
    let mut lines: Vec<(Vec<Duration>, Vec<Duration>)> = vec![Default::default(); SCRIPT.len()];
    for _ in 0..rounds {
        for ((_, script), (answers, complete)) in SCRIPT.iter().zip(&mut lines) {
            for key in script.chars() {
                screen.deliver(|| machine.next());
                answers.push(screen.press(key));
                all.extend(answers.last());
                screen.work(BETWEEN_KEYS);
            }
            complete.push(screen.settle());
            deltas.push(screen.take_in(machine.next()));
        }
    }
    for ((name, _), (answers, complete)) in SCRIPT.iter().zip(lines) {
        println!("key to frame, {name}: {}; complete {}", spread(answers), spread(complete));
    }
    println!("key to frame, all: {} (target p99 16 ms)", spread(all));
    println!("step of the main thread that a key may have to wait for: longest {:.2?}", screen.longest_step);
    println!("delta with 1 % churn, all work for it: {} (a few ms)", spread(deltas));
    println!(
        "memory of the main thread's data: {resident} KiB, {} bytes a row",
        u64::from(resident) * 1_024 / u64::from(size)
    );
    let tables = screen.app.store.table_sizes();
    for table in tables.into_iter().filter(|table| table.bytes >= usize::try_from(size).unwrap_or(usize::MAX)) {
        println!("  of it {}: {} KiB, {} bytes each", table.what, table.bytes / 1_024, table.bytes / table.len.max(1));
    }
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    format!("p50 {:.2?}, p99 {:.2?}, max {:.2?}", at(50), at(99), at(100))
}

fn resident_kib() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default()
}

/// What the calling thread has used of a processor: other programs on the machine do not count.
fn used() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}

/// App and screen, driven as the event loop drives them.
struct ScreenDriver {
    app: App,
    terminal: Terminal<TestBackend>,
    longest_step: Duration,
}

impl ScreenDriver {
    fn new() -> Self {
        let config = Config::new(source_info(), (120, 40));
        let terminal = Terminal::new(TestBackend::new(120, 40)).expect("a test terminal cannot fail");
        Self { app: App::new(config), terminal, longest_step: Duration::ZERO }
    }

    /// One step during which no key can be answered.
    fn step(&mut self, step: impl FnOnce(&mut App)) -> Duration {
        let begun = used();
        step(&mut self.app);
        let took = used().saturating_sub(begun);
        self.longest_step = self.longest_step.max(took);
        took
    }

    /// Takes a message in, if the loop would: while there is work, samples wait.
    fn deliver(&mut self, msg: impl FnOnce() -> Msg) {
        if !self.app.is_busy() {
            let msg = msg();
            self.step(|app| drop(app.turn(msg)));
        }
    }

    /// What the loop does while no key comes, for `time`.
    fn work(&mut self, time: Duration) -> Duration {
        let mut took = Duration::ZERO;
        while self.app.is_busy() && took < time {
            took += self.step(|app| drop(app.background(STEPS)));
        }
        took
    }

    /// All that is left to be done, and the frame that shows it.
    fn settle(&mut self) -> Duration {
        self.work(Duration::MAX) + self.draw()
    }

    /// A sample comes: all the work for it, until the screen shows it.
    fn take_in(&mut self, msg: Msg) -> Duration {
        self.step(|app| drop(app.turn(msg))) + self.settle()
    }

    /// A key that comes while a slice of work has just begun: the time until the frame that answers it.
    fn press(&mut self, key: char) -> Duration {
        let filtering = matches!(self.app.mode, conntop::app::mode::Mode::Filter(_));
        let event = match key {
            '\n' => KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE),
            '\u{1b}' => KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE),
            '\u{15}' => KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL),
            'd' if !filtering => KeyEvent::new(KeyCode::PageDown, KeyModifiers::NONE),
            key => KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE),
        };
        let slice = self.work(Duration::from_nanos(1));
        slice + self.step(|app| drop(app.turn(Msg::Key(event)))) + self.work(WORK_BEFORE_FRAME) + self.draw()
    }

    fn draw(&mut self) -> Duration {
        let begun = used();
        let Self { app, terminal, .. } = self;
        terminal.draw(|frame| ui::draw(frame, app, &Theme::default())).expect("a test terminal cannot fail");
        used().saturating_sub(begun)
    }
}
