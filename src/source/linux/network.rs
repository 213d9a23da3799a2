//! What the screen shows of the network beside sockets, while it does: interfaces at each sample, routes and the speeds of lines
//! every `SELDOM`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::model::network::Network;
use crate::model::route::Route;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::source::linux::{links, routes};

/// How often what hardly ever changes is read.
const SELDOM: Duration = Duration::from_secs(10);

/// Reads them for the network namespace of the calling thread.
#[derive(Debug, Default)]
pub struct NetworkReader {
    read_at: Option<Timestamp>,
    speeds: FxHashMap<u32, u32>,
    routes: Vec<Route>,
    are_routes_cut: bool,
    refusal: Option<DisplayText>,
}

impl NetworkReader {
    /// What is so at `at`.
    pub fn read(&mut self, at: Timestamp) -> Network {
        if self.read_at.is_none_or(|read_at| at.since(read_at) >= SELDOM) {
            self.read_at = Some(at);
            self.read_seldom();
        }
        let mut network = Network { routes: self.routes.clone(), is_cut: self.are_routes_cut, ..Network::default() };
        network.degraded.extend(self.refusal.clone());
        match links::read() {
            Ok((interfaces, is_cut)) => {
                network.interfaces = interfaces;
                network.is_cut |= is_cut;
            }
            Err(error) => network.degraded.push(refused("interfaces", error)),
        }
        for interface in &mut network.interfaces {
            interface.speed_megabits = self.speeds.get(&interface.index).copied();
        }
        network
    }

    fn read_seldom(&mut self) {
        // Older kernels have no ethtool netlink; a speed that nobody tells is not missed.
        self.speeds = links::speeds().unwrap_or_default();
        (self.routes, self.are_routes_cut, self.refusal) = match routes::read_main() {
            Ok((routes, is_cut)) => (routes, is_cut, None),
            Err(error) => (Vec::new(), false, Some(refused("routes", error))),
        };
    }
}

fn refused(what: &str, error: rustix::io::Errno) -> DisplayText {
    DisplayText::new(&format!("the kernel tells no {what} by netlink here ({error})"))
}
