//! Closing one socket from outside: what is closed, what that does to both ends, and what came of it.
//!
//! The kernel calls it `SOCK_DESTROY` (`sock_diag`(7), `tcp_abort` in `net/ipv4/tcp.c`, `udp_abort` in `net/ipv4/udp.c`).

use std::num::NonZeroU32;

use crate::model::action::ProcMismatch;
use crate::model::address_text::AddressText;
use crate::model::endpoint::Protocol;
use crate::model::process::Names;
use crate::model::socket::{Socket, SocketRef};
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;

/// Exactly what a confirmed close does: this socket is closed, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The socket. The kernel compares the cookie, so that a later socket with the same endpoints is never hit.
    pub socket: SocketRef,
    /// Its inode, by which the processes that hold it are known; `None` where nobody holds it.
    pub inode: Option<NonZeroU32>,
    /// Its state when it was chosen, which says what closing it does.
    pub state: TcpState,
    /// It is a TCP socket that carries an MPTCP connection.
    pub is_subflow: bool,
}

impl Close {
    /// The close of `socket`; `None` where its source has no cookies, so that nothing makes sure which one is hit.
    pub fn of(socket: &Socket) -> Option<Self> {
        if !socket.is_unhashed() {
            socket.id.cookie()?;
        }
        Some(Self {
            socket: socket.reference(),
            inode: socket.inode,
            state: socket.state,
            is_subflow: socket.is_subflow,
        })
    }

    /// What it does here and to the other end.
    pub const fn effect(&self) -> Effects {
        effects(self.socket.protocol, self.state)
    }

    /// What came of it without a try, where the kernel is known to close no such socket: MPTCP sockets, and those that
    /// are only bound to a port; and of what carries an MPTCP connection, whose process would wait on.
    pub fn in_advance(&self) -> Option<CloseOutcome> {
        match (self.socket.protocol, self.state) {
            (Protocol::Mptcp, _) => Some(CloseOutcome::Mptcp),
            (_, TcpState::Bound) => Some(CloseOutcome::OnlyBound),
            (Protocol::Tcp, TcpState::Close) => Some(CloseOutcome::OnlyHeld),
            _ if self.is_subflow => Some(CloseOutcome::Refused(CloseRefusal::Subflow)),
            _ => None,
        }
    }

    /// `tcp 10.0.0.7:51234` and `10.1.0.1:5432`, which is empty where there is no other end.
    pub fn ends(&self, names: &Names) -> (String, String) {
        let SocketRef { protocol, local, remote, .. } = self.socket;
        let remote_text = || AddressText::remote_of(&self.socket, names).with_port(remote.port).to_string();
        (
            format!("{} {}", protocol.name(), AddressText::local_of(&self.socket, names).with_port(local.port)),
            if remote.port == 0 { String::new() } else { remote_text() },
        )
    }

    /// `tcp 10.0.0.7:51234 -> 10.1.0.1:5432`, or the local end alone where there is no other.
    pub fn words(&self, names: &Names) -> String {
        let (local, remote) = self.ends(names);
        if remote.is_empty() { local } else { format!("{local} -> {remote}") }
    }

    /// Whether others come to it unasked: a TCP listener, or a UDP socket that takes what comes from anybody.
    pub const fn is_listening(&self) -> bool {
        matches!(self.state, TcpState::Listen | TcpState::Unconn)
    }
}

/// What closing a socket does, in a few words each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effects {
    /// To the process that holds it.
    pub here: &'static str,
    /// To the other end.
    pub there: &'static str,
}

/// Measured on Linux 6.18, state by state (`tests/act/effects.rs`); `tcp_need_reset` says which states send a RST.
const fn effects(protocol: Protocol, state: TcpState) -> Effects {
    const ABORTED: &str = "its process gets the error ECONNABORTED; what was not sent or read is lost";
    const NOBODY: &str = "nobody holds it: the kernel forgets it";
    match (protocol, state) {
        (Protocol::Udp, TcpState::Unconn) => {
            Effects { here: "its process gets one error and keeps the socket", there: "nobody is told" }
        }
        (Protocol::Udp, _) => {
            Effects { here: "its process gets the error ECONNABORTED, the peer is unset", there: "nobody is told" }
        }
        (_, TcpState::Listen) => Effects {
            here: "nobody can connect any more; accept() fails with EINVAL",
            there: "connections that wait to be accepted are reset",
        },
        (_, TcpState::SynSent) => Effects { here: "connect() fails with ECONNABORTED", there: "nothing is sent" },
        (_, TcpState::SynRecv) => {
            Effects { here: "the half-open connection is dropped", there: "its next segment is answered by a RST" }
        }
        (_, TcpState::TimeWait) => {
            Effects { here: "the wait ends and the ports are free at once", there: "nobody is told" }
        }
        (_, TcpState::LastAck | TcpState::Closing) => Effects { here: NOBODY, there: "nothing is sent" },
        (_, TcpState::FinWait2) => {
            Effects { here: ABORTED, there: "it gets a RST, unless the kernel alone kept this end" }
        }
        _ => Effects { here: ABORTED, there: "it gets a RST (ECONNRESET)" },
    }
}

/// Why a socket is not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseRefusal {
    /// conntop itself holds it.
    Itself,
    /// The session in which conntop runs: a parent holds it, or `SSH_CONNECTION` names it.
    Session,
    /// A connection of an ssh server ([`Caution::Ssh`](crate::model::action::Caution::Ssh)), and nobody has asked for
    /// it by name.
    Ssh,
    /// It carries an MPTCP connection, whose process would not be told.
    Subflow,
}

impl CloseRefusal {
    /// The refusal, as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Itself => "that socket is conntop's own",
            Self::Session => "that socket belongs to the session that conntop runs in; close it from elsewhere",
            Self::Ssh => {
                "an ssh server has it: who is logged in over it is cut off, maybe you; --including-ssh closes it too"
            }
            Self::Subflow => {
                "it carries an MPTCP connection, whose process would wait on without being told; kill that process"
            }
        }
    }
}

/// What came of closing one socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseOutcome {
    /// It is closed: no table of the kernel has it any more.
    Closed,
    /// It is closed, and the process that holds it keeps its port, to which it is bound (`TCP_BOUND_INACTIVE`).
    PortKept,
    /// It is closed, and it was a subflow: the MPTCP socket that it belonged to stays with its process.
    Subflow,
    /// UDP: its peer is unset and its process got one error; the process keeps the socket (`udp_abort`,
    /// `net/ipv4/udp.c`).
    Disconnected {
        /// Whether it keeps its port: it was bound to it, or never had a peer.
        keeps_port: bool,
    },
    /// It was gone before; nothing was done.
    Gone,
    /// conntop refuses; nothing was done.
    Refused(CloseRefusal),
    /// The user may not; nothing was done.
    NotPermitted,
    /// The kernel was built without it, or has it not for this kind of socket.
    Unsupported,
    /// The kernel said yes and the socket is still there, in this state: orphans before Linux 6.11.
    StillThere(TcpState),
    /// The kernel finds another one of the sockets that share its address (`SO_REUSEPORT`); it is still there.
    Shadowed,
    /// An MPTCP socket, which no kernel closes from outside (`net/mptcp/mptcp_diag.c` has no `destroy`), or the TCP
    /// listener under one (`tcp_abort_override`, `net/mptcp/subflow.c`); it is still there.
    Mptcp,
    /// It is bound to its port and nothing else, where the kernel does not find it; it is still there.
    OnlyBound,
    /// It is in `CLOSE`: no connection is left to close, only the descriptor of its process.
    OnlyHeld,
    /// conntop cannot make sure what carries its session; nothing was done.
    Unsure(ProcMismatch),
    /// The system said something else, or cannot be asked what became of it.
    Failed(DisplayText),
}

/// What closing takes, as a sentence.
pub const CLOSE_NEEDS: &str = "closing a socket takes CAP_NET_ADMIN; run conntop as root, as in sudo conntop";

impl CloseOutcome {
    /// Its name in JSON and text.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Closed | Self::PortKept | Self::Subflow => "closed",
            Self::Disconnected { .. } => "disconnected",
            Self::Gone => "gone",
            Self::Refused(_) | Self::Unsure(_) => "refused",
            Self::NotPermitted => "not-permitted",
            Self::Unsupported | Self::Mptcp => "unsupported",
            Self::StillThere(_) | Self::Shadowed | Self::OnlyBound | Self::OnlyHeld => "still-there",
            Self::Failed(_) => "failed",
        }
    }

    /// Whether the socket is closed.
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Closed | Self::PortKept | Self::Subflow | Self::Gone)
    }

    /// What there is to say beyond [`Self::label`], as a sentence.
    pub fn sentence(&self) -> Option<&str> {
        Some(match self {
            Self::Closed => return None,
            Self::PortKept => "its process keeps the port until it closes its descriptor or ends",
            Self::Disconnected { keeps_port: true } => {
                "disconnected; the process keeps the socket and its port, and got one error; kill ends it"
            }
            Self::Disconnected { keeps_port: false } => {
                "disconnected; the process keeps the socket, without a port, and got one error; kill ends it"
            }
            Self::Gone => "it had closed already; nothing was done",
            Self::Refused(spared) => spared.sentence(),
            Self::NotPermitted => CLOSE_NEEDS,
            Self::Unsupported => {
                "this kernel cannot close such a socket (CONFIG_INET_DIAG_DESTROY); kill its process instead"
            }
            Self::StillThere(_) => {
                "the kernel said yes, and it is still there; an old kernel (before 6.11) cannot close a socket that no \
                 process holds, which ends by itself"
            }
            Self::Shadowed => {
                "several sockets share its address (SO_REUSEPORT), and the kernel finds another one; kill its process"
            }
            Self::Subflow => "it was a subflow; its process keeps the MPTCP socket",
            Self::Mptcp => {
                "the kernel closes no MPTCP socket and no listener of one; close its subflows (proto:tcp), or kill its \
                 process"
            }
            Self::OnlyBound => {
                "it is only bound to its port, and the kernel finds no such socket; kill its process to free the port"
            }
            Self::OnlyHeld => {
                "its connection is over and the kernel has nothing to close; only its process can close the descriptor, or \
                 end: kill ends it"
            }
            Self::Unsure(doubt) => doubt.sentence(),
            Self::Failed(why) => why.as_str(),
        })
    }
}

/// What came of which close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReport {
    /// What was asked for.
    pub close: Close,
    /// What came of it.
    pub outcome: CloseOutcome,
}
