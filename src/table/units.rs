//! How quantities are written in cells and read from filters.

pub use crate::model::units::parse::{SPAN_HINT, parse_amount, parse_span};
pub use crate::model::units::{age, bytes, bytes_per_second, count, counted, lasted, per_second, rate, share, span};
