//! The arguments of `conntop netstat`, and what they ask for.

use std::time::Duration;

use clap::Args;

use crate::cli::options::{CountLimit, FormatOption};
use crate::cli::values::NameParser;
use crate::cli::{Failure, parse_filter};
use crate::knowledge::ports;
use crate::model::endpoint::Protocol;
use crate::model::tcp_state::TcpState;
use crate::report::format::DocumentFormat;
use crate::report::netstat::NetstatOptions;
use crate::report::netstat::connections::Connections;
use crate::report::netstat::protocol::{self, PROTOCOLS, ProtocolRow};
use crate::table::{suggest, units};

/// The shortest and the longest interval, in seconds. A port is easily taken for the interval; few of them are below.
const INTERVAL_MIN: f64 = 0.1;
const INTERVAL_MAX: f64 = 3600.0;
/// From here on an interval that is the number of a service is likely to be a port.
const PORT_MIN: u16 = 20;

const PROTOCOL_HELP: &str =
    "Show only TCP, TCPv6, UDP or UDPv6; with -s also IP, IPv6, ICMP, ICMPv6; with -r IP or IPv6";
const COUNT_HELP: &str = "Stop after showing this many times";

/// A protocol, of which only the names are offered: which of them fit depends on the other options, and `-plnt` is a
/// habit of Linux that has an answer of its own.
const PROTOCOL: NameParser<String> = NameParser {
    names: || PROTOCOLS.iter().map(|row| row.name.to_owned()).collect(),
    parse: |name| Ok(name.to_owned()),
    listed: None,
};

/// The arguments.
#[derive(Args, Debug)]
#[command(next_help_heading = "What to show")]
#[command(mut_arg("count", |arg| arg.help(COUNT_HELP)))]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
pub(super) struct NetstatArguments {
    /// Show listeners and sockets without a peer too; with -s counters at zero, with -r every table, with -t every feature
    #[arg(short = 'a')]
    all: bool,
    /// Show the process behind each connection, and the path of its executable where you may know it
    #[arg(short = 'b')]
    executable: bool,
    /// Show what each interface counted: bytes, packets, discards, errors
    #[arg(short = 'e')]
    interfaces: bool,
    /// Ask name servers for names of foreign hosts, and show them instead of addresses; the same limits as --dns
    #[arg(short = 'f')]
    names: bool,
    /// Show ports in digits, not by the names of their services
    #[arg(short = 'n')]
    numeric: bool,
    /// Show the process id that owns each connection
    #[arg(short = 'o')]
    pid: bool,
    #[arg(short = 'p', value_name = "PROTO", help = PROTOCOL_HELP, num_args = 0..=1, value_parser = PROTOCOL, hide_possible_values = true)]
    #[expect(clippy::option_option, reason = "the option without a value is answered")]
    protocol: Option<Option<String>>,
    /// Show the routes
    #[arg(short = 'r')]
    routes: bool,
    /// Show what each protocol counted
    #[arg(short = 's')]
    statistics: bool,
    /// Show which work the interfaces do instead of the processor; Linux keeps no such state for a connection
    #[arg(short = 't')]
    offload: bool,
    /// A number shows again after so many seconds, until Ctrl-C. Other words are a filter, as in conntop list;
    /// with one, listeners are shown too
    #[arg(value_name = "INTERVAL | FILTER", allow_negative_numbers = true)]
    words: Vec<String>,
    #[command(flatten)]
    output: FormatOption<DocumentFormat>,
    #[command(flatten)]
    count: CountLimit,
    #[command(flatten)]
    linux: LinuxOptionHints,
}

/// Options of Linux's netstat that mean something here, said otherwise.
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
struct LinuxOptionHints {
    #[arg(id = "linux_l", short = 'l', hide = true)]
    listening: bool,
    #[arg(id = "linux_u", short = 'u', hide = true)]
    udp: bool,
    #[arg(id = "linux_i", short = 'i', hide = true)]
    interfaces: bool,
    #[arg(id = "linux_c", short = 'c', hide = true)]
    continuous: bool,
    #[arg(id = "linux_x", short = 'x', hide = true)]
    unix: bool,
    #[arg(id = "linux_g", short = 'g', hide = true)]
    groups: bool,
    #[arg(id = "linux_W", short = 'W', hide = true)]
    wide: bool,
    #[arg(id = "linux_4", short = '4', hide = true)]
    ipv4: bool,
    #[arg(id = "linux_6", short = '6', hide = true)]
    ipv6: bool,
}

impl LinuxOptionHints {
    /// How to say what somebody who knows Linux's netstat has asked for.
    fn refuse(&self) -> Result<(), Failure> {
        let habits = [
            (self.listening, "-l", "write state:LISTENING, as in conntop netstat -ano state:LISTENING"),
            (self.udp, "-u", "write -p UDP, as in conntop netstat -ano -p UDP"),
            (self.interfaces, "-i", "write -e, as in conntop netstat -e"),
            (self.continuous, "-c", "write the interval, as in conntop netstat -ano 1"),
            (self.unix, "-x", "conntop shows TCP and UDP sockets only; for unix sockets see ss -x"),
            (self.groups, "-g", "conntop shows no multicast groups; see ip maddress"),
            (self.wide, "-W", "leave it out: no address is ever cut"),
            (self.ipv4, "-4", "write -p TCP or -p UDP, or with -r -p IP"),
            (self.ipv6, "-6", "write -p TCPv6 or -p UDPv6, or with -r -p IPv6"),
        ];
        match habits.into_iter().find(|(is_given, ..)| *is_given) {
            Some((_, option, way)) => {
                Err(Failure::Usage(format!("{option} is of Linux's netstat, whose other options differ too; {way}")))
            }
            None => Ok(()),
        }
    }
}

/// What was asked for, checked.
#[derive(Debug)]
pub(super) struct NetstatRequest {
    pub(super) wanted: NetstatOptions,
    /// How often; `None` for once.
    pub(super) interval: Option<Duration>,
    /// What the user should know, though it is no error.
    pub(super) hints: Vec<String>,
}

impl NetstatArguments {
    /// What they ask for.
    pub(super) fn plan(&self) -> Result<NetstatRequest, Failure> {
        self.linux.refuse()?;
        let protocol = self.protocol()?;
        let (interval, filter) = self.words()?;
        let mut hints = Vec::new();
        hints.extend(interval.and_then(port_hint));
        hints.extend(filter.iter().find_map(|word| options_hint(word)));
        let asks_for_connections = self.all || self.executable || self.names || self.numeric || self.pid;
        let others = self.interfaces || self.statistics || self.routes;
        let shows_connections = !others && (!self.offload || asks_for_connections || !filter.is_empty());
        if !shows_connections && !filter.is_empty() {
            let text = filter.join(" ");
            return Err(Failure::Usage(format!(
                "'{text}' chooses among connections; leave out -e, -r and -s to see them"
            )));
        }
        if self.offload {
            hints.push(
                "-t: Linux keeps no offload state of a connection; the features of the interfaces are shown".to_owned(),
            );
        }
        if self.statistics && protocol.is_some_and(|row| row.name == "TCPv6") {
            hints.push("-p TCPv6: Linux counts TCP over IPv4 and IPv6 together".to_owned());
        }
        let connections = shows_connections.then(|| self.connections(protocol, &filter)).transpose()?;
        let wanted = NetstatOptions {
            connections,
            interfaces: self.interfaces,
            statistics: self.statistics,
            routes: self.routes,
            offload: self.offload,
            all: self.all,
            protocol,
            format: self.output.format,
            repeats: interval.is_some(),
        };
        Ok(NetstatRequest { wanted, interval, hints })
    }

    fn connections(&self, protocol: Option<&'static ProtocolRow>, filter: &[String]) -> Result<Connections, Failure> {
        Ok(Connections {
            filter: parse_filter(&filter.join(" "))?,
            protocol,
            all: self.all || !filter.is_empty(),
            numeric: self.numeric,
            names: self.names,
            pid: self.pid,
            executable: self.executable,
        })
    }

    /// The protocol of `-p`, if what is shown can be divided by it.
    fn protocol(&self) -> Result<Option<&'static ProtocolRow>, Failure> {
        let Some(given) = &self.protocol else { return Ok(None) };
        let fits = |row: &ProtocolRow| match (self.statistics, self.routes) {
            (true, _) => true,
            (false, true) => row.routes.is_some(),
            (false, false) => row.sockets.is_some(),
        };
        let known = protocol::names(fits);
        let Some(name) = given else {
            return Err(Failure::Usage(format!(
                "-p needs a protocol: {known} (to see programs, as with -p of Linux's netstat, write -b)"
            )));
        };
        let Some(row) = protocol::find(name) else {
            // They are few and short: only one letter may be wrong, else all are said.
            let near = PROTOCOLS.iter().find(|row| fits(row) && suggest::distance(name, row.name) == 1);
            let all = || format!("there are {known} (to see programs, write -b)");
            let hint = near.map_or_else(all, |row| format!("did you mean '{}'?", row.name));
            return Err(Failure::Usage(format!("unknown protocol '{name}' for -p; {hint}")));
        };
        if self.interfaces && !self.statistics && !self.routes {
            return Err(Failure::Usage("interfaces count all protocols together; leave out -p, or add -s".to_owned()));
        }
        if !fits(row) {
            let without = if self.routes { "with -r" } else { "without -s" };
            return Err(Failure::Usage(format!(
                "{without}, -p takes {known}; conntop netstat -s -p {} shows its counters",
                row.name
            )));
        }
        Ok(Some(row))
    }

    /// After how many rounds to stop.
    pub(super) fn rounds(&self) -> Option<u64> {
        self.count.limit()
    }

    /// The interval and the words of the filter.
    fn words(&self) -> Result<(Option<Duration>, Vec<String>), Failure> {
        let (mut interval, mut filter) = (None, Vec::new());
        for word in &self.words {
            refuse_foreign_word(word)?;
            let number = number_of(word);
            match number {
                None => filter.push(as_state(word)),
                Some(_) if interval.is_some() => {
                    return Err(Failure::Usage(format!("'{word}' is a second interval; for a port write port:{word}")));
                }
                Some(seconds) if (INTERVAL_MIN..=INTERVAL_MAX).contains(&seconds) => {
                    interval = Some(Duration::from_secs_f64(seconds));
                }
                Some(_) => {
                    return Err(Failure::Usage(format!(
                        "'{word}' is no interval: those are from {INTERVAL_MIN} to {INTERVAL_MAX} seconds; for a port write \
                         conntop netstat -ano port:{word}"
                    )));
                }
            }
        }
        Ok((interval, filter))
    }
}

/// The seconds that `word` writes, if it is a number or a time with units.
fn number_of(word: &str) -> Option<f64> {
    let starts_like_one = word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let span = || units::parse_span(word).map(|nanos| Duration::from_nanos(nanos).as_secs_f64());
    word.parse().ok().filter(|_| starts_like_one).or_else(span)
}

/// A state alone, `LISTENING`, is what `findstr` would have been given.
fn as_state(word: &str) -> String {
    let is_state = TcpState::parse(word).is_some_and(|states| states.len() == 1);
    if is_state { format!("state:{word}") } else { word.to_owned() }
}

/// Options as Windows has them too (`/ano`), and commands that belong after a pipe.
fn refuse_foreign_word(word: &str) -> Result<(), Failure> {
    const COMMANDS: [&str; 2] = ["findstr", "grep"];
    if let Some(letters) = word.strip_prefix('/').filter(|letters| are_options(letters)) {
        return Err(Failure::Usage(format!(
            "options are written with a dash here: conntop netstat -{}",
            letters.to_ascii_lowercase()
        )));
    }
    if COMMANDS.iter().any(|command| word.eq_ignore_ascii_case(command)) {
        return Err(Failure::Usage(format!(
            "'{word}' is another command, which reads our output through a pipe: conntop netstat -ano | grep :80; without it \
             write conntop netstat -ano port:80"
        )));
    }
    Ok(())
}

/// Whether `letters` are options of netstat, each once.
fn are_options(letters: &str) -> bool {
    let is_known = |letter: char| "abefnoprst".contains(letter.to_ascii_lowercase());
    let mut seen: Vec<char> = letters.chars().collect();
    seen.sort_unstable();
    seen.dedup();
    !letters.is_empty() && seen.len() == letters.len() && letters.chars().all(is_known)
}

/// Somebody who writes `netstat ano` may have forgotten the dash.
fn options_hint(word: &str) -> Option<String> {
    let is_bundle = ["an", "ano", "abno", "anob", "aon", "na", "nao", "rn", "nr", "es", "anb"].contains(&word);
    is_bundle
        .then(|| format!("'{word}' is looked for as text; options are written with a dash: conntop netstat -{word}"))
}

/// Somebody who writes `netstat -ano 80` may have meant port 80.
fn port_hint(interval: Duration) -> Option<String> {
    let port = u16::try_from(interval.as_secs()).ok().filter(|port| *port >= PORT_MIN)?;
    let is_whole = interval.subsec_nanos() == 0;
    let service = Protocol::ALL.into_iter().find_map(|protocol| {
        let row = ports::catalogue(protocol, port).next();
        ports::service(protocol, port).or_else(|| row.map(|_| "a service"))
    })?;
    is_whole.then(|| {
        format!(
            "showing again every {port} seconds; for port {port} ({service}) write conntop netstat -ano port:{port}, or | grep :{port}"
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::{FromArgMatches, error::ErrorKind};

    use super::*;

    fn plan(words: &[&str]) -> Result<NetstatRequest, String> {
        let command = NetstatArguments::augment_args(clap::Command::new("netstat"));
        let words = std::iter::once("netstat").chain(words.iter().copied());
        let matches = command.try_get_matches_from(words).map_err(|error| error.to_string())?;
        let arguments = NetstatArguments::from_arg_matches(&matches).map_err(|error| error.to_string())?;
        arguments.plan().map_err(|failure| format!("{failure:?}"))
    }

    fn planned(words: &[&str]) -> NetstatRequest {
        plan(words).unwrap_or_else(|sentence| panic!("{words:?}: {sentence}"))
    }

    #[test]
    fn options_may_be_bundled_and_stand_anywhere() {
        for words in [&["-ano"][..], &["-a", "-n", "-o"], &["-on", "-a"], &["state:listen", "-ano"]] {
            let connections = planned(words).wanted.connections.expect("connections");
            assert!(connections.all && connections.numeric && connections.pid && !connections.executable, "{words:?}");
        }
        let plan = planned(&["-anop", "tcpV6", "5"]);
        assert_eq!(plan.wanted.protocol.map(|row| row.name), Some("TCPv6"));
        assert_eq!(plan.interval, Some(Duration::from_secs(5)));
    }

    #[test]
    fn parts_are_shown_that_were_asked_for() {
        let parts = |words: &[&str]| {
            let wanted = planned(words).wanted;
            (wanted.connections.is_some(), wanted.interfaces, wanted.statistics, wanted.routes, wanted.offload)
        };
        assert_eq!(parts(&[]), (true, false, false, false, false));
        assert_eq!(parts(&["-rn"]), (false, false, false, true, false));
        assert_eq!(parts(&["-es"]), (false, true, true, false, false));
        assert_eq!(parts(&["-t"]), (false, false, false, false, true));
        // Linux's habit: -t is TCP there, so the connections must come as well.
        assert_eq!(parts(&["-ant"]), (true, false, false, false, true));
        assert_eq!(parts(&["-s", "-p", "icmp", "1"]), (false, false, true, false, false));
    }

    #[test]
    fn numbers_are_intervals_and_states_are_filters() {
        let filter = |words: &[&str]| format!("{:?}", planned(words).wanted.connections.expect("connections").filter);
        assert_eq!(filter(&["LISTENING"]), filter(&["state:LISTENING"]));
        for word in ["0.5", "500ms", ".5"] {
            assert_eq!(planned(&[word]).interval, Some(Duration::from_millis(500)), "{word}");
        }
        assert_eq!(planned(&["2m"]).interval, Some(Duration::from_secs(2 * 60)));
        for words in [&["3601"][..], &["0"], &["-1"], &["1e9"], &["5", "6"], &["1.2.3.4.5", "x:y"]] {
            assert!(plan(words).is_err(), "{words:?}");
        }
        assert!(planned(&["10.0.0.1"]).interval.is_none(), "an address is a word to look for");
    }

    #[test]
    fn a_likely_port_is_hinted_at_and_a_likely_interval_is_not() {
        for port in [22, 25, 53, 80, 81, 443] {
            assert!(port_hint(Duration::from_secs(port)).is_some_and(|hint| hint.contains(&format!("port:{port}"))));
        }
        for seconds in [1, 2, 5, 10, 15, 30, 60, 120, 300] {
            assert_eq!(port_hint(Duration::from_secs(seconds)), None);
        }
        assert_eq!(port_hint(Duration::from_millis(80_500)), None);
    }

    #[test]
    fn options_of_linux_are_answered_with_ours() {
        let answer = |word: &str| plan(&[word]).expect_err(word);
        for (word, part) in [("-tuln", "LISTENING"), ("-u", "-p UDP"), ("-i", "-e"), ("-c", "ano 1"), ("-W", "cut")] {
            assert!(answer(word).contains(part), "{word}: {}", answer(word));
        }
        let unknown =
            NetstatArguments::augment_args(clap::Command::new("netstat")).try_get_matches_from(["netstat", "-z"]);
        assert_eq!(unknown.map_err(|error| error.kind()).err(), Some(ErrorKind::UnknownArgument));
    }
}
