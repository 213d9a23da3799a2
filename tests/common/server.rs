//! A process that holds a listening socket, made for one test.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A listener on 127.0.0.1 and the process that holds it; both go with the value.
pub struct Server {
    child: Child,
    /// The port it listens on.
    pub port: u16,
    _dir: tempfile::TempDir,
}

impl Server {
    /// A server called `name` (the first 15 bytes become its `comm`) whose `argv[0]` is `argv0`.
    pub fn start(name: impl AsRef<OsStr>, argv0: impl AsRef<OsStr>) -> Self {
        Self::start_with(name.as_ref(), argv0.as_ref(), "")
    }

    /// A server called `name` that ignores TERM.
    pub fn stubborn(name: &str) -> Self {
        Self::start_with(name.as_ref(), name.as_ref(), "trap '' TERM;")
    }

    fn start_with(name: &OsStr, argv0: &OsStr, first: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the program");
        let program = link_to_shell(dir.path(), name);
        let fifo = dir.path().join("fifo");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, mode).expect("a new name");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        // The socket is the child's standard input: inherited by nobody else, and closed here.
        let child = Command::new(program)
            .arg0(argv0)
            // Opening a FIFO that nobody writes to waits for ever, without another process.
            .args(["-c", &format!("{first} read line <\"$0\"")])
            .arg(&fifo)
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stdout(Stdio::null())
            .spawn()
            .expect("there is a shell");
        Self { child, port, _dir: dir }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended, if it does within `timeout`.
    pub fn ended_within(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            let status = self.child.try_wait().expect("it is our child");
            if status.is_some() || Instant::now() > deadline {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `comm` is taken from the name of the file, be it a link. (A copy could be "busy" when it is run: a test on another
/// thread that forks while it is written holds it open for writing until its exec.)
fn link_to_shell(dir: &Path, name: &OsStr) -> PathBuf {
    let program = dir.join(name);
    std::os::unix::fs::symlink("/bin/sh", &program).expect("a new name");
    program
}
