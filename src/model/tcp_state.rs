//! The states a socket can be in: one table that everything else reads (names, aliases, labels, colours, diagram).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long `TIME_WAIT` lasts on Linux (`TCP_TIMEWAIT_LEN`, include/net/tcp.h): fixed.
pub const TIME_WAIT_LEN: Duration = Duration::from_secs(60);

/// The state of a socket. The TCP states are those of RFC 9293, section 3.3.2, under Linux's names
/// (`include/net/tcp_states.h`); `Unconn` is a UDP socket without a peer, as ss(8) calls it,
/// and `Bound` a TCP socket that has a port by bind(2) and neither listens nor connects: the kernel says `CLOSE` of it
/// and lists it only to those who ask for `TCP_BOUND_INACTIVE` (Linux 6.8); Windows and ss's filters have this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
#[expect(missing_docs, reason = "the table below says what each state means")]
pub enum TcpState {
    Listen,
    SynSent,
    SynRecv,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
    Close,
    Unconn,
    Bound,
}

/// What a state is part of: the one thing its colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Waiting for peers.
    Listening,
    /// The handshake is under way.
    Opening,
    /// Data can flow.
    Open,
    /// One side has closed, the other has not finished.
    Closing,
    /// The connection is over; only its name is kept.
    Waiting,
    /// No connection.
    Idle,
}

/// One row of the state table.
pub struct StateRow {
    /// The state this row describes; rows stand in the order of the enum.
    pub state: TcpState,
    /// Linux's number (`include/net/tcp_states.h`).
    pub kernel_code: u8,
    /// The field's standard name.
    pub name: &'static str,
    /// The name cut to fit four cells, for narrow screens.
    pub short: &'static str,
    /// The label for machines: lower case with underscores.
    pub label: &'static str,
    /// What filters accept beside the name (any case; `-`, `_` and space are the same).
    pub aliases: &'static [&'static str],
    /// What the state is part of.
    pub phase: Phase,
    /// The states that can follow directly (RFC 9293, figure 5, and Linux's short cuts: a reset or time-out leads
    /// anywhere open to `CLOSE`, a passive open shows as a new socket). Reaching another state means that states
    /// between two samples were not seen.
    pub successors: &'static [TcpState],
}

use TcpState::{
    Bound, Close, CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent, TimeWait,
    Unconn,
};

/// Every state, indexed by `TcpState as usize`.
#[rustfmt::skip]
pub const STATES: [StateRow; 13] = [
    StateRow { state: Listen,      kernel_code: 10, name: "LISTEN",      short: "LSN",  label: "listen",      aliases: &["listening"],                 phase: Phase::Listening, successors: &[Close] },
    StateRow { state: SynSent,     kernel_code: 2,  name: "SYN_SENT",    short: "SYNS", label: "syn_sent",    aliases: &["syns"],                      phase: Phase::Opening,   successors: &[Established, SynRecv, Close] },
    StateRow { state: SynRecv,     kernel_code: 3,  name: "SYN_RECV",    short: "SYNR", label: "syn_recv",    aliases: &["syn-received", "synr"],      phase: Phase::Opening,   successors: &[Established, FinWait1, CloseWait, Close] },
    StateRow { state: Established, kernel_code: 1,  name: "ESTABLISHED", short: "EST",  label: "established", aliases: &["estab", "est"],              phase: Phase::Open,      successors: &[FinWait1, CloseWait, Close] },
    StateRow { state: FinWait1,    kernel_code: 4,  name: "FIN_WAIT1",   short: "FW1",  label: "fin_wait1",   aliases: &["fin-wait-1", "fw1"],         phase: Phase::Closing,   successors: &[FinWait2, Closing, TimeWait, Close] },
    StateRow { state: FinWait2,    kernel_code: 5,  name: "FIN_WAIT2",   short: "FW2",  label: "fin_wait2",   aliases: &["fin-wait-2", "fw2"],         phase: Phase::Closing,   successors: &[TimeWait, Close] },
    StateRow { state: CloseWait,   kernel_code: 8,  name: "CLOSE_WAIT",  short: "CW",   label: "close_wait",  aliases: &["clw", "cw"],                 phase: Phase::Closing,   successors: &[LastAck, Close] },
    StateRow { state: Closing,     kernel_code: 11, name: "CLOSING",     short: "CLSG", label: "closing",     aliases: &[],                            phase: Phase::Closing,   successors: &[TimeWait, Close] },
    StateRow { state: LastAck,     kernel_code: 9,  name: "LAST_ACK",    short: "LACK", label: "last_ack",    aliases: &["la"],                        phase: Phase::Closing,   successors: &[Close] },
    StateRow { state: TimeWait,    kernel_code: 6,  name: "TIME_WAIT",   short: "TW",   label: "time_wait",   aliases: &["tw", "timewait"],            phase: Phase::Waiting,   successors: &[Close] },
    StateRow { state: Close,       kernel_code: 7,  name: "CLOSE",       short: "CLS",  label: "close",       aliases: &["closed"],                    phase: Phase::Idle,      successors: &[Listen, SynSent, Bound] },
    StateRow { state: Unconn,      kernel_code: 7,  name: "UNCONN",      short: "UNC",  label: "unconn",      aliases: &["unconnected"],               phase: Phase::Idle,      successors: &[Established] },
    StateRow { state: Bound,       kernel_code: 13, name: "BOUND",       short: "BND",  label: "bound",       aliases: &["bound-inactive"],            phase: Phase::Idle,      successors: &[Listen, SynSent, Close] },
];

/// Names for several states at once, as ss(8) has them.
#[rustfmt::skip]
pub const STATE_GROUPS: [(&str, &[TcpState]); 5] = [
    ("all",          &[Listen, SynSent, SynRecv, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck, TimeWait, Close, Unconn, Bound]),
    ("connected",    &[SynSent, SynRecv, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck, TimeWait]),
    ("synchronized", &[SynRecv, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck, TimeWait]),
    ("bucket",       &[SynRecv, TimeWait]),
    ("big",          &[Listen, SynSent, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck, Close, Unconn, Bound]),
];

impl TcpState {
    /// The state's row in the table.
    pub const fn row(self) -> &'static StateRow {
        &STATES[self as usize]
    }

    /// The field's standard name, `CLOSE_WAIT`.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// What the state is part of.
    pub const fn phase(self) -> Phase {
        self.row().phase
    }

    /// The TCP state with Linux's number `code`; `None` for a number this table does not know.
    pub fn from_kernel(code: u8) -> Option<Self> {
        // TCP_NEW_SYN_RECV (12) is how the kernel keeps a request socket; to the world it is SYN_RECV.
        let code = if code == 12 { 3 } else { code };
        STATES.iter().find(|row| row.kernel_code == code).map(|row| row.state)
    }

    /// The states that `name` stands for: a name, an alias or a group, in any case, with `-`, `_` or space.
    pub fn parse(name: &str) -> Option<&'static [Self]> {
        let name = normalise(name);
        let groups = STATE_GROUPS.iter().find(|(group, _)| *group == name).map(|(_, states)| *states);
        groups.or_else(|| {
            let row = STATES
                .iter()
                .find(|row| normalise(row.name) == name || row.aliases.iter().any(|alias| normalise(alias) == name))?;
            Some(std::slice::from_ref(&row.state))
        })
    }

    /// Whether a socket in this state can follow one in `self` with nothing missed in between.
    pub fn leads_to(self, next: Self) -> bool {
        self.row().successors.contains(&next)
    }

    /// Whether a connection in this state can come to be in `next`, with states missed in between or not: never through a
    /// state that ends it.
    pub fn can_become(self, next: Self) -> bool {
        let mut reached = 1u32 << self as u32;
        loop {
            let open = STATES.iter().filter(|row| reached & 1 << row.state as u32 != 0);
            let open = open.filter(|row| !matches!(row.state, Close | TimeWait | Unconn));
            let more = open.flat_map(|row| row.successors).fold(reached, |reached, state| reached | 1 << *state as u32);
            if more == reached {
                return self != next && reached & 1 << next as u32 != 0;
            }
            reached = more;
        }
    }

    /// Whether the kernel keeps only a mini-socket (no inode, no uid, no `tcp_info`) in this state.
    pub const fn is_mini(self) -> bool {
        matches!(self, TimeWait | SynRecv)
    }
}

fn normalise(name: &str) -> String {
    name.to_lowercase().replace(['_', ' '], "-")
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_goes_forward_only() {
        assert!(FinWait1.can_become(TimeWait) && SynRecv.can_become(LastAck) && Established.can_become(TimeWait));
        assert!(!CloseWait.can_become(TimeWait) && !FinWait1.can_become(CloseWait) && !TimeWait.can_become(SynSent));
        assert!(!Established.can_become(SynSent) && !Established.can_become(Established));
    }

    #[test]
    fn rows_stand_in_the_order_of_the_enum() {
        for (index, row) in STATES.iter().enumerate() {
            assert_eq!(row.state as usize, index, "{}", row.name);
        }
    }

    #[test]
    fn every_name_and_alias_is_parsed_and_means_one_thing() {
        let mut seen = std::collections::BTreeSet::new();
        for row in &STATES {
            for name in std::iter::once(&row.name).chain(row.aliases) {
                assert_eq!(TcpState::parse(name), Some(&[row.state][..]), "{name}");
                assert!(seen.insert(normalise(name)), "{name} stands twice");
            }
        }
        for (group, states) in STATE_GROUPS {
            assert_eq!(TcpState::parse(group), Some(states));
            assert!(seen.insert(group.to_owned()), "{group} stands twice");
        }
        assert_eq!(TcpState::parse("no-such-state"), None);
    }

    #[test]
    fn users_may_write_states_as_ss_netstat_and_rfcs_do() {
        for name in ["close-wait", "CLOSE_WAIT", "Close wait", "cw"] {
            assert_eq!(TcpState::parse(name), Some(&[CloseWait][..]), "{name}");
        }
        assert_eq!(TcpState::parse("LISTENING"), Some(&[Listen][..]));
    }

    #[test]
    fn kernel_codes_are_those_of_tcp_states_h() {
        let names: Vec<_> = (1..=12).filter_map(TcpState::from_kernel).map(TcpState::name).collect();
        assert_eq!(
            names,
            [
                "ESTABLISHED",
                "SYN_SENT",
                "SYN_RECV",
                "FIN_WAIT1",
                "FIN_WAIT2",
                "TIME_WAIT",
                "CLOSE",
                "CLOSE_WAIT",
                "LAST_ACK",
                "LISTEN",
                "CLOSING",
                "SYN_RECV"
            ]
        );
        assert_eq!(TcpState::from_kernel(0), None);
        assert_eq!(TcpState::from_kernel(13), Some(Bound));
        assert_eq!(TcpState::from_kernel(14), None);
    }
}
