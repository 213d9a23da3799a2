//! What conntop says about trouble made on purpose: each scenario runs on the real kernel in a network namespace of
//! its own, made by real processes, and is looked at by the real `conntop check`. It must raise its finding, with the
//! right process, place and cause, and no other; a healthy busy server must raise none.

#![cfg(target_os = "linux")]

#[path = "scenarios/attempts.rs"]
mod attempts;
#[path = "scenarios/close_wait.rs"]
mod close_wait;
#[path = "scenarios/healthy.rs"]
mod healthy;
#[path = "scenarios/leak.rs"]
mod leak;
#[path = "scenarios/losses.rs"]
mod losses;
#[path = "common/namespace.rs"]
mod namespace;
#[path = "scenarios/outside.rs"]
mod outside;
#[path = "scenarios/peers.rs"]
mod peers;
#[path = "scenarios/permission.rs"]
mod permission;
#[path = "scenarios/ports.rs"]
mod ports;
#[path = "scenarios/processes.rs"]
mod processes;
#[path = "scenarios/queues.rs"]
mod queues;
#[path = "scenarios/stage.rs"]
mod stage;
#[path = "scenarios/stalls.rs"]
mod stalls;
#[path = "scenarios/together.rs"]
mod together;
#[path = "scenarios/verdict.rs"]
mod verdict;
