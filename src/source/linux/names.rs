//! Names of uids and of interfaces: read rarely, replaced only when they change.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, netdevice};

use crate::model::process::Names;
use crate::model::socket::Socket;
use crate::model::text::{DisplayText, NAME_LEN_MAX};
use crate::model::time::Timestamp;

/// How long names are believed.
const BELIEVED_FOR: Duration = Duration::from_secs(10);

/// Reads names.
#[derive(Debug)]
pub struct NameReader {
    names: Arc<Names>,
    /// When they were read, and the modification time of the file that users come from.
    read_at: Option<Timestamp>,
    users_changed: Option<(i64, i64)>,
    /// Any socket will do to ask for an interface's name; it decides the network namespace.
    socket: Option<OwnedFd>,
}

impl NameReader {
    /// Reads nothing yet.
    pub fn open() -> Self {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None);
        Self { names: Arc::default(), read_at: None, users_changed: None, socket: socket.ok() }
    }

    /// As [`Self::read`] where `sockets` are a part of all: names are only added.
    pub fn read_part(&mut self, sockets: &[Socket]) -> Arc<Names> {
        let unknown = |index: &u32| !self.names.interfaces.contains_key(index);
        let bound = sockets.iter().filter_map(|socket| socket.interface).map(NonZeroU32::get);
        let new: BTreeSet<u32> = bound.filter(unknown).collect();
        if !new.is_empty() {
            let mut names = Names::clone(&self.names);
            names.interfaces.extend(new.into_iter().map(|index| (index, self.interface(index))));
            self.names = Arc::new(names);
        }
        Arc::clone(&self.names)
    }

    /// All users, and the interfaces that `sockets` are bound to.
    pub fn read(&mut self, sockets: &[Socket], now: Timestamp) -> Arc<Names> {
        let stale = self.read_at.is_none_or(|read_at| now.since(read_at) >= BELIEVED_FOR);
        let known =
            |socket: &Socket| socket.interface.is_none_or(|index| self.names.interfaces.contains_key(&index.get()));
        if stale || !sockets.iter().all(known) {
            let names = Names { users: self.users(), interfaces: self.interfaces(sockets) };
            if names != *self.names {
                self.names = Arc::new(names);
            }
            self.read_at = Some(now);
        }
        Arc::clone(&self.names)
    }

    fn users(&mut self) -> BTreeMap<u32, DisplayText> {
        let stat = rustix::fs::stat("/etc/passwd").ok();
        let changed = stat.map(|stat| (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)));
        if changed.is_some() && changed == self.users_changed {
            return self.names.users.clone();
        }
        self.users_changed = changed;
        let users = sysinfo::Users::new_with_refreshed_list();
        let users = users.iter().flat_map(|users| users.iter());
        users.map(|user| (**user.id(), DisplayText::from_bytes(user.name().as_bytes(), NAME_LEN_MAX))).collect()
    }

    fn interfaces(&self, sockets: &[Socket]) -> BTreeMap<u32, DisplayText> {
        let mut interfaces = BTreeMap::new();
        for index in sockets.iter().filter_map(|socket| socket.interface) {
            interfaces.entry(index.get()).or_insert_with(|| self.interface(index.get()));
        }
        interfaces
    }

    /// The interface's name, or its number where it is gone.
    fn interface(&self, index: u32) -> DisplayText {
        let name = self.socket.as_ref().and_then(|socket| netdevice::index_to_name_inlined(socket, index).ok());
        let number = || DisplayText::new(&format!("if{index}"));
        name.map_or_else(number, |name| DisplayText::from_bytes(name.as_bytes(), NAME_LEN_MAX))
    }
}
