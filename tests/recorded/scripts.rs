//! What happens in each recording, sample by sample.

use std::num::NonZeroU32;
use std::sync::Arc;

use conntop::model::descriptors::Descriptors;
use conntop::model::endpoint::{Endpoint, Family};
use conntop::model::event::{Caller, CloseError, Ended, EventSourceStatus, EventStatus, Events, TracedStateChange};
use conntop::model::exposure::AddressKinds;
use conntop::model::facts::{Counters, Facts, PortRange};
use conntop::model::outcome::SocketError;
use conntop::model::process::{Holders, Names, Owner, Process, ProcessId};
use conntop::model::reach::ALL_INTERFACES;
use conntop::model::snapshot::Snapshot;
use conntop::model::socket::{Drops, NetnsId, Socket, SocketId, TimerKind};
use conntop::model::tcp_info::{ByteCounts, TcpInfo};
use conntop::model::tcp_state::TcpState;
use conntop::model::testing::{SocketBuilder, listener, process, snapshot, tcp, udp};
use conntop::model::time::Timestamp;

/// One recording.
pub struct RecordingScript {
    /// The name of its file: that of the rule it is about.
    pub name: &'static str,
    /// Thresholds that keep the recording small, as TOML.
    pub thresholds: &'static str,
    /// Why the filter of what its rule finds may select other sockets than it counts; `None` where it selects just those.
    pub shows_more: Option<&'static str>,
    /// The samples.
    pub tell: fn() -> Vec<Snapshot>,
}

const fn script(name: &'static str, tell: fn() -> Vec<Snapshot>) -> RecordingScript {
    RecordingScript { name, thresholds: "", shows_more: None, tell }
}

impl RecordingScript {
    const fn with(self, thresholds: &'static str) -> Self {
        Self { thresholds, ..self }
    }

    const fn about_more(self, why: &'static str) -> Self {
        Self { shows_more: Some(why), ..self }
    }
}

/// Every script.
pub const SCRIPTS: &[RecordingScript] = &[
    script("close-wait-leak", close_wait_leak),
    script("held-dead-sockets", held_dead_sockets),
    script("not-accepted", not_accepted),
    script("accept-queue-full", accept_queue_full).about_more(
        "the listener is shown beside those that wait; how many wait is told by its queue, which holds more than rows",
    ),
    script("failing-connects", failing_connects),
    script("refused-connects", refused_connects),
    script("reset-after-accept", reset_after_accept),
    script("ephemeral-ports", ephemeral_ports),
    script("churn", churn).with("churn = 20"),
    script("fin-wait2-stuck", fin_wait2_stuck),
    script("syn-sent-stuck", syn_sent_stuck),
    script("syn-backlog", syn_backlog),
    script("retransmitting", retransmitting)
        .about_more("segments of the whole machine were counted, no sockets; shown is who retransmits now"),
    script("zero-window", zero_window),
    script("local-reader-stuck", local_reader_stuck),
    script("slow-reader", slow_reader),
    script("unanswered-dns", unanswered_dns)
        .about_more("lookups that are over are not counted; the table can have their socket at that look still"),
    script("descriptor-limit", descriptor_limit),
    script("exposed-risky-port", exposed_risky_port),
    script("unexpected-listener", unexpected_listener),
    script("dead-peer", dead_peer),
    script("orphans", orphans)
        .about_more("the kernel counts those of all network namespaces; shown are those of this one"),
    script("syn-drops", syn_drops),
    script("conntrack-full", conntrack_full),
    script("memory-pressure", memory_pressure)
        .about_more("pages were counted, no sockets; shown is what holds data now"),
    script("udp-receive-drops", udp_receive_drops),
    script("udp-send-drops", udp_send_drops)
        .about_more("datagrams were counted, no sockets; shown is who could have sent them"),
    script("tcp-receive-drops", tcp_receive_drops)
        .about_more("segments were counted, no sockets; shown is what is full now"),
    script("damaged-packets", damaged_packets),
    script("paws-drops", paws_drops),
    script("time-wait-overflow", time_wait_overflow)
        .about_more("connections that have no socket any more were counted; shown are those that have one"),
    script("healthy-busy", healthy_busy),
];

/// When the first sample is taken, in milliseconds since boot.
const BEGIN: u64 = 10_000_000;

/// Samples `every_ms`, each made by `sample` of its number and its moment.
fn samples(number: u64, every_ms: u64, sample: impl Fn(u64, u64) -> Snapshot) -> Vec<Snapshot> {
    (0..number).map(|nth| sample(nth, BEGIN + nth * every_ms)).collect()
}

fn facts(change: impl FnOnce(&mut Facts)) -> Arc<Facts> {
    let mut facts = Facts {
        ephemeral_ports: Some(PortRange { first: 32_768, last: 60_999 }),
        time_wait_reuse: Some(2),
        accept_queue_max: Some(4_096),
        syncookies: Some(1),
        orphans: Some(3),
        orphans_max: Some(1_000),
        counters: Some(Counters::default()),
        ..Facts::default()
    };
    change(&mut facts);
    Arc::new(facts)
}

fn taken(at: u64, facts: Arc<Facts>, sockets: Vec<Socket>) -> Snapshot {
    Snapshot { facts, ..snapshot(at, sockets) }
}

fn counters(change: impl FnOnce(&mut Counters)) -> Arc<Facts> {
    facts(|facts| change(facts.counters.get_or_insert_default()))
}

fn quiet(at: u64, sockets: Vec<Socket>) -> Snapshot {
    taken(at, facts(|_| ()), sockets)
}

/// A connection that `process` opened, number `nth`.
fn opened(nth: u64, to: &str, process: &Arc<Process>) -> SocketBuilder {
    tcp(nth).local(&format!("10.0.0.1:{}", 40_000 + nth)).remote(to).held_by(std::slice::from_ref(process))
}

/// A connection that came in on `port`, number `nth`.
fn served(nth: u64, port: u16, process: &Arc<Process>) -> SocketBuilder {
    let client = format!("203.0.113.{}:{}", 1 + nth % 250, 50_000 + nth % 10_000);
    tcp(nth).local(&format!("10.0.0.1:{port}")).remote(&client).held_by(std::slice::from_ref(process))
}

fn descriptors(process: &Arc<Process>, used: u32, max: u64) -> Arc<Vec<(ProcessId, Descriptors)>> {
    Arc::new(vec![(process.id, Descriptors { used, max: Some(max), ..Descriptors::default() })])
}

/// A pool gets a connection back from the database every 15 s, closed by the database, and forgets it. It has done so
/// for five minutes when the recording begins.
fn close_wait_leak() -> Vec<Snapshot> {
    let pool = process(4_121, "jdbc-pool");
    samples(40, 5_000, |nth, now| {
        let leaked = (BEGIN - 300_000..=now).step_by(15_000).enumerate().map(|(nth, since)| {
            let socket = opened(nth as u64, "10.0.0.5:5432", &pool).state(TcpState::CloseWait).queues(0, 0);
            socket.last(since - 5, since - 5, since).build()
        });
        let used = 860 + u32::try_from(nth / 3).expect("small");
        Snapshot { descriptors: descriptors(&pool, used, 1_024), ..quiet(now, leaked.collect()) }
    })
}

/// A service keeps the connections that its peer has reset, one more every three seconds.
fn held_dead_sockets() -> Vec<Snapshot> {
    let billing = process(4_512, "billing-api");
    samples(40, 3_000, |nth, now| {
        let held = (0..10 + nth).map(|inode| {
            let (netns, inode) =
                (tcp(1).build().id.netns(), NonZeroU32::new(90_000 + u32::try_from(inode).expect("small")));
            let inode = inode.expect("not 0");
            let owner = tcp(1).held_by(std::slice::from_ref(&billing)).build().owner;
            let unset = (Family::Ipv4, Endpoint::new(Family::Ipv4.unspecified(), 0));
            Socket::unhashed(SocketId::from_inode(inode, netns), unset, inode, owner)
        });
        let used = 40 + u32::try_from(nth).expect("small");
        Snapshot { descriptors: descriptors(&billing, used, 256), ..quiet(now, held.collect()) }
    })
}

/// A server is stopped; clients come, and some go again.
fn not_accepted() -> Vec<Snapshot> {
    let app = process(812, "app");
    samples(4, 1_000, |_, now| {
        let mut sockets = vec![listener(1, 8080).queues(7, 128).held_by(std::slice::from_ref(&app)).build()];
        sockets.extend((10..17).map(|nth| {
            let waiting = served(nth, 8080, &app).owner(Owner::Unaccepted).with(|socket| socket.inode = None);
            let since = BEGIN - 40_000 + nth * 100;
            let given_up = nth % 3 > 0;
            let waiting = waiting.last(since, since, since).queues(u32::from(given_up), 0);
            if given_up { waiting.state(TcpState::CloseWait).build() } else { waiting.build() }
        }));
        quiet(now, sockets)
    })
}

/// A server accepts too slowly, and 30 connections a second are dropped, those of 12 clients of this machine among them.
fn accept_queue_full() -> Vec<Snapshot> {
    let api = process(6_002, "report-api");
    samples(15, 1_000, |nth, now| {
        let facts = counters(|counters| counters.listen_overflows = 7_000 + nth * 30);
        let listener = listener(1, 9090).queues(129, 128).held_by(std::slice::from_ref(&api)).build();
        let called = (10..22).map(|nth: u32| {
            let client = opened(nth.into(), "127.0.0.1:9090", &process(nth, &format!("cron-{}", nth % 5)));
            unanswered(client.local(&format!("127.0.0.1:{}", 40_000 + nth)))
        });
        taken(now, facts, std::iter::once(listener).chain(called).collect())
    })
}

/// One destination takes port after port of a narrow range.
fn ephemeral_ports() -> Vec<Snapshot> {
    let proxy = process(77, "proxy");
    samples(15, 1_000, |nth, now| {
        let facts = facts(|facts| facts.ephemeral_ports = Some(PortRange { first: 40_000, last: 40_099 }));
        taken(now, facts, (0..60 + nth * 2).map(|nth| opened(nth, "10.0.0.9:443", &proxy).build()).collect())
    })
}

/// A load generator without keep-alive.
fn churn() -> Vec<Snapshot> {
    let wrk = process(99, "wrk");
    samples(3, 1_000, |nth, now| {
        let made = |cookie: u64| {
            let ended = BEGIN - 9_000 + cookie * 40;
            let socket = opened(cookie, "10.0.0.9:8080", &wrk).queues(0, 0);
            if ended + 500 < now && nth > 0 {
                socket.mini(TcpState::TimeWait).timer(TimerKind::TimeWait, 0, ended + 60_000).build()
            } else {
                socket.build()
            }
        };
        quiet(now, (0..240).map(made).collect())
    })
}

/// Peers that never close their side.
fn fin_wait2_stuck() -> Vec<Snapshot> {
    let app = process(510, "mail-relay");
    samples(3, 1_000, |_, now| {
        let stuck = |nth: u64| {
            let since = BEGIN - 120_000 - nth * 1_000;
            served(nth, 2525, &app).state(TcpState::FinWait2).last(since - 5, since - 5, since).build()
        };
        let mut sockets: Vec<Socket> = (10..22).map(stuck).collect();
        sockets.push(listener(1, 2525).held_by(std::slice::from_ref(&app)).build());
        quiet(now, sockets)
    })
}

/// A handshake that is not answered: the third SYN is on its way.
fn unanswered(socket: SocketBuilder) -> Socket {
    let socket = socket.state(TcpState::SynSent).timer(TimerKind::Retransmit, 3, BEGIN + 4_000);
    socket.info(|info| info.rto_us = 8_000_000).build()
}

/// A host that is down, a crawler of which many hosts are, and one that 40 processes of one program call.
fn syn_sent_stuck() -> Vec<Snapshot> {
    let (curl, crawler) = (process(31, "curl"), process(32, "crawler"));
    samples(3, 1_000, |_, now| {
        let mut sockets = vec![unanswered(opened(1, "10.0.0.66:443", &curl))];
        sockets.extend((10..19).map(|nth| unanswered(opened(nth, &format!("198.51.100.{nth}:80"), &crawler))));
        sockets.extend(
            (100..140).map(|pid: u32| unanswered(opened(pid.into(), "10.0.0.2:5432", &process(pid, "worker")))),
        );
        quiet(now, sockets)
    })
}

/// Handshakes that nobody finishes.
fn syn_backlog() -> Vec<Snapshot> {
    let nginx = process(812, "nginx");
    samples(5, 1_000, |nth, now| {
        let facts = counters(|counters| counters.syn_queue_cookies = 12 + nth * 40);
        let mut sockets = vec![listener(1, 80).queues(0, 16).held_by(std::slice::from_ref(&nginx)).build()];
        sockets.extend((10..26).map(|nth| served(nth, 80, &nginx).mini(TcpState::SynRecv).build()));
        taken(now, facts, sockets)
    })
}

fn backed_off(socket: SocketBuilder, timeouts: u8, rto_us: u32, fires_at: u64, acked: u64) -> Socket {
    let socket = socket.queues(0, 8_000).timer(TimerKind::Retransmit, timeouts, fires_at).last(acked, acked, acked);
    let change = |info: &mut conntop::model::tcp_info::TcpInfo| {
        (info.backoff, info.rto_us, info.unacked, info.retransmits_total) = (timeouts, rto_us, 6, 20);
    };
    socket.info(change).build()
}

/// A path that loses, seen at one connection and in the counters.
fn retransmitting() -> Vec<Snapshot> {
    let backup = process(1_204, "rsync");
    samples(20, 1_000, |nth, now| {
        let facts = counters(|counters| {
            counters.segments_sent = 1_000_000 + nth * 900;
            counters.segments_retransmitted = 4_000 + nth * 81;
            // Some came twice, most did not come.
            (counters.fast_retransmits, counters.time_outs) = (3_000 + nth * 70, 900 + nth * 6);
            (counters.loss_probes, counters.dsacks_received) = (100 + nth * 5, 100 + nth * 4);
        });
        let lossy = backed_off(opened(1, "192.0.2.50:873", &backup), 4, 3_200_000, now + 800, now - 6_000);
        taken(now, facts, vec![lossy])
    })
}

/// A client that does not read its download.
fn zero_window() -> Vec<Snapshot> {
    let (feed, browser) = (process(700, "feed"), process(701, "relay"));
    samples(3, 1_000, |_, now| {
        let blocked = |socket: SocketBuilder| {
            let socket = socket.queues(0, 2_500_000).timer(TimerKind::ZeroWindow, 0, BEGIN + 9_000);
            socket.info(|info| (info.backoff, info.rto_us) = (6, 220_000)).build()
        };
        let sockets = vec![
            listener(1, 9000).held_by(std::slice::from_ref(&feed)).build(),
            blocked(served(10, 9000, &feed)),
            blocked(opened(11, "10.0.0.40:6000", &browser)),
        ];
        quiet(now, sockets)
    })
}

/// A server stops reading; its client, on this machine too, cannot send any more.
fn local_reader_stuck() -> Vec<Snapshot> {
    let (reader, writer) = (process(412, "slow-reader"), process(413, "fast-writer"));
    samples(14, 1_000, |_, now| {
        let end = |nth: u64| format!("10.0.0.1:{}", 50_000 + nth);
        let here = |nth: u64| {
            let socket = served(nth, 9001, &reader).remote(&end(nth)).queues(120_000, 0).bytes(190_000, 0);
            socket.last(0, BEGIN - 5_000, BEGIN - 5_000).build()
        };
        let there = |nth: u64| {
            let socket = tcp(100 + nth).local(&end(nth)).remote("10.0.0.1:9001").queues(0, 4_100_000).bytes(0, 190_000);
            let socket = socket.held_by(std::slice::from_ref(&writer)).timer(TimerKind::ZeroWindow, 0, BEGIN + 20_400);
            socket.info(|info| (info.backoff, info.rto_us) = (6, 200_000)).build()
        };
        let mut sockets = vec![listener(1, 9001).held_by(std::slice::from_ref(&reader)).build()];
        sockets.extend((10..22).map(here).chain((10..22).map(there)));
        quiet(now, sockets)
    })
}

/// A consumer takes 4 kB a second of a stream that comes faster, and a mirror far away takes as little of what it is sent.
fn slow_reader() -> Vec<Snapshot> {
    let (consumer, feed) = (process(612, "consumer"), process(700, "feed"));
    samples(14, 1_000, |nth, now| {
        let here = opened(10, "10.0.0.40:9092", &consumer).queues(118_000, 0).bytes(400_000 + nth * 4_096, 0);
        let there = served(11, 9000, &feed).queues(0, 3_780_000).bytes(0, 500_000 + nth / 2 * 8_192);
        let there = there.timer(TimerKind::ZeroWindow, 0, now + 300);
        let there = there.info(|info| (info.backoff, info.rto_us) = (1, 200_000));
        quiet(now, vec![listener(1, 9000).held_by(std::slice::from_ref(&feed)).build(), here.build(), there.build()])
    })
}

/// A DNS server is down: each lookup of a program waits for 5 s, and then the next one.
fn unanswered_dns() -> Vec<Snapshot> {
    let app = process(9, "app");
    samples(24, 1_000, |nth, now| {
        let lookup = udp(100 + nth / 5, 0).local(&format!("10.0.0.1:{}", 40_000 + nth / 5)).remote("10.0.0.53:53");
        let lookup = lookup.state(TcpState::Established).held_by(std::slice::from_ref(&app));
        quiet(now, if nth < 2 { Vec::new() } else { vec![lookup.build()] })
    })
}

/// A process with few descriptors left.
fn descriptor_limit() -> Vec<Snapshot> {
    let app = process(4_300, "gateway");
    samples(20, 1_000, |nth, now| {
        let used = 860 + u32::try_from(nth).expect("small");
        let sockets = (0..30).map(|nth| opened(nth, "10.0.0.9:443", &app).build()).collect();
        Snapshot { descriptors: descriptors(&app, used, 1_024), ..quiet(now, sockets) }
    })
}

/// Two services without a password, one of them only for this machine; sshd is no finding.
fn exposed_risky_port() -> Vec<Snapshot> {
    samples(2, 1_000, |_, now| {
        let redis = [process(640, "redis-server")];
        let sockets = vec![
            listener(1, 6379).held_by(&redis).build(),
            listener(2, 6379).local("[::]:6379").held_by(&redis).build(),
            listener(3, 27017).local("127.0.0.1:27017").held_by(&[process(650, "mongod")]).build(),
            listener(4, 22).held_by(&[process(600, "sshd")]).build(),
            listener(5, 443).held_by(&[process(812, "nginx")]).build(),
            udp(6, 53).local("127.0.0.53:53").held_by(&[process(300, "systemd-resolve")]).build(),
            // In a namespace with nothing but lo: nobody else can send to it.
            listener(7, 11211).netns(8).held_by(&[process(660, "memcached")]).build(),
            // In one whose interfaces are not known.
            listener(8, 2375).netns(9).held_by(&[process(670, "dockerd")]).build(),
        ];
        let mut snapshot = quiet(now, sockets);
        let kinds = |ip: [u8; 4]| AddressKinds::of(ip.into());
        let reachable = [
            ((NetnsId(0), ALL_INTERFACES), kinds([10, 0, 0, 1])),
            ((NetnsId(0), 2), kinds([10, 0, 0, 1])),
            ((NetnsId(8), ALL_INTERFACES), AddressKinds::default()),
        ];
        let namespaces = [0, 8, 9].map(|number| (NetnsId(number), format!("ns{number}").as_str().into()));
        let names = Names { reachable: reachable.into(), namespaces: namespaces.into(), ..Names::default() };
        snapshot.names = Arc::new(names);
        snapshot
    })
}

/// Something else where sshd is expected; a tunnel in front of a database is none.
fn unexpected_listener() -> Vec<Snapshot> {
    samples(2, 1_000, |_, now| {
        let sockets = vec![
            listener(1, 22).held_by(&[process(9_001, "python3")]).build(),
            listener(2, 5432).local("127.0.0.1:5432").held_by(&[process(9_002, "ssh")]).build(),
            listener(3, 3306).held_by(&[process(9_003, "mariadbd")]).build(),
            listener(4, 8080).held_by(&[process(9_004, "python3")]).build(),
        ];
        quiet(now, sockets)
    })
}

/// A database that lost its network two minutes ago.
fn dead_peer() -> Vec<Snapshot> {
    let app = process(4_121, "orders");
    samples(3, 1_000, |_, now| {
        let gone =
            |nth| backed_off(opened(nth, "10.0.0.5:5432", &app), 9, 102_400_000, BEGIN + 50_000, BEGIN - 130_000);
        quiet(now, (1..5).map(gone).collect())
    })
}

/// A crash left more than the kernel wants to keep.
fn orphans() -> Vec<Snapshot> {
    samples(3, 1_000, |nth, now| {
        let facts = facts(|facts| {
            facts.orphans = Some(640);
            facts.counters = Some(Counters { memory_aborts: 5 + nth, ..Counters::default() });
        });
        let left = |nth: u64| tcp(nth).state(TcpState::FinWait1).with(|socket| socket.inode = None).build();
        taken(now, facts, (1..20).map(left).collect())
    })
}

/// A flood of half-open connections with SYN cookies off.
fn syn_drops() -> Vec<Snapshot> {
    let web = process(14, "web-server");
    samples(12, 1_000, |nth, now| {
        let facts = facts(|facts| {
            (facts.syncookies, facts.syn_backlog_max) = (Some(0), Some(128));
            facts.counters =
                Some(Counters { listen_drops: 40 + nth * 107, listen_overflows: 12, ..Counters::default() });
        });
        let listening = listener(1, 8080).queues(0, 511).held_by(std::slice::from_ref(&web));
        let drops = 28 + u32::try_from(nth).expect("small") * 107;
        let listening = listening.with(|socket| socket.drops = Some(Drops::new(drops)));
        let half_open = |each: u64| served(1_000 + each, 8080, &web).mini(TcpState::SynRecv).build();
        taken(now, facts, std::iter::once(listening.build()).chain((0..97).map(half_open)).collect())
    })
}

/// Twelve samples with counters that grow: `grow` gets those of a second more.
fn counting(grow: impl Fn(&mut Counters, u64)) -> Vec<Snapshot> {
    let app = process(4_300, "gateway");
    samples(12, 1_000, |nth, now| {
        let facts = counters(|counters| {
            (counters.segments_sent, counters.segments_received) = (50_000 + nth * 9_000, 60_000 + nth * 9_000);
            (counters.udp_sent, counters.udp_received) = (7_000 + nth * 4_000, 7_000 + nth * 4_000);
            grow(counters, nth);
        });
        taken(now, facts, vec![opened(1, "10.0.0.9:443", &app).build()])
    })
}

/// A firewall that tracks as many connections as it may.
fn conntrack_full() -> Vec<Snapshot> {
    samples(12, 1_000, |nth, now| {
        let facts = facts(|facts| {
            (facts.conntrack, facts.conntrack_max) =
                (Some(65_400 + u32::try_from(nth).expect("small") * 12), Some(65_536));
            facts.counters =
                Some(Counters { conntrack_drops: 3 + nth * 44, conntrack_early_drops: nth * 9, ..Counters::default() });
        });
        taken(now, facts, Vec::new())
    })
}

/// Many sockets that nobody reads have taken all that `tcp_mem` allows.
fn memory_pressure() -> Vec<Snapshot> {
    let app = process(4_300, "gateway");
    samples(12, 1_000, |nth, now| {
        let facts = facts(|facts| {
            facts.tcp_memory_limits_pages = Some([287_901, 383_868, 575_802]);
            facts.tcp_memory_pages = Some(575_700 + nth * 20);
            facts.counters =
                Some(Counters { memory_pressures: 2 + nth / 4, memory_aborts: nth * 3, ..Counters::default() });
        });
        taken(now, facts, (1..4).map(|nth| opened(nth, "10.0.0.9:443", &app).queues(6_291_456, 0).build()).collect())
    })
}

/// A syslog server that reads too slowly, beside a name server that loses nothing.
fn udp_receive_drops() -> Vec<Snapshot> {
    let syslog = process(300, "rsyslogd");
    samples(12, 1_000, |nth, now| {
        let facts = counters(|counters| {
            (counters.udp_received, counters.udp_receive_buffer_errors) = (nth * 1_900, 7 + nth * 120);
        });
        let drops = |drops| move |socket: &mut Socket| socket.drops = Some(Drops::new(drops));
        let lost = 7 + u32::try_from(nth).expect("small") * 120;
        let reader = udp(6, 514).queues(212_992, 0).held_by(std::slice::from_ref(&syslog)).with(drops(lost)).build();
        taken(now, facts, vec![reader, udp(7, 53).held_by(&[process(301, "named")]).with(drops(9)).build()])
    })
}

/// An interface that is asked for more than it sends.
fn udp_send_drops() -> Vec<Snapshot> {
    counting(|counters, nth| counters.udp_send_buffer_errors = 4 + nth * 300)
}

/// Receivers without room.
fn tcp_receive_drops() -> Vec<Snapshot> {
    counting(|counters, nth| {
        (counters.backlog_drops, counters.receive_queue_drops) = (nth * 70, 1 + nth * 5);
        counters.out_of_order_pruned = 3;
    })
}

/// A card that damages what it receives.
fn damaged_packets() -> Vec<Snapshot> {
    counting(|counters, nth| counters.checksum_errors = 11 + nth * 40)
}

/// Clients behind one address whose clocks differ.
fn paws_drops() -> Vec<Snapshot> {
    counting(|counters, nth| counters.time_stamp_rejects = nth * 30)
}

/// A machine that was told to keep few `TIME_WAIT` sockets.
fn time_wait_overflow() -> Vec<Snapshot> {
    counting(|counters, nth| counters.time_wait_overflows = nth * 250)
}

/// Short connections, closes that take a moment, a few losses, an accept queue that fills and empties, a pool that
/// grows while it warms up.
fn healthy_busy() -> Vec<Snapshot> {
    let (nginx, pool) = (process(812, "nginx"), process(4_121, "pool"));
    samples(40, 1_000, |nth, now| {
        let facts = counters(|counters| {
            (counters.segments_sent, counters.segments_retransmitted) = (nth * 40_000, nth * 200);
            // A tail-loss probe a connection, which comes twice; a few losses of every kind.
            (counters.loss_probes, counters.dsacks_received, counters.time_outs) = (nth * 190, nth * 185, nth * 5);
            (counters.segments_received, counters.udp_received) = (nth * 40_000, nth * 3_000);
            (counters.listen_drops, counters.checksum_errors) = (nth / 9, nth / 4);
            (counters.udp_receive_buffer_errors, counters.backlog_drops) = (nth / 2, nth * 2);
            (counters.time_stamp_rejects, counters.receive_queue_drops) = (nth * 3, nth);
        });
        let waiting = u32::try_from(nth * 7 % 11).expect("small");
        let mut sockets = vec![listener(1, 443).queues(waiting, 511).held_by(std::slice::from_ref(&nginx)).build()];
        let served = |cookie: u64| served(cookie, 443, &nginx).last(now - 60, now - 50, now - 40);
        sockets.extend((0..12).map(|each| served(1_000 + nth * 20 + each).build()));
        let closing = |each| served(2_000 + nth * 20 + each).state(TcpState::CloseWait).queues(0, 0).build();
        sockets.extend((0..nth * 5 % 9).map(closing));
        sockets.push(backed_off(served(3_000 + nth), 1, 400_000, now + 100, now - 200));
        sockets.extend((0..nth.min(20)).map(|each| opened(4_000 + each, "10.0.0.5:5432", &pool).build()));
        sockets.extend((0..10).map(|each| {
            let gone = served(5_000 + nth * 5 + each).mini(TcpState::TimeWait);
            gone.timer(TimerKind::TimeWait, 0, now + 60_000 - each * 300).build()
        }));
        Snapshot { descriptors: descriptors(&pool, 40 + waiting, 1_024), ..taken(now, facts, sockets) }
    })
}

/// How an attempt ends: what the trace says after `SYN_SENT`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Refused,
    GivenUp,
    /// It succeeds, and the peer resets the connection after this many milliseconds and one request.
    Reset(u64),
    /// It succeeds, and the peer closes first.
    ClosedByPeer,
}

/// What the kernel tells of an attempt to reach `to` that begins at `at` and waits so long, number `nth`, by `process`.
fn attempt(events: &mut Events, (nth, to): (u64, &str), (at, waits): (u64, u64), end: End, process: &Arc<Process>) {
    use TcpState::{Close, CloseWait, Established, LastAck, SynSent};
    let socket = opened(nth, to, process).build();
    let key = nth;
    let mut step = |ms: u64, from, to| {
        let (local, remote, at) = (socket.local, socket.remote, Timestamp::from_millis(ms));
        events.state_changes.push(TracedStateChange { at, key, local, remote, from, to });
        at
    };
    let begun = step(at, Close, SynSent);
    let answered = at + waits;
    let (over, error) = match end {
        End::Refused => (step(answered, SynSent, Close), Some(SocketError::Refused)),
        End::GivenUp => (step(answered, SynSent, Close), None),
        End::Reset(after) => {
            step(answered, SynSent, Established);
            (step(answered + after, Established, Close), Some(SocketError::Reset))
        }
        End::ClosedByPeer => {
            step(answered, SynSent, Established);
            step(answered + 1, Established, CloseWait);
            step(answered + 2, CloseWait, LastAck);
            (step(answered + 3, LastAck, Close), None)
        }
    };
    events.errors.extend(error.map(|error| CloseError { at: over, key, error }));
    let holders = Arc::new(Holders::new(vec![Arc::clone(process)]).expect("one"));
    events.callers.push(Caller { at: begun, key, process: holders, netns: None });
    let moved = !matches!(end, End::Refused | End::GivenUp);
    let bytes = Some(ByteCounts::new(u64::from(moved) * 100, u64::from(moved) * 300));
    let last_ack_received = if moved { over.into() } else { TcpInfo::default().last_ack_received };
    let info = TcpInfo { bytes, rtt_us: u32::from(moved) * 200, last_ack_received, ..TcpInfo::default() };
    events.ended.push(Ended { at: over, socket: socket.reference(), info: Some(info) });
}

/// Samples a second apart of `sockets`, with what `tell` puts into the events of each.
fn traced(number: u64, sockets: &[Socket], tell: impl Fn(u64, &mut Events)) -> Vec<Snapshot> {
    samples(number, 1_000, |nth, now| {
        let mut events = Events {
            event_status: EventStatus { ends: EventSourceStatus::On, trace: EventSourceStatus::On },
            errors_are_told: true,
            ..Events::default()
        };
        if nth > 0 {
            tell(nth, &mut events);
        }
        Snapshot { events, ..quiet(now, sockets.to_vec()) }
    })
}

/// Two workers of a shop whose database is silent give up after 400 ms and try again.
fn failing_connects() -> Vec<Snapshot> {
    let shop = process(12, "shop-api");
    traced(8, &[], |nth, events| {
        for worker in 0..4 {
            let begun = BEGIN + (nth - 1) * 1_000 + worker * 250;
            attempt(events, (nth * 4 + worker, "10.0.0.2:5432"), (begun, 245), End::GivenUp, &shop);
        }
    })
}

/// A proxy whose backend is down; `localhost` of a client is refused by IPv6 and works by IPv4, which is no finding.
fn refused_connects() -> Vec<Snapshot> {
    let (proxy, client) = (process(70, "web-proxy"), process(71, "client"));
    traced(6, &[], |nth, events| {
        for each in 0..20 {
            let begun = BEGIN + (nth - 1) * 1_000 + each * 49;
            attempt(events, (nth * 100 + each, "10.0.0.9:8080"), (begun, 1), End::Refused, &proxy);
            let own = nth * 100 + 50 + each;
            let other = opened(own, "[::1]:9000", &client).local(&format!("[::1]:{}", 40_000 + own)).build();
            let at = Timestamp::from_millis(begun);
            let step =
                |from, to| TracedStateChange { at, key: own, local: other.local, remote: other.remote, from, to };
            events
                .state_changes
                .extend([step(TcpState::Close, TcpState::SynSent), step(TcpState::SynSent, TcpState::Close)]);
            events.errors.push(CloseError { at, key: own, error: SocketError::Refused });
            let process = Arc::new(Holders::new(vec![Arc::clone(&client)]).expect("one"));
            events.callers.push(Caller { at, key: own, process, netns: None });
            events.ended.push(Ended { at, socket: other.reference(), info: Some(TcpInfo::default()) });
            let served = 5_000 + nth * 100 + each;
            attempt(events, (served, "127.0.0.1:9000"), (begun + 1, 1), End::ClosedByPeer, &client);
        }
    })
}

/// A gateway whose upstream turns away every second connection after it has taken the request.
fn reset_after_accept() -> Vec<Snapshot> {
    let gateway = process(80, "gateway");
    traced(6, &[], |nth, events| {
        for each in 0..10 {
            let begun = BEGIN + (nth - 1) * 1_000 + each * 90;
            let end = if each % 2 == 0 { End::Reset(20) } else { End::ClosedByPeer };
            attempt(events, (nth * 100 + each, "10.0.0.7:8443"), (begun, 1), end, &gateway);
        }
    })
}
