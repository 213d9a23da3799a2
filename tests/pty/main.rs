//! The real program in a pseudo-terminal.
#![cfg(target_os = "linux")]

#[path = "../common/namespace.rs"]
mod namespace;
#[path = "../common/program_copy.rs"]
mod program_copy;
#[path = "../common/server.rs"]
mod server;
#[path = "../common/pty.rs"]
mod session;
#[path = "../common/skip.rs"]
mod skip;

mod act;
mod clock;
mod escapes;
mod multiplexers;
mod saving;
mod screen_sessions;
mod ssh;
mod streams;
mod terminal;
mod themes;
mod unintended_keys;
