//! The one way to read a file that a user, a container or an administrator can put in the way: passwd, services, the time
//! zone, the config file, recordings. What is read is a regular file, opened without waiting, up to a bound; an error
//! ends the reading. Files of the kernel (`/proc`, `/sys`) are not read through here: their length is not told.

use std::fmt;
use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Why a file cannot be used: reads well after its path ("/etc/passwd is a directory").
#[derive(Debug)]
pub enum Unusable {
    /// It is not there, or something that is no directory stands where a directory of its path should be.
    Missing,
    /// It is something else than a regular file: this.
    Kind(&'static str),
    /// It is longer than this many bytes.
    TooLong(u64),
    /// The system refuses.
    Refused(io::Error),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is not there"),
            Self::Kind(kind) => write!(f, "is {kind}, not a regular file"),
            Self::TooLong(len_max) if *len_max >= 1 << 20 => write!(f, "is longer than {} MiB", len_max >> 20),
            Self::TooLong(len_max) => write!(f, "is longer than {} KiB", len_max >> 10),
            Self::Refused(error) => write!(f, "cannot be read ({error})"),
        }
    }
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Missing,
            _ => Self::Refused(error),
        }
    }
}

/// Opens a regular file for reading, and says what it is. It is looked at before it is opened, as opening a device can
/// do something, and after, as it may be another one by then.
pub fn open(path: &Path) -> Result<(File, Metadata), Unusable> {
    refuse_other_kinds(&fs::metadata(path)?)?;
    let file = open_without_waiting(path)?;
    let metadata = file.metadata()?;
    refuse_other_kinds(&metadata)?;
    Ok((file, metadata))
}

fn open_without_waiting(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        // The flags are few and low: they fit the sign.
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    options.open(path)
}

/// Opens what recordings come through: a FIFO, or the pipe of a process substitution (`/dev/fd/63`). `None` for a regular file or a
/// directory, which are no streams.
///
/// Only a path that the user names to read a recording from comes here. Opening a FIFO waits for nobody (open(2), `O_NONBLOCK`),
/// and reading it is for a thread of its own, as nobody may ever write to it.
pub fn open_stream(path: &Path) -> Result<Option<File>, Unusable> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_file() || kind.is_dir() {
        return Ok(None);
    }
    refuse_no_pipe(kind)?;
    let file = open_without_waiting(path)?;
    refuse_no_pipe(file.metadata()?.file_type())?;
    Ok(Some(file))
}

fn refuse_no_pipe(found: FileType) -> Result<(), Unusable> {
    #[cfg(unix)]
    if std::os::unix::fs::FileTypeExt::is_fifo(&found) {
        return Ok(());
    }
    Err(Unusable::Kind(kind(found)))
}

/// The content of a regular file of at most `len_max` bytes.
pub fn read(path: &Path, len_max: u64) -> Result<Vec<u8>, Unusable> {
    let (file, metadata) = open(path)?;
    read_opened(file, &metadata, len_max)
}

/// The same of one that was opened by [`open`].
pub fn read_opened(file: File, metadata: &Metadata, len_max: u64) -> Result<Vec<u8>, Unusable> {
    let mut content = Vec::new();
    if metadata.len() <= len_max {
        file.take(len_max.saturating_add(1)).read_to_end(&mut content)?;
    }
    let is_longer = metadata.len() > len_max || content.len() as u64 > len_max;
    if is_longer { Err(Unusable::TooLong(len_max)) } else { Ok(content) }
}

/// Whether a library may be let at `path`, which it reads without a bound and without this guard: the file is not there,
/// or is a regular one of at most `len_max` bytes that can be opened.
pub fn check(path: &Path, len_max: u64) -> Result<(), Unusable> {
    match open(path) {
        Ok((_, metadata)) if metadata.len() > len_max => Err(Unusable::TooLong(len_max)),
        Ok(_) | Err(Unusable::Missing) => Ok(()),
        Err(unusable) => Err(unusable),
    }
}

/// [`check`] for several files: why the first that is not all right cannot be used, as a sentence without its end.
pub fn check_all(paths: &[&str], len_max: u64) -> Result<(), String> {
    paths.iter().try_for_each(|path| check(Path::new(path), len_max).map_err(|why| format!("{path} {why}")))
}

/// What the C library reads when it is asked for the name of an address (getnameinfo(3), nsswitch.conf(5)).
const FILES_OF_HOSTS: [&str; 4] = ["/etc/nsswitch.conf", "/etc/hosts", "/etc/resolv.conf", "/etc/host.conf"];
/// Up to which length it may: lists of blocked hosts are long.
const HOSTS_LEN_MAX: u64 = 64 << 20;

/// Whether the C library may be asked for names of hosts; else why not, as a sentence without its end.
pub fn check_hosts() -> Result<(), String> {
    check_all(&FILES_OF_HOSTS, HOSTS_LEN_MAX)
}

fn refuse_other_kinds(metadata: &Metadata) -> Result<(), Unusable> {
    if metadata.is_file() { Ok(()) } else { Err(Unusable::Kind(kind(metadata.file_type()))) }
}

fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a directory";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a FIFO";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    "something else"
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    const LEN_MAX: u64 = 1_024;

    fn said(path: &Path) -> [String; 2] {
        let read = read(path, LEN_MAX).map(|content| content.len()).map_err(|why| why.to_string());
        let checked = check(path, LEN_MAX).map_err(|why| why.to_string());
        [read.map_or_else(|why| why, |len| len.to_string()), checked.map_or_else(|why| why, |()| "fine".to_owned())]
    }

    #[test]
    fn only_a_regular_file_up_to_the_bound_is_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| folder.path().join(name);
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
        std::os::unix::net::UnixListener::bind(at("socket")).expect("a socket");
        std::os::unix::fs::symlink("loop", at("loop")).expect("a link");
        fs::write(at("fits"), [b'x'; 1_024]).expect("writable");
        fs::write(at("longer"), [b'x'; 1_025]).expect("writable");
        // Sparse: as long as it says, and takes no room.
        File::create(at("huge")).and_then(|file| file.set_len(1 << 40)).expect("writable");
        let long_name = folder.path().join("x".repeat(300));
        let other = |kind: &str| [(); 2].map(|()| format!("is {kind}, not a regular file"));
        for (path, expected) in [
            (at("fits"), ["1024".to_owned(), "fine".to_owned()]),
            (at("missing"), ["is not there".to_owned(), "fine".to_owned()]),
            (at("fits").join("below"), ["is not there".to_owned(), "fine".to_owned()]),
            (folder.path().to_owned(), other("a directory")),
            (at("fifo"), other("a FIFO")),
            (at("socket"), other("a socket")),
            ("/dev/zero".into(), other("a device")),
            (at("longer"), [(); 2].map(|()| "is longer than 1 KiB".to_owned())),
            (at("huge"), [(); 2].map(|()| "is longer than 1 KiB".to_owned())),
            (
                at("loop"),
                [(); 2].map(|()| "cannot be read (Too many levels of symbolic links (os error 40))".to_owned()),
            ),
            (long_name, [(); 2].map(|()| "cannot be read (File name too long (os error 36))".to_owned())),
            // A regular file whose reading fails: EIO for what is not mapped.
            (
                "/proc/self/mem".into(),
                ["cannot be read (Input/output error (os error 5))".to_owned(), "fine".to_owned()],
            ),
        ] {
            assert_eq!(said(&path), expected, "{}", path.display());
        }
    }

    /// A file whose length is not told (0, as of `/proc`) is bounded by what comes.
    #[test]
    fn the_bound_holds_for_a_file_that_does_not_tell_its_length() {
        let read = read(Path::new("/proc/kallsyms"), LEN_MAX);
        assert!(matches!(read, Err(Unusable::TooLong(LEN_MAX))), "{read:?}");
    }
}
