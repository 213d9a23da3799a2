//! The directory of a flight recorder: private, locked, and nobody else's files in it are touched.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::model::text::DisplayText;
use crate::model::time::WallTime;
use crate::source::SourceError;
use crate::source::flight_recorder::not_recorded::is_full;
use crate::source::flight_recorder::segment_name::SegmentName;
use crate::source::flight_recorder::storage::{SegmentFile, SegmentStorage, StoredSegment, StoredSegments};
use crate::source::record::file;
use crate::source::record::format::MAGIC;

/// The file that is locked while a recorder runs. It marks the directory as that of a recorder.
const LOCK: &str = "recorder.lock";
/// What it holds before the number of the process.
const LOCK_TEXT: &str = "conntop record, pid ";
/// More than it holds.
const LOCK_LEN_MAX: u64 = 64;
/// What mkfs puts into every ext file system: such a directory counts as empty.
const OF_FILE_SYSTEM: &str = "lost+found";
/// Who may do what with a directory or a file.
const PRIVATE_DIRECTORY: Mode = Mode::RWXU;
const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);
const OTHERS_WRITE: Mode = Mode::WGRP.union(Mode::WOTH);

/// A directory that this process alone records into.
#[derive(Debug)]
pub struct SegmentDirectory {
    shown: DisplayText,
    directory: OwnedFd,
    /// Locked until it is closed, also by the end of the process (flock(2)).
    _lock: File,
}

impl SegmentDirectory {
    /// Opens the directory at `path`, or makes it, and says what segments it has. A directory that is refused is left as it is.
    pub fn open(path: &Path) -> Result<(Self, StoredSegments), SourceError> {
        // A slash at the end would have a symbolic link followed.
        let path: PathBuf = path.components().collect();
        let shown = file::shown(&path);
        let directory = open_or_make(&path).map_err(|errno| not_opened(&path, &shown, errno))?;
        check_rights(&directory, &shown)?;
        check_content(&directory, &shown)?;
        let lock = lock(&directory, &shown)?;
        let stored = list(&directory).map_err(|errno| not_read(&shown, errno))?;
        Ok((Self { shown, directory, _lock: lock }, stored))
    }
}

impl SegmentStorage for SegmentDirectory {
    type File = File;

    fn shown(&self) -> &DisplayText {
        &self.shown
    }

    fn create(&mut self, name: SegmentName) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, name.to_string(), flags, PRIVATE_FILE)?;
        Ok(File::from(file))
    }

    fn remove(&mut self, name: SegmentName) -> io::Result<()> {
        let path = name.to_string();
        // It may have been replaced since it was listed.
        let stat = match rustix::fs::statat(&self.directory, &path, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            stat => stat?,
        };
        if !is_ours(&stat) {
            return Err(ErrorKind::PermissionDenied.into());
        }
        match rustix::fs::unlinkat(&self.directory, &path, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl SegmentFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)?;
        io::Seek::seek(self, io::SeekFrom::Start(len)).map(drop)
    }
}

/// Opens the directory at `path`, which is no symbolic link, or makes it.
fn open_or_make(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(CWD, path, flags, Mode::empty());
    match open() {
        Err(Errno::NOENT) => match rustix::fs::mkdirat(CWD, path, PRIVATE_DIRECTORY) {
            Ok(()) | Err(Errno::EXIST) => open(),
            Err(errno) => Err(errno),
        },
        opened => opened,
    }
}

/// Only its owner may write into it, and that is the user of this process.
fn check_rights(directory: &OwnedFd, shown: &DisplayText) -> Result<(), SourceError> {
    let stat = rustix::fs::fstat(directory).map_err(|errno| not_read(shown, errno))?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(failed(&format!(
            "{shown} belongs to another user; name a directory of your own, or one that is not there yet"
        )));
    }
    if Mode::from_raw_mode(stat.st_mode).intersects(OTHERS_WRITE) {
        return Err(failed(&format!(
            "other users may write to {shown}; run chmod go-w on it, or name another directory"
        )));
    }
    Ok(())
}

/// It is empty, or a recorder has been there.
fn check_content(directory: &OwnedFd, shown: &DisplayText) -> Result<(), SourceError> {
    let refused = |errno| not_read(shown, errno);
    let lock = rustix::fs::statat(directory, LOCK, AtFlags::SYMLINK_NOFOLLOW);
    if lock.is_ok_and(|stat| is_ours(&stat)) {
        return Ok(());
    }
    for entry in entries(directory).map_err(refused)? {
        let name = entry.map_err(refused)?;
        if name.to_str().and_then(SegmentName::parse).is_none() {
            let name = file::shown(Path::new(&name));
            return Err(failed(&format!(
                "{shown} is not the directory of a recorder: it holds {name}; name an empty directory, or one that is not there yet"
            )));
        }
    }
    Ok(())
}

/// Takes the lock, which is made where it is missing. It is held by a descriptor that cannot write, as one that can would keep the file
/// system from being made read-only.
fn lock(directory: &OwnedFd, shown: &DisplayText) -> Result<File, SourceError> {
    let common = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = |flags| {
        let opened = rustix::fs::openat(directory, LOCK, flags | common, PRIVATE_FILE);
        opened.map(File::from).map_err(|errno| cannot_record(shown, &errno.into()))
    };
    let mut lock = open(OFlags::RDONLY | OFlags::CREATE)?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let who = holder(&mut lock).map_or(String::new(), |pid| format!(" (pid {pid})"));
            return Err(failed(&format!(
                "another conntop{who} is recording into {shown}; name another directory, or end that one first"
            )));
        }
        Err(errno) => return Err(cannot_record(shown, &errno.into())),
    }
    let mut file = open(OFlags::WRONLY)?;
    match file.set_len(0).and_then(|()| writeln!(file, "{LOCK_TEXT}{}", std::process::id())) {
        // On a full disk the number stays unknown, which does no harm.
        Err(error) if !is_full(&error) => Err(cannot_record(shown, &error)),
        _ => Ok(lock),
    }
}

/// The process that the lock file names.
fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.take(LOCK_LEN_MAX).read_to_string(&mut text).ok()?;
    text.strip_prefix(LOCK_TEXT)?.trim_end().parse().ok()
}

/// The names in the directory but for `.`, `..` and what every file system has.
fn entries(directory: &OwnedFd) -> Result<impl Iterator<Item = Result<std::ffi::OsString, Errno>>, Errno> {
    use std::os::unix::ffi::OsStringExt;
    let name = |entry: Result<rustix::fs::DirEntry, Errno>| {
        entry.map(|entry| std::ffi::OsString::from_vec(entry.file_name().to_bytes().to_vec()))
    };
    let is_counted = |name: &Result<std::ffi::OsString, Errno>| {
        name.as_ref().map_or(true, |name| ![".", "..", OF_FILE_SYSTEM].iter().any(|other| name == other))
    };
    Ok(Dir::read_from(directory)?.map(name).filter(is_counted))
}

/// The segments that a recorder has made: by name, kind, owner and first bytes. Everything else is somebody else's.
fn list(directory: &OwnedFd) -> Result<StoredSegments, Errno> {
    let mut stored = StoredSegments::default();
    for entry in entries(directory)? {
        let Some(name) = entry?.to_str().and_then(SegmentName::parse) else { continue };
        stored.last_number = stored.last_number.max(name.number);
        stored.segments.extend(segment(directory, name));
    }
    stored.segments.sort_by_key(|segment| segment.name);
    Ok(stored)
}

fn segment(directory: &OwnedFd, name: SegmentName) -> Option<StoredSegment> {
    let path = name.to_string();
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    // Opening a device can do something: it is looked at before.
    let is_file = |stat: Stat| is_ours(&stat).then_some(stat);
    is_file(rustix::fs::statat(directory, &path, AtFlags::SYMLINK_NOFOLLOW).ok()?)?;
    let file = rustix::fs::openat(directory, &path, flags, Mode::empty()).ok()?;
    let stat = is_file(rustix::fs::fstat(file.as_fd()).ok()?)?;
    let (file, mut begin) = (File::from(file), Vec::new());
    let seconds = std::os::unix::fs::MetadataExt::mtime(&file.metadata().ok()?);
    file.take(MAGIC.len() as u64).read_to_end(&mut begin).ok()?;
    // A recorder that was killed may have left less than the first bytes.
    MAGIC.starts_with(&begin).then(|| StoredSegment {
        name,
        len: u64::try_from(stat.st_size).unwrap_or(0),
        written: WallTime(seconds.saturating_mul(1_000)),
    })
}

/// Whether it is a regular file of the user of this process.
fn is_ours(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_uid == rustix::process::geteuid().as_raw()
}

fn not_opened(path: &Path, shown: &DisplayText, errno: Errno) -> SourceError {
    let kind =
        rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map(|stat| FileType::from_raw_mode(stat.st_mode));
    match kind {
        Ok(FileType::Symlink) => {
            failed(&format!("{shown} is a symbolic link, which a recorder does not follow; name the directory itself"))
        }
        Ok(FileType::Directory) => not_read(shown, errno),
        Ok(_) => SourceError::Usage(DisplayText::new(&format!(
            "{shown} is a file; --keep and --max-size record into a directory: name one, or leave them out and name a new file"
        ))),
        Err(_) => cannot_record(shown, &errno.into()),
    }
}

fn not_read(shown: &DisplayText, errno: Errno) -> SourceError {
    let kind = io::Error::from(errno).kind();
    failed(&format!("cannot look into {shown}: {kind}; choose a directory that you may read and write"))
}

fn cannot_record(shown: &DisplayText, error: &io::Error) -> SourceError {
    failed(&format!("cannot record into {shown}: {}; choose a directory that you may write to", error.kind()))
}

fn failed(sentence: &str) -> SourceError {
    SourceError::Failed(DisplayText::from(sentence))
}

#[cfg(test)]
mod tests;
