//! Network namespaces: which one conntop looks at, which others there are, and by which file each can be entered.
//!
//! Finding them means looking at every process, so it is done in rounds: all at once at first and while the sockets of
//! all of them are wanted, else a part of a round in every sample.

pub mod enter;
pub mod mounts;
pub mod others;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, statat};
use rustix::io::Errno;

use self::mounts::Mount;
use crate::model::process::OWN_NAMESPACE;
use crate::model::socket::NetnsId;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::source::linux::proc_dir::ProcDir;

/// A round is begun this long after the last one ended, while only our own namespace is wanted.
const ROUND_AFTER: Duration = Duration::from_secs(10);
/// A round is begun this long after the last one ended while the sockets of all namespaces are wanted: a namespace that ended
/// must be released soon.
const ROUND_AFTER_WANTED: Duration = Duration::from_secs(2);
/// Processes looked at in one sample while only our own namespace is wanted: about a millisecond.
const STEP: usize = 256;
/// Processes looked at in the first sample, and in each while the sockets of all namespaces are wanted.
const STEP_WANTED: usize = 4096;
/// A namespace without a name is called by this and a pid.
const STAND_IN: &str = "pid:";
/// More namespaces are not noticed.
const FOUND_MAX: usize = 10_000;

/// Finds network namespaces.
#[derive(Debug)]
pub struct Namespaces {
    own: NetnsId,
    /// Opened when it is first needed; `None` in it where `/proc` cannot be listed.
    proc: OnceCell<Option<ProcDir>>,
    /// What the last round found: every namespace but our own.
    found: NamespaceScan,
    /// The round under way.
    round: NamespaceScan,
    /// Processes it has still to look at.
    queue: Vec<u32>,
    /// How many rounds have ended.
    rounds: u64,
    next_round: Timestamp,
}

/// What a round finds.
#[derive(Debug, Default)]
struct NamespaceScan {
    locations: BTreeMap<NetnsId, NamespaceLocation>,
    /// Processes whose namespace this user may not know.
    unreadable: u32,
}

/// Where a namespace is found. One of the two is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceLocation {
    /// The process with the lowest pid in it.
    pub process: Option<u32>,
    /// Where it is mounted, as `ip netns` does.
    pub mount: Option<Mount>,
}

impl NamespaceLocation {
    /// What to call the namespace: the name of its mount, else a process in it. A mount that is named as conntop names
    /// namespaces is called by its path.
    fn name(&self) -> DisplayText {
        let mount = self.mount.as_ref().map(|mount| {
            let is_ours = mount.name() == OWN_NAMESPACE.as_bytes() || mount.name().starts_with(STAND_IN.as_bytes());
            DisplayText::name(if is_ours { &mount.0 } else { mount.name() })
        });
        mount.unwrap_or_else(|| DisplayText::new(&format!("{STAND_IN}{}", self.process.unwrap_or_default())))
    }
}

impl Namespaces {
    /// Notes the namespace of this thread.
    pub fn open() -> Self {
        // Not /proc/self, which is the main thread's.
        let own = statat(CWD, c"/proc/thread-self/ns/net", AtFlags::empty()).map(|stat| stat.st_ino);
        Self {
            own: own.ok().and_then(netns).unwrap_or_default(),
            proc: OnceCell::new(),
            found: NamespaceScan::default(),
            round: NamespaceScan::default(),
            queue: Vec::new(),
            rounds: 0,
            next_round: Timestamp(0),
        }
    }

    /// The namespace of the thread that called [`Self::open`].
    pub const fn own(&self) -> NetnsId {
        self.own
    }

    /// Goes on with looking for namespaces; `wanted` says that their sockets are to be shown.
    pub fn refresh(&mut self, now: Timestamp, wanted: bool) {
        if self.queue.is_empty() {
            let wait = if wanted { ROUND_AFTER_WANTED } else { ROUND_AFTER };
            if self.rounds > 0 && now < self.next_round.after(wait) {
                return;
            }
            self.begin();
        }
        let step = if wanted || self.rounds == 0 { STEP_WANTED } else { STEP };
        let rest = self.queue.len().saturating_sub(step);
        for pid in self.queue.split_off(rest) {
            match self.namespace_of(pid) {
                Ok(netns) => self.round.note(netns, |location| {
                    location.process = Some(location.process.map_or(pid, |lowest| lowest.min(pid)));
                }),
                Err(Errno::ACCESS | Errno::PERM) => self.round.unreadable = self.round.unreadable.saturating_add(1),
                Err(_) => {}
            }
        }
        if self.queue.is_empty() {
            self.round.locations.remove(&self.own);
            self.found = std::mem::take(&mut self.round);
            self.rounds = self.rounds.saturating_add(1);
            self.next_round = now;
        }
    }

    /// The namespaces that the last round found, without our own.
    pub const fn locations(&self) -> &BTreeMap<NetnsId, NamespaceLocation> {
        &self.found.locations
    }

    /// Whether a round has ended, so that [`Self::locations`] says something.
    pub const fn was_looked_for(&self) -> bool {
        self.rounds > 0
    }

    /// How many processes did not let this user know their namespace.
    pub const fn unreadable(&self) -> u32 {
        self.found.unreadable
    }

    /// The namespace of process `pid` now.
    pub fn namespace_of(&self, pid: u32) -> Result<NetnsId, Errno> {
        netns(self.proc.get_or_init(|| ProcDir::open().ok()).as_ref().ok_or(Errno::NOENT)?.network_namespace(pid)?)
            .ok_or(Errno::RANGE)
    }

    /// What to call our own namespace and, if `all`, the others.
    pub fn names(&self, all: bool) -> BTreeMap<NetnsId, DisplayText> {
        let others = self.found.locations.iter().filter(|_| all).map(|(netns, location)| (*netns, location.name()));
        others.chain([(self.own, OWN_NAMESPACE.into())]).filter(|(netns, _)| netns.0 != 0).collect()
    }

    fn begin(&mut self) {
        self.round = NamespaceScan::default();
        for (inode, mount) in mounts::read() {
            if let Some(netns) = netns(inode) {
                self.round.note(netns, |location| location.mount = Some(mount));
            }
        }
        let mut entries = Vec::new();
        let _ = self.proc.get_or_init(|| ProcDir::open().ok());
        if let Some(Some(proc)) = self.proc.get_mut() {
            // An empty list is as much as an error tells us here: only what is mounted is known.
            let _ = proc.list(&mut entries);
        }
        self.queue.extend(entries.iter().map(|entry| entry.pid));
    }
}

impl NamespaceScan {
    /// Notes that a namespace is there.
    fn note(&mut self, netns: NetnsId, note: impl FnOnce(&mut NamespaceLocation)) {
        if self.locations.len() < FOUND_MAX || self.locations.contains_key(&netns) {
            note(self.locations.entry(netns).or_default());
        }
    }
}

/// The kernel numbers namespaces with 32 bits (`struct ns_common`, `inum`).
fn netns(inode: u64) -> Option<NetnsId> {
    u32::try_from(inode).ok().filter(|inode| *inode != 0).map(NetnsId)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::clock;

    #[test]
    fn our_own_namespace_is_not_among_the_others() {
        let mut namespaces = Namespaces::open();
        namespaces.refresh(clock::now().0, true);
        assert_ne!(namespaces.own(), NetnsId(0));
        assert_eq!(namespaces.namespace_of(std::process::id()), Ok(namespaces.own()));
        assert!(!namespaces.locations().contains_key(&namespaces.own()));
        assert_eq!(namespaces.names(false).into_values().collect::<Vec<_>>(), ["own".into()]);
    }

    #[test]
    fn a_name_comes_from_the_mount_else_from_the_lowest_process() {
        let mut round = NamespaceScan::default();
        round.note(NetnsId(5), |location| location.process = Some(7));
        let mut location = round.locations[&NetnsId(5)].clone();
        assert_eq!(location.name().as_str(), "pid:7");
        location.mount = Some(Mount(b"/run/netns/blue\x1b".to_vec()));
        assert_eq!(location.name().as_str(), "blue␛");
        for (path, name) in [("/run/netns/own", "/run/netns/own"), ("/run/netns/pid:1", "/run/netns/pid:1")] {
            location.mount = Some(Mount(path.into()));
            assert_eq!(location.name().as_str(), name, "nobody else is called what we call ours");
        }
    }

    #[test]
    fn the_lowest_pid_stands_for_a_namespace_in_whatever_order_they_come() {
        let mut namespaces = Namespaces::open();
        namespaces.own = NetnsId(1);
        namespaces.refresh(clock::now().0, true);
        for (netns, location) in namespaces.locations() {
            let Some(lowest) = location.process else { continue };
            for pid in 1..lowest {
                assert_ne!(namespaces.namespace_of(pid), Ok(*netns), "{pid} is lower than {lowest}");
            }
        }
        assert!(namespaces.locations().values().any(|location| location.process.is_some()), "ours is among them");
    }

    #[test]
    fn rounds_are_seldom_until_all_namespaces_are_wanted() {
        let mut namespaces = Namespaces::open();
        let now = clock::now().0;
        namespaces.refresh(now, false);
        assert_eq!(namespaces.rounds, 1, "the first is whole at once");
        namespaces.refresh(now.after(ROUND_AFTER_WANTED), false);
        assert_eq!(namespaces.rounds, 1);
        namespaces.refresh(now.after(ROUND_AFTER_WANTED), true);
        assert_eq!(namespaces.rounds, 2);
    }
}
