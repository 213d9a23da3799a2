//! What can be drawn beside a finding: how full what runs out is, or how many of its sockets there were.

use crate::app::App;
use crate::diagnosis::finding::{Finding, Measure};
use crate::store::alike::history::Trend;

impl App {
    /// The first part of a whole that `finding` is about, such as a queue and its limit: how much, and how much there can be.
    pub fn share_of(&self, finding: &Finding) -> Option<(u32, u32)> {
        let short = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        finding.evidence.iter().filter(|evidence| evidence.key != "descriptors").find_map(|evidence| {
            match evidence.value {
                Measure::Of(part, whole) if whole > 0 => Some((short(part), short(whole))),
                _ => None,
            }
        })
    }

    /// How many sockets alike the first of its examples there were over the last two minutes.
    pub fn trend_of(&self, finding: &Finding) -> Option<Trend> {
        let alike = self.store.rows().alike();
        let row = finding.examples.iter().find_map(|id| self.store.rows().find(*id))?;
        alike.trend(alike.set_of(row)?)
    }
}
