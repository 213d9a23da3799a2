//! The filter language: `state:close-wait rport:443 process:nginx age>60s !state:listen /regex/ word`.
//!
//! | written | passes |
//! |---|---|
//! | `key:value` | words that contain the value (`*` stands for anything), ports, numbers, networks, states, labels that equal it |
//! | `key=value`, `key!=value` | exactly this; anything known but this |
//! | `key>5`, `>=`, `<`, `<=` | numbers with units: `60s`, `1h30m`, `100ms`; `10k`, `2M` (decimal) |
//! | `key:8000-9000`, `key:a,b` | a range; any of several |
//! | `key:/regex/`, `/regex/` | words that match, in any case (`(?-i)` to tell cases apart) |
//! | `key:null` or `key:?`, `key:*` | what is not known; what is known (`process:"null"` is a name) |
//! | `local="*:80"`, `laddr="10.0.0.7"` | this address or endpoint as it is shown, and no other way to write it |
//! | `laddr:fe80::1%eth0` | an address on one interface, by name or number; `::ffff:10.0.0.1` is `10.0.0.1` |
//! | `word`, `"two words"` | process, command, user, addresses, state, service, protocol contain it |
//! | `443` | a port or a pid is it, or a process or user contains it |
//! | `!a`, `not a`, `a b`, `a and b`, `a or b`, `( )` | as one expects; `and` binds tighter than `or` |
//!
//! Keys are those of the columns, and `port`, `addr` (either end) with the aliases of `parser`. A value that is not
//! known passes no comparison, so `!pid>0` passes it and `pid!=5` does not. Text is compiled once; matching allocates
//! nothing for typed values.

pub mod cheat_sheet;
pub mod complete;
mod condition;
mod lexer;
mod parser;
mod pattern;
pub mod saved;
mod test;
mod word;

use std::ops::Range;

use crate::model::snapshot::AskedByName;
use crate::model::tcp_state::{STATES, TcpState};
use crate::model::text::{DisplayText, floor_char_boundary};
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::column::{Column, Drift};
use crate::table::connections::COLUMNS;
use crate::table::filter::test::Test;
use crate::table::filter::word::Word;

pub use crate::table::filter::parser::EITHER_END;

/// The longest filter, in bytes.
pub const FILTER_LEN_MAX: usize = 4_096;
/// The columns that hold ports.
const PORT_KEYS: [&str; 5] = ["lport", "rport", "local", "remote", "service"];
/// The columns that come from the control group of a socket.
pub const UNIT_KEYS: [&str; 2] = ["unit", "cgroup"];
/// How deep parentheses and negations may nest.
pub const FILTER_DEPTH_MAX: usize = 32;

/// A parsed filter. The empty one matches everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    text: String,
    root: Option<Node>,
}

/// What is wrong with a filter, as a sentence that says what to write instead, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// The sentence.
    pub message: String,
    /// The byte of the text at which the trouble starts.
    pub at: usize,
}

impl FilterError {
    /// The sentence may quote what the user typed, so it is made safe to print.
    fn new(at: usize, message: impl AsRef<str>) -> Self {
        Self { message: DisplayText::new(message.as_ref()).to_string(), at }
    }

    /// The bytes of `text`, the filter, that are wrong: the key, the value or the word where the trouble starts; none at its end.
    pub fn place(&self, text: &str) -> Range<usize> {
        let at = floor_char_boundary(text, self.at);
        at..at + lexer::part_len(&text[at..])
    }
}

/// A condition, ready to be asked.
#[derive(Clone, Debug)]
enum Node {
    /// All of these.
    All(Vec<Node>),
    /// Any of these.
    Any(Vec<Node>),
    /// Not this.
    Not(Box<Node>),
    /// The value of a column passes a test.
    Column(usize, Test),
    /// A bare word or expression.
    Word(Box<Word>),
}

impl Node {
    fn matches(&self, row: &SocketRow, store: &Store) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(row, store)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(row, store)),
            Self::Not(node) => !node.matches(row, store),
            Self::Column(column, test) => test.passes(&(COLUMNS[*column].value)(row, store)),
            Self::Word(word) => word.matches(row, store),
        }
    }

    /// Whether a condition that is not negated passes `wanted`.
    fn any_positive(&self, wanted: &impl Fn(&Self) -> bool) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(|node| node.any_positive(wanted)),
            Self::Not(_) => false,
            Self::Column(..) | Self::Word(_) => wanted(self),
        }
    }

    fn any_column(&self, wanted: &impl Fn(Drift) -> bool) -> bool {
        self.any(&|column| wanted(column.map_or(Drift::Names, |column| column.drift)))
    }

    fn depends_on_names(&self) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(Self::depends_on_names),
            Self::Not(node) => node.depends_on_names(),
            Self::Column(column, test) => {
                COLUMNS[*column].drift == Drift::Names || test.reads_links(COLUMNS[*column].kind)
            }
            Self::Word(_) => true,
        }
    }

    /// Whether a condition is `wanted`: that of a column, or a bare word.
    fn any(&self, wanted: &impl Fn(Option<&Column<SocketRow>>) -> bool) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(|node| node.any(wanted)),
            Self::Not(node) => node.any(wanted),
            Self::Column(column, _) => wanted(Some(&COLUMNS[*column])),
            Self::Word(_) => wanted(None),
        }
    }
}

impl Filter {
    /// Parses `text`.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > FILTER_LEN_MAX {
            return Err(FilterError::new(
                0,
                format!("the filter is longer than {FILTER_LEN_MAX} bytes; write a shorter one"),
            ));
        }
        Ok(Self { text: text.to_owned(), root: parser::parse(text)? })
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a filter that passes what `text`, the text of another one, does not.
    pub fn negated(text: &str) -> String {
        if lexer::is_one_term(text) { format!("!{text}") } else { format!("!({text})") }
    }

    /// The text of the filter that passes what passes this one and `term` as well.
    pub fn narrowed_by(&self, term: &str) -> String {
        match self.text.trim() {
            "" => term.to_owned(),
            text if lexer::has_alternatives(text) => format!("({text}) {term}"),
            text => format!("{text} {term}"),
        }
    }

    /// Whether it matches everything.
    pub const fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Whether `row` passes.
    pub fn matches(&self, row: &SocketRow, store: &Store) -> bool {
        self.root.as_ref().is_none_or(|root| root.matches(row, store))
    }

    /// Whether it asks for sockets in `state` by name: `state:listen`, but not `!state:established`.
    pub fn names_state(&self, state: TcpState) -> bool {
        self.names(|node| matches!(node, Node::Column(_, test) if test.names_state(state)))
    }

    /// Whether it asks for any state by name.
    pub fn names_a_state(&self) -> bool {
        STATES.iter().any(|row| self.names_state(row.state))
    }

    /// Whether it asks for a port of either end: `lport:80`, `port:80`, `remote::443`, `service:https`, `8080`.
    pub fn names_a_port(&self) -> bool {
        self.names(|node| match node {
            // lport!=22 and rport:* name none.
            Node::Column(column, test) => {
                !matches!(test, Test::Known | Test::Missing) && PORT_KEYS.contains(&COLUMNS[*column].key)
            }
            Node::Word(word) => word.is_number(),
            Node::All(_) | Node::Any(_) | Node::Not(_) => false,
        })
    }

    fn names(&self, wanted: impl Fn(&Node) -> bool) -> bool {
        self.root.as_ref().is_some_and(|root| root.any_positive(&wanted))
    }

    /// Whether it asks for processes, which a socket with a hidden owner cannot match.
    pub fn depends_on_processes(&self) -> bool {
        let is_theirs = |column: &Column<SocketRow>| ["process", "pid", "command"].contains(&column.key);
        self.root.as_ref().is_some_and(|root| root.any(&|column| column.is_none_or(is_theirs)))
    }

    /// Whether it asks for no columns but these.
    pub fn names_only(&self, keys: &[&str]) -> bool {
        let is_other = |column: Option<&Column<SocketRow>>| column.is_none_or(|column| !keys.contains(&column.key));
        self.root.as_ref().is_none_or(|root| !root.any(&is_other))
    }

    /// What it names that some kernels do not tell.
    pub fn asked_by_name(&self) -> AskedByName {
        let is_unit = |column: Option<&Column<SocketRow>>| column.is_some_and(|column| UNIT_KEYS.contains(&column.key));
        AskedByName {
            bound: self.names_state(TcpState::Bound),
            mptcp: self.names(|node| matches!(node, Node::Column(_, Test::Label("mptcp")))),
            units: self.root.as_ref().is_some_and(|root| root.any(&is_unit)),
        }
    }

    /// Whether it may change its mind about a row that nothing touched, because time passes.
    pub fn depends_on_time(&self) -> bool {
        self.root.as_ref().is_some_and(|root| root.any_column(&|drift| matches!(drift, Drift::Even | Drift::Free)))
    }

    /// Whether it may change its mind when names of users or interfaces become known.
    pub fn depends_on_names(&self) -> bool {
        self.root.as_ref().is_some_and(Node::depends_on_names)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::delta::{AgeBasis, Delta, Since};
    use crate::model::process::{Holders, Names, Owner};
    use crate::model::socket::{NetnsId, Socket};
    use crate::model::testing::{connection, listener, process, source_info, tcp, udp};
    use crate::model::time::Timestamp;

    fn store() -> Store {
        let mut store = Store::new(source_info());
        let names = Names { users: [(1000, "alice".into()), (33, "www-data".into())].into(), ..Names::default() };
        store.apply(Delta { at: Timestamp::from_millis(100_000), names: Arc::new(names), ..Delta::default() });
        store
    }

    fn row(socket: impl Into<Socket>, in_state_for_s: Option<u64>) -> SocketRow {
        let mut connection = connection(socket, 0);
        connection.state_since = in_state_for_s
            .map(|age| Since { at: Timestamp::from_millis(100_000 - age * 1_000), basis: AgeBasis::Observed });
        SocketRow { connection, mark: None }
    }

    /// Six sockets, called by their place: 0 leaked, 1 healthy, 2 waiting, 3 listener, 4 UDP, 5 IPv6.
    fn rows() -> [SocketRow; 6] {
        let (pool, nginx) = (process(4121, "jdbc-pool"), process(812, "nginx"));
        let remembered = Owner::Remembered(Arc::new(Holders::new(vec![nginx.clone()]).expect("one process")));
        let leaked = tcp(1).local("10.0.0.7:51234").remote("10.1.0.1:5432").state(TcpState::CloseWait).queues(0, 0);
        let healthy = tcp(2).local("10.0.0.7:443").remote("203.0.113.9:40122").queues(20_000, 0).uid(33);
        let waiting = tcp(3).local("10.0.0.7:80").remote("192.0.2.4:50001").mini(TcpState::TimeWait).owner(remembered);
        let v6 = tcp(6).local("[2001:db8::7]:22").remote("[2001:db8::99]:60000").owner(Owner::Hidden);
        [
            row(leaked.held_by(std::slice::from_ref(&pool)), Some(90)),
            row(
                healthy.held_by(&[nginx.clone(), process(813, "nginx-worker")]).info(|info| info.rtt_us = 120_000),
                Some(5),
            ),
            row(waiting, Some(30)),
            row(listener(4, 8080).queues(129, 128).held_by(&[nginx]), None),
            row(udp(5, 53).held_by(&[process(99, "dnsmasq")]), None),
            row(v6, Some(60)),
        ]
    }

    fn passing(text: &str) -> Vec<usize> {
        let (filter, store) = (Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")), store());
        rows().iter().enumerate().filter(|(_, row)| filter.matches(row, &store)).map(|(index, _)| index).collect()
    }

    #[test]
    fn an_error_stands_at_exactly_the_word_that_is_wrong() {
        for (text, wrong) in [
            ("nginx nosuch:1", "nosuch"),
            ("state:nosuch,listen", "nosuch"),
            ("rport:443 state:listen,nosuch x", "nosuch"),
            ("(a or state:'no such') b", "'no such'"),
            ("a and", ""),
            ("a ) b", ")"),
            ("process:/(/ b", "/(/"),
            ("age>soon", "soon"),
            ("größe:1", ""),
        ] {
            if let Err(error) = Filter::parse(text) {
                assert_eq!(&text[error.place(text)], wrong, "{text}: {error}");
            } else {
                assert_eq!(wrong, "", "{text}");
            }
        }
    }

    #[test]
    fn what_a_filter_asks_for_by_name_is_known() {
        let filter = |text: &str| Filter::parse(text).expect(text);
        for text in
            ["lport:80", "port:80", "rport:8000-9000", "x or local::80", "8080", "service:https", "(lport<1024)"]
        {
            assert!(filter(text).names_a_port(), "{text}");
        }
        for text in ["", "!port:80", "process:nginx", "pid:80", "not (lport:80 or rport:80)", "a80", "lport!=22"] {
            assert!(!filter(text).names_a_port(), "{text}");
        }
        for text in ["state:listen", "state:listening process:nginx", "x or state=listen", "state:established,listen"] {
            assert!(filter(text).names_state(TcpState::Listen) && filter(text).names_a_state(), "{text}");
        }
        for text in
            ["state:connected", "!state:established", "state!=established", "listen", "state:*", "!state:listen"]
        {
            assert!(!filter(text).names_state(TcpState::Listen), "{text}");
        }
        assert!(filter("state:connected").names_a_state() && !filter("lport:80").names_a_state());
    }

    #[test]
    fn what_some_kernels_do_not_tell_is_known_by_name() {
        let asked = |text: &str| Filter::parse(text).expect(text).asked_by_name();
        let nothing = AskedByName::default();
        for text in ["state:bound", "lport:80 state:bound,listen", "x or state=bound"] {
            assert_eq!(asked(text), AskedByName { bound: true, ..nothing }, "{text}");
        }
        assert_eq!(asked("proto:mptcp"), AskedByName { mptcp: true, ..nothing });
        for text in ["unit:nginx.service", "!unit:*", "cgroup:42"] {
            assert_eq!(asked(text), AskedByName { units: true, ..nothing }, "{text}");
        }
        for text in ["", "state:listen", "!state:bound", "proto:tcp", "!proto:mptcp"] {
            assert_eq!(asked(text), nothing, "{text}");
        }
    }

    #[test]
    fn addresses_are_found_whichever_way_they_are_written() {
        let names = Names {
            interfaces: [((NetnsId(0), 3), "v0".into()), ((NetnsId(0), 4), "w0".into())].into(),
            ..Names::default()
        };
        let mut store = Store::new(source_info());
        store.apply(Delta { names: Arc::new(names), ..Delta::default() });
        let on = |local: &str, interface, v6only| {
            let socket = listener(1, 80).local(local);
            socket.with(|socket| (socket.interface, socket.v6only) = (NonZeroU32::new(interface), v6only))
        };
        let mapped = tcp(8).local("[::ffff:127.0.0.1]:80").remote("[::ffff:127.0.0.1]:4000");
        let linked =
            tcp(9).local("[fe80::b]:22").remote("[fe80::c]:4000").with(|socket| socket.interface = NonZeroU32::new(3));
        let rows: Vec<SocketRow> = [
            on("[fe80::a]:80", 3, Some(true)),
            on("[fe80::a]:80", 4, Some(true)),
            on("[::]:80", 0, Some(true)),
            on("[::]:80", 0, Some(false)),
            on("[::]:80", 0, None),
            on("0.0.0.0:80", 3, None),
            tcp(7).local("127.0.0.1:4000").remote("127.0.0.1:80"),
            mapped,
            linked,
        ]
        .map(|socket| row(socket, None))
        .into();
        for (text, passing) in [
            ("laddr:fe80::a", &[0, 1][..]),
            ("laddr:fe80::a%v0", &[0]),
            ("laddr=fe80::a%4", &[1]),
            ("laddr:fe80::%v0/10", &[0, 8]),
            ("laddr:fe80::a%nosuch", &[]),
            ("raddr:fe80::c%v0", &[8]),
            ("raddr:fe80::c%w0", &[]),
            ("local:[fe80::a%w0]:80", &[1]),
            ("local:[fe80::a]%w0:80", &[1]),
            ("[fe80::a]%v0:80", &[0]),
            ("[fe80::a%3]:80", &[0]),
            ("fe80::a%v0", &[0]),
            ("laddr:fe80::*%w0", &[1]),
            ("laddr:0.0.0.0", &[3, 5]),
            ("laddr:0.0.0.0%v0", &[5]),
            ("0.0.0.0%v0:80", &[5]),
            ("laddr:::", &[2, 3, 4]),
            ("v6only:true", &[0, 1, 2]),
            ("v6only:no", &[3]),
            ("v6only:?", &[4, 5, 6, 7, 8]),
            ("raddr:127.0.0.1", &[6, 7]),
            ("raddr:127.0.0.0/24", &[6, 7]),
            ("raddr:127.0.0.*", &[6, 7]),
            ("raddr:::ffff:127.0.0.1", &[6, 7]),
            ("raddr:::ffff:127.*", &[7]),
            ("[::ffff:127.0.0.1]:4000", &[6, 7]),
            ("remote:127.0.0.1:4000", &[7]),
        ] {
            let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let found: Vec<usize> = (0..rows.len()).filter(|&at| filter.matches(&rows[at], &store)).collect();
            assert_eq!(found, passing, "{text}");
        }
        assert!(Filter::parse("laddr:fe80::a%v0").expect("a filter").depends_on_names());
        assert!(!Filter::parse("laddr:fe80::a").expect("a filter").depends_on_names());
        for text in ["laddr:fe80::a%", "v6only:perhaps", "v6only>1"] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn filters_pass_what_they_say() {
        let table: &[(&str, &[usize])] = &[
            ("", &[0, 1, 2, 3, 4, 5]),
            ("   ", &[0, 1, 2, 3, 4, 5]),
            // states, in every way of writing them
            ("state:close-wait", &[0]), ("state:CLOSE_WAIT", &[0]), ("state=cw", &[0]), ("STATE:Cw", &[0]),
            ("state:close-wait,time-wait", &[0, 2]), ("state:connected", &[0, 1, 2, 5]), ("state:bucket", &[2]),
            ("!state:listen", &[0, 1, 2, 4, 5]), ("state!=established", &[0, 2, 3, 4]), ("state:listening", &[3]),
            ("state:unconn", &[4]), ("not state:connected", &[3, 4]), ("state:/WAIT$/", &[0, 2]),
            // ports and services
            ("rport:5432", &[0]), ("rport:postgresql", &[0]), ("lport:https", &[1]), ("port:443", &[1]), ("port:8000-9000", &[3]),
            ("lport<1024", &[1, 2, 4, 5]), ("lport>=51234", &[0]), ("sport:80,22", &[2, 5]), ("port!=443", &[0, 2, 3, 4, 5]),
            ("rport:?", &[3, 4]), ("rport:*", &[0, 1, 2, 5]), ("dport:60000", &[5]),
            // addresses and networks
            ("raddr:10.0.0.0/8", &[0]), ("raddr:203.0.113.9", &[1]), ("laddr:10.0.0.7", &[0, 1, 2]), ("addr:192.0.2.0/24", &[2]),
            ("raddr:2001:db8::/32", &[5]), ("raddr:[2001:db8::99]", &[5]), ("raddr:10.1.*", &[0]), ("raddr:/^203/", &[1]),
            ("remote:10.1.0.1:5432", &[0]), ("remote::5432", &[0]), ("local:[2001:db8::7]:22", &[5]), ("local:10.0.0.0/8:443", &[1]),
            ("local:8080", &[3]), ("laddr:0.0.0.0", &[3, 4]), ("raddr!=10.1.0.1", &[1, 2, 5]), ("family:ipv6", &[5]),
            // processes and users
            ("process:nginx", &[1, 2, 3]), ("process=nginx", &[1, 2, 3]), ("process:NGINX-W", &[1]), ("process=nginx-worker", &[1]),
            ("process:ng*x", &[1, 2, 3]), ("process:/^(dns|jdbc)/", &[0, 4]), ("process:\"jdbc-pool\"", &[0]),
            ("process:?", &[5]), ("pid:812", &[1, 2, 3]), ("pid:813", &[1]), ("!pid>0", &[5]), ("pid!=812", &[0, 4]),
            ("user:alice", &[0, 2, 3, 4, 5]), ("user:www", &[1]), ("uid:33", &[1]), ("owner:remembered", &[2]), ("owner:hidden", &[5]),
            ("command:--serve", &[0, 1, 2, 3, 4]), ("command:/usr/bin/nginx", &[1, 2, 3]), ("name:dnsmasq", &[4]),
            // quantities
            ("age>60s", &[0]), ("age>=1m", &[0, 5]), ("age<10s", &[1]), ("age:20s-1m", &[2, 5]), ("age > 1m", &[0]), ("age:?", &[3, 4]),
            ("rtt>100ms", &[1]), ("rtt<=120000us", &[1]), ("recvq>=20k", &[1]), ("recvq=0", &[0, 4, 5, 2]), ("recvq>100", &[1, 3]),
            ("backlog>=128", &[3]), ("cookie:1-3", &[0, 1, 2]), ("rxrate>0", &[]), ("rxrate:?", &[0, 1, 2, 3, 4, 5]),
            // words with labels
            ("verdict:missing-close", &[0]), ("verdict:missing_close", &[0]), ("proto:udp", &[4]), ("owner!=live", &[2, 5]),
            ("service:http", &[1, 2, 3]), ("age_basis:observed", &[0, 1, 2, 5]),
            // bare words
            ("nginx", &[1, 2, 3]), ("443", &[1]), ("812", &[1, 2, 3]), ("close-wait", &[0]), ("close_wait", &[0]), ("udp", &[4]),
            ("10.1.0", &[0]), ("10.1.0.1:5432", &[0]), ("2001:db8", &[5]), ("alice", &[0, 2, 3, 4, 5]), ("postgres", &[0]),
            ("/pool|dns/", &[0, 4]), ("'--serve'", &[0, 1, 2, 3, 4]), ("listening", &[3]), ("jd*pool", &[0]), ("nothing-like-it", &[]),
            // logic
            ("nginx state:listen", &[3]), ("nginx and state:listen", &[3]), ("nginx or udp", &[1, 2, 3, 4]),
            ("udp or nginx state:listen", &[3, 4]), ("(udp or nginx) state:listen", &[3]), ("!(udp or nginx)", &[0, 5]),
            ("not not udp", &[4]), ("! udp !nginx", &[0, 5]), ("NOT udp AND NOT nginx", &[0, 5]), ("((udp))", &[4]), ("'and'", &[]),
        ];
        for (text, expected) in table {
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(passing(text), expected, "{text}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn what_cannot_be_meant_is_refused_with_a_way_out() {
        let table = [
            ("stat:listen",       0, "unknown filter key 'stat'; did you mean 'state'?"),
            ("udp elephant:1",    4, "unknown filter key 'elephant'; the keys are the columns, see conntop columns"),
            ("state:close-wiat",  6, "unknown state 'close-wiat'; did you mean 'close-wait'?"),
            ("rport:99999",       6, "'99999' is no port, which 'rport' needs; write a number from 0 to 65535, a range such as 8000-9000, or a service such as https"),
            ("rport:htps",        6, "'htps' is no port, which 'rport' needs; did you mean 'https'?"),
            ("lport:9000-8000",   6, "'9000-8000' is no port, which 'lport' needs; write a number from 0 to 65535, a range such as 8000-9000, or a service such as https"),
            ("raddr:10.0.0.0/40", 6, "'10.0.0.0/40' is no address, which 'raddr' needs, such as 10.0.0.1, 10.0.0.0/8 or 10.0.*"),
            ("age>soon",          4, "'soon' is not a time such as 60s, 5m or 100ms, which 'age' needs"),
            ("age=60s",           4, "no two times are equal; write age>60s, age<60s or age:FROM-TO"),
            ("process>nginx",     8, "'process' cannot be compared by size, it holds words; write process:value or process=value"),
            ("proto:tpc",         6, "'tpc' is no proto; did you mean 'tcp'?"),
            ("(state:listen",     0, "this ( is never closed; add a )"),
            ("state:listen)",    12, "this ) closes nothing; remove it or add a ( before it"),
            ("()",                1, "a condition is missing before this )"),
            ("udp and",           7, "a condition is missing at the end, such as state:close-wait"),
            ("or udp",            0, "'or' needs a condition on both sides; put the word in quotes to look for it"),
            ("state:",            6, "'state' needs a value here; use state:? for what is not known"),
            ("/a",                0, "this regular expression is not closed; end it with a /, or put the word in quotes"),
            ("/(/",               0, "the regular expression /(/ is not valid: unclosed group"),
            ("lport>8000-9000",   6, "a range cannot be compared; write lport:FROM-TO, or lport> with one number"),
        ];
        for (text, at, message) in table {
            let error = Filter::parse(text).expect_err(text);
            assert_eq!((error.message.as_str(), error.at), (message, at), "{text}");
        }
    }

    #[test]
    fn null_finds_what_json_shows_as_null_for_every_key() {
        let (store, rows) = (store(), rows());
        for (index, column) in COLUMNS.iter().enumerate().filter(|(_, column)| !column.is_hint) {
            let is_null =
                |row: &SocketRow| serde_json::to_value((COLUMNS[index].value)(row, &store)).expect("plain").is_null();
            let null: Vec<_> = (0..rows.len()).filter(|at| is_null(&rows[*at])).collect();
            for key in [column.key, column.json] {
                for text in [format!("{key}:null"), format!("{key}=NULL"), format!("{key}:?")] {
                    assert_eq!(passing(&text), null, "{text}");
                }
                let known: Vec<_> = (0..rows.len()).filter(|at| !null.contains(at)).collect();
                for text in [format!("{key}!=null"), format!("!{key}:null"), format!("{key}:*")] {
                    assert_eq!(passing(&text), known, "{text}");
                }
            }
        }
        assert!(passing("process:\"null\"").is_empty() && passing("owner:null").is_empty());
    }

    #[test]
    fn no_name_is_taken_for_what_conntop_says_where_no_process_is_known() {
        let store = store();
        let of = |cookie, owner| row(tcp(cookie).owner(owner), None);
        let called = |cookie, name| row(tcp(cookie).held_by(&[process(7, name)]), None);
        let rows = [called(1, "hidden"), of(2, Owner::Hidden), called(3, "none"), of(4, Owner::None)];
        for (text, expected) in [
            ("process:hidden", &[0][..]),
            ("process=none", &[2]),
            ("owner:hidden", &[1]),
            ("owner:none", &[3]),
            ("process:?", &[1, 3]),
        ] {
            let filter = Filter::parse(text).expect(text);
            let found: Vec<usize> = (0..rows.len()).filter(|&at| filter.matches(&rows[at], &store)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_namespace_that_is_mounted_under_the_name_own_is_not_ours() {
        // The source calls such a one by its path (`source/linux/namespaces`).
        let namespaces = [(NetnsId(1), "own".into()), (NetnsId(2), "/run/netns/own".into())].into();
        let mut store = Store::new(source_info());
        let names = Names { namespaces, own: Some(NetnsId(1)), ..Names::default() };
        store.apply(Delta { names: Arc::new(names), ..Delta::default() });
        let rows = [row(tcp(1).netns(1), None), row(tcp(2).netns(2), None)];
        for (text, expected) in [("netns_name=own", [true, false]), ("netns_name=/run/netns/own", [false, true])] {
            let filter = Filter::parse(text).expect(text);
            assert_eq!([0, 1].map(|at: usize| filter.matches(&rows[at], &store)), expected, "{text}");
        }
    }

    #[test]
    fn size_and_depth_have_limits() {
        assert!(Filter::parse(&"x ".repeat(FILTER_LEN_MAX)).is_err());
        assert!(Filter::parse(&format!("{}udp{}", "(".repeat(40), ")".repeat(40))).is_err());
        assert!(Filter::parse(&format!("{}udp", "!".repeat(FILTER_LEN_MAX - 3))).is_err());
        assert!(Filter::parse(&format!("{}udp{}", "(".repeat(30), ")".repeat(30))).is_ok());
    }

    #[test]
    fn an_error_quotes_input_only_in_safe_form() {
        let error = Filter::parse("state:\u{1b}[31m").expect_err("no such state");
        assert!(error.message.contains("␛[31m"), "{}", error.message);
    }

    #[test]
    fn only_filters_on_time_depend_on_it() {
        assert!(Filter::parse("udp or !(age>5s)").expect("valid").depends_on_time());
        assert!(!Filter::parse("state:listen lport:80").expect("valid").depends_on_time());
        assert!(Filter::parse("user:alice").expect("valid").depends_on_names());
    }

    #[test]
    fn filters_on_processes_and_bare_words_depend_on_who_may_be_seen() {
        for (text, depends) in [
            ("process:nginx", true),
            ("state:listen (lport:80 or !pid:7)", true),
            ("nginx", true),
            ("state:listen lport:80", false),
            ("", false),
        ] {
            assert_eq!(Filter::parse(text).expect("valid").depends_on_processes(), depends, "{text}");
        }
    }

    const PIECES: &[&str] = &[
        "state:",
        "close-wait",
        "(",
        ")",
        "!",
        "and",
        "or",
        "not",
        " ",
        "age>",
        "60s",
        "/",
        "\\",
        "\"",
        "'",
        ",",
        "rport:",
        "443",
        "?",
        "*",
        "10.0.0.0/8",
        "é",
        "nginx",
        ":",
        "=",
        "-",
        "pid!=",
        "::1",
        "\u{1b}",
        "remote:",
    ];

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = Filter::parse(&text);
        }

        #[test]
        fn no_mix_of_its_own_words_makes_it_panic(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..20)) {
            let (text, store) = (pieces.concat(), store());
            match Filter::parse(&text) {
                Ok(filter) => rows().iter().for_each(|row| { filter.matches(row, &store); }),
                Err(error) => {
                    prop_assert!(text.is_char_boundary(error.at), "{} in {:?}", error.at, text);
                    prop_assert!(!error.message.contains('\n'));
                }
            }
        }

        #[test]
        fn logic_is_logic(a in 0usize..5, b in 0usize..5) {
            let terms = ["udp", "age>20s", "process:nginx", "rport:?", "state:close-wait,listen"];
            let (a, b) = (terms[a], terms[b]);
            let all: Vec<_> = (0..6).collect();
            let (of_a, of_b) = (passing(a), passing(b));
            let keep = |test: &dyn Fn(&usize) -> bool| all.iter().copied().filter(|row| test(row)).collect::<Vec<_>>();
            prop_assert_eq!(passing(&format!("{a} {b}")), keep(&|row| of_a.contains(row) && of_b.contains(row)));
            prop_assert_eq!(passing(&format!("{a} or {b}")), keep(&|row| of_a.contains(row) || of_b.contains(row)));
            prop_assert_eq!(passing(&format!("not ({a} or {b})")), keep(&|row| !of_a.contains(row) && !of_b.contains(row)));
        }
    }
}
