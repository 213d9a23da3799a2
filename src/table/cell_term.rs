//! The term of a filter that passes exactly the sockets which have the value of a cell.
//!
//! | the cell holds | the term |
//! |---|---|
//! | words, an address | `key="…"`, as it is written; words differ by more than the case of their letters |
//! | a port, a number, bytes | `key:N`; of the pids of a shared socket the lowest, which the cell shows |
//! | a state, a label, yes or no | `key:label` |
//! | a process | `program="…"`, the name that the cell begins with; where none is known `owner:` and why |
//! | nothing | `key:?` |
//!
//! Times, rates and shares differ in more digits than a cell shows, and change by themselves: they have no term.

use crate::model::process::Owner;
use crate::model::quoting::filter_word;
use crate::model::tcp_state::TcpState;
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::column::{Column, refuse_hint};
use crate::table::value::Value;

/// The term for the cell of `row` in `column`; an error is a sentence that says why there is none.
pub fn term(column: &Column<SocketRow>, row: &SocketRow, store: &Store) -> Result<String, String> {
    refuse_hint(column)?;
    let key = column.key;
    match (column.value)(row, store) {
        Value::Process(owner) => owner_term(owner),
        Value::Missing => Ok(format!("{key}:?")),
        value @ (Value::Text(_) | Value::Owned(_) | Value::User { .. } | Value::Address(_) | Value::Endpoint(..)) => {
            words_term(key, &value.text())
        }
        Value::Word { label, .. } => Ok(format!("{key}:{}", label.replace(' ', "-"))),
        Value::Flag(flag) => Ok(format!("{key}:{}", if flag { "yes" } else { "no" })),
        Value::State(state) => Ok(state_term(state)),
        Value::Port(port) => Ok(format!("{key}:{port}")),
        Value::Pids(holders) => Ok(format!("{key}:{}", holders.first().id.pid)),
        Value::Count(number) | Value::Number(number) | Value::Bytes(number) => Ok(format!("{key}:{number}")),
        Value::Host(_)
        | Value::BytesPerSecond(_)
        | Value::Span(_)
        | Value::Age(..)
        | Value::Share(_)
        | Value::Gauge(_)
        | Value::PerSecond(_)
        | Value::Trend { .. }
        | Value::Queues { .. } => Err(changing(column.title, key)),
    }
}

/// The term for words that are to be matched as they are written.
pub fn words_term(key: &str, words: &str) -> Result<String, String> {
    let quoted = filter_word(words).ok_or("this text has both kinds of quotes, so no filter can be written for it")?;
    Ok(format!("{key}={quoted}"))
}

/// The term for a state, as it is written in filters: `state:close-wait`.
pub fn state_term(state: TcpState) -> String {
    format!("state:{}", state.name().to_lowercase().replace('_', "-"))
}

/// The term for the process that holds a socket, or for why none is known.
fn owner_term(owner: &Owner) -> Result<String, String> {
    match owner.process() {
        Some(process) => words_term("program", process.name.as_str()),
        None => Ok(format!("owner:{}", owner.label())),
    }
}

/// What is said of a column whose values change by themselves.
fn changing(title: &str, key: &str) -> String {
    format!("{title} changes by itself, so no filter keeps one value of it; a bound does, such as {key}>10")
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use super::*;
    use crate::model::delta::{AgeBasis, Delta, Since};
    use crate::model::process::{Holders, Names};
    use crate::model::socket::NetnsId;
    use crate::model::testing::{connection, listener, process, source_info, tcp, udp};
    use crate::model::time::Timestamp;
    use crate::table::connections::COLUMNS;
    use crate::table::filter::Filter;

    /// Sockets that differ in little: addresses of one number on several interfaces and families, names that contain one another.
    fn store() -> Store {
        let remembered =
            |name| Owner::Remembered(Arc::new(Holders::new(vec![process(77, name)]).expect("one process")));
        let on = |cookie: u64, local: &str, index: u32, only: Option<bool>| {
            listener(cookie, 80).local(local).remote(if local.contains("::") { "[::]:0" } else { "0.0.0.0:0" }).with(
                |socket| {
                    socket.interface = NonZeroU32::new(index);
                    socket.v6only = only;
                },
            )
        };
        let pool = process(4121, "jdbc pool");
        let sockets = [
            tcp(1)
                .local("10.0.0.7:443")
                .remote("10.0.0.20:5432")
                .held_by(std::slice::from_ref(&pool))
                .queues(20_000, 0)
                .info(|info| info.rtt_us = 120_000),
            tcp(2).local("10.0.0.7:443").remote("10.0.0.20:54321").held_by(&[process(4122, "jdbc")]).queues(20_001, 0),
            tcp(1 << 62)
                .local("10.0.0.7:44")
                .remote("10.0.0.2:5432")
                .state(TcpState::CloseWait)
                .held_by(&[pool, process(5000, "logger")])
                .uid(33),
            tcp(4).local("[::ffff:10.0.0.7]:443").remote("[::ffff:10.0.0.20]:5432").owner(Owner::Unaccepted),
            tcp(5).mini(TcpState::TimeWait).owner(remembered("jdbc")),
            tcp(6).mini(TcpState::TimeWait).owner(Owner::None),
            tcp(7)
                .local("[fe80::1]:50000")
                .remote("[fe80::2]:22")
                .owner(Owner::Hidden)
                .with(|socket| socket.interface = NonZeroU32::new(3)),
            tcp(8).local("[fe80::1]:50000").remote("[fe80::2]:22").owner(Owner::Vanished),
            udp(9, 53).held_by(&[process(611, "it's \"both\"")]),
            on(100, "[::]:80", 0, Some(true)),
            on(101, "[::]:80", 1, Some(false)).netns(2),
            on(102, "0.0.0.0:80", 2, None),
            on(103, "0.0.0.0:80", 3, None).queues(3, 128),
            on(104, "10.0.0.7:80", 4, None),
            on(105, "10.0.0.7:80", 0, None),
        ];
        let names = Names {
            users: [(33, "www-data".into())].into(),
            interfaces: [((NetnsId(0), 3), "eth0".into()), ((NetnsId(0), 4), "eth1".into())].into(),
            namespaces: [(NetnsId(0), "own".into()), (NetnsId(2), "blue".into())].into(),
            ..Names::default()
        };
        let at = Timestamp::from_millis(100_000);
        let added = sockets.into_iter().enumerate().map(|(nth, socket)| {
            let mut connection = connection(socket, 0);
            connection.state_since =
                Some(Since { at: Timestamp::from_millis(90_000 - nth as u64), basis: AgeBasis::Observed });
            connection
        });
        let mut store = Store::new(source_info());
        store.apply(Delta { at, added: added.collect(), names: Arc::new(names), ..Delta::default() });
        store
    }

    /// What tells the values of a cell apart: what it shows, but for the owner only the program, and for its number all digits.
    fn value(column: &Column<SocketRow>, row: &SocketRow, store: &Store) -> String {
        match (column.value)(row, store) {
            Value::Process(owner) => {
                owner.process().map_or_else(|| owner.label().to_owned(), |process| format!("process {}", process.name))
            }
            value => format!("{} {:?}", value.text(), value.scalar()),
        }
    }

    #[test]
    fn the_term_of_a_cell_passes_exactly_the_rows_with_its_value_in_every_column() {
        let store = store();
        let rows: Vec<&SocketRow> = store.rows().iter().map(|(_, row)| row).collect();
        let mut without = Vec::new();
        for column in COLUMNS {
            for row in &rows {
                let term = match term(column, row, &store) {
                    Ok(term) => term,
                    Err(why) => {
                        assert!(!why.contains('\n') && why.len() > 20, "{why}");
                        without.push(column.key);
                        continue;
                    }
                };
                let (only, others) = (Filter::parse(&term), Filter::parse(&format!("!{term}")));
                let (only, others) = (only.expect(&term), others.expect(&term));
                let wanted = value(column, row, &store);
                for other in &rows {
                    let is_same = value(column, other, &store) == wanted;
                    assert_eq!(
                        only.matches(other, &store),
                        is_same,
                        "{term} {wanted} {}",
                        value(column, other, &store)
                    );
                    assert_eq!(others.matches(other, &store), !is_same, "!{term}");
                }
            }
        }
        without.dedup();
        assert_eq!(
            without,
            ["rname", "age", "process", "program", "rtt", "command"],
            "all others have one, or are blank here"
        );
    }

    #[test]
    fn what_has_no_term_says_why() {
        let store = store();
        let (_, row) = store.rows().iter().next().expect("a row");
        let of = |key: &str| {
            let column = COLUMNS.iter().find(|column| column.key == key).expect("a column");
            term(column, row, &store)
        };
        assert!(of("age").expect_err("no two times are equal").contains("age>10"));
        assert!(of("rname").expect_err("a hint").contains("not trusted"));
        assert_eq!(of("process").as_deref(), Ok("program=\"jdbc pool\""));
        assert_eq!(of("remote").as_deref(), Ok("remote=\"10.0.0.20:5432\""));
    }
}
