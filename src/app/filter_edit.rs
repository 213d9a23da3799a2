//! The filter line while it is typed: the text, what can stand at its cursor, and what of it is in force.
//!
//! What is in force while a word is typed: the word at the cursor is *unfinished* until a blank or Enter follows. An unfinished
//! word is left out as long as it cannot be understood, or as long as nothing passes the filter with it. So the table does not
//! become empty because of a word that is typed by half; the line says that the word is left out.

use std::ops::Range;

use crate::app::action::Edit;
use crate::app::input::{InputHistory, InputLine};
use crate::store::Store;
use crate::table::filter::complete::{self, CompletionItem, FilterCompletion};
use crate::table::filter::saved::{SIGN, SavedFilters};
use crate::table::filter::{Filter, FilterError};

/// The filter line while it is typed.
#[derive(Debug)]
pub struct FilterEdit {
    /// The line.
    pub line: InputLine,
    /// The filter as it was, for Esc.
    pub before: String,
    /// What is wrong with the line as it stands, with its place in the line.
    pub error: Option<FilterError>,
    /// Why the word at the cursor is left out of the filter in force, if it is.
    pub left_out: Option<WordLeftOut>,
    /// What can stand at the cursor.
    pub completion: FilterCompletion,
    /// The item of the completion that was put into the line.
    pub selected: Option<usize>,
    /// What the line is for.
    pub purpose: LinePurpose,
}

/// What the filter line is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinePurpose {
    /// It is the filter.
    Filter,
    /// It is the name under which this filter is saved.
    Name {
        /// The filter.
        filter: String,
    },
}

/// Why the unfinished word is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordLeftOut {
    /// It cannot be understood yet.
    Unfinished,
    /// Nothing passes the filter with it.
    NothingPasses,
}

/// What is to be shown of a line that is being typed.
pub(super) enum FilterPreview {
    /// What is in force stays.
    Nothing,
    /// This filter.
    Show(Filter),
    /// The first if anything passes it, else the other one.
    Try(Filter, Option<Filter>),
}

/// What stands below the line.
#[derive(Debug, PartialEq, Eq)]
pub enum FilterNote {
    /// These bytes of the line are wrong.
    Wrong(Range<usize>),
    /// A remark.
    Remark(String),
}

impl FilterEdit {
    /// A line that edits the filter `before`.
    pub(super) fn new(before: &str) -> Self {
        Self {
            line: InputLine::new(before),
            before: before.to_owned(),
            error: None,
            left_out: None,
            completion: FilterCompletion::default(),
            selected: None,
            purpose: LinePurpose::Filter,
        }
    }

    /// Whether it is the filter that is typed, and not a name.
    pub fn is_filter(&self) -> bool {
        self.purpose == LinePurpose::Filter
    }

    pub(super) fn insert(&mut self, text: &str, store: &Store, saved: &SavedFilters) {
        self.line.insert(text);
        self.find_completion(false, store, saved);
    }

    pub(super) fn edit(&mut self, change: Edit, history: &InputHistory, store: &Store, saved: &SavedFilters) {
        if self.is_filter() || !matches!(change, Edit::Older | Edit::Newer) {
            self.line.edit(change, history);
            self.find_completion(false, store, saved);
        }
    }

    /// Puts the next item (`by` 1) or the one before (`by` -1) into the line.
    pub(super) fn complete(&mut self, by: isize, store: &Store, saved: &SavedFilters) {
        if self.completion.items.is_empty() {
            return self.find_completion(true, store, saved);
        }
        let len = self.completion.items.len();
        let next = match self.selected {
            None => {
                if by < 0 {
                    len - 1
                } else {
                    0
                }
            }
            Some(at) => (at + len).checked_add_signed(by).unwrap_or(0) % len,
        };
        let text = self.completion.items[next].text.clone();
        let start = self.completion.range.start;
        if !self.line.replace(self.completion.range.clone(), &text) {
            return;
        }
        self.completion.range = start..start + text.len();
        self.selected = Some(next);
        if len == 1 {
            // The word is whole: what comes after it is next.
            self.find_completion(false, store, saved);
        }
    }

    fn find_completion(&mut self, is_asked: bool, store: &Store, saved: &SavedFilters) {
        self.selected = None;
        if !self.is_filter() {
            return;
        }
        let (text, cursor) = (self.line.text(), self.line.cursor());
        let word = complete::word_at(text, cursor);
        let typed = &text[word.clone()];
        let mut found = complete::complete(text, cursor, is_asked, store);
        if typed.starts_with(SIGN) || (typed.is_empty() && is_asked) {
            let named = saved
                .iter()
                .map(|(name, filter)| CompletionItem { text: format!("{SIGN}{name}"), about: filter.to_owned() });
            found.items.splice(0..0, named.filter(|item| item.text.starts_with(typed)));
        }
        // What is there already need not be offered.
        let there = text.get(found.range.clone());
        if found.items.len() == 1 && there == found.items.first().map(|item| item.text.as_str()) {
            found.items.clear();
        }
        self.completion = found;
    }

    /// What is to be shown of the line as it stands.
    pub(super) fn preview(&mut self, saved: &SavedFilters) -> FilterPreview {
        (self.error, self.left_out) = (None, None);
        if !self.is_filter() {
            return FilterPreview::Nothing;
        }
        let unfinished = self.unfinished();
        let rest = || {
            let rest = complete::without_word_at(self.line.text(), self.line.cursor());
            saved.parse(&rest).ok()
        };
        match saved.parse(self.line.text()) {
            Ok(filter) if unfinished.is_empty() => FilterPreview::Show(filter),
            Ok(filter) => FilterPreview::Try(filter, rest()),
            Err(error) if error.at >= unfinished.start && !unfinished.is_empty() => {
                let rest = rest();
                // Where no value or key begins like that, it is wrong already.
                if self.completion.items.is_empty() && !self.ends_with_operator() {
                    self.error = Some(error);
                } else {
                    self.left_out = Some(WordLeftOut::Unfinished);
                }
                rest.map_or(FilterPreview::Nothing, FilterPreview::Show)
            }
            Err(error) => {
                self.error = Some(error);
                FilterPreview::Nothing
            }
        }
    }

    fn ends_with_operator(&self) -> bool {
        !self.completion.about.is_empty() && self.line.text()[..self.line.cursor()].ends_with([':', '=', '<', '>', ','])
    }

    /// The unfinished word; empty where the word at the cursor is finished.
    fn unfinished(&self) -> Range<usize> {
        let (text, cursor) = (self.line.text(), self.line.cursor());
        let goes_on = text[cursor..].chars().next().is_some_and(|next| !next.is_whitespace() && next != ')');
        if goes_on { cursor..cursor } else { complete::word_at(text, cursor) }
    }

    /// What stands below the line; `None` where there is nothing to say.
    pub fn note(&self) -> Option<FilterNote> {
        let text = self.line.text();
        let word = &text[self.unfinished()];
        match (&self.error, self.left_out) {
            (Some(error), _) => Some(FilterNote::Wrong(error.place(text))),
            (None, Some(WordLeftOut::Unfinished)) => {
                Some(FilterNote::Remark(format!("{word} is left out until it is finished")))
            }
            (None, Some(WordLeftOut::NothingPasses)) => {
                Some(FilterNote::Remark(format!("{word} is left out until it is finished: nothing passes with it")))
            }
            (None, None) if self.completion.about.is_empty() => None,
            (None, None) => Some(FilterNote::Remark(self.completion.about.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delta::Delta;
    use crate::model::testing::{connection, listener, process, source_info, tcp};

    fn store() -> Store {
        let sockets = [tcp(1).held_by(&[process(812, "nginx")]), listener(2, 80).held_by(&[process(812, "nginx")])];
        let mut store = Store::new(source_info());
        let added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
        store.apply(Delta { added, ..Delta::default() });
        store
    }

    fn typed(text: &str) -> (FilterEdit, FilterPreview) {
        let mut saved = SavedFilters::default();
        saved.save("web", "lport:80").expect("valid");
        let mut edit = FilterEdit::new("");
        edit.insert(text, &store(), &saved);
        let preview = edit.preview(&saved);
        (edit, preview)
    }

    #[test]
    fn an_unfinished_word_is_left_out_and_a_finished_one_is_wrong() {
        for (text, rest) in
            [("nginx state:es", "nginx"), ("nginx age>", "nginx"), ("@we", ""), ("nginx or process:", "nginx")]
        {
            let (edit, preview) = typed(text);
            assert_eq!((edit.left_out, edit.error.is_none()), (Some(WordLeftOut::Unfinished), true), "{text}");
            assert!(matches!(preview, FilterPreview::Show(filter) if filter.text() == rest), "{text}");
        }
        let (edit, preview) = typed("nginx nosuch:1 ");
        assert!(edit.error.is_some() && matches!(preview, FilterPreview::Nothing));
        let (edit, preview) = typed("nginx state:nosuch");
        assert_eq!(edit.note(), Some(FilterNote::Wrong(12..18)), "no state begins like that");
        assert!(matches!(preview, FilterPreview::Show(filter) if filter.text() == "nginx"));
        let (_, preview) = typed("nginx sta");
        assert!(
            matches!(preview, FilterPreview::Try(filter, Some(rest)) if (filter.text(), rest.text()) == ("nginx sta", "nginx"))
        );
        let (_, preview) = typed("nginx @web ");
        assert!(matches!(preview, FilterPreview::Show(filter) if filter.text() == "nginx (lport:80) "));
    }

    #[test]
    fn tab_goes_through_what_fits_and_a_single_fit_is_whole_at_once() {
        let (mut edit, _) = typed("sta");
        let (store, saved) = (store(), SavedFilters::default());
        edit.complete(1, &store, &saved);
        assert_eq!(edit.line.text(), "state:");
        assert!(edit.completion.items.len() > 5, "values are offered at once");
        edit.complete(1, &store, &saved);
        let first = edit.line.text().to_owned();
        edit.complete(1, &store, &saved);
        assert_ne!(edit.line.text(), first);
        edit.complete(-1, &store, &saved);
        assert_eq!(edit.line.text(), first);
        edit.insert(" ", &store, &saved);
        assert!(edit.completion.items.is_empty() && edit.selected.is_none());
        edit.complete(1, &store, &saved);
        assert!(!edit.completion.items.is_empty(), "the keys, as they are asked for");
        edit.complete(-1, &store, &saved);
        assert_eq!(edit.selected, Some(edit.completion.items.len() - 1));
    }
}
