//! What the metrics of a large table cost beside its sample: their values and their text. `cargo bench --bench metrics`; under
//! `cargo test` a small size runs as a smoke test. No time is asserted.

use std::time::{Duration, Instant};

use conntop::model::delta::{Connection, Delta};
use conntop::model::tcp_state::TcpState;
use conntop::model::testing::{connection, listener, process, source_info, tcp};
use conntop::model::time::Timestamp;
use conntop::report::metrics::{MetricsCollector, MetricsFormat};
use conntop::store::Store;

/// The sample is taken so long after boot.
const BEGIN: Duration = Duration::from_secs(10 * 3_600);
/// So many outputs are made; the middle one counts.
const OUTPUTS: usize = 15;

fn main() {
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let sizes: &[u64] = if is_bench { &[20_000, 200_000, 1_000_000] } else { &[2_000] };
    for rows in sizes {
        measure(*rows);
    }
}

/// Connections to a few destinations, held by processes of 1,000 names.
fn row(nth: u64) -> Connection {
    let number = u32::try_from(nth % 1_000).unwrap_or(0);
    let holder = process(1_000 + number, &format!("worker-{number}"));
    let port = 1_024 + nth % 60_000;
    let socket = tcp(nth).local(&format!("10.0.0.1:{port}")).remote(&format!("10.1.0.{}:443", nth % 50));
    let state = if nth.is_multiple_of(20) { TcpState::CloseWait } else { TcpState::Established };
    connection(socket.state(state).held_by(&[holder]), 0)
}

fn measure(rows: u64) {
    let mut store = Store::new(source_info());
    let mut added: Vec<Connection> = (0..rows).map(row).collect();
    added.push(connection(listener(rows + 1, 443), 0));
    store.apply(Delta { at: Timestamp::default().after(BEGIN), added, ..Delta::default() });
    let mut collector = MetricsCollector::new(true);
    for format in [MetricsFormat::OpenMetrics, MetricsFormat::OtlpJson] {
        let (mut times, mut len) = (Vec::new(), 0);
        for _ in 0..OUTPUTS {
            let begun = Instant::now();
            len = format.text(&collector.sample(&store, &[])).len();
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        println!("{rows} sockets, {format:?}: {:.2?}, {len} bytes", times[OUTPUTS / 2]);
    }
}
