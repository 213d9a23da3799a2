//! A full sample of which the tracker keeps out what it knows already tells the same story as one that lists all.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use conntop::model::delta::{Connection, Delta};
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::SocketId;
use conntop::model::tcp_info::ByteCounts;
use conntop::source::Source;
use conntop::source::linux::LinuxSource;
use conntop::tracker::{Tracker, Tracking};

/// The way from the kernel to a table, as the sampler goes it.
struct Eyes {
    source: LinuxSource,
    snapshot: Snapshot,
    tracker: Tracker,
    table: BTreeMap<SocketId, Connection>,
}

impl Eyes {
    fn look(&mut self) -> Delta {
        let Self { source, snapshot, tracker, table } = self;
        source.sample(&Needs::default(), &mut Tracking { tracker, snapshot }).expect("sock_diag answers");
        let delta = tracker.finish(snapshot);
        let rows = delta.added.iter().chain(&delta.changed);
        table.extend(rows.map(|row| (row.socket.id, row.clone())));
        delta.removed.iter().for_each(|removed| drop(table.remove(&removed.id)));
        delta
    }

    fn row(&self, stream: &TcpStream) -> Option<&Connection> {
        let port = |address: std::io::Result<std::net::SocketAddr>| address.map(|address| address.port()).ok();
        let is_its = |row: &&Connection| {
            let ends = (row.socket.local.port, row.socket.remote.port);
            port(stream.local_addr()).zip(port(stream.peer_addr())) == Some(ends)
        };
        self.table.values().find(is_its)
    }

    fn is_listed(&self, stream: &TcpStream) -> bool {
        let id = self.row(stream).expect("it is in the table").socket.id;
        self.snapshot.sockets.iter().any(|socket| socket.id == id)
    }
}

fn received(row: Option<&Connection>) -> Option<u64> {
    row?.socket.tcp?.bytes.map(ByteCounts::received)
}

#[test]
fn what_is_known_is_in_the_table_and_what_is_new_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let pair = || (TcpStream::connect(address).expect("listening"), listener.accept().expect("connected").0);
    let mut pairs: Vec<_> = (0..20).map(|_| pair()).collect();
    let source = LinuxSource::sock_diag().expect("sock_diag");
    let mut eyes = Eyes { source, snapshot: Snapshot::default(), tracker: Tracker::new(), table: BTreeMap::default() };
    eyes.look();
    assert!(pairs.iter().all(|(client, server)| eyes.is_listed(client) && eyes.is_listed(server)));
    // The rates, which are known now, are news.
    eyes.look();
    let has_cgroups = eyes.row(&pairs[0].0).expect("known").socket.cgroup.is_some();
    let mut listed = || {
        eyes.look();
        pairs.iter().filter(|(client, server)| eyes.is_listed(client) || eyes.is_listed(server)).count()
    };
    // Where a busy machine holds the reader up, "so long ago" is inexact, and a socket looks changed that is not.
    let listed = (0..10).map(|_| listed()).min().expect("ten");
    assert!(listed <= 1 || !has_cgroups, "all are idle, and one may stand for their control group: {listed}");
    assert!(eyes.snapshot.coverage.sockets >= 41, "they count: {:?}", eyes.snapshot.coverage);

    pairs[3].0.write_all(b"hello").expect("connected");
    // Seen by us, it has been counted by the kernel.
    assert!(pairs[3].1.peek(&mut [0; 5]).expect("connected") > 0);
    let late = pair();
    let (closed_client, closed_server) = pairs.remove(7);
    let gone = eyes.row(&closed_server).expect("known").socket.id;
    drop((closed_client, closed_server));
    let delta = eyes.look();
    assert_eq!(received(eyes.row(&pairs[3].1)), Some(5));
    assert!(eyes.row(&late.0).is_some() && eyes.row(&late.1).is_some());
    assert!(delta.changed.len() + delta.added.len() >= 3);
    // The search for new owners may be put off for a moment, and the kernel may take one to acknowledge the last FIN;
    // then the socket is gone when two samples have missed it.
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_owned = |eyes: &Eyes| eyes.row(&late.1).map(|row| row.socket.owner.label()) == Some("live");
    while !is_owned(&eyes) || eyes.table.contains_key(&gone) {
        assert!(Instant::now() < deadline, "{:?} {:?}", eyes.row(&late.1), eyes.table.get(&gone));
        std::thread::sleep(Duration::from_millis(20));
        eyes.look();
    }
    assert!(pairs.iter().all(|(client, server)| eyes.row(client).is_some() && eyes.row(server).is_some()));
}
