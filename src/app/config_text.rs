//! Changes keys of a TOML file and leaves everything else as it is: comments, order, blanks, other keys.
//!
//! The text is edited by the places that the parser tells. Whatever comes of it is parsed again and compared with what it must
//! say, so that a file that is written in an unusual way is refused and not damaged.

use std::ops::Range;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

/// One key that gets another value.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigChange {
    /// The section, or nothing for the keys above all sections.
    pub section: &'static str,
    /// The key.
    pub key: String,
    /// Its value; `None`: the key goes.
    pub value: Option<Value>,
}

/// `text` with `changes`; an error is a sentence.
pub fn changed(text: &str, changes: &[ConfigChange]) -> Result<String, String> {
    let mut expected: Table = text.parse().map_err(|_| "the file is no TOML; mend that first".to_owned())?;
    let mut text = text.to_owned();
    for change in changes {
        text = with(&text, change).ok_or_else(|| unusual(change))?;
        apply(&mut expected, change);
        if text.parse::<Table>() != Ok(expected.clone()) {
            return Err(unusual(change));
        }
    }
    Ok(text)
}

fn unusual(change: &ConfigChange) -> String {
    let place = if change.section.is_empty() { String::new() } else { format!("[{}] ", change.section) };
    format!("the file writes {place}{} in a way that cannot be changed line by line; change it by hand", change.key)
}

/// What `change` makes of the values.
fn apply(table: &mut Table, change: &ConfigChange) {
    let section = if change.section.is_empty() {
        Some(table)
    } else {
        let section = table.entry(change.section).or_insert_with(|| Value::Table(Table::new()));
        section.as_table_mut()
    };
    if let Some(section) = section {
        match &change.value {
            Some(value) => drop(section.insert(change.key.clone(), value.clone())),
            None => drop(section.remove(&change.key)),
        }
    }
}

/// `text` with one change; `None` where there is no place for it.
fn with(text: &str, change: &ConfigChange) -> Option<String> {
    match (&change.value, place_of(text, change.section, &change.key)) {
        (_, KeyPlace::NoSection) => None,
        (Some(value), KeyPlace::At { value: place, .. }) => Some(replaced(text, place, &value.to_string())),
        (Some(value), KeyPlace::Absent) => {
            Some(inserted(text, change.section, &format!("{} = {value}\n", written_key(&change.key))))
        }
        (None, KeyPlace::At { key, value }) => {
            let start = text[..key.start].rfind('\n').map_or(0, |at| at + 1);
            let end = text[value.end..].find('\n').map_or(text.len(), |len| value.end + len + 1);
            Some(replaced(text, start..end, ""))
        }
        (None, KeyPlace::Absent) => Some(text.to_owned()),
    }
}

fn replaced(text: &str, place: Range<usize>, by: &str) -> String {
    format!("{}{by}{}", &text[..place.start], &text[place.end..])
}

/// Where a key stands.
enum KeyPlace {
    /// Here, and its value there.
    At { key: Range<usize>, value: Range<usize> },
    /// Nowhere.
    Absent,
    /// What should be its section is something else.
    NoSection,
}

fn place_of(text: &str, section: &str, key: &str) -> KeyPlace {
    let Ok(root) = DeTable::parse(text) else { return KeyPlace::NoSection };
    let root = root.into_inner();
    let find = |table: &DeTable<'_>| {
        let found = table.iter().find(|(name, _)| name.get_ref().as_ref() == key);
        found.map_or(KeyPlace::Absent, |(name, value)| KeyPlace::At { key: name.span(), value: value.span() })
    };
    if section.is_empty() {
        return find(&root);
    }
    match root.iter().find(|(name, _)| name.get_ref().as_ref() == section).map(|(_, value)| value.get_ref()) {
        None => KeyPlace::Absent,
        Some(DeValue::Table(table)) => find(table),
        Some(_) => KeyPlace::NoSection,
    }
}

/// `text` with `line` as the last one of the section, which is made where it is not there.
fn inserted(text: &str, section: &str, line: &str) -> String {
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let at = if section.is_empty() {
        end_of_keys(&text, 0)
    } else {
        let header = header_of(&text, section);
        let Some(header) = header else {
            let blank = if text.is_empty() { "" } else { "\n" };
            return format!("{text}{blank}[{section}]\n{line}");
        };
        end_of_keys(&text, header)
    };
    replaced(&text, at..at, line)
}

/// The byte behind the header of the section.
fn header_of(text: &str, section: &str) -> Option<usize> {
    let header = format!("[{section}]");
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let rest = line.trim_start().strip_prefix(&header);
        if rest.is_some_and(|rest| rest.trim_start().is_empty() || rest.trim_start().starts_with('#')) {
            return Some(at);
        }
    }
    None
}

/// The byte behind the last key of the section that begins at `start`: what is a comment or blank behind it belongs to what comes
/// next. A section without a key ends where its header does; a file without one, behind its comments.
fn end_of_keys(text: &str, start: usize) -> usize {
    let (mut at, mut end, mut comments_end) = (start, start, start);
    let mut is_at_top = true;
    for line in text[start..].split_inclusive('\n') {
        let trimmed = line.trim_start();
        if trimmed.starts_with('[') && !has_open_value(&text[start..at]) {
            break;
        }
        at += line.len();
        let is_comment = trimmed.starts_with('#');
        if is_at_top && is_comment {
            comments_end = at;
        }
        is_at_top &= is_comment;
        if !trimmed.trim().is_empty() && !is_comment {
            end = at;
        }
    }
    if end == start && start == 0 { comments_end } else { end }
}

/// Whether `text` ends within a value that goes over several lines.
fn has_open_value(text: &str) -> bool {
    text.parse::<Table>().is_err()
}

/// A key as TOML writes it: bare where that is possible.
fn written_key(key: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !key.is_empty() && key.bytes().all(is_bare) { key.to_owned() } else { Value::String(key.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change(section: &'static str, key: &str, value: &str) -> ConfigChange {
        ConfigChange { section, key: key.to_owned(), value: Some(Value::String(value.to_owned())) }
    }

    const FILE: &str = "# mine\ninterval = 2 # slow\ntheme = 'dark'   # at night\n\n# keys\n[keys]\nkill = [\n  'D', # as in delete\n]\n\n[filters] # named\nold = \"a\"\n";

    #[test]
    fn comments_order_and_other_keys_stay() {
        let text = changed(FILE, &[change("", "theme", "light"), change("filters", "leaks", "state:close-wait")]);
        let expected = FILE.replace("'dark'", "\"light\"") + "leaks = \"state:close-wait\"\n";
        assert_eq!(text, Ok(expected));
        let text = changed(FILE, &[change("", "group", "none"), change("sort", "folded", "-count")]);
        let expected =
            FILE.replace("# at night\n", "# at night\ngroup = \"none\"\n") + "\n[sort]\nfolded = \"-count\"\n";
        assert_eq!(text, Ok(expected));
        let gone = ConfigChange { section: "filters", key: "old".into(), value: None };
        assert_eq!(changed(FILE, std::slice::from_ref(&gone)), Ok(FILE.replace("old = \"a\"\n", "")));
        let never = ConfigChange { key: "never".into(), ..gone };
        assert_eq!(changed(FILE, &[never]), Ok(FILE.to_owned()));
    }

    #[test]
    fn an_empty_file_and_one_of_comments_get_what_they_lack() {
        assert_eq!(changed("", &[change("", "theme", "dark")]), Ok("theme = \"dark\"\n".to_owned()));
        assert_eq!(changed("", &[change("sort", "folded", "why")]), Ok("[sort]\nfolded = \"why\"\n".to_owned()));
        assert_eq!(changed("# mine", &[change("", "theme", "dark")]), Ok("# mine\ntheme = \"dark\"\n".to_owned()));
    }

    #[test]
    fn what_is_written_in_an_unusual_way_is_refused_and_not_damaged() {
        for text in ["filters = { old = 'a' }\n", "filters.old = 'a'\n", "filters = 1\n"] {
            let error = changed(text, &[change("filters", "new", "b")]).expect_err(text);
            assert_eq!(
                error,
                "the file writes [filters] new in a way that cannot be changed line by line; change it by hand"
            );
        }
        assert!(changed("a = ", &[change("", "theme", "dark")]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_nothing_else_changes(name in "[a-z]{1,8}", value in ".{0,20}", other in ".{0,20}") {
            let text = changed(FILE, &[change("filters", &name, &value), change("", "theme", &other)]);
            let read: Table = text.expect("it can be changed").parse().expect("TOML");
            prop_assert_eq!(read["filters"][name.as_str()].as_str(), Some(value.as_str()));
            prop_assert_eq!(read["theme"].as_str(), Some(other.as_str()));
            prop_assert_eq!(read["interval"].as_integer(), Some(2));
            prop_assert_eq!(read["keys"]["kill"].as_array().map(Vec::len), Some(1));
        }
    }
}
