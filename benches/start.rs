//! What a start costs: system calls, the first picture, whole commands, the first frame of the screen, and the binary.
//!
//! `cargo bench --bench start` makes its own network namespace and sockets; `CONNTOP_BENCH_SOCKETS=1000,200000` chooses the
//! sizes. `cargo bench --bench start -- --smoke` (and `cargo test --benches`) runs a small size once. No time is asserted.
//! Processes are those of the whole machine: beside others with very many descriptors every row is a row about those.

#[path = "support/baseline.rs"]
#[expect(dead_code, reason = "a start takes no filters")]
mod baseline;
#[path = "../tests/common/pty.rs"]
#[expect(dead_code, reason = "a benchmark looks at less than the tests do")]
mod pty;
#[path = "support/ratios.rs"]
#[expect(dead_code, reason = "nothing is said about growth")]
mod ratios;
#[path = "support/socket_load.rs"]
#[expect(dead_code, reason = "this load does not grow")]
mod socket_load;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use baseline::RawRequest;
use conntop::model::query::{QueryFields, SocketQuery};
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::source::{self, Choice};
use pty::{Control, Session};
use ratios::{Baseline, Rows};
use socket_load::SocketLoad;

const CONNTOP: &str = env!("CARGO_BIN_EXE_conntop");
/// `ss -tanp` takes half a minute for more.
const SS_SOCKETS_MAX: u32 = 20_000;
/// How long `check` watches.
const WATCHED: Duration = Duration::from_secs(1);
/// Until when the first frame is to be there.
const FRAME_TARGET: Duration = Duration::from_millis(25);
/// The most that the stripped binary may have, in MB.
const BINARY_TARGET: f64 = 8.0;
/// The size of the screen.
const SCREEN: (u16, u16) = (120, 40);

fn main() {
    socket_load::hold_if_asked();
    socket_load::enter_namespace();
    let asked = |word: &str| std::env::args().any(|arg| arg == word);
    let smoke = asked("--smoke") || !asked("--bench");
    print_binary();
    for size in ratios::sizes(if smoke { "100" } else { "1000,200000" }) {
        measure(size, ratios::rounds(if smoke { 1 } else { 15 }));
    }
}

fn measure(size: u32, runs: usize) {
    let holders = socket_load::holders_for(size);
    let _socket_load = SocketLoad::gather(size, holders);
    println!("\n== {size} sockets in {holders} processes, medians of {runs}");
    for args in [&["list"][..], &["list", "--count-only"], &["ports"], &["check"]] {
        print_calls(CONNTOP, args);
    }
    if size <= SS_SOCKETS_MAX {
        print_calls("ss", &["-tanp"]);
    }
    let mut rows = Rows::default();
    for _ in 0..runs {
        let floor =
            RawRequest::ALL.dump().expect("sock_diag answers").0 + baseline::raw_walk().expect("/proc is there").0;
        let floor = |target| vec![Baseline::new("(raw dump + raw walk)", floor, target)];
        let first = first_picture(QueryFields::ALL);
        rows.add("first picture, in process", first, floor(1.1));
        let owners = first_picture(QueryFields { owner: true, tcp_info: true, ..QueryFields::NONE });
        rows.add("the same with owners and tcp_info alone", owners, floor(f64::INFINITY));
        if size <= SS_SOCKETS_MAX {
            let ss = program("ss", &["-tanp"]);
            let ss = |target| vec![Baseline::new("ss -tanp", ss, target)];
            rows.add("conntop list, whole process", program(CONNTOP, &["list"]), ss(0.6));
            let target = vec![Baseline::new("25 ms", FRAME_TARGET, 1.0)];
            rows.add("start of the screen to its first frame", first_frame(), target);
        }
        let check = program(CONNTOP, &["check"]).saturating_sub(WATCHED);
        rows.add("conntop check, beyond the watched second", check, vec![Baseline::new("first picture", first, 1.2)]);
    }
    rows.print();
}

/// The first sample of a source, from its opening.
fn first_picture(fields: QueryFields) -> Duration {
    let begun = Instant::now();
    let needs = Needs { query: SocketQuery { fields, ..SocketQuery::default() }, ..Needs::default() };
    let mut source = source::open(&Choice::Linux).expect("sock_diag answers");
    source.sample(&needs, &mut Snapshot::default()).expect("a sample");
    begun.elapsed()
}

/// How long a whole process takes; `check` may have found something.
fn program(name: &str, args: &[&str]) -> Duration {
    let begun = Instant::now();
    let status = Command::new(name).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.expect("the program is there").code().is_some(), "{name} was ended by a signal");
    begun.elapsed()
}

/// From exec(2) to the first bytes of a row of the table.
fn first_frame() -> Duration {
    let mut shell = Command::new("sh");
    shell.args(["-c", "printf begun; exec \"$0\"", CONNTOP]);
    let mut session = Session::start(&shell, Control::Controlling, SCREEN);
    let has = |session: &Session, text: &[u8]| session.bytes.windows(text.len()).any(|bytes| bytes == text);
    session.wait_until("the shell runs", |session| has(session, b"begun"));
    let begun = Instant::now();
    // An address of a holder.
    session.wait_until("there is a table", |session| has(session, b"127.1.0."));
    begun.elapsed()
}

/// Prints how many system calls a command makes, its threads included, where strace is installed.
fn print_calls(name: &str, args: &[&str]) {
    let traced = Command::new("strace").args(["-c", "-f", name]).args(args).stdout(Stdio::null()).output();
    let summary = traced.map(|traced| String::from_utf8_lossy(&traced.stderr).into_owned()).unwrap_or_default();
    let total = summary.lines().find(|line| line.ends_with(" total"));
    // `100.00    0.012158           5      2416        13 total`
    let calls = total.and_then(|line| line.split_whitespace().nth(3)).unwrap_or("not counted: no strace");
    let name = Path::new(name).file_name().unwrap_or_default().to_string_lossy();
    println!("system calls of {name} {}: {calls}", args.join(" "));
}

fn print_binary() {
    #[expect(clippy::cast_precision_loss, reason = "some megabytes")]
    let megabytes = |path: &Path| std::fs::metadata(path).map_or(f64::NAN, |metadata| metadata.len() as f64 / 1e6);
    let stripped = std::env::temp_dir().join(format!("conntop-stripped-{}", std::process::id()));
    let works =
        Command::new("strip").arg("-o").arg(&stripped).arg(CONNTOP).status().is_ok_and(|status| status.success());
    let size = megabytes(&stripped);
    let _ = std::fs::remove_file(&stripped);
    let verdict = if size <= BINARY_TARGET { "met" } else { "MISSED" };
    let stripped =
        if works { format!("{size:.2} MB (target <= {BINARY_TARGET}, {verdict})") } else { "no strip".to_owned() };
    println!("binary: {:.2} MB, stripped {stripped}", megabytes(Path::new(CONNTOP)));
}
