//! Names of uids and of interfaces: asked for rarely, and put together with those of network namespaces and units into
//! one table, which is replaced only when it changes.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::model::exposure::AddressKinds;
use crate::model::process::Names;
use crate::model::socket::{NetnsId, Socket};
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::source::users::Users;

/// Names of interfaces are read again after this time.
const VALID_FOR: Duration = Duration::from_secs(10);

/// Reads names.
#[derive(Debug, Default)]
pub struct NameReader {
    names: Arc<Names>,
    /// When those of interfaces were read.
    read_at: Option<Timestamp>,
    users: Users,
    /// Which state of the users `names` holds.
    users_version: u64,
}

/// Names that others know.
pub struct NameInputs<'a> {
    /// Of network namespaces.
    pub namespaces: BTreeMap<NetnsId, DisplayText>,
    /// Which of them is ours.
    pub own: Option<NetnsId>,
    /// Which interfaces lead to others; `None` if they are those of the last call.
    pub reachable: Option<BTreeMap<(NetnsId, u32), AddressKinds>>,
    /// Of units; `None` if they are those of the last call.
    pub units: Option<BTreeMap<u64, DisplayText>>,
    /// Of the interface with this index in this namespace.
    pub interface: &'a dyn Fn(NetnsId, u32) -> Option<DisplayText>,
    /// How long may be waited for names of users; `None` where nobody wants those.
    pub wait: Option<Duration>,
}

impl NameReader {
    /// As [`Self::read`] where `sockets` are a part of all: no interface is forgotten, and none is asked for again.
    pub fn read_part(&mut self, sockets: &[Socket], inputs: NameInputs<'_>) -> Arc<Names> {
        let new: Vec<_> = sockets.iter().filter(|socket| !self.knows_interface(socket)).cloned().collect();
        let units = inputs.units.filter(|units| *units != self.names.units);
        let users = self.new_users(sockets, inputs.wait);
        let is_news = units.is_some() || users.is_some() || inputs.reachable.is_some();
        if !new.is_empty() || is_news || inputs.namespaces != self.names.namespaces {
            let mut names = Names::clone(&self.names);
            names.users = users.unwrap_or(names.users);
            names.interfaces.extend(interfaces(&new, inputs.interface));
            names.namespaces = inputs.namespaces;
            names.own = inputs.own;
            names.reachable = inputs.reachable.unwrap_or(names.reachable);
            names.units = units.unwrap_or(names.units);
            self.names = Arc::new(names);
        }
        Arc::clone(&self.names)
    }

    /// The users of `sockets` and of those before, the interfaces that `sockets` are bound to, and what `inputs` know.
    pub fn read(&mut self, sockets: &[Socket], now: Timestamp, inputs: NameInputs<'_>) -> Arc<Names> {
        let stale = self.read_at.is_none_or(|read_at| now.since(read_at) >= VALID_FOR);
        let users = self.new_users(sockets, inputs.wait);
        let is_news = users.is_some() || inputs.units.is_some() || inputs.reachable.is_some();
        let changed = is_news || inputs.namespaces != self.names.namespaces;
        let all_known = sockets.iter().all(|socket| self.knows_interface(socket));
        if stale || changed || !all_known {
            let names = Names {
                users: users.unwrap_or_else(|| self.names.users.clone()),
                interfaces: interfaces(sockets, inputs.interface),
                namespaces: inputs.namespaces,
                own: inputs.own,
                reachable: inputs.reachable.unwrap_or_else(|| self.names.reachable.clone()),
                units: inputs.units.unwrap_or_else(|| self.names.units.clone()),
                ..Names::default()
            };
            if names != *self.names {
                self.names = Arc::new(names);
            }
            self.read_at = Some(now);
        }
        Arc::clone(&self.names)
    }

    /// Has the users of `sockets` asked for, so that their names come while something else is read.
    pub fn ask_for_users(&mut self, sockets: &[Socket]) {
        self.users.ask_for(sockets);
    }

    /// Whether the interface that `socket` is bound to, if any, has its name.
    fn knows_interface(&self, socket: &Socket) -> bool {
        let key = |index: NonZeroU32| (socket.id.netns(), index.get());
        socket.interface.is_none_or(|index| self.names.interfaces.contains_key(&key(index)))
    }

    /// Why users may be without a name.
    pub fn trouble(&self) -> Option<DisplayText> {
        self.users.trouble()
    }

    /// The names of users, if they are others than those of the last call.
    fn new_users(&mut self, sockets: &[Socket], wait: Option<Duration>) -> Option<BTreeMap<u32, DisplayText>> {
        let version = self.users.want(sockets, wait?);
        (std::mem::replace(&mut self.users_version, version) != version).then(|| self.users.names())
    }
}

/// The names of the interfaces that `sockets` are bound to; the number of one that is gone.
fn interfaces(
    sockets: &[Socket],
    name: &dyn Fn(NetnsId, u32) -> Option<DisplayText>,
) -> BTreeMap<(NetnsId, u32), DisplayText> {
    let mut interfaces = BTreeMap::new();
    for socket in sockets {
        let Some(index) = socket.interface else { continue };
        let (netns, index) = (socket.id.netns(), index.get());
        let number = || DisplayText::new(&format!("if{index}"));
        interfaces.entry((netns, index)).or_insert_with(|| name(netns, index).unwrap_or_else(number));
    }
    interfaces
}
