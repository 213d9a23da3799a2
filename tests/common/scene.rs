//! A network namespace in which a Python program holds sockets.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::netns::Netns;
use crate::skip::skip;

/// The namespace and the program; both go with the value.
pub struct Scene {
    pub netns: Netns,
    program: Child,
}

impl Scene {
    /// A new namespace, made ready by `prepare`, in which `program` has printed `ready`. `None` where one of `tools` or the
    /// right to make a namespace is missing, which is said.
    pub fn new(tools: &[&str], prepare: impl FnOnce(&Netns), program: &str) -> Option<Self> {
        if let Some(missing) = tools.iter().find(|tool| Command::new(tool).arg("-V").output().is_err()) {
            skip(&format!("{missing} is missing"));
            return None;
        }
        let netns = Netns::new()?;
        prepare(&netns);
        let inside = ["netns", "exec", &netns.name, "python3", "-c", program];
        let mut program = Command::new("ip").args(inside).stdout(Stdio::piped()).spawn().expect("ip(8) exists");
        let mut line = String::new();
        BufReader::new(program.stdout.take().expect("piped")).read_line(&mut line).expect("python3 says something");
        let scene = Self { netns, program };
        assert_eq!(line.trim(), "ready");
        Some(scene)
    }

    /// What the command `words`, run inside, prints.
    pub fn run(&self, words: &[&str]) -> String {
        let mut command = Command::new("ip");
        let output = command.args(["netns", "exec", &self.netns.name]).args(words).output().expect("ip(8) exists");
        String::from_utf8(output.stdout).expect("text")
    }

    /// What conntop, run inside, prints.
    pub fn conntop(&self, words: &[&str]) -> String {
        self.run(&[&[env!("CARGO_BIN_EXE_conntop")], words].concat())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
