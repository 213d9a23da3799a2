//! Where recordings come from: files, standard input, FIFOs and pipes. Reading a stream waits for its writer, on a thread of its
//! own, and ends when nobody wants it any more.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::text::DisplayText;
use crate::source::SourceError;
use crate::source::guarded::{self, Unusable};
use crate::source::record::file;

#[cfg(unix)]
pub use crate::streams::input::waiting::StreamInput;

/// What stands for standard input on the command line.
pub const STDIN: &str = "-";
/// Other names of it. Opening one anew fails where it is a socket.
const STDIN_PATHS: [&str; 3] = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

/// One of the places that recordings come from.
#[derive(Debug)]
pub enum RecordingPlace {
    /// A file, or the directory of a flight recorder.
    Stored(PathBuf),
    /// What comes as it is written.
    Stream(File),
}

/// What `path` is called in messages.
pub fn shown(path: &Path) -> DisplayText {
    if is_stdin(path) { "standard input".into() } else { file::shown(path) }
}

/// Whether `path` stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN) || STDIN_PATHS.iter().any(|stdin| path == Path::new(stdin))
}

/// Opens `path` for reading as it comes, if it is a stream.
pub fn open(path: &Path) -> Result<RecordingPlace, SourceError> {
    if is_stdin(path) {
        return stdin().map(RecordingPlace::Stream);
    }
    match guarded::open_stream(path) {
        Ok(None) => Ok(RecordingPlace::Stored(path.to_owned())),
        Ok(Some(file)) => Ok(RecordingPlace::Stream(file)),
        Err(why) => Err(failed(&format!("{} {}; {GIVE_RECORDING}", shown(path), reason(&why)))),
    }
}

/// What tells streams apart: two of one cannot be read. `None` for what can be read twice.
pub fn identity(place: &RecordingPlace) -> Option<(u64, u64)> {
    let RecordingPlace::Stream(file) = place else { return None };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        file.metadata().ok().map(|about| (about.dev(), about.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        None
    }
}

const GIVE_RECORDING: &str = "give a file that conntop record wrote, a pipe that it writes to, or - for standard input";

fn reason(why: &Unusable) -> String {
    match why {
        Unusable::Kind(kind) => format!("is {kind}, neither a file nor a pipe"),
        other => other.to_string(),
    }
}

#[cfg(unix)]
fn stdin() -> Result<File, SourceError> {
    let stdin = rustix::stdio::stdin();
    if rustix::termios::isatty(stdin) {
        let sentence = "standard input is a terminal, and - reads a recording from it: write ssh -n HOST conntop record - | conntop replay -";
        return Err(SourceError::Usage(sentence.into()));
    }
    let own = rustix::io::fcntl_dupfd_cloexec(stdin, 3).map_err(io::Error::from);
    own.map(File::from).map_err(|error| failed(&format!("cannot read standard input ({error}); {GIVE_RECORDING}")))
}

#[cfg(not(unix))]
fn stdin() -> Result<File, SourceError> {
    Err(SourceError::Usage("standard input is read on Unix only; give a file".into()))
}

fn failed(sentence: &str) -> SourceError {
    SourceError::Failed(DisplayText::new(sentence))
}

#[cfg(unix)]
mod waiting {
    use std::fs::File;
    use std::io::{self, Read};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    /// How often a reader looks whether it is still wanted.
    const WANTED_EVERY: Duration = Duration::from_millis(500);

    /// Reads a stream, and waits for what is not there yet.
    #[derive(Debug)]
    pub struct StreamInput {
        file: File,
        is_wanted: Arc<AtomicBool>,
        is_idle: Arc<AtomicBool>,
    }

    impl StreamInput {
        /// Reads `file` as long as `is_wanted`; `is_idle` says whether nothing is there.
        pub const fn new(file: File, is_wanted: Arc<AtomicBool>, is_idle: Arc<AtomicBool>) -> Self {
            Self { file, is_wanted, is_idle }
        }

        /// Waits until there is something to read, or nothing ever will be: `false`. A FIFO that nobody has opened for writing
        /// yet has not ended (poll(2): `POLLHUP` comes after the last writer has left).
        fn wait(&self) -> io::Result<bool> {
            loop {
                if !self.is_wanted.load(Ordering::Acquire) {
                    return Err(io::Error::other("nobody reads on"));
                }
                let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
                let timeout = Timespec::try_from(WANTED_EVERY).ok();
                match poll(&mut fds, timeout.as_ref()) {
                    Ok(0) => self.is_idle.store(true, Ordering::Release),
                    Ok(_) if fds[0].revents().contains(PollFlags::IN) => return Ok(true),
                    Ok(_) if fds[0].revents().contains(PollFlags::HUP) => return Ok(false),
                    // An error, which the read tells.
                    Ok(_) => return Ok(true),
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }

        fn is_ready(&self) -> bool {
            let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
        }
    }

    impl Read for StreamInput {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            loop {
                self.is_idle.store(!self.is_ready(), Ordering::Release);
                if !self.wait()? {
                    return Ok(0);
                }
                match self.file.read(buffer) {
                    Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                    read => {
                        self.is_idle.store(false, Ordering::Release);
                        return read;
                    }
                }
            }
        }
    }

    impl Drop for StreamInput {
        /// What is read no more is not waited for.
        fn drop(&mut self) {
            self.is_idle.store(true, Ordering::Release);
        }
    }
}
