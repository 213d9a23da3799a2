//! Where the sockets of a dump go: each is pushed into the sink that knows the sample before, and listed if it is new or
//! has changed. So a large table is never in memory as a whole a second time.
//!
//! A socket can only be compared while it is dumped if all that belongs to it is known by then. That is so for the mass of
//! established connections whose holders are known from before; all others are few, and are completed after the dump.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::model::process::Owner;
use crate::model::sink::{SampleSink, SinkAnswer};
use crate::model::socket::Socket;
use crate::model::tcp_state::TcpState;
use crate::source::linux::owners::Owners;
use crate::source::linux::query::DumpPlan;

/// Takes in the sockets of one sample.
pub struct DumpIntake<'a> {
    /// Those that the sample lists.
    pub sockets: &'a mut Vec<Socket>,
    /// Which of them; `None` for all.
    plan: Option<&'a DumpPlan>,
    /// The inodes of the sockets that are listed; `None` for all.
    held: Option<&'a FxHashSet<u32>>,
    comparison: Option<Comparison<'a>>,
}

/// What a socket is compared with while it is dumped.
struct Comparison<'a> {
    sink: &'a mut dyn SampleSink,
    /// Their holdings were looked at just before the dump.
    owners: &'a Owners,
    /// Control groups and interfaces of which the sample lists a socket: names are read for what it lists.
    named: FxHashSet<(NonZeroU64, Option<NonZeroU32>)>,
    known: Vec<u32>,
}

impl<'a> DumpIntake<'a> {
    /// Lists every socket.
    pub const fn all(sockets: &'a mut Vec<Socket>) -> Self {
        Self { sockets, plan: None, held: None, comparison: None }
    }

    /// Lists only what `plan` lists.
    #[must_use]
    pub fn of_plan(self, plan: Option<&'a DumpPlan>) -> Self {
        Self { plan: plan.filter(|plan| !plan.is_whole()), ..self }
    }

    /// Lists only sockets with one of these inodes; those without an inode are held by nobody.
    #[must_use]
    pub fn of_held(self, inodes: Option<&'a FxHashSet<u32>>) -> Self {
        Self { held: inodes, ..self }
    }

    /// The inodes of which sockets are listed, if not all.
    pub const fn held(&self) -> Option<&'a FxHashSet<u32>> {
        self.held
    }

    /// Whether the socket with this inode need not be decoded.
    #[inline]
    pub fn skips(&self, inode: Option<u32>) -> bool {
        self.held.is_some_and(|held| inode.is_some_and(|inode| !held.contains(&inode)))
    }

    /// Which sockets are listed, if not all.
    pub const fn plan(&self) -> Option<&'a DumpPlan> {
        self.plan
    }

    /// Lists what `sink` does not know, and what cannot be compared yet.
    pub fn compared(sockets: &'a mut Vec<Socket>, sink: &'a mut dyn SampleSink, owners: &'a Owners) -> Self {
        Self {
            sockets,
            plan: None,
            held: None,
            comparison: Some(Comparison { sink, owners, named: FxHashSet::default(), known: Vec::new() }),
        }
    }

    /// Takes in one socket.
    #[inline]
    pub fn push(&mut self, mut socket: Socket) {
        let inode = socket.inode.map_or(0, NonZeroU32::get);
        if self.skips(Some(inode)) || self.plan.is_some_and(|plan| !plan.lists(&socket)) {
            return;
        }
        if !self.comparison.as_mut().is_some_and(|comparison| comparison.knows(&mut socket)) {
            self.sockets.push(socket);
        }
    }

    /// Takes in all of `sockets`, which another intake of this kind has listed.
    pub fn append(&mut self, sockets: &mut Vec<Socket>) {
        if self.comparison.is_some() {
            sockets.drain(..).for_each(|socket| self.push(socket));
        } else {
            self.sockets.append(sockets);
        }
    }

    /// The place to go back to if the dump that begins now goes wrong.
    pub const fn mark(&self) -> usize {
        self.sockets.len()
    }

    /// Lists no more what was pushed since [`Self::mark`] was there. What the sink knew of it, it goes on knowing.
    pub fn rewind(&mut self, mark: usize) {
        self.sockets.truncate(mark);
        if let Some(comparison) = &mut self.comparison {
            comparison.named.clear();
        }
    }

    /// The inodes of the sockets that there are and that are not listed, as they were known.
    pub fn into_known(self) -> Vec<u32> {
        self.comparison.map(|comparison| comparison.known).unwrap_or_default()
    }
}

impl Comparison<'_> {
    /// Whether `socket` need not be listed.
    fn knows(&mut self, socket: &mut Socket) -> bool {
        if socket.state != TcpState::Established {
            return false;
        }
        // Without a control group, that of the holder stands in; that is looked for later.
        let (Some(inode), Some(cgroup)) = (socket.inode, socket.cgroup) else { return false };
        let Some(holders) = self.owners.known_holders(inode) else { return false };
        socket.owner = Owner::Live(Arc::clone(holders));
        if self.named.insert((cgroup, socket.interface)) {
            return false;
        }
        let answer = self.sink.push(socket);
        if answer == SinkAnswer::Known {
            self.known.push(inode.get());
        }
        !answer.is_to_list()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Protocol;
    use crate::model::snapshot::Snapshot;
    use crate::model::socket::NetnsId;
    use crate::model::testing::tcp;
    use crate::model::time::{Timestamp, WallTime};
    use crate::source::clock;
    use crate::source::linux::owners::AttributionContext;
    use crate::source::linux::processes::ClockReading;

    /// Knows every socket, and says so once of each.
    #[derive(Default)]
    struct KnowsAll(Vec<u64>);

    impl SampleSink for KnowsAll {
        fn begin(&mut self, _: Timestamp, _: WallTime) -> Snapshot {
            Snapshot::default()
        }

        fn push(&mut self, socket: &Socket) -> SinkAnswer {
            assert!(socket.owner.holders().is_some(), "compared with the owner that is known of it");
            let cookie = socket.id.cookie().expect("it has one");
            if self.0.contains(&cookie) {
                return SinkAnswer::Repeated;
            }
            self.0.push(cookie);
            SinkAnswer::Known
        }

        fn finish(&mut self, _: Snapshot) {}
    }

    /// Owners that believe this process to hold `socket`, and its inode.
    fn believing(socket: &std::net::UdpSocket) -> (Owners, Option<NonZeroU32>) {
        let inode = u32::try_from(rustix::fs::fstat(socket).expect("open").st_ino).ok().and_then(NonZeroU32::new);
        let mut owners = Owners::open();
        let now = ClockReading { at: clock::now().0, ..ClockReading::default() };
        let held = &mut |asked: &[&Socket]| vec![Some(true); asked.len()];
        let mut sockets = [Socket { inode, protocol: Protocol::Udp, ..tcp(1).build() }];
        owners.attribute(
            &mut sockets,
            None,
            AttributionContext { now, own: NetnsId(1), some_invisible: &|| false, held },
        );
        (owners, inode)
    }

    #[test]
    fn a_dump_that_is_repeated_lists_one_socket_of_a_control_group_and_counts_what_is_known_once() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let (owners, inode) = believing(&socket);
        let of_group = |cookie, group| Socket { inode, cgroup: NonZeroU64::new(group), ..tcp(cookie).build() };
        let (mut sockets, mut sink) = (Vec::new(), KnowsAll::default());
        let mut intake = DumpIntake::compared(&mut sockets, &mut sink, &owners);
        let mark = intake.mark();
        for _ in 0..2 {
            intake.rewind(mark);
            for (cookie, group) in [(1, 7), (2, 7), (3, 7), (4, 8)] {
                intake.push(of_group(cookie, group));
            }
            intake.push(Socket { state: TcpState::CloseWait, ..of_group(5, 7) });
            intake.push(Socket { inode: None, ..of_group(6, 7) });
        }
        assert_eq!(intake.into_known().len(), 2, "2 and 3, the second time as well");
        let listed: Vec<_> = sockets.iter().filter_map(|socket| socket.id.cookie()).collect();
        assert_eq!(listed, [1, 4, 5, 6], "two groups, another state, and what nobody is known to hold");
    }
}
