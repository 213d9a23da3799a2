//! The row of a socket as it was before or after a transition, as far as that is known: so that what is past is filtered and
//! written by the same columns as what is there.

use crate::model::delta::{AgeBasis, EventSource, Since, Transition};
use crate::model::process::NoProcess;
use crate::store::Store;
use crate::store::row::{Mark, SocketRow};

/// The socket as it was before `transition`: in the old state, as old as that had become. `None` for one that was opened.
pub fn before(store: &Store, transition: &Transition) -> Option<SocketRow> {
    let mut row = known_row(store, transition);
    match transition.from {
        Some(from) => row.connection.socket.state = from,
        None if transition.to.is_none() => row.mark = Some(Mark::StateUnknown { is_emptied: transition.is_emptied }),
        None => return None,
    }
    row.connection.state_since = transition.lasted.map(|(span, basis)| Since { at: store.at().before(span), basis });
    if transition.to.is_none() {
        row.connection.set_rates(None);
        let socket = &mut row.connection.socket;
        socket.timer = None;
        if let Some(last) = transition.final_counters {
            let info = socket.tcp.get_or_insert_default();
            info.bytes = last.bytes.or(info.bytes);
            (info.rtt_us, info.retransmits_total) = (last.rtt_us, last.retransmits_total);
        }
    }
    Some(row)
}

/// The socket in the state that it came to by `transition`. `None` for one that is gone.
pub fn after(store: &Store, transition: &Transition) -> Option<SocketRow> {
    let mut row = known_row(store, transition);
    let to = transition.to?;
    if row.connection.socket.state != to {
        row.connection.socket.state = to;
        let basis = if transition.source == EventSource::Tracepoint { AgeBasis::Kernel } else { AgeBasis::Observed };
        row.connection.state_since = Some(Since { at: transition.at, basis });
    }
    Some(row)
}

/// The socket as last seen; what the transition says, if no sample has shown it.
fn known_row(store: &Store, transition: &Transition) -> SocketRow {
    let mut row = store.rows().find(transition.id).and_then(|index| store.rows().get(index)).cloned();
    // A socket that was disconnected and connected anew shows its last connection, which may be another one.
    let is_its = |row: &SocketRow| {
        let socket = &row.connection.socket;
        (socket.local, socket.remote) == (transition.local, transition.remote)
    };
    let row = row.take().filter(is_its).unwrap_or_else(|| SocketRow::unseen(transition));
    let mut row = SocketRow { mark: None, ..row };
    if transition.owner.holders().is_some() || row.connection.socket.owner.no_process() == Some(NoProcess::None) {
        row.connection.socket.owner = transition.owner.clone();
    }
    row
}
