//! What a key, a click or a menu can ask for. Which key asks for what stands in `keymap`.

use crate::app::tab::Tab;

/// Something the user wants.
///
/// Not `pub`: the key table is the only place that makes these, so the compiler warns of an action without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Leave the program.
    Quit,
    /// Stop the program, as Ctrl-Z does in a shell.
    Suspend,
    /// Draw everything again.
    Redraw,
    /// Show the keys.
    Help,
    /// One step back: close what is open, clear the filter.
    Back,
    /// Move the selection, or scroll.
    Move(Motion),
    /// The tab to the right.
    NextTab,
    /// The tab to the left.
    PreviousTab,
    /// This tab.
    Show(Tab),
    /// Edit the filter.
    EditFilter,
    /// Choose the column to sort by.
    SortMenu,
    /// Sort by the column to the left.
    SortLeft,
    /// Sort by the column to the right.
    SortRight,
    /// Turn the sort round.
    InvertSort,
    /// Open what is selected.
    Open,
    /// Explain what is selected.
    Explain,
    /// Group the connections by what they share.
    Group,
    /// Show another span of time in the charts of the states.
    Span,
    /// Keep the selected row on its line of the screen.
    Follow,
    /// Hold the screen still, or let it go on.
    Freeze,
    /// Send a signal to the owner of what is selected.
    Kill,
    /// Close the selected socket.
    Close,
    /// Send KILL to a process that did not end when asked to.
    Escalate,
    /// Put the selected line on the clipboard.
    Copy,
    /// Ask for names of hosts, or no more.
    Names,
    /// Show the sockets of all network namespaces, or of conntop's own only.
    Namespaces,
    /// Take samples more often.
    Faster,
    /// Take samples less often.
    Slower,
    /// Take the selected line of a menu.
    Choose,
    /// Do what the dialog shows.
    Confirm,
    /// Take the last letter off the word that is typed.
    EraseWord,
    /// Do what the second dialog of KILL shows.
    ConfirmKill,
    /// Take the filter as typed.
    AcceptFilter,
    /// Change the filter line.
    Edit(Edit),
}

/// Where the selection or the window goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Motion {
    /// One line up.
    Up,
    /// One line down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// To the first line.
    First,
    /// To the last line.
    Last,
}

/// A change of the line being edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// The cursor one character to the left.
    Left,
    /// The cursor one character to the right.
    Right,
    /// The cursor to the start.
    Start,
    /// The cursor to the end.
    End,
    /// The character before the cursor goes.
    Backspace,
    /// The character under the cursor goes.
    Delete,
    /// The word before the cursor goes.
    DeleteWord,
    /// Everything before the cursor goes.
    DeleteToStart,
    /// The line before this one in the history.
    Older,
    /// The line after this one in the history.
    Newer,
}
