//! The rules by name: a leaf, which everything else of the diagnosis may import. What a rule does stands in its file below
//! `rules`.

use serde::{Serialize, Serializer};

/// The table of rules: a rule, its name in JSON, `--fail-on` and `conntop explain`, and the constant below `rules` that
/// defines it. The order is that of their weight among findings.
///
/// It is a macro because two files are made from it: this one takes the enum and the names, `rules` the definitions. Plain
/// Rust would need the enum, the names and the definitions in three lists.
macro_rules! table_of_rules {
    ($make:ident) => {
        $make! {
            /// Sockets in `CLOSE_WAIT` that grow in number or are old.
            CloseWaitLeak = "close-wait-leak", close_wait::DEFINITION;
            /// Sockets that were reset, or never connected, and that a process goes on holding.
            HeldDeadSockets = "held-dead-sockets", held_dead::DEFINITION;
            /// Connections that wait in an accept queue and that the peer has given up.
            NotAccepted = "not-accepted", not_accepted::DEFINITION;
            /// An accept queue is nearly full.
            AcceptQueueFull = "accept-queue-full", accept_queue::DEFINITION;
            /// New connections are dropped before the handshake.
            SynDrops = "syn-drops", syn_drops::DEFINITION;
            /// The firewall cannot track more connections.
            ConntrackFull = "conntrack-full", conntrack_full::DEFINITION;
            /// The memory of all TCP sockets is scarce.
            MemoryPressure = "memory-pressure", memory_pressure::DEFINITION;
            /// Attempts to connect fail.
            FailingConnects = "failing-connects", failing_connects::DEFINITION;
            /// Attempts to connect are refused.
            RefusedConnects = "refused-connects", refused_connects::DEFINITION;
            /// Connections are reset soon after they were established.
            ResetAfterAccept = "reset-after-accept", reset_after_accept::DEFINITION;
            /// The ephemeral ports to one destination are nearly used up.
            EphemeralPorts = "ephemeral-ports", ephemeral_ports::DEFINITION;
            /// Connections to one destination are made and closed very fast.
            Churn = "churn", churn::DEFINITION;
            /// The peer does not close its side.
            FinWait2Stuck = "fin-wait2-stuck", fin_wait2::DEFINITION;
            /// The peer does not answer.
            SynSentStuck = "syn-sent-stuck", syn_sent::DEFINITION;
            /// A DNS server does not answer.
            UnansweredDns = "unanswered-dns", unanswered_dns::DEFINITION;
            /// A SYN queue is full, or cookies are sent.
            SynBacklog = "syn-backlog", syn_backlog::DEFINITION;
            /// Datagrams are thrown away because their process reads too slowly.
            UdpReceiveDrops = "udp-receive-drops", udp_receive_drops::DEFINITION;
            /// Datagrams are not sent.
            UdpSendDrops = "udp-send-drops", loss::UDP_SEND_DEFINITION;
            /// Segments that arrived are thrown away for want of room.
            TcpReceiveDrops = "tcp-receive-drops", loss::TCP_RECEIVE_DEFINITION;
            /// Packets arrive with a wrong checksum.
            DamagedPackets = "damaged-packets", loss::DAMAGED_DEFINITION;
            /// Segments are thrown away because of their time stamp.
            PawsDrops = "paws-drops", loss::TIME_STAMPS_DEFINITION;
            /// Connections end without `TIME_WAIT`.
            TimeWaitOverflow = "time-wait-overflow", loss::TIME_WAIT_DEFINITION;
            /// Segments are sent again and again.
            Retransmitting = "retransmitting", retransmits::DEFINITION;
            /// A process of this machine does not read.
            LocalReaderStuck = "local-reader-stuck", local_reader::DEFINITION;
            /// The peer does not read.
            ZeroWindow = "zero-window", zero_window::DEFINITION;
            /// A process of this machine, or the peer, reads too slowly.
            SlowReader = "slow-reader", slow_reader::DEFINITION;
            /// A process is near its limit of open files.
            DescriptorLimit = "descriptor-limit", descriptors::DEFINITION;
            /// A service that should not be reachable from outside is.
            ExposedRiskyPort = "exposed-risky-port", exposed::DEFINITION;
            /// A well-known port is held by an unusual process.
            UnexpectedListener = "unexpected-listener", unexpected::DEFINITION;
            /// Data is on its way to a peer that says nothing any more.
            DeadPeer = "dead-peer", dead_peer::DEFINITION;
            /// Sockets that no process holds are many.
            Orphans = "orphans", orphans::DEFINITION;
        }
    };
}

macro_rules! names {
    ($($(#[$about:meta])* $rule:ident = $id:literal, $definition:path;)*) => {
        /// A rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[$about])* $rule,)*
        }

        impl Rule {
            /// Every rule, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// The name in JSON, `--fail-on` and `conntop explain`.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$rule => $id,)*
                }
            }
        }
    };
}

table_of_rules!(names);
pub(super) use table_of_rules;

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl Rule {
    /// The rule of that name, or of that older name.
    pub fn named(id: &str) -> Option<Self> {
        let id = current_id(id);
        Self::ALL.iter().copied().find(|rule| rule.id() == id)
    }
}

/// Names that rules had, and have no more.
const OLDER_IDS: [(&str, &str); 1] = [("time-wait-churn", "churn")];

/// The name that the rule called `id` has now.
pub fn current_id(id: &str) -> &str {
    OLDER_IDS.iter().find(|(older, _)| *older == id).map_or(id, |(_, current)| *current)
}
