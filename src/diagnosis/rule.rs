//! The table of rules: one row each.

/// A rule; its row in [`RULES`] says the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Sockets in `CLOSE_WAIT` that grow in number or are old.
    CloseWaitLeak,
    /// Connections that wait in an accept queue and that the peer has given up.
    NotAccepted,
    /// An accept queue is nearly full.
    AcceptQueueFull,
    /// The ephemeral ports to one destination are nearly used up.
    EphemeralPorts,
    /// Connections to one destination are made and closed very fast.
    TimeWaitChurn,
    /// The peer does not close its side.
    FinWait2Stuck,
    /// The peer does not answer.
    SynSentStuck,
    /// A SYN queue is full, or cookies are sent.
    SynBacklog,
    /// Segments are sent again and again.
    Retransmitting,
    /// The peer does not read.
    ZeroWindow,
    /// A process is near its limit of open files.
    DescriptorLimit,
    /// A service that should not be reachable from outside is.
    ExposedRiskyPort,
    /// A well-known port is held by an unusual process.
    UnexpectedListener,
    /// Data is on its way to a peer that says nothing any more.
    DeadPeer,
    /// Sockets that no process holds are many.
    Orphans,
}

/// What there is to say about a rule beside its text in `assets/rules.toml` (see `knowledge::rules`).
#[derive(Clone, Copy, Debug)]
pub struct RuleRow {
    /// The rule; rows stand in the order of the enum.
    pub rule: Rule,
    /// The name in JSON, `--fail-on` and `conntop explain`.
    pub id: &'static str,
}

/// Every rule.
#[rustfmt::skip]
pub const RULES: [RuleRow; 15] = [
    RuleRow { rule: Rule::CloseWaitLeak,      id: "close-wait-leak" },
    RuleRow { rule: Rule::NotAccepted,        id: "not-accepted" },
    RuleRow { rule: Rule::AcceptQueueFull,    id: "accept-queue-full" },
    RuleRow { rule: Rule::EphemeralPorts,     id: "ephemeral-ports" },
    RuleRow { rule: Rule::TimeWaitChurn,      id: "time-wait-churn" },
    RuleRow { rule: Rule::FinWait2Stuck,      id: "fin-wait2-stuck" },
    RuleRow { rule: Rule::SynSentStuck,       id: "syn-sent-stuck" },
    RuleRow { rule: Rule::SynBacklog,         id: "syn-backlog" },
    RuleRow { rule: Rule::Retransmitting,     id: "retransmitting" },
    RuleRow { rule: Rule::ZeroWindow,         id: "zero-window" },
    RuleRow { rule: Rule::DescriptorLimit,    id: "descriptor-limit" },
    RuleRow { rule: Rule::ExposedRiskyPort,   id: "exposed-risky-port" },
    RuleRow { rule: Rule::UnexpectedListener, id: "unexpected-listener" },
    RuleRow { rule: Rule::DeadPeer,           id: "dead-peer" },
    RuleRow { rule: Rule::Orphans,            id: "orphans" },
];

impl Rule {
    /// The rule's row in the table.
    pub const fn row(self) -> &'static RuleRow {
        &RULES[self as usize]
    }

    /// The name in JSON, `--fail-on` and `conntop explain`.
    pub const fn id(self) -> &'static str {
        self.row().id
    }

    /// The rule of that name.
    pub fn named(id: &str) -> Option<Self> {
        RULES.iter().find(|row| row.id == id).map(|row| row.rule)
    }
}
