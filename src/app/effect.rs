//! What `update` wants done; the runtime and the host do it. An effect holds all it needs: what a dialog shows is
//! the very effect that will run.

use std::net::IpAddr;
use std::time::Duration;

use crate::app::moment::{MomentWish, PlaySpeed};
use crate::model::action::Kill;
use crate::model::closing::Close;
use crate::model::snapshot::Needs;
use crate::model::socket::SocketId;
use crate::model::text::DisplayText;

/// The config file as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWrite {
    /// All of its text.
    pub text: String,
    /// What it said when it was read; `None`: it was not there. If it says something else by now, it is not written.
    pub before: Option<String>,
}

/// Something to be done outside of the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leave the program.
    Quit,
    /// Give the terminal back and stop, as Ctrl-Z does in a shell.
    Suspend,
    /// Clear the terminal and draw everything again.
    Redraw,
    /// Send a signal and watch what comes of it.
    Kill(Kill),
    /// Close one socket.
    Close(Close),
    /// Close each of these sockets.
    CloseAll(Vec<Close>),
    /// Write sockets to a new file.
    Export(Export),
    /// Collect this beside the sockets from the next sample on.
    Collect(Needs),
    /// Ask what these addresses are called, the first ones first, and about no others any more.
    LookUp(Vec<IpAddr>),
    /// Take samples this far apart.
    Interval(Duration),
    /// Stop (`true`) or go on with taking samples.
    Pause(bool),
    /// Take a sample now.
    Sample,
    /// Show this moment; the newest wish wins.
    GoTo(MomentWish),
    /// Let the clock of the recording or of the past run (`true`), or stop it.
    Play(bool),
    /// Let it run at this speed.
    PlaySpeed(PlaySpeed),
    /// Let it run as fast as it can until something happens to this socket.
    PlayUntil(SocketId),
    /// Take its next sample now.
    Step,
    /// Read the config file; its text comes as a message.
    ReadConfig,
    /// Write the config file.
    WriteConfig(ConfigWrite),
    /// Ring the bell of the terminal.
    Bell,
    /// Put this on the clipboard (OSC 52).
    Copy(DisplayText),
    /// Put these lines on the clipboard.
    CopyLines(Vec<DisplayText>),
}

/// A file that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// Its path, as it was typed.
    pub path: String,
    /// What is written into it.
    pub format: ExportFormat,
}

/// Sockets that are to be written to a new file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The file.
    pub file: ExportFile,
    /// The sockets; those that are gone by then are left out.
    pub sockets: Vec<SocketId>,
}

/// What is written into a file: each as `conntop list --format` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated values with a heading.
    Csv,
    /// Bare values with tabs between.
    Plain,
}
