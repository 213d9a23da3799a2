//! Cuts the text of a filter into tokens. Knows what a term looks like, not what its key means.

use std::net::IpAddr;

use crate::table::connections::COLUMNS;
use crate::table::filter::FilterError;

/// How a term compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// `:`, contains or equals, as suits the column.
    Has,
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `<`
    Less,
    /// `<=`
    AtMost,
}

/// Every operator as it is written; longer ones first.
pub(super) const OPERATORS: [(&str, Operator); 8] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("==", Operator::Equal),
    (":", Operator::Has),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
];

/// One value of a term, or a bare word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) text: String,
    pub(super) form: Form,
    pub(super) at: usize,
}

/// How an item was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    /// In quotes: nothing in it is special.
    Quoted,
    /// Between slashes.
    Regex,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lexeme {
    Open,
    Close,
    Not,
    And,
    Or,
    Bare(Item),
    Term { key: String, operator: Operator, items: Vec<Item> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) lexeme: Lexeme,
    pub(super) at: usize,
}

/// Whether `text` is a single term, so that a `!` before it is about all of it.
pub(super) fn is_one_term(text: &str) -> bool {
    tokens(text).is_ok_and(|tokens| tokens.len() == 1)
}

/// Whether an `or` stands outside of parentheses in `text`, so that these have to go around it before something is added.
pub(super) fn has_alternatives(text: &str) -> bool {
    let mut depth = 0_usize;
    tokens(text).unwrap_or_default().iter().any(|token| {
        match token.lexeme {
            Lexeme::Open => depth += 1,
            Lexeme::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.lexeme == Lexeme::Or
    })
}

/// The tokens of `text`.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let at = lexer.at;
        let Some(lexeme) = lexer.next()? else { return Ok(tokens) };
        tokens.push(Token { lexeme, at });
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn take(&mut self, len: usize) -> &'t str {
        let taken = &self.rest()[..len];
        self.at += len;
        taken
    }

    fn next(&mut self) -> Result<Option<Lexeme>, FilterError> {
        let at = self.at;
        let Some(first) = self.rest().chars().next() else { return Ok(None) };
        let single = match first {
            '(' => Some(Lexeme::Open),
            ')' => Some(Lexeme::Close),
            '!' => Some(Lexeme::Not),
            _ => None,
        };
        if single.is_some() {
            self.at += 1;
            return Ok(single);
        }
        if first == '/' {
            let item = self.regex().ok_or_else(|| {
                FilterError::new(
                    at,
                    "this regular expression is not closed; end it with a /, or put the word in quotes",
                )
            })?;
            return Ok(Some(Lexeme::Bare(item)));
        }
        if matches!(first, '"' | '\'') {
            return Ok(Some(Lexeme::Bare(self.quoted(first)?)));
        }
        self.word().map(Some)
    }

    fn word(&mut self) -> Result<Lexeme, FilterError> {
        let at = self.at;
        if let Some((key, operator, len)) = self.term_start() {
            self.at += len;
            self.skip_blanks_after(operator);
            let items = self.items(&key)?;
            return Ok(Lexeme::Term { key, operator, items });
        }
        let text = self.take(boundary(self.rest()));
        Ok(match text.to_ascii_lowercase().as_str() {
            "and" | "&&" => Lexeme::And,
            "or" | "||" => Lexeme::Or,
            "not" => Lexeme::Not,
            _ => Lexeme::Bare(Item { text: text.to_owned(), form: Form::Plain, at }),
        })
    }

    /// `age > 60s` is read like `age>60s`.
    fn skip_blanks_after(&mut self, operator: Operator) {
        if operator != Operator::Has {
            self.skip_blanks();
        }
    }

    /// A key and an operator at the current place, and how many bytes they take.
    fn term_start(&self) -> Option<(String, Operator, usize)> {
        let rest = self.rest();
        let key_len = key_len(rest);
        if key_len == 0 || is_address(&rest[..boundary(rest)]) {
            return None;
        }
        let after = &rest[key_len..];
        let blanks = after.len() - after.trim_start().len();
        let (sign, operator) = OPERATORS.iter().find(|(sign, _)| after[blanks..].starts_with(sign))?;
        if blanks > 0 && *operator == Operator::Has {
            return None;
        }
        Some((rest[..key_len].to_ascii_lowercase(), *operator, key_len + blanks + sign.len()))
    }

    /// The comma list of a term.
    fn items(&mut self, key: &str) -> Result<Vec<Item>, FilterError> {
        let mut items = Vec::new();
        loop {
            let item = self.item()?;
            if item.text.is_empty() && item.form != Form::Quoted {
                return Err(FilterError::new(
                    item.at,
                    format!("'{key}' needs a value here; use {key}:? for what is not known"),
                ));
            }
            items.push(item);
            if !self.rest().starts_with(',') {
                return Ok(items);
            }
            self.at += 1;
        }
    }

    fn item(&mut self) -> Result<Item, FilterError> {
        let at = self.at;
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => return self.quoted(quote),
            Some('/') => {
                if let Some(item) = self.regex() {
                    return Ok(item);
                }
            }
            _ => {}
        }
        let rest = self.rest();
        let len = boundary(rest).min(rest.find(',').unwrap_or(rest.len()));
        Ok(Item { text: self.take(len).to_owned(), form: Form::Plain, at })
    }

    /// `/…/`, where the closing slash is the first that is not escaped and ends the word; `None` if there is none.
    fn regex(&mut self) -> Option<Item> {
        let (at, rest) = (self.at, self.rest());
        let mut escaped = false;
        for (index, character) in rest.char_indices().skip(1) {
            let ends_word =
                rest[index + character.len_utf8()..].chars().next().is_none_or(|next| is_boundary(next) || next == ',');
            if character == '/' && !escaped && ends_word {
                self.at += index + 1;
                return Some(Item { text: rest[1..index].replace("\\/", "/"), form: Form::Regex, at });
            }
            escaped = character == '\\' && !escaped;
        }
        None
    }

    fn quoted(&mut self, quote: char) -> Result<Item, FilterError> {
        let at = self.at;
        let inside = &self.rest()[1..];
        let Some(len) = inside.find(quote) else {
            return Err(FilterError::new(at, format!("this {quote} is never closed; add another {quote}")));
        };
        self.at += len + 2;
        Ok(Item { text: inside[..len].to_owned(), form: Form::Quoted, at })
    }
}

/// The length of the key at the start of `text`. Digits belong to it only if it names a column (`v6only`), because words
/// that look like keys otherwise are common: `fe80:1`, `web1:8080`.
pub(super) fn key_len(text: &str) -> usize {
    let len_of = |is_of_key: fn(char) -> bool| text.find(|character| !is_of_key(character)).unwrap_or(text.len());
    let len = len_of(|character| character.is_ascii_alphanumeric() || character == '_');
    let is_column = COLUMNS.iter().any(|column| column.key.eq_ignore_ascii_case(&text[..len]));
    if is_column { len } else { len_of(|character| character.is_ascii_alphabetic() || character == '_') }
}

/// The length of the key, the value or the word at the start of `text`; what is not closed reaches to the end of its word.
pub(super) fn part_len(text: &str) -> usize {
    let mut lexer = Lexer { text, at: 0 };
    match text.chars().next() {
        None => 0,
        Some('(' | ')' | '!') => 1,
        Some(_) if lexer.term_start().is_some() => key_len(text),
        Some(_) => lexer.item().map_or_else(|_| boundary(text), |_| lexer.at),
    }
}

fn is_boundary(character: char) -> bool {
    character.is_whitespace() || matches!(character, '(' | ')')
}

/// The length of the word at the start of `text`; a parenthesis at its very start belongs to it.
fn boundary(text: &str) -> usize {
    text.find(is_boundary).unwrap_or(text.len())
}

/// Whether `word` is an IPv6 address whose first group could be taken for a key (`dead::1`).
fn is_address(word: &str) -> bool {
    word.split(['/', '%']).next().is_some_and(|addr| addr.parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexemes(text: &str) -> Vec<Lexeme> {
        tokens(text).expect("the text is well formed").into_iter().map(|token| token.lexeme).collect()
    }

    fn bare(text: &str, form: Form, at: usize) -> Lexeme {
        Lexeme::Bare(Item { text: text.to_owned(), form, at })
    }

    #[test]
    fn words_addresses_and_expressions_are_bare() {
        for text in ["nginx", "10.0.0.1:443", "dead::1", "dead::1%eth0", "fe80::1%eth0", "[::1]:80", "kworker/0:1"] {
            assert_eq!(lexemes(text), [bare(text, Form::Plain, 0)], "{text}");
        }
        assert_eq!(lexemes("/a b/"), [bare("a b", Form::Regex, 0)]);
        assert_eq!(lexemes(r"/a\/b/"), [bare("a/b", Form::Regex, 0)]);
        assert_eq!(lexemes("'and'"), [bare("and", Form::Quoted, 0)]);
    }

    #[test]
    fn terms_have_a_key_an_operator_and_values() {
        let items = |pairs: &[(&str, Form, usize)]| {
            pairs
                .iter()
                .map(|(text, form, at)| Item { text: (*text).to_owned(), form: *form, at: *at })
                .collect::<Vec<_>>()
        };
        for (text, operator, expected) in [
            ("age>=60s", Operator::AtLeast, items(&[("60s", Form::Plain, 5)])),
            ("age >= 60s", Operator::AtLeast, items(&[("60s", Form::Plain, 7)])),
            (
                "AGE:a,'b c',/d e/",
                Operator::Has,
                items(&[("a", Form::Plain, 4), ("b c", Form::Quoted, 6), ("d e", Form::Regex, 12)]),
            ),
            ("age:/usr/bin", Operator::Has, items(&[("/usr/bin", Form::Plain, 4)])),
        ] {
            assert_eq!(lexemes(text), [Lexeme::Term { key: "age".to_owned(), operator, items: expected }], "{text}");
        }
    }

    #[test]
    fn what_is_not_closed_or_empty_is_refused_where_it_starts() {
        for (text, at) in [("a 'b", 2), ("a /b", 2), ("state:", 6), ("state:a,", 8)] {
            assert_eq!(tokens(text).expect_err(text).at, at, "{text}");
        }
    }
}
