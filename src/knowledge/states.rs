//! What each state means, what to do about it, and what does not help: the table `assets/states.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::model::tcp_state::{STATES, TcpState};

/// What is known of a state.
#[derive(Debug)]
pub struct StateText {
    /// One line: what the state is.
    pub meaning: &'static str,
    /// One or two lines: what to do, or when to worry.
    pub advice: &'static str,
    /// What does not help, or is often believed and wrong.
    pub does_not_help: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatesFile {
    state: Vec<StateEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateEntry {
    state: String,
    meaning: String,
    advice: String,
    does_not_help: String,
}

static FILE: LazyLock<StatesFile> =
    LazyLock::new(|| toml::from_str(include_str!("../../assets/states.toml")).expect("assets/states.toml is tested"));

/// The texts, in the order of `TcpState`.
static TEXTS: LazyLock<Vec<StateText>> = LazyLock::new(|| {
    let entry = |name| FILE.state.iter().find(|entry| entry.state == name).expect("a test finds every state");
    let text = |entry: &'static StateEntry| StateText {
        meaning: &entry.meaning,
        advice: &entry.advice,
        does_not_help: &entry.does_not_help,
    };
    STATES.iter().map(|row| text(entry(row.name))).collect()
});

/// The text of `state`.
pub fn text(state: TcpState) -> &'static StateText {
    &TEXTS[state as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_explained_once_in_sentences() {
        assert_eq!(FILE.state.len(), STATES.len());
        for row in &STATES {
            let text = text(row.state);
            for sentence in [text.meaning, text.advice, text.does_not_help] {
                assert!(sentence.ends_with('.') && sentence.len() > 20, "{}: {sentence}", row.name);
            }
            assert!(!text.meaning.contains('\n'), "{}", row.name);
        }
    }
}
