//! Menus: what there is to choose from, and where the cursor is.

pub mod view;

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::app::scroll::Scroll;
#[cfg(doc)]
use crate::model::action::SIGNALS;
use crate::model::process::Process;
use crate::model::socket::SocketId;
use crate::store::folding::Folding;
use crate::store::groups::tagged::MeantProcess;

/// A menu that is open.
#[derive(Debug)]
pub struct Menu {
    /// What there is to choose from.
    pub choice: MenuChoice,
    /// The line of the cursor.
    pub line: usize,
    /// Which lines are on the screen.
    scroll: Scroll,
}

/// What there is to choose from.
#[derive(Debug)]
pub enum MenuChoice {
    /// The column to sort by; a line is the index of a column.
    Column,
    /// The columns of the table on the screen: which are shown, in which order, how wide.
    Columns,
    /// What the lines of the tab Connections have in common; a line is the index of a row of [`FOLDINGS`].
    Folding,
    /// One of the owners of what is selected, to be sent a signal.
    Owner {
        /// The owners.
        owners: Vec<Arc<Process>>,
        /// The sockets for which they are meant.
        holding: Vec<NonZeroU32>,
    },
    /// One of the sockets of a group, to be closed.
    Socket(Vec<SocketChoice>),
    /// A signal; a line is the index of a row of [`SIGNALS`].
    Signal {
        /// The process that gets the signal.
        process: Arc<Process>,
        /// The sockets for which that process is meant.
        holding: Vec<NonZeroU32>,
    },
    /// A signal to all of these processes; a line is the index of a row of [`SIGNALS`].
    SignalToAll(Vec<MeantProcess>),
    /// One of these texts, to be copied; the label says what it is.
    Text(Vec<MenuLine>),
    /// One of these texts of several lines, to be copied.
    Lines(Vec<MenuLines>),
    /// The theme of the screen; a line is its place in the list.
    Theme,
    /// Everything that can be done: the palette.
    Action {
        /// What is typed to find one.
        typed: String,
    },
}

/// One way to fold the connections.
pub struct FoldingRow {
    /// What lines have in common; `None` where each socket has a line of its own.
    pub folding: Option<Folding>,
    /// Its name.
    pub name: &'static str,
    /// What a line is.
    pub about: &'static str,
}

/// Every way to fold the connections.
#[rustfmt::skip]
pub const FOLDINGS: [FoldingRow; 6] = [
    FoldingRow { folding: Some(Folding::Cause),   name: "cause",   about: "program, peer and state" },
    FoldingRow { folding: Some(Folding::Process), name: "process", about: "the process, below its parent" },
    FoldingRow { folding: Some(Folding::Unit),    name: "unit",    about: "the service unit or container" },
    FoldingRow { folding: Some(Folding::Remote),  name: "remote",  about: "the remote end; what came in, by our port" },
    FoldingRow { folding: Some(Folding::Port),    name: "port",    about: "the port that is called, theirs or ours" },
    FoldingRow { folding: None,                   name: "none",    about: "one line a socket" },
];

/// A socket that can be chosen.
#[derive(Clone, Debug)]
pub struct SocketChoice {
    /// The socket.
    pub id: SocketId,
    /// Its ends, and its state and holder.
    pub line: MenuLine,
}

/// Several lines of text of one kind, as one line of a menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuLines {
    /// What they are.
    pub label: String,
    /// The lines.
    pub lines: Vec<String>,
}

/// A line of a menu.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MenuLine {
    /// What is chosen.
    pub label: String,
    /// What is to be known of it.
    pub about: String,
    /// Whether it cannot be chosen now; what is to be known says why.
    pub is_refused: bool,
}
