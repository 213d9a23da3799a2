//! `conntop man`: every command has a page with every section, and groff has nothing to say against it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::commands::commands;
use crate::program;
use crate::program::run;
use crate::skip::skip;

const SECTIONS: [&str; 9] =
    ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"];

/// The page of the program, which has no name of a command, or of a command.
fn page(command: &str) -> String {
    let words: Vec<&str> = ["man", command].into_iter().filter(|word| !word.is_empty()).collect();
    let ended = run(&words);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{command}");
    ended.stdout
}

/// conntop(1) and all others: the name of the command and the page.
fn pages() -> Vec<(String, String)> {
    std::iter::once(String::new()).chain(commands()).map(|name| (name.clone(), page(&name))).collect()
}

fn section<'p>(page: &'p str, title: &str) -> &'p str {
    let quoted = if title.contains(' ') { format!("\"{title}\"") } else { title.to_owned() };
    let (_, rest) = page.split_once(&format!(".SH {quoted}\n")).unwrap_or_else(|| panic!("no {title}: {page}"));
    rest.split("\n.SH ").next().expect("a first part")
}

#[test]
fn every_page_has_every_section() {
    for (name, page) in pages() {
        for title in SECTIONS {
            assert!(section(&page, title).len() > 10, "{name}: {title} says nothing");
        }
        let see = section(&page, "SEE ALSO").replace("\\-", "-");
        assert!(see.contains("ss(8)"), "{name}: {see}");
        for other in commands().iter().filter(|other| **other != name) {
            assert!(see.contains(&format!("conntop-{other}(1)")), "{name}: {see}");
        }
        assert!(section(&page, "ENVIRONMENT").contains("NO_COLOR") && section(&page, "FILES").contains("config.toml"));
    }
    assert!(section(&page("check"), "EXIT STATUS").contains("Could not look"));
    assert!(section(&page("ports"), "EXIT STATUS").contains("fail\\-on"));
}

/// What `--help` has, the page has: each option, by its long or its short name.
#[test]
fn every_option_is_in_a_page() {
    let program = page("").replace("\\-", "-");
    for (name, page) in pages() {
        let words: Vec<&str> = [name.as_str(), "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let help = run(&words).stdout;
        let options = help.lines().map(str::trim_start).filter(|line| line.starts_with('-') && !line.starts_with("- "));
        let all = page.replace("\\-", "-") + &program;
        let mut count = 0;
        for option in options {
            let option = option.split([' ', ',', '=', '[']).next().expect("a word");
            assert!(all.contains(&format!("\\fB{option}\\fR")), "{name} {option}");
            count += 1;
        }
        assert!(count > 10, "{help}");
    }
}

#[test]
fn a_page_stays_as_it_is() {
    // The last section names all others.
    let page = page("columns").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!("columns", page.split(".SH \"SEE ALSO\"").next().expect("a first part"));
}

#[test]
fn groff_has_no_warnings() {
    if Command::new("groff").arg("--version").output().is_err() {
        skip("groff is not installed, the pages are not checked");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    for (name, page) in pages() {
        let file = folder.path().join("page.1");
        fs::write(&file, page).expect("writable");
        let output = Command::new("groff").args(["-man", "-Tutf8", "-ww"]).arg(&file).output().expect("it is there");
        let said = String::from_utf8_lossy(&output.stderr);
        // groff without its devices cannot draw, which says nothing about the page.
        if said.contains("can't find") || said.contains("cannot") {
            skip(&format!("this groff is not complete: {said}"));
            return;
        }
        assert!(output.status.success() && said.is_empty(), "conntop-{name}.1: {said}");
        assert!(output.stdout.len() > 500, "conntop-{name}.1");
    }
}

fn written(dir: &Path) -> program::Ended {
    run(&["man", "--dir", dir.to_str().expect("UTF-8")])
}

#[test]
fn all_pages_are_written_and_only_our_own_are_replaced() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let dir = folder.path();
    for _ in 0..2 {
        let ended = written(dir);
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.lines().count()), (0, "", 1), "{}", ended.stderr);
        let mut names: Vec<_> =
            fs::read_dir(dir).expect("it is there").map(|entry| entry.expect("readable").file_name()).collect();
        names.sort();
        let expected = commands().into_iter().map(|name| format!("conntop-{name}.1")).chain(["conntop.1".to_owned()]);
        let mut expected: Vec<_> = expected.map(std::ffi::OsString::from).collect();
        expected.sort();
        assert_eq!(names, expected);
    }
    assert_eq!(fs::read_to_string(dir.join("conntop-list.1")).expect("written"), page("list"));
    fs::write(dir.join("conntop-list.1"), ".TH MINE 1\n").expect("writable");
    fs::remove_file(dir.join("conntop.1")).expect("it was written");
    let ended = written(dir);
    assert_eq!((ended.code, ended.stderr.lines().count()), (1, 1), "{}", ended.stderr);
    assert!(ended.stderr.contains("conntop-list.1 is not made by conntop"), "{}", ended.stderr);
    assert_eq!(fs::read_to_string(dir.join("conntop-list.1")).expect("left alone"), ".TH MINE 1\n");
    assert!(!dir.join("conntop.1").exists(), "nothing is written unless all can be");
}

#[cfg(unix)]
#[test]
fn a_link_is_not_written_through() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let other = folder.path().join("other");
    fs::write(&other, page("")).expect("writable");
    std::os::unix::fs::symlink(&other, folder.path().join("conntop.1")).expect("a link");
    assert_eq!(written(folder.path()).code, 1);
    assert_eq!(fs::read_to_string(&other).expect("it is there"), page(""));
}

#[test]
fn what_cannot_be_is_one_sentence() {
    for (arguments, code, part) in [
        (&["man", "lst"][..], 2, "did you mean 'list'?"),
        (&["man", "elephant"], 2, "conntop -h lists the commands"),
        (&["man", "--dir", "/nonexistent/man1"], 1, "mkdir -p /nonexistent/man1"),
        (&["man", "--dir", "/dev/null"], 1, "there is no folder /dev/null"),
        (&["man", "list", "--dir", "/tmp"], 2, "cannot be used with"),
    ] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(part) && ended.stderr.lines().count() == 1, "{arguments:?}: {}", ended.stderr);
    }
}
