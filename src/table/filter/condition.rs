//! What a filter asks of a socket alone, which a kernel can decide while it walks its tables; and of a process, which can be
//! looked into before others.
//!
//! A condition is known as two bounds, because what holds at least for a filter holds at most for its negation. What no
//! single socket tells lies between everything and nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU64;

use crate::knowledge::ports;
use crate::model::endpoint::{Family, Protocol};
use crate::model::process::Process;
use crate::model::query::{Condition, IpNetwork, ProcessTest, QueryFields, SocketEnd, StateSet};
use crate::model::socket::NO_CGROUP;
use crate::model::tcp_state::{STATES, TcpState};
use crate::table::column::SocketFact;
use crate::table::connections::COLUMNS;
use crate::table::filter::pattern::Pattern;
use crate::table::filter::test::{Net, Test};
use crate::table::filter::word::Word;
use crate::table::filter::{Filter, Node};
use crate::table::value::Value;

/// A pattern for services with more ports than this is not asked for by port.
const SERVICE_PORTS_MAX: usize = 16;

/// `::`, to which a socket for both families is bound.
const EVERY_ADDRESS: IpNetwork = IpNetwork { addr: IpAddr::V6(Ipv6Addr::UNSPECIFIED), prefix: 128 };

impl Filter {
    /// The strongest condition that the socket of every row meets that passes, as a sample tells it.
    pub fn condition(&self) -> Condition {
        self.bounds(&|_| true).upper
    }

    /// The same without what it says of states.
    pub fn condition_of_any_state(&self) -> Condition {
        self.bounds(&|fact| fact != SocketFact::State).upper
    }

    fn bounds(&self, asks: &impl Fn(SocketFact) -> bool) -> Bounds {
        self.root.as_ref().map_or_else(|| Bounds::exactly(Condition::Everything), |root| root.bounds(asks))
    }

    /// A test that one of the holders of the socket of every row passes that passes the filter; `None` where there is none.
    pub fn process_test(&self) -> Option<ProcessTest> {
        let test = self.root.as_ref()?.holder_test()?;
        Some(ProcessTest::new(move |process| test.passes(process)))
    }

    /// What it reads of sockets beyond what a source tells of all.
    pub fn reads(&self) -> QueryFields {
        self.root.as_ref().map_or(QueryFields::NONE, Node::reads)
    }
}

/// What a condition of a filter asks of a socket alone.
#[derive(Clone, Debug)]
struct Bounds {
    /// Met by the socket of every row that passes.
    upper: Condition,
    /// Every row passes whose socket meets it.
    lower: Condition,
}

impl Bounds {
    fn exactly(condition: Condition) -> Self {
        Self { upper: condition.clone(), lower: condition }
    }

    const fn at_most(upper: Condition) -> Self {
        Self { upper, lower: Condition::NOTHING }
    }

    const fn unknown() -> Self {
        Self::at_most(Condition::Everything)
    }

    fn all(bounds: impl IntoIterator<Item = Self>) -> Self {
        let (upper, lower): (Vec<_>, Vec<_>) = bounds.into_iter().map(|one| (one.upper, one.lower)).unzip();
        Self { upper: Condition::all(upper), lower: Condition::all(lower) }
    }

    fn any(bounds: impl IntoIterator<Item = Self>) -> Self {
        let (upper, lower): (Vec<_>, Vec<_>) = bounds.into_iter().map(|one| (one.upper, one.lower)).unzip();
        Self { upper: Condition::any(upper), lower: Condition::any(lower) }
    }

    fn negated(self) -> Self {
        Self { upper: self.lower.negated(), lower: self.upper.negated() }
    }
}

impl Node {
    fn bounds(&self, asks: &impl Fn(SocketFact) -> bool) -> Bounds {
        match self {
            Self::All(nodes) => Bounds::all(nodes.iter().map(|node| node.bounds(asks))),
            Self::Any(nodes) => Bounds::any(nodes.iter().map(|node| node.bounds(asks))),
            Self::Not(node) => node.bounds(asks).negated(),
            Self::Column(column, test) => {
                let fact = COLUMNS[*column].fact.filter(|fact| asks(*fact));
                fact.map_or_else(Bounds::unknown, |fact| of_fact(fact, test))
            }
            // It is looked for in names of processes and users, too.
            Self::Word(_) => Bounds::unknown(),
        }
    }

    fn reads(&self) -> QueryFields {
        match self {
            Self::All(nodes) | Self::Any(nodes) => {
                nodes.iter().fold(QueryFields::NONE, |reads, node| reads.and(node.reads()))
            }
            Self::Not(node) => node.reads(),
            Self::Column(column, _) => COLUMNS[*column].reads,
            Self::Word(_) => Word::READS,
        }
    }

    /// What one holder of every socket that passes has in common. Where several tests have to pass, different holders may
    /// pass them: one test alone holds for one process.
    fn holder_test(&self) -> Option<HolderTest> {
        match self {
            Self::All(nodes) => nodes.iter().filter_map(Self::holder_test).min_by_key(HolderTest::breadth),
            Self::Any(nodes) => nodes.iter().map(Self::holder_test).collect::<Option<_>>().map(HolderTest::Any),
            Self::Column(column, test) => match (COLUMNS[*column].fact?, test) {
                (SocketFact::Pid, Test::Range(first, last)) => Some(HolderTest::Pid(*first, *last)),
                (SocketFact::ProcessName, Test::Words(pattern)) => Some(HolderTest::Name(pattern.clone())),
                (SocketFact::Command, Test::Words(pattern)) => Some(HolderTest::Command(pattern.clone())),
                _ => None,
            },
            Self::Not(_) | Self::Word(_) => None,
        }
    }
}

/// A test of one process.
#[derive(Clone, Debug)]
enum HolderTest {
    /// The pid lies in this range.
    Pid(u64, u64),
    /// Its name, or that of the thread whose descriptors these are, matches.
    Name(Pattern),
    /// Its command line matches.
    Command(Pattern),
    /// Any of these.
    Any(Vec<HolderTest>),
}

impl HolderTest {
    fn passes(&self, process: &Process) -> bool {
        match self {
            Self::Pid(first, last) => (*first..=*last).contains(&u64::from(process.id.pid)),
            Self::Name(pattern) => {
                let thread = process.thread.as_ref().map(|thread| &thread.name);
                [Some(&process.name), thread].into_iter().flatten().any(|name| pattern.matches(name.as_str()))
            }
            Self::Command(pattern) => pattern.matches(process.command.as_str()),
            Self::Any(tests) => tests.iter().any(|test| test.passes(process)),
        }
    }

    /// How many processes pass it, as a guess: of several, the narrowest is asked for.
    fn breadth(&self) -> u64 {
        match self {
            Self::Pid(first, last) => last.saturating_sub(*first),
            Self::Name(_) => u64::from(u32::MAX),
            Self::Command(_) => u64::from(u32::MAX) + 1,
            Self::Any(tests) => tests.iter().map(Self::breadth).fold(0, u64::saturating_add),
        }
    }
}

/// The sockets of which `fact` passes `test`.
fn of_fact(fact: SocketFact, test: &Test) -> Bounds {
    match fact {
        SocketFact::Protocol => {
            let passes = |protocol: &Protocol| test.passes(&Value::word(protocol.name()));
            Bounds::exactly(choice(&Protocol::ALL, passes, Condition::Protocol))
        }
        SocketFact::Family => {
            let passes = |family: &Family| test.passes(&Value::word(family.name()));
            Bounds::exactly(choice(&Family::ALL, passes, Condition::Family))
        }
        SocketFact::State => Bounds::exactly(of_state(test)),
        SocketFact::Port(end) => of_port(end, test),
        SocketFact::Address(end) => match test {
            Test::Net(net) => in_net(end, net),
            _ => of_presence(end, test),
        },
        SocketFact::Endpoint(end) => match test {
            Test::Endpoint(net, first, last) => {
                let port = Bounds::exactly(Condition::Port(end, *first, *last));
                let place = net.as_ref().map_or_else(
                    || if *first == 0 { missing(end).negated() } else { Bounds::exactly(Condition::Everything) },
                    |net| in_net(end, net),
                );
                Bounds::all([port, place])
            }
            _ => of_presence(end, test),
        },
        SocketFact::Service => of_service(test),
        SocketFact::Cgroup => match test {
            Test::Range(first, last) if first == last => of_cgroup(*first),
            _ => Bounds::unknown(),
        },
        SocketFact::Pid | SocketFact::ProcessName | SocketFact::Command => Bounds::unknown(),
    }
}

/// What one of `all` is that passes.
fn choice<T: Copy>(all: &[T], passes: impl Fn(&T) -> bool, make: fn(T) -> Condition) -> Condition {
    let passing: Vec<T> = all.iter().copied().filter(passes).collect();
    if passing.len() == all.len() { Condition::Everything } else { Condition::any(passing.into_iter().map(make)) }
}

fn of_state(test: &Test) -> Condition {
    let states = STATES.iter().map(|row| row.state);
    let passing: Vec<TcpState> = states.filter(|state| test.passes(&Value::State(*state))).collect();
    match passing.len() {
        0 => Condition::NOTHING,
        all if all == STATES.len() => Condition::Everything,
        _ => Condition::States(StateSet::of(&passing)),
    }
}

/// A port is not known where it is 0.
fn of_port(end: SocketEnd, test: &Test) -> Bounds {
    let ports = |first: u64, last: u64| match (u16::try_from(first.max(1)), last.min(u16::MAX.into())) {
        (Ok(first), last) if u64::from(first) <= last => {
            Condition::Port(end, first, u16::try_from(last).unwrap_or(u16::MAX))
        }
        _ => Condition::NOTHING,
    };
    match test {
        Test::Missing => Bounds::exactly(Condition::Port(end, 0, 0)),
        Test::Known => Bounds::exactly(ports(1, u64::MAX)),
        Test::Range(first, last) => Bounds::exactly(ports(*first, *last)),
        _ => Bounds::unknown(),
    }
}

/// Whether the address of `end` is known at all.
fn of_presence(end: SocketEnd, test: &Test) -> Bounds {
    match test {
        Test::Missing => missing(end),
        Test::Known => missing(end).negated(),
        _ => Bounds::unknown(),
    }
}

/// The sockets of which the address of `end` is not known: without a peer; and ours of those that left the tables of the
/// kernel before they were seen (`SocketRow::local`).
fn missing(end: SocketEnd) -> Bounds {
    let unset = Condition::unset(end);
    match end {
        SocketEnd::Remote => Bounds::exactly(unset),
        SocketEnd::Local => Bounds::at_most(Condition::all([
            Condition::Protocol(Protocol::Tcp),
            Condition::States(StateSet::of(&[TcpState::Close])),
            unset,
        ])),
    }
}

/// The sockets of which the address of `end` is known and lies in `net`. What takes every address of both families is on
/// 0.0.0.0 as well as on `::` (`Net::contains`).
fn in_net(end: SocketEnd, net: &Net) -> Bounds {
    let network = net.network();
    let itself = Condition::Network(end, network);
    let [has_ipv4, has_ipv6] = Family::ALL.map(|family| network.contains(family.unspecified()));
    let takes_both = (end == SocketEnd::Local && has_ipv4).then_some(Condition::Network(end, EVERY_ADDRESS));
    let upper = Condition::any([itself.clone()].into_iter().chain(takes_both));
    // Names of interfaces are not told with a socket.
    let lower = if net.has_link() { Condition::NOTHING } else { itself };
    let place = Bounds { upper, lower };
    if has_ipv4 || has_ipv6 { Bounds::all([place, missing(end).negated()]) } else { place }
}

/// The service is that of one of the two ports.
fn of_service(test: &Test) -> Bounds {
    let Test::Words(pattern) = test else { return Bounds::unknown() };
    let matching = ports::services().filter(|(_, _, name)| pattern.matches(name)).map(|(_, port, _)| port);
    let ports: BTreeSet<u16> = matching.collect();
    if ports.len() > SERVICE_PORTS_MAX {
        return Bounds::unknown();
    }
    let either = |port: u16| [SocketEnd::Local, SocketEnd::Remote].map(|end| Condition::Port(end, port, port));
    Bounds::at_most(Condition::any(ports.into_iter().flat_map(either)))
}

/// Other numbers than those of cgroups stand for paths, and are not shown.
fn of_cgroup(id: u64) -> Bounds {
    let id = NonZeroU64::new(id).filter(|id| id.get() < NO_CGROUP);
    Bounds::exactly(id.map_or(Condition::NOTHING, Condition::Cgroup))
}

#[cfg(test)]
mod tests;
