//! Who or what is meant by an action, where a row may stand for several.

use std::num::NonZeroU32;
use std::sync::Arc;

use crate::app::effect::ExportFile;
#[cfg(doc)]
use crate::model::action::Kill;
use crate::model::process::Process;

/// What is said where the socket to close is gone.
pub(super) const GONE: &str = "this connection is gone; there is nothing to close";

/// What the members of a group are gathered for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A signal to one of its processes.
    Kill,
    /// The close of one of its sockets.
    Close,
    /// The sockets are written to this file.
    Export(ExportFile),
}

/// Who may be meant by a signal: never none, but while they are being gathered.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Who.
    pub(super) owners: Vec<Arc<Process>>,
    /// The sockets for which they are ([`Kill::holding`]).
    pub(super) holding: Vec<NonZeroU32>,
}

impl Candidates {
    /// A process that was chosen for itself.
    pub(super) fn one(process: Arc<Process>) -> Self {
        Self { owners: vec![process], holding: Vec::new() }
    }
}

/// What is said where no process is meant.
pub(super) fn nobody_sentence() -> String {
    "no process holds this socket; the kernel keeps it and ends it by itself".to_owned()
}
