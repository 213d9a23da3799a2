//! Recordings that are read as they come, and several hosts on one screen.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::session::{Control, Session};

/// A recording of a server called web-7.
fn recording() -> Vec<u8> {
    fs::read("assets/recordings/demo.conntop").expect("it is there")
}

fn conntop() -> &'static str {
    env!("CARGO_BIN_EXE_conntop")
}

/// FIFOs in a directory of their own.
struct Fifos {
    folder: tempfile::TempDir,
}

impl Fifos {
    fn new(names: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        for name in names {
            mknodat(CWD, folder.path().join(name), FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `bytes` to the FIFO once somebody reads it. The open file is the answer: the stream ends when it is dropped.
    fn write(&self, name: &str, bytes: Vec<u8>) -> thread::JoinHandle<File> {
        let path = self.path(name);
        thread::spawn(move || {
            let mut file = OpenOptions::new().write(true).open(path).expect("a FIFO");
            // Whoever reads may leave first.
            let _ = file.write_all(&bytes);
            file
        })
    }
}

fn screen(words: &[&Path], filter: &str, size: (u16, u16)) -> Session {
    let mut command = Command::new(conntop());
    command.arg("replay").args(words);
    if !filter.is_empty() {
        command.arg(filter);
    }
    Session::start(&command, Control::Controlling, size)
}

fn in_shell(script: &str, size: (u16, u16)) -> Session {
    Session::start(Command::new("bash").args(["-c", script]), Control::Controlling, size)
}

#[test]
fn what_comes_by_standard_input_is_shown_and_keys_are_those_of_the_terminal() {
    let script = format!("cat assets/recordings/demo.conntop | {} replay -", conntop());
    let mut session = in_shell(&script, (100, 30));
    session.wait_for_text("jdbc-pool");
    session.wait_for_text("web-7");
    session.keys("8");
    session.wait_for_text("TIME ▾");
    session.keys("q");
    assert!(session.wait().success());
    session.assert_restored();
}

#[test]
fn a_terminal_is_no_recording() {
    let mut session = Session::conntop(&["replay", "-"], 100, 30);
    let status = session.wait();
    assert_eq!(status.code(), Some(2));
    assert!(session.text().contains("standard input is a terminal"), "{}", session.text());
}

#[test]
fn nothing_of_a_stream_can_be_acted_on_and_the_screen_says_why() {
    let fifos = Fifos::new(&["a"]);
    let writer = fifos.write("a", recording());
    let mut session = screen(&[&fifos.path("a")], "", (100, 30));
    session.wait_for_text("jdbc-pool");
    session.keys("K");
    session.wait_for_text("recording");
    session.keys("q");
    assert!(session.wait().success());
    drop(writer);
}

#[test]
fn a_stream_that_is_cut_off_ends_alone_and_its_rows_stay() {
    let fifos = Fifos::new(&["a", "b"]);
    let all = recording();
    let cut = all[..all.len() * 2 / 3].to_vec();
    let whole = fifos.write("a", all);
    let broken = fifos.write("b", cut);
    let mut session = screen(&[&fifos.path("a"), &fifos.path("b")], "", (140, 40));
    session.wait_for_text("2 hosts");
    session.wait_for_text("web-7#2");
    drop(broken.join().expect("it is written"));
    session.wait_for_text("1 of 2 hosts");
    session.wait_for_text("the stream was cut off");
    let text = session.text();
    assert!(text.contains(" ended ") && text.contains("web-7#2"), "{text}");
    session.keys("q");
    assert!(session.wait().success());
    drop(whole);
}

#[test]
fn a_pipe_that_nobody_writes_to_harms_no_other() {
    let fifos = Fifos::new(&["a", "silent"]);
    let writer = fifos.write("a", recording());
    let mut session = screen(&[&fifos.path("silent"), &fifos.path("a")], "", (140, 40));
    session.wait_for_text("1 of 2 hosts");
    session.wait_for_text("jdbc-pool");
    session.wait_for_text("silent waited for");
    session.keys("q");
    assert!(session.wait().success());
    drop(writer);
}

/// The other host sends nothing more and does not end either: that is said after some seconds.
#[test]
fn a_stream_that_stands_still_is_said_to_be_silent() {
    let fifos = Fifos::new(&["a"]);
    let all = recording();
    let writer = fifos.write("a", all[..all.len() / 3].to_vec());
    let mut session = screen(&[&fifos.path("a")], "", (140, 40));
    session.wait_for_text("jdbc-pool");
    session.wait_for_text("silent since");
    session.keys("q");
    assert!(session.wait().success());
    drop(writer);
}

#[test]
fn files_of_several_hosts_are_one_screen_and_a_filter_follows_them() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let files = ["1", "2"].map(|seed| {
        let file = folder.path().join(format!("{seed}.conntop"));
        let mut record = Command::new(conntop());
        record
            .args(["record", "--count", "30", "--interval", "0.1", "--source", &format!("synthetic:{seed}")])
            .arg(&file);
        assert!(record.output().expect("it runs").status.success());
        file
    });
    let mut session = screen(&[&files[0], &files[1]], "state:close-wait", (120, 40));
    session.wait_for_text("2 hosts");
    session.wait_for_text("HOST");
    session.wait_for_text("web-7: jdbc-pool");
    session.wait_for_text("state:close-wait");
    session.watch(Duration::from_millis(1_500));
    session.keys("q");
    assert!(session.wait().success());
}
