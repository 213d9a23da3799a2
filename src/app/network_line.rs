//! What a line of the tab Network is about.

use std::net::IpAddr;

#[cfg(doc)]
use crate::model::counters::COUNTERS;
use crate::model::route::Route;

/// A line of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkLine {
    /// Why something is missing: the number of the sentence.
    Missing(usize),
    /// The interface with this number.
    Interface(u32),
    /// The heading of the counters.
    CounterTitle,
    /// A counter, by its place among [`COUNTERS`].
    Counter(usize),
    /// The counters that stand still, as one.
    QuietCounters,
    /// The heading of the routes.
    RouteTitle,
    /// A next hop of a route.
    Route(RouteKey),
    /// The routes that are not listed.
    MoreRoutes,
}

impl NetworkLine {
    /// Whether it is a heading, on which the cursor does not stay.
    pub const fn is_title(self) -> bool {
        matches!(self, Self::CounterTitle | Self::RouteTitle)
    }
}

/// What tells one next hop of a route from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteKey {
    destination: IpAddr,
    prefix_len: u8,
    from: Option<(IpAddr, u8)>,
    metric: Option<u32>,
    tos: u8,
    hop: usize,
}

impl RouteKey {
    /// That of the next hop `hop` of `route`.
    pub const fn of(route: &Route, hop: usize) -> Self {
        let Route { destination, prefix_len, from, metric, tos, .. } = *route;
        Self { destination, prefix_len, from, metric, tos, hop }
    }

    /// Which of the next hops of its route it is.
    pub const fn hop(self) -> usize {
        self.hop
    }

    /// The filter of connections to where it leads; `None` of a default route.
    pub fn filter(self) -> Option<String> {
        (self.prefix_len > 0).then(|| format!("raddr:{}/{}", self.destination, self.prefix_len))
    }
}
