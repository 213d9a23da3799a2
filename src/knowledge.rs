//! What ports, states, findings and all else mean: tables read from `assets/` at compile time and checked by tests.

pub mod counters;
pub mod habits;
pub mod owners;
pub mod port_text;
pub mod ports;
pub mod ranges;
pub mod remedies;
pub mod rules;
pub mod states;
pub mod topics;
