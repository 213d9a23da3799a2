//! The terminal, lent and given back: raw mode, alternate screen, mouse, and the way out on a panic.

use std::io;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossterm::Command;
use crossterm::clipboard::CopyToClipboard;
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::layout::{Position, Rect};

use crate::app::App;
use crate::app::click::{self, ClickRegion, ClickTarget};
use crate::runtime::backend::{FrameWriter, TerminalWriter};
use crate::runtime::keys::ANSWER_WAIT;
use crate::runtime::os;
use crate::runtime::themes::ScreenThemes;
use crate::ui;
use crate::ui::theme::depth::Rgb;

/// The longest text that is put on the clipboard, in bytes; terminals take less than 100,000 of base64.
pub const COPY_LEN_MAX: usize = 16 * 1024;

/// Whether the terminal is ours now. One for the process, as the terminal is: a panic must find it.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// The terminal on standard output.
#[derive(Debug)]
struct Stdout;

impl TerminalWriter for Stdout {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        os::write_all(bytes)
    }

    fn size(&self) -> io::Result<(u16, u16)> {
        os::size()
    }
}

/// The terminal while it shows the app; gives it back when dropped.
pub struct Screen {
    terminal: Terminal<FrameWriter<Stdout>>,
    mouse: bool,
    themes: ScreenThemes,
    /// When the terminal was asked for its background, as long as it has not told it.
    asked: Option<Instant>,
    /// What can be clicked in the last frame.
    regions: Vec<ClickRegion>,
}

impl Screen {
    /// Takes the terminal, with its mouse or not, to draw in one of `themes`. Where one follows the background, the terminal
    /// is asked for it.
    pub fn enter(mouse: bool, themes: ScreenThemes) -> io::Result<Self> {
        let terminal = Terminal::new(FrameWriter::new(Stdout))?;
        let mut screen = Self { terminal, mouse, themes, asked: None, regions: Vec::new() };
        screen.show()?;
        if screen.themes.auto.is_some() {
            os::ask_background()?;
            screen.asked = Some(Instant::now());
        }
        Ok(screen)
    }

    /// The terminal has told its background.
    pub fn take_background(&mut self, background: Rgb) {
        self.asked = None;
        self.themes.take_background(background);
    }

    /// How long the terminal may still take to tell its background; `None` where it was not asked, or has told it.
    pub fn answer_due(&self) -> Option<Duration> {
        self.asked.map(|asked| ANSWER_WAIT.saturating_sub(asked.elapsed())).filter(|left| !left.is_zero())
    }

    /// Takes the terminal again after [`restore`], or after another program has used it.
    pub fn show(&mut self) -> io::Result<()> {
        // Whoever used the terminal in between may have set other modes: what they are now is to be restored later.
        disable_raw_mode()?;
        enable_raw_mode()?;
        ENTERED.store(true, Ordering::Release);
        os::enter(self.mouse)?;
        self.forget()
    }

    /// Draws; only what differs from what is on the terminal is written.
    pub fn draw(&mut self, app: &App) -> io::Result<()> {
        self.terminal.backend_mut().rest_at(app.resting_cell());
        let (theme, regions) = (self.themes.at(app.theme()), &mut self.regions);
        self.terminal.draw(|frame| *regions = ui::draw_to_click(frame, app, theme)).map(|_| ())
    }

    /// What a click on `at` does, by the last frame.
    pub fn target_at(&self, at: Position) -> Option<ClickTarget> {
        click::target_at(&self.regions, at)
    }

    /// Clears the terminal; the next frame is drawn whole.
    pub fn forget(&mut self) -> io::Result<()> {
        let (width, height) = os::size()?;
        self.terminal.backend_mut().forget();
        self.terminal.resize(Rect::new(0, 0, width, height))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Asks the terminal to put `text` (at most [`COPY_LEN_MAX`] bytes) on the clipboard.
pub fn copy(text: &str) -> io::Result<()> {
    let mut sequence = String::new();
    CopyToClipboard::to_clipboard_from(text).write_ansi(&mut sequence).map_err(io::Error::other)?;
    os::write_all(sequence.as_bytes())
}

/// Rings the bell.
pub fn ring() -> io::Result<()> {
    os::write_all(b"\x07")
}

/// Gives the terminal back, if it is ours. Errors cannot be told to anybody: the terminal is gone then.
pub fn restore() {
    if ENTERED.swap(false, Ordering::AcqRel) {
        let _ = os::leave();
        let _ = disable_raw_mode();
    }
}

/// Makes a panic of this thread give the terminal back before it is printed. Other threads catch theirs and tell the
/// user on the screen; printing it would only spoil that.
pub fn install_panic_hook() {
    let previous = panic::take_hook();
    let main = thread::current().id();
    panic::set_hook(Box::new(move |panic| {
        if thread::current().id() == main {
            restore();
            previous(panic);
        } else if !ENTERED.load(Ordering::Acquire) {
            previous(panic);
        }
    }));
}
