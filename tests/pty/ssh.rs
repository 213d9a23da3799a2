//! Hosts over ssh: a real server of OpenSSH on loopback, with keys and a configuration of its own, in namespaces of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::namespace::inside_namespace_of_mounts;
use crate::session::{Control, DEADLINE, Session};
use crate::skip::skip;

const PORT: u16 = 2_222;

/// A server that lets its own key in, and nobody else.
struct SshServer {
    folder: tempfile::TempDir,
    server: Child,
}

impl SshServer {
    /// `None` where there is no sshd, or the caller is not root, as whom sshd changes into the user who logs in.
    fn start() -> Option<Self> {
        let program =
            ["/usr/sbin/sshd", "/usr/bin/sshd", "/sbin/sshd"].into_iter().find(|path| Path::new(path).exists());
        let Some(program) = program.filter(|_| is_first_root()) else {
            skip("sshd needs to be installed and to be started by root");
            return None;
        };
        // The directory that sshd wants for the unprivileged part of itself is of this namespace alone.
        run(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]));
        fs::create_dir("/run/sshd").expect("it is ours");
        let folder = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| folder.path().join(name);
        for key in ["host", "user"] {
            run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at(key)));
        }
        fs::copy(at("user.pub"), at("authorized")).expect("the key is there");
        fs::set_permissions(at("authorized"), fs::Permissions::from_mode(0o600)).expect("it is ours");
        let lines = [
            format!("Port {PORT}"),
            "ListenAddress 127.0.0.1".to_owned(),
            format!("HostKey {}", at("host").display()),
            format!("AuthorizedKeysFile {}", at("authorized").display()),
            "PidFile none".to_owned(),
            "StrictModes no".to_owned(),
            "UsePAM no".to_owned(),
            "PasswordAuthentication no".to_owned(),
            "PermitRootLogin prohibit-password".to_owned(),
        ];
        fs::write(at("config"), lines.join("\n") + "\n").expect("writable");
        let log = fs::File::create(at("log")).expect("writable");
        let server = Command::new(program).args(["-D", "-e", "-f"]).arg(at("config")).stderr(log).spawn();
        let server = Self { server: server.expect("it is there"), folder };
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(("127.0.0.1", PORT)).is_err() {
            assert!(Instant::now() < deadline, "{}", fs::read_to_string(server.at("log")).unwrap_or_default());
            thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The shell command that records `host`, which is this machine under another name.
    fn recorder(&self, host: &str) -> String {
        let (key, known) = (self.at("user"), self.at("known"));
        let remote = format!("hostname {host}; exec {} record -", env!("CARGO_BIN_EXE_conntop"));
        format!(
            "ssh -n -F none -p {PORT} -i {} -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile={} \
             -o LogLevel=ERROR root@127.0.0.1 'unshare -u sh -c \"{remote}\"'",
            key.display(),
            known.display()
        )
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Whether the caller is the root of the machine, not of a namespace of users.
fn is_first_root() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    rustix::process::geteuid().is_root() && map.split_whitespace().eq(["0", "0", "4294967295"])
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("it is there");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn in_shell(script: &str) -> Session {
    Session::start(Command::new("bash").args(["-c", script]), Control::Controlling, (150, 40))
}

/// The process of ssh that records `host`: its words have the name.
fn ssh_to(host: &str) -> Pid {
    let name = format!("hostname {host};");
    let is_it = |pid: &i32| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).into_owned();
        words.starts_with("ssh\0") && words.contains(&name)
    };
    let processes = fs::read_dir("/proc").expect("this is Linux").flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(is_it).and_then(Pid::from_raw).expect("it runs")
}

#[test]
fn a_screen_of_another_machine_is_one_line_of_a_shell() {
    if !inside_namespace_of_mounts() {
        return;
    }
    let Some(server) = SshServer::start() else { return };
    let script = format!("{} | {} replay -", server.recorder("web-a"), env!("CARGO_BIN_EXE_conntop"));
    let mut session = in_shell(&script);
    session.wait_for_text("web-a");
    session.wait_for_text("sshd");
    // It is live: what happens from now on comes, too.
    session.keys(format!("/lport:{}\r", 40_123));
    let listener = TcpListener::bind("127.0.0.1:40123").expect("nobody else is here");
    session.wait_for_text("127.0.0.1:40123");
    drop(listener);
    session.keys("q");
    session.wait();
    session.assert_restored();
}

#[test]
fn several_machines_are_one_screen_and_one_that_breaks_off_leaves_the_others() {
    if !inside_namespace_of_mounts() {
        return;
    }
    let Some(server) = SshServer::start() else { return };
    let [a, b] = ["web-a", "web-b"].map(|host| server.recorder(host));
    let program = env!("CARGO_BIN_EXE_conntop");
    let mut session = in_shell(&format!("exec {program} replay <({a}) <({b}) 'state:listen lport:{PORT},40123'"));
    session.wait_for_text("2 hosts");
    session.wait_until("both hosts have a row", |session| {
        ["web-a", "web-b"].iter().all(|host| session.text().contains(host))
    });
    kill_process(ssh_to("web-b"), Signal::TERM).expect("it is ours");
    session.wait_for_text("1 of 2 hosts");
    session.wait_for_text("web-b ended");
    let rows = |session: &Session, host: &str| {
        session.text().lines().filter(|line| line.contains(host) && line.contains("LISTEN")).count()
    };
    assert!(rows(&session, "web-b") >= 1, "its rows stay:\n{}", session.text());
    // The other one goes on.
    let listener = TcpListener::bind("127.0.0.1:40123").expect("nobody else is here");
    session.wait_for_text("40123");
    assert!(
        session.text().lines().all(|line| !line.contains("40123") || !line.contains("web-b")),
        "{}",
        session.text()
    );
    drop(listener);
    session.keys("q");
    assert!(session.wait().success());
    session.assert_restored();
}
