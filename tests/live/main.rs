//! The sources and the tracker against the running kernel. Scenes are in network namespaces of their own, or on ports that
//! only one test uses.
#![cfg(target_os = "linux")]

#[path = "../common/acting.rs"]
#[allow(dead_code, reason = "tests/act needs the rest of it")]
mod acting;
#[path = "../common/namespace.rs"]
mod namespace;
#[path = "../common/netns.rs"]
mod netns;
#[path = "../common/program.rs"]
mod program;
#[path = "../common/program_copy.rs"]
mod program_copy;
#[path = "../common/scene.rs"]
mod scene;
#[path = "../common/schema.rs"]
mod schema;
#[path = "../common/skip.rs"]
mod skip;

mod compared_samples;
mod descriptor_leaks;
mod differential;
mod events;
mod events_matrix;
mod exposure;
mod facts;
mod fork;
mod hidden_owners;
mod kernel_features;
mod namespace_leaks;
mod namespaces;
mod narrow_samples;
mod network;
mod owners;
mod partial_samples;
mod perfmon;
mod queries;
mod reach;
mod rows;
mod sample_time;
mod sampled_source;
mod sources;
mod split_dump;
mod tracked_source;
mod transitions;
mod unhashed;
mod units;
