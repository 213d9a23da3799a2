//! What a look for findings costs at 200,000 rows: idle, leaking, and with many ports in use. `cargo bench --bench
//! diagnosis`; under `cargo test` a small size runs as a smoke test. No time is asserted.

use std::time::{Duration, Instant};

use conntop::diagnosis::Diagnosis;
use conntop::diagnosis::thresholds::Thresholds;
use conntop::model::delta::{Connection, Delta, Transition};
use conntop::model::endpoint::Endpoint;
use conntop::model::socket::{Socket, TimerKind};
use conntop::model::tcp_state::TcpState;
use conntop::model::testing::{SocketBuilder, connection, listener, process, source_info, tcp};
use conntop::model::time::Timestamp;
use conntop::store::Store;

/// The first sample is taken so long after boot.
const BEGIN: Duration = Duration::from_secs(10 * 3_600);
/// So many looks are taken; the middle one counts.
const LOOKS: u32 = 15;

fn main() {
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let rows = if is_bench { 200_000 } else { 2_000 };
    println!("{rows} rows");
    let served = |nth: u64| far(tcp(nth).local("10.0.0.1:443"), nth, 50_000);
    measure("established, nothing moves", rows, 0, &served);
    measure("established, one opens a second", rows, 1, &served);
    let pool = [process(4_121, "pool")];
    measure("2 in 100 in CLOSE_WAIT", rows, 1, &|nth| {
        let socket = served(nth).held_by(&pool);
        if nth.is_multiple_of(50) {
            socket.state(TcpState::CloseWait).queues(0, 0).last(1_000, 1_000, 1_000)
        } else {
            socket
        }
    });
    measure("all to one place, 2 in 3 in TIME_WAIT", rows, 1, &|nth| {
        let port = u16::try_from(32_768 + nth % 28_000).unwrap_or(u16::MAX);
        let socket =
            tcp(nth).with(|socket| socket.local = Endpoint::new([10, 0, 1, 1].into(), port)).remote("10.0.0.9:80");
        let expires = u64::try_from(BEGIN.as_millis()).unwrap_or(0) + 30_000;
        if nth.is_multiple_of(3) {
            socket
        } else {
            socket.mini(TcpState::TimeWait).timer(TimerKind::TimeWait, 0, expires)
        }
    });
    // As many findings as there can be groups: each of a program and a place of its own, half of them explained.
    let findings = if is_bench { 4_000 } else { 200 };
    measure("as many findings as there can be", findings, 1, &|nth| {
        let host = (nth / 2).to_be_bytes();
        let process = process(u32::try_from(nth).unwrap_or(0), &format!("p{nth}"));
        let expires = u64::try_from(BEGIN.as_millis()).unwrap_or(0) + 2_000;
        let socket = tcp(nth).state(TcpState::SynSent).queues(0, 1).held_by(&[process]);
        let socket = socket.timer(TimerKind::Retransmit, 2, expires).info(|info| info.rto_us = 4_000_000);
        let port = if nth.is_multiple_of(2) { 80 } else { 443 };
        socket.with(|socket| socket.remote = Endpoint::new([10, 9, host[6], host[7]].into(), port))
    });
}

fn far(socket: SocketBuilder, nth: u64, port: u16) -> SocketBuilder {
    let [.., b, c, d] = nth.to_be_bytes();
    socket.with(|socket| socket.remote = Endpoint::new([10, b, c, d].into(), port))
}

fn opened(row: &Connection, at: Timestamp) -> Transition {
    let Socket { state, ref owner, .. } = row.socket;
    Transition { owner: owner.clone(), ..Transition::new(&row.socket.reference(), at, None, Some(state)) }
}

/// Times a look after each of some deltas, each with `moves` new rows.
fn measure(what: &str, rows: u64, moves: u64, make: &dyn Fn(u64) -> SocketBuilder) {
    let (mut store, mut diagnosis) = (Store::new(source_info()), Diagnosis::new(Thresholds::default()));
    let batch = |from: u64, to: u64| (from..to).map(|nth| connection(make(nth), 0)).collect::<Vec<Connection>>();
    let mut next = batch(1, rows);
    next.push(connection(listener(rows * 10, 443), 0));
    let mut times = Vec::new();
    for look in 0..LOOKS {
        let at = Timestamp::default().after(BEGIN + Duration::from_secs(look.into()));
        let added = std::mem::take(&mut next);
        let transitions = if look == 0 { Vec::new() } else { added.iter().map(|row| opened(row, at)).collect() };
        store.apply(Delta { at, added, transitions, ..Delta::default() });
        let (begin, mut steps) = (Instant::now(), usize::MAX);
        diagnosis.begin(&store);
        diagnosis.advance(&store, &mut steps);
        times.push((begin.elapsed(), usize::MAX - steps));
        let unused = rows + u64::from(look) * moves;
        next = batch(unused, unused + moves);
    }
    let first = times.remove(0);
    times.sort_unstable();
    let (middle, worst) = (times[times.len() / 2], times[times.len() - 1]);
    let findings = diagnosis.findings().len();
    println!("{what:<40} first {first:9.1?}  middle {middle:9.1?}  worst {worst:9.1?}  {findings} findings");
}
