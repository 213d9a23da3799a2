//! What conntop finds and says on recordings and simulated machines. Time is data here, so minutes and days take seconds.

#[path = "../common/churn.rs"]
mod churn;
#[cfg(target_os = "linux")]
#[path = "../common/namespace.rs"]
mod namespace;
mod scripts;
#[cfg(target_os = "linux")]
#[path = "../common/skip.rs"]
mod skip;

mod healthy_day;
mod losses;
#[cfg(target_os = "linux")]
mod recorder_soak;
mod refresh_cost;
mod remedies;
mod rules;
mod sentences;
mod soak;
