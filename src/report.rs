//! Everything that is printed without a screen. Writers take any `io::Write`, so that tests read what users get.

pub mod act;
pub mod check;
pub mod columns;
pub mod diff;
pub mod explain;
pub mod fields;
pub mod findings;
pub mod format;
pub mod hosts;
pub mod list;
pub mod metrics;
pub mod netstat;
pub mod ports;
pub mod schemas;
pub mod watch;
