//! What the runtime asks of systems that are not Unix, by way of crossterm. There is no job control and no hang-up.

use std::io::{self, Write};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableMouseCapture, EnableMouseCapture};
use crossterm::execute;
use crossterm::style::ResetColor;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use tokio::sync::mpsc::Sender;

use crate::runtime::confirm_guard::TerminalInput;
use crate::runtime::signal_event::SignalEvent;
use crate::ui::theme::depth::Rgb;

/// What Ctrl-C counts as, so that the exit code is the same everywhere.
const INTERRUPT: i32 = 2;

/// The console.
#[derive(Debug)]
pub struct ConsoleKeyboard;

impl ConsoleKeyboard {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        Ok(Self)
    }

    /// Nobody else reads the console.
    pub fn release(&self) {}

    /// Nobody else has read the console.
    pub fn take(&self) {}

    /// Always: there is no background.
    pub fn is_in_front(&self) -> bool {
        true
    }

    /// Sends what is typed to `events` until it cannot be read or nobody listens.
    pub fn read_to(&self, events: &Sender<TerminalInput>, _background: Option<&Sender<Rgb>>) {
        while let Ok(event) = crossterm::event::read() {
            // Nothing says here whether keys came together: only their times tell.
            if TerminalInput::of_one_read(&mut vec![event]).any(|input| events.blocking_send(input).is_err()) {
                return;
            }
        }
    }
}

/// Takes the screen and, if `mouse`, the mouse. This also makes an old console understand escape sequences.
pub fn enter(mouse: bool) -> io::Result<()> {
    execute!(io::stdout(), EnterAlternateScreen, Hide)?;
    if mouse { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) }
}

/// Nothing reads an answer here, so nothing is asked.
pub fn ask_background() -> io::Result<()> {
    Ok(())
}

/// Undoes [`enter`].
pub fn leave() -> io::Result<()> {
    execute!(io::stdout(), DisableMouseCapture, ResetColor, LeaveAlternateScreen, Show)
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

/// Finished when Ctrl-C is pressed.
pub async fn end_is_asked() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}

/// Not known here; a write waits.
pub fn reader_takes_more(_: std::time::Duration) -> bool {
    true
}

/// Not known here; a write says so.
pub fn reader_is_gone() -> bool {
    false
}

/// Not told here.
pub fn thread_time() -> Option<std::time::Duration> {
    None
}

/// Nothing can stop this process here.
pub fn stop_self() {}

/// There is no setuid bit here.
pub fn is_setuid() -> bool {
    false
}

/// The signals that this program answers: Ctrl-C, when it does not come as a key.
#[derive(Debug)]
pub struct ConsoleSignals;

impl ConsoleSignals {
    /// Nothing is to be prepared.
    pub fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> io::Result<SignalEvent> {
        tokio::signal::ctrl_c().await.map(|()| SignalEvent::End(INTERRUPT))
    }
}
