//! Everything that can happen to the app comes as one of these, on one queue.

use crossterm::event::{KeyEvent, MouseEvent};

use crate::app::click::ClickTarget;
use crate::app::moment::Moment;
use crate::diagnosis::by_host::FoundByHost;
use crate::model::action::KillReport;
use crate::model::closing::CloseReport;
use crate::model::delta::Delta;
use crate::model::host_name::Named;
use crate::model::recorded::RecordedSpan;
use crate::model::text::DisplayText;

/// A question on the screen. Another value is another question, which has to be read anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownQuestion {
    /// How many questions had been asked when it was.
    pub number: u64,
    /// The size of the screen: columns, rows.
    pub screen: (u16, u16),
}

/// Why a key does not confirm a question: the user may not have read the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyKey {
    /// The question was not on the screen for long enough to be read, or nobody just pressed the key: the terminal says
    /// that it repeats, or it came together with other keys (typed ahead, or pasted).
    QuestionUnread,
    /// The key came right after another key, or is the same as the one before and may be held down.
    TypedTooFast,
}

/// What came of writing a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportReport {
    /// Its path, safe to show.
    pub path: DisplayText,
    /// How many sockets are in it, or why it was not written.
    pub outcome: Result<usize, DisplayText>,
}

/// Something that happened.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed (never a release).
    Key(KeyEvent),
    /// A key was pressed too early to confirm the question on the screen.
    EarlyKey(KeyEvent, EarlyKey),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// Something was clicked that says what a click on it does.
    Click(ClickTarget),
    /// Text was pasted.
    Paste(String),
    /// The terminal has a new size: columns, rows.
    Resize(u16, u16),
    /// A sample changed something.
    Delta(Box<Delta>),
    /// The same of the past, while the clock runs there.
    PastDelta(Box<Delta>),
    /// The source covers this time.
    Span(RecordedSpan),
    /// A moment that was wished for.
    Moment(Box<Moment>),
    /// The moment of the wish with this number could not be read.
    MomentFailed(u64, DisplayText),
    /// The clock of the past has come to now.
    PastEnded,
    /// What is wrong with each of several hosts, as of the sample that follows.
    HostFindings(Box<FoundByHost>),
    /// A signal had this outcome.
    Kill(KillReport),
    /// A socket that was to be closed had this outcome.
    Close(CloseReport),
    /// A file was written, or could not be.
    Exported(ExportReport),
    /// No sample could be taken; the old data stays, and sampling goes on.
    SourceFailed(DisplayText),
    /// The recording is at its end.
    SourceEnded,
    /// Names of hosts were found, or are gone.
    HostNames(Vec<Named>),
    /// The notice of this number has been on the screen for as long as it takes to read it.
    NoticeRead(u64),
    /// The config file was read: its text, `None` where there is no file, or why that failed.
    ConfigRead(Result<Option<String>, DisplayText>),
    /// The config file was written, or why not.
    ConfigWritten(Result<(), DisplayText>),
    /// Something worth a line to the user (a terminal that cannot copy, a thread that ended).
    Notice(DisplayText),
}
