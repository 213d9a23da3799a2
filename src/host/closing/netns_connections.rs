//! Connections to `sock_diag`, one for each network namespace.

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::host::closing::failed;
use crate::model::closing::CloseOutcome;
use crate::model::socket::NetnsId;
use crate::source::clock;
use crate::source::linux::namespaces::{Namespaces, enter};
use crate::source::linux::netlink::{Buffer, NetlinkSocket};

/// The most steps that looking for a network namespace takes: each looks at 4,096 processes.
const STEPS_MAX: usize = 64;

/// Connections by network namespace, opened when they are needed.
#[derive(Default)]
pub(super) struct NetnsConnections(BTreeMap<NetnsId, Result<NetlinkSocket, CloseOutcome>>);

impl NetnsConnections {
    /// Uses the connection in `netns`; where there is none, says why.
    pub(super) fn with(
        &mut self,
        netns: NetnsId,
        act: impl FnOnce(&mut NetlinkSocket) -> CloseOutcome,
    ) -> CloseOutcome {
        match self.0.entry(netns).or_insert_with(|| open(netns)) {
            Ok(connection) => act(connection),
            Err(outcome) => outcome.clone(),
        }
    }
}

/// A connection in the network namespace `netns`.
fn open(netns: NetnsId) -> Result<NetlinkSocket, CloseOutcome> {
    let mut namespaces = Namespaces::open();
    if netns == namespaces.own() || netns == NetnsId(0) {
        return NetlinkSocket::open()
            .map_err(|errno| failed(&format!("the kernel refuses sock_diag: {errno}; kill its process instead")));
    }
    let now = clock::now().0;
    for _ in 0..STEPS_MAX {
        if namespaces.locations().contains_key(&netns) {
            break;
        }
        namespaces.refresh(now, true);
    }
    let location = namespaces.locations().get(&netns).cloned();
    let location = location.ok_or_else(|| failed("its network namespace is not to be found any more; look again"))?;
    match enter::open_in(vec![(netns, location)], Buffer::default()).pop() {
        Some((_, Ok(connection))) => Ok(connection),
        Some((_, Err(Errno::PERM | Errno::ACCESS))) => {
            Err(failed("its network namespace may not be entered; run conntop as root, or inside of it"))
        }
        Some((_, Err(errno))) => Err(failed(&format!("its network namespace cannot be entered: {errno}; look again"))),
        None => Err(failed("its network namespace cannot be entered; look again")),
    }
}
