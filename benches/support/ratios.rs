//! The rows of a benchmark: how long something took beside what it is compared with, round by round, as medians of ratios.

use std::time::Duration;

/// Something that a row is compared with: how long it took in this round, and the most that the ratio may be.
pub struct Baseline {
    /// What it is.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// The target; infinite where there is none.
    pub target: f64,
}

impl Baseline {
    /// One of these.
    pub fn new(name: impl Into<String>, took: Duration, target: f64) -> Self {
        Self { name: name.into(), took, target }
    }
}

/// One row of the table.
struct Row {
    name: String,
    rounds: Vec<Round>,
}

struct Round {
    took: Duration,
    baselines: Vec<Baseline>,
}

/// The rows of one size.
#[derive(Default)]
pub struct Rows(Vec<Row>);

impl Rows {
    /// Adds a round to the row called `name`.
    pub fn add(&mut self, name: &str, took: Duration, baselines: Vec<Baseline>) {
        let round = Round { took, baselines };
        match self.0.iter_mut().find(|row| row.name == name) {
            Some(row) => row.rounds.push(round),
            None => self.0.push(Row { name: name.to_owned(), rounds: vec![round] }),
        }
    }

    /// Prints each row with its ratios.
    pub fn print(&self) {
        for row in &self.0 {
            let ratios: Vec<_> = (0..row.rounds[0].baselines.len()).map(|nth| row.ratio_text(nth)).collect();
            println!("{}: {}; {:.2?}", row.name, ratios.join("; "), row.took());
        }
    }
}

impl Row {
    fn took(&self) -> Duration {
        let mut times: Vec<_> = self.rounds.iter().map(|round| round.took).collect();
        times.sort();
        times[times.len() / 2]
    }

    /// The ratio to baseline `nth`, what it is, and whether that is the target.
    fn ratio_text(&self, nth: usize) -> String {
        let ratio = self.ratio(nth);
        let Baseline { name, target, .. } = &self.rounds[0].baselines[nth];
        if target.is_finite() {
            let verdict = if ratio <= *target { "met" } else { "MISSED" };
            format!("{ratio:.2} x {name} (target <= {target}, {verdict})")
        } else {
            format!("{ratio:.2} x {name}")
        }
    }

    fn ratio(&self, nth: usize) -> f64 {
        let ratio = |round: &Round| round.took.as_secs_f64() / round.baselines[nth].took.as_secs_f64();
        let mut ratios: Vec<_> = self.rounds.iter().map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    }
}

/// Prints what a socket costs in each size: flat is linear.
pub fn print_growth(sizes: &[(u32, Rows)]) {
    println!("\n== growth, microseconds a socket");
    let Some((_, first)) = sizes.first() else { return };
    for row in &first.0 {
        let costs = sizes.iter().filter_map(|(size, rows)| {
            let row = rows.0.iter().find(|other| other.name == row.name)?;
            Some(format!("{:.2} at {size}", row.took().as_secs_f64() * 1e6 / f64::from(*size)))
        });
        println!("{}: {}", row.name, costs.collect::<Vec<_>>().join(", "));
    }
}

/// The sizes to measure: those of `CONNTOP_BENCH_SOCKETS`, else `default`.
pub fn sizes(default: &str) -> Vec<u32> {
    let sizes = std::env::var("CONNTOP_BENCH_SOCKETS").unwrap_or_else(|_| default.to_owned());
    sizes.split(',').map(|size| size.trim().parse().expect("CONNTOP_BENCH_SOCKETS is a list of numbers")).collect()
}

/// The rounds to measure: those of `CONNTOP_BENCH_RUNS`, else `default`.
pub fn rounds(default: usize) -> usize {
    std::env::var("CONNTOP_BENCH_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(default)
}
