//! The clock of the past of a live source: a sampler of its memory, started when somebody first goes back.

use std::io;
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use crate::app::moment::PlaySpeed;
use crate::app::msg::Msg;
use crate::model::snapshot::SourceInfo;
use crate::runtime::moments::FindingSettings;
use crate::runtime::past::SharedPast;
use crate::runtime::sampler::{SampleStream, Sampler, SamplerSetup};

/// Plays the memory.
pub struct PastPlayer {
    past: SharedPast,
    info: SourceInfo,
    findings: FindingSettings,
    messages: Sender<Msg>,
    sampler: Option<Sampler>,
}

impl PastPlayer {
    /// Nothing is played yet.
    pub const fn new(past: SharedPast, info: SourceInfo, findings: FindingSettings, messages: Sender<Msg>) -> Self {
        Self { past, info, findings, messages, sampler: None }
    }

    /// The sampler of the past, which is started where there is none.
    pub fn sampler(&mut self) -> io::Result<&Sampler> {
        let sampler = match self.sampler.take() {
            Some(sampler) => sampler,
            None => Sampler::start(
                Box::new(self.past.source(self.info.clone())),
                SamplerSetup {
                    interval: Duration::ZERO,
                    messages: self.messages.clone(),
                    stream: SampleStream::Past,
                    findings: self.findings.clone(),
                    past: None,
                    wish: None,
                    speed: PlaySpeed::default(),
                },
            )?,
        };
        Ok(self.sampler.insert(sampler))
    }
}
