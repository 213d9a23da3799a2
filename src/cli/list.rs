//! `conntop list`: takes what the source has and prints it.

use std::process::ExitCode;

use crate::cli::config::Settings;
use crate::cli::names::{Names, PATIENCE};
use crate::cli::{Failure, print};
use crate::model::snapshot::{Needs, Snapshot};
use crate::report::list::List;
use crate::source::{Pace, Source};
use crate::store::Store;
use crate::tracker::{self, Tracker};

/// Prints one sample of a live source, or the end of a recording.
pub(super) fn run(mut source: Box<dyn Source>, settings: &Settings, list: &List) -> Result<ExitCode, Failure> {
    let mut store = look(&mut *source, &settings.needs())?;
    let mut names = Names::new(settings, source.info().kind, PATIENCE);
    let list = List { names: names.is_on(), ..list.clone() };
    let peers = list.peers(&store);
    names.learn(&mut store, &peers);
    for sentence in &store.coverage().degraded {
        super::say(sentence.as_str());
    }
    print(|out| list.write(&store, out))
}

/// A recording is read to its end, so that ages and owners are those that were known then; it takes no time.
pub(super) fn look(source: &mut dyn Source, needs: &Needs) -> Result<Store, Failure> {
    let (mut store, mut tracker) = (Store::new(source.info().clone()), Tracker::new());
    let mut snapshot = Snapshot::default();
    loop {
        let pace = source.sample(needs, &mut snapshot)?;
        if pace == Pace::Interval {
            // A live source: one sample is enough, and there will be none to compare it with.
            store.apply(tracker::once(snapshot));
            return Ok(store);
        }
        store.apply(tracker.update(&snapshot));
        if !matches!(pace, Pace::After(_)) {
            return Ok(store);
        }
    }
}
