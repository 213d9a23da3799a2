//! The kernel's text is read right, and any text is survived.

use proptest::prelude::*;

use super::*;

const NETSTAT: &[u8] =
    b"TcpExt: SyncookiesSent SyncookiesRecv ListenOverflows ListenDrops TCPTimeWaitOverflow TCPAbortOnMemory \
TCPReqQFullDoCookies TCPReqQFullDrop\nTcpExt: 3 0 41 47 5 6 7 8\nIpExt: InNoRoutes InTruncatedPkts\nIpExt: 9 9\n";
const SNMP: &[u8] = b"Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens \
PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs\nTcp: 1 200 120000 -1 100 200 3 4 5 6 9000 \
27\nUdp: InDatagrams\nUdp: 1\n";

fn read(netstat: &[u8], snmp: &[u8]) -> Counters {
    let mut counters = Counters::default();
    take_pairs(netstat, b"TcpExt", &mut counters);
    take_pairs(snmp, b"Tcp", &mut counters);
    counters
}

const RANGE: PortRange = PortRange { first: 32_768, last: 60_999 };

#[test]
fn counters_are_found_by_name() {
    let expected = Counters {
        listen_overflows: 41,
        listen_drops: 47,
        syn_queue_drops: 8,
        syn_queue_cookies: 7,
        syncookies_sent: 3,
        time_wait_overflows: 5,
        memory_aborts: 6,
        segments_sent: 9_000,
        segments_retransmitted: 27,
        active_opens: 100,
        passive_opens: 200,
        attempt_fails: 3,
        established_resets: 4,
        segments_received: 6,
        udp_received: 1,
        ..Counters::default()
    };
    assert_eq!(read(NETSTAT, SNMP), expected);
}

#[test]
fn a_counter_that_is_not_there_stays_zero_and_no_table_is_no_counters() {
    let counters = read(b"TcpExt: ListenDrops Odd\nTcpExt: 4\n", b"Tcp: OutSegs\nTcp: -9\n");
    assert_eq!(counters, Counters { listen_drops: 4, ..Counters::default() });
    let mut none = Counters::default();
    assert!(!take_pairs(b"TcpExt: ListenDrops\n", b"TcpExt", &mut none), "names without numbers");
    assert!(!take_pairs(b"", b"TcpExt", &mut none));
    assert_eq!(none, Counters::default());
}

#[test]
fn limits_are_numbers_and_nonsense_is_none() {
    assert_eq!(parse_range(b"32768\t60999\n"), Some(RANGE));
    for bad in [&b""[..], b"60999 32768", b"1 2 3", b"1", b"x y", b"0 70000"] {
        assert_eq!(parse_range(bad), None, "{bad:?}");
    }
    assert_eq!(parse_number::<u8>(b"2\n"), Some(2));
    assert_eq!(parse_number::<u8>(b"256\n"), None);
    let sockstat = b"sockets: used 16\nTCP: inuse 1 orphan 12 tw 0 alloc 1 mem 255\nUDP: inuse 1 mem 9\n";
    assert_eq!(value_in_line(sockstat, b"TCP:", b"orphan"), Some(12));
    assert_eq!(value_in_line(sockstat, b"TCP:", b"mem"), Some(255));
    assert_eq!(value_in_line::<u32>(b"TCP: inuse 1 orphan", b"TCP:", b"orphan"), None);
    assert_eq!(parse_three(b"287901\t383868\t575802\n"), Some([287_901, 383_868, 575_802]));
    for bad in [&b"1 2"[..], b"1 2 3 4", b"1 x 3"] {
        assert_eq!(parse_three(bad), None, "{bad:?}");
    }
}

#[test]
fn reserved_ports_count_where_they_are_in_the_range() {
    let count = |list: &[u8]| count_within(list, RANGE);
    assert_eq!(count(b"\n"), 0);
    assert_eq!(count(b"8080,9148\n"), 0, "below the range they take nothing away");
    assert_eq!(count(b"8080,32768,40000-40009,60999-65535\n"), 12);
    assert_eq!(count(b"0-65535\n"), RANGE.len());
    assert_eq!(count(b"1-2-3,,x,40000-x,50-40"), 1, "what makes no sense is left out");
}

#[test]
fn this_machine_tells_what_it_has() {
    let mut reader = FactsReader::open(NetnsId(1));
    let uncounted = reader.read(Timestamp::from_millis(500), false);
    assert!(uncounted.counters.is_none() && reader.counters.is_none(), "nobody has asked for counters");
    let first = reader.read(Timestamp::from_millis(1_000), true);
    assert!(first.ephemeral_ports.is_some_and(|range| range.first <= range.last), "{first:?}");
    assert!(first.counters.is_some(), "{first:?}");
    let opens = |facts: &Facts| facts.counters.map_or(0, |counters| counters.passive_opens);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let _client = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
    let _server = listener.accept().expect("it is counted by then");
    let second = reader.read(Timestamp::from_millis(2_000), true);
    assert!(opens(&second) > opens(&first), "counters are of now, limits of before");
    assert_eq!(second.ephemeral_ports, first.ephemeral_ports);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(text in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&text, &text);
        let _ = value_in_line::<u32>(&text, b"TCP:", b"orphan");
        let _ = parse_three(&text);
        let _ = parse_range(&text);
        prop_assert!(count_within(&text, RANGE) <= RANGE.len());
    }

    #[test]
    fn a_flipped_or_cut_table_is_survived(at in 0usize..300, byte: u8, cut in 0usize..400) {
        for text in [NETSTAT, SNMP] {
            let mut text = text.to_vec();
            if let Some(place) = text.get_mut(at) { *place = byte; }
            text.truncate(cut);
            let _ = read(&text, &text);
        }
    }

    #[test]
    fn lists_of_ports_count_what_they_say(ports in proptest::collection::btree_set(any::<u16>(), 0..50)) {
        let list: Vec<String> = ports.iter().map(u16::to_string).collect();
        let within = ports.iter().filter(|port| RANGE.contains(**port)).count();
        prop_assert_eq!(count_within(list.join(",").as_bytes(), RANGE) as usize, within);
    }
}
