//! The tabs: one table of number, title and purpose.

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

/// One row of the tab table.
pub struct TabRow {
    /// The tab; rows stand in the order of the enum.
    pub tab: Tab,
    /// The key that shows it. 9 is kept for network.
    pub number: char,
    /// Its name.
    pub title: &'static str,
    /// The same where there is little room.
    pub short: &'static str,
}

/// Every tab, in the order on the screen.
#[rustfmt::skip]
pub const TABS: [TabRow; 8] = [
    TabRow { tab: Tab::Connections, number: '1', title: "Connections",short: "Conn" },
    TabRow { tab: Tab::Processes,   number: '2', title: "Processes",  short: "Proc" },
    TabRow { tab: Tab::Remotes,     number: '3', title: "Remotes",    short: "Remote" },
    TabRow { tab: Tab::Listeners,   number: '4', title: "Listeners",  short: "Listen" },
    TabRow { tab: Tab::States,      number: '5', title: "States",     short: "State" },
    TabRow { tab: Tab::Findings,    number: '6', title: "Findings",   short: "Find" },
    TabRow { tab: Tab::Ports,       number: '7', title: "Ports",      short: "Port" },
    TabRow { tab: Tab::Log,         number: '8', title: "Log",        short: "Log" },
];

impl Tab {
    /// The tab's row in the table.
    pub const fn row(self) -> &'static TabRow {
        &TABS[self as usize]
    }

    /// The tab `steps` to the right; past the last one comes the first.
    #[must_use]
    pub fn step(self, steps: isize) -> Self {
        let count = TABS.len();
        let at = (self as usize).checked_add_signed(steps.rem_euclid(count.cast_signed())).unwrap_or(0) % count;
        TABS[at].tab
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabs_stand_in_the_order_of_the_enum_and_numbers_are_unique() {
        for (index, row) in TABS.iter().enumerate() {
            assert_eq!(row.tab as usize, index);
            assert_eq!(TABS.iter().filter(|other| other.number == row.number).count(), 1);
        }
    }

    #[test]
    fn stepping_goes_round() {
        assert_eq!(Tab::Connections.step(-1), Tab::Log);
        assert_eq!(Tab::Log.step(1), Tab::Connections);
        assert_eq!(Tab::Connections.step(1), Tab::Processes);
    }
}
