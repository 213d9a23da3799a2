//! What is printed for a question is the same whether the source is asked for that or for everything.
#![cfg(target_os = "linux")]

use conntop::model::query::SocketQuery;
use conntop::model::snapshot::{Needs, Snapshot};
use conntop::report::format::{DocumentFormat, Format};
use conntop::report::list::{GroupBy, List};
use conntop::report::ports::Ports;
use conntop::source::{self, Choice};
use conntop::store::Store;
use conntop::table::connections::COLUMNS;
use conntop::table::filter::Filter;
use conntop::table::query::SampleSeries;
use conntop::table::sort::SortKey;
use conntop::tracker;

use crate::differential::KnownSockets;
use crate::namespace;

/// How often two samples may differ because the kernel moved something between them.
const LOOKS: usize = 20;

/// Columns that tell of time, or of what the kernel does by itself.
const MOVING: [&str; 5] = ["age", "age_basis", "expires", "retries", "timer"];

const FORMATS: [Format; 6] = [Format::Text, Format::Json, Format::Ndjson, Format::Csv, Format::CsvSafe, Format::Plain];

/// Filters of every kind: what the kernel decides, what it does not, and both.
const FILTERS: [&str; 38] = [
    "",
    "state:close-wait",
    "state:listen",
    "state:time-wait",
    "state:close",
    "state:bound,syn-recv,syn-sent",
    "!state:established",
    "!state:close",
    "state:/wait/",
    "proto:udp",
    "proto:tcp !state:listen",
    "family:ipv6",
    "family:ipv6 state:established",
    "lport:8010",
    "lport:8000-8020",
    "rport:8010",
    "port:8011",
    "lport>1024 rport:null",
    "rport!=8010",
    "raddr:127.0.0.0/8",
    "raddr:127.0.0.1",
    "laddr:::1",
    "laddr:0.0.0.0",
    "laddr:0.0.0.0/0",
    "laddr:null",
    "laddr:::ffff:127.0.0.1",
    "remote:127.0.0.1:8010",
    "local::8011",
    "remote:null",
    "service:https or lport:8011",
    "process:python3",
    "process:python3 state:close-wait",
    "pid:1 or state:listen",
    "process:nobody-is-called-so",
    "owner:unaccepted",
    "rtt>0ms state:established",
    "8011",
    "state:established (rport:8010 or !lport:8010) recvq>0",
];

fn store(query: SocketQuery) -> Store {
    let (mut store, snapshot) = sample(query);
    store.apply(tracker::once(snapshot));
    store
}

/// An empty store, and what the source answers.
fn sample(query: SocketQuery) -> (Store, Snapshot) {
    let mut source = source::open(&Choice::Linux).expect("the kernel answers");
    let mut snapshot = Snapshot::default();
    let needs = Needs { query, ..Needs::default() };
    source.sample(&needs, &mut snapshot).expect("a sample");
    (Store::new(source.info().clone()), snapshot)
}

/// What `list` prints of one sample whose sockets are kept, and of the same where they are not.
fn kept_and_counted(list: &List) -> [Vec<u8>; 2] {
    let (mut kept, snapshot) = sample(list.query(SampleSeries::One));
    let mut counted = Store::new(kept.source().clone());
    let (rest, sockets) = tracker::apart(snapshot.clone());
    counted.apply(rest);
    assert!(list.counts_one_by_one() && counted.rows().iter().next().is_none(), "nothing is kept");
    kept.apply(tracker::once(snapshot));
    let mut out = [Vec::new(), Vec::new()];
    list.write(&kept, &mut out[0]).expect("a vector takes all");
    list.select_among(sockets, &counted).write(&mut out[1]).expect("a vector takes all");
    out
}

/// The text without the time and what was looked at, which differ.
fn without_head(text: &str) -> String {
    let Ok(serde_json::Value::Object(mut document)) = serde_json::from_str(text) else {
        // A line of CSV begins with the host and the time.
        let without_time = |line: &str| {
            line.splitn(3, ',')
                .enumerate()
                .filter(|(nth, _)| *nth != 1)
                .map(|(_, part)| part.to_owned())
                .collect::<Vec<_>>()
                .join(",")
        };
        let has_time = text.starts_with("host,at,") || text.starts_with("\"host\",\"at\",");
        return if has_time { text.lines().map(without_time).collect::<Vec<_>>().join("\n") } else { text.to_owned() };
    };
    for key in ["at", "coverage"] {
        document.remove(key);
    }
    serde_json::Value::Object(document).to_string()
}

/// Compares what `print` prints of `whole`, a sample of everything, and of one that is asked for `query`; `whole` is taken
/// anew where that is out of date.
fn assert_same(whole: &mut Store, query: &SocketQuery, print: impl Fn(&Store) -> Vec<u8>) -> usize {
    let printed = |store: &Store| without_head(&String::from_utf8(print(store)).expect("text"));
    let (mut expected, mut narrow) = (printed(whole), printed(&store(query.clone())));
    for _ in 1..LOOKS {
        if expected == narrow {
            break;
        }
        *whole = store(SocketQuery::default());
        (expected, narrow) = (printed(whole), printed(&store(query.clone())));
    }
    assert_eq!(expected, narrow, "{query:?}");
    expected.lines().count()
}

fn listed(list: &List) -> impl Fn(&Store) -> Vec<u8> {
    move |store| {
        let mut out = Vec::new();
        list.write(store, &mut out).expect("a vector takes all");
        out
    }
}

fn column(key: &str) -> usize {
    COLUMNS.iter().position(|column| column.key == key).expect(key)
}

#[test]
fn a_question_is_answered_as_from_the_whole_table() {
    if !namespace::alone_in_namespace() {
        return;
    }
    let sockets = KnownSockets::make();
    let socket = || rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None);
    let outside_of_the_tables = socket().expect("a socket that is neither bound nor connected");
    let still = |index: &usize| COLUMNS[*index].in_json && !MOVING.contains(&COLUMNS[*index].key);
    let all: Vec<usize> = (0..COLUMNS.len()).filter(still).collect();
    let places = ["cookie", "state", "local", "remote"].map(column).to_vec();
    let (mut lines, mut whole) = (0, store(SocketQuery::default()));
    for (nth, text) in FILTERS.into_iter().enumerate() {
        let filter = Filter::parse(text).expect(text);
        let list = |format, columns: &[usize], count_only| List {
            filter: filter.clone(),
            format,
            columns: Some(columns.to_vec()),
            sort: SortKey::parse(COLUMNS, "cookie").ok(),
            count_only,
            ..List::default()
        };
        // Each format comes in turn.
        let [format, other] = [nth, nth + 3].map(|nth| FORMATS[nth % FORMATS.len()]);
        let with_owners = [&places[..], &["pid", "process", "user", "verdict"].map(column)].concat();
        for list in [
            list(format, &places, false),
            list(Format::Json, &all, false),
            list(other, &with_owners, false),
            list(format, &[], true),
        ] {
            lines += assert_same(&mut whole, &list.query(SampleSeries::One), listed(&list));
        }
        let by = GroupBy::by(["state"]).and_then(|by| by.with_columns(["state", "count", "recvq"])).expect("columns");
        let groups = List { groups: Some(by), ..list(Format::Json, &[], false) };
        for counts in [&groups, &list(format, &[], true)] {
            let [kept, counted] = kept_and_counted(counts);
            assert_eq!(kept, counted, "{text}");
        }
        let groups = List { columns: None, sort: None, ..groups };
        assert_same(&mut whole, &groups.query(SampleSeries::One), listed(&groups));
    }
    assert!(lines > 1_000, "{lines} lines agree, of some hundred sockets");
    drop((sockets, outside_of_the_tables));
}

#[test]
fn listeners_are_reported_as_from_the_whole_table() {
    if !namespace::alone_in_namespace() {
        return;
    }
    let sockets = KnownSockets::make();
    let mut whole = store(SocketQuery::default());
    for text in ["", "lport:8011", "process:python3", "proto:udp", "family:ipv6"] {
        let ports =
            Ports { filter: Filter::parse(text).expect(text), format: DocumentFormat::Json, ..Ports::default() };
        let names = conntop::report::ports::listener::Services::default();
        assert_same(&mut whole, &ports.query(), |store| {
            let mut out = Vec::new();
            ports.write(&ports.listeners(store, &names), store, &mut out).expect("a vector takes all");
            out
        });
    }
    drop(sockets);
}
