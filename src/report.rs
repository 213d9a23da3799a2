//! Everything that is printed without a screen.

pub mod format;
pub mod list;
