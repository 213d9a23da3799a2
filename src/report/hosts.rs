//! What is to be said of the hosts that are shown: those that have ended, are silent, or have another time.

use crate::model::hosts::{HostStatus, StreamStatus};
use crate::model::text::DisplayText;
use crate::model::units;
use crate::report::format::json::rfc3339;
use crate::store::Store;

/// A sentence for each thing.
pub fn sentences(store: &Store) -> Vec<DisplayText> {
    let statuses = store.host_statuses();
    statuses.iter().flat_map(|status| [same_name(status), stream(status), clock(status)]).flatten().collect()
}

fn same_name(status: &HostStatus) -> Option<DisplayText> {
    let own = status.name.as_str().rsplit_once('#').filter(|_| status.is_renamed)?.0;
    Some(sentence(&format!("another host is called {own}, too; this one is shown as {}", status.name)))
}

fn stream(status: &HostStatus) -> Option<DisplayText> {
    let HostStatus { name, stream, at, wall, .. } = status;
    let last =
        at.map_or_else(|| "nothing of it is shown".to_owned(), |_| format!("its last sample is of {}", rfc3339(*wall)));
    match stream {
        StreamStatus::Flowing | StreamStatus::AtEnd => None,
        StreamStatus::Waiting => Some(sentence(&format!("{name} has sent no sample yet"))),
        StreamStatus::Silent => Some(sentence(&format!("{name} sends no samples any more; {last}"))),
        StreamStatus::Ended(why) => Some(sentence(&format!("{name} has ended: {why}; {last}"))),
        StreamStatus::Refused(why) => Some(why.clone()),
    }
}

fn clock(status: &HostStatus) -> Option<DisplayText> {
    let ahead = status.clock_ahead_ms?;
    let by = units::lasted(std::time::Duration::from_millis(ahead.unsigned_abs()));
    let way = if ahead < 0 { "behind" } else { "ahead of" };
    Some(sentence(&format!(
        "the clock of {} is {by} {way} ours; its samples are shown as of when they came",
        status.name
    )))
}

fn sentence(text: &str) -> DisplayText {
    DisplayText::new(text)
}
