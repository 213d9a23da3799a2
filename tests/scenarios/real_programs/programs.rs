//! Programs as an administrator runs them, in the foreground and with a configuration of the test's own.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::setup::wait_until;

/// A program that was started for the test; it ends, with its children, with the value.
pub struct Program {
    child: Child,
    /// The name of its processes.
    pub name: &'static str,
    /// What it reads and writes.
    dir: TempDir,
}

impl Program {
    /// Starts `name` with arguments that `arguments` makes for a directory of its own.
    pub fn start(name: &'static str, arguments: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let dir = TempDir::new().expect("a directory");
        let log = std::fs::File::create(dir.path().join("log")).expect("ours");
        let mut command = Command::new(name);
        command.args(arguments(dir.path())).current_dir(dir.path());
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        let errors = log.try_clone().expect("a descriptor is free");
        let child = command.stdin(Stdio::piped()).stdout(log).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| panic!("{name} cannot be run ({error}); .ci/test installs it"));
        Self { child, name, dir }
    }

    /// Waits until it listens on this port of 127.0.0.1.
    pub fn listening(mut self, port: u16) -> Self {
        let name = self.name;
        wait_until(&format!("{name} listens on port {port}"), || {
            let ended = self.child.try_wait().expect("it is our child");
            assert!(ended.is_none(), "{name} has ended: {}", self.log());
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
        });
        self
    }

    /// What it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Its first process.
    pub fn pid(&self) -> u64 {
        self.child.id().into()
    }

    /// All of its processes.
    pub fn pids(&self) -> Vec<u64> {
        let mut pids = vec![self.pid()];
        let parents = parents();
        let mut next = 0;
        while let Some(parent) = pids.get(next).copied() {
            pids.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        pids
    }

    /// Sends a signal to its first process.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.pids().into_iter().for_each(|pid| send(pid, Signal::KILL));
        let _ = self.child.wait();
    }
}

fn send(pid: u64, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process");
    let _ = kill_process(pid, signal);
}

/// Every process that can be seen, with its parent.
fn parents() -> Vec<(u64, u64)> {
    let processes = std::fs::read_dir("/proc").expect("this is Linux").flatten();
    let pid_and_parent = |entry: std::fs::DirEntry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some((pid, parent))
    };
    processes.filter_map(pid_and_parent).collect()
}

/// nginx with one worker and this `http` section.
pub fn nginx(port: u16, http: &str) -> Program {
    let nginx = Program::start("nginx", |dir| {
        let dir = dir.display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {dir}/{name};"))
            .join(" ");
        let config = format!(
            "user root; worker_processes 1; pid {dir}/pid; error_log stderr warn;\n\
             events {{ worker_connections 4096; }}\nhttp {{ access_log off; root {dir}; {temporary}\n{http}\n}}\n"
        );
        std::fs::write(format!("{dir}/nginx.conf"), config).expect("ours");
        std::fs::write(format!("{dir}/small"), "small\n").expect("ours");
        ["-p", &format!("{dir}"), "-c", &format!("{dir}/nginx.conf"), "-g", "daemon off;"].map(str::to_owned).to_vec()
    });
    nginx.listening(port)
}

/// haproxy with these sections after its defaults.
pub fn haproxy(port: u16, defaults: &str, sections: &str) -> Program {
    let haproxy = Program::start("haproxy", |dir| {
        let config = format!(
            "global\n maxconn 1000\ndefaults\n mode http\n timeout client 60s\n timeout server 60s\n{defaults}\n{sections}\n"
        );
        let path = dir.join("haproxy.cfg");
        std::fs::write(&path, config).expect("ours");
        vec!["-db".to_owned(), "-f".to_owned(), path.display().to_string()]
    });
    haproxy.listening(port)
}

/// redis-server without persistence and with these settings, as `--timeout 1`.
pub fn redis(port: u16, settings: &[&str]) -> Program {
    let redis = Program::start("redis-server", |_| {
        let port = port.to_string();
        let own = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        own.iter().chain(settings).map(|&setting| setting.to_owned()).collect()
    });
    redis.listening(port)
}

/// gunicorn with one worker that serves `tests/scenarios/real_programs/app.py`, and these settings.
pub fn gunicorn(port: u16, settings: &[&str]) -> Program {
    let gunicorn = Program::start("gunicorn", |dir| {
        let (bind, dir) = (format!("127.0.0.1:{port}"), dir.display().to_string());
        let app = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/real_programs");
        let own = ["--bind", &bind, "--timeout", "300", "--worker-tmp-dir", &dir, "--chdir", app];
        own.iter().chain(settings).chain(&["app:app"]).map(|&setting| setting.to_owned()).collect()
    });
    gunicorn.listening(port)
}
