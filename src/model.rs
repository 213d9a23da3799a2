//! The ground floor: what a socket, an endpoint, a TCP state, a process, a snapshot and a delta *are*.
//!
//! Nothing here reads a clock, opens a file or imports another room. Every other room speaks in these types.

pub mod action;
pub mod address;
pub mod address_text;
pub mod ascii;
pub mod closing;
pub mod counters;
pub mod coverage;
pub mod delta;
pub mod descriptors;
pub mod endpoint;
pub mod event;
pub mod exposure;
pub mod facts;
pub mod host_name;
pub mod hosts;
pub mod interface;
pub mod memory;
pub mod netns;
pub mod network;
pub mod outcome;
pub mod pair_table;
pub mod process;
pub mod query;
pub mod quoting;
pub mod reach;
pub mod recent;
pub mod recorded;
pub mod route;
pub mod sink;
pub mod slot_index;
pub mod snapshot;
pub mod socket;
pub mod tcp_info;
pub mod tcp_state;
#[doc(hidden)]
pub mod testing;
pub mod text;
pub mod time;
pub mod units;
