//! The tables of README.md and docs/ are made from the program's own; `CONNTOP_BLESS=1 cargo test --test cli readme` rewrites them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use conntop::app::binding::Binding;
use conntop::app::keymap::{SECTIONS, section};
use conntop::diagnosis::ignore::Ignore;
use conntop::diagnosis::rule::Rule;
use conntop::knowledge::habits::{HABITS, Habit};
use conntop::knowledge::rules::text;
use conntop::report::metrics::catalog::{METRICS, MetricRow};
use conntop::table::connections::COLUMNS;
use conntop::ui::theme::role::ROLES;
use conntop::ui::theme::{Role, Theme, built_in};

/// A text in a page that is made from a table of the program.
struct GeneratedText {
    file: &'static str,
    /// What the comment in front of the text calls it.
    name: &'static str,
    text: fn() -> String,
}

const GENERATED: &[GeneratedText] = &[
    GeneratedText { file: "README.md", name: "first-keys", text: first_keys },
    GeneratedText { file: "README.md", name: "first-columns", text: first_columns },
    GeneratedText { file: "README.md", name: "first-habits", text: first_habits },
    GeneratedText { file: "docs/columns.md", name: "columns", text: columns },
    GeneratedText { file: "docs/keys.md", name: "keys", text: keys },
    GeneratedText { file: "docs/from-other-tools.md", name: "habits", text: habits },
    GeneratedText { file: "docs/metrics.md", name: "metrics", text: metrics },
    GeneratedText { file: "docs/metrics.md", name: "metrics-bound", text: metrics_bound },
    GeneratedText { file: "docs/rules.md", name: "rules", text: rules },
    GeneratedText { file: "docs/themes.md", name: "themes", text: themes },
    GeneratedText { file: "docs/themes.md", name: "roles", text: roles },
];

/// The keys that a newcomer needs, by the name of their action.
const FIRST_KEYS: &[&str] =
    &["help", "open", "back", "filter", "sort", "group", "tab-findings", "explain", "kill", "close"];
/// The columns that a newcomer needs.
const FIRST_COLUMNS: &[&str] =
    &["local", "remote", "state", "age", "process", "user", "recvq", "sendq", "rtt", "verdict"];
/// What most people type elsewhere.
const FIRST_HABITS: &[&str] = &[
    "ss -tanp",
    "ss -tlnp",
    "ss -s",
    "ss -K dst 10.0.0.5",
    "watch -n1 ss -tanp",
    "netstat -anp | grep CLOSE_WAIT",
    "lsof -i :80",
    "kill $(lsof -t -i:8080)",
];

#[test]
fn readme_and_docs_have_the_tables_of_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for GeneratedText { file, name, text } in GENERATED {
        let before = fs::read_to_string(root.join(file)).expect(file);
        let fresh = replace(&before, name, &text());
        if before != fresh && std::env::var_os("CONNTOP_BLESS").is_some() {
            fs::write(root.join(file), fresh).expect("it can be written");
        } else {
            assert!(before == fresh, "{file} is behind the program: run CONNTOP_BLESS=1 cargo test --test cli readme");
        }
    }
}

/// A link that leads nowhere is found, and so is a page that nobody links to.
#[test]
fn readme_and_docs_link_to_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut linked = BTreeSet::new();
    let pages = fs::read_dir(root.join("docs")).expect("docs").map(|page| page.expect("readable").path());
    let pages: BTreeSet<PathBuf> = pages.collect();
    for page in pages.iter().cloned().chain([root.join("README.md"), root.join("ARCHITECTURE.md")]) {
        let text = fs::read_to_string(&page).expect("a page");
        let folder = page.parent().expect("a folder");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let path = folder.join(target.split('#').next().expect("a path"));
            assert!(path.exists(), "{}: {target}", page.display());
            linked.insert(path.canonicalize().expect("it exists"));
        }
    }
    for page in pages {
        assert!(linked.contains(&page.canonicalize().expect("it exists")), "no page links to {}", page.display());
    }
}

#[test]
fn readme_names_what_the_repository_has() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in
        ["assets/pictures/first-look.svg", "ARCHITECTURE.md", ".ci/test", ".ci/run", "LICENSE-MIT", "LICENSE-APACHE"]
    {
        assert!(root.join(file).exists(), "{file}");
    }
    let ci = fs::read_to_string(root.join(".ci/run")).expect(".ci/run");
    assert!(ci.contains("\n./.ci/test\n"), ".ci/run calls the README's test command");
}

fn replace(text: &str, name: &str, table: &str) -> String {
    let begin = format!("<!-- generated: {name} -->\n");
    let (head, rest) = text.split_once(&begin).expect("the page marks where the table goes");
    let (_, tail) = rest.split_once("<!-- end -->").expect("and where it ends");
    format!("{head}{begin}{table}<!-- end -->{tail}")
}

const HABITS_HEAD: &str = "| from | you type | here | to see |\n|---|---|---|---|\n";

fn habits() -> String {
    HABITS.iter().fold(HABITS_HEAD.to_owned(), |table, habit| table + &habit_row(habit))
}

fn first_habits() -> String {
    let row = |name: &&str| HABITS.iter().find(|habit| habit.habit == **name).map(habit_row).expect(name);
    FIRST_HABITS.iter().fold(HABITS_HEAD.to_owned(), |table, name| table + &row(name))
}

fn habit_row(habit: &Habit) -> String {
    // A bar would end the cell.
    let typed = habit.habit.replace('|', "\\|");
    format!("| {} | `{typed}` | `{}` | {} |\n", habit.tool, habit.conntop, habit.about)
}

fn rules() -> String {
    let mut page = "| rule | finds |\n|---|---|\n".to_owned();
    for &rule in Rule::ALL {
        let text = text(rule.id()).expect("every rule is explained");
        writeln!(page, "| [`{0}`](#{0}) | {1} |", rule.id(), text.title).expect("a string takes all");
    }
    for &rule in Rule::ALL {
        let text = text(rule.id()).expect("every rule is explained");
        let lines = |lines: &[String]| lines.iter().fold(String::new(), |list, line| list + "- " + line + "\n");
        let (remedy, does_not_help) = (lines(&text.remedy), lines(&text.does_not_help));
        write!(
            page,
            "\n## {}\n\n{}: {}\n\nWhat to do:\n\n{remedy}\nWhat does not help:\n\n{does_not_help}",
            rule.id(),
            text.title,
            text.about
        )
        .expect("a string takes all");
    }
    page
}

/// docs/scripts.md says how to acknowledge a finding in words that are taken.
#[test]
fn docs_acknowledge_in_words_that_the_program_takes() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scripts.md")).expect("the page");
    let (_, rest) = page.split_once("--ignore '").expect("an example");
    let by_option = Ignore::parse(rest.split('\'').next().expect("quoted")).expect("understood");
    let (_, rest) = page.split_once("```toml\n[[ignore]]\n").expect("an example");
    let by_file: Ignore = toml::from_str(rest.split("```").next().expect("a block")).expect("understood");
    assert_eq!(by_option, by_file);
}

fn themes() -> String {
    let mut table = "| theme | what it is |\n|---|---|\n".to_owned();
    for theme in built_in::themes() {
        writeln!(table, "| `{}` | {} |", theme.name(), theme.about()).expect("a string takes all");
    }
    table
}

fn roles() -> String {
    let mut table = "| role | what it is | looks like |\n|---|---|---|\n".to_owned();
    for row in ROLES {
        let like = row.like.map_or_else(|| "–".to_owned(), |like| format!("`{}`", like.row().key));
        writeln!(table, "| `{}` | {} | {like} |", row.key, row.about).expect("a string takes all");
    }
    table
}

/// The theme that docs/themes.md shows can be used as it stands.
#[test]
fn docs_show_a_theme_that_the_program_takes() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/themes.md")).expect("the page");
    let (_, rest) = page.split_once("```toml\n").expect("an example");
    let theme = Theme::read("example", rest.split("```").next().expect("a block")).expect("understood");
    let dark = Theme::built_in("dark").expect("a theme of conntop");
    assert_eq!(theme.style(Role::Text), dark.style(Role::Text));
    assert_ne!(theme.style(Role::Alarm), dark.style(Role::Alarm));
}

fn columns() -> String {
    let mut table = "| column | in JSON and CSV | needs | shows |\n|---|---|---|---|\n".to_owned();
    for column in COLUMNS {
        let json = if column.in_json { format!("`{}`", column.json) } else { "only when asked for".to_owned() };
        let needs = column.reads.costly().collect::<Vec<_>>().join(", ");
        let needs = if needs.is_empty() { "–" } else { &needs };
        writeln!(table, "| `{}` | {json} | {needs} | {} |", column.key, column.about).expect("a string takes all");
    }
    table
}

fn first_columns() -> String {
    let mut table = "| column | shows |\n|---|---|\n".to_owned();
    for name in FIRST_COLUMNS {
        let column = COLUMNS.iter().find(|column| column.key == *name).expect(name);
        writeln!(table, "| `{}` | {} |", column.key, column.about).expect("a string takes all");
    }
    table
}

fn metrics() -> String {
    let mut table =
        "| Prometheus | OpenTelemetry | type | unit | labels | series at most | what it is |\n|---|---|---|---|---|---|---|\n"
            .to_owned();
    for row in &METRICS {
        let MetricRow { prometheus, otel, kind, unit, labels, series_max, help, .. } = row;
        let labels = labels.iter().map(|label| format!("`{}`", label.prometheus)).collect::<Vec<_>>().join(", ");
        let labels = if labels.is_empty() { "–" } else { &labels };
        let (kind, unit) = (kind.name(), unit.otel());
        writeln!(table, "| `{prometheus}` | `{otel}` | {kind} | `{unit}` | {labels} | {series_max} | {help} |")
            .expect("a string takes all");
    }
    table
}

fn metrics_bound() -> String {
    let all: usize = METRICS.iter().map(|row| row.series_max).sum();
    format!("All together a host has at most {all} series, whatever runs on it.\n")
}

fn keys() -> String {
    let mut table = "| where | keys | what | action |\n|---|---|---|---|\n".to_owned();
    for (index, (title, _)) in SECTIONS.iter().enumerate() {
        for binding in section(index) {
            let row = format!("| {title} | {} | {} | `{}` |", key_names(binding), binding.help, binding.action);
            writeln!(table, "{row}").expect("a string takes all");
        }
    }
    table
}

fn first_keys() -> String {
    let mut table = "| keys | what |\n|---|---|\n".to_owned();
    for name in FIRST_KEYS {
        let binding = (0..SECTIONS.len()).flat_map(section).find(|binding| binding.action == *name).expect(name);
        writeln!(table, "| {} | {} |", key_names(binding), binding.help).expect("a string takes all");
    }
    table
}

fn key_names(binding: &Binding) -> String {
    binding.keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" ")
}
