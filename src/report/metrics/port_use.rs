//! The part of the ephemeral ports that connections to each destination use.

use rustc_hash::FxHashMap;

use crate::model::address_text::AddressText;
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::model::text::DisplayText;
use crate::report::metrics::series::label_text;
use crate::store::Store;
use crate::store::groups::port_pool_of;
use crate::store::port_pool::PortPool;

/// With more sockets than this, destinations that use less than [`COUNTED_FROM`] of the ports are not counted: there can be as
/// many as sockets.
const SOCKETS_FEW: u32 = 20_000;
const COUNTED_FROM: f64 = 0.01;
/// The most routes that are counted.
const ROUTES_MAX: usize = 65_536;

/// Connections by what they take their ports from.
pub(super) struct PortUseCount {
    /// How many ports there are; `None` where the kernel's range is not known.
    room: Option<u32>,
    /// Routes that cannot use so many ports are left out.
    least: f64,
    routes: FxHashMap<PortPool, u32>,
}

impl PortUseCount {
    /// Nothing is counted yet.
    pub(super) fn new(store: &Store) -> Self {
        let room = store.facts().ephemeral_usable().filter(|room| *room > 0);
        let is_few = store.rows().counts().total() <= SOCKETS_FEW;
        let least = room.map_or(0.0, |room| if is_few { 0.0 } else { f64::from(room) * COUNTED_FROM });
        Self { room, least, routes: FxHashMap::default() }
    }

    /// Counts `socket`, if it uses a port of the range that is known.
    pub(super) fn add(&mut self, socket: &Socket, store: &Store) {
        let is_known = self.room.is_some() && store.facts().are_about(socket.id.netns());
        if !is_known || f64::from(store.rows().port_bounds().shared_with(socket).ports) < self.least {
            return;
        }
        let Some(route) = port_pool_of(socket, store) else { return };
        // A port that may be reused is as good as free.
        if socket.state == TcpState::TimeWait && route.reuses_time_wait(store.facts()) {
            return;
        }
        if self.routes.len() < ROUTES_MAX || self.routes.contains_key(&route) {
            *self.routes.entry(route).or_default() += 1;
        }
    }

    /// The part that is used, by destination; of several source addresses that with least left.
    pub(super) fn by_destination(self, store: &Store) -> FxHashMap<DisplayText, f64> {
        let Some(room) = self.room else { return FxHashMap::default() };
        let mut used: FxHashMap<DisplayText, f64> = FxHashMap::default();
        for (route, ports) in self.routes {
            let address = AddressText::of(route.to.address, route.netns, store.names());
            let text = DisplayText::new(&address.with_port(route.to.port).to_string());
            let share = f64::from(ports) / f64::from(room);
            let most = used.entry(label_text(&text)).or_default();
            *most = most.max(share);
        }
        used
    }
}
