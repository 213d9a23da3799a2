//! `conntop list --group-by`: sockets that have something in common as one line, with their number and sums.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::io::{self, Write};

use rustc_hash::FxHashMap;

use crate::model::query::QueryFields;
use crate::report::format::csv::{Csv, CsvSafe, PlainRecords, RecordFormat};
use crate::report::format::json::{DocumentHead, Json, LineHead};
use crate::report::format::text::{self, TextHeading};
use crate::report::format::{Format, csv, json, plain, write_all};
use crate::report::list::attempts::AttemptRow;
use crate::report::list::mark_of;
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::column::{self, Align, Column, ValueKind};
use crate::table::connections::{COLUMNS, HOST};
use crate::table::order::Order;
use crate::table::suggest;
use crate::table::sums::{SUMS, Sum};
use crate::table::units;
use crate::table::value::Value;

/// Columns that name one socket each: a group of one is none.
const OF_ONE_SOCKET: [&str; 2] = ["inode", "cookie"];
/// Sums that text only shows where they are known: after one sample they are not.
const RATES: [&str; 2] = ["rxrate", "txrate"];
/// The same of attempts: only where somebody watched.
const ATTEMPTS: [&str; 2] = ["attempts", "attempts_failed"];
/// Sums that say nothing beside the state of a group.
const OF_STATES: [&str; 5] = ["established", "close_wait", "time_wait", "listen", "other"];

/// A column of a table of groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupColumn {
    /// What the sockets of a group have in common: a column of the connection table, as its index.
    Key(usize),
    /// What they add up to: a column of [`SUMS`], as its index.
    Sum(usize),
}

/// What to group by, and what of the groups is printed in which order.
#[derive(Clone, Debug, Default)]
pub struct GroupBy {
    by: Vec<usize>,
    columns: Option<Vec<GroupColumn>>,
    sort: Option<(GroupColumn, Order)>,
}

/// What is left out of a list that was limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    groups: usize,
    sockets: u64,
}

/// The groups of a moment: at most as many as there are sockets.
#[derive(Debug)]
pub(super) struct ListedGroups<'g> {
    asked: &'g GroupBy,
    groups: Vec<Sum>,
    /// Of all groups, also of those left out.
    total: LeftOut,
    left_out: LeftOut,
}

/// Whether sockets can be grouped by `column`: it holds what several have in common, and no quantity.
pub fn can_group<R>(column: &Column<R>) -> bool {
    let is_quantity = matches!(
        column.kind,
        ValueKind::Count | ValueKind::Bytes | ValueKind::Rate | ValueKind::Span | ValueKind::Share
    );
    !is_quantity && !column.is_hint && !OF_ONE_SOCKET.contains(&column.key)
}

/// Whether the values of `column` mean something on one host only: two hosts have the same pids, users and namespaces.
fn is_of_one_host<R>(column: &Column<R>) -> bool {
    column.kind == ValueKind::Number || ["user", "netns_name", "interface"].contains(&column.key)
}

impl GroupBy {
    /// Groups by the columns called `names`; one that cannot be meant is answered by a sentence.
    pub fn by<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, String> {
        let mut by = Vec::new();
        for name in names {
            let index = column::find(COLUMNS, name)?;
            column::refuse_hint(&COLUMNS[index])?;
            if !can_group(&COLUMNS[index]) {
                return Err(format!(
                    "'{name}' differs from socket to socket; group by what they have in common, such as state, process or raddr"
                ));
            }
            column::push_once(&mut by, index, name)?;
        }
        Ok(Self { by, ..Self::default() })
    }

    /// What to group by, as indices into the columns of the connection table.
    pub fn keys(&self) -> &[usize] {
        &self.by
    }

    /// What the columns that are printed and the order read of sockets.
    pub(super) fn reads(&self) -> QueryFields {
        let sums = || (0..SUMS.len()).map(GroupColumn::Sum).collect();
        let printed = self.columns.clone().unwrap_or_else(sums);
        let keys = self.by.iter().map(|&index| GroupColumn::Key(index));
        let read = keys.chain(printed).chain(self.sort.map(|(column, _)| column));
        read.fold(QueryFields::NONE, |reads, column| reads.and(column.reads()))
    }

    /// With these columns only.
    pub fn with_columns<'n>(self, names: impl IntoIterator<Item = &'n str>) -> Result<Self, String> {
        let mut columns = Vec::new();
        for name in names {
            column::push_once(&mut columns, self.find(name)?, name)?;
        }
        Ok(Self { columns: Some(columns), ..self })
    }

    /// Sorted by `text`, a name with a - before it for the largest first; where `largest_first`, so in any case.
    pub fn sorted(self, text: &str, largest_first: bool) -> Result<Self, String> {
        let (name, order) = match text.strip_prefix('-') {
            Some(name) => (name, Order::Descending),
            None if largest_first => (text, Order::Descending),
            None => (text, Order::Ascending),
        };
        let sort = Some((self.find(name)?, order));
        Ok(Self { sort, ..self })
    }

    fn find(&self, name: &str) -> Result<GroupColumn, String> {
        if let Some(index) = column::find(COLUMNS, name).ok().filter(|index| self.by.contains(index)) {
            return Ok(GroupColumn::Key(index));
        }
        column::find(SUMS, name).map(GroupColumn::Sum).map_err(|_| {
            let keys = self.by.iter().map(|&index| COLUMNS[index].key);
            let known: Vec<&str> = keys.chain(SUMS.iter().map(|column| column.key)).collect();
            if column::find(COLUMNS, name).is_ok_and(|index| can_group(&COLUMNS[index])) {
                return format!("these groups have no column '{name}'; add it to --group-by");
            }
            let all = format!("there are {}", known.join(", "));
            format!("these groups have no column '{name}'; {}", suggest::hint(name, known, &all))
        })
    }

    /// The groups of `rows`, the first ones up to `limit`. A socket that several processes share counts once, for the
    /// first of them. What was `tried` counts for the group that a socket of it would be in.
    pub(super) fn gather(
        &self,
        rows: impl Iterator<Item = impl Borrow<SocketRow>>,
        tried: Option<Vec<AttemptRow>>,
        store: &Store,
        limit: Option<usize>,
    ) -> ListedGroups<'_> {
        let mut places = GroupIndex::default();
        let mut groups: Vec<Sum> = Vec::new();
        for row in rows {
            let row = row.borrow();
            let at = places.of(self, row, store).unwrap_or_else(|| {
                groups.push(Sum::starting_with(row.clone()));
                places.keep()
            });
            groups[at].add(row);
        }
        if let Some(tried) = tried {
            for group in &mut groups {
                group.add_attempts(0, 0);
            }
            for AttemptRow { row, made, failed } in tried {
                let at = places.of(self, &row, store).unwrap_or_else(|| {
                    groups.push(Sum::starting_with(row));
                    places.keep()
                });
                groups[at].add_attempts(made, failed);
            }
        }
        let total = counted(&groups);
        groups.sort_by(|a, b| self.compare(a, b, store));
        let cut = groups.split_off(limit.unwrap_or(usize::MAX).min(groups.len()));
        ListedGroups { asked: self, groups, total, left_out: counted(&cut) }
    }

    /// By what was asked for, then the largest first, then by what the groups have in common.
    fn compare(&self, a: &Sum, b: &Sum, store: &Store) -> Ordering {
        let asked = self
            .sort
            .map_or(Ordering::Equal, |(column, order)| cell(column, a, store).compare(&cell(column, b, store), order));
        let keys = || {
            let by_key = self.by.iter().map(|&index| {
                let column = GroupColumn::Key(index);
                cell(column, a, store).compare(&cell(column, b, store), Order::Ascending)
            });
            by_key.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        asked.then_with(|| b.sockets().cmp(&a.sockets())).then_with(keys)
    }
}

/// Where the groups are, by what machines read of what they have in common: that tells two values apart.
#[derive(Default)]
struct GroupIndex {
    found: FxHashMap<Box<[u8]>, usize>,
    /// Of the row that was looked up last. A known group takes no memory of its own.
    key: Vec<u8>,
}

impl GroupIndex {
    /// Where the group of `row` is; `None` if it is new.
    fn of(&mut self, groups: &GroupBy, row: &SocketRow, store: &Store) -> Option<usize> {
        self.key.clear();
        for &column in &groups.by {
            append_key(&mut self.key, &(COLUMNS[column].value)(row, store));
            if store.has_hosts() && is_of_one_host(&COLUMNS[column]) {
                append_key(&mut self.key, &Value::Text(store.host_of(row.connection.socket.id.netns()).as_str()));
            }
        }
        self.found.get(self.key.as_slice()).copied()
    }

    /// Keeps the group of the row that was looked up last, as the next one.
    fn keep(&mut self) -> usize {
        let at = self.found.len();
        self.found.insert(self.key.clone().into_boxed_slice(), at);
        at
    }
}

fn counted(groups: &[Sum]) -> LeftOut {
    LeftOut { groups: groups.len(), sockets: groups.iter().map(Sum::sockets).sum() }
}

impl LeftOut {
    /// `3 more groups with 17 sockets`; `None` if that is nothing.
    pub fn sentence(self) -> Option<String> {
        let sentence = || {
            let groups = units::counted(self.groups as u64, "more group");
            format!("{groups} with {}", units::counted(self.sockets, "socket"))
        };
        (self.groups > 0).then(sentence)
    }
}

impl ListedGroups<'_> {
    /// How many there are, also of those left out.
    pub(super) const fn len(&self) -> usize {
        self.total.groups
    }

    /// What changes where a group comes, goes or has other numbers of sockets.
    pub(super) fn mark(&self, store: &Store) -> u64 {
        let of_group = |sum: &Sum| {
            let mut key = Vec::new();
            for &index in &self.asked.by {
                append_key(&mut key, &cell(GroupColumn::Key(index), sum, store));
            }
            mark_of(&(key, sum.counts.tcp, sum.counts.udp))
        };
        self.groups.iter().map(of_group).fold(0, u64::wrapping_add)
    }

    /// Prints them. What text and JSON cannot say within is returned.
    pub(super) fn write(&self, format: Format, store: &Store, out: &mut impl Write) -> io::Result<Option<LeftOut>> {
        let columns = self.asked.columns.clone().unwrap_or_else(|| self.default_columns(format));
        // Whoever names columns gets these alone.
        let head = self.asked.columns.is_none().then(|| LineHead::of(store));
        match format {
            Format::Text => self.write_text(&columns, store, out)?,
            Format::Json => self.write_json(&columns, store, out)?,
            Format::Ndjson => {
                let columns = after_head(&columns, head.as_ref());
                write_all(out, self.groups.iter(), |buffer, sum| {
                    let opening = head.as_ref().map(|head| head.opening(self.host(sum, store)));
                    append_object(buffer, opening.as_deref(), &columns, sum, store);
                    buffer.push(b'\n');
                })?;
            }
            Format::Csv => self.write_records::<Csv>(&columns, head.as_ref(), store, out)?,
            Format::CsvSafe => self.write_records::<CsvSafe>(&columns, head.as_ref(), store, out)?,
            Format::Plain => self.write_records::<PlainRecords>(&columns, None, store, out)?,
        }
        let is_said = match format {
            Format::Text | Format::Json => true,
            Format::Ndjson | Format::Csv | Format::CsvSafe | Format::Plain => self.left_out.groups == 0,
        };
        Ok((!is_said).then_some(self.left_out))
    }

    fn write_records<F: RecordFormat>(
        &self,
        columns: &[GroupColumn],
        head: Option<&LineHead<'_>>,
        store: &Store,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let names = head.map(|_| LineHead::NAMES.map(Value::Text)).into_iter().flatten();
        let columns = after_head(columns, head);
        csv::write_heading::<F>(out, names.chain(columns.iter().map(|column| Value::Text(column.about().json))))?;
        write_all(out, self.groups.iter(), |buffer, sum| {
            let head = head.map(|head| head.values(self.host(sum, store))).into_iter().flatten();
            csv::append_record::<F>(buffer, head.chain(columns.iter().map(|&column| cell(column, sum, store))));
        })
    }

    /// The host that the sockets of a group are on, where they are grouped by it; else all that are shown.
    fn host<'s>(&self, sum: &'s Sum, store: &'s Store) -> &'s str {
        let is_by_host = self.asked.by.iter().any(|&index| COLUMNS[index].key == HOST);
        let first = sum.first.as_ref().filter(|_| is_by_host);
        first.map_or(&store.source().host, |row| store.host_of(row.connection.socket.id.netns())).as_str()
    }

    /// All of them; of those, text leaves out what says nothing.
    fn default_columns(&self, format: Format) -> Vec<GroupColumn> {
        let has_state = self.asked.by.iter().any(|&index| COLUMNS[index].kind == ValueKind::State);
        let has_rates = self.groups.iter().any(Sum::has_rates);
        let has_attempts = self.groups.iter().any(Sum::has_attempts);
        let says_nothing = |key: &str| {
            has_state && OF_STATES.contains(&key)
                || !has_rates && RATES.contains(&key)
                || !has_attempts && ATTEMPTS.contains(&key)
        };
        let is_shown = |key: &str| match format {
            Format::Text => !says_nothing(key),
            Format::Json | Format::Ndjson | Format::Csv | Format::CsvSafe | Format::Plain => true,
        };
        let sums = (0..SUMS.len()).filter(|&index| is_shown(SUMS[index].key)).map(GroupColumn::Sum);
        self.asked.by.iter().map(|&index| GroupColumn::Key(index)).chain(sums).collect()
    }

    fn write_text(&self, columns: &[GroupColumn], store: &Store, out: &mut impl Write) -> io::Result<()> {
        let headings: Vec<_> = columns
            .iter()
            .map(|column| TextHeading { title: column.about().title, align: column.about().align })
            .collect();
        let cells = |sum| columns.iter().map(|&column| words(&cell(column, sum, store))).collect();
        let rows: Vec<Vec<_>> = self.groups.iter().map(cells).collect();
        text::write(out, &headings, &rows)?;
        self.left_out.sentence().map_or(Ok(()), |sentence| writeln!(out, "{sentence}"))
    }

    fn write_json(&self, columns: &[GroupColumn], store: &Store, out: &mut impl Write) -> io::Result<()> {
        let by: Vec<&str> = self.asked.by.iter().map(|&index| COLUMNS[index].json).collect();
        let by = serde_json::to_string(&by)?;
        json::write_open(out, &DocumentHead::of(store))?;
        write!(out, ",\"group_by\":{by},\"groups\":[")?;
        write_all(out, self.groups.iter().enumerate(), |buffer, (at, sum)| {
            buffer.extend_from_slice(if at == 0 { b"\n" } else { b",\n" });
            append_object(buffer, None, columns, sum, store);
        })?;
        let counts = |counts: LeftOut| format!("{{\"groups\":{},\"sockets\":{}}}", counts.groups, counts.sockets);
        writeln!(out, "\n],\"total\":{},\"left_out\":{}}}", counts(self.total), counts(self.left_out))
    }
}

/// `columns` without the host, where `head` tells it.
fn after_head<'c>(columns: &'c [GroupColumn], head: Option<&LineHead<'_>>) -> Cow<'c, [GroupColumn]> {
    let is_told = |column: &GroupColumn| {
        head.is_some() && matches!(column, GroupColumn::Key(index) if COLUMNS[*index].key == HOST)
    };
    if columns.iter().any(is_told) {
        columns.iter().filter(|column| !is_told(column)).copied().collect()
    } else {
        Cow::Borrowed(columns)
    }
}

/// What both kinds of columns have.
struct About {
    title: &'static str,
    align: Align,
    json: &'static str,
}

impl GroupColumn {
    fn reads(self) -> QueryFields {
        match self {
            Self::Key(index) => COLUMNS[index].reads,
            Self::Sum(index) => SUMS[index].reads,
        }
    }

    const fn about(self) -> About {
        const fn of<R>(column: &'static Column<R>) -> About {
            About { title: column.title, align: column.align, json: column.json }
        }
        match self {
            Self::Key(index) => of(&COLUMNS[index]),
            Self::Sum(index) => of(&SUMS[index]),
        }
    }
}

fn cell<'a>(column: GroupColumn, sum: &'a Sum, store: &'a Store) -> Value<'a> {
    match column {
        GroupColumn::Key(index) => sum.first.as_ref().map_or(Value::Missing, |row| (COLUMNS[index].value)(row, store)),
        GroupColumn::Sum(index) => (SUMS[index].value)(sum, store),
    }
}

/// Appends what tells `value` apart from those of other groups: what machines read of it, and which user it is, as two
/// users may have one name.
fn append_key(key: &mut Vec<u8>, value: &Value<'_>) {
    plain::write::<Json>(key, value);
    if let Value::User { uid, .. } = value {
        plain::decimal(key, u64::from(*uid));
    }
    key.push(b',');
}

/// What people read of a whole group: not what only its first socket is, as `was nginx +3`.
fn words<'a>(value: &Value<'a>) -> Cow<'a, str> {
    match value {
        Value::Process(owner) => owner.process().map_or("", |process| process.name.as_str()).into(),
        other => other.text(),
    }
}

/// Appends `sum` as an object that begins with the fields of `opening`, an object without its last brace.
fn append_object(out: &mut Vec<u8>, opening: Option<&str>, columns: &[GroupColumn], sum: &Sum, store: &Store) {
    out.extend_from_slice(opening.unwrap_or("{").as_bytes());
    for (at, &column) in columns.iter().enumerate() {
        if at > 0 || opening.is_some() {
            out.push(b',');
        }
        // Names of columns are lower-case letters and underscores.
        out.push(b'"');
        out.extend_from_slice(column.about().json.as_bytes());
        out.extend_from_slice(b"\":");
        plain::write::<Json>(out, &cell(column, sum, store));
    }
    out.push(b'}');
}
