//! `W` on a terminal: what was changed is written to the file that `--config` names, and the next start has it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::session::{Control, Session};

const CONNTOP: &str = env!("CARGO_BIN_EXE_conntop");
/// For so long a question has to be on the screen before it is answered.
const READ: Duration = Duration::from_millis(400);

fn demo(config: &Path) -> Session {
    let mut command = Command::new(CONNTOP);
    command.args(["--demo", "--config"]).arg(config);
    Session::start(&command, Control::Controlling, (100, 30))
}

#[test]
fn what_the_screen_saves_is_there_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("ours");
    let config = folder.path().join("mine.toml");
    fs::write(&config, "# mine\ninterval = 1\n").expect("ours");
    let mut session = demo(&config);
    session.wait_for_text("jdbc-pool");
    session.keys("+W");
    session.wait_for_text("+ interval = 2");
    sleep(READ);
    session.keys("y");
    session.wait_for_text("saved to");
    session.keys("W");
    session.wait_for_text("nothing was changed");
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    assert_eq!(fs::read_to_string(&config).expect("there"), "# mine\ninterval = 2\n");
    let mut session = demo(&config);
    session.wait_for_text("jdbc-pool");
    session.keys("-W");
    session.wait_for_text("- interval = 2");
    session.keys("n");
    session.wait_until("the question is closed", |session| !session.text().contains("Save to"));
    session.keys("q");
    assert_eq!(session.wait().code(), Some(0));
    assert_eq!(fs::read_to_string(&config).expect("there"), "# mine\ninterval = 2\n", "a no writes nothing");
}
