//! Everything that can happen to the app comes as one of these, on one queue.

use crossterm::event::{KeyEvent, MouseEvent};

use crate::model::action::KillReport;
use crate::model::closing::CloseReport;
use crate::model::delta::Delta;
use crate::model::host_name::Named;
use crate::model::text::DisplayText;

/// Why a key is not taken for a yes to a question: whoever pressed it may not have read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// The question was not on the screen, or not for long enough, or the key is none that a person just pressed: the
    /// terminal says that it repeats, or it came together with others (typed ahead, or pasted).
    Unread,
    /// It came right after another key, or is the same as the one before and may be held down.
    Quick,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Msg {
    /// A key was pressed (never a release).
    Key(KeyEvent),
    /// The same, too soon to be a yes.
    HastyKey(KeyEvent, Haste),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has a new size: columns, rows.
    Resize(u16, u16),
    /// A sample changed something.
    Delta(Box<Delta>),
    /// A signal had this outcome.
    Kill(KillReport),
    /// A socket that was to be closed had this outcome.
    Close(CloseReport),
    /// No sample could be taken; the old data stays, and sampling goes on.
    SourceFailed(DisplayText),
    /// The recording is at its end.
    SourceEnded,
    /// Names of hosts were found, or are gone.
    HostNames(Vec<Named>),
    /// Something worth a line to the user (a terminal that cannot copy, a thread that ended).
    Notice(DisplayText),
}
