//! Takes samples one after the other and keeps what follows from them: the store and the findings.

use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cli::settings::Settings;
use crate::cli::taker::SampleTaker;
use crate::cli::{Failure, say};
use crate::diagnosis::Diagnosis;
use crate::diagnosis::by_host::{FoundByHost, HostDiagnoses};
use crate::diagnosis::finding::Finding;
use crate::diagnosis::thresholds::Thresholds;
use crate::model::delta::{Delta, Gap, HostDelta, Transition};
use crate::model::event::{EventSourceStatus, EventStatus};
use crate::model::hosts::HostNumber;
use crate::model::snapshot::Needs;
use crate::model::text::DisplayText;
use crate::model::time::Timestamp;
use crate::runtime;
use crate::source::retries::RetryLimit;
use crate::source::{Pace, Source};
use crate::store::Store;
use crate::tracker::{Tracker, Tracking};

/// Room for so many sockets is kept from one sample to the next.
const SOCKETS_KEPT: usize = 4_096;

/// The most sentences on shortcomings that are said, each once: some hold numbers that change.
const SAID_MAX: usize = 16;

/// A source, and what was learnt from it.
pub(super) struct Samples {
    taker: SampleTaker,
    needs: Needs,
    tracker: Tracker,
    store: Store,
    diagnosis: Diagnosis,
    /// What is wrong with each of several hosts.
    by_host: HostDiagnoses,
    found_by_host: FoundByHost,
    diagnoses: bool,
    keeps_deltas: bool,
    first: Option<Timestamp>,
}

/// What one sample brought.
pub(super) struct SampleChanges {
    /// What follows it.
    pub(super) pace: Pace,
    /// What happened since the last one.
    pub(super) transitions: Vec<Transition>,
    /// Where events were lost, each with its host where there are several.
    pub(super) gaps: Vec<(Option<HostNumber>, Gap)>,
    /// Who tells of what happens between samples.
    pub(super) event_status: EventStatus,
    /// All of it, where that is kept.
    pub(super) delta: Option<Delta>,
}

impl SampleChanges {
    /// Where events were lost, whichever host lost them.
    pub(super) fn all_gaps(&self) -> Vec<Gap> {
        self.gaps.iter().map(|(_, gap)| *gap).collect()
    }
}

impl Samples {
    /// Nothing is taken yet. Where `listens`, the kernel is asked to tell what happens between samples.
    pub(super) fn new(mut source: Box<dyn Source>, settings: &Settings, patience: RetryLimit, listens: bool) -> Self {
        if listens {
            source.listen(settings.trace);
        }
        Self {
            store: Store::new(source.info().clone()),
            taker: SampleTaker::new(source, patience, settings.shared.interval),
            needs: settings.needs(),
            tracker: Tracker::new(),
            diagnosis: Diagnosis::new(settings.shared.thresholds.clone()).ignoring(settings.shared.ignore.clone()),
            by_host: HostDiagnoses::new(settings.shared.thresholds.clone(), settings.shared.ignore.clone()),
            found_by_host: FoundByHost::default(),
            diagnoses: true,
            keeps_deltas: false,
            first: None,
        }
    }

    /// As [`Self::new`], for who does not ask what is wrong, with an interval of its own.
    pub(super) fn without_findings(source: Box<dyn Source>, settings: &Settings, interval: Duration) -> Self {
        let settings = settings.with_interval(interval);
        Self { diagnoses: false, ..Self::new(source, &settings, RetryLimit::Follow, false) }
    }

    /// The same for who also needs what the store takes in.
    pub(super) fn keeping_deltas(mut self) -> Self {
        self.keeps_deltas = true;
        self
    }

    /// The time of a live source is over after this.
    pub(super) fn for_time(mut self, time: Option<Duration>) -> Self {
        self.taker.for_time(time);
        self
    }

    /// Takes the next sample: a full one, which does not list again what is the same as before. `None` where that failed
    /// and may work later, at [`Self::due`]; that was said.
    ///
    /// Never a partial one, as the screen takes of large tables: those tell of a new connection up to half a minute
    /// late, and what a script waits for, or a line of `watch`, shall come with the next sample.
    pub(super) fn take(&mut self) -> Result<Option<SampleChanges>, Failure> {
        let Self { taker, needs, tracker, .. } = self;
        let sampled = taker.take(|source, snapshot| source.sample(needs, &mut Tracking { tracker, snapshot }))?;
        let Some(pace) = sampled else { return Ok(None) };
        let snapshot = &mut self.taker.snapshot;
        let mut delta = self.tracker.finish(snapshot);
        let by_host = std::mem::take(&mut delta.by_host);
        let taken = SampleChanges {
            pace,
            transitions: delta.transitions.clone(),
            gaps: gaps(&delta, &by_host),
            event_status: delta.event_status.clone(),
            delta: self.keeps_deltas.then(|| delta.clone()),
        };
        // After the first sample of a large table only what is new is listed.
        snapshot.sockets.clear();
        snapshot.sockets.shrink_to(SOCKETS_KEPT);
        self.store.apply(delta);
        if self.diagnoses && self.store.has_hosts() {
            self.by_host.observe(by_host);
            self.found_by_host = self.by_host.found(self.store.names());
        } else if self.diagnoses {
            self.diagnosis.observe(&self.store);
        }
        self.first.get_or_insert(self.store.at());
        Ok(Some(taken))
    }

    /// When the next sample is due, now that all is done that the last one takes. A recording is read, not played.
    pub(super) fn due(&mut self) -> Option<Instant> {
        let is_live = self.is_live();
        self.taker.due().map(|due| if is_live { due } else { Instant::now() })
    }

    /// When the next sample is due by the pace of the source, also where its time is not that of the clock.
    pub(super) fn next_due(&mut self) -> Option<Instant> {
        self.taker.due()
    }

    /// The time from the first to the last sample, as they count it.
    pub(super) fn watched(&self) -> Duration {
        self.first.map_or(Duration::ZERO, |first| self.store.at().since(first))
    }

    /// Whether its time is that of the clock; that of a recording or of a made-up server is not waited for.
    pub(super) fn is_live(&self) -> bool {
        self.taker.is_live()
    }

    /// What is known now.
    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    /// The same, to learn names.
    pub(super) const fn store_mut(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Whether so many sockets are held in `CLOSE` that they are a finding once it is known that they stay so: nothing but
    /// watching them for that long tells. (The kernel keeps no time of it.)
    pub(super) fn is_undecided(&self) -> bool {
        let limits = self.diagnosis.thresholds();
        let held = self.store.rows().held_closed().iter().count();
        let is_live = self.is_live() && !limits.settled.is_zero();
        is_live && held >= limits.held_dead_many as usize && self.watched() <= limits.settled
    }

    /// What looks for what is wrong, where there is one host.
    pub(super) const fn diagnosis(&self) -> &Diagnosis {
        &self.diagnosis
    }

    /// What is wrong now, the worst first.
    pub(super) fn findings(&self) -> &[Finding] {
        if self.store.has_hosts() { &self.found_by_host.findings } else { self.diagnosis.findings() }
    }

    /// How many more there are.
    pub(super) fn left_out(&self) -> usize {
        if self.store.has_hosts() { self.found_by_host.left_out } else { self.diagnosis.left_out() }
    }

    /// How many the user has acknowledged.
    pub(super) fn ignored(&self) -> usize {
        if self.store.has_hosts() { self.found_by_host.ignored } else { self.diagnosis.ignored() }
    }

    /// The limits that the rules compare with.
    pub(super) const fn thresholds(&self) -> &Thresholds {
        self.diagnosis.thresholds()
    }
}

fn gaps(delta: &Delta, by_host: &[HostDelta]) -> Vec<(Option<HostNumber>, Gap)> {
    if by_host.is_empty() {
        return delta.gaps.iter().map(|gap| (None, *gap)).collect();
    }
    by_host.iter().flat_map(|part| part.delta.gaps.iter().map(|gap| (Some(part.host), *gap))).collect()
}

/// Why less is seen than could be, each sentence said once. The one place in which commands that go on remember what they
/// said, so that its limit holds for all of them.
#[derive(Default)]
pub(super) struct Warnings {
    sentences: Vec<DisplayText>,
    is_full: bool,
}

impl Warnings {
    /// Says what of `sentences` was not said before.
    pub(super) fn say<'a>(&mut self, sentences: impl IntoIterator<Item = &'a DisplayText>) {
        self.news(sentences).iter().for_each(|sentence| say(sentence.as_str()));
    }

    /// What of `sentences` is to be said; at the limit that there will be no more.
    fn news<'a>(&mut self, sentences: impl IntoIterator<Item = &'a DisplayText>) -> Vec<DisplayText> {
        let mut news = Vec::new();
        for sentence in sentences {
            if self.sentences.contains(sentence) {
                continue;
            }
            if self.sentences.len() < SAID_MAX {
                self.sentences.push(sentence.clone());
                news.push(sentence.clone());
            } else if !std::mem::replace(&mut self.is_full, true) {
                news.push("more of what could not be seen is left out here; start the command again to be told".into());
            }
        }
        news
    }
}

/// Why less is seen than could be: what the last sample says, and whose reports are refused.
pub(super) fn shortcomings<'a>(
    store: &'a Store,
    reported_by: &'a EventStatus,
) -> impl Iterator<Item = &'a DisplayText> {
    let refused = [&reported_by.ends, &reported_by.trace].into_iter().filter_map(|source| match source {
        EventSourceStatus::Refused(sentence) => Some(sentence),
        EventSourceStatus::Off | EventSourceStatus::On => None,
    });
    store.coverage().degraded.iter().chain(refused)
}

/// Ctrl-C, listened to from the first wait on.
///
/// Where it cannot be heard it ends the program at once, which does no harm either.
pub(super) struct Interrupt(EndSignal);

/// What is finished when the program is asked to end.
type EndSignal = Pin<Box<dyn Future<Output = std::io::Result<()>>>>;

impl Interrupt {
    /// Runs `command`, which waits, with one that listens from the first call of [`Self::comes_before`].
    pub(super) fn run<T>(command: impl AsyncFnOnce(Self) -> Result<T, Failure>) -> Result<T, Failure> {
        Self::run_until(|| Box::pin(tokio::signal::ctrl_c()), command)
    }

    /// The same for a command that runs as a service: SIGTERM, by which a service manager ends it, and the end of its terminal count as
    /// Ctrl-C.
    pub(super) fn run_service<T>(command: impl AsyncFnOnce(Self) -> Result<T, Failure>) -> Result<T, Failure> {
        Self::run_until(|| Box::pin(runtime::end_is_asked()), command)
    }

    fn run_until<T>(
        signal: impl FnOnce() -> EndSignal,
        command: impl AsyncFnOnce(Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let (runtime, hears) = runtime::for_waiting().context("cannot wait")?;
        runtime.block_on(async {
            let interrupt = Self(if hears { signal() } else { Box::pin(std::future::pending()) });
            command(interrupt).await
        })
    }

    /// Waits until `due`; whether Ctrl-C came first, or since the last call. After `true` it must not be asked again.
    pub(super) async fn comes_before(&mut self, due: Instant) -> bool {
        tokio::select! {
            biased;
            // Without a handler Ctrl-C ends the program at once, which does no harm either.
            pressed = &mut self.0 => pressed.is_ok(),
            () = wait_until(due) => false,
        }
    }
}

async fn wait_until(due: Instant) {
    // Signals are looked for while the runtime waits, which it must do once even if there is no time to wait.
    tokio::task::yield_now().await;
    tokio::time::sleep_until(due.into()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_said_once_and_there_is_a_limit_to_them_that_is_said_too() {
        let mut said = Warnings::default();
        let sentence = |nth: usize| DisplayText::from(format!("{nth} sockets could not be read").as_str());
        assert_eq!(said.news(&[sentence(0), sentence(0)]), [sentence(0)]);
        assert!(said.news(&[sentence(0)]).is_empty());
        let all: Vec<_> = (0..10_000).map(sentence).collect();
        let news = said.news(&all);
        assert_eq!(news.len(), SAID_MAX, "one was said before, and one says that there are more");
        assert!(news.last().is_some_and(|last| last.as_str().contains("left out")));
        assert!(said.news(&all).is_empty());
        assert_eq!(said.sentences.len(), SAID_MAX);
    }
}
