//! `conntop diff`: what differs between two moments: first how many sockets each process has with each peer in each state,
//! then which sockets.

pub mod groups;
mod write;

use std::io::{self, Write};

use clap::ValueEnum;

use crate::model::tcp_state::TcpState;
use crate::report::diff::groups::GroupDifference;
use crate::report::format::Format;
use crate::store::Store;
use crate::store::row::SocketRow;
use crate::table::filter::Filter;

pub(in crate::report) use crate::report::diff::write::{DiffDocument, DifferenceLine};

/// What is compared, and how it is printed.
#[derive(Debug, Default)]
pub struct DiffOptions {
    /// Which sockets, each as it is at its moment.
    pub filter: Filter,
    /// The most sockets that are listed; `None` for all.
    pub limit: Option<usize>,
    /// How the differences are printed.
    pub format: DiffFormat,
}

/// How differences are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// Aligned columns
    #[default]
    Text,
    /// One JSON object
    Json,
    /// One JSON object a line: first the groups, then the sockets
    Ndjson,
    /// The groups as comma-separated values
    Csv,
}

impl From<DiffFormat> for Format {
    fn from(format: DiffFormat) -> Self {
        match format {
            DiffFormat::Text => Self::Text,
            DiffFormat::Json => Self::Json,
            DiffFormat::Ndjson => Self::Ndjson,
            DiffFormat::Csv => Self::Csv,
        }
    }
}

/// What differs between two moments.
#[derive(Debug)]
pub struct Difference<'s> {
    before: &'s Store,
    after: &'s Store,
    groups: Vec<GroupDifference>,
    /// `None` where the two moments are of two hosts, of which no socket is the other's.
    sockets: Option<Vec<SocketDifference<'s>>>,
    left_out: usize,
}

/// A socket that is not at both moments, or not in the same state.
#[derive(Clone, Copy, Debug)]
struct SocketDifference<'s> {
    before: Option<&'s SocketRow>,
    after: Option<&'s SocketRow>,
}

impl<'s> SocketDifference<'s> {
    /// The socket at the later moment, else at the earlier one; at which of them.
    fn last(&self) -> Option<(&'s SocketRow, bool)> {
        self.after.map(|row| (row, true)).or_else(|| Some((self.before?, false)))
    }

    fn states(&self) -> [Option<TcpState>; 2] {
        [self.before, self.after].map(|row| row.map(|row| row.connection.socket.state))
    }

    /// What became of it, in a word.
    fn change(&self) -> &'static str {
        match (self.before, self.after) {
            (None, _) => "new",
            (_, None) => "gone",
            _ => "changed",
        }
    }
}

impl DiffOptions {
    /// Compares `after` with `before`.
    pub fn compare<'s>(&self, before: &'s Store, after: &'s Store) -> Difference<'s> {
        let counts = [before, after].map(|store| groups::count(self.rows(store), store));
        let groups = groups::differences(&counts[0], &counts[1]);
        let is_one_host = before.source().host == after.source().host;
        let mut sockets = is_one_host.then(|| self.sockets(before, after));
        let most = self.limit.unwrap_or(usize::MAX);
        let left_out = sockets.as_ref().map_or(0, |sockets| sockets.len().saturating_sub(most));
        if let Some(sockets) = &mut sockets {
            sockets.truncate(most);
        }
        Difference { before, after, groups, sockets, left_out }
    }

    fn rows<'s>(&self, store: &'s Store) -> impl Iterator<Item = &'s SocketRow> {
        store.rows().iter().map(|(_, row)| row).filter(|row| !row.is_closed() && self.filter.matches(row, store))
    }

    /// The sockets that differ: what is new first, then what changed its state, then what is gone, each by port.
    fn sockets<'s>(&self, before: &'s Store, after: &'s Store) -> Vec<SocketDifference<'s>> {
        let is_same = |a: &SocketRow, b: &SocketRow| {
            let (a, b) = (&a.connection.socket, &b.connection.socket);
            (a.id, a.protocol, a.local.port, a.remote) == (b.id, b.protocol, b.local.port, b.remote)
        };
        let in_other = |row: &SocketRow, other: &'s Store| {
            let found = other.rows().live(row.connection.socket.id);
            found.filter(|found| is_same(found, row) && self.filter.matches(found, other))
        };
        let mut differences: Vec<SocketDifference<'s>> = Vec::new();
        for row in self.rows(after) {
            let difference = SocketDifference { before: in_other(row, before), after: Some(row) };
            let [from, to] = difference.states();
            differences.extend((from != to).then_some(difference));
        }
        let gone = self.rows(before).filter(|row| in_other(row, after).is_none());
        differences.extend(gone.map(|row| SocketDifference { before: Some(row), after: None }));
        differences.sort_by_key(|difference| {
            let rank = (difference.before.is_some(), difference.after.is_none());
            let socket = difference.last().map(|(row, _)| &row.connection.socket);
            (rank, socket.map(|socket| (socket.protocol, socket.local, socket.remote, socket.id)))
        });
        differences
    }
}

impl Difference<'_> {
    /// What is to be said beside the data.
    pub fn remarks(&self) -> Vec<String> {
        let hosts = [self.before, self.after].map(|store| store.source().host.as_str());
        let [before, after] = hosts;
        let mut remarks = Vec::new();
        if self.sockets.is_none() {
            remarks.push(format!(
                "{before} and {after} are two hosts: compared by process name, peer and state only, as no socket of one is on the other"
            ));
        } else if self.before.wall() > self.after.wall() {
            remarks.push(
                "the second moment is before the first; name the earlier one first to read it forwards".to_owned(),
            );
        }
        remarks
    }

    /// Writes it in `format`.
    pub fn write(&self, format: DiffFormat, out: &mut impl Write) -> io::Result<()> {
        match format {
            DiffFormat::Text => self.write_text(out),
            DiffFormat::Json => self.write_json(out),
            DiffFormat::Ndjson => self.write_lines(out),
            DiffFormat::Csv => self.write_csv(out),
        }
    }
}

#[cfg(test)]
mod tests;
