//! The questions: what is asked of conntop, what people ask `ss` instead, and what the kernel takes for it.

use crate::answers::{Expected, Printed};
use crate::baseline::{CLOSE_WAIT, RawFilter, RawRequest, TIME_WAIT};
use crate::socket_load::{SocketLoad, address_of, holder_name, port_of};

/// The holder whose sockets are asked for, and that has all `CLOSE_WAIT` sockets where one process leaks them.
pub const LEAKING_HOLDER: u32 = 3;
/// The columns that `ss -tan` has.
const COLUMNS_OF_SS: &str = "state,recvq,sendq,local,remote";
/// `ss -p` takes half a minute for more sockets, if it prints them all.
const SS_OWNERS_MAX: u32 = 20_000;
/// The longest list that is asked for where that says so.
const LIMIT: usize = 10;

/// One row: a command, what it is compared with, and what it must print.
pub struct Question {
    /// What the row is called.
    pub name: String,
    /// Arguments of conntop.
    pub ours: Vec<String>,
    /// How it prints sockets.
    pub printed: Printed,
    /// How many it must print.
    pub expected: Expected,
    /// What people ask instead.
    pub rival: Option<Rival>,
    /// What the kernel takes at the least.
    pub floors: Vec<Floor>,
}

/// A run of `ss`.
pub struct Rival {
    /// Its arguments.
    pub args: Vec<String>,
    /// The most that conntop may take of its time; infinite where there is no target.
    pub target: f64,
}

/// What the kernel takes; a target is infinite where there is none.
pub enum Floor {
    /// A dump.
    Dump { name: &'static str, request: RawRequest, target: f64 },
    /// The whole table with `tcp_info`, and the descriptors of every process.
    DumpAndWalk { target: f64 },
    /// The whole table with `tcp_info`, and the descriptors of one process.
    DumpAndWalkOf { pid: u32, target: f64 },
}

impl Question {
    /// One whose answer has as many sockets as `ss` prints lines with `ss_args`.
    fn new(name: &str, ours: &str, printed: Printed, ss_args: &str) -> Self {
        let expected = Expected::LinesOfSs(words(ss_args), usize::MAX);
        Self { name: name.to_owned(), ours: words(ours), printed, expected, rival: None, floors: Vec::new() }
    }

    fn rival(self, args: &str, target: f64) -> Self {
        Self { rival: Some(Rival { args: words(args), target }), ..self }
    }

    fn floor(mut self, floor: Floor) -> Self {
        self.floors.push(floor);
        self
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// What is asked where one process leaks all `CLOSE_WAIT` sockets and every listener has a low descriptor.
pub fn leaked_by_one(load: &SocketLoad, size: u32) -> Vec<Question> {
    let mut questions = without_owners();
    questions.push(close_wait_with_owners("all of one process", 0.35));
    questions.push(ports("low descriptors"));
    questions.extend(of_one_process(load, "one control group for all"));
    questions.extend(whole_table(size));
    questions
}

/// What is asked where every process leaks `CLOSE_WAIT` sockets and every listener has a descriptor among its connections.
pub fn spread_over_all() -> Vec<Question> {
    // The last descriptor that is looked for is found near the end, wherever the search begins.
    vec![close_wait_with_owners("spread over all processes", f64::INFINITY), ports("listeners among connections")]
}

/// What is asked where every listener has the highest descriptor of its process.
pub fn raised_listeners() -> Vec<Question> {
    vec![ports("high descriptors")]
}

/// What is asked where thousands of sockets are in `TIME_WAIT`.
pub fn time_wait() -> Vec<Question> {
    let limited = |ss_args| Expected::LinesOfSs(words(ss_args), LIMIT);
    let ss_args = "-Htan state time-wait";
    let question = Question::new(
        "list state:time-wait --limit 10",
        &format!("list state:time-wait --limit {LIMIT}"),
        Printed::Table,
        ss_args,
    );
    vec![
        Question { expected: limited(ss_args), ..question }
            .floor(filtered_dump(RawRequest::of_states(TIME_WAIT)))
            .rival(ss_args, 1.0),
    ]
}

/// A state, ports, addresses and a family, counted and listed.
fn without_owners() -> Vec<Question> {
    let (address, port) = (address_of(LEAKING_HOLDER), port_of(LEAKING_HOLDER));
    // The addresses of three holders.
    let network = address_of(0);
    let filters = [
        ("state:close-wait".to_owned(), "state close-wait".to_owned(), RawRequest::of_states(CLOSE_WAIT)),
        (format!("lport:{port}"), format!("sport = :{port}"), RawRequest::filtered(RawFilter::LocalPort(port))),
        (format!("rport:{port}"), format!("dport = :{port}"), RawRequest::filtered(RawFilter::RemotePort(port))),
        (
            format!("raddr:{address}"),
            format!("dst {address}"),
            RawRequest::filtered(RawFilter::RemoteNetwork(address, 32)),
        ),
        (
            format!("raddr:{network}/30"),
            format!("dst {network}/30"),
            RawRequest::filtered(RawFilter::RemoteNetwork(network, 30)),
        ),
        ("family:ipv6".to_owned(), "-6".to_owned(), RawRequest::IPV6),
    ];
    let both = filters.iter().flat_map(|(filter, ss_filter, request)| {
        let ss_args = format!("-Htuan {ss_filter}");
        let commands = [
            (format!("list --count-only {filter}"), Printed::Number),
            (format!("list --columns {COLUMNS_OF_SS} {filter}"), Printed::Table),
        ];
        commands.map(|(command, printed)| {
            Question::new(&command, &command, printed, &ss_args)
                .floor(filtered_dump(*request))
                .floor(Floor::Dump {
                    name: "the same with tcp_info",
                    request: RawRequest { tcp_info: true, ..*request },
                    target: f64::INFINITY,
                })
                .rival(&ss_args, 1.0)
        })
    });
    both.collect()
}

const fn filtered_dump(request: RawRequest) -> Floor {
    Floor::Dump { name: "raw dump of these", request, target: 1.2 }
}

fn close_wait_with_owners(placement: &str, target: f64) -> Question {
    let name = format!("list state:close-wait, owners, {placement}");
    let question = Question::new(&name, "list state:close-wait", Printed::Table, "-Htan state close-wait");
    question.floor(Floor::DumpAndWalk { target }).rival("-Htanp state close-wait", f64::INFINITY)
}

fn ports(placement: &str) -> Question {
    let question = Question::new(&format!("ports, {placement}"), "ports", Printed::Table, "-Htln");
    question.floor(Floor::DumpAndWalk { target: 0.1 }).rival("-Htlnp", f64::INFINITY)
}

/// The sockets of one process.
pub fn of_one_process(load: &SocketLoad, placement: &str) -> Vec<Question> {
    let (pid, name) = (load.pid(LEAKING_HOLDER as usize), holder_name(LEAKING_HOLDER));
    let commands = [
        ("list --count-only pid:N", format!("list --count-only pid:{pid}"), Printed::Number),
        ("list pid:N", format!("list pid:{pid}"), Printed::Table),
        ("list --count-only process:NAME", format!("list --count-only process:{name}"), Printed::Number),
        ("list process:NAME", format!("list process:{name}"), Printed::Table),
    ];
    let question = |(row, command, printed): (&str, String, _)| {
        let row = format!("{row}, {placement}");
        let question = Question { expected: Expected::SocketsOf(pid), ..Question::new(&row, &command, printed, "") };
        question.floor(Floor::DumpAndWalkOf { pid, target: 0.6 })
    };
    commands.into_iter().map(question).collect()
}

/// All sockets, listed and grouped.
fn whole_table(size: u32) -> Vec<Question> {
    let list = Question::new("list --format ndjson", "list --format ndjson", Printed::Lines, "-Htan");
    let list = list.floor(Floor::DumpAndWalk { target: 1.5 });
    let grouped = |command: &str, target| {
        Question::new(command, command, Printed::Groups, "-Htan").floor(Floor::Dump {
            name: "raw dump",
            request: RawRequest::ALL,
            target,
        })
    };
    vec![
        grouped("list --group-by state --columns state,count", 0.6).rival("-s", f64::INFINITY),
        // Its sums take tcp_info.
        grouped("list --group-by state", f64::INFINITY),
        if size <= SS_OWNERS_MAX { list.rival("-tanp", 0.6) } else { list },
    ]
}
