//! The names of the tabs. What each of them is stands in [`TABS`](crate::app::panels::TABS).

/// What the main part of the screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tab {
    /// One line a socket.
    #[default]
    Connections,
    /// One line a process.
    Processes,
    /// One line a remote address and port.
    Remotes,
    /// One line a listener.
    Listeners,
    /// Counts per state over time, and what each state means.
    States,
    /// What is wrong, why, and what to do.
    Findings,
    /// One line a route: who uses up ephemeral ports.
    Ports,
    /// What happened, newest first.
    Log,
}
