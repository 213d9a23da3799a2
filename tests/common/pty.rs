//! Runs a program in a pseudo-terminal, types, looks at its screen and keeps every byte it wrote.
//!
//! Everything waits with a deadline and nothing sleeps for a fixed time. `setsid` (util-linux) makes the terminal the
//! controlling one, which Rust's `Command` could only do with `unsafe`.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use rustix::time::Timespec;

/// How long anything may take; long, because the machine that runs the tests may be busy.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Written behind what the program wrote, to know when all of that has come: the kernel hands it on in a work queue.
const MARK: &[u8] = b"\x1b_all that was written\x1b\\";

/// How the program gets its terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// As in a terminal window: a hang-up sends SIGHUP, a new size SIGWINCH.
    Controlling,
    /// A terminal that is only open: no signal ever comes from it.
    Open,
}

/// A program in a terminal.
pub struct Session {
    master: Option<OwnedFd>,
    /// Kept open, so that the modes can be read after the program has ended.
    slave: OwnedFd,
    child: Child,
    parser: vt100::Parser,
    /// Every byte that the program wrote.
    pub bytes: Vec<u8>,
    modes_before: String,
}

impl Session {
    /// Runs conntop with `args` in a terminal of `columns` and `rows`.
    pub fn conntop(args: &[&str], columns: u16, rows: u16) -> Self {
        Self::start(Command::new(env!("CARGO_BIN_EXE_conntop")).args(args), Control::Controlling, (columns, rows))
    }

    /// Runs `command` in a terminal of a size: columns, rows.
    pub fn start(command: &Command, control: Control, size: (u16, u16)) -> Self {
        Self::start_in(command, control, size, "")
    }

    /// Runs `command` with `/dev/null` as its standard input; the rest is the terminal.
    pub fn start_without_stdin(command: &Command, control: Control) -> Self {
        Self::start_in(command, control, (80, 24), "</dev/null")
    }

    fn start_in(command: &Command, control: Control, (columns, rows): (u16, u16), redirection: &str) -> Self {
        let (master, slave) = open_terminal();
        resize(&master, columns, rows);
        let terminal = || Stdio::from(slave.try_clone().expect("a descriptor is free"));
        let mut setsid = Command::new("setsid");
        if control == Control::Controlling {
            // setsid takes the terminal from its standard input, so a replaced one is put in its place afterwards.
            setsid.arg("-c");
        }
        // A shell without job control starts what runs in the background with SIGINT ignored, and all that it starts inherits
        // that: Ctrl-C would end nothing.
        setsid.args(["env", "--default-signal"]);
        setsid.args(["sh", "-c", &format!("exec \"$@\" {redirection}"), "sh"]);
        setsid.arg(command.get_program()).args(command.get_args());
        setsid.env("TERM", "xterm-256color");
        for name in ["NO_COLOR", "LC_ALL", "LC_CTYPE", "LANG"] {
            setsid.env_remove(name);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => setsid.env(name, value),
                None => setsid.env_remove(name),
            };
        }
        let modes_before = modes(&slave);
        let child = setsid.stdin(terminal()).stdout(terminal()).stderr(terminal()).spawn().expect("setsid is there");
        let parser = vt100::Parser::new(rows.max(10), columns.max(10), 0);
        Self { master: Some(master), slave, child, parser, bytes: Vec::new(), modes_before }
    }

    /// Types `keys` as they are.
    pub fn keys(&mut self, keys: impl AsRef<OsStr>) {
        let mut bytes = keys.as_ref().as_encoded_bytes();
        while !bytes.is_empty() {
            let master = self.master.as_ref().expect("the terminal is there");
            bytes = &bytes[rustix::io::write(master, bytes).expect("the terminal takes keys")..];
        }
    }

    /// Waits for as long as a person needs to read a question: an answer that comes sooner is not taken.
    pub fn have_read(&mut self) {
        self.watch(Duration::from_millis(350));
    }

    /// How many bytes were typed that nobody has read.
    pub fn unread(&self) -> u64 {
        rustix::io::ioctl_fionread(&self.slave).expect("a terminal tells")
    }

    /// Gives the terminal a new size. The emulator only grows: what is drawn stays in its top left corner, and it
    /// has no room to fail in (vt100 panics in sizes near 1).
    pub fn resize(&mut self, columns: u16, rows: u16) {
        resize(self.master.as_ref().expect("the terminal is there"), columns, rows);
        let (rows_before, columns_before) = self.parser.screen().size();
        self.parser.screen_mut().set_size(rows.max(rows_before), columns.max(columns_before));
    }

    /// Sends `signal` to the program.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the program runs");
    }

    /// The process of the program.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Closes the terminal, as a window or a broken connection does.
    pub fn hang_up(&mut self) {
        self.master = None;
    }

    /// All that the program wrote, as far as it was taken.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// Whether the program has the alternate screen.
    pub fn is_on_screen(&self) -> bool {
        self.parser.screen().alternate_screen()
    }

    /// Waits until the screen contains `text`.
    pub fn wait_for_text(&mut self, text: &str) {
        self.wait_until(&format!("the screen contains {text:?}"), |session| session.text().contains(text));
    }

    /// Waits until `done`; `what` says what for.
    pub fn wait_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !done(self) {
            assert!(Instant::now() < deadline, "it never happened that {what}; the screen:\n{}", self.text());
            self.read(Duration::from_millis(20));
        }
    }

    /// Takes what the program writes for `time`.
    pub fn watch(&mut self, time: Duration) {
        let deadline = Instant::now() + time;
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.read(left);
        }
    }

    /// Takes what the program wrote; waits for at most `timeout` if that is nothing.
    fn read(&mut self, timeout: Duration) {
        let begin = self.bytes.len();
        self.receive(timeout);
        self.parser.process(&self.bytes[begin..]);
    }

    fn receive(&mut self, timeout: Duration) {
        let Some(master) = &self.master else {
            std::thread::sleep(Duration::from_millis(5));
            return;
        };
        if !is_ready(master, PollFlags::IN, timeout) {
            return;
        }
        let mut buffer = [0; 8192];
        if let Ok(len) = rustix::io::read(master, &mut buffer) {
            self.bytes.extend_from_slice(&buffer[..len]);
        }
    }

    /// Takes all that was written by a program that writes no more, because it has stopped or ended.
    pub fn take_all(&mut self) {
        if self.master.is_none() {
            return;
        }
        let (begin, deadline) = (self.bytes.len(), Instant::now() + DEADLINE);
        let mut mark = MARK;
        while !mark.is_empty() || !self.bytes.ends_with(MARK) {
            assert!(Instant::now() < deadline, "what was written does not come");
            if !mark.is_empty() && is_ready(&self.slave, PollFlags::OUT, Duration::ZERO) {
                mark = &mark[rustix::io::write(&self.slave, mark).expect("it has room")..];
            }
            self.receive(Duration::from_millis(20));
        }
        self.bytes.truncate(self.bytes.len() - MARK.len());
        self.parser.process(&self.bytes[begin..]);
    }

    /// Waits until the program has ended.
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_until("the program ends", |session| session.process().0 == 'Z');
        self.take_all();
        self.child.wait().expect("it is our child")
    }

    /// The state of the program's process as a letter, and the processor time it has used.
    pub fn process(&self) -> (char, Duration) {
        let pid = self.child.id();
        let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the child is not reaped");
        let fields: Vec<_> = line.rsplit_once(')').expect("a name").1.split_whitespace().collect();
        let ticks = |field: usize| fields[field].parse::<u64>().expect("a number");
        // Linux counts in hundredths of a second for programs (USER_HZ).
        (fields[0].chars().next().expect("a state"), Duration::from_millis(10 * (ticks(11) + ticks(12))))
    }

    /// Asserts that the terminal, to which nothing is written any more, is as it was before the program started.
    pub fn assert_restored(&mut self) {
        self.take_all();
        assert_eq!(modes(&self.slave), self.modes_before, "the modes of the terminal");
        let screen = self.parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen is left");
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert!(!screen.bracketed_paste(), "pastes are not bracketed");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is the terminal's");
        let tail = String::from_utf8_lossy(&self.bytes);
        for end in ["\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l", "\x1b[?1002l", "\x1b[?1006l", "\x1b[?2004l"] {
            assert!(tail.contains(end), "{end:?} is written");
        }
    }
}

fn is_ready(terminal: &OwnedFd, flags: PollFlags, timeout: Duration) -> bool {
    let timeout = Timespec::try_from(timeout).expect("it is short");
    poll(&mut [PollFd::new(terminal, flags)], Some(&timeout)).unwrap_or(0) > 0
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn open_terminal() -> (OwnedFd, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a free terminal");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it is ours");
    let name = ptsname(&master, Vec::new()).expect("it has a name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let slave = rustix::fs::open(&*name, flags, Mode::empty()).expect("it is unlocked");
    (master, slave)
}

fn resize(master: &OwnedFd, columns: u16, rows: u16) {
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).expect("it is a terminal");
}

/// Every mode of the terminal, as text that can be compared.
fn modes(slave: &OwnedFd) -> String {
    let Termios { input_modes, output_modes, control_modes, local_modes, special_codes, .. } =
        tcgetattr(slave).expect("it is a terminal");
    format!("{input_modes:?} {output_modes:?} {control_modes:?} {local_modes:?} {special_codes:?}")
}
