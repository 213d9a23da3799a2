//! What can stand at the cursor of a filter that is being typed: keys, operators and values, those that the store holds first.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::knowledge::ports;
use crate::model::quoting::filter_word;
use crate::model::tcp_state::{STATE_GROUPS, STATES};
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::column::ValueKind;
use crate::table::connections::COLUMNS;
use crate::table::filter::lexer::{OPERATORS, key_len};
use crate::table::filter::parser::{EITHER_END, columns_of};
use crate::table::value::Value;

/// So many rows, and as many sets of alike sockets, are looked at for values.
const LOOKED_AT_MAX: usize = 2_048;
/// More completions than these are not offered; who wants another types one more letter.
const ITEMS_MAX: usize = 64;
/// The words between and before conditions.
const CONNECTIVES: [(&str, &str); 3] =
    [("and", "both conditions"), ("or", "either condition"), ("not", "not the condition after it")];

/// One thing that can stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletionItem {
    /// What is written.
    pub text: String,
    /// What it means; empty where the text says it.
    pub about: String,
}

impl CompletionItem {
    fn new(text: impl Into<String>, about: impl Into<String>) -> Self {
        Self { text: text.into(), about: about.into() }
    }
}

/// What can stand at a place of a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterCompletion {
    /// The bytes of the filter that an item takes the place of.
    pub range: Range<usize>,
    /// What can stand there, best first; `ITEMS_MAX` at the most.
    pub items: Vec<CompletionItem>,
    /// What the key before the cursor means; empty where there is none.
    pub about: &'static str,
}

/// The word of `text` that ends at byte `cursor`; empty where a blank or a parenthesis stands before the cursor. What is in
/// quotes, or between slashes, is one word.
pub fn word_at(text: &str, cursor: usize) -> Range<usize> {
    let (mut start, mut quote) = (0, None);
    let mut before = ' ';
    for (at, character) in text[..cursor].char_indices() {
        match quote {
            Some(mark) => quote = Some(mark).filter(|mark| *mark != character),
            None if matches!(character, '"' | '\'') && (at == start || ":=<>,".contains(before)) => {
                quote = Some(character);
            }
            None if character == '/' && at == start => quote = Some(character),
            None if character.is_whitespace() || matches!(character, '(' | ')') || character == '!' && at == start => {
                start = at + character.len_utf8();
            }
            None => {}
        }
        before = character;
    }
    start..cursor
}

/// What is left of `text` without the word that ends at `cursor`: what that word stood behind goes with it, so that the rest can
/// be understood.
pub fn without_word_at(text: &str, cursor: usize) -> String {
    let mut before = text[..word_at(text, cursor).start].trim_end();
    loop {
        let word = before.rfind(|character: char| character.is_whitespace() || character == '(').map_or(0, |at| at + 1);
        let is_left_over =
            ["and", "&&", "or", "||", "not"].iter().any(|name| before[word..].eq_ignore_ascii_case(name));
        before = match before.strip_suffix(['!', '(']) {
            Some(rest) => rest.trim_end(),
            None if is_left_over => before[..word].trim_end(),
            None => break,
        };
    }
    let rest = format!("{before}{}", &text[cursor..]);
    let open = rest.matches('(').count().saturating_sub(rest.matches(')').count());
    format!("{}{}", rest, ")".repeat(open))
}

/// What can stand at byte `cursor` of `text`. `is_asked`: also where nothing is typed yet.
pub fn complete(text: &str, cursor: usize, is_asked: bool, store: &Store) -> FilterCompletion {
    let word = word_at(text, cursor);
    let typed = &text[word.clone()];
    let goes_on = text[cursor..].chars().next().is_some_and(|next| !next.is_whitespace() && next != ')');
    if goes_on || typed.starts_with(['/', '"', '\'']) || (typed.is_empty() && !is_asked) {
        return FilterCompletion { range: word, ..FilterCompletion::default() };
    }
    let key = &typed[..key_len(typed)];
    let sign = OPERATORS.iter().map(|(sign, _)| *sign).find(|sign| typed[key.len()..].starts_with(sign));
    let mut found = match sign {
        Some(sign) if !key.is_empty() => values(key, typed, word.start, key.len() + sign.len(), store),
        _ => FilterCompletion { items: keys(typed, word.start > 0), range: word, about: about(typed) },
    };
    found.items.truncate(ITEMS_MAX);
    found
}

/// What the key means; empty where there is none.
fn about(key: &str) -> &'static str {
    if let Some((name, _)) = EITHER_END.iter().find(|(name, _)| key.eq_ignore_ascii_case(name)) {
        return either_end_about(name);
    }
    columns_of(&key.to_ascii_lowercase())
        .ok()
        .and_then(|columns| columns.first().copied())
        .map_or("", |at| COLUMNS[at].about)
}

fn either_end_about(name: &str) -> &'static str {
    match name {
        "port" => "The port of either end.",
        "endpoint" => "The address and port of either end.",
        _ => "The address of either end.",
    }
}

/// Keys that begin with `typed`, each with the operator that fits it most often; of a key that is typed in full its operators.
fn keys(typed: &str, is_second: bool) -> Vec<CompletionItem> {
    let begins = |name: &str| name.len() > typed.len() && name[..typed.len()].eq_ignore_ascii_case(typed);
    let mut items = if typed.is_empty() { Vec::new() } else { operators(typed) };
    items.extend(
        EITHER_END
            .iter()
            .filter(|(name, _)| begins(name))
            .map(|(name, _)| CompletionItem::new(format!("{name}:"), either_end_about(name))),
    );
    // Those that are shown come first: they are looked for most often.
    for is_shown in [true, false] {
        let wanted =
            COLUMNS.iter().filter(|column| column.rank.is_some() == is_shown && !column.is_hint && begins(column.key));
        items.extend(
            wanted.map(|column| {
                CompletionItem::new(format!("{}{}", column.key, usual_operator(column.kind)), column.about)
            }),
        );
    }
    items.extend(
        CONNECTIVES
            .iter()
            .filter(|(name, _)| is_second && begins(name))
            .map(|(name, about)| CompletionItem::new(*name, *about)),
    );
    items
}

const fn usual_operator(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Span | ValueKind::Bytes | ValueKind::Rate | ValueKind::Share | ValueKind::Count => ">",
        _ => ":",
    }
}

/// The operators that the key `typed` takes; none where it is no key.
fn operators(typed: &str) -> Vec<CompletionItem> {
    let Ok(columns) = columns_of(&typed.to_ascii_lowercase()) else { return Vec::new() };
    let kind = columns.first().map(|at| COLUMNS[*at].kind);
    let signs: &[(&str, &str)] = match kind {
        Some(ValueKind::Span) => {
            &[(">", "longer than"), ("<", "shorter than"), (":", "from-to, as in 1m-5m; ? is not known")]
        }
        Some(ValueKind::Text) => {
            &[(":", "contains; * stands for anything"), ("=", "is exactly"), ("!=", "is known and is not")]
        }
        Some(
            ValueKind::Port
            | ValueKind::Number
            | ValueKind::Count
            | ValueKind::Bytes
            | ValueKind::Rate
            | ValueKind::Share,
        ) => &[
            (":", "is, or from-to"),
            (">", "more than"),
            ("<", "less than"),
            (">=", "at least"),
            ("<=", "at most"),
            ("!=", "is known and is not"),
        ],
        _ => &[(":", "is"), ("!=", "is known and is not")],
    };
    signs.iter().map(|(sign, about)| CompletionItem::new(format!("{typed}{sign}"), *about)).collect()
}

/// Values for the key of the term `typed`, which begins at byte `start` of the filter and has its values from `from` on.
fn values(key: &str, typed: &str, start: usize, from: usize, store: &Store) -> FilterCompletion {
    let from = from + typed[from..].rfind(',').map_or(0, |comma| comma + 1);
    let prefix = typed[from..].trim_start_matches(['"', '\'']);
    let range = start + from..start + typed.len();
    let Ok(columns) = columns_of(&key.to_ascii_lowercase()) else {
        return FilterCompletion { range, ..Default::default() };
    };
    let Some(column) = columns.first().map(|at| &COLUMNS[*at]) else {
        return FilterCompletion { range, ..Default::default() };
    };
    let fits = |text: &str| text.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix));
    let mut items = match column.kind {
        ValueKind::State => states(store),
        ValueKind::Word(labels) => {
            labels.iter().map(|label| CompletionItem::new(label.replace(' ', "-"), "")).collect()
        }
        ValueKind::Flag => vec![CompletionItem::new("yes", ""), CompletionItem::new("no", "")],
        ValueKind::Span => ["10s", "1m", "5m", "1h"].map(|text| CompletionItem::new(text, "")).to_vec(),
        ValueKind::Bytes | ValueKind::Rate => {
            ["0", "1k", "100k", "1M"].map(|text| CompletionItem::new(text, "")).to_vec()
        }
        ValueKind::Count => ["0", "1", "10", "100"].map(|text| CompletionItem::new(text, "")).to_vec(),
        ValueKind::Share => ["50%", "80%", "90%"].map(|text| CompletionItem::new(text, "")).to_vec(),
        _ if matches!(column.key, "process" | "pid") => holders(column.key == "pid", &fits, store),
        kind => live(&columns, kind, &fits, store),
    };
    items.retain(|item| fits(item.text.trim_start_matches(['"', '\''])));
    if prefix.is_empty() {
        items.truncate(ITEMS_MAX - 1);
        items.push(CompletionItem::new("?", "what is not known"));
    }
    let about = if columns.len() > 1 { about(key) } else { column.about };
    FilterCompletion { range, items, about }
}

/// The states, those of most sockets first, and their groups.
fn states(store: &Store) -> Vec<CompletionItem> {
    let counts = store.rows().counts();
    let mut rows: Vec<_> = STATES.iter().map(|row| (counts.of(row.state), row)).collect();
    rows.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let spelled = |name: &str| name.to_lowercase().replace('_', "-");
    let of_state = rows.into_iter().map(|(count, row)| CompletionItem::new(spelled(row.name), format!("{count} now")));
    let of_group =
        STATE_GROUPS.iter().map(|(name, states)| CompletionItem::new(*name, format!("{} states", states.len())));
    of_state.chain(of_group).collect()
}

/// The processes that hold sockets, by name or pid, those with most sockets first.
fn holders(by_pid: bool, fits: &impl Fn(&str) -> bool, store: &Store) -> Vec<CompletionItem> {
    let mut found: FxHashMap<String, (u64, String)> = FxHashMap::default();
    for (id, sockets) in store.rows().holders().take(LOOKED_AT_MAX) {
        let Some(process) = store.rows().process(id) else { continue };
        let (text, about) = if by_pid {
            (id.pid.to_string(), process.name.to_string())
        } else {
            (process.name.to_string(), String::new())
        };
        if fits(&text) {
            found.entry(text).or_insert((0, about)).0 += u64::from(sockets);
        }
    }
    most_first(found)
}

/// The values that the first rows have in `columns`, and an example of each set of alike sockets, those that are met most often
/// first.
fn live(columns: &[usize], kind: ValueKind, fits: &impl Fn(&str) -> bool, store: &Store) -> Vec<CompletionItem> {
    let mut found: FxHashMap<String, (u64, String)> = FxHashMap::default();
    let mut look_at = |row: &SocketRow, weight: u64| {
        for column in columns {
            let value = (COLUMNS[*column].value)(row, store);
            if matches!(value, Value::Missing) {
                continue;
            }
            let text = value.text();
            if !text.is_empty() && fits(&text) {
                found.entry(text.into_owned()).or_insert((0, String::new())).0 += weight;
            }
        }
    };
    let alike = store.rows().alike();
    for (number, set) in alike.iter().take(LOOKED_AT_MAX) {
        if let Some(row) = alike.example(number).and_then(|index| store.rows().get(index)) {
            look_at(row, u64::from(set.sums.sockets));
        }
    }
    store.rows().iter().take(LOOKED_AT_MAX).for_each(|(_, row)| look_at(row, 1));
    let mut items = most_first(found);
    if kind == ValueKind::Port {
        for item in &mut items {
            item.about.push_str(item.text.parse().ok().and_then(service).unwrap_or_default());
        }
    }
    items
}

fn service(port: u16) -> Option<&'static str> {
    use crate::model::endpoint::Protocol;
    [Protocol::Tcp, Protocol::Udp].into_iter().find_map(|protocol| ports::service(protocol, port))
}

/// Items of `found`, the most frequent first, each as a filter writes it; what no quotes fit is left out.
fn most_first(found: FxHashMap<String, (u64, String)>) -> Vec<CompletionItem> {
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by(|(a, (most, _)), (b, (least, _))| (least, a).cmp(&(most, b)));
    let written = |text: String| if needs_quotes(&text) { filter_word(&text) } else { Some(text) };
    found
        .into_iter()
        .filter_map(|(text, (_, about))| Some(CompletionItem { text: written(text)?, about }))
        .take(ITEMS_MAX)
        .collect()
}

/// Whether a value means something else, or ends early, without quotes.
fn needs_quotes(text: &str) -> bool {
    let is_special = |character: char| character.is_whitespace() || "(),\"'*".contains(character);
    text.contains(is_special) || text.starts_with('/') || text == "?" || text.eq_ignore_ascii_case("null")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delta::Delta;
    use crate::model::tcp_state::TcpState;
    use crate::model::testing::{connection, listener, process, source_info, tcp};
    use crate::table::filter::Filter;

    fn store() -> Store {
        let sockets = [
            tcp(1).remote("10.0.0.20:5432").held_by(&[process(4121, "jdbc pool")]),
            tcp(2).remote("10.0.0.20:5432").state(TcpState::CloseWait).held_by(&[process(4121, "jdbc pool")]),
            tcp(3).remote("[2001:db8::9]:443").held_by(&[process(812, "nginx")]),
            listener(4, 8080).held_by(&[process(812, "nginx")]),
        ];
        let mut store = Store::new(source_info());
        let added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
        store.apply(Delta { added, ..Delta::default() });
        store
    }

    fn texts(text: &str) -> Vec<String> {
        complete(text, text.len(), false, &store()).items.into_iter().map(|item| item.text).collect()
    }

    #[test]
    fn keys_come_with_their_operator_and_a_whole_key_with_all_of_them() {
        assert_eq!(texts("sta"), ["state:"]);
        assert_eq!(texts("!sta"), ["state:"]);
        assert_eq!(texts("(nginx or ag"), ["age>", "age_basis:"]);
        assert_eq!(texts("age"), ["age>", "age<", "age:", "age_basis:"]);
        assert_eq!(texts("nginx a")[..2], ["addr:", "age>"]);
        assert_eq!((texts("nginx an"), texts("an")), (vec!["and".to_owned()], vec![]));
        assert!(texts("rna").is_empty(), "names of hosts are no key");
        assert!(texts("").is_empty() && !complete("", 0, true, &store()).items.is_empty(), "only if asked for");
    }

    #[test]
    fn values_are_those_that_are_there_the_most_frequent_first() {
        assert_eq!(texts("state:e"), ["established"]);
        assert_eq!(texts("state:listen,clo"), ["close-wait", "closing", "close"]);
        assert_eq!(texts("process:"), ["\"jdbc pool\"", "nginx", "?"]);
        assert_eq!(texts("process:\"jd"), ["\"jdbc pool\""]);
        assert_eq!(texts("pid:4"), ["4121"]);
        assert_eq!(texts("port:5"), ["5432"]);
        assert_eq!(texts("raddr:2001"), ["2001:db8::9"]);
        assert_eq!(texts("!proto:t"), ["tcp"]);
        let about = |text: &str| complete(text, text.len(), false, &store()).items[0].about.clone();
        assert_eq!([about("pid:8"), about("rport:44")], ["nginx", "https"]);
    }

    #[test]
    fn what_is_offered_can_be_understood() {
        for column in COLUMNS.iter().filter(|column| !column.is_hint) {
            for sign in operators(column.key) {
                for item in complete(&sign.text, sign.text.len(), false, &store()).items {
                    let text = format!("{}{}", sign.text, item.text);
                    let is_size =
                        sign.text.ends_with(['<', '>']) || sign.text.ends_with(">=") || sign.text.ends_with("<=");
                    let is_equal_time = column.kind == ValueKind::Span && !is_size;
                    let is_unordered = is_size && item.text == "?";
                    assert!(Filter::parse(&text).is_ok() || is_equal_time || is_unordered, "{text}");
                }
            }
        }
    }

    #[test]
    fn the_rest_without_the_word_at_the_cursor_can_be_understood() {
        for (text, rest) in [
            ("state:es", ""),
            ("nginx state:es", "nginx"),
            ("nginx or !state:es", "nginx"),
            ("(nginx or (rport:44", "(nginx)"),
            ("nginx and not 'a b", "nginx"),
            ("nginx ", "nginx"),
        ] {
            assert_eq!(without_word_at(text, text.len()), rest, "{text}");
            assert!(Filter::parse(rest).is_ok());
        }
        assert_eq!(without_word_at("state:es nginx", 8), " nginx");
    }

    #[test]
    fn only_so_much_is_looked_at_however_many_there_are() {
        let many = (0..20_000)
            .map(|cookie| {
                connection(tcp(cookie).held_by(&[process(u32::try_from(cookie).expect("small") + 2, "p")]), 0)
            })
            .collect();
        let mut store = Store::new(source_info());
        store.apply(Delta { added: many, ..Delta::default() });
        assert_eq!(complete("pid:", 4, false, &store).items.len(), ITEMS_MAX);
        assert_eq!(holders(true, &|_| true, &store).len(), ITEMS_MAX);
    }
}
