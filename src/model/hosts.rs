//! Several hosts that are shown together: how their numbers are told apart, and what becomes of their streams.
//!
//! Cookies, namespaces, pids, users and control groups are numbers of one machine: two machines have the same ones, and images
//! of one virtual machine all of them. Where several hosts are shown, each number is one of a host, given at the door
//! (`streams`), and the number that the host itself has is told from it here.

use std::num::NonZeroU8;
use std::sync::Arc;

use crate::model::netns::NetnsId;
use crate::model::text::DisplayText;
use crate::model::time::{Timestamp, WallTime};

/// So many hosts can be shown together.
pub const HOSTS_MAX: usize = 64;
/// So many network namespaces, and so many users, of one host are told apart; it has one number for all beyond.
pub const NUMBERS_MAX: usize = 65_535;
/// Below the number of a host there is room for so many bits, in namespaces and users.
const SHORT_BITS: u32 = 24;
/// The same in start times and control groups.
const LONG_BITS: u32 = 56;

/// One of the hosts that are shown together: 1 to [`HOSTS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostNumber(NonZeroU8);

impl HostNumber {
    /// The host at `place`, counted from 0; `None` from [`HOSTS_MAX`] on.
    pub fn at(place: usize) -> Option<Self> {
        let number = u8::try_from(place + 1).ok().filter(|_| place < HOSTS_MAX)?;
        NonZeroU8::new(number).map(Self)
    }

    /// Its place among the hosts, counted from 0.
    pub const fn place(self) -> usize {
        self.0.get() as usize - 1
    }

    /// The number that stands for the host's `nth` namespace or user; those from [`NUMBERS_MAX`] on share one.
    pub fn short(self, nth: usize) -> u32 {
        let nth = u32::try_from(nth.min(NUMBERS_MAX)).unwrap_or_default();
        u32::from(self.0.get()) << SHORT_BITS | nth
    }

    /// The number that stands for the start time or the control group `number` of the host. What is of no control group
    /// ([`NO_CGROUP`](crate::model::socket::NO_CGROUP)) stays so.
    pub const fn long(self, number: u64) -> u64 {
        let kind = number & 1 << 63;
        kind | (self.0.get() as u64) << LONG_BITS | number_of_host(number)
    }

    /// The host of the namespace `netns`; `None` where there is only one host. (The kernel numbers namespaces from 0xF0000000 on:
    /// `PROC_DYNAMIC_FIRST`, fs/proc/generic.c.)
    pub fn of_namespace(netns: NetnsId) -> Option<Self> {
        Self::of_short(netns.0).map(|(host, _)| host)
    }

    /// The host of a process that started at `start_ticks`.
    pub fn of_process(start_ticks: u64) -> Option<Self> {
        Self::known(start_ticks >> LONG_BITS)
    }

    /// The namespace that stands for the host as a whole.
    pub fn whole(self) -> NetnsId {
        NetnsId(self.short(0))
    }

    /// The host, and which of its namespaces or users `number` stands for.
    fn of_short(number: u32) -> Option<(Self, usize)> {
        Some((Self::known((number >> SHORT_BITS).into())?, (number & ((1 << SHORT_BITS) - 1)) as usize))
    }

    fn known(number: u64) -> Option<Self> {
        let number = u8::try_from(number).ok().filter(|number| usize::from(*number) <= HOSTS_MAX)?;
        NonZeroU8::new(number).map(Self)
    }
}

/// The namespace that stands for the host of `netns` as a whole; the same for all where there is only one host.
pub fn whole_host(netns: NetnsId) -> NetnsId {
    HostNumber::of_namespace(netns).map_or(NetnsId::default(), HostNumber::whole)
}

/// The start time or the control group that `number` stands for, as its host numbers it. Hosts shown alone have no greater
/// ones: an inode has 32 bits, and what is above counts how often the kernel began anew.
pub const fn number_of_host(number: u64) -> u64 {
    number & ((1 << LONG_BITS) - 1)
}

/// What a host itself calls its namespaces and users, in the order in which they were met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostNumbers {
    /// The namespaces; the first stands for the host as a whole, and has the number 0.
    pub namespaces: Vec<NetnsId>,
    /// The users.
    pub uids: Vec<u32>,
}

impl Default for HostNumbers {
    fn default() -> Self {
        Self { namespaces: vec![NetnsId(0)], uids: Vec::new() }
    }
}

/// A host that is shown together with others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedHost {
    /// What it is called; no two hosts are called the same.
    pub name: DisplayText,
    /// The network namespace that its conntop is in.
    pub own: Option<NetnsId>,
    /// What it calls its namespaces and users.
    pub numbers: Arc<HostNumbers>,
}

/// The hosts that are shown together, by their numbers; none where there is only one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedHosts(pub Vec<NamedHost>);

impl NamedHosts {
    /// Whether there is only one host, whose numbers are its own.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The host that `netns` is on.
    pub fn of(&self, netns: NetnsId) -> Option<&NamedHost> {
        self.find(netns.0).map(|(host, _)| host)
    }

    /// The number that the host of `netns` has for it: the inode of `/proc/PID/ns/net`.
    pub fn namespace_number(&self, netns: NetnsId) -> u32 {
        let known = self.find(netns.0);
        known.map_or(netns.0, |(host, nth)| host.numbers.namespaces.get(nth).map_or(0, |netns| netns.0))
    }

    /// The number that the host of the user `uid` has for it.
    pub fn uid_number(&self, uid: u32) -> u32 {
        self.find(uid).map_or(uid, |(host, nth)| host.numbers.uids.get(nth).copied().unwrap_or(u32::MAX))
    }

    fn find(&self, number: u32) -> Option<(&NamedHost, usize)> {
        // Most often there is one host: nobody pays.
        if self.0.is_empty() {
            return None;
        }
        let (host, nth) = HostNumber::of_short(number)?;
        Some((self.0.get(host.place())?, nth))
    }
}

/// What becomes of the recording or the stream of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostStatus {
    /// What the host is called; where that is not known yet, what its stream is called.
    pub name: DisplayText,
    /// Whether samples come.
    pub stream: StreamStatus,
    /// How far its clock is ahead of ours, in milliseconds, where that is more than a second; negative if it is behind.
    pub clock_ahead_ms: Option<i64>,
    /// The moment of its last sample, in the time of all hosts.
    pub at: Option<Timestamp>,
    /// The same as the time of day that the host had.
    pub wall: WallTime,
    /// Another host was called the same, so that this one is told apart by a number.
    pub is_renamed: bool,
}

/// Whether samples of a host come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamStatus {
    /// None has come yet.
    Waiting,
    /// They come.
    Flowing,
    /// None has come for longer than is usual for this host; it may be cut off without knowing.
    Silent,
    /// The recording is at its end.
    AtEnd,
    /// No more will come: this is why.
    Ended(DisplayText),
    /// None ever came, as it is no recording that can be read: this sentence says why.
    Refused(DisplayText),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::socket::NO_CGROUP;

    #[test]
    fn a_number_is_one_of_a_host_and_its_own_number_is_told_again() {
        let host =
            |name: &str, numbers: HostNumbers| NamedHost { name: name.into(), own: None, numbers: Arc::new(numbers) };
        let [a, b] = [0, 1].map(|place| HostNumber::at(place).expect("there is room"));
        let inode = NetnsId(4_026_531_840);
        let of_a = HostNumbers { namespaces: vec![NetnsId(0), inode], uids: vec![1_000, 4_000_000_000] };
        let of_b = HostNumbers { namespaces: vec![NetnsId(0), inode], uids: vec![0, 1_000] };
        let hosts = NamedHosts(vec![host("a", of_a), host("b", of_b)]);
        assert_ne!(a.short(1), b.short(1));
        assert_eq!([a.short(1), b.short(1)].map(|number| hosts.namespace_number(NetnsId(number))), [inode.0; 2]);
        assert_eq!([a.short(1), b.short(1)].map(|number| hosts.uid_number(number)), [4_000_000_000, 1_000]);
        let named = |number: u32| hosts.of(NetnsId(number)).map(|host| host.name.to_string());
        assert_eq!((named(a.short(0)), named(b.short(1))), (Some("a".to_owned()), Some("b".to_owned())));
        assert_eq!(named(inode.0), None, "no number of these hosts");
        assert_eq!(NamedHosts::default().uid_number(a.short(0)), a.short(0), "one host has its own numbers");
        assert_ne!(a.long(77), b.long(77));
        assert_eq!([a.long(77), b.long(77), 77].map(number_of_host), [77; 3]);
        assert!(b.long(NO_CGROUP | 5) >= NO_CGROUP && b.long(5) < NO_CGROUP);
    }

    #[test]
    fn there_is_room_for_so_many_hosts_and_numbers_and_no_two_hosts_share_one() {
        assert!(HostNumber::at(HOSTS_MAX - 1).is_some() && HostNumber::at(HOSTS_MAX).is_none());
        let last = HostNumber::at(HOSTS_MAX - 1).expect("there is room");
        assert_eq!(last.short(NUMBERS_MAX), last.short(usize::MAX), "beyond it there is one for all");
        let before = HostNumber::at(HOSTS_MAX - 2).expect("there is room");
        assert!(before.short(usize::MAX) < last.short(0) && before.long(u64::MAX >> 1) < last.long(0));
    }
}
