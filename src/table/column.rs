//! What a column is, and how one is found by its name.

use crate::model::query::{QueryFields, SocketEnd};
use crate::store::Store;
use crate::table::order::Order;
use crate::table::suggest;
use crate::table::value::Value;

/// Where cells are aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// What kind of value a column holds: says how a filter on it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Free words.
    Text,
    /// One of these labels.
    Word(&'static [&'static str]),
    /// Yes or no.
    Flag,
    /// An address.
    Address,
    /// An address and a port.
    Endpoint,
    /// A port.
    Port,
    /// A state.
    State,
    /// How many.
    Count,
    /// A number that names something.
    Number,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    Rate,
    /// A time span.
    Span,
    /// A share, 1.0 is all.
    Share,
}

/// How the values of a column change while their rows are not touched by a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// Not at all.
    None,
    /// All alike, as ages do: a filter may change its mind, the order stays.
    Even,
    /// In any way, as the time until a timer fires, which stops at zero.
    Free,
    /// When the source learns new names of users or interfaces.
    Names,
}

/// What of a socket or of its holders a column shows, so that a source can look for it: see `filter::condition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketFact {
    /// The protocol.
    Protocol,
    /// The family.
    Family,
    /// The state.
    State,
    /// The port of this end.
    Port(SocketEnd),
    /// The address of this end.
    Address(SocketEnd),
    /// Address and port of this end.
    Endpoint(SocketEnd),
    /// What is usually served on one of its ports.
    Service,
    /// The number of its control group.
    Cgroup,
    /// The pids of its holders.
    Pid,
    /// The names of its holders.
    ProcessName,
    /// The command line of its first holder.
    Command,
}

/// One column of a table of `R`: all that is known of it, said once.
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own")]
pub struct Column<R: 'static> {
    /// The keyword in filters, `--columns`, `--sort`.
    pub key: &'static str,
    /// The heading on the screen and in text output.
    pub title: &'static str,
    /// One sentence: what it shows, with its unit.
    pub about: &'static str,
    /// What it holds.
    pub kind: ValueKind,
    /// Width in cells at least and at most.
    pub width: (u16, u16),
    /// Which columns go first when the screen is narrow: the highest rank; rank 0 stays always.
    /// `None`: only shown when asked for.
    pub rank: Option<u8>,
    /// Whether it takes the room that is left over on a wide screen.
    pub fills: bool,
    /// The alignment.
    pub align: Align,
    /// The direction of the first sort by it.
    pub first_order: Order,
    /// Its name in JSON and CSV, with its unit.
    pub json: &'static str,
    /// Whether JSON and CSV have it without being asked.
    pub in_json: bool,
    /// How it changes by itself.
    pub drift: Drift,
    /// Whether it is not trusted, as reverse DNS names are: shown and printed, but nothing is filtered or sorted by it.
    pub is_hint: bool,
    /// Whether it says why a row is wrong: that is said in fewer words where there is little room.
    pub is_cause: bool,
    /// What its cells are made of, beyond what a source tells of every socket.
    pub reads: QueryFields,
    /// What it shows, where a source can look for that; `None` for all else.
    pub fact: Option<SocketFact>,
    /// The cell of a row.
    pub value: for<'a> fn(&'a R, &'a Store) -> Value<'a>,
}

impl<R> Column<R> {
    /// A column called `key`; alignment, order and JSON name follow from `kind` and `key` unless said otherwise.
    pub const fn new(
        key: &'static str,
        title: &'static str,
        kind: ValueKind,
        value: for<'a> fn(&'a R, &'a Store) -> Value<'a>,
    ) -> Self {
        let is_quantity =
            matches!(kind, ValueKind::Count | ValueKind::Bytes | ValueKind::Rate | ValueKind::Span | ValueKind::Share);
        Self {
            key,
            title,
            about: "",
            kind,
            width: (5, 10),
            rank: None,
            fills: false,
            align: if is_quantity || matches!(kind, ValueKind::Port | ValueKind::Number) {
                Align::Right
            } else {
                Align::Left
            },
            first_order: if is_quantity { Order::Descending } else { Order::Ascending },
            json: key,
            in_json: true,
            drift: Drift::None,
            is_hint: false,
            is_cause: false,
            reads: QueryFields::NONE,
            fact: None,
            value,
        }
    }

    /// Says what it shows.
    #[must_use]
    pub const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// Sets the least and the greatest width in cells.
    #[must_use]
    pub const fn width(self, least: u16, greatest: u16) -> Self {
        Self { width: (least, greatest), ..self }
    }

    /// Shows it without being asked, until a screen is so narrow that columns of this rank go.
    #[must_use]
    pub const fn rank(self, rank: u8) -> Self {
        Self { rank: Some(rank), ..self }
    }

    /// Shows it on screens so wide that room is left over, and gives it that room.
    #[must_use]
    pub const fn fills(self) -> Self {
        Self { fills: true, ..self }
    }

    /// Names it in JSON and CSV.
    #[must_use]
    pub const fn json(self, json: &'static str) -> Self {
        Self { json, ..self }
    }

    /// Leaves it out of JSON and CSV unless asked for.
    #[must_use]
    pub const fn not_in_json(self) -> Self {
        Self { in_json: false, ..self }
    }

    /// Aligns it at the left, as a bar.
    #[must_use]
    pub const fn left(self) -> Self {
        Self { align: Align::Left, ..self }
    }

    /// Says why a row is wrong.
    #[must_use]
    pub const fn cause(self) -> Self {
        Self { is_cause: true, ..self }
    }

    /// Says that it is not trusted.
    #[must_use]
    pub const fn hint(self) -> Self {
        Self { is_hint: true, ..self }
    }

    /// Says what its cells are made of.
    #[must_use]
    pub const fn reads(self, reads: QueryFields) -> Self {
        Self { reads, ..self }
    }

    /// Says what it shows that a source can look for.
    #[must_use]
    pub const fn fact(self, fact: SocketFact) -> Self {
        Self { fact: Some(fact), ..self }
    }

    /// Says how it changes by itself.
    #[must_use]
    pub const fn drift(self, drift: Drift) -> Self {
        Self { drift, ..self }
    }
}

/// The column of the reverse DNS name of a peer: shown while names are asked for.
pub const PEER_NAME: &str = "rname";
/// The width of that column, the same whatever names come.
pub const PEER_NAME_WIDTH: (u16, u16) = (15, 30);

/// Why a filter or a sort by `column` is refused, if it is a hint.
pub fn refuse_hint<R>(column: &Column<R>) -> Result<(), String> {
    let key = column.key;
    if column.is_hint {
        return Err(format!(
            "'{key}' is a reverse DNS name, and these are not trusted: nothing is filtered or sorted by them; use raddr, as in raddr:192.0.2.0/24"
        ));
    }
    Ok(())
}

/// The index of the column called `name`, by its key or its JSON name, in any case.
///
/// An unknown name is answered by a sentence with the nearest known one.
pub fn find<R>(columns: &[Column<R>], name: &str) -> Result<usize, String> {
    let found = columns
        .iter()
        .position(|column| column.key.eq_ignore_ascii_case(name))
        .or_else(|| columns.iter().position(|column| column.json.eq_ignore_ascii_case(name)));
    found.ok_or_else(|| {
        let keys = columns.iter().map(|column| column.key);
        format!("unknown column '{name}'; {}", suggest::hint(name, keys, "see conntop columns"))
    })
}

/// `list` with `item`, unless it is there already under whatever `name`: twice the same is a slip.
pub fn push_once<T: PartialEq>(list: &mut Vec<T>, item: T, name: &str) -> Result<(), String> {
    if list.contains(&item) {
        return Err(format!("the column '{name}' is asked for twice; name each column once"));
    }
    list.push(item);
    Ok(())
}

/// The indices of the columns called `names`, in that order, each once.
pub fn find_all<'n, R>(columns: &[Column<R>], names: impl IntoIterator<Item = &'n str>) -> Result<Vec<usize>, String> {
    let mut found = Vec::new();
    for name in names {
        push_once(&mut found, find(columns, name)?, name)?;
    }
    Ok(found)
}

/// The indices of the columns that are shown without being asked; hints are asked for.
pub fn default_columns<R>(columns: &[Column<R>]) -> Vec<usize> {
    (0..columns.len()).filter(|&index| columns[index].rank.is_some() && !columns[index].is_hint).collect()
}
