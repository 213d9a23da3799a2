//! `conntop close` and `conntop kill` on real sockets and processes, in network namespaces of their own.
#![cfg(target_os = "linux")]

#[path = "../common/acting.rs"]
mod acting;
#[path = "../common/namespace.rs"]
mod namespace;
#[path = "../common/netns.rs"]
#[allow(dead_code, reason = "only one test needs another namespace")]
mod netns;
#[path = "../common/program.rs"]
mod program;
#[path = "../common/program_copy.rs"]
mod program_copy;
#[path = "../common/schema.rs"]
mod schema;
#[path = "../common/skip.rs"]
mod skip;

mod effects;
mod guards;
mod outcomes;
