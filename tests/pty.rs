//! The real program in a pseudo-terminal.
#![cfg(target_os = "linux")]

#[path = "common/namespace.rs"]
mod namespace;
#[path = "common/server.rs"]
mod server;
#[path = "common/pty.rs"]
mod session;

#[path = "pty/act.rs"]
mod act;
#[path = "pty/escapes.rs"]
mod escapes;
#[path = "pty/haste.rs"]
mod haste;
#[path = "pty/story.rs"]
mod story;
#[path = "pty/terminal.rs"]
mod terminal;
