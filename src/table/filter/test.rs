//! What a term asks of the value of its column, read once according to the column's kind.

use std::net::{IpAddr, Ipv4Addr};

use crate::knowledge::ports;
use crate::model::address_text::AddressText;
use crate::model::query::IpNetwork;
use crate::model::tcp_state::{STATE_GROUPS, STATES, TcpState};
use crate::table::column::ValueKind;
use crate::table::filter::lexer::{Form, Item, Operator};
use crate::table::filter::pattern::Pattern;
use crate::table::value::Value;
use crate::table::{suggest, units};

/// What JSON calls a value that is not known; in quotes it is a word like any other.
const NULL: &str = "null";

/// A question to a value. A value that is not known passes none but [`Test::Missing`].
#[derive(Clone, Debug)]
pub(super) enum Test {
    /// It is not known.
    Missing,
    /// It is known.
    Known,
    /// Words match.
    Words(Pattern),
    /// It is this label.
    Label(&'static str),
    /// It is one of these states, as bits.
    States(u16),
    /// The number lies in this range, ends included (empty if the first is greater).
    Range(u64, u64),
    /// The address lies in this network.
    Net(Net),
    /// The endpoint lies in this network and its port in this range.
    Endpoint(Option<Net>, u16, u16),
}

impl Test {
    /// Whether `value` passes.
    pub(super) fn passes(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Missing, value) => value.is_missing(),
            (Self::Known, value) => !value.is_missing(),
            (Self::Words(pattern), value) => value.any_words(|words| pattern.matches(words)),
            (Self::Label(wanted), Value::Word { label, .. }) => wanted == label,
            (Self::States(states), Value::State(state)) => states & bit(*state) != 0,
            (Self::Range(first, last), value) => value.any_scalar(|number| (*first..=*last).contains(&number)),
            (Self::Net(net), Value::Address(addr)) => net.contains(*addr),
            (Self::Endpoint(net, first, last), Value::Endpoint(addr, port)) => {
                net.as_ref().is_none_or(|net| net.contains(*addr)) && (*first..=*last).contains(port)
            }
            _ => false,
        }
    }

    /// Whether it asks for this state by name.
    pub(super) fn names_state(&self, state: TcpState) -> bool {
        matches!(self, Self::States(states) if states & bit(state) != 0)
    }

    /// Whether it asks for an interface by name, in a column of `kind`: names become known later than sockets.
    pub(super) fn reads_links(&self, kind: ValueKind) -> bool {
        match self {
            Self::Net(net) | Self::Endpoint(Some(net), ..) => net.link.is_some(),
            Self::Words(_) => matches!(kind, ValueKind::Address | ValueKind::Endpoint),
            _ => false,
        }
    }

    /// The test that `item` writes for a column called `key`; an error is a sentence.
    pub(super) fn read(key: &str, kind: ValueKind, operator: Operator, item: &Item) -> Result<Self, String> {
        if item.form == Form::Plain && matches!(operator, Operator::Has | Operator::Equal | Operator::NotEqual) {
            match item.text.as_str() {
                text if text == "?" || text.eq_ignore_ascii_case(NULL) => return Ok(Self::Missing),
                "*" => return Ok(Self::Known),
                _ => {}
            }
        }
        let text = item.text.as_str();
        match kind {
            ValueKind::Text => unordered(key, operator, "words").and_then(|()| words(operator, item)),
            _ if item.form == Form::Regex => {
                unordered(key, operator, "an expression").and_then(|()| words(operator, item))
            }
            ValueKind::Flag => unordered(key, operator, "yes or no").and_then(|()| flag(key, text)),
            ValueKind::Word(labels) => unordered(key, operator, "words").and_then(|()| label(key, labels, text)),
            ValueKind::State => unordered(key, operator, "states").and_then(|()| states(text)),
            ValueKind::Address => unordered(key, operator, "addresses").and_then(|()| address(key, operator, item)),
            ValueKind::Endpoint => unordered(key, operator, "addresses").and_then(|()| endpoint(key, operator, item)),
            ValueKind::Port => port_range(key, text).and_then(|(first, last)| compare(key, operator, first, last)),
            ValueKind::Span => span(key, operator, text),
            ValueKind::Count | ValueKind::Number | ValueKind::Bytes => {
                number(key, operator, text, 1, "a number such as 10 or 12k")
            }
            ValueKind::Rate => {
                number(key, operator, text.trim_end_matches("/s"), 1_000, "bytes per second such as 12k")
            }
            ValueKind::Share => match text.strip_suffix('%') {
                Some(percent) => number(key, operator, percent, 10, "a share such as 12%"),
                None => number(key, operator, text, 1_000, "a share such as 12% or 0.12"),
            },
        }
    }
}

fn bit(state: TcpState) -> u16 {
    1 << state as u16
}

/// Refuses `<` and `>` for values that have no more and less.
fn unordered(key: &str, operator: Operator, what: &str) -> Result<(), String> {
    match operator {
        Operator::Has | Operator::Equal | Operator::NotEqual => Ok(()),
        _ => Err(format!("'{key}' cannot be compared by size, it holds {what}; write {key}:value or {key}=value")),
    }
}

fn words(operator: Operator, item: &Item) -> Result<Test, String> {
    let text = item.text.as_str();
    let pattern = match (item.form, operator) {
        (Form::Regex, _) => {
            Pattern::regex(text).map_err(|reason| format!("the regular expression /{text}/ is not valid: {reason}"))?
        }
        (Form::Plain, _) if text.contains('*') => Pattern::glob(text)?,
        (_, Operator::Has) => Pattern::contains(text),
        _ => Pattern::exact(text),
    };
    Ok(Test::Words(pattern))
}

fn label(key: &str, labels: &'static [&'static str], text: &str) -> Result<Test, String> {
    let normal = |text: &str| text.to_lowercase().replace(['_', ' '], "-");
    let found = labels.iter().find(|label| normal(label) == normal(text));
    found.map(|label| Test::Label(label)).ok_or_else(|| {
        let all = format!("it is one of {}", labels.join(", "));
        format!("'{text}' is no {key}; {}", suggest::hint(text, labels.iter().copied(), &all))
    })
}

fn flag(key: &str, text: &str) -> Result<Test, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(Test::Range(1, 1)),
        "false" | "no" | "0" => Ok(Test::Range(0, 0)),
        _ => Err(format!(
            "'{text}' is neither true nor false, which '{key}' is; write {key}:true, {key}:false or {key}:?"
        )),
    }
}

fn states(text: &str) -> Result<Test, String> {
    let found = TcpState::parse(text).map(|states| states.iter().fold(0, |bits, state| bits | bit(*state)));
    found.map(Test::States).ok_or_else(|| {
        let spelled: Vec<_> = STATES.iter().map(|row| row.name.to_lowercase().replace('_', "-")).collect();
        let aliases = STATES.iter().flat_map(|row| row.aliases.iter().copied());
        let names =
            spelled.iter().map(String::as_str).chain(aliases).chain(STATE_GROUPS.iter().map(|(group, _)| *group));
        format!(
            "unknown state '{text}'; {}",
            suggest::hint(text, names, "such as close-wait, established or time-wait")
        )
    })
}

/// An inclusive range from what stands on the right of an operator; `first` and `last` differ for a written range.
fn compare(key: &str, operator: Operator, first: u64, last: u64) -> Result<Test, String> {
    let is_range = first != last;
    match operator {
        Operator::Has | Operator::Equal | Operator::NotEqual => Ok(Test::Range(first, last)),
        _ if is_range => Err(format!("a range cannot be compared; write {key}:FROM-TO, or {key}> with one number")),
        Operator::Greater => Ok(first.checked_add(1).map_or(Test::Range(1, 0), |next| Test::Range(next, u64::MAX))),
        Operator::AtLeast => Ok(Test::Range(first, u64::MAX)),
        Operator::Less => Ok(first.checked_sub(1).map_or(Test::Range(1, 0), |before| Test::Range(0, before))),
        Operator::AtMost => Ok(Test::Range(0, first)),
    }
}

/// `one` or `from-to`, each read by `read`; a range the wrong way round is `None`.
fn range(text: &str, read: impl Fn(&str) -> Option<u64>) -> Option<(u64, u64)> {
    if let Some(one) = read(text) {
        return Some((one, one));
    }
    let (first, last) = text.split_once('-')?;
    let (first, last) = (read(first)?, read(last)?);
    (first <= last).then_some((first, last))
}

fn number(key: &str, operator: Operator, text: &str, scale: u64, such_as: &str) -> Result<Test, String> {
    let found = range(text, |text| units::parse_amount(text, scale));
    let (first, last) = found.ok_or_else(|| format!("'{text}' is not {such_as}, which '{key}' needs"))?;
    compare(key, operator, first, last)
}

fn span(key: &str, operator: Operator, text: &str) -> Result<Test, String> {
    let found = range(text, units::parse_span);
    let (first, last) =
        found.ok_or_else(|| format!("'{text}' is not a time such as 60s, 5m or 100ms, which '{key}' needs"))?;
    let is_equality = matches!(operator, Operator::Has | Operator::Equal | Operator::NotEqual);
    if is_equality && first == last {
        return Err(format!("no two times are equal; write {key}>{text}, {key}<{text} or {key}:FROM-TO"));
    }
    compare(key, operator, first, last)
}

fn port_range(key: &str, text: &str) -> Result<(u64, u64), String> {
    let digits = range(text, |text| text.parse::<u16>().ok().map(u64::from));
    let named = || ports::port_of(text).map(|port| (u64::from(port), u64::from(port)));
    digits.or_else(named).ok_or_else(|| {
        let otherwise = "write a number from 0 to 65535, a range such as 8000-9000, or a service such as https";
        format!("'{text}' is no port, which '{key}' needs; {}", suggest::hint(text, ports::service_names(), otherwise))
    })
}

/// Whether an address is to be compared as it is written: in quotes, behind `=`, and no network.
fn is_as_written(operator: Operator, item: &Item) -> bool {
    item.form == Form::Quoted && matches!(operator, Operator::Equal | Operator::NotEqual) && !item.text.contains('/')
}

fn address(key: &str, operator: Operator, item: &Item) -> Result<Test, String> {
    if is_as_written(operator, item) {
        return words(operator, item);
    }
    if item.text.contains('*') {
        return words(operator, item);
    }
    let such_as =
        || format!("'{}' is no address, which '{key}' needs, such as 10.0.0.1, 10.0.0.0/8 or 10.0.*", item.text);
    Net::parse(&item.text).map(Test::Net).ok_or_else(such_as)
}

/// The test for an address, or for an address and a port, that is written whole: `10.0.0.1`, `[fe80::1%eth0]:443`.
pub(super) fn whole_endpoint(text: &str) -> Option<Test> {
    if let Some(net) = Net::parse(text) {
        return Some(Test::Endpoint(Some(net), 0, u16::MAX));
    }
    let (net, port) = split_port(text)?;
    let (net, port) = (Net::parse(&net)?, port.parse().ok()?);
    Some(Test::Endpoint(Some(net), port, port))
}

/// What stands before and behind the colon of the port. As ss writes it, the interface may stand behind the bracket:
/// `[fe80::1]%eth0:443`.
fn split_port(text: &str) -> Option<(String, &str)> {
    let (net, port) = text.rsplit_once(':')?;
    match net.split_once("]%") {
        Some((net, link)) => Some((format!("{net}%{link}]"), port)),
        None => Some((net.to_owned(), port)),
    }
}

/// `10.0.0.0/8`, `10.0.0.1:443`, `[::1]:443`, `[fe80::1%eth0]:443`, `:443`, `10.0.0.0/8:443` or `443`.
fn endpoint(key: &str, operator: Operator, item: &Item) -> Result<Test, String> {
    if is_as_written(operator, item) {
        return words(operator, item);
    }
    let text = item.text.as_str();
    if let Some(net) = Net::parse(text) {
        return Ok(Test::Endpoint(Some(net), 0, u16::MAX));
    }
    if text.contains('*') {
        return words(operator, item);
    }
    let (net, port) = split_port(text).unwrap_or_else(|| (String::new(), text));
    let net = if net.is_empty() { Some(None) } else { Net::parse(&net).map(Some) };
    let range = port_range(key, port)
        .ok()
        .and_then(|(first, last)| Some((u16::try_from(first).ok()?, u16::try_from(last).ok()?)));
    match (net, range) {
        (Some(net), Some((first, last))) => Ok(Test::Endpoint(net, first, last)),
        _ => Err(format!(
            "'{text}' is no address, which '{key}' needs, such as 10.0.0.1, 10.0.0.0/8, 10.0.0.1:443 or [::1]:443"
        )),
    }
}

/// A network: an address and how many of its leading bits count, and perhaps an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Net {
    network: IpNetwork,
    /// The name or the number of the interface that the socket has to be bound to.
    link: Option<Box<str>>,
}

impl Net {
    /// `addr` or `addr/prefix`; an IPv6 address may stand in brackets. The interface stands behind the address, as in
    /// `fe80::1%eth0` and `fe80::%eth0/10` (RFC 4007, section 11), or behind bracket or prefix.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Some((before, behind)) = text.split_once('%') else { return Self::parse_on(text, None) };
        // No name of an interface holds one of these (`dev_valid_name`, net/core/dev.c).
        let (link, behind) = behind.split_at(behind.find(['/', ']', ':']).unwrap_or(behind.len()));
        if link.is_empty() || behind.starts_with(':') {
            return None;
        }
        Self::parse_on(&format!("{before}{behind}"), Some(link.into()))
    }

    fn parse_on(text: &str, link: Option<Box<str>>) -> Option<Self> {
        let (addr, prefix) = text.split_once('/').map_or((text, None), |(addr, prefix)| (addr, Some(prefix)));
        let addr = addr.strip_prefix('[').and_then(|addr| addr.strip_suffix(']')).unwrap_or(addr);
        let addr = addr.parse::<IpAddr>().ok()?;
        let bits: u8 = if addr.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Some(bits), |prefix| prefix.parse().ok().filter(|prefix| *prefix <= bits))?;
        let canonical = addr.to_canonical();
        // ::ffff:10.0.0.0/104 is 10.0.0.0/8; a shorter prefix of mapped space stays IPv6.
        let network = match (addr, canonical) {
            (IpAddr::V6(_), IpAddr::V4(_)) if prefix >= 96 => IpNetwork { addr: canonical, prefix: prefix - 96 },
            _ => IpNetwork { addr, prefix },
        };
        Some(Self { network, link })
    }

    /// Whether `addr` lies in it. An IPv4 peer of an IPv6 socket counts as IPv4, and what takes every address of both
    /// families is on 0.0.0.0 as well as on `::`.
    pub(super) fn contains(&self, addr: AddressText<'_>) -> bool {
        let is_on = |link: &str| addr.link().is_some_and(|found| found.is_called(link));
        (self.holds(addr.ip()) || (addr.takes_both_families() && self.holds(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
            && self.link.as_deref().is_none_or(is_on)
    }

    /// Whether an interface is asked for, too.
    pub(super) const fn has_link(&self) -> bool {
        self.link.is_some()
    }

    /// The network without the interface.
    pub(super) const fn network(&self) -> IpNetwork {
        self.network
    }

    fn holds(&self, ip: IpAddr) -> bool {
        self.network.contains(ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_their_addresses() {
        for (net, addr, inside) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("fe80::/10", "febf::1", true),
            ("[::1]", "::1", true),
            ("::ffff:10.0.0.0/104", "10.2.3.4", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let parsed = Net::parse(net).expect(net);
            assert_eq!(
                parsed.contains(AddressText::plain(addr.parse().expect("an address"))),
                inside,
                "{addr} in {net}"
            );
        }
        for text in
            ["10.0.0.0/33", "::/129", "10.0.0", "10.0.0.0/-1", "", "/8", "a/8", "fe80::1%", "%eth0", "fe80::1%eth0:80"]
        {
            assert_eq!(Net::parse(text), None, "{text}");
        }
    }
}
