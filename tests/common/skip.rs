//! How a test says that it, or a part of it, does not run here.

use std::io::Write;

/// The name of the calling test with its modules, as `--exact` takes it: libtest gives it to the thread of the test.
pub fn this_test() -> String {
    let thread = std::thread::current();
    let name = thread.name().expect("libtest names the threads of tests");
    assert_ne!(name, "main", "the test must run on a thread of its own, which has its name");
    name.to_owned()
}

/// Prints one line, `SKIPPED test: reason`. `.ci/test` fails where the line is not in `tests/skips.txt`.
///
/// It is written past libtest, which shows what a test prints only if the test fails.
pub fn skip(reason: &str) {
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = format!("SKIPPED {}: {reason}\n", this_test());
    let _ = std::io::stderr().write_all(line.as_bytes());
}
