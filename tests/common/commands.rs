//! The commands that conntop has, by its own word: a test over all of them takes a new one in by itself.

use std::process::Command;

/// The names of all commands, as `conntop -h` lists them.
pub fn commands() -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_conntop")).arg("-h").env("COLUMNS", "80").output().expect("it runs");
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let (_, list) = help.split_once("Commands:\n").expect("a list of commands");
    // The rest of a long sentence is indented further.
    let lines = list.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    let names: Vec<String> = lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(names.len() >= 12 && names.iter().any(|name| name == "list"), "{names:?}");
    names
}
