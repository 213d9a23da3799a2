//! Filters that were given a name: section `[filters]` of the configuration. `@name` in a filter stands for one.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;

use crate::model::text::DisplayText;
use crate::table::filter::complete::word_at;
use crate::table::filter::{Filter, FilterError};
use crate::table::suggest;

/// More saved filters than these are refused.
pub const SAVED_FILTERS_MAX: usize = 64;
/// The longest name, in bytes.
pub const NAME_LEN_MAX: usize = 32;
/// What stands before the name of a saved filter.
pub const SIGN: char = '@';

/// Filters by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct SavedFilters(BTreeMap<String, String>);

/// A filter in which each `@name` is replaced by what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpandedFilter {
    /// The filter.
    pub text: String,
    /// Which bytes of the filter as it was written became which bytes of `text`.
    replaced: Vec<(Range<usize>, Range<usize>)>,
}

impl ExpandedFilter {
    /// Where byte `at` of the filter stood in what was written: the start of the name, if it came from a saved filter.
    fn written_at(&self, at: usize) -> usize {
        let before = self.replaced.iter().rev().find(|(_, new)| new.start <= at);
        before.map_or(at, |(old, new)| if at < new.end { old.start } else { at - new.end + old.end })
    }
}

impl TryFrom<BTreeMap<String, String>> for SavedFilters {
    type Error = String;

    fn try_from(table: BTreeMap<String, String>) -> Result<Self, String> {
        let mut saved = Self::default();
        for (name, text) in table {
            saved.save(&name, &text).map_err(|why| format!("[filters] {}: {why}", DisplayText::new(&name)))?;
        }
        Ok(saved)
    }
}

impl SavedFilters {
    /// Keeps the filter `text` as `name`, in place of one that has that name; an error is a sentence.
    pub fn save(&mut self, name: &str, text: &str) -> Result<(), String> {
        if !is_name(name) {
            return Err(format!(
                "a name has 1 to {NAME_LEN_MAX} letters, digits, - and _; write one such as slow-peers"
            ));
        }
        if self.0.len() == SAVED_FILTERS_MAX && !self.0.contains_key(name) {
            return Err(format!("there are {SAVED_FILTERS_MAX} saved filters already; take the name of one of them"));
        }
        match Filter::parse(text) {
            Ok(filter) if filter.is_empty() => return Err("there is no filter to save; write one first".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(error.message),
        }
        self.0.insert(name.to_owned(), text.trim().to_owned());
        Ok(())
    }

    /// Every saved filter, by name: the name and the filter.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The filter called `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The filter that `text` writes, in which `@name` stands for a saved one.
    pub fn parse(&self, text: &str) -> Result<Filter, FilterError> {
        let expanded = self.expand(text)?;
        Filter::parse(&expanded.text).map_err(|error| FilterError { at: expanded.written_at(error.at), ..error })
    }

    fn expand(&self, text: &str) -> Result<ExpandedFilter, FilterError> {
        let mut expanded = ExpandedFilter { text: String::new(), replaced: Vec::new() };
        let mut copied = 0;
        for name in names_in(text) {
            let Some(filter) = self.get(&text[name.start + SIGN.len_utf8()..name.end]) else {
                return Err(self.unknown(&text[name.clone()], name.start));
            };
            expanded.text.push_str(&text[copied..name.start]);
            let from = expanded.text.len();
            let is_all = text.trim() == &text[name.clone()];
            let (open, close) = if is_all { ("", "") } else { ("(", ")") };
            expanded.text.extend([open, filter, close]);
            copied = name.end;
            expanded.replaced.push((name, from..expanded.text.len()));
        }
        expanded.text.push_str(&text[copied..]);
        Ok(expanded)
    }

    fn unknown(&self, word: &str, at: usize) -> FilterError {
        let name = word.trim_start_matches(SIGN);
        let otherwise = match self.0.len() {
            0 => "there are none; section [filters] of the configuration names them".to_owned(),
            _ => format!("there are {}", self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")),
        };
        let hint = suggest::hint(name, self.0.keys().map(String::as_str), &otherwise);
        FilterError::new(at, format!("there is no saved filter '{name}'; {hint}"))
    }
}

/// The words of `text` that begin with [`SIGN`].
fn names_in(text: &str) -> Vec<Range<usize>> {
    let is_start = |at: usize| word_at(text, at + SIGN.len_utf8()).start == at;
    let starts = text.match_indices(SIGN).map(|(at, _)| at).filter(|at| is_start(*at));
    let end = |at: usize| {
        text[at..]
            .find(|next: char| next.is_whitespace() || matches!(next, '(' | ')'))
            .map_or(text.len(), |len| at + len)
    };
    starts.map(|at| at..end(at)).collect()
}

fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=NAME_LEN_MAX).contains(&name.len()) && name.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> SavedFilters {
        let mut saved = SavedFilters::default();
        saved.save("leaks", "state:close-wait or age>1h").expect("valid");
        saved.save("db", " rport:5432 ").expect("valid");
        saved
    }

    #[test]
    fn a_name_stands_for_its_filter() {
        let text = |text: &str| saved().parse(text).expect(text).text().to_owned();
        assert_eq!(text("@db"), "rport:5432");
        assert_eq!(text("nginx @leaks"), "nginx (state:close-wait or age>1h)");
        assert_eq!(text("!@leaks (@db)"), "!(state:close-wait or age>1h) ((rport:5432))");
        assert_eq!(text("'@db' a@db"), "'@db' a@db", "in quotes and within a word it is a character");
    }

    #[test]
    fn errors_stand_where_they_were_written() {
        let error = |text: &str| saved().parse(text).expect_err(text);
        assert_eq!(error("nginx @leak").message, "there is no saved filter 'leak'; did you mean 'leaks'?");
        assert_eq!((error("nginx @leak").at, error("@leaks nosuch:1").at, error("a @db state:x @db").at), (6, 7, 12));
    }

    #[test]
    fn what_cannot_be_saved_is_refused_with_a_sentence() {
        let mut saved = saved();
        for (name, text, sentence) in [
            ("two words", "nginx", "a name has 1 to 32 letters, digits, - and _; write one such as slow-peers"),
            ("", "nginx", "a name has 1 to 32 letters, digits, - and _; write one such as slow-peers"),
            ("empty", " ", "there is no filter to save; write one first"),
            ("bad", "state:nosuch", "unknown state 'nosuch'; such as close-wait, established or time-wait"),
        ] {
            assert_eq!(saved.save(name, text), Err(sentence.to_owned()));
        }
        for number in saved.0.len()..SAVED_FILTERS_MAX {
            saved.save(&format!("f{number}"), "nginx").expect("room");
        }
        assert!(saved.save("one-more", "nginx").is_err() && saved.save("db", "rport:5433").is_ok());
        let table = BTreeMap::from([("bad".to_owned(), "state:nosuch".to_owned())]);
        let error = SavedFilters::try_from(table).expect_err("it is wrong");
        assert_eq!(error, "[filters] bad: unknown state 'nosuch'; such as close-wait, established or time-wait");
    }
}
