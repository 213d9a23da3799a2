//! How quantities are written in cells and read from filters.

pub use crate::model::units::parse::{SIZE_HINT, SPAN_HINT, parse_amount, parse_size, parse_span};
pub use crate::model::units::{age, bytes, bytes_per_second, count, counted, lasted, per_second, rate, share, span};
