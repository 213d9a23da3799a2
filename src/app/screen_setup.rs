//! What the configuration says of the screen: how connections are folded, which columns each table has, what it is sorted by,
//! how far back charts go. The screen starts with it, and what was changed on the screen is written the same way.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::app::menu::FOLDINGS;
use crate::app::panels::table::{ChosenColumn, WIDTH_RANGE};
use crate::model::text::DisplayText;
use crate::store::folding::Folding;
use crate::store::groups::Grouping;
use crate::store::history::trend::ChartSpan;
use crate::table::column::{Column, find, push_once};
use crate::table::connections::COLUMNS;
use crate::table::folded::columns::FOLDED;
use crate::table::groups;
use crate::table::order::Order;
use crate::table::sort::SortKey;
use crate::table::suggest;

/// How the screen is to start; what is not said is as the screen has it by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScreenSetup {
    /// What the lines of the tab Connections have in common.
    pub group: GroupSetup,
    /// How far back charts go.
    pub span: SpanSetup,
    /// The columns of each table.
    pub columns: ColumnsSetup,
    /// What each table is sorted by.
    pub sort: SortSetup,
}

/// The setting `group`; `None`: one line a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct GroupSetup(pub Option<Folding>);

/// The setting `span`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SpanSetup(pub ChartSpan);

/// Section `[columns]`: of each table, by its name, the columns from left to right.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, Vec<String>>")]
pub struct ColumnsSetup(pub BTreeMap<&'static str, Vec<ChosenColumn>>);

/// Section `[sort]`: what each table, by its name, is sorted by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct SortSetup(pub BTreeMap<&'static str, SortKey>);

/// The name of the folded table of the tab Connections.
pub const FOLDED_TABLE: &str = "folded";
/// The name of the table of the tab Connections with one line a socket.
pub const CONNECTIONS_TABLE: &str = "connections";

/// A table of the screen as the configuration knows it.
struct NamedTable {
    name: &'static str,
    /// Finds a column by its keyword.
    find: fn(&str) -> Result<FoundColumn, String>,
    /// The keyword of the column of this index.
    key: fn(usize) -> Option<&'static str>,
}

/// A column that was found by its keyword.
struct FoundColumn {
    index: usize,
    is_hint: bool,
}

const fn named(
    name: &'static str,
    find: fn(&str) -> Result<FoundColumn, String>,
    key: fn(usize) -> Option<&'static str>,
) -> NamedTable {
    NamedTable { name, find, key }
}

fn found<R>(columns: &[Column<R>], key: &str) -> Result<FoundColumn, String> {
    let index = find(columns, key)?;
    Ok(FoundColumn { index, is_hint: columns[index].is_hint })
}

fn key_in<R>(columns: &'static [Column<R>], index: usize) -> Option<&'static str> {
    columns.get(index).map(|column| column.key)
}

/// Every table whose columns can be chosen.
const TABLES: [NamedTable; 6] = [
    named(FOLDED_TABLE, |key| found(FOLDED, key), |index| key_in(FOLDED, index)),
    named(CONNECTIONS_TABLE, |key| found(COLUMNS, key), |index| key_in(COLUMNS, index)),
    named(
        "processes",
        |key| found(groups::columns(Grouping::Process), key),
        |index| key_in(groups::columns(Grouping::Process), index),
    ),
    named(
        "remotes",
        |key| found(groups::columns(Grouping::Remote), key),
        |index| key_in(groups::columns(Grouping::Remote), index),
    ),
    named(
        "listeners",
        |key| found(groups::columns(Grouping::Listener), key),
        |index| key_in(groups::columns(Grouping::Listener), index),
    ),
    named(
        "ports",
        |key| found(groups::columns(Grouping::PortPool), key),
        |index| key_in(groups::columns(Grouping::PortPool), index),
    ),
];

/// The name of the table of this grouping.
pub const fn group_table(grouping: Grouping) -> &'static str {
    match grouping {
        Grouping::Process => "processes",
        Grouping::Remote => "remotes",
        Grouping::Listener => "listeners",
        Grouping::PortPool => "ports",
    }
}

fn table(section: &str, name: &str) -> Result<&'static NamedTable, String> {
    TABLES.iter().find(|table| table.name == name).ok_or_else(|| {
        let all = format!("there are {}", TABLES.map(|table| table.name).join(", "));
        let hint = suggest::hint(name, TABLES.iter().map(|table| table.name), &all);
        format!("[{section}]: there is no table '{}'; {hint}", DisplayText::new(name))
    })
}

impl TryFrom<String> for GroupSetup {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let found = FOLDINGS.iter().find(|row| row.name == text);
        found.map(|row| Self(row.folding)).ok_or_else(|| {
            let all = format!("there are {}", FOLDINGS.map(|row| row.name).join(", "));
            let hint = suggest::hint(&text, FOLDINGS.iter().map(|row| row.name), &all);
            format!("unknown value '{}' of group; {hint}", DisplayText::new(&text))
        })
    }
}

impl Default for GroupSetup {
    fn default() -> Self {
        Self(Some(Folding::default()))
    }
}

impl GroupSetup {
    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        FOLDINGS.iter().find(|row| row.folding == self.0).map_or("none", |row| row.name)
    }
}

const SPANS: [(&str, ChartSpan); 3] = [("2m", ChartSpan::Short), ("15m", ChartSpan::Middle), ("24h", ChartSpan::Long)];

impl TryFrom<String> for SpanSetup {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let found = SPANS.iter().find(|(name, _)| *name == text);
        found.map(|(_, span)| Self(*span)).ok_or_else(|| {
            format!(
                "unknown value '{}' of span; there are {}",
                DisplayText::new(&text),
                SPANS.map(|(name, _)| name).join(", ")
            )
        })
    }
}

impl SpanSetup {
    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        SPANS.iter().find(|(_, span)| *span == self.0).map_or(SPANS[0].0, |(name, _)| name)
    }
}

impl TryFrom<BTreeMap<String, Vec<String>>> for ColumnsSetup {
    type Error = String;

    fn try_from(sections: BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        let mut setup = Self::default();
        for (name, texts) in sections {
            let table = table("columns", &name)?;
            let (mut columns, mut indices) = (Vec::new(), Vec::new());
            for text in &texts {
                let column = chosen(table, text).map_err(|why| format!("[columns] {name}: {why}"))?;
                push_once(&mut indices, column.index, DisplayText::new(text).as_str())?;
                columns.push(column);
            }
            if columns.is_empty() {
                return Err(format!(
                    "[columns] {name}: a table needs a column; leave it out for those it has by itself"
                ));
            }
            setup.0.insert(table.name, columns);
        }
        Ok(setup)
    }
}

/// The column that `text` writes: `state`, or `state:11` with its width in cells.
fn chosen(table: &NamedTable, text: &str) -> Result<ChosenColumn, String> {
    let (key, width) = text.split_once(':').map_or((text, None), |(key, width)| (key, Some(width)));
    let FoundColumn { index, is_hint } = (table.find)(key)?;
    if is_hint {
        return Err(format!("'{key}' is shown while names are asked for, and needs no choice; leave it out"));
    }
    let Some(width) = width else { return Ok(ChosenColumn { index, width: None }) };
    let (least, most) = WIDTH_RANGE;
    let width = width.parse().ok().filter(|width| (least..=most).contains(width));
    let width =
        width.ok_or_else(|| format!("the width of {key} is a number from {least} to {most}, as in {key}:20"))?;
    Ok(ChosenColumn { index, width: Some(width) })
}

impl TryFrom<BTreeMap<String, String>> for SortSetup {
    type Error = String;

    fn try_from(sections: BTreeMap<String, String>) -> Result<Self, String> {
        let mut setup = Self::default();
        for (name, text) in sections {
            let table = table("sort", &name)?;
            let (key, order) =
                text.strip_prefix('-').map_or((text.as_str(), Order::Ascending), |key| (key, Order::Descending));
            let FoundColumn { index, is_hint } = (table.find)(key).map_err(|why| format!("[sort] {name}: {why}"))?;
            if is_hint {
                return Err(format!("[sort] {name}: reverse DNS names are not trusted, so they cannot be sorted by"));
            }
            setup.0.insert(table.name, SortKey { column: index, order });
        }
        Ok(setup)
    }
}

/// The columns of a table as the configuration writes them.
pub fn column_texts(name: &str, columns: &[ChosenColumn]) -> Vec<String> {
    let key = |index: usize| TABLES.iter().find(|table| table.name == name).and_then(|table| (table.key)(index));
    let text = |column: &ChosenColumn| {
        let key = key(column.index)?;
        Some(column.width.map_or_else(|| key.to_owned(), |width| format!("{key}:{width}")))
    };
    columns.iter().filter_map(text).collect()
}

/// What a table is sorted by, as the configuration writes it.
pub fn sort_text(name: &str, sort: SortKey) -> Option<String> {
    let key = TABLES.iter().find(|table| table.name == name).and_then(|table| (table.key)(sort.column))?;
    Some(if sort.order == Order::Descending { format!("-{key}") } else { key.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(name: &str, texts: &[&str]) -> Result<ColumnsSetup, String> {
        ColumnsSetup::try_from(BTreeMap::from([(
            name.to_owned(),
            texts.iter().map(|text| (*text).to_owned()).collect(),
        )]))
    }

    fn sort(name: &str, text: &str) -> Result<SortSetup, String> {
        SortSetup::try_from(BTreeMap::from([(name.to_owned(), text.to_owned())]))
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (name, texts) in [
            (FOLDED_TABLE, vec!["why:40", "process", "pid"]),
            (CONNECTIONS_TABLE, vec!["inode", "local:20"]),
            ("processes", vec!["process"]),
        ] {
            let setup = columns(name, &texts).expect("valid");
            assert_eq!(column_texts(name, &setup.0[name]), texts);
        }
        let setup = sort("connections", "-age").expect("valid");
        assert_eq!(sort_text("connections", setup.0["connections"]).as_deref(), Some("-age"));
        for row in FOLDINGS {
            let group = GroupSetup(row.folding);
            assert_eq!(GroupSetup::try_from(group.name().to_owned()), Ok(group));
        }
        for (name, span) in SPANS {
            assert_eq!(SpanSetup::try_from(name.to_owned()).map(SpanSetup::name), Ok(SpanSetup(span).name()));
        }
    }

    #[test]
    fn what_is_wrong_is_one_sentence() {
        for (error, sentence) in [
            (columns("foldd", &["why"]).map(drop), "[columns]: there is no table 'foldd'; did you mean 'folded'?"),
            (columns("folded", &["wy"]).map(drop), "[columns] folded: unknown column 'wy'; did you mean 'why'?"),
            (
                columns("folded", &["why:1"]).map(drop),
                "[columns] folded: the width of why is a number from 3 to 200, as in why:20",
            ),
            (
                columns("folded", &[]).map(drop),
                "[columns] folded: a table needs a column; leave it out for those it has by itself",
            ),
            (
                columns("folded", &["why", "why"]).map(drop),
                "the column 'why' is asked for twice; name each column once",
            ),
            (
                columns("folded", &["rname"]).map(drop),
                "[columns] folded: 'rname' is shown while names are asked for, and needs no choice; leave it out",
            ),
            (sort("folded", "-wy").map(drop), "[sort] folded: unknown column 'wy'; did you mean 'why'?"),
            (
                sort("folded", "rname").map(drop),
                "[sort] folded: reverse DNS names are not trusted, so they cannot be sorted by",
            ),
            (GroupSetup::try_from("unt".to_owned()).map(drop), "unknown value 'unt' of group; did you mean 'unit'?"),
            (SpanSetup::try_from("1h".to_owned()).map(drop), "unknown value '1h' of span; there are 2m, 15m, 24h"),
        ] {
            assert_eq!(error, Err(sentence.to_owned()));
        }
    }
}
