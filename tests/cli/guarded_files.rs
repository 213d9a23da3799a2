//! Files that others can put in the way of names: whatever stands there, every command ends soon, says so in a sentence
//! and shows numbers. In a namespace of mounts with an `/etc` of its own (see `tests/common/namespace.rs`).

#![cfg(target_os = "linux")]

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::namespace;
use crate::program::{Ended, conntop, ended};
use crate::skip::skip;

/// Nothing that is asked here takes longer, on the slowest machine.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What can stand in the place of a file, and how conntop calls it.
type Obstacle = (&'static str, fn(&Path) -> io::Result<()>);
const OBSTACLES: [Obstacle; 5] = [
    ("is a directory", |path| fs::create_dir(path)),
    ("is a FIFO", |path| Ok(mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0)?)),
    ("is a device", |path| symlink("/dev/zero", path)),
    ("is longer than", |path| fs::File::create(path)?.set_len(3 << 29)),
    ("Too many levels of symbolic links", |path| symlink(path, path)),
];

/// An `/etc` that is ours, as it was but for what is large.
fn own_etc(folder: &Path) {
    let script = "mkdir etc && for f in passwd group nsswitch.conf services hosts host.conf localtime; do \
                  cp -L /etc/$f etc/ 2>/dev/null; done; : > etc/resolv.conf; mount --bind etc /etc";
    let status = Command::new("sh").args(["-c", script]).current_dir(folder).status();
    assert!(status.expect("a shell").success(), "mount(8) works in a namespace of mounts");
}

fn run_for_a_while(arguments: &[&str]) -> Ended {
    ended(conntop().args(arguments).timeout(TIMEOUT))
}

#[test]
fn whatever_stands_in_the_place_of_a_file_is_a_sentence_and_numbers() {
    if !namespace::inside_namespace_of_mounts() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    own_etc(folder.path());
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("bound").port().to_string();
    let _client = std::net::TcpStream::connect(("127.0.0.1", listener.local_addr().expect("bound").port()));
    let list: &[&[&str]] = &[&["list", "--columns", "lport,user"], &["list", "--source", "portable"]];
    let names = &["list", "--dns", "--config", "/dev/null"][..];
    let ports = &["ports"][..];
    for (file, commands) in [
        ("/etc/passwd", list),
        ("/etc/nsswitch.conf", &[list[0], names][..]),
        ("/etc/services", &[ports][..]),
        ("/etc/hosts", &[names][..]),
        ("/etc/resolv.conf", &[names][..]),
        ("/etc/host.conf", &[names][..]),
    ] {
        let kept = fs::read(file).ok();
        for (what, put) in OBSTACLES {
            let _ = fs::remove_file(file);
            put(Path::new(file)).expect("our own /etc");
            for command in commands {
                let ended = run_for_a_while(command);
                assert_eq!(ended.code, 0, "{file} {what}, {command:?}: {}", ended.stderr);
                assert!(ended.stdout.contains(&port), "{file} {what}, {command:?}: {}", ended.stdout);
                let about = |line: &&str| line.contains(file) && line.contains(what);
                let told = ended.stderr.lines().filter(about).count();
                // nsswitch.conf stands in the way of both kinds of names.
                let expected = 1 + usize::from(file.contains("nsswitch") && *command == names);
                assert_eq!(told, expected, "{file} {what}, {command:?}: {}", ended.stderr);
            }
            let _ = fs::remove_file(file).or_else(|_| fs::remove_dir(file));
        }
        if let Some(kept) = kept {
            fs::write(file, kept).expect("our own /etc");
        }
    }
    assert!(run_for_a_while(list[0]).stdout.contains("root"), "as it was");
}

/// Users that sysinfo's list left out: by their shell, by a large number, by having no name; and two of one name.
#[test]
fn users_are_who_the_name_service_says_else_their_numbers_and_never_one_another() {
    if !namespace::inside_namespace_of_mounts() {
        return;
    }
    if !rustix::process::geteuid().is_root() || Command::new("python3").arg("--version").output().is_err() {
        skip("this takes root and python3");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    own_etc(folder.path());
    let line = |(name, uid, shell): &(&str, u32, &str)| format!("{name}:x:{uid}:9::/:{shell}\n");
    let lines: String = [
        ("falsey", 4_711, "/bin/false"),
        ("ldapish", 100_123, "/usr/sbin/nologin"),
        ("high", 4_294_967_290, ""),
        ("twin", 4_801, "/bin/sh"),
        ("twin", 4_802, "/bin/sh"),
        ("4711", 4_803, "/bin/sh"),
        ("evil\u{1b}[2J", 4_804, "/bin/sh"),
    ]
    .iter()
    .map(line)
    .collect();
    let passwd = fs::read_to_string("/etc/passwd").expect("ours") + &lines;
    fs::write("/etc/passwd", passwd).expect("ours");
    let users = [
        (404_404_u32, "404404"),
        (4_711, "falsey"),
        (100_123, "ldapish"),
        (4_294_967_290, "high"),
        (4_294_967_294, "4294967294"),
        (4_801, "twin"),
        (4_802, "twin"),
        (4_803, "4711"),
        (4_804, "evil␛[2J"),
    ];
    let script = "import os,socket,sys,time; os.setuid(int(sys.argv[1])); s=socket.create_server(('127.0.0.1',0)); print('ready',flush=True); time.sleep(99)";
    let mut children: Vec<_> = users
        .iter()
        .map(|(uid, _)| {
            use std::io::{BufRead, BufReader};
            let mut child = Command::new("python3")
                .args(["-c", script, &uid.to_string()])
                .stdout(std::process::Stdio::piped())
                .spawn()
                .expect("python3 is there");
            let mut line = String::new();
            BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("it speaks");
            assert_eq!(line.trim(), "ready");
            child
        })
        .collect();
    let found = |filter: &str| run_for_a_while(&["list", "--count-only", filter]).stdout.trim().to_owned();
    let counts: Vec<_> = users.iter().map(|(_, name)| found(&format!("user={name}"))).collect();
    let csv = run_for_a_while(&["list", "--format", "csv", "--columns", "uid,user", "--sort", "uid"]).stdout;
    let json = run_for_a_while(&["list", "--format", "ndjson", "uid:4294967294"]).stdout;
    let groups = run_for_a_while(&["list", "--group-by", "user", "--format", "ndjson", "state:listen"]).stdout;
    for child in &mut children {
        child.kill().and_then(|()| child.wait()).expect("ours");
    }
    assert_eq!(counts, ["1", "1", "1", "1", "1", "2", "2", "1", "1"]);
    for (uid, name) in users {
        assert!(csv.lines().any(|line| line == format!("{uid},{name}")), "{csv}");
    }
    assert!(json.contains("\"user\":\"4294967294\",\"uid\":4294967294"), "{json}");
    assert_eq!(groups.lines().count(), users.len(), "a group each, also of the two of one name: {groups}");
}
