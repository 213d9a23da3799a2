//! What a cell holds: a typed value, from which text, alignment, order, filter and JSON follow.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::model::address_text::AddressText;
use crate::model::delta::AgeBasis;
use crate::model::endpoint::Endpoint;
use crate::model::process::{Holders, Names, NoProcess, Owner};
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::table::order::Order;
use crate::table::{cut, units};

/// A typed cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Not known: blank, `null`, last in both sort directions.
    Missing,
    /// Words that were sanitised or are constants.
    Text(&'a str),
    /// Words made for this cell (several owners).
    Owned(String),
    /// A name of a host: where there is no room its middle goes.
    Host(&'a str),
    /// A user: the name, or the number where there is no name, as ps(1) has it.
    User {
        /// The name, where there is one.
        name: Option<&'a str>,
        /// What tells users apart: several may have one name.
        uid: u32,
    },
    /// One of a few constants: how people and how machines (JSON, filters) read it.
    Word {
        /// For people.
        text: &'static str,
        /// For machines.
        label: &'static str,
    },
    /// Whose a socket is: people read `was nginx +3` or `in accept queue`, machines the plain name or `null`.
    Process(&'a Owner),
    /// The pids of these processes: the first is shown, filters match any.
    Pids(&'a Holders),
    /// Yes or no.
    Flag(bool),
    /// An address.
    Address(AddressText<'a>),
    /// An address and a port; 0 is none.
    Endpoint(AddressText<'a>, u16),
    /// A port.
    Port(u16),
    /// A state.
    State(TcpState),
    /// How many.
    Count(u64),
    /// A number that names something (pid, inode, cookie): not grouped by thousands.
    Number(u64),
    /// Bytes.
    Bytes(u64),
    /// Bytes per second.
    BytesPerSecond(f64),
    /// A time span.
    Span(Duration),
    /// A time span known in a certain way.
    Age(Duration, AgeBasis),
    /// A share, 1.0 is all.
    Share(f64),
    /// A share that is drawn as a bar.
    Gauge(f64),
    /// How often something happens, per second.
    PerSecond(f64),
    /// Numbers over time, drawn; ordered by how much they have grown.
    Trend {
        /// The drawing.
        text: String,
        /// The last number less the first one.
        growth: i64,
    },
    /// What waits in both directions: bytes, or (`are_bytes` is false) the connections of a listener and how many may wait.
    Queues {
        /// Received and not read; waiting.
        receive: u64,
        /// Sent and not acknowledged; the limit.
        send: u64,
        /// Whether bytes wait.
        are_bytes: bool,
    },
}

impl<'a> Value<'a> {
    /// `value`, or missing.
    pub fn or_missing<T>(value: Option<T>, make: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Missing, make)
    }

    /// The user with this number.
    pub fn user(uid: u32, names: &'a Names) -> Self {
        Self::User { name: names.users.get(&uid).map(DisplayText::as_str), uid: names.hosts.uid_number(uid) }
    }

    /// A word that people and machines read alike.
    pub const fn word(label: &'static str) -> Self {
        Self::Word { text: label, label }
    }

    /// Whether machines read `null`. People may still read why ("in accept queue").
    pub const fn is_missing(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Process(owner) => owner.no_process().is_some(),
            _ => false,
        }
    }

    /// What people read; empty if missing.
    pub fn text(&self) -> Cow<'a, str> {
        match self {
            Self::Missing | Self::Gauge(_) => Cow::Borrowed(""),
            Self::Text(text) | Self::Host(text) | Self::Word { text, .. } => Cow::Borrowed(text),
            Self::User { name, uid } => user_text(*name, *uid),
            Self::Owned(text) | Self::Trend { text, .. } => Cow::Owned(text.clone()),
            Self::Process(owner) => owner_text(owner),
            Self::Pids(holders) => Cow::Owned(holders.first().id.pid.to_string()),
            Self::Flag(flag) => Cow::Borrowed(flag_word(*flag)),
            Self::Address(addr) => Cow::Owned(addr.alone().to_string()),
            Self::Endpoint(addr, port) => Cow::Owned(addr.with_port(*port).to_string()),
            Self::Port(port) => Cow::Owned(port.to_string()),
            Self::State(state) => Cow::Borrowed(state.name()),
            Self::Count(count) => Cow::Owned(units::count(*count)),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Bytes(bytes) => Cow::Owned(units::bytes(*bytes)),
            Self::BytesPerSecond(rate) => Cow::Owned(units::rate(*rate)),
            Self::Span(span) => Cow::Owned(units::span(*span)),
            Self::Age(age, AgeBasis::AtLeast) => {
                Cow::Owned(format!("{}{}", AgeBasis::AtLeast.mark(), units::age(*age)))
            }
            Self::Age(age, _) => Cow::Owned(units::age(*age)),
            Self::Share(share) => Cow::Owned(units::share(*share)),
            Self::PerSecond(rate) => Cow::Owned(units::per_second(*rate)),
            Self::Queues { receive, send, are_bytes } => {
                let written = if *are_bytes { units::bytes } else { units::count };
                Cow::Owned(format!("{}/{}", written(*receive), written(*send)))
            }
        }
    }

    /// What people read where there are only `width` cells: a state by its short name, an address and an endpoint
    /// with their ends kept, anything else cut with a mark.
    pub fn text_within(&self, width: u16) -> Cow<'a, str> {
        let text = self.text();
        if cut::cells(&text) <= usize::from(width) {
            return text;
        }
        match self {
            Self::State(state) => cut::cut(state.row().short, width),
            Self::Process(owner) => match short_owner(owner) {
                Some(short) => cut::cut(short, width),
                None => Cow::Owned(cut::cut(&text, width).into_owned()),
            },
            Self::Endpoint(..) => Cow::Owned(cut::cut_address(&text, text.rfind(':'), width).into_owned()),
            Self::Address(_) => Cow::Owned(cut::cut_address(&text, None, width).into_owned()),
            // Its start says which machine, its end whose.
            Self::Host(_) => Cow::Owned(cut::cut_keeping_end(&text, domain_at(&text, usize::from(width) / 2), width)),
            _ => Cow::Owned(cut::cut(&text, width).into_owned()),
        }
    }

    /// How many cells it needs to be understood: why no process is known has a short form.
    pub fn cells_needed(&self) -> usize {
        match self {
            Self::Process(owner) => short_owner(owner).map_or_else(|| cut::cells(&self.text()), cut::cells),
            // As much as there is: its column says how much that is at most.
            Self::Gauge(_) => usize::from(u16::MAX),
            _ => cut::cells(&self.text()),
        }
    }

    /// The number by which it is ordered and compared: nanoseconds for spans, thousandths for rates and shares,
    /// the place in the life cycle for states; `None` for words and addresses.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and no rate is negative"
    )]
    pub fn scalar(&self) -> Option<u64> {
        match self {
            Self::Flag(flag) => Some(u64::from(*flag)),
            Self::Port(port) => Some(u64::from(*port)),
            Self::State(state) => Some(*state as u64),
            Self::Pids(holders) => Some(u64::from(holders.first().id.pid)),
            Self::Count(number) | Self::Number(number) | Self::Bytes(number) => Some(*number),
            Self::BytesPerSecond(number) | Self::Share(number) | Self::Gauge(number) | Self::PerSecond(number) => {
                Some((number * 1_000.0) as u64)
            }
            Self::Span(span) | Self::Age(span, _) => Some(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)),
            // What shrinks comes before what grows.
            Self::Trend { growth, .. } => Some(growth.cast_unsigned() ^ (1 << 63)),
            Self::Queues { receive, send, .. } => Some(receive.saturating_add(*send)),
            _ => None,
        }
    }

    /// Compares two cells of one column. Missing ones come last in both directions.
    pub fn compare(&self, other: &Self, order: Order) -> Ordering {
        match (self.is_missing(), other.is_missing()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => order.apply(self.compare_known(other)),
        }
    }

    fn compare_known(&self, other: &Self) -> Ordering {
        if let (Some(a), Some(b)) = (self.scalar(), other.scalar()) {
            return a.cmp(&b);
        }
        match (self, other) {
            (Self::Address(a), Self::Address(b)) => place(a, 0).cmp(&place(b, 0)),
            (Self::Endpoint(a, a_port), Self::Endpoint(b, b_port)) => place(a, *a_port).cmp(&place(b, *b_port)),
            (Self::User { name: a, uid }, Self::User { name: b, uid: other }) => {
                compare_words(&user_text(*a, *uid), &user_text(*b, *other)).then(uid.cmp(other))
            }
            _ => compare_words(&self.plain(), &other.plain()),
        }
    }

    /// The words that machines read, without an allocation but for a user without a name; empty for numbers and addresses.
    pub(super) fn plain(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Text(text) | Self::Host(text) => text,
            Self::User { name, uid } => return user_text(*name, *uid),
            Self::Owned(text) => text,
            Self::Word { label, .. } => label,
            Self::Process(owner) => owner.process().map_or("", |process| process.name.as_str()),
            Self::State(state) => state.name(),
            _ => "",
        })
    }

    /// Whether any of the words that the cell stands for passes `test`: all owners of a socket, text and label of a word.
    pub fn any_words(&self, mut test: impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Process(owner) => {
                let processes = owner.holders().map_or(&[][..], |holders| holders.all());
                processes.iter().any(|process| {
                    test(process.name.as_str())
                        || process.thread.as_ref().is_some_and(|thread| test(thread.name.as_str()))
                })
            }
            Self::Word { text, label } => test(label) || test(text),
            Self::Text(_) | Self::Host(_) | Self::User { .. } | Self::Owned(_) | Self::State(_) => test(&self.plain()),
            Self::Missing => false,
            // An IPv4 address may be looked for as its IPv6 socket writes it.
            Self::Address(addr) => test(&self.text()) || addr.as_told().is_some_and(|ip| test(&ip.to_string())),
            Self::Endpoint(addr, port) => {
                test(&self.text()) || addr.as_told().is_some_and(|ip| test(&Endpoint::new(ip, *port).as_told()))
            }
            _ => test(&self.text()),
        }
    }

    /// Whether any of the numbers that the cell stands for passes `test` (a shared socket has several pids).
    pub fn any_scalar(&self, mut test: impl FnMut(u64) -> bool) -> bool {
        match self {
            Self::Pids(holders) => holders.all().iter().any(|process| test(u64::from(process.id.pid))),
            _ => self.scalar().is_some_and(test),
        }
    }
}

/// Where the last two labels of a name begin, or the last one, if that leaves no more than `len_max` bytes; else its end.
fn domain_at(name: &str, len_max: usize) -> usize {
    let dots = name.rmatch_indices('.').map(|(at, _)| at);
    dots.take(2).filter(|at| name.len() - at <= len_max).last().unwrap_or(name.len())
}

fn user_text(name: Option<&str>, uid: u32) -> Cow<'_, str> {
    name.map_or_else(|| Cow::Owned(uid.to_string()), Cow::Borrowed)
}

/// Why no process is known, in the fewest words.
pub const fn short_reason(why: NoProcess) -> &'static str {
    match why {
        NoProcess::Unaccepted => "in queue",
        NoProcess::Hidden => "hidden",
        NoProcess::Vanished => "not found",
        NoProcess::None => "no process",
    }
}

/// The short form of why no process is known.
const fn short_owner(owner: &Owner) -> Option<&'static str> {
    match owner.no_process() {
        None | Some(NoProcess::None) => None,
        Some(why) => Some(short_reason(why)),
    }
}

fn owner_text(owner: &Owner) -> Cow<'_, str> {
    let others = |holders: &Holders| match holders.all().len() {
        0 | 1 => String::new(),
        len => format!(" +{}", len - 1),
    };
    match owner {
        Owner::Live(holders) if holders.all().len() == 1 => holders.first().title(),
        Owner::Live(holders) => Cow::Owned(format!("{}{}", holders.first().title(), others(holders))),
        Owner::Remembered(holders) => Cow::Owned(format!("was {}{}", holders.first().title(), others(holders))),
        Owner::Unaccepted => Cow::Borrowed("in accept queue"),
        Owner::Hidden => Cow::Borrowed("hidden (no permission)"),
        Owner::Unseen => Cow::Borrowed("hidden (not in /proc)"),
        Owner::Vanished => Cow::Borrowed("not found in time"),
        Owner::None => Cow::Borrowed(""),
    }
}

/// What decides the order of addresses: the address as a number, the port, the interface.
fn place(addr: &AddressText<'_>, port: u16) -> impl Ord + use<> {
    (addr.ip(), port, addr.order())
}

const fn flag_word(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

/// By letters first, capitals only as a tie-break, so that `Xorg` and `xterm` stand together.
pub(super) fn compare_words(a: &str, b: &str) -> Ordering {
    // Most pairs of a sort by process are of one process.
    if a == b {
        return Ordering::Equal;
    }
    if a.is_ascii() && b.is_ascii() {
        let lower = |text: &str, at: usize| text.as_bytes()[at].to_ascii_lowercase();
        let differ = (0..a.len().min(b.len())).find(|&at| lower(a, at) != lower(b, at));
        let by_letter = differ.map_or_else(|| a.len().cmp(&b.len()), |at| lower(a, at).cmp(&lower(b, at)));
        return by_letter.then_with(|| a.cmp(b));
    }
    a.to_lowercase().cmp(&b.to_lowercase()).then_with(|| a.cmp(b))
}

/// What machines read: numbers in base units (seconds, bytes), words as labels.
#[derive(Clone, Debug, PartialEq)]
pub enum Plain<'a> {
    /// Not known.
    Null,
    /// Words.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(u64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Flag(bool),
}

impl Value<'_> {
    /// What machines read, in JSON and CSV alike.
    pub fn to_plain(&self) -> Plain<'_> {
        match self {
            _ if self.is_missing() => Plain::Null,
            Self::Flag(flag) => Plain::Flag(*flag),
            Self::Address(_) | Self::Endpoint(..) => Plain::Text(self.text()),
            Self::State(state) => Plain::Text(Cow::Borrowed(state.name())),
            Self::BytesPerSecond(number) | Self::PerSecond(number) => Plain::Float((number * 10.0).round() / 10.0),
            Self::Share(number) | Self::Gauge(number) => Plain::Float((number * 10_000.0).round() / 10_000.0),
            Self::Span(span) | Self::Age(span, _) => Plain::Float(seconds(*span)),
            _ => self.scalar().map_or_else(|| Plain::Text(self.plain()), Plain::Integer),
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.to_plain() {
            Plain::Null => serializer.serialize_none(),
            Plain::Text(text) => serializer.serialize_str(&text),
            Plain::Integer(number) => serializer.serialize_u64(number),
            Plain::Float(number) => serializer.serialize_f64(number),
            Plain::Flag(flag) => serializer.serialize_bool(flag),
        }
    }
}

/// Seconds to the microsecond: more digits would be noise.
#[expect(clippy::cast_precision_loss, reason = "microseconds of 285 years fit an f64 exactly")]
fn seconds(span: Duration) -> f64 {
    span.as_micros() as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(value: &Value<'_>) -> String {
        serde_json::to_string(value).expect("a value is plain JSON")
    }

    #[test]
    fn missing_is_last_in_both_directions() {
        let mut values = [Value::Missing, Value::Count(2), Value::Count(1)];
        values.sort_by(|a, b| a.compare(b, Order::Ascending));
        assert_eq!(values, [Value::Count(1), Value::Count(2), Value::Missing]);
        values.sort_by(|a, b| a.compare(b, Order::Descending));
        assert_eq!(values, [Value::Count(2), Value::Count(1), Value::Missing]);
    }

    #[test]
    fn a_user_without_a_name_is_its_number_and_two_users_of_one_name_are_two() {
        let names = Names { users: [(0, "root".into()), (5, "7".into())].into(), ..Names::default() };
        let user = |uid| Value::user(uid, &names);
        let said = |uid| (user(uid).text().into_owned(), json(&user(uid)));
        assert_eq!(said(0), ("root".to_owned(), "\"root\"".to_owned()));
        assert_eq!(said(4_294_967_294), ("4294967294".to_owned(), "\"4294967294\"".to_owned()));
        assert!(!user(404_404).is_missing() && user(404_404).any_words(|words| words == "404404"));
        assert_eq!(user(7).text(), user(5).text());
        assert_eq!(user(7).compare(&user(5), Order::Ascending), Ordering::Greater);
        assert_eq!(user(7).compare(&user(0), Order::Ascending), Ordering::Less);
    }

    #[test]
    fn addresses_sort_by_number_not_by_letter() {
        let address = |text: &str| Value::Address(AddressText::plain(text.parse().expect("an address")));
        assert_eq!(address("9.0.0.1").compare(&address("10.0.0.1"), Order::Ascending), Ordering::Less);
        assert_eq!(address("10.0.0.2").compare(&address("::ffff:10.0.0.1"), Order::Ascending), Ordering::Greater);
        assert_eq!(address("255.0.0.1").compare(&address("::1"), Order::Ascending), Ordering::Less);
    }

    #[test]
    fn states_sort_by_life_cycle_and_words_by_letter() {
        let state = Value::State;
        assert_eq!(state(TcpState::Established).compare(&state(TcpState::CloseWait), Order::Ascending), Ordering::Less);
        assert_eq!(Value::Text("Xorg").compare(&Value::Text("bash"), Order::Ascending), Ordering::Greater);
    }

    #[test]
    fn json_is_in_base_units_and_null_where_unknown() {
        assert_eq!(json(&Value::Missing), "null");
        assert_eq!(json(&Value::Process(&Owner::Hidden)), "null");
        assert_eq!(json(&Value::Span(Duration::from_micros(1_234))), "0.001234");
        assert_eq!(json(&Value::Age(Duration::from_secs(60), AgeBasis::Kernel)), "60.0");
        assert_eq!(json(&Value::BytesPerSecond(1_234.567)), "1234.6");
        assert_eq!(json(&Value::State(TcpState::CloseWait)), "\"CLOSE_WAIT\"");
        assert_eq!(json(&Value::Word { text: "never closed", label: "missing-close" }), "\"missing-close\"");
        assert_eq!(json(&Value::Bytes(0)), "0");
    }

    #[test]
    fn narrow_cells_keep_what_matters() {
        let endpoint = Value::Endpoint(AddressText::plain("192.168.100.100".parse().expect("an address")), 51_234);
        assert_eq!(endpoint.text_within(21), "192.168.100.100:51234");
        assert_eq!(endpoint.text_within(14), "…100.100:51234");
        assert_eq!(Value::State(TcpState::CloseWait).text_within(5), TcpState::CloseWait.row().short);
        assert_eq!(Value::Text("postgres").text_within(5), "post…");
        assert_eq!(Value::Process(&Owner::Unaccepted).text(), "in accept queue");
        assert_eq!(Value::Process(&Owner::Unaccepted).text_within(9), "in queue");
        let host = Value::Host("ec2-3-120-14-7.eu-central-1.compute.amazonaws.com");
        assert_eq!(host.text_within(30), "ec2-3-120-14-7.….amazonaws.com");
        assert_eq!(host.text_within(20), "ec2-3-120-14-7.….com");
        let host = Value::Host("node-10-0-0-20.example.internal");
        assert_eq!(host.text_within(23), "node-10-0-0-2….internal");
        assert_eq!(host.text_within(15), "node-10-0-0-20…");
        assert_eq!(Value::Host("localhost").text_within(5), "loca…");
        let hidden = Value::Process(&Owner::Hidden);
        assert_eq!((hidden.text_within(22), hidden.text_within(9)), ("hidden (no permission)".into(), "hidden".into()));
        assert_eq!(hidden.cells_needed(), 6);
    }
}
