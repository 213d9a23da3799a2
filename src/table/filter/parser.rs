//! From tokens to a tree of conditions: `or` of `and`s of negated or plain conditions.

use std::net::IpAddr;

use crate::table::column;
use crate::table::connections::{COLUMNS, HOST};
use crate::table::filter::lexer::{Form, Item, Lexeme, Operator, Token, tokens};
use crate::table::filter::pattern::Pattern;
use crate::table::filter::test::Test;
use crate::table::filter::word::Word;
use crate::table::filter::{FILTER_DEPTH_MAX, FilterError, Node};
use crate::table::suggest;

/// Keys that stand for both ends of a connection.
pub const EITHER_END: [(&str, [&str; 2]); 3] =
    [("port", ["lport", "rport"]), ("addr", ["laddr", "raddr"]), ("endpoint", ["local", "remote"])];

/// Other words for a key: those of ss(8) and of packet filters.
const ALIASES: [(&str, &str); 7] = [
    ("sport", "lport"),
    ("dport", "rport"),
    ("src", "laddr"),
    ("dst", "raddr"),
    ("name", "process"),
    ("cmd", "command"),
    ("protocol", "proto"),
];

/// The condition that `text` writes; `None` if it writes none.
pub(super) fn parse(text: &str) -> Result<Option<Node>, FilterError> {
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { tokens, next: 0, end: text.len() };
    let node = parser.any(0)?;
    match parser.peek() {
        None => Ok(Some(node)),
        Some(token) => Err(FilterError::new(token.at, "this ) closes nothing; remove it or add a ( before it")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn next_is(&self, lexeme: &Lexeme) -> bool {
        self.peek().is_some_and(|token| token.lexeme == *lexeme)
    }

    fn any(&mut self, depth: usize) -> Result<Node, FilterError> {
        let mut nodes = vec![self.all(depth)?];
        while self.next_is(&Lexeme::Or) {
            self.next += 1;
            nodes.push(self.all(depth)?);
        }
        Ok(single_or(nodes, Node::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Node, FilterError> {
        let mut nodes = vec![self.one(depth)?];
        loop {
            match self.peek().map(|token| &token.lexeme) {
                None | Some(Lexeme::Or | Lexeme::Close) => return Ok(single_or(nodes, Node::All)),
                Some(Lexeme::And) => self.next += 1,
                Some(_) => {}
            }
            nodes.push(self.one(depth)?);
        }
    }

    fn one(&mut self, depth: usize) -> Result<Node, FilterError> {
        let Some(token) = self.tokens.get(self.next).cloned() else {
            return Err(FilterError::new(self.end, "a condition is missing at the end, such as state:close-wait"));
        };
        if depth > FILTER_DEPTH_MAX {
            return Err(FilterError::new(
                token.at,
                format!("the filter nests deeper than {FILTER_DEPTH_MAX}; write it flatter"),
            ));
        }
        self.next += 1;
        match token.lexeme {
            Lexeme::Not => Ok(Node::Not(Box::new(self.one(depth + 1)?))),
            Lexeme::Open => self.group(token.at, depth),
            Lexeme::Bare(item) => bare(&item),
            Lexeme::Term { key, operator, items } => term(token.at, &key, operator, &items),
            Lexeme::Close => Err(FilterError::new(token.at, "a condition is missing before this )")),
            Lexeme::And => Err(FilterError::new(
                token.at,
                "'and' needs a condition on both sides; put the word in quotes to look for it",
            )),
            Lexeme::Or => Err(FilterError::new(
                token.at,
                "'or' needs a condition on both sides; put the word in quotes to look for it",
            )),
        }
    }

    fn group(&mut self, at: usize, depth: usize) -> Result<Node, FilterError> {
        let node = self.any(depth + 1)?;
        if !self.next_is(&Lexeme::Close) {
            return Err(FilterError::new(at, "this ( is never closed; add a )"));
        }
        self.next += 1;
        Ok(node)
    }
}

fn single_or(mut nodes: Vec<Node>, make: impl FnOnce(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(node) if nodes.is_empty() => node,
        Some(node) => {
            nodes.push(node);
            make(nodes)
        }
        None => make(nodes),
    }
}

fn bare(item: &Item) -> Result<Node, FilterError> {
    let expression = |made: Result<Pattern, String>| {
        made.map(Word::expression).map_err(|reason| {
            FilterError::new(item.at, format!("the regular expression /{}/ is not valid: {reason}", item.text))
        })
    };
    let word = match item.form {
        Form::Regex => expression(Pattern::regex(&item.text))?,
        Form::Plain if item.text.contains('*') => expression(Pattern::glob(&item.text))?,
        Form::Plain | Form::Quoted => Word::literal(&item.text),
    };
    Ok(Node::Word(Box::new(word)))
}

fn term(at: usize, key: &str, operator: Operator, items: &[Item]) -> Result<Node, FilterError> {
    // What packet filters call a host is an address of either end.
    let key = if key == HOST && items.iter().all(is_address) { "addr" } else { key };
    let columns = columns_of(key).map_err(|message| FilterError::new(at, message))?;
    let mut tests = Vec::new();
    for item in items {
        for &column in &columns {
            let test = Test::read(key, COLUMNS[column].kind, operator, item);
            tests.push(Node::Column(column, test.map_err(|message| FilterError::new(item.at, message))?));
        }
    }
    let any = single_or(tests, Node::Any);
    if operator != Operator::NotEqual {
        return Ok(any);
    }
    let known = columns.iter().map(|&column| Node::Column(column, Test::Known)).collect();
    Ok(Node::All(vec![single_or(known, Node::Any), Node::Not(Box::new(any))]))
}

/// Whether `item` is an address or a network.
fn is_address(item: &Item) -> bool {
    let address = item.text.split('/').next().unwrap_or_default();
    item.form == Form::Plain && address.parse::<IpAddr>().is_ok()
}

/// The columns that `key` asks: one, or one for each end.
pub(super) fn columns_of(key: &str) -> Result<Vec<usize>, String> {
    if let Some((_, ends)) = EITHER_END.iter().find(|(name, _)| *name == key) {
        return ends.iter().map(|end| column::find(COLUMNS, end)).collect();
    }
    let name = ALIASES.iter().find(|(alias, _)| *alias == key).map_or(key, |(_, name)| name);
    let found = column::find(COLUMNS, name).map_err(|_| {
        let known = COLUMNS.iter().map(|column| column.key).chain(EITHER_END.iter().map(|(name, _)| *name));
        let otherwise = "the keys are the columns, see conntop columns";
        format!("unknown filter key '{key}'; {}", suggest::hint(key, known, otherwise))
    })?;
    column::refuse_hint(&COLUMNS[found])?;
    Ok(vec![found])
}
