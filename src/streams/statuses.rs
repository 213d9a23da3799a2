//! What is said of the hosts: their names, each its own, and what becomes of their streams.

use crate::model::hosts::{HostStatus, StreamStatus};
use crate::model::text::DisplayText;
use crate::model::time::WallTime;
use crate::streams::inbox::{Arrival, StreamEnd};

/// The hosts, in the order in which their streams were named.
#[derive(Debug)]
pub struct HostStatuses {
    statuses: Vec<HostStatus>,
    /// Whose name is that of the host, not of its stream.
    are_named: Vec<bool>,
    has_changed: bool,
}

impl HostStatuses {
    /// Of streams that are called so, until their hosts are known.
    pub fn new(streams: impl IntoIterator<Item = DisplayText>) -> Self {
        let waiting = |name: DisplayText| HostStatus {
            name,
            stream: StreamStatus::Waiting,
            clock_ahead_ms: None,
            at: None,
            wall: WallTime::default(),
            is_renamed: false,
        };
        let statuses: Vec<_> = streams.into_iter().map(waiting).collect();
        Self { are_named: vec![false; statuses.len()], statuses, has_changed: false }
    }

    /// All of them.
    pub fn all(&self) -> &[HostStatus] {
        &self.statuses
    }

    /// Whether anything has changed since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// The host of the stream at `place` is called `name`: if another one is, too, it gets a number.
    pub fn name(&mut self, place: usize, name: &DisplayText) {
        if self.are_named.get(place) != Some(&false) {
            return;
        }
        let is_taken = |wanted: &DisplayText| {
            self.statuses.iter().zip(&self.are_named).any(|(status, named)| *named && status.name == *wanted)
        };
        let numbered = (2..).map(|number: usize| DisplayText::new(&format!("{name}#{number}")));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default();
        let status = &mut self.statuses[place];
        status.is_renamed = free != *name;
        status.name = free;
        self.are_named[place] = true;
        self.has_changed = true;
    }

    /// A sample of the host at `place` is shown.
    pub fn came(&mut self, place: usize, arrival: &Arrival) {
        let Some(status) = self.statuses.get_mut(place) else { return };
        let is_news = status.stream != StreamStatus::Flowing
            || status.clock_ahead_ms.is_some() != arrival.clock_ahead_ms.is_some();
        self.has_changed |= is_news;
        if matches!(status.stream, StreamStatus::Waiting | StreamStatus::Silent) {
            status.stream = StreamStatus::Flowing;
        }
        status.clock_ahead_ms = arrival.clock_ahead_ms;
        (status.at, status.wall) = (Some(arrival.sample.delta.at), arrival.wall);
    }

    /// No sample of the host at `place` has come for long.
    pub fn is_late(&mut self, place: usize) {
        self.set(place, StreamStatus::Silent);
    }

    /// No more will come of the host at `place`.
    pub fn ended(&mut self, place: usize, end: &StreamEnd) {
        let stream = match end {
            StreamEnd::AtEnd => StreamStatus::AtEnd,
            StreamEnd::Ended(why) => StreamStatus::Ended(why.clone()),
            StreamEnd::Refused(why) => StreamStatus::Refused(why.clone()),
        };
        self.set(place, stream);
    }

    fn set(&mut self, place: usize, stream: StreamStatus) {
        let Some(status) = self.statuses.get_mut(place) else { return };
        if status.stream != stream {
            status.stream = stream;
            self.has_changed = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_are_called_the_same_are_told_apart_and_keep_their_names() {
        let mut hosts = HostStatuses::new(["a", "b", "c", "d"].map(DisplayText::from));
        for (place, name) in [(2, "web-7"), (0, "web-7"), (1, "web-7#2"), (3, "web-7"), (2, "other")] {
            hosts.name(place, &name.into());
        }
        let names: Vec<&str> = hosts.all().iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["web-7#2", "web-7#2#2", "web-7", "web-7#3"]);
        let renamed: Vec<bool> = hosts.all().iter().map(|host| host.is_renamed).collect();
        assert_eq!(renamed, [true, true, false, true]);
        assert!(hosts.take_changed() && !hosts.take_changed());
    }

    #[test]
    fn a_host_that_ended_stays_so() {
        let mut hosts = HostStatuses::new(["a".into()]);
        let end = StreamEnd::Ended("its recorder ended".into());
        hosts.ended(0, &end);
        assert!(hosts.take_changed());
        hosts.ended(0, &end);
        assert!(!hosts.take_changed(), "it is no news");
        assert_eq!(hosts.all()[0].stream, StreamStatus::Ended("its recorder ended".into()));
    }
}
