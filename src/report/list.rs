//! `conntop list`: the sockets of one moment, filtered, sorted and printed.

use std::borrow::Borrow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

pub use crate::report::list::groups::{GroupBy, GroupColumn, LeftOut, can_group};

use crate::model::delta::Connection;
use crate::model::endpoint::Protocol;
use crate::model::query::{Condition, QueryFields, SocketQuery};
use crate::model::snapshot::AskedByName;
use crate::model::socket::{Socket, SocketId};
use crate::report::format::csv::{Csv, CsvSafe, PlainRecords, RecordFormat};
use crate::report::format::json::{DocumentHead, LineHead, SocketWriter};
use crate::report::format::text::TextHeading;
use crate::report::format::{Format, csv, json, text, write_all};
use crate::report::list::groups::ListedGroups;
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::column::{self, PEER_NAME};
use crate::table::connections::{COLUMNS, HOST, NAMESPACE, has_namespaces};
use crate::table::filter::{Filter, UNIT_KEYS};
use crate::table::query::{Question, SampleSeries};
use crate::table::sort::SortKey;
use crate::table::units;
use crate::table::value::Value;
use crate::table::view::View;

mod attempts;
mod groups;

/// What text shows unless asked otherwise: what fits a line and is known after one sample.
const TEXT_COLUMNS: [&str; 12] =
    ["proto", "state", "recvq", "sendq", "local", "remote", PEER_NAME, "age", "pid", "process", "user", "verdict"];

/// What is printed, and how.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// Which sockets.
    pub filter: Filter,
    /// How.
    pub format: Format,
    /// The columns, as indices; `None` for those the format has by itself.
    pub columns: Option<Vec<usize>>,
    /// The order; `None` for protocol by protocol, as the source lists them.
    pub sort: Option<SortKey>,
    /// At most this many sockets or groups.
    pub limit: Option<usize>,
    /// Groups instead of single sockets; they have columns and an order of their own.
    pub groups: Option<GroupBy>,
    /// Only how many there are, of all that match.
    pub count_only: bool,
    /// Whether names of hosts are asked for.
    pub names: bool,
}

impl List {
    /// What its filter and its columns name that some kernels do not tell.
    pub fn asked_by_name(&self) -> AskedByName {
        let columns = self.columns.iter().flatten().filter_map(|nth| COLUMNS.get(*nth));
        let units = columns.map(|column| column.key).any(|key| UNIT_KEYS.contains(&key));
        self.filter.asked_by_name().and(AskedByName { units, ..AskedByName::default() })
    }
}

/// What of a store is to be printed.
#[derive(Debug)]
pub struct Selection<'a> {
    list: &'a List,
    store: &'a Store,
    what: SelectedRows<'a>,
    subflows: SubflowCount,
}

/// How many of the sockets that were counted are counted twice: an MPTCP connection, and the TCP sockets that carry it.
#[derive(Clone, Copy, Debug, Default)]
struct SubflowCount {
    mptcp: u64,
    subflows: u64,
}

impl SubflowCount {
    fn add(&mut self, socket: &Socket) {
        self.mptcp += u64::from(socket.protocol == Protocol::Mptcp);
        self.subflows += u64::from(socket.is_subflow);
    }
}

/// The live sockets, in no order that means anything.
fn live(store: &Store) -> impl Iterator<Item = &SocketRow> {
    store.rows().iter().map(|(_, row)| row).filter(|row| !row.is_closed())
}

#[derive(Debug)]
enum SelectedRows<'a> {
    Sockets(Vec<&'a SocketRow>),
    /// So many sockets.
    Number(usize),
    Groups(ListedGroups<'a>),
}

/// The number alone, for machines.
#[derive(Serialize)]
struct CountLine<'a> {
    #[serde(flatten)]
    head: LineHead<'a>,
    counted: &'static str,
    count: usize,
}

impl List {
    /// What a source is to bring for it.
    pub fn query(&self, series: SampleSeries) -> SocketQuery {
        let of_columns = |columns: &mut dyn Iterator<Item = usize>| {
            columns.fold(QueryFields::NONE, |reads, index| reads.and(COLUMNS[index].reads))
        };
        let printed = match (&self.groups, &self.columns) {
            (Some(groups), _) if self.count_only => of_columns(&mut groups.keys().iter().copied()),
            (Some(groups), _) => groups.reads(),
            (None, _) if self.count_only => QueryFields::NONE,
            (None, Some(columns)) => of_columns(&mut columns.iter().copied()),
            (None, None) => of_columns(&mut self.default_columns(None).into_iter()),
        };
        let sorted = of_columns(&mut self.sort.iter().map(|sort| sort.column));
        // The head of a document says how many other namespaces there are.
        let head = QueryFields { namespaces: self.format == Format::Json, ..QueryFields::NONE };
        let fields = printed.and(sorted).and(head);
        Question { filter: &self.filter, shown: Condition::Everything, fields, series }.query()
    }

    /// Writes what `store` holds, and returns what the format cannot say within.
    pub fn write(&self, store: &Store, out: &mut impl Write) -> io::Result<Option<LeftOut>> {
        self.select(store).write(out)
    }

    /// What of `store` is to be printed.
    pub fn select<'a>(&'a self, store: &'a Store) -> Selection<'a> {
        if self.is_count() {
            return self.count(live(store), store);
        }
        Selection {
            list: self,
            store,
            what: SelectedRows::Sockets(self.sorted(store)),
            subflows: SubflowCount::default(),
        }
    }

    /// Those of the sockets `ids` that are in `store` and not closed, in this order.
    pub fn select_only<'a>(&'a self, ids: &[SocketId], store: &'a Store) -> Selection<'a> {
        let rows = ids.iter().filter_map(|id| store.rows().live(*id)).collect();
        Selection { list: self, store, what: SelectedRows::Sockets(rows), subflows: SubflowCount::default() }
    }

    /// Whether it is about numbers of sockets, not about single ones.
    const fn is_count(&self) -> bool {
        self.count_only || self.groups.is_some()
    }

    /// Whether it is a number that follows from each socket by itself: what is read of a socket is in no other row.
    pub fn counts_one_by_one(&self) -> bool {
        self.is_count() && !self.query(SampleSeries::One).fields.listeners
    }

    /// The same as [`Self::select`], of sockets that need not be kept: `store` has all of their sample but them. Only for a list
    /// that [counts them one by one](Self::counts_one_by_one).
    pub fn select_among<'a>(&'a self, sockets: impl Iterator<Item = Connection>, store: &'a Store) -> Selection<'a> {
        self.count(sockets.map(|connection| SocketRow { connection, mark: None }), store)
    }

    /// The groups of those of `rows` that match, or their number.
    fn count<'a>(&'a self, rows: impl Iterator<Item = impl Borrow<SocketRow>>, store: &'a Store) -> Selection<'a> {
        let mut subflows = SubflowCount::default();
        let matching = rows.filter(|row| self.filter.matches(row.borrow(), store));
        let matching = matching.inspect(|row| subflows.add(&row.borrow().connection.socket));
        let what = match &self.groups {
            Some(groups) => {
                let tried = attempts::tried(store, groups.keys(), &self.filter);
                SelectedRows::Groups(groups.gather(matching, tried, store, self.limit))
            }
            None => SelectedRows::Number(matching.count()),
        };
        Selection { list: self, store, what, subflows }
    }

    /// How many live sockets match, whatever is printed of them.
    pub fn sockets(&self, store: &Store) -> usize {
        live(store).filter(|row| self.filter.matches(row, store)).count()
    }

    fn sorted<'a>(&self, store: &'a Store) -> Vec<&'a SocketRow> {
        let mut view = View::default();
        view.set_filter(self.filter.clone(), store);
        if let Some(sort) = self.sort {
            view.set_sort(sort, store);
        }
        view.order()
            .iter()
            .filter_map(|index| store.rows().get(*index))
            .filter(|row| !row.is_closed())
            .take(self.limit.unwrap_or(usize::MAX))
            .collect()
    }

    /// The peers whose names are printed, if they are found out in time; none where no names are.
    pub fn peers(&self, store: &Store) -> Vec<IpAddr> {
        let columns = self.columns.clone().unwrap_or_else(|| self.default_columns(Some(store)));
        let has_sockets = self.groups.is_none() && !self.count_only;
        if !self.names || !has_sockets || !columns.iter().any(|&index| COLUMNS[index].key == PEER_NAME) {
            return Vec::new();
        }
        self.sorted(store).into_iter().map(|row| row.connection.socket.remote.addr).collect()
    }

    /// Those of `store`; without one, all that there may be.
    fn default_columns(&self, store: Option<&Store>) -> Vec<usize> {
        let namespace = store.is_none_or(has_namespaces).then_some(NAMESPACE);
        let host = store.is_none_or(Store::has_hosts).then_some(HOST);
        match self.format {
            Format::Text => {
                let shown = |key: &&str| self.names || *key != PEER_NAME;
                let keys = host.into_iter().chain(TEXT_COLUMNS.into_iter().filter(shown)).chain(namespace);
                keys.filter_map(|key| column::find(COLUMNS, key).ok()).collect()
            }
            Format::Json | Format::Ndjson | Format::Csv | Format::CsvSafe | Format::Plain => {
                (0..COLUMNS.len()).filter(|&index| COLUMNS[index].in_json).collect()
            }
        }
    }
}

impl Selection<'_> {
    /// How it is printed.
    pub const fn format(&self) -> Format {
        self.list.format
    }

    /// How many sockets or groups there are.
    pub fn len(&self) -> usize {
        match &self.what {
            SelectedRows::Sockets(rows) => rows.len(),
            SelectedRows::Number(sockets) => *sockets,
            SelectedRows::Groups(groups) => groups.len(),
        }
    }

    /// That a count has MPTCP connections and also the TCP sockets that carry them.
    pub fn counted_twice(&self) -> Option<String> {
        let SubflowCount { mptcp, subflows } = self.subflows;
        (mptcp > 0 && subflows > 0).then(|| {
            let subflows = units::count(subflows);
            format!(
                "{subflows} of these are subflows, TCP sockets that carry MPTCP ones; !subflow:yes counts each once"
            )
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A number that differs where a socket comes, goes or changes its state, or a group has other numbers of sockets,
    /// or the number that is all that is printed does; not where time passes or data flows.
    pub fn mark(&self) -> u64 {
        match &self.what {
            SelectedRows::Number(sockets) => *sockets as u64,
            _ if self.list.count_only => self.len() as u64,
            SelectedRows::Sockets(rows) => {
                let sockets = rows.iter().map(|row| &row.connection.socket);
                sockets.map(|socket| mark_of(&(socket.id, socket.state as u8))).fold(0, u64::wrapping_add)
            }
            SelectedRows::Groups(groups) => groups.mark(self.store),
        }
    }

    /// Writes it, and returns what the format cannot say within.
    pub fn write(&self, out: &mut impl Write) -> io::Result<Option<LeftOut>> {
        let (list, store) = (self.list, self.store);
        if list.count_only {
            return self.write_count(out).map(|()| None);
        }
        let rows = match &self.what {
            SelectedRows::Groups(groups) => return groups.write(list.format, store, out),
            SelectedRows::Sockets(rows) => rows,
            SelectedRows::Number(_) => return self.write_count(out).map(|()| None),
        };
        let columns = list.columns.clone().unwrap_or_else(|| list.default_columns(Some(store)));
        let objects = || SocketWriter::new(&columns, list.columns.is_none());
        // Whoever names columns gets these alone.
        let head = list.columns.is_none().then(|| LineHead::of(store));
        let lines = || objects().beginning_with(head.as_ref());
        match list.format {
            Format::Text => write_text(out, store, rows, &columns)?,
            Format::Json => json::write_list(out, store, &objects(), rows.iter().copied())?,
            Format::Ndjson => json::write_lines(out, store, &lines(), rows.iter().copied())?,
            Format::Csv => write_records::<Csv>(out, store, rows, &columns, head.as_ref())?,
            Format::CsvSafe => write_records::<CsvSafe>(out, store, rows, &columns, head.as_ref())?,
            Format::Plain => write_records::<PlainRecords>(out, store, rows, &columns, None)?,
        }
        Ok(None)
    }

    fn write_count(&self, out: &mut impl Write) -> io::Result<()> {
        let counted = if self.list.groups.is_some() { "groups" } else { "sockets" };
        let count = self.len();
        match self.list.format {
            Format::Text | Format::Plain => writeln!(out, "{count}"),
            Format::Csv => self.write_count_record::<Csv>(counted, out),
            Format::CsvSafe => self.write_count_record::<CsvSafe>(counted, out),
            Format::Ndjson => {
                writeln!(
                    out,
                    "{}",
                    serde_json::to_string(&CountLine { head: LineHead::of(self.store), counted, count })?
                )
            }
            Format::Json => {
                json::write_open(out, &DocumentHead::of(self.store))?;
                writeln!(out, ",\"counted\":\"{counted}\",\"count\":{count}}}")
            }
        }
    }
}

impl Selection<'_> {
    fn write_count_record<F: RecordFormat>(&self, counted: &'static str, out: &mut impl Write) -> io::Result<()> {
        let head = LineHead::of(self.store);
        let names = LineHead::NAMES.into_iter().chain(["counted", "count"]);
        csv::write_heading::<F>(out, names.map(Value::Text))?;
        let count = Value::Count(self.len() as u64);
        let mut record = Vec::new();
        csv::append_record::<F>(&mut record, head.values(head.host()).into_iter().chain([Value::Text(counted), count]));
        out.write_all(&record)
    }
}

/// A number for `value` that is the same in every run of the program and most likely no other value's.
fn mark_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn write_text(out: &mut impl Write, store: &Store, rows: &[&SocketRow], columns: &[usize]) -> io::Result<()> {
    let headings: Vec<_> =
        columns.iter().map(|&index| TextHeading { title: COLUMNS[index].title, align: COLUMNS[index].align }).collect();
    let cells: Vec<Vec<_>> = rows
        .iter()
        .map(|row| columns.iter().map(|&index| (COLUMNS[index].value)(row, store).text()).collect())
        .collect();
    text::write(out, &headings, &cells)
}

fn write_records<F: RecordFormat>(
    out: &mut impl Write,
    store: &Store,
    rows: &[&SocketRow],
    columns: &[usize],
    head: Option<&LineHead<'_>>,
) -> io::Result<()> {
    let names = head.map(|_| LineHead::NAMES.map(Value::Text)).into_iter().flatten();
    csv::write_heading::<F>(out, names.chain(columns.iter().map(|&index| Value::Text(COLUMNS[index].json))))?;
    write_all(out, rows.iter(), |buffer, row| {
        let host = store.host_of(row.connection.socket.id.netns()).as_str();
        let head = head.map(|head| head.values(host)).into_iter().flatten();
        csv::append_record::<F>(buffer, head.chain(columns.iter().map(|&index| (COLUMNS[index].value)(row, store))));
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::model::delta::{AgeBasis, Delta, Since};
    use crate::model::process::{Holders, Names, Owner};
    use crate::model::socket::{NetnsId, TimerKind};
    use crate::model::tcp_state::TcpState;
    use crate::model::testing::{BOOT, connection, listener, process, source_info, tcp, udp};
    use crate::model::time::{Timestamp, WallTime};

    /// One socket of each kind that prints differently.
    fn delta() -> Delta {
        let (pool, nginx) = (process(4121, "jdbc, \"pool\""), process(812, "nginx"));
        let remembered = Owner::Remembered(Arc::new(Holders::new(vec![nginx.clone()]).expect("one process")));
        let leaked = tcp(1).local("10.0.0.7:51234").remote("10.1.0.1:5432").state(TcpState::CloseWait).queues(1, 0);
        let shared =
            tcp(2).local("[2001:db8::7]:443").remote("[2001:db8::9]:40122").queues(20_480, 1_204).bytes(1_000_000, 42);
        let shared = shared.info(|info| info.rtt_us = 12_345).held_by(&[nginx.clone(), process(813, "nginx")]).uid(33);
        let waiting = tcp(3).local("10.0.0.7:80").remote("192.0.2.4:50001").mini(TcpState::TimeWait).owner(remembered);
        let waiting = waiting.timer(TimerKind::TimeWait, 0, 130_000).with(|socket| socket.queues = None);
        let sockets = [
            leaked.held_by(&[pool]).build(),
            shared.build(),
            waiting.build(),
            tcp(4).local("10.0.0.7:80").remote("192.0.2.5:50002").owner(Owner::Unaccepted).build(),
            tcp(5).local("10.0.0.7:22").remote("192.0.2.6:50003").owner(Owner::Hidden).build(),
            listener(6, 8080).queues(3, 4096).held_by(&[nginx]).build(),
            udp(7, 53).without_cookie().build(),
        ];
        let mut delta =
            Delta { at: Timestamp::from_millis(90_000), wall: WallTime(BOOT.0 + 90_000), ..Delta::default() };
        delta.names =
            Arc::new(Names { users: [(33, "www-data".into()), (1000, "alice".into())].into(), ..Names::default() });
        delta.added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
        delta.added[0].state_since =
            Some(Since { at: delta.at.before(Duration::from_secs(75)), basis: AgeBasis::Observed });
        delta.added[2].state_since =
            Some(Since { at: delta.at.before(Duration::from_secs(20)), basis: AgeBasis::Kernel });
        delta
    }

    fn store() -> Store {
        let mut store = Store::new(source_info());
        store.apply(delta());
        store
    }

    /// The same without its sockets.
    fn store_without_rows() -> Store {
        let mut store = Store::new(source_info());
        store.apply(Delta { added: Vec::new(), ..delta() });
        store
    }

    fn printed(list: &List) -> String {
        let mut out = Vec::new();
        list.write(&store(), &mut out).expect("a vector takes all");
        String::from_utf8(out).expect("text in, text out")
    }

    fn list(format: Format) -> List {
        List { format, ..List::default() }
    }

    fn columns(names: &[&str]) -> Vec<usize> {
        names.iter().map(|name| column::find(COLUMNS, name).expect(name)).collect()
    }

    #[test]
    fn text_is_aligned_complete_and_ends_without_blanks() {
        let text = printed(&list(Format::Text));
        assert!(text.lines().all(|line| line == line.trim_end()));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn text_tells_network_namespaces_apart_where_there_are_several() {
        let mut store = store();
        let names =
            Names { namespaces: [(NetnsId(0), "own".into()), (NetnsId(7), "blue".into())].into(), ..Names::default() };
        store.apply(Delta { names: Arc::new(names), ..Delta::default() });
        let mut out = Vec::new();
        list(Format::Text).write(&store, &mut out).expect("a vector takes all");
        let text = String::from_utf8(out).expect("text");
        assert!(text.lines().next().is_some_and(|heading| heading.ends_with("NAMESPACE")), "{text}");
        assert!(text.lines().nth(1).is_some_and(|row| row.ends_with("own")), "{text}");
        assert!(!printed(&list(Format::Text)).contains("NAMESPACE"));
    }

    #[test]
    fn json_is_one_object() {
        let text = printed(&list(Format::Json));
        let value: serde_json::Value = serde_json::from_str(&text).expect("valid JSON");
        assert_eq!(value["schema"], 2);
        assert_eq!(value["at"], "2026-01-01T00:01:30.000Z");
        assert_eq!(value["sockets"].as_array().map(Vec::len), Some(7));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn json_without_sockets_is_valid() {
        let none = List { filter: Filter::parse("nothing-like-it").expect("valid"), ..list(Format::Json) };
        let value: serde_json::Value = serde_json::from_str(&printed(&none)).expect("valid JSON");
        assert_eq!(value["sockets"].as_array().map(Vec::len), Some(0));
    }

    #[test]
    fn ndjson_is_one_object_a_line_and_nothing_unknown_is_zero_or_empty() {
        let text = printed(&list(Format::Ndjson));
        let values: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect();
        assert_eq!(values.len(), 7);
        for value in &values {
            let map = value.as_object().expect("an object");
            assert!(map.values().all(|value| value != ""), "{value}");
            assert!(map["unit"].is_null());
        }
        for key in ["inode", "uid_of_the_socket", "recvq_bytes", "sendq_bytes", "rtt_seconds", "backlog", "rx_bytes"] {
            assert!(values[2][key].is_null(), "TIME_WAIT has no {key}");
        }
        assert_eq!((&values[2]["process"], &values[2]["owner"]), (&"nginx".into(), &"remembered".into()));
        assert_eq!(values[1]["owners"].as_array().map(Vec::len), Some(2));
        assert!(values[6]["cookie"].is_null() && values[6]["pid"].is_null());
    }

    #[test]
    fn csv_follows_rfc_4180() {
        let columns = Some(columns(&["state", "process", "rport", "age", "recvq"]));
        insta::assert_snapshot!(printed(&List { columns, ..list(Format::Csv) }).replace("\r\n", "<CRLF>\n"));
    }

    #[test]
    fn columns_sort_and_limit_do_what_they_say() {
        let sort = Some(SortKey::parse(COLUMNS, "-recvq").expect("a column"));
        let chosen =
            List { columns: Some(columns(&["lport", "recvq_bytes"])), sort, limit: Some(3), ..list(Format::Text) };
        assert_eq!(printed(&chosen), "LPORT  RECVQ\n  443  20.5k\n 8080      3\n51234      1\n");
        let chosen = List { columns: Some(columns(&["lport"])), limit: Some(1), ..list(Format::Ndjson) };
        assert_eq!(printed(&chosen), "{\"lport\":51234}\n");
    }

    #[test]
    fn what_does_not_read_listeners_is_read_of_each_socket_by_itself() {
        let (with, without) = (store(), store_without_rows());
        assert!(without.rows().iter().next().is_none());
        for column in COLUMNS.iter().filter(|column| !column.reads.listeners) {
            for (_, row) in with.rows().iter() {
                let [value, alone] = [&with, &without].map(|store| (column.value)(row, store));
                let json = |value: &Value<'_>| serde_json::to_string(value).expect("plain");
                assert_eq!((value.text(), json(&value)), (alone.text(), json(&alone)), "{}", column.key);
            }
        }
        let by_listener = GroupBy::by(["listener"]).expect("a column");
        let counts = |list: List| list.counts_one_by_one();
        assert!(!counts(List { groups: Some(by_listener), ..List::default() }) && !counts(List::default()));
        assert!(counts(List { count_only: true, ..List::default() }));
        let filter = Filter::parse("listener:?").expect("a filter");
        assert!(!counts(List { filter, count_only: true, ..List::default() }));
    }

    /// Filters that pass some of the sockets.
    const TERMS: [&str; 14] = [
        "state:established",
        "state:time-wait,listen",
        "proto:udp",
        "family:ipv6",
        "lport:80",
        "raddr:192.0.2.0/24",
        "local:10.0.0.7",
        "process:nginx",
        "user:www-data",
        "age>30s",
        "recvq>1",
        "rx>1k",
        "owner:unaccepted",
        "nginx",
    ];

    proptest! {
        #[test]
        fn a_count_is_the_same_where_no_socket_is_kept(
            terms in proptest::collection::vec((proptest::sample::select(TERMS.to_vec()), any::<bool>()), 0..4),
            is_any: bool,
            by in proptest::sample::subsequence((0..COLUMNS.len()).collect::<Vec<_>>(), 1..4),
            is_grouped: bool,
            count_only: bool,
            limit in proptest::option::of(0usize..3),
            format in proptest::sample::select(vec![Format::Text, Format::Json, Format::Ndjson, Format::Csv, Format::Plain]),
        ) {
            let terms: Vec<_> = terms.iter().map(|(term, is)| if *is { (*term).to_owned() } else { format!("!{term}") }).collect();
            let filter = Filter::parse(&terms.join(if is_any { " or " } else { " " })).expect("a filter");
            let by = by.into_iter().filter(|index| can_group(&COLUMNS[*index])).map(|index| COLUMNS[index].key);
            let groups = GroupBy::by(by).ok().filter(|groups| is_grouped && !groups.keys().is_empty());
            let list = List { filter, format, limit, groups, count_only, ..List::default() };
            prop_assume!(list.counts_one_by_one());
            let (mut expected, mut out) = (Vec::new(), Vec::new());
            let kept = list.write(&store(), &mut expected).expect("a vector takes all");
            let store = store_without_rows();
            let selection = list.select_among(delta().added.into_iter(), &store);
            let not_kept = selection.write(&mut out).expect("a vector takes all");
            prop_assert_eq!(String::from_utf8(out), String::from_utf8(expected));
            prop_assert_eq!(not_kept, kept);
        }
    }

    #[test]
    fn the_mark_of_a_list_is_that_of_its_sockets_and_their_states() {
        let mut store = store();
        let groups = || Some(GroupBy::by(["process"]).expect("a column"));
        let lists = [
            List::default(),
            List { groups: groups(), ..List::default() },
            List { count_only: true, ..List::default() },
            List { groups: groups(), count_only: true, ..List::default() },
        ];
        let marks = |store: &Store| lists.clone().map(|list| list.select(store).mark());
        let first = marks(&store);
        // Time passes, and data flows.
        let more = |store: &Store| Delta { at: Timestamp(store.at().0 + 1_000_000_000), ..Delta::default() };
        let mut delta = more(&store);
        delta.changed = vec![connection(tcp(2).queues(7, 7).held_by(&[process(812, "nginx")]), 0)];
        store.apply(delta);
        assert_eq!(marks(&store), first);
        let mut delta = more(&store);
        delta.changed = vec![connection(tcp(2).state(TcpState::CloseWait).held_by(&[process(812, "nginx")]), 0)];
        store.apply(delta);
        let second = marks(&store);
        assert!(second[0] != first[0] && second[1] != first[1] && second[2..] == first[2..], "{first:?} {second:?}");
        let mut delta = more(&store);
        delta.added = vec![connection(udp(8, 54).held_by(&[process(9, "dnsmasq")]), 0)];
        store.apply(delta);
        let third = marks(&store);
        assert!((0..4).all(|list| third[list] != second[list]), "{second:?} {third:?}");
    }
}
