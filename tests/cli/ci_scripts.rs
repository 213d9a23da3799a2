//! `.ci/skips` and what it reads: a test that does not run is seen, and fails where it is not allowed to.

#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Output};

use crate::skip::{skip, this_test};

const REPORT: &str = "running 2 tests
..SKIPPED shells::fish: fish is missing
SKIPPED locks::wide: `unshare -n` does not work here
test result: ok.
";

/// Runs `.ci/skips` on `REPORT` with `list` as the list of what is allowed.
fn skips(list: &str) -> Output {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writable");
        path
    };
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.ci/skips"))
        .args([file("report", REPORT), file("list", list)])
        .output()
        .expect("bash is there")
}

#[test]
fn a_skip_that_is_not_on_the_list_fails_and_is_named() {
    let known = "# a reason\nshells::fish: fish is\n\nlocks::wide: `unshare -n` does not work here\n";
    assert_eq!(skips(known).status.code(), Some(0));
    for list in ["# locks::wide: a comment allows nothing\nshells::fish: fish is\n", "shells::fish: fish is\nlocks: \n"]
    {
        let output = skips(list);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
        assert!(said.ends_with(": locks::wide: `unshare -n` does not work here\n"), "{said}");
    }
    assert_eq!(skips("").status.code(), Some(1));
}

#[test]
fn a_skip_is_seen_although_libtest_keeps_what_passing_tests_print() {
    const AGAIN: &str = "CONNTOP_TEST_SKIPS";
    if std::env::var_os(AGAIN).is_some() {
        skip("a reason\n  of two lines");
        return;
    }
    let test = this_test();
    let this = std::env::current_exe().expect("a test knows its program");
    let output = Command::new(this).args(["--exact", &test]).env(AGAIN, "1").output().expect("it runs already");
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(said, format!("SKIPPED {test}: a reason of two lines\n"));
}

/// Else a test could be skipped in words that `.ci/skips` does not read.
#[test]
fn one_function_alone_says_that_a_test_is_skipped() {
    fn walk(folder: &Path, places: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                walk(&path, places);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file is text");
                let file = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("below the root");
                places.extend(text.contains("\"SKIPPED").then(|| file.display().to_string()));
            }
        }
    }
    let mut places = Vec::new();
    for folder in ["src", "tests"] {
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut places);
    }
    places.sort_unstable();
    assert_eq!(places, ["tests/cli/ci_scripts.rs", "tests/common/skip.rs"]);
}

#[test]
fn whatever_may_be_skipped_is_a_test() {
    let list = include_str!("../skips.txt");
    let allowed: Vec<&str> = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    for line in &allowed {
        let (test, reason) = line.split_once(": ").expect("a test and a reason");
        assert!(!reason.is_empty(), "{line}");
        let (module, function) = test.rsplit_once("::").expect("a module and a test");
        let file = module.replace("::", "/") + ".rs";
        let sources = ["act", "cli", "live", "pty", "recorded", "scenarios", "screens"]
            .map(|binary| format!("{}/tests/{binary}/{file}", env!("CARGO_MANIFEST_DIR")));
        let code: String = sources.iter().filter_map(|path| std::fs::read_to_string(path).ok()).collect();
        assert!(code.contains(&format!("fn {function}(")), "there is no test {test}");
    }
}
