//! A measurement, not a test: where the time of a sample goes, for the sockets that are there.
//! `cargo test --release --test live sample_time -- --ignored --nocapture`

#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use conntop::model::coverage::Coverage;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::NetnsId;
use conntop::source::linux::dumper::DumpThreads;
use conntop::source::linux::intake::DumpIntake;
use conntop::source::linux::netlink::NetlinkSocket;
use conntop::source::linux::owners::{AttributionContext, IsHeldFn, Owners};
use conntop::source::linux::processes::ClockReading;
use conntop::source::linux::query::DumpPlan;
use conntop::source::linux::tables::SocketTables;
use conntop::source::{Choice, clock, open};

const ROUNDS: usize = 15;

/// The median and the least of some rounds.
fn time(name: &str, mut round: impl FnMut()) {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            round();
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("{name:<44} median {:>10.1?}   least {:>10.1?}", times[ROUNDS / 2], times[0]);
}

fn asked<'a>(held: &'a mut IsHeldFn<'a>) -> AttributionContext<'a> {
    let (at, wall) = clock::now();
    AttributionContext { now: ClockReading { at, wall }, own: NetnsId(0), some_invisible: &|| false, held }
}

#[test]
#[ignore = "a measurement"]
fn where_the_time_of_a_sample_goes() {
    let mut connection = NetlinkSocket::open().expect("sock_diag");
    time("floor: dump, thrown away", || {
        for planned in DumpPlan::everything().dumps {
            let request = planned.request(None);
            connection.dump(request.kind(), &request.encode(), |_, _| true);
        }
    });
    let mut tables = SocketTables::sock_diag(NetnsId(0)).expect("sock_diag");
    let (mut sockets, mut coverage) = (Vec::new(), Coverage::default());
    time("dump, decoded", || {
        sockets.clear();
        tables.read(DumpThreads::One, &mut DumpIntake::all(&mut sockets), &mut coverage).expect("a dump");
    });
    time("owners of all, nothing known", || {
        Owners::open().attribute(&mut sockets, None, asked(&mut |asked| vec![Some(true); asked.len()]));
    });
    let mut owners = Owners::open();
    owners.attribute(&mut sockets, None, asked(&mut |asked| vec![Some(true); asked.len()]));
    time("owners of all, everything known", || {
        owners.attribute(&mut sockets, None, asked(&mut |asked| vec![Some(true); asked.len()]));
    });
    for choice in [Choice::Linux, Choice::Procfs] {
        let (mut source, mut snapshot) = (open(&choice).expect("a source"), Snapshot::default());
        source.sample(&Needs::default(), &mut snapshot).expect("a sample");
        time(&format!("sample, again, {choice:?}"), || {
            source.sample(&Needs::default(), &mut snapshot).expect("a sample");
        });
        println!("{} sockets, {:?}", snapshot.sockets.len(), snapshot.coverage);
    }
}
