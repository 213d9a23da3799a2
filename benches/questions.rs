//! What a question costs: each command as a whole process, beside the tool that people use for it and beside what the
//! kernel takes for it at the least.
//!
//! `cargo bench --bench questions` makes its own network namespace and sockets; `CONNTOP_BENCH_SOCKETS=1000,200000`
//! chooses the sizes, `CONNTOP_BENCH_RUNS` the rounds, and `CONNTOP_BENCH_PROGRAM=FILE` another build of conntop.
//! `-- --smoke` (and `cargo test --benches`) runs one small size once; other words behind `--` choose the rows with one
//! of them in their names. No time is asserted, but every answer is: conntop must print as many sockets as the other
//! tool. In each round every row is measured right before what it is compared with, so that a busy machine slows all.

#[path = "questions/answers.rs"]
mod answers;
#[path = "support/baseline.rs"]
mod baseline;
#[path = "support/ratios.rs"]
mod ratios;
#[path = "questions/rows.rs"]
mod rows;
#[path = "support/socket_load.rs"]
mod socket_load;

use std::time::{Duration, Instant};

use answers::Answer;
use ratios::{Baseline, Rows};
use rows::{Floor, Question, Rival};
use socket_load::{CgroupMount, SocketLoad};

/// This part of all sockets (a divisor) is in `CLOSE_WAIT`, and as many are of IPv6: 4,000 of 200,000.
const FEW_DIVISOR: u32 = 50;
/// How many sockets are left in `TIME_WAIT`, at the most.
const TIME_WAIT_MAX: u32 = 4_000;
/// Words in the names of rows about one process.
const OF_PROCESSES: [&str; 2] = ["pid:", "process:"];
/// They are made anew after this time: the kernel keeps them for 60 s.
const TIME_WAIT_RENEWED_AFTER: Duration = Duration::from_secs(20);

fn main() {
    socket_load::hold_if_asked();
    socket_load::enter_namespace();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let smoke = !args.iter().any(|arg| arg == "--bench") || args.iter().any(|arg| arg == "--smoke");
    let chosen: Vec<String> = args.into_iter().filter(|arg| !arg.starts_with("--")).collect();
    let rounds = ratios::rounds(if smoke { 1 } else { 5 });
    let sizes = ratios::sizes(if smoke { "1000" } else { "1000,20000,200000" });
    let growth: Vec<_> = sizes.iter().map(|size| (*size, measure(*size, rounds, &chosen))).collect();
    ratios::print_growth(&growth);
}

fn measure(size: u32, rounds: usize, chosen: &[String]) -> Rows {
    println!("\n== {size} sockets in {} processes, medians of {rounds}", socket_load::holders_for(size));
    let wanted = |mut questions: Vec<Question>| {
        questions.retain(|question| chosen.is_empty() || chosen.iter().any(|word| question.name.contains(word)));
        questions
    };
    let mut rows = Rows::default();
    let mut load = gather(size);
    load.half_close(size / FEW_DIVISOR, Some(rows::LEAKING_HOLDER));
    let questions = wanted(rows::leaked_by_one(&load, size));
    ask_all(&questions, rounds, &mut rows, || {});
    drop(load);
    let [in_gaps, raised] = [rows::spread_over_all(), rows::raised_listeners()].map(wanted);
    if !in_gaps.is_empty() || !raised.is_empty() {
        let mut load = gather(size);
        load.half_close(size / FEW_DIVISOR, None);
        load.put_listeners_in_gaps();
        ask_all(&in_gaps, rounds, &mut rows, || {});
        load.raise_listeners();
        ask_all(&raised, rounds, &mut rows, || {});
    }
    measure_services(size, rounds, chosen, &mut rows);
    let questions = wanted(rows::time_wait());
    if !questions.is_empty() {
        let _load = gather(size);
        let mut time_wait = TimeWaitLoad { sockets: TIME_WAIT_MAX.min(size / 2), made: None };
        ask_all(&questions, rounds, &mut rows, || time_wait.renew());
    }
    rows.print();
    rows
}

/// What is asked where each process has a control group of its own, as services have.
fn measure_services(size: u32, rounds: usize, chosen: &[String], rows: &mut Rows) {
    let is_wanted = chosen.iter().any(|word| OF_PROCESSES.iter().any(|name| word.contains(name)));
    if !chosen.is_empty() && !is_wanted {
        return;
    }
    let Some(mount) = CgroupMount::new() else {
        return println!("SKIPPED: cgroup v2 cannot be mounted here; no process has a control group of its own");
    };
    let load = SocketLoad::gather_in_cgroups(size, socket_load::holders_for(size), &mount);
    let questions = rows::of_one_process(&load, "a control group of its own");
    ask_all(&questions, rounds, rows, || {});
}

/// Sockets in `TIME_WAIT`.
struct TimeWaitLoad {
    sockets: u32,
    made: Option<Instant>,
}

impl TimeWaitLoad {
    fn renew(&mut self) {
        if self.made.is_none_or(|made| made.elapsed() > TIME_WAIT_RENEWED_AFTER) {
            socket_load::leave_in_time_wait(self.sockets);
            self.made = Some(Instant::now());
        }
    }
}

/// `size` sockets, a few of them of IPv6.
fn gather(size: u32) -> SocketLoad {
    let few = size / FEW_DIVISOR;
    let mut load = SocketLoad::gather(size - few, socket_load::holders_for(size));
    load.grow_ipv6(few);
    load
}

/// Measures `questions` in rounds, each behind `prepare`.
fn ask_all(questions: &[Question], rounds: usize, rows: &mut Rows, mut prepare: impl FnMut()) {
    for _ in 0..rounds {
        prepare();
        for question in questions {
            ask(question, rows);
        }
    }
}

/// Runs conntop, then what it is compared with, and compares the answers.
fn ask(question: &Question, rows: &mut Rows) {
    let before = question.expected.now();
    let conntop = std::env::var("CONNTOP_BENCH_PROGRAM");
    let conntop = conntop.as_deref().unwrap_or(env!("CARGO_BIN_EXE_conntop"));
    let ours = Answer::of(conntop, &question.ours);
    let mut baselines: Vec<_> = question.floors.iter().map(measure_floor).collect();
    if let Some(Rival { args, target }) = &question.rival {
        baselines.push(Baseline::new(format!("ss {}", args.join(" ")), Answer::of("ss", args).took, *target));
    }
    let after = question.expected.now();
    let sockets = ours.count(question.printed);
    // What expires meanwhile is in one of the two only.
    let (least, most) = (before.min(after), before.max(after));
    assert!((least..=most).contains(&sockets), "{}: {sockets} sockets, not {before} to {after}", question.name);
    rows.add(&question.name, ours.took, baselines);
}

fn measure_floor(floor: &Floor) -> Baseline {
    let dump = |request: baseline::RawRequest| request.dump().expect("sock_diag answers").0;
    match floor {
        Floor::Dump { name, request, target } => Baseline::new(*name, dump(*request), *target),
        Floor::DumpAndWalk { target } => {
            let walk = baseline::raw_walk().expect("/proc is there").0;
            Baseline::new("(raw dump + raw walk)", dump(baseline::RawRequest::ALL) + walk, *target)
        }
        Floor::DumpAndWalkOf { pid, target } => {
            let walk = baseline::raw_walk_of(*pid).0;
            Baseline::new("(raw dump + raw walk of that process)", dump(baseline::RawRequest::ALL) + walk, *target)
        }
    }
}
