//! The tables of the README are made from the program's own; `CONNTOP_BLESS=1 cargo test --test cli readme` rewrites them.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use conntop::app::keymap::{SECTIONS, section};
use conntop::diagnosis::ignore::Ignore;
use conntop::diagnosis::rule::Rule;
use conntop::knowledge::habits::HABITS;
use conntop::knowledge::rules::text;
use conntop::table::connections::COLUMNS;

#[test]
fn readme_tables_are_those_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).expect("the README");
    let fresh = replace(&replace(&text, "columns", &columns()), "keys", &keys());
    let fresh = replace(&replace(&fresh, "habits", &habits()), "rules", &rules());
    if std::env::var_os("CONNTOP_BLESS").is_some() {
        fs::write(&path, fresh).expect("the README can be written");
        return;
    }
    assert!(text == fresh, "README.md is behind the program: run CONNTOP_BLESS=1 cargo test --test cli readme");
}

#[test]
fn readme_names_what_the_repository_has() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["assets/screen.png", "ARCHITECTURE.md", ".ci/test", ".ci/run", "LICENSE-MIT", "LICENSE-APACHE"] {
        assert!(root.join(file).exists(), "{file}");
    }
    let ci = fs::read_to_string(root.join(".ci/run")).expect(".ci/run");
    assert!(ci.contains("\n./.ci/test\n"), ".ci/run calls the README's test command");
}

fn replace(text: &str, name: &str, table: &str) -> String {
    let begin = format!("<!-- generated: {name} -->\n");
    let (head, rest) = text.split_once(&begin).expect("the README marks where the table goes");
    let (_, tail) = rest.split_once("<!-- end -->").expect("and where it ends");
    format!("{head}{begin}{table}<!-- end -->{tail}")
}

fn habits() -> String {
    let mut table = "| from | you type | here | to see |\n|---|---|---|---|\n".to_owned();
    for habit in HABITS.iter() {
        // A bar would end the cell.
        let typed = habit.habit.replace('|', "\\|");
        let row = format!("| {} | `{typed}` | `{}` | {} |", habit.tool, habit.conntop, habit.about);
        writeln!(table, "{row}").expect("a string takes all");
    }
    table
}

fn rules() -> String {
    let mut table = "| rule | finds |\n|---|---|\n".to_owned();
    for &rule in Rule::ALL {
        let text = text(rule.id()).expect("every rule is explained");
        writeln!(table, "| `{}` | {} |", rule.id(), text.title).expect("a string takes all");
    }
    table
}

/// The README says how to acknowledge a finding in words that are taken.
#[test]
fn readme_acknowledges_in_words_that_the_program_takes() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("the README");
    let (_, rest) = readme.split_once("--ignore '").expect("an example");
    let by_option = Ignore::parse(rest.split('\'').next().expect("quoted")).expect("understood");
    let (_, rest) = readme.split_once("```toml\n[[ignore]]\n").expect("an example");
    let by_file: Ignore = toml::from_str(rest.split("```").next().expect("a block")).expect("understood");
    assert_eq!(by_option, by_file);
}

fn columns() -> String {
    let mut table = "| column | in JSON and CSV | shows |\n|---|---|---|\n".to_owned();
    for column in COLUMNS {
        let json = if column.in_json { format!("`{}`", column.json) } else { "only when asked for".to_owned() };
        writeln!(table, "| `{}` | {json} | {} |", column.key, column.about).expect("a string takes all");
    }
    table
}

fn keys() -> String {
    let mut table = "| where | keys | what |\n|---|---|---|\n".to_owned();
    for (index, (title, _)) in SECTIONS.iter().enumerate() {
        for binding in section(index) {
            let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{key}`")).collect();
            writeln!(table, "| {title} | {} | {} |", keys.join(" "), binding.help).expect("a string takes all");
        }
    }
    table
}
