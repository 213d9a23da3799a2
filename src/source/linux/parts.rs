//! Partial samples: which sockets they cover, and which others are worth a look-up because the kernel told of their end.

use crate::model::coverage::Coverage;
use crate::model::delta::EventSource;
use crate::model::endpoint::Protocol;
use crate::model::event::Events;
use crate::model::snapshot::{Scope, Snapshot};
use crate::model::socket::{Socket, SocketId, SocketRef};
use crate::model::tcp_state::TcpState::{
    Close, CloseWait, Closing, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent, TimeWait,
};

/// The states in which something happens or is wrong; the silent mass is in `ESTABLISHED` and `TIME_WAIT`.
const TELLING: Scope = Scope::tcp(&[Listen, SynSent, SynRecv, FinWait1, FinWait2, CloseWait, Closing, LastAck, Close]);
/// Up to so many sockets, `TIME_WAIT` is covered too: 2 ms.
const TIME_WAIT_MAX: usize = 2_000;
/// Up to so many sockets, UDP is covered too.
const UDP_MAX: usize = 1_000;
/// The most look-ups of sockets that ended in one sample: some 25 ms. Beyond, a full dump is cheaper.
const LOOK_UPS_MAX: usize = 4_096;

/// What is remembered from sample to sample.
#[derive(Debug, Default)]
pub struct PartialSamples {
    /// What the next partial sample covers, and what the last full one could not see; `None` before that.
    last_full: Option<(Scope, Coverage)>,
    engaged: bool,
    /// Events were lost before this sample, and before the one before it.
    flooded: (bool, bool),
    ended: Vec<SocketRef>,
}

impl PartialSamples {
    /// Partial samples will be asked for.
    pub const fn engage(&mut self) {
        self.engaged = true;
    }

    /// Whether partial samples were ever asked for.
    pub const fn is_engaged(&self) -> bool {
        self.engaged
    }

    /// Takes in what the kernel told since the last sample.
    pub fn note_ended(&mut self, events: &Events) {
        let connections = events.ended.iter().map(|ended| ended.socket);
        let connections = connections.filter(|socket| socket.protocol == Protocol::Tcp && !socket.remote.is_unset());
        self.ended.clear();
        self.ended.extend(connections.take(LOOK_UPS_MAX + 1));
        let lost = events.lost.iter().any(|loss| loss.of == EventSource::DestroyEvent);
        let flood = lost || self.ended.len() > LOOK_UPS_MAX;
        self.ended.truncate(LOOK_UPS_MAX);
        self.flooded = (flood, self.flooded.0);
    }

    /// Whether ends were lost that only a full sample can make up for, now. Where they are lost again and again, the
    /// full samples that come anyway must do.
    pub const fn needs_full(&self) -> bool {
        self.flooded.0 && !self.flooded.1
    }

    /// What is worth saying about lost events.
    pub const fn flood(&self) -> Option<&'static str> {
        match self.flooded {
            (true, false) => Some("sockets ended faster than the kernel could tell; everything was read anew"),
            (true, true) => Some("sockets end faster than the kernel can tell; some ends show late"),
            (false, _) => None,
        }
    }

    /// Sockets that ended since the last sample, or became mini-sockets.
    pub fn ended(&self) -> &[SocketRef] {
        &self.ended
    }

    /// The scope of a partial sample, with what the last full one could not see; `None` before there was one.
    pub fn begin(&self) -> Option<(Scope, Coverage)> {
        self.last_full.clone()
    }

    /// Remembers a full sample.
    pub fn note_full(&mut self, snapshot: &Snapshot) {
        if !self.engaged {
            return;
        }
        let (mut waiting, mut udp) = (0, 0);
        for socket in &snapshot.sockets {
            waiting += usize::from(socket.state == TimeWait);
            udp += usize::from(socket.protocol == Protocol::Udp);
        }
        let scope = if waiting <= TIME_WAIT_MAX { TELLING.and(TimeWait) } else { TELLING };
        let scope = if udp <= UDP_MAX { scope.and_udp() } else { scope };
        self.last_full = Some((scope, snapshot.coverage.clone()));
    }
}

/// What to look up beside the sockets that `snapshot` lists: those on the screen, each once.
pub fn worth_a_look(snapshot: &Snapshot, visible: &[SocketRef]) -> Vec<SocketRef> {
    let mut known: Vec<SocketId> = snapshot.sockets.iter().map(|socket| socket.id).collect();
    known.sort_unstable();
    let mut wanted: Vec<SocketRef> = visible.to_vec();
    wanted.sort_unstable_by_key(|reference| reference.id);
    wanted.dedup_by_key(|reference| reference.id);
    wanted.retain(|reference| known.binary_search(&reference.id).is_err());
    wanted
}

/// Of the sockets after the first `listed`, which were looked up, drops those that are listed, or were found twice.
pub fn drop_repeated(sockets: &mut Vec<Socket>, listed: usize) {
    if sockets.len() <= listed {
        return;
    }
    let mut found = sockets.split_off(listed);
    let mut known: Vec<SocketId> = sockets.iter().map(|socket| socket.id).collect();
    known.sort_unstable();
    found.sort_by_key(|socket| socket.id);
    found.dedup_by_key(|socket| socket.id);
    sockets.extend(found.into_iter().filter(|socket| known.binary_search(&socket.id).is_err()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tcp_state::TcpState;
    use crate::model::testing::{snapshot, tcp};

    #[test]
    fn a_crowd_of_waiting_sockets_is_not_asked_for_each_time() {
        let waiting = |count: usize| snapshot(1, (0..count as u64).map(|cookie| tcp(cookie).mini(TimeWait)));
        let mut parts = PartialSamples::default();
        parts.note_full(&waiting(1));
        assert_eq!(parts.begin(), None, "nobody has asked for a part");
        parts.engaged = true;
        let covers =
            |parts: &PartialSamples, state| parts.begin().is_some_and(|(scope, _)| scope.covers(Protocol::Tcp, state));
        parts.note_full(&waiting(TIME_WAIT_MAX));
        assert!(covers(&parts, TimeWait) && covers(&parts, CloseWait) && !covers(&parts, TcpState::Established));
        parts.note_full(&waiting(TIME_WAIT_MAX + 1));
        assert!(!covers(&parts, TimeWait) && covers(&parts, Listen));
    }

    #[test]
    fn each_socket_that_is_not_listed_is_looked_up_once() {
        let sample = snapshot(1, [tcp(1), tcp(2)]);
        let reference = |cookie| tcp(cookie).build().reference();
        let wanted = worth_a_look(&sample, &[reference(4), reference(2), reference(3), reference(1), reference(4)]);
        assert_eq!(wanted, [reference(3), reference(4)]);
    }

    #[test]
    fn what_a_look_up_finds_again_stands_once() {
        let mut sockets: Vec<Socket> = [tcp(1), tcp(2), tcp(4), tcp(2), tcp(3), tcp(4)].map(Into::into).into();
        drop_repeated(&mut sockets, 2);
        let cookies: Vec<_> = sockets.iter().filter_map(|socket| socket.id.cookie()).collect();
        assert_eq!(cookies, [1, 2, 3, 4]);
    }

    #[test]
    fn only_a_loss_after_a_calm_sample_is_made_up_for_at_once() {
        let parts = |flooded| PartialSamples { flooded, ..PartialSamples::default() };
        assert!(parts((true, false)).needs_full());
        assert!(!parts((true, true)).needs_full() && !parts((false, true)).needs_full());
    }
}
