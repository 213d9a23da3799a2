//! What the runtime asks of Unix: the terminal as a descriptor, signals, stopping itself.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{self, getegid, geteuid, getgid, getpgrp, getpid, getuid, kill_process};
use rustix::termios::{isatty, tcgetpgrp, tcgetwinsize};
use rustix::time::{ClockId, Timespec, clock_gettime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::Sender;

use crate::runtime::confirm_guard::TerminalInput;
use crate::runtime::keys::{ANSWER_WAIT, Decoder, QUESTION};
use crate::runtime::signal_event::SignalEvent;
use crate::ui::theme::depth::Rgb;

/// How often a reader in the background looks whether it is in front again.
const BACKGROUND_WAIT: Duration = Duration::from_millis(200);
/// The most that one read takes; the line discipline holds 4,096 bytes.
const READ_LEN: usize = 4096;
/// Cell size of a terminal that does not know its own.
const SIZE_DEFAULT: (u16, u16) = (80, 24);

/// Everything but the raw mode: alternate screen, hidden cursor, bracketed paste.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?2004h";
/// Presses, releases, the wheel, and motion while a button is held (for the time bar), in SGR form; no other motion, which would
/// flood a slow line.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
/// Undoes all of it, also what was never done; safe to write twice.
const LEAVE: &str = "\x1b[?1006l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[m\x1b[?1049l\x1b[?25h";

/// The terminal that keys come from: standard input, or the controlling terminal if that is something else.
#[derive(Debug)]
pub struct UnixKeyboard {
    tty: OwnedFd,
    /// Whether what is typed is for another program.
    is_released: AtomicBool,
}

impl UnixKeyboard {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        let stdin = rustix::stdio::stdin();
        let tty = if isatty(stdin) {
            rustix::io::fcntl_dupfd_cloexec(stdin, 3)?
        } else {
            File::options().read(true).write(true).open("/dev/tty")?.into()
        };
        Ok(Self { tty, is_released: AtomicBool::new(false) })
    }

    /// From now on what is typed is for the next program: the shell gets it, not the reader.
    pub fn release(&self) {
        self.is_released.store(true, Ordering::Release);
    }

    /// Reads again after [`UnixKeyboard::release`].
    pub fn take(&self) {
        self.is_released.store(false, Ordering::Release);
    }

    /// Whether this program may use the terminal now: it is in front, or nobody can say (no job control, or the
    /// shell is in another pid namespace).
    pub fn is_in_front(&self) -> bool {
        tcgetpgrp(&self.tty).map_or(true, |group| group == getpgrp())
    }

    /// Sends what is typed to `events` until the terminal is gone or nobody listens. `background`: the terminal was just
    /// asked for its background, and this is where the answer goes.
    pub fn read_to(&self, events: &Sender<TerminalInput>, background: Option<&Sender<Rgb>>) {
        let (begun, mut decoder) = (Instant::now(), Decoder::default());
        if background.is_some() {
            decoder.expect_background(ANSWER_WAIT);
        }
        let mut buffer = [0; READ_LEN];
        let mut ready = Vec::new();
        loop {
            match self.wait(PollFlags::IN, decoder.wait()) {
                Wait::Nothing => decoder.flush(begun.elapsed(), &mut ready),
                Wait::Ready if self.may_read() => match rustix::io::read(&self.tty, &mut buffer) {
                    Ok(0) => return,
                    Ok(len) => decoder.feed(&buffer[..len], begun.elapsed(), &mut ready),
                    Err(Errno::INTR | Errno::AGAIN) => {}
                    Err(_) => return,
                },
                // It is not for us, and reading in the background would stop the program (SIGTTIN). Only the end of
                // the terminal counts.
                Wait::Ready => match self.wait(PollFlags::empty(), Some(BACKGROUND_WAIT)) {
                    Wait::Gone => return,
                    Wait::Ready | Wait::Nothing => {}
                },
                Wait::Gone => return,
            }
            if let Some((sender, color)) = background.zip(decoder.take_background()) {
                // There is one answer, and room for it.
                let _ = sender.try_send(color);
            }
            if TerminalInput::of_one_read(&mut ready).any(|input| events.blocking_send(input).is_err()) {
                return;
            }
        }
    }

    fn may_read(&self) -> bool {
        !self.is_released.load(Ordering::Acquire) && self.is_in_front()
    }

    fn wait(&self, flags: PollFlags, timeout: Option<Duration>) -> Wait {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let mut fds = [PollFd::new(&self.tty, flags)];
            match poll(&mut fds, left.and_then(|left| Timespec::try_from(left).ok()).as_ref()) {
                Ok(0) => return Wait::Nothing,
                Ok(_) if fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) => {
                    return Wait::Gone;
                }
                Ok(_) => return Wait::Ready,
                Err(Errno::INTR) => {}
                Err(_) => return Wait::Gone,
            }
        }
    }
}

/// What came of waiting for the terminal.
enum Wait {
    /// The time is over.
    Nothing,
    /// There is something to read.
    Ready,
    /// The terminal is gone: hung up, closed or failed.
    Gone,
}

/// Takes the screen and, if `mouse`, the mouse. The modes of the line are crossterm's.
pub fn enter(mouse: bool) -> io::Result<()> {
    write_all(ENTER.as_bytes())?;
    if mouse { write_all(MOUSE_ON.as_bytes()) } else { Ok(()) }
}

/// Asks the terminal which colour its background has.
pub fn ask_background() -> io::Result<()> {
    write_all(QUESTION)
}

/// Undoes [`enter`].
pub fn leave() -> io::Result<()> {
    write_all(LEAVE.as_bytes())
}

/// Writes all of `bytes` to standard output, with one write(2) where the terminal takes it.
pub fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    let stdout = rustix::stdio::stdout();
    while !bytes.is_empty() {
        match rustix::io::write(stdout, bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(Errno::INTR) => {}
            // Somebody made the terminal non-blocking; that is theirs to undo.
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None)?;
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

/// Whether the other end of standard output is closed. A write would say so, but only when there is something to write.
pub fn reader_is_gone() -> bool {
    let mut fds = [PollFd::from_borrowed_fd(rustix::stdio::stdout(), PollFlags::empty())];
    let polled = poll(&mut fds, Some(&Timespec::default()));
    polled.is_ok_and(|ready| ready > 0) && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Whether standard output takes something now or within `wait`. An error is one of the write, which says more.
pub fn reader_takes_more(wait: Duration) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(rustix::stdio::stdout(), PollFlags::OUT)];
    let wait = Timespec::try_from(wait).unwrap_or_default();
    poll(&mut fds, Some(&wait)) != Ok(0)
}

/// How long the calling thread has had a core.
pub fn thread_time() -> Option<Duration> {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok()
}

/// Columns and rows of the terminal on standard output.
pub fn size() -> io::Result<(u16, u16)> {
    let size = tcgetwinsize(rustix::stdio::stdout())?;
    // A serial line or a container's terminal may not have been told.
    Ok(if size.ws_col == 0 || size.ws_row == 0 { SIZE_DEFAULT } else { (size.ws_col, size.ws_row) })
}

/// Stops this process until somebody continues it. SIGTSTP would be discarded if no shell of its own watches it
/// (an orphaned process group); SIGSTOP never is, except for pid 1 of a container.
pub fn stop_self() {
    let _ = kill_process(getpid(), process::Signal::STOP);
}

/// Whether the program runs with rights that its caller does not have (the setuid or setgid bit).
pub fn is_setuid() -> bool {
    geteuid() != getuid() || getegid() != getgid()
}

/// Finished when SIGINT, SIGTERM or SIGHUP comes.
pub async fn end_is_asked() -> io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        _ = hangup.recv() => Ok(()),
    }
}

/// The signals that this program answers.
#[derive(Debug)]
pub struct UnixSignals {
    hangup: Signal,
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
    stop: Signal,
    go_on: Signal,
    resize: Signal,
}

impl UnixSignals {
    /// From now on they do nothing by themselves; must be called within a tokio runtime.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            stop: signal(SignalKind::from_raw(process::Signal::TSTP.as_raw()))?,
            go_on: signal(SignalKind::from_raw(process::Signal::CONT.as_raw()))?,
            resize: signal(SignalKind::window_change())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> io::Result<SignalEvent> {
        Ok(tokio::select! {
            _ = self.hangup.recv() => SignalEvent::End(SignalKind::hangup().as_raw_value()),
            _ = self.interrupt.recv() => SignalEvent::End(SignalKind::interrupt().as_raw_value()),
            _ = self.quit.recv() => SignalEvent::End(SignalKind::quit().as_raw_value()),
            _ = self.terminate.recv() => SignalEvent::End(SignalKind::terminate().as_raw_value()),
            _ = self.stop.recv() => SignalEvent::Stop,
            _ = self.go_on.recv() => SignalEvent::Continue,
            _ = self.resize.recv() => SignalEvent::Resize,
        })
    }
}
