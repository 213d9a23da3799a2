//! What the runtime asks of systems that are not Unix, by way of crossterm. There is no job control and no hang-up.

use std::io::{self, Write};

use crossterm::event::Event;
use tokio::sync::mpsc::Sender;

use crate::runtime::signals::Call;

/// Everything but the raw mode: alternate screen, hidden cursor, bracketed paste.
pub const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?2004h";
/// Presses, releases and the wheel.
pub const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
/// Undoes all of it, also what was never done.
pub const LEAVE: &str = "\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[m\x1b[?1049l\x1b[?25h";
/// What Ctrl-C counts as, so that the exit code is the same everywhere.
const INTERRUPT: i32 = 2;

/// The console.
#[derive(Debug)]
pub struct Keyboard;

impl Keyboard {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        Ok(Self)
    }

    /// Nobody else reads the console.
    pub fn let_go(&self) {}

    /// Nobody else has read the console.
    pub fn take(&self) {}

    /// Always: there is no background.
    pub fn is_in_front(&self) -> bool {
        true
    }

    /// Sends what is typed to `events` until it cannot be read or nobody listens.
    pub fn read_to(&self, events: &Sender<Event>) {
        while let Ok(event) = crossterm::event::read() {
            if events.blocking_send(event).is_err() {
                return;
            }
        }
    }
}

/// Writes all of `bytes` to standard output.
pub fn write_all(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Columns and rows of the terminal.
pub fn size() -> io::Result<(u16, u16)> {
    crossterm::terminal::size()
}

/// Nothing can stop this process here.
pub fn stop_self() {}

/// There is no setuid bit here.
pub fn is_setuid() -> bool {
    false
}

/// The signals that this program answers: Ctrl-C, when it does not come as a key.
#[derive(Debug)]
pub struct Signals;

impl Signals {
    /// Nothing is to be prepared.
    pub fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> io::Result<Call> {
        tokio::signal::ctrl_c().await.map(|()| Call::End(INTERRUPT))
    }
}
