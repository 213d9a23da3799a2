//! The one protocol between a source and whoever wants its samples: the source pushes, the sink answers and keeps.
//!
//! A sample goes one way: [`begin`](SampleSink::begin), [`push`](SampleSink::push) for each socket of which the source can spare
//! itself the work on what is known, [`missing`](SampleSink::missing) in a partial sample, [`finish`](SampleSink::finish). A source that
//! fails does not come to the end: what it has pushed until then changes nothing that the sink tells.

use crate::model::endpoint::Endpoint;
use crate::model::snapshot::Snapshot;
use crate::model::socket::{Socket, SocketRef};
use crate::model::time::{Timestamp, WallTime};

/// Takes samples. Every [`Snapshot`] is one, which keeps everything that it is given.
pub trait SampleSink {
    /// A sample was begun at this moment. Gives memory for it, an empty snapshot with the moment in it, and forgets what an
    /// earlier sample has pushed that was never finished.
    fn begin(&mut self, at: Timestamp, wall: WallTime) -> Snapshot;

    /// Whether there are sockets of an earlier sample to compare with. If not, nothing need be pushed: all is new.
    fn remembers(&self) -> bool {
        false
    }

    /// A socket of the full sample that was begun, as the source has decoded it, with the owner that it is believed to have.
    /// One that is [`SinkAnswer::Known`] or [`SinkAnswer::Repeated`] need not be in the snapshot; one that is not pushed has to be.
    fn push(&mut self, _socket: &Socket) -> SinkAnswer {
        SinkAnswer::New
    }

    /// The sockets that `snapshot`, a partial sample, should list and does not, and some of those that it need not list and
    /// that may look otherwise now: the source looks for exactly these.
    fn missing(&self, _snapshot: &Snapshot) -> Vec<SocketRef> {
        Vec::new()
    }

    /// The TCP sockets of the samples so far that have these ends, ours first: a change of state is told by them alone.
    fn at_endpoints(&self, _places: &[(Endpoint, Endpoint)]) -> Vec<SocketRef> {
        Vec::new()
    }

    /// The sample is complete: `snapshot` is the one that [`begin`](Self::begin) gave, with the sockets that are new or have
    /// changed, their owners, and all else that belongs to the sample.
    fn finish(&mut self, snapshot: Snapshot);
}

/// What a sink says of a socket that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkAnswer {
    /// It differs in nothing from the sample before.
    Known,
    /// The sample before did not have it.
    New,
    /// The sample before had it otherwise.
    Changed,
    /// It was pushed before in this sample, and was known.
    Repeated,
}

impl SinkAnswer {
    /// Whether the snapshot has to list the socket, with its owner and names.
    pub const fn is_to_list(self) -> bool {
        matches!(self, Self::New | Self::Changed)
    }
}

impl SampleSink for Snapshot {
    fn begin(&mut self, at: Timestamp, wall: WallTime) -> Snapshot {
        let mut memory = std::mem::take(self);
        memory.clear();
        (memory.at, memory.wall) = (at, wall);
        memory
    }

    fn finish(&mut self, snapshot: Snapshot) {
        *self = snapshot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{snapshot, tcp};

    #[test]
    fn a_snapshot_takes_everything_into_the_memory_that_it_has() {
        let mut sink = snapshot(1, (0..100).map(tcp));
        let mut begun = SampleSink::begin(&mut sink, Timestamp::from_millis(2_000), WallTime::default());
        assert!(begun.sockets.is_empty() && begun.sockets.capacity() >= 100);
        assert!(!sink.remembers() && sink.push(&tcp(1).build()) == SinkAnswer::New && sink.missing(&begun).is_empty());
        begun.sockets.push(tcp(1).build());
        sink.finish(begun);
        assert_eq!((sink.at, sink.sockets.len()), (Timestamp::from_millis(2_000), 1));
    }
}
