//! The house keeps its plan: imports point down and in no circle, a type name stands once, every file says what it is for,
//! and clocks stay in their rooms.

#[path = "architecture/exceptions.rs"]
mod exceptions;
#[path = "architecture/modules.rs"]
mod modules;
#[path = "architecture/words.rs"]
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use exceptions::DOUBLE_NAMES;

/// Room, and the rooms it may import (DESIGN: "The rooms, and which way imports point"; ARCHITECTURE.md).
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("source", &["model"]),
    ("tracker", &["model"]),
    ("streams", &["model", "source", "tracker"]),
    ("store", &["model"]),
    ("knowledge", &["model"]),
    ("host", &["model", "source"]),
    ("dns", &["model"]),
    ("diagnosis", &["model", "store", "knowledge"]),
    ("table", &["model", "store", "knowledge"]),
    ("report", &["model", "store", "table", "diagnosis", "knowledge"]),
    ("app", &["model", "store", "table", "diagnosis", "knowledge"]),
    ("ui", &["model", "store", "table", "diagnosis", "knowledge", "app"]),
    (
        "runtime",
        &["model", "source", "tracker", "store", "knowledge", "host", "dns", "diagnosis", "table", "app", "ui"],
    ),
    (
        "cli",
        &[
            "model",
            "source",
            "tracker",
            "streams",
            "store",
            "knowledge",
            "host",
            "dns",
            "diagnosis",
            "table",
            "report",
            "app",
            "ui",
            "runtime",
        ],
    ),
];

/// Rooms in which time is data.
const CLOCKLESS: &[&str] = &["model", "tracker", "store", "knowledge", "diagnosis", "table", "report", "app", "ui"];

fn files() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let room_of = |path: &Path| {
        let first = path.strip_prefix(&root).expect("below src").components().next().expect("a name");
        first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
    };
    rust_files(&["src"]).into_iter().map(|path| (room_of(&path), path)).collect()
}

/// The lines of a file that are neither comments nor tests, which may reach across rooms; others are left empty.
fn code(path: &Path) -> String {
    let inside = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("below the repository");
    if inside.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs") {
        return String::new();
    }
    let text = fs::read_to_string(path).expect("a source file is text");
    let end = text.find("#[cfg(test)]\nmod test").unwrap_or(text.len());
    text[..end]
        .lines()
        .map(|line| if line.trim_start().starts_with("//") { "\n".to_owned() } else { format!("{line}\n") })
        .collect()
}

#[test]
fn imports_point_down() {
    let modules = modules::modules();
    let re_exports = modules::ReExports::of(&modules);
    for module in &modules {
        let room = module.room();
        let (_, allowed) =
            ROOMS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("the plan has no room {room}"));
        for path in module.paths().into_iter().flat_map(|path| re_exports.follow(path)) {
            let used = path[0].as_str();
            let fine = used == room || allowed.contains(&used) || !ROOMS.iter().any(|(name, _)| *name == used);
            assert!(fine, "{}: {room} may not import {}", module.file.display(), path.join("::"));
        }
    }
}

#[test]
fn files_of_a_room_use_each_other_in_no_circle() {
    let modules = modules::modules();
    let uses = modules::uses(&modules);
    let circles = modules::circles(&uses);
    if let Some(circle) = circles.first() {
        let edges: Vec<String> = circle
            .iter()
            .map(|file| {
                format!("  {file} -> {}", uses[file].intersection(circle).copied().collect::<Vec<_>>().join(" "))
            })
            .collect();
        panic!(
            "these files use each other in a circle:\n{}\nMove what both sides need into a file of its own below them, or hand it in.",
            edges.join("\n")
        );
    }
}

#[test]
fn a_type_name_stands_once_in_the_project() {
    let modules = modules::modules();
    let mut places: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for module in &modules {
        for name in module.types() {
            places.entry(name).or_default().insert(&module.name);
        }
    }
    places.retain(|_, modules| modules.len() > 1);
    let double: Vec<String> = places
        .iter()
        .filter(|(name, _)| !DOUBLE_NAMES.iter().any(|(known, _)| known == name))
        .map(|(name, modules)| format!("  {name}: {}", modules.iter().copied().collect::<Vec<_>>().join(" ")))
        .collect();
    assert!(
        double.is_empty(),
        "these type names are defined more than once:\n{}\nName the newer one after what it is of (Entry -> DnsCacheEntry).",
        double.join("\n")
    );
    let settled: Vec<_> = DOUBLE_NAMES.iter().filter(|(name, _)| !places.contains_key(*name)).collect();
    assert!(
        settled.is_empty(),
        "{settled:?} stand only once now: take them out of DOUBLE_NAMES (tests/architecture/exceptions.rs)"
    );
}

#[test]
fn every_file_says_what_it_is_for() {
    for (_, path) in files() {
        let text = fs::read_to_string(&path).expect("a source file is text");
        assert!(text.starts_with("//! "), "{} does not open with //!", path.display());
        assert!(!text.contains("(skeleton)"), "{} is a skeleton", path.display());
    }
}

#[test]
fn time_is_data_outside_of_sources_and_runtime() {
    for (room, path) in files().into_iter().filter(|(room, _)| CLOCKLESS.contains(&room.as_str())) {
        let code = code(&path);
        for clock in ["Instant::now", "SystemTime::now", "clock_gettime", "Zoned::now", "Timestamp::now"] {
            assert!(!code.contains(clock), "{}: {room} reads a clock ({clock})", path.display());
        }
    }
}

/// Every Rust file below these folders of the repository.
fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in folders {
        modules::walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    files
}

/// The table of hazards in ARCHITECTURE.md names the tests that hold each rule: they must be there.
#[test]
fn every_hazard_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code: String = rust_files(&["src", "tests"])
        .iter()
        .map(|file| fs::read_to_string(file).expect("a source file is text"))
        .collect();
    let plan = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the plan");
    let (_, table) = plan.split_once("## Hazards").expect("it has a table of hazards");
    let rows: Vec<&str> =
        table.lines().skip_while(|line| !line.starts_with("| 1 ")).take_while(|line| line.starts_with("| ")).collect();
    assert!(rows.len() >= 23, "{} hazards", rows.len());
    for row in rows {
        let tests = row.rsplit('|').nth(1).expect("a last cell");
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        for name in names {
            assert!(code.contains(&format!("fn {name}(")), "there is no test {name}, which the table of hazards names");
        }
    }
}

/// Every file that ARCHITECTURE.md names is there, by its whole path below the repository, `src`, or a room's own part of it.
#[test]
fn files_that_the_plan_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let plan = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the plan");
    let files = rust_files(&["src", "tests", "benches"]);
    let is_file = |name: &str| files.iter().any(|file| file.ends_with(name)) || root.join(name).exists();
    let named: Vec<&str> = plan
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "rs"))
        .collect();
    let missing: Vec<&&str> = named.iter().filter(|name| !is_file(name)).collect();
    assert!(named.len() > 60, "the plan names files: {named:?}");
    assert_eq!(missing, Vec::<&&str>::new(), "the plan names files that are gone");
}
