//! The filter that shows the sockets of a folded line one by one.

use crate::model::quoting::filter_word;
use crate::store::Store;
use crate::store::alike::key::{AlikePeer, PortRole};
use crate::store::folding::{FoldOwner, FoldPeer};
use crate::table::cell_term::{self, state_term, words_term};
use crate::table::column::{self, Column, refuse_hint};
use crate::table::connections::{COLUMNS, HOST};
use crate::table::filter::Filter;
use crate::table::folded::columns::{UNIT, WHY, has_standing_verdict};
use crate::table::folded::{FoldedLine, FoldedRow};

/// The filter that shows the sockets of `row` which pass `before`, the filter in force; an error says why there is none.
pub(super) fn within(row: &FoldedRow, before: &Filter, store: &Store) -> Result<String, &'static str> {
    let mut parts = Vec::new();
    let before = before.text().trim();
    if !before.is_empty() {
        parts.push(format!("({before})"));
    }
    let key = &row.key;
    if let Some(host) = key.host.and_then(|host| store.names().hosts.0.get(host.place())) {
        parts.push(format!("{HOST}={}", filter_word(host.name.as_str()).ok_or(UNQUOTABLE)?));
    }
    if let Some(owner) = key.owner {
        parts.push(owned_by(owner, row)?);
    }
    if let Some(unit) = key.unit {
        parts.push(match store.names().units.get(&unit.get()) {
            Some(name) => format!("unit={}", filter_word(name.as_str()).ok_or(UNQUOTABLE)?),
            None => format!("cgroup={unit}"),
        });
    } else if key.folding == crate::store::folding::Folding::Unit {
        parts.push("cgroup:?".to_owned());
    }
    if let Some(protocol) = key.protocol {
        parts.push(format!("proto:{}", protocol.name()));
    }
    if let Some(peer) = key.peer {
        parts.extend(at(peer, row)?);
    }
    if let Some(state) = key.state {
        parts.push(state_term(state));
    }
    Ok(parts.join(" "))
}

const UNQUOTABLE: &str = "this name cannot be written as a filter; ‹tab-processes› lists processes";

fn owned_by(owner: FoldOwner, row: &FoldedRow) -> Result<String, &'static str> {
    let is_queue = matches!(row.peers.only(), Some(AlikePeer::Here { role: PortRole::Queue, .. }));
    let is_half_open = row.states.only() == Some(crate::model::tcp_state::TcpState::SynRecv);
    let name = || row.process.as_ref().and_then(|process| filter_word(process.name.as_str())).ok_or(UNQUOTABLE);
    Ok(match owner {
        // They have no holder yet; whose listener they came in by is said by the port.
        _ if is_queue => "owner:unaccepted".to_owned(),
        _ if is_half_open => "state:syn-recv".to_owned(),
        FoldOwner::Program(_) => format!("owner:live program={}", name()?),
        FoldOwner::Remembered(_) => format!("owner:remembered program={}", name()?),
        FoldOwner::Process(id) => format!("owner:live pid:{} program={}", id.pid, name()?),
        FoldOwner::Nobody(why) => format!("owner:{}", why.label()),
    })
}

fn at(peer: FoldPeer, row: &FoldedRow) -> Result<Option<String>, &'static str> {
    Ok(Some(match peer {
        FoldPeer::Of(AlikePeer::Remote { address, port, .. }) => {
            format!("raddr:{} rport:{port}", address.filter_text())
        }
        FoldPeer::Of(AlikePeer::Here { port, role }) => match role {
            PortRole::Listening => format!("lport:{port} state:listen,unconn"),
            PortRole::Clients => format!("lport:{port} !owner:unaccepted remote:*"),
            PortRole::Queue => format!("lport:{port} owner:unaccepted"),
        },
        FoldPeer::Of(AlikePeer::Nowhere) => "!remote:* !state:listen".to_owned(),
        FoldPeer::Of(AlikePeer::Others) if row.states.only().is_some() => return Ok(None),
        FoldPeer::Of(AlikePeer::Others) => {
            return Err("there are too many remotes to be told apart; ‹tab-remotes› lists them");
        }
        FoldPeer::ToPort(port) => format!("rport:{port} listener:? !state:listen"),
        FoldPeer::AtPort(port) => format!("lport:{port}"),
    }))
}

/// The term of a filter that passes the sockets which have the value of the cell of `line` in `column`.
pub(super) fn cell_term(column: &Column<FoldedLine>, line: &FoldedLine, store: &Store) -> Result<String, String> {
    refuse_hint(column)?;
    match line {
        FoldedLine::Row(row) => row_term(column, row, store),
        FoldedLine::Socket(socket) => {
            // Below a line, a socket shows its own end where the program stands.
            let key = match column.key {
                "process" => "local",
                "peer" => "remote",
                "oldest" => "age",
                "queues" => "recvq",
                WHY => "verdict",
                key => key,
            };
            let index = column::find(COLUMNS, key).map_err(|_| no_term(column))?;
            cell_term::term(&COLUMNS[index], socket, store)
        }
        FoldedLine::More(..) => Err("this line only says how many more there are: → shows more of them".to_owned()),
    }
}

/// The same for a line that stands for several sockets: where they differ there is none.
fn row_term(column: &Column<FoldedLine>, row: &FoldedRow, store: &Store) -> Result<String, String> {
    match column.key {
        UNIT => unit_term(row, store),
        HOST => words_term(HOST, store.host_numbered(row.key.host).as_str()),
        "process" if row.programs <= 1 => program_term(row),
        "pid" if row.processes == 1 && row.programs == 1 => {
            row.process.as_ref().map(|process| format!("pid:{}", process.id.pid)).ok_or_else(|| no_term(column))
        }
        "pid" if row.processes == 0 => {
            Err("no process holds these sockets, so there is no pid to filter by".to_owned())
        }
        "peer" => {
            let peer = row.key.peer.or_else(|| row.peers.only().map(FoldPeer::Of)).ok_or_else(|| differ(column))?;
            at(peer, row)?.ok_or_else(|| "there are too many remotes to be told apart; tab 3 lists them".to_owned())
        }
        "state" => match row.states.only() {
            Some(state) => Ok(state_term(state)),
            None => Err(differ(column)),
        },
        WHY => {
            match row.verdict().filter(|(_, count)| *count == row.sums.sockets && has_standing_verdict(row, store)) {
                Some((verdict, _)) => Ok(format!("verdict:{}", verdict.label())),
                None => {
                    Err("this reason is about the whole line, so no filter selects by it; e explains it".to_owned())
                }
            }
        }
        "process" | "pid" => Err(differ(column)),
        _ => Err(no_term(column)),
    }
}

fn unit_term(row: &FoldedRow, store: &Store) -> Result<String, String> {
    match row.key.unit {
        None => Ok("unit:?".to_owned()),
        Some(unit) => match store.names().units.get(&unit.get()) {
            Some(name) => words_term(UNIT, name.as_str()),
            None => Ok(format!("cgroup={unit}")),
        },
    }
}

fn program_term(row: &FoldedRow) -> Result<String, String> {
    match (&row.process, row.key.owner, row.nobody) {
        (_, Some(FoldOwner::Nobody(why)), _) | (None, _, Some(why)) => Ok(format!("owner:{}", why.label())),
        (Some(process), _, _) => words_term("program", process.name.as_str()),
        (None, _, None) => Ok("owner:none".to_owned()),
    }
}

fn differ(column: &Column<FoldedLine>) -> String {
    format!("the sockets of this line differ in {}: → shows them, and = works on one of them", column.title)
}

fn no_term(column: &Column<FoldedLine>) -> String {
    format!("{} is a number of the whole line, so no filter selects by it; s sorts by it", column.title)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::delta::Delta;
    use crate::model::process::{Holders, Owner};
    use crate::model::tcp_state::TcpState;
    use crate::model::testing::{connection, listener, process, source_info, tcp, udp};
    use crate::store::folding::{FoldKeys, Folding};
    use crate::table::folded::FoldedLine;
    use crate::table::folded::view::FoldedView;

    fn store() -> Store {
        let (nginx, pool) = (process(812, "nginx"), process(4121, "jdbc pool"));
        let both = [process(812, "nginx"), process(900, "logger")];
        let at = |cookie: u64, port: u16| tcp(cookie).local(&format!("10.0.0.7:{port}")).remote("10.9.0.1:40000");
        let left = || Owner::Remembered(Arc::new(Holders::new(vec![process(77, "curl")]).expect("one process")));
        let sockets = [
            listener(1, 443).held_by(&both),
            listener(2, 9090).held_by(&[process(6002, "report-api")]),
            at(3, 443).held_by(std::slice::from_ref(&nginx)),
            at(4, 443).held_by(&both),
            at(5, 9090).owner(Owner::Unaccepted),
            at(6, 9090).mini(TcpState::SynRecv),
            tcp(7).remote("10.0.0.20:5432").state(TcpState::CloseWait).held_by(std::slice::from_ref(&pool)),
            tcp(8).remote("10.0.0.20:5432").held_by(&[pool]),
            tcp(9).mini(TcpState::TimeWait).owner(left()),
            tcp(10).mini(TcpState::TimeWait),
            tcp(11).held_by(&[process(900, "logger")]),
            udp(12, 53).held_by(&[process(611, "resolve")]),
            tcp(13).remote("[fe80::2]:22").local("[fe80::1]:50000").owner(Owner::Hidden),
        ];
        let mut store = Store::new(source_info());
        let added = sockets.into_iter().map(|socket| connection(socket, 0)).collect();
        store.apply(Delta { added, ..Delta::default() });
        store
    }

    #[test]
    fn the_filter_of_a_line_shows_what_it_adds_up_and_nothing_else() {
        let store = store();
        for folding in [Folding::Cause, Folding::Process, Folding::Unit, Folding::Remote, Folding::Port] {
            let (mut view, keys) = (FoldedView::new(), FoldKeys::new(folding, &store));
            view.fold_by(folding);
            view.refresh(&store);
            assert_eq!(view.sockets(), 13, "{folding:?}");
            for line in 0..view.len() {
                let line = view.line(line, &store).expect("it is there");
                let FoldedLine::Row(row) = &line else { panic!("nothing is unfolded") };
                let text = within(row, &Filter::default(), &store).expect("there is one");
                let filter = Filter::parse(&text).expect(&text);
                let rows = store.rows();
                let shown: Vec<_> =
                    rows.iter().filter(|(_, row)| filter.matches(row, &store)).map(|(at, _)| at).collect();
                let set = |at| rows.alike().set_of(at).and_then(|set| rows.alike().get(set)).expect("live");
                let expected: Vec<_> =
                    rows.iter().map(|(at, _)| at).filter(|at| keys.of(set(*at)) == row.key).collect();
                assert_eq!(shown, expected, "{folding:?} {text}");
            }
        }
    }
}
