//! Reads files of tracefs, where it is mounted or not: a mount of our own that nobody else sees does as well.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

/// Where it usually is.
const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
/// A `format` file has some 2 KiB.
const FILE_LEN_MAX: u64 = 64 * 1024;

/// The root directory of tracefs.
#[derive(Debug)]
pub struct Tracefs(OwnedFd);

impl Tracefs {
    /// Opens it where it is mounted and has `file`; else mounts it, read-only and in no place: the mount is gone with the
    /// value. That takes Linux 5.2 and `CAP_SYS_ADMIN`.
    pub fn open(file: &str) -> io::Result<Self> {
        let mut refusal = io::Error::from(io::ErrorKind::NotFound);
        for place in PLACES {
            let opened = rustix::fs::open(place, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
            match opened.map_err(io::Error::from).map(Self) {
                Ok(root) => match root.open_file(file) {
                    Ok(_) => return Ok(root),
                    Err(error) => refusal = worse(refusal, error),
                },
                Err(error) => refusal = worse(refusal, error),
            }
        }
        Self::mount().map_err(|error| worse(refusal, error))
    }

    fn mount() -> io::Result<Self> {
        let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        fsconfig_create(&context)?;
        let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)?;
        Ok(Self(mount))
    }

    /// The text of `file`.
    pub fn read(&self, file: &str) -> io::Result<String> {
        let mut text = String::new();
        self.open_file(file)?.take(FILE_LEN_MAX).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Anybody may mount something else there: what would be waited for is not opened.
    fn open_file(&self, file: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(rustix::fs::openat(&self.0, file, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }
}

/// A missing permission says more than a missing file.
fn worse(old: io::Error, new: io::Error) -> io::Error {
    if old.kind() == io::ErrorKind::PermissionDenied { old } else { new }
}
