//! The unit of a socket from its cgroup, in a cgroup that the test makes (as root, with cgroup v2; else it says that
//! it did not run).

#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use conntop::model::snapshot::{Needs, Snapshot};
use conntop::model::socket::Socket;
use conntop::model::text::DisplayText;
use conntop::source::{Choice, open};

use crate::skip::skip;

/// A cgroup of a container, as docker's cgroupfs driver makes them.
struct Cgroup(PathBuf);

impl Cgroup {
    /// `None` where there is no cgroup v2 that may be changed.
    fn new() -> Option<Self> {
        let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
        let root = roots.into_iter().find(|root| root.join("cgroup.controllers").exists())?;
        let id = format!("{:0>64x}", u64::from(std::process::id()) << 32);
        let path = root.join(format!("conntop-test-{}", std::process::id())).join(format!("docker-{id}.scope"));
        fs::create_dir_all(&path).ok()?;
        Some(Self(path))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
        let _ = self.0.parent().map(fs::remove_dir);
    }
}

/// A child that is killed in the end, before its cgroup is removed.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const SERVER: &str = "import sys, socket
sys.stdin.readline()
server = socket.create_server(('127.0.0.1', 0))
print(server.getsockname()[1], flush=True)
sys.stdin.readline()";

#[test]
fn a_socket_is_shown_with_the_container_whose_cgroup_it_is_in() {
    let Some(cgroup) = Cgroup::new() else {
        skip("no cgroup v2 to write to");
        return;
    };
    let mut python = Command::new("python3");
    let python = python.args(["-c", SERVER]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Running(python.spawn().expect("python3 is there"));
    fs::write(cgroup.0.join("cgroup.procs"), child.0.id().to_string()).expect("a child of ours in a cgroup of ours");
    child.0.stdin.as_mut().expect("piped").write_all(b"go\n").expect("it reads");
    let mut port = String::new();
    BufReader::new(child.0.stdout.as_mut().expect("piped")).read_line(&mut port).expect("it writes");
    let port: u16 = port.trim().parse().expect("a port");

    let name = cgroup.0.file_name().expect("a name").to_string_lossy().into_owned();
    let expected = format!("docker:{}", &name["docker-".len()..][..12]);
    let inode = rustix::fs::stat(&cgroup.0).expect("there").st_ino;
    for choice in [Choice::Linux, Choice::Procfs] {
        let (mut source, mut seen) = (open(&choice).expect("a live source"), Snapshot::default());
        source.sample(&Needs::default(), &mut seen).expect("a sample");
        let is_it = |socket: &&Socket| socket.is_listener() && socket.local.port == port;
        let listener = seen.sockets.iter().find(is_it).expect("it listens");
        assert_eq!(listener.cgroup, std::num::NonZeroU64::new(inode), "{choice:?}");
        assert_eq!(seen.names.units.get(&inode).map(DisplayText::as_str), Some(&*expected), "{choice:?}");
    }
    drop(child);
}
