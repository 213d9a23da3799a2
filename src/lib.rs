//! conntop shows every TCP and UDP socket of a machine live, remembers how each got to its state, says which leak,
//! and lets one act on the process, safely. See ARCHITECTURE.md for the rooms and which way their imports point.

pub mod app;
pub mod cli;
pub mod diagnosis;
pub mod dns;
pub mod host;
pub mod knowledge;
pub mod model;
pub mod report;
pub mod runtime;
#[cfg(test)]
#[path = "../tests/common/skip.rs"]
mod skip;
pub mod source;
pub mod store;
pub mod streams;
pub mod table;
pub mod tracker;
pub mod ui;
