//! What conntop finds and says on recordings and simulated machines. Time is data here, so minutes and days take seconds.

#[path = "../common/churn.rs"]
mod churn;
mod scripts;

mod healthy_day;
mod losses;
mod refresh_cost;
mod remedies;
mod rules;
mod sentences;
mod soak;
