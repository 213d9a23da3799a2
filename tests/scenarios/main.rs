//! What conntop says about trouble made on purpose: each scenario runs on the real kernel in a network namespace of
//! its own, made by real processes, and is looked at by the real `conntop check`. It must raise its finding, with the
//! right process, place and cause, and no other; a healthy busy server must raise none.

#![cfg(target_os = "linux")]

mod attempts;
mod close_wait;
mod healthy;
mod leak;
mod losses;
#[path = "../common/namespace.rs"]
mod namespace;
mod outside;
mod peers;
mod permission;
mod ports;
mod processes;
#[path = "../common/program_copy.rs"]
mod program_copy;
mod prometheus;
mod queues;
mod real_programs;
mod setup;
#[path = "../common/skip.rs"]
mod skip;
mod stalls;
mod together;
mod verdict;
