//! Words that the project does not use: each was once a private name for something that the field, or plain English, has a word for.
//!
//! They are looked for in `src` (code, comments and texts), in the tables of `assets`, in `docs` and in the README, as whole words, however
//! an identifier joins them: `so manieth`, `SoManieth` and `so_manieth` are one phrase.

use std::fs;
use std::path::{Path, PathBuf};

/// A phrase in lower case, and what to write for it.
const WORDS: &[(&str, &str)] = &[
    ("abroad", "in another network namespace"),
    ("behind a bar", "through a pipe"),
    ("buried", "ended"),
    ("call himself", "reverse DNS names are not trusted"),
    ("closed to you", "need root"),
    ("desk", "what the rules are evaluated with"),
    ("ears", "event listeners"),
    ("hidden from you", "hidden: you may not look into the process"),
    ("held too long", "paused"),
    ("in vain", "failed"),
    ("limbo", "sockets that no table lists"),
    ("looker", "reader"),
    ("manieth", "number, index"),
    ("mercy", "use --signal KILL to force it"),
    ("nameless", "without a name"),
    ("no help", "does not help"),
    ("puppet", "scripted process"),
    ("rumour", "report"),
    ("sharers", "processes that share the socket"),
    ("sieve", "filter"),
    ("sift", "filter"),
    ("stir", "change"),
    ("turn the sort round", "reverse the sort"),
    ("unheld", "held by no process"),
    ("untold", "not reported"),
    ("what the program makes of it", "application-defined"),
    ("wordless", "without a message"),
];

/// `text` as words in lower case with one blank around each: a change from a small letter to a capital begins a word, and
/// everything that is no letter separates words.
fn words_of(text: &str) -> String {
    let mut words = " ".to_owned();
    let mut before = ' ';
    for letter in text.chars() {
        if !letter.is_alphabetic() || before.is_lowercase() && letter.is_uppercase() {
            words.push(' ');
        }
        if letter.is_alphabetic() {
            words.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.push(' ');
    format!(" {} ", words.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The phrases of [`WORDS`] in `text`.
fn unwanted(text: &str) -> Vec<(&'static str, &'static str)> {
    let words = words_of(text);
    WORDS.iter().copied().filter(|(phrase, _)| words.contains(&format!(" {phrase} "))).collect()
}

/// The files that are looked through, below the repository's root.
fn files() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path
                .extension()
                .is_some_and(|extension| ["rs", "toml", "md"].iter().any(|known| extension == *known))
            {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md")];
    walk(&root.join("src"), &mut found);
    walk(&root.join("assets"), &mut found);
    walk(&root.join("docs"), &mut found);
    // That page lists the names of schema 1, which nothing uses any more.
    found.retain(|path| !path.ends_with("docs/json-schema-2.md"));
    found
}

#[test]
fn no_private_word_stands_in_code_texts_or_docs() {
    let mut wrong = Vec::new();
    for path in files() {
        let file = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("below the root").display().to_string();
        let text = fs::read_to_string(&path).expect("text");
        for (phrase, instead) in unwanted(&text) {
            let line =
                text.lines().position(|line| unwanted(line).contains(&(phrase, instead))).map_or(1, |line| line + 1);
            wrong.push(format!("  {file}:{line}: '{phrase}'; write: {instead}"));
        }
    }
    assert!(wrong.is_empty(), "words that need decoding:\n{}", wrong.join("\n"));
}

#[test]
fn a_phrase_is_found_however_it_is_joined() {
    for text in
        ["the so manieth row", "SoManieth", "so_manieth(3)", "so-manieth", "fn nth_so_manieth", "so\n// manieth"]
    {
        assert_eq!(unwanted(text).iter().map(|(phrase, _)| *phrase).collect::<Vec<_>>(), ["manieth"], "{text}");
    }
    for text in ["years", "astir", "described", "no helper", "sifted"] {
        assert_eq!(unwanted(text), [], "{text}");
    }
}
