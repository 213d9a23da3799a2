//! The filter language: `state:close-wait rport:443 process:nginx age>60s !state:listen /regex/ word`.
//!
//! | written | passes |
//! |---|---|
//! | `key:value` | words that contain the value (`*` stands for anything), ports, numbers, networks, states, labels that equal it |
//! | `key=value`, `key!=value` | exactly this; anything known but this |
//! | `key>5`, `>=`, `<`, `<=` | numbers with units: `60s`, `1h30m`, `100ms`; `10k`, `2M` (decimal) |
//! | `key:8000-9000`, `key:a,b` | a range; any of several |
//! | `key:/regex/`, `/regex/` | words that match, in any case (`(?-i)` to tell cases apart) |
//! | `key:?`, `key:*` | what is not known; what is known |
//! | `word`, `"two words"` | process, command, user, addresses, state, service, protocol contain it |
//! | `443` | a port or a pid is it, or a process or user contains it |
//! | `!a`, `not a`, `a b`, `a and b`, `a or b`, `( )` | as one expects; `and` binds tighter than `or` |
//!
//! Keys are those of the columns, and `port`, `addr` (either end) with the aliases of [`parser`]. A value that is not
//! known passes no comparison, so `!pid>0` passes it and `pid!=5` does not. Text is compiled once; matching allocates
//! nothing for typed values.

mod lexer;
mod parser;
mod pattern;
mod test;
mod word;

use crate::model::text::DisplayText;
use crate::store::Store;
use crate::store::rows::Row;
use crate::table::column::Drift;
use crate::table::connections::COLUMNS;
use crate::table::filter::test::Test;
use crate::table::filter::word::Word;

pub use crate::table::filter::parser::EITHER_END;

/// The longest filter, in bytes.
pub const FILTER_LEN_MAX: usize = 4_096;
/// How deep parentheses and negations may nest.
pub const FILTER_DEPTH_MAX: usize = 32;

/// A parsed filter. The empty one matches everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    text: String,
    root: Option<Node>,
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

impl FilterError {
    /// The sentence may quote what the user typed, so it is made safe to print.
    fn new(at: usize, message: impl AsRef<str>) -> Self {
        Self { message: DisplayText::new(message.as_ref()).to_string(), at }
    }
}

/// A condition, ready to be asked.
#[derive(Clone, Debug)]
enum Node {
    /// All of these.
    All(Vec<Node>),
    /// Any of these.
    Any(Vec<Node>),
    /// Not this.
    Not(Box<Node>),
    /// The value of a column passes a test.
    Column(usize, Test),
    /// A bare word or expression.
    Word(Box<Word>),
}

impl Node {
    fn matches(&self, row: &Row, store: &Store) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(row, store)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(row, store)),
            Self::Not(node) => !node.matches(row, store),
            Self::Column(column, test) => test.passes(&(COLUMNS[*column].value)(row, store)),
            Self::Word(word) => word.matches(row, store),
        }
    }

    fn any_column(&self, wanted: &impl Fn(Drift) -> bool) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(|node| node.any_column(wanted)),
            Self::Not(node) => node.any_column(wanted),
            Self::Column(column, _) => wanted(COLUMNS[*column].drift),
            Self::Word(_) => wanted(Drift::Names),
        }
    }
}

impl Filter {
    /// Parses `text`.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > FILTER_LEN_MAX {
            return Err(FilterError::new(
                0,
                format!("the filter is longer than {FILTER_LEN_MAX} bytes; write a shorter one"),
            ));
        }
        Ok(Self { text: text.to_owned(), root: parser::parse(text)? })
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches everything.
    pub const fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Whether `row` passes.
    pub fn matches(&self, row: &Row, store: &Store) -> bool {
        self.root.as_ref().is_none_or(|root| root.matches(row, store))
    }

    /// Whether it may change its mind about a row that nothing touched, because time passes.
    pub fn depends_on_time(&self) -> bool {
        self.root.as_ref().is_some_and(|root| root.any_column(&|drift| matches!(drift, Drift::Even | Drift::Free)))
    }

    /// Whether it may change its mind when names of users or interfaces become known.
    pub fn depends_on_names(&self) -> bool {
        self.root.as_ref().is_some_and(|root| root.any_column(&|drift| drift == Drift::Names))
    }
}
