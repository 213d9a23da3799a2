//! (skeleton) The filter language: `state:close-wait rport:443 process:nginx age>60s !state:listen /regex/ word`.

use crate::store::Store;
use crate::store::rows::Row;

/// A parsed filter. The empty one matches everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    text: String,
}

/// What is wrong with a filter, as a sentence that says what to write instead, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// The sentence.
    pub message: String,
    /// The byte of the text at which the trouble starts.
    pub at: usize,
}

impl Filter {
    /// Parses `text`.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        Ok(Self { text: text.to_owned() })
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// Whether `row` passes.
    pub fn matches(&self, row: &Row, store: &Store) -> bool {
        let _ = (row, store);
        true
    }
}
