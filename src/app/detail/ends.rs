//! Both ends of a connection whose other end is on this machine too, side by side.

use crate::app::App;
use crate::app::detail::byte_words;
use crate::app::prose::{BothEnds, ProseLine, Section};
use crate::app::related::RelatedSockets;
use crate::model::address_text::local_end;
use crate::model::process::Owner;
use crate::model::socket::{NetnsId, Socket};
use crate::store::row::SocketRow;

/// What holds of this end and of the other; empty where the other end is not on this machine.
pub(super) fn both(app: &App, row: &SocketRow, related: &RelatedSockets) -> Section {
    let mut section = Section::new("Both ends are on this machine");
    let has_peer = !row.connection.socket.remote.is_unset();
    let Some(other) = related.other_end.as_ref().filter(|_| has_peer) else { return section };
    let mut pair = |label, of: &dyn Fn(&SocketRow) -> String| {
        section.lines.push(ProseLine::Ends(BothEnds { label, this: of(row), other: of(other) }));
    };
    pair("", &|end| {
        if end.connection.socket.id == row.connection.socket.id { "this end" } else { "other end" }.to_owned()
    });
    pair("address", &|end| local_end(&end.connection.socket, app.store.names()));
    pair("state", &|end| format!("{} {}", end.connection.socket.state, age(app, end)));
    pair("process", &|end| holder(&end.connection.socket));
    pair("to read", &|end| queue(&end.connection.socket, |queues| Some(queues.receive)));
    pair("to send", &|end| queue(&end.connection.socket, |queues| queues.send));
    if row.connection.socket.id.netns() != other.connection.socket.id.netns() {
        pair("namespace", &|end| namespace(app, end.connection.socket.id.netns()));
    }
    section
}

fn age(app: &App, row: &SocketRow) -> String {
    row.connection.state_since.map_or_else(String::new, |since| since.age_text(app.store.at()))
}

fn holder(socket: &Socket) -> String {
    match &socket.owner {
        Owner::Live(holders) => holders.first().to_string(),
        Owner::Remembered(holders) => format!("was {}", holders.first()),
        Owner::Unaccepted => "not accepted yet".to_owned(),
        Owner::Hidden | Owner::Unseen => "hidden".to_owned(),
        Owner::Vanished => "not found in time".to_owned(),
        Owner::None => "none".to_owned(),
    }
}

fn queue(socket: &Socket, of: impl Fn(&crate::model::socket::Queues) -> Option<u32>) -> String {
    socket.queues.as_ref().and_then(of).map_or_else(|| "?".to_owned(), |bytes| byte_words(bytes.into()))
}

fn namespace(app: &App, netns: NetnsId) -> String {
    app.store.names().namespace_text(netns)
}
