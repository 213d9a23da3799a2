//! The main thread at size: how long a key waits for its frame while samples come in, and what a row costs.
//!
//! `cargo bench --bench screen` plays a script of keys against made-up deltas with 1 % churn, at 1,000, 20,000 and
//! 200,000 sockets. `CONNTOP_BENCH_SOCKETS` chooses the sizes; under `cargo test` one small size runs as a smoke test.
//! No time is asserted.

#[path = "support/machine.rs"]
mod machine;

use std::time::{Duration, Instant};

use conntop::app::msg::Msg;
use conntop::app::{App, Config};
use conntop::model::testing::source_info;
use conntop::ui;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use machine::Machine;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// What is pressed, and what that is called in the report. A delta comes in before each line.
const SCRIPT: &[(&str, &str)] = &[
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
];

fn main() {
    let smoke = std::env::args().all(|arg| arg != "--bench");
    let sizes = std::env::var("CONNTOP_BENCH_SOCKETS")
        .unwrap_or_else(|_| if smoke { "1000" } else { "1000,20000,200000" }.to_owned());
    for size in sizes.split(',') {
        let size = size.trim().parse().expect("CONNTOP_BENCH_SOCKETS is a list of numbers");
        measure(size, if smoke { 1 } else { 4 });
    }
}

fn measure(size: u32, rounds: usize) {
    println!("\n== {size} sockets, 1 % churn, 120x40");
    let before = resident_kib();
    let mut machine = Machine::new(size);
    let mut desk = Desk::new();
    desk.take_in(machine.first());
    let resident = resident_kib().saturating_sub(before);
    println!("first delta, until it is on the screen: {:.2?}", desk.settled_in);
    println!("first delta, longest the keys wait: {:.2?} (target 16 ms with the frame)", desk.longest_step);
    let mut deltas = Vec::new();
    let mut keys: Vec<(&str, Vec<Duration>)> = SCRIPT.iter().map(|(name, _)| (*name, Vec::new())).collect();
    for _ in 0..rounds {
        for ((_, script), (_, times)) in SCRIPT.iter().zip(&mut keys) {
            for key in script.chars() {
                desk.deliver(machine.next());
                times.push(desk.press(key));
            }
            desk.take_in(machine.next());
            deltas.push(desk.settled_in);
        }
    }
    let all: Vec<_> = keys.iter().flat_map(|(_, times)| times).copied().collect();
    for (name, times) in keys {
        println!("key to frame, {name}: {}", spread(times));
    }
    println!("key to frame, all: {} (target p99 16 ms)", spread(all));
    println!("step of the main thread: longest {:.2?}", desk.longest_step);
    println!("delta with 1 % churn, all work for it: {}", spread(deltas));
    println!("memory of the main thread's data: {resident} KiB, {} bytes a row", u64::from(resident) * 1_024 / u64::from(size));
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

/// App and screen, driven as the event loop drives them.
struct Desk {
    app: App,
    terminal: Terminal<TestBackend>,
    longest_step: Duration,
    settled_in: Duration,
}

impl Desk {
    fn new() -> Self {
        let config = Config {
            source: source_info(),
            size: (120, 40),
            filter: String::new(),
            interval: Duration::from_secs(1),
            read_only: false,
            protected: Vec::new(),
            utc_offset_seconds: 0,
            ascii: false,
            color: true,
        };
        let terminal = Terminal::new(TestBackend::new(120, 40)).expect("a test terminal cannot fail");
        Self { app: App::new(config), terminal, longest_step: Duration::ZERO, settled_in: Duration::ZERO }
    }

    /// One step during which no key can be answered.
    fn step(&mut self, step: impl FnOnce(&mut App)) -> Duration {
        let begun = Instant::now();
        step(&mut self.app);
        let took = begun.elapsed();
        self.longest_step = self.longest_step.max(took);
        took
    }

    fn deliver(&mut self, msg: Msg) -> Duration {
        self.step(|app| drop(app.update(msg)))
    }

    /// A message, until nothing is left to be done and the screen shows it.
    fn take_in(&mut self, msg: Msg) {
        self.settled_in = self.deliver(msg) + self.draw();
    }

    /// A key that comes while the work for the last delta is going on: the time until the frame that answers it.
    fn press(&mut self, key: char) -> Duration {
        let event = match key {
            '\n' => KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE),
            '\u{1b}' => KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE),
            '\u{15}' => KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL),
            'd' if !matches!(self.app.mode, conntop::app::mode::Mode::Filter(_)) => KeyEvent::new(KeyCode::PageDown, KeyModifiers::NONE),
            key => KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE),
        };
        self.deliver(Msg::Key(event)) + self.draw()
    }

    fn draw(&mut self) -> Duration {
        let begun = Instant::now();
        let Self { app, terminal, .. } = self;
        terminal.draw(|frame| ui::draw(frame, app)).expect("a test terminal cannot fail");
        begun.elapsed()
    }
}
