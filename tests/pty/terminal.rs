//! The terminal is lent and given back: after every way out it is as it was, and without it the program ends.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::program_copy::ProgramCopy;
use crate::session::{Control, DEADLINE, Session};
use crate::skip::skip;

const CONNTOP: &str = env!("CARGO_BIN_EXE_conntop");
const DEMO: &[&str] = &["--demo"];

fn conntop() -> Command {
    let mut command = Command::new(CONNTOP);
    command.args(DEMO);
    command
}

/// The demo in a terminal, drawn.
fn running() -> Session {
    let mut session = Session::conntop(DEMO, 80, 24);
    session.wait_for_text("conntop");
    session
}

fn wait_for_state(session: &mut Session, state: char) {
    session.wait_until(&format!("the process is {state}"), |session| session.process().0 == state);
}

#[test]
fn q_and_ctrl_c_quit() {
    for key in ["q", "\x03"] {
        let mut session = running();
        session.keys(key);
        assert_eq!(session.wait().code(), Some(0), "{key:?}");
        session.assert_restored();
    }
}

#[test]
fn every_signal_that_ends_gives_the_terminal_back() {
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1), (Signal::QUIT, 3)] {
        let mut session = running();
        session.signal(signal);
        let status = session.wait();
        assert_eq!((status.code(), status.signal()), (Some(128 + number), None));
        session.assert_restored();
    }
}

/// Only a debug build panics on request.
#[cfg(debug_assertions)]
#[test]
fn a_panic_gives_the_terminal_back_before_it_is_printed() {
    let mut command = conntop();
    command.env("CONNTOP_TEST_PANIC", "1");
    let mut session = Session::start(&command, Control::Controlling, (80, 24));
    assert_eq!(session.wait().code(), Some(101));
    session.assert_restored();
    let written = String::from_utf8_lossy(&session.bytes).into_owned();
    let (_, after) = written.rsplit_once("\x1b[?1049l").expect("the alternate screen is left");
    assert!(after.contains("a test asked for this panic"), "{after:?}");
}

#[test]
fn ctrl_z_and_a_stop_signal_give_the_terminal_back_until_continued() {
    let mut session = running();
    for round in 0..2 {
        if round == 0 {
            session.keys("\x1a");
        } else {
            session.signal(Signal::TSTP);
        }
        wait_for_state(&mut session, 'T');
        session.assert_restored();
        assert!(!session.text().contains("conntop"));

        session.signal(Signal::CONT);
        session.wait_for_text("conntop");
        assert!(session.is_on_screen());
    }
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    session.assert_restored();
}

#[test]
fn stops_sizes_and_keys_in_any_order_are_survived() {
    let mut session = running();
    for step in 0..60u16 {
        match step * 7 % 6 {
            0 => session.keys("\x1a\x1a"),
            1 => session.signal(Signal::TSTP),
            2 => session.resize(20 + step, 10 + step / 2),
            3 => session.keys("jjKs/x\x1b\x1b\x1b?\x1b"),
            _ => session.signal(Signal::CONT),
        }
        session.watch(Duration::from_millis(u64::from(step % 4) * 5));
    }
    session.resize(80, 24);
    // Keys and signals that it has not taken yet may stop it again, and who takes a terminal back throws away what was
    // typed meanwhile.
    type_until(&mut session, "", |session, _| session.is_on_screen() && session.text().contains("conntop"));
    type_until(&mut session, "\x03", |_, state| state == 'Z');
    // Typed while it was stopped, the key was a signal of the terminal's.
    let code = session.wait().code();
    assert!([Some(0), Some(130)].contains(&code), "{code:?}");
    session.assert_restored();
}

/// Types `keys` again and again until `done`, of the session and the state of the process, which always goes on.
fn type_until(session: &mut Session, keys: &str, done: impl Fn(&Session, char) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done(session, session.process().0) {
        assert!(Instant::now() < deadline, "{keys:?} does nothing:\n{}", session.text());
        match session.process().0 {
            'T' => session.signal(Signal::CONT),
            'Z' => {}
            _ => session.keys(keys),
        }
        session.watch(Duration::from_millis(200));
    }
}

#[test]
fn a_stop_that_could_not_be_announced_is_made_up_for() {
    let mut session = running();
    session.signal(Signal::STOP);
    wait_for_state(&mut session, 'T');
    session.bytes.clear();
    session.signal(Signal::CONT);
    session.wait_until("all is drawn again", |session| session.bytes.windows(4).any(|bytes| bytes == b"\x1b[2J"));
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    session.assert_restored();
}

#[test]
fn in_a_shell_it_is_silent_in_the_background_and_comes_back() {
    let mut shell = Command::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]).env("PS1", "ready> ").env("HISTFILE", "/dev/null");
    let mut session = Session::start(&shell, Control::Controlling, (80, 24));
    session.wait_for_text("ready>");
    session.keys(format!("{CONNTOP} --demo\n"));
    session.wait_until("conntop is on", Session::is_on_screen);
    session.wait_for_text("conntop");
    session.keys("\x1a");
    session.wait_for_text("Stopped");
    assert!(!session.is_on_screen());

    session.bytes.clear();
    session.keys("bg\n");
    session.wait_for_text("&");
    // Long enough for samples to come and for the look whether it is in front.
    session.watch(Duration::from_millis(1500));
    let written = String::from_utf8_lossy(&session.bytes).into_owned();
    assert!(!written.contains("\x1b[?1049h") && !written.contains("\x1b[2J"), "{written:?}");
    // The shell is usable, and what is typed is not taken by conntop.
    session.keys("echo $((20+22))\n");
    session.wait_for_text("42");

    session.keys("fg\n");
    session.wait_until("conntop is on again", Session::is_on_screen);
    session.keys("q");
    session.wait_until("conntop is off", |session| !session.is_on_screen());
    session.keys("exit\n");
    session.wait();
}

#[test]
fn any_size_and_any_change_of_size_is_survived() {
    let mut session = running();
    for step in 0..60u16 {
        session.resize(1 + step * 37 % 200, 1 + step * 13 % 60);
    }
    for (columns, rows) in [(1, 1), (2, 1), (1, 50), (500, 2), (39, 9)] {
        session.resize(columns, rows);
        session.watch(Duration::from_millis(30));
    }
    session.resize(80, 24);
    session.wait_for_text("conntop");
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    session.assert_restored();

    let mut tiny = Session::conntop(DEMO, 1, 1);
    tiny.wait_until("conntop is on", Session::is_on_screen);
    tiny.keys("q");
    assert_eq!(tiny.wait().code(), Some(0));
}

/// A hang-up with a signal, with the signal ignored (nohup), and in a terminal that sends none (setsid). "At once" is
/// told by the processor time: a program that goes on reading what is no longer there takes a whole core.
#[test]
fn without_its_terminal_it_ends_at_once_and_quietly() {
    let mut ignores_hang_up = Command::new("sh");
    ignores_hang_up.args(["-c", &format!("trap '' HUP; exec {CONNTOP} --demo")]);
    for (command, control) in
        [(conntop(), Control::Controlling), (ignores_hang_up, Control::Controlling), (conntop(), Control::Open)]
    {
        let mut session = Session::start(&command, control, (80, 24));
        session.wait_for_text("conntop");
        // Half a sequence: the reader is in the middle of something.
        session.keys("\x1b[");
        let before = session.process().1;
        let start = Instant::now();
        session.hang_up();
        // Not reaped yet: the times can still be read.
        wait_for_state(&mut session, 'Z');
        println!("{control:?}: it took {:?} to end", start.elapsed());
        let used = session.process().1.saturating_sub(before);
        assert!(used < Duration::from_millis(300), "{control:?}: {used:?}");
        assert_eq!(session.wait().code(), Some(129));
    }
}

#[test]
fn keys_come_from_the_terminal_when_standard_input_is_something_else() {
    let mut session = Session::start_without_stdin(&conntop(), Control::Controlling);
    session.wait_for_text("conntop");
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    session.assert_restored();
}

#[test]
fn without_a_terminal_for_keys_it_says_what_to_do() {
    let mut session = Session::start_without_stdin(&conntop(), Control::Open);
    assert_eq!(session.wait().code(), Some(2));
    assert!(session.text().contains("conntop list"), "{}", session.text());
    assert!(!session.is_on_screen());
}

#[test]
fn a_stuck_terminal_does_not_keep_it_from_ending() {
    let mut session = running();
    // Nobody reads what it writes: sooner or later it is stuck in a write.
    let syscall = format!("/proc/{}/syscall", session.pid().as_raw_nonzero());
    let start = Instant::now();
    while !std::fs::read_to_string(&syscall).is_ok_and(|line| line.starts_with("1 0x1 ") || line.starts_with("64 0x1 "))
    {
        assert!(start.elapsed() < DEADLINE, "the terminal takes no end of bytes");
        session.keys("\x0c");
        std::thread::sleep(Duration::from_millis(5));
    }
    session.signal(Signal::TERM);
    let start = Instant::now();
    while session.process().0 != 'Z' {
        assert!(start.elapsed() < DEADLINE, "it ends without anybody reading");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(session.wait().code(), Some(143));
}

#[test]
fn the_setuid_bit_is_refused() {
    let copy = ProgramCopy::of(CONNTOP, "conntop");
    if !rustix::process::geteuid().is_root() || is_nosuid(&copy.path) {
        skip("only root can give a file away, and a mount with nosuid ignores the bit");
        return;
    }
    std::os::unix::fs::chown(&copy.path, Some(65534), None).expect("root may");
    std::fs::set_permissions(&copy.path, PermissionsExt::from_mode(0o4755)).expect("root may");
    let output = Command::new(&copy.path).arg("list").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{said}");
    assert!(said.contains("does not run setuid"), "{said}");
}

fn is_nosuid(dir: &std::path::Path) -> bool {
    let mounted = rustix::fs::statvfs(dir).expect("it is there");
    mounted.f_flag.contains(rustix::fs::StatVfsMountFlags::NOSUID)
}

/// As in `unshare --pid --fork conntop` or `nsenter`: who is in front cannot be told from inside.
#[test]
fn keys_work_in_a_pid_namespace_of_its_own() {
    let unshare = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    let is_allowed = Command::new("unshare").args(unshare).arg("true").output().is_ok_and(|done| done.status.success());
    if !is_allowed {
        skip("`unshare --user --pid` does not work here");
        return;
    }
    let mut command = Command::new("unshare");
    command.args(unshare).args([CONNTOP, "--demo"]);
    let mut session = Session::start(&command, Control::Controlling, (80, 24));
    session.wait_for_text("conntop");
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    session.assert_restored();
}

#[test]
fn a_locale_without_utf_8_and_the_linux_console_are_drawn_in_ascii() {
    let utf_8 = "C.UTF-8";
    for (locale, term, option, is_ascii) in [
        ("C", "xterm-256color", "--bell=false", true),
        (utf_8, "xterm-256color", "--bell=false", false),
        (utf_8, "linux", "--bell=false", true),
        (utf_8, "linux", "--ascii=false", false),
    ] {
        let mut command = conntop();
        command.env("LC_ALL", locale).env("TERM", term).arg(option);
        let mut session = Session::start(&command, Control::Controlling, (80, 24));
        session.wait_for_text("LISTEN");
        session.keys("q");
        session.wait();
        assert_eq!(session.bytes().is_ascii(), is_ascii, "{locale} {term} {option}");
    }
}

#[test]
fn a_dumb_terminal_gets_the_list() {
    let mut command = conntop();
    command.env("TERM", "dumb").arg("lport:22");
    let mut session = Session::start(&command, Control::Controlling, (200, 24));
    assert_eq!(session.wait().code(), Some(0));
    let text = String::from_utf8_lossy(session.bytes()).into_owned();
    assert!(text.contains("this terminal is dumb") && text.contains("PROTO") && text.contains("sshd"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
}
