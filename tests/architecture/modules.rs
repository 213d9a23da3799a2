//! What the tests of the plan read out of `src`: the modules, the paths that each of them names, and the types that each defines.
//!
//! It reads tokens, not lines: comments, literals and test code are gone, and `use crate::{a, b::{c, d}}` is three paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module of `src` without its tests.
pub struct Module {
    /// Its path below the crate's root (`table::filter::lexer`).
    pub name: String,
    pub file: PathBuf,
    tokens: Vec<String>,
}

impl Module {
    /// The first part of its path: the room.
    pub fn room(&self) -> &str {
        self.name.split("::").next().unwrap_or_default()
    }

    /// Every path that the module names from the crate's root, from itself, or from the module above it, in full.
    pub fn paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            // `impl Trait + use<'a>` is no import.
            if self.tokens[at] == "use" && self.token(at + 1) != "<" {
                at = import(&self.tokens, at + 1, &[], &mut paths);
            } else if is_name(&self.tokens[at]) {
                let mut path = vec![self.tokens[at].clone()];
                while self.token(at + 1) == "::" && is_name(self.token(at + 2)) {
                    path.push(self.tokens[at + 2].clone());
                    at += 2;
                }
                if path.len() > 1 {
                    paths.push(path);
                }
                at += 1;
            } else {
                at += 1;
            }
        }
        paths.iter().map(|path| self.resolve(path)).collect()
    }

    fn token(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", String::as_str)
    }

    /// The path with `crate`, `self` and `super` resolved. A path that begins with a name begins in this module: one of its children, or a foreign crate,
    /// which is no module and is left out later.
    fn resolve(&self, path: &[String]) -> Vec<String> {
        let mut base: Vec<String> = self.name.split("::").map(str::to_owned).collect();
        if path[0] == "crate" {
            return path[1..].to_vec();
        }
        let mut rest = path;
        while let [first, after @ ..] = rest {
            match first.as_str() {
                "self" => rest = after,
                "super" => {
                    base.pop();
                    rest = after;
                }
                _ => break,
            }
        }
        base.extend_from_slice(rest);
        base
    }

    /// The names of the types and traits that the module defines: associated types are none.
    pub fn types(&self) -> Vec<String> {
        let mut types = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            match self.tokens[at].as_str() {
                // `impl Trait for Type { type Item = …; }`; an `impl Trait` in a signature follows other tokens than an item does.
                "impl" if at == 0 || ["}", ";", "]", "{", "unsafe"].contains(&self.token(at - 1)) => {
                    at = end_of_item(&self.tokens, at);
                    continue;
                }
                "trait" if is_name(self.token(at + 1)) => {
                    types.push(self.tokens[at + 1].clone());
                    at = end_of_item(&self.tokens, at);
                    continue;
                }
                "struct" | "enum" | "type" | "union" if starts_with_a_capital(self.token(at + 1)) => {
                    types.push(self.tokens[at + 1].clone());
                }
                _ => {}
            }
            at += 1;
        }
        types
    }
}

/// All modules of `src`, test code left out.
pub fn modules() -> Vec<Module> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    let mut modules = Vec::new();
    for file in files {
        let below = file.strip_prefix(&root).expect("below src").with_extension("");
        let parts: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let is_test = parts.iter().any(|part| part == "tests");
        if is_test || ["main", "lib"].contains(&parts[0].as_str()) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file is text");
        modules.push(Module { name: parts.join("::"), file, tokens: without_tests(&tokens(&text)) });
    }
    modules
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Which module uses which others of its own room. A parent and its own child may name each other.
pub fn uses(modules: &[Module]) -> BTreeMap<&str, BTreeSet<&str>> {
    let names: BTreeSet<&str> = modules.iter().map(|module| module.name.as_str()).collect();
    let mut used_by_name = BTreeMap::new();
    for module in modules {
        let used: BTreeSet<&str> = module
            .paths()
            .iter()
            .filter_map(|path| {
                let longest = (1..=path.len()).rev().map(|length| path[..length].join("::"));
                longest.into_iter().find_map(|name| names.get(name.as_str()).copied())
            })
            .filter(|used| used.split("::").next() == Some(module.room()))
            .filter(|used| *used != module.name && parent(used) != module.name && parent(&module.name) != *used)
            .collect();
        used_by_name.insert(module.name.as_str(), used);
    }
    used_by_name
}

fn parent(name: &str) -> &str {
    name.rsplit_once("::").map_or("", |(parent, _)| parent)
}

/// The circles: sets of modules of which each reaches every other one.
pub fn circles<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<BTreeSet<&'a str>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = uses.keys().map(|from| (*from, reachable(from, uses))).collect();
    let circle_of = |name: &'a str| -> BTreeSet<&'a str> {
        reached[name].iter().copied().filter(|other| reached[other].contains(name)).collect()
    };
    uses.keys().map(|name| circle_of(name)).filter(|circle| circle.len() > 1).collect()
}

fn reachable<'a>(from: &str, uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = uses[from].iter().copied().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(&uses[next]);
        }
    }
    reached
}

/// Reads the tree of an import from `at`, adds its paths below `base`, and returns where it ends.
fn import(tokens: &[String], mut at: usize, base: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let mut path = base.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = import(tokens, at, &path, paths);
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            "as" => at += 2,
            "," | "}" | ";" => break,
            name => {
                if is_name(name) {
                    path.push(name.to_owned());
                }
                at += 1;
            }
        }
    }
    if !path.is_empty() {
        paths.push(path);
    }
    at
}

/// The tokens without the items that stand below `#[cfg(test)]`.
fn without_tests(tokens: &[String]) -> Vec<String> {
    const MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at..].iter().map(String::as_str).take(MARK.len()).eq(MARK) {
            at += MARK.len();
            while tokens.get(at).is_some_and(|token| token == "#") {
                at = end_of_group(tokens, at + 1);
            }
            at = end_of_item(tokens, at);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Behind the item that begins at `at`: its semicolon or its closing brace. A field ends at its comma or at the brace around it.
fn end_of_item(tokens: &[String], mut at: usize) -> usize {
    let is_field = tokens.get(at + 1).is_some_and(|token| token == ":");
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            ";" => return at + 1,
            "," if is_field => return at + 1,
            "{" => return end_of_group(tokens, at),
            "(" | "[" => at = end_of_group(tokens, at),
            ")" | "]" | "}" => return at,
            _ => at += 1,
        }
    }
    at
}

/// Behind the bracket that closes the one at `at`.
fn end_of_group(tokens: &[String], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn starts_with_a_capital(token: &str) -> bool {
    token.starts_with(char::is_uppercase)
}

/// The names and signs of a source text: comments, strings, characters and lifetimes are left out, `::` is one sign.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        match rest {
            ['/', '/', ..] => at += rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => at += 2 + find(&rest[2..], &['*', '/']),
            ['b' | 'c', 'r', '"' | '#', ..] => at += 1 + raw_string(&rest[1..]),
            ['r', '"', ..] | ['r', '#', '"' | '#', ..] => at += raw_string(rest),
            ['"', ..] => at += string(rest, '"'),
            ['\'', '\\', ..] | ['\'', _, '\'', ..] => at += string(rest, '\''),
            [':', ':', ..] => {
                tokens.push("::".to_owned());
                at += 2;
            }
            [c, ..] if c.is_alphanumeric() || *c == '_' => {
                let word: String = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
                at += word.chars().count();
                tokens.push(word);
            }
            [c, ..] => {
                if !c.is_whitespace() {
                    tokens.push(c.to_string());
                }
                at += 1;
            }
            [] => break,
        }
    }
    tokens
}

/// Length of the literal that opens with `quote`.
fn string(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Length of a raw string: `r`, some `#`, and a quote; it ends at a quote and as many `#`.
fn raw_string(rest: &[char]) -> usize {
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    let mut end = vec!['"'];
    end.extend(std::iter::repeat_n('#', hashes));
    let body = hashes + 2;
    body.min(rest.len()) + find(rest.get(body..).unwrap_or_default(), &end)
}

/// Length up to and with the first `end`.
fn find(rest: &[char], end: &[char]) -> usize {
    rest.windows(end.len()).position(|window| window == end).map_or(rest.len(), |at| at + end.len())
}

#[test]
fn a_list_of_imports_is_read_as_its_paths() {
    let text = "use crate::{a, b::{self, C as D}}; /* use crate::no; */ fn f() -> &'static str { super::x::y(); \"use crate::not;\" }\n\
                #[cfg(test)]\n#[rustfmt::skip]\nmod tests { use crate::tests_only; }\nimpl I for T { type Item = u8; }\nstruct Last;";
    let module = Module { name: "room::file".to_owned(), file: PathBuf::new(), tokens: without_tests(&tokens(text)) };
    let paths: Vec<String> = module.paths().iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["a", "b::self", "b::C", "room::x::y"]);
    assert_eq!(module.types(), ["Last"]);
}

#[test]
fn a_circle_is_found_and_a_parent_with_its_child_is_none() {
    let module = |name: &str, text: &str| Module {
        name: name.to_owned(),
        file: PathBuf::new(),
        tokens: without_tests(&tokens(text)),
    };
    let modules = [
        module("room", "mod a; mod b; use a::A;"),
        module("room::a", "use super::b::B; use crate::room::C;"),
        module("room::b", "fn f() { crate::room::a::g() }"),
        module("room::c", "use super::a;"),
    ];
    assert_eq!(circles(&uses(&modules)), BTreeSet::from([BTreeSet::from(["room::a", "room::b"])]));
}
