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
        let (mut paths, mut imports) = (Vec::new(), Vec::new());
        let mut at = 0;
        while at < self.tokens.len() {
            // `impl Trait + use<'a>` is no import.
            if self.tokens[at] == "use" && self.token(at + 1) != "<" {
                at = import(&self.tokens, at + 1, &[], &mut imports);
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
        paths.extend(imports.into_iter().map(|import| import.path));
        paths.iter().map(|path| self.resolve(path)).collect()
    }

    /// What the module makes others find under its own name (`pub use`): that path, and the path of the thing itself.
    fn re_exports(&self) -> Vec<(Vec<String>, Vec<String>)> {
        let mut imports = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let behind_pub = if self.token(at + 1) == "(" { end_of_group(&self.tokens, at + 1) } else { at + 1 };
            at = if self.tokens[at] == "pub" && self.token(behind_pub) == "use" {
                import(&self.tokens, behind_pub + 1, &[], &mut imports)
            } else {
                at + 1
            };
        }
        let under = |name: String| self.name.split("::").map(str::to_owned).chain([name]).collect();
        imports.into_iter().map(|import| (under(import.name), self.resolve(&import.path))).collect()
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

pub fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The paths that others find under the name of a module that re-exports them, each with the path of the thing itself.
pub struct ReExports(BTreeMap<Vec<String>, Vec<String>>);

impl ReExports {
    /// Those of all modules.
    pub fn of(modules: &[Module]) -> Self {
        Self(modules.iter().flat_map(Module::re_exports).collect())
    }

    /// `path`, and the paths to which re-exports lead from it: who names a thing under another name depends on both places.
    pub fn follow(&self, path: Vec<String>) -> Vec<Vec<String>> {
        let mut followed = vec![path];
        while let Some(next) = followed.last().and_then(|path| self.next(path)) {
            if followed.contains(&next) {
                break;
            }
            followed.push(next);
        }
        followed
    }

    fn next(&self, path: &[String]) -> Option<Vec<String>> {
        let mut longest_first = (1..=path.len()).rev();
        longest_first.find_map(|len| {
            let target = self.0.get(&path[..len])?;
            // A module and a function in it may have one name: `a::panes::panes` is not re-exported once more.
            (!path.starts_with(target)).then(|| [target, &path[len..]].concat())
        })
    }
}

/// Which module uses which others of its own room. A parent and its own child may name each other.
pub fn uses(modules: &[Module]) -> BTreeMap<&str, BTreeSet<&str>> {
    let names: BTreeSet<&str> = modules.iter().map(|module| module.name.as_str()).collect();
    let re_exports = ReExports::of(modules);
    let mut used_by_name = BTreeMap::new();
    for module in modules {
        let used: BTreeSet<&str> = module
            .paths()
            .into_iter()
            .flat_map(|path| re_exports.follow(path))
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

/// One path of an import.
struct Import {
    path: Vec<String>,
    /// What it is called where it is imported.
    name: String,
}

/// Reads the tree of an import from `at`, adds its paths below `base`, and returns where it ends.
fn import(tokens: &[String], mut at: usize, base: &[String], imports: &mut Vec<Import>) -> usize {
    let (mut path, mut name) = (base.to_vec(), None);
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = import(tokens, at, &path, imports);
                    at += usize::from(tokens.get(at).is_some_and(|token| token == ","));
                }
                return at + 1;
            }
            "as" => {
                name = tokens.get(at + 1).cloned();
                at += 2;
            }
            "," | "}" | ";" => break,
            part => {
                if is_name(part) {
                    path.push(part.to_owned());
                }
                at += 1;
            }
        }
    }
    // `a::b::{self}` imports `b`.
    if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
        path.pop();
    }
    if let Some(last) = path.last() {
        let name = name.unwrap_or_else(|| last.clone());
        imports.push(Import { path, name });
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
    let module = module("room::file", text);
    let paths: Vec<String> = module.paths().iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["room::x::y", "a", "b", "b::C"]);
    assert_eq!(module.types(), ["Last"]);
}

#[cfg(test)]
fn module(name: &str, text: &str) -> Module {
    Module { name: name.to_owned(), file: PathBuf::new(), tokens: without_tests(&tokens(text)) }
}

#[test]
fn every_kind_of_type_has_a_name_that_counts() {
    let text = "pub struct S<T>(T); enum E { A } pub(crate) type Alias = u8; union U { a: u8 } pub trait Tr { type Associated; fn f(); }\n\
                unsafe impl Tr for S<u8> { type Associated = u8; } macro_rules! m { () => {} } fn f() { struct Local; }";
    assert_eq!(module("room::file", text).types(), ["S", "E", "Alias", "U", "Tr", "Local"]);
}

#[test]
fn a_circle_through_a_re_export_is_found_and_the_room_of_the_thing_counts() {
    let modules = [
        module("room", ""),
        module("room::list", "pub(crate) use self::entry::{Row as Line, Other}; mod entry;"),
        module("room::list::entry", "use crate::room::user::Width; pub struct Row;"),
        module("room::user", "use crate::room::list::Line;"),
        module("other", "pub use crate::room::list::Line;"),
    ];
    let circle = BTreeSet::from([BTreeSet::from(["room::list::entry", "room::user"])]);
    assert_eq!(circles(&uses(&modules)), circle, "neither of them names the other");
    let path = |text: &str| text.split("::").map(str::to_owned).collect::<Vec<_>>();
    let followed = ReExports::of(&modules).follow(path("other::Line::new"));
    assert_eq!(followed, ["other::Line::new", "room::list::Line::new", "room::list::entry::Row::new"].map(path));
}

#[test]
fn a_circle_is_found_and_a_parent_with_its_child_is_none() {
    let modules = [
        module("room", "mod a; mod b; use a::A;"),
        module("room::a", "use super::b::B; use crate::room::C;"),
        module("room::b", "fn f() { crate::room::a::g() }"),
        module("room::c", "use super::a;"),
    ];
    assert_eq!(circles(&uses(&modules)), BTreeSet::from([BTreeSet::from(["room::a", "room::b"])]));
}
