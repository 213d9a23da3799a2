//! The program as scripts run it: without a config file, without a terminal.

use assert_cmd::Command;

/// conntop, in an environment that has no config file.
pub fn conntop() -> Command {
    let mut command = Command::cargo_bin("conntop").expect("cargo builds the binary for its tests");
    command.env_remove("XDG_CONFIG_HOME").env_remove("HOME").env_remove("COLUMNS");
    command
}

/// What it said, and how it ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs it with these arguments.
#[allow(dead_code, reason = "not every test file needs it")]
pub fn run(arguments: &[&str]) -> Ended {
    ended(conntop().args(arguments))
}

/// Runs a command that was prepared.
pub fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("conntop prints UTF-8");
    Ended {
        code: output.status.code().expect("no signal ends it"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// What it complained of: not that samples take long, which they do on a busy machine where they are a tenth of a second apart.
#[allow(dead_code, reason = "not every test file needs it")]
pub fn complaints(stderr: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(stderr);
    text.lines().filter(|line| !line.contains("a sample takes ")).map(str::to_owned).collect()
}
