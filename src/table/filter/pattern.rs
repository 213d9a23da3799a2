//! How words are matched: contained, equal, or by a regular expression; never with regard to case.

use regex::{Regex, RegexBuilder};

/// The largest compiled expression in bytes, and the deepest nesting: an expression is input, too.
const REGEX_SIZE_MAX: usize = 1 << 20;
const REGEX_NEST_MAX: u32 = 50;

/// A way to match words.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// Contains this lower-case text.
    Contains(String),
    /// Is this lower-case text.
    Exact(String),
    /// Matches this.
    Regex(Regex),
}

impl Pattern {
    pub(super) fn contains(text: &str) -> Self {
        Self::Contains(text.to_lowercase())
    }

    pub(super) fn exact(text: &str) -> Self {
        Self::Exact(text.to_lowercase())
    }

    /// `*` stands for anything; the whole text must match.
    pub(super) fn glob(text: &str) -> Result<Self, String> {
        let parts: Vec<_> = text.split('*').map(regex::escape).collect();
        Self::regex(&format!("^{}$", parts.join(".*")))
    }

    pub(super) fn regex(text: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(text)
            .case_insensitive(true)
            .size_limit(REGEX_SIZE_MAX)
            .dfa_size_limit(REGEX_SIZE_MAX)
            .nest_limit(REGEX_NEST_MAX)
            .build();
        built.map(Self::Regex).map_err(|error| reason(&error))
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Contains(needle) => contains(text, needle),
            Self::Exact(needle) => equals(text, needle),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// The last line of the error: the others draw the expression over several lines.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        other => other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    }
}

fn contains(text: &str, needle: &str) -> bool {
    if !needle.is_ascii() {
        return text.to_lowercase().contains(needle);
    }
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    let Some((&first, rest)) = needle.split_first() else { return true };
    let Some(starts) = text.len().checked_sub(rest.len()) else { return false };
    (0..starts)
        .any(|at| text[at].eq_ignore_ascii_case(&first) && text[at + 1..at + needle.len()].eq_ignore_ascii_case(rest))
}

fn equals(text: &str, needle: &str) -> bool {
    if needle.is_ascii() { text.eq_ignore_ascii_case(needle) } else { text.to_lowercase() == needle }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_are_anchored_and_only_the_star_is_special() {
        let glob = Pattern::glob("ng*x.").expect("a glob is a valid expression");
        assert!(glob.matches("NGinx."));
        assert!(!glob.matches("nginxy"));
        assert!(!glob.matches("a nginx."));
    }

    #[test]
    fn a_bad_or_huge_expression_is_refused_in_one_line() {
        for text in ["(", "a{1000}{1000}", "[z-a]"] {
            let reason = Pattern::regex(text).expect_err(text);
            assert!(!reason.is_empty() && !reason.contains('\n'), "{reason}");
        }
    }

    proptest! {
        #[test]
        fn containing_is_what_it_says(text in "[a-cA-Cé]{0,12}", needle in "[a-cA-Cé]{0,3}") {
            let naive = text.to_lowercase().contains(&needle.to_lowercase());
            prop_assert_eq!(Pattern::contains(&needle).matches(&text), naive);
        }
    }
}
